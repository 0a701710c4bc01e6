//! Removing one backup.

use crate::message::Code;
use std::path::Path;

use super::folder::Folder;
use super::{BackupInfo, index, list, names, read, verify};
use crate::error::{Error, ErrorKind, Result};
use crate::model::guid::Guid;

/// What a backup's own folder holds. Everything else in it belongs to somebody else.
const OWN: &[&str] = &[
    names::BACKUP,
    names::BKUP_INFO,
    names::REPORT,
    names::SIDE_FILE,
    names::DOMAIN_SYSVOL,
];

/// The name of a backup that was taken from its place.
const REMOVED: &str = "backup";

/// Removes the backup in `path`, its `{BACKUP-ID}` folder, and its entry in the manifest.xml beside that folder. It is first
/// taken from its place in one step, so that it is never found incomplete.
///
/// # Errors
/// [`ErrorKind::NotFound`] when `path` is not the folder of a backup; [`ErrorKind::Conflict`] when it contains
/// something, at any depth, that is not part of it, such as a migration table, and [`ErrorKind::BadInput`] when it cannot be read to its
/// end, so that this is unknown: nothing is removed then. [`ErrorKind::Internal`] when the disk refuses;
/// [`ErrorKind::Incomplete`] when the backup is gone and manifest.xml, or what was taken away, could not follow.
pub fn delete(path: &Path) -> Result<BackupInfo> {
    let not_a_backup = || {
        Error::new(
            ErrorKind::NotFound,
            format!("{} is not the folder of a backup", path.display()),
        )
        .with_hint("name the {ID} folder of a backup")
    };
    let refused = |error: std::io::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot remove the backup {}", path.display()),
        )
        .with_source(error)
    };
    let missing = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => not_a_backup(),
        _ => refused(error),
    };
    let here = match path.file_name() {
        Some(_) => path.to_owned(),
        // The folder in which the caller is; its path has no links.
        None if path == Path::new(".") => std::env::current_dir().map_err(refused)?,
        None => return Err(not_a_backup()),
    };
    let path = here.as_path();
    let (home, name) = Folder::of_file(path).map_err(missing)?;
    // A link to a backup is not a backup: what would be taken away is not what was named.
    let folder = home.folder(name).map_err(|error| {
        let is_link = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
        if is_link {
            not_a_backup()
        } else {
            missing(error)
        }
    })?;
    let dir = home.path.as_path();
    let identity = folder.identity().map_err(refused)?;
    let entry = list::entry(&folder)
        .map_err(refused)?
        .ok_or_else(not_a_backup)?;
    let mut foreign: Vec<String> = folder
        .entries()
        .map_err(refused)?
        .into_iter()
        .map(|(name, _)| name.unwrap_or_else(|name| name))
        .filter(|name| !OWN.iter().any(|own| own.eq_ignore_ascii_case(name)))
        .collect();
    if foreign.is_empty() {
        foreign.extend(first_added(folder)?);
    }
    if !foreign.is_empty() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "the backup {} also contains files that are not part of it: {}",
                path.display(),
                foreign.join(", ")
            ),
        )
        .with_hint("move it elsewhere first"));
    }
    let (away, emptied) = home.make_staging(super::STAGING_PREFIX).map_err(refused)?;
    let taken = home
        .rename(name, &emptied, REMOVED)
        .and_then(|()| emptied.same_folder(REMOVED, identity));
    if let Err(error) = taken {
        let _ = emptied.rename(REMOVED, &home, name);
        let _ = emptied
            .identity()
            .and_then(|identity| home.remove_folder(&away, identity));
        return Err(refused(error));
    }
    let left = match entry.info.id {
        // Copies of one backup share its ID and its entry.
        Some(id) if !is_there_again(dir, id) => index::leave(&home, id).map(drop),
        _ => Ok(()),
    };
    left.map_err(|error| {
        Error::new(
            ErrorKind::Incomplete,
            format!(
                "the backup {} is removed, but {} could not be changed",
                path.display(),
                dir.join(names::MANIFEST).display()
            ),
        )
        .with_source(error)
    })?;
    let removed = emptied
        .identity()
        .and_then(|identity| home.remove_folder(&away, identity));
    removed.map_err(|error| {
        Error::new(
            ErrorKind::Incomplete,
            format!(
                "the backup {} is removed, but not all of it",
                path.display()
            ),
        )
        .with_source(error)
        .with_hint(format!("remove {}", dir.join(&away).display()))
    })?;
    Ok(entry.info)
}

/// Takes an entry out of the manifest.xml of `dir` whose backup's folder is not there any more.
///
/// # Errors
/// [`ErrorKind::NotFound`] when manifest.xml has none of this ID; [`ErrorKind::Conflict`] when the backup is there;
/// [`ErrorKind::Internal`] when manifest.xml cannot be changed.
pub fn forget(dir: &Path, id: Guid) -> Result<()> {
    let manifest = dir.join(names::MANIFEST);
    if is_there_again(dir, id) {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the backup {id} is in {}", dir.display()),
        ));
    }
    match Folder::open_to_write(dir).and_then(|folder| index::leave(&folder, id)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(
            ErrorKind::NotFound,
            format!("{} does not list the backup {id}", manifest.display()),
        )),
        Err(error) => Err(Error::new(
            ErrorKind::Internal,
            format!("cannot change {}", manifest.display()),
        )
        .with_source(error)),
    }
}

/// The first file below a backup's folder that is not part of the backup: one without a recorded hash, or one that Backup.xml
/// does not list where there are no hashes. When neither can be read, nothing is known to be part of it.
fn first_added(folder: Folder) -> Result<Option<String>> {
    let mut problems = verify::verify_open(&folder)?;
    let mut code = Code::AddedFile;
    if problems
        .iter()
        .any(|problem| [Code::NotVerifiable, Code::MalformedSideFile].contains(&problem.code))
    {
        let read = read::read_open(folder);
        problems = read.map(|stored| stored.problems).unwrap_or_default();
        code = Code::UnlistedFile;
    }
    let added = problems.into_iter().find(|problem| problem.code == code);
    Ok(added
        .and_then(|problem| problem.place)
        .map(|place| place.to_string()))
}

/// Whether another folder of `dir` is a backup of this ID.
fn is_there_again(dir: &Path, id: Guid) -> bool {
    list(dir).is_ok_and(|entries| {
        entries
            .iter()
            .any(|entry| entry.present && entry.info.id == Some(id))
    })
}
