//! `gpoctl restore`

use clap::Args;

use super::connection::ConnectionArgs;
use super::ui::Ui;
use super::writing::{BackupArg, WritingArgs, finish};
use crate::error::Result;
use crate::operations::restore::{RestoreOptions, plan};

/// Put a GPO back as a backup has it, in the domain it comes from
///
/// Settings, permissions, status, name and WMI filter link become the backup's; links stay as they are, unless they are asked for. A GPO that was
/// deleted comes back under its GUID.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl restore '/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' --domain corp.example --dry-run\n  gpoctl restore \"Workstation Security\" --backup-dir /backups --with-links --domain corp.example --yes"
)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    backup: BackupArg,

    /// Put the links back too, where the domain, OU or site still exists
    #[arg(long)]
    with_links: bool,

    /// Take a backup that lacks files which could not be read when it was made; the GPO will lack them too
    #[arg(long)]
    allow_partial: bool,

    /// Grant the permissions of the backup also to accounts that do not administer the domain
    #[arg(long)]
    accept_permissions: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: RestoreArgs, ui: &Ui) -> Result<u8> {
    let stored = args.backup.read().await?;
    let session = args.connection.connect().await?;
    let options = RestoreOptions {
        with_links: args.with_links,
        allow_partial: args.allow_partial,
    };
    let control = ui.control();
    let plan = plan(&session, &stored, &options, &control).await?;
    let writing = WritingArgs {
        accept_permissions: args.accept_permissions,
        ..args.writing
    };
    finish(session, &plan, &writing, &control, ui).await
}
