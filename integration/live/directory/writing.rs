//! Writing: each case uses its own GPO, or is refused.

use gpoctl::ErrorKind;
use gpoctl::directory::{DirectoryWriter, GpoChange};
use gpoctl::model::allowed_object::AllowedObject;
use gpoctl::model::directory_object::{AttributeValues, DirectoryAttribute, DirectoryObject};
use gpoctl::model::extension_list::ExtensionList;
use gpoctl::model::guid::Guid;
use gpoctl::model::version::GpoVersion;

use super::lab::{DST, SRC};

/// The objects of a class store with one package that uses what a signed integer cannot hold.
fn class_store(domain: &str) -> Vec<DirectoryObject> {
    let text = |name: &str, value: &str| DirectoryAttribute {
        name: name.to_owned(),
        values: AttributeValues::String(Some(value.to_owned())),
    };
    let number = |name: &str, value: u32| DirectoryAttribute {
        name: name.to_owned(),
        values: AttributeValues::Dword(Some(value)),
    };
    let object = |rdns: &[&str], class: &str, attributes| DirectoryObject {
        rdns: rdns.iter().map(|rdn| (*rdn).to_owned()).collect(),
        object_class: class.to_owned(),
        attributes,
        security_descriptor: None,
    };
    vec![
        object(
            &["CN=Class Store", "CN=Machine"],
            "classStore",
            vec![
                number("appSchemaVersion", 1740),
                text("description", "Application Store"),
                DirectoryAttribute {
                    name: "displayName".to_owned(),
                    values: AttributeValues::ExpandedString(Some("LDAP://%GPO_DSPATH%".to_owned())),
                },
            ],
        ),
        object(
            &["CN=Packages", "CN=Class Store", "CN=Machine"],
            "classStore",
            vec![text("description", "Application Packages")],
        ),
        object(
            &[
                "CN=e675d6ec-baaf-4472-9053-c9b114ce5f04",
                "CN=Packages",
                "CN=Class Store",
                "CN=Machine",
            ],
            "packageRegistration",
            vec![
                number("packageFlags", 2_684_505_200),
                text("packageName", "A package, with = and +"),
                DirectoryAttribute {
                    name: "msiFileList".to_owned(),
                    values: AttributeValues::MultiString(vec![format!(
                        "0:\\\\fs1.{domain}\\soft\\a.msi"
                    )]),
                },
                DirectoryAttribute {
                    name: "machineArchitecture".to_owned(),
                    values: AttributeValues::MultiDword(vec![0x0900_0502, 0xF000_0000]),
                },
                DirectoryAttribute {
                    name: "productCode".to_owned(),
                    values: AttributeValues::Binary(vec![vec![0xfe, 0, 0x75, 0xff]]),
                },
                // Far above the size of one sealed buffer, in both directions.
                DirectoryAttribute {
                    name: "msiScript".to_owned(),
                    values: AttributeValues::Binary(vec![
                        (0..1_200_000_u32)
                            .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
                            .collect(),
                    ]),
                },
                DirectoryAttribute {
                    name: "url".to_owned(),
                    values: AttributeValues::MultiString(Vec::new()),
                },
            ],
        ),
    ]
}

