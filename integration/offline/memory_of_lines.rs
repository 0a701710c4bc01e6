//! The memory that many short lines of a file may cause when the GPO is read, mapped and shown: each line becomes a setting, a
//! reference or two, and a risk.

use std::process::{Command, Stdio};

use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::migration::map::{MapOptions, map};
use gpoctl::migration::scan::scan;
use gpoctl::model::snapshot::GpoSnapshot;
use gpoctl::operations::import::{self, ImportOptions, ImportTarget};
use gpoctl::plan::{Plan, risks};
use gpoctl::progress::Control;
use gpoctl::settings::{Names, of};
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;

use crate::faults::case::guid;
use crate::memory_of_references::{self, Nobody, gpo};
use crate::memory_of_settings;
use crate::readers::bound;
use crate::support::repeated;
use crate::verbs::backup;

const TMPL: &str = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
const SCRIPTS: &str = r"User\Scripts\scripts.ini";

/// Large enough that the limit per byte of input is decisive, not the fixed part.
const SIZE: usize = 256 << 10;

/// Lines of which each is a risk, and most are references too.
fn files(size: usize) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let numbered = |front: &str, line: &dyn Fn(usize) -> String| {
        let mut text = front.to_owned();
        for number in 0.. {
            if text.len() >= size {
                break;
            }
            text.push_str(&line(number));
        }
        text.into_bytes()
    };
    let lines = |front: &str, line: &str| repeated(size, front, line, "");
    vec![
        (
            "members",
            TMPL,
            lines("[Group Membership]\r\n", "a__Members=b\n"),
        ),
        (
            "members of groups",
            TMPL,
            numbered("[Group Membership]\r\n", &|n| format!("{n:x}__Members=b\n")),
        ),
        ("rights", TMPL, lines("[Privilege Rights]\r\n", "a=b\n")),
        (
            "many holders",
            TMPL,
            lines("[Privilege Rights]\r\nSeDebugPrivilege=", "a,"),
        ),
        (
            "services",
            TMPL,
            lines("[Service General Setting]\r\n", "a,2,\n"),
        ),
        (
            "keys",
            TMPL,
            lines("[Registry Keys]\r\n", "a,0,D:(A;;GA;;;WD)\n"),
        ),
        (
            "scripts",
            SCRIPTS,
            numbered("[Logon]\r\n", &|n| format!("{n}CmdLine=\\\\a\\b\n")),
        ),
        (
            "scripts with parameters",
            SCRIPTS,
            numbered("[Logon]\r\n", &|n| {
                format!("{n}CmdLine=a\n{n}Parameters=b\n")
            }),
        ),
    ]
}

/// Measures a step for each file.
fn assert_bounded(files: Vec<(&'static str, &'static str, Vec<u8>)>, step: impl Fn(&GpoSnapshot)) {
    let mut beyond = Vec::new();
    for (what, path, content) in files {
        let length = content.len();
        let gpo = gpo(path, content);
        let peak = allocation_counter::measure(|| step(&gpo)).bytes_max;
        println!("{what} ({path}): {length} bytes: {peak} bytes");
        if peak > bound(length) {
            beyond.push(format!("{what} ({path}): {peak} bytes for {length}"));
        }
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

#[test]
fn the_risks_of_many_lines_are_bounded() {
    let others = memory_of_references::files().into_iter();
    let all = files(SIZE)
        .into_iter()
        .chain(memory_of_settings::files())
        .chain(others.map(|(path, content, _)| ("references", path, content)));
    assert_bounded(all.collect(), |gpo| drop(risks::of(gpo)));
}

#[test]
fn the_settings_of_many_lines_are_bounded() {
    assert_bounded(files(SIZE), |gpo| drop(of(gpo)));
}

#[test]
fn the_references_of_many_lines_are_bounded() {
    assert_bounded(files(SIZE), |gpo| drop(scan(gpo)));
}

#[test]
fn a_mapping_of_many_lines_is_bounded() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_bounded(files(SIZE), |gpo| {
        drop(runtime.block_on(map(gpo, None, &Nobody, &MapOptions::default())));
    });
}

/// A file with more references than one in 24 bytes is carried unchanged, with a warning, as one that cannot be read: a real list of
/// a hundred thousand SIDs is ten times as long.
#[test]
fn a_file_of_nothing_but_references_is_named() {
    let many = |count: usize| {
        let list = "a,".repeat(count);
        gpo(TMPL, format!("[Privilege Rights]\r\na={list}").into_bytes())
    };
    let listed = scan(&many(10_000));
    assert_eq!((listed.references.len(), listed.messages), (10_000, vec![]));
    let found = scan(&many(100_000));
    assert_eq!(found.references, []);
    let texts: Vec<&str> = found.messages.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "cannot be read, so its references are not known: it has 100000 references in 200022 bytes"
        ]
    );
}

