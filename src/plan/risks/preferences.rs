//! Preferences that run code or grant rights: tasks, services, local users and groups, registry values, files, and environment
//! variables [MS-GPPREF].

mod item_settings;

use std::collections::HashSet;

use bytes::Bytes;

use super::list::RiskList;
use super::registry::{self, Data, Hive, Removed};
use super::{Risk, RiskKind};
use crate::formats::preferences::{Action, Item, Preferences};
use crate::formats::xml_tree::Element;
use crate::model::reference::Place;
use crate::model::registry_secrets;
use crate::model::safe_name::RelPath;
use crate::model::well_known;
use crate::model::well_known::localized::localized;

/// The items of a file that run code or grant rights; `None` when it cannot be read.
pub(super) fn risks(path: &RelPath, content: &Bytes) -> Option<Vec<Risk>> {
    let preferences = Preferences::parse(content).ok()?;
    let mut risks = RiskList::default();
    preferences.walk(&mut |cursor| {
        // A client looks for items in the root and in collections; what is elsewhere, or spelled otherwise, may be one too.
        let element = cursor.element;
        let items = Item::with_each_properties(element);
        let has_properties = items.iter().any(|item| item.properties().is_some());
        let in_place = cursor.above().all(|above| {
            is(above, "Collection") || std::ptr::eq(above, preferences.document().root())
        });
        if !in_place && !has_properties {
            return;
        }
        let (mut known, mut found) = (HashSet::new(), Vec::new());
        for item in items.iter().take(MOST_PROPERTIES) {
            found.extend(
                item_risks(item)
                    .into_iter()
                    .filter(|one| known.insert(one.clone())),
            );
        }
        if items.len() > 1 {
            let text = "an item has several Properties, and a client may use any of them";
            found.push((RiskKind::UnusualForm, text.to_owned()));
        }
        if found.is_empty() {
            return;
        }
        let is_off = element
            .attribute("disabled")
            .is_some_and(|off| off.trim() == "1");
        let off = if is_off { " (switched off)" } else { "" };
        let at = cursor.place();
        for (kind, text) in found {
            risks.push(Risk {
                kind,
                text: format!("{text}{off}"),
                place: Place::file(path.to_string())
                    .section(at.path.clone())
                    .line(at.line),
            });
        }
    });
    Some(risks.into_vec())
}

/// Whether this is an element of this name in any case.
fn is(element: &Element, name: &str) -> bool {
    element.name.eq_ignore_ascii_case(name)
}

/// The most `Properties` of one item that are looked at.
const MOST_PROPERTIES: usize = 16;

/// What an item does that deserves a look.
fn item_risks(item: &Item<'_>) -> Vec<(RiskKind, String)> {
    let mut found: Vec<(RiskKind, String)> = risk(item).into_iter().collect();
    found.extend(item_settings::risks(item));
    found
}

fn risk(item: &Item<'_>) -> Option<(RiskKind, String)> {
    let (kind, text) = match item.element.name.to_ascii_lowercase().as_str() {
        name if name.starts_with("task") || name.starts_with("immediatetask") => {
            (RiskKind::ScheduledTask, task(item))
        }
        "ntservice" => (RiskKind::Service, service(item)),
        "group" => (RiskKind::LocalGroup, group(item)),
        "user" => (RiskKind::LocalUser, user(item)),
        "registry" => return registry_value(item),
        "file" => return placed(item, item.property("targetPath"), item.property("fromPath")),
        "shortcut" => {
            return placed(
                item,
                item.property("shortcutPath"),
                item.property("targetPath"),
            );
        }
        "ini" => {
            let part = |name| item.property(name);
            let (section, property) = (part("section"), part("property"));
            let value = match registry_secrets::is_secret("", property) {
                true => registry_secrets::NOT_SHOWN,
                false => part("value"),
            };
            let line = format!("[{section}] {property} = {value}");
            return placed(item, part("path"), &line);
        }
        "folder" => return placed(item, item.property("path"), ""),
        "environmentvariable" => return variable(item),
        "openwith" | "filetype" => return handler(item),
        _ => return None,
    };
    Some((kind, text))
}

