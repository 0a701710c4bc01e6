//! The executor: applies a plan. The only module that writes to a domain.
//!
//! Every precondition and right of all changes is checked, then each change is made; after a failure, all or those of the same
//! object are rolled back. Of a GPO, the order keeps clients from reading half a policy: stage the new files beside the old ones,
//! check the state again, switch by renaming, change the directory objects, write GPT.INI, and then make one LDAP modify with
//! `versionNumber` as compare-and-swap. Nothing live is overwritten in place or deleted before its replacement exists. The
//! inverse of each step is in the journal before the step. If a step fails, or the caller cancels before the switch, everything
//! is rolled back, and reading back proves it.

mod attributes;
mod create;
mod delete;
mod descriptors;
mod execution;
mod file_forms;
pub mod journal;
mod known_entries;
mod objects;
pub(crate) mod rights;
mod rollback;
mod run;
mod safety_backup;
pub(crate) mod stage;
mod switch;
mod unfinished;
pub(crate) mod value_rights;
mod values;
mod waiting;

pub use unfinished::{clean_up, is_superseded, roll_back};
pub(crate) use values::is_undone;

use std::path::PathBuf;

use self::execution::Execution;
use self::journal::{Before, Event, Journal, undone};
use self::waiting::PatientDomain;
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::model::guid::Guid;
use crate::model::status_flags;
use crate::plan::gpo::{GpoPlan, Step, Verb};
use crate::plan::{Plan, PlanStep};
use crate::progress::Control;
use crate::session::DomainWriter;
use crate::session::read::{self, LiveGpo};

/// Detects which entries the server stores in the DACL of a file, by writing one in the folder of this GPO, or beside the folders of
/// all, which is deleted at once. Before a check that is to be followed by a repair: what it then expects is what the server
/// accepts, also in a domain that was upgraded from a version that stored more. The session remembers the result; for an account
/// that may not write there, nothing is detected.
///
/// # Errors
/// `Connect` when the connection is lost.
pub async fn detect_file_entries(domain: &DomainWriter, gpo: Option<Guid>) -> Result<()> {
    let dns_domain = &domain.session().info().dns_domain;
    let folder = match gpo {
        Some(guid) => SysvolPath::gpo(dns_domain, guid),
        None => SysvolPath::policies(dns_domain),
    };
    stage::probe_file_entries(domain, &folder, true).await
}

/// The findings of an operation that is complete except for its clean-up.
const INCOMPLETE: [Code; 3] = [
    Code::LeftOver,
    Code::PermissionsNotLast,
    Code::ForeignFilesKept,
];

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OverallStatus {
    /// Completed.
    Done,
    /// Failed; nothing was changed.
    Failed,
    /// Partly completed, or something is left to clean up.
    Partial,
}

impl OverallStatus {
    /// That of an operation that was not rolled back: partial unless every change was made as planned and nothing is left. Where
    /// permissions differ, nothing is left to clean up, but the result is not that of the plan.
    fn of(messages: &[StatusMessage], all_made: bool) -> Self {
        let is_left =
            |m: &StatusMessage| INCOMPLETE.contains(&m.code) || m.code == Code::PermissionsDiffer;
        match all_made && !messages.iter().any(is_left) {
            true => Self::Done,
            false => Self::Partial,
        }
    }
}

/// The GPO an operation changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
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

impl ChangedGpo {
    /// The GPO as a plan leaves it.
    fn of(gpo: &GpoPlan) -> Self {
        let steps = gpo.steps.iter();
        let mut of_steps = steps.filter_map(|step| match step {
            Step::ModifyGpo { version_to, .. } => Some(*version_to),
            _ => None,
        });
        let of_basis = || gpo.basis.as_ref()?.directory_version;
        let version = of_steps.next().or_else(of_basis);
        Self {
            guid: gpo.target.guid,
            display_name: gpo.name_after().to_owned(),
            domain: gpo.target.domain.to_string(),
            version: version.unwrap_or_default().combined(),
            created: gpo.target.create,
            deleted: gpo.verb == Verb::Delete,
        }
    }
}

/// The result of an operation: the overall status and the findings, as GPMC's `GPMResult`.
#[derive(Debug, Clone, serde::Serialize)]
#[non_exhaustive]
pub struct OperationResult {
    /// 1; the form may only grow.
    pub format_version: u32,
    /// How it ended.
    pub status: OverallStatus,
    /// The ID under which the journal is kept.
    pub operation_id: String,
    /// The GPO it changed as a whole, if there is exactly one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpo: Option<ChangedGpo>,
    /// All GPOs it changed as a whole.
    pub gpos: Vec<ChangedGpo>,
    /// The findings, from planning and from applying.
    pub messages: Vec<StatusMessage>,
    /// What was done.
    pub plan: PlanSummary,
}

impl OperationResult {
    fn new(
        operation_id: &str,
        status: OverallStatus,
        gpos: Vec<ChangedGpo>,
        messages: Vec<StatusMessage>,
        steps: Vec<PlanStep>,
    ) -> Self {
        Self {
            format_version: 1,
            status,
            operation_id: operation_id.to_owned(),
            gpo: match gpos.as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            },
            gpos,
            messages,
            plan: PlanSummary { steps },
        }
    }
}

/// The steps of the plan that was applied.
#[derive(Debug, Clone, serde::Serialize)]
#[non_exhaustive]
pub struct PlanSummary {
    /// The steps, in order.
    pub steps: Vec<PlanStep>,
}

