//! Security identifiers.

use std::fmt;
use std::str::FromStr;

/// A SID [MS-DTYP 2.4.2]. Displays as `S-1-…` [MS-DTYP 2.4.2.1].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    /// The identifier authority, 48 bits.
    authority: u64,
    /// The sub-authorities, at most 15.
    sub_authorities: Vec<u32>,
}

/// The text or the bytes are not a SID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a SID")]
pub struct InvalidSid(String);

/// The most sub-authorities a SID can have [MS-DTYP 2.4.2.2].
const MAX_SUB_AUTHORITIES: usize = 15;

impl Sid {
    /// Parses a SID at the start of `bytes` [MS-DTYP 2.4.2.2] and returns it with its length in bytes.
    ///
    /// # Errors
    /// When the revision is not 1, there is no sub-authority or there are more than 15 (which the text form cannot
    /// express [MS-DTYP 2.4.2.1]), or the bytes are truncated.
    pub fn parse_prefix(bytes: &[u8]) -> Result<(Self, usize), InvalidSid> {
        let bad = || InvalidSid(format!("{} bytes", bytes.len()));
        let (&[revision, count, a, b, c, d, e, f], rest) =
            bytes.split_first_chunk::<8>().ok_or_else(bad)?;
        let count = usize::from(count);
        if revision != 1 || !(1..=MAX_SUB_AUTHORITIES).contains(&count) {
            return Err(bad());
        }
        let sub_authorities: Vec<u32> = rest
            .chunks_exact(4)
            .take(count)
            .filter_map(|chunk| chunk.try_into().ok().map(u32::from_le_bytes))
            .collect();
        if sub_authorities.len() != count {
            return Err(bad());
        }
        let authority = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Ok((
            Self {
                authority,
                sub_authorities,
            },
            8 + 4 * count,
        ))
    }

    /// Reads a SID that fills `bytes` exactly, as `objectSid` does [MS-DTYP 2.4.2.2].
    ///
    /// # Errors
    /// As [`Sid::parse_prefix`], and when bytes are left over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSid> {
        let (sid, used) = Self::parse_prefix(bytes)?;
        if used == bytes.len() {
            Ok(sid)
        } else {
            Err(InvalidSid(format!("{} bytes", bytes.len())))
        }
    }

    /// The binary form [MS-DTYP 2.4.2.2]: authority big-endian, sub-authorities little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = u8::try_from(self.sub_authorities.len()).unwrap_or(0);
        let [_, _, authority @ ..] = self.authority.to_be_bytes();
        let mut bytes = vec![1, count];
        bytes.extend_from_slice(&authority);
        for sub in &self.sub_authorities {
            bytes.extend_from_slice(&sub.to_le_bytes());
        }
        bytes
    }

    /// The domain's SID, when this is the SID of an account of a domain or machine: `S-1-5-21-a-b-c-rid`.
    pub fn domain(&self) -> Option<Self> {
        match self.sub_authorities.as_slice() {
            [21, a, b, c, _rid] if self.authority == 5 => Some(Self {
                authority: 5,
                sub_authorities: vec![21, *a, *b, *c],
            }),
            _ => None,
        }
    }

    /// The last sub-authority: the relative identifier of an account.
    pub fn rid(&self) -> Option<u32> {
        self.sub_authorities.last().copied()
    }

    /// The account with this relative identifier in the domain this SID names.
    #[must_use]
    pub fn with_rid(&self, rid: u32) -> Self {
        let mut sub_authorities = self.sub_authorities.clone();
        sub_authorities.push(rid);
        Self {
            authority: self.authority,
            sub_authorities,
        }
    }

    /// Whether this is a SID of a domain (`S-1-5-21-…`), which does not exist in other domains.
    pub fn is_domain_sid(&self) -> bool {
        self.authority == 5 && self.sub_authorities.first() == Some(&21)
    }
}

impl FromStr for Sid {
    type Err = InvalidSid;

    /// `S-1-…` or `s-1-…`; the authority in decimal, or in hexadecimal with `0x` [MS-DTYP 2.4.2.1].
    fn from_str(text: &str) -> Result<Self, InvalidSid> {
        let bad = || InvalidSid(text.to_owned());
        let mut parts = text.split('-');
        if !parts.next().is_some_and(|s| s.eq_ignore_ascii_case("s")) || parts.next() != Some("1") {
            return Err(bad());
        }
        let number = |part: &str| -> Option<u64> {
            match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
                Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    u64::from_str_radix(hex, 16).ok()
                }
                None if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {
                    part.parse().ok()
                }
                _ => None,
            }
        };
        let authority = parts
            .next()
            .and_then(number)
            .filter(|&authority| authority < 1 << 48)
            .ok_or_else(bad)?;
        let sub_authorities = parts
            .map(|part| number(part).and_then(|value| u32::try_from(value).ok()))
            .collect::<Option<Vec<u32>>>()
            .filter(|subs| !subs.is_empty() && subs.len() <= MAX_SUB_AUTHORITIES)
            .ok_or_else(bad)?;
        Ok(Self {
            authority,
            sub_authorities,
        })
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.authority < 1 << 32 {
            write!(f, "S-1-{}", self.authority)?;
        } else {
            write!(f, "S-1-0x{:012x}", self.authority)?;
        }
        for sub in &self.sub_authorities {
            write!(f, "-{sub}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(Sid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree() {
        let sid: Sid = "S-1-5-21-1-2-3-1104".parse().unwrap();
        let bytes = sid.to_bytes();
        assert_eq!(bytes.len(), 28);
        assert_eq!(Sid::from_bytes(&bytes).unwrap(), sid);
        assert_eq!(sid.to_string(), "S-1-5-21-1-2-3-1104");
        assert_eq!(sid.domain().unwrap().to_string(), "S-1-5-21-1-2-3");
        assert_eq!(sid.domain().unwrap().with_rid(1104), sid);
        assert_eq!("s-1-1-0".parse::<Sid>().unwrap().to_string(), "S-1-1-0");
    }

    #[test]
    fn rejects_invalid_sids() {
        for text in [
            "",
            "S-1",
            "S-1-",
            "S-1-5-",
            "S-2-5-1",
            "S-1-5-x",
            "S-1-5-4294967296",
            "S-1-5-+1",
            "*S-1-1-0",
        ] {
            assert!(text.parse::<Sid>().is_err(), "{text}");
        }
        assert!(Sid::from_bytes(&[1, 16, 0, 0, 0, 0, 0, 5]).is_err());
        assert!(Sid::from_bytes(&[1, 1, 0, 0, 0, 0, 0, 5]).is_err());
        assert!(Sid::from_bytes(&[1, 0, 0, 0, 0, 0, 0, 5, 9]).is_err());
        // A SID without a sub-authority has no text form.
        assert!(Sid::from_bytes(&[1, 0, 0, 0, 0, 0, 0, 5]).is_err());
    }
}
