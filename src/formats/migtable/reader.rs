//! Parses the XML of a migration table, element by element, with positions.

use std::ops::Range;

use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};

use super::{
    Destination, Element, EntryType, MAX_PROBLEMS, MAX_ROWS, MigTableError, NAMESPACE, Row,
};
use crate::message::{Code, printable};

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

/// An event of the document; comments, processing instructions and the declaration are skipped.
enum XmlEvent {
    Start {
        name: String,
        known: bool,
        empty: bool,
    },
    End,
    Text(String),
    Eof,
}

struct TableReader<'a> {
    text: &'a str,
    /// The number of open elements after the last event.
    depth: usize,
    /// The number of the current `Mapping`, from 1; 0 before the first.
    number: usize,
    /// Whether parsing cannot continue.
    lost: bool,
    reader: NsReader<&'a [u8]>,
    /// The span of the last event in the text.
    span: Range<usize>,
    /// The line and column of `counted`, so that counting never starts over.
    line: usize,
    column: usize,
    counted: usize,
}

/// Parses the rows of a table. A row with a problem is skipped and the problem added to `problems`; `None` when the
/// file is not a table.
pub(super) fn read(text: &str, problems: &mut Vec<MigTableError>) -> Option<(Vec<Row>, Frame)> {
    let mut reader = TableReader {
        text,
        depth: 0,
        number: 0,
        lost: false,
        reader: NsReader::from_str(text),
        span: 0..0,
        line: 1,
        column: 1,
        counted: 0,
    };
    let mut rows = Vec::new();
    let (root, end_tag) = match document(&mut reader, &mut rows, problems) {
        Ok(frame) => frame,
        Err(fatal) => {
            problems.push(fatal);
            return None;
        }
    };
    let prefix = text
        .get(root.span.clone())
        .and_then(|tag| tag.get(1..))
        .and_then(|tag| tag.split_once("MigrationTable"))
        .map(|(prefix, _)| prefix.to_owned())
        .unwrap_or_default();
    Some((
        rows,
        Frame {
            prefix,
            start_tag: root.span,
            end_tag,
        },
    ))
}

/// Parses the root element and its end tag, with the rows between them.
fn document(
    reader: &mut TableReader<'_>,
    rows: &mut Vec<Row>,
    problems: &mut Vec<MigTableError>,
) -> Result<(Element, Option<Range<usize>>), MigTableError> {
    let (root, root_empty) = reader.root()?;
    let mut end_tag = None;
    while !root_empty && end_tag.is_none() {
        if problems.len() >= MAX_PROBLEMS {
            return Err(reader.error(Code::TooManyProblems, "and more".to_owned(), None));
        }
        match reader.child() {
            Ok(Child::Row(row)) => rows.push(*row),
            Ok(Child::Blanks) => {}
            Ok(Child::End) => end_tag = Some(reader.span.clone()),
            Err(error) if reader.lost => return Err(error),
            Err(error) => {
                problems.push(error);
                reader.leave()?;
            }
        }
    }
    loop {
        match reader.step()? {
            XmlEvent::Eof => return Ok((root, end_tag)),
            XmlEvent::Text(text) => reader.only_blanks(&text)?,
            _ => {
                return Err(reader.error(
                    Code::NotXml,
                    "something follows the end of the MigrationTable element".to_owned(),
                    None,
                ));
            }
        }
    }
}

/// A child of the root element.
enum Child {
    Row(Box<Row>),
    Blanks,
    End,
}

