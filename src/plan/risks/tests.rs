mod hidden;
mod protection;
mod registry_values;

use bytes::Bytes;

use super::*;
use crate::model::directory_object::{AttributeValues, DirectoryAttribute};
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::version::GpoVersion;

fn snapshot(files: &[(&str, &str)]) -> GpoSnapshot {
    let mut tree = GptTree::new();
    for (path, text) in files {
        tree.insert_file(&path.parse().unwrap(), Bytes::from((*text).to_owned()));
    }
    GpoSnapshot {
        guid: "31B2F340-016D-11D2-945F-00C04FB984F9".parse().unwrap(),
        domain: "src.test".parse().unwrap(),
        domain_guid: None,
        domain_controller: String::new(),
        display_name: "g".to_owned(),
        flags: 0,
        directory_version: GpoVersion::default(),
        sysvol_version: None,
        machine_extensions: ExtensionList::default(),
        user_extensions: ExtensionList::default(),
        wmi_filter: None,
        security_descriptor: Vec::new(),
        tree,
        directory_objects: Vec::new(),
        principals: Vec::new(),
        file_paths: Vec::new(),
        messages: Vec::new(),
    }
}

fn shown(risks: &[Risk]) -> Vec<String> {
    risks
        .iter()
        .map(|risk| format!("{}: {} @ {}", risk.kind.label(), risk.text, risk.place))
        .collect()
}

#[test]
fn security_settings_and_scripts() {
    const TMPL: &str = "Machine\\Microsoft\\Windows NT\\SecEdit\\GptTmpl.inf";
    let snapshot = snapshot(&[
        (
            TMPL,
            "[Unicode]\nUnicode=yes\n[Privilege Rights]\nSeBackupPrivilege = *S-1-5-32-551,SRC\\a\nSeDebugPrivilege =\n[Group Membership]\n*S-1-5-32-544__Memberof =\n*S-1-5-32-544__Members = a\nSRC\\g__Memberof = *S-1-5-32-555\n[Service General Setting]\n\"Spooler\",4,\"\"\n\"W\",2,\"D:(A;;RC;;;BA)\"\n[File Security]\n\"c:\\x\",0,\"D:\"\n",
        ),
        (
            "User\\Scripts\\scripts.ini",
            "[Logon]\n0CmdLine=a.bat\n0Parameters=-x\n[Logoff]\n0CmdLine=b.bat\n0Parameters=\n",
        ),
        (
            "Machine\\Scripts\\psscripts.ini",
            "[Startup]\n0CmdLine=c.ps1\n",
        ),
        ("Machine\\Registry.pol", "PReg\x01\0\0\0"),
    ]);
    let at = |line: u8, section: &str, key: &str| format!("{TMPL}:{line} [{section}] {key}");
    assert_eq!(
        shown(&of(&snapshot)),
        [
            format!(
                "privilege right: SeBackupPrivilege: *S-1-5-32-551,SRC\\a @ {}",
                at(4, "Privilege Rights", "SeBackupPrivilege")
            ),
            format!(
                "privilege right: SeDebugPrivilege: nobody @ {}",
                at(5, "Privilege Rights", "SeDebugPrivilege")
            ),
            format!(
                "restricted group: *S-1-5-32-544 has the members a @ {}",
                at(8, "Group Membership", "*S-1-5-32-544")
            ),
            format!(
                "restricted group: SRC\\g becomes a member of *S-1-5-32-555 @ {}",
                at(9, "Group Membership", "SRC\\g")
            ),
            format!(
                "service: Spooler is disabled @ {}",
                at(11, "Service General Setting", "Spooler")
            ),
            format!(
                "service: W starts automatically, with its own permissions @ {}",
                at(12, "Service General Setting", "W")
            ),
            "script: c.ps1 at startup @ Machine\\Scripts\\psscripts.ini:2 [Startup] 0CmdLine"
                .to_owned(),
            "script: a.bat -x at logon @ User\\Scripts\\scripts.ini:2 [Logon] 0CmdLine".to_owned(),
            "script: b.bat at logoff @ User\\Scripts\\scripts.ini:5 [Logoff] 0CmdLine".to_owned(),
        ]
    );
}

