//! References in lines of an INI file that its format does not define: other sections, other keys, truncated lines.
//! They are searched as free text; GPMC maps none of them.

use super::context::Context;
use super::text::{RewrittenText, apply, may_hold_reference};
use crate::formats::ini::{self, IniFile, IniLine, LineKind};
use crate::message::Code;
use crate::model::reference::{Place, Scope};
use crate::model::shared_text::SharedText;

/// Visits a line: the name of a section, key and value of a pair, or the whole line. Comments are skipped.
pub(super) fn visit(
    file: &SharedText,
    line: &IniLine<'_>,
    new: &mut IniFile,
    context: &mut Context<'_, '_>,
) {
    if matches!(line.kind, LineKind::Comment | LineKind::Blank) || !may_hold_reference(line.text) {
        return;
    }
    let mut place = Place::file(file)
        .section(context.shared(line.section.unwrap_or_default()))
        .line(line.number);
    if let LineKind::Section(name) = line.kind {
        // A closing bracket would end the name.
        if let Some(to) = edited(name, &[']'], &place, context) {
            new.rename_section(line.number, &to);
        }
        let behind = line.text.split_once(']').map_or("", |(_, behind)| behind);
        if may_hold_reference(behind) {
            let text =
                "the text after the section name may contain a reference, which is not mapped";
            context.warning(Code::UnreadText, text, &place);
        }
        return;
    }
    // A key contains no quotes: an `=` after a quote belongs to a text, such as the condition of an entry.
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
            // An `=` would turn it into a pair.
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

/// Visits one part of a line; returns its new text if it changed and can be written there. `ends`: the characters that
/// would end it too early.
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
