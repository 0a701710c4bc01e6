//! Group Policy Preferences [MS-GPPREF 2.2.1]: the XML files below `Machine\Preferences` and `User\Preferences`.
//!
//! All files share one view: a file is a root of one [`PreferenceKind`] with items; an item has `Properties`, and
//! `Filters` (item-level targeting, nested to any depth). Elements that are not in the specification are kept and
//! visited like all others.

pub mod passwords;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::xml_tree::document::{Edit, XmlDocument};
use super::xml_tree::{Element, InvalidXml};

/// The maximum length of an element or item name in an [`XmlPlace`], in bytes: every reference has a copy, with the
/// names of all its ancestors.
const MAX_NAME: usize = 200;

/// A Preferences file.
#[derive(Debug, Clone)]
pub struct Preferences {
    document: XmlDocument,
}

/// The kind of a file, given by its root element [MS-GPPREF 2.2.1.2 and following].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PreferenceKind {
    /// `ApplicationsSettings`, an extension point for vendors.
    Applications,
    /// `DataSources`
    DataSources,
    /// `Devices`
    Devices,
    /// `Drives`
    Drives,
    /// `EnvironmentVariables`
    EnvironmentVariables,
    /// `Files`
    Files,
    /// `FolderOptions`
    FolderOptions,
    /// `Folders`
    Folders,
    /// `Groups`: local users and groups.
    Groups,
    /// `IniFiles`
    IniFiles,
    /// `InternetSettings`
    InternetSettings,
    /// `NetworkOptions`: VPN and dial-up connections.
    NetworkOptions,
    /// `NetworkShareSettings`
    NetworkShares,
    /// `PowerOptions`
    PowerOptions,
    /// `Printers`
    Printers,
    /// `Regional`
    Regional,
    /// `RegistrySettings`
    Registry,
    /// `ScheduledTasks`
    ScheduledTasks,
    /// `NTServices`
    Services,
    /// `Shortcuts`
    Shortcuts,
    /// `StartMenuTaskbar`
    StartMenu,
    /// Any other root.
    Other,
}

impl PreferenceKind {
    /// The kind for a root element.
    pub fn of_root(name: &str) -> Self {
        match name {
            "Applications" | "ApplicationsSettings" => Self::Applications,
            "DataSources" => Self::DataSources,
            "Devices" => Self::Devices,
            "Drives" => Self::Drives,
            "EnvironmentVariables" => Self::EnvironmentVariables,
            "Files" => Self::Files,
            "FolderOptions" => Self::FolderOptions,
            "Folders" => Self::Folders,
            "Groups" => Self::Groups,
            "IniFiles" => Self::IniFiles,
            "InternetSettings" => Self::InternetSettings,
            "NetworkOptions" => Self::NetworkOptions,
            "NetworkShareSettings" | "NetworkShares" => Self::NetworkShares,
            "PowerOptions" => Self::PowerOptions,
            "Printers" => Self::Printers,
            "Regional" | "RegionalOptions" => Self::Regional,
            "RegistrySettings" => Self::Registry,
            "ScheduledTasks" => Self::ScheduledTasks,
            "NTServices" => Self::Services,
            "Shortcuts" => Self::Shortcuts,
            "StartMenuTaskbar" => Self::StartMenu,
            _ => Self::Other,
        }
    }
}

/// The action of a client for an item [MS-GPPREF 2.2.1.1.3].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `C`
    Create,
    /// `R`: deleted and created again.
    Replace,
    /// `U`, the default for an item without `action`.
    Update,
    /// `D`
    Delete,
}

/// One setting of a file.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The element: `Drive`, `Group`, `TaskV2`, …
    pub element: &'a Element,
    properties: Option<&'a Element>,
}

impl<'a> Item<'a> {
    /// The item that an element is, with the first of its `Properties`.
    pub fn new(element: &'a Element) -> Self {
        Self {
            element,
            properties: element.named("Properties").next(),
        }
    }

    /// The item once with each of its `Properties`, of which Windows writes one, in any case; without any, once.
    pub fn with_each_properties(element: &'a Element) -> Vec<Self> {
        let properties = element.elements().filter(|child| {
            let name: &str = &child.name;
            name.eq_ignore_ascii_case("Properties")
        });
        let mut items: Vec<Self> = properties
            .map(|properties| Self {
                element,
                properties: Some(properties),
            })
            .collect();
        if items.is_empty() {
            items.push(Self::new(element));
        }
        items
    }

    /// Its `name`; empty when it has none.
    pub fn name(&self) -> &'a str {
        self.element.attribute("name").unwrap_or_default()
    }

    /// Whether the item is disabled.
    pub fn is_disabled(&self) -> bool {
        self.element.attribute("disabled") == Some("1")
    }

    /// Its `Properties` element.
    pub fn properties(&self) -> Option<&'a Element> {
        self.properties
    }

    /// A property by name; empty when there is none.
    pub fn property(&self, name: &str) -> &'a str {
        self.properties()
            .and_then(|properties| properties.attribute(name))
            .unwrap_or_default()
    }

    /// Its item-level targeting.
    pub fn filters(&self) -> Option<&'a Element> {
        self.element.named("Filters").next()
    }

    /// Its action.
    pub fn action(&self) -> Action {
        match self.property("action").trim() {
            "C" | "c" => Action::Create,
            "R" | "r" => Action::Replace,
            "D" | "d" => Action::Delete,
            _ => Action::Update,
        }
    }
}

