//! The stream below ldap3: TCP to an address, sealed by Kerberos or wrapped in TLS for a name. ldap3 uses a local socket; a
//! task transports the bytes.
//!
//! ldap3's own sealing loses data when a reply needs several SASL buffers, and its TLS supports neither an address other than
//! the name nor a certificate that has only a CN.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, StdStream};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

use super::gate::Gate;
use super::sasl;
use crate::auth::kerberos::SealedContext;
use crate::auth::tls::{self, TlsSettings};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::domain_name::DomainName;

/// The longest sealed buffer that is accepted; RFC 4752 limits the peer to 16 MiB.
const MAX_SEALED: usize = 64 * 1024 * 1024;
/// The longest piece of plain text that is sealed at once. Samba closes a connection without an answer above its limit.
const MAX_CHUNK: usize = 60 * 1024;
/// The most that sealing may add to a piece of plain text: header, confounder, padding and checksum of every Kerberos cipher.
const SEAL_OVERHEAD: usize = 512;

/// The target of the connection.
pub(super) struct Endpoint<'a> {
    /// The DC's DNS name: the identity that Kerberos or TLS verifies.
    pub server: &'a DomainName,
    /// The address to connect to, instead of resolving the name.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The time limit for each phase.
    pub timeout: Duration,
}

/// The reason why the stream ended.
#[derive(Clone)]
pub(super) struct StreamEnd(watch::Receiver<Option<Arc<str>>>);

impl StreamEnd {
    /// The reason. Called after a call failed, so the stream has ended or is about to; waits for it briefly.
    pub(super) async fn cause(&self) -> Option<Arc<str>> {
        let mut receiver = self.0.clone();
        let waited = tokio::time::timeout(
            Duration::from_millis(500),
            receiver.wait_for(Option::is_some),
        )
        .await;
        match waited {
            Ok(Ok(end)) => end.clone(),
            _ => None,
        }
    }
}

/// Opens the TCP connection.
///
/// # Errors
/// [`ErrorKind::Connect`] when the name does not resolve, the connection is not accepted, or the time is over.
pub(super) async fn connect(to: &Endpoint<'_>) -> Result<TcpStream> {
    let server = to.server;
    let addresses: Vec<SocketAddr> = match to.address {
        Some(address) => vec![SocketAddr::new(address, to.port)],
        None => {
            let lookup = tokio::net::lookup_host((server.as_str(), to.port));
            let unknown = || {
                Error::new(
                    ErrorKind::Connect,
                    format!("the name {server} does not resolve on this machine"),
                )
                .with_hint("check the name, or give its IP address")
                .with_remedy(Remedy::GiveAddressOrNameserver)
            };
            match tokio::time::timeout(to.timeout, lookup).await {
                Err(_) => return Err(too_slow(&format!("looking up {server}"), to.timeout)),
                Ok(Err(_)) => return Err(unknown()),
                Ok(Ok(found)) => found.collect(),
            }
        }
    };
    let mut last = None;
    let attempts = async {
        for address in &addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Some(stream),
                Err(error) => last = Some((*address, error)),
            }
        }
        None
    };
    match tokio::time::timeout(to.timeout, attempts).await {
        Err(_) => Err(too_slow(
            &format!("connecting to {server} port {}", to.port),
            to.timeout,
        )),
        Ok(Some(stream)) => {
            stream.set_nodelay(true).map_err(|error| {
                Error::new(
                    ErrorKind::Connect,
                    format!("cannot set up the connection to {server}"),
                )
                .with_source(error)
            })?;
            Ok(stream)
        }
        Ok(None) => {
            let error = Error::new(
                ErrorKind::Connect,
                format!("cannot connect to {server} port {}", to.port),
            )
            .with_hint("check that the DC runs and that no firewall is in between");
            Err(match last {
                Some((address, cause)) => error.with_source(format!("{address}: {cause}")),
                None => error,
            })
        }
    }
}

