//! What is in a directory: a new domain as `samba-tool domain provision` makes it, as far as Group Policy is concerned, and
//! what a test puts there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::{MemoryDirectory, Store};
use crate::directory::gpo::file_sys_path;
use crate::domain::ldap::{LdapFailure, Modification};
use crate::error::{Error, ErrorKind, Result};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::sddl::from_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;

/// Default Domain Policy and Default Domain Controllers Policy [MS-GPOL 2.2.1].
const DEFAULT_GPOS: [(&str, &str); 2] = [
    (
        "{31B2F340-016D-11D2-945F-00C04FB984F9}",
        "Default Domain Policy",
    ),
    (
        "{6AC1786C-016F-11D2-945F-00C04FB984F9}",
        "Default Domain Controllers Policy",
    ),
];

/// Descriptors of a new domain on Samba 4.17 that differ from the defaults of the schema; without audit entries, and of the
/// domain itself only what is about the objects that a test has.
const DOMAIN: &str = "O:BAG:BAD:AI(OA;CIIO;RP;4c164200-20c0-11d0-a768-00aa006e0529;bf967aba-0de6-11d0-a285-00aa003049e2;RU)(OA;CIIO;RP;59ba2f42-79a2-11d0-9020-00c04fc2d3cf;bf967aba-0de6-11d0-a285-00aa003049e2;RU)(OA;CIIO;RPLCLORC;;bf967a9c-0de6-11d0-a285-00aa003049e2;RU)(OA;CIIO;RPLCLORC;;bf967aba-0de6-11d0-a285-00aa003049e2;RU)(A;;RPWPCRCCLCLORCWOWDSW;;;DA)(A;CI;RPWPCRCCDCLCLORCWOWDSDDTSW;;;EA)(A;;RPRC;;;RU)(A;CI;LC;;;RU)(A;CI;RPWPCRCCLCLORCWOWDSDSW;;;BA)(A;;RP;;;WD)(A;;RPLCLORC;;;ED)(A;;RPLCLORC;;;AU)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)";
const CONFIGURATION: &str = "O:EAG:EAD:(A;;RPLCLORC;;;AU)(A;CI;RPWPCRCCDCLCLORCWOWDSDDTSW;;;EA)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;CIIO;RPWPCRCCLCLORCWOWDSDSW;;;DA)";
const SITES: &str = "O:EAG:EAD:AI(A;;RPLCLORC;;;AU)(A;;RPWPCRCCLCLORCWOWDSW;;;EA)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)";
const SYSTEM: &str = "O:DAG:DAD:AI(A;;RPLCLORC;;;AU)(A;;RPWPCRCCLCLORCWOWDSW;;;DA)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)";

/// The first RID of a new account, less one.
const LAST_RID: u32 = 1100;

const USER: &str = "805306368";
const MACHINE: &str = "805306369";
const GROUP: &str = "268435456";
const ALIAS: &str = "536870912";

/// Accounts of every domain: RID, class, name, `groupType` or primary group, groups.
const ACCOUNTS: &[(u32, &str, &str, &str, &[&str])] = &[
    (500, "user", "Administrator", "513", &[]),
    (501, "user", "Guest", "514", &[]),
    (
        512,
        "group",
        "Domain Admins",
        "-2147483646",
        &["Administrator"],
    ),
    (513, "group", "Domain Users", "-2147483646", &[]),
    (514, "group", "Domain Guests", "-2147483646", &[]),
    (515, "group", "Domain Computers", "-2147483646", &[]),
    (516, "group", "Domain Controllers", "-2147483646", &[]),
    (
        518,
        "group",
        "Schema Admins",
        "-2147483640",
        &["Administrator"],
    ),
    (
        519,
        "group",
        "Enterprise Admins",
        "-2147483640",
        &["Administrator"],
    ),
    (
        520,
        "group",
        "Group Policy Creator Owners",
        "-2147483646",
        &["Administrator"],
    ),
];

type Attributes = Vec<(String, Vec<Vec<u8>>)>;

fn one(name: &str, value: impl Into<Vec<u8>>) -> (String, Vec<Vec<u8>>) {
    (name.to_owned(), vec![value.into()])
}

/// A failure of the builder: a test asked for something that a domain cannot hold.
fn refused(failure: LdapFailure, dn: &Dn) -> Error {
    let text = match failure {
        LdapFailure::Result { code, text } => format!("LDAP result {code}: {text}"),
        other => format!("{other:?}"),
    };
    Error::new(
        ErrorKind::Usage,
        format!("{dn} cannot be put into the directory: {text}"),
    )
}

