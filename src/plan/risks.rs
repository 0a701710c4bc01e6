//! Settings of a GPO that run code on clients or grant rights. They are shown before they are written. A listed setting is not
//! necessarily wrong; it deserves a look.

mod access;
mod auditing;
mod preferences;
mod registry;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use crate::formats::gpt_tmpl::{GptTmpl, Membership, Setting};
use crate::formats::ini::IniLine;
use crate::formats::registry_pol::RegistryPol;
use crate::formats::scripts::{ScriptLine, ScriptPart, Scripts};
use crate::migration::references::GptFileFormat;
use crate::model::client_extension;
use crate::model::directory_object::{AttributeValues, DirectoryObject};
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;
use crate::model::snapshot::GpoSnapshot;

/// How a setting runs code or grants rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RiskKind {
    /// A scheduled or immediate task of Preferences.
    ScheduledTask,
    /// A script at startup, shutdown, logon or logoff.
    Script,
    /// The startup, account, recovery program or descriptor of a service.
    Service,
    /// A package of software installation.
    Software,
    /// `[Group Membership]` of GptTmpl.inf.
    RestrictedGroup,
    /// A local group of Preferences.
    LocalGroup,
    /// A local user of Preferences.
    LocalUser,
    /// `[Privilege Rights]` of GptTmpl.inf.
    PrivilegeRight,
    /// A client-side extension that does not come with Windows: its effect is unknown.
    UnknownExtension,
    /// Something that Windows starts at logon or startup: a Run key, a file or a shortcut in a StartUp folder.
    Autostart,
    /// What Winlogon starts besides the shell, or instead of it.
    LogonProgram,
    /// A program that Windows starts instead of another, as its debugger.
    Debugger,
    /// A library that Windows loads into every program.
    InjectedLibrary,
    /// The program, account or start of a service, in the registry.
    RegistryService,
    /// A COM class of the user that takes precedence over the one of the computer.
    ComHijack,
    /// Malware protection, firewall, UAC or application control switched off, deleted or with exceptions.
    ProtectionOff,
    /// Auditing or a log switched off.
    LoggingOff,
    /// An entry of the firewall that lets callers from any address in.
    FirewallRule,
    /// A certificate that makes what it has signed trustworthy: web sites, programs, people.
    TrustedCertificate,
    /// Sessions that others may watch or control without consent, or before they have authenticated.
    RemoteControl,
    /// Credentials that are stored or sent in a form that can be stolen, or code in the process that checks them.
    Credentials,
    /// Which PowerShell scripts may run.
    PowerShell,
    /// A file in a folder of Windows.
    SystemFile,
    /// A script in the folder NETLOGON, which can be changed by others than the editors of this GPO.
    NetlogonScript,
    /// Permissions with which everybody may change a file, a registry key or a service.
    OpenPermission,
    /// What opens files of a type.
    FileHandler,
    /// An environment variable from which Windows takes where programs and libraries are.
    Environment,
    /// A file of a kind that can run code or grant rights, which gpoctl cannot read and a client may.
    UnreadableFile,
}

/// How much attention a kind of risk deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RiskSeverity {
    /// Common in policies; has consequences if it is wrong.
    Medium,
    /// Rare in policies: runs code unnoticed, or disables protection.
    High,
}

