//! Creating, changing a package and deleting without the right to do so.

use super::*;

/// A GPO that the editor may delete in the directory, where the right to delete children of the parent is enough, and its right.
pub fn deleted_by_its_parent() -> (Gpo, Granted) {
    let backup = &back_up("src.test", &["Desktop Registry"])["Desktop Registry"];
    let gpo = Gpo::new("Deleted by its parent", backup);
    gpo.delegate_in_directory(&EDITOR, EDIT);
    let policies = "CN=Policies,CN=System,DC=dst,DC=test";
    let ace = format!(
        "(OA;;DC;f30e3bc2-9ff0-11d1-b603-0000f80367c1;;{})",
        EDITOR.sid()
    );
    (gpo, Granted::to(policies, &ace))
}

#[test]
#[ignore = "needs the lab"]
fn a_denied_create_is_detected_before_any_write() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Everything"])["Everything"];
    let before = state("dst");
    for how in ["--dry-run", "--yes"] {
        let said = EDITOR.imports(backup, &fresh("Never made"), &["--create", how]);
        assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
        says(
            &said.stderr,
            &[
                "may not make the GPO",
                "let an administrator make the GPO",
                "in the directory it may not create groupPolicyContainer objects in CN=Policies,CN=System,DC=dst,DC=test",
                "on SYSVOL it may not create folders in",
            ],
            &[],
        );
    }
    assert_same(&before, &state("dst"));
}

#[test]
#[ignore = "needs the lab"]
fn a_denied_package_is_detected_before_any_write() {
    let _alone = alone();
    let backups = back_up("src.test", &["Desktop Registry", "Software"]);
    let gpo = Gpo::new("No packages", &backups["Desktop Registry"]);
    gpo.delegate_in_directory(&EDITOR, WRITE);
    gpo.delegate_on_sysvol(&EDITOR, EDIT_FILES);
    EDITOR.is_refused(
        &backups["Software"],
        &gpo.name,
        &["in the directory it may not create classStore objects in CN=Machine,CN={"],
        &[NOT_IN_DIRECTORY, "on SYSVOL it"],
    );
}

#[test]
#[ignore = "needs the lab"]
fn a_denied_delete_is_detected_before_any_write() {
    let _alone = alone();
    let backups = back_up("src.test", &["Desktop Registry", "Software"]);
    let gpo = Gpo::new("Packages stay", &backups["Software"]);
    gpo.delegate_in_directory(&EDITOR, "CCLCRPWPLORC");
    gpo.delegate_on_sysvol(&EDITOR, EDIT_FILES);
    let registry = &backups["Desktop Registry"];
    EDITOR.is_refused(
        registry,
        &gpo.name,
        &[
            "in the directory it may not delete CN=Class Store,CN=Machine,CN={",
            "in the directory it may not delete CN=Packages,CN=Class Store,CN=Machine,CN={",
            "in the directory it may not delete CN=4f0d2c1a-",
        ],
        &[
            NOT_IN_DIRECTORY,
            "on SYSVOL it",
            "may not delete CN=Machine",
            "rolled back",
        ],
    );
    // The right on the parent, for children of just these classes, is enough.
    let sid = EDITOR.sid();
    for class in [
        "bf967a8b-0de6-11d0-a285-00aa003049e2",
        "bf967a84-0de6-11d0-a285-00aa003049e2",
        "bf967aa6-0de6-11d0-a285-00aa003049e2",
    ] {
        Gpo::grant(&gpo.dn(), &format!("(OA;CI;DC;{class};;{sid})"));
    }
    EDITOR.has_imported(registry, &gpo.name);
    let now = gpo_named(&state("dst"), &gpo.name);
    assert_eq!(now["children"].as_array().unwrap().len(), 2);

    // Links that a restore would have to restore, and that he may not write.
    let link = ["--target", "dst.test"];
    write(
        "dst.test",
        &[&["link", "add", gpo.name.as_str()], &link[..]].concat(),
    )
    .json();
    let linked = &back_up("dst.test", &[gpo.name.as_str()])[&gpo.name];
    write(
        "dst.test",
        &[&["link", "remove", gpo.name.as_str()], &link[..]].concat(),
    )
    .json();
    let before = state("dst");
    let options = EDITOR.options();
    let as_editor = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(options.iter().map(String::as_str));
        write("dst.test", &all)
    };
    let said = as_editor(&[
        "restore",
        "--accept-permissions",
        linked.to_str().unwrap(),
        "--with-links",
    ]);
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(
        &said.stderr,
        &["in the directory it may not write gPLink of DC=dst,DC=test"],
        &[NOT_IN_DIRECTORY, "rolled back"],
    );
    // Nor may he delete the GPO.
    let said = as_editor(&["delete", &gpo.name]);
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(
        &said.stderr,
        &[
            "this account may not delete GPO",
            "in the directory it may not delete CN={",
        ],
        &["rolled back"],
    );
    assert_same(&before, &state("dst"));
}

#[test]
#[ignore = "needs the lab"]
fn a_folder_that_cannot_be_deleted_is_reported() {
    let _alone = alone();
    let (gpo, _granted) = deleted_by_its_parent();
    let said = EDITOR.deletes(&gpo, &[]);
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    let path = format!(
        "on SYSVOL it may not delete \\\\dst.test\\SYSVOL\\dst.test\\Policies\\{}",
        gpo.guid
    );
    for entry in ["", "\\GPT.INI", "\\Machine", "\\User"] {
        says(
            &said.stderr,
            &[&format!("{path}{entry}")],
            &[NOT_IN_DIRECTORY],
        );
    }
    // Who may delete in the folder still may not delete the folder.
    gpo.delegate_on_sysvol(&EDITOR, EDIT_FILES);
    let before = state("dst");
    let said = EDITOR.deletes(&gpo, &[]);
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(
        &said.stderr,
        &[&path, "delegate \"Edit settings, delete, modify security\""],
        &[NOT_IN_DIRECTORY, "GPT.INI", "rolled back"],
    );
    assert_same(&before, &state("dst"));
}
