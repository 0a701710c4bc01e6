//! The security options of the editor that are registry values: their names, units and choices as Windows registers them
//! (`sceregvl.inf`) [MS-GPSB 2.2.5].

mod network;

use super::Kind;

/// A registry value that the editor shows as a security option.
pub(super) struct SecurityOption {
    path: &'static str,
    /// Its category in the editor.
    pub(super) category: &'static str,
    /// Its name in the editor.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

const fn option(path: &'static str, name: &'static str, kind: Kind) -> SecurityOption {
    SecurityOption {
        path,
        category: "Local Policies/Security Options",
        name,
        kind,
    }
}

const fn password(path: &'static str, name: &'static str, kind: Kind) -> SecurityOption {
    SecurityOption {
        path,
        category: "Account Policies/Password Policy",
        name,
        kind,
    }
}

const OPTIONS: &[SecurityOption] = &[
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\NoConnectedUser",
        "Accounts: Block Microsoft accounts",
        Kind::Choice(&[
            (0, "This policy is disabled"),
            (1, "Users can't add Microsoft accounts"),
            (3, "Users can't add or log on with Microsoft accounts"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\LimitBlankPasswordUse",
        "Accounts: Limit local account use of blank passwords to console logon only",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\AuditBaseObjects",
        "Audit: Audit the access of global system objects",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\FullPrivilegeAuditing",
        "Audit: Audit the use of Backup and Restore privilege",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\SCENoApplyLegacyAuditPolicy",
        "Audit: Force audit policy subcategory settings (Windows Vista or later) to override audit policy category settings",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\CrashOnAuditFail",
        "Audit: Shut down system immediately if unable to log security audits",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Policies\Microsoft\Windows NT\DCOM\MachineAccessRestriction",
        "DCOM: Machine Access Restrictions in Security Descriptor Definition Language (SDDL) syntax",
        Kind::Sddl,
    ),
    option(
        r"MACHINE\Software\Policies\Microsoft\Windows NT\DCOM\MachineLaunchRestriction",
        "DCOM: Machine Launch Restrictions in Security Descriptor Definition Language (SDDL) syntax",
        Kind::Sddl,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\UndockWithoutLogon",
        "Devices: Allow undock without having to log on",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows NT\CurrentVersion\Winlogon\AllocateDASD",
        "Devices: Allowed to format and eject removable media",
        Kind::Choice(&[
            (0, "Administrators"),
            (1, "Administrators and Power Users"),
            (2, "Administrators and Interactive Users"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Print\Providers\LanMan Print Services\Servers\AddPrinterDrivers",
        "Devices: Prevent users from installing printer drivers",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows NT\CurrentVersion\Winlogon\AllocateCDRoms",
        "Devices: Restrict CD-ROM access to locally logged-on user only",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows NT\CurrentVersion\Winlogon\AllocateFloppies",
        "Devices: Restrict floppy access to locally logged-on user only",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\SAM\ComputerAccountReuseAllowList",
        "Domain controller: Allow computer account re-use during domain join",
        Kind::Sddl,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\SubmitControl",
        "Domain controller: Allow server operators to schedule tasks",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\VulnerableChannelAllowList",
        "Domain controller: Allow vulnerable Netlogon secure channel connections",
        Kind::Sddl,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\NTDS\Parameters\LdapEnforceChannelBinding",
        "Domain controller: LDAP server channel binding token requirements",
        Kind::Choice(&[(0, "Never"), (1, "When Supported"), (2, "Always")]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\NTDS\Parameters\LDAPServerIntegrity",
        "Domain controller: LDAP server signing requirements",
        Kind::Choice(&[(1, "None"), (2, "Require signing")]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\RefusePasswordChange",
        "Domain controller: Refuse machine account password changes",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\RequireSignOrSeal",
        "Domain member: Digitally encrypt or sign secure channel data (always)",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\SealSecureChannel",
        "Domain member: Digitally encrypt secure channel data (when possible)",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\SignSecureChannel",
        "Domain member: Digitally sign secure channel data (when possible)",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\DisablePasswordChange",
        "Domain member: Disable machine account password changes",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\MaximumPasswordAge",
        "Domain member: Maximum machine account password age",
        Kind::Number("days"),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\RequireStrongKey",
        "Domain member: Require strong (Windows 2000 or later) session key",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\DontDisplayLockedUserId",
        "Interactive logon: Display user information when the session is locked",
        Kind::Choice(&[
            (1, "User display name, domain and user names"),
            (2, "User display name only"),
            (3, "Do not display user information"),
            (4, "Domain and user names only"),
        ]),
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\DisableCAD",
        "Interactive logon: Do not require CTRL+ALT+DEL",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\DontDisplayLastUserName",
        "Interactive logon: Don't display last signed-in",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\DontDisplayUserName",
        "Interactive logon: Don't display username at sign-in",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\MaxDevicePasswordFailedAttempts",
        "Interactive logon: Machine account lockout threshold",
        Kind::Number("invalid logon attempts"),
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\InactivityTimeoutSecs",
        "Interactive logon: Machine inactivity limit",
        Kind::Number("seconds"),
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\LegalNoticeText",
        "Interactive logon: Message text for users attempting to log on",
        Kind::Text,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\LegalNoticeCaption",
        "Interactive logon: Message title for users attempting to log on",
        Kind::Text,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows NT\CurrentVersion\Winlogon\CachedLogonsCount",
        "Interactive logon: Number of previous logons to cache (in case domain controller is not available)",
        Kind::Number("logons"),
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows NT\CurrentVersion\Winlogon\PasswordExpiryWarning",
        "Interactive logon: Prompt user to change password before expiration",
        Kind::Number("days"),
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows NT\CurrentVersion\Winlogon\ForceUnlockLogon",
        "Interactive logon: Require Domain Controller authentication to unlock workstation",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\ScForceOption",
        "Interactive logon: Require Windows Hello for Business or smart card",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows NT\CurrentVersion\Winlogon\ScRemoveOption",
        "Interactive logon: Smart card removal behavior",
        Kind::Choice(&[
            (0, "No Action"),
            (1, "Lock Workstation"),
            (2, "Force Logoff"),
            (3, "Disconnect if a Remote Desktop Services session"),
        ]),
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows NT\CurrentVersion\Setup\RecoveryConsole\SecurityLevel",
        "Recovery console: Allow automatic administrative logon",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows NT\CurrentVersion\Setup\RecoveryConsole\SetCommand",
        "Recovery console: Allow floppy copy and access to all drives and all folders",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\ShutdownWithoutLogon",
        "Shutdown: Allow system to be shut down without having to log on",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Session Manager\Memory Management\ClearPageFileAtShutdown",
        "Shutdown: Clear virtual memory pagefile",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Policies\Microsoft\Cryptography\ForceKeyProtection",
        "System cryptography: Force strong key protection for user keys stored on the computer",
        Kind::Choice(&[
            (
                0,
                "User input is not required when new keys are stored and used",
            ),
            (1, "User is prompted when the key is first used"),
            (2, "User must enter a password each time they use a key"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\FIPSAlgorithmPolicy\Enabled",
        "System cryptography: Use FIPS compliant algorithms for encryption, hashing, and signing",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\FIPSAlgorithmPolicy",
        "System cryptography: Use FIPS compliant algorithms for encryption, hashing, and signing",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\NoDefaultAdminOwner",
        "System objects: Default owner for objects created by members of the Administrators group",
        Kind::Choice(&[(0, "Administrators group"), (1, "Object creator")]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Session Manager\Kernel\ObCaseInsensitive",
        "System objects: Require case insensitivity for non-Windows subsystems",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Session Manager\ProtectionMode",
        "System objects: Strengthen default permissions of internal system objects (e.g. Symbolic Links)",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Session Manager\SubSystems\optional",
        "System settings: Optional subsystems",
        Kind::Text,
    ),
    option(
        r"MACHINE\Software\Policies\Microsoft\Windows\Safer\CodeIdentifiers\AuthenticodeEnabled",
        "System settings: Use Certificate Rules on Windows Executables for Software Restriction Policies",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\FilterAdministratorToken",
        "User Account Control: Admin Approval Mode for the Built-in Administrator account",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\EnableUIADesktopToggle",
        "User Account Control: Allow UIAccess applications to prompt for elevation without using the secure desktop",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\ConsentPromptBehaviorAdmin",
        "User Account Control: Behavior of the elevation prompt for administrators in Admin Approval Mode",
        Kind::Choice(&[
            (0, "Elevate without prompting"),
            (1, "Prompt for credentials on the secure desktop"),
            (2, "Prompt for consent on the secure desktop"),
            (3, "Prompt for credentials"),
            (4, "Prompt for consent"),
            (5, "Prompt for consent for non-Windows binaries"),
        ]),
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\ConsentPromptBehaviorUser",
        "User Account Control: Behavior of the elevation prompt for standard users",
        Kind::Choice(&[
            (0, "Automatically deny elevation requests"),
            (1, "Prompt for credentials on the secure desktop"),
            (3, "Prompt for credentials"),
        ]),
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\EnableInstallerDetection",
        "User Account Control: Detect application installations and prompt for elevation",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\ValidateAdminCodeSignatures",
        "User Account Control: Only elevate executables that are signed and validated",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\EnableSecureUIAPaths",
        "User Account Control: Only elevate UIAccess applications that are installed in secure locations",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\EnableLUA",
        "User Account Control: Run all administrators in Admin Approval Mode",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\PromptOnSecureDesktop",
        "User Account Control: Switch to the secure desktop when prompting for elevation",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\EnableVirtualization",
        "User Account Control: Virtualize file and registry write failures to per-user locations",
        Kind::Flag,
    ),
    password(
        r"MACHINE\System\CurrentControlSet\Control\SAM\MinimumPasswordLengthAudit",
        "Minimum password length audit",
        Kind::Number("characters"),
    ),
    password(
        r"MACHINE\System\CurrentControlSet\Control\SAM\RelaxMinimumPasswordLengthLimits",
        "Relax minimum password length limits",
        Kind::Flag,
    ),
];

/// The security option with this key and value name.
pub(super) fn find(path: &str) -> Option<&'static SecurityOption> {
    OPTIONS
        .iter()
        .chain(network::OPTIONS)
        .find(|option| option.path.eq_ignore_ascii_case(path))
}
