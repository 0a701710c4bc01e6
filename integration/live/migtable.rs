//! Migration tables between the two domains, from the first row to the import.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::support::*;
use serde_json::Value;

/// A path for a table of the test's own.
fn new_table() -> PathBuf {
    tempfile::tempdir_in(scratch())
        .unwrap()
        .keep()
        .join("lab.migtable")
}

/// Runs `gpoctl migtable` with `--json` on a table.
fn migtable(command: &str, table: &str, more: &[&str]) -> Said {
    let mut arguments = vec!["migtable", command, table, "--json"];
    arguments.extend(more);
    gpoctl(&arguments)
}

/// What `validate` says, whatever the status.
fn validate(table: &str, more: &[&str], status: i32) -> Value {
    let said = migtable("validate", table, more);
    assert_eq!(said.status, status, "{}{}", said.stdout, said.stderr);
    serde_json::from_str(&said.stdout).unwrap()
}

/// Type, source and destination option of every row.
fn rows(table: &str) -> Vec<[String; 3]> {
    let shown = migtable("show", table, &[]).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    shown["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| [&row["type"], &row["source"], &row["option"]].map(text))
        .collect()
}

/// The codes of findings, with the number of each.
fn codes(findings: &Value) -> BTreeMap<&str, usize> {
    let mut codes = BTreeMap::new();
    for finding in findings.as_array().unwrap() {
        *codes.entry(finding["code"].as_str().unwrap()).or_default() += 1;
    }
    codes
}

/// Names of the source, never SIDs, that an import leaves, and why.
const NAMES_LEFT: &[(&str, &str, &str)] = &[
    (
        "Machine/Preferences/ScheduledTasks/ScheduledTasks.xml",
        r"SRC\",
        "who wrote a task is a remark",
    ),
    (
        "Machine/Scripts/Startup/start.cmd",
        "src.test",
        "the text of scripts is nobody's but their author's",
    ),
    ("User/Scripts/Logon/logon.cmd", "src.test", "the same"),
];

#[test]
#[ignore = "needs the lab"]
fn a_populated_table_leaves_nothing_of_the_source() {
    let _alone = alone();
    let gpos = ["Everything", "Software"];
    let backups = back_up("src.test", &gpos);
    let folders: Vec<&str> = gpos.map(|name| backups[name].to_str().unwrap()).to_vec();

    // From the live GPOs and from their backups the rows are the same.
    let (live, stored) = (new_table(), new_table());
    let (table, stored) = (live.to_str().unwrap(), stored.to_str().unwrap());
    let from_gpo = [&["--domain", "src.test", "--from-gpo"][..], &gpos].concat();
    let populated = migtable("populate", table, &from_gpo).json();
    let from_backup = [&["--from-backup"][..], &folders].concat();
    migtable("populate", stored, &from_backup).json();
    assert_eq!(rows(table), rows(stored));
    assert!(rows(table).iter().all(|row| row[2] == "same-as-source"));
    let extras = populated["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["inventoried_by_gpmc"] == false)
        .count();
    assert!(extras >= 5, "{extras} references that GPMC does not find");

    // A second time there is nothing to add.
    let before = std::fs::read(table).unwrap();
    migtable("populate", table, &from_gpo).json();
    assert_eq!(std::fs::read(table).unwrap(), before);

    // What is certain is filled in, and nothing else.
    let target = ["--domain", "dst.test"];
    let dry = [&target[..], &["--dry-run"]].concat();
    migtable("suggest", table, &dry).json();
    assert_eq!(std::fs::read(table).unwrap(), before);
    let suggested = migtable("suggest", table, &target).json();
    let mut certain = BTreeMap::new();
    let mut open = BTreeMap::new();
    for row in suggested["rows"].as_array().unwrap() {
        let source = row["row"]["source"].as_str().unwrap();
        match row["destination"].as_str() {
            Some(destination) => certain.insert(source, destination),
            None => open.insert(
                source,
                row["candidates"][0]["destination"].as_str().unwrap_or(""),
            ),
        };
    }
    let same: BTreeMap<&str, &str> = [
        ("Domain Admins@src.test", "Domain Admins@dst.test"),
        ("Domain Users@src.test", "Domain Users@dst.test"),
        ("alice@src.test", "alice@dst.test"),
        ("carol@src.test", "carol@dst.test"),
        ("Server Admins@src.test", "Server Admins@dst.test"),
        ("GG-Workstations@src.test", "GG-Workstations@dst.test"),
        ("DL-Files@src.test", "DL-Files@dst.test"),
        ("Büro Nord@src.test", "Büro Nord@dst.test"),
        ("WS01$@src.test", "WS01$@dst.test"),
    ]
    .into();
    assert_eq!(certain, same);
    assert_eq!(open["Backup Crew@src.test"], "Backup Team@dst.test");
    assert_eq!((open["bob@src.test"], open["Helpdesk@src.test"]), ("", ""));

    // What is left is reported, as errors when every reference must have a destination in the target.
    let against = [
        &["--domain", "dst.test", "--exclusive", "--against"][..],
        &folders,
    ]
    .concat();
    let checked = validate(table, &against, 4);
    assert_eq!(checked["errors"], 0, "{checked:#}");
    assert_eq!(
        codes(&checked["findings"])["source-stays"],
        3,
        "{checked:#}"
    );

    // The user decides the rest.
    open.insert("bob@src.test", "dave@dst.test");
    open.insert("Helpdesk@src.test", "Support@dst.test");
    for (source, destination) in &open {
        // A local account of the clients.
        if *source != "Guest" {
            migtable("set", table, &[source, "--to", destination]).json();
        }
    }
    // The OU in item-level targeting is looked up too, and exists.
    let checked = validate(table, &against, 0);
    assert_eq!(codes(&checked["findings"]), BTreeMap::new(), "{checked:#}");

    // The search finds what it has to find: in the source everything is there, in every form.
    let (src, dst) = (domain_sid("src"), domain_sid("dst"));
    let source = gpo_named(&state("src"), "Everything");
    let found = search("src", &guid_of(&source), &[&src, "src.test"]);
    for form in ["utf-8", "utf-16", "binary"] {
        let hit = |hit: &Value| hit["form"] == form && hit["needle"] == src;
        assert!(found["found"].as_array().unwrap().iter().any(hit), "{form}");
    }

    for (name, folder) in gpos.iter().zip(&folders) {
        let into = fresh(&format!("Migrated {name}"));
        let options = [
            "--create",
            "--migration-table",
            table,
            "--exclusive",
            "--yes",
        ];
        let mut bytes = Vec::new();
        for _ in 0..2 {
            let done = import(folder.as_ref(), &into, &options).json();
            assert_eq!(done["status"], "done");
            bytes.push(sysvol_files(&gpo_named(&state("dst"), &into)));
        }
        assert_eq!(bytes[0], bytes[1], "the second import gave other bytes");
        let gpo = gpo_named(&state("dst"), &into);
        let searched = search(
            "dst",
            &guid_of(&gpo),
            &[&src, "src.test", "DC=src", r"SRC\"],
        );
        println!(
            "{name}: {} files, {} descriptors, {} values searched",
            searched["files"], searched["descriptors"], searched["values"]
        );
        assert!(
            searched["files"].as_u64().unwrap() >= 2 && searched["values"].as_u64().unwrap() >= 20,
            "{searched:#}"
        );
        for hit in searched["found"].as_array().unwrap() {
            let explained = NAMES_LEFT.iter().any(|(place, needle, _)| {
                hit["place"] == *place && hit["needle"] == *needle && hit["form"] == "utf-8"
            });
            assert!(explained, "{hit:#}");
        }
        // It does find SIDs there: those of the target.
        let own = search("dst", &guid_of(&gpo), &[&dst]);
        assert_ne!(own["found"], serde_json::json!([]));
    }
    assert_samba_checks_pass("dst");
}

#[test]
#[ignore = "needs the lab"]
fn a_bare_sid_is_looked_up_in_the_source() {
    let _alone = alone();
    let name = "Desktop Registry";
    let backup = &back_up("src.test", &[name])[name];
    let table = new_table();
    let table = table.to_str().unwrap();
    let folder = backup.to_str().unwrap();
    migtable("populate", table, &["--from-backup", folder]).json();
    let src = domain_sid("src");
    let by_sid = rows(table)
        .iter()
        .filter(|row| row[1].starts_with(&src))
        .count();
    assert_eq!(by_sid, 5, "{:?}", rows(table));
    // Without the source it cannot be determined; with it, all but one are certain.
    let alone = migtable("suggest", table, &["--domain", "dst.test"]).json();
    assert_eq!(alone["certain"], 0, "{alone:#}");
    let both = ["--domain", "dst.test", "--from", "src.test"];
    let suggested = migtable("suggest", table, &both).json();
    assert_eq!(suggested["certain"], 4, "{suggested:#}");
    for row in suggested["rows"].as_array().unwrap() {
        let source = row["row"]["source"].as_str().unwrap();
        if row["verdict"] == "open" {
            let destination = match row["name"].as_str() {
                Some(name) => {
                    assert_eq!(name, r"SRC\Helpdesk");
                    "Support@dst.test"
                }
                None => row["candidates"][0]["destination"].as_str().unwrap(),
            };
            migtable("set", table, &[source, "--to", destination]).json();
        }
    }
    let against = ["--domain", "dst.test", "--exclusive", "--against", folder];
    assert_eq!(
        validate(table, &against, 0)["findings"],
        serde_json::json!([])
    );
    let into = fresh("Migrated by SID");
    let options = [
        "--create",
        "--migration-table",
        table,
        "--exclusive",
        "--yes",
    ];
    import(backup, &into, &options).json();
    let gpo = gpo_named(&state("dst"), &into);
    let found = search("dst", &guid_of(&gpo), &[&src, "src.test"]);
    assert_eq!(found["found"], serde_json::json!([]), "{found:#}");
}

#[test]
#[ignore = "needs the lab"]
fn validate_reports_what_the_target_lacks() {
    let relative = || "<DestinationByRelativeName />".to_owned();
    let same = || "<DestinationSameAsSource />".to_owned();
    let src = domain_sid("src");
    let path = table(&[
        ("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test")),
        ("GlobalGroup", "a@src.test", set("Nobody@dst.test")),
        ("GlobalGroup", "b@src.test", set("alice@dst.test")),
        ("LocalGroup", "c@src.test", set(r"DST\Support")),
        ("User", "d@src.test", set("x@elsewhere.test")),
        ("User", "carol@src.test", relative()),
        ("User", "bob@src.test", relative()),
        ("User", r"SRC\Support", relative()),
        ("User", "gpoedit@src.test", same()),
        ("User", "alice@dst.test", same()),
        ("Unknown", "Administrators", same()),
        ("Unknown", &format!("{src}-1105"), relative()),
        ("Unknown", "Kiosk", set("No such text")),
    ]);
    let json = validate(path.to_str().unwrap(), &["--domain", "dst.test"], 1);
    let found: Vec<(u64, u64, &str, &str)> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            (
                finding["row"].as_u64().unwrap(),
                finding["line"].as_u64().unwrap(),
                finding["severity"].as_str().unwrap(),
                finding["code"].as_str().unwrap(),
            )
        })
        .collect();
    let line = |row: u64| 3 + 5 * (row - 1);
    let expected = [
        (2, "error", "destination-not-found"),
        (3, "warning", "destination-type"),
        (4, "warning", "destination-type"),
        (5, "error", "destination-other-domain"),
        (7, "error", "destination-not-found"),
        (8, "warning", "destination-type"),
        (9, "warning", "source-stays"),
        (12, "warning", "relative-name-unknown"),
        (13, "warning", "destination-text"),
    ]
    .map(|(row, severity, code)| (row, line(row), severity, code));
    assert_eq!(found, expected, "{json:#}");
}

