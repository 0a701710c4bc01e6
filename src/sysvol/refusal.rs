//! What a server refused, as errors with a next step: by the status that it sent, and by the errno that libsmbclient makes of
//! it. The domain in memory refuses with the same.

use smb2::types::status::NtStatus;

use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind};

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

/// STATUS_INVALID_OWNER [MS-ERREF 2.3.1]: the account may not give a file to this owner.
pub(crate) const INVALID_OWNER: NtStatus = NtStatus(0xC000_005A);
/// STATUS_PRIVILEGE_NOT_HELD [MS-ERREF 2.3.1].
const PRIVILEGE_NOT_HELD: NtStatus = NtStatus(0xC000_0061);

/// The server refused: the error of a status.
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
    Error::new(kind, format!("{what} {path} ({status})")).with_hint(hint)
}

/// The response of the server does not match the request.
pub(crate) fn nonsense(path: &SysvolPath) -> Error {
    Error::new(
        ErrorKind::BadDirectory,
        format!("the server sent an invalid response for {path}"),
    )
}

/// The error of a name that something already has.
pub(crate) fn taken(path: &SysvolPath) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("something already exists at {path}"),
    )
    .with_hint("check whether another operation is running")
}

/// The server refused: the error of the errno that libsmbclient makes of a status.
pub(crate) fn refused_errno(path: &SysvolPath, cause: std::io::Error) -> Error {
    use std::io::ErrorKind as Io;

    let (kind, what) = match cause.kind() {
        Io::NotFound => (ErrorKind::NotFound, "cannot find"),
        Io::PermissionDenied => (ErrorKind::Denied, "this account is denied access to"),
        Io::AlreadyExists => return taken(path).with_source(cause),
        Io::DirectoryNotEmpty => (ErrorKind::Conflict, "the folder is not empty:"),
        Io::IsADirectory => (ErrorKind::Conflict, "there is a folder at"),
        Io::NotADirectory => (ErrorKind::Conflict, "not a folder:"),
        Io::ResourceBusy | Io::ExecutableFileBusy => {
            (ErrorKind::Conflict, "another client has opened")
        }
        Io::TimedOut
        | Io::BrokenPipe
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::ConnectionRefused
        | Io::NotConnected
        | Io::HostUnreachable
        | Io::NetworkUnreachable => (ErrorKind::Connect, "the SMB connection failed at"),
        _ if cause.raw_os_error() == Some(rustix::io::Errno::NETRESET.raw_os_error()) => {
            (ErrorKind::Connect, "the SMB connection failed at")
        }
        _ => (ErrorKind::BadDirectory, "the server refused"),
    };
    Error::new(kind, format!("{what} {path}"))
        .with_source(cause)
        .with_hint("check the permissions on SYSVOL, and whether it has been changed meanwhile")
}

/// The error of every call with a descriptor on a back end that has none.
pub(crate) fn no_descriptors() -> Error {
    Error::new(
        ErrorKind::Usage,
        "libsmbclient cannot read or write security descriptors exactly",
    )
    .with_hint("use --smb-client smb2")
}

/// The error of a swap of which one half was made and could not be undone: `from` is to be renamed to `to`.
pub(crate) fn half_swapped(
    from: &SysvolPath,
    to: &SysvolPath,
    undo: &Error,
    error: &Error,
) -> Error {
    Error::new(ErrorKind::Incomplete, format!("{undo}, after: {error}"))
        .with_hint(format!("rename {from} back to {to}"))
}
