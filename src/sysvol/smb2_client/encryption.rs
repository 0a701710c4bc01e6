//! SMB encryption.
//!
//! smb2 0.39 encrypts and decrypts, but what its NEGOTIATE request [MS-SMB2 2.2.3] offers is wrong in two ways, so [`Announcing`]
//! changes the request on the wire:
//! - It does not announce encryption (SMB2_GLOBAL_CAP_ENCRYPTION is missing, although the list of ciphers is sent), and Samba then
//!   chooses no cipher.
//! - It offers AES-256-GCM and AES-256-CCM. If the server chooses one of them (`server smb3 encryption algorithms =
//!   AES-256-GCM`), smb2 derives a signing key of 256 bits, where each signing algorithm takes one of 128 [MS-SMB2 3.1.4.2], and
//!   every login fails ("AES-128-GMAC requires a 16-byte key, got 32 bytes"). It also derives the keys of these ciphers from the
//!   first 16 bytes of the session key instead of all of them. So only [`CIPHERS`] are offered: a server that has neither chooses
//!   no cipher, and the session works unless it has to be encrypted.
//!
//! The pre-authentication hash [MS-SMB2 3.1.4.4.1] covers the request that was sent, so [`Announcing::correct_hash`] computes it
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
use smb2::crypto::encryption::Cipher;
use smb2::crypto::kdf::PreauthHasher;
use smb2::msg::header::Header;
use smb2::msg::negotiate::{
    CIPHER_AES_128_CCM, CIPHER_AES_128_GCM, NegotiateContext, NegotiateRequest,
};
use smb2::pack::{Pack as _, ReadCursor, Unpack as _, WriteCursor};
use smb2::transport::{ReceiveProgress, TcpTransport, TransportReceive, TransportSend};
use smb2::types::Dialect;
use smb2::types::flags::Capabilities;
use smb2::types::status::NtStatus;

/// The ciphers that work in smb2 [MS-SMB2 2.2.3.1.2].
const CIPHERS: [u16; 2] = [CIPHER_AES_128_GCM, CIPHER_AES_128_CCM];

/// A NEGOTIATE request that offers encryption as smb2 can do it; `None` when the message is not such a request.
fn with_encryption(message: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = message.split_at_checked(Header::SIZE)?;
    let mut request = NegotiateRequest::unpack(&mut ReadCursor::new(body)).ok()?;
    request.capabilities =
        Capabilities::new(request.capabilities.bits() | Capabilities::ENCRYPTION);
    for context in &mut request.negotiate_contexts {
        if let NegotiateContext::Encryption { ciphers } = context {
            ciphers.retain(|cipher| CIPHERS.contains(cipher));
        }
    }
    let mut packed = WriteCursor::new();
    request.pack(&mut packed);
    let mut changed = header.to_vec();
    changed.extend(packed.into_inner());
    Some(changed)
}

/// A TCP transport whose first message, the NEGOTIATE request, offers encryption.
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

    /// The request to send instead of this one: the first one offers encryption, all others are unchanged.
    fn announce(&self, data: &[u8]) -> Option<Vec<u8>> {
        let mut negotiation = self.negotiation();
        if negotiation.request.is_some() {
            return None;
        }
        let request = with_encryption(data).unwrap_or_else(|| data.to_vec());
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
    let (Some(cipher), Some(ours), Some(theirs)) = (
        cipher_of(connection),
        &session.encryption_key,
        &session.decryption_key,
    ) else {
        return false;
    };
    connection.activate_encryption(ours.clone(), theirs.clone(), cipher);
    true
}

/// The cipher of the session. SMB 3.0 and 3.0.2 negotiate none: they use AES-128-CCM if the server supports encryption [MS-SMB2
/// 3.2.5.2].
fn cipher_of(connection: &Connection) -> Option<Cipher> {
    let params = connection.params()?;
    match params.dialect {
        Dialect::Smb3_0 | Dialect::Smb3_0_2 => params
            .capabilities
            .contains(Capabilities::ENCRYPTION)
            .then_some(Cipher::Aes128Ccm),
        _ => params.cipher,
    }
}

/// Whether the server supports encryption, with a cipher that smb2 has.
pub(super) fn can_encrypt(connection: &Connection) -> bool {
    cipher_of(connection).is_some()
}

/// Why a share cannot be opened.
pub(super) enum Closed {
    /// The server refused it, or the connection failed.
    Refused(smb2::Error),
    /// The session or the share requires encryption, and there is no common cipher.
    NoCipher,
    /// The server refused the unencrypted request. The share may require encryption, for which there is no common cipher, or the
    /// account may have no access to it.
    RefusedWithoutCipher(smb2::Error),
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
        Err(cause)
            if cause.status() == Some(NtStatus::ACCESS_DENIED) && !connection.should_encrypt() =>
        {
            if !encrypt(connection, session) {
                return Err(Closed::RefusedWithoutCipher(cause));
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
    use smb2::msg::negotiate::{CIPHER_AES_256_CCM, CIPHER_AES_256_GCM, SIGNING_AES_GMAC};
    use smb2::pack::Guid;
    use smb2::types::flags::SecurityMode;

    use super::*;

    /// A NEGOTIATE request as smb2 sends it.
    fn request() -> Vec<u8> {
        let request = NegotiateRequest {
            security_mode: SecurityMode::new(SecurityMode::SIGNING_ENABLED),
            capabilities: Capabilities::new(Capabilities::DFS),
            client_guid: Guid::default(),
            dialects: Dialect::ALL.to_vec(),
            negotiate_contexts: vec![
                NegotiateContext::Encryption {
                    ciphers: vec![
                        CIPHER_AES_128_GCM,
                        CIPHER_AES_128_CCM,
                        CIPHER_AES_256_GCM,
                        CIPHER_AES_256_CCM,
                    ],
                },
                NegotiateContext::Signing {
                    algorithms: vec![SIGNING_AES_GMAC],
                },
            ],
        };
        let mut packed = WriteCursor::new();
        request.pack(&mut packed);
        [vec![7; Header::SIZE], packed.into_inner()].concat()
    }

    #[tokio::test]
    async fn the_first_request_offers_encryption_and_is_what_is_hashed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let tcp = TcpTransport::connect(&address, std::time::Duration::from_secs(5))
            .await
            .unwrap();
        let transport = Announcing::new(tcp);
        let sent = transport.announce(&request()).unwrap();
        let (header, body) = sent.split_at(Header::SIZE);
        assert_eq!(header, [7; Header::SIZE]);
        let offered = NegotiateRequest::unpack(&mut ReadCursor::new(body)).unwrap();
        let capabilities = Capabilities::DFS | Capabilities::ENCRYPTION;
        assert_eq!(offered.capabilities.bits(), capabilities);
        // With the other two, smb2 cannot log in.
        let (encryption, signing) = (
            NegotiateContext::Encryption {
                ciphers: CIPHERS.to_vec(),
            },
            NegotiateContext::Signing {
                algorithms: vec![SIGNING_AES_GMAC],
            },
        );
        assert_eq!(offered.negotiate_contexts, [encryption, signing]);
        assert_eq!(transport.announce(&request()), None, "only the first");
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
