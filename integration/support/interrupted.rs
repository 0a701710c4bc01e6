//! An operation that is interrupted in a real domain: what it leaves, and what a person does next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gpoctl::formats::gpt_ini;
use gpoctl::model::version::GpoVersion;
use serde_json::{Value, json};

use super::client_view::{Container, Files, View, mixture};
use super::{
    Said, StateReader, assert_samba_checks_pass, back_up, both_ways, command, decode,
    differences_of, fresh, import, scratch, timeless,
};

/// Whether every point of a sweep is tried: with `GPOCTL_LIVE_POINTS=all`; otherwise every tenth is.
pub fn all_points() -> bool {
    std::env::var("GPOCTL_LIVE_POINTS").is_ok_and(|value| value == "all")
}

/// All of these, or every tenth.
pub fn sample<T>(all: Vec<T>) -> Vec<T> {
    let step = if all_points() { 1 } else { 10 };
    all.into_iter().step_by(step).collect()
}

/// A new GPO of DST.TEST with settings in both halves and packages. Returns its GUID.
pub fn filled(name: &str) -> String {
    let backup = &back_up("src.test", &["Software"])["Software"];
    let rows = both_ways("dst");
    let more = [
        "--create",
        "--yes",
        "--migration-table",
        rows.to_str().unwrap(),
    ];
    let made = import(backup, &fresh(name), &more).json();
    made["gpo"]["guid"].as_str().unwrap().to_owned()
}

/// The arguments of an import of other settings over such a GPO, with a migration table.
pub fn import_over(guid: &str) -> Vec<String> {
    let backup = &back_up("src.test", &["Logon Scripts"])["Logon Scripts"];
    let rows = both_ways("dst");
    let [backup, rows] = [backup, &rows].map(|path| path.to_str().unwrap());
    ["import", backup, "--into", guid, "--migration-table", rows]
        .map(str::to_owned)
        .to_vec()
}

/// A command that changes a GPO of DST.TEST, and the two states between which it goes.
pub struct Case {
    pub guid: String,
    arguments: Vec<String>,
    reader: Arc<Mutex<StateReader>>,
    old: Value,
    new: Value,
    /// The new state as it was read.
    done: Value,
    /// What was tried.
    pub tally: Tally,
}

/// How the tries of a sweep ended.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// What was tried, and how many of these tries never met what was to interrupt them.
    pub tried: usize,
    pub missed: usize,
    /// How gpoctl ended: done, failed and rolled back, or something left to do.
    pub done: usize,
    pub failed: usize,
    pub left: usize,
    /// Of these, how many ended with a higher version, or were cleaned up.
    pub raised: usize,
    pub cleaned: usize,
}

/// One try.
pub struct Try {
    /// The journals of this try.
    pub journals: PathBuf,
    before: Value,
    /// What was seen while gpoctl ran.
    pub seen: Arc<Mutex<Vec<Value>>>,
}

/// A state without the owners and groups of files, from which Samba also makes the POSIX ACL.
fn without_owners(state: &Value) -> Value {
    match state {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| *name != "posix_acl")
            .map(|(name, value)| match (name.as_str(), value.as_str()) {
                ("sddl", Some(sddl)) => {
                    let dacl = sddl.split_once("D:P").map_or(sddl, |(_, dacl)| dacl);
                    (name.clone(), dacl.into())
                }
                _ => (name.clone(), without_owners(value)),
            })
            .collect(),
        Value::Array(values) => values.iter().map(without_owners).collect(),
        other => other.clone(),
    }
}

/// Which state the domain is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Old,
    New,
}

impl Case {
    /// `arguments` are those of a command that changes this GPO. It is run and undone, to learn the two states.
    pub fn new(guid: &str, arguments: &[String]) -> Self {
        let mut case = Self {
            guid: guid.to_owned(),
            arguments: arguments.to_vec(),
            reader: Arc::new(Mutex::new(StateReader::start("dst"))),
            old: Value::Null,
            new: Value::Null,
            done: Value::Null,
            tally: Tally::default(),
        };
        let before = case.look();
        case.old = case.comparable(&before);
        let one = case.begin();
        let done = case.run(&one, None).json();
        assert_eq!(done["status"], "done");
        case.done = case.look();
        case.new = case.comparable(&case.done);
        assert!(case.old != case.new, "nothing is changed");
        case.undo(&one).unwrap();
        case
    }

