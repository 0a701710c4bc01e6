//! The rewritten snapshot and the report, from the resolution.

use crate::error::Result;
use crate::message::{Code, StatusMessage};
use crate::migration::references::{self, Occurrence, Rewrite};
use crate::migration::report::{MappedReference, MappingReport, Outcome};
use crate::migration::scan::{Names, VisitFile, to_reference};
use crate::model::reference::Place;
use crate::model::snapshot::GpoSnapshot;

use super::index::{Part, PartSource};
use super::resolution::{Decision, PlacedDecision, Resolution};
use super::{Mapped, defect, fail_on_errors};

/// Writes the decisions into a copy of the snapshot.
///
/// # Errors
/// [`ErrorKind::BadInput`](crate::error::ErrorKind::BadInput) for a file that cannot be rewritten, and
/// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) when a visitor finds other references than were indexed: one without a
/// decision would be transferred to the target unmapped.
pub(super) fn rewrite(resolution: Resolution<'_>, visit: &VisitFile<'_>) -> Result<Mapped> {
    let mut mapped = resolution.snapshot.clone();
    let mut messages = resolution.messages;
    messages.extend(rewrite_settings(&mut mapped, &resolution.parts, visit)?);
    mapped.principals = resolution.principals;
    mapped.file_paths = resolution.file_paths;
    Ok(Mapped {
        snapshot: mapped,
        sid_outcomes: resolution.sid_outcomes,
        report: report(resolution.parts, messages),
    })
}

/// Rewrites the files and directory objects, and returns the findings of all their visitors.
fn rewrite_settings(
    mapped: &mut GpoSnapshot,
    parts: &[Part<'_, Vec<PlacedDecision<'_>>>],
    visit: &VisitFile<'_>,
) -> Result<Vec<StatusMessage>> {
    let mut messages = Vec::new();
    for Part { source, references } in parts {
        let mut next = NextDecision {
            decisions: references.iter(),
            misfit: None,
        };
        match source {
            PartSource::Permissions => {}
            PartSource::File { findings, .. }
                if references
                    .iter()
                    .all(|placed| placed.decision.rewrite == Rewrite::Keep) =>
            {
                messages.extend(findings.iter().cloned());
            }
            PartSource::File { path, content, .. } => {
                match visit(path, content, &mut |occurrence| next.rewrite_of(occurrence)) {
                    Ok(visited) => {
                        next.finish()?;
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
                        .at(Place::file(path.to_string())),
                    ),
                }
            }
            PartSource::DirectoryObject(number) => {
                let object = mapped
                    .directory_objects
                    .get_mut(*number)
                    .ok_or_else(|| defect(format!("there is no directory object {number}")))?;
                let visited = references::software::visit_object(object, &mut |occurrence| {
                    next.rewrite_of(occurrence)
                });
                next.finish()?;
                messages.extend(visited.messages);
                if let Some(new) = visited.object {
                    *object = new;
                }
            }
        }
    }
    fail_on_errors(&messages, "a file cannot be mapped")?;
    Ok(messages)
}

/// The decisions for the references of a file or object, in the order in which its visitor finds them.
struct NextDecision<'r> {
    decisions: std::slice::Iter<'r, PlacedDecision<'r>>,
    /// The first occurrence that is not the next of the index.
    misfit: Option<Place>,
}

impl NextDecision<'_> {
    /// The decision for the next occurrence. A visitor cannot fail, so remember one that does not fit.
    fn rewrite_of(&mut self, occurrence: &Occurrence) -> Rewrite {
        let next = self.decisions.next().filter(|placed| {
            placed.place == occurrence.place && *placed.target() == occurrence.target
        });
        match next {
            Some(placed) => placed.decision.rewrite.clone(),
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
        match self.decisions.next() {
            None => Ok(()),
            Some(left) => Err(defect(format!(
                "the reference at {} was indexed, but not found again",
                left.place
            ))),
        }
    }
}

/// The report of every place, with these findings.
fn report(
    parts: Vec<Part<'_, Vec<PlacedDecision<'_>>>>,
    messages: Vec<StatusMessage>,
) -> MappingReport {
    let mut report = MappingReport {
        messages,
        ..MappingReport::default()
    };
    let count = parts.iter().map(|part| part.references.len()).sum();
    report.references.reserve_exact(count);
    let mut names = Names::default();
    for placed in parts.into_iter().flat_map(|part| part.references) {
        let Decision {
            reference,
            row,
            rewrite,
            ..
        } = &*placed.decision;
        let row = row.filter(|_| reference.in_scope);
        let occurrence = Occurrence {
            target: placed.target().into_owned(),
            place: placed.place,
            scope: placed.scope,
        };
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
    report
}
