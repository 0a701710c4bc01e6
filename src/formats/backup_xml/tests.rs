use super::*;
use proptest::prelude::*;

fn file(path: &str, location: Option<&str>) -> FsObject {
    FsObject {
        path: path.to_owned(),
        source_expanded_path: format!("\\\\dc1.src.test\\sysvol\\{path}"),
        location: location.map(str::to_owned),
        ..FsObject::default()
    }
}

fn example() -> BackupXml {
    BackupXml {
        principals: vec![
            InventoryPrincipal {
                principal: Principal::named("NETWORK SERVICE"),
                from_dacl: false,
            },
            InventoryPrincipal {
                principal: Principal::of_domain(
                    "S-1-5-21-1-2-3-512".parse().unwrap(),
                    "Domain Admins",
                    PrincipalType::GlobalGroup,
                    "SRC",
                    "src.test",
                ),
                from_dacl: true,
            },
        ],
        file_paths: vec!["\\\\fs1\\home\\%USERNAME%".to_owned()],
        core: CoreSettings {
            id: "{11111111-2222-3333-4444-555555555555}".to_owned(),
            domain: "src.test".to_owned(),
            security_descriptor: vec![1, 0, 4, 0x9c, 0xff],
            display_name: "A ]]> & <b>".to_owned(),
            options: 3,
            user_version: 65_537,
            machine_version: u32::MAX,
            machine_extensions: "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}]".to_owned(),
            user_extensions: String::new(),
            wmi_filter: "MSFT_SomFilter.ID=\"{x}\",Domain=\"src.test\"".to_owned(),
            wmi_filter_name: Some("W".to_owned()),
        },
        extensions: vec![
            Extension {
                id: "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}".to_owned(),
                description: "Registry".to_owned(),
                entries: vec![
                    Entry::File(file(
                        "%GPO_USER_FSPATH%\\registry.pol",
                        Some("DomainSysvol\\GPO\\User\\registry.pol"),
                    )),
                    Entry::File(file("%GPO_FSPATH%\\Adm\\*.*", None)),
                ],
            },
            Extension {
                id: "{F15C46CD-82A0-4C2D-A210-5D0D3182A418}".to_owned(),
                description: "Unknown Extension".to_owned(),
                entries: vec![Entry::Dir(FsObject {
                    children: vec![Entry::File(file("a & \"b\"", Some("DomainSysvol\\GPO\\a")))],
                    re_evaluate_function: Some("F".to_owned()),
                    ..file("%GPO_FSPATH%\\*", None)
                })],
            },
        ],
    }
}

#[test]
fn an_extension_without_an_id_is_written_once() {
    let mut backup = example();
    if let Some(extension) = backup.extensions.first_mut() {
        extension.id = String::new();
    }
    let bytes = backup.to_gpmc_bytes();
    let read = parse(&bytes).unwrap();
    assert_eq!(read.backup.value.extensions.len(), 2);
    assert_eq!(read.backup.value.to_gpmc_bytes(), bytes);
}

#[test]
fn round_trips_through_the_form_of_gpmc() {
    let bytes = example().to_gpmc_bytes();
    let read = parse(&bytes).unwrap();
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    assert_eq!(read.backup.value, example());
    assert_eq!(read.backup.to_bytes(), bytes);
    assert_eq!(
        read.backup.value.locations(),
        [
            (false, "DomainSysvol\\GPO\\User\\registry.pol"),
            (false, "DomainSysvol\\GPO\\a")
        ]
    );
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("<SecurityDescriptor>01 00 04 9c ff</SecurityDescriptor>"));
    assert!(text.contains("<Group><Sid/><SamAccountName><![CDATA[NETWORK SERVICE]]>"));
    assert!(text.contains("<UserExtensionGuids/>"));
    assert!(text.ends_with("</GroupPolicyObject>\r\n</GroupPolicyBackupScheme>"));
    assert!(!text.replace("\r\n", "").contains('\n'));
}

#[test]
fn reports_values_that_it_cannot_parse() {
    let text = format!(
        "<GroupPolicyBackupScheme xmlns='{NAMESPACE}' xmlns:bkp='{NAMESPACE}'><GroupPolicyObject><SecurityGroups><Group><Sid>x</Sid><Type>Alien</Type></Group></SecurityGroups><GroupPolicyCoreSettings>
<ID>{{g}}</ID><Options>many</Options><SecurityDescriptor>01 0</SecurityDescriptor></GroupPolicyCoreSettings><GroupPolicyExtension bkp:ID='i'><Alien/><DSObject bkp:Path='p'><DSAttributeDWORD bkp:DSAttrName='n'><DSValue>-1</DSValue></DSAttributeDWORD><DSAttributeAlien/></DSObject></GroupPolicyExtension></GroupPolicyObject></GroupPolicyBackupScheme>"
    );
    let read = parse(text.as_bytes()).unwrap();
    assert_eq!(read.problems.len(), 7, "{:?}", read.problems);
    assert_eq!(
        read.problems
            .iter()
            .filter(|problem| problem.line == 1)
            .count(),
        2
    );
    assert_eq!(read.backup.value.core.id, "{g}");
    assert_eq!(read.backup.value.extensions[0].entries.len(), 1);
}

