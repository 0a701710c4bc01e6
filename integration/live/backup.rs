//! Backups of the lab: the folder contains what SYSVOL and the directory contain, compared without gpoctl.

mod judged;
use crate::support::*;

#[test]
#[ignore = "needs the lab"]
fn every_gpo_equals_sysvol_and_the_directory() {
    let _domain = alone();
    for side in ["src", "dst"] {
        let domain = format!("{side}.test");
        let odd = an_odd_gpo(side);
        let before = state(side);
        let folder = tempfile::tempdir_in(scratch()).unwrap().keep();
        let to = folder.to_str().unwrap();
        let result = gpoctl(&["backup", "--all", "--domain", &domain, "--to", to, "--json"]).json();
        assert_eq!(result["status"], "done");
        let backups = result["backups"].as_array().unwrap();
        assert_eq!(backups.len(), before["gpos"].as_object().unwrap().len());
        let judged = judged::Domain {
            side,
            state: &before,
        };
        for backup in backups {
            judged.assert_saved(backup);
        }
        let listed = gpoctl(&["backups", "list", to, "--json"]).json();
        assert_eq!(listed["backups"].as_array().unwrap().len(), backups.len());
        for entry in listed["backups"].as_array().unwrap() {
            assert_eq!(entry["problems"].as_array().unwrap().len(), 0, "{entry}");
        }
        // Reading changes nothing.
        assert_same(&before, &state(side));
        write(&domain, &["delete", &odd]).json();
    }
}

/// Creates a GPO with four different version numbers, with one half disabled and with an empty folder.
fn an_odd_gpo(side: &str) -> String {
    let domain = format!("{side}.test");
    let name = fresh("Odd");
    let made = write(&domain, &["create", &name]).json();
    let guid = made["gpo"]["guid"].as_str().unwrap().to_owned();
    ldbmodify(
        side,
        &format!(
            "dn: CN={guid},CN=Policies,CN=System,DC={side},DC=test\nchangetype: modify\nreplace: versionNumber\nversionNumber: {}\n-\nreplace: flags\nflags: 2\n",
            5 * 65536 + 6
        ),
    );
    let script = format!(
        "cd /var/lib/samba/sysvol/{domain}/Policies/{guid} && mkdir -p User/Nothing/Below && printf '[General]\\r\\nVersion={}\\r\\ndisplayName=Odd\\r\\n' >GPT.INI",
        7 * 65536 + 8
    );
    inside(side, &["sh", "-c", &script]);
    name
}

/// A GPO without its folder on SYSVOL, and one with unreadable entries, are saved as partial backups.
#[test]
#[ignore = "needs the lab"]
fn an_incomplete_gpo_is_saved_as_a_partial_backup() {
    let _domain = alone();
    let make = |name: &str| {
        let name = fresh(name);
        let said = write("src.test", &["create", &name]);
        assert_eq!(said.status, 0, "{}", said.stderr);
        let guid = guid_of(&gpo_named(&state("src"), &name));
        let path = format!("/var/lib/samba/sysvol/src.test/Policies/{guid}");
        (name, guid, path)
    };
    let (gone, _, gone_path) = make("No Folder");
    let (conflict, _, conflict_path) = make("Conflict");
    let (leftover, _, leftover_path) = make("Leftover");
    let aside = format!("{gone_path}.aside");
    inside("src", &["mv", &gone_path, &aside]);
    inside(
        "src",
        &[
            "mkdir",
            "-m",
            "755",
            &format!("{conflict_path}/User_NTFRS_0a1b2c3d"),
        ],
    );
    inside(
        "src",
        &[
            "mkdir",
            "-m",
            "755",
            &format!("{leftover_path}/.gpoctl-stage"),
        ],
    );

    let to = tempfile::tempdir_in(scratch()).unwrap().keep();
    let to = to.to_str().unwrap();
    let args = [
        "backup", &gone, &conflict, &leftover, "--domain", "src.test", "--to", to, "--json",
    ];
    let said = gpoctl(&args);
    inside("src", &["mv", &aside, &gone_path]);
    let restored: Vec<Said> = said_paths(&said)
        .iter()
        .map(|path| {
            gpoctl(&[
                "restore",
                "--accept-permissions",
                path,
                "--domain",
                "src.test",
                "--json",
                "--dry-run",
            ])
        })
        .collect();
    for (name, status) in [(&gone, 0), (&conflict, 3), (&leftover, 0)] {
        let removed = write("src.test", &["delete", name]);
        assert_eq!(removed.status, status, "{}", removed.stdout);
        // What no backup has is not deleted with the GPO.
        let has_stayed = removed
            .stdout
            .contains("of the deleted GPO was not removed");
        assert_eq!(has_stayed, status == 3, "{}", removed.stdout);
    }
    inside("src", &["rm", "-r", &conflict_path]);

    assert_eq!(said.status, 3, "{}{}", said.stdout, said.stderr);
    let result: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let found: Vec<(&str, &str, &str)> = result["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|backup| {
            let messages = backup["messages"].as_array().unwrap();
            let code = |message: &serde_json::Value| {
                ["no-sysvol-folder", "entry-left-out", "leftover-staging"]
                    .into_iter()
                    .find(|code| message["code"] == *code)
            };
            (
                backup["display_name"].as_str().unwrap(),
                backup["status"].as_str().unwrap(),
                messages.iter().find_map(code).unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (conflict.as_str(), "partial", "entry-left-out"),
            (leftover.as_str(), "done", "leftover-staging"),
            (gone.as_str(), "partial", "no-sysvol-folder"),
        ]
    );
    for (restored, (name, state, code)) in restored.iter().zip(found) {
        let refused = restored.stderr.contains("is partial");
        assert_eq!(
            refused,
            state == "partial",
            "{name} {code}: {}",
            restored.stderr
        );
    }
}

