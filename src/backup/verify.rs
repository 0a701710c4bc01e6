//! Whether backups are unchanged since they were written, and whether manifest.xml lists them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use super::folder::{Folder, Kind};
use super::list::MAX_MANIFEST;
use super::side_file::{self, FileHash};
use super::{BackupListEntry, MAX_TREE_BYTES, STAGING_PREFIX, damage, names, read};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::formats::bkup_info::BackupInst;
use crate::formats::manifest;
use crate::message::{Code, Severity, StatusMessage};
use crate::model::guid::Guid;
use crate::model::reference::Place;

/// The deepest folder that is verified, counted from the backup's own.
const MAX_DEPTH: usize = 72;

/// What is said of a backup, or of a file of one, that is gone.
const LOST: &[Code] = &[Code::ManifestWithoutBackup, Code::MissingFile];

/// How a folder of backups is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Soundness {
    /// Everything is there, and every file is what was written.
    Sound,
    /// Everything is there; of some backups nobody can tell whether their files were changed, because they have no hashes.
    NotVerifiable,
    /// A backup or a file is gone, or not what was written.
    Damaged,
}

/// What was found of a folder of backups.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The backups, oldest first, each with everything that is wrong with it.
    pub backups: Vec<BackupListEntry>,
    /// What is wrong with manifest.xml, and what was left beside it.
    pub manifest: Vec<StatusMessage>,
}

impl Verified {
    /// Damaged when any problem is an error.
    pub fn soundness(&self) -> Soundness {
        let of_backups = self.backups.iter().flat_map(|entry| &entry.problems);
        let mut problems = of_backups.chain(&self.manifest);
        if problems.any(|problem| problem.severity >= Severity::Error) {
            Soundness::Damaged
        } else if self.not_verifiable() > 0 {
            Soundness::NotVerifiable
        } else {
            Soundness::Sound
        }
    }

    /// How many backups have no hashes.
    pub fn not_verifiable(&self) -> usize {
        let lacks = |entry: &&BackupListEntry| {
            let mut problems = entry.problems.iter();
            problems.any(|problem| problem.code == Code::NotVerifiable)
        };
        self.backups.iter().filter(lacks).count()
    }
}

/// Verifies every backup in `dir`, or `dir` itself when it is a backup's own folder: its structure, that what Backup.xml
/// lists is there, the hashes, and that manifest.xml has one entry for each.
///
/// # Errors
/// As [`list`](super::list()), and [`ErrorKind::NotFound`] when there is no backup: a job that looks into the wrong folder, or one
/// that is not mounted, must not report success.
pub fn verify_all(dir: &Path) -> Result<Verified> {
    let mut backups = super::list(dir)?;
    if backups.is_empty() {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("no backup in {}", dir.display()),
        )
        .with_remedy(Remedy::NameFolderOfBackups));
    }
    for entry in &mut backups {
        if entry.present {
            entry.problems = problems_of(&entry.info.path);
        }
        // A list shows these, and an import does without the file; here it is asked whether all is there, and it is not.
        let lost = |problem: &&mut StatusMessage| LOST.contains(&problem.code);
        for problem in entry.problems.iter_mut().filter(lost) {
            problem.severity = Severity::Error;
        }
    }
    let is_one = matches!(backups.as_slice(), [one] if one.present && one.info.path == dir);
    let manifest = if is_one {
        Vec::new()
    } else {
        let mut found = of_manifest(dir, &backups);
        found.extend(leftovers(dir));
        found
    };
    Ok(Verified { backups, manifest })
}

/// Everything that is wrong with one backup.
fn problems_of(path: &Path) -> Vec<StatusMessage> {
    let failed = |error: Error| StatusMessage::error(Code::UnreadableBackup, error.to_string());
    let mut problems = match read(path) {
        Ok(stored) => stored.problems,
        Err(error) => vec![failed(error)],
    };
    match verify(path) {
        // What is wrong with the side file itself was found by reading it, too, and what Backup.xml lists has a hash. Of both
        // findings about a file, the one remains with which an import refuses the backup.
        Ok(found) => {
            problems.retain(|listed| !found.iter().any(|it| is_same_loss(listed, it)));
            problems.extend(found.into_iter().filter(|found| {
                found.severity == Severity::Error || found.code != Code::MalformedSideFile
            }))
        }
        Err(error) => problems.push(failed(error)),
    }
    problems
}

