//! `gpoctl create`

use clap::Args;

use super::connection::ConnectionArgs;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::error::Result;
use crate::operations::create::plan;

/// Make a GPO without settings
///
/// It has the permissions that the schema gives new GPOs, is enabled, linked nowhere, and at version 0.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl create \"Kiosk Lockdown\" --domain corp.example\n  gpoctl create \"Kiosk Lockdown\" --domain corp.example --yes --json"
)]
pub(super) struct CreateArgs {
    /// Its display name, which no other GPO may have
    name: String,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: CreateArgs, ui: &Ui) -> Result<u8> {
    let session = args.connection.connect().await?;
    let control = ui.control();
    let plan = plan(&session, &args.name).await?;
    finish(session, &plan, &args.writing, &control, ui).await
}
