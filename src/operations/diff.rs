//! Compares two GPOs setting by setting: of two domains, of a backup and the live GPO, or of two backups.

use std::collections::BTreeMap;

use similar::{ChangeTag, TextDiff};

use crate::formats::preferences::passwords::without_passwords;
use crate::formats::registry_pol::{Record, RegistryPol, ValueType};
use crate::formats::text;
use crate::model::digest::{hex, sha256};
use crate::model::directory_object::{AttributeValues, DirectoryAttribute, DirectoryObject};
use crate::model::gpt_tree::{GptTree, Node};
use crate::model::registry_secrets::{NOT_SHOWN, is_secret};
use crate::model::safe_name::RelPath;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::{SecurityDescriptor, control};
use crate::model::snapshot::GpoSnapshot;
use crate::plan::gpo::EntryChange;

/// Unchanged lines that are shown around a change.
const CONTEXT: usize = 2;

/// One attribute, file, folder or directory object that differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The attribute's name, the path below the GPO's folder, or the object's RDNs.
    pub name: String,
    /// How the second GPO differs from the first.
    pub change: EntryChange,
    /// The lines around each change; a gap between two of them is [`LineSign::Gap`].
    pub lines: Vec<Line>,
}

/// One line of a difference.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Line {
    /// Which side has it.
    pub sign: LineSign,
    /// The line, without its end.
    pub text: String,
}

/// Which side has a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LineSign {
    /// Only the first.
    Removed,
    /// Only the second.
    Added,
    /// Both.
    Same,
    /// Lines of both were left out.
    Gap,
}

/// All differences in settings and permissions. GUIDs, times and version numbers identify a GPO and are not compared.
pub fn diff(old: &GpoSnapshot, new: &GpoSnapshot) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, value) in attributes(old)
        .into_iter()
        .zip(attributes(new))
        .map(|((name, old), (_, new))| (name, (old, new)))
    {
        let (old, new) = value;
        found.extend(difference(name, lines(&old), lines(&new)));
    }
    files(&old.tree, &new.tree, &mut found);
    objects(&old.directory_objects, &new.directory_objects, &mut found);
    found
}

