//! What a GPO sets, as an administrator knows it: "Minimum password length: 14 characters" instead of a line of GptTmpl.inf.
//!
//! [`of`] decodes the files of a snapshot. Each [`Setting`] has its configuration, extension, category, name, state and values,
//! and the place that it comes from. A file that is not decoded is listed in [`Settings::not_decoded`] with its size and hash, so
//! nothing is left out. [`diff`] compares two lists.
//!
//! ```
//! use gpoctl::model::snapshot::GpoSnapshot;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut gpo = GpoSnapshot::new("{11111111-2222-3333-4444-555555555555}".parse()?, "src.test".parse()?, "Passwords");
//! let template = "[System Access]\r\nMinimumPasswordLength = 15\r\n";
//! gpo.tree.insert_file(&r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf".parse()?, template.into());
//! let setting = &gpoctl::settings::of(&gpo).settings[0];
//! assert_eq!(setting.name, *"Minimum password length");
//! assert_eq!(setting.value_text(), "15 characters");
//! # Ok(())
//! # }
//! # example().unwrap();
//! ```

mod audit;
pub mod diff;
mod firewall;
mod preferences;
mod redirection;
mod registry;
mod scripts;
mod security;
pub(crate) mod software;
pub mod templates;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;

use crate::formats::comment_cmtx::Comments;
use crate::formats::gpo_cmt::GpoComment;
use crate::migration::references::GptFileFormat;
use crate::model::digest::{hex, sha256};
use crate::model::gpt_tree::GptTree;
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;
use crate::model::shared_text::SharedText;
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;
use crate::model::well_known;
use templates::Templates;

/// The most settings of one file that are decoded: a file with more is listed as not decoded. Real files have a few thousand.
pub const MAX_SETTINGS: usize = 16_000;

/// The text that the settings of a file may have for each byte of it, and besides: in a hostile file, a long name of a section or
/// an element would be repeated in each setting.
const TEXT_PER_BYTE: usize = 16;
const MORE_TEXT: usize = 4 << 20;

/// What a GPO sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Settings {
    /// The settings: by configuration, extension and file, in the order of the file.
    pub settings: Vec<Setting>,
    /// The files that were not decoded, by path.
    pub not_decoded: Vec<NotDecoded>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// Its configuration.
    pub half: Half,
    /// The extension that it belongs to.
    pub extension: Extension,
    /// Its category in the editor, from the outermost one inwards, separated by `/`; the key of a registry value without template.
    pub category: SharedText,
    /// Its name in the editor, or the name of the value where that is not known.
    pub name: SharedText,
    /// What identifies it among the settings of its configuration and extension, whatever its values.
    pub id: SharedText,
    /// What it does.
    pub state: State,
    /// Its values.
    pub values: Vec<Value>,
    /// The comment of the administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where it comes from.
    pub place: Place,
    /// Its form in the file; empty where the values have everything, or where it could contain a password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub raw: String,
}

/// The configuration that a setting belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Half {
    /// Neither: the GPO as a whole.
    Gpo,
    /// The computer configuration.
    Computer,
    /// The user configuration.
    User,
}

impl Half {
    /// For the user.
    pub fn label(self) -> &'static str {
        match self {
            Self::Gpo => "GPO",
            Self::Computer => "Computer",
            Self::User => "User",
        }
    }

    /// The half of a file below the GPO's folder.
    fn of(path: &RelPath) -> Self {
        match path.folded().split('/').next() {
            Some("machine") => Self::Computer,
            Some("user") => Self::User,
            _ => Self::Gpo,
        }
    }
}

