//! SMB encryption.
//!
//! smb2 0.39 encrypts and decrypts, but its NEGOTIATE request does not announce it (SMB2_GLOBAL_CAP_ENCRYPTION [MS-SMB2 2.2.3]
//! is missing, although the list of ciphers is sent), and Samba then chooses no cipher. [`Announcing`] sets that bit on the
//! wire. The pre-authentication hash [MS-SMB2 3.1.4.4.1] covers the request that was sent, so [`correct_hash`] computes it
//! again from the two messages; otherwise every key of the session would be wrong.
//!
//! A session encrypts only where the server requires it: for the session, in the response to SESSION_SETUP, or for the share,
//! with the flag SMB2_SHAREFLAG_ENCRYPT_DATA in the response to TREE_CONNECT [MS-SMB2 2.2.10]. A Samba share with `smb encrypt
//! = required` sends the flag to a session that has agreed on a cipher, and refuses one that has not with
//! STATUS_ACCESS_DENIED and no flag (seen on 4.25 with SMB 2.1 and with a NEGOTIATE that does not announce encryption). A
//! server that rejects unencrypted access may refuse either way.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use smb2::client::{Connection, Session, Tree};
use smb2::crypto::kdf::PreauthHasher;
use smb2::transport::{ReceiveProgress, TcpTransport, TransportReceive, TransportSend};
use smb2::types::status::NtStatus;

/// The offset of `Capabilities` in a NEGOTIATE request: 64 bytes of header, then four fields of 16 bits [MS-SMB2 2.2.3].
const CAPABILITIES: usize = 72;
/// SMB2_GLOBAL_CAP_ENCRYPTION [MS-SMB2 2.2.3], in the first byte of the field.
const ENCRYPTION: u8 = 0x40;

/// A TCP transport whose first message, the NEGOTIATE request, announces encryption.
pub(super) struct Announcing {
    tcp: TcpTransport,
    negotiation: Mutex<Negotiation>,
}

/// The two messages of the negotiation, as they were on the wire.
#[derive(Default)]
struct Negotiation {
    request: Option<Vec<u8>>,
    response: Option<Vec<u8>>,
}

impl Announcing {
    pub(super) fn new(tcp: TcpTransport) -> Arc<Self> {
        Arc::new(Self {
            tcp,
            negotiation: Mutex::default(),
        })
    }

    fn negotiation(&self) -> std::sync::MutexGuard<'_, Negotiation> {
        self.negotiation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The request to send instead of this one: the first one announces encryption, all others are unchanged.
    fn announce(&self, data: &[u8]) -> Option<Vec<u8>> {
        let mut negotiation = self.negotiation();
        if negotiation.request.is_some() {
            return None;
        }
        let mut request = data.to_vec();
        if let Some(capabilities) = request.get_mut(CAPABILITIES) {
            *capabilities |= ENCRYPTION;
        }
        negotiation.request = Some(request.clone());
        Some(request)
    }

    /// The request that was sent and the response that arrived, once both are there.
    pub(super) fn messages(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let negotiation = self.negotiation();
        Some((negotiation.request.clone()?, negotiation.response.clone()?))
    }

    /// Sets the pre-authentication hash of a connection that has just negotiated through this transport.
    pub(super) fn correct_hash(&self, connection: &Connection) {
        let negotiation = self.negotiation();
        let messages = [&negotiation.request, &negotiation.response];
        connection.with_preauth_hasher_mut(|hasher| {
            *hasher = PreauthHasher::new();
            for message in messages.into_iter().flatten() {
                hasher.update(message);
            }
        });
    }
}

/// Both halves of a connection share one transport.
pub(super) struct Half(pub(super) Arc<Announcing>);

#[async_trait]
impl TransportSend for Half {
    async fn send(&self, data: &[u8]) -> Result<(), smb2::Error> {
        match self.0.announce(data) {
            Some(request) => self.0.tcp.send(&request).await,
            None => self.0.tcp.send(data).await,
        }
    }
}

#[async_trait]
impl TransportReceive for Half {
    async fn receive(&self) -> Result<Vec<u8>, smb2::Error> {
        let message = self.0.tcp.receive().await?;
        let mut negotiation = self.0.negotiation();
        if negotiation.response.is_none() {
            negotiation.response = Some(message.clone());
        }
        Ok(message)
    }

    fn receive_progress(&self) -> Option<Arc<ReceiveProgress>> {
        self.0.tcp.receive_progress()
    }
}

/// Encrypts everything from here on. `false` when no cipher was negotiated: the crate derives keys in every SMB 3 session, and
/// only a cipher shows that they can be used.
pub(super) fn encrypt(connection: &mut Connection, session: &Session) -> bool {
    if connection.should_encrypt() {
        return can_encrypt(connection);
    }
    let cipher = connection.params().and_then(|params| params.cipher);
    let (Some(cipher), Some(ours), Some(theirs)) =
        (cipher, &session.encryption_key, &session.decryption_key)
    else {
        return false;
    };
    connection.activate_encryption(ours.clone(), theirs.clone(), cipher);
    true
}

/// Whether a cipher was negotiated.
pub(super) fn can_encrypt(connection: &Connection) -> bool {
    connection
        .params()
        .is_some_and(|params| params.cipher.is_some())
}

/// Why a share cannot be opened.
pub(super) enum Closed {
    /// The server refused it, or the connection failed.
    Refused(smb2::Error),
    /// The share requires encryption, or may do so, and no cipher was negotiated.
    NoCipher,
}

/// Opens a share, encrypted if the server requires it.
pub(super) async fn open_share(
    connection: &mut Connection,
    session: &Session,
    share: &str,
) -> Result<Tree, Closed> {
    if session.should_encrypt && !can_encrypt(connection) {
        return Err(Closed::NoCipher);
    }
    match Tree::connect(connection, share).await {
        Ok(tree) if tree.encrypt_data && !encrypt(connection, session) => Err(Closed::NoCipher),
        Ok(tree) => Ok(tree),
        // This may be a share that requires encryption, so it is requested once more, encrypted. Only the second answer shows
        // whether the account is refused.
        Err(smb2::Error::Protocol { status, .. })
            if status == NtStatus::ACCESS_DENIED && !connection.should_encrypt() =>
        {
            if !encrypt(connection, session) {
                return Err(Closed::NoCipher);
            }
            tracing::debug!(
                share,
                "refused without encryption; asked for once more, encrypted"
            );
            Tree::connect(connection, share)
                .await
                .map_err(Closed::Refused)
        }
        Err(cause) => Err(Closed::Refused(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_request_announces_encryption_and_is_what_is_hashed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let tcp = TcpTransport::connect(&address, std::time::Duration::from_secs(5))
            .await
            .unwrap();
        let transport = Announcing::new(tcp);
        let request = [0_u8; 100];
        let sent = transport.announce(&request).unwrap();
        assert_eq!(sent[CAPABILITIES], ENCRYPTION);
        assert_eq!(sent.iter().filter(|byte| **byte != 0).count(), 1);
        assert_eq!(transport.announce(&request), None, "only the first");
        transport.negotiation().response = Some(vec![1, 2, 3]);

        let connection = Connection::from_transport(
            Box::new(Half(Arc::clone(&transport))),
            Box::new(Half(Arc::clone(&transport))),
            "dc1.src.test",
        );
        transport.correct_hash(&connection);
        let mut expected = PreauthHasher::new();
        expected.update(&sent);
        expected.update(&[1, 2, 3]);
        assert_eq!(connection.preauth_hasher().value(), expected.value());
    }
}
