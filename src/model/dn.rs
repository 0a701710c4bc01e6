//! Distinguished names [RFC 4514]. Text becomes part of a DN only through this type.

use std::fmt;

use crate::model::guid::Guid;

/// A distinguished name. Displays as written; comparison ignores case and the form of escaping.
#[derive(Clone)]
pub struct Dn {
    text: String,
    /// Nearest first.
    rdns: Vec<Rdn>,
}

/// One relative distinguished name of one attribute: `CN=Policies`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rdn {
    /// The attribute type, as written.
    pub attribute: String,
    /// The value, unescaped. A value in `#` form keeps its text.
    pub value: String,
}

/// The text is not a distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a distinguished name", .0.escape_debug())]
pub struct InvalidDn(String);

impl Rdn {
    /// Whether this is `attribute=value`, compared without regard to case.
    pub fn is(&self, attribute: &str, value: &str) -> bool {
        self.attribute.eq_ignore_ascii_case(attribute)
            && self.value.to_lowercase() == value.to_lowercase()
    }

    /// Formats the RDN with its value escaped.
    fn written(&self) -> String {
        format!("{}={}", self.attribute, escape_value(&self.value))
    }
}

impl Dn {
    /// Reads a DN. Multi-valued RDNs are refused: AD has none.
    ///
    /// # Errors
    /// When the text is empty or not of the form `attribute=value,…` [RFC 4514 3].
    pub fn parse(text: &str) -> Result<Self, InvalidDn> {
        let bad = || InvalidDn(text.to_owned());
        let mut rdns = Vec::new();
        let mut rest = text;
        loop {
            let (rdn, after) = parse_rdn(rest).ok_or_else(bad)?;
            rdns.push(rdn);
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
        Ok(Self {
            text: text.to_owned(),
            rdns,
        })
    }

    /// The empty DN, the DN of the rootDSE.
    pub fn root() -> Self {
        Self {
            text: String::new(),
            rdns: Vec::new(),
        }
    }

    /// The DN one level below this one.
    ///
    /// # Errors
    /// When `attribute` is not a name of letters, digits and `-`.
    pub fn child(&self, attribute: &str, value: &str) -> Result<Self, InvalidDn> {
        if !is_attribute_type(attribute) || value.is_empty() {
            return Err(InvalidDn(format!("{attribute}={value}")));
        }
        Ok(self.with(Rdn {
            attribute: attribute.to_owned(),
            value: value.to_owned(),
        }))
    }

    /// The child `CN=value`. A CN needs no check besides escaping.
    #[must_use]
    pub fn cn(&self, value: &str) -> Self {
        self.with(Rdn {
            attribute: "CN".to_owned(),
            value: value.to_owned(),
        })
    }

    fn with(&self, rdn: Rdn) -> Self {
        let mut text = rdn.written();
        if !self.text.is_empty() {
            text.push(',');
            text.push_str(&self.text);
        }
        let mut rdns = Vec::with_capacity(self.rdns.len() + 1);
        rdns.push(rdn);
        rdns.extend(self.rdns.iter().cloned());
        Self { text, rdns }
    }

    /// The container of the GPOs in the domain with this DN: `CN=Policies,CN=System,…`.
    #[must_use]
    pub fn policies(&self) -> Self {
        self.cn("System").cn("Policies")
    }

    /// The container of a GPO of the domain with this DN: `CN={GUID},CN=Policies,CN=System,…` [MS-GPOL 2.2.2].
    #[must_use]
    pub fn gpo(&self, guid: Guid) -> Self {
        self.policies().cn(&guid.to_string())
    }

    /// The GUID, when this is the container of a GPO of the domain with the DN `base`.
    pub fn gpo_guid(&self, base: &Self) -> Option<Guid> {
        if self.parent()? != base.policies() {
            return None;
        }
        let rdn = self.rdns.first()?;
        if !rdn.attribute.eq_ignore_ascii_case("CN") || !rdn.value.starts_with('{') {
            return None;
        }
        rdn.value.parse().ok()
    }

    /// The DN as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The RDNs, nearest first.
    pub fn rdns(&self) -> &[Rdn] {
        &self.rdns
    }

    /// The DN one level up; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.rdns.split_first()?;
        if rest.is_empty() {
            return None;
        }
        let text = rest.iter().map(Rdn::written).collect::<Vec<_>>().join(",");
        Some(Self {
            text,
            rdns: rest.to_vec(),
        })
    }

    /// The RDNs of this DN below `above`, nearest first: empty when the two are equal, `None` when this DN is not below
    /// `above`.
    pub fn below(&self, above: &Self) -> Option<&[Rdn]> {
        let depth = self.rdns.len().checked_sub(above.rdns.len())?;
        let (relative, rest) = self.rdns.split_at_checked(depth)?;
        let same = rest
            .iter()
            .zip(&above.rdns)
            .all(|(a, b)| a.is(&b.attribute, &b.value));
        same.then_some(relative)
    }

    /// The name as `canonicalName` gives it: `src.test/Staff/North`, with `/` and `\\` in a name escaped by `\\`
    /// [MS-ADTS 3.1.1.4.5.7].
    pub fn canonical_name(&self) -> String {
        let below: Vec<String> = self
            .rdns
            .iter()
            .rev()
            .filter(|rdn| !rdn.attribute.eq_ignore_ascii_case("DC"))
            .map(|rdn| rdn.value.replace('\\', "\\\\").replace('/', "\\/"))
            .collect();
        format!("{}/{}", self.dns_domain(), below.join("/"))
    }

