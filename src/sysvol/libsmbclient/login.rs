//! The account and the host: which settings libsmbclient supports.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use pavao::{SmbCredentials, SmbError};
use secrecy::ExposeSecret as _;

use super::plain;
use crate::auth::kerberos::Credential;
use crate::auth::{Identity, UserName};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::sysvol::connect::{SmbAuth, SmbSettings};

/// The port of SMB; libsmbclient supports no other.
const PORT: u16 = 445;

/// pavao logs the password at level trace.
pub(super) fn refuse_trace_log(traced: bool) -> Result<()> {
    if traced {
        return Err(Error::new(
            ErrorKind::Usage,
            "at log level trace pavao would write the password to the log",
        )
        .with_remedy(Remedy::OrUseSmb2(
            "add pavao=debug to the log filter".to_owned(),
        )));
    }
    Ok(())
}

/// The host as libsmbclient needs it, after checking that its port answers.
pub(super) async fn reach(settings: &SmbSettings) -> Result<String> {
    let name = settings.server.to_string();
    let addresses = match (settings.address, &settings.auth) {
        (Some(IpAddr::V6(address)), SmbAuth::Ntlm { .. }) => {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("libsmbclient cannot connect to the IPv6 address {address}"),
            )
            .with_remedy(Remedy::OrUseSmb2(
                "let the name resolve here and leave the address out".to_owned(),
            )));
        }
        (Some(address), SmbAuth::Ntlm { .. }) => vec![SocketAddr::new(address, PORT)],
        (address, _) => {
            let found = within(
                settings.timeout,
                tokio::net::lookup_host((name.as_str(), PORT)),
            )
            .await;
            let found = found.map(Iterator::collect::<Vec<_>>);
            match (found, address) {
                // A ticket is requested by name, and libsmbclient itself resolves the name.
                (found, Some(address)) => {
                    let own: Vec<_> = found
                        .unwrap_or_default()
                        .into_iter()
                        .filter(|known| known.ip() == address)
                        .collect();
                    if own.is_empty() {
                        return Err(Error::new(
                            ErrorKind::Usage,
                            format!("libsmbclient cannot connect to {address} as {name} with Kerberos, because {name} does not resolve to it on this machine"),
                        )
                        .with_remedy(Remedy::OrUseSmb2(format!("add \"{address} {name}\" to /etc/hosts"))));
                    }
                    own
                }
                (Ok(found), None) => found,
                (Err(cause), None) => {
                    return Err(
                        Error::new(ErrorKind::Connect, format!("cannot resolve {name}"))
                            .with_source(cause)
                            .with_hint(
                                "check the name of the server and the name servers of this machine",
                            ),
                    );
                }
            }
        }
    };
    within(
        settings.timeout,
        tokio::net::TcpStream::connect(addresses.as_slice()),
    )
    .await
    .map_err(|cause| {
        Error::new(
            ErrorKind::Connect,
            format!("cannot reach {name} on port {PORT}"),
        )
        .with_source(cause)
        .with_hint("check the name and the address of the server, and the firewall")
    })?;
    Ok(match (settings.address, &settings.auth) {
        (Some(address), SmbAuth::Ntlm { .. }) => address.to_string(),
        _ => name,
    })
}

/// The time limit of a call.
async fn within<T>(timeout: Duration, call: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(timeout, call)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))
}

/// The settings for pavao.
pub(super) fn credentials(settings: &SmbSettings, host: &str) -> Result<SmbCredentials> {
    let share = SmbCredentials::default()
        .server(format!("smb://{host}"))
        .share("/SYSVOL");
    match &settings.auth {
        SmbAuth::Ntlm {
            domain,
            user,
            password,
        } => Ok(share
            .username(user)
            .workgroup(domain)
            .password(password.expose_secret())),
        SmbAuth::Kerberos(Identity::Password { user, password }) => {
            let principal = UserName::parse(user)?.principal(Some(&settings.domain))?;
            let realm = principal.rsplit_once('@').map_or("", |(_, realm)| realm);
            Ok(share
                .workgroup(realm)
                .username(&principal)
                .password(password.expose_secret()))
        }
        SmbAuth::Kerberos(Identity::TicketCache { cache, .. }) => {
            if let Some(asked) = cache
                && !is_own_cache(asked, own_cache()?)
            {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("libsmbclient reads only the default ticket cache, not {asked}"),
                )
                .with_remedy(Remedy::OrUseSmb2(format!("set KRB5CCNAME={asked}"))));
            }
            own_cache()?;
            // With an empty password and any user name it uses the tickets of the cache; without a user name it is anonymous.
            Ok(share
                .username("kerberos")
                .workgroup(settings.domain.realm()))
        }
    }
}

/// Refuses a login with Kerberos whose service ticket uses an encryption type that is not accepted, or from a machine with a
/// wrong clock: libsmbclient would use the ticket without a warning, and report only that the server refused it. A ticket from
/// the default cache is then the one that libsmbclient finds there.
///
/// # Errors
/// As [`Credential::acquire`], [`Credential::service_ticket`] and `ServiceTicket::check_clock`.
pub(super) async fn check_ticket(settings: &SmbSettings) -> Result<()> {
    let SmbAuth::Kerberos(identity) = &settings.auth else {
        return Ok(());
    };
    let domain = Some(&settings.domain);
    Credential::acquire(identity, domain, settings.timeout)
        .await?
        .service_ticket("cifs", &settings.server, domain, settings.allow_rc4)
        .await?
        .check_clock(matches!(identity, Identity::Password { .. }))
}

