//! One apply while it runs: the steps in their order.

use std::collections::BTreeMap;

use crate::domain::sysvol::Sysvol;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::{Inverse, Journal};
use crate::execute::objects::reconcile;
use crate::execute::rollback;
use crate::execute::stage::{
    RootEntry, StagingArea, entry_hashes, hashes_below, owners_not_set, probe_file_entries,
    read_whole, remove_tree, stage_entries, without_owners,
};
use crate::execute::switch::Switch;
use crate::execute::waiting::PatientDomain;
use crate::message::{Code, Severity, StatusMessage};
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::reference::Place;
use crate::model::safe_name::{RelPath, SafeName};
use crate::plan::gpo::{GpoPlan, Verb, tree_hashes};
use crate::plan::objects;
use crate::plan::self_lockout::SelfLockout;
use crate::progress::{Control, Phase};
use crate::session::read::{self, LiveGpo};

/// One apply while it runs.
pub(super) struct Run<'a> {
    pub(super) domain: &'a PatientDomain<'a>,
    pub(super) plan: &'a GpoPlan,
    /// The number of the change in the plan of the operation.
    pub(super) of: usize,
    /// The ID of the operation.
    pub(super) operation_id: &'a str,
    pub(super) staging: &'a StagingArea,
    pub(super) journal: &'a mut Journal,
    pub(super) control: &'a Control,
    /// The findings of the operation, to which those of this change are added.
    pub(super) messages: &'a mut Vec<StatusMessage>,
    /// When the permissions of the plan lock this account out.
    pub(super) self_lockout: Option<SelfLockout>,
}

