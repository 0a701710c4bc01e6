use proptest::prelude::*;

use super::*;
use crate::formats::registry_pol::{Record, RegistryPol, ValueType, utf16_bytes};
use crate::model::directory_object::{AttributeValues, DirectoryAttribute, DirectoryObject};
use crate::model::principal::{Principal as Account, PrincipalType};
use crate::model::snapshot::InventoryPrincipal;

const TEMPLATE: &str = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
const AUDIT: &str = r"Machine\Microsoft\Windows NT\Audit\audit.csv";

fn tree(files: &[(&str, &[u8])]) -> GptTree {
    let mut tree = GptTree::new();
    for (path, content) in files {
        tree.insert_file(&path.parse().unwrap(), Bytes::copy_from_slice(content));
    }
    tree
}

/// The settings of one file as `extension | category | name: value`.
fn shown(path: &str, content: &[u8]) -> Vec<String> {
    let all = of_tree(
        &tree(&[(path, content)]),
        &Names::new(),
        &Templates::default(),
    );
    assert!(all.not_decoded.is_empty(), "{:?}", all.not_decoded);
    let settings = all.settings.iter();
    settings
        .map(|one| {
            let extension = one.extension.name();
            let (category, name) = (&one.category, &one.name);
            format!("{extension} | {category} | {name}: {}", one.value_text())
        })
        .collect()
}

fn record(key: &str, name: &str, value_type: ValueType, data: &[u8]) -> Record {
    Record {
        key: utf16_bytes(key),
        value_name: utf16_bytes(name),
        value_type,
        data: Bytes::copy_from_slice(data),
    }
}

#[test]
fn security_settings_have_the_names_and_units_of_the_editor() {
    let template = "[Unicode]\r\nUnicode=yes\r\n[System Access]\r\nMinimumPasswordLength = 15\r\nMaximumPasswordAge = -1\r\n\
        MinimumPasswordAge = 1\r\nPasswordComplexity = 1\r\nNewGuestName = \"Nobody\"\r\nFuture = 7\r\n\
        [Kerberos Policy]\r\nMaxTicketAge = 10\r\n[Event Audit]\r\nAuditLogonEvents = 3\r\n\
        [System Log]\r\nAuditLogRetentionPeriod = 0\r\nMaximumLogSize = 16384\r\n\
        [Privilege Rights]\r\nSeInteractiveLogonRight = *S-1-5-32-544,Guest\r\nSeTcbPrivilege =\r\n\
        [Group Membership]\r\n*S-1-5-32-544__Members = *S-1-5-21-1-2-3-1105\r\n*S-1-5-32-544__Memberof =\r\n\
        [Registry Values]\r\n\
        MACHINE\\System\\CurrentControlSet\\Control\\Lsa\\LmCompatibilityLevel=4,5\r\n\
        machine\\software\\microsoft\\windows nt\\currentversion\\winlogon\\cachedlogonscount=1,\"4\"\r\n\
        MACHINE\\System\\CurrentControlSet\\Control\\Lsa\\MSV1_0\\NTLMMinClientSec=4,537395200\r\n\
        MACHINE\\X\\Y=7,a,\"b,c\"\r\n\
        [Service General Setting]\r\n\"Spooler\",4,\"\"\r\n\
        [File Security]\r\n\"%SystemRoot%\\x\",2,\"D:(A;;FA;;;BA)(A;OICIIO;0x1;;;SY)\"\r\n\
        [Registry Keys]\r\n0=\"MACHINE\\K\",0,\"not SDDL\"\r\nbroken\r\n[Version]\r\nsignature=\"$CHICAGO$\"\r\n";
    assert_eq!(
        shown(TEMPLATE, template.as_bytes()),
        [
            "Security | Account Policies/Password Policy | Minimum password length: 15 characters",
            "Security | Account Policies/Password Policy | Maximum password age: passwords do not expire",
            "Security | Account Policies/Password Policy | Minimum password age: 1 day",
            "Security | Account Policies/Password Policy | Password must meet complexity requirements: enabled",
            "Security | Local Policies/Security Options | Accounts: Rename guest account: \"Nobody\"",
            "Security | [System Access] | Future: \"7\"",
            "Security | Account Policies/Kerberos Policy | Maximum lifetime for user ticket: 10 hours",
            "Security | Local Policies/Audit Policy | Audit logon events: Success, Failure",
            "Security | Event Log | Retention method for system log: Overwrite events as needed",
            "Security | Event Log | Maximum system log size: 16384 kilobytes",
            "Security | Local Policies/User Rights Assignment | Allow log on locally: Administrators (S-1-5-32-544), \"Guest\"",
            "Security | Local Policies/User Rights Assignment | Act as part of the operating system: none",
            "Security | Restricted Groups | Administrators (S-1-5-32-544): members: S-1-5-21-1-2-3-1105",
            "Security | Restricted Groups | Administrators (S-1-5-32-544): member of: none",
            "Security | Local Policies/Security Options | Network security: LAN Manager authentication level: Send NTLMv2 response only. Refuse LM & NTLM",
            "Security | Local Policies/Security Options | Interactive logon: Number of previous logons to cache (in case domain controller is not available): 4 logons",
            "Security | Local Policies/Security Options | Network security: Minimum session security for NTLM SSP based (including secure RPC) clients: Require NTLMv2 session security, Require 128-bit encryption",
            "Security | Local Policies/Security Options | MACHINE\\X\\Y: \"a\", \"b,c\" (REG_MULTI_SZ)",
            "Security | System Services | Spooler: startup: disabled",
            "Security | File System | %SystemRoot%\\x: mode: \"2\"; permissions: allow Administrators (S-1-5-32-544) Full Control, allow SYSTEM (S-1-5-18) rights 0x1 on child objects",
            "Security | Registry | MACHINE\\K: mode: propagate to child objects; permissions: \"not SDDL\"",
            // Nothing is left out, even a line that is not a setting.
            "Security | [Registry Keys] | broken: configured",
        ]
    );
}

