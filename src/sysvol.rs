//! SYSVOL over SMB: the adapters of the port [`crate::domain::sysvol`], two back ends, chosen at run time, and the GPT tree.
//!
//! Below the GPO's folder anything that is neither a plain file nor a plain folder is refused.

pub mod connect;
pub mod gpt;
#[cfg(feature = "libsmbclient")]
mod libsmbclient;
pub mod probe;
pub(crate) mod refusal;
mod smb2_client;
pub mod throttle;
