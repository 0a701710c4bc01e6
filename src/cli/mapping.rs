//! The options of a mapping: which table, and how it is used.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::migtable;
use crate::error::Result;
use crate::migration::map::{MapOptions, UncMatch};
use crate::migration::table::MigrationTable;
use crate::model::reference::Scope;

/// How principals and UNC paths are mapped.
#[derive(Debug, Clone, Args)]
pub(super) struct MappingArgs {
    /// Map security principals and UNC paths with this migration table
    #[arg(long, value_name = "FILE")]
    migration_table: Option<PathBuf>,

    /// Fail before anything is written if a reference has no row in the table
    #[arg(long, requires = "migration_table")]
    exclusive: bool,

    /// Map references everywhere, or only where GPMC maps them
    #[arg(long, value_enum, value_name = "SCOPE", default_value = "all")]
    scope: ScopeChoice,

    /// Use a UNC row for exactly that path, or for every path below it
    #[arg(long, value_enum, value_name = "HOW", default_value = "exact")]
    unc_match: UncChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScopeChoice {
    /// Only where GPMC maps them
    Gpmc,
    /// Everywhere gpoctl finds them
    All,
}

impl From<ScopeChoice> for Scope {
    fn from(choice: ScopeChoice) -> Self {
        match choice {
            ScopeChoice::Gpmc => Self::Gpmc,
            ScopeChoice::All => Self::All,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum UncChoice {
    /// The path must be that of the row
    Exact,
    /// The row with the longest matching path prefix is used
    Prefix,
}

impl From<UncChoice> for UncMatch {
    fn from(choice: UncChoice) -> Self {
        match choice {
            UncChoice::Exact => Self::Exact,
            UncChoice::Prefix => Self::Prefix,
        }
    }
}

impl MappingArgs {
    /// The migration table, if one is named.
    pub(super) fn table(&self) -> Result<Option<MigrationTable>> {
        self.migration_table.as_deref().map(load_table).transpose()
    }

    /// How it is used.
    pub(super) fn options(&self) -> MapOptions {
        MapOptions {
            exclusive: self.exclusive,
            scope: self.scope.into(),
            unc_match: self.unc_match.into(),
            ..MapOptions::default()
        }
    }
}

/// Reads a migration table; messages call it by its file name.
fn load_table(path: &Path) -> Result<MigrationTable> {
    let (name, table) = migtable::file::load(path)?;
    Ok(MigrationTable::new(&name, &table))
}
