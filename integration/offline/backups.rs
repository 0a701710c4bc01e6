//! `gpoctl backups`, `import` and `restore` on local folders, without a domain.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use gpoctl::model::backup_context::{BackupContext, LinkRecord};
use gpoctl::model::gpt_tree::GptTree;
use gpoctl::model::snapshot::GpoSnapshot;

use crate::support::gpoctl;

const SCRIPT: &str = "DomainSysvol/GPO/Machine/Scripts/Startup/setup.ps1";

/// A backup of a GPO "Desks" with one script and one link.
fn backup(folder: &Path) -> PathBuf {
    let mut tree = GptTree::new();
    tree.insert_file(
        &r"Machine\Scripts\Startup\setup.ps1".parse().unwrap(),
        Bytes::from_static(b"good"),
    );
    let guid = "{11111111-2222-3333-4444-555555555555}".parse().unwrap();
    let mut snapshot = GpoSnapshot::new(guid, "src.test".parse().unwrap(), "Desks");
    snapshot.domain_controller = "dc1.src.test".to_owned();
    snapshot.tree = tree;
    let mut context = BackupContext::default();
    context.links = Some(vec![LinkRecord {
        target: "OU=Clients,DC=src,DC=test".to_owned(),
        order: 2,
        enforced: true,
        disabled: false,
        options: 2,
        blocks_inheritance: false,
    }]);
    let now = "2026-01-31T12:00:00";
    gpoctl::backup::write(folder, &snapshot, &context, "", now)
        .unwrap()
        .path
}

#[test]
fn a_damaged_backup_is_refused_before_anything_connects() {
    let dir = tempfile::tempdir().unwrap();
    let path = backup(dir.path());
    std::fs::write(path.join(SCRIPT), "evil").unwrap();
    let path = path.to_str().unwrap();
    let nowhere = "gpoctl-nowhere.invalid";
    let restore = vec!["restore", path, "--domain", nowhere, "--yes"];
    let import = vec!["import", path, "--into", "x", "--domain", nowhere, "--yes"];
    for arguments in [restore, import] {
        let said = gpoctl(&arguments);
        assert_eq!(said.status, 1);
        for part in [SCRIPT, "is damaged: 1 file differs", "--accept-damaged"] {
            assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
        }
        let json = gpoctl(&[&arguments[..], &["--json"]].concat());
        let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["error"]["kind"], "bad-input");
        assert_eq!(json["messages"][0]["code"], "changed-file");
        // With the option, it continues to the domain, which does not exist.
        let said = gpoctl(&[&arguments[..], &["--accept-damaged"]].concat());
        assert_eq!(said.status, 1);
        assert!(!said.stderr.contains("is damaged"), "{}", said.stderr);
        assert!(said.stderr.contains(nowhere), "{}", said.stderr);
    }
}

#[test]
fn what_only_looks_at_a_damaged_backup_warns() {
    let dir = tempfile::tempdir().unwrap();
    let path = backup(dir.path());
    std::fs::write(path.join(SCRIPT), "evil").unwrap();
    let path = path.to_str().unwrap();
    let table = dir.path().join("new.migtable");
    let table = table.to_str().unwrap();
    let populate = vec!["migtable", "populate", table, "--from-backup", path];
    let diff = vec!["diff", path, path];
    let show = vec!["backups", "show", path];
    for arguments in [populate, diff, show] {
        let said = gpoctl(&arguments);
        assert_eq!(said.status, 0, "{}", said.stderr);
        let warning = format!("warning: {SCRIPT}: the file has changed");
        assert!(
            said.stderr.contains(&warning),
            "{arguments:?}: {}",
            said.stderr
        );
    }
}

#[test]
fn a_folder_without_backups_is_not_sound() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let said = gpoctl(&["backups", "verify", folder]);
    assert_eq!(said.status, 1);
    assert!(said.stderr.contains("no backup in"), "{}", said.stderr);
    let said = gpoctl(&["backups", "list", folder]);
    assert_eq!(said.status, 0);
    assert!(said.stderr.contains("no backup in"), "{}", said.stderr);
}

#[test]
fn many_backups_without_hashes_are_one_warning() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        std::fs::remove_file(backup(dir.path()).join("gpoctl.json")).unwrap();
    }
    let said = gpoctl(&["backups", "verify", dir.path().to_str().unwrap()]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    let warnings: Vec<&str> = said
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning"))
        .collect();
    assert_eq!(warnings.len(), 1, "{}", said.stderr);
    let part = "5 backups (\"Desks\", \"Desks\", \"Desks\" and 2 more): this backup has no hashes";
    assert!(warnings[0].contains(part), "{}", warnings[0]);
    assert!(
        said.stderr
            .contains("0 damaged or missing, 5 not verifiable"),
        "{}",
        said.stderr
    );
    assert_eq!(
        said.stdout.matches("not verifiable").count(),
        5,
        "{}",
        said.stdout
    );
    let said = gpoctl(&["backups", "verify", dir.path().to_str().unwrap(), "--json"]);
    assert_eq!(said.json()["status"], "not-verifiable");
    // One changed backup makes the result "damaged", whatever the others are.
    let whole = backup(dir.path());
    std::fs::write(whole.join(SCRIPT), "evil").unwrap();
    let said = gpoctl(&["backups", "verify", dir.path().to_str().unwrap(), "--json"]);
    assert_eq!(said.status, 1);
    let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json["status"], "damaged");
}

#[test]
fn the_links_of_a_backup_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = backup(dir.path());
    let path = path.to_str().unwrap();
    let said = gpoctl(&["backups", "show", path]);
    assert!(said.stdout.contains("src.test/Clients"), "{}", said.stdout);
    let json = gpoctl(&["backups", "show", path, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["links"][0]["target"], "OU=Clients,DC=src,DC=test");
    assert_eq!(json["links"][0]["order"], 2);
}
