//! The keywords of SDDL [MS-DTYP 2.5.1.1].

use crate::model::security_descriptor::{ace_flag, ace_type};

/// Types of entries.
pub(super) const ACE_TYPES: &[(u8, &str)] = &[
    (ace_type::ACCESS_ALLOWED, "A"),
    (ace_type::ACCESS_DENIED, "D"),
    (ace_type::SYSTEM_AUDIT, "AU"),
    (ace_type::SYSTEM_ALARM, "AL"),
    (ace_type::ACCESS_ALLOWED_OBJECT, "OA"),
    (ace_type::ACCESS_DENIED_OBJECT, "OD"),
    (ace_type::SYSTEM_AUDIT_OBJECT, "OU"),
    (ace_type::SYSTEM_ALARM_OBJECT, "OL"),
    (ace_type::ACCESS_ALLOWED_CALLBACK, "XA"),
    (ace_type::ACCESS_DENIED_CALLBACK, "XD"),
    (ace_type::ACCESS_ALLOWED_CALLBACK_OBJECT, "ZA"),
    (ace_type::SYSTEM_AUDIT_CALLBACK, "XU"),
    (ace_type::SYSTEM_MANDATORY_LABEL, "ML"),
    (ace_type::SYSTEM_RESOURCE_ATTRIBUTE, "RA"),
    (ace_type::SYSTEM_SCOPED_POLICY_ID, "SP"),
];

/// Flags of entries.
pub(super) const ACE_FLAGS: &[(u8, &str)] = &[
    (ace_flag::OBJECT_INHERIT, "OI"),
    (ace_flag::CONTAINER_INHERIT, "CI"),
    (ace_flag::NO_PROPAGATE_INHERIT, "NP"),
    (ace_flag::INHERIT_ONLY, "IO"),
    (ace_flag::INHERITED, "ID"),
    (ace_flag::SUCCESSFUL_ACCESS, "SA"),
    (ace_flag::FAILED_ACCESS, "FA"),
];

/// Rights of one bit: of a directory object, standard, generic.
pub(super) const RIGHTS: &[(u32, &str)] = &[
    (0x0000_0001, "CC"),
    (0x0000_0002, "DC"),
    (0x0000_0004, "LC"),
    (0x0000_0008, "SW"),
    (0x0000_0010, "RP"),
    (0x0000_0020, "WP"),
    (0x0000_0040, "DT"),
    (0x0000_0080, "LO"),
    (0x0000_0100, "CR"),
    (0x0001_0000, "SD"),
    (0x0002_0000, "RC"),
    (0x0004_0000, "WD"),
    (0x0008_0000, "WO"),
    (0x1000_0000, "GA"),
    (0x2000_0000, "GX"),
    (0x4000_0000, "GW"),
    (0x8000_0000, "GR"),
];

/// Combined rights of files and of registry keys. Those of registry keys are parsed, but written as single rights.
pub(super) const COMBINED_RIGHTS: &[(u32, &str)] = &[
    (0x001F_01FF, "FA"),
    (0x0012_0089, "FR"),
    (0x0012_0116, "FW"),
    (0x0012_00A0, "FX"),
    (0x000F_003F, "KA"),
    (0x0002_0019, "KR"),
    (0x0002_0006, "KW"),
    (0x0002_0019, "KX"),
];

/// The policy bits of a mandatory label.
pub(super) const LABEL_RIGHTS: &[(u32, &str)] = &[(1, "NW"), (2, "NR"), (4, "NX")];

/// Aliases of principals that are the same in every domain.
pub(super) const WELL_KNOWN: &[(&str, &str)] = &[
    ("WD", "S-1-1-0"),
    ("CO", "S-1-3-0"),
    ("CG", "S-1-3-1"),
    ("OW", "S-1-3-4"),
    ("NU", "S-1-5-2"),
    ("IU", "S-1-5-4"),
    ("SU", "S-1-5-6"),
    ("AN", "S-1-5-7"),
    ("ED", "S-1-5-9"),
    ("PS", "S-1-5-10"),
    ("AU", "S-1-5-11"),
    ("RC", "S-1-5-12"),
    ("SY", "S-1-5-18"),
    ("LS", "S-1-5-19"),
    ("NS", "S-1-5-20"),
    ("WR", "S-1-5-33"),
    ("BA", "S-1-5-32-544"),
    ("BU", "S-1-5-32-545"),
    ("BG", "S-1-5-32-546"),
    ("PU", "S-1-5-32-547"),
    ("AO", "S-1-5-32-548"),
    ("SO", "S-1-5-32-549"),
    ("PO", "S-1-5-32-550"),
    ("BO", "S-1-5-32-551"),
    ("RE", "S-1-5-32-552"),
    ("RU", "S-1-5-32-554"),
    ("RD", "S-1-5-32-555"),
    ("NO", "S-1-5-32-556"),
    ("MU", "S-1-5-32-558"),
    ("LU", "S-1-5-32-559"),
    ("IS", "S-1-5-32-568"),
    ("CY", "S-1-5-32-569"),
    ("ER", "S-1-5-32-573"),
    ("CD", "S-1-5-32-574"),
    ("RA", "S-1-5-32-575"),
    ("ES", "S-1-5-32-576"),
    ("MS", "S-1-5-32-577"),
    ("HA", "S-1-5-32-578"),
    ("AA", "S-1-5-32-579"),
    ("RM", "S-1-5-32-580"),
    ("AC", "S-1-15-2-1"),
    ("LW", "S-1-16-4096"),
    ("ME", "S-1-16-8192"),
    ("MP", "S-1-16-8448"),
    ("HI", "S-1-16-12288"),
    ("SI", "S-1-16-16384"),
    ("AS", "S-1-18-1"),
    ("SS", "S-1-18-2"),
    ("UD", "S-1-5-84-0-0-0-0-0"),
];

/// Aliases of accounts of a domain, with their relative identifiers.
pub(super) const DOMAIN_RELATIVE: &[(&str, u32)] = &[
    ("RO", 498),
    ("LA", 500),
    ("LG", 501),
    ("DA", 512),
    ("DU", 513),
    ("DG", 514),
    ("DC", 515),
    ("DD", 516),
    ("CA", 517),
    ("SA", 518),
    ("EA", 519),
    ("PA", 520),
    ("CN", 522),
    ("AP", 525),
    ("KA", 526),
    ("EK", 527),
    ("RS", 553),
];

/// The aliases among them that are accounts of the forest's root domain.
pub(super) const OF_ROOT_DOMAIN: &[&str] = &["EA", "SA", "RO", "EK"];
