//! The directory half: an LDAP session with one DC, and the GPO objects, principals, WMI filters, links and class stores in it.
//!
//! [`Directory`] reads, over any [`LdapRead`](crate::domain::ldap::LdapRead), and has no method that writes;
//! [`DirectoryWriter`] is for `execute`. The LDAP connection is one implementation of these ports. Referrals are
//! never followed: a session uses one DC.

pub mod account;
mod ber;
pub mod bulk_read;
pub mod children;
mod connection;
pub mod discovery;
mod entry;
mod failure;
mod forest;
mod gate;
pub mod gpo;
mod limits;
pub mod links;
pub mod principals;
pub mod rights;
mod sasl;
pub mod session;
pub mod som_name;
mod stream;
pub mod unreadable;
pub mod wmi;
pub mod writer;

pub use connection::{DirectorySettings, LdapConnection, LdapSecurity};
pub use gpo::GpoObject;
pub use session::{Directory, DomainInfo};
pub use writer::{AttributeSwap, DirectoryWriter, GpoChange, SwapAttribute};
