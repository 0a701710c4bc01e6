//! The objects that gpoctl writes below a GPO: an allow-list of classes and attributes.
//!
//! A backup, a saved plan or a journal names directory objects to create. Without a limit it could create an account in
//! the domain, so only what the specifications store below a GPO gets through, and only with the attributes they name.

use std::ops::Deref;

use super::directory_object::DirectoryObject;
use super::dn::{Rdn, escape_value, parse_single_rdn};
use super::security_descriptor::{DaclState, SecurityDescriptor};

/// A class of objects below a GPO, and its attributes.
struct AllowedClass {
    name: &'static str,
    attributes: &'static [&'static str],
}

/// Attributes of `top` that name and describe an object [MS-ADSC 2.268]. None of them grants anything.
const COMMON: &[&str] = &[
    "adminDescription",
    "adminDisplayName",
    "description",
    "displayName",
    "extensionName",
];

/// Every class, with its source.
const CLASSES: &[AllowedClass] = &[
    // [MS-GPWL 3.1.5.2], [MS-GPDPC 2.2.1.1], [MS-GPIPSEC 2.2.1]: what holds the policies.
    AllowedClass {
        name: "container",
        attributes: &[],
    },
    // [MS-GPSI 2.2.3.2.1, 2.2.3.2.2, 2.3]
    AllowedClass {
        name: "classStore",
        attributes: &["appSchemaVersion", "lastUpdateSequence", "versionNumber"],
    },
    // [MS-GPSI 2.2.2.4.1, 2.2.3.2.3, 2.3]; COM data and icon [MS-ADSC 2.219]. `managedBy` stays out: it is a link to an
    // account.
    AllowedClass {
        name: "packageRegistration",
        attributes: &[
            "canUpgradeScript",
            "categories",
            "cOMClassID",
            "cOMInterfaceID",
            "cOMProgID",
            "cOMTypelibId",
            "fileExtPriority",
            "iconPath",
            "installUiLevel",
            "lastUpdateSequence",
            "localeID",
            "machineArchitecture",
            "msiFileList",
            "msiScript",
            "msiScriptName",
            "msiScriptPath",
            "msiScriptSize",
            "packageFlags",
            "packageName",
            "packageType",
            "productCode",
            "revision",
            "setupCommand",
            "upgradeProductCode",
            "url",
            "vendor",
            "versionNumberHi",
            "versionNumberLo",
        ],
    },
    // [MS-GPWL 2.3]
    AllowedClass {
        name: "msieee80211-Policy",
        attributes: &["msieee80211-Data", "msieee80211-DataType", "msieee80211-ID"],
    },
    // [MS-GPWL 2.3, 6.15]
    AllowedClass {
        name: "ms-net-ieee-80211-GroupPolicy",
        attributes: &[
            "ms-net-ieee-80211-GP-PolicyData",
            "ms-net-ieee-80211-GP-PolicyGUID",
            "ms-net-ieee-80211-GP-PolicyReserved",
        ],
    },
    // [MS-GPWL 2.3, 6.16]
    AllowedClass {
        name: "ms-net-ieee-8023-GroupPolicy",
        attributes: &[
            "ms-net-ieee-8023-GP-PolicyData",
            "ms-net-ieee-8023-GP-PolicyGUID",
            "ms-net-ieee-8023-GP-PolicyReserved",
        ],
    },
    // [MS-GPIPSEC 2.2.2]: the reference to the assigned policy. The policy itself is in CN=IP Security,CN=System.
    AllowedClass {
        name: "ipsecPolicy",
        attributes: &[
            "ipsecData",
            "ipsecDataType",
            "ipsecID",
            "ipsecISAKMPReference",
            "ipsecName",
            "ipsecNFAReference",
            "ipsecOwnersReference",
        ],
    },
    // [MS-GPDPC 2.2, 2.2.1.2]
    AllowedClass {
        name: "msPrint-ConnectionPolicy",
        attributes: &["printAttributes", "printerName", "serverName", "uNCName"],
    },
];

/// The attribute that a backup carries and nobody writes: the server makes it.
const IDENTITY: &str = "objectGUID";

