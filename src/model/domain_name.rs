//! DNS names of domains and hosts, validated before they become part of a path, a DN or a connection.

use std::fmt;
use std::str::FromStr;

/// The DNS name of a domain or host: labels of letters, digits, `-` and `_`, at most 63 characters each and 255 in all.
/// Keeps its spelling; compares without regard to case.
#[derive(Clone)]
pub struct DomainName(String);

/// The text is not a DNS name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a DNS name", .0.escape_debug())]
pub struct InvalidDomainName(String);

impl DomainName {
    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in lower case, as in SYSVOL paths.
    pub fn lower(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The Kerberos realm of the domain: its name in upper case.
    pub fn realm(&self) -> String {
        self.0.to_ascii_uppercase()
    }

    /// The DN of the domain: `DC=a,DC=example`. Its labels need no escaping.
    pub fn to_dn(&self) -> String {
        self.0
            .split('.')
            .map(|label| format!("DC={label}"))
            .collect::<Vec<_>>()
            .join(",")
    }
}

impl FromStr for DomainName {
    type Err = InvalidDomainName;

    fn from_str(text: &str) -> Result<Self, InvalidDomainName> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        let label_ok = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if bare.len() <= 255 && bare.split('.').all(label_ok) {
            Ok(Self(bare.to_owned()))
        } else {
            Err(InvalidDomainName(text.to_owned()))
        }
    }
}

impl PartialEq for DomainName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for DomainName {}

impl std::hash::Hash for DomainName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.lower().hash(state);
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

serde_as_text!(DomainName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_and_converts() {
        let name: DomainName = "Src.Test".parse().unwrap();
        assert_eq!(name, "src.test".parse().unwrap());
        assert_eq!(name.realm(), "SRC.TEST");
        assert_eq!(name.to_dn(), "DC=Src,DC=Test");
        for text in ["", ".", "a..b", "a b", "a\\b", "a/b", "-a", "a,DC=b"] {
            assert!(text.parse::<DomainName>().is_err(), "{text}");
        }
    }
}
