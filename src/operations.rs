//! One file per verb: snapshots in, [`plan::Plan`] out. Only [`apply`] writes to a domain.
//!
//! | verb | reads | makes |
//! |---|---|---|
//! | [`read`] | a live GPO | a snapshot |
//! | [`backup`] | a live GPO | a backup folder |
//! | [`create`], [`delete`], [`rename`], [`set_status`] | a name or a live GPO | a plan |
//! | [`diff`] | two snapshots | what differs, setting by setting |
//! | [`copy`] | a live GPO of this or another domain | a plan |
//! | [`restore`] | a snapshot (of a backup) | a plan |
//! | [`import`] | a snapshot (of a backup) and a target GPO | a plan |
//! | [`check`] | live GPOs | findings, and a change list that repairs |
//! | [`link`] | the links of a domain, OU or site | a change list |
//! | [`wmi`] | WMI filters, and files of them | a change list |
//! | [`undo`] | the journal of an operation | what undoes it |
//! | [`apply`] | a plan or a change list, saved by [`saved_plan`] or not | the change, with a journal, or nothing |
//!
//! [`risks`] and [`secrets`] report what in a snapshot needs attention before it is written to a domain; [`damaged`] refuses a
//! backup that is not what gpoctl wrote.

pub mod apply;
pub mod backup;
pub mod change_list;
pub mod check;
pub mod copy;
pub mod create;
pub mod damaged;
pub mod delete;
pub mod diff;
pub mod import;
pub mod journal;
pub mod link;
mod objects;
mod partial;
pub mod permissions;
pub mod plan;
pub mod progress;
pub mod read;
pub mod rename;
pub mod restore;
mod rights;
pub mod risks;
mod rollback;
pub mod saved_plan;
pub mod secrets;
mod self_lockout;
pub mod set_status;
mod settings;
mod stage;
pub mod undo;
mod waiting;
pub mod wmi;