/// An object that gpoctl does not write below a GPO.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" {reason}", object.escape_debug())]
pub struct ForbiddenObject {
    /// Its RDNs below the GPO.
    pub object: String,
    /// What is wrong with it.
    pub reason: ForbiddenReason,
}

/// Why gpoctl does not write an object below a GPO.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForbiddenReason {
    /// A GPO holds no objects of this class.
    #[error("is of class \"{}\", and a GPO cannot contain objects of that class", .0.escape_debug())]
    Class(String),
    /// Objects of this class below a GPO do not have the attribute.
    #[error("has the attribute \"{}\", which objects of class {class} in a GPO cannot have", attribute.escape_debug())]
    Attribute {
        /// The class.
        class: &'static str,
        /// The attribute.
        attribute: String,
    },
    /// It is somewhere else.
    #[error("is not an object below CN=Machine or CN=User")]
    Place,
    /// Its name, or that of an object above it, is one that a directory does not keep as it is.
    #[error("has a name with control characters, or with blanks around it")]
    Name,
    /// Its security descriptor cannot be read, or has no DACL and so would let everybody in.
    #[error("has a security descriptor without a readable DACL")]
    Descriptor,
}

/// An object that may be written below a GPO. What writes to a directory takes no other, and neither a plan nor a
/// journal can hold another, so nothing else gets in whatever a file says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "DirectoryObject", into = "DirectoryObject")]
pub struct AllowedObject(DirectoryObject);

impl AllowedObject {
    /// Lets an object through whose class, attributes and place are those of the specifications. Its RDNs get the form in which they
    /// are read from a directory, so that they can be compared: a backup may say `CN=#41` or `CN=a\2Cb`.
    ///
    /// # Errors
    /// [`ForbiddenObject`], which names the object and what is wrong with it.
    pub fn new(object: DirectoryObject) -> Result<Self, ForbiddenObject> {
        match reason_against(&object) {
            None => Ok(Self(in_written_form(object))),
            Some(reason) => Err(ForbiddenObject {
                object: object.rdns.join(","),
                reason,
            }),
        }
    }

    /// Lets a list of objects through.
    ///
    /// # Errors
    /// The [`ForbiddenObject`] of the first that does not get through.
    pub fn all(objects: &[DirectoryObject]) -> Result<Vec<Self>, ForbiddenObject> {
        objects.iter().cloned().map(Self::new).collect()
    }

    /// The same object with another security descriptor, or without one.
    ///
    /// # Errors
    /// [`ForbiddenObject`] when the descriptor has no readable DACL.
    pub fn with_security_descriptor(self, bytes: Option<Vec<u8>>) -> Result<Self, ForbiddenObject> {
        Self::new(DirectoryObject {
            security_descriptor: bytes,
            ..self.0
        })
    }
}

impl Deref for AllowedObject {
    type Target = DirectoryObject;

    fn deref(&self) -> &DirectoryObject {
        &self.0
    }
}

impl AsRef<DirectoryObject> for AllowedObject {
    fn as_ref(&self) -> &DirectoryObject {
        &self.0
    }
}

impl TryFrom<DirectoryObject> for AllowedObject {
    type Error = ForbiddenObject;

    fn try_from(object: DirectoryObject) -> Result<Self, ForbiddenObject> {
        Self::new(object)
    }
}

impl From<AllowedObject> for DirectoryObject {
    fn from(allowed: AllowedObject) -> Self {
        allowed.0
    }
}

