//! Permissions granted by a security descriptor, under the names that GPMC uses.

use super::guid::Guid;
use super::security_descriptor::{Ace, AceRights, ace_flag, ace_type};
use super::sid::Sid;

/// The kind of object that a descriptor protects, which decides how GPMC names the permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecuredObject {
    /// The groupPolicyContainer.
    Gpo,
    /// A file or folder.
    File,
    /// A registry key.
    RegistryKey,
}

/// `edacfd8f-ffb3-11d1-b41d-00a0c968f939`: the extended right to apply a GPO [MS-GPOL 2.2.4].
const APPLY: &str = "{EDACFD8F-FFB3-11D1-B41D-00A0C968F939}";
/// DELETE, WRITE_DAC and WRITE_OWNER [MS-DTYP 2.4.3].
const MODIFY_SECURITY: u32 = 0x000D_0000;
/// RIGHT_DS_WRITE_PROPERTY, _CREATE_CHILD and _DELETE_CHILD [MS-ADTS 5.1.3.2].
const EDIT: u32 = 0x0000_0023;
/// RIGHT_DS_READ_PROPERTY.
const READ: u32 = 0x0000_0010;
/// SYNCHRONIZE [MS-DTYP 2.4.3], which GPMC ignores.
pub const SYNCHRONIZE: u32 = 0x0010_0000;
/// RIGHT_DS_CONTROL_ACCESS.
const CONTROL_ACCESS: u32 = 0x0000_0100;

/// The permissions that one principal is granted or denied, combined from several entries of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant<'a> {
    /// The principal.
    pub sid: &'a Sid,
    /// Whether it is denied.
    pub denied: bool,
    /// The combined flags of the entries [MS-DTYP 2.4.4.1].
    pub flags: u8,
    /// The combined rights of the entries [MS-DTYP 2.4.3].
    pub mask: u32,
    /// Whether the right to apply the GPO is among them.
    pub apply: bool,
}

/// The grants of a list, in order. For a GPO the entries of one principal are combined into one grant, and those that
/// apply only to child objects into another; for files and registry keys each entry is a grant of its own.
pub fn grants(aces: &[Ace], what: SecuredObject) -> Vec<Grant<'_>> {
    let mut found: Vec<Grant<'_>> = Vec::new();
    for ace in aces {
        let denied = match ace.ace_type {
            ace_type::ACCESS_ALLOWED | ace_type::ACCESS_ALLOWED_OBJECT => false,
            ace_type::ACCESS_DENIED | ace_type::ACCESS_DENIED_OBJECT => true,
            _ => continue,
        };
        let Some(rights) = ace.rights() else { continue };
        let apply = is_apply(rights);
        let below_only = ace.flags & ace_flag::INHERIT_ONLY != 0;
        let known = found.iter_mut().find(|known| {
            known.sid == &rights.sid && known.denied == denied && known.below_only() == below_only
        });
        match known {
            Some(known) if what == SecuredObject::Gpo => {
                known.mask |= rights.mask;
                known.apply |= apply;
                known.flags |= ace.flags;
            }
            _ => found.push(Grant {
                sid: &rights.sid,
                denied,
                flags: ace.flags,
                mask: rights.mask,
                apply,
            }),
        }
    }
    found
}

/// Whether an entry contains the right to apply the GPO: this extended right, or all extended rights.
fn is_apply(rights: &AceRights) -> bool {
    let object = rights.object.as_ref().and_then(|object| object.object_type);
    let is_named = object.is_some_and(|guid| APPLY.parse::<Guid>() == Ok(guid));
    rights.mask & CONTROL_ACCESS != 0 && (is_named || object.is_none())
}

impl Grant<'_> {
    /// Whether the grant applies only to child objects, not to the object itself.
    pub fn below_only(&self) -> bool {
        self.flags & ace_flag::INHERIT_ONLY != 0
    }

    /// The names of the granted permissions in GPMC; at least one.
    pub fn levels(&self, what: SecuredObject) -> Vec<&'static str> {
        match what {
            SecuredObject::Gpo => {
                let has = |mask: u32| self.mask & mask == mask;
                let level = if has(MODIFY_SECURITY | EDIT) {
                    Some("Edit, delete, modify security")
                } else if has(EDIT) {
                    Some("Edit settings")
                } else if has(READ) && !self.apply {
                    Some("Read")
                } else {
                    None
                };
                let apply = self.apply.then_some("Apply Group Policy");
                let levels: Vec<_> = level.into_iter().chain(apply).collect();
                if levels.is_empty() {
                    vec!["Custom"]
                } else {
                    levels
                }
            }
            SecuredObject::File => vec![match self.mask {
                0x001F_01FF => "Full Control",
                0x0012_00A9 => "Read and Execute",
                _ => "Custom",
            }],
            SecuredObject::RegistryKey => vec![match self.mask {
                0x000F_003F => "Full Control",
                0x0002_0019 => "Read",
                _ => "Custom",
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sddl::from_sddl;

    #[test]
    fn permissions_for_child_objects_are_a_separate_grant() {
        let sddl = "D:(A;;RPLC;;;AU)(A;CIIO;GA;;;AU)(A;CI;WPCCDC;;;AU)(A;CIIO;GA;;;CO)";
        let dacl = from_sddl(sddl, None).unwrap().dacl.unwrap();
        let found: Vec<_> = grants(&dacl.aces, SecuredObject::Gpo)
            .iter()
            .map(|grant| {
                let levels = grant.levels(SecuredObject::Gpo);
                (grant.sid.to_string(), grant.below_only(), levels)
            })
            .collect();
        let of = |sid: &str, below, level| (sid.to_owned(), below, vec![level]);
        assert_eq!(
            found,
            [
                of("S-1-5-11", false, "Edit settings"),
                of("S-1-5-11", true, "Custom"),
                of("S-1-3-0", true, "Custom"),
            ]
        );
    }
}
