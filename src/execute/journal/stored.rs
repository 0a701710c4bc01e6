//! The journals of earlier operations: their states, and what is needed to undo them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Before, Event, Inverse, Journal, before_name, root, undone};
use jiff::Timestamp;

use crate::backup::folder::{Folder, Kind};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::Code;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::version::GpoVersion;
use crate::plan::gpo::{PlanTarget, Verb};
use crate::plan::{MAX_PLAN_BYTES, Mode, Plan};

/// The maximum size of the events of a journal.
const MAX_EVENT_BYTES: u64 = 64 << 20;

/// The state of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OperationState {
    /// It is running.
    Running,
    /// It is complete.
    Done,
    /// It is complete, but old files could not be deleted.
    LeftOver,
    /// It failed and was rolled back.
    Failed,
    /// It was interrupted, or could not be rolled back.
    Unfinished,
    /// It was completed, and undone later.
    Undone,
    /// It was interrupted, others have changed the same since, and it was closed without rolling that back.
    Superseded,
    /// Its journal cannot be read.
    Unreadable,
}

impl OperationState {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::LeftOver => "left-over",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
            Self::Undone => "undone",
            Self::Superseded => "superseded",
            Self::Unreadable => "unreadable",
        }
    }
}

/// An operation whose journal is on the local disk.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoredOperation {
    /// Its ID.
    pub id: String,
    /// The folder of its journal.
    pub folder: PathBuf,
    /// Its state.
    pub state: OperationState,
    /// When it was planned, as `2026-01-31T12:00:00Z`; empty when the ID does not contain a time.
    pub time: String,
    /// Its verb, or the title of an undo or of a plan of several changes; empty when unreadable.
    pub what: String,
    /// The GPO, when it has one.
    pub gpo: Option<PlanTarget>,
    /// The domain.
    pub domain: Option<DomainName>,
    /// Why it failed, or could not be rolled back.
    pub reason: Option<String>,
    /// The backup of the GPO as it was, if one was kept.
    pub safety_backup: Option<PathBuf>,
    /// When it began, as its journal records it; `None` in a journal of an older version.
    pub(in crate::execute) started: Option<Timestamp>,
    /// The inverses it announced, each with the number of its change, in the order of the changes.
    pub changes: Vec<(usize, Inverse)>,
    /// The numbers of the changes that are complete, of an operation that is applied object by object.
    pub(in crate::execute) stands: BTreeSet<usize>,
    /// Whether the last roll-back left only what others have changed since.
    pub(in crate::execute) kept_for_others: bool,
    /// The ID of the operation that undid it.
    pub undone_by: Option<String>,
    /// Whether something of it was not put back when it was undone, as the plan of that said.
    pub undone_in_part: bool,
    /// Whether its own plan is an undo that does not put everything back.
    pub(super) leaves_something: bool,
    /// The ID of the operation that it undoes, as its plan names it.
    pub undoes: Option<String>,
    /// What becomes of its other changes when one fails.
    pub(super) mode: Mode,
    /// The number of changes of its plan.
    pub(super) planned: usize,
    /// The versions that incomplete roll-backs were about to write, by the numbers of their changes.
    pub(in crate::execute) raising: BTreeMap<usize, Vec<GpoVersion>>,
    /// The live names of the entries of others that roll-backs were about to put aside, by the numbers of their changes.
    pub(in crate::execute) put_aside: BTreeMap<usize, BTreeSet<String>>,
}

/// The parts of a plan that a list shows; version 1 has a form for one GPO and one for single values.
#[derive(Debug, serde::Deserialize)]
struct Head {
    verb: Option<Verb>,
    target: Option<PlanTarget>,
    title: Option<String>,
    domain: Option<DomainName>,
    changes: Option<Vec<HeadOfGpo>>,
    #[serde(default)]
    mode: Mode,
    undoes: Option<String>,
    #[serde(default)]
    messages: Vec<HeadOfMessage>,
}

/// The part of a finding that a list needs.
#[derive(Debug, serde::Deserialize)]
struct HeadOfMessage {
    code: String,
}

/// The parts of the change of a GPO that a list shows.
#[derive(Debug, serde::Deserialize)]
struct HeadOfGpo {
    verb: Option<Verb>,
    target: Option<PlanTarget>,
}

impl Head {
    fn read(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }
}

/// Whether a list can show a plan.
#[doc(hidden)]
pub fn has_head(json: &[u8]) -> bool {
    Head::read(json).is_ok()
}

/// The name of the file of events.
pub(super) const EVENTS: &str = "journal.jsonl";
/// The name of the file of the plan.
const PLAN: &str = "plan.json";

