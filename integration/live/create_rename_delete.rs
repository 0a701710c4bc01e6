//! Create, rename, set-status and delete: what each changes, what it refuses, and that a failure leaves nothing behind.

mod delete;

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::*;
use serde_json::Value;

/// A state without what every write changes: update numbers and times, on a GPO and on the objects it is linked to.
fn settled(mut state: Value) -> Value {
    for gpo in state["gpos"].as_object_mut().unwrap().values_mut() {
        forget(gpo);
    }
    state
}

fn forget(gpo: &mut Value) {
    for name in ["uSNChanged", "whenChanged"] {
        gpo["attributes"].as_object_mut().unwrap().remove(name);
    }
}

#[test]
#[ignore = "needs the lab"]
fn create_rename_set_status_delete() {
    let _alone = alone();
    for (domain, side) in [("src.test", "src"), ("dst.test", "dst")] {
        let before = settled(state(side));
        let (name, other) = (fresh("Born"), fresh("Renamed – Ünïcode"));
        let made = write(domain, &["create", &name]).json();
        assert_eq!(made["gpo"]["created"], true);
        assert_eq!(made["gpo"]["version"], 0);
        let gpo = gpo_named(&state(side), &name);
        assert_eq!(attribute(&gpo, "versionNumber"), "0");
        assert_eq!(attribute(&gpo, "flags"), "0");
        assert_eq!(attribute(&gpo, "gPCFunctionalityVersion"), "2");
        assert_eq!(attribute(&gpo, "gPCMachineExtensionNames"), "");
        let guid = guid_of(&gpo);
        assert_eq!(
            sysvol_file(side, &guid, "GPT.INI"),
            b"[General]\r\nVersion=0\r\n"
        );
        assert!(sysvol_files(&gpo).is_empty());
        assert_samba_checks_pass(side);

        // Samba's own tool creates a GPO with the same permissions, those of the schema, also on the objects below.
        let theirs = fresh("Born of another tool");
        samba_tool(side, &["gpo", "create", &theirs]);
        let theirs = gpo_named(&state(side), &theirs);
        assert_same(&descriptors_of(&theirs), &descriptors_of(&gpo));
        write(domain, &["delete", &guid_of(&theirs)]).json();

        let taken = write(domain, &["create", &name.to_uppercase()]);
        assert_eq!(taken.status, 1);
        assert!(taken.stderr.contains("exists already"), "{}", taken.stderr);

        let renamed = write(domain, &["rename", &name, &other]).json();
        assert_eq!(renamed["gpo"]["display_name"], other.as_str());
        for (word, flags) in [
            ("computer", "1"),
            ("user", "2"),
            ("none", "3"),
            ("all", "0"),
        ] {
            write(domain, &["set-status", &other, word]).json();
            let now = gpo_named(&state(side), &other);
            assert_eq!(attribute(&now, "flags"), flags);
            assert_eq!(attribute(&now, "versionNumber"), "0");
            assert_eq!(guid_of(&now), guid);
        }
        // Only the name and the status have changed.
        let mut now = gpo_named(&state(side), &other);
        let mut then = gpo;
        for gpo in [&mut now, &mut then] {
            forget(gpo);
            gpo["attributes"]
                .as_object_mut()
                .unwrap()
                .remove("displayName");
        }
        assert_same(&then, &now);
        assert_samba_checks_pass(side);

        let deleted = write(domain, &["delete", &other]).json();
        assert_eq!(deleted["gpo"]["deleted"], true);
        assert_same(&before, &settled(state(side)));
        assert_samba_checks_pass(side);
    }
}

/// The descriptors of a GPO and of the objects below it, each by its own name in lower case.
fn descriptors_of(gpo: &Value) -> Value {
    let children = gpo["children"].as_array().unwrap().iter();
    let children = children.map(|child| {
        let name = attribute(child, "cn").to_lowercase();
        (name, child["sddl"].clone())
    });
    let own = ("gpo".to_owned(), gpo["sddl"].clone());
    Value::Object(children.chain([own]).collect())
}

