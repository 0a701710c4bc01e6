//! `gpoctl diff`

use std::path::{Path, PathBuf};

use clap::Args;

use super::connection::ConnectionArgs;
use super::ui::{Colour, Ui};
use crate::error::Result;
use crate::model::snapshot::GpoSnapshot;
use crate::operations::diff::{Difference, LineSign, diff};
use crate::plan::gpo::EntryChange;
use crate::progress::Control;
use crate::session::read::read_gpo;

/// Compare two GPOs, setting by setting
///
/// Each side is a backup or a live GPO. GUIDs, times and versions are not compared.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl diff \"Workstation Security\" \"Workstation Security\" \\\n      --backup-dir /backups --domain corp.example\n  gpoctl diff Desktops Desktops \\\n      --domain corp.example --with-domain lab.example"
)]
pub(super) struct DiffArgs {
    /// First GPO: {ID} folder of a backup, or display name, GUID or unique GUID prefix of a live GPO
    old: String,

    /// Second GPO, named in the same way
    new: String,

    /// Folder of backups to look for the first GPO in, by ID, unique ID prefix, or GPO name (its newest backup)
    #[arg(long, value_name = "DIR")]
    backup_dir: Option<PathBuf>,

    /// Domain of the second GPO, if it differs from that of the first (needs a profile)
    #[arg(long, value_name = "NAME")]
    with_domain: Option<String>,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: DiffArgs, ui: &Ui) -> Result<u8> {
    let other = args.with_domain.as_deref().map(ConnectionArgs::profile);
    let old = match args.backup_dir.as_deref() {
        Some(folder) => stored(&args.old, Some(folder), ui)?,
        None => side(&args.old, &args.connection, ui).await?,
    };
    let new = side(&args.new, other.as_ref().unwrap_or(&args.connection), ui).await?;
    let found = diff(&old, &new);
    if ui.is_json() {
        let side = |gpo: &GpoSnapshot| {
            serde_json::json!({
                "gpo_guid": gpo.guid,
                "display_name": gpo.display_name,
                "domain": gpo.domain,
            })
        };
        ui.json(&serde_json::json!({
            "format_version": 1,
            "old": side(&old),
            "new": side(&new),
            "differences": found,
        }))?;
        return Ok(0);
    }
    for (sign, gpo) in [("---", &old), ("+++", &new)] {
        ui.coloured(
            Colour::Bold,
            &format!(
                "{sign} \"{}\" {} of {}",
                gpo.display_name, gpo.guid, gpo.domain
            ),
        );
    }
    if found.is_empty() {
        ui.line("no differences");
    }
    for difference in &found {
        show(ui, difference);
    }
    Ok(0)
}

/// A backup's folder or a live GPO.
async fn side(spec: &str, connection: &ConnectionArgs, ui: &Ui) -> Result<GpoSnapshot> {
    if Path::new(spec).is_dir() {
        return stored(spec, None, ui);
    }
    let session = connection.connect().await?;
    let object = session.directory().find_gpo(spec).await?;
    let live = read_gpo(&session, &object, &Control::default()).await?;
    Ok(live.snapshot)
}

fn stored(spec: &str, folder: Option<&Path>, ui: &Ui) -> Result<GpoSnapshot> {
    let path = crate::backup::resolve(spec, folder)?;
    let backup = crate::backup::read(&path)?;
    for message in backup.damage_warnings() {
        ui.message(&message);
    }
    Ok(backup.snapshot)
}

fn show(ui: &Ui, difference: &Difference) {
    let (sign, colour) = match difference.change {
        EntryChange::Added => ("+", Colour::Green),
        EntryChange::Removed => ("-", Colour::Red),
        EntryChange::Changed | EntryChange::Unchanged => ("~", Colour::Yellow),
    };
    ui.line("");
    ui.coloured(colour, &format!("{sign} {}", difference.name));
    for line in &difference.lines {
        match line.sign {
            LineSign::Removed => ui.coloured(Colour::Red, &format!("  - {}", line.text)),
            LineSign::Added => ui.coloured(Colour::Green, &format!("  + {}", line.text)),
            LineSign::Same => ui.line(&format!("    {}", line.text)),
            LineSign::Gap => ui.coloured(Colour::Dim, "    …"),
        }
    }
}
