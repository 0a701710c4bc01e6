//! A server that answers with a referral: no other server is asked.

use std::sync::Arc;

use smb2::msg::header::{ErrorResponse, Header};
use smb2::msg::negotiate::NegotiateResponse;
use smb2::msg::tree_connect::{ShareType, TreeConnectResponse};
use smb2::pack::{Pack, ReadCursor, Unpack as _, WriteCursor};
use smb2::transport::MockTransport;
use smb2::types::flags::{Capabilities, SecurityMode, ShareCapabilities, ShareFlags};
use smb2::types::{Command, Dialect, SessionId, TreeId};

use super::*;

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

/// The refusal of every request of a compound because of the first.
fn refusal_of(commands: &[Command], status: NtStatus) -> Vec<u8> {
    let body = ErrorResponse {
        error_context_count: 0,
        error_data: Vec::new(),
    };
    let mut frame = Vec::new();
    for (number, command) in (1..).zip(commands) {
        let mut one = answer(*command, status, &body);
        if number < commands.len() {
            one.resize(one.len().next_multiple_of(8), 0);
            let next = u32::try_from(one.len()).unwrap();
            one[20..24].copy_from_slice(&next.to_le_bytes());
        }
        frame.extend(one);
    }
    frame
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

/// A client whose share is in DFS, and the server behind it.
async fn client() -> (Smb2Client, Arc<MockTransport>) {
    let server = Arc::new(MockTransport::new());
    server.enable_auto_rewrite_msg_id();
    let share = TreeConnectResponse {
        share_type: ShareType::Disk,
        share_flags: ShareFlags::default(),
        capabilities: ShareCapabilities::new(ShareCapabilities::DFS),
        maximal_access: 0x001F_01FF,
    };
    let mut connection = Connection::from_transport(
        Box::new(Arc::clone(&server)),
        Box::new(Arc::clone(&server)),
        "dc1.src.test",
    );
    let hello = NegotiateResponse {
        security_mode: SecurityMode::new(SecurityMode::SIGNING_ENABLED),
        dialect_revision: Dialect::Smb2_1,
        server_guid: smb2::pack::Guid::default(),
        capabilities: Capabilities::new(Capabilities::DFS),
        max_transact_size: 1 << 16,
        max_read_size: 1 << 16,
        max_write_size: 1 << 16,
        system_time: 0,
        server_start_time: 0,
        security_buffer: Vec::new(),
        negotiate_contexts: Vec::new(),
    };
    server.queue_response(answer(Command::Negotiate, NtStatus::SUCCESS, &hello));
    server.queue_response(answer(Command::TreeConnect, NtStatus::SUCCESS, &share));
    connection.negotiate().await.unwrap();
    connection.set_session_id(SessionId(1));
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