#[test]
#[ignore = "needs the lab"]
fn taken_and_invalid_names_are_refused() {
    let _alone = alone();
    let before = state("dst");
    for (arguments, status, words) in [
        (vec!["create", "target FILLED"], 1, "exists already"),
        (
            vec!["rename", "Target Empty", "target filled"],
            1,
            "exists already",
        ),
        (vec!["rename", "Duplicate Name", "x"], 1, "matches 2 GPOs"),
        (vec!["create", ""], 2, "is not a valid display name"),
        (vec!["create", "a\nb"], 2, "is not a valid display name"),
        (
            vec!["create", "{31B2F340-016D-11D2-945F-00C04FB984F9}"],
            2,
            "does not look like a GUID",
        ),
        (
            vec![
                "rename",
                "Target Empty",
                "31b2f340-016d-11d2-945f-00c04fb984f9",
            ],
            2,
            "does not look like a GUID",
        ),
        (vec!["delete", "never there"], 1, "there is no GPO"),
    ] {
        let said = write("dst.test", &arguments);
        assert_eq!(said.status, status, "{arguments:?}: {}", said.stderr);
        assert!(
            said.stderr.contains(words),
            "{arguments:?}: {}",
            said.stderr
        );
    }
    // The name that it has is nothing to do, as a status that it has.
    for arguments in [
        ["rename", "Target Empty", "Target Empty"],
        ["set-status", "Target Empty", "all"],
    ] {
        let said = gpoctl(&[&arguments[..], &["--domain", "dst.test", "--yes"]].concat());
        assert_eq!(said.status, 0, "{}", said.stderr);
        assert!(said.stderr.contains("nothing to do"), "{}", said.stderr);
    }
    // Only the case of its own name differs.
    assert_same(&before, &state("dst"));
}

#[test]
#[ignore = "needs the lab"]
fn a_rename_may_change_the_case_alone() {
    let _alone = alone();
    let name = fresh("case");
    write("dst.test", &["create", &name]).json();
    let upper = name.replace("case", "CASE");
    write("dst.test", &["rename", &name, &upper]).json();
    assert_eq!(
        attribute(&gpo_named(&state("dst"), &upper), "displayName"),
        upper
    );
    write("dst.test", &["delete", &upper]).json();
}

#[test]
#[ignore = "needs the lab"]
fn the_default_policies_are_never_deleted() {
    let _alone = alone();
    for (domain, side) in [("src.test", "src"), ("dst.test", "dst")] {
        let before = state(side);
        for gpo in [
            "{31B2F340-016D-11D2-945F-00C04FB984F9}",
            "{6AC1786C-016F-11D2-945F-00C04FB984F9}",
        ] {
            let said = write(domain, &["delete", gpo]);
            assert_eq!(said.status, 1);
            assert!(said.stderr.contains("cannot be deleted"), "{}", said.stderr);
        }
        assert_same(&before, &state(side));
    }
}

#[test]
#[ignore = "needs the lab"]
fn dry_runs_change_nothing() {
    let _alone = alone();
    let before = state("src");
    let name = fresh("Never made");
    for arguments in [
        vec!["create", name.as_str()],
        vec!["delete", "Everything"],
        vec!["delete", "Everything", "--keep-links"],
        vec!["rename", "Everything", name.as_str()],
        vec!["set-status", "Everything", "none"],
    ] {
        let said = dry("src.test", &arguments).json();
        assert_eq!(said["dry_run"], true);
        assert!(!said["plan"]["steps"].as_array().unwrap().is_empty());
        // Without --yes and without a terminal, nothing is done either.
        let mut all = arguments;
        all.extend(["--domain", "src.test", "--json"]);
        assert_eq!(gpoctl(&all).status, 2);
    }
    assert_same(&before, &state("src"));
}

#[test]
#[ignore = "needs the lab"]
fn ctrl_c_at_the_question_changes_nothing() {
    let _alone = alone();
    let before = state("src");
    for arguments in [
        &["rename", "Desktop Registry", "Asked"][..],
        &[
            "link",
            "add",
            "Desktop Registry",
            "--target",
            "src.test/Staff",
        ],
    ] {
        let inner = command(&[arguments, &["--domain", "src.test"]].concat());
        let mut words = vec![inner.get_program().to_str().unwrap()];
        words.extend(inner.get_args().map(|word| word.to_str().unwrap()));
        let line = words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(" ");
        // A separate terminal.
        let mut script = Command::new("script");
        script
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &line,
                "/dev/null",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (name, value) in inner.get_envs() {
            script.env(name, value.unwrap());
        }
        let mut script = script.spawn().unwrap();
        let mut output = script.stdout.take().unwrap();
        let mut said = Vec::new();
        let mut read = |until: Option<&str>| {
            let mut byte = [0];
            while until.is_none_or(|end| !String::from_utf8_lossy(&said).ends_with(end))
                && output.read(&mut byte).unwrap() == 1
            {
                said.extend(byte);
            }
            String::from_utf8_lossy(&said).into_owned()
        };
        let asked = read(Some("[y/N] "));
        assert!(asked.ends_with(" in src.test? [y/N] "), "{asked}");
        let mut keyboard = script.stdin.take().unwrap();
        keyboard.write_all(b"\x03").unwrap();
        let said = read(None);
        assert_eq!(script.wait().unwrap().code(), Some(130), "{said}");
        assert!(said.contains("stopping at the next safe point"), "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
        drop(keyboard);
    }
    assert_same(&before, &state("src"));
}
