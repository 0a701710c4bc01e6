//! A complete GPO in memory, from any source.

use super::directory_object::DirectoryObject;
use super::domain_name::DomainName;
use super::extension_list::ExtensionList;
use super::gpt_tree::GptTree;
use super::guid::Guid;
use super::principal::Principal;
use super::version::GpoVersion;
use crate::message::StatusMessage;

/// A GPO at one moment: its directory part and its SYSVOL part.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GpoSnapshot {
    /// The GPO's GUID.
    pub guid: Guid,
    /// The DNS name of its domain.
    pub domain: DomainName,
    /// `objectGUID` of the domain, if the source contains it.
    pub domain_guid: Option<Guid>,
    /// The host name of the DC it was read from.
    pub domain_controller: String,
    /// `displayName`.
    pub display_name: String,
    /// `flags`: bit 0 disables the user configuration, bit 1 the computer configuration. `Options` in Backup.xml.
    pub flags: u32,
    /// `versionNumber` in the directory.
    pub directory_version: GpoVersion,
    /// `Version` of GPT.INI; `None` when the file is missing or has none.
    pub sysvol_version: Option<GpoVersion>,
    /// `gPCMachineExtensionNames`.
    pub machine_extensions: ExtensionList,
    /// `gPCUserExtensionNames`.
    pub user_extensions: ExtensionList,
    /// The linked WMI filter, if any.
    pub wmi_filter: Option<WmiFilterLink>,
    /// `nTSecurityDescriptor`, self-relative, as read from the source: a backup contains only the DACL. Empty when
    /// unknown.
    pub security_descriptor: Vec<u8>,
    /// The files and folders, without GPT.INI.
    pub tree: GptTree,
    /// Objects below the GPO's container other than `CN=Machine` and `CN=User` themselves; parents first.
    pub directory_objects: Vec<DirectoryObject>,
    /// The principals behind its SIDs and names, as resolved by the source: `SecurityGroups` of a backup.
    pub principals: Vec<InventoryPrincipal>,
    /// The UNC paths GPMC inventories: `FilePaths` of a backup, in its units.
    pub file_paths: Vec<String>,
    /// Findings made while reading it.
    pub messages: Vec<StatusMessage>,
}

impl GpoSnapshot {
    /// A GPO without settings: both configurations are enabled, and both halves have version 0.
    pub fn new(guid: Guid, domain: DomainName, display_name: impl Into<String>) -> Self {
        Self {
            guid,
            domain,
            domain_guid: None,
            domain_controller: String::new(),
            display_name: display_name.into(),
            flags: 0,
            directory_version: GpoVersion::default(),
            sysvol_version: Some(GpoVersion::default()),
            machine_extensions: ExtensionList::default(),
            user_extensions: ExtensionList::default(),
            wmi_filter: None,
            security_descriptor: Vec::new(),
            tree: GptTree::new(),
            directory_objects: Vec::new(),
            principals: Vec::new(),
            file_paths: Vec::new(),
            messages: Vec::new(),
        }
    }
}

/// One entry of `SecurityGroups`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InventoryPrincipal {
    /// The principal.
    #[serde(flatten)]
    pub principal: Principal,
    /// Whether it occurs only in the GPO's DACL (`bkp:Source="FromDACL"`), not in settings.
    pub from_dacl: bool,
}

/// The link from a GPO to a WMI filter: `gPCWQLFilter` is `[domain;{GUID};0]` [MS-GPOL 2.2.4].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WmiFilterLink {
    /// The filter's `msWMI-ID`.
    pub id: Guid,
    /// The DNS name of the filter's domain.
    pub domain: String,
    /// `msWMI-Name`, when the filter could be read.
    pub name: Option<String>,
}

impl WmiFilterLink {
    /// The `gPCWQLFilter` value.
    pub fn to_attribute(&self) -> String {
        format!("[{};{};0]", self.domain, self.id)
    }

    /// Reads a `gPCWQLFilter` value; `None` when it is blank or not of the form `[domain;{GUID};0]`.
    pub fn parse(value: &str) -> Option<Self> {
        let inner = value.trim().strip_prefix('[')?.strip_suffix(']')?;
        let mut parts = inner.split(';');
        let (domain, id, _) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            id: id.parse().ok()?,
            domain: domain.to_owned(),
            name: None,
        })
    }
}
