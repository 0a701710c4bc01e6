//! `gpoctl backups`

mod remove;

use std::collections::HashMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::report;
use super::templates::TemplateArgs;
use super::ui::{Ui, counted};
use crate::backup::{BackupListEntry, Soundness};
use crate::error::Result;
use crate::message::{Code, Severity, StatusMessage};
use crate::migration::scan::scan;
use crate::model::backup_context::LinkRecord;
use crate::model::guid::Guid;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::plan::risks;
use crate::plan::secrets::stored_passwords;

/// List, show, verify and delete backups
#[derive(Debug, Subcommand)]
pub(super) enum BackupsCommand {
    // Without comments here the help is that of the arguments, paragraphs and all.
    List(ListArgs),
    Show(ShowArgs),
    Verify(VerifyArgs),
    Delete(remove::DeleteArgs),
    Prune(remove::PruneArgs),
}

/// List the backups in a folder
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backups list /backups\n  gpoctl backups list /backups --json \\\n      | jq '.backups[] | select(.problems != [])'"
)]
pub(super) struct ListArgs {
    /// Folder of backups, or the {ID} folder of one backup
    dir: PathBuf,

    /// Only the newest backup of each GPO
    #[arg(long)]
    latest: bool,
}

/// Show one backup: settings, files, references, permissions, risks
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backups show /backups 7f2de5d7\n  gpoctl backups show \\\n      '/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}' --json"
)]
pub(super) struct ShowArgs {
    /// Folder of backups, or the {ID} folder of one backup
    dir: PathBuf,

    /// ID, unique ID prefix, or GPO name; of several backups of one GPO the newest is shown
    backup: Option<String>,

    #[command(flatten)]
    templates: TemplateArgs,
}

/// Check that backups are complete and unchanged
///
/// Compares each file with the hash recorded in gpoctl.json, the files with the list in Backup.xml, and the folders with
/// manifest.xml. The exit status is 1 if anything is damaged, or if there is no backup at all.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl backups verify /backups\n  gpoctl backups verify /backups 7f2de5d7 --json"
)]
pub(super) struct VerifyArgs {
    /// Folder of backups, or the {ID} folder of one backup
    dir: PathBuf,

    /// ID, unique ID prefix, or GPO name (its newest backup); by default all backups in the folder
    backup: Option<String>,
}

pub(super) async fn run(command: BackupsCommand, ui: &Ui) -> Result<u8> {
    match command {
        BackupsCommand::List(args) => list(&args, ui),
        BackupsCommand::Show(args) => show(&args, ui),
        BackupsCommand::Verify(args) => verify(&args, ui),
        BackupsCommand::Delete(args) => remove::delete(&args, ui),
        BackupsCommand::Prune(args) => remove::prune(&args, ui),
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
                entry.info.display_name.clone(),
                entry.info.backup_time.clone(),
                short_id(ui, entry.info.id),
                entry.info.domain.clone(),
                entry.info.comment.clone(),
            ]
        })
        .collect();
    ui.table(&["GPO", "TIME (UTC)", "ID", "DOMAIN", "COMMENT"], rows);
    if entries.is_empty() {
        ui.say(&format!("there is no backup in {}", args.dir.display()));
    }
    show_problems(ui, &entries);
    Ok(0)
}

fn verify(args: &VerifyArgs, ui: &Ui) -> Result<u8> {
    let dir = match &args.backup {
        Some(spec) => crate::backup::resolve(spec, Some(&args.dir))?,
        None => args.dir.clone(),
    };
    let verified = crate::backup::verify_all(&dir)?;
    let soundness = verified.soundness();
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": soundness,
            "backups": verified.backups,
            "messages": verified.manifest,
        }))?;
    } else {
        let rows = verified
            .backups
            .iter()
            .map(|entry| {
                vec![
                    entry.info.display_name.clone(),
                    entry.info.backup_time.clone(),
                    short_id(ui, entry.info.id),
                    verdict(entry).to_owned(),
                ]
            })
            .collect();
        ui.table(&["GPO", "TIME (UTC)", "ID", "STATE"], rows);
        show_problems(ui, &verified.backups);
        for message in &verified.manifest {
            ui.message(message);
        }
        let damaged = verified.backups.iter().filter(|entry| {
            let damaged = |problem: &StatusMessage| problem.severity == Severity::Error;
            !entry.present || entry.problems.iter().any(damaged)
        });
        let not_verifiable = match verified.not_verifiable() {
            0 => String::new(),
            number => format!(", {number} not verifiable"),
        };
        ui.say(&format!(
            "{} checked, {} damaged or missing{not_verifiable}",
            counted(verified.backups.len(), "backup"),
            damaged.count()
        ));
    }
    Ok(u8::from(soundness == Soundness::Damaged))
}

