//! A client has a part of a GPO open while gpoctl changes it. Windows and Samba since 4.22 let nobody rename a folder below which
//! something is open, nor replace an open file; Samba 4.17 does. Either way a file that is closed soon delays an operation, and one
//! that stays open ends it without a change, or leaves an old file to clean up.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::*;
use serde_json::Value;

const DOMAIN: &str = "dst.test";
const FILE: &str = r"Machine\Registry.pol";
/// What is open, and the share rights that the client gives to others: all, or all but deletion.
const OPEN: [(&str, u32); 4] = [(FILE, 7), (FILE, 3), ("GPT.INI", 3), ("Machine", 3)];
/// How long a file is open after gpoctl has met it.
const SHORT: Duration = Duration::from_secs(2);

/// What an open file does to an import.
#[derive(Debug, PartialEq)]
enum Effect {
    Nothing,
    HoldsOldFiles,
    Prevents,
}

fn effect((path, share): (&str, u32)) -> Effect {
    let holds_names = open_files_hold_names();
    match path {
        "GPT.INI" if !holds_names => Effect::Nothing,
        // The folder is renamed; then a reader that shares the file for deletion does not keep the old one.
        FILE if !holds_names && share == 7 => Effect::Nothing,
        FILE if !holds_names => Effect::HoldsOldFiles,
        _ => {
            assert!(share == 3 || path == FILE);
            Effect::Prevents
        }
    }
}

/// A GPO of DST.TEST with settings, and a backup with others.
struct Case {
    name: String,
    guid: String,
    other: String,
}

impl Case {
    fn new(name: &str) -> Self {
        let name = fresh(name);
        let backups = back_up("src.test", &["Desktop Registry", "Everything"]);
        import(&backups["Desktop Registry"], &name, &["--create", "--yes"]).json();
        let guid = guid_of(&gpo_named(&state("dst"), &name));
        Self {
            other: backups["Everything"].to_str().unwrap().to_owned(),
            name,
            guid,
        }
    }

    fn open(&self, (path, share): (&str, u32)) -> OpenFile {
        let path = format!(r"dst.test\Policies\{}\{path}", self.guid);
        OpenFile::open("dst", &path, 1, share, false)
    }

    fn now(&self) -> Value {
        gpo_named(&state("dst"), &self.name)
    }

    fn import(&self) -> Vec<&str> {
        vec!["import", &self.other, "--into", &self.name]
    }

    /// Samba's check of every file, and gpoctl's of this GPO.
    fn nothing_is_wrong(&self) {
        judge("dst", &["sysvolcheck"]);
        let said = gpoctl(&["check", &self.name, "--domain", DOMAIN]);
        assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
    }
}

