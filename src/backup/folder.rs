//! A folder that is opened once, and whose contents are read and written from it one component at a time, never through a link.
//!
//! All files of gpoctl on the local disk are written here. A user who may rename entries of a folder can replace
//! anything in it with a link at any moment, so a path is resolved once; from then on only names below an open folder count.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RawMode};
use rustix::io::Errno;

use crate::model::guid::Guid;
use crate::model::safe_name::SafeName;

/// The most entries of one folder that are read.
const MAX_NAMES: usize = 100_000;

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;
/// The deepest folder that is synced or removed with what is in it.
const MAX_DEPTH: usize = 128;
/// The mode of new files that hold what a policy holds.
pub(crate) const PRIVATE_FILE: RawMode = 0o600;
/// The mode of new files that anybody may read; the umask takes its part away.
pub(crate) const SHARED_FILE: RawMode = 0o666;

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    /// Where it is, for messages only.
    pub(crate) path: PathBuf,
}

/// What a folder is, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(i128, i128);

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    /// A symbolic link, a device, a pipe or a socket.
    Other,
}

impl Folder {
    /// Opens a folder that the caller named. Links in this path are the caller's own and are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            fd: rustix::fs::open(path, flags, Mode::empty())?,
            path: path.to_owned(),
        })
    }

    /// Opens a folder that the caller named, to write to it. Links in this path are followed when they belong to the caller or root:
    /// the owner of any other link would choose where the files are written.
    ///
    /// # Errors
    /// Also when a link in the path belongs to another user.
    pub(crate) fn open_to_write(path: &Path) -> io::Result<Self> {
        Ok(Self {
            fd: own_links_only(path)?,
            path: path.to_owned(),
        })
    }

    /// Opens the folder of a file that the caller named, to write to it, and returns the name of the file.
    pub(crate) fn of_file(path: &Path) -> io::Result<(Self, &OsStr)> {
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::other("it is not the name of a file"))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok((Self::open_to_write(parent)?, name))
    }

    /// As [`Folder::of_file`], for a file that may be named by links: follows those that belong to the caller or root, and returns the
    /// name of what the last of them leads to.
    ///
    /// # Errors
    /// Also when a link, or one in the path, belongs to another user.
    pub(crate) fn of_linked_file(path: &Path) -> io::Result<(Self, OsString)> {
        let mut path = path.to_owned();
        for _ in 0..=MAX_LINKS {
            let (folder, name) = Self::of_file(&path)?;
            let Some(target) = folder.own_link(name)? else {
                return Ok((folder, name.to_owned()));
            };
            path = folder.path.join(target);
        }
        Err(Errno::LOOP.into())
    }

    /// Where an entry of this folder leads when it is a link; `None` when it is something else.
    ///
    /// # Errors
    /// Also when the link belongs to another user.
    fn own_link(&self, name: &OsStr) -> io::Result<Option<PathBuf>> {
        let stat = rustix::fs::statat(&self.fd, checked(name)?, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(None);
        }
        refuse_foreign_link(&stat, name)?;
        let target = rustix::fs::readlinkat(&self.fd, name, Vec::new())?;
        Ok(Some(OsStr::from_bytes(target.as_bytes()).into()))
    }

    /// Opens a folder that the caller named, and makes it and those above it when they are missing, for the owner alone.
    pub(crate) fn open_or_make(path: &Path) -> io::Result<Self> {
        match Self::open_to_write(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        // The part that is there may go through links of the caller's; what is made below it does not.
        let mut missing = vec![path];
        let mut there = loop {
            let above = missing.last().and_then(|path| path.parent());
            let above = match above {
                Some(above) if !above.as_os_str().is_empty() => above,
                Some(_) => break Self::open_to_write(Path::new("."))?,
                None => return Err(io::ErrorKind::NotFound.into()),
            };
            match Self::open_to_write(above) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(above),
                opened => break opened?,
            }
        };
        for path in missing.into_iter().rev() {
            match path.components().next_back() {
                Some(Component::Normal(name)) => {
                    match there.make_folder(name) {
                        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                            return Err(error);
                        }
                        _ => {}
                    }
                    let below = there.folder(name)?;
                    there.sync()?;
                    there = below;
                }
                _ => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        there.path = path.to_owned();
        Ok(there)
    }

    /// Opens a folder in this one; fails on a link.
    pub(crate) fn folder(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let name = name.as_ref();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self {
            fd: rustix::fs::openat(&self.fd, checked(name)?, flags, Mode::empty())?,
            path: self.path.join(name),
        })
    }

    /// Opens the folder of this name when it is still the one that was meant.
    pub(crate) fn same_folder(&self, name: &str, meant: Identity) -> io::Result<Self> {
        let folder = self.folder(name)?;
        if folder.identity()? == meant {
            Ok(folder)
        } else {
            Err(replaced(name))
        }
    }

    /// What this folder is.
    pub(crate) fn identity(&self) -> io::Result<Identity> {
        let stat = rustix::fs::fstat(&self.fd)?;
        Ok(identity(&stat))
    }

    /// Whether only the user of this process, or root, may add, rename and remove entries.
    pub(crate) fn is_own(&self) -> io::Result<bool> {
        let stat = rustix::fs::fstat(&self.fd)?;
        let own = stat.st_uid == rustix::process::geteuid().as_raw() || stat.st_uid == 0;
        let written_by_others =
            Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
        Ok(own && !written_by_others)
    }

    /// Makes a folder in this one, for the owner alone; fails when there is anything of this name.
    pub(crate) fn make_folder(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        let mode = Mode::RWXU;
        Ok(rustix::fs::mkdirat(
            &self.fd,
            checked(name.as_ref())?,
            mode,
        )?)
    }

    /// Makes a folder in this one that anybody may list; the umask takes its part away. Fails when there is anything of this name.
    pub(crate) fn make_shared_folder(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        let mode = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        Ok(rustix::fs::mkdirat(
            &self.fd,
            checked(name.as_ref())?,
            mode,
        )?)
    }

    /// Makes a folder in this one, and opens it.
    pub(crate) fn make_and_open(&self, name: &str) -> io::Result<Self> {
        self.make_folder(name)?;
        self.folder(name)
    }

    /// Opens the folder, some levels below this one, that a path ends in, and gives the name of the last component.
    pub(crate) fn below<'p>(&self, path: &'p [SafeName]) -> io::Result<(Self, &'p str)> {
        let (name, folders) = path
            .split_last()
            .ok_or_else(|| io::Error::other("it is not the name of an entry"))?;
        let here = Self {
            fd: self.fd.try_clone()?,
            path: self.path.clone(),
        };
        let folder = folders
            .iter()
            .try_fold(here, |folder, name| folder.folder(name.as_str()))?;
        Ok((folder, name.as_str()))
    }

    /// Makes a folder under a new name that begins with `prefix`, for the owner alone, and gives its name. Fails when
    /// somebody else puts something in its place meanwhile.
    pub(crate) fn make_staging(&self, prefix: &str) -> io::Result<(String, Self)> {
        let name = format!("{prefix}{}", Guid::new_random().bare());
        self.make_folder(&name)?;
        let folder = self.folder(&name)?;
        if rustix::fs::fstat(&folder.fd)?.st_uid == rustix::process::geteuid().as_raw() {
            Ok((name, folder))
        } else {
            Err(replaced(&name))
        }
    }

    /// Makes a file; fails when there is anything of this name, a link too.
    pub(crate) fn create(&self, name: impl AsRef<OsStr>, mode: RawMode) -> io::Result<File> {
        let flags = OFlags::WRONLY
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let file = rustix::fs::openat(&self.fd, checked(name.as_ref())?, flags, mode)?;
        Ok(File::from(file))
    }

    /// Makes a file with this content; fails when there is anything of this name. Not synced.
    pub(crate) fn write_new(
        &self,
        name: impl AsRef<OsStr>,
        bytes: &[u8],
        mode: RawMode,
    ) -> io::Result<()> {
        self.create(name, mode)?.write_all(bytes)
    }

    /// As [`Folder::write_new`], and synced.
    pub(crate) fn write_synced(
        &self,
        name: impl AsRef<OsStr>,
        bytes: &[u8],
        mode: RawMode,
    ) -> io::Result<()> {
        let mut file = self.create(name, mode)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Puts a file with this content in the place of what has this name, a link itself too: a reader sees the old
    /// content or the new one, whole. Synced, with the folder.
    pub(crate) fn replace(
        &self,
        name: impl AsRef<OsStr>,
        bytes: &[u8],
        mode: RawMode,
    ) -> io::Result<()> {
        self.place(bytes, mode, |staged, _| {
            self.rename(staged, self, name.as_ref())
        })
    }

    /// As [`Folder::replace`], with exactly this mode, whatever the umask is.
    pub(crate) fn replace_with_mode(
        &self,
        name: impl AsRef<OsStr>,
        bytes: &[u8],
        mode: RawMode,
    ) -> io::Result<()> {
        self.place(bytes, PRIVATE_FILE, |staged, file| {
            rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
            self.rename(staged, self, name.as_ref())
        })
    }

    /// As [`Folder::replace`]; fails with `AlreadyExists` when there is anything of this name.
    pub(crate) fn add(
        &self,
        name: impl AsRef<OsStr>,
        bytes: &[u8],
        mode: RawMode,
    ) -> io::Result<()> {
        self.place(bytes, mode, |staged, _| {
            // A second name for the file, unlike a rename, is never put in the place of another.
            let name = checked(name.as_ref())?;
            rustix::fs::linkat(&self.fd, staged, &self.fd, name, AtFlags::empty())?;
            self.remove_file(staged)
        })
    }

    /// Writes a file under another name, gives it to `put`, and removes it when that fails.
    fn place(
        &self,
        bytes: &[u8],
        mode: RawMode,
        put: impl FnOnce(&OsStr, &File) -> io::Result<()>,
    ) -> io::Result<()> {
        let staged = format!("{}{}", super::STAGING_PREFIX, Guid::new_random().bare());
        let staged = OsStr::new(&staged);
        let mut file = self.create(staged, mode)?;
        let placed = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| put(staged, &file));
        if placed.is_err() {
            let _ = self.remove_file(staged);
        }
        placed.and_then(|()| self.sync())
    }

    /// Renames an entry of this folder to one of another, which it replaces when it may.
    pub(crate) fn rename(
        &self,
        from: impl AsRef<OsStr>,
        folder: &Self,
        to: impl AsRef<OsStr>,
    ) -> io::Result<()> {
        let (from, to) = (checked(from.as_ref())?, checked(to.as_ref())?);
        Ok(rustix::fs::renameat(&self.fd, from, &folder.fd, to)?)
    }

    /// Renames a folder in this one, and makes sure that it is the one that was meant which has the new name now.
    pub(crate) fn rename_folder(&self, from: &str, to: &str, meant: Identity) -> io::Result<()> {
        self.rename(from, self, to)?;
        self.same_folder(to, meant).map(drop)
    }

    /// Removes a file or a link.
    pub(crate) fn remove_file(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        let name = checked(name.as_ref())?;
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    /// Removes a folder with all below it; links are removed, and not followed. Nothing happens when it is not the one that was
    /// meant.
    pub(crate) fn remove_folder(&self, name: &str, meant: Identity) -> io::Result<()> {
        self.same_folder(name, meant)?.remove_contents(0)?;
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    fn remove_contents(&self, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::other("folders are nested too deep"));
        }
        for (name, kind) in self.raw_entries()? {
            if kind == Kind::Folder {
                self.folder(&name)?.remove_contents(depth + 1)?;
                rustix::fs::unlinkat(&self.fd, &name, AtFlags::REMOVEDIR)?;
            } else {
                self.remove_file(&name)?;
            }
        }
        Ok(())
    }

    /// Brings the entries of this folder to the disk; not the content of its files.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    /// Brings all below this folder to the disk, children before their folders.
    pub(crate) fn sync_tree(&self) -> io::Result<()> {
        self.sync_below(0)
    }

    fn sync_below(&self, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::other("folders are nested too deep"));
        }
        for (name, kind) in self.raw_entries()? {
            match kind {
                Kind::Folder => self.folder(&name)?.sync_below(depth + 1)?,
                Kind::File => self.open_file(&name)?.sync_all()?,
                Kind::Other => {}
            }
        }
        self.sync()
    }

    /// Syncs the file system that holds this folder; `false` where that cannot be done.
    #[cfg(target_os = "linux")]
    pub(crate) fn sync_file_system(&self) -> io::Result<bool> {
        rustix::fs::syncfs(&self.fd)?;
        Ok(true)
    }

    /// Syncs the file system that holds this folder; `false` where that cannot be done.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn sync_file_system(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// The permissions of a file in this folder; fails on a link.
    pub(crate) fn mode_of(&self, name: impl AsRef<OsStr>) -> io::Result<RawMode> {
        let stat = rustix::fs::fstat(self.open_file(name.as_ref())?)?;
        Ok(Mode::from_raw_mode(stat.st_mode).as_raw_mode())
    }

    fn open_file(&self, name: &OsStr) -> io::Result<File> {
        // Opening a pipe without this would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.fd, checked(name)?, flags, Mode::empty())?;
        Ok(File::from(file))
    }

    /// Reads a file in this folder; fails on a link, on anything that is not a plain file, and beyond `limit` bytes.
    pub(crate) fn read(&self, name: impl AsRef<OsStr>, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = plain_bytes(self.open_file(name.as_ref())?, limit)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
            Ok(bytes)
        } else {
            Err(io::Error::other(format!("it is larger than {limit} bytes")))
        }
    }

    /// Opens a file of this folder for a lock, and makes it when it is not there; fails on a link.
    pub(crate) fn lock_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(&self.fd, checked(name.as_ref())?, flags, mode)?;
        Ok(File::from(file))
    }

    /// The entries, sorted by name; a name that is not UTF-8 is an error with its readable form.
    pub(crate) fn entries(&self) -> io::Result<Vec<(Result<String, String>, Kind)>> {
        let mut found: Vec<_> = self
            .raw_entries()?
            .into_iter()
            .map(|(name, kind)| {
                let name = name
                    .into_string()
                    .map_err(|name| name.to_string_lossy().into_owned());
                (name, kind)
            })
            .collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    fn raw_entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let bytes = entry.file_name().to_bytes();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            if found.len() >= MAX_NAMES {
                return Err(io::Error::other(format!(
                    "it has more than {MAX_NAMES} entries"
                )));
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let stat =
                        rustix::fs::statat(&self.fd, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                known => known,
            };
            let kind = match kind {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Folder,
                _ => Kind::Other,
            };
            found.push((OsStr::from_bytes(bytes).to_owned(), kind));
        }
        Ok(found)
    }

    /// The name of an entry as it is spelled here, looked up without regard to case; the exact spelling wins.
    pub(crate) fn find(&self, name: &str) -> io::Result<Option<(String, Kind)>> {
        let folded = name.to_lowercase();
        let mut found: Vec<(String, Kind)> = self
            .entries()?
            .into_iter()
            .filter_map(|(entry, kind)| Some((entry.ok()?, kind)))
            .filter(|(entry, _)| entry.to_lowercase() == folded)
            .collect();
        found.sort_by_key(|(entry, _)| entry != name);
        Ok(found.into_iter().next())
    }
}

