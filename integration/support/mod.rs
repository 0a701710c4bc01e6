//! The lab and the command as a person uses them: gpoctl as a process, judges that are not gpoctl.

#![allow(
    dead_code,
    unused_imports,
    clippy::allow_attributes,
    reason = "not every target uses all of the support"
)]

pub mod backup_schema;
mod compare;
mod container;
pub mod corpus_gpos;
mod moments;
mod tables;

pub use compare::*;
pub use container::*;
pub use corpus_gpos::root as corpus;
pub use moments::*;
pub use tables::*;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Held by every case that changes a domain: others compare it before and after, and the judges look at all of it, where a
/// file that is just being written would not be as it should.
pub static DOMAIN: Mutex<()> = Mutex::new(());

/// A folder of this run's own; journals go below it too.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<tempfile::TempDir> = OnceLock::new();
    SCRATCH
        .get_or_init(|| tempfile::TempDir::new().unwrap())
        .path()
}

/// What a command said.
pub struct Said {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Said {
    /// The JSON on standard output of a command that did its work.
    pub fn json(self) -> Value {
        assert_eq!(self.status, 0, "{}{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// gpoctl with these arguments; the profiles of the lab are its configuration.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpoctl"));
    command
        .args(arguments)
        .env("XDG_STATE_HOME", scratch().join("state"));
    command
}

/// Runs gpoctl.
pub fn gpoctl(arguments: &[&str]) -> Said {
    command(arguments).output().unwrap().into()
}

/// Asks a judge of `src` or `dst`.
pub fn judge(side: &str, arguments: &[&str]) -> Vec<u8> {
    judge_of(side, arguments, tempfile::tempfile().unwrap())
}

/// Asks a judge about what it reads on its standard input.
pub fn judge_of(side: &str, arguments: &[&str], input: std::fs::File) -> Vec<u8> {
    let judge = std::env::var("GPOCTL_LAB_JUDGE").unwrap();
    let output = Command::new(judge)
        .arg(side)
        .args(arguments)
        .stdin(input)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "judge {side} {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// sysvolcheck, aclcheck, listall, show-all and dbcheck are content.
pub fn judges_are_content(side: &str) {
    let said = String::from_utf8(judge(side, &["all"])).unwrap();
    assert_eq!(said.matches(": ok").count(), 5, "{said}");
}

/// A display name that no run before this one used.
pub fn fresh(name: &str) -> String {
    let run = scratch().file_name().unwrap().to_str().unwrap();
    format!("{name} {run}")
}

/// Everything about the GPOs of a domain that Samba's own libraries read, with the bytes of each GPT.INI in base64.
pub fn state(side: &str) -> Value {
    serde_json::from_slice(&judge(side, &["state"])).unwrap()
}

/// The GPO of this display name.
pub fn gpo_named(state: &Value, name: &str) -> Value {
    let mut found = state["gpos"]
        .as_object()
        .unwrap()
        .values()
        .filter(|gpo| attribute(gpo, "displayName") == name);
    let gpo = found.next().unwrap_or_else(|| panic!("no GPO {name}"));
    assert!(found.next().is_none(), "several GPOs {name}");
    gpo.clone()
}

/// The GUID of a GPO, in braces.
pub fn guid_of(gpo: &Value) -> String {
    attribute(gpo, "cn").to_owned()
}

/// The first value of an attribute; empty when absent.
pub fn attribute<'a>(gpo: &'a Value, name: &str) -> &'a str {
    gpo["attributes"][name][0].as_str().unwrap_or_default()
}

/// SHA-256 of every file of a GPO on SYSVOL but GPT.INI, by its path in lower case.
pub fn sysvol_files(gpo: &Value) -> BTreeMap<String, String> {
    gpo["sysvol"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "file")
        .map(|entry| {
            let path = entry["path"].as_str().unwrap().to_lowercase();
            (path, entry["sha256"].as_str().unwrap().to_owned())
        })
        .filter(|(path, _)| path != "gpt.ini")
        .collect()
}

/// The same of a folder on the local disk.
pub fn local_files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            let hash = Sha256::digest(std::fs::read(&path).unwrap())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            files.insert(name.to_lowercase(), hash);
        }
    }
    files
}

/// A file on SYSVOL, as the judge reads it.
pub fn sysvol_file(side: &str, guid: &str, path: &str) -> Vec<u8> {
    judge(side, &["cat", &format!("{guid}/{path}")])
}

/// A UTF-16LE file on SYSVOL as text.
pub fn sysvol_text(side: &str, guid: &str, path: &str) -> String {
    let bytes = sysvol_file(side, guid, path);
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).unwrap()
}

/// Backs GPOs up from a domain of the lab, and gives the folder of each backup by display name.
pub fn back_up(domain: &str, names: &[&str]) -> BTreeMap<String, PathBuf> {
    let folder = tempfile::tempdir_in(scratch()).unwrap().keep();
    let mut arguments = vec!["backup", "--domain", domain, "--json", "--to"];
    arguments.push(folder.to_str().unwrap());
    arguments.extend(names);
    let result = gpoctl(&arguments).json();
    result["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|backup| {
            let name = backup["display_name"].as_str().unwrap().to_owned();
            (name, backup["path"].as_str().unwrap().into())
        })
        .collect()
}

/// The SID of a domain of the lab.
pub fn domain_sid(side: &str) -> String {
    state(side)["domain_sid"].as_str().unwrap().to_owned()
}

