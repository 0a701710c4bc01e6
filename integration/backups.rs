//! `gpoctl backups` as a person uses it, on folders of this machine.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of test functions"
)]

#[path = "support.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use support::*;

/// The folders of the corpus that hold a Backup.xml, and those above them.
fn folders(corpus: &Path) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
    let (mut backups, mut above) = (BTreeSet::new(), BTreeSet::new());
    let mut waiting = vec![corpus.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.file_name().is_some_and(|name| name == "Backup.xml") {
                backups.insert(folder.clone());
                above.insert(folder.parent().unwrap().to_owned());
            }
        }
    }
    (backups, above)
}

#[test]
fn every_folder_of_the_corpus_is_listed_and_verified() {
    let Some(corpus) = corpus("every_folder_of_the_corpus_is_listed_and_verified") else {
        return;
    };
    let (backups, above) = folders(&corpus);
    let mut seen = BTreeSet::new();
    let mut lacking = 0;
    for folder in &above {
        let listed = gpoctl::backup::list(folder).unwrap();
        let verified = gpoctl::backup::verify_all(folder).unwrap();
        assert_eq!(listed.len(), verified.backups.len());
        for entry in verified.backups.iter().filter(|entry| entry.present) {
            seen.insert(entry.info.path.clone());
            // Nobody recorded hashes of these, and that is said, not passed over.
            let codes: Vec<&str> = entry.problems.iter().map(|p| p.code.as_str()).collect();
            assert!(codes.contains(&"not-verifiable"), "{entry:?}");
            let lacks = |p: &&gpoctl::message::StatusMessage| p.code == "missing-file";
            if let Some(problem) = entry.problems.iter().find(lacks) {
                assert_eq!(problem.severity, gpoctl::message::Severity::Error);
                lacking += 1;
            }
        }
    }
    let missing: Vec<_> = backups.difference(&seen).collect();
    assert!(missing.is_empty(), "{missing:?}");
    println!("{} backups in {} folders", seen.len(), above.len());
    // Those were published without some of their files.
    assert_eq!(lacking, 20);
}

