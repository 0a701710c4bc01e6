//! Rolling back: undoes every change announced in the journal, and proves the result by reading back.
//!
//! Only what this operation wrote is changed back, and only if it is still unchanged; changes by somebody else are kept and
//! reported. If the new version was not visible yet, the former state is restored byte for byte. Otherwise the old settings are
//! restored with a version above the visible one, because a client ignores a version that is lower or the same. The version is
//! written last in either case.

mod attributes;
mod entries;
mod gpt_ini;
mod new_gpo;
mod newcomers;
mod proof;

use std::collections::BTreeSet;

use super::journal::{Before, Inverse, Journal, Visible};
use super::stage::{StagingArea, descriptor_steps, probe_file_entries, remove_tree};
use super::waiting::PatientDomain;
use crate::directory::AttributeSwap;
use crate::directory::SwapAttribute;
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::execute::file_forms::FileForms;
use crate::execute::objects::reconcile;
use crate::model::dn::Dn;
use crate::model::guid::Guid;
use crate::model::safe_name::SafeName;
use crate::model::security_descriptor::{SecurityDescriptor, grants_same_access};
use crate::model::version::GpoVersion;
use crate::plan::gpo::{FileContent, GpoPlan, Step};
use crate::plan::objects;

/// The parts of a security descriptor [MS-ADTS 3.1.1.3.4.1.11].
pub(super) const DACL: u32 = 4;
pub(super) const OWNER_GROUP_DACL: u32 = 7;

/// An operation that is to be undone.
pub(super) struct Undo<'a> {
    pub(super) domain: &'a PatientDomain<'a>,
    pub(super) staging: &'a StagingArea,
    pub(super) plan: &'a GpoPlan,
    /// The number of the change in the plan of the operation.
    pub(super) of: usize,
    /// The state before; `None` when the operation creates the target.
    pub(super) before: Option<&'a Before>,
    /// The versions that incomplete roll-backs were about to write, the last one at the end.
    pub(super) raising: &'a [GpoVersion],
    /// The live names of the entries of others that incomplete roll-backs were about to put aside.
    pub(super) put_aside: Option<&'a BTreeSet<String>>,
    /// Whether the operation had ended before, so that others may have done anything since.
    pub(super) is_later: bool,
    /// The attributes that keep the value of a later operation.
    pub(super) kept: &'a [SwapAttribute],
    /// The versions that undoing later operations made visible.
    pub(super) visible: &'a [Visible],
}

/// The result of a complete roll-back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RolledBack {
    /// The version of the GPO, when it is not the former one.
    pub(super) raised: Option<GpoVersion>,
    /// Whether the objects below the GPO are the same ones, not new ones with the same content.
    pub(super) same_objects: bool,
    /// Whether it contains what somebody else wrote while the operation was switching its entries.
    pub(super) keeps_others: bool,
}

impl RolledBack {
    /// As a sentence about what was rolled back: `everything`, or `the rest`.
    pub(super) fn sentence(&self, what: &str) -> String {
        let mut text = format!("{what} was rolled back");
        if !self.same_objects {
            text.push_str("; deleted objects were recreated with new identities, and this account may own them now");
        }
        if let Some(version) = self.raised {
            let version = version.in_words();
            text += &format!(
                ", with the higher version {version}, because clients may have read the new settings and ignore older versions"
            );
        }
        if self.keeps_others {
            text.push_str("; what somebody else wrote meanwhile is kept, over the former files");
        }
        text
    }
}

impl std::fmt::Display for RolledBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence("everything"))
    }
}

/// What a roll-back could not undo.
#[derive(Default)]
struct RollbackReport {
    /// Changes by somebody else, a sentence each.
    foreign: Vec<String>,
    /// Former entries that are not needed: the live one has the same content again.
    superfluous: Vec<SysvolPath>,
    /// The first error.
    failed: Option<Error>,
    /// The live names of the entries that were renamed back.
    renamed_back: Vec<String>,
    /// Whether an entry is the former one already: it was never renamed, or an earlier attempt has renamed it back.
    has_former: bool,
    /// Whether what somebody else wrote was put over former entries.
    keeps_others: bool,
}

