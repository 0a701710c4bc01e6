//! Plans.

pub(crate) mod folder_rights;
pub mod gpo;
pub(crate) mod inherited_permissions;
pub(crate) mod objects;
pub mod permissions;
pub mod risks;
pub mod saved;
pub mod secrets;
pub(crate) mod self_lockout;
pub mod values;
