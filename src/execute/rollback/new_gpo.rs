//! Rolls back the creation of a GPO: it is deleted, unless somebody else has changed it since.

use std::collections::BTreeMap;

use super::{RollbackReport, Undo};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::execute::journal::Inverse;
use crate::execute::known_entries::{entries_of, remove_known_entries, shown};
use crate::formats::gpt_ini;
use crate::message::printable;
use crate::model::digest::sha256;
use crate::model::guid::Guid;
use crate::model::version::GpoVersion;
use crate::plan::gpo::{Step, planned_links, tree_hashes};

impl Undo<'_> {
    /// Refuses to roll back the creation of a GPO that somebody else has changed since: what this operation wrote is a part of what the
    /// other one has seen, so nothing of it is taken back.
    pub(super) async fn refuse_changed_new(&self, changes: &[Inverse]) -> Result<()> {
        let made = |change: &Inverse| matches!(change, Inverse::DeleteGpo { .. });
        if !changes.iter().any(made) {
            return Ok(());
        }
        let changed = self.changed_by_others().await?;
        if changed.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incomplete,
            format!(
                "the new GPO \"{}\" {} was changed by somebody else in the meantime and is kept: {}",
                printable(self.plan.name_after()),
                self.guid(),
                changed.join(", ")
            ),
        )
        .with_remedy(Remedy::KeepChangesOfOthers))
    }

    /// Deletes both halves of the GPO that this operation has created.
    pub(super) async fn delete_new(&self, guid: Guid, report: &mut RollbackReport) -> Result<()> {
        let changed = self.changed_by_others().await?;
        if !changed.is_empty() {
            report.leave(format!("the new GPO {guid} ({})", changed.join(", ")));
            return Ok(());
        }
        let planned = tree_hashes(&self.plan.new_tree()?);
        let is_known = |key: &str, hash: &str| self.has_written(&planned, key, hash);
        let foreign = remove_known_entries(self.domain.sysvol(), self.staging, is_known).await?;
        if !foreign.is_empty() {
            report.leave(format!("the new GPO {guid} ({})", foreign.join(", ")));
            return Ok(());
        }
        self.delete_container(guid).await
    }

    /// What of the GPO is neither as it is created nor as the plan leaves it: its files, or the names of its parts.
    async fn changed_by_others(&self) -> Result<Vec<String>> {
        let planned = tree_hashes(&self.plan.new_tree()?);
        let found = entries_of(self.domain.sysvol(), &self.staging.folder()).await?;
        let (found, refused) = found.unwrap_or_default();
        let foreign = found
            .iter()
            .filter(|(key, hash)| !key.is_empty() && !self.has_written(&planned, key, hash));
        let mut changed: Vec<String> = foreign.map(|(key, _)| shown(key)).collect();
        changed.extend(refused.iter().map(|it| printable(it)));
        let session = self.domain.session();
        let directory = session.directory();
        let object = match directory.gpo(self.guid()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(changed),
            object => object?,
        };
        let below = directory.children(self.guid()).await?;
        changed.extend(self.plan.parts_of_others(&object, &below));
        // Who links a new GPO uses it; without the GPO, the link would lead nowhere.
        let (links, _) = planned_links(session, self.guid()).await?;
        changed.extend(links.iter().filter_map(|link| match link {
            Step::SetLinks { som, .. } if !self.plan.links_of(som) => {
                Some(format!("a link of {}", printable(som)))
            }
            _ => None,
        }));
        Ok(changed)
    }

    /// Whether an entry of the folder is one that this operation writes: staged, live, or the GPT.INI with which a GPO is created.
    fn has_written(&self, planned: &BTreeMap<String, String>, key: &str, hash: &str) -> bool {
        let root = key.split('/').next().unwrap_or_default();
        if key == "gpt.ini" {
            let first = gpt_ini::create(GpoVersion::default());
            let of_plan = self.plan.gpt_ini.as_ref().map(|it| sha256(&it.0));
            // A file that was being written when the operation was interrupted is empty.
            return hash == sha256(first.as_ref())
                || hash == sha256(&[])
                || of_plan.is_some_and(|it| it == hash);
        }
        self.staging.is_staged(root) || planned.get(key).is_some_and(|it| it == hash)
    }
}
