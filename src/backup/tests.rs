use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use bytes::Bytes;

use super::*;
use crate::error::ErrorKind;
use crate::message::{Code, Severity};
use crate::model::backup_context::{BackupContext, LinkRecord};
use crate::model::directory_object::{AttributeValues, DirectoryAttribute, DirectoryObject};
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::principal::Principal;
use crate::model::security_descriptor::{SecurityDescriptor, grants_same_access};
use crate::model::snapshot::{InventoryPrincipal, WmiFilterLink};
use crate::model::version::GpoVersion;

mod attacker;
mod damage;
mod folders;

const NOW: &str = "2024-02-03T04:05:06";

fn snapshot() -> GpoSnapshot {
    let mut tree = GptTree::new();
    for (path, content) in [
        ("Machine\\Registry.pol", "pol"),
        (
            "Machine\\Microsoft\\Windows NT\\SecEdit\\GptTmpl.inf",
            "inf",
        ),
        ("Machine\\Scripts\\scripts.ini", "ini"),
        ("Machine\\Scripts\\Startup\\a & b.cmd", "cmd"),
        ("User\\Documents & Settings\\fdeploy.ini", "fd"),
        ("User\\Preferences\\Drives\\Drives.xml", "xml"),
        ("Adm\\x.adm", "adm"),
        ("GPO.cmt", "c\0"),
        ("Machine\\Applications\\{P}.aas", "aas"),
    ] {
        tree.insert_file(
            &path.parse().unwrap(),
            Bytes::copy_from_slice(content.as_bytes()),
        );
    }
    tree.insert_dir(&"Machine\\Scripts\\Shutdown".parse().unwrap());
    tree.insert_dir(&"User\\Empty".parse().unwrap());
    let descriptor = crate::model::sddl::from_sddl("O:BAD:P(A;CI;GA;;;BA)", None).unwrap();
    GpoSnapshot {
        guid: "{11111111-2222-3333-4444-555555555555}".parse().unwrap(),
        domain: "src.test".parse().unwrap(),
        domain_guid: "{AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE}".parse().ok(),
        domain_controller: "dc1.src.test".to_owned(),
        display_name: "Büro [1] & <b>".to_owned(),
        flags: 2,
        directory_version: GpoVersion {
            user: 1,
            machine: 2,
        },
        sysvol_version: Some(GpoVersion {
            user: 3,
            machine: 4,
        }),
        machine_extensions: ExtensionList::new(
            "[{42B5FAAE-6536-11D2-AE5A-0000F87571E3}{40B6664F-4972-11D1-A7CA-0000F87571E3}][{827D319E-6EAC-11D2-A4EA-00C04F79F83A}{803E14A0-B4FB-11D0-A0D0-00A0C90F574B}]",
        ),
        user_extensions: ExtensionList::default(),
        wmi_filter: Some(WmiFilterLink {
            id: "{BBBBBBBB-0000-0000-0000-000000000000}".parse().unwrap(),
            domain: "src.test".to_owned(),
            name: Some("Clients".to_owned()),
        }),
        security_descriptor: descriptor.to_bytes().unwrap(),
        tree,
        directory_objects: vec![DirectoryObject {
            rdns: vec!["CN=IPsec".to_owned(), "CN=Machine".to_owned()],
            object_class: "ipsecPolicy".to_owned(),
            ..DirectoryObject::default()
        }],
        principals: vec![
            InventoryPrincipal {
                principal: Principal::unresolved("S-1-5-21-1-2-3-512".parse().unwrap()),
                from_dacl: true,
            },
            InventoryPrincipal {
                principal: Principal::named("Users"),
                from_dacl: false,
            },
        ],
        file_paths: vec!["\\\\fs1\\share".to_owned()],
        messages: Vec::new(),
    }
}

fn context() -> BackupContext {
    BackupContext {
        links: Some(vec![LinkRecord {
            target: "OU=Clients,DC=src,DC=test".to_owned(),
            order: 2,
            enforced: true,
            disabled: false,
            options: 2,
            blocks_inheritance: true,
        }]),
        wmi_filter: Some(DirectoryObject {
            rdns: vec!["CN={BBBBBBBB-0000-0000-0000-000000000000}".to_owned()],
            object_class: "msWMI-Som".to_owned(),
            attributes: vec![DirectoryAttribute {
                name: "msWMI-Parm2".to_owned(),
                values: AttributeValues::String(Some("1;3;10;4;WQL;root;x;".to_owned())),
            }],
            security_descriptor: None,
        }),
        owner: "S-1-5-21-1-2-3-512".parse().ok(),
        group: "S-1-5-21-1-2-3-513".parse().ok(),
        when_created: "20240101000000.0Z".to_owned(),
        when_changed: "20240102000000.0Z".to_owned(),
        gpt_ini: Some(Bytes::from_static(b"[General]\r\nVersion=1\r\n\xff")),
        unread: Vec::new(),
    }
}

