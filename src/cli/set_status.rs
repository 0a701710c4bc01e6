//! `gpoctl set-status`

use clap::{Args, ValueEnum};

use super::connection::ConnectionArgs;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::error::Result;
use crate::operations::set_status::{Status, plan};

/// Enable or disable the computer and user settings of a GPO
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl set-status \"Kiosk Lockdown\" computer --domain corp.example\n  gpoctl set-status \"Kiosk Lockdown\" none --domain corp.example --yes"
)]
pub(super) struct SetStatusArgs {
    /// Display name, GUID, or unique GUID prefix
    gpo: String,

    /// Settings to enable; the others are disabled
    #[arg(value_enum)]
    status: StatusChoice,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusChoice {
    /// Computer and user settings
    All,
    /// Computer settings only
    Computer,
    /// User settings only
    User,
    /// Neither
    None,
}

pub(super) async fn run(args: SetStatusArgs, ui: &Ui) -> Result<u8> {
    let domain = args.connection.connect_writer().await?;
    let session = domain.session();
    let object = session.directory().find_gpo(&args.gpo).await?;
    let control = ui.control();
    let status = match args.status {
        StatusChoice::All => Status::All,
        StatusChoice::Computer => Status::Computer,
        StatusChoice::User => Status::User,
        StatusChoice::None => Status::None,
    };
    if object.flags.is_some_and(|flags| flags & 3 == status.bits()) && !ui.is_json() {
        ui.say("nothing to do: already as requested");
        return Ok(0);
    }
    let plan = plan(session, &object, status, &control).await?;
    finish(&domain, plan, &args.writing, &control, ui).await
}
