//! Many GPOs: all are backed up, memory stays bounded, an interrupt leaves the finished backups, and two backups at a time work.
//! GPOCTL_SCALE is their number, 1,000 by default. The lab is reset afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::*;
use serde_json::Value;

/// The limit of gpoctl's memory, in KiB.
const MEMORY: u64 = 128 << 10;

/// The number of GPOs.
fn scale() -> usize {
    std::env::var("GPOCTL_SCALE").map_or(1_000, |count| count.parse().unwrap())
}

/// Resets the lab when dropped, even after a failed assertion: deleting thousands of objects would take minutes.
struct Populated;

impl Drop for Populated {
    fn drop(&mut self) {
        // A second panic would abort the process before the first one is reported.
        assert!(run_lab(&["reset"]) || std::thread::panicking());
    }
}

fn populate(count: usize) {
    assert!(run_lab(&["populate", &count.to_string()]), "{count}");
}

fn run_lab(arguments: &[&str]) -> bool {
    let status = Command::new(std::env::var("GPOCTL_LAB_SCRIPT").unwrap())
        .args(arguments)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    status.success()
}

fn folder() -> PathBuf {
    tempfile::tempdir_in(scratch()).unwrap().keep()
}

/// `gpoctl backup --all` into a folder, running.
fn start(to: &Path) -> Child {
    start_for(&["--all"], to)
}

