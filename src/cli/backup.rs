//! `gpoctl backup`

use std::path::PathBuf;

use clap::Args;

use super::backups::shown_guid;
use super::connection::ConnectionArgs;
use super::ui::Ui;
use crate::error::{ErrorKind, Result};
use crate::operations::backup::{BackedUp, backup};

/// Save GPOs of a domain into a folder, in GPMC's backup format
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backup \"Workstation Security\" --domain corp.example --to /backups\n  gpoctl backup --all --domain corp.example --to /backups --comment nightly"
)]
pub(super) struct BackupArgs {
    /// Display names, GUIDs, or unambiguous beginnings of GUIDs
    #[arg(
        required_unless_present = "all",
        conflicts_with = "all",
        value_name = "GPO"
    )]
    gpos: Vec<String>,

    /// Every GPO of the domain
    #[arg(long)]
    all: bool,

    /// Folder for the backups; it may hold others
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// Comment to keep in each backup, at most 2047 characters
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    comment: String,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: BackupArgs, ui: &Ui) -> Result<u8> {
    let session = args.connection.connect().await?;
    let gpos = if args.all {
        session.directory().gpos().await?
    } else {
        let mut gpos = Vec::new();
        for name in &args.gpos {
            gpos.push(session.directory().find_gpo(name).await?);
        }
        gpos
    };
    let control = ui.control();
    let results = backup(&session, gpos, &args.to, &args.comment, &control).await;
    let failed = results
        .iter()
        .filter(|result| result.outcome.is_err())
        .count();
    let cancelled = results.iter().any(
        |result| matches!(&result.outcome, Err(error) if error.kind() == ErrorKind::Cancelled),
    );
    let status = match (failed, cancelled) {
        (0, _) => 0,
        (_, _) if failed < results.len() => 3,
        (_, true) => 130,
        (_, false) => 1,
    };
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": match status { 0 => "done", 3 => "partial", _ => "failed" },
            "backups": results.iter().map(as_json).collect::<Vec<_>>(),
        }))?;
    } else {
        for result in &results {
            match &result.outcome {
                Ok(info) => ui.line(&format!(
                    "{}  {}",
                    shown_guid(info.id),
                    result.gpo.display_name
                )),
                Err(error) => ui.error(&crate::error::Error::new(
                    error.kind(),
                    format!(
                        "GPO \"{}\" was not backed up: {error}",
                        result.gpo.display_name
                    ),
                )),
            }
            for message in &result.messages {
                ui.message(message);
            }
        }
        ui.say(&format!(
            "{} of {} GPOs saved in {}",
            results.len() - failed,
            results.len(),
            args.to.display()
        ));
    }
    Ok(status)
}

fn as_json(result: &BackedUp) -> serde_json::Value {
    match &result.outcome {
        Ok(info) => serde_json::json!({
            "status": "done",
            "gpo_guid": result.gpo.guid,
            "display_name": result.gpo.display_name,
            "id": info.id,
            "path": info.path,
            "backup_time": info.backup_time,
            "messages": result.messages,
        }),
        Err(error) => serde_json::json!({
            "status": "failed",
            "gpo_guid": result.gpo.guid,
            "display_name": result.gpo.display_name,
            "error": { "kind": error.kind(), "message": error.to_string(), "hint": error.hint() },
            "messages": result.messages,
        }),
    }
}
