//! What needs nothing but Rust: no domain, no real backups, no network.

mod golden_migtable;
mod invariants;
mod parser_failures;
mod properties;
mod readme;
#[path = "../support/mod.rs"]
mod support;
