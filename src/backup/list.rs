//! Listing and finding backups.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::folder::{self, Folder, Kind};
use super::{BackupInfo, BackupListEntry, names, side_file};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::formats::bkup_info::{self, BackupInst};
use crate::formats::manifest;
use crate::message::{Code, StatusMessage, printable};
use crate::model::guid::Guid;

/// The largest bkupInfo.xml that is read, in bytes; real ones have about one thousand.
pub(super) const MAX_BKUP_INFO: u64 = 1 << 20;
/// The largest manifest.xml that is read, in bytes.
pub(super) const MAX_MANIFEST: u64 = 64 << 20;
/// How many backups that only manifest.xml lists are returned one by one. Real ones list a handful; a crafted one, hundreds of
/// thousands, which nobody reads.
const MAX_ONLY_LISTED: usize = 100;
/// The shortest prefix of an ID that identifies a backup, in characters.
const MIN_PREFIX: usize = 4;

/// The backups in `dir`, oldest first, those of one moment by the name of their GPO: every folder in it that holds a bkupInfo.xml
/// or a Backup.xml, or `dir` itself when it is such a folder. bkupInfo.xml and gpoctl.json are read, and manifest.xml beside
/// them. A broken backup is listed with its problems; so is a folder that is named by a GUID and cannot be read, and an entry of
/// manifest.xml whose folder is not there. Links are not followed. Entries of manifest.xml without an ID, repeated ones and those
/// beyond the first 100 are returned as one, with their number.
///
/// # Errors
/// [`ErrorKind::NotFound`] when `dir` cannot be opened, [`ErrorKind::BadInput`] when it cannot be read.
pub fn list(dir: &Path) -> Result<Vec<BackupListEntry>> {
    list_up_to(dir, MAX_ONLY_LISTED)
}

/// As [`list`], with at most this number of backups that only manifest.xml lists.
fn list_up_to(dir: &Path, only_listed: usize) -> Result<Vec<BackupListEntry>> {
    let folder = Folder::open(dir).map_err(|error| {
        let error = Error::new(
            ErrorKind::NotFound,
            format!("cannot open the backup folder {}", dir.display()),
        )
        .with_source(error);
        if folder::is_zip(dir) {
            error.with_hint("it is a ZIP archive; unpack it, and name the folder")
        } else {
            error
                .with_hint("name the folder that contains the backups")
                .with_remedy(Remedy::NameFolderOfBackups)
        }
    })?;
    let bad = |error: io::Error| {
        Error::new(
            ErrorKind::BadInput,
            format!("cannot read {}", dir.display()),
        )
        .with_source(error)
    };
    if let Some(entry) = entry(&folder).map_err(bad)? {
        return Ok(vec![entry]);
    }
    let mut found = Vec::new();
    for (name, kind) in folder.entries().map_err(bad)? {
        let Ok(name) = name else { continue };
        // The names of unfinished backups begin with a dot.
        if kind != Kind::Folder || name.starts_with('.') {
            continue;
        }
        match folder.folder(&name).and_then(|below| entry(&below)) {
            Ok(backup) => found.extend(backup),
            Err(error) if name.parse::<Guid>().is_ok() => found.push(BackupListEntry {
                info: BackupInfo::unknown(&dir.join(&name)),
                present: true,
                problems: vec![StatusMessage::error(
                    Code::UnreadableBackup,
                    format!("cannot read the folder: {error}"),
                )],
            }),
            // Any other folder may be anybody's.
            Err(_) => {}
        }
    }
    found.extend(only_in_manifest(&folder, &found, only_listed));
    found.sort_by_cached_key(|entry| {
        let info = &entry.info;
        let name = info.display_name.to_lowercase();
        (info.backup_time.clone(), name, info.path.clone())
    });
    Ok(found)
}

