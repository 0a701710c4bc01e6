//! Lossless text files: the encoding is detected, remembered and used again for writing.

mod mixed;

use std::fmt;

/// The encoding of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextEncoding {
    /// UTF-16, low byte first, with or without the byte order mark `FF FE`.
    Utf16Le {
        /// Whether the file begins with the mark.
        bom: bool,
    },
    /// UTF-16, high byte first, with the byte order mark `FE FF`.
    Utf16Be,
    /// UTF-8, with or without the mark `EF BB BF`. Includes plain ASCII, without the mark.
    Utf8 {
        /// Whether the file begins with the mark.
        bom: bool,
    },
    /// Bytes of an unknown code page. Each byte is decoded to the character with the same number (U+0000 to U+00FF), so
    /// that every file round-trips; non-ASCII characters are not those of the actual code page.
    EightBit,
}

/// The bytes are not text in the encoding of their byte order mark, or the text cannot be represented in the file's
/// encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// UTF-16 with an odd number of bytes.
    #[error("the file is marked as UTF-16 but has an odd number of bytes ({0})")]
    OddLength(usize),
    /// UTF-16 with an unpaired surrogate.
    #[error("the file is UTF-16 with an unpaired surrogate at byte {0}")]
    UnpairedSurrogate(usize),
    /// Invalid UTF-8 after the UTF-8 mark.
    #[error("the file is marked as UTF-8 but is not at byte {0}")]
    NotUtf8(usize),
    /// UTF-16 in which the characters from this byte on are shifted by a byte.
    #[error(
        "the file is UTF-16, and a byte too few or too many before byte {0} makes other characters of what follows"
    )]
    Shifted(usize),
    /// UTF-16 with 8-bit text in it from this byte on.
    #[error("the file is marked as UTF-16 but holds 8-bit text from byte {0} on")]
    EightBitInside(usize),
    /// A byte order mark begins a line, as where files were joined.
    #[error("line {0} begins with a second byte order mark, which hides what follows it")]
    MarkInside(usize),
    /// A text file contains a NUL character.
    #[error("line {0} contains a NUL character, so this is not a text file")]
    Nul(usize),
    /// An edit added a character that the file's 8-bit encoding cannot represent.
    #[error("the character {0:?} cannot be written into a file with an 8-bit code page")]
    NotEncodable(char),
    /// After an edit, the file, which has no byte order mark, would be detected as another encoding.
    #[error(
        "the file has no byte order mark, and after this edit it would be read as {0} instead of {1}"
    )]
    ReadOtherwise(TextEncoding, TextEncoding),
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf16Le { bom: true } => "UTF-16LE",
            Self::Utf16Le { bom: false } => "UTF-16LE without a mark",
            Self::Utf16Be => "UTF-16BE",
            Self::Utf8 { bom: true } => "UTF-8 with a mark",
            Self::Utf8 { bom: false } => "UTF-8",
            Self::EightBit => "8-bit",
        })
    }
}

const BOM_16LE: &[u8] = &[0xFF, 0xFE];
const BOM_16BE: &[u8] = &[0xFE, 0xFF];
const BOM_8: &[u8] = &[0xEF, 0xBB, 0xBF];

/// Detects the encoding and decodes. A byte order mark decides; without one, UTF-16LE is detected by its zero bytes,
/// then UTF-8 by its validity, and anything else is 8-bit text. [`encode`] with the returned encoding gives the same
/// bytes again.
///
/// # Errors
/// [`TextError`] when the file contradicts its own mark: an odd number of bytes or an unpaired surrogate in UTF-16, or
/// invalid UTF-8 after the UTF-8 mark; and when it is in another encoding somewhere: UTF-16 that is shifted by a byte, 8-bit
/// text in UTF-16, a second mark at the start of a line.
pub fn decode(bytes: &[u8]) -> Result<(TextEncoding, String), TextError> {
    if let Some(rest) = bytes.strip_prefix(BOM_16LE) {
        let text = utf16(rest, u16::from_le_bytes, 2)?;
        return of_one_encoding(TextEncoding::Utf16Le { bom: true }, text, rest);
    }
    if let Some(rest) = bytes.strip_prefix(BOM_16BE) {
        let text = utf16(rest, u16::from_be_bytes, 2)?;
        return of_one_encoding(TextEncoding::Utf16Be, text, rest);
    }
    if let Some(rest) = bytes.strip_prefix(BOM_8) {
        let text = std::str::from_utf8(rest)
            .map_err(|error| TextError::NotUtf8(error.valid_up_to().saturating_add(3)))?;
        return of_one_encoding(TextEncoding::Utf8 { bom: true }, text.to_owned(), rest);
    }
    // A guess, which text of another encoding within it contradicts.
    if looks_like_utf16le(bytes)
        && let Ok(text) = decode_utf16le(bytes)
        && let Ok(read) = of_one_encoding(TextEncoding::Utf16Le { bom: false }, text, bytes)
    {
        return Ok(read);
    }
    let (encoding, text) = match std::str::from_utf8(bytes) {
        Ok(text) => (TextEncoding::Utf8 { bom: false }, text.to_owned()),
        Err(_) => (
            TextEncoding::EightBit,
            bytes.iter().copied().map(char::from).collect(),
        ),
    };
    of_one_encoding(encoding, text, bytes)
}