/// The attributes that are compared, with a line for each part; empty when absent.
fn attributes(gpo: &GpoSnapshot) -> [(&'static str, String); 6] {
    let status = match gpo.flags & 3 {
        0 => "enabled",
        1 => "user off",
        2 => "computer off",
        _ => "all off",
    };
    let filter = gpo.wmi_filter.as_ref().map(|filter| {
        let name = filter.name.as_deref().unwrap_or_default();
        format!("{name} {} of {}", filter.id, filter.domain)
    });
    let descriptor = SecurityDescriptor::parse(&gpo.security_descriptor)
        .map(|mut descriptor| {
            // A backup contains the DACL only.
            (descriptor.owner, descriptor.group, descriptor.sacl) = (None, None, None);
            // Its control bits, such as AI in GPMC's backups, record how the DACL was made, not what it grants.
            descriptor.control &= !(control::DACL_AUTO_INHERITED | control::DACL_AUTO_INHERIT_REQ);
            to_sddl(&descriptor)
        })
        .unwrap_or_default();
    [
        ("displayName", gpo.display_name.clone()),
        ("status", status.to_owned()),
        (
            "gPCMachineExtensionNames",
            by_part(gpo.machine_extensions.as_str(), "["),
        ),
        (
            "gPCUserExtensionNames",
            by_part(gpo.user_extensions.as_str(), "["),
        ),
        ("WMI filter", filter.unwrap_or_default()),
        ("DACL", by_part(&descriptor, "(")),
    ]
}

/// A line for each part that begins with `start`.
fn by_part(text: &str, start: &str) -> String {
    text.trim()
        .replace(start, &format!("\n{start}"))
        .trim_start()
        .to_owned()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn difference(name: &str, old: Vec<String>, new: Vec<String>) -> Option<Difference> {
    let change = match (old.is_empty(), new.is_empty()) {
        _ if old == new => return None,
        (true, _) => EntryChange::Added,
        (_, true) => EntryChange::Removed,
        _ => EntryChange::Changed,
    };
    let refs = |lines: &[String]| {
        lines
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let (old, new) = (refs(&old), refs(&new));
    let diff = TextDiff::from_lines(&old, &new);
    let mut shown = Vec::new();
    for group in diff.grouped_ops(CONTEXT) {
        if !shown.is_empty() {
            shown.push(Line {
                sign: LineSign::Gap,
                text: String::new(),
            });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => LineSign::Removed,
                ChangeTag::Insert => LineSign::Added,
                ChangeTag::Equal => LineSign::Same,
            };
            let text = change.value().trim_end_matches('\n').to_owned();
            shown.push(Line { sign, text });
        }
    }
    Some(Difference {
        name: name.to_owned(),
        change,
        lines: shown,
    })
}

fn files(old: &GptTree, new: &GptTree, found: &mut Vec<Difference>) {
    // Paths of files are not case-sensitive.
    let mut sides: BTreeMap<String, (&RelPath, Option<&Node>, Option<&Node>)> = BTreeMap::new();
    for (path, node) in old.entries() {
        sides.insert(path.folded(), (path, Some(node), None));
    }
    for (path, node) in new.entries() {
        sides.entry(path.folded()).or_insert((path, None, None)).2 = Some(node);
    }
    for (folded, (path, before, after)) in sides {
        let change = match (before, after) {
            (Some(one), Some(other)) if one == other => continue,
            (Some(_), Some(_)) => EntryChange::Changed,
            (None, _) => EntryChange::Added,
            (_, None) => EntryChange::Removed,
        };
        let lines =
            |node: Option<&Node>| node.map(|node| content(&folded, node)).unwrap_or_default();
        let name = path.to_string();
        let (before, after) = (lines(before), lines(after));
        found.push(match difference(&name, before, after) {
            Some(difference) => Difference {
                change,
                ..difference
            },
            // The bytes differ but the text does not: encoding, line ends, or a stored password, which is not shown.
            None if change == EntryChange::Changed => Difference {
                name,
                change,
                lines: vec![Line {
                    sign: LineSign::Same,
                    text: "the bytes differ, the text does not (encoding, line ends, or a stored password)".to_owned(),
                }],
            },
            None => Difference {
                name,
                change,
                lines: Vec::new(),
            },
        });
    }
}

/// A file as lines.
fn content(folded: &str, node: &Node) -> Vec<String> {
    let Node::File(bytes) = node else {
        return Vec::new();
    };
    if folded.ends_with("/registry.pol")
        && let Ok(pol) = RegistryPol::parse(bytes)
    {
        return pol.records.iter().map(setting).collect();
    }
    let decoded = if folded == "gpo.cmt" {
        text::decode_utf16le(bytes).ok()
    } else {
        text::decode(bytes).ok().map(|(_, text)| text)
    };
    let is_text = |text: &String| {
        !text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\r' | '\n' | '\t' | '\u{1a}' | '\u{c}'))
    };
    match decoded.filter(is_text) {
        Some(text) => lines(&without_passwords(&text))
            .into_iter()
            .map(without_registry_password)
            .collect(),
        None => vec![summary(bytes)],
    }
}

/// A line without the data of a registry value with a password, as `[Registry Values]` of GptTmpl.inf has them.
fn without_registry_password(line: String) -> String {
    match line.split_once('=') {
        Some((path, _)) if is_secret(path, "") => {
            format!("{path}={NOT_SHOWN}")
        }
        _ => line,
    }
}

/// A record of Registry.pol as one line.
fn setting(record: &Record) -> String {
    let (key, name) = (record.key_text(), record.value_name_text());
    let hidden = is_secret(&key, &name).then(|| NOT_SHOWN.to_owned());
    let name = if name.is_empty() { "(default)" } else { &name };
    let value = match record.value_type {
        _ if hidden.is_some() => hidden,
        ValueType::SZ | ValueType::EXPAND_SZ => record.string().map(|text| format!("{text:?}")),
        ValueType::MULTI_SZ => record.strings().map(|list| format!("{list:?}")),
        ValueType::DWORD => record.dword().map(|value| format!("{value} (0x{value:x})")),
        ValueType::QWORD => record.qword().map(|value| format!("{value} (0x{value:x})")),
        _ => None,
    };
    let value = value.unwrap_or_else(|| {
        let (shown, more) = match record.data.get(..64) {
            Some(first) if record.data.len() > 64 => (hex(first), "…"),
            _ => (hex(&record.data), ""),
        };
        format!("{shown}{more}, {} bytes", record.data.len())
    });
    format!("[{key}] {name} = {}: {value}", type_name(record.value_type))
}

fn type_name(value_type: ValueType) -> String {
    match value_type {
        ValueType::NONE => "REG_NONE",
        ValueType::SZ => "REG_SZ",
        ValueType::EXPAND_SZ => "REG_EXPAND_SZ",
        ValueType::BINARY => "REG_BINARY",
        ValueType::DWORD => "REG_DWORD",
        ValueType::DWORD_BIG_ENDIAN => "REG_DWORD_BIG_ENDIAN",
        ValueType::MULTI_SZ => "REG_MULTI_SZ",
        ValueType::QWORD => "REG_QWORD",
        ValueType(other) => return format!("type {other}"),
    }
    .to_owned()
}

fn objects(old: &[DirectoryObject], new: &[DirectoryObject], found: &mut Vec<Difference>) {
    let name = |object: &DirectoryObject| object.rdns.join(",");
    let mut names: Vec<String> = old.iter().chain(new).map(name).collect();
    names.sort();
    names.dedup();
    for one in names {
        let of = |objects: &[DirectoryObject]| {
            objects
                .iter()
                .find(|object| name(object) == one)
                .map(|object| object.attributes.iter().flat_map(attribute).collect())
                .unwrap_or_default()
        };
        found.extend(difference(&one, of(old), of(new)));
    }
}

/// An attribute: a line for each value.
fn attribute(attribute: &DirectoryAttribute) -> Vec<String> {
    let name = &attribute.name;
    let values = match &attribute.values {
        AttributeValues::String(text) | AttributeValues::ExpandedString(text) => {
            text.iter().cloned().collect()
        }
        AttributeValues::MultiString(texts) => texts.clone(),
        AttributeValues::Dword(number) => number.iter().map(u32::to_string).collect(),
        AttributeValues::MultiDword(numbers) => numbers.iter().map(u32::to_string).collect(),
        AttributeValues::Binary(values) => values
            .iter()
            .map(|value| summary(value))
            .collect::<Vec<_>>(),
    };
    values
        .iter()
        .map(|value| format!("{name} = {value}"))
        .collect()
}

/// The text shown for bytes that are not text.
fn summary(bytes: &[u8]) -> String {
    format!("{} bytes, SHA-256 {}", bytes.len(), sha256(bytes))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::formats::registry_pol::utf16_bytes;

    fn tree(files: &[(&str, &[u8])]) -> GptTree {
        let mut tree = GptTree::new();
        for (path, content) in files {
            tree.insert_file(&path.parse().unwrap(), Bytes::copy_from_slice(content));
        }
        tree
    }

    fn found(
        old: &[(&str, &[u8])],
        new: &[(&str, &[u8])],
    ) -> Vec<(String, EntryChange, Vec<String>)> {
        let mut found = Vec::new();
        files(&tree(old), &tree(new), &mut found);
        found
            .into_iter()
            .map(|one| {
                let lines = one.lines.into_iter().map(|line| match line.sign {
                    LineSign::Removed => format!("-{}", line.text),
                    LineSign::Added => format!("+{}", line.text),
                    LineSign::Same => format!(" {}", line.text),
                    LineSign::Gap => "…".to_owned(),
                });
                (one.name, one.change, lines.collect())
            })
            .collect()
    }

    #[test]
    fn lines_of_text_whatever_the_case_of_the_path() {
        let old = [("User/a.ini", b"[x]\r\na=1\r\nb=2\r\n".as_slice())];
        let new = [("USER/A.INI", b"[x]\r\na=1\r\nb=3\r\n".as_slice())];
        assert_eq!(
            found(&old, &new),
            [(
                "User\\a.ini".to_owned(),
                EntryChange::Changed,
                [" [x]", " a=1", "-b=2", "+b=3"].map(str::to_owned).to_vec()
            )]
        );
        assert!(found(&old, &old).is_empty());
    }

    #[test]
    fn other_bytes_are_a_difference_even_when_they_read_alike() {
        let found = found(&[("User/a.ini", b"a=1\r\n")], &[("User/a.ini", b"a=1\n")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].2[0].contains("line ends"), "{found:?}");
    }

    #[test]
    fn stored_passwords_are_not_shown() {
        let path = "Machine/Preferences/Groups/Groups.xml";
        let [one, two] = ["first", "second"].map(|password| {
            format!("<Groups>\n<User><Properties cpassword=\"{password}\"/></User>\n</Groups>")
        });
        let found = found(&[(path, one.as_bytes())], &[(path, two.as_bytes())]);
        assert!(found[0].2[0].contains("stored password"), "{found:?}");
        let found = self::found(&[], &[(path, two.as_bytes())]);
        let said = format!("{found:?}");
        assert!(
            said.contains("(not shown)") && !said.contains("second"),
            "{said}"
        );
    }

    #[test]
    fn passwords_of_the_registry_are_not_shown() {
        let policy = |data: &str| {
            let record = Record {
                key: utf16_bytes(r"Software\X\Winlogon"),
                value_name: utf16_bytes("DefaultPassword"),
                value_type: ValueType::SZ,
                data: utf16_bytes(&format!("{data}\0")),
            };
            let records = vec![record];
            RegistryPol { records }.to_bytes().to_vec()
        };
        let template = |data: &str| {
            format!("[Registry Values]\r\nMACHINE\\X\\DefaultPassword=1,\"{data}\"\r\n\"machine\\x\\ALTDEFAULTPASSWORD\" = 7,{data}\r\n")
                .into_bytes()
        };
        let item = |data: &str| {
            format!("<Registry><Properties value='{data}' name='DefaultPassword'/></Registry>")
                .into_bytes()
        };
        let passwords = ["first", "second"];
        let files = [
            (
                "Machine/Registry.pol",
                passwords.map(policy),
                &[r"+[Software\X\Winlogon] DefaultPassword = REG_SZ: (not shown)"][..],
            ),
            (
                "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf",
                passwords.map(template),
                &[
                    "+[Registry Values]",
                    r"+MACHINE\X\DefaultPassword=(not shown)",
                    "+\"machine\\x\\ALTDEFAULTPASSWORD\" =(not shown)",
                ],
            ),
            (
                "Machine/Preferences/Registry/Registry.xml",
                passwords.map(item),
                &["+<Registry><Properties value='(not shown)' name='DefaultPassword'/></Registry>"],
            ),
        ];
        for (path, [one, two], shown) in files {
            let added = found(&[], &[(path, &one)]);
            assert_eq!(added.last().unwrap().2, shown, "{path}");
            let changed = found(&[(path, &one)], &[(path, &two)]);
            assert_eq!(changed.len(), 1, "{path}");
            assert!(changed[0].2[0].contains("stored password"), "{changed:?}");
        }
    }

    #[test]
    fn registry_values_are_read() {
        let pol = |number: u8| {
            let mut bytes = b"PReg\x01\0\0\0".to_vec();
            for part in ["[", "K", "\0", ";", "V", "\0", ";"] {
                bytes.extend(part.encode_utf16().flat_map(u16::to_le_bytes));
            }
            bytes.extend([
                4, 0, 0, 0, b';', 0, 4, 0, 0, 0, b';', 0, number, 0, 0, 0, b']', 0,
            ]);
            bytes
        };
        let found = found(
            &[("Machine/Registry.pol", &pol(1))],
            &[("Machine/Registry.pol", &pol(2))],
        );
        assert_eq!(
            found[0].2,
            ["-[K] V = REG_DWORD: 1 (0x1)", "+[K] V = REG_DWORD: 2 (0x2)"]
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_summed_up() {
        let found = found(&[], &[("Machine/x.bin", &[0, 1, 2, 255])]);
        assert_eq!(found.last().unwrap().1, EntryChange::Added);
        assert!(found.last().unwrap().2[0].starts_with("+4 bytes, SHA-256 "));
    }
}
