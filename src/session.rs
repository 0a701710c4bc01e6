//! A domain session: one LDAP and one SMB connection to one and the same DC.
//!
//! [`DomainSession`] can read and has no write methods. [`DomainWriter`] has them beside a [`DomainSession`], and is what
//! [`crate::execute`] needs. Both are made over LDAP and SMB, or over any other pair of ports.

pub(crate) mod display_name;
pub mod read;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use crate::directory::links::{GpoLinks, Som, SomKind, SomLink};
pub use crate::directory::wmi::WmiFilter;
pub use crate::directory::{Directory, DomainInfo, GpoObject, LdapSecurity};
pub use crate::sysvol::connect::{SmbClientChoice, SmbDialect};

use crate::auth::tls::TlsSettings;
use crate::auth::{Authority, Identity, UserName};
use crate::directory::DirectorySettings;
use crate::directory::writer::DirectoryWriter;
use crate::domain::ldap::{LdapRead, LdapWrite};
use crate::domain::sysvol::{Sysvol, SysvolRead};
use crate::error::Result;
use crate::model::domain_name::DomainName;
use crate::sysvol::connect::{SmbAuth, SmbSettings};

/// How to reach a domain, and who logs in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionSettings {
    /// The DNS name of the domain.
    pub domain: DomainName,
    /// The DNS name of the DC: its identity for Kerberos and TLS.
    pub server: DomainName,
    /// The address to connect to, instead of resolving the name.
    pub address: Option<IpAddr>,
    /// Who logs in.
    pub identity: Identity,
    /// How LDAP is protected; sealed Kerberos by default.
    pub ldap_security: LdapSecurity,
    /// Which certificates are trusted.
    pub tls: TlsSettings,
    /// Which SMB back end.
    pub smb_client: SmbClientChoice,
    /// The oldest SMB dialect that is accepted.
    pub smb_min_dialect: SmbDialect,
    /// Whether Kerberos tickets that use RC4 are accepted.
    pub allow_rc4: bool,
    /// How long one call may take.
    pub timeout: Duration,
}

crate::setters::setters!(SessionSettings {
    address: IpAddr,
    ldap_security: LdapSecurity,
    tls: TlsSettings,
    smb_client: SmbClientChoice,
    smb_min_dialect: SmbDialect,
    allow_rc4: bool,
    timeout: Duration
});

impl SessionSettings {
    /// How long one call may take by default.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Sealed Kerberos to the DC under its own name, and the SMB back end that fits.
    pub fn new(domain: DomainName, server: DomainName, identity: Identity) -> Self {
        Self {
            domain,
            server,
            address: None,
            identity,
            ldap_security: LdapSecurity::Sealed,
            tls: TlsSettings::default(),
            smb_client: SmbClientChoice::Auto,
            smb_min_dialect: SmbDialect::default(),
            allow_rc4: false,
            timeout: Self::DEFAULT_TIMEOUT,
        }
    }
}

/// One LDAP and one SMB connection to one DC, for reading.
#[derive(Clone)]
pub struct DomainSession {
    directory: Directory,
    sysvol: Arc<dyn SysvolRead>,
}

impl DomainSession {
    /// Connects both halves, for reading.
    ///
    /// # Errors
    /// `Connect` when the DC cannot be reached, its certificate or ticket is not accepted, or it refuses the account;
    /// `Usage` when the settings contradict each other.
    pub async fn connect(settings: &SessionSettings) -> Result<Self> {
        Ok(DomainWriter::connect(settings).await?.session)
    }

    /// A session over any two ports that lead to one and the same DC. The directory is asked what it reports about itself.
    ///
    /// # Errors
    /// `Connect` when a connection is lost; `BadDirectory` when the directory does not say what every domain says.
    #[doc(hidden)]
    pub async fn from_ports(
        directory: Arc<dyn LdapRead>,
        sysvol: Arc<dyn SysvolRead>,
    ) -> Result<Self> {
        let directory = Directory::from_port(directory, None).await?;
        Ok(Self { directory, sysvol })
    }

    /// The directory half.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The SYSVOL half.
    pub(crate) fn sysvol(&self) -> &dyn SysvolRead {
        &*self.sysvol
    }

    /// What the DC reports about itself and its domain.
    pub fn info(&self) -> &DomainInfo {
        self.directory.info()
    }
}

/// One LDAP and one SMB connection to one DC, for reading and writing.
#[derive(Clone)]
pub struct DomainWriter {
    session: DomainSession,
    directory: DirectoryWriter,
    sysvol: Arc<dyn Sysvol>,
    patience: Duration,
}

