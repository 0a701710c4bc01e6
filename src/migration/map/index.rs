//! The index of a snapshot's references: what is where. It knows neither a migration table nor a target domain.

use std::collections::HashMap;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::migration::finding_list::{FindingList, within_limit};
use crate::migration::inventory::{Inventory, SourcePrincipal};
use crate::migration::references::{self, Occurrence, ReferenceTarget, Rewrite};
use crate::migration::scan::{VisitFile, each_occurrence, learn_inventory};
use crate::migration::sid_name_pairs::SidNamePairs;
use crate::model::reference::{Place, Scope};
use crate::model::safe_name::RelPath;
use crate::model::snapshot::GpoSnapshot;

use super::{MapOptions, PERMISSIONS};

/// How many different references a GPO may have. Real ones have a few hundred; each takes a kilobyte and a lookup in the domain.
pub(in crate::migration) const MAX_DISTINCT: usize = 20_000;

/// All references of a snapshot.
pub(super) struct ReferenceIndex<'a> {
    pub(super) snapshot: &'a GpoSnapshot,
    /// The principals of the source.
    pub(super) inventory: Inventory<'a>,
    /// The different references, in the order of their first places.
    pub(super) references: Vec<DistinctReference>,
    /// Where they are: in the parsed files, then in the directory objects, then in the permissions of the GPO.
    pub(super) parts: Vec<Part<'a, Occurrences>>,
    /// A warning for each file that cannot be parsed; also in `messages`.
    pub(super) unreadable_files: Vec<StatusMessage>,
    /// Texts in parsed files that may contain references that were not recognized; also in the findings of the files.
    pub(super) unreadable_places: Vec<StatusMessage>,
    /// The findings that are not those of one file's visitor.
    pub(super) messages: Vec<StatusMessage>,
}

/// A distinct reference. All occurrences with the same text share one, except that places inside and outside the chosen scope do not:
/// what becomes of the reference is not the same.
pub(super) struct DistinctReference {
    pub(super) target: ReferenceTarget,
    /// The principal; `None` for a UNC path.
    pub(super) identity: Option<Box<SourcePrincipal>>,
    /// Its first place.
    pub(super) place: Place,
    /// Whether its places are inside the chosen scope.
    pub(super) in_scope: bool,
}

impl DistinctReference {
    /// Formats the reference for messages.
    pub(super) fn describe(&self) -> String {
        match (&self.identity, &self.target) {
            (Some(identity), _) => identity.describe(),
            (None, ReferenceTarget::Unc { text, .. }) => format!("\"{text}\""),
            (None, _) => String::new(),
        }
    }
}

/// A part of a snapshot, and what is known of the references in it.
pub(super) struct Part<'a, T> {
    pub(super) source: PartSource<'a>,
    /// In the order in which the visitor finds the references.
    pub(super) references: T,
}

/// What is visited.
pub(super) enum PartSource<'a> {
    /// A file that can be parsed.
    File {
        path: &'a RelPath,
        content: &'a Bytes,
        /// The findings of a visit without changes.
        findings: Vec<StatusMessage>,
    },
    /// The directory object with this index in the snapshot.
    DirectoryObject(usize),
    /// The permissions of the GPO, which are not rewritten.
    Permissions,
}

pub(super) type Occurrences = Vec<IndexedOccurrence>;

/// An occurrence with the number of its distinct reference, which has its target: a GPO may have a million occurrences.
pub(super) struct IndexedOccurrence {
    pub(super) place: Place,
    pub(super) scope: Scope,
    /// The spelling of a SID, where it differs from that of the first occurrence.
    pub(super) spelled: Option<Box<str>>,
    pub(super) reference: usize,
}

/// The codes of visitor messages about places that may contain an unrecognized reference.
const UNREADABLE_PLACE_CODES: &[Code] = &[Code::MoreFindings, Code::UnreadPath, Code::UnreadText];

