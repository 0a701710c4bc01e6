//! Folders of backups that the tests create: names that could forge output, names that match several GPOs, retention.

use std::path::PathBuf;

use crate::support::*;

/// A folder with the index entries of backups, which is all that a list reads: ID, GPO, name and time of each.
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

/// Characters that a terminal would interpret or hide, and line breaks.
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

/// Escaped for XML.
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
        // Its name is the GUID of another GPO.
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
    assert!(done.stderr.contains("deleted 2 backups"), "{}", done.stderr);
    assert!(!dir.join(&expected[0]).exists() && !dir.join(&expected[1]).exists());
    let empty = tempfile::tempdir_in(scratch()).unwrap();
    let verified = gpoctl(&["backups", "verify", empty.path().to_str().unwrap()]);
    assert_eq!(verified.status, 1);
    assert!(
        verified.stderr.contains("no backup in"),
        "{}",
        verified.stderr
    );
}
