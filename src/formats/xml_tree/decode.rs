//! The encoding of an XML document [XML 1.0 appendix F].

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

use crate::formats::text::push_utf16le;

/// The encoding of a document, and its byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct XmlEncoding {
    encoding: &'static Encoding,
    mark: &'static [u8],
}

impl XmlEncoding {
    /// The bytes of a text, with its mark; `None` when a character does not exist in the encoding.
    pub(super) fn encode(self, text: &str) -> Option<Vec<u8>> {
        let mut bytes = self.mark.to_vec();
        if self.encoding == UTF_16LE {
            push_utf16le(&mut bytes, text);
        } else if self.encoding == UTF_16BE {
            bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
        } else {
            let (body, _, unknown) = self.encoding.encode(text);
            bytes.extend_from_slice(&body);
            if unknown {
                return None;
            }
        }
        Some(bytes)
    }
}

/// The text of a document, without byte order mark, and how to get back to its bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<(XmlEncoding, Cow<'_, str>), String> {
    let utf8 = encoding_rs::UTF_8;
    let (encoding, mark, body): (_, &[u8], _) = match bytes {
        [0xEF, 0xBB, 0xBF, body @ ..] => (utf8, b"\xEF\xBB\xBF", body),
        [0xFF, 0xFE, body @ ..] => (UTF_16LE, b"\xFF\xFE", body),
        [0xFE, 0xFF, body @ ..] => (UTF_16BE, b"\xFE\xFF", body),
        [b'<', 0, ..] => (UTF_16LE, b"", bytes),
        [0, b'<', ..] => (UTF_16BE, b"", bytes),
        _ => (declared(bytes).unwrap_or(utf8), b"", bytes),
    };
    let text = if encoding == utf8 {
        std::str::from_utf8(body)
            .map(Cow::Borrowed)
            .map_err(|error| format!("byte {} is not UTF-8", error.valid_up_to() + 1))?
    } else {
        encoding
            .decode_without_bom_handling_and_without_replacement(body)
            .ok_or_else(|| format!("the text is not {}", encoding.name()))?
    };
    // No character of a document, and a reader that takes it away counts wrong from there.
    if text.starts_with('\u{feff}') {
        return Err("a second byte order mark follows the first".to_owned());
    }
    Ok((XmlEncoding { encoding, mark }, text))
}

/// The encoding a declaration in ASCII names, unless it is UTF-8, or UTF-16, which these bytes then are not.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..bytes.len().min(200))?;
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let declaration = text.strip_prefix("<?xml")?.split("?>").next()?;
    let value = declaration.split_once("encoding")?.1.trim_start();
    let value = value.strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let label = value.get(1..)?.split(quote).next()?;
    Encoding::for_label(label.as_bytes())
        .filter(|encoding| encoding.is_ascii_compatible() && encoding.name() != "UTF-8")
}
