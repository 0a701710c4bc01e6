//! The suite that needs the lab, two domains and a member of one of them: `eval "$(samba-testenv/lab env)"`.
//! The module `real_backups` needs the folder `GPOCTL_CORPUS` too.
//!
//! Every test is ignored unless asked for: `cargo test --test live -- --include-ignored`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "functions that tests call are outside of test functions"
)]

mod apply;
mod backup;
mod bad_input;
mod check;
mod check_for;
mod client;
mod conformance;
mod copy;
mod create_rename_delete;
mod cuts;
mod dc_stopped;
mod delegated_editor;
mod diff;
mod directory;
mod encryption;
mod exit_status;
mod flips;
mod formats;
mod hostile_names;
mod identity;
mod import;
mod judges;
mod links;
mod mapping;
mod migtable;
mod no_space;
mod open_files;
mod operations;
mod preferences;
mod races;
mod read_only_share;
mod readme;
mod real_backups;
mod restore;
mod rollback;
mod round_trips;
mod saved_plans;
mod scale;
#[path = "../support/mod.rs"]
mod support;
mod sysvol;
mod walk;
mod wmi;
