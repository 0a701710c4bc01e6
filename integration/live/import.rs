//! Import against the lab, judged by tools that are not ours.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of test functions"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::*;
use serde_json::Value;

/// A table with a row for everything that GPMC maps in `Everything`, and for what else is in it.
fn full_table() -> PathBuf {
    let relative = || "<DestinationByRelativeName />".to_owned();
    let same = || "<DestinationSameAsSource />".to_owned();
    table(&[
        ("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test")),
        (
            "UniversalGroup",
            r"SRC\Server Admins",
            set(r"DST\Server Admins"),
        ),
        ("GlobalGroup", "src.test\\GG-Workstations", relative()),
        ("GlobalGroup", "Domain Users@src.test", relative()),
        ("GlobalGroup", "Domain Admins@src.test", relative()),
        ("GlobalGroup", "Büro Nord@src.test", relative()),
        ("LocalGroup", "DL-Files@src.test", set("dst.test\\DL-Files")),
        (
            "LocalGroup",
            "Backup Crew@src.test",
            set("Backup Team@dst.test"),
        ),
        ("User", "alice@src.test", set("alice@dst.test")),
        ("User", "carol@src.test", relative()),
        ("User", "bob@src.test", set("dave@dst.test")),
        ("Computer", "WS01$@src.test", set("WS01$@dst.test")),
        ("Unknown", "Guest", same()),
        (
            "UNCPath",
            r"\\fs1.src.test\profiles$",
            set(r"\\fs1.dst.test\profiles$"),
        ),
        (
            "UNCPath",
            r"\\fs1.src.test\redir$",
            set(r"\\fs9.dst.test\r$"),
        ),
        (
            "UNCPath",
            r"\\fs2.src.test\helpdesk$",
            set(r"\\fs9.dst.test\h$"),
        ),
        (
            "UNCPath",
            r"\\fs1.src.test\scripts$",
            set(r"\\fs9.dst.test\s$"),
        ),
        (
            "UNCPath",
            r"\\fs2.src.test\inventory$",
            set(r"\\fs9.dst.test\i$"),
        ),
        (
            "UNCPath",
            r"\\src.test\netlogon",
            set(r"\\dst.test\netlogon"),
        ),
    ])
}

/// What an import must leave behind, whatever was imported: GPT.INI, attributes and files agree.
fn halves_agree(gpo: &Value, backup: &Path) {
    let guid = guid_of(gpo);
    let version = attribute(gpo, "versionNumber");
    let ini = String::from_utf8_lossy(&sysvol_file("dst", &guid, "GPT.INI")).into_owned();
    assert!(
        ini.lines()
            .any(|line| line.trim() == format!("Version={version}")),
        "versionNumber {version}, GPT.INI {ini}"
    );
    let shown = gpoctl(&["backups", "show", backup.to_str().unwrap(), "--json"]).json();
    for (name, half) in [
        ("gPCMachineExtensionNames", "machine"),
        ("gPCUserExtensionNames", "user"),
    ] {
        let expected = shown["extensions"][half].as_str().unwrap();
        assert_eq!(attribute(gpo, name), expected.trim(), "{name}");
    }
    assert_eq!(attribute(gpo, "flags"), shown["options"].to_string());
    assert!(
        !gpo["sysvol"].to_string().contains(".gpoctl-"),
        "something was left over"
    );
}