/// The value of KRB5CCNAME before libsmbclient was first used.
///
/// # Errors
/// `Usage` when a login with a password has replaced the cache since.
pub(super) fn own_cache() -> Result<Option<&'static str>> {
    static OWN: OnceLock<Option<String>> = OnceLock::new();
    let now = std::env::var("KRB5CCNAME").ok();
    let own = OWN.get_or_init(|| now.clone());
    if *own != now {
        return Err(Error::new(
            ErrorKind::Usage,
            "libsmbclient cannot use a ticket cache after a login with a password in the same process",
        )
        .with_hint("use tickets for both domains, or smb2 as SMB client").with_remedy(Remedy::UseTicketsOrSmb2));
    }
    Ok(own.as_deref())
}

/// Whether this is the cache that libkrb5 uses by default, according to the environment.
fn is_own_cache(asked: &str, own: Option<&str>) -> bool {
    let bare = |name: &str| name.strip_prefix("FILE:").unwrap_or(name).to_owned();
    own.is_some_and(|own| bare(own) == bare(asked))
}

/// The error for a session that could not be established.
pub(super) fn no_session(server: &str, kerberos: bool, cause: SmbError) -> Error {
    let kind = match &cause {
        SmbError::Io(cause) => cause.kind(),
        _ => io::ErrorKind::Other,
    };
    let (what, hint) = match kind {
        io::ErrorKind::TimedOut => (
            "did not answer over SMB in time",
            "check whether the server is up, or raise --timeout",
        ),
        io::ErrorKind::PermissionDenied => (
            "refused the account over SMB",
            "check the account, its password or ticket, and whether the server accepts a cipher of libsmbclient (client smb3 encryption \
             algorithms in smb.conf); net cache flush forgets addresses of names",
        ),
        io::ErrorKind::NotFound | io::ErrorKind::InvalidInput if kerberos => (
            "gave no session over SMB: no usable Kerberos ticket, or no share SYSVOL",
            "check klist, the name of the server, krb5.conf and the clock",
        ),
        _ => (
            "gave no encrypted SMB 3 session",
            "check the account, the name of the server, and that it offers SMB 3 with encryption",
        ),
    };
    Error::new(
        ErrorKind::Connect,
        format!("{server} {what} (libsmbclient)"),
    )
    .with_source(plain(cause))
    .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(auth: SmbAuth, address: &str) -> SmbSettings {
        SmbSettings {
            server: "dc9.nowhere.invalid".parse().unwrap(),
            address: Some(address.parse().unwrap()),
            domain: "nowhere.invalid".parse().unwrap(),
            auth,
            client: crate::sysvol::connect::SmbClientChoice::Libsmbclient,
            min_dialect: crate::sysvol::connect::SmbDialect::default(),
            allow_rc4: false,
            timeout: Duration::from_secs(5),
        }
    }

    #[test]
    fn only_the_own_cache_is_read() {
        assert!(is_own_cache("/tmp/a", Some("FILE:/tmp/a")));
        assert!(is_own_cache("KCM:0", Some("KCM:0")));
        assert!(!is_own_cache("/tmp/a", Some("KCM:0")));
        assert!(!is_own_cache("/tmp/a", None));
    }

    #[test]
    fn a_log_that_would_hold_the_password_is_refused() {
        assert!(refuse_trace_log(false).is_ok());
        let error = refuse_trace_log(true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }

    #[tokio::test]
    async fn a_login_with_kerberos_has_its_ticket_checked_first() {
        let cache = Identity::TicketCache {
            cache: Some("FILE:/nonexistent/cache".to_owned()),
            principal: None,
        };
        let kerberos = settings(SmbAuth::Kerberos(cache), "127.0.0.1");
        let error = check_ticket(&kerberos).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(error.to_string().contains("/nonexistent/cache"), "{error}");
        let ntlm = settings(
            SmbAuth::Ntlm {
                domain: "NOWHERE".to_owned(),
                user: "nobody".to_owned(),
                password: "unused".to_owned().into(),
            },
            "127.0.0.1",
        );
        check_ticket(&ntlm).await.unwrap();
    }

    #[tokio::test]
    async fn addresses_it_cannot_use_are_usage_errors() {
        let cache = Identity::TicketCache {
            cache: None,
            principal: None,
        };
        let kerberos = settings(SmbAuth::Kerberos(cache), "127.0.0.1");
        let ntlm = settings(
            SmbAuth::Ntlm {
                domain: "NOWHERE".to_owned(),
                user: "nobody".to_owned(),
                password: "unused".to_owned().into(),
            },
            "::1",
        );
        for settings in [kerberos, ntlm] {
            let error = super::super::LibSmbClient::connect(&settings)
                .await
                .err()
                .unwrap();
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
            assert!(matches!(error.remedy(), Some(Remedy::OrUseSmb2(_))));
        }
    }
}
