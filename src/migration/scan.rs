//! Finds every reference of a snapshot, with the names and SIDs that its source contains.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;

use crate::message::{Code, StatusMessage};
use crate::model::gpt_tree::GptTree;
use crate::model::reference::{Place, Reference, ReferenceKind, Scope};
use crate::model::safe_name::RelPath;
use crate::model::shared_text::SharedText;
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;

use super::finding_list::FindingList;
use super::inventory::{Inventory, SourcePrincipal};
use super::localized_names::localized_name_in;
use super::references::{self, Occurrence, ReferenceTarget, Rewrite, Visited, Visitor};
use super::sid_name_pairs::SidNamePairs;
use super::variables::unknown_variable_in;

/// A file visitor: [`references::visit_file`], or in unit tests one for a toy format.
pub(super) type VisitFile<'a> =
    dyn Fn(&RelPath, &Bytes, &mut Visitor<'_>) -> Result<Visited, String> + Sync + 'a;

/// The references of a snapshot.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Scan {
    /// Every reference, ordered by file and place; then those of the directory objects.
    pub references: Vec<Reference>,
    /// Files that could not be parsed, and findings of the visitors.
    pub messages: Vec<StatusMessage>,
    /// Every SID in places that GPMC inventories, including the SIDs of names that the source resolves.
    pub gpmc_sids: BTreeSet<Sid>,
    /// Every name in places that GPMC inventories that has no known SID.
    pub gpmc_names: BTreeSet<String>,
    /// Every UNC path in places that GPMC inventories, in GPMC's units: `FilePaths` of a backup.
    pub gpmc_unc_units: BTreeSet<String>,
}

impl Scan {
    /// The domain SIDs in places that GPMC inventories.
    pub fn gpmc_domain_sids(&self) -> impl Iterator<Item = &Sid> {
        self.gpmc_sids.iter().filter(|sid| sid.is_domain_sid())
    }
}

/// Finds the references in all files of a snapshot. A file that cannot be parsed gives a warning.
pub fn scan(snapshot: &GpoSnapshot) -> Scan {
    scan_with(snapshot, &references::visit_file)
}

pub(super) fn scan_with(snapshot: &GpoSnapshot, visit: &VisitFile<'_>) -> Scan {
    let (inventory, counts) = learn_inventory(snapshot, visit);
    let mut scan = Scan::default();
    scan.references
        .reserve_exact(counts.iter().copied().fold(0, usize::saturating_add));
    let mut pairs = SidNamePairs::default();
    let mut names = Names::default();
    let mut findings = FindingList::default();
    for ((path, content), count) in snapshot.tree.files().zip(counts) {
        let before = scan.references.len();
        let noticed = each_occurrence(path, content, visit, &mut |occurrence| {
            // Of a file that cannot be read, or has too many.
            if count == 0 {
                return;
            }
            findings.extend(pairs.check(occurrence, &inventory));
            findings.extend(findings_of_name(occurrence));
            let identity = inventory.identify(&occurrence.target);
            scan.note(occurrence, identity.as_ref());
            scan.references
                .push(to_reference(occurrence, identity.as_ref(), &mut names));
        });
        match noticed {
            Ok(noticed) => findings.extend(noticed),
            Err(unread) => {
                scan.references.truncate(before);
                findings.push(*unread);
            }
        }
    }
    for object in &snapshot.directory_objects {
        let visited = references::software::visit_object(object, &mut |occurrence: &Occurrence| {
            let identity = inventory.identify(&occurrence.target);
            if matches!(occurrence.target, ReferenceTarget::Unc { .. }) {
                scan.note(occurrence, None);
            }
            scan.references
                .push(to_reference(occurrence, identity.as_ref(), &mut names));
            Rewrite::Keep
        });
        findings.extend(visited.messages);
        let (permitted, unread) = references::software::permission_references(object);
        findings.extend(unread);
        scan.references
            .extend(permitted.into_iter().map(|occurrence| {
                let identity = inventory.identify(&occurrence.target);
                Reference {
                    from_dacl: true,
                    ..to_reference(&occurrence, identity.as_ref(), &mut names)
                }
            }));
    }
    scan.messages = findings.finish(None);
    scan
}

impl Scan {
    /// Adds what GPMC inventories.
    fn note(&mut self, occurrence: &Occurrence, identity: Option<&SourcePrincipal>) {
        if occurrence.scope != Scope::Gpmc {
            return;
        }
        match (identity, &occurrence.target) {
            (Some(identity), _) => {
                if let Some(sid) = &identity.sid {
                    if !self.gpmc_sids.contains(sid) {
                        self.gpmc_sids.insert(sid.clone());
                    }
                } else if let Some(name) = identity.name() {
                    self.gpmc_names.insert(name);
                }
            }
            (None, ReferenceTarget::Unc { unit, .. }) => {
                if !self.gpmc_unc_units.contains(unit) {
                    self.gpmc_unc_units.insert(unit.clone());
                }
            }
            (None, _) => {}
        }
    }
}

