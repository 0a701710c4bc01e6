//! Descriptors of new and of changed objects: what the schema gives, what the writer gives, what the parent hands down
//! [MS-DTYP 2.5.3.4].

use super::access::{Login, part};
use super::schema::{Class, SCHEMA};
use crate::model::guid::Guid;
use crate::model::security_descriptor::{Ace, Acl, SecurityDescriptor, ace_flag, control};
use crate::model::sid::Sid;

const CREATOR_OWNER: &str = "S-1-3-0";
const CREATOR_GROUP: &str = "S-1-3-1";
/// Generic rights, and the directory rights they stand for [MS-ADTS 5.1.3.2]: all, read, write.
const GENERIC: [(u32, u32); 3] = [
    (0x1000_0000, 0x000F_01FF),
    (0x8000_0000, 0x0002_0094),
    (0x4000_0000, 0x0002_0028),
];

/// The descriptor of a new object. `given` is what the writer gave, of which only the DACL counts here; without it the
/// schema's default is used.
pub(super) fn of_new(
    class: &Class,
    given: Option<&SecurityDescriptor>,
    default: &SecurityDescriptor,
    parent: Option<&SecurityDescriptor>,
    owner: &Sid,
    group: &Sid,
) -> SecurityDescriptor {
    let source = given.unwrap_or(default);
    let mut new = SecurityDescriptor::new();
    new.owner = Some(source.owner.clone().unwrap_or_else(|| owner.clone()));
    new.group = Some(source.group.clone().unwrap_or_else(|| group.clone()));
    set_dacl(&mut new, source, parent, class);
    new
}

/// Puts parts of a descriptor in the place of those of another, and works out what is inherited anew.
pub(super) fn replace(
    old: &SecurityDescriptor,
    new: &SecurityDescriptor,
    parts: u32,
    parent: Option<&SecurityDescriptor>,
    class: &Class,
) -> SecurityDescriptor {
    let mut changed = old.clone();
    if parts & part::OWNER != 0 && new.owner.is_some() {
        changed.owner.clone_from(&new.owner);
    }
    if parts & part::GROUP != 0 && new.group.is_some() {
        changed.group.clone_from(&new.group);
    }
    if parts & part::DACL != 0 {
        set_dacl(&mut changed, new, parent, class);
    }
    changed
}

/// Works out what is inherited anew, after the parent has changed.
pub(super) fn inherit_again(
    old: &SecurityDescriptor,
    parent: &SecurityDescriptor,
    class: &Class,
) -> SecurityDescriptor {
    let mut changed = old.clone();
    set_dacl(&mut changed, old, Some(parent), class);
    changed
}

/// The parts of a descriptor that a reader asked for.
pub(super) fn only(descriptor: &SecurityDescriptor, parts: u32) -> SecurityDescriptor {
    let mut only = descriptor.clone();
    if parts & part::OWNER == 0 {
        only.owner = None;
    }
    if parts & part::GROUP == 0 {
        only.group = None;
    }
    if parts & part::DACL == 0 {
        only.dacl = None;
        only.control &=
            !(control::DACL_PRESENT | control::DACL_PROTECTED | control::DACL_AUTO_INHERITED);
    }
    only
}

/// Owner and group of what an account makes: Domain Admins for a member of them, else the account and its primary group.
pub(super) fn owner_and_group(login: &Login, domain: &Sid) -> (Sid, Sid) {
    let admins = domain.with_rid(512);
    let users = domain.with_rid(513);
    match login.sids.first() {
        _ if login.sids.contains(&admins) => (admins.clone(), admins),
        Some(account) => (account.clone(), users),
        None => (admins.clone(), admins),
    }
}

