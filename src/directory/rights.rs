//! What this account may do to a GPO's container and what stands below it, as the DC works it out from the descriptors.

use std::collections::BTreeSet;

use super::gpo::SD_PARTS;
use super::session::Directory;
use crate::domain::ldap::{Entry, Filter, Scope, Search};
use crate::error::Result;
use crate::model::access::{AccessDecision, AccessToken, check, class_guid, may_delete, right};
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

/// What this account may do to one object. AD leaves out what is empty, so absence says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRights {
    /// The object.
    pub dn: Dn,
    /// `allowedAttributesEffective` [MS-ADTS 3.1.1.4.5.21], in lower case.
    attributes: BTreeSet<String>,
    /// `allowedChildClassesEffective` [MS-ADTS 3.1.1.4.5.19], in lower case.
    child_classes: BTreeSet<String>,
    /// Whether `sDRightsEffective` has the DACL.
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

    /// Whether this object, which stands right below `parent`, may be deleted by who has this token. A descriptor that
    /// cannot be read says nothing, so the server has to.
    pub fn may_be_deleted(&self, parent: &Self, token: &AccessToken) -> bool {
        match (&self.descriptor, &parent.descriptor) {
            (Some(own), Some(parent)) => may_delete(own, parent, class_guid(&self.class), token),
            _ => true,
        }
    }

    /// Whether the object may be deleted with all below it at once.
    pub fn may_be_deleted_as_tree(&self, token: &AccessToken) -> bool {
        self.descriptor.as_ref().is_some_and(|descriptor| {
            check(descriptor, token, right::DELETE_TREE, None) == AccessDecision::Granted
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

    /// Whether an object of this class may be made below it.
    pub fn may_add(&self, class: &str) -> bool {
        self.child_classes.contains(&class.to_lowercase())
    }
}

impl Directory {
    /// The rights on a GPO's container, which comes first, and on everything below it, in one search. Empty when there is
    /// no such GPO, or none that this account may see.
    ///
    /// # Errors
    /// As every search.
    pub async fn gpo_rights(&self, guid: Guid) -> Result<Vec<ObjectRights>> {
        let base = self.info().base.gpo(guid);
        let found = self
            .search(Search {
                base: Some(&base),
                scope: Scope::Subtree,
                filter: Filter::everything(),
                attributes: ATTRIBUTES,
                sd_flags: Some(SD_PARTS),
                paged: true,
            })
            .await?;
        let mut rights = found
            .iter()
            .map(ObjectRights::read)
            .collect::<Result<Vec<_>>>()?;
        rights.sort_by_key(|object| object.dn.rdns().len());
        Ok(rights)
    }

    /// The rights on `CN=Policies`, where the containers of the GPOs stand; `None` when this account may not see it.
    ///
    /// # Errors
    /// As every search.
    pub async fn policies_rights(&self) -> Result<Option<ObjectRights>> {
        self.object_rights(&self.info().base.policies()).await
    }

    /// The rights on one object; `None` when there is none, or none that this account may see.
    ///
    /// # Errors
    /// As every search.
    pub async fn object_rights(&self, dn: &Dn) -> Result<Option<ObjectRights>> {
        self.read(dn, ATTRIBUTES, Some(SD_PARTS))
            .await?
            .as_ref()
            .map(ObjectRights::read)
            .transpose()
    }
}
