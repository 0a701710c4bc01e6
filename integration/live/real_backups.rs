//! Real backups imported into the lab, or compared with backups of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::backup_schema::{assert_matches_schema, schemas};
use crate::support::*;
use base64::Engine as _;
use bytes::Bytes;
use gpoctl::formats::registry_pol::{Record, RegistryPol, ValueType};
use serde_json::Value;

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

/// The output of `samba.dcerpc.preg` for files, all in one call of the judge.
fn samba_reads(files: &BTreeMap<String, Bytes>) -> Value {
    let encoded: BTreeMap<&str, String> = files
        .iter()
        .map(|(name, bytes)| {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            (name.as_str(), text)
        })
        .collect();
    let answers = judge_of("src", &["preg"], &serde_json::to_vec(&encoded).unwrap());
    serde_json::from_slice(&answers).unwrap()
}

/// Whether Samba's entry has the same content as our record.
fn agree(record: &Record, entry: &Value) -> bool {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let data = match &entry["data"] {
        Value::Null => record.data.is_empty(),
        Value::String(text) => record.string().as_deref() == Some(text),
        Value::Object(bytes) => bytes["hex"] == hex(&record.data),
        Value::Number(number) if record.value_type == ValueType::QWORD => {
            number.as_u64() == record.qword()
        }
        Value::Number(number) => number.as_u64() == record.dword().map(u64::from),
        _ => false,
    };
    data && entry["key"] == record.key_text()
        && entry["value"] == record.value_name_text()
        && entry["type"] == record.value_type.0
        && entry["size"] == record.data.len()
}

#[test]
#[ignore = "needs the lab and GPOCTL_CORPUS"]
fn registry_pol_is_read_as_samba_reads_it() {
    let corpus = corpus();
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
    // Samba checks neither the signature nor the bracket after the data, and accepts an empty key.
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

#[test]
#[ignore = "needs the lab and GPOCTL_CORPUS"]
fn a_live_backup_matches_the_schema_of_real_ones() {
    let corpus = corpus();
    let folder = tempfile::tempdir_in(scratch()).unwrap().keep();
    let to = folder.to_str().unwrap();
    let said = gpoctl(&[
        "backup", "--all", "--domain", "src.test", "--to", to, "--json",
    ]);
    let backups = said.json()["backups"].as_array().unwrap().len();
    assert_eq!(
        assert_matches_schema(&schemas(&corpus), &folder),
        2 * backups + 1
    );
}

/// Backups of different kinds, by what is in them.
fn ten_kinds(corpus: &Path) -> BTreeMap<&'static str, PathBuf> {
    let mut backups = Vec::new();
    let mut folders = vec![corpus.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        if entries.iter().any(|path| path.ends_with("Backup.xml"))
            && folder.join("bkupInfo.xml").exists()
        {
            backups.push(folder);
            continue;
        }
        folders.extend(entries.into_iter().filter(|path| path.is_dir()).rev());
    }
    let kinds: [(&str, &str); 10] = [
        ("security", "gpttmpl.inf"),
        ("registry", "machine/registry.pol"),
        ("user registry", "user/registry.pol"),
        ("redirection", "fdeploy1.ini"),
        ("groups", "groups.xml"),
        ("drives", "drives.xml"),
        ("tasks", "scheduledtasks.xml"),
        ("scripts", "scripts/scripts.ini"),
        ("audit", "audit.csv"),
        ("software", ".aas"),
    ];
    kinds
        .into_iter()
        .map(|(kind, ending)| {
            let backup = backups
                .iter()
                .find(|backup| {
                    local_files(&backup.join("DomainSysvol/GPO"))
                        .keys()
                        .any(|path| path.ends_with(ending))
                })
                .unwrap_or_else(|| panic!("no backup with {ending}"));
            (kind, backup.clone())
        })
        .collect()
}

#[test]
#[ignore = "needs the lab and GPOCTL_CORPUS"]
fn ten_real_backups_arrive_byte_for_byte() {
    let corpus = corpus();
    let _alone = alone();
    let kinds = ten_kinds(&corpus);
    assert_eq!(kinds.len(), 10);
    for (kind, backup) in &kinds {
        let name = fresh(&format!("Real {kind}"));
        let result = import(backup, &name, &["--create", "--yes"]).json();
        assert_eq!(result["status"], "done", "{kind}: {result}");
    }
    let after = state("dst");
    for (kind, backup) in &kinds {
        let gpo = gpo_named(&after, &fresh(&format!("Real {kind}")));
        assert_halves_agree(&gpo, backup);
        let written = sysvol_files(&gpo);
        let mut saved = local_files(&backup.join("DomainSysvol/GPO"));
        // Only what Backup.xml lists belongs to the backup.
        saved.retain(|path, _| written.contains_key(path) || !path.ends_with(".backup"));
        assert_eq!(written, saved, "{kind}");
    }
    assert_samba_checks_pass("dst");
}

