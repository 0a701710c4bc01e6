//! Earlier operations: listed with their status, rolled back after an interruption, undone after success.

use crate::support::*;
use serde_json::Value;

/// The operations on a GPO, the latest first.
fn operations_on(name: &str) -> Vec<Value> {
    let list = gpoctl(&["operations", "list", "--json"]).json();
    assert_eq!(list["format_version"], 1);
    let all = list["operations"].as_array().unwrap();
    all.iter()
        .filter(|one| one["gpo"]["display_name"] == name)
        .cloned()
        .collect()
}

fn latest(name: &str) -> Value {
    operations_on(name).swap_remove(0)
}

fn undo(operation: &Value, more: &[&str]) -> Said {
    let id = operation["id"].as_str().unwrap();
    gpoctl(&[&["operations", "undo", id, "--json"], more].concat())
}

/// Starts gpoctl, and kills it at that moment.
fn killed(arguments: &[&str], moment: impl FnOnce()) {
    let mut child = command(arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    moment();
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
}

/// A GPO of DST.TEST at version 1/1, and a backup to import that takes a while to stage.
fn target(name: &str) -> (String, String) {
    let name = fresh(name);
    let backups = back_up("src.test", &["Logon Scripts", "Desktop Registry"]);
    import(&backups["Logon Scripts"], &name, &["--create", "--yes"]).json();
    let big = backup_of_copy(backups["Desktop Registry"].to_str().unwrap());
    with_many_files(&big, 1_500);
    (name, big)
}

fn remove(name: &str) {
    write("dst.test", &["delete", name]).json();
    assert_samba_checks_pass("dst");
}

#[test]
#[ignore = "needs the lab"]
fn a_kill_while_staging_is_found_and_undone() {
    let _alone = alone();
    let (name, big) = target("Killed");
    let before = state("dst");
    let into = |name: &str| {
        [
            "import", &big, "--into", name, "--domain", "dst.test", "--yes",
        ]
        .map(str::to_owned)
    };
    let arguments = into(&name);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let staging = Staging::look_out("dst");
    killed(&arguments, || staging.wait());
    let operation = latest(&name);
    assert_eq!(operation["state"], "unfinished");
    assert_eq!(operation["verb"], "import");
    assert_eq!(operation["domain"], "dst.test");
    let left = |gpo: &Value| {
        let entries = gpo["sysvol"].as_array().unwrap();
        entries
            .iter()
            .filter(|entry| entry["path"].as_str().unwrap().starts_with(".gpoctl-"))
            .count()
    };
    assert!(left(&gpo_named(&state("dst"), &name)) > 0);

    // The check reports what was left, and the next step.
    let check = gpoctl(&["check", &name, "--domain", "dst.test", "--json"]);
    let id = operation["id"].as_str().unwrap();
    let (_, tag) = id.rsplit_once('-').unwrap();
    assert!(
        check.stdout.contains("leftover-staging")
            && check
                .stdout
                .contains(&format!("gpoctl operations undo {tag}")),
        "{}",
        check.stdout
    );
    let shown = gpoctl(&["operations", "show", tag, "--json"]).json();
    assert_eq!(shown["id"], id);
    assert!(shown["plan"]["steps"].as_array().unwrap().len() > 3);
    let kept = shown["safety_backup"].as_str().unwrap();
    assert!(std::path::Path::new(kept).join("Backup.xml").is_file());

    let dry = undo(&operation, &["--dry-run"]).json();
    assert!(!dry["plan"]["steps"].as_array().unwrap().is_empty());
    assert!(left(&gpo_named(&state("dst"), &name)) > 0);
    let undone = undo(&operation, &["--yes"]).json();
    assert_eq!(codes(&undone), ["rolled-back"]);
    assert_same(&before, &state("dst"));
    assert_eq!(latest(&name)["state"], "failed");
    assert_eq!(undo(&operation, &["--yes"]).status, 2);

    // A GPO that was being created is deleted completely.
    let new = fresh("Killed and new");
    let arguments = into(&new);
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    arguments.push("--create");
    let staging = Staging::look_out("dst");
    killed(&arguments, || staging.wait());
    gpo_named(&state("dst"), &new);
    undo(&latest(&new), &["--yes"]).json();
    let timeless_links = |state: &Value| state["gpos"].as_object().unwrap().len();
    assert_eq!(timeless_links(&before), timeless_links(&state("dst")));
    assert_samba_checks_pass("dst");
    remove(&name);
}

#[test]
#[ignore = "needs the lab"]
fn a_kill_after_the_swap_is_undone_with_a_higher_version() {
    let _alone = alone();
    let (name, big) = target("Killed late");
    let before = gpo_named(&state("dst"), &name);
    // The directory is locked, so the LDAP server has the modify when gpoctl is killed, and makes it afterwards.
    let mut other = ConcurrentAdmin::start(
        "dst",
        &ConcurrentChange {
            guid: &guid_of(&before),
            version: Some(0x0002_0002),
            holds: true,
            ..ConcurrentChange::default()
        },
    );
    let arguments = [
        "import", &big, "--into", &name, "--domain", "dst.test", "--yes",
    ];
    killed(&arguments, || other.until_a_change_waits());
    other.assert_done();
    let begun = std::time::Instant::now();
    while attribute(&gpo_named(&state("dst"), &name), "versionNumber") != "131074" {
        assert!(begun.elapsed().as_secs() < 30, "the modify was never made");
    }
    let operation = latest(&name);
    assert_eq!(operation["state"], "unfinished");
    let undone = undo(&operation, &["--yes"]).json();
    assert!(
        undone["messages"][0]["text"]
            .as_str()
            .unwrap()
            .contains("with the higher version computer 3, user 3"),
        "{undone}"
    );
    let after = gpo_named(&state("dst"), &name);
    assert_eq!(version_of("dst", &after), (3, 3));
    assert_same(&timeless(&before), &timeless(&after));
    assert_eq!(latest(&name)["state"], "failed");
    assert_samba_checks_pass("dst");
    remove(&name);
}

#[test]
#[ignore = "needs the lab"]
fn undo_is_a_plan() {
    let _alone = alone();
    let name = fresh("Undone");
    let backups = back_up("src.test", &["Logon Scripts", "Software"]);
    import(&backups["Logon Scripts"], &name, &["--create", "--yes"]).json();
    let before = gpo_named(&state("dst"), &name);

    // An import, with packages; and a later change prevents the undo.
    import(&backups["Software"], &name, &["--yes"]).json();
    let imported = latest(&name);
    assert_eq!(imported["state"], "done");
    write("dst.test", &["set-status", &name, "computer"]).json();
    let refused = undo(&imported, &["--yes"]);
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("has changed since: the attributes"),
        "{}",
        refused.stderr
    );
    // After that change is undone, it is possible.
    undo(&latest(&name), &["--yes"]).json();
    let between = gpo_named(&state("dst"), &name);
    assert_eq!(attribute(&between, "flags"), "0");
    let dry = undo(&imported, &["--dry-run"]).json();
    assert_eq!(dry["dry_run"], true);
    assert_same(&between, &gpo_named(&state("dst"), &name));
    assert_eq!(undo(&imported, &[]).status, 2, "nobody to ask");
    undo(&imported, &["--yes"]).json();
    let after = gpo_named(&state("dst"), &name);
    assert_eq!(version_of("dst", &after), (3, 3));
    assert_same(&timeless(&before), &timeless(&after));
    let states: Vec<Value> = operations_on(&name)
        .iter()
        .map(|one| one["state"].clone())
        .collect();
    assert_eq!(states, ["done", "done", "undone", "undone", "done"]);
    assert_eq!(undo(&imported, &["--yes"]).status, 2, "it was undone");

    // A name, a link, a deletion, and the GPO itself.
    let other = fresh("Undone renamed");
    write("dst.test", &["rename", &name, &other]).json();
    undo(&latest(&name), &["--yes"]).json();
    assert_eq!(
        attribute(&gpo_named(&state("dst"), &name), "cn"),
        guid_of(&before)
    );
    let links = state("dst")["links"].clone();
    let linked = write("dst.test", &["link", "add", &name, "--target", "dst.test"]).json();
    assert_ne!(links, state("dst")["links"]);
    let linked_state = state("dst")["links"].clone();
    write("dst.test", &["delete", &name]).json();
    undo(&latest(&name), &["--yes"]).json();
    assert_eq!(linked_state, state("dst")["links"]);
    let back = gpo_named(&state("dst"), &name);
    assert_eq!(sysvol_files(&before), sysvol_files(&back));
    let list = serde_json::json!({ "id": linked["operation_id"] });
    undo(&list, &["--yes"]).json();
    assert_eq!(links, state("dst")["links"]);
    assert_samba_checks_pass("dst");

    let made = fresh("Made and undone");
    write("dst.test", &["create", &made]).json();
    undo(&latest(&made), &["--yes"]).json();
    assert!(
        state("dst")["gpos"]
            .as_object()
            .unwrap()
            .values()
            .all(|gpo| attribute(gpo, "displayName") != made)
    );
    remove(&name);
}
