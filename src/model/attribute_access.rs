//! The right to read single attributes of a directory object: an entry can grant or deny one attribute, or a property set that
//! contains it [MS-ADTS 5.1.3.2, 5.1.3.3].

use super::access::AccessToken;
use super::access_mask::directory;
use super::guid::Guid;
use super::security_descriptor::{DaclState, SecurityDescriptor, ace_flag, ace_type};

/// The attributes that Group Policy consists of, their `schemaIDGUID`, and the `attributeSecurityGUID` of their property set
/// [MS-ADA1, MS-ADA2].
const ATTRIBUTES: &[(&str, &str, Option<&str>)] = &[
    (
        "displayName",
        "bf967953-0de6-11d0-a285-00aa003049e2",
        // General-Information
        Some("59ba2f42-79a2-11d0-9020-00c04fc2d3cf"),
    ),
    ("flags", "bf967976-0de6-11d0-a285-00aa003049e2", None),
    (
        "gPCFileSysPath",
        "f30e3bc1-9ff0-11d1-b603-0000f80367c1",
        None,
    ),
    (
        "gPCFunctionalityVersion",
        "f30e3bc0-9ff0-11d1-b603-0000f80367c1",
        None,
    ),
    (
        "gPCMachineExtensionNames",
        "32ff8ecc-783f-11d2-9916-0000f87a57d4",
        None,
    ),
    (
        "gPCUserExtensionNames",
        "42a75fc6-783f-11d2-9916-0000f87a57d4",
        None,
    ),
    ("gPCWQLFilter", "7bd4c7a6-1add-4436-8c04-3999a880154c", None),
    ("gPLink", "f30e3bbe-9ff0-11d1-b603-0000f80367c1", None),
    ("gPOptions", "f30e3bbf-9ff0-11d1-b603-0000f80367c1", None),
    (
        "versionNumber",
        "bf967a76-0de6-11d0-a285-00aa003049e2",
        None,
    ),
];

/// Whether it is certain that the token may read this attribute. An entry with a condition, which cannot be evaluated here,
/// counts where it denies and not where it grants. For an attribute that is not one of Group Policy, so does an entry for any
/// attribute.
pub fn may_read_attribute(
    descriptor: &SecurityDescriptor,
    token: &AccessToken,
    attribute: &str,
) -> bool {
    let known = ATTRIBUTES
        .iter()
        .find(|(name, ..)| name.eq_ignore_ascii_case(attribute));
    let types: Option<Vec<Guid>> = known.map(|(_, own, set)| {
        let texts = [Some(*own), *set].into_iter().flatten();
        texts.filter_map(|text| text.parse().ok()).collect()
    });
    may_read(descriptor, token, types.as_deref())
}

/// Whether it is certain that the token may read every attribute.
pub fn may_read_all_attributes(descriptor: &SecurityDescriptor, token: &AccessToken) -> bool {
    may_read(descriptor, token, None)
}

/// Whether the token may read the attribute of which these are the types; without types, whichever it is.
fn may_read(descriptor: &SecurityDescriptor, token: &AccessToken, types: Option<&[Guid]>) -> bool {
    let dacl = match descriptor.dacl_state() {
        DaclState::Null | DaclState::Absent => return true,
        DaclState::List(dacl) => dacl,
    };
    for ace in &dacl.aces {
        let Some(rights) = ace.rights() else { continue };
        if ace.flags & ace_flag::INHERIT_ONLY != 0
            || !token.contains(&rights.sid)
            || directory::expand(rights.mask) & directory::READ_PROPERTY == 0
        {
            continue;
        }
        // An entry for another attribute does not matter. One for some attribute may deny the one in question, and grants less
        // than all of them.
        let (may_deny, grants) = match (rights.object.and_then(|it| it.object_type), types) {
            (None, _) => (true, true),
            (Some(one), Some(types)) => (types.contains(&one), types.contains(&one)),
            (Some(_), None) => (true, false),
        };
        let is_certain = matches!(
            ace.ace_type,
            ace_type::ACCESS_ALLOWED | ace_type::ACCESS_ALLOWED_OBJECT
        );
        if is_certain && grants {
            return true;
        }
        if !ace.allows() && may_deny {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sddl::from_sddl;
    use crate::model::sid::Sid;

    #[test]
    fn what_may_be_read() {
        const FLAGS: &str = "bf967976-0de6-11d0-a285-00aa003049e2";
        const LIST: &str = "32ff8ecc-783f-11d2-9916-0000f87a57d4";
        const GENERAL: &str = "59ba2f42-79a2-11d0-9020-00c04fc2d3cf";
        let domain: Sid = "S-1-5-21-1-2-3".parse().unwrap();
        let token = AccessToken::new([domain.with_rid(1104), domain.with_rid(513)]);
        let all = "(A;CI;RPLCLORC;;;AU)";
        let (yes, no) = (true, false);
        for (dacl, flags, name, everything) in [
            (all.to_owned(), yes, yes, yes),
            (String::new(), no, no, no),
            ("(A;;GR;;;DU)".to_owned(), yes, yes, yes),
            ("(A;CIIO;RP;;;AU)".to_owned(), no, no, no),
            ("(A;;LCLORC;;;AU)".to_owned(), no, no, no),
            ("(A;;RP;;;DA)".to_owned(), no, no, no),
            (format!("(D;;GA;;;DU){all}"), no, no, no),
            (format!("{all}(D;;RP;;;DU)"), yes, yes, yes),
            (format!("(OD;;RP;{FLAGS};;DU){all}"), no, yes, no),
            (format!("(OD;CIIO;RP;{FLAGS};;DU){all}"), yes, yes, yes),
            (format!("(OD;;WP;{FLAGS};;DU){all}"), yes, yes, yes),
            (format!("(OD;;RP;{FLAGS};;DA){all}"), yes, yes, yes),
            (format!("(OD;;RP;{LIST};;DU){all}"), yes, yes, no),
            // A property set that contains the attribute.
            (format!("(OD;;RP;{GENERAL};;DU){all}"), yes, no, no),
            (format!("(OA;;RP;{GENERAL};;DU)"), no, yes, no),
            (format!("(OA;;RP;{FLAGS};;DU)"), yes, no, no),
            (
                format!("(OA;;RP;{FLAGS};;DU)(D;;RP;;;DU){all}"),
                yes,
                no,
                no,
            ),
            // Without the condition.
            (format!(r#"(XD;;RP;;;DU;(@USER.a=="b")){all}"#), no, no, no),
            (r#"(XA;;RP;;;DU;(@USER.a=="b"))"#.to_owned(), no, no, no),
        ] {
            let descriptor = from_sddl(&format!("O:DAG:DAD:P{dacl}"), Some(&domain)).unwrap();
            let may = |name| may_read_attribute(&descriptor, &token, name);
            assert_eq!(may("FLAGS"), flags, "{dacl}");
            assert_eq!(may("displayName"), name, "{dacl}");
            assert_eq!(may("description"), everything, "{dacl}");
            assert_eq!(
                may_read_all_attributes(&descriptor, &token),
                everything,
                "{dacl}"
            );
        }
        assert!(may_read_attribute(
            &SecurityDescriptor::new(),
            &token,
            "flags"
        ));
    }
}
