//! The corpus of real backups and SYSVOL trees that `GPOCTL_CORPUS` names, read by the library.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

use gpoctl::backup;
use gpoctl::message::StatusMessage;
use gpoctl::model::gpt_tree::GptTree;
use gpoctl::model::safe_name::RelPath;
use gpoctl::model::snapshot::GpoSnapshot;

/// A GPO of the corpus.
pub struct Gpo {
    /// The backup's folder, or the GPO's folder of a SYSVOL tree.
    pub dir: PathBuf,
    /// The GPO.
    pub snapshot: GpoSnapshot,
    /// The problems found while reading a backup.
    pub problems: Vec<StatusMessage>,
    /// Whether it is a backup, not a SYSVOL tree.
    pub is_backup: bool,
}

/// The folder of the corpus.
pub fn root() -> PathBuf {
    std::env::var_os("GPOCTL_CORPUS")
        .expect("GPOCTL_CORPUS is not set to the folder of the corpus")
        .into()
}

/// The entries of a folder, sorted.
pub fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
}

/// Every file below a folder.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(dir) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The last part of a path.
pub fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The folder of every backup.
pub fn backup_folders(root: &Path) -> Vec<PathBuf> {
    let manifests = files(root)
        .into_iter()
        .filter(|path| name(path).eq_ignore_ascii_case("Backup.xml"));
    manifests
        .map(|path| path.parent().unwrap().to_owned())
        .collect()
}

/// Every backup, read as `gpoctl backups show` reads it.
pub fn backups(root: &Path) -> Vec<Gpo> {
    let dirs = backup_folders(root).into_iter();
    dirs.map(|dir| {
        let stored = backup::read(&dir)
            .map_err(|error| format!("{}: {error}", dir.display()))
            .unwrap();
        Gpo {
            dir,
            snapshot: stored.snapshot,
            problems: stored.problems,
            is_backup: true,
        }
    })
    .collect()
}

/// Every GPO's folder of a raw SYSVOL tree.
pub fn sysvol_trees(root: &Path) -> Vec<Gpo> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        let entries = entries(&dir);
        let has = |wanted: &str| {
            entries
                .iter()
                .any(|path| name(path).eq_ignore_ascii_case(wanted))
        };
        if has("Backup.xml") {
            continue;
        }
        let below: Vec<PathBuf> = entries
            .iter()
            .filter(|path| path.is_dir())
            .cloned()
            .collect();
        let halves = has("Machine") || has("User");
        let inside_of_backups = files(&dir)
            .iter()
            .any(|path| name(path).eq_ignore_ascii_case("Backup.xml"));
        if (has("GPT.INI") || halves) && !inside_of_backups {
            found.push(tree(&dir));
        } else {
            open.extend(below);
        }
    }
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    found
}

/// A folder of SYSVOL as a GPO: its files, without anything that only the directory has.
fn tree(dir: &Path) -> Gpo {
    let mut tree = GptTree::new();
    for path in files(dir) {
        let relative = path.strip_prefix(dir).unwrap().to_str().unwrap();
        // samba-tool keeps the original beside the generalised file, with this extension.
        let relative = relative.strip_suffix(".SAMBABACKUP").unwrap_or(relative);
        // Not a setting, so it is not part of a snapshot.
        if relative.eq_ignore_ascii_case("GPT.INI") {
            continue;
        }
        let relative: RelPath = relative.parse().unwrap();
        tree.insert_file(&relative, std::fs::read(&path).unwrap().into());
    }
    let guid = "{00000000-0000-0000-0000-000000000000}".parse().unwrap();
    let mut snapshot = GpoSnapshot::new(guid, "unknown.example".parse().unwrap(), name(dir));
    snapshot.sysvol_version = None;
    snapshot.tree = tree;
    Gpo {
        dir: dir.to_owned(),
        snapshot,
        problems: Vec::new(),
        is_backup: false,
    }
}
