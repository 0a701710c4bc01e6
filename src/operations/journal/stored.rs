//! The journals of earlier operations: how each ended, and what is needed to undo it.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use super::{Before, Event, Inverse, Journal};
use crate::error::{Error, ErrorKind, Result};
use crate::local::trusted_file;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::version::GpoVersion;
use crate::operations::plan::{PlanTarget, Verb};
use crate::operations::saved_plan::{MAX_PLAN_BYTES, SavedPlan};

/// The most bytes of the events of a journal.
const MAX_EVENT_BYTES: u64 = 64 << 20;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    /// It is at work now.
    Running,
    /// It was done.
    Done,
    /// It was done, and something that is of no use any more could not be removed.
    LeftOver,
    /// It failed, and what it had written was taken back.
    Failed,
    /// It was cut short, or could not take back what it had written.
    Unfinished,
    /// It was done, and undone later.
    Undone,
    /// Its journal cannot be read.
    Unreadable,
}

impl OperationState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::LeftOver => "left-over",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
            Self::Undone => "undone",
            Self::Unreadable => "unreadable",
        }
    }
}

/// An operation whose journal is on the local disk.
#[derive(Debug, Clone)]
pub struct StoredOperation {
    /// Its ID.
    pub id: String,
    /// The folder of its journal.
    pub folder: PathBuf,
    /// How it ended.
    pub state: OperationState,
    /// When it was planned, as `2026-01-31T12:00:00Z`; empty when the ID does not tell.
    pub time: String,
    /// Its verb, or for a change list what it does; empty when unreadable.
    pub what: String,
    /// The GPO, when it is about one.
    pub gpo: Option<PlanTarget>,
    /// The domain.
    pub domain: Option<DomainName>,
    /// Why it failed, or could not be rolled back.
    pub reason: Option<String>,
    /// The backup of the GPO as it was, if one was kept.
    pub safety_backup: Option<PathBuf>,
    /// What undoes the changes it announced, in the order they were made.
    pub changes: Vec<Inverse>,
    /// The version a roll-back that did not get to its end was about to write.
    pub raising: Option<GpoVersion>,
}

/// The parts of both kinds of plan that a list shows.
#[derive(Debug, serde::Deserialize)]
struct Head {
    verb: Option<Verb>,
    target: Option<PlanTarget>,
    title: Option<String>,
    domain: Option<DomainName>,
}

/// The name of the file of events.
pub(super) const EVENTS: &str = "journal.jsonl";
/// What errors call any file of a journal.
const WHAT: &str = "file of a journal";

/// All operations whose journals are in this folder, the latest first.
///
/// # Errors
/// `Internal` when the folder cannot be read; one that is not there holds nothing.
pub fn list(root: &Path) -> Result<Vec<StoredOperation>> {
    let failed = |cause: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot read the journals in {}", root.display()),
        )
        .with_source(cause)
    };
    let entries = match fs::read_dir(root) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        // A name with a dot is an operation that is being removed.
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.file_type().map_err(failed)?.is_dir() {
            found.push(StoredOperation::read(&entry.path()));
        }
    }
    found.sort_by(|one, other| other.id.cmp(&one.id));
    Ok(found)
}

/// The operation of this ID, or of an unambiguous beginning or end of it: the end is what the names of its staging folders
/// hold.
///
/// # Errors
/// `NotFound` when there is none; `Conflict` when there are several.
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
            format!("there is no operation \"{text}\" in {}", root.display()),
        )
        .with_hint("gpoctl operations list lists the operations of this user on this computer")
    })
}

