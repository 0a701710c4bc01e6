//! Apply: the only module that writes to a domain.
//!
//! The order keeps clients from reading half a policy: stage the new files beside the old ones, check the state again, switch
//! by renaming, change the directory objects, write GPT.INI, and then make one LDAP modify with `versionNumber` as
//! compare-and-swap. Nothing live is overwritten in place or deleted before its replacement exists. The inverse of each step is
//! in the journal before the step. If a step fails, or the caller cancels before the switch, everything is rolled back, and
//! reading back proves it.

mod attributes;
mod change_list;
mod create;
mod delete;
mod descriptors;
mod run;
mod unfinished;

pub use change_list::{ChangeResult, apply_changes, undo_changes};
pub use unfinished::{clean_up, roll_back};

use std::path::{Path, PathBuf};

use self::run::Run;
use super::journal::{Before, Event, Inverse, Journal};
use super::partial::partial_safety_backup;
use super::plan::{GpoState, Plan, Step, Verb};
use super::progress::{Control, Phase};
use super::read::{self, LiveGpo};
use super::rights;
use super::rollback::Undo;
use super::self_lockout::SelfLockout;
use super::stage::StagingArea;
use super::waiting::Patience;
use crate::directory::links::SomLink;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage};
use crate::model::guid::Guid;
use crate::session::DomainWriter;

/// What is said of an operation that was done but for something at its end.
const INCOMPLETE: [Code; 2] = [Code::LeftOver, Code::PermissionsNotLast];

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OverallStatus {
    /// Completed.
    Done,
    /// Failed; nothing was changed.
    Failed,
    /// Partly completed, or something is left to clean up.
    Partial,
}

/// The GPO an operation changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChangedGpo {
    /// Its GUID.
    pub guid: Guid,
    /// Its display name.
    pub display_name: String,
    /// Its domain.
    pub domain: String,
    /// Its version, in both halves.
    pub version: u32,
    /// Whether this operation created it.
    pub created: bool,
    /// Whether this operation deleted it.
    pub deleted: bool,
}

/// The result of an operation: the overall status and the findings, as GPMC's `GPMResult`.
#[derive(Debug, Clone, serde::Serialize)]
pub struct OperationResult {
    /// 1; the form may only grow.
    pub format_version: u32,
    /// How it ended.
    pub status: OverallStatus,
    /// The ID under which the journal is kept.
    pub operation_id: String,
    /// The GPO it changed.
    pub gpo: ChangedGpo,
    /// The findings, from planning and from applying.
    pub messages: Vec<StatusMessage>,
    /// What was done.
    pub plan: PlanSummary,
}

/// The steps of the plan that was applied.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PlanSummary {
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// Where an apply keeps its journal, and how it reports progress and is cancelled.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// The folder of the journals; see [`Journal::default_root`].
    pub journal_root: PathBuf,
    /// Progress and cancellation.
    pub control: Control,
}

impl ApplyOptions {
    /// The default folder of journals, no progress, no cancellation.
    ///
    /// # Errors
    /// As [`Journal::default_root`].
    pub fn new() -> Result<Self> {
        Ok(Self {
            journal_root: Journal::default_root()?,
            control: Control::default(),
        })
    }
}