impl DomainWriter {
    /// How long an operation waits by default for a client to close a file that it has to rename, replace or delete. Clients have the
    /// files of a policy open for milliseconds.
    pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);

    /// Connects both halves, for reading and writing.
    ///
    /// # Errors
    /// `Connect` when the DC cannot be reached, its certificate or ticket is not accepted, or it refuses the account;
    /// `Usage` when the settings contradict each other.
    pub async fn connect(settings: &SessionSettings) -> Result<Self> {
        let directory_settings = DirectorySettings {
            domain: Some(settings.domain.clone()),
            server: settings.server.clone(),
            address: settings.address,
            security: settings.ldap_security,
            identity: settings.identity.clone(),
            tls: settings.tls.clone(),
            allow_rc4: settings.allow_rc4,
            timeout: settings.timeout,
        };
        let smb_settings = SmbSettings {
            server: settings.server.clone(),
            address: settings.address,
            domain: settings.domain.clone(),
            auth: smb_auth(settings)?,
            client: settings.smb_client,
            min_dialect: settings.smb_min_dialect,
            allow_rc4: settings.allow_rc4,
            timeout: settings.timeout,
        };
        let sysvol = crate::sysvol::connect::connect(&smb_settings);
        let (directory, sysvol) = match settings.identity {
            Identity::TicketCache { .. } => {
                tokio::try_join!(DirectoryWriter::connect(&directory_settings), sysvol)?
            }
            // One after the other: a wrong password must count once against the account's lock-out, not twice.
            Identity::Password { .. } => {
                let directory = DirectoryWriter::connect(&directory_settings).await?;
                (directory, sysvol.await?)
            }
        };
        Ok(
            Self::new(directory, sysvol)
                .with_patience(Self::DEFAULT_PATIENCE.min(settings.timeout)),
        )
    }

    /// A session over any two ports that lead to one and the same DC. The directory is asked what it reports about itself.
    ///
    /// # Errors
    /// `Connect` when a connection is lost; `BadDirectory` when the directory does not say what every domain says.
    #[doc(hidden)]
    pub async fn from_ports(
        directory: Arc<dyn LdapWrite>,
        sysvol: Arc<dyn Sysvol>,
    ) -> Result<Self> {
        let directory = DirectoryWriter::from_port(directory, None).await?;
        Ok(Self::new(directory, sysvol))
    }

    fn new(directory: DirectoryWriter, sysvol: Arc<dyn Sysvol>) -> Self {
        let session = DomainSession {
            directory: directory.directory().clone(),
            sysvol: sysvol.clone(),
        };
        Self {
            session,
            directory,
            sysvol,
            patience: Self::DEFAULT_PATIENCE,
        }
    }

    /// Sets how long an operation waits for a client to close a file, each time that it meets one. By default
    /// [`Self::DEFAULT_PATIENCE`], or the time-out of a call if that is shorter.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How long an operation waits for a client to close a file.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The same session with the SYSVOL half inside another port.
    pub(crate) fn wrap_sysvol(
        &self,
        wrap: impl FnOnce(Arc<dyn Sysvol>) -> Arc<dyn Sysvol>,
    ) -> Self {
        let wrapped = Self::new(self.directory.clone(), wrap(self.sysvol.clone()));
        wrapped.with_patience(self.patience)
    }

    /// The reading half.
    pub fn session(&self) -> &DomainSession {
        &self.session
    }

    /// The directory half, for writing.
    pub(crate) fn directory(&self) -> &DirectoryWriter {
        &self.directory
    }

    /// The SYSVOL half, for writing.
    pub(crate) fn sysvol(&self) -> &dyn Sysvol {
        &*self.sysvol
    }
}

/// The SMB identity that fits the LDAP one: Kerberos beside sealed LDAP, NTLM beside a simple bind.
fn smb_auth(settings: &SessionSettings) -> Result<SmbAuth> {
    match (&settings.identity, settings.ldap_security) {
        (Identity::Password { user, password }, LdapSecurity::Ldaps | LdapSecurity::StartTls) => {
            let name = UserName::parse(user)?;
            let domain = match name.authority {
                Authority::NetBios(domain) => domain,
                Authority::Dns(realm) => realm.realm(),
                Authority::None => settings.domain.realm(),
            };
            Ok(SmbAuth::Ntlm {
                domain,
                user: name.account,
                password: password.clone(),
            })
        }
        (identity, _) => Ok(SmbAuth::Kerberos(identity.clone())),
    }
}
