//! Mapping: a snapshot, a table and the target's directory in, the snapshot for the target and a report out.
//!
//! Nothing is written before everything is known: the references are found and matched with rows, all names are looked up
//! in one call, and only when no row and no reference is in the way are the files rewritten.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::error::{Error, ErrorKind, Result};
use crate::message::{Severity, StatusMessage};
use crate::model::guid::Guid;
use crate::model::principal::Principal;
use crate::model::reference::{Place, ReferenceKind, Scope};
use crate::model::safe_name::RelPath;
use crate::model::sid::Sid;
use crate::model::snapshot::{GpoSnapshot, InventoryPrincipal};

use super::agreement::Agreement;
use super::identity::Inventory;
use super::places::{self, Found, FoundTarget, Rewrite};
use super::report::{MappedReference, MappingReport, Outcome};
use super::resolve::PrincipalDirectory;
use super::scan::{VisitFile, reference, visit_keeping};
use super::table::MigrationTable;

#[cfg(test)]
mod cases;
mod findings;
mod gpo_folder;
mod matching;
mod resolving;
mod review;
#[cfg(test)]
mod tests;

pub(super) use gpo_folder::is_own_path;
pub use review::review;

use gpo_folder::GpoPath;
use matching::{Matcher, Subject, key_of};
use resolving::{Decision, Destinations};

/// How a row of a UNC path is compared with a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UncMatch {
    /// The row is GPMC's unit of the reference, or the whole path.
    #[default]
    Exact,
    /// The row is the reference or a folder above it; the longest row counts.
    Prefix,
}

/// What is mapped, and how strictly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapOptions {
    /// Every reference needs a row (GPM_MIGRATIONTABLE_ONLY).
    pub exclusive: bool,
    /// [`Scope::All`]: every place; [`Scope::Gpmc`]: only the places GPMC maps.
    pub scope: Scope,
    /// How UNC paths are compared.
    pub unc_match: UncMatch,
    /// Whether the principals of the GPO's DACL are references too (GPM_PROCESS_SECURITY of a copy). The descriptor itself
    /// is not rewritten here; [`Mapped::identities`] says what its SIDs become.
    pub dacl: bool,
    /// The GPO that gets the settings. With it, a UNC path into the folder that the snapshot's own GPO has in SYSVOL becomes one into
    /// the folder of this GPO, unless a row names it.
    pub target_gpo: Option<Guid>,
}

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

/// A snapshot for the target.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// The snapshot with its files rewritten, and `principals` and `file_paths` as they are now.
    pub snapshot: GpoSnapshot,
    /// What was done.
    pub report: MappingReport,
    /// What became of each SID that a row named: [`Outcome::Kept`], [`Outcome::Replaced`] or [`Outcome::Removed`].
    pub identities: BTreeMap<Sid, Outcome>,
}

/// Maps every reference in the files of a snapshot.
///
/// # Errors
/// - [`ErrorKind::BadInput`]: rows that cannot be used in any domain, several rows for one reference, a file that cannot
///   be rewritten, or with a table one that cannot be read and holds what looks like references; each is a detail.
/// - [`ErrorKind::Unmapped`]: destinations that do not exist in the target, and with `exclusive` references without a row and files
///   whose references cannot be read; each is a detail with the line of the row or the place of the reference.
/// - What [`PrincipalDirectory::lookup`] gives.
pub async fn map(
    snapshot: &GpoSnapshot,
    table: Option<&MigrationTable>,
    target: &dyn PrincipalDirectory,
    options: &MapOptions,
) -> Result<Mapped> {
    map_with(snapshot, table, target, options, &places::visit_file).await
}

/// A reference and the number of what it names among the subjects.
struct Met {
    found: Found,
    subject: usize,
    /// The number of its file among the readable ones; `None` for a reference outside the files.
    file: Option<usize>,
}

