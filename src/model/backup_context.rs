//! The context of a GPO that a backup keeps besides the snapshot: an import does not carry it.

use bytes::Bytes;

use super::directory_object::DirectoryObject;
use super::sid::Sid;
use crate::message::StatusMessage;

/// Links, WMI filter, owner, GPT.INI, and what could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BackupContext {
    /// The links to the GPO; `None` when they were not read.
    pub links: Option<Vec<LinkRecord>>,
    /// The linked WMI filter, whole: an `msWMI-Som` object whose only RDN is its `cn`.
    pub wmi_filter: Option<DirectoryObject>,
    /// The owner of the GPO's object.
    pub owner: Option<Sid>,
    /// The group of the GPO's object.
    pub group: Option<Sid>,
    /// `whenCreated` of the GPO's object, as generalized time; empty when unknown.
    pub when_created: String,
    /// `whenChanged`, likewise.
    pub when_changed: String,
    /// GPT.INI, byte for byte.
    pub gpt_ini: Option<Bytes>,
    /// What could not be read, and so is missing from the snapshot: with any of these the backup is partial.
    pub unread: Vec<StatusMessage>,
}

/// One link to a GPO, as it stood in the `gPLink` of its target [MS-GPOL 2.2.2].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LinkRecord {
    /// The DN of the domain, OU or site.
    pub target: String,
    /// Its place among the links of the target, 1 for the one that wins.
    pub order: usize,
    /// Whether the link is enforced.
    pub enforced: bool,
    /// Whether the link is disabled.
    pub disabled: bool,
    /// The number in `gPLink`: the two flags above and any unknown bits.
    pub options: u32,
    /// Whether the target blocks inheritance.
    #[serde(default)]
    pub blocks_inheritance: bool,
}
