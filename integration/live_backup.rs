//! Backup against the lab: what is in the folder is what is on SYSVOL and in the directory, compared by other means.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test code outside of test functions"
)]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "not every target uses all of the support"
)]

#[path = "support.rs"]
mod support;

use support::*;

#[test]
fn every_gpo_equals_sysvol_and_the_directory() {
    if !lab("every_gpo_equals_sysvol_and_the_directory") {
        return;
    }
    let before = state("src");
    let folder = tempfile::tempdir_in(scratch()).unwrap().keep();
    let to = folder.to_str().unwrap();
    let result = gpoctl(&[
        "backup", "--all", "--domain", "src.test", "--to", to, "--json",
    ])
    .json();
    assert_eq!(result["status"], "done");
    let backups = result["backups"].as_array().unwrap();
    assert_eq!(backups.len(), before["gpos"].as_object().unwrap().len());
    for backup in backups {
        let gpo = &before["gpos"][backup["gpo_guid"].as_str().unwrap()];
        let path = std::path::PathBuf::from(backup["path"].as_str().unwrap());
        assert_eq!(
            local_files(&path.join("DomainSysvol/GPO")),
            sysvol_files(gpo),
            "{}",
            backup["display_name"]
        );
        let xml = std::fs::read_to_string(path.join("Backup.xml")).unwrap();
        for name in [
            "gPCMachineExtensionNames",
            "gPCUserExtensionNames",
            "displayName",
        ] {
            let value = attribute(gpo, name);
            // A text with a bracket at its end is split over two CDATA sections or not at all.
            assert!(value.is_empty() || xml.contains(value), "{name} {value}");
        }
    }
    let listed = gpoctl(&["backups", "list", to, "--json"]).json();
    assert_eq!(listed["backups"].as_array().unwrap().len(), backups.len());
    for entry in listed["backups"].as_array().unwrap() {
        assert_eq!(entry["problems"].as_array().unwrap().len(), 0, "{entry}");
    }
    // Reading changes nothing.
    assert_same(&before, &state("src"));
}

#[test]
fn the_inventory_names_who_stands_in_settings_and_in_the_dacl() {
    if !lab("the_inventory_names_who_stands_in_settings_and_in_the_dacl") {
        return;
    }
    let backups = back_up("src.test", &["Everything"]);
    let shown = gpoctl(&[
        "backups",
        "show",
        backups["Everything"].to_str().unwrap(),
        "--json",
    ])
    .json();
    let groups = shown["security_groups"].as_array().unwrap();
    let find = |name: &str| {
        groups
            .iter()
            .find(|group| group["sam_account_name"] == name)
            .unwrap_or_else(|| panic!("{name} is missing"))
    };
    let helpdesk = find("Helpdesk");
    assert_eq!(helpdesk["type"], "GlobalGroup");
    assert_eq!(helpdesk["upn"], "Helpdesk@src.test");
    assert_eq!(helpdesk["netbios_domain"], "SRC");
    assert_eq!(helpdesk["from_dacl"], false);
    assert_eq!(find("DL-Files")["type"], "LocalGroup");
    assert_eq!(find("Server Admins")["type"], "UniversalGroup");
    assert_eq!(find("WS01$")["type"], "Computer");
    assert_eq!(find("alice")["type"], "User");
    assert_eq!(find("Administrators")["sid"], serde_json::Value::Null);
    assert_eq!(find("No Policy")["from_dacl"], true);
    let paths = shown["file_paths"].as_array().unwrap();
    assert!(
        paths
            .iter()
            .any(|path| path == r"\\fs1.src.test\redir$\%USERNAME%\Documents")
    );
    let software = back_up("src.test", &["Software"]);
    let shown = gpoctl(&[
        "backups",
        "show",
        software["Software"].to_str().unwrap(),
        "--json",
    ])
    .json();
    let paths = shown["file_paths"].as_array().unwrap();
    assert!(
        paths.iter().any(|path| path == r"\\fs1.src.test\software$"),
        "{paths:?}"
    );
}

#[test]
fn a_name_of_two_gpos_is_refused_with_both_guids() {
    if !lab("a_name_of_two_gpos_is_refused_with_both_guids") {
        return;
    }
    let said = gpoctl(&[
        "backup",
        "Duplicate Name",
        "--domain",
        "src.test",
        "--to",
        "/nonexistent",
    ]);
    assert_eq!(said.status, 1);
    for guid in [
        "{A1B20007-0C4E-4D1A-8F00-5A3B7C9D0007}",
        "{A1B20008-0C4E-4D1A-8F00-5A3B7C9D0008}",
    ] {
        assert!(said.stderr.contains(guid), "{}", said.stderr);
    }
}

#[test]
fn tickets_of_a_cache_are_enough_for_both_halves() {
    use std::io::Write as _;

    if !lab("tickets_of_a_cache_are_enough_for_both_halves") {
        return;
    }
    let cache = format!("FILE:{}", scratch().join("tickets").display());
    let mut kinit = std::process::Command::new("kinit")
        .args(["-c", &cache, &std::env::var("GPOCTL_LAB_SRC_USER").unwrap()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let password = std::fs::read_to_string(std::env::var("GPOCTL_LAB_SRC_PASSWORD_FILE").unwrap());
    let mut stdin = kinit.stdin.take().unwrap();
    writeln!(stdin, "{}", password.unwrap().trim()).unwrap();
    drop(stdin);
    assert!(kinit.wait().unwrap().success());
    let shown = gpoctl(&[
        "show",
        "Everything",
        "--domain",
        "src.test",
        "--ccache",
        &cache,
        "--json",
    ])
    .json();
    assert_eq!(shown["files"].as_array().unwrap().len(), 19);
    assert_eq!(shown["links"].as_array().unwrap().len(), 2);
}