/// The error of a phase that took too long.
fn too_slow(what: &str, timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!("{what} took longer than {} s", timeout.as_secs_f32()),
    )
    .with_hint("check the address and the network, or wait longer")
    .with_remedy(Remedy::CheckNetworkOrRaiseTimeout)
}

/// Binds with Kerberos and seals everything from then on. Returns the LDAP handle and the principal that was bound.
///
/// # Errors
/// [`ErrorKind::Connect`] with the cause; never falls back to anything unsealed.
pub(super) async fn open_sealed(
    to: &Endpoint<'_>,
    context: SealedContext,
) -> Result<(Ldap, StreamEnd, String)> {
    let mut tcp = connect(to).await?;
    let server = to.server.to_string();
    let bind = sasl::bind_gssapi(&mut tcp, &server, context);
    let (context, server_size) = tokio::time::timeout(to.timeout, bind)
        .await
        .map_err(|_| too_slow(&format!("the Kerberos bind to {server}"), to.timeout))??;
    let principal = context.source_name()?;
    let chunk = server_size
        .saturating_sub(SEAL_OVERHEAD)
        .clamp(1024, MAX_CHUNK);
    let (ldap, end) = attach(&server, move |local| {
        pump_sealed(tcp, local, context, chunk)
    })
    .await?;
    Ok((ldap, end, principal))
}

/// Wraps the connection in TLS, at once (LDAPS) or after requesting it (StartTLS). Does not bind.
///
/// # Errors
/// [`ErrorKind::Connect`] when the handshake fails or the certificate is not trusted.
pub(super) async fn open_tls(
    to: &Endpoint<'_>,
    settings: &TlsSettings,
    ask_first: bool,
) -> Result<(Ldap, StreamEnd)> {
    let config = settings.client_config()?;
    let server = to.server.to_string();
    let name = ServerName::try_from(to.server.lower()).map_err(|error| {
        Error::new(
            ErrorKind::Usage,
            format!("{server} cannot be the name of a TLS server"),
        )
        .with_source(error)
    })?;
    let mut tcp = connect(to).await?;
    if ask_first {
        tokio::time::timeout(to.timeout, sasl::start_tls(&mut tcp, &server))
            .await
            .map_err(|_| too_slow(&format!("StartTLS with {server}"), to.timeout))??;
    }
    let handshake = tokio_rustls::TlsConnector::from(config).connect(name, tcp);
    let tls = tokio::time::timeout(to.timeout, handshake)
        .await
        .map_err(|_| too_slow(&format!("the TLS handshake with {server}"), to.timeout))?
        .map_err(|error| tls::handshake_failure(&server, error))?;
    attach(&server, move |local| pump_tls(tls, local)).await
}

/// Gives ldap3 one end of a socket pair, and starts the task that transports the bytes between the other end and the server.
async fn attach<P, F>(server: &str, pump: P) -> Result<(Ldap, StreamEnd)>
where
    P: FnOnce(UnixStream) -> F,
    F: Future<Output = String> + Send + 'static,
{
    let broken = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, "cannot make a local socket pair").with_source(error)
    };
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(broken)?;
    ours.set_nonblocking(true).map_err(broken)?;
    let ours = UnixStream::from_std(ours).map_err(broken)?;
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
    let (driver, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///")
        .await
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "cannot set up the LDAP connection").with_source(error)
        })?;
    let (sender, receiver) = watch::channel(None);
    let running = pump(ours);
    let server = server.to_owned();
    tokio::spawn(async move {
        let cause = running.await;
        tracing::debug!(%server, %cause, "the LDAP stream has ended");
        sender.send_replace(Some(Arc::from(cause)));
    });
    tokio::spawn(async move {
        if let Err(error) = driver.drive().await {
            tracing::debug!(%error, "the LDAP driver has ended");
        }
    });
    Ok((ldap, StreamEnd(receiver)))
}

/// Attaches to a stream without protection.
#[cfg(test)]
pub(super) async fn attach_plain<T>(server: &str, stream: T) -> Result<(Ldap, StreamEnd)>
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    attach(server, move |local| pump_tls(stream, local)).await
}

