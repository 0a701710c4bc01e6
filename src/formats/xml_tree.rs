//! XML as a tree of elements, read within bounds: no document type, no entities of one's own, no endless depth.
//!
//! Names are resolved to their namespaces [Namespaces in XML 1.0]; comments and processing instructions are skipped. The tree
//! knows the place of everything in the text, so that a [`document::XmlDocument`] can be edited in place.

mod decode;
pub mod document;
mod name;
mod spelling;

pub use name::Name;

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use name::Names;

/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 64;
/// The largest document that is read, in bytes.
pub const MAX_BYTES: usize = 256 << 20;
/// The most elements, attributes and pieces of text that are read.
pub const MAX_NODES: usize = 4_000_000;
/// The most attributes one element may have.
pub const MAX_ATTRIBUTES: usize = 256;
/// The longest namespace name, in bytes: each element is compared with the one it is in.
pub const MAX_NAMESPACE: usize = 1024;

/// The bytes are not the XML document that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct InvalidXml {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Why.
    pub reason: String,
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The namespace; empty for none.
    pub namespace: Name,
    /// The name without prefix.
    pub name: Name,
    /// The attributes in order, without namespace declarations.
    pub attributes: Vec<Attribute>,
    /// Elements and text in order.
    pub children: Vec<Node>,
    /// The line of the start tag, from 1.
    pub line: usize,
    /// The column of the start tag, from 1.
    pub column: usize,
    /// Its place in the decoded text, tags included.
    span: Span,
    /// The place of what it holds in the decoded text; empty, at its end, for an element of one tag.
    content: Span,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The namespace; empty for none.
    pub namespace: Name,
    /// The name without prefix.
    pub name: Name,
    /// The value, entities replaced.
    pub value: String,
    /// The place of the value in the decoded text, without its quotes.
    span: Span,
}

impl Attribute {
    /// The place of the value in the text of [`parse_text`], without its quotes.
    pub fn value_range(&self) -> Range<usize> {
        self.span.range()
    }
}

/// A place in a decoded text, which is never longer than three times [`MAX_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        Self {
            start: offset_of(start),
            end: offset_of(end),
        }
    }

    fn range(self) -> Range<usize> {
        let [start, end] =
            [self.start, self.end].map(|offset| usize::try_from(offset).unwrap_or(usize::MAX));
        start..end
    }
}

fn offset_of(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// A part of the content of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An element. Boxed, so that short pieces of text between elements do not take the space of one.
    Element(Box<Element>),
    /// Text, entities replaced.
    Text(String),
    /// A CDATA section.
    CData(String),
}

impl Element {
    /// The child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element.as_ref()),
            Node::Text(_) | Node::CData(_) => None,
        })
    }

    /// The child elements of this name in this element's own namespace.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.elements()
            .filter(move |child| child.name == name && child.namespace == self.namespace)
    }

    /// The text in it: all pieces joined; without the blanks around CDATA sections when there is one.
    pub fn text(&self) -> String {
        let has_cdata = self
            .children
            .iter()
            .any(|node| matches!(node, Node::CData(_)));
        self.children
            .iter()
            .filter_map(|node| match node {
                Node::CData(text) => Some(text.as_str()),
                Node::Text(text) if !(has_cdata && text.trim().is_empty()) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The text of the first child of this name; empty when there is none.
    pub fn child_text(&self, name: &str) -> String {
        self.named(name).next().map(Self::text).unwrap_or_default()
    }

    /// The value of an attribute in this element's namespace or in none.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| {
                attribute.name == name
                    && (attribute.namespace == self.namespace || attribute.namespace.is_empty())
            })
            .map(|attribute| attribute.value.as_str())
    }

    /// The place of what it holds in the text of [`parse_text`].
    pub fn content_range(&self) -> Range<usize> {
        self.content.range()
    }

    /// An error at this element's start tag.
    pub fn error(&self, reason: impl Into<String>) -> InvalidXml {
        InvalidXml {
            line: self.line,
            column: self.column,
            reason: reason.into(),
        }
    }

    /// This element if it has this name and namespace.
    ///
    /// # Errors
    /// When it has another one.
    pub fn expect(&self, namespace: &str, name: &str) -> Result<&Self, InvalidXml> {
        if self.namespace == namespace && self.name == name {
            Ok(self)
        } else {
            Err(self.error(format!(
                "<{}> instead of <{name}> of {namespace}",
                self.name.escape_debug()
            )))
        }
    }
}

