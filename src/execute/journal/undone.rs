//! Which operations were undone: by the journal of whatever undid them, so that it makes no difference whether the undo was applied
//! at once or from a saved plan.

use std::path::Path;

use super::{Event, OperationState, StoredOperation, list};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::Code;
use crate::plan::{Mode, Object, Plan};

/// Whether a finding of the plan of an undo is about something that is not put back.
pub(super) fn is_not_put_back(code: Code) -> bool {
    matches!(code, Code::PermissionsNotPutBack | Code::LinksNotPutBack)
}

impl StoredOperation {
    /// Whether all of its changes are complete.
    fn stands_as_a_whole(&self) -> bool {
        matches!(self.state, OperationState::Done | OperationState::LeftOver)
            && (self.mode == Mode::AllOrNothing || self.stands.len() == self.planned)
    }

    /// Why no plan can undo this operation: it was undone already.
    pub(crate) fn already_undone(&self) -> Error {
        let by = match &self.undone_by {
            Some(by) => format!(" by operation {by}"),
            None => String::new(),
        };
        Error::new(
            ErrorKind::Usage,
            format!("operation {} was already undone{by}", self.id),
        )
    }
}

/// Marks the operations that another one of the list has undone. One whose undo was undone itself is complete again.
pub(super) fn mark(operations: &mut [StoredOperation]) {
    let mut latest_first: Vec<usize> = (0..operations.len()).collect();
    latest_first.sort_by_key(|it| {
        let operation = operations.get(*it);
        std::cmp::Reverse(operation.map(|it| (it.began(), it.id.clone())))
    });
    for it in latest_first {
        let Some(operation) = operations.get(it) else {
            continue;
        };
        let recorded = operation.state == OperationState::Undone;
        if !recorded && operation.state != OperationState::Done {
            continue;
        }
        // Whatever undid it began later, so its own state is known.
        let by = |other: &&StoredOperation| {
            other.undoes.as_ref() == Some(&operation.id)
                || recorded && operation.undone_by.as_ref() == Some(&other.id)
        };
        let mut all = operations.iter().filter(by);
        let undone_by = all.clone().find(|it| it.stands_as_a_whole());
        let taken_back = all.all(|it| it.state == OperationState::Undone);
        let known = operations.iter().any(|it| by(&it));
        let (state, by, in_part) = match undone_by {
            Some(by) => (
                OperationState::Undone,
                Some(by.id.clone()),
                by.leaves_something,
            ),
            None if recorded && known && taken_back => (OperationState::Done, None, false),
            None => continue,
        };
        if let Some(operation) = operations.get_mut(it) {
            operation.state = state;
            operation.undone_by = by;
            operation.undone_in_part = in_part;
        }
    }
}

/// The operation that a plan undoes, if its journal is in this folder.
///
/// # Errors
/// `BadInput` when it has not changed what the plan changes, `Usage` when it was undone already; otherwise as [`list`].
pub(in crate::execute) fn undone_by(root: &Path, plan: &Plan) -> Result<Option<StoredOperation>> {
    let Some(id) = &plan.undoes else {
        return Ok(None);
    };
    // A saved plan that changes nothing undoes nothing, whatever it says.
    if plan.changes.is_empty() && plan.said_by.is_some() {
        return Ok(None);
    }
    let Some(operation) = list(root)?.into_iter().find(|it| it.id == *id) else {
        return Ok(None);
    };
    match operation.state {
        OperationState::Undone => return Err(operation.already_undone()),
        OperationState::Done => {}
        // Nothing is recorded of one that no plan undoes.
        _ => return Ok(None),
    }
    let done = operation.plan()?;
    let own: Vec<Object> = done.objects().map(|(_, object)| object).collect();
    let is_own = |(_, object): (usize, Object)| own.contains(&object);
    if done.domain == plan.domain && plan.objects().all(is_own) {
        return Ok(Some(operation));
    }
    Err(Error::new(
        ErrorKind::BadInput,
        format!("the plan does not undo operation {id}: it changes other objects"),
    )
    .with_hint("nothing was changed; make the plan again")
    .with_remedy(Remedy::PlanUndoAgain(id.clone())))
}

/// Records in the journal of an operation that this plan has undone it, so that this is known when the journal of the plan is removed.
/// The list of operations shows it in any case, so a failure is only logged.
pub(in crate::execute) fn record(operation: &StoredOperation, plan: &Plan) {
    let by = plan.operation_id.clone();
    let in_part = plan.findings().any(|it| is_not_put_back(it.code));
    let is_complete = plan.changes.is_empty()
        || operation.folder.parent().is_some_and(|root| {
            let all = list(root).unwrap_or_default().into_iter();
            all.filter(|it| it.id == by)
                .any(|it| it.stands_as_a_whole())
        });
    if !is_complete {
        return;
    }
    let recorded = operation
        .reopen()
        .and_then(|mut journal| journal.record(&Event::Undone { by, in_part }));
    if let Err(error) = recorded {
        tracing::warn!(%error, operation = operation.id, "the journal does not contain that the operation was undone");
    }
}
