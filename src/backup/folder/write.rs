//! Making, replacing and syncing what is in a folder.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};

use rustix::fs::{AtFlags, Mode, OFlags, RawMode};

use super::beneath::open_in;
use super::{Folder, Kind, MAX_DEPTH, PRIVATE_FILE, checked, replaced};
use crate::backup::STAGING_PREFIX;
use crate::model::guid::Guid;

impl Folder {
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
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::from_raw_mode(mode);
        let file = open_in(&self.fd, name.as_ref(), flags, mode)?;
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
        let staged = format!("{}{}", STAGING_PREFIX, Guid::new_random().bare());
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

    /// Opens a file of this folder for a lock, and makes it when it is not there; fails on a link.
    pub(crate) fn lock_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = open_in(&self.fd, name.as_ref(), flags, mode)?;
        Ok(File::from(file))
    }
}
