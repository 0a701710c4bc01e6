//! The settings of every real backup, compared with GPMC's report of it: each element of GPMC's is one of ours, with the same
//! name, unit and value.

mod policies;

use std::collections::{BTreeMap, BTreeSet};

use crate::gpmc_report::{elements, named, principals, text};
use crate::support::*;
use gpoctl::formats::xml_tree::{self, Element};
use gpoctl::message::Code;
use gpoctl::settings::{Data, Extension, Half, Setting, Value};

/// What a list of settings contains: the value of each, by kind and identity.
type Facts = BTreeMap<&'static str, BTreeMap<String, String>>;

/// How many elements of GPMC's reports have an equal setting, have none, or have one with another value; and how many settings have
/// no element.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    equal: usize,
    missing: usize,
    other: usize,
    ours_alone: usize,
}

const fn all_equal(equal: usize) -> Count {
    Count {
        equal,
        missing: 0,
        other: 0,
        ours_alone: 0,
    }
}

fn ours_principals(data: &Data) -> BTreeSet<String> {
    let Data::Principals(principals) = data else {
        panic!("{data:?}")
    };
    principals
        .iter()
        .map(|one| match (&one.sid, &one.name) {
            (Some(sid), _) => sid.to_string(),
            (None, name) => name.as_ref().unwrap().to_lowercase(),
        })
        .collect()
}

/// What GPMC's report says of the settings.
fn theirs(root: &Element) -> Facts {
    let mut facts = Facts::new();
    for half in ["Computer", "User"] {
        let mut add = |kind: &'static str, id: String, value: String| {
            let facts = facts.entry(kind).or_default();
            facts.insert(format!("{half} {id}").to_lowercase(), value);
        };
        let security = |name| elements(root, half, "Security", name);
        for account in security("Account") {
            let value = match text(account, "SettingBoolean").as_str() {
                "true" => "enabled".to_owned(),
                "false" => "disabled".to_owned(),
                _ => text(account, "SettingNumber"),
            };
            add("account", text(account, "Name"), value);
        }
        for audit in security("Audit") {
            let attempts = ["SuccessAttempts", "FailureAttempts"].map(|name| text(audit, name));
            let value = match attempts.each_ref().map(|flag| flag == "true") {
                [true, true] => "Success, Failure",
                [true, false] => "Success",
                [false, true] => "Failure",
                [false, false] => "No auditing",
            };
            add("audit policy", text(audit, "Name"), value.to_owned());
        }
        for log in security("EventLog") {
            let id = format!("{} Log {}", text(log, "Log"), text(log, "Name"));
            add("event log", id, text(log, "SettingNumber"));
        }
        for right in security("UserRightsAssignment") {
            let members = principals(right, "Member");
            add("user right", text(right, "Name"), format!("{members:?}"));
        }
        for group in security("RestrictedGroups") {
            let who = principals(group, "GroupName");
            for (side, name) in [("members", "Member"), ("member of", "Memberof")] {
                let members = principals(group, name);
                if !members.is_empty() {
                    add(
                        "restricted group",
                        format!("{who:?} {side}"),
                        format!("{members:?}"),
                    );
                }
            }
        }
        for service in security("SystemServices") {
            let mode = text(service, "StartupMode").to_lowercase();
            add("service", text(service, "Name"), mode);
        }
        for (kind, name) in [("file", "File"), ("registry key", "Registry")] {
            for secured in security(name) {
                let descriptor = named(secured, "SecurityDescriptor").next().unwrap();
                let mode = match text(secured, "Mode").as_str() {
                    "Propogate" => "propagate to child objects",
                    _ => "",
                };
                let sddl = text(descriptor, "SDDL");
                add(kind, text(secured, "Path"), format!("{mode} {sddl}"));
            }
        }
        for option in security("SecurityOptions") {
            let id = text(option, "KeyName") + &text(option, "SystemAccessPolicyName");
            let value = match named(option, "Display").next() {
                Some(display) => displayed(display),
                None => text(option, "SettingNumber") + &text(option, "SettingString"),
            };
            add("security option", id, value);
        }
        for audit in elements(root, half, "Advanced Audit Configuration", "AuditSetting") {
            let id = text(audit, "SubcategoryGuid") + &text(audit, "PolicyTarget");
            let value = match text(audit, "SettingValue").as_str() {
                "0" => "No Auditing".to_owned(),
                "1" => "Success".to_owned(),
                "2" => "Failure".to_owned(),
                "3" => "Success and Failure".to_owned(),
                other => other.to_owned(),
            };
            let name = text(audit, "SubcategoryName");
            add("audit subcategory", id, format!("{name}: {value}"));
        }
        for script in elements(root, half, "Scripts", "Script") {
            let part = |name: &str| text(script, name);
            let id = format!("{} {} {}", part("Type"), part("Order"), part("Command"));
            add("script", id, part("Parameters"));
        }
        for setting in elements(root, half, "Registry", "RegistrySetting") {
            let key = text(setting, "KeyPath");
            for value in named(setting, "Value") {
                let strings: Vec<String> = named(value, "Strings")
                    .flat_map(|strings| named(strings, "Value").map(Element::text))
                    .collect();
                let part = |name: &str| text(value, name);
                let shown = part("Number") + &part("String") + &strings.join("\n");
                add("registry value", format!("{key}\\{}", part("Name")), shown);
            }
            for command in named(setting, "Command") {
                let id = format!("{key}\\{}", command.text());
                add("registry value", id, String::new());
            }
        }
    }
    facts
}

