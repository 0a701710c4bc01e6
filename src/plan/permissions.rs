//! What a plan writes into security descriptors, in words: owner, group and every entry of a DACL, and which of them grant more
//! than the target does now.

use crate::model::access::{APPLY_GROUP_POLICY, Administrators};
use crate::model::access_gain::{Gain, gains};
use crate::model::access_mask::{directory, file, standard};
use crate::model::directory_object::DirectoryObject;
use crate::model::guid::Guid;
use crate::model::sddl::condition_text;
use crate::model::security_descriptor::{
    Ace, AceRights, DaclState, FileEntries, SecurityDescriptor, ace_flag, file_descriptor,
};
use crate::model::sid::Sid;
use crate::plan::gpo::{FileContent, GpoPlan, GpoState, Step};

/// "Edit settings" without the right to delete the GPO or to change its permissions, with or without validated writes.
const EDIT: [u32; 2] = [EDIT_SETTINGS, EDIT_SETTINGS | directory::VALIDATED_WRITE];
const EDIT_SETTINGS: u32 =
    directory::READ | directory::WRITE_PROPERTY | directory::CREATE_CHILD | directory::DELETE_CHILD;

/// The rights that change something, or that lead to them.
const WRITE_LIKE: u32 = directory::CREATE_CHILD
    | directory::DELETE_CHILD
    | directory::VALIDATED_WRITE
    | directory::WRITE_PROPERTY
    | directory::DELETE_TREE
    | standard::DELETE
    | standard::WRITE_DACL
    | standard::WRITE_OWNER
    | standard::ACCESS_SYSTEM_SECURITY
    | standard::MAXIMUM_ALLOWED;

/// Each right and its name in the security dialog of Windows.
const RIGHTS: &[(u32, &str)] = &[
    (standard::GENERIC_ALL, "full control (GENERIC_ALL)"),
    (standard::GENERIC_READ, "read (GENERIC_READ)"),
    (standard::GENERIC_WRITE, "write (GENERIC_WRITE)"),
    (standard::GENERIC_EXECUTE, "execute (GENERIC_EXECUTE)"),
    (standard::MAXIMUM_ALLOWED, "MAXIMUM_ALLOWED"),
    (standard::ACCESS_SYSTEM_SECURITY, "read and change auditing"),
    (standard::WRITE_OWNER, "take ownership"),
    (standard::WRITE_DACL, "change permissions"),
    (standard::DELETE, "delete"),
    (directory::DELETE_TREE, "delete subtree"),
    (directory::CREATE_CHILD, "create child objects"),
    (directory::DELETE_CHILD, "delete child objects"),
    (directory::WRITE_PROPERTY, "write properties"),
    (directory::VALIDATED_WRITE, "validated writes"),
    (directory::CONTROL_ACCESS, "extended rights"),
    (standard::READ_CONTROL, "read permissions"),
    (directory::READ_PROPERTY, "read properties"),
    (directory::LIST_CONTENTS, "list contents"),
    (directory::LIST_OBJECT, "list object"),
    (standard::SYNCHRONIZE, "synchronize"),
];

/// What a plan changes in one security descriptor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct PermissionChange {
    /// The RDNs of the object below the GPO; empty for the GPO itself.
    pub object: String,
    /// The changes, in the order of the descriptor; removed entries first.
    pub lines: Vec<PermissionLine>,
}

/// One entry of a security descriptor, or its owner, group or inheritance.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct PermissionLine {
    /// Whether it is added; otherwise it is removed.
    pub added: bool,
    /// The principal, where it is about one.
    pub sid: Option<Sid>,
    /// Its description: `allow Edit settings`, `owner`.
    pub text: String,
    /// Whether somebody gains rights over those that the target grants now.
    pub grants_more: bool,
}

/// A right to change a GPO or an object below it, for somebody who does not administer the domain.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct OutsideGrant {
    /// The RDNs of the object below the GPO; empty for the GPO itself.
    pub object: String,
    /// Who gets it; `None` for everybody, when there is no DACL or it cannot be determined.
    pub sid: Option<Sid>,
    /// The right.
    pub text: String,
    /// Whose denial blocks the account now, when the entry that grants the right is not new.
    pub denied_now: Option<Sid>,
}