impl TableReader<'_> {
    /// The next child of the root element.
    fn child(&mut self) -> Result<Child, MigTableError> {
        match self.step()? {
            XmlEvent::Start {
                name,
                known: true,
                empty,
            } if name == "Mapping" => {
                if self.number == MAX_ROWS {
                    self.lost = true;
                    return Err(self.error(
                        Code::TooLarge,
                        format!("more than {MAX_ROWS} rows"),
                        None,
                    ));
                }
                self.number = self.number.saturating_add(1);
                self.mapping(empty).map(|row| Child::Row(Box::new(row)))
            }
            XmlEvent::Start { name, .. } => Err(MigTableError {
                row: None,
                ..self.error(
                    Code::UnknownElement,
                    format!(
                        "element <{}> where only <Mapping> is legal",
                        printable(&name)
                    ),
                    None,
                )
            }),
            XmlEvent::Text(text) => self.only_blanks(&text).map(|()| Child::Blanks),
            XmlEvent::End => Ok(Child::End),
            XmlEvent::Eof => Err(self.unfinished("MigrationTable")),
        }
    }

    /// Skips to the end of the current child of the root element.
    fn leave(&mut self) -> Result<(), MigTableError> {
        while self.depth > 1 {
            if matches!(self.step()?, XmlEvent::Eof) {
                return Err(self.unfinished("MigrationTable"));
            }
        }
        Ok(())
    }

    fn root(&mut self) -> Result<(Element, bool), MigTableError> {
        loop {
            match self.step()? {
                XmlEvent::Text(text) => self.only_blanks(&text)?,
                XmlEvent::Start { name, known, empty } => {
                    let element = self.element();
                    if name != "MigrationTable" {
                        return Err(self.error(
                            Code::NotAMigrationTable,
                            format!(
                                "root element is <{}>, not <MigrationTable>",
                                printable(&name)
                            ),
                            Some("this is not a GPMC migration table"),
                        ));
                    }
                    if !known {
                        return Err(self.error(
Code::NotAMigrationTable,
                            format!("<MigrationTable> is not in the namespace {NAMESPACE}"),
                            Some("write xmlns=\"http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable\""),
                        ));
                    }
                    return Ok((element, empty));
                }
                XmlEvent::End | XmlEvent::Eof => {
                    return Err(self.error(
                        Code::NotAMigrationTable,
                        "no <MigrationTable> element in the file".to_owned(),
                        Some("this is not a GPMC migration table"),
                    ));
                }
            }
        }
    }

    /// Parses the rest of a `Mapping` whose start tag is the last event.
    fn mapping(&mut self, empty: bool) -> Result<Row, MigTableError> {
        let mut element = self.element();
        let mut kind: Option<(EntryType, Element)> = None;
        let mut source: Option<(String, Element)> = None;
        let mut destination: Option<(Destination, Element)> = None;
        let mut open = !empty;
        while open {
            match self.step()? {
                XmlEvent::Text(text) => self.only_blanks(&text)?,
                XmlEvent::End => open = false,
                XmlEvent::Eof => return Err(self.unfinished("Mapping")),
                XmlEvent::Start { name, known, empty } => {
                    let name = if known {
                        name
                    } else {
                        format!("{name} of another namespace")
                    };
                    let mut leaf = self.element();
                    let number = Some(self.number);
                    let at = |code: Code, message: String, hint: Option<&str>| MigTableError {
                        code,
                        row: number,
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
                                Code::UnknownElement,
                                format!("element <{}> in a Mapping", printable(&name)),
                                Some(
                                    "legal are Type, Source, and one of Destination, DestinationSameAsSource, \
                                     DestinationNone, DestinationByRelativeName",
                                ),
                            ));
                        }
                    };
                    let repeated = || {
                        at(
                            Code::DuplicateElement,
                            format!("a second <{name}> in one Mapping"),
                            None,
                        )
                    };
                    let must_be_empty = |destination: Destination| {
                        if value.is_empty() {
                            Ok(destination)
                        } else {
                            Err(at(
                                Code::TextInDestination,
                                format!("<{name}> contains the text \"{}\"", printable(&value)),
                                Some("write the text in <Destination>, or leave the element empty"),
                            ))
                        }
                    };
                    let option = match name.as_str() {
                        "Type" => {
                            let found = EntryType::from_literal(&value).ok_or_else(|| {
                                at(
Code::UnknownType,
                                    format!(
                                        "type \"{}\" does not exist; legal are {}",
                                        printable(&value),
                                        EntryType::LITERALS
                                    ),
                                    match value.as_str() {
                                        "Group" => Some(
                                            "write LocalGroup, GlobalGroup or UniversalGroup, as the group is",
                                        ),
                                        "DomainLocalGroup" => Some("write LocalGroup"),
                                        _ => None,
                                    },
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
                                return Err(at(
                                    Code::EmptySource,
                                    "<Source> is empty".to_owned(),
                                    None,
                                ));
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
                                Code::EmptyDestination,
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
                            Code::DuplicateDestination,
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
        let number = self.number;
        let missing = |code: Code, what: &str, hint: Option<&str>| MigTableError {
            code,
            row: Some(number),
            line: element.line,
            column: element.column,
            message: format!("Mapping without {what}"),
            hint: hint.map(str::to_owned),
        };
        let legal = format!("legal are {}", EntryType::LITERALS);
        let (kind, type_element) =
            kind.ok_or_else(|| missing(Code::MissingType, "<Type>", Some(&legal)))?;
        let (source, source_element) =
            source.ok_or_else(|| missing(Code::MissingSource, "<Source>", None))?;
        let (destination, destination_element) = destination.ok_or_else(|| {
            missing(
                Code::MissingDestination,
                "a destination",
                Some(
                    "add one of <Destination>, <DestinationSameAsSource />, <DestinationNone />, \
                     <DestinationByRelativeName />",
                ),
            )
        })?;
        Ok(Row {
            number,
            kind,
            source,
            destination,
            element,
            type_element,
            source_element,
            destination_element,
        })
    }

    /// Reads the text of an element whose start tag is the last event, without surrounding blanks, up to its end tag.
    fn leaf(&mut self, name: &str, empty: bool) -> Result<String, MigTableError> {
        let mut value = String::new();
        let mut open = !empty;
        while open {
            match self.step()? {
                XmlEvent::Text(text) => value.push_str(&text),
                XmlEvent::End => open = false,
                XmlEvent::Eof => return Err(self.unfinished(name)),
                XmlEvent::Start { name: inner, .. } => {
                    return Err(self.error(
                        Code::UnknownElement,
                        format!("element <{}> in <{name}>", printable(&inner)),
                        Some("the element may contain only text"),
                    ));
                }
            }
        }
        let value = value.trim_matches([' ', '\t', '\r', '\n']);
        if let Some(control) = value.chars().find(|&c| super::is_control(c)) {
            return Err(self.error(
                Code::ControlCharacter,
                format!(
                    "<{name}> contains the control character U+{:04X}",
                    u32::from(control)
                ),
                None,
            ));
        }
        Ok(value.to_owned())
    }

    /// The next event. After an error nothing more can be read.
    fn step(&mut self) -> Result<XmlEvent, MigTableError> {
        let step = self.next();
        match &step {
            Ok(XmlEvent::Start { empty: false, .. }) => self.depth = self.depth.saturating_add(1),
            Ok(XmlEvent::End) => self.depth = self.depth.saturating_sub(1),
            Ok(_) => {}
            Err(_) => self.lost = true,
        }
        step
    }

    fn next(&mut self) -> Result<XmlEvent, MigTableError> {
        loop {
            let start = self.offset();
            let event = self.reader.read_resolved_event();
            let step = match event {
                Err(error) => {
                    let offset =
                        usize::try_from(self.reader.error_position()).unwrap_or(usize::MAX);
                    self.span = offset.max(start)..offset.max(start);
                    return Err(self.error(
                        Code::NotXml,
                        format!("the file is not XML: {error}"),
                        None,
                    ));
                }
                Ok((namespace, Event::Start(tag))) => XmlEvent::Start {
                    name: tag.local_name().as_ref().to_owned(),
                    known: is_ours(&namespace),
                    empty: false,
                },
                Ok((namespace, Event::Empty(tag))) => XmlEvent::Start {
                    name: tag.local_name().as_ref().to_owned(),
                    known: is_ours(&namespace),
                    empty: true,
                },
                Ok((_, Event::End(_))) => XmlEvent::End,
                Ok((_, Event::Text(text))) => XmlEvent::Text(text.xml10_content().into_owned()),
                Ok((_, Event::CData(text))) => XmlEvent::Text(text.xml10_content().into_owned()),
                Ok((_, Event::GeneralRef(reference))) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(found)) => Some(found.to_string()),
                        Ok(None) => resolve_predefined_entity(&reference).map(str::to_owned),
                        Err(_) => None,
                    };
                    let name = reference.into_inner().into_owned();
                    self.span = start..self.offset();
                    match resolved {
                        Some(text) => XmlEvent::Text(text),
                        None => {
                            return Err(self.error(
                                Code::NotXml,
                                format!("entity &{}; does not exist", printable(&name)),
                                Some("write & as &amp;"),
                            ));
                        }
                    }
                }
                Ok((_, Event::DocType(_))) => {
                    self.span = start..self.offset();
                    return Err(self.error(
                        Code::NotXml,
                        "the file has a document type declaration".to_owned(),
                        Some("remove <!DOCTYPE …>; a migration table has none"),
                    ));
                }
                Ok((_, Event::Eof)) => XmlEvent::Eof,
                Ok((_, Event::Comment(_) | Event::PI(_) | Event::Decl(_))) => continue,
            };
            self.span = start..self.offset();
            return Ok(step);
        }
    }

    fn offset(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The element whose start tag is the last event.
    fn element(&mut self) -> Element {
        let (line, column) = self.position(self.span.start);
        Element {
            line,
            column,
            span: self.span.clone(),
        }
    }

    /// The line and column of an offset; offsets must be requested in ascending order.
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

    /// An error at the last event.
    fn error(&mut self, code: Code, message: String, hint: Option<&str>) -> MigTableError {
        let (line, column) = self.position(self.span.start);
        MigTableError {
            code,
            row: self.row(),
            line,
            column,
            message,
            hint: hint.map(str::to_owned),
        }
    }

    /// The number of the current `Mapping`.
    fn row(&self) -> Option<usize> {
        (self.depth > 1 && self.number > 0).then_some(self.number)
    }

    fn unfinished(&mut self, name: &str) -> MigTableError {
        self.lost = true;
        self.error(
            Code::CutOff,
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
                Code::TextBetweenElements,
                format!("text \"{}\" between the elements", printable(&shown)),
                None,
            ))
        }
    }
}

fn is_ours(namespace: &ResolveResult<'_>) -> bool {
    matches!(namespace, ResolveResult::Bound(Namespace(found)) if *found == NAMESPACE)
}
