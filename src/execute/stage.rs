//! Staging: new files and folders written beside the live ones, in the GPO's own folder.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use crate::domain::sysvol::{Sysvol, SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::model::digest::sha256;
use crate::model::domain_name::DomainName;
use crate::model::gpt_tree::{GptTree, Node};
use crate::model::guid::Guid;
use crate::model::safe_name::{RelPath, SafeName};
use crate::model::security_descriptor::{FileDescriptor, FileEntries, SecurityDescriptor};
use crate::plan::folder_rights::derived_descriptor;
use crate::progress::{Control, Phase};
use crate::session::{DomainSession, DomainWriter};

/// The GPO's folder, and the names an operation uses in it.
#[derive(Debug, Clone)]
pub(crate) struct StagingArea {
    domain: DomainName,
    guid: Guid,
    tag: String,
}

impl StagingArea {
    /// For an operation; its names contain the end of its ID.
    pub(crate) fn new(domain: &DomainName, guid: Guid, operation_id: &str) -> Self {
        let tag = operation_id
            .rsplit_once('-')
            .map_or(operation_id, |(_, tag)| tag)
            .to_owned();
        Self {
            domain: domain.clone(),
            guid,
            tag,
        }
    }

    /// The GPO's folder itself.
    pub(crate) fn folder(&self) -> SysvolPath {
        SysvolPath::gpo(&self.domain, self.guid)
    }

    /// The entry of this name in the GPO's folder.
    pub(crate) fn entry(&self, name: &SafeName) -> SysvolPath {
        self.at(&RelPath::root().join(name.clone()))
    }

    /// A path below the GPO's folder.
    pub(crate) fn at(&self, path: &RelPath) -> SysvolPath {
        SysvolPath::in_gpo(&self.domain, self.guid, path)
    }

    /// The place of the new `name` before it is live.
    pub(crate) fn staged_name(&self, name: &SafeName) -> Result<SafeName> {
        self.derived("new", name)
    }

    /// The place of the old `name`.
    pub(crate) fn old_name(&self, name: &SafeName) -> Result<SafeName> {
        self.derived("old", name)
    }

    /// The place of what somebody else has put at the live `name` while this operation was switching it.
    pub(crate) fn aside_name(&self, name: &SafeName) -> Result<SafeName> {
        self.derived("aside", name)
    }

    /// The folded path of an entry before this operation renamed it out of the way; `None` when it has not.
    pub(crate) fn without_old<'a>(&self, folded: &'a str) -> Option<&'a str> {
        folded.strip_prefix(&format!(".gpoctl-{}-old-", self.tag.to_lowercase()))
    }

    /// Whether a folded name of the GPO's folder is one that this operation has staged.
    pub(crate) fn is_staged(&self, folded: &str) -> bool {
        folded.starts_with(&format!(".gpoctl-{}-new-", self.tag.to_lowercase()))
    }

    /// `InUse` when another operation has staged something in the folder of the GPO, or renamed something out of the way.
    pub(crate) async fn other_operation(&self, sysvol: &dyn SysvolRead) -> Result<Option<Error>> {
        let own = format!(".gpoctl-{}-", self.tag.to_lowercase());
        let folder = self.folder();
        let listing = sysvol.list(&folder).await?;
        let mut names = listing.entries.iter().map(|entry| entry.name.folded());
        let is_of_another = |name: &String| name.starts_with(".gpoctl-") && !name.starts_with(&own);
        Ok(names.find(is_of_another).map(|name| {
            Error::new(
                ErrorKind::InUse,
                format!(
                    "another operation is changing {folder}: {}",
                    printable(&name)
                ),
            )
        }))
    }

    fn derived(&self, role: &str, name: &SafeName) -> Result<SafeName> {
        SafeName::new(&format!(".gpoctl-{}-{role}-{name}", self.tag)).map_err(|cause| {
            Error::new(ErrorKind::BadInput, "the entry cannot be staged").with_source(cause)
        })
    }
}

