//! `gpoctl copy`

use clap::Args;

use super::connection::ConnectionArgs;
use super::hints;
use super::mapping::MappingArgs;
use super::ui::Ui;
use super::writing::{WritingArgs, finish};
use crate::error::Result;
use crate::operations::copy::{CopyOptions, plan};

/// Copy a GPO to a new GPO, in the same domain or another
///
/// Both domains need a profile in config.toml. The copy is not linked anywhere. It has the default permissions of a new GPO unless
/// --preserve-acl is given. A WMI filter link is kept only within the same domain.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl copy \"Kiosk Lockdown\" --from corp.example --to lab.example \\\n      --migration-table lab.migtable --preserve-acl\n  gpoctl copy \"Kiosk Lockdown\" --from corp.example \\\n      --name \"Kiosk Lockdown (test)\""
)]
pub(super) struct CopyArgs {
    /// GPO to copy: display name, GUID, or unique GUID prefix
    gpo: String,

    /// Source domain (needs a profile)
    #[arg(long, value_name = "DOMAIN")]
    from: String,

    /// Target domain (needs a profile); by default the source domain
    #[arg(long, value_name = "DOMAIN")]
    to: Option<String>,

    /// Display name of the copy; by default the name of the source, or "Copy of NAME" in the same domain
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Copy the permissions of the GPO and of its software packages, mapped by the migration table
    #[arg(long)]
    preserve_acl: bool,

    #[command(flatten)]
    mapping: MappingArgs,

    /// Write passwords stored in Preferences (cpassword, MS14-025), although every domain user can decrypt them
    #[arg(long)]
    allow_cpassword: bool,

    /// With --preserve-acl: do not ask before permissions are granted to accounts that do not administer the domain; needed without a
    /// terminal
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
    let (from, to) = match &args.to {
        Some(to) => {
            let from = ConnectionArgs::profile(&args.from).connect().await?;
            (from, ConnectionArgs::profile(to).connect_writer().await?)
        }
        None => {
            let domain = ConnectionArgs::profile(&args.from).connect_writer().await?;
            (domain.session().clone(), domain)
        }
    };
    let object = from.directory().find_gpo(&args.gpo).await?;
    let control = ui.control();
    let plan = plan(&from, &object, to.session(), &options, &control)
        .await
        .map_err(hints::completed)?;
    let writing = WritingArgs {
        accept_permissions: args.accept_permissions,
        ..args.writing
    };
    finish(&to, plan, &writing, &control, ui).await
}
