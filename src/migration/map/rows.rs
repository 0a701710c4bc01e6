//! Matches references with rows.

use crate::formats::migtable::source_key;
use crate::message::{Code, StatusMessage, printable};
use crate::migration::inventory::{Inventory, SourcePrincipal};
use crate::migration::references::ReferenceTarget;
use crate::migration::table::{Destination, EntryType, MigrationTable, TableRow};
use crate::model::principal::PrincipalType;
use crate::model::unc_path::UncPath;

use super::UncMatch;
use super::gpo_folder::GpoPath;

/// A distinct reference: all occurrences with the same text share one.
pub(super) struct DistinctReference {
    pub(super) target: ReferenceTarget,
    /// The principal; `None` for a UNC path.
    pub(super) identity: Option<Box<SourcePrincipal>>,
    /// The index of its row.
    pub(super) row: Option<usize>,
    /// For a UNC path with a row: the rest after the part that the row matches.
    pub(super) rest: String,
    /// In exact mode, when no row matched: the index of the row that would have matched by prefix.
    pub(super) prefix_row: Option<usize>,
    /// For a UNC path into the folder of a GPO of the source: that GPO.
    pub(super) gpo_path: Option<GpoPath>,
    /// The indexes of further matching rows, which is an error unless all have the same destination.
    pub(super) duplicate_rows: Vec<usize>,
    /// The error that several rows with different destinations match.
    pub(super) conflict: Option<Box<StatusMessage>>,
    /// Whether it occurs inside the chosen scope.
    pub(super) in_scope: bool,
}

/// A row for a UNC path.
pub(super) struct UncRow {
    pub(super) row: usize,
    /// The rest after the part that the row matches: begins with a backslash, or is empty.
    pub(super) rest: String,
}

/// The key of a distinct reference.
pub(super) fn key_of(target: &ReferenceTarget) -> String {
    match target {
        ReferenceTarget::Sid { sid, .. } => format!("sid {sid}"),
        ReferenceTarget::Name(name) => format!("name {name}"),
        ReferenceTarget::Computer(name) => format!("computer {name}"),
        ReferenceTarget::Label(name) => format!("label {name}"),
        ReferenceTarget::SidAndName { sid, name } => format!("both {sid} {name}"),
        ReferenceTarget::Unc { text, unit } => format!("unc {text}\n{unit}"),
    }
}

/// Finds rows.
pub(super) struct RowMatcher<'a> {
    table: Option<&'a MigrationTable>,
    unc_match: UncMatch,
    /// The maximum number of components in the path of a row.
    max_components: usize,
}

impl<'a> RowMatcher<'a> {
    pub(super) fn new(table: Option<&'a MigrationTable>, unc_match: UncMatch) -> Self {
        let depths = table.into_iter().flat_map(|table| {
            let paths = table
                .rows()
                .iter()
                .filter(|row| row.kind == EntryType::UncPath);
            paths.filter_map(|row| Some(row.source.parse::<UncPath>().ok()?.components().count()))
        });
        Self {
            table,
            unc_match,
            max_components: depths.max().unwrap_or_default(),
        }
    }

    /// The distinct reference of a target, with its row.
    pub(super) fn distinct_reference(
        &self,
        target: &ReferenceTarget,
        inventory: &Inventory<'_>,
    ) -> DistinctReference {
        let identity = inventory.identify(target).map(Box::new);
        let mut reference = DistinctReference {
            target: target.clone(),
            identity,
            row: None,
            rest: String::new(),
            prefix_row: None,
            gpo_path: None,
            duplicate_rows: Vec::new(),
            conflict: None,
            in_scope: false,
        };
        if let ReferenceTarget::Unc { text, unit } = target {
            match self.unc(text, unit) {
                Some(found) => {
                    reference.row = Some(found.row);
                    reference.rest = found.rest;
                }
                None => reference.prefix_row = self.unc_by_prefix(text).map(|found| found.row),
            }
        } else {
            self.principal(&mut reference, inventory);
        }
        reference
    }