/// Finds every reference.
///
/// # Errors
/// [`ErrorKind::BadInput`] for a GPO with too many different references: what is not in the index would be written unmapped.
pub(super) fn index<'a>(
    snapshot: &'a GpoSnapshot,
    options: &MapOptions,
    visit: &VisitFile<'_>,
) -> Result<ReferenceIndex<'a>> {
    let (inventory, counts) = learn_inventory(snapshot, visit);
    let mut distinct = DistinctReferences {
        inventory: &inventory,
        options,
        references: Vec::new(),
        numbers: HashMap::new(),
        too_many: false,
    };
    let mut parts = Vec::new();
    let mut unreadable_files = Vec::new();
    let mut unreadable_places = Vec::new();
    let mut pairs = SidNamePairs::default();
    let mut contradictions = FindingList::default();
    let mut findings_before = 0_usize;
    let unread = |message: &&StatusMessage| UNREADABLE_PLACE_CODES.contains(&message.code);
    for ((path, content), count) in snapshot.tree.files().zip(counts) {
        let mut references = Vec::with_capacity(count);
        let visited = each_occurrence(path, content, visit, &mut |occurrence| {
            // Of a file that cannot be read, or has too many.
            if count == 0 {
                return;
            }
            contradictions.extend(pairs.check(occurrence, &inventory));
            references.extend(distinct.indexed(occurrence));
        });
        match visited {
            Ok(findings) => {
                let findings = within_limit(findings, findings_before);
                findings_before = findings_before.saturating_add(findings.len());
                unreadable_places.extend(findings.iter().filter(unread).cloned());
                let source = PartSource::File {
                    path,
                    content,
                    findings,
                };
                parts.push(Part { source, references });
            }
            Err(unread) => unreadable_files.push(*unread),
        }
    }
    let mut messages = unreadable_files.clone();
    messages.extend(contradictions.finish(None));
    for (number, object) in snapshot.directory_objects.iter().enumerate() {
        let mut found = Vec::new();
        let visited = references::software::visit_object(object, &mut |occurrence| {
            found.extend(distinct.indexed(occurrence));
            Rewrite::Keep
        });
        unreadable_places.extend(visited.messages.iter().filter(unread).cloned());
        parts.push(Part {
            source: PartSource::DirectoryObject(number),
            references: found,
        });
    }
    if options.dacl {
        let entries = snapshot.principals.iter().filter(|entry| entry.from_dacl);
        let occurrences = entries.map(|entry| Occurrence {
            target: match SourcePrincipal::of(&entry.principal).sid {
                Some(sid) => ReferenceTarget::Sid {
                    text: sid.to_string(),
                    sid,
                },
                None => ReferenceTarget::Name(entry.principal.down_level_name()),
            },
            place: Place::file(PERMISSIONS),
            scope: Scope::Gpmc,
        });
        parts.push(Part {
            source: PartSource::Permissions,
            references: occurrences
                .filter_map(|occurrence| distinct.indexed(&occurrence))
                .collect(),
        });
    }
    if distinct.too_many {
        return Err(Error::new(
            ErrorKind::BadInput,
            format!(
                "GPO \"{}\" has more than {MAX_DISTINCT} different references, so they are not mapped",
                printable(&snapshot.display_name)
            ),
        )
        .with_hint("divide the GPO; nothing was written"));
    }
    Ok(ReferenceIndex {
        snapshot,
        references: distinct.references,
        inventory,
        parts,
        unreadable_files,
        unreadable_places,
        messages,
    })
}

/// The distinct references that were found so far.
struct DistinctReferences<'i> {
    inventory: &'i Inventory<'i>,
    options: &'i MapOptions,
    references: Vec<DistinctReference>,
    /// The numbers of the references by [`key_of`]: of that outside the chosen scope, and of that inside.
    numbers: HashMap<String, [Option<usize>; 2]>,
    too_many: bool,
}

impl DistinctReferences<'_> {
    /// The occurrence with its reference; `None` when there are too many.
    fn indexed(&mut self, occurrence: &Occurrence) -> Option<IndexedOccurrence> {
        let in_scope = self.options.scope == Scope::All || occurrence.scope == Scope::Gpmc;
        let key = key_of(&occurrence.target);
        if self.numbers.len() >= MAX_DISTINCT && !self.numbers.contains_key(&key) {
            self.too_many = true;
            return None;
        }
        let [outside, inside] = self.numbers.entry(key).or_default();
        let number = if in_scope { inside } else { outside };
        let reference = *number.get_or_insert_with(|| {
            let identity = self.inventory.identify(&occurrence.target);
            self.references.push(DistinctReference {
                target: occurrence.target.clone(),
                identity: identity.map(Box::new),
                place: occurrence.place.clone(),
                in_scope,
            });
            self.references.len().saturating_sub(1)
        });
        let spelled = match (&occurrence.target, self.references.get(reference)) {
            (ReferenceTarget::Sid { text, .. }, Some(first)) => match &first.target {
                ReferenceTarget::Sid { text: first, .. } if text != first => {
                    Some(Box::from(text.as_str()))
                }
                _ => None,
            },
            _ => None,
        };
        Some(IndexedOccurrence {
            place: occurrence.place.clone(),
            scope: occurrence.scope,
            spelled,
            reference,
        })
    }
}

/// What makes references the same.
fn key_of(target: &ReferenceTarget) -> String {
    match target {
        ReferenceTarget::Sid { sid, .. } => format!("sid {sid}"),
        ReferenceTarget::Name(name) => format!("name {name}"),
        ReferenceTarget::Computer(name) => format!("computer {name}"),
        ReferenceTarget::Label(name) => format!("label {name}"),
        ReferenceTarget::SidAndName { sid, name } => format!("both {sid} {name}"),
        ReferenceTarget::Unc { text, unit } => format!("unc {text}\n{unit}"),
    }
}
