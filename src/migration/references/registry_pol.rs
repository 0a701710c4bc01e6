//! References in Registry.pol: in strings and in the names of values and keys. Possible references in other data are
//! reported.

use crate::message::Code;
use std::collections::HashMap;

use bytes::Bytes;

use super::context::Context;
use super::firewall;
use super::text::RewrittenText;
use crate::formats::firewall_rule;
use crate::formats::registry_pol::effect::Effect;
use crate::formats::registry_pol::{Record, RegistryPol, ValueType, utf16_bytes, utf16_text};
use crate::model::reference::{Place, Scope};
use crate::model::registry_secrets;
use crate::model::shared_text::SharedText;

/// Visits the records in order.
pub(super) fn visit(
    file: &SharedText,
    bytes: &Bytes,
    context: &mut Context<'_, '_>,
) -> Result<Option<Bytes>, String> {
    let mut pol = RegistryPol::parse(bytes).map_err(|error| error.to_string())?;
    let mut changed = false;
    let mut renamed = Vec::new();
    let mut records = Vec::with_capacity(pol.records.len());
    for (index, record) in pol.records.into_iter().enumerate() {
        let names = [&record.key, &record.value_name];
        let data = if record.value_type.is_text() {
            may_hold_reference(&record.data)
        } else {
            data_may_hold_reference(&record.data)
        };
        if !data && !names.into_iter().any(|name| may_hold_reference(name)) {
            records.push(record);
            continue;
        }
        let place = Place::file(file)
            .section(record.key_text())
            .key(record.value_name_text())
            .line(index + 1);
        let Some(new) = visit_record(&record, &place, context) else {
            changed = true;
            context.warning(
                Code::RecordRemoved,
                "the setting contained only a removed reference, so the setting was removed",
                &place,
            );
            continue;
        };
        if new != record {
            changed = true;
            if (&new.key, &new.value_name) != (&record.key, &record.value_name) {
                renamed.push((value_key(&new), place));
            }
        }
        records.push(new);
    }
    if !changed {
        return Ok(None);
    }
    pol.records = records;
    if !renamed.is_empty() {
        let mut counts: HashMap<_, usize> = HashMap::new();
        for record in &pol.records {
            *counts.entry(value_key(record)).or_default() += 1;
        }
        for (value_key, place) in renamed {
            if counts.get(&value_key).is_some_and(|&count| count > 1) {
                let text = "after mapping, another record sets the same value; the later one wins";
                context.warning(Code::DuplicateValue, text, &place);
            }
        }
    }
    Ok(Some(pol.to_bytes()))
}

/// The key and value name in the form in which the registry compares them.
fn value_key(record: &Record) -> (String, String) {
    (
        record.key_text().to_lowercase(),
        record.value_name_text().to_lowercase(),
    )
}

/// Visits a record; `None` when it is to be removed.
fn visit_record(record: &Record, place: &Place, context: &mut Context<'_, '_>) -> Option<Record> {
    let mut new = record.clone();
    let mut keep = true;
    if let Some((key, tail)) = text_of(&record.key, place, context) {
        match context.free_text(&key, place, Scope::All) {
            RewrittenText::Changed(text) => new.key = with_tail(&text, &tail),
            RewrittenText::Removed => context.refuse_removal(&key, place),
            RewrittenText::Unchanged => {}
        }
    }
    if let Some((whole, tail)) = text_of(&record.value_name, place, context) {
        let (command, name) = split_command(&whole);
        match context.free_text(name, place, Scope::All) {
            RewrittenText::Changed(text) => {
                new.value_name = with_tail(&[command, &text].concat(), &tail);
            }
            RewrittenText::Removed => keep = false,
            RewrittenText::Unchanged => {}
        }
    }
    if registry_secrets::is_secret(&record.key_text(), &record.value_name_text()) {
        // Whatever a password looks like, it is not a reference, and no finding may show it.
    } else if !record.value_type.is_text() {
        warn_of_reference_in_data(&record.data, place, context);
    } else if let Some((text, tail)) = text_of(&record.data, place, context) {
        match visit_data(record.value_type, &text, place, context) {
            RewrittenText::Changed(text) => new.data = with_tail(&text, &tail),
            RewrittenText::Removed => keep = false,
            RewrittenText::Unchanged => {}
        }
    }
    keep.then_some(new)
}

/// Splits a value name, such as `**del.NAME` [MS-GPREG 3.2.5.1], into the command and the name.
fn split_command(whole: &str) -> (&str, &str) {
    let name = Effect::of(whole).value_name().unwrap_or(whole);
    whole.split_at(whole.len().saturating_sub(name.len()))
}

