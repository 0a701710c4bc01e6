//! The security options of the network: the Microsoft network client and server, access, and authentication.

use super::{Kind, SecurityOption, option};

pub(super) const OPTIONS: &[SecurityOption] = &[
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
];