fn of_preferences(root: &str, items: &str) -> Vec<String> {
    let text = format!("<{root} clsid='0'>{items}</{root}>");
    let path = "Machine\\Preferences\\X\\X.xml";
    of(&snapshot(&[(path, &text)]))
        .into_iter()
        .map(|risk| format!("{}: {}", risk.kind.label(), risk.text))
        .collect()
}

#[test]
fn tasks_of_both_versions() {
    assert_eq!(
        of_preferences(
            "ScheduledTasks",
            "<Task name='a'><Properties action='U' appName='C:\\x.exe' args='/q' runAs='SRC\\svc' cpassword='secret'/></Task><ImmediateTaskV2 name='b' disabled='1'><Properties action='C' runAs='x'><Task><Principals><Principal><UserId>S-1-5-18</UserId></Principal></Principals><Actions><Exec><Command>one</Command><Arguments>-a</Arguments></Exec><Exec><Command>two</Command></Exec></Actions></Task></Properties></ImmediateTaskV2><TaskV2 name='c'><Properties action='D'/></TaskV2><TaskV2 name='d'><Properties action='C'><Task><Actions><SendEmail/></Actions></Task></Properties></TaskV2>"
        ),
        [
            "scheduled task: \"a\" runs C:\\x.exe /q as SRC\\svc",
            "scheduled task: \"b\" runs one -a and two as S-1-5-18 (switched off)",
            "scheduled task: removes the task \"c\"",
            "scheduled task: \"d\" does something other than a command",
        ]
    );
}

#[test]
fn services_users_and_groups() {
    assert_eq!(
        of_preferences(
            "NTServices",
            "<NTService name='s'><Properties startupType='AUTOMATIC' serviceName='s' serviceAction='START' accountName='SRC\\svc' program='c.exe' args='-r'/></NTService><NTService name='t'><Properties startupType='NOCHANGE' serviceName='t'/></NTService>"
        ),
        [
            "service: s: startup automatic, start, runs as SRC\\svc, on failure runs c.exe -r",
            "service: t: unchanged",
        ]
    );
    assert_eq!(
        of_preferences(
            "Groups",
            "<Collection><Group name='Administrators (built-in)'><Properties action='U' deleteAllUsers='1' groupName='Administrators (built-in)'><Members><Member name='SRC\\a' action='ADD' sid='x'/><Member name='' action='ADD' sid='S-1-5-21-1-2-3-4'/><Member name='b' action='REMOVE'/></Members></Properties></Group></Collection><Group name='g'><Properties action='D' groupName='g'/></Group><Group name='h'><Properties action='U' groupName='h'/></Group><User name='u'><Properties action='C' userName='u'/></User>"
        ),
        [
            "local group: \"Administrators (built-in)\": removes all users, adds SRC\\a and S-1-5-21-1-2-3-4, removes b",
            "local group: removes the group \"g\"",
            "local group: \"h\": members unchanged",
            "local user: creates the user \"u\"",
        ]
    );
}

#[test]
fn packages_and_extensions() {
    let mut snapshot = snapshot(&[]);
    snapshot.machine_extensions = ExtensionList::new(
        "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}][{FFFFFFFF-683F-11D2-A89A-00C04FBBCFA2}]",
    );
    snapshot.user_extensions = ExtensionList::new("[");
    let attribute = |name: &str, values| DirectoryAttribute {
        name: name.to_owned(),
        values,
    };
    snapshot.directory_objects = vec![
        DirectoryObject {
            object_class: "classStore".to_owned(),
            ..DirectoryObject::default()
        },
        DirectoryObject {
            rdns: vec!["CN=p".to_owned(), "CN=Packages".to_owned()],
            object_class: "packageRegistration".to_owned(),
            attributes: vec![
                attribute("packageName", AttributeValues::String(Some("P".to_owned()))),
                attribute(
                    "msiFileList",
                    AttributeValues::MultiString(vec!["0:\\\\s\\p.msi".to_owned()]),
                ),
            ],
            security_descriptor: None,
        },
        // A ZAP package does not have a list of files.
        DirectoryObject {
            rdns: vec!["CN=z".to_owned(), "CN=Packages".to_owned()],
            object_class: "packageRegistration".to_owned(),
            attributes: vec![
                attribute("packageName", AttributeValues::String(Some("Z".to_owned()))),
                attribute(
                    "setupCommand",
                    AttributeValues::String(Some("\\\\s\\z.exe /q".to_owned())),
                ),
            ],
            security_descriptor: None,
        },
    ];
    assert_eq!(
        shown(&of(&snapshot)),
        [
            "software: P from 0:\\\\s\\p.msi @ CN=p,CN=Packages",
            "software: Z from \\\\s\\z.exe /q @ CN=z,CN=Packages",
            "unknown extension: {FFFFFFFF-683F-11D2-A89A-00C04FBBCFA2} is not a Windows extension @ gPCMachineExtensionNames",
            "unknown extension: the list of extensions is not well formed @ gPCUserExtensionNames",
        ]
    );
}

