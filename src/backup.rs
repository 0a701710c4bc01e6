//! The backup folder, in GPMC's format: reading, listing, finding, verifying and writing backups. Blocking; callers on an
//! asynchronous runtime use `spawn_blocking`.
//!
//! ```text
//! DIR/manifest.xml               index of the backups in DIR, a cache only
//! DIR/{BACKUP-ID}/bkupInfo.xml   this backup's index entry
//! DIR/{BACKUP-ID}/Backup.xml     principals, core settings, and the list of what was saved
//! DIR/{BACKUP-ID}/gpreport.xml   a report to look at
//! DIR/{BACKUP-ID}/gpoctl.json    of gpoctl's own: hashes, and what GPMC's format has no place for
//! DIR/{BACKUP-ID}/DomainSysvol/GPO/…   the files
//! ```
//!
//! A backup is untrusted: it may have come from anywhere, and what it holds runs on every machine of a domain. Below the
//! folder a caller names, nothing is reached through a symbolic link, a name from a file becomes a path only as a
//! [`RelPath`](crate::model::safe_name::RelPath), and everything is bounded.

mod compose;
mod damage;
mod delete;
pub(crate) mod folder;
mod index;
mod list;
mod prune;
mod read;
mod save;
mod side_file;
mod verify;
mod write;

use std::path::{Path, PathBuf};

pub use delete::{delete, forget};
pub use list::{find_by_id, latest, list, resolve};
pub use prune::{PruneDecision, decide as decide_pruning};
pub use read::read;
pub(crate) use read::read_open;
#[doc(hidden)]
pub use read::{MAX_ENTRIES, MAX_TREE_BYTES};
pub(crate) use save::{now, off_the_runtime, save};
pub use verify::{Soundness, Verified, verify, verify_all};
pub use write::{MAX_COMMENT, write};
pub(crate) use write::{Staged, Target, check, commit, open, stage};

use crate::formats::bkup_info::BackupInst;
use crate::message::{Code, Severity, StatusMessage};
use crate::model::backup_context::BackupContext;
use crate::model::guid::Guid;
use crate::model::snapshot::GpoSnapshot;

/// The problems of the content of a gpoctl.json.
#[doc(hidden)]
pub fn problems_of_side_file(bytes: &[u8]) -> Vec<StatusMessage> {
    side_file::parse(bytes).problems
}

/// The entry of a backup in bkupInfo.xml, and its folder.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct BackupInfo {
    /// The backup's own GUID; `None` when it is not known or malformed.
    pub id: Option<Guid>,
    /// Its folder.
    pub path: PathBuf,
    /// The GPO's GUID; `None` when it is not known or malformed.
    pub gpo_guid: Option<Guid>,
    /// The DNS name of the GPO's domain, as it is written.
    pub domain: String,
    /// `objectGUID` of the domain.
    pub domain_guid: Option<Guid>,
    /// The host name of the DC it was read from.
    pub domain_controller: String,
    /// When: `YYYY-MM-DDTHH:MM:SS`, UTC, as it is written.
    pub backup_time: String,
    /// Free text.
    pub comment: String,
    /// The GPO's display name at that time.
    pub display_name: String,
    /// Whether it has a software installation block.
    pub si_present: bool,
}

/// A line of a list of backups.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct BackupListEntry {
    /// What is known of it; for a broken backup, little.
    #[serde(flatten)]
    pub info: BackupInfo,
    /// Whether its folder exists; `false` for an entry of manifest.xml alone.
    pub present: bool,
    /// What is wrong with it.
    pub problems: Vec<StatusMessage>,
}

/// A backup that was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoredBackup {
    /// Its entry in bkupInfo.xml, or as much of it as Backup.xml and the folder's name provide.
    pub info: BackupInfo,
    /// The GPO.
    pub snapshot: GpoSnapshot,
    /// Its links, WMI filter, owner and GPT.INI, as far as the backup records them: only gpoctl's own backups do.
    pub context: BackupContext,
    /// What is wrong with it.
    pub problems: Vec<StatusMessage>,
    /// The files that are not what gpoctl wrote, an error each; empty for a backup without hashes.
    pub damage: Vec<StatusMessage>,
    /// Whether there is a gpoctl.json, in which every backup of gpoctl's own has the hashes of its files.
    pub has_hashes: bool,
}

impl StoredBackup {
    /// The warning that nobody can tell whether its files were changed, of a backup without hashes.
    pub fn not_verifiable(&self) -> Option<StatusMessage> {
        (!self.has_hashes).then(damage::not_verifiable)
    }

    /// Its damage, for those who only look at it.
    pub fn damage_warnings(&self) -> Vec<StatusMessage> {
        let warning = |message: &StatusMessage| StatusMessage {
            severity: Severity::Warning,
            ..message.clone()
        };
        self.damage.iter().map(warning).collect()
    }
}

impl BackupInfo {
    fn new(inst: &BackupInst, path: &Path) -> (Self, Vec<StatusMessage>) {
        let mut problems = Vec::new();
        let mut guid = |name: &str, text: &str| match text.parse() {
            Ok(guid) => Some(guid),
            Err(_) if name == "GPODomainGuid" && text.is_empty() => None,
            Err(error) => {
                problems.push(StatusMessage::warning(
                    Code::MalformedBkupinfo,
                    format!("{name} in bkupInfo.xml: {error}"),
                ));
                None
            }
        };
        let info = Self {
            id: guid("ID", &inst.id),
            path: path.to_owned(),
            gpo_guid: guid("GPOGuid", &inst.gpo_guid),
            domain: inst.gpo_domain.clone(),
            domain_guid: guid("GPODomainGuid", &inst.gpo_domain_guid),
            domain_controller: inst.gpo_domain_controller.clone(),
            backup_time: inst.backup_time.clone(),
            comment: inst.comment.clone(),
            display_name: inst.gpo_display_name.clone(),
            si_present: inst.si_present,
        };
        (info, problems)
    }

    /// What is known of a backup without bkupInfo.xml: where it is, and its GUID if the folder is named by one.
    fn unknown(path: &Path) -> Self {
        let (mut info, _) = Self::new(&BackupInst::default(), path);
        info.id = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.parse().ok());
        info
    }
}

/// What the names of files and folders begin with that are not in their places yet.
const STAGING_PREFIX: &str = ".gpoctl-";

/// The literal names in a backup's folder.
mod names {
    pub(super) const BACKUP: &str = "Backup.xml";
    pub(super) const BKUP_INFO: &str = "bkupInfo.xml";
    pub(super) const REPORT: &str = "gpreport.xml";
    pub(super) const SIDE_FILE: &str = "gpoctl.json";
    pub(super) const MANIFEST: &str = "manifest.xml";
    pub(super) const DOMAIN_SYSVOL: &str = "DomainSysvol";
    pub(super) const GPO: &str = "GPO";
}

#[cfg(test)]
mod tests;
