//! Whether a descriptor of the GPO's folder on SYSVOL grants no more than the GPO does, before an operation or after it.

use std::collections::BTreeSet;

use crate::error::{Error, ErrorKind, Result as GpoctlResult};
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::{
    Ace, Acl, DaclState, FileDescriptor, FileEntries, InvalidSecurityDescriptor,
    SecurityDescriptor, ace_flag, ace_type, control, file_descriptor, rights_on_files,
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
        .map_err(unusable)
}

/// What the permissions of a GPO allow on its files, whichever server has them.
pub(crate) struct FileRights {
    /// What both kinds of servers derive from the container.
    forms: Vec<String>,
    /// What the container grants and denies.
    rights: SecurityDescriptor,
}

impl FileRights {
    /// Derives them from the descriptor of the container.
    ///
    /// # Errors
    /// When it has no list of entries, or cannot be mapped.
    pub(crate) fn of(container: &SecurityDescriptor) -> Result<Self, InvalidSecurityDescriptor> {
        let form = |entries| {
            file_descriptor(container, entries).map(|derived| to_sddl(&derived.descriptor))
        };
        Ok(Self {
            forms: vec![
                form(FileEntries::WithObjectAces)?,
                form(FileEntries::WithoutObjectAces)?,
            ],
            rights: rights_on_files(container)?,
        })
    }

    /// The same, from the bytes that the directory has.
    ///
    /// # Errors
    /// `BadDirectory` when they cannot be used.
    pub(crate) fn of_bytes(container: &[u8]) -> GpoctlResult<Self> {
        SecurityDescriptor::parse(container)
            .and_then(|container| Self::of(&container))
            .map_err(unusable)
    }

    /// Whether it is what one of the two kinds of servers derives from the GPO.
    pub(crate) fn is_form(&self, file: &SecurityDescriptor) -> bool {
        self.forms.contains(&to_sddl(file))
    }

    /// What a descriptor of a file or folder grants that neither the GPO nor any of the others does: part of a sentence, or `None`.
    /// What a server derives from the GPO follows from it: those up to Samba 4.22 leave out what denies.
    pub(crate) fn beyond(
        &self,
        file: &SecurityDescriptor,
        others: &[SecurityDescriptor],
    ) -> Option<String> {
        if self.is_form(file) {
            return None;
        }
        let granted: Vec<&SecurityDescriptor> =
            std::iter::once(&self.rights).chain(others).collect();
        beyond(file, &granted)
    }
}

fn unusable(cause: InvalidSecurityDescriptor) -> Error {
    Error::new(
        ErrorKind::BadDirectory,
        "the security descriptor of the GPO cannot be used",
    )
    .with_source(cause)
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
    let mut rights = Vec::new();
    for container in before.into_iter().chain(after) {
        let container = SecurityDescriptor::parse(&container.0)?;
        if !matches!(container.dacl_state(), DaclState::List(_)) {
            // Everybody had every right already.
            return Ok(None);
        }
        rights.push(FileRights::of(&container)?);
    }
    if rights.iter().any(|it| it.is_form(&folder)) {
        return Ok(None);
    }
    let granted: Vec<&SecurityDescriptor> = rights.iter().map(|it| &it.rights).collect();
    Ok(beyond(&folder, &granted))
}

/// What a descriptor of a file or folder grants that none of the others does: part of a sentence, or `None`.
pub(crate) fn beyond(
    folder: &SecurityDescriptor,
    granted: &[&SecurityDescriptor],
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
    let known: Vec<&[Ace]> = granted
        .iter()
        .filter_map(|it| it.dacl.as_ref())
        .map(|dacl| dacl.aces.as_slice())
        .collect();
    let denials = combinations(&known);
    dacl.aces.iter().enumerate().find_map(|(at, ace)| {
        let who = ace.sid().map(|sid| format!("{sid}: ")).unwrap_or_default();
        let entry = || format!("the entry {who}{}", entry_text(ace));
        let before = dacl.aces.get(..at).unwrap_or_default();
        denials.iter().find_map(|denied| {
            grants_more(ace, before, &known, denied).then(|| match denied.as_slice() {
                [] => entry(),
                denied => {
                    let names: Vec<String> = denied.iter().map(ToString::to_string).collect();
                    format!(
                        "{} without one that denies {}",
                        entry(),
                        names.join(" and ")
                    )
                }
            })
        })
    })
}

/// The most combinations of entries that deny that are looked at. Real lists have none or a few; of longer ones, the first count.
const MAX_DENIALS: usize = 1_000;

