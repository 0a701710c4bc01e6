//! Delegated editors, who may edit one GPO: what they may not do is detected before anything is written.

mod denied;
#[cfg(feature = "libsmbclient")]
mod libsmbclient;
mod lockout;
mod unreadable;

use std::path::Path;

use crate::support::*;
use serde_json::Value;

/// Edit settings, as GPMC delegates it.
const EDIT: &str = "CCDCLCRPWPLORC";
/// The same without creating and deleting objects below the GPO.
const WRITE: &str = "LCRPWPLORC";
/// The permissions of files and folders that Samba derives from that.
const EDIT_FILES: &str = "0x001201ff";
/// Modify, as Windows calls it: each file may be deleted, but nobody gets a right to delete in a folder.
const MODIFY_FILES: &str = "0x001301bf";

/// An account of DST.TEST that is not an administrator.
struct Account {
    name: &'static str,
    password: &'static str,
}

const EDITOR: Account = Account {
    name: "gpoedit",
    password: "gpoedit.password",
};
const SECOND: Account = Account {
    name: "dave",
    password: "users.password",
};

impl Account {
    /// The options that make gpoctl work as this account.
    fn options(&self) -> Vec<String> {
        let state = std::env::var("GPOCTL_LAB_STATE").unwrap();
        vec![
            "--user".to_owned(),
            format!("{}@DST.TEST", self.name),
            "--password-file".to_owned(),
            format!("{state}/dst/{}", self.password),
        ]
    }

    fn sid(&self) -> String {
        let found = inside("dst", &["wbinfo", "--name-to-sid", self.name]);
        found.split_whitespace().next().unwrap().to_owned()
    }

    fn imports(&self, backup: &Path, into: &str, more: &[&str]) -> Said {
        let options = self.options();
        let mut all: Vec<&str> = options.iter().map(String::as_str).collect();
        all.extend(more);
        import(backup, into, &all)
    }

    /// Deletes a GPO of an administrator, with these options.
    fn deletes(&self, gpo: &Gpo, more: &[&str]) -> Said {
        let options = self.options();
        let mut all = vec!["delete", gpo.guid.as_str()];
        all.extend(options.iter().map(String::as_str));
        all.extend(more);
        write("dst.test", &all)
    }

    /// Imports successfully and returns the codes of the messages.
    fn has_imported(&self, backup: &Path, into: &str) -> Vec<String> {
        let result = self.imports(backup, into, &["--yes"]).json();
        assert_eq!(result["status"], "done", "{result}");
        codes(&result)
    }

    /// Asserts that a command is refused with these words and without those, with and without `--dry-run`, and changes nothing.
    fn is_refused(&self, backup: &Path, into: &str, words: &[&str], others: &[&str]) {
        let before = state("dst");
        for how in ["--dry-run", "--yes"] {
            let said = self.imports(backup, into, &[how]);
            assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
            says(&said.stderr, words, others);
        }
        assert_same(&before, &state("dst"));
    }
}

fn says(text: &str, words: &[&str], others: &[&str]) {
    for word in words {
        assert!(text.contains(word), "\"{word}\" is not in: {text}");
    }
    for word in others {
        assert!(!text.contains(word), "\"{word}\" is in: {text}");
    }
}

/// Words of the two refusals.
const NOT_IN_DIRECTORY: &str = "in the directory it may not write flags, gPCMachineExtensionNames, gPCUserExtensionNames, versionNumber of CN={";
const NOT_ON_SYSVOL: &str =
    "on SYSVOL it may not create files and folders in \\\\dst.test\\SYSVOL\\dst.test\\Policies\\{";

/// A GPO that an administrator created; deleted at the end, even when the test failed.
struct Gpo {
    name: String,
    guid: String,
}

impl Gpo {
    fn new(name: &str, backup: &Path) -> Self {
        let name = fresh(name);
        import(backup, &name, &["--create", "--yes"]).json();
        let guid = guid_of(&gpo_named(&state("dst"), &name));
        Self { name, guid }
    }