#[test]
fn goes_through_json() {
    let risk = Risk {
        kind: RiskKind::UnknownExtension,
        text: "x".to_owned(),
        place: Place::file("f"),
    };
    let json = serde_json::to_value(&risk).unwrap();
    assert_eq!(json["kind"], "unknown-extension");
    assert_eq!(serde_json::from_value::<Risk>(json).unwrap(), risk);
}

#[test]
fn registry_records_that_write_a_value_are_looked_at() {
    let run = r"Software\Microsoft\Windows\CurrentVersion\Run";
    let of_name = |name: &str| {
        let utf16 = |text: &str| -> Vec<u8> {
            let units = text.encode_utf16();
            units.flat_map(u16::to_le_bytes).collect()
        };
        let data = utf16("e.exe\0");
        let size = u32::try_from(data.len()).unwrap().to_le_bytes();
        let mut bytes = b"PReg\x01\0\0\0".to_vec();
        bytes.extend(utf16(&format!("[{run}\0;{name}\0;")));
        bytes.extend([1, 0, 0, 0, b';', 0]);
        bytes.extend([&size[..], b";\0", &data, b"]\0"].concat());
        let mut snapshot = snapshot(&[]);
        let path = "Machine\\Registry.pol".parse().unwrap();
        snapshot.tree.insert_file(&path, Bytes::from(bytes));
        let mut found = of(&snapshot);
        assert!(found.len() < 2);
        found.pop().map(|risk| risk.text)
    };
    for (name, shown) in [
        ("x", "x"),
        ("**soft.x", "x"),
        ("**SOFT.x", "x"),
        ("**", "**"),
        ("**x", "**x"),
        ("**delete", "**delete"),
        ("**é.", "**é."),
    ] {
        let expected = format!("HKLM\\{run}\\{shown} = e.exe");
        assert_eq!(of_name(name), Some(expected), "{name}");
    }
    for name in [
        "**del.x",
        "**Del.x",
        "**delvals.",
        "**DelVals.",
        "**DeleteValues",
        "**DeleteKeys",
        "**SecureKey",
        "**Comment:x",
    ] {
        assert_eq!(of_name(name), None, "{name}");
    }
}

#[test]
fn files_of_preferences_whatever_the_spelling_of_the_folder() {
    for (target, from, expected) in [
        (r"C:\x\StartUp", r"\\s\x\*", "autostart"),
        (r"C:\x\StartUp\e.exe", r"\\s\e.exe", "autostart"),
        (r"C:\Windows\System32", r"\\s\x\*", "file in Windows"),
        ("C:/Windows/SysWOW64/", r"\\s\x\*", "file in Windows"),
        (r"%WinDir%\sysnative\e.dll", r"\\s\e.dll", "file in Windows"),
    ] {
        let items = format!(
            "<File name='f'><Properties action='C' targetPath='{target}' fromPath='{from}'/></File>"
        );
        assert_eq!(
            of_preferences("Files", &items),
            [format!("{expected}: {target} from {from}")]
        );
    }
    let elsewhere = "<File name='f'><Properties action='C' targetPath='C:\\x\\StartUps' fromPath='\\\\s\\x\\*'/></File>";
    assert_eq!(of_preferences("Files", elsewhere), [""; 0]);
}