/// What finding and matching gave, before the directory is asked.
struct Survey<'a> {
    inventory: Inventory<'a>,
    subjects: Vec<Subject>,
    /// The numbers of the subjects by [`key_of`].
    numbers: HashMap<String, usize>,
    met: Vec<Met>,
    /// The readable files, with what the visitor noticed while nothing was changed.
    files: Vec<(&'a RelPath, Vec<StatusMessage>)>,
    /// The files that cannot be read, a warning for each; they are among `messages` too.
    unread: Vec<StatusMessage>,
    /// What the visitors could not read or take for a reference in the readable files; it is among their messages too.
    unread_places: Vec<StatusMessage>,
    /// The references that several rows name, an error for each.
    conflicts: Vec<StatusMessage>,
    messages: Vec<StatusMessage>,
}

/// The `file` of the place of a principal in the GPO's permissions.
pub(crate) const PERMISSIONS: &str = "security descriptor";

/// The messages of visitors about places that may hold a reference which is not known.
const UNREAD_PLACES: &[&str] = &["unread-path", "unread-text"];

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
    let matcher = Matcher::new(table, options.unc_match);
    let mut survey = survey(snapshot, &matcher, options, visit);
    fail_on_errors(
        &survey.conflicts,
        "the migration table names a reference more than once",
    )?;
    if table.is_some() {
        fail_on_unread(&survey, snapshot)?;
    }
    for subject in &mut survey.subjects {
        subject.gpo_path = GpoPath::of(&subject.target, snapshot, options, target);
    }
    messages.extend(survey.messages.iter().cloned());

    let destinations = Destinations::resolve(table, &survey.subjects, target).await?;
    let decisions: Vec<Decision> = survey
        .subjects
        .iter()
        .map(|subject| destinations.decide(table, subject))
        .collect();
    findings::fail_on_unmapped(&survey, &destinations, &decisions, target, options)?;
    messages.extend(destinations.warnings(table));
    if let Some(table) = table {
        messages.extend(destinations.relative_warnings(table, &survey.subjects, &decisions));
    }
    messages.extend(findings::findings(
        &survey,
        table,
        &destinations,
        &decisions,
        target,
        options,
    ));

    let mut mapped = snapshot.clone();
    let rewritten = rewrite(&survey, &decisions, snapshot, &mut mapped, options, visit)?;
    messages.extend(rewritten);
    let identities = identities(&survey, &decisions);
    update_inventory(
        &mut mapped,
        &survey,
        &matcher,
        &destinations,
        &decisions,
        options,
    );

    let mut report = MappingReport {
        messages,
        ..MappingReport::default()
    };
    for met in survey.met {
        let (Some(subject), Some(decision)) =
            (survey.subjects.get(met.subject), decisions.get(met.subject))
        else {
            continue;
        };
        let in_scope = in_scope(&met.found, options);
        let row = subject.row.and_then(|number| table?.row(number));
        report.add(MappedReference {
            reference: reference(met.found, subject.identity.as_ref()),
            row_line: row
                .filter(|_| in_scope)
                .and_then(|row| u64::try_from(row.line).ok()),
            outcome: if in_scope {
                decision.outcome.clone()
            } else {
                Outcome::OutOfScope
            },
        });
    }
    Ok(Mapped {
        snapshot: mapped,
        report,
        identities,
    })
}

/// Whether the chosen scope covers the place of a reference.
fn in_scope(found: &Found, options: &MapOptions) -> bool {
    options.scope == Scope::All || found.scope == Scope::Gpmc
}

/// Fails with every message of severity error as a detail.
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

/// Fails when a file that cannot be read holds references by the look of its bytes: the table would pass them over.
fn fail_on_unread(survey: &Survey<'_>, snapshot: &GpoSnapshot) -> Result<()> {
    let holding: Vec<StatusMessage> = survey
        .unread
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
        "a file that cannot be read holds what looks like references",
    )
    .map_err(|error| error.with_hint("repair the file, or import without a migration table"))
}

/// Whether a SID of a domain or the beginning of a UNC path is among the bytes, as UTF-8 or UTF-16LE.
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

