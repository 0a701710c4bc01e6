//! The part of a plan that changes one GPO as a whole: its files, its container and what is below it, the links to it.

mod description;
mod entries;
mod gpt_ini;
mod links;
mod outcome;
mod settings;
mod state;
mod step;

use crate::model::digest::sha256;
pub use entries::{EntryChange, PlannedEntry, plan_entries, tree_hashes};
pub use state::{GpoState, ObjectState};

pub(crate) use description::{Intent, NewAttributes};
pub(crate) use gpt_ini::new_gpt_ini;
pub(crate) use links::planned_links;
pub(crate) use settings::old_contents;
pub use step::{Step, Swap};

use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;

use super::risks::Risk;
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::migration::report::MappingReport;
use crate::model::allowed_object::AllowedObject;
use crate::model::domain_name::DomainName;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::session::read::LiveGpo;

/// The verb that made the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verb {
    /// Import: settings of a backup into another GPO.
    Import,
    /// Restore: a GPO as in a backup, in the domain that it was saved from.
    Restore,
    /// Copy: settings of a live GPO into a new one.
    Copy,
    /// Create: a new GPO without settings.
    Create,
    /// Delete: a GPO and the links to it.
    Delete,
    /// Rename: another display name.
    Rename,
    /// Set status: which halves are enabled.
    SetStatus,
}

impl Verb {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Restore => "restore",
            Self::Copy => "copy",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Rename => "rename",
            Self::SetStatus => "set-status",
        }
    }
}

/// The source of the new settings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct PlanSource {
    /// The ID of the backup, if it is one.
    pub backup_id: Option<Guid>,
    /// The source GPO.
    pub gpo_guid: Guid,
    /// Its display name.
    pub display_name: String,
    /// Its domain.
    pub domain: String,
}

/// The GPO that will change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct PlanTarget {
    /// Its GUID; for a GPO that will be created, the one it will have.
    pub guid: Guid,
    /// Its display name before the operation; for a GPO that will be created, the one it will have.
    pub display_name: String,
    /// Its domain.
    pub domain: DomainName,
    /// Whether it will be created.
    pub create: bool,
}

/// What a plan changes of one GPO.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct GpoPlan {
    /// Which verb made it.
    pub verb: Verb,
    /// The source of the settings, if there is one.
    pub source: Option<PlanSource>,
    /// The GPO that will change.
    pub target: PlanTarget,
    /// The state of the target the plan was made against; `None` when the target will be created.
    pub basis: Option<GpoState>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Every file and folder, of the new state and of the old one.
    pub entries: Vec<PlannedEntry>,
    /// GPT.INI as it will be; `None` when it is not written.
    pub gpt_ini: Option<FileContent>,
    /// The new objects below the GPO; parents first.
    pub directory_objects: Vec<AllowedObject>,
    /// What became of each reference; `None` without a scan.
    pub mapping: Option<MappingReport>,
    /// What was noticed while planning.
    pub messages: Vec<StatusMessage>,
    /// What of the new settings runs code or grants rights; see [`super::risks::of`].
    #[serde(default)]
    pub risks: Vec<Risk>,
    /// The content of every file of the new state, by its SHA-256.
    pub contents: BTreeMap<String, FileContent>,
    /// The content of the files with settings that are replaced or deleted, by its SHA-256, so that a plan can describe which
    /// settings change; plans of older versions lack it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub old_contents: BTreeMap<String, FileContent>,
}

/// The bytes of a file, in base64 when saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileContent(pub Bytes);

impl serde::Serialize for FileContent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for FileContent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map(|bytes| Self(Bytes::from(bytes)))
            .map_err(serde::de::Error::custom)
    }
}

impl GpoPlan {
    /// A plan that changes nothing yet: what every verb begins with.
    pub(crate) fn new(verb: Verb, target: PlanTarget) -> Self {
        Self {
            verb,
            source: None,
            target,
            basis: None,
            steps: Vec::new(),
            entries: Vec::new(),
            gpt_ini: None,
            directory_objects: Vec::new(),
            mapping: None,
            messages: Vec::new(),
            risks: Vec::new(),
            contents: BTreeMap::new(),
            old_contents: BTreeMap::new(),
        }
    }

    /// A plan for a GPO that exists.
    pub(crate) fn of_existing(verb: Verb, live: &LiveGpo) -> Self {
        let target = PlanTarget {
            guid: live.object.guid,
            display_name: live.object.display_name.clone(),
            domain: live.snapshot.domain.clone(),
            create: false,
        };
        Self {
            basis: Some(live.state()),
            ..Self::new(verb, target)
        }
    }

    /// The display name of the GPO after the operation.
    pub fn name_after(&self) -> &str {
        self.steps
            .iter()
            .find_map(|step| match step {
                Step::Rename { to, .. } => Some(to.as_str()),
                Step::ModifyGpo {
                    display_name: Some(name),
                    ..
                } => Some(name.to.as_str()),
                _ => None,
            })
            .unwrap_or(&self.target.display_name)
    }

    /// Whether the DACL of the GPO changes.
    pub fn changes_descriptor(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::SetSecurityDescriptor { .. }))
    }

    /// The new state of the files and folders.
    ///
    /// # Errors
    /// `BadInput` when the plan names a content it does not hold, or one whose hash does not fit.
    pub fn new_tree(&self) -> Result<GptTree> {
        let mut tree = GptTree::new();
        for entry in &self.entries {
            if entry.change == EntryChange::Removed {
                continue;
            }
            if entry.is_dir {
                tree.insert_dir(&entry.path);
                continue;
            }
            let content = entry
                .sha256
                .as_ref()
                .and_then(|hash| self.contents.get(hash).map(|content| (hash, content)))
                .filter(|(hash, content)| sha256(&content.0) == **hash)
                .map(|(_, content)| content.0.clone())
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::BadInput,
                        format!("the plan does not hold the content of {}", entry.path),
                    )
                    .with_hint("make the plan again")
                })?;
            tree.insert_file(&entry.path, content);
        }
        Ok(tree)
    }
}
