//! `gpreport.xml`: the settings report beside a backup, which GPMC shows and never imports.
//!
//! Contains the identity of the GPO, its times, versions, state, permissions and links, and of its settings those for
//! security, registry values and scripts. Unknown information, such as the name of a registry value in an
//! administrative template, is left out rather than guessed.

mod permissions;
mod security;
mod settings;
mod xml;

use self::xml::{Report, TYPES};
use super::gpt_tmpl::GptTmpl;
use super::registry_pol::RegistryPol;
use super::scripts::Scripts;
use crate::model::backup_context::{BackupContext, LinkRecord};
use crate::model::directory_object::AttributeValues;
use crate::model::dn::Dn;
use crate::model::generalized_time::generalized_time;
use crate::model::grant::SecuredObject;
use crate::model::sddl::to_sddl_in;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::snapshot::GpoSnapshot;

const SETTINGS: &str = "http://www.microsoft.com/GroupPolicy/Settings";

/// The report of a snapshot that was read at `now` (`YYYY-MM-DDTHH:MM:SS`, UTC): UTF-16LE with byte order mark, CR LF, no
/// line end after the root element.
pub fn write(snapshot: &GpoSnapshot, context: &BackupContext, now: &str) -> Vec<u8> {
    let mut report = Report::new(snapshot);
    report.open(&format!(
        "GPO xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"{SETTINGS}\""
    ));
    report.open("Identifier");
    report.leaf(
        &format!("Identifier xmlns=\"{TYPES}\""),
        &snapshot.guid.to_string(),
    );
    report.leaf(
        &format!("Domain xmlns=\"{TYPES}\""),
        snapshot.domain.as_str(),
    );
    report.close();
    report.leaf("Name", &snapshot.display_name);
    report.flag("IncludeComments", true);
    for (tag, time) in [
        ("CreatedTime", &context.when_created),
        ("ModifiedTime", &context.when_changed),
    ] {
        if let Some(time) = generalized_time(time) {
            report.leaf(tag, &time);
        }
    }
    report.leaf("ReadTime", &format!("{now}Z"));
    if let Ok(mut descriptor) = SecurityDescriptor::parse(&snapshot.security_descriptor)
        && descriptor.dacl.is_some()
    {
        // Backup.xml has neither; the report has both.
        descriptor.owner = descriptor.owner.or_else(|| context.owner.clone());
        descriptor.group = descriptor.group.or_else(|| context.group.clone());
        report.open("SecurityDescriptor");
        let sddl = to_sddl_in(&descriptor, report.domain());
        permissions::descriptor(&mut report, &descriptor, &sddl, SecuredObject::Gpo);
        report.close();
    }
    filter(&mut report, snapshot, context);
    let directory = snapshot.directory_version;
    let sysvol = snapshot.sysvol_version.unwrap_or_default();
    for (half, folder, directory, sysvol, off) in [
        ("Computer", "Machine", directory.machine, sysvol.machine, 2),
        ("User", "User", directory.user, sysvol.user, 1),
    ] {
        report.open(half);
        report.leaf("VersionDirectory", &directory.to_string());
        report.leaf("VersionSysvol", &sysvol.to_string());
        report.flag("Enabled", snapshot.flags & off == 0);
        extensions(&mut report, snapshot, folder);
        report.close();
    }
    for link in context.links.iter().flatten() {
        links_to(&mut report, link);
    }
    report.finish()
}

/// The WMI filter.
fn filter(report: &mut Report, snapshot: &GpoSnapshot, context: &BackupContext) {
    let name = snapshot.wmi_filter.as_ref().and_then(|f| f.name.as_deref());
    report.flag(
        "FilterDataAvailable",
        snapshot.wmi_filter.is_none() || name.is_some(),
    );
    let Some(name) = name else { return };
    report.leaf("FilterName", name);
    let description = context.wmi_filter.as_ref().and_then(|filter| {
        let mut attributes = filter.attributes.iter();
        let found = attributes.find(|a| a.name.eq_ignore_ascii_case("msWMI-Parm1"))?;
        match &found.values {
            AttributeValues::String(text) => text.clone(),
            _ => None,
        }
    });
    if let Some(description) = description {
        report.leaf("FilterDescription", &description);
    }
}

