//! The objects below a GPO's container: the class store and its packages [MS-GPSI 2.2.3], and any others.

use super::session::Directory;
use super::unreadable::{READ_WITH_MORE_RIGHTS, unread_below};
use crate::domain::ldap::{Entry, Filter, Scope, Search, parse_dword};
use crate::error::{Error, ErrorKind, Result};
use crate::model::directory_object::{AttributeValues, DirectoryAttribute, DirectoryObject};
use crate::model::dn::{Dn, Rdn, escape_value, parse_single_rdn};
use crate::model::guid::Guid;

/// The form of an attribute in a backup: the element of Backup.xml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    String,
    Expanded,
    MultiString,
    Dword,
    MultiDword,
    Binary,
}

/// The attributes of a `packageRegistration` in the order GPMC stores them, with their syntax [MS-GPSI 2.2.2.4.1].
const PACKAGE: &[(&str, Syntax)] = &[
    ("objectGUID", Syntax::Binary),
    ("cOMClassID", Syntax::MultiString),
    ("cOMProgID", Syntax::MultiString),
    ("fileExtPriority", Syntax::MultiString),
    ("localeID", Syntax::MultiDword),
    ("machineArchitecture", Syntax::MultiDword),
    ("versionNumberHi", Syntax::Dword),
    ("versionNumberLo", Syntax::Dword),
    ("revision", Syntax::Dword),
    ("packageType", Syntax::Dword),
    ("packageFlags", Syntax::Dword),
    ("packageName", Syntax::String),
    ("msiScriptPath", Syntax::String),
    ("msiScriptName", Syntax::String),
    ("msiScriptSize", Syntax::Dword),
    ("url", Syntax::MultiString),
    ("setupCommand", Syntax::String),
    ("lastUpdateSequence", Syntax::String),
    ("msiFileList", Syntax::MultiString),
    ("categories", Syntax::MultiString),
    ("canUpgradeScript", Syntax::MultiString),
    ("installUiLevel", Syntax::Dword),
    ("msiScript", Syntax::Binary),
    ("displayName", Syntax::String),
    ("productCode", Syntax::Binary),
    ("upgradeProductCode", Syntax::Binary),
    ("Vendor", Syntax::String),
];

/// The attributes of a `classStore` that are needed, in GPMC's order [MS-GPSI 2.2.2.2].
const CLASS_STORE: &[(&str, Syntax)] = &[
    ("appSchemaVersion", Syntax::Dword),
    ("extensionName", Syntax::String),
    ("description", Syntax::String),
    ("displayName", Syntax::Expanded),
    ("lastUpdateSequence", Syntax::String),
];

/// Attributes that the server sets itself, so that nobody can write them or needs to keep them.
const SERVER_MADE: &[&str] = &[
    "objectClass",
    "cn",
    "ou",
    "name",
    "distinguishedName",
    "instanceType",
    "whenCreated",
    "whenChanged",
    "uSNCreated",
    "uSNChanged",
    "objectGUID",
    "objectCategory",
    "dSCorePropagationData",
    "showInAdvancedViewOnly",
    "nTSecurityDescriptor",
    "replPropertyMetaData",
    "structuralObjectClass",
];