/// The location of an element: an XPath and a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlPlace {
    /// Such as `/Groups/Group[2][@name='Helpdesk']/Properties/Members/Member[1]`.
    pub path: String,
    /// The line of the start tag, from 1.
    pub line: usize,
}

/// One step of the path from the root to an element.
#[derive(Debug, Clone, Copy)]
struct PathStep<'a> {
    element: &'a Element,
    /// Its number among the siblings of its name, from 1; `None` when it is the only one.
    number: Option<usize>,
}

/// An element with its ancestors.
#[derive(Debug)]
pub struct ElementCursor<'a, 'w> {
    steps: &'w [PathStep<'a>],
    /// The element.
    pub element: &'a Element,
}

impl<'a> ElementCursor<'a, '_> {
    /// The parent element.
    pub fn parent(&self) -> Option<&'a Element> {
        self.above().next()
    }

    /// The ancestors, nearest first.
    pub fn above(&self) -> impl Iterator<Item = &'a Element> {
        self.steps.iter().rev().skip(1).map(|step| step.element)
    }

    /// The number of its ancestors.
    pub fn depth(&self) -> usize {
        self.steps.len().saturating_sub(1)
    }

    /// The item that the element is or belongs to: the nearest element with a `clsid` and a `uid` below the root.
    pub fn item(&self) -> Option<Item<'a>> {
        let below_root = self.steps.get(1..)?;
        let item = below_root.iter().rev().find(|step| is_item(step.element))?;
        Some(Item::new(item.element))
    }

    /// Its location.
    pub fn place(&self) -> XmlPlace {
        let mut path = String::new();
        for step in self.steps {
            path.push('/');
            let name = &step.element.name;
            path.push_str(
                name.get(..name.floor_char_boundary(MAX_NAME))
                    .unwrap_or(name),
            );
            if let Some(number) = step.number {
                path.push_str(&format!("[{number}]"));
            }
            let name = step.element.attribute("name").unwrap_or_default();
            if name.is_empty() || name.len() > MAX_NAME || !is_item(step.element) {
                continue;
            }
            let quote = if name.contains('\'') { '"' } else { '\'' };
            if !name.contains(quote) {
                path.push_str(&format!("[@name={quote}{name}{quote}]"));
            }
        }
        XmlPlace {
            path,
            line: self.element.line,
        }
    }
}

/// Items have a class and an ID; the root and collections have only a class, and elements within items have neither.
fn is_item(element: &Element) -> bool {
    element.attribute("clsid").is_some() && element.attribute("uid").is_some()
}

impl Preferences {
    /// Reads a file.
    ///
    /// # Errors
    /// As [`XmlDocument::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidXml> {
        Ok(Self {
            document: XmlDocument::parse(bytes)?,
        })
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.document.to_bytes()
    }

    /// The document, which creates the edits for [`Preferences::edited`].
    pub fn document(&self) -> &XmlDocument {
        &self.document
    }

    /// The file with these edits applied.
    ///
    /// # Errors
    /// As [`XmlDocument::edited`].
    pub fn edited(&self, edits: Vec<Edit>) -> Result<Self, InvalidXml> {
        Ok(Self {
            document: self.document.edited(edits)?,
        })
    }

    /// The kind of the file.
    pub fn kind(&self) -> PreferenceKind {
        PreferenceKind::of_root(&self.document.root().name)
    }

    /// The items in order, including those in collections.
    pub fn items(&self) -> Vec<Item<'_>> {
        let mut items = Vec::new();
        let mut open = vec![self.document.root().elements()];
        while let Some(elements) = open.last_mut() {
            match elements.next() {
                None => {
                    open.pop();
                }
                Some(element) if element.name.eq_ignore_ascii_case("Collection") => {
                    open.push(element.elements());
                }
                Some(element) => items.push(Item::new(element)),
            }
        }
        items
    }

    /// Visits every element in the order of the file.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&ElementCursor<'a, '_>)) {
        let root = PathStep {
            element: self.document.root(),
            number: None,
        };
        walk_below(&mut vec![root], visit);
    }
}

/// Visits the last element of `steps` and all its descendants. The depth is bounded by that of the parsed tree.
fn walk_below<'a>(steps: &mut Vec<PathStep<'a>>, visit: &mut dyn FnMut(&ElementCursor<'a, '_>)) {
    let Some(PathStep { element, .. }) = steps.last().copied() else {
        return;
    };
    visit(&ElementCursor { steps, element });
    let mut alike: HashMap<&str, usize> = HashMap::new();
    for child in element.elements() {
        *alike.entry(&child.name).or_default() += 1;
    }
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for child in element.elements() {
        let number = numbers.entry(&child.name).or_default();
        *number += 1;
        let only = alike.get(child.name.as_str()) == Some(&1);
        steps.push(PathStep {
            element: child,
            number: (!only).then_some(*number),
        });
        walk_below(steps, visit);
        steps.pop();
    }
}