#[test]
fn registry_values_and_commands() {
    let text = |text: &str| utf16_bytes(&format!("{text}\0"));
    let key = r"Software\Policies\X";
    let policy = RegistryPol {
        records: vec![
            record(key, "**delvals.", ValueType::SZ, &text(" ")),
            record(key, "**DelValsOfOld", ValueType::SZ, &text(" ")),
            record(key, "Number", ValueType::DWORD, &[7, 0, 0, 0]),
            record(key, "Cut", ValueType::DWORD, &[7]),
            record(key, "Text", ValueType::SZ, &text("a \"b\"")),
            record(key, "List", ValueType::MULTI_SZ, &text("a\0b\0")),
            record(key, "Large", ValueType::QWORD, &[255; 8]),
            record(key, "Bytes", ValueType::BINARY, &[0; 65]),
            record(key, "**del.Old", ValueType::SZ, &text(" ")),
            record(key, "**DeleteValues", ValueType::SZ, &text("One; Two;")),
            record(key, "**delete", ValueType::DWORD, &[1, 0, 0, 0]),
            record(key, "**Soft.Soft", ValueType::DWORD, &[1, 0, 0, 0]),
            record(key, "", ValueType::NONE, &[]),
            record(key, "", ValueType(66), &[1]),
        ],
    };
    let zeros = format!("65 bytes, SHA-256 {}", sha256(&[0; 65]));
    let expected = [
        "(all values): deleted on the client".to_owned(),
        "(all values): deleted on the client".to_owned(),
        "Number: 7 (REG_DWORD)".to_owned(),
        "Cut: 07 (REG_DWORD)".to_owned(),
        "Text: \"a \"\"b\"\"\" (REG_SZ)".to_owned(),
        "List: \"a\", \"b\" (REG_MULTI_SZ)".to_owned(),
        "Large: 18446744073709551615 (REG_QWORD)".to_owned(),
        format!("Bytes: {zeros} (REG_BINARY)"),
        "Old: deleted on the client".to_owned(),
        "(these values): deleted on the client: \"One\", \"Two\"".to_owned(),
        "**delete: 1 (REG_DWORD)".to_owned(),
        "Soft (only where it does not exist): 1 (REG_DWORD)".to_owned(),
        "(key): configured".to_owned(),
        "(default): 01 (type 66)".to_owned(),
    ];
    let found = shown(r"User\Registry.pol", &policy.to_bytes());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, &format!("Registry values | {key} | {expected}"));
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn the_deletion_of_a_value_is_a_change_of_its_setting() {
    let [sets, deletes] = ["Old", "**DEL.Old"].map(|name| {
        let record = record("K", name, ValueType::DWORD, &[1, 0, 0, 0]);
        let policy = RegistryPol {
            records: vec![record],
        };
        of_tree(
            &tree(&[(r"Machine\Registry.pol", &policy.to_bytes())]),
            &Names::new(),
            &Templates::default(),
        )
        .settings
    });
    let changes = diff::diff(&sets, &deletes);
    let shown: Vec<String> = changes.iter().map(diff::SettingChange::text).collect();
    assert_eq!(shown, ["Old: 1 (REG_DWORD) -> deleted on the client"]);
}