/// The import of each file, as a plan that is written and read again.
#[test]
fn the_plan_of_many_lines_is_bounded() {
    let mut beyond = Vec::new();
    for (what, path, content) in files(SIZE / 2) {
        let length = content.len();
        let folder = tempfile::tempdir().unwrap();
        let snapshot = gpo(path, content.clone());
        let stored = backup(folder.path(), &snapshot);
        let domain = MemoryDomain::new("src.test").unwrap();
        domain.put_gpo(guid(), "Desks").unwrap();
        let old = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &path.parse().unwrap());
        domain.sysvol().put_file(&old, b"".to_vec()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let admin = runtime.block_on(domain.connect("Administrator", &Faults::none()));
        let admin = admin.unwrap();
        let session = admin.session();
        let target = runtime.block_on(session.directory().gpo(guid())).unwrap();
        let target = ImportTarget::Existing(Box::new(target));
        let (options, control) = (ImportOptions::new(), Control::default());
        let mut json = Vec::new();
        let made = allocation_counter::measure(|| {
            let plan = import::plan(session, &stored, &target, &options, &control);
            json = runtime.block_on(plan).unwrap().to_json().unwrap();
        })
        .bytes_max;
        let read = allocation_counter::measure(|| {
            let plan = Plan::from_json(&json).unwrap();
            drop(plan.gpo().unwrap().setting_changes(&Names::new()));
        })
        .bytes_max;
        println!(
            "{what}: {length} bytes, {} of JSON: {made}, read {read}",
            json.len()
        );
        if made > bound(length) || read > bound(json.len()) {
            beyond.push(format!(
                "{what}: {made} bytes for {length}, read {read} for {}",
                json.len()
            ));
        }
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

/// Says to a process which backup it shows, how, and how many bytes it may take.
const SHOWN: &str = "GPOCTL_TEST_SHOWN";

/// `backups show` as text and as JSON. The command writes to standard output, so it runs in a process of its own, which is this test
/// once more.
#[test]
fn showing_many_lines_is_bounded() {
    if let Some(words) = std::env::var_os(SHOWN) {
        let words = words.into_string().unwrap();
        let (limit, words) = words.split_once(' ').unwrap();
        let words = ["gpoctl", "backups", "show"]
            .into_iter()
            .chain(words.split(' '));
        let mut status = 1;
        let peak = allocation_counter::measure(|| {
            status = gpoctl::cli::main_with(words.map(Into::into));
        })
        .bytes_max;
        assert_eq!(status, 0);
        assert!(peak <= limit.parse().unwrap(), "{peak} bytes, not {limit}");
        return;
    }
    let mut beyond = Vec::new();
    let shown =
        |what: &str| ["members of groups", "rights", "scripts with parameters"].contains(&what);
    let files = files(SIZE / 2).into_iter();
    for (what, path, content) in files.filter(|(what, ..)| shown(what)) {
        let folder = tempfile::tempdir().unwrap();
        let length = content.len();
        let stored = backup(folder.path(), &gpo(path, content));
        // GPMC's report is part of a backup, and many times as long as its settings; its hash is compared.
        let report = stored.info.path.join("gpreport.xml").metadata().unwrap();
        let limit = bound(length + usize::try_from(report.len()).unwrap());
        let dir = stored.info.path.to_str().unwrap().to_owned();
        for words in [dir.clone(), format!("--json {dir}")] {
            let ended = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "memory_of_lines::showing_many_lines_is_bounded"])
                .arg("--nocapture")
                .env(SHOWN, format!("{limit} {words}"))
                .stdout(Stdio::null())
                .output()
                .unwrap();
            if !ended.status.success() {
                let said = String::from_utf8_lossy(&ended.stderr).into_owned();
                let said = said.lines().find(|line| line.contains("bytes, not"));
                beyond.push(format!("{what}: {words}: {said:?}"));
            }
        }
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}