/// The entries of the GPO's folder, each with everything below it; an entry is renamed as a whole.
pub(crate) fn by_root_entry(tree: &GptTree) -> BTreeMap<String, RootEntry> {
    let mut roots: BTreeMap<String, RootEntry> = BTreeMap::new();
    for (path, node) in tree.entries() {
        let Some(name) = path.first() else { continue };
        let root = roots.entry(name.folded()).or_insert_with(|| RootEntry {
            name: name.clone(),
            is_dir: true,
            dirs: Vec::new(),
            files: Vec::new(),
        });
        match node {
            Node::Dir => root.dirs.push(path.clone()),
            Node::File(content) => {
                if path.components().len() == 1 {
                    root.is_dir = false;
                }
                root.files.push((path.clone(), content.clone()));
            }
        }
    }
    roots
}

/// A file or a folder directly in the GPO's folder.
#[derive(Debug, Clone)]
pub(crate) struct RootEntry {
    /// Its name.
    pub(crate) name: SafeName,
    /// Whether it is a folder.
    pub(crate) is_dir: bool,
    /// The folders, itself included; parents first.
    pub(crate) dirs: Vec<RelPath>,
    /// The files.
    pub(crate) files: Vec<(RelPath, Bytes)>,
}

impl RootEntry {
    /// A path of this entry as it is below the staged name.
    fn renamed(path: &RelPath, staged: &SafeName) -> RelPath {
        path.components()
            .iter()
            .skip(1)
            .fold(RelPath::root().join(staged.clone()), |path, name| {
                path.join(name.clone())
            })
    }
}

