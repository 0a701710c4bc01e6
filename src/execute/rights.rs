//! Checks that the account has the rights for a plan, on both halves, before anything is written.
//!
//! The directory reports the rights on each attribute and each class of child objects; SYSVOL those on each file and folder.
//! The right to delete an object follows from its descriptor, that of its parent, and the SIDs of the account. What cannot be
//! determined is reported by the server when it is tried, and the changes before it are rolled back.

use std::collections::BTreeSet;

use super::rollback::som_dn;
use crate::directory::Directory;
use crate::directory::rights::ObjectRights;
use crate::domain::sysvol::{SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Result};
use crate::model::access::{self, AccessDecision, AccessToken};
use crate::model::access_mask::{file, standard};
use crate::model::safe_name::{RelPath, SafeName};
use crate::model::security_descriptor::SecurityDescriptor;
use crate::plan::gpo::{EntryChange, GpoPlan, Step, Verb};
use crate::session::DomainSession;

/// The attributes that [`crate::execute`] writes with every new version.
const EVERY_CHANGE: [&str; 4] = [
    "versionNumber",
    "flags",
    "gPCMachineExtensionNames",
    "gPCUserExtensionNames",
];

/// Refuses a plan for which this account lacks rights.
///
/// # Errors
/// `Denied` with every missing right, in the directory and on SYSVOL; else the error of the query.
pub(crate) async fn check(session: &DomainSession, plan: &GpoPlan) -> Result<()> {
    let (directory, sysvol) = tokio::try_join!(
        missing_in_directory(session.directory(), plan),
        missing_on_sysvol(session, plan),
    )?;
    if !sysvol.is_empty() || plan.target.create || plan.verb == Verb::Delete {
        let domain = &plan.target.domain;
        let folder = match plan.target.create {
            true => SysvolPath::policies(domain),
            false => SysvolPath::gpo(domain, plan.target.guid),
        };
        if share_is_read_only(session, &folder).await? {
            return Err(read_only(session, &folder));
        }
    }
    if directory.is_empty() && sysvol.is_empty() {
        return Ok(());
    }
    let hint = if plan.target.create {
        "nothing was changed; let an administrator make the GPO and delegate \"Edit settings\" on it to this account"
    } else if plan.verb == Verb::Delete && directory.is_empty() {
        "nothing was changed; the directory allows it, so let an administrator delegate \"Edit settings, delete, modify security\" on the GPO to this account, or run gpoctl check --fix if it reports the permissions of its folder"
    } else if directory.is_empty() {
        "nothing was changed; only SYSVOL refuses it, so an administrator has to repair the permissions of the GPO's folder: gpoctl check --fix sets them, and GPMC offers to when it opens the GPO"
    } else if plan.verb == Verb::Delete {
        "nothing was changed; let an administrator delegate \"Edit settings, delete, modify security\" on the GPO to this account; --keep-links leaves the links to it alone"
    } else if sysvol.is_empty() && writes_files(plan) {
        "nothing was changed; SYSVOL allows it, so let an administrator delegate \"Edit settings\" on the GPO in the directory too"
    } else {
        "nothing was changed; let an administrator delegate \"Edit settings\" on the GPO to this account"
    };
    let missing: Vec<String> = directory.into_iter().chain(sysvol).collect();
    let verb = if plan.target.create {
        "make the GPO"
    } else if plan.verb == Verb::Delete {
        "delete GPO"
    } else {
        "change GPO"
    };
    Err(Error::new(
        ErrorKind::Denied,
        format!(
            "this account may not {verb} \"{}\": {}",
            plan.target.display_name,
            missing.join("; ")
        ),
    )
    .with_hint(hint))
}

