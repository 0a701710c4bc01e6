//! Errors of GSSAPI and Kerberos, in gpoctl's words.

use crate::error::{Error, ErrorKind};

/// A GSSAPI error with its text. The library keeps the text per thread, so it is fetched on the thread of the call.
pub(super) struct GssFailure {
    minor: u32,
    text: String,
}

impl From<libgssapi::error::Error> for GssFailure {
    fn from(error: libgssapi::error::Error) -> Self {
        let text = error.to_string();
        let words: Vec<&str> = text.split_whitespace().collect();
        Self {
            minor: error.minor,
            text: useful_part(&words.join(" ")).to_owned(),
        }
    }
}

/// What Kerberos itself reports: GSSAPI puts it into brackets after a sentence that is the same for every failure.
fn useful_part(text: &str) -> &str {
    const NOTHING: &str = "Minor code may provide more information";
    // The last pair of brackets at the end of the text; there may be others within it.
    let mut depth = 0_usize;
    let open = text
        .rfind(')')
        .filter(|end| end + 1 == text.len())
        .and_then(|_| {
            text.char_indices().rev().find_map(|(at, c)| {
                match c {
                    ')' => depth += 1,
                    '(' => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(at)
            })
        });
    let inner = open
        .and_then(|open| text.get(open + 1..text.len() - 1))
        .map(str::trim)
        .filter(|inner| !inner.is_empty());
    match inner {
        Some(inner) if !inner.contains(NOTHING) => inner,
        _ => text,
    }
}

/// The error codes of libkrb5 begin here; below 128 above it they are those of [RFC 4120 7.5.9].
const KRB5_BASE: u32 = (-1_765_328_384_i32).cast_unsigned();

/// An error of GSSAPI in gpoctl's words, with the library's words as its cause.
///
/// `label` names the credential, `service` what it was used for. `ticket` is the principal of the tickets that were used,
/// where they come from a cache.
pub(super) fn failure(
    label: &str,
    ticket: Option<&str>,
    service: Option<&str>,
    error: GssFailure,
) -> Error {
    let code = error.minor.wrapping_sub(KRB5_BASE);
    let (message, hint) = match (ticket, service) {
        (Some(ticket), Some(service)) if other_realm(ticket, service) => (
            format!("the ticket in the cache is for {ticket}, which cannot be used for {service}"),
            format!(
                "run kinit for an account of {}, or use --user and --password-file",
                realm_of(service)
            ),
        ),
        _ => explain(code, &error.text, label, service),
    };
    Error::new(ErrorKind::Connect, message)
        .with_hint(hint)
        .with_source(error.text)
}

/// Whether two principals are of different realms.
fn other_realm(one: &str, other: &str) -> bool {
    let (one, other) = (realm_of(one), realm_of(other));
    !one.is_empty() && !other.is_empty() && !one.eq_ignore_ascii_case(other)
}

/// The realm of a principal; empty when it has none.
fn realm_of(principal: &str) -> &str {
    match principal.rsplit_once('@') {
        // `service@host` is a host-based service name [RFC 2743 4.1], whose realm is not known.
        Some((name, realm)) if name.contains('/') || realm.chars().any(char::is_uppercase) => realm,
        _ => "",
    }
}

/// Sentence and hint for a Kerberos error code [RFC 4120 7.5.9], or for what the library's text gives away.
fn explain(code: u32, library: &str, label: &str, service: Option<&str>) -> (String, String) {
    let service = service.unwrap_or("the service");
    let has = |text: &str| library.contains(text);
    match code {
        6 => (
            format!("the KDC does not know {label}"),
            "check the spelling of the user and the realm; for an account whose logon name has another suffix than the \
             domain, write DOM\\NAME"
                .to_owned(),
        ),
        7 => (
            format!("the KDC does not know the service {service}"),
            "give the DNS name of the domain controller with --server, and its domain with --domain"
                .to_owned(),
        ),
        14 => (
            format!("the KDC and {label} have no encryption type in common"),
            "check permitted_enctypes in krb5.conf, and the encryption types of the account".to_owned(),
        ),
        12 | 18 => (
            format!("the account of {label} is disabled, locked, expired or not allowed to log in now"),
            "check the account in the directory".to_owned(),
        ),
        23 => (
            format!("the password of {label} has expired or must be changed"),
            "change it, for example with kpasswd, and try again".to_owned(),
        ),
        24 | 31 => (
            format!("the KDC refused the password of {label}"),
            "check the password; Active Directory locks an account after several wrong ones".to_owned(),
        ),
        32 => (
            format!("the ticket of {label} has expired"),
            "run kinit again".to_owned(),
        ),
        37 => (
            format!("the clocks of this machine and of the KDC for {label} are too far apart"),
            "set the clock, for example with chronyd; Kerberos allows five minutes".to_owned(),
        ),
        41 => (
            format!("a Kerberos message for {label} was changed on the way"),
            "another machine may be answering in place of the domain controller: check the network path".to_owned(),
        ),
        154 | 156 => (
            format!("no KDC can be reached for {label}"),
            "name the KDC of the realm in krb5.conf, and check that port 88 is open".to_owned(),
        ),
        _ if has("Clock skew") => explain(37, "", label, Some(service)),
        _ if has("Cannot contact any KDC") || has("Cannot find KDC") => {
            explain(156, "", label, Some(service))
        }
        _ if has("did not match expectations") => (
            format!("the answer of the KDC for {label} is not the one that was asked for"),
            "another machine may be answering in place of the KDC: check krb5.conf and the network path"
                .to_owned(),
        ),
        _ if has("expired") => explain(32, "", label, Some(service)),
        _ if has("No credentials cache")
            || has("No Kerberos credentials")
            || has("find credentials") =>
        {
            (
                format!("{label} contains no usable Kerberos ticket"),
                "run kinit, or use --user and --password-file".to_owned(),
            )
        }
        _ => (
            format!("kerberos failed for {label} with {service}"),
            "set KRB5_TRACE=/dev/stderr to see what the library does".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_texts_become_sentences() {
        let (message, _) = explain(24, "", "joe@A", None);
        assert_eq!(message, "the KDC refused the password of joe@A");
        let (message, hint) = explain(0, "Clock skew too great", "joe@A", None);
        assert!(message.contains("clocks") && hint.contains("clock"));
        let (message, _) = explain(7, "", "joe@A", Some("ldap/dc@B"));
        assert_eq!(message, "the KDC does not know the service ldap/dc@B");
        // KRB5KDC_ERR_PREAUTH_FAILED as libkrb5 numbers it.
        assert_eq!((-1_765_328_360_i32).cast_unsigned() - KRB5_BASE, 24);
    }

    #[test]
    fn only_the_words_of_kerberos_are_kept() {
        for (text, useful) in [
            (
                "No credentials were supplied, or the credentials were unavailable or inaccessible (Preauthentication failed)",
                "Preauthentication failed",
            ),
            (
                "Unspecified GSS failure. Minor code may provide more information (Clock skew too great)",
                "Clock skew too great",
            ),
            (
                "Unspecified GSS failure (Minor code may provide more information)",
                "Unspecified GSS failure (Minor code may provide more information)",
            ),
            (
                "No credentials were supplied (No Kerberos credentials available (default cache: FILE:/tmp/none))",
                "No Kerberos credentials available (default cache: FILE:/tmp/none)",
            ),
            ("no brackets", "no brackets"),
            (") no pair", ") no pair"),
            ("no pair)", "no pair)"),
        ] {
            assert_eq!(useful_part(text), useful);
        }
    }

    #[test]
    fn a_ticket_of_another_realm_is_named() {
        let error = |ticket: &str| {
            let cause = GssFailure {
                minor: KRB5_BASE + 7,
                text: "Server not found in Kerberos database".to_owned(),
            };
            failure(
                "the default ticket cache",
                Some(ticket),
                Some("ldap/dc@B.TEST"),
                cause,
            )
        };
        let other = error("joe@A.TEST");
        assert!(other.message().contains("is for joe@A.TEST"), "{other}");
        assert!(other.hint().unwrap().contains("B.TEST"));
        assert!(
            error("joe@B.TEST")
                .message()
                .contains("does not know the service")
        );
    }
}
