//! References in GptTmpl.inf.

use crate::message::Code;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bytes::Bytes;

use super::context::{Context, TextRewrite};
use super::list::{self, ListEdit};
use super::other_lines;
use super::text::{RewrittenText, SpanEdit, apply, may_hold_reference};
use crate::formats::gpt_tmpl::{GptTmpl, Membership, Setting, unquoted};
use crate::formats::ini::{self, IniFile, IniLine, splice};
use crate::model::reference::{Place, Scope};
use crate::model::registry_secrets;
use crate::model::shared_text::SharedText;

/// A line of `[Group Membership]` after visiting, before it is known whether it can be written.
struct GroupLine {
    number: usize,
    place: Place,
    /// The old and the new group, in lower case.
    from: String,
    to: String,
    side: Membership,
    /// The new text of the line; `None` for a line that is to be removed.
    text: Option<String>,
}

/// The new content of a file, and the information needed to write it.
struct RewrittenTemplate<'a> {
    ini: IniFile,
    /// How each section writes its empty lists: the text after `=`.
    empty_lists: HashMap<ListSection, &'a str>,
    /// The lines whose key, path or service was renamed.
    renamed: Vec<(usize, Place)>,
}

/// The sections with lists of principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ListSection {
    PrivilegeRights,
    GroupMembership,
}

/// Visits the settings in order of the lines.
pub(super) fn visit(
    file: &SharedText,
    bytes: &Bytes,
    context: &mut Context<'_, '_>,
) -> Result<IniFile, String> {
    let tmpl = GptTmpl::parse(bytes).map_err(|error| error.to_string())?;
    let mut new = RewrittenTemplate {
        ini: tmpl.ini.clone(),
        empty_lists: empty_lists(&tmpl),
        renamed: Vec::new(),
    };
    let mut groups = Vec::new();
    let mut settings = tmpl.settings().peekable();
    for line in tmpl.ini.lines() {
        let setting = settings.next_if(|(other, _)| other.number == line.number);
        let section = context.shared(line.section.unwrap_or_default());
        let place = |key: &str| {
            Place::file(file)
                .section(&section)
                .key(key)
                .line(line.number)
        };
        match setting.map(|(_, setting)| setting) {
            Some(Setting::PrivilegeRight { right, members }) => {
                let place = place(right);
                if let Some(edit) = rewrite_members(&line, members.clone(), &place, context) {
                    if edit.empty {
                        let text = format!("{right} has no members left, so no account has it");
                        context.warning(Code::EmptyList, text, &place);
                    }
                    let text =
                        new.with_list(ListSection::PrivilegeRights, line.text, members, &edit);
                    new.ini.set_text(line.number, text);
                }
            }
            Some(Setting::GroupMembership {
                group,
                side,
                members,
            }) => {
                let key = line.pair().map(|(key, _)| key).unwrap_or_default();
                groups.push(group_line(
                    &new,
                    &line,
                    (group, side, members),
                    place(key),
                    context,
                ));
            }
            Some(Setting::Secured { name, sddl, .. }) => {
                let place = place(line.text.get(name.clone()).unwrap_or_default());
                let mut edits = Vec::new();
                edits.extend(rewrite_name(line.text, name, &place, context));
                let renamed = !edits.is_empty();
                let descriptor = line.text.get(sddl.clone()).unwrap_or_default();
                match context.free_text(descriptor, &place, Scope::Gpmc) {
                    RewrittenText::Unchanged => {}
                    RewrittenText::Changed(text) => edits.push((sddl, text)),
                    RewrittenText::Removed => edits.push((sddl, String::new())),
                }
                if !edits.is_empty() {
                    new.ini.set_text(line.number, apply(line.text, edits).0);
                }
                if renamed {
                    new.renamed.push((line.number, place));
                }
            }
            Some(Setting::RegistryValue {
                path,
                value_type,
                data,
            }) => {
                let place = place(path);
                let name = ini::key_span(line.text)
                    .and_then(|span| rewrite_name(line.text, span, &place, context));
                match registry_value(line.text, value_type, data, &place, context) {
                    RewrittenData::Changed(mut edits) => {
                        if name.is_some() {
                            new.renamed.push((line.number, place));
                        }
                        edits.extend(name);
                        if !edits.is_empty() {
                            new.ini.set_text(line.number, apply(line.text, edits).0);
                        }
                    }
                    RewrittenData::Removed => {
                        let text =
                            "the value contained only a removed reference, so the line was removed";
                        context.warning(Code::SettingRemoved, text, &place);
                        new.ini.remove_line(line.number);
                    }
                }
            }
            None if sets_password(line.text) => {}
            Some(Setting::Other { .. }) | None => {
                other_lines::visit(file, &line, &mut new.ini, context);
            }
        }
    }
    warn_of_duplicates(&new, context);
    write_groups(groups, &mut new.ini, context);
    Ok(new.ini)
}