    /// Matches a principal. Rows with SIDs and domain names have precedence. A row with a bare name matches text of
    /// that name; it matches a principal only when no other row does and the name is unambiguous in the source.
    fn principal(&self, reference: &mut DistinctReference, inventory: &Inventory<'_>) {
        let (Some(table), Some(identity)) = (self.table, &reference.identity) else {
            return;
        };
        let text = match &reference.target {
            ReferenceTarget::Name(text)
            | ReferenceTarget::Computer(text)
            | ReferenceTarget::Label(text) => Some(text.to_lowercase()),
            _ => None,
        };
        let mut rows: Vec<usize> = Vec::new();
        let mut unqualified: Vec<usize> = Vec::new();
        for row_key in identity.row_keys() {
            let Some(number) = table.number_of(&row_key.text).filter(|&number| {
                table.row(number).is_some_and(|row| {
                    row_key.fits(row.kind) && may_name(row.kind, &reference.target)
                })
            }) else {
                continue;
            };
            if !row_key.unqualified {
                rows.push(number);
            } else if text.as_ref() == Some(&row_key.text) {
                reference.row = Some(number);
                return;
            } else if inventory.is_name_of(&row_key.text, identity) {
                unqualified.push(number);
            }
        }
        if rows.is_empty() {
            rows = unqualified;
        }
        rows.sort_unstable();
        rows.dedup();
        if !have_one_destination(table, &rows) {
            let lines: Vec<String> = rows
                .iter()
                .filter_map(|number| table.row(*number))
                .map(|row| format!("{} (\"{}\")", row.line, printable(&row.source)))
                .collect();
            reference.conflict = Some(Box::new(
                StatusMessage::error(
                    Code::AmbiguousRows,
                    format!(
                        "{} is matched by the rows in lines {}",
                        identity.describe(),
                        lines.join(" and ")
                    ),
                )
                .with_hint("keep only one of these rows"),
            ));
        }
        reference.row = rows.first().copied();
        reference.duplicate_rows = rows.into_iter().skip(1).collect();
    }

    /// The row for a UNC path that is written as `text` and that GPMC compares as `unit`.
    pub(super) fn unc(&self, text: &str, unit: &str) -> Option<UncRow> {
        match self.unc_match {
            UncMatch::Prefix => self.unc_by_prefix(text),
            UncMatch::Exact => {
                let path = UncPath::in_setting(text);
                let key = path
                    .as_ref()
                    .map_or_else(|| source_key(text), UncPath::folded);
                if let Some(row) = self.unc_row(&key) {
                    // A trailing backslash is ignored for matching and kept.
                    let rest = if text.ends_with('\\') { "\\" } else { "" };
                    return Some(UncRow {
                        row,
                        rest: rest.to_owned(),
                    });
                }
                let row = self.unc_row(&source_key(unit))?;
                // A unit that is not a parent folder of the text cannot be replaced in it.
                let rest = path?.strip_prefix(&unit.parse().ok()?)?.to_owned();
                Some(UncRow { row, rest })
            }
        }
    }

    /// The longest row that is the path or a parent folder of it.
    fn unc_by_prefix(&self, text: &str) -> Option<UncRow> {
        self.table?;
        let path = UncPath::in_setting(text)?;
        // No row has more components. Limit the search, because a path may have any number of components.
        let components: Vec<&str> = path.components().take(self.max_components).collect();
        (2..=components.len()).rev().find_map(|count| {
            let above = format!("\\\\{}", components.get(..count)?.join("\\"));
            let row = self.unc_row(&source_key(&above))?;
            let rest = path.strip_prefix(&above.parse().ok()?)?.to_owned();
            Some(UncRow { row, rest })
        })
    }

    fn unc_row(&self, key: &str) -> Option<usize> {
        let table = self.table?;
        let number = table.number_of(key)?;
        (table.row(number)?.kind == EntryType::UncPath).then_some(number)
    }

    /// The path with the matched part replaced; `None` when the row keeps it.
    pub(super) fn new_path(&self, found: &UncRow) -> Option<String> {
        new_path(self.table?.row(found.row)?, &found.rest)
    }
}

/// Whether rows have the same destination, so that it does not matter which of them is used.
fn have_one_destination(table: &MigrationTable, rows: &[usize]) -> bool {
    let mut destinations = rows
        .iter()
        .filter_map(|number| table.row(*number))
        .map(|row| &row.destination);
    let Some(first) = destinations.next() else {
        return true;
    };
    destinations.all(|other| match (first, other) {
        (Destination::Set(one), Destination::Set(two)) => one.eq_ignore_ascii_case(two),
        _ => first == other,
    })
}

/// Whether a row of this type may match such a target.
fn may_name(kind: EntryType, target: &ReferenceTarget) -> bool {
    let EntryType::Principal(kind) = kind else {
        return false;
    };
    match target {
        ReferenceTarget::Computer(_) => {
            matches!(kind, PrincipalType::Computer | PrincipalType::Unknown)
        }
        ReferenceTarget::Label(_) => kind == PrincipalType::Unknown,
        _ => true,
    }
}

/// The destination of a row followed by the rest of the path; `None` when the row keeps the path.
pub(super) fn new_path(row: &TableRow, rest: &str) -> Option<String> {
    let Destination::Set(text) = &row.destination else {
        return None;
    };
    let folder = if rest.is_empty() {
        text
    } else {
        text.strip_suffix('\\').unwrap_or(text)
    };
    Some(format!("{folder}{rest}"))
}
