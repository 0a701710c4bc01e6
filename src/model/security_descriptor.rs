//! Security descriptors: bytes to values and back [MS-DTYP 2.4.6].
//!
//! A parsed descriptor keeps its bytes and returns them as long as its fields are unchanged, whatever its layout. A
//! descriptor that was built or changed is written in the layout that GPMC uses: header, SACL, DACL, owner, group; a
//! DACL alone is at offset 20.

mod acl;
mod file_descriptor;

pub use acl::{Ace, AceBody, AceRights, Acl, ObjectTypes, ace_flag, ace_type};
pub(crate) use acl::{has_object_types, has_rights};
pub(crate) use file_descriptor::rights_on_files;
pub use file_descriptor::{FileDescriptor, FileEntries, file_descriptor};

use super::sid::Sid;

/// Bits of the control word [MS-DTYP 2.4.6].
pub mod control {
    /// The owner was set by a default mechanism.
    pub const OWNER_DEFAULTED: u16 = 0x0001;
    /// The group was set by a default mechanism.
    pub const GROUP_DEFAULTED: u16 = 0x0002;
    /// A DACL is present; without bytes for it, a NULL DACL.
    pub const DACL_PRESENT: u16 = 0x0004;
    /// A SACL is present.
    pub const SACL_PRESENT: u16 = 0x0010;
    /// The writer asks for inherited entries to be computed.
    pub const DACL_AUTO_INHERIT_REQ: u16 = 0x0100;
    /// As above, for the SACL.
    pub const SACL_AUTO_INHERIT_REQ: u16 = 0x0200;
    /// Inherited entries were computed.
    pub const DACL_AUTO_INHERITED: u16 = 0x0400;
    /// As above, for the SACL.
    pub const SACL_AUTO_INHERITED: u16 = 0x0800;
    /// The DACL inherits nothing from the parent.
    pub const DACL_PROTECTED: u16 = 0x1000;
    /// The SACL inherits nothing from the parent.
    pub const SACL_PROTECTED: u16 = 0x2000;
    /// The bytes are self-relative.
    pub const SELF_RELATIVE: u16 = 0x8000;
}

/// The bytes are not a security descriptor, or the value does not fit in one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("security descriptor: {0}")]
pub struct InvalidSecurityDescriptor(pub(crate) String);

impl InvalidSecurityDescriptor {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The largest descriptor that is read, in bytes: two lists of at most 64 KiB each, two SIDs, and room for padding.
pub const MAX_BYTES: usize = 1 << 18;

const HEADER: usize = 20;

/// A security descriptor that remembers its bytes: self-relative [MS-DTYP 2.4.6]. Two descriptors are equal when their
/// fields are equal, whatever their layout.
#[derive(Debug, Clone)]
pub struct SecurityDescriptor {
    /// The control word; see [`control`].
    pub control: u16,
    /// The resource manager's control byte (`Sbz1`), 0 unless a resource manager uses it.
    pub resource_manager_control: u8,
    /// The owner.
    pub owner: Option<Sid>,
    /// The group.
    pub group: Option<Sid>,
    /// The audit list. `None` with the control bit set is a NULL list.
    pub sacl: Option<Acl>,
    /// The access list. `None` with the control bit set is a NULL list, which grants everything; see
    /// [`SecurityDescriptor::dacl_state`].
    pub dacl: Option<Acl>,
    /// Only a truncated header was read.
    stub: bool,
    raw: Option<Vec<u8>>,
}

impl PartialEq for SecurityDescriptor {
    fn eq(&self, other: &Self) -> bool {
        self.fields() == other.fields()
    }
}

impl Eq for SecurityDescriptor {}

/// The state of the DACL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DaclState<'a> {
    /// No DACL is present.
    Absent,
    /// A NULL DACL, which grants everyone full access.
    Null,
    /// A DACL; an empty one grants nothing.
    List(&'a Acl),
}

impl Default for SecurityDescriptor {
    fn default() -> Self {
        Self::new()
    }
}

impl SecurityDescriptor {
    /// Creates an empty descriptor.
    pub fn new() -> Self {
        Self {
            control: control::SELF_RELATIVE,
            resource_manager_control: 0,
            owner: None,
            group: None,
            sacl: None,
            dacl: None,
            stub: false,
            raw: None,
        }
    }

