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
    /// Migration table (.migtable) that maps principals and UNC paths
    #[arg(long, value_name = "FILE")]
    migration_table: Option<PathBuf>,

    /// Fail before anything is written if a reference has no row in the table
    #[arg(long, requires = "migration_table")]
    exclusive: bool,

    /// Where references are mapped: in every place, or only where GPMC does it
    #[arg(long, value_enum, value_name = "SCOPE", default_value = "all")]
    scope: ScopeChoice,

    /// How UNC paths are compared with the table: whole, or by the longest prefix of whole components
    #[arg(long, value_enum, value_name = "HOW", default_value = "exact")]
    unc_match: UncChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScopeChoice {
    /// Where GPMC maps
    Gpmc,
    /// Everywhere
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
    /// The whole path
    Exact,
    /// The longest prefix
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
