//! Both halves of a domain in memory, and sessions of its accounts.

use std::sync::Arc;

use super::directory::MemoryDirectory;
use super::faults::Faults;
use super::sysvol::{MemorySysvol, SysvolLogin, SysvolServer};
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::gpt_ini;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::safe_name::{RelPath, SafeName};
use crate::model::security_descriptor::{FileEntries, SecurityDescriptor, file_descriptor};
use crate::model::sid::Sid;
use crate::model::version::GpoVersion;
use crate::session::DomainWriter;

/// The SID of every domain in memory, if no other is given.
const SID: &str = "S-1-5-21-2576675644-2446187435-59302327";

fn default_sid() -> Result<Sid> {
    SID.parse().map_err(|cause| {
        Error::new(ErrorKind::Internal, "the SID of the domain").with_source(cause)
    })
}

/// A new domain with one controller: a directory and a SYSVOL that belong together.
///
/// ```
/// use gpoctl::testing::domain::MemoryDomain;
/// use gpoctl::testing::faults::Faults;
///
/// # async fn example() -> gpoctl::Result<()> {
/// let domain = MemoryDomain::new("corp.example")?;
/// let base = domain.directory().base();
/// let staff = domain.directory().put_ou(&base, "Staff")?;
/// domain.directory().put_user(&staff, "alice")?;
/// let writer = domain.connect("Administrator", &Faults::none()).await?;
/// assert_eq!(writer.session().directory().gpos().await?.len(), 2);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryDomain {
    directory: MemoryDirectory,
    sysvol: MemorySysvol,
}

impl MemoryDomain {
    /// A domain of this DNS name with the accounts, containers and GPOs of a new one.
    ///
    /// # Errors
    /// `Usage` when it is not the name of a domain.
    pub fn new(name: &str) -> Result<Self> {
        Self::with_sid(name, &default_sid()?)
    }

    /// The same with this SID, for two domains that are not each other's copy.
    ///
    /// # Errors
    /// `Usage` when it is not the name of a domain.
    pub fn with_sid(name: &str, sid: &Sid) -> Result<Self> {
        Self::on_server(name, sid, SysvolServer::default())
    }

    /// A domain whose controller is Windows: its rootDSE has no `vendorName`, and the folder of a GPO has the permissions that its
    /// content inherits. Accounts, containers and the permissions of directory objects are those of [`MemoryDomain::new`].
    ///
    /// # Errors
    /// `Usage` when it is not the name of a domain.
    pub fn windows(name: &str) -> Result<Self> {
        Self::on_server(name, &default_sid()?, SysvolServer::Windows)
    }

    fn on_server(name: &str, sid: &Sid, server: SysvolServer) -> Result<Self> {
        let domain: DomainName = name
            .parse()
            .map_err(|cause| Error::new(ErrorKind::Usage, "the domain").with_source(cause))?;
        let directory = MemoryDirectory::new(&domain, sid)?;
        if server == SysvolServer::Windows {
            directory.set_vendor(None);
        }
        let sysvol = MemorySysvol::builder(&domain, sid).server(server).build()?;
        let new = Self { directory, sysvol };
        let policies = new.directory.base().policies();
        let snapshot = new.directory.snapshot();
        for entry in snapshot.entries() {
            if entry.dn.parent().as_ref() == Some(&policies)
                && let Some(guid) = entry.dn.gpo_guid(&new.directory.base())
            {
                new.put_gpt(guid, &entry.descriptor)?;
            }
        }
        Ok(new)
    }

    /// A domain of its own in the same state, so that what takes long to prepare is prepared once.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            directory: self.directory.copy(),
            sysvol: self.sysvol.copy(),
        }
    }

    /// The directory half.
    pub fn directory(&self) -> &MemoryDirectory {
        &self.directory
    }

    /// The SYSVOL half.
    pub fn sysvol(&self) -> &MemorySysvol {
        &self.sysvol
    }

    /// A session of the account with this `sAMAccountName`, whose calls to both halves this script counts and fails. What the
    /// session asks when it begins is counted too.
    ///
    /// # Errors
    /// `NotFound` when there is no such account; `Connect` when a fault ends the session as it begins.
    pub async fn connect(&self, account: &str, faults: &Faults) -> Result<DomainWriter> {
        let sids = self.directory.sids(account)?;
        let directory = self.directory.connect_with(account, sids.clone());
        let directory = directory.with_faults(faults.clone());
        let user = sids
            .first()
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::Usage, format!("{account} has no SID")))?;
        let primary = sids.get(1).cloned().unwrap_or_else(|| user.clone());
        let login = SysvolLogin::new(user, primary, sids.into_iter().skip(2));
        let sysvol = self.sysvol.connect(login).with_faults(faults.clone());
        DomainWriter::from_ports(Arc::new(directory), Arc::new(sysvol)).await
    }

    /// A GPO without settings, both halves.
    ///
    /// # Errors
    /// `Usage` when the GUID is taken.
    pub fn put_gpo(&self, guid: Guid, display_name: &str) -> Result<()> {
        self.directory.put_gpo(guid, display_name)?;
        let dn = self.directory.base().gpo(guid);
        let snapshot = self.directory.snapshot();
        match snapshot.entry(&dn) {
            Some(entry) => self.put_gpt(guid, &entry.descriptor),
            None => Err(Error::new(
                ErrorKind::Internal,
                format!("{dn} was not made"),
            )),
        }
    }

    /// The folder of a GPO without settings, with the permissions that follow from those of its container.
    fn put_gpt(&self, guid: Guid, container: &SecurityDescriptor) -> Result<()> {
        let domain = self.directory.domain();
        let bad = |cause: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::Internal,
                format!("the folder of the GPO {guid}: {cause}"),
            )
        };
        // On Windows the folder has no object entries, as far as is known, and what is in it inherits.
        let inherits = self.sysvol.server() == SysvolServer::Windows;
        let entries = match inherits {
            true => FileEntries::WithoutObjectAces,
            false => FileEntries::WithObjectAces,
        };
        let wanted = file_descriptor(container, entries).map_err(|cause| bad(&cause))?;
        let name = |text: &str| SafeName::new(text).map_err(|cause| bad(&cause));
        let at = |name: SafeName| SysvolPath::in_gpo(domain, guid, &RelPath::root().join(name));
        let gpt_ini = at(name("GPT.INI")?);
        let halves = [at(name("Machine")?), at(name("User")?)];
        let folder = SysvolPath::gpo(domain, guid);
        self.sysvol.put_folder(&folder)?;
        self.sysvol.put_descriptor(&folder, &wanted.descriptor)?;
        self.sysvol
            .put_file(&gpt_ini, gpt_ini::create(GpoVersion::default()))?;
        for half in &halves {
            self.sysvol.put_folder(half)?;
        }
        for path in halves.iter().chain([&gpt_ini]).filter(|_| !inherits) {
            self.sysvol.put_descriptor(path, &wanted.descriptor)?;
        }
        Ok(())
    }
}
