//! Writing backups: each of them whole or not at all.
//!
//! A backup is first staged in a folder beside its place, then many are committed together: synced, renamed into place,
//! and entered in manifest.xml. Syncing each file by itself would cost more than everything else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compose::{Composed, compose, inst};
use super::folder::{Folder, Identity, PRIVATE_FILE};
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

/// A folder that backups are written into. It is opened once: what other users rename or link afterwards does not lead elsewhere.
#[derive(Debug, Clone)]
pub struct Target(Arc<Folder>);

/// A backup that is written, but not yet in its place. Dropping it removes it.
#[derive(Debug)]
pub struct Staged {
    target: Target,
    staging: Staging,
    inst: BackupInst,
}

/// The folder a backup is in until it has its place; `None` once it has.
#[derive(Debug)]
struct Staging {
    folder: Arc<Folder>,
    name: Option<(String, Identity)>,
    /// How many files and folders were written.
    count: usize,
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some((name, identity)) = self.name.take()
            && let Err(error) = self.folder.remove_folder(&name, identity)
        {
            tracing::debug!(%error, name, "what was staged is left behind");
        }
    }
}

impl Staged {
    /// The name of the backup's folder.
    fn name(&self) -> &str {
        &self.inst.id
    }

    /// Its path once it has its place, for messages and lists.
    fn place(&self) -> PathBuf {
        self.target.0.path.join(self.name())
    }

    fn sync(&self) -> io::Result<()> {
        match &self.staging.name {
            Some((name, identity)) => self.target.0.same_folder(name, *identity)?.sync_tree(),
            None => Ok(()),
        }
    }

    /// Gives it its place.
    fn settle(&mut self) -> io::Result<()> {
        if let Some((name, identity)) = &self.staging.name {
            self.target
                .0
                .rename_folder(name, &self.inst.id, *identity)?;
            self.staging.name = None;
        }
        Ok(())
    }
}

/// Writes a backup of `snapshot` and its context into a new folder of `dir`, which is created when it does not exist,
/// and enters it in manifest.xml. `now` is the time of the backup, `YYYY-MM-DDTHH:MM:SS` in UTC. Files are readable for
/// their owner alone.
///
/// The backup is written beside its place, synced, and renamed when it is whole: either all of it is there or nothing. A
/// manifest.xml that is missing or cannot be read is recreated from the existing backups; one that cannot be read is
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
    check(comment, now)?;
    let target = open(dir)?;
    let staged = stage(&target, snapshot, context, comment, now)?;
    commit(&target, vec![staged])
        .pop()
        .unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "nothing was written")))
}

/// Writes a backup beside its place, as [`write()`] does; [`commit`] puts it there.
///
/// # Errors
/// As [`write()`], and nothing is left.
pub fn stage(
    target: &Target,
    snapshot: &GpoSnapshot,
    context: &BackupContext,
    comment: &str,
    now: &str,
) -> Result<Staged> {
    check(comment, now)?;
    let id = Guid::new_random();
    let composed = compose(snapshot);
    let inst = inst(snapshot, id, comment, now, composed.si_present);
    let place = target.0.path.join(&inst.id);
    stage_folder(target, snapshot, context, composed, inst)
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

/// Opens a folder for backups; one that does not exist is made, readable for its owner alone.
///
/// # Errors
/// [`ErrorKind::Internal`] when the disk refuses.
pub fn open(dir: &Path) -> Result<Target> {
    Folder::open_or_make(dir)
        .map(|folder| Target(Arc::new(folder)))
        .map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                format!("cannot open or create the folder {}", dir.display()),
            )
            .with_source(error)
        })
}

/// Puts the staged backups of a folder in their places and enters them in manifest.xml, once for all. Each has an outcome of its
/// own, in the order they are given.
///
/// # Errors
/// As [`write()`]; when the disk does not take them, none of them is there.
pub fn commit(target: &Target, staged: Vec<Staged>) -> Vec<Result<BackupInfo>> {
    if let Err(error) = sync_all(target, &staged) {
        let error = Arc::new(error);
        return staged
            .iter()
            .map(|staged| {
                Err(cannot_write(
                    &staged.place(),
                    io::Error::other(error.clone()),
                ))
            })
            .collect();
    }
    let outcomes: Vec<Result<(BackupInst, PathBuf)>> = staged
        .into_iter()
        .map(|mut staged| match staged.settle() {
            Ok(()) => Ok((staged.inst.clone(), staged.place())),
            Err(error) => Err(cannot_write(&staged.place(), error)),
        })
        .collect();
    let new: Vec<BackupInst> = outcomes
        .iter()
        .flatten()
        .map(|(inst, _)| inst.clone())
        .collect();
    let dir = &target.0;
    let entered = dir
        .sync()
        .and_then(|()| index::enter(dir, &new))
        .map_err(Arc::new);
    outcomes
        .into_iter()
        .map(|outcome| {
            let (inst, place) = outcome?;
            match &entered {
                Ok(()) => Ok(BackupInfo::new(&inst, &place).0),
                Err(error) => Err(not_entered(&dir.path, &place, error.clone())),
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
    target: &Target,
    snapshot: &GpoSnapshot,
    context: &BackupContext,
    composed: Composed,
    inst: BackupInst,
) -> io::Result<Staged> {
    let (name, root) = target.0.make_staging(super::STAGING_PREFIX)?;
    let mut staged = Staged {
        staging: Staging {
            folder: Arc::clone(&target.0),
            name: Some((name, root.identity()?)),
            count: 1,
        },
        target: target.clone(),
        inst,
    };
    let mut files = BTreeMap::new();
    let sysvol = root.make_and_open(names::DOMAIN_SYSVOL)?;
    let tree = sysvol.make_and_open(names::GPO)?;
    for (path, node) in snapshot.tree.entries() {
        let (folder, name) = tree.below(path.components())?;
        match node {
            Node::Dir => folder.make_folder(name)?,
            Node::File(bytes) => {
                folder.write_new(name, bytes, PRIVATE_FILE)?;
                let path = path.to_slashes();
                let path = format!("{}/{}/{path}", names::DOMAIN_SYSVOL, names::GPO);
                files.insert(path, FileHash::of(bytes));
            }
        }
        staged.staging.count += 1;
    }
    let report = gpreport::write(snapshot, context, &staged.inst.backup_time);
    for (name, bytes) in [
        (names::BACKUP, composed.backup.to_gpmc_bytes()),
        (names::BKUP_INFO, staged.inst.to_gpmc_bytes()),
        (names::REPORT, report),
    ] {
        root.write_new(name, &bytes, PRIVATE_FILE)?;
        files.insert(name.to_owned(), FileHash::of(&bytes));
        staged.staging.count += 1;
    }
    let side = SideFile::new(
        snapshot,
        context,
        &staged.inst.backup_time,
        files,
        composed.other_directory_objects,
    );
    let side = serde_json::to_vec_pretty(&side).map_err(io::Error::other)?;
    root.write_new(names::SIDE_FILE, &side, PRIVATE_FILE)?;
    Ok(staged)
}

/// Brings everything that was staged to the disk.
fn sync_all(target: &Target, staged: &[Staged]) -> io::Result<()> {
    let count: usize = staged.iter().map(|staged| staged.staging.count).sum();
    if count >= SYNC_AT_ONCE && target.0.sync_file_system()? {
        return Ok(());
    }
    staged.iter().try_for_each(Staged::sync)
}
