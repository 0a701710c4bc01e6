//! What no undo puts back: permissions of files that do not follow from the GPO, and links to another domain.
//!
//! What an operation replaced is known only from its journal, which somebody may have edited. So such a file or link stays as it is,
//! and a warning of the undo says what was there.

use std::collections::BTreeMap;

use super::limits::inherited;
use super::{ObjectDn, ValueChange};
use crate::directory::AttributeSwap;
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::plan::folder_rights::{beyond, derived_descriptor};
use crate::plan::gpo::FileContent;
use crate::plan::{Change, Object, Plan};
use crate::session::DomainSession;

/// The permissions that a file had before a repair.
struct NotPutBack {
    guid: Guid,
    path: RelPath,
    /// What does not follow from the GPO: part of a sentence.
    excess: String,
    before: FileContent,
}

impl NotPutBack {
    fn file(&self) -> String {
        match self.path.is_root() {
            true => format!("the folder of the GPO {}", self.guid),
            false => format!(
                "{} of the GPO {}",
                printable(&self.path.to_string()),
                self.guid
            ),
        }
    }

    fn hint(&self) -> String {
        match SecurityDescriptor::parse(&self.before.0) {
            Ok(before) => format!(
                "if that is wanted, set it by hand, for example with samba-tool ntacl set; the permissions before: {}",
                printable(&to_sddl(&before))
            ),
            Err(_) => "if they are wanted, set them by hand".to_owned(),
        }
    }
}

impl Plan {
    /// Reduces a plan that was carried out to what is taken back of it: files keep their present permissions if the former ones
    /// grant what does not follow from the GPO, links stay removed that lead out of the domain, and of a GPO that was deleted since
    /// nothing is taken back. A warning for each file or link that was changed and stays so, and a message for each of those GPOs.
    ///
    /// # Errors
    /// As the directory and the server.
    pub(crate) async fn keep_repaired(
        &mut self,
        session: &DomainSession,
    ) -> Result<Vec<StatusMessage>> {
        let mut messages = self.leave_out_deleted(session).await?;
        for kept in self.leave_out(session).await? {
            let path = SysvolPath::in_gpo(&session.info().dns_domain, kept.guid, &kept.path);
            let found = match session.sysvol().security_descriptor(&path).await {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => found?,
            };
            if is_same(&found, &kept.before.0) {
                continue;
            }
            messages.push(
                StatusMessage::warning(
                    Code::PermissionsNotPutBack,
                    format!(
                        "{} keeps its present permissions: before, it had {}, which does not follow from the permissions of the GPO and is not put back",
                        kept.file(),
                        kept.excess
                    ),
                )
                .with_hint(kept.hint()),
            );
        }
        for (dn, swap) in self.leave_out_links() {
            let found = session
                .directory()
                .swapped_values(&dn.0, std::slice::from_ref(&swap))
                .await?;
            if found == [swap.old.clone()] {
                continue;
            }
            let attribute = swap.attribute.as_str();
            messages.push(
                StatusMessage::warning(
                    Code::LinksNotPutBack,
                    format!(
                        "{attribute} of {} keeps its present value: before, it had a link that leads out of the domain, and that is not put back",
                        printable(dn.0.as_str())
                    ),
                )
                .with_hint(format!(
                    "if that is wanted, set it by hand; the value before: {}",
                    printable(&swap.old.unwrap_or_default())
                )),
            );
        }
        Ok(messages)
    }

    /// Takes the attributes out whose former value has a link that leads out of the domain.
    fn leave_out_links(&mut self) -> Vec<(ObjectDn, AttributeSwap)> {
        let mut left_out = Vec::new();
        let mut changes = std::mem::take(&mut self.changes);
        for change in &mut changes {
            let Change::Value(planned) = change else {
                continue;
            };
            let ValueChange::Attributes { dn, attributes } = &mut planned.change else {
                continue;
            };
            let foreign = attributes.extract_if(.., |swap| self.leads_elsewhere(&swap.inverse()));
            let count = left_out.len();
            left_out.extend(foreign.map(|swap| (dn.clone(), swap)));
            if left_out.len() > count {
                planned.describe();
            }
        }
        self.changes = changes;
        left_out
    }

    /// What the undo of this plan will not put back: a warning for each file, for whoever decides whether to carry it out.
    ///
    /// # Errors
    /// As the directory.
    pub(crate) async fn not_put_back(&self, session: &DomainSession) -> Result<Vec<StatusMessage>> {
        let left_out = self.clone().leave_out(session).await?;
        let warning = |it: NotPutBack| {
            StatusMessage::warning(
                Code::PermissionsNotPutBack,
                format!(
                    "an undo will not put back what this removes from {}: {}, which does not follow from the permissions of the GPO",
                    it.file(),
                    it.excess
                ),
            )
            .with_hint(it.hint())
        };
        Ok(left_out.into_iter().map(warning).collect())
    }

