//! Checks which dialect was negotiated, and whether somebody changed the negotiation on the network path.
//!
//! With 3.1.1 the keys of the session depend on every byte of the negotiation and of the session setup (pre-authentication
//! integrity), and smb2 verifies the signature of the last answer with such a key [MS-SMB2 3.2.5.3.1]. With older dialects,
//! which an attacker can bring about by taking 3.1.1 out of the request, both sides compare afterwards, under signature,
//! what they sent and got [MS-SMB2 3.2.5.5, 3.3.5.15.12]. smb2 does not do that, so it is done here.

use smb2::client::{Connection, Tree};
use smb2::msg::header::Header;
use smb2::msg::ioctl::{
    FSCTL_VALIDATE_NEGOTIATE_INFO, IoctlRequest, IoctlResponse, SMB2_0_IOCTL_IS_FSCTL,
};
use smb2::msg::negotiate::{NegotiateRequest, NegotiateResponse};
use smb2::pack::{Guid, ReadCursor, Unpack as _};
use smb2::types::status::NtStatus;
use smb2::types::{Command, Dialect, FileId};

use super::encryption::Announcing;
use super::refusal::no_session;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::sysvol::connect::{SmbDialect, SmbSettings};

/// The request as it was sent and the response as it arrived; `None` when one of them is malformed.
fn negotiation(transport: &Announcing) -> Option<(NegotiateRequest, NegotiateResponse)> {
    let (request, response) = transport.messages()?;
    let request = NegotiateRequest::unpack(&mut ReadCursor::new(request.get(Header::SIZE..)?));
    let response = NegotiateResponse::unpack(&mut ReadCursor::new(response.get(Header::SIZE..)?));
    Some((request.ok()?, response.ok()?))
}

/// Refuses a dialect that is older than the settings accept.
pub(super) fn check_dialect(connection: &Connection, settings: &SmbSettings) -> Result<()> {
    let server = &settings.server;
    let Some(params) = connection.params() else {
        return Err(Error::new(
            ErrorKind::Internal,
            format!("the SMB negotiation with {server} has no result"),
        ));
    };
    if is_accepted(params.dialect, settings.min_dialect) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Connect,
        format!(
            "{server} offers {} at most, and {} or later is required",
            named(params.dialect),
            settings.min_dialect
        ),
    )
    .with_hint("enable SMB 3 on the domain controller; one that has it answers so only when somebody changed the request on the way").with_remedy(Remedy::AcceptOlderDialect))
}

fn is_accepted(dialect: Dialect, least: SmbDialect) -> bool {
    match dialect {
        // Never accepted: it does not protect the negotiation, and every server that uses it is out of support.
        Dialect::Smb2_0_2 => false,
        Dialect::Smb2_1 => least <= SmbDialect::Smb21,
        Dialect::Smb3_0 | Dialect::Smb3_0_2 => least <= SmbDialect::Smb30,
        Dialect::Smb3_1_1 => true,
    }
}

fn named(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Smb2_0_2 => "SMB 2.0.2",
        Dialect::Smb2_1 => "SMB 2.1",
        Dialect::Smb3_0 => "SMB 3.0",
        Dialect::Smb3_0_2 => "SMB 3.0.2",
        Dialect::Smb3_1_1 => "SMB 3.1.1",
    }
}