/// Of a list of backups, the newest of each GPO that is there. A backup that does not name its GPO is kept: it is unknown what
/// it is the newest of.
pub fn latest(entries: Vec<BackupListEntry>) -> Vec<BackupListEntry> {
    let mut newest: HashMap<(Guid, String), usize> = HashMap::new();
    let mut kept: Vec<Option<BackupListEntry>> = Vec::new();
    // The list is in order of time, so the later one wins.
    for entry in entries.into_iter().filter(|entry| entry.present) {
        if let Some(guid) = entry.info.gpo_guid {
            let gpo = (guid, entry.info.domain.to_lowercase());
            let older = newest
                .insert(gpo, kept.len())
                .and_then(|older| kept.get_mut(older));
            if let Some(older) = older {
                *older = None;
            }
        }
        kept.push(Some(entry));
    }
    kept.into_iter().flatten().collect()
}

/// The entry of a folder, if it is a backup.
pub(super) fn entry(folder: &Folder) -> io::Result<Option<BackupListEntry>> {
    let mut problems = Vec::new();
    let has_backup = folder.find(names::BACKUP)?.is_some();
    let bkup_info = folder.find(names::BKUP_INFO)?;
    if !has_backup && bkup_info.is_none() {
        return Ok(None);
    }
    if !has_backup {
        problems.push(StatusMessage::error(
            Code::NoBackupXml,
            "there is no Backup.xml: nothing can be imported from this backup",
        ));
    }
    let read = bkup_info.map(|(name, _)| {
        folder
            .read(&name, MAX_BKUP_INFO)
            .map_err(|error| error.to_string())
            .and_then(|bytes| bkup_info::parse(&bytes).map_err(|error| error.to_string()))
    });
    let info = match read {
        Some(Ok(inst)) => {
            let (info, found) = BackupInfo::new(&inst.value, &folder.path);
            problems.extend(found);
            info
        }
        Some(Err(reason)) => {
            problems.push(StatusMessage::error(
                Code::MalformedBkupinfo,
                format!("cannot read bkupInfo.xml: {reason}"),
            ));
            BackupInfo::unknown(&folder.path)
        }
        None => {
            problems.push(StatusMessage::warning(
                Code::NoBkupinfo,
                "there is no bkupInfo.xml: the backup's GPO, time and comment are not known",
            ));
            BackupInfo::unknown(&folder.path)
        }
    };
    if let Ok(Some((name, _))) = folder.find(names::SIDE_FILE) {
        let side = side_file::read(folder, &name);
        problems.extend(side.problems);
        problems.extend(side_file::partial(&side.context));
    }
    Ok(Some(BackupListEntry {
        info,
        present: true,
        problems,
    }))
}

/// What manifest.xml lists beyond the backups that were found: at most `limit` entries, and one for all others. A manifest that
/// cannot be read lists nothing: it is a cache.
fn only_in_manifest(
    folder: &Folder,
    found: &[BackupListEntry],
    limit: usize,
) -> Vec<BackupListEntry> {
    let Some((name, _)) = folder.find(names::MANIFEST).ok().flatten() else {
        return Vec::new();
    };
    let Some(manifest) = folder
        .read(&name, MAX_MANIFEST)
        .ok()
        .and_then(|bytes| manifest::entries(&bytes).ok())
    else {
        return Vec::new();
    };
    let mut known: HashSet<Guid> = found.iter().filter_map(|entry| entry.info.id).collect();
    let present = known.clone();
    let mut listed = Vec::new();
    let mut others = 0_usize;
    for inst in &manifest {
        let id = inst.id.parse::<Guid>().ok();
        if id.is_some_and(|id| present.contains(&id)) {
            continue;
        }
        match id {
            Some(id) if listed.len() < limit && known.insert(id) => {
                listed.push(only_listed(inst, id, folder));
            }
            _ => others += 1,
        }
    }
    if others > 0 {
        let noun = if others == 1 { "entry" } else { "entries" };
        listed.push(BackupListEntry {
            info: BackupInfo::unknown(&folder.path.join(names::MANIFEST)),
            present: false,
            problems: vec![StatusMessage::warning(
                Code::ManifestWithoutBackup,
                format!(
                    "manifest.xml has {others} other {noun} without a backup: the ID is missing or repeated, or the folder does not exist"
                ),
            )],
        });
    }
    listed
}

