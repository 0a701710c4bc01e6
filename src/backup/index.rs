//! manifest.xml as writers keep it: one at a time, under a lock, replaced in one step.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use super::folder::Folder;
use super::list::{MAX_BKUP_INFO, MAX_MANIFEST};
use super::{list, names, write};
use crate::formats::bkup_info::{self, BackupInst};
use crate::formats::kept::Written as _;
use crate::formats::manifest::{self, Manifest};
use crate::model::guid::Guid;

/// The file that is locked while manifest.xml is changed. It stays: removing it would let two writers hold two locks.
const LOCK: &str = ".gpoctl.lock";

/// Enters backups in manifest.xml. One that is there already under its ID is replaced: another writer may have made the
/// manifest anew after the backup got its name and before it was entered.
pub(super) fn enter(dir: &Path, new: &[BackupInst]) -> io::Result<()> {
    change(dir, |backups| {
        let ids: HashSet<&str> = new.iter().map(|inst| inst.id.as_str()).collect();
        backups.retain(|inst| !ids.contains(inst.id.as_str()));
        backups.extend_from_slice(new);
    })
}

/// Takes a backup out of manifest.xml; `false` when there was no entry of it, and no manifest.xml is made then.
pub(super) fn leave(dir: &Path, id: Guid) -> io::Result<bool> {
    if Folder::open(dir)?.find(names::MANIFEST)?.is_none() {
        return Ok(false);
    }
    let mut left = false;
    change(dir, |backups| {
        let before = backups.len();
        backups.retain(|inst| inst.id.parse() != Ok(id));
        left = backups.len() < before;
    })?;
    Ok(left)
}

/// Changes manifest.xml under the lock. One that is missing or cannot be read is made anew from the backups that are there;
/// one that cannot be read is kept under another name.
fn change(dir: &Path, change: impl FnOnce(&mut Vec<BackupInst>)) -> io::Result<()> {
    let folder = Folder::open(dir)?;
    // Released when it is closed, also when the process is killed.
    let lock = folder.lock_file(LOCK)?;
    lock.lock()?;
    let found = folder.find(names::MANIFEST)?.map(|(name, _)| name);
    let read = match &found {
        Some(name) => Some(folder.read(name, MAX_MANIFEST)?),
        None => None,
    };
    let path = dir.join(found.as_deref().unwrap_or(names::MANIFEST));
    let mut manifest = match read.map(|bytes| manifest::parse(&bytes)) {
        Some(Ok(read)) => read.value,
        Some(Err(_)) => {
            let kept = format!("{}.unreadable-{}", names::MANIFEST, Guid::new_random());
            fs::rename(&path, dir.join(kept))?;
            rebuilt(dir)?
        }
        None => rebuilt(dir)?,
    };
    change(&mut manifest.backups);
    let mut file = tempfile::Builder::new()
        .prefix(".gpoctl-")
        .tempfile_in(dir)?;
    file.write_all(&manifest.to_written())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    write::sync_dir(dir)
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
