//! Refuses a backup whose files are not those that gpoctl wrote: they would be applied to every computer of a domain.

use crate::backup::StoredBackup;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::StatusMessage;

/// Accepts a backup that is unchanged, or one that is damaged and accepted on purpose; then each file is a warning. One without
/// hashes, such as GPMC's own, is accepted with a warning.
///
/// # Errors
/// `BadInput` when it is damaged and `accept` is not set; the files are the details.
pub fn refuse_damaged(backup: &StoredBackup, accept: bool) -> Result<Vec<StatusMessage>> {
    if accept {
        return Ok(backup.damage_warnings());
    }
    if backup.damage.is_empty() {
        return Ok(backup.not_verifiable().into_iter().collect());
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
    .with_hint("use another backup, or check each of these files and accept them")
    .with_remedy(Remedy::AcceptDamaged)
    .with_details(backup.damage.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup;
    use crate::model::backup_context::BackupContext;
    use crate::operations::undo;

    #[test]
    fn a_backup_without_hashes_is_admitted_with_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = undo::tests::snapshot();
        let context = BackupContext::default();
        let now = "2026-01-31T12:00:00";
        let written = backup::write(folder.path(), &snapshot, &context, "", now).unwrap();
        let admitted = || refuse_damaged(&backup::read(&written.path).unwrap(), false);
        assert_eq!(admitted().unwrap(), []);
        let side_file = written.path.join("gpoctl.json");
        std::fs::remove_file(&side_file).unwrap();
        let warnings = admitted().unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0]
                .text
                .contains("changes of its files cannot be detected")
        );
        // A backup by gpoctl from which the hashes were removed is damaged.
        std::fs::write(&side_file, "{\"format_version\":1}").unwrap();
        assert_eq!(admitted().unwrap_err().kind(), ErrorKind::BadInput);
    }
}