/// Whether Backup.xml lists a file that is missing, and the hashes lack the same one.
fn is_same_loss(listed: &StatusMessage, by_hash: &StatusMessage) -> bool {
    if (listed.code, by_hash.code) != (Code::MissingFile, Code::MissingFile) {
        return false;
    }
    let path = |message: &StatusMessage| {
        let place = message.place.as_ref();
        place.map(|place| place.file.replace('\\', "/").to_lowercase())
    };
    let folder = format!("{}/{}/", names::DOMAIN_SYSVOL, names::GPO).to_lowercase();
    let listed = path(listed).map(|path| format!("{folder}{path}"));
    listed.is_some() && listed == path(by_hash)
}

/// How manifest.xml and the folders beside it agree, but for backups that are gone. It is a cache, so nothing here makes a
/// backup useless.
fn of_manifest(dir: &Path, backups: &[BackupListEntry]) -> Vec<StatusMessage> {
    let warn = |code: Code, text: String| {
        StatusMessage::warning(code, text).at(Place::file(names::MANIFEST))
    };
    let hint =
        "GPMC shows what manifest.xml lists; the next backup into this folder brings it up to date";
    let read = Folder::open(dir).and_then(|folder| match folder.find(names::MANIFEST)? {
        Some((name, _)) => folder.read(&name, MAX_MANIFEST).map(Some),
        None => Ok(None),
    });
    let entries = match read {
        Ok(None) if backups.is_empty() => return Vec::new(),
        Ok(None) => {
            let text = "is missing".to_owned();
            return vec![warn(Code::NoManifest, text).with_hint(hint)];
        }
        Ok(Some(bytes)) => match manifest::entries(&bytes) {
            Ok(entries) => entries,
            Err(error) => {
                let text = format!("cannot be read: {error}");
                return vec![warn(Code::MalformedManifest, text).with_hint(hint)];
            }
        },
        Err(error) => {
            return vec![warn(
                Code::MalformedManifest,
                format!("cannot be read: {error}"),
            )];
        }
    };
    let mut found = Vec::new();
    let mut by_id: HashMap<Guid, Vec<&BackupInst>> = HashMap::new();
    for inst in &entries {
        if let Ok(id) = inst.id.parse() {
            by_id.entry(id).or_default().push(inst);
        }
    }
    for entry in backups.iter().filter(|entry| entry.present) {
        let Some(id) = entry.info.id else { continue };
        let listed = by_id.get(&id).map(Vec::as_slice).unwrap_or_default();
        let who = || format!("{id} of GPO \"{}\"", entry.info.display_name);
        match listed {
            [] => found.push(warn(
                Code::NotInManifest,
                format!("does not list the backup {}", who()),
            )),
            [one] => {
                let same = one.gpo_guid.parse().ok() == entry.info.gpo_guid
                    && one.backup_time == entry.info.backup_time
                    && one.gpo_display_name == entry.info.display_name;
                if !same {
                    found.push(warn(
                        Code::ManifestDiffers,
                        format!(
                            "the entry of the backup {} differs from its bkupInfo.xml",
                            who()
                        ),
                    ));
                }
            }
            several => found.push(warn(
                Code::ListedTwice,
                format!("lists the backup {} {} times", who(), several.len()),
            )),
        }
    }
    found
}

