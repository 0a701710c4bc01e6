//! A GPO that does not exist yet.

use super::run::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::Inverse;
use crate::execute::rollback;
use crate::message::{Code, StatusMessage};
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::version::GpoVersion;

impl Run<'_> {
    /// Creates the GPO in both halves: version 0, no extensions, so no client applies it yet. Returns the descriptors for its
    /// files.
    pub(super) async fn create_gpo(&mut self) -> Result<Vec<Vec<u8>>> {
        let target = &self.plan.target;
        let directory = self.domain.directory();
        self.must_be_new().await?;
        self.announce(Inverse::DeleteGpo { guid: target.guid })?;
        if let Err(error) = directory
            .create_gpo(target.guid, &target.display_name)
            .await
        {
            // Somebody else has created the same GUID: that GPO must survive the roll-back.
            if error.kind() == ErrorKind::Conflict {
                self.journal.retract_intent()?;
            }
            return Err(error);
        }
        self.set_descriptor_of_new().await?;
        let object = self.domain.session().directory().gpo(target.guid).await?;
        if object.may_write == Some(false) {
            return Err(Error::new(
                ErrorKind::Denied,
                format!(
                    "the permissions of the new GPO {} do not let this account edit it",
                    target.guid
                ),
            )
            .with_hint("map the principals of its permissions to accounts of this domain, or omit the permissions"));
        }
        let descriptors = self.descriptors(&object.security_descriptor)?;
        let folder = self.descriptors_of_folder(&descriptors, &object.security_descriptor)?;
        let mut descriptors = descriptors;
        let mut made = self
            .sysvol()
            .create_dir(&self.staging.folder(), &folder)
            .await;
        if let Err(error) = &made
            && error.kind() == ErrorKind::Denied
            && let Some(others) = self.other_form(&descriptors).await?
        {
            descriptors = others;
            let folder = self.staging.folder();
            made = self.sysvol().create_dir(&folder, &descriptors).await;
        }
        if let Err(error) = made {
            if error.kind() == ErrorKind::Conflict {
                self.journal.retract_intent()?;
                self.announce(Inverse::DeleteContainer { guid: target.guid })?;
            }
            return Err(error);
        }
        let ini = self.staging.entry(&rollback::gpt_ini_name()?);
        self.sysvol()
            .write_new(
                &ini,
                bytes::Bytes::from(crate::formats::gpt_ini::create(GpoVersion::default())),
                &descriptors,
            )
            .await?;
        Ok(descriptors)
    }

    /// The GPO must not exist in either half: undoing the creation deletes both, and must not delete somebody else's.
    async fn must_be_new(&self) -> Result<()> {
        let target = &self.plan.target;
        let session = self.domain.session();
        let taken = session
            .directory()
            .gpos()
            .await?
            .into_iter()
            .any(|gpo| gpo.guid == target.guid);
        let folder = self.sysvol().stat(&self.staging.folder()).await?;
        if taken || folder.is_some() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("GPO {} exists already", target.guid),
            )
            .with_hint("the plan has already been applied; make a new one"));
        }
        crate::session::display_name::name_is_free(session, &target.display_name, None).await
    }

    /// Sets the descriptor of the plan on a GPO that was just created: also owner and group, if they are known and the account
    /// may set them.
    async fn set_descriptor_of_new(&mut self) -> Result<()> {
        let Some(descriptor) = self.planned_descriptor() else {
            return Ok(());
        };
        let directory = self.domain.directory();
        let guid = self.plan.target.guid;
        let has_owner = SecurityDescriptor::parse(&descriptor)
            .is_ok_and(|parsed| parsed.owner.is_some() && parsed.group.is_some());
        if has_owner {
            let all = directory
                .set_security_descriptor(guid, &descriptor, rollback::OWNER_GROUP_DACL)
                .await;
            match all {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Connect => return Err(error),
                Err(error) => self.messages.push(StatusMessage::warning(
                    Code::OwnerNotRestored,
                    format!("this account may not restore the owner of the GPO: {error}"),
                )),
            }
        }
        directory
            .set_security_descriptor(guid, &descriptor, rollback::DACL)
            .await
    }
}
