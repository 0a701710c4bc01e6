//! SYSVOL in memory: the share of one domain controller, with clients that implement the port [`crate::domain::sysvol`] as
//! the real ones do.
//!
//! What it does was first seen on Samba 4.17, 4.22 and 4.25, and the conformance suite of this crate runs against it and against
//! these. [`SysvolBuilder::server`] selects one of them. It has names that differ only by case, share modes, deletions that wait
//! for the last handle, descriptors that a new entry inherits, the POSIX permissions behind them, a limit on its size, and two
//! kinds of clients: one as smb2, one as libsmbclient.
//!
//! ```
//! use gpoctl::testing::sysvol::{MemorySysvol, SysvolPath};
//!
//! # fn main() -> gpoctl::Result<()> {
//! let domain = "corp.example".parse().unwrap();
//! let sid = "S-1-5-21-1-2-3".parse().unwrap();
//! let guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
//! let server = MemorySysvol::builder(&domain, &sid)
//!     .file(guid, "GPT.INI", "[General]\r\nVersion=0\r\n")
//!     .folder(guid, "Machine")
//!     .build()?;
//! let before = server.snapshot();
//! let path = SysvolPath::in_gpo(&domain, guid, &r"machine\Registry.pol".parse().unwrap());
//! server.put_file(&path, "PReg")?;
//! assert_eq!(server.snapshot().differences_from(&before).len(), 1);
//! server.delete(&path)?;
//! assert_eq!(server.snapshot(), before);
//! # Ok(())
//! # }
//! ```

mod approximate;
mod client;
mod exact;
mod fill;
mod permissions;
mod share;
mod snapshot;
#[cfg(test)]
mod tests;
mod tree;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use self::client::{MemorySysvolClient, SysvolClientKind};
pub use self::fill::SysvolBuilder;
pub use self::permissions::SysvolLogin;
pub use self::snapshot::{SysvolEntry, SysvolSnapshot};
pub use crate::domain::sysvol::SysvolPath;

use self::permissions::access;
use self::share::{Caller, HandleId, Kind, Share, sharing};
use crate::error::Result;
use crate::model::domain_name::DomainName;
use crate::model::sid::Sid;
use crate::sysvol::refusal::refused;

/// Which server this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SysvolServer {
    /// Samba 4.17: object entries are stored, and leave the POSIX permissions as they were. What a client has open holds no name:
    /// a folder with an open file below it can be renamed, and an open file be replaced.
    #[default]
    Samba,
    /// Samba 4.22: as 4.17, but what a client has open holds its name and those of the folders above it. Access is denied to a
    /// rename of such a folder and to the replacement of such a file.
    SambaHoldingNames,
    /// Samba 4.25: as 4.22, and a descriptor is refused that has an object entry, or one that denies after one that allows.
    SambaWithoutObjectAces,
    /// Windows, as specified: [MS-FSA], [MS-DTYP 2.5.3.4]. What is open holds names [MS-FSA 2.1.5.15.11]. No such server was at
    /// hand to compare with.
    Windows,
}

impl SysvolServer {
    fn is_samba(self) -> bool {
        self != Self::Windows
    }

    /// Whether what a client has open holds its name against other clients.
    fn holds_names(self) -> bool {
        self != Self::Samba
    }
}

/// SYSVOL of one domain controller. All clones are the same server.
#[derive(Debug, Clone)]
pub struct MemorySysvol {
    share: Arc<Mutex<Share>>,
    domain: DomainName,
    /// The administrator who prepares a test; checked for nothing on any server.
    admin: SysvolLogin,
}

/// What another program opens a file or folder for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenFor {
    /// To read a file, or list a folder.
    Reading,
    /// To write a file.
    Writing,
    /// To delete it when this and every other handle is closed.
    Deleting,
}

/// What another program lets others do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SharedFor {
    /// To read, write, rename and delete.
    Everything,
    /// To read and write.
    ReadingAndWriting,
    /// To read.
    Reading,
    /// Nothing.
    Nothing,
}

/// A file or folder that another program has open, until this is dropped.
#[derive(Debug)]
pub struct OpenFile {
    share: Arc<Mutex<Share>>,
    handle: HandleId,
    path: SysvolPath,
}

