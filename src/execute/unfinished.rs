//! Operations that did not complete: what they wrote is rolled back, or what they left behind is removed.

use super::execution::{RollBack, close_hint, is_kept_for_others};
use super::{ApplyOptions, ChangedGpo, OperationResult, OverallStatus, short_id};
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::execute::journal::{Event, Inverse, OperationState, StoredOperation};
use crate::execute::known_entries::remove_known;
use crate::execute::rollback::safe_name;
use crate::execute::stage::{StagingArea, hashes_below, remove_tree};
use crate::execute::values::remove_staged;
use crate::execute::waiting::PatientDomain;
use crate::message::{Code, StatusMessage, shell_word};
use crate::plan::gpo::{GpoPlan, Verb, tree_hashes};
use crate::plan::values::ValueChange;
use crate::plan::{Change, Plan};
use crate::progress::{Control, Phase};
use crate::session::DomainWriter;

/// Rolls back an operation that was interrupted, or whose own roll-back failed.
///
/// # Errors
/// `Usage` when the operation is not unfinished, or of another domain; `Conflict` when it is still running, when later ones have
/// changed all of it, or when a later one has to be undone first; `Incomplete` when not everything could be rolled back, with
/// what somebody else has changed since. It can be repeated.
pub async fn roll_back(
    domain: &DomainWriter,
    operation: &StoredOperation,
    options: &ApplyOptions,
) -> Result<OperationResult> {
    let domain = &PatientDomain::new(domain, &options.control);
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
    operation.refuse_foreign(&plan)?;
    operation.refuse_overtaken(&plan)?;
    let since = operation.since(&plan)?;
    // What a change replaced is taken from the journal, so its inverse may be anything that somebody has written there.
    let mut plan = plan;
    let announced: Vec<ValueChange> = plan.values().map(|it| it.change.clone()).collect();
    let mut messages = plan.keep_repaired(domain.session()).await?;
    plan.inverse_values()
        .refuse_rights_that_never_were(domain.session())
        .await?;
    let before = operation.states_before(&plan)?;
    let mut journal = operation.reopen()?;
    journal.reserve(0)?;
    options.control.report(Phase::RollBack, 0, 1, 0);
    let undo = RollBack {
        domain,
        plan: &plan,
        before: before.iter().map(|(of, state)| (*of, state)).collect(),
        raising: &operation.raising,
        put_aside: &operation.put_aside,
        is_later: true,
        kept: since.kept(),
        visible: since.visible(),
    };
    let inverses = operation.to_roll_back(&plan)?;
    // The folder of a GPO that was deleted may still be there.
    for (change, left) in announced.iter().zip(plan.values()) {
        if left.change.is_empty() {
            remove_staged(domain, &operation.id, change).await?;
        }
    }
    let outcome = match (undo.run(&inverses, &mut journal).await, since.first()) {
        (Ok(_), Some((later, object))) => Err(Error::new(
            ErrorKind::Incomplete,
            format!(
                "not everything could be rolled back: operation {} has changed {object} since",
                later.id
            ),
        )
        .with_remedy(Remedy::KeepChangesOfOthers)),
        (outcome, _) => outcome,
    };
    options.control.report(Phase::RollBack, 1, 1, 0);
    match outcome {
        Ok(done) => {
            for (of, gpo) in standing_gpos(operation, &plan) {
                messages.extend(remove_leftovers(domain, operation, of, gpo).await?);
            }
            journal.record(&Event::RolledBack)?;
            let is_kept = |it: &StatusMessage| {
                matches!(it.code, Code::LinksNotPutBack | Code::PermissionsNotPutBack)
            };
            let done_text = match messages.iter().any(is_kept) {
                true => done.sentence("the rest"),
                false => done.to_string(),
            };
            let text = match since.kept_text() {
                Some(kept) => format!("{done_text}; {kept}"),
                None => done_text,
            };
            messages.push(StatusMessage::info(Code::RolledBack, text));
            let before = |gpo: &GpoPlan| {
                let version = gpo.basis.as_ref().and_then(|basis| basis.directory_version);
                done.raised.or(version).unwrap_or_default().combined()
            };
            let gpos = plan.gpos().map(|gpo| ChangedGpo {
                guid: gpo.target.guid,
                display_name: gpo.target.display_name.clone(),
                domain: plan.domain.to_string(),
                version: before(gpo),
                created: false,
                deleted: false,
            });
            Ok(result(operation, gpos.collect(), messages))
        }
        Err(error) => {
            let kept_for_others = is_kept_for_others(&error);
            let _ = journal.record(&Event::RollBackFailed {
                reason: error.to_string(),
                kept_for_others,
            });
            if kept_for_others {
                let hint = close_hint(&operation.id, &journal);
                return Err(error.with_kind(ErrorKind::Incomplete).with_hint(hint));
            }
            let when = if error.is_caused_by(ErrorKind::InUse) {
                "no client has these files open"
            } else {
                "the cause is removed"
            };
            Err(error.with_kind(ErrorKind::Incomplete).with_hint(format!(
                "run this command again when {when}; the old state is in {}",
                journal.folder().display()
            )))
        }
    }
}

