//! One search result entry.

use crate::error::{Error, ErrorKind, Result};
use crate::model::dn::Dn;

/// An object as a search returned it: names as the server spells them, values as bytes in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its DN; the root for the rootDSE.
    pub dn: Dn,
    /// Its attributes: the name and the values of each.
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// The values of an attribute, named without regard to case; empty when it has none.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or(&[], |(_, values)| values.as_slice())
    }

    /// The first value.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.values(name).first().map(Vec::as_slice)
    }

    /// The first value as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// All values as texts.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.values(name)
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }

    /// A 32-bit integer, which LDAP carries signed and AD often means unsigned [MS-ADTS 3.1.1.2.2.2.8].
    ///
    /// # Errors
    /// [`ErrorKind::BadDirectory`] when the value is no such number.
    pub fn dword(&self, name: &str) -> Result<Option<u32>> {
        self.text(name)
            .map(|text| {
                parse_dword(&text).ok_or_else(|| {
                    Error::new(
                        ErrorKind::BadDirectory,
                        format!(
                            "{}: {name} is \"{}\", not a 32-bit number",
                            self.dn,
                            text.escape_debug()
                        ),
                    )
                })
            })
            .transpose()
    }
}

/// A number from -2³¹ to 2³²-1 as its 32 bits.
pub(crate) fn parse_dword(text: &str) -> Option<u32> {
    let number: i64 = text.trim().parse().ok()?;
    match u32::try_from(number) {
        Ok(number) => Some(number),
        Err(_) => i32::try_from(number).ok().map(i32::cast_unsigned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_bits() {
        assert_eq!(parse_dword("65537"), Some(65_537));
        assert_eq!(parse_dword("-1610462096"), Some(2_684_505_200));
        assert_eq!(parse_dword("2684505200"), Some(2_684_505_200));
        assert_eq!(parse_dword("4294967296"), None);
        assert_eq!(parse_dword("-2147483649"), None);
        assert_eq!(parse_dword("x"), None);
    }
}
