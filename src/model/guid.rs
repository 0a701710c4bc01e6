//! GUIDs, in the two spellings that Active Directory uses.

use std::fmt;
use std::str::FromStr;

/// A GUID [MS-DTYP 2.3.4]. Displays as `{XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX}` in upper case, the form GPMC and SYSVOL use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(uuid::Uuid);

/// The text is not a GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a GUID")]
pub struct InvalidGuid(String);

impl Guid {
    /// The all-zero GUID, under which Preferences tools are listed in extension lists.
    pub const NIL: Self = Self(uuid::Uuid::nil());

    /// A new random GUID.
    pub fn new_random() -> Self {
        Self(uuid::Uuid::new_v4())
    }

    /// From the 16 bytes of an AD `objectGUID`: the first three fields little-endian [MS-DTYP 2.3.4.2].
    pub const fn from_bytes_le(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes_le(bytes))
    }

    /// The 16 bytes of an AD `objectGUID`: the first three fields little-endian [MS-DTYP 2.3.4.2].
    pub fn to_bytes_le(self) -> [u8; 16] {
        self.0.to_bytes_le()
    }

    /// The lower-case form in braces, as in `GPODomainGuid` of a backup.
    pub fn lower(self) -> String {
        format!("{{{}}}", self.0.hyphenated())
    }

    /// The upper-case form without braces.
    pub fn bare(self) -> String {
        self.0.hyphenated().to_string().to_uppercase()
    }
}

impl FromStr for Guid {
    type Err = InvalidGuid;

    /// With or without braces, in either case; no other spelling.
    fn from_str(text: &str) -> Result<Self, InvalidGuid> {
        let bare = text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or(text);
        // The uuid crate also takes URNs, braces and 32 plain digits, none of which AD writes.
        if bare.len() != 36 || bare.starts_with('{') {
            return Err(InvalidGuid(text.to_owned()));
        }
        uuid::Uuid::parse_str(bare)
            .map(Self)
            .map_err(|_| InvalidGuid(text.to_owned()))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.bare())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(Guid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_spellings_and_writes_one() {
        let upper: Guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
        let lower: Guid = "31b2f340-016d-11d2-945f-00c04fb984f9".parse().unwrap();
        assert_eq!(upper, lower);
        assert_eq!(lower.to_string(), "{31B2F340-016D-11D2-945F-00C04FB984F9}");
        assert_eq!(upper.to_bytes_le()[..4], [0x40, 0xf3, 0xb2, 0x31]);
    }

    #[test]
    fn rejects_invalid_guids() {
        for text in [
            "",
            "{}",
            "{31B2F340}",
            "31B2F340016D11D2945F00C04FB984F9",
            "{31B2F340-016D-11D2-945F-00C04FB984F9",
            "..\\x",
        ] {
            assert!(text.parse::<Guid>().is_err(), "{text}");
        }
    }
}
