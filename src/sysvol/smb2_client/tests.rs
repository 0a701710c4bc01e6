//! Answers of a server, without one: a referral, an internal error, a share that is refused.

use std::sync::Arc;

use smb2::client::Session;
use smb2::crypto::encryption::{Cipher, decrypt_message, encrypt_message};
use smb2::crypto::signing::SigningAlgorithm;
use smb2::msg::header::{ErrorResponse, Header};
use smb2::msg::negotiate::NegotiateResponse;
use smb2::msg::transform::TransformHeader;
use smb2::msg::tree_connect::{ShareType, TreeConnectResponse};
use smb2::pack::{Pack, ReadCursor, Unpack as _, WriteCursor};
use smb2::transport::MockTransport;
use smb2::types::flags::{Capabilities, SecurityMode, ShareCapabilities, ShareFlags};
use smb2::types::{Command, Dialect, SessionId, TreeId};

use super::encryption::open_share;
use super::login::not_opened;
use super::*;
use crate::auth::Identity;
use crate::sysvol::connect::{SmbAuth, SmbClientChoice, SmbDialect};

fn answer(command: Command, status: NtStatus, body: &impl Pack) -> Vec<u8> {
    let mut header = Header::new_request(command);
    header.flags.set_response();
    header.status = status;
    header.credits = 64;
    header.tree_id = Some(TreeId(7));
    let mut bytes = WriteCursor::new();
    header.pack(&mut bytes);
    body.pack(&mut bytes);
    bytes.into_inner()
}

/// The body of a refusal.
fn no_data() -> ErrorResponse {
    ErrorResponse {
        error_context_count: 0,
        error_data: Vec::new(),
    }
}

/// The answer to each request of a compound, without data.
fn statuses(answers: &[(Command, NtStatus)]) -> Vec<u8> {
    let mut frame = Vec::new();
    for (number, (command, status)) in (1..).zip(answers) {
        let mut one = answer(*command, *status, &no_data());
        if number < answers.len() {
            one.resize(one.len().next_multiple_of(8), 0);
            let next = u32::try_from(one.len()).unwrap();
            one[20..24].copy_from_slice(&next.to_le_bytes());
        }
        frame.extend(one);
    }
    frame
}

/// The refusal of every request of a compound because of the first.
fn refusal_of(commands: &[Command], status: NtStatus) -> Vec<u8> {
    statuses(&commands.iter().map(|it| (*it, status)).collect::<Vec<_>>())
}

/// The commands of a message that was sent.
fn commands(message: &[u8]) -> Vec<Command> {
    let mut found = Vec::new();
    let mut rest = message;
    loop {
        let header = Header::unpack(&mut ReadCursor::new(rest)).unwrap();
        found.push(header.command);
        match header.next_command {
            0 => return found,
            next => rest = &rest[usize::try_from(next).unwrap()..],
        }
    }
}

/// The answer to a TREE_CONNECT that succeeds.
fn share(capabilities: ShareCapabilities) -> TreeConnectResponse {
    TreeConnectResponse {
        share_type: ShareType::Disk,
        share_flags: ShareFlags::default(),
        capabilities,
        maximal_access: 0x001F_01FF,
    }
}

/// A connection that has negotiated and logged in, and the server behind it.
async fn connection(dialect: Dialect, capabilities: u32) -> (Connection, Arc<MockTransport>) {
    let server = Arc::new(MockTransport::new());
    server.enable_auto_rewrite_msg_id();
    let mut connection = Connection::from_transport(
        Box::new(Arc::clone(&server)),
        Box::new(Arc::clone(&server)),
        "dc1.src.test",
    );
    let hello = NegotiateResponse {
        security_mode: SecurityMode::new(SecurityMode::SIGNING_ENABLED),
        dialect_revision: dialect,
        server_guid: smb2::pack::Guid::default(),
        capabilities: Capabilities::new(capabilities),
        max_transact_size: 1 << 16,
        max_read_size: 1 << 16,
        max_write_size: 1 << 16,
        system_time: 0,
        server_start_time: 0,
        security_buffer: Vec::new(),
        negotiate_contexts: Vec::new(),
    };
    server.queue_response(answer(Command::Negotiate, NtStatus::SUCCESS, &hello));
    connection.negotiate().await.unwrap();
    connection.set_session_id(SessionId(1));
    server.clear_sent();
    (connection, server)
}

