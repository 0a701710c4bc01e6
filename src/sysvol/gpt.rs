//! Reads the SYSVOL half of one GPO completely.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::throttle::{MemoryBudget, Reservation};
use crate::directory::unreadable::READ_WITH_MORE_RIGHTS;
use crate::domain::sysvol::{SMALL_FILE, SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage};
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
    /// What was omitted, and why.
    pub messages: Vec<StatusMessage>,
}

/// The maximum number of files and folders of one GPO.
const MAX_ENTRIES: usize = 100_000;
/// The maximum size of all files of one GPO together.
const MAX_BYTES: u64 = 1 << 30;
/// How often a GPO is read again because it changed meanwhile.
const ATTEMPTS: usize = 3;
/// The prefix of the names of gpoctl's staging folders.
pub(crate) const STAGING_PREFIX: &str = ".gpoctl-";
/// Before the random part of the name of a file that permissions are tried with, `super::probe`.
pub(crate) const PROBE_PREFIX: &str = ".gpoctl-probe-";

/// Reads a GPO. GPT.INI is read before and after: if it has changed meanwhile, everything is read again.
///
/// # Errors
/// `NotFound` when the GPO has no folder, and only then; `Conflict` when something in it is listed and does not exist;
/// `BadDirectory` when it is larger than the limits (100,000 entries, 1 GiB, 64 folders deep), or has two entries whose names
/// differ only in case; otherwise as the back end.
pub async fn read_gpt(sysvol: &dyn SysvolRead, domain: &DomainName, guid: Guid) -> Result<Gpt> {
    let read = read_what_can_be_read(sysvol, domain, guid, None).await?;
    match read.unread.into_iter().next() {
        None => Ok(read.gpt),
        Some((_, error)) if error.kind() == ErrorKind::NotFound => {
            Err(error.with_kind(ErrorKind::Conflict).context(format!(
                "SYSVOL lists a part of GPO {guid} that cannot be read"
            )))
        }
        Some((_, error)) => Err(error),
    }
}

/// What could be read of a GPO.
#[derive(Debug)]
pub struct Readable {
    /// The files and folders.
    pub gpt: Gpt,
    /// What the server did not return, and why.
    pub unread: Vec<(RelPath, Error)>,
    /// The part of the memory budget that its files use, if there is one; kept as long as they are.
    pub reserved: Option<Reservation>,
}

/// Whether GPT.INI, or the listing that would show it, is among what was not read.
pub(crate) fn is_gpt_ini_unread<'a>(unread: impl IntoIterator<Item = &'a RelPath>) -> bool {
    let mut unread = unread.into_iter();
    unread.any(|path| path.is_root() || path.is("gpt.ini"))
}

/// As [`read_gpt`], but a file or folder below the GPO's own that the server does not return does not affect the others: it is
/// missing from the tree, and returned with the reason. Of two entries whose names differ only in case, the second is treated
/// like this, with everything in it. No file is read before the memory budget admits all of them.
///
/// # Errors
/// As [`read_gpt`] for the folder as a whole: it does not exist, cannot be listed, or is too large.
pub async fn read_what_can_be_read(
    sysvol: &dyn SysvolRead,
    domain: &DomainName,
    guid: Guid,
    budget: Option<&MemoryBudget>,
) -> Result<Readable> {
    let mut attempt = 1;
    let mut grown = HashMap::new();
    loop {
        let last = attempt == ATTEMPTS;
        let mut read = read_once(sysvol, domain, guid, budget, &mut grown).await?;
        let vanished = read
            .found
            .unread
            .iter()
            .any(|(_, error)| error.kind() == ErrorKind::NotFound);
        if (vanished || read.grew) && !last {
            // A file disappeared or grew between the listing and the reading: somebody is writing, so read again.
        } else if read.unchanged {
            return Ok(read.found);
        } else if last {
            read.found.gpt.messages.push(StatusMessage::warning(
                Code::ChangedWhileReading,
                "GPT.INI changed while the GPO was being read, so its files may belong to two versions",
            ));
            return Ok(read.found);
        }
        attempt += 1;
    }
}

/// The result of reading once.
struct Reading {
    found: Readable,
    /// Whether a file was larger than expected, in which case `grown` contains its present size, or was not listed.
    grew: bool,
    /// Whether GPT.INI was unchanged.
    unchanged: bool,
}

