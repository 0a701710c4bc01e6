//! Where principals stand in Preferences: which attributes and elements name somebody, and which belong together.

use crate::formats::preferences::Cursor;
use crate::formats::xml_tree::document::XmlDocument;
use crate::formats::xml_tree::{Attribute, Element};

/// A place that holds one value.
#[derive(Debug, Clone)]
pub(super) enum Slot<'a> {
    Attribute(&'a Attribute),
    /// The text of an element.
    Content(&'a Element),
}

impl PartialEq for Slot<'_> {
    /// Whether it is the same place of the same document.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Attribute(one), Self::Attribute(two)) => std::ptr::eq(*one, *two),
            (Self::Content(one), Self::Content(two)) => std::ptr::eq(*one, *two),
            _ => false,
        }
    }
}

impl<'a> Slot<'a> {
    /// The name of the attribute; `None` for the text of an element.
    pub(super) fn attribute_name(&self) -> Option<&'a str> {
        match self {
            Self::Attribute(attribute) => Some(&attribute.name),
            Self::Content(_) => None,
        }
    }
}

/// What a name at a place stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpotKind {
    /// A user or a group; a bare name too.
    Principal,
    /// An account that may be a local one, so that a bare name says nothing.
    Account,
    /// A computer, by its NetBIOS or its DNS name, without `$`.
    Computer,
    /// A domain, by its NetBIOS or its DNS name.
    Domain,
    /// The distinguished name of an organizational unit.
    OrganizationalUnit,
}

/// One principal, or what else a table can name, with the places that speak of it.
#[derive(Debug)]
pub(super) struct Spot<'a> {
    pub(super) sid: Option<Slot<'a>>,
    pub(super) name: Option<Slot<'a>>,
    /// The name with the blanks around it.
    pub(super) name_text: String,
    pub(super) kind: SpotKind,
}

impl<'a> Spot<'a> {
    /// The SID as it stands; empty when there is none.
    pub(super) fn sid_text(&self) -> &'a str {
        match self.sid {
            Some(Slot::Attribute(attribute)) => &attribute.value,
            _ => "",
        }
    }
}

/// SID and name side by side: `Member`, `FilterGroup`, `FilterUser`; the group or user an item of Groups.xml is for.
const PAIRS: [(&str, &str); 4] = [
    ("sid", "name"),
    ("groupSid", "groupName"),
    ("userSid", "userName"),
    ("accountSid", "accountName"),
];

/// Attributes that name an account on their own: scheduled tasks, drives, local users, data sources, services.
const ACCOUNTS: [&str; 5] = ["runAs", "userName", "username", "accountName", "groupName"];

/// The places of an element that name somebody.
pub(super) fn spots<'a>(cursor: &Cursor<'a, '_>, document: &XmlDocument) -> Vec<Spot<'a>> {
    let element = cursor.element;
    let attribute = |name: &str| {
        let mut attributes = element.attributes.iter();
        attributes.find(|attribute| attribute.name == name)
    };
    let named = |attribute: &'a Attribute, kind| Spot {
        sid: None,
        name: Some(Slot::Attribute(attribute)),
        name_text: attribute.value.clone(),
        kind,
    };
    let by_name = |kind| {
        let spot = attribute("name").map(|attribute| named(attribute, kind));
        spot.into_iter().collect::<Vec<_>>()
    };
    match element.name.as_str() {
        "FilterComputer" => return by_name(SpotKind::Computer),
        "FilterDomain" => return by_name(SpotKind::Domain),
        "FilterOrgUnit" => return by_name(SpotKind::OrganizationalUnit),
        // Principals and triggers of a task [MS-TSCH 2.5].
        "UserId" | "GroupId" => {
            return document
                .content(element)
                .map(|text| Spot {
                    sid: None,
                    name: Some(Slot::Content(element)),
                    name_text: text,
                    kind: SpotKind::Account,
                })
                .into_iter()
                .collect();
        }
        _ => {}
    }
    let mut spots: Vec<Spot<'a>> = Vec::new();
    for (sid, name) in PAIRS {
        let is_member = matches!(
            element.name.as_str(),
            "Member" | "FilterGroup" | "FilterUser"
        );
        let (sid, name) = (attribute(sid), attribute(name));
        if sid.is_none() && !(is_member && name.is_some_and(|name| name.name == "name")) {
            continue;
        }
        // The group of an item without a SID, and a group of the computer itself, are local ones.
        let local = element.attribute("localGroup") == Some("1")
            || name.is_none_or(|name| name.name != "name");
        spots.push(Spot {
            sid: sid.map(Slot::Attribute),
            name: name.map(Slot::Attribute),
            name_text: name.map(|name| name.value.clone()).unwrap_or_default(),
            kind: if local {
                SpotKind::Account
            } else {
                SpotKind::Principal
            },
        });
    }
    for name in ACCOUNTS {
        if let Some(attribute) = attribute(name) {
            let slot = Slot::Attribute(attribute);
            if !spots.iter().any(|spot| spot.name.as_ref() == Some(&slot)) {
                spots.push(named(attribute, SpotKind::Account));
            }
        }
    }
    spots
}