/// Finds every reference and the row for it.
fn survey<'a>(
    snapshot: &'a GpoSnapshot,
    matcher: &Matcher<'_>,
    options: &MapOptions,
    visit: &VisitFile<'_>,
) -> Survey<'a> {
    let mut survey = Survey {
        inventory: Inventory::new(snapshot),
        subjects: Vec::new(),
        numbers: HashMap::new(),
        met: Vec::new(),
        files: Vec::new(),
        unread: Vec::new(),
        unread_places: Vec::new(),
        conflicts: Vec::new(),
        messages: Vec::new(),
    };
    let mut agreement = Agreement::default();
    let mut files = Vec::new();
    for (path, content) in snapshot.tree.files() {
        let (found, noticed) = visit_keeping(path, content, visit);
        for found in &found {
            survey.inventory.learn(&found.target);
        }
        files.push((path, found, noticed));
    }
    for (path, found, noticed) in files {
        match noticed {
            Ok(noticed) => {
                let unread = |message: &&StatusMessage| UNREAD_PLACES.contains(&&*message.code);
                survey
                    .unread_places
                    .extend(noticed.iter().filter(unread).cloned());
                survey.files.push((path, noticed));
            }
            Err(unread) => {
                survey.unread.push(unread.clone());
                survey.messages.push(unread);
            }
        }
        let file = survey.files.len().checked_sub(1);
        for found in found {
            let disagreement = agreement.check(&found, &survey.inventory);
            survey.messages.extend(disagreement);
            survey.meet(found, file, matcher, options);
        }
    }
    for object in &snapshot.directory_objects {
        let visited = places::software::visit_object(object, &mut |found| {
            survey.meet(found.clone(), None, matcher, options);
            Rewrite::Keep
        });
        let unread = |message: &StatusMessage| UNREAD_PLACES.contains(&&*message.code);
        survey
            .unread_places
            .extend(visited.messages.into_iter().filter(unread));
    }
    if options.dacl {
        for (number, entry) in snapshot.principals.iter().enumerate() {
            let identity = survey.inventory.known(number);
            if entry.from_dacl {
                let target = match identity.sid {
                    Some(sid) => FoundTarget::Sid {
                        text: sid.to_string(),
                        sid,
                    },
                    None => FoundTarget::Name(entry.principal.down_level_name()),
                };
                let found = Found {
                    target,
                    place: Place::file(PERMISSIONS),
                    scope: Scope::Gpmc,
                };
                survey.meet(found, None, matcher, options);
            }
        }
    }
    survey
}

impl Survey<'_> {
    /// Whether the target is the domain the snapshot comes from.
    fn is_same_domain(&self, target: &dyn PrincipalDirectory) -> bool {
        self.inventory.dns_domain == target.dns_domain().to_lowercase()
    }

    fn meet(
        &mut self,
        found: Found,
        file: Option<usize>,
        matcher: &Matcher<'_>,
        options: &MapOptions,
    ) {
        let key = key_of(&found.target);
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                let number = self.subjects.len();
                self.subjects
                    .push(matcher.subject(&found.target, &self.inventory));
                self.numbers.insert(key, number);
                number
            }
        };
        if in_scope(&found, options)
            && let Some(subject) = self.subjects.get_mut(number)
        {
            if !subject.in_scope
                && let Some(conflict) = &subject.conflict
            {
                self.conflicts
                    .push(conflict.clone().at(found.place.clone()));
            }
            subject.in_scope = true;
        }
        self.met.push(Met {
            found,
            subject: number,
            file,
        });
    }
}