/// A client whose share is in DFS, and the server behind it.
async fn client() -> (Smb2Client, Arc<MockTransport>) {
    let (mut connection, server) = connection(Dialect::Smb2_1, Capabilities::DFS).await;
    let share = share(ShareCapabilities::new(ShareCapabilities::DFS));
    server.queue_response(answer(Command::TreeConnect, NtStatus::SUCCESS, &share));
    let tree = Tree::connect(&mut connection, "sysvol").await.unwrap();
    assert!(tree.is_dfs);
    server.clear_sent();
    let client = Smb2Client {
        connection,
        tree,
        chunk: CHUNK,
        file_entries: OnceLock::new(),
    };
    (client, server)
}

#[tokio::test]
async fn a_dfs_referral_is_an_error_and_is_not_followed() {
    let (client, server) = client().await;
    let domain = "src.test".parse().unwrap();
    let guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
    let path = SysvolPath::in_gpo(&domain, guid, &"GPT.INI".parse().unwrap());
    let requests = [Command::Create, Command::Close];
    server.queue_response(refusal_of(&requests, NtStatus::PATH_NOT_COVERED));
    let outcome = tokio::time::timeout(Duration::from_secs(20), client.stat(&path)).await;
    let error = outcome.unwrap().unwrap_err();
    // Not "there is no such file", which would make a plan of it.
    assert_eq!(error.kind(), ErrorKind::BadDirectory, "{error}");
    assert!(error.message().contains("another server"), "{error}");
    assert_eq!(
        error.answer(),
        Some(ServerAnswer::NtStatus(NtStatus::PATH_NOT_COVERED.0))
    );
    // No request for the referral (an IOCTL on IPC$), no other share.
    let sent: Vec<Vec<Command>> = server
        .sent_messages()
        .iter()
        .map(|it| commands(it))
        .collect();
    assert_eq!(sent, [requests]);
}

#[tokio::test]
async fn the_probe_is_sent_once_more_after_an_internal_error() {
    let ok = NtStatus::SUCCESS;
    let (broken, denied) = (NtStatus::INTERNAL_ERROR, NtStatus::ACCESS_DENIED);
    let requests = [
        Command::Create,
        Command::SetInfo,
        Command::SetInfo,
        Command::SetInfo,
        Command::Close,
    ];
    let replies =
        |answers: [NtStatus; 5]| statuses(&requests.into_iter().zip(answers).collect::<Vec<_>>());
    let folder = SysvolPath::policies(&"src.test".parse().unwrap());
    for first in [[broken; 5], [ok, ok, broken, ok, ok]] {
        let (client, server) = client().await;
        server.queue_response(replies(first));
        server.queue_response(replies([ok, ok, denied, ok, ok]));
        let asked = client.ask_file_entries(&folder);
        let outcome = tokio::time::timeout(Duration::from_secs(20), asked).await;
        outcome.unwrap().unwrap();
        let entries = Some(FileEntries::WithoutObjectAces);
        assert_eq!(client.file_entries(), entries, "{first:?}");
    }
}

const TO_SERVER: [u8; 16] = [1; 16];
const TO_CLIENT: [u8; 16] = [2; 16];

