//! Reports references that a mapping leaves unchanged, and fails where that is not allowed.

use std::collections::HashSet;

use crate::domain::principals::PrincipalDirectory;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::migration::finding_list::FindingList;
use crate::migration::references::{ReferenceTarget, Rewrite};
use crate::migration::table::{Destination, EntryType, MigrationTable, TableRow};
use crate::model::principal::PrincipalType;
use crate::model::reference::{ReferenceKind, Scope};

use super::destinations::Destinations;
use super::gpo_folder::GpoPath;
use super::matching::DistinctReference;
use super::{IndexedOccurrence, MapOptions, ReferenceIndex, Resolved, in_scope, kind_of};

/// Fails with every row whose destination does not exist, every reference whose relative name does not exist, and with
/// `exclusive` every reference that needs a row and has none, and every file that cannot be parsed.
pub(super) fn fail_on_unmapped<'a>(
    index: &ReferenceIndex<'_>,
    resolved: impl Iterator<Item = Resolved<'a>>,
    destinations: &Destinations,
    target: &dyn PrincipalDirectory,
    options: &MapOptions,
) -> Result<()> {
    let mut nobody = FindingList::default();
    nobody.extend(destinations.errors.iter().cloned());
    let mut without_row = FindingList::default();
    let mut outside = FindingList::default();
    for Resolved {
        occurrence,
        reference,
        resolution,
    } in resolved
    {
        if !in_scope(occurrence.scope, options) {
            let stays = out_of_scope(reference);
            outside.extend(stays.map(|message| message.at(occurrence.place.clone())));
            continue;
        }
        if let Some(problem) = &resolution.problem {
            nobody.push(problem.clone().at(occurrence.place.clone()));
        }
        if options.exclusive && needs_row(reference) {
            without_row.push(
                StatusMessage::error(
                    Code::UnmappedReference,
                    format!("{} has no row in the migration table", describe(reference)),
                )
                .at(occurrence.place.clone())
                .with_hint("add a row for it"),
            );
        }
    }
    let mut parts = Vec::new();
    if nobody.count() > 0 {
        let verb = if nobody.count() == 1 {
            "destination does"
        } else {
            "destinations do"
        };
        parts.push(format!(
            "{} {verb} not identify exactly one principal in {}",
            nobody.count(),
            target.dns_domain()
        ));
    }
    if without_row.count() > 0 {
        let verb = if without_row.count() == 1 {
            "reference has"
        } else {
            "references have"
        };
        parts.push(format!(
            "{} {verb} no row in the migration table",
            without_row.count()
        ));
    }
    let unread = if options.exclusive {
        index.unreadable_files.as_slice()
    } else {
        &[]
    };
    match unread.len() {
        0 => {}
        1 => parts.push("a file cannot be read, so its references are not known".to_owned()),
        more => parts.push(format!(
            "{more} files cannot be read, so their references are not known"
        )),
    }
    // GPMC ignores these texts.
    let unreadable_places = if options.exclusive && options.scope == Scope::All {
        index.unreadable_places.as_slice()
    } else {
        &[]
    };
    match unreadable_places.len() {
        0 => {}
        1 => parts.push("a text may contain a reference that was not recognized".to_owned()),
        more => parts.push(format!(
            "{more} texts may contain references that were not recognized"
        )),
    }
    if parts.is_empty() {
        return Ok(());
    }
    let no_row_helps = nobody.count() + without_row.count() + outside.count() == 0;
    let mut nobody = nobody.finish(None);
    nobody.extend(without_row.finish(None));
    nobody.extend(unread.iter().cloned());
    nobody.extend(unreadable_places.iter().cloned());
    nobody.extend(outside.finish(None));
    let error = Error::new(ErrorKind::Unmapped, parts.join(", and ")).with_details(nobody);
    Err(if no_row_helps {
        error
            .with_source("no row of a migration table can map it")
            .with_hint("change it in the source; nothing was written")
            .with_remedy(Remedy::ChangeSourceOrNotExclusive)
    } else {
        error.with_hint("correct the migration table; nothing was written")
    })
}

