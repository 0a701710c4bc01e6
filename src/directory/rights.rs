//! The rights of this account on a GPO's container and everything below it, as the DC computes them from the descriptors.

use std::collections::BTreeSet;

use super::gpo::SD_PARTS;
use super::session::Directory;
use crate::domain::ldap::{Entry, Filter, Scope, Search};
use crate::error::Result;
use crate::model::access::{AccessDecision, AccessToken, check, class_guid, may_delete};
use crate::model::access_mask::directory;
use crate::model::dn::Dn;
use crate::model::guid::Guid;
use crate::model::security_descriptor::SecurityDescriptor;

/// DACL_SECURITY_INFORMATION in `sDRightsEffective` [MS-ADTS 3.1.1.4.5.4].
const DACL: u32 = 4;

const ATTRIBUTES: &[&str] = &[
    "allowedAttributesEffective",
    "allowedChildClassesEffective",
    "sDRightsEffective",
    "objectClass",
    "nTSecurityDescriptor",
];

/// The rights of this account on one object. AD omits empty attributes, so an absent one means no rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRights {
    /// The object.
    pub dn: Dn,
    /// `allowedAttributesEffective` [MS-ADTS 3.1.1.4.5.21], in lower case.
    attributes: BTreeSet<String>,
    /// `allowedChildClassesEffective` [MS-ADTS 3.1.1.4.5.19], in lower case.
    child_classes: BTreeSet<String>,
    /// Whether `sDRightsEffective` includes the DACL.
    pub dacl: bool,
    /// The most specific class.
    pub class: String,
    /// `nTSecurityDescriptor`; `None` when this account may not read it.
    descriptor: Option<SecurityDescriptor>,
}

impl ObjectRights {
    fn read(entry: &Entry) -> Result<Self> {
        let lower = |name: &str| {
            entry
                .texts(name)
                .iter()
                .map(|value| value.to_lowercase())
                .collect()
        };
        let parts = entry.dword("sDRightsEffective")?.unwrap_or(0);
        Ok(Self {
            dn: entry.dn.clone(),
            attributes: lower("allowedAttributesEffective"),
            child_classes: lower("allowedChildClassesEffective"),
            dacl: parts & DACL != 0,
            class: entry.texts("objectClass").pop().unwrap_or_default(),
            descriptor: entry
                .bytes("nTSecurityDescriptor")
                .and_then(|bytes| SecurityDescriptor::parse(bytes).ok()),
        })
    }

    /// Whether this object, directly below `parent`, may be deleted with this token. If a descriptor cannot be read, the server
    /// has to decide.
    pub fn may_be_deleted(&self, parent: &Self, token: &AccessToken) -> bool {
        match (&self.descriptor, &parent.descriptor) {
            (Some(own), Some(parent)) => may_delete(own, parent, class_guid(&self.class), token),
            _ => true,
        }
    }

    /// Whether the object may be deleted at once with everything below it.
    pub fn may_be_deleted_as_tree(&self, token: &AccessToken) -> bool {
        self.descriptor.as_ref().is_some_and(|descriptor| {
            check(descriptor, token, directory::DELETE_TREE, None) == AccessDecision::Granted
        })
    }

    /// Whether this attribute may be written.
    pub fn may_write(&self, attribute: &str) -> bool {
        self.attributes.contains(&attribute.to_lowercase())
    }

    /// Whether anything may be written.
    pub fn may_write_any(&self) -> bool {
        !self.attributes.is_empty()
    }

    /// Whether an object of this class may be created below it.
    pub fn may_add(&self, class: &str) -> bool {
        self.child_classes.contains(&class.to_lowercase())
    }
}

impl Directory {
    /// The rights on a GPO's container, which comes first, and on everything below it, in one search. Empty when there is no
    /// such GPO, or this account may not see it.
    ///
    /// # Errors
    /// As every search.
    pub(crate) async fn gpo_rights(&self, guid: Guid) -> Result<Vec<ObjectRights>> {
        let base = self.info().base.gpo(guid);
        let found = self
            .search(Search {
                base: Some(&base),
                scope: Scope::Subtree,
                filter: Filter::everything(),
                attributes: ATTRIBUTES,
                sd_flags: Some(SD_PARTS),
                paged: true,
                extended_dns: false,
            })
            .await?;
        let mut rights = found
            .iter()
            .map(ObjectRights::read)
            .collect::<Result<Vec<_>>>()?;
        rights.sort_by_key(|object| object.dn.rdns().len());
        Ok(rights)
    }

    /// The rights on `CN=Policies`, which contains the GPOs; `None` when this account may not see it.
    ///
    /// # Errors
    /// As every search.
    pub(crate) async fn policies_rights(&self) -> Result<Option<ObjectRights>> {
        self.object_rights(&self.info().base.policies()).await
    }

    /// The rights on one object; `None` when there is none, or this account may not see it.
    ///
    /// # Errors
    /// As every search.
    pub(crate) async fn object_rights(&self, dn: &Dn) -> Result<Option<ObjectRights>> {
        self.read(dn, ATTRIBUTES, Some(SD_PARTS))
            .await?
            .as_ref()
            .map(ObjectRights::read)
            .transpose()
    }
}