/// Visits the name of a key, a path or a service: `USERS\S-1-5-21-…\Software`, the key of a profile, a folder on a
/// server. GPMC maps none of them. Returns the new name if it changed.
fn rewrite_name(
    line: &str,
    name: Range<usize>,
    place: &Place,
    context: &mut Context<'_, '_>,
) -> Option<SpanEdit> {
    let old = line.get(name.clone())?;
    if !may_hold_reference(old) {
        return None;
    }
    match context.free_text(old, place, Scope::All) {
        RewrittenText::Unchanged => None,
        RewrittenText::Removed => {
            context.refuse_removal(old, place);
            None
        }
        RewrittenText::Changed(new) => {
            let quoted = line
                .get(..name.start)
                .is_some_and(|before| before.ends_with('"'));
            // Without quotes, a separator of the line would end the name.
            let ends = |c: char| matches!(c, '=' | ',' | ';');
            let divided = !quoted && new.matches(ends).count() != old.matches(ends).count();
            if divided || ini::trim(&new) != new {
                context.refuse_path(&new, old, place);
                return None;
            }
            Some((name, new))
        }
    }
}

/// Warns when mapping gave a key, path or service the name of another one in its section.
fn warn_of_duplicates(new: &RewrittenTemplate<'_>, context: &mut Context<'_, '_>) {
    if new.renamed.is_empty() {
        return;
    }
    let tmpl = GptTmpl {
        ini: new.ini.clone(),
    };
    let mut counts: HashMap<(String, String), usize> = HashMap::new();
    let mut names: HashMap<usize, (String, String)> = HashMap::new();
    for (line, setting) in tmpl.settings() {
        let name = match setting {
            Setting::Secured { name, .. } => line.text.get(name).unwrap_or_default(),
            Setting::RegistryValue { path, .. } => path,
            _ => continue,
        };
        // The section distinguishes keys, paths and services.
        let section = line.section.unwrap_or_default().to_lowercase();
        let name = (section, name.to_lowercase());
        *counts.entry(name.clone()).or_default() += 1;
        names.insert(line.number, name);
    }
    for (number, place) in &new.renamed {
        let count = names.get(number).and_then(|name| counts.get(name));
        if count.is_some_and(|&count| count > 1) {
            let text = "after mapping, another line sets the same item; which of them takes effect is undefined";
            context.warning(Code::DuplicateValue, text, place);
        }
    }
}

/// How the sections with lists of principals write empty lists, taken from the first empty list of each.
fn empty_lists(tmpl: &GptTmpl) -> HashMap<ListSection, &str> {
    let mut found = HashMap::new();
    for (line, setting) in tmpl.settings() {
        let section = match setting {
            Setting::PrivilegeRight { .. } => ListSection::PrivilegeRights,
            Setting::GroupMembership { .. } => ListSection::GroupMembership,
            _ => continue,
        };
        if let Some((_, tail)) = line.text.split_once('=')
            && ini::trim(tail).is_empty()
        {
            found.entry(section).or_insert(tail);
        }
    }
    found
}

/// Visits a list of principals.
fn rewrite_members(
    line: &IniLine<'_>,
    members: Range<usize>,
    place: &Place,
    context: &mut Context<'_, '_>,
) -> Option<ListEdit> {
    let list = line.text.get(members)?;
    let edit = list::rewrite_list(list, ',', |item| context.principal(item, place))?;
    for item in &edit.duplicates {
        let text =
            format!("{item} would be in the list twice after mapping; the duplicate was dropped");
        context.warning(Code::DuplicateMember, text, place);
    }
    Some(edit)
}

impl RewrittenTemplate<'_> {
    /// A line with its list replaced. An empty list is written as the section writes empty lists.
    fn with_list(
        &self,
        section: ListSection,
        line: &str,
        list: Range<usize>,
        edit: &ListEdit,
    ) -> String {
        if !edit.value.is_empty() {
            return splice(line, list, &edit.value);
        }
        let head = line.split_once('=').map_or(line, |(head, _)| head);
        let tail = self.empty_lists.get(&section).copied().unwrap_or_default();
        [head, "=", tail].concat()
    }
}

