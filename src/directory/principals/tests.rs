//! Names and SIDs, and which accounts they mean.

use super::*;
use crate::model::dn::Dn;
use crate::model::guid::Guid;

fn info() -> DomainInfo {
    let base = Dn::parse("DC=src,DC=test").unwrap();
    DomainInfo {
        dns_domain: "src.test".parse().unwrap(),
        netbios_domain: "SRC".to_owned(),
        configuration: base.cn("Configuration"),
        schema: base.cn("Configuration").cn("Schema"),
        base,
        domain_sid: "S-1-5-21-1-2-3".parse().unwrap(),
        domain_guid: Guid::NIL,
        forest_root_sid: None,
        forest_domains: Vec::new(),
        server: "dc1.src.test".parse().unwrap(),
        pdc: None,
        vendor: None,
        user_sid: None,
        token: None,
        bound_as: String::new(),
    }
}

fn candidate(rid: u32, account: &str, upn: Option<&str>, kind: PrincipalType) -> Candidate {
    Candidate {
        sid: info().domain_sid.with_rid(rid),
        account: account.to_owned(),
        upn: upn.map(str::to_owned),
        kind,
    }
}

fn ask(name: &str, found: &[Candidate]) -> Lookup {
    let intent = intent(&PrincipalQuery::Name(name.to_owned()), &info());
    let mut candidates = Candidates::default();
    found.iter().cloned().for_each(|one| candidates.add(one));
    candidates.answer(&intent, &info())
}

fn rid(lookup: &Lookup) -> Option<u32> {
    match lookup {
        Lookup::Found(principal) => principal.sid.as_ref()?.rid(),
        _ => None,
    }
}

#[test]
fn every_name_form_finds_the_account() {
    let found = [
        candidate(
            1104,
            "Alice",
            Some("a.smith@corp.example"),
            PrincipalType::User,
        ),
        candidate(1105, "PC1$", None, PrincipalType::Computer),
    ];
    for name in [
        "SRC\\alice",
        "src.test\\ALICE",
        "alice@SRC.TEST",
        "Alice",
        "A.Smith@corp.example",
    ] {
        assert_eq!(rid(&ask(name, &found)), Some(1104), "{name}");
    }
    for name in ["PC1", "pc1$", "SRC\\PC1$", "SRC\\PC1"] {
        assert_eq!(rid(&ask(name, &found)), Some(1105), "{name}");
    }
    assert_eq!(ask("SRC\\nobody", &found), Lookup::NotFound);
    assert_eq!(
        ask("DST\\alice", &found),
        Lookup::OtherDomain("DST".to_owned())
    );
    assert_eq!(
        ask("bob@other.test", &found),
        Lookup::OtherDomain("other.test".to_owned())
    );
    assert_eq!(ask("BUILTIN\\nobody", &found), Lookup::NotFound);
    assert_eq!(ask("", &found), Lookup::NotFound);
}

#[test]
fn an_account_comes_before_a_computer_of_the_same_name() {
    let found = [
        candidate(1, "pc1", None, PrincipalType::User),
        candidate(2, "PC1$", None, PrincipalType::Computer),
    ];
    assert_eq!(rid(&ask("PC1", &found)), Some(1));
    assert_eq!(rid(&ask("PC1$", &found)), Some(2));
}

#[test]
fn two_with_one_user_principal_name_are_ambiguous() {
    let found = [
        candidate(1, "a", Some("x@src.test"), PrincipalType::User),
        candidate(2, "b", Some("X@src.test"), PrincipalType::User),
    ];
    assert_eq!(
        ask("x@src.test", &found),
        Lookup::Ambiguous(vec!["SRC\\a".to_owned(), "SRC\\b".to_owned()])
    );
}

#[test]
fn the_account_name_of_one_that_is_the_user_principal_name_of_another_is_ambiguous() {
    let found = [
        candidate(1, "alice", None, PrincipalType::User),
        candidate(2, "bob", Some("Alice@src.test"), PrincipalType::User),
        candidate(3, "eve", Some("eve@src.test"), PrincipalType::User),
    ];
    for name in ["alice", "ALICE@src.test"] {
        assert_eq!(
            ask(name, &found),
            Lookup::Ambiguous(vec!["SRC\\alice".to_owned(), "SRC\\bob".to_owned()]),
            "{name}"
        );
    }
    // This form names only the account.
    assert_eq!(rid(&ask("SRC\\alice", &found)), Some(1));
    assert_eq!(rid(&ask("src.test\\Alice", &found)), Some(1));
    for name in ["eve", "eve@src.test", "SRC\\eve"] {
        assert_eq!(rid(&ask(name, &found)), Some(3), "{name}");
    }
}

#[test]
fn one_search_serves_a_hundred_computers_by_name() {
    let terms: BTreeSet<Term> = (0..100)
        .flat_map(|number| {
            [
                format!("PC{number}@src.test"),
                format!("PC{number}$@src.test"),
            ]
        })
        .flat_map(|name| terms(&intent(&PrincipalQuery::Name(name), &info())))
        .collect();
    assert_eq!(terms.len().div_ceil(BATCH), 1);
}

#[test]
fn well_known_ones_and_foreign_sids_need_no_search() {
    let known = ask("builtin\\administrators", &[]);
    assert_eq!(rid(&known), Some(544));
    let sid = |text: &str| intent(&PrincipalQuery::Sid(text.parse().unwrap()), &info());
    assert!(matches!(sid("S-1-5-11"), Intent::Known(Lookup::Found(_))));
    assert_eq!(
        sid("S-1-5-21-9-9-9-500"),
        Intent::Known(Lookup::OtherDomain("S-1-5-21-9-9-9".to_owned()))
    );
    assert!(matches!(sid("S-1-5-21-1-2-3-500"), Intent::Sid(_)));
}

#[test]
fn types_from_classes_and_group_type() {
    let classes = |list: &[&str]| list.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
    let user = classes(&["top", "person", "user"]);
    let computer = classes(&["top", "person", "user", "computer"]);
    let group = classes(&["top", "group"]);
    assert_eq!(kind_of(&user, None), PrincipalType::User);
    assert_eq!(kind_of(&computer, None), PrincipalType::Computer);
    for (bits, kind) in [
        (0x8000_0002, PrincipalType::GlobalGroup),
        (0x8000_0004, PrincipalType::LocalGroup),
        (0x8000_0005, PrincipalType::LocalGroup),
        (0x8000_0008, PrincipalType::UniversalGroup),
        (0x2, PrincipalType::GlobalGroup),
    ] {
        assert_eq!(kind_of(&group, Some(bits)), kind);
    }
}

#[test]
fn a_hostile_name_stays_a_value() {
    let query = PrincipalQuery::Name("*)(objectClass=*".to_owned());
    for term in terms(&intent(&query, &info())) {
        let filter = term.filter();
        assert!(!filter.to_string().contains("objectClass=*"), "{}", filter);
        assert!(ldap3::parse_filter(filter.to_string()).is_ok());
    }
}
