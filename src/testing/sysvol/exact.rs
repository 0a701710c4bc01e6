//! The calls of the port as the client on smb2 makes them: each is one compound, and each error is that of the status.

use bytes::Bytes;
use smb2::types::status::NtStatus;

use super::permissions::access;
use super::share::{Answer, Caller, HandleId, Kind, Share, sharing};
use super::tree::Content;
use crate::domain::sysvol::{
    DirEntry, Listing, MAX_LISTED, SMALL_FILE, SysvolPath, larger_than_said, most_of, too_many,
};
use crate::error::{Error, ErrorKind, Result};
use crate::model::guid::Guid;
use crate::model::security_descriptor::FileEntries;
use crate::sysvol::gpt::PROBE_PREFIX;
use crate::sysvol::refusal::{Held, grants_rename, half_swapped, in_use, refused};
use crate::sysvol::smb2_client::file_entries::{judge, probes};

/// The path of an entry on the share.
pub(super) fn on_share(path: &SysvolPath) -> String {
    path.on_share("\\")
}

/// Opens what is there, does something with it, and closes it.
pub(super) fn with<T>(
    share: &mut Share,
    caller: &Caller,
    path: &str,
    (access, kind): (u32, Kind),
    act: impl FnOnce(&mut Share, HandleId) -> Answer<T>,
) -> Answer<T> {
    let handle = share.open(caller, path, access, sharing::ALL, kind)?;
    let answer = act(share, handle);
    share.close(handle);
    answer
}

/// What a listing takes from a folder.
pub(super) fn listed(share: &Share, handle: HandleId) -> Answer<Listing> {
    let mut listing = Listing::default();
    for child in share.tree.children(share.node_of(handle)?)?.values() {
        let node = share.tree.get(*child)?;
        let size = node.listed_size.unwrap_or_else(|| node.size());
        listing.take(&node.name, share.attributes(node), size);
    }
    Ok(listing)
}

pub(super) fn list(share: &mut Share, caller: &Caller, dir: &SysvolPath) -> Result<Listing> {
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
    let how = (access::READ_ATTRIBUTES, Kind::Any);
    let found = with(share, caller, &on_share(path), how, |share, handle| {
        let node = share.tree.get(share.node_of(handle)?)?;
        Ok(DirEntry::at(path, share.attributes(node), node.size()))
    });
    match found.map_err(|status| refused(path, status)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other,
    }
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
        let node = share.node_of(handle)?;
        match share.tree.get(node)?.content {
            Content::Link => Ok(None),
            _ => share.read(handle).map(Some),
        }
    })
    .map_err(|status| refused(path, status))?
    .ok_or_else(|| {
        Error::new(
            ErrorKind::BadDirectory,
            format!("{path} is a link, and links are not followed"),
        )
    })?;
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    // One READ asks for what was announced, or for 64 KiB; a file that has more is looked at again.
    let asked = if size == 0 { SMALL_FILE } else { size };
    if length > asked && length > most {
        return Err(larger_than_said(path, length, most));
    }
    Ok(content)
}

pub(super) fn security_descriptor(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
) -> Result<Vec<u8>> {
    let how = (access::READ_CONTROL, Kind::Any);
    with(share, caller, &on_share(path), how, |share, handle| {
        let node = share.tree.get(share.node_of(handle)?)?;
        let bytes = node.permissions.descriptor().to_bytes();
        bytes.map_err(|_| NtStatus::INTERNAL_ERROR)
    })
    .map_err(|status| refused(path, status))
}

pub(super) fn maximal_access(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
) -> Result<Option<u32>> {
    let how = (access::READ_ATTRIBUTES, Kind::Any);
    let server = share.server;
    with(share, caller, &on_share(path), how, |share, handle| {
        let node = share.tree.get(share.node_of(handle)?)?;
        let parent = node.parent.and_then(|parent| share.tree.get(parent).ok());
        let parent = parent.map(|parent| &parent.permissions);
        Ok(Some(node.permissions.maximal_access(
            parent,
            &caller.login,
            server,
        )))
    })
    .map_err(|status| refused(path, status))
}

