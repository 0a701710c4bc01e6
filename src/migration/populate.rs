//! Adds rows for all references of a GPO, as GPMC populates a table from a GPO or a backup.
//!
//! References that GPMC inventories (`SecurityGroups` and `FilePaths` of a backup) get the same rows as in GPMC. With
//! [`Scope::All`], references that only gpoctl finds get rows too, with sources that a mapping of the same GPO matches.

use std::collections::{HashMap, HashSet};

use crate::formats::migtable::{Destination, Entry, EntryType, InvalidEntry, MigTable, source_key};
use crate::message::{Code, StatusMessage, printable};
use crate::model::principal::{Principal, PrincipalType};
use crate::model::reference::{Place, Scope};
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;
use crate::model::unc_path::UncPath;

use super::inventory::{Inventory, NameForm, RowKey, SourcePrincipal};
use super::map::{MAX_DISTINCT, is_own_path};
use super::references::{self, Occurrence, ReferenceTarget, Rewrite};
use super::scan::each_occurrence;

/// Options for populating a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PopulateOptions {
    /// Whether principals that occur only in the GPO's DACL get rows too (GPM_PROCESS_SECURITY).
    pub include_dacl: bool,
    /// Whether rows for domain principals have `DestinationByRelativeName`; all other rows have
    /// `DestinationSameAsSource`.
    pub relative: bool,
    /// [`Scope::Gpmc`]: references that GPMC inventories; [`Scope::All`]: also those that only gpoctl finds.
    pub scope: Scope,
}

impl PopulateOptions {
    /// All references of the settings, each as `DestinationSameAsSource`.
    pub fn new() -> Self {
        Self::default()
    }
}

crate::setters::setters!(PopulateOptions {
    include_dacl: bool,
    relative: bool,
    scope: Scope
});

impl Default for PopulateOptions {
    fn default() -> Self {
        Self {
            include_dacl: false,
            relative: false,
            scope: Scope::All,
        }
    }
}

/// A reference of a GPO that can get a row.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RowCandidate {
    /// The row that it would get.
    pub entry: Entry,
    /// Whether GPMC inventories it.
    pub scope: Scope,
    /// Whether it occurs only in the DACL.
    pub from_dacl: bool,
    /// Its name, if the source of the row is a SID and the GPO contains the name.
    pub name: Option<String>,
    /// The display name of the GPO.
    pub gpo: String,
    /// Its places, for references that only gpoctl finds.
    pub places: Vec<Place>,
    /// The sources of rows that match it; empty for a UNC path.
    row_keys: Vec<RowKey>,
}

/// What was done for a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowOutcome {
    /// A row was added.
    Added,
    /// A row with this source matches it already and is unchanged.
    Present(String),
    /// It cannot have a row, for this reason.
    Skipped(String),
}

/// The result of populating a table.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Merged {
    /// Every reference, each principal and path once: those that GPMC inventories, then the rest.
    pub items: Vec<(RowCandidate, RowOutcome)>,
    /// Findings.
    pub messages: Vec<StatusMessage>,
}