/// An account that may not read the descriptor gets the rest and a message that the permissions are missing.
#[test]
#[ignore = "needs the lab"]
fn an_unreadable_descriptor_makes_the_backup_partial() {
    let _domain = alone();
    let name = fresh("No Descriptor");
    let said = write("src.test", &["create", &name]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    let gpo = gpo_named(&state("src"), &name);
    let sddl = gpo["sddl"].as_str().unwrap();
    // Authenticated Users may read everything but the descriptor.
    let sddl = sddl.replacen("(A;", "(D;CI;RC;;;AU)(A;", 1);
    let guid = guid_of(&gpo);
    ldbmodify(
        "src",
        &format!(
            "dn: CN={guid},CN=Policies,CN=System,DC=src,DC=test\nchangetype: modify\nreplace: nTSecurityDescriptor\nnTSecurityDescriptor: {sddl}\n"
        ),
    );
    let to = tempfile::tempdir_in(scratch()).unwrap().keep();
    let said: Said = command(&["backup", &name, "--domain", "src.test", "--json"])
        .args(editor("src"))
        .arg("--to")
        .arg(&to)
        .output()
        .unwrap()
        .into();
    samba_tool("src", &["gpo", "del", &guid]);
    assert_eq!(said.status, 3, "{}{}", said.stdout, said.stderr);
    let result: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let backup = &result["backups"][0];
    assert_eq!(backup["status"], "partial");
    let messages = backup["messages"].as_array().unwrap().iter();
    let codes: Vec<&str> = messages.map(|m| m["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"unreadable-descriptor"), "{codes:?}");
}

/// The folders of the new backups.
fn said_paths(said: &Said) -> Vec<String> {
    let result: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let paths = result["backups"].as_array().unwrap().iter();
    paths
        .map(|backup| backup["path"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
#[ignore = "needs the lab"]
fn the_inventory_lists_principals_of_settings_and_dacl() {
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
#[ignore = "needs the lab"]
fn an_ambiguous_name_is_refused_with_both_guids() {
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
#[ignore = "needs the lab"]
fn an_unknown_name_fails_alone() {
    let save = |names: &[&str]| {
        let to = tempfile::tempdir_in(scratch()).unwrap().keep();
        let to = to.to_str().unwrap();
        let mut all = vec!["backup", "--domain", "src.test", "--json", "--to", to];
        all.extend(names);
        let said = gpoctl(&all);
        let result: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let found: Vec<(String, String)> = result["backups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|backup| {
                let text = |name: &str| backup[name].as_str().unwrap().to_owned();
                (text("display_name"), text("status"))
            })
            .collect();
        let listed = gpoctl(&["backups", "list", to, "--json"]).json();
        (
            said.status,
            found,
            listed["backups"].as_array().unwrap().len(),
        )
    };
    let states = |states: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = |(name, state): &(&str, &str)| ((*name).to_owned(), (*state).to_owned());
        states.iter().map(owned).collect()
    };
    let (status, found, saved) = save(&["Everything", "Typo", "Software"]);
    let wanted = [
        ("Everything", "done"),
        ("Software", "done"),
        ("Typo", "failed"),
    ];
    assert_eq!((status, found, saved), (3, states(&wanted), 2));
    let (status, found, saved) = save(&["Typo", "Duplicate Name"]);
    let wanted = [("Typo", "failed"), ("Duplicate Name", "failed")];
    assert_eq!((status, found, saved), (1, states(&wanted), 0));
}

#[test]
#[ignore = "needs the lab"]
fn a_missing_backup_is_reported_until_it_is_deleted() {
    let backups = back_up("src.test", &["Everything", "Software"]);
    let gone = &backups["Software"];
    let dir = gone.parent().unwrap().to_str().unwrap();
    let id = gone.file_name().unwrap().to_str().unwrap();
    std::fs::remove_dir_all(gone).unwrap();
    let verify = || gpoctl(&["backups", "verify", dir, "--json"]);
    let said = verify();
    assert_eq!(said.status, 1, "{}", said.stdout);
    let removed = gpoctl(&["backups", "delete", dir, id, "--yes", "--json"]).json();
    assert_eq!(removed["removed"][0]["display_name"], "Software");
    assert_eq!(verify().json()["status"], "sound");
    assert!(backups["Everything"].join("Backup.xml").exists());
}

#[test]
#[ignore = "needs the lab"]
fn a_ticket_cache_is_enough_for_both_halves() {
    use std::io::Write as _;

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
    assert_eq!(shown["files"].as_array().unwrap().len(), 39);
    assert_eq!(shown["links"].as_array().unwrap().len(), 2);
}

/// Opens a file over SMB, marks it for deletion, and keeps it open until its standard input ends; the file is not deleted then.
/// Meanwhile it is listed, and cannot be opened.
const HOLD: &str = r#"
from samba.param import LoadParm
from samba.credentials import Credentials
from samba.samba3 import libsmb_samba_internal as libsmb, param
lp = LoadParm(); lp.load_default()
s3 = param.get_context(); s3.load(lp.configfile)
creds = Credentials(); creds.guess(lp)
creds.set_username("Administrator")
creds.set_password(open("/lab-state/admin.password").read().strip())
share = libsmb.Conn("localhost", "sysvol", lp=s3, creds=creds)
number = share.create(order, DesiredAccess=0x00110081, ShareAccess=7)
share.delete_on_close(number, 1)
print("held", flush=True)
sys.stdin.read()
share.delete_on_close(number, 0)
share.close(number)
"#;

/// Keeps a file of a GPO of SRC.TEST open like this while `run` runs.
fn held<T>(guid: &str, file: &str, run: impl FnOnce() -> T) -> T {
    let path = format!("src.test\\Policies\\{guid}\\{file}");
    let mut holder = Watcher::start("src", HOLD, &path.into());
    holder.says("held");
    let result = run();
    holder.end();
    result
}

/// A file that is being deleted is listed and cannot be opened. The folder of the GPO exists all the same: a backup contains
/// the rest, and a writing command does not treat the GPO as empty.
#[test]
#[ignore = "needs the lab"]
fn a_file_that_disappears_is_not_a_missing_folder() {
    let _domain = alone();
    let saved = &back_up("src.test", &["Everything"])["Everything"];
    let saved = saved.to_str().unwrap();
    let name = &fresh("Vanishing");
    let whole = write("src.test", &["import", saved, "--into", name, "--create"]);
    assert_eq!(whole.status, 0, "{}{}", whole.stdout, whole.stderr);
    let guid = &guid_of(&gpo_named(&state("src"), name));
    let before = state("src");
    let to = tempfile::tempdir_in(scratch()).unwrap().keep();
    let to = to.to_str().unwrap();
    let operations = || {
        let folder = scratch().join("state/gpoctl/operations");
        std::fs::read_dir(folder).unwrap().count()
    };
    let journals = operations();
    let (partial, checked, imported, copied, deleted) = held(guid, "Machine\\Registry.pol", || {
        let other = &fresh("Vanishing copy");
        (
            gpoctl(&["backup", name, "--domain", "src.test", "--to", to, "--json"]),
            gpoctl(&["check", guid, "--domain", "src.test", "--json"]),
            write("src.test", &["import", saved, "--into", name]),
            gpoctl(&[
                "copy", name, "--from", "src.test", "--name", other, "--yes", "--json",
            ]),
            write("src.test", &["delete", name]),
        )
    });
    let after = state("src");
    let journals = operations() - journals;
    let removed = write("src.test", &["delete", name]);
    assert_eq!(removed.status, 0, "{}", removed.stderr);

    assert_eq!(partial.status, 3, "{}{}", partial.stdout, partial.stderr);
    let result: serde_json::Value = serde_json::from_str(&partial.stdout).unwrap();
    let backup = &result["backups"][0];
    assert_eq!(backup["status"], "partial");
    let unread: Vec<&serde_json::Value> = backup["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["code"] == "unreadable-file")
        .map(|message| &message["place"]["file"])
        .collect();
    assert_eq!(unread, ["Machine\\Registry.pol"]);
    let mut files = sysvol_files(&before["gpos"][guid]);
    assert!(files.remove("machine/registry.pol").is_some());
    let path = std::path::Path::new(backup["path"].as_str().unwrap());
    assert!(files.len() > 5);
    assert_eq!(local_files(&path.join("DomainSysvol/GPO")), files);

    let report: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(checked.status, 1);
    let codes = codes(&report);
    assert!(codes.contains(&"unreadable-file".to_owned()), "{codes:?}");
    assert!(!codes.contains(&"no-sysvol-folder".to_owned()), "{codes:?}");

    for said in [imported, copied, deleted] {
        let result: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(said.status, 1, "{result:#}");
        assert_eq!(result["error"]["kind"], "conflict", "{result:#}");
        let message = result["error"]["message"].as_str().unwrap();
        assert!(message.contains("Registry.pol"), "{message}");
    }
    // Nothing was started, so there is no empty safety backup.
    assert_eq!(journals, 0);
    assert_same(&before, &after);
}

/// One file that the server does not return affects neither the rest of its GPO nor any other GPO.
#[test]
#[ignore = "needs the lab"]
fn a_file_that_cannot_be_read_costs_no_other_gpo() {
    let _domain = alone();
    let saved = &back_up("src.test", &["Everything"])["Everything"];
    let name = &fresh("Half readable");
    let import = [
        "import",
        saved.to_str().unwrap(),
        "--into",
        name,
        "--create",
    ];
    write("src.test", &import).json();
    let before = state("src");
    let guid = &guid_of(&gpo_named(&before, name));
    let to = tempfile::tempdir_in(scratch()).unwrap().keep();
    let arguments = ["backup", "--all", "--domain", "src.test", "--to"];
    let said = held(guid, "Machine\\Registry.pol", || {
        gpoctl(&[&arguments[..], &[to.to_str().unwrap(), "--json"]].concat())
    });
    write("src.test", &["delete", name]).json();

    assert_eq!(said.status, 3, "{}{}", said.stdout, said.stderr);
    let result: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let backups = result["backups"].as_array().unwrap();
    let all = before["gpos"].as_object().unwrap();
    assert_eq!(backups.len(), all.len());
    assert!(all.len() > 3);
    for backup in backups {
        let bad = backup["display_name"] == name.as_str();
        assert_eq!(
            backup["status"],
            if bad { "partial" } else { "done" },
            "{backup:#}"
        );
        let unread: Vec<&serde_json::Value> = backup["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|message| message["code"] == "unreadable-file")
            .map(|message| &message["place"]["file"])
            .collect();
        assert_eq!(unread.len(), usize::from(bad), "{backup:#}");
        assert!(!bad || unread == ["Machine\\Registry.pol"]);
        let mut files = sysvol_files(&all[backup["gpo_guid"].as_str().unwrap()]);
        let had = files.remove("machine/registry.pol").is_some();
        assert!(had || !bad);
        let folder = std::path::Path::new(backup["path"].as_str().unwrap());
        let mut saved = local_files(&folder.join("DomainSysvol/GPO"));
        saved.remove("machine/registry.pol");
        assert_eq!(saved, files, "{}", backup["display_name"]);
    }
}
