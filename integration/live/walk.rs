//! Every verb that writes, and its undo, on the version of Samba that the lab runs. After each one Samba's own checks of that
//! version and `gpoctl check` have no findings, and there is nothing to repair.

mod refused_order;

use crate::support::*;
use gpoctl::model::sddl::{from_sddl, to_sddl};
use gpoctl::model::security_descriptor::{FileEntries, file_descriptor};
use serde_json::Value;

const DOMAIN: &str = "dst.test";

/// All of Samba's checks and gpoctl's have no findings, and `check --fix` has nothing to repair.
fn assert_all_samba_checks_pass() {
    assert_samba_checks_pass("dst");
    nothing_to_repair();
}

/// The same with the check that reads every file; the other checks take long, and cover what the verbs for files share.
fn nothing_is_wrong() {
    judge("dst", &["sysvolcheck"]);
    nothing_to_repair();
}

fn nothing_to_repair() {
    let said = gpoctl(&["check", "--all", "--domain", DOMAIN, "--json"]);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        (said.status, &report["status"]),
        (0, &"ok".into()),
        "{report:#}"
    );
    let fix = ["check", "--all", "--fix"];
    assert_eq!(steps_of(&write(DOMAIN, &fix).json()), Vec::<Value>::new());
}

fn steps_of(result: &Value) -> Vec<Value> {
    result["plan"]["steps"].as_array().unwrap().clone()
}

/// Applies a change, checks, undoes it, and checks again: the GPO is unchanged, except for its version and what changes with
/// every write.
fn there_and_back(name: &str, arguments: &[&str]) {
    let before = gpo_named(&state("dst"), name);
    let result = write(DOMAIN, arguments).json();
    assert_eq!(result["status"], "done", "{result:#}");
    assert_all_samba_checks_pass();
    undo(&result);
    let after = gpo_named(&state("dst"), name);
    assert_same(&timeless(&before), &timeless(&after));
    nothing_is_wrong();
}

/// Applies a change of the GPO that touches no file, and undoes it.
fn attributes_there_and_back(guid: &str, arguments: &[&str]) {
    let now = || {
        let state = state("dst");
        let mut gpos = state["gpos"].as_object().unwrap().values();
        let gpo = gpos.find(|gpo| guid_of(gpo) == *guid).unwrap();
        [state["links"].clone(), timeless(gpo)]
    };
    let before = now();
    let result = write(DOMAIN, arguments).json();
    assert_eq!(result["status"], "done", "{result:#}");
    assert!(!steps_of(&result).is_empty(), "{result:#}");
    assert_ne!(before, now(), "{arguments:?}");
    assert_all_samba_checks_pass();
    undo(&result);
    assert_eq!(before, now(), "{arguments:?}");
    assert_all_samba_checks_pass();
}

fn undo(result: &Value) {
    let operation = result["operation_id"].as_str().unwrap();
    let undone = gpoctl(&["operations", "undo", operation, "--yes", "--json"]).json();
    assert_eq!(undone["status"], "done", "{undone:#}");
}

fn is_gone(name: &str) -> bool {
    let state = state("dst");
    let mut gpos = state["gpos"].as_object().unwrap().values();
    gpos.all(|gpo| attribute(gpo, "displayName") != name)
}

#[test]
#[ignore = "needs the lab"]
fn every_verb_that_writes_files_and_its_undo() {
    let _alone = alone();
    nothing_to_repair();
    let backups = back_up("src.test", &["Everything", "Desktop Registry", "Software"]);
    let path = |name: &str| backups[name].to_str().unwrap();

    // create, and undo.
    let made = fresh("Walk made");
    let created = write(DOMAIN, &["create", &made]).json();
    nothing_is_wrong();
    undo(&created);
    assert!(is_gone(&made));
    nothing_is_wrong();

    // import into a new GPO, and undo; then import again and keep it.
    let name = fresh("Walk");
    let import = ["import", path("Everything"), "--into", &name, "--create"];
    let imported = write(DOMAIN, &import).json();
    assert_all_samba_checks_pass();
    undo(&imported);
    assert!(is_gone(&name));
    nothing_is_wrong();
    write(DOMAIN, &import).json();

    // import into a filled one.
    there_and_back(&name, &["import", path("Software"), "--into", &name]);
    // restore an existing GPO, after a change.
    let own = back_up(DOMAIN, &[&name])[&name].clone();
    let own = own.to_str().unwrap();
    write(
        DOMAIN,
        &["import", path("Desktop Registry"), "--into", &name],
    )
    .json();
    there_and_back(&name, &["restore", own]);

    // copy, and undo.
    let copied = fresh("Walk copied");
    let copy = ["copy", "Everything", "--from", "src.test", "--to", DOMAIN];
    let options = ["--name", &copied, "--yes", "--json"];
    let result = gpoctl(&[&copy[..], &options].concat()).json();
    assert_all_samba_checks_pass();
    undo(&result);
    assert!(is_gone(&copied));
    nothing_is_wrong();

    // delete, and undo; delete, and restore.
    there_and_back_deleted(&name, own);

    write(DOMAIN, &["delete", &name]).json();
    assert_all_samba_checks_pass();
}

