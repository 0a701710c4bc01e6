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
    /// An event log.
    Log,
    /// The start of programs by DCOM.
    Launch,
    /// The account database, over the network.
    Sam,
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
            Self::FileOrKey => COMMON | file::WRITE_DATA | file::APPEND_DATA | file::DELETE_CHILD,
            // SERVICE_CHANGE_CONFIG.
            Self::Service => COMMON | 0x2,
            // ELF_LOGFILE_CLEAR [MS-EVEN6 2.2.19].
            Self::Log => COMMON | 0x4,
            // COM_RIGHTS_EXECUTE_REMOTE and COM_RIGHTS_ACTIVATE_REMOTE.
            Self::Launch => COMMON | 0x4 | 0x10,
            // Whoever has READ_CONTROL may connect.
            Self::Sam => COMMON | standard::READ_CONTROL,
        }
    }
}

/// Everyone, Local, Console Logon, Network, Interactive, Anonymous, Authenticated Users, remote sessions, This Organization, local
/// accounts, Users, Guests, Pre-Windows 2000 Compatible Access, every app: whoever can log on, or what they start.
const EVERYBODY: [&str; 17] = [
    "S-1-1-0",
    "S-1-2-0",
    "S-1-2-1",
    "S-1-5-13",
    "S-1-5-14",
    "S-1-5-15",
    "S-1-5-113",
    "S-1-5-114",
    "S-1-5-32-554",
    "S-1-15-2-1",
    "S-1-15-2-2",
    "S-1-5-2",
    "S-1-5-4",
    "S-1-5-7",
    "S-1-5-11",
    "S-1-5-32-545",
    "S-1-5-32-546",
];
/// SYSTEM, Local Service, Network Service, Administrators, CREATOR OWNER and OWNER RIGHTS, which are the owner of the object.
const ADMINISTRATORS: [&str; 6] = [
    "S-1-5-18",
    "S-1-5-19",
    "S-1-5-20",
    "S-1-5-32-544",
    "S-1-3-0",
    "S-1-3-4",
];
/// The RIDs of Administrator, Domain Admins, Domain Controllers, Schema Admins, Enterprise Admins.
const ADMINISTRATING: [u32; 5] = [500, 512, 516, 518, 519];
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

/// What is wrong with permissions in SDDL that only administrators should have; `None` without any. Who may change it, if that is not
/// everybody, is the SID.
pub(super) fn fault_for_others(what: Secures, sddl: &str) -> Option<Fault> {
    fault(what, sddl).or_else(|| fault_for(what, sddl, is_other))
}

/// Whether this principal neither administers nor is a service.
fn is_other(sid: &Sid) -> bool {
    let text = sid.to_string();
    let administers =
        sid.is_domain_sid() && sid.rid().is_some_and(|rid| ADMINISTRATING.contains(&rid));
    let is_known = administers || ADMINISTRATORS.contains(&text.as_str());
    !is_known && !text.starts_with("S-1-5-80-")
}

/// What is wrong with permissions in SDDL; `None` without any.
pub(super) fn fault(what: Secures, sddl: &str) -> Option<Fault> {
    fault_for(what, sddl, is_everybody)
}

/// As [`fault`], for the principals that `counts` accepts.
fn fault_for(what: Secures, sddl: &str, counts: fn(&Sid) -> bool) -> Option<Fault> {
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
        ace.allows() && mask & what.changing() != 0 && ace.sid().is_some_and(counts)
    };
    let owner = descriptor.owner.as_ref().filter(|sid| counts(sid));
    let by_entry = match descriptor.dacl_state() {
        DaclState::List(dacl) => dacl.aces.iter().find(open).and_then(Ace::sid),
        DaclState::Null => return Some(Fault::Open("everybody".to_owned())),
        DaclState::Absent => None,
    };
    let sid = by_entry.or(owner)?;
    let domain_name = match sid.rid().filter(|_| sid.is_domain_sid()) {
        Some(513) => "Domain Users".to_owned(),
        Some(514) => "Domain Guests".to_owned(),
        Some(515) => "Domain Computers".to_owned(),
        _ => sid.to_string(),
    };
    let known = well_known::name_of(sid).map(str::to_owned);
    Some(Fault::Open(known.unwrap_or(domain_name)))
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
        let others = |sddl: &str| match fault_for_others(Secures::FileOrKey, sddl) {
            Some(Fault::Open(who)) => Some(who),
            _ => None,
        };
        let one = "S-1-5-21-1-2-3-1105";
        let entry = format!("D:(A;;FA;;;{one})");
        assert_eq!((may(&entry), others(&entry).as_deref()), (None, Some(one)));
        let service = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
        for sid in ["BA", "SY", "LS", "CO", "DA", service, "S-1-5-21-1-2-3-500"] {
            assert_eq!(others(&format!("D:(A;;FA;;;{sid})")), None, "{sid}");
        }
        for sid in ["S-1-5-113", "S-1-5-32-554", "S-1-5-13", "S-1-15-2-1"] {
            assert!(may(&format!("D:(A;;FA;;;{sid})")).is_some(), "{sid}");
        }
        assert!(may("D:(A;;0x40;;;WD)").is_some());
        // Of a service, the same bit asks for its status.
        let service = |sddl: &str| open(Secures::Service, sddl);
        assert_eq!(service("D:(A;;CCLCSWLOCRRC;;;AU)"), None);
        assert_eq!(service("D:(A;;DC;;;IU)").as_deref(), Some("INTERACTIVE"));
    }
}
