//! A folder of a GPO that is removed, but only what is known of it: somebody else may have put files into it.

use std::collections::{BTreeMap, BTreeSet};

use super::stage::{StagingArea, all_entries, ignore_missing, remove_tree, run_all};
use crate::domain::sysvol::{Sysvol, SysvolPath};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::plan::gpo::GpoState;

/// Removes the folder of a GPO that had this state when its deletion was planned; a plan of an older version has none. What is new or
/// has changed since is kept, with the folders above it; the message names it.
///
/// # Errors
/// As the server reports.
pub(super) async fn remove_known(
    sysvol: &dyn Sysvol,
    staging: &StagingArea,
    basis: Option<&GpoState>,
) -> Result<Option<StatusMessage>> {
    let folder = staging.folder();
    let Some(basis) = basis else {
        return remove_tree(sysvol, &folder).await.map(|()| None);
    };
    let is_known = |key: &str, hash: &str| is_of_state(staging, basis, key, hash);
    let foreign = remove_known_entries(sysvol, staging, is_known).await?;
    if foreign.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        StatusMessage::warning(
            Code::ForeignFilesKept,
            format!(
                "{folder} of the deleted GPO was not removed, because it contains files that are not those of the GPO: {}",
                foreign.join(", ")
            ),
        )
        .with_hint("save what is needed of it, then remove the folder by hand"),
    ))
}

/// Removes what is known of the folder of a GPO: each entry by its folded path and its hash, as in [`all_entries`]. The folder itself is
/// removed when nothing else is in it. Returns the names of what is not known. A file that comes while this works is not known either.
///
/// # Errors
/// As the server reports.
pub(super) async fn remove_known_entries(
    sysvol: &dyn Sysvol,
    staging: &StagingArea,
    is_known: impl Fn(&str, &str) -> bool,
) -> Result<Vec<String>> {
    let Some((found, _)) = entries_of(sysvol, &staging.folder()).await? else {
        return Ok(Vec::new());
    };
    let mut kept: BTreeSet<String> = found
        .iter()
        .filter(|(key, hash)| !key.is_empty() && !is_known(key, hash))
        .map(|(key, _)| key.clone())
        .collect();
    let (folders, files): (Vec<_>, Vec<_>) = found
        .iter()
        .filter(|(key, _)| !kept.contains(*key))
        .partition(|(_, hash)| hash.is_empty());
    run_all(sysvol.concurrency().max(1), files, |(key, _)| async move {
        ignore_missing(sysvol.remove_file(&path(staging, key)?).await)
    })
    .await?;
    // From the end, a folder comes after what is in it.
    for (key, _) in folders.into_iter().rev() {
        if holds(&kept, key) {
            continue;
        }
        let folder = path(staging, key)?;
        match ignore_missing(sysvol.remove_dir(&folder).await) {
            // Somebody has just put something into it.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let new = entries_in(sysvol, &folder, key).await?;
                if new.is_empty() {
                    return Err(error);
                }
                kept.extend(new);
            }
            other => other?,
        }
    }
    Ok(kept.iter().map(|key| shown(key)).collect())
}

/// A folded path of an entry, for a message.
pub(super) fn shown(key: &str) -> String {
    match key {
        "gpt.ini" => "GPT.INI".to_owned(),
        key => printable(&key.replace('/', "\\")),
    }
}

/// The hashes of what is in the folder of a GPO, and a sentence for each entry that a listing refuses, such as a link.
pub(super) async fn entries_of(
    sysvol: &dyn Sysvol,
    folder: &SysvolPath,
) -> Result<Option<(BTreeMap<String, String>, Vec<String>)>> {
    all_entries(sysvol, folder).await.map_err(|error| {
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
    })
}

/// The folded paths of what is in the folder with this one.
async fn entries_in(sysvol: &dyn Sysvol, folder: &SysvolPath, key: &str) -> Result<Vec<String>> {
    let listing = sysvol.list(folder).await?;
    let names = listing.entries.iter().map(|entry| entry.name.folded());
    let names = names.chain(listing.refused);
    Ok(match key {
        "" => names.collect(),
        key => names.map(|name| format!("{key}/{name}")).collect(),
    })
}

/// Whether one of these paths is below the folder with this one.
fn holds(paths: &BTreeSet<String>, key: &str) -> bool {
    let below = format!("{key}/");
    paths
        .iter()
        .any(|it| key.is_empty() || it.starts_with(&below))
}

/// Whether the GPO had this entry, by its folded path and hash, or an operation of gpoctl left it behind.
fn is_of_state(staging: &StagingArea, basis: &GpoState, key: &str, hash: &str) -> bool {
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
    if key.is_empty() {
        return Ok(staging.folder());
    }
    let path = key.replace('/', "\\").parse().map_err(|cause| {
        Error::new(ErrorKind::BadInput, "an entry has an unsafe name").with_source(cause)
    })?;
    Ok(staging.at(&path))
}
