//! Removing the journals of earlier operations, with the backups they hold.

use std::fs;
use std::path::Path;

use jiff::civil::DateTime;

use super::stored::EVENTS;
use super::{OperationState, StoredOperation};
use crate::error::{Error, ErrorKind, Result};
use crate::model::retention::{KeepReason, Retention};

/// The prefix of the name of a journal that is being removed; [`super::list`] passes over it.
const REMOVED: &str = ".removed-";

/// Decides for each operation, as [`super::list`] lists them, why it is kept; one without a reason is to be removed. An operation
/// that is running, or that has something to be undone or cleaned up, is always kept and does not count as one of those kept; so
/// is one whose journal cannot be read. Times are UTC. Removes nothing.
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
    // The list is the newest first already; the IDs order those of one second.
    let times: Vec<DateTime> = series.iter().map(|(time, _)| *time).collect();
    for ((_, index), reasons) in series.iter().zip(retention.reasons(&times)) {
        if let Some((_, keep)) = decisions.get_mut(*index) {
            *keep = reasons;
        }
    }
    decisions
}

/// Removes the journal of an operation and the backup in it. The operation cannot be undone afterwards.
///
/// # Errors
/// `Conflict` when the operation is still running or has something to be undone or cleaned up, also when it has become so since it
/// was listed; `Internal` when the disk refuses.
pub fn remove(operation: &StoredOperation) -> Result<()> {
    let removable = matches!(
        operation.state,
        OperationState::Done | OperationState::Failed | OperationState::Undone
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
    // Holding the journal keeps an undo of it from starting meanwhile.
    let held = match operation.folder.join(EVENTS).exists() {
        true => Some(operation.reopen()?),
        false => None,
    };
    let failed = |cause: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot remove {}", operation.folder.display()),
        )
        .with_source(cause)
    };
    let parent = operation.folder.parent().unwrap_or(Path::new("/"));
    let aside = parent.join(format!("{REMOVED}{}", operation.id));
    fs::rename(&operation.folder, &aside).map_err(failed)?;
    drop(held);
    fs::remove_dir_all(&aside).map_err(failed)
}

/// Removes what an interrupted [`remove`] has left in the folder of the journals.
///
/// # Errors
/// `Internal` when the disk refuses.
pub fn remove_leftovers(root: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(root) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let left = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(REMOVED.as_bytes());
        if left && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir_all(entry.path()).map_err(|cause| {
                Error::new(
                    ErrorKind::Internal,
                    format!("cannot remove {}", entry.path().display()),
                )
                .with_source(cause)
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::change_list::ChangeList;
    use crate::operations::journal::{Event, list};

    fn operation(root: &Path, id: &str, events: &[Event]) {
        let folder = root.join(id);
        fs::create_dir_all(folder.join("before")).unwrap();
        let plan = ChangeList::new("link x", &"src.test".parse().unwrap());
        fs::write(folder.join("plan.json"), plan.to_json().unwrap()).unwrap();
        let lines: String = events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap() + "\n")
            .collect();
        fs::write(folder.join(EVENTS), lines).unwrap();
    }

    #[test]
    fn only_closed_operations_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let id = |day: u8| format!("202601{day:02}T120000.250Z-000000{day:02}");
        operation(root.path(), &id(1), &[Event::Finished]);
        operation(root.path(), &id(2), &[]);
        operation(root.path(), &id(3), &[Event::Committed]);
        operation(root.path(), &id(4), &[Event::RolledBack]);
        operation(root.path(), &id(5), &[Event::Finished]);
        let last = Retention {
            last: 1,
            ..Default::default()
        };
        let decided = decide(list(root.path()).unwrap(), &last);
        let words: Vec<String> = decided
            .iter()
            .map(|(operation, keep)| {
                let keep: Vec<&str> = keep.iter().map(|reason| reason.as_str()).collect();
                format!("{} {}", operation.id.get(6..8).unwrap(), keep.join(","))
            })
            .collect();
        assert_eq!(words, ["05 last", "04 ", "03 open", "02 open", "01 "]);
        for (operation, keep) in &decided {
            let removed = remove(operation);
            assert_eq!(
                removed.is_ok(),
                keep.is_empty() || keep == &[KeepReason::Last],
                "{}",
                operation.id
            );
        }
        let left: Vec<String> = list(root.path())
            .unwrap()
            .into_iter()
            .map(|o| o.id)
            .collect();
        assert_eq!(left, [id(3), id(2)]);
        fs::create_dir_all(root.path().join(".removed-x/before")).unwrap();
        assert_eq!(list(root.path()).unwrap().len(), 2);
        remove_leftovers(root.path()).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_operation_that_somebody_works_on_is_not_removed() {
        let root = tempfile::tempdir().unwrap();
        operation(
            root.path(),
            "20260101T120000.250Z-00000001",
            &[Event::Finished],
        );
        let found = list(root.path()).unwrap().remove(0);
        let held = found.reopen().unwrap();
        assert_eq!(remove(&found).unwrap_err().kind(), ErrorKind::Conflict);
        drop(held);
        remove(&found).unwrap();
        assert!(list(root.path()).unwrap().is_empty());
    }
}
