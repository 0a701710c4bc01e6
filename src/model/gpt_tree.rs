//! The SYSVOL half of a GPO in memory: its files and folders, without GPT.INI.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::safe_name::RelPath;

/// A file or a folder of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Dir,
    /// A file and its bytes.
    File(Bytes),
}

/// Files and folders of a GPO, keyed without regard to case, each with its path as spelled at the source. Every parent
/// folder of an entry is an entry too. GPT.INI is not included: it belongs to the GPO, not to its settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GptTree {
    entries: BTreeMap<String, (RelPath, Node)>,
}

impl GptTree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder and its parent folders; an existing entry keeps its spelling.
    pub fn insert_dir(&mut self, path: &RelPath) {
        if path.is_root() {
            return;
        }
        if let Some(parent) = path.parent() {
            self.insert_dir(&parent);
        }
        self.entries
            .entry(path.folded())
            .or_insert_with(|| (path.clone(), Node::Dir));
    }

    /// Adds or replaces a file and adds its parent folders. A replaced file keeps its spelling.
    pub fn insert_file(&mut self, path: &RelPath, content: Bytes) {
        if let Some(parent) = path.parent() {
            self.insert_dir(&parent);
        }
        self.entries
            .entry(path.folded())
            .or_insert_with(|| (path.clone(), Node::Dir))
            .1 = Node::File(content);
    }

    /// Removes one entry.
    pub fn remove(&mut self, path: &RelPath) {
        self.entries.remove(&path.folded());
    }

    /// The bytes of a file; `path` in any case and with either separator.
    pub fn file(&self, path: &str) -> Option<&Bytes> {
        match self.entries.get(&path.replace('\\', "/").to_lowercase()) {
            Some((_, Node::File(content))) => Some(content),
            _ => None,
        }
    }

    /// Whether there is an entry at this path; in any case and with either separator.
    pub fn contains(&self, path: &str) -> bool {
        self.entries
            .contains_key(&path.replace('\\', "/").to_lowercase())
    }

    /// The files, ordered by case-folded path.
    pub fn files(&self) -> impl Iterator<Item = (&RelPath, &Bytes)> {
        self.entries.values().filter_map(|(path, node)| match node {
            Node::File(content) => Some((path, content)),
            Node::Dir => None,
        })
    }

    /// The folders, ordered by case-folded path, so that parents come first.
    pub fn dirs(&self) -> impl Iterator<Item = &RelPath> {
        self.entries.values().filter_map(|(path, node)| match node {
            Node::Dir => Some(path),
            Node::File(_) => None,
        })
    }

    /// All entries, ordered by case-folded path, so that parents come first.
    pub fn entries(&self) -> impl Iterator<Item = (&RelPath, &Node)> {
        self.entries.values().map(|(path, node)| (path, node))
    }

    /// Whether the tree is empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The total size of all files, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.files()
            .map(|(_, content)| u64::try_from(content.len()).unwrap_or(u64::MAX))
            .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_without_case_and_keeps_spelling() {
        let mut tree = GptTree::new();
        tree.insert_file(
            &"Machine\\Registry.pol".parse().unwrap(),
            Bytes::from_static(b"a"),
        );
        tree.insert_file(
            &"MACHINE\\registry.POL".parse().unwrap(),
            Bytes::from_static(b"b"),
        );
        assert_eq!(
            tree.file("machine/registry.pol").unwrap(),
            &Bytes::from_static(b"b")
        );
        let paths: Vec<String> = tree.entries().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["Machine", "Machine\\Registry.pol"]);
    }
}
