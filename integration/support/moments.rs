//! Moments of an operation, observed in a domain controller. A test that interferes with gpoctl waits for the moment itself and
//! not for a fixed time, so it does not depend on the speed of the machine.

use super::{Running, Said, command, command_inside, send};

/// A Python script in a domain controller that prints a word when it reaches a point.
pub struct Watcher(Running);

impl Watcher {
    /// Starts the script with `order`. It can call `wait(condition)`, and reads its standard input to wait for [`Self::end`].
    pub fn start(side: &str, script: &str, order: &serde_json::Value) -> Self {
        let script = format!("{WAIT}{script}");
        let mut command = command_inside(side, &["python3", "-c", &script]);
        let mut watcher = Self(Running::start("a watcher", &mut command));
        watcher.tell(&order.to_string());
        watcher
    }

    /// Waits for the word.
    pub fn says(&mut self, word: &str) {
        assert_eq!(self.0.line().as_deref(), Ok(word));
    }

    /// Waits for the word; `false` when the script has ended without it.
    pub fn reaches(&mut self, word: &str) -> bool {
        while let Some(line) = self.0.next().unwrap() {
            if line == word {
                return true;
            }
        }
        false
    }

    /// Waits until the script has ended; whether it has succeeded.
    pub fn succeeds(mut self) -> bool {
        self.0.end().is_ok()
    }

    /// Gives the script a line.
    pub fn tell(&mut self, line: &str) {
        self.0.tell(line).unwrap();
    }

    /// Closes the standard input of the script and waits until it has succeeded.
    pub fn end(mut self) {
        self.0.end().unwrap();
    }
}

const WAIT: &str = r#"
import glob, json, os, sys, time
order = json.loads(sys.stdin.readline())
deadline = time.monotonic() + 120

def wait(condition):
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met within 120 s"
        time.sleep(0.0005)
"#;

/// Waits in a domain controller until gpoctl has staged some of the files of [`super::with_many_files`] in any GPO.
pub struct Staging(Watcher);

impl Staging {
    /// Starts to watch. Call this before gpoctl starts.
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

    /// Waits until some files are staged.
    pub fn wait(mut self) {
        self.0.says("staging");
        self.0.end();
    }
}

/// Runs gpoctl with a backup [`super::with_many_files`] and sends it a signal while it stages.
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

/// Another admin, who changes a GPO while gpoctl applies a plan to it. Waits until gpoctl stages in the folder of the GPO, locks
/// the directory until GPT.INI has a given version, and makes changes before gpoctl can make its last one.
pub struct ConcurrentAdmin(Watcher);

/// What the other admin does.
#[derive(Default)]
pub struct ConcurrentChange<'a> {
    /// The GPO.
    pub guid: &'a str,
    /// The combined version in GPT.INI to wait for; `None` acts as soon as gpoctl stages.
    pub version: Option<u32>,
    /// The change to the directory.
    pub ldif: &'a str,
    /// A file to write below the GPO's folder.
    pub file: Option<&'a str>,
    /// Whether to keep the directory locked after that until [`ConcurrentAdmin::assert_done`].
    pub holds: bool,
}

impl ConcurrentAdmin {
    /// Starts the script; it watches when this returns.
    pub fn start(side: &str, what: &ConcurrentChange<'_>) -> Self {
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

    /// Waits until the LDAP server has a change that waits for the lock.
    pub fn until_a_change_waits(&mut self) {
        self.0.says("a change waits");
    }

    /// Releases the directory and asserts that every change was made.
    pub fn assert_done(self) {
        self.0.end();
    }
}
