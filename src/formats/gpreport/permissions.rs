//! Security descriptors in a report.

use super::xml::Report;
use crate::model::guid::Guid;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::{Ace, AceRights, SecurityDescriptor, ace_flag, ace_type};
use crate::model::sid::Sid;

/// The namespace of descriptors.
const SECURITY: &str = "http://www.microsoft.com/GroupPolicy/Types/Security";

/// What a descriptor protects, and so how GPMC names what it grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protects {
    Gpo,
    File,
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
/// SYNCHRONIZE, which GPMC does not count.
const SYNCHRONIZE: u32 = 0x0010_0000;
/// RIGHT_DS_CONTROL_ACCESS.
const CONTROL_ACCESS: u32 = 0x0000_0100;

/// The content of a `SecurityDescriptor` element.
pub(super) fn descriptor(report: &mut Report, descriptor: &SecurityDescriptor, what: Protects) {
    let tag = |name: &str| format!("{name} xmlns=\"{SECURITY}\"");
    report.leaf(&tag("SDDL"), &to_sddl(descriptor));
    if let Some(owner) = &descriptor.owner {
        report.principal(&tag("Owner"), owner);
    }
    if let Some(group) = &descriptor.group {
        report.principal(&tag("Group"), group);
    }
    report.flag(&tag("PermissionsPresent"), descriptor.dacl.is_some());
    if let Some(dacl) = &descriptor.dacl {
        report.open(&tag("Permissions"));
        report.flag("InheritsFromParent", !descriptor.is_dacl_protected());
        for grant in grants(&dacl.aces, what) {
            grant.write(report, what);
        }
        report.close();
    }
    report.flag(&tag("AuditingPresent"), descriptor.sacl.is_some());
}

/// What one principal is allowed, or denied: several entries of a list.
struct Grant<'a> {
    sid: &'a Sid,
    denied: bool,
    flags: u8,
    mask: u32,
    apply: bool,
}

/// The grants of a list in its order. For a GPO the entries of a principal are one grant; elsewhere each is its own.
fn grants(aces: &[Ace], what: Protects) -> Vec<Grant<'_>> {
    let mut found: Vec<Grant<'_>> = Vec::new();
    for ace in aces {
        let denied = match ace.ace_type {
            ace_type::ACCESS_ALLOWED | ace_type::ACCESS_ALLOWED_OBJECT => false,
            ace_type::ACCESS_DENIED | ace_type::ACCESS_DENIED_OBJECT => true,
            _ => continue,
        };
        let Some(rights) = ace.rights() else { continue };
        let apply = is_apply(rights);
        let known = found
            .iter_mut()
            .find(|known| known.sid == &rights.sid && known.denied == denied);
        match known {
            Some(known) if what == Protects::Gpo => {
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

/// Whether an entry is about applying the GPO: the extended right by name, or all of them.
fn is_apply(rights: &AceRights) -> bool {
    let object = rights.object.as_ref().and_then(|object| object.object_type);
    let is_named = object.is_some_and(|guid| APPLY.parse::<Guid>() == Ok(guid));
    rights.mask & CONTROL_ACCESS != 0 && (is_named || object.is_none())
}

impl Grant<'_> {
    fn write(&self, report: &mut Report, what: Protects) {
        report.open("TrusteePermissions");
        report.principal("Trustee", self.sid);
        report.open("Type xsi:type=\"PermissionType\"");
        report.leaf("PermissionType", if self.denied { "Deny" } else { "Allow" });
        report.close();
        let has = |flag: u8| self.flags & flag != 0;
        report.flag("Inherited", has(ace_flag::INHERITED));
        report.open("Applicability");
        report.flag("ToSelf", !has(ace_flag::INHERIT_ONLY));
        report.flag("ToDescendantObjects", has(ace_flag::OBJECT_INHERIT));
        report.flag("ToDescendantContainers", has(ace_flag::CONTAINER_INHERIT));
        report.flag(
            "ToDirectDescendantsOnly",
            has(ace_flag::NO_PROPAGATE_INHERIT),
        );
        report.close();
        let element = match what {
            Protects::Gpo => "GPOGroupedAccessEnum",
            Protects::File => "FileGroupedAccessEnum",
            Protects::RegistryKey => "RegistryGroupedAccessEnum",
        };
        for level in self.levels(what) {
            report.open("Standard");
            report.leaf(element, level);
            report.close();
        }
        let mask = match what {
            Protects::Gpo => 0,
            Protects::File | Protects::RegistryKey => self.mask & !SYNCHRONIZE,
        };
        report.leaf("AccessMask", &mask.to_string());
        report.close();
    }

    /// The words for what is granted.
    fn levels(&self, what: Protects) -> Vec<&'static str> {
        match what {
            Protects::Gpo => {
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
            Protects::File => vec![match self.mask {
                0x001F_01FF => "Full Control",
                0x0012_00A9 => "Read and Execute",
                _ => "Custom",
            }],
            Protects::RegistryKey => vec![match self.mask {
                0x000F_003F => "Full Control",
                0x0002_0019 => "Read",
                _ => "Custom",
            }],
        }
    }
}

/// The content of a `SecurityDescriptor` element where there is no descriptor, or one that cannot be read: then it stands as
/// it is.
pub(super) fn none(report: &mut Report, sddl: &str) {
    let tag = |name: &str| format!("{name} xmlns=\"{SECURITY}\"");
    if !sddl.is_empty() {
        report.leaf(&tag("SDDL"), sddl);
    }
    report.flag(&tag("PermissionsPresent"), false);
    report.flag(&tag("AuditingPresent"), false);
}
