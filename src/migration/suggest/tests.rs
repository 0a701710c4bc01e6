use async_trait::async_trait;

use super::*;
use crate::model::dn::Dn;

/// The RID of a group that is of no domain.
const BUILTIN: u32 = 544;

/// A domain with a few accounts.
struct Domain {
    dns: &'static str,
    netbios: &'static str,
    sid: &'static str,
    accounts: &'static [(&'static str, PrincipalType, u32)],
}

use PrincipalType::{Computer, GlobalGroup, LocalGroup, Unknown, User};

const SRC: Domain = Domain {
    dns: "src.test",
    netbios: "SRC",
    sid: "S-1-5-21-1-1-1",
    accounts: &[("Helpdesk", GlobalGroup, 1001), ("bob", User, 1002)],
};

const DST: Domain = Domain {
    dns: "dst.test",
    netbios: "DST",
    sid: "S-1-5-21-9-9-9",
    accounts: &[
        ("HelpDesk", GlobalGroup, 2001),
        ("alice", User, 2002),
        ("WS01$", Computer, 2003),
        ("Backup Team", LocalGroup, 2004),
        ("Backup Teams", GlobalGroup, 2005),
        ("crew", User, 2006),
        ("Administrators", LocalGroup, BUILTIN),
    ],
};

impl Domain {
    fn all(&self) -> Vec<Principal> {
        self.accounts
            .iter()
            .map(|(name, kind, rid)| {
                if *rid == BUILTIN {
                    return Principal {
                        sid: Some("S-1-5-32-544".parse().unwrap()),
                        kind: *kind,
                        ..Principal::named(name)
                    };
                }
                let sid = self.sid.parse::<Sid>().unwrap().with_rid(*rid);
                Principal::of_domain(sid, name, *kind, self.netbios, self.dns)
            })
            .collect()
    }
}

#[async_trait]
impl PrincipalDirectory for Domain {
    async fn lookup(&self, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>> {
        let all = self.all();
        let find = |query: &PrincipalQuery| {
            all.iter().find(|principal| match query {
                PrincipalQuery::Sid(sid) => principal.sid.as_ref() == Some(sid),
                PrincipalQuery::Name(name) => {
                    let name = NameForm::of(name).relative().to_lowercase();
                    let sam = principal.sam_account_name.to_lowercase();
                    sam == name || sam == format!("{name}$")
                }
            })
        };
        Ok(queries
            .iter()
            .map(|query| find(query).cloned().map_or(Lookup::NotFound, Lookup::Found))
            .collect())
    }

    async fn objects_exist(&self, dns: &[Dn]) -> Result<Vec<bool>> {
        let staff = |dn: &Dn| dn.as_str().eq_ignore_ascii_case("OU=Staff,DC=dst,DC=test");
        Ok(dns.iter().map(staff).collect())
    }

    fn dns_domain(&self) -> &str {
        self.dns
    }

    fn netbios_domain(&self) -> &str {
        self.netbios
    }

    fn domain_sid(&self) -> Option<&Sid> {
        static SID: std::sync::LazyLock<Sid> =
            std::sync::LazyLock::new(|| GERMAN.sid.parse().unwrap());
        (self.sid == GERMAN.sid).then_some(&*SID)
    }
}

#[async_trait]
impl PrincipalList for Domain {
    async fn principals(&self) -> Result<Vec<Principal>> {
        let of_domain = |one: &Principal| one.sid.as_ref().is_some_and(Sid::is_domain_sid);
        Ok(self.all().into_iter().filter(of_domain).collect())
    }
}

/// With the source domain at hand.
const OF_SRC: SuggestOptions<'static> = SuggestOptions {
    source: Some(&SRC),
    source_domain: None,
    accept_unc: false,
};

fn table(rows: &[(PrincipalType, &str)]) -> MigTable {
    let mut table = MigTable::new();
    for (kind, source) in rows {
        let kind = if source.starts_with(r"\\") {
            EntryType::UncPath
        } else {
            EntryType::Principal(*kind)
        };
        table.set(source, kind, Destination::SameAsSource).unwrap();
    }
    table
}

