//! What is refused or reported of backups that are not what was written.

use super::*;
use crate::message::Code;

fn damage(path: &Path) -> Vec<String> {
    let found = read(path).unwrap().damage;
    assert!(found.iter().all(|one| one.severity == Severity::Error));
    let text = |one: &StatusMessage| format!("{} {}", one.code, one.place.as_ref().unwrap());
    found.iter().map(text).collect()
}

#[test]
fn every_changed_file_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let info = write(dir.path(), &snapshot(), &context(), "", NOW).unwrap();
    assert_eq!(damage(&info.path), [""; 0]);
    let tree = info.path.join("DomainSysvol/GPO");
    fs::write(tree.join("Machine/Scripts/Startup/a & b.cmd"), "evil").unwrap();
    assert_eq!(
        damage(&info.path),
        ["changed-file DomainSysvol/GPO/Machine/Scripts/Startup/a & b.cmd"]
    );
    fs::remove_file(tree.join("Adm/x.adm")).unwrap();
    for name in ["gpreport.xml", "bkupInfo.xml", "Backup.xml"] {
        let mut changed = fs::read(info.path.join(name)).unwrap();
        // A line end at the end, in UTF-16 for the report.
        changed.extend(if name == "gpreport.xml" { "\n\0" } else { "\n" }.bytes());
        fs::write(info.path.join(name), changed).unwrap();
    }
    let mut found = damage(&info.path);
    found.sort();
    let expected = [
        "changed-file Backup.xml",
        "changed-file DomainSysvol/GPO/Machine/Scripts/Startup/a & b.cmd",
        "changed-file bkupInfo.xml",
        "changed-file gpreport.xml",
        "missing-file DomainSysvol/GPO/Adm/x.adm",
    ];
    assert_eq!(found, expected);
    // Hashes that cannot be read are no reason to believe the files.
    fs::write(info.path.join("gpoctl.json"), "{\"files\": 1}").unwrap();
    assert_eq!(damage(&info.path), ["malformed-side-file gpoctl.json"]);
    assert_eq!(read(&info.path).unwrap().not_verifiable(), None);
    // Without any, as GPMC writes it, there is nothing to compare with, and that is said.
    fs::remove_file(info.path.join("gpoctl.json")).unwrap();
    assert_eq!(damage(&info.path), [""; 0]);
    let said = read(&info.path).unwrap().not_verifiable().unwrap();
    assert_eq!(
        (said.code, said.severity),
        (Code::NotVerifiable, Severity::Warning)
    );
}

#[test]
fn a_file_that_was_listed_and_put_in_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let info = write(dir.path(), &snapshot(), &context(), "", NOW).unwrap();
    let xml = info.path.join("Backup.xml");
    let listed = fs::read_to_string(&xml)
        .unwrap()
        .replace("Adm\\x.adm", "Adm\\y.adm");
    fs::write(&xml, listed).unwrap();
    fs::write(info.path.join("DomainSysvol/GPO/Adm/y.adm"), "adm").unwrap();
    assert_eq!(
        damage(&info.path),
        [
            "changed-file Backup.xml",
            "added-file DomainSysvol/GPO/Adm/y.adm",
            "missing-file DomainSysvol/GPO/Adm/x.adm"
        ]
    );
}

#[test]
fn a_folder_without_backups_is_not_sound() {
    let dir = tempfile::tempdir().unwrap();
    let error = verify_all(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        format!("no backup in {}", dir.path().display())
    );
    let zip = dir.path().join("b.zip");
    fs::write(&zip, b"PK\x03\x04\x14\0").unwrap();
    let error = list(&zip).unwrap_err();
    assert!(error.hint().unwrap().contains("ZIP archive"), "{error}");
    fs::write(&zip, b"PK").unwrap();
    let error = list(&zip).unwrap_err();
    assert!(!error.hint().unwrap().contains("ZIP archive"), "{error}");
}

#[test]
fn what_is_gone_or_left_empty_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (
        write(dir.path(), &snapshot(), &context(), "", NOW).unwrap(),
        write(dir.path(), &snapshot(), &context(), "", NOW).unwrap(),
    );
    fs::remove_dir_all(&one.path).unwrap();
    let empty = "{12345678-1234-1234-1234-123456789012}";
    fs::create_dir(dir.path().join(empty)).unwrap();
    fs::create_dir(dir.path().join("empty, and of somebody else")).unwrap();
    let verified = verify_all(dir.path()).unwrap();
    assert_eq!(verified.backups.len(), 2);
    let gone = verified.backups.iter().find(|entry| !entry.present);
    let said = &gone.unwrap().problems[0].text;
    for part in [one.id.unwrap().to_string().as_str(), "Büro [1] & <b>"] {
        assert!(said.contains(part), "{said}");
    }
    let left: Vec<String> = verified
        .manifest
        .iter()
        .map(|message| format!("{} {}", message.code, message.place.as_ref().unwrap()))
        .collect();
    assert_eq!(left, [format!("empty-folder {empty}")]);
    assert!(two.path.exists());
}