/// A copy of a real backup under the name of its ID, in a folder of its own.
fn copy_of_a_real_backup(corpus: &Path) -> (PathBuf, String) {
    let dir = tempfile::tempdir_in(scratch()).unwrap().keep();
    let from = std::fs::read_dir(corpus.join("ms-baselinemanagement"))
        .unwrap()
        .flat_map(|entry| {
            let (backups, _) = folders(&entry.unwrap().path());
            backups
        })
        .find(|folder| folder.join("bkupInfo.xml").exists() && folder.join("DomainSysvol").exists())
        .unwrap();
    let status = std::process::Command::new("cp")
        .args(["-r", from.to_str().unwrap(), dir.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(status.success());
    let name = from.file_name().unwrap().to_str().unwrap().to_owned();
    (dir, name)
}

#[test]
fn delete_asks_for_an_id_and_removes_that_alone() {
    let Some(corpus) = corpus("delete_asks_for_an_id_and_removes_that_alone") else {
        return;
    };
    let (dir, name) = copy_of_a_real_backup(&corpus);
    let to = dir.to_str().unwrap();
    let listed = gpoctl(&["backups", "list", to, "--json"]).json();
    let gpo = listed["backups"][0]["display_name"].as_str().unwrap();
    let kept = dir.join("mine");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("x"), "x").unwrap();

    let said = gpoctl(&["backups", "delete", to, gpo, "--yes"]);
    assert_eq!(said.status, 2, "{}", said.stderr);
    assert!(said.stderr.contains("not the ID"), "{}", said.stderr);
    let said = gpoctl(&["backups", "delete", to, &name]);
    assert_eq!(said.status, 2, "{}", said.stderr);
    assert!(said.stderr.contains("--yes"), "{}", said.stderr);
    let said = gpoctl(&["backups", "delete", to, kept.to_str().unwrap(), "--yes"]);
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(dir.join(&name).join("Backup.xml").exists());

    let prefix = name.get(1..9).unwrap();
    let removed = gpoctl(&["backups", "delete", to, prefix, "--yes", "--json"]).json();
    assert_eq!(removed["removed"][0]["id"], name.as_str());
    assert!(!dir.join(&name).exists());
    assert!(kept.join("x").exists());
    let listed = gpoctl(&["backups", "list", to, "--json"]).json();
    assert_eq!(listed["backups"].as_array().unwrap().len(), 0);
}

#[test]
fn delete_leaves_what_was_not_named() {
    let Some(corpus) = corpus("delete_leaves_what_was_not_named") else {
        return;
    };
    let (dir, name) = copy_of_a_real_backup(&corpus);
    let (elsewhere, other) = copy_of_a_real_backup(&corpus);
    std::fs::rename(elsewhere.join(&other), elsewhere.join("abcdef")).unwrap();
    // Nothing tells whose backup this one is.
    std::fs::remove_file(dir.join(&name).join("bkupInfo.xml")).unwrap();
    let to = dir.to_str().unwrap();
    let outside = elsewhere.join("abcdef");
    let path = dir.join(&name);
    for (from, spec, status) in [
        (to, "", 2),
        (to, "{", 2),
        (to, name.get(1..4).unwrap(), 2),
        (to, "abcdef", 1),
        (to, "./abcdef", 1),
        (to, outside.to_str().unwrap(), 1),
        (path.to_str().unwrap(), name.as_str(), 1),
    ] {
        let said: Said = command(&["backups", "delete", from, spec, "--yes"])
            .current_dir(&elsewhere)
            .output()
            .unwrap()
            .into();
        assert_eq!(said.status, status, "{spec:?}: {}", said.stderr);
        assert!(path.join("Backup.xml").exists(), "{spec:?}");
        assert!(outside.join("Backup.xml").exists(), "{spec:?}");
    }
    let shown: Said = command(&["backups", "show", to, "abcdef"])
        .current_dir(&elsewhere)
        .output()
        .unwrap()
        .into();
    assert_eq!(shown.status, 1, "{}", shown.stderr);
    let said = gpoctl(&["backups", "show", to, ""]);
    assert_eq!(said.status, 1, "{}", said.stderr);
    // A path is as good as an ID.
    let said = gpoctl(&["backups", "delete", to, path.to_str().unwrap(), "--yes"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert!(!path.exists());
}

/// A folder with the index entries of backups, which is all that a list needs: ID, GPO, name and time of each.
fn folder_of(backups: &[(&str, &str, &str, &str)]) -> PathBuf {
    let dir = tempfile::tempdir_in(scratch()).unwrap().keep();
    for (id, gpo, name, time) in backups {
        let folder = dir.join(format!("{{{id}}}"));
        std::fs::create_dir(&folder).unwrap();
        let text = format!(
            "<BackupInst xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest\"><GPOGuid><![CDATA[{{{gpo}}}]]></GPOGuid><GPODomain><![CDATA[src.test]]></GPODomain><GPODomainGuid><![CDATA[{{6AC1786C-016F-11D2-945F-00C04FB984F9}}]]></GPODomainGuid><GPODomainController><![CDATA[dc1.src.test]]></GPODomainController><BackupTime><![CDATA[{time}]]></BackupTime><ID><![CDATA[{{{id}}}]]></ID><Comment><![CDATA[]]></Comment><GPODisplayName>{name}</GPODisplayName></BackupInst>"
        );
        std::fs::write(folder.join("bkupInfo.xml"), text).unwrap();
        std::fs::write(folder.join("Backup.xml"), "<x/>").unwrap();
    }
    dir
}

const ONE: &str = "7F2DE5D7-B30E-4F9D-BA75-BCD4990C0901";
const TWO: &str = "8F2DE5D7-B30E-4F9D-BA75-BCD4990C0902";
const THREE: &str = "9F2DE5D7-B30E-4F9D-BA75-BCD4990C0903";
const GPO: &str = "A1B20001-0C4E-4D1A-8F00-5A3B7C9D0001";
const OTHER: &str = "A1B20002-0C4E-4D1A-8F00-5A3B7C9D0002";

/// What a terminal would obey or hide, and what would begin a line of its own.
fn assert_nothing_forged(said: &Said, what: &str) {
    for text in [&said.stdout, &said.stderr] {
        let bad = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        assert!(!text.contains(bad), "{what}: {text:?}");
        assert!(
            !text
                .lines()
                .any(|line| line.trim_start().starts_with("forged")),
            "{what}: {text}"
        );
    }
}

/// As XML writes it.
const HOSTILE: &str = "Evil&#10;forged&#x2028;forged&#x202E;&#xFEFF;&#x200B;&#x85;";

#[test]
fn a_hostile_name_forges_nothing_and_json_is_exact() {
    let dir = folder_of(&[
        (ONE, GPO, HOSTILE, "2026-01-01T00:00:00"),
        (TWO, OTHER, HOSTILE, "2026-01-02T00:00:00"),
    ]);
    let to = dir.to_str().unwrap();
    let name = "Evil\nforged\u{2028}forged\u{202e}\u{feff}\u{200b}\u{85}";
    for (arguments, shows) in [
        (vec!["backups", "list", to], true),
        (vec!["backups", "list", to, "--latest"], true),
        (vec!["backups", "verify", to], true),
        (vec!["backups", "delete", to, "7f2de5d7"], true),
        (vec!["backups", "prune", to, "--keep-last", "1"], true),
        (vec!["backups", "show", to, name], true),
        (vec!["backups", "show", to, "7f2de5d7"], false),
        (vec!["backups", "show", to, "no\u{202e}such\nforged"], false),
        (vec!["diff", name, "x", "--backup-dir", to], true),
        (
            vec!["migtable", "populate", "x", "--backup-dir", to, "--all"],
            false,
        ),
        (
            vec!["import", name, "--backup-dir", to, "--into", "x"],
            true,
        ),
    ] {
        let said = gpoctl(&arguments);
        let what = format!("{arguments:?}");
        assert_nothing_forged(&said, &what);
        let all = format!("{}{}", said.stdout, said.stderr);
        let escaped = "Evil\\nforged\\u{2028}forged\\u{202e}\\u{feff}\\u{200b}\\u{85}";
        assert!(!shows || all.contains(escaped), "{what}: {all}");
    }
    let listed = gpoctl(&["backups", "list", to, "--json"]).json();
    assert_eq!(listed["backups"][0]["display_name"], name);
}

#[test]
fn a_hostile_journal_or_table_forges_nothing() {
    let state = tempfile::tempdir_in(scratch()).unwrap();
    let id = "20260131T120000.250Z-1f2e3d4c";
    let folder = state.path().join("gpoctl/operations").join(id);
    std::fs::create_dir_all(&folder).unwrap();
    let title = "link\nforged\u{2028}forged\u{202e}\u{1b}[2J";
    let plan = serde_json::json!({ "title": title, "domain": "src.test" });
    std::fs::write(folder.join("plan.json"), plan.to_string()).unwrap();
    let reason = serde_json::json!({ "event": "failed", "reason": title });
    std::fs::write(folder.join("journal.jsonl"), reason.to_string()).unwrap();
    let table = state.path().join("x.migtable");
    let text = "<MigrationTable xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\"><Mapping><Type>User</Type><Source>a&#10;forged&#x202E;@b</Source><Destination>c&#x2028;forged@d</Destination></Mapping></MigrationTable>";
    std::fs::write(&table, text).unwrap();
    let table = table.to_str().unwrap();
    for arguments in [
        vec!["operations", "list"],
        vec!["operations", "show", "1f2e3d4c"],
        vec!["operations", "show", "\u{202e}\nforged"],
        vec!["operations", "prune", "--keep-last", "1", "--dry-run"],
        vec!["operations", "cleanup", "1f2e3d4c"],
        vec!["migtable", "show", table],
        vec!["migtable", "validate", table],
        vec!["migtable", "remove", table, "x\u{202e}\nforged"],
        vec!["migtable", "set", table, "x\u{202e}\nforged", "--same"],
        vec!["apply", "no\u{202e}such\nforged"],
        vec!["list", "--domain", "x\u{202e}\nforged"],
    ] {
        let said: Said = command(&arguments)
            .env("XDG_STATE_HOME", state.path())
            .env("XDG_CONFIG_HOME", state.path())
            .output()
            .unwrap()
            .into();
        assert_nothing_forged(&said, &format!("{arguments:?}"));
    }
}

#[test]
fn a_name_of_two_gpos_is_ambiguous_and_a_guid_is_a_guid() {
    let dir = folder_of(&[
        (ONE, GPO, "Twin", "2026-01-01T00:00:00"),
        (TWO, OTHER, "twin", "2026-01-01T00:00:00"),
        // Named like the GUID of another GPO.
        (THREE, OTHER, &format!("{{{GPO}}}"), "2026-01-03T00:00:00"),
    ]);
    let to = dir.to_str().unwrap();
    let said = gpoctl(&["import", "TWIN", "--backup-dir", to, "--into", "x"]);
    assert_eq!(said.status, 1);
    assert!(
        said.stderr.contains("\"TWIN\" matches 2 backups"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains(ONE) && said.stderr.contains(TWO),
        "{}",
        said.stderr
    );
    let resolved = gpoctl::backup::resolve(&format!("{{{GPO}}}"), Some(&dir)).unwrap();
    assert!(resolved.ends_with(format!("{{{ONE}}}")), "{resolved:?}");
}

#[test]
fn prune_keeps_by_rule_and_removes_the_rest() {
    let days = ["2026-01-01", "2026-01-02", "2026-01-02", "2026-01-03"];
    let ids: Vec<String> = (1..=4)
        .map(|n| format!("7F2DE5D7-B30E-4F9D-BA75-BCD4990C090{n}"))
        .collect();
    let times: Vec<String> = days
        .iter()
        .enumerate()
        .map(|(hour, day)| format!("{day}T0{hour}:00:00"))
        .collect();
    let backups: Vec<(&str, &str, &str, &str)> = ids
        .iter()
        .zip(&times)
        .map(|(id, time)| (id.as_str(), GPO, "Nightly", time.as_str()))
        .collect();
    let dir = folder_of(&backups);
    let to = dir.to_str().unwrap();
    let none = gpoctl(&["backups", "prune", to]);
    assert_eq!(none.status, 2, "{}", none.stderr);
    let asked = gpoctl(&["backups", "prune", to, "--keep-daily", "2"]);
    assert_eq!(asked.status, 2, "{}", asked.stderr);
    let dry = gpoctl(&[
        "backups",
        "prune",
        to,
        "--keep-daily",
        "2",
        "--dry-run",
        "--json",
    ])
    .json();
    let removed = |value: &serde_json::Value| -> Vec<String> {
        let list = value["removed"].as_array().unwrap();
        list.iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let expected = [format!("{{{}}}", ids[0]), format!("{{{}}}", ids[1])];
    assert_eq!(removed(&dry), expected);
    assert_eq!(dry["kept"][1]["keep"], serde_json::json!(["daily"]));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 4);
    let done = gpoctl(&["backups", "prune", to, "--keep-daily", "2", "--yes"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(done.stderr.contains("removed 2 backups"), "{}", done.stderr);
    assert!(!dir.join(&expected[0]).exists() && !dir.join(&expected[1]).exists());
    let empty = tempfile::tempdir_in(scratch()).unwrap();
    let verified = gpoctl(&["backups", "verify", empty.path().to_str().unwrap()]);
    assert_eq!(verified.status, 1);
    assert!(
        verified.stderr.contains("there is no backup in"),
        "{}",
        verified.stderr
    );
}