impl MemoryDirectory {
    /// The directory of a new domain with one controller, `dc1`: its GPOs, accounts, containers and one site.
    ///
    /// # Errors
    /// `Usage` when the name is not that of a domain.
    pub fn new(domain: &DomainName, domain_sid: &Sid) -> Result<Self> {
        let base = Dn::parse(&domain.to_dn()).map_err(|cause| {
            Error::new(ErrorKind::Usage, format!("{domain} has no DN")).with_source(cause)
        })?;
        let server: DomainName = format!("dc1.{}", domain.lower())
            .parse()
            .map_err(|cause| Error::new(ErrorKind::Usage, "dc1").with_source(cause))?;
        let store = Store {
            objects: BTreeMap::new(),
            usn: 3000,
            configuration: base.cn("Configuration"),
            domain_sid: domain_sid.clone(),
            server: server.lower(),
            vendor: Some("Samba Team (https://www.samba.org)".to_owned()),
            next_rid: LAST_RID,
            base,
        };
        let directory = Self {
            store: Arc::new(Mutex::new(store)),
            domain: domain.clone(),
            server,
        };
        directory.put_configuration()?;
        directory.put_domain()?;
        directory.put_accounts()?;
        directory.put_policies()?;
        Ok(directory)
    }

    fn netbios(&self) -> String {
        let lower = self.domain.lower();
        let first = lower.split('.').next().unwrap_or_default();
        first.to_uppercase().chars().take(15).collect()
    }

    fn configuration(&self) -> Dn {
        self.store().configuration.clone()
    }

    fn ntds_settings(&self) -> Dn {
        let site = self.default_site();
        site.cn("Servers").cn("DC1").cn("NTDS Settings")
    }

    /// The DN of the site that every forest begins with.
    pub fn default_site(&self) -> Dn {
        self.configuration()
            .cn("Sites")
            .cn("Default-First-Site-Name")
    }

    fn put_configuration(&self) -> Result<()> {
        let top = self.configuration();
        let sites = top.cn("Sites");
        let site = self.default_site();
        let servers = site.cn("Servers");
        let partitions = top.cn("Partitions");
        self.put(&top, "configuration", vec![self.descriptor(CONFIGURATION)?])?;
        self.put(&sites, "sitesContainer", vec![self.descriptor(SITES)?])?;
        self.put(&site, "site", Vec::new())?;
        self.put(&servers, "serversContainer", Vec::new())?;
        let host = one("dNSHostName", self.server.lower());
        self.put(&servers.cn("DC1"), "server", vec![host])?;
        self.put(&self.ntds_settings(), "nTDSDSA", Vec::new())?;
        self.put(
            &partitions,
            "crossRefContainer",
            vec![self.descriptor(SITES)?],
        )?;
        let netbios = self.netbios();
        self.put(
            &partitions.cn(&netbios),
            "crossRef",
            vec![
                one("nCName", self.base().to_string()),
                one("dnsRoot", self.domain.lower()),
                one("nETBIOSName", netbios),
                one("systemFlags", "3"),
            ],
        )
    }

    fn put_domain(&self) -> Result<()> {
        let base = self.base();
        let sid = self.domain_sid();
        let owner = self.ntds_settings().to_string();
        self.put(
            &base,
            "domainDNS",
            vec![
                self.descriptor(DOMAIN)?,
                one("objectSid", sid.to_bytes()),
                one("instanceType", "5"),
                one("fSMORoleOwner", owner),
                one("isCriticalSystemObject", "TRUE"),
            ],
        )?;
        let critical = || one("isCriticalSystemObject", "TRUE");
        let system = base.cn("System");
        self.put(
            &system,
            "container",
            vec![self.descriptor(SYSTEM)?, critical()],
        )?;
        for name in ["Users", "Computers"] {
            self.put(&base.cn(name), "container", vec![critical()])?;
        }
        self.put(&base.cn("Builtin"), "builtinDomain", vec![critical()])?;
        self.put(
            &self.ou_of_controllers()?,
            "organizationalUnit",
            vec![critical()],
        )?;
        self.put(&system.cn("Policies"), "container", vec![critical()])?;
        self.put(&system.cn("WMIPolicy"), "container", Vec::new())?;
        self.put(&system.cn("WMIPolicy").cn("SOM"), "container", Vec::new())
    }

    fn ou_of_controllers(&self) -> Result<Dn> {
        child(&self.base(), "OU", "Domain Controllers")
    }