/// A descriptor that a plan writes, and the present one.
struct Written {
    object: String,
    old: Option<SecurityDescriptor>,
    new: SecurityDescriptor,
    /// Whether owner and group are written too: only for a GPO that is created.
    owner: bool,
}

/// The changes of security descriptors in a plan: that of the GPO and those of the objects below it.
pub fn changes(plan: &GpoPlan) -> Vec<PermissionChange> {
    written(plan)
        .into_iter()
        .map(|written| PermissionChange {
            lines: lines(&written),
            object: written.object,
        })
        .filter(|change| !change.lines.is_empty())
        .collect()
}

/// The rights to change something that accounts outside the administrators get from the descriptors of a plan and do not have
/// now: by a new entry, a removed denial or another order. Reading and applying are not included; ownership is.
pub fn outside_grants(plan: &GpoPlan, administrators: Administrators<'_>) -> Vec<OutsideGrant> {
    outside_grants_beyond(plan, administrators, None)
}

/// Those of [`outside_grants`] that exceed an earlier state of the GPO too: rights that are only restored are not included.
pub fn outside_grants_beyond(
    plan: &GpoPlan,
    administrators: Administrators<'_>,
    earlier: Option<&GpoState>,
) -> Vec<OutsideGrant> {
    let mut found = Vec::new();
    for written in written(plan) {
        let mut gained = outside_grants_of(&written, written.old.as_ref(), administrators);
        if let Some(earlier) = earlier.and_then(|state| descriptor_in(state, &written.object)) {
            let never = outside_grants_of(&written, Some(&earlier), administrators);
            gained.retain(|grant| {
                never.iter().any(|it| match &grant.sid {
                    Some(sid) => it.sid.as_ref() == Some(sid),
                    None => it.sid.is_none() && it.text == grant.text,
                })
            });
        }
        found.extend(gained);
    }
    found
}

/// What a descriptor grants to accounts outside the administrators that an old one does not.
fn outside_grants_of(
    written: &Written,
    old: Option<&SecurityDescriptor>,
    administrators: Administrators<'_>,
) -> Vec<OutsideGrant> {
    let grant = |sid: Option<&Sid>, text: String, denied_now: Option<&Sid>| OutsideGrant {
        object: written.object.clone(),
        sid: sid.cloned(),
        text,
        denied_now: denied_now.cloned(),
    };
    let mut found = Vec::new();
    let owner = match written.owner {
        true => written.new.owner.as_ref(),
        false => written.old.as_ref().and_then(|old| old.owner.as_ref()),
    };
    let is_owned_inside = owner.is_some_and(|owner| administrators.contain(owner));
    let with_owner = |it: &SecurityDescriptor| without_future_owners(it, is_owned_inside);
    let (old, new) = (old.map(with_owner), with_owner(&written.new));
    let (old, new) = (old.as_ref(), &new);
    let is_outside = |sid: &Sid| match is_creator_owner(sid) {
        true => !is_owned_inside,
        false => !administrators.contain(sid),
    };
    if written.owner
        && let Some(owner) = new.owner.as_ref().filter(|owner| is_outside(owner))
        && old.is_none_or(|old| old.owner.as_ref() != Some(owner))
    {
        found.push(grant(Some(owner), "owner".to_owned(), None));
    }
    let is_list = |it: &SecurityDescriptor| matches!(it.dacl_state(), DaclState::List(_));
    if !is_list(new) {
        if old.is_none_or(is_list) {
            let text = "full control, because there is no DACL";
            found.push(grant(None, text.to_owned(), None));
        }
        return found;
    }
    let (before, after) = (aces(old), aces(Some(new)));
    let is_unknown = |ace: &&Ace| ace.rights().is_none();
    for ace in after.iter().filter(|ace| !before.contains(ace)) {
        if is_unknown(&ace) {
            found.push(grant(None, ace_text(ace), None));
        }
    }
    for ace in before.iter().filter(|ace| !after.contains(ace)) {
        if is_unknown(&ace) {
            found.push(grant(None, format!("no more {}", ace_text(ace)), None));
        }
    }
    let mut shown: Vec<&Ace> = Vec::new();
    for gain in gains(old, new, is_outside, changing) {
        if before.contains(gain.ace) {
            found.push(grant(Some(gain.sid), freed_text(&gain), gain.denied));
        } else if !shown.contains(&gain.ace) {
            shown.push(gain.ace);
            let text = ace_text(gain.ace);
            found.push(match owner.filter(|_| is_creator_owner(gain.sid)) {
                Some(owner) => grant(Some(owner), format!("{text}, as the owner"), None),
                None => grant(Some(gain.sid), text, None),
            });
        }
    }
    // The owner may change permissions unless entries for OWNER RIGHTS restrict this [MS-DTYP 2.5.3.2].
    let limits_owner = |aces: &[Ace]| {
        aces.iter().any(|ace| {
            ace.flags & ace_flag::INHERIT_ONLY == 0
                && ace.sid().is_some_and(|sid| sid.to_string() == OWNER_RIGHTS)
        })
    };
    if !written.owner
        && limits_owner(&before)
        && !limits_owner(&after)
        && let Some(owner) = old.and_then(|old| old.owner.as_ref())
        && is_outside(owner)
    {
        let text = "change permissions as the owner, who is no longer limited by OWNER RIGHTS";
        found.push(grant(Some(owner), text.to_owned(), None));
    }
    if written.object.is_empty() {
        for sid in writers_of_files(old, new, is_outside) {
            let sid = match owner.filter(|_| is_creator_owner(&sid)) {
                Some(owner) => owner.clone(),
                None => sid,
            };
            if !found.iter().any(|it| it.sid.as_ref() == Some(&sid)) {
                let text = "write to the files of the GPO on SYSVOL";
                found.push(grant(Some(&sid), text.to_owned(), None));
            }
        }
    }
    if old.is_some_and(SecurityDescriptor::is_dacl_protected) && !new.is_dacl_protected() {
        let text = "whatever the permissions of the parent grant, which are inherited then";
        found.push(grant(None, text.to_owned(), None));
    }
    found
}