/// The extensions of the computer or the user configuration. A file that cannot be parsed has none.
fn extensions(report: &mut Report, snapshot: &GpoSnapshot, half: &str) {
    let tree = &snapshot.tree;
    let file = |path: &str| tree.file(&format!("{half}/{path}"));
    let template = file("Microsoft/Windows NT/SecEdit/GptTmpl.inf")
        .and_then(|bytes| GptTmpl::parse(bytes).ok());
    if let Some(template) = template {
        extension(report, "Security", "SecuritySettings", |report| {
            security::write(report, &template);
        });
    }
    let policy = file("Registry.pol").and_then(|bytes| RegistryPol::parse(bytes).ok());
    if let Some(policy) = policy.filter(|policy| !policy.records.is_empty()) {
        extension(report, "Registry", "RegistrySettings", |report| {
            settings::registry(report, &policy);
        });
    }
    let scripts: Vec<Scripts> = ["Scripts/scripts.ini", "Scripts/psscripts.ini"]
        .into_iter()
        .filter_map(|path| Scripts::parse(file(path)?).ok())
        .collect();
    if scripts.iter().any(|file| file.scripts().next().is_some()) {
        extension(report, "Scripts", "Scripts", |report| {
            settings::scripts(report, &scripts);
        });
    }
}

/// Writes an extension, whose namespace ends in its name.
fn extension(report: &mut Report, name: &str, kind: &str, content: impl FnOnce(&mut Report)) {
    report.open("ExtensionData");
    report.open(&format!(
        "Extension xmlns:q1=\"{SETTINGS}/{name}\" xsi:type=\"q1:{kind}\""
    ));
    content(report);
    report.close();
    report.leaf("Name", name);
    report.close();
}

