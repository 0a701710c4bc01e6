//! The plan: the complete list of changes an operation will make, with the state it was made against.
//!
//! A plan holds everything `apply` needs, file contents too, so that it can be saved, reviewed, and applied later: it does
//! exactly that, or refuses as stale and says what changed.

use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::risks::Risk;
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::migration::report::MappingReport;
use crate::model::directory_object::DirectoryObject;
use crate::model::domain_name::DomainName;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::{GptTree, Node};
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;
use crate::model::snapshot::GpoSnapshot;
use crate::model::version::GpoVersion;

/// The version of the saved form; it may only grow.
pub const PLAN_FORMAT_VERSION: u32 = 1;

/// Which verb made the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Settings of a backup into another GPO.
    Import,
}

/// Where the new settings come from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlanSource {
    /// The ID of the backup, if it is one.
    pub backup_id: Option<Guid>,
    /// The source GPO.
    pub gpo_guid: Guid,
    /// Its display name.
    pub display_name: String,
    /// Its domain.
    pub domain: String,
}

/// The GPO that will change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlanTarget {
    /// Its GUID; for a GPO that will be created, the one it will have.
    pub guid: Guid,
    /// Its display name.
    pub display_name: String,
    /// Its domain.
    pub domain: DomainName,
    /// Whether it will be created.
    pub create: bool,
}

/// The settings of a GPO that a plan changes, or that it was made against.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GpoState {
    /// `displayName`.
    pub display_name: String,
    /// `flags`; `None` when the attribute is absent.
    pub flags: Option<u32>,
    /// `versionNumber`; `None` when the attribute is absent.
    pub directory_version: Option<GpoVersion>,
    /// `Version` of GPT.INI.
    pub sysvol_version: Option<GpoVersion>,
    /// `gPCMachineExtensionNames`.
    pub machine_extensions: ExtensionList,
    /// `gPCUserExtensionNames`.
    pub user_extensions: ExtensionList,
    /// SHA-256 of `nTSecurityDescriptor`, in hexadecimal.
    pub security_descriptor: String,
    /// SHA-256 of every file, by its path in lower case with forward slashes; folders have an empty hash.
    pub tree: BTreeMap<String, String>,
    /// The objects below the GPO, each as `RDN,RDN` with a hash of its attributes.
    pub directory_objects: BTreeMap<String, String>,
}

impl GpoState {
    /// The state of a snapshot.
    pub fn of(snapshot: &GpoSnapshot, flags: Option<u32>, version: Option<GpoVersion>) -> Self {
        Self {
            display_name: snapshot.display_name.clone(),
            flags,
            directory_version: version,
            sysvol_version: snapshot.sysvol_version,
            machine_extensions: snapshot.machine_extensions.clone(),
            user_extensions: snapshot.user_extensions.clone(),
            security_descriptor: sha256(&snapshot.security_descriptor),
            tree: tree_hashes(&snapshot.tree),
            directory_objects: snapshot
                .directory_objects
                .iter()
                .map(|object| {
                    let attributes = serde_json::to_vec(&object.attributes).unwrap_or_default();
                    (object.rdns.join(","), sha256(&attributes))
                })
                .collect(),
        }
    }

    /// What differs from `other`, one sentence each; empty when nothing does.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, before: String, now: String| {
            if before != now {
                found.push(format!("{what} was {before} and is now {now}"));
            }
        };
        let version = |version: Option<GpoVersion>| {
            version.map_or_else(|| "absent".to_owned(), |v| v.to_string())
        };
        compare(
            "the display name",
            format!("\"{}\"", self.display_name),
            format!("\"{}\"", other.display_name),
        );
        compare(
            "versionNumber",
            version(self.directory_version),
            version(other.directory_version),
        );
        compare(
            "the version in GPT.INI",
            version(self.sysvol_version),
            version(other.sysvol_version),
        );
        compare(
            "flags",
            format!("{:?}", self.flags),
            format!("{:?}", other.flags),
        );
        compare(
            "gPCMachineExtensionNames",
            self.machine_extensions.as_str().to_owned(),
            other.machine_extensions.as_str().to_owned(),
        );
        compare(
            "gPCUserExtensionNames",
            self.user_extensions.as_str().to_owned(),
            other.user_extensions.as_str().to_owned(),
        );
        if self.security_descriptor != other.security_descriptor {
            found.push("the security descriptor changed".to_owned());
        }
        found.extend(map_differences("file", &self.tree, &other.tree));
        found.extend(map_differences(
            "object",
            &self.directory_objects,
            &other.directory_objects,
        ));
        found
    }
}