#[test]
fn audited_subcategories() {
    let csv = "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value\r\n\
        ,System,Audit Logon,{0cce9215-69ae-11d9-bed3-505054503030},Success and Failure,,3\r\n\
        ,System,Audit Logoff,{0CCE9216-69AE-11D9-BED3-505054503030},No Auditing,,0\r\n\
        ,S-1-5-32-545,Audit Logon,{0cce9215-69ae-11d9-bed3-505054503030},Success,Failure,\r\n\
        ,,Option:CrashOnAuditFail,,Disabled,,0\r\n\
        ,,FileGlobalSacl,,,,S:(AU;SA;FA;;;WD)\r\n";
    assert_eq!(
        shown(AUDIT, csv.as_bytes()),
        [
            "Advanced Audit Configuration | Logon/Logoff | Audit Logon: Success and Failure",
            "Advanced Audit Configuration | Logon/Logoff | Audit Logoff: No Auditing",
            "Advanced Audit Configuration | Logon/Logoff | Audit Logon for Users (S-1-5-32-545): Included: Success; Excluded: Failure",
            "Advanced Audit Configuration |  | Option:CrashOnAuditFail: disabled",
            "Advanced Audit Configuration |  | FileGlobalSacl: audit Everyone (S-1-1-0) Full Control",
        ]
    );
}

#[test]
fn scripts_in_the_order_in_which_they_run() {
    let ini = "\r\n[Logon]\r\n1CmdLine=b.cmd\r\n1Parameters=\r\n0CmdLine=\\\\s\\n\\a.cmd\r\n0Parameters=-x\r\n";
    assert_eq!(
        shown(r"User\Scripts\scripts.ini", ini.as_bytes()),
        [
            r#"Scripts | Logon | script 1: command: "\\s\n\a.cmd"; parameters: "-x""#,
            r#"Scripts | Logon | script 2: command: "b.cmd""#,
        ]
    );
    let ini =
        "[ScriptsConfig]\r\nStartExecutePSFirst=true\r\n[Startup]\r\n0CmdLine=a.ps1\r\nodd\r\n";
    assert_eq!(
        shown(r"Machine\Scripts\psscripts.ini", ini.as_bytes()),
        [
            r#"Scripts | Startup | PowerShell script 1: command: "a.ps1""#,
            "Scripts |  | Run PowerShell scripts first at startup and logon: enabled",
            r#"Scripts | Startup | odd: """#,
        ]
    );
}

