//! What several commands show alike: files, references, plans.

use super::ui::{Colour, Ui};
use crate::migration::places;
use crate::migration::report::{MappedReference, Outcome};
use crate::model::client_extension;
use crate::model::gpt_tree::GptTree;
use crate::model::grant::{Protects, grants};
use crate::model::principal::Principal;
use crate::model::reference::Reference;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;
use crate::model::snapshot::{GpoSnapshot, WmiFilterLink};
use crate::model::well_known;
use crate::operations::plan::{Change, Plan, Step, sha256};
use crate::operations::risks::Risk;

/// Why a file of no known format is not read.
const OPAQUE: &str = "no format that is read, such as a script or an installer";

/// The files of a tree with size, hash and format, for JSON.
pub(super) fn files_json(tree: &GptTree) -> Vec<serde_json::Value> {
    tree.files()
        .map(|(path, content)| {
            let format = places::check_format(path, content);
            serde_json::json!({
                "path": path.to_string(),
                "size": content.len(),
                "sha256": sha256(content),
                "format": format.as_ref().and_then(|checked| checked.as_ref().ok()),
                "parsed": matches!(format, Some(Ok(_))),
                "reason": match format {
                    None => Some(OPAQUE.to_owned()),
                    Some(checked) => checked.err(),
                },
            })
        })
        .collect()
}

/// The files of a tree, a line each.
pub(super) fn show_files(ui: &Ui, tree: &GptTree) {
    ui.heading("Files");
    if tree.files().next().is_none() {
        ui.line("none");
        return;
    }
    let rows = tree
        .files()
        .map(|(path, content)| {
            let format = match places::check_format(path, content) {
                None => format!("carried verbatim: {OPAQUE}"),
                Some(Ok(name)) => name.to_owned(),
                Some(Err(reason)) => format!("carried verbatim: {reason}"),
            };
            vec![path.to_string(), content.len().to_string(), format]
        })
        .collect();
    ui.table(&["PATH", "BYTES", "FORMAT"], rows);
}

/// A WMI filter's name and ID; empty when there is none.
pub(super) fn shown_filter(filter: Option<&WmiFilterLink>) -> String {
    filter.map_or_else(String::new, |filter| {
        let name = filter.name.as_deref().unwrap_or("(missing)");
        format!("{name} {}", filter.id)
    })
}

/// The client-side extensions that act on a GPO, a line each.
pub(super) fn show_extensions(ui: &Ui, snapshot: &GpoSnapshot) {
    ui.heading("Client-side extensions");
    let mut rows = Vec::new();
    for (half, list) in [
        ("computer", &snapshot.machine_extensions),
        ("user", &snapshot.user_extensions),
    ] {
        match list.blocks() {
            Ok(blocks) => rows.extend(blocks.into_iter().map(|(extension, _)| {
                let name = client_extension::name_of(extension).unwrap_or("(not of Windows)");
                vec![half.to_owned(), name.to_owned(), extension.to_string()]
            })),
            Err(error) => rows.push(vec![half.to_owned(), error.to_string(), String::new()]),
        }
    }
    if rows.is_empty() {
        return ui.line("none");
    }
    ui.table(&["HALF", "EXTENSION", "GUID"], rows);
}

/// Who has which permission on a GPO, as GPMC's page Delegation; `None` when the descriptor cannot be read.
fn permissions(snapshot: &GpoSnapshot) -> Option<Vec<Permission>> {
    let descriptor = SecurityDescriptor::parse(&snapshot.security_descriptor).ok()?;
    let dacl = descriptor.dacl?;
    let grants = grants(&dacl.aces, Protects::Gpo);
    Some(
        grants
            .iter()
            .map(|grant| Permission {
                name: name_of(snapshot, grant.sid),
                sid: grant.sid.clone(),
                denied: grant.denied,
                rights: grant.levels(Protects::Gpo),
            })
            .collect(),
    )
}

/// What one principal may do with a GPO, or may not.
#[derive(serde::Serialize)]
struct Permission {
    sid: Sid,
    name: Option<String>,
    denied: bool,
    rights: Vec<&'static str>,
}

