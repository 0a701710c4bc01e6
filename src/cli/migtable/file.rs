//! Tables on the local disk, which are read and replaced as a whole.

use std::io;
use std::path::Path;

use crate::backup::folder::{Folder, SHARED_FILE, read_named};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::migtable::{MAX_BYTES, MigTable};
use crate::message::shell_word;
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
    read_named(path, MAX_BYTES).map_err(|cause| {
        Error::new(
            ErrorKind::NotFound,
            format!("cannot read the migration table {}", path.display()),
        )
        .with_source(cause)
        .with_hint(format!(
            "name a migration table, or create this one: gpoctl migtable new {}",
            shell_word(&path.to_string_lossy())
        ))
    })
}

/// Creates the file of a table.
///
/// # Errors
/// [`ErrorKind::Conflict`] when it exists; it is not changed.
pub(in crate::cli) fn create(path: &Path, table: &MigTable) -> Result<()> {
    let written = Folder::of_file(path)
        .and_then(|(folder, name)| folder.add(name, &table.to_bytes(), SHARED_FILE));
    match written {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Err(Error::new(
            ErrorKind::Conflict,
            format!("{} already exists", path.display()),
        )
        .with_hint(
            "choose another name, or change this table with gpoctl migtable set, remove or populate",
        )),
        written => written.map_err(|cause| not_written(path, cause)),
    }
}

/// Replaces the file of a table; a concurrent reader sees either the old table or the new one, complete. A symbolic link of
/// the caller's and the permissions are kept.
pub(in crate::cli) fn replace(path: &Path, table: &MigTable) -> Result<()> {
    let replaced = || -> io::Result<()> {
        let (folder, name) = Folder::of_linked_file(path)?;
        // The other bits would give a program of another user this user's rights.
        let mode = folder.mode_of(&name)? & 0o777;
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
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

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
        symlink("a.migtable", &link).unwrap();
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

    #[test]
    #[ignore = "needs root"]
    fn a_link_of_another_user_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a.migtable"), dir.path().join("link"));
        create(&file, &MigTable::new()).unwrap();
        symlink(&file, &link).unwrap();
        let (_, mut table) = load(&link).unwrap();
        table
            .set(r"\\a\b", EntryType::UncPath, Destination::SameAsSource)
            .unwrap();
        let before = fs::read(&file).unwrap();
        lchown(&link, Some(65_534), Some(65_534)).unwrap();
        let error = replace(&link, &table).unwrap_err();
        assert!(
            error.to_string().contains("belongs to another user"),
            "{error}"
        );
        assert_eq!(fs::read(&file).unwrap(), before);
        // A link in the middle of the path is one as well.
        let folder = dir.path().join("folder");
        symlink(".", &folder).unwrap();
        replace(&folder.join("a.migtable"), &table).unwrap();
        lchown(&folder, Some(65_534), Some(65_534)).unwrap();
        replace(&folder.join("a.migtable"), &table).unwrap_err();
        symlink("endless", dir.path().join("endless")).unwrap();
        replace(&dir.path().join("endless"), &table).unwrap_err();
    }

    #[test]
    fn a_named_pipe_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe.migtable");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let error = load(&pipe).unwrap_err();
        assert!(
            error.to_string().contains("it is not a plain file"),
            "{error}"
        );
    }
}
