//! Roll back while another admin writes: a version that clients may have seen is never lowered, and the other admin's changes
//! are kept.

use std::collections::BTreeMap;

use crate::support::*;
use serde_json::Value;

/// A GPO of DST.TEST with settings of its own at version 1/1, and a backup to import that takes a while to stage.
struct Case {
    guid: String,
    dn: String,
    big: String,
}

impl Case {
    fn new(name: &str) -> Self {
        Self::of_size(name, 400)
    }

    fn of_size(name: &str, files: usize) -> Self {
        let name = fresh(name);
        let backups = back_up("src.test", &["Logon Scripts", "Desktop Registry"]);
        import(&backups["Logon Scripts"], &name, &["--create", "--yes"]).json();
        let big = backup_of_copy(backups["Desktop Registry"].to_str().unwrap());
        with_many_files(&big, files);
        let gpo = gpo_named(&state("dst"), &name);
        Self {
            guid: guid_of(&gpo),
            dn: gpo["dn"].as_str().unwrap().to_owned(),
            big,
        }
    }

    fn now(&self) -> Value {
        state("dst")["gpos"][&self.guid].clone()
    }

    /// Imports while somebody else does something.
    fn import_against(&self, what: &ConcurrentChange<'_>) -> Said {
        let other = ConcurrentAdmin::start(
            "dst",
            &ConcurrentChange {
                guid: &self.guid,
                ..*what
            },
        );
        let said = import(self.big.as_ref(), &self.guid, &["--yes"]);
        other.assert_done();
        said
    }

    fn replace(&self, attribute: &str, value: &str) -> String {
        format!(
            "dn: {}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n\n",
            self.dn
        )
    }

    fn remove(&self) {
        write("dst.test", &["delete", &self.guid]).json();
        assert_samba_checks_pass("dst");
    }
}

/// A GPO without what a roll-back with a higher version changes, and without this attribute.
fn without(gpo: &Value, attribute: &str) -> Value {
    let mut gpo = timeless(gpo);
    gpo["attributes"].as_object_mut().unwrap().remove(attribute);
    gpo
}

fn files_of(gpo: &Value) -> BTreeMap<String, String> {
    sysvol_files(gpo)
}

