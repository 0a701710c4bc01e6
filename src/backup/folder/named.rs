//! Paths that the caller named. They are followed as they are, `..` and links included, except that writing follows only links of
//! the caller's or root's. Everything below what they lead to goes through the open folder.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Folder, checked, plain_bytes};

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

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

/// Whether a path that was named in place of a folder is a ZIP archive.
pub(in crate::backup) fn is_zip(path: &Path) -> bool {
    let mut begin = [0; 4];
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .is_ok_and(|file| File::from(file).read_exact(&mut begin).is_ok())
        && begin == *b"PK\x03\x04"
}
