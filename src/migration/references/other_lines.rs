//! References in lines of an INI file that say nothing its format knows: other sections, other keys, cut-off lines. What they mean is
//! not known, so they are searched as free text is; GPMC maps none of them.

use super::text::{Context, RewrittenText, apply, may_hold_reference};
use crate::formats::ini::{self, IniFile, IniLine, LineKind};
use crate::model::reference::{Place, Scope};

/// Visits a line: the name of a section, key and value of a pair, or the whole line. Nobody reads comments.
pub(super) fn visit(
    file: &str,
    line: &IniLine<'_>,
    new: &mut IniFile,
    context: &mut Context<'_, '_>,
) {
    if matches!(line.kind, LineKind::Comment | LineKind::Blank) || !may_hold_reference(line.text) {
        return;
    }
    let mut place = Place::file(file)
        .section(line.section.unwrap_or_default())
        .line(line.number);
    if let LineKind::Section(name) = line.kind {
        // What the signs around a name are made of would end it.
        if let Some(to) = edited(name, &[']'], &place, context) {
            new.rename_section(line.number, &to);
        }
        let behind = line.text.split_once(']').map_or("", |(_, behind)| behind);
        if may_hold_reference(behind) {
            let text =
                "the text after the section name may contain a reference, which is not mapped";
            context.warning("unread-text", text, &place);
        }
        return;
    }
    // A key has no quotes: then the sign is one of a text, such as the condition of an entry.
    let key = line.pair().map(|(key, _)| key);
    let spans = match key.filter(|key| !key.contains('"')) {
        Some(key) => {
            place = place.key(key);
            let key = ini::key_span(line.text).map(|span| (span, &['='][..]));
            let value = ini::value_span(line.text).map(|span| (span, &[][..]));
            vec![key, value]
        }
        None => vec![Some((
            ini::trimmed_span(line.text, 0..line.text.len()),
            // A sign of equality would make a pair of it.
            &['='][..],
        ))],
    };
    let mut edits = Vec::new();
    for (span, ends) in spans.into_iter().flatten() {
        let text = line.text.get(span.clone()).unwrap_or_default();
        edits.extend(edited(text, ends, &place, context).map(|to| (span, to)));
    }
    if !edits.is_empty() {
        new.set_text(line.number, apply(line.text, edits).0);
    }
}

/// Visits one part of a line; its new text, when it has one that can stand there. `ends`: the signs that would end it too early.
fn edited(
    text: &str,
    ends: &[char],
    place: &Place,
    context: &mut Context<'_, '_>,
) -> Option<String> {
    if !may_hold_reference(text) {
        return None;
    }
    match context.free_text(text, place, Scope::All) {
        RewrittenText::Unchanged => None,
        RewrittenText::Removed => {
            context.refuse_removal(text, place);
            None
        }
        RewrittenText::Changed(to)
            if to.matches(ends).count() != text.matches(ends).count() || ini::trim(&to) != to =>
        {
            context.refuse_path(&to, text, place);
            None
        }
        RewrittenText::Changed(to) => Some(to),
    }
}
