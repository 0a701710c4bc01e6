//! Checks whether a host answers over SMB.

use std::time::Duration;

use smb2::client::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::model::domain_name::DomainName;

const SMB_PORT: u16 = 445;

/// Connects and negotiates a dialect only: no login, and no name of a share is sent.
///
/// # Errors
/// [`ErrorKind::Connect`] when the host does not answer in this time, or not with SMB.
pub async fn answers(host: &DomainName, timeout: Duration) -> Result<()> {
    let silent = |cause: Option<smb2::Error>| {
        let error = Error::new(
            ErrorKind::Connect,
            format!("{host} does not answer over SMB"),
        );
        match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    };
    let ask = async {
        let endpoint = format!("{host}:{SMB_PORT}");
        let mut connection = Connection::connect(&endpoint, timeout).await?;
        connection.set_response_timeout(Some(timeout));
        connection.negotiate().await
    };
    match tokio::time::timeout(timeout, ask).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(cause)) => Err(silent(Some(cause))),
        Err(_) => Err(silent(None)),
    }
}
