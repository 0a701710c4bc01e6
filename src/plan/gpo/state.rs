//! The state of a GPO that a plan was made against.

use std::collections::BTreeMap;

use super::FileContent;
use super::entries::tree_hashes;
use crate::formats::gpt_ini;
use crate::model::allowed_object::AllowedObject;
use crate::model::digest::sha256;
use crate::model::directory_object::DirectoryObject;
use crate::model::extension_list::ExtensionList;
use crate::model::version::GpoVersion;
use crate::session::read::LiveGpo;

/// The settings of a GPO that a plan changes, or that it was made against.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct GpoState {
    /// `displayName`.
    pub display_name: String,
    /// `flags`; `None` when the attribute is absent.
    pub flags: Option<u32>,
    /// `versionNumber`; `None` when the attribute is absent.
    pub directory_version: Option<GpoVersion>,
    /// `Version` of GPT.INI.
    pub sysvol_version: Option<GpoVersion>,
    /// `gPCMachineExtensionNames`.
    pub machine_extensions: ExtensionList,
    /// `gPCUserExtensionNames`.
    pub user_extensions: ExtensionList,
    /// `gPCWQLFilter`; `None` when the attribute is absent.
    #[serde(default)]
    pub wmi_filter: Option<String>,
    /// SHA-256 of `nTSecurityDescriptor`, in hexadecimal.
    pub security_descriptor: String,
    /// SHA-256 of every file, by its path in lower case with forward slashes; folders have an empty hash.
    pub tree: BTreeMap<String, String>,
    /// The objects below the GPO, each as `RDN,RDN` with a hash of its content.
    pub directory_objects: BTreeMap<String, String>,
    /// `nTSecurityDescriptor`, so that a plan can describe its change; plans of older versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<FileContent>,
    /// The objects below the GPO with class and permissions, parents first; plans of older versions lack them.
    #[serde(default)]
    pub objects: Vec<ObjectState>,
    /// SHA-256 of GPT.INI, in hexadecimal; `None` when there was none, and in plans of older versions.
    #[serde(default)]
    pub gpt_ini: Option<String>,
    /// `gPCFunctionalityVersion`; `None` when the attribute is absent, and in plans of older versions.
    #[serde(default)]
    pub functionality_version: Option<u32>,
}

/// An object below a GPO that a plan was made against.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct ObjectState {
    /// Its RDNs below the GPO, nearest first.
    pub rdns: Vec<String>,
    /// Its class.
    pub object_class: String,
    /// A hash of its content.
    pub content: String,
    /// Its security descriptor, if it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<FileContent>,
}

impl ObjectState {
    pub(crate) fn of(object: &DirectoryObject) -> Self {
        Self {
            rdns: object.rdns.clone(),
            object_class: object.object_class.clone(),
            content: content_hash(object),
            descriptor: object
                .security_descriptor
                .clone()
                .map(|bytes| FileContent(bytes.into())),
        }
    }

    /// Its place, without regard to case, as [`DirectoryObject::key`].
    pub(crate) fn key(&self) -> Vec<String> {
        self.rdns.iter().map(|rdn| rdn.to_lowercase()).collect()
    }

    /// Whether `new` has the same content.
    pub(crate) fn has_content_of(&self, new: &DirectoryObject) -> bool {
        self.content == content_hash(new)
    }

    /// Whether `new` has another content or other permissions.
    pub(crate) fn differs_from(&self, new: &DirectoryObject) -> bool {
        let old = DirectoryObject {
            security_descriptor: self.descriptor.as_ref().map(|bytes| bytes.0.to_vec()),
            ..DirectoryObject::default()
        };
        self.content != content_hash(new) || new.differs_in_access(&old)
    }
}

fn content_hash(object: &DirectoryObject) -> String {
    sha256(&serde_json::to_vec(&object.content()).unwrap_or_default())
}

impl LiveGpo {
    /// The state a plan is made against.
    pub fn state(&self) -> GpoState {
        GpoState::of(self)
    }
}

impl GpoState {
    /// The state of a GPO that was read.
    pub fn of(live: &LiveGpo) -> Self {
        let (object, snapshot) = (&live.object, &live.snapshot);
        Self {
            display_name: object.display_name.clone(),
            flags: object.flags,
            directory_version: object.version,
            wmi_filter: object.wmi_filter.clone(),
            sysvol_version: snapshot.sysvol_version,
            machine_extensions: snapshot.machine_extensions.clone(),
            user_extensions: snapshot.user_extensions.clone(),
            security_descriptor: sha256(&snapshot.security_descriptor),
            tree: tree_hashes(&snapshot.tree),
            directory_objects: snapshot
                .directory_objects
                .iter()
                .map(|object| (object.rdns.join(","), content_hash(object)))
                .collect(),
            descriptor: Some(FileContent(snapshot.security_descriptor.clone().into())),
            objects: snapshot
                .directory_objects
                .iter()
                .map(ObjectState::of)
                .collect(),
            gpt_ini: live.gpt_ini.as_ref().map(|bytes| sha256(bytes)),
            functionality_version: object.functionality_version,
        }
    }

