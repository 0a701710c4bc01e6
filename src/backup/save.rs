//! Writing a backup from asynchronous code.

use std::path::PathBuf;

use super::BackupInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::model::backup_context::BackupContext;
use crate::model::snapshot::GpoSnapshot;

/// Writes a snapshot into a backup folder, off the runtime's threads.
pub(crate) async fn save(
    folder: PathBuf,
    snapshot: GpoSnapshot,
    context: BackupContext,
    comment: String,
) -> Result<BackupInfo> {
    off_the_runtime(move || super::write(&folder, &snapshot, &context, &comment, &now())).await?
}

/// Runs blocking work outside the runtime's threads.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|cause| {
        Error::new(ErrorKind::Internal, "the backup was not written").with_source(cause)
    })
}

/// The time in the form of a backup.
pub(crate) fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S")
        .to_string()
}
