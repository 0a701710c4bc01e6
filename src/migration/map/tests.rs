use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::formats::migtable::MigTable;
use crate::migration::places::{Visited, Visitor};
use crate::migration::resolve::{Lookup, PrincipalQuery};
use crate::migration::table::{Destination, EntryType};
use crate::model::gpt_tree::GptTree;
use crate::model::principal::PrincipalType;
use crate::model::version::GpoVersion;

/// A format of the tests: a reference on each line, as `[all] [key=K] sid S`, `name N`, `both S N`, `unc TEXT|UNIT`.
fn toy(path: &RelPath, content: &Bytes, visitor: &mut Visitor<'_>) -> Result<Visited, String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut visited = Visited::default();
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut place = Place::file(path.to_string()).line(number + 1);
        let (scope, rest) = match line.strip_prefix("all ") {
            Some(rest) => (Scope::All, rest),
            None => (Scope::Gpmc, line),
        };
        let rest = match rest.strip_prefix("key=") {
            Some(rest) => {
                let (key, rest) = rest.split_once(' ').unwrap();
                place = place.section("Privilege Rights").key(key);
                rest
            }
            None => rest,
        };
        let (word, value) = rest.split_once(' ').unwrap();
        let target = match word {
            "sid" => FoundTarget::Sid {
                sid: value.parse().unwrap(),
                text: value.to_owned(),
            },
            "name" => FoundTarget::Name(value.to_owned()),
            "both" => {
                let (sid, name) = value.split_once(' ').unwrap();
                FoundTarget::SidAndName {
                    sid: sid.parse().unwrap(),
                    name: name.to_owned(),
                }
            }
            _ => {
                let (text, unit) = value.split_once('|').unwrap_or((value, value));
                FoundTarget::Unc {
                    text: text.to_owned(),
                    unit: unit.to_owned(),
                }
            }
        };
        let both = matches!(target, FoundTarget::SidAndName { .. });
        match visitor(&Found {
            target,
            place: place.clone(),
            scope,
        }) {
            Rewrite::Keep => lines.push(line.to_owned()),
            Rewrite::Principal {
                sid: Some(sid),
                name,
            } if both => lines.push(format!("both {sid} {name}")),
            Rewrite::Principal { sid: Some(sid), .. } => lines.push(format!("sid {sid}")),
            Rewrite::Principal { sid: None, name } => lines.push(format!("name {name}")),
            Rewrite::Unc(text) if text.contains("refuse") => visited
                .messages
                .push(StatusMessage::error("refused", "cannot hold this path").at(place)),
            Rewrite::Unc(text) => lines.push(format!("unc {text}")),
            Rewrite::Remove => visited
                .messages
                .push(StatusMessage::warning("removed", "a line less").at(place)),
        }
    }
    let new = lines.join("\n");
    visited.bytes = (new != text).then(|| Bytes::from(new));
    Ok(visited)
}

/// A domain in memory, which notes what it was asked.
#[derive(Default)]
struct Domain {
    principals: Vec<Principal>,
    ambiguous: Vec<&'static str>,
    asked: Mutex<Vec<Vec<PrincipalQuery>>>,
    same: bool,
}