/// Reads a document and returns its root. UTF-8 and UTF-16 are recognised by byte order mark or first character, other
/// encodings by the XML declaration.
///
/// # Errors
/// When the bytes are not well-formed XML, have a document type or an entity other than the five of XML, or exceed one of
/// the bounds of this module; with line and column.
pub fn parse(bytes: &[u8]) -> Result<Element, InvalidXml> {
    if bytes.len() > MAX_BYTES {
        return Err(at_start(format!("{} bytes are too many", bytes.len())));
    }
    let (_, text) = decode::decode(bytes).map_err(at_start)?;
    Builder::new(&text).run()
}

/// Reads a document that is decoded already, as [`parse`].
///
/// # Errors
/// As [`parse`].
pub fn parse_text(text: &str) -> Result<Element, InvalidXml> {
    if text.len() > MAX_BYTES {
        return Err(at_start(format!("{} bytes are too many", text.len())));
    }
    Builder::new(text).run()
}

/// The value of an attribute as it is spelled between its quotes; unchanged when it is not well-formed.
pub fn attribute_value(spelled: &str) -> Cow<'_, str> {
    if !spelled.contains('&') {
        return Cow::Borrowed(spelled);
    }
    spelling::value(spelled, spelling::Setting::Attribute('"'))
        .map_or(Cow::Borrowed(spelled), Cow::Owned)
}

fn at_start(reason: String) -> InvalidXml {
    InvalidXml {
        line: 1,
        column: 1,
        reason,
    }
}

/// An element whose end was not read yet.
struct Open {
    element: Element,
    /// Where its children begin among those of all open elements.
    children: usize,
}

