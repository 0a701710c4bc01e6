//! `gpoctl.json`, a file of gpoctl's own in each backup it writes: the hash of every file, where the backup came from, and
//! what GPMC's format has no place for. GPMC does not look at it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::folder::{Folder, Kind};
use super::{MAX_TREE_BYTES, names};
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::model::directory_object::DirectoryObject;
use crate::model::reference::Place;
use crate::model::version::GpoVersion;

/// The largest side file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// The deepest folder that is verified, counted from the backup's own.
const MAX_DEPTH: usize = 72;

/// The content of `gpoctl.json`. It may only grow.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct SideFile {
    pub(super) format_version: u32,
    /// Name and version of the program that wrote the backup.
    pub(super) tool: String,
    pub(super) domain_controller: String,
    /// `Version` of GPT.INI; `None` when the GPO had none.
    pub(super) sysvol_version: Option<GpoVersion>,
    pub(super) directory_version: GpoVersion,
    /// UTC, as in bkupInfo.xml.
    pub(super) backup_time: String,
    /// By path below the backup's folder, with forward slashes: every file but this one.
    pub(super) files: BTreeMap<String, FileHash>,
    /// The objects below the GPO that are not part of a saved class store.
    #[serde(default)]
    pub(super) other_directory_objects: Vec<DirectoryObject>,
}

/// Size and hash of a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct FileHash {
    pub(super) size: u64,
    /// In lower-case hexadecimal.
    pub(super) sha256: String,
}

impl FileHash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Self {
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// Reads the side file of a backup under its name on disk.
pub(super) fn read(folder: &Folder, name: &str) -> io::Result<SideFile> {
    let bytes = folder.read(name, MAX_BYTES)?;
    serde_json::from_slice(&bytes).map_err(io::Error::other)
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
    let bad = |error: io::Error| {
        Error::new(
            ErrorKind::BadInput,
            format!("cannot verify the backup {}", dir.display()),
        )
        .with_source(error)
    };
    let Some((name, _)) = folder.find(names::SIDE_FILE).map_err(bad)? else {
        return Ok(vec![StatusMessage::warning(
            "not-verifiable",
            "the backup was not written by gpoctl, so there are no hashes to compare it with",
        )]);
    };
    let mut expected = match read(&folder, &name) {
        Ok(side) => side.files,
        Err(error) => {
            return Ok(vec![StatusMessage::error(
                "malformed-side-file",
                format!("cannot read {}: {error}", names::SIDE_FILE),
            )]);
        }
    };
    let mut messages = Vec::new();
    compare(&folder, "", 0, &mut expected, &mut messages).map_err(bad)?;
    messages.extend(expected.into_keys().map(|path| {
        StatusMessage::error("missing-file", "the file is no longer in the backup")
            .at(Place::file(path))
    }));
    Ok(messages)
}

/// Compares what lies in a folder and takes it from what is expected.
fn compare(
    folder: &Folder,
    above: &str,
    depth: usize,
    expected: &mut BTreeMap<String, FileHash>,
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
            Kind::File if path == names::SIDE_FILE => continue,
            Kind::File if readable => match expected.remove(&path) {
                Some(hash) if hash == FileHash::of(&folder.read(&name, MAX_TREE_BYTES)?) => {
                    continue;
                }
                Some(_) => StatusMessage::error(
                    "changed-file",
                    "the file is not what it was when the backup was written",
                ),
                None => StatusMessage::error(
                    "added-file",
                    "the file was added after the backup was written",
                ),
            },
            _ => StatusMessage::error("not-a-file", "it is neither a plain file nor a folder"),
        };
        messages.push(message.at(Place::file(path)));
    }
    Ok(())
}
