//! What no undo puts back: permissions of files that do not follow from the GPO, and links to another domain.
//!
//! What an operation replaced is known only from its journal, which somebody may have edited. So such a file or link stays as it is,
//! and a warning of the undo says what was there.

use std::collections::BTreeMap;

use super::limits::inherited;
use super::{DescriptorSwap, ObjectDn, ValueChange};
use crate::directory::AttributeSwap;
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::{Ace, FileEntries, SecurityDescriptor};
use crate::plan::folder_rights::{FileRights, derived_descriptor};
use crate::plan::gpo::FileContent;
use crate::plan::{Change, Object, Plan};
use crate::session::DomainSession;

/// The permissions that files have, by the GPO and the folded path.
type Present = BTreeMap<(Guid, String), Vec<u8>>;

/// The permissions that a file had before a repair.
struct NotPutBack {
    guid: Guid,
    path: RelPath,
    why: Why,
    before: FileContent,
}

/// Why permissions are not put back: part of a sentence.
enum Why {
    /// They grant this, which does not follow from the GPO.
    Excess(String),
    /// The server does not store what an earlier version has stored: the present ones are the same without that.
    ObjectEntries,
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
        let present = self.present_permissions(session).await?;
        let mut refused: BTreeMap<Guid, usize> = BTreeMap::new();
        for kept in self.leave_out(session, &present).await? {
            // A file that was deleted since has none.
            let found = present.get(&(kept.guid, kept.path.folded()));
            if found.is_none_or(|found| is_same(found, &kept.before.0)) {
                continue;
            }
            let Why::Excess(excess) = &kept.why else {
                *refused.entry(kept.guid).or_default() += 1;
                continue;
            };
            messages.push(
                StatusMessage::warning(
                    Code::PermissionsNotPutBack,
                    format!(
                        "{} keeps its present permissions: before, it had {excess}, which does not follow from the permissions of the GPO and is not put back",
                        kept.file()
                    ),
                )
                .with_hint(kept.hint()),
            );
        }
        messages.extend(refused.into_iter().map(|(guid, count)| {
            StatusMessage::warning(
                Code::PermissionsNotPutBack,
                format!(
                    "the permissions of {} of the GPO {guid} are left as they are: before, they had object entries, which this version of Samba does not store",
                    files_and_folders(count)
                ),
            )
            .with_hint("no action is needed; this server requires the present ones")
        }));
        messages.extend(self.denials_removed(&present));
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
        let left_out = self.clone().leave_out(session, &Present::new()).await?;
        let warning = |it: NotPutBack| {
            let Why::Excess(excess) = &it.why else {
                // Every file of an upgraded domain, where nobody misses what was removed.
                return None;
            };
            let warning = StatusMessage::warning(
                Code::PermissionsNotPutBack,
                format!(
                    "an undo will not put back what this removes from {}: {excess}, which does not follow from the permissions of the GPO",
                    it.file()
                ),
            );
            Some(warning.with_hint(it.hint()))
        };
        Ok(left_out.into_iter().filter_map(warning).collect())
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

    /// The permissions that the files of its changes have now. A plan that was made without asking the server may have other ones than
    /// those it has set.
    async fn present_permissions(&self, session: &DomainSession) -> Result<Present> {
        let mut present = Present::new();
        for planned in self.values() {
            let ValueChange::Descriptors { guid, entries } = &planned.change else {
                continue;
            };
            for entry in entries {
                let path = SysvolPath::in_gpo(&session.info().dns_domain, *guid, &entry.path);
                match session.sysvol().security_descriptor(&path).await {
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    found => drop(present.insert((*guid, entry.path.folded()), found?)),
                }
            }
        }
        Ok(present)
    }

    /// A warning for each GPO of which files get permissions back that do not deny what the present ones deny.
    fn denials_removed(&self, present: &Present) -> Vec<StatusMessage> {
        let mut removed: BTreeMap<Guid, usize> = BTreeMap::new();
        for planned in self.values() {
            let ValueChange::Descriptors { guid, entries } = &planned.change else {
                continue;
            };
            let loses = |entry: &&DescriptorSwap| {
                let now = present.get(&(*guid, entry.path.folded()));
                now.is_some_and(|now| denies_more(now, &entry.old.0))
            };
            let count = entries.iter().filter(loses).count();
            if count > 0 {
                *removed.entry(*guid).or_default() += count;
            }
        }
        let warning = |(guid, count)| {
            StatusMessage::warning(
                Code::DenialRemoved,
                format!(
                    "permissions are put back on {} of the GPO {guid} that do not deny what the permissions of the GPO deny",
                    files_and_folders(count)
                ),
            )
            .with_hint(Code::DenialRemoved.action())
        };
        removed.into_iter().map(warning).collect()
    }

