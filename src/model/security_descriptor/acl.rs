//! Access control lists and their entries [MS-DTYP 2.4.4, 2.4.5].

use super::InvalidSecurityDescriptor;
use crate::model::guid::Guid;
use crate::model::sid::Sid;

/// Types of entries [MS-DTYP 2.4.4.1].
pub mod ace_type {
    /// Allows.
    pub const ACCESS_ALLOWED: u8 = 0x00;
    /// Denies.
    pub const ACCESS_DENIED: u8 = 0x01;
    /// Audits.
    pub const SYSTEM_AUDIT: u8 = 0x02;
    /// Reserved: alarms.
    pub const SYSTEM_ALARM: u8 = 0x03;
    /// Allows a right, a property set or a class of children.
    pub const ACCESS_ALLOWED_OBJECT: u8 = 0x05;
    /// Denies a right, a property set or a class of children.
    pub const ACCESS_DENIED_OBJECT: u8 = 0x06;
    /// Audits a right, a property set or a class of children.
    pub const SYSTEM_AUDIT_OBJECT: u8 = 0x07;
    /// Reserved: alarms, with object types.
    pub const SYSTEM_ALARM_OBJECT: u8 = 0x08;
    /// Allows under a condition.
    pub const ACCESS_ALLOWED_CALLBACK: u8 = 0x09;
    /// Denies under a condition.
    pub const ACCESS_DENIED_CALLBACK: u8 = 0x0A;
    /// Allows under a condition, with object types.
    pub const ACCESS_ALLOWED_CALLBACK_OBJECT: u8 = 0x0B;
    /// Denies under a condition, with object types.
    pub const ACCESS_DENIED_CALLBACK_OBJECT: u8 = 0x0C;
    /// Audits under a condition.
    pub const SYSTEM_AUDIT_CALLBACK: u8 = 0x0D;
    /// Reserved: alarms under a condition.
    pub const SYSTEM_ALARM_CALLBACK: u8 = 0x0E;
    /// Audits under a condition, with object types.
    pub const SYSTEM_AUDIT_CALLBACK_OBJECT: u8 = 0x0F;
    /// Reserved: alarms under a condition, with object types.
    pub const SYSTEM_ALARM_CALLBACK_OBJECT: u8 = 0x10;
    /// An integrity level.
    pub const SYSTEM_MANDATORY_LABEL: u8 = 0x11;
    /// A claim about the resource.
    pub const SYSTEM_RESOURCE_ATTRIBUTE: u8 = 0x12;
    /// A central access policy.
    pub const SYSTEM_SCOPED_POLICY_ID: u8 = 0x13;
}

/// Flags of entries [MS-DTYP 2.4.4.1].
pub mod ace_flag {
    /// Files below inherit it.
    pub const OBJECT_INHERIT: u8 = 0x01;
    /// Containers below inherit it.
    pub const CONTAINER_INHERIT: u8 = 0x02;
    /// Only direct children inherit it.
    pub const NO_PROPAGATE_INHERIT: u8 = 0x04;
    /// It does not apply to the object itself.
    pub const INHERIT_ONLY: u8 = 0x08;
    /// It was inherited.
    pub const INHERITED: u8 = 0x10;
    /// Audits successes.
    pub const SUCCESSFUL_ACCESS: u8 = 0x40;
    /// Audits failures.
    pub const FAILED_ACCESS: u8 = 0x80;
}

/// An access control list [MS-DTYP 2.4.5].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// 2, or 4 when there are object entries.
    pub revision: u8,
    /// The entries, in order.
    pub aces: Vec<Ace>,
}

/// An entry [MS-DTYP 2.4.4].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ace {
    /// The type; see [`ace_type`].
    pub ace_type: u8,
    /// The flags; see [`ace_flag`].
    pub flags: u8,
    /// The content.
    pub body: AceBody,
}

/// The content of an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AceBody {
    /// Rights of a principal: every type in [`ace_type`].
    Rights(AceRights),
    /// The bytes after the header, for an unknown type.
    Unknown(Vec<u8>),
}

/// The rights that an entry grants, denies or audits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AceRights {
    /// The access mask [MS-DTYP 2.4.3].
    pub mask: u32,
    /// The object types of an object entry.
    pub object: Option<ObjectTypes>,
    /// The principal.
    pub sid: Sid,
    /// The data after the SID: the condition of a callback entry [MS-DTYP 2.4.4.17], the claim of a resource attribute
    /// [MS-DTYP 2.4.10.1], padding of any other.
    pub application_data: Vec<u8>,
}

