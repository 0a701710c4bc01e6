//! The XML of a migration table, element by element, with the place of each.

use std::ops::Range;

use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};

use super::{Destination, Element, EntryType, MAX_ROWS, MigTableError, NAMESPACE, Row};
use crate::message::printable;

/// The root element around the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The prefix of the root's name with its colon; empty in every file GPMC writes.
    pub(super) prefix: String,
    /// The bytes of the root's start tag in the text.
    pub(super) start_tag: Range<usize>,
    /// The bytes of the root's end tag; `None` when the root is one empty tag.
    pub(super) end_tag: Option<Range<usize>>,
}

/// A step through the document, with comments, processing instructions and the declaration left out.
enum Step {
    Start {
        name: String,
        known: bool,
        empty: bool,
    },
    End,
    Text(String),
    Eof,
}

struct Cursor<'a> {
    text: &'a str,
    reader: NsReader<&'a [u8]>,
    /// Where the last step begins and ends in the text.
    span: Range<usize>,
    /// Line and column of `counted`, so that counting never starts again.
    line: usize,
    column: usize,
    counted: usize,
}

pub(super) fn read(text: &str) -> Result<(Vec<Row>, Frame), MigTableError> {
    let mut cursor = Cursor {
        text,
        reader: NsReader::from_str(text),
        span: 0..0,
        line: 1,
        column: 1,
        counted: 0,
    };
    let (root, root_empty) = cursor.root()?;
    let mut rows = Vec::new();
    let mut end_tag = None;
    if !root_empty {
        loop {
            match cursor.step()? {
                Step::Start {
                    name,
                    known: true,
                    empty,
                } if name == "Mapping" => {
                    if rows.len() == MAX_ROWS {
                        return Err(cursor.error(format!("more than {MAX_ROWS} rows"), None));
                    }
                    rows.push(cursor.mapping(empty)?);
                }
                Step::Start { name, .. } => {
                    return Err(cursor.error(
                        format!(
                            "element <{}> where only <Mapping> is legal",
                            printable(&name)
                        ),
                        None,
                    ));
                }
                Step::Text(text) => cursor.only_blanks(&text)?,
                Step::End => {
                    end_tag = Some(cursor.span.clone());
                    break;
                }
                Step::Eof => return Err(cursor.unfinished("MigrationTable")),
            }
        }
    }
    loop {
        match cursor.step()? {
            Step::Eof => break,
            Step::Text(text) => cursor.only_blanks(&text)?,
            _ => {
                return Err(cursor.error(
                    "something follows the end of the MigrationTable element".to_owned(),
                    None,
                ));
            }
        }
    }
    let prefix = text
        .get(root.span.clone())
        .and_then(|tag| tag.get(1..))
        .and_then(|tag| tag.split_once("MigrationTable"))
        .map(|(prefix, _)| prefix.to_owned())
        .unwrap_or_default();
    Ok((
        rows,
        Frame {
            prefix,
            start_tag: root.span,
            end_tag,
        },
    ))
}