#[test]
#[ignore = "needs the lab"]
fn every_other_verb_and_its_undo_and_a_repair() {
    let _alone = alone();
    nothing_to_repair();
    let backup = &back_up("src.test", &["Everything"])["Everything"];
    let name = fresh("Walk of attributes");
    import(backup, &name, &["--create", "--yes"]).json();
    let guid = guid_of(&gpo_named(&state("dst"), &name));
    let other = fresh("Walk renamed");
    let changes = |arguments: &[&str]| attributes_there_and_back(&guid, arguments);
    changes(&["rename", &name, &other]);
    changes(&["set-status", &name, "computer"]);
    let link = ["link", "add", &name, "--target", "dst.test/Staff"];
    changes(&link);
    write(DOMAIN, &link).json();
    changes(&[
        "link",
        "set",
        &name,
        "--target",
        "dst.test/Staff",
        "--enforced",
        "yes",
    ]);
    changes(&["link", "remove", &name, "--target", "dst.test/Staff"]);
    changes(&["wmi", "link", &name, "Laptops"]);
    write(DOMAIN, &["wmi", "link", &name, "Laptops"]).json();
    changes(&["wmi", "link", &name, "--none"]);
    let filter = fresh("Walk filter");
    let file = scratch().join("walk.mof");
    let file = file.to_str().unwrap();
    let export = ["wmi", "export", "Laptops", "--to", file];
    assert_eq!(
        gpoctl(&[&export[..], &["--domain", DOMAIN]].concat()).status,
        0
    );
    let filters = state("dst")["wmi_filters"].clone();
    let made = write(DOMAIN, &["wmi", "import", file, "--name", &filter]).json();
    assert_ne!(filters, state("dst")["wmi_filters"]);
    assert_all_samba_checks_pass();
    undo(&made);
    assert_same(&filters, &state("dst")["wmi_filters"]);
    assert_all_samba_checks_pass();

    repaired(&name);
    write(DOMAIN, &["delete", &name]).json();
    assert_all_samba_checks_pass();
}

fn there_and_back_deleted(name: &str, backup: &str) {
    let before = gpo_named(&state("dst"), name);
    let deleted = write(DOMAIN, &["delete", name]).json();
    nothing_is_wrong();
    undo(&deleted);
    let back = gpo_named(&state("dst"), name);
    assert_eq!(sysvol_files(&before), sysvol_files(&back));
    nothing_is_wrong();
    write(DOMAIN, &["delete", name]).json();
    let restored = write(DOMAIN, &["restore", backup]).json();
    undo(&restored);
    assert!(is_gone(name));
    nothing_is_wrong();
    let restored = write(DOMAIN, &["restore", backup]).json();
    assert_eq!(restored["gpo"]["created"], true);
    assert_eq!(guid_of(&gpo_named(&state("dst"), name)), guid_of(&before));
    assert_all_samba_checks_pass();
}

/// Wrong permissions, an additional file, a lower version: repaired, and undone.
fn repaired(name: &str) {
    let gpo = gpo_named(&state("dst"), name);
    let guid = guid_of(&gpo);
    let folder = format!("/var/lib/samba/sysvol/dst.test/Policies/{guid}");
    let file = format!("{folder}/Machine/Registry.pol");
    let sddl = "O:BAG:BAD:P(A;;FA;;;BA)";
    let set = ["samba-tool", "ntacl", "set", "--use-s3fs", sddl, &file];
    inside("dst", &set);
    let script = format!(
        "echo x > '{folder}/User/by-hand.txt'; printf '[General]\\r\\nVersion=1\\r\\n' > '{folder}/GPT.INI'"
    );
    inside("dst", &["sh", "-c", &script]);
    let fix = ["check", name, "--fix"];
    let result = write(DOMAIN, &fix).json();
    assert_eq!(result["status"], "done", "{result:#}");
    assert_eq!(steps_of(&result).len(), 2, "{result:#}");
    nothing_is_wrong();
    undo(&result);
    let wrong = gpoctl(&["check", name, "--domain", DOMAIN, "--json"]);
    assert_eq!(wrong.status, 4, "{}", wrong.stdout);
    let again = write(DOMAIN, &fix).json();
    assert_eq!(again["status"], "done", "{again:#}");
    nothing_is_wrong();
}

