//! Who may do what: descriptors of files and folders, what they grant to a login, and what a new entry inherits.
//!
//! As seen on Samba 4.17. What it stores as the descriptor is not all it looks at: writing also needs the POSIX permissions,
//! and a descriptor with an object entry leaves those as they were.

use std::sync::Arc;

use smb2::types::status::NtStatus;

use super::SysvolServer;
use crate::model::access::{AccessDecision, AccessToken, check};
use crate::model::security_descriptor::{
    Ace, AceBody, AceRights, Acl, DaclState, FileEntries, ObjectTypes, SecurityDescriptor,
    ace_flag, control,
};
use crate::model::sid::Sid;
use crate::sysvol::refusal::INVALID_OWNER;

/// Access to files and folders [MS-SMB2 2.2.13.1].
pub(super) mod access {
    /// FILE_READ_DATA, FILE_LIST_DIRECTORY
    pub(in super::super) const READ_DATA: u32 = 0x1;
    /// FILE_WRITE_DATA, FILE_ADD_FILE
    pub(in super::super) const WRITE_DATA: u32 = 0x2;
    /// FILE_APPEND_DATA, FILE_ADD_SUBDIRECTORY
    pub(in super::super) const APPEND_DATA: u32 = 0x4;
    /// FILE_EXECUTE
    pub(in super::super) const EXECUTE: u32 = 0x20;
    /// FILE_DELETE_CHILD
    pub(in super::super) const DELETE_CHILD: u32 = 0x40;
    /// FILE_READ_ATTRIBUTES
    pub(in super::super) const READ_ATTRIBUTES: u32 = 0x80;
    /// FILE_WRITE_ATTRIBUTES
    pub(in super::super) const WRITE_ATTRIBUTES: u32 = 0x100;
    /// DELETE
    pub(in super::super) const DELETE: u32 = 0x1_0000;
    /// READ_CONTROL
    pub(in super::super) const READ_CONTROL: u32 = 0x2_0000;
    /// WRITE_DAC
    pub(in super::super) const WRITE_DAC: u32 = 0x4_0000;
    /// WRITE_OWNER
    pub(in super::super) const WRITE_OWNER: u32 = 0x8_0000;
    /// FILE_ALL_ACCESS
    pub(in super::super) const ALL: u32 = 0x001F_01FF;
}

/// Generic rights and what they are on files [MS-FSA 2.1.1.4, MS-DTYP 2.4.3].
const GENERIC: [(u32, u32); 4] = [
    (0x8000_0000, 0x0012_0089),
    (0x4000_0000, 0x0012_0116),
    (0x2000_0000, 0x0012_00A0),
    (0x1000_0000, access::ALL),
];
const ADMINISTRATORS: &str = "S-1-5-32-544";
const CREATOR_OWNER: &str = "S-1-3-0";
const CREATOR_GROUP: &str = "S-1-3-1";
/// The RID of the account Administrator, which a Samba DC maps to the user ID 0.
const ADMINISTRATOR: u32 = 500;
/// The RID of Domain Users.
const DOMAIN_USERS: u32 = 513;

/// Who is logged in.
#[derive(Debug, Clone)]
pub struct SysvolLogin {
    user: Sid,
    primary_group: Sid,
    token: AccessToken,
}

impl SysvolLogin {
    /// An account, its primary group, and the other groups in its token.
    pub fn new(user: Sid, primary_group: Sid, groups: impl IntoIterator<Item = Sid>) -> Self {
        let own = [user.clone(), primary_group.clone()];
        Self {
            user,
            primary_group,
            token: AccessToken::new(own.into_iter().chain(groups)),
        }
    }

    /// The account Administrator of a domain, in Domain Admins, Group Policy Creator Owners and Administrators.
    pub fn administrator(domain_sid: &Sid) -> Self {
        let groups = [512, 518, 519, 520].map(|rid| domain_sid.with_rid(rid));
        let builtin = ADMINISTRATORS.parse::<Sid>().ok();
        Self::new(
            domain_sid.with_rid(ADMINISTRATOR),
            domain_sid.with_rid(DOMAIN_USERS),
            groups.into_iter().chain(builtin),
        )
    }