impl RiskKind {
    /// For the user.
    pub fn label(self) -> &'static str {
        match self {
            Self::ScheduledTask => "scheduled task",
            Self::Script => "script",
            Self::Service => "service",
            Self::Software => "software",
            Self::RestrictedGroup => "restricted group",
            Self::LocalGroup => "local group",
            Self::LocalUser => "local user",
            Self::PrivilegeRight => "privilege right",
            Self::UnknownExtension => "unknown extension",
            Self::Autostart => "autostart",
            Self::LogonProgram => "logon program",
            Self::Debugger => "debugger",
            Self::InjectedLibrary => "injected library",
            Self::RegistryService => "service in registry",
            Self::ComHijack => "COM class of user",
            Self::ProtectionOff => "protection off",
            Self::LoggingOff => "logging off",
            Self::FirewallRule => "firewall rule",
            Self::TrustedCertificate => "trusted certificate",
            Self::RemoteControl => "remote control",
            Self::Credentials => "credentials",
            Self::PowerShell => "PowerShell",
            Self::SystemFile => "file in Windows",
            Self::NetlogonScript => "script in NETLOGON",
            Self::OpenPermission => "open permission",
            Self::FileHandler => "file type handler",
            Self::Environment => "environment variable",
            Self::UnreadableFile => "unreadable file",
        }
    }

    /// How much attention it deserves.
    pub fn severity(self) -> RiskSeverity {
        match self {
            Self::ScheduledTask
            | Self::UnknownExtension
            | Self::LogonProgram
            | Self::Debugger
            | Self::InjectedLibrary
            | Self::ComHijack
            | Self::ProtectionOff
            | Self::TrustedCertificate
            | Self::RemoteControl
            | Self::Credentials
            | Self::SystemFile
            | Self::NetlogonScript
            | Self::OpenPermission
            | Self::FileHandler
            | Self::Environment
            | Self::UnreadableFile => RiskSeverity::High,
            Self::Script
            | Self::Service
            | Self::Software
            | Self::RestrictedGroup
            | Self::LocalGroup
            | Self::LocalUser
            | Self::PrivilegeRight
            | Self::Autostart
            | Self::RegistryService
            | Self::LoggingOff
            | Self::FirewallRule
            | Self::PowerShell => RiskSeverity::Medium,
        }
    }

    /// The technique of MITRE ATT&CK that uses it; distribution by a GPO is T1484.001.
    pub fn technique(self) -> &'static str {
        match self {
            Self::ScheduledTask => "T1053.005",
            Self::Script | Self::NetlogonScript => "T1037",
            Self::Service | Self::RegistryService => "T1543.003",
            Self::Software => "T1072",
            Self::RestrictedGroup | Self::LocalGroup | Self::PrivilegeRight => "T1098",
            Self::LocalUser => "T1136.001",
            Self::UnknownExtension | Self::UnreadableFile => "T1484.001",
            Self::FileHandler => "T1546.001",
            Self::Environment => "T1574.007",
            Self::Autostart => "T1547.001",
            Self::LogonProgram => "T1547.004",
            Self::Debugger => "T1546.012",
            Self::InjectedLibrary => "T1546.010",
            Self::ComHijack => "T1546.015",
            Self::ProtectionOff => "T1562.001",
            Self::LoggingOff => "T1562.002",
            Self::FirewallRule => "T1562.004",
            Self::TrustedCertificate => "T1553.004",
            Self::RemoteControl => "T1563.002",
            Self::Credentials => "T1003",
            Self::PowerShell => "T1059.001",
            Self::SystemFile => "T1105",
            Self::OpenPermission => "T1222.001",
        }
    }
}

/// A setting that runs code or grants rights.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Risk {
    /// The kind.
    pub kind: RiskKind,
    /// Its description; names and SIDs as in the settings.
    pub text: String,
    /// Its place.
    pub place: Place,
}

/// Every setting of a snapshot that runs code or grants rights, by file, then the packages, then the extensions. A file that
/// does not parse is one of them.
pub fn of(snapshot: &GpoSnapshot) -> Vec<Risk> {
    of_parts(
        &snapshot.tree,
        snapshot.directory_objects.iter(),
        &snapshot.machine_extensions,
        &snapshot.user_extensions,
    )
}

/// As [`of`], for settings that are not in a snapshot yet.
pub(super) fn of_parts<'a>(
    tree: &GptTree,
    objects: impl Iterator<Item = &'a DirectoryObject>,
    machine_extensions: &ExtensionList,
    user_extensions: &ExtensionList,
) -> Vec<Risk> {
    let mut risks = Vec::new();
    for (path, content) in tree.files() {
        let found = match GptFileFormat::of(path) {
            Some(GptFileFormat::GptTmpl) => security_settings(path, content),
            Some(GptFileFormat::Scripts | GptFileFormat::PsScripts) => scripts(path, content),
            Some(GptFileFormat::Preferences) => preferences::risks(path, content),
            Some(GptFileFormat::RegistryPol) => registry_policy(path, content),
            Some(GptFileFormat::AuditCsv) => auditing::risks(path, content),
            _ => continue,
        };
        risks.extend(found.unwrap_or_else(|| vec![unreadable(path)]));
    }
    risks.extend(objects.filter_map(package));
    for (list, attribute) in [
        (machine_extensions, "gPCMachineExtensionNames"),
        (user_extensions, "gPCUserExtensionNames"),
    ] {
        risks.extend(unknown_extensions(list, attribute));
    }
    risks
}

