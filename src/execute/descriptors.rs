//! Security descriptors: that of the GPO, and those of its files and folders, which are derived from it.

use super::run::Run;
use crate::domain::sysvol::{Sysvol, SysvolPath};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::Inverse;
use crate::execute::rollback;
use crate::execute::stage::{as_stored, descriptors_from, without_owners};
use crate::execute::values::object_entries_refused;
use crate::message::{Code, Severity, StatusMessage};
use crate::model::gpt_tree::GptTree;
use crate::model::security_descriptor::{
    FileDescriptor, FileEntries, SecurityDescriptor, grants_same_access,
};
use crate::plan::folder_rights::{self, derived_descriptor};
use crate::plan::gpo::{FileContent, Step};
use crate::plan::inherited_permissions::{Written, descriptors_not_set, refused_order};
use crate::session::read::LiveGpo;

impl Run<'_> {
    /// Returns the descriptor that the plan sets on the GPO, if it sets one. If it locks this account out, an entry is added
    /// that lets the account work until the end.
    pub(super) fn planned_descriptor(&self) -> Option<Vec<u8>> {
        if let Some(working) = self
            .self_lockout
            .as_ref()
            .and_then(|it| it.while_working().ok())
        {
            return Some(working);
        }
        self.last_descriptor()
    }

    fn last_descriptor(&self) -> Option<Vec<u8>> {
        self.plan.steps.iter().find_map(|step| match step {
            Step::SetSecurityDescriptor { descriptor, .. } => Some(descriptor.0.to_vec()),
            _ => None,
        })
    }

    /// Sets the permissions that lock this account out, as the last step: on every file and folder, then on the GPO's folder,
    /// then on its container. What cannot be set is reported and not rolled back, because the policy is already active.
    pub(super) async fn set_final_descriptor(&mut self, tree: &GptTree) {
        let (Some(_), Some(last)) = (&self.self_lockout, self.last_descriptor()) else {
            return;
        };
        if let Err(error) = self.set_last(tree, &last).await {
            self.messages.push(
                StatusMessage::warning(
                    Code::PermissionsNotLast,
                    format!("not all of the final permissions could be set, so this account keeps some of its rights: {error}"),
                )
                .with_hint("set them in GPMC, or with samba-tool dsacl, and then run gpoctl check --fix as an administrator"),
            );
        }
    }

    async fn set_last(&self, tree: &GptTree, last: &[u8]) -> Result<()> {
        let sysvol = self.sysvol();
        let session = self.domain.session();
        let descriptors = descriptors_from(session, last)?;
        if !descriptors.is_empty() {
            let ini = self.staging.entry(&rollback::gpt_ini_name()?);
            let mut paths: Vec<SysvolPath> = tree
                .entries()
                .map(|(path, _)| self.staging.at(path))
                .collect();
            paths.reverse();
            paths.push(ini);
            for path in paths {
                set_as_far_as_allowed(sysvol, &path, &descriptors).await?;
            }
        }
        // In one step: the first of two would remove the right to make the second. The POSIX ACL keeps an entry for this
        // account, which grants nothing that the descriptor does not.
        let folder = match descriptors.last() {
            Some(exact) => Some(exact.clone()),
            None if self.children_inherit() => Some(self.derived(last)?.without_object_aces),
            None => None,
        };
        if let Some(folder) = folder {
            set_as_far_as_allowed(sysvol, &self.staging.folder(), &[folder]).await?;
        }
        self.domain
            .directory()
            .set_security_descriptor(self.plan.target.guid, last, rollback::DACL)
            .await
    }

    /// Reports permissions that differ from those of the plan. This does not cause a roll-back: a server may merge or reorder
    /// entries.
    pub(super) fn check_access(&mut self, read_back: &[u8]) {
        let Some(planned) = self.planned_descriptor() else {
            return;
        };
        let same = match (
            SecurityDescriptor::parse(&planned),
            SecurityDescriptor::parse(read_back),
        ) {
            (Ok(mut planned), Ok(read_back)) => {
                // An owner that could not be set is reported already.
                planned.owner = None;
                planned.group = None;
                grants_same_access(&planned, &read_back)
            }
            _ => false,
        };
        if !same {
            self.messages.push(
                StatusMessage::warning(
                    Code::PermissionsDiffer,
                    "the permissions of the GPO, read back, differ from those of the plan",
                )
                .with_hint("compare them with: gpoctl show"),
            );
        }
    }

    /// The descriptors for the files and folders of an existing GPO. Where children inherit, the folder from which they inherit
    /// gets its descriptor here, before anything is created in it.
    pub(super) async fn descriptors_of_existing(
        &mut self,
        current: &LiveGpo,
    ) -> Result<Vec<Vec<u8>>> {
        let Some(planned) = self.planned_descriptor() else {
            self.report_form_of_earlier_version().await?;
            return self.descriptors(&current.object.security_descriptor);
        };
        let descriptors = self.descriptors(&planned)?;
        if self.children_inherit() {
            let folder = vec![self.derived(&planned)?.without_object_aces];
            self.set_folder_descriptor(&folder).await?;
        }
        Ok(descriptors)
    }

    /// The GPO's folder keeps its permissions. In a domain that was upgraded to Samba 4.25 they may have object entries, which the new
    /// files beside it cannot get.
    async fn report_form_of_earlier_version(&mut self) -> Result<()> {
        let sysvol = self.sysvol();
        if sysvol.file_entries() != Some(FileEntries::WithoutObjectAces) {
            return Ok(());
        }
        let folder = match sysvol.security_descriptor(&self.staging.folder()).await {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied) => {
                return Ok(());
            }
            other => SecurityDescriptor::parse(&other?),
        };
        if folder.is_ok_and(|it| as_stored(sysvol, it.clone()) != it) {
            let mut message = object_entries_refused();
            message.severity = Severity::Info;
            self.messages.push(message);
        }
        Ok(())
    }

    /// Sets the descriptor of the GPO's folder, when the plan changes that of the GPO.
    pub(super) async fn set_folder_descriptor(&mut self, descriptors: &[Vec<u8>]) -> Result<()> {
        if descriptors.is_empty() || self.planned_descriptor().is_none() {
            return Ok(());
        }
        let folder = self.staging.folder();
        let before = self.sysvol().security_descriptor(&folder).await?;
        let before = self.restorable(before)?;
        self.announce(Inverse::RestoreFolderDescriptor {
            descriptor: FileContent(before.into()),
            written: descriptors
                .last()
                .map(|last| FileContent(last.clone().into())),
        })?;
        self.sysvol()
            .set_security_descriptors(&folder, descriptors)
            .await
    }

    /// The descriptor that a roll-back sets on the folder: the present one, unless it grants more than the GPO does. A journal
    /// with such a descriptor would be refused, so it is the one derived from the GPO.
    fn restorable(&mut self, found: Vec<u8>) -> Result<Vec<u8>> {
        let excess = match folder_rights::excess(&found, self.plan) {
            Ok(None) => return Ok(found),
            Ok(Some(excess)) => excess,
            Err(cause) => format!("what cannot be read: {cause}"),
        };
        let basis = self.plan.basis.as_ref();
        let Some(container) = basis.and_then(|basis| basis.descriptor.as_ref()) else {
            return Ok(found);
        };
        // In the form that this server stores, entries that deny included.
        let derived = self.derived(&container.0)?;
        self.messages.push(
            StatusMessage::warning(
                Code::FolderGrantsMore,
                format!("the folder of the GPO on SYSVOL has {excess}, which the GPO does not grant; rolling back does not restore it"),
            )
            .with_hint("gpoctl check compares the permissions of the folder with those of the GPO"),
        );
        Ok(derived.with_object_aces)
    }

    /// The descriptors for every file and folder, one after the other; none where children inherit.
    pub(super) fn descriptors(&mut self, directory_descriptor: &[u8]) -> Result<Vec<Vec<u8>>> {
        if !self.domain.session().info().is_samba() {
            return Ok(Vec::new());
        }
        if !self.sysvol().has_exact_descriptors() {
            // The plan reports this, unless it was made with another client.
            let message = descriptors_not_set(self.domain.session(), self.plan);
            self.messages
                .extend(message.filter(|it| !self.plan.messages.iter().any(|m| m.code == it.code)));
            return Ok(Vec::new());
        }
        self.report_order(directory_descriptor)?;
        descriptors_from(self.domain.session(), directory_descriptor)
    }

    /// What a server that refuses object entries stores in place of these descriptors, where it is not known which one this is.
    pub(super) async fn other_form(&self, descriptors: &[Vec<u8>]) -> Result<Option<Vec<Vec<u8>>>> {
        if descriptors.is_empty() || self.sysvol().file_entries().is_some() {
            return Ok(None);
        }
        let container = match self.planned_descriptor() {
            Some(planned) => planned,
            None => {
                let directory = self.domain.session().directory();
                directory
                    .gpo(self.plan.target.guid)
                    .await?
                    .security_descriptor
            }
        };
        let other = derived_descriptor(&container, FileEntries::WithoutObjectAces)?;
        Ok(Some(other.into_steps()))
    }

    /// Reports permissions in an order that the server refuses on files, now that it is known which one this is. Those that let the
    /// account work until the end are replaced, so the last ones count.
    fn report_order(&mut self, directory_descriptor: &[u8]) -> Result<()> {
        self.messages.retain(|it| it.code != Code::DenyAfterAllow);
        let entries = self.sysvol().file_entries().unwrap_or_default();
        let last = self.last_descriptor();
        let last = self.derived(last.as_deref().unwrap_or(directory_descriptor))?;
        if !entries.stores(&last.descriptor) {
            self.messages
                .push(refused_order(match self.plan.target.create {
                    true => Written::Folder,
                    false => Written::Files,
                }));
        }
        Ok(())
    }

    /// Whether files inherit from the folder of the GPO, which has the permissions that follow from those of the GPO: on Windows.
    fn children_inherit(&self) -> bool {
        !self.domain.session().info().is_samba() && self.sysvol().has_exact_descriptors()
    }

    /// The descriptors for a new folder of the GPO. On Windows it has the one derived from its container, without the object
    /// entries, and what is below inherits from it; on Samba it is like every file. Where the server refuses the order of its entries,
    /// those that deny come first, and what is below inherits from it: a folder without a descriptor would inherit from Policies, in
    /// which Group Policy Creator Owners may write. Seen on 4.25.1, after the undo of a deletion.
    pub(super) fn descriptors_of_folder(
        &self,
        descriptors: &[Vec<u8>],
        container: &[u8],
    ) -> Result<Vec<Vec<u8>>> {
        if self.children_inherit() {
            return Ok(vec![self.derived(container)?.without_object_aces]);
        }
        if !descriptors.is_empty() || !self.sysvol().has_exact_descriptors() {
            return Ok(descriptors.to_vec());
        }
        let first = self.derived(container)?.denying_first();
        let first = first.map_err(|cause| {
            Error::new(
                ErrorKind::BadDirectory,
                "the permissions of the GPO do not fit in a security descriptor",
            )
            .with_source(cause)
        })?;
        Ok(vec![first])
    }

    /// The descriptor of the GPO's folder, derived from that of its container. What GPMC does on Windows is documented nowhere and was
    /// not tried: of what Windows has written, only allow entries are known, and none with an object type. It gets what `dsacl2fsacl` of
    /// Samba 4.25 keeps, which denies on files what the directory denies.
    pub(super) fn derived(&self, directory_descriptor: &[u8]) -> Result<FileDescriptor> {
        let entries = match self.domain.session().info().is_samba() {
            true => self.sysvol().file_entries().unwrap_or_default(),
            false => FileEntries::WithoutObjectAces,
        };
        derived_descriptor(directory_descriptor, entries)
    }
}

/// Sets descriptors, without owners where this account may not set them.
async fn set_as_far_as_allowed(
    sysvol: &dyn Sysvol,
    path: &SysvolPath,
    descriptors: &[Vec<u8>],
) -> Result<()> {
    match sysvol.set_security_descriptors(path, descriptors).await {
        Err(error) if error.kind() == ErrorKind::Denied => {
            sysvol
                .set_security_descriptors(path, &without_owners(descriptors))
                .await
        }
        other => other,
    }
}