/// GPMC's order, seen in real backups: a walk turned round, the folder itself first.
#[test]
fn what_a_pattern_finds_stands_in_gpmcs_order() {
    let mut snapshot = snapshot();
    for path in [
        "Machine\\Scripts\\Startup\\Sub-2\\a.ps1",
        "Machine\\Scripts\\Startup\\Sub\\a.xml",
        "Machine\\Scripts\\Startup\\Sub\\a-b.xml",
        "Machine\\Scripts\\Startup\\Sub\\Below\\_x",
        "Machine\\Scripts\\Startup\\Sub\\Below\\x",
    ] {
        snapshot
            .tree
            .insert_file(&path.parse().unwrap(), Bytes::new());
    }
    let dir = tempfile::tempdir().unwrap();
    let info = write(dir.path(), &snapshot, &BackupContext::default(), "", NOW).unwrap();
    let xml = fs::read_to_string(info.path.join("Backup.xml")).unwrap();
    let found: Vec<&str> = xml
        .split(" bkp:Location=\"DomainSysvol\\GPO\\Machine\\Scripts\\Startup")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect();
    let dirs = ["", "\\Sub-2", "\\Sub\\Below", "\\Sub"];
    let files = [
        "\\Sub-2\\a.ps1",
        "\\Sub\\Below\\_x",
        "\\Sub\\Below\\x",
        "\\Sub\\a.xml",
        "\\Sub\\a-b.xml",
        "\\a & b.cmd",
    ];
    let expected: Vec<String> = [&dirs[..], &files[..]]
        .concat()
        .iter()
        .map(|path| path.replace('&', "&amp;"))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn what_stands_around_a_gpo_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let info = write(dir.path(), &snapshot(), &context(), "", NOW).unwrap();
    let stored = read(&info.path).unwrap();
    assert_eq!(stored.context, context());
    assert_eq!(stored.problems, []);
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(info.path.join("gpoctl.json")).unwrap()).unwrap();
    assert_eq!(json["links"][0]["target"], "OU=Clients,DC=src,DC=test");
    assert_eq!(json["wmi_filter"]["attributes"][0]["name"], "msWMI-Parm2");
    assert_eq!(json["owner"], "S-1-5-21-1-2-3-512");
}

#[test]
fn a_side_file_is_read_field_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let info = write(dir.path(), &snapshot(), &context(), "", NOW).unwrap();
    let path = info.path.join("gpoctl.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["links"] = serde_json::json!([{ "target": 7 }]);
    json["gpt_ini"] = "***".into();
    json["of a later version"] = serde_json::json!({ "a": [1] });
    json["format_version"] = 2.into();
    fs::write(&path, json.to_string()).unwrap();
    let stored = read(&info.path).unwrap();
    assert_eq!(stored.context.links, None);
    assert_eq!(stored.context.gpt_ini, None);
    assert_eq!(stored.context.wmi_filter, context().wmi_filter);
    assert_eq!(stored.snapshot.directory_objects.len(), 1);
    let problems: Vec<&str> = stored.problems.iter().map(|p| p.text.as_str()).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(
        stored
            .problems
            .iter()
            .all(|p| p.code == Code::MalformedSideFile)
    );
    for (content, field) in [("[]", "not a map"), ("{", "not JSON"), ("\u{0}", "no text")] {
        fs::write(&path, content).unwrap();
        let stored = read(&info.path).unwrap();
        assert_eq!(stored.problems.len(), 1, "{field}");
        assert_eq!(stored.context, BackupContext::default());
    }
}

#[test]
fn a_backup_that_lacks_something_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let unread = StatusMessage::warning(Code::UnreadableFile, "this account may not read it")
        .at(crate::model::reference::Place::file("Machine\\x.pol"));
    let context = BackupContext {
        unread: vec![unread],
        ..context()
    };
    let info = write(dir.path(), &snapshot(), &context, "", NOW).unwrap();
    let problems = read(&info.path).unwrap().problems;
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, Code::PartialBackup);
    assert!(
        problems[0].text.contains("Machine\\x.pol"),
        "{}",
        problems[0].text
    );
}

