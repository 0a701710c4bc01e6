//! The journal of an operation: the inverse of each remote change, on the local disk before the change is made.
//!
//! One folder per operation contains `plan.json` (the plan, contents included), `before.json` (everything of a GPO that is not a
//! file below `Machine` or `User`), `before/` (a backup of that GPO in GPMC's format) and `journal.jsonl` (one line per event, each
//! synced before the next step). The change number n of a plan, from 0, has `before-n.json` and `before-n/`; the first one has no
//! number. An inverse describes a state to restore, not a call to make, so it is right
//! whether or not its change happened before a crash.

mod checks;
mod prune;
mod root;
mod since;
mod stored;
pub(in crate::execute) mod undone;

pub use prune::{decide, remove, remove_leftovers};
pub(in crate::execute) use since::Visible;
pub use stored::{OperationState, StoredOperation, events, find, has_head, is_complete, list};

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::backup::folder::{Folder, PRIVATE_FILE};
use crate::error::{Error, ErrorKind, Result};
use crate::model::allowed_object::AllowedObject;
use crate::model::extension_list::ExtensionList;
use crate::model::guid::Guid;
use crate::model::version::GpoVersion;
use crate::plan::Plan;
use crate::plan::gpo::{FileContent, GpoPlan, Verb};
use crate::session::read::LiveGpo;

/// The settings of the target in the directory and in the root of its folder before the operation.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[doc(hidden)]
pub struct Before {
    /// `versionNumber`.
    pub version: Option<GpoVersion>,
    /// `flags`.
    pub flags: Option<u32>,
    /// `gPCMachineExtensionNames`.
    pub machine_extensions: ExtensionList,
    /// `gPCUserExtensionNames`.
    pub user_extensions: ExtensionList,
    /// The objects below the GPO; parents first.
    pub directory_objects: Vec<AllowedObject>,
    /// GPT.INI.
    pub gpt_ini: Option<FileContent>,
    /// `displayName`.
    #[serde(default)]
    pub display_name: String,
    /// `gPCWQLFilter`.
    #[serde(default)]
    pub wmi_filter: Option<String>,
    /// `gPCFunctionalityVersion`.
    #[serde(default)]
    pub functionality_version: Option<u32>,
    /// `nTSecurityDescriptor`: owner, group and DACL.
    #[serde(default)]
    pub security_descriptor: FileContent,
}

impl Before {
    /// The state of a GPO that was read, before `plan` changes it.
    ///
    /// # Errors
    /// `Conflict` when below the GPO is an object that gpoctl does not write, and so could not restore: it would be lost with
    /// an operation that replaces or deletes what is below the GPO.
    pub(crate) fn of(live: &LiveGpo, plan: &GpoPlan) -> Result<Self> {
        let objects = &live.snapshot.directory_objects;
        let directory_objects = match plan.verb {
            // These do not change the objects.
            Verb::Rename | Verb::SetStatus => objects
                .iter()
                .filter_map(|object| AllowedObject::new(object.clone()).ok())
                .collect(),
            _ => AllowedObject::all(objects).map_err(|cause| {
                Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "GPO \"{}\" contains a directory object that gpoctl could not restore: {cause}",
                        live.object.display_name
                    ),
                )
                .with_hint("nothing was changed; delete the object first, with the tool that created it")
            })?,
        };
        Ok(Self {
            version: live.object.version,
            flags: live.object.flags,
            machine_extensions: live.object.machine_extensions.clone(),
            user_extensions: live.object.user_extensions.clone(),
            directory_objects,
            gpt_ini: live.gpt_ini.clone().map(FileContent),
            display_name: live.object.display_name.clone(),
            wmi_filter: live.object.wmi_filter.clone(),
            functionality_version: live.object.functionality_version,
            security_descriptor: FileContent(live.object.security_descriptor.clone().into()),
        })
    }
}