#[test]
#[ignore = "needs the lab"]
fn validate_compares_with_gpos_and_backups() {
    let name = "Workstation Security";
    let backup = &back_up("src.test", &[name])[name];
    let path = table(&[
        ("User", "Helpdesk@src.test", set("Support@dst.test")),
        ("GlobalGroup", "Nobody@src.test", set("Support@dst.test")),
    ]);
    let path = path.to_str().unwrap();
    let stored = validate(path, &["--against", backup.to_str().unwrap()], 4);
    let live = validate(path, &["--against", name, "--from", "src.test"], 4);
    assert_eq!(stored["findings"], live["findings"]);
    let codes = codes(&live["findings"]);
    assert_eq!(
        (codes["type-mismatch"], codes["unused-row"]),
        (1, 1),
        "{live:#}"
    );
    assert!(codes["unmapped-reference"] > 5, "{live:#}");
    let exclusive = ["--against", name, "--from", "src.test", "--exclusive"];
    validate(path, &exclusive, 1);
    // A table from populate has a row for each of them, and no unused rows.
    let whole = new_table();
    let whole = whole.to_str().unwrap();
    migtable(
        "populate",
        whole,
        &["--from-gpo", name, "--domain", "src.test", "--include-dacl"],
    )
    .json();
    let arguments = [&exclusive[..], &["--strict"]].concat();
    let clean = validate(whole, &arguments, 0);
    assert_eq!(clean["findings"], serde_json::json!([]));
}

