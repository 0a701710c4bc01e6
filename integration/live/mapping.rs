//! How each row of a migration table changes the files of a GPO, between two domains that do not trust each other. The source is a
//! GPO of SRC.TEST with the content of the test, backed up by gpoctl; the result is read in the container of DST.TEST.

mod rows;
mod scale;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::*;
use serde_json::Value;

/// The path of GptTmpl.inf in a GPO.
const TEMPLATE: &str = "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf";
/// The path of fdeploy1.ini in a GPO.
const FDEPLOY: &str = "User/Documents & Settings/fdeploy1.ini";

/// The accounts of a domain, as Samba names them.
struct Accounts(BTreeMap<String, String>);

impl Accounts {
    /// The SID of an account.
    fn sid(&self, name: &str) -> &str {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("no account {name}"))
    }

    /// A text in which `{name}` stands for the SID of that account.
    fn text(&self, pattern: &str) -> String {
        let mut text = pattern.to_owned();
        for (name, sid) in &self.0 {
            text = text.replace(&format!("{{{name}}}"), sid);
        }
        text
    }
}

fn accounts(side: &str) -> &'static Accounts {
    static SRC: OnceLock<Accounts> = OnceLock::new();
    static DST: OnceLock<Accounts> = OnceLock::new();
    let cell = if side == "src" { &SRC } else { &DST };
    cell.get_or_init(|| Accounts(serde_json::from_slice(&judge(side, &["sids"])).unwrap()))
}

/// The header of every GptTmpl.inf.
const HEAD: &str =
    "[Unicode]\r\nUnicode=yes\r\n[Version]\r\nsignature=\"$CHICAGO$\"\r\nRevision=1\r\n";

/// A backup of a GPO of SRC.TEST with this content in one of its files: it is created in the domain and backed up from there,
/// so that its inventory is that of a real backup. The GPO's name is returned too.
fn saved(path: &str, text: &str) -> (PathBuf, String) {
    let seed = match path {
        FDEPLOY => "Redirected Folders",
        _ => "Workstation Security",
    };
    let backup = back_up("src.test", &[seed])[seed].clone();
    // Without its hashes it is a backup like GPMC's, which may be edited.
    std::fs::remove_file(backup.join("gpoctl.json")).unwrap();
    let file = find(&backup.join("DomainSysvol/GPO"), path);
    std::fs::write(file, utf16_with_mark(text)).unwrap();
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = fresh(&format!("Semantics {number}"));
    let said = gpoctl(&[
        "import",
        backup.to_str().unwrap(),
        "--into",
        &name,
        "--create",
        "--domain",
        "src.test",
        "--yes",
        "--json",
    ]);
    assert_eq!(said.json()["status"], "done");
    let backup = back_up("src.test", &[&name])[&name].clone();
    let kept = std::fs::read(find(&backup.join("DomainSysvol/GPO"), path)).unwrap();
    assert_eq!(
        kept,
        utf16_with_mark(text),
        "the source is not what the case says"
    );
    (backup, name)
}

/// A file below a folder, ignoring the case of its name.
fn find(folder: &Path, path: &str) -> PathBuf {
    path.split('/').fold(folder.to_owned(), |at, part| {
        std::fs::read_dir(&at)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|entry| {
                let name = entry.file_name().unwrap().to_str().unwrap();
                name.eq_ignore_ascii_case(part)
            })
            .unwrap_or_else(|| panic!("no {part} in {}", at.display()))
    })
}

/// The result of an import.
struct Done {
    /// The file, read in the container, without its byte order mark.
    text: String,
    /// The messages of the result.
    messages: Vec<Value>,
}

impl Done {
    /// The message of this code; fails when there is none, or several.
    fn message(&self, code: &str) -> &Value {
        one(&self.messages, code)
    }
}

fn one<'a>(messages: &'a [Value], code: &str) -> &'a Value {
    let found: Vec<&Value> = messages
        .iter()
        .filter(|message| message["code"] == code)
        .collect();
    assert_eq!(found.len(), 1, "{code}: {messages:#?}");
    found[0]
}

/// Copies a GPO of SRC.TEST into a new one of DST.TEST, with a table.
fn copied(source: &str, name: &str, table: &Path, more: &[&str]) -> Said {
    let mut arguments = vec!["copy", source, "--from", "src.test", "--to", "dst.test"];
    arguments.extend(["--name", name, "--yes", "--json", "--migration-table"]);
    arguments.push(table.to_str().unwrap());
    arguments.extend(more);
    gpoctl(&arguments)
}

/// Imports a file with this content into a new GPO of DST.TEST and reads it there. A copy of the GPO must have the same result.
fn imported(path: &str, text: &str, rows: &[(&str, &str, String)], more: &[&str]) -> Done {
    let (backup, source) = saved(path, text);
    let table = table(rows);
    let name = fresh(&format!(
        "Mapped {}",
        backup.file_name().unwrap().to_str().unwrap()
    ));
    let mut arguments = vec![
        "--create",
        "--yes",
        "--migration-table",
        table.to_str().unwrap(),
    ];
    arguments.extend(more);
    let result = import(&backup, &name, &arguments).json();
    assert_eq!(result["status"], "done");
    let written = |result: &Value| {
        sysvol_text("dst", result["gpo"]["guid"].as_str().unwrap(), path)
            .trim_start_matches('\u{feff}')
            .to_owned()
    };
    let text = written(&result);
    let copy = copied(&source, &format!("{name} copied"), &table, more).json();
    assert_eq!(written(&copy), text, "a copy is mapped as an import is");
    Done {
        text,
        messages: result["messages"].as_array().unwrap().clone(),
    }
}

/// An import, and a copy, that must fail before they write; returns the output of the import.
fn refused(path: &str, text: &str, rows: &[(&str, &str, String)], more: &[&str]) -> Value {
    let (backup, source) = saved(path, text);
    let table = table(rows);
    let before = state("dst");
    let mut arguments = vec!["--yes", "--migration-table", table.to_str().unwrap()];
    arguments.extend(more);
    let said = import(&backup, "Target Filled", &arguments);
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    let copy = copied(&source, &fresh("Refused"), &table, more);
    assert_eq!(copy.status, 1, "{}{}", copy.stdout, copy.stderr);
    assert_same(&before, &state("dst"));
    let (said, copy): (Value, Value) = (
        serde_json::from_str(&said.stdout).unwrap(),
        serde_json::from_str(&copy.stdout).unwrap(),
    );
    assert_eq!(said["error"], copy["error"]);
    said
}

/// The destination "none".
fn none() -> String {
    "<DestinationNone />".to_owned()
}

/// The destination "same as source".
fn same() -> String {
    "<DestinationSameAsSource />".to_owned()
}

/// The destination "by relative name".
fn relative() -> String {
    "<DestinationByRelativeName />".to_owned()
}
