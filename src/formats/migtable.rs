//! `.migtable`: migration tables of GPMC and `mtedit.exe`.
//!
//! The text is kept unchanged and the rows are a view on it: an unedited table serializes to the bytes it was parsed
//! from, and an edit changes only the rows it is for.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use crate::message::{Code, printable};
use crate::model::principal::PrincipalType;

mod edit;
mod encoding;
mod reader;
#[cfg(test)]
mod tests;

pub use edit::{Entry, InvalidEntry};
pub use encoding::Encoding;

/// The namespace of the root element and everything in it.
pub const NAMESPACE: &str = "http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable";

/// The maximum size of a file, in bytes. A row takes about 300 bytes in GPMC's form.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The maximum number of rows.
pub const MAX_ROWS: usize = 200_000;

/// The maximum number of problems that [`MigTable::check`] lists for a file.
pub const MAX_PROBLEMS: usize = 10_000;

/// The type of a row: the `Type` of a `Mapping` [gpmgmt.h GPMEntryType].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum EntryType {
    /// A security principal, or free text for one.
    Principal(PrincipalType),
    /// A UNC path.
    UncPath,
}

impl EntryType {
    /// The legal literals, as an error message lists them.
    pub const LITERALS: &'static str =
        "User, Computer, LocalGroup, GlobalGroup, UniversalGroup, UNCPath, Unknown";

    /// The literal in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Principal(kind) => kind.as_str(),
            Self::UncPath => "UNCPath",
        }
    }

    /// Parses the literal, which is case-sensitive; `None` for any other text.
    pub fn from_literal(text: &str) -> Option<Self> {
        if text == "UNCPath" {
            Some(Self::UncPath)
        } else {
            PrincipalType::from_literal(text).map(Self::Principal)
        }
    }
}

impl fmt::Display for EntryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The destination of a row [gpmgmt.h GPMDestinationOption].
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// `DestinationSameAsSource`: the reference is unchanged.
    SameAsSource,
    /// `DestinationNone`: the reference is removed from the setting.
    None,
    /// `DestinationByRelativeName`: the principal of the same `sAMAccountName` in the target domain.
    ByRelativeName,
    /// `Destination`: this principal or path. Never empty.
    Set(String),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameAsSource => f.write_str("same as source"),
            Self::None => f.write_str("none"),
            Self::ByRelativeName => f.write_str("by relative name"),
            Self::Set(text) => f.write_str(text),
        }
    }
}

/// An element of the file: its start as line and column, from 1 (columns count characters), and its byte range in the
/// decoded text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Element {
    /// The line of its `<`, from 1.
    pub line: usize,
    /// The column of its `<`, from 1, in characters.
    pub column: usize,
    pub(crate) span: Range<usize>,
}

/// A `Mapping`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// Its number among the `Mapping` elements of the file, from 1.
    pub number: usize,
    /// Its type.
    pub kind: EntryType,
    /// The reference to map. Never empty, without surrounding blanks, without control characters.
    pub source: String,
    /// Its destination.
    pub destination: Destination,
    /// The `Mapping` element.
    pub element: Element,
    /// The `Type` element.
    pub type_element: Element,
    /// The `Source` element.
    pub source_element: Element,
    /// The one destination element.
    pub destination_element: Element,
}

/// A migration table: its text, and its rows in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigTable {
    text: String,
    encoding: Encoding,
    rows: Vec<Row>,
    /// Row numbers by [`source_key`].
    index: HashMap<String, usize>,
    frame: reader::Frame,
}

/// A problem of a migration table, with its location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
#[non_exhaustive]
pub struct MigTableError {
    /// A stable name for scripts, lower case with hyphens, such as `unknown-type`.
    pub code: Code,
    /// The number of the `Mapping` it is in, from 1; `None` outside of a `Mapping`.
    pub row: Option<usize>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// One lower-case sentence.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

/// The comparison key of a source: ignores case and, for UNC paths, one trailing backslash.
pub fn source_key(source: &str) -> String {
    let bare = if source.starts_with(r"\\") {
        source.strip_suffix('\\').unwrap_or(source)
    } else {
        source
    };
    bare.to_lowercase()
}

/// Whether a character is forbidden in sources and destinations: control characters and the two others that XML 1.0
/// forbids.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

impl MigTable {
    /// Reads a table. The encoding is detected from the bytes (byte order mark, then the pattern of zero bytes, then
    /// UTF-8, then windows-1252); the XML declaration is ignored.
    ///
    /// # Errors
    /// [`MigTableError`] with line and column: not XML, a document type, another root or namespace, an element or a `Type`
    /// that does not exist, a missing, empty or repeated element, two rows for one source, or a file beyond
    /// [`MAX_BYTES`] or [`MAX_ROWS`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MigTableError> {
        let (text, encoding) = decode(bytes)?;
        Self::from_text(text, encoding)
    }