#[test]
fn firewall_rules_in_words() {
    let rule = "v2.30|Action=Block|Active=FALSE|Dir=In|Protocol=6|LPort=445|Profile=Domain|Profile=Private|App=C:\\a.exe|Name=No SMB|";
    let text = utf16_bytes(&format!("{rule}\0"));
    let key = r"SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules";
    let policy = RegistryPol {
        records: vec![
            record(key, "{1}", ValueType::SZ, &text),
            record(key, "odd", ValueType::SZ, &utf16_bytes("x\0")),
        ],
    };
    assert_eq!(
        shown(r"Machine\Registry.pol", &policy.to_bytes()),
        [
            format!("Registry values | {key} | odd: \"x\" (REG_SZ)"),
            "Windows Firewall | Rules | No SMB: disabled: action: block; direction: inbound; protocol: TCP; local port: \"445\"; profile: \"Domain\"; profile: \"Private\"; program: \"C:\\a.exe\"".to_owned(),
        ]
    );
}

#[test]
fn redirected_folders_of_both_versions() {
    let ini = "\r\n     \r\n[version]\r\nversion=100\r\n[Folder_Redirection]\r\n{FDD39AD0-238F-46AF-ADB4-6C85480369C7}=s-1-1-0;\r\n\
        [{FDD39AD0-238F-46AF-ADB4-6C85480369C7}_s-1-1-0]\r\nFlags=1021\r\nFullPath=\\\\s\\r\\%USERNAME%\r\n";
    assert_eq!(
        shown(r"User\Documents & Settings\fdeploy1.ini", ini.as_bytes()),
        [
            "Folder Redirection |  | Documents: principals: order: \"s-1-1-0;\"",
            "Folder Redirection |  | Documents for Everyone (S-1-1-0): flags: 0x1021; path: \"\\\\s\\r\\%USERNAME%\"",
        ]
    );
    let ini = "[FolderStatus]\r\nMy Documents=b\r\n[My Documents]\r\nS-1-1-0=\\\\s\\r\r\nodd\r\n";
    assert_eq!(
        shown(r"User\Documents & Settings\fdeploy.ini", ini.as_bytes()),
        [
            "Folder Redirection |  | My Documents: flags: 0xb",
            "Folder Redirection |  | My Documents for Everyone (S-1-1-0): path: \"\\\\s\\r\"",
            "Folder Redirection |  | odd: configured",
        ]
    );
}

#[test]
fn packages_of_the_class_store() {
    let guid = "{11111111-2222-3333-4444-555555555555}".parse().unwrap();
    let mut gpo = GpoSnapshot::new(guid, "src.test".parse().unwrap(), "x");
    let attribute = |name: &str, values| DirectoryAttribute {
        name: name.to_owned(),
        values,
    };
    let path = ["CN=p", "CN=Packages", "CN=Class Store", "CN=User"];
    gpo.directory_objects = vec![DirectoryObject {
        rdns: path.map(str::to_owned).to_vec(),
        object_class: "packageRegistration".to_owned(),
        attributes: vec![
            attribute(
                "packageName",
                AttributeValues::String(Some("Editor".to_owned())),
            ),
            attribute(
                "msiFileList",
                AttributeValues::MultiString(vec![r"0:\\s\x.msi".to_owned()]),
            ),
            attribute("packageFlags", AttributeValues::Dword(Some(7))),
            attribute("url", AttributeValues::String(None)),
        ],
        security_descriptor: None,
    }];
    let all = of(&gpo).settings;
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].half, all[0].name.as_str()), (Half::User, "Editor"));
    assert_eq!(
        all[0].value_text(),
        r#"msiFileList: "0:\\s\x.msi"; packageFlags: 7"#
    );
}

#[test]
fn comments_on_policies() {
    let xml = "<policyComments xmlns='http://www.microsoft.com/GroupPolicy/CommentDefinitions'><resources><stringTable><string id='a'>why</string></stringTable></resources></policyComments>";
    assert_eq!(
        shown(r"User\comment.cmtx", xml.as_bytes()),
        ["Administrative Templates | Comments | a: \"why\""]
    );
}

