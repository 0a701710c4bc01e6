//! An account as a client of Group Policy: its identity, its place in the directory, and its groups.

use super::links::Som;
use super::session::Directory;
use crate::domain::ldap::{Filter, Scope, Search};
use crate::domain::principals::{Lookup, PrincipalDirectory as _, PrincipalQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::message::printable;
use crate::model::dn::Dn;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::sid::Sid;

/// A user or a computer.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its identity.
    pub principal: Principal,
    /// Its SID.
    pub sid: Sid,
    /// Its DN.
    pub dn: Dn,
    /// The SIDs of all its groups, including nested ones: `tokenGroups` [MS-ADTS 3.1.1.4.5.19].
    pub groups: Vec<Sid>,
}

impl Account {
    /// Whether it is a computer.
    pub fn is_computer(&self) -> bool {
        self.principal.kind == PrincipalType::Computer
    }
}

impl Directory {
    /// The user or computer of the domain with this name, with or without the `$` of a computer.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; [`ErrorKind::Conflict`] when there are several; [`ErrorKind::Usage`] when it
    /// is neither user nor computer.
    pub(crate) async fn account(&self, name: &str) -> Result<Account> {
        let shown = printable(name);
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                format!(
                    "there is no account \"{shown}\" in {}",
                    self.info().dns_domain
                ),
            )
            .with_hint("name a user or a computer of the domain")
        };
        let query = match name.parse() {
            Ok(sid) => PrincipalQuery::Sid(sid),
            Err(_) => PrincipalQuery::Name(name.to_owned()),
        };
        let principal = match self.lookup(&[query]).await?.pop() {
            Some(Lookup::Found(principal)) => principal,
            Some(Lookup::Ambiguous(names)) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("\"{shown}\" matches {} accounts", names.len()),
                )
                .with_candidates(names)
                .with_hint("use the SID, or DOMAIN\\NAME"));
            }
            _ => return Err(missing()),
        };
        if !matches!(
            principal.kind,
            PrincipalType::User | PrincipalType::Computer
        ) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("\"{shown}\" is neither a user nor a computer"),
            )
            .with_hint("policy applies to users and computers; name one of the group's members"));
        }
        let sid = principal.sid.clone().ok_or_else(missing)?;
        let found = self
            .search(Search {
                base: Some(&self.info().base),
                scope: Scope::Subtree,
                filter: Filter::equals_bytes("objectSid", &sid.to_bytes()),
                attributes: &["objectClass"],
                sd_flags: None,
                paged: true,
                extended_dns: false,
            })
            .await?;
        let dn = found
            .into_iter()
            .next()
            .map(|entry| entry.dn)
            .ok_or_else(missing)?;
        // The server computes the groups only in a search of the object itself.
        let entry = self
            .read(&dn, &["tokenGroups"], None)
            .await?
            .ok_or_else(missing)?;
        let groups = entry
            .values("tokenGroups")
            .iter()
            .filter_map(|bytes| Sid::from_bytes(bytes).ok())
            .collect();
        Ok(Account {
            principal,
            sid,
            dn,
            groups,
        })
    }

    /// The OUs above an object, nearest first, and the domain; other containers have no links [MS-GPOL 3.2.5.1.3].
    ///
    /// # Errors
    /// As every search.
    pub(crate) async fn soms_above(&self, dn: &Dn) -> Result<Vec<Som>> {
        let base = &self.info().base;
        let mut soms = Vec::new();
        let mut at = dn.parent();
        while let Some(dn) = at {
            let is_ou = dn
                .rdns()
                .first()
                .is_some_and(|rdn| rdn.attribute.eq_ignore_ascii_case("OU"));
            if is_ou || dn == *base {
                soms.push(self.som(&dn).await?);
            }
            at = (dn != *base).then(|| dn.parent()).flatten();
        }
        Ok(soms)
    }

    /// The sites of the forest.
    ///
    /// # Errors
    /// As every search.
    pub(crate) async fn sites(&self) -> Result<Vec<Dn>> {
        let sites = self.info().configuration.cn("Sites");
        let found = self
            .search(Search {
                base: Some(&sites),
                scope: Scope::OneLevel,
                filter: Filter::equals("objectClass", "site"),
                attributes: &["objectClass"],
                sd_flags: None,
                paged: true,
                extended_dns: false,
            })
            .await?;
        Ok(found.into_iter().map(|entry| entry.dn).collect())
    }
}
