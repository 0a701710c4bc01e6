//! The fields of Preferences that contain principals: attributes and elements with names and SIDs, and which of them
//! belong together.

use crate::formats::preferences::ElementCursor;
use crate::formats::xml_tree::document::XmlDocument;
use crate::formats::xml_tree::{Attribute, Element};

/// The node that contains a value.
#[derive(Debug, Clone)]
pub(super) enum XmlValue<'a> {
    Attribute(&'a Attribute),
    /// The text of an element.
    Content(&'a Element),
}

impl PartialEq for XmlValue<'_> {
    /// Whether it is the same node of the same document.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Attribute(one), Self::Attribute(two)) => std::ptr::eq(*one, *two),
            (Self::Content(one), Self::Content(two)) => std::ptr::eq(*one, *two),
            _ => false,
        }
    }
}

impl<'a> XmlValue<'a> {
    /// The name of the attribute; `None` for the text of an element.
    pub(super) fn attribute_name(&self) -> Option<&'a str> {
        match self {
            Self::Attribute(attribute) => Some(&attribute.name),
            Self::Content(_) => None,
        }
    }
}

/// The meaning of a name in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PrincipalFieldKind {
    /// A user or a group, even as a bare name.
    Principal,
    /// An account that may be local, so that a bare name is not a reference.
    Account,
    /// A computer, by its NetBIOS or its DNS name, without `$`.
    Computer,
    /// A domain, by its NetBIOS or its DNS name.
    Domain,
    /// The distinguished name of an organizational unit.
    OrganizationalUnit,
}

/// One principal, domain, computer or OU, with its fields.
#[derive(Debug)]
pub(super) struct PrincipalField<'a> {
    pub(super) sid: Option<XmlValue<'a>>,
    pub(super) name: Option<XmlValue<'a>>,
    /// The name with surrounding blanks.
    pub(super) name_text: String,
    pub(super) kind: PrincipalFieldKind,
}

impl<'a> PrincipalField<'a> {
    /// The SID as written; empty when there is none.
    pub(super) fn sid_text(&self) -> &'a str {
        match self.sid {
            Some(XmlValue::Attribute(attribute)) => &attribute.value,
            _ => "",
        }
    }
}

/// Pairs of SID and name attributes: in `Member`, `FilterGroup` and `FilterUser`, and for the group or user of an item
/// of Groups.xml.
const PAIRS: [(&str, &str); 4] = [
    ("sid", "name"),
    ("groupSid", "groupName"),
    ("userSid", "userName"),
    ("accountSid", "accountName"),
];

/// Attributes that contain an account without a SID: scheduled tasks, drives, local users, data sources, services.
const ACCOUNTS: [&str; 5] = ["runAs", "userName", "username", "accountName", "groupName"];

/// The fields of an element that contain principals.
pub(super) fn principal_fields<'a>(
    cursor: &ElementCursor<'a, '_>,
    document: &XmlDocument,
) -> Vec<PrincipalField<'a>> {
    let element = cursor.element;
    let attribute = |name: &str| {
        let mut attributes = element.attributes.iter();
        attributes.find(|attribute| attribute.name == name)
    };
    let named = |attribute: &'a Attribute, kind| PrincipalField {
        sid: None,
        name: Some(XmlValue::Attribute(attribute)),
        name_text: attribute.value.clone(),
        kind,
    };
    let by_name = |kind| {
        let field = attribute("name").map(|attribute| named(attribute, kind));
        field.into_iter().collect::<Vec<_>>()
    };
    match element.name.as_str() {
        "FilterComputer" => return by_name(PrincipalFieldKind::Computer),
        "FilterDomain" => return by_name(PrincipalFieldKind::Domain),
        "FilterOrgUnit" => return by_name(PrincipalFieldKind::OrganizationalUnit),
        // Principals and triggers of a task [MS-TSCH 2.5].
        "UserId" | "GroupId" => {
            return document
                .content(element)
                .map(|text| PrincipalField {
                    sid: None,
                    name: Some(XmlValue::Content(element)),
                    name_text: text,
                    kind: PrincipalFieldKind::Account,
                })
                .into_iter()
                .collect();
        }
        _ => {}
    }
    let mut fields: Vec<PrincipalField<'a>> = Vec::new();
    for (sid, name) in PAIRS {
        let is_member = matches!(
            element.name.as_str(),
            "Member" | "FilterGroup" | "FilterUser"
        );
        let (sid, name) = (attribute(sid), attribute(name));
        if sid.is_none() && !(is_member && name.is_some_and(|name| name.name == "name")) {
            continue;
        }
        // The group of an item without a SID, and a group of the computer itself, are local.
        let local = element.attribute("localGroup") == Some("1")
            || name.is_none_or(|name| name.name != "name");
        fields.push(PrincipalField {
            sid: sid.map(XmlValue::Attribute),
            name: name.map(XmlValue::Attribute),
            name_text: name.map(|name| name.value.clone()).unwrap_or_default(),
            kind: if local {
                PrincipalFieldKind::Account
            } else {
                PrincipalFieldKind::Principal
            },
        });
    }
    for name in ACCOUNTS {
        if let Some(attribute) = attribute(name) {
            let value = XmlValue::Attribute(attribute);
            if !fields
                .iter()
                .any(|field| field.name.as_ref() == Some(&value))
            {
                fields.push(named(attribute, PrincipalFieldKind::Account));
            }
        }
    }
    fields
}
