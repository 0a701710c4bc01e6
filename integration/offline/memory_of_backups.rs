//! The memory and the output that a folder of backups may cause: proportional to manifest.xml, whatever it lists.

use std::path::{Path, PathBuf};

use gpoctl::backup;

use crate::readers::bound;
use crate::support::*;

/// A folder with a manifest.xml of `count` entries and nothing else.
fn folder(count: usize, entry: impl Fn(usize) -> String) -> (PathBuf, usize) {
    let dir = tempfile::tempdir_in(scratch()).unwrap().keep();
    let entries: String = (0..count).map(entry).collect();
    let text = format!(
        "<Backups xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest\">{entries}</Backups>"
    );
    std::fs::write(dir.join("manifest.xml"), &text).unwrap();
    (dir, text.len())
}

fn id(number: usize) -> String {
    format!("7F2DE5D7-B30E-4F9D-BA75-{number:012}")
}

fn entries() -> [(PathBuf, usize); 4] {
    [
        folder(50_000, |_| "<BackupInst/>".to_owned()),
        folder(30_000, |_| "<BackupInst><ID>x</ID></BackupInst>".to_owned()),
        folder(15_000, |n| {
            format!("<BackupInst><ID>{{{}}}</ID></BackupInst>", id(n))
        }),
        folder(15_000, |_| {
            format!("<BackupInst><ID>{{{}}}</ID></BackupInst>", id(1))
        }),
    ]
}

fn assert_bounded(what: &str, dir: &Path, length: usize, command: impl FnOnce()) {
    let held = allocation_counter::measure(command).bytes_max;
    // Less than the bound allows besides, so that these inputs show what larger ones would use.
    let limit = bound(length) - (15 << 20);
    assert!(held <= limit, "{what} {dir:?}: {held} bytes for {length}");
}

#[test]
fn a_manifest_with_many_entries_needs_bounded_memory() {
    for (dir, length) in entries() {
        assert_bounded("list", &dir, length, || drop(backup::list(&dir)));
        assert_bounded("verify", &dir, length, || drop(backup::verify_all(&dir)));
        assert_bounded("find", &dir, length, || {
            drop(backup::find_by_id(&id(77), &dir));
        });
        let forgotten = id(1).parse().unwrap();
        assert_bounded("forget", &dir, length, || {
            drop(backup::forget(&dir, forgotten));
        });
    }
}

#[test]
fn a_manifest_with_many_entries_is_reported_in_a_few_lines() {
    for (dir, _) in entries() {
        let dir = dir.to_str().unwrap();
        for arguments in [
            &["backups", "list", dir][..],
            &["backups", "verify", dir],
            &["backups", "verify", dir, "--json"],
            &["backups", "list", dir, "--json"],
        ] {
            let said = gpoctl(arguments);
            let length = said.stdout.len() + said.stderr.len();
            assert!(length < 100_000, "{arguments:?}: {length} bytes");
            let all = format!("{}{}", said.stdout, said.stderr);
            assert!(all.contains(" other entries without a backup"), "{all}");
        }
    }
    // What is not shown can still be removed.
    let [_, _, (dir, _), _] = entries();
    assert_eq!(
        backup::find_by_id(&id(14_999), &dir).unwrap().info.id,
        Some(id(14_999).parse().unwrap())
    );
}
