//! Rolls back the version, in both halves.

use bytes::Bytes;

use super::{RollbackReport, Undo, gpt_ini_name};
use crate::directory::{AttributeSwap, SwapAttribute};
use crate::error::{ErrorKind, Result};
use crate::execute::journal::{Event, Inverse, Journal};
use crate::execute::stage::{descriptors_from, probe_file_entries, read_whole, without_owners};
use crate::formats::gpt_ini;
use crate::model::version::GpoVersion;
use crate::plan::gpo::new_gpt_ini;

impl Undo<'_> {
    /// Undoes the new version, the last thing that was written: GPT.INI, then the attributes in one modify. If it was not
    /// visible yet, nothing is written. If it was, the version is increased instead, and returned.
    pub(super) async fn restore_version(
        &self,
        changes: &[Inverse],
        journal: &mut Journal,
        report: &mut RollbackReport,
    ) -> Result<Option<GpoVersion>> {
        let before = self.before()?;
        let (sysvol, directory) = (self.domain.sysvol(), self.domain.session().directory());
        let live = self.staging.entry(&gpt_ini_name()?);
        let found = read_whole(sysvol, &live).await?;
        let old = before.gpt_ini.as_ref().map(|content| &content.0);
        let is_ours = found.as_ref().is_some_and(|it| self.is_own_gpt_ini(it));
        let object = directory.gpo(self.guid()).await?;
        let modified = changes.iter().any(|change| {
            matches!(change, Inverse::RestoreAttributes { written, .. }
                if object.version == Some(*written)
                    || self.visible.iter().any(|it| object.version == Some(it.version)))
        });
        if found.as_ref() != old && !is_ours {
            report.leave(&live);
            if modified {
                self.restore_attributes(changes, None, report).await?;
            }
            return Ok(None);
        }
        // Without the file, which never existed, its version is in the directory only.
        let halfway = !self.raising.is_empty() && object.version != self.raising.last().copied();
        if !is_ours && !modified && !halfway {
            return Ok(None);
        }
        let in_file = found
            .as_ref()
            .and_then(|bytes| gpt_ini::read_version(bytes).ok().flatten())
            .unwrap_or_default();
        let seen = in_file
            .higher(object.version.unwrap_or_default())
            .higher(self.planned_version().unwrap_or_default());
        let raised = seen.next();
        // Without it, another process could not continue from here; stopping here would leave half a policy for certain.
        if let Err(error) = journal.record(&Event::Raising {
            of: self.of,
            version: raised,
        }) {
            tracing::warn!(%error, "The roll-back continues without its journal");
        }
        match old {
            Some(old) => {
                let content = new_gpt_ini(Some(old), raised, &mut Vec::new());
                self.replace_gpt_ini(content.into()).await?;
            }
            None if found.is_some() => sysvol.remove_file(&live).await?,
            None => {}
        }
        let version = AttributeSwap {
            attribute: SwapAttribute::Version,
            old: object.version.map(|version| version.to_ldap().to_string()),
            new: Some(raised.to_ldap().to_string()),
        };
        if modified {
            self.restore_attributes(changes, Some(version), report)
                .await?;
        } else {
            self.domain
                .directory()
                .swap_attributes(&object.dn, &[version])
                .await?;
        }
        Ok(Some(raised))
    }

    /// Whether this operation has written a GPT.INI like this one, or a roll-back of it, or undoing a later operation.
    pub(super) fn is_own_gpt_ini(&self, found: &Bytes) -> bool {
        let old = self.before.and_then(|before| before.gpt_ini.as_ref());
        // One that was interrupted between its announcement and the file has left the file of the one before.
        let mut raised_before = self
            .raising
            .iter()
            .map(|version| new_gpt_ini(old.map(|old| &old.0[..]), *version, &mut Vec::new()));
        let new = self.plan.gpt_ini.as_ref();
        let mut visible = self.visible.iter().flat_map(|it| &it.gpt_ini);
        new.is_some_and(|new| new.0 == *found)
            || raised_before.any(|it| it == found[..])
            || visible.any(|it| it.0 == *found)
    }

    /// Replaces the live GPT.INI, with the permissions of a file of this GPO.
    async fn replace_gpt_ini(&self, content: Bytes) -> Result<()> {
        let sysvol = self.domain.sysvol();
        let name = gpt_ini_name()?;
        let staged = self.staging.entry(&self.staging.staged_name(&name)?);
        probe_file_entries(self.domain, &self.staging.folder(), true).await?;
        let descriptors =
            descriptors_from(self.domain.session(), &self.before()?.security_descriptor.0)?;
        match sysvol
            .write_new(&staged, content.clone(), &descriptors)
            .await
        {
            // An editor may not set the owner of files; when this is detected, the file may exist already.
            Err(error) if error.kind() == ErrorKind::Denied && !descriptors.is_empty() => {
                crate::execute::stage::remove_tree(sysvol, &staged).await?;
                sysvol
                    .write_new(&staged, content, &without_owners(&descriptors))
                    .await?;
            }
            other => other?,
        }
        sysvol
            .rename(&staged, &self.staging.entry(&name), true)
            .await
    }
}