/// An environment variable, if programs or libraries are looked for in it; the rules are those of the key that holds it.
fn variable(item: &Item<'_>) -> Option<(RiskKind, String)> {
    if item.action() == Action::Delete {
        return None;
    }
    let (name, value) = (item.property("name"), item.property("value"));
    registry::risk(
        Hive::User,
        "Environment",
        name,
        &Data::Text(value.to_owned()),
    )
    .map(|_| (RiskKind::Environment, format!("{name} = {value}")))
}

/// What opens the files of an extension [MS-GPPREF 2.2.1.7]: a program, the class that names one, or the commands of the class.
fn handler(item: &Item<'_>) -> Option<(RiskKind, String)> {
    if item.action() == Action::Delete {
        return None;
    }
    let first = |names: &[&str]| {
        let mut values = names.iter().map(|name| item.property(name));
        values.find(|value| !value.is_empty()).unwrap_or_default()
    };
    let extension = first(&["fileExtension", "fileExt"]);
    let mut programs = vec![first(&["applicationPath", "application", "appProgID"]).to_owned()];
    if let Some(properties) = item.properties() {
        class_programs(properties, &mut programs);
    }
    programs.retain(|program| !program.is_empty());
    let with = match joined(&programs) {
        none if none.is_empty() => "what its class names".to_owned(),
        programs => programs,
    };
    let text = format!("files with the extension \"{extension}\" are opened with {with}");
    Some((RiskKind::FileHandler, text))
}

/// The programs of the actions of a file type, at any depth; the tree is bounded.
fn class_programs(element: &Element, programs: &mut Vec<String>) {
    for child in element.elements() {
        programs.extend(child.attribute("appUsed").map(str::to_owned));
        class_programs(child, programs);
    }
}

/// A registry value, if it runs code or takes protection away, or its deletion does.
fn registry_value(item: &Item<'_>) -> Option<(RiskKind, String)> {
    let hive = match item.property("hive").to_ascii_uppercase().as_str() {
        "HKEY_LOCAL_MACHINE" => Hive::Machine,
        "HKEY_CURRENT_USER" | "HKEY_USERS" | "HKEY_CURRENT_CONFIG" => Hive::User,
        "HKEY_CLASSES_ROOT" => Hive::Classes,
        _ => return None,
    };
    let (key, name) = (item.property("key"), item.property("name"));
    // Which key it is depends on the client.
    if key.matches('%').count() > 1 {
        let text = format!("the key depends on a variable: {key}\\{name}");
        return Some((RiskKind::UnusualForm, text));
    }
    // Without a value, the item is about the key, which a replacement deletes too.
    let of_key = name.is_empty() && item.property("default") != "1";
    match item.action() {
        Action::Delete | Action::Replace if of_key => {
            return registry::removal(hive, key, Removed::Key);
        }
        Action::Delete => return registry::removal(hive, key, Removed::Value(name)),
        Action::Create | Action::Replace | Action::Update => {}
    }
    let value = item.property("value");
    let data = match item.property("type").to_ascii_uppercase().as_str() {
        // Numbers are hexadecimal here [MS-GPPREF 2.2.1.10.1]; some files have them with `0x`.
        "REG_DWORD" | "REG_QWORD" => {
            let digits = value.trim();
            let digits = digits
                .strip_prefix("0x")
                .or_else(|| digits.strip_prefix("0X"))
                .unwrap_or(digits);
            u64::from_str_radix(digits, 16).map_or(Data::Other, Data::Number)
        }
        "REG_SZ" | "REG_EXPAND_SZ" | "REG_MULTI_SZ" => Data::Text(value.to_owned()),
        _ => Data::Other,
    };
    registry::risk(hive, key, name, &data)
}

