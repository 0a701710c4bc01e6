//! `gpoctl import`

use clap::Args;

use super::connection::ConnectionArgs;
use super::mapping::MappingArgs;
use super::ui::Ui;
use super::writing::{BackupArg, WritingArgs, finish};
use crate::error::{ErrorKind, Result};
use crate::operations::damaged::refuse_damaged;
use crate::operations::import::{ImportOptions, ImportTarget, plan};

/// Put the settings of a backup into an existing GPO of any domain
///
/// The target's old settings are erased. Its GUID, name, permissions, links and, without --relink-wmi-filter, WMI filter link stay; the status
/// (which halves are enabled) and the settings come from the backup. Permissions of the backup are never applied.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl import '/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' --into \"Workstation Security\" --domain corp.example --dry-run\n  gpoctl import \"Workstation Security\" --backup-dir /backups --into \"Workstation Security\" --create --migration-table lab.migtable --exclusive --domain corp.example --yes"
)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    backup: BackupArg,

    /// The target: display name, GUID, or the unambiguous beginning of a GUID
    #[arg(long, value_name = "GPO")]
    into: String,

    /// Make the target first, under this display name, if no GPO has it
    #[arg(long)]
    create: bool,

    #[command(flatten)]
    mapping: MappingArgs,

    /// Write passwords that are stored in Preferences (cpassword, MS14-025), although everybody can read them
    #[arg(long)]
    allow_cpassword: bool,

    /// Take a backup that lacks files which could not be read when it was made; the GPO will lack them too
    #[arg(long)]
    allow_partial: bool,

    /// Use a backup whose files have changed since gpoctl wrote it; each of them is named in the plan
    #[arg(long)]
    accept_damaged: bool,

    /// Link the WMI filter of the target's domain that has the name of the backup's; it must exist, once
    #[arg(long)]
    relink_wmi_filter: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: ImportArgs, ui: &Ui) -> Result<u8> {
    // What is wrong on the local disk is said before anybody connects.
    let stored = args.backup.read().await?;
    refuse_damaged(&stored, args.accept_damaged)?;
    let options = ImportOptions {
        table: args.mapping.table()?,
        mapping: args.mapping.options(),
        allow_cpassword: args.allow_cpassword,
        allow_partial: args.allow_partial,
        accept_damaged: args.accept_damaged,
        relink_wmi_filter: args.relink_wmi_filter,
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
