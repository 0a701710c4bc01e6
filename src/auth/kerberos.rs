//! Kerberos through GSSAPI [RFC 4121]: credentials from a cache or a password, and the sealed context of an LDAP
//! connection.
//!
//! Nothing here touches the environment: two identities of two realms live side by side in one process.

mod named_cache;

use std::time::Duration;

use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext as _};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL, OidSet};
use secrecy::ExposeSecret as _;

use super::{Identity, UserName};
use crate::error::{Error, ErrorKind, Result};
use crate::model::domain_name::DomainName;

/// A Kerberos credential, ready to open contexts with. Cheap to clone.
#[derive(Clone)]
pub struct Credential {
    /// `None` is the default cache, chosen by the library when the service is known: with a collection of caches, that is
    /// how it finds the one of the right realm.
    cred: Option<Cred>,
    /// How errors name it.
    label: String,
}

impl Credential {
    /// Acquires the credential of an identity. With a password this asks the KDC; with a cache it reads the cache.
    ///
    /// `domain` completes a user name without realm. The library blocks, so it runs on a thread of its own; `timeout`
    /// ends the waiting, not the thread.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a user name that is none or a cache without usable name; [`ErrorKind::Connect`] when the
    /// KDC does not answer or refuses, or the cache holds no ticket of that principal.
    pub async fn acquire(
        identity: &Identity,
        domain: Option<&DomainName>,
        timeout: Duration,
    ) -> Result<Self> {
        match identity {
            Identity::TicketCache {
                cache: None,
                principal: None,
            } => Ok(Self {
                cred: None,
                label: "the default ticket cache".to_owned(),
            }),
            Identity::TicketCache {
                cache: None,
                principal: Some(principal),
            } => {
                let principal = UserName::parse(principal)?.principal(domain)?;
                let label = format!("the tickets of {principal}");
                blocking(label, timeout, move || {
                    let name = Name::new(principal.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?;
                    Ok(Cred::acquire(
                        Some(&name),
                        None,
                        CredUsage::Initiate,
                        Some(&krb5_only()?),
                    )?)
                })
                .await
            }
            Identity::TicketCache {
                cache: Some(cache),
                principal,
            } => {
                let wanted = match principal {
                    Some(text) => Some(UserName::parse(text)?.principal(domain)?),
                    None => None,
                };
                let name = std::ffi::CString::new(cache.as_str()).map_err(|_| {
                    Error::new(
                        ErrorKind::Usage,
                        "the ticket cache name holds a NUL character",
                    )
                })?;
                let label = format!("the ticket cache {cache}");
                let credential =
                    blocking(label, timeout, move || Ok(named_cache::acquire(&name)?)).await?;
                if let (Some(wanted), Some(cred)) = (wanted, &credential.cred) {
                    check_owner(cred, &wanted, cache)?;
                }
                Ok(credential)
            }
            Identity::Password { user, password } => {
                let principal = UserName::parse(user)?.principal(domain)?;
                let password = password.clone();
                let label = principal.clone();
                blocking(label, timeout, move || {
                    let name = Name::new(principal.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?;
                    Ok(Cred::acquire_with_password(
                        Some(&name),
                        password.expose_secret(),
                        None,
                        CredUsage::Initiate,
                        Some(&krb5_only()?),
                    )?)
                })
                .await
            }
        }
    }

    /// How errors name the credential: a principal or a cache.
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// A GSSAPI error with its text. The library keeps the text per thread, so it is fetched on the thread of the call.
struct GssFailure {
    minor: u32,
    text: String,
}

impl From<libgssapi::error::Error> for GssFailure {
    fn from(error: libgssapi::error::Error) -> Self {
        Self {
            minor: error.minor,
            text: error
                .to_string()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        }
    }
}

/// The set of mechanisms that holds Kerberos alone.
fn krb5_only() -> Result<OidSet, libgssapi::error::Error> {
    OidSet::singleton(GSS_MECH_KRB5)
}

/// Compares the principal a cache belongs to with the one that was asked for.
fn check_owner(cred: &Cred, wanted: &str, cache: &str) -> Result<()> {
    let owner = cred
        .name()
        .and_then(|name| name.display_name())
        .map_err(|error| failure(&format!("the ticket cache {cache}"), None, error.into()))?;
    let owner = String::from_utf8_lossy(&owner).into_owned();
    if owner.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Connect,
        format!("the ticket cache {cache} belongs to {owner}, not to {wanted}"),
    )
    .with_hint(format!("run kinit -c {cache} {wanted}")))
}

/// Runs a blocking GSSAPI call beside the runtime, with a time-out.
async fn blocking<F>(label: String, timeout: Duration, call: F) -> Result<Credential>
where
    F: FnOnce() -> Result<Cred, GssFailure> + Send + 'static,
{
    match tokio::time::timeout(timeout, tokio::task::spawn_blocking(call)).await {
        Err(_) => Err(slow_kdc(&label, timeout)),
        Ok(Err(error)) => Err(Error::new(
            ErrorKind::Internal,
            format!("the Kerberos call for {label} did not finish"),
        )
        .with_source(error)),
        Ok(Ok(Err(error))) => Err(failure(&label, None, error)),
        Ok(Ok(Ok(cred))) => Ok(Credential {
            cred: Some(cred),
            label,
        }),
    }
}

/// No answer from the KDC in time.
fn slow_kdc(label: &str, timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!(
            "no Kerberos answer for {label} within {} s",
            timeout.as_secs()
        ),
    )
    .with_hint("check that the KDC of the realm in krb5.conf or DNS can be reached on port 88")
}

