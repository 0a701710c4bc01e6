//! Create, rename, set-status and delete: what each changes, what it refuses, and that a failure leaves nothing behind.

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
        (vec!["rename", "Target Empty", "Target Empty"], 1, "already"),
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

/// A GPO of SRC.TEST with every format, imported into `domain` under a new name, and linked twice.
fn linked(side: &str, domain: &str, name: &str) -> (String, [String; 2]) {
    let backup = &back_up("src.test", &["Everything"])["Everything"];
    write(
        domain,
        &[
            "import",
            backup.to_str().unwrap(),
            "--into",
            name,
            "--create",
        ],
    )
    .json();
    let guid = guid_of(&gpo_named(&state(side), name));
    let base = domain
        .split('.')
        .map(|part| format!("DC={part}"))
        .collect::<Vec<_>>()
        .join(",");
    let soms = [
        format!("OU=Workstations,{base}"),
        format!("OU=Staff,{base}"),
    ];
    for som in &soms {
        samba_tool(side, &["gpo", "setlink", som, &guid]);
    }
    (guid, soms)
}

/// The links of a domain, ignoring case: tools spell DNs differently.
fn links_of(state: &Value) -> Value {
    serde_json::from_str(&state["links"].to_string().to_lowercase()).unwrap()
}

#[test]
#[ignore = "needs the lab"]
fn delete_removes_links_or_keeps_them() {
    let _alone = alone();
    for (domain, side) in [("src.test", "src"), ("dst.test", "dst")] {
        let before = settled(state(side));
        let name = fresh("Linked");
        let (guid, soms) = linked(side, domain, &name);
        let links = |som: &str| state(side)["links"][som]["gPLink"].clone();
        for som in &soms {
            assert!(links(som).as_str().unwrap().to_uppercase().contains(&guid));
        }
        let whole = state(side);
        let said = write(domain, &["delete", &name]).json();
        assert_eq!(said["status"], "done");
        assert_same(&before, &settled(state(side)));
        assert_samba_checks_pass(side);

        // The journal has a backup that restores everything, links included.
        let kept = kept_backup(&said);
        write(
            domain,
            &[
                "restore",
                "--accept-permissions",
                &name,
                "--backup-dir",
                &kept,
                "--with-links",
            ],
        )
        .json();
        let now = state(side);
        assert_same(&links_of(&whole), &links_of(&now));
        assert_same(
            &timeless(&gpo_named(&whole, &name)),
            &timeless(&gpo_named(&now, &name)),
        );
        assert_samba_checks_pass(side);
        let said = write(domain, &["delete", &name, "--keep-links"]).json();
        assert!(codes(&said).contains(&"links-kept".to_owned()));
        assert_same(&links_of(&whole), &links_of(&state(side)));
        assert_samba_checks_pass(side);
        // Restored with its GUID, it is active there again, and can be unlinked like any other.
        let kept = kept_backup(&said);
        let restored = write(
            domain,
            &[
                "restore",
                "--accept-permissions",
                &name,
                "--backup-dir",
                &kept,
            ],
        )
        .json();
        assert!(codes(&restored).contains(&"link-in-force".to_owned()));
        assert_samba_checks_pass(side);
        write(domain, &["delete", &name]).json();
        assert_same(&before, &settled(state(side)));
    }
}

#[test]
#[ignore = "needs the lab"]
fn an_editor_who_may_not_delete_loses_nothing() {
    let _alone = alone();
    // What the editor may do: edit a copy of the seed that is delegated to him. The backup is of the other domain.
    let name = fresh("Edited in SRC");
    copy_of_seed(
        "Everything",
        "src",
        &name,
        &["--preserve-acl", "--accept-permissions"],
    );
    let backup = &back_up("dst.test", &["Target Filled"])["Target Filled"];
    let import = ["import", backup.to_str().unwrap(), "--into", &name];
    write("src.test", &[&import[..], &editor("src")].concat()).json();
    let edited = gpo_named(&state("src"), &name);
    assert_eq!(
        sysvol_files(&edited),
        local_files(&backup.join("DomainSysvol/GPO"))
    );
    assert_eq!(version_of("src", &edited), (2, 2));
    for check in ["aclcheck", "listall", "dbcheck"] {
        judge("src", &[check]);
    }

    let before = state("src");
    let links = "it may not write gPLink of OU=Workstations,DC=src,DC=test";
    for (arguments, words) in [
        (
            vec!["delete", name.as_str()],
            ["it may not delete CN={", &guid_of(&edited)],
        ),
        (
            vec!["delete", "Everything"],
            [links, "it may not delete CN={A1B20006-"],
        ),
        (
            vec!["delete", "Desktop Registry"],
            [
                "it may not delete CN=User,CN={A1B20002-",
                "it may not delete CN={A1B20002-",
            ],
        ),
        (
            vec!["rename", "Desktop Registry", "x"],
            [
                "may not change GPO \"Desktop Registry\"",
                "it may not write displayName of CN={A1B20002-",
            ],
        ),
        (
            vec!["set-status", "Desktop Registry", "none"],
            [
                "may not change GPO \"Desktop Registry\"",
                "it may not write flags of CN={A1B20002-",
            ],
        ),
        (
            vec!["create", "y"],
            [
                "it may not create groupPolicyContainer objects in CN=Policies,",
                "on SYSVOL it may not create folders in",
            ],
        ),
    ] {
        let said = write("src.test", &[&arguments[..], &editor("src")].concat());
        assert_eq!(said.status, 1, "{arguments:?}: {}", said.stderr);
        for words in words.into_iter().chain(["nothing was changed"]) {
            assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
        }
    }
    assert_same(&before, &state("src"));
    // He owns what he wrote, which sysvolcheck reports. An administrator's import corrects it.
    write("src.test", &import).json();
    assert_samba_checks_pass("src");
    write("src.test", &["delete", &name]).json();
}