/// The files of a domain that was upgraded from 4.17 keep object entries, which 4.25 refuses to write: a repair removes them, and
/// leaves nothing to repair. 4.17 and 4.22 require them.
#[test]
#[ignore = "needs the lab"]
fn files_of_an_earlier_version() {
    let _alone = alone();
    let refuses = refuses_object_entries();
    let name = fresh("Earlier version");
    let backups = back_up("src.test", &["Everything", "Desktop Registry"]);
    let import = |backup: &str| {
        let backup = backups[backup].to_str().unwrap();
        write(DOMAIN, &["import", backup, "--into", &name, "--create"]).json()
    };
    let write_as_earlier_version = |name: &str| {
        // The other versions write the same themselves.
        if refuses {
            write_as_earlier_version(name);
        }
    };
    import("Everything");
    write_as_earlier_version(&name);
    // The default GPOs show what this server stores.
    only_mixed(&name, refuses);
    let of_samba = asked_inside("dst", &["samba-tool", "ntacl", "sysvolcheck"], "");
    assert_eq!(of_samba.status == 0, !refuses, "{}", of_samba.stderr);
    repairs(&name, refuses);

    // New files beside old ones.
    write_as_earlier_version(&name);
    let result = write(
        DOMAIN,
        &[
            "import",
            backups["Desktop Registry"].to_str().unwrap(),
            "--into",
            &name,
        ],
    )
    .json();
    assert_eq!(result["status"], "done", "{result:#}");
    let refused = "object-entries-refused".to_owned();
    assert_eq!(codes(&result).contains(&refused), refuses, "{result:#}");
    only_mixed(&name, refuses);
    repairs(&name, refuses);

    // What they replaced comes back, in the form that the server accepts.
    write_as_earlier_version(&name);
    let before = sysvol_files(&gpo_named(&state("dst"), &name));
    let result = import("Everything");
    undo(&result);
    assert_eq!(before, sysvol_files(&gpo_named(&state("dst"), &name)));
    only_mixed(&name, refuses);
    repairs(&name, refuses);

    // A plan that was made without asking the server.
    write_as_earlier_version(&name);
    let gpo = gpo_named(&state("dst"), &name);
    let file = format!(
        "/var/lib/samba/sysvol/dst.test/Policies/{}/GPT.INI",
        guid_of(&gpo)
    );
    let set = [
        "samba-tool",
        "ntacl",
        "set",
        "--use-s3fs",
        "O:BAG:BAD:P(A;;FA;;;BA)",
        &file,
    ];
    inside("dst", &set);
    let plan = tempfile::tempdir_in(scratch()).unwrap().keep().join("plan");
    let plan = plan.to_str().unwrap();
    let fix = [
        "check",
        &name,
        "--fix",
        "--plan-out",
        plan,
        "--domain",
        DOMAIN,
    ];
    let said = gpoctl(&fix);
    assert_eq!(said.status, 4, "{}{}", said.stdout, said.stderr);
    let result = gpoctl(&["apply", plan, "--domain", DOMAIN, "--json"]).json();
    // It has the form of the default GPOs.
    assert!(!codes(&result).contains(&refused), "{result:#}");
    undo(&result);
    repairs(&name, true);
    write(DOMAIN, &["delete", &name]).json();
}

/// A check that does not try what the server accepts names neither form as wrong, and plans nothing.
fn only_mixed(name: &str, mixed: bool) {
    let said = gpoctl(&["check", name, "--domain", DOMAIN, "--json"]);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    let mixed_only = match mixed {
        true => vec!["mixed-permissions".to_owned()],
        false => Vec::new(),
    };
    assert_eq!(codes(&report), mixed_only, "{report:#}");
    assert_eq!(said.status, if mixed { 4 } else { 0 });
    let shown = [
        "check",
        name,
        "--fix",
        "--dry-run",
        "--domain",
        DOMAIN,
        "--json",
    ];
    let said = gpoctl(&shown);
    let shown: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(steps_of(&shown), Vec::<Value>::new(), "{shown:#}");
    assert_eq!(codes(&shown), mixed_only, "{shown:#}");
}

/// `check --fix` has something to repair, or not; then nothing is left to do.
fn repairs(name: &str, something: bool) {
    let result = write(DOMAIN, &["check", name, "--fix"]).json();
    assert_eq!(!steps_of(&result).is_empty(), something, "{result:#}");
    assert!(
        !codes(&result).contains(&"object-entries-refused".to_owned()),
        "{result:#}"
    );
    nothing_is_wrong();
}

/// Gives every file and folder of a GPO the descriptor that 4.17 and 4.22 set: in the attribute of the file, past smbd.
fn write_as_earlier_version(name: &str) {
    let script = r#"
import sys
sys.path.insert(0, "/usr/local/lib/gpoctl-lab")
from samba.auth_util import system_session_unix
from samba.ntacls import setntacl
from samba.param import LoadParm
from seed_sysvol import everything_below

guid, sddl, sid = sys.argv[1:]
lp = LoadParm()
lp.load_default()
for path in everything_below(f"/var/lib/samba/sysvol/dst.test/Policies/{guid}"):
    setntacl(lp, path, sddl, sid, system_session_unix(), use_ntvfs=True)
"#;
    let gpo = gpo_named(&state("dst"), name);
    let admins = inside("dst", &["wbinfo", "--name-to-sid", "Domain Admins"]);
    let domain = admins.split_once("-512 ").unwrap().0;
    let sid = domain.parse().unwrap();
    let of_directory = from_sddl(gpo["sddl"].as_str().unwrap(), Some(&sid)).unwrap();
    let wanted = file_descriptor(&of_directory, FileEntries::WithObjectAces).unwrap();
    let sddl = to_sddl(&wanted.descriptor);
    assert!(sddl.contains("(OA;"), "{sddl}");
    inside(
        "dst",
        &["python3", "-c", script, &guid_of(&gpo), &sddl, domain],
    );
}
