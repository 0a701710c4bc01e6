//! Imports, checked with Samba's own tools.

use std::path::PathBuf;

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

#[test]
#[ignore = "needs the lab"]
fn import_into_a_new_gpo_maps_every_reference() {
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
    assert_halves_agree(&gpo, backup);
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
    // Files without a reference that this version maps are written byte for byte.
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
    assert_samba_checks_pass("dst");
    judge("dst", &["show", &guid]);
}

#[test]
#[ignore = "needs the lab"]
fn import_replaces_settings_and_keeps_identity() {
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
    assert_halves_agree(&new, backup);
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
    // The local disk has the old state as a backup.
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
    assert_samba_checks_pass("dst");
}

#[test]
#[ignore = "needs the lab"]
fn the_same_import_twice_gives_the_same_bytes() {
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
    assert_samba_checks_pass("dst");
}

#[test]
#[ignore = "needs the lab"]
fn software_packages_are_created_below_the_target() {
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
    assert_samba_checks_pass("dst");
    // A backup without software removes all of it: packages, then the stores around them. The server refuses any other order.
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
    assert_samba_checks_pass("dst");
}
