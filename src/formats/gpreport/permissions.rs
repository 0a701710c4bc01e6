//! Security descriptors in a report.

use super::xml::Report;
use crate::model::access_mask::standard;
use crate::model::grant::{Grant, SecuredObject, grants};
use crate::model::security_descriptor::{SecurityDescriptor, ace_flag};

/// The namespace of descriptors.
const SECURITY: &str = "http://www.microsoft.com/GroupPolicy/Types/Security";

/// Writes the content of a `SecurityDescriptor` element; `sddl` is the descriptor as text.
pub(super) fn descriptor(
    report: &mut Report,
    descriptor: &SecurityDescriptor,
    sddl: &str,
    what: SecuredObject,
) {
    let tag = |name: &str| format!("{name} xmlns=\"{SECURITY}\"");
    report.leaf(&tag("SDDL"), sddl);
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
            // GPMC never lists CREATOR OWNER, whose entry applies only to child objects.
            if what != SecuredObject::Gpo || !grant.below_only() {
                write(report, &grant, what);
            }
        }
        report.close();
    }
    report.flag(&tag("AuditingPresent"), descriptor.sacl.is_some());
}

/// Writes one grant.
fn write(report: &mut Report, grant: &Grant<'_>, what: SecuredObject) {
    report.open("TrusteePermissions");
    report.principal("Trustee", grant.sid);
    report.open("Type xsi:type=\"PermissionType\"");
    report.leaf(
        "PermissionType",
        if grant.denied { "Deny" } else { "Allow" },
    );
    report.close();
    let has = |flag: u8| grant.flags & flag != 0;
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
        SecuredObject::Gpo => "GPOGroupedAccessEnum",
        SecuredObject::File => "FileGroupedAccessEnum",
        SecuredObject::RegistryKey => "RegistryGroupedAccessEnum",
    };
    for level in grant.levels(what) {
        report.open("Standard");
        report.leaf(element, level);
        report.close();
    }
    let mask = match what {
        SecuredObject::Gpo => 0,
        // GPMC ignores SYNCHRONIZE.
        SecuredObject::File | SecuredObject::RegistryKey => grant.mask & !standard::SYNCHRONIZE,
    };
    report.leaf("AccessMask", &mask.to_string());
    report.close();
}

/// Writes the content of a `SecurityDescriptor` element without a descriptor, or with one that cannot be parsed, whose
/// text is written unchanged.
pub(super) fn none(report: &mut Report, sddl: &str) {
    let tag = |name: &str| format!("{name} xmlns=\"{SECURITY}\"");
    if !sddl.is_empty() {
        report.leaf(&tag("SDDL"), sddl);
    }
    report.flag(&tag("PermissionsPresent"), false);
    report.flag(&tag("AuditingPresent"), false);
}
