//! References in Registry.pol [MS-GPREG 2.2.1]: in strings, value names and keys. Nothing here is mapped by GPMC.

use bytes::Bytes;

use super::text::visit_text;
use super::{Visited, Visitor};
use crate::formats::registry_pol::{Record, RegistryPol, utf16_bytes, utf16_text};
use crate::message::StatusMessage;
use crate::model::reference::{Place, Scope};

/// `\\` and `-1-` as they stand in UTF-16LE: without them there is no reference.
const MARKS: [&[u8]; 2] = [b"\\\0\\\0", b"-\x001\0-\0"];

/// Visits every reference of the file. The place is the record's number, its key and its value name.
pub(super) fn visit(
    file: &str,
    bytes: &Bytes,
    visitor: &mut Visitor<'_>,
) -> Result<Visited, String> {
    let mut parsed = RegistryPol::parse(bytes).map_err(|problem| problem.to_string())?;
    let mut messages = Vec::new();
    let mut changed = false;
    for (index, record) in parsed.records.iter_mut().enumerate() {
        let hit = [&record.key, &record.value_name, &record.data]
            .into_iter()
            .any(|part| has_mark(part));
        if !hit {
            continue;
        }
        let place = Place::file(file)
            .section(record.key_text())
            .key(record.value_name_text())
            .line(index + 1);
        changed |= visit_record(record, &place, visitor, &mut messages);
    }
    Ok(Visited {
        bytes: changed.then(|| parsed.to_bytes()),
        messages,
    })
}

fn has_mark(part: &[u8]) -> bool {
    MARKS.iter().any(|mark| {
        part.windows(mark.len())
            .step_by(2)
            .any(|window| window == *mark)
    })
}

fn visit_record(
    record: &mut Record,
    place: &Place,
    visitor: &mut Visitor<'_>,
    messages: &mut Vec<StatusMessage>,
) -> bool {
    let mut changed = false;
    let mut visit = |part: &Bytes| -> Option<Bytes> {
        if !has_mark(part) {
            return None;
        }
        // Strings of a list stand between NULs, and what follows a string's own NUL stays as it is.
        let text = utf16_text(part)?;
        let mut any = false;
        let strings: Vec<String> = text
            .split('\0')
            .map(
                |string| match visit_text(string, place, Scope::All, visitor, messages) {
                    Some(new) => {
                        any = true;
                        new
                    }
                    None => string.to_owned(),
                },
            )
            .collect();
        any.then(|| utf16_bytes(&strings.join("\0")))
    };
    if let Some(new) = visit(&record.key) {
        record.key = new;
        changed = true;
    }
    if let Some(new) = visit(&record.value_name) {
        record.value_name = new;
        changed = true;
    }
    if record.value_type.is_text()
        && let Some(new) = visit(&record.data)
    {
        record.data = new;
        changed = true;
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::super::{Found, FoundTarget, Rewrite};
    use super::*;

    #[test]
    fn strings_change_and_the_rest_stays() {
        let mut file = b"PReg\x01\0\0\0".to_vec();
        for (kind, data) in [
            (1_u32, "\\\\fs1\\a\0"),
            (7, "x\0S-1-5-21-1-2-3-4\0\0"),
            (1, "plain\0"),
        ] {
            let data = utf16_bytes(data);
            file.extend_from_slice(&utf16_bytes("[Software\\X\0;Name\0;"));
            file.extend_from_slice(&kind.to_le_bytes());
            file.extend_from_slice(b";\0");
            file.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
            file.extend_from_slice(b";\0");
            file.extend_from_slice(&data);
            file.extend_from_slice(b"]\0");
        }
        let mut visitor = |found: &Found| match &found.target {
            FoundTarget::Unc { .. } => Rewrite::Unc("\\\\fs9\\bb".to_owned()),
            _ => Rewrite::Principal {
                sid: "S-1-5-21-9-9-9-7".parse().ok(),
                name: String::new(),
            },
        };
        let visited = visit("f", &Bytes::from(file), &mut visitor).unwrap();
        let new = RegistryPol::parse(&visited.bytes.unwrap()).unwrap();
        assert_eq!(new.records[0].string().unwrap(), "\\\\fs9\\bb");
        assert_eq!(new.records[1].strings().unwrap(), ["x", "S-1-5-21-9-9-9-7"]);
        assert_eq!(new.records[2].string().unwrap(), "plain");
    }
}
