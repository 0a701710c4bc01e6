//! The SYSVOL half of one GPO, read whole.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::model::domain_name::DomainName;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;

/// The files and folders of a GPO, and its GPT.INI.
#[derive(Debug, Clone, Default)]
pub struct Gpt {
    /// Files and folders, without GPT.INI.
    pub tree: GptTree,
    /// The bytes of GPT.INI; `None` when there is none.
    pub gpt_ini: Option<Bytes>,
    /// What was left out, and why.
    pub messages: Vec<StatusMessage>,
}

/// The most files and folders one GPO may have.
const MAX_ENTRIES: usize = 100_000;
/// The most bytes the files of one GPO may have together.
const MAX_BYTES: u64 = 1 << 30;
/// How often a GPO is read again because it changed meanwhile.
const ATTEMPTS: usize = 3;
/// What staging folders of gpoctl begin with.
pub(crate) const STAGING_PREFIX: &str = ".gpoctl-";

/// Reads a GPO. GPT.INI is read before and after: when it changed meanwhile, everything is read again.
///
/// # Errors
/// `NotFound` when the GPO has no folder; `BadDirectory` when it is larger than the limits (100,000 entries, 1 GiB, 64
/// folders deep); otherwise as the back end.
pub async fn read_gpt(sysvol: &dyn SysvolRead, domain: &DomainName, guid: Guid) -> Result<Gpt> {
    let mut attempt = 1;
    loop {
        let outcome = read_once(sysvol, domain, guid).await;
        match outcome {
            Ok((gpt, true)) => return Ok(gpt),
            Ok((mut gpt, false)) if attempt == ATTEMPTS => {
                gpt.messages.push(StatusMessage::warning(
                    "changed-while-reading",
                    "GPT.INI changed while the GPO was read, so its files may be of two versions",
                ));
                return Ok(gpt);
            }
            // A file that vanished between the listing and the reading: somebody is writing, so look again.
            Err(error) if error.kind() == ErrorKind::NotFound && attempt < ATTEMPTS => {
                if sysvol.stat(&SysvolPath::gpo(domain, guid)).await?.is_none() {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
            Ok((_, false)) => {}
        }
        attempt += 1;
    }
}

/// One reading, and whether GPT.INI stayed the same.
async fn read_once(
    sysvol: &dyn SysvolRead,
    domain: &DomainName,
    guid: Guid,
) -> Result<(Gpt, bool)> {
    let in_flight = sysvol.concurrency().max(1);
    let mut gpt = Gpt::default();
    let mut files: Vec<(RelPath, u64)> = Vec::new();
    let mut ini = None;
    let mut level = vec![RelPath::root()];
    let mut entries = 0_usize;
    let mut total = 0_u64;
    while !level.is_empty() {
        let mut listings = stream::iter(level)
            .map(|path| async move {
                let listing = sysvol
                    .list(&SysvolPath::in_gpo(domain, guid, &path))
                    .await?;
                Ok::<_, Error>((path, listing))
            })
            .buffered(in_flight);
        let mut next = Vec::new();
        while let Some((folder, listing)) = listings.try_next().await? {
            for refused in listing.refused {
                gpt.messages.push(
                    StatusMessage::warning("entry-refused", refused)
                        .at(Place::file(folder.to_string())),
                );
            }
            for entry in listing.entries {
                entries += 1;
                total = total.saturating_add(entry.size);
                let path = folder.join(entry.name.clone());
                if entries > MAX_ENTRIES {
                    return Err(too_large(guid, "more than 100,000 files and folders"));
                }
                if total > MAX_BYTES {
                    return Err(too_large(guid, "more than 1 GiB of files"));
                }
                if path.components().len() > RelPath::MAX_DEPTH {
                    return Err(too_large(guid, "folders nested more than 64 deep"));
                }
                if let Some(reason) = left_out(&path, entry.is_dir) {
                    gpt.messages.push(
                        StatusMessage::warning("entry-left-out", reason)
                            .at(Place::file(path.to_string())),
                    );
                } else if entry.is_dir {
                    gpt.tree.insert_dir(&path);
                    next.push(path);
                } else if path.is("gpt.ini") {
                    ini = Some((path, entry.size));
                } else {
                    files.push((path, entry.size));
                }
            }
        }
        drop(listings);
        level = next;
    }
    if let Some((path, size)) = &ini {
        let path = SysvolPath::in_gpo(domain, guid, path);
        gpt.gpt_ini = Some(sysvol.read(&path, *size).await?);
    }
    let mut contents = stream::iter(files)
        .map(|(path, size)| async move {
            let content = sysvol
                .read(&SysvolPath::in_gpo(domain, guid, &path), size)
                .await?;
            Ok::<_, Error>((path, content))
        })
        .buffer_unordered(in_flight);
    while let Some((path, content)) = contents.try_next().await? {
        gpt.tree.insert_file(&path, content);
    }
    drop(contents);
    let unchanged = match (&ini, &gpt.gpt_ini) {
        (Some((path, size)), Some(before)) => {
            let path = SysvolPath::in_gpo(domain, guid, path);
            sysvol.read(&path, *size).await? == *before
        }
        _ => true,
    };
    Ok((gpt, unchanged))
}

/// Why an entry is not part of the policy, if it is not.
fn left_out(path: &RelPath, is_dir: bool) -> Option<&'static str> {
    let name = path.name()?.as_str();
    if path.components().len() == 1 && name.starts_with(STAGING_PREFIX) {
        return Some("this was left by an operation of gpoctl that did not finish");
    }
    // A folder that file replication renamed because two DCs had made one of the same name.
    let upper = name.to_ascii_uppercase();
    (is_dir && upper.contains("_NTFRS_"))
        .then_some("this folder was set aside by a replication conflict")
}

fn too_large(guid: Guid, what: &str) -> Error {
    Error::new(
        ErrorKind::BadDirectory,
        format!("the folder of GPO {guid} on SYSVOL has {what}"),
    )
    .with_hint("look at what is in it; a policy is seldom larger than a few megabytes")
}
