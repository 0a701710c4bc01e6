//! What of a change of single values this account may do, found out before anything is written.

use futures_util::{StreamExt as _, stream};

use super::rights::granted;
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Result};
use crate::model::access_mask::{file, standard};
use crate::model::guid::Guid;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::plan::values::{DescriptorSwap, ValueChange, files_and_folders};
use crate::session::DomainSession;

/// BUILTIN\Administrators, which may give files to others.
const ADMINISTRATORS: &str = "S-1-5-32-544";

/// Refuses a change that this account may not make.
///
/// # Errors
/// `Denied`, with what it may not do; otherwise as the directory and SYSVOL.
pub(super) async fn refuse_denied(session: &DomainSession, change: &ValueChange) -> Result<()> {
    match denied(session, &mut change.clone()).await? {
        None => Ok(()),
        Some(what) => Err(
            Error::new(ErrorKind::Denied, format!("this account may not {what}")).with_hint(
                "nothing was changed; let an administrator do it, or delegate it to this account",
            ),
        ),
    }
}

/// What of a change this account may not do: part of a sentence. Of permissions, those of the other files are left in the change.
/// The rights to create and remove WMI filters are found out when they are tried: a server may refuse their class to everybody, and says so.
///
/// # Errors
/// As the directory and SYSVOL.
pub(crate) async fn denied(
    session: &DomainSession,
    change: &mut ValueChange,
) -> Result<Option<String>> {
    Ok(match change {
        ValueChange::Descriptors { guid, entries } => {
            let mut denied = 0_usize;
            let mut permitted = Vec::new();
            let (gpo, taken) = (*guid, std::mem::take(entries));
            let mut judged = stream::iter(taken)
                .map(|entry| async move { (may_set(session, gpo, &entry).await, entry) })
                .buffered(session.sysvol().concurrency().max(1));
            while let Some((may, entry)) = judged.next().await {
                match may? {
                    true => permitted.push(entry),
                    false => denied += 1,
                }
            }
            drop(judged);
            *entries = permitted;
            (denied > 0).then(|| {
                format!(
                    "set the permissions of {} on SYSVOL",
                    files_and_folders(denied)
                )
            })
        }
        ValueChange::GptIni { guid, .. } => (!may_replace_gpt_ini(session, *guid).await?)
            .then(|| "replace GPT.INI on SYSVOL".to_owned()),
        ValueChange::Attributes { dn, attributes } => {
            let rights = session.directory().object_rights(&dn.0).await?;
            let names = attributes.iter().map(|swap| swap.attribute.as_str());
            let denied: Vec<&str> = names
                .filter(|name| !rights.as_ref().is_some_and(|it| it.may_write(name)))
                .collect();
            (!denied.is_empty()).then(|| format!("write {} of {}", denied.join(", "), dn.0))
        }
        ValueChange::AddWmiFilter { .. } | ValueChange::RemoveWmiFilter { .. } => None,
    })
}

/// Whether this account may set these permissions: the DACL, and the owner, which only an administrator gives to somebody else.
async fn may_set(session: &DomainSession, guid: Guid, entry: &DescriptorSwap) -> Result<bool> {
    let info = session.info();
    let owner = |bytes: &[u8]| SecurityDescriptor::parse(bytes).ok()?.owner;
    let new = owner(&entry.new.0);
    let is_administrator = info.token.as_ref().is_none_or(|token| {
        let administrators = ADMINISTRATORS.parse();
        administrators.is_ok_and(|sid| token.contains(&sid))
    });
    if new != owner(&entry.old.0) && new != info.user_sid && !is_administrator {
        return Ok(false);
    }
    let path = SysvolPath::in_gpo(&info.dns_domain, guid, &entry.path);
    let wanted = standard::WRITE_DACL | standard::WRITE_OWNER;
    let granted = granted(session.sysvol(), &path).await?;
    Ok(granted.is_none_or(|granted| granted & wanted == wanted))
}

/// Whether this account may create a file in the folder of the GPO and rename it over GPT.INI.
async fn may_replace_gpt_ini(session: &DomainSession, guid: Guid) -> Result<bool> {
    let folder = SysvolPath::gpo(&session.info().dns_domain, guid);
    let granted = granted(session.sysvol(), &folder).await?;
    Ok(granted.is_none_or(|granted| granted & file::WRITE_DATA != 0))
}
