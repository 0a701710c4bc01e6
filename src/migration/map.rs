//! Maps a snapshot: takes a migration table and the target's directory, and returns the snapshot for the target and a
//! report.
//!
//! Files are rewritten last: first all references are found and matched with rows, then all names are looked up in one
//! call, and only if no row or reference has an error are the files rewritten.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, Severity, StatusMessage, printable};
use crate::model::guid::Guid;
use crate::model::principal::Principal;
use crate::model::reference::{Place, ReferenceKind, Scope};
use crate::model::sid::Sid;
use crate::model::snapshot::{GpoSnapshot, InventoryPrincipal};

use super::inventory::SourcePrincipal;
use super::references::{self, Occurrence, ReferenceTarget, Rewrite};
use super::report::{MappedReference, MappingReport, Outcome};
use super::scan::{Names, VisitFile, to_reference};
use super::table::MigrationTable;
use crate::domain::principals::PrincipalDirectory;

mod destinations;
#[cfg(test)]
mod file_format_tests;
mod findings;
mod gpo_folder;
mod index;
mod matching;
mod review;
#[cfg(test)]
mod toy_format_tests;

pub(super) use gpo_folder::is_own_path;
pub use review::review;

use destinations::{Destinations, Resolution};
use gpo_folder::GpoPath;
pub(in crate::migration) use index::MAX_DISTINCT;
use index::{IndexedOccurrence, ReferenceIndex, index_references};
use matching::{DistinctReference, RowMatcher, key_of};

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
    let mut messages = table.map(MigrationTable::validate).unwrap_or_default();
    fail_on_errors(
        &messages,
        "the migration table has rows that cannot be used",
    )?;
    let matcher = RowMatcher::new(table, options.unc_match);
    let mut index = index_references(snapshot, &matcher, options, visit);
    fail_on_too_many(&index, snapshot)?;
    fail_on_errors(
        &index.conflicts,
        "several rows of the migration table match one reference",
    )?;
    if table.is_some() {
        fail_on_unreadable_files(&index, snapshot)?;
    }
    for reference in &mut index.references {
        reference.gpo_path = GpoPath::of(&reference.target, snapshot, options, target);
    }
    messages.extend(index.messages.iter().cloned());

    let destinations = Destinations::look_up(table, &index.references, target).await?;
    let resolutions: Vec<Resolution> = index
        .references
        .iter()
        .map(|reference| destinations.decide(table, reference))
        .collect::<Result<_>>()?;
    let resolved = index.resolved(&resolutions)?;
    findings::fail_on_unmapped(&index, resolved.clone(), &destinations, target, options)?;
    messages.extend(destinations.warnings(table));
    if let Some(table) = table {
        messages.extend(destinations.relative_warnings(table, &index.references, &resolutions));
    }
    messages.extend(findings::findings(
        &index,
        resolved.clone(),
        table,
        &destinations,
        target,
        options,
    ));

    let mut mapped = snapshot.clone();
    let rewritten = rewrite(&index, &resolutions, snapshot, &mut mapped, options, visit)?;
    messages.extend(rewritten);
    let sid_outcomes = sid_outcomes(&index, &resolutions);
    update_inventory(
        &mut mapped,
        &index,
        &matcher,
        &destinations,
        &resolutions,
        options,
    );

    let mut report = MappingReport {
        messages,
        ..MappingReport::default()
    };
    let mut names = Names::default();
    report.references.reserve_exact(index.occurrences.len());
    for Resolved {
        occurrence,
        reference,
        resolution,
    } in resolved
    {
        let in_scope = in_scope(occurrence.scope, options);
        let row = reference.row.and_then(|number| table?.row(number));
        report.add(MappedReference {
            reference: to_reference(
                &Occurrence {
                    target: occurrence.target(reference),
                    place: occurrence.place.clone(),
                    scope: occurrence.scope,
                },
                reference.identity.as_deref(),
                &mut names,
            ),
            row_line: row
                .filter(|_| in_scope)
                .and_then(|row| u64::try_from(row.line).ok()),
            outcome: if in_scope {
                resolution.outcome.clone()
            } else {
                Outcome::OutOfScope
            },
        });
    }
    Ok(Mapped {
        snapshot: mapped,
        report,
        sid_outcomes,
    })
}

/// An occurrence with its reference and what becomes of it.
struct Resolved<'a> {
    occurrence: &'a IndexedOccurrence,
    reference: &'a DistinctReference,
    resolution: &'a Resolution,
}

/// Whether a place of this scope is in the chosen scope.
fn in_scope(scope: Scope, options: &MapOptions) -> bool {
    options.scope == Scope::All || scope == Scope::Gpmc
}

