//! `gpoctl backups delete` and `gpoctl backups prune`

use std::path::{Path, PathBuf};

use clap::Args;

use super::shown_guid;
use crate::backup::{BackupInfo, BackupListEntry, PruneDecision};
use crate::cli::keep::{self, KeepArgs};
use crate::cli::ui::{Ui, counted, error_json};
use crate::error::{Error, ErrorKind, Result};

/// Delete backups from a folder
///
/// A folder is deleted only if it contains nothing but the backup; manifest.xml is updated. If the folder no longer exists, only
/// the entry in manifest.xml is deleted.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backups delete /backups 7f2de5d7\n  gpoctl backups delete /backups '{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' \\\n      --yes"
)]
pub(in crate::cli) struct DeleteArgs {
    /// Folder of backups
    dir: PathBuf,

    /// IDs, ID prefixes of at least four characters, or paths of {ID} folders
    #[arg(required = true, value_name = "BACKUP")]
    backups: Vec<String>,

    /// Delete without asking
    #[arg(short, long)]
    yes: bool,
}

/// Delete old backups by rule
///
/// The rules are those of restic, applied to each GPO separately. A backup is kept if any rule keeps it. A rule that finds fewer
/// than N backups to keep also keeps the oldest one. Incomplete and damaged backups, and those of an unknown GPO or time, are
/// never deleted and do not count.
#[derive(Debug, Args)]
#[command(
    override_usage = "gpoctl backups prune [OPTIONS] --keep-... <N> <DIR>",
    after_help = "Examples:\n  gpoctl backups prune /backups --keep-daily 14 --keep-monthly 12 --dry-run\n  gpoctl backups prune /backups --keep-last 3 --yes"
)]
pub(in crate::cli) struct PruneArgs {
    /// Folder of backups
    dir: PathBuf,

    #[command(flatten)]
    keep: KeepArgs,

    /// List what would be kept and deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,

    /// Delete without asking
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn delete(args: &DeleteArgs, ui: &Ui) -> Result<u8> {
    let mut found = Vec::new();
    for spec in &args.backups {
        found.push(crate::backup::find_by_id(spec, &args.dir)?);
    }
    found.sort_by(|a, b| a.info.path.cmp(&b.info.path));
    found.dedup_by(|a, b| a.info.path == b.info.path);
    if !args.yes {
        for entry in &found {
            ui.say(&shown(&entry.info));
        }
        confirm(&format!("Delete {}?", counted(found.len(), "backup")), ui)?;
    }
    let outcome = Outcome::remove(&args.dir, found);
    if ui.is_json() {
        ui.json(&outcome.json())?;
    } else {
        outcome.show(ui);
    }
    Ok(outcome.status())
}

pub(super) fn prune(args: &PruneArgs, ui: &Ui) -> Result<u8> {
    let entries = crate::backup::list(&args.dir)?;
    if entries.is_empty() {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no backup in {}", args.dir.display()),
        ));
    }
    let decisions = crate::backup::decide_pruning(entries, &args.keep.retention());
    let (removed, kept): (Vec<PruneDecision>, Vec<PruneDecision>) = decisions
        .iter()
        .cloned()
        .partition(PruneDecision::is_removed);
    if !ui.is_json() {
        show(&decisions, ui);
    }
    let asks = !args.dry_run && !args.yes && !removed.is_empty();
    if asks {
        confirm(&format!("Remove {}?", counted(removed.len(), "backup")), ui)?;
    }
    let entries: Vec<BackupListEntry> = removed.into_iter().map(|one| one.entry).collect();
    let outcome = match args.dry_run {
        true => Outcome::planned(&entries),
        false => Outcome::remove(&args.dir, entries),
    };
    if ui.is_json() {
        let mut document = outcome.json();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("dry_run".to_owned(), args.dry_run.into());
            fields.insert("kept".to_owned(), serde_json::json!(kept));
        }
        ui.json(&document)?;
    } else if args.dry_run {
        ui.say(&format!(
            "{} would be deleted, {} kept; nothing was deleted",
            counted(outcome.removed.len(), "backup"),
            kept.len()
        ));
    } else {
        outcome.show(ui);
    }
    Ok(outcome.status())
}

/// What becomes of each backup, by GPO and then by time.
fn show(decisions: &[PruneDecision], ui: &Ui) {
    let mut sorted: Vec<&PruneDecision> = decisions.iter().collect();
    sorted.sort_by_cached_key(|one| {
        let info = &one.entry.info;
        let name = info.display_name.to_lowercase();
        (name, info.gpo_guid, info.backup_time.clone())
    });
    let rows = sorted
        .into_iter()
        .map(|one| {
            let [action, reasons] = keep::shown(&one.keep);
            vec![
                one.entry.info.display_name.clone(),
                one.entry.info.backup_time.clone(),
                action,
                reasons,
                super::short_id(ui, one.entry.info.id),
            ]
        })
        .collect();
    ui.table(&["GPO", "TIME (UTC)", "ACTION", "REASON", "ID"], rows);
}

/// A backup by what a person decides by: its GPO and its time.
fn shown(info: &BackupInfo) -> String {
    format!(
        "\"{}\" of {}, {}  {}",
        info.display_name,
        info.domain,
        info.backup_time,
        shown_guid(info.id)
    )
}

fn confirm(question: &str, ui: &Ui) -> Result<()> {
    match ui.ask(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::new(ErrorKind::Cancelled, "nothing was deleted")),
        None => Err(Error::new(
            ErrorKind::Usage,
            "not a terminal, so the deletion cannot be confirmed",
        )
        .with_hint("use --yes")),
    }
}

/// What became of backups that were to be removed.
struct Outcome {
    removed: Vec<BackupInfo>,
    failures: Vec<Error>,
}

impl Outcome {
    /// As if all of them had been removed.
    fn planned(entries: &[BackupListEntry]) -> Self {
        Self {
            removed: entries.iter().map(|entry| entry.info.clone()).collect(),
            failures: Vec::new(),
        }
    }

    fn remove(dir: &Path, entries: Vec<BackupListEntry>) -> Self {
        let mut outcome = Self::planned(&[]);
        for entry in entries {
            let removed = match entry.info.id {
                Some(id) if !entry.present => crate::backup::forget(dir, id).map(|()| entry.info),
                _ => crate::backup::delete(&entry.info.path),
            };
            match removed {
                Ok(info) => outcome.removed.push(info),
                Err(error) => outcome.failures.push(error),
            }
        }
        outcome
    }

    fn status(&self) -> u8 {
        let partly = self
            .failures
            .iter()
            .any(|error| error.kind() == ErrorKind::Incomplete);
        match (self.failures.is_empty(), self.removed.is_empty() && !partly) {
            (true, _) => 0,
            (false, false) => 3,
            (false, true) => 1,
        }
    }

    fn json(&self) -> serde_json::Value {
        let errors: Vec<serde_json::Value> = self.failures.iter().map(error_json).collect();
        serde_json::json!({
            "format_version": 1,
            "status": match self.status() { 0 => "done", 3 => "partial", _ => "failed" },
            "removed": self.removed,
            "errors": errors,
        })
    }

    fn show(&self, ui: &Ui) {
        for info in &self.removed {
            ui.line(&format!("deleted {}", shown(info)));
        }
        for error in &self.failures {
            ui.error(error);
        }
        ui.say(&format!(
            "deleted {}",
            counted(self.removed.len(), "backup")
        ));
    }
}
