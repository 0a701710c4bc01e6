//! Kerberos through the system's library, GSSAPI [RFC 4121]: credentials from a cache or a password, the sealed context of
//! an LDAP connection, service tickets for SMB. Every exchange with a KDC is the library's.
//!
//! Nothing here touches the environment: two identities of two realms live side by side in one process.

mod default_cache;
mod failure;
mod named_cache;
mod service_ticket;

use std::path::Path;
use std::time::Duration;

use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext as _};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL, OidSet};
use secrecy::ExposeSecret as _;

use self::failure::{GssFailure, failure};
use super::{Authority, Identity, UserName};
use crate::error::{Error, ErrorKind, Result};
use crate::local::trusted_file::{self, Readers};
use crate::model::domain_name::DomainName;

/// A Kerberos credential, ready to open contexts with. Cheap to clone.
#[derive(Clone)]
pub struct Credential {
    /// Of the default cache, this is not yet bound to one cache of a collection: the library chooses the one of the right
    /// realm when the service is known.
    cred: Cred,
    /// How errors name it.
    label: String,
    /// Whether its tickets were there before.
    cached: bool,
    timeout: Duration,
}

impl Credential {
    /// Acquires the credential of an identity. With a password this asks the KDC; with a cache it reads the cache.
    ///
    /// `domain` completes a user name without realm. The library blocks, so it runs on a thread of its own; `timeout`
    /// ends the waiting, not the thread.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a malformed user name, a cache without usable name, or a cache in a file that other users
    /// own or can write; [`ErrorKind::Connect`] when the KDC does not answer or refuses, or the cache holds no ticket of that
    /// principal.
    pub async fn acquire(
        identity: &Identity,
        domain: Option<&DomainName>,
        timeout: Duration,
    ) -> Result<Self> {
        match identity {
            Identity::TicketCache {
                cache: None,
                principal,
            } => {
                if let Some(cache) = default_cache::name() {
                    check_cache(&cache)?;
                }
                let wanted = match principal {
                    Some(text) => Some(UserName::parse(text)?.principal(domain)?),
                    None => None,
                };
                let label = match &wanted {
                    Some(principal) => format!("the ticket cache of {principal}"),
                    None => "the default ticket cache".to_owned(),
                };
                blocking(label, true, timeout, move || {
                    let name = match &wanted {
                        Some(name) => {
                            Some(Name::new(name.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?)
                        }
                        None => None,
                    };
                    let usage = CredUsage::Initiate;
                    Ok(Cred::acquire(
                        name.as_ref(),
                        None,
                        usage,
                        Some(&krb5_only()?),
                    )?)
                })
                .await
            }
            Identity::TicketCache {
                cache: Some(cache),
                principal,
            } => {
                check_cache(cache)?;
                let wanted = match principal {
                    Some(text) => Some(UserName::parse(text)?.principal(domain)?),
                    None => None,
                };
                let name = std::ffi::CString::new(cache.as_str()).map_err(|_| {
                    Error::new(
                        ErrorKind::Usage,
                        "the name of the ticket cache contains a NUL character",
                    )
                })?;
                let label = format!("the ticket cache {cache}");
                let credential = blocking(label, true, timeout, move || {
                    Ok(named_cache::acquire(&name)?)
                })
                .await?;
                if let Some(wanted) = wanted {
                    check_owner(&credential.cred, &wanted, cache)?;
                }
                Ok(credential)
            }
            Identity::Password { user, password } => {
                let name = UserName::parse(user)?;
                let principal = name.principal(domain)?;
                let password = password.clone();
                let label = match name.authority {
                    // Whether that is the NetBIOS name of the domain is known only after the login.
                    Authority::NetBios(_) => format!("{principal} ({user})"),
                    Authority::Dns(_) | Authority::None => principal.clone(),
                };
                blocking(label, false, timeout, move || {
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

    /// The principal in the default ticket cache whose unexpired tickets belong to `user`; `None` when there are none.
    pub async fn cached_principal(
        user: &str,
        domain: &DomainName,
        timeout: Duration,
    ) -> Option<String> {
        let wanted = UserName::parse(user).ok()?.principal(Some(domain)).ok()?;
        // By name first, which finds it in a collection of caches. AD compares names without regard to case, libkrb5 does not.
        for principal in [Some(wanted.clone()), None] {
            let identity = Identity::TicketCache {
                cache: None,
                principal,
            };
            let Ok(credential) = Self::acquire(&identity, Some(domain), timeout).await else {
                continue;
            };
            let valid = credential.cred.lifetime().is_ok_and(|left| !left.is_zero());
            let holder = credential.ticket_holder()?;
            if valid && holder.eq_ignore_ascii_case(&wanted) {
                return Some(holder);
            }
        }
        None
    }

    /// Whose tickets these are, where they come from a cache.
    fn ticket_holder(&self) -> Option<String> {
        if !self.cached {
            return None;
        }
        let name = self.cred.name().ok()?.display_name().ok()?;
        Some(String::from_utf8_lossy(&name).into_owned())
    }

    /// The error of a call with this credential for a service.
    fn failed(&self, service: &str, cause: GssFailure) -> Error {
        failure(
            &self.label,
            self.ticket_holder().as_deref(),
            Some(service),
            cause,
        )
    }

    /// The error of a call whose thread ended.
    fn unfinished(&self, cause: tokio::task::JoinError) -> Error {
        unfinished(&self.label, cause)
    }
}

/// Refuses a cache that somebody else could have filled: one in a file (`FILE:`, or a bare path), or those of a folder
/// (`DIR:`). Caches of other types are kept by the system.
fn check_cache(cache: &str) -> Result<()> {
    match cache.split_once(':') {
        Some(("FILE", path)) => check_cache_file(path.as_ref()),
        Some(("DIR", path)) => check_cache_folder(path),
        Some((kind, _)) if !kind.contains('/') => Ok(()),
        _ => check_cache_file(cache.as_ref()),
    }
}

fn check_cache_file(path: &Path) -> Result<()> {
    // What is missing is for the library to report.
    if !path.exists() {
        return Ok(());
    }
    trusted_file::open(path, "ticket cache", Readers::Anyone).map(drop)
}

/// A folder of caches, or with another colon before it one file in it. The file `primary` says which cache is the default
/// one; the caches are in files whose names begin with `tkt`.
fn check_cache_folder(path: &str) -> Result<()> {
    let (folder, file) = match path.strip_prefix(':').map(Path::new) {
        Some(file) => (file.parent().unwrap_or(file), Some(file)),
        None => (Path::new(path), None),
    };
    let Ok(metadata) = std::fs::metadata(folder) else {
        return Ok(());
    };
    trusted_file::refuse_others(folder, &metadata, "folder of ticket caches")?;
    if let Some(file) = file {
        return check_cache_file(file);
    }
    let unreadable = |cause| {
        let shown = folder.display();
        Error::new(
            ErrorKind::Usage,
            format!("the folder of ticket caches {shown} cannot be read"),
        )
        .with_source(cause)
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if name == "primary" || name.as_encoded_bytes().starts_with(b"tkt") {
            check_cache_file(&folder.join(name))?;
        }
    }
    Ok(())
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
        .map_err(|error| {
            let label = format!("the ticket cache {cache}");
            failure(&label, None, None, error.into())
        })?;
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
async fn blocking<F>(label: String, cached: bool, timeout: Duration, call: F) -> Result<Credential>
where
    F: FnOnce() -> Result<Cred, GssFailure> + Send + 'static,
{
    match tokio::time::timeout(timeout, tokio::task::spawn_blocking(call)).await {
        Err(_) => Err(slow_kdc(&label, timeout)),
        Ok(Err(cause)) => Err(unfinished(&label, cause)),
        Ok(Ok(Err(error))) => Err(failure(&label, None, None, error)),
        Ok(Ok(Ok(cred))) => Ok(Credential {
            cred,
            label,
            cached,
            timeout,
        }),
    }
}

/// The error of a call whose thread ended.
fn unfinished(label: &str, cause: tokio::task::JoinError) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("the Kerberos call for {label} did not finish"),
    )
    .with_source(cause)
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
    credential: Credential,
    service: String,
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
            .map_err(|error| credential.failed(&text, error.into()))?;
        // What is asked for is also demanded, in `check_flags`.
        let flags = CtxFlags::GSS_C_MUTUAL_FLAG
            | CtxFlags::GSS_C_INTEG_FLAG
            | CtxFlags::GSS_C_CONF_FLAG
            | CtxFlags::GSS_C_SEQUENCE_FLAG
            | CtxFlags::GSS_C_REPLAY_FLAG;
        let cred = Some(credential.cred.clone());
        Ok(Self {
            ctx: ClientCtx::new(cred, target, flags, Some(GSS_MECH_KRB5)),
            credential: credential.clone(),
            service: text,
        })
    }

    /// One step: takes the peer's token; returns the next one for it, if there is one, and the context. The first step
    /// asks the KDC for the service ticket, so every step runs beside the runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] with the cause that Kerberos reports.
    pub async fn step(mut self, token: Option<Vec<u8>>) -> Result<(Self, Option<Vec<u8>>)> {
        let credential = self.credential.clone();
        let call = move || {
            let answer = self
                .ctx
                .step(token.as_deref(), None)
                .map_err(GssFailure::from);
            (self, answer)
        };
        match tokio::time::timeout(credential.timeout, tokio::task::spawn_blocking(call)).await {
            Err(_) => Err(slow_kdc(&credential.label, credential.timeout)),
            Ok(Err(cause)) => Err(credential.unfinished(cause)),
            Ok(Ok((this, Ok(answer)))) => Ok((this, answer.map(|token| token.to_vec()))),
            Ok(Ok((this, Err(error)))) => Err(credential.failed(&this.service, error)),
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

    /// The client's principal in this context, `NAME@REALM`.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when the context does not contain it.
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
        self.credential.failed(&self.service, error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of caches, as `DIR:` names it, and what of it others may write.
    #[test]
    fn caches_that_others_can_write_are_refused() {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let set =
            |name: &str, mode| set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
        for name in ["primary", "tkt", "tktAbc"] {
            std::fs::write(path(name), "x").unwrap();
            set(name, 0o600);
        }
        let shown = folder.path().display();
        let collection = format!("DIR:{shown}");
        let one = format!("DIR::{shown}/tktAbc");
        let names = [collection.clone(), one.clone(), format!("FILE:{shown}/tkt")];
        for name in &names {
            check_cache(name).unwrap();
        }
        for (changed, mode, refused) in [
            // Who is in the group of the folder decides about a single file.
            ("", 0o770, &[true, true][..]),
            ("", 0o707, &[true, true, true]),
            ("primary", 0o620, &[true, false, false]),
            ("tkt", 0o602, &[true, false, true]),
            ("tktAbc", 0o666, &[true, true, false]),
        ] {
            set(changed, mode);
            for (name, refused) in names.iter().zip(refused) {
                let outcome = check_cache(name);
                assert_eq!(outcome.is_err(), *refused, "{name}, {changed} {mode:o}");
                if let Err(error) = outcome {
                    assert_eq!(error.kind(), ErrorKind::Usage);
                    let why = ["can be written by other users", "who can write in"];
                    let is_said = why.iter().any(|why| error.message().contains(why));
                    assert!(is_said, "{error}");
                }
            }
            set(changed, if changed.is_empty() { 0o700 } else { 0o600 });
        }
        // Something else in the place of a cache.
        std::fs::remove_file(path("tkt")).unwrap();
        std::fs::create_dir(path("tkt")).unwrap();
        let error = check_cache(&collection).unwrap_err();
        assert!(error.message().ends_with("is a directory"), "{error}");
        // The library has these, and says what is missing.
        for name in [
            "KEYRING:persistent:0",
            "KCM:",
            "MEMORY:x",
            "DIR:/nonexistent",
            "FILE:/nonexistent",
        ] {
            check_cache(name).unwrap();
        }
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
