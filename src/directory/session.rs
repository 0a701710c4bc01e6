//! The session with one DC: connect, prove who is who, search.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ldap3::controls::{PagedResults, RawControl};
use ldap3::{Ldap, LdapError, LdapResult, Scope};
use secrecy::ExposeSecret as _;

use super::ber;
use super::entry::Entry;
use super::failure::{NO_SUCH_OBJECT, ldap_failure};
use super::filter::Filter;
use super::forest;
use super::limits::ResultLimit;
use super::stream::{self, Endpoint, StreamEnd};
use super::writer::DirectoryWriter;
use crate::auth::kerberos::{Credential, SealedContext};
use crate::auth::tls::TlsSettings;
use crate::auth::{Authority, Identity, UserName};
use crate::error::{Error, ErrorKind, Result};
use crate::model::access::{AccessToken, Administrators};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::sid::Sid;

/// How the LDAP connection is protected. There is no unprotected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    /// The DNS name of the domain; checked against what the DC says. `None` takes the DC's domain.
    pub domain: Option<DomainName>,
    /// The DC's DNS name: what Kerberos or TLS proves.
    pub server: DomainName,
    /// The address to connect to, where the name does not resolve or resolves to another one.
    pub address: Option<IpAddr>,
    /// The protection.
    pub security: LdapSecurity,
    /// Who logs in.
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

/// What a domain reports about itself, read once when the session begins.
#[derive(Debug, Clone)]
pub struct DomainInfo {
    /// The DNS name of the domain.
    pub dns_domain: DomainName,
    /// The NetBIOS name of the domain: `nETBIOSName` of its crossRef.
    pub netbios_domain: String,
    /// The DN of the domain: `defaultNamingContext`.
    pub base: Dn,
    /// The DN of the configuration naming context.
    pub configuration: Dn,
    /// The DN of the schema naming context.
    pub schema: Dn,
    /// The SID of the domain.
    pub domain_sid: Sid,
    /// `objectGUID` of the domain.
    pub domain_guid: Guid,
    /// The SID of the root of the forest, whose Enterprise Admins administer every domain; `None` when the DC does not tell.
    pub forest_root_sid: Option<Sid>,
    /// The DNs of the domains of the forest, this one among them.
    pub forest_domains: Vec<Dn>,
    /// The DC's own name: `dnsHostName`.
    pub server: DomainName,
    /// The DNS name of the PDC emulator, if the directory contains it.
    pub pdc: Option<DomainName>,
    /// `vendorName`: Samba's name; Windows does not have the attribute.
    pub vendor: Option<String>,
    /// The SID of the account that logged in, as the server sees it: the first `tokenGroups` of the rootDSE.
    pub user_sid: Option<Sid>,
    /// All SIDs of the login, as the server sees them: `tokenGroups` of the rootDSE; `None` if it has none.
    pub token: Option<AccessToken>,
    /// The name that was bound: the Kerberos principal, or the name of the simple bind.
    pub bound_as: String,
}

impl DomainInfo {
    /// Who administers the domain.
    pub fn administrators(&self) -> Administrators<'_> {
        Administrators {
            domain: &self.domain_sid,
            forest_root: self.forest_root_sid.as_ref(),
        }
    }

    /// Whether the DC is Samba.
    pub fn is_samba(&self) -> bool {
        self.vendor
            .as_deref()
            .is_some_and(|vendor| vendor.to_ascii_lowercase().contains("samba"))
    }
}

/// A session that reads. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    ldap: Ldap,
    end: StreamEnd,
    timeout: Duration,
    server: DomainName,
    info: DomainInfo,
    searches: AtomicU64,
}

/// Extended controls of AD [MS-ADTS 3.1.1.3.4.1].
const SD_FLAGS: &str = "1.2.840.113556.1.4.801";
/// The paged results control [RFC 2696].
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// The entries of a page: AD gives 1,000 at most.
const PAGE: i32 = 500;

/// The control that says which parts of a descriptor are meant [MS-ADTS 3.1.1.3.4.1.11]: 1 owner, 2 group, 4 DACL, 8 SACL.
pub(super) fn sd_flags(flags: u32) -> RawControl {
    RawControl {
        ctype: SD_FLAGS.to_owned(),
        crit: true,
        val: Some(ber::element(0x30, &ber::integer(flags))),
    }
}

/// A search: where, what and which attributes.
pub(super) struct Search<'a> {
    /// The base; `None` is the rootDSE.
    pub base: Option<&'a Dn>,
    pub scope: Scope,
    pub filter: Filter,
    pub attributes: &'a [&'a str],
    /// Which parts of descriptors to give, if any.
    pub sd_flags: Option<u32>,
    /// In pages, for results that may be many.
    pub paged: bool,
}