    /// Reads a self-relative descriptor [MS-DTYP 2.4.6] in any layout. A truncated header, such as the 8 bytes `01 00
    /// 04 80 00 00 00 00` in some published backups, is accepted and has no parts.
    ///
    /// # Errors
    /// When the revision is not 1, the descriptor is not self-relative, a part lies outside the bytes or is malformed,
    /// or there are fewer than 4 or more than [`MAX_BYTES`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidSecurityDescriptor> {
        let mut parsed = Self::parse_fields(bytes)?;
        parsed.raw = Some(bytes.to_vec());
        Ok(parsed)
    }

    fn parse_fields(bytes: &[u8]) -> Result<Self, InvalidSecurityDescriptor> {
        let bad = |text: String| InvalidSecurityDescriptor::new(text);
        if bytes.len() > MAX_BYTES {
            return Err(bad(format!("{} bytes are too many", bytes.len())));
        }
        let (&[revision, sbz1, low, high], rest) = bytes
            .split_first_chunk::<4>()
            .ok_or_else(|| bad(format!("{} bytes are too few", bytes.len())))?;
        let control = u16::from_le_bytes([low, high]);
        if revision != 1 {
            return Err(bad(format!("revision {revision} is unknown")));
        }
        if control & control::SELF_RELATIVE == 0 {
            return Err(bad("it is not self-relative".into()));
        }
        let mut offsets = [0_usize; 4];
        if bytes.len() >= HEADER {
            for (offset, chunk) in offsets.iter_mut().zip(rest.chunks_exact(4)) {
                let number = chunk.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX);
                *offset = usize::try_from(number).unwrap_or(usize::MAX);
            }
        } else if rest.iter().any(|byte| *byte != 0) {
            return Err(bad(format!("the header ends after {} bytes", bytes.len())));
        }
        let part = |offset: usize, what: &str| -> Result<&[u8], InvalidSecurityDescriptor> {
            if offset < HEADER {
                return Err(bad(format!("the {what} is in the header")));
            }
            bytes
                .get(offset..)
                .ok_or_else(|| bad(format!("the {what} is outside of it")))
        };
        let sid = |offset: usize, what: &str| -> Result<Option<Sid>, InvalidSecurityDescriptor> {
            if offset == 0 {
                return Ok(None);
            }
            Sid::parse_prefix(part(offset, what)?)
                .map(|(sid, _)| Some(sid))
                .map_err(|_| bad(format!("the {what} is not a SID")))
        };
        let acl = |offset: usize, bit: u16, what: &str| {
            // A list whose control bit is not set is ignored.
            if offset == 0 || control & bit == 0 {
                return Ok(None);
            }
            Acl::parse(part(offset, what)?)
                .map(Some)
                .map_err(|error| bad(format!("{what}: {}", error.0)))
        };
        let [owner, group, sacl, dacl] = offsets;
        Ok(Self {
            control,
            resource_manager_control: sbz1,
            owner: sid(owner, "owner")?,
            group: sid(group, "group")?,
            sacl: acl(sacl, control::SACL_PRESENT, "SACL")?,
            dacl: acl(dacl, control::DACL_PRESENT, "DACL")?,
            stub: bytes.len() < HEADER,
            raw: None,
        })
    }

    /// The self-relative bytes: the original bytes while no field has changed, otherwise GPMC's layout.
    ///
    /// # Errors
    /// When a list or an entry is too large for its 16-bit length field.
    pub fn to_bytes(&self) -> Result<Vec<u8>, InvalidSecurityDescriptor> {
        if let Some(raw) = &self.raw
            && Self::parse_fields(raw).is_ok_and(|unchanged| unchanged == *self)
        {
            return Ok(raw.clone());
        }
        self.build()
    }

    fn build(&self) -> Result<Vec<u8>, InvalidSecurityDescriptor> {
        let sacl = self.sacl.as_ref().map(Acl::to_bytes).transpose()?;
        let dacl = self.dacl.as_ref().map(Acl::to_bytes).transpose()?;
        let mut control = self.control | control::SELF_RELATIVE;
        if self.stub {
            // The control word of a stub announces a list that is missing; with the bit set it would be a NULL list.
            control &= !(control::DACL_PRESENT | control::SACL_PRESENT);
        }
        for (list, bit) in [
            (&sacl, control::SACL_PRESENT),
            (&dacl, control::DACL_PRESENT),
        ] {
            if list.is_some() {
                control |= bit;
            }
        }
        let mut body = Vec::new();
        let mut place = |part: Option<Vec<u8>>| -> u32 {
            let Some(part) = part else { return 0 };
            let offset = u32::try_from(HEADER + body.len()).unwrap_or(0);
            body.extend_from_slice(&part);
            offset
        };
        let sacl = place(sacl);
        let dacl = place(dacl);
        let owner = place(self.owner.as_ref().map(Sid::to_bytes));
        let group = place(self.group.as_ref().map(Sid::to_bytes));
        let mut bytes = vec![1, self.resource_manager_control];
        bytes.extend_from_slice(&control.to_le_bytes());
        for offset in [owner, group, sacl, dacl] {
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    fn fields(&self) -> impl PartialEq + '_ {
        (
            self.control,
            self.resource_manager_control,
            self.stub,
            (&self.owner, &self.group, &self.sacl, &self.dacl),
        )
    }

    /// Whether only a truncated header was read, because the descriptor was removed before the backup was published.
    pub fn is_stub(&self) -> bool {
        self.stub
    }

    /// The DACL; distinguishes a NULL DACL and an absent one.
    pub fn dacl_state(&self) -> DaclState<'_> {
        match &self.dacl {
            Some(acl) => DaclState::List(acl),
            None if self.control & control::DACL_PRESENT != 0 && !self.is_stub() => DaclState::Null,
            None => DaclState::Absent,
        }
    }

    /// Whether the DACL is protected from inheritance.
    pub fn is_dacl_protected(&self) -> bool {
        self.control & control::DACL_PROTECTED != 0
    }

    /// Whether the DACL has an inherited entry.
    pub fn has_inherited_aces(&self) -> bool {
        self.dacl
            .iter()
            .flat_map(|acl| &acl.aces)
            .any(|ace| ace.flags & ace_flag::INHERITED != 0)
    }

    /// The SIDs of the owner, the group and the DACL's entries, in this order, including repetitions.
    pub fn principals(&self) -> impl Iterator<Item = &Sid> {
        self.owner.iter().chain(&self.group).chain(
            self.dacl
                .iter()
                .flat_map(|acl| &acl.aces)
                .filter_map(Ace::sid),
        )
    }

    /// The same descriptor without the DACL's object entries.
    #[must_use]
    pub fn without_object_aces(&self) -> Self {
        let mut without = self.clone();
        if let Some(acl) = &mut without.dacl {
            acl.aces.retain(|ace| !ace.is_object());
        }
        without
    }
}