impl RollbackReport {
    /// Whether all entries are those of somebody else, and so is what is not there.
    fn is_theirs(&self) -> bool {
        !self.foreign.is_empty() && self.renamed_back.is_empty() && !self.has_former
    }

    /// Keeps something that is not what this operation wrote.
    fn leave(&mut self, what: impl std::fmt::Display) {
        self.foreign.push(format!(
            "{what} was changed by somebody else in the meantime and is left unchanged"
        ));
    }

    fn note(&mut self, inverse: &Inverse, outcome: Result<()>) {
        if let Err(error) = outcome {
            tracing::warn!(%error, ?inverse, "Cannot undo");
            self.failed.get_or_insert(error);
        }
    }

    fn into_result(self) -> Result<()> {
        if self.foreign.is_empty() && self.failed.is_none() {
            return Ok(());
        }
        Err(self.into_error())
    }

    fn into_error(self) -> Error {
        let mut text = "not everything could be rolled back".to_owned();
        if !self.foreign.is_empty() {
            text = format!("{text}: {}", self.foreign.join("; "));
        }
        let error = Error::new(ErrorKind::Incomplete, text);
        match self.failed {
            Some(cause) => error.with_source(cause),
            None => error.with_remedy(Remedy::KeepChangesOfOthers),
        }
    }
}