/// The GPOs whose changes are complete, of an operation that was applied object by object.
fn standing_gpos<'a>(
    operation: &'a StoredOperation,
    plan: &'a Plan,
) -> impl Iterator<Item = (usize, &'a GpoPlan)> {
    let changes = plan.changes.iter().enumerate();
    changes.filter_map(|(of, change)| match change {
        Change::Gpo(gpo) if operation.stands.contains(&of) => Some((of, &**gpo)),
        _ => None,
    })
}

/// Deletes what a completed operation left behind: old files and folders that were open, or that were left when the process was
/// killed. An interrupted one is closed without a roll-back if others have changed the same since: later operations of this
/// machine, all of it, or somebody else, and a roll-back has left nothing but those changes.
///
/// # Errors
/// `Usage` when the operation left nothing, or is to be rolled back; `Conflict` when it is still running, when a later one has to be
/// undone first, or when what would be deleted is the only copy of an entry; `InUse` when a client still has one of them open;
/// `Cancelled`; otherwise as the server reports. It can be repeated.
pub async fn clean_up(
    domain: &DomainWriter,
    operation: &StoredOperation,
    control: &Control,
) -> Result<OperationResult> {
    let domain = &PatientDomain::new(domain, control);
    let plan = plan_of(domain, operation)?;
    if let Some(because) = superseded(operation, &plan)? {
        return close(domain, operation, &plan, &because).await;
    }
    if operation.state != OperationState::LeftOver {
        let error = Error::new(
            ErrorKind::Usage,
            format!(
                "operation {} {}; there is nothing to clean up",
                operation.id,
                match operation.state {
                    OperationState::Failed => "failed and was rolled back",
                    OperationState::Undone => "was undone",
                    OperationState::Superseded => "is closed",
                    OperationState::Running => "is still running",
                    OperationState::Unfinished => "did not complete",
                    OperationState::Unreadable => "has a journal that cannot be read",
                    OperationState::Done | OperationState::LeftOver => "completed",
                }
            ),
        );
        return Err(if operation.state == OperationState::Unfinished {
            error.with_remedy(Remedy::RollBackOperation(operation.id.clone()))
        } else {
            error
        });
    }
    operation.refuse_foreign(&plan)?;
    let mut journal = operation.reopen()?;
    let mut gpos = Vec::new();
    let mut messages = Vec::new();
    for (of, change) in plan.changes.iter().enumerate() {
        if let Change::Gpo(gpo) = change
            && operation.made(plan.mode, of)
        {
            messages.extend(remove_leftovers(domain, operation, of, gpo).await?);
            gpos.push(ChangedGpo {
                created: false,
                deleted: false,
                ..ChangedGpo::of(gpo)
            });
        }
    }
    journal.record(&Event::Finished)?;
    Ok(result(operation, gpos, messages))
}

/// Whether an interrupted operation can be closed without a roll-back, which would revert what others have changed since.
///
/// # Errors
/// `Conflict` when a later operation has to be undone first; otherwise when the journals cannot be read.
pub fn is_superseded(operation: &StoredOperation) -> Result<bool> {
    Ok(superseded(operation, &operation.plan()?)?.is_some())
}

/// What has superseded an interrupted operation: a sentence.
fn superseded(operation: &StoredOperation, plan: &Plan) -> Result<Option<String>> {
    if operation.state != OperationState::Unfinished {
        return Ok(None);
    }
    Ok(match operation.since(plan)?.whole() {
        Some((later, object)) => Some(format!("operation {} has changed {object} since", later.id)),
        None if operation.kept_for_others => Some(
            "somebody else has changed since what it had written; the rest was rolled back"
                .to_owned(),
        ),
        None => None,
    })
}

/// Closes an interrupted operation: what is live is left unchanged, and what it had staged or renamed out of the way is deleted.
async fn close(
    domain: &DomainWriter,
    operation: &StoredOperation,
    plan: &Plan,
    because: &str,
) -> Result<OperationResult> {
    operation.refuse_foreign(plan)?;
    let mut journal = operation.reopen()?;
    let since = operation.since(plan)?;
    for (of, change) in plan.changes.iter().enumerate() {
        if let Change::Gpo(gpo) = change {
            refuse_missing(domain, operation, of, gpo, since.overtaken(of)).await?;
        }
    }
    for (of, change) in plan.changes.iter().enumerate() {
        match change {
            Change::Gpo(gpo) => {
                for path in own_entries(operation, of, gpo)? {
                    remove_tree(domain.sysvol(), &path).await?;
                }
            }
            Change::Value(value) => remove_staged(domain, &operation.id, &value.change).await?,
        }
    }
    journal.record(&Event::Superseded)?;
    let message = StatusMessage::info(
        Code::OperationSuperseded,
        format!(
            "operation {} is closed and was not rolled back: {because}",
            operation.id
        ),
    );
    let message = match &operation.safety_backup {
        Some(backup) => message.with_hint(format!(
            "the GPO as it was before is in {}",
            backup.display()
        )),
        None => message,
    };
    Ok(result(operation, Vec::new(), vec![message]))
}

