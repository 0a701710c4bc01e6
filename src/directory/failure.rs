//! LDAP results as errors: kind, message and next step.

use crate::domain::ldap::LdapFailure;
use crate::error::{Error, ErrorKind, ServerAnswer};
use crate::model::domain_name::DomainName;

/// The error for a request without a result. `what` is the request and its object, such as `reading CN=x`.
pub(super) fn failed(failure: LdapFailure, server: &DomainName, what: &str) -> Error {
    match failure {
        LdapFailure::Result { code, text } => ldap_failure(code, &text, what),
        LdapFailure::NoAnswer { within } => Error::new(
            ErrorKind::Connect,
            format!("{what} got no answer within {} s", within.as_secs_f32()),
        )
        .with_hint(
            "check the DC, or raise --timeout; a change that was sent may still have been made",
        ),
        LdapFailure::ConnectionLost { cause } => Error::new(
            ErrorKind::Connect,
            format!("{what} failed because the connection to {server} was lost"),
        )
        .with_hint("try again; a change that was sent may still have been made")
        .with_source(cause),
        LdapFailure::NotSent { cause } => {
            Error::new(ErrorKind::Internal, format!("{what} could not be asked")).with_source(cause)
        }
        LdapFailure::TooMuch { limit } => Error::new(
            ErrorKind::BadDirectory,
            format!("{what} returned more than {limit}, the most that is accepted"),
        )
        .with_hint("check the domain controller: no domain has that many objects of this kind"),
        LdapFailure::Malformed(error) => error,
    }
}

/// The error for a result code [RFC 4511 A] with the server's text. `what` is the operation and its object, such as
/// `reading CN=x`.
pub(super) fn ldap_failure(code: u32, text: &str, what: &str) -> Error {
    use ErrorKind as K;
    let (kind, why, hint) = match code {
        1 | 2 | 80 => (
            K::BadDirectory,
            "the server reports an internal error",
            "look at the log of the DC",
        ),
        3 | 4 | 11 => (
            K::BadDirectory,
            "a limit of the server was reached",
            "raise the LDAP policy limits of the DC, or ask for less",
        ),
        7 => (
            K::Connect,
            "the server does not offer this way to log in",
            "use another one: Kerberos, LDAPS or StartTLS",
        ),
        8 | 13 => (
            K::Connect,
            "the server demands a protected connection",
            "use Kerberos (sealed), LDAPS or StartTLS",
        ),
        10 => (
            K::NotFound,
            "the server refers to another one, which is never followed",
            "name a DC of the right domain with --server",
        ),
        12 => (
            K::BadDirectory,
            "the server does not know a control that is needed",
            "check the version of the DC",
        ),
        16 => (
            K::Conflict,
            "the object has changed since it was read",
            "read it again and make a new plan",
        ),
        17 | 18 | 21 => (
            K::BadDirectory,
            "the server does not know an attribute or refuses its form",
            "check the schema of the domain",
        ),
        19 => (
            K::BadDirectory,
            "a value violates a rule of the directory",
            "look at the server's text",
        ),
        20 => (
            K::Conflict,
            "the value exists already",
            "read the object again and make a new plan",
        ),
        32 => (
            K::NotFound,
            "there is no such object",
            "check the name; another DC may not have replicated it yet",
        ),
        34 | 64 => (
            K::BadDirectory,
            "the server refuses the name",
            "check the name for characters a directory name cannot hold",
        ),
        48 => (
            K::Connect,
            "the server does not accept this kind of log-in",
            "use Kerberos or a password over TLS",
        ),
        49 => return credentials_refused(text, what),
        50 => (
            K::Denied,
            "the account may not do this",
            "log in with an account that has the right on this object",
        ),
        51 | 52 => (
            K::Connect,
            "the server is busy or not available",
            "try again, or name another DC with --server",
        ),
        53 => (
            K::Denied,
            "the server is unwilling",
            "look at the server's text; the DC may be read-only",
        ),
        65 | 69 => (
            K::BadDirectory,
            "the object would violate its class",
            "check the schema of the domain",
        ),
        66 => (
            K::Conflict,
            "the object still has children",
            "delete them first",
        ),
        68 => (
            K::Conflict,
            "an object of this name exists already",
            "choose another one",
        ),
        _ => (
            K::BadDirectory,
            "the server refused",
            "look at the server's text",
        ),
    };
    let error = Error::new(kind, format!("{what}: {why} (LDAP result {code})"))
        .with_hint(hint)
        .with_answer(ServerAnswer::Ldap(code));
    match one_line(text) {
        text if text.is_empty() => error,
        text => error.with_source(text),
    }
}

/// Result 49: AD reports the reason as `data 52e` in its text [MS-ADTS 5.1.1].
fn credentials_refused(text: &str, what: &str) -> Error {
    let data = text
        .split_once("data ")
        .and_then(|(_, after)| after.split(|c: char| !c.is_ascii_hexdigit()).next())
        .unwrap_or_default();
    let (why, hint) = match data {
        "525" => ("there is no such account", "check the spelling of the user"),
        "530" | "531" => (
            "the account may not log in now or from here",
            "check its log-on hours and workstations",
        ),
        "532" | "773" => (
            "the password has expired or must be changed",
            "change it and try again",
        ),
        "533" | "701" => (
            "the account is disabled or expired",
            "check the account in the directory",
        ),
        "775" => ("the account is locked", "unlock it, or wait"),
        _ => (
            "the user or the password is wrong",
            "check both; AD locks an account after several wrong passwords",
        ),
    };
    Error::new(ErrorKind::Connect, format!("{what}: {why}"))
        .with_hint(hint)
        .with_answer(ServerAnswer::Ldap(49))
}

/// The server's text on one line, without control characters, of limited length.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_right_kind() {
        for (code, kind) in [
            (16, ErrorKind::Conflict),
            (32, ErrorKind::NotFound),
            (50, ErrorKind::Denied),
            (8, ErrorKind::Connect),
            (68, ErrorKind::Conflict),
            (9999, ErrorKind::BadDirectory),
        ] {
            let error = ldap_failure(code, "x\u{0}\ny", "reading CN=x");
            assert_eq!(error.kind(), kind);
            assert_eq!(error.answer(), Some(ServerAnswer::Ldap(code)));
            assert!(error.hint().is_some());
            assert!(error.to_string().ends_with(": x y"), "{error}");
        }
    }

    #[test]
    fn refused_credentials_tell_why() {
        let text =
            "80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data 775, v4563";
        let error = ldap_failure(49, text, "the bind to dc");
        assert_eq!(error.message(), "the bind to dc: the account is locked");
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert_eq!(error.answer(), Some(ServerAnswer::Ldap(49)));
        let other = ldap_failure(49, "", "the bind to dc");
        assert!(other.message().contains("wrong"));
    }
}
