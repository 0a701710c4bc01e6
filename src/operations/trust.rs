//! Plans and journals are taken from files that nobody but the caller and root could have written.

use std::io::Read as _;
use std::path::Path;

use crate::auth::trusted_file::{self, Readers};
use crate::error::{Error, ErrorKind, Result};

/// The most bytes of a plan: the files of a GPO, as much as a backup may hold, grow by a third in base64.
pub const MAX_PLAN_BYTES: u64 = 2 << 30;
/// The most bytes of the events of a journal.
pub const MAX_EVENT_BYTES: u64 = 64 << 20;

/// The bytes of a plan that was saved, or of a file of a journal, if they are at most `limit`; `what` names it in errors,
/// such as `plan`.
///
/// # Errors
/// `NotFound` when there is none; `Usage` when it is not a regular file, or belongs to another user than the caller or
/// root, or when others can write it; `BadInput` when it cannot be read or is larger.
pub fn read(path: &Path, what: &str, limit: u64) -> Result<Vec<u8>> {
    let failed = |kind| Error::new(kind, format!("cannot read the {what} {}", path.display()));
    if std::fs::symlink_metadata(path)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    {
        return Err(failed(ErrorKind::NotFound));
    }
    let mut bytes = Vec::new();
    trusted_file::open(path, what, Readers::Anyone)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|cause| failed(ErrorKind::BadInput).with_source(cause))?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read <= limit) {
        return Ok(bytes);
    }
    let shown = path.display();
    Err(Error::new(
        ErrorKind::BadInput,
        format!("the {what} {shown} has more than {limit} bytes"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_above_the_limit_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), "1234").unwrap();
        assert_eq!(read(file.path(), "plan", 4).unwrap(), b"1234");
        let error = read(file.path(), "plan", 3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert!(error.message().ends_with("more than 3 bytes"), "{error}");
    }

    #[test]
    fn what_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        write(&file, "x").unwrap();
        for (mode, refused) in [
            (0o600, false),
            (0o644, false),
            (0o620, true),
            (0o602, true),
            (0o666, true),
        ] {
            set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let outcome = read(&file, "plan", 16);
            assert_eq!(outcome.is_err(), refused, "{mode:o}");
            if let Err(error) = outcome {
                assert_eq!(error.kind(), ErrorKind::Usage);
                assert!(error.to_string().contains("can be written"), "{error}");
            }
        }
        // Another user's, where the test may give files away.
        set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
            let error = read(&file, "plan", 16).unwrap_err();
            assert!(error.to_string().contains("another user"), "{error}");
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
