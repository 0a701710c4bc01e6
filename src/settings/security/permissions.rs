//! Security descriptors of services, files and registry keys in words.

use crate::model::access_mask::{file, standard};
use crate::model::sddl::from_sddl;
use crate::model::security_descriptor::{SecurityDescriptor, ace_flag, ace_type};
use crate::settings::{Data, Names, Principal};

/// What a descriptor protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) enum Object {
    /// A file or folder.
    File,
    /// A registry key.
    RegistryKey,
    /// A service.
    Service,
}

/// The rights with a name of their own in the security dialog of Windows, by object.
fn right(mask: u32, object: Object) -> Option<&'static str> {
    const READ_AND_EXECUTE: u32 = file::READ | file::EXECUTE;
    const MODIFY: u32 = file::READ | file::WRITE | file::EXECUTE | standard::DELETE;
    match (object, mask) {
        (_, standard::GENERIC_ALL) | (Object::File, file::ALL) => Some("Full Control"),
        (Object::RegistryKey, 0x000F_003F) | (Object::Service, 0x000F_01FF) => Some("Full Control"),
        (_, standard::GENERIC_READ)
        | (Object::File, file::READ)
        | (Object::RegistryKey, 0x0002_0019)
        | (Object::Service, 0x0002_008D) => Some("Read"),
        (Object::File, READ_AND_EXECUTE) => Some("Read and Execute"),
        (Object::File, MODIFY) => Some("Modify"),
        _ => None,
    }
}

/// A descriptor as it is in the file, and its entries in words; without words where it cannot be read.
pub(in crate::settings) fn of(sddl: &str, object: Object, names: &Names) -> Data {
    // Aliases such as DA refer to the domain of the client, which is not known here.
    let entries = from_sddl(sddl, None)
        .map(|descriptor| words(&descriptor, object, names))
        .unwrap_or_default();
    Data::Permissions {
        sddl: sddl.to_owned(),
        entries,
    }
}

fn words(descriptor: &SecurityDescriptor, object: Object, names: &Names) -> Vec<String> {
    let mut words = Vec::new();
    for (what, sid) in [("owner", &descriptor.owner), ("group", &descriptor.group)] {
        if let Some(sid) = sid {
            words.push(format!("{what} {}", Principal::of_sid(sid.clone(), names)));
        }
    }
    for list in [&descriptor.dacl, &descriptor.sacl].into_iter().flatten() {
        for ace in &list.aces {
            let verb = match ace.ace_type {
                ace_type::ACCESS_ALLOWED | ace_type::ACCESS_ALLOWED_OBJECT => "allow",
                ace_type::ACCESS_DENIED | ace_type::ACCESS_DENIED_OBJECT => "deny",
                ace_type::SYSTEM_AUDIT | ace_type::SYSTEM_AUDIT_OBJECT => "audit",
                _ => "other entry for",
            };
            let Some(rights) = ace.rights() else {
                words.push("an entry that cannot be read".to_owned());
                continue;
            };
            let mask = match right(rights.mask, object) {
                Some(name) => name.to_owned(),
                None => format!("rights 0x{:x}", rights.mask),
            };
            let below = if ace.flags & ace_flag::INHERIT_ONLY != 0 {
                " on child objects"
            } else {
                ""
            };
            let who = Principal::of_sid(rights.sid.clone(), names);
            words.push(format!("{verb} {who} {mask}{below}"));
        }
    }
    words
}
