//! The facts of a check, read from the domain.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::file_entries::{Expected, ShownBy};
use crate::directory::GpoObject;
use crate::directory::wmi::{WmiFilterLookup, unreadable_filter};
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, Severity, StatusMessage};
use crate::model::directory_object::DirectoryObject;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;
use crate::model::security_descriptor::FileEntries;
use crate::model::snapshot::WmiFilterLink;
use crate::progress::Control;
use crate::session::DomainSession;
use crate::session::read::{unreadable, unreadable_attributes};
use crate::sysvol::gpt::{self, Gpt};

/// The facts about one GPO.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The directory half.
    pub object: GpoObject,
    /// The finding about `gPCFileSysPath`.
    pub path_mismatch: Option<String>,
    /// The objects below it.
    pub children: Vec<DirectoryObject>,
    /// The SYSVOL half, in the folder that is computed from the domain and the GUID, whatever `gPCFileSysPath` contains; `None`
    /// when there is no folder.
    pub folder: Option<Folder>,
    /// The linked WMI filter; its name is `None` when there is no such filter, or none that this account may read.
    pub wmi_filter: Option<WmiFilterLink>,
    /// Whether the domain controller is Samba, which requires a descriptor on every file.
    pub samba: bool,
    /// Which entries of the directory's DACL its files should have.
    pub file_entries: FileEntries,
    /// What shows this. If not the server, files with those of another version of Samba may be right.
    pub file_entries_shown_by: ShownBy,
    /// What the directory did not return: objects, attributes, the WMI filter.
    pub unread: Vec<StatusMessage>,
}

impl Facts {
    /// Drops the files: a report does not need those of a whole domain.
    pub fn let_contents_go(&mut self) {
        if let Some(folder) = &mut self.folder {
            folder.tree = GptTree::new();
        }
    }

    /// Whether the linked WMI filter may exist although it was not read.
    pub fn may_have_wmi_filter(&self) -> bool {
        let mut unread = self.unread.iter();
        unread.any(|message| message.code == Code::UnreadableWmiFilter)
    }

    /// Whether everything that may contain settings was read, so that what was not found does not exist.
    pub fn is_whole(&self) -> bool {
        let folder = self.folder.as_ref();
        self.unread.is_empty() && folder.is_none_or(|folder| folder.unread.is_empty())
    }
}

/// The SYSVOL half of a GPO.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// Files and folders, without GPT.INI.
    pub tree: GptTree,
    /// GPT.INI, and the spelling of its name.
    pub gpt_ini: Option<Bytes>,
    /// Owner, group and DACL of the folder itself (the root) and of its content, as far as the server returns them.
    pub descriptors: BTreeMap<String, (RelPath, Vec<u8>)>,
    /// What exists and the server does not return; the root when the folder cannot be listed, or is too large.
    pub unread: BTreeSet<RelPath>,
    /// The findings from reading; what could not be read are errors.
    pub messages: Vec<StatusMessage>,
}

impl Folder {
    /// The descriptor of the folder itself, if the server returns it.
    fn own_descriptor(&self) -> Option<&[u8]> {
        let (_, descriptor) = self.descriptors.get(&RelPath::root().folded())?;
        Some(descriptor)
    }

    /// Whether GPT.INI, or the listing that would show it, was not read.
    pub fn has_unread_gpt_ini(&self) -> bool {
        gpt::is_gpt_ini_unread(&self.unread)
    }
}

/// Reads both halves of a GPO. Problems of the GPO are not errors here: what cannot be read is left out and reported.
///
/// # Errors
/// When a server does not answer; `Cancelled`.
pub async fn read(
    session: &DomainSession,
    object: &GpoObject,
    expected: Expected,
    control: &Control,
) -> Result<Facts> {
    control.check()?;
    let directory = session.directory();
    let filter = async {
        let Some(mut link) = object.wmi_filter.as_deref().and_then(WmiFilterLink::parse) else {
            return Ok((None, None));
        };
        let found = directory.wmi_filter(link.id).await?;
        let unread = (found == WmiFilterLookup::Unreadable).then(|| unreadable_filter(&link));
        link.name = found.name();
        Ok::<_, Error>((Some(link), unread))
    };
    let children = async {
        match directory.children(object.guid).await {
            Err(error) if gpt::is_local(&error) => {
                Ok((Vec::new(), vec![no_objects(object, &error)]))
            }
            other => other.map(|children| (children, Vec::new())),
        }
    };
    let folder = read_folder(session, object.guid);
    let ((children, mut unread), folder, (wmi_filter, unread_filter)) =
        tokio::try_join!(children, folder, filter)?;
    unread.extend(unreadable_attributes(object));
    unread.extend(unread_filter);
    let own = folder.as_ref().and_then(Folder::own_descriptor);
    let (file_entries, file_entries_shown_by) = expected.of_gpo(object, own);
    Ok(Facts {
        file_entries,
        file_entries_shown_by,
        path_mismatch: object.path_mismatch(&session.info().dns_domain),
        object: object.clone(),
        children,
        folder,
        wmi_filter,
        samba: session.info().is_samba(),
        unread,
    })
}

