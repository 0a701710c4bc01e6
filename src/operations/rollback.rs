//! Rolling back: every change announced in the journal is undone, last first, and the result is proved by reading back.

use super::journal::{Before, Inverse};
use super::stage::{Workplace, remove_tree};
use crate::directory::writer::GpoChange;
use crate::error::{Error, ErrorKind, Result};
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::safe_name::SafeName;
use crate::session::DomainWriter;
use crate::sysvol::SysvolPath;

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
        Inverse::RestoreDirectoryObjects => {
            let before = needed(before)?;
            domain.directory().delete_children_of(guid).await?;
            for object in &before.directory_objects {
                domain.directory().add_child(guid, object).await?;
            }
            Ok(())
        }
        Inverse::RestoreGptIni => restore_gpt_ini(domain, workplace).await,
        Inverse::RestoreAttributes { written } => {
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

/// Reads the GPO's folder again and compares it with what it was before the operation.
///
/// # Errors
/// `Incomplete` when it is not the same.
pub(super) async fn prove(domain: &DomainWriter, guid: Guid, tree: &GptTree) -> Result<()> {
    let session = domain.session();
    let gpt =
        crate::sysvol::gpt::read_gpt(session.sysvol(), &session.info().dns_domain, guid).await?;
    let differences = super::plan::tree_hashes(tree) != super::plan::tree_hashes(&gpt.tree);
    if differences {
        return Err(Error::new(
            ErrorKind::Incomplete,
            format!("after rolling back, the folder of {guid} is not what it was"),
        ));
    }
    Ok(())
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
