//! Permissions granted by a security descriptor, under the names that GPMC uses.

use super::access::APPLY_GROUP_POLICY;
use super::access_mask::{directory, file, standard};
use super::security_descriptor::{Ace, AceRights, ace_flag, ace_type};
use super::sid::Sid;

/// The kind of object that a descriptor protects, which decides how GPMC names the permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecuredObject {
    /// The groupPolicyContainer.
    Gpo,
    /// A file or folder.
    File,
    /// A registry key.
    RegistryKey,
}

/// To delete the GPO, to change its permissions, to take its ownership.
const MODIFY_SECURITY: u32 = standard::DELETE | standard::WRITE_DACL | standard::WRITE_OWNER;
/// To write its attributes, and to create and delete objects below it.
const EDIT: u32 = directory::WRITE_PROPERTY | directory::CREATE_CHILD | directory::DELETE_CHILD;

/// To read a file and to run it, in GPMC one permission.
const READ_AND_EXECUTE: u32 = file::READ | file::EXECUTE;

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
    let is_named = object == Some(APPLY_GROUP_POLICY);
    rights.mask & directory::CONTROL_ACCESS != 0 && (is_named || object.is_none())
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
                } else if has(directory::READ_PROPERTY) && !self.apply {
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
                file::ALL => "Full Control",
                READ_AND_EXECUTE => "Read and Execute",
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