/// Clients apply the records of Registry.pol in order: what is deleted after it is set is gone.
#[test]
fn a_deletion_after_the_values_takes_protection_away() {
    use crate::formats::registry_pol::{Record, RegistryPol, ValueType, utf16_bytes};
    let record = |name: &str, value_type, data: &[u8]| Record {
        key: utf16_bytes(r"Software\Microsoft\Windows\CurrentVersion\Policies\System"),
        value_name: utf16_bytes(name),
        value_type,
        data: Bytes::copy_from_slice(data),
    };
    let on = || record("EnableLUA", ValueType::DWORD, &[1, 0, 0, 0]);
    let delete = || record("**delvals.", ValueType::SZ, b" \0\0\0");
    let named = |records: Vec<Record>| -> Vec<String> {
        let mut snapshot = snapshot(&[]);
        let policy = RegistryPol { records };
        let path = r"Machine\Registry.pol".parse().unwrap();
        snapshot.tree.insert_file(&path, policy.to_bytes());
        of(&snapshot).into_iter().map(|risk| risk.text).collect()
    };
    assert_eq!(named(vec![delete(), on()]), [""; 0]);
    let soft = record("**soft.EnableLUA", ValueType::DWORD, &[1, 0, 0, 0]);
    assert_eq!(named(vec![delete(), soft]), [""; 0]);
    assert_eq!(
        named(vec![on(), delete()]),
        [r"deletes every value of HKLM\Software\Microsoft\Windows\CurrentVersion\Policies\System"]
    );
}

#[test]
fn registry_items_of_preferences() {
    let of_item = |hive: &str, key: &str, name: &str, kind: &str, value: &str| {
        let item = format!(
            "<Registry name='r'><Properties action='U' hive='{hive}' key='{key}' name='{name}' type='{kind}' value='{value}'/></Registry>"
        );
        of_preferences("RegistrySettings", &item)
    };
    assert_eq!(
        of_item(
            "HKEY_CLASSES_ROOT",
            r"CLSID\{0}\InprocServer32",
            "",
            "REG_SZ",
            "e.dll"
        ),
        [r"COM class of user: HKCR\CLSID\{0}\InprocServer32\(default) = e.dll"]
    );
    let defender = r"Software\Policies\Microsoft\Windows Defender";
    for value in ["00000001", "0x1", "0X00000001"] {
        assert_eq!(
            of_item(
                "HKEY_LOCAL_MACHINE",
                defender,
                "DisableAntiSpyware",
                "REG_DWORD",
                value
            ),
            [format!(
                r"protection off: HKLM\{defender}\DisableAntiSpyware = 1"
            )],
            "{value}"
        );
    }
}

/// What gpoctl cannot read, a client may: it is never "none".
#[test]
fn a_file_that_may_run_code_and_cannot_be_read_is_listed() {
    let odd = "\u{feff}[Startup]\r\n0CmdLine=e.exe\r\n";
    let utf16: Vec<u8> = odd.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let lone = [&utf16[..], &[0x00, 0xD8]].concat();
    let dtd = b"<!DOCTYPE a [<!ENTITY b 'c'>]><ScheduledTasks clsid='0'/>".to_vec();
    for (path, bytes) in [
        (r"Machine\Scripts\scripts.ini", [&utf16[..], b"x"].concat()),
        (r"User\Scripts\psscripts.ini", lone),
        (
            r"Machine\Scripts\scripts.ini",
            b"[Startup]\n0CmdLine=e\n\0".to_vec(),
        ),
        (
            r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf",
            vec![0xFF, 0xFE, 0x5B],
        ),
        (r"Machine\Registry.pol", b"PReg\x01\0\0\0[".to_vec()),
        (r"User\Preferences\ScheduledTasks\ScheduledTasks.xml", dtd),
    ] {
        let mut snapshot = snapshot(&[]);
        snapshot
            .tree
            .insert_file(&path.parse().unwrap(), Bytes::from(bytes));
        assert_eq!(
            shown(&of(&snapshot)),
            [format!(
                "unreadable file: it cannot be read, so what it does is not known @ {path}"
            )]
        );
    }
}