/// Opens the share at a server that answers the first TREE_CONNECT with `first`, and one that is encrypted with `second`.
/// Returns the share or the error that is reported, and the messages that were sent.
async fn open(first: NtStatus, second: NtStatus) -> (Result<Tree>, Vec<Vec<u8>>) {
    let (mut connection, server) = connection(Dialect::Smb3_0, Capabilities::ENCRYPTION).await;
    let session = Session {
        session_id: SessionId(1),
        signing_key: Vec::new(),
        encryption_key: Some(TO_SERVER.to_vec()),
        decryption_key: Some(TO_CLIENT.to_vec()),
        signing_algorithm: SigningAlgorithm::AesCmac,
        should_sign: true,
        should_encrypt: false,
    };
    server.queue_response(answer(Command::TreeConnect, first, &no_data()));
    let encrypted = Arc::clone(&server);
    let answering = tokio::spawn(async move {
        let request = loop {
            match encrypted.sent_message(1) {
                Some(request) => break request,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        // Anything else gets no answer.
        let (header, body) = request.split_at(TransformHeader::SIZE);
        let request = decrypt_message(header, body, &TO_SERVER, Cipher::Aes128Ccm).unwrap();
        let mut reply = match second {
            NtStatus::SUCCESS => {
                let share = share(ShareCapabilities::default());
                answer(Command::TreeConnect, second, &share)
            }
            _ => answer(Command::TreeConnect, second, &no_data()),
        };
        assert_eq!(commands(&request), [Command::TreeConnect]);
        // The MessageId [MS-SMB2 2.2.1.2].
        reply[24..32].copy_from_slice(&request[24..32]);
        let (mut message, body) =
            encrypt_message(&reply, &TO_CLIENT, Cipher::Aes128Ccm, &[0; 16], 1).unwrap();
        message.extend(body);
        encrypted.queue_response(message);
    });
    let opened = open_share(&mut connection, &session, "SYSVOL");
    let opened = tokio::time::timeout(Duration::from_secs(20), opened).await;
    answering.abort();
    let settings = SmbSettings {
        server: "dc1.src.test".parse().unwrap(),
        address: None,
        domain: "src.test".parse().unwrap(),
        auth: SmbAuth::Kerberos(Identity::Password {
            user: "joe".to_owned(),
            password: "x".into(),
        }),
        client: SmbClientChoice::Smb2,
        min_dialect: SmbDialect::default(),
        allow_rc4: false,
        timeout: Duration::from_secs(1),
    };
    let opened = opened
        .unwrap()
        .map_err(|closed| not_opened(&settings, closed));
    (opened, server.sent_messages())
}

#[tokio::test]
async fn a_share_that_is_refused_is_asked_for_once_more_encrypted() {
    let denied = NtStatus::ACCESS_DENIED;
    let (opened, sent) = open(denied, NtStatus::SUCCESS).await;
    assert_eq!(opened.unwrap().tree_id, TreeId(7));
    let starts: Vec<&[u8]> = sent.iter().map(|message| &message[..4]).collect();
    assert_eq!(starts, [b"\xfeSMB", b"\xfdSMB"]);

    // Refused encrypted too: not for want of encryption, and not the login.
    let (opened, sent) = open(denied, denied).await;
    let error = opened.unwrap_err();
    assert_eq!(sent.len(), 2);
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(
        error.message(),
        "dc1.src.test refused joe access to the share SYSVOL"
    );
    let hint = error.hint().unwrap();
    assert!(hint.contains("permissions of the share"), "{hint}");
    assert!(!hint.contains("password"), "{hint}");
    assert_eq!(error.answer(), Some(ServerAnswer::NtStatus(denied.0)));
}

#[tokio::test]
async fn a_server_without_the_share_has_not_refused_the_login() {
    let missing = NtStatus::BAD_NETWORK_NAME;
    let (opened, sent) = open(missing, NtStatus::SUCCESS).await;
    let error = opened.unwrap_err();
    assert_eq!(sent.len(), 1);
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert_eq!(error.message(), "dc1.src.test has no share SYSVOL");
    let hint = error.hint().unwrap();
    assert!(hint.contains("is a domain controller"), "{hint}");
}