/// A file or a shortcut in a folder from which Windows starts programs, or in a folder of Windows, whose deletion may take protection
/// away, such as that of a code integrity policy.
fn placed(item: &Item<'_>, target: &str, from: &str) -> Option<(RiskKind, String)> {
    let deleted = item.action() == Action::Delete;
    // A folder may be named without a separator at its end.
    let mut path = String::new();
    for part in target.trim().to_lowercase().split(['/', '\\']) {
        // Windows passes over dots and blanks at the end of a name.
        path.push_str(part.trim_end_matches(['.', ' ']));
        path.push('\\');
    }
    let local = on_drive(&path);
    let has = |parts: &[&str]| {
        let mut parts = parts.iter();
        parts.any(|part| path.contains(part) || local.contains(part))
    };
    // A short name of 8.3 characters stands for the long one.
    let kind = if has(&[
        r"\startup\",
        r"\startu~",
        "%startupdir%",
        "%commonstartupdir%",
    ]) {
        RiskKind::Autostart
    } else if has(&[
        r"\system32\",
        r"\syswow64\",
        r"\sysnative\",
        r"\localhost\c$\",
        r"\127.0.0.1\c$\",
        r"\.\",
        r"\?\",
        r"\window~",
        r"\startm~",
        r"\progra~",
        r":\program files\",
        r":\program files (x86)\",
        "%programfiles",
        "%commonprogramfiles",
        r"\windowspowershell\",
        r"\powershell\profile.ps1\",
        r"\profile.ps1\",
        r"\xlstart\",
        r"\word\startup\",
        r"\templates\normal.dotm\",
        r"\vbaproject.otm\",
        r"\authorized_keys\",
        r"\administrators_authorized_keys\",
        r":\program.exe\",
        r":\windows\",
        r"\admin$\",
        "%systemdir%",
        "%windowsdir%",
        "%windir%",
        "%systemroot%",
    ]) {
        RiskKind::SystemFile
    } else if item.element.name.eq_ignore_ascii_case("shortcut") && is_remote(from) && !deleted {
        let text = format!("the shortcut {target} starts {from} of another computer");
        return Some((RiskKind::FileHandler, text));
    } else if item.element.name.eq_ignore_ascii_case("shortcut") && is_interpreter(from) && !deleted
    {
        let started = command(from, item.property("arguments"));
        let text = format!("the shortcut {target} starts {started}");
        return Some((RiskKind::FileHandler, text));
    } else {
        return None;
    };
    match (deleted, kind) {
        (true, RiskKind::SystemFile) if is(item.element, "File") || is(item.element, "Folder") => {
            Some((kind, format!("deletes {target}")))
        }
        (true, _) => None,
        // A folder by itself does nothing.
        (false, _) if is(item.element, "Folder") => None,
        (false, _) => Some((kind, format!("{target} from {from}"))),
    }
}

/// A path in lower case with a letter for its drive, where that is a variable or the share of one for administrators.
fn on_drive(path: &str) -> String {
    let path = path.replace("%systemdrive%", "c:");
    let share = path
        .strip_prefix(r"\\")
        .and_then(|rest| rest.split_once('\\'));
    match share.and_then(|(_, below)| below.split_once(r"$\")) {
        Some((drive, rest)) if drive.len() == 1 => format!(r"{drive}:\{rest}"),
        _ => path,
    }
}

/// Whether a program runs what its arguments say (T1218, T1059).
fn is_interpreter(program: &str) -> bool {
    let name = program.trim().trim_matches('"').to_lowercase();
    let name = name.rsplit(['\\', '/']).next().unwrap_or_default();
    let name = name.strip_suffix(".exe").unwrap_or(name);
    [
        "bash",
        "bitsadmin",
        "certutil",
        "cmd",
        "conhost",
        "cscript",
        "forfiles",
        "installutil",
        "msbuild",
        "mshta",
        "msiexec",
        "powershell",
        "pwsh",
        "python",
        "regasm",
        "regsvcs",
        "regsvr32",
        "rundll32",
        "wmic",
        "wscript",
        "wsl",
    ]
    .contains(&name)
}

/// Whether a path is on another computer.
fn is_remote(path: &str) -> bool {
    let path = path.trim().replace('/', "\\").to_lowercase();
    path.starts_with(r"\\") || path.starts_with(r"file:\\")
}

/// `A`, `A and B`, `A, B and C`
fn joined(parts: &[String]) -> String {
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => parts.concat(),
    }
}

/// A command and its arguments.
fn command(program: &str, arguments: &str) -> String {
    format!("{program} {arguments}").trim().to_owned()
}