#[test]
fn into_a_new_gpo_every_reference_is_mapped() {
    if !lab("into_a_new_gpo_every_reference_is_mapped") {
        return;
    }
    let _alone = alone();
    let backup = &back_up("src.test", &["Everything"])["Everything"];
    let table = full_table();
    let table = table.to_str().unwrap();
    let name = &fresh("Imported new");
    let result = import(
        backup,
        name,
        &[
            "--create",
            "--migration-table",
            table,
            "--unc-match",
            "prefix",
            "--yes",
        ],
    )
    .json();
    assert_eq!(result["status"], "done");
    let gpo = gpo_named(&state("dst"), name);
    halves_agree(&gpo, backup);
    assert_eq!(attribute(&gpo, "versionNumber"), "65537");
    assert_eq!(attribute(&gpo, "gPCFunctionalityVersion"), "2");
    let guid = guid_of(&gpo);
    let (src, dst) = (domain_sid("src"), domain_sid("dst"));
    let inf = sysvol_text(
        "dst",
        &guid,
        "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf",
    );
    assert!(!inf.contains(&src), "{inf}");
    assert!(inf.contains(&dst));
    assert!(inf.contains("SeTcbPrivilege =\r\n"));
    let redirection = sysvol_text("dst", &guid, "User/Documents & Settings/fdeploy1.ini");
    assert!(
        !redirection.to_lowercase().contains(&src.to_lowercase()),
        "{redirection}"
    );
    assert!(redirection.contains(r"FullPath=\\fs9.dst.test\r$\%USERNAME%\Documents"));
    for half in ["Machine", "User"] {
        let pol = String::from_utf8(judge(
            "dst",
            &["pol", &format!("{guid}/{half}/Registry.pol")],
        ))
        .unwrap();
        assert!(!pol.contains(&src), "{pol}");
        assert!(
            pol.contains("fs1.dst.test") && !pol.contains(r"fs1.src.test\\profiles"),
            "{pol}"
        );
    }
    let scripts = sysvol_text("dst", &guid, "Machine/Scripts/scripts.ini");
    assert!(
        scripts.contains(r"\\fs9.dst.test\s$\inventory.cmd"),
        "{scripts}"
    );
    // What holds no reference that this version maps arrives byte for byte.
    let (saved, written) = (
        local_files(&backup.join("DomainSysvol/GPO")),
        sysvol_files(&gpo),
    );
    assert_eq!(
        saved.keys().collect::<Vec<_>>(),
        written.keys().collect::<Vec<_>>()
    );
    for path in [
        "gpo.cmt",
        "machine/comment.cmtx",
        "machine/scripts/startup/start.cmd",
    ] {
        assert_eq!(saved[path], written[path], "{path}");
    }
    judges_are_content("dst");
    judge("dst", &["show", &guid]);
}

#[test]
fn into_a_filled_gpo_settings_go_and_identity_stays() {
    if !lab("into_a_filled_gpo_settings_go_and_identity_stays") {
        return;
    }
    let _alone = alone();
    let backup = &back_up("src.test", &["User Half Off"])["User Half Off"];
    let before = state("dst");
    let old = gpo_named(&before, "Target Filled");
    let result = import(backup, "Target Filled", &["--yes"]).json();
    assert_eq!(result["status"], "done");
    let after = state("dst");
    let new = gpo_named(&after, "Target Filled");
    for name in [
        "cn",
        "displayName",
        "objectGUID",
        "nTSecurityDescriptor",
        "gPCWQLFilter",
        "gPCFileSysPath",
    ] {
        assert_eq!(old["attributes"][name], new["attributes"][name], "{name}");
    }
    assert_eq!(old["sddl"], new["sddl"]);
    assert_eq!(before["links"], after["links"]);
    halves_agree(&new, backup);
    assert_eq!(attribute(&new, "flags"), "1");
    let version: u32 = attribute(&old, "versionNumber").parse().unwrap();
    assert_eq!(
        attribute(&new, "versionNumber"),
        (version + 65_537).to_string()
    );
    assert_eq!(
        sysvol_files(&new),
        local_files(&backup.join("DomainSysvol/GPO"))
    );
    // The old state is on the local disk, as a backup.
    let operation = result["operation_id"].as_str().unwrap();
    let kept = scratch()
        .join("state/gpoctl/operations")
        .join(operation)
        .join("before");
    let listed = gpoctl(&["backups", "list", kept.to_str().unwrap(), "--json"]).json();
    let saved = PathBuf::from(listed["backups"][0]["path"].as_str().unwrap());
    assert_eq!(
        local_files(&saved.join("DomainSysvol/GPO")),
        sysvol_files(&old)
    );
    judges_are_content("dst");
}

