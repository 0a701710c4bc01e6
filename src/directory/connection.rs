//! The adapter of the directory port over ldap3: connect, log in, send requests, collect pages.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use ldap3::controls::{PagedResults, RawControl};
use ldap3::{Ldap, LdapError, LdapResult, Mod};
use secrecy::ExposeSecret as _;

use super::ber;
use super::entry;
use super::failure::failed;
use super::limits::ResultLimit;
use super::stream::{self, Endpoint, StreamEnd};
use crate::auth::kerberos::{Credential, SealedContext};
use crate::auth::tls::TlsSettings;
use crate::auth::{Identity, UserName};
use crate::domain::ldap::{Entry, LdapFailure, LdapRead, LdapWrite, Modification, Scope, Search};
use crate::error::{Error, ErrorKind, Result};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;

/// How the LDAP connection is protected. There is no unprotected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LdapSecurity {
    /// Port 389, SASL GSSAPI with encryption by Kerberos.
    #[default]
    Sealed,
    /// Port 636, TLS from the first byte, then a simple bind.
    Ldaps,
    /// Port 389, TLS after StartTLS, then a simple bind.
    StartTls,
}

/// What is needed to connect to a domain.
#[derive(Debug, Clone)]
pub struct DirectorySettings {
    /// The DNS name of the domain; compared with the one that the DC reports. `None` accepts the DC's domain.
    pub domain: Option<DomainName>,
    /// The DC's DNS name, which Kerberos or TLS verifies.
    pub server: DomainName,
    /// The address to connect to, if the name does not resolve or resolves to another one.
    pub address: Option<IpAddr>,
    /// The protection.
    pub security: LdapSecurity,
    /// The account.
    pub identity: Identity,
    /// Which certificates are trusted, with TLS.
    pub tls: TlsSettings,
    /// Whether Kerberos tickets that use RC4 are accepted.
    pub allow_rc4: bool,
    /// The longest time for each phase of connecting, and for each answer later on.
    pub timeout: Duration,
}

impl DirectorySettings {
    /// The time-out when none is given.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
}

/// A connection to one DC over LDAP: the directory port implemented with ldap3.
pub struct LdapConnection {
    ldap: Ldap,
    end: StreamEnd,
    timeout: Duration,
    server: DomainName,
    bound_as: String,
    /// What one search may return.
    limit: ResultLimit,
}

/// Extended controls of AD [MS-ADTS 3.1.1.3.4.1].
const SD_FLAGS: &str = "1.2.840.113556.1.4.801";
/// The control that asks for the GUID and SID before each DN [MS-ADTS 3.1.1.3.4.1.5].
const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";
/// The tree delete control [MS-ADTS 3.1.1.3.4.1.15].
const TREE_DELETE: &str = "1.2.840.113556.1.4.805";
/// The paged results control [RFC 2696].
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// How many time-outs a whole search may take: ten minutes by default, enough for half a million entries.
const WHOLE_SEARCH: u32 = 20;
/// The maximum number of entries in a page: AD returns at most 1,000.
const PAGE: i32 = 500;

/// Asks for extended DNs with SIDs as text.
fn extended_dns() -> RawControl {
    RawControl {
        ctype: EXTENDED_DN.to_owned(),
        crit: false,
        val: Some(ber::element(0x30, &ber::integer(1))),
    }
}

/// The control that selects the parts of a descriptor [MS-ADTS 3.1.1.3.4.1.11]: 1 owner, 2 group, 4 DACL, 8 SACL.
fn sd_flags(flags: u32) -> RawControl {
    RawControl {
        ctype: SD_FLAGS.to_owned(),
        crit: true,
        val: Some(ber::element(0x30, &ber::integer(flags))),
    }
}

/// Logs what is in force when the login has succeeded.
fn log(endpoint: &Endpoint<'_>, settings: &DirectorySettings, bound_as: &str) {
    let protection = match settings.security {
        LdapSecurity::Sealed => "sealed by Kerberos",
        LdapSecurity::StartTls | LdapSecurity::Ldaps => "TLS",
    };
    let (server, port) = (endpoint.server.as_str(), endpoint.port);
    tracing::info!(server, port, bound_as, protection, "LDAP is open");
}

