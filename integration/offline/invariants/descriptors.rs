//! Security descriptors, in bytes and as SDDL.

use super::*;

pub fn sddl(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut end = 0;
    for ace in sddl_text::aces(text) {
        assert!(ace.span.start >= end, "entries overlap");
        end = ace.span.end;
        for span in [&ace.span, &ace.ace_type, &ace.trustee, &ace.rest] {
            assert_span(text, span);
        }
    }
    for found in sddl_text::literal_sids(text) {
        assert_span(text, &found.part);
        let spelling = text.get(found.span.clone()).unwrap();
        assert_eq!(spelling.parse(), Ok(found.sid));
    }
    let domain: Sid = NEW_DOMAIN.parse().unwrap();
    if let Ok(descriptor) = from_sddl(text, Some(&domain)) {
        let written = to_sddl(&descriptor);
        let again = from_sddl(&written, None).unwrap();
        assert_eq!(again, descriptor, "{written}");
        assert_eq!(to_sddl(&again), written);
        if let Ok(bytes) = descriptor.to_bytes() {
            assert_eq!(SecurityDescriptor::parse(&bytes), Ok(descriptor));
        }
    }
}

pub fn security_descriptor(data: &[u8]) {
    if let Ok((sid, length)) = Sid::parse_prefix(data) {
        assert_eq!(Some(sid.to_bytes().as_slice()), data.get(..length));
        assert_eq!(sid.to_string().parse(), Ok(sid));
    }
    let Ok(descriptor) = SecurityDescriptor::parse(data) else {
        assert!(dacl_only(data).is_err());
        return;
    };
    assert_eq!(descriptor.to_bytes().unwrap(), data);
    let sddl = to_sddl(&descriptor);
    let again = from_sddl(&sddl, None).unwrap();
    assert_eq!(to_sddl(&again), sddl);
    // SDDL cannot express that a missing list is protected.
    if matches!(descriptor.dacl_state(), DaclState::Absent) {
        assert_eq!(again.dacl_state(), DaclState::Absent);
    } else {
        assert!(
            grants_same_access(&again, &without_other_flags(&descriptor)),
            "{sddl}"
        );
    }
    if let Ok(dacl) = dacl_only(data) {
        let only = SecurityDescriptor::parse(&dacl).unwrap();
        assert_eq!(entries(&only.dacl), entries(&descriptor.dacl));
        assert_eq!((only.owner, only.group, only.sacl), (None, None, None));
    }
    // Only the edited owner changes.
    let mut edited = descriptor.clone();
    edited.owner = Some("S-1-5-32-544".parse().unwrap());
    if let Ok(bytes) = edited.to_bytes() {
        let read = SecurityDescriptor::parse(&bytes).unwrap();
        assert_eq!(read.owner, edited.owner);
        assert_eq!(read.group, descriptor.group);
        assert_eq!(entries(&read.dacl), entries(&descriptor.dacl));
        assert_eq!(entries(&read.sacl), entries(&descriptor.sacl));
    }
}

/// The entries of a list; its revision is increased when it is written again with object entries in it.
fn entries(list: &Option<Acl>) -> Option<&[Ace]> {
    list.as_ref().map(|list| list.aces.as_slice())
}

/// Without the reserved bits of object entries, which SDDL does not have.
fn without_other_flags(descriptor: &SecurityDescriptor) -> SecurityDescriptor {
    let mut without = descriptor.clone();
    for ace in without.dacl.iter_mut().flat_map(|acl| &mut acl.aces) {
        if let AceBody::Rights(rights) = &mut ace.body
            && let Some(object) = &mut rights.object
        {
            object.other_flags = 0;
        }
    }
    without
}
