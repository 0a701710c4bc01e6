//! How a share is filled: by a builder, from folders on disk, and later as an administrator on the server would.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::permissions::{Permissions, SysvolLogin};
use super::share::Share;
use super::tree::{Content, NodeId, ROOT, Tree};
use super::{MemorySysvol, SysvolServer, exact, locked};
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Result};
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::safe_name::{RelPath, SafeName};
use crate::model::sddl::from_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;
use crate::sysvol::refusal::refused;

/// What `samba-tool domain provision` of Samba 4.17 gives the folders of the share.
const PROVISIONED: &str = "O:LAG:BAD:P(A;OICI;0x001f01ff;;;BA)(A;OICI;0x001200a9;;;SO)(A;OICI;0x001f01ff;;;SY)(A;OICI;0x001200a9;;;AU)(A;OICI;0x001301bf;;;PA)";

/// Fills a share before it is served. The first error comes back from [`SysvolBuilder::build`].
#[derive(Debug)]
pub struct SysvolBuilder {
    server: MemorySysvol,
    outcome: Result<()>,
}

impl SysvolBuilder {
    pub(super) fn new(domain: &DomainName, domain_sid: &Sid) -> Self {
        let provisioned = from_sddl(PROVISIONED, Some(domain_sid)).map_err(|cause| {
            Error::new(ErrorKind::Internal, "the descriptor of SYSVOL is invalid")
                .with_source(cause)
        });
        let (descriptor, mut outcome) = match provisioned {
            Ok(descriptor) => (descriptor, Ok(())),
            Err(error) => (SecurityDescriptor::new(), Err(error)),
        };
        let permissions = Permissions::new(descriptor);
        let mut tree = Tree::new(permissions.clone());
        let mut parent = ROOT;
        for name in [domain.lower().as_str(), "Policies"] {
            let folder = Content::Folder(BTreeMap::new());
            match tree.insert(parent, name, folder, permissions.clone()) {
                Ok(made) => parent = made,
                Err(status) => {
                    outcome = Err(refused(&SysvolPath::policies(domain), status));
                }
            }
        }
        Self {
            server: MemorySysvol {
                share: Arc::new(Mutex::new(Share::new(tree, SysvolServer::default()))),
                domain: domain.clone(),
                admin: SysvolLogin::administrator(domain_sid),
            },
            outcome,
        }
    }

    fn and(mut self, act: impl FnOnce(&MemorySysvol) -> Result<()>) -> Self {
        if self.outcome.is_ok() {
            self.outcome = act(&self.server);
        }
        self
    }

    fn at(&self, guid: Guid, path: &str) -> Result<SysvolPath> {
        let path: RelPath = path.parse().map_err(|cause| {
            Error::new(ErrorKind::Usage, "not a path below a GPO's folder").with_source(cause)
        })?;
        Ok(SysvolPath::in_gpo(&self.server.domain, guid, &path))
    }

    /// Which server it is; Samba 4.17 if it is not set.
    #[must_use]
    pub fn server(self, kind: SysvolServer) -> Self {
        self.and(|server| {
            locked(&server.share).server = kind;
            Ok(())
        })
    }

    /// A file of a GPO; the folders above it are made.
    #[must_use]
    pub fn file(self, guid: Guid, path: &str, content: impl Into<Bytes>) -> Self {
        let at = self.at(guid, path);
        self.and(|server| server.put_file(&at?, content))
    }

    /// A folder of a GPO; the folders above it are made. The empty path is the GPO's own folder.
    #[must_use]
    pub fn folder(self, guid: Guid, path: &str) -> Self {
        let at = self.at(guid, path);
        self.and(|server| server.put_folder(&at?))
    }

    /// The descriptor of a file or folder of a GPO.
    #[must_use]
    pub fn descriptor(self, guid: Guid, path: &str, descriptor: &SecurityDescriptor) -> Self {
        let at = self.at(guid, path);
        self.and(|server| server.put_descriptor(&at?, descriptor))
    }

    /// A GPO with the files and folders of a folder on disk, such as `DomainSysvol/GPO` of a backup.
    #[must_use]
    pub fn gpo_from_folder(self, guid: Guid, folder: &Path) -> Self {
        self.and(|server| {
            let gpo = SysvolPath::gpo(&server.domain, guid);
            server.put_from_folder(&gpo, folder)
        })
    }

    /// The GPOs of a copy of the folder `Policies`: every folder in it whose name is a GUID. Others are left out.
    #[must_use]
    pub fn policies_from_folder(self, folder: &Path) -> Self {
        self.and(|server| {
            for (name, path) in entries(folder)? {
                if let Ok(guid) = name.as_str().parse()
                    && path.is_dir()
                {
                    let gpo = SysvolPath::gpo(&server.domain, guid);
                    server.put_from_folder(&gpo, &path)?;
                }
            }
            Ok(())
        })
    }

