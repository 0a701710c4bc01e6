//! Writes to the directory. Only `execute` has a [`DirectoryWriter`].

mod swap;

pub use swap::{AttributeSwap, SwapAttribute};

use std::sync::Arc;

use super::children::{is_server_made, ldap_values, object_dn};
use super::connection::{DirectorySettings, LdapConnection};
use super::failure::failed;
use super::gpo::file_sys_path;
use super::session::{Directory, check_authority};
use crate::domain::ldap::{
    ACCESS_DENIED, LdapFailure, LdapWrite, Modification, NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT,
    NOT_ON_NON_LEAF, VALUE_EXISTS,
};
use crate::error::{Error, ErrorKind, Result};
use crate::model::allowed_object::AllowedObject;
use crate::model::directory_object::DirectoryObject;
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::extension_list::ExtensionList;
use crate::model::guid::Guid;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::version::GpoVersion;
use crate::model::well_known::DEFAULT_GPOS;

/// A session that writes. It writes only to the container of a GPO whose DN it has computed, to objects below it, to WMI
/// filters, and to the `gPLink` and `gPOptions` of an object that was read before.
#[derive(Clone)]
pub struct DirectoryWriter {
    directory: Directory,
    ldap: Arc<dyn LdapWrite>,
}

/// The changes to a GPO in one modify; `None` leaves a value unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpoChange {
    /// `versionNumber`: its expected value (`None`: absent), and the new one.
    pub version: Option<(Option<GpoVersion>, GpoVersion)>,
    /// `flags`.
    pub flags: Option<u32>,
    /// `gPCMachineExtensionNames`; an empty list removes the attribute.
    pub machine_extensions: Option<ExtensionList>,
    /// `gPCUserExtensionNames`; an empty list removes the attribute.
    pub user_extensions: Option<ExtensionList>,
    /// `displayName`.
    pub display_name: Option<String>,
    /// `gPCWQLFilter`; `Some(None)` removes the link.
    pub wmi_filter: Option<Option<String>>,
    /// `gPCFunctionalityVersion`.
    pub functionality_version: Option<u32>,
    /// `gPCFileSysPath`; always set to the computed path when true.
    pub repair_path: bool,
    /// `nTSecurityDescriptor`: self-relative bytes, and which parts of them are set, as in
    /// [`DirectoryWriter::set_security_descriptor`].
    pub security_descriptor: Option<(Vec<u8>, u32)>,
    /// The expected `displayName`; without one, any value is replaced.
    pub display_name_was: Option<String>,
    /// The expected `flags` (`None` inside: absent); without, any value is replaced.
    pub flags_was: Option<Option<u32>>,
}

/// `unavailableCriticalExtension`, `unwillingToPerform`, `notAllowedOnNonLeaf`, `adminLimitExceeded`: after these errors, a
/// tree can still be deleted object by object.
const NO_TREE_DELETE: &[u32] = &[12, 53, NOT_ON_NON_LEAF, 11, ACCESS_DENIED];

/// The containers directly below every GPO.
const HALVES: [&str; 2] = ["Machine", "User"];

impl DirectoryWriter {
    /// Connects over LDAP, as [`Directory::connect`] does.
    ///
    /// # Errors
    /// As [`Directory::connect`].
    pub async fn connect(settings: &DirectorySettings) -> Result<Self> {
        let connection = LdapConnection::open(settings).await?;
        let writer = Self::from_port(Arc::new(connection), settings.domain.as_ref()).await?;
        check_authority(settings, writer.directory.info())?;
        Ok(writer)
    }

    /// A session over an open connection, as [`Directory::from_port`].
    ///
    /// # Errors
    /// As [`Directory::from_port`].
    pub async fn from_port(ldap: Arc<dyn LdapWrite>, domain: Option<&DomainName>) -> Result<Self> {
        let directory = Directory::from_port(ldap.clone(), domain).await?;
        Ok(Self { directory, ldap })
    }

