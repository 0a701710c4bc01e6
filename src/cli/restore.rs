//! `gpoctl restore`

use clap::Args;

use super::connection::ConnectionArgs;
use super::ui::Ui;
use super::writing::{BackupArg, WritingArgs, finish};
use crate::error::Result;
use crate::operations::damaged::refuse_damaged;
use crate::operations::restore::{RestoreOptions, plan};

/// Restore a GPO from a backup, in the domain it was saved from
///
/// Settings, permissions, status, name and WMI filter link become those of the backup. Links are unchanged unless --with-links is
/// given. A GPO that was deleted is recreated with its original GUID.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl restore '/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' \\\n      --domain corp.example --dry-run\n  gpoctl restore \"Workstation Security\" --backup-dir /backups \\\n      --with-links --domain corp.example"
)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    backup: BackupArg,

    /// Restore the links too, where the domain, OU or site still exists
    #[arg(long)]
    with_links: bool,

    /// Accept a backup that lacks what could not be read when it was made; that is left in the GPO as it is, and a new GPO lacks it
    #[arg(long)]
    allow_partial: bool,

    /// Use a backup whose files have changed since gpoctl wrote it; each of them is named in the plan
    #[arg(long)]
    accept_damaged: bool,

    /// Do not ask before permissions are granted to accounts that do not administer the domain; needed without a terminal
    #[arg(long)]
    accept_permissions: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: RestoreArgs, ui: &Ui) -> Result<u8> {
    let stored = args.backup.read().await?;
    refuse_damaged(&stored, args.accept_damaged)?;
    let domain = args.connection.connect_writer().await?;
    let session = domain.session();
    let options = RestoreOptions {
        with_links: args.with_links,
        allow_partial: args.allow_partial,
        accept_damaged: args.accept_damaged,
    };
    let control = ui.control();
    let plan = plan(session, &stored, &options, &control).await?;
    let writing = WritingArgs {
        accept_permissions: args.accept_permissions,
        ..args.writing
    };
    finish(&domain, plan, &writing, &control, ui).await
}
