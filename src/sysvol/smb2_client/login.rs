//! Connecting and logging in: always signed, never as a guest, and with Kerberos only to a server that proves its identity.
//!
//! libkrb5 obtains the service ticket ([`Credential::service_ticket`]); smb2 makes only the AP-REQ from it, and never contacts
//! a KDC. A server that cannot decrypt the ticket has no session key, and smb2 accepts neither the final answer of the session
//! setup (3.0 and later) nor any later one without a signature made with it.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use smb2::auth::kerberos::KerberosCredentials;
use smb2::client::{Connection, Session, Tree};
use smb2::transport::TcpTransport;
use smb2::types::status::NtStatus;

use super::encryption::{Announcing, Closed, Half, can_encrypt, open_share};
use super::negotiation::{check_dialect, validate};
use super::refusal::{no_session, no_share};
use crate::auth::Identity;
use crate::auth::kerberos::Credential;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::sysvol::connect::{SmbAuth, SmbSettings};

const SMB_PORT: u16 = 445;

/// Opens the share SYSVOL of the DC.
pub(super) async fn login(settings: &SmbSettings) -> Result<(Connection, Tree)> {
    let limit = settings.timeout;
    tokio::time::timeout(limit, open(settings))
        .await
        .unwrap_or_else(|_| Err(no_answer(settings)))
}

fn no_answer(settings: &SmbSettings) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!(
            "{} did not answer over SMB within {} s",
            settings.server,
            settings.timeout.as_secs()
        ),
    )
    .with_hint("check the name, the address and the firewall (TCP 445, Kerberos 88)")
}

async fn open(settings: &SmbSettings) -> Result<(Connection, Tree)> {
    let server = settings.server.lower();
    let endpoint = settings.endpoint(SMB_PORT);
    check_name(settings).await?;
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
    // The name of the DC is its identity, whatever address is used.
    let mut connection = Connection::from_transport(
        Box::new(Half(Arc::clone(&transport))),
        Box::new(Half(Arc::clone(&transport))),
        server.as_str(),
    );
    limit_waiting(&connection, settings);
    connection.negotiate().await.map_err(|cause| {
        // On a busy machine it notices the end of the time before the time limit of the login does.
        if matches!(cause, smb2::Error::Timeout) {
            return no_answer(settings);
        }
        Error::new(
            ErrorKind::Connect,
            format!("{server} does not answer with SMB 2 or 3 at {endpoint}"),
        )
        .with_source(cause)
        .with_hint("check that the address is that of the domain controller, and what else may listen on TCP 445")
    })?;
    transport.correct_hash(&connection);
    check_dialect(&connection, settings)?;
    let session = authenticate(&mut connection, settings).await?;
    if !session.should_sign {
        return Err(Error::new(
            ErrorKind::Connect,
            format!("{server} offers a session without signing, which is not accepted"),
        )
        .with_hint("check the account and the server: it may be a guest session, or another machine may be answering"));
    }
    let tree = open_share(&mut connection, &session, "SYSVOL")
        .await
        .map_err(|closed| not_opened(settings, closed))?;
    validate(&connection, &tree, &transport, settings).await?;
    // What is in force now: the share may require more than the negotiation and the session.
    tracing::info!(
        server = server.as_str(),
        %endpoint,
        dialect = ?connection.params().map(|params| params.dialect),
        signed = session.should_sign,
        encrypted = connection.should_encrypt(),
        "SYSVOL is open (smb2)"
    );
    Ok((connection, tree))
}

/// The error for a share that cannot be opened.
pub(super) fn not_opened(settings: &SmbSettings, closed: Closed) -> Error {
    match closed {
        Closed::Refused(cause) => no_share(settings, cause),
        Closed::NoCipher => needs_encryption(settings),
        Closed::RefusedWithoutCipher(cause) => refused_without_cipher(settings, &cause),
    }
}

/// Reports a name that does not resolve, before connecting.
async fn check_name(settings: &SmbSettings) -> Result<()> {
    if settings.address.is_some() {
        return Ok(());
    }
    let server = settings.server.as_str();
    match tokio::net::lookup_host((server, SMB_PORT)).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::new(
            ErrorKind::Connect,
            format!("the name {server} does not resolve on this machine"),
        )
        .with_hint("check the name, or give its IP address")
        .with_remedy(Remedy::GiveAddressOrNameserver)),
    }
}

/// Makes the time-out of the settings the only one: smb2 has several, and waits six times as long for a server that answers
/// probes.
fn limit_waiting(connection: &Connection, settings: &SmbSettings) {
    connection.set_response_timeout(Some(settings.timeout));
    connection.set_send_timeout(Some(settings.timeout));
    connection.set_credit_wait_timeout(settings.timeout);
    connection.set_keepalive(None);
}

async fn authenticate(connection: &mut Connection, settings: &SmbSettings) -> Result<Session> {
    let outcome = match &settings.auth {
        SmbAuth::Kerberos(identity) => {
            let domain = Some(&settings.domain);
            let credential = Credential::acquire(identity, domain, settings.timeout).await?;
            let ticket = credential
                .service_ticket("cifs", &settings.server, domain, settings.allow_rc4)
                .await?;
            ticket.check_clock(matches!(identity, Identity::Password { .. }))?;
            let credentials = KerberosCredentials {
                username: ticket.account()?.to_owned(),
                realm: ticket.realm().to_owned(),
                // Both are for exchanges with a KDC, which the cache below makes unnecessary.
                password: String::new(),
                kdc_address: String::new(),
            };
            let server = settings.server.lower();
            let cache = ticket.into_cache();
            Session::setup_kerberos_from_ccache(connection, &credentials, &server, &cache).await
        }
        SmbAuth::Ntlm {
            domain,
            user,
            password,
        } => Session::setup(connection, user, password.expose_secret(), domain).await,
    };
    outcome.map_err(|cause| {
        // So Samba answers with `server smb encrypt = required` when no cipher was negotiated (seen on 4.17, 4.22 and 4.25).
        if cause.status() == Some(NtStatus::ACCESS_DENIED) && !can_encrypt(connection) {
            refused_without_cipher(settings, &cause)
        } else {
            no_session(settings, cause)
        }
    })
}

/// The cause of an error that the other back end does not have.
#[derive(Debug, thiserror::Error)]
#[error("it accepts none of the ciphers of smb2 (AES-128-GCM, AES-128-CCM)")]
pub(in crate::sysvol) struct NoCommonCipher;

pub(in crate::sysvol) fn needs_encryption(settings: &SmbSettings) -> Error {
    without_cipher(format!("{} requires SMB encryption", settings.server))
        .with_hint(USE_LIBSMBCLIENT)
        .with_remedy(Remedy::UseLibsmbclient)
}

/// The server refused a request without encryption: a client that can encrypt shows which of the two causes it is.
pub(in crate::sysvol) fn refused_without_cipher(
    settings: &SmbSettings,
    cause: &smb2::Error,
) -> Error {
    tracing::debug!(%cause, "refused without encryption, and there is no common cipher");
    without_cipher(format!(
        "{} refused access over SMB, either because it requires encryption or because the account has no permission",
        settings.server
    ))
    .with_hint(USE_LIBSMBCLIENT)
    .with_remedy(Remedy::UseLibsmbclient)
}

const USE_LIBSMBCLIENT: &str = "use libsmbclient as SMB client, or let the domain controller accept AES-128-GCM or AES-128-CCM";

fn without_cipher(message: String) -> Error {
    Error::new(ErrorKind::Usage, message).with_source(NoCommonCipher)
}
