//! Connecting and logging in: signing always, nobody's guest.

use std::net::SocketAddr;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use smb2::auth::kerberos::KerberosCredentials;
use smb2::auth::kerberos::ccache::load_ccache;
use smb2::client::{Connection, Session, Tree};
use smb2::transport::TcpTransport;

use super::encryption::{Announcing, Closed, Half, open_share};
use crate::auth::Identity;
use crate::auth::kerberos::{Credential, SealedContext};
use crate::error::{Error, ErrorKind, Result};
use crate::model::domain_name::DomainName;
use crate::sysvol::connect::{SmbAuth, SmbSettings, cache_file};

const SMB_PORT: u16 = 445;
const KERBEROS_PORT: u16 = 88;

/// Opens the share SYSVOL of the DC.
pub(super) async fn login(settings: &SmbSettings) -> Result<(Connection, Tree)> {
    let limit = settings.timeout;
    tokio::time::timeout(limit, open(settings))
        .await
        .unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Connect,
                format!(
                    "{} did not answer over SMB in {} seconds",
                    settings.server,
                    limit.as_secs()
                ),
            )
            .with_hint("check the name, the address and the firewall (TCP 445, Kerberos 88)"))
        })
}

async fn open(settings: &SmbSettings) -> Result<(Connection, Tree)> {
    let server = settings.server.lower();
    let endpoint = settings.endpoint(SMB_PORT);
    let transport = TcpTransport::connect(&endpoint, settings.timeout)
        .await
        .map_err(|cause| {
            Error::new(
                ErrorKind::Connect,
                format!("cannot reach {server} over SMB at {endpoint}"),
            )
            .with_source(cause)
            .with_hint("check the name, the address and the firewall (TCP 445)")
        })?;
    let transport = Announcing::new(transport);
    // The name of the DC is its identity, whatever address was connected to.
    let mut connection = Connection::from_transport(
        Box::new(Half(std::sync::Arc::clone(&transport))),
        Box::new(Half(std::sync::Arc::clone(&transport))),
        server.as_str(),
    );
    connection.set_response_timeout(Some(settings.timeout));
    connection
        .negotiate()
        .await
        .map_err(|cause| refused(settings, cause))?;
    transport.correct_hash(&connection);
    let session = authenticate(&mut connection, settings).await?;
    if !session.should_sign {
        return Err(Error::new(
            ErrorKind::Connect,
            format!("{server} offers a session without signing, and that is not accepted"),
        )
        .with_hint("a guest session, or somebody in between; check the account and the server"));
    }
    let tree = open_share(&mut connection, &session, "SYSVOL")
        .await
        .map_err(|closed| match closed {
            Closed::Refused(cause) => refused(settings, cause),
            Closed::NoCipher => needs_encryption(settings),
        })?;
    Ok((connection, tree))
}

async fn authenticate(connection: &mut Connection, settings: &SmbSettings) -> Result<Session> {
    let server = settings.server.lower();
    let kdc = settings.kdc.map_or_else(
        || settings.endpoint(KERBEROS_PORT),
        |kdc: SocketAddr| kdc.to_string(),
    );
    let outcome = match &settings.auth {
        SmbAuth::KerberosPassword {
            user,
            realm,
            password,
        } => {
            let credentials = kerberos(user, realm, Some(password), kdc);
            Session::setup_kerberos(connection, &credentials, &server).await
        }
        SmbAuth::KerberosCache { path } => {
            let path = cache_file(path.as_ref())?;
            fetch_ticket(settings, &path).await?;
            let cache = load_ccache(Some(&path)).map_err(|cause| {
                Error::new(
                    ErrorKind::Connect,
                    format!("cannot read the Kerberos ticket cache {}", path.display()),
                )
                .with_source(cause)
                .with_hint("run kinit, or name a cache with --ccache")
            })?;
            let user = cache
                .default_principal
                .components
                .first()
                .cloned()
                .unwrap_or_default();
            let realm = cache.default_principal.realm.clone();
            let credentials = kerberos(&user, &realm, None, kdc);
            Session::setup_kerberos_from_ccache(connection, &credentials, &server, &cache).await
        }
        SmbAuth::Ntlm {
            domain,
            user,
            password,
        } => Session::setup(connection, user, password.expose_secret(), domain).await,
    };
    outcome.map_err(|cause| refused(settings, cause))
}

/// Has libkrb5 put the service ticket into the cache, where smb2 finds it: its own request for one is refused
/// (KDC_ERR_BADOPTION, seen on Samba 4.17) when the ticket of the cache is not forwardable.
async fn fetch_ticket(settings: &SmbSettings, cache: &Path) -> Result<()> {
    let identity = Identity::TicketCache {
        cache: Some(format!("FILE:{}", cache.display())),
        principal: None,
    };
    let realm: Option<DomainName> = settings.realm.parse().ok();
    let credential = Credential::acquire(&identity, realm.as_ref(), settings.timeout).await?;
    SealedContext::new(
        &credential,
        "cifs",
        &settings.server,
        realm.as_ref(),
        settings.timeout,
    )?
    .step(None)
    .await
    .map(drop)
}

fn kerberos(
    user: &str,
    realm: &str,
    password: Option<&SecretString>,
    kdc: String,
) -> KerberosCredentials {
    KerberosCredentials {
        username: user.to_owned(),
        // The crate keeps a plain copy; it lives as long as the login.
        password: password.map_or_else(String::new, |password| password.expose_secret().to_owned()),
        realm: realm.to_uppercase(),
        kdc_address: kdc,
    }
}

fn refused(settings: &SmbSettings, cause: smb2::Error) -> Error {
    let who = match &settings.auth {
        SmbAuth::KerberosPassword { user, realm, .. } => format!("{user}@{realm}"),
        SmbAuth::Ntlm { domain, user, .. } => format!("{domain}\\{user}"),
        SmbAuth::KerberosCache { .. } => "the ticket cache".to_owned(),
    };
    Error::new(
        ErrorKind::Connect,
        format!("{} refused {who} over SMB", settings.server),
    )
    .with_source(cause)
    .with_hint("check the account, its password or ticket, and the clock")
}

fn needs_encryption(settings: &SmbSettings) -> Error {
    Error::new(
        ErrorKind::Usage,
        format!(
            "{} requires SMB encryption, and smb2 could not agree on a cipher with it",
            settings.server
        ),
    )
    .with_hint("use --smb-client libsmbclient")
}
