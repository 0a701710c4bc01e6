//! Files of other formats after an import, compared with what Samba's parsers read from them.

use std::path::Path;

use crate::support::*;
use gpoctl::formats::registry_pol::{Record, RegistryPol, ValueType, utf16_bytes};
use serde_json::Value;

/// Runs a command on the DC, as preparation.
fn on_dc(side: &str, arguments: &[&str]) {
    let lab = std::env::var("GPOCTL_LAB_SCRIPT").unwrap();
    let output = std::process::Command::new(lab)
        .args(["exec", side])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

/// The codes and texts of the findings of an operation.
fn said(result: &Value) -> Vec<(String, String)> {
    let mut all: Vec<&Value> = result["messages"].as_array().unwrap().iter().collect();
    all.extend(result["plan"]["messages"].as_array().into_iter().flatten());
    all.iter()
        .map(|message| {
            let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
            (text("code"), text("text"))
        })
        .collect()
}

#[test]
#[ignore = "needs the lab"]
fn a_path_into_the_own_gpo_folder_points_to_the_target() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Logon Scripts"])["Logon Scripts"];
    let own = r"\\src.test\SysVol\src.test\Policies\{A1B20004-0C4E-4D1A-8F00-5A3B7C9D0004}";
    let other = r"\\dc1.src.test\sysvol\src.test\Policies\{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}";
    // The hashes are those of the file that gpoctl wrote.
    std::fs::remove_file(backup.join("gpoctl.json")).unwrap();
    let scripts = backup.join("DomainSysvol/GPO/Machine/Scripts");
    std::fs::write(
        scripts.join("scripts.ini"),
        utf16_with_mark(&format!(
            "\r\n[Startup]\r\n0CmdLine={own}\\Machine\\Scripts\\Startup\\start.cmd\r\n0Parameters=/list:{own}\\no\\list.txt\r\n1CmdLine={other}\\x.cmd\r\n1Parameters=\r\n"
        )),
    )
    .unwrap();
    let name = &fresh("Own folder");
    let result = import(backup, name, &["--create", "--yes"]).json();
    let gpo = gpo_named(&state("dst"), name);
    let guid = guid_of(&gpo);
    let new = format!(r"\\dst.test\SysVol\dst.test\Policies\{guid}");
    assert_eq!(
        sysvol_text("dst", &guid, "Machine/Scripts/scripts.ini"),
        format!(
            "\u{feff}\r\n[Startup]\r\n0CmdLine={new}\\Machine\\Scripts\\Startup\\start.cmd\r\n0Parameters=/list:{new}\\no\\list.txt\r\n1CmdLine={other}\\x.cmd\r\n1Parameters=\r\n"
        )
    );
    let said = said(&result);
    for (code, part) in [
        ("own-folder-followed", "start.cmd"),
        ("own-folder-file-missing", "list.txt"),
        ("other-gpo-folder", "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}"),
    ] {
        assert!(
            said.iter()
                .any(|(c, text)| c == code && text.contains(part)),
            "{code} {part}: {said:#?}"
        );
    }
    // A row of the table takes precedence.
    let path = format!("{own}\\Machine\\Scripts\\Startup\\start.cmd");
    let table = table(&[("UNCPath", &path, set(r"\\fs9.dst.test\s$\start.cmd"))]);
    import(
        backup,
        name,
        &["--migration-table", table.to_str().unwrap(), "--yes"],
    )
    .json();
    let text = sysvol_text("dst", &guid, "Machine/Scripts/scripts.ini");
    assert!(
        text.contains("0CmdLine=\\\\fs9.dst.test\\s$\\start.cmd\r\n"),
        "{text}"
    );
    assert_samba_checks_pass("dst");
}

