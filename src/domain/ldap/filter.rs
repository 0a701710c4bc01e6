//! Search filters [RFC 4515] as a type: the only way a text becomes part of one.

use std::fmt;

/// A search filter. Attribute names are ours; values are bytes, and are escaped where the filter is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// The attribute has a value.
    Present(&'static str),
    /// The attribute has this value, by its equality rule.
    Equals(&'static str, Vec<u8>),
    /// A value of the attribute contains this one.
    Contains(&'static str, Vec<u8>),
    /// One of these holds; none of an empty list does.
    Any(Vec<Filter>),
    /// All of these hold.
    All(Vec<Filter>),
}

impl Filter {
    /// Every object.
    pub fn everything() -> Self {
        Self::Present("objectClass")
    }

    /// The attribute has a value.
    pub fn present(attribute: &'static str) -> Self {
        Self::Present(attribute)
    }

    /// The attribute has this text as a value.
    pub fn equals(attribute: &'static str, value: &str) -> Self {
        Self::equals_bytes(attribute, value.as_bytes())
    }

    /// The attribute has these bytes as a value.
    pub fn equals_bytes(attribute: &'static str, value: &[u8]) -> Self {
        Self::Equals(attribute, value.to_vec())
    }

    /// A value of the attribute contains this text.
    pub fn contains(attribute: &'static str, value: &str) -> Self {
        Self::Contains(attribute, value.as_bytes().to_vec())
    }

    /// One of these holds; none of an empty list does.
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::Any(filters.into_iter().collect())
    }

    /// All of these hold.
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::All(filters.into_iter().collect())
    }
}

impl fmt::Display for Filter {
    /// The filter as text [RFC 4515].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present(attribute) => write!(f, "({attribute}=*)"),
            Self::Equals(attribute, value) => write!(f, "({attribute}={})", escape_filter(value)),
            Self::Contains(attribute, value) => {
                write!(f, "({attribute}=*{}*)", escape_filter(value))
            }
            Self::Any(filters) => list(f, '|', filters),
            Self::All(filters) => list(f, '&', filters),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, operator: char, filters: &[Filter]) -> fmt::Result {
    write!(f, "({operator}")?;
    for filter in filters {
        write!(f, "{filter}")?;
    }
    f.write_str(")")
}

/// Escapes a value for a filter [RFC 4515 3]: everything that is not a plain ASCII character.
fn escape_filter(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    for &byte in value {
        if byte.is_ascii_graphic() && !b"*()\\".contains(&byte) || byte == b' ' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("\\{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOSTILE: &str = "*)(objectClass=*";

    #[test]
    fn a_value_cannot_leave_its_filter() {
        let filter = Filter::equals("displayName", HOSTILE);
        assert_eq!(
            filter.to_string(),
            "(displayName=\\2a\\29\\28objectClass=\\2a)"
        );
        assert!(ldap3::parse_filter(filter.to_string()).is_ok());
        assert_eq!(
            Filter::equals_bytes("objectSid", &[1, 0, 0x5c, 0x41]).to_string(),
            "(objectSid=\\01\\00\\5cA)"
        );
        let both = Filter::any([Filter::equals("cn", "a"), Filter::contains("gPLink", "b*")]);
        assert_eq!(both.to_string(), "(|(cn=a)(gPLink=*b\\2a*))");
    }

    proptest! {
        #[test]
        fn any_value_is_a_filter(text in ".{0,40}") {
            prop_assert!(ldap3::parse_filter(Filter::equals("cn", &text).to_string()).is_ok());
        }
    }
}