/// Fails when the index does not contain every reference, because what is not in it would be written unmapped.
fn fail_on_too_many(index: &ReferenceIndex<'_>, snapshot: &GpoSnapshot) -> Result<()> {
    if !index.is_incomplete {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::BadInput,
        format!(
            "GPO \"{}\" has more than {MAX_DISTINCT} different references, so they are not mapped",
            printable(&snapshot.display_name)
        ),
    )
    .with_hint("divide the GPO; nothing was written"))
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

/// Fails when a file that cannot be parsed appears to contain references, because the table would not be applied to
/// them.
fn fail_on_unreadable_files(index: &ReferenceIndex<'_>, snapshot: &GpoSnapshot) -> Result<()> {
    let holding: Vec<StatusMessage> = index
        .unreadable_files
        .iter()
        .filter(|unread| {
            let name = unread.place.as_ref().map(|place| place.file.as_str());
            name.and_then(|name| snapshot.tree.file(name))
                .is_some_and(|bytes| may_hold_references(bytes))
        })
        .map(|unread| StatusMessage {
            severity: Severity::Error,
            ..unread.clone()
        })
        .collect();
    fail_on_errors(
        &holding,
        "a file that cannot be read appears to contain references",
    )
    .map_err(|error| error.with_hint("repair the file, or import without a migration table"))
}

/// Whether the bytes contain a domain SID or the start of a UNC path, as UTF-8 or UTF-16LE.
fn may_hold_references(bytes: &[u8]) -> bool {
    let sid = b"S-1-5-21-";
    let wide: Vec<u8> = sid.iter().flat_map(|byte| [*byte, 0]).collect();
    let holds = |sid: &[u8]| {
        let mut parts = bytes.windows(sid.len());
        parts.any(|part| part.eq_ignore_ascii_case(sid))
    };
    let path = bytes
        .windows(3)
        .any(|part| matches!(part, [b'\\', b'\\', c] if c.is_ascii_alphanumeric()));
    let wide_path = bytes
        .windows(6)
        .any(|part| matches!(part, [b'\\', 0, b'\\', 0, c, 0] if c.is_ascii_alphanumeric()));
    path || wide_path || holds(sid) || holds(&wide)
}

/// Rewrites the files that change and returns the visitors' findings of all files.
fn rewrite(
    index: &ReferenceIndex<'_>,
    resolutions: &[Resolution],
    snapshot: &GpoSnapshot,
    mapped: &mut GpoSnapshot,
    options: &MapOptions,
    visit: &VisitFile<'_>,
) -> Result<Vec<StatusMessage>> {
    // A visitor cannot fail, so remember an occurrence that has no resolution and fail afterwards.
    let lost: RefCell<Option<Occurrence>> = RefCell::new(None);
    let decide = |occurrence: &Occurrence| {
        if !in_scope(occurrence.scope, options) {
            return Rewrite::Keep;
        }
        let resolution = index
            .numbers
            .get(&key_of(&occurrence.target))
            .and_then(|number| resolutions.get(*number));
        match resolution {
            Some(resolution) => resolution.rewrite.clone(),
            None => {
                *lost.borrow_mut() = Some(occurrence.clone());
                Rewrite::Keep
            }
        }
    };
    let changed: HashSet<u32> = index
        .occurrences
        .iter()
        .filter(|indexed| in_scope(indexed.scope, options))
        .filter(|indexed| {
            let resolution = resolutions.get(indexed.reference);
            resolution.is_none_or(|resolution| resolution.rewrite != Rewrite::Keep)
        })
        .filter_map(|indexed| indexed.file)
        .collect();
    let mut messages = Vec::new();
    for (number, (path, noticed)) in (0_u32..).zip(&index.files) {
        let name = path.to_string();
        let Some(content) = snapshot
            .tree
            .file(&name)
            .filter(|_| changed.contains(&number))
        else {
            messages.extend(noticed.iter().cloned());
            continue;
        };
        match visit(path, content, &mut |occurrence: &Occurrence| {
            decide(occurrence)
        }) {
            Ok(visited) => {
                messages.extend(visited.messages);
                if let Some(bytes) = visited.bytes {
                    mapped.tree.insert_file(path, bytes);
                }
            }
            Err(problem) => messages.push(
                StatusMessage::error(
                    Code::UnwrittenFile,
                    format!("cannot be rewritten: {problem}"),
                )
                .at(Place::file(name)),
            ),
        }
    }
    for object in &mut mapped.directory_objects {
        let visited =
            references::software::visit_object(object, &mut |occurrence| decide(occurrence));
        messages.extend(visited.messages);
        if let Some(new) = visited.object {
            *object = new;
        }
    }
    if let Some(occurrence) = lost.into_inner() {
        return Err(not_indexed(&occurrence.place));
    }
    fail_on_errors(&messages, "a file cannot be mapped")?;
    Ok(messages)
}

