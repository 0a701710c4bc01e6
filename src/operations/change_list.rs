//! A change list: the plan of a change that is not a GPO's whole content, such as links, WMI filters and repairs.
//!
//! Each change says what must be there now and what is there afterwards, so its inverse is the same with both exchanged,
//! and [`super::apply::apply_changes`] makes it only if nobody was faster.

mod description;

use serde::{Deserialize, Serialize};

use super::plan::{FileContent, operation_id};
use crate::directory::wmi::wmi_container;
use crate::directory::{AttributeSwap, SwapAttribute};
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;

/// The DN of an object of a change; written as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDn(pub Dn);

impl Serialize for ObjectDn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for ObjectDn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Dn::parse(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// Attributes of one object, in one modify.
    Attributes {
        /// The object.
        dn: ObjectDn,
        /// The attributes.
        attributes: Vec<AttributeSwap>,
    },
    /// A new WMI filter.
    AddWmiFilter {
        /// Its DN.
        dn: ObjectDn,
        /// Its attributes: name and value.
        attributes: Vec<(String, String)>,
    },
    /// A WMI filter goes; only as the way back from adding it.
    RemoveWmiFilter {
        /// Its DN.
        dn: ObjectDn,
        /// The attributes it has.
        attributes: Vec<(String, String)>,
    },
    /// The GPT.INI of a GPO.
    GptIni {
        /// The GPO.
        guid: Guid,
        /// What it holds; `None` when there is none.
        old: Option<FileContent>,
        /// What it will hold.
        new: Option<FileContent>,
        /// The descriptor it gets; without one, it inherits.
        descriptor: Option<FileContent>,
    },
    /// Security descriptors of a GPO's files and folders.
    Descriptors {
        /// The GPO.
        guid: Guid,
        /// What is set.
        entries: Vec<DescriptorSwap>,
    },
}

/// The descriptor of one file or folder: what it is, and what it becomes; owner, group and DACL, self-relative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptorSwap {
    /// The path below the GPO's folder; empty for the folder itself.
    pub path: RelPath,
    /// What it has.
    pub old: FileContent,
    /// What it gets.
    pub new: FileContent,
}

impl Change {
    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        match self {
            Self::Attributes { dn, attributes } => Self::Attributes {
                dn: dn.clone(),
                attributes: attributes.iter().map(AttributeSwap::inverse).collect(),
            },
            Self::AddWmiFilter { dn, attributes } => Self::RemoveWmiFilter {
                dn: dn.clone(),
                attributes: attributes.clone(),
            },
            Self::RemoveWmiFilter { dn, attributes } => Self::AddWmiFilter {
                dn: dn.clone(),
                attributes: attributes.clone(),
            },
            Self::GptIni {
                guid,
                old,
                new,
                descriptor,
            } => Self::GptIni {
                guid: *guid,
                old: new.clone(),
                new: old.clone(),
                descriptor: descriptor.clone(),
            },
            Self::Descriptors { guid, entries } => Self::Descriptors {
                guid: *guid,
                entries: entries
                    .iter()
                    .map(|entry| DescriptorSwap {
                        path: entry.path.clone(),
                        old: entry.new.clone(),
                        new: entry.old.clone(),
                    })
                    .collect(),
            },
        }
    }
}

/// A change with what a person reads of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// The change.
    #[serde(flatten)]
    pub change: Change,
    /// What it means, a line each: what goes with `-`, what comes with `+`, what changes with `~` in front.
    pub summary: Vec<String>,
}

/// The attributes a new WMI filter is given.
const FILTER_ATTRIBUTES: &[&str] = &[
    "msWMI-Author",
    "msWMI-ChangeDate",
    "msWMI-CreationDate",
    "msWMI-ID",
    "msWMI-Name",
    "msWMI-Parm1",
    "msWMI-Parm2",
    "showInAdvancedViewOnly",
];

/// The plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeList {
    /// 1; the form may only grow.
    pub format_version: u32,
    /// The ID of the operation, under which its journal is kept.
    pub operation_id: String,
    /// What it does, in a sentence without a full stop: `link "Desks" to src.test/Staff`.
    pub title: String,
    /// The DNS name of the domain it is for.
    pub domain: DomainName,
    /// The changes, in the order they are made.
    pub changes: Vec<PlannedChange>,
    /// What was noticed while planning.
    pub messages: Vec<StatusMessage>,
}