/// All operations whose journals are in this folder, the latest first.
///
/// # Errors
/// `Denied` when another user can change the folder; `Internal` when it cannot be read; a missing folder is empty.
pub fn list(root: &Path) -> Result<Vec<StoredOperation>> {
    let Some(journals) = root::open(root)? else {
        return Ok(Vec::new());
    };
    let entries = journals.entries().map_err(|cause| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot read the journals in {}", root.display()),
        )
        .with_source(cause)
    })?;
    let mut found = Vec::new();
    for (name, kind) in entries {
        let name = name.unwrap_or_else(|unreadable| unreadable);
        // A name with a dot is an operation that is being deleted.
        if !name.starts_with('.') && kind == Kind::Folder {
            found.push(StoredOperation::read(&journals, name));
        }
    }
    found.sort_by(|one, other| other.id.cmp(&one.id));
    undone::mark(&mut found);
    Ok(found)
}

/// The operation with this ID, or a unique beginning or end of it: the names of its staging folders contain the end.
///
/// # Errors
/// `NotFound` when there is none; `Conflict` when there are several; otherwise as [`list`].
pub fn find(root: &Path, text: &str) -> Result<StoredOperation> {
    let wanted = text.trim().to_lowercase();
    let mut found: Vec<StoredOperation> = list(root)?
        .into_iter()
        .filter(|operation| {
            let id = operation.id.to_lowercase();
            !wanted.is_empty() && (id.starts_with(&wanted) || id.ends_with(&wanted))
        })
        .collect();
    if found.len() > 1 {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("\"{text}\" matches {} operations", found.len()),
        )
        .with_candidates(found.into_iter().map(|one| one.id))
        .with_hint("use more of the ID"));
    }
    found.pop().ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("operation \"{text}\" does not exist in {}", root.display()),
        )
        .with_remedy(Remedy::ListOperations)
    })
}

impl StoredOperation {
    fn read(journals: &Folder, id: String) -> Self {
        let mut operation = Self {
            time: time_of(&id),
            folder: journals.path.join(&id),
            id,
            state: OperationState::Unreadable,
            what: String::new(),
            gpo: None,
            domain: None,
            reason: None,
            safety_backup: None,
            started: None,
            changes: Vec::new(),
            stands: BTreeSet::new(),
            kept_for_others: false,
            undone_by: None,
            undone_in_part: false,
            leaves_something: false,
            undoes: None,
            mode: Mode::default(),
            planned: 0,
            raising: BTreeMap::new(),
            put_aside: BTreeMap::new(),
        };
        let journal = match root::journal(journals, &operation.id) {
            Ok(journal) => journal,
            Err(reason) => {
                operation.reason = Some(reason.to_string());
                return operation;
            }
        };
        operation.safety_backup = first_safety_backup(&journal).map(|backup| backup.path);
        let head = root::read(&journal, PLAN, MAX_PLAN_BYTES)
            .map_err(|error| error.to_string())
            .and_then(|json| json.ok_or_else(|| "it is missing".to_owned()))
            .and_then(|json| match json.is_empty() {
                true => Err("it is empty".to_owned()),
                false => Ok(json),
            })
            .and_then(|json| Head::read(&json).map_err(|cause| cause.to_string()));
        match head {
            Ok(head) => {
                operation.mode = head.mode;
                operation.undoes = head.undoes;
                let mut codes = head
                    .messages
                    .iter()
                    .filter_map(|it| Code::from_name(&it.code));
                operation.leaves_something = codes.any(undone::is_not_put_back);
                operation.planned = head.changes.as_ref().map_or(1, Vec::len);
                let (verb, target) = match head.changes.map(|mut all| (all.len(), all.pop())) {
                    Some((1, Some(only))) => (only.verb, only.target),
                    _ => (head.verb, head.target),
                };
                operation.domain = head
                    .domain
                    .or_else(|| target.as_ref().map(|target| target.domain.clone()));
                let verb = verb.map(|verb| verb.as_str().to_owned());
                // The verb of an undo is that of the way back, such as to restore what was imported.
                operation.what = match operation.undoes {
                    Some(_) => head.title.or(verb),
                    None => verb.or(head.title),
                }
                .unwrap_or_default();
                operation.gpo = target;
            }
            Err(reason) => operation.reason = Some(format!("{PLAN}: {reason}")),
        }
        match root::read(&journal, EVENTS, MAX_EVENT_BYTES) {
            Ok(Some(bytes)) if operation.reason.is_none() => {
                match events(&String::from_utf8_lossy(&bytes)) {
                    Ok(events) => operation.follow(events),
                    Err(error) => operation.reason = Some(format!("{EVENTS}: {error}")),
                }
            }
            // It ended before it had a journal, and so before it wrote anything.
            Ok(None) => operation.state = OperationState::Failed,
            Ok(Some(_)) => {}
            Err(error) => operation.reason = Some(format!("{EVENTS}: {error}")),
        }
        if operation.state == OperationState::Unfinished && is_locked(&journal) {
            operation.state = OperationState::Running;
        }
        operation
    }