/// The extension that a setting belongs to, under the name that GPMC has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Extension {
    /// The GPO itself.
    Gpo,
    /// GptTmpl.inf [MS-GPSB].
    Security,
    /// audit.csv [MS-GPAC].
    AdvancedAudit,
    /// Registry.pol [MS-GPREG]: policies of administrative templates.
    AdministrativeTemplates,
    /// Registry.pol [MS-GPREG]: values that no administrative template describes.
    Registry,
    /// Rules of Windows Defender Firewall [MS-GPFAS].
    Firewall,
    /// fdeploy.ini and fdeploy1.ini [MS-GPFR].
    FolderRedirection,
    /// scripts.ini and psscripts.ini [MS-GPSCR].
    Scripts,
    /// Packages in the class store [MS-GPSI].
    SoftwareInstallation,
    /// Other policies in the directory, such as `Printer Connections` [MS-GPDPC] [MS-GPWL] [MS-GPIPSEC].
    Directory(&'static str),
    /// Preferences [MS-GPPREF] of a kind, such as `Drive Maps`.
    Preferences(&'static str),
}

impl Extension {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpo => "GPO",
            Self::Security => "Security",
            Self::AdvancedAudit => "Advanced Audit Configuration",
            Self::AdministrativeTemplates => "Administrative Templates",
            Self::Registry => "Registry values",
            Self::Firewall => "Windows Firewall",
            Self::FolderRedirection => "Folder Redirection",
            Self::Scripts => "Scripts",
            Self::SoftwareInstallation => "Software Installation",
            Self::Directory(kind) | Self::Preferences(kind) => kind,
        }
    }
}

impl serde::Serialize for Extension {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What a setting does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Sets its values.
    Configured,
    /// Is enabled, with its values if it has any.
    Enabled,
    /// Is disabled.
    Disabled,
    /// Deletes what it names on the client.
    Deletes,
}

impl State {
    /// For the user.
    pub fn label(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Deletes => "deleted on the client",
        }
    }
}

/// One value of a setting.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Value {
    /// Its name; empty for the only value of a setting.
    #[serde(skip_serializing_if = "is_empty")]
    pub name: SharedText,
    /// The value.
    #[serde(rename = "value")]
    pub data: Data,
    /// The unit of a number, in the plural.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// The type of a registry value, such as `REG_DWORD`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub value_type: Option<Cow<'static, str>>,
}

fn is_empty(text: &SharedText) -> bool {
    text.as_str().is_empty()
}

/// The content of a value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Data {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// What a value means, in the words of the editor.
    Word(Cow<'static, str>),
    /// A text of the file.
    Text(String),
    /// Texts of the file. Their order counts.
    List(Vec<String>),
    /// Principals. Their order does not count, so they are sorted.
    Principals(Vec<Principal>),
    /// Permissions.
    Permissions {
        /// As in the file.
        sddl: String,
        /// A line for each entry.
        entries: Vec<String>,
    },
    /// Bytes that are not text.
    Bytes {
        /// How many.
        size: usize,
        /// Their SHA-256, in hexadecimal.
        sha256: String,
        /// The first of them, in hexadecimal.
        hex: String,
    },
}

/// How many bytes of a binary value are kept as they are.
const SHOWN_BYTES: usize = 64;

impl Data {
    /// Bytes, of which the first are kept.
    fn bytes(bytes: &[u8]) -> Self {
        let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
        Self::Bytes {
            size: bytes.len(),
            sha256: sha256(bytes),
            hex: hex(shown),
        }
    }
}

/// A principal of a setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[non_exhaustive]
pub struct Principal {
    /// Its name: of the snapshot or of a well-known SID, or that of the file where it has no SID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<SharedText>,
    /// Its SID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<Sid>,
}

/// A file that was not decoded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct NotDecoded {
    /// Its path below the GPO's folder.
    pub path: RelPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Why: part of a sentence.
    pub reason: String,
}

/// Decodes the settings of a snapshot, with the names of principals that it contains. Registry values have the names of their keys.
pub fn of(snapshot: &GpoSnapshot) -> Settings {
    of_with(snapshot, &Templates::default())
}

/// As [`of`], with the policies of these templates in place of their registry values.
pub fn of_with(snapshot: &GpoSnapshot, templates: &Templates) -> Settings {
    let mut all = of_tree(&snapshot.tree, &names_of(snapshot), templates);
    all.settings
        .extend(software::of_objects(&snapshot.directory_objects));
    all.settings
        .sort_by_key(|setting| (setting.half, setting.extension));
    all
}

