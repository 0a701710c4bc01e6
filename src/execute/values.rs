//! Changes of single values: made by compare-and-swap, and compared before, after and when they are rolled back.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use crate::domain::sysvol::{SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::execute::file_forms::FileForms;
use crate::execute::rollback;
use crate::execute::stage::{
    StagingArea, as_stored, descriptor_steps, owners_not_set, probe_file_entries, read_whole,
    remove_tree, without_owners,
};
use crate::message::{Code, StatusMessage};
use crate::model::guid::Guid;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::{SecurityDescriptor, grants_same_access};
use crate::plan::Plan;
use crate::plan::gpo::FileContent;
use crate::plan::inherited_permissions::order_of_gpt_ini_refused;
use crate::plan::values::{DescriptorSwap, ValueChange};
use crate::session::{DomainSession, DomainWriter};

/// Reports that files got their permissions without the object entries of the plan. That is right for this server, but it was
/// upgraded from a version that stored them, and the plan was made without trying which it accepts, so other files still have them.
/// Of a GPT.INI that inherits its permissions, `said` has another finding.
pub(super) fn entries_left_out(
    sysvol: &dyn SysvolRead,
    plan: &Plan,
    said: &[StatusMessage],
) -> Option<StatusMessage> {
    let inherits = |guid: &Guid| said.contains(&order_of_gpt_ini_refused(*guid));
    let loses_entries = |content: &FileContent| {
        SecurityDescriptor::parse(&content.0).is_ok_and(|new| as_stored(sysvol, new.clone()) != new)
    };
    let left_out = plan.values().any(|planned| match &planned.change {
        ValueChange::Descriptors { entries, .. } => {
            entries.iter().any(|entry| loses_entries(&entry.new))
        }
        ValueChange::GptIni {
            guid, descriptor, ..
        } => descriptor.as_ref().is_some_and(loses_entries) && !inherits(guid),
        _ => false,
    });
    left_out.then(object_entries_refused)
}

/// The finding that new permissions have no object entries where those of an earlier version have.
pub(super) fn object_entries_refused() -> StatusMessage {
    StatusMessage::warning(
        Code::ObjectEntriesRefused,
        "this version of Samba refuses object entries in the permissions of files, so they were set without them",
    )
    .with_hint("an earlier version stored them on other files; gpoctl check --all --fix removes them")
}

/// Refuses a change whose old state does not exist any more.
///
/// # Errors
/// `Conflict` when something is not as in the plan; otherwise as the server reports.
pub(super) async fn refuse_changed(domain: &DomainWriter, change: &ValueChange) -> Result<()> {
    probe_for(domain, change).await?;
    match difference(domain.session(), change, Moment::Before).await? {
        None => refuse_order(domain.session(), change).await,
        Some(what) => Err(Error::new(
            ErrorKind::Conflict,
            format!("{what} has changed since the plan was made"),
        )
        .with_hint("nothing was changed; make the plan again")),
    }
}

/// Refuses permissions in an order that the server refuses: those of a plan that was made without asking it.
async fn refuse_order(session: &DomainSession, change: &ValueChange) -> Result<()> {
    let ValueChange::Descriptors { guid, entries } = change else {
        return Ok(());
    };
    let forms = FileForms::of(session, *guid).await?;
    if entries
        .iter()
        .all(|entry| forms.stored(&entry.new).is_some())
    {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::BadDirectory,
        format!("the permissions of the GPO {guid} have an entry that denies after one that allows, and this version of Samba refuses that order on files"),
    )
    .with_hint(format!("nothing was changed; {}", Code::DenyAfterAllow.action())))
}

/// What is not as the change made it; also when that cannot be read.
pub(super) async fn changed_again(session: &DomainSession, change: &ValueChange) -> Option<String> {
    let read_back = difference(session, change, Moment::After).await;
    read_back.unwrap_or_else(|error| Some(error.to_string()))
}

/// Whether the old state of a change exists: the change was not made, or it was rolled back. Unless the server refuses one of the two
/// forms of permissions, the other one is another state.
pub(crate) async fn is_undone(session: &DomainSession, change: &ValueChange) -> Result<bool> {
    Ok(difference(session, change, Moment::Undone).await?.is_none())
}