fn group_line(
    new: &RewrittenTemplate<'_>,
    line: &IniLine<'_>,
    (group, side, members): (Range<usize>, Membership, Range<usize>),
    place: Place,
    context: &mut Context<'_, '_>,
) -> GroupLine {
    let name = line.text.get(group.clone()).unwrap_or_default();
    let rewrite = context.principal(name, &place);
    let edit = rewrite_members(line, members.clone(), &place, context);
    let from = name.to_lowercase();
    let mut to = from.clone();
    // The list is after the group, so write it first to keep the group's span valid.
    let mut text = match &edit {
        Some(edit) => {
            if edit.empty {
                let what = match side {
                    Membership::Members => "has no members left, so clients remove all its members",
                    Membership::MemberOf => "is no longer a member of any group",
                };
                context.warning(Code::EmptyList, format!("{name} {what}"), &place);
            }
            Some(new.with_list(ListSection::GroupMembership, line.text, members, edit))
        }
        None => Some(line.text.to_owned()),
    };
    match rewrite {
        TextRewrite::Keep => {}
        TextRewrite::Replace(new) => {
            to = new.to_lowercase();
            text = text.map(|text| splice(&text, group, &new));
        }
        TextRewrite::Remove => text = None,
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

/// Writes the lines of groups, except those of different groups that would become the same: which of their lists should
/// win is not known.
fn write_groups(groups: Vec<GroupLine>, new: &mut IniFile, context: &mut Context<'_, '_>) {
    // For each new group: the first old name, and whether there are other old names.
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
                "{} and another group of this file would both become {}, so their lines are left unchanged",
                group.from, group.to
            );
            context.error(Code::CollidingSections, text, &group.place);
            continue;
        }
        match group.text {
            Some(text) => new.set_text(group.number, text),
            None => {
                let text = format!(
                    "the line of {} was removed together with the group",
                    group.from
                );
                context.warning(Code::SettingRemoved, text, &group.place);
                new.remove_line(group.number);
            }
        }
    }
}

/// Whether a line of `[Registry Values]` sets a password.
fn sets_password(line: &str) -> bool {
    let path = ini::key_span(line).and_then(|span| line.get(span));
    path.is_some_and(|path| registry_secrets::is_secret(path, ""))
}

/// The result of visiting the data of a line of `[Registry Values]`.
enum RewrittenData {
    /// The edits, often none.
    Changed(Vec<SpanEdit>),
    /// All of the data was removed.
    Removed,
}

/// Visits the data of a line of `[Registry Values]`. Only strings are mapped; possible references in other data are
/// reported.
fn registry_value(
    line: &str,
    value_type: u32,
    data: Range<usize>,
    place: &Place,
    context: &mut Context<'_, '_>,
) -> RewrittenData {
    let fields = match value_type {
        // Whatever a password looks like, it is not a reference, and no finding may show it.
        _ if sets_password(line) => Vec::new(),
        1 | 2 => vec![data.clone()],
        7 => quoted_fields(line, data.clone()),
        _ => {
            context.warn_of_reference_in_data(line.get(data).unwrap_or_default(), place);
            return RewrittenData::Changed(Vec::new());
        }
    };
    let is_list = value_type == 7;
    let mut changed = false;
    let mut kept = Vec::new();
    for field in fields {
        let raw = line.get(field).unwrap_or_default();
        match visit_string(raw, is_list, place, context) {
            RewrittenText::Unchanged => kept.push(Cow::Borrowed(raw)),
            RewrittenText::Changed(text) => {
                changed = true;
                kept.push(Cow::Owned(text));
            }
            RewrittenText::Removed => changed = true,
        }
    }
    match (changed, kept.is_empty()) {
        (false, _) => RewrittenData::Changed(Vec::new()),
        (true, true) => RewrittenData::Removed,
        (true, false) => RewrittenData::Changed(vec![(data, kept.join(","))]),
    }
}

/// A comma within an item of a list as Windows writes it: quotes around the comma, not around the item.
const QUOTED_COMMA: &str = "\",\"";

/// Visits a string, quoted or not.
fn visit_string(
    raw: &str,
    is_item: bool,
    place: &Place,
    context: &mut Context<'_, '_>,
) -> RewrittenText {
    if !may_hold_reference(raw) {
        return RewrittenText::Unchanged;
    }
    let bare = ini::trimmed_span(raw, 0..raw.len());
    let inside = unquoted(raw, bare.clone());
    let text = raw.get(inside.clone()).unwrap_or_default();
    let written = if inside != bare {
        context.free_text(text, place, Scope::All)
    } else if is_item && !text.replace(QUOTED_COMMA, "").contains('"') {
        match context.free_text(&text.replace(QUOTED_COMMA, ","), place, Scope::All) {
            RewrittenText::Changed(new) => RewrittenText::Changed(new.replace(',', QUOTED_COMMA)),
            other => other,
        }
    } else {
        match context.free_text(text, place, Scope::All) {
            // An additional comma would begin another item.
            RewrittenText::Changed(new) if new.matches(',').count() > text.matches(',').count() => {
                context.refuse_path(&new, text, place);
                RewrittenText::Unchanged
            }
            other => other,
        }
    };
    match written {
        RewrittenText::Changed(new) => RewrittenText::Changed(splice(raw, inside, &new)),
        other => other,
    }
}

/// The spans between the commas outside of quotes.
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