    /// The share.
    ///
    /// # Errors
    /// The first of: `Usage` for a path that is unsafe; `Internal` for a folder on disk that cannot be read, `BadInput` for
    /// a name or a link in it; `Conflict` for a file where there is a folder, and the reverse.
    pub fn build(self) -> Result<MemorySysvol> {
        self.outcome.map(|()| self.server)
    }
}

/// The entries of a folder on disk.
fn entries(folder: &Path) -> Result<Vec<(SafeName, std::path::PathBuf)>> {
    let unread = |cause: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot read {}", folder.display()),
        )
        .with_source(cause)
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let path = entry.path();
        let name = entry.file_name();
        let name = SafeName::new(&name.to_string_lossy()).map_err(|cause| {
            Error::new(
                ErrorKind::BadInput,
                format!("{} cannot be on SYSVOL", path.display()),
            )
            .with_source(cause)
        })?;
        if entry.file_type().map_err(unread)?.is_symlink() {
            return Err(Error::new(
                ErrorKind::BadInput,
                format!("{} is a link, and links are not followed", path.display()),
            ));
        }
        found.push((name, path));
    }
    found.sort();
    Ok(found)
}

/// What an administrator does on the server itself, or with another program: no share mode is in the way and no right is
/// missing, and new entries inherit as from an administrator's client.
impl MemorySysvol {
    /// Writes a file, new or not; the folders above it are made.
    ///
    /// # Errors
    /// `Conflict` when there is a folder, or a file above it; `BadDirectory` when the disk is full.
    pub fn put_file(&self, path: &SysvolPath, content: impl Into<Bytes>) -> Result<()> {
        let content = Content::File(content.into());
        self.put(path, content).map(drop)
    }

    /// Makes a folder, and those above it, if it is not there.
    ///
    /// # Errors
    /// `Conflict` when there is a file, or one above it.
    pub fn put_folder(&self, path: &SysvolPath) -> Result<()> {
        self.put(path, Content::Folder(BTreeMap::new())).map(drop)
    }

    /// Puts a link where there is nothing. Clients refuse links.
    ///
    /// # Errors
    /// `Conflict` when something is there.
    pub fn put_link(&self, path: &SysvolPath) -> Result<()> {
        self.put(path, Content::Link).map(drop)
    }

    /// Puts a file into a folder whose name is not safe, as a server might list it. Clients refuse it.
    ///
    /// # Errors
    /// `NotFound` when the folder does not exist.
    pub fn put_unsafe_name(&self, folder: &SysvolPath, name: &str) -> Result<()> {
        let mut share = locked(&self.share);
        let at = exact::on_share(folder);
        let put = share.existing(&at).and_then(|id| {
            let permissions = share.tree.inherited(id, &self.admin, false, false)?;
            let content = Content::File(Bytes::new());
            share.tree.insert(id, name, content, permissions).map(drop)
        });
        put.map_err(|status| refused(folder, status))
    }

    /// Sets the descriptor of a file or folder as if it had always been there.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn put_descriptor(&self, path: &SysvolPath, descriptor: &SecurityDescriptor) -> Result<()> {
        let permissions = Permissions::new(descriptor.clone());
        self.change(path, |node| node.permissions = permissions)
    }

    /// Makes a file read-only, or no longer.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_read_only(&self, path: &SysvolPath, is_read_only: bool) -> Result<()> {
        self.change(path, |node| node.read_only = is_read_only)
    }

    /// Lists a file with another size than it has, as a server lists one that is being written; `None` lists its own.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn list_with_size(&self, path: &SysvolPath, size: Option<u64>) -> Result<()> {
        self.change(path, |node| node.listed_size = size)
    }

    /// Deletes a file, or a folder with all that is in it. Programs that have something of it open keep it until they close it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn delete(&self, path: &SysvolPath) -> Result<()> {
        let mut share = locked(&self.share);
        let id = share.existing(&exact::on_share(path));
        let id = id.map_err(|status| refused(path, status))?;
        share.delete_now(id);
        Ok(())
    }

    fn change(&self, path: &SysvolPath, change: impl FnOnce(&mut super::tree::Node)) -> Result<()> {
        let mut share = locked(&self.share);
        let node = share
            .existing(&exact::on_share(path))
            .and_then(|id| share.tree.get_mut(id));
        node.map(change).map_err(|status| refused(path, status))
    }

    fn put(&self, path: &SysvolPath, content: Content) -> Result<NodeId> {
        let put = locked(&self.share).put(&exact::on_share(path), content, &self.admin);
        put.map_err(|status| refused(path, status))
    }

    fn put_from_folder(&self, to: &SysvolPath, folder: &Path) -> Result<()> {
        self.put_folder(to)?;
        for (name, path) in entries(folder)? {
            let Some(below) = to.join(&name) else {
                continue;
            };
            if path.is_dir() {
                self.put_from_folder(&below, &path)?;
            } else {
                let content = fs::read(&path).map_err(|cause| {
                    Error::new(
                        ErrorKind::Internal,
                        format!("cannot read {}", path.display()),
                    )
                    .with_source(cause)
                })?;
                self.put_file(&below, content)?;
            }
        }
        Ok(())
    }
}
