//! Creates and edits tables. New rows have GPMC's form; all other bytes are unchanged.

use std::collections::HashMap;
use std::ops::Range;

use super::{
    Destination, Encoding, EntryType, MigTable, NAMESPACE, Row, encoding, reader, source_key,
};
use crate::message::printable;

/// A row to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The reference to map.
    pub source: String,
    /// What it is.
    pub kind: EntryType,
    /// Its destination.
    pub destination: Destination,
}

/// The row cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the row for \"{}\" cannot be written: {reason}",
    printable(source_text)
)]
pub struct InvalidEntry {
    source_text: String,
    reason: String,
}

impl MigTable {
    /// A table without rows, in GPMC's form: UTF-16LE with byte order mark, CRLF.
    pub fn new() -> Self {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<MigrationTable \
             xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"{NAMESPACE}\" />"
        );
        let start = text.find("<MigrationTable").unwrap_or_default();
        let frame = reader::Frame {
            prefix: String::new(),
            start_tag: start..text.len(),
            end_tag: None,
        };
        Self {
            text,
            encoding: Encoding::Utf16Le { bom: true },
            rows: Vec::new(),
            index: HashMap::new(),
            frame,
        }
    }

    /// Sets the row of a source. An existing row keeps its position and the spelling of its source; a new row is added
    /// at the end.
    ///
    /// # Errors
    /// As [`MigTable::set_all`].
    pub fn set(
        &mut self,
        source: &str,
        kind: EntryType,
        destination: Destination,
    ) -> Result<(), InvalidEntry> {
        self.set_all([Entry {
            source: source.to_owned(),
            kind,
            destination,
        }])
    }

    /// Sets several rows. If two have the same source, the later one wins. Either all rows are set or none.
    ///
    /// # Errors
    /// [`InvalidEntry`] when a source or destination is empty, begins or ends with a blank, or contains a control
    /// character. A character that the encoding of the file lacks is written as a character reference.
    pub fn set_all(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<(), InvalidEntry> {
        let mut wanted: Vec<Entry> = Vec::new();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        for entry in entries {
            self.accepts(&entry)?;
            let key = source_key(&entry.source);
            match numbers.get(&key).and_then(|&number| wanted.get_mut(number)) {
                Some(earlier) => *earlier = entry,
                None => {
                    numbers.insert(key, wanted.len());
                    wanted.push(entry);
                }
            }
        }
        let Some(last) = wanted.last().map(|entry| entry.source.clone()) else {
            return Ok(());
        };
        let mut splices: Vec<(Range<usize>, String)> = Vec::new();
        let mut new_rows = String::new();
        let line_end = self.line_end();
        let prefix = self.frame.prefix.as_str();
        for entry in &wanted {
            match self.get(&entry.source) {
                Some(row) => {
                    if row.kind != entry.kind {
                        splices.push((
                            row.type_element.span.clone(),
                            format!("<{prefix}Type>{}</{prefix}Type>", entry.kind),
                        ));
                    }
                    if row.destination != entry.destination {
                        splices.push((
                            row.destination_element.span.clone(),
                            destination_element(prefix, &entry.destination, self.encoding),
                        ));
                    }
                }
                None => {
                    let destination =
                        destination_element(prefix, &entry.destination, self.encoding);
                    for line in [
                        format!("  <{prefix}Mapping>"),
                        format!("    <{prefix}Type>{}</{prefix}Type>", entry.kind),
                        format!(
                            "    <{prefix}Source>{}</{prefix}Source>",
                            escape(&entry.source, self.encoding)
                        ),
                        format!("    {destination}"),
                        format!("  </{prefix}Mapping>"),
                    ] {
                        new_rows.push_str(line_end);
                        new_rows.push_str(&line);
                    }
                }
            }
        }
        if !new_rows.is_empty() {
            splices.push(self.insertion(new_rows, line_end));
        }
        self.splice(splices).map_err(|reason| InvalidEntry {
            source_text: last,
            reason,
        })
    }

    /// Replaces every source and every `Destination` by the text that `new` returns for it, and returns the number of
    /// changed rows. Either all are changed or none.
    ///
    /// # Errors
    /// As [`MigTable::set_all`]; also when two rows would have the same source.
    pub fn map_texts(&mut self, new: impl Fn(&Row, &str) -> String) -> Result<usize, InvalidEntry> {
        let prefix = self.frame.prefix.as_str();
        let mut splices = Vec::new();
        let mut changed = 0_usize;
        let mut last = String::new();
        for row in &self.rows {
            let entry = Entry {
                source: new(row, &row.source),
                kind: row.kind,
                destination: match &row.destination {
                    Destination::Set(text) => Destination::Set(new(row, text)),
                    option => option.clone(),
                },
            };
            if entry.source == row.source && entry.destination == row.destination {
                continue;
            }
            self.accepts(&entry)?;
            changed = changed.saturating_add(1);
            if entry.source != row.source {
                splices.push((
                    row.source_element.span.clone(),
                    format!(
                        "<{prefix}Source>{}</{prefix}Source>",
                        escape(&entry.source, self.encoding)
                    ),
                ));
            }
            if entry.destination != row.destination {
                splices.push((
                    row.destination_element.span.clone(),
                    destination_element(prefix, &entry.destination, self.encoding),
                ));
            }
            last = entry.source;
        }
        self.splice(splices).map_err(|reason| InvalidEntry {
            source_text: last,
            reason,
        })?;
        Ok(changed)
    }

    /// Removes the row of a source with its line break; returns whether there was one.
    pub fn remove(&mut self, source: &str) -> bool {
        let Some(row) = self.get(source) else {
            return false;
        };
        let mut span = row.element.span.clone();
        let before = self.text.get(..span.start).unwrap_or_default();
        let after = self.text.get(span.end..).unwrap_or_default();
        let bare = before.trim_end_matches([' ', '\t']);
        let line = bare
            .strip_suffix('\n')
            .map(|cut| cut.strip_suffix('\r').unwrap_or(cut));
        if let Some(line) = line
            && after
                .trim_start_matches([' ', '\t'])
                .starts_with(['\r', '\n'])
        {
            span.start = line.len();
        }
        self.splice(vec![(span, String::new())]).is_ok()
    }

    /// Whether a row can be written.
    ///
    /// # Errors
    /// As [`MigTable::set_all`].
    pub fn accepts(&self, entry: &Entry) -> Result<(), InvalidEntry> {
        let fail = |reason: String| {
            Err(InvalidEntry {
                source_text: entry.source.clone(),
                reason,
            })
        };
        let mut texts = vec![("source", entry.source.as_str())];
        if let Destination::Set(text) = &entry.destination {
            texts.push(("destination", text));
        }
        for (what, text) in texts {
            if text.is_empty() {
                return fail(format!("its {what} is empty"));
            }
            if text.trim_matches([' ', '\t', '\r', '\n']) != text {
                return fail(format!("its {what} begins or ends with a blank"));
            }
            if text.chars().any(super::is_control) {
                return fail(format!("its {what} contains a control character"));
            }
        }
        Ok(())
    }

    /// The span to replace when rows are added, and the text to insert.
    fn insertion(&self, rows: String, line_end: &str) -> (Range<usize>, String) {
        match &self.frame.end_tag {
            Some(end_tag) => {
                let before = self.text.get(..end_tag.start).unwrap_or_default();
                let start = before.trim_end_matches([' ', '\t', '\r', '\n']).len();
                let between = self.text.get(start..end_tag.start).unwrap_or_default();
                let tail = if between.contains('\n') { "" } else { line_end };
                (start..start, format!("{rows}{tail}"))
            }
            None => {
                let tag = self
                    .text
                    .get(self.frame.start_tag.clone())
                    .unwrap_or_default();
                // The parser accepts a second slash, which must not remain in a start tag.
                let open = tag
                    .trim_end_matches(|c: char| matches!(c, '/' | '>') || c.is_whitespace())
                    .len();
                let start = self.frame.start_tag.start.saturating_add(open);
                let prefix = &self.frame.prefix;
                (
                    start..self.frame.start_tag.end,
                    format!(">{rows}{line_end}</{prefix}MigrationTable>"),
                )
            }
        }
    }

    /// Replaces parts of the text and parses it again, so that rows and text always agree.
    fn splice(&mut self, mut splices: Vec<(Range<usize>, String)>) -> Result<(), String> {
        splices.sort_by_key(|(span, _)| span.start);
        let mut text = String::with_capacity(self.text.len());
        let mut done = 0;
        for (span, new) in &splices {
            text.push_str(self.text.get(done..span.start).unwrap_or_default());
            text.push_str(new);
            done = span.end;
        }
        text.push_str(self.text.get(done..).unwrap_or_default());
        *self = Self::from_text(text, self.encoding).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// The line end of the file.
    fn line_end(&self) -> &'static str {
        match self.text.find('\n') {
            Some(at)
                if !self
                    .text
                    .get(..at)
                    .is_some_and(|before| before.ends_with('\r')) =>
            {
                "\n"
            }
            _ => "\r\n",
        }
    }
}

impl Default for MigTable {
    fn default() -> Self {
        Self::new()
    }
}

fn destination_element(prefix: &str, destination: &Destination, encoding: Encoding) -> String {
    match destination {
        Destination::SameAsSource => format!("<{prefix}DestinationSameAsSource />"),
        Destination::None => format!("<{prefix}DestinationNone />"),
        Destination::ByRelativeName => format!("<{prefix}DestinationByRelativeName />"),
        Destination::Set(text) => {
            format!(
                "<{prefix}Destination>{}</{prefix}Destination>",
                escape(text, encoding)
            )
        }
    }
}

/// Escapes the three characters that .NET's XML writer escapes, and writes characters that the encoding of the file
/// lacks as character references.
fn escape(text: &str, encoding: Encoding) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    encoding::with_references(&text, encoding)
}
