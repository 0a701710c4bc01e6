//! Writing one backup: all of it or nothing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::compose::{Composed, compose, inst};
use super::folder::Folder;
use super::list::{MAX_BKUP_INFO, MAX_MANIFEST};
use super::side_file::{FileHash, SideFile};
use super::{BackupInfo, list, names};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::bkup_info::BackupInst;
use crate::formats::kept::Written as _;
use crate::formats::manifest::{self, Manifest};
use crate::formats::{bkup_info, gpreport};
use crate::model::gpt_tree::Node;
use crate::model::guid::Guid;
use crate::model::snapshot::GpoSnapshot;

/// The longest comment GPMC accepts, in UTF-16 units.
pub const MAX_COMMENT: usize = 2047;

/// The file that is locked while manifest.xml is changed.
const LOCK: &str = ".gpoctl.lock";

/// Writes a backup of `snapshot` into a new folder of `dir`, which is made if it is not there, and enters it in manifest.xml.
/// `now` is the time of the backup, `YYYY-MM-DDTHH:MM:SS` in UTC. Files are readable for their owner alone.
///
/// The backup is written beside its place, synced, and renamed when it is whole: either all of it is there or nothing. A
/// manifest.xml that is missing or cannot be read is made anew from the backups that are there; one that cannot be read is
/// kept under another name.
///
/// # Errors
/// [`ErrorKind::Usage`] when the comment is longer than [`MAX_COMMENT`] or `now` is not a time; [`ErrorKind::Internal`] when
/// the disk refuses, in which case there is no new backup, or [`ErrorKind::Incomplete`] when the backup is there and only
/// manifest.xml could not be changed.
pub fn write(dir: &Path, snapshot: &GpoSnapshot, comment: &str, now: &str) -> Result<BackupInfo> {
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
    let id = Guid::new_random();
    let composed = compose(snapshot);
    let inst = inst(snapshot, id, comment, now, composed.si_present);
    let place = dir.join(id.to_string());
    write_folder(dir, &place, snapshot, composed, &inst).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            format!("cannot write the backup {}", place.display()),
        )
        .with_source(error)
    })?;
    enter(dir, &inst).map_err(|error| {
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
    })?;
    Ok(BackupInfo::new(&inst, &place).0)
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

fn write_folder(
    dir: &Path,
    place: &Path,
    snapshot: &GpoSnapshot,
    composed: Composed,
    inst: &BackupInst,
) -> io::Result<()> {
    make_dir(dir)?;
    let temporary = tempfile::Builder::new()
        .prefix(".gpoctl-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(dir)?;
    let root = temporary.path();
    let mut files = BTreeMap::new();
    let mut write = |path: String, bytes: &[u8]| -> io::Result<()> {
        write_new(&root.join(&path), bytes)?;
        files.insert(path, FileHash::of(bytes));
        Ok(())
    };
    let tree = format!("{}/{}", names::DOMAIN_SYSVOL, names::GPO);
    make_dir(&root.join(&tree))?;
    for (path, node) in snapshot.tree.entries() {
        let path = format!("{tree}/{}", path.to_slashes());
        match node {
            Node::Dir => make_dir(&root.join(path))?,
            Node::File(bytes) => write(path, bytes)?,
        }
    }
    write(names::BACKUP.to_owned(), &composed.backup.to_written())?;
    write(names::BKUP_INFO.to_owned(), &inst.to_written())?;
    let report = gpreport::write(snapshot, &inst.backup_time);
    write(names::REPORT.to_owned(), &report)?;
    let side = SideFile {
        format_version: 1,
        tool: concat!("gpoctl ", env!("CARGO_PKG_VERSION")).to_owned(),
        domain_controller: snapshot.domain_controller.clone(),
        sysvol_version: snapshot.sysvol_version,
        directory_version: snapshot.directory_version,
        backup_time: inst.backup_time.clone(),
        files,
        other_directory_objects: composed.other_directory_objects,
    };
    let side = serde_json::to_vec_pretty(&side).map_err(io::Error::other)?;
    write_new(&root.join(names::SIDE_FILE), &side)?;
    for (path, node) in snapshot.tree.entries() {
        if *node == Node::Dir {
            sync_dir(&root.join(&tree).join(path.to_slashes()))?;
        }
    }
    sync_dir(&root.join(&tree))?;
    sync_dir(&root.join(names::DOMAIN_SYSVOL))?;
    sync_dir(root)?;
    fs::rename(root, place)?;
    // The folder has left its temporary name, so there is nothing to remove any more.
    let _ = temporary.keep();
    sync_dir(dir)
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
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Enters a backup in manifest.xml, one writer at a time.
fn enter(dir: &Path, inst: &BackupInst) -> io::Result<()> {
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(LOCK))?;
    lock.lock()?;
    let folder = Folder::open(dir)?;
    let found = folder.find(names::MANIFEST)?.map(|(name, _)| name);
    let read = match &found {
        Some(name) => Some(folder.read(name, MAX_MANIFEST)?),
        None => None,
    };
    let path = dir.join(found.as_deref().unwrap_or(names::MANIFEST));
    let manifest = match read.map(|bytes| manifest::parse(&bytes)) {
        Some(Ok(read)) => {
            let mut manifest = read.value;
            manifest.backups.push(inst.clone());
            manifest
        }
        Some(Err(_)) => {
            let kept = format!("{}.unreadable-{}", names::MANIFEST, inst.id);
            fs::rename(&path, dir.join(kept))?;
            rebuilt(dir)?
        }
        None => rebuilt(dir)?,
    };
    let mut file = tempfile::Builder::new()
        .prefix(".gpoctl-")
        .tempfile_in(dir)?;
    file.write_all(&manifest.to_written())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    sync_dir(dir)
}

/// A manifest of the backups that are in the folder.
fn rebuilt(dir: &Path) -> io::Result<Manifest> {
    let entries = list(dir).map_err(io::Error::other)?;
    let backups = entries
        .iter()
        .filter(|entry| entry.present && entry.info.id.is_some())
        .filter_map(|entry| {
            let folder = Folder::open(&entry.info.path).ok()?;
            let (name, _) = folder.find(names::BKUP_INFO).ok()??;
            let bytes = folder.read(&name, MAX_BKUP_INFO).ok()?;
            Some(bkup_info::parse(&bytes).ok()?.value)
        })
        .collect();
    Ok(Manifest { backups })
}
