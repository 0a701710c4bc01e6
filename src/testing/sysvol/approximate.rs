//! The calls of the port as the client on libsmbclient makes them: one request after the other, no descriptors, and each error
//! is that of the errno which libsmbclient makes of the status.

use std::io;

use bytes::Bytes;
use rustix::io::Errno;
use smb2::types::status::NtStatus;

use super::exact::{listed, make_writable, on_share, with};
use super::permissions::access;
use super::share::{Answer, Caller, Kind, Share};
use crate::domain::sysvol::{
    DIRECTORY, DirEntry, Listing, MAX_LISTED, SysvolPath, larger_than_said, most_of, too_many,
};
use crate::error::{Error, Result};
use crate::model::guid::Guid;
use crate::sysvol::errno::{self, in_use, not_put_back, size_differs, taken};

/// The errno of a status (`map_errno_from_nt_status` of Samba).
fn errno_of(status: NtStatus) -> io::Error {
    let errno = match status {
        NtStatus::OBJECT_NAME_NOT_FOUND | NtStatus::OBJECT_PATH_NOT_FOUND => Errno::NOENT,
        NtStatus::OBJECT_NAME_COLLISION => Errno::EXIST,
        NtStatus::ACCESS_DENIED => Errno::ACCESS,
        NtStatus::SHARING_VIOLATION => Errno::BUSY,
        NtStatus::DIRECTORY_NOT_EMPTY => Errno::NOTEMPTY,
        NtStatus::FILE_IS_A_DIRECTORY => Errno::ISDIR,
        NtStatus::NOT_A_DIRECTORY => Errno::NOTDIR,
        NtStatus::DISK_FULL => Errno::NOSPC,
        _ => Errno::INVAL,
    };
    io::Error::from_raw_os_error(errno.raw_os_error())
}

fn refused(path: &SysvolPath, status: NtStatus) -> Error {
    errno::refused(path, errno_of(status))
}

/// Whether there is a folder, a file, or nothing at a path.
fn look(share: &mut Share, caller: &Caller, path: &SysvolPath) -> Answer<Option<(bool, u64)>> {
    let how = (access::READ_ATTRIBUTES, Kind::Any);
    let found = with(share, caller, &on_share(path), how, |share, handle| {
        let node = share.tree.get(share.node_of(handle)?)?;
        Ok((node.is_folder(), node.size()))
    });
    match found {
        Ok(found) => Ok(Some(found)),
        Err(status) if errno_of(status).kind() == io::ErrorKind::NotFound => Ok(None),
        Err(status) => Err(status),
    }
}

/// The error of something that is not there.
fn must_exist(share: &mut Share, caller: &Caller, path: &SysvolPath) -> Result<(bool, u64)> {
    look(share, caller, path)
        .and_then(|found| found.ok_or(NtStatus::OBJECT_NAME_NOT_FOUND))
        .map_err(|status| refused(path, status))
}

pub(super) fn list(share: &mut Share, caller: &Caller, dir: &SysvolPath) -> Result<Listing> {
    must_exist(share, caller, dir)?;
    let how = (access::READ_DATA, Kind::Folder);
    let listing = with(share, caller, &on_share(dir), how, |share, handle| {
        listed(share, handle)
    })
    .map_err(|status| refused(dir, status))?;
    if listing.len() > MAX_LISTED {
        return Err(too_many(dir));
    }
    Ok(listing)
}

pub(super) fn stat(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
) -> Result<Option<DirEntry>> {
    let found = look(share, caller, path).map_err(|status| refused(path, status))?;
    Ok(found.and_then(|(is_folder, size)| {
        DirEntry::at(path, if is_folder { DIRECTORY } else { 0 }, size)
    }))
}

pub(super) fn read(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
    size: u64,
) -> Result<Bytes> {
    let most = most_of(path, size)?;
    let how = (access::READ_DATA, Kind::File);
    let content = with(share, caller, &on_share(path), how, |share, handle| {
        share.read(handle)
    })
    .map_err(|status| refused(path, status))?;
    match u64::try_from(content.len()) {
        Ok(read) if read <= most => Ok(content),
        // One byte more than that is read.
        _ => Err(larger_than_said(path, most.saturating_add(1), most)),
    }
}

pub(super) fn create_dir(share: &mut Share, caller: &Caller, path: &SysvolPath) -> Result<()> {
    share
        .create(caller, &on_share(path), access::READ_ATTRIBUTES, true)
        .map(|handle| share.close(handle))
        .map_err(|status| refused(path, status))
}

