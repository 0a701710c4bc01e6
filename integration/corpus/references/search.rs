//! The plain search for SIDs and UNC paths in bytes. Nothing here uses a parser of the library.

use super::*;

/// Bytes with the form of a reference.
#[derive(Debug, Clone)]
pub(super) struct Occurrence {
    pub(super) kind: ReferenceKind,
    /// `S-1-5-21-…`, or `\\host\share` up to where the share's name certainly goes on.
    pub(super) text: String,
    /// The bytes before it, up to a limit.
    pub(super) before: String,
    /// In XML: the elements around it, and the attribute; `comment` in a comment. Otherwise empty.
    pub(super) context: String,
}

/// The text pieces of a file: XML by elements and attributes with entities replaced, everything else as 8-bit text and as UTF-16LE
/// at both alignments.
pub(super) fn pieces(bytes: &[u8]) -> Vec<(String, Vec<char>)> {
    let utf16 = |bytes: &[u8]| -> Vec<char> {
        let units = bytes
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]));
        char::decode_utf16(units)
            .map(|c| c.unwrap_or('\u{fffd}'))
            .collect()
    };
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).chars().collect(),
        _ => String::from_utf8_lossy(bytes).chars().collect(),
    };
    let start: String = text.iter().take(200).collect();
    if start.trim_start().starts_with('<') {
        return xml_pieces(&text);
    }
    let eight_bit = bytes.iter().map(|&b| char::from(b)).collect();
    let odd = bytes.get(1..).unwrap_or_default();
    vec![
        (String::new(), eight_bit),
        (String::new(), utf16(bytes)),
        (String::new(), utf16(odd)),
    ]
}

/// Every attribute value and every text of a document, with the names of the elements around it.
fn xml_pieces(text: &[char]) -> Vec<(String, Vec<char>)> {
    let text: String = text.iter().collect();
    let mut found = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (piece, after, context) = if let Some(inner) = rest.strip_prefix("<![CDATA[") {
            let (inner, after) = inner.split_once("]]>").unwrap_or((inner, ""));
            (inner.to_owned(), after, path.join("/"))
        } else if let Some(inner) = rest.strip_prefix("<!--") {
            let (inner, after) = inner.split_once("-->").unwrap_or((inner, ""));
            (inner.to_owned(), after, "comment".to_owned())
        } else if let Some(inner) = rest.strip_prefix("<?") {
            let (inner, after) = inner.split_once("?>").unwrap_or((inner, ""));
            (inner.to_owned(), after, "declaration".to_owned())
        } else if let Some(inner) = rest.strip_prefix("</") {
            path.pop();
            let (_, after) = inner.split_once('>').unwrap_or((inner, ""));
            (String::new(), after, String::new())
        } else if let Some(inner) = rest.strip_prefix('<') {
            let mut quote = None;
            let end = inner.find(|c: char| {
                match quote {
                    None if c == '"' || c == '\'' => quote = Some(c),
                    Some(open) if c == open => quote = None,
                    _ => {}
                }
                quote.is_none() && c == '>'
            });
            let (tag, after) = inner.split_at(end.unwrap_or(inner.len()));
            let name = tag.split([' ', '\t', '\r', '\n', '/']).next().unwrap();
            path.push(name.to_owned());
            let mut attributes = &tag[name.len()..];
            while let Some((key, value)) = attributes.split_once('=') {
                let value = value.trim_start();
                let Some(quote) = value.chars().next() else {
                    break;
                };
                let (value, after) = value[1..].split_once(quote).unwrap_or((&value[1..], ""));
                let context = format!("{}@{}", path.join("/"), key.trim());
                found.push((context, without_entities(value)));
                attributes = after;
            }
            if tag.ends_with('/') {
                path.pop();
            }
            (
                String::new(),
                after.strip_prefix('>').unwrap_or(""),
                String::new(),
            )
        } else {
            let end = rest.find('<').unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            (
                without_entities(piece).iter().collect(),
                after,
                path.join("/"),
            )
        };
        if !piece.is_empty() {
            found.push((context, piece.chars().collect()));
        }
        rest = after;
    }
    found
}

