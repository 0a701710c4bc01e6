//! Who a name is, asked of a domain.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::principal::Principal;
use crate::model::sid::Sid;

/// A principal asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PrincipalQuery {
    /// By SID.
    Sid(Sid),
    /// By name: `DOMAIN\name`, `dns.domain\name`, `name@dns.domain`, or a bare name. Compared without regard to case.
    Name(String),
}

/// What the domain answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Exactly one.
    Found(Principal),
    /// None.
    NotFound,
    /// The name stands for several; their `DOMAIN\name` forms.
    Ambiguous(Vec<String>),
    /// The name is of a domain that this one does not know.
    OtherDomain(String),
}

/// A domain that can be asked who its principals are.
#[async_trait]
pub trait PrincipalDirectory: Send + Sync {
    /// Answers every query, in their order; batched, not one search for each.
    ///
    /// # Errors
    /// When the directory cannot be asked at all.
    async fn lookup(&self, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>>;

    /// The DNS name of the domain.
    fn dns_domain(&self) -> &str;

    /// The NetBIOS name of the domain.
    fn netbios_domain(&self) -> &str;
}

/// A domain whose principals can be listed.
#[async_trait]
pub trait PrincipalList: PrincipalDirectory {
    /// Every user, group and computer, in no particular order.
    ///
    /// # Errors
    /// When the directory cannot be asked.
    async fn principals(&self) -> Result<Vec<Principal>>;
}
