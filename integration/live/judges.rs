//! The judges themselves: what they find, and what is reported of one that does not end or is killed.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::*;

const SIDE: &str = "src";
const CHECKS: [&str; 5] = ["sysvolcheck", "aclcheck", "listall", "show-all", "dbcheck"];

/// What a judge may take that is to end by itself, on a machine that is busy.
const AMPLE: Duration = Duration::from_secs(300);
/// What one may take that never ends, and is there at once.
const SHORT: Duration = Duration::from_secs(3);
/// What one may take that never ends, and has much to read before it is there.
const MEDIUM: Duration = Duration::from_secs(20);

/// Asks a judge of SRC.TEST.
fn ask(arguments: &[&str]) -> Judgement {
    ask_judge(SIDE, arguments, &[], AMPLE).unwrap()
}

/// A GPO of a test that may damage it; everything of it is deleted at the end, even when the test failed.
struct Gpo {
    guid: String,
}

impl Gpo {
    fn new(name: &str) -> Self {
        let made = write("src.test", &["create", &fresh(name)]).json();
        let guid = made["gpo"]["guid"].as_str().unwrap().to_owned();
        Self { guid }
    }

    fn dn(&self) -> String {
        format!("CN={},CN=Policies,CN=System,DC=src,DC=test", self.guid)
    }

    /// The path of something in its folder, in the domain controller.
    fn path(&self, name: &str) -> String {
        format!(
            "/var/lib/samba/sysvol/src.test/Policies/{}{name}",
            self.guid
        )
    }

    /// Gives a file or folder permissions that do not follow from the directory.
    fn with_other_permissions(&self, name: &str) {
        let sddl = "O:BAG:BAD:P(A;;FA;;;BA)";
        let path = self.path(name);
        inside(
            SIDE,
            &["samba-tool", "ntacl", "set", "--use-s3fs", sddl, &path],
        );
    }

    /// A file whose reader waits until somebody writes into it.
    fn with_pipe(&self) -> (String, String) {
        let path = self.path("/pipe");
        inside(SIDE, &["mkfifo", &path]);
        (format!("{}/pipe", self.guid), path)
    }
}

impl Drop for Gpo {
    fn drop(&mut self) {
        inside(SIDE, &["ldbdel", "-r", "-H", DATABASE, &self.dn()]);
        inside(SIDE, &["rm", "-r", &self.path("")]);
    }
}

/// Asserts that a check fails, and its output has these words.
fn fails(check: &str, words: &[&str]) {
    let said = ask(&[check]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.status, 1, "{check}: {text}{}", said.stderr);
    let failed = format!("{SIDE} {check}: FAILED\n");
    assert!(text.starts_with(&failed), "{text}");
    for word in words {
        assert!(text.contains(word), "{check} without \"{word}\": {text}");
    }
}

