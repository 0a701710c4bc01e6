//! The directory port. Each case makes a GPO container of its own below `CN=Policies` and deletes it in the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use gpoctl::domain::ldap::{Entry, Filter, LdapFailure, LdapWrite, Modification, Scope, Search};
use gpoctl::model::dn::Dn;
use gpoctl::model::guid::Guid;
use gpoctl::model::sddl::{from_sddl, to_sddl_in};
use gpoctl::model::security_descriptor::SecurityDescriptor;
use gpoctl::model::sid::Sid;

/// Runs `$case!(name)` for each case.
macro_rules! directory_cases {
    ($case:ident) => {
        $case!(root_dse);
        $case!(scopes);
        $case!(filters);
        $case!(attributes_of_a_search);
        $case!(a_new_gpo);
        $case!(descriptors_of_new_objects);
        $case!(additions_that_are_refused);
        $case!(swaps);
        $case!(a_modify_is_done_as_a_whole);
        $case!(modifications_that_are_refused);
        $case!(deletions);
        $case!(parts_of_descriptors);
        $case!(entries_are_handed_down);
        $case!(rights_of_an_administrator);
        $case!(rights_of_a_user);
        $case!(what_may_not_be_read);
        $case!(rights_that_are_granted);
    };
}
pub(crate) use directory_cases;

/// Two accounts of one domain: an administrator, and one that has no rights of its own.
pub struct Ports {
    pub admin: Arc<dyn LdapWrite>,
    pub user: Arc<dyn LdapWrite>,
}

type Values = Vec<(String, Vec<Vec<u8>>)>;

/// The domain, and the container of a case.
struct Case {
    base: Dn,
    domain_sid: Sid,
    guid: Guid,
    gpo: Dn,
}

impl Case {
    async fn new(ports: &Ports) -> Self {
        let names = ["defaultNamingContext"];
        let root = read(&*ports.admin, None, &names).await.unwrap();
        let base = Dn::parse(&root.text("defaultNamingContext").unwrap()).unwrap();
        let head = read(&*ports.admin, Some(&base), &["objectSid"])
            .await
            .unwrap();
        let guid = Guid::new_random();
        Self {
            domain_sid: Sid::from_bytes(head.bytes("objectSid").unwrap()).unwrap(),
            gpo: base.gpo(guid),
            guid,
            base,
        }
    }

    fn name(&self) -> String {
        format!("Conformance {}", self.guid.bare())
    }

    fn gpo_attributes(&self) -> Values {
        let path = format!(r"\\x\SysVol\x\Policies\{}", self.guid);
        vec![
            class("groupPolicyContainer"),
            one("displayName", &self.name()),
            one("flags", "0"),
            one("versionNumber", "0"),
            one("gPCFunctionalityVersion", "2"),
            one("gPCFileSysPath", &path),
        ]
    }

    async fn add_gpo(&self, ports: &Ports) {
        let admin = &ports.admin;
        admin
            .add(&self.gpo, self.gpo_attributes(), None)
            .await
            .unwrap();
        for half in ["Machine", "User"] {
            admin
                .add(&self.gpo.cn(half), vec![class("container")], None)
                .await
                .unwrap();
        }
    }

    async fn remove(&self, ports: &Ports) {
        ports.admin.delete(&self.gpo, true).await.unwrap();
    }

    async fn sddl(&self, ports: &Ports, dn: &Dn, parts: u32) -> String {
        let descriptor = descriptor(&*ports.admin, dn, parts).await;
        to_sddl_in(&descriptor, Some(&self.domain_sid))
    }

    /// SDDL as [`Case::sddl`] writes it.
    fn written(&self, sddl: &str) -> String {
        let descriptor = from_sddl(sddl, Some(&self.domain_sid)).unwrap();
        to_sddl_in(&descriptor, Some(&self.domain_sid))
    }

    fn descriptor(&self, sddl: &str) -> Vec<u8> {
        from_sddl(sddl, Some(&self.domain_sid))
            .unwrap()
            .to_bytes()
            .unwrap()
    }
}

fn one(name: &str, value: &str) -> (String, Vec<Vec<u8>>) {
    (name.to_owned(), vec![value.as_bytes().to_vec()])
}

fn class(name: &str) -> (String, Vec<Vec<u8>>) {
    one("objectClass", name)
}

fn replace(name: &str, values: &[&str]) -> Modification {
    Modification::Replace(name.to_owned(), bytes(values))
}

fn remove(name: &str, values: &[&str]) -> Modification {
    Modification::Delete(name.to_owned(), bytes(values))
}

fn add(name: &str, values: &[&str]) -> Modification {
    Modification::Add(name.to_owned(), bytes(values))
}

fn bytes(values: &[&str]) -> Vec<Vec<u8>> {
    values
        .iter()
        .map(|value| value.as_bytes().to_vec())
        .collect()
}

async fn search(
    port: &dyn LdapWrite,
    base: &Dn,
    scope: Scope,
    filter: Filter,
    attributes: &[&str],
) -> Result<Vec<Entry>, LdapFailure> {
    let search = Search {
        base: Some(base),
        scope,
        filter,
        attributes,
        sd_flags: None,
        paged: true,
    };
    port.search(&search).await
}

/// One object; `None` when it is not found.
async fn read(port: &dyn LdapWrite, base: Option<&Dn>, attributes: &[&str]) -> Option<Entry> {
    let search = Search {
        base,
        scope: Scope::Base,
        filter: Filter::everything(),
        attributes,
        sd_flags: None,
        paged: false,
    };
    match port.search(&search).await {
        Ok(found) => found.into_iter().next(),
        Err(failure) => {
            assert_eq!(failure.code(), Some(32), "{failure:?}");
            None
        }
    }
}

async fn descriptor(port: &dyn LdapWrite, dn: &Dn, parts: u32) -> SecurityDescriptor {
    let search = Search {
        base: Some(dn),
        scope: Scope::Base,
        filter: Filter::everything(),
        attributes: &["nTSecurityDescriptor"],
        sd_flags: Some(parts),
        paged: false,
    };
    let found = port.search(&search).await.unwrap();
    SecurityDescriptor::parse(found[0].bytes("nTSecurityDescriptor").unwrap()).unwrap()
}

/// The result code of a request; 0 for success.
fn code<T: std::fmt::Debug>(result: Result<T, LdapFailure>) -> u32 {
    match result {
        Ok(_) => 0,
        Err(failure) => failure.code().unwrap_or_else(|| panic!("{failure:?}")),
    }
}

fn names(entries: &[Entry]) -> BTreeSet<String> {
    let dns = entries.iter();
    dns.map(|entry| entry.dn.to_string().to_lowercase())
        .collect()
}

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

/// What a GPO made by an administrator has: the schema's default, with the owner in place of CREATOR OWNER.
const NEW_GPO: &str = "O:DAG:DAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;EA)(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CIIO;CCDCLCSWRPWPDTLOSDRCWDWO;;;CO)(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;SY)(A;CI;LCRPLORC;;;AU)(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)(A;CI;LCRPLORC;;;ED)";

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
