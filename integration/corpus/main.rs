//! The suite that needs the real backups and SYSVOL trees in the folder `GPOCTL_CORPUS`.
//!
//! Every test is ignored unless asked for: `cargo test --test corpus -- --include-ignored`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "functions that tests call are outside of test functions"
)]

mod backups;
mod backups_command;
mod check;
mod formats;
mod gpmc_report;
mod migtable;
mod preferences;
mod references;
mod report;
mod schema;
mod settings;
mod show;
#[path = "../support/mod.rs"]
mod support;
mod sysvol_in_memory;
mod tables;
