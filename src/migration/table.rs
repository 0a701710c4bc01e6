//! The migration table as used for mapping: rows indexed by source, and checks that need no domain.

use std::collections::HashMap;

use crate::error::{Error, ErrorKind, Result};
use crate::formats::migtable::source_key;
use crate::message::{Code, StatusMessage, printable};
use crate::model::principal::PrincipalType;
use crate::model::reference::Place;
use crate::model::sid::Sid;
use crate::model::unc_path::UncPath;

pub use crate::formats::migtable::{
    Destination, Element, Encoding, Entry, EntryType, InvalidEntry, MigTable, MigTableError, Row,
};

use super::inventory::NameForm;
use super::variables::{is_client_variable, is_left_in_principal, placeholder};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableRow {
    /// Its number among the `Mapping` elements of the file, from 1.
    pub number: usize,
    /// Its type.
    pub kind: EntryType,
    /// The reference to map.
    pub source: String,
    /// Its destination.
    pub destination: Destination,
    /// The line of its `Mapping` in the file, from 1.
    pub line: usize,
}

/// A migration table with its name for messages.
#[derive(Debug, Clone)]
pub struct MigrationTable {
    name: String,
    rows: Vec<TableRow>,
    index: HashMap<String, usize>,
}

impl MigrationTable {
    /// Parses a table; `name` is its name in messages, usually the file name.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] with line and column, as [`MigTable::parse`].
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        Ok(Self::new(name, &read(name, bytes)?))
    }

    /// Indexes the rows of a parsed table; `name` is its name in messages.
    pub fn new(name: &str, table: &MigTable) -> Self {
        let rows: Vec<TableRow> = table
            .rows()
            .iter()
            .map(|row| TableRow {
                number: row.number,
                kind: row.kind,
                source: row.source.clone(),
                destination: row.destination.clone(),
                line: row.element.line,
            })
            .collect();
        let index = rows
            .iter()
            .enumerate()
            .map(|(number, row)| (source_key(&row.source), number))
            .collect();
        Self {
            name: name.to_owned(),
            rows,
            index,
        }
    }

    /// The rows in the order of the file.
    pub fn rows(&self) -> &[TableRow] {
        &self.rows
    }

    /// The row whose source has this key; see [`source_key`].
    pub fn find(&self, key: &str) -> Option<&TableRow> {
        self.rows.get(*self.index.get(key)?)
    }

    /// The place of a row.
    pub fn place(&self, row: &TableRow) -> Place {
        place(&self.name, row.line)
    }

    /// The problems of all rows that are independent of any domain; severity error for rows that cannot be used.
    pub fn validate(&self) -> Vec<StatusMessage> {
        self.rows
            .iter()
            .flat_map(|row| self.validate_row(row))
            .collect()
    }

    /// The problems of one row that are independent of any domain.
    pub fn validate_row(&self, row: &TableRow) -> Vec<StatusMessage> {
        let mut messages = Vec::new();
        match row.kind {
            EntryType::UncPath => self.validate_unc(row, &mut messages),
            EntryType::Principal(kind) => self.validate_principal(row, kind, &mut messages),
        }
        messages
    }

    fn validate_unc(&self, row: &TableRow, messages: &mut Vec<StatusMessage>) {
        let mut error = |code: Code, text: String, hint: Option<&str>| {
            let mut message = StatusMessage::error(code, text).at(self.place(row));
            message.hint = hint.map(str::to_owned);
            messages.push(message);
        };
        let source = printable(&row.source);
        if row.source.parse::<UncPath>().is_err() {
            error(
                Code::BadUncPath,
                format!("source \"{source}\" is not a UNC path"),
                Some("write \\\\server\\share, or correct the type of the row"),
            );
        }
        match &row.destination {
            Destination::SameAsSource => {}
            Destination::None => error(
                Code::UncDestinationNone,
                format!("UNC path \"{source}\" cannot have the destination \"none\""),
                None,
            ),
            Destination::ByRelativeName => error(
                Code::UncByRelativeName,
                format!("UNC path \"{source}\" has no relative name to look up"),
                None,
            ),
            Destination::Set(text) => {
                let kept = row.source.to_lowercase();
                if let Some(found) = placeholder(text, |name| is_client_variable(name, &kept)) {
                    messages.push(self.leftover(row, text, found));
                } else if text.parse::<UncPath>().is_err() {
                    error(
                        Code::BadUncPath,
                        format!("destination \"{}\" is not a UNC path", printable(text)),
                        Some("write \\\\server\\share"),
                    );
                }
            }
        }
    }

    fn validate_principal(
        &self,
        row: &TableRow,
        kind: PrincipalType,
        messages: &mut Vec<StatusMessage>,
    ) {
        let source = printable(&row.source);
        if row.source.starts_with(r"\\") {
            messages.push(
                StatusMessage::error(
                    Code::UncPathAsPrincipal,
                    format!("source \"{source}\" is a UNC path, but its type is {kind:?}"),
                )
                .at(self.place(row))
                .with_hint("give the row the type UNCPath"),
            );
        } else if kind != PrincipalType::Unknown
            && matches!(NameForm::of(&row.source), NameForm::Bare(_))
        {
            messages.push(
                StatusMessage::warning(
                    Code::BareSource,
                    format!(
                        "source \"{source}\" of type {kind:?} has no domain, so it matches nothing"
                    ),
                )
                .at(self.place(row))
                .with_hint(
                    "write name@domain or DOMAIN\\name; bare names and SIDs need the type Unknown",
                ),
            );
        }
        let Destination::Set(text) = &row.destination else {
            return;
        };
        if let Some(found) = placeholder(text, is_left_in_principal) {
            messages.push(self.leftover(row, text, found));
        } else if text.starts_with(r"\\") {
            messages.push(
                StatusMessage::error(
                    Code::UncPathAsPrincipal,
                    format!(
                        "destination \"{}\" is a UNC path, but the type of the row is {kind:?}",
                        printable(text)
                    ),
                )
                .at(self.place(row))
                .with_hint("name a principal, or give the row the type UNCPath"),
            );
        }
    }

    fn leftover(&self, row: &TableRow, text: &str, found: &str) -> StatusMessage {
        StatusMessage::error(
            Code::LeftoverPlaceholder,
            format!(
                "destination \"{}\" still contains the placeholder %{}%",
                printable(text),
                printable(found)
            ),
        )
        .at(self.place(row))
    }
}