/// Refuses text that was in another encoding somewhere. `body` is what follows the mark of the file.
fn of_one_encoding(
    encoding: TextEncoding,
    text: String,
    body: &[u8],
) -> Result<(TextEncoding, String), TextError> {
    let units = body.chunks_exact(2).filter_map(|pair| pair.try_into().ok());
    match encoding {
        TextEncoding::Utf16Le { bom } => {
            let offset = if bom { BOM_16LE.len() } else { 0 };
            mixed::check_units(units.map(u16::from_le_bytes), offset, true)?;
        }
        TextEncoding::Utf16Be => {
            mixed::check_units(units.map(u16::from_be_bytes), BOM_16BE.len(), false)?;
        }
        TextEncoding::Utf8 { .. } | TextEncoding::EightBit => {}
    }
    match encoding {
        // The mark of UTF-8, byte by byte.
        TextEncoding::EightBit => mixed::check_marks(&text, &["\u{ef}\u{bb}\u{bf}"])?,
        _ => mixed::check_marks(&text, &["\u{feff}"])?,
    }
    Ok((encoding, text))
}

/// Decodes UTF-16LE without a byte order mark, such as GPO.cmt.
///
/// # Errors
/// [`TextError::OddLength`] and [`TextError::UnpairedSurrogate`].
pub fn decode_utf16le(bytes: &[u8]) -> Result<String, TextError> {
    utf16(bytes, u16::from_le_bytes, 0)
}

/// Encodes text, with the byte order mark of the encoding. [`decode`] gives the same text again.
///
/// # Errors
/// [`TextError::NotEncodable`] when the encoding is 8-bit and a character is beyond U+00FF;
/// [`TextError::ReadOtherwise`] when the bytes would decode to another text, because the encoding of text without a
/// mark is detected from its bytes. Never for text that [`decode`] returned with this encoding.
pub fn encode(encoding: TextEncoding, text: &str) -> Result<Vec<u8>, TextError> {
    let mut out = Vec::with_capacity(text.len().saturating_mul(2).saturating_add(3));
    match encoding {
        TextEncoding::Utf16Le { bom } => {
            if bom {
                out.extend_from_slice(BOM_16LE);
            }
            push_utf16le(&mut out, text);
        }
        TextEncoding::Utf16Be => {
            out.extend_from_slice(BOM_16BE);
            out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
        }
        TextEncoding::Utf8 { bom } => {
            if bom {
                out.extend_from_slice(BOM_8);
            }
            out.extend_from_slice(text.as_bytes());
        }
        TextEncoding::EightBit => {
            for c in text.chars() {
                out.push(u8::try_from(c).map_err(|_| TextError::NotEncodable(c))?);
            }
        }
    }
    match encoding {
        TextEncoding::Utf16Le { bom: true }
        | TextEncoding::Utf16Be
        | TextEncoding::Utf8 { bom: true } => Ok(out),
        TextEncoding::Utf16Le { bom: false }
        | TextEncoding::Utf8 { bom: false }
        | TextEncoding::EightBit => {
            let told = match decode(&out) {
                Ok((_, read)) if read == text => return Ok(out),
                Ok((told, _)) => told,
                // What is rejected has a byte order mark, at its start or, as UTF-8, at the start of a line.
                Err(_) if out.starts_with(BOM_16LE) => TextEncoding::Utf16Le { bom: true },
                Err(_) if out.starts_with(BOM_16BE) => TextEncoding::Utf16Be,
                Err(_) => TextEncoding::Utf8 { bom: true },
            };
            Err(TextError::ReadOtherwise(told, encoding))
        }
    }
}

/// Appends text as UTF-16LE, without a mark.
pub fn push_utf16le(out: &mut Vec<u8>, text: &str) {
    for unit in text.encode_utf16() {
        out.extend_from_slice(&unit.to_le_bytes());
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, offset: usize) -> Result<String, TextError> {
    if !bytes.len().is_multiple_of(2) {
        return Err(TextError::OddLength(bytes.len().saturating_add(offset)));
    }
    let units = bytes
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok().map(unit));
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut position = offset;
    for c in char::decode_utf16(units) {
        let c = c.map_err(|_| TextError::UnpairedSurrogate(position))?;
        position = position.saturating_add(c.len_utf16().saturating_mul(2));
        text.push(c);
    }
    Ok(text)
}

