//! The security options of the editor that are registry values: their names, units and choices as Windows registers them
//! (`sceregvl.inf`) [MS-GPSB 2.2.5].

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
        r"MACHINE\System\CurrentControlSet\Services\LanmanWorkstation\Parameters\RequireSecuritySignature",
        "Microsoft network client: Digitally sign communications (always)",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanmanWorkstation\Parameters\EnableSecuritySignature",
        "Microsoft network client: Digitally sign communications (if server agrees)",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanmanWorkstation\Parameters\EnablePlainTextPassword",
        "Microsoft network client: Send unencrypted password to third-party SMB servers",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\AutoDisconnect",
        "Microsoft network server: Amount of idle time required before suspending session",
        Kind::Number("minutes"),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\EnableS4U2SelfForClaims",
        "Microsoft network server: Attempt S4U2Self to obtain claim information",
        Kind::Choice(&[(0, "Default"), (1, "Enabled"), (2, "Disabled")]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\RequireSecuritySignature",
        "Microsoft network server: Digitally sign communications (always)",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\EnableSecuritySignature",
        "Microsoft network server: Digitally sign communications (if client agrees)",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\EnableForcedLogOff",
        "Microsoft network server: Disconnect clients when logon hours expire",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\SmbServerNameHardeningLevel",
        "Microsoft network server: Server SPN target name validation level",
        Kind::Choice(&[
            (0, "Off"),
            (1, "Accept if provided by client"),
            (2, "Required from client"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\RestrictAnonymousSAM",
        "Network access: Do not allow anonymous enumeration of SAM accounts",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\RestrictAnonymous",
        "Network access: Do not allow anonymous enumeration of SAM accounts and shares",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\DisableDomainCreds",
        "Network access: Do not allow storage of passwords and credentials for network authentication",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\EveryoneIncludesAnonymous",
        "Network access: Let Everyone permissions apply to anonymous users",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\NullSessionPipes",
        "Network access: Named Pipes that can be accessed anonymously",
        Kind::Text,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\SecurePipeServers\Winreg\AllowedExactPaths\Machine",
        "Network access: Remotely accessible registry paths",
        Kind::Text,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\SecurePipeServers\Winreg\AllowedPaths\Machine",
        "Network access: Remotely accessible registry paths and sub-paths",
        Kind::Text,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\RestrictNullSessAccess",
        "Network access: Restrict anonymous access to Named Pipes and Shares",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\RestrictRemoteSAM",
        "Network access: Restrict clients allowed to make remote calls to SAM",
        Kind::Sddl,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\NullSessionShares",
        "Network access: Shares that can be accessed anonymously",
        Kind::Text,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\ForceGuest",
        "Network access: Sharing and security model for local accounts",
        Kind::Choice(&[
            (0, "Classic - local users authenticate as themselves"),
            (1, "Guest only - local users authenticate as Guest"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\UseMachineId",
        "Network security: Allow Local System to use computer identity for NTLM",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\MSV1_0\allownullsessionfallback",
        "Network security: Allow LocalSystem NULL session fallback",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\pku2u\AllowOnlineID",
        "Network security: Allow PKU2U authentication requests to this computer to use online identities.",
        Kind::Flag,
    ),
    option(
        r"MACHINE\Software\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos\Parameters\SupportedEncryptionTypes",
        "Network security: Configure encryption types allowed for Kerberos",
        Kind::Bits(&[
            (0x1, "DES_CBC_CRC"),
            (0x2, "DES_CBC_MD5"),
            (0x4, "RC4_HMAC_MD5"),
            (0x8, "AES128_HMAC_SHA1"),
            (0x10, "AES256_HMAC_SHA1"),
            (0x7fff_ffe0, "Future encryption types"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\NoLMHash",
        "Network security: Do not store LAN Manager hash value on next password change",
        Kind::Flag,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\LmCompatibilityLevel",
        "Network security: LAN Manager authentication level",
        Kind::Choice(&[
            (0, "Send LM & NTLM responses"),
            (
                1,
                "Send LM & NTLM - use NTLMv2 session security if negotiated",
            ),
            (2, "Send NTLM response only"),
            (3, "Send NTLMv2 response only"),
            (4, "Send NTLMv2 response only. Refuse LM"),
            (5, "Send NTLMv2 response only. Refuse LM & NTLM"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\LDAP\LDAPClientIntegrity",
        "Network security: LDAP client signing requirements",
        Kind::Choice(&[
            (0, "None"),
            (1, "Negotiate signing"),
            (2, "Require signing"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\MSV1_0\NTLMMinClientSec",
        "Network security: Minimum session security for NTLM SSP based (including secure RPC) clients",
        Kind::Bits(&[
            (0x0008_0000, "Require NTLMv2 session security"),
            (0x2000_0000, "Require 128-bit encryption"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\MSV1_0\NTLMMinServerSec",
        "Network security: Minimum session security for NTLM SSP based (including secure RPC) servers",
        Kind::Bits(&[
            (0x0008_0000, "Require NTLMv2 session security"),
            (0x2000_0000, "Require 128-bit encryption"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\MSV1_0\ClientAllowedNTLMServers",
        "Network security: Restrict NTLM: Add remote server exceptions for NTLM authentication",
        Kind::Text,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\DCAllowedNTLMServers",
        "Network security: Restrict NTLM: Add server exceptions in this domain",
        Kind::Text,
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\MSV1_0\AuditReceivingNTLMTraffic",
        "Network security: Restrict NTLM: Audit Incoming NTLM Traffic",
        Kind::Choice(&[
            (0, "Disable"),
            (1, "Enable auditing for domain accounts"),
            (2, "Enable auditing for all accounts"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\AuditNTLMInDomain",
        "Network security: Restrict NTLM: Audit NTLM authentication in this domain",
        Kind::Choice(&[
            (0, "Disable"),
            (1, "Enable for domain accounts to domain servers"),
            (3, "Enable for domain accounts"),
            (5, "Enable for domain servers"),
            (7, "Enable all"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\MSV1_0\RestrictReceivingNTLMTraffic",
        "Network security: Restrict NTLM: Incoming NTLM traffic",
        Kind::Choice(&[
            (0, "Allow all"),
            (1, "Deny all domain accounts"),
            (2, "Deny all accounts"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Services\Netlogon\Parameters\RestrictNTLMInDomain",
        "Network security: Restrict NTLM: NTLM authentication in this domain",
        Kind::Choice(&[
            (0, "Disable"),
            (1, "Deny for domain accounts to domain servers"),
            (3, "Deny for domain accounts"),
            (5, "Deny for domain servers"),
            (7, "Deny all"),
        ]),
    ),
    option(
        r"MACHINE\System\CurrentControlSet\Control\Lsa\MSV1_0\RestrictSendingNTLMTraffic",
        "Network security: Restrict NTLM: Outgoing NTLM traffic to remote servers",
        Kind::Choice(&[(0, "Allow all"), (1, "Audit all"), (2, "Deny all")]),
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
        .find(|option| option.path.eq_ignore_ascii_case(path))
}