/// Makes the changes of a plan, all or none.
///
/// # Errors
/// `Conflict` when the target has changed since the plan was made, or while it was applied; `Denied` when the account may not
/// write; `InUse` when a client has had a file of the GPO open for longer than [`DomainWriter::with_patience`] allows; `Cancelled` when the caller cancelled; after all of these the domain is unchanged. `Incomplete` when something could
/// not be rolled back; the message names the journal.
pub async fn apply(
    domain: &DomainWriter,
    plan: &Plan,
    options: &ApplyOptions,
) -> Result<OperationResult> {
    let control = &options.control;
    let (direct, patience) = (domain, Patience::of(domain, control));
    let domain = &patience.applied_to(domain);
    let session = domain.session();
    if session.info().dns_domain != plan.target.domain {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "the plan is for the domain {}, and this session is in {}",
                plan.target.domain,
                session.info().dns_domain
            ),
        )
        .with_hint("apply it with --domain of the plan's domain"));
    }
    control.check()?;
    let new_tree = plan.new_tree()?;
    let current = if plan.target.create {
        None
    } else {
        Some(current_state(domain, plan, control).await?)
    };
    rights::check(session, plan).await?;
    let before = current
        .as_ref()
        .map(|current| Before::of(current, plan))
        .transpose()?;
    refuse_without_way_back(plan, before.as_ref())?;
    let mut journal = Journal::start(&options.journal_root, plan, before.as_ref())?;
    let mut messages = plan.messages.clone();
    if let Some(current) = &current {
        messages.extend(save_safety_backup(domain, plan, journal.folder(), current).await?);
        journal.sync()?;
    }

    let staging = StagingArea::new(
        &session.info().dns_domain,
        plan.target.guid,
        &plan.operation_id,
    );
    let mut run = Run {
        domain,
        direct: direct.sysvol(),
        patience: &patience,
        plan,
        staging: &staging,
        journal: &mut journal,
        control,
        messages,
        self_lockout: SelfLockout::of(session.info(), plan),
    };
    match run.execute(&new_tree, current.as_ref()).await {
        Ok(()) => {
            let mut messages = run.messages;
            let status = if messages.iter().any(|m| INCOMPLETE.contains(&m.code)) {
                OverallStatus::Partial
            } else {
                // The operation is complete, even if this can no longer be recorded in the journal.
                if let Err(error) = journal.record(&Event::Finished) {
                    tracing::warn!(%error, "the journal does not say that the operation is finished");
                }
                OverallStatus::Done
            };
            messages.sort_by_key(|message| std::cmp::Reverse(message.severity));
            Ok(OperationResult {
                format_version: 1,
                status,
                operation_id: plan.operation_id.clone(),
                gpo: ChangedGpo {
                    guid: plan.target.guid,
                    display_name: plan.name_after().to_owned(),
                    domain: plan.target.domain.to_string(),
                    version: version_after(plan),
                    created: plan.target.create,
                    deleted: plan.verb == Verb::Delete,
                },
                messages,
                plan: PlanSummary {
                    steps: plan.steps.clone(),
                },
            })
        }
        Err(error) => {
            let patience = Patience::of_roll_back(direct, control);
            let undo = Undo {
                domain: &patience.applied_to(direct),
                direct: direct.sysvol(),
                patience: &patience,
                staging: &staging,
                plan,
                before: before.as_ref(),
                raising: None,
            };
            Err(undo_all(&undo, &mut journal, control, error).await)
        }
    }
}

/// Reads the state of the target; refuses a plan that was made against another state.
async fn current_state(domain: &DomainWriter, plan: &Plan, control: &Control) -> Result<LiveGpo> {
    let session = domain.session();
    let object = session.directory().gpo(plan.target.guid).await?;
    let live = read::read_gpo(session, &object, control).await?;
    let state = live.state();
    if let Some(basis) = &plan.basis {
        let differences = basis.differences(&state);
        if !differences.is_empty() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "GPO \"{}\" has changed since the plan was made: {}",
                    plan.target.display_name,
                    differences.join("; ")
                ),
            )
            .with_hint("nothing was changed; make the plan again"));
        }
    }
    Ok(live)
}

/// Refuses a plan whose journal no undo would accept: one that was edited in a part of its former state that nothing else compares.
fn refuse_without_way_back(plan: &Plan, before: Option<&Before>) -> Result<()> {
    let fault = plan
        .basis
        .as_ref()
        .zip(before)
        .and_then(|(basis, before)| before.fault_against(plan.verb, basis));
    match fault {
        Some(what) => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "{what} of GPO \"{}\" is not what the plan was made against, so the operation could not be undone",
                plan.target.display_name
            ),
        )
        .with_hint("nothing was changed; make the plan again")),
        None => Ok(()),
    }
}

