//! Choosing and connecting a back end.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::Sysvol;
use super::smb2_client::Smb2Client;
use crate::error::{Error, ErrorKind, Result};
use crate::model::domain_name::DomainName;

/// How to reach SYSVOL of one DC, and as whom.
#[derive(Debug, Clone)]
pub struct SmbSettings {
    /// The DNS name of the DC: its identity for Kerberos.
    pub server: DomainName,
    /// Where to connect to, when the name is not to be resolved.
    pub address: Option<IpAddr>,
    /// The key distribution centre; the DC itself when not given.
    pub kdc: Option<SocketAddr>,
    /// The Kerberos realm, upper case.
    pub realm: String,
    /// As whom.
    pub auth: SmbAuth,
    /// Which back end.
    pub client: SmbClientChoice,
    /// How long one call may take.
    pub timeout: Duration,
}

/// Who connects.
#[derive(Debug, Clone)]
pub enum SmbAuth {
    /// Kerberos with a password; the tickets stay in memory.
    KerberosPassword {
        /// The account, without realm.
        user: String,
        /// Its realm, upper case.
        realm: String,
        /// Its password.
        password: SecretString,
    },
    /// Kerberos with the tickets of a cache.
    KerberosCache {
        /// The cache file; `None` for the default cache.
        path: Option<PathBuf>,
    },
    /// NTLM, for accounts that come without Kerberos. The server is not authenticated by it.
    Ntlm {
        /// The domain: its NetBIOS or DNS name.
        domain: String,
        /// The account.
        user: String,
        /// Its password.
        password: SecretString,
    },
}

/// Which back end to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SmbClientChoice {
    /// smb2, unless the ticket cache is not a file, or the server requires encryption and offers no cipher that smb2 has.
    #[default]
    Auto,
    /// smb2.
    Smb2,
    /// libsmbclient.
    Libsmbclient,
}

impl SmbSettings {
    /// Host or address, and port, to connect to.
    pub(super) fn endpoint(&self, port: u16) -> String {
        match self.address {
            Some(address) => SocketAddr::new(address, port).to_string(),
            None => format!("{}:{port}", self.server),
        }
    }
}

/// Connects to the share SYSVOL of the DC.
///
/// # Errors
/// `Connect` when the DC cannot be reached or refuses the account; `Usage` when the back end cannot do what was asked for.
pub async fn connect(settings: &SmbSettings) -> Result<Arc<dyn Sysvol>> {
    match settings.client {
        SmbClientChoice::Smb2 => smb2(settings).await,
        SmbClientChoice::Libsmbclient => libsmbclient(settings).await,
        SmbClientChoice::Auto if needs_libkrb5(&settings.auth) => libsmbclient(settings).await,
        SmbClientChoice::Auto => match smb2(settings).await {
            Err(error) if error.kind() == ErrorKind::Usage => libsmbclient(settings).await,
            other => other,
        },
    }
}

async fn smb2(settings: &SmbSettings) -> Result<Arc<dyn Sysvol>> {
    let client = Smb2Client::connect(settings).await?;
    Ok(Arc::new(client))
}

#[cfg(feature = "libsmbclient")]
async fn libsmbclient(settings: &SmbSettings) -> Result<Arc<dyn Sysvol>> {
    let client = super::libsmbclient::LibSmbClient::connect(settings).await?;
    Ok(Arc::new(client))
}

#[cfg(not(feature = "libsmbclient"))]
async fn libsmbclient(_settings: &SmbSettings) -> Result<Arc<dyn Sysvol>> {
    Err(Error::new(
        ErrorKind::Usage,
        "this gpoctl was built without libsmbclient",
    )
    .with_hint("use a ticket cache of type FILE, or build with the feature libsmbclient"))
}

/// Whether the tickets are in a cache that only libkrb5 can read: KCM, KEYRING, DIR, API, MEMORY.
fn needs_libkrb5(auth: &SmbAuth) -> bool {
    let SmbAuth::KerberosCache { path } = auth else {
        return false;
    };
    let name = match path {
        Some(path) => path.to_string_lossy().into_owned(),
        None => std::env::var("KRB5CCNAME").unwrap_or_default(),
    };
    name.split_once(':')
        .is_some_and(|(kind, _)| !kind.eq_ignore_ascii_case("FILE") && !kind.contains('/'))
}

/// The cache file the tickets are in.
///
/// # Errors
/// `Connect` when there is none.
pub(super) fn cache_file(path: Option<&PathBuf>) -> Result<PathBuf> {
    if let Some(path) = path {
        return Ok(path.clone());
    }
    if let Some(name) = std::env::var_os("KRB5CCNAME") {
        let name = name.to_string_lossy().into_owned();
        return Ok(PathBuf::from(name.strip_prefix("FILE:").unwrap_or(&name)));
    }
    // The default of MIT Kerberos where krb5.conf says nothing else.
    let path = PathBuf::from(format!(
        "/tmp/krb5cc_{}",
        rustix::process::getuid().as_raw()
    ));
    if path.exists() {
        Ok(path)
    } else {
        Err(Error::new(
            ErrorKind::Connect,
            format!("there is no Kerberos ticket cache at {}", path.display()),
        )
        .with_hint("run kinit, name a cache with --ccache, or use --user"))
    }
}