/// The name of a SID, as far as the snapshot tells it.
fn name_of(snapshot: &GpoSnapshot, sid: &Sid) -> Option<String> {
    let mut known = snapshot.principals.iter().map(|entry| &entry.principal);
    known
        .find(|principal| principal.sid.as_ref() == Some(sid))
        .map(Principal::down_level_name)
        .filter(|name| !name.is_empty())
        .or_else(|| well_known::name_of(sid).map(str::to_owned))
}

/// The permissions for JSON; empty when the descriptor cannot be read.
pub(super) fn permissions_json(snapshot: &GpoSnapshot) -> Vec<serde_json::Value> {
    let all = permissions(snapshot).unwrap_or_default();
    all.iter().map(|entry| serde_json::json!(entry)).collect()
}

/// The permissions, a line each.
pub(super) fn show_permissions(ui: &Ui, snapshot: &GpoSnapshot) {
    ui.heading("Permissions");
    let Some(all) = permissions(snapshot) else {
        return ui.line("not known: there is no security descriptor that can be read");
    };
    let rows = all
        .into_iter()
        .map(|entry| {
            let sid = entry.sid.to_string();
            vec![
                entry.name.unwrap_or_else(|| sid.clone()),
                if entry.denied { "deny" } else { "allow" }.to_owned(),
                entry.rights.join(", "),
                sid,
            ]
        })
        .collect();
    ui.table(&["NAME", "TYPE", "PERMISSION", "SID"], rows);
}

/// References, a line each.
pub(super) fn show_references(ui: &Ui, references: &[Reference]) {
    ui.heading("References");
    if references.is_empty() {
        ui.line("none");
        return;
    }
    let rows = references
        .iter()
        .map(|reference| {
            vec![
                reference.value.clone(),
                reference.name.clone().unwrap_or_default(),
                reference
                    .principal_type
                    .map(|kind| kind.as_str().to_owned())
                    .unwrap_or_default(),
                reference.place.to_string(),
            ]
        })
        .collect();
    ui.table(&["REFERENCE", "NAME", "TYPE", "PLACE"], rows);
}

/// A plan, as a person reads a diff.
pub(super) fn show_plan(ui: &Ui, plan: &Plan) {
    let from = plan
        .source
        .as_ref()
        .map(|source| format!(" from \"{}\" of {}:", source.display_name, source.domain))
        .unwrap_or_default();
    ui.heading(&format!(
        "Plan {}: {}{from} {} \"{}\" {} of {}",
        plan.operation_id,
        plan.verb.as_str(),
        if plan.target.create { "new GPO" } else { "GPO" },
        plan.target.display_name,
        plan.target.guid,
        plan.target.domain,
    ));
    for step in &plan.steps {
        show_step(ui, step);
    }
    if !plan.entries.is_empty() {
        show_entries(ui, plan);
    }
    if let Some(mapping) = &plan.mapping {
        ui.heading("References");
        if mapping.references.is_empty() {
            ui.line("none");
        }
        for reference in &mapping.references {
            show_mapped(ui, reference);
        }
    }
    // A plan without files, as to delete a GPO, lets nothing in.
    if !plan.entries.is_empty() || !plan.risks.is_empty() {
        show_risks(ui, &plan.risks);
    }
    if !plan.messages.is_empty() {
        ui.line("");
    }
}

fn show_entries(ui: &Ui, plan: &Plan) {
    ui.heading("Files");
    let mut unchanged = 0_usize;
    for entry in &plan.entries {
        let (sign, colour) = match entry.change {
            Change::Added => ("+", Colour::Green),
            Change::Changed => ("~", Colour::Yellow),
            Change::Removed => ("-", Colour::Red),
            Change::Unchanged => {
                unchanged += usize::from(!entry.is_dir);
                continue;
            }
        };
        let size = if entry.is_dir {
            "folder".to_owned()
        } else {
            format!("{} bytes", entry.size)
        };
        ui.coloured(colour, &format!("{sign} {} ({size})", entry.path));
    }
    if unchanged > 0 {
        ui.coloured(
            Colour::Dim,
            &format!("  {unchanged} files stay as they are"),
        );
    }
}

/// What runs code or grants rights, a line each.
pub(super) fn show_risks(ui: &Ui, risks: &[Risk]) {
    ui.heading("Runs code or grants rights");
    if risks.is_empty() {
        ui.line("none");
        return;
    }
    let rows = risks
        .iter()
        .map(|risk| {
            vec![
                risk.kind.label().to_owned(),
                risk.text.clone(),
                risk.place.to_string(),
            ]
        })
        .collect();
    ui.table(&["KIND", "WHAT", "PLACE"], rows);
}