/// The name, the value and the unit of a security option as GPMC shows them.
fn displayed(display: &Element) -> String {
    let name = text(display, "Name").trim().to_owned();
    let plain = |text: &str| text.trim_matches('"').to_owned();
    let mut value = String::new();
    for part in display.elements() {
        match part.name.as_str() {
            "DisplayBoolean" if part.text() == "true" => value = "enabled".to_owned(),
            "DisplayBoolean" => value = "disabled".to_owned(),
            "DisplayNumber" => value = format!("{} {}", part.text(), text(display, "Units")),
            "DisplayString" => value = plain(&part.text()),
            "DisplayStrings" => {
                let strings: Vec<String> = named(part, "Value").map(Element::text).collect();
                value = strings.join("\n");
            }
            "DisplayFields" => {
                let set: Vec<String> = named(part, "Field")
                    .filter(|field| text(field, "Value") == "true")
                    .map(|field| text(field, "Name"))
                    .collect();
                value = set.join(", ");
            }
            _ => {}
        }
    }
    format!("{name}: {value}")
}

/// A value without the quotes of its text.
fn plain(value: &Value) -> String {
    match &value.data {
        Data::Text(text) => text.clone(),
        Data::List(texts) => texts.join("\n"),
        Data::Permissions { sddl, .. } => sddl.clone(),
        Data::Bytes { size: 0, .. } => String::new(),
        data => data.to_string(),
    }
}

fn of_name<'a>(setting: &'a Setting, name: &str) -> Option<&'a Value> {
    setting.values.iter().find(|value| value.name == *name)
}

