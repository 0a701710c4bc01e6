//! A change list: the plan of a change that is not a GPO's whole content, such as links, WMI filters and repairs.
//!
//! Each change says what must be there now and what is there afterwards, so its inverse is the same with both exchanged,
//! and [`super::apply::apply_changes`] makes it only if nobody was faster.

mod description;
mod limits;

use serde::{Deserialize, Serialize};

use super::plan::{FileContent, operation_id};
use crate::directory::AttributeSwap;
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
    /// Whose words the messages are, such as `the plan file says`; `None` for a list that was just made.
    #[serde(skip)]
    pub said_by: Option<&'static str>,
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
            said_by: None,
        }
    }

    /// Adds a change.
    pub fn push(&mut self, change: Change, summary: Vec<String>) {
        self.changes.push(PlannedChange { change, summary });
    }

    /// The list as JSON: its saved form, which the journal holds too. What a person reads in it of each change is worked out from the
    /// change, so that whoever reads the file can compare the two.
    ///
    /// # Errors
    /// `Internal`, which cannot happen with what a list can hold.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut saved = self.clone();
        saved.describe_changes();
        serde_json::to_vec_pretty(&saved).map_err(|cause| {
            Error::new(ErrorKind::Internal, "the plan cannot be written as JSON").with_source(cause)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::SwapAttribute;

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
        assert_eq!(again.changes[0].change, list.changes[0].change);
        // The saved words are those of the change.
        assert_eq!(
            again.changes[0].summary,
            ["~ inheritance of src.test/Räume, Nord: not blocked -> blocked"]
        );
    }
}