    /// Empties the changes of GPOs that do not exist any more.
    async fn leave_out_deleted(&mut self, session: &DomainSession) -> Result<Vec<StatusMessage>> {
        let mut exists: BTreeMap<Guid, bool> = BTreeMap::new();
        for change in &mut self.changes {
            let Change::Value(planned) = change else {
                continue;
            };
            let Object::Gpo(guid) = planned.change.object(&self.domain) else {
                continue;
            };
            let known = exists.get(&guid).copied();
            let is_there = match known {
                Some(is_there) => is_there,
                None => match session.directory().gpo(guid).await {
                    Err(error) if error.kind() == ErrorKind::NotFound => false,
                    gpo => gpo.map(|_| true)?,
                },
            };
            exists.insert(guid, is_there);
            if !is_there {
                planned.change = ValueChange::Descriptors {
                    guid,
                    entries: Vec::new(),
                };
                planned.describe();
            }
        }
        let deleted = exists.into_iter().filter(|(_, is_there)| !is_there);
        let message = |(guid, _)| {
            StatusMessage::info(
                Code::GpoDeletedSince,
                format!("GPO {guid} was deleted since, so nothing of it is put back"),
            )
        };
        Ok(deleted.map(message).collect())
    }

    async fn leave_out(&mut self, session: &DomainSession) -> Result<Vec<NotPutBack>> {
        let inherited = inherited(&session.info().domain_sid);
        let mut left_out = Vec::new();
        for change in &mut self.changes {
            let Change::Value(planned) = change else {
                continue;
            };
            let guid = match &planned.change {
                ValueChange::GptIni {
                    guid,
                    descriptor: Some(_),
                    ..
                }
                | ValueChange::Descriptors { guid, .. } => *guid,
                _ => continue,
            };
            let mut granted = vec![inherited.clone()];
            let derived = match session.directory().gpo(guid).await {
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                gpo => Some(derived_descriptor(
                    &gpo?.security_descriptor,
                    Default::default(),
                )?),
            };
            let derived = derived.map(|derived| derived.descriptor);
            if let ValueChange::GptIni { descriptor, .. } = &mut planned.change {
                // Those of the GPO may have been changed since.
                descriptor_of_gpt_ini(descriptor, derived.as_ref())?;
                continue;
            }
            granted.extend(derived);
            let count = left_out.len();
            leave_out_of(&mut planned.change, guid, &granted, &mut left_out);
            if left_out.len() > count {
                planned.describe();
            }
        }
        Ok(left_out)
    }
}

/// Replaces permissions that do not follow from the GPO by those that do.
fn descriptor_of_gpt_ini(
    descriptor: &mut Option<FileContent>,
    derived: Option<&SecurityDescriptor>,
) -> Result<()> {
    let (Some(own), Some(derived)) = (descriptor.as_mut(), derived) else {
        return Ok(());
    };
    let follows = SecurityDescriptor::parse(&own.0)
        .is_ok_and(|own| beyond(&own, std::slice::from_ref(derived)).is_none());
    if !follows {
        let bytes = derived.to_bytes().map_err(|cause| {
            Error::new(ErrorKind::Internal, "permissions cannot be written").with_source(cause)
        })?;
        *own = FileContent(bytes.into());
    }
    Ok(())
}

fn leave_out_of(
    change: &mut ValueChange,
    guid: Guid,
    granted: &[SecurityDescriptor],
    left_out: &mut Vec<NotPutBack>,
) {
    if let ValueChange::Descriptors { entries, .. } = change {
        entries.retain(|entry| {
            let mut granted = granted.to_vec();
            granted.extend(SecurityDescriptor::parse(&entry.new.0));
            let excess = match SecurityDescriptor::parse(&entry.old.0) {
                Ok(before) => beyond(&before, &granted),
                Err(_) => Some("permissions that cannot be read".to_owned()),
            };
            left_out.extend(excess.clone().map(|excess| NotPutBack {
                guid,
                path: entry.path.clone(),
                excess,
                before: entry.old.clone(),
            }));
            excess.is_none()
        });
    }
}

fn is_same(found: &[u8], wanted: &[u8]) -> bool {
    let parse = |bytes| SecurityDescriptor::parse(bytes).map(|it| to_sddl(&it));
    found == wanted || matches!((parse(found), parse(wanted)), (Ok(a), Ok(b)) if a == b)
}
