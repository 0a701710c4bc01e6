//! A folder that is opened once, and whose contents are read and written from it one component at a time, never through a link.
//!
//! All files of gpoctl on the local disk are written here. A user who may rename entries of a folder can replace
//! anything in it with a link at any moment, so a path is resolved once; from then on only names below an open folder count.

mod beneath;
mod named;
mod write;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RawMode};

use beneath::open_in;
pub(super) use named::is_zip;
pub(crate) use named::read_named;

use crate::model::safe_name::SafeName;

/// The most entries of one folder that are read.
const MAX_NAMES: usize = 100_000;

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
    /// Opens a folder in this one; fails on a link.
    pub(crate) fn folder(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let name = name.as_ref();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        Ok(Self {
            fd: open_in(&self.fd, name, flags, Mode::empty())?,
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
        Ok(is_own(&rustix::fs::fstat(&self.fd)?))
    }

    /// The first entry, at any depth, that another user than the caller or root owns or may write: its content may be theirs.
    pub(crate) fn foreign_entry(&self) -> io::Result<Option<PathBuf>> {
        self.foreign_entry_below(0)
    }

    fn foreign_entry_below(&self, depth: usize) -> io::Result<Option<PathBuf>> {
        if depth > MAX_DEPTH {
            return Err(io::Error::other("folders are nested too deep"));
        }
        if !self.is_own()? {
            return Ok(Some(self.path.clone()));
        }
        for (name, kind) in self.raw_entries()? {
            let stat = rustix::fs::statat(&self.fd, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            let found = match kind {
                Kind::Folder => self.folder(&name)?.foreign_entry_below(depth + 1)?,
                Kind::File | Kind::Other if is_own(&stat) => None,
                Kind::File | Kind::Other => Some(self.path.join(&name)),
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
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

    /// The permissions of a file in this folder; fails on a link.
    pub(crate) fn mode_of(&self, name: impl AsRef<OsStr>) -> io::Result<RawMode> {
        let stat = rustix::fs::fstat(self.open_file(name.as_ref())?)?;
        Ok(Mode::from_raw_mode(stat.st_mode).as_raw_mode())
    }

    /// Owner and permissions of this folder.
    pub(crate) fn metadata(&self) -> io::Result<std::fs::Metadata> {
        File::from(self.fd.try_clone()?).metadata()
    }

    /// Opens a plain file in this folder to read it; fails on a link and on anything else.
    pub(crate) fn plain_file(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        refuse_other_kinds(self.open_file(name.as_ref())?)
    }

    /// Opens a plain file in this folder to write at its end; fails on a link and when there is none.
    pub(crate) fn append_to(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        // Opening a pipe without this would wait for its reader.
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK;
        let file = open_in(&self.fd, name.as_ref(), flags, Mode::empty())?;
        refuse_other_kinds(File::from(file))
    }

    fn open_file(&self, name: &OsStr) -> io::Result<File> {
        // Opening a pipe without this would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = open_in(&self.fd, name, flags, Mode::empty())?;
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

/// Lets a plain file through.
fn refuse_other_kinds(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a plain file"))
    }
}

/// The bytes of a plain file, and at most one more than `limit`.
fn plain_bytes(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    refuse_other_kinds(file)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether only the user of this process, or root, may write something.
fn is_own(stat: &rustix::fs::Stat) -> bool {
    let own = stat.st_uid == rustix::process::geteuid().as_raw() || stat.st_uid == 0;
    let written_by_others = Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
    own && !written_by_others
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

#[cfg(test)]
mod tests;
