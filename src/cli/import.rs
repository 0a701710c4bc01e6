//! `gpoctl import`

use clap::Args;

use super::connection::ConnectionArgs;
use super::hints;
use super::mapping::MappingArgs;
use super::ui::Ui;
use super::writing::{BackupArg, WritingArgs, finish};
use crate::error::{ErrorKind, Result};
use crate::operations::damaged::refuse_damaged;
use crate::operations::import::{ImportOptions, ImportTarget, plan};

/// Replace the settings of a GPO with those of a backup, in any domain
///
/// The old settings of the target are erased. Its GUID, name, permissions and links are kept, and so is its WMI filter link
/// unless --relink-wmi-filter is given. The status (computer and user settings enabled or disabled) becomes that of the backup.
/// Permissions stored in the backup are not applied.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl import '/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' \\\n      --into \"Workstation Security\" --domain corp.example --dry-run\n  gpoctl import \"Workstation Security\" --backup-dir /backups \\\n      --into \"Workstation Security\" --create \\\n      --migration-table lab.migtable --exclusive --domain lab.example"
)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    backup: BackupArg,

    /// Target GPO: display name, GUID, or unique GUID prefix
    #[arg(long, value_name = "GPO")]
    into: String,

    /// Create the target under this display name if it does not exist
    #[arg(long)]
    create: bool,

    #[command(flatten)]
    mapping: MappingArgs,

    /// Write passwords stored in Preferences (cpassword, MS14-025), although every domain user can decrypt them
    #[arg(long)]
    allow_cpassword: bool,

    /// Accept a backup that lacks what could not be read when it was made; that is left in the GPO as it is, and a new GPO lacks it
    #[arg(long)]
    allow_partial: bool,

    /// Use a backup whose files have changed since gpoctl wrote it; each of them is named in the plan
    #[arg(long)]
    accept_damaged: bool,

    /// Link the WMI filter in the target domain that has the same name as the one in the backup; exactly one must exist
    #[arg(long)]
    relink_wmi_filter: bool,

    #[command(flatten)]
    writing: WritingArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: ImportArgs, ui: &Ui) -> Result<u8> {
    // Problems on the local disk are reported before anything connects.
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
    let domain = args.connection.connect_writer().await?;
    let session = domain.session();
    let target = match session.directory().find_gpo(&args.into).await {
        Ok(object) => ImportTarget::Existing(Box::new(object)),
        Err(error) if error.kind() == ErrorKind::NotFound && args.create => ImportTarget::New {
            display_name: args.into.clone(),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(error.with_hint("name an existing GPO, or add --create"));
        }
        Err(error) => return Err(error),
    };
    let control = ui.control();
    let plan = plan(session, &stored, &target, &options, &control)
        .await
        .map_err(hints::completed)?;
    finish(&domain, plan, &args.writing, &control, ui).await
}