fn map_differences(
    what: &str,
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let gone = before
        .keys()
        .filter(|key| !now.contains_key(*key))
        .map(|key| format!("{what} {key} is gone"));
    let changed = now.iter().filter_map(|(key, hash)| match before.get(key) {
        None => Some(format!("{what} {key} is new")),
        Some(old) if old != hash => Some(format!("{what} {key} changed")),
        Some(_) => None,
    });
    gone.chain(changed).collect()
}

/// What happens to one file or folder of the GPO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is not there yet.
    Added,
    /// It is there with other bytes.
    Changed,
    /// It is there with the same bytes.
    Unchanged,
    /// It goes.
    Removed,
}

/// One file or folder of the new or the old state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlannedEntry {
    /// Its path below the GPO's folder.
    pub path: RelPath,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Its size in bytes after the change; before it, if it goes.
    pub size: u64,
    /// SHA-256 of its new content; `None` for folders and for files that go.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    /// What happens to it.
    pub change: Change,
}

/// One step of a plan, in the order of the apply.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// The GPO is made: container, `Machine`, `User`, folder on SYSVOL; version 0, no extensions.
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
        /// What happens to it.
        change: Change,
    },
    /// The objects below the GPO are removed, depth first.
    RemoveDirectoryObjects {
        /// How many.
        count: usize,
    },
    /// Objects below the GPO are added, parents first.
    AddDirectoryObjects {
        /// Their RDNs.
        objects: Vec<String>,
    },
    /// GPT.INI is replaced.
    WriteGptIni {
        /// The version it held.
        from: Option<GpoVersion>,
        /// The version it will hold.
        to: GpoVersion,
    },
    /// One LDAP modify: `versionNumber` compared and swapped, extension lists and flags replaced.
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
    },
}

/// The complete list of changes an operation will make.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT_VERSION`].
    pub format_version: u32,
    /// The ID of the operation that will run it.
    pub operation_id: String,
    /// Which verb made it.
    pub verb: Verb,
    /// Where the settings come from.
    pub source: PlanSource,
    /// The GPO that will change.
    pub target: PlanTarget,
    /// The state of the target the plan was made against; `None` when the target will be created.
    pub basis: Option<GpoState>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Every file and folder, of the new state and of the old one.
    pub entries: Vec<PlannedEntry>,
    /// GPT.INI as it will be.
    pub gpt_ini: FileContent,
    /// The objects to be added below the GPO; parents first.
    pub directory_objects: Vec<DirectoryObject>,
    /// What became of each reference; `None` without a scan.
    pub mapping: Option<MappingReport>,
    /// What was noticed while planning.
    pub messages: Vec<StatusMessage>,
    /// What of the new settings runs code or grants rights; see [`super::risks::of`].
    #[serde(default)]
    pub risks: Vec<Risk>,
    /// The content of every file of the new state, by its SHA-256.
    pub contents: BTreeMap<String, FileContent>,
}

/// The bytes of a file, in base64 when saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileContent(pub Bytes);

impl serde::Serialize for FileContent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for FileContent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map(|bytes| Self(Bytes::from(bytes)))
            .map_err(serde::de::Error::custom)
    }
}

