//! Rolling back: every change announced in the journal is undone, last first, and the result is proved by reading back.

use std::collections::BTreeMap;

use super::journal::{Before, Inverse};
use super::objects;
use super::progress::Control;
use super::read::{self, LiveGpo};
use super::stage::{Workplace, remove_tree};
use crate::directory::dn::Dn;
use crate::directory::writer::GpoChange;
use crate::error::{Error, ErrorKind, Result};
use crate::model::directory_object::DirectoryAttribute;
use crate::model::guid::Guid;
use crate::model::safe_name::SafeName;
use crate::model::security_descriptor::{FileDescriptor, SecurityDescriptor};
use crate::session::DomainWriter;
use crate::sysvol::SysvolPath;

/// The parts of a security descriptor [MS-ADTS 3.1.1.3.4.1.11].
pub(super) const DACL: u32 = 4;
pub(super) const OWNER_GROUP_DACL: u32 = 7;

/// Undoes `changes`, last first. Each inverse looks at what is there, so it is right for a change that was announced and
/// never made. Goes on after an error, so that as much as possible is undone.
///
/// # Errors
/// `Incomplete`, naming the first thing that could not be undone.
pub(super) async fn roll_back(
    domain: &DomainWriter,
    workplace: &Workplace,
    guid: Guid,
    before: Option<&Before>,
    changes: &[Inverse],
) -> Result<()> {
    let mut first = None;
    for inverse in changes.iter().rev() {
        if let Err(error) = undo(domain, workplace, guid, before, inverse).await {
            tracing::warn!(%error, ?inverse, "Cannot undo");
            first.get_or_insert(error);
        }
    }
    match first {
        None => Ok(()),
        Some(cause) => Err(Error::new(
            ErrorKind::Incomplete,
            "not everything could be rolled back",
        )
        .with_source(cause)),
    }
}

async fn undo(
    domain: &DomainWriter,
    workplace: &Workplace,
    guid: Guid,
    before: Option<&Before>,
    inverse: &Inverse,
) -> Result<()> {
    let sysvol = domain.sysvol();
    match inverse {
        Inverse::DeleteGpo { guid } => {
            remove_tree(sysvol, &workplace.folder()).await?;
            match domain.directory().delete_gpo(*guid).await {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                other => other,
            }
        }
        Inverse::DeleteContainer { guid } => match domain.directory().delete_gpo(*guid).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        },
        Inverse::RemoveFolder => remove_tree(sysvol, &workplace.folder()).await,
        Inverse::RemoveEntry { name } => remove_tree(sysvol, &entry(workplace, name)?).await,
        Inverse::SwitchBack { live, old, staged } => {
            let live = entry(workplace, live)?;
            let old = old
                .as_deref()
                .map(|name| entry(workplace, name))
                .transpose()?;
            let staged = staged
                .as_deref()
                .map(|name| entry(workplace, name))
                .transpose()?;
            switch_back(domain, &live, old.as_ref(), staged.as_ref()).await
        }
        Inverse::RestoreDirectoryObjects => restore_objects(domain, guid, needed(before)?).await,
        Inverse::RestoreGptIni => restore_gpt_ini(domain, workplace).await,
        Inverse::RestoreFolderDescriptor { descriptor } => {
            let steps = descriptor_steps(&descriptor.0)?;
            sysvol
                .set_security_descriptors(&workplace.folder(), &steps)
                .await
        }
        Inverse::RestoreName { written } => {
            let before = needed(before)?;
            let change = GpoChange {
                display_name: Some(before.display_name.clone()),
                display_name_was: Some(written.clone()),
                ..GpoChange::default()
            };
            let current = domain.session().directory().gpo(guid).await?;
            if current.display_name != *written {
                return Ok(());
            }
            domain.directory().modify_gpo(guid, &change).await
        }
        Inverse::RestoreStatus { written } => {
            let before = needed(before)?;
            let change = GpoChange {
                flags: Some(before.flags.unwrap_or(0)),
                flags_was: Some(Some(*written)),
                ..GpoChange::default()
            };
            let current = domain.session().directory().gpo(guid).await?;
            if current.flags != Some(*written) {
                return Ok(());
            }
            domain.directory().modify_gpo(guid, &change).await
        }
        Inverse::RestoreLinks {
            som,
            before,
            written,
        } => restore_links(domain, som, before.as_deref(), written.as_deref()).await,
        Inverse::RecreateContainer => recreate(domain, guid, needed(before)?).await,
        Inverse::RestoreAttributes {
            written,
            descriptor,
        } => {
            let before = needed(before)?;
            let current = domain.session().directory().gpo(guid).await?;
            if current.version != Some(*written) {
                // The modify never happened, or somebody changed the GPO since; in both cases there is nothing of ours.
                return Ok(());
            }
            domain
                .directory()
                .modify_gpo(
                    guid,
                    &GpoChange {
                        version: Some((current.version, before.version.unwrap_or_default())),
                        flags: Some(before.flags.unwrap_or(0)),
                        machine_extensions: Some(before.machine_extensions.clone()),
                        user_extensions: Some(before.user_extensions.clone()),
                        display_name: Some(before.display_name.clone()),
                        wmi_filter: Some(before.wmi_filter.clone()),
                        security_descriptor: descriptor
                            .then(|| (before.security_descriptor.0.to_vec(), DACL)),
                        ..GpoChange::default()
                    },
                )
                .await
        }
    }
}

