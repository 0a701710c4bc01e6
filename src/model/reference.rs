//! References: security principals and UNC paths in a snapshot, with their exact places.

use std::fmt;

use super::principal::PrincipalType;
use super::shared_text::SharedText;
use super::sid::Sid;

/// The location of something, precise enough to find it by eye.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The file below the GPO's folder with backslashes, or another object such as `migration table` or a DN.
    pub file: SharedText,
    /// The section of an INI file, the key of a Registry.pol record, the path of an XML element, or the part of a security descriptor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub section: Option<SharedText>,
    /// The key, value name or attribute.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<SharedText>,
    /// The line of a text file, the record of a binary file, the value of an attribute, or the entry of an access list; from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u64>,
}

impl Place {
    /// A place that is a whole file or object. A name of more than 1,000 bytes is truncated.
    pub fn file(file: impl Into<SharedText>) -> Self {
        Self {
            file: cut(file.into()),
            ..Self::default()
        }
    }

    /// Adds the section, truncated to 1,000 bytes.
    #[must_use]
    pub fn section(mut self, section: impl Into<SharedText>) -> Self {
        self.section = Some(cut(section.into()));
        self
    }

    /// Adds the key, truncated to 1,000 bytes.
    #[must_use]
    pub fn key(mut self, key: impl Into<SharedText>) -> Self {
        self.key = Some(cut(key.into()));
        self
    }

    /// Adds the line, from 1.
    #[must_use]
    pub fn line(mut self, line: usize) -> Self {
        self.line = u64::try_from(line).ok();
        self
    }
}

/// The longest file, section or key of a place, in bytes: a longer one could not be read anyway.
const MAX_NAME: usize = 1000;

fn cut(name: SharedText) -> SharedText {
    let end = name.floor_char_boundary(MAX_NAME);
    match name.get(..end).filter(|_| end < name.len()) {
        Some(beginning) => format!("{beginning}\u{2026}").into(),
        None => name,
    }
}

impl fmt::Display for Place {
    /// `file:line [section] key`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(section) = &self.section {
            write!(f, " [{section}]")?;
        }
        if let Some(key) = &self.key {
            write!(f, " {key}")?;
        }
        Ok(())
    }
}

/// The kind of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReferenceKind {
    /// A security principal, by SID or by name.
    Principal,
    /// A UNC path.
    Unc,
}

/// Whether GPMC maps references in a place.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scope {
    /// GPMC inventories and maps it.
    Gpmc,
    /// Only gpoctl finds it.
    All,
}

/// One reference of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reference {
    /// Its target.
    pub kind: ReferenceKind,
    /// The text, without the `*` that marks a SID in GptTmpl.inf.
    pub value: String,
    /// The SID, when the text is a SID or the source resolves the name to one.
    pub sid: Option<Sid>,
    /// The name, when the text is a name or the backup's SecurityGroups contain one: `DOMAIN\name` or a bare name.
    pub name: Option<SharedText>,
    /// The type of the principal, if the source gives one.
    #[serde(rename = "type")]
    pub principal_type: Option<PrincipalType>,
    /// Its location.
    pub place: Place,
    /// Whether GPMC maps this place.
    pub scope: Scope,
    /// Whether it is in the permissions of a package, not in a setting. Only a restore and a copy that preserves
    /// permissions transfer it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub from_dacl: bool,
}
