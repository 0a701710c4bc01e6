//! Deletes the journals of earlier operations, with the backups in them.

use std::path::Path;

use jiff::civil::DateTime;

use super::stored::EVENTS;
use super::{OperationState, StoredOperation, root};
use crate::backup::folder::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::model::retention::{KeepReason, Retention};

/// The prefix of the name of a journal that is being deleted; [`super::list`] ignores it.
const REMOVED: &str = ".removed-";

/// Decides for each operation, as [`super::list`] lists them, why it is kept; one without a reason can be deleted. An operation
/// that is running, that has something to undo or clean up, or whose journal cannot be read is always kept and does not count.
/// Times are UTC. Deletes nothing.
pub fn decide(
    operations: Vec<StoredOperation>,
    retention: &Retention,
) -> Vec<(StoredOperation, Vec<KeepReason>)> {
    let mut decisions = Vec::new();
    let mut series: Vec<(DateTime, usize)> = Vec::new();
    for (index, operation) in operations.into_iter().enumerate() {
        let time = operation.time.trim_end_matches('Z').parse::<DateTime>();
        let keep = match (operation.state, time) {
            (
                OperationState::Running | OperationState::Unfinished | OperationState::LeftOver,
                _,
            ) => vec![KeepReason::Open],
            (OperationState::Unreadable, _) | (_, Err(_)) => vec![KeepReason::Unknown],
            (_, Ok(time)) => {
                series.push((time, index));
                Vec::new()
            }
        };
        decisions.push((operation, keep));
    }
    // The list has the newest first; IDs sort those of the same second.
    let times: Vec<DateTime> = series.iter().map(|(time, _)| *time).collect();
    for ((_, index), reasons) in series.iter().zip(retention.reasons(&times)) {
        if let Some((_, keep)) = decisions.get_mut(*index) {
            *keep = reasons;
        }
    }
    decisions
}

/// Deletes the journal of an operation and the backup in it. The operation cannot be undone afterwards.
///
/// # Errors
/// `Conflict` when the operation is running or has something to undo or clean up, also since it was listed; `Denied` or `Usage`
/// when another user could have changed the journal; `Internal` when the disk fails.
pub fn remove(operation: &StoredOperation) -> Result<()> {
    let removable = matches!(
        operation.state,
        OperationState::Done
            | OperationState::Failed
            | OperationState::Undone
            | OperationState::Superseded
    );
    if !removable {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "operation {} is {} and is not removed",
                operation.id,
                operation.state.as_str()
            ),
        ));
    }
    let failed = |cause: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot remove {}", operation.folder.display()),
        )
        .with_source(cause)
    };
    let (journals, journal) = operation.open()?;
    // The lock on the journal prevents an undo from starting.
    let held = match journal.find(EVENTS).map_err(failed)? {
        Some(_) => Some(operation.reopen()?),
        None => None,
    };
    let aside = format!("{REMOVED}{}", operation.id);
    let identity = journal.identity().map_err(failed)?;
    journals
        .rename_folder(&operation.id, &aside, identity)
        .map_err(failed)?;
    drop(held);
    journals.remove_folder(&aside, identity).map_err(failed)
}

/// Deletes what an interrupted [`remove`] has left in the folder of the journals.
///
/// # Errors
/// `Denied` when another user can change that folder; `Internal` when the disk fails.
pub fn remove_leftovers(root: &Path) -> Result<()> {
    let Some(journals) = root::open(root)? else {
        return Ok(());
    };
    let failed = |cause: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot remove what is left in {}", root.display()),
        )
        .with_source(cause)
    };
    for (name, kind) in journals.entries().map_err(failed)? {
        let left = name.as_ref().is_ok_and(|name| name.starts_with(REMOVED));
        if let (Ok(name), true, Kind::Folder) = (name, left, kind) {
            let identity = journals
                .folder(&name)
                .and_then(|folder| folder.identity())
                .map_err(failed)?;
            journals.remove_folder(&name, identity).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
