//! `gpoctl.json`, a file of gpoctl's own in each backup it writes: the hash of every file, where the backup came from, and
//! what GPMC's format has no place for. GPMC does not look at it.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::value::RawValue;

use super::folder::Folder;
use super::names;
use crate::formats::preferences::passwords::{Search, search};
use crate::message::{Code, StatusMessage, printable};
use crate::model::backup_context::{BackupContext, LinkRecord};
use crate::model::digest::sha256;
use crate::model::directory_object::DirectoryObject;
use crate::model::reference::Place;
use crate::model::sid::Sid;
use crate::model::snapshot::GpoSnapshot;
use crate::model::version::GpoVersion;

/// The largest side file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// The version of the form of the side file that is written and known here.
const FORMAT_VERSION: u32 = 1;

/// The content of `gpoctl.json`. It may only grow.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct SideFile {
    pub(super) format_version: u32,
    /// Name and version of the program that wrote the backup.
    pub(super) tool: String,
    pub(super) domain_controller: String,
    /// `Version` of GPT.INI; `None` when the GPO had none.
    pub(super) sysvol_version: Option<GpoVersion>,
    pub(super) directory_version: GpoVersion,
    /// UTC, as in bkupInfo.xml.
    pub(super) backup_time: String,
    /// The SIDs of owner and group of the GPO's object.
    pub(super) owner: Option<Sid>,
    pub(super) group: Option<Sid>,
    pub(super) when_created: String,
    pub(super) when_changed: String,
    /// GPT.INI in base64.
    pub(super) gpt_ini: Option<String>,
    /// Where the GPO was linked; `None` when that was not read.
    pub(super) links: Option<Vec<LinkRecord>>,
    /// The linked WMI filter with all its attributes.
    pub(super) wmi_filter: Option<DirectoryObject>,
    /// What could not be read; with any of these the backup is partial.
    pub(super) unread: Vec<StatusMessage>,
    /// By path below the backup's folder, with forward slashes: every file but this one.
    pub(super) files: BTreeMap<String, FileHash>,
    /// The objects below the GPO that are not part of a saved class store.
    pub(super) other_directory_objects: Vec<DirectoryObject>,
    /// The files that hold a stored password (MS14-025), by path below the GPO's folder.
    pub(super) stored_passwords: Vec<String>,
}

impl SideFile {
    /// The side file of a backup of this GPO, made at `backup_time`.
    pub(super) fn new(
        snapshot: &GpoSnapshot,
        context: &BackupContext,
        backup_time: &str,
        files: BTreeMap<String, FileHash>,
        other_directory_objects: Vec<DirectoryObject>,
    ) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            tool: concat!("gpoctl ", env!("GPOCTL_VERSION")).to_owned(),
            domain_controller: snapshot.domain_controller.clone(),
            sysvol_version: snapshot.sysvol_version,
            directory_version: snapshot.directory_version,
            backup_time: backup_time.to_owned(),
            owner: context.owner.clone(),
            group: context.group.clone(),
            when_created: context.when_created.clone(),
            when_changed: context.when_changed.clone(),
            gpt_ini: context.gpt_ini.as_ref().map(|ini| BASE64.encode(ini)),
            links: context.links.clone(),
            wmi_filter: context.wmi_filter.clone(),
            unread: context.unread.clone(),
            files,
            other_directory_objects,
            stored_passwords: snapshot
                .tree
                .files()
                .filter(|(path, content)| search(path, content) != Search::Nothing)
                .map(|(path, _)| path.to_string())
                .collect(),
        }
    }
}

/// The content of a side file, and its problems.
#[derive(Debug, Default)]
pub(super) struct SideFileRead {
    /// `None` when the hashes cannot be read.
    pub(super) files: Option<BTreeMap<String, FileHash>>,
    pub(super) other_directory_objects: Vec<DirectoryObject>,
    pub(super) context: BackupContext,
    pub(super) problems: Vec<StatusMessage>,
}

/// The fields of a side file, each as text until it is read: one that is malformed costs only itself, and one that is not known takes
/// no memory.
#[derive(serde::Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    format_version: Option<&'a RawValue>,
    owner: Option<&'a RawValue>,
    group: Option<&'a RawValue>,
    when_created: Option<&'a RawValue>,
    when_changed: Option<&'a RawValue>,
    gpt_ini: Option<&'a RawValue>,
    links: Option<&'a RawValue>,
    wmi_filter: Option<&'a RawValue>,
    unread: Option<&'a RawValue>,
    files: Option<&'a RawValue>,
    other_directory_objects: Option<&'a RawValue>,
}

/// Reads one field after the other.
#[derive(Default)]
struct FieldReader {
    problems: Vec<StatusMessage>,
}

impl FieldReader {
    /// The value of a field; nothing when it is absent, null or malformed.
    fn value<T: serde::de::DeserializeOwned>(
        &mut self,
        name: &str,
        json: Option<&RawValue>,
    ) -> Option<T> {
        match serde_json::from_str(json?.get()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(format!("\"{name}\" is malformed: {error}"));
                None
            }
        }
    }

    fn problem(&mut self, text: String) {
        self.problems.push(malformed(text));
    }
}

fn malformed(text: String) -> StatusMessage {
    StatusMessage::warning(Code::MalformedSideFile, text).at(Place::file(names::SIDE_FILE))
}

/// Size and hash of a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct FileHash {
    pub(super) size: u64,
    /// In lower-case hexadecimal.
    pub(super) sha256: String,
}

impl FileHash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: sha256(bytes),
        }
    }
}

