//! `gpoctl copy`

use clap::Args;

use super::connection::ConnectionArgs;
use super::mapping::MappingArgs;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::error::Result;
use crate::operations::copy::{CopyOptions, plan};

/// Make a new GPO with the settings of another one, in the same domain or another
///
/// Both domains are named by their profiles in config.toml. The copy is linked nowhere. Its permissions are those of a new
/// GPO, unless they are preserved; a WMI filter link is kept within the domain only.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl copy \"Kiosk Lockdown\" --from corp.example --to lab.example --migration-table lab.migtable --preserve-acl\n  gpoctl copy \"Kiosk Lockdown\" --from corp.example --name \"Kiosk Lockdown (test)\" --yes"
)]
pub(super) struct CopyArgs {
    /// The GPO to copy: display name, GUID, or the unambiguous beginning of a GUID
    gpo: String,

    /// Domain to copy from; its profile says how to reach it
    #[arg(long, value_name = "DOMAIN")]
    from: String,

    /// Domain to copy to; by default the same
    #[arg(long, value_name = "DOMAIN")]
    to: Option<String>,

    /// Display name of the copy; by default that of the source, or "Copy of" it in the same domain
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Copy the permissions of the GPO and of its packages too, mapped by the table
    #[arg(long)]
    preserve_acl: bool,

    #[command(flatten)]
    mapping: MappingArgs,

    /// Write passwords that are stored in Preferences (cpassword, MS14-025), although everybody can read them
    #[arg(long)]
    allow_cpassword: bool,

    /// With --preserve-acl, grant the permissions of the source also to accounts that do not administer the domain
    #[arg(long)]
    accept_permissions: bool,

    #[command(flatten)]
    writing: WritingArgs,
}

pub(super) async fn run(args: CopyArgs, ui: &Ui) -> Result<u8> {
    let options = CopyOptions {
        name: args.name.clone(),
        preserve_acl: args.preserve_acl,
        table: args.mapping.table()?,
        mapping: args.mapping.options(),
        allow_cpassword: args.allow_cpassword,
    };
    let from = ConnectionArgs::profile(&args.from).connect().await?;
    let to = match &args.to {
        Some(to) => ConnectionArgs::profile(to).connect().await?,
        None => from.clone(),
    };
    let object = from.directory().find_gpo(&args.gpo).await?;
    let control = ui.control();
    let plan = plan(&from, &object, &to, &options, &control).await?;
    let writing = WritingArgs {
        accept_permissions: args.accept_permissions,
        ..args.writing
    };
    finish(to, &plan, &writing, &control, ui).await
}
