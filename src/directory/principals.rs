//! Looks up SIDs and names in this domain, in as few searches as possible.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::session::{Directory, DomainInfo};
use crate::domain::ldap::{Entry, Filter, Scope, Search};
use crate::domain::principals::{Lookup, PrincipalDirectory, PrincipalList, PrincipalQuery};
use crate::error::Result;
use crate::model::dn::Dn;
use crate::model::principal::{Principal, PrincipalType};
use crate::model::sid::Sid;
use crate::model::well_known;
use async_trait::async_trait;

/// The maximum number of conditions in one search: a name, also as that of a computer, has at most four, so a search can look
/// up a hundred names or more. AD accepts more, but a filter of this size is cheap on every server.
const BATCH: usize = 400;

/// The attributes of an account.
const ATTRIBUTES: &[&str] = &[
    "objectSid",
    "sAMAccountName",
    "userPrincipalName",
    "objectClass",
    "groupType",
];

/// One condition of a search: a value that makes an object a candidate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Term {
    Sid(Sid),
    Account(String),
    UserPrincipalName(String),
}

impl Term {
    fn filter(&self) -> Filter {
        match self {
            Self::Sid(sid) => Filter::equals_bytes("objectSid", &sid.to_bytes()),
            Self::Account(name) => Filter::equals("sAMAccountName", name),
            Self::UserPrincipalName(name) => Filter::equals("userPrincipalName", name),
        }
    }
}

/// What is known about a query before the directory is searched.
#[derive(Debug, PartialEq, Eq)]
enum Intent {
    /// The answer.
    Known(Lookup),
    /// A SID of this domain.
    Sid(Sid),
    /// A name of this domain.
    Account {
        /// The account name, in lower case.
        name: String,
        /// The `userPrincipalName` that the name may also be, in lower case; empty for `DOMAIN\name`.
        upn: String,
        /// The answer when neither is found.
        otherwise: Lookup,
    },
}

/// An account from a search.
#[derive(Clone)]
struct Candidate {
    sid: Sid,
    account: String,
    upn: Option<String>,
    kind: PrincipalType,
}

impl Candidate {
    /// Reads an account; `None` for an object without SID or account name.
    fn read(entry: &Entry) -> Option<Self> {
        let classes: Vec<String> = entry
            .texts("objectClass")
            .iter()
            .map(|class| class.to_ascii_lowercase())
            .collect();
        let group_type = entry.dword("groupType").ok().flatten();
        Some(Self {
            sid: Sid::from_bytes(entry.bytes("objectSid")?).ok()?,
            account: entry.text("sAMAccountName")?,
            upn: entry.text("userPrincipalName"),
            kind: kind_of(&classes, group_type),
        })
    }

    fn principal(&self, info: &DomainInfo) -> Principal {
        if self.sid.is_domain_sid() {
            let mut principal = Principal::of_domain(
                self.sid.clone(),
                &self.account,
                self.kind,
                &info.netbios_domain,
                &info.dns_domain.lower(),
            );
            // A computer may have one too, which GPMC does not write.
            if let (Some(upn), PrincipalType::User) = (&self.upn, self.kind) {
                principal.upn.clone_from(upn);
            }
            principal
        } else {
            // A built-in group that the table of well-known ones does not contain belongs to no domain.
            Principal {
                sid: Some(self.sid.clone()),
                kind: self.kind,
                ..Principal::named(&self.account)
            }
        }
    }
}

/// The type from the classes and `groupType` [MS-ADTS 2.2.12]: bit 0 builtin local, 1 global, 2 domain local, 3 universal.
fn kind_of(classes: &[String], group_type: Option<u32>) -> PrincipalType {
    let is = |class: &str| classes.iter().any(|known| known == class);
    match group_type {
        Some(bits) if bits & 0x8 != 0 => PrincipalType::UniversalGroup,
        Some(bits) if bits & 0x2 != 0 => PrincipalType::GlobalGroup,
        Some(bits) if bits & 0x5 != 0 => PrincipalType::LocalGroup,
        // Every computer is a user by its class, so this comes first.
        _ if is("computer") => PrincipalType::Computer,
        _ if is("user") => PrincipalType::User,
        _ => PrincipalType::Unknown,
    }
}

/// A well-known principal under its English name.
fn well_known_principal(sid: Sid, name: &str) -> Lookup {
    Lookup::Found(Principal {
        sid: Some(sid),
        ..Principal::named(name)
    })
}