/// The reason when our own side has ended the stream.
const CLOSED_BY_US: &str = "the connection was closed on our side";
/// The reason when the server has ended the stream.
const CLOSED_BY_SERVER: &str = "the server closed the connection";

/// Transports plain bytes through TLS in both directions until one side ends; returns the reason.
async fn pump_tls<T>(tls: T, local: UnixStream) -> String
where
    T: AsyncRead + AsyncWrite,
{
    let (from_server, to_server) = tokio::io::split(tls);
    let (from_us, to_us) = local.into_split();
    let gate = Mutex::new(Gate::default());
    let gate = || gate.lock().unwrap_or_else(PoisonError::into_inner);
    let noted = |bytes: &[u8]| {
        gate().note(bytes);
        Ok(bytes.to_vec())
    };
    let passed = |bytes: &[u8]| gate().pass(bytes);
    tokio::select! {
        end = copy(from_us, to_server, "sending", noted) => end.unwrap_or_else(|| CLOSED_BY_US.to_owned()),
        end = copy(from_server, to_us, "receiving", passed) => end.unwrap_or_else(|| CLOSED_BY_SERVER.to_owned()),
    }
}

/// Copies what `check` passes until the end of `from`; returns the text of an error, or nothing at a regular end.
async fn copy<R, W>(
    mut from: R,
    mut to: W,
    what: &str,
    mut check: impl FnMut(&[u8]) -> Result<Vec<u8>, String>,
) -> Option<String>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; MAX_CHUNK];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) => return None,
            Ok(read) => read,
            Err(error) => return Some(format!("{what} failed: {error}")),
        };
        let piece = buffer.get(..read).unwrap_or_default();
        let piece = match check(piece) {
            Ok(piece) => piece,
            Err(reason) => return Some(reason),
        };
        if let Err(error) = to.write_all(&piece).await {
            return Some(format!("{what} failed: {error}"));
        }
        // rustls buffers what it has encrypted until it is flushed.
        if let Err(error) = to.flush().await {
            return Some(format!("{what} failed: {error}"));
        }
    }
}

/// Seals what is sent and unseals what is received, until one side ends; returns the reason.
async fn pump_sealed(
    server: TcpStream,
    local: UnixStream,
    context: SealedContext,
    chunk: usize,
) -> String {
    let (from_server, to_server) = server.into_split();
    let (from_us, to_us) = local.into_split();
    let context = Arc::new(Mutex::new(context));
    let gate = Mutex::new(Gate::default());
    // Two separate futures: a full pipe in one direction must not stop the other.
    tokio::select! {
        end = seal(from_us, to_server, Arc::clone(&context), chunk, &gate) => end,
        end = unseal(from_server, to_us, context, &gate) => end,
    }
}

/// Upwards: plain text may be cut anywhere, because sealed buffers need not match messages [RFC 4422 3.7].
async fn seal<R, W>(
    mut from: R,
    mut to: W,
    context: Arc<Mutex<SealedContext>>,
    chunk: usize,
    gate: &Mutex<Gate>,
) -> String
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; chunk];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) => return CLOSED_BY_US.to_owned(),
            Ok(read) => read,
            Err(error) => return format!("reading from our own side failed: {error}"),
        };
        let plain = buffer.get(..read).unwrap_or_default();
        gate.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note(plain);
        let sealed = context
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .wrap(true, plain);
        let sealed = match sealed {
            Ok(sealed) => sealed,
            Err(error) => return error.to_string(),
        };
        let Ok(length) = u32::try_from(sealed.len()) else {
            return "a sealed buffer became too long".to_owned();
        };
        let mut framed = Vec::with_capacity(sealed.len() + 4);
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&sealed);
        if let Err(error) = to.write_all(&framed).await {
            return format!("sending failed: {error}");
        }
    }
}

