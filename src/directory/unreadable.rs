//! What this account cannot read.
//!
//! To an account without the right to read an attribute or to list what is in a container, a directory answers as if there were
//! no such attribute or object [MS-ADTS 3.1.1.3.1.3, 5.1.3.3]. What is missing in an answer is judged here and nowhere else: it
//! does not exist, or nobody but an account with more rights can tell.

use std::collections::HashSet;

use super::gpo::{GpoObject, SD_PARTS};
use super::session::Directory;
use crate::domain::ldap::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage};
use crate::model::access::{AccessDecision, AccessToken, check};
use crate::model::access_mask::directory::LIST_CONTENTS;
use crate::model::attribute_access::{may_read_all_attributes, may_read_attribute};
use crate::model::dn::Dn;
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::model::reference::Place;
use crate::model::security_descriptor::SecurityDescriptor;

/// The next step for whatever this account may not read.
pub(crate) const READ_WITH_MORE_RIGHTS: &str = "run the command as an account that may read it, or let an administrator grant Read on it to this account";

/// Whether an object exists, as far as this account can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existence {
    /// It exists and can be read.
    Readable,
    /// It exists, and this account may not read it.
    Unreadable,
    /// The account may not list the container in which it would be.
    Unknown,
    /// It does not exist.
    Absent,
}

/// The GPOs of a domain, as far as this account sees them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GpoList {
    /// Those whose objects can be read, at least in part.
    pub gpos: Vec<GpoObject>,
    /// Those whose objects exist and cannot be read.
    pub unreadable: Vec<Guid>,
    /// Whether there are no others: whether this account may list `CN=Policies`.
    pub is_complete: bool,
}

/// Which GPOs of a domain exist.
#[derive(Debug)]
pub struct Existences {
    readable: HashSet<Guid>,
    unreadable: HashSet<Guid>,
    is_complete: bool,
}

impl Existences {
    /// Whether there is a GPO of this GUID.
    pub fn of(&self, guid: Guid) -> Existence {
        if self.readable.contains(&guid) {
            Existence::Readable
        } else if self.unreadable.contains(&guid) {
            Existence::Unreadable
        } else if self.is_complete {
            Existence::Absent
        } else {
            Existence::Unknown
        }
    }
}

impl GpoList {
    /// Which GPOs exist.
    pub fn existences(&self) -> Existences {
        Existences {
            readable: self.gpos.iter().map(|gpo| gpo.guid).collect(),
            unreadable: self.unreadable.iter().copied().collect(),
            is_complete: self.is_complete,
        }
    }

    /// Warnings about what is missing in the list.
    pub fn warnings(&self, base: &Dn) -> Vec<StatusMessage> {
        let policies = base.policies();
        let unreadable = self.unreadable.iter().map(|guid| {
            StatusMessage::warning(
                Code::UnreadableGpo,
                format!("the GPO {guid} exists, and this account may not read it"),
            )
            .at(Place::file(base.gpo(*guid).to_string()))
            .with_hint(READ_WITH_MORE_RIGHTS)
        });
        let incomplete = (!self.is_complete).then(|| {
            StatusMessage::warning(
                Code::UnlistedGpos,
                format!("this account may not list {policies}, so there may be GPOs that it does not see"),
            )
            .at(Place::file(policies.to_string()))
            .with_hint(READ_WITH_MORE_RIGHTS)
        });
        unreadable.chain(incomplete).collect()
    }
}

/// Those of these attributes that the entry lacks and that may have a value all the same. The entry has to have been asked for
/// its descriptor.
pub(super) fn unreadable_attributes(
    entry: &Entry,
    names: &[&'static str],
    token: Option<&AccessToken>,
) -> Vec<&'static str> {
    let descriptor = descriptor_of(entry);
    let may_read = |name: &str| match (&descriptor, token) {
        (Some(descriptor), Some(token)) => may_read_attribute(descriptor, token, name),
        _ => false,
    };
    let missing = names.iter().filter(|name| entry.values(name).is_empty());
    // Every object has a descriptor.
    missing
        .filter(|name| **name == "nTSecurityDescriptor" || !may_read(name))
        .copied()
        .collect()
}

