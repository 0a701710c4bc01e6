//! `gpoctl backups`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::report;
use super::ui::Ui;
use crate::error::Result;
use crate::migration::scan::scan;
use crate::model::guid::Guid;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::operations::risks;
use crate::operations::secrets::stored_passwords;

/// Look into a folder of backups
#[derive(Debug, Subcommand)]
pub(super) enum BackupsCommand {
    /// List the backups in a folder
    List(ListArgs),
    /// Show one backup: what it holds, and every reference in it
    Show(ShowArgs),
}

/// List the backups in a folder
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backups list /backups\n  gpoctl backups list /backups --json | jq '.backups[] | select(.problems != [])'"
)]
pub(super) struct ListArgs {
    /// Folder of backups, or one backup's own folder
    dir: PathBuf,
}

/// Show one backup: what it holds, and every reference in it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backups show /backups 7f2de5d7\n  gpoctl backups show '/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' --json"
)]
pub(super) struct ShowArgs {
    /// Folder of backups, or the backup's own folder
    dir: PathBuf,

    /// ID of the backup, the beginning of its ID, or the GPO's name (the newest backup is taken)
    backup: Option<String>,
}

pub(super) async fn run(command: BackupsCommand, ui: &Ui) -> Result<u8> {
    match command {
        BackupsCommand::List(args) => list(&args, ui),
        BackupsCommand::Show(args) => show(&args, ui),
    }
}

fn list(args: &ListArgs, ui: &Ui) -> Result<u8> {
    let entries = crate::backup::list(&args.dir)?;
    if ui.is_json() {
        ui.json(&serde_json::json!({ "format_version": 1, "backups": entries }))?;
        return Ok(0);
    }
    let rows = entries
        .iter()
        .map(|entry| {
            vec![
                entry.info.backup_time.clone(),
                shown_guid(entry.info.id),
                entry.info.display_name.clone(),
                entry.info.domain.clone(),
                entry.info.comment.clone(),
            ]
        })
        .collect();
    ui.table(&["TIME (UTC)", "ID", "GPO", "DOMAIN", "COMMENT"], rows);
    for entry in &entries {
        for problem in &entry.problems {
            ui.message(&problem.clone().of_gpo(&entry.info.display_name));
        }
    }
    Ok(0)
}

/// A GUID, or nothing where it is not known.
pub(super) fn shown_guid(guid: Option<Guid>) -> String {
    guid.map(|guid| guid.to_string()).unwrap_or_default()
}

fn show(args: &ShowArgs, ui: &Ui) -> Result<u8> {
    let path = match &args.backup {
        Some(spec) => crate::backup::resolve(spec, Some(&args.dir))?,
        None => args.dir.clone(),
    };
    let stored = crate::backup::read(&path)?;
    let (info, snapshot) = (&stored.info, &stored.snapshot);
    let found = scan(snapshot);
    let risks = risks::of(snapshot);
    let passwords = stored_passwords(&snapshot.tree);
    let sddl = SecurityDescriptor::parse(&snapshot.security_descriptor)
        .map(|descriptor| to_sddl(&descriptor))
        .ok();
    let messages: Vec<_> = stored
        .problems
        .iter()
        .chain(&snapshot.messages)
        .chain(&found.messages)
        .chain(&passwords)
        .collect();
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "id": info.id,
            "path": info.path,
            "gpo_guid": info.gpo_guid,
            "display_name": info.display_name,
            "domain": info.domain,
            "backup_time": info.backup_time,
            "comment": info.comment,
            "problems": stored.problems,
            "options": snapshot.flags,
            "extensions": {
                "machine": snapshot.machine_extensions,
                "user": snapshot.user_extensions,
            },
            "wmi_filter": snapshot.wmi_filter,
            "security_descriptor": sddl,
            "security_groups": snapshot.principals,
            "file_paths": snapshot.file_paths,
            "files": report::files_json(&snapshot.tree),
            "directory_objects": snapshot.directory_objects,
            "references": found.references,
            "risks": risks,
            "messages": messages,
        }))?;
        return Ok(0);
    }
    let fields = [
        ("ID", shown_guid(info.id)),
        ("GPO", info.display_name.clone()),
        ("GPO GUID", shown_guid(info.gpo_guid)),
        ("Domain", info.domain.clone()),
        ("Time (UTC)", info.backup_time.clone()),
        ("Comment", info.comment.clone()),
        (
            "Status",
            super::list::status_word(Some(snapshot.flags)).to_owned(),
        ),
        (
            "Computer extensions",
            snapshot.machine_extensions.as_str().to_owned(),
        ),
        (
            "User extensions",
            snapshot.user_extensions.as_str().to_owned(),
        ),
        ("Descriptor", sddl.unwrap_or_default()),
    ];
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        ui.line(&format!("{name:width$}  {value}"));
    }
    report::show_files(ui, &snapshot.tree);
    report::show_references(ui, &found.references);
    report::show_risks(ui, &risks);
    for message in messages {
        ui.message(message);
    }
    Ok(0)
}