fn unreadable(path: &RelPath) -> Risk {
    Risk {
        kind: RiskKind::UnreadableFile,
        text: "it cannot be read, so what it does is not known".to_owned(),
        place: Place::file(path.to_string()),
    }
}

fn place(path: &RelPath, line: &IniLine<'_>) -> Place {
    Place::file(path.to_string())
        .section(line.section.unwrap_or_default())
        .line(line.number)
}

fn security_settings(path: &RelPath, content: &Bytes) -> Option<Vec<Risk>> {
    let file = GptTmpl::parse(content).ok()?;
    let risk = |(line, setting): (IniLine<'_>, Setting<'_>)| {
        let place = place(path, &line);
        let part = |span| line.text.get(span).unwrap_or_default();
        match setting {
            Setting::PrivilegeRight { right, members } => {
                let members = part(members);
                let text = match members {
                    "" => format!("{right}: nobody"),
                    members => format!("{right}: {members}"),
                };
                Some(Risk {
                    kind: RiskKind::PrivilegeRight,
                    text,
                    place: place.key(right),
                })
            }
            Setting::GroupMembership {
                group,
                side,
                members,
            } => {
                let (group, members) = (part(group), part(members));
                let text = match (side, members) {
                    // An empty list of groups changes nothing; an empty list of members removes all members.
                    (Membership::MemberOf, "") => return None,
                    (Membership::MemberOf, groups) => {
                        format!("{group} becomes a member of {groups}")
                    }
                    (Membership::Members, "") => format!("{group} has no members"),
                    (Membership::Members, members) => format!("{group} has the members {members}"),
                };
                Some(Risk {
                    kind: RiskKind::RestrictedGroup,
                    text,
                    place: place.key(group),
                })
            }
            Setting::Secured { name, mode, sddl } if line.is_in("Service General Setting") => {
                let (name, sddl) = (part(name), part(sddl));
                let start = match part(mode) {
                    "2" => "starts automatically",
                    "3" => "starts on demand",
                    "4" => "is disabled",
                    _ => "keeps its startup",
                };
                let fault = access::fault(access::Secures::Service, sddl);
                let rights = match &fault {
                    None if sddl.is_empty() => String::new(),
                    None => ", with its own permissions".to_owned(),
                    Some(access::Fault::Open(who)) => format!(", and {who} may change it"),
                    Some(access::Fault::Unreadable) => {
                        ", with permissions that cannot be read".to_owned()
                    }
                };
                Some(Risk {
                    kind: match fault {
                        None => RiskKind::Service,
                        Some(_) => RiskKind::OpenPermission,
                    },
                    text: format!("{name} {start}{rights}"),
                    place: place.key(name),
                })
            }
            // Files and keys that everybody may change.
            Setting::Secured { name, sddl, .. } => {
                let (name, sddl) = (part(name), part(sddl));
                let text = match access::fault(access::Secures::FileOrKey, sddl)? {
                    access::Fault::Open(who) => format!("{who} may change {name}"),
                    access::Fault::Unreadable => {
                        format!("{name} gets permissions that cannot be read")
                    }
                };
                Some(Risk {
                    kind: RiskKind::OpenPermission,
                    text,
                    place: place.key(name),
                })
            }
            Setting::RegistryValue {
                path,
                value_type,
                data,
            } => {
                let (hive, key, name) = template_value(path)?;
                let data = match (value_type, part(data)) {
                    (4, number) => registry::number(number)
                        .map_or(registry::Data::Other, registry::Data::Number),
                    (1 | 2 | 7, text) => {
                        registry::Data::Text(text.trim().trim_matches('"').to_owned())
                    }
                    _ => registry::Data::Other,
                };
                let (kind, text) = registry::risk(hive, key, name, &data)?;
                Some(Risk {
                    kind,
                    text,
                    place: place.key(path),
                })
            }
            // [MS-GPSB 2.2.1]
            Setting::Other { key, value } if line.is_in("System Access") => {
                let weak = WEAK_ACCOUNTS
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(key));
                (weak && registry::number(value) != Some(0)).then(|| Risk {
                    kind: RiskKind::Credentials,
                    text: format!("{key} = {value}"),
                    place: place.key(key),
                })
            }
            Setting::Other { key, value } if line.is_in("Event Audit") => {
                auditing::category(key, value).map(|text| Risk {
                    kind: RiskKind::LoggingOff,
                    text,
                    place: place.key(key),
                })
            }
            Setting::Other { .. } => None,
        }
    };
    Some(file.settings().filter_map(risk).collect())
}

