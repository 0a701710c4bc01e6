//! A domain session: one LDAP and one SMB connection to one and the same DC.
//!
//! [`DomainSession`] can read and has no write methods. [`DomainSession::into_writer`] gives what
//! [`crate::operations::apply`] needs to write.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Identity;
use crate::auth::tls::TlsSettings;
use crate::directory::session::{DirectorySettings, LdapSecurity};
use crate::directory::writer::DirectoryWriter;
use crate::directory::{Directory, DomainInfo};
use crate::error::Result;
use crate::model::domain_name::DomainName;
use crate::sysvol::connect::{SmbAuth, SmbClientChoice, SmbSettings};
use crate::sysvol::{Sysvol, SysvolRead};

/// How to reach a domain, and as whom.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// The DNS name of the domain.
    pub domain: DomainName,
    /// The DNS name of the DC: its identity for Kerberos and TLS.
    pub server: DomainName,
    /// Where to connect to, when the name is not to be resolved.
    pub address: Option<IpAddr>,
    /// As whom.
    pub identity: Identity,
    /// How LDAP is protected; sealed Kerberos by default.
    pub ldap_security: LdapSecurity,
    /// Which certificates are trusted.
    pub tls: TlsSettings,
    /// Which SMB back end.
    pub smb_client: SmbClientChoice,
    /// How long one call may take.
    pub timeout: Duration,
}

impl SessionSettings {
    /// How long one call may take when nobody says otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Sealed Kerberos to the DC under its own name, and whichever SMB back end fits.
    pub fn new(domain: DomainName, server: DomainName, identity: Identity) -> Self {
        Self {
            domain,
            server,
            address: None,
            identity,
            ldap_security: LdapSecurity::Sealed,
            tls: TlsSettings::default(),
            smb_client: SmbClientChoice::Auto,
            timeout: Self::DEFAULT_TIMEOUT,
        }
    }
}

/// One LDAP and one SMB connection to one DC, for reading.
#[derive(Clone)]
pub struct DomainSession {
    directory: Directory,
    sysvol: Arc<dyn Sysvol>,
}

impl DomainSession {
    /// Connects both halves.
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
            timeout: settings.timeout,
        };
        let smb_settings = SmbSettings {
            server: settings.server.clone(),
            address: settings.address,
            kdc: None,
            realm: settings.domain.realm(),
            auth: smb_auth(settings),
            client: settings.smb_client,
            timeout: settings.timeout,
        };
        let sysvol = crate::sysvol::connect::connect(&smb_settings);
        let (directory, sysvol) = match settings.identity {
            Identity::TicketCache { .. } => {
                tokio::try_join!(Directory::connect(&directory_settings), sysvol)?
            }
            // One after the other: a wrong password must count once against the account's lock-out, not twice.
            Identity::Password { .. } => {
                let directory = Directory::connect(&directory_settings).await?;
                (directory, sysvol.await?)
            }
        };
        Ok(Self { directory, sysvol })
    }

    /// The directory half.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The SYSVOL half.
    pub fn sysvol(&self) -> &dyn SysvolRead {
        &*self.sysvol
    }

    /// What the DC said of itself and its domain.
    pub fn info(&self) -> &DomainInfo {
        self.directory.info()
    }

    /// What can also write.
    pub fn into_writer(self) -> DomainWriter {
        DomainWriter {
            writer: self.directory.writer(),
            session: self,
        }
    }
}

/// A session that can write.
#[derive(Clone)]
pub struct DomainWriter {
    session: DomainSession,
    writer: DirectoryWriter,
}

impl DomainWriter {
    /// The reading half.
    pub fn session(&self) -> &DomainSession {
        &self.session
    }

    /// What writes to the directory.
    pub fn directory(&self) -> &DirectoryWriter {
        &self.writer
    }

    /// What writes to SYSVOL.
    pub fn sysvol(&self) -> &dyn Sysvol {
        &*self.session.sysvol
    }
}

/// The SMB identity that fits the LDAP one: Kerberos beside sealed LDAP, NTLM beside a simple bind.
fn smb_auth(settings: &SessionSettings) -> SmbAuth {
    match &settings.identity {
        Identity::TicketCache { cache, .. } => SmbAuth::KerberosCache {
            path: cache
                .as_deref()
                .map(|cache| PathBuf::from(cache.strip_prefix("FILE:").unwrap_or(cache))),
        },
        Identity::Password { user, password } => {
            let (name, realm) = match user.split_once('@') {
                Some((name, realm)) => (name.to_owned(), realm.to_uppercase()),
                None => (
                    user.rsplit('\\').next().unwrap_or(user).to_owned(),
                    settings.domain.realm(),
                ),
            };
            match settings.ldap_security {
                LdapSecurity::Sealed => SmbAuth::KerberosPassword {
                    user: name,
                    realm,
                    password: password.clone(),
                },
                LdapSecurity::Ldaps | LdapSecurity::StartTls => SmbAuth::Ntlm {
                    domain: user
                        .split_once('\\')
                        .map_or(realm, |(domain, _)| domain.to_owned()),
                    user: name,
                    password: password.clone(),
                },
            }
        }
    }
}
