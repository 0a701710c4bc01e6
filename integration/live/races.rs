//! Two writers on one GPO: gpoctl against gpoctl, against samba-tool, and against a plain edit with smbclient. Afterwards the GPO
//! is as if one had come after the other, and who came second with a plan of the former state has a conflict.
//!
//! gpoctl applies a plan that was saved before the race, so whatever the other writer does is after the plan was made: when both
//! succeed, the other one was second. Each writer stops at a point of its own. Then both go on at the same time, or the second
//! writer runs to its end before the first one goes on.
//!
//! A few races of each kind; 200 in all with `GPOCTL_LIVE_POINTS=all`.

use std::collections::BTreeMap;
use std::sync::mpsc;

use crate::support::interrupted::all_points;
use crate::support::*;
use serde_json::{Value, json};

/// Where a writer stops, until it may go on.
struct Gate {
    writer: usize,
    events: mpsc::Sender<(usize, Event)>,
    open: mpsc::Receiver<()>,
}

enum Event {
    AtGate,
    Ended,
}

impl Gate {
    fn wait(&self) {
        self.events.send((self.writer, Event::AtGate)).unwrap();
        self.open.recv().unwrap();
    }
}

/// Runs both writers, each in its own thread. A writer that ends before its gate is not waited for there.
fn race<A: Send, B: Send>(
    second_first: bool,
    first: impl FnOnce(Gate) -> A + Send,
    second: impl FnOnce(Gate) -> B + Send,
) -> (A, B) {
    let (sender, events) = mpsc::channel();
    let gate = |writer| {
        let (open, wait) = mpsc::channel();
        let events = sender.clone();
        (
            open,
            Gate {
                writer,
                events,
                open: wait,
            },
        )
    };
    let ((open_first, first_gate), (open_second, second_gate)) = (gate(0), gate(1));
    let (ended_first, ended_second) = (sender.clone(), sender.clone());
    std::thread::scope(|scope| {
        let first = scope.spawn(move || {
            let outcome = first(first_gate);
            ended_first.send((0, Event::Ended)).unwrap();
            outcome
        });
        let second = scope.spawn(move || {
            let outcome = second(second_gate);
            ended_second.send((1, Event::Ended)).unwrap();
            outcome
        });
        let mut stopped = [false; 2];
        let mut ended = false;
        while stopped != [true; 2] {
            let (writer, event) = events.recv().unwrap();
            stopped[writer] = true;
            ended |= writer == 1 && matches!(event, Event::Ended);
        }
        // A gate of a writer that has ended is gone.
        let open = |gate: mpsc::Sender<()>| {
            let _ = gate.send(());
        };
        open(open_second);
        while second_first && !ended {
            ended = matches!(events.recv().unwrap(), (1, Event::Ended));
        }
        open(open_first);
        (first.join().unwrap(), second.join().unwrap())
    })
}

/// A file that the other writer edits, and which the settings of gpoctl have or have not.
#[derive(Clone, Copy)]
struct Edited {
    /// Its path, in lower case.
    path: &'static str,
    /// Below this nothing else is compared, in lower case.
    below: &'static str,
}

/// In each of the backups.
const SMBCLIENT: Edited = Edited {
    path: "machine/many/f0.txt",
    below: "machine/many/f0.txt",
};
/// In none of the backups.
const SAMBA_TOOL: Edited = Edited {
    path: "machine/microsoft/windows nt/secedit/gpttmpl.inf",
    below: "machine/microsoft",
};
const NOTHING: Edited = Edited {
    path: "",
    below: "?",
};

/// A GPO in which races take place, and the settings that gpoctl gives it.
struct Field {
    guid: String,
    backups: Vec<String>,
    /// The state that each of the backups leaves.
    states: Vec<Value>,
    reader: StateReader,
    tally: BTreeMap<String, usize>,
}

impl Field {
    fn new(name: &str) -> Self {
        let seeds = ["Logon Scripts", "Drive Maps", "Desktop Registry"];
        let backups = back_up("src.test", &seeds);
        let backups: Vec<String> = seeds
            .iter()
            .map(|seed| {
                let backup = backup_of_copy(backups[*seed].to_str().unwrap());
                with_many_files(&backup, 5);
                backup
            })
            .collect();
        let name = fresh(name);
        let created = write("dst.test", &["create", &name]).json();
        let mut field = Self {
            guid: created["gpo"]["guid"].as_str().unwrap().to_owned(),
            backups,
            states: Vec::new(),
            reader: StateReader::start("dst"),
            tally: BTreeMap::new(),
        };
        for backup in field.backups.clone() {
            import(backup.as_ref(), &field.guid, &["--yes"]).json();
            let state = field.gpo();
            field.states.push(state);
        }
        field
    }

    fn gpo(&mut self) -> Value {
        self.reader.read(&self.guid)["gpos"][&self.guid].clone()
    }

