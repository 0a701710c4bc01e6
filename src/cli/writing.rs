//! What every command that writes to a domain has: dry run, saved plan, question, apply.

use std::path::{Path, PathBuf};

use clap::Args;

use super::ui::Ui;
use crate::backup::StoredBackup;
use crate::backup::folder::{Folder, PRIVATE_FILE};
use crate::error::{Error, ErrorKind, Result};
use crate::operations::plan::Plan;
use crate::operations::progress::Control;
use crate::session::DomainSession;

/// What every writing command has.
#[derive(Debug, Clone, Args)]
pub(super) struct WritingArgs {
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Save the plan to FILE and change nothing; gpoctl apply FILE applies it
    #[arg(long, value_name = "FILE")]
    plan_out: Option<PathBuf>,

    /// Apply the plan without asking
    #[arg(short, long)]
    pub(super) yes: bool,
}

impl WritingArgs {
    /// Whether the plan is shown or saved, and nothing else.
    pub(super) fn only_shows(&self) -> bool {
        self.dry_run || self.plan_out.is_some()
    }

    /// The file the plan is saved to.
    pub(super) fn plan_file(&self) -> Option<&Path> {
        self.plan_out.as_deref()
    }

    /// Saves the plan, if that is wanted.
    pub(super) fn save(&self, json: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        match &self.plan_out {
            Some(file) => save_plan(&json()?, file),
            None => Ok(()),
        }
    }

    /// What is said at the end when the plan was only shown or saved.
    pub(super) fn nothing_changed(&self) -> String {
        match &self.plan_out {
            Some(file) => format!(
                "nothing was changed; to apply the plan, run: gpoctl apply {}",
                shell_word(&file.display().to_string())
            ),
            None => "nothing was changed".to_owned(),
        }
    }

    /// Asks whether to do what was shown, unless `--yes` answers that already.
    ///
    /// # Errors
    /// `Cancelled` for a no, `Usage` when there is no terminal to ask on.
    pub(super) async fn confirm(&self, question: &str, ui: &Ui, control: &Control) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        match ui.ask_or_stop(question, control).await {
            Some(true) => Ok(()),
            Some(false) => Err(Error::new(ErrorKind::Cancelled, "nothing was changed")),
            None => Err(Error::new(
                ErrorKind::Usage,
                "not a terminal, so the plan cannot be confirmed",
            )
            .with_hint("use --yes, or save the plan with --plan-out and run gpoctl apply")),
        }
    }
}

/// A backup to read.
#[derive(Debug, Clone, Args)]
pub(super) struct BackupArg {
    /// The backup's own {ID} folder; with --backup-dir also its ID, a unique ID prefix, or the name of its GPO
    backup: String,

    /// Folder of backups to look in; of several backups of one GPO the newest is used
    #[arg(long, value_name = "DIR")]
    backup_dir: Option<PathBuf>,
}

impl BackupArg {
    /// Reads the backup.
    pub(super) async fn read(&self) -> Result<StoredBackup> {
        read_backup(self.backup.clone(), self.backup_dir.clone()).await
    }
}

/// Reads a backup, off the runtime's threads.
pub(super) async fn read_backup(spec: String, folder: Option<PathBuf>) -> Result<StoredBackup> {
    tokio::task::spawn_blocking(move || {
        let path = crate::backup::resolve(&spec, folder.as_deref())?;
        crate::backup::read(&path)
    })
    .await
    .map_err(|cause| Error::new(ErrorKind::Internal, "cannot read the backup").with_source(cause))?
}

/// Shows a plan, and does with it what the options say: save, stop, ask, apply.
pub(super) async fn finish(
    session: DomainSession,
    plan: &Plan,
    writing: &WritingArgs,
    control: &Control,
    ui: &Ui,
) -> Result<u8> {
    if writing.only_shows() {
        writing.save(|| plan.to_json())?;
        return show_only(plan, writing, ui);
    }
    if !ui.is_json() {
        super::plan::show(ui, plan);
        for message in &plan.messages {
            ui.message(message);
        }
    }
    let question = super::plan::question(plan);
    writing.confirm(&question, ui, control).await?;
    super::apply::execute(session, plan, control, ui).await
}

fn show_only(plan: &Plan, writing: &WritingArgs, ui: &Ui) -> Result<u8> {
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": "done",
            "operation_id": plan.operation_id,
            "dry_run": true,
            "plan_file": writing.plan_file(),
            "gpo": plan.target,
            "messages": plan.messages,
            "plan": { "steps": plan.steps, "entries": plan.entries, "risks": plan.risks },
            "mapping": plan.mapping,
        }))?;
        return Ok(0);
    }
    super::plan::show(ui, plan);
    for message in &plan.messages {
        ui.message(message);
    }
    ui.say(&writing.nothing_changed());
    Ok(0)
}

/// A file name as a word of a shell command: quoted when it has to be.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A plan may hold what a policy holds, so only its owner may read the file.
fn save_plan(json: &[u8], file: &Path) -> Result<()> {
    let failed = |cause: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot write the plan to {}", file.display()),
        )
        .with_source(cause)
    };
    Folder::of_file(file)
        .and_then(|(folder, name)| {
            folder.write_synced(name, json, PRIVATE_FILE)?;
            folder.sync()
        })
        .map_err(failed)
}
