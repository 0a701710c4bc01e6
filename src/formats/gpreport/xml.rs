//! Indented XML as GPMC writes its reports: two spaces per level, CR LF, one element per line. Well-formed for any
//! text.

use std::collections::HashMap;

use crate::formats::text::push_utf16le;
use crate::formats::xml_tree::escape;
use crate::model::principal::Principal;
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;
use crate::model::well_known;

/// The namespace of the types shared by all reports.
pub(super) const TYPES: &str = "http://www.microsoft.com/GroupPolicy/Types";

/// A report writer.
pub(super) struct Report {
    text: String,
    /// The names of the open elements.
    open: Vec<String>,
    names: HashMap<Sid, String>,
    domain: Option<Sid>,
}

impl Report {
    /// Creates a report that uses the principal names of this snapshot and derives the domain's SID from them.
    pub(super) fn new(snapshot: &GpoSnapshot) -> Self {
        let domain = snapshot.principals.iter().find_map(|entry| {
            let dns_domain = &entry.principal.dns_domain;
            let here = dns_domain.eq_ignore_ascii_case(snapshot.domain.as_str());
            entry.principal.sid.as_ref().filter(|_| here)?.domain()
        });
        let names = snapshot
            .principals
            .iter()
            .filter_map(|entry| Some((entry.principal.sid.clone()?, name(&entry.principal)?)))
            .collect();
        Self {
            text: String::from("<?xml version=\"1.0\" encoding=\"utf-16\"?>"),
            open: Vec::new(),
            names,
            domain,
        }
    }

    /// The SID of the GPO's domain, if one of its principals contains it.
    pub(super) fn domain(&self) -> Option<&Sid> {
        self.domain.as_ref()
    }

    fn line(&mut self) {
        self.text.push_str("\r\n");
        self.text.push_str(&"  ".repeat(self.open.len()));
    }

    /// Opens an element; `tag` is its name, optionally followed by attributes that need no escaping.
    pub(super) fn open(&mut self, tag: &str) {
        self.line();
        self.text.push('<');
        self.text.push_str(tag);
        self.text.push('>');
        self.open.push(name_of(tag).to_owned());
    }

    /// Closes the innermost element.
    pub(super) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.line();
            self.text.push_str("</");
            self.text.push_str(&name);
            self.text.push('>');
        }
    }

    /// Writes an element with text.
    pub(super) fn leaf(&mut self, tag: &str, text: &str) {
        self.line();
        self.text.push('<');
        self.text.push_str(tag);
        if text.is_empty() {
            self.text.push_str(" />");
            return;
        }
        self.text.push('>');
        self.text.push_str(&escape(text));
        self.text.push_str("</");
        self.text.push_str(name_of(tag));
        self.text.push('>');
    }

    /// Writes an element with true or false.
    pub(super) fn flag(&mut self, tag: &str, value: bool) {
        self.leaf(tag, if value { "true" } else { "false" });
    }

    /// Writes a principal with its SID and name, as far as they are known.
    pub(super) fn principal(&mut self, tag: &str, sid: &Sid) {
        self.open(tag);
        self.leaf(&format!("SID xmlns=\"{TYPES}\""), &sid.to_string());
        let name = self.names.get(sid).cloned().or_else(|| full_name(sid));
        if let Some(name) = name {
            self.leaf(&format!("Name xmlns=\"{TYPES}\""), &name);
        }
        self.close();
    }

    /// Writes a principal of a list in GptTmpl.inf: `*SID` or a name.
    pub(super) fn listed_principal(&mut self, tag: &str, text: &str) {
        match text.strip_prefix('*').unwrap_or(text).parse::<Sid>() {
            Ok(sid) => self.principal(tag, &sid),
            Err(_) => {
                self.open(tag);
                self.leaf(&format!("Name xmlns=\"{TYPES}\""), text);
                self.close();
            }
        }
    }

    /// UTF-16LE with byte order mark, no line end after the root element.
    pub(super) fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        let mut bytes = vec![0xFF, 0xFE];
        push_utf16le(&mut bytes, &self.text);
        bytes
    }
}

/// The element name of a tag that may have attributes.
fn name_of(tag: &str) -> &str {
    tag.split(' ').next().unwrap_or(tag)
}

/// `DOMAIN\name`, as GPMC shows it.
fn name(principal: &Principal) -> Option<String> {
    let (domain, name) = (&principal.netbios_domain, &principal.sam_account_name);
    match (domain.is_empty(), name.is_empty()) {
        (_, true) => None,
        (true, false) => Some(name.clone()),
        (false, false) => Some(format!("{domain}\\{name}")),
    }
}

/// The name of a well-known principal with the authority before it.
fn full_name(sid: &Sid) -> Option<String> {
    let name = well_known::name_of(sid)?;
    let text = sid.to_string();
    Some(if text.starts_with("S-1-5-32-") {
        format!("BUILTIN\\{name}")
    } else if text.starts_with("S-1-5-") && !name.contains('\\') {
        format!("NT AUTHORITY\\{name}")
    } else {
        name.to_owned()
    })
}