#[test]
fn rejects_other_xml() {
    assert!(parse(b"<a/>").is_err());
    let empty = format!("<GroupPolicyBackupScheme xmlns='{NAMESPACE}'/>");
    assert!(parse(empty.as_bytes()).is_err());
    let deep = format!(
        "<GroupPolicyBackupScheme xmlns='{NAMESPACE}'><GroupPolicyObject><GroupPolicyCoreSettings/><GroupPolicyExtension>{}{}</GroupPolicyExtension></GroupPolicyObject></GroupPolicyBackupScheme>",
        "<FSObjectDir>".repeat(20),
        "</FSObjectDir>".repeat(20)
    );
    assert!(
        parse(deep.as_bytes())
            .unwrap_err()
            .reason
            .contains("too deep")
    );
}

#[test]
fn class_stores_round_trip() {
    use crate::model::directory_object::DirectoryObject;
    let attribute = |name: &str, values| DirectoryAttribute {
        name: name.to_owned(),
        values,
    };
    let rdns = |names: &[&str]| names.iter().map(|name| format!("CN={name}")).collect();
    let string = |text: &str| AttributeValues::String(Some(text.to_owned()));
    let objects = vec![
        DirectoryObject {
            rdns: rdns(&["Class Store", "User"]),
            object_class: "classStore".to_owned(),
            attributes: vec![
                attribute("appSchemaVersion", AttributeValues::Dword(Some(1740))),
                attribute("displayName", string("LDAP://CN={G},DC=src,DC=test")),
            ],
            security_descriptor: None,
        },
        DirectoryObject {
            rdns: rdns(&["Packages", "Class Store", "User"]),
            object_class: "classStore".to_owned(),
            ..DirectoryObject::default()
        },
        DirectoryObject {
            rdns: rdns(&["e675d6ec\\, x", "Packages", "Class Store", "User"]),
            object_class: "packageRegistration".to_owned(),
            attributes: vec![
                attribute("objectGUID", AttributeValues::Binary(vec![vec![1; 16]])),
                attribute("localeID", AttributeValues::MultiDword(vec![1033, 0])),
                attribute("msiScriptPath", string("\\\\src.test\\sysvol\\x\\{P}.aas")),
                attribute(
                    "msiFileList",
                    AttributeValues::MultiString(vec![
                        "0:\\\\fs1\\a.msi".to_owned(),
                        "1:x".to_owned(),
                    ]),
                ),
            ],
            security_descriptor: Some(vec![1, 0, 4, 0x8c]),
        },
    ];
    assert!(objects.iter().all(is_in_class_store));
    let paths = DsPaths {
        gpo_dn: "cn={g},DC=src,DC=test",
        script: &|half, name| Some(Entry::File(file(&format!("{half}/{name}"), Some("l")))),
    };
    assert!(class_store(&objects, "Machine", &paths).is_none());
    let entry = class_store(&objects, "User", &paths).unwrap();
    let mut backup = example();
    backup.extensions.push(Extension {
        id: "{c6dc5466-785a-11d2-84d0-00c04fb169f7}".to_owned(),
        description: "Software Installation".to_owned(),
        entries: vec![entry],
    });
    let bytes = backup.to_gpmc_bytes();
    let read = parse(&bytes).unwrap();
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let mut expected = objects;
    expected[0].attributes[1].values =
        AttributeValues::ExpandedString(Some("LDAP://%GPO_DSPATH%".to_owned()));
    assert_eq!(read_objects(&read.backup.value.extensions), expected);
    assert!(
        String::from_utf8(bytes)
            .unwrap()
            .contains("bkp:Path=\"User/{P}.aas\"")
    );
}

proptest! {
    #[test]
    fn damaged_files_are_rejected_or_parsed(at in 0_usize..3000, byte in any::<u8>(), cut in 0_usize..3500) {
        let mut bytes = example().to_gpmc_bytes();
        if let Some(place) = bytes.get_mut(at) { *place = byte; }
        bytes.truncate(cut);
        if let Ok(read) = parse(&bytes) {
            prop_assert_eq!(read.backup.to_bytes(), bytes);
            let _ = read_objects(&read.backup.value.extensions);
        }
    }
}