/// The part of a descriptor that a backup contains: the DACL alone, at offset 20, with the control word that GPMC
/// writes: `0x9C04` for a protected DACL, `0x8C04` for another one.
///
/// # Errors
/// As [`SecurityDescriptor::parse`], and when there is no DACL or a NULL DACL, because a backup of that would open the
/// GPO to everyone.
pub fn dacl_only(bytes: &[u8]) -> Result<Vec<u8>, InvalidSecurityDescriptor> {
    let whole = SecurityDescriptor::parse(bytes)?;
    let DaclState::List(dacl) = whole.dacl_state() else {
        return Err(InvalidSecurityDescriptor::new("it has no DACL"));
    };
    SecurityDescriptor {
        control: control::SELF_RELATIVE
            | control::SACL_AUTO_INHERITED
            | control::DACL_AUTO_INHERITED
            | control::DACL_PRESENT
            | (whole.control & control::DACL_PROTECTED),
        dacl: Some(dacl.clone()),
        ..SecurityDescriptor::new()
    }
    .to_bytes()
}

/// Whether two descriptors grant the same: the same state of the DACL, the same protection, the same entries. The
/// layout, the SACL, the bits that record how a DACL was computed, and the order and number of entries within a run of
/// the same kind (inherited or not, allowing or denying) are ignored. Owners and groups are compared only when both
/// descriptors have one, because a backup has none.
pub fn grants_same_access(a: &SecurityDescriptor, b: &SecurityDescriptor) -> bool {
    let agree = |a: &Option<Sid>, b: &Option<Sid>| a.is_none() || b.is_none() || a == b;
    agree(&a.owner, &b.owner)
        && agree(&a.group, &b.group)
        && a.is_dacl_protected() == b.is_dacl_protected()
        && match (a.dacl_state(), b.dacl_state()) {
            (DaclState::List(a), DaclState::List(b)) => a.runs() == b.runs(),
            (a, b) => a == b,
        }
}

#[cfg(test)]
mod tests;