#[test]
fn what_is_not_decoded_is_listed_with_size_and_hash() {
    let files: &[(&str, &[u8])] = &[
        (r"Machine\Registry.pol", b"PReg"),
        (r"Machine\Scripts\Startup\a.cmd", b"echo"),
        ("GPO.cmt", b"h\0i\0"),
    ];
    let all = of_tree(&tree(files), &Names::new(), &Templates::default());
    let listed: Vec<String> = all
        .not_decoded
        .iter()
        .map(|file| {
            format!(
                "{} {} {} {}",
                file.path, file.size, file.sha256, file.reason
            )
        })
        .collect();
    let [pol, script] = [&b"PReg"[..], b"echo"].map(sha256);
    assert_eq!(
        listed,
        [
            format!(
                "Machine\\Registry.pol 4 {pol} Registry.pol does not begin with the signature PReg and version 1"
            ),
            format!("Machine\\Scripts\\Startup\\a.cmd 4 {script} not a settings file"),
        ]
    );
    assert_eq!(all.settings[0].value_text(), "\"hi\"");
    assert_eq!(all.settings[0].half, Half::Gpo);
}

#[test]
fn a_file_with_too_many_settings_is_listed_and_not_cut() {
    let line = "A=1\n".repeat(MAX_SETTINGS);
    let template = format!("[System Access]\n{line}");
    let whole = tree(&[(TEMPLATE, template.as_bytes())]);
    assert_eq!(
        of_tree(&whole, &Names::new(), &Templates::default())
            .settings
            .len(),
        MAX_SETTINGS
    );
    let more = format!("{template}A=1\n");
    let all = of_tree(
        &tree(&[(TEMPLATE, more.as_bytes())]),
        &Names::new(),
        &Templates::default(),
    );
    assert!(all.settings.is_empty());
    assert_eq!(all.not_decoded[0].reason, "more than 16000 settings");
}

#[test]
fn a_long_name_is_not_repeated_in_every_setting() {
    let name = "n".repeat(1 << 16);
    let sections = format!("[{name}]\n{}", "a=b\n".repeat(20_000));
    let elements = format!(
        "<Groups><Group><Properties><{name}>{}</{name}></Properties></Group></Groups>",
        "<b c='d'/>".repeat(20_000)
    );
    let keys = RegistryPol {
        records: vec![record(&name, "v", ValueType::DWORD, &[1, 0, 0, 0])],
    };
    for (path, content) in [
        (TEMPLATE, sections.as_bytes()),
        (
            r"Machine\Preferences\Groups\Groups.xml",
            elements.as_bytes(),
        ),
    ] {
        let all = of_tree(
            &tree(&[(path, content)]),
            &Names::new(),
            &Templates::default(),
        );
        assert!(all.settings.is_empty(), "{path}");
        assert_eq!(all.not_decoded[0].reason, "its settings have too much text");
    }
    assert_eq!(shown(r"Machine\Registry.pol", &keys.to_bytes()).len(), 1);
}

#[test]
fn principals_have_the_names_of_the_snapshot() {
    let guid = "{11111111-2222-3333-4444-555555555555}".parse().unwrap();
    let mut gpo = GpoSnapshot::new(guid, "src.test".parse().unwrap(), "x");
    gpo.tree = tree(&[(
        TEMPLATE,
        b"[Privilege Rights]\nSeDebugPrivilege = *S-1-5-21-1-2-3-1105\n",
    )]);
    gpo.principals = vec![InventoryPrincipal {
        principal: Account::of_domain(
            "S-1-5-21-1-2-3-1105".parse().unwrap(),
            "Support",
            PrincipalType::GlobalGroup,
            "SRC",
            "src.test",
        ),
        from_dacl: false,
    }];
    let setting = &of(&gpo).settings[0];
    assert_eq!(setting.value_text(), r"SRC\Support (S-1-5-21-1-2-3-1105)");
    let json = serde_json::to_value(setting).unwrap();
    assert_eq!(json["extension"], "Security");
    assert_eq!(json["values"][0]["value"][0]["sid"], "S-1-5-21-1-2-3-1105");
    assert_eq!(json["values"][0]["value"][0]["name"], r"SRC\Support");
    assert_eq!(json["place"]["line"], 2);
}

