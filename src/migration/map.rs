//! Mapping: every reference of a snapshot through the migration table, into the names and SIDs of a target domain.
//!
//! Nothing is changed before everything is known: first every reference is found, then every row and every destination is
//! checked, in one look-up, and only then are the files rewritten.

mod decide;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

use self::decide::{Decider, Decision};
use super::identity::Inventory;
use super::places::{self, Found, FoundTarget, Rewrite};
use super::report::{MappedReference, MappingReport, Outcome};
use super::resolve::PrincipalDirectory;
use super::scan::{VisitFile, reference, visit_keeping};
use super::table::{MigrationTable, TableRow};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Severity, StatusMessage};
use crate::model::principal::Principal;
use crate::model::reference::Scope;
use crate::model::safe_name::RelPath;
use crate::model::snapshot::GpoSnapshot;

/// How a UNC path is compared with the sources of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UncMatch {
    /// The unit that GPMC compares, whole.
    #[default]
    Exact,
    /// The longest prefix of whole components.
    Prefix,
}

/// How to map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapOptions {
    /// A reference without a row is an error (GPM_MIGRATIONTABLE_ONLY).
    pub exclusive: bool,
    /// In which places references are mapped.
    pub scope: Scope,
    /// How UNC paths are compared.
    pub unc_match: UncMatch,
}

impl Default for MapOptions {
    /// Every place, whole UNC paths, a reference without a row stays.
    fn default() -> Self {
        Self {
            exclusive: false,
            scope: Scope::All,
            unc_match: UncMatch::Exact,
        }
    }
}

/// A snapshot with its references mapped, and what became of each.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// The snapshot as it is to be written.
    pub snapshot: GpoSnapshot,
    /// What became of each reference.
    pub report: MappingReport,
}

/// Maps a snapshot. The same input gives the same bytes.
///
/// # Errors
/// `BadInput` when the table cannot be used, when two rows name one principal, or when a mapping makes a file
/// contradict itself; `Unmapped` when a destination does not exist in the target domain, or, with
/// [`MapOptions::exclusive`], when a reference has no row. The details of the error list every case.
pub async fn map(
    snapshot: &GpoSnapshot,
    table: Option<&MigrationTable>,
    target: &dyn PrincipalDirectory,
    options: &MapOptions,
) -> Result<Mapped> {
    map_with(snapshot, table, target, options, &places::visit_file).await
}

async fn map_with(
    snapshot: &GpoSnapshot,
    table: Option<&MigrationTable>,
    target: &dyn PrincipalDirectory,
    options: &MapOptions,
    visit: &VisitFile<'_>,
) -> Result<Mapped> {
    let mut report = MappingReport::default();
    if let Some(table) = table {
        let (errors, others): (Vec<_>, Vec<_>) = table
            .validate()
            .into_iter()
            .partition(|message| message.severity == Severity::Error);
        if !errors.is_empty() {
            return Err(
                Error::new(ErrorKind::BadInput, "the migration table cannot be used")
                    .with_details(errors)
                    .with_hint("nothing was changed; correct the rows"),
            );
        }
        report.messages.extend(others);
    }
    let mut found = Vec::new();
    for (path, content) in snapshot.tree.files() {
        let (list, messages) = visit_keeping(path, content, visit);
        report
            .messages
            .extend(messages.unwrap_or_else(|unread| vec![unread]));
        found.extend(list);
    }
    for object in &snapshot.directory_objects {
        places::software::visit_object(object, &mut |reference| {
            found.push(reference.clone());
            Rewrite::Keep
        });
    }

    let inventory = Inventory::new(snapshot);
    let mut decider = Decider::new(table, options, &inventory);
    for reference in &found {
        decider.meet(reference);
    }
    let decisions = decider.decide(target, &mut report.messages).await?;
    let mapped = rewrite(
        snapshot,
        &decisions,
        &inventory,
        options,
        visit,
        &mut report,
    )?;
    unused_rows(table, &decisions, &mut report.messages);
    Ok(Mapped {
        snapshot: mapped,
        report,
    })
}

/// The decisions, by what [`key_of`] makes of a reference.
type Decisions = HashMap<String, Decision>;

/// What references with the same decision have in common.
fn key_of(target: &FoundTarget) -> String {
    match target {
        FoundTarget::Sid { sid, .. } => format!("sid {sid}"),
        FoundTarget::Name(name) => format!("name {}", name.to_lowercase()),
        FoundTarget::SidAndName { sid, name } => format!("sid {sid} {}", name.to_lowercase()),
        FoundTarget::Unc { text, unit } => format!("unc {text} {unit}"),
    }
}

