//! Backup: live GPOs into a folder, in GPMC's format.
//!
//! The directory is searched once for all GPOs. Then several GPOs at a time are read over one SMB connection; each is staged on
//! the disk and dropped from memory, and staged backups are committed in groups. The memory budget limits how many are in
//! memory at once.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, mpsc};

use crate::backup::{BackupInfo, Staged, Target};
use crate::directory::GpoObject;
use crate::directory::bulk_read::BulkEntry;
use crate::directory::unreadable::READ_WITH_MORE_RIGHTS;
use crate::domain::sysvol::SysvolRead;
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::model::guid::Guid;
use crate::plan::secrets::stored_passwords;
use crate::progress::{Control, Phase};
use crate::session::DomainSession;
use crate::session::read;
use crate::sysvol::throttle::{MemoryBudget, Throttled};

/// Which GPOs are backed up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Selection {
    /// Every GPO of the domain.
    All,
    /// These GPOs.
    Gpos(Vec<GpoObject>),
}

/// The result for one GPO.
#[derive(Debug)]
#[non_exhaustive]
pub struct BackedUp {
    /// The GPO's GUID; `None` when the name matches no GPO.
    pub guid: Option<Guid>,
    /// Its display name, or the name that was given.
    pub display_name: String,
    /// Its backup, or the error.
    pub outcome: Result<BackupInfo>,
    /// Whether something could not be read and is missing from the backup; the messages report what.
    pub partial: bool,
    /// The findings.
    pub messages: Vec<StatusMessage>,
}

/// How many GPOs are read at the same time. Most have only a few nested folders, so several of them are needed to keep a
/// connection busy.
const GPOS_AT_ONCE: usize = 24;
/// The memory budget for the files of GPOs that are being backed up, in KiB; a larger GPO is backed up alone.
const MEMORY_BUDGET: u32 = 24 << 10;
/// How many GPOs are written at the same time: this uses the processor and the disk, and each needs memory for its copy.
const STAGED_AT_ONCE: usize = 2;
/// The most backups that are committed together.
const COMMIT_AT_ONCE: usize = 256;
/// How long the first backup of a group waits for others: a commit takes about the same time for one and for many.
const GROUP_TIME: Duration = Duration::from_millis(500);

/// Backs up GPOs into `folder`, several at a time, and returns the result for each, sorted by display name. A failure does not
/// stop the others. After a cancellation, completed backups are kept, and the others have an error of kind `Cancelled`.
///
/// # Errors
/// `Usage` when the comment is too long; `Internal` when the folder cannot be created; otherwise when the directory cannot be
/// searched. No GPO has been backed up then.
pub async fn backup(
    session: &DomainSession,
    selection: &Selection,
    folder: &Path,
    comment: &str,
    control: &Control,
) -> Result<Vec<BackedUp>> {
    crate::backup::check(comment, &crate::backup::now())?;
    let named = folder.to_owned();
    let target = crate::backup::off_the_runtime(move || crate::backup::open(&named)).await??;
    let surveyed = survey(session, selection).await?;
    let total = u64::try_from(surveyed.len()).unwrap_or(u64::MAX);
    control.report(Phase::Read, 0, total, 0);
    let (sender, receiver) = mpsc::channel(COMMIT_AT_ONCE);
    let committer = tokio::spawn(commit(target.clone(), receiver, control.clone(), total));
    let in_flight = session.sysvol().concurrency().saturating_mul(2);
    let reader = Reader {
        session,
        sysvol: &Throttled::new(session.sysvol(), in_flight),
        budget: &MemoryBudget::new(MEMORY_BUDGET),
        target: &target,
        comment,
        control,
        known: read::Answers::default(),
        staging: Semaphore::new(STAGED_AT_ONCE),
    };
    let mut running = futures_util::stream::iter(surveyed)
        .map(|gpo| reader.one(gpo))
        .buffer_unordered(GPOS_AT_ONCE);
    while let Some(ready) = running.next().await {
        // The receiver is gone only after an error, which joining returns.
        if sender.send(ready).await.is_err() {
            break;
        }
    }
    drop(running);
    drop(sender);
    let mut results = committer.await.map_err(|cause| {
        Error::new(ErrorKind::Internal, "the backups were not committed").with_source(cause)
    })?;
    if matches!(selection, Selection::All) {
        results.extend(unlisted(session).await?);
    }
    results.sort_by_cached_key(|result| (result.display_name.to_lowercase(), result.guid));
    Ok(results)
}

/// The result for GPOs that this account does not see, if there may be any: a backup of all would seem to be one.
async fn unlisted(session: &DomainSession) -> Result<Option<BackedUp>> {
    let directory = session.directory();
    let policies = directory.info().base.policies();
    if !directory.hides_content_of(&policies).await? {
        return Ok(None);
    }
    let text =
        format!("this account may not list {policies}, so there may be GPOs that it does not see");
    Ok(Some(BackedUp {
        guid: None,
        display_name: "(not listed)".to_owned(),
        outcome: Err(Error::new(ErrorKind::Denied, text).with_hint(READ_WITH_MORE_RIGHTS)),
        partial: false,
        messages: Vec::new(),
    }))
}

