//! Whether a backup that was read is what gpoctl wrote: its content against the hashes in gpoctl.json.

use std::collections::BTreeMap;

use super::folder::Folder;
use super::side_file::FileHash;
use super::{MAX_TREE_BYTES, names};
use crate::message::{Code, StatusMessage};
use crate::model::gpt_tree::GptTree;
use crate::model::reference::Place;

/// What differs from the recorded hashes, an error for each file. What was read is compared, not the disk again: a file that
/// changes meanwhile is not taken for the one that was checked.
pub(super) fn of(
    folder: &Folder,
    hashes: BTreeMap<String, FileHash>,
    backup_xml: &[u8],
    tree: &GptTree,
) -> Vec<StatusMessage> {
    // By the folded path: a backup may have been on a file system that changed the case of its names.
    let mut expected: BTreeMap<String, (String, FileHash)> = hashes
        .into_iter()
        .map(|(path, hash)| (path.to_lowercase(), (path, hash)))
        .collect();
    let mut found = Vec::new();
    let mut compare = |path: String, bytes: Option<&[u8]>| {
        let message = match (expected.remove(&path.to_lowercase()), bytes) {
            (Some((_, hash)), Some(bytes)) if hash == FileHash::of(bytes) => return,
            (Some(_), Some(_)) => changed(),
            (Some(_), None) => missing(),
            (None, Some(_)) => added(),
            (None, None) => return,
        };
        found.push(message.at(Place::file(path)));
    };
    compare(names::BACKUP.to_owned(), Some(backup_xml));
    for (path, bytes) in tree.files() {
        let path = path.to_slashes();
        let path = format!("{}/{}/{path}", names::DOMAIN_SYSVOL, names::GPO);
        compare(path, Some(bytes));
    }
    for name in [names::BKUP_INFO, names::REPORT] {
        let bytes = folder
            .find(name)
            .ok()
            .flatten()
            .and_then(|(name, _)| folder.read(&name, MAX_TREE_BYTES).ok());
        compare(name.to_owned(), bytes.as_deref());
    }
    found.extend(
        expected
            .into_values()
            .map(|(path, _)| missing().at(Place::file(path))),
    );
    found
}

/// There are no hashes: GPMC writes none, and who changes a file can delete gpoctl.json.
pub(super) fn not_verifiable() -> StatusMessage {
    StatusMessage::warning(
        Code::NotVerifiable,
        "this backup has no hashes, so changes of its files cannot be detected",
    )
    .with_hint(
        "only backups by gpoctl have hashes; use it only if no other user could write to its folder",
    )
}

/// The hashes are there and cannot be read.
pub(super) fn no_hashes() -> StatusMessage {
    StatusMessage::error(Code::MalformedSideFile, "the hashes cannot be read")
        .at(Place::file(names::SIDE_FILE))
}

/// A file has another content.
pub(super) fn changed() -> StatusMessage {
    StatusMessage::error(
        Code::ChangedFile,
        "the file has changed since the backup was written",
    )
}

/// A file has no hash.
pub(super) fn added() -> StatusMessage {
    StatusMessage::error(
        Code::AddedFile,
        "the file was added after the backup was written",
    )
}

/// A file with a hash is gone.
pub(super) fn missing() -> StatusMessage {
    StatusMessage::error(Code::MissingFile, "the file is no longer in the backup")
}