#[test]
fn what_is_written_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("backups");
    let original = snapshot();
    let info = write(
        &target,
        &original,
        &BackupContext::default(),
        "a ]]> comment",
        NOW,
    )
    .unwrap();
    let stored = read(&info.path).unwrap();
    assert_eq!(stored.problems, []);
    assert_eq!(stored.info, info);
    assert_eq!(info.comment, "a ]]> comment");
    let read = stored.snapshot;
    assert_eq!(read.tree, original.tree);
    assert_eq!(read.guid, original.guid);
    assert_eq!(read.domain_guid, original.domain_guid);
    assert_eq!(read.display_name, original.display_name);
    assert_eq!(read.flags, original.flags);
    assert_eq!(read.directory_version, original.directory_version);
    assert_eq!(read.sysvol_version, original.sysvol_version);
    assert_eq!(read.machine_extensions, original.machine_extensions);
    assert_eq!(read.wmi_filter, original.wmi_filter);
    assert_eq!(read.directory_objects, original.directory_objects);
    assert_eq!(read.file_paths, original.file_paths);
    assert_eq!(read.principals[0], original.principals[1]);
    assert_eq!(read.principals[1], original.principals[0]);
    let parse = |bytes: &[u8]| SecurityDescriptor::parse(bytes).unwrap();
    assert!(grants_same_access(
        &parse(&read.security_descriptor),
        &parse(&original.security_descriptor)
    ));
    assert_eq!(read.security_descriptor[2..4], [4, 0x9c]);
    assert_eq!(verify(&info.path).unwrap(), []);
}

#[test]
fn handlers_follow_the_extension_lists() {
    let dir = tempfile::tempdir().unwrap();
    let info = write(dir.path(), &snapshot(), &BackupContext::default(), "", NOW).unwrap();
    let xml = fs::read_to_string(info.path.join("Backup.xml")).unwrap();
    let block = |name: &str| {
        xml.split("<GroupPolicyExtension ")
            .find(|block| block.contains(&format!("bkp:DescName=\"{name}\"")))
            .map(str::to_owned)
    };
    assert!(
        block("Registry")
            .unwrap()
            .contains("Location=\"DomainSysvol\\GPO\\Machine\\Registry.pol\"")
    );
    assert!(block("Registry").unwrap().contains("Adm\\x.adm"));
    assert!(
        block("Security")
            .unwrap()
            .contains("SecurityValidateSettings")
    );
    assert!(block("Scripts").unwrap().contains("a &amp; b.cmd"));
    assert!(
        block("Scripts")
            .unwrap()
            .contains("bkp:Path=\"%GPO_MACH_FSPATH%\\Scripts\\Shutdown\"")
    );
    assert!(block("Folder Redirection").is_none());
    assert!(block("Software Installation").is_none());
    let rest = block("Unknown Extension").unwrap();
    assert!(rest.contains("Documents &amp; Settings\\fdeploy.ini"));
    assert!(rest.contains("{P}.aas"));
    assert!(!rest.contains("scripts.ini") && !rest.contains("Startup"));
    assert!(rest.contains("bkp:SourceExpandedPath=\"\\\\dc1.src.test\\sysvol\\src.test\\Policies\\{11111111-2222-3333-4444-555555555555}\\GPO.cmt\""));
}

#[test]
fn only_the_owner_may_look_and_nothing_is_left_over() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("backups");
    let info = write(&target, &snapshot(), &BackupContext::default(), "", NOW).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&info.path), 0o700);
    assert_eq!(mode(&info.path.join("DomainSysvol/GPO/Machine")), 0o700);
    assert_eq!(mode(&info.path.join("Backup.xml")), 0o600);
    assert_eq!(mode(&target.join("manifest.xml")), 0o600);
    let mut names: Vec<String> = fs::read_dir(&target)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            ".gpoctl.lock",
            "manifest.xml",
            &info.id.unwrap().to_string()
        ]
    );
}