#[test]
fn differences_in_one_line_each() {
    let of = |text: &str| {
        of_tree(
            &tree(&[(TEMPLATE, text.as_bytes())]),
            &Names::new(),
            &Templates::default(),
        )
        .settings
    };
    let old = of(
        "[System Access]\nMinimumPasswordLength = 15\nLockoutBadCount = 5\n\
         [Privilege Rights]\nSeBackupPrivilege = *S-1-5-32-551,*S-1-5-32-544\nSeTcbPrivilege = *S-1-5-32-544\n\
         [Service General Setting]\n\"Spooler\",4,\"D:(A;;GA;;;BA)\"\n",
    );
    let new = of(
        "[Privilege Rights]\nSeTcbPrivilege =\nSeBackupPrivilege = *S-1-5-32-544, *S-1-5-32-551\nSeDebugPrivilege = Guest\n\
         [Service General Setting]\n\"Spooler\",2,\"D:(A;;GA;;;BA)(A;;GR;;;BU)\"\n\
         [System Access]\nMinimumPasswordLength = 4\n",
    );
    let shown: Vec<String> = diff::diff(&old, &new)
        .iter()
        .map(|change| format!("{:?} {}", change.change, change.text()))
        .collect();
    assert_eq!(
        shown,
        [
            "Removed Account lockout threshold: 5 invalid logon attempts",
            "Changed Minimum password length: 15 -> 4 characters",
            "Changed Act as part of the operating system: - Administrators (S-1-5-32-544)",
            "Added Debug programs: \"Guest\"",
            "Changed Spooler: startup: disabled -> automatic; permissions: + allow Users (S-1-5-32-545) Read",
        ]
    );
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_listed(
        bytes: Vec<u8>,
        text in "([\\[\\]=;,\"*a0-9 \n]|S-1-5-32-544|__Members|System Access|Privilege Rights|Registry Keys|CmdLine|Startup){0,40}",
    ) {
        for path in [
            TEMPLATE,
            AUDIT,
            r"Machine\Registry.pol",
            r"User\Scripts\scripts.ini",
            r"User\Scripts\psscripts.ini",
            "GPO.cmt",
            r"User\Preferences\Drives\Drives.xml",
            r"User\Documents & Settings\fdeploy1.ini",
        ] {
            for content in [bytes.as_slice(), text.as_bytes()] {
                let all = of_tree(&tree(&[(path, content)]), &Names::new(), &Templates::default());
                for setting in &all.settings {
                    prop_assert!(!setting.value_text().is_empty());
                }
                prop_assert!(all.not_decoded.len() <= 1);
                prop_assert!(all.not_decoded.is_empty() || all.settings.is_empty());
            }
        }
    }
}

/// A client applies records in order; what is deleted after it is set is not set.
#[test]
fn the_order_of_deletions_in_registry_pol_is_a_difference() {
    let set = || record(r"Software\X", "a", ValueType::DWORD, &[1, 0, 0, 0]);
    let all = || record(r"SOFTWARE\x", "**delvals.", ValueType::SZ, b" \0\0\0");
    let one = || record(r"Software\X", "**del.A", ValueType::SZ, b" \0\0\0");
    let settings = |records: Vec<Record>| {
        let bytes = RegistryPol { records }.to_bytes();
        let tree = tree(&[(r"Machine\Registry.pol", &bytes)]);
        of_tree(&tree, &Names::new(), &Templates::default()).settings
    };
    let (kept, gone) = (settings(vec![all(), set()]), settings(vec![set(), all()]));
    let of_a = |settings: &[Setting]| {
        let mut found = settings.iter().filter(|one| one.name == "a");
        found.next().unwrap().state
    };
    assert_eq!(
        (of_a(&kept), of_a(&gone)),
        (State::Configured, State::Deletes)
    );
    assert_eq!(diff::diff(&kept, &gone).len(), 1);
    assert_ne!(
        diff::diff(&settings(vec![one(), set()]), &settings(vec![set(), one()])),
        []
    );
}

