//! From the descriptor of a groupPolicyContainer to that of its files and folders in SYSVOL.

use super::{
    Acl, DaclState, InvalidSecurityDescriptor, SecurityDescriptor, ace_flag, ace_type, control,
};
use crate::model::sid::Sid;

/// Which entries of the directory's DACL a server wants on the files of a GPO. A server does not report its version, so which
/// of the two it is shows only in what it stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileEntries {
    /// Entries that allow, with or without object types: what `samba.ntacls.dsacl2fsacl` of Samba 4.17 and 4.22 keeps.
    #[default]
    WithObjectAces,
    /// Entries without object types that allow or deny: what the same function keeps in Samba 4.25. Its smbd refuses a
    /// descriptor with an object entry (`create_canon_ace_lists: unable to set anything but an ALLOW or DENY ACE` in its log
    /// at level 10, STATUS_ACCESS_DENIED to the client), and `samba-tool ntacl sysvolcheck` refuses a file that has one.
    WithoutObjectAces,
}

/// The descriptor of every file and folder of a GPO in SYSVOL, and the values it is set with, one after the other.
///
/// A Samba server up to 4.22 stores a DACL with object entries as it is given, but then leaves the POSIX permissions of the
/// file as they were, so that an editor who is granted access is refused. Set without its object entries first, the descriptor
/// reaches the POSIX permissions; the second step only adds what does not change them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDescriptor {
    /// The descriptor that the object should have in the end.
    pub descriptor: SecurityDescriptor,
    /// The self-relative bytes of the first step: owner, group and the DACL without object entries.
    pub without_object_aces: Vec<u8>,
    /// The self-relative bytes of the second step: the whole.
    pub with_object_aces: Vec<u8>,
}

/// Derives the descriptor that `samba-tool ntacl sysvolcheck` expects on every file and every folder of a GPO:
///
/// - owner, group, protection and the order of entries are those of the directory object;
/// - which entries are kept depends on the server (see [`FileEntries`]); callback entries never are, nor is what is granted to
///   Pre-Windows 2000 Compatible Access (S-1-5-32-554);
/// - every entry gets object and container inheritance, files too; Creator Owner also inherit-only;
/// - directory rights become file rights: see `file_mask`. An entry whose rights have no counterpart is kept with an empty
///   mask: the Apply Group Policy entry becomes `OA;OICI;;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU`.
///
/// A directory DACL that is marked as auto-inherited needs the request bit as well in what is sent, because an SMB server
/// keeps the mark only when both are given [MS-DTYP 2.4.6]; `descriptor` has the mark alone, which is what is stored.
///
/// # Errors
/// When the directory's descriptor has no DACL or a NULL one, or the result does not fit into a descriptor.
pub fn file_descriptor(
    directory: &SecurityDescriptor,
    entries: FileEntries,
) -> Result<FileDescriptor, InvalidSecurityDescriptor> {
    let DaclState::List(dacl) = directory.dacl_state() else {
        return Err(InvalidSecurityDescriptor::new("it has no DACL"));
    };
    let second = match entries {
        FileEntries::WithObjectAces => ace_type::ACCESS_ALLOWED_OBJECT,
        FileEntries::WithoutObjectAces => ace_type::ACCESS_DENIED,
    };
    let mut aces = Vec::new();
    for ace in &dacl.aces {
        let mut ace = ace.clone();
        if ace.ace_type != ace_type::ACCESS_ALLOWED && ace.ace_type != second {
            continue;
        }
        let Some(rights) = ace.rights_mut() else {
            continue;
        };
        if is(&rights.sid, "S-1-5-32-554") {
            continue;
        }
        rights.mask = file_mask(rights.mask);
        let creator_owner = is(&rights.sid, "S-1-3-0");
        ace.flags |= ace_flag::OBJECT_INHERIT | ace_flag::CONTAINER_INHERIT;
        if creator_owner {
            ace.flags |= ace_flag::INHERIT_ONLY;
        }
        aces.push(ace);
    }
    let descriptor = SecurityDescriptor {
        control: control::SELF_RELATIVE
            | control::DACL_PRESENT
            | directory.control & (control::DACL_PROTECTED | control::DACL_AUTO_INHERITED),
        owner: directory.owner.clone(),
        group: directory.group.clone(),
        dacl: Some(Acl::new(aces)),
        ..SecurityDescriptor::new()
    };
    FileDescriptor::of(descriptor, entries)
}

impl FileDescriptor {
    /// How a descriptor is set on a file or folder. Where the server refuses object entries, they are left out.
    ///
    /// # Errors
    /// When it does not fit into its bytes.
    pub fn of(
        descriptor: SecurityDescriptor,
        entries: FileEntries,
    ) -> Result<Self, InvalidSecurityDescriptor> {
        let descriptor = match entries {
            FileEntries::WithObjectAces => descriptor,
            FileEntries::WithoutObjectAces => descriptor.without_object_aces(),
        };
        let mut sent = descriptor.clone();
        if sent.control & control::DACL_AUTO_INHERITED != 0 {
            sent.control |= control::DACL_AUTO_INHERIT_REQ;
        }
        Ok(Self {
            without_object_aces: sent.without_object_aces().to_bytes()?,
            with_object_aces: sent.to_bytes()?,
            descriptor,
        })
    }

    /// The self-relative bytes to set, one after the other: one value when there are no object entries, else two.
    pub fn into_steps(self) -> Vec<Vec<u8>> {
        if self.without_object_aces == self.with_object_aces {
            vec![self.with_object_aces]
        } else {
            vec![self.without_object_aces, self.with_object_aces]
        }
    }
}

fn is(sid: &Sid, text: &str) -> bool {
    text.parse().is_ok_and(|other: Sid| *sid == other)
}

/// The file rights for directory rights: standard rights stay; read property with list contents gives read and execute;
/// write property gives write; create child gives adding files and folders; delete child stays [MS-ADTS 5.1.3.2, MS-DTYP
/// 2.4.3].
pub fn file_mask(directory_mask: u32) -> u32 {
    let has = |bits: u32| directory_mask & bits == bits;
    let mut mask = directory_mask & 0x001F_0000;
    if has(0x14) {
        mask |= 0x0010_00A9;
    }
    if has(0x20) {
        mask |= 0x0010_0116;
    }
    if has(0x01) {
        mask |= 0x0000_0006;
    }
    if has(0x02) {
        mask |= 0x0000_0040;
    }
    mask
}
