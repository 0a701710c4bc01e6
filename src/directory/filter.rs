//! Search filters [RFC 4515] as a type: the only way a text becomes part of one.

/// A search filter. Attribute names are ours; values are escaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter(String);

impl Filter {
    /// Every object.
    pub fn everything() -> Self {
        Self("(objectClass=*)".to_owned())
    }

    /// The attribute has a value.
    pub fn present(attribute: &'static str) -> Self {
        Self(format!("({attribute}=*)"))
    }

    /// The attribute has this text as a value.
    pub fn equals(attribute: &'static str, value: &str) -> Self {
        Self::equals_bytes(attribute, value.as_bytes())
    }

    /// The attribute has these bytes as a value.
    pub fn equals_bytes(attribute: &'static str, value: &[u8]) -> Self {
        Self(format!("({attribute}={})", escape_filter(value)))
    }

    /// A value of the attribute contains this text.
    pub fn contains(attribute: &'static str, value: &str) -> Self {
        Self(format!(
            "({attribute}=*{}*)",
            escape_filter(value.as_bytes())
        ))
    }

    /// One of these holds; none of an empty list does.
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::list('|', filters)
    }

    /// All of these hold.
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::list('&', filters)
    }

    fn list(operator: char, filters: impl IntoIterator<Item = Self>) -> Self {
        let inner: String = filters.into_iter().map(|filter| filter.0).collect();
        Self(format!("({operator}{inner})"))
    }

    /// The filter as text [RFC 4515].
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
            filter.as_str(),
            "(displayName=\\2a\\29\\28objectClass=\\2a)"
        );
        assert!(ldap3::parse_filter(filter.as_str()).is_ok());
        assert_eq!(
            Filter::equals_bytes("objectSid", &[1, 0, 0x5c, 0x41]).as_str(),
            "(objectSid=\\01\\00\\5cA)"
        );
        let both = Filter::any([Filter::equals("cn", "a"), Filter::contains("gPLink", "b*")]);
        assert_eq!(both.as_str(), "(|(cn=a)(gPLink=*b\\2a*))");
    }

    proptest! {
        #[test]
        fn any_value_is_a_filter(text in ".{0,40}") {
            prop_assert!(ldap3::parse_filter(Filter::equals("cn", &text).as_str()).is_ok());
        }
    }
}