/// The error when what is below a GPO was not read completely. The entries were asked for their descriptors and all attributes;
/// those of the GPO and its halves only have to show what is below them.
pub(super) fn unread_below<'a>(
    containers: impl IntoIterator<Item = &'a Entry>,
    below: &[Entry],
    token: Option<&AccessToken>,
) -> Option<Error> {
    let hidden = containers
        .into_iter()
        .filter(|entry| hides_children(entry, token));
    let in_part = below.iter().filter(|entry| {
        let descriptor = descriptor_of(entry);
        let may_read = |token| descriptor.is_some_and(|it| may_read_all_attributes(&it, token));
        hides_children(entry, token) || !token.is_some_and(may_read)
    });
    let text = match (hidden.count(), in_part.count()) {
        (0, 0) => return None,
        (0, 1) => "this account may not read 1 object below the GPO completely".to_owned(),
        (0, number) => {
            format!("this account may not read {number} objects below the GPO completely")
        }
        _ => "this account may not list the objects below the GPO".to_owned(),
    };
    Some(Error::new(ErrorKind::Denied, text))
}

/// Whether the objects below an entry may be missing in the answer to a search.
pub(super) fn hides_children(entry: &Entry, token: Option<&AccessToken>) -> bool {
    match (descriptor_of(entry), token) {
        (Some(descriptor), Some(token)) => !may_list(&descriptor, token),
        _ => true,
    }
}

fn descriptor_of(entry: &Entry) -> Option<SecurityDescriptor> {
    let bytes = entry.bytes("nTSecurityDescriptor")?;
    SecurityDescriptor::parse(bytes).ok()
}

fn may_list(descriptor: &SecurityDescriptor, token: &AccessToken) -> bool {
    check(descriptor, token, LIST_CONTENTS, None) == AccessDecision::Granted
}

/// The error about a GPO whose object exists and cannot be read.
pub(super) fn unreadable_gpo(guid: Guid, domain: &DomainName) -> Error {
    Error::new(
        ErrorKind::Denied,
        format!("the GPO {guid} exists in {domain}, and this account may not read it"),
    )
    .with_hint(READ_WITH_MORE_RIGHTS)
}

/// The error about a GPO that this account does not see, and that may exist.
pub(super) fn unlisted_gpo(text: &str, base: &Dn, domain: &DomainName) -> Error {
    let policies = base.policies();
    Error::new(
        ErrorKind::Denied,
        format!(
            "whether there is a GPO {text} in {domain} is not known, because this account may not list {policies}"
        ),
    )
    .with_hint(READ_WITH_MORE_RIGHTS)
}

/// The error about a name that none of the GPOs has which this account may read, as it is for one that does not exist.
pub(super) fn among_unreadable(error: Error, unreadable: usize, is_hidden: bool) -> Error {
    let others = match unreadable {
        _ if is_hidden => "this account may not list all GPOs".to_owned(),
        1 => "this account may not read 1 GPO".to_owned(),
        number => format!("this account may not read {number} GPOs"),
    };
    let hint = match error.hint() {
        Some(hint) => format!("{others}, which may have that name; {hint}"),
        None => format!("{others}, which may have that name"),
    };
    error.with_hint(hint)
}

impl Directory {
    /// Whether an object that was not found may be hidden from this account.
    ///
    /// # Errors
    /// As every search.
    pub(super) async fn hides(&self, dn: &Dn) -> Result<bool> {
        match dn.parent() {
            // Nothing above the domain, the configuration and the schema is in this directory.
            Some(parent) if *dn != self.info().base => self.hides_content_of(&parent).await,
            _ => Ok(false),
        }
    }

    /// Whether what is in this container, or in what is above it, may be hidden from this account.
    ///
    /// # Errors
    /// As every search.
    pub(crate) async fn hides_content_of(&self, container: &Dn) -> Result<bool> {
        let token = self.info().token.as_ref();
        let mut at = Some(container.clone());
        while let Some(dn) = at {
            let entry = self.read(&dn, &["nTSecurityDescriptor"], Some(SD_PARTS));
            if let Some(entry) = entry.await? {
                return Ok(hides_children(&entry, token));
            }
            let is_top = [&self.info().base, &self.info().configuration].contains(&&dn);
            at = (!is_top).then(|| dn.parent()).flatten();
        }
        Ok(true)
    }
}
