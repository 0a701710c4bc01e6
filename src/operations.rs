//! One file per verb: snapshots in, [`plan::Plan`] out. Only [`apply`] writes to a domain.
//!
//! | verb | reads | makes |
//! |---|---|---|
//! | [`read`] | a live GPO | a snapshot |
//! | [`backup`] | a live GPO | a backup folder |
//! | [`import`] | a snapshot (of a backup) and a target GPO | a plan |
//! | [`apply`] | a plan | the change, with a journal, or nothing |

pub mod apply;
pub mod backup;
pub mod import;
pub mod journal;
pub mod plan;
pub mod progress;
pub mod read;
pub mod risks;
mod rollback;
pub mod secrets;
mod stage;
