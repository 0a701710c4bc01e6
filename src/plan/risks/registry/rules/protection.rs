//! The rules about what protects a computer: malware protection, firewall, certificates, application control, remote control, logs.

use super::super::super::RiskKind;
use super::super::{Hive, Key, Rule, When};

use Key::{At, Below, Within};
use RiskKind::{FirewallRule, LoggingOff, ProtectionOff, RemoteControl, TrustedCertificate};
use When::{Any, Is, NoneOf, On};

const MACHINE: Option<Hive> = Some(Hive::Machine);

/// The rules. Keys and names in lower case; `currentcontrolset` stands for every control set.
pub(super) const RULES: &[Rule] = &[
    // T1562.004, Disable or Modify System Firewall: what lets anybody in
    Rule(
        None,
        At(r"\firewallrules"),
        &[],
        When::OpensPort,
        FirewallRule,
    ),
    Rule(
        None,
        At(r"\globallyopenports\list"),
        &[],
        When::OpensListedPort,
        FirewallRule,
    ),
    Rule(
        None,
        At(r"\authorizedapplications\list"),
        &[],
        When::OpensListedPort,
        FirewallRule,
    ),
    Rule(
        None,
        At(r"profile\remoteadminsettings"),
        &["enabled"],
        On,
        FirewallRule,
    ),
    Rule(
        None,
        At(r"profile\services\remotedesktop"),
        &["enabled"],
        On,
        FirewallRule,
    ),
    Rule(
        None,
        At(r"profile\services\fileandprint"),
        &["enabled"],
        On,
        FirewallRule,
    ),
    // T1553.004, Install Root Certificate
    Rule(
        None,
        Below(r"\systemcertificates\root\certificates"),
        &["blob"],
        Any,
        TrustedCertificate,
    ),
    Rule(
        None,
        Below(r"\systemcertificates\authroot\certificates"),
        &["blob"],
        Any,
        TrustedCertificate,
    ),
    Rule(
        None,
        Below(r"\systemcertificates\trustedpeople\certificates"),
        &["blob"],
        Any,
        TrustedCertificate,
    ),
    Rule(
        None,
        Below(r"\systemcertificates\trustedpublisher\certificates"),
        &["blob"],
        Any,
        TrustedCertificate,
    ),
    // T1563.002, RDP Hijacking: a session that is watched or controlled without the consent of its user; help that nobody asked for
    Rule(
        None,
        At(r"\terminal services"),
        &["shadow"],
        NoneOf(&[0, 1, 3]),
        RemoteControl,
    ),
    Rule(
        None,
        At(r"\terminal services"),
        &["fallowunsolicited"],
        On,
        RemoteControl,
    ),
    // T1021.001, Remote Desktop Protocol: without authentication before the session
    Rule(
        None,
        At(r"\terminal services"),
        &["userauthentication"],
        Is(0),
        RemoteControl,
    ),
    Rule(
        MACHINE,
        At(r"\winstations\rdp-tcp"),
        &["userauthentication", "securitylayer"],
        Is(0),
        RemoteControl,
    ),
    // T1562.001, Disable or Modify Tools: attack surface reduction that does not block (1) or warn (6), and what it overlooks
    Rule(
        None,
        At(r"\windows defender exploit guard\asr"),
        &["exploitguard_asr_rules"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows defender exploit guard\asr\rules"),
        &[],
        NoneOf(&[1, 6]),
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows defender exploit guard\asr\asronlyexclusions"),
        &[],
        Any,
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows defender exploit guard\asr\asronlyperruleexclusions"),
        &[],
        Any,
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows defender exploit guard\controlled folder access"),
        &["enablecontrolledfolderaccess"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\controlled folder access\allowedapplications"),
        &[],
        Any,
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows defender exploit guard\network protection"),
        &["enablenetworkprotection"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows defender\spynet"),
        &["spynetreporting"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows defender\spynet"),
        &["disableblockatfirstseen"],
        On,
        ProtectionOff,
    ),
    // 6 and 9 let a threat be.
    Rule(
        None,
        At(r"\windows defender\threats\threatiddefaultaction"),
        &[],
        NoneOf(&[1, 2, 3]),
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows defender\threats\threatseveritydefaultaction"),
        &[],
        NoneOf(&[1, 2, 3]),
        ProtectionOff,
    ),
    // T1562.001: application control that does not enforce, or allows everything. AppLocker (0 is audit), software restriction
    // policies (262144 is unrestricted), code integrity
    Rule(
        None,
        Below(r"\windows\srpv2"),
        &["enforcementmode"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        None,
        Within(r"\windows\srpv2"),
        &["value"],
        When::AllowsEverything,
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\safer\codeidentifiers"),
        &["defaultlevel"],
        Is(262_144),
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\safer\codeidentifiers"),
        &["transparentenabled"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        None,
        Below(r"\codeidentifiers\262144\paths"),
        &["itemdata"],
        When::EveryPath,
        ProtectionOff,
    ),
    Rule(
        MACHINE,
        At(r"\policies\microsoft\windows\deviceguard"),
        &["deployconfigcipolicy", "hypervisorenforcedcodeintegrity"],
        Is(0),
        ProtectionOff,
    ),
    // T1562.002, Disable Windows Event Logging
    Rule(
        None,
        At(r"\powershell\scriptblocklogging"),
        &["enablescriptblocklogging"],
        Is(0),
        LoggingOff,
    ),
    Rule(
        None,
        At(r"\powershell\modulelogging"),
        &["enablemodulelogging"],
        Is(0),
        LoggingOff,
    ),
    Rule(
        None,
        At(r"\powershell\transcription"),
        &["enabletranscripting"],
        Is(0),
        LoggingOff,
    ),
    Rule(
        MACHINE,
        Below(r"\windows\eventlog"),
        &["enabled"],
        Is(0),
        LoggingOff,
    ),
    Rule(
        MACHINE,
        Below(r"\winevt\channels"),
        &["enabled"],
        Is(0),
        LoggingOff,
    ),
    Rule(
        MACHINE,
        At(r"\policies\system\audit"),
        &["processcreationincludecmdline_enabled"],
        Is(0),
        LoggingOff,
    ),
    // The categories of old templates take precedence over audit.csv.
    Rule(
        MACHINE,
        At(r"\control\lsa"),
        &["scenoapplylegacyauditpolicy"],
        Is(0),
        LoggingOff,
    ),
];
