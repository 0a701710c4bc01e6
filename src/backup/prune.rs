//! Which backups of a folder a retention rule keeps.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::BackupListEntry;
use crate::message::{Code, Severity};
use crate::model::guid::Guid;
use crate::model::retention::{KeepReason, Retention};

/// A backup, and whether it stays.
#[derive(Debug, Clone, serde::Serialize)]
#[non_exhaustive]
pub struct PruneDecision {
    /// The backup.
    #[serde(flatten)]
    pub entry: BackupListEntry,
    /// Why it is kept; it is to be removed when there is no reason.
    pub keep: Vec<KeepReason>,
}

impl PruneDecision {
    /// Whether the backup is to be removed.
    pub fn is_removed(&self) -> bool {
        self.keep.is_empty()
    }
}

/// Decides for each backup of a folder, as [`super::list`] lists them, whether it is kept. The rules count for each GPO of each
/// domain by itself; times are UTC. A backup whose GPO or time is not known is kept, and so is one that is incomplete or damaged,
/// which does not count as one of those kept. Removes nothing.
pub fn decide(entries: Vec<BackupListEntry>, retention: &Retention) -> Vec<PruneDecision> {
    let mut series: BTreeMap<(Guid, String), Vec<(DateTime, usize)>> = BTreeMap::new();
    let mut decisions: Vec<PruneDecision> = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let mut keep = Vec::new();
        let time = entry.info.backup_time.parse::<DateTime>().ok();
        match (entry.info.id, entry.info.gpo_guid, time) {
            _ if !is_whole(&entry) => keep.push(KeepReason::Incomplete),
            (Some(_), Some(guid), Some(time)) => {
                let gpo = (guid, entry.info.domain.to_lowercase());
                series.entry(gpo).or_default().push((time, index));
            }
            _ => keep.push(KeepReason::Unknown),
        }
        decisions.push(PruneDecision { entry, keep });
    }
    for mut backups in series.into_values() {
        // Of two backups of one moment the later in the list counts as the newer, as everywhere.
        backups.sort_by(|one, other| other.cmp(one));
        let times: Vec<DateTime> = backups.iter().map(|(time, _)| *time).collect();
        for ((_, index), reasons) in backups.iter().zip(retention.reasons(&times)) {
            if let Some(decision) = decisions.get_mut(*index) {
                decision.keep = reasons;
            }
        }
    }
    decisions
}

/// Whether a backup can stand for its GPO at that time.
fn is_whole(entry: &BackupListEntry) -> bool {
    let spoils =
        |severity: Severity, code: Code| severity == Severity::Error || code == Code::PartialBackup;
    entry.present
        && !entry
            .problems
            .iter()
            .any(|problem| spoils(problem.severity, problem.code))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::backup::BackupInfo;
    use crate::message::StatusMessage;

    fn entry(gpo: u8, domain: &str, time: &str) -> BackupListEntry {
        let mut info = BackupInfo::unknown(Path::new("/b/x"));
        info.id = Some(Guid::new_random());
        info.gpo_guid = Some(
            format!("{{00000000-0000-0000-0000-0000000000{gpo:02}}}")
                .parse()
                .unwrap(),
        );
        info.domain = domain.to_owned();
        info.backup_time = time.to_owned();
        BackupListEntry {
            info,
            present: true,
            problems: Vec::new(),
        }
    }

    fn removed(entries: Vec<BackupListEntry>, retention: &Retention) -> Vec<usize> {
        decide(entries, retention)
            .iter()
            .enumerate()
            .filter(|(_, decision)| decision.is_removed())
            .map(|(index, _)| index)
            .collect()
    }

    #[test]
    fn every_gpo_of_every_domain_keeps_its_own() {
        let last = Retention {
            last: 1,
            ..Default::default()
        };
        let entries = vec![
            entry(1, "src.test", "2026-11-01T00:00:00"),
            entry(2, "src.test", "2026-11-01T00:00:00"),
            entry(1, "dst.test", "2026-11-01T00:00:00"),
            entry(1, "SRC.test", "2026-11-02T00:00:00"),
        ];
        assert_eq!(removed(entries, &last), [0]);
    }

    #[test]
    fn what_is_unknown_or_incomplete_is_neither_removed_nor_counted() {
        let last = Retention {
            last: 1,
            ..Default::default()
        };
        let whole = || entry(1, "src.test", "2026-11-01T00:00:00");
        let newer = || entry(1, "src.test", "2026-11-02T00:00:00");
        let mut partial = newer();
        partial.problems = vec![StatusMessage::warning(Code::PartialBackup, "x")];
        let mut damaged = newer();
        damaged.problems = vec![StatusMessage::error(Code::NoBackupXml, "x")];
        let mut missing = newer();
        missing.present = false;
        let mut timeless = newer();
        timeless.info.backup_time = "yesterday".to_owned();
        let mut nameless = newer();
        nameless.info.gpo_guid = None;
        let entries = vec![whole(), partial, damaged, missing, timeless, nameless];
        assert!(removed(entries, &last).is_empty());
        assert_eq!(removed(vec![whole(), newer()], &last), [0]);
        let decided = decide(vec![whole(), newer()], &last);
        assert_eq!(decided[1].keep, [KeepReason::Last]);
    }
}
