//! The folder of the journals, and how it is read: each folder is opened once and belongs to the caller or root, no other user
//! can write to it, and links below it are not followed.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::backup::folder::Folder;
use crate::error::{Error, ErrorKind, Result};
use crate::local::trusted_file::{refuse_exchangeable, refuse_others};

/// The name of any file of a journal in errors.
const WHAT: &str = "file of a journal";

/// Opens the folder of the journals; `None` when there is none.
///
/// # Errors
/// `Denied` when another user can change it; `Internal` when it cannot be opened.
pub(super) fn open(root: &Path) -> Result<Option<Folder>> {
    let failed = |cause: io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot read the journals in {}", root.display()),
        )
        .with_source(cause)
    };
    let folder = match Folder::open_to_write(root) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    refuse_shared(&folder).map(|()| Some(folder))
}

/// Refuses a folder of journals in which another user can create or rename something.
pub(super) fn refuse_shared(root: &Folder) -> Result<()> {
    if root.is_own().is_ok_and(|own| own) {
        return refuse_exchangeable(&root.path, "folder of the journals").map_err(|error| {
            error
                .with_kind(ErrorKind::Denied)
                .with_hint("set XDG_STATE_HOME to a folder that only you can write to")
        });
    }
    Err(Error::new(
        ErrorKind::Denied,
        format!(
            "other users can change the folder of the journals, {}",
            root.path.display()
        ),
    )
    .with_hint("set XDG_STATE_HOME to a folder that only you can write to"))
}

/// Opens the journal of this name.
///
/// # Errors
/// `BadInput` when it is not a folder or cannot be opened, `Usage` when another user owns it or can write to it.
pub(super) fn journal(root: &Folder, id: &str) -> Result<Folder> {
    let failed = |cause: io::Error| {
        Error::new(
            ErrorKind::BadInput,
            format!("cannot open the journal {}", root.path.join(id).display()),
        )
        .with_source(cause)
    };
    let journal = root.folder(id).map_err(failed)?;
    let metadata = journal.metadata().map_err(failed)?;
    refuse_others(&journal.path, &metadata, "journal")?;
    Ok(journal)
}

/// The bytes of a file of a journal; `None` when there is none.
///
/// # Errors
/// `Usage` when another user owns it or can write to it; `BadInput` when it is not a regular file, cannot be read, or has more
/// than `limit` bytes.
pub(super) fn read(journal: &Folder, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    let failed = |cause: io::Error| {
        let path = journal.path.join(name);
        Error::new(
            ErrorKind::BadInput,
            format!("cannot read the {WHAT} {}", path.display()),
        )
        .with_source(cause)
    };
    let file = match journal.plain_file(name) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    refuse_foreign_file(journal, name, &file)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read <= limit) {
        return Ok(Some(bytes));
    }
    Err(failed(io::Error::other(format!(
        "it has more than {limit} bytes"
    ))))
}

/// Refuses an open file of a journal that another user owns or can write.
pub(super) fn refuse_foreign_file(journal: &Folder, name: &str, file: &File) -> Result<()> {
    let path = journal.path.join(name);
    let metadata = file.metadata().map_err(|cause| {
        Error::new(
            ErrorKind::BadInput,
            format!("cannot read the {WHAT} {}", path.display()),
        )
        .with_source(cause)
    })?;
    refuse_others(&path, &metadata, WHAT)
}
