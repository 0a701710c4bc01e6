//! `gpoctl apply`

use std::path::PathBuf;

use clap::Args;

use super::connection::ConnectionArgs;
use super::hints;
use super::ui::{Ui, counted};
use super::writing::{WritingArgs, finish};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::{Journal, OperationState, list};
use crate::execute::{ApplyOptions, ChangedGpo, OperationResult, OverallStatus, apply, short_id};
use crate::local::trusted_file;
use crate::model::digest::sha256;
use crate::model::version::GpoVersion;
use crate::plan::gpo::{GpoPlan, Verb};
use crate::plan::{MAX_PLAN_BYTES, Plan};
use crate::progress::Control;
use crate::session::DomainWriter;

/// Apply a saved plan
///
/// The plan is shown and then applied without asking, exactly as it was saved; only a change of a default GPO of the domain is asked
/// about. If anything that it changes has been changed since, nothing is written and the differences are listed. The plan names
/// its domain; without a profile for that domain, give --domain and --server.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl apply change.json --dry-run\n  gpoctl apply change.json\n  gpoctl apply change.json --expect \"$(cut -d' ' -f1 change.json.sha256)\""
)]
pub(super) struct ApplyArgs {
    /// File written by --plan-out
    plan: PathBuf,

    /// Refuse the plan unless this is its SHA-256; --plan-out prints it and saves it to FILE.sha256
    #[arg(long, value_name = "SHA256")]
    expect: Option<String>,

    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Also change a default GPO without asking, as --expect does
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: ApplyArgs, ui: &Ui) -> Result<u8> {
    let bytes =
        trusted_file::read(&args.plan, "plan", MAX_PLAN_BYTES).map_err(|error| {
            match error.kind() {
                ErrorKind::NotFound => error.with_hint(
                    "save a plan with --plan-out FILE, an option of every command that changes a domain",
                ),
                _ => error,
            }
        })?;
    if let Some(expected) = &args.expect {
        let found = sha256(&bytes);
        if !found.eq_ignore_ascii_case(expected.trim()) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "{} is not the expected plan: its SHA-256 is {found}",
                    args.plan.display()
                ),
            )
            .with_hint("nothing was changed; save the plan again with --plan-out, and review it"));
        }
    }
    let plan = Plan::from_json(&bytes).map_err(|error| error.context(args.plan.display()))?;
    // A plan names its domain, which needs no option again.
    let domain = args
        .connection
        .or_domain(plan.domain.as_str())
        .connect_writer()
        .await?;
    // Whoever saved the plan has read it.
    let writing = WritingArgs {
        dry_run: args.dry_run,
        plan_out: None,
        yes: true,
        accept_permissions: true,
        // It was saved without an answer to this.
        accept_default_gpos: Some(args.yes || args.expect.is_some()),
    };
    finish(&domain, plan, &writing, &ui.control(), ui).await
}

/// Applies a plan and shows the result.
pub(super) async fn execute(
    domain: &DomainWriter,
    plan: &Plan,
    control: &Control,
    ui: &Ui,
) -> Result<u8> {
    let options = ApplyOptions {
        journal_root: Journal::default_root()?,
        control: control.clone(),
    };
    let mut result = apply(domain, plan, &options)
        .await
        .map_err(|error| applied_already(error, plan, &options))?;
    hints::complete_result(&mut result);
    if ui.is_json() {
        ui.json(&result)?;
    } else {
        for message in result
            .messages
            .iter()
            .filter(|message| !plan.findings().any(|known| known == *message))
        {
            ui.message(message);
        }
        ui.say(&done(plan, &result)?);
    }
    Ok(match result.status {
        OverallStatus::Done => 0,
        OverallStatus::Failed => 1,
        OverallStatus::Partial => ErrorKind::Incomplete.exit_status(),
    })
}

/// The error with the cause of a conflict that the plan itself made: it was applied before.
fn applied_already(error: Error, plan: &Plan, options: &ApplyOptions) -> Error {
    let is_done = || {
        let operations = list(&options.journal_root).unwrap_or_default();
        let mut operations = operations.into_iter();
        operations
            .find(|one| one.id == plan.operation_id)
            .is_some_and(|one| matches!(one.state, OperationState::Done | OperationState::LeftOver))
    };
    if error.kind() != ErrorKind::Conflict || !is_done() {
        return error;
    }
    let id = short_id(&plan.operation_id);
    error.with_hint(format!(
        "nothing was changed; operation {id} has applied this plan (gpoctl operations show {id}): to do the same once more, make the plan again"
    ))
}

/// What was done, in one sentence.
fn done(plan: &Plan, result: &OperationResult) -> Result<String> {
    if plan.changes.is_empty() {
        return Ok(match plan.undoes.is_some() && !plan.messages.is_empty() {
            true => "nothing was changed: what the operation changed is not put back",
            false => "nothing to do: already as requested",
        }
        .to_owned());
    }
    let hint = undo_hint(&result.operation_id);
    Ok(match (plan.gpo(), &result.gpo) {
        (Some(planned), Some(gpo)) => format!("{} ({hint})", done_with(planned, gpo)?),
        _ if result.status == OverallStatus::Done => format!("done: {} ({hint})", plan.title),
        _ => format!("partly done: {} ({hint})", plan.title),
    })
}

/// What was done with a GPO.
fn done_with(plan: &GpoPlan, gpo: &ChangedGpo) -> Result<String> {
    let what = match plan.verb {
        Verb::Create | Verb::Copy => "created GPO",
        Verb::Import if gpo.created => "created GPO",
        Verb::Restore if gpo.created => "recreated GPO",
        Verb::Delete => "deleted GPO",
        Verb::Rename => "renamed GPO to",
        Verb::Import | Verb::Restore | Verb::SetStatus => "changed GPO",
    };
    let content = match plan.verb {
        Verb::Delete | Verb::Rename | Verb::SetStatus => String::new(),
        _ => {
            let version = GpoVersion::from_combined(gpo.version);
            format!(
                ": {}, version {}",
                counted(plan.new_tree()?.files().count(), "file"),
                version.in_words()
            )
        }
    };
    Ok(format!(
        "{what} \"{}\" {}{content}",
        gpo.display_name, gpo.guid
    ))
}

/// How an operation is taken back: `undo: gpoctl operations undo c358846f`. The last part of an ID is enough to find it.
fn undo_hint(operation_id: &str) -> String {
    let short = operation_id
        .rsplit_once('-')
        .map_or(operation_id, |(_, last)| last);
    format!("undo: gpoctl operations undo {short}")
}