#[test]
fn the_same_import_twice_gives_the_same_bytes() {
    if !lab("the_same_import_twice_gives_the_same_bytes") {
        return;
    }
    let _alone = alone();
    let name = fresh("Imported twice");
    let backup = &back_up("src.test", &["Workstation Security"])["Workstation Security"];
    let table = full_table();
    let options = [
        "--create",
        "--migration-table",
        table.to_str().unwrap(),
        "--yes",
    ];
    let mut seen = Vec::new();
    for _ in 0..2 {
        import(backup, name.as_str(), &options).json();
        let gpo = gpo_named(&state("dst"), name.as_str());
        seen.push((
            sysvol_files(&gpo),
            attribute(&gpo, "versionNumber").to_owned(),
        ));
    }
    assert_eq!(seen[0].0, seen[1].0);
    assert_eq!(
        (seen[0].1.as_str(), seen[1].1.as_str()),
        ("65537", "131074")
    );
    judges_are_content("dst");
}

/// Backups of different kinds, by what is in them.
fn ten_kinds(corpus: &Path) -> BTreeMap<&'static str, PathBuf> {
    let mut backups = Vec::new();
    let mut folders = vec![corpus.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        if entries.iter().any(|path| path.ends_with("Backup.xml"))
            && folder.join("bkupInfo.xml").exists()
        {
            backups.push(folder);
            continue;
        }
        folders.extend(entries.into_iter().filter(|path| path.is_dir()).rev());
    }
    let kinds: [(&str, &str); 10] = [
        ("security", "gpttmpl.inf"),
        ("registry", "machine/registry.pol"),
        ("user registry", "user/registry.pol"),
        ("redirection", "fdeploy1.ini"),
        ("groups", "groups.xml"),
        ("drives", "drives.xml"),
        ("tasks", "scheduledtasks.xml"),
        ("scripts", "scripts/scripts.ini"),
        ("audit", "audit.csv"),
        ("software", ".aas"),
    ];
    kinds
        .into_iter()
        .map(|(kind, ending)| {
            let backup = backups
                .iter()
                .find(|backup| {
                    local_files(&backup.join("DomainSysvol/GPO"))
                        .keys()
                        .any(|path| path.ends_with(ending))
                })
                .unwrap_or_else(|| panic!("no backup with {ending}"));
            (kind, backup.clone())
        })
        .collect()
}

#[test]
fn ten_real_backups_arrive_byte_for_byte() {
    let case = "ten_real_backups_arrive_byte_for_byte";
    let (true, Some(corpus)) = (lab(case), corpus(case)) else {
        return;
    };
    let _alone = alone();
    let kinds = ten_kinds(&corpus);
    assert_eq!(kinds.len(), 10);
    for (kind, backup) in &kinds {
        let name = fresh(&format!("Real {kind}"));
        let result = import(backup, &name, &["--create", "--yes"]).json();
        assert_eq!(result["status"], "done", "{kind}: {result}");
    }
    let after = state("dst");
    for (kind, backup) in &kinds {
        let gpo = gpo_named(&after, &fresh(&format!("Real {kind}")));
        halves_agree(&gpo, backup);
        let written = sysvol_files(&gpo);
        let mut saved = local_files(&backup.join("DomainSysvol/GPO"));
        // Only what Backup.xml lists belongs to the backup.
        saved.retain(|path, _| written.contains_key(path) || !path.ends_with(".backup"));
        assert_eq!(written, saved, "{kind}");
    }
    judges_are_content("dst");
}