    /// Which of the backups the GPO has, apart from what is edited, and the hash of the file that is edited.
    fn content(&self, gpo: &Value, edited: Edited) -> (Result<usize, String>, Option<String>) {
        let without = |gpo: &Value| {
            let mut gpo = timeless(gpo);
            let entries = gpo["sysvol"].as_array_mut().unwrap();
            entries.retain(|entry| {
                let path = entry["path"].as_str().unwrap().to_lowercase();
                !path.starts_with(edited.below)
            });
            gpo
        };
        let now = without(gpo);
        let found = self.states.iter().position(|state| without(state) == now);
        let hash = sysvol_files(gpo).get(edited.path).cloned();
        let found = found.ok_or_else(|| {
            let differences = self
                .states
                .iter()
                .map(|state| differences_of(&without(state), &now));
            format!("{:#?}", differences.collect::<Vec<_>>())
        });
        (found, hash)
    }

    /// Saves a plan that gives the GPO these settings.
    fn plan(&self, backup: usize) -> String {
        let plan = tempfile::tempdir_in(scratch()).unwrap().keep();
        let plan = plan.join("plan.json");
        let plan = plan.to_str().unwrap();
        let into = ["import", &self.backups[backup], "--into", &self.guid];
        save_plan("dst.test", &into, plan);
        plan.to_owned()
    }

    fn count(&mut self, what: &str) {
        *self.tally.entry(what.to_owned()).or_default() += 1;
    }

    fn end(self, kind: &str) {
        let total: usize = self.tally.values().sum();
        println!(
            "gpoctl against {kind}: {total} races, 0 wrong: {:?}",
            self.tally
        );
        // Samba's check of SYSVOL refuses the permissions of files that samba-tool writes.
        import(self.backups[0].as_ref(), &self.guid, &["--yes"]).json();
        assert_samba_checks_pass("dst");
        write("dst.test", &["delete", &self.guid]).json();
    }
}

/// Applies a plan through the relay, and stops at a point.
fn apply_at(relay: &Relay, plan: &str, stop: Point, gate: Gate) -> Said {
    let mut passed = false;
    relay.inspect(move |message| {
        if message.point == stop && !passed {
            passed = true;
            gate.wait();
        }
        Verdict::Pass
    });
    let address = ["--address", &relay.address];
    let said = gpoctl(&[&["apply", plan, "--json"][..], &address].concat());
    // The gate is with the inspector.
    relay.inspect(|_| Verdict::Pass);
    said
}

/// The requests of an apply.
fn requests(field: &Field, relay: &Relay) -> Vec<Point> {
    let plan = field.plan(0);
    relay.inspect(|_| Verdict::Pass);
    gpoctl(&["apply", &plan, "--json", "--address", &relay.address]).json();
    let points = relay.points().into_iter();
    points
        .filter(|point| point.sender == Sender::Client)
        .collect()
}

/// Whether gpoctl succeeded. If it did not, it met the other one, before it wrote or when it read back, after which everything is as it
/// was.
fn won(said: &Said, race: &str) -> bool {
    if said.status == 0 {
        return true;
    }
    let words = [
        "has changed since",
        "was changed by somebody else",
        "read back, ",
    ];
    assert!(
        said.status == 1 && words.iter().any(|word| said.stderr.contains(word)),
        "{race}: exit status {}: {}{}",
        said.status,
        said.stdout,
        said.stderr
    );
    false
}

/// How many races of a kind, of so many.
fn races(all: usize) -> usize {
    if all_points() { all } else { all / 10 }
}

#[test]
#[ignore = "needs the lab"]
fn gpoctl_against_gpoctl() {
    let _alone = alone();
    let mut field = Field::new("Race of two");
    let relays = [86, 87].map(|last| Relay::start("dst", last, &[389, 445]));
    let points = requests(&field, &relays[0]);
    let count = races(80);
    for number in 0..count {
        let stops = [
            points[number * points.len() / count],
            points[number * 37 % points.len()],
        ];
        let second_first = number % 2 == 1;
        let name = format!(
            "race {number}, {} and {}, {second_first}",
            stops[0], stops[1]
        );
        let before = field.gpo();
        let old = field.content(&before, NOTHING).0.unwrap();
        let wanted = [(old + 1) % 3, (old + 2) % 3];
        let plans = wanted.map(|backup| field.plan(backup));
        let (first, second) = race(
            second_first,
            |gate| apply_at(&relays[0], &plans[0], stops[0], gate),
            |gate| apply_at(&relays[1], &plans[1], stops[1], gate),
        );
        let gpo = field.gpo();
        let found = field
            .content(&gpo, NOTHING)
            .0
            .unwrap_or_else(|what| panic!("{name}: {what}"));
        let (expected, outcome) = match (won(&first, &name), won(&second, &name)) {
            (true, true) => panic!("{name}: both have replaced the same settings"),
            (true, false) => (wanted[0], "the first won"),
            (false, true) => (wanted[1], "the second won"),
            (false, false) => (old, "both have a conflict"),
        };
        assert_eq!(found, expected, "{name}: {outcome}");
        version_of("dst", &gpo);
        field.count(outcome);
    }
    field.end("gpoctl");
}