/// Settings of `[System Access]` that expose credentials or let people in unless they are 0: passwords that can be decrypted
/// (T1556.005), the guest account, names for anonymous callers.
const WEAK_ACCOUNTS: [&str; 3] = [
    "ClearTextPassword",
    "EnableGuestAccount",
    "LSAAnonymousNameLookup",
];

/// Hive, key and value name of a line of `[Registry Values]` [MS-GPSB 2.2.5].
fn template_value(path: &str) -> Option<(registry::Hive, &str, &str)> {
    let (hive, rest) = path.split_once('\\')?;
    let hive = match hive.to_ascii_uppercase().as_str() {
        "MACHINE" => registry::Hive::Machine,
        "USER" | "USERS" => registry::Hive::User,
        "CLASSES_ROOT" => registry::Hive::Classes,
        _ => return None,
    };
    let (key, name) = rest.rsplit_once('\\')?;
    Some((hive, key, name))
}

/// The values of administrative templates [MS-GPREG 2.2.1].
fn registry_policy(path: &RelPath, content: &Bytes) -> Option<Vec<Risk>> {
    let file = RegistryPol::parse(content).ok()?;
    let of_user = path.first().is_some_and(|half| half.folded() == "user");
    let hive = if of_user {
        registry::Hive::User
    } else {
        registry::Hive::Machine
    };
    let mut risks = Vec::new();
    // The keys that get values: a list is deleted and written again.
    let written: HashSet<String> = file
        .records
        .iter()
        .filter(|record| matches!(effect(&record.value_name_text()), Effect::Writes(_)))
        .map(|record| record.key_text().to_lowercase())
        .collect();
    for (number, record) in (1..).zip(&file.records) {
        let (key, name) = (record.key_text(), record.value_name_text());
        let place = || {
            Place::file(path.to_string())
                .section(key.as_str())
                .key(format!("record {number}"))
        };
        let name = match effect(&name) {
            Effect::Writes(name) => name,
            deletion => {
                let names = record.string().unwrap_or_default();
                let found = deletions(hive, &key, &deletion, &names, &written);
                risks.extend(found.into_iter().map(|(kind, text)| Risk {
                    kind,
                    text,
                    place: place(),
                }));
                continue;
            }
        };
        let data = if let Some(number) = record.dword() {
            registry::Data::Number(number.into())
        } else if let Some(number) = record.qword() {
            registry::Data::Number(number)
        } else if let Some(text) = record.string() {
            registry::Data::Text(text)
        } else if let Some(texts) = record.strings() {
            registry::Data::Text(texts.join(", "))
        } else {
            registry::Data::Other
        };
        if let Some((kind, text)) = registry::risk(hive, &key, name, &data) {
            risks.push(Risk {
                kind,
                text,
                place: place(),
            });
        }
    }
    Some(risks)
}

/// What a client does with a record of Registry.pol.
#[derive(Debug, PartialEq, Eq)]
enum Effect<'a> {
    /// Writes the value of this name.
    Writes(&'a str),
    /// Deletes the value of this name.
    DeletesValue(&'a str),
    /// Deletes every value of the key.
    DeletesValues,
    /// Deletes the values that the data names, with semicolons between them.
    DeletesListedValues,
    /// Deletes the subkeys that the data names, with semicolons between them.
    DeletesListedKeys,
    /// Changes nothing that is a value.
    Nothing,
}

/// What the deletions of a record take away that protects.
fn deletions(
    hive: registry::Hive,
    key: &str,
    effect: &Effect<'_>,
    names: &str,
    written: &HashSet<String>,
) -> Vec<(RiskKind, String)> {
    let listed = || {
        names
            .split(';')
            .map(str::trim)
            .filter(|name| !name.is_empty())
    };
    let removal = registry::removal;
    match effect {
        Effect::DeletesValue(name) => removal(hive, key, registry::Removed::Value(name))
            .into_iter()
            .collect(),
        Effect::DeletesValues if !written.contains(&key.to_lowercase()) => {
            removal(hive, key, registry::Removed::Values)
                .into_iter()
                .collect()
        }
        Effect::DeletesListedValues => listed()
            .filter_map(|name| removal(hive, key, registry::Removed::Value(name)))
            .collect(),
        Effect::DeletesListedKeys => listed()
            .filter_map(|name| removal(hive, &format!("{key}\\{name}"), registry::Removed::Key))
            .collect(),
        Effect::DeletesValues | Effect::Writes(_) | Effect::Nothing => Vec::new(),
    }
}

/// What a client does with a value name of Registry.pol [MS-GPREG 3.2.5.1]. A name that only resembles a command is a name.
fn effect(name: &str) -> Effect<'_> {
    /// Writes the value where it does not exist.
    const SOFT: &str = "**soft.";
    let after = |command: &str| {
        let (begin, rest) = name.split_at_checked(command.len())?;
        begin.eq_ignore_ascii_case(command).then_some(rest)
    };
    if let Some(name) = after("**del.") {
        Effect::DeletesValue(name)
    } else if after("**delvals.").is_some() {
        Effect::DeletesValues
    } else if after("**deletevalues").is_some() {
        Effect::DeletesListedValues
    } else if after("**deletekeys").is_some() {
        Effect::DeletesListedKeys
    } else if after("**securekey").is_some() || after("**comment:").is_some() {
        Effect::Nothing
    } else {
        Effect::Writes(after(SOFT).unwrap_or(name))
    }
}

