//! The version of a GPO, which combines the computer and the user version.

use std::fmt;

/// The version of a GPO: `versionNumber` in AD and `Version` in GPT.INI hold both halves as
/// user × 65536 + machine [MS-GPOL 2.2.4].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct GpoVersion {
    /// The number of changes of the user configuration.
    pub user: u16,
    /// The number of changes of the computer configuration.
    pub machine: u16,
}

impl GpoVersion {
    /// From the combined number.
    pub fn from_combined(number: u32) -> Self {
        let [a, b, c, d] = number.to_be_bytes();
        Self {
            user: u16::from_be_bytes([a, b]),
            machine: u16::from_be_bytes([c, d]),
        }
    }

    /// The combined number, user × 65536 + machine.
    pub fn combined(self) -> u32 {
        u32::from(self.user) << 16 | u32::from(self.machine)
    }

    /// The combined number as LDAP represents it: a signed 32-bit integer [MS-ADTS 3.1.1.2.2.2.8].
    pub fn to_ldap(self) -> i32 {
        self.combined().cast_signed()
    }

    /// For the user: `computer 3, user 1`.
    pub fn in_words(self) -> String {
        format!("computer {}, user {}", self.machine, self.user)
    }

    /// The higher number of each half.
    #[must_use]
    pub fn higher(self, other: Self) -> Self {
        Self {
            user: self.user.max(other.user),
            machine: self.machine.max(other.machine),
        }
    }

    /// Increments both versions; a version that overflows continues at 1, never 0 [MS-GPOL 3.3.4.5].
    #[must_use]
    pub fn next(self) -> Self {
        let up = |half: u16| half.checked_add(1).unwrap_or(1);
        Self {
            user: up(self.user),
            machine: up(self.machine),
        }
    }
}

impl fmt::Display for GpoVersion {
    /// `user/machine`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user, self.machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_wrap() {
        let version = GpoVersion::from_combined(65_537);
        assert_eq!((version.user, version.machine), (1, 1));
        assert_eq!(version.next().combined(), 131_074);
        assert_eq!(
            GpoVersion::from_combined(u32::MAX).next().combined(),
            65_537
        );
        assert_eq!(
            GpoVersion::from_combined(0x8000_0001).to_ldap(),
            -2_147_483_647
        );
    }
}