/// The references of this GPO that can get rows: those that GPMC inventories in the order of the inventory, then the
/// rest in the order of the GPO. Principals that are the same in every domain are included only if GPMC inventories
/// them.
pub fn items(
    snapshot: &GpoSnapshot,
    options: &PopulateOptions,
) -> (Vec<RowCandidate>, Vec<StatusMessage>) {
    let mut inventory = Inventory::new(snapshot);
    let mut messages = Vec::new();
    if options.scope == Scope::All {
        // The inventory learns the pairs of SID and name, as in a mapping.
        let unread = each_reference(snapshot, &mut |occurrence| {
            inventory.learn_pair(&occurrence.target);
        });
        let of_gpo = |message: StatusMessage| message.of_gpo(&snapshot.display_name);
        messages.extend(unread.into_iter().map(of_gpo));
    }
    let item = |source: String, kind: EntryType, row_keys: Vec<RowKey>| {
        let of_domain =
            matches!(kind, EntryType::Principal(_)) && NameForm::of(&source).domain().is_some();
        let destination = if options.relative && of_domain {
            Destination::ByRelativeName
        } else {
            Destination::SameAsSource
        };
        RowCandidate {
            entry: Entry {
                source,
                kind,
                destination,
            },
            scope: Scope::Gpmc,
            from_dacl: false,
            name: None,
            gpo: snapshot.display_name.clone(),
            places: Vec::new(),
            row_keys,
        }
    };
    let mut items = Vec::new();
    for entry in &snapshot.principals {
        if let Some(source) = inventoried_source(&entry.principal)
            && (options.include_dacl || !entry.from_dacl)
        {
            let kind = EntryType::Principal(entry.principal.kind);
            items.push(RowCandidate {
                from_dacl: entry.from_dacl,
                ..item(
                    source,
                    kind,
                    SourcePrincipal::of(&entry.principal).row_keys(),
                )
            });
        }
    }
    for path in &snapshot.file_paths {
        items.push(item(path.clone(), EntryType::UncPath, Vec::new()));
    }
    let (principals, paths) = match options.scope {
        Scope::All => {
            let (principals, paths, more) = not_inventoried(snapshot, &inventory);
            messages.extend(more.then(|| too_many_references(&snapshot.display_name)));
            (principals, paths)
        }
        Scope::Gpmc => (Vec::new(), Vec::new()),
    };
    for (identities, places) in principals {
        let Some((source, kind)) = common_source(&identities) else {
            continue;
        };
        items.push(RowCandidate {
            scope: Scope::All,
            name: identities
                .iter()
                .find_map(SourcePrincipal::name)
                .filter(|name| *name != source),
            places,
            ..item(
                source,
                kind,
                identities
                    .iter()
                    .flat_map(SourcePrincipal::row_keys)
                    .collect(),
            )
        });
    }
    for (source, places) in paths {
        items.push(RowCandidate {
            scope: Scope::All,
            places,
            ..item(source, EntryType::UncPath, Vec::new())
        });
    }
    (items, messages)
}

/// Adds rows for the references that have none; existing rows are unchanged.
///
/// # Errors
/// [`InvalidEntry`] when the table cannot be written with the new rows; the table is then unchanged.
pub fn merge(table: &mut MigTable, mut items: Vec<RowCandidate>) -> Result<Merged, InvalidEntry> {
    // References that GPMC inventories come first. Of the rest, SIDs come first, because a row with a SID also matches
    // in GPOs that contain the name.
    items.sort_by_key(|item| {
        let by_sid = item.entry.source.parse::<Sid>().is_ok();
        (
            item.scope == Scope::All,
            !by_sid && item.scope == Scope::All,
        )
    });
    let mut merged = Merged::default();
    let mut new: Vec<Entry> = Vec::new();
    // Existing and new rows, by the key of their source.
    let mut rows: HashMap<String, Entry> = table
        .rows()
        .iter()
        .map(|row| {
            let entry = Entry {
                source: row.source.clone(),
                kind: row.kind,
                destination: row.destination.clone(),
            };
            (source_key(&row.source), entry)
        })
        .collect();
    let mut met: HashMap<String, usize> = HashMap::new();
    // The sources of rows, by their SID as far as the GPOs contain it.
    let mut named: HashMap<String, String> = HashMap::new();
    for item in items {
        let key = source_key(&item.entry.source);
        if let Some((earlier, _)) = met
            .get(&key)
            .and_then(|&number| merged.items.get_mut(number))
        {
            earlier.places.extend(item.places);
            earlier.from_dacl &= item.from_dacl;
            if item.scope == Scope::Gpmc {
                earlier.scope = Scope::Gpmc;
            }
            continue;
        }
        let found = rows.get(&key).or_else(|| {
            // A row with a bare name matches text of that name, which may be another principal.
            item.row_keys
                .iter()
                .filter(|row_key| !row_key.unqualified)
                .filter_map(|row_key| {
                    let row = rows.get(&row_key.text)?;
                    row_key.fits(row.kind).then_some(row)
                })
                .next()
        });
        let placed = match found {
            Some(Entry { source, kind, .. }) => {
                let free = *kind == EntryType::Principal(PrincipalType::Unknown)
                    && NameForm::of(source).domain().is_none();
                if *kind != item.entry.kind && !free {
                    merged.messages.push(
                        StatusMessage::warning(
                            Code::TypeMismatch,
                            format!(
                                "\"{}\" is of type {}, but its row \"{}\" has the type {kind}",
                                printable(&item.entry.source),
                                item.entry.kind,
                                printable(source)
                            ),
                        )
                        .of_gpo(&item.gpo)
                        .with_hint("the row was left unchanged; GPMC may ignore it"),
                    );
                }
                RowOutcome::Present(source.clone())
            }
            None => match table.accepts(&item.entry) {
                Ok(()) => {
                    let mut entry = item.entry.clone();
                    if let Some(other) = named.get(&key) {
                        // Rows for one principal must have one destination.
                        if let Some(row) = rows.get(&source_key(other)) {
                            entry.destination = row.destination.clone();
                        }
                        merged.messages.push(sid_row_added(&item, other));
                    }
                    new.push(entry.clone());
                    rows.insert(key.clone(), entry);
                    RowOutcome::Added
                }
                Err(problem) => {
                    merged.messages.push(
                        StatusMessage::warning(
                            Code::NoRow,
                            format!("GPO \"{}\": {problem}", printable(&item.gpo)),
                        )
                        .of_gpo(&item.gpo)
                        .with_hint("it cannot be mapped; change the GPO by hand"),
                    );
                    RowOutcome::Skipped(problem.to_string())
                }
            },
        };
        if let RowOutcome::Added | RowOutcome::Present(_) = placed {
            for row_key in item
                .row_keys
                .iter()
                .filter(|row_key| row_key.text.starts_with("s-1-"))
            {
                named
                    .entry(row_key.text.clone())
                    .or_insert_with(|| item.entry.source.clone());
            }
        }
        met.insert(key, merged.items.len());
        merged.items.push((item, placed));
    }
    // The new text of the table takes its own memory.
    drop((rows, met, named));
    table.set_all(new)?;
    Ok(merged)
}

