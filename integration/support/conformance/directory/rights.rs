//! Who may do what: an administrator, an account without rights, and one that is given some.

use std::collections::BTreeSet;

use gpoctl::domain::ldap::{Entry, Filter, Modification, Scope, Search};
use gpoctl::model::guid::Guid;
use gpoctl::model::sid::Sid;

use super::{Case, NEW_GPO, Ports, class, code, descriptor, names, one, read, replace, search};

const RIGHTS: &[&str] = &[
    "allowedAttributesEffective",
    "allowedChildClassesEffective",
    "sDRightsEffective",
];

/// Values in lower case.
fn lower(entry: &Entry, name: &str) -> BTreeSet<String> {
    entry
        .texts(name)
        .iter()
        .map(|text| text.to_lowercase())
        .collect()
}

/// The attributes that gpoctl writes to a GPO.
const OF_A_GPO: [&str; 8] = [
    "versionnumber",
    "flags",
    "displayname",
    "gpcmachineextensionnames",
    "gpcuserextensionnames",
    "gpcwqlfilter",
    "gpcfunctionalityversion",
    "gpcfilesyspath",
];

pub async fn rights_of_an_administrator(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let entry = read(&*ports.admin, Some(&case.gpo), RIGHTS).await.unwrap();
    let attributes = lower(&entry, "allowedAttributesEffective");
    for name in OF_A_GPO {
        assert!(attributes.contains(name), "{name}");
    }
    for name in ["gplink", "whencreated", "objectguid", "msifilelist"] {
        assert!(!attributes.contains(name), "{name}");
    }
    let classes = lower(&entry, "allowedChildClassesEffective");
    for name in ["container", "classstore"] {
        assert!(classes.contains(name), "{name}");
    }
    assert!(!classes.contains("organizationalunit"));
    let parts: u32 = entry.text("sDRightsEffective").unwrap().parse().unwrap();
    assert_eq!(parts & 7, 7);
    let policies = read(&*ports.admin, Some(&case.base.policies()), RIGHTS)
        .await
        .unwrap();
    assert!(lower(&policies, "allowedChildClassesEffective").contains("grouppolicycontainer"));
    let head = read(&*ports.admin, Some(&case.base), RIGHTS).await.unwrap();
    assert!(lower(&head, "allowedAttributesEffective").contains("gplink"));
    case.remove(ports).await;
}

pub async fn rights_of_a_user(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let user = &ports.user;
    let entry = read(
        &**user,
        Some(&case.gpo),
        &[RIGHTS, &["displayName"]].concat(),
    )
    .await
    .unwrap();
    assert_eq!(entry.text("displayName").unwrap(), case.name());
    assert!(entry.values("allowedAttributesEffective").is_empty());
    assert!(entry.values("allowedChildClassesEffective").is_empty());
    let parts: u32 = entry
        .text("sDRightsEffective")
        .map_or(0, |text| text.parse().unwrap());
    assert_eq!(parts, 0);
    let denied = 50;
    let other = case.base.gpo(Guid::new_random());
    assert_eq!(
        code(user.add(&other, case.gpo_attributes(), None).await),
        denied
    );
    assert_eq!(
        code(
            user.add(&case.gpo.cn("x"), vec![class("container")], None)
                .await
        ),
        denied
    );
    let change = vec![replace("flags", &["1"])];
    assert_eq!(code(user.modify(&case.gpo, change, None).await), denied);
    let change = vec![Modification::Replace(
        "nTSecurityDescriptor".to_owned(),
        vec![case.descriptor("D:P(A;;LC;;;AU)")],
    )];
    assert_eq!(code(user.modify(&case.gpo, change, Some(4)).await), denied);
    let links = vec![replace("gPLink", &["x"])];
    assert_eq!(code(user.modify(&case.base, links, None).await), denied);
    for tree in [false, true] {
        assert_eq!(code(user.delete(&case.gpo, tree).await), denied);
    }
    assert_eq!(code(user.delete(&case.gpo.cn("User"), false).await), denied);
    let whole = descriptor(&**user, &case.gpo, 7).await;
    assert!(whole.owner.is_some() && whole.dacl.is_some());
    case.remove(ports).await;
}