/// Reads the side file of a backup under its name on disk. Unknown fields are ignored, so that a later version
/// may have more of them.
pub(super) fn read(folder: &Folder, name: &str) -> SideFileRead {
    match folder.read(name, MAX_BYTES) {
        Ok(bytes) => parse(&bytes),
        Err(error) => unreadable(&error),
    }
}

/// The files of a side file. Two keys for one file, also in different case, would let the second one stand in for the first.
#[derive(Default)]
struct Files(BTreeMap<String, FileHash>);

impl<'de> serde::Deserialize<'de> for Files {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Files;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the hashes of files by path")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Files, A::Error> {
                let (mut files, mut known) = (BTreeMap::new(), HashSet::new());
                while let Some((path, hash)) = map.next_entry::<String, FileHash>()? {
                    if !known.insert(path.to_lowercase()) {
                        return Err(serde::de::Error::custom(twice(&path)));
                    }
                    files.insert(path, hash);
                }
                Ok(Files(files))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

fn twice(key: &str) -> String {
    format!("the key \"{}\" occurs twice", printable(key))
}

/// The names of the fields that are read.
const FIELDS: [&str; 11] = [
    "format_version",
    "owner",
    "group",
    "when_created",
    "when_changed",
    "gpt_ini",
    "links",
    "wmi_filter",
    "unread",
    "files",
    "other_directory_objects",
];

/// A field that occurs twice, also in different case: readers differ in which of the two they take.
struct DuplicateField(Option<String>);

impl<'de> serde::Deserialize<'de> for DuplicateField {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = DuplicateField;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<DuplicateField, A::Error> {
                let (mut known, mut found) = (HashSet::new(), None);
                while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                    let field = FIELDS.iter().find(|name| name.eq_ignore_ascii_case(&key));
                    if field.is_some_and(|field| !known.insert(*field)) {
                        found.get_or_insert(key);
                    }
                }
                Ok(DuplicateField(found))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> SideFileRead {
    SideFileRead {
        problems: vec![malformed(format!("cannot be read: {error}"))],
        ..SideFileRead::default()
    }
}

/// Reads the content of a side file.
pub(super) fn parse(bytes: &[u8]) -> SideFileRead {
    let fields: Fields<'_> = match serde_json::from_slice(bytes) {
        Ok(fields) => fields,
        Err(error) => return unreadable(&error),
    };
    if let Ok(DuplicateField(Some(key))) = serde_json::from_slice(bytes) {
        return unreadable(&twice(&key));
    }
    let mut reader = FieldReader::default();
    if let Some(version) = reader.value::<u32>("format_version", fields.format_version)
        && version > FORMAT_VERSION
    {
        reader.problem(format!(
            "has the form {version}, and this program knows {FORMAT_VERSION}: some of it may be overlooked"
        ));
    }
    let gpt_ini: Option<String> = reader.value("gpt_ini", fields.gpt_ini);
    let gpt_ini = gpt_ini.and_then(|text| {
        let bytes = BASE64.decode(text);
        if bytes.is_err() {
            reader.problem("\"gpt_ini\" is not base64".to_owned());
        }
        bytes.ok().map(Bytes::from)
    });
    let context = BackupContext {
        links: reader.value("links", fields.links),
        wmi_filter: reader.value("wmi_filter", fields.wmi_filter),
        owner: reader.value("owner", fields.owner),
        group: reader.value("group", fields.group),
        when_created: reader
            .value("when_created", fields.when_created)
            .unwrap_or_default(),
        when_changed: reader
            .value("when_changed", fields.when_changed)
            .unwrap_or_default(),
        gpt_ini,
        unread: reader.value("unread", fields.unread).unwrap_or_default(),
    };
    SideFileRead {
        files: reader
            .value("files", fields.files)
            .map(|Files(files)| files),
        other_directory_objects: reader
            .value("other_directory_objects", fields.other_directory_objects)
            .unwrap_or_default(),
        context,
        problems: reader.problems,
    }
}

/// The problem of a backup that lacks what could not be read when it was made.
pub(super) fn partial(context: &BackupContext) -> Option<StatusMessage> {
    let first = context.unread.first()?;
    let place = first
        .place
        .as_ref()
        .map(|place| format!("{place}: "))
        .unwrap_or_default();
    let more = match context.unread.len() {
        1 => String::new(),
        count => format!(", and {} more", count.saturating_sub(1)),
    };
    Some(StatusMessage::warning(
        Code::PartialBackup,
        format!(
            "the backup is partial, because something could not be read: {place}{}{more}",
            first.text
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_occurs_twice_leaves_no_hashes() {
        let hash = r#"{"size":1,"sha256":"a"}"#;
        for (json, key) in [
            (
                format!(r#"{{"files":{{"a/b":{hash},"a/b":{hash}}}}}"#),
                "a/b",
            ),
            (
                format!(r#"{{"files":{{"a/b":{hash},"A/b":{hash}}}}}"#),
                "A/b",
            ),
            (
                format!(r#"{{"files":{{"a":{hash}}},"Files":{{}}}}"#),
                "Files",
            ),
        ] {
            let read = parse(json.as_bytes());
            assert_eq!(read.files, None, "{json}");
            let text = &read.problems[0].text;
            assert!(
                text.contains(&format!("the key \"{key}\" occurs twice")),
                "{text}"
            );
        }
        let twice = parse(format!(r#"{{"files":{{"a":{hash}}},"files":{{}}}}"#).as_bytes());
        assert_eq!(twice.files, None);
        assert!(twice.problems[0].text.contains("files"));
        let once = parse(format!(r#"{{"files":{{"a":{hash},"b":{hash}}}}}"#).as_bytes());
        assert_eq!(once.files.map(|files| files.len()), Some(2));
    }
}