/// Puts the previous entry back under its live name. A file goes back by renaming over, a folder by renaming away first.
async fn switch_back(
    domain: &DomainWriter,
    live: &SysvolPath,
    old: Option<&SysvolPath>,
    staged: Option<&SysvolPath>,
) -> Result<()> {
    let sysvol = domain.sysvol();
    let new_is_live = match staged {
        // The new entry is live exactly when it is no longer under its staged name.
        Some(staged) => sysvol.stat(staged).await?.is_none(),
        None => false,
    };
    match old {
        Some(old) if sysvol.stat(old).await?.is_some() => {
            match (sysvol.stat(live).await?.is_some(), new_is_live) {
                (true, true) => sysvol.swap(live, staged, old).await,
                (false, _) => sysvol.rename(old, live, false).await,
                // The previous entry is still live, so the switch never happened; what stands at the other name is not
                // ours.
                (true, false) => Ok(()),
            }
        }
        Some(_) => Ok(()),
        None if new_is_live => match staged {
            Some(staged) if sysvol.stat(live).await?.is_some() => {
                sysvol.rename(live, staged, false).await
            }
            _ => Ok(()),
        },
        None => Ok(()),
    }
}

/// Renames the copy of the old GPT.INI, made before the new one was written, over the new one.
async fn restore_gpt_ini(domain: &DomainWriter, workplace: &Workplace) -> Result<()> {
    let sysvol = domain.sysvol();
    let name = gpt_ini_name()?;
    let live = workplace.entry(&name);
    let old = workplace.entry(&workplace.old_name(&name)?);
    if sysvol.stat(&old).await?.is_some() {
        sysvol.rename(&old, &live, true).await?;
    }
    Ok(())
}

/// Makes the objects below the GPO those that were there before.
async fn restore_objects(domain: &DomainWriter, guid: Guid, before: &Before) -> Result<()> {
    let have = domain.session().directory().children(guid).await?;
    let changes = objects::changes(&have, &before.directory_objects);
    objects::reconcile(domain.directory(), guid, &changes).await
}

/// Puts the links of a domain, OU or site back, if they still are what this operation wrote.
async fn restore_links(
    domain: &DomainWriter,
    som: &str,
    before: Option<&str>,
    written: Option<&str>,
) -> Result<()> {
    let dn = som_dn(som)?;
    let current = domain.session().directory().som(&dn).await?.gp_link;
    let blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
    let same = |one: Option<&str>, two: Option<&str>| one == two || (blank(one) && blank(two));
    if same(current.as_deref(), before) {
        return Ok(());
    }
    if !same(current.as_deref(), written) {
        return Err(Error::new(
            ErrorKind::Incomplete,
            format!("the links of {dn} were changed by somebody else meanwhile"),
        )
        .with_hint(format!("they were: {}", before.unwrap_or("none"))));
    }
    domain
        .directory()
        .set_gp_link(&dn, current.as_deref(), before)
        .await
}

