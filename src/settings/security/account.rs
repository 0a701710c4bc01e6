//! The named settings of GptTmpl.inf: account policies, audit policy, logs, and the security options that are not registry values
//! [MS-GPSB 2.2.1 to 2.2.4].

use super::Kind;
use crate::formats::ini::eq_ignore_case;

/// A setting with a key of its own.
pub(super) struct Named {
    section: &'static str,
    key: &'static str,
    /// Its category in the editor.
    pub(super) category: &'static str,
    /// Its name in the editor.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

const PASSWORD: &str = "Account Policies/Password Policy";
const LOCKOUT: &str = "Account Policies/Account Lockout Policy";
const KERBEROS: &str = "Account Policies/Kerberos Policy";
const AUDIT: &str = "Local Policies/Audit Policy";
const OPTIONS: &str = "Local Policies/Security Options";
const LOG: &str = "Event Log";

/// What `[Event Audit]` audits [MS-GPSB 2.2.4]; 4 is POLICY_AUDIT_EVENT_NONE [MS-LSAD 2.2.4.4].
const AUDITED: Kind = Kind::Choice(&[
    (0, "No auditing"),
    (1, "Success"),
    (2, "Failure"),
    (3, "Success, Failure"),
    (4, "No auditing"),
]);
const RETENTION: Kind = Kind::Choice(&[
    (0, "Overwrite events as needed"),
    (1, "Overwrite events by days"),
    (2, "Do not overwrite events (clear log manually)"),
]);

const fn named(
    section: &'static str,
    key: &'static str,
    category: &'static str,
    name: &'static str,
    kind: Kind,
) -> Named {
    Named {
        section,
        key,
        category,
        name,
        kind,
    }
}

const fn access(
    key: &'static str,
    category: &'static str,
    name: &'static str,
    kind: Kind,
) -> Named {
    named("System Access", key, category, name, kind)
}

const fn audit(key: &'static str, name: &'static str) -> Named {
    named("Event Audit", key, AUDIT, name, AUDITED)
}

const fn kerberos(key: &'static str, name: &'static str, kind: Kind) -> Named {
    named("Kerberos Policy", key, KERBEROS, name, kind)
}

/// A setting of each log: application, security, system.
const fn log(key: &'static str, names: [&'static str; 3], kind: Kind) -> [Named; 3] {
    let [application, security, system] = names;
    [
        named("Application Log", key, LOG, application, kind),
        named("Security Log", key, LOG, security, kind),
        named("System Log", key, LOG, system, kind),
    ]
}

const NAMED: &[Named] = &[
    access(
        "PasswordHistorySize",
        PASSWORD,
        "Enforce password history",
        Kind::Number("passwords remembered"),
    ),
    access(
        "MaximumPasswordAge",
        PASSWORD,
        "Maximum password age",
        Kind::NumberOr("days", -1, "passwords do not expire"),
    ),
    access(
        "MinimumPasswordAge",
        PASSWORD,
        "Minimum password age",
        Kind::Number("days"),
    ),
    access(
        "MinimumPasswordLength",
        PASSWORD,
        "Minimum password length",
        Kind::Number("characters"),
    ),
    access(
        "PasswordComplexity",
        PASSWORD,
        "Password must meet complexity requirements",
        Kind::Flag,
    ),
    access(
        "ClearTextPassword",
        PASSWORD,
        "Store passwords using reversible encryption",
        Kind::Flag,
    ),
    access(
        "LockoutDuration",
        LOCKOUT,
        "Account lockout duration",
        Kind::NumberOr("minutes", -1, "until an administrator unlocks the account"),
    ),
    access(
        "LockoutBadCount",
        LOCKOUT,
        "Account lockout threshold",
        Kind::Number("invalid logon attempts"),
    ),
    access(
        "AllowAdministratorLockout",
        LOCKOUT,
        "Allow Administrator account lockout",
        Kind::Flag,
    ),
    access(
        "ResetLockoutCount",
        LOCKOUT,
        "Reset account lockout counter after",
        Kind::Number("minutes"),
    ),
    access(
        "EnableAdminAccount",
        OPTIONS,
        "Accounts: Administrator account status",
        Kind::Flag,
    ),
    access(
        "EnableGuestAccount",
        OPTIONS,
        "Accounts: Guest account status",
        Kind::Flag,
    ),
    access(
        "NewAdministratorName",
        OPTIONS,
        "Accounts: Rename administrator account",
        Kind::Text,
    ),
    access(
        "NewGuestName",
        OPTIONS,
        "Accounts: Rename guest account",
        Kind::Text,
    ),
    access(
        "LSAAnonymousNameLookup",
        OPTIONS,
        "Network access: Allow anonymous SID/Name translation",
        Kind::Flag,
    ),
    access(
        "ForceLogoffWhenHourExpire",
        OPTIONS,
        "Network security: Force logoff when logon hours expire",
        Kind::Flag,
    ),
    access(
        "RequireLogonToChangePassword",
        OPTIONS,
        "User must log on to change the password",
        Kind::Flag,
    ),
    kerberos(
        "TicketValidateClient",
        "Enforce user logon restrictions",
        Kind::Flag,
    ),
    kerberos(
        "MaxServiceAge",
        "Maximum lifetime for service ticket",
        Kind::Number("minutes"),
    ),
    kerberos(
        "MaxTicketAge",
        "Maximum lifetime for user ticket",
        Kind::Number("hours"),
    ),
    kerberos(
        "MaxRenewAge",
        "Maximum lifetime for user ticket renewal",
        Kind::Number("days"),
    ),
    kerberos(
        "MaxClockSkew",
        "Maximum tolerance for computer clock synchronization",
        Kind::Number("minutes"),
    ),
    audit("AuditAccountLogon", "Audit account logon events"),
    audit("AuditAccountManage", "Audit account management"),
    audit("AuditDSAccess", "Audit directory service access"),
    audit("AuditLogonEvents", "Audit logon events"),
    audit("AuditObjectAccess", "Audit object access"),
    audit("AuditPolicyChange", "Audit policy change"),
    audit("AuditPrivilegeUse", "Audit privilege use"),
    audit("AuditProcessTracking", "Audit process tracking"),
    audit("AuditSystemEvents", "Audit system events"),
];

const LOGS: &[[Named; 3]] = &[
    log(
        "MaximumLogSize",
        [
            "Maximum application log size",
            "Maximum security log size",
            "Maximum system log size",
        ],
        Kind::Number("kilobytes"),
    ),
    log(
        "RestrictGuestAccess",
        [
            "Prevent local guests group from accessing application log",
            "Prevent local guests group from accessing security log",
            "Prevent local guests group from accessing system log",
        ],
        Kind::Flag,
    ),
    log(
        "RetentionDays",
        [
            "Retain application log",
            "Retain security log",
            "Retain system log",
        ],
        Kind::Number("days"),
    ),
    log(
        "AuditLogRetentionPeriod",
        [
            "Retention method for application log",
            "Retention method for security log",
            "Retention method for system log",
        ],
        RETENTION,
    ),
];

/// The setting with this key in this section.
pub(super) fn find(section: &str, key: &str) -> Option<&'static Named> {
    NAMED
        .iter()
        .chain(LOGS.iter().flatten())
        .find(|named| eq_ignore_case(named.section, section) && eq_ignore_case(named.key, key))
}