/// Writes entries under their staged names: folders level by level, then all files, with as many calls in flight as the back
/// end permits.
pub(crate) async fn stage_entries(
    sysvol: &dyn Sysvol,
    staging: &StagingArea,
    entries: &[(RootEntry, SafeName)],
    descriptors: &[Vec<u8>],
    control: &Control,
) -> Result<()> {
    let in_flight = sysvol.concurrency().max(1);
    let mut levels: BTreeMap<usize, Vec<RelPath>> = BTreeMap::new();
    let mut files = Vec::new();
    for (entry, staged) in entries {
        for dir in &entry.dirs {
            levels
                .entry(dir.components().len())
                .or_default()
                .push(RootEntry::renamed(dir, staged));
        }
        for (path, content) in &entry.files {
            files.push((RootEntry::renamed(path, staged), content.clone()));
        }
    }
    for dirs in levels.into_values() {
        control.check()?;
        run_all(in_flight, dirs, |dir| async move {
            sysvol.create_dir(&staging.at(&dir), descriptors).await
        })
        .await?;
    }
    let total = u64::try_from(files.len()).unwrap_or(u64::MAX);
    let (done, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    control.report(Phase::Stage, 0, total, 0);
    run_all(in_flight, files, |(path, content)| {
        let (done, bytes) = (&done, &bytes);
        async move {
            control.check()?;
            let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
            sysvol
                .write_new(&staging.at(&path), content, descriptors)
                .await?;
            let bytes = bytes
                .fetch_add(size, Ordering::Relaxed)
                .saturating_add(size);
            let done = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            control.report(Phase::Stage, done, total, bytes);
            Ok(())
        }
    })
    .await
    .map(drop)
}

/// Runs `call` for each item, `in_flight` at a time. After the first error no new call is started, and those in flight are
/// waited for: an abandoned write could still arrive after its folder was deleted.
pub(crate) async fn run_all<I, T, F>(
    in_flight: usize,
    items: impl IntoIterator<Item = I>,
    call: impl Fn(I) -> F,
) -> Result<Vec<T>>
where
    F: Future<Output = Result<T>>,
{
    let failed = AtomicBool::new(false);
    let results: Vec<Option<Result<T>>> = stream::iter(items)
        .map(|item| {
            let pending = (!failed.load(Ordering::Relaxed)).then(|| call(item));
            let failed = &failed;
            async move {
                let result = pending?.await;
                if result.is_err() {
                    failed.store(true, Ordering::Relaxed);
                }
                Some(result)
            }
        })
        .buffer_unordered(in_flight)
        .collect()
        .await;
    results.into_iter().flatten().collect()
}

/// Deletes a file or a folder and everything below it; it may be missing. Never leaves the GPO's folder: the path consists of
/// names from listings, each validated.
pub(crate) async fn remove_tree(sysvol: &dyn Sysvol, path: &SysvolPath) -> Result<()> {
    let Some(entry) = sysvol.stat(path).await? else {
        return Ok(());
    };
    if !entry.is_dir {
        return ignore_missing(sysvol.remove_file(path).await);
    }
    let in_flight = sysvol.concurrency().max(1);
    let mut folders = vec![path.clone()];
    let mut level = vec![path.clone()];
    while !level.is_empty() {
        let listings = run_all(in_flight, level, |folder| async move {
            let listing = sysvol.list(&folder).await?;
            Ok((folder, listing))
        })
        .await?;
        level = Vec::new();
        let mut files = Vec::new();
        for (folder, listing) in listings {
            for entry in listing.entries {
                let Some(below) = folder.join(&entry.name) else {
                    continue;
                };
                if entry.is_dir {
                    folders.push(below.clone());
                    level.push(below);
                } else {
                    files.push(below);
                }
            }
        }
        run_all(in_flight, files, |file| async move {
            ignore_missing(sysvol.remove_file(&file).await)
        })
        .await?;
    }
    // The list is sorted by depth, so from its end every folder is empty when it is deleted.
    for folder in folders.iter().rev() {
        ignore_missing(sysvol.remove_dir(folder).await)?;
    }
    Ok(())
}

/// The hashes of an entry and everything below it, by the folded path below it; the path of the entry itself is empty. Folders
/// have an empty hash. `None` when it does not exist.
pub(crate) async fn entry_hashes(
    sysvol: &dyn SysvolRead,
    path: &SysvolPath,
) -> Result<Option<BTreeMap<String, String>>> {
    Ok(all_entries(sysvol, path).await?.map(|(found, _)| found))
}

/// The same, and what the listings refused, a sentence each.
pub(super) async fn all_entries(
    sysvol: &dyn SysvolRead,
    path: &SysvolPath,
) -> Result<Option<(BTreeMap<String, String>, Vec<String>)>> {
    let Some(entry) = sysvol.stat(path).await? else {
        return Ok(None);
    };
    let (mut found, mut refused) = (BTreeMap::new(), Vec::new());
    if !entry.is_dir {
        found.insert(String::new(), sha256(&sysvol.read(path, entry.size).await?));
        return Ok(Some((found, refused)));
    }
    found.insert(String::new(), String::new());
    let in_flight = sysvol.concurrency().max(1);
    let mut level = vec![(String::new(), path.clone())];
    while !level.is_empty() {
        let listings = run_all(in_flight, level, |(key, folder)| async move {
            Ok((sysvol.list(&folder).await?, key, folder))
        })
        .await?;
        level = Vec::new();
        let mut files = Vec::new();
        for (listing, key, folder) in listings {
            refused.extend(listing.refused);
            for entry in listing.entries {
                let Some(below) = folder.join(&entry.name) else {
                    continue;
                };
                let name = entry.name.folded();
                let key = if key.is_empty() {
                    name
                } else {
                    format!("{key}/{name}")
                };
                if entry.is_dir {
                    found.insert(key.clone(), String::new());
                    level.push((key, below));
                } else {
                    files.push((key, below, entry.size));
                }
            }
        }
        found.extend(
            run_all(in_flight, files, |(key, file, size)| async move {
                Ok((key, sha256(&sysvol.read(&file, size).await?)))
            })
            .await?,
        );
    }
    Ok(Some((found, refused)))
}

/// The part of the hashes of a GPO's files ([`crate::plan::gpo::tree_hashes`]) for one entry, in the form of [`entry_hashes`].
pub(crate) fn hashes_below(
    hashes: &BTreeMap<String, String>,
    entry: &str,
) -> BTreeMap<String, String> {
    let entry = entry.to_lowercase();
    hashes
        .iter()
        .filter_map(|(path, hash)| {
            let rest = path.strip_prefix(&entry)?;
            let key = if rest.is_empty() {
                rest
            } else {
                rest.strip_prefix('/')?
            };
            Some((key.to_owned(), hash.clone()))
        })
        .collect()
}

/// The bytes of a file; `None` when there is none.
pub(crate) async fn read_whole(
    sysvol: &dyn SysvolRead,
    path: &SysvolPath,
) -> Result<Option<Bytes>> {
    match sysvol.stat(path).await? {
        None => Ok(None),
        Some(entry) => sysvol.read(path, entry.size).await.map(Some),
    }
}

/// The descriptors to set on every file and folder of a GPO, one after the other, derived from that of its container; none
/// where children inherit, the back end cannot write them, or the server refuses their order.
///
/// # Errors
/// `BadDirectory` when the container's cannot be used.
pub(crate) fn descriptors_from(session: &DomainSession, container: &[u8]) -> Result<Vec<Vec<u8>>> {
    if !session.info().is_samba() || !session.sysvol().has_exact_descriptors() {
        return Ok(Vec::new());
    }
    let entries = session.sysvol().file_entries().unwrap_or_default();
    let derived = derived_descriptor(container, entries)?;
    Ok(match entries.stores(&derived.descriptor) {
        true => derived.into_steps(),
        false => Vec::new(),
    })
}

/// Detects which entries a Samba server stores in the DACL of a file, before the first descriptor is set: in the folder of the
/// GPO, or beside it when it does not exist yet.
///
/// # Errors
/// `Connect` when the connection is lost.
pub(crate) async fn probe_file_entries(
    domain: &DomainWriter,
    folder: &SysvolPath,
    exists: bool,
) -> Result<()> {
    if !domain.session().info().is_samba() {
        return Ok(());
    }
    let policies = SysvolPath::policies(folder.domain());
    let at = if exists { folder } else { &policies };
    domain.sysvol().probe_file_entries(at).await
}

/// The values with which an existing descriptor is set on a file or folder, one after the other.
///
/// # Errors
/// `BadInput` when it cannot be used; `holder` names its source.
pub(crate) fn descriptor_steps(
    sysvol: &dyn SysvolRead,
    descriptor: &[u8],
    holder: &str,
) -> Result<Vec<Vec<u8>>> {
    let entries = sysvol.file_entries().unwrap_or_default();
    SecurityDescriptor::parse(descriptor)
        .and_then(|descriptor| FileDescriptor::of(descriptor, entries))
        .map(FileDescriptor::into_steps)
        .map_err(|cause| {
            Error::new(
                ErrorKind::BadInput,
                format!("{holder} contains a security descriptor that cannot be used"),
            )
            .with_source(cause)
        })
}

/// A descriptor of a file as this server stores it: without object entries if it refuses them.
pub(crate) fn as_stored(
    sysvol: &dyn SysvolRead,
    descriptor: SecurityDescriptor,
) -> SecurityDescriptor {
    match sysvol.file_entries() {
        Some(FileEntries::WithoutObjectAces) => descriptor.without_object_aces(),
        _ => descriptor,
    }
}

/// The same descriptors without owner and group, which only an administrator may set.
pub(crate) fn without_owners(descriptors: &[Vec<u8>]) -> Vec<Vec<u8>> {
    descriptors
        .iter()
        .filter_map(|descriptor| {
            let mut descriptor = SecurityDescriptor::parse(descriptor).ok()?;
            descriptor.owner = None;
            descriptor.group = None;
            descriptor.to_bytes().ok()
        })
        .collect()
}

/// The finding that files were written without owners.
pub(crate) fn owners_not_set() -> StatusMessage {
    StatusMessage::warning(
        Code::OwnersNotSet,
        "this account may not set owners on SYSVOL, so it owns the new files and samba-tool ntacl sysvolcheck reports them",
    )
    .with_hint("clients and editors are not affected; gpoctl check --fix by a domain administrator sets the owners")
}

/// Missing already counts as deleted.
pub(crate) fn ignore_missing(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
