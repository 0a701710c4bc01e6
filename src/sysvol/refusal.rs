//! The refusal of a server as an error with a next step, by its status. The in-memory domain returns the same errors.

use smb2::types::status::NtStatus;

use crate::domain::sysvol::SysvolPath;
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
        NtStatus::SHARING_VIOLATION => (
            ErrorKind::Conflict,
            "another client has opened",
            "try again when it is closed",
        ),
        NtStatus::DIRECTORY_NOT_EMPTY => (
            ErrorKind::Conflict,
            "the folder is not empty:",
            "try again when no client has its files open",
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
    fn the_error_of_a_status_carries_it() {
        let path = SysvolPath::policies(&"a.test".parse().unwrap());
        for status in [NtStatus::CANNOT_DELETE, NtStatus::SHARING_VIOLATION] {
            let error = refused(&path, status).context("removing the old files");
            assert_eq!(error.answer(), Some(ServerAnswer::NtStatus(status.0)));
        }
    }
}
