//! The server: opens, share modes, renames and deletions, each with the status that a Samba server answers with.

use std::collections::BTreeMap;

use bytes::Bytes;
use smb2::types::status::NtStatus;

use super::SysvolServer;
use super::permissions::{SysvolLogin, access};
use super::tree::{Content, Node, NodeId, Tree};

/// What an operation comes to.
pub(super) type Answer<T> = Result<T, NtStatus>;

/// The share modes and what they leave to others [MS-SMB2 2.2.13].
pub(super) mod sharing {
    /// FILE_SHARE_READ
    pub(in super::super) const READ: u32 = 1;
    /// FILE_SHARE_WRITE
    pub(in super::super) const WRITE: u32 = 2;
    /// FILE_SHARE_DELETE
    pub(in super::super) const DELETE: u32 = 4;
    /// All of them.
    pub(in super::super) const ALL: u32 = 7;
}

/// Who asks: a connection and the account that is logged in on it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) connection: u64,
    pub(super) login: SysvolLogin,
}

/// What the open of a path may find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// FILE_NON_DIRECTORY_FILE
    File,
    /// FILE_DIRECTORY_FILE
    Folder,
    /// Neither.
    Any,
}

pub(super) type HandleId = u64;

/// An open.
#[derive(Debug)]
struct Handle {
    node: NodeId,
    connection: u64,
    access: u32,
    share: u32,
    /// Whether a folder above was renamed since: Samba knows the open by a name that does not exist any more.
    is_lost: bool,
}

/// The share.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) tree: Tree,
    pub(super) server: SysvolServer,
    /// The most bytes that fit.
    pub(super) capacity: Option<u64>,
    /// The files that somebody else writes between the two renames of a swap, by their paths.
    pub(super) between_renames: BTreeMap<String, Bytes>,
    handles: BTreeMap<HandleId, Handle>,
    next: HandleId,
}

impl Share {
    pub(super) fn new(tree: Tree, server: SysvolServer) -> Self {
        Self {
            tree,
            server,
            capacity: None,
            between_renames: BTreeMap::new(),
            handles: BTreeMap::new(),
            next: 1,
        }
    }

    /// The same entries, on a server of their own where nothing is open.
    pub(super) fn copy(&self) -> Self {
        Self {
            capacity: self.capacity,
            between_renames: self.between_renames.clone(),
            next: self.next,
            ..Self::new(self.tree.clone(), self.server)
        }
    }