/// The place of a line in the table with this name.
pub(super) fn place(name: &str, line: usize) -> Place {
    Place::file(format!("migration table {name}")).line(line)
}

/// Parses the file of a table; `name` is its name in the error.
///
/// # Errors
/// [`ErrorKind::BadInput`] with line and column, as [`MigTable::parse`].
pub fn read(name: &str, bytes: &[u8]) -> Result<MigTable> {
    MigTable::parse(bytes).map_err(|error| {
        let wrapped = Error::new(
            ErrorKind::BadInput,
            format!("migration table {}: {error}", printable(name)),
        );
        match error.hint {
            Some(hint) => wrapped.with_hint(hint),
            None => wrapped,
        }
    })
}

/// The only type that a row with this source can have: `UNCPath` for a UNC path, `Unknown` for a SID [gpmgmt.h
/// GPMEntryType]. `None` for a name, whose type the text does not show.
pub fn type_of_source(source: &str) -> Option<EntryType> {
    if source.starts_with(r"\\") {
        Some(EntryType::UncPath)
    } else {
        let sid = source.parse::<Sid>().is_ok();
        sid.then_some(EntryType::Principal(PrincipalType::Unknown))
    }
}

/// The key of a SID as a source.
pub(super) fn sid_key(sid: &Sid) -> String {
    sid.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Code, Severity};

    fn findings(rows: &[(EntryType, &str, Destination)]) -> Vec<(Severity, Code, String, u64)> {
        let mut table = MigTable::new();
        for (kind, source, destination) in rows {
            table.set(source, *kind, destination.clone()).unwrap();
        }
        MigrationTable::new("a.migtable", &table)
            .validate()
            .into_iter()
            .map(|message| {
                let place = message.place.unwrap();
                assert_eq!(place.file, "migration table a.migtable");
                let by_command_line = [
                    Code::LeftoverPlaceholder,
                    Code::UncDestinationNone,
                    Code::UncByRelativeName,
                ];
                assert_eq!(
                    message.hint.is_none(),
                    by_command_line.contains(&message.code)
                );
                (
                    message.severity,
                    message.code,
                    message.text,
                    place.line.unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn finds_rows_that_are_invalid_in_any_domain() {
        let set = |text: &str| Destination::Set(text.to_owned());
        let group = EntryType::Principal(PrincipalType::GlobalGroup);
        let rows = [
            (EntryType::UncPath, r"\\a\1", Destination::None),
            (EntryType::UncPath, r"\\a\2", Destination::ByRelativeName),
            (EntryType::UncPath, r"\\a", set(r"\\b\c")),
            (EntryType::UncPath, r"\\a\3", set(r"b\c")),
            (EntryType::UncPath, r"\\a\4", set(r"\\%server%\c")),
            (
                EntryType::UncPath,
                r"\\a\5\%Dept%",
                set(r"\\%LOGONSERVER%\c\%dept%\%USERNAME%"),
            ),
            (group, r"A\x", set(r"%NetBios%\x")),
            (group, r"A\y", set("100% sure\\50%")),
            (group, r"\\a\6", Destination::None),
            (group, r"A\z", set(r"\\a\7")),
            (group, "bare", Destination::SameAsSource),
            (
                EntryType::Principal(PrincipalType::Unknown),
                "bare2",
                Destination::SameAsSource,
            ),
        ];
        let line = |row: u64| 3 + 5 * (row - 1);
        let expected = [
            (
                Severity::Error,
                Code::UncDestinationNone,
                r#"UNC path "\\a\1" cannot have the destination "none""#,
                line(1),
            ),
            (
                Severity::Error,
                Code::UncByRelativeName,
                r#"UNC path "\\a\2" has no relative name to look up"#,
                line(2),
            ),
            (
                Severity::Error,
                Code::BadUncPath,
                r#"source "\\a" is not a UNC path"#,
                line(3),
            ),
            (
                Severity::Error,
                Code::BadUncPath,
                r#"destination "b\c" is not a UNC path"#,
                line(4),
            ),
            (
                Severity::Error,
                Code::LeftoverPlaceholder,
                r#"destination "\\%server%\c" still contains the placeholder %server%"#,
                line(5),
            ),
            (
                Severity::Error,
                Code::LeftoverPlaceholder,
                r#"destination "%NetBios%\x" still contains the placeholder %NetBios%"#,
                line(7),
            ),
            (
                Severity::Error,
                Code::UncPathAsPrincipal,
                r#"source "\\a\6" is a UNC path, but its type is GlobalGroup"#,
                line(9),
            ),
            (
                Severity::Error,
                Code::UncPathAsPrincipal,
                r#"destination "\\a\7" is a UNC path, but the type of the row is GlobalGroup"#,
                line(10),
            ),
            (
                Severity::Warning,
                Code::BareSource,
                r#"source "bare" of type GlobalGroup has no domain, so it matches nothing"#,
                line(11),
            ),
        ]
        .map(|(severity, code, text, line)| (severity, code, text.to_owned(), line));
        assert_eq!(findings(&rows), expected);
    }

    #[test]
    fn client_variables_and_percents_in_names_are_not_placeholders() {
        let set = |text: &str| Destination::Set(text.to_owned());
        let group = EntryType::Principal(PrincipalType::GlobalGroup);
        let rows = [
            (
                EntryType::UncPath,
                r"\\a\1",
                set(r"\\b\%LogonUser%\%DesktopDir%\%CommonProgramFiles%\%OneDrive%"),
            ),
            (
                EntryType::UncPath,
                r"\\a\2",
                set(r"\\%DomainName%\x\%TimeStamp%"),
            ),
            (group, r"A\x", set("B\\100% of 50% done")),
            (group, r"A\y", set("B\\%LogonUser%")),
            (group, r"A\w", set("%DomainName%\\LA_%ComputerName%")),
            (group, r"A\v", set("B\\LA_%Tier%_%ComputerName%")),
            (EntryType::UncPath, r"\\a\3", set(r"\\b\%Share%")),
        ];
        let told: Vec<(Code, u64)> = findings(&rows)
            .into_iter()
            .map(|(_, code, _, line)| (code, line))
            .collect();
        let code = Code::LeftoverPlaceholder;
        assert_eq!(told, [(code, 28), (code, 33)]);
    }

    #[test]
    fn a_broken_table_is_bad_input_with_place_and_hint() {
        let error = MigrationTable::parse("x.migtable", b"<a/>").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert_eq!(
            error.message(),
            "migration table x.migtable: line 1, column 1: root element is <a>, not <MigrationTable>"
        );
        assert!(error.hint().is_some());
    }
}