impl OpenFile {
    /// The bytes of the file that was opened, whatever has its name by now.
    ///
    /// # Errors
    /// `BadDirectory` for a folder.
    pub fn read(&self) -> Result<Bytes> {
        let read = locked(&self.share).read(self.handle);
        read.map_err(|status| refused(&self.path, status))
    }

    /// Writes all bytes of the file that was opened.
    ///
    /// # Errors
    /// `Denied` when it was not opened for writing; `BadDirectory` when the disk is full.
    pub fn write(&self, content: impl Into<Bytes>) -> Result<()> {
        let written = locked(&self.share).write(self.handle, content.into());
        written.map_err(|status| refused(&self.path, status))
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        locked(&self.share).close(self.handle);
    }
}

fn locked(share: &Mutex<Share>) -> MutexGuard<'_, Share> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemorySysvol {
    /// A share with an empty folder `Policies`, whose descriptor is that of a new Samba domain, to be filled.
    pub fn builder(domain: &DomainName, domain_sid: &Sid) -> SysvolBuilder {
        SysvolBuilder::new(domain, domain_sid)
    }

    /// The domain.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// A client as the one on smb2: exact descriptors, a swap in one request.
    #[doc(hidden)]
    pub fn connect(&self, login: SysvolLogin) -> MemorySysvolClient {
        self.connect_as(login, SysvolClientKind::Smb2)
    }

    /// A client of this kind.
    #[doc(hidden)]
    pub fn connect_as(&self, login: SysvolLogin, kind: SysvolClientKind) -> MemorySysvolClient {
        MemorySysvolClient::new(Arc::clone(&self.share), self.caller(login), kind)
    }

    fn caller(&self, login: SysvolLogin) -> Caller {
        let connection = locked(&self.share).number();
        Caller { connection, login }
    }

    /// Opens a file or folder as another program, which the administrator runs on a connection of its own.
    ///
    /// # Errors
    /// As the client on smb2.
    pub fn open(&self, path: &SysvolPath, purpose: OpenFor, shared: SharedFor) -> Result<OpenFile> {
        let access = match purpose {
            OpenFor::Reading => access::READ_DATA,
            OpenFor::Writing => access::READ_DATA | access::WRITE_DATA,
            OpenFor::Deleting => access::READ_DATA | access::DELETE,
        };
        let share_access = match shared {
            SharedFor::Everything => sharing::ALL,
            SharedFor::ReadingAndWriting => sharing::READ | sharing::WRITE,
            SharedFor::Reading => sharing::READ,
            SharedFor::Nothing => 0,
        };
        let caller = self.caller(self.admin.clone());
        let mut share = locked(&self.share);
        let name = exact::on_share(path);
        let handle = share
            .open(&caller, &name, access, share_access, Kind::Any)
            .map_err(|status| refused(path, status))?;
        if purpose == OpenFor::Deleting
            && let Err(status) = share.set_delete(handle)
        {
            share.close(handle);
            return Err(refused(path, status));
        }
        Ok(OpenFile {
            share: Arc::clone(&self.share),
            handle,
            path: path.clone(),
        })
    }

    /// Which server it is.
    pub fn server(&self) -> SysvolServer {
        locked(&self.share).server
    }

    /// Turns it into another server with the same entries, as an upgrade does. See [`SysvolBuilder::server`].
    pub fn set_server(&self, kind: SysvolServer) {
        locked(&self.share).server = kind;
    }

    /// Limits the bytes of all files together; `None` is no limit. More is STATUS_DISK_FULL.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        locked(&self.share).capacity = bytes;
    }

    /// Somebody else writes this file, and makes the folders above it, as soon as a swap has renamed its entry of the GPO's folder away,
    /// and not renamed the new one yet. Once.
    pub fn write_between_renames(&self, path: &SysvolPath, content: impl Into<Bytes>) {
        let mut share = locked(&self.share);
        share
            .between_renames
            .insert(exact::on_share(path), content.into());
    }

    /// A server of its own with the same files, folders and descriptors, where nothing is open.
    #[must_use]
    pub fn copy(&self) -> Self {
        let share = locked(&self.share).copy();
        Self {
            share: Arc::new(Mutex::new(share)),
            ..self.clone()
        }
    }

    /// All files, folders and descriptors below `Policies`.
    pub fn snapshot(&self) -> SysvolSnapshot {
        snapshot::take(&locked(&self.share), &self.domain)
    }
}