#[test]
fn a_write_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut broken = snapshot();
    // 255 UTF-16 units are a legal name, and more than 255 bytes on disk.
    let name = "ü".repeat(255);
    broken
        .tree
        .insert_file(&name.parse().unwrap(), Bytes::new());
    assert_eq!(
        write(dir.path(), &broken, &BackupContext::default(), "", NOW)
            .unwrap_err()
            .kind(),
        ErrorKind::Internal
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    for (comment, now) in [
        ("x".repeat(2048), NOW),
        (String::new(), "2024-02-03 04:05:06"),
    ] {
        let error = write(
            dir.path(),
            &snapshot(),
            &BackupContext::default(),
            &comment,
            now,
        )
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}

#[test]
fn lists_finds_and_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let old = write(
        dir.path(),
        &snapshot(),
        &BackupContext::default(),
        "old",
        "2024-01-01T00:00:00",
    )
    .unwrap();
    fs::write(dir.path().join("manifest.xml"), "<broken").unwrap();
    let new = write(
        dir.path(),
        &snapshot(),
        &BackupContext::default(),
        "new",
        NOW,
    )
    .unwrap();
    let manifest = fs::read(dir.path().join("manifest.xml")).unwrap();
    let manifest = crate::formats::manifest::parse(&manifest).unwrap().value;
    assert_eq!(manifest.backups.len(), 2);
    fs::create_dir(dir.path().join("no-info")).unwrap();
    fs::write(dir.path().join("no-info/backup.XML"), "").unwrap();
    fs::create_dir(dir.path().join("broken")).unwrap();
    fs::write(dir.path().join("broken/Bkupinfo.xml"), "<x").unwrap();
    fs::create_dir(dir.path().join("other")).unwrap();
    symlink(&new.path, dir.path().join("link")).unwrap();
    let entries = list(dir.path()).unwrap();
    let comments: Vec<&str> = entries.iter().map(|e| e.info.comment.as_str()).collect();
    assert_eq!(comments, ["", "", "old", "new"]);
    assert!(entries[..2].iter().all(|entry| !entry.problems.is_empty()));
    assert!(entries[2..].iter().all(|entry| entry.problems.is_empty()));
    assert_eq!(list(&new.path).unwrap().len(), 1);

    let dir_path = Some(dir.path());
    let id = new.id.unwrap();
    for spec in [
        id.to_string(),
        id.bare().to_lowercase(),
        id.bare().get(..8).unwrap().to_owned(),
        "bÜRO [1] & <b>".to_owned(),
        "{11111111-2222-3333-4444-555555555555}".to_owned(),
        new.path.display().to_string(),
    ] {
        assert_eq!(resolve(&spec, dir_path).unwrap(), new.path, "{spec}");
    }
    assert_eq!(
        resolve(&old.id.unwrap().to_string(), dir_path).unwrap(),
        old.path
    );
    assert_eq!(
        resolve("nobody", dir_path).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        resolve(&id.to_string(), None).unwrap_err().kind(),
        ErrorKind::NotFound
    );

    fs::remove_dir_all(&old.path).unwrap();
    let entries = list(dir.path()).unwrap();
    let gone = entries.iter().find(|entry| !entry.present).unwrap();
    assert_eq!(gone.info.id, old.id);
    assert_eq!(gone.problems[0].code, Code::ManifestWithoutBackup);
    assert!(resolve(&old.id.unwrap().to_string(), dir_path).is_err());
}

fn codes(problems: &[StatusMessage]) -> Vec<Code> {
    for problem in problems {
        assert!(!problem.repeats_place(), "{problem:?}");
    }
    let mut codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
    codes.sort();
    codes
}

#[test]
fn takes_what_is_listed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let info = write(dir.path(), &snapshot(), &BackupContext::default(), "", NOW).unwrap();
    let gpo = info.path.join("DomainSysvol/GPO");
    fs::write(gpo.join("Machine/evil.xml.backup"), "x").unwrap();
    fs::write(gpo.join("GPT.INI"), "x").unwrap();
    fs::remove_file(gpo.join("GPO.cmt")).unwrap();
    fs::remove_dir(gpo.join("User/Empty")).unwrap();
    fs::rename(
        gpo.join("Machine/Registry.pol"),
        gpo.join("Machine/reGIStry.pol"),
    )
    .unwrap();
    let stored = read(&info.path).unwrap();
    assert_eq!(
        codes(&stored.problems),
        [Code::GptIni, Code::MissingFile, Code::UnlistedFile]
    );
    let tree = &stored.snapshot.tree;
    assert!(tree.contains("User/Empty"));
    assert!(!tree.contains("Machine/evil.xml.backup") && !tree.contains("GPT.INI"));
    assert!(
        tree.files()
            .any(|(path, _)| path.to_string() == "Machine\\reGIStry.pol")
    );
    assert_eq!(
        codes(&verify(&info.path).unwrap()),
        [Code::AddedFile, Code::AddedFile, Code::MissingFile]
    );
    fs::write(gpo.join("Adm/x.adm"), "mda").unwrap();
    assert!(codes(&verify(&info.path).unwrap()).contains(&Code::ChangedFile));
    fs::remove_file(info.path.join("gpoctl.json")).unwrap();
    assert_eq!(codes(&verify(&info.path).unwrap()), [Code::NotVerifiable]);
}

