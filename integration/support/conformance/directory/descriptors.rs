//! Descriptors of new objects, their parts, and what is handed down.

use std::collections::BTreeSet;

use gpoctl::domain::ldap::Modification;
use gpoctl::model::security_descriptor::SecurityDescriptor;

use super::{Case, NEW_GPO, Ports, class, code, descriptor};

/// The entries of a descriptor, each once and in any order: the order within a kind is the server's.
fn entries(sddl: &str) -> BTreeSet<String> {
    sddl.split_inclusive(['(', ')'])
        .map(|part| part.trim_matches('(').to_owned())
        .collect()
}

pub async fn descriptors_of_new_objects(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let of_gpo = case.sddl(ports, &case.gpo, 7).await;
    assert_eq!(
        entries(&of_gpo),
        entries(&case.written(NEW_GPO)),
        "{of_gpo}"
    );
    // The class's default, and what the GPO hands down.
    let half = case.sddl(ports, &case.gpo.cn("Machine"), 7).await;
    let inherited = NEW_GPO
        .replace("O:DAG:DAD:P", "")
        .replace(";CI;", ";CIID;")
        .replace(";CIIO;", ";CIIOID;")
        .replace("(A;;", "(A;ID;");
    let own = "(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)(A;;LCRPLORC;;;AU)";
    assert_eq!(
        entries(&half),
        entries(&case.written(&format!("O:DAG:DAD:AI{own}{inherited}"))),
        "{half}"
    );
    // A DACL that the writer gives takes the place of the default; what is handed down comes on top unless it is protected.
    for (name, given, expected) in [
        (
            "plain",
            "D:(A;;LCRPLORC;;;BU)",
            format!("O:DAG:DAD:AI(A;;LCRPLORC;;;BU){inherited}"),
        ),
        (
            "protected",
            "D:P(A;;LCRPLORC;;;BU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)",
            "O:DAG:DAD:P(A;;LCRPLORC;;;BU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)".to_owned(),
        ),
        // Inherited entries that are given are worked out anew.
        (
            "stale",
            "D:AI(A;;LCRPLORC;;;BU)(A;CIID;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BU)",
            format!("O:DAG:DAD:AI(A;;LCRPLORC;;;BU){inherited}"),
        ),
    ] {
        let dn = case.gpo.cn(name);
        let attributes = vec![
            class("container"),
            (
                "nTSecurityDescriptor".to_owned(),
                vec![case.descriptor(given)],
            ),
        ];
        ports.admin.add(&dn, attributes, Some(4)).await.unwrap();
        let sddl = case.sddl(ports, &dn, 7).await;
        assert_eq!(
            entries(&sddl),
            entries(&case.written(&expected)),
            "{name}: {sddl}"
        );
    }
    case.remove(ports).await;
}

pub async fn parts_of_descriptors(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let has = |descriptor: &SecurityDescriptor| {
        (
            descriptor.owner.is_some(),
            descriptor.group.is_some(),
            descriptor.dacl.is_some(),
        )
    };
    let of = async |parts: u32| has(&descriptor(&*ports.admin, &case.gpo, parts).await);
    assert_eq!(of(7).await, (true, true, true));
    assert_eq!(of(4).await, (false, false, true));
    assert_eq!(of(1).await, (true, false, false));
    assert_eq!(of(2).await, (false, true, false));
    // Only what is meant is changed.
    let new = case.descriptor("O:EAG:EAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)");
    let change = |new: &Vec<u8>| {
        vec![Modification::Replace(
            "nTSecurityDescriptor".to_owned(),
            vec![new.clone()],
        )]
    };
    ports
        .admin
        .modify(&case.gpo, change(&new), Some(4))
        .await
        .unwrap();
    assert_eq!(
        case.sddl(ports, &case.gpo, 7).await,
        case.written("O:DAG:DAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)")
    );
    let other = case.descriptor("O:EAG:EAD:P(A;;LCRPLORC;;;AU)");
    ports
        .admin
        .modify(&case.gpo, change(&other), Some(1))
        .await
        .unwrap();
    assert_eq!(
        case.sddl(ports, &case.gpo, 7).await,
        case.written("O:EAG:DAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)")
    );
    let malformed = vec![0_u8; 7];
    let result = ports
        .admin
        .modify(&case.gpo, change(&malformed), Some(4))
        .await;
    assert_ne!(code(result), 0);
    case.remove(ports).await;
}

pub async fn entries_are_handed_down(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let deep = case.gpo.cn("Machine").cn("Class Store");
    ports
        .admin
        .add(&deep, vec![class("classStore")], None)
        .await
        .unwrap();
    let more = NEW_GPO.to_owned()
        + "(A;CI;CCDCLCSWRPWPDTLORC;;;BU)(A;CIIO;RPWP;;;BG)(A;;LCRPLORC;;;BO)(A;CINP;LC;;;PU)";
    let change = |sddl: &str| {
        vec![Modification::Replace(
            "nTSecurityDescriptor".to_owned(),
            vec![case.descriptor(sddl)],
        )]
    };
    ports
        .admin
        .modify(&case.gpo, change(&more), Some(4))
        .await
        .unwrap();
    let half = case.sddl(ports, &case.gpo.cn("Machine"), 4).await;
    let store = case.sddl(ports, &deep, 4).await;
    for sddl in [&half, &store] {
        assert!(sddl.contains("(A;CIID;CCDCLCSWRPWPDTLORC;;;BU)"), "{sddl}");
        assert!(sddl.contains("(A;CIID;RPWP;;;BG)"), "{sddl}");
        assert!(!sddl.contains(";;;BO)"), "{sddl}");
    }
    assert!(half.contains("(A;ID;LC;;;PU)"), "{half}");
    assert!(!store.contains(";;;PU)"), "{store}");
    // And taken back.
    ports
        .admin
        .modify(&case.gpo, change(NEW_GPO), Some(4))
        .await
        .unwrap();
    let store = case.sddl(ports, &deep, 4).await;
    assert!(
        !store.contains(";;;BU)") && !store.contains(";;;BG)"),
        "{store}"
    );
    case.remove(ports).await;
}
