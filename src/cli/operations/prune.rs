//! `gpoctl operations prune`

use clap::Args;

use crate::cli::keep::{self, KeepArgs};
use crate::cli::ui::{Ui, counted, error_json};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::{Journal, decide, list, remove, remove_leftovers};

/// Delete the journals of old operations
///
/// Each journal contains a backup of the GPO as it was before, secrets included. An operation without a journal cannot be
/// undone. Operations that are unfinished, running or have left files to clean up are never deleted and do not count. The
/// rules are those of restic; an operation is kept if any rule keeps it.
#[derive(Debug, Args)]
#[command(
    override_usage = "gpoctl operations prune [OPTIONS] --keep-... <N>",
    after_help = "Examples:\n  gpoctl operations prune --keep-last 50 --dry-run\n  gpoctl operations prune --keep-daily 30 --keep-monthly 12 --yes"
)]
pub(in crate::cli) struct PruneArgs {
    #[command(flatten)]
    keep: KeepArgs,

    /// List what would be kept and deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,

    /// Delete without asking
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(args: &PruneArgs, ui: &Ui) -> Result<u8> {
    let root = Journal::default_root()?;
    let decisions = decide(list(&root)?, &args.keep.retention());
    let (kept, removed): (Vec<_>, Vec<_>) =
        decisions.iter().partition(|(_, keep)| !keep.is_empty());
    if !ui.is_json() {
        let rows = decisions
            .iter()
            .map(|(operation, keep)| {
                let [action, reasons] = keep::shown(keep);
                vec![
                    super::shown_id(ui, operation),
                    operation.state.as_str().to_owned(),
                    super::subject(operation),
                    action,
                    reasons,
                ]
            })
            .collect();
        ui.table(&["ID", "STATE", "WHAT", "ACTION", "REASON"], rows);
    }
    if !args.dry_run && !args.yes && !removed.is_empty() {
        let question = format!(
            "Delete {}? Without its journal, an operation cannot be undone.",
            counted(removed.len(), "journal")
        );
        match ui.ask(&question) {
            Some(true) => {}
            Some(false) => return Err(Error::new(ErrorKind::Cancelled, "nothing was deleted")),
            None => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "not a terminal, so the deletion cannot be confirmed",
                )
                .with_hint("use --yes"));
            }
        }
    }
    let mut gone = Vec::new();
    let mut failures = Vec::new();
    if !args.dry_run {
        remove_leftovers(&root)?;
    }
    for (operation, _) in &removed {
        let outcome = match args.dry_run {
            true => Ok(()),
            false => remove(operation),
        };
        match outcome {
            Ok(()) => gone.push(super::summary(operation)),
            Err(error) => failures.push(error),
        }
    }
    let status = match (failures.is_empty(), gone.is_empty()) {
        (true, _) => 0,
        (false, false) => 3,
        (false, true) => 1,
    };
    if ui.is_json() {
        let kept: Vec<serde_json::Value> = kept
            .iter()
            .map(|(operation, keep)| {
                let mut value = super::summary(operation);
                if let Some(fields) = value.as_object_mut() {
                    fields.insert("keep".to_owned(), serde_json::json!(keep));
                }
                value
            })
            .collect();
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": match status { 0 => "done", 3 => "partial", _ => "failed" },
            "dry_run": args.dry_run,
            "kept": kept,
            "removed": gone,
            "errors": failures.iter().map(error_json).collect::<Vec<_>>(),
        }))?;
        return Ok(status);
    }
    for error in &failures {
        ui.error(error);
    }
    ui.say(&match args.dry_run {
        true => format!(
            "{} would be deleted, {} kept; nothing was deleted",
            counted(gone.len(), "journal"),
            kept.len()
        ),
        false => format!("deleted {}", counted(gone.len(), "journal")),
    });
    Ok(status)
}
