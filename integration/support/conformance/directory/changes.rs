//! Additions, modifications and deletions: what is done as a whole, and what is refused.

use gpoctl::domain::ldap::Modification;
use gpoctl::model::dn::Dn;

use super::{Case, Ports, add, bytes, class, code, one, read, remove, replace};

pub async fn a_new_gpo(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let entry = read(&*ports.admin, Some(&case.gpo), &["*"]).await.unwrap();
    let text = |name: &str| entry.text(name).unwrap();
    assert_eq!(
        entry.texts("objectClass"),
        ["top", "container", "groupPolicyContainer"]
    );
    assert_eq!(text("cn"), case.guid.to_string());
    assert_eq!(text("name"), case.guid.to_string());
    assert_eq!(text("instanceType"), "4");
    assert_eq!(text("showInAdvancedViewOnly"), "TRUE");
    let schema = case.base.cn("Configuration").cn("Schema");
    let category = Dn::parse(&text("objectCategory")).unwrap();
    assert_eq!(category, schema.cn("Group-Policy-Container"));
    assert_eq!(Dn::parse(&text("distinguishedName")).unwrap(), case.gpo);
    assert_eq!(entry.bytes("objectGUID").unwrap().len(), 16);
    for time in ["whenCreated", "whenChanged"] {
        let time = text(time);
        assert!(time.len() == 17 && time.ends_with(".0Z"), "{time}");
    }
    let usn = |name: &str| text(name).parse::<u64>().unwrap();
    assert!(usn("uSNChanged") >= usn("uSNCreated"));
    let before = usn("uSNChanged");
    let change = vec![replace("flags", &["3"])];
    ports.admin.modify(&case.gpo, change, None).await.unwrap();
    let entry = read(&*ports.admin, Some(&case.gpo), &["uSNChanged", "flags"])
        .await
        .unwrap();
    assert!(entry.text("uSNChanged").unwrap().parse::<u64>().unwrap() > before);
    assert_eq!(entry.text("flags").unwrap(), "3");
    case.remove(ports).await;
}

pub async fn additions_that_are_refused(ports: &Ports) {
    let case = Case::new(ports).await;
    let port = &ports.admin;
    let container = || vec![class("container")];
    let with = |name: &str, value: &str| vec![class("container"), one(name, value)];
    // Without its parent.
    assert_eq!(
        code(port.add(&case.gpo.cn("User"), container(), None).await),
        32
    );
    case.add_gpo(ports).await;
    assert_eq!(
        code(port.add(&case.gpo, case.gpo_attributes(), None).await),
        68
    );
    let new = case.gpo.cn("new");
    let two = ("description".to_owned(), bytes(&["a", "b"]));
    let two_numbers = ("flags".to_owned(), bytes(&["1", "2"]));
    for (attributes, expected) in [
        (vec![one("description", "no class")], 65),
        (vec![class("noSuchClass")], 16),
        (vec![class("top")], 53),
        (with("noSuchAttribute", "x"), 16),
        (with("gPCFileSysPath", "x"), 65),
        (with("flags", "no number"), 21),
        (vec![class("container"), two_numbers], 19),
        (vec![class("container"), two], 0),
    ] {
        let shown = format!("{attributes:?}");
        assert_eq!(
            code(port.add(&new, attributes, None).await),
            expected,
            "{shown}"
        );
    }
    // The name has to be of the class, and the class may be below that of the parent.
    let ou = case.gpo.child("OU", "x").unwrap();
    assert_eq!(code(port.add(&ou, container(), None).await), 64);
    assert_eq!(
        code(port.add(&ou, vec![class("organizationalUnit")], None).await),
        64
    );
    let kept = read(&*ports.admin, Some(&ou), &["cn"]).await;
    assert!(kept.is_none());
    case.remove(ports).await;
}

