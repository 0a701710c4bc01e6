//! The index of a snapshot's references: every occurrence, each with its distinct reference and the row of that.

use std::collections::HashMap;

use crate::domain::principals::PrincipalDirectory;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage};
use crate::migration::finding_list::{FindingList, within_limit};
use crate::migration::inventory::{Inventory, SourcePrincipal};
use crate::migration::references::{self, Occurrence, ReferenceTarget, Rewrite};
use crate::migration::scan::{VisitFile, each_occurrence};
use crate::migration::sid_name_pairs::SidNamePairs;
use crate::model::reference::{Place, Scope};
use crate::model::safe_name::RelPath;
use crate::model::snapshot::GpoSnapshot;

use super::destinations::Resolution;
use super::matching::{DistinctReference, RowMatcher, key_of};
use super::{DEFECT, MapOptions, PERMISSIONS, Resolved, in_scope, not_indexed};

/// An occurrence with the number of its distinct reference, which has its target: a GPO may have a million occurrences.
pub(super) struct IndexedOccurrence {
    pub(super) place: Place,
    pub(super) scope: Scope,
    /// The spelling of a SID, where it differs from that of the first occurrence.
    pub(super) spelled: Option<Box<str>>,
    pub(super) reference: usize,
    /// The number of its file among the parsed files; `None` for an occurrence outside of files.
    pub(super) file: Option<u32>,
}

impl IndexedOccurrence {
    /// Its target.
    pub(super) fn target(&self, reference: &DistinctReference) -> ReferenceTarget {
        match (&self.spelled, &reference.target) {
            (Some(spelled), ReferenceTarget::Sid { sid, .. }) => ReferenceTarget::Sid {
                sid: sid.clone(),
                text: spelled.to_string(),
            },
            (_, target) => target.clone(),
        }
    }
}

/// How many different references a GPO may have. Real ones have a few hundred; each takes a kilobyte and a lookup in the domain.
pub(in crate::migration) const MAX_DISTINCT: usize = 20_000;

/// All occurrences of references with their rows, before any lookup in the target.
pub(super) struct ReferenceIndex<'a> {
    pub(super) inventory: Inventory<'a>,
    pub(super) references: Vec<DistinctReference>,
    /// The numbers of the references by [`key_of`].
    pub(super) numbers: HashMap<String, usize>,
    pub(super) occurrences: Vec<IndexedOccurrence>,
    /// The parsed files, with the findings of a visit without changes.
    pub(super) files: Vec<(&'a RelPath, Vec<StatusMessage>)>,
    /// A warning for each file that cannot be parsed; also in `messages`.
    pub(super) unreadable_files: Vec<StatusMessage>,
    /// Texts in parsed files that may contain references that were not recognized; also in the findings of the files.
    pub(super) unreadable_places: Vec<StatusMessage>,
    /// An error for each reference that several rows match.
    pub(super) conflicts: Vec<StatusMessage>,
    pub(super) messages: Vec<StatusMessage>,
    /// Whether there are more than [`MAX_DISTINCT`] references, so that some are not in this index.
    pub(super) is_incomplete: bool,
}

/// The codes of visitor messages about places that may contain an unrecognized reference.
const UNREADABLE_PLACE_CODES: &[Code] = &[Code::MoreFindings, Code::UnreadPath, Code::UnreadText];

