//! Searches: which objects, and which of their attributes.

use super::access::Login;
use super::schema::{SCHEMA, Syntax};
use super::{Object, Store, descriptor};
use crate::domain::ldap::{ACCESS_DENIED, Entry, Filter, LdapFailure, Scope, Search};
use crate::model::dn::Dn;
use crate::model::guid::Guid;
use crate::model::sid::Sid;

impl Store {
    /// Answers a search of this account.
    pub(super) fn search(
        &self,
        search: &Search<'_>,
        login: &Login,
    ) -> Result<Vec<Entry>, LdapFailure> {
        let Some(base) = search.base else {
            return Ok(vec![self.root_dse(search.attributes, login)]);
        };
        let top = self.visible(base, login)?;
        let depth = base.rdns().len();
        let wanted = |object: &&Object| match search.scope {
            Scope::Base => object.dn == top.dn,
            Scope::OneLevel => object.dn.rdns().len() == depth + 1,
            Scope::Subtree => true,
        };
        let mut found = Vec::new();
        for object in self.subtree(base).filter(wanted) {
            if self.matches(object, &search.filter, login) && self.may_see(object, login) {
                found.push(self.entry(object, search, login)?);
            }
        }
        Ok(found)
    }

    fn root_dse(&self, wanted: &[&str], login: &Login) -> Entry {
        let text = |text: String| vec![text.into_bytes()];
        let all = [
            ("defaultNamingContext", text(self.base.to_string())),
            ("rootDomainNamingContext", text(self.base.to_string())),
            (
                "configurationNamingContext",
                text(self.configuration.to_string()),
            ),
            (
                "schemaNamingContext",
                text(self.configuration.cn("Schema").to_string()),
            ),
            ("dnsHostName", text(self.server.clone())),
            (
                "vendorName",
                self.vendor.clone().map(text).unwrap_or_default(),
            ),
            (
                "tokenGroups",
                login.all_sids().iter().map(Sid::to_bytes).collect(),
            ),
        ];
        let is_wanted = |name: &str| {
            wanted
                .iter()
                .any(|one| one.eq_ignore_ascii_case(name) || (*one == "*" && name != "tokenGroups"))
        };
        Entry {
            dn: Dn::root(),
            attributes: all
                .into_iter()
                .filter(|(name, values)| is_wanted(name) && !values.is_empty())
                .map(|(name, values)| (name.to_owned(), values))
                .collect(),
        }
    }

    /// Whether a filter holds, by what the account may read: an attribute that it may not read has no value.
    fn matches(&self, object: &Object, filter: &Filter, login: &Login) -> bool {
        let values = |name: &str| self.readable(object, name, login);
        let syntax = |name: &str| SCHEMA.attribute(name).map(|attribute| attribute.syntax);
        match filter {
            // Every object has one, so it tells nothing.
            Filter::Present(name) if name.eq_ignore_ascii_case("objectClass") => true,
            Filter::Present(name) => !values(name).is_empty(),
            Filter::Equals(name, wanted) => syntax(name).is_some_and(|syntax| {
                let wanted = syntax.normal(wanted);
                wanted.is_some()
                    && values(name)
                        .iter()
                        .any(|value| syntax.normal(value) == wanted)
            }),
            Filter::Contains(name, part) => syntax(name).is_some_and(|syntax| {
                let fold = |bytes: &[u8]| match syntax {
                    Syntax::Text => String::from_utf8_lossy(bytes).to_lowercase().into_bytes(),
                    _ => bytes.to_vec(),
                };
                let part = fold(part);
                let is_text = matches!(syntax, Syntax::Text | Syntax::Octets);
                is_text
                    && values(name).iter().any(|value| {
                        let value = fold(value);
                        part.is_empty() || value.windows(part.len()).any(|piece| piece == part)
                    })
            }),
            Filter::Any(filters) => filters
                .iter()
                .any(|filter| self.matches(object, filter, login)),
            Filter::All(filters) => filters
                .iter()
                .all(|filter| self.matches(object, filter, login)),
        }
    }

    /// The values of an attribute that is kept, or that follows from the DN; none when the account may not read it.
    fn readable(&self, object: &Object, name: &str, login: &Login) -> Vec<Vec<u8>> {
        let values = match name.eq_ignore_ascii_case("distinguishedName") {
            true => vec![object.dn.to_string().into_bytes()],
            false => object.values(name).to_vec(),
        };
        match values.is_empty() || login.may_read(object, name) {
            true => values,
            false => Vec::new(),
        }
    }