/// An entry of manifest.xml whose folder does not exist.
fn only_listed(inst: &BackupInst, id: Guid, folder: &Folder) -> BackupListEntry {
    let path = folder.path.join(id.to_string());
    let (info, mut problems) = BackupInfo::new(inst, &path);
    problems.push(StatusMessage::warning(
        Code::ManifestWithoutBackup,
        format!(
            "manifest.xml lists the backup {id} of GPO \"{}\", but its folder does not exist",
            printable(&info.display_name)
        ),
    ));
    BackupListEntry {
        info,
        present: false,
        problems,
    }
}

/// The folder of the backup that `spec` identifies: the path of a `{BACKUP-ID}` folder or, with `backup_dir`, the ID of a
/// backup in it, a unique prefix of one, or the GUID or display name of a GPO, of which the newest backup is taken; a path
/// has a slash in it then. Names are compared without regard to case. A whole GUID is never taken for a display name.
///
/// # Errors
/// [`ErrorKind::NotFound`] when nothing matches; [`ErrorKind::Conflict`] when several different things do: IDs, backups of
/// different GPOs of one name, or a backup that was copied; and as [`list`].
pub fn resolve(spec: &str, backup_dir: Option<&Path>) -> Result<PathBuf> {
    if let Some(dir) = backup_dir {
        let entries: Vec<BackupListEntry> = list(dir)?
            .into_iter()
            .filter(|entry| entry.present)
            .collect();
        if let Some(path) = find(spec, &entries)? {
            return Ok(path);
        }
    }
    let path = Path::new(spec);
    // What is looked for in a folder must not turn out to be something in the current one.
    let may_be_path = backup_dir.is_none() || spec.contains('/');
    let is_backup = |folder: Folder| matches!(entry(&folder), Ok(Some(_)));
    if may_be_path && Folder::open(path).is_ok_and(is_backup) {
        return Ok(path.to_owned());
    }
    let error = Error::new(
        ErrorKind::NotFound,
        match backup_dir {
            Some(dir) => format!("there is no backup \"{spec}\" in {}", dir.display()),
            None => format!("\"{spec}\" is not the folder of a backup"),
        },
    );
    Err(error.with_remedy(match backup_dir {
        Some(dir) => Remedy::ListBackups(dir.to_owned()),
        None if list(path).is_ok_and(|backups| !backups.is_empty()) => {
            Remedy::GiveAsFolderOfBackups(path.to_owned())
        }
        None => Remedy::NameBackupOrFolder,
    }))
}

/// The one backup of `dir` that `spec` names by its ID, by at least four characters of the beginning of its ID, or by its
/// path; never by the GPO, which may have several. It may be listed in manifest.xml alone.
///
/// # Errors
/// [`ErrorKind::Usage`] when `spec` is none of these; [`ErrorKind::NotFound`] when no backup of `dir` is meant;
/// [`ErrorKind::Conflict`] when several are; and as [`list`].
pub fn find_by_id(spec: &str, dir: &Path) -> Result<BackupListEntry> {
    let not_found = || {
        Error::new(
            ErrorKind::NotFound,
            format!("there is no backup \"{spec}\" in {}", dir.display()),
        )
        .with_remedy(Remedy::ListBackups(dir.to_owned()))
    };
    let is_path = spec.contains('/');
    let bare = spec.strip_prefix('{').unwrap_or(spec);
    let prefix = bare.strip_suffix('}').unwrap_or(bare).to_ascii_uppercase();
    let id_like = prefix.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !is_path && (prefix.len() < MIN_PREFIX || !id_like) {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "\"{spec}\" is neither the ID of a backup nor its first {MIN_PREFIX} or more characters"
            ),
        )
        .with_remedy(Remedy::ListBackups(dir.to_owned())));
    }
    // An entry of manifest.xml beyond those that are shown can be removed too.
    let entries = list_up_to(dir, usize::MAX)?;
    let home = dir.canonicalize().ok();
    let place = Path::new(spec).canonicalize().ok();
    let mut found: Vec<BackupListEntry> = entries
        .into_iter()
        .filter(|entry| {
            if !entry.present {
                return !is_path && begins(entry.info.id, &prefix);
            }
            // `dir` may itself be a backup, which is then the one that is listed.
            let path = entry.info.path.canonicalize().ok();
            let inside = path.as_deref().and_then(Path::parent) == home.as_deref();
            inside
                && match is_path {
                    true => path == place,
                    false => begins(entry.info.id, &prefix),
                }
        })
        .collect();
    // manifest.xml may list one that is gone more than once.
    found.dedup_by(|a, b| !a.present && !b.present && a.info.id == b.info.id);
    match <[BackupListEntry; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(none) if none.is_empty() => Err(not_found()),
        Err(several) => Err(ambiguous(spec, &several.iter().collect::<Vec<_>>())),
    }
}