/// How to restore the state before one change. Names are entries of the GPO's own folder.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "inverse", rename_all = "kebab-case")]
#[doc(hidden)]
pub enum Inverse {
    /// This operation created the GPO: delete both halves.
    DeleteGpo {
        /// Its GUID.
        guid: Guid,
    },
    /// This operation created the container, and somebody else the folder: delete only the container.
    DeleteContainer {
        /// The GUID of the GPO.
        guid: Guid,
    },
    /// This operation created the GPO's folder: delete it with everything below it.
    RemoveFolder,
    /// This operation created this entry: delete it with everything below it.
    RemoveEntry {
        /// Its name.
        name: String,
    },
    /// `live` was renamed to `old` (if there was one) and `staged` to `live`.
    SwitchBack {
        /// The live name, which clients read.
        live: String,
        /// The new name of the previous entry; `None` when there was none.
        old: Option<String>,
        /// The staged name of the new entry; `None` when the entry was only removed.
        staged: Option<String>,
    },
    /// Restore the objects below the GPO from `before.json`.
    RestoreDirectoryObjects,
    /// Restore GPT.INI from `before.json`; with a higher version if the new one was visible.
    RestoreGptIni,
    /// Restore this descriptor of the GPO's folder on SYSVOL.
    RestoreFolderDescriptor {
        /// Self-relative bytes.
        descriptor: FileContent,
        /// What this operation set, so that a later change by somebody else is not overwritten.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        written: Option<FileContent>,
    },
    /// Restore `versionNumber`, `flags`, the extension lists, the name and the WMI filter from `before.json`.
    RestoreAttributes {
        /// The version this operation wrote, so that a later change by somebody else is not overwritten.
        written: GpoVersion,
        /// Whether the DACL is restored from `before.json` too.
        #[serde(default)]
        descriptor: bool,
    },
    /// Restore `displayName` from `before.json`.
    RestoreName {
        /// The name this operation wrote.
        written: String,
    },
    /// Restore `flags` from `before.json`.
    RestoreStatus {
        /// The value this operation wrote.
        written: u32,
    },
    /// Restore `gPLink` of a domain, OU or site.
    RestoreLinks {
        /// Its DN.
        som: String,
        /// The old value; `None` when absent.
        before: Option<String>,
        /// The value this operation wrote.
        written: Option<String>,
    },
    /// Restore the container with everything below it from `before.json`; what is missing is recreated with the same GUID.
    RecreateContainer,
    /// Make the inverse of a change of single values, which follows from the plan.
    ChangeBack,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[doc(hidden)]
pub enum Event {
    /// The operation begins: its preconditions hold, and nothing is changed yet. Absent in journals of older versions.
    Started {
        /// The time, as in RFC 3339. That in the ID is when the plan was made.
        at: String,
    },
    /// A change is about to be made; this is its inverse.
    Change {
        /// The change of the plan that it is part of, from 0; absent in journals of older versions, whose plans have one GPO.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<usize>,
        /// The inverse.
        #[serde(flatten)]
        inverse: Inverse,
    },
    /// The change that was announced last was refused, because somebody else has made the same: there is nothing to undo.
    NotMade,
    /// Of a plan whose objects are changed one by one: these changes of one object are complete, whatever becomes of the
    /// others. One event, so that a crash leaves no half of them.
    Stands {
        /// The changes of the plan, from 0.
        of: Vec<usize>,
    },
    /// The new state is live in both halves; only the cleanup is missing.
    Committed,
    /// The operation is complete.
    Finished,
    /// The settings are being restored with this version, because clients may have seen the one that was written.
    Raising {
        /// The change of the plan, from 0.
        #[serde(default)]
        of: usize,
        /// The version.
        version: GpoVersion,
    },
    /// What somebody else has put at this live name is about to be put aside; then the former entry becomes live again, and the other's
    /// files are put over it.
    PutAside {
        /// The change of the plan, from 0.
        of: usize,
        /// The live name.
        live: String,
    },
    /// It failed for this reason; what was written is being rolled back.
    Failed {
        /// The reason.
        reason: String,
    },
    /// Everything was rolled back.
    RolledBack,
    /// It was undone later.
    Undone {
        /// The ID of the operation that undid it.
        by: String,
        /// Whether something of it was not put back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_part: bool,
    },
    /// The roll-back stopped for this reason.
    RollBackFailed {
        /// The reason.
        reason: String,
        /// Whether everything else was rolled back, and what is left was changed by others since.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kept_for_others: bool,
    },
    /// It was closed without a roll-back, because others have changed the same since.
    Superseded,
}

/// The space that is reserved for the events of a roll-back. An event takes some hundred bytes, a reason that names many files some
/// thousand.
#[cfg(target_os = "linux")]
const ROLL_BACK_BYTES: u64 = 64 << 10;

/// An event as a line of the journal.
fn line_of(event: &impl serde::Serialize) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}