    /// Grants the account these rights in the directory.
    fn delegate_in_directory(&self, account: &Account, rights: &str) {
        Self::grant(&self.dn(), &format!("(A;CI;{rights};;;{})", account.sid()));
    }

    /// Grants something on an object of the directory.
    fn grant(dn: &str, ace: &str) {
        let (object, ace) = (format!("--objectdn={dn}"), format!("--sddl={ace}"));
        samba_tool("dst", &["dsacl", "set", &object, &ace]);
    }

    fn dn(&self) -> String {
        format!("CN={},CN=Policies,CN=System,DC=dst,DC=test", self.guid)
    }

    /// Grants the account this access to every file and folder: first without object ACEs, then with them, or Samba leaves the
    /// POSIX ACL as it was.
    fn delegate_on_sysvol(&self, account: &Account, mask: &str) {
        let script = r#"
import os, sys
sys.path.insert(0, "/usr/local/lib/gpoctl-lab")
from samba.auth_util import system_session_unix
from samba.dcerpc import security
from samba.ntacls import getntacl, setntacl
from samba.param import LoadParm
from samba.samba3 import param as s3param, passdb
from samba.samdb import SamDB
from samba.auth import system_session
from seed_sysvol import everything_below, without_object_aces

guid, ace = sys.argv[1:]
lp = LoadParm()
lp.load_default()
sid = security.dom_sid(SamDB(session_info=system_session(), lp=lp).get_domain_sid())
session = system_session_unix()
config = s3param.get_context()
config.load(lp.configfile)
config.set("passdb backend", "samba_dsdb:/var/lib/samba/private/sam.ldb")
database = passdb.PDB(config.get("passdb backend"))
for path in everything_below(f"/var/lib/samba/sysvol/dst.test/Policies/{guid}"):
    wanted = getntacl(lp, path, session, direct_db_access=False, service="sysvol").as_sddl(sid) + ace
    for sddl in (without_object_aces(wanted, sid), wanted):
        setntacl(lp, path, sddl, str(sid), session, use_ntvfs=False, skip_invalid_chown=True, passdb=database, service="sysvol")
"#;
        let ace = format!("(A;OICI;{mask};;;{})", account.sid());
        inside("dst", &["python3", "-c", script, &self.guid, &ace]);
    }
}

impl Drop for Gpo {
    fn drop(&mut self) {
        let guid = self.guid.as_str();
        let said = gpoctl(&["delete", guid, "--domain", "dst.test", "--yes"]);
        assert_eq!(said.status, 0, "{}", said.stderr);
    }
}

/// Asserts that GPT.INI and versionNumber agree, and are this many imports higher than before.
fn went_up(before: &Value, after: &Value, imports: u32) {
    let version = |gpo: &Value| attribute(gpo, "versionNumber").parse::<u32>().unwrap();
    assert_eq!(version(after), version(before) + imports * 0x0001_0001);
    let ini = String::from_utf8(sysvol_file("dst", &guid_of(after), "GPT.INI")).unwrap();
    assert!(
        ini.contains(&format!("Version={}", version(after))),
        "{ini}"
    );
}