    /// Lists all problems of a file; the first is the error of [`MigTable::parse`]. The table contains the rows that
    /// can be parsed, for inspection only when there are problems; `None` when the file contains no table.
    pub fn check(bytes: &[u8]) -> (Option<Self>, Vec<MigTableError>) {
        match decode(bytes) {
            Ok((text, encoding)) => Self::check_text(text, encoding),
            Err(problem) => (None, vec![problem]),
        }
    }

    fn from_text(text: String, encoding: Encoding) -> Result<Self, MigTableError> {
        let (table, problems) = Self::check_text(text, encoding);
        match (problems.into_iter().next(), table) {
            (None, Some(table)) => Ok(table),
            (Some(problem), _) => Err(problem),
            (None, None) => Err(whole("the file contains no table".to_owned())),
        }
    }

    fn check_text(text: String, encoding: Encoding) -> (Option<Self>, Vec<MigTableError>) {
        let mut problems = Vec::new();
        let Some((read, frame)) = reader::read(&text, &mut problems) else {
            return (None, problems);
        };
        let mut index: HashMap<String, usize> = HashMap::with_capacity(read.len());
        let mut rows: Vec<Row> = Vec::with_capacity(read.len());
        for row in read {
            let key = source_key(&row.source);
            match index.get(&key).and_then(|&first| rows.get(first)) {
                None => {
                    index.insert(key, rows.len());
                    rows.push(row);
                }
                Some(first) => problems.push(MigTableError {
                    code: Code::DuplicateSource,
                    row: Some(row.number),
                    line: row.source_element.line,
                    column: row.source_element.column,
                    message: format!(
                        "source \"{}\" already has a row in line {}",
                        printable(&row.source),
                        first.source_element.line
                    ),
                    hint: Some(
                        "keep one row for each source; upper and lower case are the same"
                            .to_owned(),
                    ),
                }),
            }
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        let table = Self {
            text,
            encoding,
            rows,
            index,
            frame,
        };
        (Some(table), problems)
    }

    /// The rows in the order of the file.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row for this source, ignoring case.
    pub fn get(&self, source: &str) -> Option<&Row> {
        self.rows.get(*self.index.get(&source_key(source))?)
    }

    /// The encoding of the file.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The encoding in the XML declaration, whatever the bytes are.
    pub fn declared_encoding(&self) -> Option<&str> {
        let declaration = self.text.strip_prefix("<?xml")?.split_once("?>")?.0;
        let (_, value) = declaration.split_once("encoding")?;
        let value = value.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value.get(1..)?.split_once(quote).map(|(name, _)| name)
    }

    /// The bytes of the file; for an unedited table, the bytes it was parsed from.
    pub fn to_bytes(&self) -> Vec<u8> {
        encoding::encode(&self.text, self.encoding)
    }
}

/// The text of a file.
fn decode(bytes: &[u8]) -> Result<(String, Encoding), MigTableError> {
    if bytes.len() > MAX_BYTES {
        return Err(whole(format!(
            "the file has {} bytes, more than the {MAX_BYTES} that are read",
            bytes.len()
        )));
    }
    let (text, encoding) = encoding::decode(bytes).map_err(whole)?;
    // Not allowed in a document, and a reader that drops it would report wrong positions after it.
    if text.starts_with('\u{feff}') {
        return Err(whole(
            "a second byte order mark follows the first".to_owned(),
        ));
    }
    Ok((text, encoding))
}

/// A problem of the file as a whole.
fn whole(message: String) -> MigTableError {
    MigTableError {
        code: Code::NotAMigrationTable,
        row: None,
        line: 1,
        column: 1,
        message,
        hint: None,
    }
}
