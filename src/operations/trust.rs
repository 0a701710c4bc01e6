//! Plans and journals are taken from files that nobody but the caller and root could have written.

use std::fs::{File, Metadata};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::error::{Error, ErrorKind, Result};

/// The bytes of a plan that was saved, or of a file of a journal; `what` names it in errors, such as `plan`.
///
/// # Errors
/// `NotFound` when there is none; `Denied` when it is not a regular file, or belongs to another user than the caller or
/// root, or when others can write it; `BadInput` when it cannot be read.
pub fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    // A named pipe would wait for somebody to write into it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let failed = |kind, cause: std::io::Error| {
        Error::new(kind, format!("cannot read the {what} {}", path.display())).with_source(cause)
    };
    let mut file: File = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|cause| failed(ErrorKind::NotFound, cause.into()))?
        .into();
    let metadata = file
        .metadata()
        .map_err(|cause| failed(ErrorKind::BadInput, cause))?;
    if !metadata.is_file() {
        return Err(Error::new(
            ErrorKind::Denied,
            format!("the {what} {} is not a regular file", path.display()),
        ));
    }
    refuse_others(path, &metadata, what)?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes)
        .map_err(|cause| failed(ErrorKind::BadInput, cause))?;
    Ok(bytes)
}

/// Refuses a file or folder that another user owns or can write.
///
/// # Errors
/// `Denied`, with the command that mends it.
pub(super) fn refuse_others(path: &Path, metadata: &Metadata, what: &str) -> Result<()> {
    let shown = path.display();
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own && metadata.uid() != 0 {
        return Err(Error::new(
            ErrorKind::Denied,
            format!("the {what} {shown} belongs to another user"),
        )
        .with_hint("gpoctl trusts only plans and journals of yours or root's"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(Error::new(
            ErrorKind::Denied,
            format!("the {what} {shown} can be written by other users (mode {mode:03o})"),
        )
        .with_hint(format!("check its content, then run: chmod go-w {shown}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};

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
            let outcome = read(&file, "plan");
            assert_eq!(outcome.is_err(), refused, "{mode:o}");
            if let Err(error) = outcome {
                assert_eq!(error.kind(), ErrorKind::Denied);
                assert!(error.to_string().contains("can be written"), "{error}");
            }
        }
        // Another user's, where the test may give files away.
        set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
            let error = read(&file, "plan").unwrap_err();
            assert!(error.to_string().contains("another user"), "{error}");
        }
        // Neither a folder nor a named pipe is waited for.
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [folder.path(), &pipe] {
            let error = read(path, "plan").unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
        let error = read(&folder.path().join("none"), "plan").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