/// Runs gpoctl while a file is open that is closed some time after gpoctl has met it, or, if it does not, at the end.
fn run_against(file: OpenFile, arguments: &[&str], meets_it: bool) -> Said {
    let more = ["--domain", DOMAIN, "--yes", "--json", "-v"];
    let mut child = command(&[arguments, &more].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = String::new();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut met = None;
    while log.read_line(&mut stderr).unwrap() > 0 {
        if met.is_none() && stderr.contains("Waiting until it is closed: ") {
            std::thread::sleep(SHORT);
            met = Some(Instant::now());
            break;
        }
    }
    drop(file);
    while log.read_line(&mut stderr).unwrap() > 0 {}
    let output = child.wait_with_output().unwrap();
    assert_eq!(met.is_some(), meets_it, "{stderr}");
    Said {
        stderr,
        ..output.into()
    }
}

fn undo(result: &Value) -> Vec<String> {
    let operation = result["operation_id"].as_str().unwrap();
    ["operations", "undo", operation].map(str::to_owned).into()
}

#[test]
#[ignore = "needs the lab"]
fn an_import_and_its_undo_wait_until_a_file_is_closed() {
    let _alone = alone();
    let case = Case::new("Held for a moment");
    for (number, open) in OPEN.into_iter().enumerate() {
        let before = case.now();
        let meets_it = effect(open) != Effect::Nothing;
        let imported = run_against(case.open(open), &case.import(), meets_it).json();
        assert_eq!(imported["status"], "done", "{open:?}: {imported:#}");
        case.nothing_is_wrong();
        // The undo is a restore; of the two kinds of entries, one each.
        if number % 2 == 0 {
            let undo = undo(&imported);
            let undo: Vec<&str> = undo.iter().map(String::as_str).collect();
            let undone = run_against(case.open(open), &undo, meets_it).json();
            assert_eq!(undone["status"], "done", "{open:?}: {undone:#}");
            assert_same(&timeless(&before), &timeless(&case.now()));
        }
    }
    write(DOMAIN, &["delete", &case.name]).json();
    assert_samba_checks_pass("dst");
}

#[test]
#[ignore = "needs the lab"]
fn an_import_over_a_file_that_stays_open_changes_nothing() {
    let _alone = alone();
    let case = Case::new("Held for good");
    for open in OPEN {
        let before = case.now();
        let file = case.open(open);
        let begin = Instant::now();
        let said = gpoctl(&[&case.import()[..], &["--domain", DOMAIN, "--yes", "--json"]].concat());
        let took = begin.elapsed();
        match effect(open) {
            Effect::Nothing => {
                assert_eq!(said.status, 0, "{open:?}: {}", said.stderr);
                drop(file);
            }
            Effect::HoldsOldFiles => {
                assert_eq!(said.status, 3, "{open:?}: {}", said.stderr);
                let result: Value = serde_json::from_str(&said.stdout).unwrap();
                assert!(
                    codes(&result).contains(&"left-over".to_owned()),
                    "{result:#}"
                );
                drop(file);
                let operation = result["operation_id"].as_str().unwrap();
                gpoctl(&["operations", "cleanup", operation, "--yes", "--json"]).json();
            }
            Effect::Prevents => {
                assert_eq!(said.status, 1, "{open:?}: {}{}", said.stdout, said.stderr);
                let result: Value = serde_json::from_str(&said.stdout).unwrap();
                assert_eq!(result["error"]["kind"], "in-use", "{result:#}");
                let text = result["error"]["message"].as_str().unwrap();
                assert!(
                    text.starts_with("still in use after 10 s: a client has "),
                    "{text}"
                );
                let what = match open.0 {
                    FILE => format!(
                        r"a file below \\{DOMAIN}\SYSVOL\{DOMAIN}\Policies\{}\Machine open (",
                        case.guid
                    ),
                    name => format!(r"\{name} open ("),
                };
                assert!(text.contains(&what), "{text}");
                let hint = result["error"]["hint"].as_str().unwrap();
                assert!(
                    hint.contains("everything was rolled back; try again; "),
                    "{hint}"
                );
                assert!(hint.contains("smbstatus -L"), "{hint}");
                // smbstatus does show it.
                let shown = inside("dst", &["smbstatus", "-L"]);
                assert!(shown.contains(&case.guid), "{shown}");
                drop(file);
                assert_same(&timeless(&before), &timeless(&case.now()));
                println!("{open:?}: rolled back after {took:?}");
            }
        }
        case.nothing_is_wrong();
    }
    // What stays open for good ends sooner when the time-out says so.
    if effect(OPEN[0]) == Effect::Prevents {
        let file = case.open(OPEN[0]);
        let import = [
            &case.import()[..],
            &["--domain", DOMAIN, "--yes", "--timeout", "5"],
        ]
        .concat();
        let said = gpoctl(&import);
        assert_eq!(said.status, 1, "{}", said.stderr);
        assert!(
            said.stderr.contains("still in use after 5 s"),
            "{}",
            said.stderr
        );
        drop(file);
    }
    write(DOMAIN, &["delete", &case.name]).json();
    assert_samba_checks_pass("dst");
}

#[test]
#[ignore = "needs the lab"]
fn a_restore_a_repair_and_a_deletion_wait_too() {
    let _alone = alone();
    let case = Case::new("Held by a reader");
    let own = back_up(DOMAIN, &[&case.name])[&case.name].clone();
    write(DOMAIN, &case.import()).json();
    let restore = ["restore", own.to_str().unwrap()];
    let restored = run_against(case.open(OPEN[1]), &restore, true).json();
    assert_eq!(restored["status"], "done", "{restored:#}");
    case.nothing_is_wrong();

    let path = format!(
        "/var/lib/samba/sysvol/dst.test/Policies/{}/GPT.INI",
        case.guid
    );
    let script = format!("printf '[General]\\r\\nVersion=1\\r\\n' > '{path}'");
    inside("dst", &["sh", "-c", &script]);
    let open = ("GPT.INI", 3);
    let meets_it = effect(open) != Effect::Nothing;
    let repaired = run_against(case.open(open), &["check", &case.name, "--fix"], meets_it).json();
    assert_eq!(repaired["status"], "done", "{repaired:#}");
    case.nothing_is_wrong();

    let deleted = run_against(case.open(OPEN[1]), &["delete", &case.name], true).json();
    assert_eq!(deleted["status"], "done", "{deleted:#}");
    assert_samba_checks_pass("dst");
    let undo = undo(&deleted);
    let undo: Vec<&str> = undo.iter().map(String::as_str).collect();
    write_undo(&undo);

    // For longer than gpoctl waits: the GPO is deleted, and its folder is left.
    let file = case.open(OPEN[1]);
    let said = gpoctl(&["delete", &case.name, "--domain", DOMAIN, "--yes", "--json"]);
    assert_eq!(said.status, 3, "{}", said.stderr);
    let result: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(codes(&result), ["left-over"], "{result:#}");
    drop(file);
    let operation = result["operation_id"].as_str().unwrap();
    gpoctl(&["operations", "cleanup", operation, "--yes", "--json"]).json();
    assert_samba_checks_pass("dst");
}

fn write_undo(undo: &[&str]) {
    let undone = gpoctl(&[undo, &["--yes", "--json"]].concat()).json();
    assert_eq!(undone["status"], "done", "{undone:#}");
}