impl Cursor<'_> {
    fn root(&mut self) -> Result<(Element, bool), MigTableError> {
        loop {
            match self.step()? {
                Step::Text(text) => self.only_blanks(&text)?,
                Step::Start { name, known, empty } => {
                    let element = self.element();
                    if name != "MigrationTable" {
                        return Err(self.error(
                            format!(
                                "root element is <{}>, not <MigrationTable>",
                                printable(&name)
                            ),
                            Some("this is no migration table of GPMC"),
                        ));
                    }
                    if !known {
                        return Err(self.error(
                            format!("<MigrationTable> is not in the namespace {NAMESPACE}"),
                            Some("write xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\""),
                        ));
                    }
                    return Ok((element, empty));
                }
                Step::End | Step::Eof => {
                    return Err(self.error(
                        "no <MigrationTable> element in the file".to_owned(),
                        Some("this is no migration table of GPMC"),
                    ));
                }
            }
        }
    }

    /// The rest of a `Mapping` whose start tag is the last step.
    fn mapping(&mut self, empty: bool) -> Result<Row, MigTableError> {
        let mut element = self.element();
        let mut kind: Option<(EntryType, Element)> = None;
        let mut source: Option<(String, Element)> = None;
        let mut destination: Option<(Destination, Element)> = None;
        let mut open = !empty;
        while open {
            match self.step()? {
                Step::Text(text) => self.only_blanks(&text)?,
                Step::End => open = false,
                Step::Eof => return Err(self.unfinished("Mapping")),
                Step::Start { name, known, empty } => {
                    let name = if known {
                        name
                    } else {
                        format!("{name} of another namespace")
                    };
                    let mut leaf = self.element();
                    let at = |message: String, hint: Option<&str>| MigTableError {
                        line: leaf.line,
                        column: leaf.column,
                        message,
                        hint: hint.map(str::to_owned),
                    };
                    let value = match name.as_str() {
                        "Type"
                        | "Source"
                        | "Destination"
                        | "DestinationSameAsSource"
                        | "DestinationNone"
                        | "DestinationByRelativeName" => self.leaf(&name, empty)?,
                        _ => {
                            return Err(at(
                                format!("element <{}> in a Mapping", printable(&name)),
                                Some(
                                    "legal are Type, Source, and one of Destination, DestinationSameAsSource, \
                                     DestinationNone, DestinationByRelativeName",
                                ),
                            ));
                        }
                    };
                    let repeated = || at(format!("a second <{name}> in one Mapping"), None);
                    let must_be_empty = |destination: Destination| {
                        if value.is_empty() {
                            Ok(destination)
                        } else {
                            Err(at(
                                format!("<{name}> holds the text \"{}\"", printable(&value)),
                                Some("write the text in <Destination>, or leave the element empty"),
                            ))
                        }
                    };
                    let option = match name.as_str() {
                        "Type" => {
                            let found = EntryType::from_literal(&value).ok_or_else(|| {
                                at(
                                    format!(
                                        "type \"{}\" does not exist; legal are {}",
                                        printable(&value),
                                        EntryType::LITERALS
                                    ),
                                    (value == "Group").then_some(
                                        "write LocalGroup, GlobalGroup or UniversalGroup, as the group is",
                                    ),
                                )
                            })?;
                            leaf.span.end = self.span.end;
                            if kind.is_some() {
                                return Err(repeated());
                            }
                            kind = Some((found, leaf));
                            continue;
                        }
                        "Source" => {
                            if value.is_empty() {
                                return Err(at("<Source> is empty".to_owned(), None));
                            }
                            if source.is_some() {
                                return Err(repeated());
                            }
                            leaf.span.end = self.span.end;
                            source = Some((value, leaf));
                            continue;
                        }
                        "Destination" if value.is_empty() => {
                            return Err(at(
                                "<Destination> is empty".to_owned(),
                                Some("write <DestinationNone /> or <DestinationSameAsSource />"),
                            ));
                        }
                        "Destination" => Destination::Set(value),
                        "DestinationSameAsSource" => must_be_empty(Destination::SameAsSource)?,
                        "DestinationNone" => must_be_empty(Destination::None)?,
                        _ => must_be_empty(Destination::ByRelativeName)?,
                    };
                    if let Some((_, first)) = &destination {
                        return Err(at(
                            format!(
                                "<{name}> is a second destination in one Mapping; the first is in line {}",
                                first.line
                            ),
                            Some("keep one of them"),
                        ));
                    }
                    leaf.span.end = self.span.end;
                    destination = Some((option, leaf));
                }
            }
        }
        element.span.end = self.span.end;
        let missing = |what: &str, hint: Option<&str>| MigTableError {
            line: element.line,
            column: element.column,
            message: format!("Mapping without {what}"),
            hint: hint.map(str::to_owned),
        };
        let legal = format!("legal are {}", EntryType::LITERALS);
        let (kind, type_element) = kind.ok_or_else(|| missing("<Type>", Some(&legal)))?;
        let (source, source_element) = source.ok_or_else(|| missing("<Source>", None))?;
        let (destination, destination_element) = destination.ok_or_else(|| {
            missing(
                "a destination",
                Some(
                    "add one of <Destination>, <DestinationSameAsSource />, <DestinationNone />, \
                     <DestinationByRelativeName />",
                ),
            )
        })?;
        Ok(Row {
            kind,
            source,
            destination,
            element,
            type_element,
            source_element,
            destination_element,
        })
    }

    /// The text of an element whose start tag is the last step, without the blanks around it; its end is the last step then.
    fn leaf(&mut self, name: &str, empty: bool) -> Result<String, MigTableError> {
        let mut value = String::new();
        let mut open = !empty;
        while open {
            match self.step()? {
                Step::Text(text) => value.push_str(&text),
                Step::End => open = false,
                Step::Eof => return Err(self.unfinished(name)),
                Step::Start { name: inner, .. } => {
                    return Err(self.error(
                        format!("element <{}> in <{name}>", printable(&inner)),
                        Some("the element holds text only"),
                    ));
                }
            }
        }
        let value = value.trim_matches([' ', '\t', '\r', '\n']);
        if let Some(control) = value.chars().find(|&c| super::is_control(c)) {
            return Err(self.error(
                format!(
                    "<{name}> holds the control character U+{:04X}",
                    u32::from(control)
                ),
                None,
            ));
        }
        Ok(value.to_owned())
    }

    /// The next step.
    fn step(&mut self) -> Result<Step, MigTableError> {
        loop {
            let start = self.offset();
            let event = self.reader.read_resolved_event();
            let step = match event {
                Err(error) => {
                    let offset =
                        usize::try_from(self.reader.error_position()).unwrap_or(usize::MAX);
                    self.span = offset.max(start)..offset.max(start);
                    return Err(self.error(format!("the file is not XML: {error}"), None));
                }
                Ok((namespace, Event::Start(tag))) => Step::Start {
                    name: tag.local_name().as_ref().to_owned(),
                    known: is_ours(&namespace),
                    empty: false,
                },
                Ok((namespace, Event::Empty(tag))) => Step::Start {
                    name: tag.local_name().as_ref().to_owned(),
                    known: is_ours(&namespace),
                    empty: true,
                },
                Ok((_, Event::End(_))) => Step::End,
                Ok((_, Event::Text(text))) => Step::Text(text.xml10_content().into_owned()),
                Ok((_, Event::CData(text))) => Step::Text(text.xml10_content().into_owned()),
                Ok((_, Event::GeneralRef(reference))) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(found)) => Some(found.to_string()),
                        Ok(None) => resolve_predefined_entity(&reference).map(str::to_owned),
                        Err(_) => None,
                    };
                    let name = reference.into_inner().into_owned();
                    self.span = start..self.offset();
                    match resolved {
                        Some(text) => Step::Text(text),
                        None => {
                            return Err(self.error(
                                format!("entity &{}; does not exist", printable(&name)),
                                Some("write & as &amp;"),
                            ));
                        }
                    }
                }
                Ok((_, Event::DocType(_))) => {
                    self.span = start..self.offset();
                    return Err(self.error(
                        "the file has a document type declaration".to_owned(),
                        Some("remove <!DOCTYPE …>; a migration table has none"),
                    ));
                }
                Ok((_, Event::Eof)) => Step::Eof,
                Ok((_, Event::Comment(_) | Event::PI(_) | Event::Decl(_))) => continue,
            };
            self.span = start..self.offset();
            return Ok(step);
        }
    }

    fn offset(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The element whose start tag is the last step.
    fn element(&mut self) -> Element {
        let (line, column) = self.position(self.span.start);
        Element {
            line,
            column,
            span: self.span.clone(),
        }
    }

    /// Line and column of an offset at or after every offset asked for before.
    fn position(&mut self, offset: usize) -> (usize, usize) {
        let between = self.text.get(self.counted..offset).unwrap_or_default();
        for character in between.chars() {
            if character == '\n' {
                self.line = self.line.saturating_add(1);
                self.column = 1;
            } else {
                self.column = self.column.saturating_add(1);
            }
        }
        self.counted = self.counted.saturating_add(between.len());
        (self.line, self.column)
    }

    /// An error at the last step.
    fn error(&mut self, message: String, hint: Option<&str>) -> MigTableError {
        let (line, column) = self.position(self.span.start);
        MigTableError {
            line,
            column,
            message,
            hint: hint.map(str::to_owned),
        }
    }

    fn unfinished(&mut self, name: &str) -> MigTableError {
        self.error(
            format!("the file ends inside <{name}>"),
            Some("the file is cut off; get it again"),
        )
    }

    fn only_blanks(&mut self, text: &str) -> Result<(), MigTableError> {
        if text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
            Ok(())
        } else {
            let raw = self.text.get(self.span.clone()).unwrap_or_default();
            let blanks = raw.len().saturating_sub(raw.trim_start().len());
            self.span.start = self.span.start.saturating_add(blanks);
            let shown: String = text.trim().chars().take(40).collect();
            Err(self.error(
                format!("text \"{}\" between the elements", printable(&shown)),
                None,
            ))
        }
    }
}

fn is_ours(namespace: &ResolveResult<'_>) -> bool {
    matches!(namespace, ResolveResult::Bound(Namespace(found)) if *found == NAMESPACE)
}