impl LdapConnection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the settings contradict each other; [`ErrorKind::Connect`] when the DC cannot be reached, is
    /// not trusted or refuses the account.
    pub async fn open(settings: &DirectorySettings) -> Result<Self> {
        let domain = settings.domain.as_ref();
        let endpoint = Endpoint {
            server: &settings.server,
            address: settings.address,
            port: match settings.security {
                LdapSecurity::Sealed | LdapSecurity::StartTls => 389,
                LdapSecurity::Ldaps => 636,
            },
            timeout: settings.timeout,
        };
        if settings.security == LdapSecurity::Sealed {
            let credential =
                Credential::acquire(&settings.identity, domain, settings.timeout).await?;
            let server = &settings.server;
            // The context uses the ticket that this leaves in the credential, so the encryption type is checked before.
            credential
                .service_ticket("ldap", server, domain, settings.allow_rc4)
                .await?;
            let context = SealedContext::new(&credential, "ldap", server, domain)?;
            let (ldap, end, bound_as) = stream::open_sealed(&endpoint, context).await?;
            log(&endpoint, settings, &bound_as);
            return Ok(Self::new(ldap, end, bound_as, settings));
        }
        // Only a password can go through TLS: Samba and Windows refuse a security layer of Kerberos inside it
        // [MS-ADTS 5.1.1.1.2].
        let Identity::Password { user, password } = &settings.identity else {
            return Err(Error::new(
            ErrorKind::Usage,
            "a ticket cache cannot be used over LDAPS or StartTLS",
        )
        .with_hint(
            "use the sealed Kerberos connection, which is the default, or give a user and a password",
        ));
        };
        let name = UserName::parse(user)?.bind_name(domain)?;
        if password.expose_secret().is_empty() {
            // A simple bind without a password succeeds as an anonymous bind [RFC 4513 5.1.2].
            return Err(
                Error::new(ErrorKind::Usage, format!("the password of {name} is empty"))
                    .with_hint("the first line of the password file is the password"),
            );
        }
        let ask_first = settings.security == LdapSecurity::StartTls;
        let (mut ldap, end) = stream::open_tls(&endpoint, &settings.tls, ask_first).await?;
        let what = format!("the bind to {} as {name}", settings.server);
        let result = ldap
            .with_timeout(settings.timeout)
            .simple_bind(&name, password.expose_secret())
            .await;
        let connection = Self::new(ldap, end, name, settings);
        let failure = match result {
            Ok(result) if result.rc == 0 => {
                log(&endpoint, settings, &connection.bound_as);
                return Ok(connection);
            }
            Ok(result) => LdapFailure::result(result.rc, result.text),
            Err(error) => connection.lost(error).await,
        };
        Err(failed(failure, &settings.server, &what))
    }

    fn new(ldap: Ldap, end: StreamEnd, bound_as: String, settings: &DirectorySettings) -> Self {
        Self {
            ldap,
            end,
            timeout: settings.timeout,
            server: settings.server.clone(),
            bound_as,
            limit: ResultLimit::new(),
        }
    }

    /// A handle for one request, with the time-out and these controls set.
    fn request(&self, controls: Vec<RawControl>) -> Ldap {
        let mut ldap = self.ldap.clone();
        ldap.with_timeout(self.timeout);
        if !controls.is_empty() {
            ldap.with_controls(controls);
        }
        ldap
    }

    /// The result of a request that changes something.
    async fn done(&self, result: Result<LdapResult, LdapError>) -> Result<(), LdapFailure> {
        match result {
            Ok(result) if result.rc == 0 => Ok(()),
            Ok(result) => Err(LdapFailure::result(result.rc, result.text)),
            Err(error) => Err(self.lost(error).await),
        }
    }

    /// The error of a request without an answer, with the reason why the stream ended.
    async fn lost(&self, error: LdapError) -> LdapFailure {
        match error {
            LdapError::Timeout { .. } => LdapFailure::NoAnswer {
                within: self.timeout,
            },
            LdapError::FilterParsing | LdapError::AddNoValues => LdapFailure::NotSent {
                cause: error.into(),
            },
            _ => LdapFailure::ConnectionLost {
                cause: match self.end.cause().await {
                    Some(cause) => cause.to_string().into(),
                    None => error.into(),
                },
            },
        }
    }
}

#[async_trait]
impl LdapRead for LdapConnection {
    async fn search(&self, search: &Search<'_>) -> Result<Vec<Entry>, LdapFailure> {
        // The time-out is that of each message, so a server that sends one from time to time would hold the caller.
        let within = self.timeout.saturating_mul(WHOLE_SEARCH);
        match tokio::time::timeout(within, self.pages(search)).await {
            Ok(found) => found,
            Err(_) => Err(LdapFailure::NoAnswer { within }),
        }
    }

    fn server(&self) -> &DomainName {
        &self.server
    }

    fn bound_as(&self) -> &str {
        &self.bound_as
    }
}