/// Visits the data: the text up to the first NUL of one string, every string of a list. Terminators are unchanged.
fn visit_data(
    value_type: ValueType,
    data: &str,
    place: &Place,
    context: &mut Context<'_, '_>,
) -> RewrittenText {
    let list = value_type == ValueType::MULTI_SZ;
    let mut changed = false;
    let mut kept = 0;
    let mut dropped = false;
    let mut strings: Vec<String> = Vec::new();
    for (index, string) in data.split('\0').enumerate() {
        if string.is_empty() || (index > 0 && !list) {
            strings.push(string.to_owned());
            continue;
        }
        let outcome = match firewall_rule::fields(string) {
            Some(fields) => firewall::visit(string, &fields, place, context),
            None => context.free_text(string, place, Scope::All),
        };
        match outcome {
            RewrittenText::Unchanged => {
                kept += 1;
                strings.push(string.to_owned());
            }
            RewrittenText::Changed(text) => {
                kept += 1;
                changed = true;
                strings.push(text);
            }
            RewrittenText::Removed if list => dropped = true,
            RewrittenText::Removed => return RewrittenText::Removed,
        }
    }
    if dropped && kept == 0 {
        context.warning(Code::EmptyList, "the list is empty now", place);
    }
    if changed || dropped {
        RewrittenText::Changed(strings.join("\0"))
    } else {
        RewrittenText::Unchanged
    }
}

/// Decodes a text that may contain a reference; returns it with the non-text bytes after it. `None`, after a warning,
/// when not even the beginning is text.
fn text_of(bytes: &Bytes, place: &Place, context: &mut Context<'_, '_>) -> Option<(String, Bytes)> {
    if !may_hold_reference(bytes) {
        return None;
    }
    let whole_units = bytes.len() - bytes.len() % 2;
    let nul = bytes.chunks_exact(2).position(|unit| unit == [0, 0]);
    let ends = [Some(whole_units), nul.map(|units| units * 2)];
    for end in ends.into_iter().flatten() {
        let (head, tail) = (bytes.slice(..end), bytes.slice(end..));
        if let Some(text) = utf16_text(&head) {
            if may_hold_reference(&tail) {
                warn_of_broken_text(place, context);
            }
            return Some((text, tail));
        }
    }
    warn_of_broken_text(place, context);
    None
}

/// Warns when data of a non-text type appears to contain a reference: as UTF-16 at any offset, or as 8-bit text.
fn warn_of_reference_in_data(data: &Bytes, place: &Place, context: &mut Context<'_, '_>) {
    if !data_may_hold_reference(data) {
        return;
    }
    let utf16 = |start: usize| {
        let bytes = data.get(start..).unwrap_or_default();
        let units = bytes.chunks_exact(2).map(|unit| match unit {
            &[low, high] => u16::from_le_bytes([low, high]),
            _ => 0,
        });
        char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect::<String>()
    };
    let eight_bit = || data.iter().map(|&byte| char::from(byte)).collect();
    let said = context.messages.count();
    let readings: [&dyn Fn() -> String; 3] = [&|| utf16(0), &|| utf16(1), &eight_bit];
    for reading in readings {
        context.warn_of_reference_in_data(&reading(), place);
        if context.messages.count() > said {
            return;
        }
    }
}

/// Whether `-1-`, `\\` or `//` occurs at any byte, as UTF-16 or as 8-bit text.
fn data_may_hold_reference(data: &[u8]) -> bool {
    let mut rest = data;
    while let Some((first, behind)) = rest.split_first() {
        let mark = match first {
            b'-' => matches!(behind, [b'1', b'-', ..] | [0, b'1', 0, b'-', ..]),
            b'\\' | b'/' => {
                let (next, second) = (behind.first(), behind.get(1));
                next == Some(first) || (next == Some(&0) && second == Some(first))
            }
            _ => false,
        };
        if mark {
            return true;
        }
        rest = behind;
    }
    false
}

fn warn_of_broken_text(place: &Place, context: &mut Context<'_, '_>) {
    let text = "the text is not valid UTF-16, so it was not checked for references";
    context.warning(Code::UnreadText, text, place);
}

/// Encodes text as UTF-16LE and appends the bytes after it.
fn with_tail(text: &str, tail: &Bytes) -> Bytes {
    [utf16_bytes(text).as_ref(), tail].concat().into()
}

/// Whether `-1-`, `\\` or `//` occurs: every reference has one of them, and most records have neither.
fn may_hold_reference(utf16: &[u8]) -> bool {
    let mut last = [0, 0];
    let mut last_but_one = [0, 0];
    for unit in utf16.chunks_exact(2) {
        let &[low, high] = unit else { return false };
        if high == 0 {
            let after_one = low == b'-' && last == [b'1', 0] && last_but_one == [b'-', 0];
            if after_one || (matches!(low, b'\\' | b'/') && last == [low, 0]) {
                return true;
            }
        }
        last_but_one = last;
        last = [low, high];
    }
    false
}