/// Rewrites the files in which anything changes and gives what the visitors noticed in all of them.
fn rewrite(
    survey: &Survey<'_>,
    decisions: &[Decision],
    snapshot: &GpoSnapshot,
    mapped: &mut GpoSnapshot,
    options: &MapOptions,
    visit: &VisitFile<'_>,
) -> Result<Vec<StatusMessage>> {
    let decide = |found: &Found| {
        survey
            .numbers
            .get(&key_of(&found.target))
            .and_then(|number| decisions.get(*number))
            .filter(|_| in_scope(found, options))
            .map_or(Rewrite::Keep, |decision| decision.rewrite.clone())
    };
    let changed: HashSet<usize> = survey
        .met
        .iter()
        .filter(|met| decide(&met.found) != Rewrite::Keep)
        .filter_map(|met| met.file)
        .collect();
    let mut messages = Vec::new();
    for (number, (path, noticed)) in survey.files.iter().enumerate() {
        let name = path.to_string();
        let Some(content) = snapshot
            .tree
            .file(&name)
            .filter(|_| changed.contains(&number))
        else {
            messages.extend(noticed.iter().cloned());
            continue;
        };
        match visit(path, content, &mut |found: &Found| decide(found)) {
            Ok(visited) => {
                messages.extend(visited.messages);
                if let Some(bytes) = visited.bytes {
                    mapped.tree.insert_file(path, bytes);
                }
            }
            Err(problem) => messages.push(
                StatusMessage::error("unwritten-file", format!("cannot be rewritten: {problem}"))
                    .at(Place::file(name)),
            ),
        }
    }
    for object in &mut mapped.directory_objects {
        let visited = places::software::visit_object(object, &mut |found| decide(found));
        messages.extend(visited.messages);
        if let Some(new) = visited.object {
            *object = new;
        }
    }
    fail_on_errors(&messages, "a file cannot be mapped")?;
    Ok(messages)
}

/// What became of each SID that a row named.
fn identities(survey: &Survey<'_>, decisions: &[Decision]) -> BTreeMap<Sid, Outcome> {
    survey
        .subjects
        .iter()
        .zip(decisions)
        .filter(|(subject, _)| subject.in_scope && subject.row.is_some())
        .filter_map(|(subject, decision)| {
            let sid = subject.identity.as_ref()?.sid.clone()?;
            Some((sid, decision.outcome.clone()))
        })
        .collect()
}

/// Brings `principals` and `file_paths` up to what the files say now.
fn update_inventory(
    mapped: &mut GpoSnapshot,
    survey: &Survey<'_>,
    matcher: &Matcher<'_>,
    destinations: &Destinations,
    decisions: &[Decision],
    options: &MapOptions,
) {
    let mut used_rows: HashSet<usize> = HashSet::new();
    let mut followed: HashMap<String, String> = HashMap::new();
    let mut by_identity: HashMap<String, &Decision> = HashMap::new();
    for (subject, decision) in survey.subjects.iter().zip(decisions) {
        if subject.in_scope {
            used_rows.extend(subject.row);
            if let (None, FoundTarget::Unc { text, .. }, Rewrite::Unc(to)) =
                (subject.row, &subject.target, &decision.rewrite)
            {
                followed.insert(text.to_lowercase(), to.clone());
            }
            if let Some(identity) = &subject.identity {
                // A bare name may have a row of its own, which says nothing of the principal.
                if matches!(subject.target, FoundTarget::Name(_)) {
                    by_identity.entry(identity.shown()).or_insert(decision);
                } else {
                    by_identity.insert(identity.shown(), decision);
                }
            }
        }
    }
    let mut seen: HashSet<(String, bool)> = HashSet::new();
    mapped.principals = mapped
        .principals
        .iter()
        .enumerate()
        .filter_map(|(number, entry)| {
            let decision = by_identity
                .get(&survey.inventory.known(number).shown())
                .filter(|_| !entry.from_dacl || options.dacl);
            let principal = match decision.map(|decision| &decision.rewrite) {
                None | Some(Rewrite::Keep | Rewrite::Unc(_)) => entry.principal.clone(),
                Some(Rewrite::Remove) => return None,
                Some(Rewrite::Principal { sid, name }) => decision
                    .and_then(|decision| destinations.principal(decision))
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

/// Whether a reference of this kind is a principal, for counting in sentences.
fn kind_of(target: &FoundTarget) -> ReferenceKind {
    match target {
        FoundTarget::Unc { .. } => ReferenceKind::Unc,
        _ => ReferenceKind::Principal,
    }
}