/// A backup of the target as it is, in GPMC's format, in the folder of the journal; that of a GPO that goes tells its links.
/// The message says that it lacks something.
async fn save_safety_backup(
    domain: &DomainWriter,
    plan: &Plan,
    folder: &Path,
    live: &LiveGpo,
) -> Result<Option<StatusMessage>> {
    let (folder, snapshot) = (folder.join("before"), live.snapshot.clone());
    let mut context = read::backup_context(live);
    if plan.verb == Verb::Delete {
        let found = domain.session().directory().links_of(plan.target.guid);
        let record = |link: &SomLink| link.som.record(&link.link, link.order);
        context.links = Some(found.await?.links.iter().map(record).collect());
    }
    let message = partial_safety_backup(&context);
    super::backup::save(
        folder,
        snapshot,
        context,
        "before a change by gpoctl".to_owned(),
    )
    .await?;
    Ok(message)
}

fn version_after(plan: &Plan) -> u32 {
    plan.steps
        .iter()
        .find_map(|step| match step {
            Step::ModifyGpo { version_to, .. } => Some(*version_to),
            _ => None,
        })
        .or_else(|| {
            plan.basis
                .as_ref()
                .and_then(|basis| basis.directory_version)
        })
        .unwrap_or_default()
        .combined()
}

/// Rolls everything back; the error reports whether that was complete.
async fn undo_all(
    undo: &Undo<'_>,
    journal: &mut Journal,
    control: &Control,
    error: Error,
) -> Error {
    let changes = journal.changes().to_vec();
    if changes.is_empty() {
        // An error of the journal must not hide the error that caused the roll-back.
        let _ = journal.record(&Event::RolledBack);
        return error;
    }
    let _ = journal.record(&Event::Failed {
        reason: error.to_string(),
    });
    control.report(Phase::RollBack, 0, 1, 0);
    let outcome = undo.roll_back(&changes, journal).await;
    control.report(Phase::RollBack, 1, 1, 0);
    match outcome {
        Ok(done) => {
            let _ = journal.record(&Event::RolledBack);
            // What was half done when it failed is undone now.
            let error = match error.kind() {
                ErrorKind::Incomplete => error.with_kind(ErrorKind::Conflict),
                _ => error,
            };
            let text = done.to_string();
            let hint = match error.hint() {
                Some(hint) => format!("{text}; {hint}"),
                None if done.raised.is_some() => text,
                None => format!("{text}; the domain is as it was"),
            };
            error.with_hint(hint)
        }
        Err(undo_error) => {
            let _ = journal.record(&Event::RollBackFailed {
                reason: undo_error.to_string(),
            });
            unfinished_error(undo, &changes, journal, &error, &undo_error)
        }
    }
}

/// The error of an operation that could not be rolled back: what clients can see, and the command that completes the roll-back.
fn unfinished_error(
    undo: &Undo<'_>,
    changes: &[Inverse],
    journal: &Journal,
    error: &Error,
    undo_error: &Error,
) -> Error {
    let only_staged = changes
        .iter()
        .all(|change| matches!(change, Inverse::RemoveEntry { .. }));
    let text = if only_staged {
        format!(
            "stopped before anything became visible to clients; staged files are left in the GPO's folder: {error}"
        )
    } else {
        format!("{undo_error}, after: {error}")
    };
    let when = if undo_error.is_caused_by(ErrorKind::InUse) {
        "when no client has these files open".to_owned()
    } else {
        format!("when {} answers again", undo.domain.session().info().server)
    };
    Error::new(ErrorKind::Incomplete, text).with_hint(format!(
        "{when}, run: gpoctl operations undo {}; the old state is in {}",
        short_id(&undo.plan.operation_id),
        journal.folder().display()
    ))
}

/// The end of an operation's ID, which names it too.
pub(super) fn short_id(operation_id: &str) -> &str {
    operation_id
        .rsplit_once('-')
        .map_or(operation_id, |(_, end)| end)
}

impl LiveGpo {
    /// The state a plan is made against.
    pub fn state(&self) -> GpoState {
        GpoState::of(self)
    }
}