/// The problems of all backups, each once, with the backups that have it.
fn show_problems(ui: &Ui, entries: &[BackupListEntry]) {
    let mut known: HashMap<(Code, &str, String), usize> = HashMap::new();
    let mut kinds: Vec<(&StatusMessage, Vec<&str>)> = Vec::new();
    for entry in entries {
        for problem in &entry.problems {
            let place = problem.place.as_ref().map(ToString::to_string);
            let kind = (
                problem.code,
                problem.text.as_str(),
                place.unwrap_or_default(),
            );
            let index = *known.entry(kind).or_insert(kinds.len());
            if index == kinds.len() {
                kinds.push((problem, Vec::new()));
            }
            if let Some((_, names)) = kinds.get_mut(index) {
                let id = || entry.info.path.file_name()?.to_str();
                names.push(match entry.info.display_name.as_str() {
                    // Without bkupInfo.xml, only the folder names it.
                    "" => id().unwrap_or_default(),
                    name => name,
                });
            }
        }
    }
    for (problem, names) in kinds {
        let mut message = problem.clone();
        // This one names its backup.
        if message.code != Code::ManifestWithoutBackup {
            message.text = format!("{}: {}", backups_of(&names), message.text);
        }
        ui.message(&message);
    }
}

/// `backup of "A"`, or `12 backups ("A", "B", "C" and 9 more)`.
fn backups_of(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    if let [name] = names {
        return format!("backup of \"{name}\"");
    }
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("\"{name}\""))
        .collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{} backups ({}{more})", names.len(), shown.join(", "))
}

/// One word for what was found of a backup.
fn verdict(entry: &BackupListEntry) -> &'static str {
    let has = |code: Code| entry.problems.iter().any(|problem| problem.code == code);
    let worst = entry.problems.iter().map(|problem| problem.severity).max();
    match worst {
        _ if !entry.present => "missing",
        Some(Severity::Error) => "damaged",
        _ if has(Code::PartialBackup) => "partial",
        _ if has(Code::NotVerifiable) => "not verifiable",
        _ => "unchanged",
    }
}

/// On a terminal of fewer columns than this, whole IDs would leave no room for the names.
const WIDE: u16 = 112;

/// The ID of a backup for a table: on a narrow terminal its first group, which is enough to name it.
pub(super) fn short_id(ui: &Ui, id: Option<Guid>) -> String {
    let short = !ui.is_verbose() && ui.width().is_some_and(|width| width < WIDE);
    match id {
        Some(id) if short => id.bare().chars().take(8).collect(),
        id => shown_guid(id),
    }
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
    let (templates, unread) = args.templates.read()?;
    let stored = crate::backup::read(&path)?;
    let (info, snapshot) = (&stored.info, &stored.snapshot);
    let settings = || crate::settings::of_with(snapshot, &templates);
    let references = || scan(snapshot).references;
    let noticed = scan(snapshot).messages;
    let passwords = stored_passwords(&snapshot.tree);
    let sddl = SecurityDescriptor::parse(&snapshot.security_descriptor)
        .map(|descriptor| to_sddl(&descriptor))
        .ok();
    let damage = stored.damage_warnings();
    let messages: Vec<_> = damage
        .iter()
        .chain(&stored.problems)
        .chain(&snapshot.messages)
        .chain(&noticed)
        .chain(&passwords)
        .chain(&unread)
        .collect();
    if ui.is_json() {
        let document = serde_json::json!({
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
            "messages": messages,
        });
        ui.json(&report::WithContent {
            document,
            settings: report::Made(&settings),
            references: report::Made(&references),
            risks: report::Made(&|| risks::of(snapshot)),
        })?;
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
    report::show_settings(ui, &settings());
    report::show_extensions(ui, snapshot);
    show_links(ui, stored.context.links.as_deref());
    report::show_permissions(ui, snapshot);
    report::show_files(ui, &snapshot.tree);
    report::show_references(ui, &references());
    report::show_risks_of(ui, snapshot, &risks::of(snapshot));
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
                super::plan::container(&link.target),
                yes(link.enforced),
                yes(link.disabled),
            ]
        })
        .collect();
    ui.table(&["LINK ORDER", "LINKED TO", "ENFORCED", "DISABLED"], rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_backups_are_counted() {
        assert_eq!(backups_of(&["A"]), "backup of \"A\"");
        assert_eq!(backups_of(&["A", "B"]), "2 backups (\"A\", \"B\")");
        assert_eq!(
            backups_of(&["A", "B", "C", "D", "E"]),
            "5 backups (\"A\", \"B\", \"C\" and 2 more)"
        );
    }
}
