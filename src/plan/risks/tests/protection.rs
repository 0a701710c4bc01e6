//! What takes protection away, in each of the files that can do it.

use super::*;

/// A Registry.pol in the computer's half; the data of each record is a text or a number.
fn of_policy(records: &[(&str, &str, Result<&str, u32>)]) -> Vec<String> {
    let utf16 = |text: &str| -> Vec<u8> {
        let units = text.encode_utf16();
        units.flat_map(u16::to_le_bytes).collect()
    };
    let mut bytes = b"PReg\x01\0\0\0".to_vec();
    for (key, name, data) in records {
        let (kind, data) = match data {
            Ok(text) => (1_u32, utf16(&format!("{text}\0"))),
            Err(number) => (4, number.to_le_bytes().to_vec()),
        };
        bytes.extend(utf16(&format!("[{key}\0;{name}\0;")));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(utf16(";"));
        bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        bytes.extend(utf16(";"));
        bytes.extend([&data[..], &utf16("]")].concat());
    }
    let mut snapshot = snapshot(&[]);
    let path = "Machine\\Registry.pol".parse().unwrap();
    snapshot.tree.insert_file(&path, Bytes::from(bytes));
    of(&snapshot)
        .into_iter()
        .map(|risk| format!("{}: {}", risk.kind.label(), risk.text))
        .collect()
}

const POLICIES: &str = r"Software\Policies\Microsoft";

#[test]
fn doors_that_are_opened() {
    let rules = &format!(r"{POLICIES}\WindowsFirewall\FirewallRules");
    let open = "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|Name=x|";
    let subnet = "v2.31|Action=Allow|Active=TRUE|Dir=In|RA4=LocalSubnet|RA6=LocalSubnet|Name=y|";
    let ports = &format!(r"{POLICIES}\WindowsFirewall\DomainProfile\GloballyOpenPorts\List");
    let services = &format!(r"{POLICIES}\Windows NT\Terminal Services");
    assert_eq!(
        of_policy(&[
            (rules, "{1}", Ok(open)),
            (rules, "{2}", Ok(subnet)),
            (ports, "445", Ok("445:TCP:*:Enabled:x")),
            (services, "Shadow", Err(2)),
            (services, "Shadow", Err(4)),
            (services, "Shadow", Err(1)),
            (services, "UserAuthentication", Err(0)),
            (services, "fAllowUnsolicited", Err(1)),
        ]),
        [
            format!(r"firewall rule: HKLM\{rules}\{{1}} = {open}"),
            format!(r"firewall rule: HKLM\{ports}\445 = 445:TCP:*:Enabled:x"),
            format!(r"remote control: HKLM\{services}\Shadow = 2"),
            format!(r"remote control: HKLM\{services}\Shadow = 4"),
            format!(r"remote control: HKLM\{services}\UserAuthentication = 0"),
            format!(r"remote control: HKLM\{services}\fAllowUnsolicited = 1"),
        ]
    );
}

#[test]
fn certificates_that_are_trusted() {
    for store in ["Root", "TrustedPeople", "TrustedPublisher", "AuthRoot"] {
        let key = format!(r"{POLICIES}\SystemCertificates\{store}\Certificates\0A1B");
        assert_eq!(
            of_policy(&[(&key, "Blob", Err(1))]),
            [format!(r"trusted certificate: HKLM\{key}\Blob = 1")]
        );
    }
    let distrusted = format!(r"{POLICIES}\SystemCertificates\Disallowed\Certificates\0A1B");
    assert_eq!(of_policy(&[(&distrusted, "Blob", Err(1))]), [""; 0]);
}

