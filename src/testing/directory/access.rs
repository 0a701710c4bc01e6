//! Who may do what, worked out from descriptors [MS-ADTS 5.1.3].

use super::schema::SCHEMA;
use super::{Object, Store};
use crate::model::access::{AccessDecision, AccessToken, check_types};
use crate::model::access_mask::{directory, standard};
use crate::model::guid::Guid;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;

/// `RIGHT_DS_LIST_CONTENTS`
pub(super) const LIST_CHILDREN: u32 = 0x4;
/// `RIGHT_WRITE_DAC`
pub(super) const WRITE_DAC: u32 = 0x4_0000;
/// `RIGHT_WRITE_OWNER`
pub(super) const WRITE_OWNER: u32 = 0x8_0000;

/// Parts of a descriptor [MS-ADTS 3.1.1.3.4.1.11].
pub(super) mod part {
    pub(in super::super) const OWNER: u32 = 1;
    pub(in super::super) const GROUP: u32 = 2;
    pub(in super::super) const DACL: u32 = 4;
    pub(super) const SACL: u32 = 8;
}

/// Who is logged in.
#[derive(Debug, Clone)]
pub(super) struct Login {
    /// The account first, then its groups.
    pub sids: Vec<Sid>,
    pub token: AccessToken,
}

impl Login {
    pub(super) fn new(sids: Vec<Sid>) -> Self {
        let token = AccessToken::new(sids.clone());
        Self { sids, token }
    }

    /// The SIDs of the rootDSE: those of the account and its groups, and those of every log-on over the network.
    pub(super) fn all_sids(&self) -> Vec<Sid> {
        let mut sids = self.sids.clone();
        for sid in ["S-1-1-0", "S-1-5-2", "S-1-5-11"] {
            sids.extend(sid.parse::<Sid>().ok());
        }
        sids
    }

    /// Whether the descriptor grants all of these rights, by entries without an object type or for one of these types.
    pub(super) fn may(&self, descriptor: &SecurityDescriptor, mask: u32, types: &[Guid]) -> bool {
        let owner = descriptor.owner.as_ref();
        let is_owner = owner.is_some_and(|owner| self.token.contains(owner));
        // The owner may always read and change the DACL [MS-DTYP 2.5.3.2].
        let mask = match is_owner {
            true => mask & !(standard::READ_CONTROL | WRITE_DAC),
            false => mask,
        };
        if mask == 0 {
            return true;
        }
        check_types(descriptor, &self.token, mask, types) == AccessDecision::Granted
    }

    /// Whether the account may read an attribute.
    pub(super) fn may_read(&self, object: &Object, attribute: &str) -> bool {
        if attribute.eq_ignore_ascii_case("nTSecurityDescriptor") {
            return self.may(&object.descriptor, standard::READ_CONTROL, &[]);
        }
        let types = SCHEMA.types_of(attribute);
        self.may(&object.descriptor, directory::READ_PROPERTY, types)
    }

    /// Whether the account may write an attribute other than the descriptor.
    pub(super) fn may_write(&self, object: &Object, attribute: &str) -> bool {
        let types = SCHEMA.types_of(attribute);
        self.may(&object.descriptor, directory::WRITE_PROPERTY, types)
    }

    /// Those of these attributes that the account may write. Where no entry of the DACL is about writing one attribute or one
    /// property set, the answer is the same for all.
    pub(super) fn writable<'a>(&self, object: &Object, mut names: Vec<&'a str>) -> Vec<&'a str> {
        let dacl = object.descriptor.dacl.iter();
        let differs = dacl.flat_map(|dacl| &dacl.aces).any(|ace| {
            ace.rights().is_some_and(|rights| {
                rights.object.is_some_and(|one| one.object_type.is_some())
                    && directory::expand(rights.mask) & directory::WRITE_PROPERTY != 0
            })
        });
        match differs {
            true => names.retain(|name| self.may_write(object, name)),
            false if self.may(&object.descriptor, directory::WRITE_PROPERTY, &[]) => {}
            false => names.clear(),
        }
        names
    }

    /// Whether the account may write these parts of the descriptor.
    pub(super) fn may_write_descriptor(&self, object: &Object, parts: u32) -> bool {
        let mut mask = 0;
        if parts & (part::OWNER | part::GROUP) != 0 {
            mask |= WRITE_OWNER;
        }
        if parts & part::DACL != 0 {
            mask |= WRITE_DAC;
        }
        self.may(&object.descriptor, mask, &[])
    }

    /// Whether the account may add an object of this class below another.
    pub(super) fn may_add(&self, parent: &Object, class: &str) -> bool {
        let types: Vec<Guid> = SCHEMA.class_guid(class).into_iter().collect();
        self.may(&parent.descriptor, directory::CREATE_CHILD, &types)
    }

    /// Whether the account may delete an object: by a right on it, or on its parent.
    pub(super) fn may_delete(&self, object: &Object, store: &Store) -> bool {
        let types: Vec<Guid> = SCHEMA.class_guid(object.class.name).into_iter().collect();
        self.may(&object.descriptor, standard::DELETE, &[])
            || store
                .parent(&object.dn)
                .is_some_and(|parent| self.may(&parent.descriptor, directory::DELETE_CHILD, &types))
    }

    /// Whether the account may delete an object with all below it.
    pub(super) fn may_delete_tree(&self, object: &Object) -> bool {
        self.may(&object.descriptor, directory::DELETE_TREE, &[])
    }

    /// `sDRightsEffective` [MS-ADTS 3.1.1.4.5.4].
    pub(super) fn descriptor_rights(&self, object: &Object) -> u32 {
        let mut parts = 0;
        if self.may(&object.descriptor, WRITE_OWNER, &[]) {
            parts |= part::OWNER | part::GROUP;
        }
        if self.may(&object.descriptor, WRITE_DAC, &[]) {
            parts |= part::DACL;
        }
        if self.is_administrator() {
            parts |= part::SACL;
        }
        parts
    }

    /// Whether the account is in `BUILTIN\Administrators`, and so has every privilege.
    pub(super) fn is_administrator(&self) -> bool {
        self.sids
            .iter()
            .any(|sid| sid.to_string() == "S-1-5-32-544")
    }
}
