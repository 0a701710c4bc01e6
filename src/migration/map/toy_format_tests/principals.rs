//! Who matches whom, and what becomes of them.

use super::*;
use crate::message::Code;

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
async fn sid_name_pairs_identify_lone_sids_and_names() {
    // Not in the inventory: the pair comes last and identifies both.
    let content =
        "all sid S-1-5-21-1-1-1-1050\nall name SRC\\Ops\nall both S-1-5-21-1-1-1-1050 SRC\\Ops";
    let expected =
        "sid S-1-5-21-2-2-2-2001\nsid S-1-5-21-2-2-2-2001\nboth S-1-5-21-2-2-2-2001 DST\\Support";
    for (kind, source) in [
        ("GlobalGroup", "SRC\\Ops"),
        ("GlobalGroup", "ops@src.test"),
        ("Unknown", "S-1-5-21-1-1-1-1050"),
    ] {
        let rows = [(kind, source, set("Support"))];
        assert_eq!(mapped(content, &rows).await, expected, "{source}");
    }
    // Contradicting pairs identify nobody.
    let content = format!("{content}\nall both S-1-5-21-1-1-1-1050 SRC\\Other");
    let rows = [("GlobalGroup", "SRC\\Ops", set("Support"))];
    assert!(
        mapped(&content, &rows)
            .await
            .starts_with("all sid S-1-5-21-1-1-1-1050\n")
    );
}

#[tokio::test]
async fn mismatched_sid_name_pairs_are_reported() {
    for (content, why) in [
        ("both S-1-5-21-1-1-1-1001 SRC\\alice", "(SRC\\Helpdesk)"),
        ("both S-1-5-21-1-1-1-1099 SRC\\alice", "1003 (SRC\\alice)"),
        ("both S-1-5-32-544 Users", "is Administrators"),
        (
            "both S-1-5-21-1-1-1-7 SRC\\x\nboth S-1-5-21-1-1-1-7 SRC\\y",
            "elsewhere this SID is paired with \"x\"",
        ),
        (
            "both S-1-5-21-1-1-1-7 SRC\\x\nboth S-1-5-21-1-1-1-8 src\\X",
            "elsewhere this name is paired with S-1-5-21-1-1-1-7",
        ),
    ] {
        let scanned = crate::migration::scan::scan_with(&snapshot(content), &toy);
        let mapped = run(content, None, MapOptions::default()).await.unwrap();
        for messages in [scanned.messages, mapped.report.messages] {
            let told: Vec<&StatusMessage> = messages
                .iter()
                .filter(|m| m.code == Code::NameSidMismatch)
                .collect();
            assert_eq!(told.len(), 1, "{content}");
            assert!(told[0].text.contains(why), "{}", told[0].text);
        }
    }
    for content in [
        "both S-1-5-21-1-1-1-1001 src\\HELPDESK\nboth S-1-5-21-1-1-1-1001 Helpdesk",
        "both S-1-5-32-544 Administrators (built-in)",
        "both S-1-5-32-544 Administratoren",
        "both S-1-5-21-1-1-1-7 SRC\\x\nboth S-1-5-21-1-1-1-7 src.test\\X",
    ] {
        let scanned = crate::migration::scan::scan_with(&snapshot(content), &toy);
        assert_eq!(scanned.messages, [], "{content}");
    }
}

#[tokio::test]
async fn unmapped_names_of_the_source_domain_are_reported() {
    let content =
        "name SRC\nname src.TEST\nname OU=a,DC=src,DC=test\nname OU=a,DC=dst,DC=test\nname other";
    let mapped = run(content, None, MapOptions::default()).await.unwrap();
    let told: Vec<u64> = mapped
        .report
        .messages
        .iter()
        .filter(|m| m.code == Code::SourceNameLeft)
        .filter_map(|m| m.place.as_ref()?.line)
        .collect();
    assert_eq!(told, [1, 2, 3]);
}

#[tokio::test]
async fn bare_sources_need_the_type_unknown() {
    let table = table(&[("GlobalGroup", "Helpdesk", set("Support"))]);
    let mapped = run(HELPDESK, Some(&table), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(text(&mapped), HELPDESK);
    let codes: Vec<Code> = mapped.report.messages.iter().map(|m| m.code).collect();
    assert_eq!(
        codes,
        [Code::BareSource, Code::SourceSidLeft, Code::UnusedRow]
    );
}

#[tokio::test]
async fn a_bare_name_row_matches_text_of_that_name() {
    let text_row = ("Unknown", "alice", set("Support"));
    let user_row = ("User", "alice@src.test", set("bob"));
    let content = "name alice\nsid S-1-5-21-1-1-1-1003\nname SRC\\alice";
    let (support, bob) = ("sid S-1-5-21-2-2-2-2001", "sid S-1-5-21-2-2-2-2004");
    let alice = "sid S-1-5-21-1-1-1-1003\nname SRC\\alice";
    let both = format!("{support}\n{bob}\n{bob}");
    // Whether or not the source has the text in its inventory.
    for inventoried in [false, true] {
        let mut source = snapshot(content);
        if inventoried {
            source.principals.push(InventoryPrincipal {
                principal: Principal::named("alice"),
                from_dacl: false,
            });
        }
        let alone = match inventoried {
            true => format!("{support}\n{alice}"),
            false => format!("{support}\n{support}\n{support}"),
        };
        for (rows, expected) in [
            (vec![text_row.clone(), user_row.clone()], &both),
            (vec![user_row.clone(), text_row.clone()], &both),
            (vec![text_row.clone()], &alone),
        ] {
            let table = table(&rows);
            let options = MapOptions::default();
            let mapped = map_with(&source, Some(&table), &target(), &options, &toy)
                .await
                .unwrap();
            assert_eq!(text(&mapped), *expected, "{inventoried} {rows:?}");
        }
    }
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
            r#"Error ambiguous-rows Machine\toy:1: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) is matched by the rows in lines 3 ("SRC\Helpdesk") and 8 ("helpdesk@src.test")"#
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
            r#"Warning destination-type migration table t:3: destination "bob" is of type User, but the row has the type LocalGroup"#,
            r#"Warning type-mismatch migration table t:3: S-1-5-21-1-1-1-1001 (SRC\Helpdesk) is of type GlobalGroup, but its row has the type LocalGroup"#,
        ]
    );
}