/// Each row with its destination, or the reason and the candidates.
async fn ask(rows: &[(PrincipalType, &str)], options: &SuggestOptions<'_>) -> Vec<String> {
    let mut table = table(rows);
    let suggestions = suggest(&mut table, &DST, options).await.unwrap();
    suggestions
        .into_iter()
        .map(|suggestion| {
            let source = suggestion.row.source;
            let written = &table.get(&source).unwrap().destination;
            match suggestion.suggested {
                SuggestedDestination::Certain(destination) => {
                    assert_eq!(*written, Destination::Set(destination.clone()));
                    format!("{source} = {destination}")
                }
                SuggestedDestination::Uncertain { reason, candidates } => {
                    assert_eq!(*written, Destination::SameAsSource);
                    let names: Vec<String> =
                        candidates.into_iter().map(|one| one.destination).collect();
                    format!("{source}: {reason} [{}]", names.join(", "))
                }
            }
        })
        .collect()
}

#[tokio::test]
async fn the_same_name_and_type_is_certain_in_the_notation_of_the_source() {
    let rows = [
        (GlobalGroup, "Helpdesk@src.test"),
        (User, "SRC\\ALICE"),
        (Computer, "src.test\\ws01"),
        (Computer, "SRC\\WS01$"),
        (Unknown, "Administrators"),
        (Unknown, "S-1-5-32-544"),
        (User, "alice@dst.test"),
        (User, "DST\\crew"),
    ];
    assert_eq!(
        ask(&rows, &OF_SRC).await,
        [
            "Helpdesk@src.test = HelpDesk@dst.test",
            "SRC\\ALICE = DST\\alice",
            "src.test\\ws01 = dst.test\\WS01$",
            "SRC\\WS01$ = DST\\WS01$",
        ]
    );
}

#[tokio::test]
async fn a_builtin_group_goes_by_its_plain_name_in_every_notation() {
    let rows = [
        (LocalGroup, "Administrators@src.test"),
        (LocalGroup, "src.test\\Administrators"),
        (LocalGroup, "SRC\\Administrators"),
        (GlobalGroup, "Helpdesk@src.test"),
    ];
    assert_eq!(
        ask(&rows, &OF_SRC).await,
        [
            "Administrators@src.test = Administrators",
            "src.test\\Administrators = Administrators",
            "SRC\\Administrators = Administrators",
            "Helpdesk@src.test = HelpDesk@dst.test",
        ]
    );
}

#[tokio::test]
async fn uncertain_rows_get_the_most_similar_names() {
    let rows = [
        (GlobalGroup, "alice@src.test"),
        (LocalGroup, "Backup Crew@src.test"),
        (Unknown, "src.test\\crew"),
        (User, "zz@src.test"),
        // A name that fits a computer only with its `$` is not the user's.
        (User, "ws01@src.test"),
        (Unknown, "Helpdesk"),
        (Unknown, "S-1-5-21-1-1-1-1001"),
        (Unknown, "OU=Räume\\, Nord,DC=SRC,DC=test"),
        (Unknown, r"\\fs1.src.test\homes\%USERNAME%"),
        (Unknown, r"\\SRC.TEST\SysVol\src.test\x"),
        (Unknown, r"\\fs1\homes"),
    ];
    assert_eq!(
        ask(&rows, &SuggestOptions::default()).await,
        [
            "alice@src.test: \"alice\" exists in dst.test, but is a User, not a GlobalGroup [alice@dst.test]",
            "Backup Crew@src.test: \"Backup Crew\" does not exist in dst.test [Backup Team@dst.test, Backup Teams@dst.test]",
            "src.test\\crew: its type is not known; \"crew\" exists in dst.test [dst.test\\crew]",
            "zz@src.test: \"zz\" does not exist in dst.test []",
            "ws01@src.test: \"ws01\" exists in dst.test, but is a Computer, not a User [WS01$@dst.test]",
            "Helpdesk: plain text; it cannot be looked up in a domain [HelpDesk@dst.test]",
            "S-1-5-21-1-1-1-1001: only a SID; its name in the source domain is not known []",
            "OU=Räume\\, Nord,DC=SRC,DC=test: plain text; it cannot be looked up in a domain [OU=Räume\\, Nord,DC=dst,DC=test]",
            r"\\fs1.src.test\homes\%USERNAME%: the new location of a share cannot be looked up in a domain [\\fs1.dst.test\homes\%USERNAME%]",
            r"\\SRC.TEST\SysVol\src.test\x: the new location of a share cannot be looked up in a domain [\\dst.test\SysVol\dst.test\x]",
            r"\\fs1\homes: the new location of a share cannot be looked up in a domain []",
        ]
    );
}

