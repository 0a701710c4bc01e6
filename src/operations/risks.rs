//! What a GPO does with power: settings that run code on clients or grant rights. They are shown before they are written, so
//! that nobody lets them into a domain unseen. What is listed is not wrong; it is what to look at.

mod preferences;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;

use crate::formats::gpt_tmpl::{GptTmpl, Membership, Setting};
use crate::formats::ini::IniLine;
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
    /// A client-side extension that does not come with Windows: what it does is not known here.
    UnknownExtension,
}

impl RiskKind {
    /// For people.
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
        }
    }
}

/// A setting that runs code or grants rights.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Risk {
    /// How.
    pub kind: RiskKind,
    /// What it does, in few words; names and SIDs as the settings have them.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// Every setting of a snapshot that runs code or grants rights, by file, then the packages, then the extensions. A file that
/// does not parse gives none; [`crate::migration::scan::scan`] reports it.
pub fn of(snapshot: &GpoSnapshot) -> Vec<Risk> {
    of_parts(
        &snapshot.tree,
        snapshot.directory_objects.iter(),
        &snapshot.machine_extensions,
        &snapshot.user_extensions,
    )
}

/// As [`of`], for settings that are in no snapshot yet.
pub(super) fn of_parts<'a>(
    tree: &GptTree,
    objects: impl Iterator<Item = &'a DirectoryObject>,
    machine_extensions: &ExtensionList,
    user_extensions: &ExtensionList,
) -> Vec<Risk> {
    let mut risks = Vec::new();
    for (path, content) in tree.files() {
        match GptFileFormat::of(path) {
            Some(GptFileFormat::GptTmpl) => risks.extend(security_settings(path, content)),
            Some(GptFileFormat::Scripts | GptFileFormat::PsScripts) => {
                risks.extend(scripts(path, content));
            }
            Some(GptFileFormat::Preferences) => {
                risks.extend(preferences::risks(path, content));
            }
            _ => {}
        }
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

fn place(path: &RelPath, line: &IniLine<'_>) -> Place {
    Place::file(path.to_string())
        .section(line.section.unwrap_or_default())
        .line(line.number)
}

fn security_settings(path: &RelPath, content: &Bytes) -> Vec<Risk> {
    let Ok(file) = GptTmpl::parse(content) else {
        return Vec::new();
    };
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
                    // An empty list of groups says nothing; an empty list of members removes all of them.
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
                    "2" => "starts by itself",
                    "3" => "starts on demand",
                    "4" => "is disabled",
                    _ => "keeps its startup",
                };
                let rights = if sddl.is_empty() {
                    ""
                } else {
                    ", with permissions of its own"
                };
                Some(Risk {
                    kind: RiskKind::Service,
                    text: format!("{name} {start}{rights}"),
                    place: place.key(name),
                })
            }
            _ => None,
        }
    };
    file.settings().filter_map(risk).collect()
}

fn scripts(path: &RelPath, content: &Bytes) -> Vec<Risk> {
    let Ok(file) = Scripts::parse(content) else {
        return Vec::new();
    };
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
        Some(Risk {
            kind: RiskKind::Script,
            text: format!("{command}{with} at {when}"),
            place: place(path, &line).key(key),
        })
    };
    file.scripts().filter_map(risk).collect()
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
    // A ZAP package has no list of files.
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
            .map(|(extension, _)| unknown(format!("{extension} is no extension of Windows")))
            .collect(),
        Err(_) => vec![unknown(
            "the list of extensions is not well formed".to_owned(),
        )],
    }
}
