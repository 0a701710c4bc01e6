//! Variables in names and paths: those that each client completes, and all others.
//!
//! A client completes the variables of Windows and, in Preferences, those that their extensions set ("Variables in Preference Items",
//! Microsoft's help of the Preferences editor, technet cc753915; the editor lists them with F3). In a migration table any other `%name%`
//! is a placeholder of a template, and in a setting a mistake, unless clients set an environment variable of this name.

use std::ops::Range;

use crate::message::{Code, StatusMessage, printable};
use crate::model::reference::Place;

use super::inventory::NameForm;

/// The variables that Windows itself sets for a computer or a user, also with Remote Desktop and OneDrive.
const WINDOWS_VARIABLES: &[&str] = &[
    "allusersprofile",
    "appdata",
    "clientname",
    "commonprogramfiles",
    "commonprogramfiles(x86)",
    "commonprogramw6432",
    "computername",
    "comspec",
    "driverdata",
    "homedrive",
    "homepath",
    "homeshare",
    "localappdata",
    "logonserver",
    "number_of_processors",
    "onedrive",
    "onedrivecommercial",
    "onedriveconsumer",
    "os",
    "path",
    "pathext",
    "processor_architecture",
    "processor_identifier",
    "processor_level",
    "processor_revision",
    "programdata",
    "programfiles",
    "programfiles(x86)",
    "programw6432",
    "public",
    "sessionname",
    "systemdrive",
    "systemroot",
    "temp",
    "tmp",
    "userdnsdomain",
    "userdomain",
    "userdomain_roamingprofile",
    "username",
    "userprofile",
    "windir",
];

/// The variables of Group Policy Preferences, which their client-side extensions expand, without those of Windows.
const PREFERENCES_VARIABLES: &[&str] = &[
    "appdatadir",
    "binarycomputersid",
    "binaryusersid",
    "commonappdatadir",
    "commondesktopdir",
    "commonfavoritesdir",
    "commonprogramsdir",
    "commonstartmenudir",
    "commonstartupdir",
    "currentprocessid",
    "currentthreadid",
    "datetime",
    "datetimeex",
    "desktopdir",
    "domainname",
    "favoritesdir",
    "gphpath",
    "gptpath",
    "grouppolicyversion",
    "lastdrivemapped",
    "lasterror",
    "lasterrortext",
    "ldapcomputersid",
    "ldapusersid",
    "localtime",
    "localtimeex",
    "logondomain",
    "logonuser",
    "logonusersid",
    "macaddress",
    "netplacesdir",
    "osversion",
    "programfilesdir",
    "programsdir",
    "recentdocumentsdir",
    "resultcode",
    "resulttext",
    "reversedcomputersid",
    "reversedusersid",
    "sendtodir",
    "startmenudir",
    "startupdir",
    "systemdir",
    "tempdir",
    "timestamp",
    "tracefile",
    "windowsdir",
];

/// Whether clients complete the variable of this name, given in lower case.
fn is_known(name: &str) -> bool {
    WINDOWS_VARIABLES.contains(&name) || PREFERENCES_VARIABLES.contains(&name)
}

/// Whether a variable in the destination of a UNC path is left for the client: a variable that clients expand, or one
/// of the source. Both are given in lower case.
pub(super) fn is_client_variable(name: &str, source: &str) -> bool {
    is_known(name) || source.contains(&format!("%{name}%"))
}

/// Whether the text between two percent signs in the destination of a principal, given in lower case, is left as it is: a variable
/// that clients complete, or part of a name, because a placeholder has no blanks.
pub(super) fn is_left_in_principal(name: &str) -> bool {
    is_known(name) || name.contains(char::is_whitespace)
}

/// The names of the variables in the name of a principal, a computer, a domain or an OU. Percent signs are legal in such a name, so
/// only what can be the name of a variable counts.
fn variables_of_name(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '(' | ')'))
    };
    names(text).filter(is_name)
}

/// The first variable in a name that no client completes, without percent signs.
pub(super) fn unknown_variable(text: &str) -> Option<&str> {
    variables_of_name(text).find(|name| !is_known(&name.to_lowercase()))
}

/// Whether each client completes the name itself, so that no domain contains it as it is written.
pub(super) fn is_completed_by_client(text: &str) -> bool {
    let mut variables = variables_of_name(text).peekable();
    variables.peek().is_some() && variables.all(|name| is_known(&name.to_lowercase()))
}

/// Whether the domain of a name is fixed, so that a table can map it, or the name has no domain and no variable.
pub(super) fn has_fixed_domain(name: &str) -> bool {
    match NameForm::of(name).domain() {
        Some(domain) => !domain.contains('%'),
        None => !name.contains('%'),
    }
}

/// The finding for a reference whose name contains a variable that no client completes; `None` for any other text.
pub(super) fn unknown_variable_in(name: &str, place: &Place) -> Option<StatusMessage> {
    let variable = unknown_variable(name)?;
    Some(
        StatusMessage::warning(
            Code::UnknownVariable,
            format!(
                "\"{}\" contains %{}%, which is not a variable of Windows or of Preferences, so clients do not find the name",
                printable(name),
                printable(variable)
            ),
        )
        .at(place.clone())
        .with_hint("write the name itself, or a variable that clients complete, such as %DomainName% or %ComputerName%"),
    )
}

/// The note that a name that is written cannot be looked up. `what` is the destination of a row.
pub(super) fn completed_by_client(what: &str, name: &str) -> StatusMessage {
    StatusMessage::info(
        Code::ClientVariable,
        format!(
            "{what} \"{}\" is completed by each client, so it cannot be checked",
            printable(name)
        ),
    )
}

/// The names of all `%name%` in a text.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    placeholders(text).filter_map(|span| text.get(span)?.strip_prefix('%')?.strip_suffix('%'))
}

/// The first `%name%` in a text for which `legal` returns false; it is called with the name in lower case.
pub(super) fn placeholder(text: &str, legal: impl Fn(&str) -> bool) -> Option<&str> {
    names(text).find(|name| !legal(&name.to_lowercase()))
}

/// The spans of all `%name%` in a text, including the percent signs.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0_usize;
    std::iter::from_fn(move || {
        loop {
            let start = from.saturating_add(text.get(from..)?.find('%')?);
            let inner = start.saturating_add(1);
            let end = inner.saturating_add(text.get(inner..)?.find('%')?);
            let name = text.get(inner..end)?;
            // Percent signs with a backslash or `@` between them are not a pair.
            if name.is_empty() || name.contains(['\\', '@']) {
                from = inner;
                continue;
            }
            from = end.saturating_add(1);
            return Some(start..from);
        }
    })
}
