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
    refuse_exchangeable(path, what)?;
    Ok(file)
}

/// Refuses a path that another user can make lead elsewhere: who owns a folder or a link on the way to a file, or can write in the
/// folder, exchanges the file for another one of the caller's.
///
/// A folder in which everyone can write is safe where it keeps what others own there (sticky), as `/tmp` does. One that a group can
/// write is left to root, or to the owner when it is the group of that user alone, which has the same number.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub(crate) fn refuse_exchangeable(path: &Path, what: &str) -> Result<()> {
    let refused = |at: &Path, why: &str| {
        let text = format!(
            "the {what} {} could be exchanged by another user, who {why} {}",
            path.display(),
            at.display()
        );
        Error::new(ErrorKind::Usage, text)
            .with_hint("check its content and copy it to a folder that only you can change")
    };
    let unreadable = |cause| {
        let text = format!("the {what} {} cannot be read", path.display());
        Error::new(ErrorKind::Usage, text).with_source(cause)
    };
    let given = std::path::absolute(path).map_err(unreadable)?;
    // With every link followed.
    let real = std::fs::canonicalize(path).map_err(unreadable)?;
    let own = rustix::process::geteuid().as_raw();
    for way in [&given, &real] {
        // The root folder belongs to whoever runs the system, whatever its number is in a container.
        for at in way.ancestors().filter(|at| at.parent().is_some()) {
            let metadata = std::fs::symlink_metadata(at).map_err(unreadable)?;
            let (uid, mode) = (metadata.uid(), metadata.permissions().mode());
            let is_step = metadata.is_symlink() || metadata.is_dir();
            if is_step && uid != own && uid != 0 {
                return Err(refused(at, "owns"));
            }
            let by_group = mode & 0o020 != 0 && uid != 0 && metadata.gid() != uid;
            let keeps = mode & 0o1000 != 0;
            if metadata.is_dir() && !keeps && (mode & 0o002 != 0 || by_group) {
                return Err(refused(at, "can write in"));
            }
        }
    }
    Ok(())
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
    fn a_folder_in_which_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let plan = inner.join("plan.json");
        std::fs::write(&plan, "x").unwrap();
        std::fs::set_permissions(&plan, std::fs::Permissions::from_mode(0o600)).unwrap();
        let linked = folder.path().join("linked.json");
        std::os::unix::fs::symlink(&plan, &linked).unwrap();
        for (at, mode, is_refused) in [
            (&inner, 0o755, false),
            (&inner, 0o777, true),
            (&inner, 0o1777, false),
            (&inner, 0o700, false),
            (&folder.path().to_owned(), 0o777, true),
            (&folder.path().to_owned(), 0o700, false),
        ] {
            std::fs::set_permissions(at, std::fs::Permissions::from_mode(mode)).unwrap();
            for file in [&plan, &linked] {
                let opened = read(file, "plan", 16);
                assert_eq!(opened.is_err(), is_refused, "{mode:o}: {opened:?}");
            }
        }
    }

    #[test]
    #[ignore = "needs root"]
    fn folders_and_links_of_other_users_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = with_mode(0o600);
        let linked = folder.path().join("plan.json");
        std::os::unix::fs::symlink(file.path(), &linked).unwrap();
        assert!(read(&linked, "plan", 16).is_ok());
        std::os::unix::fs::lchown(&linked, Some(65_534), None).unwrap();
        let error = read(&linked, "plan", 16).unwrap_err();
        assert!(error.message().contains("who owns"), "{error}");
        std::os::unix::fs::lchown(&linked, Some(0), None).unwrap();
        std::os::unix::fs::chown(folder.path(), Some(65_534), None).unwrap();
        let error = read(&linked, "plan", 16).unwrap_err();
        assert!(error.message().contains("who owns"), "{error}");
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