#[async_trait]
impl PrincipalDirectory for Domain {
    async fn lookup(&self, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>> {
        self.asked.lock().unwrap().push(queries.to_vec());
        let names: HashMap<String, &Principal> = self
            .principals
            .iter()
            .flat_map(|p| {
                let sam = &p.sam_account_name;
                [
                    sam.clone(),
                    format!("{}\\{sam}", p.netbios_domain),
                    format!("{}\\{sam}", p.dns_domain),
                    p.upn.clone(),
                ]
                .map(|name| (name.to_lowercase(), p))
            })
            .collect();
        let sids: HashMap<&Sid, &Principal> = self
            .principals
            .iter()
            .filter_map(|p| Some((p.sid.as_ref()?, p)))
            .collect();
        let answer = |query: &PrincipalQuery| match query {
            PrincipalQuery::Name(name) if self.ambiguous.contains(&name.as_str()) => {
                Lookup::Ambiguous(vec!["DST\\one".to_owned(), "DST\\two".to_owned()])
            }
            PrincipalQuery::Name(name) if name.starts_with("OTHER\\") => {
                Lookup::OtherDomain("OTHER".to_owned())
            }
            PrincipalQuery::Name(name) => names
                .get(&name.to_lowercase())
                .map_or(Lookup::NotFound, |p| Lookup::Found((*p).clone())),
            PrincipalQuery::Sid(sid) => sids
                .get(sid)
                .map_or(Lookup::NotFound, |p| Lookup::Found((*p).clone())),
        };
        Ok(queries.iter().map(answer).collect())
    }

    fn dns_domain(&self) -> &str {
        if self.same { "SRC.test" } else { "dst.test" }
    }

    fn netbios_domain(&self) -> &str {
        if self.same { "SRC" } else { "DST" }
    }
}

const SRC: &str = "S-1-5-21-1-1-1";
const DST: &str = "S-1-5-21-2-2-2";
const GROUP: PrincipalType = PrincipalType::GlobalGroup;

fn principal(domain: &str, rid: u32, name: &str, kind: PrincipalType) -> Principal {
    let (netbios, dns) = if domain == SRC {
        ("SRC", "src.test")
    } else {
        ("DST", "dst.test")
    };
    let sid: Sid = domain.parse().unwrap();
    Principal::of_domain(sid.with_rid(rid), name, kind, netbios, dns)
}

fn target() -> Domain {
    Domain {
        principals: vec![
            principal(DST, 2001, "Support", GROUP),
            principal(DST, 2002, "Helpdesk", GROUP),
            principal(DST, 2003, "PC9$", PrincipalType::Computer),
            principal(DST, 2004, "bob", PrincipalType::User),
        ],
        ambiguous: vec!["twice"],
        ..Domain::default()
    }
}

/// A snapshot of src.test with one file; Helpdesk is 1001, PC1$ 1002, alice 1003, Admins 1004 (DACL only).
fn snapshot(content: &str) -> GpoSnapshot {
    let mut tree = GptTree::new();
    tree.insert_file(
        &"Machine\\toy".parse().unwrap(),
        Bytes::from(content.to_owned()),
    );
    let entry = |principal, from_dacl| InventoryPrincipal {
        principal,
        from_dacl,
    };
    GpoSnapshot {
        guid: "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap(),
        domain: "src.test".parse().unwrap(),
        domain_guid: None,
        domain_controller: "dc.src.test".to_owned(),
        display_name: "toy".to_owned(),
        flags: 0,
        directory_version: GpoVersion::default(),
        sysvol_version: None,
        machine_extensions: Default::default(),
        user_extensions: Default::default(),
        wmi_filter: None,
        security_descriptor: Vec::new(),
        tree,
        directory_objects: Vec::new(),
        principals: vec![
            entry(principal(SRC, 1001, "Helpdesk", GROUP), false),
            entry(principal(SRC, 1002, "PC1$", PrincipalType::Computer), false),
            entry(principal(SRC, 1003, "alice", PrincipalType::User), false),
            entry(Principal::named("Administrators"), false),
            entry(principal(SRC, 1004, "Admins", GROUP), true),
        ],
        file_paths: vec![r"\\fs\apps".to_owned()],
        messages: Vec::new(),
    }
}

fn set(text: &str) -> Destination {
    Destination::Set(text.to_owned())
}

/// A table of (type, source, destination); the first row is in line 3, each takes five lines.
fn table(rows: &[(&str, &str, Destination)]) -> MigrationTable {
    let mut table = MigTable::new();
    for (kind, source, destination) in rows {
        let kind = EntryType::from_literal(kind).unwrap();
        table.set(source, kind, destination.clone()).unwrap();
    }
    MigrationTable::new("t", &table)
}

async fn run(content: &str, table: Option<&MigrationTable>, options: MapOptions) -> Result<Mapped> {
    map_with(&snapshot(content), table, &target(), &options, &toy).await
}

/// The new content of the file.
async fn mapped(content: &str, rows: &[(&str, &str, Destination)]) -> String {
    text(
        &run(content, Some(&table(rows)), MapOptions::default())
            .await
            .unwrap(),
    )
}

fn text(mapped: &Mapped) -> String {
    String::from_utf8(mapped.snapshot.tree.file("machine/toy").unwrap().to_vec()).unwrap()
}

/// `severity code place: text` of each.
fn lines(messages: &[StatusMessage]) -> Vec<String> {
    messages
        .iter()
        .map(|m| {
            let place = m.place.as_ref().map(Place::to_string).unwrap_or_default();
            format!("{:?} {} {place}: {}", m.severity, m.code, m.text)
        })
        .collect()
}

const HELPDESK: &str = "sid S-1-5-21-1-1-1-1001";
const SUPPORT: &str = "sid S-1-5-21-2-2-2-2001";

#[tokio::test]
async fn every_notation_of_a_source_matches() {
    for (kind, source) in [
        ("GlobalGroup", "helpdesk@SRC.test"),
        ("GlobalGroup", r"src.TEST\Helpdesk"),
        ("GlobalGroup", r"SRC\HELPDESK"),
        ("Unknown", "Helpdesk"),
        ("Unknown", "s-1-5-21-1-1-1-1001"),
    ] {
        for reference in [
            HELPDESK,
            r"name SRC\Helpdesk",
            "name helpdesk@src.test",
            "name Helpdesk",
        ] {
            let rows = [(kind, source, set(r"DST\Support"))];
            assert_eq!(
                mapped(reference, &rows).await,
                SUPPORT,
                "{source} {reference}"
            );
        }
    }
}

#[tokio::test]
async fn every_notation_of_a_destination_is_found() {
    for text in [
        r"DST\Support",
        r"dst.test\support",
        "Support@dst.test",
        "Support",
        "S-1-5-21-2-2-2-2001",
    ] {
        let rows = [("GlobalGroup", r"SRC\Helpdesk", set(text))];
        assert_eq!(mapped(HELPDESK, &rows).await, SUPPORT, "{text}");
    }
}

#[tokio::test]
async fn name_and_sid_change_together() {
    let rows = [("GlobalGroup", r"SRC\Helpdesk", set("Support"))];
    let content = r"both S-1-5-21-1-1-1-1001 SRC\Helpdesk";
    assert_eq!(
        mapped(content, &rows).await,
        r"both S-1-5-21-2-2-2-2001 DST\Support"
    );
}

#[tokio::test]
async fn bare_sources_need_the_type_unknown() {
    let table = table(&[("GlobalGroup", "Helpdesk", set("Support"))]);
    let mapped = run(HELPDESK, Some(&table), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(text(&mapped), HELPDESK);
    let codes: Vec<&str> = mapped
        .report
        .messages
        .iter()
        .map(|m| m.code.as_str())
        .collect();
    assert_eq!(codes, ["bare-source", "source-sid-left", "unused-row"]);
}

#[tokio::test]
async fn two_rows_for_one_principal_are_an_error() {
    let table = table(&[
        ("GlobalGroup", r"SRC\Helpdesk", set("Support")),
        ("GlobalGroup", "helpdesk@src.test", set("Helpdesk")),
    ]);
    let error = run(HELPDESK, Some(&table), MapOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert_eq!(
        lines(error.details()),
        [
            r#"Error ambiguous-rows Machine\toy:1: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) is named by the rows in lines 3 ("SRC\Helpdesk") and 8 ("helpdesk@src.test")"#
        ]
    );
}

#[tokio::test]
async fn another_type_is_a_warning_and_the_row_is_used() {
    let table = table(&[("LocalGroup", r"SRC\Helpdesk", set("bob"))]);
    let mapped = run(HELPDESK, Some(&table), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(text(&mapped), "sid S-1-5-21-2-2-2-2004");
    assert_eq!(
        lines(&mapped.report.messages),
        [
            r#"Warning destination-type migration table t:3: destination "bob" is a User, the type of the row is LocalGroup"#,
            r#"Warning type-mismatch migration table t:3: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) is of type GlobalGroup, its row says LocalGroup"#,
        ]
    );
}

#[tokio::test]
async fn computers_go_with_and_without_dollar() {
    for source in [r"SRC\PC1", r"SRC\PC1$", "PC1$@src.test"] {
        for destination in [r"DST\PC9", r"DST\PC9$", "PC9@dst.test"] {
            let rows = [("Computer", source, set(destination))];
            let content = "sid S-1-5-21-1-1-1-1002";
            assert_eq!(
                mapped(content, &rows).await,
                "sid S-1-5-21-2-2-2-2003",
                "{source} {destination}"
            );
        }
    }
}

#[tokio::test]
async fn well_known_principals_go_by_their_english_names() {
    for source in ["Administrators", "S-1-5-32-544", r"BUILTIN\Administrators"] {
        let rows = [("Unknown", source, set("Users"))];
        for content in [
            "sid S-1-5-32-544",
            "name Administrators",
            r"name BUILTIN\Administrators",
        ] {
            assert_eq!(
                mapped(content, &rows).await,
                "sid S-1-5-32-545",
                "{source} {content}"
            );
        }
    }
    // The corpus maps names to themselves: nothing changes, not even the spelling.
    let rows = [("Unknown", "Administrators", set("Administrators"))];
    assert_eq!(
        mapped("name ADMINISTRATORS", &rows).await,
        "name ADMINISTRATORS"
    );
}

#[tokio::test]
async fn none_removes_and_same_as_source_keeps() {
    let table = table(&[
        ("GlobalGroup", r"SRC\Helpdesk", Destination::None),
        ("User", r"SRC\alice", Destination::SameAsSource),
    ]);
    let content = format!("{HELPDESK}\nsid S-1-5-21-1-1-1-1003");
    let mapped = run(&content, Some(&table), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(text(&mapped), "sid S-1-5-21-1-1-1-1003");
    assert_eq!(
        lines(&mapped.report.messages),
        [
            r#"Warning source-sid-left Machine\toy:2: S-1-5-21-1-1-1-1003 (SRC\alice) stays and names nobody in dst.test"#,
            r#"Warning removed Machine\toy:1: a line less"#,
        ]
    );
    let names: Vec<String> = mapped
        .snapshot
        .principals
        .iter()
        .map(|p| p.principal.down_level_name())
        .collect();
    assert_eq!(
        names,
        [r"SRC\PC1$", r"SRC\alice", "Administrators", r"SRC\Admins"]
    );
    assert_eq!(mapped.report.counts.removed, 1);
    assert_eq!(mapped.identities.len(), 2);
}

#[tokio::test]
async fn by_relative_name_finds_the_same_name() {
    let rows = [(
        "GlobalGroup",
        "helpdesk@src.test",
        Destination::ByRelativeName,
    )];
    assert_eq!(mapped(HELPDESK, &rows).await, "sid S-1-5-21-2-2-2-2002");
    let rows = [("User", r"SRC\alice", Destination::ByRelativeName)];
    let error = run(
        "sid S-1-5-21-1-1-1-1003",
        Some(&table(&rows)),
        MapOptions::default(),
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
    assert_eq!(
        lines(error.details()),
        [
            r#"Error destination-not-found Machine\toy:1: destination "alice" does not exist in dst.test"#
        ]
    );
}

#[tokio::test]
async fn all_destinations_that_are_nobody_are_listed_at_once() {
    let table = table(&[
        ("GlobalGroup", r"SRC\a", set(r"DST\gone")),
        ("GlobalGroup", r"SRC\b", set("twice")),
        ("GlobalGroup", r"SRC\c", set(r"OTHER\x")),
        ("Unknown", "Helpdesk", set("S-1-5-21-2-2-2-9999")),
        ("Unknown", "S-1-5-21-1-1-1-5", set("S-1-5-32-544")),
    ]);
    let error = run(HELPDESK, Some(&table), MapOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
    assert_eq!(
        error.message(),
        "4 destinations are not one principal of dst.test"
    );
    assert_eq!(
        lines(error.details()),
        [
            r#"Error destination-not-found migration table t:3: destination "DST\gone" does not exist in dst.test"#,
            r#"Error destination-ambiguous migration table t:8: destination "twice" stands for several principals of dst.test: DST\one, DST\two"#,
            r#"Error destination-other-domain migration table t:13: destination "OTHER\x" is of the domain OTHER, which dst.test does not know"#,
            r#"Error destination-not-found migration table t:18: destination "S-1-5-21-2-2-2-9999" does not exist in dst.test"#,
        ]
    );
}

#[tokio::test]
async fn everything_is_asked_in_one_call_without_repetition() {
    let table = table(&[
        ("GlobalGroup", r"SRC\Helpdesk", set(r"DST\Support")),
        ("GlobalGroup", r"SRC\x", set(r"dst\SUPPORT")),
    ]);
    let content = format!("{HELPDESK}\n{HELPDESK}\nsid S-1-5-21-1-1-1-1003\nsid S-1-5-32-544");
    let domain = target();
    map_with(
        &snapshot(&content),
        Some(&table),
        &domain,
        &MapOptions::default(),
        &toy,
    )
    .await
    .unwrap();
    let asked = domain.asked.lock().unwrap();
    assert_eq!(
        *asked,
        [vec![
            PrincipalQuery::Name(r"DST\Support".to_owned()),
            PrincipalQuery::Sid("S-1-5-21-1-1-1-1003".parse().unwrap()),
        ]]
    );
}

#[tokio::test]
async fn free_text_that_is_nobody_stays_text_but_never_replaces_a_sid() {
    let table = table(&[("Unknown", "ADD YOUR ADMINS", set("Our Admins"))]);
    let mapped = run("name ADD YOUR ADMINS", Some(&table), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(text(&mapped), "name Our Admins");
    assert_eq!(
        lines(&mapped.report.messages),
        [
            r#"Warning destination-text migration table t:3: destination "Our Admins" does not exist in dst.test and is written as text"#
        ]
    );
    let table = self::table(&[("Unknown", "Helpdesk", set("Our Admins"))]);
    let error = run(HELPDESK, Some(&table), MapOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
}

#[tokio::test]
async fn unusable_rows_fail_before_the_directory_is_asked() {
    let table = table(&[
        ("UNCPath", r"\\a\b", Destination::None),
        ("User", r"SRC\a", set("%x%")),
    ]);
    let domain = target();
    let error = map_with(
        &snapshot(""),
        Some(&table),
        &domain,
        &MapOptions::default(),
        &toy,
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert_eq!(error.details().len(), 2);
    assert!(domain.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn unc_paths_match_on_the_unit_or_the_whole_and_keep_the_rest() {
    let package = r"unc \\FS\apps\a.msi|\\FS\apps";
    let to = |source| [("UNCPath", source, set(r"\\new\soft\"))];
    assert_eq!(
        mapped(package, &to(r"\\fs\Apps\")).await,
        r"unc \\new\soft\a.msi"
    );
    assert_eq!(
        mapped(package, &to(r"\\fs\apps\a.MSI")).await,
        r"unc \\new\soft\"
    );
    let folder = r"unc \\fs\homes\%USERNAME%\";
    let rows = [(
        "UNCPath",
        r"\\fs\homes\%username%",
        set(r"\\new\h\%USERNAME%"),
    )];
    assert_eq!(mapped(folder, &rows).await, r"unc \\new\h\%USERNAME%\");
    // A principal row of the same text is none for a path.
    let rows = [("Unknown", "fs", set("Support"))];
    assert_eq!(mapped(folder, &rows).await, folder);
}

#[tokio::test]
async fn a_prefix_is_told_in_exact_mode_and_used_on_demand() {
    let table = table(&[
        ("UNCPath", r"\\fs\homes", set(r"\\new\h")),
        ("UNCPath", r"\\fs\homes\deep", set(r"\\new\d")),
    ]);
    let content =
        "unc \\\\fs\\HOMES\\%USERNAME%\\x\nunc \\\\fs\\homes\\Deep\\y\nunc \\\\fs\\homes2\\z";
    let exact = run(content, Some(&table), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(text(&exact), content);
    assert_eq!(
        lines(&exact.report.messages)[..2],
        [
            r#"Info would-match-by-prefix Machine\toy:1: "\\fs\HOMES\%USERNAME%\x" stays; the row "\\fs\homes" in line 3 names a folder above it"#,
            r#"Info would-match-by-prefix Machine\toy:2: "\\fs\homes\Deep\y" stays; the row "\\fs\homes\deep" in line 8 names a folder above it"#,
        ]
    );
    let options = MapOptions {
        unc_match: UncMatch::Prefix,
        ..MapOptions::default()
    };
    let prefix = run(content, Some(&table), options).await.unwrap();
    assert_eq!(
        text(&prefix),
        "unc \\\\new\\h\\%USERNAME%\\x\nunc \\\\new\\d\\y\nunc \\\\fs\\homes2\\z"
    );
}

#[tokio::test]
async fn what_is_left_is_told_with_its_weight() {
    let content = "key=SeRemoteInteractiveLogonRight sid S-1-5-21-1-1-1-1001\nkey=SeDenyNetworkLogonRight sid S-1-5-21-1-1-1-1001\nkey=SeBackupPrivilege sid S-1-5-21-1-1-1-1001\nsid S-1-5-21-7-7-7-5\nname SRC\\nobody\nname text\nsid S-1-5-80-1";
    let mapped = run(content, Some(&table(&[])), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(text(&mapped), content);
    assert_eq!(
        lines(&mapped.report.messages),
        [
            r"Warning source-sid-left Machine\toy:1 [Privilege Rights] SeRemoteInteractiveLogonRight: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) stays and names nobody in dst.test: SeRemoteInteractiveLogonRight lets nobody log on in its place, which can lock everyone out",
            r"Warning source-sid-left Machine\toy:2 [Privilege Rights] SeDenyNetworkLogonRight: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) stays and names nobody in dst.test: SeDenyNetworkLogonRight denies nobody in its place",
            r"Warning source-sid-left Machine\toy:3 [Privilege Rights] SeBackupPrivilege: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) stays and names nobody in dst.test",
            r"Warning foreign-sid-left Machine\toy:4: S-1-5-21-7-7-7-5 stays and names nobody in dst.test",
            r#"Warning source-name-left Machine\toy:5: "SRC\nobody" stays and names nobody in dst.test"#,
            r#"Info unmapped-reference Machine\toy:6: name "text" has no row and stays"#,
        ]
    );
    assert_eq!(mapped.report.counts.without_row, 7);
}

#[tokio::test]
async fn exclusive_lists_every_reference_without_a_row() {
    let content = format!("{HELPDESK}\n{HELPDESK}\nsid S-1-5-32-544\nunc \\\\fs\\a\nall name text");
    let options = MapOptions {
        exclusive: true,
        scope: Scope::Gpmc,
        ..MapOptions::default()
    };
    let error = run(&content, Some(&table(&[])), options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
    assert_eq!(
        error.message(),
        "3 references have no row in the migration table"
    );
    assert_eq!(
        lines(error.details()),
        [
            r"Error unmapped-reference Machine\toy:1: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) has no row in the migration table",
            r"Error unmapped-reference Machine\toy:2: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) has no row in the migration table",
            r#"Error unmapped-reference Machine\toy:4: "\\fs\a" has no row in the migration table"#,
            r#"Info out-of-scope Machine\toy:5: "text" stays: GPMC does not map this place"#,
        ]
    );
    let table = table(&[
        ("UNCPath", r"\\fs\a", Destination::SameAsSource),
        ("GlobalGroup", r"SRC\Helpdesk", set("Support")),
    ]);
    let mapped = run(&content, Some(&table), options).await.unwrap();
    assert!(
        lines(&mapped.report.messages)[0]
            .starts_with(r"Info well-known-unlisted Machine\toy:3: S-1-5-32-544 (Administrators)")
    );
}

#[tokio::test]
async fn gpmc_scope_keeps_the_other_places() {
    let content = format!("{HELPDESK}\nall {HELPDESK}\nall sid S-1-5-21-1-1-1-1003");
    let table = table(&[
        ("GlobalGroup", r"SRC\Helpdesk", set("Support")),
        ("User", r"SRC\alice", set("bob")),
    ]);
    let options = MapOptions {
        scope: Scope::Gpmc,
        ..MapOptions::default()
    };
    let mapped = run(&content, Some(&table), options).await.unwrap();
    assert_eq!(
        text(&mapped),
        format!("{SUPPORT}\nall {HELPDESK}\nall sid S-1-5-21-1-1-1-1003")
    );
    assert_eq!(mapped.report.counts.out_of_scope, 2);
    assert_eq!(
        lines(&mapped.report.messages)[2],
        r#"Warning unused-row migration table t:8: source "SRC\alice" stands only in places outside the chosen scope"#
    );
}

#[tokio::test]
async fn sids_the_target_knows_are_not_left_over() {
    let domain = Domain {
        principals: vec![principal(SRC, 1001, "Helpdesk", GROUP)],
        same: true,
        ..Domain::default()
    };
    let content = format!("{HELPDESK}\nname SRC\\nobody\nsid S-1-5-21-1-1-1-1003");
    let mapped = map_with(
        &snapshot(&content),
        None,
        &domain,
        &MapOptions::default(),
        &toy,
    )
    .await
    .unwrap();
    assert_eq!(
        lines(&mapped.report.messages),
        [
            r"Warning source-sid-left Machine\toy:3: S-1-5-21-1-1-1-1003 (SRC\alice) stays and names nobody in SRC.test"
        ]
    );
}

#[tokio::test]
async fn the_inventory_follows_and_the_report_is_complete() {
    let table = table(&[
        ("GlobalGroup", r"SRC\Helpdesk", set("Support")),
        ("UNCPath", r"\\fs\apps", set(r"\\new\soft")),
        ("GlobalGroup", r"SRC\Admins", set("Support")),
    ]);
    let content = format!("{HELPDESK}\nunc \\\\fs\\apps\\a.msi|\\\\fs\\apps");
    let mapped = run(&content, Some(&table), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(
        mapped.snapshot.principals[0].principal,
        target().principals[0]
    );
    assert_eq!(
        mapped.snapshot.principals[4].principal.sam_account_name,
        "Admins"
    );
    assert_eq!(mapped.snapshot.file_paths, [r"\\new\soft"]);
    let report: Vec<(Option<u64>, Outcome)> = mapped
        .report
        .references
        .iter()
        .map(|r| (r.row_line, r.outcome.clone()))
        .collect();
    let replaced = |by: &str, sid: Option<&str>| Outcome::Replaced {
        by: by.to_owned(),
        sid: sid.map(|sid| sid.parse().unwrap()),
    };
    assert_eq!(
        report,
        [
            (
                Some(3),
                replaced(r"DST\Support", Some("S-1-5-21-2-2-2-2001"))
            ),
            (Some(8), replaced(r"\\new\soft\a.msi", None)),
        ]
    );
    assert_eq!(
        lines(&mapped.report.messages),
        [
            r#"Warning unused-row migration table t:13: source "SRC\Admins" matches nothing in the GPO"#
        ]
    );

    let options = MapOptions {
        dacl: true,
        ..MapOptions::default()
    };
    let mapped = run(&content, Some(&table), options).await.unwrap();
    assert!(mapped.report.messages.is_empty());
    let admins: Sid = "S-1-5-21-1-1-1-1004".parse().unwrap();
    assert_eq!(
        mapped.identities[&admins],
        replaced(r"DST\Support", Some("S-1-5-21-2-2-2-2001"))
    );
    assert_eq!(
        mapped.snapshot.principals[4].principal.sam_account_name,
        "Support"
    );
}

#[tokio::test]
async fn a_visitor_that_cannot_write_fails_the_mapping() {
    let table = table(&[("UNCPath", r"\\fs\a", set(r"\\refuse\b"))]);
    let error = run("unc \\\\fs\\a", Some(&table), MapOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert_eq!(
        error.message(),
        r"a file cannot be mapped: Machine\toy:1: cannot hold this path"
    );
}

#[tokio::test]
async fn a_file_that_does_not_parse_is_carried_and_told() {
    let mut snapshot = snapshot(HELPDESK);
    let path: RelPath = "User\\broken".parse().unwrap();
    snapshot
        .tree
        .insert_file(&path, Bytes::from_static(b"\xFF"));
    let table = table(&[("GlobalGroup", r"SRC\Helpdesk", set("Support"))]);
    let mapped = map_with(
        &snapshot,
        Some(&table),
        &target(),
        &MapOptions::default(),
        &toy,
    )
    .await
    .unwrap();
    assert_eq!(text(&mapped), SUPPORT);
    assert_eq!(
        mapped.snapshot.tree.file("user/broken").unwrap().as_ref(),
        b"\xFF"
    );
    assert_eq!(
        lines(&mapped.report.messages),
        [
            r"Warning unread-file User\broken: User\broken cannot be read, so its references are not known: it is not UTF-8"
        ]
    );
}

#[test]
fn a_scan_gives_what_a_backup_inventories() {
    let content = "sid S-1-5-21-1-1-1-1001\nname SRC\\alice\nname free text\nsid S-1-5-32-544\nall sid S-1-5-21-1-1-1-9\nunc \\\\fs\\a\\b.msi|\\\\fs\\a";
    let scan = crate::migration::scan::scan_with(&snapshot(content), &toy);
    let sids: Vec<String> = scan.gpmc_domain_sids().map(Sid::to_string).collect();
    assert_eq!(sids, ["S-1-5-21-1-1-1-1001", "S-1-5-21-1-1-1-1003"]);
    assert_eq!(scan.gpmc_sids.len(), 3);
    assert_eq!(scan.gpmc_names.iter().collect::<Vec<_>>(), ["free text"]);
    assert_eq!(scan.gpmc_unc_units.iter().collect::<Vec<_>>(), [r"\\fs\a"]);
    let first = &scan.references[0];
    assert_eq!(first.name.as_deref(), Some(r"SRC\Helpdesk"));
    assert_eq!(first.principal_type, Some(GROUP));
    let alice = &scan.references[1];
    assert_eq!(
        (alice.kind, alice.value.as_str()),
        (ReferenceKind::Principal, r"SRC\alice")
    );
    assert_eq!(
        alice.sid.as_ref().unwrap().to_string(),
        "S-1-5-21-1-1-1-1003"
    );
    assert_eq!(scan.references[5].kind, ReferenceKind::Unc);
}

#[tokio::test]
async fn ten_thousand_rows_and_references_in_no_time_and_always_the_same() {
    let count = 10_000;
    let mut entries = MigTable::new();
    entries
        .set_all((0..count).map(|n| crate::formats::migtable::Entry {
            source: format!("SRC\\g{n}"),
            kind: EntryType::Principal(GROUP),
            destination: set(&format!("DST\\g{n}")),
        }))
        .unwrap();
    let content: Vec<String> = (0..count).map(|n| format!("sid {SRC}-{n}")).collect();
    let expected: Vec<String> = (0..count).map(|n| format!("sid {DST}-{n}")).collect();
    let mut snapshot = snapshot(&content.join("\n"));
    snapshot.principals = (0..count)
        .map(|n| InventoryPrincipal {
            principal: principal(SRC, n, &format!("g{n}"), GROUP),
            from_dacl: false,
        })
        .collect();
    let domain = Domain {
        principals: (0..count)
            .map(|n| principal(DST, n, &format!("g{n}"), GROUP))
            .collect(),
        ..Domain::default()
    };
    let bytes = entries.to_bytes();
    let begin = std::time::Instant::now();
    let table = MigrationTable::parse("t", &bytes).unwrap();
    let read = begin.elapsed();
    let mapped = map_with(
        &snapshot,
        Some(&table),
        &domain,
        &MapOptions::default(),
        &toy,
    )
    .await
    .unwrap();
    let took = begin.elapsed();
    println!("read in {read:?}, read and mapped in {took:?}");
    assert_eq!(text(&mapped), expected.join("\n"));
    assert_eq!(
        mapped.report.counts.replaced,
        mapped.report.references.len()
    );
    // The bound is wide: it tells quadratic from linear on a busy machine without optimisation.
    assert!(took.as_secs() < 10, "{took:?}");
    let again = map_with(
        &snapshot,
        Some(&table),
        &domain,
        &MapOptions::default(),
        &toy,
    )
    .await
    .unwrap();
    assert_eq!(again.report, mapped.report);
    assert_eq!(again.snapshot.tree, mapped.snapshot.tree);
}