    /// Takes the files out whose former permissions grant what does not follow from the GPO. `present` is empty for a plan that was
    /// not carried out.
    async fn leave_out(
        &mut self,
        session: &DomainSession,
        present: &Present,
    ) -> Result<Vec<NotPutBack>> {
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
            let container = match session.directory().gpo(guid).await {
                // All changes of a GPO that was deleted are empty.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                gpo => gpo?.security_descriptor,
            };
            if let ValueChange::GptIni { descriptor, .. } = &mut planned.change {
                // Those of the GPO may have been changed since.
                descriptor_of_gpt_ini(descriptor, &container)?;
                continue;
            }
            let rights = FileRights::of_bytes(&container)?;
            let count = left_out.len();
            let stores_all = session.sysvol().file_entries() == Some(FileEntries::WithObjectAces);
            let why = |entry: &DescriptorSwap| {
                let key = (guid, entry.path.folded());
                // A file that was not reached has its former ones.
                let found = present.get(&key);
                let found = found.filter(|found| !is_same(found, &entry.old.0));
                let new = found.map_or(&entry.new.0[..], |it| it);
                let mut others = vec![inherited.clone()];
                others.extend(SecurityDescriptor::parse(new));
                let Ok(before) = SecurityDescriptor::parse(&entry.old.0) else {
                    return Some(Why::Excess("permissions that cannot be read".to_owned()));
                };
                if !stores_all && loses_object_entries(&before, new, &rights) {
                    return Some(Why::ObjectEntries);
                }
                rights.beyond(&before, &others).map(Why::Excess)
            };
            leave_out_of(&mut planned.change, guid, why, &mut left_out);
            if left_out.len() > count {
                planned.describe();
            }
        }
        Ok(left_out)
    }
}

/// Replaces permissions that do not follow from the GPO by those that do.
fn descriptor_of_gpt_ini(descriptor: &mut Option<FileContent>, container: &[u8]) -> Result<()> {
    let Some(own) = descriptor.as_mut() else {
        return Ok(());
    };
    let rights = FileRights::of_bytes(container)?;
    let follows =
        SecurityDescriptor::parse(&own.0).is_ok_and(|own| rights.beyond(&own, &[]).is_none());
    if !follows {
        let derived = derived_descriptor(container, Default::default())?.descriptor;
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
    why: impl Fn(&DescriptorSwap) -> Option<Why>,
    left_out: &mut Vec<NotPutBack>,
) {
    if let ValueChange::Descriptors { entries, .. } = change {
        entries.retain(|entry| {
            let why = why(entry);
            let stays = why.is_none();
            left_out.extend(why.map(|why| NotPutBack {
                guid,
                path: entry.path.clone(),
                why,
                before: entry.old.clone(),
            }));
            stays
        });
    }
}

/// A number of files and folders.
/// A number of files and folders.
pub(crate) fn files_and_folders(count: usize) -> String {
    match count {
        1 => "1 file or folder".to_owned(),
        count => format!("{count} files and folders"),
    }
}

/// Whether the difference between permissions and those that replaced them is what the object entries of an earlier version are replaced
/// by: a repair removes these only on a server that refuses them.
fn loses_object_entries(before: &SecurityDescriptor, now: &[u8], rights: &FileRights) -> bool {
    let plain = before.without_object_aces();
    let Ok(now) = SecurityDescriptor::parse(now) else {
        return false;
    };
    plain != *before
        && now.without_object_aces() == now
        && (to_sddl(&plain) == to_sddl(&now) || rights.is_form(before) && rights.is_form(&now))
}

/// Whether permissions have an entry that denies and that the others have not.
fn denies_more(one: &[u8], other: &[u8]) -> bool {
    let denials = |bytes| {
        let parsed = SecurityDescriptor::parse(bytes).ok();
        let aces = parsed.and_then(|it| it.dacl).map(|dacl| dacl.aces);
        let mut denials = aces.unwrap_or_default();
        denials.retain(Ace::denies);
        denials
    };
    let known = denials(other);
    denials(one).iter().any(|ace| !known.contains(ace))
}

fn is_same(found: &[u8], wanted: &[u8]) -> bool {
    let parse = |bytes| SecurityDescriptor::parse(bytes).map(|it| to_sddl(&it));
    found == wanted || matches!((parse(found), parse(wanted)), (Ok(a), Ok(b)) if a == b)
}
