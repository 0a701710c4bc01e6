//! UNC paths, what is left, exclusive tables, scopes, and the result as a whole.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::migration::map::index::{IndexedOccurrence, Part, PartSource, ReferenceIndex};

#[tokio::test]
async fn unusable_rows_fail_before_the_directory_is_queried() {
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
async fn prefix_rows_are_reported_in_exact_mode_and_used_on_request() {
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
            r#"Info would-match-by-prefix Machine\toy:1: "\\fs\HOMES\%USERNAME%\x" is left unchanged; the row "\\fs\homes" in line 3 is for a folder above it"#,
            r#"Info would-match-by-prefix Machine\toy:2: "\\fs\homes\Deep\y" is left unchanged; the row "\\fs\homes\deep" in line 8 is for a folder above it"#,
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
async fn unmapped_references_are_reported_by_severity() {
    let content = "key=SeRemoteInteractiveLogonRight sid S-1-5-21-1-1-1-1001\nkey=SeDenyNetworkLogonRight sid S-1-5-21-1-1-1-1001\nkey=SeBackupPrivilege sid S-1-5-21-1-1-1-1001\nsid S-1-5-21-7-7-7-5\nname SRC\\nobody\nname text\nsid S-1-5-80-1";
    let mapped = run(content, Some(&table(&[])), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(text(&mapped), content);
    assert_eq!(
        lines(&mapped.report.messages),
        [
            r"Warning source-sid-left Machine\toy:1 [Privilege Rights] SeRemoteInteractiveLogonRight: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) is left unchanged and does not exist in dst.test: without it, SeRemoteInteractiveLogonRight may leave nobody able to log on",
            r"Warning source-sid-left Machine\toy:2 [Privilege Rights] SeDenyNetworkLogonRight: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) is left unchanged and does not exist in dst.test: without it, SeDenyNetworkLogonRight denies nobody",
            r"Warning source-sid-left Machine\toy:3 [Privilege Rights] SeBackupPrivilege: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) is left unchanged and does not exist in dst.test",
            r"Warning foreign-sid-left Machine\toy:4: S-1-5-21-7-7-7-5 is left unchanged and does not exist in dst.test",
            r#"Warning source-name-left Machine\toy:5: "SRC\nobody" is left unchanged and does not exist in dst.test"#,
            r#"Info unmapped-reference Machine\toy:6: name "text" has no row and is left unchanged"#,
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
            r#"Info out-of-scope Machine\toy:5: "text" is left unchanged: GPMC does not map this place"#,
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
        r#"Warning unused-row migration table t:8: source "SRC\alice" is used only in places outside the chosen scope"#
    );
}

#[tokio::test]
async fn sids_that_exist_in_the_target_are_not_reported() {
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
            r"Warning source-sid-left Machine\toy:3: S-1-5-21-1-1-1-1003 (SRC\alice) is left unchanged and does not exist in SRC.test"
        ]
    );
}

#[tokio::test]
async fn the_inventory_is_updated_and_the_report_complete() {
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
        [r#"Warning unused-row migration table t:13: source "SRC\Admins" is not used by this GPO"#]
    );

    let options = MapOptions {
        dacl: true,
        ..MapOptions::default()
    };
    let mapped = run(&content, Some(&table), options).await.unwrap();
    assert!(mapped.report.messages.is_empty());
    let admins: Sid = "S-1-5-21-1-1-1-1004".parse().unwrap();
    assert_eq!(
        mapped.sid_outcomes[&admins],
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
async fn an_unparsable_file_is_copied_and_reported() {
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
            r"Warning unread-file User\broken: cannot be read, so its references are not known: it is not UTF-8"
        ]
    );
}

#[test]
fn a_scan_returns_what_a_backup_inventories() {
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
async fn ten_thousand_rows_and_references_are_mapped_and_always_the_same() {
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
    let table = MigrationTable::parse("t", &bytes).unwrap();
    let mapped = map_with(
        &snapshot,
        Some(&table),
        &domain,
        &MapOptions::default(),
        &toy,
    )
    .await
    .unwrap();
    assert_eq!(text(&mapped), expected.join("\n"));
    assert_eq!(
        mapped.report.counts.replaced,
        mapped.report.references.len()
    );
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

/// What does not fit together ends the mapping; nothing is left unchanged for it.
#[tokio::test]
async fn an_index_that_does_not_fit_is_an_internal_error() {
    type Tamper = fn(&mut ReferenceIndex<'_>);
    let gpo = snapshot(&format!("{HELPDESK}\nsid S-1-5-21-1-1-1-1003\n"));
    let table = table(&[("GlobalGroup", r"SRC\Helpdesk", set("Support"))]);
    let options = MapOptions::default();
    let domain = target();
    let mapped = async |tamper: Tamper| {
        let mut index = index(&gpo, &options, &toy)?;
        tamper(&mut index);
        rewrite(resolve(index, Some(&table), &domain, &options).await?, &toy)
    };
    let fitting = mapped(|_| {}).await.unwrap();
    assert_eq!(fitting.report.counts.replaced, 1);
    let cases: [(Tamper, &str); 7] = [
        (
            |index| {
                index.references.pop();
            },
            r"there is no decision for the reference at Machine\toy:2",
        ),
        (
            |index| index.parts[0].references[1].reference = 2,
            r"there is no decision for the reference at Machine\toy:2",
        ),
        (
            |index| {
                let places = &mut index.parts[0].references;
                (places[0].reference, places[1].reference) = (1, 0);
            },
            r"the reference at Machine\toy:1 was not indexed",
        ),
        (
            |index| {
                index.parts[0].references.pop();
            },
            r"the reference at Machine\toy:2 was not indexed",
        ),
        (
            |index| index.parts[0].references.swap(0, 1),
            r"the reference at Machine\toy:1 was not indexed",
        ),
        (
            |index| {
                index.parts[0].references.push(IndexedOccurrence {
                    place: Place::file("a file").line(9),
                    scope: Scope::All,
                    spelled: None,
                    reference: 0,
                });
            },
            "the reference at a file:9 was indexed, but not found again",
        ),
        (
            |index| {
                index.parts.push(Part {
                    source: PartSource::DirectoryObject(0),
                    references: Vec::new(),
                });
            },
            "there is no directory object 0",
        ),
    ];
    for (tamper, message) in cases {
        let error = mapped(tamper).await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        assert_eq!(error.message(), message);
    }
}

/// A visitor that finds other references when it rewrites would leave some of them unmapped.
#[tokio::test]
async fn a_visitor_that_finds_other_references_later_is_an_internal_error() {
    let table = table(&[("GlobalGroup", r"SRC\Helpdesk", set("Support"))]);
    for (later, message) in [
        (
            format!("{HELPDESK}\n{HELPDESK}"),
            r"the reference at Machine\toy:2 was not indexed",
        ),
        (
            String::new(),
            r"the reference at Machine\toy:1 was indexed, but not found again",
        ),
    ] {
        let visits = AtomicUsize::new(0);
        let visit = |path: &RelPath, content: &Bytes, visitor: &mut Visitor<'_>| {
            // The index takes two visits.
            if visits.fetch_add(1, Ordering::Relaxed) < 2 {
                toy(path, content, visitor)
            } else {
                toy(path, &Bytes::from(later.clone()), visitor)
            }
        };
        let gpo = snapshot(HELPDESK);
        let options = MapOptions::default();
        let error = map_with(&gpo, Some(&table), &target(), &options, &visit).await;
        let error = error.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        assert_eq!(error.message(), message);
    }
}

/// An answer that is missing is not a destination that does not exist.
#[tokio::test]
async fn a_domain_that_returns_too_few_results_is_refused() {
    let rows = table(&[(
        "Unknown",
        "OU=Crew,DC=src,DC=test",
        set("OU=Staff,DC=dst,DC=test"),
    )]);
    let gpo = snapshot("name OU=Crew,DC=src,DC=test\n");
    let options = MapOptions::default();
    let forgetful = Domain {
        forgets: true,
        ..target()
    };
    map_with(&gpo, Some(&rows), &target(), &options, &toy)
        .await
        .unwrap();
    let error = map_with(&gpo, Some(&rows), &forgetful, &options, &toy)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadDirectory);
    assert_eq!(
        error.message(),
        "domain dst.test returned 0 results for 1 object lookups"
    );
}