impl Plan {
    /// The new state of the files and folders.
    ///
    /// # Errors
    /// `BadInput` when the plan names a content it does not hold, or one whose hash does not fit.
    pub fn new_tree(&self) -> Result<GptTree> {
        let mut tree = GptTree::new();
        for entry in &self.entries {
            if entry.change == Change::Removed {
                continue;
            }
            if entry.is_dir {
                tree.insert_dir(&entry.path);
                continue;
            }
            let content = entry
                .sha256
                .as_ref()
                .and_then(|hash| self.contents.get(hash).map(|content| (hash, content)))
                .filter(|(hash, content)| sha256(&content.0) == **hash)
                .map(|(_, content)| content.0.clone())
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::BadInput,
                        format!("the plan does not hold the content of {}", entry.path),
                    )
                    .with_hint("make the plan again")
                })?;
            tree.insert_file(&entry.path, content);
        }
        Ok(tree)
    }

    /// Reads a saved plan.
    ///
    /// # Errors
    /// `BadInput` when it is not a plan, or one of a newer form.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let plan: Self = serde_json::from_slice(bytes).map_err(|cause| {
            Error::new(ErrorKind::BadInput, "this is not a plan saved by gpoctl").with_source(cause)
        })?;
        if plan.format_version != PLAN_FORMAT_VERSION {
            return Err(Error::new(
                ErrorKind::BadInput,
                format!("the plan has format version {}", plan.format_version),
            )
            .with_hint("it was made by another version of gpoctl; make it again"));
        }
        Ok(plan)
    }

    /// The saved form.
    ///
    /// # Errors
    /// `Internal`, if it cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(|cause| {
            Error::new(ErrorKind::Internal, "the plan cannot be written as JSON").with_source(cause)
        })
    }
}

/// The entries of a plan that turns `old` into `new`, and the contents of the new files.
pub fn plan_entries(
    old: &GptTree,
    new: &GptTree,
) -> (Vec<PlannedEntry>, BTreeMap<String, FileContent>) {
    let mut contents = BTreeMap::new();
    let mut entries = Vec::new();
    for (path, node) in new.entries() {
        let key = path.folded();
        entries.push(match node {
            Node::Dir => PlannedEntry {
                path: path.clone(),
                is_dir: true,
                size: 0,
                sha256: None,
                change: if old.contains(&key) {
                    Change::Unchanged
                } else {
                    Change::Added
                },
            },
            Node::File(content) => {
                let hash = sha256(content);
                contents
                    .entry(hash.clone())
                    .or_insert_with(|| FileContent(content.clone()));
                PlannedEntry {
                    path: path.clone(),
                    is_dir: false,
                    size: u64::try_from(content.len()).unwrap_or(u64::MAX),
                    sha256: Some(hash),
                    change: match old.file(&key) {
                        Some(before) if before == content => Change::Unchanged,
                        Some(_) => Change::Changed,
                        None => Change::Added,
                    },
                }
            }
        });
    }
    for (path, node) in old.entries() {
        if !new.contains(&path.folded()) {
            let (is_dir, size) = match node {
                Node::Dir => (true, 0),
                Node::File(content) => (false, u64::try_from(content.len()).unwrap_or(u64::MAX)),
            };
            entries.push(PlannedEntry {
                path: path.clone(),
                is_dir,
                size,
                sha256: None,
                change: Change::Removed,
            });
        }
    }
    entries.sort_by_key(|entry| entry.path.folded());
    (entries, contents)
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The hash of every file, by its folded path; folders have an empty hash.
pub fn tree_hashes(tree: &GptTree) -> BTreeMap<String, String> {
    tree.entries()
        .map(|(path, node)| {
            let hash = match node {
                Node::Dir => String::new(),
                Node::File(content) => sha256(content),
            };
            (path.folded(), hash)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &'static [u8])]) -> GptTree {
        let mut tree = GptTree::new();
        for (path, content) in files {
            tree.insert_file(&path.parse().unwrap(), Bytes::from_static(content));
        }
        tree
    }

    #[test]
    fn entries_tell_what_happens_to_each_file() {
        let old = tree(&[
            ("Machine\\a", b"1"),
            ("Machine\\b", b"1"),
            ("User\\c", b"1"),
        ]);
        let new = tree(&[
            ("MACHINE\\A", b"1"),
            ("Machine\\b", b"2"),
            ("GPO.cmt", b"x"),
        ]);
        let (entries, contents) = plan_entries(&old, &new);
        let changes: Vec<(String, Change)> = entries
            .iter()
            .map(|entry| (entry.path.folded(), entry.change))
            .collect();
        assert_eq!(
            changes,
            [
                ("gpo.cmt".to_owned(), Change::Added),
                ("machine".to_owned(), Change::Unchanged),
                ("machine/a".to_owned(), Change::Unchanged),
                ("machine/b".to_owned(), Change::Changed),
                ("user".to_owned(), Change::Removed),
                ("user/c".to_owned(), Change::Removed),
            ]
        );
        assert_eq!(contents.len(), 3);
    }
}