    /// The DNS name of the domain that contains the DN, from its `DC` parts.
    pub fn dns_domain(&self) -> String {
        self.rdns
            .iter()
            .filter(|rdn| rdn.attribute.eq_ignore_ascii_case("DC"))
            .map(|rdn| rdn.value.as_str())
            .collect::<Vec<_>>()
            .join(".")
    }
}

impl PartialEq for Dn {
    fn eq(&self, other: &Self) -> bool {
        self.below(other).is_some_and(<[Rdn]>::is_empty)
    }
}

impl Eq for Dn {}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Parses a single RDN, such as `CN=Class Store`.
pub fn parse_single_rdn(text: &str) -> Option<Rdn> {
    match parse_rdn(text)? {
        (rdn, None) => Some(rdn),
        _ => None,
    }
}

/// Parses the first RDN; returns it and the text after its comma.
fn parse_rdn(text: &str) -> Option<(Rdn, Option<&str>)> {
    let (attribute, after) = text.split_once('=')?;
    let attribute = attribute.trim();
    if !is_attribute_type(attribute) {
        return None;
    }
    let mut value = Vec::new();
    // The length of the value up to its last character that is escaped or not a space: unescaped spaces around a value
    // are not part of it.
    let mut kept = 0;
    let mut chars = after.char_indices();
    let mut rest = None;
    while let Some((at, c)) = chars.next() {
        match c {
            ',' => {
                rest = Some(after.get(at + 1..)?);
                break;
            }
            '+' | ';' | '<' | '>' | '"' | '\0' => return None,
            '\\' => {
                let (_, next) = chars.next()?;
                if next.is_ascii_hexdigit() {
                    let (_, second) = chars.next()?;
                    let byte = next.to_digit(16)? * 16 + second.to_digit(16)?;
                    value.push(u8::try_from(byte).ok()?);
                } else {
                    value.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                }
                kept = value.len();
            }
            ' ' if value.is_empty() => {}
            _ => {
                value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                if c != ' ' {
                    kept = value.len();
                }
            }
        }
    }
    value.truncate(kept);
    let value = String::from_utf8(value).ok()?;
    if value.is_empty() {
        return None;
    }
    let rdn = Rdn {
        attribute: attribute.to_owned(),
        value,
    };
    Some((rdn, rest))
}

/// Letters, digits, `-` and `.`, beginning with a letter or digit (an OID).
fn is_attribute_type(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

/// Escapes an attribute value for a DN [RFC 4514 2.4].
pub fn escape_value(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => {
                out.push('\\');
                out.push(c);
            }
            '#' if index == 0 => out.push_str("\\#"),
            ' ' if index == 0 || index == last => out.push_str("\\ "),
            c if c.is_ascii_control() => out.push_str(&format!("\\{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_cannot_escape_its_dn() {
        let base = Dn::parse("DC=src,DC=test").unwrap();
        for value in [
            "*)(objectClass=*",
            "x,CN=Users",
            " a ",
            "#1",
            "a+b=c",
            "a\\",
            "a\nb",
            "\"",
        ] {
            let child = base.cn(value);
            let read = Dn::parse(child.as_str()).unwrap();
            assert_eq!(read.rdns().len(), 3, "{child}");
            assert_eq!(read.rdns()[0].value, value);
            assert_eq!(read, child);
            assert_eq!(read.parent().unwrap(), base);
        }
        assert!(base.child("C N", "x").is_err());
        assert!(base.child("OU,DC", "x").is_err());
    }

    #[test]
    fn recognizes_gpo_containers() {
        let base = Dn::parse("DC=src,DC=test").unwrap();
        let guid: Guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
        let dn = base.gpo(guid);
        assert_eq!(
            dn.as_str(),
            "CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Policies,CN=System,DC=src,DC=test"
        );
        let spelled = Dn::parse(
            "cn={31b2f340-016d-11d2-945f-00c04fb984f9}, cn=policies,cn=system,dc=SRC,dc=TEST",
        )
        .unwrap();
        assert_eq!(spelled, dn);
        assert_eq!(spelled.gpo_guid(&base), Some(guid));
        for text in [
            "CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Policies,CN=System,DC=x,DC=src,DC=test",
            "CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Users,DC=src,DC=test",
            "CN=Machine,CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Policies,CN=System,DC=src,DC=test",
            "CN=Policies,CN=System,DC=src,DC=test",
        ] {
            assert_eq!(Dn::parse(text).unwrap().gpo_guid(&base), None, "{text}");
        }
        let child = dn.cn("Machine").cn("Class Store");
        let relative = child.below(&dn).unwrap();
        assert_eq!(relative.len(), 2);
        assert!(relative[0].is("cn", "class store"));
        assert_eq!(base.dns_domain(), "src.test");
        assert!(base.below(&dn).is_none());
    }

    #[test]
    fn rejects_invalid_dns() {
        for text in [
            "",
            "CN",
            "CN=",
            "=x",
            "CN=a,",
            "CN=a+OU=b",
            "CN=a;DC=b",
            "CN=\\",
            "CN=\\4",
            "C N=a",
        ] {
            assert!(Dn::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_value_survives(value in "[^\\s\0][^\0]{0,20}") {
            let dn = Dn::parse("DC=a").unwrap().cn(&value);
            let read = Dn::parse(dn.as_str()).unwrap();
            prop_assert_eq!(&read.rdns()[0].value, &value);
        }

        #[test]
        fn never_panics_on_any_text(text in ".{0,40}") {
            let _ = Dn::parse(&text);
        }
    }
}