pub(super) fn write_new(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
    content: Bytes,
) -> Result<()> {
    let name = on_share(path);
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let handle = share
        .create(caller, &name, access::WRITE_DATA, false)
        .map_err(|status| refused(path, status))?;
    let written = share.write(handle, content);
    share.close(handle);
    let size = written.and_then(|()| {
        let found = look(share, caller, path)?;
        Ok(found.map_or(0, |(_, size)| size))
    });
    if size == Ok(length) {
        return Ok(());
    }
    let _ = delete(share, caller, path, Kind::File);
    let size = size.map_err(|status| refused(path, status))?;
    Err(size_differs(path, size, length))
}

fn delete(share: &mut Share, caller: &Caller, path: &SysvolPath, kind: Kind) -> Answer<()> {
    delete_named(share, caller, &on_share(path), kind)
}

/// Deletes a file or folder; the attribute of a read-only one goes first.
fn delete_named(share: &mut Share, caller: &Caller, path: &str, kind: Kind) -> Answer<()> {
    let once = |share: &mut Share| {
        with(
            share,
            caller,
            path,
            (access::DELETE, kind),
            |share, handle| share.set_delete(handle),
        )
    };
    match once(share) {
        Err(NtStatus::CANNOT_DELETE) => {
            make_writable(share, caller, path)?;
            once(share)
        }
        other => other,
    }
}

pub(super) fn remove(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
    kind: Kind,
) -> Result<()> {
    delete(share, caller, path, kind).map_err(|status| refused(path, status))
}

/// One rename; libsmbclient asks for one that replaces nothing first. When that is denied for a folder, a client may have
/// something below it open. `path` is that of the call.
fn renamed(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
    from: &SysvolPath,
    to: &str,
) -> Result<()> {
    let (source, how) = (on_share(from), (access::DELETE, Kind::Any));
    let answer = with(share, caller, &source, how, |share, handle| {
        share.rename(caller, handle, to, false)
    });
    answer.map_err(|status| {
        let is_held = match status {
            NtStatus::SHARING_VIOLATION => true,
            NtStatus::ACCESS_DENIED => {
                look(share, caller, from).is_ok_and(|found| found.is_some_and(|(is_dir, _)| is_dir))
            }
            _ => false,
        };
        if is_held {
            in_use(from, errno_of(status))
        } else {
            refused(path, status)
        }
    })
}

/// Renames `live` to `old`, then `new` to `live`; when the second fails, `live` is put back.
fn exchange(
    share: &mut Share,
    caller: &Caller,
    live: &SysvolPath,
    old: &str,
    new: &SysvolPath,
) -> Result<()> {
    renamed(share, caller, live, live, old)?;
    let name = on_share(live);
    let written = share.write_between_renames(&name, &caller.login);
    written.map_err(|status| refused(live, status))?;
    let Err(failed) = renamed(share, caller, live, new, &name) else {
        return Ok(());
    };
    let back = with(
        share,
        caller,
        old,
        (access::DELETE, Kind::Any),
        |share, handle| share.rename(caller, handle, &name, false),
    );
    match back {
        Ok(()) => Err(failed),
        Err(undo) => Err(not_put_back(
            live,
            &io::Error::other(failed),
            errno_of(undo),
        )),
    }
}

pub(super) fn rename(
    share: &mut Share,
    caller: &Caller,
    from: &SysvolPath,
    to: &SysvolPath,
    replace: bool,
) -> Result<()> {
    let (source, target) = (on_share(from), on_share(to));
    let same = source.to_lowercase() == target.to_lowercase();
    let Some((folder, _)) = target.rsplit_once('\\') else {
        return Err(taken(to));
    };
    let aside = format!("{folder}\\.gpoctl-{}-old", Guid::new_random().bare());
    let (moves_folder, _) = must_exist(share, caller, from)?;
    let there = look(share, caller, to).map_err(|status| refused(to, status))?;
    match there {
        Some((is_folder, _)) if !same => {
            if !replace || moves_folder || is_folder {
                return Err(taken(to));
            }
            exchange(share, caller, to, &aside, from)?;
            // What cannot be deleted is left, and the rename was made.
            let _ = delete_named(share, caller, &aside, Kind::File);
            Ok(())
        }
        _ => renamed(share, caller, to, from, &target),
    }
}

pub(super) fn swap(
    share: &mut Share,
    caller: &Caller,
    live: &SysvolPath,
    old: Option<&SysvolPath>,
    staged: &SysvolPath,
) -> Result<()> {
    must_exist(share, caller, staged)?;
    let is_there = |share: &mut Share, path: &SysvolPath| {
        let found = look(share, caller, path).map_err(|status| refused(path, status))?;
        Ok::<_, Error>(found.is_some())
    };
    match old {
        Some(old) => {
            if is_there(share, old)? {
                return Err(taken(old));
            }
            exchange(share, caller, live, &on_share(old), staged)
        }
        None if is_there(share, live)? => Err(taken(live)),
        None => renamed(share, caller, live, staged, &on_share(live)),
    }
}
