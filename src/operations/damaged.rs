//! A backup whose files are not what gpoctl wrote: what it holds would run on every machine of a domain.

use crate::backup::StoredBackup;
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;

/// Admits a backup that is what was written, or that is damaged and accepted on purpose; then each file is a warning.
///
/// # Errors
/// `BadInput` when it is damaged and `accept` is not set; the files are the details.
pub fn refuse_damaged(backup: &StoredBackup, accept: bool) -> Result<Vec<StatusMessage>> {
    if accept {
        return Ok(backup.damage_warnings());
    }
    if backup.damage.is_empty() {
        return Ok(Vec::new());
    }
    let files = match backup.damage.len() {
        1 => "1 file differs".to_owned(),
        count => format!("{count} files differ"),
    };
    Err(Error::new(
        ErrorKind::BadInput,
        format!(
            "the backup of \"{}\" is damaged: {files} from what gpoctl wrote, and nothing was changed",
            backup.snapshot.display_name
        ),
    )
    .with_hint("use another backup, or check each of these files and repeat the command with --accept-damaged")
    .with_details(backup.damage.clone()))
}