/// Races of gpoctl against a program that edits a file. `edit` makes the edit with this number, after it has waited at its gate, and
/// returns whether it succeeded, and the hash of the file that it wrote.
fn against_an_edit(
    kind: &str,
    what: Edited,
    last: u8,
    edit: impl Fn(&str, usize, Gate) -> (bool, String) + Sync,
) {
    let mut field = Field::new(&format!("Race with {kind}"));
    let relay = Relay::start("dst", last, &[389, 445]);
    let points = requests(&field, &relay);
    let count = races(60);
    for number in 0..count {
        let stop = points[number * points.len() / count];
        let second_first = number % 2 == 1;
        let name = format!("race {number} with {kind}, {stop}, {second_first}");
        let before = field.gpo();
        let (old, old_hash) = field.content(&before, what);
        let (old, guid) = (old.unwrap(), field.guid.clone());
        let wanted = (old + 1) % 3;
        let plan = field.plan(wanted);
        let (said, (is_edited, new_hash)) = race(
            second_first,
            |gate| apply_at(&relay, &plan, stop, gate),
            |gate| edit(&guid, number, gate),
        );
        let gpo = field.gpo();
        let (found, hash) = field.content(&gpo, what);
        let found =
            found.unwrap_or_else(|what| panic!("{name}: {}{}: {what}", said.stdout, said.stderr));
        let planned_hash = sysvol_files(&field.states[wanted]).get(what.path).cloned();
        let (expected, expected_hash, outcome) = match (won(&said, &name), is_edited) {
            (true, true) => (wanted, Some(new_hash), "both, the edit second"),
            (true, false) => (wanted, planned_hash, "gpoctl alone"),
            (false, true) => (old, Some(new_hash), "the edit alone"),
            (false, false) => (old, old_hash, "neither"),
        };
        assert_eq!(found, expected, "{name}: {outcome}");
        assert_eq!(hash, expected_hash, "{name}: {outcome}");
        field.count(outcome);
    }
    field.end(kind);
}

fn hash_of(text: &str) -> String {
    use sha2::{Digest as _, Sha256};

    let hash = Sha256::digest(text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `samba-tool gpo manage`, which stops before one of its calls to SYSVOL.
#[test]
#[ignore = "needs the lab"]
fn gpoctl_against_samba_tool() {
    let _alone = alone();
    let script = r#"
import runpy, shutil
import samba.netcmd.gpo as gpo

connect = gpo.smb_connection

class Share:
    """A connection that stops before the first of these calls."""

    def __init__(self, *arguments, **named):
        self.share = connect(*arguments, **named)
        self.stops = True

    def __getattr__(self, name):
        if self.stops and name == order["call"]:
            self.stops = False
            print("ready", flush=True)
            sys.stdin.readline()
        return getattr(self.share, name)

gpo.smb_connection = Share
os.environ["PASSWD_FILE"] = "/lab-state/admin.password"
sys.argv = ["samba-tool", *order["arguments"], "-U", "Administrator"]
runpy.run_path(shutil.which("samba-tool"), run_name="__main__")
"#;
    against_an_edit("samba-tool", SAMBA_TOOL, 88, |guid, number, gate| {
        let length = number.to_string();
        let set = [
            "gpo",
            "manage",
            "security",
            "set",
            guid,
            "MinimumPasswordLength",
            &length,
        ];
        let call = ["loadfile", "chkpath", "savefile"][number % 3];
        let order = json!({ "arguments": set, "call": call });
        let mut tool = Watcher::start("dst", script, &order);
        if tool.reaches("ready") {
            gate.wait();
            tool.tell("");
        }
        let text = format!("[System Access]\nMinimumPasswordLength = {length}\n\n");
        (tool.succeeds(), hash_of(&text))
    });
}

/// smbclient, which is connected, and then writes a file.
#[test]
#[ignore = "needs the lab"]
fn gpoctl_against_smbclient() {
    let _alone = alone();
    let script = r#"
import subprocess

os.environ["PASSWD_FILE"] = "/lab-state/admin.password"
client = subprocess.Popen(
    ["smbclient", "//localhost/sysvol", "-U", "Administrator", "-D", order["folder"]],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
)

def tell(line):
    client.stdin.write(line + "\n")
    client.stdin.flush()

def hears(*words):
    for line in client.stdout:
        if any(word in line for word in words):
            return line
    sys.exit("smbclient has ended")

with open("/tmp/edit", "w") as file:
    file.write(order["text"])
tell("!echo connected")
hears("connected")
print("ready", flush=True)
sys.stdin.readline()
tell("put /tmp/edit f0.txt")
heard = hears("putting file", "NT_STATUS")
client.stdin.close()
client.wait()
sys.exit(heard if "NT_STATUS" in heard else 0)
"#;
    against_an_edit("smbclient", SMBCLIENT, 89, |guid, number, gate| {
        let text = format!("edit {number}\n");
        let folder = format!(r"dst.test\Policies\{guid}\Machine\Many");
        let order = json!({ "text": text, "folder": folder });
        let mut client = Watcher::start("dst", script, &order);
        client.says("ready");
        gate.wait();
        client.tell("");
        (client.succeeds(), hash_of(&text))
    });
}