/// What the directory would refuse of the plan, one part of a sentence each.
async fn missing_in_directory(directory: &Directory, plan: &GpoPlan) -> Result<Vec<String>> {
    let mut missing = missing_on_links(directory, plan).await?;
    if plan.target.create {
        let policies = directory.policies_rights().await?;
        if !policies.is_some_and(|rights| rights.may_add("groupPolicyContainer")) {
            missing.push(format!(
                "in the directory it may not create groupPolicyContainer objects in {}",
                directory.info().base.policies()
            ));
        }
        return Ok(missing);
    }
    let needs = RequiredRights::of(plan);
    if needs.is_nothing() {
        return Ok(missing);
    }
    let rights = directory.gpo_rights(plan.target.guid).await?;
    let Some(gpo) = rights.first() else {
        missing.push("in the directory it may not see the GPO".to_owned());
        return Ok(missing);
    };
    let attributes: Vec<&str> = needs
        .attributes
        .iter()
        .copied()
        .filter(|attribute| !gpo.may_write(attribute))
        .collect();
    if !attributes.is_empty() {
        missing.push(format!(
            "in the directory it may not write {} of {}",
            attributes.join(", "),
            gpo.dn
        ));
    }
    if needs.dacl && !gpo.dacl {
        missing.push(format!(
            "in the directory it may not write the permissions of {}",
            gpo.dn
        ));
    }
    missing.extend(needs.missing_below(gpo, &rights));
    if let Some(token) = &directory.info().token {
        let policies = directory.policies_rights().await?;
        missing.extend(needs.missing_to_delete(token, policies.as_ref(), &rights, plan));
    }
    Ok(missing)
}

/// The domain, OUs and sites whose links the account may not write.
async fn missing_on_links(directory: &Directory, plan: &GpoPlan) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for step in &plan.steps {
        let Step::SetLinks { som, .. } = step else {
            continue;
        };
        let rights = directory.object_rights(&som_dn(som)?).await?;
        if !rights.is_some_and(|rights| rights.may_write("gPLink")) {
            missing.push(format!("in the directory it may not write gPLink of {som}"));
        }
    }
    Ok(missing)
}

/// The changes of a plan to the container of a GPO and below it.
#[derive(Default)]
struct RequiredRights<'a> {
    attributes: BTreeSet<&'static str>,
    dacl: bool,
    /// The RDNs of objects to be added, with their class.
    added: Vec<(&'a [String], &'a str)>,
    /// The RDNs of objects to be changed.
    changed: Vec<&'a [String]>,
    /// Whether objects below the GPO are deleted.
    removes: bool,
    /// Whether the GPO is deleted.
    deletes: bool,
}

impl<'a> RequiredRights<'a> {
    fn of(plan: &'a GpoPlan) -> Self {
        let mut needs = Self::default();
        let named = |name: &String| {
            plan.directory_objects
                .iter()
                .find(|object| object.rdns.join(",") == *name)
        };
        for step in &plan.steps {
            match step {
                Step::ModifyGpo {
                    display_name,
                    wmi_filter,
                    ..
                } => {
                    needs.attributes.extend(EVERY_CHANGE);
                    needs
                        .attributes
                        .extend(display_name.as_ref().map(|_| "displayName"));
                    needs
                        .attributes
                        .extend(wmi_filter.as_ref().map(|_| "gPCWQLFilter"));
                }
                Step::Rename { .. } => drop(needs.attributes.insert("displayName")),
                Step::SetStatus { .. } => drop(needs.attributes.insert("flags")),
                Step::SetSecurityDescriptor { .. } => needs.dacl = true,
                Step::AddDirectoryObjects { objects } => {
                    let found = objects.iter().filter_map(named);
                    needs.added.extend(
                        found.map(|object| (object.rdns.as_slice(), object.object_class.as_str())),
                    );
                }
                Step::ChangeDirectoryObjects { objects } => {
                    let found = objects.iter().filter_map(named);
                    needs
                        .changed
                        .extend(found.map(|object| object.rdns.as_slice()));
                }
                Step::RemoveDirectoryObjects { .. } => needs.removes = true,
                Step::DeleteGpo { .. } => needs.deletes = true,
                Step::CreateGpo { .. }
                | Step::StageFiles { .. }
                | Step::SwitchEntry { .. }
                | Step::WriteGptIni { .. }
                | Step::SetLinks { .. } => {}
            }
        }
        needs
    }

    fn is_nothing(&self) -> bool {
        self.attributes.is_empty()
            && !self.dacl
            && self.added.is_empty()
            && self.changed.is_empty()
            && !self.removes
            && !self.deletes
    }