/// A context with a service, sealing what goes through it once it is established.
pub struct SealedContext {
    ctx: ClientCtx,
    label: String,
    service: String,
    timeout: Duration,
}

impl SealedContext {
    /// A context with `service` (such as `ldap`) on `host`. With the domain known, the name is
    /// `service/host@REALM`, which no DNS lookup of the library changes; without, it is `service@host` and the library
    /// finds the realm.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when the library does not take the name.
    pub fn new(
        credential: &Credential,
        service: &str,
        host: &DomainName,
        domain: Option<&DomainName>,
        timeout: Duration,
    ) -> Result<Self> {
        let (text, kind) = match domain {
            Some(domain) => (
                format!("{service}/{}@{}", host.lower(), domain.realm()),
                GSS_NT_KRB5_PRINCIPAL,
            ),
            None => (
                format!("{service}@{}", host.lower()),
                GSS_NT_HOSTBASED_SERVICE,
            ),
        };
        let target = Name::new(text.as_bytes(), Some(kind))
            .map_err(|error| failure(&credential.label, Some(&text), error.into()))?;
        // What is asked for is also demanded, in `check_flags`.
        let flags = CtxFlags::GSS_C_MUTUAL_FLAG
            | CtxFlags::GSS_C_INTEG_FLAG
            | CtxFlags::GSS_C_CONF_FLAG
            | CtxFlags::GSS_C_SEQUENCE_FLAG
            | CtxFlags::GSS_C_REPLAY_FLAG;
        Ok(Self {
            ctx: ClientCtx::new(credential.cred.clone(), target, flags, Some(GSS_MECH_KRB5)),
            label: credential.label.clone(),
            service: text,
            timeout,
        })
    }

    /// One step: takes the peer's token, gives ours back, if there is one, and the context. The first step asks the KDC
    /// for the service ticket, so every step runs beside the runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] with the cause as Kerberos tells it.
    pub async fn step(mut self, token: Option<Vec<u8>>) -> Result<(Self, Option<Vec<u8>>)> {
        let timeout = self.timeout;
        let label = self.label.clone();
        let call = move || {
            let answer = self
                .ctx
                .step(token.as_deref(), None)
                .map_err(GssFailure::from);
            (self, answer)
        };
        match tokio::time::timeout(timeout, tokio::task::spawn_blocking(call)).await {
            Err(_) => Err(slow_kdc(&label, timeout)),
            Ok(Err(error)) => Err(Error::new(
                ErrorKind::Internal,
                format!("the Kerberos call for {label} did not finish"),
            )
            .with_source(error)),
            Ok(Ok((this, Ok(answer)))) => Ok((this, answer.map(|token| token.to_vec()))),
            Ok(Ok((this, Err(error)))) => Err(failure(&this.label, Some(&this.service), error)),
        }
    }

    /// Whether the context is established.
    pub fn is_complete(&self) -> bool {
        self.ctx.is_complete()
    }