    /// The state of the GPO and of what is around it, now.
    pub fn look(&self) -> Value {
        self.reader.lock().unwrap().read(&self.guid)
    }

    /// Looks through a new process, when the domain controller was started again.
    pub fn reconnect(&self) {
        *self.reader.lock().unwrap() = StateReader::start("dst");
    }

    /// What [`Self::look`] does, for another thread.
    pub fn looker(&self) -> impl Fn() -> Value + Send + 'static {
        let (reader, guid) = (Arc::clone(&self.reader), self.guid.clone());
        move || reader.lock().unwrap().read(&guid)
    }

    /// Begins a try, with journals of its own.
    pub fn begin(&self) -> Try {
        Try {
            journals: tempfile::tempdir_in(scratch()).unwrap().keep(),
            before: self.look(),
            seen: Arc::default(),
        }
    }

    /// The command, at this address or directly.
    pub fn command(&self, one: &Try, address: Option<&str>) -> std::process::Command {
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(["--domain", "dst.test", "--yes", "--json"]);
        arguments.extend(
            address
                .map(|address| ["--address", address])
                .iter()
                .flatten(),
        );
        let mut command = command(&arguments);
        command.env("XDG_STATE_HOME", &one.journals);
        command
    }

    /// Runs the command.
    pub fn run(&self, one: &Try, address: Option<&str>) -> Said {
        self.command(one, address).output().unwrap().into()
    }

    /// The same with what a client cannot see and every write changes left out.
    fn comparable(&self, state: &Value) -> Value {
        let gpo = &state["gpos"][&self.guid];
        json!({
            "gpo": if gpo.is_null() { Value::Null } else { timeless(gpo) },
            "links": state["links"],
            "policies_folder": state["policies_folder"],
            "wmi_filters": state["wmi_filters"],
        })
    }

    fn view(&self, state: &Value) -> View {
        view_of(state, &self.guid)
    }

    /// What a client would read of the new state after this one.
    fn new_view(&self, before: &View) -> View {
        let version = before.container.as_ref().map_or(0, |it| it.version);
        let next = GpoVersion::from_combined(version);
        let next = GpoVersion {
            user: next.user + 1,
            machine: next.machine + 1,
        };
        let mut view = self.view(&self.done);
        if let Some(container) = &mut view.container {
            container.version = next.combined();
            view.in_gpt_ini = Some(next.combined());
        }
        view
    }

    /// Which state it is; the differences if it is neither.
    fn which(&self, state: &Value) -> Result<Which, String> {
        let now = self.comparable(state);
        if now == self.old {
            return Ok(Which::Old);
        }
        if now == self.new {
            return Ok(Which::New);
        }
        Err(format!(
            "from the old state: {:#?}; from the new one: {:#?}",
            differences_of(&self.old, &now),
            differences_of(&self.new, &now)
        ))
    }

    /// Judges a try after gpoctl has ended: what it reported, what a client would have read, and the state after what a person does
    /// next. In the end the domain is in the old state again.
    ///
    /// # Errors
    /// What is wrong.
    pub fn judge(&mut self, one: &Try, said: &Said) -> Result<(), String> {
        self.tally.tried += 1;
        let wrong = |what: String| {
            Err(format!(
                "{what}\nexit status {}: {}{}",
                said.status, said.stdout, said.stderr
            ))
        };
        let at_end = self.look();
        if let Err(what) = self.no_mixture(one, &at_end) {
            return wrong(what);
        }
        let outcome = match said.status {
            0 => self.is_done(one, said, &at_end),
            1 => self.is_as_before(one, &at_end),
            3 => self.finish_as_told(one, said, &at_end),
            _ => Err("this exit status says nothing about the domain".to_owned()),
        };
        let which = match outcome {
            Ok(which) => which,
            Err(what) => return wrong(what),
        };
        if which == Which::New
            && let Err(what) = self.undo(one)
        {
            return wrong(format!("undone afterwards: {what}"));
        }
        Ok(())
    }

    /// What was seen during the try, and at its end, is no mixture of two policies.
    fn no_mixture(&self, one: &Try, at_end: &Value) -> Result<(), String> {
        let old = self.view(&one.before);
        let new = self.new_view(&old);
        let mut before = old.clone();
        let seen = one.seen.lock().unwrap().clone();
        for state in &seen {
            let now = self.view(state);
            if let Some(what) = mixture(&old, &new, &before, &now, false) {
                return Err(format!("a client reads a mixture: {what}"));
            }
            before = now;
        }
        // gpoctl may have begun to roll back.
        let now = self.view(at_end);
        match mixture(&old, &new, &before, &now, true) {
            Some(what) => Err(format!("a client reads a mixture at the end: {what}")),
            None => Ok(()),
        }
    }

    fn is_done(&mut self, one: &Try, said: &Said, at_end: &Value) -> Result<Which, String> {
        self.tally.done += 1;
        match self.which(at_end) {
            Ok(Which::New) => {}
            Ok(Which::Old) => return Err("reported as done, and it is not".to_owned()),
            // A server that refused the owners: that is said, and nothing else may differ.
            Err(_) if said.stdout.contains("\"owners-not-set\"") => {
                let [new, now] =
                    [self.new.clone(), self.comparable(at_end)].map(|it| without_owners(&it));
                if new != now {
                    return Err(format!("{:#?}", differences_of(&new, &now)));
                }
            }
            Err(what) => return Err(what),
        }
        self.version_is(one, at_end, Which::New)?;
        match operation(&one.journals) {
            Some(found) if found["state"] == "done" => Ok(Which::New),
            other => Err(format!("done, and its journal says {other:?}")),
        }
    }

    fn is_as_before(&mut self, one: &Try, at_end: &Value) -> Result<Which, String> {
        self.tally.failed += 1;
        match self.which(at_end)? {
            Which::Old => {}
            Which::New => return Err("reported as failed, and it is done".to_owned()),
        }
        self.version_is(one, at_end, Which::Old)?;
        match operation(&one.journals) {
            Some(found) if found["state"] != "failed" => {
                Err(format!("rolled back, and its journal says {found}"))
            }
            _ => Ok(Which::Old),
        }
    }

    /// Runs the command that gpoctl named, in a new process.
    fn finish_as_told(&mut self, one: &Try, said: &Said, at_end: &Value) -> Result<Which, String> {
        self.tally.left += 1;
        let found = operation(&one.journals).ok_or("something is left, and there is no journal")?;
        let text = format!("{}{}", said.stdout, said.stderr);
        let (_, told) = text
            .split_once("gpoctl operations ")
            .ok_or("it does not name the next command")?;
        let mut words = told.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        let (verb, id) = (words.next().unwrap(), words.next().unwrap());
        let (expected, end) = match found["state"].as_str().unwrap() {
            "left-over" => ("cleanup", Which::New),
            "unfinished" => ("undo", Which::Old),
            other => return Err(format!("something is left, and its journal says {other}")),
        };
        if verb != expected || !found["id"].as_str().unwrap().ends_with(id) {
            return Err(format!("names \"{verb} {id}\" for {found}"));
        }
        if end == Which::New {
            self.tally.cleaned += 1;
            self.version_is(one, at_end, Which::New)?;
        }
        self.again(one, verb, id)?;
        let after = self.look();
        if self.which(&after)? != end {
            return Err(format!("after {verb} it is not in the expected state"));
        }
        self.version_is(one, &after, end)?;
        Ok(end)
    }

    /// `gpoctl operations undo` or `cleanup` in a new process and on the direct connection.
    fn again(&self, one: &Try, verb: &str, id: &str) -> Result<Value, String> {
        let mut command = command(&["operations", verb, id, "--yes", "--json"]);
        command.env("XDG_STATE_HOME", &one.journals);
        let said = Said::from(command.output().unwrap());
        match said.status {
            0 => Ok(said.json()),
            _ => Err(format!(
                "{verb} {id} ends with {}: {}{}",
                said.status, said.stdout, said.stderr
            )),
        }
    }

    /// Undoes what was done, for the next try.
    fn undo(&self, one: &Try) -> Result<(), String> {
        let found = operation(&one.journals).ok_or("there is no journal")?;
        self.again(one, "undo", found["id"].as_str().unwrap())?;
        match self.which(&self.look())? {
            Which::Old => Ok(()),
            Which::New => Err("it was not undone".to_owned()),
        }
    }

    /// Both halves have the version that belongs to this state. A roll-back may have raised the one before.
    fn version_is(&mut self, one: &Try, state: &Value, which: Which) -> Result<(), String> {
        let before = self.view(&one.before);
        let (old, now) = (&before, self.view(state));
        let Some(container) = now.container else {
            return Ok(());
        };
        let first = old.container.as_ref().map(|it| it.version);
        let new = self.new_view(old).container.map(|it| it.version);
        let found = container.version;
        if now.in_gpt_ini != Some(found) {
            return Err(format!(
                "version {found}, and {:?} in GPT.INI",
                now.in_gpt_ini
            ));
        }
        let fits = match which {
            Which::New => new == Some(found),
            Which::Old if first == Some(found) => true,
            Which::Old => {
                self.tally.raised += 1;
                new.is_none_or(|new| found > new)
            }
        };
        match fits {
            true => Ok(()),
            false => Err(format!("{which:?}, and version {found} after {first:?}")),
        }
    }

    /// Prints what was tried, and what was found by Samba's own tools at the end.
    pub fn end(self, what: &str) {
        assert_samba_checks_pass("dst");
        let Tally {
            tried,
            missed,
            done,
            failed,
            left,
            raised,
            cleaned,
        } = self.tally;
        println!(
            "{what}: {tried} tried, 0 wrong: {done} done, {failed} failed and rolled back, {left} continued by a new process \
             ({cleaned} cleaned up); {raised} with a higher version; {missed} never interrupted"
        );
    }
}