#[test]
#[ignore = "needs the lab"]
fn a_link_that_changes_after_the_plan_makes_it_stale() {
    let _alone = alone();
    let name = fresh("Relinked");
    let (guid, soms) = linked("dst", "dst.test", &name);
    let plan = scratch().join("delete-plan.json");
    let plan = plan.to_str().unwrap();
    save_plan("dst.test", &["delete", &name], plan);
    samba_tool("dst", &["gpo", "dellink", &soms[0], &guid]);
    let between = state("dst");
    let apply = ["apply", plan, "--domain", "dst.test", "--json"];
    let said = gpoctl(&apply);
    assert_eq!(said.status, 1);
    assert!(said.stderr.contains("links"), "{}", said.stderr);
    assert_same(&settled(between), &settled(state("dst")));
    samba_tool("dst", &["gpo", "setlink", &soms[0], &guid]);
    write("dst.test", &["delete", &name]).json();
    assert_samba_checks_pass("dst");
}

/// The GPO's DACL, without its owner; of the objects below it too.
fn access_of(gpo: &Value) -> Vec<String> {
    let dacl = |entry: &Value| {
        let sddl = entry["sddl"].as_str().unwrap();
        let (_, dacl) = sddl.split_once("D:").unwrap();
        format!("{} {dacl}", entry["dn"])
    };
    let children = gpo["children"].as_array().unwrap();
    std::iter::once(gpo).chain(children).map(dacl).collect()
}

/// The attributes of the objects below a GPO, without descriptors.
fn objects_of(gpo: &Value) -> Value {
    let mut children = timeless(gpo)["children"].clone();
    for child in children.as_array_mut().unwrap() {
        child["attributes"]
            .as_object_mut()
            .unwrap()
            .remove("nTSecurityDescriptor");
        child.as_object_mut().unwrap().remove("sddl");
    }
    children
}

