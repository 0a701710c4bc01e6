//! References in GptTmpl.inf.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bytes::Bytes;

use super::list::{self, ListEdit};
use super::text::{Context, Decision, Outcome};
use crate::formats::gpt_tmpl::{GptTmpl, Membership, Setting, unquoted};
use crate::formats::ini::{self, IniFile, IniLine, splice};
use crate::model::reference::{Place, Scope};

/// A line of `[Group Membership]` after visiting, before it is known whether it can be written.
struct GroupLine {
    number: usize,
    place: Place,
    /// The group as it stands and as it is to stand, folded.
    from: String,
    to: String,
    side: Membership,
    /// The new text of the line; `None` for a line that is to go.
    text: Option<String>,
}

/// Visits the settings in order of the lines.
pub(super) fn visit(
    file: &str,
    bytes: &Bytes,
    context: &mut Context<'_, '_>,
) -> Result<IniFile, String> {
    let tmpl = GptTmpl::parse(bytes).map_err(|error| error.to_string())?;
    let mut new = tmpl.ini.clone();
    let mut groups = Vec::new();
    for (line, setting) in tmpl.settings() {
        let place = |key: &str| {
            Place::file(file)
                .section(line.section.unwrap_or_default())
                .key(key)
                .line(line.number)
        };
        match setting {
            Setting::PrivilegeRight { right, members } => {
                let place = place(right);
                if let Some(edit) = members_of(&line, members.clone(), &place, context) {
                    if edit.empty {
                        let text = format!("{right} has no members any more: nobody has it");
                        context.warning("empty-list", text, &place);
                    }
                    let text = with_list(&tmpl.ini, &line, line.text, members, &edit);
                    new.set_text(line.number, text);
                }
            }
            Setting::GroupMembership {
                group,
                side,
                members,
            } => {
                let key = line.pair().map(|(key, _)| key).unwrap_or_default();
                groups.push(group_line(
                    &tmpl.ini,
                    &line,
                    (group, side, members),
                    place(key),
                    context,
                ));
            }
            Setting::Secured { name, sddl, .. } => {
                let place = place(line.text.get(name).unwrap_or_default());
                let descriptor = line.text.get(sddl.clone()).unwrap_or_default();
                match context.free_text(descriptor, &place, Scope::Gpmc) {
                    Outcome::Unchanged => {}
                    Outcome::Changed(text) => {
                        new.set_text(line.number, splice(line.text, sddl, &text));
                    }
                    Outcome::Dropped => new.set_text(line.number, splice(line.text, sddl, "")),
                }
            }
            Setting::RegistryValue {
                path,
                value_type,
                data,
            } => {
                let place = place(path);
                match registry_value(line.text, value_type, data, &place, context) {
                    Outcome::Unchanged => {}
                    Outcome::Changed(text) => new.set_text(line.number, text),
                    Outcome::Dropped => {
                        let text = "the value was nothing but a reference that is to go, so the line was removed";
                        context.warning("setting-removed", text, &place);
                        new.remove_line(line.number);
                    }
                }
            }
            Setting::Other { .. } => {}
        }
    }
    write_groups(groups, &mut new, context);
    Ok(new)
}

/// Visits a list of principals.
fn members_of(
    line: &IniLine<'_>,
    members: Range<usize>,
    place: &Place,
    context: &mut Context<'_, '_>,
) -> Option<ListEdit> {
    let list = line.text.get(members)?;
    let edit = list::edit(list, ',', |item| context.principal(item, place))?;
    for item in &edit.duplicates {
        let text = format!("{item} would stand twice in the list after mapping; it stands once");
        context.warning("duplicate-member", text, place);
    }
    Some(edit)
}

/// A line with another list. An empty one is written as the section writes its empty lists.
fn with_list(
    ini: &IniFile,
    line: &IniLine<'_>,
    text: &str,
    list: Range<usize>,
    edit: &ListEdit,
) -> String {
    if !edit.value.is_empty() {
        return splice(text, list, &edit.value);
    }
    let head = text.split_once('=').map_or(text, |(head, _)| head);
    let tail = ini
        .lines()
        .filter(|other| other.section.is_some() && other.section == line.section)
        .filter_map(|other| other.text.split_once('='))
        .map(|(_, tail)| tail)
        .find(|tail| ini::trim(tail).is_empty())
        .unwrap_or_default();
    [head, "=", tail].concat()
}