fn show_mapped(ui: &Ui, mapped: &MappedReference) {
    let reference = &mapped.reference;
    let row = mapped
        .row_line
        .map(|line| format!(" (row in line {line})"))
        .unwrap_or_default();
    let what = match &reference.name {
        Some(name) if *name != reference.value => format!("{} ({name})", reference.value),
        _ => reference.value.clone(),
    };
    let place = &reference.place;
    match &mapped.outcome {
        Outcome::Kept => ui.line(&format!("  {place}: {what} stays{row}")),
        Outcome::OutOfScope => ui.coloured(
            Colour::Dim,
            &format!("  {place}: {what} stays, outside the scope"),
        ),
        Outcome::Replaced { by, sid } => {
            let new = match sid {
                Some(sid) => format!("{sid} ({by})"),
                None => by.clone(),
            };
            ui.coloured(Colour::Yellow, &format!("~ {place}: {what} -> {new}{row}"));
        }
        Outcome::Removed => ui.coloured(Colour::Red, &format!("- {place}: {what}{row}")),
    }
}

fn show_step(ui: &Ui, step: &Step) {
    let change = |name: &str, from: &str, to: &str| {
        if from == to {
            ui.coloured(Colour::Dim, &format!("  {name}: {}", shown(from)));
        } else {
            ui.coloured(
                Colour::Yellow,
                &format!("~ {name}: {} -> {}", shown(from), shown(to)),
            );
        }
    };
    match step {
        Step::CreateGpo { guid, display_name } => {
            ui.coloured(Colour::Green, &format!("+ GPO \"{display_name}\" {guid}"));
        }
        Step::SetSecurityDescriptor { from, to, .. } => {
            change("permissions", from.as_deref().unwrap_or_default(), to);
        }
        Step::SetLinks { som, from, to } => change(
            &format!("links of {som}"),
            from.as_deref().unwrap_or_default(),
            to.as_deref().unwrap_or_default(),
        ),
        Step::DeleteGpo {
            guid, display_name, ..
        } => {
            ui.coloured(Colour::Red, &format!("- GPO \"{display_name}\" {guid}"));
        }
        Step::Rename { from, to } => change("name", from, to),
        Step::SetStatus { from, to } => change(
            "status",
            super::list::status_word(*from),
            super::list::status_word(Some(*to)),
        ),
        Step::ChangeDirectoryObjects { objects } => {
            for object in objects {
                ui.coloured(Colour::Yellow, &format!("~ object {object}"));
            }
        }
        Step::RemoveDirectoryObjects { count } => {
            ui.coloured(Colour::Red, &format!("- {count} objects below the GPO"));
        }
        Step::AddDirectoryObjects { objects } => {
            for object in objects {
                ui.coloured(Colour::Green, &format!("+ object {object}"));
            }
        }
        Step::ModifyGpo {
            version_from,
            version_to,
            flags_from,
            flags_to,
            machine_extensions_from,
            machine_extensions_to,
            user_extensions_from,
            user_extensions_to,
            display_name,
            wmi_filter,
        } => {
            if let Some(name) = display_name {
                change("name", &name.from, &name.to);
            }
            if let Some(filter) = wmi_filter {
                let text = |filter: &Option<String>| filter.clone().unwrap_or_default();
                change("WMI filter", &text(&filter.from), &text(&filter.to));
            }
            let version = |version: &crate::model::version::GpoVersion| {
                format!("computer {}, user {}", version.machine, version.user)
            };
            change(
                "version",
                &version_from.as_ref().map(version).unwrap_or_default(),
                &version(version_to),
            );
            change(
                "status",
                super::list::status_word(*flags_from),
                super::list::status_word(Some(*flags_to)),
            );
            change(
                "gPCMachineExtensionNames",
                machine_extensions_from.as_str(),
                machine_extensions_to.as_str(),
            );
            change(
                "gPCUserExtensionNames",
                user_extensions_from.as_str(),
                user_extensions_to.as_str(),
            );
        }
        // Shown as the list of files, and as the version.
        Step::StageFiles { .. } | Step::SwitchEntry { .. } | Step::WriteGptIni { .. } => {}
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "none" } else { value }
}
