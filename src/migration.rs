//! References in a snapshot, the migration table, and the mapping of one to the other.
//!
//! [`references`] finds references: one visitor per file format serves both scanning and rewriting, so that exactly
//! what is found is mapped.

pub mod fill;
mod finding_list;
pub mod inventory;
pub mod map;
pub mod populate;
pub mod references;
pub mod report;
pub mod scan;
mod sid_name_pairs;
pub mod suggest;
pub mod table;
pub mod validate;
