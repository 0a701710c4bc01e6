//! References in a snapshot, the migration table, resolving, mapping, and the report of it all.
//!
//! [`references`] knows where references stand: one visitor per format serves both the scan and the rewriting, so what is
//! found is what is mapped.

pub mod fill;
pub mod inventory;
pub mod map;
pub mod populate;
pub mod references;
pub mod report;
pub mod resolve;
pub mod scan;
mod sid_name_pairs;
pub mod suggest;
pub mod table;
pub mod validate;