/// The finding that a GPO has more references than a mapping takes.
fn too_many_references(gpo: &str) -> StatusMessage {
    StatusMessage::warning(
        Code::NoRow,
        format!(
            "GPO \"{}\" has more than {MAX_DISTINCT} different references; only the first {MAX_DISTINCT} get rows",
            printable(gpo)
        ),
    )
    .of_gpo(gpo)
    .with_hint("it cannot be imported or copied either; remove references from the GPO")
}

/// The finding that a SID has a row next to that with the name, because a GPO contains only the SID.
fn sid_row_added(item: &RowCandidate, named: &str) -> StatusMessage {
    StatusMessage::info(
        Code::SidRow,
        format!(
            "GPO \"{}\" contains only the SID {}, not the name, so it gets a row in addition to \"{}\"",
            printable(&item.gpo),
            item.entry.source,
            printable(named)
        ),
    )
    .of_gpo(&item.gpo)
    .with_hint("give both rows the same destination")
}

/// The source that GPMC writes for an entry of `SecurityGroups`: `sAMAccountName@dns.domain`, the plain name of a
/// well-known principal or of free text, or the SID of an unknown principal.
fn inventoried_source(principal: &Principal) -> Option<String> {
    let source = if principal.sam_account_name.is_empty() {
        principal.sid.as_ref()?.to_string()
    } else if !principal.upn.is_empty() {
        principal.upn.clone()
    } else if !principal.dns_domain.is_empty() {
        format!("{}@{}", principal.sam_account_name, principal.dns_domain)
    } else {
        principal.down_level_name()
    };
    Some(source)
}

/// Principals or UNC paths in the order of the GPO, with their places.
type WithPlaces<T> = Vec<(T, Vec<Place>)>;

/// Calls `each` for every reference of a GPO; warns of the files that cannot be parsed.
fn each_reference(snapshot: &GpoSnapshot, each: &mut dyn FnMut(&Occurrence)) -> Vec<StatusMessage> {
    let mut unread = Vec::new();
    for (path, content) in snapshot.tree.files() {
        let visited = each_occurrence(path, content, &references::visit_file, each);
        unread.extend(visited.err().map(|unread| *unread));
    }
    for object in &snapshot.directory_objects {
        references::software::visit_object(object, &mut |occurrence: &Occurrence| {
            each(occurrence);
            Rewrite::Keep
        });
    }
    unread
}

