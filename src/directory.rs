//! The directory half: an LDAP session with one DC, the GPO objects, principals, WMI filters, links and class store in it.
//!
//! [`Directory`] reads and has no method that writes; [`DirectoryWriter`] is what
//! `operations::apply` gets. Referrals are never followed: one session speaks with one DC.

mod ber;
pub mod children;
pub mod discovery;
pub mod dn;
mod entry;
mod failure;
pub mod gpo;
pub mod links;
pub mod principals;
mod sasl;
pub mod session;
mod stream;
pub mod wmi;
pub mod writer;

pub use dn::Dn;
pub use gpo::GpoObject;
pub use session::{Directory, DirectorySettings, DomainInfo, LdapSecurity};
pub use writer::{DirectoryWriter, GpoChange};
