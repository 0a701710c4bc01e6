//! The port to the directory: LDAP requests [RFC 4511] to one domain controller, and how they fail. A result is an entry or
//! a result code; what that means for a GPO is for [`crate::directory`] to say.

mod entry;
mod filter;

pub use entry::Entry;
pub(crate) use entry::parse_dword;
pub use filter::Filter;

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Error;
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;

/// `noSuchAttribute`: a compare-and-swap met another value.
pub const NO_SUCH_ATTRIBUTE: u32 = 16;
/// `attributeOrValueExists`: a compare-and-swap expected no value and met one.
pub const VALUE_EXISTS: u32 = 20;
/// `noSuchObject`.
pub const NO_SUCH_OBJECT: u32 = 32;
/// `insufficientAccessRights`.
pub const ACCESS_DENIED: u32 = 50;
/// `notAllowedOnNonLeaf`.
pub const NOT_ON_NON_LEAF: u32 = 66;
/// `entryAlreadyExists`.
pub const ENTRY_EXISTS: u32 = 68;

/// Which objects a search looks at [RFC 4511 4.5.1.2].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The base itself.
    Base,
    /// What is directly below the base.
    OneLevel,
    /// The base and everything below it.
    Subtree,
}

/// A search: where, what and which attributes.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// The base; `None` is the rootDSE.
    pub base: Option<&'a Dn>,
    /// Which objects.
    pub scope: Scope,
    /// Which of them.
    pub filter: Filter,
    /// The attributes to return; `*` is all of them but the operational ones.
    pub attributes: &'a [&'a str],
    /// Which parts of descriptors to return, if any [MS-ADTS 3.1.1.3.4.1.11]: 1 owner, 2 group, 4 DACL, 8 SACL.
    pub sd_flags: Option<u32>,
    /// In pages, for results that may be many; the caller sees one result.
    pub paged: bool,
}

/// One change of a modify [RFC 4511 4.6]: the attribute and its values. A value that is given twice counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Modification {
    /// Adds these values.
    Add(String, Vec<Vec<u8>>),
    /// Deletes these values, or the attribute when there are none.
    Delete(String, Vec<Vec<u8>>),
    /// Puts these values in the place of all others; none delete the attribute, which may be absent.
    Replace(String, Vec<Vec<u8>>),
}

/// Why a request has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum LdapFailure {
    /// The server answered with a result code other than success [RFC 4511 A].
    Result {
        /// The code.
        code: u32,
        /// The server's text.
        text: String,
    },
    /// No answer within this time. A change that was sent may still have been made.
    NoAnswer {
        /// The time-out.
        within: Duration,
    },
    /// The connection was lost. A change that was sent may still have been made.
    ConnectionLost {
        /// What ended it.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The request could not be sent.
    NotSent {
        /// What is wrong with it.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The result is larger than is accepted.
    TooMuch {
        /// The limit, such as `512 MiB`.
        limit: String,
    },
    /// The answer is malformed.
    Malformed(Error),
}

impl LdapFailure {
    /// A result code with the server's text.
    pub fn result(code: u32, text: impl Into<String>) -> Self {
        Self::Result {
            code,
            text: text.into(),
        }
    }

    /// The result code, if the server answered with one.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Result { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// What can be asked of a directory.
#[async_trait]
pub trait LdapRead: Send + Sync {
    /// Searches. References to other servers are passed over. What the account may not read is not returned.
    async fn search(&self, search: &Search<'_>) -> Result<Vec<Entry>, LdapFailure>;

    /// The domain controller, under the name by which it was asked for.
    fn server(&self) -> &DomainName;

    /// Who logged in: the Kerberos principal, or the name of the simple bind.
    fn bound_as(&self) -> &str;
}

/// What can be changed in a directory. Each request is done as a whole or not at all.
#[async_trait]
pub trait LdapWrite: LdapRead {
    /// Adds an object below one that exists. `sd_flags` are the parts of its descriptor that are given.
    async fn add(
        &self,
        dn: &Dn,
        attributes: Vec<(String, Vec<Vec<u8>>)>,
        sd_flags: Option<u32>,
    ) -> Result<(), LdapFailure>;

    /// Changes an object, in the order of the modifications: all of them or none. `sd_flags` are the parts of its descriptor
    /// that are meant.
    async fn modify(
        &self,
        dn: &Dn,
        modifications: Vec<Modification>,
        sd_flags: Option<u32>,
    ) -> Result<(), LdapFailure>;

    /// Deletes an object, with everything below it if `tree` says so [MS-ADTS 3.1.1.3.4.1.15].
    async fn delete(&self, dn: &Dn, tree: bool) -> Result<(), LdapFailure>;
}
