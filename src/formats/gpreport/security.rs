//! The settings of GptTmpl.inf in a report.

use super::permissions;
use super::xml::Report;
use crate::formats::gpt_tmpl::{self, GptTmpl, Membership, Setting};
use crate::formats::ini::{self, IniLine};
use crate::model::grant::SecuredObject;
use crate::model::registry_secrets;
use crate::model::sddl::from_sddl;

/// Password and lockout settings of `[System Access]`, with their category in GPMC.
const ACCOUNT: &[(&str, &str)] = &[
    ("MinimumPasswordAge", "Password"),
    ("MaximumPasswordAge", "Password"),
    ("MinimumPasswordLength", "Password"),
    ("PasswordComplexity", "Password"),
    ("PasswordHistorySize", "Password"),
    ("ClearTextPassword", "Password"),
    ("LockoutBadCount", "Account Lockout"),
    ("ResetLockoutCount", "Account Lockout"),
    ("LockoutDuration", "Account Lockout"),
];
/// Boolean settings.
const BOOLEAN: &[&str] = &[
    "PasswordComplexity",
    "ClearTextPassword",
    "TicketValidateClient",
];
/// Types of registry values [MS-GPSB 2.2.5].
const NUMBER: u32 = 4;
const LIST: u32 = 7;

/// The sort key of a setting in the extension: GPMC writes settings in the order of its editor, whatever the order of
/// the template.
fn place(line: &IniLine<'_>, setting: &Setting<'_>) -> u8 {
    match setting {
        Setting::Other { key, .. } if line.is_in("System Access") => {
            let is_account = ACCOUNT
                .iter()
                .any(|(name, _)| ini::eq_ignore_case(name, key));
            if is_account { 0 } else { 3 }
        }
        Setting::Other { .. } if line.is_in("Kerberos Policy") => 0,
        Setting::Other { .. } if line.is_in("Event Audit") => 1,
        Setting::PrivilegeRight { .. } => 2,
        Setting::RegistryValue { .. } => 3,
        Setting::Other { .. } => 4,
        Setting::GroupMembership { .. } => 5,
        Setting::Secured { .. } if line.is_in("Service General Setting") => 6,
        Setting::Secured { .. } if line.is_in("Registry Keys") => 7,
        Setting::Secured { .. } => 8,
    }
}

/// The content of the extension `SecuritySettings`.
pub(super) fn write(report: &mut Report, template: &GptTmpl) {
    let mut settings: Vec<_> = template.settings().collect();
    settings.sort_by_key(|(line, setting)| place(line, setting));
    let mut groups_written = false;
    for (line, setting) in settings {
        let text = |span: std::ops::Range<usize>| line.text.get(span).unwrap_or_default();
        match setting {
            Setting::PrivilegeRight { right, members } => {
                report.open("q1:UserRightsAssignment");
                report.leaf("q1:Name", right);
                listed(report, &line, members);
                report.close();
            }
            // The two lines of a group become one element.
            Setting::GroupMembership { .. } if groups_written => {}
            Setting::GroupMembership { .. } => {
                restricted_groups(report, template);
                groups_written = true;
            }
            Setting::Secured { name, mode, sddl } => {
                secured(report, &line, text(name), text(mode), text(sddl));
            }
            Setting::RegistryValue {
                path,
                value_type,
                data,
            } => {
                report.open("q1:SecurityOptions");
                report.leaf("q1:KeyName", path);
                match value_type {
                    _ if registry_secrets::is_secret(path, "") => {
                        report.leaf("q1:SettingString", registry_secrets::NOT_SHOWN);
                    }
                    NUMBER => report.leaf("q1:SettingNumber", text(data)),
                    LIST => {
                        report.open("q1:SettingStrings");
                        for string in gpt_tmpl::strings(text(data)) {
                            report.leaf("q1:Value", &string);
                        }
                        report.close();
                    }
                    _ => report.leaf("q1:SettingString", text(data)),
                }
                report.close();
            }
            Setting::Other { key, value } => other(report, &line, key, value),
        }
    }
    report.flag("q1:Blocked", false);
}

