//! The folder of a deleted GPO, of which only what the operation knew is removed: somebody else may have put files into it since.

use std::collections::BTreeSet;

use super::stage::{StagingArea, entry_hashes, remove_tree};
use crate::domain::sysvol::{Sysvol, SysvolPath};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::plan::gpo::GpoState;

/// Removes the folder of a GPO that had this state when its deletion was planned. What is new or has changed since stays, with
/// the folders above it; the message names it.
///
/// # Errors
/// As the server reports.
pub(super) async fn remove_known(
    sysvol: &dyn Sysvol,
    staging: &StagingArea,
    basis: &GpoState,
) -> Result<Option<StatusMessage>> {
    let folder = staging.folder();
    let found = entry_hashes(sysvol, &folder).await.map_err(|error| {
        // A file that is deleted and still open is listed, and cannot be read [MS-FSA 2.1.5.1].
        if error.kind() == ErrorKind::NotFound {
            Error::new(
                ErrorKind::InUse,
                format!("a client still has a deleted file in {folder} open"),
            )
            .with_source(error)
            .with_hint("try again when it is closed; smbstatus -L on the domain controller shows which client has it open")
        } else {
            error
        }
    })?;
    let Some(found) = found else {
        return Ok(None);
    };
    let foreign: BTreeSet<&String> = found
        .iter()
        .filter(|(key, hash)| !key.is_empty() && !is_known(staging, basis, key, hash))
        .map(|(key, _)| key)
        .collect();
    if foreign.is_empty() {
        return remove_tree(sysvol, &folder).await.map(|()| None);
    }
    let holds_foreign = |key: &str| {
        let below = format!("{key}/");
        foreign
            .iter()
            .any(|it| *it == key || it.starts_with(&below))
    };
    // From the end, a folder comes after what is in it.
    for (key, _) in found.iter().rev() {
        if !key.is_empty() && !holds_foreign(key) {
            remove_tree(sysvol, &path(staging, key)?).await?;
        }
    }
    let names: Vec<String> = foreign
        .iter()
        .map(|key| printable(&key.replace('/', "\\")))
        .collect();
    Ok(Some(
        StatusMessage::warning(
            Code::ForeignFilesKept,
            format!(
                "{folder} of the deleted GPO was not removed, because it contains what the operation did not know: {}",
                names.join(", ")
            ),
        )
        .with_hint("save what is needed of it, then remove the folder by hand"),
    ))
}

/// Whether the GPO had this entry, by its folded path and hash, or an operation of gpoctl left it behind.
fn is_known(staging: &StagingArea, basis: &GpoState, key: &str, hash: &str) -> bool {
    let root = key.split('/').next().unwrap_or_default();
    let was = match staging.without_old(key) {
        Some(was) => was,
        None if root.starts_with(".gpoctl-") => return true,
        None => key,
    };
    let had_ini = basis.sysvol_version.is_some();
    match &basis.gpt_ini {
        Some(ini) if was == "gpt.ini" => ini == hash,
        // A plan of an older version, which has only its version.
        None if was == "gpt.ini" => had_ini,
        _ => basis.tree.get(was).is_some_and(|known| known == hash),
    }
}

fn path(staging: &StagingArea, key: &str) -> Result<SysvolPath> {
    let path = key.replace('/', "\\").parse().map_err(|cause| {
        Error::new(ErrorKind::BadInput, "an entry has an unsafe name").with_source(cause)
    })?;
    Ok(staging.at(&path))
}
