//! Deletes a GPO.
//!
//! First the links, so that no client looks for the GPO; then its container with everything below it, in one operation, so that
//! no client finds half of it; then the folder, which no client reads any more. Up to the container everything can be undone; a
//! folder that cannot be deleted is reported as left over.

use super::run::{Leftovers, Run};
use crate::directory::writer::refuse_default_gpo;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::Inverse;
use crate::execute::known_entries::remove_known;
use crate::execute::stage::by_root_entry;
use crate::message::{Code, StatusMessage};
use crate::plan::gpo::Step;
use crate::plan::gpo::planned_links;
use crate::progress::Phase;
use crate::session::read::LiveGpo;

impl Run<'_> {
    pub(super) async fn delete(&mut self, current: &LiveGpo) -> Result<Leftovers> {
        let guid = self.plan.target.guid;
        refuse_default_gpo(guid)?;
        let keep_links = self
            .plan
            .steps
            .iter()
            .find_map(|step| match step {
                Step::DeleteGpo {
                    guid: named,
                    keep_links,
                    ..
                } if *named == guid => Some(*keep_links),
                _ => None,
            })
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::BadInput,
                    "the plan does not delete its own target",
                )
            })?;
        let (session, directory) = (self.domain.session(), self.domain.directory());
        let folder = self.staging.folder();
        let has_folder = self.sysvol().stat(&folder).await?.is_some();
        // Where the right to delete the folder cannot be determined, a first write shows whether there is any access.
        if has_folder && self.sysvol().maximal_access(&folder).await?.is_none() {
            self.probe(Vec::new()).await?;
        }
        if !keep_links {
            self.links_are_those_of_the_plan().await?;
        }
        self.check_unchanged(current).await?;
        self.control.check()?;

        self.control.report(Phase::Switch, 0, 1, 0);
        self.set_links().await.map_err(|error| match error.kind() {
            ErrorKind::Denied => {
                error.with_hint("use --keep-links to delete the GPO and keep the links to it")
            }
            _ => error,
        })?;
        // A server cannot compare what it deletes, so this is as near to it as it gets. Found by the sweep of `Delete`: a new
        // name or new settings that came while the links were removed were lost.
        self.container_is_unchanged(current).await?;
        self.announce(Inverse::RecreateContainer)?;
        match directory.delete_gpo(guid).await {
            // Somebody else has deleted it already.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => other?,
        }
        match session.directory().gpo(guid).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => {
                return Err(Error::new(
                    ErrorKind::BadDirectory,
                    format!("GPO {guid} still exists after it was deleted"),
                ));
            }
        }
        self.control.report(Phase::Switch, 1, 1, 0);
        Ok(match has_folder {
            true => Leftovers::Folder,
            false => Leftovers::Nothing,
        })
    }

    /// A link that was added since the plan was made would be left without its GPO.
    async fn links_are_those_of_the_plan(&self) -> Result<()> {
        let planned: Vec<&Step> = self
            .plan
            .steps
            .iter()
            .filter(|step| matches!(step, Step::SetLinks { .. }))
            .collect();
        let (now, _) = planned_links(self.domain.session(), self.plan.target.guid).await?;
        if now.iter().collect::<Vec<_>>() == planned {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "the links to GPO \"{}\" have changed since the plan was made",
                self.plan.target.display_name
            ),
        )
        .with_hint("nothing was changed; make the plan again"))
    }

    /// Deletes the GPO's folder, but nothing that somebody else has put into it since the last look. A client that still has the GPO
    /// in its list finds it missing as a whole: GPT.INI, without which nothing below is read, is renamed away first, then each half.
    pub(super) async fn remove_folder(&mut self, current: &LiveGpo) {
        self.control.report(Phase::Clean, 0, 1, 0);
        let ini = crate::execute::rollback::gpt_ini_name().ok();
        let roots = by_root_entry(&current.snapshot.tree);
        for name in ini
            .into_iter()
            .chain(roots.into_values().map(|root| root.name))
        {
            if let Ok(old) = self.staging.old_name(&name) {
                let (from, to) = (self.staging.entry(&name), self.staging.entry(&old));
                // The deletion would work without this; it only makes the GPO disappear faster, so it does not wait.
                let _ = self.domain.sysvol_at_once().rename(&from, &to, false).await;
            }
        }
        match remove_known(self.sysvol(), self.staging, self.plan.basis.as_ref()).await {
            Ok(kept) => self.messages.extend(kept),
            Err(error) => self.messages.push(
                StatusMessage::warning(
                    Code::LeftOver,
                    format!(
                        "the GPO is deleted, but its folder {} cannot be removed: {error}",
                        self.staging.folder()
                    ),
                )
                .with_hint(self.clean_up_later()),
            ),
        }
        self.control.report(Phase::Clean, 1, 1, 0);
    }
}