fn reason_against(object: &DirectoryObject) -> Option<ForbiddenReason> {
    if !is_below_a_half(&object.rdns) {
        return Some(ForbiddenReason::Place);
    }
    // An object that two domain controllers made at once has a line feed in its name [MS-ADTS 3.1.1.1.8].
    let is_kept = |value: &str| {
        let given = value.split_once("\nCNF:").map_or(value, |(given, _)| given);
        value.trim() == value && !given.chars().any(char::is_control)
    };
    let mut names = object.rdns.iter().filter_map(|rdn| parse_single_rdn(rdn));
    if names.any(|rdn| !is_kept(&rdn.value)) {
        return Some(ForbiddenReason::Name);
    }
    let Some(class) = CLASSES
        .iter()
        .find(|class| class.name.eq_ignore_ascii_case(&object.object_class))
    else {
        return Some(ForbiddenReason::Class(object.object_class.clone()));
    };
    let unknown = object.attributes.iter().find(|attribute| {
        !class
            .attributes
            .iter()
            .chain(COMMON)
            .chain([&IDENTITY])
            .any(|known| known.eq_ignore_ascii_case(&attribute.name))
    });
    if let Some(attribute) = unknown {
        return Some(ForbiddenReason::Attribute {
            class: class.name,
            attribute: attribute.name.clone(),
        });
    }
    let readable = |bytes: &Vec<u8>| {
        SecurityDescriptor::parse(bytes)
            .is_ok_and(|parsed| matches!(parsed.dacl_state(), DaclState::List(_)))
    };
    match &object.security_descriptor {
        Some(bytes) if !readable(bytes) => Some(ForbiddenReason::Descriptor),
        _ => None,
    }
}

fn in_written_form(mut object: DirectoryObject) -> DirectoryObject {
    for rdn in &mut object.rdns {
        if let Some(Rdn { attribute, value }) = parse_single_rdn(rdn) {
            *rdn = format!("{attribute}={}", escape_value(&value));
        }
    }
    object
}