/// Opens a folder component by component, and follows only links that belong to the user of this process or root.
#[cfg(target_os = "linux")]
fn own_links_only(path: &Path) -> io::Result<OwnedFd> {
    let to_search = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let begin = |path: &Path| {
        let begin = if path.is_absolute() { "/" } else { "." };
        rustix::fs::open(begin, to_search, Mode::empty())
    };
    // The next component last.
    let components = |path: &Path| -> Vec<OsString> {
        let names = path.components().rev().filter_map(|one| match one {
            Component::Normal(_) | Component::ParentDir => Some(one.as_os_str().to_owned()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        });
        names.collect()
    };
    let mut here = begin(path)?;
    let mut waiting = components(path);
    let mut links = 0;
    while let Some(name) = waiting.pop() {
        match rustix::fs::openat(&here, &name, to_search, Mode::empty()) {
            Ok(below) => here = below,
            Err(error @ (Errno::NOTDIR | Errno::LOOP)) => {
                let itself = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let link = rustix::fs::openat(&here, &name, itself, Mode::empty())?;
                let stat = rustix::fs::fstat(&link)?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink || links == MAX_LINKS
                {
                    return Err(error.into());
                }
                refuse_foreign_link(&stat, &name)?;
                links += 1;
                let target = rustix::fs::readlinkat(&link, "", Vec::new())?;
                let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                if target.is_absolute() {
                    here = begin(target)?;
                }
                waiting.extend(components(target));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let to_list = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(&here, ".", to_list, Mode::empty())?)
}

/// Refuses a link that belongs to neither the user of this process nor root.
fn refuse_foreign_link(link: &rustix::fs::Stat, name: &OsStr) -> io::Result<()> {
    if link.st_uid == 0 || link.st_uid == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "the link {} in the path belongs to another user",
            name.display()
        ),
    ))
}