    fn put_accounts(&self) -> Result<()> {
        let users = self.base().cn("Users");
        let sid = self.domain_sid();
        for (rid, class, name, number, members) in ACCOUNTS {
            let (number_of, kind) = match *class {
                "group" => ("groupType", GROUP),
                _ => ("primaryGroupID", USER),
            };
            let mut attributes = vec![
                one("sAMAccountName", *name),
                one("objectSid", sid.with_rid(*rid).to_bytes()),
                one("sAMAccountType", kind),
                one(number_of, *number),
                one("isCriticalSystemObject", "TRUE"),
            ];
            let members: Vec<Vec<u8>> = members
                .iter()
                .map(|name| users.cn(name).to_string().into_bytes())
                .collect();
            if !members.is_empty() {
                attributes.push(("member".to_owned(), members));
            }
            self.put(&users.cn(name), class, attributes)?;
        }
        let members = ["Administrator", "Domain Admins", "Enterprise Admins"];
        let members = members.map(|name| users.cn(name).to_string().into_bytes());
        let administrators: Sid = "S-1-5-32-544".parse().map_err(|cause| {
            Error::new(ErrorKind::Internal, "the SID of Administrators").with_source(cause)
        })?;
        self.put(
            &self.base().cn("Builtin").cn("Administrators"),
            "group",
            vec![
                one("sAMAccountName", "Administrators"),
                one("objectSid", administrators.to_bytes()),
                one("sAMAccountType", ALIAS),
                one("groupType", "-2147483643"),
                one("isCriticalSystemObject", "TRUE"),
                ("member".to_owned(), members.to_vec()),
            ],
        )?;
        self.put_machine(&self.ou_of_controllers()?, "DC1", 516)
            .map(drop)
    }

    fn put_policies(&self) -> Result<()> {
        let ou = self.ou_of_controllers()?;
        for ((guid, name), som) in DEFAULT_GPOS.into_iter().zip([self.base(), ou]) {
            let guid: Guid = guid.parse().map_err(|cause| {
                Error::new(ErrorKind::Internal, "the GUID of a default GPO").with_source(cause)
            })?;
            self.put_gpo(guid, name)?;
            let gpo = self.base().gpo(guid);
            for dn in [gpo.clone(), gpo.cn("Machine"), gpo.cn("User")] {
                self.set(&dn, "isCriticalSystemObject", ["TRUE"])?;
            }
            self.put_link(&som, guid, 0)?;
        }
        Ok(())
    }

    /// An object of this class with these attributes, which may be some that only the server writes.
    ///
    /// # Errors
    /// `Usage` when a domain cannot hold it: there is no parent, it exists, or the schema forbids it.
    pub fn put(&self, dn: &Dn, class: &str, attributes: Attributes) -> Result<()> {
        let mut all = vec![one("objectClass", class)];
        all.extend(attributes);
        let added = self.store().add(dn, all, None);
        added.map_err(|failure| refused(failure, dn))
    }

