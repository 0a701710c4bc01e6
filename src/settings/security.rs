//! GptTmpl.inf: security settings, with the names and units of the editor [MS-GPSB 2.2].

mod account;
mod options;
pub(super) mod permissions;
mod rights;

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use bytes::Bytes;

use super::{Data, Extension, File, New, Principal, Value, registry};
use crate::formats::gpt_tmpl::{self, GptTmpl, Membership, Setting};
use crate::formats::ini::{self, IniLine, LineKind};
use crate::model::reference::Place;
use crate::model::registry_secrets;
use crate::model::shared_text::SharedText;
use permissions::Object;

/// How the value of a setting is read.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// 0 or 1.
    Flag,
    /// A number with this unit.
    Number(&'static str),
    /// A number with this unit, and one number with a meaning of its own.
    NumberOr(&'static str, i64, &'static str),
    /// One of these numbers.
    Choice(&'static [(i64, &'static str)]),
    /// Bits, each with its name.
    Bits(&'static [(u32, &'static str)]),
    /// Text.
    Text,
    /// A security descriptor as text.
    Sddl,
}

/// Decodes the lines in order. The header of the file, `[Unicode]` and `[Version]`, sets nothing.
pub(super) fn decode(file: &mut File<'_>, content: &Bytes) -> Result<(), String> {
    let template = GptTmpl::parse(content).map_err(|error| error.to_string())?;
    let mut known = HashSet::new();
    for (line, setting) in template.settings() {
        known.insert(line.number);
        if is_header(&line) {
            continue;
        }
        let new = new(&line, &setting, file);
        file.push(new);
        if file.is_full {
            return Ok(());
        }
    }
    for line in template.ini.lines() {
        let sets_nothing = matches!(
            line.kind,
            LineKind::Section(_) | LineKind::Comment | LineKind::Blank
        );
        if !sets_nothing && !known.contains(&line.number) && !is_header(&line) {
            let new = unknown(&line, line.text, "", file);
            file.push(new);
            if file.is_full {
                break;
            }
        }
    }
    Ok(())
}

fn is_header(line: &IniLine<'_>) -> bool {
    line.is_in("Unicode") || line.is_in("Version")
}

fn new(line: &IniLine<'_>, setting: &Setting<'_>, file: &File<'_>) -> New {
    let text = |span: &Range<usize>| line.text.get(span.clone()).unwrap_or_default();
    match setting {
        Setting::PrivilegeRight { right, members } => New {
            values: vec![Value::of(principals(line, members, file))],
            ..entry(
                line,
                "Local Policies/User Rights Assignment",
                rights::name(right).unwrap_or(right),
                right,
                file,
            )
        },
        Setting::GroupMembership {
            group,
            side,
            members,
        } => {
            let whose = Principal::listed(text(group), file.names);
            let side = match side {
                Membership::Members => "members",
                Membership::MemberOf => "member of",
            };
            New {
                values: vec![Value::of(principals(line, members, file))],
                ..entry(
                    line,
                    "Restricted Groups",
                    &format!("{whose}: {side}"),
                    &format!("{} {side}", text(group)),
                    file,
                )
            }
        }
        Setting::Secured { name, mode, sddl } => {
            secured(line, text(name), text(mode), text(sddl), file)
        }
        Setting::RegistryValue {
            path,
            value_type,
            data,
        } => option(line, path, *value_type, text(data), file),
        Setting::Other { key, value } => other(line, key, value, file),
    }
}

/// A setting of a line, without its values.
fn entry(
    line: &IniLine<'_>,
    category: &'static str,
    name: &str,
    key: &str,
    file: &File<'_>,
) -> New {
    let section = line.section.unwrap_or_default();
    New {
        extension: Extension::Security,
        category: category.into(),
        name: name.into(),
        id: format!("[{section}] {key}").to_lowercase().into(),
        place: Place::file(&file.path)
            .section(section)
            .key(key)
            .line(line.number),
        raw: line.text.to_owned(),
        ..New::default()
    }
}

/// A line that no section of the editor describes.
fn unknown(line: &IniLine<'_>, key: &str, value: &str, file: &File<'_>) -> New {
    New {
        category: SharedText::from(format!("[{}]", line.section.unwrap_or_default())),
        values: match value {
            "" => Vec::new(),
            value => vec![Value::of(Data::Text(value.to_owned()))],
        },
        ..entry(line, "", key, key, file)
    }
}

fn principals(line: &IniLine<'_>, members: &Range<usize>, file: &File<'_>) -> Data {
    let spans = ini::list_items(line.text, members.clone(), ',');
    let items = spans.into_iter().filter_map(|span| line.text.get(span));
    let mut found = BTreeSet::new();
    for item in items {
        found.insert(Principal::listed(item, file.names));
        // More than the file may have: it is full with this setting.
        if found.len() > file.room / size_of::<Principal>() {
            break;
        }
    }
    Data::Principals(found.into_iter().collect())
}