pub async fn swaps(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let modify =
        async |changes: Vec<Modification>| code(ports.admin.modify(&case.gpo, changes, None).await);
    let swap = |old: &str, new: &str| {
        vec![
            remove("versionNumber", &[old]),
            add("versionNumber", &[new]),
        ]
    };
    assert_eq!(modify(swap("0", "65537")).await, 0);
    assert_eq!(modify(swap("0", "1")).await, 16);
    assert_eq!(modify(swap("65537", "-2147483647")).await, 0);
    // Not a number as the directory writes it.
    assert_eq!(modify(swap("-02147483647", "1")).await, 21);
    assert_eq!(modify(swap("-2147483647", "1")).await, 0);
    // Of an attribute with one value at most: there is one already, the same or another.
    assert_eq!(modify(vec![add("versionNumber", &["1"])]).await, 20);
    assert_eq!(modify(vec![add("versionNumber", &["2"])]).await, 20);
    // Absent: nothing to delete, and an addition is the swap.
    assert_eq!(modify(vec![remove("gPCWQLFilter", &["x"])]).await, 16);
    assert_eq!(modify(vec![remove("gPCWQLFilter", &[])]).await, 16);
    assert_eq!(modify(vec![add("gPCWQLFilter", &["[A;B;0]"])]).await, 0);
    assert_eq!(modify(vec![remove("gPCWQLFilter", &["[a;b;0]"])]).await, 0);
    assert_eq!(modify(vec![remove("gPCWQLFilter", &["[A;B;0]"])]).await, 16);
    let entry = read(
        &*ports.admin,
        Some(&case.gpo),
        &["versionNumber", "gPCWQLFilter"],
    )
    .await
    .unwrap();
    assert_eq!(
        entry.attributes,
        [("versionNumber".to_owned(), bytes(&["1"]))]
    );
    case.remove(ports).await;
}

pub async fn a_modify_is_done_as_a_whole(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let modify =
        async |changes: Vec<Modification>| code(ports.admin.modify(&case.gpo, changes, None).await);
    let attributes = ["flags", "versionNumber", "displayName"];
    let before = read(&*ports.admin, Some(&case.gpo), &attributes)
        .await
        .unwrap();
    let stale = vec![
        replace("flags", &["3"]),
        replace("displayName", &["taken"]),
        remove("versionNumber", &["7"]),
        add("versionNumber", &["8"]),
    ];
    assert_eq!(modify(stale).await, 16);
    let after = read(&*ports.admin, Some(&case.gpo), &attributes)
        .await
        .unwrap();
    for name in attributes {
        assert_eq!(after.values(name), before.values(name));
    }
    // In their order.
    let fits = vec![
        replace("flags", &["3"]),
        replace("flags", &["1"]),
        replace("gPCMachineExtensionNames", &[]),
        add("description", &["a", "b"]),
        remove("description", &["a"]),
        remove("versionNumber", &["0"]),
        add("versionNumber", &["8"]),
    ];
    assert_eq!(modify(fits).await, 0);
    let after = read(
        &*ports.admin,
        Some(&case.gpo),
        &["flags", "description", "versionNumber"],
    )
    .await
    .unwrap();
    assert_eq!(after.texts("flags"), ["1"]);
    assert_eq!(after.texts("description"), ["b"]);
    assert_eq!(after.texts("versionNumber"), ["8"]);
    case.remove(ports).await;
}

pub async fn modifications_that_are_refused(ports: &Ports) {
    let case = Case::new(ports).await;
    let port = &ports.admin;
    let change = || vec![replace("flags", &["1"])];
    assert_eq!(code(port.modify(&case.gpo, change(), None).await), 32);
    case.add_gpo(ports).await;
    for (changes, expected) in [
        (vec![replace("flags", &["no number"])], 21),
        (vec![replace("flags", &["1", "2"])], 20),
        (vec![replace("noSuchAttribute", &["x"])], 16),
        (vec![replace("gPLink", &["x"])], 65),
        (vec![replace("whenCreated", &["20260101000000.0Z"])], 19),
        (vec![replace("objectGUID", &["0123456789abcdef"])], 19),
    ] {
        let shown = format!("{changes:?}");
        assert_eq!(
            code(port.modify(&case.gpo, changes, None).await),
            expected,
            "{shown}"
        );
    }
    case.remove(ports).await;
}

pub async fn deletions(ports: &Ports) {
    let case = Case::new(ports).await;
    let port = &ports.admin;
    for tree in [false, true] {
        assert_eq!(code(port.delete(&case.gpo, tree).await), 32);
    }
    case.add_gpo(ports).await;
    assert_eq!(code(port.delete(&case.gpo, false).await), 66);
    assert_eq!(code(port.delete(&case.gpo.cn("User"), false).await), 0);
    assert_eq!(code(port.delete(&case.gpo.cn("User"), false).await), 32);
    assert_eq!(code(port.delete(&case.gpo, true).await), 0);
    assert!(
        read(&**port, Some(&case.gpo.cn("Machine")), &["cn"])
            .await
            .is_none()
    );
    // The name is free again.
    case.add_gpo(ports).await;
    case.remove(ports).await;
}