    /// Demands what was asked for: the peer proved itself, and the context can seal.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when the established context lacks mutual authentication, integrity or confidentiality.
    pub fn check_flags(&self) -> Result<()> {
        let needed =
            CtxFlags::GSS_C_MUTUAL_FLAG | CtxFlags::GSS_C_INTEG_FLAG | CtxFlags::GSS_C_CONF_FLAG;
        let granted = self.ctx.flags().map_err(|error| self.broken(error))?;
        if granted.contains(needed) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Connect,
            format!(
                "the Kerberos context with {} offers no mutual authentication or no encryption",
                self.service
            ),
        ))
    }

    /// The principal we are in this context, `NAME@REALM`.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when the context cannot tell.
    pub fn source_name(&self) -> Result<String> {
        let name = self
            .ctx
            .source_name()
            .and_then(|name| name.display_name())
            .map_err(|error| self.broken(error))?;
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    /// Wraps bytes for the peer; `seal` encrypts them, else they are only signed.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when the context has ended, as with an expired ticket.
    pub fn wrap(&mut self, seal: bool, bytes: &[u8]) -> Result<Vec<u8>> {
        match self.ctx.wrap(seal, bytes) {
            Ok(token) => Ok(token.to_vec()),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Unwraps what the peer wrapped, and checks it.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when it was altered, replayed or reordered, or the context has ended.
    pub fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>> {
        match self.ctx.unwrap(token) {
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// The error of a context that was established before.
    fn broken(&self, error: libgssapi::error::Error) -> Error {
        failure(&self.label, Some(&self.service), error.into())
    }
}

/// The error codes of libkrb5 begin here; below 128 above it they are those of [RFC 4120 7.5.9].
const KRB5_BASE: u32 = (-1_765_328_384_i32).cast_unsigned();

/// An error of GSSAPI in our words, with the library's words as its cause.
fn failure(label: &str, service: Option<&str>, error: GssFailure) -> Error {
    let code = error.minor.wrapping_sub(KRB5_BASE);
    let (message, hint) = explain(code, &error.text, label, service);
    Error::new(ErrorKind::Connect, message)
        .with_hint(hint)
        .with_source(error.text)
}

/// Sentence and hint for a Kerberos error code, or for what the library's text gives away.
fn explain(code: u32, library: &str, label: &str, service: Option<&str>) -> (String, String) {
    let service = service.unwrap_or("the service");
    let has = |text: &str| library.contains(text);
    match code {
        6 => (
            format!("the KDC does not know {label}"),
            "check the spelling of the user and the realm".to_owned(),
        ),
        7 => (
            format!("the KDC knows no service {service}"),
            "give --server the DC's own DNS name, and --domain its domain".to_owned(),
        ),
        12 | 18 => (
            format!("the account of {label} is disabled, locked, expired or may not log in now"),
            "check the account in the directory".to_owned(),
        ),
        23 => (
            format!("the password of {label} has expired or must be changed"),
            "change it, for example with kpasswd, and try again".to_owned(),
        ),
        24 | 31 => (
            format!("the KDC refused the password of {label}"),
            "check the password; AD locks an account after several wrong ones".to_owned(),
        ),
        32 => (
            format!("the ticket of {label} has expired"),
            "run kinit again".to_owned(),
        ),
        37 => (
            format!("the clocks of this machine and of the KDC for {label} are too far apart"),
            "set the clock, for example with chronyd; Kerberos allows five minutes".to_owned(),
        ),
        154 | 156 => (
            format!("no KDC can be reached for {label}"),
            "name the KDC of the realm in krb5.conf, and check that port 88 is open".to_owned(),
        ),
        _ if has("Clock skew") => explain(37, "", label, Some(service)),
        _ if has("Cannot contact any KDC") || has("Cannot find KDC") => {
            explain(156, "", label, Some(service))
        }
        _ if has("expired") => explain(32, "", label, Some(service)),
        _ if has("No credentials cache")
            || has("No Kerberos credentials")
            || has("find credentials") =>
        {
            (
                format!("{label} holds no usable Kerberos ticket"),
                "run kinit, or give --user and --password-file".to_owned(),
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
        let (message, hint) = explain(0, "x (Clock skew too great)", "joe@A", None);
        assert!(message.contains("clocks") && hint.contains("clock"));
        let (message, _) = explain(7, "", "joe@A", Some("ldap/dc@B"));
        assert_eq!(message, "the KDC knows no service ldap/dc@B");
        // KRB5KDC_ERR_PREAUTH_FAILED as libkrb5 numbers it.
        assert_eq!((-1_765_328_360_i32).cast_unsigned() - KRB5_BASE, 24);
    }

    #[tokio::test]
    async fn a_cache_that_is_not_there_is_a_connect_error() {
        let identity = Identity::TicketCache {
            cache: Some("FILE:/nonexistent/cache".to_owned()),
            principal: None,
        };
        let error = Credential::acquire(&identity, None, Duration::from_secs(5))
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains("/nonexistent/cache"), "{error}");
    }
}