/// Where an apply keeps its journal, and how it reports progress and is cancelled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ApplyOptions {
    /// The folder of the journals; see [`Journal::default_root`].
    pub journal_root: PathBuf,
    /// Progress and cancellation.
    pub control: Control,
}

crate::setters::setters!(ApplyOptions { control: Control });

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

    /// The journals in this folder, no progress, no cancellation.
    pub fn in_folder(journal_root: impl Into<PathBuf>) -> Self {
        Self {
            journal_root: journal_root.into(),
            control: Control::default(),
        }
    }
}

/// Makes the changes of a plan. A plan without changes does nothing and has no journal.
///
/// # Errors
/// `Conflict` when something has changed since the plan was made, or while it was applied; `Denied` when the account may
/// not write; `InUse` when a client has had a file of a GPO open for longer than [`DomainWriter::with_patience`] allows;
/// `Cancelled` when the caller cancelled; after all of these the domain is unchanged. `Incomplete` when something could not be
/// rolled back; the message names the journal.
pub async fn apply(
    domain: &DomainWriter,
    plan: &Plan,
    options: &ApplyOptions,
) -> Result<OperationResult> {
    let control = &options.control;
    let domain = &PatientDomain::new(domain, control);
    let session = domain.session();
    if session.info().dns_domain != plan.domain {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "the plan is for the domain {}, and this session is in {}",
                plan.domain,
                session.info().dns_domain
            ),
        )
        .with_remedy(Remedy::ConnectToDomainOfPlan));
    }
    control.check()?;
    if let Some(fault) = plan.contradiction() {
        return Err(Error::new(
            ErrorKind::Internal,
            format!("the plan cannot be applied: {fault}"),
        ));
    }
    if plan.said_by.is_some() {
        plan.refuse_foreign_rights(session).await?;
    }
    let undone = undone::undone_by(&options.journal_root, plan)?;
    let mut execution = Execution::prepare(domain, plan, control).await?;
    if plan.changes.is_empty() {
        if let Some(operation) = undone {
            undone::record(&operation, plan);
        }
        let messages = plan.findings().cloned().collect();
        return Ok(OperationResult::new(
            &plan.operation_id,
            OverallStatus::Done,
            Vec::new(),
            messages,
            Vec::new(),
        ));
    }
    let mut journal = Journal::start(&options.journal_root, plan, execution.before())?;
    if let Err(error) = execution.save_safety_backups(&journal).await {
        // Nothing was changed, so nothing is left to undo. Found by cutting the LDAP connection at this moment: the error said that the
        // operation had failed, and the list of operations that it was unfinished.
        let _ = journal.record(&Event::RolledBack);
        return Err(error);
    }
    let result = execution.run(&mut journal).await?;
    drop(journal);
    if let Some(operation) = undone {
        undone::record(&operation, plan);
    }
    Ok(result)
}

/// Reads the state of the target; refuses a plan that was made against another state.
async fn current_state(
    domain: &DomainWriter,
    plan: &GpoPlan,
    control: &Control,
) -> Result<LiveGpo> {
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
                    first_of(&differences)
                ),
            )
            .with_hint("nothing was changed; make the plan again"));
        }
    }
    Ok(live)
}

/// How many differences an error names.
const MOST_DIFFERENCES: usize = 3;

/// The first of several differences, and how many more there are.
fn first_of(differences: &[String]) -> String {
    let shown: Vec<&str> = differences
        .iter()
        .take(MOST_DIFFERENCES)
        .map(String::as_str)
        .collect();
    let shown = shown.join("; ");
    match differences.len().saturating_sub(MOST_DIFFERENCES) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// Refuses a plan whose journal no undo would accept: one that was edited in a part of its former state that nothing else compares.
fn refuse_without_way_back(plan: &GpoPlan, before: Option<&Before>) -> Result<()> {
    let fault = plan
        .basis
        .as_ref()
        .zip(before)
        .and_then(|(basis, before)| before.fault_against(plan.verb, basis));
    // `set-status` itself takes such a number away, and is not undone.
    let odd = before
        .and_then(|before| before.flags)
        .and_then(status_flags::fault);
    if let Some(odd) = odd.filter(|_| plan.verb != Verb::SetStatus) {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "GPO \"{}\" has {odd}, so the operation could not be undone",
                printable(&plan.target.display_name)
            ),
        )
        .with_hint("nothing was changed; set its status first")
        .with_remedy(Remedy::SetStatusFirst));
    }
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

/// The end of an operation's ID, which names it too.
pub(super) fn short_id(operation_id: &str) -> &str {
    operation_id
        .rsplit_once('-')
        .map_or(operation_id, |(_, end)| end)
}

#[cfg(test)]
mod status_tests {
    use super::*;

    #[test]
    fn permissions_other_than_planned_are_not_called_done() {
        let with = |code| OverallStatus::of(&[StatusMessage::warning(code, "x")], true);
        assert_eq!(OverallStatus::of(&[], true), OverallStatus::Done);
        assert_eq!(OverallStatus::of(&[], false), OverallStatus::Partial);
        assert_eq!(with(Code::UnusedRow), OverallStatus::Done);
        assert_eq!(with(Code::PermissionsDiffer), OverallStatus::Partial);
        for code in INCOMPLETE {
            assert_eq!(with(code), OverallStatus::Partial);
        }
    }
}
