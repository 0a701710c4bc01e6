//! The entries of the share: names, contents, attributes, descriptors.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use smb2::types::status::NtStatus;

use super::permissions::{Permissions, SysvolLogin};
use crate::domain::sysvol::{DIRECTORY, REPARSE_POINT};

/// FILE_ATTRIBUTE_READONLY, HIDDEN and ARCHIVE [MS-FSCC 2.6]
pub(super) const READ_ONLY: u32 = 0x1;
const HIDDEN: u32 = 0x2;
const ARCHIVE: u32 = 0x20;

/// Names an entry for as long as it exists, whatever it is called.
pub(super) type NodeId = u64;
/// The folder that is the share itself.
pub(super) const ROOT: NodeId = 0;

/// An entry.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) name: String,
    /// The folder it is in; `None` for the root and for what was deleted or replaced while it was open.
    pub(super) parent: Option<NodeId>,
    /// The folder it was in last, when it is in none.
    pub(super) left: Option<NodeId>,
    pub(super) content: Content,
    pub(super) read_only: bool,
    pub(super) permissions: Permissions,
    /// The size that a listing gives instead of the real one.
    pub(super) listed_size: Option<u64>,
    /// Whether its last handle takes it away.
    pub(super) delete_pending: bool,
}

/// What an entry is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    File(Bytes),
    /// The entries by their folded names.
    Folder(BTreeMap<String, NodeId>),
    Link,
}

impl Node {
    pub(super) fn is_folder(&self) -> bool {
        matches!(self.content, Content::Folder(_))
    }

    pub(super) fn size(&self) -> u64 {
        match &self.content {
            Content::File(content) => u64::try_from(content.len()).unwrap_or(u64::MAX),
            Content::Folder(_) | Content::Link => 0,
        }
    }

    /// The file attributes [MS-FSCC 2.6]; Samba hides names that begin with a dot.
    pub(super) fn attributes(&self, hides_dots: bool) -> u32 {
        let mut attributes = match self.content {
            Content::File(_) => ARCHIVE,
            Content::Folder(_) => DIRECTORY,
            Content::Link => REPARSE_POINT,
        };
        if hides_dots && self.name.starts_with('.') {
            attributes |= HIDDEN;
        }
        if self.read_only {
            attributes |= READ_ONLY;
        }
        attributes
    }
}

/// All entries.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Copies of the tree have the same entries until one is changed.
    nodes: BTreeMap<NodeId, Arc<Node>>,
    next: NodeId,
}

/// The folded name: equal for names that are the same on an SMB server, as [`crate::model::safe_name::SafeName::folded`].
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// A path that was looked up.
pub(super) struct Found {
    pub(super) parent: NodeId,
    pub(super) name: String,
    /// What is there.
    pub(super) node: Option<NodeId>,
}

impl Tree {
    pub(super) fn new(permissions: Permissions) -> Self {
        let root = Node {
            name: String::new(),
            parent: None,
            left: None,
            content: Content::Folder(BTreeMap::new()),
            read_only: false,
            permissions,
            listed_size: None,
            delete_pending: false,
        };
        Self {
            nodes: BTreeMap::from([(ROOT, Arc::new(root))]),
            next: ROOT + 1,
        }
    }

