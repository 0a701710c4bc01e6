//! The schema: the syntax of each attribute, which decides what a value may be and which values are equal, and the classes.

mod tables;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::model::dn::Dn;
use crate::model::guid::Guid;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;

/// The syntax of an attribute [MS-ADTS 3.1.1.2.2.2].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Compared without regard to case and to the number of blanks.
    Text,
    Integer,
    LargeInteger,
    Boolean,
    Octets,
    Sid,
    Descriptor,
    Dn,
    Oid,
    Time,
}

impl Syntax {
    /// Whether the bytes are a value of this syntax.
    pub(super) fn accepts(self, value: &[u8]) -> bool {
        let text = || std::str::from_utf8(value).ok();
        match self {
            Self::Octets => !value.is_empty(),
            Self::Sid => Sid::from_bytes(value).is_ok(),
            Self::Descriptor => SecurityDescriptor::parse(value).is_ok(),
            Self::Integer | Self::LargeInteger => text().is_some_and(|text| {
                let number = text.parse::<i64>().ok();
                let fits = number
                    .filter(|number| self == Self::LargeInteger || i32::try_from(*number).is_ok());
                // Without a sign or digits that say nothing.
                fits.is_some_and(|number| number.to_string() == text)
            }),
            Self::Boolean => matches!(value, b"TRUE" | b"FALSE"),
            Self::Dn => text().is_some_and(|text| Dn::parse(text).is_ok()),
            Self::Text | Self::Oid | Self::Time => text().is_some_and(|text| !text.is_empty()),
        }
    }

    /// The form in which equal values are the same bytes; `None` when the bytes are not a value.
    pub(super) fn normal(self, value: &[u8]) -> Option<Vec<u8>> {
        let text = || std::str::from_utf8(value).ok();
        Some(match self {
            Self::Text | Self::Oid => {
                let words = text()?.split(' ').filter(|word| !word.is_empty());
                let text = words.collect::<Vec<_>>().join(" ");
                text.to_lowercase().into_bytes()
            }
            Self::Integer | Self::LargeInteger => {
                text()?.parse::<i64>().ok()?.to_string().into_bytes()
            }
            Self::Boolean => value.to_ascii_uppercase(),
            Self::Dn => {
                let dn = Dn::parse(text()?).ok()?;
                let rdns = dn.rdns().iter();
                let parts = rdns.map(|rdn| format!("{}={}", rdn.attribute, rdn.value));
                let joined = parts.collect::<Vec<_>>().join("\0");
                joined.to_lowercase().into_bytes()
            }
            Self::Sid => match text().and_then(|text| text.parse::<Sid>().ok()) {
                Some(sid) => sid.to_bytes(),
                None => value.to_vec(),
            },
            Self::Octets | Self::Descriptor | Self::Time => value.to_vec(),
        })
    }
}

/// An attribute.
pub(super) struct Attribute {
    /// `lDAPDisplayName`.
    pub name: &'static str,
    pub syntax: Syntax,
    /// At most one value.
    pub is_single: bool,
    /// Only the server writes it.
    pub is_system: bool,
    guid: &'static str,
    set: &'static str,
}

impl Attribute {
    const fn new(
        name: &'static str,
        syntax: Syntax,
        is_single: bool,
        is_system: bool,
        guid: &'static str,
        set: &'static str,
    ) -> Self {
        Self {
            name,
            syntax,
            is_single,
            is_system,
            guid,
            set,
        }
    }
}

/// A class.
pub(super) struct Class {
    /// `lDAPDisplayName`.
    pub name: &'static str,
    superclass: &'static str,
    /// The attribute of the RDN.
    pub rdn: &'static str,
    guid: &'static str,
    /// The name of `defaultObjectCategory`.
    pub category: &'static str,
    /// `showInAdvancedViewOnly` of a new object.
    pub is_hidden: bool,
    /// No object is of this class alone.
    pub is_abstract: bool,
    must: &'static [&'static str],
    may: &'static [&'static str],
    superiors: &'static [&'static str],
    /// `defaultSecurityDescriptor`, as SDDL.
    pub descriptor: &'static str,
}

/// An attribute, and the object types of entries about it.
type AttributeTypes = (&'static Attribute, Vec<Guid>);

/// The schema, looked up by names without regard to case.
pub(super) struct Schema {
    /// Under each name as it is written in the schema, which nearly every look-up uses, and in lower case.
    attributes: HashMap<String, AttributeTypes>,
    classes: HashMap<String, (&'static Class, Option<Guid>)>,
}

/// The schema of every domain in memory.
pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let guid = |text: &str| text.parse::<Guid>().ok();
    Schema {
        attributes: tables::ATTRIBUTES
            .iter()
            .flat_map(|attribute| {
                let types = [attribute.guid, attribute.set];
                let types: Vec<Guid> = types.into_iter().filter_map(guid).collect();
                [attribute.name.to_owned(), attribute.name.to_lowercase()]
                    .map(|name| (name, (attribute, types.clone())))
            })
            .collect(),
        classes: tables::CLASSES
            .iter()
            .map(|class| (class.name.to_lowercase(), (class, guid(class.guid))))
            .collect(),
    }
});

