//! A backup that lacks what could not be read when it was made: what it lacks would go from the GPO it is put into.

use crate::backup::StoredBackup;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Severity, StatusMessage};

/// Lets a backup through that is whole, or partial and let in on purpose.
///
/// # Errors
/// `BadInput` when it is partial and `allow` is not set; what it lacks are the details.
pub(super) fn admit_partial(backup: &StoredBackup, allow: bool) -> Result<()> {
    let unread = &backup.around.unread;
    if allow || unread.is_empty() {
        return Ok(());
    }
    let what = match unread.len() {
        1 => "a file or folder".to_owned(),
        number => format!("{number} files or folders"),
    };
    let details = unread.iter().map(|message| StatusMessage {
        severity: Severity::Error,
        ..message.clone()
    });
    Err(Error::new(
        ErrorKind::BadInput,
        format!(
            "the backup of \"{}\" is partial: {what} could not be read when it was made, and nothing was written",
            backup.snapshot.display_name
        ),
    )
    .with_hint("make it again as somebody who may read everything, or go on without what it lacks with --allow-partial")
    .with_details(details.collect()))
}
