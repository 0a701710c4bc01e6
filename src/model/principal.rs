//! Security principals and their names in backups, migration tables and directories.

use super::sid::Sid;

/// The type of a principal: the `Type` of a migration table and of `SecurityGroups` in Backup.xml [gpmgmt.h
/// GPMEntryType]. UNC paths are the seventh entry type of a table and are not principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum PrincipalType {
    /// A user.
    User,
    /// A computer.
    Computer,
    /// A domain local group.
    LocalGroup,
    /// A global group.
    GlobalGroup,
    /// A universal group.
    UniversalGroup,
    /// Free text, a SID, or a well-known principal.
    Unknown,
}

impl PrincipalType {
    /// The literal in Backup.xml and migration tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Computer => "Computer",
            Self::LocalGroup => "LocalGroup",
            Self::GlobalGroup => "GlobalGroup",
            Self::UniversalGroup => "UniversalGroup",
            Self::Unknown => "Unknown",
        }
    }

    /// Parses the literal, which is case-sensitive; `None` for any other text.
    pub fn from_literal(text: &str) -> Option<Self> {
        [
            Self::User,
            Self::Computer,
            Self::LocalGroup,
            Self::GlobalGroup,
            Self::UniversalGroup,
            Self::Unknown,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }
}

/// A principal with all its names: the six fields of a `Group` in Backup.xml. A field that is not known is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Principal {
    /// The SID. `None` for a well-known principal in a backup, for which GPMC writes only the English name.
    pub sid: Option<Sid>,
    /// `sAMAccountName`; empty when the SID could not be resolved.
    pub sam_account_name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: PrincipalType,
    /// The NetBIOS name of its domain.
    pub netbios_domain: String,
    /// The DNS name of its domain.
    pub dns_domain: String,
    /// The account's own `userPrincipalName`, as GPMC writes it; for one that has none, such as a group or computer,
    /// `sAMAccountName@dns.domain`.
    pub upn: String,
}

impl Principal {
    /// A principal of a domain, without a UPN of its own.
    pub fn of_domain(
        sid: Sid,
        sam_account_name: &str,
        kind: PrincipalType,
        netbios_domain: &str,
        dns_domain: &str,
    ) -> Self {
        Self {
            sid: Some(sid),
            sam_account_name: sam_account_name.to_owned(),
            kind,
            netbios_domain: netbios_domain.to_owned(),
            dns_domain: dns_domain.to_owned(),
            upn: format!("{sam_account_name}@{dns_domain}"),
        }
    }

    /// A principal known by its SID only.
    pub fn unresolved(sid: Sid) -> Self {
        Self {
            sid: Some(sid),
            ..Self::named("")
        }
    }

    /// A principal known by a bare name only: a well-known one, or free text.
    pub fn named(name: &str) -> Self {
        Self {
            sid: None,
            sam_account_name: name.to_owned(),
            kind: PrincipalType::Unknown,
            netbios_domain: String::new(),
            dns_domain: String::new(),
            upn: String::new(),
        }
    }

    /// `DOMAIN\name`, or the bare name when the domain is not known.
    pub fn down_level_name(&self) -> String {
        if self.netbios_domain.is_empty() {
            self.sam_account_name.clone()
        } else {
            format!("{}\\{}", self.netbios_domain, self.sam_account_name)
        }
    }
}
