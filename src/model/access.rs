//! Access checks: evaluates a DACL for an access token as a domain controller does [MS-DTYP 2.5.3.2, MS-ADTS 5.1.3.3].

use std::collections::HashSet;

use super::access_mask::{directory, standard};
use super::guid::Guid;
use super::security_descriptor::{DaclState, SecurityDescriptor, ace_flag, ace_type};
use super::sid::Sid;

/// The extended right Apply-Group-Policy, `edacfd8f-ffb3-11d1-b41d-00a0c968f939` [MS-ADTS 5.1.3.2.1].
pub const APPLY_GROUP_POLICY: Guid = Guid::from_bytes_le([
    0x8f, 0xfd, 0xac, 0xed, 0xb3, 0xff, 0xd1, 0x11, 0xb4, 0x1d, 0x00, 0xa0, 0xc9, 0x68, 0xf9, 0x39,
]);

/// The SIDs of an access token: the account, its groups, and the SIDs that every logon adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessToken {
    sids: HashSet<Sid>,
}

/// Everyone, Network, Authenticated Users and This Organization: in the token of every network logon.
const LOGGED_ON: [&str; 4] = ["S-1-1-0", "S-1-5-2", "S-1-5-11", "S-1-5-15"];
const ENTERPRISE_DOMAIN_CONTROLLERS: &str = "S-1-5-9";
/// The RID of Domain Controllers.
const DOMAIN_CONTROLLERS: u32 = 516;

impl AccessToken {
    /// The token of an account with these SIDs: its own and those of its groups (`tokenGroups`).
    pub fn new(sids: impl IntoIterator<Item = Sid>) -> Self {
        let mut sids: HashSet<Sid> = sids.into_iter().collect();
        let mut more = LOGGED_ON.to_vec();
        if sids
            .iter()
            .any(|sid| sid.is_domain_sid() && sid.rid() == Some(DOMAIN_CONTROLLERS))
        {
            more.push(ENTERPRISE_DOMAIN_CONTROLLERS);
        }
        sids.extend(more.iter().filter_map(|sid| sid.parse::<Sid>().ok()));
        Self { sids }
    }

    /// Whether the token contains this SID.
    pub fn contains(&self, sid: &Sid) -> bool {
        self.sids.contains(sid)
    }
}

/// Who administers a domain: SYSTEM, the built-in Administrators, Domain Admins and the account Administrator of the domain,
/// Enterprise Admins and Schema Admins of the root of its forest. CREATOR OWNER and OWNER RIGHTS are whoever owns the object.
#[derive(Debug, Clone, Copy)]
pub struct Administrators<'a> {
    /// The SID of the domain.
    pub domain: &'a Sid,
    /// The SID of the root of its forest, if it is known.
    pub forest_root: Option<&'a Sid>,
}

impl Administrators<'_> {
    /// Whether this is one of them.
    pub fn contain(&self, sid: &Sid) -> bool {
        const EVERYWHERE: [&str; 2] = ["S-1-5-18", "S-1-5-32-544"];
        let domain = sid.domain();
        EVERYWHERE.contains(&sid.to_string().as_str())
            || (domain.as_ref() == Some(self.domain) && matches!(sid.rid(), Some(500 | 512)))
            || (domain.is_some()
                && domain.as_ref() == self.forest_root
                && matches!(sid.rid(), Some(518 | 519)))
    }
}

/// The result of an access check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessDecision<'a> {
    /// Granted.
    Granted,
    /// Denied by an entry for this principal.
    Denied(&'a Sid),
    /// Not granted: no entry grants all of the rights.
    NotGranted,
}

/// Whether the token has all of these rights on the object itself. With an object type (an extended right, or the class
/// of a child), entries for exactly that type and entries without a type count. Without an object type only entries
/// without a type count, because an entry for one attribute, right or class covers less than the whole object.
pub fn check<'a>(
    descriptor: &'a SecurityDescriptor,
    token: &AccessToken,
    mask: u32,
    wanted_type: Option<Guid>,
) -> AccessDecision<'a> {
    check_types(descriptor, token, mask, wanted_type.as_slice())
}

/// As [`check`] for what has several object types: an attribute and the property set that contains it.
pub(crate) fn check_types<'a>(
    descriptor: &'a SecurityDescriptor,
    token: &AccessToken,
    mask: u32,
    types: &[Guid],
) -> AccessDecision<'a> {
    let dacl = match descriptor.dacl_state() {
        DaclState::Null | DaclState::Absent => return AccessDecision::Granted,
        DaclState::List(dacl) => dacl,
    };
    let mut missing = mask;
    for ace in &dacl.aces {
        let Some(rights) = ace.rights() else { continue };
        if ace.flags & ace_flag::INHERIT_ONLY != 0 {
            continue;
        }
        let hit = directory::expand(rights.mask) & missing;
        if hit == 0 {
            continue;
        }
        let object_type = rights.object.and_then(|object| object.object_type);
        if object_type.is_some_and(|one| !types.contains(&one)) || !token.contains(&rights.sid) {
            continue;
        }
        match ace.ace_type {
            ace_type::ACCESS_DENIED | ace_type::ACCESS_DENIED_OBJECT => {
                return AccessDecision::Denied(&rights.sid);
            }
            ace_type::ACCESS_ALLOWED | ace_type::ACCESS_ALLOWED_OBJECT => missing &= !hit,
            // Callback entries depend on conditions that cannot be evaluated here, so they grant nothing.
            _ => {}
        }
        if missing == 0 {
            return AccessDecision::Granted;
        }
    }
    AccessDecision::NotGranted
}

