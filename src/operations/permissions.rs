//! What a plan writes into security descriptors, in words: owner, group and every entry of a DACL, with what it adds to
//! what the target grants now.

use super::plan::{FileContent, GpoState, Plan, Step};
use crate::model::access::{APPLY_GROUP_POLICY, right};
use crate::model::directory_object::DirectoryObject;
use crate::model::guid::Guid;
use crate::model::sddl::condition_text;
use crate::model::security_descriptor::{
    Ace, AceRights, DaclState, SecurityDescriptor, ace_flag, ace_type,
};
use crate::model::sid::Sid;

/// Rights of a mask that are not among those of a directory object [MS-DTYP 2.4.3].
const WRITE_DACL: u32 = 0x0004_0000;
const WRITE_OWNER: u32 = 0x0008_0000;
const ACCESS_SYSTEM_SECURITY: u32 = 0x0100_0000;
const MAXIMUM_ALLOWED: u32 = 0x0200_0000;
const GENERIC_ALL: u32 = 0x1000_0000;
const GENERIC_EXECUTE: u32 = 0x2000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const GENERIC_READ: u32 = 0x8000_0000;
/// `RIGHT_DS_WRITE_PROPERTY_EXTENDED` [MS-ADTS 5.1.3.2]: validated writes.
const SELF: u32 = 0x8;
/// All rights on a directory object: what GENERIC_ALL stands for [MS-ADTS 5.1.3.2].
const EVERYTHING: u32 = 0x000F_01FF;
/// What GENERIC_WRITE stands for: READ_CONTROL, write property and validated write.
const WRITES: u32 = 0x0002_0028;
/// What GENERIC_READ stands for: READ_CONTROL, list, read property, list object.
const READS: u32 = 0x0002_0094;
/// "Edit settings, delete, modify security", as GPMC grants it.
const FULL: u32 = 0x000F_00FF;
/// "Edit settings" without the right to delete the GPO or to change its permissions, with or without validated writes.
const EDIT: [u32; 2] = [0x0002_00B7, 0x0002_00BF];

/// The rights that change something, or that lead to them.
const WRITE_LIKE: u32 = right::CREATE_CHILD
    | right::DELETE_CHILD
    | SELF
    | right::WRITE_PROPERTY
    | right::DELETE_TREE
    | right::DELETE
    | WRITE_DACL
    | WRITE_OWNER
    | ACCESS_SYSTEM_SECURITY
    | MAXIMUM_ALLOWED;

/// Each right and its name, as the security dialog of Windows has it.
const RIGHTS: &[(u32, &str)] = &[
    (GENERIC_ALL, "full control (GENERIC_ALL)"),
    (GENERIC_READ, "read (GENERIC_READ)"),
    (GENERIC_WRITE, "write (GENERIC_WRITE)"),
    (GENERIC_EXECUTE, "execute (GENERIC_EXECUTE)"),
    (MAXIMUM_ALLOWED, "MAXIMUM_ALLOWED"),
    (ACCESS_SYSTEM_SECURITY, "read and change auditing"),
    (WRITE_OWNER, "take ownership"),
    (WRITE_DACL, "change permissions"),
    (right::DELETE, "delete"),
    (right::DELETE_TREE, "delete subtree"),
    (right::CREATE_CHILD, "create child objects"),
    (right::DELETE_CHILD, "delete child objects"),
    (right::WRITE_PROPERTY, "write properties"),
    (SELF, "validated writes"),
    (right::CONTROL_ACCESS, "extended rights"),
    (right::READ_CONTROL, "read permissions"),
    (right::READ_PROPERTY, "read properties"),
    (0x4, "list contents"),
    (0x80, "list object"),
    (0x0010_0000, "synchronize"),
];

/// What a plan does to one security descriptor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PermissionChange {
    /// The RDNs of the object below the GPO; empty for the GPO itself.
    pub object: String,
    /// What changes, in the order of the descriptor; what goes comes first.
    pub lines: Vec<PermissionLine>,
}

/// One entry of a security descriptor, or its owner, group or inheritance.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PermissionLine {
    /// Whether it comes; otherwise it goes.
    pub added: bool,
    /// The principal, where it is about one.
    pub sid: Option<Sid>,
    /// What it says of the principal, or of all: `allow Edit settings`, `owner`.
    pub text: String,
    /// Whether somebody may do more afterwards than the target grants now.
    pub grants_more: bool,
}