/// The finding when the objects below a GPO cannot be read.
fn no_objects(object: &GpoObject, error: &Error) -> StatusMessage {
    let hint = error
        .hint()
        .unwrap_or("look at the objects below it with another tool");
    StatusMessage::error(
        Code::UnreadableObjects,
        format!("the objects below the GPO cannot be read: {error}"),
    )
    .at(Place::file(object.dn.to_string()))
    .with_hint(hint)
}

/// Reads the SYSVOL half; `None` when there is no folder.
async fn read_folder(session: &DomainSession, guid: Guid) -> Result<Option<Folder>> {
    let sysvol = session.sysvol();
    let domain = &session.info().dns_domain;
    let (gpt, unread) = match gpt::read_what_can_be_read(sysvol, domain, guid, None).await {
        Ok(read) => (read.gpt, read.unread),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if gpt::is_local(&error) => (Gpt::default(), vec![(RelPath::root(), error)]),
        Err(error) => return Err(error),
    };
    let mut messages = gpt.messages;
    messages.extend(
        unread
            .iter()
            .map(|(path, error)| unreadable(Severity::Error, Code::UnreadableFile, path, error)),
    );
    let unread: BTreeSet<RelPath> = unread.into_iter().map(|(path, _)| path).collect();
    let mut paths = vec![RelPath::root()];
    if session.info().is_samba() {
        paths.extend(gpt.tree.entries().map(|(path, _)| path.clone()));
        // An account that may not read a file may still read and repair its permissions. Of two names that are the same to
        // Windows, one is read.
        paths.extend(unread.iter().cloned());
        if gpt.gpt_ini.is_some() {
            paths.push("GPT.INI".parse().map_err(|cause| {
                Error::new(ErrorKind::Internal, "no name for GPT.INI").with_source(cause)
            })?);
        }
        let mut seen = HashSet::new();
        paths.retain(|path| seen.insert(path.folded()));
    }
    let mut descriptors = BTreeMap::new();
    if sysvol.has_exact_descriptors() {
        let mut reads = stream::iter(paths)
            .map(|path| async move {
                let at = SysvolPath::in_gpo(domain, guid, &path);
                (path, sysvol.security_descriptor(&at).await)
            })
            .buffer_unordered(sysvol.concurrency().max(1));
        let mut denied = BTreeMap::new();
        while let Some((path, read)) = reads.next().await {
            match read {
                Ok(bytes) => {
                    descriptors.insert(path.folded(), (path, bytes));
                }
                // Deleted since the listing.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // That it cannot be read at all is reported already.
                Err(error) if gpt::is_local(&error) && unread.contains(&path) => {}
                Err(error) if gpt::is_local(&error) => {
                    denied.insert(path, error);
                }
                Err(error) => return Err(error),
            }
        }
        messages.extend(denied.iter().map(|(path, error)| {
            unreadable(Severity::Error, Code::DescriptorUnreadable, path, error)
        }));
    } else {
        messages.push(StatusMessage::info(
            Code::DescriptorsNotRead,
            "this SMB client cannot read security descriptors, so those of SYSVOL were not checked",
        ));
    }
    Ok(Some(Folder {
        tree: gpt.tree,
        gpt_ini: gpt.gpt_ini,
        descriptors,
        unread,
        messages,
    }))
}

/// The folders below `Policies` that are named by a GUID, and the names of others.
pub async fn policy_folders(session: &DomainSession) -> Result<(Vec<Guid>, Vec<String>)> {
    let policies = SysvolPath::policies(&session.info().dns_domain);
    let listing = session.sysvol().list(&policies).await?;
    let mut guids = Vec::new();
    let mut others = listing.refused;
    for entry in &listing.entries {
        let name = entry.name.as_str();
        match name.parse() {
            Ok(guid) if entry.is_dir && name.starts_with('{') => guids.push(guid),
            _ if entry.is_dir || gpt::left_probe(name).is_some() => others.push(name.to_owned()),
            _ => {}
        }
    }
    Ok((guids, others))
}