#[test]
#[ignore = "needs the lab"]
fn a_delegated_editor_imports_only_into_the_delegated_gpo() {
    let _alone = alone();
    let backups = back_up("src.test", &["Everything", "Desktop Registry"]);
    let own = back_up("dst.test", &["Target Filled"])["Target Filled"].clone();
    let before = gpo_named(&state("dst"), "Target Filled");

    let codes = EDITOR.has_imported(&backups["Everything"], "Target Filled");
    assert!(codes.contains(&"owners-not-set".to_owned()), "{codes:?}");
    let after = gpo_named(&state("dst"), "Target Filled");
    went_up(&before, &after, 1);
    assert_eq!(
        sysvol_files(&after),
        local_files(&backups["Everything"].join("DomainSysvol/GPO"))
    );
    assert_eq!(after["sddl"], before["sddl"]);
    assert_eq!(
        attribute(&after, "gPCWQLFilter"),
        attribute(&before, "gPCWQLFilter")
    );
    judge("dst", &["aclcheck"]);
    // The permissions are right everywhere. The only finding of sysvolcheck is that the editor is the owner.
    let files = after["sysvol"].as_array().unwrap();
    let permissions = |entry: &Value| {
        let sddl = entry["sddl"].as_str().unwrap();
        sddl.split_once("D:").unwrap().1.to_owned()
    };
    let his: Vec<&Value> = files
        .iter()
        .filter(|entry| {
            entry["sddl"]
                .as_str()
                .unwrap()
                .starts_with(&format!("O:{}G:", EDITOR.sid()))
        })
        .collect();
    assert_eq!(his.len(), files.len() - 1, "all but the folder of the GPO");
    for entry in files {
        assert_eq!(
            permissions(entry),
            permissions(&files[0]),
            "{}",
            entry["path"]
        );
    }
    let sysvolcheck = asked_inside("dst", &["samba-tool", "ntacl", "sysvolcheck"], "");
    assert_ne!(sysvolcheck.status, 0);
    assert!(
        sysvolcheck.stderr.contains(&guid_of(&after)),
        "{}",
        sysvolcheck.stderr
    );

    // Once more: his own files exist now.
    EDITOR.has_imported(&backups["Desktop Registry"], "Target Filled");
    let after = gpo_named(&state("dst"), "Target Filled");
    went_up(&before, &after, 2);
    assert_eq!(
        sysvol_files(&after),
        local_files(&backups["Desktop Registry"].join("DomainSysvol/GPO"))
    );

    // Somebody else's GPO, and a new one.
    let registry = &backups["Desktop Registry"];
    EDITOR.is_refused(
        registry,
        "Target Empty",
        &[NOT_IN_DIRECTORY, NOT_ON_SYSVOL, "nothing was changed"],
        &[],
    );

    // An administrator's import sets what he could not.
    import(&own, "Target Filled", &["--yes"]).json();
    assert_samba_checks_pass("dst");
}

/// What differs between the versions of Samba is whether the permissions have object entries; what the editor may do and what
/// an administrator finds does not.
#[test]
#[ignore = "needs the lab"]
fn what_an_editor_has_imported_is_repaired_by_an_administrator() {
    let _alone = alone();
    let backups = back_up("src.test", &["Everything", "Desktop Registry"]);
    let gpo = Gpo::new("Repaired", &backups["Desktop Registry"]);
    gpo.delegate_in_directory(&EDITOR, EDIT);
    gpo.delegate_on_sysvol(&EDITOR, EDIT_FILES);
    let codes = EDITOR.has_imported(&backups["Everything"], &gpo.name);
    assert!(codes.contains(&"owners-not-set".to_owned()), "{codes:?}");
    // The number in SDDL has leading zeros up to 4.22.
    let his_entry = format!("{};;;{}", EDIT_FILES.replace("0x00", "0x"), EDITOR.sid());
    let stores_object_entries = !refuses_object_entries();
    let sid = EDITOR.sid();
    let number = inside("dst", &["wbinfo", "--sid-to-uid", &sid]);
    let number = format!("\"{}\": 7", number.trim());
    let after = gpo_named(&state("dst"), &gpo.name);
    for entry in after["sysvol"].as_array().unwrap() {
        let (path, sddl) = (&entry["path"], entry["sddl"].as_str().unwrap());
        let (owner, dacl) = sddl.split_once("D:").unwrap();
        let is_folder = path == "";
        assert_eq!(owner.contains(&sid), !is_folder, "{path}: {sddl}");
        assert!(
            dacl.replace("0x00", "0x").contains(&his_entry),
            "{path}: {sddl}"
        );
        assert_eq!(
            dacl.contains("(OA;"),
            stores_object_entries,
            "{path}: {sddl}"
        );
        // The file system grants it too.
        let acl = granted(entry["posix_acl"].as_str().unwrap());
        assert!(acl.contains(&number), "{path}: {acl}");
    }
    is_repaired(&gpo.name);
    // The repair takes nothing from the editor.
    EDITOR.has_imported(&backups["Desktop Registry"], &gpo.name);
    is_repaired(&gpo.name);
    assert_samba_checks_pass("dst");
}

