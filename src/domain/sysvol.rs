//! The port to SYSVOL: what a share of GPT folders can be asked for, and what can be done to it.
//!
//! Paths are computed from the domain and the GPO's GUID ([`SysvolPath`]); nothing read from a server names a share or a
//! host.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::safe_name::{RelPath, SafeName};
use crate::model::security_descriptor::FileEntries;

/// A path on the share `SYSVOL` of the DC of the session: `<domain>\Policies`, or `<domain>\Policies\{GUID}\…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysvolPath {
    domain: DomainName,
    below: Option<(Guid, RelPath)>,
}

impl SysvolPath {
    /// The folder that holds the folders of all GPOs.
    pub fn policies(domain: &DomainName) -> Self {
        Self {
            domain: domain.clone(),
            below: None,
        }
    }

    /// The folder of one GPO.
    pub fn gpo(domain: &DomainName, guid: Guid) -> Self {
        Self {
            domain: domain.clone(),
            below: Some((guid, RelPath::root())),
        }
    }

    /// A path below the folder of one GPO.
    pub fn in_gpo(domain: &DomainName, guid: Guid, path: &RelPath) -> Self {
        Self {
            domain: domain.clone(),
            below: Some((guid, path.clone())),
        }
    }

    /// The entry `name` of this folder. Below `Policies`, only the folder of a GPO is a path.
    pub fn join(&self, name: &SafeName) -> Option<Self> {
        let below = match &self.below {
            None => (name.as_str().parse().ok()?, RelPath::root()),
            Some((guid, path)) => (*guid, path.join(name.clone())),
        };
        Some(Self {
            domain: self.domain.clone(),
            below: Some(below),
        })
    }

    /// The folder of this entry; `None` for `Policies`.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (guid, path) = self.below.as_ref()?;
        Some(Self {
            domain: self.domain.clone(),
            below: path.parent().map(|path| (*guid, path)),
        })
    }

    /// The domain.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The path below the GPO's folder; `None` for `Policies`.
    pub fn rel(&self) -> Option<&RelPath> {
        self.below.as_ref().map(|(_, path)| path)
    }

    /// The path on the share, with this separator and without a leading one.
    pub fn on_share(&self, separator: &str) -> String {
        let mut parts = vec![self.domain.lower(), "Policies".to_owned()];
        if let Some((guid, path)) = &self.below {
            parts.push(guid.to_string());
            parts.extend(path.components().iter().map(ToString::to_string));
        }
        parts.join(separator)
    }
}

impl std::fmt::Display for SysvolPath {
    /// `\\domain\SYSVOL\domain\Policies\…`, as a person would type it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\\\\{}\\SYSVOL\\{}", self.domain, self.on_share("\\"))
    }
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name.
    pub name: SafeName,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// The size of a file in bytes; 0 for a folder.
    pub size: u64,
    /// The file attributes [MS-FSCC 2.6].
    pub attributes: u32,
}

/// FILE_ATTRIBUTE_DIRECTORY [MS-FSCC 2.6]
pub(crate) const DIRECTORY: u32 = 0x10;
/// FILE_ATTRIBUTE_REPARSE_POINT [MS-FSCC 2.6]
pub(crate) const REPARSE_POINT: u32 = 0x400;

impl DirEntry {
    fn new(name: SafeName, attributes: u32, size: u64) -> Self {
        let is_dir = attributes & DIRECTORY != 0;
        Self {
            name,
            is_dir,
            size: if is_dir { 0 } else { size },
            attributes,
        }
    }

    /// What is at this path, with its last component as the name.
    pub(crate) fn at(path: &SysvolPath, attributes: u32, size: u64) -> Option<Self> {
        let name = path
            .rel()
            .and_then(|rel| rel.name().cloned())
            .or_else(|| SafeName::new("Policies").ok());
        name.map(|name| Self::new(name, attributes, size))
    }
}

/// A listing: the entries, and what was refused (unsafe names, links, devices), each as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Plain files and folders, without `.` and `..`.
    pub entries: Vec<DirEntry>,
    /// What is there and cannot be taken, each as one sentence.
    pub refused: Vec<String>,
}

impl Listing {
    /// Takes an entry of a folder as a server lists it. `.` and `..` are left out; a link and an unsafe name are refused, with the
    /// reason.
    pub(crate) fn take(&mut self, name: &str, attributes: u32, size: u64) {
        if name == "." || name == ".." {
            return;
        }
        if attributes & REPARSE_POINT != 0 {
            self.refused.push(format!(
                "\"{}\" is a link, and links are not followed",
                name.escape_debug()
            ));
            return;
        }
        match SafeName::new(name) {
            Ok(name) => self.entries.push(DirEntry::new(name, attributes, size)),
            Err(reason) => self.refused.push(reason.to_string()),
        }
    }

    /// How many entries were listed, taken or not.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() + self.refused.len()
    }
}

/// The largest file that is read. What a policy holds is seldom larger than a few megabytes; software packages are.
pub const MAX_FILE: u64 = 512 << 20;
/// The most entries of one folder.
pub const MAX_LISTED: usize = 100_000;
/// A file of unknown size, and one that grew a little since it was listed, is read up to this size.
pub(crate) const SMALL_FILE: u64 = 64 << 10;