impl ChangeList {
    /// An empty list.
    pub fn new(title: impl Into<String>, domain: &DomainName) -> Self {
        Self {
            format_version: 1,
            operation_id: operation_id(),
            title: title.into(),
            domain: domain.clone(),
            changes: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Adds a change.
    pub fn push(&mut self, change: Change, summary: Vec<String>) {
        self.changes.push(PlannedChange { change, summary });
    }

    /// Lets a list through that was read from a file: it holds nothing that no verb of gpoctl plans.
    ///
    /// # Errors
    /// `BadInput` when it adds something else than a WMI filter, or deletes one.
    pub(super) fn refuse_unplanned(&self) -> Result<()> {
        for planned in &self.changes {
            let fault = match &planned.change {
                Change::AddWmiFilter { dn, attributes } => self.fault_of_filter(&dn.0, attributes),
                Change::RemoveWmiFilter { .. } => Some(
                    "it deletes a WMI filter, which is only the way back from adding one"
                        .to_owned(),
                ),
                Change::Attributes { dn, attributes } => attributes
                    .iter()
                    .find(|swap| !self.has_attribute(&dn.0, swap.attribute))
                    .map(|swap| {
                        format!(
                            "{} is not an attribute that is set on {}",
                            swap.attribute.as_str(),
                            dn.0
                        )
                    }),
                Change::GptIni { .. } | Change::Descriptors { .. } => None,
            };
            if let Some(fault) = fault {
                return Err(Error::new(
                    ErrorKind::BadInput,
                    format!("not a plan saved by gpoctl: {fault}"),
                ));
            }
        }
        Ok(())
    }

    /// Whether gpoctl sets this attribute on that object: links on what can be linked, the rest on GPOs and WMI filters.
    fn has_attribute(&self, dn: &Dn, attribute: SwapAttribute) -> bool {
        let Ok(base) = Dn::parse(&self.domain.to_dn()) else {
            return false;
        };
        match attribute {
            SwapAttribute::GpLink | SwapAttribute::GpOptions => {
                let is_site = matches!(
                    dn.rdns(),
                    [_, sites, configuration, ..]
                        if sites.is("CN", "Sites") && configuration.is("CN", "Configuration")
                );
                is_site || dn.below(&base).is_some()
            }
            SwapAttribute::WqlFilter
            | SwapAttribute::MachineExtensions
            | SwapAttribute::UserExtensions
            | SwapAttribute::DisplayName
            | SwapAttribute::Version
            | SwapAttribute::Flags
            | SwapAttribute::FunctionalityVersion => dn.gpo_guid(&base).is_some(),
            SwapAttribute::WmiName
            | SwapAttribute::WmiDescription
            | SwapAttribute::WmiQueries
            | SwapAttribute::WmiAuthor
            | SwapAttribute::WmiChangeDate => self.is_place_of_filter(dn),
        }
    }

    fn is_place_of_filter(&self, dn: &Dn) -> bool {
        let container = Dn::parse(&self.domain.to_dn())
            .ok()
            .map(|base| wmi_container(&base));
        container
            .and_then(|container| dn.below(&container).map(<[_]>::len))
            .is_some_and(|depth| depth == 1)
    }

    fn fault_of_filter(&self, dn: &Dn, attributes: &[(String, String)]) -> Option<String> {
        if !self.is_place_of_filter(dn) {
            return Some(format!("{dn} is no place for a WMI filter"));
        }
        attributes
            .iter()
            .find(|(name, _)| !FILTER_ATTRIBUTES.contains(&name.as_str()))
            .map(|(name, _)| format!("{} is no attribute of a WMI filter", name.escape_debug()))
    }

    /// The list as JSON: its saved form, which the journal holds too.
    ///
    /// # Errors
    /// `Internal`, which cannot happen with what a list can hold.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(|cause| {
            Error::new(ErrorKind::Internal, "the plan cannot be written as JSON").with_source(cause)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_survives_its_json_and_a_change_its_inverse() {
        let mut list = ChangeList::new("x", &"src.test".parse().unwrap());
        let change = Change::Attributes {
            dn: ObjectDn(Dn::parse("OU=Räume\\, Nord,DC=src,DC=test").unwrap()),
            attributes: vec![AttributeSwap {
                attribute: SwapAttribute::GpOptions,
                old: None,
                new: Some("1".to_owned()),
            }],
        };
        assert_ne!(change.inverse(), change);
        assert_eq!(change.inverse().inverse(), change);
        list.push(change, vec!["~ x".to_owned()]);
        let again: ChangeList = serde_json::from_slice(&list.to_json().unwrap()).unwrap();
        assert_eq!(again, list);
    }
}