pub async fn what_may_not_be_read(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let full = "(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;SY)";
    let set = async |dacl: &str| {
        let change = vec![Modification::Replace(
            "nTSecurityDescriptor".to_owned(),
            vec![case.descriptor(&format!("D:P{full}{dacl}"))],
        )];
        ports
            .admin
            .modify(&case.gpo, change, Some(4))
            .await
            .unwrap();
    };
    let policies = case.base.policies();
    let listed = async || {
        let all = Filter::equals("objectClass", "groupPolicyContainer");
        let found = search(
            &*ports.user,
            &policies,
            Scope::OneLevel,
            all,
            &["displayName"],
        )
        .await;
        names(&found.unwrap()).contains(&case.gpo.to_string().to_lowercase())
    };
    // Nothing but that it exists, because the parent lets it be listed.
    set("").await;
    let entry = read(&*ports.user, Some(&case.gpo), &["displayName"])
        .await
        .unwrap();
    assert!(entry.attributes.is_empty());
    assert!(!listed().await);
    // The attributes, and not the descriptor.
    set("(A;;RP;;;AU)").await;
    assert!(listed().await);
    let search_both = Search {
        base: Some(&case.gpo),
        scope: Scope::Base,
        filter: Filter::everything(),
        attributes: &["displayName", "nTSecurityDescriptor"],
        sd_flags: Some(7),
        paged: false,
        extended_dns: false,
    };
    let found = ports.user.search(&search_both).await.unwrap();
    assert_eq!(found[0].attributes, [one("displayName", &case.name())]);
    // One attribute alone, and that of the class, without which nothing is found. What is below may not be listed.
    set("(OA;;RP;bf967953-0de6-11d0-a285-00aa003049e2;;AU)(OA;;RP;bf9679e5-0de6-11d0-a285-00aa003049e2;;AU)").await;
    let entry = read(&*ports.user, Some(&case.gpo), &["displayName", "flags"])
        .await
        .unwrap();
    assert_eq!(entry.attributes, [one("displayName", &case.name())]);
    let below = search(
        &*ports.user,
        &case.gpo,
        Scope::OneLevel,
        Filter::everything(),
        &["cn"],
    )
    .await;
    assert!(below.unwrap().is_empty());
    assert!(
        read(&*ports.user, Some(&case.gpo.cn("User")), &["cn"])
            .await
            .is_none()
    );
    // A filter does not tell what may not be read.
    let hidden = Filter::equals("versionNumber", "0");
    let found = search(
        &*ports.user,
        &case.gpo,
        Scope::Base,
        hidden,
        &["displayName"],
    )
    .await
    .unwrap();
    assert!(found.is_empty());
    // What is denied alone: the attribute is missing, as one without a value is. A search by the class does not find an object whose
    // class is denied; one for every object does.
    let everything = async || {
        let all = Filter::everything();
        let found = search(
            &*ports.user,
            &policies,
            Scope::OneLevel,
            all,
            &["objectClass", "flags"],
        )
        .await;
        let mut found = found.unwrap().into_iter();
        found.find(|entry| entry.dn == case.gpo).unwrap()
    };
    let has = |entry: &Entry, name: &str| !entry.values(name).is_empty();
    for (type_of, class, name, flags) in [
        ("bf9679e5-0de6-11d0-a285-00aa003049e2", false, true, true),
        ("bf967976-0de6-11d0-a285-00aa003049e2", true, true, false),
        // General-Information, a property set that contains displayName.
        ("59ba2f42-79a2-11d0-9020-00c04fc2d3cf", true, false, true),
    ] {
        set(&format!("(OD;;RP;{type_of};;AU)(A;;LCRPRC;;;AU)")).await;
        assert_eq!(listed().await, class, "{type_of}");
        let entry = everything().await;
        assert_eq!(
            (has(&entry, "objectClass"), has(&entry, "flags")),
            (class, flags)
        );
        let entry = read(&*ports.user, Some(&case.gpo), &["displayName"])
            .await
            .unwrap();
        assert_eq!(has(&entry, "displayName"), name, "{type_of}");
    }
    set("(D;;RP;;;AU)(A;;LCRPRC;;;AU)").await;
    assert!(everything().await.attributes.is_empty());
    case.remove(ports).await;
}

pub async fn rights_that_are_granted(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let root = read(&*ports.user, None, &["tokenGroups"]).await.unwrap();
    let sid = Sid::from_bytes(root.bytes("tokenGroups").unwrap()).unwrap();
    let set = async |ace: &str| {
        let change = vec![Modification::Replace(
            "nTSecurityDescriptor".to_owned(),
            vec![case.descriptor(&format!("{NEW_GPO}{ace}"))],
        )];
        ports
            .admin
            .modify(&case.gpo, change, Some(4))
            .await
            .unwrap();
    };
    let user = &ports.user;
    let flags = |value: &str| vec![replace("flags", &[value])];
    let container = || vec![class("container")];
    // Edit settings, as GPMC delegates it.
    set(&format!("(A;CI;CCDCLCSWRPWPLORC;;;{sid})")).await;
    let entry = read(&**user, Some(&case.gpo), RIGHTS).await.unwrap();
    let attributes = lower(&entry, "allowedAttributesEffective");
    assert!(OF_A_GPO.iter().all(|name| attributes.contains(*name)));
    assert!(lower(&entry, "allowedChildClassesEffective").contains("container"));
    assert_eq!(code(user.modify(&case.gpo, flags("1"), None).await), 0);
    assert_eq!(
        code(user.add(&case.gpo.cn("x"), container(), None).await),
        0
    );
    // What it made is owned by it, and is made for it.
    let own = descriptor(&*ports.admin, &case.gpo.cn("x"), 7).await;
    assert_eq!(own.owner, Some(sid.clone()));
    assert_eq!(code(user.delete(&case.gpo.cn("x"), false).await), 0);
    assert_eq!(code(user.delete(&case.gpo, true).await), 50);
    // One attribute.
    set(&format!(
        "(OA;;WP;bf967976-0de6-11d0-a285-00aa003049e2;;{sid})"
    ))
    .await;
    assert_eq!(code(user.modify(&case.gpo, flags("2"), None).await), 0);
    assert_eq!(
        code(
            user.modify(&case.gpo, vec![replace("displayName", &["x"])], None)
                .await
        ),
        50
    );
    let entry = read(&**user, Some(&case.gpo), RIGHTS).await.unwrap();
    assert_eq!(
        lower(&entry, "allowedAttributesEffective"),
        BTreeSet::from(["flags".to_owned()])
    );
    // A denial before a grant.
    set(&format!("(A;;RPWP;;;{sid})")).await;
    let change =
        vec![Modification::Replace(
            "nTSecurityDescriptor".to_owned(),
            vec![case.descriptor(
                &NEW_GPO.replace("D:P", &format!("D:P(D;;WP;;;{sid})(A;;RPWP;;;{sid})")),
            )],
        )];
    ports
        .admin
        .modify(&case.gpo, change, Some(4))
        .await
        .unwrap();
    assert_eq!(code(user.modify(&case.gpo, flags("1"), None).await), 50);
    // The whole tree.
    set(&format!("(A;CI;SDDTLCRPRC;;;{sid})")).await;
    assert_eq!(code(user.delete(&case.gpo, true).await), 0);
}