live! {
    async fn a_gpo_is_created_changed_and_deleted() {
        let writer = DST.connect_writer().await;
        let directory = writer.directory();
        let guid = Guid::new_random();
        let name = format!("live test *)(cn=* {}", guid.bare());
        writer.create_gpo(guid, &name).await.unwrap();
        let outcome = tokio::spawn({
            let writer = writer.clone();
            let name = name.clone();
            async move { change(writer, guid, &name).await }
        })
        .await;
        writer.delete_gpo(guid).await.unwrap();
        assert_eq!(directory.gpo(guid).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(writer.delete_gpo(guid).await.unwrap_err().kind(), ErrorKind::NotFound);
        outcome.unwrap();
    }
}

async fn change(writer: DirectoryWriter, guid: Guid, name: &str) {
    let directory = writer.directory();
    let fresh = directory.find_gpo(name).await.unwrap();
    assert_eq!(fresh.guid, guid);
    assert_eq!(fresh.version, Some(GpoVersion::default()));
    assert_eq!(fresh.flags, Some(0));
    assert_eq!(fresh.functionality_version, Some(2));
    assert_eq!(fresh.path_mismatch(&directory.info().dns_domain), None);
    assert!(fresh.machine_extensions.is_empty());
    let again = writer.create_gpo(guid, name).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict, "{again}");

    // A version above 31 bits, extension lists and flags in one modify.
    let list = ExtensionList::new(
        "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]",
    );
    let high = GpoVersion::from_combined(0x8001_0002);
    let change = GpoChange {
        version: Some((fresh.version, high)),
        flags: Some(1),
        machine_extensions: Some(list.clone()),
        user_extensions: Some(ExtensionList::default()),
        wmi_filter: Some(Some(
            "[dst.test;{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01};0]".to_owned(),
        )),
        ..GpoChange::default()
    };
    writer.modify_gpo(guid, &change).await.unwrap();
    let now = directory.gpo(guid).await.unwrap();
    assert_eq!((now.version, now.flags), (Some(high), Some(1)));
    assert_eq!(now.machine_extensions, list);
    assert!(now.user_extensions.is_empty() && now.wmi_filter.is_some());

    // The same again is stale, and nothing of it is written.
    let stale = GpoChange {
        flags: Some(3),
        ..change.clone()
    };
    let error = writer.modify_gpo(guid, &stale).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("changed since"), "{error}");
    let absent = GpoChange {
        version: Some((None, high.next())),
        ..GpoChange::default()
    };
    let error = writer.modify_gpo(guid, &absent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(directory.gpo(guid).await.unwrap(), now);

    // Two at once: exactly one succeeds.
    let racing = GpoChange {
        version: Some((Some(high), high.next())),
        ..GpoChange::default()
    };
    let other = writer.clone();
    let (first, second) = tokio::join!(
        writer.modify_gpo(guid, &racing),
        other.modify_gpo(guid, &racing)
    );
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");

    // Removing, when present and when absent.
    let bare = GpoChange {
        machine_extensions: Some(ExtensionList::new(" ")),
        user_extensions: Some(ExtensionList::default()),
        wmi_filter: Some(None),
        display_name: Some(format!("{name} renamed")),
        ..GpoChange::default()
    };
    writer.modify_gpo(guid, &bare).await.unwrap();
    writer.modify_gpo(guid, &bare).await.unwrap();
    let now = directory.gpo(guid).await.unwrap();
    assert!(now.machine_extensions.is_empty() && now.wmi_filter.is_none());
    assert!(now.display_name.ends_with(" renamed"));

    // The descriptor: written back and read again.
    writer
        .set_security_descriptor(guid, &now.security_descriptor, 7)
        .await
        .unwrap();
    let after = directory.gpo(guid).await.unwrap();
    assert_eq!(after.security_descriptor, now.security_descriptor);

    // The class store: written, read, deleted.
    let objects = class_store("dst.test");
    let objects = AllowedObject::all(&objects).unwrap();
    for object in &objects {
        writer.add_child(guid, object).await.unwrap();
    }
    let error = writer.add_child(guid, &objects[0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let read = directory.children(guid).await.unwrap();
    assert_eq!(read.len(), 3);
    for (wanted, got) in objects.iter().zip(&read) {
        assert_eq!(wanted.rdns, got.rdns);
        assert_eq!(wanted.object_class, got.object_class);
        assert!(got.security_descriptor.is_some());
        for attribute in &wanted.attributes {
            let same = got.attributes.iter().find(|one| one.name == attribute.name);
            let (mut a, mut b) = (attribute.values.clone(), same.unwrap().values.clone());
            // The server keeps no order of the values of an attribute.
            for values in [&mut a, &mut b] {
                if let AttributeValues::MultiDword(numbers) = values {
                    numbers.sort_unstable();
                }
            }
            assert_eq!(a, b, "{}", attribute.name);
        }
    }
    let below: Vec<&DirectoryObject> = read.iter().collect();
    writer.delete_children(guid, &below).await.unwrap();
    assert!(directory.children(guid).await.unwrap().is_empty());
    // Read with their descriptors, written unchanged, and left for the deletion of the GPO.
    for object in &AllowedObject::all(&read).unwrap() {
        writer.add_child(guid, object).await.unwrap();
    }
    assert_eq!(directory.children(guid).await.unwrap().len(), 3);
}

live! {
    async fn a_write_without_the_right_is_denied() {
        let writer = DirectoryWriter::connect(&SRC.editor_settings()).await.unwrap();
        let locked = writer.directory().find_gpo("Default Domain Policy").await.unwrap();
        let error = writer
            .modify_gpo(locked.guid, &GpoChange { flags: locked.flags, ..GpoChange::default() })
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        let error = writer.delete_gpo(locked.guid).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        let error = writer.create_gpo(Guid::new_random(), "not allowed").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        let error = SRC.connect_writer().await.delete_gpo(locked.guid).await.unwrap_err();
        assert!(error.message().contains("default GPO"), "{error}");
    }
}

live! {
    async fn links_are_swapped_only_when_unchanged() {
        let writer = DST.connect_writer().await;
        let directory = writer.directory();
        let som = directory.info().base.child("OU", "Staff").unwrap();
        let before = directory.som(&som).await.unwrap();
        let old = before.gp_link.as_deref();
        let error = writer
            .set_gp_link(&som, Some("[LDAP://CN=never;0]"), Some("[LDAP://CN=x;0]"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert_eq!(directory.som(&som).await.unwrap().gp_link.as_deref(), old);
    }
}