    /// Opens the folder of the journals and the journal in it; only the caller or root could have written both.
    ///
    /// # Errors
    /// `NotFound` when it does not exist any more; `Denied` or `Usage` when another user could have written one of them;
    /// `BadInput` when it is not a folder.
    pub(super) fn open(&self) -> Result<(Folder, Folder)> {
        let parent = self.folder.parent().unwrap_or(Path::new("/"));
        let journals = root::open(parent)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("the folder {} does not exist", parent.display()),
            )
        })?;
        let journal = root::journal(&journals, &self.id)?;
        Ok((journals, journal))
    }

    /// Refuses an operation whose journal cannot be read, and with it not even its domain.
    ///
    /// # Errors
    /// `Denied` or `Usage` when another user could have written it; otherwise `BadInput` with the file and the reason.
    pub fn refuse_unreadable(&self) -> Result<()> {
        if self.state != OperationState::Unreadable {
            return Ok(());
        }
        self.open()?;
        let reason = self.reason.as_deref().unwrap_or("nothing in it is known");
        Err(Error::new(
            ErrorKind::BadInput,
            format!(
                "operation {} has a journal that cannot be read, {}: {reason}",
                self.id,
                self.folder.display()
            ),
        )
        .with_remedy(Remedy::WithoutJournal {
            journal: self.folder.clone(),
            backup: self.safety_backup.clone(),
        }))
    }

    /// The backup of the GPO of this change as it was, if one was kept.
    ///
    /// # Errors
    /// As when the journal is opened.
    pub(crate) fn open_safety_backup(&self, of: usize) -> Result<Option<Folder>> {
        Ok(safety_backup(&self.open()?.1, &before_name(of)))
    }

    /// Whether this change of its plan was made by the operation when that has ended.
    pub(crate) fn made(&self, mode: Mode, of: usize) -> bool {
        mode == Mode::AllOrNothing || self.stands.contains(&of)
    }

    /// When it began; with a journal of an older version, when it was planned.
    pub(in crate::execute) fn began(&self) -> Option<Timestamp> {
        self.started.or_else(|| self.time.parse().ok())
    }

    /// The inverses of the changes that are not complete.
    pub(in crate::execute) fn to_take_back(&self) -> Vec<(usize, Inverse)> {
        let changes = self.changes.iter();
        changes
            .filter(|(of, _)| !self.stands.contains(of))
            .cloned()
            .collect()
    }

    /// Reads the events to the last one.
    fn follow(&mut self, events: Vec<Event>) {
        self.state = OperationState::Unfinished;
        let mut values = 0_usize;
        for event in events {
            match event {
                Event::Started { at } => self.started = at.parse().ok(),
                Event::Change { of, inverse } => {
                    // In a plan of an older version, the announcements of single values are in the order of the changes.
                    let number = match inverse {
                        Inverse::ChangeBack => values,
                        _ => 0,
                    };
                    values = values.saturating_add(usize::from(inverse == Inverse::ChangeBack));
                    self.changes.push((of.unwrap_or(number), inverse));
                }
                Event::NotMade => drop(self.changes.pop()),
                Event::Stands { of } => self.stands.extend(of),
                Event::Committed => self.state = OperationState::LeftOver,
                Event::Finished => self.state = OperationState::Done,
                // The changes that are complete were not rolled back.
                Event::RolledBack if !self.stands.is_empty() => {
                    self.state = OperationState::Done;
                }
                Event::RolledBack => self.state = OperationState::Failed,
                Event::Undone { by, in_part } => {
                    self.state = OperationState::Undone;
                    self.undone_by = Some(by);
                    self.undone_in_part = in_part;
                }
                Event::Raising { of, version } => self.raising.entry(of).or_default().push(version),
                Event::PutAside { of, live } => {
                    self.put_aside.entry(of).or_default().insert(live);
                }
                Event::Failed { reason } => self.reason = Some(reason),
                Event::RollBackFailed {
                    reason,
                    kept_for_others,
                } => {
                    self.reason = Some(reason);
                    self.kept_for_others = kept_for_others;
                }
                Event::Superseded => self.state = OperationState::Superseded,
            }
        }
    }

    /// Its plan.
    ///
    /// # Errors
    /// `BadInput` when the journal does not contain it in a known form.
    pub fn plan(&self) -> Result<Plan> {
        let json = self.file(PLAN)?.ok_or_else(|| self.broken(PLAN))?;
        Plan::from_journal(&json).map_err(|error| error.context(format!("operation {}", self.id)))
    }

    /// The state of the GPO of this change before it; `None` when the change creates the GPO.
    ///
    /// # Errors
    /// `BadInput` when it exists and cannot be read.
    pub(crate) fn before(&self, of: usize) -> Result<Option<Before>> {
        let name = format!("{}.json", before_name(of));
        let Some(json) = self.file(&name)? else {
            return Ok(None);
        };
        serde_json::from_slice(&json)
            .map(Some)
            .map_err(|cause| self.broken(&name).with_source(cause))
    }

    fn file(&self, name: &str) -> Result<Option<Vec<u8>>> {
        root::read(&self.open()?.1, name, MAX_PLAN_BYTES)
            .map_err(|cause| self.broken(name).with_source(cause))
    }

    fn broken(&self, name: &str) -> Error {
        Error::new(
            ErrorKind::BadInput,
            format!("cannot read {} of operation {}", name, self.id),
        )
    }

    /// Continues its journal; other processes cannot until the journal is dropped.
    ///
    /// # Errors
    /// `Conflict` when the operation is still running, `Denied` or `Usage` when another user could have written the journal,
    /// `Internal` when it cannot be opened.
    pub(crate) fn reopen(&self) -> Result<Journal> {
        let (_, journal) = self.open()?;
        let file = journal.append_to(EVENTS).map_err(|cause| {
            Error::new(
                ErrorKind::Internal,
                format!("cannot open {}", journal.path.join(EVENTS).display()),
            )
            .with_source(cause)
        })?;
        root::refuse_foreign_file(&journal, EVENTS, &file)?;
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("operation {} is still running", self.id),
            )
            .with_hint("stop it with Ctrl-C; it rolls itself back"));
        }
        complete_last_line(&journal, &file)?;
        Ok(Journal {
            folder: journal,
            file,
            changes: self.changes.clone(),
        })
    }
}

