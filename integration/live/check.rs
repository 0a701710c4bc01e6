//! `gpoctl check`: every fault is made with other tools, found with its code, and repaired.

use std::sync::MutexGuard;

use crate::support::*;
use serde_json::Value;

/// A GPO of DST.TEST with every kind of setting, for one test; deleted when dropped.
struct Gpo {
    name: String,
    guid: String,
    dn: String,
    folder: String,
    _alone: MutexGuard<'static, ()>,
}

impl Gpo {
    fn new(name: &str) -> Self {
        let alone = alone();
        let name = fresh(name);
        let backup = &back_up("src.test", &["Everything"])["Everything"];
        let result = import(backup, &name, &["--create", "--yes"]).json();
        let guid = result["gpo"]["guid"].as_str().unwrap().to_owned();
        Self {
            dn: format!("CN={guid},CN=Policies,CN=System,DC=dst,DC=test"),
            folder: format!("/var/lib/samba/sysvol/dst.test/Policies/{guid}"),
            name,
            guid,
            _alone: alone,
        }
    }

    /// One change of the container, by ldbmodify.
    fn modify(&self, change: &str) {
        ldbmodify(
            "dst",
            &format!("dn: {}\nchangetype: modify\n{change}\n", self.dn),
        );
    }

    fn replace(&self, attribute: &str, value: &str) {
        self.modify(&format!("replace: {attribute}\n{attribute}: {value}"));
    }

    /// A shell script in the GPO's folder.
    fn shell(&self, script: &str) -> String {
        inside(
            "dst",
            &["sh", "-ec", &format!("cd '{}'; {script}", self.folder)],
        )
    }

    /// One attribute of the container, as Samba's libraries read it.
    fn attribute(&self, name: &str) -> String {
        attribute(&gpo_named(&state("dst"), &self.name), name).to_owned()
    }