    /// What has this path.
    pub(super) fn existing(&self, path: &str) -> Answer<NodeId> {
        let found = self.tree.find(path)?;
        found.node.ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)
    }

    /// The file attributes of an entry.
    pub(super) fn attributes(&self, node: &Node) -> u32 {
        node.attributes(self.server.is_samba())
    }

    /// Puts something at a path, with the folders above it, whatever a client could do. A file that is there gets the new bytes,
    /// a folder stays.
    pub(super) fn put(
        &mut self,
        path: &str,
        content: Content,
        login: &SysvolLogin,
    ) -> Answer<NodeId> {
        let marks = !self.server.is_samba();
        if let Some((above, _)) = path.rsplit_once('\\')
            && matches!(
                self.existing(above),
                Err(NtStatus::OBJECT_NAME_NOT_FOUND | NtStatus::OBJECT_PATH_NOT_FOUND)
            )
        {
            self.put(above, Content::Folder(BTreeMap::new()), login)?;
        }
        let found = self.tree.find(path);
        let found = found.map_err(|_| NtStatus::NOT_A_DIRECTORY)?;
        let Some(id) = found.node else {
            if let Content::File(content) = &content {
                self.check_capacity(0, content)?;
            }
            let is_folder = matches!(content, Content::Folder(_));
            let permissions = self.tree.inherited(found.parent, login, is_folder, marks)?;
            return self
                .tree
                .insert(found.parent, &found.name, content, permissions);
        };
        let node = self.tree.get(id)?;
        match (&node.content, content) {
            (Content::File(old), Content::File(new)) => {
                self.check_capacity(u64::try_from(old.len()).unwrap_or(u64::MAX), &new)?;
                self.tree.get_mut(id)?.content = Content::File(new);
                Ok(id)
            }
            (Content::Folder(_), Content::Folder(_)) => Ok(id),
            (Content::Folder(_), _) => Err(NtStatus::FILE_IS_A_DIRECTORY),
            (_, Content::Folder(_)) => Err(NtStatus::NOT_A_DIRECTORY),
            _ => Err(NtStatus::OBJECT_NAME_COLLISION),
        }
    }

    /// Writes what comes between the two renames of a swap, when its live name is not in use.
    pub(super) fn write_between_renames(&mut self, live: &str, login: &SysvolLogin) -> Answer<()> {
        let live = live.to_lowercase();
        let is_in = |path: &String, _: &mut Bytes| {
            let rest = path.to_lowercase();
            let rest = rest.strip_prefix(&live).map(str::to_owned);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
        };
        let coming: Vec<_> = self.between_renames.extract_if(.., is_in).collect();
        for (path, content) in coming {
            self.put(&path, Content::File(content), login)?;
        }
        Ok(())
    }

    /// Whether these bytes fit in the place of so many.
    fn check_capacity(&self, old: u64, new: &Bytes) -> Answer<()> {
        let Some(capacity) = self.capacity else {
            return Ok(());
        };
        let new = u64::try_from(new.len()).unwrap_or(u64::MAX);
        let all = self.tree.used().saturating_sub(old).saturating_add(new);
        if all > capacity {
            return Err(NtStatus::DISK_FULL);
        }
        Ok(())
    }

    /// Deletes an entry and everything below it at once, whoever has it open.
    pub(super) fn delete_now(&mut self, id: NodeId) {
        let below: Vec<NodeId> = match self.tree.children(id) {
            Ok(children) => children.values().copied().collect(),
            Err(_) => Vec::new(),
        };
        for child in below {
            self.delete_now(child);
        }
        if let Ok(node) = self.tree.get(id) {
            let (parent, name) = (node.parent, node.name.clone());
            if let Some(parent) = parent {
                self.tree.unlink(parent, &name);
            }
            self.forget_if_closed(id);
        }
    }

    /// A number that no connection and no handle has.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Opens what is there.
    pub(super) fn open(
        &mut self,
        caller: &Caller,
        path: &str,
        access: u32,
        share: u32,
        kind: Kind,
    ) -> Answer<HandleId> {
        let found = self.tree.find(path)?;
        self.check_way(caller, found.parent)?;
        let id = found.node.ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
        let node = self.tree.get(id)?;
        if node.delete_pending {
            return Err(NtStatus::DELETE_PENDING);
        }
        match kind {
            Kind::File if node.is_folder() => return Err(NtStatus::FILE_IS_A_DIRECTORY),
            Kind::Folder if !node.is_folder() => return Err(NtStatus::NOT_A_DIRECTORY),
            _ => {}
        }
        let parent = &self.tree.get(found.parent)?.permissions;
        let server = self.server;
        node.permissions
            .require(access, Some(parent), &caller.login, server)?;
        if node.read_only && access & access::WRITE_DATA != 0 {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if self.is_shared_against(id, access, share) {
            return Err(NtStatus::SHARING_VIOLATION);
        }
        Ok(self.handle(caller, id, access, share))
    }

    /// Whether the POSIX permissions of every folder let a caller through to this one.
    fn check_way(&self, caller: &Caller, folder: NodeId) -> Answer<()> {
        let mut next = Some(folder);
        while let Some(at) = next {
            let node = self.tree.get(at)?;
            node.permissions
                .require_posix(access::EXECUTE, &caller.login, self.server)?;
            next = node.parent;
        }
        Ok(())
    }

    fn handle(&mut self, caller: &Caller, node: NodeId, access: u32, share: u32) -> HandleId {
        let id = self.number();
        self.handles.insert(
            id,
            Handle {
                node,
                connection: caller.connection,
                access,
                share,
                is_lost: false,
            },
        );
        id
    }

    /// Whether an open of the entry and a new one exclude each other [MS-FSA 2.1.5.1.2]. Opens for attributes and descriptors only
    /// never do.
    fn is_shared_against(&self, node: NodeId, access: u32, share: u32) -> bool {
        let needs = |access: u32| {
            let mut needs = 0;
            if access & (access::READ_DATA | access::EXECUTE) != 0 {
                needs |= sharing::READ;
            }
            if access & (access::WRITE_DATA | access::APPEND_DATA) != 0 {
                needs |= sharing::WRITE;
            }
            if access & access::DELETE != 0 {
                needs |= sharing::DELETE;
            }
            needs
        };
        let new = needs(access);
        self.handles
            .values()
            .filter(|handle| handle.node == node)
            .any(|handle| {
                let old = needs(handle.access);
                old != 0 && new != 0 && (new & !handle.share != 0 || old & !share != 0)
            })
    }

    /// Makes a file or folder and opens it. The creator has every access to it through this handle.
    pub(super) fn create(
        &mut self,
        caller: &Caller,
        path: &str,
        access: u32,
        is_folder: bool,
    ) -> Answer<HandleId> {
        let found = self.tree.find(path)?;
        self.check_way(caller, found.parent)?;
        if let Some(there) = found.node {
            return Err(if self.tree.get(there)?.is_folder() && !is_folder {
                NtStatus::FILE_IS_A_DIRECTORY
            } else {
                NtStatus::OBJECT_NAME_COLLISION
            });
        }
        let needed = if is_folder {
            access::APPEND_DATA
        } else {
            access::WRITE_DATA
        };
        let parent = &self.tree.get(found.parent)?.permissions;
        parent.require(needed, None, &caller.login, self.server)?;
        parent.require_posix(access::WRITE_DATA, &caller.login, self.server)?;
        let marks = !self.server.is_samba();
        let permissions = parent.inherited(&caller.login, is_folder, marks);
        let content = if is_folder {
            Content::Folder(BTreeMap::new())
        } else {
            Content::File(Bytes::new())
        };
        let node = self
            .tree
            .insert(found.parent, &found.name, content, permissions)?;
        Ok(self.handle(caller, node, access, sharing::ALL))
    }

    fn opened(&self, handle: HandleId) -> Answer<&Handle> {
        self.handles.get(&handle).ok_or(NtStatus::FILE_CLOSED)
    }

    /// The entry that a handle opened.
    pub(super) fn node_of(&self, handle: HandleId) -> Answer<NodeId> {
        Ok(self.opened(handle)?.node)
    }

    /// The bytes of a file.
    pub(super) fn read(&self, handle: HandleId) -> Answer<Bytes> {
        match &self.tree.get(self.node_of(handle)?)?.content {
            Content::File(content) => Ok(content.clone()),
            Content::Folder(_) | Content::Link => Err(NtStatus::INVALID_DEVICE_REQUEST),
        }
    }

    /// Writes all bytes of a file.
    pub(super) fn write(&mut self, handle: HandleId, content: Bytes) -> Answer<()> {
        let opened = self.opened(handle)?;
        if opened.access & access::WRITE_DATA == 0 {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let id = opened.node;
        self.check_capacity(self.tree.get(id)?.size(), &content)?;
        match &mut self.tree.get_mut(id)?.content {
            Content::File(old) => {
                *old = content;
                Ok(())
            }
            Content::Folder(_) | Content::Link => Err(NtStatus::INVALID_DEVICE_REQUEST),
        }
    }

    /// Sets a descriptor through a handle that was opened for it.
    pub(super) fn set_descriptor(
        &mut self,
        caller: &Caller,
        handle: HandleId,
        descriptor: &[u8],
    ) -> Answer<()> {
        let opened = self.opened(handle)?;
        if opened.access & access::WRITE_DAC == 0 {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let (id, server) = (opened.node, self.server);
        let node = self.tree.get_mut(id)?;
        node.permissions.set(descriptor, &caller.login, server)
    }

    /// Marks what a handle opened for deletion when the last handle is closed.
    pub(super) fn set_delete(&mut self, handle: HandleId) -> Answer<()> {
        let opened = self.opened(handle)?;
        if opened.access & access::DELETE == 0 {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let id = opened.node;
        let node = self.tree.get_mut(id)?;
        if node.read_only {
            return Err(NtStatus::CANNOT_DELETE);
        }
        if matches!(&node.content, Content::Folder(children) if !children.is_empty()) {
            return Err(NtStatus::DIRECTORY_NOT_EMPTY);
        }
        node.delete_pending = true;
        Ok(())
    }

    /// Renames what a handle opened for deletion.
    pub(super) fn rename(
        &mut self,
        caller: &Caller,
        handle: HandleId,
        to: &str,
        replace: bool,
    ) -> Answer<()> {
        let opened = self.opened(handle)?;
        if opened.access & access::DELETE == 0 {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let id = opened.node;
        let target = self.tree.find(to)?;
        // A folder does not go below itself.
        if self.tree.is_below(target.parent, id) {
            return Err(NtStatus::SHARING_VIOLATION);
        }
        self.check_way(caller, target.parent)?;
        if self.tree.get(id)?.is_folder() && self.is_open_below(id, caller, handle) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let parent = &self.tree.get(target.parent)?.permissions;
        let needed = if self.tree.get(id)?.is_folder() {
            access::APPEND_DATA
        } else {
            access::WRITE_DATA
        };
        parent.require(needed, None, &caller.login, self.server)?;
        for folder in [Some(target.parent), self.tree.get(id)?.parent]
            .into_iter()
            .flatten()
        {
            let permissions = &self.tree.get(folder)?.permissions;
            permissions.require_posix(access::WRITE_DATA, &caller.login, self.server)?;
        }
        let mut name = target.name;
        if let Some(other) = target.node.filter(|other| *other != id) {
            if !replace {
                return Err(NtStatus::OBJECT_NAME_COLLISION);
            }
            self.check_replace(caller, id, other)?;
            // The spelling of the name that was there stays.
            self.tree.get(other)?.name.clone_into(&mut name);
            self.tree.unlink(target.parent, &name);
            self.forget_if_closed(other);
        }
        if self.server.is_samba() {
            for handle in self.handles.values_mut() {
                handle.is_lost |= handle.node != id && self.tree.is_below(handle.node, id);
            }
        }
        self.tree.relink(id, target.parent, &name)
    }

    /// Whether an open below a folder keeps it from being renamed: any, or one of the same connection where others hold no name.
    fn is_open_below(&self, folder: NodeId, caller: &Caller, except: HandleId) -> bool {
        self.handles.iter().any(|(id, handle)| {
            *id != except
                && handle.node != folder
                && (self.server.holds_names() || handle.connection == caller.connection)
                && self.tree.is_below(handle.node, folder)
        })
    }

    /// Whether `id` may take the place of `other`.
    fn check_replace(&self, caller: &Caller, id: NodeId, other: NodeId) -> Answer<()> {
        let is_open = |handle: &Handle| {
            handle.node == other
                && (self.server.holds_names() || handle.connection == caller.connection)
        };
        if self.server.holds_names() && self.tree.get(other)?.delete_pending {
            return Err(NtStatus::DELETE_PENDING);
        }
        if self.handles.values().any(is_open) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let (node, there) = (self.tree.get(id)?, self.tree.get(other)?);
        if !self.server.is_samba() && (there.is_folder() || there.read_only) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        match (&node.content, &there.content) {
            (Content::Folder(_), Content::Folder(children)) if children.is_empty() => Ok(()),
            (Content::Folder(_), Content::Folder(_)) => Err(NtStatus::OBJECT_NAME_COLLISION),
            (Content::Folder(_), _) => Err(NtStatus::NOT_A_DIRECTORY),
            (_, Content::Folder(_)) => Err(NtStatus::FILE_IS_A_DIRECTORY),
            _ => Ok(()),
        }
    }

    /// Closes a handle. The last one deletes what is marked for it, by its name: on Samba, that is whatever has the name by then.
    pub(super) fn close(&mut self, handle: HandleId) {
        let Some(closed) = self.handles.remove(&handle) else {
            return;
        };
        let id = closed.node;
        // An open that is lost delays no deletion: seen on Samba 4.17, the only one that renames a folder above an open.
        let keeps = |other: &Handle| other.node == id && !other.is_lost;
        if self.handles.values().any(keeps) {
            return;
        }
        let Ok(node) = self.tree.get_mut(id) else {
            return;
        };
        if !node.delete_pending {
            self.forget_if_closed(id);
            return;
        }
        if matches!(&node.content, Content::Folder(children) if !children.is_empty()) {
            node.delete_pending = false;
            return;
        }
        // A file that was replaced after it was marked takes its successor with it: seen on Samba 4.17.
        let takes = node.parent.is_some() || self.server.is_samba();
        let (folder, name) = (node.parent.or(node.left), node.name.clone());
        if takes && let Some(taken) = folder.and_then(|folder| self.tree.unlink(folder, &name)) {
            self.forget_if_closed(taken);
        }
        self.forget_if_closed(id);
    }

    /// Forgets what is in no folder and not open.
    fn forget_if_closed(&mut self, id: NodeId) {
        let is_open = self.handles.values().any(|handle| handle.node == id);
        let is_linked = self.tree.get(id).is_ok_and(|node| node.parent.is_some());
        if !is_open && !is_linked {
            self.tree.forget(id);
        }
    }
}
