//! Checks a migration table: the file, its rows, the GPOs it is for, and the target domain.

use std::collections::HashMap;

use crate::error::Result;
use crate::formats::migtable::{Encoding, MigTable};
use crate::message::{Code, Severity, StatusMessage};
use crate::model::reference::Place;
use crate::model::snapshot::GpoSnapshot;

use super::map::{MapOptions, review};
use super::table::{MigrationTable, TableRow, place};
use crate::domain::principals::PrincipalDirectory;

/// A finding about a table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct TableFinding {
    /// The number of the row among the `Mapping` elements, from 1; `None` if it is not about one row.
    pub row: Option<usize>,
    /// The line of the table, from 1; `None` for a finding in a GPO.
    pub line: Option<usize>,
    /// The column in characters, from 1, for problems of the file.
    pub column: Option<usize>,
    /// Severity, code, text, hint and place.
    #[serde(flatten)]
    pub message: StatusMessage,
}

/// The result of a check.
#[derive(Debug)]
#[non_exhaustive]
pub struct CheckedTable {
    /// The rows that can be parsed; `None` when the file is not a table.
    pub table: Option<MigrationTable>,
    /// The findings by line, those without a line last.
    pub findings: Vec<TableFinding>,
}

/// Checks the bytes of a table; `name` is its name in messages. A problem of one row does not hide those of others.
///
/// # Errors
/// The errors of [`PrincipalDirectory::lookup`]. Problems of the table are findings.
pub async fn validate(
    name: &str,
    bytes: &[u8],
    snapshots: &[GpoSnapshot],
    target: Option<&dyn PrincipalDirectory>,
    options: &MapOptions,
) -> Result<CheckedTable> {
    let (file, problems) = MigTable::check(bytes);
    let mut findings: Vec<TableFinding> = problems
        .into_iter()
        .map(|problem| {
            let mut message =
                StatusMessage::error(problem.code, problem.message).at(place(name, problem.line));
            message.hint = problem.hint;
            TableFinding {
                row: problem.row,
                line: Some(problem.line),
                column: Some(problem.column),
                message,
            }
        })
        .collect();
    let Some(file) = file else {
        return Ok(CheckedTable {
            table: None,
            findings,
        });
    };
    findings.extend(encoding(name, &file));
    let table = MigrationTable::new(name, &file);
    let messages = review(&table, snapshots, target, options).await?;
    findings.extend(attach_to_rows(&table, messages));
    findings.sort_by_key(|finding| {
        (
            finding.line.unwrap_or(usize::MAX),
            finding.column,
            std::cmp::Reverse(finding.message.severity),
        )
    });
    Ok(CheckedTable {
        table: Some(table),
        findings,
    })
}

/// Attaches each message to the row at its place; messages in GPOs have no row.
pub fn attach_to_rows(table: &MigrationTable, messages: Vec<StatusMessage>) -> Vec<TableFinding> {
    // Rows by line. Several rows on one line cannot be distinguished by their place.
    let mut rows: HashMap<Place, (&TableRow, bool)> = HashMap::new();
    for row in table.rows() {
        rows.entry(table.place(row))
            .and_modify(|(_, alone)| *alone = false)
            .or_insert((row, true));
    }
    messages
        .into_iter()
        .map(|message| {
            let found = message.place.as_ref().and_then(|place| rows.get(place));
            TableFinding {
                row: found.filter(|(_, alone)| *alone).map(|(row, _)| row.number),
                line: found.map(|(row, _)| row.line),
                column: None,
                message,
            }
        })
        .collect()
}

/// A warning for a file whose declared encoding is wrong: gpoctl reads it, but a strict XML reader does not.
fn encoding(name: &str, table: &MigTable) -> Option<TableFinding> {
    let declared = table.declared_encoding()?.to_lowercase();
    let fits = match table.encoding() {
        Encoding::Utf16Le { .. } | Encoding::Utf16Be { .. } => declared.starts_with("utf-16"),
        Encoding::Utf8 { .. } => declared == "utf-8",
        Encoding::Windows1252 => declared == "windows-1252" || declared == "iso-8859-1",
    };
    let message = StatusMessage::new(
        Severity::Warning,
        Code::Encoding,
        format!(
            "the file declares the encoding {declared}, but is encoded as {}",
            table.encoding().as_str()
        ),
    )
    .at(place(name, 1))
    .with_hint("a strict XML reader rejects it; save it as Unicode (UTF-16)");
    (!fits).then_some(TableFinding {
        row: None,
        line: Some(1),
        column: None,
        message,
    })
}