impl Undo<'_> {
    /// Undoes `changes` in reverse order, but the entries of the GPO's folder first, and the version at the end. Each inverse compares
    /// with the present state, so it is right for a change that was announced and never made. Continues after an error, so that as
    /// much as possible is undone; but while a client has an entry open that would be restored, or SYSVOL does not answer, nothing is, and no client
    /// finds a part of the old settings under the new version.
    ///
    /// # Errors
    /// `Incomplete`, with all changes by somebody else and the first error.
    pub(super) async fn roll_back(
        &self,
        changes: &[Inverse],
        journal: &mut Journal,
    ) -> Result<RolledBack> {
        self.refuse_deleted(changes).await?;
        self.refuse_changed_new(changes).await?;
        let mut report = RollbackReport::default();
        if let Some(last) = changes.iter().rev().find(|change| is_switch(change)) {
            match self.switch_all_back(changes, journal, &mut report).await {
                Err(error) if entries::keeps_the_new(&error) => {
                    report.note(last, Err(error));
                    return Err(report.into_error());
                }
                outcome => report.note(last, outcome),
            }
        }
        // Then the settings are those of somebody else, whose version and objects may be the same that this operation has written.
        let theirs = report.is_theirs();
        for inverse in changes.iter().rev() {
            if theirs && matches!(inverse, Inverse::RestoreDirectoryObjects) {
                continue;
            }
            let outcome = self.undo(inverse, &mut report).await;
            report.note(inverse, outcome);
        }
        let mut raised = None;
        let version = changes.iter().rev().find(|change| is_version(change));
        if let Some(last) = version.filter(|_| !theirs) {
            match self.restore_version(changes, journal, &mut report).await {
                Ok(version) => raised = version,
                Err(error) => report.note(last, Err(error)),
            }
        }
        // A folder that was recreated is deleted when it is empty, GPT.INI included.
        if let Some(made) = changes.iter().find(|c| matches!(c, Inverse::RemoveFolder)) {
            let outcome = self.remove_folder(&mut report).await;
            report.note(made, outcome);
        }
        let renamed_back = std::mem::take(&mut report.renamed_back);
        let keeps_others = report.keeps_others;
        report.into_result()?;
        let same_objects = self.prove(changes, raised, &renamed_back).await?;
        Ok(RolledBack {
            raised,
            same_objects,
            keeps_others,
        })
    }

    /// Refuses to roll back what this operation changed of a GPO that somebody else has deleted.
    async fn refuse_deleted(&self, changes: &[Inverse]) -> Result<()> {
        let own = |change| matches!(change, &Inverse::RecreateContainer);
        if self.before.is_none() || changes.iter().any(own) {
            return Ok(());
        }
        match self.domain.session().directory().gpo(self.guid()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::new(
                ErrorKind::Incomplete,
                format!(
                    "GPO \"{}\" {} was deleted by somebody else in the meantime",
                    self.plan.target.display_name,
                    self.guid()
                ),
            )
            .with_remedy(Remedy::KeepChangesOfOthers)),
            other => other.map(drop),
        }
    }

    fn guid(&self) -> Guid {
        self.plan.target.guid
    }

    async fn undo(&self, inverse: &Inverse, report: &mut RollbackReport) -> Result<()> {
        let sysvol = self.domain.sysvol();
        match inverse {
            Inverse::DeleteGpo { guid } => self.delete_new(*guid, report).await,
            Inverse::DeleteContainer { guid } => self.delete_container(*guid).await,
            Inverse::RemoveEntry { name } => remove_tree(sysvol, &self.entry(name)?).await,
            Inverse::RestoreDirectoryObjects => self.restore_objects(report).await,
            Inverse::RestoreFolderDescriptor {
                descriptor,
                written,
            } => {
                self.restore_folder_descriptor(
                    &descriptor.0,
                    written.as_ref().map(|w| &w.0[..]),
                    report,
                )
                .await
            }
            Inverse::RestoreName { written } => {
                let before = Some(self.before()?.display_name.clone()).filter(|n| !n.is_empty());
                let swap = AttributeSwap {
                    attribute: SwapAttribute::DisplayName,
                    old: Some(written.clone()),
                    new: before,
                };
                self.restore_attribute(swap, report).await
            }
            Inverse::RestoreStatus { written } => {
                let swap = AttributeSwap {
                    attribute: SwapAttribute::Flags,
                    old: Some(written.cast_signed().to_string()),
                    new: self
                        .before()?
                        .flags
                        .map(|flags| flags.cast_signed().to_string()),
                };
                self.restore_attribute(swap, report).await
            }
            Inverse::RestoreLinks {
                som,
                before,
                written,
            } => {
                self.restore_links(som, before.as_deref(), written.as_deref(), report)
                    .await
            }
            Inverse::RecreateContainer => self.recreate().await,
            // Of single values.
            Inverse::ChangeBack => Ok(()),
            // The entries were restored before everything else; the version is after it, and the folder after that.
            Inverse::SwitchBack { .. }
            | Inverse::RestoreGptIni
            | Inverse::RestoreAttributes { .. }
            | Inverse::RemoveFolder => Ok(()),
        }
    }

    /// Deletes the folder of the GPO, which this operation created, unless somebody has added something to it.
    async fn remove_folder(&self, report: &mut RollbackReport) -> Result<()> {
        let (sysvol, folder) = (self.domain.sysvol(), self.staging.folder());
        if sysvol.stat(&folder).await?.is_none() {
            return Ok(());
        }
        let listing = sysvol.list(&folder).await?;
        if listing.entries.is_empty() && listing.refused.is_empty() {
            sysvol.remove_dir(&folder).await
        } else {
            report.leave(&folder);
            Ok(())
        }
    }

    async fn delete_container(&self, guid: Guid) -> Result<()> {
        match self.domain.directory().delete_gpo(guid).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The version this operation writes, if it writes one.
    fn planned_version(&self) -> Option<GpoVersion> {
        self.plan.steps.iter().find_map(|step| match step {
            Step::ModifyGpo { version_to, .. } => Some(*version_to),
            _ => None,
        })
    }

    /// Restores the descriptor of the GPO's folder, if it is still the one that this operation set.
    async fn restore_folder_descriptor(
        &self,
        before: &[u8],
        written: Option<&[u8]>,
        report: &mut RollbackReport,
    ) -> Result<()> {
        let (sysvol, folder) = (self.domain.sysvol(), self.staging.folder());
        let current = sysvol.security_descriptor(&folder).await?;
        if current == before {
            return Ok(());
        }
        probe_file_entries(self.domain, &folder, true).await?;
        // Without object entries where the server refuses them, and then with those that deny.
        let container = self.before.map(|before| &before.security_descriptor.0[..]);
        let forms = FileForms::derived_from(self.domain.session(), container.unwrap_or_default());
        let former = forms.for_server(&FileContent(before.to_vec().into()));
        let steps = descriptor_steps(sysvol, &former.0, "the journal")?;
        // The second of two steps may have failed, also that of an earlier roll-back.
        let is_own = written.is_none_or(|written| {
            let written = descriptor_steps(sysvol, written, "the journal").unwrap_or_default();
            let half_restored = steps.split_last().into_iter().flat_map(|(_, first)| first);
            let mut own = written.iter().chain(half_restored);
            own.any(|step| grants_the_same(step, &current))
        });
        if !is_own {
            if !grants_the_same(before, &current) {
                report.leave(format!("the permissions of {folder}"));
            }
            return Ok(());
        }
        sysvol.set_security_descriptors(&folder, &steps).await
    }

    /// Restores the objects below the GPO, as far as they are still what this operation wrote.
    async fn restore_objects(&self, report: &mut RollbackReport) -> Result<()> {
        // Those below a GPO that this operation creates are deleted with it. Found by the sweep of `CopyWithin`, a lost
        // connection at the first `add` below the container: nothing could be rolled back, neither then nor later.
        if self.before.is_none() {
            return Ok(());
        }
        let directory = self.domain.session().directory();
        let have = directory.children(self.guid()).await?;
        let back = objects::revert_plan(
            &have,
            &self.before()?.directory_objects,
            &self.plan.directory_objects,
        );
        for object in &back.foreign {
            report.leave(format!("the object {object}"));
        }
        let changes = objects::changes(&have, &back.want);
        reconcile(self.domain.directory(), self.guid(), &changes).await
    }

    /// Restores the links of a domain, OU or site, if they are still what this operation wrote.
    async fn restore_links(
        &self,
        som: &str,
        before: Option<&str>,
        written: Option<&str>,
        report: &mut RollbackReport,
    ) -> Result<()> {
        let dn = som_dn(som)?;
        let current = self.domain.session().directory().som(&dn).await?.gp_link;
        let blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
        let same = |one: Option<&str>, two: Option<&str>| one == two || (blank(one) && blank(two));
        if same(current.as_deref(), before) {
            return Ok(());
        }
        if !same(current.as_deref(), written) {
            report.leave(format!(
                "gPLink of {dn}, which was {} before,",
                before.unwrap_or("absent")
            ));
            return Ok(());
        }
        self.domain
            .directory()
            .set_gp_link(&dn, current.as_deref(), before)
            .await
    }

    fn before(&self) -> Result<&Before> {
        self.before.ok_or_else(|| {
            Error::new(
                ErrorKind::Incomplete,
                "the journal does not contain the state before the operation",
            )
        })
    }

    fn entry(&self, name: &str) -> Result<SysvolPath> {
        Ok(self.staging.entry(&safe_name(name)?))
    }
}