/// What unfinished operations left in a folder of backups: staging areas, and folders of backups with nothing in them.
fn leftovers(dir: &Path) -> Vec<StatusMessage> {
    let Ok(folder) = Folder::open(dir) else {
        return Vec::new();
    };
    let leftover = |name: String, kind: Kind| {
        let message = if name.starts_with(STAGING_PREFIX) {
            StatusMessage::warning(
                Code::LeftoverStaging,
                "the staging area of a backup that is being written, or that was not finished",
            )
            .with_hint("remove it when no backup is being written to the folder")
        } else if kind == Kind::Folder
            && name.parse::<Guid>().is_ok()
            && let Ok(below) = folder.folder(&name)
            && below.entries().is_ok_and(|entries| entries.is_empty())
        {
            StatusMessage::warning(
                Code::EmptyFolder,
                "the folder of a backup, with nothing in it",
            )
            .with_hint("remove it, and back up the GPO again")
        } else {
            return None;
        };
        Some(message.at(Place::file(name)))
    };
    let entries = folder.entries().unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|(name, kind)| leftover(name.ok()?, kind))
        .collect()
}

/// Compares every file of a backup with the hashes that were recorded when gpoctl wrote it. No message means that all is
/// as it was written. A backup of another program has no hashes: one warning, `not-verifiable`. The hashes show damage
/// and careless edits; who edits a backup on purpose can edit them too.
///
/// # Errors
/// [`ErrorKind::NotFound`] when the folder cannot be opened; [`ErrorKind::BadInput`] when it cannot be read to its end.
pub fn verify(dir: &Path) -> Result<Vec<StatusMessage>> {
    let folder = Folder::open(dir).map_err(|error| {
        Error::new(
            ErrorKind::NotFound,
            format!("cannot open the backup folder {}", dir.display()),
        )
        .with_source(error)
    })?;
    verify_open(&folder)
}

/// As [`verify`], of a folder that is open already.
pub(super) fn verify_open(folder: &Folder) -> Result<Vec<StatusMessage>> {
    let bad = |error: io::Error| {
        Error::new(
            ErrorKind::BadInput,
            format!("cannot verify the backup {}", folder.path.display()),
        )
        .with_source(error)
    };
    let Some((name, _)) = folder.find(names::SIDE_FILE).map_err(bad)? else {
        return Ok(vec![damage::not_verifiable()]);
    };
    let side = side_file::read(folder, &name);
    let Some(files) = side.files else {
        return Ok(vec![damage::no_hashes()]);
    };
    // By the folded path: a backup may have been on a file system that changed the case of its names.
    let mut expected: BTreeMap<String, (String, FileHash)> = files
        .into_iter()
        .map(|(path, hash)| (path.to_lowercase(), (path, hash)))
        .collect();
    let mut messages = side.problems;
    compare(folder, "", 0, &mut expected, &mut messages).map_err(bad)?;
    messages.extend(
        expected
            .into_values()
            .map(|(path, _)| damage::missing().at(Place::file(path))),
    );
    Ok(messages)
}

/// Compares the content of a folder and removes it from what is expected.
fn compare(
    folder: &Folder,
    above: &str,
    depth: usize,
    expected: &mut BTreeMap<String, (String, FileHash)>,
    messages: &mut Vec<StatusMessage>,
) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Err(io::Error::other("folders are nested too deep"));
    }
    for (name, kind) in folder.entries()? {
        let (name, readable) = match name {
            Ok(name) => (name, true),
            Err(name) => (name, false),
        };
        let path = format!("{above}{name}");
        let message = match kind {
            Kind::Folder if readable => {
                let below = folder.folder(&name)?;
                compare(&below, &format!("{path}/"), depth + 1, expected, messages)?;
                continue;
            }
            Kind::File if path.eq_ignore_ascii_case(names::SIDE_FILE) => continue,
            Kind::File if readable => match expected.remove(&path.to_lowercase()) {
                Some((_, hash)) if hash == FileHash::of(&folder.read(&name, MAX_TREE_BYTES)?) => {
                    continue;
                }
                Some(_) => damage::changed(),
                None => damage::added(),
            },
            _ => StatusMessage::error(Code::NotAFile, "it is neither a plain file nor a folder"),
        };
        messages.push(message.at(Place::file(path)));
    }
    Ok(())
}
