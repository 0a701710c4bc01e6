//! How a plan is shown: like a diff.

pub(super) mod settings;

use super::permissions::{self, Names};
use super::report::show_risks;
use super::ui::{Colour, Ui, counted};
use crate::message::StatusMessage;
use crate::migration::report::{MappedReference, Outcome};
use crate::model::client_extension;
use crate::model::dn::Dn;
use crate::model::extension_list::ExtensionList;
use crate::model::gp_link::{GpLink, LinkList};
use crate::model::reference::Place;
use crate::model::sid::Sid;
use crate::model::version::GpoVersion;
use crate::plan::gpo::{EntryChange, GpoPlan, PlannedEntry, Step, Verb};
use crate::plan::{Change, Mode, Plan};
use crate::settings::diff::SettingChange;

/// A whole plan, with SIDs where no names were looked up.
pub(super) fn show(ui: &Ui, plan: &Plan) {
    show_with(ui, plan, &Names::new());
}

/// The whole of a plan, with the names of accounts, and its findings.
pub(super) fn show_with(ui: &Ui, plan: &Plan, names: &Names) {
    let id = &plan.operation_id;
    match plan.gpo() {
        Some(gpo) => ui.heading(&format!("Plan {id}: {}", title(plan, gpo))),
        None => ui.heading(&format!("Plan {id}: {}", plan.title)),
    }
    let settings: Vec<Option<Vec<SettingChange>>> =
        plan.gpos().map(|gpo| gpo.setting_changes(names)).collect();
    if let Some(summary) = settings::summary(plan, &settings) {
        ui.line(&summary);
    }
    let mut settings = settings.into_iter();
    if plan.mode == Mode::ObjectByObject {
        ui.line(
            "object by object: one that cannot be changed is left out, and the others are changed",
        );
    }
    for change in &plan.changes {
        match change {
            Change::Gpo(gpo) => {
                if plan.gpo().is_none() {
                    ui.heading(&title(plan, gpo));
                }
                let settings = settings.next().flatten();
                show_gpo(ui, plan, gpo, settings.as_deref(), names);
            }
            Change::Value(planned) => planned
                .summary
                .iter()
                .for_each(|line| ui.coloured(Colour::of_line(line), line)),
        }
    }
    let findings: Vec<StatusMessage> = plan.findings().cloned().collect();
    ui.findings(&findings, plan.said_by);
}

/// What the plan of a GPO does, for its heading.
fn title(plan: &Plan, gpo: &GpoPlan) -> String {
    let from = gpo
        .source
        .as_ref()
        .map(|source| {
            let from = format!("from {} of {}", quoted(&source.display_name), source.domain);
            match plan.said_by {
                Some(who) => format!(" ({who}: {from}):"),
                None => format!(" {from}:"),
            }
        })
        .unwrap_or_default();
    format!(
        "{}{from} {} {} {} of {}",
        match gpo.verb {
            Verb::SetStatus => "change the status of",
            other => other.as_str(),
        },
        if gpo.target.create { "new GPO" } else { "GPO" },
        quoted(&gpo.target.display_name),
        gpo.target.guid,
        gpo.target.domain,
    )
}

/// A name in quotes, out of which it cannot get.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\\\""))
}

/// What the plan changes of one GPO; `settings` is `None` where that is not known setting by setting.
fn show_gpo(
    ui: &Ui,
    whole: &Plan,
    plan: &GpoPlan,
    settings: Option<&[SettingChange]>,
    names: &Names,
) {
    for step in &plan.steps {
        show_step(ui, step);
    }
    permissions::show(ui, plan, names);
    if let Some(settings) = settings {
        settings::show(ui, settings);
    }
    if !plan.entries.is_empty() {
        show_entries(ui, plan, settings);
    }
    if let Some(mapping) = &plan.mapping {
        match whole.said_by {
            Some(who) => ui.heading(&format!("References ({who})")),
            None => ui.heading("References"),
        }
        if mapping.references.is_empty() {
            ui.line("none");
        }
        let mut file = None;
        for mapped in &mapping.references {
            let place = &mapped.reference.place;
            if file != Some(&place.file) {
                file = Some(&place.file);
                ui.line(&format!("  {}", place.file));
            }
            show_mapped(ui, mapped);
        }
    }
    // A plan without files, such as a deletion, adds no settings.
    if !plan.entries.is_empty() || !plan.risks.is_empty() {
        show_risks(ui, &plan.risks, |sid| names.get(sid).cloned());
    }
    if !plan.messages.is_empty() {
        ui.line("");
    }
}

