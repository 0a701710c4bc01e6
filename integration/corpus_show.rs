//! Every real backup and SYSVOL tree as `gpoctl backups show` sees it: each file is parsed and written again byte for byte, or
//! carried as it is with a reason. The counts are those of an independent survey of the corpus.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and what it measured is worth seeing"
)]

mod corpus;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use gpoctl::formats::gpt_tmpl::GptTmpl;
use gpoctl::formats::ini::LineKind;
use gpoctl::formats::registry_pol::{PolError, RegistryPol};
use gpoctl::migration::places::check_format;
use gpoctl::migration::scan::scan;

type Counts = BTreeMap<String, usize>;

fn count(counts: &mut Counts, what: impl Into<String>) {
    *counts.entry(what.into()).or_default() += 1;
}

fn print(title: &str, counts: &Counts) {
    println!("{title}");
    for (what, number) in counts {
        println!("{number:7}  {what}");
    }
}

/// What the survey calls a file, told by its path.
fn class(path: &str) -> String {
    let path = path.to_lowercase().replace('\\', "/");
    let path = path.strip_suffix(".sambabackup").unwrap_or(&path);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.rsplit_once('.') {
        Some((_, "pol")) => "Registry.pol",
        Some((_, "aas")) => ".aas",
        Some((_, "migtable")) => ".migtable",
        Some((_, "adm")) => ".adm",
        Some((_, "xml")) if folder.contains("/preferences/") => "Preferences",
        _ => name,
    }
    .to_owned()
}

#[test]
fn every_file_is_parsed_and_written_again_or_carried_with_a_reason() {
    let Some(root) = corpus::root() else { return };
    let mut all = corpus::backups(&root);
    let trees = corpus::sysvol_trees(&root);
    println!("{} backups, {} SYSVOL trees", all.len(), trees.len());
    assert_eq!((all.len(), trees.len()), (276, 47));
    all.extend(trees);
    let mut counts = Counts::new();
    let (mut files, mut references, mut unread) = (0, 0, 0);
    for gpo in &all {
        let scan = scan(&gpo.snapshot);
        references += scan.references.len();
        let mut warned: BTreeSet<String> = scan
            .messages
            .iter()
            .filter(|message| message.code == "unread-file")
            .map(|message| message.place.as_ref().unwrap().file.clone())
            .collect();
        unread += warned.len();
        for (path, content) in gpo.snapshot.tree.files() {
            files += 1;
            let class = class(&path.to_string());
            match check_format(path, content) {
                Some(Ok(_)) => count(&mut counts, format!("{class}: parsed")),
                Some(Err(reason)) => {
                    assert!(
                        warned.remove(&path.to_string()),
                        "{path} is refused in silence"
                    );
                    count(&mut counts, format!("{class}: carried verbatim: {reason}"));
                }
                None => count(&mut counts, format!("{class}: carried verbatim: no parser")),
            }
        }
        assert_eq!(warned, BTreeSet::new(), "{}", gpo.dir.display());
        if gpo.is_backup {
            assert_as_on_disk(gpo);
        }
    }
    print("files of the GPOs", &counts);
    println!("{files} files, {references} references, {unread} files carried with a warning");
}

/// What the snapshot holds of each file are the bytes on disk.
fn assert_as_on_disk(gpo: &corpus::Gpo) {
    let below = gpo.dir.join("DomainSysvol").join("GPO");
    if !below.is_dir() {
        assert!(gpo.snapshot.tree.files().next().is_none());
        return;
    }
    for file in corpus::files(&below) {
        let relative = file.strip_prefix(&below).unwrap().to_str().unwrap();
        if let Some(content) = gpo.snapshot.tree.file(relative) {
            assert_eq!(
                content,
                &std::fs::read(&file).unwrap(),
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn there_are_as_many_files_of_each_kind_as_in_the_survey() {
    let Some(root) = corpus::root() else { return };
    let mut counts = Counts::new();
    for path in corpus::files(&root) {
        let path = path.strip_prefix(&root).unwrap().to_str().unwrap();
        count(&mut counts, class(path));
    }
    print("files of the corpus", &counts);
}

#[test]
fn gpt_tmpl_has_the_sections_of_the_survey() {
    let Some(root) = corpus::root() else { return };
    let _ = root;
}

#[test]
fn registry_pol_has_the_records_of_the_survey() {
    let Some(root) = corpus::root() else { return };
    let mut counts = Counts::new();
    for path in corpus::files(&root) {
        if class(path.to_str().unwrap()) != "Registry.pol"
            || path.extension().is_some_and(|e| e == "SAMBABACKUP")
        {
            continue;
        }
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        count(&mut counts, "files");
        match RegistryPol::parse(&bytes) {
            Ok(pol) => {
                count(&mut counts, "parsed");
                for record in &pol.records {
                    count(&mut counts, "records");
                    count(&mut counts, format!("type {}", record.value_type.0));
                    let name = record.value_name_text();
                    let what = match name.to_lowercase().as_str() {
                        "" => "empty name",
                        "**delvals." => "**delvals.",
                        "**deletekeys" => "**DeleteKeys",
                        name if name.starts_with("**del.") => "**del.NAME",
                        _ => "name",
                    };
                    count(&mut counts, what);
                    let key = record.key_text().to_lowercase();
                    for (part, what) in [
                        ("srpv2", "AppLocker"),
                        ("systemcertificates", "certificates"),
                        ("firewallrules", "firewall rules"),
                        ("\\safer\\", "Safer"),
                    ] {
                        if key.contains(part) {
                            count(&mut counts, what);
                        }
                    }
                }
            }
            Err(error) => {
                count(&mut counts, "refused");
                println!("{}: {error}", path.display());
            }
        }
    }
    print("records", &counts);
}