/// The journal of one running operation.
#[derive(Debug)]
pub struct Journal {
    folder: Folder,
    file: File,
    changes: Vec<(usize, Inverse)>,
}

impl Journal {
    /// The folder with the folders of all operations: `$XDG_STATE_HOME/gpoctl/operations`, by default below `~/.local/state`.
    ///
    /// # Errors
    /// `Internal` when neither `XDG_STATE_HOME` nor `HOME` is set.
    pub fn default_root() -> Result<PathBuf> {
        let state = std::env::var_os("XDG_STATE_HOME")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state")));
        state
            .map(|state| state.join("gpoctl/operations"))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Internal,
                    "no folder for the journal: neither XDG_STATE_HOME nor HOME is set",
                )
                .with_hint("set XDG_STATE_HOME to a folder of yours")
            })
    }

    /// Starts the journal of an operation: writes and syncs the plan and the state of each GPO before it, with the number of its
    /// change.
    ///
    /// # Errors
    /// `Conflict` when the plan was applied already; `Internal` when the local disk fails; then nothing may be changed.
    pub(crate) fn start<'a>(
        root: &Path,
        plan: &Plan,
        before: impl IntoIterator<Item = (usize, &'a Before)>,
    ) -> Result<Self> {
        let operation_id = &plan.operation_id;
        let json = plan.to_json()?;
        let folder = root.join(operation_id);
        let failed = |cause: std::io::Error| {
            Error::new(
                ErrorKind::Internal,
                format!("cannot write the journal in {}", folder.display()),
            )
            .with_source(cause)
            .with_hint("nothing was changed; make room or set XDG_STATE_HOME to another folder")
        };
        let journals = Folder::open_or_make(root).map_err(failed)?;
        root::refuse_shared(&journals)?;
        let own = journals.make_and_open(operation_id).map_err(|cause| {
            if cause.kind() == std::io::ErrorKind::AlreadyExists {
                Error::new(
                    ErrorKind::Conflict,
                    format!("this plan was already applied, as operation {operation_id}"),
                )
                .with_hint("make a new plan")
            } else {
                failed(cause)
            }
        })?;
        own.write_synced("plan.json", &json, PRIVATE_FILE)
            .map_err(failed)?;
        for (of, before) in before {
            let json = serde_json::to_vec_pretty(before).map_err(|cause| {
                Error::new(
                    ErrorKind::Internal,
                    "the old state cannot be written as JSON",
                )
                .with_source(cause)
            })?;
            own.write_synced(format!("{}.json", before_name(of)), &json, PRIVATE_FILE)
                .map_err(failed)?;
        }
        let file = own.create(stored::EVENTS, PRIVATE_FILE).map_err(failed)?;
        // Other processes see that the operation is running, unless the file system does not support locks.
        if let Err(error) = file.try_lock() {
            tracing::debug!(%error, "the journal is not locked");
        }
        let mut journal = Self {
            folder: own,
            file,
            changes: Vec::new(),
        };
        journal.record(&Event::Started {
            at: jiff::Timestamp::now().to_string(),
        })?;
        let synced = journal.folder.sync().and_then(|()| journals.sync());
        synced.map_err(failed)?;
        Ok(journal)
    }

    /// The folder of this operation.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Syncs the folder, so that new files in it survive a crash.
    ///
    /// # Errors
    /// `Internal` when the disk fails.
    pub(crate) fn sync(&self) -> Result<()> {
        self.folder.sync().map_err(|cause| {
            self.failed(cause)
                .with_hint("nothing was changed; make room or set XDG_STATE_HOME to another folder")
        })
    }

    /// Retracts the last announcement: the change was refused, and what is there was written by somebody else.
    ///
    /// # Errors
    /// `Internal` when the disk fails.
    pub(crate) fn retract_intent(&mut self) -> Result<()> {
        self.changes.pop();
        self.record(&Event::NotMade)
    }

    /// Announces a part of the change `of` of the plan, with its inverse; it is on the disk when this returns, and so is room for the
    /// events of a roll-back.
    ///
    /// # Errors
    /// `Internal` when the disk fails; then the change may not be made.
    pub(crate) fn record_intent(&mut self, of: usize, inverse: Inverse) -> Result<()> {
        let line = line_of(&Event::Change {
            of: Some(of),
            inverse: inverse.clone(),
        })
        .map_err(|cause| self.failed(cause))?;
        self.reserve(line.len())?;
        self.append(&line)?;
        self.changes.push((of, inverse));
        Ok(())
    }

    /// Records an event; it is on the disk when this returns.
    ///
    /// # Errors
    /// `Internal` when the disk fails.
    pub(crate) fn record(&mut self, event: &impl serde::Serialize) -> Result<()> {
        let line = line_of(event).map_err(|cause| self.failed(cause))?;
        self.append(&line)
    }

    /// Writes a whole line or none: part of one would make the next one unreadable.
    fn append(&mut self, line: &[u8]) -> Result<()> {
        let length = self.length()?;
        let written = self
            .file
            .write_all(line)
            .and_then(|()| self.file.sync_data());
        written.map_err(|cause| {
            let cut = match self.length() {
                Ok(now) if now != length => self.file.set_len(length),
                _ => Ok(()),
            };
            let back = cut.and_then(|()| self.file.seek(SeekFrom::Start(length)));
            if let Err(error) = back {
                tracing::warn!(%error, "the journal may end with part of a line");
            }
            self.failed(cause)
        })
    }

    /// The number of bytes written so far.
    fn length(&self) -> Result<u64> {
        let metadata = self.file.metadata();
        metadata
            .map(|it| it.len())
            .map_err(|cause| self.failed(cause))
    }

    /// Reserves space on the disk for this many bytes, and after them for the events of a roll-back: a disk that becomes full does
    /// not interrupt it. Without effect on file systems that cannot reserve.
    ///
    /// # Errors
    /// `Internal` when there is no space.
    #[cfg(target_os = "linux")]
    pub(in crate::execute) fn reserve(&self, bytes: usize) -> Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let reserved = fallocate(
            &self.file,
            FallocateFlags::KEEP_SIZE,
            self.length()?,
            bytes.saturating_add(ROLL_BACK_BYTES),
        );
        match reserved {
            Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => {
                reserved.map_err(|cause| self.failed(cause.into()))
            }
            Err(error) => {
                tracing::debug!(%error, "no space can be reserved for the journal");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Linux")]
    pub(in crate::execute) fn reserve(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn failed(&self, cause: std::io::Error) -> Error {
        Error::new(
            ErrorKind::Internal,
            format!("cannot write the journal in {}", self.folder.path.display()),
        )
        .with_source(cause)
    }

    /// The inverses announced so far, each with the number of its change, in the order of the changes.
    pub(crate) fn changes(&self) -> &[(usize, Inverse)] {
        &self.changes
    }
}

/// What the files with the state before the change with this number are called.
pub(super) fn before_name(of: usize) -> String {
    match of {
        0 => "before".to_owned(),
        of => format!("before-{of}"),
    }
}

impl Drop for Journal {
    /// Closing the file is not enough: a process that this one is starting in another thread has a copy of the descriptor until
    /// it runs its own program, and the operation would seem to run as long.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "the journal is not unlocked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_is_done_with_is_free_whoever_has_a_copy_of_its_file() {
        let home = tempfile::tempdir().unwrap();
        let id = "20260131T120000.250Z-00000001";
        let mut plan = Plan::new("x", &"src.test".parse().unwrap());
        id.clone_into(&mut plan.operation_id);
        let journal = Journal::start(&home.path().join("operations"), &plan, []).unwrap();
        let copy = journal.file.try_clone().unwrap();
        let again = std::fs::File::open(journal.folder().join(stored::EVENTS)).unwrap();
        assert!(again.try_lock().is_err());
        drop(journal);
        again.try_lock().unwrap();
        drop(copy);
    }

    #[test]
    fn an_event_survives_its_line() {
        let event = Event::Change {
            of: Some(3),
            inverse: Inverse::SwitchBack {
                live: "Machine".to_owned(),
                old: Some(".gpoctl-1-old-Machine".to_owned()),
                staged: None,
            },
        };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        assert!(
            line.contains("\"event\":\"change\"") && line.contains("\"inverse\":\"switch-back\"")
        );
    }
}
