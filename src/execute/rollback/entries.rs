//! Rolls back the entries of the GPO's folder.

use std::collections::BTreeMap;

use super::{RollbackReport, Undo};
use crate::error::Result;
use crate::execute::stage::{entry_hashes, hashes_below};
use crate::plan::gpo::tree_hashes;

impl Undo<'_> {
    /// Restores the previous entry under its live name, if the live one is what this operation put there. A file is restored by
    /// renaming over the live one, a folder by renaming that away first.
    pub(super) async fn switch_back(
        &self,
        live: &str,
        old: Option<&str>,
        staged: Option<&str>,
        report: &mut RollbackReport,
    ) -> Result<()> {
        let sysvol = self.domain.sysvol();
        let live_path = self.entry(live)?;
        let old_path = old.map(|name| self.entry(name)).transpose()?;
        let staged_path = staged.map(|name| self.entry(name)).transpose()?;
        if let Some(staged) = &staged_path
            && sysvol.stat(staged).await?.is_some()
        {
            // The new entry never became live; at most the old one has been renamed.
            return match &old_path {
                Some(old)
                    if sysvol.stat(&live_path).await?.is_none()
                        && sysvol.stat(old).await?.is_some() =>
                {
                    sysvol.rename(old, &live_path, false).await
                }
                _ => Ok(()),
            };
        }
        let there = match &old_path {
            Some(old) => sysvol.stat(old).await?.is_some(),
            None => false,
        };
        let Some(found) = entry_hashes(sysvol, &live_path).await? else {
            // The live name is not in use.
            return match &old_path {
                Some(old) if there => sysvol.rename(old, &live_path, false).await,
                _ => Ok(()),
            };
        };
        let planned = tree_hashes(&self.plan.new_tree()?);
        let is_new = staged.is_some() && found == hashes_below(&planned, live);
        match (&old_path, &staged_path) {
            (Some(old), Some(staged)) if is_new && there => {
                sysvol.swap(&live_path, Some(staged), old).await
            }
            (None, Some(staged)) if is_new => sysvol.rename(&live_path, staged, false).await,
            _ => {
                let was: BTreeMap<String, String> = self
                    .plan
                    .basis
                    .as_ref()
                    .map(|basis| hashes_below(&basis.tree, live))
                    .unwrap_or_default();
                if found != was {
                    report.leave(match old {
                        Some(old) if there => {
                            format!("{live_path}, whose former content is kept beside it as {old},")
                        }
                        _ => live_path.to_string(),
                    });
                }
                Ok(())
            }
        }
    }
}
