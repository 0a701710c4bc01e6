//! `gpoctl operations`

mod prune;

use clap::{Args, Subcommand};

use super::connection::ConnectionArgs;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::{Journal, OperationState, StoredOperation, find, list};
use crate::execute::{ApplyOptions, OperationResult, clean_up, is_superseded, roll_back};
use crate::message::StatusMessage;
use crate::operations::undo::{Undoing, new_grants, plan};
use crate::plan::Plan;

/// List, undo and clean up earlier operations
///
/// Every command that changes a domain keeps a journal on this computer, for the user who ran it, with a backup of the GPO as
/// it was before. The journals are in $XDG_STATE_HOME/gpoctl/operations, or ~/.local/state/gpoctl/operations.
#[derive(Debug, Subcommand)]
pub(super) enum OperationsCommand {
    List(ListArgs),
    Show(ShowArgs),
    Undo(UndoArgs),
    #[command(alias = "resume")]
    Cleanup(CleanupArgs),
    Prune(prune::PruneArgs),
}

/// List earlier operations, newest first
///
/// States: done; undone (in part, if something was not put back); failed (stopped or failed, and rolled back); unfinished (interrupted: use undo to roll it back);
/// left-over (done, but old files are left: use cleanup); superseded (interrupted, and closed because others have changed the
/// same since); running; unreadable.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl operations list\n  gpoctl operations list --json | jq -r '.operations[].id'"
)]
pub(super) struct ListArgs {
    /// Only operations that need undo or cleanup
    #[arg(long)]
    open: bool,
}

/// Show the plan, the outcome and the backup of an operation
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl operations show 1f2e3d4c\n  gpoctl operations show 20260131T120000.250Z-1f2e3d4c --json"
)]
pub(super) struct ShowArgs {
    /// ID of the operation, or a unique beginning or end of it
    id: String,
}

/// Undo an operation
///
/// An interrupted operation is rolled back, and its staged files are removed. For a completed one, a new plan is shown: after an
/// import or a restore, it restores the backup in the journal; it deletes a GPO that was created, and restores one that was
/// deleted. If the GPO has been changed since, nothing is undone.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl operations undo 1f2e3d4c --dry-run\n  gpoctl operations undo 20260131T120000.250Z-1f2e3d4c --yes"
)]
pub(super) struct UndoArgs {
    /// ID of the operation, or a unique beginning or end of it
    id: String,

    /// Grant permissions also to accounts that do not administer the domain and did not have them before the operation
    #[arg(long)]
    accept_permissions: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Remove files that a completed operation left behind
///
/// Removes the replaced files that the operation could not remove, or had no time to remove; clients never see them. For an
/// operation that was interrupted before the new settings took effect, use undo. If that cannot roll it back, because a later
/// operation or somebody else has changed the same since, cleanup closes it: what is there now is left unchanged.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl operations cleanup 1f2e3d4c\n  gpoctl operations cleanup 20260131T120000.250Z-1f2e3d4c --yes"
)]
pub(super) struct CleanupArgs {
    /// ID of the operation, or a unique beginning or end of it
    id: String,

