//! The files and folders of a plan: their old and new content.

use std::collections::BTreeMap;

use super::FileContent;
use crate::model::digest::sha256;
use crate::model::gpt_tree::{GptTree, Node};
use crate::model::safe_name::RelPath;

/// The change of one file or folder of the GPO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EntryChange {
    /// It is new.
    Added,
    /// Its content changes.
    Changed,
    /// Its content is the same.
    Unchanged,
    /// It is deleted.
    Removed,
}

/// One file or folder of the new or the old state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct PlannedEntry {
    /// Its path below the GPO's folder.
    pub path: RelPath,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Its size in bytes after the change; before it, if it is deleted.
    pub size: u64,
    /// SHA-256 of its new content; `None` for folders and for files that are deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    /// The change.
    pub change: EntryChange,
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
                    EntryChange::Unchanged
                } else {
                    EntryChange::Added
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
                        Some(before) if before == content => EntryChange::Unchanged,
                        Some(_) => EntryChange::Changed,
                        None => EntryChange::Added,
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
                change: EntryChange::Removed,
            });
        }
    }
    entries.sort_by_key(|entry| entry.path.folded());
    (entries, contents)
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
    use bytes::Bytes;

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
        let changes: Vec<(String, EntryChange)> = entries
            .iter()
            .map(|entry| (entry.path.folded(), entry.change))
            .collect();
        assert_eq!(
            changes,
            [
                ("gpo.cmt".to_owned(), EntryChange::Added),
                ("machine".to_owned(), EntryChange::Unchanged),
                ("machine/a".to_owned(), EntryChange::Unchanged),
                ("machine/b".to_owned(), EntryChange::Changed),
                ("user".to_owned(), EntryChange::Removed),
                ("user/c".to_owned(), EntryChange::Removed),
            ]
        );
        assert_eq!(contents.len(), 3);
    }
}
