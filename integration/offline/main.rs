//! What needs nothing but Rust: no domain, no real backups, no network.

mod backup_folders;
mod golden_migtable;
mod invariants;
mod memory;
mod parser_failures;
mod properties;
mod readers;
mod readme;
#[path = "../support/mod.rs"]
mod support;