    /// Clean up without asking
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(command: OperationsCommand, ui: &Ui) -> Result<u8> {
    match command {
        OperationsCommand::List(args) => run_list(&args, ui),
        OperationsCommand::Show(args) => run_show(&args, ui),
        OperationsCommand::Undo(args) => run_undo(args, ui).await,
        OperationsCommand::Cleanup(args) => run_cleanup(args, ui).await,
        OperationsCommand::Prune(args) => prune::run(&args, ui),
    }
}

fn run_list(args: &ListArgs, ui: &Ui) -> Result<u8> {
    let mut operations = list(&Journal::default_root()?)?;
    if args.open {
        operations.retain(|operation| {
            matches!(
                operation.state,
                OperationState::Unfinished | OperationState::LeftOver
            )
        });
    }
    if ui.is_json() {
        let operations: Vec<serde_json::Value> = operations.iter().map(summary).collect();
        ui.json(&serde_json::json!({ "format_version": 1, "operations": operations }))?;
        return Ok(0);
    }
    if operations.is_empty() {
        ui.say(match args.open {
            true => "no operation needs undo or cleanup",
            false => "no operations",
        });
        return Ok(0);
    }
    let rows = operations
        .iter()
        .map(|operation| {
            vec![
                shown_id(ui, operation),
                state(operation),
                subject(operation),
                operation
                    .domain
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            ]
        })
        .collect();
    ui.table(&["ID", "STATE", "WHAT", "DOMAIN"], rows);
    Ok(0)
}

/// On a terminal of fewer columns than this, whole IDs would leave no room for what was done.
const WIDE: u16 = 100;

/// The ID of an operation for a table: on a narrow terminal its last part, which names it too.
fn shown_id(ui: &Ui, operation: &StoredOperation) -> String {
    let short = !ui.is_verbose() && ui.width().is_some_and(|width| width < WIDE);
    match operation.id.rsplit_once('-') {
        Some((_, last)) if short => last.to_owned(),
        _ => operation.id.clone(),
    }
}

/// The state of an operation in a table.
fn state(operation: &StoredOperation) -> String {
    let part = if operation.undone_in_part {
        " in part"
    } else {
        ""
    };
    format!("{}{part}", operation.state.as_str())
}

/// What an operation did, in a few words: `import "Workstation Security"`.
fn subject(operation: &StoredOperation) -> String {
    match &operation.gpo {
        // Its title names what was undone, and the GPO of that.
        Some(gpo) if operation.undoes.is_none() => {
            format!("{} \"{}\"", operation.what, gpo.display_name)
        }
        _ => operation.what.clone(),
    }
}

/// The fields of an operation in every JSON list.
fn summary(operation: &StoredOperation) -> serde_json::Value {
    serde_json::json!({
        "id": operation.id,
        "state": operation.state,
        "time": operation.time,
        "verb": if operation.undoes.is_some() { "undo" } else { &operation.what },
        "gpo": operation.gpo,
        "domain": operation.domain,
        "reason": operation.reason,
        "undone_by": operation.undone_by,
        "undoes": operation.undoes,
        "undone_in_part": operation.undone_in_part,
        "folder": operation.folder,
        "safety_backup": operation.safety_backup,
    })
}

fn run_show(args: &ShowArgs, ui: &Ui) -> Result<u8> {
    let operation = find(&Journal::default_root()?, &args.id)?;
    let stored = operation.plan();
    if ui.is_json() {
        let mut shown = summary(&operation);
        let plan = stored.as_ref().ok();
        let steps = plan.map(Plan::steps);
        let messages: Vec<&StatusMessage> = plan.into_iter().flat_map(Plan::findings).collect();
        let changes: Vec<_> = operation.changes.iter().map(|(_, it)| it).collect();
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("format_version".to_owned(), 1.into());
            fields.insert("plan".to_owned(), serde_json::json!({ "steps": steps }));
            fields.insert("messages".to_owned(), serde_json::json!(messages));
            fields.insert("changes".to_owned(), serde_json::json!(changes));
        }
        ui.json(&shown)?;
        return Ok(0);
    }
    match &stored {
        Ok(plan) => super::plan::show(ui, plan),
        Err(error) => ui.error(error),
    }
    ui.heading("Operation");
    let mut rows = vec![
        vec!["state".to_owned(), state(&operation)],
        vec!["time".to_owned(), operation.time.clone()],
        vec!["journal".to_owned(), operation.folder.display().to_string()],
    ];
    if let Some(backup) = &operation.safety_backup {
        rows.push(vec![
            "backup before".to_owned(),
            backup.display().to_string(),
        ]);
    }
    if let Some(by) = &operation.undone_by {
        rows.push(vec!["undone by".to_owned(), by.clone()]);
    }
    if let Some(reason) = &operation.reason {
        rows.push(vec!["reason".to_owned(), reason.clone()]);
    }
    ui.table(&["", ""], rows);
    Ok(0)
}

