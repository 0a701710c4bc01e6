//! Security descriptors: bytes to values and back [MS-DTYP 2.4.6].

use super::sid::Sid;

/// A security descriptor that remembers its bytes: self-relative [MS-DTYP 2.4.6].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityDescriptor {
    /// The control word [MS-DTYP 2.4.6].
    pub control: u16,
    /// The owner.
    pub owner: Option<Sid>,
    /// The group.
    pub group: Option<Sid>,
}
