//! Requests that change the directory: each is done as a whole or not at all.

use std::collections::BTreeMap;

use super::access::Login;
use super::schema::{Attribute, Class, SCHEMA};
use super::{
    CLASS_VIOLATION, CONSTRAINT_VIOLATION, INVALID_SYNTAX, NAMING_VIOLATION, NOT_ON_RDN, Object,
    Store, UNWILLING, descriptor, key, new_guid, now,
};
use crate::domain::ldap::{
    ACCESS_DENIED, ENTRY_EXISTS, LdapFailure, Modification, NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT,
    NOT_ON_NON_LEAF, VALUE_EXISTS,
};
use crate::model::dn::Dn;
use crate::model::sddl::from_sddl;
use crate::model::security_descriptor::SecurityDescriptor;

/// The name of the descriptor, which is kept apart from the other attributes.
const DESCRIPTOR: &str = "nTSecurityDescriptor";

type Values = Vec<Vec<u8>>;

impl Store {
    /// Adds an object for this account; without an account, as the builder of the domain, which may write what otherwise
    /// only the server writes.
    pub(super) fn add(
        &mut self,
        dn: &Dn,
        attributes: Vec<(String, Values)>,
        login: Option<&Login>,
    ) -> Result<(), LdapFailure> {
        let is_head = *self.context(dn) == *dn;
        let parent = self.parent(dn);
        if parent.is_none() && !is_head {
            let text = format!("no parent of {dn}");
            return Err(LdapFailure::result(NO_SUCH_OBJECT, text));
        }
        let class = class_of(&attributes)?;
        if let (Some(login), Some(parent)) = (login, parent) {
            self.visible(&parent.dn, login)?;
            if !login.may_add(parent, class.name) {
                let text = format!("adding {} below {}", class.name, parent.dn);
                return Err(LdapFailure::result(ACCESS_DENIED, text));
            }
        }
        if self.get(dn).is_some() {
            return Err(LdapFailure::result(ENTRY_EXISTS, format!("{dn} exists")));
        }
        check_name(dn, class)?;
        if let Some(parent) = parent
            && login.is_some()
            && !SCHEMA.may_be_below(class, parent.class)
        {
            let text = format!("{} may not be below {}", class.name, parent.class.name);
            return Err(LdapFailure::result(NAMING_VIOLATION, text));
        }
        let mut kept: BTreeMap<&'static str, Values> = BTreeMap::new();
        let mut given = None;
        for (name, values) in attributes {
            let attribute = known(&name)?;
            if attribute.name == "objectClass" {
                continue;
            }
            if login.is_some() && attribute.is_system {
                return Err(only_the_server(attribute));
            }
            let values = distinct(attribute, values)?;
            if attribute.name == DESCRIPTOR {
                given = Some(parsed(&values)?);
                continue;
            }
            check_class(class, attribute)?;
            check_count(attribute, &values, CONSTRAINT_VIOLATION)?;
            kept.insert(attribute.name, values);
        }
        let domain = &self.domain_sid;
        let (owner, group) = match login {
            Some(login) => descriptor::owner_and_group(login, domain),
            None => (domain.with_rid(512), domain.with_rid(512)),
        };
        let default = from_sddl(class.descriptor, Some(domain))
            .map_err(|error| LdapFailure::result(CONSTRAINT_VIOLATION, error.to_string()))?;
        let above = parent.map(|parent| &parent.descriptor);
        let descriptor = descriptor::of_new(class, given.as_ref(), &default, above, &owner, &group);
        let mut object = Object {
            dn: dn.clone(),
            class,
            attributes: kept,
            descriptor,
        };
        self.complete(&mut object);
        for name in SCHEMA.required(class) {
            if name != DESCRIPTOR && object.values(name).is_empty() {
                let text = format!("{} needs {name}", class.name);
                return Err(LdapFailure::result(CLASS_VIOLATION, text));
            }
        }
        self.put(object);
        Ok(())
    }

    /// Gives a new object what the server makes itself.
    fn complete(&mut self, object: &mut Object) {
        let usn = self.next_usn();
        let time = now();
        let chain = SCHEMA.chain(object.class);
        let classes = chain.iter().map(|class| class.name.as_bytes().to_vec());
        object.attributes.insert("objectClass", classes.collect());
        if let Some(rdn) = object.dn.rdns().first().cloned() {
            object.set("name", rdn.value.clone());
            object.set(object.class.rdn, rdn.value);
        }
        let category = self.configuration.cn("Schema").cn(object.class.category);
        for (name, value) in [
            ("instanceType", "4".to_owned()),
            ("whenCreated", time.clone()),
            ("whenChanged", time),
            ("uSNCreated", usn.clone()),
            ("uSNChanged", usn),
            ("objectCategory", category.to_string()),
        ] {
            object
                .attributes
                .entry(name)
                .or_insert_with(|| vec![value.into_bytes()]);
        }
        object
            .attributes
            .entry("objectGUID")
            .or_insert_with(|| vec![new_guid()]);
        if object.class.is_hidden {
            object
                .attributes
                .entry("showInAdvancedViewOnly")
                .or_insert_with(|| vec![b"TRUE".to_vec()]);
        }
    }

