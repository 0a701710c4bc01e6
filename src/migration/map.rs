//! Maps a snapshot: takes a migration table and the target's directory, and returns the snapshot for the target and a
//! report.
//!
//! A mapping is a pipe of three values, each made from the one before:
//!
//! 1. The index (`index`): the distinct references of the snapshot, and where each of them is.
//! 2. The resolution (`resolution`): one decision for each distinct reference, with the row it came from (`rows`) and its finding. All
//!    names are looked up in one call (`destinations`). Any error ends the mapping here.
//! 3. The rewritten snapshot and the report (`rewrite`).
//!
//! The third stage visits the files again, and a visitor finds the references in the same order as for the index. So each place has the
//! decision that is next; a place that does not fit is an error, and never left unchanged.

use std::collections::BTreeMap;

use crate::domain::principals::PrincipalDirectory;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Severity, StatusMessage};
use crate::model::guid::Guid;
use crate::model::reference::{Place, Scope};
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;

use super::references;
use super::report::{MappingReport, Outcome};
use super::scan::VisitFile;
use super::table::MigrationTable;

mod destinations;
#[cfg(test)]
pub(in crate::migration) mod file_format_tests;
mod findings;
mod gpo_folder;
mod index;
mod inventory_of_target;
mod resolution;
mod review;
mod rewrite;
mod rows;
#[cfg(test)]
mod toy_format_tests;

pub(super) use destinations::query_by_rid;
pub(super) use gpo_folder::is_own_path;
pub use review::review;

pub(in crate::migration) use index::MAX_DISTINCT;
use index::index;
use resolution::resolve;
use rewrite::rewrite;

/// How rows for UNC paths are compared with references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UncMatch {
    /// The row must be GPMC's unit of the reference, or the whole path.
    #[default]
    Exact,
    /// The row must be the reference or a parent folder of it; the longest row wins.
    Prefix,
}

/// Options of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapOptions {
    /// Whether every reference needs a row (GPM_MIGRATIONTABLE_ONLY).
    pub exclusive: bool,
    /// [`Scope::All`]: every place; [`Scope::Gpmc`]: only the places that GPMC maps.
    pub scope: Scope,
    /// How UNC paths are compared.
    pub unc_match: UncMatch,
    /// Whether the principals of the GPO's DACL are references too (GPM_PROCESS_SECURITY of a copy). The descriptor
    /// itself is not rewritten; [`Mapped::sid_outcomes`] contains the new values of its SIDs.
    pub dacl: bool,
    /// The GPO that receives the settings. If given, UNC paths into the SYSVOL folder of the snapshot's GPO are changed
    /// to the folder of this GPO, unless a row matches them.
    pub target_gpo: Option<Guid>,
}

impl MapOptions {
    /// Every place, UNC paths by their exact unit, and references without a row are kept.
    pub fn new() -> Self {
        Self::default()
    }
}

crate::setters::setters!(MapOptions {
    exclusive: bool,
    scope: Scope,
    unc_match: UncMatch,
    dacl: bool,
    target_gpo: Guid
});

impl Default for MapOptions {
    fn default() -> Self {
        Self {
            exclusive: false,
            scope: Scope::All,
            unc_match: UncMatch::Exact,
            dacl: false,
            target_gpo: None,
        }
    }
}

/// The result of a mapping.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Mapped {
    /// The snapshot with rewritten files and updated `principals` and `file_paths`.
    pub snapshot: GpoSnapshot,
    /// The report.
    pub report: MappingReport,
    /// The outcome of each SID that a row matched: [`Outcome::Kept`], [`Outcome::Replaced`] or [`Outcome::Removed`].
    pub sid_outcomes: BTreeMap<Sid, Outcome>,
}

/// Maps every reference in the files of a snapshot.
///
/// # Errors
/// - [`ErrorKind::BadInput`]: rows that cannot be used in any domain, several rows for one reference, a file that
///   cannot be rewritten, or, with a table, a file that cannot be parsed but appears to contain references; each is a
///   detail.
/// - [`ErrorKind::Unmapped`]: destinations that do not exist in the target, and with `exclusive` references without a
///   row and files that cannot be parsed; each is a detail with the line of the row or the place of the reference.
/// - The errors of [`PrincipalDirectory::lookup`].
pub async fn map(
    snapshot: &GpoSnapshot,
    table: Option<&MigrationTable>,
    target: &dyn PrincipalDirectory,
    options: &MapOptions,
) -> Result<Mapped> {
    map_with(snapshot, table, target, options, &references::visit_file).await
}

/// The `file` of the place of principals in the GPO's permissions.
pub(crate) const PERMISSIONS: &str = "security descriptor";

pub(super) async fn map_with(
    snapshot: &GpoSnapshot,
    table: Option<&MigrationTable>,
    target: &dyn PrincipalDirectory,
    options: &MapOptions,
    visit: &VisitFile<'_>,
) -> Result<Mapped> {
    let index = index(snapshot, options, visit)?;
    let resolution = resolve(index, table, target, options).await?;
    rewrite(resolution, visit)
}

/// Fails if any message has severity error; these messages are the details.
fn fail_on_errors(messages: &[StatusMessage], sentence: &str) -> Result<()> {
    let details: Vec<StatusMessage> = messages
        .iter()
        .filter(|message| message.severity == Severity::Error)
        .cloned()
        .collect();
    match details.first() {
        None => Ok(()),
        Some(first) => {
            let place = first
                .place
                .as_ref()
                .map(Place::to_string)
                .unwrap_or_default();
            let more = match details.len().saturating_sub(1) {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            Err(Error::new(
                ErrorKind::BadInput,
                format!("{sentence}: {place}: {}{more}", first.text),
            )
            .with_details(details))
        }
    }
}

/// A defect of gpoctl: the stages of a mapping do not fit together. Must fail the mapping, because a reference that is left unchanged
/// would be transferred to the target unmapped.
fn defect(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Internal, message.into())
        .with_hint("this is a defect of gpoctl; nothing was written")
}