    /// Whether these are the objects below the GPO, with their classes and permissions.
    pub(crate) fn holds(&self, objects: &[AllowedObject]) -> bool {
        let sorted = |mut objects: Vec<ObjectState>| {
            objects.sort_by_cached_key(ObjectState::key);
            objects
        };
        let found = objects.iter().map(|object| ObjectState::of(object));
        self.objects_fit_hashes() && sorted(found.collect()) == sorted(self.objects.clone())
    }

    /// Whether this is the GPT.INI, byte for byte; for a plan of an older version, only its version is compared.
    pub(crate) fn has_gpt_ini(&self, gpt_ini: Option<&FileContent>) -> bool {
        let Some(FileContent(bytes)) = gpt_ini else {
            return self.gpt_ini.is_none() && self.sysvol_version.is_none();
        };
        let version = gpt_ini::read_version(bytes).ok().flatten();
        version == self.sysvol_version
            && match &self.gpt_ini {
                Some(hash) => *hash == sha256(bytes),
                None => version.is_some(),
            }
    }

    /// Whether the objects with class and permissions are those whose hashes are stored beside them, each once.
    pub(crate) fn objects_fit_hashes(&self) -> bool {
        let listed: BTreeMap<String, String> = self
            .objects
            .iter()
            .map(|object| (object.rdns.join(","), object.content.clone()))
            .collect();
        listed.len() == self.objects.len() && listed == self.directory_objects
    }

    /// The differences from `other`, one sentence each.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, before: String, now: String| {
            if before != now {
                found.push(format!("{what} was {before} and is now {now}"));
            }
        };
        let version = |version: Option<GpoVersion>| {
            version.map_or_else(|| "absent".to_owned(), GpoVersion::in_words)
        };
        compare(
            "the display name",
            format!("\"{}\"", self.display_name),
            format!("\"{}\"", other.display_name),
        );
        compare(
            "versionNumber",
            version(self.directory_version),
            version(other.directory_version),
        );
        compare(
            "the version in GPT.INI",
            version(self.sysvol_version),
            version(other.sysvol_version),
        );
        compare(
            "flags",
            format!("{:?}", self.flags),
            format!("{:?}", other.flags),
        );
        compare(
            "gPCWQLFilter",
            self.wmi_filter.clone().unwrap_or_default(),
            other.wmi_filter.clone().unwrap_or_default(),
        );
        // Too long for one line.
        for (name, before, now) in [
            (
                "gPCMachineExtensionNames",
                &self.machine_extensions,
                &other.machine_extensions,
            ),
            (
                "gPCUserExtensionNames",
                &self.user_extensions,
                &other.user_extensions,
            ),
        ] {
            if before.as_str() != now.as_str() {
                found.push(format!("{name} changed"));
            }
        }
        if self.security_descriptor != other.security_descriptor {
            found.push("the security descriptor changed".to_owned());
        }
        found.extend(map_differences("file", &self.tree, &other.tree));
        found.extend(map_differences(
            "object",
            &self.directory_objects,
            &other.directory_objects,
        ));
        // Only objects that still exist: the others are reported already, unless only one of the two lists was edited.
        for old in &self.objects {
            let name = old.rdns.join(",");
            match other.objects.iter().find(|new| new.key() == old.key()) {
                Some(new)
                    if new.descriptor != old.descriptor
                        || !new.object_class.eq_ignore_ascii_case(&old.object_class) =>
                {
                    found.push(format!("the permissions of {name} changed"));
                }
                None if !self.directory_objects.contains_key(&name) => {
                    found.push(format!("object {name} is gone"));
                }
                _ => {}
            }
        }
        // Plans of older versions have only the hashes of objects.
        if !self.objects.is_empty() {
            for new in &other.objects {
                let name = new.rdns.join(",");
                if self.directory_objects.contains_key(&name)
                    && !self.objects.iter().any(|old| old.key() == new.key())
                {
                    found.push(format!("object {name} is new"));
                }
            }
        }
        found
    }
}

fn map_differences(
    what: &str,
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let gone = before
        .keys()
        .filter(|key| !now.contains_key(*key))
        .map(|key| format!("{what} {key} is gone"));
    let changed = now.iter().filter_map(|(key, hash)| match before.get(key) {
        None => Some(format!("{what} {key} is new")),
        Some(old) if old != hash => Some(format!("{what} {key} changed")),
        Some(_) => None,
    });
    gone.chain(changed).collect()
}