struct Builder<'a> {
    text: &'a str,
    reader: NsReader<&'a [u8]>,
    names: Names,
    open: Vec<Open>,
    /// The children of all open elements, those of the innermost last. A list for each element would grow beyond what it holds.
    pending: Vec<Node>,
    root: Option<Element>,
    nodes: usize,
    /// How far lines are counted: a byte offset, its line, and where that line starts, so that a document is counted once.
    counted: (usize, usize, usize),
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            reader: NsReader::from_str(text),
            names: Names::default(),
            open: Vec::new(),
            pending: Vec::new(),
            root: None,
            nodes: 0,
            counted: (0, 1, 0),
        }
    }

    fn run(mut self) -> Result<Element, InvalidXml> {
        loop {
            let before = self.offset();
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.error(before, &error.to_string())),
            };
            match event {
                Event::Start(start) => self.start(before, &start)?,
                Event::Empty(start) => {
                    self.start(before, &start)?;
                    self.end(self.offset());
                }
                Event::End(_) => self.end(before),
                Event::Text(text) => {
                    let text = text.xml10_content().into_owned();
                    self.add_text(before, &text)?;
                }
                Event::CData(data) => {
                    let text = data.into_inner().replace("\r\n", "\n").replace('\r', "\n");
                    self.add(before, Node::CData(text))?;
                }
                Event::GeneralRef(name) => {
                    let text = resolve(&name.into_inner()).ok_or_else(|| {
                        self.error(before, "this entity is not one of the five of XML")
                    })?;
                    self.add_text(before, &text)?;
                }
                Event::DocType(_) => {
                    return Err(self.error(before, "a document type is not accepted"));
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => {
                    let end = self.text.len();
                    if let Some(open) = self.open.last() {
                        let reason =
                            format!("<{}> is not closed", open.element.name.escape_debug());
                        return Err(self.error(end, &reason));
                    }
                    return match self.root.take() {
                        Some(root) => Ok(root),
                        None => Err(self.error(end, "there is no element")),
                    };
                }
            }
        }
    }

    fn offset(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn position(&mut self, offset: usize) -> (usize, usize) {
        let (from, line, line_start) = if offset < self.counted.0 {
            (0, 1, 0)
        } else {
            self.counted
        };
        let passed = self.text.get(from..offset).unwrap_or_default();
        let line = line + passed.matches('\n').count();
        let line_start = passed.rfind('\n').map_or(line_start, |at| from + at + 1);
        self.counted = (offset, line, line_start);
        // Counting the characters of a line of megabytes for each of its elements would take for ever; far out, a column
        // is a number of bytes.
        let column = match offset.saturating_sub(line_start) {
            bytes @ 4096.. => bytes,
            bytes => self
                .text
                .get(line_start..offset)
                .map_or(bytes, |before| before.chars().count()),
        };
        (line, column + 1)
    }

    fn error(&mut self, offset: usize, reason: &str) -> InvalidXml {
        let (line, column) = self.position(offset);
        InvalidXml {
            line,
            column,
            reason: reason.to_owned(),
        }
    }

    fn count(&mut self, offset: usize) -> Result<(), InvalidXml> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.error(offset, "the document has too many parts"));
        }
        Ok(())
    }

    fn start(&mut self, offset: usize, start: &BytesStart<'_>) -> Result<(), InvalidXml> {
        self.count(offset)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(self.error(offset, "elements are nested too deep"));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.error(offset, "there is a second root element"));
        }
        let (namespace, name) = self.reader.resolver().resolve_element(start.name());
        let namespace = match shared(&mut self.names, namespace) {
            Ok(namespace) => namespace,
            Err(reason) => return Err(self.error(offset, &reason)),
        };
        let name = self.names.share(name.into_inner());
        let attributes = self.attributes(offset, start)?;
        let (line, column) = self.position(offset);
        self.open.push(Open {
            element: Element {
                namespace,
                name,
                attributes,
                children: Vec::new(),
                line,
                column,
                span: Span::new(offset, self.offset()),
                content: Span::new(self.offset(), self.offset()),
            },
            children: self.pending.len(),
        });
        Ok(())
    }

    fn attributes(
        &mut self,
        offset: usize,
        start: &BytesStart<'_>,
    ) -> Result<Vec<Attribute>, InvalidXml> {
        let mut attributes = Vec::new();
        for (number, attribute) in start.attributes().enumerate() {
            self.count(offset)?;
            if number >= MAX_ATTRIBUTES {
                return Err(self.error(offset, "an element has too many attributes"));
            }
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(error) => return Err(self.error(offset, &error.to_string())),
            };
            if attribute.value.contains('<') {
                return Err(self.error(offset, "the value of an attribute contains a <"));
            }
            let key = attribute.key.into_inner();
            if key == "xmlns" || key.starts_with("xmlns:") {
                continue;
            }
            let (namespace, name) = self.reader.resolver().resolve_attribute(attribute.key);
            let namespace = match shared(&mut self.names, namespace) {
                Ok(namespace) => namespace,
                Err(reason) => return Err(self.error(offset, &reason)),
            };
            let name = self.names.share(name.into_inner());
            let value = match attribute.normalized_value(XmlVersion::Implicit1_0) {
                Ok(value) => value.into_owned(),
                Err(error) => return Err(self.error(offset, &error.to_string())),
            };
            let span = span_of(self.text, &attribute.value)
                .ok_or_else(|| self.error(offset, "the place of an attribute is not known"))?;
            attributes.push(Attribute {
                namespace,
                name,
                value,
                span,
            });
        }
        attributes.shrink_to_fit();
        Ok(attributes)
    }

    /// Closes the innermost element; what it holds ends at `offset`, and it itself at the reader's position.
    fn end(&mut self, offset: usize) {
        let Some(Open {
            mut element,
            children,
        }) = self.open.pop()
        else {
            return;
        };
        element.content.end = offset_of(offset);
        element.span.end = offset_of(self.offset());
        if children < self.pending.len() {
            element.children = self.pending.drain(children..).collect();
        }
        if self.open.is_empty() {
            self.root = Some(element);
        } else {
            self.pending.push(Node::Element(Box::new(element)));
        }
    }

    /// Adds text to the text before it, so that entities do not split it.
    fn add_text(&mut self, offset: usize, text: &str) -> Result<(), InvalidXml> {
        if let Some(Open { children, .. }) = self.open.last()
            && let Some(own) = self.pending.get_mut(*children..)
            && let Some(Node::Text(before)) = own.last_mut()
        {
            before.push_str(text);
            return Ok(());
        }
        self.add(offset, Node::Text(text.to_owned()))
    }

    fn add(&mut self, offset: usize, node: Node) -> Result<(), InvalidXml> {
        self.count(offset)?;
        match &node {
            _ if !self.open.is_empty() => self.pending.push(node),
            Node::Text(text) if text.trim().is_empty() => {}
            _ => return Err(self.error(offset, "there is text outside the root element")),
        }
        Ok(())
    }
}

