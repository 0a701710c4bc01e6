//! Why a login, or the share after it, was refused, with a next step.

use smb2::types::status::NtStatus;

use crate::auth::Identity;
use crate::error::{Error, ErrorKind, ServerAnswer};
use crate::sysvol::connect::{SmbAuth, SmbSettings};

/// STATUS_TIME_DIFFERENCE_AT_DC [MS-ERREF 2.3.1].
const TIME_DIFFERENCE_AT_DC: NtStatus = NtStatus(0xC000_0133);

/// Who logs in.
fn account(settings: &SmbSettings) -> String {
    match &settings.auth {
        SmbAuth::Kerberos(Identity::Password { user, .. }) => user.clone(),
        SmbAuth::Kerberos(Identity::TicketCache { .. }) => "the ticket cache".to_owned(),
        SmbAuth::Ntlm { domain, user, .. } => format!("{domain}\\{user}"),
    }
}

/// The login succeeded, and the share SYSVOL could not be opened.
pub(super) fn no_share(settings: &SmbSettings, cause: smb2::Error) -> Error {
    let server = &settings.server;
    // The login is for the server that was named, and for no other.
    if let smb2::Error::ShareRedirected { .. } = cause {
        return Error::new(
            ErrorKind::BadDirectory,
            format!("{server} refers to another server for the share SYSVOL"),
        )
        .with_source(cause)
        .with_hint(
            "no other server is followed: connect to the domain controller that has the share",
        );
    }
    let (kind, status, message, hint) = match cause.status() {
        Some(status @ NtStatus::ACCESS_DENIED) => (
            ErrorKind::Denied,
            status,
            format!(
                "{server} refused {} access to the share SYSVOL",
                account(settings)
            ),
            "use another account, or check the permissions of the share itself (Samba: valid users in smb.conf; Windows: Get-SmbShareAccess SYSVOL)",
        ),
        // Also from a Windows DC that has not finished its first replication.
        Some(status @ NtStatus::BAD_NETWORK_NAME) => (
            ErrorKind::Connect,
            status,
            format!("{server} has no share SYSVOL"),
            "check that the server is a domain controller; a new one shares SYSVOL only after its first replication",
        ),
        _ => return no_session(settings, cause),
    };
    Error::new(kind, message)
        .with_source(cause)
        .with_hint(hint)
        .with_answer(ServerAnswer::NtStatus(status.0))
}

/// The login did not succeed.
pub(super) fn no_session(settings: &SmbSettings, cause: smb2::Error) -> Error {
    let server = &settings.server;
    let who = account(settings);
    let has_ticket = matches!(settings.auth, SmbAuth::Kerberos(_));
    let (message, hint) = match &cause {
        // The KDC has accepted the password, or there was none.
        smb2::Error::Protocol { status, .. }
            if has_ticket && *status == NtStatus::LOGON_FAILURE =>
        {
            (
                format!("{server} refused {who} over SMB: it cannot use the Kerberos ticket"),
                "check that the address is that of the domain controller, and whether its computer account is in order",
            )
        }
        smb2::Error::Protocol { status, .. } => why_refused(*status, server.as_str(), &who),
        smb2::Error::SignatureInvalid { .. } => (
            format!(
                "the answer of {server} to the SMB login is not signed with the key of this login"
            ),
            "another machine may be answering in place of the domain controller, or a clock is wrong: check the address, the network path and the clock",
        ),
        smb2::Error::GuestSessionRefused { .. } => (
            format!("{server} offers {who} a guest session over SMB, which is not accepted"),
            "check the account and its password",
        ),
        smb2::Error::Timeout => (
            format!("{server} did not answer the SMB login in time"),
            "check the domain controller and the network, or raise --timeout",
        ),
        smb2::Error::Disconnected | smb2::Error::Io(_) => (
            format!("{server} closed the connection during the SMB login"),
            "check that the address is that of the domain controller, and its log",
        ),
        _ => (
            format!("the SMB login of {who} at {server} failed"),
            "check the account, its password or ticket, and the clock",
        ),
    };
    Error::new(ErrorKind::Connect, message)
        .with_source(cause)
        .with_hint(hint)
}

/// Sentence and hint for the status of a refused login [MS-ERREF 2.3.1].
fn why_refused(status: NtStatus, server: &str, who: &str) -> (String, &'static str) {
    let (why, hint) = match status {
        NtStatus::LOGON_FAILURE => (
            "the user or the password is wrong",
            "check both; Active Directory locks an account after several wrong passwords",
        ),
        NtStatus::PASSWORD_EXPIRED | NtStatus::PASSWORD_MUST_CHANGE => (
            "the password has expired or must be changed",
            "change it, for example with kpasswd, and try again",
        ),
        NtStatus::ACCOUNT_DISABLED | NtStatus::ACCOUNT_EXPIRED => (
            "the account is disabled or expired",
            "check the account in the directory",
        ),
        NtStatus::ACCOUNT_LOCKED_OUT => ("the account is locked", "unlock it, or wait"),
        NtStatus::ACCOUNT_RESTRICTION => (
            "the account is not allowed to log in now or in this way",
            "check its log-on hours, and whether it is in the group Protected Users, which excludes NTLM",
        ),
        TIME_DIFFERENCE_AT_DC => (
            "the clocks of this machine and of the domain controller are too far apart",
            "set the clock, for example with chronyd; Kerberos allows five minutes",
        ),
        _ => (
            "the login was not accepted",
            "check the account, its password or ticket, and the clock",
        ),
    };
    (format!("{server} refused {who} over SMB: {why}"), hint)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smb2::types::Command;

    use super::*;
    use crate::sysvol::connect::{SmbClientChoice, SmbDialect};

    #[test]
    fn every_cause_of_a_failed_login_is_named() {
        let settings = SmbSettings {
            server: "dc1.a.test".parse().unwrap(),
            address: None,
            domain: "a.test".parse().unwrap(),
            auth: SmbAuth::Kerberos(Identity::TicketCache {
                cache: None,
                principal: None,
            }),
            client: SmbClientChoice::Smb2,
            min_dialect: SmbDialect::default(),
            allow_rc4: false,
            timeout: Duration::from_secs(1),
        };
        let status = |status| smb2::Error::Protocol {
            status,
            command: Command::SessionSetup,
        };
        for (cause, words) in [
            (
                status(NtStatus::LOGON_FAILURE),
                "cannot use the Kerberos ticket",
            ),
            (status(NtStatus::ACCOUNT_LOCKED_OUT), "is locked"),
            (status(NtStatus::PASSWORD_MUST_CHANGE), "must be changed"),
            (status(TIME_DIFFERENCE_AT_DC), "too far apart"),
            (smb2::Error::Disconnected, "closed the connection"),
            (smb2::Error::Timeout, "did not answer"),
        ] {
            let error = no_session(&settings, cause);
            assert!(error.message().contains(words), "{error}");
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert!(error.hint().is_some());
        }
        let ntlm = SmbSettings {
            auth: SmbAuth::Ntlm {
                domain: "A".to_owned(),
                user: "joe".to_owned(),
                password: "x".into(),
            },
            ..settings
        };
        let moved = smb2::Error::ShareRedirected {
            share: "SYSVOL".to_owned(),
        };
        let error = no_share(&ntlm, moved);
        assert_eq!(error.kind(), ErrorKind::BadDirectory);
        assert!(
            error.message().contains("refers to another server"),
            "{error}"
        );
        assert!(!error.to_string().contains("login"), "{error}");
        let error = no_session(&ntlm, status(NtStatus::LOGON_FAILURE));
        assert!(error.message().contains("password is wrong"), "{error}");
    }
}