#[test]
fn security_templates_that_weaken_accounts_and_every_hive() {
    let path = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
    let of_text = |text: &str| -> Vec<String> {
        of(&snapshot(&[(path, text)]))
            .into_iter()
            .map(|risk| format!("{}: {}", risk.kind.label(), risk.text))
            .collect()
    };
    assert_eq!(
        of_text(
            "[System Access]\nClearTextPassword = 1\nEnableGuestAccount=1\nLSAAnonymousNameLookup = 1\nMinimumPasswordLength = 1\n"
        ),
        [
            "credentials: ClearTextPassword = 1",
            "credentials: EnableGuestAccount = 1",
            "credentials: LSAAnonymousNameLookup = 1",
            "account policy: MinimumPasswordLength = 1",
        ]
    );
    assert_eq!(
        of_text(
            "[System Access]\nClearTextPassword = 0\nEnableGuestAccount = 0\nLSAAnonymousNameLookup = 0\n"
        ),
        [""; 0]
    );
    assert_eq!(
        of_text("[Registry Values]\nCLASSES_ROOT\\CLSID\\{0}\\TreatAs\\=1,\"e\"\n"),
        [r"COM class of user: HKCR\CLSID\{0}\TreatAs\(default) = e"]
    );
    let lsa = r"MACHINE\System\CurrentControlSet\Control\Lsa\RunAsPPL";
    for data in ["4,0", "4,0x0", "3,00,00,00,00"] {
        let found = of_text(&format!("[Registry Values]\n{lsa}={data}\n"));
        assert_eq!(found.len(), 1, "{data}");
    }
    assert_eq!(
        of_text(
            "[File Security]\n\"c:\\a\",0,\"O:WDD:(A;;FR;;;BA)\"\n\"c:\\b\",0,\"D:(OA;;FA;;;AU)\"\n\"c:\\c\",0,\"D:(A;;FA;;;??)\"\n"
        ),
        [
            "open permission: Everyone may change c:\\a",
            "open permission: Authenticated Users may change c:\\b",
            "open permission: c:\\c gets permissions that cannot be read",
        ]
    );
}

#[test]
fn preferences_that_run_code_by_a_way_round() {
    assert_eq!(
        of_preferences(
            "IniFiles",
            "<Ini name='i'><Properties action='U' path='C:\\x\\StartUp\\x.url' section='InternetShortcut' property='URL' value='file://s/e.exe'/></Ini><Ini name='j'><Properties action='U' path='%WindowsDir%\\win.ini' section='windows' property='load' value='e.exe'/></Ini><Ini name='k'><Properties action='U' path='C:\\app\\a.ini' section='s' property='p' value='v'/></Ini><Ini name='l'><Properties action='U' path='C:\\Windows\\a.ini' section='s' property='DefaultPassword' value='s3cret'/></Ini>"
        ),
        [
            r"autostart: C:\x\StartUp\x.url from [InternetShortcut] URL = file://s/e.exe",
            r"file in Windows: %WindowsDir%\win.ini from [windows] load = e.exe",
            r"file in Windows: C:\Windows\a.ini from [s] DefaultPassword = (not shown)",
        ]
    );
    assert_eq!(
        of_preferences(
            "EnvironmentVariables",
            "<EnvironmentVariable name='a'><Properties action='U' name='PATH' value='\\\\s\\x' user='0' partial='1'/></EnvironmentVariable><EnvironmentVariable name='b'><Properties action='C' name='COR_PROFILER' value='{0}'/></EnvironmentVariable><EnvironmentVariable name='c'><Properties action='C' name='UserInitMprLogonScript' value='e.exe'/></EnvironmentVariable><EnvironmentVariable name='d'><Properties action='C' name='APP' value='x'/></EnvironmentVariable><EnvironmentVariable name='e'><Properties action='D' name='PATH'/></EnvironmentVariable>"
        ),
        [
            r"environment variable: PATH = \\s\x",
            "environment variable: COR_PROFILER = {0}",
            "environment variable: UserInitMprLogonScript = e.exe",
        ]
    );
    for target in [
        r"C:\Windows\System32.\e.dll",
        r"\\localhost\admin$\e.exe",
        r"%SystemRoot%\e.exe",
        r"C:\WINDOWS\Tasks\e.job",
    ] {
        let items = format!(
            "<File name='f'><Properties action='C' targetPath='{target}' fromPath='f'/></File>"
        );
        assert_eq!(
            of_preferences("Files", &items),
            [format!("file in Windows: {target} from f")]
        );
    }
}