#[test]
#[ignore = "needs the lab"]
fn an_advertise_script_points_to_the_new_share() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Software"])["Software"];
    let name = &fresh("Software moved");
    // Longer than the old one, and not ASCII.
    let share = r"\\files.dst.test\Software für alle$";
    let table = table(&[("UNCPath", r"\\fs1.src.test\software$", set(share))]);
    let options = [
        "--create",
        "--migration-table",
        table.to_str().unwrap(),
        "--scope",
        "gpmc",
        "--yes",
    ];
    import(backup, name, &options).json();
    let gpo = gpo_named(&state("dst"), name);
    let guid = guid_of(&gpo);
    let path = |package: &str| {
        format!("{guid}/Machine/Applications/{{4F0D2C1A-7B3E-4A58-9C66-1D2E3F4A5B0{package}}}.aas")
    };
    let moved = judge("dst", &["cat", &path("1")]);
    let launch: Vec<u8> = format!("{share}\\")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let place = moved
        .windows(launch.len())
        .position(|window| window == launch);
    let length = u16::try_from(launch.len() / 2).unwrap() | 0xC000;
    assert_eq!(
        moved[place.unwrap() - 2..place.unwrap()],
        length.to_le_bytes()
    );
    assert!(!moved.windows(8).any(|window| window == b"fs1.src."));
    // The other package has no row.
    let kept = judge("dst", &["cat", &path("2")]);
    assert!(kept.windows(8).any(|window| window == b"fs2.src."));
    // Samba reads both.
    judge("dst", &["parse", &path("1")]);
    judge("dst", &["parse", &path("2")]);
    // Principals in the permissions of the packages are reported; an import does not write these, so they need no row.
    let shown = gpoctl(&["backups", "show", backup.to_str().unwrap(), "--json"]).json();
    let references = shown["references"].as_array().unwrap();
    let mut packages: Vec<&str> = references
        .iter()
        .filter(|reference| reference["from_dacl"] == true)
        .map(|reference| {
            assert_eq!(reference["place"]["key"], "nTSecurityDescriptor");
            let sid = reference["sid"].as_str().unwrap();
            assert!(sid.starts_with(&domain_sid("src")), "{sid}");
            reference["place"]["file"].as_str().unwrap()
        })
        .collect();
    packages.dedup();
    assert_eq!(packages.len(), 3, "{packages:?}");
    let none = self::table(&[]);
    let refused = import(
        backup,
        name,
        &[
            "--migration-table",
            none.to_str().unwrap(),
            "--exclusive",
            "--dry-run",
        ],
    );
    assert_ne!(refused.status, 0);
    let refused = refused.stdout + &refused.stderr;
    assert!(refused.contains("fs1.src.test"), "{refused}");
    assert!(!refused.contains("nTSecurityDescriptor"), "{refused}");
    let children = gpo["children"].to_string();
    assert!(
        children.contains("Software für alle$\\\\reader.msi"),
        "{children}"
    );
    assert_samba_checks_pass("dst");
}

#[test]
#[ignore = "needs the lab"]
fn names_that_windows_cannot_read_or_distinguish_are_reported() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Logon Scripts"])["Logon Scripts"];
    let name = &fresh("Odd names on disk");
    import(backup, name, &["--create", "--yes"]).json();
    let guid = guid_of(&gpo_named(&state("dst"), name));
    let folder = format!("/var/lib/samba/sysvol/dst.test/Policies/{guid}/Machine/Scripts");
    let saved = tempfile::tempdir_in(scratch()).unwrap();
    let back_up = || {
        let to = saved.path().to_str().unwrap();
        gpoctl(&["backup", "--domain", "dst.test", "--to", to, "--json", name])
    };
    // A name that is not UTF-8 on the server's disk affects only itself.
    on_dc(
        "dst",
        &[
            "bash",
            "-c",
            &format!("echo x > \"{folder}/\"$'bad\\xffname.txt'"),
        ],
    );
    let result = back_up();
    println!(
        "a name that is no text: {} {}",
        result.stdout, result.stderr
    );
    assert_eq!(result.status, 0);
    on_dc(
        "dst",
        &[
            "bash",
            "-c",
            &format!(
                "rm \"{folder}/\"$'bad\\xffname.txt'; cp \"{folder}/scripts.ini\" \"{folder}/Scripts.INI\""
            ),
        ],
    );
    let result = back_up();
    let both = |text: &str| {
        assert!(
            text.contains("scripts.ini")
                && text.contains("Scripts.INI")
                && text.contains("are the same name to Windows"),
            "{text}"
        );
    };
    // One of the two is missing from the backup, and nothing else is.
    assert_eq!(result.status, 3, "{}{}", result.stdout, result.stderr);
    let result: Value = serde_json::from_str(&result.stdout).unwrap();
    let partial = &result["backups"][0];
    assert_eq!(partial["status"], "partial");
    let unread: Vec<&Value> = partial["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["code"] == "unreadable-file")
        .collect();
    assert_eq!(unread.len(), 1, "{partial:#}");
    both(unread[0]["text"].as_str().unwrap());
    assert_eq!(unread[0]["place"]["file"], "Machine\\Scripts\\scripts.ini");
    let before = state("dst");
    let path = partial["path"].as_str().unwrap();
    assert_eq!(
        local_files(&Path::new(path).join("DomainSysvol/GPO")),
        sysvol_files(&before["gpos"][&guid])
    );
    // Writing commands do not choose between the two.
    let other = &fresh("Odd names copied");
    let restore = ["restore", "--accept-permissions", path, "--allow-partial"];
    for said in [
        import(backup, name, &["--yes"]),
        write("dst.test", &restore),
        gpoctl(&[
            "copy", name, "--from", "dst.test", "--name", other, "--yes", "--json",
        ]),
    ] {
        assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
        let result: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(result["error"]["kind"], "bad-directory", "{result:#}");
        both(result["error"]["message"].as_str().unwrap());
    }
    assert_same(&before, &state("dst"));
    // Of two folders, the second is omitted as a whole, and reported once.
    let script = format!(
        "rm \"{folder}/Scripts.INI\"; mkdir \"{folder}/../SCRIPTS\"; echo y > \"{folder}/../SCRIPTS/more.txt\""
    );
    on_dc("dst", &["bash", "-c", &script]);
    let result = back_up();
    on_dc("dst", &["rm", "-r", &format!("{folder}/../SCRIPTS")]);
    assert_eq!(result.status, 3, "{}{}", result.stdout, result.stderr);
    let result: Value = serde_json::from_str(&result.stdout).unwrap();
    let partial = &result["backups"][0];
    let messages = partial["messages"].as_array().unwrap().iter();
    let unread: Vec<&Value> = messages
        .filter(|message| message["code"] == "unreadable-file")
        .map(|message| &message["place"]["file"])
        .collect();
    assert_eq!(unread, ["Machine\\Scripts"]);
    let path = Path::new(partial["path"].as_str().unwrap());
    let files = local_files(&path.join("DomainSysvol/GPO"));
    assert!(files.contains_key("machine/scripts/more.txt"), "{files:?}");
    assert_eq!(back_up().status, 0);
}