fn without_entities(text: &str) -> Vec<char> {
    let mut out = text.to_owned();
    for code in ["92", "x5c", "x5C"] {
        out = out.replace(&format!("&#{code};"), "\\");
    }
    for (entity, c) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ] {
        out = out.replace(entity, c);
    }
    out.chars().collect()
}

pub(super) fn search(bytes: &[u8]) -> Vec<Occurrence> {
    let mut found = Vec::new();
    for (context, text) in pieces(bytes) {
        for start in 0..text.len() {
            let here = &text[start..];
            let hit = sid_at(here)
                .map(|text| (ReferenceKind::Principal, text))
                .or_else(|| unc_at(here).map(|text| (ReferenceKind::Unc, text)));
            if let Some((kind, hit)) = hit {
                found.push(Occurrence {
                    kind,
                    text: hit,
                    before: text[start.saturating_sub(60)..start].iter().collect(),
                    context: context.clone(),
                });
            }
        }
    }
    found
}

pub(super) fn sid_at(text: &[char]) -> Option<String> {
    let start = "s-1-5-21-";
    let same = text
        .iter()
        .zip(start.chars())
        .filter(|(a, b)| a.to_ascii_lowercase() == *b)
        .count();
    if same < start.len() {
        return None;
    }
    let run = text[start.len()..]
        .iter()
        .take_while(|c| c.is_ascii_digit() || **c == '-');
    let tail: String = run.collect();
    let tail = tail.trim_end_matches('-');
    (!tail.is_empty()).then(|| format!("S-1-5-21-{tail}"))
}

/// `\\host\share`, where host and share consist of characters for such names, and of `%variables%` or the placeholders of
/// templates: `@@SERVER@@`, `{Server}`.
pub(super) fn unc_at(text: &[char]) -> Option<String> {
    let word = |c: &&char| c.is_alphanumeric() || "-._$%@{}".contains(**c);
    let ['\\', '\\', rest @ ..] = text else {
        return None;
    };
    let host: String = rest.iter().take_while(word).collect();
    let rest = &rest[host.chars().count()..];
    // Some have every backslash doubled.
    let slashes = rest.iter().take_while(|c| **c == '\\').count();
    let share: String = rest[slashes..].iter().take_while(word).collect();
    let found = !host.is_empty() && (1..=2).contains(&slashes) && !share.is_empty();
    found.then(|| format!(r"\\{host}\{share}").to_lowercase())
}

/// The SIDs of domains in the binary descriptors of the directory objects in Backup.xml, which are written as hexadecimal digits. The
/// form of such a SID is looked for at every byte: revision 1, the number of its parts, the authority 5, 21 as its first part.
pub(super) fn in_permissions(backup_xml: &[u8]) -> Vec<Occurrence> {
    let mut found = Vec::new();
    for (context, text) in pieces(backup_xml) {
        if !context.ends_with("DSObject/SecurityDescriptor") {
            continue;
        }
        let digits: Vec<u32> = text.iter().filter_map(|c| c.to_digit(16)).collect();
        let bytes: Vec<u32> = digits
            .chunks(2)
            .map(|pair| pair[0] * 16 + pair[1])
            .collect();
        for here in (0..bytes.len()).map(|start| &bytes[start..]) {
            let [1, count, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, rest @ ..] = here else {
                continue;
            };
            let parts = rest
                .chunks_exact(4)
                .take(usize::try_from(*count).unwrap().saturating_sub(1));
            let parts = parts.map(|b| b[0] | b[1] << 8 | b[2] << 16 | b[3] << 24);
            let parts: Vec<String> = parts.map(|part| part.to_string()).collect();
            found.push(Occurrence {
                kind: ReferenceKind::Principal,
                text: format!("S-1-5-21-{}", parts.join("-")),
                before: String::new(),
                context: context.clone(),
            });
        }
    }
    found
}
