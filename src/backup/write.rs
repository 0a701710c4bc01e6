//! Writing backups: each of them whole or not at all.
//!
//! A backup is first staged in a folder beside its place, then many are committed together: synced, renamed into place,
//! and entered in manifest.xml. Syncing each file by itself would cost more than everything else.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compose::{Composed, compose, inst};
use super::side_file::{FileHash, SideFile};
use super::{BackupInfo, index, names};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::bkup_info::BackupInst;
use crate::formats::gpreport;
use crate::formats::verbatim::ToGpmcBytes as _;
use crate::model::backup_context::BackupContext;
use crate::model::gpt_tree::Node;
use crate::model::guid::Guid;
use crate::model::snapshot::GpoSnapshot;

/// The longest comment GPMC accepts, in UTF-16 units.
pub const MAX_COMMENT: usize = 2047;

/// From how many files and folders on the whole file system is synced at once, where that can be done.
const SYNC_AT_ONCE: usize = 64;

/// A backup that is written, but not yet in its place. Dropping it removes it.
#[derive(Debug)]
pub struct Staged {
    folder: tempfile::TempDir,
    place: PathBuf,
    inst: BackupInst,
    /// Every file and folder, children before their folders.
    written: Vec<PathBuf>,
}

/// Writes a backup of `snapshot` and what stands around it into a new folder of `dir`, which is made if it is not there,
/// and enters it in manifest.xml. `now` is the time of the backup, `YYYY-MM-DDTHH:MM:SS` in UTC. Files are readable for
/// their owner alone.
///
/// The backup is written beside its place, synced, and renamed when it is whole: either all of it is there or nothing. A
/// manifest.xml that is missing or cannot be read is made anew from the backups that are there; one that cannot be read is
/// kept under another name.
///
/// # Errors
/// [`ErrorKind::Usage`] when the comment is longer than [`MAX_COMMENT`] or `now` is not a time; [`ErrorKind::Internal`] when
/// the disk refuses, in which case there is no new backup, or [`ErrorKind::Incomplete`] when the backup is there and only
/// manifest.xml could not be changed.
pub fn write(
    dir: &Path,
    snapshot: &GpoSnapshot,
    context: &BackupContext,
    comment: &str,
    now: &str,
) -> Result<BackupInfo> {
    let staged = stage(dir, snapshot, context, comment, now)?;
    commit(dir, vec![staged])
        .pop()
        .unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "nothing was written")))
}

/// Writes a backup beside its place, as [`write()`] does; [`commit`] puts it there.
///
/// # Errors
/// As [`write()`], and nothing is left.
pub fn stage(
    dir: &Path,
    snapshot: &GpoSnapshot,
    context: &BackupContext,
    comment: &str,
    now: &str,
) -> Result<Staged> {
    check(comment, now)?;
    let id = Guid::new_random();
    let composed = compose(snapshot);
    let inst = inst(snapshot, id, comment, now, composed.si_present);
    let place = dir.join(id.to_string());
    stage_folder(dir, &place, snapshot, context, composed, inst)
        .map_err(|error| cannot_write(&place, error))
}

/// Checks what a caller may get wrong.
///
/// # Errors
/// [`ErrorKind::Usage`] when the comment is longer than [`MAX_COMMENT`] or `now` is not a time.
pub fn check(comment: &str, now: &str) -> Result<()> {
    if comment.encode_utf16().count() > MAX_COMMENT {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("the comment is longer than {MAX_COMMENT} characters"),
        ));
    }
    if !is_time(now) {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "\"{}\" is not a time of the form YYYY-MM-DDTHH:MM:SS",
                now.escape_debug()
            ),
        ));
    }
    Ok(())
}

/// Makes a folder for backups, readable for its owner alone; one that is there stays as it is.
///
/// # Errors
/// [`ErrorKind::Internal`] when the disk refuses.
pub fn make_folder(dir: &Path) -> Result<()> {
    make_dir(dir).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot make the folder {}", dir.display()),
        )
        .with_source(error)
    })
}