/// The logon-right backups of HardenAD, by the name of their folder.
fn logon_rights(corpus: &Path) -> BTreeMap<String, PathBuf> {
    std::fs::read_dir(corpus.join("hardenad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|folder| {
            let name = folder.file_name()?.to_str()?.to_owned();
            name.starts_with("HAD-LoginRestrictions").then_some(())?;
            let backup = std::fs::read_dir(&folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.is_dir())?;
            Some((name, backup))
        })
        .collect()
}

#[test]
#[ignore = "needs the lab and GPOCTL_CORPUS"]
fn real_logon_rights_end_up_with_groups_of_the_target() {
    let corpus = corpus();
    let _alone = alone();
    let backups = logon_rights(&corpus);
    assert_eq!(backups.len(), 8);
    let destinations = [
        "Support@dst.test",
        "Backup Team@dst.test",
        "DL-Files@dst.test",
        "GG-Workstations@dst.test",
        "Server Admins@dst.test",
        "No Policy@dst.test",
        "Filler One@dst.test",
        "Filler Two@dst.test",
        "alice@dst.test",
        "carol@dst.test",
        "dave@dst.test",
    ];
    let mut mapped = 0;
    for (name, backup) in &backups {
        let name = &fresh(name);
        let shown = gpoctl(&["backups", "show", backup.to_str().unwrap(), "--json"]).json();
        let mut rows: Vec<(String, String, String)> = Vec::new();
        for group in shown["security_groups"].as_array().unwrap() {
            if group["from_dacl"] == false && group["sid"].is_string() {
                let destination = destinations[rows.len() % destinations.len()];
                rows.push((
                    group["type"].as_str().unwrap().to_owned(),
                    group["upn"].as_str().unwrap().to_owned(),
                    set(destination),
                ));
            }
        }
        assert!(!rows.is_empty(), "{name}");
        // GPMC does not list those of Preferences; some are of a domain that the source no longer knows.
        let listed: Vec<String> = shown["security_groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| {
                let part = |field: &str| group[field].as_str().unwrap_or_default().to_owned();
                format!("{}\\{}", part("netbios_domain"), part("sam_account_name"))
            })
            .collect();
        for reference in shown["references"].as_array().unwrap() {
            let in_preferences = reference["place"]["file"]
                .as_str()
                .unwrap()
                .contains("\\Preferences\\");
            let sid = reference["sid"].as_str().unwrap_or_default();
            let is_listed = listed.iter().any(|name| reference["name"] == name.as_str());
            if in_preferences && sid.starts_with("S-1-5-21-") && !is_listed {
                rows.push(("Unknown".to_owned(), sid.to_owned(), set(destinations[0])));
            }
        }
        let borrowed: Vec<(&str, &str, String)> = rows
            .iter()
            .map(|(kind, source, to)| (kind.as_str(), source.as_str(), to.clone()))
            .collect();
        let whole = table(&borrowed);
        let result = import(
            backup,
            name,
            &[
                "--create",
                "--migration-table",
                whole.to_str().unwrap(),
                "--exclusive",
                "--yes",
            ],
        )
        .json();
        assert_eq!(result["status"], "done");
        let gpo = gpo_named(&state("dst"), name);
        let inf = sysvol_text(
            "dst",
            &guid_of(&gpo),
            "Machine/microsoft/windows nt/SecEdit/GptTmpl.inf",
        );
        let dst = domain_sid("dst");
        for (at, _) in inf.match_indices("S-1-5-21-") {
            let sid = inf.get(at..).unwrap();
            assert!(sid.starts_with(&dst), "{name}: {inf}");
            mapped += 1;
        }

        // With one row less, nothing is written.
        let (_, dropped, _) = borrowed[0];
        let dropped_sid = shown["security_groups"]
            .as_array()
            .unwrap()
            .iter()
            .find(|group| group["upn"] == dropped)
            .unwrap()["sid"]
            .as_str()
            .unwrap()
            .to_owned();
        let references = shown["references"].as_array().unwrap();
        let dropped_name = &references
            .iter()
            .find(|reference| reference["sid"] == dropped_sid.as_str())
            .unwrap()["name"];
        // Preferences name the same group beside a SID that it no longer has.
        let expected: Vec<&Value> = references
            .iter()
            .filter(|reference| reference["name"] == *dropped_name)
            .collect();
        let short = table(&borrowed[1..]);
        let before = state("dst");
        let said = import(
            backup,
            name,
            &[
                "--migration-table",
                short.to_str().unwrap(),
                "--exclusive",
                "--yes",
            ],
        );
        assert_eq!(said.status, 1);
        assert_same(&before, &state("dst"));
        let error: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(error["error"]["kind"], "unmapped");
        let named: Vec<&Value> = error["messages"].as_array().unwrap().iter().collect();
        assert_eq!(named.len(), expected.len(), "{error}");
        for reference in expected {
            assert!(
                named
                    .iter()
                    .any(|message| message["place"] == reference["place"]),
                "{reference} is not named"
            );
            assert!(reference["place"]["file"].is_string());
            assert!(reference["place"]["section"].is_string());
            assert!(reference["place"]["line"].is_number());
        }
    }
    println!("{mapped} SIDs in logon rights are groups and users of the target");
    assert!(mapped > 40);
    assert_samba_checks_pass("dst");
}