/// Whether a reference has no row and is not the same in every domain.
pub(super) fn needs_row(reference: &DistinctReference) -> bool {
    let follows = matches!(reference.gpo_path, Some(GpoPath::Own { to: Some(_), .. }));
    reference.row.is_none()
        && !follows
        && reference
            .identity
            .as_ref()
            .is_none_or(|identity| !identity.is_universal())
}

/// Formats a reference for messages.
pub(super) fn describe(reference: &DistinctReference) -> String {
    match (&reference.identity, &reference.target) {
        (Some(identity), _) => identity.describe(),
        (None, ReferenceTarget::Unc { text, .. }) => format!("\"{text}\""),
        (None, _) => String::new(),
    }
}

/// The findings for every reference, then for every row.
pub(super) fn findings<'a>(
    index: &ReferenceIndex<'_>,
    resolved: impl Iterator<Item = Resolved<'a>>,
    table: Option<&MigrationTable>,
    destinations: &Destinations,
    target: &dyn PrincipalDirectory,
    options: &MapOptions,
) -> Vec<StatusMessage> {
    let mut list = FindingList::default();
    for Resolved {
        occurrence,
        reference,
        resolution,
    } in resolved
    {
        let own = reference
            .gpo_path
            .as_ref()
            .filter(|_| reference.row.is_none());
        let finding = if !in_scope(occurrence.scope, options) {
            out_of_scope(reference)
        } else if let Some(own) = own {
            let stays = resolution.rewrite == Rewrite::Keep;
            own.finding(&describe(reference), stays, index.is_same_domain(target))
        } else if resolution.rewrite == Rewrite::Keep {
            unmapped_finding(
                index,
                table,
                reference,
                occurrence,
                destinations,
                target,
                options,
            )
        } else {
            None
        };
        list.extend(finding.map(|finding| finding.at(occurrence.place.clone())));
    }
    let mut messages = list.finish(None);
    if let Some(table) = table {
        row_findings(index, table, &mut messages);
    }
    messages
}

fn out_of_scope(reference: &DistinctReference) -> Option<StatusMessage> {
    (reference.row.is_some() || reference.gpo_path.is_some() || needs_row(reference)).then(|| {
        StatusMessage::info(
            Code::OutOfScope,
            format!(
                "{} is left unchanged: GPMC does not map this place",
                describe(reference)
            ),
        )
    })
}

/// The finding for a reference that is left unchanged.
fn unmapped_finding(
    index: &ReferenceIndex<'_>,
    table: Option<&MigrationTable>,
    reference: &DistinctReference,
    occurrence: &IndexedOccurrence,
    destinations: &Destinations,
    target: &dyn PrincipalDirectory,
    options: &MapOptions,
) -> Option<StatusMessage> {
    let domain = target.dns_domain();
    let row = reference.row.and_then(|number| table?.row(number));
    // A row that maps to the same principal needs no finding.
    if row.is_some_and(|row| row.destination != Destination::SameAsSource) {
        return None;
    }
    if let Some(number) = reference.prefix_row
        && let Some(above) = table.and_then(|table| table.row(number))
    {
        return Some(StatusMessage::info(
            Code::WouldMatchByPrefix,
            format!(
                "{} is left unchanged; the row \"{}\" in line {} is for a folder above it",
                describe(reference),
                printable(&above.source),
                above.line
            ),
        ));
    }
    let sid = reference
        .identity
        .as_ref()
        .and_then(|identity| identity.sid.as_ref());
    if let Some(sid) = sid {
        if !sid.is_domain_sid() {
            let listed = row.is_some() || !options.exclusive;
            return (!listed).then(|| {
                StatusMessage::info(
                    Code::WellKnownUnlisted,
                    format!(
                        "{} has no row and is the same in every domain",
                        describe(reference)
                    ),
                )
            });
        }
        if destinations.contains(sid) {
            return None;
        }
        let foreign = index
            .inventory
            .source_domain
            .as_ref()
            .is_some_and(|source| sid.domain().as_ref() != Some(source));
        let code = if foreign {
            Code::ForeignSidLeft
        } else {
            Code::SourceSidLeft
        };
        let outage = occurrence
            .place
            .key
            .as_deref()
            .and_then(logon_right)
            .map_or_else(String::new, |(right, denies)| {
                if denies {
                    format!(": without it, {right} denies nobody")
                } else {
                    format!(": without it, {right} may leave nobody able to log on")
                }
            });
        return Some(
            StatusMessage::warning(
                code,
                format!(
                    "{} is left unchanged and does not exist in {domain}{outage}",
                    describe(reference)
                ),
            )
            .with_hint("add a row for it to the migration table"),
        );
    }
    if let Some(name) = reference.target.name_alone()
        && index.inventory.is_in_source_domain(name)
        && !index.is_same_domain(target)
    {
        return Some(
            StatusMessage::warning(
                Code::SourceNameLeft,
                format!(
                    "{} is left unchanged and does not exist in {domain}",
                    describe(reference)
                ),
            )
            .with_hint("add a row for it to the migration table"),
        );
    }
    if row.is_some() || table.is_none() {
        return None;
    }
    let what = match kind_of(&reference.target) {
        ReferenceKind::Principal => "name",
        ReferenceKind::Unc => "UNC path",
    };
    Some(StatusMessage::info(
        Code::UnmappedReference,
        format!(
            "{what} {} has no row and is left unchanged",
            describe(reference)
        ),
    ))
}

