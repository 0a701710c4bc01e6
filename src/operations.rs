//! One file per verb: snapshots in, a plan out. Nothing here writes to a domain.
//!
//! | verb | reads | makes |
//! |---|---|---|
//! | [`backup`] | a live GPO | a backup folder |
//! | [`create`], [`delete`], [`rename`], [`set_status`] | a name or a live GPO | a plan |
//! | [`diff`] | two snapshots | what differs, setting by setting |
//! | [`copy`] | a live GPO of this or another domain | a plan |
//! | [`restore`] | a snapshot (of a backup) | a plan |
//! | [`import`] | a snapshot (of a backup) and a target GPO | a plan |
//! | [`check`] | live GPOs | findings, and a plan that repairs |
//! | [`link`] | the links of a domain, OU or site | a plan |
//! | [`wmi`] | WMI filters, and files of them | a plan |
//! | [`undo`] | the journal of an operation | what undoes it |

pub mod backup;
pub mod check;
pub mod copy;
pub mod create;
pub(crate) mod damaged;
pub mod delete;
pub mod diff;
pub mod import;
pub mod link;
mod partial;
pub mod rename;
pub mod restore;
pub mod set_status;
mod settings;
pub mod undo;
pub mod wmi;