    /// Changes an object for this account; without an account, as the builder of the domain.
    pub(super) fn modify(
        &mut self,
        dn: &Dn,
        modifications: &[Modification],
        sd_flags: Option<u32>,
        login: Option<&Login>,
    ) -> Result<(), LdapFailure> {
        let mut changed = match login {
            Some(login) => self.visible(dn, login)?.clone(),
            None => self
                .get(dn)
                .ok_or_else(|| LdapFailure::result(NO_SUCH_OBJECT, format!("no object {dn}")))?
                .clone(),
        };
        let parts = sd_flags.unwrap_or(7);
        // All rights are looked at before any value is.
        for modification in modifications {
            let attribute = known(name_of(modification))?;
            let Some(login) = login else { continue };
            let may = match attribute.name {
                DESCRIPTOR => login.may_write_descriptor(&changed, parts),
                name => login.may_write(&changed, name),
            };
            if !may {
                let text = format!("writing {} of {dn}", attribute.name);
                return Err(LdapFailure::result(ACCESS_DENIED, text));
            }
            if attribute.is_system {
                return Err(only_the_server(attribute));
            }
        }
        let mut is_new_descriptor = false;
        for modification in modifications {
            let attribute = known(name_of(modification))?;
            if attribute.name == DESCRIPTOR {
                let Modification::Replace(_, values) = modification else {
                    let text = "a descriptor can only be replaced";
                    return Err(LdapFailure::result(UNWILLING, text));
                };
                let new = parsed(values)?;
                let above = self.parent(dn).map(|parent| &parent.descriptor);
                changed.descriptor =
                    descriptor::replace(&changed.descriptor, &new, parts, above, changed.class);
                is_new_descriptor = true;
                continue;
            }
            if attribute.name.eq_ignore_ascii_case(changed.class.rdn) || attribute.name == "name" {
                let text = format!("{} is part of the name", attribute.name);
                return Err(LdapFailure::result(NOT_ON_RDN, text));
            }
            check_class(changed.class, attribute)?;
            apply(&mut changed, attribute, modification)?;
        }
        for name in SCHEMA.required(changed.class) {
            if name != DESCRIPTOR && changed.values(name).is_empty() {
                let text = format!("{} needs {name}", changed.class.name);
                return Err(LdapFailure::result(CLASS_VIOLATION, text));
            }
        }
        let usn = self.next_usn();
        changed.set("uSNChanged", usn);
        changed.set("whenChanged", now());
        self.put(changed);
        if is_new_descriptor {
            self.hand_down(dn);
        }
        Ok(())
    }

    /// Works out anew what everything below an object inherits.
    fn hand_down(&mut self, dn: &Dn) {
        // Parents come first, so each object finds its parent done.
        let below: Vec<Dn> = self
            .subtree(dn)
            .skip(1)
            .map(|object| object.dn.clone())
            .collect();
        for dn in below {
            let (Some(object), Some(parent)) = (self.get(&dn), self.parent(&dn)) else {
                continue;
            };
            let again =
                descriptor::inherit_again(&object.descriptor, &parent.descriptor, object.class);
            let mut object = object.clone();
            object.descriptor = again;
            self.put(object);
        }
    }

    /// Deletes an object for this account, with everything below it if `tree` says so.
    pub(super) fn delete(&mut self, dn: &Dn, tree: bool, login: &Login) -> Result<(), LdapFailure> {
        let object = self.visible(dn, login)?;
        let may = match tree {
            true => login.may_delete_tree(object),
            false => login.may_delete(object, self),
        };
        if !may {
            return Err(LdapFailure::result(ACCESS_DENIED, format!("deleting {dn}")));
        }
        if !tree && self.has_children(dn) {
            let text = format!("{dn} has children");
            return Err(LdapFailure::result(NOT_ON_NON_LEAF, text));
        }
        if self.subtree(dn).any(Object::is_critical) {
            let text = format!("{dn} is critical");
            return Err(LdapFailure::result(UNWILLING, text));
        }
        let gone: Vec<_> = self.subtree(dn).map(|object| key(&object.dn)).collect();
        for key in gone {
            self.objects.remove(&key);
        }
        self.next_usn();
        Ok(())
    }
}

