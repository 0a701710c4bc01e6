//! Backups that gpoctl writes match the schema of real backups.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::backup_schema::{all_named, assert_matches_schema, schemas};
use crate::support::corpus;

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn written_backups_match_the_schema_of_real_ones() {
    let corpus = corpus();
    let schemas = schemas(&corpus);
    for (kind, schema) in &schemas {
        println!(
            "{kind}: {} files, {} of them original, {} elements",
            schema.files,
            schema.originals,
            schema.attributes.len()
        );
        assert!(schema.originals >= 10, "{kind}");
        println!(
            "  {} heads, {} tails",
            schema.heads.len(),
            schema.tails.len()
        );
    }
    let target = tempfile::tempdir().unwrap();
    let mut written = 0;
    for path in all_named(&corpus, "Backup.xml") {
        let stored = gpoctl::backup::read(path.parent().unwrap()).unwrap();
        gpoctl::backup::write(
            target.path(),
            &stored.snapshot,
            &stored.context,
            &stored.info.comment,
            "2024-02-03T04:05:06",
        )
        .unwrap();
        written += 1;
    }
    assert_eq!(
        assert_matches_schema(&schemas, target.path()),
        2 * written + 1
    );
}

/// The schema is useful only if it detects faults.
#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn the_schema_finds_every_kind_of_difference() {
    let corpus = corpus();
    let schemas = schemas(&corpus);
    let target = tempfile::tempdir().unwrap();
    let path = all_named(&corpus, "Backup.xml").remove(0);
    let stored = gpoctl::backup::read(path.parent().unwrap()).unwrap();
    let info = gpoctl::backup::write(
        target.path(),
        &stored.snapshot,
        &stored.context,
        "",
        "2024-02-03T04:05:06",
    )
    .unwrap();
    let check = |kind: &str, file: &Path, changes: &[(&str, &str)]| {
        let text = std::fs::read_to_string(file).unwrap();
        let schema = &schemas[kind];
        assert_eq!(schema.differences(text.as_bytes()), BTreeSet::new());
        for (from, to) in changes {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{kind} has no {from:?}");
            let found = schema.differences(changed.as_bytes());
            assert!(!found.is_empty(), "{kind}: {from:?} to {to:?}");
        }
        let lines = text.replace("\r\n", "\n");
        assert!(lines == text || !schema.differences(lines.as_bytes()).is_empty());
        let mut marked = b"\xef\xbb\xbf".to_vec();
        marked.extend_from_slice(text.as_bytes());
        assert!(!schema.differences(&marked).is_empty());
    };
    check(
        "Backup.xml",
        &info.path.join("Backup.xml"),
        &[
            ("encoding=\"utf-8\"", "encoding=\"UTF-8\""),
            ("bkp:version=\"2.0\"", "bkp:version=\"2.1\""),
            ("bkp:version", "version"),
            ("<FilePaths/>", ""),
            ("<FilePaths/>", "<FilePaths></FilePaths>"),
            ("<SecurityGroups>", "<FilePaths/><SecurityGroups>"),
            ("bkp:DescName", "bkp:Name"),
            (
                "</GroupPolicyCoreSettings>",
                "<More/></GroupPolicyCoreSettings>",
            ),
        ],
    );
    check(
        "bkupInfo.xml",
        &info.path.join("bkupInfo.xml"),
        &[
            ("<GPOGuid>", "<GpoGuid></GpoGuid><GPOGuid>"),
            ("<Comment><![CDATA[]]></Comment>", "<Comment/>"),
            ("\r\n", ""),
        ],
    );
    check(
        "manifest.xml",
        &target.path().join("manifest.xml"),
        &[
            ("mfst:version=\"1.0\"", "version=\"1.0\""),
            ("</Backups>", "</Backups>\r\n"),
        ],
    );
}
