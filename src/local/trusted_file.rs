//! Files that decide who logs in where: they must belong to the caller or to root, and no other user may write them.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::error::{Error, ErrorKind, Result};

/// Who may read the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Anyone: it contains no secret.
    Anyone,
    /// Its owner alone.
    Owner,
}

/// Opens a file to read it. `what` names it in errors, such as `password file`.
///
/// # Errors
/// [`ErrorKind::Usage`] when it cannot be opened, is not a regular file, belongs to another user than the caller or root,
/// or when others can write it, or read it although only its owner may.
pub(crate) fn open(path: &Path, what: &str, readers: Readers) -> Result<File> {
    let shown = path.display();
    let bad = |why: &str| Error::new(ErrorKind::Usage, format!("the {what} {shown} {why}"));
    // A named pipe would wait for somebody to write into it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file: File = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|cause| bad("cannot be opened").with_source(std::io::Error::from(cause)))?
        .into();
    let metadata = file
        .metadata()
        .map_err(|cause| bad("cannot be read").with_source(cause))?;
    if metadata.is_dir() {
        return Err(bad("is a directory"));
    }
    if !metadata.is_file() {
        return Err(bad("is not a regular file"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if readers == Readers::Owner && mode & 0o077 != 0 {
        return Err(
            bad(&format!("can be read by other users (mode {mode:03o})")).with_hint(format!(
                "run chmod 600 {shown}, and change the password if others can log in here"
            )),
        );
    }
    refuse_others(path, &metadata, what)?;
    Ok(file)
}

/// Refuses a file or folder that another user owns or can write.
///
/// # Errors
/// [`ErrorKind::Usage`], with the command that repairs it.
pub(crate) fn refuse_others(path: &Path, metadata: &Metadata, what: &str) -> Result<()> {
    let shown = path.display();
    let bad = |why: &str| Error::new(ErrorKind::Usage, format!("the {what} {shown} {why}"));
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own && metadata.uid() != 0 {
        return Err(bad("belongs to another user")
            .with_hint(format!("run chown {own} {shown} if its content is yours")));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(
            bad(&format!("can be written by other users (mode {mode:03o})"))
                .with_hint(format!("run chmod go-w {shown} after checking its content")),
        );
    }
    Ok(())
}

/// Reads a file of at most `limit` bytes, such as a saved plan. `what` names it in errors.
///
/// # Errors
/// `NotFound` when there is none; `Usage` when it is not a regular file, or belongs to another user than the caller or
/// root, or when others can write it; `BadInput` when it cannot be read or is larger.
pub(crate) fn read(path: &Path, what: &str, limit: u64) -> Result<Vec<u8>> {
    if std::fs::symlink_metadata(path)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    {
        let missing = format!("the {what} {} does not exist", path.display());
        return Err(Error::new(ErrorKind::NotFound, missing));
    }
    let file = open(path, what, Readers::Anyone)?;
    bounded(file, path, what, limit, ErrorKind::BadInput)
}

/// As [`read`], for a file that settings name: the configuration, authorities. Whatever is wrong with it is `Usage`.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub(crate) fn read_setting(path: &Path, what: &str, limit: u64) -> Result<Vec<u8>> {
    let file = open(path, what, Readers::Anyone)?;
    bounded(file, path, what, limit, ErrorKind::Usage)
}

fn bounded(file: File, path: &Path, what: &str, limit: u64, kind: ErrorKind) -> Result<Vec<u8>> {
    let shown = path.display();
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|cause| {
            Error::new(kind, format!("cannot read the {what} {shown}")).with_source(cause)
        })?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read <= limit) {
        return Ok(bytes);
    }
    Err(Error::new(
        kind,
        format!("the {what} {shown} has more than {limit} bytes"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_mode(mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn files_that_others_can_write_are_refused() {
        for mode in [0o620, 0o602, 0o666] {
            let file = with_mode(mode);
            let error = open(file.path(), "ticket cache", Readers::Anyone).unwrap_err();
            assert!(error.message().contains("can be written"), "{error}");
            assert_eq!(error.kind(), ErrorKind::Usage);
        }
        assert!(open(with_mode(0o644).path(), "x", Readers::Anyone).is_ok());
        let error = open(with_mode(0o644).path(), "x", Readers::Owner).unwrap_err();
        assert!(error.message().contains("can be read"), "{error}");
    }

    #[test]
    #[ignore = "needs root"]
    fn files_of_other_users_are_refused() {
        let file = with_mode(0o600);
        std::os::unix::fs::chown(file.path(), Some(65_534), None).unwrap();
        for readers in [Readers::Owner, Readers::Anyone] {
            let error = open(file.path(), "password file", readers).unwrap_err();
            assert!(error.message().contains("another user"), "{error}");
        }
        let error = read(file.path(), "plan", 16).unwrap_err();
        assert!(error.message().contains("another user"), "{error}");
    }

    #[test]
    fn files_of_root_are_accepted() {
        assert!(open(Path::new("/etc/passwd"), "x", Readers::Anyone).is_ok());
    }

    #[test]
    fn a_named_pipe_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap();
        assert!(made.success());
        let error = open(&pipe, "password file", Readers::Owner).unwrap_err();
        assert!(
            error.message().ends_with("is not a regular file"),
            "{error}"
        );
        let error = open(folder.path(), "password file", Readers::Owner).unwrap_err();
        assert!(error.message().ends_with("is a directory"), "{error}");
    }

    #[test]
    fn a_file_above_the_limit_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "1234").unwrap();
        assert_eq!(read(file.path(), "plan", 4).unwrap(), b"1234");
        let error = read(file.path(), "plan", 3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert!(error.message().ends_with("more than 3 bytes"), "{error}");
    }

    #[test]
    fn reading_refuses_what_others_can_write() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        std::fs::write(&file, "x").unwrap();
        for (mode, refused) in [
            (0o600, false),
            (0o644, false),
            (0o620, true),
            (0o602, true),
            (0o666, true),
        ] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let outcome = read(&file, "plan", 16);
            assert_eq!(outcome.is_err(), refused, "{mode:o}");
            if let Err(error) = outcome {
                assert_eq!(error.kind(), ErrorKind::Usage);
                assert!(error.to_string().contains("can be written"), "{error}");
            }
        }
        // Neither a folder nor a named pipe is waited for.
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for (path, words) in [
            (folder.path(), "is a directory"),
            (&pipe, "not a regular file"),
        ] {
            let error = read(path, "plan", 16).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        let error = read(&folder.path().join("none"), "plan", 16).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