    /// Sets the values of an attribute; none remove it.
    ///
    /// # Errors
    /// `Usage` when there is no such object, or the schema forbids it.
    pub fn set<V: Into<Vec<u8>>>(
        &self,
        dn: &Dn,
        attribute: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<()> {
        let values = values.into_iter().map(Into::into).collect();
        let change = [Modification::Replace(attribute.to_owned(), values)];
        let changed = self.store().modify(dn, &change, None, None);
        changed.map_err(|failure| refused(failure, dn))
    }

    /// Sets the descriptor of an object, given as SDDL, and hands it down.
    ///
    /// # Errors
    /// `Usage` when there is no such object or the text is not SDDL.
    pub fn set_descriptor(&self, dn: &Dn, sddl: &str) -> Result<()> {
        let (name, values) = self.descriptor(sddl)?;
        self.set(dn, &name, values)
    }

    fn descriptor(&self, sddl: &str) -> Result<(String, Vec<Vec<u8>>)> {
        let bytes = from_sddl(sddl, Some(&self.domain_sid()))
            .map_err(|cause| Error::new(ErrorKind::Usage, "not SDDL").with_source(cause))
            .and_then(|descriptor: SecurityDescriptor| {
                descriptor.to_bytes().map_err(|cause| {
                    Error::new(ErrorKind::Usage, "not a descriptor").with_source(cause)
                })
            })?;
        Ok(one("nTSecurityDescriptor", bytes))
    }

    /// An OU below the domain or another OU.
    ///
    /// # Errors
    /// As [`MemoryDirectory::put`].
    pub fn put_ou(&self, parent: &Dn, name: &str) -> Result<Dn> {
        let dn = child(parent, "OU", name)?;
        self.put(&dn, "organizationalUnit", Vec::new())?;
        Ok(dn)
    }

    /// A user, in Domain Users.
    ///
    /// # Errors
    /// As [`MemoryDirectory::put`].
    pub fn put_user(&self, parent: &Dn, name: &str) -> Result<Sid> {
        let sid = self.store().new_sid();
        let upn = format!("{name}@{}", self.domain.lower());
        self.put(
            &parent.cn(name),
            "user",
            vec![
                one("sAMAccountName", name),
                one("userPrincipalName", upn),
                one("objectSid", sid.to_bytes()),
                one("sAMAccountType", USER),
                one("userAccountControl", "512"),
                one("primaryGroupID", "513"),
            ],
        )?;
        Ok(sid)
    }

    /// A computer, in Domain Computers.
    ///
    /// # Errors
    /// As [`MemoryDirectory::put`].
    pub fn put_computer(&self, parent: &Dn, name: &str) -> Result<Sid> {
        self.put_machine(parent, name, 515)
    }

    fn put_machine(&self, parent: &Dn, name: &str, primary_group: u32) -> Result<Sid> {
        let sid = self.store().new_sid();
        let host = format!("{}.{}", name.to_lowercase(), self.domain.lower());
        self.put(
            &parent.cn(name),
            "computer",
            vec![
                one("sAMAccountName", format!("{name}$")),
                one("dNSHostName", host),
                one("objectSid", sid.to_bytes()),
                one("sAMAccountType", MACHINE),
                one("primaryGroupID", primary_group.to_string()),
            ],
        )?;
        Ok(sid)
    }

    /// A global security group with these members.
    ///
    /// # Errors
    /// As [`MemoryDirectory::put`].
    pub fn put_group(&self, parent: &Dn, name: &str, members: &[Dn]) -> Result<Sid> {
        let sid = self.store().new_sid();
        let mut attributes = vec![
            one("sAMAccountName", name),
            one("objectSid", sid.to_bytes()),
            one("sAMAccountType", GROUP),
            one("groupType", "-2147483646"),
        ];
        if !members.is_empty() {
            let members = members.iter().map(|dn| dn.to_string().into_bytes());
            attributes.push(("member".to_owned(), members.collect()));
        }
        self.put(&parent.cn(name), "group", attributes)?;
        Ok(sid)
    }

    /// The directory half of a GPO without settings, as GPMC makes it [MS-GPOL 2.2.8.1].
    ///
    /// # Errors
    /// As [`MemoryDirectory::put`].
    pub fn put_gpo(&self, guid: Guid, display_name: &str) -> Result<()> {
        let dn = self.base().gpo(guid);
        self.put(
            &dn,
            "groupPolicyContainer",
            vec![
                one("displayName", display_name),
                one("flags", "0"),
                one("versionNumber", "0"),
                one("gPCFunctionalityVersion", "2"),
                one("gPCFileSysPath", file_sys_path(&self.domain, guid)),
            ],
        )?;
        self.put(&dn.cn("Machine"), "container", Vec::new())?;
        self.put(&dn.cn("User"), "container", Vec::new())
    }

    /// A link to a GPO, last in the value and so first in precedence. Options: 1 disabled, 2 enforced.
    ///
    /// # Errors
    /// `Usage` when there is no such object, or it cannot have links.
    pub fn put_link(&self, som: &Dn, guid: Guid, options: u32) -> Result<()> {
        let gpo = self.base().gpo(guid);
        let before = {
            let store = self.store();
            let object = store.get(som);
            object
                .and_then(|object| object.text("gPLink"))
                .unwrap_or_default()
        };
        let links = format!("{before}[LDAP://{gpo};{options}]");
        self.set(som, "gPLink", [links])
    }

    /// A WMI filter [MS-WMIO] with one WQL query in `root\\CIMv2`.
    ///
    /// # Errors
    /// As [`MemoryDirectory::put`].
    pub fn put_wmi_filter(&self, id: Guid, name: &str, query: &str) -> Result<()> {
        let dn = crate::directory::wmi::wmi_container(&self.base()).cn(&id.to_string());
        let time = "20240105101500.000000-000";
        let queries = format!("1;3;10;{};WQL;root\\CIMv2;{query};", query.len());
        self.put(
            &dn,
            "msWMI-Som",
            vec![
                one("msWMI-ID", id.to_string()),
                one("msWMI-Name", name),
                one("msWMI-Parm2", queries),
                one(
                    "msWMI-Author",
                    format!("Administrator@{}", self.domain.lower()),
                ),
                one("msWMI-CreationDate", time),
                one("msWMI-ChangeDate", time),
            ],
        )
    }
}

fn child(parent: &Dn, attribute: &str, value: &str) -> Result<Dn> {
    parent.child(attribute, value).map_err(|cause| {
        Error::new(ErrorKind::Usage, "not the name of an object").with_source(cause)
    })
}