/// Determines what a query looks up in this domain.
fn intent(query: &PrincipalQuery, info: &DomainInfo) -> Intent {
    match query {
        PrincipalQuery::Sid(sid) => {
            if let Some(name) = well_known::name_of(sid) {
                return Intent::Known(well_known_principal(sid.clone(), name));
            }
            match sid.domain() {
                Some(domain) if domain == info.domain_sid => Intent::Sid(sid.clone()),
                // An object with a foreign SID is a placeholder below CN=ForeignSecurityPrincipals, never the account.
                Some(domain) => Intent::Known(Lookup::OtherDomain(domain.to_string())),
                // Built-in groups that are not in the table exist as objects.
                None => Intent::Sid(sid.clone()),
            }
        }
        PrincipalQuery::Name(name) => intent_of_name(name, info),
    }
}

/// Determines what a name looks up in this domain.
fn intent_of_name(name: &str, info: &DomainInfo) -> Intent {
    if let Some(sid) = well_known::sid_of_no_account(name) {
        let english = well_known::name_of(&sid).unwrap_or_default();
        return Intent::Known(well_known_principal(sid, english));
    }
    let dns = info.dns_domain.lower();
    let ours = |domain: &str| {
        domain.eq_ignore_ascii_case(&info.netbios_domain) || domain.eq_ignore_ascii_case(&dns)
    };
    let (account, upn, otherwise) = if let Some((domain, account)) = name.split_once('\\') {
        if domain.eq_ignore_ascii_case("BUILTIN") || domain.eq_ignore_ascii_case("NT AUTHORITY") {
            return Intent::Known(Lookup::NotFound);
        }
        if !ours(domain) {
            return Intent::Known(Lookup::OtherDomain(domain.to_owned()));
        }
        (account, String::new(), Lookup::NotFound)
    } else if let Some((account, domain)) = name.rsplit_once('@') {
        if ours(domain) {
            (account, name.to_lowercase(), Lookup::NotFound)
        } else {
            // The suffix of a userPrincipalName need not be the name of a domain, so it is looked up before it is treated as
            // foreign.
            (
                "",
                name.to_lowercase(),
                Lookup::OtherDomain(domain.to_owned()),
            )
        }
    } else {
        (
            name,
            format!("{}@{dns}", name.to_lowercase()),
            Lookup::NotFound,
        )
    };
    if account.is_empty() && upn.is_empty() {
        return Intent::Known(otherwise);
    }
    Intent::Account {
        name: account.to_lowercase(),
        upn,
        otherwise,
    }
}

/// The conditions that find every object an intent can match.
fn terms(intent: &Intent) -> Vec<Term> {
    match intent {
        Intent::Known(_) => Vec::new(),
        Intent::Sid(sid) => vec![Term::Sid(sid.clone())],
        Intent::Account { name, upn, .. } => {
            let mut terms = Vec::new();
            if !name.is_empty() {
                terms.push(Term::Account(name.clone()));
                if !name.ends_with('$') {
                    terms.push(Term::Account(format!("{name}$")));
                }
            }
            if !upn.is_empty() {
                terms.push(Term::UserPrincipalName(upn.clone()));
            }
            terms
        }
    }
}

/// All results of the searches, by what they are looked up with.
#[derive(Default)]
struct Candidates {
    /// By SID: one object may match conditions of several searches.
    by_sid: BTreeMap<Sid, Candidate>,
    /// By account name in lower case.
    by_account: HashMap<String, Vec<Sid>>,
    /// By `userPrincipalName` in lower case.
    by_upn: HashMap<String, Vec<Sid>>,
}

impl Candidates {
    fn add(&mut self, candidate: Candidate) {
        let sid = candidate.sid.clone();
        if self.by_sid.contains_key(&sid) {
            return;
        }
        let account = candidate.account.to_lowercase();
        self.by_account
            .entry(account)
            .or_default()
            .push(sid.clone());
        if let Some(upn) = &candidate.upn {
            let upn = upn.to_lowercase();
            self.by_upn.entry(upn).or_default().push(sid.clone());
        }
        self.by_sid.insert(sid, candidate);
    }

