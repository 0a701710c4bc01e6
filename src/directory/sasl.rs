//! The exchanges on the bare stream, before ldap3 uses it: the SASL GSSAPI bind [RFC 4752] and StartTLS [RFC 4511 4.14].

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::ber;
use super::failure::ldap_failure;
use crate::auth::kerberos::SealedContext;
use crate::error::{Error, ErrorKind, Result};

/// The maximum size of an answer before the peer is authenticated. A token with a large PAC has about 12 KiB.
const MAX_ANSWER: usize = 256 * 1024;
/// `LDAP_SASL_BIND_IN_PROGRESS` [RFC 4511 4.1.9].
const BIND_IN_PROGRESS: u32 = 14;
/// The layer bit of confidentiality [RFC 4752 3.3].
const LAYER_CONFIDENTIALITY: u8 = 4;
/// The object identifier of StartTLS.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// BindResponse and ExtendedResponse [RFC 4511 4.2.2, 4.12].
const BIND_RESPONSE: u8 = 0x61;
const EXTENDED_RESPONSE: u8 = 0x78;

/// An LDAPResult with the SASL credentials of a BindResponse.
struct Answer {
    code: u32,
    text: String,
    credentials: Option<Vec<u8>>,
}

/// Binds with SASL GSSAPI and requires the confidentiality layer. Returns the context that seals from now on, and the largest
/// sealed buffer that the server accepts, in bytes.
///
/// # Errors
/// [`ErrorKind::Connect`] when Kerberos or the server refuses, the server offers no encryption, or its answer is not part of
/// the exchange. There is no fallback without sealing.
pub(super) async fn bind_gssapi<S>(
    stream: &mut S,
    server: &str,
    mut context: SealedContext,
) -> Result<(SealedContext, usize)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let odd = |what: &str| {
        Error::new(
            ErrorKind::Connect,
            format!("{server} broke the SASL exchange: {what}"),
        )
    };
    let mut id = 0;
    let mut token_in: Option<Vec<u8>> = None;
    // Kerberos needs a few round trips; the limit stops a server that continues without end.
    for _ in 0..8 {
        let (next, token_out) = context.step(token_in.take()).await?;
        context = next;
        if context.is_complete() && token_out.is_none() {
            break;
        }
        id += 1;
        let answer = bind_step(stream, server, id, token_out.as_deref()).await?;
        if answer.code == 0 {
            return Err(odd(
                "it ended the bind before the security layer was agreed",
            ));
        }
        token_in = answer.credentials.filter(|token| !token.is_empty());
        if context.is_complete() {
            // The context was complete with our last token; the server's answer is the layer offer already.
            break;
        }
    }
    if !context.is_complete() {
        return Err(odd("the Kerberos context was never complete"));
    }
    context.check_flags()?;
    let offer = match token_in {
        Some(offer) => offer,
        None => {
            id += 1;
            let answer = bind_step(stream, server, id, None).await?;
            if answer.code == 0 {
                return Err(odd(
                    "it ended the bind before the security layer was agreed",
                ));
            }
            answer
                .credentials
                .ok_or_else(|| odd("its offer of security layers is missing"))?
        }
    };
    let offer = context.unwrap(&offer)?;
    let &[layers, a, b, c] = offer.as_slice() else {
        return Err(odd("its offer of security layers has not 4 bytes"));
    };
    if layers & LAYER_CONFIDENTIALITY == 0 {
        return Err(Error::new(
            ErrorKind::Connect,
            format!("{server} offers no encryption of the LDAP connection"),
        )
        .with_hint("use LDAPS or StartTLS with a password instead"));
    }
    // Accept buffers up to the largest size that three bytes can express.
    let choice = context.wrap(false, &[LAYER_CONFIDENTIALITY, 0xff, 0xff, 0xff])?;
    id += 1;
    let answer = bind_step(stream, server, id, Some(&choice)).await?;
    if answer.code != 0 {
        return Err(odd("it asked for another step after the security layer"));
    }
    let server_size = usize::try_from(u32::from_be_bytes([0, a, b, c]))
        .map_err(|_| odd("its buffer size does not fit"))?;
    Ok((context, server_size))
}

/// One request and its answer; every result but success and in-progress is an error.
async fn bind_step<S>(stream: &mut S, server: &str, id: u32, token: Option<&[u8]>) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = exchange(stream, server, id, &bind_request(token), BIND_RESPONSE).await?;
    match answer.code {
        0 | BIND_IN_PROGRESS => Ok(answer),
        code => Err(ldap_failure(
            code,
            &answer.text,
            &format!("the Kerberos bind to {server}"),
        )),
    }
}

/// BindRequest with the mechanism GSSAPI [RFC 4511 4.2].
fn bind_request(token: Option<&[u8]>) -> Vec<u8> {
    let mut sasl = ber::element(0x04, b"GSSAPI");
    if let Some(token) = token {
        sasl.extend(ber::element(0x04, token));
    }
    let mut body = ber::integer(3);
    body.extend(ber::element(0x04, b""));
    body.extend(ber::element(0xa3, &sasl));
    ber::element(0x60, &body)
}

/// Requests TLS on the plain stream.
///
/// # Errors
/// [`ErrorKind::Connect`] when the server refuses or sends anything after its answer.
pub(super) async fn start_tls<S>(stream: &mut S, server: &str) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = ber::element(0x77, &ber::element(0x80, START_TLS));
    let answer = exchange(stream, server, 1, &request, EXTENDED_RESPONSE).await?;
    if answer.code == 0 {
        return Ok(());
    }
    Err(ldap_failure(
        answer.code,
        &answer.text,
        &format!("StartTLS with {server}"),
    ))
}