    fn check(&self, more: &[&str]) -> (i32, Value) {
        let mut arguments = vec![
            "check",
            self.guid.as_str(),
            "--domain",
            "dst.test",
            "--json",
        ];
        arguments.extend(more);
        let said = gpoctl(&arguments);
        let json = serde_json::from_str(&said.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", said.stdout, said.stderr));
        (said.status, json)
    }

    /// Severity and code of the findings that are not notes.
    fn faults(&self) -> Vec<(String, String)> {
        faults(&self.check(&[]).1)
    }
}

impl Drop for Gpo {
    fn drop(&mut self) {
        inside("dst", &["ldbdel", "-H", DATABASE, "-r", &self.dn]);
        inside("dst", &["rm", "-rf", &self.folder]);
    }
}

fn faults(report: &Value) -> Vec<(String, String)> {
    report["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["severity"] != "info")
        .map(|message| {
            assert!(message["hint"].is_string(), "{message}");
            let text = |key: &str| message[key].as_str().unwrap().to_owned();
            (text("severity"), text("code"))
        })
        .collect()
}

fn fault(severity: &str, code: &str) -> Vec<(String, String)> {
    vec![(severity.to_owned(), code.to_owned())]
}

#[test]
#[ignore = "needs the lab"]
fn the_seeds_have_no_faults() {
    let _alone = alone();
    for domain in ["src.test", "dst.test"] {
        let said = gpoctl(&["check", "--all", "--domain", domain, "--json"]);
        let report: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(faults(&report), [], "{report:#}");
        assert_eq!(said.status, 0);
        assert_eq!(report["status"], "ok");
        assert!(report["gpos"].as_array().unwrap().len() >= 6);
    }
}

#[test]
#[ignore = "needs the lab"]
fn faults_of_the_directory_half() {
    let gpo = Gpo::new("Faulty container");
    assert_eq!(gpo.faults(), []);
    let was = |name: &str| gpo.attribute(name);
    let (version, path) = (was("versionNumber"), was("gPCFileSysPath"));
    let machine = was("gPCMachineExtensionNames");
    let backup = &back_up("dst.test", &[&gpo.name])[&gpo.name];

    gpo.replace("versionNumber", "65536");
    assert_eq!(gpo.faults(), fault("warning", "version-mismatch"));
    assert_eq!(gpo.check(&[]).0, 4);
    gpo.replace("versionNumber", &version);

    gpo.replace("gPCFileSysPath", r"\\evil.test\sysvol\dst.test\Policies\x");
    assert_eq!(gpo.faults(), fault("error", "wrong-path"));
    assert_eq!(gpo.check(&[]).0, 1);
    // Nothing is written to such a GPO and nothing is read from it, whatever the path contains: a missing folder, or the folder
    // of another GPO, which must not be deleted.
    let backup = backup.to_str().unwrap();
    let other = r"\\dst.test\SysVol\dst.test\Policies\{B1C20002-1D5F-4E2B-9F00-6B4C8DAE0002}";
    for path in [r"\\evil.test\sysvol\dst.test\Policies\x", other] {
        gpo.replace("gPCFileSysPath", path);
        let before = state("dst");
        for arguments in [
            &["delete", gpo.guid.as_str()][..],
            &["delete", gpo.guid.as_str(), "--keep-links"],
            &["import", backup, "--into", &gpo.guid],
            &["restore", "--accept-permissions", backup],
            &["set-status", &gpo.guid, "none"],
            &["rename", &gpo.guid, "elsewhere"],
        ] {
            let said = write("dst.test", arguments);
            assert_eq!(said.status, 1, "{arguments:?}: {}", said.stderr);
            assert!(said.stderr.contains("gPCFileSysPath"), "{}", said.stderr);
        }
        let to = ["--to", "dst.test", "--name", "elsewhere", "--yes", "--json"];
        let copy = ["copy", gpo.guid.as_str(), "--from", "dst.test"];
        let said = gpoctl(&[&copy[..], &to].concat());
        assert_eq!(said.status, 1, "{}", said.stderr);
        assert!(said.stderr.contains("gPCFileSysPath"), "{}", said.stderr);
        assert_same(&before, &state("dst"));
    }
    gpo.replace("gPCFileSysPath", &path);

    gpo.replace("gPCFunctionalityVersion", "1");
    assert_eq!(gpo.faults(), fault("error", "functionality-version"));
    gpo.replace("gPCFunctionalityVersion", "2");

    gpo.modify("delete: flags");
    assert_eq!(gpo.faults(), fault("warning", "no-flags"));
    gpo.replace("flags", "0");

    let missing = "[dst.test;{11111111-2222-3333-4444-555555555555};0]";
    gpo.replace("gPCWQLFilter", missing);
    assert_eq!(gpo.faults(), fault("error", "wmi-filter-missing"));
    gpo.replace("gPCWQLFilter", "no link");
    assert_eq!(gpo.faults(), fault("error", "wmi-link-broken"));
    gpo.modify("delete: gPCWQLFilter");

    gpo.replace("gPCMachineExtensionNames", &machine.to_lowercase());
    assert_eq!(gpo.faults(), fault("warning", "extensions-case"));
    let mut blocks: Vec<&str> = machine.split_inclusive(']').collect();
    blocks.reverse();
    gpo.replace("gPCMachineExtensionNames", &blocks.concat());
    assert_eq!(gpo.faults(), fault("warning", "extensions-order"));
    gpo.replace(
        "gPCMachineExtensionNames",
        machine.strip_suffix(']').unwrap(),
    );
    assert_eq!(gpo.faults(), fault("error", "extensions-broken"));
    let without: String = machine
        .split_inclusive(']')
        .filter(|block| !block.starts_with("[{827D319E"))
        .collect();
    gpo.replace("gPCMachineExtensionNames", &without);
    assert_eq!(gpo.faults(), fault("warning", "extension-missing"));
    gpo.replace("gPCMachineExtensionNames", &machine);
    assert_eq!(gpo.faults(), []);
}

#[test]
#[ignore = "needs the lab"]
fn faults_of_the_sysvol_half() {
    let gpo = Gpo::new("Faulty folder");
    assert_eq!(gpo.faults(), []);

    gpo.shell("cp -a GPT.INI /tmp/kept.ini; sed -i.old 's/^Version=.*/Version=7\\r/' GPT.INI; mv GPT.INI.old /tmp/old.ini");
    assert!(
        gpo.faults()
            .contains(&("warning".to_owned(), "version-mismatch".to_owned()))
    );
    gpo.shell("printf 'Version=seven' > GPT.INI");
    assert!(
        gpo.faults()
            .contains(&("warning".to_owned(), "version-mismatch".to_owned()))
    );
    gpo.shell("printf '[General]\\r\\nVersion=seven\\r\\n' > GPT.INI");
    assert!(
        gpo.faults()
            .contains(&("error".to_owned(), "gpt-ini".to_owned()))
    );
    gpo.shell("rm GPT.INI");
    assert!(
        gpo.faults()
            .contains(&("error".to_owned(), "gpt-ini".to_owned()))
    );
    gpo.shell("cp -a --preserve=all /tmp/kept.ini GPT.INI");
    assert_eq!(gpo.faults(), []);

    // Both versions 0, and settings in both halves.
    let version = gpo.attribute("versionNumber");
    gpo.replace("versionNumber", "0");
    gpo.shell("printf '[General]\\r\\nVersion=0\\r\\n' > GPT.INI");
    let zero = fault("warning", "version-zero");
    assert_eq!(gpo.faults(), [zero.clone(), zero].concat());
    gpo.replace("versionNumber", &version);
    gpo.shell("cp -a --preserve=all /tmp/kept.ini GPT.INI");
    assert_eq!(gpo.faults(), []);

    // A file that somebody added by hand, and one whose permissions were changed.
    gpo.shell("echo x > User/by-hand.txt");
    assert_eq!(gpo.faults(), fault("warning", "descriptor-differs"));
    gpo.shell("rm User/by-hand.txt");
    assert_eq!(gpo.faults(), []);
    let sddl = "O:BAG:BAD:P(A;;FA;;;BA)";
    let file = format!("{}/Machine/Registry.pol", gpo.folder);
    inside(
        "dst",
        &["samba-tool", "ntacl", "set", "--use-s3fs", sddl, &file],
    );
    assert_eq!(gpo.faults(), fault("warning", "descriptor-differs"));
    let (_, report) = gpo.check(&[]);
    assert_eq!(
        report["messages"][0]["place"]["file"],
        "Machine\\Registry.pol"
    );

    gpo.shell(&format!("mv '{}' /tmp/away", gpo.folder));
    assert_eq!(gpo.faults(), fault("error", "no-sysvol-folder"));
    inside("dst", &["rm", "-rf", "/tmp/away"]);
}

/// What cannot be read of one GPO is a finding; the rest of it and the other GPOs are checked.
#[test]
#[ignore = "needs the lab"]
fn unreadable_objects_are_findings() {
    let gpo = Gpo::new("Partly read");
    let user = std::env::var("GPOCTL_LAB_DST_EDITOR_USER").unwrap();
    let password = std::env::var("GPOCTL_LAB_DST_EDITOR_PASSWORD_FILE").unwrap();
    let editor = ["--user", &user, "--password-file", &password];
    let all = |more: &[&str]| {
        let check = ["check", "--all", "--domain", "dst.test", "--json"];
        let said = gpoctl(&[&check, more].concat());
        let report: Value = serde_json::from_str(&said.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", said.stdout, said.stderr));
        (said.status, report)
    };
    // Severity, code, file: of this GPO, which is the only one with a fault.
    let found = |report: &Value| -> Vec<(String, String, String)> {
        let faults = faults(report).into_iter();
        let messages = report["messages"].as_array().unwrap().iter();
        faults
            .zip(messages.filter(|message| message["severity"] != "info"))
            .map(|((severity, code), message)| {
                assert_eq!(message["gpo"], gpo.name, "{message}");
                let file = message["place"]["file"].as_str().unwrap().to_owned();
                (severity, code, file)
            })
            .collect()
    };
    let error = |code: &str, file: &str| ("error".to_owned(), code.to_owned(), file.to_owned());
    let (status, healthy) = all(&editor);
    assert_eq!((status, faults(&healthy)), (0, Vec::new()), "{healthy:#}");
    let gpos = healthy["gpos"].as_array().unwrap().len();
    let broken = |wanted: &[(String, String, String)], more: &[&str]| {
        let (status, report) = all(more);
        assert_eq!(found(&report), wanted, "{report:#}");
        assert_eq!((status, &report["status"]), (1, &"errors".into()));
        assert_eq!(report["gpos"].as_array().unwrap().len(), gpos);
        // What was not read is not reported as missing.
        for message in report["messages"].as_array().unwrap() {
            assert!(
                message["gpo"] != gpo.name || message["code"] != "extension-without-settings",
                "{message}"
            );
        }
    };

    // A file and a folder that the account may not open.
    let mode = |path: &str| gpo.shell(&format!("stat -c %a {path}")).trim().to_owned();
    let (root, folder, ini) = (mode("."), mode("User"), mode("GPT.INI"));
    let file = mode("Machine/Registry.pol");
    gpo.shell("chmod 600 Machine/Registry.pol; chmod 700 User");
    let registry = error("unreadable-file", "Machine\\Registry.pol");
    broken(
        &[registry.clone(), error("unreadable-file", "User")],
        &editor,
    );
    // GPT.INI: it is not missing, and is not recreated without having been read.
    gpo.shell(&format!("chmod 600 GPT.INI; chmod {folder} User"));
    let version = gpo.attribute("versionNumber");
    gpo.replace("versionNumber", "1");
    broken(&[error("unreadable-file", "GPT.INI"), registry], &editor);
    let fix = ["--fix", "--dry-run"];
    let (_, plan) = gpo.check(&[&editor[..], &fix].concat());
    let steps = plan["plan"]["steps"].to_string();
    assert!(!steps.contains("GPT.INI"), "{steps}");
    assert!(!steps.contains("versionNumber"), "{steps}");
    gpo.replace("versionNumber", &version);
    // Whether it applies is reported all the same, with the assumptions.
    let (status, applied) = gpo.check(&[&editor[..], &["--for", "Administrator"]].concat());
    assert_eq!(status, 0, "{applied:#}");
    let message = &applied["messages"][0];
    assert_eq!(
        (&message["code"], &message["gpo"]),
        (&"unread".into(), &gpo.name.clone().into())
    );
    assert_eq!(applied["gpos"][0]["reasons"][0]["code"], "not-linked");
    gpo.shell(&format!(
        "chmod {ini} GPT.INI; chmod {file} Machine/Registry.pol"
    ));
    assert_eq!(faults(&all(&editor).1), []);

    // The GPO's own folder.
    gpo.shell("chmod 700 .");
    broken(&[error("unreadable-file", "")], &editor);
    gpo.shell(&format!("chmod {root} ."));

    // Two names that are the same to Windows: the rest is checked, for every account.
    gpo.shell("cp --preserve=all Machine/Registry.pol Machine/REGISTRY.POL");
    let twin = error("unreadable-file", "Machine\\Registry.pol");
    broken(&[twin], &[]);
    gpo.shell("rm Machine/REGISTRY.POL");

    // A descriptor that the server does not return: the file itself may be readable.
    let sddl = "O:BAG:BAD:P(A;;FA;;;BA)(A;;0x100089;;;AU)";
    let path = format!("{}/Machine/Registry.pol", gpo.folder);
    inside(
        "dst",
        &["samba-tool", "ntacl", "set", "--use-s3fs", sddl, &path],
    );
    let denied = error("descriptor-unreadable", "Machine\\Registry.pol");
    let (status, report) = all(&editor);
    assert_eq!((status, found(&report)), (1, vec![denied]), "{report:#}");
}

#[test]
#[ignore = "needs the lab"]
fn computers_that_may_not_read() {
    let gpo = Gpo::new("Unread");
    // Remove the entries of Authenticated Users, as GPMC does when somebody removes them from security filtering.
    let script = format!(
        r#"
import ldb
from samba.samdb import SamDB
from samba.param import LoadParm
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
lp = LoadParm(); lp.load_default()
db = SamDB(session_info=system_session(), lp=lp)
found = db.search("{}", scope=ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"], controls=["sd_flags:1:4"])
sd = ndr_unpack(security.descriptor, found[0]["nTSecurityDescriptor"][0])
for ace in list(sd.dacl.aces):
    if str(ace.trustee) == "S-1-5-11":
        sd.dacl_del(ace.trustee)
change = ldb.Message(found[0].dn)
change["sd"] = ldb.MessageElement(ndr_pack(sd), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
db.modify(change, controls=["sd_flags:1:4"])
"#,
        gpo.dn
    );
    inside_with("dst", &["python3", "-"], &script);
    let faults = gpo.faults();
    assert!(
        faults.contains(&("warning".to_owned(), "no-read-for-computers".to_owned())),
        "{faults:?}"
    );
    // The folder on SYSVOL still grants what the container does not.
    assert!(
        faults.contains(&("warning".to_owned(), "descriptor-differs".to_owned())),
        "{faults:?}"
    );
}

#[test]
#[ignore = "needs the lab"]
fn orphans_are_found() {
    let gpo = Gpo::new("Orphans");
    let nowhere = "{11111111-2222-3333-4444-555555555555}";
    let policies = "cn=policies,cn=system";
    let link = [
        format!("cn={nowhere},{policies},DC=dst,DC=test"),
        format!("evil.example/cn={},{policies},DC=dst,DC=test", gpo.guid),
        format!("cn={},{policies},DC=evil,DC=example", gpo.guid),
        "CN=Users,DC=dst,DC=test".to_owned(),
        format!("cn={},{policies},DC=dst,DC=test", gpo.guid),
    ]
    .map(|dn| format!("[LDAP://{dn};0]"))
    .concat();
    let ou = format!("OU={},DC=dst,DC=test", fresh("Orphans"));
    inside("dst", &["samba-tool", "ou", "create", &ou]);
    ldbmodify(
        "dst",
        &format!("dn: {ou}\nchangetype: modify\nadd: gPLink\ngPLink: {link}[odd]\n"),
    );
    let (folder, copy) = (format!("../{nowhere}"), format!("../{nowhere}_NTFRS_0001"));
    gpo.shell(&format!("mkdir -p '{folder}/Machine' '{copy}'"));
    let said = gpoctl(&["check", "--all", "--domain", "dst.test", "--json"]);
    gpo.shell(&format!("rmdir '{folder}/Machine' '{folder}' '{copy}'"));
    // The link to nothing is removed as its hint says; the other links are unchanged.
    assert!(
        said.stdout
            .contains(&format!("gpoctl link remove '{nowhere}' --target ")),
        "{}",
        said.stdout
    );
    let remove = ["link", "remove", nowhere, "--target", &ou];
    write("dst.test", &remove).json();
    let links = gpoctl(&["link", "list", &ou, "--domain", "dst.test", "--json"]).json();
    let links = links.to_string();
    assert!(!links.contains(nowhere), "{links}");
    assert!(links.contains("evil.example/cn="), "{links}");
    assert_eq!(write("dst.test", &remove).status, 1);
    inside("dst", &["samba-tool", "ou", "delete", &ou]);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    let mut codes: Vec<String> = faults(&report).into_iter().map(|(_, code)| code).collect();
    codes.sort();
    assert_eq!(
        codes,
        [
            "dangling-link",
            "folder-without-gpo",
            "link-to-foreign-domain",
            "link-to-no-gpo",
            "link-to-server",
            "odd-policy-folder",
            "unknown-link"
        ]
    );
    // A client reads another folder.
    assert_eq!(said.status, 1);
    let messages = report["messages"].as_array().unwrap();
    let of_links = messages
        .iter()
        .filter(|message| message["code"].as_str().unwrap().contains("link"));
    for message in of_links {
        assert_eq!(message["place"]["file"], ou, "{message}");
        assert_eq!(message["place"]["key"], "gPLink", "{message}");
    }
}

#[test]
#[ignore = "needs the lab"]
fn fix_repairs_what_is_safe() {
    let gpo = Gpo::new("Mended");
    let machine = gpo.attribute("gPCMachineExtensionNames");
    let user = gpo.attribute("gPCUserExtensionNames");
    let version: u32 = gpo.attribute("versionNumber").parse().unwrap();
    let ini = || String::from_utf8(sysvol_file("dst", &gpo.guid, "GPT.INI")).unwrap();

    // Everything at once: GPT.INI with a lower version and an additional line; lists reversed and in lower case; permissions.
    gpo.shell("printf '[General]\\r\\ndisplayName=New Group Policy Object\\r\\nVersion=1\\r\\n' > GPT.INI");
    let mut blocks: Vec<&str> = machine.split_inclusive(']').collect();
    blocks.reverse();
    gpo.replace("gPCMachineExtensionNames", &blocks.concat());
    gpo.replace("gPCUserExtensionNames", &user.to_lowercase());
    let sddl = "O:BAG:BAD:P(A;;FA;;;BA)";
    let file = format!("{}/Machine/Registry.pol", gpo.folder);
    inside(
        "dst",
        &["samba-tool", "ntacl", "set", "--use-s3fs", sddl, &file],
    );
    gpo.shell("mkdir -p User/by-hand; echo x > User/by-hand/file.txt");
    let mut codes: Vec<String> = gpo.faults().into_iter().map(|(_, code)| code).collect();
    codes.sort();
    assert_eq!(
        codes,
        [
            "descriptor-differs",
            "extensions-case",
            "extensions-order",
            "version-mismatch"
        ]
    );

    let before = gpo.attribute("whenChanged");
    let (status, plan) = gpo.check(&["--fix", "--dry-run"]);
    assert_eq!(status, 4);
    assert_eq!(
        plan["plan"]["steps"].as_array().unwrap().len(),
        4,
        "{plan:#}"
    );
    assert_eq!(gpo.check(&["--fix"]).0, 2);
    assert_eq!(gpo.attribute("whenChanged"), before);
    assert!(ini().contains("Version=1\r\n"));

    let (status, done) = gpo.check(&["--fix", "--yes"]);
    assert_eq!(
        (status, &done["status"]),
        (0, &Value::from("done")),
        "{done:#}"
    );
    assert_eq!(gpo.faults(), []);
    assert_eq!(
        ini(),
        format!("[General]\r\ndisplayName=New Group Policy Object\r\nVersion={version}\r\n")
    );
    assert_eq!(gpo.attribute("gPCMachineExtensionNames"), machine);
    assert_eq!(gpo.attribute("gPCUserExtensionNames"), user);
    assert_eq!(gpo.attribute("versionNumber"), version.to_string());
    assert_samba_checks_pass("dst");
    let journal = scratch()
        .join("state/gpoctl/operations")
        .join(done["operation_id"].as_str().unwrap())
        .join("journal.jsonl");
    let journal = std::fs::read_to_string(journal).unwrap();
    assert_eq!(journal.matches("\"event\":\"change\"").count(), 4);
    assert!(
        journal.trim_end().ends_with("{\"event\":\"finished\"}"),
        "{journal}"
    );

    // GPT.INI with a higher version: the directory gets it. GPT.INI missing: it is recreated. All GPOs at once.
    gpo.shell(&format!(
        "printf '[General]\\r\\nVersion={}\\r\\n' > GPT.INI",
        version + 1
    ));
    let all = [
        "check", "--all", "--fix", "--yes", "--domain", "dst.test", "--json",
    ];
    assert_eq!(
        gpoctl(&all).json()["plan"]["steps"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(gpo.attribute("versionNumber"), (version + 1).to_string());
    gpo.shell("rm GPT.INI");
    assert_eq!(gpo.check(&["--fix", "--yes"]).0, 0);
    assert_eq!(ini(), format!("[General]\r\nVersion={}\r\n", version + 1));
    assert_samba_checks_pass("dst");
    assert_eq!(gpoctl(&all).json()["plan"]["steps"], serde_json::json!([]));

    // What is not safe to repair is left, and the exit status shows it.
    let path = gpo.attribute("gPCFileSysPath");
    gpo.replace("gPCFileSysPath", r"\\evil.test\sysvol\x");
    gpo.replace("versionNumber", "1");
    let (status, left) = gpo.check(&["--fix", "--yes"]);
    assert_eq!(
        (status, &left["plan"]["steps"]),
        (1, &serde_json::json!([]))
    );
    gpo.replace("gPCFileSysPath", &path);
    gpo.replace("versionNumber", &(version + 1).to_string());
}

#[test]
#[ignore = "needs the lab"]
fn a_fix_that_is_refused_changes_nothing() {
    let gpo = Gpo::new("Not mended");
    let machine = gpo.attribute("gPCMachineExtensionNames");
    let mut blocks: Vec<&str> = machine.split_inclusive(']').collect();
    blocks.reverse();
    gpo.replace("gPCMachineExtensionNames", &blocks.concat());
    gpo.replace("versionNumber", "1");
    let before = state("dst");
    // An account that may only read.
    let (status, said) = gpo.check(&[&["--fix", "--yes"][..], &editor("dst")].concat());
    assert_eq!(
        (status, &said["status"]),
        (1, &Value::from("failed")),
        "{said:#}"
    );
    assert_eq!(said["error"]["kind"], "denied", "{said:#}");
    assert_same(&before, &state("dst"));
    gpo.replace("gPCMachineExtensionNames", &machine);
}
