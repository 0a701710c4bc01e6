//! Rules about values that weaken authentication, remote access, logs, updates or application control.

use super::super::super::RiskKind;
use super::super::{Key, When};
use super::{Group, MACHINE};

use Key::{At, Below, Between, Within};
use RiskKind::{
    Credentials, LoggingOff, OpenPermission, ProtectionOff, Proxy, RemoteControl,
    TrustedCertificate,
};
use When::{Any, Below as Less, Is, NotText, On};

/// The rules, by kind.
pub(super) const GROUPS: &[Group] = &[
    // T1557, Adversary-in-the-Middle; T1187; T1550: signing and encryption of LDAP, SMB, RPC and the secure channel
    Group(
        MACHINE,
        Credentials,
        Is(0),
        &[
            (At(r"\services\ldap"), &["ldapclientintegrity"]),
            (
                At(r"\services\ntds\parameters"),
                &["ldapenforcechannelbinding"],
            ),
            (
                At(r"\netlogon\parameters"),
                &[
                    "requiresignorseal",
                    "requirestrongkey",
                    "fullsecurechannelprotection",
                ],
            ),
            (At(r"\control\lsa"), &["restrictanonymous"]),
            (At(r"\lanmanserver\parameters"), &["restrictnullsessaccess"]),
            (At(r"\terminal services"), &["fencryptrpctraffic"]),
            (
                At(r"\policies\microsoft services\admpwd"),
                &["admpwdenabled"],
            ),
            (At(r"\policies\laps"), &["backupdirectory"]),
            (At(r"\windows nt\rpc"), &["restrictremoteclients"]),
        ],
    ),
    Group(
        MACHINE,
        Credentials,
        On,
        &[
            (At(r"\control\lsa"), &["forceguest"]),
            (At(r"\lanmanworkstation"), &["allowinsecureguestauth"]),
            (
                At(r"\lanmanworkstation\parameters"),
                &["allowinsecureguestauth"],
            ),
            (At(r"\lanmanserver\parameters"), &["smb1"]),
            (
                Within(r"\windows\winrm"),
                &[
                    "allowunencryptedtraffic",
                    "allowbasic",
                    "allowcredssp",
                    "allowdigest",
                ],
            ),
            (At(r"\windows nt\dnsclient"), &["enablemulticast"]),
            (At(r"\windows\system"), &["allowdomainpinlogon"]),
            (
                At(r"\windows\credentialsdelegation"),
                &[
                    "allowdefaultcredentials",
                    "allowdefcredentialswhenntlmonly",
                    "allowfreshcredentials",
                    "allowfreshcredentialswhenntlmonly",
                    "allowsavedcredentials",
                    "allowsavedcredentialswhenntlmonly",
                ],
            ),
            (At(r"\currentversion\policies\system"), &["disablecad"]),
        ],
    ),
    Group(
        MACHINE,
        Credentials,
        Less(2),
        &[(At(r"\services\ntds\parameters"), &["ldapserverintegrity"])],
    ),
    Group(
        MACHINE,
        Credentials,
        NotText(&[""]),
        &[
            (At(r"\lanmanserver\parameters"), &["nullsessionshares"]),
            (Within(r"\windows\winrm"), &["trustedhostslist"]),
            (At(r"\netlogon\parameters"), &["vulnerablechannelallowlist"]),
        ],
    ),
    Group(
        None,
        Credentials,
        Any,
        &[(Between(r"\windows\credentialsdelegation\allow", ""), &[])],
    ),
    Group(
        MACHINE,
        Credentials,
        When::SwitchesOff,
        &[(At(r"\networkprovider\hardenedpaths"), &[])],
    ),
    // T1558.003, Kerberoasting: neither AES-128 nor AES-256; sessions of NTLM without 128 bits
    Group(
        MACHINE,
        Credentials,
        When::Lacks(0x18),
        &[(At(r"\kerberos\parameters"), &["supportedencryptiontypes"])],
    ),
    Group(
        MACHINE,
        Credentials,
        When::Lacks(0x2000_0000),
        &[(
            At(r"\lsa\msv1_0"),
            &["ntlmminclientsec", "ntlmminserversec"],
        )],
    ),
    // T1021.001 and .006, Remote Desktop and Windows Remote Management
    Group(
        None,
        RemoteControl,
        Is(0),
        &[
            (
                At(r"\terminal services"),
                &["fdenytsconnections", "securitylayer"],
            ),
            (At(r"\control\terminal server"), &["fdenytsconnections"]),
        ],
    ),
    Group(
        None,
        RemoteControl,
        On,
        &[
            (At(r"\terminal services"), &["fallowtogethelp"]),
            (At(r"\winrm\service"), &["allowautoconfig"]),
            (At(r"\winrm\service\winrs"), &["allowremoteshellaccess"]),
        ],
    ),
    // T1068, PrintNightmare: printers and their drivers
    Group(
        MACHINE,
        ProtectionOff,
        On,
        &[
            (At(r"\printers\pointandprint"), &["updatepromptsettings"]),
            (
                At(r"\windows nt\printers"),
                &["registerspoolerremoterpcendpoint"],
            ),
        ],
    ),
    Group(
        MACHINE,
        ProtectionOff,
        Is(0),
        &[
            (At(r"\printers\pointandprint"), &["trustedservers"]),
            (
                At(r"\printers\packagepointandprint"),
                &["packagepointandprintonly"],
            ),
            // T1548.002, Bypass User Account Control
            (
                At(r"\currentversion\policies\system"),
                &["promptonsecuredesktop", "filteradministratortoken"],
            ),
            // T1562.001: virtualization-based security, the list of vulnerable drivers
            (
                At(r"\control\deviceguard"),
                &["enablevirtualizationbasedsecurity"],
            ),
            (Below(r"\deviceguard\scenarios"), &["enabled"]),
            (
                At(r"\control\ci\config"),
                &["vulnerabledriverblocklistenable"],
            ),
            (
                At(r"\control\ci\policy"),
                &["verifiedandreputablepolicystate"],
            ),
        ],
    ),
    Group(
        MACHINE,
        ProtectionOff,
        When::NoneOf(&[1, 2, 3, 4, 5]),
        &[(
            At(r"\currentversion\policies\system"),
            &["consentpromptbehavioradmin"],
        )],
    ),
    // T1562.001, Disable or Modify Tools
    Group(
        None,
        ProtectionOff,
        Is(0),
        &[
            (
                At(r"\windows defender"),
                &["puaprotection", "disablelocaladminmerge"],
            ),
            (At(r"\windows defender\mpengine"), &["mpcloudblocklevel"]),
        ],
    ),
    Group(
        None,
        ProtectionOff,
        On,
        &[
            (
                At(r"\windows defender\real-time protection"),
                &[
                    "disableintrusionpreventionsystem",
                    "disablerawwritenotification",
                ],
            ),
            (
                At(r"\windows defender\scan"),
                &[
                    "disablearchivescanning",
                    "disableemailscanning",
                    "disableheuristics",
                    "disableremovabledrivescanning",
                ],
            ),
            (
                At(r"\windows advanced threat protection"),
                &["forcedefenderpassivemode"],
            ),
            // T1072 and T1195: updates
            (At(r"\windows\windowsupdate\au"), &["noautoupdate"]),
            (
                At(r"\windows\windowsupdate"),
                &["disablewindowsupdateaccess", "accepttrustedpublishercerts"],
            ),
            (
                At(r"\policies\microsoft\windows\installer"),
                &["enableusercontrol", "safeforscripting"],
            ),
        ],
    ),
    Group(
        None,
        ProtectionOff,
        NotText(&["block"]),
        &[(
            At(r"\policies\microsoft\windows\system"),
            &["shellsmartscreenlevel"],
        )],
    ),
    // T1137 and T1204.002: macros of Office, and where they are trusted
    Group(
        None,
        ProtectionOff,
        Is(1),
        &[(
            Between(r"\microsoft\office\", r"\security"),
            &["vbawarnings"],
        )],
    ),
    Group(
        None,
        ProtectionOff,
        On,
        &[
            (
                Between(r"\microsoft\office\", r"\security"),
                &["accessvbom"],
            ),
            (
                Between(r"\microsoft\office\", r"\security\trusted locations"),
                &["allownetworklocations"],
            ),
        ],
    ),
    Group(
        None,
        ProtectionOff,
        Any,
        &[(Between(r"\security\trusted locations\", ""), &["path"])],
    ),
    Group(
        None,
        ProtectionOff,
        Is(0),
        &[(
            Between(r"\microsoft\office\", r"\security"),
            &["blockcontentexecutionfrominternet"],
        )],
    ),
    // T1562.002, Disable Windows Event Logging; T1070.001
    Group(
        MACHINE,
        LoggingOff,
        Is(0),
        &[(Below(r"\wmi\autologger"), &["start"])],
    ),
    Group(
        MACHINE,
        LoggingOff,
        Any,
        &[(Below(r"\services\eventlog"), &["file"])],
    ),
    Group(
        MACHINE,
        LoggingOff,
        Less(1024),
        &[(Below(r"\windows\eventlog"), &["maxsize"])],
    ),
    Group(
        MACHINE,
        OpenPermission,
        When::OpensLog,
        &[
            (Below(r"\windows\eventlog"), &["channelaccess"]),
            (Below(r"\services\eventlog"), &["customsd"]),
            (Below(r"\winevt\channels"), &["channelaccess"]),
        ],
    ),
    // T1021.003, Distributed Component Object Model
    Group(
        MACHINE,
        OpenPermission,
        When::OpensLaunch,
        &[
            (At(r"\windows nt\dcom"), &["machinelaunchrestriction"]),
            (
                At(r"\microsoft\ole"),
                &["machinelaunchrestriction", "defaultlaunchpermission"],
            ),
        ],
    ),
    Group(
        MACHINE,
        OpenPermission,
        When::OpensKey,
        &[(At(r"\control\lsa"), &["restrictremotesam"])],
    ),
    // T1553.004, Install Root Certificate
    Group(
        None,
        TrustedCertificate,
        Any,
        &[
            (
                Within(r"\enterprisecertificates\root\certificates"),
                &["blob"],
            ),
            (
                Within(r"\enterprisecertificates\ntauth\certificates"),
                &["blob"],
            ),
            (
                Within(r"\enterprisecertificates\trustedpublisher\certificates"),
                &["blob"],
            ),
            (
                Within(r"\systemcertificates\fve_nkp\certificates"),
                &["blob"],
            ),
            (Within(r"\systemcertificates\trust\ctls"), &["blob"]),
            (
                Within(r"\systemcertificates\enterprisetrust\ctls"),
                &["blob"],
            ),
            (At(r"\mozilla\firefox\certificates\install"), &[]),
        ],
    ),
    Group(
        None,
        TrustedCertificate,
        NotText(&[""]),
        &[(At(r"\systemcertificates\root\certificates"), &[])],
    ),
    // T1090 and T1557: where traffic goes
    Group(
        None,
        Proxy,
        NotText(&[""]),
        &[
            (
                At(r"\currentversion\internet settings"),
                &["proxyserver", "autoconfigurl"],
            ),
            (
                Between(r"\software\policies\", ""),
                &["proxysettings", "proxypacurl"],
            ),
            (At(r"\policies\google\chrome"), &["proxyserver"]),
            (At(r"\policies\microsoft\edge"), &["proxyserver"]),
        ],
    ),
    // T1556, Modify Authentication Process; T1649, certificates; T1557: domain controllers that accept what is outdated
    Group(
        MACHINE,
        Credentials,
        On,
        &[
            (At(r"\control\lsa"), &["dsrmadminlogonbehavior"]),
            (
                At(r"\netlogon\parameters"),
                &[
                    "allownt4crypto",
                    "refusepasswordchange",
                    "disablepasswordchange",
                ],
            ),
            (At(r"\currentversion\winlogon"), &["forceautologon"]),
        ],
    ),
    Group(
        MACHINE,
        Credentials,
        Is(0),
        &[
            (
                At(r"\netlogon\parameters"),
                &["sealsecurechannel", "signsecurechannel"],
            ),
            (Below(r"\internet settings\zones"), &["1a00"]),
        ],
    ),
    Group(
        MACHINE,
        Credentials,
        Less(2),
        &[(
            At(r"\services\kdc"),
            &["strongcertificatebindingenforcement"],
        )],
    ),
    Group(
        MACHINE,
        Credentials,
        Less(3),
        &[(At(r"\services\kdc"), &["krbtgtfullpacsignature"])],
    ),
    Group(
        MACHINE,
        Credentials,
        Any,
        &[(Within(r"\certsvc\configuration"), &["editflags"])],
    ),
    // T1021.006, Windows Remote Management; T1219, Remote Assistance that nobody asked for
    Group(
        MACHINE,
        RemoteControl,
        When::OpensKey,
        &[(At(r"\wsman\service"), &["rootsddl"])],
    ),
    Group(
        MACHINE,
        RemoteControl,
        Any,
        &[
            (Within(r"\terminal services"), &["raunsolicit"]),
            (At(r"\terminal services\raunsolicit"), &[]),
        ],
    ),
    // T1584.002, T1557: which servers answer for names
    Group(
        MACHINE,
        Proxy,
        NotText(&[""]),
        &[(
            Within(r"\dnspolicyconfig"),
            &["genericdnsservers", "directaccessdnsservers"],
        )],
    ),
    Group(
        None,
        Proxy,
        NotText(&["", "direct", "system", "auto_detect"]),
        &[(Between(r"\software\policies\", ""), &["proxymode"])],
    ),
    // T1562.001, Disable or Modify Tools; T1553.005, Mark-of-the-Web Bypass
    Group(
        None,
        ProtectionOff,
        NotText(&[""]),
        &[(At(r"\policies\associations"), &["lowriskfiletypes"])],
    ),
    Group(
        None,
        ProtectionOff,
        Is(0),
        &[(Below(r"\internet settings\zones"), &["1201"])],
    ),
    Group(
        MACHINE,
        ProtectionOff,
        When::NoneOf(&[1, 5]),
        &[(At(r"\windows defender\features"), &["tamperprotection"])],
    ),
    Group(
        MACHINE,
        ProtectionOff,
        On,
        &[(At(r"\microsoft\amsi"), &["featurebits"])],
    ),
    Group(
        MACHINE,
        ProtectionOff,
        Is(7),
        &[(At(r"\policies\earlylaunch"), &["driverloadpolicy"])],
    ),
];