const CREATOR_OWNER: &str = "S-1-3-0";
const OWNER_RIGHTS: &str = "S-1-3-4";

fn is_creator_owner(sid: &Sid) -> bool {
    sid.to_string() == CREATOR_OWNER
}

/// A descriptor without what only owners of objects created later get by CREATOR OWNER, each of whom may change permissions
/// anyway; and, if the owner administers the domain, without what OWNER RIGHTS grant on this object alone. What is left for CREATOR OWNER, a
/// server gives to the present owner [MS-DTYP 2.5.3.4.4].
fn without_future_owners(
    descriptor: &SecurityDescriptor,
    is_owned_inside: bool,
) -> SecurityDescriptor {
    let mut descriptor = descriptor.clone();
    if let Some(dacl) = &mut descriptor.dacl {
        dacl.aces.retain(|ace| {
            let has = |flag: u8| ace.flags & flag != 0;
            let sid = ace.sid().map(ToString::to_string);
            match sid.as_deref() {
                Some(CREATOR_OWNER) => !has(ace_flag::INHERIT_ONLY),
                Some(OWNER_RIGHTS) if ace.allows() => {
                    !is_owned_inside || has(ace_flag::CONTAINER_INHERIT)
                }
                _ => true,
            }
        });
    }
    descriptor
}

/// The rights that change a file or a folder, or lead to them.
const WRITE_FILES: u32 = file::WRITE_DATA
    | file::APPEND_DATA
    | file::WRITE_EA
    | file::WRITE_ATTRIBUTES
    | file::DELETE_CHILD
    | standard::DELETE
    | standard::WRITE_DACL
    | standard::WRITE_OWNER;

/// Who gains a right to change the files of a GPO when its descriptor replaces another one. Their entries follow from those of the
/// GPO, but a server keeps either no denials or none with an object type, and every entry is inherited: an account may write to the
/// files that the entries of the GPO deny everything.
fn writers_of_files(
    old: Option<&SecurityDescriptor>,
    new: &SecurityDescriptor,
    counts: impl Fn(&Sid) -> bool + Copy,
) -> Vec<Sid> {
    let mut found: Vec<Sid> = Vec::new();
    for entries in [FileEntries::WithObjectAces, FileEntries::WithoutObjectAces] {
        let of_files = |it: &SecurityDescriptor| {
            let derived = file_descriptor(it, entries).ok()?;
            Some(derived.descriptor)
        };
        let Some(after) = of_files(new) else { continue };
        let before = old.and_then(of_files);
        for gain in gains(before.as_ref(), &after, counts, |_| WRITE_FILES) {
            if !found.contains(gain.sid) {
                found.push(gain.sid.clone());
            }
        }
    }
    found
}