/// Puts staged backups of `dir` in their places and enters them in manifest.xml, once for all. Each has an outcome of its
/// own, in the same order.
pub fn commit(dir: &Path, staged: Vec<Staged>) -> Vec<Result<BackupInfo>> {
    if let Err(error) = sync_all(dir, &staged) {
        let error = Arc::new(error);
        return staged
            .iter()
            .map(|staged| Err(cannot_write(&staged.place, io::Error::other(error.clone()))))
            .collect();
    }
    let outcomes: Vec<Result<(BackupInst, PathBuf)>> = staged
        .into_iter()
        .map(
            |staged| match fs::rename(staged.folder.path(), &staged.place) {
                Ok(()) => {
                    // The folder has left its temporary name, so there is nothing to remove any more.
                    let _ = staged.folder.keep();
                    Ok((staged.inst, staged.place))
                }
                Err(error) => Err(cannot_write(&staged.place, error)),
            },
        )
        .collect();
    let new: Vec<BackupInst> = outcomes
        .iter()
        .flatten()
        .map(|(inst, _)| inst.clone())
        .collect();
    let entered = sync_dir(dir)
        .and_then(|()| index::enter(dir, &new))
        .map_err(Arc::new);
    outcomes
        .into_iter()
        .map(|outcome| {
            let (inst, place) = outcome?;
            match &entered {
                Ok(()) => Ok(BackupInfo::new(&inst, &place).0),
                Err(error) => Err(not_entered(dir, &place, error.clone())),
            }
        })
        .collect()
}

fn cannot_write(place: &Path, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("cannot write the backup {}", place.display()),
    )
    .with_source(error)
}

fn not_entered(dir: &Path, place: &Path, error: Arc<io::Error>) -> Error {
    Error::new(
        ErrorKind::Incomplete,
        format!(
            "the backup {} is complete, but {} could not be changed",
            place.display(),
            dir.join(names::MANIFEST).display()
        ),
    )
    .with_source(error)
    .with_hint("the backup can be used; GPMC lists it once manifest.xml names it")
}

fn is_time(text: &str) -> bool {
    text.len() == 19
        && text
            .bytes()
            .zip("0000-00-00T00:00:00".bytes())
            .all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                _ => byte == form,
            })
}

fn stage_folder(
    dir: &Path,
    place: &Path,
    snapshot: &GpoSnapshot,
    context: &BackupContext,
    composed: Composed,
    inst: BackupInst,
) -> io::Result<Staged> {
    make_dir(dir)?;
    let folder = tempfile::Builder::new()
        .prefix(super::STAGING_PREFIX)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(dir)?;
    let root = folder.path();
    let mut written = Vec::new();
    let mut files = BTreeMap::new();
    let mut write = |path: String, bytes: &[u8]| -> io::Result<()> {
        let full = root.join(&path);
        write_new(&full, bytes)?;
        written.push(full);
        files.insert(path, FileHash::of(bytes));
        Ok(())
    };
    let tree = format!("{}/{}", names::DOMAIN_SYSVOL, names::GPO);
    let mut folders = vec![
        root.to_owned(),
        root.join(names::DOMAIN_SYSVOL),
        root.join(&tree),
    ];
    make_dir(&root.join(&tree))?;
    for (path, node) in snapshot.tree.entries() {
        let path = format!("{tree}/{}", path.to_slashes());
        match node {
            Node::Dir => {
                let full = root.join(path);
                make_dir(&full)?;
                folders.push(full);
            }
            Node::File(bytes) => write(path, bytes)?,
        }
    }
    write(names::BACKUP.to_owned(), &composed.backup.to_gpmc_bytes())?;
    write(names::BKUP_INFO.to_owned(), &inst.to_gpmc_bytes())?;
    let report = gpreport::write(snapshot, context, &inst.backup_time);
    write(names::REPORT.to_owned(), &report)?;
    let side = SideFile::new(
        snapshot,
        context,
        &inst.backup_time,
        files,
        composed.other_directory_objects,
    );
    let side = serde_json::to_vec_pretty(&side).map_err(io::Error::other)?;
    let full = root.join(names::SIDE_FILE);
    write_new(&full, &side)?;
    written.push(full);
    written.extend(folders.into_iter().rev());
    Ok(Staged {
        folder,
        place: place.to_owned(),
        inst,
        written,
    })
}

/// Brings everything that was staged to the disk.
fn sync_all(dir: &Path, staged: &[Staged]) -> io::Result<()> {
    let count: usize = staged.iter().map(|staged| staged.written.len()).sum();
    if count >= SYNC_AT_ONCE && sync_file_system(dir)? {
        return Ok(());
    }
    for path in staged.iter().flat_map(|staged| &staged.written) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

/// Syncs the file system that holds a folder; `false` where that cannot be done.
#[cfg(target_os = "linux")]
fn sync_file_system(dir: &Path) -> io::Result<bool> {
    rustix::fs::syncfs(File::open(dir)?)?;
    Ok(true)
}

/// Syncs the file system that holds a folder; `false` where that cannot be done.
#[cfg(not(target_os = "linux"))]
fn sync_file_system(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Makes a folder and those above it, for the owner alone; one that is there stays as it is.
fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