    /// An account of a domain that is only in Domain Users.
    pub fn user(user: Sid) -> Self {
        let domain = user.domain().unwrap_or_else(|| user.clone());
        Self::new(user, domain.with_rid(DOMAIN_USERS), [])
    }

    /// The SIDs of its token.
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    fn is_administrator(&self) -> bool {
        ADMINISTRATORS
            .parse()
            .is_ok_and(|sid| self.token.contains(&sid))
    }

    /// Whether a Samba DC checks nothing for this account.
    fn is_root(&self, server: SysvolServer) -> bool {
        server.is_samba() && self.user.is_domain_sid() && self.user.rid() == Some(ADMINISTRATOR)
    }

    /// The owner of what this account makes.
    fn owner(&self) -> Sid {
        match ADMINISTRATORS.parse() {
            Ok(administrators) if self.token.contains(&administrators) => administrators,
            _ => self.user.clone(),
        }
    }
}

/// The descriptor of an entry.
#[derive(Debug, Clone)]
pub(super) struct Permissions {
    /// States of the share have the same one, so that they are quick to compare.
    descriptor: Arc<SecurityDescriptor>,
    posix: Posix,
}

/// What the POSIX permissions of an entry come from.
#[derive(Debug, Clone)]
enum Posix {
    /// From this descriptor.
    Descriptor(Arc<SecurityDescriptor>),
    /// From the mode of a new file: its owner may write, everyone may read.
    Owner(Option<Sid>),
}

fn has_object_entry(descriptor: &SecurityDescriptor) -> bool {
    descriptor
        .dacl
        .iter()
        .flat_map(|dacl| &dacl.aces)
        .any(Ace::is_object)
}

impl Permissions {
    /// A descriptor as if it had always been there.
    pub(super) fn new(descriptor: SecurityDescriptor) -> Self {
        let plain = descriptor.without_object_aces();
        Self {
            descriptor: Arc::new(descriptor),
            posix: Posix::Descriptor(Arc::new(plain)),
        }
    }

    pub(super) fn descriptor(&self) -> &Arc<SecurityDescriptor> {
        &self.descriptor
    }

    /// What a new entry gets in a folder with these permissions. With `marks`, as Windows does it [MS-DTYP 2.5.3.4];
    /// without, as smbd does: no entry is marked as inherited, and object entries lose their GUIDs.
    pub(super) fn inherited(&self, login: &SysvolLogin, is_folder: bool, marks: bool) -> Self {
        let mut aces: Vec<Ace> = Vec::new();
        if let DaclState::List(dacl) = self.descriptor.dacl_state() {
            for ace in &dacl.aces {
                for child in inherited_entries(ace, login, is_folder, marks) {
                    if !aces.contains(&child) {
                        aces.push(child);
                    }
                }
            }
        }
        let mut control = control::SELF_RELATIVE | control::DACL_PRESENT;
        if marks {
            control |= control::DACL_AUTO_INHERITED;
        }
        let mut descriptor = SecurityDescriptor::new();
        descriptor.control = control;
        descriptor.owner = Some(login.owner());
        descriptor.group = Some(login.primary_group.clone());
        descriptor.dacl = Some(Acl::new(aces));
        let descriptor = Arc::new(descriptor);
        let posix = if has_object_entry(&descriptor) {
            Posix::Owner(descriptor.owner.clone())
        } else {
            Posix::Descriptor(Arc::clone(&descriptor))
        };
        Self { descriptor, posix }
    }