/// An administrator's check finds wrong permissions on SYSVOL and nothing worse, and repairs them at once.
fn is_repaired(name: &str) {
    let check = |status: i32| {
        let said = gpoctl(&["check", name, "--domain", "dst.test", "--json"]);
        assert_eq!(said.status, status, "{}{}", said.stdout, said.stderr);
        let report: Value = serde_json::from_str(&said.stdout).unwrap();
        codes(&report)
    };
    assert!(check(4).contains(&"descriptor-differs".to_owned()));
    let result = write("dst.test", &["check", name, "--fix"]).json();
    assert_eq!(result["status"], "done", "{result:#}");
    assert!(!check(0).contains(&"descriptor-differs".to_owned()));
    let again = write("dst.test", &["check", name, "--fix"]).json();
    assert_eq!(again["plan"]["steps"], serde_json::json!([]), "{again:#}");
}

/// Uses only permissions that gpoctl has set: those of the directory were copied, those of the files derived.
#[test]
#[ignore = "needs the lab"]
fn an_editor_whose_rights_were_copied_imports() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Everything"])["Everything"];
    let name = fresh("Copied rights");
    let options = [
        "--from",
        "src.test",
        "--preserve-acl",
        "--accept-permissions",
        "--yes",
        "--json",
    ];
    gpoctl(&[&["copy", "Everything", "--name", &name], &options[..]].concat()).json();
    let now = state("src");
    let (seed, copied) = (gpo_named(&now, "Everything"), gpo_named(&now, &name));
    // The file system grants the same as after Samba's own tool, and to the editor as well.
    let wanted = granted_below(&seed);
    assert_eq!(granted_below(&copied), wanted);
    let sid = inside("src", &["wbinfo", "--name-to-sid", "gpoedit"]);
    let sid = sid.split_whitespace().next().unwrap();
    let number = inside("src", &["wbinfo", "--sid-to-uid", sid]);
    let his = format!("\"{}\": 7", number.trim());
    for (path, acl) in &wanted {
        assert!(acl.contains(&his), "{path}: {acl}");
    }

    let imports = || {
        let mut all = vec!["import", backup.to_str().unwrap(), "--into", &name];
        all.extend(editor("src"));
        write("src.test", &all).json()
    };
    for _ in 0..2 {
        assert_eq!(imports()["status"], "done");
    }
    let after = gpo_named(&state("src"), &name);
    assert_eq!(version_of("src", &after), (3, 3));
    assert_eq!(sysvol_files(&after), sysvol_files(&seed));
    assert_eq!(after["sddl"], seed["sddl"]);
    write("src.test", &["delete", &name]).json();
    assert_samba_checks_pass("src");
}

/// What the file system grants on every file and folder of a GPO.
fn granted_below(gpo: &Value) -> Vec<(&str, String)> {
    gpo["sysvol"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let acl = entry["posix_acl"].as_str().unwrap();
            (entry["path"].as_str().unwrap(), granted(acl))
        })
        .collect()
}