/// Makes what is missing of the container of a GPO, and gives it what it had. `objectGUID` is a new one.
async fn recreate(domain: &DomainWriter, guid: Guid, before: &Before) -> Result<()> {
    let (session, writer) = (domain.session(), domain.directory());
    writer.complete_gpo(guid, &before.display_name).await?;
    let current = session.directory().gpo(guid).await?;
    let wanted = before.security_descriptor.0.to_vec();
    if current.security_descriptor != wanted {
        // Who may not give the owner away gives back the DACL at least.
        match writer
            .set_security_descriptor(guid, &wanted, OWNER_GROUP_DACL)
            .await
        {
            Err(error) if error.kind() == ErrorKind::Denied => {
                writer.set_security_descriptor(guid, &wanted, DACL).await?;
            }
            other => other?,
        }
    }
    restore_objects(domain, guid, before).await?;
    let change = GpoChange {
        version: before
            .version
            .filter(|version| current.version != Some(*version))
            .map(|version| (current.version, version)),
        flags: before.flags,
        machine_extensions: Some(before.machine_extensions.clone()),
        user_extensions: Some(before.user_extensions.clone()),
        display_name: Some(before.display_name.clone()),
        wmi_filter: Some(before.wmi_filter.clone()),
        functionality_version: before.functionality_version,
        ..GpoChange::default()
    };
    writer.modify_gpo(guid, &change).await
}

/// Reads the GPO again and compares it with what it was before the operation. Says whether its packages are still the
/// objects they were: one that was deleted and made anew has another `objectGUID`.
///
/// # Errors
/// `Incomplete`, with what differs.
pub(super) async fn prove(domain: &DomainWriter, guid: Guid, before: &LiveGpo) -> Result<bool> {
    let session = domain.session();
    let object = session.directory().gpo(guid).await?;
    let now = read::read_gpo(session, &object, &Control::default()).await?;
    let differences = before.state().differences(&now.state());
    if differences.is_empty() {
        return Ok(identities(before) == identities(&now));
    }
    Err(Error::new(
        ErrorKind::Incomplete,
        format!(
            "after rolling back, GPO {guid} is not what it was: {}",
            differences.join("; ")
        ),
    ))
}

/// The `objectGUID` of each object below a GPO that was read with it.
fn identities(live: &LiveGpo) -> BTreeMap<Vec<String>, DirectoryAttribute> {
    live.snapshot
        .directory_objects
        .iter()
        .filter_map(|object| {
            let mut attributes = object.attributes.iter();
            let own = attributes.find(|one| one.name.eq_ignore_ascii_case("objectGUID"))?;
            Some((object.key(), own.clone()))
        })
        .collect()
}

/// The values a descriptor of a folder is set with, one after the other.
fn descriptor_steps(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    SecurityDescriptor::parse(bytes)
        .and_then(FileDescriptor::of)
        .map(|steps| vec![steps.without_object_aces, steps.with_object_aces])
        .map_err(|cause| {
            Error::new(
                ErrorKind::BadInput,
                "the journal holds a descriptor that cannot be used",
            )
            .with_source(cause)
        })
}

/// The DN of a domain, OU or site in a plan or a journal.
pub(super) fn som_dn(text: &str) -> Result<Dn> {
    Dn::parse(text).map_err(|cause| {
        Error::new(
            ErrorKind::BadInput,
            format!("\"{}\" is no distinguished name", text.escape_debug()),
        )
        .with_source(cause)
    })
}

/// The name of GPT.INI.
pub(super) fn gpt_ini_name() -> Result<SafeName> {
    SafeName::new("GPT.INI")
        .map_err(|cause| Error::new(ErrorKind::Internal, "no name for GPT.INI").with_source(cause))
}

fn entry(workplace: &Workplace, name: &str) -> Result<SysvolPath> {
    SafeName::new(name)
        .map(|name| workplace.entry(&name))
        .map_err(|cause| {
            Error::new(ErrorKind::BadInput, "the journal names an unsafe entry").with_source(cause)
        })
}

fn needed(before: Option<&Before>) -> Result<&Before> {
    before.ok_or_else(|| {
        Error::new(
            ErrorKind::Incomplete,
            "the journal does not hold the state before the operation",
        )
    })
}