#[tokio::test]
async fn unc_paths_are_filled_in_on_request_if_their_server_is_in_the_source_domain() {
    let rows = [
        (Unknown, r"\\fs1.src.test\homes\%USERNAME%"),
        (Unknown, r"\\fs1\homes"),
        (User, "zz@src.test"),
    ];
    let options = SuggestOptions {
        accept_unc: true,
        ..SuggestOptions::default()
    };
    assert_eq!(
        ask(&rows, &options).await,
        [
            r"\\fs1.src.test\homes\%USERNAME% = \\fs1.dst.test\homes\%USERNAME%",
            r"\\fs1\homes: the new location of a share cannot be looked up in a domain []",
            "zz@src.test: \"zz\" does not exist in dst.test []",
        ]
    );
}

#[tokio::test]
async fn the_source_domain_resolves_sids_and_types() {
    let rows = [
        (Unknown, "S-1-5-21-1-1-1-1001"),
        (Unknown, "S-1-5-21-1-1-1-1002"),
        (Unknown, "S-1-5-21-7-7-7-1001"),
        (Unknown, "SRC\\helpdesk"),
    ];
    let options = SuggestOptions {
        source: Some(&SRC),
        ..SuggestOptions::default()
    };
    assert_eq!(
        ask(&rows, &options).await,
        [
            "S-1-5-21-1-1-1-1001 = HelpDesk@dst.test",
            "S-1-5-21-1-1-1-1002: \"bob\" does not exist in dst.test []",
            "S-1-5-21-7-7-7-1001: only a SID; its name in the source domain is not known []",
            "SRC\\helpdesk = DST\\HelpDesk",
        ]
    );
}

#[tokio::test]
async fn with_several_domains_the_source_must_be_given() {
    let rows = [
        (User, "alice@src.test"),
        (User, "SRC\\crew"),
        (User, "alice@third.test"),
    ];
    let several = "the table contains several domains (src, src.test, third.test), and the source domain was not given";
    assert_eq!(
        ask(&rows, &SuggestOptions::default()).await,
        [
            format!("alice@src.test: {several} [alice@dst.test]"),
            format!("SRC\\crew: {several} [DST\\crew]"),
            format!("alice@third.test: {several} [alice@dst.test]"),
        ]
    );
    let third =
        "alice@third.test: it is in third.test, which is not the source domain [alice@dst.test]";
    let named = |name| SuggestOptions {
        source_domain: Some(name),
        ..SuggestOptions::default()
    };
    assert_eq!(
        ask(&rows, &named("src.test")).await,
        [
            "alice@src.test = alice@dst.test",
            "SRC\\crew: it is not known whether src is the source domain [DST\\crew]",
            third,
        ]
    );
    assert_eq!(
        ask(&rows, &named("SRC")).await,
        [
            "alice@src.test: it is not known whether src.test is the source domain [alice@dst.test]",
            "SRC\\crew = DST\\crew",
            "alice@third.test: it is not known whether third.test is the source domain [alice@dst.test]",
        ]
    );
    // The source domain knows its own names, whatever they are like.
    let asked = SuggestOptions {
        source: Some(&SRC),
        ..SuggestOptions::default()
    };
    assert_eq!(
        ask(&rows, &asked).await,
        [
            "alice@src.test = alice@dst.test",
            "SRC\\crew = DST\\crew",
            third,
        ]
    );
    let other = Domain {
        netbios: "OLD",
        ..SRC
    };
    let asked = SuggestOptions {
        source: Some(&other),
        ..SuggestOptions::default()
    };
    assert_eq!(
        ask(&[(User, "OLD\\alice"), (User, "SRC\\crew")], &asked).await,
        [
            "OLD\\alice = DST\\alice",
            "SRC\\crew: it is in src, which is not the source domain [DST\\crew]",
        ]
    );
}

#[tokio::test]
async fn rows_with_any_other_destination_are_kept() {
    let mut table = table(&[(User, "alice@src.test"), (User, "crew@src.test")]);
    for (source, destination) in [
        ("alice@src.test", Destination::None),
        ("crew@src.test", Destination::Set("x@y".to_owned())),
    ] {
        table
            .set(source, EntryType::Principal(User), destination)
            .unwrap();
    }
    let before = table.to_bytes();
    let options = SuggestOptions::default();
    assert_eq!(suggest(&mut table, &DST, &options).await.unwrap(), []);
    assert_eq!(table.to_bytes(), before);
}

/// A domain of twenty thousand accounts, none of which has the very name of a row.
struct Large;