#[test]
#[ignore = "needs the lab"]
fn a_right_on_one_half_only_is_detected_before_any_write() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Everything"])["Everything"];

    let directory_first = Gpo::new("Half in the directory", backup);
    let name = directory_first.name.as_str();
    EDITOR.is_refused(backup, name, &[NOT_IN_DIRECTORY, NOT_ON_SYSVOL], &[]);
    directory_first.delegate_in_directory(&EDITOR, EDIT);
    EDITOR.is_refused(
        backup,
        name,
        &[NOT_ON_SYSVOL, "only SYSVOL refuses it"],
        &["in the directory it"],
    );
    directory_first.delegate_on_sysvol(&EDITOR, MODIFY_FILES);
    EDITOR.is_refused(
        backup,
        name,
        &["on SYSVOL it may not rename or delete what is in"],
        &[NOT_ON_SYSVOL],
    );
    directory_first.delegate_on_sysvol(&EDITOR, EDIT_FILES);
    EDITOR.has_imported(backup, name);

    let sysvol_first = Gpo::new("Half on SYSVOL", backup);
    let name = sysvol_first.name.as_str();
    sysvol_first.delegate_on_sysvol(&EDITOR, EDIT_FILES);
    EDITOR.is_refused(
        backup,
        name,
        &[NOT_IN_DIRECTORY, "in the directory too"],
        &["on SYSVOL it"],
    );
    sysvol_first.delegate_in_directory(&EDITOR, EDIT);
    EDITOR.has_imported(backup, name);

    // A plan that an account with more rights made is checked again.
    let plan = scratch().join("others-plan.json");
    let plan = plan.to_str().unwrap();
    import(backup, "Target Empty", &["--plan-out", plan]).json();
    let before = state("dst");
    let options = EDITOR.options();
    let mut arguments = vec!["apply", plan, "--domain", "dst.test"];
    arguments.extend(options.iter().map(String::as_str));
    let said = gpoctl(&arguments);
    assert_eq!(said.status, 1, "{}", said.stdout);
    says(
        &said.stderr,
        &[NOT_IN_DIRECTORY, NOT_ON_SYSVOL, "nothing was changed"],
        &[],
    );
    assert_same(&before, &state("dst"));
}

#[test]
#[ignore = "needs the lab"]
fn two_editors_one_after_the_other() {
    let _alone = alone();
    let backups = back_up("src.test", &["Everything", "Odd Names", "Software"]);
    let gpo = Gpo::new("Two editors", &backups["Odd Names"]);
    for account in [&EDITOR, &SECOND] {
        gpo.delegate_in_directory(account, EDIT);
        gpo.delegate_on_sysvol(account, EDIT_FILES);
    }
    let before = gpo_named(&state("dst"), &gpo.name);
    let turns = [
        (&EDITOR, "Everything"),
        (&SECOND, "Odd Names"),
        (&EDITOR, "Software"),
        (&SECOND, "Software"),
        (&EDITOR, "Everything"),
    ];
    for (number, (account, name)) in (1..).zip(turns) {
        let codes = account.has_imported(&backups[name], &gpo.name);
        assert!(!codes.contains(&"left-over".to_owned()), "{codes:?}");
        let after = gpo_named(&state("dst"), &gpo.name);
        went_up(&before, &after, number);
        assert_eq!(
            sysvol_files(&after),
            local_files(&backups[name].join("DomainSysvol/GPO")),
            "{name}"
        );
    }
    for check in ["listall", "dbcheck"] {
        judge("dst", &[check]);
    }
    // They own what they wrote, which sysvolcheck reports. An administrator corrects it.
    let fix = ["check", gpo.guid.as_str(), "--fix"];
    write("dst.test", &fix).json();
    assert_samba_checks_pass("dst");
}

/// An entry in the DACL of an object of DST.TEST, as long as this is there.
struct Granted {
    dn: &'static str,
    before: String,
}

impl Granted {
    fn to(dn: &'static str, ace: &str) -> Self {
        let before = descriptor_of(dn);
        Gpo::grant(dn, ace);
        Self { dn, before }
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        let (dn, before) = (self.dn, &self.before);
        ldbmodify(
            "dst",
            &format!(
                "dn: {dn}\nchangetype: modify\nreplace: nTSecurityDescriptor\nnTSecurityDescriptor:: {before}\n\n"
            ),
        );
    }
}

/// `nTSecurityDescriptor` of an object of DST.TEST, in base64.
fn descriptor_of(dn: &str) -> String {
    let script = r#"
import base64, sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
lp = LoadParm()
lp.load_default()
database = SamDB(session_info=system_session(), lp=lp)
found = database.search(sys.argv[1], 0, attrs=["nTSecurityDescriptor"])
print(base64.b64encode(found[0]["nTSecurityDescriptor"][0]).decode())
"#;
    inside("dst", &["python3", "-c", script, dn])
        .trim()
        .to_owned()
}