/// The directory half of the GPOs. A GPO that has been deleted since the search has an error.
async fn survey(session: &DomainSession, selection: &Selection) -> Result<Vec<BulkEntry>> {
    let gpos = match selection {
        Selection::All => return session.directory().read_in_bulk(None).await,
        Selection::Gpos(gpos) => gpos,
    };
    let guids: Vec<Guid> = gpos.iter().map(|gpo| gpo.guid).collect();
    let mut found = session.directory().read_in_bulk(Some(&guids)).await?;
    for gpo in gpos {
        if !found.iter().any(|surveyed| surveyed.guid == gpo.guid) {
            found.push(BulkEntry {
                guid: gpo.guid,
                display_name: gpo.display_name.clone(),
                record: Err(Error::new(
                    ErrorKind::NotFound,
                    format!("there is no GPO {} any more", gpo.guid),
                )),
            });
        }
    }
    Ok(found)
}

/// A GPO that is ready to be committed, or that failed.
struct Ready {
    guid: Guid,
    display_name: String,
    staged: Result<Written>,
}

/// A staged backup.
struct Written {
    staged: Staged,
    bytes: u64,
    partial: bool,
    messages: Vec<StatusMessage>,
}

struct Reader<'a> {
    session: &'a DomainSession,
    sysvol: &'a dyn SysvolRead,
    budget: &'a MemoryBudget,
    target: &'a Target,
    comment: &'a str,
    control: &'a Control,
    known: read::Answers,
    staging: Semaphore,
}

impl Reader<'_> {
    async fn one(&self, gpo: BulkEntry) -> Ready {
        let (guid, display_name) = (gpo.guid, gpo.display_name.clone());
        Ready {
            guid,
            display_name,
            staged: self.stage(gpo).await,
        }
    }

    async fn stage(&self, gpo: BulkEntry) -> Result<Written> {
        let from = (self.sysvol, self.budget);
        let (mut snapshot, context, reserved) =
            read::read_surveyed(self.session, from, gpo.record?, self.control).await?;
        read::take_inventory_of(&self.known, self.session, &mut snapshot).await?;
        self.control.check()?;
        let mut messages = std::mem::take(&mut snapshot.messages);
        messages.extend(
            stored_passwords(&snapshot.tree)
                .into_iter()
                .map(|message| message.of_gpo(&snapshot.display_name)),
        );
        let bytes = snapshot.tree.total_bytes();
        let partial = !context.unread.is_empty();
        let (target, comment) = (self.target.clone(), self.comment.to_owned());
        let permit = self.staging.acquire().await.map_err(|cause| {
            Error::new(ErrorKind::Internal, "the queue of writers is closed").with_source(cause)
        })?;
        let staged = crate::backup::off_the_runtime(move || {
            let staged = crate::backup::stage(
                &target,
                &snapshot,
                &context,
                &comment,
                &crate::backup::now(),
            );
            // Free the snapshot before its part of the budget.
            drop(snapshot);
            staged
        })
        .await??;
        drop((permit, reserved));
        Ok(Written {
            staged,
            bytes,
            partial,
            messages,
        })
    }
}

/// Waits for the next group; empty at the end.
async fn next_group(receiver: &mut mpsc::Receiver<Ready>) -> Vec<Ready> {
    let mut group = Vec::new();
    receiver.recv_many(&mut group, COMMIT_AT_ONCE).await;
    let gather = async {
        while !group.is_empty() && group.len() < COMMIT_AT_ONCE {
            let room = COMMIT_AT_ONCE - group.len();
            if receiver.recv_many(&mut group, room).await == 0 {
                break;
            }
        }
    };
    // What was received before the timeout is in the group: cancelling this receive loses nothing.
    let _ = tokio::time::timeout(GROUP_TIME, gather).await;
    group
}

/// Commits staged backups in groups until there are no more.
async fn commit(
    target: Target,
    mut receiver: mpsc::Receiver<Ready>,
    control: Control,
    total: u64,
) -> Vec<BackedUp> {
    let mut results: Vec<BackedUp> = Vec::new();
    let mut bytes = 0_u64;
    loop {
        let group = next_group(&mut receiver).await;
        if group.is_empty() {
            return results;
        }
        let mut staged = Vec::new();
        let mut waiting = Vec::new();
        for ready in group {
            let mut result = BackedUp {
                guid: Some(ready.guid),
                display_name: ready.display_name,
                outcome: Err(Error::new(ErrorKind::Internal, "it was not committed")),
                partial: false,
                messages: Vec::new(),
            };
            match ready.staged {
                Ok(written) => {
                    bytes = bytes.saturating_add(written.bytes);
                    result.partial = written.partial;
                    result.messages = written.messages;
                    staged.push(written.staged);
                    waiting.push(result);
                }
                Err(error) => {
                    result.outcome = Err(error);
                    results.push(result);
                }
            }
        }
        let target = target.clone();
        let outcomes =
            crate::backup::off_the_runtime(move || crate::backup::commit(&target, staged)).await;
        match outcomes {
            Ok(outcomes) => {
                for (result, outcome) in waiting.iter_mut().zip(outcomes) {
                    result.outcome = outcome;
                }
            }
            Err(error) => tracing::error!(%error, "a group of backups was not committed"),
        }
        results.extend(waiting);
        let done = u64::try_from(results.len()).unwrap_or(u64::MAX);
        control.report(Phase::Read, done, total, bytes);
    }
}
