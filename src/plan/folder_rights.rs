//! Whether a descriptor of the GPO's folder on SYSVOL grants no more than the GPO does, before an operation or after it.

use crate::error::{Error, ErrorKind, Result as GpoctlResult};
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::{
    Ace, Acl, DaclState, FileDescriptor, FileEntries, InvalidSecurityDescriptor,
    SecurityDescriptor, control, file_descriptor,
};
use crate::model::sid::Sid;
use crate::plan::gpo::{GpoPlan, Step};

/// SYNCHRONIZE [MS-DTYP 2.4.3], which opening a file may require.
const SYNCHRONIZE: u32 = 0x0010_0000;
/// The meaning of the generic rights on files [MS-DTYP 2.4.3]: all, read, write, execute.
const GENERIC: [(u32, u32); 4] = [
    (0x1000_0000, 0x001F_01FF),
    (0x8000_0000, 0x0012_0089),
    (0x4000_0000, 0x0012_0116),
    (0x2000_0000, 0x0012_00A0),
];
/// SYSTEM, the built-in Administrators and CREATOR OWNER.
const ADMINISTRATORS: [&str; 3] = ["S-1-5-18", "S-1-5-32-544", "S-1-3-0"];

/// The descriptor of the folder of a GPO, derived from that of its container.
///
/// # Errors
/// `BadDirectory` when the container's cannot be used.
pub(crate) fn derived_descriptor(
    container: &[u8],
    entries: FileEntries,
) -> GpoctlResult<FileDescriptor> {
    SecurityDescriptor::parse(container)
        .and_then(|descriptor| file_descriptor(&descriptor, entries))
        .map_err(|cause| {
            Error::new(
                ErrorKind::BadDirectory,
                "the security descriptor of the GPO cannot be used",
            )
            .with_source(cause)
        })
}

/// What a descriptor of the GPO's folder grants beyond what follows from the permissions of the GPO, those before the plan and
/// those of the plan: part of a sentence, or `None`.
///
/// # Errors
/// When it is not a security descriptor.
pub(crate) fn excess(
    folder: &[u8],
    plan: &GpoPlan,
) -> Result<Option<String>, InvalidSecurityDescriptor> {
    let folder = SecurityDescriptor::parse(folder)?;
    let before = plan.basis.as_ref().and_then(|it| it.descriptor.as_ref());
    let after = plan.steps.iter().filter_map(|step| match step {
        Step::SetSecurityDescriptor { descriptor, .. } => Some(descriptor),
        _ => None,
    });
    let mut granted = Vec::new();
    for container in before.into_iter().chain(after) {
        let container = SecurityDescriptor::parse(&container.0)?;
        if !matches!(container.dacl_state(), DaclState::List(_)) {
            // Everybody had every right already.
            return Ok(None);
        }
        granted.push(file_descriptor(&container, FileEntries::WithObjectAces)?.descriptor);
    }
    Ok(beyond(&folder, &granted))
}

/// What a descriptor of a file or folder grants that none of the others does: part of a sentence, or `None`.
pub(crate) fn beyond(
    folder: &SecurityDescriptor,
    granted: &[SecurityDescriptor],
) -> Option<String> {
    if granted
        .iter()
        .any(|it| !matches!(it.dacl_state(), DaclState::List(_)))
    {
        return None;
    }
    let is_owner = |sid: &Sid| granted.iter().any(|it| it.owner.as_ref() == Some(sid));
    if let Some(owner) = &folder.owner
        && !is_administrator(owner)
        && !is_owner(owner)
    {
        return Some(format!("the owner {owner}"));
    }
    let DaclState::List(dacl) = folder.dacl_state() else {
        return Some("no DACL, with which everybody has full control".to_owned());
    };
    let known: Vec<&Ace> = granted
        .iter()
        .flat_map(|it| &it.dacl)
        .flat_map(|dacl| &dacl.aces)
        .collect();
    let more = dacl.aces.iter().find(|ace| grants_more(ace, &known));
    more.map(|ace| {
        let who = ace.sid().map(|sid| format!("{sid}: ")).unwrap_or_default();
        format!("the entry {who}{}", entry_text(ace))
    })
}

fn is_administrator(sid: &Sid) -> bool {
    ADMINISTRATORS.contains(&sid.to_string().as_str())
}

/// Whether an entry allows what none of the others allow the same account.
fn grants_more(ace: &Ace, known: &[&Ace]) -> bool {
    if matches!(ace.ace_type, 0x01 | 0x06 | 0x0A | 0x0C) {
        return false;
    }
    let Some(rights) = ace.rights() else {
        return true;
    };
    if is_administrator(&rights.sid) {
        return false;
    }
    // An entry for an object type grants nothing on a file, and Samba 4.25 stores none: what it allows does not make
    // the same without a type allowed.
    let counts = |it: &&&Ace| it.ace_type == 0x00 || (it.ace_type == 0x05 && ace.ace_type == 0x05);
    let mut missing = file_rights(rights.mask) & !SYNCHRONIZE;
    for known in known.iter().filter(counts) {
        if let Some(known) = known.rights()
            && known.sid == rights.sid
        {
            missing &= !file_rights(known.mask);
        }
    }
    missing != 0
}

/// Generic rights as specific rights on files.
fn file_rights(mask: u32) -> u32 {
    GENERIC
        .iter()
        .fold(mask & 0x03FF_FFFF, |all, (generic, rights)| {
            if mask & generic != 0 {
                all | rights
            } else {
                all
            }
        })
}

/// An entry in SDDL [MS-DTYP 2.5.1].
fn entry_text(ace: &Ace) -> String {
    let mut alone = SecurityDescriptor::new();
    alone.control |= control::DACL_PRESENT;
    alone.dacl = Some(Acl::new(vec![ace.clone()]));
    to_sddl(&alone).trim_start_matches("D:").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sddl::from_sddl;

    #[test]
    fn what_is_allowed_for_an_object_type_is_not_allowed_on_files() {
        let read = |sddl: &str| from_sddl(sddl, None).unwrap();
        let editor = "S-1-5-21-1-2-3-1107";
        let plain = read(&format!("O:BAG:BAD:P(A;OICI;0x1201ff;;;{editor})"));
        let typed = read(&format!(
            "O:BAG:BAD:P(OA;OICI;0x1201ff;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;{editor})"
        ));
        for (folder, granted, is_more) in [
            (&plain, &plain, false),
            (&typed, &typed, false),
            (&typed, &plain, false),
            (&plain, &typed, true),
        ] {
            let more = beyond(folder, std::slice::from_ref(granted));
            assert_eq!(more.is_some(), is_more, "{folder:?} {granted:?}");
        }
    }
}