/// The only operation in these journals.
fn operation(journals: &Path) -> Option<Value> {
    let mut command = command(&["operations", "list", "--json"]);
    command.env("XDG_STATE_HOME", journals);
    let list = Said::from(command.output().unwrap()).json();
    let found = list["operations"].as_array().unwrap();
    assert!(found.len() <= 1, "{list}");
    found.first().cloned()
}

/// What a client would read of this GPO in this state of the domain.
fn view_of(state: &Value, guid: &str) -> View {
    let gpo = &state["gpos"][guid];
    let text = |name: &str| gpo["attributes"][name][0].as_str().map(str::to_owned);
    let container = (!gpo.is_null()).then(|| Container {
        version: text("versionNumber")
            .map_or(0, |text| text.parse::<i32>().unwrap().cast_unsigned()),
        flags: text("flags"),
        lists: ["gPCMachineExtensionNames", "gPCUserExtensionNames"].map(text),
        others: ["gPCWQLFilter", "displayName"].map(text),
        objects: timeless(gpo)["children"]
            .as_array()
            .unwrap()
            .iter()
            .map(|child| {
                let values = vec![child["attributes"].to_string().into_bytes()];
                (child["dn"].to_string(), [("all", values)].into())
            })
            .collect(),
    });
    let in_gpt_ini = gpo["gpt_ini"].as_str().and_then(|bytes| {
        let version = gpt_ini::read_version(&decode(bytes)).unwrap();
        version.map(GpoVersion::combined)
    });
    let empty = Vec::new();
    let entries = gpo["sysvol"].as_array().unwrap_or(&empty);
    let halves = ["machine", "user"].map(|half| {
        let below = |entry: &Value| -> Option<(String, Option<bytes::Bytes>)> {
            let path = entry["path"].as_str().unwrap().to_lowercase();
            let rest = path.strip_prefix(half)?;
            let hash = entry["sha256"].as_str().map(|hash| hash.to_owned().into());
            (rest.is_empty() || rest.starts_with('/')).then(|| (rest.to_owned(), hash))
        };
        entries.iter().filter_map(below).collect::<Files>()
    });
    let links = state["links"].as_object().unwrap().iter();
    let around = links.map(|(dn, links)| {
        let values = vec![links["gPLink"].to_string().into_bytes()];
        (dn.clone(), [("gPLink", values)].into())
    });
    View {
        container,
        in_gpt_ini,
        halves,
        around: around.collect(),
    }
}
