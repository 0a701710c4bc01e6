//! The suite that needs nothing but Rust: no domain, no real backups, no network.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "functions that tests call are outside of test functions"
)]

mod backup_folders;
mod backups;
mod checked;
mod codes;
mod conformance;
mod damaged_journals;
mod edited_journals;
mod every_reader;
mod faults;
mod former_forms;
mod golden_migtable;
mod hostile_names;
mod hostile_words;
#[path = "invariants/mod.rs"]
mod invariants;
mod later;
mod memory;
mod memory_of_backups;
mod memory_of_lines;
mod memory_of_references;
mod memory_of_settings;
mod overtaken;
mod parser_failures;
mod properties;
mod readers;
mod readme;
mod repairs;
mod rolled_back_again;
mod setting_changes;
mod suites;
mod superseded;
#[path = "../support/mod.rs"]
mod support;
mod ticket_caches;
mod undo_descriptions;
mod undone;
mod unreadable;
mod upgraded;
mod verbs;
