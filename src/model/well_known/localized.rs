//! Well-known principals by the names that localized versions of Windows give them.
//!
//! Only machines in that language resolve such a name; everywhere else it is the SID that counts. Sources:
//! - Microsoft, "Configure Windows service accounts and permissions", section "Localized service names": German, French, Italian,
//!   Spanish and Russian, and that Chinese (both), Japanese and Korean have the English names;
//! - Microsoft's script `CreateNetworkServiceLogin.sql`: NETWORK SERVICE in Danish, Dutch, Finnish, Hungarian, Italian, Norwegian, Polish,
//!   Portuguese and Swedish, which also has the authority of these languages;
//! - the built-in groups, and what is beyond these pages: the names under which machines in these languages show them, which no page
//!   lists as a whole and which were not compared with one.
//!
//! Czech, Greek and Turkish names are not known here.

use super::super::sid::Sid;

/// A well-known principal in one language.
struct Localized {
    language: &'static str,
    sid: &'static str,
    authority: &'static str,
    name: &'static str,
}

const fn local(
    language: &'static str,
    sid: &'static str,
    authority: &'static str,
    name: &'static str,
) -> Localized {
    Localized {
        language,
        sid,
        authority,
        name,
    }
}

const SYSTEM: &str = "S-1-5-18";
const LOCAL_SERVICE: &str = "S-1-5-19";
const NETWORK_SERVICE: &str = "S-1-5-20";
const AUTHENTICATED_USERS: &str = "S-1-5-11";
const SELF: &str = "S-1-5-10";
const ANONYMOUS: &str = "S-1-5-7";
const ADMINISTRATORS: &str = "S-1-5-32-544";
const USERS: &str = "S-1-5-32-545";
const GUESTS: &str = "S-1-5-32-546";
const BACKUP_OPERATORS: &str = "S-1-5-32-551";
const REMOTE_DESKTOP_USERS: &str = "S-1-5-32-555";

const NT: &str = "NT AUTHORITY";
const NT_DE: &str = "NT-AUTORITÄT";
const NT_FR: &str = "AUTORITE NT";
const NT_FI: &str = "NT-HALLINTA";
const NT_NO: &str = "NT-MYNDIGHET";
const NT_PL: &str = "ZARZĄDZANIE NT";
const NT_PT: &str = "AUTORIDADE NT";
const NT_SV: &str = "NT INSTANS";
const BUILTIN: &str = "BUILTIN";
const BUILTIN_DE: &str = "VORDEFINIERT";

