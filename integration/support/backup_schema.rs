//! The schema of Backup.xml, bkupInfo.xml and manifest.xml, derived from real backups whose bytes are as GPMC wrote them:
//! elements, their order, attributes, namespaces, forms of text, encoding and line ends.
//!
//! Encoding, line ends and what is around the root element come from the backups with original bytes. Some elements occur in none
//! of those, so elements, attributes and their order come from all backups that GPMC wrote, with line ends that version control
//! changed counted as they were. The schema is read without the parsers of gpoctl.

#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The folders of the corpus whose files version control has not changed.
const ORIGINAL: &[&str] = &[
    "mslab-",
    "gpo-studio-",
    "detectionlab",
    "nsacyber-whsb",
    "ms-baselinemanagement",
    "partial-backups",
];

/// The folder of the corpus with backups that GPMC did not write.
const NOT_GPMC: &str = "lgpo-vdi";

/// The schema of one kind of file.
#[derive(Debug, Default)]
pub struct Schema {
    /// How many files it is derived from, and how many of them have original bytes.
    pub files: usize,
    pub originals: usize,
    /// What is before the root element, and after it.
    pub heads: BTreeSet<Vec<u8>>,
    pub tails: BTreeSet<Vec<u8>>,
    /// Per element, its attributes in order; those of a namespace, and those of the root, with their values.
    pub attributes: BTreeMap<Path2, BTreeSet<Vec<String>>>,
    /// Per element, which child occurs before which, and which one is the last.
    order: BTreeMap<Path2, BTreeSet<(String, String)>>,
    /// Per element, the children that every one of them has.
    always: BTreeMap<Path2, BTreeSet<String>>,
    /// Per element, the forms of its text.
    texts: BTreeMap<Path2, BTreeSet<TextForm>>,
    /// How lines end between the elements.
    line_ends: BTreeSet<&'static str>,
}

/// An element: its parent's name and its own. Folders nest to any depth, so the whole path would be too specific.
pub type Path2 = (String, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TextForm {
    /// `<x/>`
    SelfClosed,
    /// `<x></x>`
    Empty,
    Plain,
    CData,
    Children,
}

/// An element while it is read.
struct Open {
    path: Path2,
    children: Vec<String>,
    form: TextForm,
}

/// The structure of a file.
#[derive(Default)]
struct Facts {
    head: Vec<u8>,
    tail: Vec<u8>,
    attributes: Vec<(Path2, Vec<String>)>,
    children: Vec<(Path2, Vec<String>)>,
    texts: Vec<(Path2, TextForm)>,
    line_ends: BTreeSet<&'static str>,
}

fn attributes(start: &BytesStart<'_>, is_root: bool) -> Vec<String> {
    start
        .attributes()
        .map(|attribute| {
            let attribute = attribute.unwrap();
            let name = attribute.key.as_ref().to_owned();
            if is_root || name.starts_with("xmlns") {
                let value = attribute.value.to_string();
                format!("{name}={value}")
            } else {
                name
            }
        })
        .collect()
}

fn facts(bytes: &[u8]) -> Facts {
    let mut reader = Reader::from_reader(bytes);
    let mut facts = Facts::default();
    let mut open: Vec<Open> = Vec::new();
    let mut root_ends = None;
    loop {
        let before = usize::try_from(reader.buffer_position()).unwrap();
        let event = reader.read_event().unwrap();
        let after = usize::try_from(reader.buffer_position()).unwrap();
        let empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(start) | Event::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                if open.is_empty() {
                    assert!(root_ends.is_none());
                    facts.head = bytes[..before].to_vec();
                }
                let mut parent = String::new();
                if let Some(above) = open.last_mut() {
                    parent = above.path.1.clone();
                    above.form = TextForm::Children;
                    above.children.push(name.clone());
                }
                let is_root = open.is_empty();
                let path = (parent, name);
                facts
                    .attributes
                    .push((path.clone(), attributes(&start, is_root)));
                if empty {
                    facts.children.push((path.clone(), Vec::new()));
                    facts.texts.push((path, TextForm::SelfClosed));
                    if is_root {
                        root_ends = Some(after);
                    }
                } else {
                    open.push(Open {
                        path,
                        children: Vec::new(),
                        form: TextForm::Empty,
                    });
                }
            }
            Event::End(_) => {
                let done = open.pop().unwrap();
                facts.children.push((done.path.clone(), done.children));
                facts.texts.push((done.path, done.form));
                if open.is_empty() {
                    root_ends = Some(after);
                }
            }
            Event::CData(_) => {
                let element = open.last_mut().unwrap();
                element.form = TextForm::CData;
            }
            Event::Text(text) => {
                let text = (*text).to_owned();
                if let Some(element) = open.last_mut() {
                    if text.trim().is_empty() {
                        let lines = text.matches('\n').count();
                        let crlf = text.matches("\r\n").count();
                        if crlf > 0 {
                            facts.line_ends.insert("CR LF");
                        }
                        if crlf < lines || crlf < text.matches('\r').count() {
                            facts.line_ends.insert("CR or LF alone");
                        }
                    } else {
                        element.form = TextForm::Plain;
                    }
                }
            }
            Event::GeneralRef(_) => {
                if let Some(element) = open.last_mut() {
                    element.form = TextForm::Plain;
                }
            }
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) => {}
            other => panic!("{other:?}"),
        }
    }
    facts.tail = bytes[root_ends.unwrap()..].to_vec();
    facts
}