/// Whether these RDNs name an object below `CN=Machine` or `CN=User`, each of them a single `CN`.
fn is_below_a_half(rdns: &[String]) -> bool {
    let Some((half, below)) = rdns.split_last() else {
        return false;
    };
    let half = parse_single_rdn(half)
        .is_some_and(|half| half.is("CN", "Machine") || half.is("CN", "User"));
    let is_cn = |rdn: &String| {
        parse_single_rdn(rdn).is_some_and(|rdn| rdn.attribute.eq_ignore_ascii_case("CN"))
    };
    half && !below.is_empty() && below.iter().all(is_cn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::directory_object::{AttributeValues, DirectoryAttribute};
    use crate::model::sddl::from_sddl;

    fn object(rdns: &[&str], class: &str, attributes: &[&str]) -> DirectoryObject {
        DirectoryObject {
            rdns: rdns.iter().map(|rdn| (*rdn).to_owned()).collect(),
            object_class: class.to_owned(),
            attributes: attributes
                .iter()
                .map(|name| DirectoryAttribute {
                    name: (*name).to_owned(),
                    values: AttributeValues::String(Some("x".to_owned())),
                })
                .collect(),
            security_descriptor: None,
        }
    }

    const BELOW: &[&str] = &["CN=x", "CN=Machine"];

    fn reason(object: DirectoryObject) -> ForbiddenReason {
        AllowedObject::new(object).unwrap_err().reason
    }

    #[test]
    fn what_the_specifications_store_below_a_gpo_gets_through() {
        for class in CLASSES {
            let every: Vec<&str> = class
                .attributes
                .iter()
                .chain(COMMON)
                .chain([&IDENTITY])
                .copied()
                .collect();
            for rdns in [BELOW, &["CN=a\\,b", "cn=Class Store", "cn=user"]] {
                assert!(AllowedObject::new(object(rdns, class.name, &every)).is_ok());
            }
        }
        assert!(AllowedObject::new(object(BELOW, "CLASSSTORE", &["DisplayName"])).is_ok());
    }

    #[test]
    fn every_other_class_is_refused_by_name() {
        for class in [
            "user",
            "computer",
            "group",
            "inetOrgPerson",
            "organizationalUnit",
            "msDS-GroupManagedServiceAccount",
            "trustedDomain",
            "serviceConnectionPoint",
            "categoryRegistration",
            "typeLibrary",
            "ipsecNFA",
            "container ",
            "1.2.840.113556.1.5.9",
            "",
        ] {
            let error = AllowedObject::new(object(BELOW, class, &[])).unwrap_err();
            assert_eq!(error.reason, ForbiddenReason::Class(class.to_owned()));
            assert!(
                error
                    .to_string()
                    .contains("\"CN=x,CN=Machine\" is of class")
            );
        }
    }

    #[test]
    fn every_other_attribute_is_refused_by_name() {
        for attribute in [
            "nTSecurityDescriptor",
            "objectSid",
            "userAccountControl",
            "servicePrincipalName",
            "member",
            "managedBy",
            "msDS-AllowedToActOnBehalfOfOtherIdentity",
            "unicodePwd",
            "sIDHistory",
            "adminCount",
            "gPLink",
            "objectClass",
            "objectCategory",
            "description;binary",
            "nextLevelStore",
            "",
        ] {
            for class in CLASSES {
                assert_eq!(
                    reason(object(BELOW, class.name, &["description", attribute])),
                    ForbiddenReason::Attribute {
                        class: class.name,
                        attribute: attribute.to_owned()
                    }
                );
            }
        }
        // What one class has is not what another has.
        assert!(matches!(
            reason(object(BELOW, "container", &["msiFileList"])),
            ForbiddenReason::Attribute { .. }
        ));
    }

    #[test]
    fn names_are_compared_in_the_form_of_the_directory() {
        for (given, kept) in [
            ("CN=#41", "CN=\\#41"),
            ("cn=a\\2Cb", "cn=a\\,b"),
            ("CN= a ", "CN=a"),
            ("CN=a=b", "CN=a\\=b"),
            ("CN=a\\0ACNF:1", "CN=a\\0ACNF:1"),
            (
                "CN={AAAAAAAA-0000-0000-0000-000000000000}",
                "CN={AAAAAAAA-0000-0000-0000-000000000000}",
            ),
        ] {
            let object = object(&[given, "CN=Machine"], "container", &[]);
            assert_eq!(
                AllowedObject::new(object).unwrap().rdns,
                [kept, "CN=Machine"]
            );
        }
        for given in ["CN=a\n", "CN=a\\ ", "CN=\\ a", "CN=a\tb"] {
            let object = object(&[given, "CN=Machine"], "container", &[]);
            assert_eq!(reason(object), ForbiddenReason::Name, "{given:?}");
        }
    }

    #[test]
    fn every_other_place_is_refused() {
        for rdns in [
            &[][..],
            &["CN=Machine"],
            &["CN=x"],
            &["CN=x", "CN=Users"],
            &["CN=Machine", "CN=x"],
            &["OU=x", "CN=Machine"],
            &["CN=a,CN=b", "CN=Machine"],
            &["CN=a+CN=b", "CN=Machine"],
            &["CN=x", "CN=Machine,CN=y"],
            &["", "CN=User"],
        ] {
            assert_eq!(
                reason(object(rdns, "container", &[])),
                ForbiddenReason::Place,
                "{rdns:?}"
            );
        }
    }

    #[test]
    fn a_descriptor_has_a_dacl() {
        let with = |bytes: Vec<u8>| DirectoryObject {
            security_descriptor: Some(bytes),
            ..object(BELOW, "container", &[])
        };
        let bytes = |sddl: &str| from_sddl(sddl, None).unwrap().to_bytes().unwrap();
        assert!(AllowedObject::new(with(bytes("D:(A;;GR;;;AU)"))).is_ok());
        for bad in [
            bytes("D:NO_ACCESS_CONTROL"),
            bytes("O:BA"),
            vec![1, 2, 3],
            Vec::new(),
        ] {
            assert_eq!(reason(with(bad)), ForbiddenReason::Descriptor);
        }
    }

    #[test]
    fn nothing_else_is_read_from_json() {
        let written = |object: &DirectoryObject| serde_json::to_string(object).unwrap();
        let good = object(BELOW, "container", &["description"]);
        let read: AllowedObject = serde_json::from_str(&written(&good)).unwrap();
        assert_eq!(*read, good);
        assert_eq!(serde_json::to_string(&read).unwrap(), written(&good));
        for bad in [
            object(BELOW, "user", &[]),
            object(BELOW, "classStore", &["member"]),
            object(&["CN=x"], "container", &[]),
        ] {
            let error = serde_json::from_str::<AllowedObject>(&written(&bad)).unwrap_err();
            let reason = AllowedObject::new(bad).unwrap_err();
            assert!(error.to_string().contains(&reason.to_string()), "{error}");
        }
    }
}