/// How many bytes a reading of a file may bring whose size was announced: a server that lies, or a file that grows, must not
/// take more memory than was set aside.
pub(crate) fn most_of(path: &SysvolPath, announced: u64) -> Result<u64> {
    if announced > MAX_FILE {
        return Err(Error::new(
            ErrorKind::BadDirectory,
            format!(
                "{path} has {announced} bytes, and files of more than {} MiB are not read",
                MAX_FILE >> 20
            ),
        )
        .with_hint("move it out of SYSVOL, and let the policy point to where it is"));
    }
    Ok(announced.max(SMALL_FILE))
}

/// The error of a file that is larger than was announced.
pub(crate) fn larger_than_said(path: &SysvolPath, size: u64, announced: u64) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("{path} has {size} bytes, more than the {announced} that were expected"),
    )
    .with_hint("the file is being written; try again")
}

/// The error of a folder with too many entries.
pub(crate) fn too_many(dir: &SysvolPath) -> Error {
    Error::new(
        ErrorKind::BadDirectory,
        format!("{dir} has more than {MAX_LISTED} entries"),
    )
}

/// What can be read. The errors: `NotFound` when the path does not exist, `Denied` when the account may not,
/// `Connect` when the connection is gone or a call ran into its time-out.
#[async_trait]
pub trait SysvolRead: Send + Sync {
    /// Lists a folder.
    async fn list(&self, dir: &SysvolPath) -> Result<Listing>;

    /// What is at this path; `None` when there is nothing.
    async fn stat(&self, path: &SysvolPath) -> Result<Option<DirEntry>>;

    /// Reads a whole file. `size` is what a listing said, used to ask for the right number of bytes at once. More than that,
    /// or than 64 KiB if that is more, never comes: an error of kind `Conflict` says that the file is larger. One that
    /// was announced with more than [`MAX_FILE`] is a `BadDirectory`.
    async fn read(&self, path: &SysvolPath, size: u64) -> Result<Bytes>;

    /// Owner, group and DACL, self-relative [MS-DTYP 2.4.6], byte for byte as the server sent them. An error of kind
    /// `Usage` on a back end that cannot read them faithfully.
    async fn security_descriptor(&self, path: &SysvolPath) -> Result<Vec<u8>>;

    /// The access this account has to what is there [MS-DTYP 2.4.3], as the server works it out from the descriptor. Nothing
    /// is opened for writing and nothing changes. `None` on a back end that cannot ask.
    async fn maximal_access(&self, path: &SysvolPath) -> Result<Option<u32>>;

    /// How many calls are worth having in flight at once.
    fn concurrency(&self) -> usize;

    /// Whether security descriptors can be read and written faithfully.
    fn has_exact_descriptors(&self) -> bool;

    /// Which entries this server stores in the DACL of a file, if [`Sysvol::probe_file_entries`] has found it out on this
    /// connection.
    fn file_entries(&self) -> Option<FileEntries> {
        None
    }
}

/// What can be written. Nothing here overwrites a file in place: new names are created, then renamed.
///
/// What a client has open may hold its name: then a rename, a swap or a deletion is an error of kind `InUse` and changes nothing,
/// even where the server answers as for a missing permission. Nothing here waits until it is closed.
#[async_trait]
pub trait Sysvol: SysvolRead {
    /// Makes a folder that must not exist, then sets each of these descriptors in turn (none: it inherits).
    async fn create_dir(&self, path: &SysvolPath, descriptors: &[Vec<u8>]) -> Result<()>;

    /// Makes a file that must not exist with these bytes, then sets each of these descriptors in turn (none: it inherits).
    async fn write_new(
        &self,
        path: &SysvolPath,
        content: Bytes,
        descriptors: &[Vec<u8>],
    ) -> Result<()>;

    /// Renames a file or folder. With `replace`, a file at the new name is replaced; without, that is an error of kind
    /// `Conflict`.
    async fn rename(&self, from: &SysvolPath, to: &SysvolPath, replace: bool) -> Result<()>;

    /// Renames `live` to `old` and `staged` to `live`, in one compound where the back end can; with `live` absent
    /// (`old` is `None`) only the second. When the second rename failed alone, the first is undone before the error
    /// comes back.
    async fn swap(
        &self,
        live: &SysvolPath,
        old: Option<&SysvolPath>,
        staged: &SysvolPath,
    ) -> Result<()>;

    /// Deletes a file. One that clients have open and share is gone when they close it.
    async fn remove_file(&self, path: &SysvolPath) -> Result<()>;

    /// Deletes an empty folder; `Conflict` when it is not empty, `InUse` when all that is left in it are deleted files that
    /// clients have open.
    async fn remove_dir(&self, path: &SysvolPath) -> Result<()>;

    /// Finds out which entries a Samba server stores in the DACL of a file, once per connection: an empty file is made in
    /// this folder, given a DACL without and one with an object entry, and deleted by closing it, in one compound. Nothing is
    /// found out where the account may not make files in the folder or may not set their DACL (this is not an error), and on a
    /// back end that cannot write descriptors.
    ///
    /// # Errors
    /// `Connect` when the connection is gone.
    async fn probe_file_entries(&self, _folder: &SysvolPath) -> Result<()> {
        Ok(())
    }

    /// Sets each of these descriptors in turn: owner, group and DACL as far as the account may. `Denied` when it may not.
    async fn set_security_descriptors(
        &self,
        path: &SysvolPath,
        descriptors: &[Vec<u8>],
    ) -> Result<()>;
}