    /// The access that a login has to an entry in a folder.
    pub(super) fn maximal_access(
        &self,
        parent: Option<&Self>,
        login: &SysvolLogin,
        server: SysvolServer,
    ) -> u32 {
        if login.is_root(server) {
            return access::ALL;
        }
        let own = |permissions: &Self, bit: u32| {
            check(&permissions.descriptor, &login.token, bit, None) == AccessDecision::Granted
        };
        let mut granted = (0..32)
            .map(|shift| 1_u32 << shift)
            .filter(|bit| access::ALL & bit != 0 && own(self, *bit))
            .fold(access::READ_ATTRIBUTES, |all, bit| all | bit);
        // The owner may always read and change the DACL [MS-DTYP 2.5.3.2].
        if let Some(owner) = &self.descriptor.owner
            && login.token.contains(owner)
        {
            granted |= access::READ_CONTROL | access::WRITE_DAC;
        }
        if !server.is_samba() && login.is_administrator() {
            // SeTakeOwnershipPrivilege.
            granted |= access::WRITE_OWNER;
        }
        if parent.is_some_and(|parent| own(parent, access::DELETE_CHILD)) {
            granted |= access::DELETE;
        }
        granted
    }

    /// Whether the POSIX permissions let this login read, write, or pass. Denying entries are taken for what they say; smbd makes
    /// more of them.
    fn posix_allows(&self, login: &SysvolLogin, bit: u32) -> bool {
        match &self.posix {
            Posix::Descriptor(descriptor) => {
                check(descriptor, &login.token, bit, None) == AccessDecision::Granted
            }
            Posix::Owner(owner) => {
                bit != access::WRITE_DATA
                    || owner
                        .as_ref()
                        .is_some_and(|owner| login.token.contains(owner))
            }
        }
    }

    /// Checks this access to an entry in a folder.
    ///
    /// # Errors
    /// `ACCESS_DENIED`.
    pub(super) fn require(
        &self,
        wanted: u32,
        parent: Option<&Self>,
        login: &SysvolLogin,
        server: SysvolServer,
    ) -> Result<(), NtStatus> {
        if login.is_root(server) {
            return Ok(());
        }
        let granted = self.maximal_access(parent, login, server);
        let posix = |bits: u32, bit: u32| {
            !server.is_samba() || wanted & bits == 0 || self.posix_allows(login, bit)
        };
        if wanted & !granted == 0
            && posix(access::WRITE_DATA | access::APPEND_DATA, access::WRITE_DATA)
            && posix(access::READ_DATA, access::READ_DATA)
        {
            Ok(())
        } else {
            Err(NtStatus::ACCESS_DENIED)
        }
    }

    /// Checks one right of the POSIX permissions: to read, to write or put names into a folder, to pass through it.
    ///
    /// # Errors
    /// `ACCESS_DENIED`.
    pub(super) fn require_posix(
        &self,
        bit: u32,
        login: &SysvolLogin,
        server: SysvolServer,
    ) -> Result<(), NtStatus> {
        if !server.is_samba() || login.is_root(server) || self.posix_allows(login, bit) {
            Ok(())
        } else {
            Err(NtStatus::ACCESS_DENIED)
        }
    }

