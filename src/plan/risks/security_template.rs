//! The settings of GptTmpl.inf.

use std::collections::HashSet;

use bytes::Bytes;

use super::list::RiskList;
use super::{Risk, RiskKind, access, auditing, place, registry};
use crate::formats::gpt_tmpl::{GptTmpl, Membership, Setting};
use crate::formats::ini::{IniLine, LineKind};
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;

/// The risks of a file; `None` when it does not parse.
pub(super) fn risks(path: &RelPath, content: &Bytes) -> Option<Vec<Risk>> {
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
                let fault = access::fault_for_others(access::Secures::Service, sddl);
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
            // Files and keys that everybody may change, or others than administrators where Windows is.
            Setting::Secured { name, sddl, .. } => {
                let (name, sddl) = (part(name), part(sddl));
                let fault = match is_of_windows(name) {
                    true => access::fault_for_others,
                    false => access::fault,
                };
                let text = match fault(access::Secures::FileOrKey, sddl)? {
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
                let kind = match weak {
                    true if registry::number(value) != Some(0) => RiskKind::Credentials,
                    false if is_weaker(key, value) => RiskKind::AccountPolicy,
                    _ => return None,
                };
                Some(Risk {
                    kind,
                    text: format!("{key} = {value}"),
                    place: place.key(key),
                })
            }
            // [MS-GPSB 2.2.2]
            Setting::Other { key, value } if line.is_in("Kerberos Policy") => is_weaker(key, value)
                .then(|| Risk {
                    kind: RiskKind::AccountPolicy,
                    text: format!("{key} = {value}"),
                    place: place.key(key),
                }),
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
    let mut risks: RiskList = file.settings().filter_map(risk).collect();
    risks.extend(unusual_lines(path, &file));
    Some(risks.into_vec())
}

/// The most lines in an unusual form that are named.
const MOST_NAMED: usize = 5;

/// The lines that a client, which reads the file by the rules of INF files, may read otherwise than gpoctl: names in brackets with blanks around
/// them or text after them, keys in quotes, lines that go on in the next one, strings by name, and what does not fit its section.
fn unusual_lines(path: &RelPath, file: &GptTmpl) -> Option<Risk> {
    let fitting: HashSet<usize> = file.settings().map(|(line, _)| line.number).collect();
    let has_strings = file.ini.lines().any(|line| line.is_in("Strings"));
    let is_unusual = |line: &IniLine<'_>| {
        let text = line.text.trim();
        match line.kind {
            LineKind::Blank | LineKind::Comment => false,
            LineKind::Section(name) => {
                let end = text.rsplit_once(']').map_or("", |(_, end)| end.trim());
                name != name.trim()
                    || name.contains('"')
                    || !(end.is_empty() || end.starts_with(';'))
            }
            LineKind::Pair { .. } | LineKind::Other => {
                let is_list = SECURED.iter().any(|section| line.is_in(section));
                line.section.is_none()
                    || line.is_in("Strings")
                    || text.ends_with('\\')
                    || (text.starts_with('"') && !is_list)
                    || (has_strings && text.matches('%').count() > 1)
                    || !fitting.contains(&line.number)
            }
        }
    };
    let mut lines = file.ini.lines().filter(is_unusual);
    let numbers = lines.by_ref().map(|line| line.number.to_string());
    let named: Vec<String> = numbers.take(MOST_NAMED).collect();
    let which = match (named.as_slice(), lines.count()) {
        ([], _) => return None,
        ([one], _) => format!("line {one} is"),
        (named, 0) => format!("lines {} are", named.join(", ")),
        (named, more) => format!("lines {} and {more} more are", named.join(", ")),
    };
    Some(Risk {
        kind: RiskKind::UnusualForm,
        text: format!("{which} written in an unusual form: a client may read it otherwise"),
        place: Place::file(path.to_string()),
    })
}

/// The sections of which each line begins with a name that may be in quotes.
const SECURED: [&str; 3] = ["Service General Setting", "File Security", "Registry Keys"];

/// Files and keys from which Windows runs programs: permissions to change them are permissions to run code as SYSTEM.
fn is_of_windows(name: &str) -> bool {
    let name = name.to_lowercase().replace('/', "\\");
    let name = name.trim_matches('"');
    const FOLDERS: [&str; 8] = [
        "%systemroot%",
        "%windir%",
        "%systemdirectory%",
        "%programfiles%",
        "%programfiles(x86)%",
        "%programdata%",
        "%systemdrive%",
        "%allusersprofile%",
    ];
    const BELOW_DRIVE: [&str; 4] = [
        "windows",
        "program files",
        "program files (x86)",
        "programdata",
    ];
    let drive = name.get(1..).and_then(|rest| rest.strip_prefix(":\\"));
    let first = drive.map(|rest| rest.split('\\').next().unwrap_or_default());
    FOLDERS.iter().any(|folder| name.starts_with(folder))
        || first.is_some_and(|first| {
            first.is_empty() || BELOW_DRIVE.contains(&first) || first.contains('~')
        })
        || name.starts_with("machine\\system")
        || name.starts_with("machine\\software")
        || matches!(name, "machine" | "classes_root" | "users")
        || name.starts_with("classes_root\\")
}

/// Rules of passwords, lockout and tickets that are weaker than in a new domain: 7 characters, complexity, lockout, tickets of 10
/// hours, renewal for 7 days, 5 minutes of difference between clocks.
fn is_weaker(key: &str, value: &str) -> bool {
    let Some(number) = registry::number(value) else {
        return false;
    };
    match key.to_ascii_lowercase().as_str() {
        "minimumpasswordlength" => number < 7,
        "passwordcomplexity" | "lockoutbadcount" | "passwordhistorysize" => number == 0,
        "enableadminaccount" => number != 0,
        "ticketvalidateclient" => number == 0,
        "maxticketage" => number == 0 || number > 10,
        "maxrenewage" => number == 0 || number > 7,
        "maxserviceage" => number == 0 || number > 600,
        "maxclockskew" => number > 5,
        _ => false,
    }
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