/// Decodes the settings in the files of a GPO; others are in the directory.
pub(crate) fn of_tree(tree: &GptTree, names: &Names, templates: &Templates) -> Settings {
    let mut all = Settings::default();
    for (path, content) in tree.files() {
        match decoded(path, content, names, templates) {
            Ok(settings) => all.settings.extend(settings),
            Err(reason) => all.not_decoded.push(NotDecoded {
                path: path.clone(),
                size: u64::try_from(content.len()).unwrap_or(u64::MAX),
                sha256: sha256(content),
                reason,
            }),
        }
    }
    all.settings
        .sort_by_key(|setting| (setting.half, setting.extension));
    all
}

/// The settings of one file.
///
/// # Errors
/// Why it is not decoded.
fn decoded(
    path: &RelPath,
    content: &Bytes,
    names: &Names,
    templates: &Templates,
) -> Result<Vec<Setting>, String> {
    let format = GptFileFormat::of(path).ok_or("not a settings file")?;
    let mut file = File {
        half: Half::of(path),
        path: path.to_string().into(),
        names,
        templates,
        found: Vec::new(),
        room: content
            .len()
            .saturating_mul(TEXT_PER_BYTE)
            .saturating_add(MORE_TEXT),
        is_full: false,
    };
    match format {
        GptFileFormat::RegistryPol => registry::decode(&mut file, content)?,
        GptFileFormat::GptTmpl => security::decode(&mut file, content)?,
        GptFileFormat::AuditCsv => audit::decode(&mut file, content)?,
        GptFileFormat::Scripts | GptFileFormat::PsScripts => scripts::decode(&mut file, content)?,
        GptFileFormat::Fdeploy | GptFileFormat::Fdeploy1 => {
            redirection::decode(&mut file, content)?;
        }
        GptFileFormat::Preferences => preferences::decode(&mut file, content)?,
        GptFileFormat::CommentCmtx => comments(&mut file, content)?,
        GptFileFormat::GpoCmt => comment(&mut file, content)?,
        GptFileFormat::GpeIni => return Err("written by the editor, without settings".to_owned()),
        _ => return Err("the format is not decoded".to_owned()),
    }
    if file.is_full {
        return Err(match file.found.len() {
            MAX_SETTINGS => format!("more than {MAX_SETTINGS} settings"),
            _ => "its settings have too much text".to_owned(),
        });
    }
    Ok(file.found)
}

/// The comment of the GPO.
fn comment(file: &mut File<'_>, content: &Bytes) -> Result<(), String> {
    let comment = GpoComment::parse(content).map_err(|error| error.to_string())?;
    file.push(New {
        extension: Extension::Gpo,
        category: "".into(),
        name: "Comment".into(),
        id: "comment".into(),
        place: Place::file(&file.path),
        values: vec![Value::of(Data::Text(comment.text.clone()))],
        ..New::default()
    });
    Ok(())
}

/// The comments on policies of administrative templates.
fn comments(file: &mut File<'_>, content: &Bytes) -> Result<(), String> {
    let comments = Comments::parse(content).map_err(|error| error.to_string())?;
    for (id, text) in comments.strings {
        file.push(New {
            extension: Extension::AdministrativeTemplates,
            category: "Comments".into(),
            name: id.as_str().into(),
            id: format!("comment {id}").to_lowercase().into(),
            place: Place::file(&file.path).key(id),
            values: vec![Value::of(Data::Text(text))],
            ..New::default()
        });
        if file.is_full {
            break;
        }
    }
    Ok(())
}

/// A file that is decoded.
struct File<'a> {
    half: Half,
    path: SharedText,
    names: &'a Names,
    templates: &'a Templates,
    found: Vec<Setting>,
    /// How much more text its settings may have, in bytes.
    room: usize,
    /// Whether it has more settings or text than is decoded.
    is_full: bool,
}

/// A setting of a file, without what all settings of the file have in common.
struct New {
    extension: Extension,
    category: SharedText,
    name: SharedText,
    id: SharedText,
    state: State,
    values: Vec<Value>,
    place: Place,
    raw: String,
}

