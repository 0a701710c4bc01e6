//! `gpoctl backups`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::report;
use super::ui::Ui;
use crate::backup::BackupListEntry;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Severity;
use crate::migration::scan::scan;
use crate::model::backup_context::LinkRecord;
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
    /// Check that backups are whole and unchanged
    Verify(VerifyArgs),
    /// Remove backups from a folder
    Delete(DeleteArgs),
}

/// List the backups in a folder
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backups list /backups\n  gpoctl backups list /backups --json | jq '.backups[] | select(.problems != [])'"
)]
pub(super) struct ListArgs {
    /// Folder of backups, or one backup's own folder
    dir: PathBuf,

    /// Only the newest backup of each GPO
    #[arg(long)]
    latest: bool,
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

/// Check that backups are whole and unchanged
///
/// Compares every file with the hash that was recorded when gpoctl wrote the backup, Backup.xml with the files it lists,
/// and manifest.xml with the folders. Exit status 1 when something is damaged.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backups verify /backups\n  gpoctl backups verify /backups 7f2de5d7 --json"
)]
pub(super) struct VerifyArgs {
    /// Folder of backups, or one backup's own folder
    dir: PathBuf,

    /// ID of the backup, the beginning of its ID, or the GPO's name (the newest backup is taken); without it, all of them
    backup: Option<String>,
}

/// Remove backups from a folder
///
/// Only the folder of a backup is removed, and only when nothing else lies in it; manifest.xml follows. Of a backup whose
/// folder is gone already, the entry in manifest.xml is removed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backups delete /backups 7f2de5d7\n  gpoctl backups delete /backups '{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' --yes"
)]
pub(super) struct DeleteArgs {
    /// Folder of backups
    dir: PathBuf,

    /// IDs of the backups, at least four characters of their beginnings, or paths of their folders
    #[arg(required = true, value_name = "BACKUP")]
    backups: Vec<String>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) async fn run(command: BackupsCommand, ui: &Ui) -> Result<u8> {
    match command {
        BackupsCommand::List(args) => list(&args, ui),
        BackupsCommand::Show(args) => show(&args, ui),
        BackupsCommand::Verify(args) => verify(&args, ui),
        BackupsCommand::Delete(args) => delete(&args, ui),
    }
}

fn list(args: &ListArgs, ui: &Ui) -> Result<u8> {
    let mut entries = crate::backup::list(&args.dir)?;
    if args.latest {
        entries = crate::backup::latest(entries);
    }
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

fn verify(args: &VerifyArgs, ui: &Ui) -> Result<u8> {
    let dir = match &args.backup {
        Some(spec) => crate::backup::resolve(spec, Some(&args.dir))?,
        None => args.dir.clone(),
    };
    let verified = crate::backup::verify_all(&dir)?;
    let sound = verified.is_sound();
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": if sound { "sound" } else { "damaged" },
            "backups": verified.backups,
            "messages": verified.manifest,
        }))?;
    } else {
        let rows = verified
            .backups
            .iter()
            .map(|entry| {
                vec![
                    verdict(entry).to_owned(),
                    shown_guid(entry.info.id),
                    entry.info.display_name.clone(),
                ]
            })
            .collect();
        ui.table(&["STATE", "ID", "GPO"], rows);
        for entry in &verified.backups {
            for problem in &entry.problems {
                ui.message(&problem.clone().of_gpo(&entry.info.display_name));
            }
        }
        for message in &verified.manifest {
            ui.message(message);
        }
    }
    Ok(u8::from(!sound))
}

/// One word for what was found of a backup.
fn verdict(entry: &BackupListEntry) -> &'static str {
    let has = |code: &str| entry.problems.iter().any(|problem| problem.code == code);
    let worst = entry.problems.iter().map(|problem| problem.severity).max();
    match worst {
        _ if !entry.present => "missing",
        Some(Severity::Error) => "damaged",
        _ if has("partial-backup") => "partial",
        _ if has("not-verifiable") => "not verifiable",
        _ => "unchanged",
    }
}

fn delete(args: &DeleteArgs, ui: &Ui) -> Result<u8> {
    let mut found = Vec::new();
    for spec in &args.backups {
        found.push(crate::backup::find_by_id(spec, &args.dir)?);
    }
    found.sort_by(|a, b| a.info.path.cmp(&b.info.path));
    found.dedup_by(|a, b| a.info.path == b.info.path);
    if !args.yes {
        let names: Vec<String> = found
            .iter()
            .map(|entry| entry.info.path.display().to_string())
            .collect();
        match ui.ask(&format!("remove {}?", names.join(", "))) {
            Some(true) => {}
            Some(false) => {
                return Err(Error::new(ErrorKind::Cancelled, "nothing was removed"));
            }
            None => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "there is nobody to ask whether the backups are to be removed",
                )
                .with_hint("give --yes"));
            }
        }
    }
    let mut removed = Vec::new();
    let mut failures = Vec::new();
    for entry in found {
        let outcome = match entry.info.id {
            Some(id) if !entry.present => crate::backup::forget(&args.dir, id).map(|()| entry.info),
            _ => crate::backup::delete(&entry.info.path),
        };
        match outcome {
            Ok(info) => removed.push(info),
            Err(error) => failures.push(error),
        }
    }
    let partly = failures
        .iter()
        .any(|error| error.kind() == ErrorKind::Incomplete);
    let status = match (failures.is_empty(), removed.is_empty() && !partly) {
        (true, _) => 0,
        (false, false) => 3,
        (false, true) => 1,
    };
    if ui.is_json() {
        let errors: Vec<_> = failures
            .iter()
            .map(|error| serde_json::json!({ "kind": error.kind(), "message": error.to_string(), "hint": error.hint() }))
            .collect();
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": match status { 0 => "done", 3 => "partial", _ => "failed" },
            "removed": removed,
            "errors": errors,
        }))?;
    } else {
        for info in &removed {
            ui.line(&format!("{}  {}", shown_guid(info.id), info.display_name));
        }
        for error in &failures {
            ui.error(error);
        }
    }
    Ok(status)
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
    let damage = stored.damage_warnings();
    let messages: Vec<_> = damage
        .iter()
        .chain(&stored.problems)
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
            "links": stored.context.links,
            "security_descriptor": sddl,
            "permissions": report::permissions_json(snapshot),
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
            "WMI filter",
            report::shown_filter(snapshot.wmi_filter.as_ref()),
        ),
    ];
    ui.fields(&fields);
    report::show_extensions(ui, snapshot);
    show_links(ui, stored.context.links.as_deref());
    report::show_permissions(ui, snapshot);
    report::show_files(ui, &snapshot.tree);
    report::show_references(ui, &found.references);
    report::show_risks(ui, &risks);
    for message in messages {
        ui.message(message);
    }
    Ok(0)
}

/// Where the GPO was linked when the backup was made, a line each; nothing when the backup does not record it.
fn show_links(ui: &Ui, links: Option<&[LinkRecord]>) {
    let Some(links) = links else { return };
    ui.heading("Links");
    if links.is_empty() {
        ui.line("none");
        return;
    }
    let rows = links
        .iter()
        .map(|link| {
            let yes = |flag: bool| if flag { "yes" } else { "" }.to_owned();
            vec![
                link.order.to_string(),
                link.target.clone(),
                yes(link.enforced),
                yes(link.disabled),
            ]
        })
        .collect();
    ui.table(&["LINK ORDER", "LINKED TO", "ENFORCED", "DISABLED"], rows);
}