    /// The session to read with.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    fn gpo_dn(&self, guid: Guid) -> Dn {
        self.directory.info().base.gpo(guid)
    }

    /// Changes a GPO in one modify, all or nothing. With a version, the modify succeeds only if `versionNumber` still has the
    /// expected value.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the version has changed since; [`ErrorKind::NotFound`], [`ErrorKind::Denied`].
    pub async fn modify_gpo(&self, guid: Guid, change: &GpoChange) -> Result<()> {
        let path = file_sys_path(&self.directory.info().dns_domain, guid);
        let changes = modifications(change, &path);
        if changes.is_empty() {
            return Ok(());
        }
        let dn = self.gpo_dn(guid);
        let what = format!("changing {dn}");
        let parts = change.security_descriptor.as_ref().map(|(_, parts)| *parts);
        let Err(failure) = self.ldap.modify(&dn, changes, parts).await else {
            return Ok(());
        };
        let compares = change.version.is_some()
            || change.display_name_was.is_some()
            || change.flags_was.is_some();
        Err(match failure.code() {
            Some(NO_SUCH_ATTRIBUTE | VALUE_EXISTS) if compares => Error::new(
                ErrorKind::Conflict,
                format!("the GPO {guid} has changed since it was read"),
            )
            .with_hint("read it again and make a new plan"),
            _ => self.failed(failure, &what),
        })
    }

    /// Creates the container of a GPO with its two halves [MS-GPOL 2.2.8.1]: version 0, no extensions, both halves enabled, so
    /// no client applies it yet. Does not check whether the display name is in use.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the GUID is in use; [`ErrorKind::Denied`]. What was created is deleted again;
    /// [`ErrorKind::Incomplete`] when that failed as well.
    pub async fn create_gpo(&self, guid: Guid, display_name: &str) -> Result<()> {
        self.add_container(guid, display_name).await?;
        for half in HALVES {
            if let Err(error) = self.add_half(guid, half).await {
                let dn = self.gpo_dn(guid);
                return Err(match self.delete_tree(&dn).await {
                    Ok(()) => error,
                    Err(leftover) => error
                        .with_kind(ErrorKind::Incomplete)
                        .with_hint(format!("delete {dn} by hand: {leftover}")),
                });
            }
        }
        Ok(())
    }

    /// Creates what is missing of the container of a GPO and its two halves; what exists is unchanged.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`]; what was created is kept.
    pub async fn complete_gpo(&self, guid: Guid, display_name: &str) -> Result<()> {
        let dn = self.gpo_dn(guid);
        let there = match self.below(&dn).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        if there.is_empty() {
            self.add_container(guid, display_name).await?;
        }
        for half in HALVES {
            if !there.contains(&dn.cn(half)) {
                self.add_half(guid, half).await?;
            }
        }
        Ok(())
    }

    async fn add_container(&self, guid: Guid, display_name: &str) -> Result<()> {
        let path = file_sys_path(&self.directory.info().dns_domain, guid);
        self.add(
            &self.gpo_dn(guid),
            vec![
                values("objectClass", ["top", "container", "groupPolicyContainer"]),
                values("displayName", [display_name]),
                values("flags", ["0"]),
                values("versionNumber", ["0"]),
                values("gPCFunctionalityVersion", ["2"]),
                values("gPCFileSysPath", [path.as_str()]),
            ],
            None,
        )
        .await
    }

    async fn add_half(&self, guid: Guid, half: &str) -> Result<()> {
        self.add(
            &self.gpo_dn(guid).cn(half),
            vec![values("objectClass", ["top", "container"])],
            None,
        )
        .await
    }

    /// Deletes the container of a GPO and everything below it. Links to it are not deleted.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for the two default GPOs; [`ErrorKind::NotFound`].
    pub async fn delete_gpo(&self, guid: Guid) -> Result<()> {
        refuse_default_gpo(guid)?;
        self.delete_tree(&self.gpo_dn(guid)).await
    }

    /// Adds an object below a GPO, with its descriptor's DACL if it has one. Its parent must exist. Attributes that the server
    /// sets itself and empty ones are omitted.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] when its names are not valid; [`ErrorKind::Conflict`] when it exists; [`ErrorKind::NotFound`]
    /// when the parent does not.
    pub async fn add_child(&self, guid: Guid, object: &AllowedObject) -> Result<()> {
        let gpo = self.gpo_dn(guid);
        let dn = object_dn(object, &gpo)?;
        let mut attributes = vec![values("objectClass", [object.object_class.as_str()])];
        for attribute in &object.attributes {
            if is_server_made(&attribute.name) {
                continue;
            }
            let list = ldap_values(&attribute.values, &gpo);
            if !list.is_empty() {
                attributes.push((attribute.name.clone(), list));
            }
        }
        let mut parts = None;
        if let Some(descriptor) = &object.security_descriptor {
            attributes.push((
                "nTSecurityDescriptor".to_owned(),
                vec![without_owner(descriptor)],
            ));
            // Owner and group are those of the account: only administrators may set others.
            parts = Some(4);
        }
        self.add(&dn, attributes, parts).await
    }

    /// Sets the values of an object below a GPO to those of another, and its DACL if it has one and grants something else.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] when its names are not valid; [`ErrorKind::NotFound`], [`ErrorKind::Denied`].
    pub async fn change_child(
        &self,
        guid: Guid,
        old: &DirectoryObject,
        new: &AllowedObject,
    ) -> Result<()> {
        let gpo = self.gpo_dn(guid);
        let dn = object_dn(new, &gpo)?;
        let mut changes: Vec<Modification> = Vec::new();
        for name in new.differing_attributes(old) {
            if is_server_made(&name) {
                continue;
            }
            let list = new
                .attributes
                .iter()
                .find(|attribute| attribute.name.eq_ignore_ascii_case(&name))
                .map(|attribute| ldap_values(&attribute.values, &gpo))
                .unwrap_or_default();
            changes.push(Modification::Replace(name, list));
        }
        let mut parts = None;
        if let Some(descriptor) = &new.security_descriptor
            && new.differs_in_access(old)
        {
            changes.push(replace_descriptor(descriptor));
            parts = Some(4);
        }
        if changes.is_empty() {
            return Ok(());
        }
        let result = self.ldap.modify(&dn, changes, parts).await;
        result.map_err(|failure| self.failed(failure, &format!("changing {dn}")))
    }

    /// Deletes these objects below a GPO, deepest first, and everything below them. One that does not exist is not an error.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] when a name is not valid; [`ErrorKind::Denied`]. Objects deleted before the error are not
    /// restored.
    pub async fn delete_children(&self, guid: Guid, objects: &[&DirectoryObject]) -> Result<()> {
        let gpo = self.gpo_dn(guid);
        let roots = objects
            .iter()
            .map(|object| object_dn(object, &gpo))
            .collect::<Result<Vec<Dn>>>()?;
        if roots.is_empty() {
            return Ok(());
        }
        let mut found = self.below(&gpo).await?;
        found.retain(|dn| roots.iter().any(|root| dn.below(root).is_some()));
        self.delete_all(found).await
    }

    /// Sets the GPO's `nTSecurityDescriptor`. `parts` selects what is set: 1 owner, 2 group, 4 DACL, 8 SACL [MS-ADTS
    /// 3.1.1.3.4.1.11].
    ///
    /// # Errors
    /// [`ErrorKind::Denied`], [`ErrorKind::NotFound`], [`ErrorKind::BadDirectory`] when the server refuses its form.
    pub async fn set_security_descriptor(
        &self,
        guid: Guid,
        descriptor: &[u8],
        parts: u32,
    ) -> Result<()> {
        let dn = self.gpo_dn(guid);
        let what = format!("setting the security descriptor of {dn}");
        let change = vec![replace_descriptor(descriptor)];
        let result = self.ldap.modify(&dn, change, Some(parts)).await;
        result.map_err(|failure| self.failed(failure, &what))
    }

    /// Sets `gPLink` of a domain, OU or site, if it still has the value that was read. `None` is an absent attribute.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the links have changed since; [`ErrorKind::Denied`], [`ErrorKind::NotFound`].
    pub async fn set_gp_link(&self, som: &Dn, old: Option<&str>, new: Option<&str>) -> Result<()> {
        let change = AttributeSwap {
            attribute: SwapAttribute::GpLink,
            old: old.map(str::to_owned),
            new: new.filter(|text| !text.is_empty()).map(str::to_owned),
        };
        self.swap_attributes(som, &[change]).await
    }

    async fn add(
        &self,
        dn: &Dn,
        attributes: Vec<(String, Vec<Vec<u8>>)>,
        parts: Option<u32>,
    ) -> Result<()> {
        let result = self.ldap.add(dn, attributes, parts).await;
        result.map_err(|failure| self.failed(failure, &format!("adding {dn}")))
    }

    /// The error of a request that failed; `what` is the request and its object.
    fn failed(&self, failure: LdapFailure, what: &str) -> Error {
        failed(failure, self.ldap.server(), what)
    }

    /// Deletes an object with everything below it, at once if the server permits it, else object by object: a delegated editor
    /// may have the right to delete but not to delete a tree.
    async fn delete_tree(&self, dn: &Dn) -> Result<()> {
        let Err(failure) = self.ldap.delete(dn, true).await else {
            return Ok(());
        };
        match failure.code() {
            Some(code) if NO_TREE_DELETE.contains(&code) => {
                let found = self.below(dn).await?;
                self.delete_all(found).await
            }
            _ => Err(self.failed(failure, &format!("deleting {dn}"))),
        }
    }

    /// The object and everything below it.
    async fn below(&self, dn: &Dn) -> Result<Vec<Dn>> {
        let found = self
            .directory
            .descendants(dn, &["objectClass"], None)
            .await?;
        Ok(found.into_iter().map(|entry| entry.dn).collect())
    }

    /// Deletes objects, deepest first. One that does not exist is not an error.
    async fn delete_all(&self, mut found: Vec<Dn>) -> Result<()> {
        // Sort by name too: Samba returns objects in the order of their random `objectGUID`, so that an interrupted deletion
        // would leave either half.
        found.sort_by_cached_key(|dn| {
            (
                std::cmp::Reverse(dn.rdns().len()),
                dn.as_str().to_lowercase(),
            )
        });
        for dn in found {
            match self.ldap.delete(&dn, false).await {
                Err(failure) if failure.code() != Some(NO_SUCH_OBJECT) => {
                    return Err(self.failed(failure, &format!("deleting {dn}")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Refuses the two default GPOs.
///
/// # Errors
/// [`ErrorKind::Denied`] for the Default Domain Policy and the Default Domain Controllers Policy.
pub fn refuse_default_gpo(guid: Guid) -> Result<()> {
    if !DEFAULT_GPOS.contains(&guid) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Denied,
        format!("{guid} is a default GPO and cannot be deleted"),
    )
    .with_hint("every domain needs it; an import or a restore changes its settings"))
}

/// An attribute with text values for an add.
fn values<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> (String, Vec<Vec<u8>>) {
    (
        name.to_owned(),
        values
            .into_iter()
            .map(|value| value.as_bytes().to_vec())
            .collect(),
    )
}

/// Compare-and-swap: the server refuses the whole modify when the old value does not match.
fn swap(changes: &mut Vec<Modification>, name: &str, old: Option<&[u8]>, new: Option<&[u8]>) {
    if let Some(old) = old {
        changes.push(Modification::Delete(name.to_owned(), vec![old.to_vec()]));
    }
    if let Some(new) = new {
        changes.push(Modification::Add(name.to_owned(), vec![new.to_vec()]));
    }
}

/// The modifications of one change. Replacing a value by nothing removes the attribute, and is not an error when it is absent.
fn modifications(change: &GpoChange, path: &str) -> Vec<Modification> {
    let mut changes = Vec::new();
    if let Some((old, new)) = &change.version {
        let number = |version: &GpoVersion| version.to_ldap().to_string();
        let old = old.as_ref().map(number);
        swap(
            &mut changes,
            "versionNumber",
            old.as_deref().map(str::as_bytes),
            Some(number(new).as_bytes()),
        );
    }
    let mut set = |name: &str, value: Option<&str>| {
        let values = value
            .filter(|text| !text.is_empty())
            .map(|text| text.as_bytes().to_vec());
        changes.push(Modification::Replace(
            name.to_owned(),
            values.into_iter().collect(),
        ));
    };
    let signed = |number: u32| number.cast_signed().to_string();
    if let (Some(flags), None) = (change.flags, change.flags_was) {
        set("flags", Some(&signed(flags)));
    }
    let list = |list: &ExtensionList| (!list.is_empty()).then(|| list.as_str().to_owned());
    if let Some(extensions) = &change.machine_extensions {
        set("gPCMachineExtensionNames", list(extensions).as_deref());
    }
    if let Some(extensions) = &change.user_extensions {
        set("gPCUserExtensionNames", list(extensions).as_deref());
    }
    if let (Some(name), None) = (&change.display_name, &change.display_name_was) {
        set("displayName", Some(name));
    }
    if let Some(filter) = &change.wmi_filter {
        set("gPCWQLFilter", filter.as_deref());
    }
    if let Some(version) = change.functionality_version {
        set("gPCFunctionalityVersion", Some(&signed(version)));
    }
    if change.repair_path {
        set("gPCFileSysPath", Some(path));
    }
    if let (Some(new), Some(old)) = (change.flags, change.flags_was) {
        let old = old.map(signed);
        swap(
            &mut changes,
            "flags",
            old.as_deref().map(str::as_bytes),
            Some(signed(new).as_bytes()),
        );
    }
    if let (Some(new), Some(old)) = (&change.display_name, &change.display_name_was) {
        let old = Some(old.as_bytes()).filter(|old| !old.is_empty());
        swap(&mut changes, "displayName", old, Some(new.as_bytes()));
    }
    if let Some((descriptor, _)) = &change.security_descriptor {
        changes.push(replace_descriptor(descriptor));
    }
    changes
}

/// Replaces the parts of a descriptor that the request names.
fn replace_descriptor(descriptor: &[u8]) -> Modification {
    Modification::Replace("nTSecurityDescriptor".to_owned(), vec![descriptor.to_vec()])
}

/// A descriptor without owner and group. Samba 4.25 refuses to add an object with another owner than the account, even when the
/// control selects only the DACL (LDAP result 19, `invalid addition of owner SID`); 4.17 did not check it.
fn without_owner(descriptor: &[u8]) -> Vec<u8> {
    SecurityDescriptor::parse(descriptor)
        .and_then(|mut parsed| {
            parsed.owner = None;
            parsed.group = None;
            parsed.to_bytes()
        })
        .unwrap_or_else(|_| descriptor.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Vec<Vec<u8>> {
        vec![text.as_bytes().to_vec()]
    }

    #[test]
    fn a_version_is_swapped_and_an_empty_list_removed() {
        let change = GpoChange {
            version: Some((
                Some(GpoVersion::from_combined(0x8000_0001)),
                GpoVersion::from_combined(0x8001_0002),
            )),
            flags: Some(3),
            machine_extensions: Some(ExtensionList::new(" ")),
            ..GpoChange::default()
        };
        let changes = modifications(&change, "x");
        assert_eq!(changes.len(), 4);
        assert!(
            matches!(&changes[0], Modification::Delete(name, values) if name == "versionNumber" && *values == one("-2147483647"))
        );
        assert!(
            matches!(&changes[1], Modification::Add(name, values) if name == "versionNumber" && *values == one("-2147418110"))
        );
        assert!(
            matches!(&changes[2], Modification::Replace(name, values) if name == "flags" && *values == one("3"))
        );
        assert!(
            matches!(&changes[3], Modification::Replace(name, values) if name == "gPCMachineExtensionNames" && values.is_empty())
        );
        assert!(modifications(&GpoChange::default(), "x").is_empty());
    }

    #[test]
    fn an_absent_version_must_stay_absent() {
        let change = GpoChange {
            version: Some((None, GpoVersion::from_combined(65_537))),
            ..GpoChange::default()
        };
        let changes = modifications(&change, "x");
        assert!(
            matches!(changes.as_slice(), [Modification::Add(_, values)] if *values == one("65537"))
        );
    }
}