/// Lets the server confirm, with the signature of the session, what was negotiated. Not needed for 3.1.1, whose keys depend on
/// it.
///
/// # Errors
/// [`ErrorKind::Connect`] when the server received another request or sent another answer than the one that arrived.
pub(super) async fn validate(
    connection: &Connection,
    tree: &Tree,
    transport: &Announcing,
    settings: &SmbSettings,
) -> Result<()> {
    let dialect = connection.params().map(|params| params.dialect);
    if dialect == Some(Dialect::Smb3_1_1) {
        return Ok(());
    }
    let changed = || {
        Error::new(
            ErrorKind::Connect,
            format!(
                "the SMB negotiation with {} was changed on the way",
                settings.server
            ),
        )
        .with_hint("another machine is between this one and the domain controller: check the address and the network path")
    };
    let (request, response) = negotiation(transport).ok_or_else(changed)?;
    let question = IoctlRequest {
        ctl_code: FSCTL_VALIDATE_NEGOTIATE_INFO,
        file_id: FileId::SENTINEL,
        max_input_response: 0,
        max_output_response: 24,
        flags: SMB2_0_IOCTL_IS_FSCTL,
        input_data: validate_request(&request),
    };
    let answer = match connection
        .execute(Command::Ioctl, &question, Some(tree.tree_id))
        .await
    {
        Ok(answer) => answer,
        // A server that got another request than was sent closes the connection [MS-SMB2 3.3.5.15.12].
        Err(smb2::Error::Disconnected) => return Err(changed()),
        Err(cause) => return Err(no_session(settings, cause)),
    };
    match answer.header.status {
        NtStatus::SUCCESS => {}
        // Servers that have only 2.1 do not know the request; the error that they return is signed [MS-SMB2 3.2.5.5].
        NtStatus::NOT_SUPPORTED | NtStatus::INVALID_DEVICE_REQUEST | NtStatus::FILE_CLOSED
            if dialect == Some(Dialect::Smb2_1) =>
        {
            return Ok(());
        }
        _ => return Err(changed()),
    }
    let confirmed = IoctlResponse::unpack(&mut ReadCursor::new(&answer.body))
        .map_err(|cause| changed().with_source(cause))?;
    if confirmed.output_data == validate_response(&response) {
        Ok(())
    } else {
        Err(changed())
    }
}

/// VALIDATE_NEGOTIATE_INFO Request [MS-SMB2 2.2.31.4].
fn validate_request(request: &NegotiateRequest) -> Vec<u8> {
    let mut data = part(
        request.capabilities.bits(),
        &request.client_guid,
        request.security_mode.bits(),
    );
    let count = u16::try_from(request.dialects.len()).unwrap_or(u16::MAX);
    data.extend(count.to_le_bytes());
    for dialect in &request.dialects {
        data.extend(u16::from(*dialect).to_le_bytes());
    }
    data
}

/// VALIDATE_NEGOTIATE_INFO Response [MS-SMB2 2.2.32.6].
fn validate_response(response: &NegotiateResponse) -> Vec<u8> {
    let mut data = part(
        response.capabilities.bits(),
        &response.server_guid,
        response.security_mode.bits(),
    );
    data.extend(u16::from(response.dialect_revision).to_le_bytes());
    data
}

/// Capabilities, GUID and security mode, at the beginning of both.
fn part(capabilities: u32, guid: &Guid, mode: u16) -> Vec<u8> {
    let mut data = capabilities.to_le_bytes().to_vec();
    data.extend(guid.data1.to_le_bytes());
    data.extend(guid.data2.to_le_bytes());
    data.extend(guid.data3.to_le_bytes());
    data.extend(guid.data4);
    data.extend(mode.to_le_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_dialects_are_accepted_only_when_asked_for() {
        for (dialect, least, accepted) in [
            (Dialect::Smb2_0_2, SmbDialect::Smb21, false),
            (Dialect::Smb2_1, SmbDialect::Smb21, true),
            (Dialect::Smb2_1, SmbDialect::default(), false),
            (Dialect::Smb3_0, SmbDialect::default(), true),
            (Dialect::Smb3_0_2, SmbDialect::Smb311, false),
            (Dialect::Smb3_1_1, SmbDialect::Smb311, true),
        ] {
            assert_eq!(is_accepted(dialect, least), accepted, "{dialect:?} {least}");
        }
    }

    #[test]
    fn the_question_has_the_form_of_the_specification() {
        let request = NegotiateRequest {
            security_mode: smb2::types::flags::SecurityMode::new(1),
            capabilities: smb2::types::flags::Capabilities::new(0x7),
            client_guid: Guid {
                data1: 0x0403_0201,
                data2: 0x0605,
                data3: 0x0807,
                data4: [9, 10, 11, 12, 13, 14, 15, 16],
            },
            dialects: vec![Dialect::Smb3_0, Dialect::Smb3_1_1],
            negotiate_contexts: Vec::new(),
        };
        let expected = [
            7, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 0, 2, 0, 0x00,
            0x03, 0x11, 0x03,
        ];
        assert_eq!(validate_request(&request), expected);
    }
}
