//! The refusal of a server as an error with a next step, by the errno that libsmbclient makes of the status. The in-memory
//! domain returns the same errors.

use super::refusal::SHOW_WHO;
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, FOR_SMB2, Remedy};

/// The error for a name that is in use.
pub(crate) fn taken(path: &SysvolPath) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("something already exists at {path}"),
    )
    .with_hint("check whether another operation is running")
}

/// The error for the errno that libsmbclient makes of a status.
pub(crate) fn refused(path: &SysvolPath, cause: std::io::Error) -> Error {
    use std::io::ErrorKind as Io;

    let (kind, what) = match cause.kind() {
        Io::NotFound => (ErrorKind::NotFound, "cannot find"),
        Io::PermissionDenied => (ErrorKind::Denied, "this account is denied access to"),
        Io::AlreadyExists => return taken(path).with_source(cause),
        Io::DirectoryNotEmpty => (ErrorKind::Conflict, "the folder is not empty:"),
        Io::IsADirectory => (ErrorKind::Conflict, "there is a folder at"),
        Io::NotADirectory => (ErrorKind::Conflict, "not a folder:"),
        Io::ResourceBusy | Io::ExecutableFileBusy => return in_use(path, cause),
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

/// The error for a file or folder that cannot be renamed, replaced or deleted because a client has something open; see
/// [`super::refusal::in_use`]. The errno of a folder below which something is open is that of a missing permission, and
/// libsmbclient has no call that shows which of the two it is.
pub(crate) fn in_use(path: &SysvolPath, cause: std::io::Error) -> Error {
    let text = match cause.kind() {
        std::io::ErrorKind::PermissionDenied => {
            format!("a client has a file below {path} open, or this account may not rename it")
        }
        _ => format!("a client has {path} open"),
    };
    Error::new(ErrorKind::InUse, text)
        .with_source(cause)
        .with_hint(SHOW_WHO)
}

/// The error of every call with a descriptor on a back end that does not support them.
pub(crate) fn no_descriptors() -> Error {
    Error::new(
        ErrorKind::Usage,
        "libsmbclient cannot read or write security descriptors exactly",
    )
    .with_hint(format!("use smb2 as SMB client; {FOR_SMB2}"))
    .with_remedy(Remedy::UseSmb2)
}

/// The error of libsmbclient's pair of renames, when the second one failed and the first could not be undone.
pub(crate) fn not_put_back(
    path: &SysvolPath,
    failed: &std::io::Error,
    undo: std::io::Error,
) -> Error {
    Error::new(
        ErrorKind::Incomplete,
        format!("{path} could not be replaced ({failed}), and the old file could not be restored"),
    )
    .with_source(undo)
    .with_hint("the old file is in the same folder, with a name that begins with .gpoctl")
}

/// The error for a file whose size is wrong after libsmbclient wrote it; libsmbclient hides errors of closing.
pub(crate) fn size_differs(path: &SysvolPath, size: u64, length: u64) -> Error {
    Error::new(
        ErrorKind::BadDirectory,
        format!("{path} has {size} bytes after {length} were written"),
    )
    .with_hint("check whether the disk of the server is full")
}
