//! The port of a client to the directory in memory.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use super::access::Login;
use super::{Store, locked};
use crate::domain::ldap::{Entry, LdapFailure, LdapRead, LdapWrite, Modification, Search};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::testing::faults::{Call, Faults, Half};

/// A connection to a [`super::MemoryDirectory`] as one account.
pub struct MemoryDirectoryClient {
    store: Arc<Mutex<Store>>,
    login: Login,
    server: DomainName,
    bound_as: String,
    faults: Faults,
}

impl MemoryDirectoryClient {
    pub(super) fn new(
        store: Arc<Mutex<Store>>,
        login: Login,
        server: DomainName,
        bound_as: String,
    ) -> Self {
        Self {
            store,
            login,
            server,
            bound_as,
            faults: Faults::none(),
        }
    }

    /// The same connection with this script of faults, which also records its calls.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        locked(&self.store)
    }
}

#[async_trait]
impl LdapRead for MemoryDirectoryClient {
    async fn search(&self, search: &Search<'_>) -> Result<Vec<Entry>, LdapFailure> {
        let base = search.base.map_or("", Dn::as_str);
        let call = Call::read(Half::Directory, "search", base);
        self.faults
            .around(call, async { self.store().search(search, &self.login) })
            .await
    }

    fn server(&self) -> &DomainName {
        &self.server
    }

    fn bound_as(&self) -> &str {
        &self.bound_as
    }
}

#[async_trait]
impl LdapWrite for MemoryDirectoryClient {
    async fn add(
        &self,
        dn: &Dn,
        attributes: Vec<(String, Vec<Vec<u8>>)>,
        _sd_flags: Option<u32>,
    ) -> Result<(), LdapFailure> {
        let call = Call::write(Half::Directory, "add", dn);
        let real = async { self.store().add(dn, attributes, Some(&self.login)) };
        self.faults.around_write(call, real).await
    }

    async fn modify(
        &self,
        dn: &Dn,
        modifications: Vec<Modification>,
        sd_flags: Option<u32>,
    ) -> Result<(), LdapFailure> {
        let call = Call::write(Half::Directory, "modify", dn);
        let real = async {
            self.store()
                .modify(dn, &modifications, sd_flags, Some(&self.login))
        };
        self.faults.around_write(call, real).await
    }

    async fn delete(&self, dn: &Dn, tree: bool) -> Result<(), LdapFailure> {
        let call = Call::write(Half::Directory, "delete", dn);
        let real = async { self.store().delete(dn, tree, &self.login) };
        self.faults.around_write(call, real).await
    }
}