/// Whether the server sets the attribute itself.
pub(super) fn is_server_made(name: &str) -> bool {
    SERVER_MADE
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

impl Directory {
    /// The objects below a GPO other than `CN=Machine` and `CN=User` themselves, parents first, with their descriptors.
    ///
    /// A package has every attribute of its class in GPMC's order, empty ones included, as in a backup; a class store has those
    /// with a value; another class has its own attributes, each as text, or as bytes if it is not text.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such GPO; [`ErrorKind::BadDirectory`] when a number is not valid;
    /// [`ErrorKind::Denied`] when there may be more than this account may read.
    pub async fn children(&self, guid: Guid) -> Result<Vec<DirectoryObject>> {
        let gpo = self.info().base.gpo(guid);
        let mut objects = Vec::new();
        let mut containers = Vec::new();
        let mut below = Vec::new();
        for entry in self
            .descendants(
                &gpo,
                &["*", "nTSecurityDescriptor"],
                Some(super::gpo::SD_PARTS),
            )
            .await?
        {
            let relative = entry.dn.below(&gpo).unwrap_or_default();
            if relative.is_empty() || is_half(relative) {
                containers.push(entry);
                continue;
            }
            objects.push(object(&entry, relative, &gpo)?);
            below.push(entry);
        }
        let token = self.info().token.as_ref();
        if let Some(error) = unread_below(&containers, &below, token) {
            return Err(error.with_hint(READ_WITH_MORE_RIGHTS));
        }
        objects.sort_by_cached_key(|object| (object.rdns.len(), object.key()));
        Ok(objects)
    }

    /// The GPO's container and everything below it.
    pub(super) async fn descendants(
        &self,
        gpo: &Dn,
        attributes: &[&str],
        sd_flags: Option<u32>,
    ) -> Result<Vec<Entry>> {
        self.search(Search {
            base: Some(gpo),
            scope: Scope::Subtree,
            filter: Filter::everything(),
            attributes,
            sd_flags,
            paged: true,
            extended_dns: false,
        })
        .await
    }
}

/// Whether this is `CN=Machine` or `CN=User` directly below the GPO.
pub(super) fn is_half(relative: &[Rdn]) -> bool {
    matches!(relative, [one] if one.is("CN", "Machine") || one.is("CN", "User"))
}

/// An entry as an object of a snapshot.
pub(super) fn object(entry: &Entry, relative: &[Rdn], gpo: &Dn) -> Result<DirectoryObject> {
    let table = match class_of(entry).to_ascii_lowercase().as_str() {
        "packageregistration" => PACKAGE,
        "classstore" => CLASS_STORE,
        _ => &[],
    };
    object_by(table, entry, relative, gpo)
}

/// An entry as an object of a snapshot, each value as text, or as bytes if it is not text.
pub(super) fn plain_object(entry: &Entry, relative: &[Rdn]) -> DirectoryObject {
    // Without a table, no value can have the wrong syntax.
    object_by(&[], entry, relative, &entry.dn).unwrap_or_default()
}

/// The most specific class: superclasses come first, the class itself last [MS-ADTS 3.1.1.2.4.3].
fn class_of(entry: &Entry) -> String {
    entry.texts("objectClass").pop().unwrap_or_default()
}

fn object_by(
    table: &[(&str, Syntax)],
    entry: &Entry,
    relative: &[Rdn],
    gpo: &Dn,
) -> Result<DirectoryObject> {
    let keep_empty = std::ptr::eq(table, PACKAGE);
    let mut attributes = Vec::new();
    for &(name, syntax) in table {
        let values = entry.values(name);
        if !values.is_empty() || keep_empty {
            attributes.push(DirectoryAttribute {
                name: name.to_owned(),
                values: typed(entry, name, syntax, gpo)?,
            });
        }
    }
    for (name, values) in &entry.attributes {
        let known = table
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !known && !is_server_made(name) {
            attributes.push(DirectoryAttribute {
                name: name.clone(),
                values: generic(values),
            });
        }
    }
    Ok(DirectoryObject {
        rdns: relative
            .iter()
            .map(|rdn| format!("{}={}", rdn.attribute, escape_value(&rdn.value)))
            .collect(),
        object_class: class_of(entry),
        attributes,
        security_descriptor: entry.bytes("nTSecurityDescriptor").map(<[u8]>::to_vec),
    })
}

/// The values of an attribute by its syntax.
fn typed(entry: &Entry, name: &str, syntax: Syntax, gpo: &Dn) -> Result<AttributeValues> {
    Ok(match syntax {
        Syntax::String => AttributeValues::String(entry.text(name)),
        Syntax::Expanded => {
            AttributeValues::ExpandedString(entry.text(name).map(|text| collapse(&text, gpo)))
        }
        Syntax::MultiString => AttributeValues::MultiString(entry.texts(name)),
        Syntax::Dword => AttributeValues::Dword(entry.dword(name)?),
        Syntax::MultiDword => {
            let numbers = entry.texts(name);
            let parsed: Option<Vec<u32>> = numbers.iter().map(|text| parse_dword(text)).collect();
            AttributeValues::MultiDword(parsed.ok_or_else(|| {
                Error::new(
                    ErrorKind::BadDirectory,
                    format!(
                        "{}: {name} contains something other than 32-bit numbers",
                        entry.dn
                    ),
                )
            })?)
        }
        Syntax::Binary => AttributeValues::Binary(entry.values(name).to_vec()),
    })
}

/// The values of an attribute of unknown syntax: text if all of it is text, else bytes.
fn generic(values: &[Vec<u8>]) -> AttributeValues {
    let texts: Option<Vec<String>> = values
        .iter()
        .map(|value| match std::str::from_utf8(value) {
            Ok(text) if !text.contains('\0') => Some(text.to_owned()),
            _ => None,
        })
        .collect();
    match texts {
        Some(texts) if texts.len() > 1 => AttributeValues::MultiString(texts),
        Some(mut texts) => AttributeValues::String(texts.pop()),
        None => AttributeValues::Binary(values.to_vec()),
    }
}

/// The variables of an expanded string and the DNs behind them, longest first.
fn variables(gpo: &Dn) -> [(&'static str, String); 3] {
    [
        ("%GPO_MACH_DSPATH%", gpo.cn("Machine").to_string()),
        ("%GPO_USER_DSPATH%", gpo.cn("User").to_string()),
        ("%GPO_DSPATH%", gpo.to_string()),
    ]
}

/// Replaces the GPO's DN at the end of the text, as in `LDAP://<GPO DN>`, by the variable.
fn collapse(text: &str, gpo: &Dn) -> String {
    for (variable, dn) in variables(gpo) {
        let Some(at) = text.len().checked_sub(dn.len()) else {
            continue;
        };
        if let Some((front, end)) = text.split_at_checked(at)
            && end.eq_ignore_ascii_case(&dn)
        {
            return format!("{front}{variable}");
        }
    }
    text.to_owned()
}

/// Replaces the variables by the DNs of this GPO.
fn expand(text: &str, gpo: &Dn) -> String {
    variables(gpo)
        .iter()
        .fold(text.to_owned(), |text, (variable, dn)| {
            text.replace(variable, dn)
        })
}

/// The DN of an object of a snapshot below this GPO.
///
/// # Errors
/// [`ErrorKind::BadInput`] when its RDNs are not valid.
pub(super) fn object_dn(object: &DirectoryObject, gpo: &Dn) -> Result<Dn> {
    let bad = |text: &str| {
        Error::new(
            ErrorKind::BadInput,
            format!(
                "\"{}\" is not the relative name of a directory object",
                text.escape_debug()
            ),
        )
    };
    if object.rdns.is_empty() {
        return Err(bad(""));
    }
    let mut dn = gpo.clone();
    for text in object.rdns.iter().rev() {
        let rdn = parse_single_rdn(text).ok_or_else(|| bad(text))?;
        dn = dn
            .child(&rdn.attribute, &rdn.value)
            .map_err(|_| bad(text))?;
    }
    Ok(dn)
}

/// The values of an attribute for LDAP; empty when there is nothing to write.
pub(super) fn ldap_values(values: &AttributeValues, gpo: &Dn) -> Vec<Vec<u8>> {
    let signed = |number: &u32| number.cast_signed().to_string().into_bytes();
    let texts: Vec<Vec<u8>> = match values {
        AttributeValues::String(text) => text.iter().map(|t| t.clone().into_bytes()).collect(),
        AttributeValues::ExpandedString(text) => {
            text.iter().map(|t| expand(t, gpo).into_bytes()).collect()
        }
        AttributeValues::MultiString(texts) => {
            texts.iter().map(|t| t.clone().into_bytes()).collect()
        }
        AttributeValues::Dword(number) => number.iter().map(signed).collect(),
        AttributeValues::MultiDword(numbers) => numbers.iter().map(signed).collect(),
        AttributeValues::Binary(values) => values.clone(),
    };
    // A directory does not store empty values.
    texts
        .into_iter()
        .filter(|value| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpo() -> Dn {
        let guid: Guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
        Dn::parse("DC=src,DC=test").unwrap().gpo(guid)
    }

    fn entry(dn: Dn, attributes: &[(&str, &[&[u8]])]) -> Entry {
        Entry {
            dn,
            attributes: attributes
                .iter()
                .map(|(name, values)| {
                    (
                        (*name).to_owned(),
                        values.iter().map(|value| value.to_vec()).collect(),
                    )
                })
                .collect(),
        }
    }

    #[test]
    fn a_package_has_every_attribute_in_the_order_of_a_backup() {
        let dn = gpo()
            .cn("Machine")
            .cn("Class Store")
            .cn("Packages")
            .cn("abc");
        let entry = entry(
            dn.clone(),
            &[
                ("objectClass", &[b"top", b"packageRegistration"]),
                ("packageFlags", &[b"-1610462096"]),
                ("msiFileList", &[b"0:\\\\fs\\a.msi", b"1:\\\\fs\\b.mst"]),
                ("vendor", &[b"Contoso"]),
                ("uSNChanged", &[b"7"]),
                ("extra", &[&[0xff, 0]]),
            ],
        );
        let gpo = gpo();
        let relative = entry.dn.below(&gpo).unwrap().to_vec();
        let read = object(&entry, &relative, &gpo).unwrap();
        assert_eq!(read.object_class, "packageRegistration");
        assert_eq!(
            read.rdns,
            ["CN=abc", "CN=Packages", "CN=Class Store", "CN=Machine"]
        );
        assert_eq!(read.attributes.len(), PACKAGE.len() + 1);
        let value = |name: &str| {
            read.attributes
                .iter()
                .find(|attribute| attribute.name == name)
                .map(|attribute| attribute.values.clone())
        };
        assert_eq!(
            value("packageFlags"),
            Some(AttributeValues::Dword(Some(2_684_505_200)))
        );
        assert_eq!(
            value("Vendor"),
            Some(AttributeValues::String(Some("Contoso".to_owned())))
        );
        assert_eq!(value("url"), Some(AttributeValues::MultiString(Vec::new())));
        assert_eq!(
            value("extra"),
            Some(AttributeValues::Binary(vec![vec![0xff, 0]]))
        );
        assert_eq!(value("uSNChanged"), None);
        assert_eq!(
            ldap_values(&AttributeValues::Dword(Some(2_684_505_200)), &gpo),
            [b"-1610462096".to_vec()]
        );
        assert_eq!(object_dn(&read, &gpo).unwrap(), dn);
    }

    #[test]
    fn the_dn_of_the_gpo_becomes_a_variable_and_back() {
        let text = format!("LDAP://{}", gpo());
        assert_eq!(collapse(&text, &gpo()), "LDAP://%GPO_DSPATH%");
        let machine = format!("LDAP://{}", gpo().cn("Machine"));
        assert_eq!(collapse(&machine, &gpo()), "LDAP://%GPO_MACH_DSPATH%");
        assert_eq!(expand("LDAP://%GPO_DSPATH%", &gpo()), text);
        assert_eq!(collapse("é", &gpo()), "é");
    }

    #[test]
    fn names_that_would_leave_the_gpo_are_refused() {
        let object = |rdn: &str| DirectoryObject {
            rdns: vec![rdn.to_owned()],
            ..DirectoryObject::default()
        };
        for rdn in ["", "CN=a,CN=b", "x", "CN="] {
            assert!(object_dn(&object(rdn), &gpo()).is_err(), "{rdn}");
        }
        let odd = object_dn(&object("CN=a\\,CN\\=b"), &gpo()).unwrap();
        assert_eq!(odd.below(&gpo()).unwrap().len(), 1);
        assert!(object_dn(&DirectoryObject::default(), &gpo()).is_err());
    }
}
