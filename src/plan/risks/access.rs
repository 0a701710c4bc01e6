//! Permissions that a GPO sets on files, registry keys and services, with which everybody may change them.

use crate::model::access_mask::{file, standard};
use crate::model::sddl::from_sddl;
use crate::model::security_descriptor::{Ace, DaclState};
use crate::model::sid::Sid;
use crate::model::well_known;

/// The kind of object with permissions, which determines the rights that change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secures {
    /// A file, a folder or a registry key.
    FileOrKey,
    /// A service.
    Service,
}

impl Secures {
    /// The rights that change it: to write data or configuration, to delete it, to change its permissions or its owner
    /// [MS-DTYP 2.4.3], [MS-SCMR 3.1.4]. GENERIC_ALL and GENERIC_WRITE include some of these on each kind.
    fn changing(self) -> u32 {
        const COMMON: u32 = standard::DELETE
            | standard::WRITE_DACL
            | standard::WRITE_OWNER
            | standard::GENERIC_ALL
            | standard::GENERIC_WRITE;
        match self {
            // The same bits are KEY_SET_VALUE and KEY_CREATE_SUB_KEY.
            Self::FileOrKey => COMMON | file::WRITE_DATA | file::APPEND_DATA,
            // SERVICE_CHANGE_CONFIG.
            Self::Service => COMMON | 0x2,
        }
    }
}

/// Everyone, Local, Anonymous, Network, Interactive, Authenticated Users, Users, Guests: whoever can log on.
const EVERYBODY: [&str; 8] = [
    "S-1-1-0",
    "S-1-2-0",
    "S-1-5-2",
    "S-1-5-4",
    "S-1-5-7",
    "S-1-5-11",
    "S-1-5-32-545",
    "S-1-5-32-546",
];
/// The RIDs of Domain Users, Domain Guests and Domain Computers.
const EVERY_ACCOUNT: [u32; 3] = [513, 514, 515];

/// What is wrong with permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// This principal, one of those that stand for everybody, may change what has them, as its owner or by an entry.
    Open(String),
    /// A client may understand what gpoctl does not.
    Unreadable,
}

/// What is wrong with permissions in SDDL; `None` without any.
pub(super) fn fault(what: Secures, sddl: &str) -> Option<Fault> {
    if sddl.trim().is_empty() {
        return None;
    }
    // The domain of `DU` and its like is that of the client.
    let domain: Sid = "S-1-5-21-0-0-0".parse().ok()?;
    let Ok(descriptor) = from_sddl(sddl, Some(&domain)) else {
        return Some(Fault::Unreadable);
    };
    let open = |ace: &&Ace| {
        let mask = ace.rights().map_or(0, |rights| rights.mask);
        ace.allows() && mask & what.changing() != 0 && ace.sid().is_some_and(is_everybody)
    };
    let owner = descriptor.owner.as_ref().filter(|sid| is_everybody(sid));
    let by_entry = match descriptor.dacl_state() {
        DaclState::List(dacl) => dacl.aces.iter().find(open).and_then(Ace::sid),
        DaclState::Null => return Some(Fault::Open("everybody".to_owned())),
        DaclState::Absent => None,
    };
    let sid = by_entry.or(owner)?;
    let domain_name = match sid.rid() {
        Some(513) => "Domain Users",
        Some(514) => "Domain Guests",
        Some(515) => "Domain Computers",
        _ => "everybody",
    };
    Some(Fault::Open(
        well_known::name_of(sid).unwrap_or(domain_name).to_owned(),
    ))
}

/// Whether this principal stands for everybody who can log on.
fn is_everybody(sid: &Sid) -> bool {
    EVERYBODY.contains(&sid.to_string().as_str())
        || (sid.is_domain_sid() && sid.rid().is_some_and(|rid| EVERY_ACCOUNT.contains(&rid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rights_to_change_for_everybody_count() {
        let open = |what, sddl: &str| match fault(what, sddl) {
            Some(Fault::Open(who)) => Some(who),
            _ => None,
        };
        let may = |sddl: &str| open(Secures::FileOrKey, sddl);
        for (sddl, who) in [
            ("D:PAR(A;OICI;FA;;;BA)(A;OICI;FA;;;WD)", "Everyone"),
            ("D:(A;OICI;0x1301bf;;;AU)", "Authenticated Users"),
            ("D:(A;CI;KA;;;BU)", "Users"),
            ("D:(A;;WD;;;DU)", "Domain Users"),
            ("D:NO_ACCESS_CONTROL", "everybody"),
            ("O:WD", "Everyone"),
            ("D:(OA;;FA;;;AU)", "Authenticated Users"),
        ] {
            assert_eq!(may(sddl).as_deref(), Some(who), "{sddl}");
        }
        for sddl in [
            "",
            "no sddl",
            "D:(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;KR;;;WD)",
            "D:(D;;FA;;;WD)",
            "O:BAG:BA",
        ] {
            assert_eq!(may(sddl), None, "{sddl}");
        }
        assert_eq!(
            fault(Secures::FileOrKey, "no sddl"),
            Some(Fault::Unreadable)
        );
        assert_eq!(fault(Secures::FileOrKey, " "), None);
        // Of a service, the same bit asks for its status.
        let service = |sddl: &str| open(Secures::Service, sddl);
        assert_eq!(service("D:(A;;CCLCSWLOCRRC;;;AU)"), None);
        assert_eq!(service("D:(A;;DC;;;IU)").as_deref(), Some("INTERACTIVE"));
    }
}
