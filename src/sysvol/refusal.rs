//! The refusal of a server as an error with a next step, by its status. The in-memory domain returns the same errors.

use smb2::types::status::NtStatus;

use crate::domain::sysvol::{SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, ServerAnswer};

/// The connection failed, or a call timed out.
pub(crate) fn lost(path: &SysvolPath, cause: smb2::Error) -> Error {
    let what = match &cause {
        smb2::Error::Timeout => "the server did not answer in time",
        _ => "the SMB connection failed",
    };
    Error::new(ErrorKind::Connect, format!("{what} at {path}"))
        .with_source(cause)
        .with_hint("check the domain controller and the network, then try again")
}

/// STATUS_INVALID_OWNER [MS-ERREF 2.3.1]: the account may not set this owner.
pub(crate) const INVALID_OWNER: NtStatus = NtStatus(0xC000_005A);
/// STATUS_PRIVILEGE_NOT_HELD [MS-ERREF 2.3.1].
const PRIVILEGE_NOT_HELD: NtStatus = NtStatus(0xC000_0061);

/// The error for a status.
pub(crate) fn refused(path: &SysvolPath, status: NtStatus) -> Error {
    let (kind, what, hint) = match status {
        NtStatus::OBJECT_NAME_NOT_FOUND
        | NtStatus::OBJECT_PATH_NOT_FOUND
        | NtStatus::NO_SUCH_FILE
        | NtStatus::NOT_FOUND
        | NtStatus::DELETE_PENDING => (
            ErrorKind::NotFound,
            "cannot find",
            "check whether it has been removed meanwhile",
        ),
        NtStatus::ACCESS_DENIED | INVALID_OWNER | PRIVILEGE_NOT_HELD => (
            ErrorKind::Denied,
            "this account is denied access to",
            "check the permissions on SYSVOL and the GPO's delegation",
        ),
        NtStatus::OBJECT_NAME_COLLISION => (
            ErrorKind::Conflict,
            "something already exists at",
            "check whether another operation is running",
        ),
        NtStatus::FILE_IS_A_DIRECTORY => (
            ErrorKind::Conflict,
            "there is a folder at",
            "check whether it has been changed meanwhile",
        ),
        NtStatus::NOT_A_DIRECTORY => (
            ErrorKind::Conflict,
            "not a folder:",
            "check whether it has been changed meanwhile",
        ),
        NtStatus::SHARING_VIOLATION => return in_use(path, Held::Itself, status),
        NtStatus::DIRECTORY_NOT_EMPTY => (
            ErrorKind::Conflict,
            "the folder is not empty:",
            "check whether it has been changed meanwhile",
        ),
        // The credentials are for the server that was named, and for no other.
        NtStatus::PATH_NOT_COVERED => (
            ErrorKind::BadDirectory,
            "the server refers to another server for",
            "DFS referrals are not followed; connect to the domain controller that has these files",
        ),
        NtStatus::DISK_FULL => (
            ErrorKind::BadDirectory,
            "the disk of the server is full at",
            "make room on the domain controller",
        ),
        _ => (
            ErrorKind::BadDirectory,
            "the server refused",
            "see the log of the domain controller",
        ),
    };
    Error::new(kind, format!("{what} {path} ({status})"))
        .with_hint(hint)
        .with_answer(ServerAnswer::NtStatus(status.0))
}

/// The next step when a client has a file open.
pub(crate) const SHOW_WHO: &str = "try again; on the domain controller, smbstatus -L (Samba) or Get-SmbOpenFile (Windows) shows which client it is";

/// What a client has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// The file or folder itself.
    Itself,
    /// A file or folder below it.
    Below,
}