#[test]
fn software_packages_are_made_below_the_target() {
    if !lab("software_packages_are_made_below_the_target") {
        return;
    }
    let _alone = alone();
    let name = fresh("Imported software");
    let backup = &back_up("src.test", &["Software"])["Software"];
    let rows = table(&[
        (
            "UNCPath",
            r"\\fs1.src.test\software$",
            set(r"\\fs9.dst.test\sw"),
        ),
        (
            "UNCPath",
            r"\\fs2.src.test\software$",
            set(r"\\fs9.dst.test\sw"),
        ),
    ]);
    let options = [
        "--create",
        "--migration-table",
        rows.to_str().unwrap(),
        "--yes",
    ];
    for _ in 0..2 {
        import(backup, name.as_str(), &options).json();
        let gpo = gpo_named(&state("dst"), name.as_str());
        let guid = guid_of(&gpo);
        let packages: Vec<&Value> = gpo["children"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|child| {
                child["attributes"]["objectClass"]
                    .to_string()
                    .contains("packageRegistration")
            })
            .collect();
        let halves: Vec<&str> = packages
            .iter()
            .map(|package| {
                let dn = package["dn"].as_str().unwrap();
                ["Machine", "User"]
                    .into_iter()
                    .find(|half| dn.contains(&format!(",CN=Class Store,CN={half},CN={guid},")))
                    .unwrap()
            })
            .collect();
        assert_eq!(halves, ["Machine", "Machine", "User"]);
        for (package, half) in packages.iter().zip(halves) {
            let script = package["attributes"]["msiScriptPath"][0].as_str().unwrap();
            let prefix = format!(r"\\dst.test\sysvol\dst.test\Policies\{guid}\{half}\");
            assert!(
                script.to_lowercase().starts_with(&prefix.to_lowercase()),
                "{script}"
            );
            let files = package["attributes"]["msiFileList"].to_string();
            assert!(
                files.contains("fs9.dst.test") && !files.contains("src.test"),
                "{files}"
            );
        }
    }
    judges_are_content("dst");
    // A backup without software leaves none of it: packages, then the stores around them. The server refuses any other order.
    let scripts = &back_up("src.test", &["Logon Scripts"])["Logon Scripts"];
    import(scripts, name.as_str(), &["--yes"]).json();
    let children = |gpo: &Value| {
        let children = gpo["children"].as_array().unwrap().clone();
        let names = children.iter().map(|child| child["dn"].as_str().unwrap());
        let names: Vec<String> = names
            .map(|dn| dn.split(',').next().unwrap().to_lowercase())
            .collect();
        names
    };
    let mut left = children(&gpo_named(&state("dst"), name.as_str()));
    left.sort();
    assert_eq!(left, ["cn=machine", "cn=user"]);
    judges_are_content("dst");
}

/// The logon-right backups of HardenAD, by the name of their folder.
fn logon_rights(corpus: &Path) -> BTreeMap<String, PathBuf> {
    std::fs::read_dir(corpus.join("hardenad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|folder| {
            let name = folder.file_name()?.to_str()?.to_owned();
            name.starts_with("HAD-LoginRestrictions").then_some(())?;
            let backup = std::fs::read_dir(&folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.is_dir())?;
            Some((name, backup))
        })
        .collect()
}

#[test]
fn real_logon_rights_end_up_with_groups_of_the_target() {
    let case = "real_logon_rights_end_up_with_groups_of_the_target";
    let (true, Some(corpus)) = (lab(case), corpus(case)) else {
        return;
    };
    let _alone = alone();
    let backups = logon_rights(&corpus);
    assert_eq!(backups.len(), 8);
    let destinations = [
        "Support@dst.test",
        "Backup Team@dst.test",
        "DL-Files@dst.test",
        "GG-Workstations@dst.test",
        "Server Admins@dst.test",
        "No Policy@dst.test",
        "Filler One@dst.test",
        "Filler Two@dst.test",
        "alice@dst.test",
        "carol@dst.test",
        "dave@dst.test",
    ];
    let mut mapped = 0;
    for (name, backup) in &backups {
        let name = &fresh(name);
        let shown = gpoctl(&["backups", "show", backup.to_str().unwrap(), "--json"]).json();
        let mut rows: Vec<(String, String, String)> = Vec::new();
        for group in shown["security_groups"].as_array().unwrap() {
            if group["from_dacl"] == false && group["sid"].is_string() {
                let destination = destinations[rows.len() % destinations.len()];
                rows.push((
                    group["type"].as_str().unwrap().to_owned(),
                    group["upn"].as_str().unwrap().to_owned(),
                    set(destination),
                ));
            }
        }
        assert!(!rows.is_empty(), "{name}");
        // GPMC does not list those of Preferences; some are of a domain that the source no longer knows.
        let listed: Vec<String> = shown["security_groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| {
                let part = |field: &str| group[field].as_str().unwrap_or_default().to_owned();
                format!("{}\\{}", part("netbios_domain"), part("sam_account_name"))
            })
            .collect();
        for reference in shown["references"].as_array().unwrap() {
            let in_preferences = reference["place"]["file"]
                .as_str()
                .unwrap()
                .contains("\\Preferences\\");
            let sid = reference["sid"].as_str().unwrap_or_default();
            let is_listed = listed.iter().any(|name| reference["name"] == name.as_str());
            if in_preferences && sid.starts_with("S-1-5-21-") && !is_listed {
                rows.push(("Unknown".to_owned(), sid.to_owned(), set(destinations[0])));
            }
        }
        let borrowed: Vec<(&str, &str, String)> = rows
            .iter()
            .map(|(kind, source, to)| (kind.as_str(), source.as_str(), to.clone()))
            .collect();
        let whole = table(&borrowed);
        let result = import(
            backup,
            name,
            &[
                "--create",
                "--migration-table",
                whole.to_str().unwrap(),
                "--exclusive",
                "--yes",
            ],
        )
        .json();
        assert_eq!(result["status"], "done");
        let gpo = gpo_named(&state("dst"), name);
        let inf = sysvol_text(
            "dst",
            &guid_of(&gpo),
            "Machine/microsoft/windows nt/SecEdit/GptTmpl.inf",
        );
        let dst = domain_sid("dst");
        for (at, _) in inf.match_indices("S-1-5-21-") {
            let sid = inf.get(at..).unwrap();
            assert!(sid.starts_with(&dst), "{name}: {inf}");
            mapped += 1;
        }

        // One row less, and nothing at all happens.
        let (_, dropped, _) = borrowed[0];
        let dropped_sid = shown["security_groups"]
            .as_array()
            .unwrap()
            .iter()
            .find(|group| group["upn"] == dropped)
            .unwrap()["sid"]
            .as_str()
            .unwrap()
            .to_owned();
        let references = shown["references"].as_array().unwrap();
        let dropped_name = &references
            .iter()
            .find(|reference| reference["sid"] == dropped_sid.as_str())
            .unwrap()["name"];
        // Preferences name the same group beside a SID that it no longer has.
        let expected: Vec<&Value> = references
            .iter()
            .filter(|reference| reference["name"] == *dropped_name)
            .collect();
        let short = table(&borrowed[1..]);
        let before = state("dst");
        let said = import(
            backup,
            name,
            &[
                "--migration-table",
                short.to_str().unwrap(),
                "--exclusive",
                "--yes",
            ],
        );
        assert_eq!(said.status, 1);
        assert_same(&before, &state("dst"));
        let error: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(error["error"]["kind"], "unmapped");
        let named: Vec<&Value> = error["messages"].as_array().unwrap().iter().collect();
        assert_eq!(named.len(), expected.len(), "{error}");
        for reference in expected {
            assert!(
                named
                    .iter()
                    .any(|message| message["place"] == reference["place"]),
                "{reference} is not named"
            );
            assert!(reference["place"]["file"].is_string());
            assert!(reference["place"]["section"].is_string());
            assert!(reference["place"]["line"].is_number());
        }
    }
    println!("{mapped} SIDs in logon rights are groups and users of the target");
    assert!(mapped > 40);
    judges_are_content("dst");
}
