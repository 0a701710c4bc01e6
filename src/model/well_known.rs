//! What is the same in every domain: well-known principals [MS-DTYP 2.4.2.4], for which GPMC uses their English names, and
//! the default GPOs.

pub mod domain_accounts;
pub mod localized;

use super::guid::Guid;
use super::sid::Sid;

/// The Default Domain Policy `{31B2F340-016D-11D2-945F-00C04FB984F9}` and the Default Domain Controllers Policy
/// `{6AC1786C-016F-11D2-945F-00C04FB984F9}` [MS-GPOD 1.1.4].
pub const DEFAULT_GPOS: [Guid; 2] = [
    Guid::from_bytes_le([
        0x40, 0xf3, 0xb2, 0x31, 0x6d, 0x01, 0xd2, 0x11, 0x94, 0x5f, 0x00, 0xc0, 0x4f, 0xb9, 0x84,
        0xf9,
    ]),
    Guid::from_bytes_le([
        0x6c, 0x78, 0xc1, 0x6a, 0x6f, 0x01, 0xd2, 0x11, 0x94, 0x5f, 0x00, 0xc0, 0x4f, 0xb9, 0x84,
        0xf9,
    ]),
];

/// SIDs and English names, as in `SecurityGroups` of backups and in migration tables.
const WELL_KNOWN: &[(&str, &str)] = &[
    ("S-1-0-0", "NULL SID"),
    ("S-1-1-0", "Everyone"),
    ("S-1-2-0", "LOCAL"),
    ("S-1-2-1", "CONSOLE LOGON"),
    ("S-1-3-0", "CREATOR OWNER"),
    ("S-1-3-1", "CREATOR GROUP"),
    ("S-1-3-4", "OWNER RIGHTS"),
    ("S-1-5-1", "DIALUP"),
    ("S-1-5-2", "NETWORK"),
    ("S-1-5-3", "BATCH"),
    ("S-1-5-4", "INTERACTIVE"),
    ("S-1-5-6", "SERVICE"),
    ("S-1-5-7", "ANONYMOUS LOGON"),
    ("S-1-5-8", "PROXY"),
    ("S-1-5-9", "ENTERPRISE DOMAIN CONTROLLERS"),
    ("S-1-5-10", "SELF"),
    ("S-1-5-11", "Authenticated Users"),
    ("S-1-5-12", "RESTRICTED"),
    ("S-1-5-13", "TERMINAL SERVER USER"),
    ("S-1-5-14", "REMOTE INTERACTIVE LOGON"),
    ("S-1-5-15", "This Organization"),
    ("S-1-5-17", "IUSR"),
    ("S-1-5-18", "SYSTEM"),
    ("S-1-5-19", "LOCAL SERVICE"),
    ("S-1-5-20", "NETWORK SERVICE"),
    ("S-1-5-80-0", "ALL SERVICES"),
    ("S-1-5-90-0", "Window Manager\\Window Manager Group"),
    ("S-1-5-113", "Local account"),
    (
        "S-1-5-114",
        "Local account and member of Administrators group",
    ),
    ("S-1-5-32-544", "Administrators"),
    ("S-1-5-32-545", "Users"),
    ("S-1-5-32-546", "Guests"),
    ("S-1-5-32-547", "Power Users"),
    ("S-1-5-32-548", "Account Operators"),
    ("S-1-5-32-549", "Server Operators"),
    ("S-1-5-32-550", "Print Operators"),
    ("S-1-5-32-551", "Backup Operators"),
    ("S-1-5-32-552", "Replicator"),
    ("S-1-5-32-554", "Pre-Windows 2000 Compatible Access"),
    ("S-1-5-32-555", "Remote Desktop Users"),
    ("S-1-5-32-556", "Network Configuration Operators"),
    ("S-1-5-32-557", "Incoming Forest Trust Builders"),
    ("S-1-5-32-558", "Performance Monitor Users"),
    ("S-1-5-32-559", "Performance Log Users"),
    ("S-1-5-32-560", "Windows Authorization Access Group"),
    ("S-1-5-32-561", "Terminal Server License Servers"),
    ("S-1-5-32-562", "Distributed COM Users"),
    ("S-1-5-32-568", "IIS_IUSRS"),
    ("S-1-5-32-569", "Cryptographic Operators"),
    ("S-1-5-32-573", "Event Log Readers"),
    ("S-1-5-32-574", "Certificate Service DCOM Access"),
    ("S-1-5-32-575", "RDS Remote Access Servers"),
    ("S-1-5-32-576", "RDS Endpoint Servers"),
    ("S-1-5-32-577", "RDS Management Servers"),
    ("S-1-5-32-578", "Hyper-V Administrators"),
    ("S-1-5-32-579", "Access Control Assistance Operators"),
    ("S-1-5-32-580", "Remote Management Users"),
    ("S-1-5-32-581", "System Managed Accounts Group"),
    ("S-1-5-32-582", "Storage Replica Administrators"),
    ("S-1-5-32-583", "Device Owners"),
    ("S-1-15-2-1", "ALL APPLICATION PACKAGES"),
    ("S-1-15-2-2", "ALL RESTRICTED APPLICATION PACKAGES"),
];

/// The English name of a well-known SID.
pub fn name_of(sid: &Sid) -> Option<&'static str> {
    let text = sid.to_string();
    WELL_KNOWN
        .iter()
        .find(|(known, _)| *known == text)
        .map(|(_, name)| *name)
}

/// The SID with this name, ignoring case: in English, where a leading `BUILTIN\` or `NT AUTHORITY\` is skipped, or as in
/// [`localized`].
pub fn sid_of(name: &str) -> Option<Sid> {
    english_sid_of(name).or_else(|| Some(localized::localized(name)?.sid))
}

/// As [`sid_of`], but not for a bare name in another language, which may be that of an account.
pub fn sid_of_no_account(name: &str) -> Option<Sid> {
    let bare = !name.contains('\\');
    english_sid_of(name).or_else(|| sid_of(name).filter(|_| !bare))
}

/// As [`sid_of`], in English only.
fn english_sid_of(name: &str) -> Option<Sid> {
    let bare = match name.split_once('\\') {
        Some((authority, bare))
            if authority.eq_ignore_ascii_case("BUILTIN")
                || authority.eq_ignore_ascii_case("NT AUTHORITY") =>
        {
            bare
        }
        _ => name,
    };
    WELL_KNOWN
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(bare) || known.eq_ignore_ascii_case(name))
        .and_then(|(sid, _)| sid.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_of_the_default_gpos() {
        assert_eq!(
            DEFAULT_GPOS.map(|guid| guid.to_string()),
            [
                "{31B2F340-016D-11D2-945F-00C04FB984F9}",
                "{6AC1786C-016F-11D2-945F-00C04FB984F9}",
            ]
        );
    }

    #[test]
    fn every_entry_parses_and_is_found_both_ways() {
        for (sid, name) in WELL_KNOWN {
            let parsed: Sid = sid.parse().unwrap();
            assert_eq!(name_of(&parsed), Some(*name));
            assert_eq!(sid_of(name), Some(parsed));
        }
        assert_eq!(
            sid_of("builtin\\administrators").unwrap().to_string(),
            "S-1-5-32-544"
        );
        assert_eq!(sid_of("Helpdesk"), None);
    }
}
