//! What our parsers read, beside what Samba's read of the same bytes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test code outside of test functions"
)]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "not every target uses all of the support"
)]

#[path = "support.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use base64::Engine as _;
use bytes::Bytes;
use gpoctl::formats::registry_pol::{Record, RegistryPol, ValueType};
use serde_json::Value;
use support::*;

/// Every file below a folder whose name ends so, by its path below the folder.
fn files_named(folder: &Path, ending: &str) -> BTreeMap<String, Bytes> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().to_lowercase().ends_with(ending) {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), std::fs::read(&path).unwrap().into());
            }
        }
    }
    found
}

/// What `samba.dcerpc.preg` makes of files, all in one call of the judge.
fn samba_reads(files: &BTreeMap<String, Bytes>) -> Value {
    let encoded: BTreeMap<&str, String> = files
        .iter()
        .map(|(name, bytes)| {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            (name.as_str(), text)
        })
        .collect();
    let mut input = tempfile::tempfile().unwrap();
    serde_json::to_writer(&mut input, &encoded).unwrap();
    input.flush().unwrap();
    input.rewind().unwrap();
    let answers = judge_of("src", &["preg"], input);
    serde_json::from_slice(&answers).unwrap()
}

/// Whether Samba's entry says what our record says.
fn agree(record: &Record, entry: &Value) -> bool {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let data = match &entry["data"] {
        Value::Null => record.data.is_empty(),
        Value::String(text) => record.string().as_deref() == Some(text),
        Value::Object(bytes) => bytes["hex"] == hex(&record.data),
        number if record.value_type == ValueType::QWORD => number.as_u64() == record.qword(),
        number => number.as_u64() == record.dword().map(u64::from),
    };
    data && entry["key"] == record.key_text()
        && entry["value"] == record.value_name_text()
        && entry["type"] == record.value_type.0
        && entry["size"] == record.data.len()
}

#[test]
fn registry_pol_is_read_as_samba_reads_it() {
    let case = "registry_pol_is_read_as_samba_reads_it";
    let (true, Some(corpus)) = (lab(case), corpus(case)) else {
        return;
    };
    let files = files_named(&corpus, ".pol");
    let answers = samba_reads(&files);
    let (mut both, mut records, mut neither) = (0, 0, 0);
    let mut ours_only = Vec::new();
    let mut theirs_only = Vec::new();
    for (name, bytes) in &files {
        let theirs = &answers[name];
        match (RegistryPol::parse(bytes), theirs["entries"].as_array()) {
            (Ok(pol), Some(entries)) => {
                assert_eq!(pol.records.len(), entries.len(), "{name}");
                for (record, entry) in pol.records.iter().zip(entries) {
                    assert!(agree(record, entry), "{name}: {record:?} {entry}");
                    records += 1;
                }
                both += 1;
            }
            (Err(ours), None) => {
                println!("both refuse {name}: {ours}; {}", theirs["error"]);
                neither += 1;
            }
            (Ok(_), None) => ours_only.push(format!("{name}: {}", theirs["error"])),
            (Err(ours), Some(_)) => theirs_only.push(format!("{name}: {ours}")),
        }
    }
    println!(
        "{} files: {both} read by both with {records} equal records, {neither} refused by both, only ours reads {ours_only:#?}, only Samba's reads {theirs_only:#?}",
        files.len()
    );
    assert_eq!((files.len(), both, records, neither), (303, 254, 9_145, 45));
    assert_eq!(ours_only, Vec::<String>::new());
    // Samba looks neither at the signature nor at the bracket behind the data, and takes an empty key.
    let lenient = [
        ("empty_key", "the key is empty"),
        ("invalid_header__header_doesnt_match", "PReg and version 1"),
        (
            "memory_on_multiple_elements_dont_overlap",
            "a ] must follow",
        ),
        ("no_header", "PReg and version 1"),
    ];
    assert_eq!(theirs_only.len(), lenient.len());
    for (said, (name, reason)) in theirs_only.iter().zip(lenient) {
        assert!(said.contains(name) && said.contains(reason), "{said}");
    }
}