/// The finding for a name that some or all clients do not understand.
fn findings_of_name(occurrence: &Occurrence) -> Option<StatusMessage> {
    let (name, place) = (occurrence.target.name_alone()?, &occurrence.place);
    unknown_variable_in(name, place).or_else(|| localized_name_in(name, place))
}

/// The findings about the names in the files of a GPO that need no other source than the files.
pub(crate) fn findings_of_names(tree: &GptTree) -> Vec<StatusMessage> {
    let mut findings = FindingList::default();
    for (path, content) in tree.files() {
        // A file that cannot be read has a finding of its own.
        let _ = each_occurrence(path, content, &references::visit_file, &mut |occurrence| {
            findings.extend(findings_of_name(occurrence));
        });
    }
    findings.finish(None)
}

/// The principals of the source, with the pairs of SID and name in its files, which identify references in files before them. Also the
/// number of references in each file, for lists that are made in their size: a list of a million references that grows is in memory
/// twice.
pub(super) fn learn_inventory<'a>(
    snapshot: &'a GpoSnapshot,
    visit: &VisitFile<'_>,
) -> (Inventory<'a>, Vec<usize>) {
    let mut inventory = Inventory::new(snapshot);
    let mut counts = Vec::new();
    for (path, content) in snapshot.tree.files() {
        let mut count = 0_usize;
        let read = each_occurrence(path, content, visit, &mut |occurrence| {
            count = count.saturating_add(1);
            inventory.learn_pair(&occurrence.target);
        });
        counts.push(if read.is_ok() { count } else { 0 });
    }
    (inventory, counts)
}

/// Calls `each` for every reference of a file. Returns the findings of its visitor; for a file that cannot be parsed, a warning, and
/// what `each` was called for does not count.
pub(super) fn each_occurrence(
    path: &RelPath,
    content: &Bytes,
    visit: &VisitFile<'_>,
    each: &mut dyn FnMut(&Occurrence),
) -> Result<Vec<StatusMessage>, Box<StatusMessage>> {
    let most = most_occurrences(content.len());
    let mut count = 0_usize;
    let visited = visit(path, content, &mut |occurrence: &Occurrence| {
        count = count.saturating_add(1);
        if count <= most {
            each(occurrence);
        }
        Rewrite::Keep
    });
    let visited = visited.and_then(|visited| {
        let listed = count <= most;
        listed
            .then_some(visited)
            .ok_or_else(|| format!("it has {count} references in {} bytes", content.len()))
    });
    visited.map(|visited| visited.messages).map_err(|problem| {
        let unread = StatusMessage::warning(
            Code::UnreadFile,
            format!("cannot be read, so its references are not known: {problem}"),
        );
        Box::new(
            unread
                .at(Place::file(path.to_string()))
                .with_hint("it is copied unchanged; check it by hand"),
        )
    })
}

/// How many references a file of this length may have: in a plan, each takes many times the shortest text that can be one, such as a
/// name of one letter in a list. Real files have one for some forty bytes.
fn most_occurrences(length: usize) -> usize {
    const BYTES_OF_ONE: usize = 24;
    const ALWAYS: usize = 10_000;
    ALWAYS.saturating_add(length / BYTES_OF_ONE)
}

/// The names of principals, each in memory once: a principal has one name and any number of references.
#[derive(Default)]
pub(super) struct Names(HashSet<SharedText>);

impl Names {
    fn shared(&mut self, name: String) -> SharedText {
        if let Some(known) = self.0.get(name.as_str()) {
            return known.clone();
        }
        let new = SharedText::from(name);
        self.0.insert(new.clone());
        new
    }
}

/// Converts an occurrence to a reference for the report.
pub(super) fn to_reference(
    occurrence: &Occurrence,
    identity: Option<&SourcePrincipal>,
    names: &mut Names,
) -> Reference {
    let (kind, value) = match &occurrence.target {
        ReferenceTarget::Sid { text, .. } => {
            let bare = text.strip_prefix('*').unwrap_or(text);
            (ReferenceKind::Principal, bare.to_owned())
        }
        ReferenceTarget::Name(name)
        | ReferenceTarget::Computer(name)
        | ReferenceTarget::Label(name) => (ReferenceKind::Principal, name.clone()),
        ReferenceTarget::SidAndName { sid, name } if name.is_empty() => {
            (ReferenceKind::Principal, sid.to_string())
        }
        ReferenceTarget::SidAndName { name, .. } => (ReferenceKind::Principal, name.clone()),
        ReferenceTarget::Unc { text, .. } => (ReferenceKind::Unc, text.clone()),
    };
    Reference {
        kind,
        value,
        sid: identity.and_then(|identity| identity.sid.clone()),
        name: identity
            .and_then(SourcePrincipal::name)
            .map(|name| names.shared(name)),
        principal_type: identity.and_then(SourcePrincipal::kind),
        place: occurrence.place.clone(),
        scope: occurrence.scope,
        from_dacl: false,
    }
}