/// If the key is a logon right: the right, and whether it denies logon.
fn logon_right(key: &str) -> Option<(&str, bool)> {
    let folded = key.trim().to_ascii_lowercase();
    (folded.starts_with("se") && folded.ends_with("logonright"))
        .then(|| (key.trim(), folded.starts_with("sedeny")))
}

/// The findings for rows: type mismatches and unused rows.
fn row_findings(
    index: &ReferenceIndex<'_>,
    table: &MigrationTable,
    messages: &mut Vec<StatusMessage>,
) {
    let usage = usage(index, table);
    messages.extend(usage.mismatches.iter().cloned());
    messages.extend(unused(table, &usage, 1));
}

/// The rows that a GPO uses, by their index in the table.
#[derive(Default)]
pub(super) struct Usage {
    /// Rows that match a reference inside the chosen scope.
    pub(super) used: HashSet<usize>,
    /// Rows that match a reference outside of it.
    pub(super) outside: HashSet<usize>,
    /// A warning for each row whose type differs from that of its principal.
    pub(super) mismatches: Vec<StatusMessage>,
}

pub(super) fn usage(index: &ReferenceIndex<'_>, table: &MigrationTable) -> Usage {
    let mut usage = Usage::default();
    for reference in &index.references {
        let Some((number, row)) = reference
            .row
            .and_then(|number| Some((number, table.row(number)?)))
        else {
            continue;
        };
        if !reference.in_scope {
            usage.outside.insert(number);
            continue;
        }
        if usage.used.insert(number)
            && let Some(mismatch) = type_mismatch(row, reference)
        {
            usage.mismatches.push(mismatch.at(table.place(row)));
        }
        usage.used.extend(&reference.duplicate_rows);
    }
    usage
}

/// A warning for each row that matches nothing inside the chosen scope.
pub(super) fn unused(table: &MigrationTable, usage: &Usage, gpos: usize) -> Vec<StatusMessage> {
    table
        .rows()
        .iter()
        .enumerate()
        .filter(|(number, _)| !usage.used.contains(number))
        .map(|(number, row)| {
            let source = printable(&row.source);
            let text = if usage.outside.contains(&number) {
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

fn type_mismatch(row: &TableRow, reference: &DistinctReference) -> Option<StatusMessage> {
    let identity = reference.identity.as_ref()?;
    let (EntryType::Principal(wanted), Some(kind)) = (row.kind, identity.kind()) else {
        return None;
    };
    // SIDs and bare names are legal for any principal with the type Unknown.
    let free = wanted == PrincipalType::Unknown
        && crate::migration::inventory::NameForm::of(&row.source)
            .domain()
            .is_none();
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