impl Directory {
    /// Connects, logs in, and reads what the domain reports about itself.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the settings do not fit together; [`ErrorKind::Connect`] when the DC cannot be reached, is
    /// not trusted, refuses the identity, or is of another domain than asked for; [`ErrorKind::BadDirectory`] when it does
    /// not say what every domain says.
    pub async fn connect(settings: &DirectorySettings) -> Result<Self> {
        let (ldap, end, bound_as) = log_in(settings).await?;
        let mut session = Session {
            ldap,
            end,
            timeout: settings.timeout,
            server: settings.server.clone(),
        };
        let info = read_domain(&mut session, settings, bound_as).await?;
        check_authority(settings, &info)?;
        Ok(Self(Arc::new(Inner {
            ldap: session.ldap,
            end: session.end,
            timeout: session.timeout,
            server: session.server,
            info,
            searches: AtomicU64::new(0),
        })))
    }

    /// What the domain reports about itself.
    pub fn info(&self) -> &DomainInfo {
        &self.0.info
    }

    /// How many searches were made since the session began; pages of one search count once.
    pub fn searches(&self) -> u64 {
        self.0.searches.load(Ordering::Relaxed)
    }

    /// The same session with the right to write, for `operations::apply`.
    pub fn writer(&self) -> DirectoryWriter {
        DirectoryWriter::new(self.clone())
    }

    /// Counts the objects of the schema that a search gives, all attributes read, in pages or at once: a reply of several
    /// hundred KiB. For the check that a connection carries large replies.
    ///
    /// # Errors
    /// As every search.
    pub async fn count_schema(&self, paged: bool) -> Result<usize> {
        let found = self
            .search(Search {
                base: Some(&self.info().schema),
                scope: Scope::Subtree,
                filter: Filter::everything(),
                attributes: &["*"],
                sd_flags: None,
                paged,
            })
            .await?;
        Ok(found.len())
    }

    /// Runs a search. Search result references are passed over.
    pub(super) async fn search(&self, search: Search<'_>) -> Result<Vec<Entry>> {
        self.0.searches.fetch_add(1, Ordering::Relaxed);
        self.session().search(search).await
    }

    /// Reads one object; `None` when there is none.
    pub(super) async fn read(
        &self,
        dn: &Dn,
        attributes: &[&str],
        sd_flags: Option<u32>,
    ) -> Result<Option<Entry>> {
        self.0.searches.fetch_add(1, Ordering::Relaxed);
        self.session().read(Some(dn), attributes, sd_flags).await
    }

    /// An LDAP handle of its own for one operation, with the time-out set.
    pub(super) fn ldap(&self) -> Ldap {
        let mut ldap = self.0.ldap.clone();
        ldap.with_timeout(self.0.timeout);
        ldap
    }

    /// What an operation of ldap3 gave, or the error in our words. `what` is the operation and its object.
    pub(super) async fn done(
        &self,
        result: Result<LdapResult, LdapError>,
        what: &str,
    ) -> Result<LdapResult> {
        match result {
            Ok(result) => Ok(result),
            Err(error) => Err(self.session().lost(error, what).await),
        }
    }

    fn session(&self) -> Session {
        Session {
            ldap: self.0.ldap.clone(),
            end: self.0.end.clone(),
            timeout: self.0.timeout,
            server: self.0.server.clone(),
        }
    }
}

/// Connects and logs in. Gives the handle and the name that was bound.
async fn log_in(settings: &DirectorySettings) -> Result<(Ldap, StreamEnd, String)> {
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
        let credential = Credential::acquire(&settings.identity, domain, settings.timeout).await?;
        let server = &settings.server;
        // The context takes the ticket that this leaves in the credential, so its encryption is checked before it is used.
        credential
            .service_ticket("ldap", server, domain, settings.allow_rc4)
            .await?;
        let context = SealedContext::new(&credential, "ldap", server, domain)?;
        return stream::open_sealed(&endpoint, context).await;
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
        // A simple bind without password succeeds as nobody [RFC 4513 5.1.2].
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
    let session = Session {
        ldap,
        end,
        timeout: settings.timeout,
        server: settings.server.clone(),
    };
    match result {
        Ok(result) if result.rc == 0 => Ok((session.ldap, session.end, name)),
        Ok(result) => Err(ldap_failure(result.rc, &result.text, &what)),
        Err(error) => Err(session.lost(error, &what).await),
    }
}