    /// # Errors
    /// `OBJECT_NAME_NOT_FOUND` when nothing has this number any more.
    pub(super) fn get(&self, id: NodeId) -> Result<&Node, NtStatus> {
        self.nodes
            .get(&id)
            .map(Arc::as_ref)
            .ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)
    }

    /// # Errors
    /// As [`Self::get`].
    pub(super) fn get_mut(&mut self, id: NodeId) -> Result<&mut Node, NtStatus> {
        self.nodes
            .get_mut(&id)
            .map(Arc::make_mut)
            .ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)
    }

    /// The entries of a folder.
    ///
    /// # Errors
    /// `NOT_A_DIRECTORY`.
    pub(super) fn children(&self, id: NodeId) -> Result<&BTreeMap<String, NodeId>, NtStatus> {
        match &self.get(id)?.content {
            Content::Folder(children) => Ok(children),
            Content::File(_) | Content::Link => Err(NtStatus::NOT_A_DIRECTORY),
        }
    }

    fn children_mut(&mut self, id: NodeId) -> Result<&mut BTreeMap<String, NodeId>, NtStatus> {
        match &mut self.get_mut(id)?.content {
            Content::Folder(children) => Ok(children),
            Content::File(_) | Content::Link => Err(NtStatus::NOT_A_DIRECTORY),
        }
    }

    /// Looks a path up, with backslashes between its components.
    ///
    /// # Errors
    /// `OBJECT_PATH_NOT_FOUND` when something before the last component is not a folder.
    pub(super) fn find(&self, path: &str) -> Result<Found, NtStatus> {
        let mut parent = ROOT;
        let mut rest = path;
        loop {
            let children = self
                .children(parent)
                .map_err(|_| NtStatus::OBJECT_PATH_NOT_FOUND)?;
            let Some((first, after)) = rest.split_once('\\') else {
                return Ok(Found {
                    parent,
                    name: rest.to_owned(),
                    node: children.get(&folded(rest)).copied(),
                });
            };
            parent = *children
                .get(&folded(first))
                .ok_or(NtStatus::OBJECT_PATH_NOT_FOUND)?;
            rest = after;
        }
    }

    /// Puts a new entry into a folder that has none of this name.
    ///
    /// # Errors
    /// `NOT_A_DIRECTORY`.
    pub(super) fn insert(
        &mut self,
        parent: NodeId,
        name: &str,
        content: Content,
        permissions: Permissions,
    ) -> Result<NodeId, NtStatus> {
        let id = self.next;
        self.children_mut(parent)?.insert(folded(name), id);
        self.next += 1;
        self.nodes.insert(
            id,
            Arc::new(Node {
                name: name.to_owned(),
                parent: Some(parent),
                left: None,
                content,
                read_only: false,
                permissions,
                listed_size: None,
                delete_pending: false,
            }),
        );
        Ok(id)
    }

    /// Takes the entry of this name out of a folder; it stays under its number.
    pub(super) fn unlink(&mut self, parent: NodeId, name: &str) -> Option<NodeId> {
        let taken = self.children_mut(parent).ok()?.remove(&folded(name))?;
        if let Some(node) = self.nodes.get_mut(&taken).map(Arc::make_mut) {
            node.left = node.parent.take();
        }
        Some(taken)
    }

    /// Forgets an entry that is in no folder, with everything below it.
    pub(super) fn forget(&mut self, id: NodeId) {
        let Some(node) = self.nodes.remove(&id) else {
            return;
        };
        if let Content::Folder(children) = &node.content {
            for child in children.values() {
                self.forget(*child);
            }
        }
    }

    /// Puts an entry under another name.
    ///
    /// # Errors
    /// `NOT_A_DIRECTORY`.
    pub(super) fn relink(
        &mut self,
        id: NodeId,
        parent: NodeId,
        name: &str,
    ) -> Result<(), NtStatus> {
        let (old_parent, old_name) = {
            let node = self.get(id)?;
            (node.parent, node.name.clone())
        };
        if let Some(old_parent) = old_parent {
            self.unlink(old_parent, &old_name);
        }
        self.children_mut(parent)?.insert(folded(name), id);
        let node = self.get_mut(id)?;
        node.parent = Some(parent);
        name.clone_into(&mut node.name);
        Ok(())
    }

    /// Whether `id` is `above` or below it.
    pub(super) fn is_below(&self, id: NodeId, above: NodeId) -> bool {
        let mut next = Some(id);
        while let Some(at) = next {
            if at == above {
                return true;
            }
            next = self.nodes.get(&at).and_then(|node| node.parent);
        }
        false
    }

    /// The bytes of all files.
    pub(super) fn used(&self) -> u64 {
        self.nodes.values().map(|node| node.size()).sum()
    }

    /// Every entry below a folder with its path, folders before what is in them, in the order of their folded names.
    pub(super) fn walk(&self, from: NodeId) -> Vec<(String, &Node)> {
        let mut found = Vec::new();
        let mut next = vec![(from, String::new())];
        while let Some((id, path)) = next.pop() {
            let children = self.children(id).into_iter().flat_map(|all| all.values());
            for child in children.rev() {
                if let Some(node) = self.nodes.get(child) {
                    let below = if path.is_empty() {
                        node.name.clone()
                    } else {
                        format!("{path}\\{}", node.name)
                    };
                    next.push((*child, below));
                }
            }
            if let Some(node) = self.nodes.get(&id) {
                found.push((path, node.as_ref()));
            }
        }
        found
    }

    /// What a new entry in this folder inherits.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn inherited(
        &self,
        parent: NodeId,
        login: &SysvolLogin,
        is_folder: bool,
        marks: bool,
    ) -> Result<Permissions, NtStatus> {
        Ok(self
            .get(parent)?
            .permissions
            .inherited(login, is_folder, marks))
    }
}
