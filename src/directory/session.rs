//! The session with one DC: what the domain reports about itself, and searches, over any connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::connection::{DirectorySettings, LdapSecurity};
use super::failure::failed;
use super::forest;
use super::writer::DirectoryWriter;
use crate::auth::{Authority, Identity, UserName};
use crate::domain::ldap::{Entry, Filter, LdapFailure, LdapRead, NO_SUCH_OBJECT, Scope, Search};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::access::{AccessToken, Administrators};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::sid::Sid;

/// What a domain reports about itself, read once when the session begins.
#[derive(Debug, Clone)]
#[non_exhaustive]
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
    /// The SID of the root of the forest, whose Enterprise Admins administer every domain; `None` when the DC does not report
    /// it.
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
    /// The principals that administer the domain.
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
    ldap: Arc<dyn LdapRead>,
    info: DomainInfo,
    searches: AtomicU64,
}

impl Directory {
    /// Connects over LDAP, logs in, and reads what the domain reports about itself.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the settings contradict each other; [`ErrorKind::Connect`] when the DC cannot be reached, is
    /// not trusted, refuses the account, or is of another domain than requested; [`ErrorKind::BadDirectory`] when it does not
    /// report what every domain reports.
    #[doc(hidden)]
    pub async fn connect(settings: &DirectorySettings) -> Result<Self> {
        let writer = DirectoryWriter::connect(settings).await?;
        Ok(writer.directory().clone())
    }

    /// A session over an open connection. Reads what the domain reports about itself; if a name is given, the domain must have
    /// it.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] when the DC is of another domain or the connection is lost; [`ErrorKind::BadDirectory`] when it
    /// does not report what every domain reports.
    #[doc(hidden)]
    pub async fn from_port(ldap: Arc<dyn LdapRead>, domain: Option<&DomainName>) -> Result<Self> {
        let info = read_domain(&*ldap, domain).await?;
        Ok(Self(Arc::new(Inner {
            ldap,
            info,
            searches: AtomicU64::new(0),
        })))
    }

    /// What the domain reports about itself.
    pub fn info(&self) -> &DomainInfo {
        &self.0.info
    }

    /// How many searches were made since the session began; pages of one search count once.
    #[doc(hidden)]
    pub fn searches(&self) -> u64 {
        self.0.searches.load(Ordering::Relaxed)
    }

    /// Counts the objects of the schema that a search returns, with all attributes, in pages or at once: a reply of several
    /// hundred KiB. Checks that a connection transports large replies.
    ///
    /// # Errors
    /// As every search.
    #[doc(hidden)]
    pub async fn count_schema(&self, paged: bool) -> Result<usize> {
        let found = self
            .search(Search {
                base: Some(&self.info().schema),
                scope: Scope::Subtree,
                filter: Filter::everything(),
                attributes: &["*"],
                sd_flags: None,
                paged,
                extended_dns: false,
            })
            .await?;
        Ok(found.len())
    }

    /// Runs a search.
    pub(super) async fn search(&self, request: Search<'_>) -> Result<Vec<Entry>> {
        self.0.searches.fetch_add(1, Ordering::Relaxed);
        search(&*self.0.ldap, &request).await
    }

    /// Reads one object; `None` when there is none.
    pub(super) async fn read(
        &self,
        dn: &Dn,
        attributes: &[&str],
        sd_flags: Option<u32>,
    ) -> Result<Option<Entry>> {
        self.0.searches.fetch_add(1, Ordering::Relaxed);
        read(&*self.0.ldap, Some(dn), attributes, sd_flags).await
    }
}

/// Runs a search.
pub(super) async fn search(ldap: &dyn LdapRead, search: &Search<'_>) -> Result<Vec<Entry>> {
    ldap.search(search).await.map_err(|failure| {
        let server = ldap.server();
        let what = match search.base {
            None => format!("reading the rootDSE of {server}"),
            Some(base) => format!("searching {base} on {server}"),
        };
        let failure = match failure.code() {
            // The server's text adds nothing.
            Some(NO_SUCH_OBJECT) => LdapFailure::result(NO_SUCH_OBJECT, ""),
            _ => failure,
        };
        failed(failure, server, &what)
    })
}

/// Reads one object; `None` as DN is the rootDSE.
async fn read(
    ldap: &dyn LdapRead,
    dn: Option<&Dn>,
    attributes: &[&str],
    sd_flags: Option<u32>,
) -> Result<Option<Entry>> {
    let request = Search {
        base: dn,
        scope: Scope::Base,
        filter: Filter::everything(),
        attributes,
        sd_flags,
        paged: false,
        extended_dns: false,
    };
    match search(ldap, &request).await {
        Ok(found) => Ok(found.into_iter().next()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses `DOM\\NAME` whose `DOM` is not this domain: Kerberos would log in as the `NAME` of this domain's realm. For a simple
/// bind, the DC decides.
pub(super) fn check_authority(settings: &DirectorySettings, info: &DomainInfo) -> Result<()> {
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

/// Reads the rootDSE, the domain, its crossRef and its PDC.
async fn read_domain(ldap: &dyn LdapRead, wanted: Option<&DomainName>) -> Result<DomainInfo> {
    let server = ldap.server();
    let bad = |what: &str| {
        Error::new(
            ErrorKind::BadDirectory,
            format!("{server} did not return {what}"),
        )
        .with_hint("check that it is a domain controller")
    };
    let root = read(
        ldap,
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
    if let Some(wanted) = wanted
        && *wanted != dns_domain
    {
        return Err(Error::new(
            ErrorKind::Connect,
            format!("{server} is a domain controller of {dns_domain}, not of {wanted}"),
        )
        .with_hint(
            "check the name of the domain, and the name and address of the domain controller",
        )
        .with_remedy(Remedy::CheckDomainControllerAndAddress));
    }
    let host = root
        .text("dnsHostName")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| bad("its dnsHostName"))?;
    let domain = read(
        ldap,
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
    let domains = forest::read(ldap, &configuration).await?;
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
    let pdc = read_pdc(ldap, &domain).await?;
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
        bound_as: ldap.bound_as().to_owned(),
    })
}

/// The DNS name of the PDC emulator: `fSMORoleOwner` names its NTDS settings, whose parent is the server
/// [MS-ADTS 6.1.5.3].
async fn read_pdc(ldap: &dyn LdapRead, domain: &Entry) -> Result<Option<DomainName>> {
    let server = domain
        .text("fSMORoleOwner")
        .and_then(|owner| Dn::parse(&owner).ok())
        .and_then(|settings| settings.parent());
    let Some(server) = server else {
        return Ok(None);
    };
    let entry = read(ldap, Some(&server), &["dNSHostName"], None).await?;
    Ok(entry
        .and_then(|entry| entry.text("dNSHostName"))
        .and_then(|name| name.parse().ok()))
}