/// The question whether to apply a plan, which names the GPO and the domain.
pub(super) fn question(plan: &Plan) -> String {
    let Some(plan) = plan.gpo() else {
        return format!("Apply this plan in {}?", plan.domain);
    };
    let target = &plan.target;
    let (name, domain) = (&target.display_name, &target.domain);
    let what = match plan.verb {
        Verb::Delete => format!("Delete \"{name}\""),
        Verb::Rename => format!("Rename \"{name}\" to \"{}\"", plan.name_after()),
        Verb::SetStatus => format!("Change the status of \"{name}\""),
        Verb::Restore if target.create => format!("Recreate \"{name}\""),
        _ if target.create => format!("Create \"{name}\""),
        Verb::Restore => format!("Restore \"{name}\""),
        Verb::Import | Verb::Copy | Verb::Create => {
            format!("Replace the settings of \"{name}\"")
        }
    };
    format!("{what} in {domain}?")
}

/// The files and folders. Those whose change is shown setting by setting are counted, unless the caller wants to see everything.
fn show_entries(ui: &Ui, plan: &GpoPlan, settings: Option<&[SettingChange]>) {
    let shown_as_settings = settings::files(settings.unwrap_or_default());
    let only_counted = |entry: &PlannedEntry| {
        settings.is_some()
            && !ui.is_verbose()
            && (entry.is_dir || shown_as_settings.contains(&entry.path.folded()))
    };
    let is_change = |entry: &&PlannedEntry| entry.change != EntryChange::Unchanged;
    let changed = || plan.entries.iter().filter(is_change);
    let counted_files = changed().filter(|entry| only_counted(entry) && !entry.is_dir);
    let counted_files = counted_files.count();
    if settings.is_some() && !changed().any(|entry| !only_counted(entry)) {
        if counted_files > 0 {
            ui.line("");
            let files = counted(counted_files, "file");
            ui.coloured(
                Colour::Dim,
                &format!("Files: {files} changed (-v lists them)"),
            );
        }
        return;
    }
    ui.heading("Files");
    let mut unchanged = 0_usize;
    for entry in plan.entries.iter().filter(|entry| !only_counted(entry)) {
        let (sign, colour) = match entry.change {
            EntryChange::Added => ("+", Colour::Green),
            EntryChange::Changed => ("~", Colour::Yellow),
            EntryChange::Removed => ("-", Colour::Red),
            EntryChange::Unchanged => {
                unchanged += usize::from(!entry.is_dir);
                continue;
            }
        };
        let size = if entry.is_dir {
            "folder".to_owned()
        } else {
            counted(entry.size, "byte")
        };
        ui.coloured(colour, &format!("{sign} {} ({size})", entry.path));
    }
    if counted_files > 0 {
        let files = counted(counted_files, "file");
        let text = format!("  {files} changed by the settings above (-v lists them)");
        ui.coloured(Colour::Dim, &text);
    }
    if unchanged > 0 {
        ui.coloured(
            Colour::Dim,
            &format!("  {} unchanged", counted(unchanged, "file")),
        );
    }
}

fn show_mapped(ui: &Ui, mapped: &MappedReference) {
    let reference = &mapped.reference;
    let row = mapped
        .row_line
        .map(|line| format!(" (row in line {line})"))
        .unwrap_or_default();
    let what = match &reference.name {
        Some(name) if reference.value.parse::<Sid>().is_ok() => {
            format!("{name} ({})", reference.value)
        }
        Some(name) if *name != reference.value.as_str() => format!("{} ({name})", reference.value),
        _ => reference.value.clone(),
    };
    let place = within_file(&reference.place);
    match &mapped.outcome {
        Outcome::Kept => ui.line(&format!("    {place}{what}: unchanged{row}")),
        Outcome::OutOfScope => ui.coloured(
            Colour::Dim,
            &format!("    {place}{what}: unchanged, outside the scope"),
        ),
        Outcome::Replaced { by, sid } => {
            let new = match sid {
                Some(sid) => format!("{by} ({sid})"),
                None => by.clone(),
            };
            ui.coloured(Colour::Yellow, &format!("~   {place}{what} -> {new}{row}"));
        }
        Outcome::Removed => ui.coloured(Colour::Red, &format!("-   {place}{what}{row}")),
    }
}