/// A right to change a GPO or an object below it, for somebody who does not administer the domain.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OutsideGrant {
    /// The RDNs of the object below the GPO; empty for the GPO itself.
    pub object: String,
    /// Who gets it; `None` when everybody does, because there is no DACL, or nobody can tell.
    pub sid: Option<Sid>,
    /// What.
    pub text: String,
}

/// A descriptor that a plan writes, with the present one.
struct Written {
    object: String,
    old: Option<SecurityDescriptor>,
    new: SecurityDescriptor,
    /// Whether owner and group are written too: only of a GPO that is created.
    owner: bool,
}

/// What a plan changes in security descriptors: that of the GPO and those of the objects below it.
pub fn changes(plan: &Plan) -> Vec<PermissionChange> {
    written(plan)
        .into_iter()
        .map(|written| PermissionChange {
            lines: lines(&written),
            object: written.object,
        })
        .filter(|change| !change.lines.is_empty())
        .collect()
}

/// The rights to change something that a plan gives to accounts outside the administrators of the domain with this SID, and
/// that they do not have now: everything beyond reading and applying, and the ownership. Administrators are SYSTEM, the
/// built-in Administrators, Domain Admins, Enterprise Admins and CREATOR OWNER.
pub fn outside_grants(plan: &Plan, domain: &Sid) -> Vec<OutsideGrant> {
    outside_grants_beyond(plan, domain, None)
}

/// Of [`outside_grants`], those that the GPO did not have in an earlier state either: what only comes back is not among them.
pub fn outside_grants_beyond(
    plan: &Plan,
    domain: &Sid,
    earlier: Option<&GpoState>,
) -> Vec<OutsideGrant> {
    let mut found = Vec::new();
    for written in written(plan) {
        let earlier = earlier.and_then(|state| descriptor_in(state, &written.object));
        let earlier = earlier.as_ref();
        let grant = |sid: Option<&Sid>, text: String| OutsideGrant {
            object: written.object.clone(),
            sid: sid.cloned(),
            text,
        };
        if written.owner
            && let Some(owner) = &written.new.owner
            && !is_administrator(owner, domain)
            && earlier.is_none_or(|earlier| earlier.owner.as_ref() != Some(owner))
        {
            found.push(grant(Some(owner), "owner".to_owned()));
        }
        let DaclState::List(dacl) = written.new.dacl_state() else {
            if earlier.is_some_and(|it| !matches!(it.dacl_state(), DaclState::List(_))) {
                continue;
            }
            found.push(grant(
                None,
                "full control, because there is no DACL".to_owned(),
            ));
            continue;
        };
        for ace in &dacl.aces {
            let mut had = earlier
                .iter()
                .flat_map(|it| &it.dacl)
                .flat_map(|it| &it.aces);
            if had.any(|had| had == ace) {
                continue;
            }
            let Some(rights) = ace.rights() else {
                found.push(grant(None, ace_text(ace)));
                continue;
            };
            let named = object_type(rights);
            let mask = expand(rights.mask);
            // All extended rights at once are more than the one to apply the GPO.
            let extended = mask & right::CONTROL_ACCESS != 0 && named != Some(APPLY_GROUP_POLICY);
            if allows(ace)
                && (mask & WRITE_LIKE != 0 || extended)
                && !is_administrator(&rights.sid, domain)
                && !is_covered(ace, written.old.as_ref())
                && !is_covered(ace, earlier)
            {
                found.push(grant(Some(&rights.sid), ace_text(ace)));
            }
        }
    }
    found
}

