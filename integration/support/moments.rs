//! Moments of an operation, as a domain controller sees them: a case that comes between has to come at the right one, on a slow
//! machine too. Nothing here waits for a while and hopes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};

use super::{Said, command, command_inside, send};

/// A Python script that runs in a domain controller and says how far it is.
pub struct Watcher {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Watcher {
    /// Starts it, with this as `order`. It has `wait(condition)`; where it reads its standard input, it waits for its end.
    pub fn start(side: &str, script: &str, order: &serde_json::Value) -> Self {
        let script = format!("{WAIT}{script}");
        let mut child = command_inside(side, &["python3", "-c", &script])
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{order}").unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            input,
            output,
        }
    }

    /// Waits until it says this word.
    pub fn says(&mut self, word: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), word);
    }

    /// Lets it go on, where it waits for that, until it is done.
    pub fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

const WAIT: &str = r#"
import glob, json, os, sys, time
order = json.loads(sys.stdin.readline())
deadline = time.monotonic() + 120

def wait(condition):
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.0005)
"#;

/// Looks out in a domain controller for the moment at which gpoctl has staged some of the files of [`super::with_many_files`],
/// in whatever GPO.
pub struct Staging(Watcher);

impl Staging {
    /// Begins to look; to be called before gpoctl is started.
    pub fn look_out(side: &str) -> Self {
        let script = r#"
print("ready", flush=True)
wait(lambda: len(glob.glob("/var/lib/samba/sysvol/*/Policies/*/.gpoctl-*-new-Machine/Many/*")) >= 20)
print("staging", flush=True)
"#;
        let mut watcher = Watcher::start(side, script, &serde_json::Value::Null);
        watcher.says("ready");
        Self(watcher)
    }

    /// Waits for the moment.
    pub fn wait(mut self) {
        self.0.says("staging");
        self.0.end();
    }
}

/// Runs gpoctl, which makes something of a backup [`super::with_many_files`] in a domain, and sends it a signal while it stages.
pub fn stopped_while_staging(side: &str, arguments: &[&str], signal: &str) -> Said {
    let staging = Staging::look_out(side);
    let child = command(arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    staging.wait();
    send(&child, signal);
    child.wait_with_output().unwrap().into()
}

/// Somebody else, who works in a domain controller while gpoctl applies: waits until gpoctl stages in the folder of a GPO, then
/// keeps everybody from writing to the directory until GPT.INI has a certain version, and makes his own changes before
/// gpoctl can make its last one.
pub struct Intruder(Watcher);

/// What somebody else does.
#[derive(Default)]
pub struct Intrusion<'a> {
    /// The GPO.
    pub guid: &'a str,
    /// The combined version in GPT.INI that he waits for; without one, he acts as soon as gpoctl stages.
    pub version: Option<u32>,
    /// What he does to the directory.
    pub ldif: &'a str,
    /// A file he writes below the GPO's folder.
    pub file: Option<&'a str>,
    /// Whether he keeps others from writing to the directory after that until he is told.
    pub holds: bool,
}

impl Intruder {
    /// Sends him; he is at his place when this returns.
    pub fn send(side: &str, what: &Intrusion<'_>) -> Self {
        let script = r#"
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

lp = LoadParm()
lp.load_default()
database = SamDB(session_info=system_session(), lp=lp)
folder = f"/var/lib/samba/sysvol/{lp.get('realm').lower()}/Policies/{order['guid']}"

def has_version():
    try:
        with open(f"{folder}/GPT.INI") as ini:
            return f"Version={order['version']}\n" in ini.read()
    except FileNotFoundError:
        return False

# The kernel lists who waits for a lock after an arrow: "83: -> POSIX  ADVISORY  WRITE 224 fe:00:5709881 8 8".
def an_ldap_server_waits():
    with open("/proc/locks") as locks:
        waiting = [line.split()[5] for line in locks if "->" in line]
    for process in waiting:
        try:
            with open(f"/proc/{process}/cmdline") as title:
                if "task[ldap]" in title.read():
                    return True
        except OSError:
            pass
    return False

print("ready", flush=True)
wait(lambda: glob.glob(f"{folder}/.gpoctl-*-new-Machine"))
database.transaction_start()
if order["version"] is not None:
    wait(has_version)
if order["file"]:
    with open(f"{folder}/{order['file']}", "w") as file:
        file.write("somebody else\n")
if order["ldif"]:
    database.modify_ldif(order["ldif"])
if order["holds"]:
    wait(an_ldap_server_waits)
    print("a change waits", flush=True)
    sys.stdin.read()
database.transaction_commit()
"#;
        let order = serde_json::json!({
            "guid": what.guid,
            "version": what.version,
            "ldif": what.ldif,
            "file": what.file,
            "holds": what.holds,
        });
        let mut watcher = Watcher::start(side, script, &order);
        watcher.says("ready");
        Self(watcher)
    }

    /// Waits until the LDAP server has a change that it cannot make, because he holds the directory.
    pub fn until_a_change_waits(&mut self) {
        self.0.says("a change waits");
    }

    /// Lets go of the directory, if he holds it; he has done everything.
    pub fn assert_done(self) {
        self.0.end();
    }
}