/// Visits every file again, rewriting; what changed replaces what was there.
fn rewrite(
    snapshot: &GpoSnapshot,
    decisions: &Decisions,
    inventory: &Inventory<'_>,
    options: &MapOptions,
    visit: &VisitFile<'_>,
    report: &mut MappingReport,
) -> Result<GpoSnapshot> {
    let mut new = snapshot.clone();
    let mut changed: Vec<(RelPath, Bytes)> = Vec::new();
    let mut contradictions = Vec::new();
    for (path, content) in snapshot.tree.files() {
        let mut visitor = |found: &Found| answer(found, decisions, inventory, options, report);
        // A file that does not parse was reported by the first visit; it is carried as it is.
        let Ok(visited) = visit(path, content, &mut visitor) else {
            continue;
        };
        for message in visited.messages {
            if message.severity == Severity::Error {
                contradictions.push(message);
            } else if !report.messages.contains(&message) {
                report.messages.push(message);
            }
        }
        if let Some(bytes) = visited.bytes {
            changed.push((path.clone(), bytes));
        }
    }
    for object in &mut new.directory_objects {
        let mut visitor = |found: &Found| answer(found, decisions, inventory, options, report);
        if let Some(rewritten) = places::software::visit_object(object, &mut visitor) {
            *object = rewritten;
        }
    }
    if !contradictions.is_empty() {
        return Err(Error::new(
            ErrorKind::BadInput,
            "the migration table makes a setting contradict itself",
        )
        .with_details(contradictions)
        .with_hint("nothing was changed; give the rows different destinations"));
    }
    for (path, bytes) in changed {
        new.tree.insert_file(&path, bytes);
    }
    for entry in &mut new.principals {
        let key = match &entry.principal.sid {
            Some(sid) => format!("sid {sid}"),
            None => format!("name {}", entry.principal.sam_account_name.to_lowercase()),
        };
        if let Some(Decision {
            principal: Some(principal),
            ..
        }) = decisions.get(&key)
        {
            entry.principal = Principal::clone(principal);
        }
    }
    Ok(new)
}

/// What becomes of one reference, and the report of it.
fn answer(
    found: &Found,
    decisions: &Decisions,
    inventory: &Inventory<'_>,
    options: &MapOptions,
    report: &mut MappingReport,
) -> Rewrite {
    let identity = inventory.identify(&found.target);
    let decision = decisions.get(&key_of(&found.target));
    let (rewrite, row_line, outcome) = match decision {
        _ if out_of_scope(found, options) => (Rewrite::Keep, None, Outcome::OutOfScope),
        None => (Rewrite::Keep, None, Outcome::Kept),
        Some(decision) => {
            let outcome = match &decision.rewrite {
                Rewrite::Keep => Outcome::Kept,
                Rewrite::Remove => Outcome::Removed,
                Rewrite::Unc(text) => Outcome::Replaced {
                    by: text.clone(),
                    sid: None,
                },
                Rewrite::Principal { sid, name } => Outcome::Replaced {
                    by: name.clone(),
                    sid: sid.clone(),
                },
            };
            let line = decision.row.as_ref().map(|row| row.line);
            (
                decision.rewrite.clone(),
                line.and_then(|line| u64::try_from(line).ok()),
                outcome,
            )
        }
    };
    report.add(MappedReference {
        reference: reference(found.clone(), identity.as_ref()),
        row_line,
        outcome,
    });
    rewrite
}

fn out_of_scope(found: &Found, options: &MapOptions) -> bool {
    options.scope == Scope::Gpmc && found.scope == Scope::All
}

fn unused_rows(
    table: Option<&MigrationTable>,
    decisions: &Decisions,
    messages: &mut Vec<StatusMessage>,
) {
    let Some(table) = table else { return };
    let used: BTreeSet<usize> = decisions
        .values()
        .filter_map(|decision| decision.row.as_ref().map(|row: &TableRow| row.line))
        .collect();
    for row in table.rows() {
        if !used.contains(&row.line) {
            messages.push(
                StatusMessage::warning(
                    "unused-row",
                    format!(
                        "source \"{}\" matched no reference",
                        row.source.escape_debug()
                    ),
                )
                .at(table.place(row))
                .with_hint("check its spelling if it was meant to match"),
            );
        }
    }
}