/// The principals, each with all forms in which the GPO refers to it, and the paths that the inventory does not
/// contain; and whether there are more than [`MAX_DISTINCT`], so that some are left out.
fn not_inventoried(
    snapshot: &GpoSnapshot,
    inventory: &Inventory<'_>,
) -> (WithPlaces<Vec<SourcePrincipal>>, WithPlaces<String>, bool) {
    let mut known: HashSet<String> = snapshot
        .file_paths
        .iter()
        .map(|path| format!("path {}", source_key(path)))
        .collect();
    for entry in &snapshot.principals {
        if !entry.from_dacl {
            known.extend(key_of(&SourcePrincipal::of(&entry.principal)));
        }
    }
    let mut principals: WithPlaces<Vec<SourcePrincipal>> = Vec::new();
    let mut paths: WithPlaces<String> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut seen: HashSet<(usize, SourcePrincipal)> = HashSet::new();
    let mut more = false;
    let mut add = |occurrence: &Occurrence| {
        if is_own_path(&occurrence.target, snapshot) {
            return;
        }
        match (inventory.identify(&occurrence.target), &occurrence.target) {
            (Some(identity), _) => {
                let Some(key) = key_of(&identity)
                    .filter(|key| !identity.is_universal() && !known.contains(key))
                else {
                    return;
                };
                if numbers.len() == MAX_DISTINCT && !numbers.contains_key(&key) {
                    more = true;
                    return;
                }
                let number = *numbers.entry(key).or_insert_with(|| {
                    principals.push((Vec::new(), Vec::with_capacity(1)));
                    principals.len().saturating_sub(1)
                });
                if let Some((identities, places)) = principals.get_mut(number) {
                    if seen.insert((number, identity.clone())) {
                        identities.push(identity);
                    }
                    places.push(occurrence.place.clone());
                }
            }
            (None, ReferenceTarget::Unc { text, unit }) => {
                let source = unc_source(text, unit);
                let key = format!("path {}", source_key(&source));
                if known.contains(&key) {
                    return;
                }
                if numbers.len() == MAX_DISTINCT && !numbers.contains_key(&key) {
                    more = true;
                    return;
                }
                let number = *numbers.entry(key).or_insert_with(|| {
                    // Most have one place.
                    paths.push((source, Vec::with_capacity(1)));
                    paths.len().saturating_sub(1)
                });
                if let Some((_, places)) = paths.get_mut(number) {
                    places.push(occurrence.place.clone());
                }
            }
            (None, _) => {}
        }
    };
    each_reference(snapshot, &mut add);
    (principals, paths, more)
}

/// The key of a principal.
fn key_of(identity: &SourcePrincipal) -> Option<String> {
    match (&identity.sid, identity.name()) {
        (Some(sid), _) => Some(format!("sid {sid}")),
        (None, name) => name.map(|name| format!("name {}", name.to_lowercase())),
    }
}

/// The source that matches every reference to one principal: a name if all of them contain it, otherwise the SID.
fn common_source(identities: &[SourcePrincipal]) -> Option<(String, EntryType)> {
    let first = identities.first()?;
    let principal = &first.principal;
    let (sam, dns) = (&principal.sam_account_name, &principal.dns_domain);
    let mut sources = Vec::new();
    if !sam.is_empty() {
        if !dns.is_empty() {
            sources.push(format!("{sam}@{dns}"));
        }
        sources.push(principal.down_level_name());
    }
    sources.extend(first.sid.as_ref().map(ToString::to_string));
    let kind = identities
        .iter()
        .find_map(SourcePrincipal::kind)
        .unwrap_or(PrincipalType::Unknown);
    sources.into_iter().find_map(|source| {
        let key = source_key(&source);
        // SIDs and bare names are valid only with the type Unknown.
        let kind = match NameForm::of(&source).domain() {
            Some(_) => EntryType::Principal(kind),
            None => EntryType::Principal(PrincipalType::Unknown),
        };
        let finds = |identity: &SourcePrincipal| {
            identity
                .row_keys()
                .iter()
                .any(|row_key| row_key.text == key && row_key.fits(kind))
        };
        identities.iter().all(finds).then_some((source, kind))
    })
}

/// The unit of a path, if it is a parent folder; otherwise the path, which a mapping compares as a whole.
fn unc_source(text: &str, unit: &str) -> String {
    let above = || {
        let unit: UncPath = unit.parse().ok()?;
        UncPath::in_setting(text)?.strip_prefix(&unit)?;
        Some(unit.to_string())
    };
    above().unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests;