/// Writes a link. The path is built from the target's DN: the domain's DNS name, then the containers from top to
/// bottom. The name is the value of the first RDN; for a domain, its first label. Text that is not a DN is used
/// unchanged for both.
fn links_to(report: &mut Report, link: &LinkRecord) {
    let (name, path) = match Dn::parse(&link.target) {
        Ok(dn) => {
            let folders = dn
                .rdns()
                .iter()
                .rev()
                .filter(|rdn| !rdn.attribute.eq_ignore_ascii_case("DC"));
            let path = std::iter::once(dn.dns_domain())
                .chain(folders.map(|rdn| rdn.value.clone()))
                .collect::<Vec<_>>()
                .join("/");
            let first = dn.rdns().first();
            (first.map_or(String::new(), |rdn| rdn.value.clone()), path)
        }
        Err(_) => (link.target.clone(), link.target.clone()),
    };
    report.open("LinksTo");
    report.leaf("SOMName", &name);
    report.leaf("SOMPath", &path);
    report.flag("Enabled", !link.disabled);
    report.flag("NoOverride", link.enforced);
    report.close();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::registry_pol::{Record, ValueType, utf16_bytes};
    use crate::formats::xml_tree;
    use crate::model::principal::{Principal, PrincipalType};
    use crate::model::sddl::from_sddl;
    use crate::model::snapshot::InventoryPrincipal;
    use crate::model::version::GpoVersion;

    fn snapshot() -> GpoSnapshot {
        GpoSnapshot {
            guid: "{11111111-2222-3333-4444-555555555555}".parse().unwrap(),
            domain: "src.test".parse().unwrap(),
            domain_guid: None,
            domain_controller: "dc1.src.test".to_owned(),
            display_name: "A & <b>".to_owned(),
            flags: 1,
            directory_version: GpoVersion {
                user: 1,
                machine: 2,
            },
            sysvol_version: Some(GpoVersion {
                user: 3,
                machine: 4,
            }),
            machine_extensions: Default::default(),
            user_extensions: Default::default(),
            wmi_filter: None,
            security_descriptor: Vec::new(),
            tree: Default::default(),
            directory_objects: Vec::new(),
            principals: Vec::new(),
            file_paths: Vec::new(),
            messages: Vec::new(),
        }
    }

    #[test]
    fn reports_the_content_of_the_snapshot() {
        let bytes = write(
            &snapshot(),
            &BackupContext::default(),
            "2024-02-03T04:05:06",
        );
        assert_eq!(bytes[..4], [0xFF, 0xFE, b'<', 0]);
        let root = xml_tree::parse(&bytes).unwrap();
        assert_eq!(
            (root.name.as_str(), root.namespace.as_str()),
            ("GPO", SETTINGS)
        );
        assert_eq!(root.child_text("Name"), "A & <b>");
        assert_eq!(root.child_text("ReadTime"), "2024-02-03T04:05:06Z");
        let user = root.named("User").next().unwrap();
        assert_eq!(user.child_text("VersionSysvol"), "3");
        assert_eq!(user.child_text("Enabled"), "false");
        let computer = root.named("Computer").next().unwrap();
        assert_eq!(computer.child_text("VersionDirectory"), "2");
        assert_eq!(computer.child_text("Enabled"), "true");
    }

    #[test]
    fn accounts_of_its_domain_have_their_aliases() {
        let mut snapshot = snapshot();
        let sid = "S-1-5-21-1-2-3".parse().unwrap();
        let descriptor = from_sddl("D:P(A;;RP;;;DA)(A;;RP;;;EA)", Some(&sid)).unwrap();
        snapshot.security_descriptor = descriptor.to_bytes().unwrap();
        snapshot.principals = [
            ("S-1-5-21-9-9-9-519", "root.test"),
            ("S-1-5-21-1-2-3-512", "SRC.test"),
        ]
        .map(|(sid, domain)| InventoryPrincipal {
            principal: Principal::of_domain(
                sid.parse().unwrap(),
                "Admins",
                PrincipalType::GlobalGroup,
                "X",
                domain,
            ),
            from_dacl: true,
        })
        .into();
        let bytes = write(&snapshot, &BackupContext::default(), "2024-02-03T04:05:06");
        let root = xml_tree::parse(&bytes).unwrap();
        let descriptor = root.named("SecurityDescriptor").next().unwrap();
        let sddl = descriptor.elements().find(|e| e.name == "SDDL").unwrap();
        assert_eq!(sddl.text(), "D:P(A;;RP;;;DA)(A;;RP;;;S-1-5-21-1-2-3-519)");
    }

    fn with_files(files: &[(&str, &[u8])]) -> GpoSnapshot {
        let mut snapshot = snapshot();
        for (path, bytes) in files {
            let content = bytes::Bytes::copy_from_slice(bytes);
            snapshot.tree.insert_file(&path.parse().unwrap(), content);
        }
        snapshot
    }

    #[test]
    fn settings_links_and_times() {
        let mut pol = b"PReg\x01\0\0\0".to_vec();
        let wide =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        for (name, kind, data) in [
            ("Value", 1_u32, wide("a\0")),
            ("Number", 4, vec![7, 0, 0, 0]),
            ("**del.Old", 1, wide(" \0")),
        ] {
            pol.extend(wide("[Software\\Policies\\X\0;"));
            pol.extend(wide(name));
            pol.extend(wide("\0;"));
            pol.extend(kind.to_le_bytes());
            pol.extend(wide(";"));
            pol.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            pol.extend(wide(";"));
            pol.extend(data);
            pol.extend(wide("]"));
        }
        let inf = "[Unicode]\r\nUnicode=yes\r\n[Registry Values]\r\nMACHINE\\X\\Y=4,1\r\n[System Access]\r\nMinimumPasswordLength = 14\r\n\
                   PasswordComplexity = 1\r\n[Event Audit]\r\nAuditLogonEvents = 3\r\n\
                   [Privilege Rights]\r\nSeBackupPrivilege = *S-1-5-32-551,Guest\r\n\
                   [Registry Keys]\r\n\"MACHINE\\X\",0,\"D:PAR(A;CI;KA;;;BA)\"\r\n";
        let snapshot = with_files(&[
            ("Machine/Registry.pol", &pol),
            (
                "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf",
                inf.as_bytes(),
            ),
            (
                "User/Scripts/scripts.ini",
                b"[Logon]\r\n0CmdLine=a.cmd\r\n0Parameters=-x\r\n",
            ),
        ]);
        let office = LinkRecord {
            target: "OU=Sales\\, West \\3D \\C3\\9Cber,OU=Offices,DC=src,DC=test".to_owned(),
            order: 1,
            enforced: true,
            disabled: false,
            options: 2,
            blocks_inheritance: false,
        };
        let domain = LinkRecord {
            target: "DC=src,DC=test".to_owned(),
            enforced: false,
            disabled: true,
            ..office.clone()
        };
        let no_dn = LinkRecord {
            target: "not a DN".to_owned(),
            ..office.clone()
        };
        let context = BackupContext {
            links: Some(vec![office, domain, no_dn]),
            when_created: "20240102030405.0Z".to_owned(),
            ..BackupContext::default()
        };
        let bytes = write(&snapshot, &context, "2024-02-03T04:05:06");
        let root = xml_tree::parse(&bytes).unwrap();
        assert_eq!(root.child_text("CreatedTime"), "2024-01-02T03:04:05");
        let link = root.named("LinksTo").next().unwrap();
        assert_eq!(link.child_text("SOMName"), "Sales, West = Über");
        assert_eq!(
            link.child_text("SOMPath"),
            "src.test/Offices/Sales, West = Über"
        );
        assert_eq!(link.child_text("NoOverride"), "true");
        let link = root.named("LinksTo").nth(1).unwrap();
        assert_eq!(link.child_text("SOMName"), "src");
        assert_eq!(link.child_text("SOMPath"), "src.test");
        assert_eq!(link.child_text("Enabled"), "false");
        let link = root.named("LinksTo").nth(2).unwrap();
        assert_eq!(link.child_text("SOMName"), "not a DN");
        assert_eq!(link.child_text("SOMPath"), "not a DN");
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        let text = String::from_utf16(&units).unwrap();
        // In GPMC's order, which is not the template's.
        let places: Vec<_> = [
            "Account",
            "Audit",
            "UserRightsAssignment",
            "SecurityOptions",
            "Registry",
        ]
        .map(|kind| text.find(&format!("<q1:{kind}>")).unwrap())
        .into();
        assert!(places.is_sorted(), "{places:?}\n{text}");
        for part in [
            "<Extension xmlns:q1=\"http://www.microsoft.com/GroupPolicy/Settings/Security\" xsi:type=\"q1:SecuritySettings\">",
            "<q1:Name>MinimumPasswordLength</q1:Name>\r\n          <q1:SettingNumber>14</q1:SettingNumber>\r\n          <q1:Type>Password</q1:Type>",
            "<q1:SettingBoolean>true</q1:SettingBoolean>",
            "<q1:SuccessAttempts>true</q1:SuccessAttempts>",
            ">S-1-5-32-551</SID>",
            ">BUILTIN\\Backup Operators</Name>",
            ">Guest</Name>",
            ">D:PAR(A;CI;KA;;;BA)</SDDL>",
            "<RegistryGroupedAccessEnum>Full Control</RegistryGroupedAccessEnum>",
            "<q1:KeyPath>Software\\Policies\\X</q1:KeyPath>",
            "<q1:String>a</q1:String>",
            "<q1:Number>7</q1:Number>",
            "<q1:Command>**del.Old</q1:Command>",
            "<q1:Command>a.cmd</q1:Command>\r\n          <q1:Parameters>-x</q1:Parameters>\r\n          <q1:Type>Logon</q1:Type>",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn passwords_of_the_registry_are_not_written() {
        let record = Record {
            key: utf16_bytes(r"Software\Winlogon"),
            value_name: utf16_bytes("DefaultPassword"),
            value_type: ValueType::SZ,
            data: utf16_bytes("S3cret\0"),
        };
        let policy = RegistryPol {
            records: vec![record],
        };
        let template = "[Registry Values]\r\nMACHINE\\A\\DefaultPassword=1,\"S3cret\"\r\nMACHINE\\B\\DefaultPassword=7,S3cret,x\r\n\
                        MACHINE\\C\\defaultpassword=4,S3cret\r\n";
        let snapshot = with_files(&[
            ("Machine/Registry.pol", &policy.to_bytes()),
            (
                "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf",
                template.as_bytes(),
            ),
        ]);
        let bytes = write(&snapshot, &BackupContext::default(), "2024-02-03T04:05:06");
        let text = crate::formats::text::decode(&bytes).unwrap().1;
        assert!(!text.contains("S3cret"), "{text}");
        let hidden = "<q1:SettingString>(not shown)</q1:SettingString>";
        assert_eq!(text.matches(hidden).count(), 3, "{text}");
        let hidden = "<q1:String>(not shown)</q1:String>";
        assert_eq!(text.matches(hidden).count(), 1, "{text}");
    }

    proptest! {
        #[test]
        fn any_content_gives_well_formed_xml(
            name in ".*",
            inf in "(\\[(Privilege Rights|Registry Values|System Access|File Security|Group Membership)\\]|[^\\[]{0,30}[=,][^\\[]{0,30}|\\PC{0,20})(\r\n.{0,60}){0,8}",
            link in "(OU=.{0,12},){0,3}DC=x",
            key in "[\\x00-\\x{ffff}]{0,20}",
            time in ".{0,16}",
        ) {
            let mut pol = b"PReg\x01\0\0\0".to_vec();
            let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
            pol.extend(wide(&format!("[{key}\0;{key}\0;")));
            pol.extend(1_u32.to_le_bytes());
            pol.extend(wide(";"));
            let data = wide(&key);
            pol.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            pol.extend(wide(";"));
            pol.extend(data);
            pol.extend(wide("]"));
            let mut snapshot = with_files(&[
                ("Machine/Registry.pol", &pol),
                ("User/Registry.pol", key.as_bytes()),
                ("Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf", inf.as_bytes()),
                ("Machine/Scripts/scripts.ini", inf.as_bytes()),
            ]);
            snapshot.display_name = name.clone();
            let context = BackupContext {
                links: Some(vec![LinkRecord {
                    target: link,
                    order: 1,
                    enforced: false,
                    disabled: false,
                    options: 0,
                    blocks_inheritance: false,
                }]),
                when_created: time,
                ..BackupContext::default()
            };
            let root = xml_tree::parse(&write(&snapshot, &context, "2024-02-03T04:05:06"));
            prop_assert!(root.is_ok(), "{:?}", root.err());
        }
    }
}