/// Rolls back a change that was announced, if it was made.
///
/// # Errors
/// `Conflict` when somebody else has changed the same since, which is left unchanged; `Incomplete` when what was rolled back is
/// not as before; otherwise as the server reports.
pub(super) async fn take_back(
    domain: &DomainWriter,
    operation_id: &str,
    change: &ValueChange,
) -> Result<()> {
    let session = domain.session();
    probe_for(domain, change).await?;
    remove_staged(domain, operation_id, change).await?;
    let change = &not_undone(session, change).await?;
    if is_undone(session, change).await? {
        return Ok(());
    }
    if let Some(what) = difference(session, change, Moment::Begun).await? {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("{what} was changed by somebody else in the meantime and is left unchanged"),
        )
        .with_remedy(Remedy::KeepChangesOfOthers));
    }
    make(domain, operation_id, &change.inverse()).await?;
    match difference(session, change, Moment::Before).await? {
        None => Ok(()),
        Some(what) => Err(Error::new(
            ErrorKind::Incomplete,
            format!("after rolling back, {what} is not what it was"),
        )),
    }
}

/// The part of a change that is not as before. Permissions are set one after the other, so those of the last files may be untouched.
async fn not_undone(session: &DomainSession, change: &ValueChange) -> Result<ValueChange> {
    let ValueChange::Descriptors { guid, entries } = change else {
        return Ok(change.clone());
    };
    let sysvol = session.sysvol();
    let mut changed = Vec::new();
    for entry in entries {
        let path = SysvolPath::in_gpo(&session.info().dns_domain, *guid, &entry.path);
        match sysvol.security_descriptor(&path).await {
            Ok(found) if same_descriptor(sysvol, &found, &entry.old.0) => {}
            // It was deleted since.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => {
                found?;
                changed.push(entry.clone());
            }
        }
    }
    Ok(ValueChange::Descriptors {
        guid: *guid,
        entries: changed,
    })
}

/// Removes what the operation staged for a change and did not make live.
///
/// # Errors
/// As the server reports.
pub(super) async fn remove_staged(
    domain: &DomainWriter,
    operation_id: &str,
    change: &ValueChange,
) -> Result<()> {
    let ValueChange::GptIni { guid, .. } = change else {
        return Ok(());
    };
    let staging = StagingArea::new(&domain.session().info().dns_domain, *guid, operation_id);
    let staged = staging.staged_name(&rollback::gpt_ini_name()?)?;
    remove_tree(domain.sysvol(), &staging.entry(&staged)).await
}

/// Makes one change. A message when it was not made in full.
pub(super) async fn make(
    domain: &DomainWriter,
    operation_id: &str,
    change: &ValueChange,
) -> Result<Option<StatusMessage>> {
    match change {
        ValueChange::Attributes { dn, attributes } => {
            domain.directory().swap_attributes(&dn.0, attributes).await
        }
        ValueChange::AddWmiFilter { dn, attributes } => {
            domain.directory().add_wmi_filter(&dn.0, attributes).await
        }
        ValueChange::RemoveWmiFilter { dn, .. } => {
            domain.directory().delete_wmi_filter(&dn.0).await
        }
        ValueChange::GptIni {
            guid,
            new,
            descriptor,
            ..
        } => {
            let mut stored = None;
            if let Some(descriptor) = descriptor {
                probe(domain, *guid).await?;
                let forms = FileForms::of(domain.session(), *guid).await?;
                stored = forms.stored(descriptor);
            }
            let inherits = new.is_some() && descriptor.is_some() && stored.is_none();
            let staging =
                StagingArea::new(&domain.session().info().dns_domain, *guid, operation_id);
            let message = write_gpt_ini(domain, &staging, new.as_ref(), stored.as_ref()).await?;
            return Ok(message.or_else(|| inherits.then(|| order_of_gpt_ini_refused(*guid))));
        }
        ValueChange::Descriptors { guid, entries } => {
            probe(domain, *guid).await?;
            set_descriptors(domain, *guid, entries).await
        }
    }
    .map(|()| None)
}