    /// The one principal, or that there are several, sorted by SID; `None` for none.
    fn pick<'a>(
        &self,
        sids: impl IntoIterator<Item = &'a Sid>,
        info: &DomainInfo,
    ) -> Option<Lookup> {
        let sids: BTreeSet<&Sid> = sids.into_iter().collect();
        let hits: Vec<&Candidate> = sids
            .into_iter()
            .filter_map(|sid| self.by_sid.get(sid))
            .collect();
        match hits.as_slice() {
            [] => None,
            [one] => Some(Lookup::Found(one.principal(info))),
            several => Some(Lookup::Ambiguous(
                several
                    .iter()
                    .map(|one| one.principal(info).down_level_name())
                    .collect(),
            )),
        }
    }

    /// The answer to an intent.
    fn answer(&self, intent: &Intent, info: &DomainInfo) -> Lookup {
        match intent {
            Intent::Known(lookup) => lookup.clone(),
            Intent::Sid(sid) => self.by_sid.get(sid).map_or(Lookup::NotFound, |candidate| {
                Lookup::Found(candidate.principal(info))
            }),
            Intent::Account {
                name,
                upn,
                otherwise,
            } => {
                // The account of that name and the `userPrincipalName` may be two users, and neither has priority.
                let accounts = self.by_account.get(name).into_iter().flatten();
                let upns = self.by_upn.get(upn).into_iter().flatten();
                let with_dollar = Some(format!("{name}$")).filter(|_| !name.is_empty());
                let computers = with_dollar
                    .and_then(|name| self.by_account.get(&name))
                    .into_iter()
                    .flatten()
                    .filter(|sid| {
                        self.by_sid
                            .get(sid)
                            .is_some_and(|one| one.kind == PrincipalType::Computer)
                    });
                self.pick(accounts.chain(upns), info)
                    .or_else(|| self.pick(computers, info))
                    .unwrap_or_else(|| otherwise.clone())
            }
        }
    }
}

#[async_trait]
impl PrincipalDirectory for Directory {
    async fn lookup(&self, queries: &[PrincipalQuery]) -> Result<Vec<Lookup>> {
        let info = self.info();
        let intents: Vec<Intent> = queries.iter().map(|query| intent(query, info)).collect();
        let terms: Vec<Term> = intents
            .iter()
            .flat_map(terms)
            .collect::<BTreeSet<Term>>()
            .into_iter()
            .collect();
        let mut found = Candidates::default();
        for batch in terms.chunks(BATCH) {
            let entries = self
                .search(Search {
                    base: Some(&info.base),
                    scope: Scope::Subtree,
                    filter: Filter::any(batch.iter().map(Term::filter)),
                    attributes: ATTRIBUTES,
                    sd_flags: None,
                    paged: true,
                    extended_dns: false,
                })
                .await?;
            entries
                .iter()
                .filter_map(Candidate::read)
                .for_each(|candidate| found.add(candidate));
        }
        Ok(intents
            .iter()
            .map(|intent| found.answer(intent, info))
            .collect())
    }

    async fn objects_exist(&self, dns: &[Dn]) -> Result<Vec<bool>> {
        let mut found: Vec<Dn> = Vec::new();
        for batch in dns.chunks(BATCH) {
            let entries = self
                .search(Search {
                    base: Some(&self.info().base),
                    scope: Scope::Subtree,
                    filter: Filter::any(
                        batch
                            .iter()
                            .map(|dn| Filter::equals("distinguishedName", dn.as_str())),
                    ),
                    attributes: &["distinguishedName"],
                    sd_flags: None,
                    paged: true,
                    extended_dns: false,
                })
                .await?;
            found.extend(
                entries
                    .iter()
                    .filter_map(|entry| entry.text("distinguishedName"))
                    .filter_map(|dn| Dn::parse(&dn).ok()),
            );
        }
        Ok(dns.iter().map(|dn| found.contains(dn)).collect())
    }

    fn dns_domain(&self) -> &str {
        self.info().dns_domain.as_str()
    }

    fn netbios_domain(&self) -> &str {
        &self.info().netbios_domain
    }

    fn domain_sid(&self) -> Option<&Sid> {
        Some(&self.info().domain_sid)
    }
}

#[async_trait]
impl PrincipalList for Directory {
    async fn principals(&self) -> Result<Vec<Principal>> {
        let info = self.info();
        let entries = self
            .search(Search {
                base: Some(&info.base),
                scope: Scope::Subtree,
                // Every computer is a user by its class.
                filter: Filter::all([
                    Filter::present("sAMAccountName"),
                    Filter::any([
                        Filter::equals("objectClass", "user"),
                        Filter::equals("objectClass", "group"),
                    ]),
                ]),
                attributes: ATTRIBUTES,
                sd_flags: None,
                paged: true,
                extended_dns: false,
            })
            .await?;
        Ok(entries
            .iter()
            .filter_map(Candidate::read)
            .filter(|candidate| candidate.sid.is_domain_sid())
            .map(|candidate| candidate.principal(info))
            .collect())
    }
}

#[cfg(test)]
mod tests;