/// The object types of an object entry [MS-DTYP 2.4.4.3]: GUIDs of extended rights, property sets, attributes, classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ObjectTypes {
    /// The bits of the flags other than the two that tell which GUIDs are present; always 0 in practice.
    pub other_flags: u32,
    /// The object type that the rights apply to.
    pub object_type: Option<Guid>,
    /// The class of children that inherit the entry.
    pub inherited_object_type: Option<Guid>,
}

const ACL_HEADER: usize = 8;
const ACE_HEADER: usize = 4;
const OBJECT_TYPE_PRESENT: u32 = 1;
const INHERITED_OBJECT_TYPE_PRESENT: u32 = 2;

/// Whether entries of this type carry object types.
pub(crate) fn has_object_types(ace_type: u8) -> bool {
    matches!(ace_type, 0x05..=0x08 | 0x0B | 0x0C | 0x0F | 0x10)
}

/// Whether entries of this type consist of a mask and a SID, with or without object types.
pub(crate) fn has_rights(ace_type: u8) -> bool {
    // 4 is the compound entry, which is reserved and has a different layout [MS-DTYP 2.4.4.1].
    ace_type <= 0x13 && ace_type != 0x04
}

impl Acl {
    /// A list of these entries, with the lowest revision that supports them.
    pub fn new(aces: Vec<Ace>) -> Self {
        let revision = if aces.iter().any(Ace::is_object) {
            4
        } else {
            2
        };
        Self { revision, aces }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, InvalidSecurityDescriptor> {
        let bad = |text: String| InvalidSecurityDescriptor::new(text);
        let short = || bad("the list is cut off".to_owned());
        let &[
            revision,
            _,
            size_low,
            size_high,
            count_low,
            count_high,
            _,
            _,
        ] = bytes.first_chunk::<ACL_HEADER>().ok_or_else(short)?;
        if !matches!(revision, 2..=4) {
            return Err(bad(format!("revision {revision} of the list is unknown")));
        }
        let size = usize::from(u16::from_le_bytes([size_low, size_high]));
        let mut rest = bytes.get(ACL_HEADER..size).ok_or_else(short)?;
        let count = u16::from_le_bytes([count_low, count_high]);
        let mut aces = Vec::new();
        for number in 1..=count {
            let short = || bad(format!("entry {number} is cut off"));
            let &[ace_type, flags, low, high] =
                rest.first_chunk::<ACE_HEADER>().ok_or_else(short)?;
            let size = usize::from(u16::from_le_bytes([low, high]));
            let body = rest.get(ACE_HEADER..size).ok_or_else(short)?;
            let body = AceBody::parse(ace_type, body)
                .ok_or_else(|| bad(format!("entry {number} is malformed")))?;
            aces.push(Ace {
                ace_type,
                flags,
                body,
            });
            rest = rest.get(size..).ok_or_else(short)?;
        }
        Ok(Self { revision, aces })
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, InvalidSecurityDescriptor> {
        let large = |what: &str| InvalidSecurityDescriptor::new(format!("{what} is too large"));
        let mut entries = Vec::new();
        for ace in &self.aces {
            let body = ace.body.to_bytes();
            let size = u16::try_from(ACE_HEADER + body.len()).map_err(|_| large("an entry"))?;
            entries.extend_from_slice(&[ace.ace_type, ace.flags]);
            entries.extend_from_slice(&size.to_le_bytes());
            entries.extend_from_slice(&body);
        }
        let size = u16::try_from(ACL_HEADER + entries.len()).map_err(|_| large("a list"))?;
        let count = u16::try_from(self.aces.len()).map_err(|_| large("a list"))?;
        let revision = if self.aces.iter().any(Ace::is_object) {
            self.revision.max(4)
        } else {
            self.revision
        };
        let mut bytes = vec![revision, 0];
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&entries);
        Ok(bytes)
    }

    /// The entries as runs of one kind, each run sorted and without repetitions. Two lists with equal runs grant the
    /// same access.
    pub(super) fn runs(&self) -> Vec<Vec<Ace>> {
        let kind = |ace: &Ace| {
            let denies = matches!(ace.ace_type, 0x01 | 0x06 | 0x0A | 0x0C);
            (ace.flags & ace_flag::INHERITED != 0, denies)
        };
        self.aces
            .chunk_by(|a, b| kind(a) == kind(b))
            .map(|run| {
                let mut run = run.to_vec();
                run.sort();
                run.dedup();
                run
            })
            .collect()
    }
}

impl Ace {
    /// An entry without object types that allows these rights.
    pub fn allow(flags: u8, mask: u32, sid: Sid) -> Self {
        Self {
            ace_type: ace_type::ACCESS_ALLOWED,
            flags,
            body: AceBody::Rights(AceRights {
                mask,
                object: None,
                sid,
                application_data: Vec::new(),
            }),
        }
    }

