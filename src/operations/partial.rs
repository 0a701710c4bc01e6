//! A backup that lacks what could not be read when it was made: restoring it would delete that from the GPO, and a safety
//! backup could not restore it.

use crate::backup::StoredBackup;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::{Severity, StatusMessage};

/// Accepts a backup that is complete, or partial and accepted on purpose.
///
/// # Errors
/// `BadInput` when it is partial and `allow` is not set; what is missing are the details.
pub(super) fn refuse_partial(backup: &StoredBackup, allow: bool) -> Result<()> {
    let unread = &backup.context.unread;
    if allow || unread.is_empty() {
        return Ok(());
    }
    let details = unread.iter().map(|message| StatusMessage {
        severity: Severity::Error,
        ..message.clone()
    });
    Err(Error::new(
        ErrorKind::BadInput,
        format!(
            "the backup of \"{}\" is partial: {} could not be read when it was made, and nothing was written",
            backup.snapshot.display_name,
            parts(unread.len())
        ),
    )
    .with_hint("make the backup again with an account that may read everything, or accept what is missing")
    .with_remedy(Remedy::AllowPartial)
    .with_details(details.collect()))
}

fn parts(number: usize) -> String {
    match number {
        1 => "a part of the GPO".to_owned(),
        number => format!("{number} parts of the GPO"),
    }
}
