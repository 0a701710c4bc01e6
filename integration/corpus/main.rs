//! What needs the real backups and SYSVOL trees in the folder that `GPOCTL_CORPUS` names.

mod backups;
mod backups_command;
mod check;
#[path = "../support/corpus_gpos.rs"]
mod corpus_gpos;
mod formats;
mod migtable;
mod preferences;
mod references;
mod report;
mod schema;
mod show;
#[path = "../support/mod.rs"]
mod support;
mod tables;