const LOCALIZED: &[Localized] = &[
    local("German", SYSTEM, NT_DE, "SYSTEM"),
    local("German", LOCAL_SERVICE, NT_DE, "LOKALER DIENST"),
    local("German", NETWORK_SERVICE, NT_DE, "NETZWERKDIENST"),
    local(
        "German",
        AUTHENTICATED_USERS,
        NT_DE,
        "Authentifizierte Benutzer",
    ),
    local("German", SELF, NT_DE, "SELBST"),
    local("German", ANONYMOUS, NT_DE, "ANONYMOUS-ANMELDUNG"),
    local("German", ADMINISTRATORS, BUILTIN_DE, "Administratoren"),
    local("German", USERS, BUILTIN_DE, "Benutzer"),
    local("German", GUESTS, BUILTIN_DE, "Gäste"),
    local(
        "German",
        BACKUP_OPERATORS,
        BUILTIN_DE,
        "Sicherungs-Operatoren",
    ),
    local(
        "German",
        REMOTE_DESKTOP_USERS,
        BUILTIN_DE,
        "Remotedesktopbenutzer",
    ),
    local("French", SYSTEM, NT_FR, "SYSTEM"),
    local("French", SYSTEM, NT_FR, "Système"),
    local("French", LOCAL_SERVICE, NT_FR, "SERVICE LOCAL"),
    local("French", NETWORK_SERVICE, NT_FR, "SERVICE RÉSEAU"),
    local(
        "French",
        AUTHENTICATED_USERS,
        NT_FR,
        "Utilisateurs authentifiés",
    ),
    local("French", ADMINISTRATORS, BUILTIN, "Administrateurs"),
    local("French", USERS, BUILTIN, "Utilisateurs"),
    local("French", GUESTS, BUILTIN, "Invités"),
    local(
        "French",
        BACKUP_OPERATORS,
        BUILTIN,
        "Opérateurs de sauvegarde",
    ),
    local(
        "French",
        REMOTE_DESKTOP_USERS,
        BUILTIN,
        "Utilisateurs du Bureau à distance",
    ),
    local("Italian", LOCAL_SERVICE, NT, "SERVIZIO LOCALE"),
    local("Italian", NETWORK_SERVICE, NT, "SERVIZIO DI RETE"),
    local("Spanish", LOCAL_SERVICE, NT, "SERVICIO LOC"),
    local("Spanish", NETWORK_SERVICE, NT, "SERVICIO DE RED"),
    local("Spanish", ADMINISTRATORS, BUILTIN, "Administradores"),
    local("Spanish", USERS, BUILTIN, "Usuarios"),
    local("Spanish", GUESTS, BUILTIN, "Invitados"),
    local("Portuguese", SYSTEM, NT_PT, "SYSTEM"),
    local("Portuguese", SYSTEM, NT_PT, "SISTEMA"),
    local("Portuguese", NETWORK_SERVICE, NT, "Serviço de rede"),
    local("Portuguese", NETWORK_SERVICE, NT_PT, "NETWORK SERVICE"),
    local("Portuguese", NETWORK_SERVICE, NT_PT, "Serviço de Rede"),
    local("Portuguese", ADMINISTRATORS, BUILTIN, "Administradores"),
    local("Portuguese", USERS, BUILTIN, "Usuários"),
    local("Portuguese", USERS, BUILTIN, "Utilizadores"),
    local("Dutch", NETWORK_SERVICE, NT, "Netwerkservice"),
    local("Dutch", USERS, BUILTIN, "Gebruikers"),
    local("Swedish", SYSTEM, NT_SV, "SYSTEM"),
    local("Swedish", NETWORK_SERVICE, NT_SV, "NETWORK SERVICE"),
    local(
        "Swedish",
        AUTHENTICATED_USERS,
        NT_SV,
        "Autentiserade användare",
    ),
    local("Swedish", ADMINISTRATORS, BUILTIN, "Administratörer"),
    local("Swedish", USERS, BUILTIN, "Användare"),
    local("Norwegian", SYSTEM, NT_NO, "SYSTEM"),
    local("Norwegian", LOCAL_SERVICE, NT_NO, "LOKAL TJENESTE"),
    local("Norwegian", NETWORK_SERVICE, NT_NO, "NETTVERKSTJENESTE"),
    local("Norwegian", AUTHENTICATED_USERS, NT_NO, "Godkjente brukere"),
    local("Norwegian", ADMINISTRATORS, BUILTIN, "Administratorer"),
    local("Norwegian", USERS, BUILTIN, "Brukere"),
    local("Danish", NETWORK_SERVICE, NT, "NETVÆRKSTJENESTE"),
    local("Danish", ADMINISTRATORS, BUILTIN, "Administratorer"),
    local("Danish", USERS, BUILTIN, "Brugere"),
    local("Finnish", SYSTEM, NT_FI, "SYSTEM"),
    local("Finnish", NETWORK_SERVICE, NT_FI, "Verkkopalvelu"),
    local("Finnish", ADMINISTRATORS, BUILTIN, "Järjestelmänvalvojat"),
    local("Finnish", USERS, BUILTIN, "Käyttäjät"),
    local("Polish", SYSTEM, NT_PL, "SYSTEM"),
    local("Polish", NETWORK_SERVICE, NT_PL, "USŁUGA SIECIOWA"),
    local("Polish", ADMINISTRATORS, BUILTIN, "Administratorzy"),
    local("Polish", USERS, BUILTIN, "Użytkownicy"),
    local("Hungarian", NETWORK_SERVICE, NT, "HÁLÓZATI SZOLGÁLTATÁS"),
    local(
        "Hungarian",
        AUTHENTICATED_USERS,
        NT,
        "Hitelesített felhasználók",
    ),
    local("Hungarian", ADMINISTRATORS, BUILTIN, "Rendszergazdák"),
    local("Hungarian", USERS, BUILTIN, "Felhasználók"),
    local("Russian", SYSTEM, NT, "СИСТЕМА"),
    local("Russian", ADMINISTRATORS, BUILTIN, "Администраторы"),
    local("Russian", USERS, BUILTIN, "Пользователи"),
];