#[test]
#[ignore = "needs the lab"]
fn each_check_finds_a_fault_and_its_place() {
    let _alone = alone();
    let gpo = Gpo::new("Faulty");
    let dn = gpo.dn();
    let ini = format!("{}/GPT.INI", gpo.guid);
    judge(SIDE, &["parse", &ini]);

    gpo.with_other_permissions("/GPT.INI");
    fails("sysvolcheck", &[&format!("{} O:BA", gpo.path("/GPT.INI"))]);
    gpo.with_other_permissions("");
    fails("aclcheck", &[&format!("Policies\\{}", gpo.guid)]);
    inside(SIDE, &["rm", &gpo.path("/GPT.INI")]);
    for judge in ["parse", "cat"] {
        let said = ask(&[judge, &ini]);
        assert_eq!((said.status, said.stdout), (1, Vec::new()), "{judge}");
        let missing = format!("there is no 'GPT.INI' in {}\n", gpo.path(""));
        assert!(said.stderr.ends_with(&missing), "{judge}: {}", said.stderr);
    }
    ldbmodify(
        SIDE,
        &format!("dn: {dn}\nchangetype: modify\ndelete: displayName\n\n"),
    );
    for check in ["listall", "show-all"] {
        fails(check, &[&gpo.guid, "No such element"]);
    }
    // Below the modules that would write it as it should be.
    let partition = "/var/lib/samba/private/sam.ldb.d/DC=SRC,DC=TEST.ldb";
    let unusual = format!("dn: {dn}\nchangetype: modify\nreplace: flags\nflags: 00\n\n");
    inside_with(SIDE, &["ldbmodify", "-H", partition], &unusual);
    fails("dbcheck", &[&dn, "'00' should be '0'"]);

    // All at once, as after every kind of write.
    let said = ask(&["all"]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert_eq!((said.status, text.contains(": ok")), (1, false), "{text}");
    for check in CHECKS {
        assert!(
            text.contains(&format!("{SIDE} {check}: FAILED\n")),
            "{text}"
        );
    }
    let refused = std::panic::catch_unwind(|| assert_samba_checks_pass(SIDE));
    assert!(refused.is_err());
    drop(gpo);
    assert_samba_checks_pass(SIDE);
}

/// Asserts that a judge was ended because it took longer than this, and where it was.
fn was_ended(limit: Duration, status: i64, said: &str, place: &str) {
    assert_ne!(status, 0, "{said}");
    let killed = format!("did not end within {} s and was killed", limit.as_secs());
    for words in [killed.as_str(), place] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_judge_that_does_not_end_is_ended_and_reported() {
    let _alone = alone();
    let gpo = Gpo::new("Endless");
    let (pipe, path) = gpo.with_pipe();
    let start = Instant::now();
    let said = ask_judge(SIDE, &["cat", &pipe], &[], SHORT).unwrap();
    was_ended(SHORT, said.status, &said.stderr, "in contents");
    // Its server answers the next request.
    assert_eq!(judge_of(SIDE, &["cat", "-"], b"next"), b"next");

    // On the command line too, and while the state is read again and again.
    let command = |arguments: &[&str]| {
        let mut command = Command::new(std::env::var("GPOCTL_LAB_JUDGE").unwrap());
        command.arg(SIDE).args(arguments);
        command
    };
    let within = |limit: Duration, arguments: &[&str]| {
        let mut command = command(arguments);
        command.env("GPOCTL_JUDGE_SECONDS", limit.as_secs().to_string());
        command
    };
    for (arguments, limit, place) in [
        (["cat", &pipe], SHORT, "in contents"),
        (["state", &gpo.guid], MEDIUM, "in tree"),
    ] {
        let said: Said = within(limit, &arguments).output().unwrap().into();
        was_ended(limit, said.status.into(), &said.stderr, place);
    }
    let mut reader = Running::start("the reader", &mut within(MEDIUM, &["state", "-"]));
    let ended = reader.ask(&gpo.guid).unwrap_err().to_string();
    assert!(
        ended.starts_with("the reader ended: exit status"),
        "{ended}"
    );
    inside(SIDE, &["rm", &path]);
    let mut reader = Running::start("the reader", &mut command(&["state", "-"]));
    for _ in 0..2 {
        let state = reader.ask(&gpo.guid).unwrap();
        assert!(state.contains(&gpo.guid), "{state}");
    }

    // What a process wrote of a line before it ended is no answer.
    let mut cut = Command::new("sh");
    cut.args(["-c", "read line; printf 'half of an ans'"]);
    let ended = Running::start("cut", &mut cut).ask("?").unwrap_err();
    assert_eq!(ended.to_string(), "cut ended: exit status: 0");
    // One that has closed its output, and goes on.
    let mut silent = Command::new("sh");
    silent.args(["-c", "exec >&-; exec sleep 30"]);
    let mut silent = Running::start("silent", &mut silent);
    silent.limit = Duration::from_millis(500);
    let ended = silent.end().unwrap_err();
    assert_eq!(ended.to_string(), "silent did not end within 500ms");
    // A process that no longer watches what it runs.
    let mut deaf = Running::start("deaf", &mut command_inside(SIDE, &["sleep", "30"]));
    deaf.limit = Duration::from_millis(500);
    assert_eq!(
        deaf.ask("?").unwrap_err().to_string(),
        "deaf did not answer within 500ms"
    );
    assert!(start.elapsed() < AMPLE, "{:?}", start.elapsed());
}

/// A file server that answers nobody, until this is dropped.
struct Stopped;

impl Stopped {
    fn new() -> Self {
        inside(SIDE, &["pkill", "-STOP", "-x", "smbd"]);
        Self
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        inside(SIDE, &["pkill", "-CONT", "-x", "smbd"]);
    }
}

/// One of several checks side by side.
#[test]
#[ignore = "needs the lab"]
fn a_check_that_does_not_end_is_ended_and_reported() {
    let _alone = alone();
    let stopped = Stopped::new();
    let said = ask_judge(SIDE, &["aclcheck"], &[], SHORT).unwrap();
    drop(stopped);
    let text = String::from_utf8(said.stdout).unwrap();
    let failed = format!("{SIDE} aclcheck: FAILED\n");
    assert!(text.starts_with(&failed), "{text}");
    was_ended(SHORT, said.status, &text, "netcmd/gpo.py");
    assert_samba_checks_pass(SIDE);
}

/// Kills each reader of a pipe, or the process that has started it, and waits until neither runs.
const KILLER: &str = r#"
import os, select, signal, sys, time
path, which = sys.argv[1:]

def state(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["Z"]

def reads(process):
    try:
        folder = f"/proc/{process}/fd"
        return any(os.readlink(f"{folder}/{number}") == path for number in os.listdir(folder))
    except OSError:
        return False

# As long as it is open here, nobody reads its end.
pipe = os.open(path, os.O_RDWR)
while not select.select([sys.stdin], [], [], 0.01)[0]:
    processes = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    for reader in filter(reads, processes):
        victim = reader if which == "judge" else int(state(reader)[1])
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while state(victim)[0] != "Z" or state(reader)[0] != "Z":
            assert time.monotonic() < deadline, "it still runs"
            time.sleep(0.01)
"#;

#[test]
#[ignore = "needs the lab"]
fn what_was_killed_has_not_passed() {
    let _alone = alone();
    let gpo = Gpo::new("Killed");
    let (pipe, path) = gpo.with_pipe();
    let killed = |which: &str| {
        let script = ["python3", "-c", KILLER, &path, which];
        let mut killer = Running::start("the killer", &mut command_inside(SIDE, &script));
        let said = ask_judge(SIDE, &["cat", &pipe], &[], AMPLE);
        killer.end().unwrap();
        said
    };
    let said = killed("judge").unwrap();
    let expected = format!("judge: {SIDE} cat was killed by SIGKILL\n");
    assert_eq!((said.status, said.stderr), (-9, expected));
    let cause = killed("server").unwrap_err();
    assert_eq!(
        cause,
        "judge src cat: no answer: judge src serve ended: exit status: 137"
    );
    // The next caller has a server of its own.
    assert_eq!(judge_of(SIDE, &["cat", "-"], b"next"), b"next");
}

#[test]
#[ignore = "needs the lab"]
fn callers_side_by_side_have_their_own_answers() {
    let _alone = alone();
    let gpo = Gpo::new("Side by side");
    let (pipe, path) = gpo.with_pipe();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| ask(&["cat", &pipe]));
        // Opening the pipe waits for its reader, so the first caller is served meanwhile.
        let mut writer = Running::start(
            "a writer",
            &mut command_inside(
                SIDE,
                &["sh", "-c", &format!("exec 3>'{path}'; echo open; cat >&3")],
            ),
        );
        assert_eq!(writer.line().as_deref(), Ok("open"));
        let others: Vec<_> = (1..=3_u8)
            .map(|letter| {
                scope.spawn(move || {
                    for round in 1..=5 {
                        let mine = vec![letter; round * 100_000];
                        assert!(judge_of(SIDE, &["cat", "-"], &mine) == mine, "{letter}");
                    }
                })
            })
            .collect();
        for other in others {
            other.join().unwrap();
        }
        assert!(!first.is_finished());
        writer.tell("for the first").unwrap();
        writer.end().unwrap();
        let said = first.join().unwrap();
        assert_eq!((said.status, said.stdout), (0, b"for the first\n".to_vec()));
    });
}
