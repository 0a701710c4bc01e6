//! Matches references with rows.

use crate::formats::migtable::source_key;
use crate::message::{Code, StatusMessage, printable};
use crate::migration::inventory::Inventory;
use crate::migration::references::ReferenceTarget;
use crate::migration::table::{Destination, EntryType, MigrationTable, TableRow};
use crate::model::principal::PrincipalType;
use crate::model::unc_path::UncPath;

use super::UncMatch;
use super::index::DistinctReference;

/// A distinct reference with its row.
pub(super) struct MatchedReference<'t> {
    pub(super) reference: DistinctReference,
    pub(super) row: Option<&'t TableRow>,
    /// For a UNC path with a row: the rest after the part that the row matches.
    pub(super) rest: String,
    /// In exact mode, when no row matched: the row that would have matched by prefix.
    pub(super) prefix_row: Option<&'t TableRow>,
    /// Further matching rows, which is an error unless all have the same destination.
    pub(super) duplicate_rows: Vec<&'t TableRow>,
    /// The error that several rows with different destinations match a reference inside the chosen scope.
    pub(super) conflict: Option<Box<StatusMessage>>,
}

impl MatchedReference<'_> {
    /// Whether it has no row and is not the same in every domain.
    pub(super) fn needs_row(&self) -> bool {
        let identity = self.reference.identity.as_ref();
        self.row.is_none() && identity.is_none_or(|identity| !identity.is_universal())
    }
}

/// A row for a UNC path.
pub(super) struct UncRow<'t> {
    pub(super) row: &'t TableRow,
    /// The rest after the part that the row matches: begins with a backslash, or is empty.
    pub(super) rest: String,
}

/// Finds rows.
pub(super) struct RowMatcher<'t> {
    table: Option<&'t MigrationTable>,
    unc_match: UncMatch,
    /// The maximum number of components in the path of a row.
    max_components: usize,
}

impl<'t> RowMatcher<'t> {
    pub(super) fn new(table: Option<&'t MigrationTable>, unc_match: UncMatch) -> Self {
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

    /// The reference with its row.
    pub(super) fn matched(
        &self,
        reference: DistinctReference,
        inventory: &Inventory<'_>,
    ) -> MatchedReference<'t> {
        let mut matched = MatchedReference {
            reference,
            row: None,
            rest: String::new(),
            prefix_row: None,
            duplicate_rows: Vec::new(),
            conflict: None,
        };
        if let ReferenceTarget::Unc { text, unit } = &matched.reference.target {
            match self.unc(text, unit) {
                Some(found) => {
                    matched.row = Some(found.row);
                    matched.rest = found.rest;
                }
                None => matched.prefix_row = self.unc_by_prefix(text).map(|found| found.row),
            }
        } else {
            self.principal(&mut matched, inventory);
        }
        matched
    }

    /// Matches a principal. Rows with SIDs and domain names have precedence. A row with a bare name matches text of
    /// that name; it matches a principal only when no other row does and the name is unambiguous in the source.
    fn principal(&self, matched: &mut MatchedReference<'t>, inventory: &Inventory<'_>) {
        let (Some(table), Some(identity)) = (self.table, &matched.reference.identity) else {
            return;
        };
        let target = &matched.reference.target;
        let text = match target {
            ReferenceTarget::Name(text)
            | ReferenceTarget::Computer(text)
            | ReferenceTarget::Label(text) => Some(text.to_lowercase()),
            _ => None,
        };
        let mut rows: Vec<&'t TableRow> = Vec::new();
        let mut unqualified: Vec<&'t TableRow> = Vec::new();
        for row_key in identity.row_keys() {
            let Some(row) = table
                .find(&row_key.text)
                .filter(|row| row_key.fits(row.kind) && may_name(row.kind, target))
            else {
                continue;
            };
            if !row_key.unqualified {
                rows.push(row);
            } else if text.as_ref() == Some(&row_key.text) {
                matched.row = Some(row);
                return;
            } else if inventory.is_name_of(&row_key.text, identity) {
                unqualified.push(row);
            }
        }
        if rows.is_empty() {
            rows = unqualified;
        }
        rows.sort_unstable_by_key(|row| row.number);
        rows.dedup_by_key(|row| row.number);
        if matched.reference.in_scope && !have_one_destination(&rows) {
            let lines: Vec<String> = rows
                .iter()
                .map(|row| format!("{} (\"{}\")", row.line, printable(&row.source)))
                .collect();
            matched.conflict = Some(Box::new(
                StatusMessage::error(
                    Code::AmbiguousRows,
                    format!(
                        "{} is matched by the rows in lines {}",
                        identity.describe(),
                        lines.join(" and ")
                    ),
                )
                .at(matched.reference.place.clone())
                .with_hint("give these rows the same destination, or remove all but one"),
            ));
        }
        matched.row = rows.first().copied();
        matched.duplicate_rows = rows.into_iter().skip(1).collect();
    }

    /// The row for a UNC path that is written as `text` and that GPMC compares as `unit`.
    pub(super) fn unc(&self, text: &str, unit: &str) -> Option<UncRow<'t>> {
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
    fn unc_by_prefix(&self, text: &str) -> Option<UncRow<'t>> {
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

    fn unc_row(&self, key: &str) -> Option<&'t TableRow> {
        let row = self.table?.find(key)?;
        (row.kind == EntryType::UncPath).then_some(row)
    }
}

/// Whether rows have the same destination, so that it does not matter which of them is used.
fn have_one_destination(rows: &[&TableRow]) -> bool {
    let mut destinations = rows.iter().map(|row| &row.destination);
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
