//! Looking up principals in a domain.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::dn::Dn;
use crate::model::principal::Principal;
use crate::model::sid::Sid;

/// A principal to look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalQuery {
    /// By SID.
    Sid(Sid),
    /// By name: `DOMAIN\name`, `dns.domain\name`, `name@dns.domain`, or a bare name. Not case-sensitive.
    Name(String),
}

/// The result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookup {
    /// Exactly one principal.
    Found(Principal),
    /// No principal.
    NotFound,
    /// Several principals, as `DOMAIN\name`.
    Ambiguous(Vec<String>),
    /// The name belongs to this domain, which is unknown to the queried one.
    OtherDomain(String),
}

/// A domain in which principals can be looked up.
#[async_trait]
pub trait PrincipalDirectory: Send + Sync {
    /// Looks up all queries and returns the results in the same order, in batched searches.
    ///
    /// # Errors
    /// When the directory cannot be queried.
    async fn lookup(&self, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>>;

    /// Whether objects with these DNs exist in the domain, in the order of the DNs.
    ///
    /// # Errors
    /// When the directory cannot be queried.
    async fn objects_exist(&self, dns: &[Dn]) -> Result<Vec<bool>>;

    /// The DNS name of the domain.
    fn dns_domain(&self) -> &str;

    /// The NetBIOS name of the domain.
    fn netbios_domain(&self) -> &str;

    /// The SID of the domain, with which accounts that every domain has are looked up by their RID; `None` when it is not known, and they
    /// are looked up by name alone.
    fn domain_sid(&self) -> Option<&Sid> {
        None
    }
}

/// A domain whose principals can be listed.
#[async_trait]
pub trait PrincipalList: PrincipalDirectory {
    /// Every user, group and computer, in no particular order.
    ///
    /// # Errors
    /// When the directory cannot be queried.
    async fn principals(&self) -> Result<Vec<Principal>>;
}