/// Opens a folder; whose the links in its path are is not known here.
#[cfg(not(target_os = "linux"))]
fn own_links_only(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Reads a file that the caller named, through links; fails on anything that is not a plain file, a named pipe too. Of a file that is
/// larger than `limit` it reads one byte more than that.
pub(crate) fn read_named(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    plain_bytes(file.into(), u64::try_from(limit).unwrap_or(u64::MAX))
}

/// The bytes of a plain file, and at most one more than `limit`.
fn plain_bytes(file: File, limit: u64) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a path that was named in place of a folder is a ZIP archive.
pub(super) fn is_zip(path: &Path) -> bool {
    let mut begin = [0; 4];
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .is_ok_and(|file| File::from(file).read_exact(&mut begin).is_ok())
        && begin == *b"PK\x03\x04"
}

fn identity(stat: &rustix::fs::Stat) -> Identity {
    Identity(i128::from(stat.st_dev), i128::from(stat.st_ino))
}

fn replaced(name: &str) -> io::Error {
    io::Error::other(format!(
        "another user or program replaced {name} in the folder meanwhile"
    ))
}

/// A name that is one component and nothing else.
fn checked(name: &OsStr) -> io::Result<&OsStr> {
    let bytes = name.as_bytes();
    if matches!(bytes, b"" | b"." | b"..") || bytes.contains(&b'/') || bytes.contains(&0) {
        return Err(io::Error::other("it is not the name of an entry"));
    }
    Ok(name)
}