#[test]
fn protection_that_does_not_block() {
    let asr = &format!(r"{POLICIES}\Windows Defender\Windows Defender Exploit Guard\ASR");
    let srp = &format!(r"{POLICIES}\Windows\Safer\CodeIdentifiers");
    let locker = &format!(r"{POLICIES}\Windows\SrpV2\Exe");
    let guard = &format!(r"{POLICIES}\Windows\DeviceGuard");
    let rule = "<FilePathRule Id='1' Name='n' Description='' UserOrGroupSid='S-1-1-0' Action='Allow'><Conditions><FilePathCondition Path='*'/></Conditions></FilePathRule>";
    let found = of_policy(&[
        (asr, "ExploitGuard_ASR_Rules", Err(0)),
        (asr, "ExploitGuard_ASR_Rules", Err(1)),
        (&format!(r"{asr}\Rules"), "BE9BA2D9", Ok("0")),
        (&format!(r"{asr}\Rules"), "BE9BA2D9", Ok("2")),
        (&format!(r"{asr}\Rules"), "BE9BA2D9", Ok("1")),
        (&format!(r"{asr}\ASROnlyExclusions"), r"C:\x", Ok("0")),
        (srp, "DefaultLevel", Err(0x40000)),
        (srp, "DefaultLevel", Err(0)),
        (
            &format!(r"{srp}\262144\Paths\{{1}}"),
            "ItemData",
            Ok(r"C:\*"),
        ),
        (
            &format!(r"{srp}\262144\Paths\{{2}}"),
            "ItemData",
            Ok(r"C:\App"),
        ),
        (locker, "EnforcementMode", Err(0)),
        (locker, "EnforcementMode", Err(1)),
        (&format!(r"{locker}\1"), "Value", Ok(rule)),
        (
            &format!(r"{locker}\2"),
            "Value",
            Ok(&rule.replace("S-1-1-0", "S-1-5-32-544")),
        ),
        (guard, "DeployConfigCIPolicy", Err(0)),
        (guard, "ConfigCIPolicyFilePath", Ok(r"C:\p.bin")),
    ]);
    let values: Vec<&str> = found
        .iter()
        .map(|text| {
            assert!(text.starts_with("protection off: "), "{text}");
            text.rsplit('\\').next().unwrap()
        })
        .collect();
    assert_eq!(
        values,
        [
            "ExploitGuard_ASR_Rules = 0",
            "BE9BA2D9 = 0",
            "BE9BA2D9 = 2",
            "x = 0",
            "DefaultLevel = 262144",
            "*",
            "EnforcementMode = 0",
            format!("Value = {rule}").as_str(),
            "DeployConfigCIPolicy = 0",
        ]
    );
}

#[test]
fn protection_that_is_deleted() {
    let system = r"Software\Microsoft\Windows\CurrentVersion\Policies\System";
    let lsa = r"System\CurrentControlSet\Control\Lsa";
    let defender = &format!(r"{POLICIES}\Windows Defender");
    let locker = &format!(r"{POLICIES}\Windows\SrpV2\Exe");
    assert_eq!(
        of_policy(&[
            (system, "**del.EnableLUA", Ok(" ")),
            (system, "**del.DisableBkGndGroupPolicy", Ok(" ")),
            (lsa, "**DeleteValues", Ok("RunAsPPL;x;NoLMHash")),
            (defender, "**delvals.", Ok(" ")),
            (POLICIES, "**DeleteKeys", Ok("Windows Defender;Other")),
            // A list that is written again.
            (locker, "**delvals.", Ok(" ")),
            (locker, "EnforcementMode", Err(1)),
        ]),
        [
            format!(r"protection off: deletes HKLM\{system}\EnableLUA"),
            format!(r"credentials: deletes HKLM\{lsa}\RunAsPPL"),
            format!(r"credentials: deletes HKLM\{lsa}\NoLMHash"),
            format!(r"protection off: deletes every value of HKLM\{defender}"),
            format!(r"protection off: deletes HKLM\{POLICIES}\Windows Defender"),
        ]
    );
    let item = |action: &str, key: &str, name: &str, default: u8| {
        let properties = format!(
            "action='{action}' hive='HKEY_LOCAL_MACHINE' key='{key}' name='{name}' default='{default}' type='REG_DWORD' value='1'"
        );
        of_preferences(
            "RegistrySettings",
            &format!("<Registry name='r'><Properties {properties}/></Registry>"),
        )
    };
    assert_eq!(
        item("D", lsa, "RunAsPPL", 0),
        [format!(r"credentials: deletes HKLM\{lsa}\RunAsPPL")]
    );
    for action in ["D", "R"] {
        assert_eq!(
            item(action, defender, "", 0),
            [format!(r"protection off: deletes HKLM\{defender}")]
        );
    }
    assert_eq!(item("D", defender, "", 1), [""; 0]);
    assert_eq!(item("U", lsa, "RunAsPPL", 0), [""; 0]);
    assert_eq!(
        of_preferences(
            "Files",
            r"<File name='f'><Properties action='D' targetPath='C:\Windows\System32\CodeIntegrity\SIPolicy.p7b'/></File><File name='g'><Properties action='D' targetPath='C:\App\x'/></File>"
        ),
        [r"file in Windows: deletes C:\Windows\System32\CodeIntegrity\SIPolicy.p7b"]
    );
    assert_eq!(
        of_preferences(
            "Folders",
            r"<Folder name='f'><Properties action='D' path='%WindowsDir%\System32\winevt'/></Folder><Folder name='g'><Properties action='C' path='%WindowsDir%\x'/></Folder>"
        ),
        [r"file in Windows: deletes %WindowsDir%\System32\winevt"]
    );
}