/// Finds out which permissions the server accepts, before those of a plan are compared with what it has stored.
async fn probe_for(domain: &DomainWriter, change: &ValueChange) -> Result<()> {
    match change {
        ValueChange::Descriptors { guid, .. } => match probe(domain, *guid).await {
            // The GPO, or its folder, was deleted since.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        },
        _ => Ok(()),
    }
}

async fn probe(domain: &DomainWriter, guid: Guid) -> Result<()> {
    let folder = SysvolPath::gpo(&domain.session().info().dns_domain, guid);
    probe_file_entries(domain, &folder, true).await
}

/// Sets descriptors one after the other; when one is refused, those before it are restored.
async fn set_descriptors(
    domain: &DomainWriter,
    guid: Guid,
    entries: &[DescriptorSwap],
) -> Result<()> {
    let sysvol = domain.sysvol();
    let forms = FileForms::of(domain.session(), guid).await?;
    let steps = |descriptor: &FileContent, replaced: &FileContent| {
        let descriptor = forms.to_set(descriptor, replaced);
        descriptor_steps(sysvol, &descriptor.0, "the plan")
    };
    let at = |path| SysvolPath::in_gpo(&domain.session().info().dns_domain, guid, path);
    let mut done: Vec<&DescriptorSwap> = Vec::new();
    for entry in entries {
        let outcome = match steps(&entry.new, &entry.old) {
            Ok(steps) => {
                sysvol
                    .set_security_descriptors(&at(&entry.path), &steps)
                    .await
            }
            Err(error) => Err(error),
        };
        let Err(error) = outcome else {
            done.push(entry);
            continue;
        };
        // The first of the two steps may have been made.
        let untouched = sysvol
            .security_descriptor(&at(&entry.path))
            .await
            .is_ok_and(|found| same_descriptor(sysvol, &found, &entry.old.0));
        if !untouched {
            done.push(entry);
        }
        for entry in done.into_iter().rev() {
            if let Err(undo) = sysvol
                .set_security_descriptors(&at(&entry.path), &steps(&entry.old, &entry.old)?)
                .await
            {
                return Err(undo
                    .with_kind(ErrorKind::Incomplete)
                    .context(format!("rolling back permissions after: {error}")));
            }
        }
        return Err(error);
    }
    Ok(())
}

/// Replaces GPT.INI: the new one is written beside the live one, then renamed over it. An editor who may write but not set owners
/// owns the new one, which the message reports.
async fn write_gpt_ini(
    domain: &DomainWriter,
    staging: &StagingArea,
    content: Option<&FileContent>,
    descriptor: Option<&FileContent>,
) -> Result<Option<StatusMessage>> {
    let sysvol = domain.sysvol();
    let name = rollback::gpt_ini_name()?;
    let live = staging.entry(&name);
    let Some(content) = content else {
        return sysvol.remove_file(&live).await.map(|()| None);
    };
    let staged = staging.entry(&staging.staged_name(&name)?);
    let descriptors = descriptor
        .map(|descriptor| descriptor_steps(sysvol, &descriptor.0, "the plan"))
        .transpose()?
        .unwrap_or_default();
    let mut message = None;
    let mut outcome = sysvol
        .write_new(&staged, content.0.clone(), &descriptors)
        .await;
    if let Err(error) = &outcome
        && error.kind() == ErrorKind::Denied
        && !descriptors.is_empty()
    {
        remove_tree(sysvol, &staged).await?;
        outcome = sysvol
            .write_new(&staged, content.0.clone(), &without_owners(&descriptors))
            .await;
        message = Some(owners_not_set());
    }
    if outcome.is_ok() {
        outcome = sysvol.rename(&staged, &live, true).await;
    }
    if outcome.is_err() {
        // The error that led here matters more than a leftover file.
        if let Err(error) = sysvol.remove_file(&staged).await {
            tracing::debug!(%error, "cannot remove a staged GPT.INI");
        }
    }
    outcome.map(|()| message)
}

/// The old or the new side of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    /// As [`Self::After`], or with the first step made, of the change or of an earlier roll-back.
    Begun,
    After,
    /// As [`Self::Before`], compared strictly.
    Undone,
}

