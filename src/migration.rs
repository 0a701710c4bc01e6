//! References in a snapshot, the migration table, resolving, mapping, and the report of it all.
//!
//! [`places`] knows where references stand: one visitor per format serves both the scan and the rewriting, so what is
//! found is what is mapped.

mod agreement;
pub mod fill;
pub mod identity;
pub mod map;
pub mod places;
pub mod populate;
pub mod report;
pub mod resolve;
pub mod scan;
pub mod suggest;
pub mod table;
pub mod validate;
