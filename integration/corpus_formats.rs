//! Every policy file in the folder that `GPOCTL_CORPUS` names: parsed and written back byte for byte, or said why not.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and what it measured is worth seeing"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gpoctl::formats::gpt_ini;
use gpoctl::formats::gpt_tmpl::GptTmpl;
use gpoctl::formats::ini::LineKind;
use gpoctl::formats::registry_pol::RegistryPol;
use gpoctl::migration::places::{Rewrite, check_format, visit_file};
use gpoctl::model::safe_name::RelPath;

/// The corpus; without it, the tests say that they did not run.
fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("GPOCTL_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        println!("NOT RUN: GPOCTL_CORPUS does not name the corpus");
    }
    corpus
}

/// Every file below a folder, in order.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The path below the GPO's folder: from `Machine` or `User` on.
fn below_gpo(path: &Path) -> Option<RelPath> {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let half = parts.iter().rposition(|part| {
        part.eq_ignore_ascii_case("machine") || part.eq_ignore_ascii_case("user")
    })?;
    parts.get(half..)?.join("\\").parse().ok()
}

#[test]
fn every_file_of_a_known_format_is_written_back_or_carried_verbatim() {
    let Some(corpus) = corpus() else { return };
    let mut paths = Vec::new();
    files(&corpus, &mut paths);
    let mut parsed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut verbatim = Vec::new();
    for path in &paths {
        let Some(rel) = below_gpo(path) else { continue };
        let bytes = Bytes::from(std::fs::read(path).unwrap());
        match check_format(&rel, &bytes) {
            None => {}
            Some(Ok(format)) => {
                *parsed.entry(format).or_default() += 1;
                // A visit that keeps everything changes nothing.
                let visited = visit_file(&rel, &bytes, &mut |_| Rewrite::Keep).unwrap();
                assert!(visited.bytes.is_none(), "{}", path.display());
            }
            Some(Err(reason)) => {
                assert!(visit_file(&rel, &bytes, &mut |_| Rewrite::Keep).is_err());
                verbatim.push(format!("{}: {reason}", path.display()));
            }
        }
    }
    println!("{parsed:?}, carried verbatim: {verbatim:#?}");
    // What does not parse was made not to.
    assert!(
        verbatim.iter().all(|line| line.contains("adsys")),
        "{verbatim:#?}"
    );
    assert_eq!(parsed.get("GptTmpl.inf"), Some(&121));
    assert_eq!(parsed.get("scripts.ini"), Some(&23));
    assert_eq!(parsed.get("psscripts.ini"), Some(&6));
    assert_eq!(parsed.get("fdeploy1.ini"), Some(&5));
    assert_eq!(parsed.get("fdeploy.ini"), Some(&5));
    assert!(
        parsed
            .get("Registry.pol")
            .is_some_and(|count| *count >= 214),
        "{parsed:?}"
    );
}

#[test]
fn sections_and_records_are_as_many_as_were_counted() {
    let Some(corpus) = corpus() else { return };
    let mut paths = Vec::new();
    files(&corpus, &mut paths);
    let mut sections: BTreeMap<String, usize> = BTreeMap::new();
    let (mut sound, mut records) = (0, 0);
    for path in &paths {
        let name = path.file_name().unwrap().to_str().unwrap().to_lowercase();
        let made_for_tests = path.to_str().unwrap().contains("adsys");
        if name == "gpttmpl.inf" {
            let file = GptTmpl::parse(&std::fs::read(path).unwrap()).unwrap();
            for line in file.ini.lines() {
                if let LineKind::Section(section) = line.kind {
                    *sections.entry(section.to_owned()).or_default() += 1;
                }
            }
        } else if name.ends_with(".pol") && !made_for_tests {
            let bytes = Bytes::from(std::fs::read(path).unwrap());
            let file = RegistryPol::parse(&bytes).unwrap();
            assert_eq!(file.to_bytes(), bytes, "{}", path.display());
            sound += 1;
            records += file.records.len();
        } else if name == "gpt.ini" {
            let bytes = std::fs::read(path).unwrap();
            let version = gpt_ini::read_version(&bytes).unwrap().unwrap_or_default();
            let written = gpt_ini::write_version(&bytes, version.next()).unwrap();
            assert_eq!(
                gpt_ini::read_version(&written).unwrap(),
                Some(version.next())
            );
        }
    }
    println!("{sections:?}; {sound} sound Registry.pol with {records} records");
    let counted = [
        ("Unicode", 121),
        ("Version", 121),
        ("Registry Values", 50),
        ("Privilege Rights", 32),
        ("System Access", 26),
        ("Service General Setting", 20),
        ("Event Audit", 7),
        ("Group Membership", 6),
        ("Kerberos Policy", 3),
        ("Registry Keys", 3),
        ("Application Log", 1),
        ("Security Log", 1),
        ("System Log", 1),
        ("File Security", 1),
    ];
    for (section, count) in counted {
        assert_eq!(sections.get(section), Some(&count), "{section}");
    }
    assert_eq!(sections.len(), counted.len());
    assert_eq!(sound, 214);
}
