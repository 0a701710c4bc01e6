//! Derives the descriptor of a GPO's files and folders in SYSVOL from that of its groupPolicyContainer.

use super::{
    Ace, Acl, DaclState, InvalidSecurityDescriptor, SecurityDescriptor, ace_flag, ace_type, control,
};
use crate::model::access_mask::{directory, file, standard};
use crate::model::sid::Sid;

/// Which entries of the directory DACL a server wants on the files of a GPO. A server does not report its version, so
/// only what it stores shows which of the two it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FileEntries {
    /// Entries that allow, with or without object types: what `samba.ntacls.dsacl2fsacl` of Samba 4.17 and 4.22 keeps.
    #[default]
    WithObjectAces,
    /// Entries without object types that allow or deny: what the same function keeps in Samba 4.25. Its smbd refuses a
    /// descriptor with an object entry (`create_canon_ace_lists: unable to set anything but an ALLOW or DENY ACE` in its log
    /// at level 10, STATUS_ACCESS_DENIED to the client), and `samba-tool ntacl sysvolcheck` refuses a file that has one.
    WithoutObjectAces,
}

impl FileEntries {
    /// What servers of the other versions want.
    pub fn other(self) -> Self {
        match self {
            Self::WithObjectAces => Self::WithoutObjectAces,
            Self::WithoutObjectAces => Self::WithObjectAces,
        }
    }

    /// Whether a server that wants these entries stores this descriptor. Samba 4.25 refuses one in which an entry that denies comes
    /// after one that allows, whatever the two are for (`malformed ACL in inheritable ACL! Deny entry after Allow entry` in the log of
    /// its smbd, STATUS_ACCESS_DENIED to the client). The DACL of a GPO may have that order: `samba-tool dsacl set` adds each entry in
    /// front, and an inherited entry comes after the explicit ones [MS-DTYP 2.5.3.4.5]. `samba-tool ntacl sysvolcheck` requires the
    /// order of the directory all the same and reports a file on which the entries that deny are first, and `sysvolreset` stops at
    /// such a GPO. So no descriptor is right there.
    pub fn stores(self, descriptor: &SecurityDescriptor) -> bool {
        if self == Self::WithObjectAces {
            return true;
        }
        let aces = || descriptor.dacl.iter().flat_map(|dacl| &dacl.aces);
        let is_plain = |ace: &Ace| {
            matches!(
                ace.ace_type,
                ace_type::ACCESS_ALLOWED | ace_type::ACCESS_DENIED
            )
        };
        aces().all(is_plain) && !aces().skip_while(|ace| ace.denies()).any(Ace::denies)
    }
}

/// The descriptor of every file and folder of a GPO in SYSVOL, and the two values with which it is set, in two steps.
///
/// A Samba server up to 4.22 stores a DACL with object entries but does not update the POSIX permissions of the file, so
/// that an editor with permission to edit is denied access. The first step sets the descriptor without its object entries,
/// which updates the POSIX permissions; the second step adds the object entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDescriptor {
    /// The final descriptor.
    pub descriptor: SecurityDescriptor,
    /// The self-relative bytes of the first step: owner, group and the DACL without object entries.
    pub without_object_aces: Vec<u8>,
    /// The self-relative bytes of the second step: the complete descriptor.
    pub with_object_aces: Vec<u8>,
}

impl FileDescriptor {
    /// The value with which it is set where the server refuses its order ([`FileEntries::stores`]): the entries that deny come first.
    /// That denies at least as much.
    ///
    /// # Errors
    /// When it does not fit in a descriptor.
    pub fn denying_first(&self) -> Result<Vec<u8>, InvalidSecurityDescriptor> {
        let mut descriptor = self.descriptor.clone();
        if let Some(dacl) = &mut descriptor.dacl {
            dacl.aces.sort_by_key(|ace| !ace.denies());
        }
        descriptor.to_bytes()
    }
}

