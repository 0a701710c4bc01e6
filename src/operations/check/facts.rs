//! What a check looks at, read from the domain.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::directory::GpoObject;
use crate::error::{Error, ErrorKind, Result};
use crate::message::StatusMessage;
use crate::model::directory_object::DirectoryObject;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::safe_name::RelPath;
use crate::model::snapshot::WmiFilterLink;
use crate::operations::progress::Control;
use crate::session::DomainSession;
use crate::sysvol::SysvolPath;

/// One GPO as a check sees it.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The directory half.
    pub object: GpoObject,
    /// What is wrong with `gPCFileSysPath`.
    pub path_mismatch: Option<String>,
    /// The objects below it.
    pub children: Vec<DirectoryObject>,
    /// The SYSVOL half, in the folder that is computed from the domain and the GUID, whatever `gPCFileSysPath` says; `None`
    /// when there is no folder.
    pub folder: Option<Folder>,
    /// The linked WMI filter; its name is `None` when there is no such filter.
    pub wmi_filter: Option<WmiFilterLink>,
    /// Whether the controller is Samba, which wants a descriptor on every file.
    pub samba: bool,
}

impl Facts {
    /// Forgets the files: a whole domain of them is more than a report needs.
    pub fn let_contents_go(&mut self) {
        if let Some(folder) = &mut self.folder {
            folder.tree = GptTree::new();
        }
    }
}

/// The SYSVOL half of a GPO.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// Files and folders, without GPT.INI.
    pub tree: GptTree,
    /// GPT.INI, and how its name is written.
    pub gpt_ini: Option<Bytes>,
    /// Owner, group and DACL of the folder itself (the root) and of what is in it; empty when this SMB client cannot read
    /// them.
    pub descriptors: BTreeMap<String, (RelPath, Vec<u8>)>,
    /// What was noticed while reading.
    pub messages: Vec<StatusMessage>,
}

/// Reads both halves of a GPO. Nothing that is wrong with it is an error here.
///
/// # Errors
/// When a server cannot be asked, or the account may not read what every editor reads.
pub async fn read(session: &DomainSession, object: &GpoObject, control: &Control) -> Result<Facts> {
    control.check()?;
    let directory = session.directory();
    let folder = async {
        match read_folder(session, object.guid).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    };
    let filter = async {
        let Some(mut link) = object.wmi_filter.as_deref().and_then(WmiFilterLink::parse) else {
            return Ok(None);
        };
        link.name = directory.wmi_filter(link.id).await?.map(|found| found.name);
        Ok::<_, Error>(Some(link))
    };
    let (children, folder, wmi_filter) =
        tokio::try_join!(directory.children(object.guid), folder, filter)?;
    Ok(Facts {
        path_mismatch: object.path_mismatch(&session.info().dns_domain),
        object: object.clone(),
        children,
        folder,
        wmi_filter,
        samba: session.info().is_samba(),
    })
}

async fn read_folder(session: &DomainSession, guid: Guid) -> Result<Folder> {
    let sysvol = session.sysvol();
    let domain = &session.info().dns_domain;
    let gpt = crate::sysvol::gpt::read_gpt(sysvol, domain, guid).await?;
    let mut paths = vec![RelPath::root()];
    if session.info().is_samba() {
        paths.extend(gpt.tree.entries().map(|(path, _)| path.clone()));
        if gpt.gpt_ini.is_some() {
            paths.push("GPT.INI".parse().map_err(|cause| {
                Error::new(ErrorKind::Internal, "no name for GPT.INI").with_source(cause)
            })?);
        }
    }
    let mut descriptors = BTreeMap::new();
    if sysvol.has_exact_descriptors() {
        let mut reads = stream::iter(paths)
            .map(|path| async move {
                let at = SysvolPath::in_gpo(domain, guid, &path);
                match sysvol.security_descriptor(&at).await {
                    Ok(bytes) => Ok(Some((path, bytes))),
                    // Gone since the listing.
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .buffer_unordered(sysvol.concurrency().max(1));
        while let Some(read) = reads.try_next().await? {
            if let Some((path, bytes)) = read {
                descriptors.insert(path.folded(), (path, bytes));
            }
        }
    }
    Ok(Folder {
        tree: gpt.tree,
        gpt_ini: gpt.gpt_ini,
        descriptors,
        messages: gpt.messages,
    })
}

/// The folders below `Policies` that are named by a GUID, and the names of others.
pub async fn policy_folders(session: &DomainSession) -> Result<(Vec<Guid>, Vec<String>)> {
    let policies = SysvolPath::policies(&session.info().dns_domain);
    let listing = session.sysvol().list(&policies).await?;
    let mut guids = Vec::new();
    let mut others = listing.refused;
    for entry in listing.entries.iter().filter(|entry| entry.is_dir) {
        let name = entry.name.as_str();
        match name.parse() {
            Ok(guid) if name.starts_with('{') => guids.push(guid),
            _ => others.push(name.to_owned()),
        }
    }
    Ok((guids, others))
}