/// Whether an error concerns one path only, so that others may be readable.
pub(crate) fn is_local(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Denied
            | ErrorKind::BadDirectory
            | ErrorKind::Conflict
            | ErrorKind::InUse
            | ErrorKind::NotFound
    )
}

/// Reads once. `grown` are files that were larger than in the listing of their folder, with their sizes: a server may list an
/// open file with an old size.
async fn read_once(
    sysvol: &dyn SysvolRead,
    domain: &DomainName,
    guid: Guid,
    budget: Option<&MemoryBudget>,
    grown: &mut HashMap<RelPath, u64>,
) -> Result<Reading> {
    let in_flight = sysvol.concurrency().max(1);
    let mut gpt = Gpt::default();
    let mut unread = Vec::new();
    let mut files: Vec<(RelPath, u64)> = Vec::new();
    let mut ini = None;
    let mut level = vec![RelPath::root()];
    let mut seen: HashMap<String, RelPath> = HashMap::new();
    let mut entries = 0_usize;
    let mut total = 0_u64;
    while !level.is_empty() {
        let mut listings = stream::iter(level)
            .map(|path| async move {
                let listing = sysvol.list(&SysvolPath::in_gpo(domain, guid, &path)).await;
                (path, listing)
            })
            .buffered(in_flight);
        let mut next = Vec::new();
        while let Some((folder, listing)) = listings.next().await {
            let mut listing = match listing {
                Ok(listing) => listing,
                Err(error) if is_local(&error) && !folder.is_root() => {
                    unread.push((folder, error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            for refused in listing.refused {
                gpt.messages.push(
                    StatusMessage::warning(Code::EntryRefused, refused)
                        .at(Place::file(folder.to_string())),
                );
            }
            // Of two names that are the same to Windows, the order must not depend on the server.
            listing.entries.sort_by(|a, b| a.name.cmp(&b.name));
            for entry in listing.entries {
                entries += 1;
                let path = folder.join(entry.name.clone());
                let size = grown
                    .get(&path)
                    .map_or(entry.size, |grown| entry.size.max(*grown));
                total = total.saturating_add(size);
                if entries > MAX_ENTRIES {
                    return Err(too_large(guid, "more than 100,000 files and folders"));
                }
                if total > MAX_BYTES {
                    return Err(too_large(guid, "more than 1 GiB of files"));
                }
                if path.components().len() > RelPath::MAX_DEPTH {
                    return Err(too_large(guid, "folders nested more than 64 deep"));
                }
                // Windows has one entry for both; which of the two a client gets from another server is not determined.
                match seen.entry(path.folded()) {
                    Entry::Occupied(first) => {
                        let error = one_to_windows(guid, first.get(), &path);
                        unread.push((path, error));
                        continue;
                    }
                    Entry::Vacant(free) => free.insert(path.clone()),
                };
                if let Some(message) = left_out(&path, entry.is_dir) {
                    gpt.messages.push(message);
                } else if entry.is_dir {
                    gpt.tree.insert_dir(&path);
                    next.push(path);
                } else if path.is("gpt.ini") {
                    ini = Some((path, size));
                } else {
                    files.push((path, size));
                }
            }
        }
        drop(listings);
        level = next;
    }
    let hidden = not_listed(sysvol, domain, guid, &seen).await?;
    let is_hidden = !hidden.is_empty();
    unread.extend(hidden);
    let needed = files
        .iter()
        .chain(&ini)
        .map(|(_, size)| (*size).max(SMALL_FILE))
        .sum();
    let reserved = match budget {
        Some(budget) => Some(budget.reserve(needed).await?),
        None => None,
    };
    let read_ini = async || match &ini {
        Some((path, size)) => sysvol
            .read(&SysvolPath::in_gpo(domain, guid, path), *size)
            .await
            .map(Some),
        None => Ok(None),
    };
    let before = read_ini().await;
    let mut contents = stream::iter(files)
        .map(|(path, size)| async move {
            let content = sysvol
                .read(&SysvolPath::in_gpo(domain, guid, &path), size)
                .await;
            (path, size, content)
        })
        .buffer_unordered(in_flight);
    let mut read = 0_u64;
    // Another client may just have created it, or renamed it back.
    let mut grew = is_hidden;
    while let Some((path, size, content)) = contents.next().await {
        match content {
            Ok(content) => {
                read = read.saturating_add(u64::try_from(content.len()).unwrap_or(u64::MAX));
                if read > MAX_BYTES {
                    return Err(too_large(guid, "more than 1 GiB of files"));
                }
                gpt.tree.insert_file(&path, content);
            }
            Err(error) if is_local(&error) => {
                if error.kind() == ErrorKind::Conflict
                    && let Ok(Some(now)) =
                        sysvol.stat(&SysvolPath::in_gpo(domain, guid, &path)).await
                    && now.size > size
                {
                    grown.insert(path.clone(), now.size);
                    grew = true;
                }
                unread.push((path, error));
            }
            Err(error) => return Err(error),
        }
    }
    drop(contents);
    let unchanged = match (before, &ini) {
        (Ok(_), None) => true,
        (Ok(before), Some((path, _))) => match read_ini().await {
            Ok(after) => {
                let unchanged = after == before;
                gpt.gpt_ini = before;
                unchanged
            }
            Err(error) if is_local(&error) => {
                unread.push((path.clone(), error));
                false
            }
            Err(error) => return Err(error),
        },
        (Err(error), Some((path, _))) if is_local(&error) => {
            unread.push((path.clone(), error));
            true
        }
        (Err(error), _) => return Err(error),
    };
    unread.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Reading {
        found: Readable {
            gpt,
            unread,
            reserved,
        },
        grew,
        unchanged,
    })
}

/// What every GPO has and no listing showed, although it exists: a server may hide what this account may not read.
async fn not_listed(
    sysvol: &dyn SysvolRead,
    domain: &DomainName,
    guid: Guid,
    listed: &HashMap<String, RelPath>,
) -> Result<Vec<(RelPath, Error)>> {
    let mut hidden = Vec::new();
    for name in ["GPT.INI", "Machine", "User"] {
        if listed.contains_key(&name.to_lowercase()) {
            continue;
        }
        let path: RelPath = name.parse().map_err(|cause| {
            Error::new(ErrorKind::Internal, "no path for a part of a GPO").with_source(cause)
        })?;
        let at = SysvolPath::in_gpo(domain, guid, &path);
        match sysvol.stat(&at).await {
            Ok(None) => {}
            Ok(Some(_)) => {
                let text = format!("{at} exists, and the server does not list it");
                let error = Error::new(ErrorKind::Denied, text);
                hidden.push((path, error.with_hint(READ_WITH_MORE_RIGHTS)));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if is_local(&error) => hidden.push((path, error)),
            Err(error) => return Err(error),
        }
    }
    Ok(hidden)
}

/// The finding about an entry that is not read as part of the policy; `None` if it is.
fn left_out(path: &RelPath, is_dir: bool) -> Option<StatusMessage> {
    let name = path.name()?.as_str();
    if path.components().len() == 1 && name.starts_with(STAGING_PREFIX) {
        return Some(left_probe(name).unwrap_or_else(|| left_behind(name)));
    }
    // File replication renamed it because two DCs had created the same name. It is unknown which one belongs to the policy.
    (is_dir && name.to_ascii_uppercase().contains("_NTFRS_")).then(|| {
        StatusMessage::warning(
            Code::EntryLeftOut,
            "this folder was set aside by a replication conflict",
        )
        .at(Place::file(path.to_string()))
    })
}

fn left_behind(name: &str) -> StatusMessage {
    StatusMessage::warning(
        Code::LeftoverStaging,
        "left behind by a gpoctl operation that did not finish",
    )
    .at(Place::file(name))
}

/// The finding about a file that permissions were tried with; `None` if the name is not of one. The server deletes it when the
/// connection ends, also because gpoctl was killed, but not when the server itself ends first.
pub(crate) fn left_probe(name: &str) -> Option<StatusMessage> {
    let is_probe = name.starts_with(PROBE_PREFIX);
    is_probe.then(|| {
        left_behind(name)
            .with_hint("it is an empty file that permissions were tried with: remove it by hand")
    })
}

fn one_to_windows(guid: Guid, first: &RelPath, second: &RelPath) -> Error {
    Error::new(
        ErrorKind::BadDirectory,
        format!(
            "GPO {guid} has {first} and {second} on SYSVOL, which are the same name to Windows"
        ),
    )
    .with_hint("remove one of the two on the server's file system")
}

fn too_large(guid: Guid, what: &str) -> Error {
    Error::new(
        ErrorKind::BadDirectory,
        format!("the folder of GPO {guid} on SYSVOL has {what}"),
    )
    .with_hint("check what it contains; a GPO is rarely larger than a few megabytes")
}

#[cfg(test)]
mod tests;