/// A name of an entry in a journal.
pub(super) fn safe_name(name: &str) -> Result<SafeName> {
    SafeName::new(name).map_err(|cause| {
        Error::new(
            ErrorKind::BadInput,
            "the journal contains an unsafe file name",
        )
        .with_source(cause)
    })
}

/// Whether a change made an entry of the GPO's folder live.
fn is_switch(change: &Inverse) -> bool {
    matches!(change, Inverse::SwitchBack { .. })
}

/// Whether a change is one of the two that make a new version.
fn is_version(change: &Inverse) -> bool {
    matches!(
        change,
        Inverse::RestoreGptIni | Inverse::RestoreAttributes { .. }
    )
}

/// Whether two descriptors grant the same, whoever owns the object.
fn grants_the_same(one: &[u8], other: &[u8]) -> bool {
    match (
        SecurityDescriptor::parse(one),
        SecurityDescriptor::parse(other),
    ) {
        (Ok(mut one), Ok(other)) => {
            one.owner = None;
            one.group = None;
            grants_same_access(&one, &other)
        }
        _ => one == other,
    }
}

/// The DN of a domain, OU or site in a plan or a journal.
pub(super) fn som_dn(text: &str) -> Result<Dn> {
    Dn::parse(text).map_err(|cause| {
        Error::new(
            ErrorKind::BadInput,
            format!("\"{}\" is not a distinguished name", text.escape_debug()),
        )
        .with_source(cause)
    })
}

/// The name of GPT.INI.
pub(super) fn gpt_ini_name() -> Result<SafeName> {
    SafeName::new("GPT.INI")
        .map_err(|cause| Error::new(ErrorKind::Internal, "no name for GPT.INI").with_source(cause))
}