/// Refuses to delete the former entries of a GPO while one of them is the only copy: the live name is not in use, and no later
/// operation has left it out.
async fn refuse_missing(
    domain: &DomainWriter,
    operation: &StoredOperation,
    of: usize,
    gpo: &GpoPlan,
    later: Option<&StoredOperation>,
) -> Result<()> {
    let staging = StagingArea::new(&gpo.target.domain, gpo.target.guid, &operation.id);
    let later_tree = match later {
        Some(later) => {
            let plan = later.plan()?;
            let mut same = plan.gpos().filter(|it| it.target.guid == gpo.target.guid);
            let tree = same.next().map(GpoPlan::new_tree).transpose()?;
            tree.map(|tree| tree_hashes(&tree))
        }
        None => None,
    };
    let entry = |name: &str| safe_name(name).map(|name| staging.entry(&name));
    for (it, change) in &operation.to_take_back() {
        let Inverse::SwitchBack {
            live,
            old: Some(old),
            staged: Some(_),
        } = change
        else {
            continue;
        };
        let left_out = later_tree
            .as_ref()
            .is_some_and(|tree| hashes_below(tree, live).is_empty());
        if *it != of || left_out {
            continue;
        }
        let (live, old) = (entry(live)?, entry(old)?);
        if domain.sysvol().stat(&live).await?.is_none()
            && domain.sysvol().stat(&old).await?.is_some()
        {
            let step = match (later, &operation.safety_backup) {
                (Some(_), Some(backup)) => format!(
                    "to restore the GPO as it was before: gpoctl restore {}",
                    shell_word(&backup.display().to_string())
                ),
                _ => format!(
                    "to put it back: gpoctl operations undo {}",
                    short_id(&operation.id)
                ),
            };
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{live} is missing, and {old} is the only copy of it"),
            )
            .with_hint(format!("nothing was changed; {step}")));
        }
    }
    Ok(())
}

/// The entries of the GPO's folder whose names contain that of the operation.
fn own_entries(operation: &StoredOperation, of: usize, gpo: &GpoPlan) -> Result<Vec<SysvolPath>> {
    let staging = StagingArea::new(&gpo.target.domain, gpo.target.guid, &operation.id);
    let mut paths = Vec::new();
    for (it, change) in &operation.changes {
        let name = match change {
            Inverse::SwitchBack {
                old: Some(name), ..
            }
            | Inverse::RemoveEntry { name }
                if *it == of =>
            {
                name
            }
            _ => continue,
        };
        paths.push(staging.entry(&safe_name(name)?));
    }
    for live in operation.put_aside.get(&of).into_iter().flatten() {
        paths.push(staging.entry(&staging.aside_name(&safe_name(live)?)?));
    }
    Ok(paths)
}

/// Deletes what the change of a GPO left behind, but nothing that somebody else has put there; the message names that.
async fn remove_leftovers(
    domain: &DomainWriter,
    operation: &StoredOperation,
    of: usize,
    gpo: &GpoPlan,
) -> Result<Option<StatusMessage>> {
    let staging = StagingArea::new(&gpo.target.domain, gpo.target.guid, &operation.id);
    let mut kept = None;
    if gpo.verb == Verb::Delete {
        // It is announced before the GPO is deleted, so without it this operation has deleted none.
        if !operation
            .changes
            .contains(&(of, Inverse::RecreateContainer))
        {
            return Err(Error::new(
                ErrorKind::BadInput,
                format!(
                    "the journal of operation {} was changed: it does not record that the GPO was deleted",
                    operation.id
                ),
            )
            .with_hint("nothing was changed"));
        }
        match domain.session().directory().gpo(gpo.target.guid).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("GPO {} exists again", gpo.target.guid),
                ));
            }
        }
        kept = remove_known(domain.sysvol(), &staging, gpo.basis.as_ref()).await?;
    }
    for path in own_entries(operation, of, gpo)? {
        remove_tree(domain.sysvol(), &path).await?;
    }
    Ok(kept)
}

/// The plan of an operation in this domain.
fn plan_of(domain: &DomainWriter, operation: &StoredOperation) -> Result<Plan> {
    let here = &domain.session().info().dns_domain;
    let plan = operation.plan()?;
    if plan.domain == *here {
        return Ok(plan);
    }
    Err(Error::new(
        ErrorKind::Usage,
        format!(
            "operation {} was in {}, and this session is in {here}",
            operation.id, plan.domain
        ),
    ))
}

/// The result of an operation that only deleted what another one left.
fn result(
    operation: &StoredOperation,
    gpos: Vec<ChangedGpo>,
    messages: Vec<StatusMessage>,
) -> OperationResult {
    OperationResult::new(
        &operation.id,
        OverallStatus::Done,
        gpos,
        messages,
        Vec::new(),
    )
}