/// The namespace behind a prefix, or why there is none.
fn shared(names: &mut Names, namespace: ResolveResult<'_>) -> Result<Name, String> {
    match namespace {
        ResolveResult::Unbound => Ok(names.share("")),
        ResolveResult::Bound(namespace) => match namespace.into_inner() {
            long if long.len() > MAX_NAMESPACE => Err(format!(
                "a namespace name is longer than {MAX_NAMESPACE} bytes"
            )),
            name => Ok(names.share(name)),
        },
        ResolveResult::Unknown(prefix) => Err(format!(
            "the prefix {} is not declared",
            prefix.escape_debug()
        )),
    }
}

/// The place of `part`, borrowed from `text`, in it.
fn span_of(text: &str, part: &str) -> Option<Span> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (text.get(start..end)? == part).then(|| Span::new(start, end))
}

/// The character behind one of the five entities of XML, or behind a character reference.
fn resolve(name: &str) -> Option<String> {
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    u32::from_str_radix(hex, 16).ok()?
                }
                None if number.bytes().all(|b| b.is_ascii_digit()) => number.parse().ok()?,
                _ => return None,
            };
            char::from_u32(code).filter(|character| *character != '\0')?
        }
    };
    Some(character.to_string())
}

/// Text as a CDATA section; `]]>` in it is split over two. Text with carriage returns is escaped instead: in a section, they are read
/// as line feeds [XML 1.0 2.11]. Characters that XML 1.0 cannot hold become U+FFFD.
pub fn cdata(text: &str) -> String {
    if text.contains('\r') {
        return escape(text);
    }
    format!(
        "<![CDATA[{}]]>",
        representable(text).replace("]]>", "]]]]><![CDATA[>")
    )
}

/// Text for an attribute in double quotes or for the content of an element. Characters that XML 1.0 cannot hold become
/// U+FFFD.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in representable(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' => escaped.push_str("&#x9;"),
            '\n' => escaped.push_str("&#xA;"),
            '\r' => escaped.push_str("&#xD;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The text with U+FFFD in place of characters that XML 1.0 does not allow.
fn representable(text: &str) -> String {
    let shown = |character| {
        if is_xml(character) {
            character
        } else {
            '\u{fffd}'
        }
    };
    text.chars().map(shown).collect()
}

/// Whether XML 1.0 can hold the character [XML 1.0 2.2].
fn is_xml(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