#[tokio::test]
async fn computers_match_with_and_without_dollar() {
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
async fn well_known_principals_match_by_english_name() {
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
            r#"Warning source-sid-left Machine\toy:2: S-1-5-21-1-1-1-1003 (SRC\alice) is left unchanged and does not exist in dst.test"#,
            r#"Warning setting-removed Machine\toy:1: a line less"#,
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
    assert_eq!(mapped.sid_outcomes.len(), 2);
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
async fn a_relative_name_of_another_type_is_a_warning() {
    let content = "sid S-1-5-21-1-1-1-1009\nname SRC\\Support";
    let mut source = snapshot(content);
    source.principals.push(InventoryPrincipal {
        principal: principal(SRC, 1009, "Support", PrincipalType::User),
        from_dacl: false,
    });
    for (kind, row, told) in [
        (
            "User",
            "Support@src.test",
            Some("the row has the type User"),
        ),
        (
            "Unknown",
            "S-1-5-21-1-1-1-1009",
            Some("the source has the type User"),
        ),
        ("GlobalGroup", "Support@src.test", None),
    ] {
        let table = table(&[(kind, row, Destination::ByRelativeName)]);
        let options = MapOptions::default();
        let mapped = map_with(&source, Some(&table), &target(), &options, &toy)
            .await
            .unwrap();
        assert!(text(&mapped).starts_with(SUPPORT));
        let warnings: Vec<String> = lines(&mapped.report.messages)
            .into_iter()
            .filter(|line| line.contains("destination-type"))
            .collect();
        let expected = told.map(|told| {
            format!(
                "Warning destination-type migration table t:3: the relative name of \"{row}\" resolves to DST\\Support in the target, of type GlobalGroup, but {told}"
            )
        });
        assert_eq!(warnings, Vec::from_iter(expected), "{row}");
    }
}

#[tokio::test]
async fn all_missing_destinations_are_listed() {
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
        "4 destinations do not identify exactly one principal in dst.test"
    );
    assert_eq!(
        lines(error.details()),
        [
            r#"Error destination-not-found migration table t:3: destination "DST\gone" does not exist in dst.test"#,
            r#"Error destination-ambiguous migration table t:8: destination "twice" matches several principals in dst.test: DST\one, DST\two"#,
            r#"Error destination-other-domain migration table t:13: destination "OTHER\x" is in the domain OTHER, which is unknown to dst.test"#,
            r#"Error destination-not-found migration table t:18: destination "S-1-5-21-2-2-2-9999" does not exist in dst.test"#,
        ]
    );
}

#[tokio::test]
async fn text_may_become_text_but_not_a_missing_domain_name() {
    let content = "name guest text";
    for (destination, stays) in [
        ("other text", true),
        ("OU=x\\, y,DC=dst,DC=test", true),
        ("Tier0 Admnis@dst.test", false),
        (r"DST\Typo", false),
        (r"dst.test\Typo", false),
    ] {
        let table = table(&[("Unknown", "guest text", set(destination))]);
        match run(content, Some(&table), MapOptions::default()).await {
            Ok(mapped) => {
                assert!(stays, "{destination}");
                assert_eq!(text(&mapped), format!("name {destination}"));
                assert_eq!(mapped.report.messages[0].code, Code::DestinationText);
            }
            Err(error) => {
                assert!(!stays, "{destination}");
                assert_eq!(error.kind(), ErrorKind::Unmapped);
                assert_eq!(error.details()[0].code, Code::DestinationNotFound);
            }
        }
    }
}

#[tokio::test]
async fn the_sid_of_another_domain_is_written_unchecked() {
    let table = table(&[("GlobalGroup", r"SRC\Helpdesk", set("S-1-5-21-7-7-7-519"))]);
    let content = format!("{HELPDESK}\nboth S-1-5-21-1-1-1-1001 SRC\\Helpdesk");
    let mapped = run(&content, Some(&table), MapOptions::default())
        .await
        .unwrap();
    assert_eq!(
        text(&mapped),
        "sid S-1-5-21-7-7-7-519\nboth S-1-5-21-7-7-7-519 S-1-5-21-7-7-7-519"
    );
    assert_eq!(
        lines(&mapped.report.messages),
        [
            r#"Warning destination-foreign-sid migration table t:3: destination "S-1-5-21-7-7-7-519" is in a domain that is unknown to dst.test, so it is written unchecked"#
        ]
    );
    assert_eq!(
        mapped.snapshot.principals[0].principal,
        Principal::unresolved("S-1-5-21-7-7-7-519".parse().unwrap())
    );
}

#[tokio::test]
async fn all_lookups_are_distinct_and_in_one_call() {
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
async fn unresolved_text_never_replaces_a_sid() {
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