impl Default for New {
    fn default() -> Self {
        Self {
            extension: Extension::Gpo,
            category: SharedText::default(),
            name: SharedText::default(),
            id: SharedText::default(),
            state: State::Configured,
            values: Vec::new(),
            place: Place::default(),
            raw: String::new(),
        }
    }
}

impl File<'_> {
    fn push(&mut self, new: New) {
        let room = self.room.checked_sub(new.text_size());
        let (Some(room), true) = (room, self.found.len() < MAX_SETTINGS) else {
            self.is_full = true;
            return;
        };
        self.room = room;
        self.found.push(new.of(self.half));
    }
}

impl New {
    /// The setting of a half.
    fn of(self, half: Half) -> Setting {
        Setting {
            half,
            extension: self.extension,
            category: self.category,
            name: self.name,
            id: self.id,
            state: self.state,
            values: self.values,
            comment: None,
            place: self.place,
            raw: self.raw,
        }
    }

    /// The size of its text, in bytes, and of all values but one: an element of a hostile file can have a million of them.
    fn text_size(&self) -> usize {
        let more = self.values.len().saturating_sub(1);
        let more = more.saturating_mul(size_of::<Value>());
        let place = [&self.place.section, &self.place.key];
        let values = self.values.iter().map(Value::text_size);
        place
            .into_iter()
            .flatten()
            .chain([&self.category, &self.name, &self.id])
            .map(|text| text.len())
            .chain([self.raw.len(), more])
            .chain(values)
            .fold(0, usize::saturating_add)
    }
}

impl Value {
    /// The size of its text, in bytes.
    fn text_size(&self) -> usize {
        let texts = |texts: &[String]| {
            texts
                .iter()
                .map(|text| text.len().saturating_add(size_of::<String>()))
                .fold(0, usize::saturating_add)
        };
        let data = match &self.data {
            Data::Flag(_) | Data::Number(_) | Data::Bytes { .. } => 0,
            Data::Word(word) => word.len(),
            Data::Text(text) => text.len(),
            Data::List(list) => texts(list),
            Data::Permissions { sddl, entries } => sddl.len().saturating_add(texts(entries)),
            Data::Principals(list) => list
                .iter()
                .map(|one| one.name.as_ref().map_or(0, |name| name.len()))
                .map(|name| name.saturating_add(size_of::<Principal>()))
                .fold(0, usize::saturating_add),
        };
        self.name.len().saturating_add(data)
    }

    /// A value without name, unit and type.
    fn of(data: Data) -> Self {
        Self {
            name: SharedText::default(),
            data,
            unit: None,
            value_type: None,
        }
    }

    /// The same with a name.
    fn named(name: impl Into<SharedText>, data: Data) -> Self {
        Self {
            name: name.into(),
            ..Self::of(data)
        }
    }

    /// Adds the unit, in the plural.
    fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }
}

/// The names of principals, by SID.
pub type Names = BTreeMap<Sid, String>;

/// The names that a snapshot contains.
fn names_of(snapshot: &GpoSnapshot) -> Names {
    let accounts = snapshot.principals.iter().map(|entry| &entry.principal);
    accounts
        .filter_map(|account| Some((account.sid.clone()?, account.down_level_name())))
        .filter(|(_, name)| !name.is_empty())
        .collect()
}

impl Principal {
    /// The principal with this SID.
    fn of_sid(sid: Sid, names: &Names) -> Self {
        let known = names.get(&sid).map(String::as_str);
        let name = known.or_else(|| well_known::name_of(&sid));
        Self {
            name: name.map(SharedText::from),
            sid: Some(sid),
        }
    }

    /// A principal of a list in GptTmpl.inf: `*SID` or a name.
    fn listed(text: &str, names: &Names) -> Self {
        match text.strip_prefix('*').unwrap_or(text).parse::<Sid>() {
            Ok(sid) => Self::of_sid(sid, names),
            Err(_) => Self {
                name: Some(text.into()),
                sid: None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