/// A handle with what its errors need.
pub(super) struct Session {
    ldap: Ldap,
    end: StreamEnd,
    timeout: Duration,
    server: DomainName,
}

impl Session {
    /// Reads one object; `None` as DN is the rootDSE.
    async fn read(
        &mut self,
        dn: Option<&Dn>,
        attributes: &[&str],
        sd_flags: Option<u32>,
    ) -> Result<Option<Entry>> {
        let found = self
            .search(Search {
                base: dn,
                scope: Scope::Base,
                filter: Filter::everything(),
                attributes,
                sd_flags,
                paged: false,
            })
            .await;
        match found {
            Ok(found) => Ok(found.into_iter().next()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn search(&mut self, search: Search<'_>) -> Result<Vec<Entry>> {
        self.search_with(search, &[]).await
    }

    /// Runs a search with further controls.
    pub(super) async fn search_with(
        &mut self,
        search: Search<'_>,
        further: &[RawControl],
    ) -> Result<Vec<Entry>> {
        let base = search.base.map_or("", Dn::as_str);
        let what = match base {
            "" => format!("reading the rootDSE of {}", self.server),
            _ => format!("searching {base} on {}", self.server),
        };
        let mut entries = Vec::new();
        let mut limit = ResultLimit::new();
        let mut cookie = Vec::new();
        loop {
            limit.count(&what)?;
            let mut controls = further.to_vec();
            if let Some(flags) = search.sd_flags {
                controls.push(sd_flags(flags));
            }
            if search.paged {
                let page = PagedResults {
                    size: PAGE,
                    cookie: std::mem::take(&mut cookie),
                };
                controls.push(page.into());
            }
            let mut ldap = self.ldap.clone();
            ldap.with_timeout(self.timeout).with_controls(controls);
            let attributes = search.attributes.to_vec();
            let filter = search.filter.as_str();
            let mut stream = match ldap
                .streaming_search(base, search.scope, filter, attributes)
                .await
            {
                Ok(stream) => stream,
                Err(error) => return Err(self.lost(error, &what).await),
            };
            loop {
                match stream.next().await {
                    Ok(Some(item)) if item.is_ref() || item.is_intermediate() => {
                        limit.count(&what)?;
                    }
                    Ok(Some(item)) => {
                        let entry = Entry::read(item)?;
                        limit.keep(&entry, &what)?;
                        entries.push(entry);
                    }
                    Ok(None) => break,
                    Err(error) => return Err(self.lost(error, &what).await),
                }
            }
            let result = stream.finish().await;
            match result.rc {
                0 => {}
                NO_SUCH_OBJECT => {
                    return Err(ldap_failure(result.rc, "", &what));
                }
                code => return Err(ldap_failure(code, &result.text, &what)),
            }
            cookie = next_page(&result).unwrap_or_default();
            if cookie.is_empty() {
                return Ok(entries);
            }
        }
    }

    /// The error of a call that got no answer, with the reason the stream ended for.
    async fn lost(&self, error: LdapError, what: &str) -> Error {
        match error {
            LdapError::Timeout { .. } => Error::new(
                ErrorKind::Connect,
                format!(
                    "{what} got no answer within {} s",
                    self.timeout.as_secs_f32()
                ),
            )
            .with_hint(
                "check the DC, or raise --timeout; a change that was sent may still have been made",
            ),
            LdapError::FilterParsing | LdapError::AddNoValues => {
                Error::new(ErrorKind::Internal, format!("{what} could not be asked"))
                    .with_source(error)
            }
            _ => {
                let lost = Error::new(
                    ErrorKind::Connect,
                    format!(
                        "{what} failed because the connection to {} was lost",
                        self.server
                    ),
                )
                .with_hint("try again; a change that was sent may still have been made");
                match self.end.cause().await {
                    Some(cause) => lost.with_source(cause.to_string()),
                    None => lost.with_source(error),
                }
            }
        }
    }
}

/// Refuses `DOM\\NAME` whose `DOM` is not this domain: Kerberos logged in as the `NAME` of this domain's realm. A simple bind
/// is for the DC to judge.
fn check_authority(settings: &DirectorySettings, info: &DomainInfo) -> Result<()> {
    let (LdapSecurity::Sealed, Identity::Password { user, .. }) =
        (settings.security, &settings.identity)
    else {
        return Ok(());
    };
    let name = UserName::parse(user)?;
    match &name.authority {
        Authority::NetBios(other) if !other.eq_ignore_ascii_case(&info.netbios_domain) => {
            Err(Error::new(
                ErrorKind::Connect,
                format!(
                    "{user} is not an account of {}, whose NetBIOS name is {}",
                    info.dns_domain, info.netbios_domain
                ),
            )
            .with_hint(format!(
                "write {}\\{}, or NAME@REALM for an account of another domain",
                info.netbios_domain, name.account
            )))
        }
        _ => Ok(()),
    }
}

/// The cookie of the next page; `None` when there is none. ldap3's own reader panics on a malformed value.
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

/// Reads the rootDSE, the domain, its crossRef and its PDC.
async fn read_domain(
    session: &mut Session,
    settings: &DirectorySettings,
    bound_as: String,
) -> Result<DomainInfo> {
    let server = &settings.server;
    let bad = |what: &str| {
        Error::new(
            ErrorKind::BadDirectory,
            format!("{server} did not return {what}"),
        )
        .with_hint("check that it is a domain controller")
    };
    let root = session
        .read(
            None,
            &[
                "defaultNamingContext",
                "configurationNamingContext",
                "schemaNamingContext",
                "rootDomainNamingContext",
                "dnsHostName",
                "vendorName",
                "tokenGroups",
            ],
            None,
        )
        .await?
        .ok_or_else(|| bad("its rootDSE"))?;
    let context = |name: &str| {
        root.text(name)
            .and_then(|text| Dn::parse(&text).ok())
            .ok_or_else(|| bad(name))
    };
    let base = context("defaultNamingContext")?;
    let configuration = context("configurationNamingContext")?;
    let schema = context("schemaNamingContext")?;
    let dns_domain: DomainName = base
        .dns_domain()
        .parse()
        .map_err(|_| bad("the DNS name of its domain"))?;
    if let Some(wanted) = &settings.domain
        && *wanted != dns_domain
    {
        return Err(Error::new(
            ErrorKind::Connect,
            format!("{server} is a domain controller of {dns_domain}, not of {wanted}"),
        )
        .with_hint("check --domain, --server and --address"));
    }
    let host = root
        .text("dnsHostName")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| bad("its dnsHostName"))?;
    let domain = session
        .read(
            Some(&base),
            &["objectSid", "objectGUID", "fSMORoleOwner"],
            None,
        )
        .await?
        .ok_or_else(|| bad("its domain object"))?;
    let domain_sid = domain
        .bytes("objectSid")
        .and_then(|bytes| Sid::from_bytes(bytes).ok())
        .ok_or_else(|| bad("the SID of its domain"))?;
    let domain_guid = domain
        .bytes("objectGUID")
        .and_then(|bytes| bytes.try_into().ok())
        .map(Guid::from_bytes_le)
        .ok_or_else(|| bad("the GUID of its domain"))?;
    let domains = forest::read(session, &configuration).await?;
    let netbios_domain = domains
        .iter()
        .find(|known| known.dn == base)
        .map(|known| known.netbios.clone())
        .ok_or_else(|| bad("the NetBIOS name of its domain"))?;
    let root_domain = context("rootDomainNamingContext")?;
    let forest_root_sid = domains
        .iter()
        .find(|known| known.dn == root_domain)
        .and_then(|known| known.sid.clone());
    let pdc = read_pdc(session, &domain).await?;
    let sids: Vec<Sid> = root
        .values("tokenGroups")
        .iter()
        .filter_map(|bytes| Sid::from_bytes(bytes).ok())
        .collect();
    let user_sid = sids.first().cloned();
    Ok(DomainInfo {
        dns_domain,
        netbios_domain,
        base,
        configuration,
        schema,
        domain_sid,
        domain_guid,
        forest_root_sid,
        forest_domains: domains.into_iter().map(|known| known.dn).collect(),
        server: host,
        pdc,
        vendor: root.text("vendorName"),
        user_sid,
        token: (!sids.is_empty()).then(|| AccessToken::new(sids)),
        bound_as,
    })
}

/// The DNS name of the PDC emulator: `fSMORoleOwner` names its NTDS settings, whose parent is the server
/// [MS-ADTS 6.1.5.3].
async fn read_pdc(session: &mut Session, domain: &Entry) -> Result<Option<DomainName>> {
    let server = domain
        .text("fSMORoleOwner")
        .and_then(|owner| Dn::parse(&owner).ok())
        .and_then(|settings| settings.parent());
    let Some(server) = server else {
        return Ok(None);
    };
    let entry = session.read(Some(&server), &["dNSHostName"], None).await?;
    Ok(entry
        .and_then(|entry| entry.text("dNSHostName"))
        .and_then(|name| name.parse().ok()))
}

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
