//! The rewritten snapshot and the report, from the resolution.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::message::{Code, StatusMessage};
use crate::migration::references::{self, Occurrence, Rewrite};
use crate::migration::report::{MappedReference, MappingReport, Outcome};
use crate::migration::scan::{Names, VisitFile, to_reference};
use crate::model::reference::Place;
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;

use super::index::{IndexedOccurrence, Occurrences};
use super::resolution::{Decision, Resolution};
use super::{Mapped, defect, fail_on_errors};

/// Writes the decisions into a copy of the snapshot.
///
/// # Errors
/// [`ErrorKind::BadInput`](crate::error::ErrorKind::BadInput) for a file that cannot be rewritten, and
/// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) when a visitor finds other references than were indexed: one without a
/// decision would be transferred to the target unmapped.
pub(super) fn rewrite(resolution: Resolution<'_>, visit: &VisitFile<'_>) -> Result<Mapped> {
    let Resolution {
        snapshot,
        decisions,
        occurrences,
        principals,
        file_paths,
        mut messages,
    } = resolution;
    let mut mapped = snapshot.clone();
    messages.extend(rewrite_settings(
        &mut mapped,
        &occurrences,
        &decisions,
        visit,
    )?);
    mapped.principals = principals;
    mapped.file_paths = file_paths;
    Ok(Mapped {
        snapshot: mapped,
        sid_outcomes: sid_outcomes(&decisions),
        report: report(&occurrences, &decisions, messages)?,
    })
}

/// Rewrites the files and directory objects, and returns the findings of all their visitors.
fn rewrite_settings(
    mapped: &mut GpoSnapshot,
    occurrences: &Occurrences<'_>,
    decisions: &[Decision<'_>],
    visit: &VisitFile<'_>,
) -> Result<Vec<StatusMessage>> {
    let mut messages = Vec::new();
    for file in &occurrences.files {
        let mut next = NextDecision::new(&file.occurrences, decisions);
        if !next.clone().any_change()? {
            messages.extend(file.findings.iter().cloned());
            continue;
        }
        match visit(file.path, file.content, &mut |occurrence| {
            next.rewrite_of(occurrence)
        }) {
            Ok(visited) => {
                next.finish()?;
                messages.extend(visited.messages);
                if let Some(bytes) = visited.bytes {
                    mapped.tree.insert_file(file.path, bytes);
                }
            }
            Err(problem) => messages.push(
                StatusMessage::error(
                    Code::UnwrittenFile,
                    format!("cannot be rewritten: {problem}"),
                )
                .at(Place::file(file.path.to_string())),
            ),
        }
    }
    if mapped.directory_objects.len() != occurrences.objects.len() {
        return Err(defect("a directory object was not indexed"));
    }
    for (object, indexed) in mapped
        .directory_objects
        .iter_mut()
        .zip(&occurrences.objects)
    {
        let mut next = NextDecision::new(indexed, decisions);
        let visited = references::software::visit_object(object, &mut |occurrence| {
            next.rewrite_of(occurrence)
        });
        next.finish()?;
        messages.extend(visited.messages);
        if let Some(new) = visited.object {
            *object = new;
        }
    }
    fail_on_errors(&messages, "a file cannot be mapped")?;
    Ok(messages)
}

/// The decisions for the occurrences of a file or object, in the order in which its visitor finds them.
#[derive(Clone)]
struct NextDecision<'r> {
    occurrences: std::slice::Iter<'r, IndexedOccurrence>,
    decisions: &'r [Decision<'r>],
    /// The first occurrence that is not the next of the index.
    misfit: Option<Place>,
}

impl<'r> NextDecision<'r> {
    fn new(occurrences: &'r [IndexedOccurrence], decisions: &'r [Decision<'r>]) -> Self {
        Self {
            occurrences: occurrences.iter(),
            decisions,
            misfit: None,
        }
    }

    /// Whether any of the decisions is a change.
    fn any_change(self) -> Result<bool> {
        for indexed in self.occurrences {
            if Decision::of(indexed, self.decisions)?.rewrite != Rewrite::Keep {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The decision for the next occurrence. A visitor cannot fail, so remember one that does not fit.
    fn rewrite_of(&mut self, occurrence: &Occurrence) -> Rewrite {
        let next = self.occurrences.next().and_then(|indexed| {
            let decision = self.decisions.get(indexed.reference)?;
            (indexed.place == occurrence.place
                && *indexed.target(&decision.reference) == occurrence.target)
                .then_some(decision)
        });
        match next {
            Some(decision) => decision.rewrite.clone(),
            None => {
                self.misfit.get_or_insert_with(|| occurrence.place.clone());
                Rewrite::Keep
            }
        }
    }

    /// Fails when what was visited is not what was indexed.
    fn finish(mut self) -> Result<()> {
        if let Some(place) = self.misfit {
            return Err(defect(format!("the reference at {place} was not indexed")));
        }
        match self.occurrences.next() {
            None => Ok(()),
            Some(left) => Err(defect(format!(
                "the reference at {} was indexed, but not found again",
                left.place
            ))),
        }
    }
}

/// The outcome of each SID that a row matched.
fn sid_outcomes(decisions: &[Decision<'_>]) -> BTreeMap<Sid, Outcome> {
    decisions
        .iter()
        .filter(|decision| decision.reference.in_scope && decision.row.is_some())
        .filter_map(|decision| {
            let sid = decision.reference.identity.as_ref()?.sid.clone()?;
            Some((sid, Outcome::of(&decision.rewrite)))
        })
        .collect()
}

/// The report of every occurrence, with these findings.
fn report(
    occurrences: &Occurrences<'_>,
    decisions: &[Decision<'_>],
    messages: Vec<StatusMessage>,
) -> Result<MappingReport> {
    let mut report = MappingReport {
        messages,
        ..MappingReport::default()
    };
    report.references.reserve_exact(occurrences.iter().count());
    let mut names = Names::default();
    for indexed in occurrences.iter() {
        let Decision {
            reference,
            row,
            rewrite,
            ..
        } = Decision::of(indexed, decisions)?;
        let occurrence = Occurrence {
            target: indexed.target(reference).into_owned(),
            place: indexed.place.clone(),
            scope: indexed.scope,
        };
        let row = row.filter(|_| reference.in_scope);
        report.add(MappedReference {
            reference: to_reference(&occurrence, reference.identity.as_deref(), &mut names),
            row_line: row.and_then(|row| u64::try_from(row.line).ok()),
            outcome: if reference.in_scope {
                Outcome::of(rewrite)
            } else {
                Outcome::OutOfScope
            },
        });
    }
    Ok(report)
}
