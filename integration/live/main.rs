//! What needs the lab: two domains, and the member of one of them (`eval "$(samba-testenv/lab env)"`).

mod apply;
mod backup;
mod bad_input;
mod check;
mod check_for;
mod client;
mod copy;
mod create_rename_delete;
mod delegated_editor;
mod diff;
mod directory;
mod formats;
mod import;
mod links;
mod mapping;
mod migtable;
mod operations;
mod preferences;
mod readme;
mod restore;
mod rollback;
mod round_trips;
mod saved_plans;
mod scale;
#[path = "../support/mod.rs"]
mod support;
mod sysvol;
mod wmi;