impl LdapConnection {
    /// All pages of a search.
    async fn pages(&self, search: &Search<'_>) -> Result<Vec<Entry>, LdapFailure> {
        let base = search.base.map_or("", Dn::as_str);
        let scope = match search.scope {
            Scope::Base => ldap3::Scope::Base,
            Scope::OneLevel => ldap3::Scope::OneLevel,
            Scope::Subtree => ldap3::Scope::Subtree,
        };
        let filter = search.filter.to_string();
        let mut entries = Vec::new();
        let mut limit = self.limit.clone();
        let mut cookie = Vec::new();
        loop {
            limit.count()?;
            let mut controls = Vec::new();
            controls.extend(search.sd_flags.map(sd_flags));
            if search.extended_dns {
                controls.push(extended_dns());
            }
            if search.paged {
                let page = PagedResults {
                    size: PAGE,
                    cookie: std::mem::take(&mut cookie),
                };
                controls.push(page.into());
            }
            let mut ldap = self.request(controls);
            let attributes = search.attributes.to_vec();
            let mut stream = match ldap
                .streaming_search(base, scope, &filter, attributes)
                .await
            {
                Ok(stream) => stream,
                Err(error) => return Err(self.lost(error).await),
            };
            loop {
                match stream.next().await {
                    Ok(Some(item)) if item.is_ref() || item.is_intermediate() => limit.count()?,
                    Ok(Some(item)) => {
                        let entry = entry::read(item).map_err(LdapFailure::Malformed)?;
                        entry::check_place(&entry.dn, search).map_err(LdapFailure::Malformed)?;
                        limit.keep(&entry)?;
                        entries.push(entry);
                    }
                    Ok(None) => break,
                    Err(error) => return Err(self.lost(error).await),
                }
            }
            let result = stream.finish().await;
            if result.rc != 0 {
                return Err(LdapFailure::result(result.rc, result.text));
            }
            cookie = next_page(&result).unwrap_or_default();
            if cookie.is_empty() {
                return Ok(entries);
            }
        }
    }
}

#[async_trait]
impl LdapWrite for LdapConnection {
    async fn add(
        &self,
        dn: &Dn,
        attributes: Vec<(String, Vec<Vec<u8>>)>,
        flags: Option<u32>,
    ) -> Result<(), LdapFailure> {
        let attributes = attributes
            .into_iter()
            .map(|(name, values)| (name.into_bytes(), values.into_iter().collect()))
            .collect();
        let mut ldap = self.request(flags.map(sd_flags).into_iter().collect());
        let result = ldap.add(dn.as_str(), attributes).await;
        self.done(result).await
    }

    async fn modify(
        &self,
        dn: &Dn,
        modifications: Vec<Modification>,
        flags: Option<u32>,
    ) -> Result<(), LdapFailure> {
        let set = |values: Vec<Vec<u8>>| values.into_iter().collect::<HashSet<_>>();
        let changes = modifications
            .into_iter()
            .map(|modification| match modification {
                Modification::Add(name, values) => Mod::Add(name.into_bytes(), set(values)),
                Modification::Delete(name, values) => Mod::Delete(name.into_bytes(), set(values)),
                Modification::Replace(name, values) => Mod::Replace(name.into_bytes(), set(values)),
            })
            .collect();
        let mut ldap = self.request(flags.map(sd_flags).into_iter().collect());
        let result = ldap.modify(dn.as_str(), changes).await;
        self.done(result).await
    }

    async fn delete(&self, dn: &Dn, tree: bool) -> Result<(), LdapFailure> {
        let tree = tree.then(|| RawControl {
            ctype: TREE_DELETE.to_owned(),
            crit: true,
            val: None,
        });
        let mut ldap = self.request(tree.into_iter().collect());
        let result = ldap.delete(dn.as_str()).await;
        self.done(result).await
    }
}

/// The cookie of the next page; `None` when there is none. ldap3's own parser panics on a malformed value.
fn next_page(result: &LdapResult) -> Option<Vec<u8>> {
    let control = result
        .ctrls
        .iter()
        .find(|control| control.1.ctype == PAGED_RESULTS)?;
    let value = ber::expect(control.1.val.as_deref()?, 0x30)?;
    let size = ber::expect(value.content, 0x02)?;
    let cookie = ber::expect(size.rest, 0x04)?;
    Some(cookie.content.to_vec())
}

#[cfg(test)]
mod false_server;

#[cfg(test)]
mod tests {
    use super::*;
    use ldap3::controls::Control;

    fn result(value: Option<Vec<u8>>) -> LdapResult {
        LdapResult {
            rc: 0,
            matched: String::new(),
            text: String::new(),
            refs: Vec::new(),
            ctrls: vec![Control(
                None,
                RawControl {
                    ctype: PAGED_RESULTS.to_owned(),
                    crit: false,
                    val: value,
                },
            )],
        }
    }

    #[test]
    fn page_cookies_are_read_and_malformed_ones_end_the_search() {
        let mut inner = ber::integer(0);
        inner.extend(ber::element(4, b"next"));
        let good = ber::element(0x30, &inner);
        assert_eq!(next_page(&result(Some(good))), Some(b"next".to_vec()));
        assert_eq!(next_page(&result(Some(vec![0x30, 5, 1]))), None);
        assert_eq!(next_page(&result(None)), None);
    }

    #[test]
    fn the_descriptor_control_is_a_sequence_of_one_number() {
        let control = sd_flags(7);
        assert_eq!(control.val, Some(vec![0x30, 3, 2, 1, 7]));
        assert!(control.crit);
    }
}