/// A defect of gpoctl: rewriting found an occurrence that indexing did not. Must fail the mapping, because leaving the
/// reference unchanged would transfer it to the target unmapped.
fn not_indexed(place: &Place) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("the reference at {place} was not indexed"),
    )
    .with_hint(DEFECT)
}

/// The hint of an error of kind [`ErrorKind::Internal`] that ends a mapping.
const DEFECT: &str = "this is a defect of gpoctl; nothing was written";

/// The outcome of each SID that a row matched.
fn sid_outcomes(index: &ReferenceIndex<'_>, resolutions: &[Resolution]) -> BTreeMap<Sid, Outcome> {
    index
        .references
        .iter()
        .zip(resolutions)
        .filter(|(reference, _)| reference.in_scope && reference.row.is_some())
        .filter_map(|(reference, resolution)| {
            let sid = reference.identity.as_ref()?.sid.clone()?;
            Some((sid, resolution.outcome.clone()))
        })
        .collect()
}

/// Updates `principals` and `file_paths` after the files were rewritten.
fn update_inventory(
    mapped: &mut GpoSnapshot,
    index: &ReferenceIndex<'_>,
    matcher: &RowMatcher<'_>,
    destinations: &Destinations,
    resolutions: &[Resolution],
    options: &MapOptions,
) {
    let mut used_rows: HashSet<usize> = HashSet::new();
    let mut followed: HashMap<String, String> = HashMap::new();
    let mut by_identity: HashMap<String, &Resolution> = HashMap::new();
    for (reference, resolution) in index.references.iter().zip(resolutions) {
        if reference.in_scope {
            used_rows.extend(reference.row);
            if let (None, ReferenceTarget::Unc { text, .. }, Rewrite::Unc(to)) =
                (reference.row, &reference.target, &resolution.rewrite)
            {
                followed.insert(text.to_lowercase(), to.clone());
            }
            if let Some(identity) = &reference.identity {
                // A bare name may have its own row, which does not apply to the principal.
                if matches!(reference.target, ReferenceTarget::Name(_)) {
                    by_identity.entry(identity.describe()).or_insert(resolution);
                } else {
                    by_identity.insert(identity.describe(), resolution);
                }
            }
        }
    }
    let mut seen: HashSet<(String, bool)> = HashSet::new();
    mapped.principals = mapped
        .principals
        .iter()
        .filter_map(|entry| {
            let resolution = by_identity
                .get(&SourcePrincipal::of(&entry.principal).describe())
                .filter(|_| !entry.from_dacl || options.dacl);
            let principal = match resolution.map(|resolution| &resolution.rewrite) {
                None | Some(Rewrite::Keep | Rewrite::Unc(_)) => entry.principal.clone(),
                Some(Rewrite::Remove) => return None,
                Some(Rewrite::Principal { sid, name }) => resolution
                    .and_then(|resolution| destinations.principal(resolution))
                    .unwrap_or_else(|| match sid {
                        Some(sid) if name.parse::<Sid>().is_ok() => {
                            Principal::unresolved(sid.clone())
                        }
                        sid => Principal {
                            sid: sid.clone(),
                            ..Principal::named(name)
                        },
                    }),
            };
            let new = InventoryPrincipal {
                principal,
                from_dacl: entry.from_dacl,
            };
            let key = format!(
                "{:?} {}",
                new.principal.sid,
                new.principal.down_level_name()
            );
            seen.insert((key.to_lowercase(), new.from_dacl))
                .then_some(new)
        })
        .collect();
    let mut paths: BTreeSet<String> = BTreeSet::new();
    mapped.file_paths = mapped
        .file_paths
        .iter()
        .map(|path| {
            matcher
                .unc(path, path)
                .filter(|found| used_rows.contains(&found.row))
                .and_then(|found| matcher.new_path(&found))
                .or_else(|| followed.get(&path.to_lowercase()).cloned())
                .unwrap_or_else(|| path.clone())
        })
        .filter(|path| paths.insert(path.to_lowercase()))
        .collect();
}

/// The kind of a reference.
fn kind_of(target: &ReferenceTarget) -> ReferenceKind {
    match target {
        ReferenceTarget::Unc { .. } => ReferenceKind::Unc,
        _ => ReferenceKind::Principal,
    }
}