fn scripts(path: &RelPath, content: &Bytes) -> Option<Vec<Risk>> {
    let file = Scripts::parse(content).ok()?;
    let parameters: HashMap<(Option<&str>, u32), &str> = file
        .scripts()
        .filter(|(_, script)| script.part == ScriptPart::Parameters)
        .filter_map(|(line, script)| {
            let value = line.text.get(script.value)?;
            Some(((line.section, script.index), value))
        })
        .collect();
    let risk = |(line, script): (IniLine<'_>, ScriptLine)| {
        if script.part != ScriptPart::CommandLine {
            return None;
        }
        let command = line.text.get(script.value)?;
        let with = parameters.get(&(line.section, script.index));
        let with = with.filter(|with| !with.is_empty());
        let with = with.map(|with| format!(" {with}")).unwrap_or_default();
        let when = line.section.unwrap_or_default().to_lowercase();
        let key = line.pair().map(|(key, _)| key).unwrap_or_default();
        let in_netlogon = command
            .to_lowercase()
            .replace('/', "\\")
            .contains(r"\netlogon\");
        Some(Risk {
            kind: if in_netlogon {
                RiskKind::NetlogonScript
            } else {
                RiskKind::Script
            },
            text: format!("{command}{with} at {when}"),
            place: place(path, &line).key(key),
        })
    };
    Some(file.scripts().filter_map(risk).collect())
}

/// A package that is advertised or installed [MS-GPSI 2.2.3.1].
fn package(object: &DirectoryObject) -> Option<Risk> {
    if !object
        .object_class
        .eq_ignore_ascii_case("packageRegistration")
    {
        return None;
    }
    let texts = |name: &str| {
        let mut attributes = object.attributes.iter();
        let found = attributes.find(|attribute| attribute.name.eq_ignore_ascii_case(name));
        match found.map(|attribute| &attribute.values) {
            Some(
                AttributeValues::String(Some(text)) | AttributeValues::ExpandedString(Some(text)),
            ) => text.clone(),
            Some(AttributeValues::MultiString(texts)) => texts.join(", "),
            _ => String::new(),
        }
    };
    let (name, files) = (texts("packageName"), texts("msiFileList"));
    // A ZAP package does not have a list of files.
    let from = if files.is_empty() {
        texts("setupCommand")
    } else {
        files
    };
    Some(Risk {
        kind: RiskKind::Software,
        text: format!("{name} from {from}"),
        place: Place::file(object.rdns.join(",")),
    })
}

fn unknown_extensions(list: &ExtensionList, attribute: &str) -> Vec<Risk> {
    let unknown = |text: String| Risk {
        kind: RiskKind::UnknownExtension,
        text,
        place: Place::file(attribute),
    };
    match list.blocks() {
        Ok(blocks) => blocks
            .into_iter()
            .filter(|(extension, _)| client_extension::name_of(*extension).is_none())
            .map(|(extension, _)| unknown(format!("{extension} is not a Windows extension")))
            .collect(),
        Err(_) => vec![unknown(
            "the list of extensions is not well formed".to_owned(),
        )],
    }
}