/// `gpoctl backup` of these into a folder, running.
fn start_for(gpos: &[&str], to: &Path) -> Child {
    command(&["backup", "--domain", "src.test", "--json", "--to"])
        .arg(to)
        .args(gpos)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn end(child: Child) -> (i32, Value) {
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let json =
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    // No progress bar in a log.
    assert!(!stderr.contains(['\u{1b}', '\r']), "{stderr:?}");
    assert!(!stderr.contains("reading"), "{stderr}");
    (output.status.code().unwrap(), json)
}

/// The content of a folder of backups: by ID, the GPO. Every backup is complete, manifest.xml lists exactly these, and nothing
/// else is left but the lock.
fn sound(folder: &Path) -> BTreeMap<String, String> {
    let verified = gpoctl(&["backups", "verify", folder.to_str().unwrap(), "--json"]).json();
    assert_eq!(verified["status"], "sound");
    assert_eq!(verified["messages"], Value::Array(Vec::new()));
    let found: BTreeMap<String, String> = verified["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            assert_eq!(entry["problems"], Value::Array(Vec::new()), "{entry}");
            (
                entry["id"].as_str().unwrap().to_owned(),
                entry["gpo_guid"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let manifest = std::fs::read_to_string(folder.join("manifest.xml")).unwrap_or_default();
    assert_eq!(manifest.matches("<ID>").count(), found.len());
    let mut left: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for id in found.keys() {
        assert!(manifest.contains(id.as_str()), "{id}");
        assert!(left.remove(id), "{id}");
    }
    left.remove("manifest.xml");
    left.remove(".gpoctl.lock");
    assert_eq!(left, BTreeSet::new());
    found
}

/// The peak memory of a running process, in KiB.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Like [`end`], with the peak memory of the process in KiB.
fn with_peak(child: Child) -> ((i32, Value), u64) {
    let pid = child.id();
    let watcher = std::thread::spawn(move || {
        let mut most = 0;
        while let Some(peak) = peak(pid) {
            most = peak.max(most);
            std::thread::sleep(Duration::from_millis(20));
        }
        most
    });
    let result = end(child);
    let most = watcher.join().unwrap();
    assert!(most > 0);
    (result, most)
}

#[test]
#[ignore = "needs the lab"]
fn a_thousand_gpos() {
    let _domain = DOMAIN.lock().unwrap_or_else(|broken| broken.into_inner());
    let count = scale();
    let _populated = Populated;
    populate(count);
    all_of_them_are_saved_within_the_bound_of_memory(count);
    an_interrupt_leaves_the_finished_ones();
    two_at_a_time_share_a_folder();
    progress_is_shown_on_a_terminal();
    large_files_wait_for_room();
    what_cannot_be_read_costs_only_itself();
}

fn all_of_them_are_saved_within_the_bound_of_memory(count: usize) {
    let to = folder();
    let ((status, result), most) = with_peak(start(&to));
    assert_eq!((status, &result["status"]), (0, &"done".into()));
    let backups = result["backups"].as_array().unwrap();
    println!("{} GPOs, at most {most} KiB", backups.len());
    assert!(backups.len() > count);
    assert!(most < MEMORY, "{most} KiB");
    assert_eq!(sound(&to).len(), backups.len());
    // A sample, compared with what Samba reads from SYSVOL and the directory.
    let guids: Vec<&str> = backups
        .iter()
        .filter(|backup| {
            backup["display_name"]
                .as_str()
                .unwrap()
                .starts_with("Scale ")
        })
        .map(|backup| backup["gpo_guid"].as_str().unwrap())
        .collect();
    assert_eq!(guids.len(), count);
    let sample: Vec<&str> = guids.iter().step_by(1 + count / 20).copied().collect();
    let mut arguments = vec!["state"];
    arguments.extend(&sample);
    let state: Value = serde_json::from_slice(&judge("src", &arguments)).unwrap();
    for guid in sample {
        let gpo = &state["gpos"][guid];
        let backup = backups.iter().find(|backup| backup["gpo_guid"] == guid);
        let path = Path::new(backup.unwrap()["path"].as_str().unwrap());
        assert_eq!(
            local_files(&path.join("DomainSysvol/GPO")),
            sysvol_files(gpo),
            "{guid}"
        );
    }
    let ((status, listed), most) = with_peak(
        command(&["list", "--domain", "src.test", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    assert_eq!(status, 0);
    assert_eq!(listed["gpos"].as_array().unwrap().len(), backups.len());
    println!("list, at most {most} KiB");
    assert!(most < MEMORY, "{most} KiB");
}

fn an_interrupt_leaves_the_finished_ones() {
    let to = folder();
    let child = start(&to);
    // As soon as the first backup is being written, and long before the last one is read.
    let begun = Instant::now();
    while !std::fs::read_dir(&to).unwrap().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .starts_with(".gpoctl-")
    }) {
        assert!(begun.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(5));
    }
    send(&child, "-INT");
    let (status, result) = end(child);
    let backups = result["backups"].as_array().unwrap();
    let done = |backup: &&Value| backup["status"] == "done";
    let finished: BTreeSet<&str> = backups
        .iter()
        .filter(done)
        .map(|backup| backup["id"].as_str().unwrap())
        .collect();
    let stopped = backups
        .iter()
        .filter(|backup| backup["error"]["kind"] == "cancelled")
        .count();
    println!("{} finished, {stopped} stopped", finished.len());
    assert_eq!(status, 3);
    assert!(!finished.is_empty() && stopped > 0);
    assert_eq!(finished.len() + stopped, backups.len());
    let found = sound(&to);
    assert_eq!(
        found.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        finished
    );
}

fn two_at_a_time_share_a_folder() {
    let to = folder();
    let (one, two) = (start(&to), start(&to));
    let mut ids = BTreeSet::new();
    let mut gpos = 0;
    for child in [one, two] {
        let (status, result) = end(child);
        assert_eq!(status, 0);
        for backup in result["backups"].as_array().unwrap() {
            assert!(
                ids.insert(backup["id"].as_str().unwrap().to_owned()),
                "an ID twice"
            );
            gpos += 1;
        }
    }
    let found = sound(&to);
    assert_eq!(found.len(), gpos);
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), ids);
    let latest = gpoctl(&[
        "backups",
        "list",
        to.to_str().unwrap(),
        "--latest",
        "--json",
    ])
    .json();
    assert_eq!(latest["backups"].as_array().unwrap().len(), gpos / 2);
}

/// What a terminal shows while many GPOs are backed up. Without a terminal, [`end`] checks that nothing of it is printed.
fn progress_is_shown_on_a_terminal() {
    let to = folder();
    let backup = format!(
        "{} backup --all --domain src.test --to {}",
        env!("CARGO_BIN_EXE_gpoctl"),
        to.display()
    );
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &backup, "/dev/null"])
        .env("XDG_STATE_HOME", scratch().join("state"))
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    let counts: Vec<(usize, usize)> = shown
        .split("reading [")
        .skip(1)
        .filter_map(|bar| {
            let (done, all) = bar.split_once("] ")?.1.split_once(' ')?.0.split_once('/')?;
            Some((done.parse().ok()?, all.parse().ok()?))
        })
        .collect();
    let all = sound(&to).len();
    println!("progress: {counts:?}");
    assert!(counts.iter().all(|(_, of)| *of == all), "{counts:?}");
    assert!(counts.is_sorted(), "{counts:?}");
    // It begins at zero, and moves before it is complete.
    assert_eq!(counts.first().unwrap().0, 0);
    assert!(counts.iter().any(|(done, _)| *done > 0 && *done < all));
    assert!(shown.contains(&format!("{all} of {all} GPOs saved")));
}

/// GPOs whose files together exceed the memory budget, one of them with a file that is larger than the whole budget.
fn large_files_wait_for_room() {
    let large = "for number in $(seq 11 40); do
            head -c 8388608 /dev/urandom >\"$0/{5CA1E000-0000-4000-8000-$(printf %012X $number)}/Machine/large.msi\" || exit 1
        done
        head -c 41943040 /dev/urandom >\"$0/{5CA1E000-0000-4000-8000-000000000029}/Machine/huge.msi\"";
    let policies = "/var/lib/samba/sysvol/src.test/Policies";
    assert!(run_lab(&["exec", "src", "sh", "-c", large, policies]));
    let to = folder();
    let names: Vec<String> = (11..=41)
        .map(|number| format!("Scale {number:04}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ((status, result), most) = with_peak(start_for(&names, &to));
    println!("30 files of 8 MiB and one of 40 MiB, at most {most} KiB");
    assert_eq!((status, &result["status"]), (0, &"done".into()));
    assert!(most < MEMORY, "{most} KiB");
    let mut sizes: Vec<u64> = result["backups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|backup| {
            let machine =
                Path::new(backup["path"].as_str().unwrap()).join("DomainSysvol/GPO/Machine");
            ["large.msi", "huge.msi"].map(|name| std::fs::metadata(machine.join(name)))
        })
        .flatten()
        .map(|file| file.len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes.len(), 31);
    assert!(sizes[..30].iter().all(|size| *size == 8 << 20) && sizes[30] == 40 << 20);
    sound(&to);
}

/// A file and a folder that the account may not open, and a GPO whose object names another folder: the rest is backed up.
fn what_cannot_be_read_costs_only_itself() {
    let gpo = "/var/lib/samba/sysvol/src.test/Policies/{5CA1E000-0000-4000-8000-00000000000A}";
    let chmod = |mode: &str, path: &str| {
        let status = Command::new(std::env::var("GPOCTL_LAB_SCRIPT").unwrap())
            .args(["exec", "src", "chmod", mode, &format!("{gpo}/{path}")])
            .status()
            .unwrap();
        assert!(status.success(), "{path}");
    };
    chmod("600", "Machine/Registry.pol");
    chmod("700", "User");
    poison("{5CA1E000-0000-4000-8000-000000000002}");
    let to = folder();
    let user = std::env::var("GPOCTL_LAB_SRC_EDITOR_USER").unwrap();
    let password = std::env::var("GPOCTL_LAB_SRC_EDITOR_PASSWORD_FILE").unwrap();
    let mut command = command(&["backup", "Scale 0010", "Scale 0002", "Scale 0003"]);
    command
        .args(["--domain", "src.test", "--json", "--user", &user])
        .args(["--password-file", &password, "--to"])
        .arg(&to)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (status, result) = end(command.spawn().unwrap());
    assert_eq!((status, &result["status"]), (3, &"partial".into()));
    let backups = result["backups"].as_array().unwrap();
    let states: Vec<&str> = backups
        .iter()
        .map(|backup| backup["status"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["failed", "done", "partial"]);
    assert_eq!(backups[0]["error"]["kind"], "bad-directory");
    let places: Vec<&str> = backups[2]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["code"] == "unreadable-file")
        .map(|message| message["place"]["file"].as_str().unwrap())
        .collect();
    assert_eq!(places, ["Machine\\Registry.pol", "User"]);
    // The rest is there, and the backup is marked as partial.
    let path = backups[2]["path"].as_str().unwrap();
    assert!(
        Path::new(path)
            .join("DomainSysvol/GPO/Machine/comment.cmtx")
            .exists()
    );
    for said in [
        gpoctl(&["backups", "list", path, "--json"]),
        gpoctl(&["backups", "verify", path, "--json"]),
    ] {
        let problems = said.json()["backups"][0]["problems"].clone();
        assert_eq!(problems[0]["code"], "partial-backup", "{problems}");
    }
    // A restore would delete what the backup lacks, so it needs an option.
    let restore = [
        "restore",
        "--accept-permissions",
        path,
        "--domain",
        "src.test",
        "--json",
        "--dry-run",
    ];
    let refused = gpoctl(&restore);
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("Registry.pol"),
        "{}",
        refused.stderr
    );
    let allowed = gpoctl(&[&restore[..], &["--allow-partial"]].concat());
    assert_eq!(allowed.json()["status"], "done");
}

/// Makes the object of a GPO name another host for its files.
fn poison(guid: &str) {
    use std::io::Write as _;

    let ldif = format!(
        "dn: CN={guid},CN=Policies,CN=System,DC=src,DC=test\nchangetype: modify\nreplace: gPCFileSysPath\ngPCFileSysPath: \\\\evil.test\\sysvol\\src.test\\Policies\\{guid}\n"
    );
    let mut child = Command::new(std::env::var("GPOCTL_LAB_SCRIPT").unwrap())
        .args([
            "exec",
            "src",
            "ldbmodify",
            "-H",
            "/var/lib/samba/private/sam.ldb",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(ldif.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}
