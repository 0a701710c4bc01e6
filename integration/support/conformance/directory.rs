//! The suite of the directory port. Each case creates its own GPO container below `CN=Policies` and deletes it at the end.

mod changes;
mod descriptors;
mod reading;
mod rights;

pub use changes::*;
pub use descriptors::*;
pub use reading::*;
pub use rights::*;

use std::collections::BTreeSet;
use std::sync::Arc;

use gpoctl::domain::ldap::{Entry, Filter, LdapFailure, LdapWrite, Modification, Scope, Search};
use gpoctl::model::dn::Dn;
use gpoctl::model::guid::Guid;
use gpoctl::model::sddl::{from_sddl, to_sddl_in};
use gpoctl::model::security_descriptor::SecurityDescriptor;
use gpoctl::model::sid::Sid;

/// Runs `$case!(name)` for each case.
macro_rules! directory_cases {
    ($case:ident) => {
        $case!(root_dse);
        $case!(scopes);
        $case!(filters);
        $case!(attributes_of_a_search);
        $case!(a_new_gpo);
        $case!(descriptors_of_new_objects);
        $case!(additions_that_are_refused);
        $case!(swaps);
        $case!(a_modify_is_done_as_a_whole);
        $case!(modifications_that_are_refused);
        $case!(deletions);
        $case!(parts_of_descriptors);
        $case!(entries_are_handed_down);
        $case!(rights_of_an_administrator);
        $case!(rights_of_a_user);
        $case!(what_may_not_be_read);
        $case!(rights_that_are_granted);
    };
}
pub(crate) use directory_cases;

/// Two accounts of one domain: an administrator, and one that has no rights of its own.
pub struct Ports {
    pub admin: Arc<dyn LdapWrite>,
    pub user: Arc<dyn LdapWrite>,
}

type Values = Vec<(String, Vec<Vec<u8>>)>;

/// The domain, and the container of a case.
struct Case {
    base: Dn,
    domain_sid: Sid,
    guid: Guid,
    gpo: Dn,
}

impl Case {
    async fn new(ports: &Ports) -> Self {
        let names = ["defaultNamingContext"];
        let root = read(&*ports.admin, None, &names).await.unwrap();
        let base = Dn::parse(&root.text("defaultNamingContext").unwrap()).unwrap();
        let head = read(&*ports.admin, Some(&base), &["objectSid"])
            .await
            .unwrap();
        let guid = Guid::new_random();
        Self {
            domain_sid: Sid::from_bytes(head.bytes("objectSid").unwrap()).unwrap(),
            gpo: base.gpo(guid),
            guid,
            base,
        }
    }

    fn name(&self) -> String {
        format!("Conformance {}", self.guid.bare())
    }

    fn gpo_attributes(&self) -> Values {
        let path = format!(r"\\x\SysVol\x\Policies\{}", self.guid);
        vec![
            class("groupPolicyContainer"),
            one("displayName", &self.name()),
            one("flags", "0"),
            one("versionNumber", "0"),
            one("gPCFunctionalityVersion", "2"),
            one("gPCFileSysPath", &path),
        ]
    }

    async fn add_gpo(&self, ports: &Ports) {
        let admin = &ports.admin;
        admin
            .add(&self.gpo, self.gpo_attributes(), None)
            .await
            .unwrap();
        for half in ["Machine", "User"] {
            admin
                .add(&self.gpo.cn(half), vec![class("container")], None)
                .await
                .unwrap();
        }
    }

    async fn remove(&self, ports: &Ports) {
        ports.admin.delete(&self.gpo, true).await.unwrap();
    }

    async fn sddl(&self, ports: &Ports, dn: &Dn, parts: u32) -> String {
        let descriptor = descriptor(&*ports.admin, dn, parts).await;
        to_sddl_in(&descriptor, Some(&self.domain_sid))
    }

    /// SDDL as [`Case::sddl`] writes it.
    fn written(&self, sddl: &str) -> String {
        let descriptor = from_sddl(sddl, Some(&self.domain_sid)).unwrap();
        to_sddl_in(&descriptor, Some(&self.domain_sid))
    }

    fn descriptor(&self, sddl: &str) -> Vec<u8> {
        from_sddl(sddl, Some(&self.domain_sid))
            .unwrap()
            .to_bytes()
            .unwrap()
    }
}

fn one(name: &str, value: &str) -> (String, Vec<Vec<u8>>) {
    (name.to_owned(), vec![value.as_bytes().to_vec()])
}

fn class(name: &str) -> (String, Vec<Vec<u8>>) {
    one("objectClass", name)
}

fn replace(name: &str, values: &[&str]) -> Modification {
    Modification::Replace(name.to_owned(), bytes(values))
}

fn remove(name: &str, values: &[&str]) -> Modification {
    Modification::Delete(name.to_owned(), bytes(values))
}

fn add(name: &str, values: &[&str]) -> Modification {
    Modification::Add(name.to_owned(), bytes(values))
}

fn bytes(values: &[&str]) -> Vec<Vec<u8>> {
    values
        .iter()
        .map(|value| value.as_bytes().to_vec())
        .collect()
}

async fn search(
    port: &dyn LdapWrite,
    base: &Dn,
    scope: Scope,
    filter: Filter,
    attributes: &[&str],
) -> Result<Vec<Entry>, LdapFailure> {
    let search = Search {
        base: Some(base),
        scope,
        filter,
        attributes,
        sd_flags: None,
        paged: true,
        extended_dns: false,
    };
    port.search(&search).await
}

/// One object; `None` when it is not found.
async fn read(port: &dyn LdapWrite, base: Option<&Dn>, attributes: &[&str]) -> Option<Entry> {
    let search = Search {
        base,
        scope: Scope::Base,
        filter: Filter::everything(),
        attributes,
        sd_flags: None,
        paged: false,
        extended_dns: false,
    };
    match port.search(&search).await {
        Ok(found) => found.into_iter().next(),
        Err(failure) => {
            assert_eq!(failure.code(), Some(32), "{failure:?}");
            None
        }
    }
}

async fn descriptor(port: &dyn LdapWrite, dn: &Dn, parts: u32) -> SecurityDescriptor {
    let search = Search {
        base: Some(dn),
        scope: Scope::Base,
        filter: Filter::everything(),
        attributes: &["nTSecurityDescriptor"],
        sd_flags: Some(parts),
        paged: false,
        extended_dns: false,
    };
    let found = port.search(&search).await.unwrap();
    SecurityDescriptor::parse(found[0].bytes("nTSecurityDescriptor").unwrap()).unwrap()
}

/// The result code of a request; 0 for success.
fn code<T: std::fmt::Debug>(result: Result<T, LdapFailure>) -> u32 {
    match result {
        Ok(_) => 0,
        Err(failure) => failure.code().unwrap_or_else(|| panic!("{failure:?}")),
    }
}

fn names(entries: &[Entry]) -> BTreeSet<String> {
    let dns = entries.iter();
    dns.map(|entry| entry.dn.to_string().to_lowercase())
        .collect()
}

/// The DACL of a GPO that an administrator created: the schema's default, with the owner in place of CREATOR OWNER.
const NEW_GPO: &str = "O:DAG:DAD:P(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;EA)(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CIIO;CCDCLCSWRPWPDTLOSDRCWDWO;;;CO)(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;SY)(A;CI;LCRPLORC;;;AU)(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)(A;CI;LCRPLORC;;;ED)";
