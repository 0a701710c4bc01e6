//! No reader of bytes is without a test of its memory: those in the sources are compared with those that are tested.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::codes::{sources, without_tests};
use crate::memory::memory_of::TESTED;
use crate::readers::READERS;

/// The modules of `formats` that are tested under another name, or that read nothing.
const OF_FORMATS: &[(&str, Option<&str>)] = &[
    // It writes only.
    ("gpreport", None),
    ("sddl_text", Some("sddl")),
    // The encoding of every text file, and bytes with what they say: part of the other readers.
    ("text", None),
    ("verbatim", None),
    ("wmi_mof", Some("wmi_filter")),
];

/// Where JSON and TOML are read: the file, how often, and the reader that does the same in the tests.
const ELSEWHERE: &[(&str, usize, &str)] = &[
    ("backup/side_file.rs", 3, "side_file"),
    ("cli/complete/names.rs", 1, "names_cache"),
    ("cli/config.rs", 2, "config"),
    ("execute/journal/stored.rs", 4, "journal"),
    ("operations/wmi.rs", 1, "wmi_filter"),
    ("plan/saved.rs", 4, "plan"),
];

#[test]
fn no_reader_is_left_out() {
    let names: BTreeSet<&str> = TESTED.iter().copied().collect();
    assert_eq!(names.len(), TESTED.len());
    let commands = gpoctl::cli::READERS.iter().map(|(name, _)| *name);
    let readers: BTreeSet<&str> = READERS
        .iter()
        .map(|(name, _)| *name)
        .chain(commands)
        .collect();
    assert_eq!(names, readers);
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats");
    for entry in std::fs::read_dir(formats).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        let known = OF_FORMATS.iter().find(|(other, _)| *other == module);
        if let Some(name) = known.map_or(Some(module), |(_, name)| *name) {
            assert!(
                names.contains(name),
                "formats::{module} has no test of its memory"
            );
        }
    }
    for name in ELSEWHERE.iter().map(|(_, _, name)| name) {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn what_is_read_elsewhere_is_known() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    for (path, text) in sources() {
        let text = without_tests(&path, &text);
        let count = [
            "serde_json::from_",
            "toml::from_",
            "serde_json::Deserializer",
            "serde_json::de::",
        ]
        .iter()
        .map(|call| text.matches(call).count())
        .sum::<usize>();
        if count > 0 {
            let path = path.strip_prefix(&root).unwrap();
            found.insert(path.to_str().unwrap().to_owned(), count);
        }
    }
    let known: BTreeMap<String, usize> = ELSEWHERE
        .iter()
        .map(|(path, count, _)| ((*path).to_owned(), *count))
        .collect();
    assert_eq!(
        found, known,
        "give a new reader a test of its memory in memory.rs"
    );
}