#[test]
#[ignore = "needs the lab"]
fn a_deletion_that_fails_half_way_is_undone() {
    let _alone = alone();
    let beginning = settled(state("src"));
    let name = fresh("Half deleted");
    gpoctl(&[
        "copy", "Software", "--from", "src.test", "--name", &name, "--yes", "--json",
    ])
    .json();
    let then = gpo_named(&state("src"), &name);
    let shown = inside(
        "src",
        &[
            "samba-tool",
            "user",
            "show",
            "gpoedit",
            "--attributes=objectSid",
        ],
    );
    let trustee = shown
        .lines()
        .find_map(|line| line.strip_prefix("objectSid: "))
        .unwrap();
    // The editor may delete the GPO itself and what is deep below it, but not the two halves in between.
    let aces = format!("(A;CIIO;CCDCLCRPWPLORC;;;{trustee})(A;;CCLCRPWPLORCSD;;;{trustee})");
    add_aces("src", then["dn"].as_str().unwrap(), &aces);
    // Deleted and restored, the folder has the permissions that follow from the DACL.
    let backup = back_up("src.test", &[name.as_str()]);
    write("src.test", &["delete", &name]).json();
    write(
        "src.test",
        &[
            "restore",
            "--accept-permissions",
            backup[&name].to_str().unwrap(),
        ],
    )
    .json();
    // What is absent before is absent again.
    ldbmodify(
        "src",
        &format!(
            "dn: {}\nchangetype: modify\ndelete: flags\n\n",
            then["dn"].as_str().unwrap()
        ),
    );
    let before = state("src");
    let then = gpo_named(&before, &name);
    assert_eq!(then["children"].as_array().unwrap().len(), 9);

    let delete = [&["delete", name.as_str()][..], &editor("src")].concat();
    // That is detected before anything is written.
    let said = write("src.test", &delete);
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    for half in ["Machine", "User"] {
        let words = format!("in the directory it may not delete CN={half},CN={{");
        assert!(said.stderr.contains(&words), "{}", said.stderr);
    }
    assert_same(&before, &state("src"));

    // With that right too, no descriptor shows what prevents it: the server protects one half.
    let aces = format!("(A;;DC;;;{trustee})");
    add_aces("src", then["dn"].as_str().unwrap(), &aces);
    let half = format!("CN=User,{}", then["dn"].as_str().unwrap());
    let keep = |flags: &str| {
        let script = "import sys\nfrom samba.auth import system_session\nfrom samba.param import LoadParm\nfrom samba.samdb import SamDB\nlp = LoadParm()\nlp.load_default()\nSamDB(session_info=system_session(), lp=lp).modify_ldif(sys.stdin.read(), [\"relax:0\"])";
        let ldif = format!("dn: {half}\nchangetype: modify\n{flags}\n\n");
        inside_with("src", &["python3", "-c", script], &ldif);
    };
    keep("replace: systemFlags\nsystemFlags: -2147483648");
    let before = state("src");
    let then = gpo_named(&before, &name);
    let said = write("src.test", &delete);
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    assert!(
        said.stderr.contains(
            "everything was rolled back; deleted objects were recreated with new identities, and this account may own them now"
        ),
        "{}",
        said.stderr
    );
    let after = state("src");
    keep("delete: systemFlags");
    let now = gpo_named(&after, &name);
    assert_same(&objects_of(&then), &objects_of(&now));
    // Everything that was deleted is owned by the editor now, with what the GPO grants to the owner of an object: everything
    // but the GPO and the half that the server protected.
    let mut expected = access_of(&then);
    let kept = [then["dn"].as_str().unwrap(), &half].map(|dn| format!("\"{dn}\" "));
    let mut recreated = 0;
    for dacl in &mut expected {
        if !kept.iter().any(|kept| dacl.starts_with(kept)) {
            // The order of the letters depends on the version of Samba.
            let of_owner = |ace: &&str| ace.starts_with("A;ID;") && ace.ends_with(";;;DA");
            let aces: Vec<String> = dacl
                .split(['(', ')'])
                .filter(of_owner)
                .map(String::from)
                .collect();
            let [ace] = &aces[..] else { panic!("{dacl}") };
            *dacl = dacl.replace(ace, &ace.replace(";;;DA", &format!(";;;{trustee}")));
            recreated += 1;
        }
    }
    assert_eq!(recreated, 8);
    assert_eq!(expected, access_of(&now));
    let mut expected = timeless(&then);
    expected["children"] = timeless(&now)["children"].clone();
    assert_same(&expected, &timeless(&now));
    assert_same(&before["links"], &after["links"]);
    // The right to delete in the folder exists only in the directory. The right to delete each entry in it is enough.
    let said = write("src.test", &delete).json();
    assert_eq!(said["status"], "done", "{said:#}");
    assert_same(&beginning, &settled(state("src")));
    assert_samba_checks_pass("src");
}

#[test]
#[ignore = "needs the lab"]
fn a_hostile_display_name_forges_nothing() {
    let _alone = alone();
    let text = |arguments: &[&str]| gpoctl(&[arguments, &["--domain", "dst.test"]].concat());
    // What a delegated editor can write into a display name with any LDAP client.
    let name = "Evil\u{2028}forged\u{202e}\u{feff}\u{200b}";
    let escaped = "Evil\\u{2028}forged\\u{202e}\\u{feff}\\u{200b}";
    let created = text(&["create", name, "--yes"]);
    assert_eq!(created.status, 0, "{}", created.stderr);
    let backups = scratch().join("hostile");
    let to = backups.to_str().unwrap();
    let mut said = vec![created];
    for arguments in [
        vec!["list"],
        vec!["show", name],
        vec!["rename", name, "Good", "--dry-run"],
        vec!["set-status", name, "none", "--dry-run"],
        vec!["delete", name, "--dry-run"],
        vec!["check", name],
        vec!["backup", name, "--to", to],
        vec!["diff", name, name],
    ] {
        said.push(text(&arguments));
    }
    said.push(gpoctl(&["backups", "list", to]));
    said.push(gpoctl(&["backups", "show", to, name]));
    said.push(gpoctl(&["operations", "list"]));
    let listed = text(&["list", "--json"]).json();
    let gpos = listed["gpos"].as_array().unwrap();
    assert!(gpos.iter().any(|gpo| gpo["display_name"] == name));
    let deleted = text(&["delete", name, "--yes"]);
    assert_eq!(deleted.status, 0, "{}", deleted.stderr);
    said.push(deleted);
    for said in said {
        let all = format!("{}{}", said.stdout, said.stderr);
        let hidden = |c: char| matches!(c, '\u{200b}' | '\u{2028}' | '\u{202e}' | '\u{feff}');
        assert!(!all.contains(hidden), "{all:?}");
        assert!(all.contains(escaped), "{all}");
    }
}