#[test]
#[ignore = "needs the lab"]
fn only_named_hosts_are_contacted() {
    let there = std::env::var("GPOCTL_LAB_DST_ADDRESS").unwrap();
    // An address of this host without a listener.
    let silent = "127.77.77.77";
    let path = table(&[
        (
            "UNCPath",
            r"\\fs1.src.test\a",
            set(&format!(r"\\{there}\netlogon")),
        ),
        (
            "UNCPath",
            r"\\fs1.src.test\b",
            set(&format!(r"\\{silent}\b\c")),
        ),
    ]);
    let path = path.to_str().unwrap();
    let ask = |hosts: &[&str], status: i32| {
        let arguments: Vec<&str> = hosts
            .iter()
            .flat_map(|host| ["--probe-unc", host])
            .collect();
        validate(path, &arguments, status)["findings"].clone()
    };
    assert_eq!(ask(&[], 0), serde_json::json!([]));
    assert_eq!(ask(&[&there], 0), serde_json::json!([]));
    let found = ask(&[&there, silent], 4);
    assert_eq!(codes(&found), BTreeMap::from([("unc-host-silent", 1)]));
    assert_eq!(
        (found[0]["row"].as_u64(), found[0]["line"].as_u64()),
        (Some(2), Some(8))
    );
}
