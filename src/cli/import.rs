//! `gpoctl import`

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::connection::ConnectionArgs;
use super::migtable;
use super::report;
use super::ui::Ui;
use crate::error::{Error, ErrorKind, Result};
use crate::migration::map::{MapOptions, UncMatch};
use crate::migration::table::MigrationTable;
use crate::model::reference::Scope;
use crate::operations::import::{ImportOptions, ImportTarget, plan};
use crate::operations::plan::Plan;
use crate::session::DomainSession;

/// Put the settings of a backup into an existing GPO of any domain
///
/// The target's old settings are erased. Its GUID, name, permissions, links and WMI filter link stay; the status
/// (which halves are enabled) and the settings come from the backup. Permissions of the backup are never applied.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl import '/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' --into \"Workstation Security\" --domain corp.example --dry-run\n  gpoctl import \"Workstation Security\" --backup-dir /backups --into \"Workstation Security\" --create --migration-table lab.migtable --exclusive --domain corp.example --yes"
)]
pub(super) struct ImportArgs {
    /// Folder of the backup; or its ID, the beginning of its ID, or the GPO's name, with --backup-dir
    backup: String,

    /// Folder to look for the backup in; of several backups of a GPO the newest is taken
    #[arg(long, value_name = "DIR")]
    backup_dir: Option<PathBuf>,

    /// The target: display name, GUID, or the unambiguous beginning of a GUID
    #[arg(long, value_name = "GPO")]
    into: String,

    /// Make the target first, under this display name, if no GPO has it
    #[arg(long)]
    create: bool,

    /// Migration table (.migtable) that maps principals and UNC paths
    #[arg(long, value_name = "FILE")]
    migration_table: Option<PathBuf>,

    /// Fail before anything is written if a reference has no row in the table
    #[arg(long, requires = "migration_table")]
    exclusive: bool,

    /// Where references are mapped: in every place, or only where GPMC does it
    #[arg(long, value_enum, value_name = "SCOPE", default_value = "all")]
    scope: ScopeChoice,

    /// How UNC paths are compared with the table: whole, or by the longest prefix of whole components
    #[arg(long, value_enum, value_name = "HOW", default_value = "exact")]
    unc_match: UncChoice,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// What every writing command has.
#[derive(Debug, Clone, Args)]
pub(super) struct WritingArgs {
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Save the plan to this file instead of applying it; see apply
    #[arg(long, value_name = "FILE")]
    plan_out: Option<PathBuf>,

    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScopeChoice {
    /// Where GPMC maps
    Gpmc,
    /// Everywhere
    All,
}

impl From<ScopeChoice> for Scope {
    fn from(choice: ScopeChoice) -> Self {
        match choice {
            ScopeChoice::Gpmc => Self::Gpmc,
            ScopeChoice::All => Self::All,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum UncChoice {
    /// The whole path
    Exact,
    /// The longest prefix
    Prefix,
}

pub(super) async fn run(args: ImportArgs, ui: &Ui) -> Result<u8> {
    // What is wrong on the local disk is said before anybody connects.
    let stored = read_backup(args.backup.clone(), args.backup_dir.clone()).await?;
    let table = args
        .migration_table
        .as_deref()
        .map(load_table)
        .transpose()?;
    let options = ImportOptions {
        table,
        mapping: MapOptions {
            exclusive: args.exclusive,
            scope: args.scope.into(),
            unc_match: match args.unc_match {
                UncChoice::Exact => UncMatch::Exact,
                UncChoice::Prefix => UncMatch::Prefix,
            },
            ..MapOptions::default()
        },
    };
    let session = args.connection.connect().await?;
    let target = match session.directory().find_gpo(&args.into).await {
        Ok(object) => ImportTarget::Existing(Box::new(object)),
        Err(error) if error.kind() == ErrorKind::NotFound && args.create => ImportTarget::New {
            display_name: args.into.clone(),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(error.with_hint("name an existing GPO, or make it with --create"));
        }
        Err(error) => return Err(error),
    };
    let control = ui.control();
    let plan = plan(&session, &stored, &target, &options, &control).await?;
    finish(session, &plan, &args.writing, &control, ui).await
}

/// Shows a plan, and does with it what the options say: save, stop, ask, apply.
async fn finish(
    session: DomainSession,
    plan: &Plan,
    writing: &WritingArgs,
    control: &crate::operations::progress::Control,
    ui: &Ui,
) -> Result<u8> {
    if let Some(file) = &writing.plan_out {
        save_plan(plan, file)?;
    }
    if writing.dry_run || writing.plan_out.is_some() {
        return show_only(plan, writing.plan_out.as_deref(), ui);
    }
    if !ui.is_json() {
        report::show_plan(ui, plan);
        for message in &plan.messages {
            ui.message(message);
        }
    }
    if !writing.yes {
        match ui.ask("Apply this plan?") {
            Some(true) => {}
            Some(false) => {
                return Err(Error::new(ErrorKind::Cancelled, "nothing was changed"));
            }
            None => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "there is nobody to ask whether to apply this plan",
                )
                .with_hint("use --yes, or --plan-out and apply"));
            }
        }
    }
    super::apply::execute(session, plan, control, ui).await
}

fn show_only(plan: &Plan, saved: Option<&Path>, ui: &Ui) -> Result<u8> {
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": "done",
            "operation_id": plan.operation_id,
            "dry_run": true,
            "plan_file": saved,
            "gpo": plan.target,
            "messages": plan.messages,
            "plan": { "steps": plan.steps, "entries": plan.entries },
            "mapping": plan.mapping,
        }))?;
        return Ok(0);
    }
    report::show_plan(ui, plan);
    for message in &plan.messages {
        ui.message(message);
    }
    match saved {
        Some(file) => ui.say(&format!(
            "nothing was changed; to do this, run: gpoctl apply {}",
            file.display()
        )),
        None => ui.say("nothing was changed"),
    }
    Ok(0)
}

/// Reads a migration table; messages call it by its file name.
fn load_table(path: &Path) -> Result<MigrationTable> {
    let (name, table) = migtable::file::load(path)?;
    Ok(MigrationTable::new(&name, &table))
}

/// Reads a backup off the runtime's threads.
pub(super) async fn read_backup(
    spec: String,
    folder: Option<PathBuf>,
) -> Result<crate::backup::StoredBackup> {
    tokio::task::spawn_blocking(move || {
        let path = crate::backup::resolve(&spec, folder.as_deref())?;
        crate::backup::read(&path)
    })
    .await
    .map_err(|cause| {
        Error::new(ErrorKind::Internal, "the backup was not read").with_source(cause)
    })?
}

/// A plan may hold what a policy holds, so only its owner may read the file.
fn save_plan(plan: &Plan, file: &Path) -> Result<()> {
    let failed = |cause: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot write the plan to {}", file.display()),
        )
        .with_source(cause)
    };
    let json = plan.to_json()?;
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(failed)?;
    out.write_all(&json)
        .and_then(|()| out.sync_all())
        .map_err(failed)
}