/// The rights on these object types that change something. All extended rights at once are more than the one to apply the
/// GPO.
fn changing(types: [Option<Guid>; 2]) -> u32 {
    if types.contains(&Some(APPLY_GROUP_POLICY)) {
        WRITE_LIKE
    } else {
        WRITE_LIKE | directory::CONTROL_ACCESS
    }
}

/// The rights that an existing entry grants once a denial is removed.
fn freed_text(gain: &Gain<'_>) -> String {
    match gain.ace.rights() {
        Some(rights) => {
            let freed = AceRights {
                mask: gain.mask,
                ..rights.clone()
            };
            format!("allow {}", rights_text(&freed))
        }
        None => ace_text(gain.ace),
    }
}

/// The entries of a DACL; none when it does not exist.
fn aces(descriptor: Option<&SecurityDescriptor>) -> Vec<Ace> {
    match descriptor.map(SecurityDescriptor::dacl_state) {
        Some(DaclState::List(dacl)) => dacl.aces.clone(),
        _ => Vec::new(),
    }
}

/// The descriptor of the GPO in a state, or of the object below it with these RDNs.
fn descriptor_in(state: &GpoState, object: &str) -> Option<SecurityDescriptor> {
    let bytes = match object {
        "" => state.descriptor.as_ref(),
        _ => {
            let mut objects = state.objects.iter();
            objects
                .find(|it| it.rdns.join(",").eq_ignore_ascii_case(object))?
                .descriptor
                .as_ref()
        }
    };
    SecurityDescriptor::parse(&bytes?.0).ok()
}

fn written(plan: &GpoPlan) -> Vec<Written> {
    let parse = |bytes: &[u8]| SecurityDescriptor::parse(bytes).ok();
    let basis = plan.basis.as_ref();
    let mut found = Vec::new();
    for step in &plan.steps {
        let Step::SetSecurityDescriptor { descriptor, .. } = step else {
            continue;
        };
        let old: Option<&FileContent> = basis.and_then(|basis| basis.descriptor.as_ref());
        found.extend(parse(&descriptor.0).map(|new| Written {
            object: String::new(),
            old: old.and_then(|old| parse(&old.0)),
            new,
            owner: plan.target.create,
        }));
    }
    for object in &plan.directory_objects {
        let Some(new) = object.security_descriptor.as_deref().and_then(parse) else {
            continue;
        };
        let same = |old: &&crate::plan::gpo::ObjectState| {
            let old = DirectoryObject {
                rdns: old.rdns.clone(),
                ..DirectoryObject::default()
            };
            old.key() == object.key()
        };
        let old = basis.and_then(|basis| basis.objects.iter().find(same));
        let old = old.and_then(|old| parse(&old.descriptor.as_ref()?.0));
        found.push(Written {
            object: object.rdns.join(","),
            old,
            new,
            owner: false,
        });
    }
    found
}