/// A place below the heading that names its file.
fn within_file(place: &Place) -> String {
    let line = place.line.map(|line| format!(":{line}"));
    let section = place.section.as_ref().map(|section| format!("[{section}]"));
    let key = place.key.as_ref().map(ToString::to_string);
    let parts: Vec<String> = [line, section, key].into_iter().flatten().collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("{}: ", parts.join(" "))
    }
}

/// What is removed and what is added, a line each. Where no line differs, the two texts are shown.
fn show_difference(ui: &Ui, what: &str, old: &[String], new: &[String], texts: (&str, &str)) {
    let gone: Vec<_> = old.iter().filter(|line| !new.contains(line)).collect();
    let come: Vec<_> = new.iter().filter(|line| !old.contains(line)).collect();
    if gone.is_empty() && come.is_empty() {
        if texts.0 == texts.1 {
            return ui.coloured(Colour::Dim, &format!("  {what}: unchanged"));
        }
        let (from, to) = (shown(texts.0), shown(texts.1));
        return ui.coloured(Colour::Yellow, &format!("~ {what}: {from} -> {to}"));
    }
    for line in gone {
        ui.coloured(Colour::Red, &format!("- {what}: {line}"));
    }
    for line in come {
        ui.coloured(Colour::Green, &format!("+ {what}: {line}"));
    }
}

/// The extensions of a list, by name.
fn extension_lines(list: &ExtensionList) -> Vec<String> {
    let blocks = list.blocks().unwrap_or_default();
    blocks
        .into_iter()
        .map(
            |(extension, _)| match client_extension::name_of(extension) {
                Some(name) => format!("{name} {extension}"),
                None => extension.to_string(),
            },
        )
        .collect()
}

/// The links of a `gPLink`.
fn link_lines(value: &str) -> Vec<String> {
    let line = |link: &GpLink| {
        let enforced = if link.is_enforced() { ", enforced" } else { "" };
        let disabled = if link.is_disabled() { ", disabled" } else { "" };
        format!("{}{enforced}{disabled}", link.dn)
    };
    LinkList::parse(value).links().map(line).collect()
}

/// A domain, OU or site as `corp.example/Staff`; a text that is not a DN as it is.
pub(super) fn container(dn: &str) -> String {
    Dn::parse(dn).map_or_else(|_| dn.to_owned(), |dn| dn.canonical_name())
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
        Step::SetLinks { som, from, to } => {
            let from = from.as_deref().unwrap_or_default();
            let to = to.as_deref().unwrap_or_default();
            let (old, new) = (link_lines(from), link_lines(to));
            show_difference(
                ui,
                &format!("link of {}", container(som)),
                &old,
                &new,
                (from, to),
            );
        }
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
            ui.coloured(
                Colour::Red,
                &format!("- {} below the GPO", counted(*count, "object")),
            );
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
            change(
                "version",
                &version_from.map(GpoVersion::in_words).unwrap_or_default(),
                &version_to.in_words(),
            );
            let status = super::list::status_word(Some(*flags_to));
            match flags_from {
                None => ui.coloured(Colour::Green, &format!("+ status: {status}")),
                Some(_) => change("status", super::list::status_word(*flags_from), status),
            }
            for (what, from, to) in [
                (
                    "computer extension",
                    machine_extensions_from,
                    machine_extensions_to,
                ),
                ("user extension", user_extensions_from, user_extensions_to),
            ] {
                let (old, new) = (extension_lines(from), extension_lines(to));
                show_difference(ui, what, &old, &new, (from.as_str(), to.as_str()));
            }
        }
        // Shown as the permissions, as the list of files, and as the version.
        Step::SetSecurityDescriptor { .. }
        | Step::StageFiles { .. }
        | Step::SwitchEntry { .. }
        | Step::WriteGptIni { .. } => {}
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "none" } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_get_out_of_its_quotes() {
        assert_eq!(quoted("Desks"), "\"Desks\"");
        assert_eq!(quoted("A\" of x): GPO \"B"), r#""A\" of x): GPO \"B""#);
    }
}
