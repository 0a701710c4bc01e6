//! The settings that a plan changes: counted in one line, then each in a line of its own, grouped by extension.

use std::collections::BTreeSet;

use crate::cli::ui::{Colour, MOST_UNUSED_ROWS, Ui, counted};
use crate::message::{Code, Severity, StatusMessage};
use crate::migration::report::Outcome;
use crate::plan::Plan;
use crate::plan::gpo::{EntryChange, Verb};
use crate::settings::diff::SettingChange;
use crate::settings::{Half, Setting};

/// The most settings of one GPO that are listed, unless the caller wants to see everything or more than these change or are lost.
const MOST_LISTED: usize = 30;
/// The most characters of an added or removed value that are shown, likewise.
const MOST_SHOWN: usize = 300;

/// What a plan changes, in one line; `None` for a plan without files, such as that of a link.
pub(super) fn summary(plan: &Plan, settings: &[Option<Vec<SettingChange>>]) -> Option<String> {
    let gives_settings = |verb| matches!(verb, Verb::Import | Verb::Restore | Verb::Copy);
    let (gpos, settings): (Vec<_>, Vec<_>) = plan
        .gpos()
        .zip(settings)
        .filter(|(gpo, _)| gives_settings(gpo.verb))
        .unzip();
    if gpos.is_empty() {
        return None;
    }
    let mut parts = vec![settings_part(&settings)];
    let mappings = gpos.iter().filter_map(|gpo| gpo.mapping.as_ref());
    let outcomes: Vec<&Outcome> = mappings
        .flat_map(|mapping| &mapping.references)
        .map(|mapped| &mapped.outcome)
        .collect();
    let number = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    parts.extend(listed(
        "reference",
        &[
            (
                number(|it| matches!(it, Outcome::Replaced { .. })),
                "mapped",
            ),
            (number(|it| matches!(it, Outcome::Removed)), "removed"),
            (
                number(|it| matches!(it, Outcome::Kept | Outcome::OutOfScope)),
                "unchanged",
            ),
        ],
    ));
    match gpos.iter().map(|gpo| gpo.risks.len()).sum() {
        0 => {}
        1 => parts.push("1 runs code or grants rights".to_owned()),
        number => parts.push(format!("{number} run code or grant rights")),
    }
    for (severity, word) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        let found: Vec<_> = plan
            .findings()
            .filter(|it| it.severity == severity)
            .collect();
        // As many as are shown: many rows that are not used are one line.
        let is_unused = |it: &&&StatusMessage| it.code == Code::UnusedRow;
        let found = match found.iter().filter(is_unused).count() {
            unused if unused > MOST_UNUSED_ROWS => {
                found.len().saturating_sub(unused).saturating_add(1)
            }
            _ => found.len(),
        };
        if found > 0 {
            parts.push(counted(found, word));
        }
    }
    Some(format!(
        "{}: {}",
        counted(gpos.len(), "GPO"),
        parts.join("; ")
    ))
}

fn settings_part(settings: &[&Option<Vec<SettingChange>>]) -> String {
    if settings.iter().any(|changes| changes.is_none()) {
        return "settings unknown (made by an older version of gpoctl)".to_owned();
    }
    let changes = || settings.iter().copied().flatten().flatten();
    let number = |kind| changes().filter(|change| change.change == kind).count();
    let kinds = [
        (number(EntryChange::Added), "added"),
        (number(EntryChange::Changed), "changed"),
        (number(EntryChange::Removed), "removed"),
    ];
    listed("setting", &kinds).unwrap_or_else(|| "no setting changes".to_owned())
}

/// `3 settings added, 2 changed`; `None` for none.
fn listed(what: &str, kinds: &[(usize, &str)]) -> Option<String> {
    let mut found = kinds.iter().filter(|(number, _)| *number > 0);
    let (number, verb) = found.next()?;
    let mut text = format!("{} {verb}", counted(*number, what));
    for (number, verb) in found {
        text.push_str(&format!(", {number} {verb}"));
    }
    Some(text)
}

/// The files whose change is shown as settings, in lower case with forward slashes.
pub(super) fn files(changes: &[SettingChange]) -> BTreeSet<String> {
    let settings = changes.iter().flat_map(|change| [&change.old, &change.new]);
    settings
        .flatten()
        .map(|setting| setting.place.file.replace('\\', "/").to_lowercase())
        .collect()
}