/// Whether the token may delete an object, by a right on the object itself or by the right to delete children of that
/// class on the parent [MS-ADTS 3.1.1.5.5]. For a class whose GUID is not known, an entry of the parent for any class
/// counts; the server has the last word.
pub fn may_delete(
    object: &SecurityDescriptor,
    parent: &SecurityDescriptor,
    class: Option<Guid>,
    token: &AccessToken,
) -> bool {
    check(object, token, standard::DELETE, None) == AccessDecision::Granted
        || match class {
            Some(class) => {
                check(parent, token, directory::DELETE_CHILD, Some(class))
                    == AccessDecision::Granted
            }
            None => parent.dacl.iter().flat_map(|dacl| &dacl.aces).any(|ace| {
                ace.rights().is_some_and(|rights| {
                    token.contains(&rights.sid)
                        && ace.flags & ace_flag::INHERIT_ONLY == 0
                        && directory::expand(rights.mask) & directory::DELETE_CHILD != 0
                        && matches!(
                            ace.ace_type,
                            ace_type::ACCESS_ALLOWED | ace_type::ACCESS_ALLOWED_OBJECT
                        )
                })
            }),
        }
}

/// `schemaIDGUID` of the classes of a GPO's objects [MS-ADSC].
pub fn class_guid(name: &str) -> Option<Guid> {
    let text = match name.to_ascii_lowercase().as_str() {
        "grouppolicycontainer" => "f30e3bc2-9ff0-11d1-b603-0000f80367c1",
        "container" => "bf967a8b-0de6-11d0-a285-00aa003049e2",
        "classstore" => "bf967a84-0de6-11d0-a285-00aa003049e2",
        "packageregistration" => "bf967aa6-0de6-11d0-a285-00aa003049e2",
        _ => return None,
    };
    text.parse().ok()
}

/// Whether the token may read the object: its attributes and its descriptor.
pub fn may_read<'a>(descriptor: &'a SecurityDescriptor, token: &AccessToken) -> AccessDecision<'a> {
    check(
        descriptor,
        token,
        directory::READ_PROPERTY | standard::READ_CONTROL,
        None,
    )
}

