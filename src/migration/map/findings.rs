//! The finding for each decision, those for the rows, and the failure of a mapping that leaves a reference unresolved.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::{Code, Severity, StatusMessage, printable};
use crate::migration::finding_list::FindingList;
use crate::migration::inventory::NameForm;
use crate::migration::localized_names::localized_name_in;
use crate::migration::references::ReferenceTarget;
use crate::migration::table::{EntryType, MigrationTable, TableRow};
use crate::migration::variables::unknown_variable_in;
use crate::model::principal::PrincipalType;
use crate::model::reference::{Place, Scope};

use super::MapOptions;
use super::index::{DistinctReference, Part};
use super::resolution::{Decision, PlacedDecision};
use super::rows::MatchedReference;

/// The finding for a reference, the same at all of its places. A GPO may have 20,000 of them, so the sentence is made where it is
/// needed.
pub(super) enum Finding<'t> {
    /// Its relative name is not exactly one principal of the target.
    Unresolved(Box<StatusMessage>),
    /// The destination of its row is not exactly one principal of the target; the error is that of the row.
    UnresolvedRow,
    /// Every reference needs a row, and it has none.
    WithoutRow,
    /// It is left unchanged because its places are outside the chosen scope.
    OutOfScope,
    /// It is in the folder of a GPO of the source.
    GpoFolder(Box<StatusMessage>),
    /// It has no row, but this row is for a folder above it.
    WouldMatchByPrefix(&'t TableRow),
    /// It has no row, although rows are needed, because it is the same in every domain.
    WellKnown,
    /// It is the same in every domain, but has the name of a localized version of Windows.
    LocalizedName,
    /// The SID does not exist in the target.
    AbsentSid {
        /// Whether it is not a SID of the source domain either.
        foreign: bool,
    },
    /// The name contains the source domain.
    SourceName,
    /// The name contains a variable that no client completes.
    UnknownVariable {
        /// Whether every reference needs a row, and it has none.
        is_failure: bool,
    },
    /// It has no row.
    Unlisted,
}

impl Finding<'_> {
    /// Whether a mapping with it fails.
    pub(super) fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Unresolved(_)
                | Self::UnresolvedRow
                | Self::WithoutRow
                | Self::UnknownVariable { is_failure: true }
        )
    }

    /// The finding at a place of the reference; `None` for one that is reported elsewhere. `domain` is the target.
    fn message(
        &self,
        reference: &DistinctReference,
        place: &Place,
        domain: &str,
    ) -> Option<StatusMessage> {
        let shown = reference.describe();
        let absent = || format!("{shown} is left unchanged and does not exist in {domain}");
        let add_row = "add a row for it to the migration table";
        let message = match self {
            Self::UnresolvedRow => return None,
            Self::Unresolved(message) | Self::GpoFolder(message) => (**message).clone(),
            Self::WithoutRow => StatusMessage::error(
                Code::UnmappedReference,
                format!("{shown} has no row in the migration table"),
            )
            .with_hint("add a row for it"),
            Self::OutOfScope => StatusMessage::info(
                Code::OutOfScope,
                format!("{shown} is left unchanged: GPMC does not map this place"),
            ),
            Self::WouldMatchByPrefix(above) => StatusMessage::info(
                Code::WouldMatchByPrefix,
                format!(
                    "{shown} is left unchanged; the row \"{}\" in line {} is for a folder above it",
                    printable(&above.source),
                    above.line
                ),
            ),
            Self::WellKnown => StatusMessage::info(
                Code::WellKnownUnlisted,
                format!("{shown} has no row and is the same in every domain"),
            ),
            Self::AbsentSid { foreign } => {
                let code = if *foreign {
                    Code::ForeignSidLeft
                } else {
                    Code::SourceSidLeft
                };
                let outage = match place.key.as_deref().and_then(logon_right) {
                    None => String::new(),
                    Some((right, true)) => format!(": without it, {right} denies nobody"),
                    Some((right, false)) => {
                        format!(": without it, {right} may leave nobody able to log on")
                    }
                };
                StatusMessage::warning(code, absent() + &outage).with_hint(add_row)
            }
            Self::SourceName => {
                StatusMessage::warning(Code::SourceNameLeft, absent()).with_hint(add_row)
            }
            Self::LocalizedName => localized_name_in(reference.target.name_alone()?, place)?,
            Self::UnknownVariable { is_failure } => {
                let mut message = unknown_variable_in(reference.target.name_alone()?, place)?;
                if *is_failure {
                    message.severity = Severity::Error;
                }
                message
            }
            Self::Unlisted => {
                let what = match reference.target {
                    ReferenceTarget::Unc { .. } => "UNC path",
                    _ => "name",
                };
                StatusMessage::info(
                    Code::UnmappedReference,
                    format!("{what} {shown} has no row and is left unchanged"),
                )
            }
        };
        Some(message.at(place.clone()))
    }
}

/// If the key is a logon right: the right, and whether it denies logon.
fn logon_right(key: &str) -> Option<(&str, bool)> {
    let folded = key.trim().to_ascii_lowercase();
    (folded.starts_with("se") && folded.ends_with("logonright"))
        .then(|| (key.trim(), folded.starts_with("sedeny")))
}

/// What prevents a mapping besides the decisions.
pub(super) struct Obstacles<'r> {
    /// An error for each row whose destination does not exist in the target.
    pub(super) rows: &'r [StatusMessage],
    pub(super) unreadable_files: &'r [StatusMessage],
    pub(super) unreadable_places: &'r [StatusMessage],
}