/// Some programs read what follows the first NUL of a text.
#[test]
fn what_follows_a_nul_in_registry_pol_is_a_difference() {
    let settings = |data: &[u8]| {
        let record = record(r"Software\X", "a", ValueType::SZ, data);
        let bytes = RegistryPol {
            records: vec![record],
        }
        .to_bytes();
        let tree = tree(&[(r"Machine\Registry.pol", &bytes)]);
        of_tree(&tree, &Names::new(), &Templates::default()).settings
    };
    let (plain, more) = (settings(b"a\0\0\0"), settings(b"a\0\0\0b\0\0\0"));
    assert_eq!(diff::diff(&plain, &more).len(), 1);
    assert_eq!(more[0].value_text(), "\"a\0b\" (REG_SZ)");
    assert_eq!(diff::diff(&plain, &settings(b"a\0\0\0\0\0")), []);
}

/// T1552.002: the password of an automatic logon is in plain text, wherever it is set.
#[test]
fn passwords_in_the_registry_are_not_shown() {
    let winlogon = r"Software\Microsoft\Windows NT\CurrentVersion\Winlogon";
    let data: Vec<u8> = "S3cret\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let names = ["DefaultPassword", "**soft.defaultpassword"];
    let records = names.map(|name| record(winlogon, name, ValueType::SZ, &data));
    let policy = RegistryPol {
        records: records.to_vec(),
    };
    let template =
        format!("[Registry Values]\r\nMACHINE\\{winlogon}\\DefaultPassword=1,\"S3cret\"\r\n");
    let item = format!(
        "<RegistrySettings clsid='{{1}}'><Registry name='x' uid='{{2}}'><Properties action='U' hive='HKEY_LOCAL_MACHINE' key='{winlogon}' name='DefaultPassword' type='REG_SZ' value='S3cret'/></Registry></RegistrySettings>"
    );
    for (path, content) in [
        (r"Machine\Registry.pol", policy.to_bytes().to_vec()),
        (TEMPLATE, template.into_bytes()),
        (
            r"Machine\Preferences\Registry\Registry.xml",
            item.into_bytes(),
        ),
    ] {
        let tree = tree(&[(path, &content)]);
        let all = of_tree(&tree, &Names::new(), &Templates::default());
        let json = serde_json::to_string(&all.settings).unwrap();
        assert!(json.contains("(not shown)"), "{path}: {json}");
        assert!(!json.contains("S3cret"), "{path}: {json}");
    }
}

/// Printer connections and the like are in the directory, not in files.
#[test]
fn objects_below_a_gpo_have_settings() {
    let attribute = |name: &str, text: &str| DirectoryAttribute {
        name: name.to_owned(),
        values: AttributeValues::String(Some(text.to_owned())),
    };
    let object = |class: &str, attributes| DirectoryObject {
        rdns: vec!["CN=p".to_owned(), "CN=User".to_owned()],
        object_class: class.to_owned(),
        attributes,
        security_descriptor: None,
    };
    let printer = object(
        "msPrint-ConnectionPolicy",
        vec![
            attribute("uNCName", r"\\e\p"),
            attribute("serverName", r"\\e"),
        ],
    );
    let others = [
        "ipsecPolicy",
        "msieee80211-Policy",
        "ms-net-ieee-80211-GroupPolicy",
        "ms-net-ieee-8023-GroupPolicy",
        "container",
        "classStore",
    ]
    .map(|class| object(class, Vec::new()));
    let shown: Vec<String> = software::of_objects(std::iter::once(&printer).chain(&others))
        .map(|one| {
            format!(
                "{} | {}: {}",
                one.extension.name(),
                one.name,
                one.value_text()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"Printer Connections | \\e\p: serverName: "\\e""#,
            "IP Security Policies | CN=p,CN=User: configured",
            "Wireless Network Policies | CN=p,CN=User: configured",
            "Wireless Network Policies | CN=p,CN=User: configured",
            "Wired Network Policies | CN=p,CN=User: configured",
        ]
    );
}