/// A principal and the languages in which Windows calls it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalizedName {
    /// The principal.
    pub sid: Sid,
    /// The languages, such as `Norwegian or Danish`.
    pub languages: String,
}

/// The principal with this name in another language than English: with its authority, or, for a built-in group, alone. `None` for a
/// name that is not in the table or belongs to different principals.
pub fn localized(name: &str) -> Option<LocalizedName> {
    let folded = name.trim().to_lowercase();
    let (authority, bare) = match folded.split_once('\\') {
        Some((authority, bare)) => (Some(authority), bare),
        None => (None, folded.as_str()),
    };
    let mut found: Vec<&Localized> = LOCALIZED
        .iter()
        .filter(|known| known.name.to_lowercase() == bare)
        .filter(|known| match authority {
            Some(authority) => known.authority.to_lowercase() == authority,
            None => known.sid.starts_with("S-1-5-32-"),
        })
        .collect();
    let first = *found.first()?;
    if found.iter().any(|other| other.sid != first.sid) {
        return None;
    }
    found.dedup_by_key(|known| known.language);
    let languages: Vec<&str> = found.iter().map(|known| known.language).collect();
    Some(LocalizedName {
        sid: first.sid.parse().ok()?,
        languages: languages.join(" or "),
    })
}

/// Whether this is the authority of local principals in a localized version of Windows: never the name of a domain.
pub fn is_authority(domain: &str) -> bool {
    let folded = domain.to_lowercase();
    LOCALIZED
        .iter()
        .any(|known| known.authority.to_lowercase() == folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_with_its_authority_and_no_other() {
        assert!(LOCALIZED.len() >= 60);
        for known in LOCALIZED {
            let name = format!("{}\\{}", known.authority, known.name);
            for name in [name.clone(), name.to_lowercase(), name.to_uppercase()] {
                let found = localized(&name).unwrap_or_else(|| panic!("{name}"));
                assert_eq!(found.sid.to_string(), known.sid, "{name}");
                assert!(found.languages.contains(known.language), "{name}");
            }
            assert!(is_authority(known.authority));
            assert_eq!(localized(&format!("SRC\\{}", known.name)), None);
            assert!(super::super::name_of(&known.sid.parse().unwrap()).is_some());
        }
        assert!(!is_authority("SRC"));
    }

    #[test]
    fn bare_names_are_those_of_built_in_groups() {
        for (name, sid) in [
            ("Administratoren", Some("S-1-5-32-544")),
            ("administrateurs", Some("S-1-5-32-544")),
            ("Administradores", Some("S-1-5-32-544")),
            ("АДМИНИСТРАТОРЫ", Some("S-1-5-32-544")),
            ("Benutzer", Some("S-1-5-32-545")),
            ("Rendszergazdák", Some("S-1-5-32-544")),
            ("NETZWERKDIENST", None),
            ("SYSTEM", None),
            ("СИСТЕМА", None),
            ("Helpdesk", None),
            ("", None),
        ] {
            let found = localized(name).map(|found| found.sid.to_string());
            assert_eq!(found.as_deref(), sid, "{name}");
        }
        let shared = localized("Administratorer").unwrap().languages;
        assert_eq!(shared, "Norwegian or Danish");
    }
}
