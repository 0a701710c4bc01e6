//! GPO.cmt: the comment of a GPO, UTF-16LE without byte order mark, free text to the end of the file.

use super::text::{TextError, decode_utf16le, push_utf16le};

/// The comment of a GPO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpoComment {
    /// The text; lines end with `\r\n` or `\n`, as they were typed.
    pub text: String,
}

impl GpoComment {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TextError`] for an odd number of bytes or half of a surrogate pair.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let text = decode_utf16le(bytes)?;
        Ok(Self { text })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_utf16le(&mut bytes, &self.text);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_text_and_refuses_halves() {
        let comment = GpoComment::parse(b"a\0\r\0\n\0\xE4\0").unwrap();
        assert_eq!(comment.text, "a\r\n\u{e4}");
        assert_eq!(GpoComment::parse(b"").unwrap().text, "");
        assert_eq!(GpoComment::parse(b"a\0b"), Err(TextError::OddLength(3)));
        assert!(GpoComment::parse(b"\x00\xD8").is_err());
    }

    proptest! {
        #[test]
        fn round_trips_accepted_files(bytes: Vec<u8>) {
            if let Ok(comment) = GpoComment::parse(&bytes) {
                prop_assert_eq!(comment.to_bytes(), bytes);
            }
        }
    }
}
