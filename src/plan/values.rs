//! A change list: the plan of changes that do not replace the content of a GPO, such as links, WMI filters and repairs.
//!
//! Each change contains the old and the new state, so its inverse is the same change with both exchanged.
//! [`crate::execute::apply_changes`] applies it only if the old state is still there.

mod description;
mod limits;

use serde::{Deserialize, Serialize};

use crate::directory::AttributeSwap;
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;
use crate::plan::gpo::{FileContent, operation_id};

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
pub enum ValueChange {
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
    /// A WMI filter is deleted; only as the inverse of adding it.
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
        /// Its old content; `None` when there is none.
        old: Option<FileContent>,
        /// Its new content.
        new: Option<FileContent>,
        /// The descriptor that is set; without one, it inherits.
        descriptor: Option<FileContent>,
    },
    /// Security descriptors of a GPO's files and folders.
    Descriptors {
        /// The GPO.
        guid: Guid,
        /// The descriptors.
        entries: Vec<DescriptorSwap>,
    },
}

/// The descriptor of one file or folder, old and new: owner, group and DACL, self-relative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptorSwap {
    /// The path below the GPO's folder; empty for the folder itself.
    pub path: RelPath,
    /// The old descriptor.
    pub old: FileContent,
    /// The new descriptor.
    pub new: FileContent,
}

impl ValueChange {
    /// The inverse change.
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

/// A change and its description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedValue {
    /// The change.
    #[serde(flatten)]
    pub change: ValueChange,
    /// The description, a line each: `-` for what is removed, `+` for what is added, `~` for what is changed.
    pub summary: Vec<String>,
}

/// The plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeList {
    /// 1; the form may only grow.
    pub format_version: u32,
    /// The ID of the operation, under which its journal is kept.
    pub operation_id: String,
    /// The title, in the imperative, without a full stop: `link "Desks" to src.test/Staff`.
    pub title: String,
    /// The DNS name of the domain it is for.
    pub domain: DomainName,
    /// The changes, in the order in which they are applied.
    pub changes: Vec<PlannedValue>,
    /// The findings of the planning.
    pub messages: Vec<StatusMessage>,
    /// Who wrote the messages, such as `the plan file says`; `None` for a list that was just made.
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
    pub fn push(&mut self, change: ValueChange, summary: Vec<String>) {
        self.changes.push(PlannedValue { change, summary });
    }

    /// The list as JSON: its saved form, which is also in the journal. The descriptions follow from the changes, so whoever
    /// reads the file can compare the two.
    ///
    /// # Errors
    /// `Internal`, which cannot happen for the types of a list.
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
        let change = ValueChange::Attributes {
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
        // The saved descriptions are those of the changes.
        assert_eq!(
            again.changes[0].summary,
            ["~ inheritance of src.test/Räume, Nord: not blocked -> blocked"]
        );
    }
}
