//! What of a repair this account may make. The rest is left out and reported: a delegated editor may raise a version although only an
//! administrator may set the permissions of files.

use super::findings::counted;
use crate::domain::sysvol::SysvolPath;
use crate::error::Result;
use crate::execute::rights::granted;
use crate::message::{Code, StatusMessage};
use crate::model::access_mask::{file, standard};
use crate::model::guid::Guid;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::plan::values::{DescriptorSwap, ValueChange};
use crate::plan::{Change, Object, Plan};
use crate::session::DomainSession;

/// BUILTIN\Administrators, which may give files to others.
const ADMINISTRATORS: &str = "S-1-5-32-544";

/// Takes out of the plan of a repair what this account may not do, with a warning for each of it. What a server does not report before
/// it is tried is left in the plan.
///
/// # Errors
/// As the directory and SYSVOL.
pub async fn leave_out_denied(plan: &mut Plan, session: &DomainSession) -> Result<()> {
    for change in std::mem::take(&mut plan.changes) {
        let Change::Value(mut planned) = change else {
            plan.changes.push(change);
            continue;
        };
        let what = denied(&mut planned.change, session).await?;
        if let Some(what) = &what {
            let mut message = StatusMessage::warning(
                Code::NotPermitted,
                format!("this account may not {what}, so that is left out of the repair"),
            )
            .with_hint(Code::NotPermitted.action());
            if let Object::Gpo(guid) = planned.change.object(&plan.domain) {
                let gpo = session.directory().gpo(guid).await?;
                message = message.of_gpo(gpo.display_name);
            }
            plan.messages.push(message);
        }
        match (&what, &planned.change) {
            (Some(_), ValueChange::Descriptors { entries, .. }) if !entries.is_empty() => {
                planned.describe();
                plan.changes.push(Change::Value(planned));
            }
            (Some(_), ValueChange::GptIni { guid, .. }) => {
                let of_gpo = guid.to_string();
                let codes = [Code::DenyAfterAllow, Code::DescriptorsNotSet];
                // They are about the file that is not written.
                plan.messages
                    .retain(|it| !codes.contains(&it.code) || it.gpo.as_deref() != Some(&of_gpo));
            }
            (Some(_), _) => {}
            (None, _) => plan.changes.push(Change::Value(planned)),
        }
    }
    Ok(())
}

/// What of a change this account may not do: part of a sentence. Of permissions, those of the other files are left in the change.
async fn denied(change: &mut ValueChange, session: &DomainSession) -> Result<Option<String>> {
    Ok(match change {
        ValueChange::Descriptors { guid, entries } => {
            let mut denied = 0_usize;
            let mut permitted = Vec::new();
            for entry in std::mem::take(entries) {
                match may_set(session, *guid, &entry).await? {
                    true => permitted.push(entry),
                    false => denied += 1,
                }
            }
            *entries = permitted;
            (denied > 0).then(|| format!("set the permissions of {} on SYSVOL", counted(denied)))
        }
        ValueChange::GptIni { guid, .. } => (!may_replace_gpt_ini(session, *guid).await?)
            .then(|| "replace GPT.INI on SYSVOL".to_owned()),
        ValueChange::Attributes { dn, attributes } => {
            let rights = session.directory().object_rights(&dn.0).await?;
            let names = attributes.iter().map(|swap| swap.attribute.as_str());
            let denied: Vec<&str> = names
                .filter(|name| !rights.as_ref().is_some_and(|it| it.may_write(name)))
                .collect();
            (!denied.is_empty()).then(|| format!("write {} in the directory", denied.join(", ")))
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