/// Ends the last line of a journal, so that the next event begins a new line. An incomplete line announces nothing that was
/// made, and is deleted.
fn complete_last_line(journal: &Folder, mut file: &File) -> Result<()> {
    let bytes = root::read(journal, EVENTS, MAX_EVENT_BYTES)?.unwrap_or_default();
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let last = bytes.get(whole..).unwrap_or_default();
    if last.is_empty() {
        return Ok(());
    }
    let ended = if is_complete(last) {
        file.write_all(b"\n")
    } else {
        file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))
    };
    ended.and_then(|()| file.sync_data()).map_err(|cause| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot write the journal in {}", journal.path.display()),
        )
        .with_source(cause)
    })
}

/// Whether a line of a journal was written to its end.
#[doc(hidden)]
pub fn is_complete(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// The events in the text of a journal. The last line may be incomplete; it announces nothing that was made.
///
/// # Errors
/// `BadInput`, with its number, when another line is not an event.
#[doc(hidden)]
pub fn events(text: &str) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for (number, line) in (1_usize..).zip(text.split_inclusive('\n')) {
        match serde_json::from_str(line) {
            Ok(event) => events.push(event),
            Err(_) if !line.ends_with('\n') => {}
            Err(cause) => {
                return Err(Error::new(
                    ErrorKind::BadInput,
                    format!("line {number} is not an event of an operation"),
                )
                .with_source(cause));
            }
        }
    }
    Ok(events)
}

/// The time at the beginning of an ID, in the form of RFC 3339.
fn time_of(id: &str) -> String {
    id.split_once('-')
        .and_then(|(time, _)| jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S%.fZ", time).ok())
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

/// The folder of a backup that was made of a GPO before its change.
fn safety_backup(journal: &Folder, name: &str) -> Option<Folder> {
    let before = journal.folder(name).ok()?;
    let entries = before.entries().ok()?;
    let mut names = entries.into_iter().filter_map(|(name, _)| name.ok());
    let name = names.find(|name| name.parse::<Guid>().is_ok())?;
    before.folder(name).ok()
}

/// The first of the backups that were made before.
fn first_safety_backup(journal: &Folder) -> Option<Folder> {
    let names = journal.entries().ok()?.into_iter();
    let mut names: Vec<String> = names
        .filter_map(|(name, _)| name.ok())
        .filter(|name| name == &before_name(0) || name.starts_with("before-"))
        .collect();
    names.sort();
    names.iter().find_map(|name| safety_backup(journal, name))
}

/// Whether another process writes this journal now.
fn is_locked(journal: &Folder) -> bool {
    journal.plain_file(EVENTS).is_ok_and(|file: File| {
        let refused = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        // As `Journal` does when it is dropped.
        if let Err(error) = file.unlock() {
            tracing::debug!(%error, "the journal is not unlocked");
        }
        refused
    })
}

#[cfg(test)]
mod tests;
