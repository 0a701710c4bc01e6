//! Samba's own tools inside the machines of the lab.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Said, judge};

/// Runs a command inside the domain controller of `src` or `dst`, or inside `member`, and returns what it printed.
pub fn inside(side: &str, command: &[&str]) -> String {
    inside_with(side, command, "")
}

/// The same, with this text on its standard input.
pub fn inside_with(side: &str, command: &[&str], input: &str) -> String {
    let said = asked_inside(side, command, input);
    assert_eq!(
        said.status, 0,
        "{command:?}: {}{}",
        said.stdout, said.stderr
    );
    said.stdout
}

/// A command inside one of these machines, with pipes for its standard input and output, not yet started.
pub fn command_inside(side: &str, command: &[&str]) -> Command {
    let variable = |name: &str| std::env::var(name).unwrap();
    let container = format!("GPOCTL_LAB_{}_CONTAINER", side.to_uppercase());
    let mut inside = Command::new(variable("GPOCTL_LAB_ENGINE"));
    inside
        .args(["exec", "-i"])
        .arg(variable(&container))
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    inside
}

/// Like [`inside_with`], for a command that may fail.
pub fn asked_inside(side: &str, command: &[&str], input: &str) -> Said {
    use std::io::Write as _;

    let mut child = command_inside(side, command)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap().into()
}

/// samba-tool in a domain controller, as Administrator.
pub fn samba_tool(side: &str, arguments: &[&str]) -> String {
    let password = "PASSWD_FILE=/lab-state/admin.password";
    let tool = ["env", password, "samba-tool"];
    inside(side, &[&tool, arguments, &["-U", "Administrator"]].concat())
}

/// Appends lines to GPT.INI of a GPO that gpoctl does not write, and keeps its permissions.
pub fn more_in_gpt_ini(side: &str, guid: &str) {
    let path = format!("/var/lib/samba/sysvol/{side}.test/Policies/{guid}/GPT.INI");
    let more = r"displayName=New Group Policy Object\r\n\r\n[Example]\r\nkept = yes\r\n";
    let script = format!("printf '{more}' >>'{path}'");
    inside(side, &["sh", "-c", &script]);
}

/// The directory database in a domain controller.
pub const DATABASE: &str = "/var/lib/samba/private/sam.ldb";

/// The connection options of the delegated editor of `src` or `dst`.
pub fn editor(side: &str) -> [&'static str; 4] {
    let variable = |name: &str| -> &'static str {
        let name = format!("GPOCTL_LAB_{}_EDITOR_{name}", side.to_uppercase());
        std::env::var(name).unwrap().leak()
    };
    let (user, password) = (variable("USER"), variable("PASSWORD_FILE"));
    ["--user", user, "--password-file", password]
}

/// Changes the directory of `src` or `dst` with `ldbmodify` in its domain controller.
pub fn ldbmodify(side: &str, ldif: &str) {
    inside_with(side, &["ldbmodify", "-H", DATABASE], ldif);
}

/// Adds entries to the DACL of an object, with Samba's tool in its domain controller.
pub fn add_aces(side: &str, dn: &str, aces: &str) {
    let (object, sddl) = (format!("--objectdn={dn}"), format!("--sddl={aces}"));
    inside(
        side,
        &["samba-tool", "dsacl", "set", "-H", DATABASE, &object, &sddl],
    );
}

/// Where these texts and SIDs occur in any byte of a GPO.
pub fn search(side: &str, guid: &str, needles: &[&str]) -> Value {
    let arguments: Vec<&str> = [&["search", guid][..], needles].concat();
    serde_json::from_slice(&judge(side, &arguments)).unwrap()
}