/// The access that setting these descriptors needs [MS-SMB2 3.3.5.21.3].
fn descriptor_access(descriptors: &[Vec<u8>]) -> u32 {
    descriptors.iter().fold(0, |all, descriptor| {
        // The offsets of owner and group [MS-DTYP 2.4.6].
        let names_owner = descriptor
            .get(4..12)
            .is_some_and(|offsets| offsets.iter().any(|byte| *byte != 0));
        let owner = if names_owner { access::WRITE_OWNER } else { 0 };
        all | access::WRITE_DAC | owner
    })
}

/// Makes a file, with these bytes, or a folder; sets descriptors; leaves nothing behind when that fails.
pub(super) fn make(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
    content: Option<Bytes>,
    descriptors: &[Vec<u8>],
) -> Result<()> {
    let name = on_share(path);
    let wanted = access::WRITE_DATA | descriptor_access(descriptors);
    let is_folder = content.is_none();
    let handle = share
        .create(caller, &name, wanted, is_folder)
        .map_err(|status| refused(path, status))?;
    let written = content.map_or(Ok(()), |content| share.write(handle, content));
    let outcome = written.and_then(|()| {
        descriptors
            .iter()
            .try_for_each(|descriptor| share.set_descriptor(caller, handle, descriptor))
    });
    share.close(handle);
    let Err(status) = outcome else { return Ok(()) };
    let error = refused(path, status);
    let kind = if is_folder { Kind::Folder } else { Kind::File };
    match remove(share, caller, path, kind) {
        Ok(()) => Err(error),
        Err(left) if left.kind() == ErrorKind::NotFound => Err(error),
        Err(left) => Err(error.with_hint(format!("remove {path}, which is incomplete: {left}"))),
    }
}

pub(super) fn remove(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
    kind: Kind,
) -> Result<()> {
    let name = on_share(path);
    let how = (access::DELETE | access::READ_ATTRIBUTES, kind);
    let delete = |share: &mut Share| {
        with(share, caller, &name, how, |share, handle| {
            share.set_delete(handle)
        })
    };
    let outcome = match delete(share) {
        Err(NtStatus::CANNOT_DELETE) => {
            // A read-only file; its attribute goes first.
            make_writable(share, caller, &name).and_then(|()| delete(share))
        }
        other => other,
    };
    outcome.map_err(|status| refused(path, status))
}

/// Takes the attribute READONLY from a file.
pub(super) fn make_writable(share: &mut Share, caller: &Caller, path: &str) -> Answer<()> {
    let how = (access::WRITE_ATTRIBUTES, Kind::Any);
    with(share, caller, path, how, |share, handle| {
        let node = share.node_of(handle)?;
        share.tree.get_mut(node)?.read_only = false;
        Ok(())
    })
}

/// One rename of a compound. It is denied because of a missing permission, or because a client has something open.
fn renamed(
    share: &mut Share,
    caller: &Caller,
    from: &SysvolPath,
    to: &SysvolPath,
    replace: bool,
) -> Result<()> {
    let how = (access::DELETE | access::READ_ATTRIBUTES, Kind::Any);
    let opened = with(share, caller, &on_share(from), how, |share, handle| {
        let node = share.node_of(handle)?;
        let is_dir = share.tree.get(node)?.is_folder();
        Ok((
            is_dir,
            share.rename(caller, handle, &on_share(to), replace).err(),
        ))
    });
    let (is_dir, status) = match opened.map_err(|status| refused(from, status))? {
        (_, None) => return Ok(()),
        (is_dir, Some(status)) => (is_dir, status),
    };
    let holder = match status {
        NtStatus::ACCESS_DENIED if is_dir => Some((from, Held::Below)),
        NtStatus::ACCESS_DENIED if replace => Some((to, Held::Itself)),
        NtStatus::DELETE_PENDING if replace => return Err(in_use(to, Held::Itself, status)),
        _ => None,
    };
    Err(match holder {
        Some((path, held)) if may_rename(share, caller, is_dir, to) => in_use(path, held, status),
        _ => refused(from, status),
    })
}