impl StoredOperation {
    fn read(folder: &Path) -> Self {
        let id = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut operation = Self {
            time: time_of(&id),
            id,
            folder: folder.to_owned(),
            state: OperationState::Unreadable,
            what: String::new(),
            gpo: None,
            domain: None,
            reason: None,
            safety_backup: safety_backup(folder),
            changes: Vec::new(),
            raising: None,
        };
        let trusted = fs::symlink_metadata(folder)
            .map_err(|cause| cause.to_string())
            .and_then(|metadata| {
                trusted_file::refuse_others(folder, &metadata, "journal")
                    .map_err(|error| error.to_string())
            });
        let head = trusted.and_then(|()| {
            let json = trusted_file::read(&folder.join("plan.json"), WHAT, MAX_PLAN_BYTES)
                .map_err(|error| error.to_string())?;
            serde_json::from_slice::<Head>(&json).map_err(|cause| cause.to_string())
        });
        match head {
            Ok(head) => {
                operation.domain = head
                    .domain
                    .or_else(|| head.target.as_ref().map(|target| target.domain.clone()));
                operation.what = head
                    .verb
                    .map(|verb| verb.as_str().to_owned())
                    .or(head.title)
                    .unwrap_or_default();
                operation.gpo = head.target;
            }
            Err(reason) => operation.reason = Some(format!("plan.json: {reason}")),
        }
        match trusted_file::read(&folder.join(EVENTS), WHAT, MAX_EVENT_BYTES) {
            Ok(bytes) if operation.reason.is_none() => {
                operation.follow(&String::from_utf8_lossy(&bytes));
            }
            // It died before it had a journal, and so before it wrote anything.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                operation.state = OperationState::Failed;
            }
            Ok(_) => {}
            Err(error) => operation.reason = Some(format!("{EVENTS}: {error}")),
        }
        if operation.state == OperationState::Unfinished && is_locked(&folder.join(EVENTS)) {
            operation.state = OperationState::Running;
        }
        operation
    }

    /// Follows the events to the last one. A line that was cut short when the operation died announces nothing that was
    /// made.
    fn follow(&mut self, text: &str) {
        self.state = OperationState::Unfinished;
        for event in events(text) {
            match event {
                Event::Change { inverse } => self.changes.push(inverse),
                Event::NotMade => drop(self.changes.pop()),
                Event::Committed => self.state = OperationState::LeftOver,
                Event::Finished => self.state = OperationState::Done,
                Event::RolledBack => self.state = OperationState::Failed,
                Event::Undone { .. } => self.state = OperationState::Undone,
                Event::Raising { version } => self.raising = Some(version),
                Event::Failed { reason } | Event::RollBackFailed { reason } => {
                    self.reason = Some(reason);
                }
            }
        }
    }

    /// What it was to do.
    ///
    /// # Errors
    /// `BadInput` when the journal does not hold it in a form that is known.
    pub fn plan(&self) -> Result<SavedPlan> {
        SavedPlan::from_journal(&self.file("plan.json")?)
            .map_err(|error| error.context(format!("operation {}", self.id)))
    }

    /// The state of the target before it; `None` when it makes the target.
    ///
    /// # Errors
    /// `BadInput` when it is there and cannot be read.
    pub fn before(&self) -> Result<Option<Before>> {
        if !self.folder.join("before.json").exists() {
            return Ok(None);
        }
        serde_json::from_slice(&self.file("before.json")?)
            .map(Some)
            .map_err(|cause| self.broken("before.json").with_source(cause))
    }

    fn file(&self, name: &str) -> Result<Vec<u8>> {
        trusted_file::read(&self.folder.join(name), WHAT, MAX_PLAN_BYTES)
            .map_err(|cause| self.broken(name).with_source(cause))
    }

    fn broken(&self, name: &str) -> Error {
        Error::new(
            ErrorKind::BadInput,
            format!("cannot read {} of operation {}", name, self.id),
        )
    }

    /// Goes on with its journal; nobody else does until the journal is dropped.
    ///
    /// # Errors
    /// `Conflict` when the operation is still at work, `Internal` when the journal cannot be opened.
    pub fn reopen(&self) -> Result<Journal> {
        let path = self.folder.join(EVENTS);
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|cause| {
                Error::new(
                    ErrorKind::Internal,
                    format!("cannot open {}", path.display()),
                )
                .with_source(cause)
            })?;
        if matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("operation {} is still running", self.id),
            )
            .with_hint("stop it with Ctrl-C; it rolls itself back"));
        }
        Ok(Journal {
            folder: self.folder.clone(),
            file,
            changes: self.changes.clone(),
        })
    }
}

/// The events in the text of a journal. A line that is not one is passed over: the last may be cut short, and what undoes a change of a
/// change list is in the list itself.
pub fn events(text: &str) -> impl Iterator<Item = Event> + '_ {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
}

/// The time that an ID begins with, in the form of RFC 3339.
fn time_of(id: &str) -> String {
    id.split_once('-')
        .and_then(|(time, _)| jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S%.fZ", time).ok())
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

/// The folder of the backup that was made of the GPO before.
fn safety_backup(folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder.join("before"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.parse::<Guid>().is_ok())
        })
}

