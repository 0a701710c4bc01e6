//! The steps of a plan.

use super::{EntryChange, FileContent};
use crate::model::extension_list::ExtensionList;
use crate::model::guid::Guid;
use crate::model::version::GpoVersion;

/// One step of a plan, in the order in which it is applied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Step {
    /// The GPO is created: container, `Machine`, `User`, folder on SYSVOL; version 0, no extensions.
    CreateGpo {
        /// Its GUID.
        guid: Guid,
        /// Its display name.
        display_name: String,
    },
    /// The new files and folders are written beside the old ones.
    StageFiles {
        /// How many files.
        files: usize,
        /// How many bytes.
        bytes: u64,
    },
    /// One entry of the GPO's folder is replaced, added or removed by renaming.
    SwitchEntry {
        /// Its name: `Machine`, `User`, `GPO.cmt`, …
        name: String,
        /// The change.
        change: EntryChange,
    },
    /// The DACL of the GPO is set, in the directory and derived from it on SYSVOL. On an existing GPO it is written in the same
    /// modify as the version.
    SetSecurityDescriptor {
        /// The present one, in SDDL; `None` for a GPO that will be created.
        from: Option<String>,
        /// The new one, in SDDL.
        to: String,
        /// Its self-relative bytes.
        descriptor: FileContent,
    },
    /// Objects below the GPO are removed, depth first.
    RemoveDirectoryObjects {
        /// How many.
        count: usize,
    },
    /// Objects below the GPO are changed.
    ChangeDirectoryObjects {
        /// Their RDNs.
        objects: Vec<String>,
    },
    /// Objects below the GPO are added, parents first.
    AddDirectoryObjects {
        /// Their RDNs.
        objects: Vec<String>,
    },
    /// GPT.INI is replaced.
    WriteGptIni {
        /// The version before.
        from: Option<GpoVersion>,
        /// The version after.
        to: GpoVersion,
    },
    /// One LDAP modify: `versionNumber` compared and swapped, everything else replaced.
    ModifyGpo {
        /// `versionNumber` before.
        version_from: Option<GpoVersion>,
        /// `versionNumber` after.
        version_to: GpoVersion,
        /// `flags` before.
        flags_from: Option<u32>,
        /// `flags` after.
        flags_to: u32,
        /// `gPCMachineExtensionNames` before.
        machine_extensions_from: ExtensionList,
        /// `gPCMachineExtensionNames` after.
        machine_extensions_to: ExtensionList,
        /// `gPCUserExtensionNames` before.
        user_extensions_from: ExtensionList,
        /// `gPCUserExtensionNames` after.
        user_extensions_to: ExtensionList,
        /// `displayName`, when it changes.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        display_name: Option<Swap<String>>,
        /// `gPCWQLFilter`, when it changes; `None` inside is an absent attribute.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        wmi_filter: Option<Swap<Option<String>>>,
    },
    /// `gPLink` of a domain, OU or site is compared and swapped.
    SetLinks {
        /// The DN of the domain, OU or site.
        som: String,
        /// `gPLink` before; `None` when absent.
        from: Option<String>,
        /// `gPLink` after; `None` when it is removed.
        to: Option<String>,
    },
    /// The GPO is deleted: its container with everything below it at once, then its folder on SYSVOL.
    DeleteGpo {
        /// Its GUID.
        guid: Guid,
        /// Its display name.
        display_name: String,
        /// Whether the links to it are kept.
        keep_links: bool,
    },
    /// `displayName` is compared and swapped.
    Rename {
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// `flags` is compared and swapped.
    SetStatus {
        /// Before; `None` when the attribute is absent.
        from: Option<u32>,
        /// After.
        to: u32,
    },
}

/// A value before and after.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Swap<T> {
    /// Before.
    pub from: T,
    /// After.
    pub to: T,
}