/// The findings at every place. `domain` is the target.
///
/// # Errors
/// [`ErrorKind::Unmapped`] with every row whose destination does not exist, every reference whose relative name does not exist, and
/// with `exclusive` every reference that needs a row and has none, and every file that cannot be parsed.
pub(super) fn findings(
    parts: &[Part<'_, Vec<PlacedDecision<'_>>>],
    obstacles: &Obstacles<'_>,
    domain: &str,
    options: &MapOptions,
) -> Result<Vec<StatusMessage>> {
    let mut unresolved = FindingList::default();
    unresolved.extend(obstacles.rows.iter().cloned());
    let mut without_row = FindingList::default();
    let mut outside = FindingList::default();
    let mut others = FindingList::default();
    for placed in parts.iter().flat_map(|part| &part.references) {
        let Decision {
            reference, finding, ..
        } = &*placed.decision;
        let Some(finding) = finding else { continue };
        let message = finding.message(reference, &placed.place, domain);
        match finding {
            Finding::Unresolved(_) => unresolved.extend(message),
            Finding::WithoutRow | Finding::UnknownVariable { is_failure: true } => {
                without_row.extend(message);
            }
            Finding::OutOfScope => {
                outside.extend(message.clone());
                others.extend(message);
            }
            _ => others.extend(message),
        }
    }
    let mut reasons = Vec::new();
    if unresolved.count() > 0 {
        let verb = if unresolved.count() == 1 {
            "destination does"
        } else {
            "destinations do"
        };
        reasons.push(format!(
            "{} {verb} not identify exactly one principal in {domain}",
            unresolved.count()
        ));
    }
    if without_row.count() > 0 {
        let verb = if without_row.count() == 1 {
            "reference has"
        } else {
            "references have"
        };
        reasons.push(format!(
            "{} {verb} no row in the migration table",
            without_row.count()
        ));
    }
    let unread = if options.exclusive {
        obstacles.unreadable_files
    } else {
        &[]
    };
    match unread.len() {
        0 => {}
        1 => reasons.push("a file cannot be read, so its references are not known".to_owned()),
        more => reasons.push(format!(
            "{more} files cannot be read, so their references are not known"
        )),
    }
    // GPMC ignores these texts.
    let unreadable_places = if options.exclusive && options.scope == Scope::All {
        obstacles.unreadable_places
    } else {
        &[]
    };
    match unreadable_places.len() {
        0 => {}
        1 => reasons.push("a text may contain a reference that was not recognized".to_owned()),
        more => reasons.push(format!(
            "{more} texts may contain references that were not recognized"
        )),
    }
    if reasons.is_empty() {
        return Ok(others.finish(None));
    }
    let no_row_helps = unresolved.count() + without_row.count() + outside.count() == 0;
    let mut details = unresolved.finish(None);
    details.extend(without_row.finish(None));
    details.extend(unread.iter().cloned());
    details.extend(unreadable_places.iter().cloned());
    details.extend(outside.finish(None));
    let error = Error::new(ErrorKind::Unmapped, reasons.join(", and ")).with_details(details);
    Err(if no_row_helps {
        error
            .with_source("no row of a migration table can map it")
            .with_hint("change it in the source; nothing was written")
            .with_remedy(Remedy::ChangeSourceOrNotExclusive)
    } else {
        error.with_hint("correct the migration table; nothing was written")
    })
}

/// The rows that a GPO uses, by their numbers.
#[derive(Default)]
pub(super) struct Usage {
    /// Rows that match a reference inside the chosen scope.
    pub(super) used: HashSet<usize>,
    /// Rows that match a reference outside of it.
    pub(super) outside: HashSet<usize>,
    /// A warning for each row whose type differs from that of its principal.
    pub(super) mismatches: Vec<StatusMessage>,
}

impl Usage {
    pub(super) fn of(references: &[MatchedReference<'_>], table: &MigrationTable) -> Self {
        let mut usage = Self::default();
        for matched in references {
            let Some(row) = matched.row else {
                continue;
            };
            if !matched.reference.in_scope {
                usage.outside.insert(row.number);
                continue;
            }
            if usage.used.insert(row.number)
                && let Some(mismatch) = type_mismatch(row, &matched.reference)
            {
                usage.mismatches.push(mismatch.at(table.place(row)));
            }
            let duplicates = matched.duplicate_rows.iter().map(|row| row.number);
            usage.used.extend(duplicates);
        }
        usage
    }

    /// A warning for each row that matches nothing inside the chosen scope.
    pub(super) fn unused(&self, table: &MigrationTable, gpos: usize) -> Vec<StatusMessage> {
        table
            .rows()
            .iter()
            .filter(|row| !self.used.contains(&row.number))
            .map(|row| {
                let source = printable(&row.source);
                let text = if self.outside.contains(&row.number) {
                    format!("source \"{source}\" is used only in places outside the chosen scope")
                } else if gpos == 1 {
                    format!("source \"{source}\" is not used by this GPO")
                } else {
                    format!("source \"{source}\" is not used by any of these {gpos} GPOs")
                };
                StatusMessage::warning(Code::UnusedRow, text).at(table.place(row))
            })
            .collect()
    }
}

fn type_mismatch(row: &TableRow, reference: &DistinctReference) -> Option<StatusMessage> {
    let identity = reference.identity.as_ref()?;
    let (EntryType::Principal(wanted), Some(kind)) = (row.kind, identity.kind()) else {
        return None;
    };
    // SIDs and bare names are legal for any principal with the type Unknown.
    let free = wanted == PrincipalType::Unknown && NameForm::of(&row.source).domain().is_none();
    (wanted != kind && !free).then(|| {
        StatusMessage::warning(
            Code::TypeMismatch,
            format!(
                "{} is of type {kind:?}, but its row has the type {wanted:?}",
                identity.describe()
            ),
        )
        .with_hint("gpoctl uses the row anyway; GPMC may ignore it")
    })
}