/// Finds every reference and its row.
pub(super) fn index_references<'a>(
    snapshot: &'a GpoSnapshot,
    matcher: &RowMatcher<'_>,
    options: &MapOptions,
    visit: &VisitFile<'_>,
) -> ReferenceIndex<'a> {
    let mut index = ReferenceIndex {
        inventory: Inventory::new(snapshot),
        references: Vec::new(),
        numbers: HashMap::new(),
        occurrences: Vec::new(),
        files: Vec::new(),
        unreadable_files: Vec::new(),
        unreadable_places: Vec::new(),
        conflicts: Vec::new(),
        messages: Vec::new(),
        is_incomplete: false,
    };
    // As in a scan: the first visit learns the pairs of SID and name, and counts.
    let mut count = 0_usize;
    for (path, content) in snapshot.tree.files() {
        let _ = each_occurrence(path, content, visit, &mut |occurrence| {
            count = count.saturating_add(1);
            index.inventory.learn_pair(&occurrence.target);
        });
    }
    index.occurrences.reserve_exact(count);
    let mut pairs = SidNamePairs::default();
    let mut contradictions = FindingList::default();
    let mut noticed_before = 0_usize;
    for (path, content) in snapshot.tree.files() {
        let before = index.occurrences.len();
        let file = u32::try_from(index.files.len()).ok();
        let noticed = each_occurrence(path, content, visit, &mut |occurrence| {
            contradictions.extend(pairs.check(occurrence, &index.inventory));
            index.add(occurrence, file, matcher, options);
        });
        match noticed {
            Ok(noticed) => {
                let noticed = within_limit(noticed, noticed_before);
                noticed_before = noticed_before.saturating_add(noticed.len());
                let unread =
                    |message: &&StatusMessage| UNREADABLE_PLACE_CODES.contains(&message.code);
                index
                    .unreadable_places
                    .extend(noticed.iter().filter(unread).cloned());
                index.files.push((path, noticed));
            }
            Err(unread) => {
                index.occurrences.truncate(before);
                index.unreadable_files.push((*unread).clone());
                index.messages.push(*unread);
            }
        }
    }
    index.messages.extend(contradictions.finish(None));
    for object in &snapshot.directory_objects {
        let visited = references::software::visit_object(object, &mut |occurrence| {
            index.add(occurrence, None, matcher, options);
            Rewrite::Keep
        });
        let unread = |message: &StatusMessage| UNREADABLE_PLACE_CODES.contains(&message.code);
        index
            .unreadable_places
            .extend(visited.messages.into_iter().filter(unread));
    }
    if options.dacl {
        for entry in &snapshot.principals {
            let identity = SourcePrincipal::of(&entry.principal);
            if entry.from_dacl {
                let target = match identity.sid {
                    Some(sid) => ReferenceTarget::Sid {
                        text: sid.to_string(),
                        sid,
                    },
                    None => ReferenceTarget::Name(entry.principal.down_level_name()),
                };
                let occurrence = Occurrence {
                    target,
                    place: Place::file(PERMISSIONS),
                    scope: Scope::Gpmc,
                };
                index.add(&occurrence, None, matcher, options);
            }
        }
    }
    index
}

impl ReferenceIndex<'_> {
    /// The reference of an occurrence.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when there is none: the mapping must fail, because an occurrence that is skipped is written
    /// unmapped.
    pub(super) fn reference_of(&self, indexed: &IndexedOccurrence) -> Result<&DistinctReference> {
        let reference = self.references.get(indexed.reference);
        reference.ok_or_else(|| not_indexed(&indexed.place))
    }

    /// Every occurrence with its reference and resolution.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when an occurrence has no reference, or the number of resolutions is not that of the
    /// references.
    pub(super) fn resolved<'a>(
        &'a self,
        resolutions: &'a [Resolution],
    ) -> Result<impl Iterator<Item = Resolved<'a>> + Clone> {
        if resolutions.len() != self.references.len() {
            return Err(Error::new(
                ErrorKind::Internal,
                format!(
                    "{} references have {} resolutions",
                    self.references.len(),
                    resolutions.len()
                ),
            )
            .with_hint(DEFECT));
        }
        for indexed in &self.occurrences {
            self.reference_of(indexed)?;
        }
        // None is left out: each has a reference, and each reference a resolution.
        Ok(self.occurrences.iter().filter_map(|occurrence| {
            Some(Resolved {
                occurrence,
                reference: self.references.get(occurrence.reference)?,
                resolution: resolutions.get(occurrence.reference)?,
            })
        }))
    }

    /// Whether the target is the domain of the snapshot.
    pub(super) fn is_same_domain(&self, target: &dyn PrincipalDirectory) -> bool {
        self.inventory.dns_domain == target.dns_domain().to_lowercase()
    }

    fn add(
        &mut self,
        occurrence: &Occurrence,
        file: Option<u32>,
        matcher: &RowMatcher<'_>,
        options: &MapOptions,
    ) {
        let key = key_of(&occurrence.target);
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None if self.references.len() == MAX_DISTINCT => {
                self.is_incomplete = true;
                return;
            }
            None => {
                let number = self.references.len();
                self.references
                    .push(matcher.distinct_reference(&occurrence.target, &self.inventory));
                self.numbers.insert(key, number);
                number
            }
        };
        if in_scope(occurrence.scope, options)
            && let Some(reference) = self.references.get_mut(number)
        {
            if !reference.in_scope
                && let Some(conflict) = &reference.conflict
            {
                self.conflicts
                    .push((**conflict).clone().at(occurrence.place.clone()));
            }
            reference.in_scope = true;
        }
        let first = self.references.get(number).map(|first| &first.target);
        let spelled = match (&occurrence.target, first) {
            (ReferenceTarget::Sid { text, .. }, Some(ReferenceTarget::Sid { text: first, .. })) => {
                (text != first).then(|| Box::from(text.as_str()))
            }
            _ => None,
        };
        self.occurrences.push(IndexedOccurrence {
            place: occurrence.place.clone(),
            scope: occurrence.scope,
            spelled,
            reference: number,
            file,
        });
    }
}