/// The same of the settings.
fn ours(settings: &[Setting]) -> Facts {
    let mut facts = Facts::new();
    for setting in settings {
        let half = match setting.half {
            Half::Computer => "Computer",
            Half::User => "User",
            _ => continue,
        };
        let mut add = |kind: &'static str, id: String, value: String| {
            let facts = facts.entry(kind).or_default();
            facts.insert(format!("{half} {id}").to_lowercase(), value);
        };
        let part = |part: &Option<gpoctl::model::shared_text::SharedText>| {
            part.as_ref().map(ToString::to_string).unwrap_or_default()
        };
        let (section, key) = (part(&setting.place.section), part(&setting.place.key));
        let first = setting.values.first();
        let value = || first.map(plain).unwrap_or_default();
        let option = |key: String| {
            let value = first.unwrap();
            let shown = match value.unit {
                Some(unit) => format!("{} {unit}", plain(value)),
                None => plain(value),
            };
            match setting.name.as_str() == key {
                true => (key, shown),
                false => (key, format!("{}: {shown}", setting.name)),
            }
        };
        match (setting.extension, section.to_lowercase().as_str()) {
            (Extension::Security, "system access" | "kerberos policy") => {
                if setting.category.contains("Account Policies") {
                    // GPMC shows -1 as a number without a sign.
                    let never = matches!(&first.unwrap().data, Data::Word(_));
                    add(
                        "account",
                        key,
                        if never {
                            "4294967295".to_owned()
                        } else {
                            value()
                        },
                    );
                } else {
                    // GPMC has no name for these; a flag is a number.
                    let shown = match value().as_str() {
                        "enabled" => "1".to_owned(),
                        "disabled" => "0".to_owned(),
                        other => format!("\"{other}\""),
                    };
                    add("security option", key, shown);
                }
            }
            (Extension::Security, "event audit") => add("audit policy", key, value()),
            (Extension::Security, "system log" | "security log" | "application log") => {
                let number = setting.raw.split('=').next_back().unwrap().trim();
                add("event log", format!("{section} {key}"), number.to_owned());
            }
            (Extension::Security, "privilege rights") => {
                let members = ours_principals(&first.unwrap().data);
                add("user right", key, format!("{members:?}"));
            }
            (Extension::Security, "group membership") => {
                let members = ours_principals(&first.unwrap().data);
                let (group, side) = key.split_once(' ').unwrap();
                let who = [group.trim_start_matches('*')];
                if !members.is_empty() {
                    add(
                        "restricted group",
                        format!("{who:?} {side}")
                            .replace('[', "{")
                            .replace(']', "}"),
                        format!("{members:?}"),
                    );
                }
            }
            (Extension::Security, "service general setting") => add("service", key, value()),
            (Extension::Security, "file security" | "registry keys") => {
                let kind = match section.to_lowercase().as_str() {
                    "file security" => "file",
                    _ => "registry key",
                };
                let sddl = of_name(setting, "permissions")
                    .map(plain)
                    .unwrap_or_default();
                add(kind, key, format!("{} {sddl}", value()));
            }
            (Extension::Security, "registry values") => {
                let (id, shown) = option(key);
                add("security option", id, shown);
            }
            (Extension::AdvancedAudit, _) => {
                let fields: Vec<&str> = setting.raw.split(',').collect();
                let id = format!("{}{}", fields[3], fields[1]);
                add(
                    "audit subcategory",
                    id,
                    format!("{}: {}", setting.name, value()),
                );
            }
            (Extension::Scripts, _) if of_name(setting, "command").is_some() => {
                let id = format!("{section} {key} {}", value());
                let parameters = of_name(setting, "parameters");
                add("script", id, parameters.map(plain).unwrap_or_default());
            }
            (Extension::Registry, _) => {
                let name = format!("{}\\{key}", setting.category);
                let command = key.starts_with("**");
                add(
                    "registry value",
                    name,
                    if command { String::new() } else { value() },
                );
            }
            _ => {}
        }
    }
    facts
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn the_settings_of_a_backup_are_those_of_gpmcs_report() {
    let corpus = corpus();
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    let mut different = Vec::new();
    let (mut reports, mut without_files) = (0, 0);
    for folder in corpus_gpos::backup_folders(&corpus) {
        let Ok(bytes) = std::fs::read(folder.join("gpreport.xml")) else {
            continue;
        };
        let stored = gpoctl::backup::read(&folder).unwrap();
        // The publisher of some backups removed the files with the settings.
        let lost = |problem: &gpoctl::message::StatusMessage| {
            let file = problem.place.as_ref().map(|place| &place.file);
            problem.code == Code::MissingFile
                && file.is_some_and(|file| file.ends_with(".inf") || file.ends_with(".ini"))
        };
        if stored.problems.iter().any(lost) {
            without_files += 1;
            continue;
        }
        reports += 1;
        let theirs = theirs(&xml_tree::parse(&bytes).unwrap());
        let settings = gpoctl::settings::of(&stored.snapshot);
        let ours = ours(&settings.settings);
        let name = folder.strip_prefix(&corpus).unwrap().display().to_string();
        let none = BTreeMap::new();
        for kind in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let [theirs, ours] = [&theirs, &ours].map(|facts| facts.get(kind).unwrap_or(&none));
            let count = counts.entry(kind).or_default();
            for (id, value) in theirs {
                match ours.get(id) {
                    Some(own) if own == value => count.equal += 1,
                    Some(own) => {
                        count.other += 1;
                        different.push(format!("{name}: {kind} {id}: GPMC {value}; {own}"));
                    }
                    None => {
                        count.missing += 1;
                        different.push(format!("{name}: {kind} {id}: GPMC {value}; missing"));
                    }
                }
            }
            for (id, own) in ours.iter().filter(|(id, _)| !theirs.contains_key(*id)) {
                count.ours_alone += 1;
                if *kind != "registry value" {
                    different.push(format!("{name}: {kind} {id}: {own} is not in GPMC's"));
                }
            }
        }
    }
    println!("{reports} reports, {without_files} of backups without files: {counts:#?}");
    for line in &different {
        println!("{line}");
    }
    let expected = [
        ("account", all_equal(157)),
        ("audit policy", all_equal(13)),
        ("audit subcategory", all_equal(581)),
        ("event log", all_equal(6)),
        ("file", all_equal(4)),
        ("registry key", all_equal(20)),
        // GPMC shows values of policies with the names of their templates, and certificates, application control and the firewall
        // in sections of their own: what it shows as a value is all that is compared here.
        (
            "registry value",
            Count {
                ours_alone: 7716,
                ..all_equal(51)
            },
        ),
        ("restricted group", all_equal(3)),
        ("script", all_equal(15)),
        // Three were reported by a French GPMC, with French names.
        (
            "security option",
            Count {
                other: 3,
                ..all_equal(964)
            },
        ),
        ("service", all_equal(18)),
        ("user right", all_equal(567)),
    ];
    assert_eq!(counts, expected.into());
}
