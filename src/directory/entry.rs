//! Search result entries of ldap3; its own type loses the order of values and panics on a malformed entry.

use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};

use super::forest::extended_dn;
use crate::domain::ldap::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::model::dn::Dn;

/// Reads a SearchResultEntry [RFC 4511 4.5.2].
///
/// # Errors
/// [`ErrorKind::BadDirectory`] when it is malformed.
pub(super) fn read(result: ResultEntry) -> Result<Entry> {
    let bad = |what: &str| {
        Error::new(
            ErrorKind::BadDirectory,
            format!("the server sent a malformed search entry: {what}"),
        )
    };
    let mut parts = children(result.0)
        .ok_or_else(|| bad("no entry"))?
        .into_iter();
    let name = parts
        .next()
        .and_then(octets)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| bad("no name"))?;
    // With the control for extended DNs, the DN of the entry is extended too.
    let (_, name) = extended_dn(&name);
    let dn = match name.as_str() {
        "" => Dn::root(),
        name => Dn::parse(name).map_err(|error| bad("its name").with_source(error))?,
    };
    let mut attributes = Vec::new();
    for attribute in parts
        .next()
        .and_then(children)
        .ok_or_else(|| bad("no attributes"))?
    {
        let mut parts = children(attribute)
            .ok_or_else(|| bad("an attribute"))?
            .into_iter();
        let name = parts
            .next()
            .and_then(octets)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| bad("an attribute's name"))?;
        let values = parts
            .next()
            .and_then(children)
            .and_then(|values| values.into_iter().map(octets).collect::<Option<Vec<_>>>())
            .ok_or_else(|| bad("an attribute's values"))?;
        attributes.push((name, values));
    }
    Ok(Entry { dn, attributes })
}

/// The elements of a constructed one.
fn children(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(children) => Some(children),
        PL::P(_) => None,
    }
}

/// The bytes of a primitive one.
fn octets(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}
