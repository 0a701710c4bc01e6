//! The settings of GptTmpl.inf.

use bytes::Bytes;

use super::{Risk, RiskKind, access, auditing, place, registry};
use crate::formats::gpt_tmpl::{GptTmpl, Membership, Setting};
use crate::formats::ini::IniLine;
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
