//! Chooses and connects a back end.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::smb2_client::{NoCommonCipher, Smb2Client};
use crate::auth::Identity;
use crate::domain::sysvol::Sysvol;
#[cfg(not(feature = "libsmbclient"))]
use crate::error::ErrorKind;
use crate::error::{Error, Remedy, Result};
use crate::model::domain_name::DomainName;

/// How to connect to SYSVOL of one DC, and with which account.
#[derive(Debug, Clone)]
pub struct SmbSettings {
    /// The DNS name of the DC: its identity for Kerberos.
    pub server: DomainName,
    /// The address to connect to, instead of resolving the name.
    pub address: Option<IpAddr>,
    /// The domain of the DC, whose realm contains the DC's service principal.
    pub domain: DomainName,
    /// The account.
    pub auth: SmbAuth,
    /// The back end.
    pub client: SmbClientChoice,
    /// The oldest dialect that is accepted. libsmbclient always encrypts, so it needs 3.0 at least.
    pub min_dialect: SmbDialect,
    /// Whether Kerberos tickets that use RC4 are accepted.
    pub allow_rc4: bool,
    /// The time limit of one call.
    pub timeout: Duration,
}

/// The account, and how it logs in.
#[derive(Debug, Clone)]
pub enum SmbAuth {
    /// Kerberos. The server proves its identity.
    Kerberos(Identity),
    /// NTLM, for logins without Kerberos. It does not verify the identity of the server.
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
#[non_exhaustive]
pub enum SmbClientChoice {
    /// smb2, unless the server requires encryption and has no cipher in common with smb2.
    #[default]
    Auto,
    /// smb2.
    Smb2,
    /// libsmbclient.
    Libsmbclient,
}

/// An SMB dialect [MS-SMB2 1.7]; older ones compare less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum SmbDialect {
    /// SMB 2.1: Windows 7 and Windows Server 2008 R2. The negotiation is not protected against changes on the network path.
    Smb21,
    /// SMB 3.0: the negotiation is validated after the login.
    #[default]
    Smb30,
    /// SMB 3.1.1: the keys depend on the negotiation, so every change on the network path is detected.
    Smb311,
}

impl fmt::Display for SmbDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smb21 => "2.1",
            Self::Smb30 => "3.0",
            Self::Smb311 => "3.1.1",
        })
    }
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
/// `Connect` when the DC cannot be reached or refuses the account; `Denied` when it refuses the share; `Usage` when the back end does not support the settings.
pub async fn connect(settings: &SmbSettings) -> Result<Arc<dyn Sysvol>> {
    match settings.client {
        SmbClientChoice::Smb2 => smb2(settings).await,
        SmbClientChoice::Libsmbclient => libsmbclient(settings).await,
        SmbClientChoice::Auto => match smb2(settings).await {
            Err(error) if libsmbclient_may_help(&error) => {
                tracing::info!("Using libsmbclient: {error}");
                let instead = libsmbclient(settings).await;
                instead.map_err(|other| of_libsmbclient(other, &error))
            }
            other => other,
        },
    }
}

/// Whether libsmbclient may connect where smb2 failed with this error. Not for a wrong user name or ticket cache.
fn libsmbclient_may_help(error: &Error) -> bool {
    cfg!(feature = "libsmbclient") && error.has_source::<NoCommonCipher>()
}

/// The error of libsmbclient, after that of smb2: its next step is not to use smb2 as long as the server has none of its ciphers.
fn of_libsmbclient(error: Error, smb2: &Error) -> Error {
    let error = error.context(format!("{smb2}; with libsmbclient"));
    let own = match error.remedy() {
        Some(Remedy::OrUseSmb2(other)) => Some(other.as_str()),
        Some(Remedy::UseTicketsOrSmb2) => Some("use tickets for both domains"),
        Some(_) => return error,
        None => error.hint(),
    };
    let instead = "let the domain controller accept AES-128-GCM or AES-128-CCM, which smb2 has";
    let hint = own.map_or(instead.to_owned(), |own| format!("{own}; or {instead}"));
    error.with_hint(hint)
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
    .with_hint("use smb2 as SMB client")
    .with_remedy(Remedy::UseSmb2OrBuildWithLibsmbclient))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::sysvol::smb2_client::{needs_encryption, refused_without_cipher};

    #[test]
    fn only_missing_encryption_leads_to_the_other_back_end() {
        let settings = SmbSettings {
            server: "dc1.src.test".parse().unwrap(),
            address: None,
            domain: "src.test".parse().unwrap(),
            auth: SmbAuth::Kerberos(Identity::TicketCache {
                cache: None,
                principal: None,
            }),
            client: SmbClientChoice::Auto,
            min_dialect: SmbDialect::default(),
            allow_rc4: false,
            timeout: Duration::from_secs(5),
        };
        let encryption = needs_encryption(&settings);
        assert_eq!(encryption.kind(), ErrorKind::Usage);
        assert_eq!(
            encryption.to_string(),
            "dc1.src.test requires SMB encryption: it accepts none of the ciphers of smb2 (AES-128-GCM, AES-128-CCM)"
        );
        // The refusal of a share that may require encryption does not name that as its cause.
        let refused = refused_without_cipher(&settings, &smb2::Error::Timeout);
        assert!(!refused.to_string().contains("requires SMB encryption"));
        for error in [&encryption, &refused] {
            let helps = libsmbclient_may_help(error);
            assert_eq!(helps, cfg!(feature = "libsmbclient"), "{error}");
        }
        // What libsmbclient lacks is not repaired with smb2.
        let other = Error::new(ErrorKind::Usage, "no address")
            .with_remedy(Remedy::OrUseSmb2("add it to /etc/hosts".to_owned()));
        let other = of_libsmbclient(other, &encryption);
        assert!(other.remedy().is_none());
        assert_eq!(
            other.hint(),
            Some(
                "add it to /etc/hosts; or let the domain controller accept AES-128-GCM or AES-128-CCM, which smb2 has"
            )
        );
        let other = Error::new(ErrorKind::Usage, "no tickets")
            .with_hint("use tickets for both domains, or smb2 as SMB client")
            .with_remedy(Remedy::UseTicketsOrSmb2);
        let other = of_libsmbclient(other, &encryption);
        assert!(other.remedy().is_none());
        assert!(!other.hint().unwrap().contains("SMB client"), "{other}");
        assert!(
            other.to_string().contains("requires SMB encryption"),
            "{other}"
        );
        let name = crate::auth::UserName::parse("a/b").unwrap_err();
        assert_eq!(name.kind(), ErrorKind::Usage);
        assert!(!libsmbclient_may_help(&name));
        let caused = Error::new(ErrorKind::Usage, "bad").with_source(std::io::Error::other("x"));
        assert!(!libsmbclient_may_help(&caused));
    }
}