/// Every pair of children of which the first is before the second, and each child that is the last.
fn pairs(children: &[String]) -> BTreeSet<(String, String)> {
    // A run of one name counts once: how often an element occurs is content, not schema.
    let mut runs: Vec<&String> = children.iter().collect();
    runs.dedup();
    let mut found = BTreeSet::new();
    for (index, one) in runs.iter().enumerate() {
        found.insert(((*one).clone(), String::new()));
        for other in &runs[index + 1..] {
            found.insert(((*one).clone(), (*other).clone()));
        }
    }
    found
}

impl Schema {
    fn learn(&mut self, bytes: &[u8], original: bool) {
        let text = std::str::from_utf8(bytes).unwrap();
        let facts = if original || text.contains("\r\n") {
            facts(bytes)
        } else {
            facts(text.replace('\n', "\r\n").as_bytes())
        };
        self.files += 1;
        if original {
            self.originals += 1;
            self.heads.insert(facts.head);
            self.tails.insert(facts.tail);
            self.line_ends.extend(facts.line_ends);
        }
        for (path, attributes) in facts.attributes {
            self.attributes.entry(path).or_default().insert(attributes);
        }
        for (path, children) in facts.children {
            self.order
                .entry(path.clone())
                .or_default()
                .extend(pairs(&children));
            let names: BTreeSet<String> = children.into_iter().collect();
            self.always
                .entry(path)
                .and_modify(|always| always.retain(|name| names.contains(name)))
                .or_insert(names);
        }
        for (path, form) in facts.texts {
            self.texts.entry(path).or_default().insert(form);
        }
    }

    /// Everything in which a file does not match the schema.
    pub fn differences(&self, bytes: &[u8]) -> BTreeSet<String> {
        let facts = facts(bytes);
        let mut found = BTreeSet::new();
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !self.heads.contains(&facts.head) {
            found.insert(format!("head {:?}", shown(&facts.head)));
        }
        if !self.tails.contains(&facts.tail) {
            found.insert(format!("tail {:?}", shown(&facts.tail)));
        }
        for (path, attributes) in &facts.attributes {
            match self.attributes.get(path) {
                None => found.insert(format!("element {path:?}")),
                Some(known) if !known.contains(attributes) => {
                    found.insert(format!("attributes of {path:?}: {attributes:?}"))
                }
                Some(_) => false,
            };
        }
        for (path, children) in &facts.children {
            let (Some(order), Some(always)) = (self.order.get(path), self.always.get(path)) else {
                continue;
            };
            for pair in pairs(children).difference(order) {
                found.insert(format!("order in {path:?}: {pair:?}"));
            }
            for name in always.iter().filter(|name| !children.contains(name)) {
                found.insert(format!("{path:?} has no {name}"));
            }
        }
        for (path, form) in &facts.texts {
            // No real backup has a block without content, so its form is unknown.
            let empty_block = path.1 == "GroupPolicyExtension" && *form == TextForm::Empty;
            if !empty_block
                && self
                    .texts
                    .get(path)
                    .is_some_and(|known| !known.contains(form))
            {
                found.insert(format!("text of {path:?}: {form:?}"));
            }
        }
        for end in facts.line_ends.difference(&self.line_ends) {
            found.insert(format!("lines end in {end}"));
        }
        found
    }
}

/// Every file of this name below a folder, in any case.
pub fn all_named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_named(&path, name));
        } else if path.file_name().unwrap().eq_ignore_ascii_case(name) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The schemas of the three kinds of files.
pub fn schemas(corpus: &Path) -> BTreeMap<&'static str, Schema> {
    let mut schemas = BTreeMap::new();
    for kind in ["Backup.xml", "bkupInfo.xml", "manifest.xml"] {
        let schema: &mut Schema = schemas.entry(kind).or_default();
        for entry in std::fs::read_dir(corpus).unwrap() {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_str().unwrap();
            if name == NOT_GPMC || !folder.is_dir() {
                continue;
            }
            let original = ORIGINAL.iter().any(|original| name.starts_with(original));
            for path in all_named(&folder, kind) {
                schema.learn(&std::fs::read(&path).unwrap(), original);
            }
        }
    }
    schemas
}

/// Compares every file of a folder of backups with the schemas; returns how many there are.
pub fn assert_matches_schema(schemas: &BTreeMap<&'static str, Schema>, folder: &Path) -> usize {
    let mut files = 0;
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for (kind, schema) in schemas {
        for path in all_named(folder, kind) {
            files += 1;
            for difference in schema.differences(&std::fs::read(&path).unwrap()) {
                *found.entry(format!("{kind}: {difference}")).or_default() += 1;
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    files
}