/// Whether the GPO with this descriptor applies to the token: the right Apply-Group-Policy [MS-GPOL 3.2.5.1.6].
pub fn may_apply<'a>(
    descriptor: &'a SecurityDescriptor,
    token: &AccessToken,
) -> AccessDecision<'a> {
    check(
        descriptor,
        token,
        directory::CONTROL_ACCESS,
        Some(APPLY_GROUP_POLICY),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sddl::from_sddl;

    const DOMAIN: &str = "S-1-5-21-1-2-3";

    fn sid(text: &str) -> Sid {
        text.parse().unwrap()
    }

    fn descriptor(dacl: &str) -> SecurityDescriptor {
        from_sddl(&format!("O:DAG:DAD:P{dacl}"), Some(&sid(DOMAIN))).unwrap()
    }

    fn alice() -> AccessToken {
        AccessToken::new([sid("S-1-5-21-1-2-3-1104"), sid("S-1-5-21-1-2-3-513")])
    }

    #[test]
    fn guid_of_apply_group_policy() {
        assert_eq!(
            APPLY_GROUP_POLICY.lower(),
            "{edacfd8f-ffb3-11d1-b41d-00a0c968f939}"
        );
    }

    #[test]
    fn default_permissions_of_a_new_gpo() {
        let fresh = descriptor(
            "(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CI;LCRPLORC;;;AU)(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)",
        );
        assert_eq!(may_read(&fresh, &alice()), AccessDecision::Granted);
        assert_eq!(may_apply(&fresh, &alice()), AccessDecision::Granted);
        assert_eq!(
            may_apply(&fresh, &AccessToken::default()),
            AccessDecision::NotGranted
        );
    }

    #[test]
    fn security_filtering() {
        let group = |dacl: &str| descriptor(&format!("(A;CI;LCRPLORC;;;AU){dacl}"));
        let right = "edacfd8f-ffb3-11d1-b41d-00a0c968f939";
        let other = "00299570-246d-11d0-a768-00aa006e0529";
        // Users may, Computers may not.
        let users = group(&format!("(OA;CI;CR;{right};;S-1-5-21-1-2-3-513)"));
        assert_eq!(may_apply(&users, &alice()), AccessDecision::Granted);
        let computer = AccessToken::new([sid("S-1-5-21-1-2-3-515")]);
        assert_eq!(may_apply(&users, &computer), AccessDecision::NotGranted);
        // All extended rights at once; another one alone.
        assert_eq!(
            may_apply(&group("(A;CI;CR;;;DU)"), &alice()),
            AccessDecision::Granted
        );
        let wrong = group(&format!("(OA;CI;CR;{other};;DU)"));
        assert_eq!(may_apply(&wrong, &alice()), AccessDecision::NotGranted);
        // A denying entry in front wins; for another right it does not matter; for children only neither.
        let grant = format!("(OA;CI;CR;{right};;AU)");
        let denied = descriptor(&format!("(OD;CI;CR;{right};;DU){grant}"));
        assert_eq!(
            may_apply(&denied, &alice()),
            AccessDecision::Denied(&sid("S-1-5-21-1-2-3-513"))
        );
        let all = descriptor(&format!("(D;CI;CR;;;DU){grant}"));
        assert!(matches!(
            may_apply(&all, &alice()),
            AccessDecision::Denied(_)
        ));
        for harmless in [
            format!("(OD;CI;CR;{other};;DU){grant}"),
            format!("(OD;CIIO;CR;{right};;DU){grant}"),
            format!("(OD;CI;CR;{right};;DC){grant}"),
        ] {
            assert_eq!(
                may_apply(&descriptor(&harmless), &alice()),
                AccessDecision::Granted
            );
        }
    }

    #[test]
    fn deleting_needs_the_right_on_the_object_or_on_its_parent() {
        let none = descriptor("(A;;GR;;;AU)");
        let package = class_guid("packageRegistration");
        assert!(package.is_some());
        let may = |object: &str, parent: &str, class| {
            may_delete(&descriptor(object), &descriptor(parent), class, &alice())
        };
        assert!(may("(A;;SD;;;DU)", "", package));
        assert!(may("", "(A;;DC;;;DU)", package));
        assert!(may("", "(A;;GA;;;DU)", package));
        assert!(!may("(A;;DC;;;DU)", "(A;;SD;;;DU)", package));
        assert!(!may("", "(A;CIIO;DC;;;DU)", package));
        let typed = |class: &str| format!("(OA;;DC;{class};;DU)");
        let own = typed("bf967aa6-0de6-11d0-a285-00aa003049e2");
        let other = typed("bf967a84-0de6-11d0-a285-00aa003049e2");
        assert!(may("", &own, package) && !may("", &other, package));
        // A preceding denial wins; for an unknown class the server decides.
        assert!(!may("(D;;SD;;;DU)(A;;SD;;;AU)", "", package));
        assert!(may("", &own, None) && !may("", "", None));
        assert!(!may_delete(&none, &none, package, &alice()));
    }

    #[test]
    fn reading_needs_attributes_and_descriptor() {
        assert_eq!(
            may_read(&descriptor("(A;;GR;;;AU)"), &alice()),
            AccessDecision::Granted
        );
        assert_eq!(
            may_read(&descriptor("(A;;RC;;;AU)(A;;RP;;;DU)"), &alice()),
            AccessDecision::Granted
        );
        assert_eq!(
            may_read(&descriptor("(A;;RP;;;AU)"), &alice()),
            AccessDecision::NotGranted
        );
        assert!(matches!(
            may_read(&descriptor("(D;;RP;;;DU)(A;;GR;;;AU)"), &alice()),
            AccessDecision::Denied(_)
        ));
        assert_eq!(
            may_read(&descriptor(""), &alice()),
            AccessDecision::NotGranted
        );
    }

    #[test]
    fn generic_rights_count_as_what_they_include() {
        for (generic, mask, beyond) in [
            ("GA", 0x000F_01FF, 0x0010_0000),
            ("GR", 0x0002_0094, 0x20),
            ("GW", 0x0002_0028, 0x1),
            ("GX", 0x0002_0004, 0x10),
        ] {
            let allowing = descriptor(&format!("(A;;{generic};;;DU)"));
            let denying = descriptor(&format!("(D;;{generic};;;DU)(A;;GA;;;AU)"));
            let may = |descriptor, mask| check(descriptor, &alice(), mask, None);
            assert_eq!(may(&allowing, mask), AccessDecision::Granted, "{generic}");
            assert_eq!(may(&allowing, beyond), AccessDecision::NotGranted);
            assert!(
                matches!(may(&denying, mask), AccessDecision::Denied(_)),
                "{generic}"
            );
        }
    }

    #[test]
    fn domain_controllers_are_enterprise_domain_controllers() {
        let controller = AccessToken::new([sid("S-1-5-21-1-2-3-516")]);
        assert!(controller.contains(&sid("S-1-5-9")) && controller.contains(&sid("S-1-5-11")));
        assert!(!alice().contains(&sid("S-1-5-9")));
    }
}