impl Schema {
    /// The attribute of this name.
    pub(super) fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.with_types(name).map(|(attribute, _)| *attribute)
    }

    fn with_types(&self, name: &str) -> Option<&AttributeTypes> {
        let as_written = self.attributes.get(name);
        as_written.or_else(|| self.attributes.get(&name.to_lowercase()))
    }

    /// The object types of entries about an attribute: its own, and that of its property set.
    pub(super) fn types_of(&self, attribute: &str) -> &[Guid] {
        self.with_types(attribute).map_or(&[], |(_, types)| types)
    }

    /// The class of this name.
    pub(super) fn class(&self, name: &str) -> Option<&'static Class> {
        let (class, _) = self.classes.get(&name.to_lowercase())?;
        Some(class)
    }

    /// `schemaIDGUID` of a class.
    pub(super) fn class_guid(&self, name: &str) -> Option<Guid> {
        self.classes.get(&name.to_lowercase())?.1
    }

    /// A class and its superclasses, the class itself last.
    pub(super) fn chain(&self, class: &'static Class) -> Vec<&'static Class> {
        let mut chain = vec![class];
        while let Some(last) = chain.last()
            && last.superclass != last.name
            && let Some(next) = self.class(last.superclass)
        {
            chain.push(next);
        }
        chain.reverse();
        chain
    }

    /// The attributes that an object of this class must and may have.
    pub(super) fn allowed(&self, class: &'static Class) -> Vec<&'static str> {
        let chain = self.chain(class);
        let names = chain
            .iter()
            .flat_map(|class| class.must.iter().chain(class.may));
        names.copied().collect()
    }

    /// The attributes that an object of this class must have.
    pub(super) fn required(&self, class: &'static Class) -> Vec<&'static str> {
        let chain = self.chain(class);
        chain.iter().flat_map(|class| class.must).copied().collect()
    }

    /// Whether an object of this class may be below one of that.
    pub(super) fn may_be_below(&self, class: &'static Class, parent: &'static Class) -> bool {
        let parents = self.chain(parent);
        self.chain(class)
            .iter()
            .flat_map(|class| class.superiors)
            .any(|superior| parents.iter().any(|parent| parent.name == *superior))
    }

    /// Every class.
    pub(super) fn classes(&self) -> impl Iterator<Item = &'static Class> {
        tables::CLASSES.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sddl::from_sddl;

    #[test]
    fn the_tables_are_whole() {
        let domain: Sid = "S-1-5-21-1-2-3".parse().unwrap();
        for class in SCHEMA.classes() {
            assert!(SCHEMA.class(class.superclass).is_some(), "{}", class.name);
            assert!(SCHEMA.class_guid(class.name).is_some(), "{}", class.name);
            from_sddl(class.descriptor, Some(&domain)).unwrap();
            for name in SCHEMA.allowed(class) {
                assert!(SCHEMA.attribute(name).is_some(), "{name}");
            }
        }
        for attribute in tables::ATTRIBUTES {
            assert!(
                !SCHEMA.types_of(attribute.name).is_empty(),
                "{}",
                attribute.name
            );
        }
        assert_eq!(
            SCHEMA.class_guid("groupPolicyContainer"),
            crate::model::access::class_guid("groupPolicyContainer")
        );
    }

    #[test]
    fn values_are_equal_by_their_syntax() {
        let same = |syntax: Syntax, a: &str, b: &str| {
            syntax.normal(a.as_bytes()).unwrap() == syntax.normal(b.as_bytes()).unwrap()
        };
        assert!(same(Syntax::Text, "Default  domain", "default Domain "));
        assert!(!same(Syntax::Octets, "a", "A"));
        assert!(same(Syntax::Integer, "65537", "065537"));
        assert!(same(Syntax::Dn, "CN=A\\2Cb,DC=x", "cn=a\\,B,dc=X"));
        assert_eq!(Syntax::Dn.normal(b"x"), None);
        assert!(!Syntax::Integer.accepts(b"2147483648"));
        assert!(!Syntax::Integer.accepts(b"no number"));
        assert!(!Syntax::Integer.accepts(b"01"));
    }
}