/// `[Group Membership]`: one element for each group.
fn restricted_groups(report: &mut Report, template: &GptTmpl) {
    let mut groups: Vec<(String, Vec<(&str, String)>)> = Vec::new();
    for (line, setting) in template.settings() {
        let Setting::GroupMembership {
            group,
            side,
            members,
        } = setting
        else {
            continue;
        };
        let text = |span: std::ops::Range<usize>| line.text.get(span).unwrap_or_default();
        let tag = match side {
            Membership::Members => "q1:Member",
            Membership::MemberOf => "q1:Memberof",
        };
        let group = text(group);
        let members = ini::list_items(line.text, members, ',')
            .into_iter()
            .map(|span| (tag, text(span).to_owned()));
        match groups
            .iter_mut()
            .find(|(known, _)| ini::eq_ignore_case(known, group))
        {
            Some((_, known)) => known.extend(members),
            None => groups.push((group.to_owned(), members.collect())),
        }
    }
    for (group, members) in groups {
        report.open("q1:RestrictedGroups");
        report.listed_principal("q1:GroupName", &group);
        for (tag, member) in members {
            report.listed_principal(tag, &member);
        }
        report.close();
    }
}

/// Formats a number as GPMC does: without a sign.
fn unsigned(value: &str) -> String {
    match value.parse::<i32>() {
        Ok(number) => number.cast_unsigned().to_string(),
        Err(_) => value.to_owned(),
    }
}

fn listed(report: &mut Report, line: &IniLine<'_>, members: std::ops::Range<usize>) {
    for span in ini::list_items(line.text, members, ',') {
        report.listed_principal("q1:Member", line.text.get(span).unwrap_or_default());
    }
}

fn secured(report: &mut Report, line: &IniLine<'_>, name: &str, mode: &str, sddl: &str) {
    // Aliases such as DA refer to the domain of the client, which is not known here.
    let descriptor = from_sddl(sddl, None).ok();
    if line.is_in("Service General Setting") {
        report.open("q1:SystemServices");
        report.leaf("q1:Name", name);
        let startup = match mode {
            "2" => Some("Automatic"),
            "3" => Some("Manual"),
            "4" => Some("Disabled"),
            _ => None,
        };
        if let Some(startup) = startup {
            report.leaf("q1:StartupMode", startup);
        }
    } else {
        let is_file = line.is_in("File Security");
        report.open(if is_file { "q1:File" } else { "q1:Registry" });
        report.leaf("q1:Path", name);
    }
    let what = if line.is_in("Registry Keys") {
        SecuredObject::RegistryKey
    } else {
        SecuredObject::File
    };
    report.open("q1:SecurityDescriptor");
    match descriptor {
        // GPMC shows the text of the file.
        Some(found) => permissions::descriptor(report, &found, sddl, what),
        None => permissions::none(report, sddl),
    }
    report.close();
    if !line.is_in("Service General Setting") && mode == "0" {
        // Real reports have this spelling.
        report.leaf("q1:Mode", "Propogate");
    }
    report.close();
}

fn other(report: &mut Report, line: &IniLine<'_>, key: &str, value: &str) {
    let account = ACCOUNT
        .iter()
        .find(|(name, _)| ini::eq_ignore_case(name, key));
    let kind = match account {
        Some((_, kind)) if line.is_in("System Access") => Some(*kind),
        _ if line.is_in("Kerberos Policy") => Some("Kerberos"),
        _ => None,
    };
    if let Some(kind) = kind {
        report.open("q1:Account");
        report.leaf("q1:Name", key);
        if BOOLEAN.iter().any(|name| ini::eq_ignore_case(name, key)) {
            report.flag("q1:SettingBoolean", value != "0");
        } else {
            report.leaf("q1:SettingNumber", &unsigned(value));
        }
        report.leaf("q1:Type", kind);
        report.close();
    } else if line.is_in("System Access") {
        report.open("q1:SecurityOptions");
        report.leaf("q1:SystemAccessPolicyName", key);
        let tag = if value.parse::<i64>().is_ok() {
            "q1:SettingNumber"
        } else {
            "q1:SettingString"
        };
        report.leaf(tag, value);
        report.close();
    } else if line.is_in("Event Audit") {
        let bits: u32 = value.parse().unwrap_or(0);
        report.open("q1:Audit");
        report.leaf("q1:Name", key);
        report.flag("q1:SuccessAttempts", bits & 1 != 0);
        report.flag("q1:FailureAttempts", bits & 2 != 0);
        report.close();
    } else {
        let log = [
            ("System Log", "System"),
            ("Security Log", "Security"),
            ("Application Log", "Application"),
        ];
        if let Some((_, log)) = log.iter().find(|(section, _)| line.is_in(section)) {
            report.open("q1:EventLog");
            report.leaf("q1:Name", key);
            report.leaf("q1:Log", log);
            report.leaf("q1:SettingNumber", value);
            report.close();
        }
    }
}
