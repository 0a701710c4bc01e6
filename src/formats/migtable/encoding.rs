//! The encodings of migration tables, detected from the bytes alone.

use encoding_rs::WINDOWS_1252;

/// The encoding of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// UTF-16, little-endian, as GPMC writes it (with a byte order mark).
    Utf16Le {
        /// Whether the file begins with `FF FE`.
        bom: bool,
    },
    /// UTF-16, big-endian.
    Utf16Be {
        /// Whether the file begins with `FE FF`.
        bom: bool,
    },
    /// UTF-8, whatever the declaration says.
    Utf8 {
        /// Whether the file begins with `EF BB BF`.
        bom: bool,
    },
    /// Bytes that are not UTF-8, as written by scripts on Windows.
    Windows1252,
}

impl Encoding {
    /// Its name, as in JSON output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf16Le { .. } => "utf-16le",
            Self::Utf16Be { .. } => "utf-16be",
            Self::Utf8 { .. } => "utf-8",
            Self::Windows1252 => "windows-1252",
        }
    }
}

/// Decodes the text without its byte order mark, and returns the encoding that restores exactly these bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<(String, Encoding), String> {
    if let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        let text = std::str::from_utf8(rest).map_err(|error| {
            format!(
                "byte {} is not UTF-8",
                error.valid_up_to().saturating_add(3)
            )
        })?;
        return Ok((text.to_owned(), Encoding::Utf8 { bom: true }));
    }
    let utf16 = if let Some(rest) = bytes.strip_prefix(b"\xFF\xFE") {
        Some((rest, Encoding::Utf16Le { bom: true }))
    } else if let Some(rest) = bytes.strip_prefix(b"\xFE\xFF") {
        Some((rest, Encoding::Utf16Be { bom: true }))
    } else {
        // XML begins with `<` or a blank, so one zero byte among the first two shows the byte order.
        match bytes {
            [1..=255, 0, ..] => Some((bytes, Encoding::Utf16Le { bom: false })),
            [0, 1..=255, ..] => Some((bytes, Encoding::Utf16Be { bom: false })),
            _ => None,
        }
    };
    if let Some((rest, encoding)) = utf16 {
        let (pairs, odd) = rest.as_chunks::<2>();
        if !odd.is_empty() {
            return Err("the file is UTF-16 with an odd number of bytes".to_owned());
        }
        let units = pairs.iter().map(|pair| match encoding {
            Encoding::Utf16Be { .. } => u16::from_be_bytes(*pair),
            _ => u16::from_le_bytes(*pair),
        });
        let text = char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|error| {
                format!(
                    "the file is not UTF-16: half of a surrogate pair, {:04X}",
                    error.unpaired_surrogate()
                )
            })?;
        return Ok((text, encoding));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok((text.to_owned(), Encoding::Utf8 { bom: false })),
        Err(_) => {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
            Ok((text.into_owned(), Encoding::Windows1252))
        }
    }
}

/// Encodes a text that contains only characters of the encoding; see [`with_references`].
pub(super) fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 { bom } => {
            let mut bytes = Vec::with_capacity(text.len().saturating_add(3));
            if bom {
                bytes.extend_from_slice(b"\xEF\xBB\xBF");
            }
            bytes.extend_from_slice(text.as_bytes());
            bytes
        }
        Encoding::Utf16Le { bom } => bom
            .then_some(0xFEFF)
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect(),
        Encoding::Utf16Be { bom } => bom
            .then_some(0xFEFF)
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_be_bytes)
            .collect(),
        Encoding::Windows1252 => {
            let bytes = WINDOWS_1252.encode(text).0.into_owned();
            // Without the removed row, the rest may be valid UTF-8 and decode to another text. Write it as UTF-8 in
            // that case.
            match std::str::from_utf8(&bytes) {
                Ok(read) if read != text => text.as_bytes().to_vec(),
                _ => bytes,
            }
        }
    }
}

/// Replaces characters that the encoding lacks by character references.
pub(super) fn with_references(text: &str, encoding: Encoding) -> String {
    match encoding {
        Encoding::Windows1252 => text
            .chars()
            .map(
                |c| match WINDOWS_1252.encode(c.encode_utf8(&mut [0; 4])).2 {
                    true => format!("&#{};", u32::from(c)),
                    false => c.to_string(),
                },
            )
            .collect(),
        _ => text.to_owned(),
    }
}
