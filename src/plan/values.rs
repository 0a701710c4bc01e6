//! Changes of single values that do not replace the content of a GPO, such as links, WMI filters and repairs.
//!
//! Each change contains the old and the new state, so its inverse is the same change with both exchanged. It is made only if the
//! old state is still there.

mod description;
mod limits;
mod names;
mod not_put_back;

pub(crate) use description::filter_lines;
pub(crate) use names::ObjectNames;
pub(crate) use not_put_back::files_and_folders;

use serde::{Deserialize, Serialize};

use super::Object;
use super::gpo::FileContent;
use crate::directory::AttributeSwap;
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;

/// The DN of an object of a change; written as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDn(pub Dn);

impl Serialize for ObjectDn {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
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
#[non_exhaustive]
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
#[non_exhaustive]
pub struct DescriptorSwap {
    /// The path below the GPO's folder; empty for the folder itself.
    pub path: RelPath,
    /// The old descriptor.
    pub old: FileContent,
    /// The new descriptor.
    pub new: FileContent,
}

impl ValueChange {
    /// The object it changes.
    pub(crate) fn object(&self, domain: &DomainName) -> Object {
        let dn = match self {
            Self::GptIni { guid, .. } | Self::Descriptors { guid, .. } => {
                return Object::Gpo(*guid);
            }
            Self::Attributes { dn, .. }
            | Self::AddWmiFilter { dn, .. }
            | Self::RemoveWmiFilter { dn, .. } => &dn.0,
        };
        let gpo = Dn::parse(&domain.to_dn())
            .ok()
            .and_then(|base| dn.gpo_guid(&base));
        gpo.map_or_else(|| Object::Other(dn.as_str().to_lowercase()), Object::Gpo)
    }

    /// Whether it changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Descriptors { entries, .. } if entries.is_empty())
    }

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
#[non_exhaustive]
pub struct PlannedValue {
    /// The change.
    #[serde(flatten)]
    pub change: ValueChange,
    /// The description, a line each: `-` for what is removed, `+` for what is added, `~` for what is changed.
    pub summary: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::SwapAttribute;

    #[test]
    fn a_change_survives_its_json_and_its_inverse() {
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
        let mut planned = PlannedValue {
            change,
            summary: vec!["~ x".to_owned()],
        };
        let json = serde_json::to_vec(&planned).unwrap();
        let again: PlannedValue = serde_json::from_slice(&json).unwrap();
        assert_eq!(again, planned);
        planned.describe();
        assert_eq!(
            planned.summary,
            ["~ inheritance of src.test/Räume, Nord: not blocked -> blocked"]
        );
    }
}
