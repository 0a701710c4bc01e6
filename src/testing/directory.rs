//! A directory in memory: an LDAP server as far as the port [`crate::domain::ldap`] can ask for it. Its rules are those of
//! Active Directory as Samba implements them; the same suite of conformance runs against it and against Samba.

mod access;
mod change;
mod client;
mod descriptor;
mod fill;
mod schema;
mod search;
mod snapshot;

pub use client::MemoryDirectoryClient;
pub use snapshot::{DirectoryEntry, DirectorySnapshot};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::domain::ldap::{LdapFailure, NO_SUCH_OBJECT};
use crate::error::{Error, ErrorKind, Result};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;

use access::Login;
use schema::{Class, SCHEMA};

/// `constraintViolation`
const CONSTRAINT_VIOLATION: u32 = 19;
/// `invalidAttributeSyntax`
const INVALID_SYNTAX: u32 = 21;
/// `unwillingToPerform`
const UNWILLING: u32 = 53;
/// `namingViolation`
const NAMING_VIOLATION: u32 = 64;
/// `objectClassViolation`
const CLASS_VIOLATION: u32 = 65;
/// `notAllowedOnRDN`
const NOT_ON_RDN: u32 = 67;

/// A DN in the form in which parents are right before what is below them: the RDNs from the top, in lower case.
type Key = Arc<[String]>;

fn key(dn: &Dn) -> Key {
    let rdns = dn.rdns().iter().rev();
    rdns.map(|rdn| format!("{}={}", rdn.attribute, rdn.value).to_lowercase())
        .collect()
}

/// An object.
#[derive(Clone)]
struct Object {
    dn: Dn,
    class: &'static Class,
    /// Names as the schema spells them, values in the order in which they came. Without the descriptor.
    attributes: BTreeMap<&'static str, Vec<Vec<u8>>>,
    descriptor: SecurityDescriptor,
}

impl Object {
    fn values(&self, name: &str) -> &[Vec<u8>] {
        SCHEMA
            .attribute(name)
            .and_then(|attribute| self.attributes.get(attribute.name))
            .map_or(&[], Vec::as_slice)
    }

    fn text(&self, name: &str) -> Option<String> {
        let value = self.values(name).first()?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    fn set(&mut self, name: &'static str, value: impl Into<Vec<u8>>) {
        self.attributes.insert(name, vec![value.into()]);
    }

    fn is_critical(&self) -> bool {
        self.text("isCriticalSystemObject").as_deref() == Some("TRUE")
    }
}

/// The directory of one domain. All clones are the same server.
#[derive(Clone)]
pub struct MemoryDirectory {
    store: Arc<Mutex<Store>>,
    domain: DomainName,
    server: DomainName,
}

impl MemoryDirectory {
    /// The domain.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The DN of the domain.
    pub fn base(&self) -> Dn {
        self.store().base.clone()
    }

    /// The SID of the domain.
    pub fn domain_sid(&self) -> Sid {
        self.store().domain_sid.clone()
    }

    /// A client that is logged in as the account with this `sAMAccountName`.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    #[doc(hidden)]
    pub fn connect(&self, account: &str) -> Result<MemoryDirectoryClient> {
        Ok(self.connect_with(account, self.sids(account)?))
    }

    /// The same, with the SIDs that [`Self::sids`] returns for the account.
    pub(super) fn connect_with(&self, account: &str, sids: Vec<Sid>) -> MemoryDirectoryClient {
        let login = Login::new(sids);
        let bound_as = format!("{account}@{}", self.domain.realm());
        let store = Arc::clone(&self.store);
        MemoryDirectoryClient::new(store, login, self.server.clone(), bound_as)
    }

    /// The SIDs in the token of the account with this `sAMAccountName`: its own first, then those of its groups.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub fn sids(&self, account: &str) -> Result<Vec<Sid>> {
        let store = self.store();
        let found = store.all().find(|object| {
            let name = object.text("sAMAccountName");
            name.is_some_and(|name| name.to_lowercase() == account.to_lowercase())
        });
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no account \"{account}\" in {}", self.domain),
            )
        };
        let mut sids = store.sids_of(&found.ok_or_else(missing)?.dn);
        // Authenticated Users is a member of both in a new domain.
        for builtin in ["S-1-5-32-545", "S-1-5-32-554"] {
            sids.extend(builtin.parse::<Sid>().ok());
        }
        Ok(sids)
    }

    /// A server of its own with the same objects.
    #[must_use]
    pub fn copy(&self) -> Self {
        let store = self.store().clone();
        Self {
            store: Arc::new(Mutex::new(store)),
            ..self.clone()
        }
    }

    /// Sets `vendorName` of the rootDSE: Samba names itself there, Windows does not have the attribute.
    pub fn set_vendor(&self, vendor: Option<&str>) {
        self.store().vendor = vendor.map(str::to_owned);
    }

    /// All objects with their attributes and descriptors.
    pub fn snapshot(&self) -> DirectorySnapshot {
        snapshot::take(&self.store(), |_, _| true)
    }

    /// The objects at these DNs and below them, and those that have one of these attributes.
    pub fn snapshot_of(&self, below: &[&Dn], with: &[&str]) -> DirectorySnapshot {
        let tops: Vec<Key> = below.iter().map(|dn| key(dn)).collect();
        snapshot::take(&self.store(), |key, object| {
            tops.iter().any(|top| key.starts_with(top))
                || with.iter().any(|name| !object.values(name).is_empty())
        })
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        locked(&self.store)
    }
}

