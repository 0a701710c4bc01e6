//! `gpoctl rename`

use clap::Args;

use super::connection::ConnectionArgs;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::error::Result;
use crate::operations::rename::plan;

/// Change the display name of a GPO
///
/// GUID, links, settings and version are unchanged.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl rename \"Kiosk Lockdown\" \"Kiosk 2026\" --domain corp.example\n  gpoctl rename 7F2DE5D7 Kiosk --domain corp.example --yes"
)]
pub(super) struct RenameArgs {
    /// Display name, GUID, or unique GUID prefix
    gpo: String,

    /// New display name; must not be in use
    name: String,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: RenameArgs, ui: &Ui) -> Result<u8> {
    let domain = args.connection.connect_writer().await?;
    let session = domain.session();
    let object = session.directory().find_gpo(&args.gpo).await?;
    let control = ui.control();
    let plan = plan(session, &object, &args.name, &control).await?;
    finish(&domain, plan, &args.writing, &control, ui).await
}