/// Downwards: waits for complete sealed buffers; a read may contain a part of one, or several.
async fn unseal<R, W>(
    mut from: R,
    mut to: W,
    context: Arc<Mutex<SealedContext>>,
    gate: &Mutex<Gate>,
) -> String
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut sealed = Vec::new();
    loop {
        let mut header = [0; 4];
        match read_whole(&mut from, &mut header).await {
            Filled::Whole => {}
            Filled::Nothing => return CLOSED_BY_SERVER.to_owned(),
            Filled::Part => return "the server ended inside a sealed buffer".to_owned(),
            Filled::Failed(error) => return format!("receiving failed: {error}"),
        }
        let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
        if length > MAX_SEALED {
            return format!("the server announced a sealed buffer of {length} bytes");
        }
        sealed.clear();
        // Memory is allocated for what arrives, not for what was announced.
        let got = {
            let limit = u64::try_from(length).unwrap_or(u64::MAX);
            (&mut from).take(limit).read_to_end(&mut sealed).await
        };
        match got {
            Ok(got) if got == length => {}
            Ok(_) => return "the server ended inside a sealed buffer".to_owned(),
            Err(error) => return format!("receiving failed: {error}"),
        }
        let plain = context
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .unwrap(&sealed);
        let plain = match plain {
            Ok(plain) => plain,
            Err(error) => return error.to_string(),
        };
        let passed = gate
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pass(&plain);
        let passed = match passed {
            Ok(passed) => passed,
            Err(reason) => return reason,
        };
        if let Err(error) = to.write_all(&passed).await {
            return format!("writing to our own side failed: {error}");
        }
    }
}

/// How much of a buffer was filled.
enum Filled {
    Whole,
    Nothing,
    Part,
    Failed(std::io::Error),
}

/// Fills the header of a buffer; distinguishes an end before it from an end inside it.
async fn read_whole<R: AsyncRead + Unpin>(from: &mut R, header: &mut [u8; 4]) -> Filled {
    let mut done = 0;
    while let Some(free) = header.get_mut(done..).filter(|free| !free.is_empty()) {
        match from.read(free).await {
            Ok(0) if done == 0 => return Filled::Nothing,
            Ok(0) => return Filled::Part,
            Ok(read) => done += read,
            Err(error) => return Filled::Failed(error),
        }
    }
    Filled::Whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(server: &DomainName, address: Option<IpAddr>, port: u16) -> Endpoint<'_> {
        Endpoint {
            server,
            address,
            port,
            timeout: Duration::from_secs(5),
        }
    }

    #[tokio::test]
    async fn nobody_there_and_nobody_known() {
        let server: DomainName = "host.invalid".parse().unwrap();
        let error = connect(&endpoint(&server, None, 389)).await.unwrap_err();
        assert!(error.message().contains("does not resolve"), "{error}");
        assert_eq!(error.remedy(), Some(&Remedy::GiveAddressOrNameserver));
        // A port that was free a moment ago refuses.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let address = Some("127.0.0.1".parse().unwrap());
        let error = connect(&endpoint(&server, address, port))
            .await
            .unwrap_err();
        assert!(error.message().contains("cannot connect"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Connect);
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_meets_the_time_out() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server: DomainName = "dc.test".parse().unwrap();
        let to = Endpoint {
            timeout: Duration::from_millis(200),
            ..endpoint(&server, Some("127.0.0.1".parse().unwrap()), port)
        };
        for ask_first in [true, false] {
            let pin = TlsSettings {
                ca: None,
                pin: Some("00".repeat(32)),
            };
            let error = open_tls(&to, &pin, ask_first).await.err().unwrap();
            assert!(error.message().contains("took longer"), "{error}");
        }
        drop(listener);
    }

    #[tokio::test]
    async fn the_cause_of_an_end_is_kept() {
        let (ldap, end) = attach("dc", |local| async move {
            drop(local);
            "somebody cut the cable".to_owned()
        })
        .await
        .unwrap();
        let mut ldap = ldap;
        ldap.with_timeout(Duration::from_secs(5));
        assert!(ldap.delete("CN=x").await.is_err());
        assert_eq!(end.cause().await.as_deref(), Some("somebody cut the cable"));
    }
}
