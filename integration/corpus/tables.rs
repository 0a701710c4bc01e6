//! Every migration table of the corpus: read, counted, written again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::corpus;
use gpoctl::formats::migtable::{Destination, Encoding, EntryType, MigTable};
use gpoctl::migration::table::MigrationTable;
use gpoctl::model::principal::PrincipalType;

/// The migration tables below a folder.
fn tables(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the corpus folder is readable") {
        let path = entry.expect("the corpus folder is readable").path();
        if path.is_dir() && !path.is_symlink() {
            tables(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("migtable"))
        {
            found.push(path);
        }
    }
}

/// How a source or destination is written.
fn notation(text: &str) -> &'static str {
    if text.starts_with(r"\\") {
        "unc"
    } else if text.contains('\\') {
        r"DOM\name"
    } else if text.contains('@') {
        "name@domain"
    } else if text.starts_with("S-1-") {
        "sid"
    } else {
        "bare name"
    }
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn every_table_loads_and_is_written_back_byte_for_byte() {
    let corpus = corpus();
    let mut paths = Vec::new();
    tables(&corpus, &mut paths);
    assert_eq!(paths.len(), 13, "tables in the corpus");

    let mut counts: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let mut mappings = 0;
    let mut templates = 0;
    for path in &paths {
        let bytes = std::fs::read(path).expect("the table is readable");
        let table =
            MigTable::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(table.encoding(), Encoding::Utf16Le { bom: true });
        assert!(table.to_bytes() == bytes, "{} changed", path.display());
        for row in table.rows() {
            mappings += 1;
            let destination = match &row.destination {
                Destination::Set(text) => notation(text),
                Destination::SameAsSource => "same as source",
                other => panic!("{}: {other} is not expected", path.display()),
            };
            *counts
                .entry((row.kind.as_str(), notation(&row.source), destination))
                .or_default() += 1;
        }

        // A removal and a new row leave every other byte as it was.
        let first = table.rows().first().expect("no table is empty").clone();
        let mut edited = table.clone();
        let kind = EntryType::Principal(PrincipalType::Unknown);
        edited
            .set("a new row", kind, Destination::None)
            .expect("a new row can be set");
        assert_ne!(edited.to_bytes(), bytes);
        assert!(edited.remove("A NEW ROW"));
        assert!(edited.to_bytes() == bytes, "{} changed", path.display());
        assert!(edited.remove(&first.source));
        assert_eq!(edited.rows().len() + 1, table.rows().len());

        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let problems = MigrationTable::new(&name, &table).validate();
        for problem in &problems {
            assert_eq!(
                problem.code,
                gpoctl::message::Code::LeftoverPlaceholder,
                "{}: {problem:?}",
                path.display()
            );
        }
        templates += usize::from(!problems.is_empty());
    }
    assert_eq!(mappings, 83);
    let expected = [
        (("GlobalGroup", "name@domain", "name@domain"), 11),
        (("LocalGroup", "name@domain", "name@domain"), 32),
        (("UniversalGroup", "name@domain", "name@domain"), 11),
        (("Unknown", "bare name", "bare name"), 13),
        (("Unknown", "bare name", "same as source"), 10),
        (("User", r"DOM\name", r"DOM\name"), 5),
        (("User", "name@domain", "name@domain"), 1),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
    assert_eq!(templates, 8, "tables with placeholders");
}
