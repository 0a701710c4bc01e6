//! SYSVOL over SMB: two implementations of the port [`crate::domain::sysvol`], chosen at run time, and the GPT tree.
//!
//! Below the GPO's folder, anything that is neither a regular file nor a regular folder is refused.

pub mod connect;
#[cfg(any(test, feature = "testing", feature = "libsmbclient"))]
pub(crate) mod errno;
pub mod gpt;
#[cfg(feature = "libsmbclient")]
mod libsmbclient;
pub mod probe;
pub(crate) mod refusal;
pub(crate) mod smb2_client;
pub mod throttle;