/// Gives `to` the explicit entries of the DACL of `source`, and what `parent` hands down unless the DACL is protected.
fn set_dacl(
    to: &mut SecurityDescriptor,
    source: &SecurityDescriptor,
    parent: Option<&SecurityDescriptor>,
    class: &Class,
) {
    let is_protected = source.control & control::DACL_PROTECTED != 0;
    let owner = to.owner.clone();
    let group = to.group.clone();
    let own = |ace: &Ace| is_protected || ace.flags & ace_flag::INHERITED == 0;
    let mut aces: Vec<Ace> = Vec::new();
    for ace in source.dacl.iter().flat_map(|dacl| &dacl.aces) {
        if own(ace) {
            let mut ace = ace.clone();
            if is_protected {
                ace.flags &= !ace_flag::INHERITED;
            }
            push(&mut aces, ace, owner.as_ref(), group.as_ref());
        }
    }
    to.control &=
        !(control::DACL_PROTECTED | control::DACL_AUTO_INHERITED | control::DACL_AUTO_INHERIT_REQ);
    to.control |= control::DACL_PRESENT;
    if is_protected {
        to.control |= control::DACL_PROTECTED;
    } else if let Some(parent) = parent {
        to.control |= control::DACL_AUTO_INHERITED;
        let class = SCHEMA.class_guid(class.name);
        for ace in parent.dacl.iter().flat_map(|dacl| &dacl.aces) {
            if let Some(ace) = handed_down(ace, class) {
                push(&mut aces, ace, owner.as_ref(), group.as_ref());
            }
        }
    }
    to.dacl = Some(Acl::new(aces));
}

/// The entry that an object of this class inherits from an entry of its parent, if it inherits it at all.
fn handed_down(ace: &Ace, class: Option<Guid>) -> Option<Ace> {
    if ace.flags & ace_flag::CONTAINER_INHERIT == 0 {
        return None;
    }
    let mut ace = ace.clone();
    let rights = ace.rights()?;
    let inherited_type = rights
        .object
        .and_then(|object| object.inherited_object_type);
    let applies = inherited_type.is_none() || inherited_type == class;
    let passes_on = ace.flags & ace_flag::NO_PROPAGATE_INHERIT == 0;
    if !applies && !passes_on {
        return None;
    }
    ace.flags &= !ace_flag::INHERIT_ONLY;
    if !passes_on {
        ace.flags &= !(ace_flag::CONTAINER_INHERIT
            | ace_flag::OBJECT_INHERIT
            | ace_flag::NO_PROPAGATE_INHERIT);
    }
    if !applies {
        ace.flags |= ace_flag::INHERIT_ONLY;
    }
    ace.flags |= ace_flag::INHERITED;
    Some(ace)
}

/// Adds an entry. One for the creator that containers inherit becomes two: one that works here, for who the creator is, and
/// one that is only handed down.
fn push(aces: &mut Vec<Ace>, mut ace: Ace, owner: Option<&Sid>, group: Option<&Sid>) {
    if ace.flags & ace_flag::INHERIT_ONLY != 0 {
        aces.push(ace);
        return;
    }
    let placeholder = ace.sid().map(ToString::to_string).unwrap_or_default();
    let real = match placeholder.as_str() {
        CREATOR_OWNER => owner,
        CREATOR_GROUP => group,
        _ => None,
    };
    let mut here = ace.clone();
    if let Some(rights) = here.rights_mut() {
        for (generic, specific) in GENERIC {
            if rights.mask & generic != 0 {
                rights.mask = rights.mask & !generic | specific;
            }
        }
        if let Some(real) = real {
            rights.sid = real.clone();
        }
    }
    if real.is_some() {
        here.flags &= !(ace_flag::CONTAINER_INHERIT | ace_flag::OBJECT_INHERIT);
        if ace.flags & ace_flag::CONTAINER_INHERIT != 0 {
            ace.flags |= ace_flag::INHERIT_ONLY;
            // In the order in which Samba writes them.
            match ace.flags & ace_flag::INHERITED {
                0 => aces.extend([ace, here]),
                _ => aces.extend([here, ace]),
            }
            return;
        }
    }
    aces.push(here);
}
