//! Operations that did not complete: what they wrote is rolled back, or what they left behind is removed.

use super::run::SWITCH_PAUSE;
use super::{ApplyOptions, ChangedGpo, OperationResult, OverallStatus, PlanSummary};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage};
use crate::operations::journal::{Event, Inverse, OperationState, StoredOperation};
use crate::operations::plan::{Plan, Verb};
use crate::operations::progress::Phase;
use crate::operations::rollback::{RolledBack, Undo};
use crate::operations::saved_plan::SavedPlan;
use crate::operations::stage::{StagingArea, remove_tree};
use crate::session::DomainWriter;

/// Rolls back an operation that was interrupted, or whose own roll-back failed.
///
/// # Errors
/// `Usage` when the operation is not unfinished, or of another domain; `Conflict` when it is still running; `Incomplete` when
/// not everything could be rolled back, with what somebody else has changed since. It can be repeated.
pub async fn roll_back(
    domain: &DomainWriter,
    operation: &StoredOperation,
    options: &ApplyOptions,
) -> Result<OperationResult> {
    let plan = plan_of(domain, operation)?;
    if operation.state != OperationState::Unfinished {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "operation {} is {}, not unfinished",
                operation.id,
                operation.state.as_str()
            ),
        ));
    }
    let before = operation.before()?;
    operation.refuse_foreign(&plan, before.as_ref())?;
    let mut journal = operation.reopen()?;
    let changes = operation.changes.clone();
    let staging = StagingArea::new(&plan.target.domain, plan.target.guid, &operation.id);
    options.control.report(Phase::RollBack, 0, 1, 0);
    let undo = Undo {
        domain,
        staging: &staging,
        plan: &plan,
        before: before.as_ref(),
        raising: operation.raising,
    };
    let outcome = if changes.is_empty() {
        Ok(RolledBack {
            raised: None,
            same_objects: true,
        })
    } else {
        undo.roll_back(&changes, &mut journal).await
    };
    options.control.report(Phase::RollBack, 1, 1, 0);
    match outcome {
        Ok(done) => {
            journal.record(&Event::RolledBack)?;
            let version = done.raised.or_else(|| {
                plan.basis
                    .as_ref()
                    .and_then(|basis| basis.directory_version)
            });
            Ok(result(
                operation,
                &plan,
                &plan.target.display_name,
                version.unwrap_or_default().combined(),
                vec![StatusMessage::info(Code::RolledBack, done.to_string())],
            ))
        }
        Err(error) => {
            let _ = journal.record(&Event::RollBackFailed {
                reason: error.to_string(),
            });
            Err(error.with_hint(format!(
                "run this command again when the cause is removed; the old state is in {}",
                journal.folder().display()
            )))
        }
    }
}

/// Deletes what a completed operation left behind: old files and folders that were open, or that were left when the process was
/// killed.
///
/// # Errors
/// `Usage` when the operation left nothing; `Conflict` when it is still running; otherwise as the server reports.
pub async fn clean_up(
    domain: &DomainWriter,
    operation: &StoredOperation,
) -> Result<OperationResult> {
    let plan = plan_of(domain, operation)?;
    if operation.state != OperationState::LeftOver {
        let error = Error::new(
            ErrorKind::Usage,
            format!(
                "operation {} {}; there is nothing to clean up",
                operation.id,
                match operation.state {
                    OperationState::Failed => "failed and was rolled back",
                    OperationState::Undone => "was undone",
                    OperationState::Running => "is still running",
                    OperationState::Unfinished => "did not complete",
                    OperationState::Unreadable => "has a journal that cannot be read",
                    OperationState::Done | OperationState::LeftOver => "completed",
                }
            ),
        );
        return Err(if operation.state == OperationState::Unfinished {
            error.with_hint(format!(
                "roll it back first: gpoctl operations undo {}",
                super::short_id(&operation.id)
            ))
        } else {
            error
        });
    }
    operation.refuse_foreign(&plan, operation.before()?.as_ref())?;
    let mut journal = operation.reopen()?;
    let staging = StagingArea::new(&plan.target.domain, plan.target.guid, &operation.id);
    let mut paths = Vec::new();
    if plan.verb == Verb::Delete {
        // It is announced before the GPO is deleted, so without it this operation has deleted none.
        if !operation.changes.contains(&Inverse::RecreateContainer) {
            return Err(Error::new(
                ErrorKind::BadInput,
                format!(
                    "the journal of operation {} was changed: it does not say that the GPO was deleted",
                    operation.id
                ),
            )
            .with_hint("nothing was changed"));
        }
        match domain.session().directory().gpo(plan.target.guid).await {
            Err(error) if error.kind() == ErrorKind::NotFound => paths.push(staging.folder()),
            Err(error) => return Err(error),
            Ok(_) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("GPO {} exists again", plan.target.guid),
                ));
            }
        }
    }
    for change in &operation.changes {
        let name = match change {
            Inverse::SwitchBack {
                old: Some(name), ..
            }
            | Inverse::RemoveEntry { name } => name,
            _ => continue,
        };
        let name = crate::model::safe_name::SafeName::new(name).map_err(|cause| {
            Error::new(ErrorKind::BadInput, "the journal names an unsafe entry").with_source(cause)
        })?;
        paths.push(staging.entry(&name));
    }
    for path in paths {
        if remove_tree(domain.sysvol(), &path).await.is_err() {
            tokio::time::sleep(SWITCH_PAUSE).await;
            remove_tree(domain.sysvol(), &path).await?;
        }
    }
    journal.record(&Event::Finished)?;
    Ok(result(
        operation,
        &plan,
        plan.name_after(),
        super::version_after(&plan),
        Vec::new(),
    ))
}

/// The plan of an operation on a GPO of this domain.
fn plan_of(domain: &DomainWriter, operation: &StoredOperation) -> Result<Plan> {
    let here = &domain.session().info().dns_domain;
    match operation.plan()? {
        SavedPlan::Gpo(plan) if plan.target.domain == *here => Ok(*plan),
        SavedPlan::Gpo(plan) => Err(Error::new(
            ErrorKind::Usage,
            format!(
                "operation {} was in {}, and this session is in {here}",
                operation.id, plan.target.domain
            ),
        )),
        SavedPlan::Changes(_) => Err(Error::new(
            ErrorKind::Usage,
            format!("operation {} is a list of changes", operation.id),
        )
        .with_hint("undo it: each of its changes is looked at")),
    }
}

/// The result of an operation that only deleted what another one left.
fn result(
    operation: &StoredOperation,
    plan: &Plan,
    name: &str,
    version: u32,
    messages: Vec<StatusMessage>,
) -> OperationResult {
    OperationResult {
        format_version: 1,
        status: OverallStatus::Done,
        operation_id: operation.id.clone(),
        gpo: ChangedGpo {
            guid: plan.target.guid,
            display_name: name.to_owned(),
            domain: plan.target.domain.to_string(),
            version,
            created: false,
            deleted: false,
        },
        messages,
        plan: PlanSummary { steps: Vec::new() },
    }
}