/// The store, also after a test that held it has panicked.
fn locked(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An object that is in a directory. Copies of a directory and states of it have the same one until it is changed, so that they cost
/// little and are quick to compare.
#[derive(Clone)]
struct Stored {
    object: Arc<Object>,
    /// The object as a state of the directory shows it, once that was asked for.
    shown: Arc<OnceLock<DirectoryEntry>>,
}

impl Stored {
    fn new(object: Object) -> Self {
        Self {
            object: Arc::new(object),
            shown: Arc::default(),
        }
    }
}

/// What the directory of a domain holds.
#[derive(Clone)]
struct Store {
    objects: BTreeMap<Key, Stored>,
    usn: u64,
    base: Dn,
    configuration: Dn,
    domain_sid: Sid,
    server: String,
    /// `vendorName` of the rootDSE.
    vendor: Option<String>,
    next_rid: u32,
}

impl Store {
    fn get(&self, dn: &Dn) -> Option<&Object> {
        Some(&self.objects.get(&key(dn))?.object)
    }

    /// Puts an object where none is, or in place of the one that is there.
    fn put(&mut self, object: Object) {
        self.objects.insert(key(&object.dn), Stored::new(object));
    }

    fn all(&self) -> impl Iterator<Item = &Object> {
        self.objects.values().map(|stored| stored.object.as_ref())
    }

    /// The object and everything below it in the same naming context, parents first.
    fn subtree(&self, dn: &Dn) -> impl Iterator<Item = &Object> {
        let top = key(dn);
        let context = self.context(dn);
        self.objects
            .range(top.clone()..)
            .take_while(move |(key, _)| key.starts_with(&top))
            .map(|(_, stored)| stored.object.as_ref())
            .filter(move |object| self.context(&object.dn) == context)
    }

    fn has_children(&self, dn: &Dn) -> bool {
        self.subtree(dn).nth(1).is_some()
    }

    /// The head of the naming context that a DN is in.
    fn context(&self, dn: &Dn) -> &Dn {
        match dn.below(&self.configuration) {
            Some(_) => &self.configuration,
            None => &self.base,
        }
    }

    /// The parent of an object; `None` for the head of a naming context.
    fn parent(&self, dn: &Dn) -> Option<&Object> {
        if *self.context(dn) == *dn {
            return None;
        }
        self.get(&dn.parent()?)
    }

    /// The object, if this account may see it.
    fn visible(&self, dn: &Dn, login: &Login) -> Result<&Object, LdapFailure> {
        self.get(dn)
            .filter(|object| self.may_see(object, login))
            .ok_or_else(|| LdapFailure::result(NO_SUCH_OBJECT, format!("no such object: {dn}")))
    }

    /// Whether the account may list what is in the parent, and so see the object.
    fn may_see(&self, object: &Object, login: &Login) -> bool {
        self.parent(&object.dn)
            .is_none_or(|parent| login.may(&parent.descriptor, access::LIST_CHILDREN, &[]))
    }

    fn next_usn(&mut self) -> String {
        self.usn += 1;
        self.usn.to_string()
    }

    /// A new account's SID.
    fn new_sid(&mut self) -> Sid {
        self.next_rid += 1;
        self.domain_sid.with_rid(self.next_rid)
    }

    /// The SIDs of an account and of all groups it is in.
    fn sids_of(&self, dn: &Dn) -> Vec<Sid> {
        let sid_of = |object: &Object| {
            let bytes = object.values("objectSid").first()?;
            Sid::from_bytes(bytes).ok()
        };
        let Some(account) = self.get(dn) else {
            return Vec::new();
        };
        let mut sids: Vec<Sid> = sid_of(account).into_iter().collect();
        let mut members = vec![account.dn.clone()];
        let primary = account
            .text("primaryGroupID")
            .and_then(|rid| rid.parse().ok())
            .map(|rid| self.domain_sid.with_rid(rid));
        if let Some(primary) = primary {
            members.extend(
                self.all()
                    .find(|object| sid_of(object).as_ref() == Some(&primary))
                    .map(|object| object.dn.clone()),
            );
            sids.push(primary);
        }
        let with_members = self.all().filter_map(|group| {
            let values = group.values("member").iter();
            let dns = values.filter_map(|value| Dn::parse(std::str::from_utf8(value).ok()?).ok());
            let dns: Vec<Dn> = dns.collect();
            Some((group, sid_of(group).filter(|_| !dns.is_empty())?, dns))
        });
        let groups: Vec<(&Object, Sid, Vec<Dn>)> = with_members.collect();
        while let Some(member) = members.pop() {
            for (group, sid, dns) in &groups {
                if dns.contains(&member) && !sids.contains(sid) {
                    sids.push(sid.clone());
                    members.push(group.dn.clone());
                }
            }
        }
        sids
    }
}

/// Generalized time, as AD writes it.
fn now() -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    now.strftime("%Y%m%d%H%M%S.0Z").to_string()
}

/// A new `objectGUID`.
fn new_guid() -> Vec<u8> {
    Guid::new_random().to_bytes_le().to_vec()
}