impl Run<'_> {
    pub(super) fn sysvol(&self) -> &dyn Sysvol {
        self.domain.sysvol()
    }

    /// Announces a part of the change in the journal, with its inverse.
    pub(super) fn announce(&mut self, inverse: Inverse) -> Result<()> {
        self.journal.record_intent(self.of, inverse)
    }

    /// All steps that make the new state live; after an error, what was announced in the journal has to be rolled back.
    pub(super) async fn execute(
        &mut self,
        new: &GptTree,
        current: Option<&LiveGpo>,
    ) -> Result<Leftovers> {
        match (self.plan.verb, current) {
            (Verb::Import | Verb::Restore | Verb::Copy | Verb::Create, current) => {
                self.change(new, current).await.map(Leftovers::Replaced)
            }
            (Verb::Delete, Some(current)) => self.delete(current).await,
            (Verb::Rename | Verb::SetStatus, Some(current)) => {
                self.change_attribute(current).await?;
                Ok(Leftovers::Nothing)
            }
            (Verb::Delete | Verb::Rename | Verb::SetStatus, None) => Err(Error::new(
                ErrorKind::BadInput,
                "the plan changes an existing GPO but creates it",
            )),
        }
    }

    /// What remains to be done when the operation is committed.
    pub(super) async fn clean_up(
        &mut self,
        leftovers: Leftovers,
        new: &GptTree,
        current: Option<&LiveGpo>,
    ) {
        match (leftovers, current) {
            (Leftovers::Replaced(switches), _) => {
                self.clean(&switches).await;
                self.set_final_descriptor(new).await;
            }
            (Leftovers::Folder, Some(current)) => self.remove_folder(current).await,
            (Leftovers::Folder | Leftovers::Nothing, _) => {}
        }
    }

    /// New settings: stage, switch, directory objects, GPT.INI, attributes.
    async fn change(&mut self, new: &GptTree, current: Option<&LiveGpo>) -> Result<Vec<Switch>> {
        let guid = self.plan.target.guid;
        let folder = self.staging.folder();
        let exists = current.is_some() && self.sysvol().stat(&folder).await?.is_some();
        probe_file_entries(self.domain, &folder, exists).await?;
        let (descriptors, old) = match current {
            Some(current) => (
                self.descriptors_of_existing(current).await?,
                current.snapshot.tree.clone(),
            ),
            None => (self.create_gpo().await?, GptTree::new()),
        };
        if let (Some(current), false) = (current, exists) {
            self.make_missing_folder(current, &descriptors).await?;
        }
        let switches = self.switches(new, &old)?;
        let descriptors = self.stage(&switches, descriptors).await?;
        self.control.check()?;
        if let Some(current) = current {
            self.check_unchanged(current).await?;
        }
        self.control.check()?;

        // From here on the operation runs to its end: the rest takes milliseconds, and a cancellation would only cause as much
        // work for the roll-back.
        self.control.report(Phase::Switch, 0, 1, 0);
        self.switch_all(&switches).await?;
        if let Some(current) = current {
            self.check_switched(&switches, current).await?;
        }
        self.replace_directory_objects(current).await?;
        // Before the new version is visible: a link that is refused must not cause a roll-back of what a client has read.
        self.set_links().await?;
        self.write_gpt_ini(current.is_some()).await?;
        if current.is_some() {
            self.set_folder_descriptor(&descriptors).await?;
        }
        self.modify_gpo(current).await?;
        self.control.report(Phase::Switch, 1, 1, 0);
        self.verify(new, guid, current).await?;
        Ok(switches)
    }

    /// Creates the folder of a GPO that is in the directory and missing on SYSVOL.
    async fn make_missing_folder(
        &mut self,
        current: &LiveGpo,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        let folder = self.staging.folder();
        let descriptors =
            self.descriptors_of_folder(descriptors, &current.object.security_descriptor)?;
        self.announce(Inverse::RemoveFolder)?;
        self.sysvol().create_dir(&folder, &descriptors).await
    }

    /// Writes the new entries under their staged names. An editor who may write but not set owners sets no descriptors; that is
    /// detected with the first folder and reported.
    async fn stage(
        &mut self,
        switches: &[Switch],
        descriptors: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>> {
        let entries: Vec<(RootEntry, SafeName)> = switches
            .iter()
            .filter_map(|switch| switch.staged.clone())
            .map(|(name, entry)| (entry, name))
            .collect();
        let ini = rollback::gpt_ini_name()?;
        for name in entries
            .iter()
            .map(|(_, name)| name.clone())
            .chain([self.staging.staged_name(&ini)?])
        {
            self.announce(Inverse::RemoveEntry {
                name: name.to_string(),
            })?;
        }
        let descriptors = self.probe(descriptors).await?;
        stage_entries(
            self.sysvol(),
            self.staging,
            &entries,
            &descriptors,
            self.control,
        )
        .await?;
        let sysvol = self.sysvol();
        if let Some(gpt_ini) = &self.plan.gpt_ini {
            sysvol
                .write_new(
                    &self.staging.entry(&self.staging.staged_name(&ini)?),
                    gpt_ini.0.clone(),
                    &descriptors,
                )
                .await?;
        }
        Ok(descriptors)
    }

    /// Tries the descriptors on an empty folder, before anything else is written.
    pub(super) async fn probe(&mut self, descriptors: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        let name = SafeName::new("probe").map_err(|cause| {
            Error::new(ErrorKind::Internal, "no name to probe").with_source(cause)
        })?;
        let name = self.staging.staged_name(&name)?;
        self.announce(Inverse::RemoveEntry {
            name: name.to_string(),
        })?;
        let path = self.staging.entry(&name);
        let sysvol = self.sysvol();
        let mut descriptors = descriptors;
        let mut outcome = sysvol.create_dir(&path, &descriptors).await;
        remove_tree(sysvol, &path).await?;
        if let Err(error) = &outcome
            && error.kind() == ErrorKind::Denied
            && let Some(others) = self.other_form(&descriptors).await?
        {
            let other = sysvol.create_dir(&path, &others).await;
            remove_tree(sysvol, &path).await?;
            // Where this is refused too, it is not for the form.
            if other.is_ok() {
                (outcome, descriptors) = (other, others);
            }
        }
        match outcome {
            Ok(()) => Ok(descriptors),
            Err(error) if error.kind() == ErrorKind::Denied && !descriptors.is_empty() => {
                let descriptors = without_owners(&descriptors);
                let outcome = sysvol.create_dir(&path, &descriptors).await;
                remove_tree(sysvol, &path).await?;
                outcome.map_err(no_right)?;
                self.messages.push(owners_not_set());
                Ok(descriptors)
            }
            Err(error) => Err(no_right(error)),
        }
    }

    /// Checks right before the switch that the state is still the one the plan was made against: every file, every object,
    /// every attribute.
    pub(super) async fn check_unchanged(&self, current: &LiveGpo) -> Result<()> {
        let session = self.domain.session();
        let domain = &session.info().dns_domain;
        let guid = self.plan.target.guid;
        let files = async {
            match crate::sysvol::gpt::read_gpt(session.sysvol(), domain, guid).await {
                Ok(gpt) => Ok(gpt.tree),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(GptTree::new()),
                Err(error) => Err(error),
            }
        };
        let (files, ()) = tokio::try_join!(files, self.check_attributes(current))?;
        if tree_hashes(&files) == tree_hashes(&current.snapshot.tree) {
            Ok(())
        } else {
            Err(self.changed_meanwhile("its files"))
        }
    }

    /// Checks that the container, the objects below it and GPT.INI are still those the plan was made against.
    async fn check_attributes(&self, current: &LiveGpo) -> Result<()> {
        let session = self.domain.session();
        let guid = self.plan.target.guid;
        let ini = self.staging.entry(&rollback::gpt_ini_name()?);
        let (now, below, gpt_ini) = tokio::try_join!(
            session.directory().gpo(guid),
            session.directory().children(guid),
            read_whole(session.sysvol(), &ini),
        )?;
        if now.usn_changed != current.object.usn_changed {
            return Err(self.changed_meanwhile("its container"));
        }
        if !objects::changes(&below, &current.snapshot.directory_objects).is_empty() {
            return Err(self.changed_meanwhile("an object below it"));
        }
        if gpt_ini != current.gpt_ini {
            return Err(self.changed_meanwhile("GPT.INI"));
        }
        Ok(())
    }

    /// Nobody has changed the container itself since the plan was made.
    pub(super) async fn container_is_unchanged(&self, current: &LiveGpo) -> Result<()> {
        let directory = self.domain.session().directory();
        match directory.gpo(self.plan.target.guid).await {
            Ok(now) if now.usn_changed == current.object.usn_changed => Ok(()),
            Ok(_) => Err(self.changed_meanwhile("its container")),
            // Somebody else has deleted it, which is for the caller to judge.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Checks that what was renamed away is what the plan was made against: nobody wrote into it just before. Also checks the
    /// rest that is about to be replaced.
    async fn check_switched(&self, switches: &[Switch], current: &LiveGpo) -> Result<()> {
        let were = tree_hashes(&current.snapshot.tree);
        for switch in switches {
            let Some(old) = &switch.old else { continue };
            let found = entry_hashes(self.sysvol(), &self.staging.entry(old)).await?;
            if found.unwrap_or_default() != hashes_below(&were, switch.live.as_str()) {
                return Err(self.changed_meanwhile(switch.live.as_str()));
            }
        }
        self.check_attributes(current).await
    }

    pub(super) fn changed_meanwhile(&self, what: &str) -> Error {
        Error::new(
            ErrorKind::Conflict,
            format!(
                "GPO \"{}\" was changed by somebody else while the new files were being written: {what}",
                self.plan.target.display_name
            ),
        )
        .with_hint("review the GPO and make the plan again")
    }

    /// Changes the objects below the GPO to those of the plan.
    async fn replace_directory_objects(&mut self, current: Option<&LiveGpo>) -> Result<()> {
        let have = current.map_or(&[][..], |live| &live.snapshot.directory_objects);
        let changes = objects::changes(have, &self.plan.directory_objects);
        if changes.is_empty() {
            return Ok(());
        }
        self.announce(Inverse::RestoreDirectoryObjects)?;
        reconcile(self.domain.directory(), self.plan.target.guid, &changes).await
    }

    /// Renames the staged GPT.INI over the live one.
    async fn write_gpt_ini(&mut self, existed: bool) -> Result<()> {
        if self.plan.gpt_ini.is_none() {
            return Ok(());
        }
        let name = rollback::gpt_ini_name()?;
        if existed {
            self.announce(Inverse::RestoreGptIni)?;
        }
        let staged = self.staging.entry(&self.staging.staged_name(&name)?);
        self.sysvol()
            .rename(&staged, &self.staging.entry(&name), true)
            .await
    }

    /// Reads both halves and compares them with the plan.
    async fn verify(&mut self, new: &GptTree, guid: Guid, current: Option<&LiveGpo>) -> Result<()> {
        self.control.report(Phase::Verify, 0, 1, 0);
        let live = self.read_back(new, guid).await;
        let live = live.map_err(|error| match error.kind() {
            ErrorKind::BadDirectory => {
                error.context(format!("read back, GPO {guid} differs from the plan"))
            }
            _ => error,
        })?;
        let (planned, found) = (tree_hashes(new), tree_hashes(&live.snapshot.tree));
        let was = current.map(|current| tree_hashes(&current.snapshot.tree));
        let is_edited =
            planned != found && is_edited_since(&found, &planned, &was.unwrap_or_default());
        let wrong = if is_edited {
            // Rolling back would keep these files, and so leave some new settings beside the old ones. Found by a race with smbclient.
            self.report_edits(&found, &planned);
            self.plan.differences_beside_files(&live)
        } else {
            self.plan.differences_from_plan(new, &live)
        };
        self.check_access(&live.object.security_descriptor);
        self.control.report(Phase::Verify, 1, 1, 0);
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::BadDirectory,
                format!(
                    "read back, {} of GPO {guid} differ from the plan",
                    wrong.join(" and ")
                ),
            ))
        }
    }

    /// Reads both halves. Another operation that began before this one became live may just have renamed these files away; it then finds
    /// that they are not those of its plan, and renames them back, so that is waited for. Found by races of two imports.
    async fn read_back(&self, new: &GptTree, guid: Guid) -> Result<LiveGpo> {
        let session = self.domain.session();
        let planned = tree_hashes(new);
        let read = async || {
            let object = session.directory().gpo(guid).await?;
            read::read_gpo(session, &object, &Control::default()).await
        };
        let settled = async || {
            let found = read().await?;
            if tree_hashes(&found.snapshot.tree) == planned {
                return Ok(found);
            }
            match self.staging.other_operation(self.sysvol()).await? {
                Some(error) => Err(error),
                None => read().await,
            }
        };
        match self.domain.until_closed(settled).await {
            // What it has made live is judged as it is.
            Err(error) if matches!(error.kind(), ErrorKind::InUse | ErrorKind::Cancelled) => {
                read().await
            }
            outcome => outcome,
        }
    }

    fn report_edits(
        &mut self,
        found: &BTreeMap<String, String>,
        planned: &BTreeMap<String, String>,
    ) {
        let is_edited = |(path, hash): &(&String, &String)| planned.get(*path) != Some(*hash);
        let edited: Vec<&str> = found
            .iter()
            .filter(is_edited)
            .map(|(path, _)| path.as_str())
            .collect();
        let name = &self.plan.target.display_name;
        self.messages.push(
            StatusMessage::warning(
                Code::ChangedAgain,
                format!(
                    "GPO \"{name}\" has changed again since it was written: {}",
                    edited.join(", ")
                ),
            )
            .with_hint("somebody else is changing the same GPO; the new settings are active, and these files are as they left them"),
        );
    }

    /// The next step for what cannot be deleted now.
    pub(super) fn clean_up_later(&self) -> String {
        let id = super::short_id(self.operation_id);
        format!("when no client has it open, run: gpoctl operations cleanup {id}")
    }

    /// Deletes the old entries. What cannot be deleted now is reported; an active policy is not rolled back because of it.
    async fn clean(&mut self, switches: &[Switch]) {
        self.control.report(Phase::Clean, 0, 1, 0);
        for name in switches.iter().filter_map(|switch| switch.old.clone()) {
            let path = self.staging.entry(&name);
            if let Err(error) = remove_tree(self.sysvol(), &path).await {
                self.messages.push(
                    StatusMessage::new(
                        Severity::Warning,
                        Code::LeftOver,
                        format!("the old {name} cannot be removed: {error}"),
                    )
                    .at(Place::file(RelPath::root().join(name).to_string()))
                    .with_hint(format!(
                        "the new settings are active; {}",
                        self.clean_up_later()
                    )),
                );
            }
        }
        self.control.report(Phase::Clean, 1, 1, 0);
    }
}

/// Whether files that differ from the plan are those of the plan, edited by somebody else: each of them is there, and none is as it was
/// before. Folders have no hash.
fn is_edited_since(
    found: &BTreeMap<String, String>,
    planned: &BTreeMap<String, String>,
    was: &BTreeMap<String, String>,
) -> bool {
    let is_former = |(path, hash): (&String, &String)| {
        !hash.is_empty() && planned.get(path) != Some(hash) && found.get(path) == Some(hash)
    };
    planned.keys().all(|path| found.contains_key(path)) && !was.iter().any(is_former)
}

/// What remains of a change when the new state is live.
pub(super) enum Leftovers {
    /// Nothing.
    Nothing,
    /// The entries that were replaced, under other names.
    Replaced(Vec<Switch>),
    /// The folder of a GPO that was deleted.
    Folder,
}

fn no_right(error: Error) -> Error {
    if error.kind() == ErrorKind::Denied {
        error
            .context("this account may not write into the GPO's folder on SYSVOL")
            .with_hint("this account needs edit rights on both halves of the GPO")
    } else {
        error
    }
}