/// Whether the bytes look like UTF-16LE without a mark: Latin text has zeros in most high bytes and in no low bytes.
fn looks_like_utf16le(bytes: &[u8]) -> bool {
    if bytes.is_empty() || !bytes.len().is_multiple_of(2) {
        return false;
    }
    let units = bytes.len() / 2;
    let low_zeros = bytes.iter().step_by(2).filter(|&&b| b == 0).count();
    let high_zeros = bytes.iter().skip(1).step_by(2).filter(|&&b| b == 0).count();
    low_zeros == 0 && high_zeros > units / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round(bytes: &[u8]) -> (TextEncoding, String) {
        let (encoding, text) = decode(bytes).unwrap();
        assert_eq!(encode(encoding, &text).unwrap(), bytes);
        (encoding, text)
    }

    #[test]
    fn every_encoding_round_trips() {
        let le = TextEncoding::Utf16Le { bom: true };
        assert_eq!(round(b"\xFF\xFEa\0\xE4\0"), (le, "aä".to_owned()));
        assert_eq!(round(b"\xFF\xFE").0, le);
        assert_eq!(round(b"[\0G\0]\0").0, TextEncoding::Utf16Le { bom: false });
        assert_eq!(round(b"\xFE\xFF\0a"), (TextEncoding::Utf16Be, "a".into()));
        assert_eq!(round(b"\xEF\xBB\xBFa").0, TextEncoding::Utf8 { bom: true });
        assert_eq!(round("ä".as_bytes()).0, TextEncoding::Utf8 { bom: false });
        assert_eq!(round(b"\x90V\x82\xB5").0, TextEncoding::EightBit);
        assert_eq!(round(b"").0, TextEncoding::Utf8 { bom: false });
        // A mark within a line is a character of the text.
        assert_eq!(round(b"\xFF\xFEa\0\xFF\xFE").1, "a\u{feff}");
    }

    #[test]
    fn contradictions_are_errors() {
        assert_eq!(decode(b"\xFF\xFEa"), Err(TextError::OddLength(3)));
        assert_eq!(
            decode(b"\xFF\xFEa\0\0\xD8"),
            Err(TextError::UnpairedSurrogate(4))
        );
        assert_eq!(decode(b"\xEF\xBB\xBFa\xFF"), Err(TextError::NotUtf8(4)));
        assert_eq!(
            encode(TextEncoding::EightBit, "€"),
            Err(TextError::NotEncodable('€'))
        );
    }

    #[test]
    fn text_that_would_decode_differently_is_rejected() {
        let (plain, eight) = (TextEncoding::Utf8 { bom: false }, TextEncoding::EightBit);
        let unmarked = TextEncoding::Utf16Le { bom: false };
        for (encoding, text, told) in [
            // The only invalid UTF-8 byte was removed, and the other two bytes are one UTF-8 character.
            (eight, "\u{d2}\u{96}", plain),
            (eight, "a\0", unmarked),
            (
                eight,
                "\u{ef}\u{bb}\u{bf}a",
                TextEncoding::Utf8 { bom: true },
            ),
            // They would begin with a mark, and what follows is not in that encoding.
            (eight, "\u{ff}\u{fe}a", TextEncoding::Utf16Le { bom: true }),
            (eight, "\u{fe}\u{ff}a", TextEncoding::Utf16Be),
            (
                eight,
                "\u{ef}\u{bb}\u{bf}\u{ff}",
                TextEncoding::Utf8 { bom: true },
            ),
            (plain, "a\0b\0", unmarked),
            (unmarked, "\u{1e9e}", eight),
        ] {
            let expected = Err(TextError::ReadOtherwise(told, encoding));
            assert_eq!(encode(encoding, text), expected, "{text:?}");
        }
        // Bytes that decode to the same text in both encodings are accepted.
        assert_eq!(encode(eight, "a").unwrap(), b"a");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_rejected_or_round_trip(bytes: Vec<u8>) {
            if let Ok((encoding, text)) = decode(&bytes) {
                prop_assert_eq!(encode(encoding, &text).unwrap(), bytes);
            }
        }

        #[test]
        fn utf16_with_a_byte_order_mark_round_trips(units: Vec<u16>) {
            let mut bytes = vec![0xFF, 0xFE];
            bytes.extend(units.iter().flat_map(|u| u.to_le_bytes()));
            match decode(&bytes) {
                Ok((encoding, text)) => prop_assert_eq!(encode(encoding, &text).unwrap(), bytes),
                Err(TextError::UnpairedSurrogate(_)) => {
                    prop_assert!(String::from_utf16(&units).is_err());
                }
                Err(error) => prop_assert!(
                    matches!(error, TextError::Shifted(_) | TextError::EightBitInside(_) | TextError::MarkInside(_))
                ),
            }
        }
    }
}
