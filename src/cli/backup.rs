//! `gpoctl backup`

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::backups::shown_guid;
use super::connection::ConnectionArgs;
use super::ui::{Ui, counted, error_json};
use crate::error::{Error, ErrorKind, Result};
use crate::operations::backup::{BackedUp, Selection, backup};

/// Save GPOs of a domain to a folder, in GPMC's backup format
///
/// A backup of a GPO that the account may not read completely is partial: each attribute, object and file that could not be read is
/// reported, and the exit status is 3.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").args(["gpos", "all"]).required(true),
    after_help = "Examples:\n  gpoctl backup \"Workstation Security\" --to /backups --domain corp.example\n  gpoctl backup --all --to /backups --comment nightly --domain corp.example"
)]
pub(super) struct BackupArgs {
    /// Display names, GUIDs, or unique GUID prefixes
    #[arg(value_name = "GPO")]
    gpos: Vec<String>,

    /// Every GPO of the domain
    #[arg(long)]
    all: bool,

    /// Folder for the backups; it may already contain others
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// Comment stored in each backup, at most 2047 characters
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
    let mut unknown = Vec::new();
    let selection = if args.all {
        Selection::All
    } else {
        let mut gpos = Vec::new();
        for name in &args.gpos {
            match session.directory().find_gpo(name).await {
                Ok(gpo) => gpos.push(gpo),
                // A name that matches no GPO, or several, does not keep the others from being saved.
                Err(error) if is_of_the_name(&error) => unknown.push((name.clone(), error)),
                Err(error) => return Err(error),
            }
        }
        if args.gpos.len() == 1
            && let Some((_, error)) = unknown.pop()
        {
            return Err(error);
        }
        // A GPO that was named twice is saved once.
        gpos.sort_by_key(|gpo| gpo.guid);
        gpos.dedup_by_key(|gpo| gpo.guid);
        Selection::Gpos(gpos)
    };
    let control = ui.control();
    let mut results = match &selection {
        Selection::Gpos(gpos) if gpos.is_empty() => Vec::new(),
        _ => backup(&session, &selection, &args.to, &args.comment, &control).await?,
    };
    results.extend(unknown.into_iter().map(|(name, error)| BackedUp {
        guid: None,
        display_name: name,
        outcome: Err(error),
        partial: false,
        messages: Vec::new(),
    }));
    let failed = results
        .iter()
        .filter(|result| result.outcome.is_err())
        .count();
    let partial = results
        .iter()
        .filter(|result| result.outcome.is_ok() && result.partial)
        .count();
    let cancelled = results.iter().any(
        |result| matches!(&result.outcome, Err(error) if error.kind() == ErrorKind::Cancelled),
    );
    // A backup that was written but could not be added to manifest.xml exists.
    let left = results.iter().any(
        |result| matches!(&result.outcome, Err(error) if error.kind() == ErrorKind::Incomplete),
    );
    let status = match (failed, cancelled) {
        (0, _) if partial == 0 => 0,
        (0, _) => 3,
        (_, _) if left || failed < results.len() => 3,
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
                Ok(info) => ui.line(&format!("{}  {}", shown_guid(info.id), result.display_name)),
                // The summary counts them.
                Err(error) if error.kind() == ErrorKind::Cancelled => {}
                Err(error) => {
                    let text =
                        format!("GPO \"{}\" was not backed up: {error}", result.display_name);
                    let candidates = error.candidates().iter().cloned();
                    ui.error(&Error::new(error.kind(), text).with_candidates(candidates));
                }
            }
            for message in &result.messages {
                ui.message(message);
            }
        }
        let stopped = results
            .iter()
            .filter(|result| matches!(&result.outcome, Err(error) if error.kind() == ErrorKind::Cancelled))
            .count();
        let counts = (results.len(), partial, failed - stopped, stopped);
        let summary = summary(&args.to.display().to_string(), counts);
        ui.say(&summary);
    }
    Ok(status)
}

/// How many GPOs there are, and how many of them were saved in part, failed, or were not saved because of an interrupt.
fn summary(folder: &str, (all, partial, failed, stopped): (usize, usize, usize, usize)) -> String {
    let saved = all.saturating_sub(failed + stopped);
    let mut summary = format!("{saved} of {} saved in {folder}", counted(all, "GPO"));
    for (count, word) in [
        (partial, "partial"),
        (failed, "failed"),
        (stopped, "not saved because of the interrupt"),
    ] {
        if count > 0 {
            summary.push_str(&format!(", {count} {word}"));
        }
    }
    summary
}

/// Whether an error concerns only the GPO that was named, so that the others can be saved.
fn is_of_the_name(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::BadDirectory | ErrorKind::Denied
    )
}

fn as_json(result: &BackedUp) -> serde_json::Value {
    match &result.outcome {
        Ok(info) => serde_json::json!({
            "status": if result.partial { "partial" } else { "done" },
            "gpo_guid": result.guid,
            "display_name": result.display_name,
            "id": info.id,
            "path": info.path,
            "backup_time": info.backup_time,
            "messages": result.messages,
        }),
        Err(error) => serde_json::json!({
            "status": "failed",
            "gpo_guid": result.guid,
            "display_name": result.display_name,
            "error": error_json(error),
            "messages": result.messages,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_what_became_of_all() {
        assert_eq!(summary("b", (3, 0, 0, 0)), "3 of 3 GPOs saved in b");
        assert_eq!(summary("b", (1, 0, 0, 0)), "1 of 1 GPO saved in b");
        // Some of the stopped ones had been begun; the summary does not distinguish them.
        assert_eq!(
            summary("b", (9, 1, 2, 3)),
            "4 of 9 GPOs saved in b, 1 partial, 2 failed, 3 not saved because of the interrupt"
        );
    }
}
