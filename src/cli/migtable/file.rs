//! Tables on the local disk, which are read and replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::backup::folder::{Folder, SHARED_FILE};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::migtable::{MAX_BYTES, MigTable};
use crate::migration::table;

/// Reads a table; returns the file name for messages too.
pub(in crate::cli) fn load(path: &Path) -> Result<(String, MigTable)> {
    let name = name(path);
    let table = table::read(&name, &bytes(path)?)?;
    Ok((name, table))
}

/// The name of a file for messages.
pub(super) fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// The bytes of a file; of one that is larger than any table, enough to see that.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let limit = u64::try_from(MAX_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|cause| {
            Error::new(
                ErrorKind::NotFound,
                format!("cannot read the migration table {}", path.display()),
            )
            .with_source(cause)
            .with_hint("name a .migtable file, or create one: gpoctl migtable new FILE")
        })?;
    Ok(bytes)
}

/// Creates the file of a table.
///
/// # Errors
/// [`ErrorKind::Conflict`] when it exists; it is not changed.
pub(super) fn create(path: &Path, table: &MigTable) -> Result<()> {
    let written = Folder::of_file(path)
        .and_then(|(folder, name)| folder.add(name, &table.to_bytes(), SHARED_FILE));
    match written {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Err(Error::new(
            ErrorKind::Conflict,
            format!("{} already exists", path.display()),
        )
        .with_hint(
            "choose another name, or change the table: gpoctl migtable set, remove, populate",
        )),
        written => written.map_err(|cause| not_written(path, cause)),
    }
}

/// Replaces the file of a table; a concurrent reader sees either the old table or the new one, complete. A symbolic link and the
/// permissions are kept.
pub(super) fn replace(path: &Path, table: &MigTable) -> Result<()> {
    let replaced = || -> io::Result<()> {
        let target = fs::canonicalize(path)?;
        let (folder, name) = Folder::of_file(&target)?;
        let mode = folder.mode_of(name)?;
        folder.replace_with_mode(name, &table.to_bytes(), mode)
    };
    replaced().map_err(|cause| not_written(path, cause))
}

fn not_written(path: &Path, cause: io::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("cannot write the migration table {}", path.display()),
    )
    .with_source(cause)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::formats::migtable::{Destination, EntryType};

    #[test]
    fn a_table_is_replaced_through_links_and_keeps_its_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a.migtable"), dir.path().join("link"));
        create(&file, &MigTable::new()).unwrap();
        assert_eq!(
            create(&file, &MigTable::new()).unwrap_err().kind(),
            ErrorKind::Conflict
        );
        fs::set_permissions(&file, Permissions::from_mode(0o660)).unwrap();
        std::os::unix::fs::symlink("a.migtable", &link).unwrap();
        let (name, mut table) = load(&link).unwrap();
        assert_eq!(name, "link");
        table
            .set(r"\\a\b", EntryType::UncPath, Destination::SameAsSource)
            .unwrap();
        replace(&link, &table).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), table.to_bytes());
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o660
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert_eq!(
            load(&dir.path().join("none")).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}
