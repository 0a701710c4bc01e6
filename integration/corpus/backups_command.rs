//! `gpoctl backups` on local folders of real backups.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::*;

/// The folders of the corpus that contain a Backup.xml, and their parents.
fn folders(corpus: &Path) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
    let backups: BTreeSet<PathBuf> = corpus_gpos::backup_folders(corpus).into_iter().collect();
    let above = backups.iter().map(|folder| folder.parent().unwrap());
    let above = above.map(Path::to_owned).collect();
    (backups, above)
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn every_folder_of_the_corpus_is_listed_and_verified() {
    let corpus = corpus();
    let (backups, above) = folders(&corpus);
    let mut seen = BTreeSet::new();
    let mut lacking = 0;
    for folder in &above {
        let listed = gpoctl::backup::list(folder).unwrap();
        let verified = gpoctl::backup::verify_all(folder).unwrap();
        assert_eq!(listed.len(), verified.backups.len());
        for entry in verified.backups.iter().filter(|entry| entry.present) {
            seen.insert(entry.info.path.clone());
            // These backups have no hashes, which is reported.
            let codes: Vec<&str> = entry.problems.iter().map(|p| p.code.name()).collect();
            assert!(codes.contains(&"not-verifiable"), "{entry:?}");
            let lacks =
                |p: &&gpoctl::message::StatusMessage| p.code == gpoctl::message::Code::MissingFile;
            if let Some(problem) = entry.problems.iter().find(lacks) {
                assert_eq!(problem.severity, gpoctl::message::Severity::Error);
                lacking += 1;
            }
        }
    }
    let missing: Vec<_> = backups.difference(&seen).collect();
    assert!(missing.is_empty(), "{missing:?}");
    println!("{} backups in {} folders", seen.len(), above.len());
    // These were published without some of their files.
    assert_eq!(lacking, 20);
}

/// A copy of a real backup with its ID as name, in a separate folder.
fn copy_of_a_real_backup(corpus: &Path) -> (PathBuf, String) {
    let dir = tempfile::tempdir_in(scratch()).unwrap().keep();
    let from = std::fs::read_dir(corpus.join("ms-baselinemanagement"))
        .unwrap()
        .flat_map(|entry| {
            let (backups, _) = folders(&entry.unwrap().path());
            backups
        })
        .find(|folder| folder.join("bkupInfo.xml").exists() && folder.join("DomainSysvol").exists())
        .unwrap();
    let status = std::process::Command::new("cp")
        .args(["-r", from.to_str().unwrap(), dir.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(status.success());
    let name = from.file_name().unwrap().to_str().unwrap().to_owned();
    (dir, name)
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn delete_asks_for_an_id_and_removes_that_alone() {
    let corpus = corpus();
    let (dir, name) = copy_of_a_real_backup(&corpus);
    let to = dir.to_str().unwrap();
    let listed = gpoctl(&["backups", "list", to, "--json"]).json();
    let gpo = listed["backups"][0]["display_name"].as_str().unwrap();
    let kept = dir.join("mine");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("x"), "x").unwrap();

    let said = gpoctl(&["backups", "delete", to, gpo, "--yes"]);
    assert_eq!(said.status, 2, "{}", said.stderr);
    assert!(
        said.stderr.contains("neither the ID of a backup"),
        "{}",
        said.stderr
    );
    let said = gpoctl(&["backups", "delete", to, &name]);
    assert_eq!(said.status, 2, "{}", said.stderr);
    assert!(said.stderr.contains("--yes"), "{}", said.stderr);
    let said = gpoctl(&["backups", "delete", to, kept.to_str().unwrap(), "--yes"]);
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(dir.join(&name).join("Backup.xml").exists());

    let prefix = name.get(1..9).unwrap();
    let removed = gpoctl(&["backups", "delete", to, prefix, "--yes", "--json"]).json();
    assert_eq!(removed["removed"][0]["id"], name.as_str());
    assert!(!dir.join(&name).exists());
    assert!(kept.join("x").exists());
    let listed = gpoctl(&["backups", "list", to, "--json"]).json();
    assert_eq!(listed["backups"].as_array().unwrap().len(), 0);
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn delete_leaves_what_was_not_named() {
    let corpus = corpus();
    let (dir, name) = copy_of_a_real_backup(&corpus);
    let (elsewhere, other) = copy_of_a_real_backup(&corpus);
    std::fs::rename(elsewhere.join(&other), elsewhere.join("abcdef")).unwrap();
    // Without bkupInfo.xml the GPO of this backup is unknown.
    std::fs::remove_file(dir.join(&name).join("bkupInfo.xml")).unwrap();
    let to = dir.to_str().unwrap();
    let outside = elsewhere.join("abcdef");
    let path = dir.join(&name);
    for (from, spec, status) in [
        (to, "", 2),
        (to, "{", 2),
        (to, name.get(1..4).unwrap(), 2),
        (to, "abcdef", 1),
        (to, "./abcdef", 1),
        (to, outside.to_str().unwrap(), 1),
        (path.to_str().unwrap(), name.as_str(), 1),
    ] {
        let said: Said = command(&["backups", "delete", from, spec, "--yes"])
            .current_dir(&elsewhere)
            .output()
            .unwrap()
            .into();
        assert_eq!(said.status, status, "{spec:?}: {}", said.stderr);
        assert!(path.join("Backup.xml").exists(), "{spec:?}");
        assert!(outside.join("Backup.xml").exists(), "{spec:?}");
    }
    let shown: Said = command(&["backups", "show", to, "abcdef"])
        .current_dir(&elsewhere)
        .output()
        .unwrap()
        .into();
    assert_eq!(shown.status, 1, "{}", shown.stderr);
    let said = gpoctl(&["backups", "show", to, ""]);
    assert_eq!(said.status, 1, "{}", said.stderr);
    // A path can be used instead of an ID.
    let said = gpoctl(&["backups", "delete", to, path.to_str().unwrap(), "--yes"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert!(!path.exists());
}