/// Whether the account may add a folder to that of `to`, or replace the file there.
fn may_rename(share: &mut Share, caller: &Caller, is_dir: bool, to: &SysvolPath) -> bool {
    let mut access = |path: &SysvolPath| maximal_access(share, caller, path).ok().flatten();
    let Some(folder) = to.parent().map(|folder| access(&folder)) else {
        return false;
    };
    if is_dir {
        return grants_rename(true, folder, None);
    }
    // Of a deleted file, no access is reported.
    let replaced = access(to);
    let there = share.existing(&on_share(to));
    there
        .and_then(|id| share.tree.get(id))
        .is_ok_and(|there| !there.read_only && grants_rename(false, folder, replaced))
}

pub(super) fn rename(
    share: &mut Share,
    caller: &Caller,
    from: &SysvolPath,
    to: &SysvolPath,
    replace: bool,
) -> Result<()> {
    match renamed(share, caller, from, to, replace) {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            Err(error.context(format!("cannot become {to}")))
        }
        other => other,
    }
}

pub(super) fn swap(
    share: &mut Share,
    caller: &Caller,
    live: &SysvolPath,
    old: Option<&SysvolPath>,
    staged: &SysvolPath,
) -> Result<()> {
    let Some(old) = old else {
        return rename(share, caller, staged, live, false);
    };
    let away = renamed(share, caller, live, old, false);
    if away.is_ok() {
        let written = share.write_between_renames(&on_share(live), &caller.login);
        written.map_err(|status| refused(live, status))?;
    }
    let moved_in = renamed(share, caller, staged, live, false);
    let mut take_back = |from: &SysvolPath, to: &SysvolPath, error: Error| match rename(
        share, caller, from, to, false,
    ) {
        Ok(()) => error,
        Err(undo) => half_swapped(from, to, &undo, &error),
    };
    match (away, moved_in) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(mut error), moved_in) => {
            if error.kind() != ErrorKind::InUse {
                error = error.context(format!("cannot become {old}"));
            }
            if moved_in.is_ok() {
                return Err(take_back(live, staged, error));
            }
            Err(error)
        }
        (Ok(()), Err(error)) => Err(take_back(old, live, error)),
    }
}

/// Sets descriptors on what is there.
pub(super) fn set_descriptors(
    share: &mut Share,
    caller: &Caller,
    path: &SysvolPath,
    descriptors: &[Vec<u8>],
) -> Result<()> {
    let wanted = access::READ_ATTRIBUTES | descriptor_access(descriptors);
    with(
        share,
        caller,
        &on_share(path),
        (wanted, Kind::Any),
        |share, handle| {
            descriptors
                .iter()
                .try_for_each(|descriptor| share.set_descriptor(caller, handle, descriptor))
        },
    )
    .map_err(|status| refused(path, status))
}

/// What the server stores in the DACL of a file.
pub(super) fn probe(
    share: &mut Share,
    caller: &Caller,
    folder: &SysvolPath,
) -> Option<FileEntries> {
    let name = format!(
        "{}\\{PROBE_PREFIX}{}",
        on_share(folder),
        Guid::new_random().bare()
    );
    let wanted = access::DELETE | access::WRITE_DAC;
    let handle = match share.create(caller, &name, wanted, false) {
        Ok(handle) => handle,
        Err(status) => return judge(&[status; 5]),
    };
    let mut statuses = vec![NtStatus::SUCCESS];
    for descriptor in probes()? {
        let set = share.set_descriptor(caller, handle, &descriptor);
        statuses.push(set.err().unwrap_or(NtStatus::SUCCESS));
    }
    // It was made to be deleted on close.
    let _ = share.set_delete(handle);
    share.close(handle);
    judge(&statuses)
}
