//! What a server refused, as errors with a next step, by the errno that libsmbclient makes of the status. The domain in memory
//! refuses with the same.

use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind};

/// The error of a name that something already has.
pub(crate) fn taken(path: &SysvolPath) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("something already exists at {path}"),
    )
    .with_hint("check whether another operation is running")
}

/// The server refused: the error of the errno that libsmbclient makes of a status.
pub(crate) fn refused(path: &SysvolPath, cause: std::io::Error) -> Error {
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

/// The error of libsmbclient's pair of renames of which the second failed, and so did the way back.
pub(crate) fn not_put_back(
    path: &SysvolPath,
    failed: &std::io::Error,
    undo: std::io::Error,
) -> Error {
    Error::new(
        ErrorKind::Incomplete,
        format!("{path} could not be replaced ({failed}), and the old file could not be put back"),
    )
    .with_source(undo)
    .with_hint("the old file is in the same folder, with a name that begins with .gpoctl")
}

/// The error of a file that has another size after libsmbclient wrote it, which hides errors of closing.
pub(crate) fn size_differs(path: &SysvolPath, size: u64, length: u64) -> Error {
    Error::new(
        ErrorKind::BadDirectory,
        format!("{path} has {size} bytes after {length} were written"),
    )
    .with_hint("check whether the disk of the server is full")
}