async fn run_undo(args: UndoArgs, ui: &Ui) -> Result<u8> {
    let operation = find(&Journal::default_root()?, &args.id)?;
    operation.refuse_unreadable()?;
    let domain = connection(args.connection, &operation)
        .connect_writer()
        .await?;
    let session = domain.session();
    let control = ui.control();
    match plan(session, &operation, &control).await? {
        Undoing::Plan(plan) => {
            // Nobody is asked about permissions that were there before the operation.
            let new = new_grants(&operation, &plan, session.info().administrators())?;
            let writing = WritingArgs {
                accept_permissions: args.accept_permissions || new.is_empty(),
                ..args.writing.clone()
            };
            finish(&domain, *plan, &writing, &control, ui).await
        }
        Undoing::RollBack(parts) => {
            if !ui.is_json() {
                ui.heading(&format!("Undo {}: {}", operation.id, operation.what));
                for part in &parts {
                    ui.line(&format!("  {part}"));
                }
            }
            args.writing.save(ui, || {
                Err(Error::new(
                    ErrorKind::Usage,
                    "an interrupted operation is rolled back directly, so there is no plan to save",
                )
                .with_hint("see what would be rolled back with --dry-run, then use --yes"))
            })?;
            if args.writing.only_shows() {
                if ui.is_json() {
                    ui.json(&serde_json::json!({
                        "format_version": 1,
                        "status": "done",
                        "operation_id": operation.id,
                        "dry_run": true,
                        "gpo": operation.gpo,
                        "messages": [],
                        "plan": { "steps": parts },
                    }))?;
                } else {
                    ui.say("nothing was changed");
                }
                return Ok(0);
            }
            let done = operation.plan()?;
            args.writing
                .confirm_default_gpos(&done, ui, &control)
                .await?;
            let question = format!("Roll back operation {}?", operation.id);
            args.writing.confirm(&question, ui, &control).await?;
            let options = ApplyOptions {
                control,
                ..ApplyOptions::new()?
            };
            let result = roll_back(&domain, &operation, &options).await?;
            show_result(&result, "rolled back", ui)
        }
    }
}

async fn run_cleanup(args: CleanupArgs, ui: &Ui) -> Result<u8> {
    let operation = find(&Journal::default_root()?, &args.id)?;
    operation.refuse_unreadable()?;
    // Without anything to clean up, it is refused below.
    let closes = operation.state == OperationState::Unfinished && is_superseded(&operation)?;
    if !args.yes && (closes || operation.state == OperationState::LeftOver) {
        let (id, subject) = (&operation.id, subject(&operation));
        let question = if closes {
            format!(
                "Close operation {id} ({subject}), keep what others have changed since, and remove the files that it left behind?"
            )
        } else {
            format!("Remove the files that operation {id} ({subject}) left behind?")
        };
        match ui.ask(&question) {
            Some(true) => {}
            Some(false) => return Err(Error::new(ErrorKind::Cancelled, "nothing was removed")),
            None => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "not a terminal, so the removal cannot be confirmed",
                )
                .with_hint("use --yes"));
            }
        }
    }
    let domain = connection(args.connection, &operation)
        .connect_writer()
        .await?;
    let result = clean_up(&domain, &operation, &ui.control()).await?;
    show_result(&result, "cleaned up", ui)
}

/// The connection of the operation's domain, unless another is given.
fn connection(connection: ConnectionArgs, operation: &StoredOperation) -> ConnectionArgs {
    match &operation.domain {
        Some(domain) => connection.or_domain(domain.as_str()),
        None => connection,
    }
}

fn show_result(result: &OperationResult, what: &str, ui: &Ui) -> Result<u8> {
    if ui.is_json() {
        ui.json(result)?;
    } else {
        for message in &result.messages {
            ui.message(message);
        }
        match &result.gpo {
            Some(gpo) => ui.say(&format!(
                "{what}: GPO \"{}\" {}",
                gpo.display_name, gpo.guid
            )),
            None => ui.say(&format!("{what}: operation {}", result.operation_id)),
        }
    }
    Ok(0)
}