#[test]
fn of_two_spellings_the_listed_one_counts_and_none_is_lost_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let info = write(dir.path(), &snapshot(), &BackupContext::default(), "", NOW).unwrap();
    let gpo = info.path.join("DomainSysvol/GPO");
    fs::write(gpo.join("Machine/REGISTRY.pol"), "other").unwrap();
    // Two spellings of one folder are one folder.
    fs::create_dir(gpo.join("USER")).unwrap();
    fs::rename(gpo.join("User/Preferences"), gpo.join("USER/Preferences")).unwrap();
    let stored = read(&info.path).unwrap();
    let tree = &stored.snapshot.tree;
    assert_eq!(
        tree.file("machine/registry.pol").unwrap(),
        &Bytes::from_static(b"pol")
    );
    assert_eq!(
        tree.file("user/preferences/drives/drives.xml").unwrap(),
        &Bytes::from_static(b"xml")
    );
    assert_eq!(tree.files().count(), snapshot().tree.files().count());
    let said: Vec<String> = stored
        .problems
        .iter()
        .map(|problem| {
            format!(
                "{} {} {}",
                problem.code,
                problem.place.as_ref().unwrap(),
                problem.text
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "same-name Machine\\REGISTRY.pol Backup.xml lists Machine\\Registry.pol, so this one is not part of the backup"
        ]
    );
    // Neither is the listed one: nobody can know.
    fs::rename(
        gpo.join("Machine/Registry.pol"),
        gpo.join("Machine/registry.POL"),
    )
    .unwrap();
    let error = read(&info.path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    let text = error.to_string();
    assert!(
        text.contains("Machine\\REGISTRY.pol") && text.contains("Machine\\registry.POL"),
        "{text}"
    );
}

#[test]
fn leaves_no_folder_through_links_or_locations() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("scripts.ini"), "secret").unwrap();
    let info = write(
        &dir.path().join("b"),
        &snapshot(),
        &BackupContext::default(),
        "",
        NOW,
    )
    .unwrap();
    let gpo = info.path.join("DomainSysvol/GPO");
    fs::remove_file(gpo.join("Machine/Registry.pol")).unwrap();
    symlink(secret.join("scripts.ini"), gpo.join("Machine/Registry.pol")).unwrap();
    fs::remove_dir_all(gpo.join("Machine/Scripts")).unwrap();
    symlink(&secret, gpo.join("Machine/Scripts")).unwrap();
    let xml = fs::read_to_string(info.path.join("Backup.xml")).unwrap();
    let xml = xml
        .replace(
            "Location=\"DomainSysvol\\GPO\\GPO.cmt\"",
            "Location=\"DomainSysvol\\GPO\\..\\..\\..\\..\\secret\\scripts.ini\"",
        )
        .replace(
            "Location=\"DomainSysvol\\GPO\\Adm\\x.adm\"",
            "Location=\"/etc/passwd\"",
        );
    fs::write(info.path.join("Backup.xml"), xml).unwrap();
    let stored = read(&info.path).unwrap();
    let found = codes(&stored.problems);
    assert_eq!(
        found
            .iter()
            .filter(|code| **code == Code::UnsafeLocation)
            .count(),
        2
    );
    assert_eq!(
        found.iter().filter(|code| **code == Code::NotAFile).count(),
        2
    );
    assert!(
        stored
            .snapshot
            .tree
            .files()
            .all(|(_, bytes)| bytes.as_ref() != b"secret")
    );
    fs::remove_dir_all(info.path.join("DomainSysvol")).unwrap();
    symlink(&secret, info.path.join("DomainSysvol")).unwrap();
    assert_eq!(read(&info.path).unwrap().snapshot.tree.files().count(), 0);
}

#[test]
fn says_what_is_no_backup() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read(dir.path()).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        read(&dir.path().join("x")).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    fs::write(dir.path().join("Backup.xml"), "<!DOCTYPE x><x/>").unwrap();
    let error = read(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert!(error.to_string().contains("line 1"), "{error}");
    assert!(list(&dir.path().join("x")).is_err());
}