#[async_trait]
impl PrincipalDirectory for Large {
    async fn lookup(&self, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>> {
        Ok(vec![Lookup::NotFound; queries.len()])
    }

    async fn objects_exist(&self, dns: &[Dn]) -> Result<Vec<bool>> {
        let staff = |dn: &Dn| dn.as_str().eq_ignore_ascii_case("OU=Staff,DC=dst,DC=test");
        Ok(dns.iter().map(staff).collect())
    }

    fn dns_domain(&self) -> &str {
        "dst.test"
    }

    fn netbios_domain(&self) -> &str {
        "DST"
    }
}

#[async_trait]
impl PrincipalList for Large {
    async fn principals(&self) -> Result<Vec<Principal>> {
        let account = |number: u32| {
            let sid = DST.sid.parse::<Sid>().unwrap().with_rid(number);
            Principal::of_domain(
                sid,
                &format!("Branch-{number}-Staff"),
                GlobalGroup,
                "DST",
                "dst.test",
            )
        };
        Ok((10_000..30_000).map(account).collect())
    }
}

/// Each row with each account would be a hundred million comparisons.
#[tokio::test]
async fn thousands_of_rows_are_matched_against_tens_of_thousands_of_names() {
    let mut table = MigTable::new();
    let entry = |number: u32| Entry {
        source: format!("Branch{number}-Staf@src.test"),
        kind: EntryType::Principal(GlobalGroup),
        destination: Destination::SameAsSource,
    };
    table.set_all((10_000..15_000).map(entry)).unwrap();
    let suggestions = suggest(&mut table, &Large, &SuggestOptions::default())
        .await
        .unwrap();
    assert_eq!(suggestions.len(), 5_000);
    let all = Large.principals().await.unwrap();
    for (number, suggestion) in suggestions.into_iter().enumerate() {
        let SuggestedDestination::Uncertain { candidates, .. } = suggestion.suggested else {
            panic!("{number}");
        };
        assert_eq!(candidates.len(), MAX_CANDIDATES);
        // Now and then, against every account: the closest of all is as close as the closest that was found.
        if number % 500 == 0 {
            let name = suggestion.row.source.strip_suffix("@src.test").unwrap();
            let closeness = all
                .iter()
                .map(|one| similarity_of(name, &one.sam_account_name));
            let best = closeness.max_by(f64::total_cmp).unwrap();
            assert_eq!(candidates.first().unwrap().similarity, best, "{name}");
        }
    }
}

/// A domain in German, in which the groups of every domain have other names.
const GERMAN: Domain = Domain {
    dns: "dst.test",
    netbios: "DST",
    sid: "S-1-5-21-9-9-9",
    accounts: &[
        ("Dom\u{e4}nen-Admins", GlobalGroup, 512),
        ("Domain Users", GlobalGroup, 2001),
        ("Chef", User, 500),
    ],
};

#[tokio::test]
async fn accounts_of_every_domain_pair_by_rid() {
    let rows = [
        (
            "Domain Admins@src.test",
            GlobalGroup,
            Some("Dom\u{e4}nen-Admins@dst.test"),
        ),
        (
            "SRC\\Domain Admins",
            GlobalGroup,
            Some("DST\\Dom\u{e4}nen-Admins"),
        ),
        (
            "src.test\\Admins du domaine",
            GlobalGroup,
            Some("dst.test\\Dom\u{e4}nen-Admins"),
        ),
        (
            "S-1-5-21-1-1-1-512",
            Unknown,
            Some("Dom\u{e4}nen-Admins@dst.test"),
        ),
        ("Administrator@src.test", User, Some("Chef@dst.test")),
        ("S-1-5-21-1-1-1-1512", Unknown, None),
        ("Domain Guests@src.test", GlobalGroup, None),
    ];
    for (source, kind, expected) in rows {
        let mut table = MigTable::new();
        let kind = EntryType::Principal(kind);
        table.set(source, kind, Destination::SameAsSource).unwrap();
        suggest(&mut table, &GERMAN, &SuggestOptions::new())
            .await
            .unwrap();
        let expected = expected.map_or(Destination::SameAsSource, |text| {
            Destination::Set(text.to_owned())
        });
        assert_eq!(table.get(source).unwrap().destination, expected, "{source}");
    }
    // Of two domains, one is not the source.
    let mut table = MigTable::new();
    for source in ["S-1-5-21-1-1-1-512", "S-1-5-21-2-2-2-512"] {
        let kind = EntryType::Principal(Unknown);
        table.set(source, kind, Destination::SameAsSource).unwrap();
    }
    let suggestions = suggest(&mut table, &GERMAN, &SuggestOptions::new())
        .await
        .unwrap();
    assert_eq!(counts(&suggestions), (0, 2));
}