fn lines(written: &Written) -> Vec<PermissionLine> {
    let (old, new) = (written.old.as_ref(), &written.new);
    let mut lines = Vec::new();
    let mut line = |added, sid: Option<&Sid>, text: String, grants_more| {
        lines.push(PermissionLine {
            added,
            sid: sid.cloned(),
            text,
            grants_more,
        });
    };
    if written.owner {
        for (what, sid, more) in [("owner", &new.owner, true), ("group", &new.group, false)] {
            if let Some(sid) = sid {
                line(true, Some(sid), what.to_owned(), more);
            }
        }
    }
    let (before, after) = (aces(old), aces(Some(new)));
    let gained = gains(old, new, |_| true, |_| u32::MAX);
    let writers = match written.object.as_str() {
        "" => writers_of_files(old, new, |_| true),
        _ => Vec::new(),
    };
    for ace in before.iter().filter(|ace| !after.contains(ace)) {
        line(false, ace.sid(), ace_text(ace), !ace.allows());
    }
    if !matches!(new.dacl_state(), DaclState::List(_)) {
        line(
            true,
            None,
            "no DACL: everybody has full control".to_owned(),
            true,
        );
    }
    for ace in after.iter().filter(|ace| !before.contains(ace)) {
        let more = match ace.rights() {
            Some(rights) => {
                gained.iter().any(|gain| gain.ace == ace)
                    || (ace.allows() && writers.contains(&rights.sid))
            }
            None => true,
        };
        line(true, ace.sid(), ace_text(ace), more);
    }
    let common = |list: &[Ace], other: &[Ace]| -> Vec<Ace> {
        let common = list.iter().filter(|ace| other.contains(ace));
        common.cloned().collect()
    };
    if common(&before, &after) != common(&after, &before) {
        let more = gained.iter().any(|gain| before.contains(gain.ace));
        line(
            true,
            None,
            "the entries are in another order".to_owned(),
            more,
        );
    }
    let protected = old.is_some_and(SecurityDescriptor::is_dacl_protected);
    if new.is_dacl_protected() != protected {
        let text = if new.is_dacl_protected() {
            "inherits no permissions from the parent"
        } else {
            "inherits permissions from the parent"
        };
        line(true, None, text.to_owned(), !new.is_dacl_protected());
    }
    lines
}

/// The description of an entry: allowed or denied, rights, object types, inheritance, condition.
pub(crate) fn ace_text(ace: &Ace) -> String {
    let Some(rights) = ace.rights() else {
        return format!("entry of the unknown type {}", ace.ace_type);
    };
    let mut text = if ace.allows() {
        "allow ".to_owned()
    } else if ace.denies() {
        "deny ".to_owned()
    } else {
        format!("entry of type {}: ", ace.ace_type)
    };
    text.push_str(&rights_text(rights));
    if let Some(class) = rights.inherited_object_type() {
        text.push_str(&format!(", for objects of the class {class} only"));
    }
    let has = |flag: u8| ace.flags & flag != 0;
    let below = has(ace_flag::CONTAINER_INHERIT);
    text.push_str(match (below, has(ace_flag::INHERIT_ONLY)) {
        (true, true) => ", below it only",
        (true, false) => "",
        (false, true) => ", without effect in the directory",
        (false, false) => ", this object only",
    });
    if below && has(ace_flag::NO_PROPAGATE_INHERIT) {
        text.push_str(", one level down");
    }
    if has(ace_flag::INHERITED) {
        text.push_str(" (inherited)");
    }
    if ace.sid().is_some_and(is_creator_owner) && !has(ace_flag::INHERIT_ONLY) {
        text.push_str(", which the server gives to the present owner");
    }
    if ace.is_callback() {
        let condition = condition_text(rights);
        let condition = condition.as_deref().unwrap_or("that cannot be read");
        text.push_str(&format!(", only if {condition}"));
    }
    text
}

fn rights_text(rights: &AceRights) -> String {
    let object = rights.object_type();
    if rights.mask == directory::CONTROL_ACCESS && object == Some(APPLY_GROUP_POLICY) {
        return "Apply Group Policy".to_owned();
    }
    if object.is_none() {
        match rights.mask {
            directory::EDIT_DELETE_MODIFY_SECURITY => {
                return "Edit settings, delete, modify security".to_owned();
            }
            mask if EDIT.contains(&mask) => return "Edit settings".to_owned(),
            directory::READ => return "Read".to_owned(),
            directory::ALL => return "full control".to_owned(),
            _ => {}
        }
    }
    let mut names: Vec<String> = Vec::new();
    let mut left = rights.mask;
    for (bit, name) in RIGHTS {
        if rights.mask & bit != 0 {
            names.push((*name).to_owned());
            left &= !bit;
        }
    }
    if left != 0 {
        names.push(format!("{left:#x}"));
    }
    let about = match object {
        Some(APPLY_GROUP_POLICY) => " (Apply Group Policy)".to_owned(),
        Some(guid) => format!(" of {guid}"),
        None => String::new(),
    };
    match names.as_slice() {
        [] => "no rights".to_owned(),
        names => format!("{}{about}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
