//! One file per verb: snapshots in, [`plan::Plan`] out. Only [`apply`] writes to a domain.
//!
//! | verb | reads | makes |
//! |---|---|---|
//! | [`read`] | a live GPO | a snapshot |
//! | [`backup`] | a live GPO | a backup folder |
//! | [`diff`] | two snapshots | what differs, setting by setting |
//! | [`import`] | a snapshot (of a backup) and a target GPO | a plan |
//! | [`apply`] | a plan | the change, with a journal, or nothing |

pub mod apply;
pub mod backup;
pub mod diff;
pub mod import;
pub mod journal;
pub mod plan;
pub mod progress;
pub mod read;
mod rollback;
mod stage;