/// The error for a file or folder that cannot be renamed, replaced or deleted because a client has something open.
///
/// A server answers STATUS_SHARING_VIOLATION when the client does not share what it has open. For a folder below which something
/// is open, and for an open file that is to be replaced, Windows [MS-FSA 2.1.5.15.11] and Samba since 4.22 (seen; 4.17 does not)
/// answer STATUS_ACCESS_DENIED, as for a missing permission. Then the permission is checked: it was granted if the same request
/// could open the file or folder for it, and [`grants_rename`] holds.
pub(crate) fn in_use(path: &SysvolPath, held: Held, status: NtStatus) -> Error {
    let what = match held {
        Held::Itself => format!("a client has {path} open"),
        Held::Below => format!("a client has a file below {path} open"),
    };
    Error::new(ErrorKind::InUse, format!("{what} ({status})"))
        .with_hint(SHOW_WHO)
        .with_answer(ServerAnswer::NtStatus(status.0))
}

/// The rights to add a file and a folder to a folder, and to delete [MS-DTYP 2.4.3].
const ADD_FILE: u32 = 0x0002;
const ADD_SUBDIRECTORY: u32 = 0x0004;
const DELETE: u32 = 0x0001_0000;

/// Whether the account has the rights that a rename needs besides opening its source for deletion: to add an entry to the new
/// folder, and to delete what is replaced. Each is the maximal access, if the server reports it.
pub(crate) fn grants_rename(is_dir: bool, folder: Option<u32>, replaced: Option<u32>) -> bool {
    let needed = if is_dir { ADD_SUBDIRECTORY } else { ADD_FILE };
    let grants = |access: Option<u32>, needed| access.is_none_or(|it| it & needed != 0);
    grants(folder, needed) && grants(replaced, DELETE)
}

/// The error for a folder that is not empty: `InUse` if all that is left in it are deleted files, which are gone when the clients
/// that have them open close them, and if they are gone by now. A server lists such a file and answers STATUS_DELETE_PENDING for it.
pub(crate) async fn not_empty(sysvol: &dyn SysvolRead, dir: &SysvolPath, error: Error) -> Error {
    let Ok(listing) = sysvol.list(dir).await else {
        return error;
    };
    if !listing.refused.is_empty() {
        return error;
    }
    for entry in &listing.entries {
        let Some(path) = dir.join(&entry.name) else {
            return error;
        };
        let is_pending = match sysvol.stat(&path).await {
            Ok(found) => found.is_none(),
            // libsmbclient has no other errno for it.
            Err(error) => error.kind() == ErrorKind::BadDirectory,
        };
        if entry.is_dir || !is_pending {
            return error;
        }
    }
    Error::new(
        ErrorKind::InUse,
        format!("a client still has a deleted file in {dir} open"),
    )
    .with_hint(SHOW_WHO)
    .with_source(error)
}

/// The response of the server does not match the request.
pub(crate) fn nonsense(path: &SysvolPath) -> Error {
    Error::new(
        ErrorKind::BadDirectory,
        format!("the server sent an invalid response for {path}"),
    )
}

/// The error of a swap of which one half was made and could not be undone: `from` has to be renamed to `to`.
pub(crate) fn half_swapped(
    from: &SysvolPath,
    to: &SysvolPath,
    undo: &Error,
    error: &Error,
) -> Error {
    Error::new(ErrorKind::Incomplete, format!("{undo}, after: {error}"))
        .with_hint(format!("rename {from} back to {to}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_is_missing_or_unknown() {
        for (is_dir, folder, replaced, granted) in [
            (true, Some(ADD_SUBDIRECTORY), None, true),
            (true, Some(ADD_FILE), None, false),
            (false, Some(ADD_FILE), None, true),
            (false, Some(ADD_SUBDIRECTORY), None, false),
            (false, Some(ADD_FILE), Some(DELETE), true),
            (false, Some(ADD_FILE), Some(ADD_FILE), false),
            (false, None, None, true),
        ] {
            let case = format!("{is_dir} {folder:?} {replaced:?}");
            assert_eq!(grants_rename(is_dir, folder, replaced), granted, "{case}");
        }
    }

    #[test]
    fn the_error_of_a_status_carries_it() {
        let path = SysvolPath::policies(&"a.test".parse().unwrap());
        for status in [NtStatus::CANNOT_DELETE, NtStatus::SHARING_VIOLATION] {
            let error = refused(&path, status).context("removing the old files");
            assert_eq!(error.answer(), Some(ServerAnswer::NtStatus(status.0)));
        }
    }
}