fn task(item: &Item<'_>) -> String {
    if item.action() == Action::Delete {
        return format!("removes the task \"{}\"", item.name());
    }
    let mut commands = Vec::new();
    let mut accounts = Vec::new();
    // A task of version 1 has its command in the properties, one of version 2 below them [MS-TSCH 2.5].
    let program = item.property("appName");
    if !program.is_empty() {
        commands.push(command(program, item.property("args")));
    }
    if let Some(properties) = item.properties() {
        task_parts(properties, &mut commands, &mut accounts);
    }
    let run_as = item.property("runAs");
    let account = accounts
        .first()
        .cloned()
        .unwrap_or_else(|| run_as.to_owned());
    let account = match account.as_str() {
        "" => String::new(),
        account => format!(" as {}", in_english(account)),
    };
    let what = match joined(&commands) {
        none if none.is_empty() => "does something other than a command".to_owned(),
        commands => format!("runs {commands}"),
    };
    format!("\"{}\" {what}{account}", item.name())
}

/// A well-known account under its English name, with the name as it is written in another language.
fn in_english(account: &str) -> String {
    let known = localized(account).and_then(|known| well_known::name_of(&known.sid));
    known.map_or_else(|| account.to_owned(), |name| format!("{name} ({account})"))
}

/// The commands and accounts of a task, at any depth; the tree is bounded.
fn task_parts(element: &Element, commands: &mut Vec<String>, accounts: &mut Vec<String>) {
    for child in element.elements() {
        match child.name.as_str() {
            "Exec" => {
                let program = child.child_text("Command");
                let arguments = child.child_text("Arguments");
                commands.push(command(program.trim(), arguments.trim()));
            }
            "Principal" => {
                let account = ["UserId", "GroupId"].map(|name| child.child_text(name));
                accounts.extend(
                    account
                        .into_iter()
                        .map(|account| account.trim().to_owned())
                        .filter(|account| !account.is_empty()),
                );
            }
            _ => task_parts(child, commands, accounts),
        }
    }
}

fn service(item: &Item<'_>) -> String {
    let mut parts = Vec::new();
    match item.property("startupType") {
        "" | "NOCHANGE" => {}
        startup => parts.push(format!("startup {}", startup.to_lowercase())),
    }
    match item.property("serviceAction") {
        "" => {}
        action => parts.push(action.to_lowercase()),
    }
    match in_english(item.property("accountName")).as_str() {
        "" => {}
        account => parts.push(format!("runs as {account}")),
    }
    match item.property("program") {
        "" => {}
        program => {
            let program = command(program, item.property("args"));
            parts.push(format!("on failure runs {program}"));
        }
    }
    if parts.is_empty() {
        parts.push("unchanged".to_owned());
    }
    format!("{}: {}", item.property("serviceName"), parts.join(", "))
}

fn group(item: &Item<'_>) -> String {
    let name = match item.property("groupName") {
        "" => item.name(),
        name => name,
    };
    if item.action() == Action::Delete {
        return format!("removes the group \"{name}\"");
    }
    let mut parts = Vec::new();
    if item.property("deleteAllUsers") == "1" {
        parts.push("removes all users".to_owned());
    }
    if item.property("deleteAllGroups") == "1" {
        parts.push("removes all groups".to_owned());
    }
    let members: Vec<&Element> = item
        .properties()
        .into_iter()
        .flat_map(Element::elements)
        .filter(|child| is(child, "Members"))
        .collect();
    for (action, verb) in [("ADD", "adds"), ("REMOVE", "removes")] {
        let names: Vec<String> = members
            .iter()
            .flat_map(|members| members.elements())
            .filter(|member| is(member, "Member"))
            .filter(|member| {
                let found = member.attribute("action").unwrap_or("ADD").trim();
                found.eq_ignore_ascii_case(action)
            })
            .map(|member| {
                ["name", "sid"]
                    .iter()
                    .filter_map(|name| member.attribute(name))
                    .find(|name| !name.is_empty())
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        if !names.is_empty() {
            parts.push(format!("{verb} {}", joined(&names)));
        }
    }
    if parts.is_empty() {
        parts.push("members unchanged".to_owned());
    }
    format!("\"{name}\": {}", parts.join(", "))
}

fn user(item: &Item<'_>) -> String {
    let name = match item.property("userName") {
        "" => item.name(),
        name => name,
    };
    match item.action() {
        Action::Delete => format!("removes the user \"{name}\""),
        Action::Create => format!("creates the user \"{name}\""),
        Action::Replace => format!("recreates the user \"{name}\""),
        Action::Update => format!("changes the user \"{name}\""),
    }
}