/// Whether somebody writes this journal now.
fn is_locked(path: &Path) -> bool {
    File::open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::operations::change_list::ChangeList;

    fn operation(root: &Path, id: &str, events: &str) {
        let folder = root.join(id);
        fs::create_dir_all(&folder).unwrap();
        let list = ChangeList::new("link x", &"src.test".parse().unwrap());
        fs::write(folder.join("plan.json"), list.to_json().unwrap()).unwrap();
        fs::write(folder.join(EVENTS), events).unwrap();
    }

    #[test]
    fn a_journal_that_others_could_have_written_is_unreadable() {
        let root = tempfile::tempdir().unwrap();
        let id = "20260131T120000.250Z-00000001";
        operation(root.path(), id, "");
        let folder = root.path().join(id);
        for (path, mode) in [
            (folder.clone(), 0o700),
            (folder.join("plan.json"), 0o600),
            (folder.join(EVENTS), 0o600),
        ] {
            for (mode, readable) in [(mode | 0o020, false), (mode | 0o002, false), (mode, true)] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                let found = find(root.path(), id).unwrap();
                let unreadable = found.state == OperationState::Unreadable;
                assert_eq!(unreadable, !readable, "{} {mode:o}", path.display());
                let said = found.reason.unwrap_or_default();
                assert_eq!(said.contains("written by other users"), !readable, "{said}");
            }
        }
        assert!(find(root.path(), id).unwrap().plan().is_ok());
    }

    #[test]
    fn a_journal_with_an_object_that_no_gpo_contains_is_refused() {
        let root = tempfile::tempdir().unwrap();
        operation(root.path(), "20260131T120000.250Z-00000001", "");
        let before = |class: &str| {
            let json = serde_json::json!({
                "version": null, "flags": 0, "machine_extensions": "", "user_extensions": "", "gpt_ini": null,
                "directory_objects": [
                    {"rdns": ["CN=evil", "CN=Machine"], "object_class": class, "attributes": []}
                ],
            });
            let found = find(root.path(), "00000001").unwrap();
            fs::write(found.folder.join("before.json"), json.to_string()).unwrap();
            found.before()
        };
        let read = before("container").unwrap().unwrap();
        assert_eq!(read.directory_objects.len(), 1);
        let error = before("user").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert!(
            error.to_string().contains("is of class \"user\""),
            "{error}"
        );
    }

    #[test]
    fn the_last_event_that_counts_tells_how_it_ended() {
        let root = tempfile::tempdir().unwrap();
        let line = |event: &Event| serde_json::to_string(event).unwrap() + "\n";
        let change = line(&Event::Change {
            inverse: Inverse::RemoveFolder,
        });
        let raising = line(&Event::Raising {
            version: GpoVersion::from_combined(65_537),
        });
        for (id, events, state) in [
            ("20260131T120000.250Z-00000001", String::new(), "unfinished"),
            (
                "20260131T120000.250Z-00000002",
                format!("{change}{raising}{{\"event\":\"ro"),
                "unfinished",
            ),
            (
                "20260131T120000.250Z-00000003",
                format!("{change}{}", line(&Event::RolledBack)),
                "failed",
            ),
            (
                "20260131T120000.250Z-00000004",
                format!("{change}{}", line(&Event::Committed)),
                "left-over",
            ),
            (
                "20260131T120000.250Z-00000005",
                format!("{change}{}", line(&Event::Finished)),
                "done",
            ),
        ] {
            operation(root.path(), id, &events);
            let found = find(root.path(), id).unwrap();
            assert_eq!(found.state.as_str(), state);
            assert_eq!(found.time, "2026-01-31T12:00:00Z");
            assert_eq!(found.what, "link x");
        }
        let cut_short = find(root.path(), "00000002").unwrap();
        assert_eq!(cut_short.changes, [Inverse::RemoveFolder]);
        assert_eq!(cut_short.raising.unwrap().combined(), 65_537);
        assert_eq!(
            find(root.path(), "20260131").unwrap_err().kind(),
            ErrorKind::Conflict
        );
        assert_eq!(
            find(root.path(), "").unwrap_err().kind(),
            ErrorKind::NotFound
        );
        // Who writes a journal keeps it from others.
        let held = cut_short.reopen().unwrap();
        assert_eq!(
            find(root.path(), "00000002").unwrap().state,
            OperationState::Running
        );
        assert_eq!(cut_short.reopen().unwrap_err().kind(), ErrorKind::Conflict);
        drop(held);
        let ids: Vec<String> = list(root.path())
            .unwrap()
            .into_iter()
            .map(|o| o.id)
            .collect();
        assert!(ids.is_sorted_by(|one, other| one > other));
        assert!(list(&root.path().join("none")).unwrap().is_empty());
    }
}