/// Which accounts to ask about, beside that of an entry: what a list grants an account may be denied to one of its groups by one entry
/// of each of the other lists. The first is none of them.
fn combinations<'a>(lists: &[&'a [Ace]]) -> Vec<Vec<&'a Sid>> {
    let mut all: Vec<Vec<&Sid>> = vec![Vec::new()];
    for list in lists {
        let denied: BTreeSet<&Sid> = list
            .iter()
            .filter(|ace| denies(ace))
            .filter_map(Ace::sid)
            .collect();
        let more: Vec<Vec<&Sid>> = all
            .iter()
            .flat_map(|some| {
                denied.iter().filter(|sid| !some.contains(sid)).map(|sid| {
                    let mut some = some.clone();
                    some.push(*sid);
                    some
                })
            })
            .take(MAX_DENIALS.saturating_sub(all.len()))
            .collect();
        all.extend(more);
    }
    all
}

/// Whether an entry denies rights on the file itself.
fn denies(ace: &Ace) -> bool {
    ace.ace_type == ace_type::ACCESS_DENIED && ace.flags & ace_flag::INHERIT_ONLY == 0
}

fn is_administrator(sid: &Sid) -> bool {
    ADMINISTRATORS.contains(&sid.to_string().as_str())
}

/// Whether an entry allows an account what none of the other lists allow it: one with the SID of the entry and these. The entries before
/// it in its own list may deny it.
fn grants_more(ace: &Ace, before: &[Ace], known: &[&[Ace]], also: &[&Sid]) -> bool {
    if ace.denies() {
        return false;
    }
    let Some(rights) = ace.rights() else {
        return true;
    };
    if is_administrator(&rights.sid) {
        return false;
    }
    let is_own = |sid: &Sid| *sid == rights.sid || also.contains(&sid);
    // An entry for an object type grants nothing on a file, and Samba 4.25 stores none: what it allows does not make
    // the same without a type allowed.
    let counts = |it: &Ace| {
        it.ace_type == ace_type::ACCESS_ALLOWED
            || (it.ace_type == ace_type::ACCESS_ALLOWED_OBJECT && ace.ace_type == it.ace_type)
    };
    let granted = |list: &[Ace]| {
        let (mut granted, mut denied) = (0, 0);
        for (ace, rights) in list.iter().filter_map(|ace| Some((ace, ace.rights()?))) {
            let mask = file_rights(rights.mask);
            if is_own(&rights.sid) && denies(ace) {
                denied |= mask & !granted;
            } else if is_own(&rights.sid) && counts(ace) {
                granted |= mask & !denied;
            }
        }
        (granted, denied)
    };
    let (_, denied) = granted(before);
    let missing = file_rights(rights.mask) & !SYNCHRONIZE & !denied;
    known
        .iter()
        .fold(missing, |missing, list| missing & !granted(list).0)
        != 0
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
            let more = beyond(folder, &[granted]);
            assert_eq!(more.is_some(), is_more, "{folder:?} {granted:?}");
        }
    }

    #[test]
    fn what_is_denied_is_not_allowed() {
        let read = |entries: &str| from_sddl(&format!("O:BAG:BAD:P{entries}"), None).unwrap();
        let [allow, deny] = ["(A;OICI;0x1200a9;;;AU)", "(D;OICI;0x1200a9;;;BG)"];
        let both = format!("{deny}{allow}");
        let more = format!("(D;OICI;0x1200a9;;;AN){both}");
        let other = format!("(D;OICI;0x1200a9;;;AN){allow}");
        let last = format!("{allow}{deny}");
        let below = format!("(D;OICIIO;0x1200a9;;;BG){allow}");
        for (file, granted, is_more) in [
            (allow, vec![allow], false),
            (allow, vec![&both], true),
            (&both, vec![allow], false),
            (&both, vec![&both], false),
            (&both, vec![&more], true),
            (&more, vec![&both], false),
            // Either list grants it to the members of one group; who is in both is denied by both.
            (&both, vec![&other, &both], false),
            (allow, vec![&both, &other], true),
            (allow, vec![&both, allow], false),
            // The first entry decides, and one that is for what is below does not.
            (allow, vec![&last], false),
            (allow, vec![&below], false),
            (&last, vec![&both], true),
            // A right that nobody is denied.
            ("(A;OICI;0x100002;;;AU)", vec![&both], true),
        ] {
            let lists: Vec<SecurityDescriptor> = granted.iter().map(|it| read(it)).collect();
            let lists: Vec<&SecurityDescriptor> = lists.iter().collect();
            let more = beyond(&read(file), &lists);
            assert_eq!(more.is_some(), is_more, "{file} {granted:?}: {more:?}");
        }
    }
}
