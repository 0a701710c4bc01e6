//! `gpoctl delete`

use clap::Args;

use super::connection::ConnectionArgs;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::error::Result;
use crate::operations::delete::plan;

/// Delete a GPO and its links
///
/// A backup is kept in the journal of the operation, and gpoctl operations undo restores it. The two default GPOs of a domain
/// cannot be deleted.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl delete \"Kiosk Lockdown\" --domain corp.example --dry-run\n  gpoctl delete '{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' --keep-links \\\n      --domain corp.example"
)]
pub(super) struct DeleteArgs {
    /// Display name, GUID, or unique GUID prefix
    gpo: String,

    /// Keep the links, for a GPO that will be restored
    #[arg(long)]
    keep_links: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: DeleteArgs, ui: &Ui) -> Result<u8> {
    let domain = args.connection.connect_writer().await?;
    let session = domain.session();
    let object = session.directory().find_gpo(&args.gpo).await?;
    let control = ui.control();
    let plan = plan(session, &object, args.keep_links, &control).await?;
    finish(&domain, plan, &args.writing, &control, ui).await
}