#[test]
#[ignore = "needs the lab"]
fn firewall_rules_conditions_and_audit_policy_name_the_targets_group() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Everything"])["Everything"];
    let shown = gpoctl(&["backups", "show", backup.to_str().unwrap(), "--json"]).json();
    let references = shown["references"].as_array().unwrap();
    let helpdesk = references
        .iter()
        .find(|reference| reference["name"] == r"SRC\Helpdesk")
        .and_then(|reference| reference["sid"].as_str())
        .unwrap();
    let files = backup.join("DomainSysvol/GPO/Machine");
    let rule = |sid: &str| {
        format!(
            "v2.26|Action=Allow|Dir=In|RA4=LocalSubnet|LUAuth=O:LSD:(A;;CC;;;{sid})(XA;;CC;;;WD;(Member_of {{SID({sid})}}))|LUOwn={sid}|Name=gpoctl|"
        )
    };
    let pol = RegistryPol {
        records: vec![Record {
            key: utf16_bytes(r"Software\Policies\Microsoft\WindowsFirewall\FirewallRules"),
            value_name: utf16_bytes("{1}"),
            value_type: ValueType::SZ,
            data: utf16_bytes(&(rule(helpdesk) + "\0")),
        }],
    };
    // The hashes are those of the file that gpoctl wrote.
    std::fs::remove_file(backup.join("gpoctl.json")).unwrap();
    std::fs::write(files.join("Registry.pol"), pol.to_bytes()).unwrap();
    let head = "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value\r\n";
    let audit = |sid: &str| format!("{head},,FileGlobalSacl,,,,\"S:(AU;SAFA;FA;;;{sid})\"\r\n");
    let csv = "Microsoft/Windows NT/Audit/audit.csv";
    std::fs::write(files.join(csv), audit(helpdesk)).unwrap();

    let name = &fresh("Firewall and audit");
    let table = table(&[("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test"))]);
    let options = [
        "--create",
        "--migration-table",
        table.to_str().unwrap(),
        "--yes",
    ];
    import(backup, name, &options).json();
    let guid = guid_of(&gpo_named(&state("dst"), name));
    let text = String::from_utf8(sysvol_file("dst", &guid, &format!("Machine/{csv}"))).unwrap();
    let support = text.split(";;;").nth(1).unwrap().split(')').next().unwrap();
    assert!(support.starts_with(&domain_sid("dst")), "{text}");
    assert_eq!(text, audit(support));
    // Samba's reader of Registry.pol checks the other one.
    let pol = judge("dst", &["pol", &format!("{guid}/Machine/Registry.pol")]);
    let pol: Value = serde_json::from_slice(&pol).unwrap();
    assert_eq!(pol["entries"][0]["data"], rule(support));
    assert_samba_checks_pass("dst");
}