/// The most specific class that a new object is given.
fn class_of(attributes: &[(String, Values)]) -> Result<&'static Class, LdapFailure> {
    let given = attributes
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("objectClass"));
    let missing = || LdapFailure::result(CLASS_VIOLATION, "no objectClass");
    let (_, values) = given.ok_or_else(missing)?;
    let mut most: Option<(usize, &'static Class)> = None;
    for value in values {
        let name = String::from_utf8_lossy(value);
        // AD reports a class that does not exist like this.
        let class = SCHEMA
            .class(&name)
            .ok_or_else(|| LdapFailure::result(NO_SUCH_ATTRIBUTE, format!("no class {name}")))?;
        let depth = SCHEMA.chain(class).len();
        if most.is_none_or(|(known, _)| depth > known) {
            most = Some((depth, class));
        }
    }
    match most {
        Some((_, class)) if !class.is_abstract => Ok(class),
        Some((_, class)) => {
            let text = format!("{} is abstract", class.name);
            Err(LdapFailure::result(UNWILLING, text))
        }
        None => Err(missing()),
    }
}

/// The name has to begin with the attribute of the class.
fn check_name(dn: &Dn, class: &Class) -> Result<(), LdapFailure> {
    let fits = dn
        .rdns()
        .first()
        .is_some_and(|rdn| rdn.attribute.eq_ignore_ascii_case(class.rdn));
    match fits {
        true => Ok(()),
        false => {
            let text = format!("{dn} does not begin with {}", class.rdn);
            Err(LdapFailure::result(NAMING_VIOLATION, text))
        }
    }
}

fn known(name: &str) -> Result<&'static Attribute, LdapFailure> {
    SCHEMA
        .attribute(name)
        .ok_or_else(|| LdapFailure::result(NO_SUCH_ATTRIBUTE, format!("no attribute {name}")))
}

fn only_the_server(attribute: &Attribute) -> LdapFailure {
    let text = format!("only the server writes {}", attribute.name);
    LdapFailure::result(CONSTRAINT_VIOLATION, text)
}

fn check_class(class: &'static Class, attribute: &Attribute) -> Result<(), LdapFailure> {
    if SCHEMA.allowed(class).contains(&attribute.name) {
        return Ok(());
    }
    let text = format!("{} has no {}", class.name, attribute.name);
    Err(LdapFailure::result(CLASS_VIOLATION, text))
}

fn check_count(attribute: &Attribute, values: &[Vec<u8>], code: u32) -> Result<(), LdapFailure> {
    if attribute.is_single && values.len() > 1 {
        let text = format!("{} has one value", attribute.name);
        return Err(LdapFailure::result(code, text));
    }
    Ok(())
}

/// The values, each byte sequence once; an error when one is not of the syntax.
fn distinct(attribute: &Attribute, values: Values) -> Result<Values, LdapFailure> {
    let mut distinct: Values = Vec::new();
    for value in values {
        if !attribute.syntax.accepts(&value) {
            let text = format!("a value of {} is malformed", attribute.name);
            return Err(LdapFailure::result(INVALID_SYNTAX, text));
        }
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    Ok(distinct)
}

fn parsed(values: &[Vec<u8>]) -> Result<SecurityDescriptor, LdapFailure> {
    values
        .first()
        .and_then(|bytes| SecurityDescriptor::parse(bytes).ok())
        .ok_or_else(|| LdapFailure::result(INVALID_SYNTAX, "not a descriptor"))
}

fn name_of(modification: &Modification) -> &str {
    match modification {
        Modification::Add(name, _)
        | Modification::Delete(name, _)
        | Modification::Replace(name, _) => name,
    }
}

/// Makes one modification.
fn apply(
    object: &mut Object,
    attribute: &'static Attribute,
    modification: &Modification,
) -> Result<(), LdapFailure> {
    let normal = |value: &Vec<u8>| attribute.syntax.normal(value);
    let mut values = object.values(attribute.name).to_vec();
    match modification {
        Modification::Add(_, new) => {
            for value in distinct(attribute, new.clone())? {
                let is_there = values.iter().any(|known| normal(known) == normal(&value));
                if is_there || (attribute.is_single && !values.is_empty()) {
                    let text = format!("{} has a value", attribute.name);
                    return Err(LdapFailure::result(VALUE_EXISTS, text));
                }
                values.push(value);
            }
        }
        Modification::Delete(_, gone) => {
            let absent = || {
                let text = format!("{} has no such value", attribute.name);
                LdapFailure::result(NO_SUCH_ATTRIBUTE, text)
            };
            if values.is_empty() {
                return Err(absent());
            }
            if gone.is_empty() {
                values.clear();
            }
            for value in &distinct(attribute, gone.clone())? {
                let at = values
                    .iter()
                    .position(|known| normal(known) == normal(value))
                    .ok_or_else(absent)?;
                values.remove(at);
            }
        }
        Modification::Replace(_, new) => {
            values = distinct(attribute, new.clone())?;
            check_count(attribute, &values, VALUE_EXISTS)?;
        }
    }
    match values.is_empty() {
        true => drop(object.attributes.remove(attribute.name)),
        false => drop(object.attributes.insert(attribute.name, values)),
    }
    Ok(())
}
