//! Opening an entry of a folder in one call of the kernel that can neither leave the folder nor follow a link.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::checked;

/// Opens the entry of this name. A name that is not one component is refused here, and the kernel refuses what would lead out of
/// the folder once more.
pub(super) fn open_in(
    folder: &OwnedFd,
    name: &OsStr,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (folder, name) = (folder.as_fd(), checked(name)?);
    match open_beneath(folder, name, flags, mode) {
        Some(opened) => opened,
        None => Ok(rustix::fs::openat(folder, name, flags, mode)?),
    }
}

/// Opens what a path leads to if all of it is below the folder and no link is on the way [openat2(2)]; `None` where the kernel, or
/// what confines this process, does not know the call.
#[cfg(target_os = "linux")]
pub(super) fn open_beneath(
    folder: BorrowedFd<'_>,
    path: &OsStr,
    flags: OFlags,
    mode: Mode,
) -> Option<io::Result<OwnedFd>> {
    use rustix::fs::ResolveFlags;
    use rustix::io::Errno;

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(folder, path, flags, mode, resolve) {
        Err(Errno::NOSYS | Errno::PERM) => None,
        opened => Some(opened.map_err(io::Error::from)),
    }
}

/// The call is Linux's own.
#[cfg(not(target_os = "linux"))]
fn open_beneath(_: BorrowedFd<'_>, _: &OsStr, _: OFlags, _: Mode) -> Option<io::Result<OwnedFd>> {
    None
}
