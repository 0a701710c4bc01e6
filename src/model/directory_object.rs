//! Directory objects below a GPO: the class store and its packages [MS-GPSI 2.2.3].

use std::collections::BTreeMap;

use super::security_descriptor::{SecurityDescriptor, grants_same_access};

/// One object below a GPO's container, with the attributes that a backup contains.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct DirectoryObject {
    /// The RDNs below the GPO, nearest first: `["CN=Class Store", "CN=Machine"]`. The GPO's own DN is not part of it.
    pub rdns: Vec<String>,
    /// The most specific structural class: `classStore`, `packageRegistration`, …
    pub object_class: String,
    /// The attributes in the order of the source, without those that the server generates.
    pub attributes: Vec<DirectoryAttribute>,
    /// The self-relative security descriptor, if it was read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub security_descriptor: Option<Vec<u8>>,
}

/// An attribute and its values.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DirectoryAttribute {
    /// The LDAP name.
    pub name: String,
    /// The values.
    pub values: AttributeValues,
}

/// Values by syntax, as the elements `DSAttributeString`, … of Backup.xml distinguish them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AttributeValues {
    /// `DSAttributeString`: one text, or none.
    String(Option<String>),
    /// `DSAttributeExpandedString`: one text in which `%GPO_DSPATH%` and similar variables are replaced.
    ExpandedString(Option<String>),
    /// `DSAttributeMultiString`: texts.
    MultiString(Vec<String>),
    /// `DSAttributeDWORD`: one unsigned 32-bit number, or none. LDAP carries it signed.
    Dword(Option<u32>),
    /// `DSAttributeMultiDWORD`: unsigned 32-bit numbers.
    MultiDword(Vec<u32>),
    /// `DSAttributeBinary`: bytes; several values when the attribute has several.
    Binary(Vec<Vec<u8>>),
}

impl AttributeValues {
    /// The values as LDAP represents them, sorted. Empty values are left out, because a directory stores none.
    fn comparable(&self) -> Vec<Vec<u8>> {
        let signed = |number: &u32| number.cast_signed().to_string().into_bytes();
        let text = |text: &String| text.clone().into_bytes();
        let mut values: Vec<Vec<u8>> = match self {
            Self::String(value) | Self::ExpandedString(value) => value.iter().map(text).collect(),
            Self::MultiString(values) => values.iter().map(text).collect(),
            Self::Dword(value) => value.iter().map(signed).collect(),
            Self::MultiDword(values) => values.iter().map(signed).collect(),
            Self::Binary(values) => values.clone(),
        };
        values.retain(|value| !value.is_empty());
        values.sort();
        values
    }
}

impl AsRef<DirectoryObject> for DirectoryObject {
    fn as_ref(&self) -> &DirectoryObject {
        self
    }
}

impl DirectoryObject {
    /// The location in lower case: equal for two objects that cannot both exist.
    pub fn key(&self) -> Vec<String> {
        self.rdns.iter().map(|rdn| rdn.to_lowercase()).collect()
    }

    /// The values of each attribute, by its name in lower case, as LDAP represents them, sorted. Attributes that the
    /// server generates and attributes without a value are left out.
    pub fn content(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        self.attributes
            .iter()
            .map(|attribute| {
                (
                    attribute.name.to_ascii_lowercase(),
                    attribute.values.comparable(),
                )
            })
            .filter(|(name, values)| name != "objectguid" && !values.is_empty())
            .collect()
    }

    /// The names of the attributes whose values differ from those of `other`, in lower case; see
    /// [`DirectoryObject::content`].
    pub fn differing_attributes(&self, other: &Self) -> Vec<String> {
        let (mine, others) = (self.content(), other.content());
        let mut names: Vec<String> = mine
            .keys()
            .chain(others.keys())
            .filter(|name| mine.get(*name) != others.get(*name))
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether this object has a security descriptor that grants something else than that of `other`.
    pub fn differs_in_access(&self, other: &Self) -> bool {
        match (&self.security_descriptor, &other.security_descriptor) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(mine), Some(others)) => {
                match (
                    SecurityDescriptor::parse(mine),
                    SecurityDescriptor::parse(others),
                ) {
                    (Ok(mine), Ok(others)) => !grants_same_access(&mine, &others),
                    _ => mine != others,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(values: &[(&str, AttributeValues)]) -> DirectoryObject {
        DirectoryObject {
            rdns: vec!["CN=a".to_owned(), "CN=Machine".to_owned()],
            object_class: "packageRegistration".to_owned(),
            attributes: values
                .iter()
                .map(|(name, values)| DirectoryAttribute {
                    name: (*name).to_owned(),
                    values: values.clone(),
                })
                .collect(),
            security_descriptor: None,
        }
    }

    #[test]
    fn compares_values_ignoring_order_and_syntax() {
        let text = |text: &str| AttributeValues::String(Some(text.to_owned()));
        let one = package(&[
            ("packageName", text("Reader")),
            ("packageFlags", AttributeValues::Dword(Some(u32::MAX))),
            (
                "url",
                AttributeValues::MultiString(vec!["b".to_owned(), "a".to_owned()]),
            ),
            ("vendor", AttributeValues::String(None)),
            ("objectGUID", AttributeValues::Binary(vec![vec![1]])),
        ]);
        let same = package(&[
            (
                "PACKAGENAME",
                AttributeValues::Binary(vec![b"Reader".to_vec()]),
            ),
            ("packageFlags", text("-1")),
            (
                "url",
                AttributeValues::MultiString(vec!["a".to_owned(), "b".to_owned()]),
            ),
        ]);
        assert!(one.differing_attributes(&same).is_empty());
        let other = package(&[("packageName", text("reader")), ("url", text("a"))]);
        assert_eq!(
            one.differing_attributes(&other),
            ["packageflags", "packagename", "url"]
        );
    }
}
