//! Searches: which objects are found, and which of their attributes.

use std::collections::BTreeSet;

use gpoctl::domain::ldap::{Filter, Scope};
use gpoctl::model::dn::Dn;
use gpoctl::model::sid::Sid;

use super::{Case, Ports, code, names, read, search};

pub async fn root_dse(ports: &Ports) {
    let case = Case::new(ports).await;
    let names = [
        "defaultNamingContext",
        "configurationNamingContext",
        "schemaNamingContext",
        "dnsHostName",
        "vendorName",
        "tokenGroups",
    ];
    let root = read(&*ports.admin, None, &names).await.unwrap();
    assert_eq!(root.dn, Dn::root());
    let configuration = case.base.cn("Configuration");
    let context = |name: &str| Dn::parse(&root.text(name).unwrap()).unwrap();
    assert_eq!(context("configurationNamingContext"), configuration);
    assert_eq!(context("schemaNamingContext"), configuration.cn("Schema"));
    assert!(root.text("vendorName").unwrap().contains("Samba"));
    let host = root.text("dnsHostName").unwrap().to_lowercase();
    assert!(host.ends_with(&case.base.dns_domain().to_lowercase()));
    let sids: Vec<Sid> = root
        .values("tokenGroups")
        .iter()
        .map(|bytes| Sid::from_bytes(bytes).unwrap())
        .collect();
    assert_eq!(sids[0], case.domain_sid.with_rid(500));
    for sid in [512, 513, 519, 520].map(|rid| case.domain_sid.with_rid(rid)) {
        assert!(sids.contains(&sid), "{sid}");
    }
    for sid in [
        "S-1-5-32-544",
        "S-1-5-32-545",
        "S-1-5-32-554",
        "S-1-1-0",
        "S-1-5-11",
        "S-1-5-2",
    ] {
        assert!(sids.contains(&sid.parse().unwrap()), "{sid}");
    }
    // Nothing of it comes unasked.
    let bare = read(&*ports.admin, None, &["dnsHostName"]).await.unwrap();
    assert_eq!(bare.attributes.len(), 1);
}

pub async fn scopes(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let port = &*ports.admin;
    let all = Filter::everything;
    let gpo = case.gpo.to_string().to_lowercase();
    let halves = ["machine", "user"].map(|half| format!("cn={half},{gpo}"));
    let found = search(port, &case.gpo, Scope::Base, all(), &["cn"])
        .await
        .unwrap();
    assert_eq!(names(&found), BTreeSet::from([gpo.clone()]));
    let found = search(port, &case.gpo, Scope::OneLevel, all(), &["cn"])
        .await
        .unwrap();
    assert_eq!(names(&found), BTreeSet::from(halves.clone()));
    // Names of any case.
    let shouted = Dn::parse(&case.gpo.to_string().to_uppercase()).unwrap();
    let found = search(port, &shouted, Scope::Subtree, all(), &["cn"])
        .await
        .unwrap();
    let mut whole = BTreeSet::from(halves);
    whole.insert(gpo);
    assert_eq!(names(&found), whole);
    // No object, none below a leaf, and none of another naming context.
    let missing = case.gpo.cn("missing");
    for scope in [Scope::Base, Scope::OneLevel, Scope::Subtree] {
        assert_eq!(
            code(search(port, &missing, scope, all(), &["cn"]).await),
            32
        );
    }
    let leaf = case.gpo.cn("User");
    let found = search(port, &leaf, Scope::OneLevel, all(), &["cn"])
        .await
        .unwrap();
    assert!(found.is_empty());
    let cross = Filter::equals("objectClass", "crossRef");
    let found = search(port, &case.base, Scope::Subtree, cross.clone(), &["cn"])
        .await
        .unwrap();
    assert!(found.is_empty(), "{found:?}");
    let partitions = case.base.cn("Configuration").cn("Partitions");
    let found = search(port, &partitions, Scope::OneLevel, cross, &["nETBIOSName"])
        .await
        .unwrap();
    assert!(!found.is_empty());
    case.remove(ports).await;
}

