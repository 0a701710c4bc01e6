//! What several commands show in the same way: files, references, permissions, risks.

use std::collections::HashMap;

use super::permissions::with_names;
use super::plan::settings as plan;
use super::ui::Ui;
use crate::migration::references;
use crate::model::client_extension;
use crate::model::digest::sha256;
use crate::model::gpt_tree::GptTree;
use crate::model::grant::{SecuredObject, grants};
use crate::model::principal::Principal;
use crate::model::reference::Reference;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;
use crate::model::snapshot::{GpoSnapshot, WmiFilterLink};
use crate::model::well_known;
use crate::plan::risks::Risk;
use crate::settings::Settings;

/// The format of a file of no known format, such as a script or an installer.
const OPAQUE: &str = "other file (copied unchanged)";

/// What a GPO sets, a line for each setting, grouped by extension; then the files that are not decoded.
pub(super) fn show_settings(ui: &Ui, settings: &Settings) {
    ui.heading("Settings");
    if settings.settings.is_empty() {
        ui.line("none");
    }
    let mut group = None;
    for setting in &settings.settings {
        if group.is_none_or(|group| !plan::is_same_group(group, setting)) {
            ui.line(&plan::group_text(setting));
            group = Some(setting);
        }
        let text = format!("  {}: {}", setting.name, setting.value_text());
        ui.line(&plan::clipped(ui, text));
    }
    if settings.not_decoded.is_empty() {
        return;
    }
    ui.heading("Files that are not decoded");
    let rows = settings
        .not_decoded
        .iter()
        .map(|file| {
            vec![
                file.path.to_string(),
                file.size.to_string(),
                file.reason.clone(),
                file.sha256.clone(),
            ]
        })
        .collect();
    ui.table(&["PATH", "BYTES", "WHY", "SHA-256"], rows);
}

/// The files of a tree with size, hash and format, for JSON.
pub(super) fn files_json(tree: &GptTree) -> Vec<serde_json::Value> {
    tree.files()
        .map(|(path, content)| {
            let format = references::check_format(path, content);
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
            let format = match references::check_format(path, content) {
                None => OPAQUE.to_owned(),
                Some(Ok(name)) => name.to_owned(),
                Some(Err(reason)) => format!("not readable (copied unchanged): {reason}"),
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

/// The client-side extensions of a GPO, a line each.
pub(super) fn show_extensions(ui: &Ui, snapshot: &GpoSnapshot) {
    ui.heading("Client-side extensions");
    let mut rows = Vec::new();
    for (half, list) in [
        ("computer", &snapshot.machine_extensions),
        ("user", &snapshot.user_extensions),
    ] {
        match list.blocks() {
            Ok(blocks) => rows.extend(blocks.into_iter().map(|(extension, _)| {
                let name =
                    client_extension::name_of(extension).unwrap_or("(not a Windows extension)");
                vec![half.to_owned(), name.to_owned(), extension.to_string()]
            })),
            Err(error) => rows.push(vec![half.to_owned(), error.to_string(), String::new()]),
        }
    }
    if rows.is_empty() {
        return ui.line("none");
    }
    ui.table(&["CONFIGURATION", "EXTENSION", "GUID"], rows);
}

/// The permissions on a GPO, as on GPMC's Delegation tab; `None` when the descriptor cannot be read.
fn permissions(snapshot: &GpoSnapshot) -> Option<Vec<Permission>> {
    let descriptor = SecurityDescriptor::parse(&snapshot.security_descriptor).ok()?;
    let dacl = descriptor.dacl?;
    let grants = grants(&dacl.aces, SecuredObject::Gpo);
    Some(
        grants
            .iter()
            .map(|grant| Permission {
                name: name_of(snapshot, grant.sid),
                sid: grant.sid.clone(),
                denied: grant.denied,
                below_only: grant.below_only(),
                rights: grant.levels(SecuredObject::Gpo),
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
    /// Whether it applies to child objects only.
    below_only: bool,
    rights: Vec<&'static str>,
}

/// The name of a SID, as far as the snapshot contains it.
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
        return ui.line("unknown: the security descriptor cannot be read");
    };
    let rows = all
        .into_iter()
        .map(|entry| {
            let sid = entry.sid.to_string();
            let below = if entry.below_only {
                " (child objects only)"
            } else {
                ""
            };
            vec![
                entry.name.unwrap_or_else(|| sid.clone()),
                if entry.denied { "deny" } else { "allow" }.to_owned(),
                entry.rights.join(", ") + below,
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
    for part in references.chunks(ROWS_AT_ONCE) {
        show_part(ui, part);
    }
}

/// How many rows are aligned with each other: the text of a table takes a multiple of what is in it.
const ROWS_AT_ONCE: usize = 2_000;

fn show_part(ui: &Ui, references: &[Reference]) {
    let rows = references
        .iter()
        .map(|reference| {
            vec![
                reference.value.clone(),
                reference.name.as_deref().unwrap_or_default().to_owned(),
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

/// A document with the content of a GPO, which is not copied into it. Each part is made when it is written, and dropped: together
/// they take a multiple of what one of them takes.
#[derive(serde::Serialize)]
pub(super) struct WithContent<'a> {
    #[serde(flatten)]
    pub(super) document: serde_json::Value,
    /// The settings, and the files that are not decoded.
    #[serde(flatten)]
    pub(super) settings: Made<'a, Settings>,
    pub(super) references: Made<'a, Vec<Reference>>,
    pub(super) risks: Made<'a, Vec<Risk>>,
}

/// A part of a document that is made when it is written.
pub(super) struct Made<'a, T>(pub(super) &'a dyn Fn() -> T);

impl<T: serde::Serialize> serde::Serialize for Made<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0)().serialize(serializer)
    }
}

/// What of a snapshot runs code or grants rights, with the names that the snapshot contains.
pub(super) fn show_risks_of(ui: &Ui, snapshot: &GpoSnapshot, risks: &[Risk]) {
    let names = names_of(snapshot);
    show_risks(ui, risks, |sid| {
        let known = names.get(sid).copied().map(Principal::down_level_name);
        known
            .filter(|name| !name.is_empty())
            .or_else(|| well_known::name_of(sid).map(str::to_owned))
    });
}

/// The principals of a snapshot, by SID.
fn names_of(snapshot: &GpoSnapshot) -> HashMap<&Sid, &Principal> {
    let mut names = HashMap::new();
    for entry in &snapshot.principals {
        if let Some(sid) = &entry.principal.sid {
            names.entry(sid).or_insert(&entry.principal);
        }
    }
    names
}

/// What runs code or grants rights, a line each, with these names of accounts.
pub(super) fn show_risks(ui: &Ui, risks: &[Risk], name_of: impl Fn(&Sid) -> Option<String>) {
    ui.heading("Runs code or grants rights");
    if risks.is_empty() {
        ui.line("none");
        return;
    }
    for part in risks.chunks(ROWS_AT_ONCE) {
        let rows = part
            .iter()
            .map(|risk| {
                vec![
                    risk.kind.label().to_owned(),
                    with_names(&risk.text, &name_of),
                    risk.place.to_string(),
                ]
            })
            .collect();
        ui.table(&["KIND", "WHAT", "PLACE"], rows);
    }
}
