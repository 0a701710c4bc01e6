//! A folder that is opened once, and whose contents are reached from it one component at a time, never through a link.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// The most entries of one folder that are read.
const MAX_NAMES: usize = 100_000;

/// An open folder.
pub(super) struct Folder {
    fd: OwnedFd,
    /// Where it is, for messages only.
    pub(super) path: PathBuf,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A symbolic link, a device, a pipe or a socket.
    Other,
}

impl Folder {
    /// Opens a folder that the caller named. Links in this path are the caller's own and are followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            fd: rustix::fs::open(path, flags, Mode::empty())?,
            path: path.to_owned(),
        })
    }

    /// Opens a folder in this one; fails on a link.
    pub(super) fn folder(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self {
            fd: rustix::fs::openat(&self.fd, checked(name)?, flags, Mode::empty())?,
            path: self.path.join(name),
        })
    }

    /// Reads a file in this folder; fails on a link, on anything that is not a plain file, and beyond `limit` bytes.
    pub(super) fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        // Opening a pipe without this would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(
            &self.fd,
            checked(name)?,
            flags,
            Mode::empty(),
        )?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a plain file"));
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
            Ok(bytes)
        } else {
            Err(io::Error::other(format!("it is larger than {limit} bytes")))
        }
    }

    /// Opens a file of this folder for a lock, and makes it when it is not there; fails on a link.
    pub(super) fn lock_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(&self.fd, checked(name)?, flags, mode)?;
        Ok(File::from(file))
    }

    /// The entries, sorted by name; a name that is not UTF-8 stands as an error with its readable form.
    pub(super) fn entries(&self) -> io::Result<Vec<(Result<String, String>, Kind)>> {
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
            let name = match std::str::from_utf8(bytes) {
                Ok(name) => Ok(name.to_owned()),
                Err(_) => Err(String::from_utf8_lossy(bytes).into_owned()),
            };
            found.push((name, kind));
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    /// The name of an entry as it is spelled here, looked up without regard to case; the exact spelling wins.
    pub(super) fn find(&self, name: &str) -> io::Result<Option<(String, Kind)>> {
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

/// A name that is one component and nothing else.
fn checked(name: &str) -> io::Result<&str> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(io::Error::other("it is not the name of an entry"));
    }
    Ok(name)
}