pub async fn filters(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let port = &*ports.admin;
    let policies = case.base.policies();
    let gpo = case.gpo.to_string().to_lowercase();
    let name = case.name();
    let has = async |filter: Filter| {
        let shown = filter.to_string();
        let found = search(port, &policies, Scope::Subtree, filter, &["cn"])
            .await
            .unwrap();
        (names(&found).contains(&gpo), found.len(), shown)
    };
    let equals = Filter::equals;
    let is = |name: &'static str, value: &str| equals(name, value);
    for filter in [
        is("displayName", &name),
        is("displayName", &name.to_uppercase()),
        is("displayName", &format!(" {}  ", name.replace(' ', "  "))),
        is("DISPLAYNAME", &name),
        is("objectClass", "GROUPPOLICYCONTAINER"),
        is("distinguishedName", &case.gpo.to_string().to_uppercase()),
        is("name", &case.guid.to_string()),
        is("cn", &case.guid.to_string().to_lowercase()),
        Filter::contains("displayName", &case.guid.bare().to_lowercase()),
        Filter::all([is("versionNumber", "0"), is("flags", "0")]),
        Filter::any([is("flags", "7"), is("displayName", &name)]),
        Filter::all([Filter::present("gPCFileSysPath"), Filter::everything()]),
    ] {
        let (found, _, shown) = has(filter).await;
        assert!(found, "{shown}");
    }
    // The superclass counts too.
    let containers = Filter::equals("objectClass", "container");
    assert!(has(containers).await.0);
    for filter in [
        is("displayName", "Conformance*"),
        is("displayName", "*)(objectClass=*"),
        Filter::contains("displayName", "no such text"),
        Filter::present("gPCWQLFilter"),
        Filter::all([is("displayName", &name), is("flags", "1")]),
        Filter::any([]),
    ] {
        let (found, _, shown) = has(filter).await;
        assert!(!found, "{shown}");
    }
    let sid = case.domain_sid.with_rid(500);
    let by_sid = Filter::equals_bytes("objectSid", &sid.to_bytes());
    let found = search(
        port,
        &case.base,
        Scope::Subtree,
        by_sid,
        &["sAMAccountName"],
    )
    .await
    .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text("samaccountname").unwrap(), "Administrator");
    let guid = read(port, Some(&case.gpo), &["objectGUID"]).await.unwrap();
    let by_guid = Filter::equals_bytes("objectGUID", guid.bytes("objectGUID").unwrap());
    assert_eq!(has(by_guid).await.1, 1);
    let linked = Filter::contains("gPLink", "{31b2f340-016d-11d2-945f-00c04fb984f9}");
    let found = search(port, &case.base, Scope::Subtree, linked, &["gPLink"])
        .await
        .unwrap();
    assert!(found.iter().any(|entry| entry.dn == case.base));
    case.remove(ports).await;
}

pub async fn attributes_of_a_search(ports: &Ports) {
    let case = Case::new(ports).await;
    case.add_gpo(ports).await;
    let port = &*ports.admin;
    let entry = read(port, Some(&case.gpo), &["*"]).await.unwrap();
    let all: BTreeSet<&str> = entry
        .attributes
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let expected = BTreeSet::from([
        "cn",
        "displayName",
        "distinguishedName",
        "flags",
        "gPCFileSysPath",
        "gPCFunctionalityVersion",
        "instanceType",
        "name",
        "objectCategory",
        "objectClass",
        "objectGUID",
        "showInAdvancedViewOnly",
        "uSNChanged",
        "uSNCreated",
        "versionNumber",
        "whenChanged",
        "whenCreated",
    ]);
    // Values of replication and of other features are nobody's business here.
    let known: BTreeSet<&str> = all
        .iter()
        .copied()
        .filter(|name| !["dSCorePropagationData"].contains(name))
        .collect();
    assert_eq!(known, expected);
    let some = [
        "DISPLAYNAME",
        "allowedAttributesEffective",
        "noSuchAttribute",
        "gPCWQLFilter",
    ];
    let entry = read(port, Some(&case.gpo), &some).await.unwrap();
    assert_eq!(entry.attributes.len(), 2, "{entry:?}");
    assert_eq!(entry.text("displayName").unwrap(), case.name());
    case.remove(ports).await;
}
