//! The codes of messages: each is used, and none is written as text where the enum belongs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gpoctl::message::{Code, Severity};

/// The sources of the library, but for the table of the codes itself and files of tests.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.retain(|(path, _)| !path.starts_with(root.join("message")));
    assert!(found.len() > 250, "{}", found.len());
    found.sort();
    found
}

/// The part of a file that is not a test of its own: everything before the first test module with a body.
pub(crate) fn without_tests(path: &Path, text: &str) -> String {
    let of_tests = |part: &std::ffi::OsStr| {
        let part = part.to_string_lossy();
        part.trim_end_matches(".rs").ends_with("tests")
    };
    if path.iter().any(of_tests) {
        return String::new();
    }
    text.split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// How often each code is used in a text.
fn count(text: &str, uses: &mut BTreeMap<String, usize>) {
    for rest in text.split("Code::").skip(1) {
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect();
        *uses.entry(name).or_default() += 1;
    }
}

#[test]
fn every_code_is_used() {
    let mut uses = BTreeMap::new();
    for (path, text) in sources() {
        count(&without_tests(&path, &text), &mut uses);
    }
    let unused: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| !uses.contains_key(&format!("{code:?}")))
        .map(|code| code.name())
        .collect();
    assert!(unused.is_empty(), "no message has the codes {unused:?}");
}

/// String literals that are the name of a code, and mean something else.
const OTHER_MEANINGS: &[(&str, &str)] = &[
    // A state of a journal.
    ("execute/journal/stored.rs", "left-over"),
    ("execute/journal/stored/tests.rs", "left-over"),
    // The attribute of an XML declaration, and a key of JSON.
    ("formats/migtable.rs", "encoding"),
    ("formats/xml_tree/decode.rs", "encoding"),
    ("cli/migtable/show.rs", "encoding"),
    // A field of the side file of a backup.
    ("backup/side_file.rs", "unread"),
    // The form of a code in a file, and the output that a test looks for.
    ("message.rs", "unused-row"),
    (
        "migration/map/toy_format_tests/principals.rs",
        "destination-type",
    ),
];

#[test]
fn no_code_is_a_string_literal() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for (path, text) in sources() {
        let file = path.strip_prefix(&root).unwrap().display().to_string();
        for (number, line) in text.lines().enumerate() {
            for literal in line.split('"').skip(1).step_by(2) {
                let other = OTHER_MEANINGS.contains(&(&file, literal));
                if Code::from_name(literal).is_some() && !other {
                    found.push(format!("{file}:{}: {literal}", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "write the codes as Code: {found:#?}");
}

/// A message is made with a code of the enum, and a code is never compared with text: the type does not allow either, so this
/// looks for the ways around it.
#[test]
fn nothing_compares_the_name_of_a_code() {
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            let compares = line.contains("code.name() ==")
                || line.contains("code.name() !=")
                || line.contains("code.to_string() ==");
            assert!(!compares, "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

/// `gpoctl help codes` names the severities of each code: a message with another one would make it wrong.
#[test]
fn messages_have_a_severity_of_their_code() {
    let mut found = 0;
    for (path, text) in sources() {
        for severity in [Severity::Info, Severity::Warning, Severity::Error] {
            let call = format!("StatusMessage::{}(", severity.word());
            for rest in text.split(&call).skip(1) {
                let Some(rest) = rest.trim_start().strip_prefix("Code::") else {
                    continue;
                };
                let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next();
                let mut all = Code::ALL.iter();
                let code = all.find(|code| Some(&*format!("{code:?}")) == name);
                let code = code.unwrap_or_else(|| panic!("{}: {name:?}", path.display()));
                assert!(
                    code.severities().contains(&severity),
                    "{}: {code} as {severity:?}",
                    path.display()
                );
                found += 1;
            }
        }
    }
    assert!(found > 120, "{found}");
}