/// Each change in a line.
pub(super) fn show(ui: &Ui, changes: &[SettingChange]) {
    if changes.is_empty() {
        return;
    }
    ui.heading("Settings");
    // What is lost or becomes different is never left out; of what is new, the rest of the lines.
    let kept = changes.iter().filter(|change| !is_new(change)).count();
    let mut new_left = match ui.is_verbose() {
        true => changes.len(),
        false => MOST_LISTED.saturating_sub(kept),
    };
    let mut more = 0_usize;
    let mut group = None;
    for change in changes {
        if is_new(change) {
            if new_left == 0 {
                more = more.saturating_add(1);
                continue;
            }
            new_left = new_left.saturating_sub(1);
        }
        let Some(setting) = change.setting() else {
            continue;
        };
        if group.is_none_or(|group| !is_same_group(group, setting)) {
            ui.line(&format!("  {}", group_text(setting)));
            group = Some(setting);
        }
        let (sign, colour) = match change.change {
            EntryChange::Added => ('+', Colour::Green),
            EntryChange::Removed => ('-', Colour::Red),
            EntryChange::Changed | EntryChange::Unchanged => ('~', Colour::Yellow),
        };
        let text = change.text();
        // The two sides of a change are shown whole: they may differ at their ends.
        let text = match change.change {
            EntryChange::Changed => text,
            _ => clipped(ui, text),
        };
        ui.coloured(colour, &format!("{sign}   {text}"));
    }
    if more > 0 {
        let text = format!(
            "  and {} (-v lists them)",
            counted(more, "more new setting")
        );
        ui.coloured(Colour::Dim, &text);
    }
}

fn is_new(change: &SettingChange) -> bool {
    change.change == EntryChange::Added
}

/// Whether two settings are listed under the same line.
pub(in crate::cli) fn is_same_group(one: &Setting, other: &Setting) -> bool {
    (one.half, one.extension, &one.category) == (other.half, other.extension, &other.category)
}

/// The line above the settings of a category: `Computer, Security: Account Policies/Password Policy`.
pub(in crate::cli) fn group_text(setting: &Setting) -> String {
    let (half, extension) = (setting.half.label(), setting.extension.name());
    match setting.category.as_str() {
        _ if setting.half == Half::Gpo => half.to_owned(),
        "" => format!("{half}, {extension}"),
        category => format!("{half}, {extension}: {category}"),
    }
}

/// A text cut to what is shown of it, with its length.
pub(in crate::cli) fn clipped(ui: &Ui, text: String) -> String {
    let length = text.chars().count();
    if ui.is_verbose() || length <= MOST_SHOWN {
        return text;
    }
    let beginning: String = text.chars().take(MOST_SHOWN).collect();
    format!("{beginning}… ({length} characters; -v shows them)")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::migration::report::{MappedReference, MappingReport};
    use crate::model::gpt_tree::GptTree;
    use crate::model::reference::{Place, Reference, ReferenceKind, Scope};
    use crate::plan::gpo::{GpoPlan, PlanTarget, plan_entries};
    use crate::settings::Names;

    fn target() -> PlanTarget {
        PlanTarget {
            guid: "{11111111-2222-3333-4444-555555555555}".parse().unwrap(),
            display_name: "Desks".to_owned(),
            domain: "src.test".parse().unwrap(),
            create: true,
        }
    }

    fn summary_of(gpo: GpoPlan) -> Option<String> {
        let plan = Plan::of(gpo);
        let settings: Vec<_> = plan
            .gpos()
            .map(|gpo| gpo.setting_changes(&Names::new()))
            .collect();
        summary(&plan, &settings)
    }

    #[test]
    fn one_line_counts_what_a_plan_does() {
        let mut tree = GptTree::new();
        let template = "[System Access]\nMinimumPasswordLength = 4\nLockoutBadCount = 3\n\
             [Privilege Rights]\nSeDebugPrivilege = *S-1-1-0\n";
        tree.insert_file(
            &r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf"
                .parse()
                .unwrap(),
            Bytes::from_static(template.as_bytes()),
        );
        let (entries, contents) = plan_entries(&GptTree::new(), &tree);
        let mut plan = GpoPlan {
            entries,
            contents,
            ..GpoPlan::new(Verb::Import, target())
        };
        assert_eq!(summary_of(plan.clone()).unwrap(), "1 GPO: 3 settings added");
        plan.risks = plan.describe_risks().unwrap();
        let mapped = |outcome| MappedReference {
            reference: Reference {
                kind: ReferenceKind::Principal,
                value: "x".to_owned(),
                sid: None,
                name: None,
                principal_type: None,
                place: Place::default(),
                scope: Scope::Gpmc,
                from_dacl: false,
            },
            outcome,
            row_line: None,
        };
        let replaced = Outcome::Replaced {
            by: "y".to_owned(),
            sid: None,
        };
        plan.mapping = Some(MappingReport {
            references: vec![
                mapped(replaced.clone()),
                mapped(replaced),
                mapped(Outcome::Kept),
            ],
            ..MappingReport::default()
        });
        plan.messages = vec![StatusMessage::warning(Code::UnusedRow, "x")];
        assert_eq!(
            summary_of(plan.clone()).unwrap(),
            "1 GPO: 3 settings added; 2 references mapped, 1 unchanged; 2 run code or grant rights; 1 warning"
        );
        plan.messages = vec![StatusMessage::warning(Code::UnusedRow, "x"); 38];
        plan.messages
            .push(StatusMessage::warning(Code::PartialBackup, "x"));
        assert!(summary_of(plan).unwrap().ends_with("; 2 warnings"));
        let nothing = GpoPlan::new(Verb::Copy, target());
        assert_eq!(summary_of(nothing).unwrap(), "1 GPO: no setting changes");
        assert_eq!(summary_of(GpoPlan::new(Verb::Delete, target())), None);
    }
}
