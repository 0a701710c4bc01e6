//! `gpoctl create`

use clap::Args;

use super::connection::ConnectionArgs;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::error::Result;
use crate::operations::create::plan;

/// Create an empty GPO
///
/// The new GPO has default permissions, is enabled, has version 0, and is not linked anywhere.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl create \"Kiosk Lockdown\" --domain corp.example\n  gpoctl create \"Kiosk Lockdown\" --domain corp.example --yes --json"
)]
pub(super) struct CreateArgs {
    /// Display name; must not be in use
    name: String,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: CreateArgs, ui: &Ui) -> Result<u8> {
    let domain = args.connection.connect_writer().await?;
    let session = domain.session();
    let control = ui.control();
    let plan = plan(session, &args.name).await?;
    finish(&domain, plan, &args.writing, &control, ui).await
}
