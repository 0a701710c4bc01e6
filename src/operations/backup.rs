//! Backup: live GPOs into a folder, in GPMC's format.

use std::path::{Path, PathBuf};

use super::progress::{Control, Phase};
use super::read;
use super::secrets::stored_passwords;
use crate::backup::BackupInfo;
use crate::directory::GpoObject;
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::model::snapshot::GpoSnapshot;
use crate::session::DomainSession;

/// What became of one GPO.
#[derive(Debug)]
pub struct BackedUp {
    /// The GPO.
    pub gpo: GpoObject,
    /// Its backup, or why there is none.
    pub outcome: Result<BackupInfo>,
    /// What was noticed.
    pub messages: Vec<StatusMessage>,
}

/// How many GPOs are read at the same time; each has many calls in flight by itself.
const GPOS_AT_ONCE: usize = 4;

/// Backs up these GPOs into `folder`, several at a time. One that fails does not stop the others. After a cancellation
/// the finished ones stay, and the rest comes back with an error of kind `Cancelled`.
pub async fn backup(
    session: &DomainSession,
    gpos: Vec<GpoObject>,
    folder: &Path,
    comment: &str,
    control: &Control,
) -> Vec<BackedUp> {
    use futures_util::StreamExt as _;

    let total = u64::try_from(gpos.len()).unwrap_or(u64::MAX);
    control.report(Phase::Read, 0, total, 0);
    let mut done = 0;
    let mut results = Vec::with_capacity(gpos.len());
    let mut running = futures_util::stream::iter(gpos)
        .map(|gpo| async move {
            match one(session, &gpo, folder, comment, control).await {
                Ok((info, messages)) => BackedUp {
                    gpo,
                    outcome: Ok(info),
                    messages,
                },
                Err(error) => BackedUp {
                    gpo,
                    outcome: Err(error),
                    messages: Vec::new(),
                },
            }
        })
        .buffered(GPOS_AT_ONCE);
    while let Some(result) = running.next().await {
        done += 1;
        control.report(Phase::Read, done, total, 0);
        results.push(result);
    }
    results
}

async fn one(
    session: &DomainSession,
    gpo: &GpoObject,
    folder: &Path,
    comment: &str,
    control: &Control,
) -> Result<(BackupInfo, Vec<StatusMessage>)> {
    let mut live = read::read_gpo(session, gpo, control).await?;
    read::take_inventory(session, &mut live.snapshot).await?;
    control.check()?;
    let mut messages = live.snapshot.messages.clone();
    let passwords = stored_passwords(&live.snapshot.tree);
    messages.extend(
        passwords
            .into_iter()
            .map(|message| message.of_gpo(&gpo.display_name)),
    );
    let info = save(folder.to_owned(), live.snapshot, comment.to_owned()).await?;
    Ok((info, messages))
}

/// Writes a snapshot into a backup folder, off the runtime's threads.
pub(super) async fn save(
    folder: PathBuf,
    snapshot: GpoSnapshot,
    comment: String,
) -> Result<BackupInfo> {
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S")
        .to_string();
    tokio::task::spawn_blocking(move || crate::backup::write(&folder, &snapshot, &comment, &now))
        .await
        .map_err(|cause| {
            Error::new(ErrorKind::Internal, "the backup was not written").with_source(cause)
        })?
}
