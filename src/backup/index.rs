//! manifest.xml as writers keep it: one at a time, under a lock, replaced in one step.

use std::collections::HashSet;
use std::fs::{self, TryLockError};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::folder::{Folder, Kind, PRIVATE_FILE};
use super::list::{MAX_BKUP_INFO, MAX_MANIFEST};
use super::names;
use crate::formats::bkup_info::{self, BackupInst};
use crate::formats::manifest::{self, Manifest};
use crate::formats::verbatim::ToGpmcBytes as _;
use crate::model::guid::Guid;

/// The file that is locked while manifest.xml is changed. It is kept: removing it would let two writers hold two locks.
const LOCK: &str = ".gpoctl.lock";

/// How long another writer of manifest.xml is waited for: each holds the lock for the time of one small file.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two attempts to get the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// Enters backups in manifest.xml. One that is there already under its ID is replaced: another writer may have made the
/// manifest again after the backup got its name and before it was entered.
pub(super) fn enter(dir: &Folder, new: &[BackupInst]) -> io::Result<()> {
    change(dir, |backups| {
        let ids: HashSet<&str> = new.iter().map(|inst| inst.id.as_str()).collect();
        backups.retain(|inst| !ids.contains(inst.id.as_str()));
        backups.extend_from_slice(new);
    })
}

/// Takes a backup out of manifest.xml; `false` when there was no entry of it, and no manifest.xml is made then.
pub(super) fn leave(dir: &Folder, id: Guid) -> io::Result<bool> {
    if dir.find(names::MANIFEST)?.is_none() {
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

/// Takes the lock of a folder of backups.
pub(super) fn lock(folder: &Folder, patience: Duration) -> io::Result<fs::File> {
    let begun = Instant::now();
    let file = folder.lock_file(LOCK)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!(
                        "another process has held the lock {} for {} seconds",
                        folder.path.join(LOCK).display(),
                        patience.as_secs()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Changes manifest.xml under the lock. Backups that are there and that it does not list are entered, as after a writer that
/// was killed; one that is missing or cannot be read is recreated, and one that cannot be read is kept under another name.
fn change(folder: &Folder, change: impl FnOnce(&mut Vec<BackupInst>)) -> io::Result<()> {
    // Released when it is closed, also when the process is killed.
    let _lock = lock(folder, PATIENCE)?;
    let found = folder.find(names::MANIFEST)?.map(|(name, _)| name);
    let read = match &found {
        Some(name) => Some(folder.read(name, MAX_MANIFEST)?),
        None => None,
    };
    let name = found.as_deref().unwrap_or(names::MANIFEST);
    let mut manifest = match read.map(|bytes| manifest::entries(&bytes)) {
        // An entry with nothing in it identifies no backup; written out, it is many times as long.
        Some(Ok(read)) => Manifest {
            backups: read
                .into_iter()
                .filter(|inst| *inst != BackupInst::default())
                .collect(),
        },
        Some(Err(_)) => {
            let kept = format!("{}.unreadable-{}", names::MANIFEST, Guid::new_random());
            folder.rename(name, folder, kept)?;
            Manifest::default()
        }
        None => Manifest::default(),
    };
    let missing = not_listed(folder, &manifest.backups)?;
    manifest.backups.extend(missing);
    change(&mut manifest.backups);
    folder.replace(name, &manifest.to_gpmc_bytes(), PRIVATE_FILE)
}

/// The entries of backups that are in the folder and not in the list.
fn not_listed(dir: &Folder, listed: &[BackupInst]) -> io::Result<Vec<BackupInst>> {
    let mut known: HashSet<Guid> = listed
        .iter()
        .filter_map(|inst| inst.id.parse().ok())
        .collect();
    let mut found = Vec::new();
    for (name, kind) in dir.entries()? {
        let Ok(name) = name else { continue };
        // A backup of gpoctl or GPMC is named by its ID, so most need not be opened.
        let listed = name.parse().is_ok_and(|id| known.contains(&id));
        if kind != Kind::Folder || name.starts_with('.') || listed {
            continue;
        }
        let Some(inst) = dir.folder(&name).ok().and_then(|below| inst(&below)) else {
            continue;
        };
        if inst.id.parse().is_ok_and(|id| known.insert(id)) {
            found.push(inst);
        }
    }
    Ok(found)
}

/// The entry in the bkupInfo.xml of a backup, if it can be read.
fn inst(folder: &Folder) -> Option<BackupInst> {
    let (name, _) = folder.find(names::BKUP_INFO).ok()??;
    let bytes = folder.read(&name, MAX_BKUP_INFO).ok()?;
    Some(bkup_info::parse(&bytes).ok()?.value)
}