fn says(said: &Said, words: &[&str]) {
    for word in words {
        assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_visible_change_is_rolled_back_with_a_higher_version() {
    let _alone = alone();
    let case = Case::new("Seen");
    let before = case.now();
    assert_eq!(version_of("dst", &before), (1, 1));
    // Renamed by somebody else at the last moment, the GPO differs from the plan when it is read back.
    let said = case.import_against(&ConcurrentChange {
        version: Some(0x0002_0002),
        ldif: &case.replace("displayName", "Renamed by somebody else"),
        ..ConcurrentChange::default()
    });
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(
        &said,
        &[
            "read back, the display name of GPO",
            "everything was rolled back, with the higher version computer 3, user 3",
        ],
    );
    let after = case.now();
    assert_eq!(version_of("dst", &after), (3, 3));
    assert_eq!(attribute(&after, "displayName"), "Renamed by somebody else");
    assert_same(
        &without(&before, "displayName"),
        &without(&after, "displayName"),
    );
    assert_samba_checks_pass("dst");
    case.remove();
}

#[test]
#[ignore = "needs the lab"]
fn a_lost_race_keeps_what_the_winner_wrote() {
    let _alone = alone();
    let case = Case::new("Lost race");
    let before = case.now();
    // Another editor, who writes the same version at the same moment.
    let theirs = "[{827D319E-6EAC-11D2-A4EA-00C04F79F83A}{803E14A0-B4FB-11D0-A0D0-00A0C90F574B}]";
    let ldif = [
        case.replace("versionNumber", "131074"),
        case.replace("flags", "1"),
        case.replace("gPCMachineExtensionNames", theirs),
    ]
    .concat();
    let said = case.import_against(&ConcurrentChange {
        version: Some(0x0002_0002),
        ldif: &ldif,
        ..ConcurrentChange::default()
    });
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(
        &said,
        &[
            "has changed since it was read",
            "everything was rolled back, with the higher version computer 3, user 3",
        ],
    );
    let after = case.now();
    assert_eq!(version_of("dst", &after), (3, 3));
    assert_eq!(attribute(&after, "flags"), "1");
    assert_eq!(attribute(&after, "gPCMachineExtensionNames"), theirs);
    assert_eq!(files_of(&before), files_of(&after));
    assert_eq!(timeless(&before)["sysvol"], timeless(&after)["sysvol"]);
    case.remove();
}

#[test]
#[ignore = "needs the lab"]
fn a_file_of_another_admin_is_kept_and_reported() {
    let _alone = alone();
    let case = Case::new("Written into");
    let before = case.now();
    let said = case.import_against(&ConcurrentChange {
        version: Some(0x0002_0002),
        file: Some("Machine/Many/other.txt"),
        ldif: &case.replace("displayName", "Renamed by somebody else"),
        ..ConcurrentChange::default()
    });
    assert_eq!(said.status, 3, "{}{}", said.stdout, said.stderr);
    says(
        &said,
        &[
            "Machine, whose former content is kept beside it as .gpoctl-",
            "was changed by somebody else in the meantime and is left unchanged",
            "read back, the display name of GPO",
            "the old state is in",
        ],
    );
    let after = case.now();
    assert_eq!(version_of("dst", &after), (3, 3));
    let (then, now) = (files_of(&before), files_of(&after));
    assert!(now.contains_key("machine/many/other.txt"));
    // The other half is what it was, and so are the attributes; of the changed half, the old one is kept beside it.
    for (path, hash) in &then {
        let kept = path.strip_prefix("machine/").map_or_else(
            || now.get(path),
            |rest| {
                now.iter()
                    .find(|(key, _)| {
                        key.starts_with(".gpoctl-")
                            && key.ends_with(&format!("-old-machine/{rest}"))
                    })
                    .map(|(_, hash)| hash)
            },
        );
        assert_eq!(kept, Some(hash), "{path}");
    }
    let attributes = |gpo: &Value| without(gpo, "displayName")["attributes"].clone();
    assert_same(&attributes(&before), &attributes(&after));
    assert_eq!(attribute(&after, "displayName"), "Renamed by somebody else");
    case.remove();
}

/// Rolling back would leave this file and the others of its half, beside the old files of the other half.
#[test]
#[ignore = "needs the lab"]
fn a_file_that_comes_into_the_new_settings_is_a_change_of_them() {
    let _alone = alone();
    let case = Case::new("Edited at once");
    let said = case.import_against(&ConcurrentChange {
        version: Some(0x0002_0002),
        file: Some("Machine/Many/other.txt"),
        ..ConcurrentChange::default()
    });
    let result = said.json();
    assert_eq!(result["status"], "done");
    let messages = result["messages"].as_array().unwrap().iter();
    let mut again = messages.filter(|message| message["code"] == "changed-again");
    let text = again.next().unwrap()["text"].as_str().unwrap();
    let expected = "has changed again since it was written: machine/many/other.txt";
    assert!(text.contains(expected), "{text}");
    let after = case.now();
    assert_eq!(version_of("dst", &after), (2, 2));
    let mut files = files_of(&after);
    assert!(files.remove("machine/many/other.txt").is_some());
    let backup = std::path::Path::new(&case.big);
    assert_eq!(files, local_files(&backup.join("DomainSysvol/GPO")));
    case.remove();
}

#[test]
#[ignore = "needs the lab"]
fn a_change_while_staging_is_detected_and_kept() {
    let _alone = alone();
    let case = Case::of_size("Overtaken", 1_500);
    let added = format!("CN=Microsoft,CN=Machine,{}", case.dn);
    for (file, ldif, what) in [
        (Some("Machine/other.txt"), String::new(), "its files"),
        (
            None,
            format!("dn: {added}\nchangetype: add\nobjectClass: container\n\n"),
            "an object below it",
        ),
    ] {
        let before = case.now();
        let said = case.import_against(&ConcurrentChange {
            file,
            ldif: &ldif,
            ..ConcurrentChange::default()
        });
        assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
        says(
            &said,
            &[
                "was changed by somebody else while the new files were being written",
                what,
                "everything was rolled back",
            ],
        );
        let mut after = case.now();
        assert_eq!(version_of("dst", &after), (1, 1));
        if file.is_some() {
            let entries = after["sysvol"].as_array_mut().unwrap();
            let there = entries.len();
            entries.retain(|entry| !entry["path"].as_str().unwrap().ends_with("other.txt"));
            assert_eq!(entries.len(), there - 1);
            assert_same(&timeless(&before), &timeless(&after));
        } else {
            assert_eq!(before["sysvol"], after["sysvol"]);
            let children = after["children"].as_array().unwrap();
            assert!(children.iter().any(|child| child["dn"] == added.as_str()));
        }
    }
    case.remove();
}

#[test]
#[ignore = "needs the lab"]
fn absent_attributes_are_absent_after_rollback() {
    let _alone = alone();
    let case = Case::new("Bare");
    let ini = format!(
        "/var/lib/samba/sysvol/dst.test/Policies/{}/GPT.INI",
        case.guid
    );
    inside("dst", &["rm", &ini]);
    let gone = |attribute: &str| {
        format!(
            "dn: {}\nchangetype: modify\ndelete: {attribute}\n\n",
            case.dn
        )
    };
    ldbmodify("dst", &[gone("flags"), gone("versionNumber")].concat());
    let before = case.now();
    assert_eq!(before["attributes"].get("flags"), None);
    let has_ini = |gpo: &Value| {
        gpo["sysvol"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["path"] == "GPT.INI")
    };
    assert!(!has_ini(&before));

    // Before anything is visible: byte for byte.
    let plan = scratch().join("bare.json");
    let plan = plan.to_str().unwrap();
    let planned = import(case.big.as_ref(), &case.guid, &["--plan-out", plan]).json();
    let (_, tag) = planned["operation_id"]
        .as_str()
        .unwrap()
        .rsplit_once('-')
        .unwrap();
    let in_the_way = format!(
        "/var/lib/samba/sysvol/dst.test/Policies/{}/.gpoctl-{tag}-old-User",
        case.guid
    );
    // With a file, so that it is not what the operation itself would have put there.
    let his = format!("{in_the_way}/his.txt");
    inside("dst", &["mkdir", &in_the_way]);
    inside("dst", &["touch", &his]);
    let said = gpoctl(&["apply", plan, "--domain", "dst.test", "--json"]);
    inside("dst", &["rm", &his]);
    inside("dst", &["rmdir", &in_the_way]);
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(
        &said,
        &[
            "was changed by somebody else while the new files were being written: User",
            "something already exists",
            "everything was rolled back; review the GPO and make the plan again",
        ],
    );
    assert_same(&before, &case.now());

    // Afterwards: the file and flags are reverted; the version must be one that clients have not seen.
    let said = case.import_against(&ConcurrentChange {
        version: Some(0x0001_0001),
        ldif: &case.replace("displayName", "Renamed by somebody else"),
        ..ConcurrentChange::default()
    });
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(
        &said,
        &["everything was rolled back, with the higher version computer 2, user 2"],
    );
    let after = case.now();
    assert!(!has_ini(&after));
    assert_eq!(after["attributes"].get("flags"), None);
    assert_eq!(attribute(&after, "versionNumber"), "131074");
    assert_same(
        &without(&before, "displayName"),
        &without(&after, "displayName"),
    );

    // A folder that was missing on SYSVOL is deleted again too, and what clients may have seen in it is not reused.
    let folder = format!("/var/lib/samba/sysvol/dst.test/Policies/{}", case.guid);
    inside("dst", &["rm", "-rf", &folder]);
    let said = case.import_against(&ConcurrentChange {
        version: Some(0x0003_0003),
        ldif: &case.replace("displayName", "Renamed once more"),
        ..ConcurrentChange::default()
    });
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(
        &said,
        &["everything was rolled back, with the higher version computer 4, user 4"],
    );
    assert_ne!(asked_inside("dst", &["test", "-e", &folder], "").status, 0);
    let database = "/var/lib/samba/private/sam.ldb";
    let found = inside(
        "dst",
        &[
            "ldbsearch",
            "-H",
            database,
            "-b",
            &case.dn,
            "-s",
            "base",
            "versionNumber",
        ],
    );
    assert!(found.contains("versionNumber: 262148\n"), "{found}");
    case.remove();
}