/// Whether an ID begins with these characters, in upper case and without a brace.
fn begins(id: Option<Guid>, prefix: &str) -> bool {
    id.is_some_and(|id| id.bare().starts_with(prefix))
}

fn ambiguous(spec: &str, several: &[&BackupListEntry]) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("\"{spec}\" matches {} backups", several.len()),
    )
    .with_candidates(several.iter().map(|entry| {
        let info = &entry.info;
        format!(
            "{}  {}  \"{}\" of {}",
            info.backup_time,
            info.path.display(),
            info.display_name,
            info.domain
        )
    }))
    .with_hint("use the path of its {ID} folder, or its ID")
}

fn find(spec: &str, entries: &[BackupListEntry]) -> Result<Option<PathBuf>> {
    if spec.is_empty() {
        return Ok(None);
    }
    let guid: Option<Guid> = spec.parse().ok();
    let folded = spec.to_lowercase();
    let prefix = spec.trim_start_matches('{').to_ascii_uppercase();
    let by_id = |entry: &&BackupListEntry| guid.is_some() && entry.info.id == guid;
    // A whole GUID is a GUID: a display name that looks like one must not redirect a command.
    let by_gpo = |entry: &&BackupListEntry| match guid {
        Some(_) => entry.info.gpo_guid == guid,
        None => entry.info.display_name.to_lowercase() == folded,
    };
    let by_prefix = |entry: &&BackupListEntry| {
        guid.is_none() && prefix.len() >= MIN_PREFIX && begins(entry.info.id, &prefix)
    };
    let mut candidates: Vec<&BackupListEntry> = entries.iter().filter(by_id).collect();
    if candidates.is_empty() {
        candidates = newest_of_each_gpo(entries.iter().filter(by_gpo));
        let named: Vec<&Path> = candidates.iter().map(|entry| &*entry.info.path).collect();
        let others: Vec<&BackupListEntry> = entries
            .iter()
            .filter(by_prefix)
            .filter(|entry| !named.contains(&&*entry.info.path))
            .collect();
        candidates.extend(others);
    }
    match candidates.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.info.path.clone())),
        several => Err(ambiguous(spec, several)),
    }
}

/// The newest backup of each GPO among these. One that does not name its GPO counts as that of a GPO of its own.
fn newest_of_each_gpo<'a>(
    entries: impl Iterator<Item = &'a BackupListEntry>,
) -> Vec<&'a BackupListEntry> {
    let mut newest: Vec<&BackupListEntry> = Vec::new();
    for entry in entries {
        let same = |other: &&mut &BackupListEntry| {
            entry.info.gpo_guid.is_some()
                && other.info.gpo_guid == entry.info.gpo_guid
                && other.info.domain.eq_ignore_ascii_case(&entry.info.domain)
        };
        match newest.iter_mut().find(same) {
            Some(other) if other.info.backup_time <= entry.info.backup_time => *other = entry,
            Some(_) => {}
            None => newest.push(entry),
        }
    }
    newest
}
