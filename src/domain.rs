//! The ports to a domain, as traits: what the rest of the crate needs of it, and nothing of how it is reached. The adapters
//! over LDAP and SMB are in [`crate::directory`] and [`crate::sysvol`].

pub mod ldap;
pub mod principals;
pub mod sysvol;