    /// The attributes that a search asked for and the account may read.
    fn entry(
        &self,
        object: &Object,
        search: &Search<'_>,
        login: &Login,
    ) -> Result<Entry, LdapFailure> {
        let mut names: Vec<&str> = Vec::new();
        for name in search.attributes {
            if *name == "*" {
                names.push("distinguishedName");
                names.extend(object.attributes.keys().copied());
                names.extend(search.sd_flags.map(|_| "nTSecurityDescriptor"));
            } else if let Some(attribute) = SCHEMA.attribute(name) {
                names.push(attribute.name);
            }
        }
        let mut attributes: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
        for name in names {
            if attributes.iter().any(|(known, _)| known == name) {
                continue;
            }
            let mut values = self.computed(object, name, search, login)?;
            let is_dn = |name| {
                SCHEMA
                    .attribute(name)
                    .is_some_and(|it| it.syntax == Syntax::Dn)
            };
            if search.extended_dns && is_dn(name) {
                for value in &mut values {
                    self.extend_dn(value);
                }
            }
            if !values.is_empty() {
                attributes.push((name.to_owned(), values));
            }
        }
        Ok(Entry {
            dn: object.dn.clone(),
            attributes,
        })
    }

    /// The values of any attribute, those that are worked out for the reader included [MS-ADTS 3.1.1.4.5].
    fn computed(
        &self,
        object: &Object,
        name: &str,
        search: &Search<'_>,
        login: &Login,
    ) -> Result<Vec<Vec<u8>>, LdapFailure> {
        let names = |names: Vec<&str>| names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let may_read = || login.may_read(object, name);
        Ok(match name {
            "allowedAttributesEffective" if may_read() => {
                let mut allowed = SCHEMA.allowed(object.class);
                allowed.sort_unstable();
                allowed.dedup();
                allowed.retain(|name| {
                    SCHEMA.attribute(name).is_some_and(|one| !one.is_system)
                        && *name != "nTSecurityDescriptor"
                });
                names(login.writable(object, allowed))
            }
            "allowedChildClassesEffective" if may_read() => {
                let classes = SCHEMA.classes().filter(|class| {
                    !class.is_abstract
                        && SCHEMA.may_be_below(class, object.class)
                        && login.may_add(object, class.name)
                });
                names(classes.map(|class| class.name).collect())
            }
            "sDRightsEffective" if may_read() => {
                vec![login.descriptor_rights(object).to_string().into_bytes()]
            }
            "canonicalName" if may_read() => vec![object.dn.canonical_name().into_bytes()],
            "tokenGroups" if search.scope == Scope::Base && may_read() => {
                let sids = self.sids_of(&object.dn);
                sids.iter().skip(1).map(Sid::to_bytes).collect()
            }
            "nTSecurityDescriptor" if may_read() => {
                let only = descriptor::only(&object.descriptor, search.sd_flags.unwrap_or(7));
                let bytes = only
                    .to_bytes()
                    .map_err(|error| LdapFailure::result(ACCESS_DENIED, error.to_string()))?;
                vec![bytes]
            }
            name => self.readable(object, name, login),
        })
    }

    /// Puts the GUID and the SID of what a DN names before it [MS-ADTS 3.1.1.3.4.1.5], with the SID as text.
    fn extend_dn(&self, value: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(value).into_owned();
        let Some(named) = Dn::parse(&text).ok().and_then(|dn| self.get(&dn)) else {
            return;
        };
        let guid = named.values("objectGUID").first().map(Vec::as_slice);
        let guid = guid
            .and_then(|bytes| bytes.try_into().ok())
            .map(Guid::from_bytes_le);
        let sid = named.values("objectSid").first().map(Vec::as_slice);
        let sid = sid.and_then(|bytes| Sid::from_bytes(bytes).ok());
        let guid = guid.map(|guid| format!("<GUID={}>;", guid.bare().to_lowercase()));
        let sid = sid.map(|sid| format!("<SID={sid}>;"));
        *value = [guid.unwrap_or_default(), sid.unwrap_or_default(), text]
            .concat()
            .into_bytes();
    }
}