/// Imports a backup into a GPO of DST.TEST.
pub fn import(backup: &Path, into: &str, more: &[&str]) -> Said {
    let mut arguments = vec![
        "import",
        backup.to_str().unwrap(),
        "--into",
        into,
        "--domain",
        "dst.test",
        "--json",
    ];
    arguments.extend(more);
    gpoctl(&arguments)
}

/// The folder with the backup that an operation keeps in its journal.
pub fn kept_backup(result: &Value) -> String {
    let operation = result["operation_id"].as_str().unwrap();
    let operations = scratch().join("state/gpoctl/operations");
    let kept = operations.join(operation).join("before");
    kept.to_str().unwrap().to_owned()
}

/// One case at a time changes a domain.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    DOMAIN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A verb that writes, in a domain, without a question.
pub fn write(domain: &str, arguments: &[&str]) -> Said {
    let mut all = arguments.to_vec();
    all.extend(["--domain", domain, "--yes", "--json"]);
    gpoctl(&all)
}

/// What a verb that writes would do in a domain.
pub fn dry(domain: &str, arguments: &[&str]) -> Said {
    gpoctl(&[arguments, &["--domain", domain, "--dry-run", "--json"]].concat())
}

/// Saves the plan of a verb that writes.
pub fn save_plan(domain: &str, arguments: &[&str], file: &str) {
    let options = ["--domain", domain, "--plan-out", file, "--json"];
    gpoctl(&[arguments, &options].concat()).json();
}

/// `versionNumber` of a GPO: user, machine. The file says the same.
pub fn version_of(side: &str, gpo: &Value) -> (u32, u32) {
    let number: i32 = attribute(gpo, "versionNumber").parse().unwrap();
    let number = number.cast_unsigned();
    let ini = sysvol_file(side, &guid_of(gpo), "GPT.INI");
    let ini = String::from_utf8_lossy(&ini).into_owned();
    assert!(
        ini.lines()
            .any(|line| line.trim() == format!("Version={number}")),
        "{number}: {ini}"
    );
    (number >> 16, number & 0xffff)
}

/// The codes of the messages of a result.
pub fn codes(result: &Value) -> Vec<String> {
    result["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["code"].as_str().unwrap().to_owned())
        .collect()
}

/// Sends a process that runs a signal, as kill(1) names it.
pub fn send(child: &std::process::Child, signal: &str) {
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// A copy of a backup on the local disk.
pub fn backup_of_copy(backup: &str) -> String {
    let to = tempfile::tempdir_in(scratch()).unwrap().keep();
    let copied = Command::new("cp")
        .args(["-a", backup, to.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(copied.success());
    let name = Path::new(backup).file_name().unwrap();
    to.join(name).to_str().unwrap().to_owned()
}

/// Gives a backup many more files than it has, so that staging takes a while.
pub fn with_many_files(backup: &str, count: usize) {
    let xml_path = Path::new(backup).join("Backup.xml");
    let mut xml = std::fs::read_to_string(&xml_path).unwrap();
    let folder = Path::new(backup).join("DomainSysvol/GPO/Machine/Many");
    std::fs::create_dir_all(&folder).unwrap();
    let mut entries = String::new();
    for number in 0..count {
        let name = format!("f{number}.txt");
        std::fs::write(folder.join(&name), name.repeat(100)).unwrap();
        entries += &format!(
            "<FSObjectFile bkp:Path=\"%GPO_MACH_FSPATH%\\Many\\{name}\" bkp:Location=\"DomainSysvol\\GPO\\Machine\\Many\\{name}\"/>"
        );
    }
    let at = xml.rfind("</GroupPolicyExtension>").unwrap();
    xml.insert_str(at, &entries);
    std::fs::write(&xml_path, xml).unwrap();
}

/// The template of the seed "Everything" has one member by name. A mapping writes SIDs, which no client can misread, so there and
/// back that member is a SID; asserts that nothing else of the file differs, and gives its path.
pub fn only_a_name_became_a_sid(before: &Value, after: &Value) -> &'static str {
    let path = "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf";
    let ask = [
        "samba-tool",
        "user",
        "show",
        "bob",
        "--attributes=objectSid",
    ];
    let bob = inside("src", &ask);
    let sid = bob
        .lines()
        .find_map(|line| line.strip_prefix("objectSid: "));
    let [before, after] = [before, after].map(|gpo| sysvol_text("src", &guid_of(gpo), path));
    let by_name = r",SRC\bob";
    assert_eq!(before.matches(by_name).count(), 1);
    let expected = before.replace(by_name, &format!(",*{}", sid.unwrap()));
    assert_eq!(expected, after);
    path
}

/// A copy of a seed of SRC in either domain, with its WMI filter, or that of the same name; `more` are options of copy. Gives
/// its GUID.
pub fn copy_of_seed(seed: &str, side: &str, name: &str, more: &[&str]) -> String {
    let domain = format!("{side}.test");
    let mut arguments = vec!["copy", seed, "--from", "src.test", "--to", &domain];
    let table = both_ways("dst");
    if side == "dst" {
        arguments.extend(["--migration-table", table.to_str().unwrap()]);
    }
    arguments.extend(["--name", name, "--yes", "--json"]);
    let copied = gpoctl(&[&arguments, more].concat()).json();
    if side == "dst" && seed == "Everything" {
        write(&domain, &["wmi", "link", name, "Windows 10 and 11"]).json();
    }
    copied["gpo"]["guid"].as_str().unwrap().to_owned()
}
