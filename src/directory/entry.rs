//! Search result entries of ldap3; its own type loses the order of values and panics on a malformed entry.

use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};

use super::forest::extended_dn;
use crate::domain::ldap::{Entry, Scope, Search};
use crate::error::{Error, ErrorKind, Result};
use crate::message::printable;
use crate::model::dn::{Dn, Rdn};

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

/// Checks that an entry is where the search asked for it, so that no server answers with an object of another place.
///
/// # Errors
/// [`ErrorKind::BadDirectory`] when it is elsewhere.
pub(super) fn check_place(dn: &Dn, search: &Search<'_>) -> Result<()> {
    let above = match (search.base, search.scope) {
        (Some(base), _) => base.rdns(),
        (None, Scope::Base) => &[],
        (None, _) => return Ok(()),
    };
    let depth = dn.rdns().len().checked_sub(above.len());
    let fits = match (search.scope, depth) {
        (Scope::Base, Some(depth)) => depth == 0,
        (Scope::OneLevel, Some(depth)) => depth == 1,
        (Scope::Subtree, Some(_)) => true,
        (_, None) => false,
    };
    // AD compares letters with accents by rules of its own.
    let same = |one: &Rdn, other: &Rdn| {
        one.is(&other.attribute, &other.value)
            || (one.attribute.eq_ignore_ascii_case(&other.attribute)
                && !(one.value.is_ascii() && other.value.is_ascii()))
    };
    let mut pairs = dn.rdns().iter().rev().zip(above.iter().rev());
    if fits && pairs.all(|(one, other)| same(one, other)) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::BadDirectory,
        format!(
            "the server sent the entry \"{}\", which is not below \"{}\"",
            printable(dn.as_str()),
            printable(search.base.map_or("", Dn::as_str))
        ),
    ))
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