    /// Sets a descriptor: its DACL, and its owner and group if it has them.
    ///
    /// # Errors
    /// `INVALID_OWNER` when the login may not give an entry to this owner or group; `INVALID_PARAMETER` for bytes that
    /// are not a descriptor; `ACCESS_DENIED` for an object entry, or an entry that denies after one that allows, on a server that
    /// stores none.
    pub(super) fn set(
        &mut self,
        bytes: &[u8],
        login: &SysvolLogin,
        server: SysvolServer,
    ) -> Result<(), NtStatus> {
        let sent = SecurityDescriptor::parse(bytes).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let may_give = |new: &Option<Sid>, old: &Option<Sid>, own: &dyn Fn(&Sid) -> bool| {
            new.as_ref().is_none_or(|sid| {
                login.is_root(server)
                    || !server.is_samba() && login.is_administrator()
                    || old.as_ref() == Some(sid)
                    || own(sid)
            })
        };
        let current = &self.descriptor;
        if !may_give(&sent.owner, &current.owner, &|sid| *sid == login.user)
            || !may_give(&sent.group, &current.group, &|sid| {
                login.token.contains(sid)
            })
        {
            return Err(INVALID_OWNER);
        }
        let with_object_entry = has_object_entry(&sent);
        if server == SysvolServer::SambaWithoutObjectAces
            && !FileEntries::WithoutObjectAces.stores(&sent)
        {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let mut kept = control::SELF_RELATIVE | control::DACL_PRESENT;
        kept |= sent.control & control::DACL_PROTECTED;
        let both = control::DACL_AUTO_INHERITED | control::DACL_AUTO_INHERIT_REQ;
        if sent.control & both == both {
            kept |= control::DACL_AUTO_INHERITED;
        }
        let mut dacl = sent.dacl;
        for ace in dacl.iter_mut().flat_map(|dacl| &mut dacl.aces) {
            if let Some(rights) = ace.rights_mut() {
                rights.mask = file_rights(rights.mask);
            }
        }
        let mut stored = SecurityDescriptor::new();
        stored.control = kept;
        stored.owner = sent.owner.or_else(|| current.owner.clone());
        stored.group = sent.group.or_else(|| current.group.clone());
        stored.dacl = dacl;
        self.descriptor = Arc::new(stored);
        if !with_object_entry {
            self.posix = Posix::Descriptor(Arc::clone(&self.descriptor));
        }
        Ok(())
    }
}

/// Generic rights as the rights of files that they are.
fn file_rights(mask: u32) -> u32 {
    GENERIC.iter().fold(mask, |mask, (generic, rights)| {
        if mask & generic == 0 {
            mask
        } else {
            mask & !generic | rights
        }
    })
}

/// What an entry of a folder becomes on something new in it [MS-DTYP 2.5.3.4.2].
fn inherited_entries(ace: &Ace, login: &SysvolLogin, is_folder: bool, marks: bool) -> Vec<Ace> {
    let down = ace_flag::OBJECT_INHERIT | ace_flag::CONTAINER_INHERIT;
    let wanted = if is_folder {
        ace_flag::CONTAINER_INHERIT
    } else {
        ace_flag::OBJECT_INHERIT
    };
    let passes_through = is_folder
        && ace.flags & ace_flag::OBJECT_INHERIT != 0
        && ace.flags & ace_flag::NO_PROPAGATE_INHERIT == 0;
    if ace.flags & wanted == 0 && !passes_through {
        return Vec::new();
    }
    let Some(rights) = ace.rights() else {
        return Vec::new();
    };
    let inherited = if marks { ace_flag::INHERITED } else { 0 };
    let mut flags = if is_folder && ace.flags & ace_flag::NO_PROPAGATE_INHERIT == 0 {
        ace.flags & down
    } else {
        0
    };
    if ace.flags & wanted == 0 {
        flags |= ace_flag::INHERIT_ONLY;
    }
    let entry = |flags: u8, sid: Sid| Ace {
        ace_type: ace.ace_type,
        flags: flags | inherited,
        body: AceBody::Rights(AceRights {
            sid,
            object: match (&rights.object, marks) {
                (Some(_), false) => Some(ObjectTypes::default()),
                (object, _) => *object,
            },
            ..rights.clone()
        }),
    };
    let creator = match rights.sid.to_string().as_str() {
        CREATOR_OWNER => login.owner(),
        CREATOR_GROUP => login.primary_group.clone(),
        _ => return vec![entry(flags, rights.sid.clone())],
    };
    let mut entries = Vec::new();
    if ace.flags & wanted != 0 {
        entries.push(entry(0, creator));
    }
    if flags & down != 0 {
        entries.push(entry(flags | ace_flag::INHERIT_ONLY, rights.sid.clone()));
    }
    entries
}