/// A service, a folder or file, or a registry key, with its permissions [MS-GPSB 2.2.7 to 2.2.9].
fn secured(line: &IniLine<'_>, name: &str, mode: &str, sddl: &str, file: &File<'_>) -> New {
    let (category, object) = if line.is_in("Service General Setting") {
        ("System Services", Object::Service)
    } else if line.is_in("File Security") {
        ("File System", Object::File)
    } else {
        ("Registry", Object::RegistryKey)
    };
    let (what, word) = match (object, mode) {
        (Object::Service, "2") => ("startup", Some("automatic")),
        (Object::Service, "3") => ("startup", Some("manual")),
        (Object::Service, "4") => ("startup", Some("disabled")),
        (Object::Service, _) => ("startup", None),
        // The specification and measurements on Windows disagree about 1 and 2, so they are shown as they are.
        (_, "0") => ("mode", Some("propagate to child objects")),
        (_, _) => ("mode", None),
    };
    let word = word.map_or_else(
        || Data::Text(mode.to_owned()),
        |word| Data::Word(word.into()),
    );
    let mut values = vec![Value::named(what, word)];
    if !sddl.is_empty() {
        values.push(Value::named(
            "permissions",
            permissions::of(sddl, object, file.names),
        ));
    }
    New {
        values,
        ..entry(line, category, name, name, file)
    }
}

/// A line of `[Registry Values]`, most of which are the security options of the editor [MS-GPSB 2.2.5].
fn option(line: &IniLine<'_>, path: &str, value_type: u32, data: &str, file: &File<'_>) -> New {
    const NUMBER: u32 = 4;
    const LIST: u32 = 7;
    let known = options::find(path);
    let whole = data
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let plain = whole.unwrap_or(data);
    let value = match (known, value_type) {
        (_, LIST) => Value::of(Data::List(gpt_tmpl::strings(data))),
        (Some(option), _) => value(option.kind, plain, file),
        (None, NUMBER) => value(Kind::Number(""), plain, file),
        (None, _) => Value::of(Data::Text(plain.to_owned())),
    };
    if registry_secrets::is_secret(path, "") {
        let mut values = vec![value];
        registry::hide(&mut values);
        return New {
            values,
            raw: String::new(),
            ..entry(line, "Local Policies/Security Options", path, path, file)
        };
    }
    match known {
        Some(option) => New {
            values: vec![value],
            ..entry(line, option.category, option.name, path, file)
        },
        None => {
            let value_type = match value_type {
                1 => "REG_SZ".into(),
                2 => "REG_EXPAND_SZ".into(),
                3 => "REG_BINARY".into(),
                NUMBER => "REG_DWORD".into(),
                LIST => "REG_MULTI_SZ".into(),
                other => format!("type {other}").into(),
            };
            New {
                values: vec![Value {
                    value_type: Some(value_type),
                    ..value
                }],
                ..entry(line, "Local Policies/Security Options", path, path, file)
            }
        }
    }
}

/// A pair of `[System Access]`, `[Kerberos Policy]`, `[Event Audit]` or the sections of the logs [MS-GPSB 2.2.1 to 2.2.4].
fn other(line: &IniLine<'_>, key: &str, text: &str, file: &File<'_>) -> New {
    let section = line.section.unwrap_or_default();
    let Some(known) = account::find(section, key) else {
        return unknown(line, key, text, file);
    };
    let plain = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    New {
        values: vec![value(known.kind, plain, file)],
        ..entry(line, known.category, known.name, key, file)
    }
}

/// A value of a known kind; as text where it is not of that kind.
fn value(kind: Kind, text: &str, file: &File<'_>) -> Value {
    let word = |word: &'static str| Value::of(Data::Word(word.into()));
    let number: Option<i64> = ini::trim(text).parse().ok();
    match (kind, number) {
        (Kind::Text, _) => Value::of(Data::Text(text.to_owned())),
        (Kind::Sddl, _) => Value::of(permissions::of(text, Object::Service, file.names)),
        (_, None) => Value::of(Data::Text(text.to_owned())),
        (Kind::Flag, Some(0)) => Value::of(Data::Flag(false)),
        (Kind::Flag, Some(1)) => Value::of(Data::Flag(true)),
        (Kind::NumberOr(_, special, meaning), Some(number)) if number == special => word(meaning),
        (Kind::Number("") | Kind::Flag, Some(number)) => Value::of(Data::Number(number)),
        (Kind::Number(unit) | Kind::NumberOr(unit, ..), Some(number)) => {
            Value::of(Data::Number(number)).unit(unit)
        }
        (Kind::Choice(choices), Some(number)) => {
            match choices.iter().find(|(known, _)| *known == number) {
                Some((_, meaning)) => word(meaning),
                None => Value::of(Data::Number(number)),
            }
        }
        (Kind::Bits(names), Some(number)) => Value::of(bits(number, names)),
    }
}

/// The names of the bits of a number, with the rest of it in hexadecimal.
fn bits(number: i64, names: &[(u32, &str)]) -> Data {
    let Ok(mut rest) = u32::try_from(number) else {
        return Data::Number(number);
    };
    let mut set = Vec::new();
    for (bit, name) in names {
        if rest & bit == *bit {
            set.push((*name).to_owned());
            rest &= !bit;
        }
    }
    if rest != 0 {
        set.push(format!("0x{rest:x}"));
    }
    Data::Word(if set.is_empty() {
        "none".into()
    } else {
        set.join(", ").into()
    })
}