fn group_line(
    ini: &IniFile,
    line: &IniLine<'_>,
    (group, side, members): (Range<usize>, Membership, Range<usize>),
    place: Place,
    context: &mut Context<'_, '_>,
) -> GroupLine {
    let name = line.text.get(group.clone()).unwrap_or_default();
    let decision = context.principal(name, &place);
    let edit = members_of(line, members.clone(), &place, context);
    let from = name.to_lowercase();
    let mut to = from.clone();
    // The list stands behind the group, so it is written first and the group's span stays good.
    let mut text = match &edit {
        Some(edit) => {
            if edit.empty {
                let what = match side {
                    Membership::Members => "has no members any more: everyone is taken out of it",
                    Membership::MemberOf => "is in no groups any more",
                };
                context.warning("empty-list", format!("{name} {what}"), &place);
            }
            Some(with_list(ini, line, line.text, members, edit))
        }
        None => Some(line.text.to_owned()),
    };
    match decision {
        Decision::Keep => {}
        Decision::Replace(new) => {
            to = new.to_lowercase();
            text = text.map(|text| splice(&text, group, &new));
        }
        Decision::Remove => text = None,
    }
    GroupLine {
        number: line.number,
        place,
        from,
        to,
        side,
        text,
    }
}

/// Writes the lines of groups, but not those of different groups that would become one: which of two lists holds is not ours
/// to say.
fn write_groups(groups: Vec<GroupLine>, new: &mut IniFile, context: &mut Context<'_, '_>) {
    // Those that become one group: the first name, and whether another name is among them.
    let mut merged: HashMap<(bool, &str), (&str, bool)> = HashMap::new();
    let key = |group: &GroupLine| group.side == Membership::Members;
    for group in groups.iter().filter(|group| group.text.is_some()) {
        let (first, several) = merged
            .entry((key(group), &group.to))
            .or_insert((&group.from, false));
        *several |= *first != group.from;
    }
    let colliding: HashSet<usize> = groups
        .iter()
        .filter(|group| group.text.is_some())
        .filter(|group| {
            let found = merged.get(&(key(group), group.to.as_str()));
            found.is_some_and(|(_, several)| *several)
        })
        .map(|group| group.number)
        .collect();
    for group in groups {
        if colliding.contains(&group.number) {
            let text = format!(
                "{} and another group of this file would both become {}, so their lines stay as they are",
                group.from, group.to
            );
            context.error("colliding-sections", text, &group.place);
            continue;
        }
        match group.text {
            Some(text) => new.set_text(group.number, text),
            None => {
                let text = format!("the line of {} was removed with its group", group.from);
                context.warning("setting-removed", text, &group.place);
                new.remove_line(group.number);
            }
        }
    }
}

/// Visits the data of a line of `[Registry Values]`: strings only. The whole line comes back.
fn registry_value(
    line: &str,
    value_type: u32,
    data: Range<usize>,
    place: &Place,
    context: &mut Context<'_, '_>,
) -> Outcome {
    let fields = match value_type {
        1 | 2 => vec![data.clone()],
        7 => quoted_fields(line, data.clone()),
        _ => return Outcome::Unchanged,
    };
    let mut changed = false;
    let mut kept = Vec::new();
    for field in fields {
        let inside = unquoted(line, ini::trimmed_span(line, field.clone()));
        let raw = line.get(field.clone()).unwrap_or_default();
        let text = line.get(inside.clone()).unwrap_or_default();
        match context.free_text(text, place, Scope::All) {
            Outcome::Unchanged => kept.push(raw.to_owned()),
            Outcome::Changed(text) => {
                changed = true;
                let inside = inside.start - field.start..inside.end - field.start;
                kept.push(splice(raw, inside, &text));
            }
            Outcome::Dropped => changed = true,
        }
    }
    match (changed, kept.is_empty()) {
        (false, _) => Outcome::Unchanged,
        (true, true) => Outcome::Dropped,
        (true, false) => Outcome::Changed(splice(line, data, &kept.join(","))),
    }
}

/// The spans between the commas that stand outside of quotes.
fn quoted_fields(line: &str, data: Range<usize>) -> Vec<Range<usize>> {
    let mut fields = Vec::new();
    let mut start = data.start;
    let mut quoted = false;
    for (offset, byte) in line
        .get(data.clone())
        .unwrap_or_default()
        .bytes()
        .enumerate()
    {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                fields.push(start..data.start + offset);
                start = data.start + offset + 1;
            }
            _ => {}
        }
    }
    fields.push(start..data.end);
    fields
}