/// Sends one operation and reads exactly one answer. Bytes after the answer are an attack or a fault: the server may not send
/// anything before the next request.
async fn exchange<S>(
    stream: &mut S,
    server: &str,
    id: u32,
    operation: &[u8],
    wanted: u8,
) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let lost = |error: std::io::Error| {
        Error::new(
            ErrorKind::Connect,
            format!("the connection to {server} broke during the bind"),
        )
        .with_source(error)
    };
    let odd = |what: &str| {
        Error::new(
            ErrorKind::Connect,
            format!("{server} answered no valid LDAP: {what}"),
        )
        .with_hint("check that the port is that of LDAP")
    };
    let mut message = ber::integer(id);
    message.extend_from_slice(operation);
    stream
        .write_all(&ber::element(0x30, &message))
        .await
        .map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let mut buffer = Vec::new();
    loop {
        match ber::front(&buffer, MAX_ANSWER) {
            ber::Front::Whole(whole) => {
                if !whole.rest.is_empty() {
                    return Err(odd("something follows the answer"));
                }
                if whole.tag != 0x30 {
                    return Err(odd("its answer is not an LDAP message"));
                }
                return read_answer(whole.content, id, wanted)
                    .ok_or_else(|| odd("the answer is malformed"));
            }
            ber::Front::Invalid => {
                return Err(odd("its answer is not an LDAP message, or is far too long"));
            }
            ber::Front::Partial => {}
        }
        if stream.read_buf(&mut buffer).await.map_err(lost)? == 0 {
            return Err(Error::new(
                ErrorKind::Connect,
                format!("{server} closed the connection during the bind"),
            ));
        }
    }
}

/// Reads the content of a message: id, response with an LDAPResult.
fn read_answer(message: &[u8], id: u32, wanted: u8) -> Option<Answer> {
    let number = ber::expect(message, 0x02)?;
    if ber::unsigned(number.content)? != id {
        return None;
    }
    let response = ber::expect(number.rest, wanted)?;
    let code = ber::expect(response.content, 0x0a)?;
    let matched = ber::expect(code.rest, 0x04)?;
    let text = ber::expect(matched.rest, 0x04)?;
    let mut credentials = None;
    let mut rest = text.rest;
    while !rest.is_empty() {
        match ber::front(rest, rest.len()) {
            ber::Front::Whole(element) => {
                if wanted == BIND_RESPONSE && element.tag == 0x87 {
                    credentials = Some(element.content.to_vec());
                }
                rest = element.rest;
            }
            ber::Front::Partial | ber::Front::Invalid => return None,
        }
    }
    Some(Answer {
        code: ber::unsigned(code.content)?,
        text: String::from_utf8_lossy(text.content).into_owned(),
        credentials,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: u32, tag: u8, code: u8, extra: &[u8]) -> Vec<u8> {
        let mut body = vec![0x0a, 1, code, 4, 0, 4, 2, b'h', b'i'];
        body.extend_from_slice(extra);
        let mut message = ber::integer(id);
        message.extend(ber::element(tag, &body));
        ber::element(0x30, &message)
    }

    #[test]
    fn start_tls_is_31_bytes_and_reads_as_an_extended_request() {
        let request = ber::element(0x77, &ber::element(0x80, START_TLS));
        let mut message = ber::integer(1);
        message.extend_from_slice(&request);
        assert_eq!(ber::element(0x30, &message).len(), 31);
    }

    #[tokio::test]
    async fn bytes_behind_the_answer_end_the_exchange() {
        let (mut ours, mut theirs) = tokio::io::duplex(4096);
        let mut bytes = answer(1, EXTENDED_RESPONSE, 0, &[]);
        bytes.extend_from_slice(b"0");
        theirs.write_all(&bytes).await.unwrap();
        let error = start_tls(&mut ours, "dc").await.unwrap_err();
        assert!(error.message().contains("follows"), "{error}");
    }

    #[tokio::test]
    async fn answers_are_matched_by_id_and_kind() {
        for (bytes, good) in [
            (answer(1, EXTENDED_RESPONSE, 0, &[]), true),
            (answer(2, EXTENDED_RESPONSE, 0, &[]), false),
            (answer(1, BIND_RESPONSE, 0, &[]), false),
            (answer(1, EXTENDED_RESPONSE, 52, &[]), false),
            (b"HTTP/1.1 400".to_vec(), false),
        ] {
            let (mut ours, mut theirs) = tokio::io::duplex(4096);
            theirs.write_all(&bytes).await.unwrap();
            drop(theirs.shutdown().await);
            assert_eq!(start_tls(&mut ours, "dc").await.is_ok(), good);
        }
    }

    #[test]
    fn credentials_are_found_behind_the_text() {
        let bytes = answer(3, BIND_RESPONSE, 14, &[0x87, 3, 1, 2, 3]);
        let message = ber::expect(&bytes, 0x30).unwrap();
        let read = read_answer(message.content, 3, BIND_RESPONSE).unwrap();
        assert_eq!(read.code, 14);
        assert_eq!(read.text, "hi");
        assert_eq!(read.credentials, Some(vec![1, 2, 3]));
    }
}