/// What is not as it was before or after the change; `None` when everything is.
async fn difference(
    session: &DomainSession,
    change: &ValueChange,
    moment: Moment,
) -> Result<Option<String>> {
    let directory = session.directory();
    match change {
        // All that the change replaced stays replaced.
        ValueChange::Attributes { attributes, .. } if attributes.is_empty() => Ok(None),
        ValueChange::Attributes { dn, attributes } => {
            let found = directory.swapped_values(&dn.0, attributes).await?;
            let different = attributes.iter().zip(found).find(|(swap, found)| {
                *found
                    != *match moment {
                        Moment::Before | Moment::Undone => &swap.old,
                        Moment::Begun | Moment::After => &swap.new,
                    }
            });
            Ok(different.map(|(swap, _)| format!("{} of {}", swap.attribute.as_str(), dn.0)))
        }
        ValueChange::AddWmiFilter { dn, attributes }
        | ValueChange::RemoveWmiFilter { dn, attributes } => {
            let adds = matches!(change, ValueChange::AddWmiFilter { .. });
            let names: Vec<&str> = attributes.iter().map(|(name, _)| name.as_str()).collect();
            let found = directory.texts(&dn.0, &names).await?;
            let is_made = matches!(moment, Moment::Begun | Moment::After);
            let there = is_made == adds;
            let same = match &found {
                None => !there,
                Some(values) => {
                    let own = attributes.iter().map(|(_, value)| Some(value.as_str()));
                    there && own.eq(values.iter().map(Option::as_deref))
                }
            };
            Ok((!same).then(|| format!("the WMI filter {}", dn.0)))
        }
        ValueChange::GptIni { guid, old, new, .. } => {
            let found = read_gpt_ini(session, *guid).await?;
            let wanted = match moment {
                Moment::Before | Moment::Undone => old,
                Moment::Begun | Moment::After => new,
            };
            let same = found.as_ref() == wanted.as_ref().map(|content| &content.0);
            Ok((!same).then(|| format!("GPT.INI of {guid}")))
        }
        ValueChange::Descriptors { guid, entries } => {
            let sysvol = session.sysvol();
            let forms = FileForms::of(session, *guid).await?;
            let mut found = stream::iter(entries)
                .map(|entry| async move {
                    let path = SysvolPath::in_gpo(&session.info().dns_domain, *guid, &entry.path);
                    let found = sysvol.security_descriptor(&path).await;
                    (entry, path, found)
                })
                .buffered(sysvol.concurrency().max(1));
            while let Some((entry, path, found)) = found.next().await {
                let found = found?;
                let wanted = match moment {
                    Moment::Before | Moment::Undone => &entry.old,
                    Moment::Begun | Moment::After => &entry.new,
                };
                let may_differ = moment != Moment::Undone || forms.is_one_refused();
                let is_same = same_descriptor(sysvol, &found, &wanted.0)
                    || may_differ && forms.are_of(&found, wanted)
                    || moment == Moment::Begun && is_first_step(sysvol, &forms, &found, entry);
                if !is_same {
                    return Ok(Some(format!("the permissions of {path}")));
                }
            }
            Ok(None)
        }
    }
}

/// Whether a descriptor is the wanted one, whatever its layout. On a server that refuses object entries it also is when only
/// these are missing.
fn same_descriptor(sysvol: &dyn SysvolRead, found: &[u8], wanted: &[u8]) -> bool {
    if found == wanted {
        return true;
    }
    let (Ok(found), Ok(wanted)) = (
        SecurityDescriptor::parse(found),
        SecurityDescriptor::parse(wanted),
    ) else {
        return false;
    };
    let found = to_sddl(&found);
    found == to_sddl(&wanted) || found == to_sddl(&as_stored(sysvol, wanted))
}

/// Whether a descriptor is what the first of two steps sets, from the old to the new or back.
fn is_first_step(
    sysvol: &dyn SysvolRead,
    forms: &FileForms,
    found: &[u8],
    entry: &DescriptorSwap,
) -> bool {
    let Ok(found) = SecurityDescriptor::parse(found) else {
        return false;
    };
    let (old, new) = (&entry.old, &entry.new);
    [forms.to_set(new, old), forms.to_set(old, new)]
        .iter()
        .filter_map(|set| descriptor_steps(sysvol, &set.0, "the plan").ok())
        .any(|steps| match steps.as_slice() {
            [first, _] => SecurityDescriptor::parse(first)
                .is_ok_and(|first| grants_same_access(&first, &found)),
            _ => false,
        })
}

/// GPT.INI as it is now; `None` when there is none.
async fn read_gpt_ini(session: &DomainSession, guid: Guid) -> Result<Option<Bytes>> {
    let staging = StagingArea::new(&session.info().dns_domain, guid, "");
    let path = staging.entry(&rollback::gpt_ini_name()?);
    read_whole(session.sysvol(), &path).await
}
