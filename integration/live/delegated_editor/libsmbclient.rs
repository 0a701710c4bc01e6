//! libsmbclient, which cannot query rights: what is denied is known from the first write, and reported.

use super::denied::deleted_by_its_parent;
use super::*;

const CLIENT: [&str; 4] = ["--smb-client", "libsmbclient", "--ldap", "ldaps"];

#[test]
#[ignore = "needs the lab"]
fn libsmbclient_learns_denied_access_from_its_first_write() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Desktop Registry"])["Desktop Registry"];
    let gpo = Gpo::new("Not asked", backup);
    gpo.delegate_in_directory(&EDITOR, EDIT);
    let before = state("dst");
    let said = EDITOR.imports(backup, &gpo.name, &[&CLIENT[..], &["--yes"]].concat());
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(
        &said.stderr,
        &[
            "may not write into the GPO's folder on SYSVOL",
            "rolled back",
        ],
        &[],
    );
    assert_same(&before, &state("dst"));
    gpo.delegate_on_sysvol(&EDITOR, EDIT_FILES);
    let said = EDITOR.imports(backup, &gpo.name, &[&CLIENT[..], &["--yes"]].concat());
    assert_eq!(said.json()["status"], "done");
}

#[test]
#[ignore = "needs the lab"]
fn libsmbclient_leaves_a_folder_that_cannot_be_deleted() {
    let _alone = alone();
    let (gpo, granted) = deleted_by_its_parent();
    // Who may delete in the folder still may not delete the folder.
    gpo.delegate_on_sysvol(&EDITOR, EDIT_FILES);
    let said = EDITOR.deletes(&gpo, &CLIENT);
    drop(granted);
    // That client cannot query rights. The folder is left and reported.
    assert_eq!(said.status, 3, "{}{}", said.stdout, said.stderr);
    let result: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(result["status"], "partial");
    assert!(state("dst")["gpos"].get(&gpo.guid).is_none());
    // An account that may delete the folder completes the operation.
    let id = result["operation_id"].as_str().unwrap();
    gpoctl(&["operations", "cleanup", id, "--yes", "--json"]).json();
    assert_samba_checks_pass("dst");
    std::mem::forget(gpo);
}