/// Derives the descriptor that `samba-tool ntacl sysvolcheck` expects on every file and every folder of a GPO:
///
/// - owner, group, protection and the order of entries are those of the directory object;
/// - which entries are kept depends on the server (see [`FileEntries`]); callback entries never are, nor are entries for
///   Pre-Windows 2000 Compatible Access (S-1-5-32-554);
/// - every entry gets object and container inheritance, files too; Creator Owner also inherit-only;
/// - directory rights become file rights: see `file_mask`. An entry whose rights have no counterpart is kept with an
///   empty mask: the Apply Group Policy entry becomes `OA;OICI;;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU`.
///
/// For a directory DACL that is marked as auto-inherited, the bytes to send have the request bit as well, because an
/// SMB server keeps the mark only when both are set [MS-DTYP 2.4.6]; `descriptor` has only the mark, as it is stored.
///
/// # Errors
/// When the directory's descriptor has no DACL or a NULL one, or the result does not fit in a descriptor.
pub fn file_descriptor(
    directory: &SecurityDescriptor,
    entries: FileEntries,
) -> Result<FileDescriptor, InvalidSecurityDescriptor> {
    let second = match entries {
        FileEntries::WithObjectAces => ace_type::ACCESS_ALLOWED_OBJECT,
        FileEntries::WithoutObjectAces => ace_type::ACCESS_DENIED,
    };
    let descriptor = mapped(directory, &[ace_type::ACCESS_ALLOWED, second])?;
    FileDescriptor::of(descriptor, entries)
}

/// What a directory object grants and denies on files, as [`file_descriptor`] maps it, with the entries of both kinds of servers. To
/// compare with; no server stores it.
pub(crate) fn rights_on_files(
    directory: &SecurityDescriptor,
) -> Result<SecurityDescriptor, InvalidSecurityDescriptor> {
    mapped(
        directory,
        &[
            ace_type::ACCESS_ALLOWED,
            ace_type::ACCESS_ALLOWED_OBJECT,
            ace_type::ACCESS_DENIED,
        ],
    )
}

/// The descriptor for files, with the entries of these types.
fn mapped(
    directory: &SecurityDescriptor,
    types: &[u8],
) -> Result<SecurityDescriptor, InvalidSecurityDescriptor> {
    let DaclState::List(dacl) = directory.dacl_state() else {
        return Err(InvalidSecurityDescriptor::new("it has no DACL"));
    };
    let mut aces = Vec::new();
    for ace in &dacl.aces {
        let mut ace = ace.clone();
        if !types.contains(&ace.ace_type) {
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
    Ok(SecurityDescriptor {
        control: control::SELF_RELATIVE
            | control::DACL_PRESENT
            | directory.control & (control::DACL_PROTECTED | control::DACL_AUTO_INHERITED),
        owner: directory.owner.clone(),
        group: directory.group.clone(),
        dacl: Some(Acl::new(aces)),
        ..SecurityDescriptor::new()
    })
}

impl FileDescriptor {
    /// Computes the two steps for a descriptor. Object entries are left out where the server refuses them.
    ///
    /// # Errors
    /// When the descriptor cannot be encoded.
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

/// Converts directory rights to file rights: standard rights and delete child are kept; read property with list
/// contents becomes read and execute; write property becomes write; create child becomes adding files and folders
/// [MS-ADTS 5.1.3.2, MS-DTYP 2.4.3]. Generic rights become nothing, as in Samba.
pub fn file_mask(directory_mask: u32) -> u32 {
    let has = |bits: u32| directory_mask & bits == bits;
    let mut mask = directory_mask & standard::ALL;
    if has(directory::READ_PROPERTY | directory::LIST_CONTENTS) {
        mask |= (file::READ | file::EXECUTE) & !standard::READ_CONTROL;
    }
    if has(directory::WRITE_PROPERTY) {
        mask |= file::WRITE & !standard::READ_CONTROL;
    }
    if has(directory::CREATE_CHILD) {
        mask |= file::WRITE_DATA | file::APPEND_DATA;
    }
    if has(directory::DELETE_CHILD) {
        mask |= file::DELETE_CHILD;
    }
    mask
}
