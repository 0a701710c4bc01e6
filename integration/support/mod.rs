//! Shared by the suites: gpoctl as a process, and Samba's own tools as judges of what it did.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::allow_attributes,
    reason = "not every target uses all of the support"
)]

pub mod backup_schema;
pub mod client_view;
mod compare;
pub mod conformance;
mod container;
pub mod corpus_gpos;
mod encoded;
mod files;
pub mod interrupted;
mod judges;
mod moments;
mod open_file;
mod relay;
mod running;
mod samba;
mod state_reader;
mod tables;

pub use compare::*;
pub use container::*;
pub use corpus_gpos::root as corpus;
pub use encoded::*;
pub use files::*;
pub use judges::*;
pub use moments::*;
pub use open_file::*;
pub use relay::*;
pub use running::*;
pub use samba::*;
pub use state_reader::*;
pub use tables::*;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Held by every test that changes a domain: other tests compare the domain before and after, and Samba's checks read all of it
/// and would report a half-written file.
pub static DOMAIN: Mutex<()> = Mutex::new(());

/// A temporary folder of this process; journals are below it too.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<tempfile::TempDir> = OnceLock::new();
    SCRATCH
        .get_or_init(|| tempfile::TempDir::new().unwrap())
        .path()
}

/// Exit status and output of a command.
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
    /// The JSON on standard output; panics unless the exit status is 0.
    pub fn json(self) -> Value {
        assert_eq!(self.status, 0, "{}{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// gpoctl with these arguments. The environment of the lab gives it the profiles of both domains.
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

/// Runs `samba-testenv/judge` for `src` or `dst` and returns its output.
pub fn judge(side: &str, arguments: &[&str]) -> Vec<u8> {
    judge_of(side, arguments, &[])
}

/// The same, with these bytes as its standard input.
pub fn judge_of(side: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let said = judgement(side, arguments, input);
    assert_eq!(
        said.status,
        0,
        "judge {side} {arguments:?}: {}{}",
        String::from_utf8_lossy(&said.stdout),
        said.stderr
    );
    said.stdout
}

/// Asserts that sysvolcheck, aclcheck, listall, show-all and dbcheck find nothing.
pub fn assert_samba_checks_pass(side: &str) {
    let said = String::from_utf8(judge(side, &["all"])).unwrap();
    assert_eq!(said.matches(": ok").count(), 5, "{said}");
}

/// A display name that no earlier run has used.
pub fn fresh(name: &str) -> String {
    let run = scratch().file_name().unwrap().to_str().unwrap();
    format!("{name} {run}")
}

/// Everything about the GPOs of a domain that Samba's own libraries read, with the bytes of each GPT.INI in base64.
pub fn state(side: &str) -> Value {
    serde_json::from_slice(&judge(side, &["state"])).unwrap()
}

/// The only GPO with this display name.
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

/// The first value of an attribute, or an empty string.
pub fn attribute<'a>(gpo: &'a Value, name: &str) -> &'a str {
    gpo["attributes"][name][0].as_str().unwrap_or_default()
}

/// SHA-256 of every file of a GPO on SYSVOL except GPT.INI, by path in lower case.
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

/// SHA-256 of every file of a local folder, by path in lower case.
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

/// The bytes of a file on SYSVOL, read in the domain controller.
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

/// Backs up GPOs of a domain of the lab and returns the folder of each backup by display name.
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

/// The folder of the safety backup in the journal of an operation.
pub fn kept_backup(result: &Value) -> String {
    let operation = result["operation_id"].as_str().unwrap();
    let operations = scratch().join("state/gpoctl/operations");
    let kept = operations.join(operation).join("before");
    kept.to_str().unwrap().to_owned()
}

/// Waits until no other test changes a domain.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    DOMAIN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a writing command in a domain without confirmation.
pub fn write(domain: &str, arguments: &[&str]) -> Said {
    let mut all = arguments.to_vec();
    all.extend(["--domain", domain, "--yes", "--json"]);
    gpoctl(&all)
}

/// Runs a writing command in a domain with `--dry-run`.
pub fn dry(domain: &str, arguments: &[&str]) -> Said {
    gpoctl(&[arguments, &["--domain", domain, "--dry-run", "--json"]].concat())
}

/// Saves the plan of a writing command.
pub fn save_plan(domain: &str, arguments: &[&str], file: &str) {
    let options = ["--domain", domain, "--plan-out", file, "--json"];
    gpoctl(&[arguments, &options].concat()).json();
}

/// The user and computer version in `versionNumber`; asserts that GPT.INI has the same.
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

/// A home folder with these lines in its smb.conf. libsmbclient stores the addresses of names beyond the process, for all of the machine;
/// with this home, it does so in the folder, and does not find the controller of the same name in another lab.
pub fn home_of_libsmbclient(lines: &str) -> PathBuf {
    let home = tempfile::tempdir_in(scratch()).unwrap().keep();
    let at = home.display();
    let own = format!("lock directory = {at}\ncache directory = {at}\nstate directory = {at}");
    std::fs::create_dir(home.join(".smb")).unwrap();
    std::fs::write(
        home.join(".smb/smb.conf"),
        format!("[global]\n{own}\n{lines}\n"),
    )
    .unwrap();
    home
}

/// The same command with this text in /etc/hosts, in a mount namespace of its own, and a home folder in which libsmbclient stores what
/// it finds there.
pub fn with_hosts(command: &Command, text: &str) -> Command {
    let hosts = tempfile::Builder::new().tempfile_in(scratch()).unwrap();
    let (_, hosts) = hosts.keep().unwrap();
    std::fs::write(&hosts, text).unwrap();
    let mut inside = Command::new("unshare");
    inside
        .args(["--map-root-user", "--mount", "sh", "-c"])
        .arg("mount --bind \"$0\" /etc/hosts || exit 77; exec \"$@\"")
        .arg(hosts)
        .arg(command.get_program())
        .args(command.get_args());
    inside.env("HOME", home_of_libsmbclient(""));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => inside.env(name, value),
            None => inside.env_remove(name),
        };
    }
    inside
}

/// Sends a signal, named as in kill(1), to a running process.
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

/// Adds many files to a backup, so that staging takes long enough to be interrupted.
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
    without_hashes(Path::new(backup));
}

/// Removes the hashes from an edited backup, as if another program had written it; the edit would contradict them.
pub fn without_hashes(backup: &Path) {
    std::fs::remove_file(backup.join("gpoctl.json")).unwrap();
}

/// GptTmpl.inf of the seed "Everything" names one member by name. A mapping writes SIDs, so after a copy there and back that
/// member is a SID. Asserts that nothing else in the file differs and returns its path.
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

/// Copies a seed of SRC.TEST into either domain, with its WMI filter or the one of the same name, and returns the GUID.
/// `more` are options of `gpoctl copy`.
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