#[test]
fn auditing_that_is_switched_off() {
    let of_file = |path: &str, text: &str| -> Vec<String> {
        of(&snapshot(&[(path, text)]))
            .into_iter()
            .map(|risk| format!("{}: {} @ {}", risk.kind.label(), risk.text, risk.place))
            .collect()
    };
    let tmpl = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
    assert_eq!(
        of_file(
            tmpl,
            "[Event Audit]\nAuditLogonEvents = 0\nAuditPolicyChange = 3\nCrashOnAuditFail = 0\n"
        ),
        [format!(
            "logging off: AuditLogonEvents = 0 @ {tmpl}:2 [Event Audit] AuditLogonEvents"
        )]
    );
    let csv = r"Machine\Microsoft\Windows NT\Audit\audit.csv";
    let header = "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value\n";
    assert_eq!(
        of_file(
            csv,
            &format!(
                "{header},System,Logon,{{0CCE9215}},Success,,1\n,System,Process Creation,{{0CCE922B}},No Auditing,,0\n,System,File System,{{0CCE921D}},,,4\n,S-1-5-21-1-2-3-7,Logoff,{{0CCE9216}},,Success,2\n,,Option:CrashOnAuditFail,,Disabled,,0\n,,FileGlobalSacl,,,,\n"
            )
        ),
        [format!(
            "logging off: not audited: Process Creation, File System, Logoff of S-1-5-21-1-2-3-7 @ {csv}:3"
        )]
    );
    assert_eq!(
        of_file(
            csv,
            &format!("{header},System,Logon,{{0CCE9215}},Success,,1\n")
        ),
        [""; 0]
    );
    assert_eq!(
        of_file(csv, "a,b\n\"c\n"),
        [format!(
            "unreadable file: it cannot be read, so what it does is not known @ {csv}"
        )]
    );
}

#[test]
fn programs_that_open_files() {
    assert_eq!(
        of_preferences(
            "FolderOptions",
            r"<OpenWith name='txt'><Properties action='U' fileExtension='txt' applicationPath='\\s\x\e.exe' default='1'/></OpenWith><FileType name='js'><Properties action='R' fileExt='js' application='' appProgID='JSFile' configActions='1'><Actions><Action name='open' appUsed='C:\e.exe'/></Actions></Properties></FileType><OpenWith name='d'><Properties action='D' fileExtension='d' applicationPath='x'/></OpenWith><GlobalFolderOptions name='x'><Properties/></GlobalFolderOptions>"
        ),
        [
            r#"file type handler: files with the extension "txt" are opened with \\s\x\e.exe"#,
            r#"file type handler: files with the extension "js" are opened with JSFile and C:\e.exe"#,
        ]
    );
}