    /// The objects that may not be deleted: for a deletion of the GPO, the GPO and everything below it, unless it may be
    /// deleted as a whole; else the objects that the plan does not keep.
    fn missing_to_delete(
        &self,
        token: &AccessToken,
        policies: Option<&ObjectRights>,
        rights: &[ObjectRights],
        plan: &GpoPlan,
    ) -> BTreeSet<String> {
        let Some(gpo) = rights.first() else {
            return BTreeSet::new();
        };
        if self.deletes && gpo.may_be_deleted_as_tree(token) {
            return BTreeSet::new();
        }
        let kept = |object: &ObjectRights| {
            plan.directory_objects.iter().any(|planned| {
                is_at(object, gpo, &planned.rdns)
                    && planned.object_class.eq_ignore_ascii_case(&object.class)
            })
        };
        // The two halves are kept and are not objects of a plan.
        let goes = |object: &ObjectRights| {
            let depth = object.dn.below(&gpo.dn).map_or(0, <[_]>::len);
            self.deletes || (self.removes && depth > 1 && !kept(object))
        };
        rights
            .iter()
            .filter(|object| goes(object))
            .filter(|object| {
                let parent = object.dn.parent();
                let parent = if object.dn == gpo.dn {
                    policies
                } else {
                    rights
                        .iter()
                        .find(|other| Some(&other.dn) == parent.as_ref())
                };
                parent.is_some_and(|parent| !object.may_be_deleted(parent, token))
            })
            .map(|object| format!("in the directory it may not delete {}", object.dn))
            .collect()
    }

    /// What the objects below the GPO refuse. For an object with a new parent, the parent is checked.
    fn missing_below(&self, gpo: &ObjectRights, rights: &[ObjectRights]) -> BTreeSet<String> {
        let at = |rdns: &[String]| rights.iter().find(|object| is_at(object, gpo, rdns));
        let added = self.added.iter().filter_map(|(rdns, class)| {
            let parent = at(rdns.get(1..)?)?;
            (!parent.may_add(class)).then(|| {
                format!(
                    "in the directory it may not create {class} objects in {}",
                    parent.dn
                )
            })
        });
        let changed = self.changed.iter().filter_map(|rdns| {
            let object = at(rdns)?;
            (!object.may_write_any())
                .then(|| format!("in the directory it may not change {}", object.dn))
        });
        added.chain(changed).collect()
    }
}

/// Whether there is an object with these RDNs below the GPO.
fn is_at(object: &ObjectRights, gpo: &ObjectRights, rdns: &[String]) -> bool {
    object.dn.below(&gpo.dn).is_some_and(|found| {
        found.len() == rdns.len()
            && found.iter().zip(rdns).all(|(found, text)| {
                crate::model::dn::parse_single_rdn(text)
                    .is_some_and(|rdn| found.is(&rdn.attribute, &rdn.value))
            })
    })
}

/// Whether the plan changes files: a new name or status does not.
fn writes_files(plan: &GpoPlan) -> bool {
    plan.steps
        .iter()
        .any(|step| matches!(step, Step::StageFiles { .. }))
}

/// Whether the share itself refuses this account what the permissions of a folder grant. The maximal access that a server reports
/// then lacks a right of the descriptor: Samba 4.17 reports the right to delete what is in a folder no more when the share is
/// read-only, but all others, and refuses every write. Where the right is reported, nothing else is queried.
///
/// # Errors
/// As the server reports; none for a folder that this account cannot read.
pub(crate) async fn share_is_read_only(
    session: &DomainSession,
    folder: &SysvolPath,
) -> Result<bool> {
    let sysvol = session.sysvol();
    let Some(token) = &session.directory().info().token else {
        return Ok(false);
    };
    match granted(sysvol, folder).await? {
        Some(granted) if granted & file::DELETE_CHILD == 0 => {}
        _ => return Ok(false),
    }
    let descriptor = match sysvol.security_descriptor(folder).await {
        Err(error) if error.kind() == ErrorKind::Connect => return Err(error),
        Err(_) => return Ok(false),
        Ok(bytes) => SecurityDescriptor::parse(&bytes),
    };
    Ok(descriptor.is_ok_and(|descriptor| {
        let by_descriptor = access::check(&descriptor, token, file::DELETE_CHILD, None);
        by_descriptor == AccessDecision::Granted
    }))
}

/// The error for a share that refuses what the permissions of a folder grant.
fn read_only(session: &DomainSession, folder: &SysvolPath) -> Error {
    Error::new(
        ErrorKind::Denied,
        format!(
            "{} shares SYSVOL read-only, at least to this account; the permissions of {folder} let it write",
            session.info().server
        ),
    )
    .with_hint(format!("nothing was changed; {MAKE_WRITABLE}"))
}

