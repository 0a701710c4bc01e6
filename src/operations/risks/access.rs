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

/// Everyone, Anonymous, Network, Interactive, Authenticated Users, Users, Guests: whoever can log on.
const EVERYBODY: [&str; 7] = [
    "S-1-1-0",
    "S-1-5-2",
    "S-1-5-4",
    "S-1-5-7",
    "S-1-5-11",
    "S-1-5-32-545",
    "S-1-5-32-546",
];
/// The RIDs of Domain Users, Domain Guests and Domain Computers.
const EVERY_ACCOUNT: [u32; 3] = [513, 514, 515];

/// The first principal that stands for everybody and may change the object with these permissions; `None` without one, and for
/// text that is not SDDL.
pub(super) fn everybody_may(what: Secures, sddl: &str) -> Option<String> {
    // The domain of `DU` and similar names is that of the client.
    let domain: Sid = "S-1-5-21-0-0-0".parse().ok()?;
    let descriptor = from_sddl(sddl, Some(&domain)).ok()?;
    let dacl = match descriptor.dacl_state() {
        DaclState::List(dacl) => dacl,
        DaclState::Null => return Some("everybody".to_owned()),
        DaclState::Absent => return None,
    };
    let open = |ace: &&Ace| {
        let Some(rights) = ace.rights() else {
            return false;
        };
        let text = rights.sid.to_string();
        let everybody = EVERYBODY.contains(&text.as_str())
            || (rights.sid.is_domain_sid()
                && rights
                    .sid
                    .rid()
                    .is_some_and(|rid| EVERY_ACCOUNT.contains(&rid)));
        everybody && matches!(ace.ace_type, 0x00 | 0x09) && rights.mask & what.changing() != 0
    };
    let sid = dacl.aces.iter().find(open)?.sid()?;
    let domain_name = match sid.rid() {
        Some(513) => "Domain Users",
        Some(514) => "Domain Guests",
        Some(515) => "Domain Computers",
        _ => "everybody",
    };
    Some(well_known::name_of(sid).unwrap_or(domain_name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rights_to_change_for_everybody_count() {
        let may = |sddl: &str| everybody_may(Secures::FileOrKey, sddl);
        for (sddl, who) in [
            ("D:PAR(A;OICI;FA;;;BA)(A;OICI;FA;;;WD)", "Everyone"),
            ("D:(A;OICI;0x1301bf;;;AU)", "Authenticated Users"),
            ("D:(A;CI;KA;;;BU)", "Users"),
            ("D:(A;;WD;;;DU)", "Domain Users"),
            ("D:NO_ACCESS_CONTROL", "everybody"),
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
        // For a service, the same bit is the right to query its status.
        let service = |sddl: &str| everybody_may(Secures::Service, sddl);
        assert_eq!(service("D:(A;;CCLCSWLOCRRC;;;AU)"), None);
        assert_eq!(service("D:(A;;DC;;;IU)").as_deref(), Some("INTERACTIVE"));
    }
}