fn is_administrator(sid: &Sid, domain: &Sid) -> bool {
    const EVERYWHERE: [&str; 3] = ["S-1-5-18", "S-1-5-32-544", "S-1-3-0"];
    EVERYWHERE.contains(&sid.to_string().as_str())
        || (sid.domain().as_ref() == Some(domain) && matches!(sid.rid(), Some(500 | 512 | 519)))
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

fn written(plan: &Plan) -> Vec<Written> {
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
        let same = |old: &&super::plan::ObjectState| {
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
    let list = |descriptor: Option<&SecurityDescriptor>| match descriptor.map(|it| it.dacl_state())
    {
        Some(DaclState::List(dacl)) => dacl.aces.clone(),
        _ => Vec::new(),
    };
    let (before, after) = (list(old), list(Some(new)));
    for ace in before.iter().filter(|ace| !after.contains(ace)) {
        line(false, ace.sid(), ace_text(ace), !allows(ace));
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
        let more = !denies(ace) && !is_covered(ace, old);
        line(true, ace.sid(), ace_text(ace), more);
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

/// Whether the principal of an entry has all of its rights already, on the same objects and without a condition.
fn is_covered(ace: &Ace, old: Option<&SecurityDescriptor>) -> bool {
    let Some(wanted) = ace.rights() else {
        return false;
    };
    let reach = |flags: u8| flags & !(ace_flag::INHERITED | ace_flag::OBJECT_INHERIT);
    let mut missing = expand(wanted.mask);
    for known in old
        .iter()
        .flat_map(|old| &old.dacl)
        .flat_map(|dacl| &dacl.aces)
    {
        let Some(rights) = known.rights() else {
            continue;
        };
        let unconditional = matches!(
            known.ace_type,
            ace_type::ACCESS_ALLOWED | ace_type::ACCESS_ALLOWED_OBJECT
        );
        let named = object_type(rights);
        let inherited = |rights: &AceRights| rights.object.and_then(|it| it.inherited_object_type);
        if unconditional
            && rights.sid == wanted.sid
            && reach(known.flags) == reach(ace.flags)
            && (named.is_none() || named == object_type(wanted))
            && (inherited(rights).is_none() || inherited(rights) == inherited(wanted))
        {
            missing &= !expand(rights.mask);
        }
    }
    missing == 0
}

fn object_type(rights: &AceRights) -> Option<Guid> {
    rights.object.and_then(|object| object.object_type)
}

fn allows(ace: &Ace) -> bool {
    matches!(ace.ace_type, 0x00 | 0x05 | 0x09 | 0x0B)
}

fn denies(ace: &Ace) -> bool {
    matches!(ace.ace_type, 0x01 | 0x06 | 0x0A | 0x0C)
}

/// Generic rights as what they stand for on directory objects.
fn expand(mask: u32) -> u32 {
    let mut all = mask & 0x03FF_FFFF;
    for (generic, rights) in [
        (GENERIC_ALL, EVERYTHING),
        (GENERIC_WRITE, WRITES),
        (GENERIC_READ, READS),
        (GENERIC_EXECUTE, 0x0002_0004),
    ] {
        if mask & generic != 0 {
            all |= rights;
        }
    }
    all
}

/// What an entry says: whether it allows or denies, which rights, about what, for which objects, and on which condition.
pub(super) fn ace_text(ace: &Ace) -> String {
    let Some(rights) = ace.rights() else {
        return format!("entry of the unknown type {}", ace.ace_type);
    };
    let mut text = if allows(ace) {
        "allow ".to_owned()
    } else if denies(ace) {
        "deny ".to_owned()
    } else {
        format!("entry of type {}: ", ace.ace_type)
    };
    text.push_str(&rights_text(rights));
    if let Some(class) = rights
        .object
        .and_then(|object| object.inherited_object_type)
    {
        text.push_str(&format!(", for objects of the class {class} only"));
    }
    let has = |flag: u8| ace.flags & flag != 0;
    let below = has(ace_flag::CONTAINER_INHERIT);
    text.push_str(match (below, has(ace_flag::INHERIT_ONLY)) {
        (true, true) => ", below it only",
        (true, false) => "",
        (false, true) => ", without effect",
        (false, false) => ", this object only",
    });
    if below && has(ace_flag::NO_PROPAGATE_INHERIT) {
        text.push_str(", one level down");
    }
    if has(ace_flag::INHERITED) {
        text.push_str(" (inherited)");
    }
    if matches!(ace.ace_type, 0x09..=0x0C) {
        let condition = condition_text(rights);
        let condition = condition.as_deref().unwrap_or("that cannot be read");
        text.push_str(&format!(", only if {condition}"));
    }
    text
}

fn rights_text(rights: &AceRights) -> String {
    let object = object_type(rights);
    if rights.mask == right::CONTROL_ACCESS && object == Some(APPLY_GROUP_POLICY) {
        return "Apply Group Policy".to_owned();
    }
    if object.is_none() {
        match rights.mask {
            FULL => return "Edit settings, delete, modify security".to_owned(),
            mask if EDIT.contains(&mask) => return "Edit settings".to_owned(),
            READS => return "Read".to_owned(),
            EVERYTHING => return "full control".to_owned(),
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
