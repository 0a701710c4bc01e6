//! The whole state of a share, to be compared with another.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::exact::on_share;
use super::share::Share;
use super::tree::{Content, folded};
use crate::domain::sysvol::SysvolPath;
use crate::model::domain_name::DomainName;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;

/// A file or folder at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SysvolEntry {
    /// Its path below `Policies`, as it is spelled.
    pub path: String,
    /// The bytes of a file; `None` for a folder and for a link.
    pub content: Option<Bytes>,
    /// The file attributes [MS-FSCC 2.6].
    pub attributes: u32,
    /// Owner, group and DACL.
    pub descriptor: Arc<SecurityDescriptor>,
}

impl SysvolEntry {
    fn kind(&self) -> &'static str {
        if self.content.is_some() {
            "file"
        } else if self.attributes & crate::domain::sysvol::REPARSE_POINT != 0 {
            "link"
        } else {
            "folder"
        }
    }
}

/// Everything below `Policies` at one moment: two that are equal have the same files, folders, bytes, attributes, descriptors
/// and spellings of names. What is marked for deletion is still in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SysvolSnapshot {
    entries: BTreeMap<String, SysvolEntry>,
}

pub(super) fn take(share: &Share, domain: &DomainName) -> SysvolSnapshot {
    let policies = share.existing(&on_share(&SysvolPath::policies(domain)));
    let entries = policies.map(|id| share.tree.walk(id)).unwrap_or_default();
    let entries = entries
        .into_iter()
        .map(|(path, node)| {
            let entry = SysvolEntry {
                content: match &node.content {
                    Content::File(content) => Some(content.clone()),
                    Content::Folder(_) | Content::Link => None,
                },
                attributes: share.attributes(node),
                descriptor: Arc::clone(node.permissions.descriptor()),
                path,
            };
            (folded(&entry.path), entry)
        })
        .collect();
    SysvolSnapshot { entries }
}

impl SysvolSnapshot {
    /// The entries, a folder before what is in it; the first is `Policies` itself, with an empty path.
    pub fn entries(&self) -> impl Iterator<Item = &SysvolEntry> {
        self.entries.values()
    }

    /// The entry at a path below `Policies`, such as `{GUID}\Machine\Registry.pol`, without regard to case.
    pub fn entry(&self, path: &str) -> Option<&SysvolEntry> {
        self.entries.get(&folded(path))
    }

    /// The same without entries whose path below `Policies` this says yes to.
    #[must_use]
    pub fn without(&self, leave_out: impl Fn(&str) -> bool) -> Self {
        let entries = self.entries.iter();
        Self {
            entries: entries
                .filter(|(_, entry)| !leave_out(&entry.path))
                .map(|(path, entry)| (path.clone(), entry.clone()))
                .collect(),
        }
    }

    /// What is different from an earlier state, each as one line: `+` is new, `-` is gone, `!` has changed.
    pub fn differences_from(&self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, old) in &before.entries {
            match self.entries.get(path) {
                None => lines.push(format!("- {} {}", old.kind(), old.path)),
                Some(new) => changes(old, new, &mut lines),
            }
        }
        for (path, new) in &self.entries {
            if !before.entries.contains_key(path) {
                lines.push(format!("+ {new}"));
            }
        }
        lines
    }
}

fn changes(old: &SysvolEntry, new: &SysvolEntry, lines: &mut Vec<String>) {
    let path = &new.path;
    if old.path != *path {
        lines.push(format!("! {path}: was spelled {}", old.path));
    }
    if old.kind() != new.kind() {
        lines.push(format!(
            "! {path}: was a {}, is a {}",
            old.kind(),
            new.kind()
        ));
    } else if let (Some(old), Some(new)) = (&old.content, &new.content)
        && old != new
    {
        let same = old.iter().zip(new).take_while(|(old, new)| old == new);
        let at = same.count();
        lines.push(format!(
            "! {path}: {} bytes, were {}, different from byte {at}",
            new.len(),
            old.len()
        ));
    }
    if old.attributes != new.attributes && old.kind() == new.kind() {
        lines.push(format!(
            "! {path}: attributes {:#x}, were {:#x}",
            new.attributes, old.attributes
        ));
    }
    if old.descriptor != new.descriptor {
        lines.push(format!(
            "! {path}: {}, was {}",
            to_sddl(&new.descriptor),
            to_sddl(&old.descriptor)
        ));
    }
}

impl fmt::Display for SysvolEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.path)?;
        if let Some(content) = &self.content {
            write!(f, ", {} bytes", content.len())?;
        }
        Ok(())
    }
}

impl fmt::Display for SysvolSnapshot {
    /// One line for each entry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries
            .values()
            .try_for_each(|entry| writeln!(f, "{entry}"))
    }
}
