//! The forms in which a principal is named.

/// The form of a principal name, which shows whether it contains a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameForm<'a> {
    /// A bare name: `name`.
    Bare(&'a str),
    /// `DOMAIN\name` or `dns.domain\name`.
    DownLevel {
        /// The domain, NetBIOS or DNS.
        domain: &'a str,
        /// The `sAMAccountName`.
        name: &'a str,
    },
    /// `name@dns.domain`.
    Upn {
        /// The domain.
        domain: &'a str,
        /// The `sAMAccountName`.
        name: &'a str,
    },
}

impl<'a> NameForm<'a> {
    /// Parses a name.
    pub fn of(text: &'a str) -> Self {
        if is_distinguished(text) {
            // The backslashes of a DN escape commas.
            Self::Bare(text)
        } else if let Some((domain, name)) = text.split_once('\\') {
            Self::DownLevel { domain, name }
        } else if let Some((name, domain)) = text.rsplit_once('@')
            && !name.is_empty()
            && !domain.is_empty()
        {
            Self::Upn { domain, name }
        } else {
            Self::Bare(text)
        }
    }

    /// The name without its domain.
    pub fn relative(self) -> &'a str {
        match self {
            Self::Bare(name) | Self::DownLevel { name, .. } | Self::Upn { name, .. } => name,
        }
    }

    /// The domain, if the name contains one.
    pub fn domain(self) -> Option<&'a str> {
        match self {
            Self::Bare(_) => None,
            Self::DownLevel { domain, .. } | Self::Upn { domain, .. } => Some(domain),
        }
    }
}

/// Whether a text is the distinguished name of an object in a domain, such as an OU in item-level targeting.
fn is_distinguished(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let attribute = lower.split_once('=').map(|(attribute, _)| attribute);
    attribute.is_some_and(|attribute| matches!(attribute, "ou" | "cn" | "dc"))
        && lower.contains(",dc=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_name_forms() {
        assert_eq!(NameForm::of("a"), NameForm::Bare("a"));
        assert_eq!(NameForm::of("D\\a").domain(), Some("D"));
        assert_eq!(NameForm::of("a@b@c.d").relative(), "a@b");
        assert_eq!(NameForm::of("@a"), NameForm::Bare("@a"));
        let dn = "OU=a\\, b,DC=c,DC=d";
        assert_eq!(NameForm::of(dn), NameForm::Bare(dn));
    }
}
