//! The accounts and groups that every domain has, by their RID [MS-DTYP 2.4.2.4]. Their names differ by the language of the first
//! domain controller, and administrators rename them.

/// RIDs and names: in English [MS-DTYP 2.4.2.4], then as domains that were made in German, French, Spanish and Russian have them, which
/// were not compared with a list of Microsoft's. A name that is missing costs a pair by RID, no wrong one.
const ACCOUNTS: &[(u32, &[&str])] = &[
    (
        500,
        &[
            "Administrator",
            "Administrateur",
            "Administrador",
            "Администратор",
        ],
    ),
    (501, &["Guest", "Gast", "Invité", "Invitado", "Гость"]),
    (502, &["krbtgt"]),
    (
        512,
        &[
            "Domain Admins",
            "Domänen-Admins",
            "Admins du domaine",
            "Admins. del dominio",
            "Администраторы домена",
        ],
    ),
    (
        513,
        &[
            "Domain Users",
            "Domänen-Benutzer",
            "Utilisateurs du domaine",
            "Usuarios del dominio",
            "Пользователи домена",
        ],
    ),
    (
        514,
        &[
            "Domain Guests",
            "Domänen-Gäste",
            "Invités du domaine",
            "Invitados del dominio",
            "Гости домена",
        ],
    ),
    (
        515,
        &[
            "Domain Computers",
            "Domänencomputer",
            "Ordinateurs du domaine",
            "Equipos del dominio",
            "Компьютеры домена",
        ],
    ),
    (
        516,
        &[
            "Domain Controllers",
            "Domänencontroller",
            "Contrôleurs de domaine",
            "Controladores de dominio",
            "Контроллеры домена",
        ],
    ),
    (517, &["Cert Publishers", "Zertifikatherausgeber"]),
    (
        518,
        &[
            "Schema Admins",
            "Schema-Admins",
            "Administrateurs du schéma",
            "Administradores de esquema",
        ],
    ),
    (
        519,
        &[
            "Enterprise Admins",
            "Organisations-Admins",
            "Administrateurs de l\u{2019}entreprise",
            "Administradores de empresas",
        ],
    ),
    (
        520,
        &[
            "Group Policy Creator Owners",
            "Richtlinien-Ersteller-Besitzer",
        ],
    ),
    (521, &["Read-only Domain Controllers"]),
    (522, &["Cloneable Domain Controllers"]),
    (525, &["Protected Users"]),
    (526, &["Key Admins"]),
    (527, &["Enterprise Key Admins"]),
    (553, &["RAS and IAS Servers"]),
    (571, &["Allowed RODC Password Replication Group"]),
    (572, &["Denied RODC Password Replication Group"]),
];

/// RIDs from here on are given to accounts that somebody created [MS-ADTS 6.1.1.5].
const FIRST_OF_ADMINISTRATORS: u32 = 1000;

/// The RID that an account of this name has in every domain, without its domain and ignoring case; `None` for any other name.
pub fn rid_of(name: &str) -> Option<u32> {
    let folded = name.to_lowercase();
    let has = |names: &[&str]| names.iter().any(|known| known.to_lowercase() == folded);
    let found = ACCOUNTS.iter().find(|(_, names)| has(names));
    found.map(|(rid, _)| *rid)
}

/// Whether an account with this RID is the same in every domain, whatever its name.
pub fn is_in_every_domain(rid: u32) -> bool {
    rid < FIRST_OF_ADMINISTRATORS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_every_domain_are_found_by_each_name() {
        for (rid, names) in ACCOUNTS {
            assert!(is_in_every_domain(*rid));
            for name in *names {
                assert_eq!(rid_of(name), Some(*rid), "{name}");
                assert_eq!(rid_of(&name.to_uppercase()), Some(*rid), "{name}");
            }
        }
        assert_eq!(rid_of("Helpdesk"), None);
        assert_eq!(rid_of("Domain Admins 2"), None);
        assert!(!is_in_every_domain(1000));
    }
}
