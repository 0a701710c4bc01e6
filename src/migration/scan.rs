//! Finds every reference of a snapshot, with the names and SIDs that its source contains.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::message::{Code, StatusMessage};
use crate::model::reference::{Place, Reference, ReferenceKind, Scope};
use crate::model::safe_name::RelPath;
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;

use super::inventory::{Inventory, SourcePrincipal};
use super::references::{self, Occurrence, ReferenceTarget, Rewrite, Visited, Visitor};
use super::sid_name_pairs::SidNamePairs;

/// A file visitor: [`references::visit_file`], or in unit tests one for a toy format.
pub(super) type VisitFile<'a> =
    dyn Fn(&RelPath, &Bytes, &mut Visitor<'_>) -> Result<Visited, String> + Sync + 'a;

/// The references of a snapshot.
#[derive(Debug, Clone, Default)]
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
    let mut inventory = Inventory::new(snapshot);
    let mut scan = Scan::default();
    let mut pairs = SidNamePairs::default();
    let mut files = Vec::new();
    for (path, content) in snapshot.tree.files() {
        let (occurrences, messages) = visit_keeping(path, content, visit);
        occurrences
            .iter()
            .for_each(|occurrence| inventory.learn_pair(&occurrence.target));
        files.push((occurrences, messages));
    }
    for (occurrences, messages) in files {
        scan.messages
            .extend(messages.unwrap_or_else(|unread| vec![unread]));
        for occurrence in occurrences {
            scan.messages.extend(pairs.check(&occurrence, &inventory));
            let identity = inventory.identify(&occurrence.target);
            if occurrence.scope == Scope::Gpmc {
                match (&identity, &occurrence.target) {
                    (Some(identity), _) => {
                        if let Some(sid) = &identity.sid {
                            scan.gpmc_sids.insert(sid.clone());
                        } else if let Some(name) = identity.name() {
                            scan.gpmc_names.insert(name);
                        }
                    }
                    (None, ReferenceTarget::Unc { unit, .. }) => {
                        scan.gpmc_unc_units.insert(unit.clone());
                    }
                    (None, _) => {}
                }
            }
            scan.references
                .push(to_reference(occurrence, identity.as_ref()));
        }
    }
    for object in &snapshot.directory_objects {
        let visited = references::software::visit_object(object, &mut |occurrence: &Occurrence| {
            if let (ReferenceTarget::Unc { unit, .. }, Scope::Gpmc) =
                (&occurrence.target, occurrence.scope)
            {
                scan.gpmc_unc_units.insert(unit.clone());
            }
            let identity = inventory.identify(&occurrence.target);
            scan.references
                .push(to_reference(occurrence.clone(), identity.as_ref()));
            Rewrite::Keep
        });
        scan.messages.extend(visited.messages);
        let (permitted, unread) = references::software::permission_references(object);
        scan.messages.extend(unread);
        scan.references
            .extend(permitted.into_iter().map(|occurrence| {
                let identity = inventory.identify(&occurrence.target);
                Reference {
                    from_dacl: true,
                    ..to_reference(occurrence, identity.as_ref())
                }
            }));
    }
    scan
}

/// The references of one file, and the findings of its visitor; for a file that cannot be parsed, no references and a
/// warning.
pub(super) fn visit_keeping(
    path: &RelPath,
    content: &Bytes,
    visit: &VisitFile<'_>,
) -> (Vec<Occurrence>, Result<Vec<StatusMessage>, StatusMessage>) {
    let mut list = Vec::new();
    let visited = visit(path, content, &mut |occurrence: &Occurrence| {
        list.push(occurrence.clone());
        Rewrite::Keep
    });
    match visited {
        Ok(visited) => (list, Ok(visited.messages)),
        Err(problem) => {
            let unread = StatusMessage::warning(
                Code::UnreadFile,
                format!("cannot be read, so its references are not known: {problem}"),
            )
            .at(Place::file(path.to_string()))
            .with_hint("it is copied unchanged; check it by hand");
            (Vec::new(), Err(unread))
        }
    }
}

/// Converts an occurrence to a reference for the report.
pub(super) fn to_reference(
    occurrence: Occurrence,
    identity: Option<&SourcePrincipal>,
) -> Reference {
    let (kind, value) = match occurrence.target {
        ReferenceTarget::Sid { text, .. } => {
            let bare = text.strip_prefix('*').unwrap_or(&text);
            (ReferenceKind::Principal, bare.to_owned())
        }
        ReferenceTarget::Name(name)
        | ReferenceTarget::Computer(name)
        | ReferenceTarget::Label(name) => (ReferenceKind::Principal, name),
        ReferenceTarget::SidAndName { sid, name } if name.is_empty() => {
            (ReferenceKind::Principal, sid.to_string())
        }
        ReferenceTarget::SidAndName { name, .. } => (ReferenceKind::Principal, name),
        ReferenceTarget::Unc { text, .. } => (ReferenceKind::Unc, text),
    };
    Reference {
        kind,
        value,
        sid: identity.and_then(|identity| identity.sid.clone()),
        name: identity.and_then(SourcePrincipal::name),
        principal_type: identity.and_then(SourcePrincipal::kind),
        place: occurrence.place,
        scope: occurrence.scope,
        from_dacl: false,
    }
}