/// The next step where the share is read-only.
pub(crate) const MAKE_WRITABLE: &str = "make the share writable on the domain controller (Samba: read only and write list in [sysvol] of smb.conf; Windows: Get-SmbShareAccess SYSVOL), or connect to another one";

/// What SYSVOL would refuse of the plan, one part of a sentence each; nothing where the back end cannot query rights.
async fn missing_on_sysvol(session: &DomainSession, plan: &GpoPlan) -> Result<Vec<String>> {
    let sysvol = session.sysvol();
    let domain = &plan.target.domain;
    let mut missing = Vec::new();
    if plan.target.create {
        let policies = SysvolPath::policies(domain);
        if lacks(sysvol, &policies, file::APPEND_DATA).await? {
            missing.push(format!("on SYSVOL it may not create folders in {policies}"));
        }
        return Ok(missing);
    }
    let folder = SysvolPath::gpo(domain, plan.target.guid);
    if plan.verb == Verb::Delete {
        return missing_to_remove(sysvol, &folder, &SysvolPath::policies(domain)).await;
    }
    if !writes_files(plan) {
        return Ok(missing);
    }
    let mut moved: BTreeSet<&str> = BTreeSet::new();
    for step in &plan.steps {
        match step {
            Step::SwitchEntry { name, change } if *change != EntryChange::Added => {
                moved.insert(name);
            }
            Step::WriteGptIni { from: Some(_), .. } => drop(moved.insert("GPT.INI")),
            _ => {}
        }
    }
    let Some(granted) = granted(sysvol, &folder).await? else {
        return Ok(missing);
    };
    if granted & file::WRITE_DATA == 0 || granted & file::APPEND_DATA == 0 {
        missing.push(format!(
            "on SYSVOL it may not create files and folders in {folder}"
        ));
    }
    // An account that may delete in the folder may rename what is in it. Else each entry must permit it, which the permissions
    // that Samba derives from the GPO's DACL never do.
    if granted & file::DELETE_CHILD != 0 {
        return Ok(missing);
    }
    if session.info().is_samba() && sysvol.has_exact_descriptors() {
        missing.push(format!(
            "on SYSVOL it may not rename or delete what is in {folder}"
        ));
        return Ok(missing);
    }
    for name in moved {
        let Ok(name) = SafeName::new(name) else {
            continue;
        };
        let path = SysvolPath::in_gpo(domain, plan.target.guid, &RelPath::root().join(name));
        if lacks(sysvol, &path, standard::DELETE).await? {
            missing.push(format!("on SYSVOL it may not rename or delete {path}"));
        }
    }
    Ok(missing)
}

/// What SYSVOL would refuse of deleting a GPO's folder, which is the last step, when nothing can be undone any more. Deeper
/// files and folders have the permissions of these entries.
async fn missing_to_remove(
    sysvol: &dyn SysvolRead,
    folder: &SysvolPath,
    policies: &SysvolPath,
) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let Some(granted) = granted(sysvol, folder).await? else {
        return Ok(missing);
    };
    // Samba permits the deletion to an account that may delete in the parent folder. Whether every server does is not known.
    if granted & standard::DELETE == 0 && lacks(sysvol, policies, file::DELETE_CHILD).await? {
        missing.push(format!("on SYSVOL it may not delete {folder}"));
    }
    if granted & file::DELETE_CHILD != 0 {
        return Ok(missing);
    }
    for entry in sysvol.list(folder).await?.entries {
        let Some(path) = folder.join(&entry.name) else {
            continue;
        };
        if lacks(sysvol, &path, standard::DELETE).await? {
            missing.push(format!("on SYSVOL it may not delete {path}"));
        }
    }
    Ok(missing)
}

/// Whether it exists and the account certainly lacks one of these rights.
async fn lacks(sysvol: &dyn SysvolRead, path: &SysvolPath, wanted: u32) -> Result<bool> {
    Ok(granted(sysvol, path)
        .await?
        .is_some_and(|granted| granted & wanted != wanted))
}

/// The access to something; no access at all where not even attributes may be read. `None` when it does not exist, or the back
/// end cannot query rights.
pub(crate) async fn granted(sysvol: &dyn SysvolRead, path: &SysvolPath) -> Result<Option<u32>> {
    match sysvol.maximal_access(path).await {
        Err(error) if error.kind() == ErrorKind::Denied => Ok(Some(0)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other,
    }
}