    /// The rights, unless the type is not known.
    pub fn rights(&self) -> Option<&AceRights> {
        match &self.body {
            AceBody::Rights(rights) => Some(rights),
            AceBody::Unknown(_) => None,
        }
    }

    /// The rights, mutable.
    pub fn rights_mut(&mut self) -> Option<&mut AceRights> {
        match &mut self.body {
            AceBody::Rights(rights) => Some(rights),
            AceBody::Unknown(_) => None,
        }
    }

    /// The principal, unless the type is not known.
    pub fn sid(&self) -> Option<&Sid> {
        self.rights().map(|rights| &rights.sid)
    }

    /// Whether the entry allows something, with or without a condition.
    pub fn allows(&self) -> bool {
        matches!(
            self.ace_type,
            ace_type::ACCESS_ALLOWED
                | ace_type::ACCESS_ALLOWED_OBJECT
                | ace_type::ACCESS_ALLOWED_CALLBACK
                | ace_type::ACCESS_ALLOWED_CALLBACK_OBJECT
        )
    }

    /// Whether the entry denies something, with or without a condition.
    pub fn denies(&self) -> bool {
        matches!(
            self.ace_type,
            ace_type::ACCESS_DENIED
                | ace_type::ACCESS_DENIED_OBJECT
                | ace_type::ACCESS_DENIED_CALLBACK
                | ace_type::ACCESS_DENIED_CALLBACK_OBJECT
        )
    }

    /// Whether the entry allows or denies under a condition.
    pub fn is_callback(&self) -> bool {
        matches!(
            self.ace_type,
            ace_type::ACCESS_ALLOWED_CALLBACK..=ace_type::ACCESS_DENIED_CALLBACK_OBJECT
        )
    }

    /// Whether the entry is one of the object variants.
    pub fn is_object(&self) -> bool {
        has_object_types(self.ace_type)
    }
}

impl AceRights {
    /// The attribute, property set, extended right or class of children that the rights are about; `None` for all.
    pub fn object_type(&self) -> Option<Guid> {
        self.object.and_then(|object| object.object_type)
    }

    /// The class of children that inherit the entry; `None` for all.
    pub fn inherited_object_type(&self) -> Option<Guid> {
        self.object.and_then(|object| object.inherited_object_type)
    }
}

impl AceBody {
    fn parse(ace_type: u8, bytes: &[u8]) -> Option<Self> {
        if !has_rights(ace_type) {
            return Some(Self::Unknown(bytes.to_vec()));
        }
        let (mask, mut rest) = word(bytes)?;
        let mut object = None;
        if has_object_types(ace_type) {
            let flags;
            (flags, rest) = word(rest)?;
            let mut guid = |bit: u32| -> Option<Option<Guid>> {
                if flags & bit == 0 {
                    return Some(None);
                }
                let (guid, after) = rest.split_first_chunk::<16>()?;
                rest = after;
                Some(Some(Guid::from_bytes_le(*guid)))
            };
            object = Some(ObjectTypes {
                other_flags: flags & !(OBJECT_TYPE_PRESENT | INHERITED_OBJECT_TYPE_PRESENT),
                object_type: guid(OBJECT_TYPE_PRESENT)?,
                inherited_object_type: guid(INHERITED_OBJECT_TYPE_PRESENT)?,
            });
        }
        let (sid, used) = Sid::parse_prefix(rest).ok()?;
        Some(Self::Rights(AceRights {
            mask,
            object,
            sid,
            application_data: rest.get(used..)?.to_vec(),
        }))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let rights = match self {
            Self::Unknown(bytes) => return bytes.clone(),
            Self::Rights(rights) => rights,
        };
        let mut bytes = rights.mask.to_le_bytes().to_vec();
        if let Some(object) = &rights.object {
            let mut flags = object.other_flags;
            let mut guids = Vec::new();
            for (guid, bit) in [
                (object.object_type, OBJECT_TYPE_PRESENT),
                (object.inherited_object_type, INHERITED_OBJECT_TYPE_PRESENT),
            ] {
                if let Some(guid) = guid {
                    flags |= bit;
                    guids.extend_from_slice(&guid.to_bytes_le());
                }
            }
            bytes.extend_from_slice(&flags.to_le_bytes());
            bytes.extend_from_slice(&guids);
        }
        bytes.extend_from_slice(&rights.sid.to_bytes());
        bytes.extend_from_slice(&rights.application_data);
        bytes
    }
}

/// The little-endian 32-bit number at the start, and what follows it.
fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*word), rest))
}
