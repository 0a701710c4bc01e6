//! The rules: which registry values run code, take protection away or expose credentials.

mod execution;
mod loaders;
mod protection;
mod weakening;

use super::super::RiskKind;
use super::{Hive, Key, Rule, When};

use Key::{At, Below, Within};
use RiskKind::{
    Autostart, ComHijack, Credentials, Environment, FileHandler, InjectedLibrary, LogonProgram,
    PowerShell, ProtectionOff, RegistryService, Software,
};
use When::{Any, Is, NotText, On};

/// Rules of one kind about several values: hive (`None`: either), kind, data, and the keys with the value names (none: every name).
struct Group(
    Option<Hive>,
    RiskKind,
    When,
    &'static [(Key, &'static [&'static str])],
);

/// Every rule.
pub(super) fn all() -> impl Iterator<Item = Rule> {
    let groups = [execution::GROUPS, loaders::GROUPS, weakening::GROUPS]
        .into_iter()
        .flatten();
    let grouped = groups.flat_map(|Group(hive, kind, when, values)| {
        let rules = values.iter();
        rules.map(|(key, names)| Rule(*hive, *key, names, *when, *kind))
    });
    RULES
        .iter()
        .chain(protection::RULES)
        .copied()
        .chain(grouped)
}

const MACHINE: Option<Hive> = Some(Hive::Machine);
const USER: Option<Hive> = Some(Hive::User);

/// The rules. Keys and names in lower case; `currentcontrolset` stands for every control set.
const RULES: &[Rule] = &[
    // T1547.001, Registry Run Keys
    Rule(
        None,
        At(r"\windows\currentversion\run"),
        &[],
        Any,
        Autostart,
    ),
    Rule(
        None,
        At(r"\windows\currentversion\runonce"),
        &[],
        Any,
        Autostart,
    ),
    Rule(
        None,
        At(r"\windows\currentversion\runonceex"),
        &[],
        Any,
        Autostart,
    ),
    Rule(
        None,
        At(r"\windows\currentversion\runservices"),
        &[],
        Any,
        Autostart,
    ),
    Rule(
        None,
        At(r"\windows\currentversion\runservicesonce"),
        &[],
        Any,
        Autostart,
    ),
    Rule(
        None,
        At(r"\currentversion\policies\explorer\run"),
        &[],
        Any,
        Autostart,
    ),
    Rule(
        None,
        At(r"\windows nt\currentversion\windows"),
        &["load", "run"],
        Any,
        Autostart,
    ),
    // T1547.001, the folders that are started from
    Rule(
        None,
        At(r"\currentversion\explorer\user shell folders"),
        &["startup", "common startup"],
        Any,
        Autostart,
    ),
    Rule(
        None,
        At(r"\currentversion\explorer\shell folders"),
        &["startup", "common startup"],
        Any,
        Autostart,
    ),
    // T1547.004, Winlogon Helper DLL
    Rule(
        None,
        At(r"\windows nt\currentversion\winlogon"),
        &[
            "userinit", "shell", "taskman", "vmapplet", "ginadll", "system",
        ],
        Any,
        LogonProgram,
    ),
    Rule(
        None,
        Below(r"\currentversion\winlogon\notify"),
        &["dllname"],
        Any,
        LogonProgram,
    ),
    Rule(
        None,
        At(r"\currentversion\policies\system"),
        &["shell"],
        Any,
        LogonProgram,
    ),
    // T1546.010 AppInit DLLs, T1546.009 AppCert DLLs
    Rule(
        None,
        At(r"\windows nt\currentversion\windows"),
        &["appinit_dlls"],
        NotText(&[""]),
        InjectedLibrary,
    ),
    Rule(
        None,
        At(r"\windows nt\currentversion\windows"),
        &["loadappinit_dlls"],
        On,
        InjectedLibrary,
    ),
    Rule(
        MACHINE,
        At(r"\control\session manager\appcertdlls"),
        &[],
        Any,
        InjectedLibrary,
    ),
    // T1543.003, Windows Service
    Rule(
        MACHINE,
        Below(r"\currentcontrolset\services"),
        &["imagepath", "failurecommand", "objectname", "start"],
        Any,
        RegistryService,
    ),
    Rule(
        MACHINE,
        At(r"\parameters"),
        &["servicedll"],
        Any,
        RegistryService,
    ),
    // T1546.015, Component Object Model Hijacking
    Rule(USER, At(r"\inprocserver32"), &[], Any, ComHijack),
    Rule(USER, At(r"\localserver32"), &[], Any, ComHijack),
    Rule(USER, At(r"\treatas"), &[], Any, ComHijack),
    // T1562.001, Disable or Modify Tools
    Rule(
        None,
        At(r"\windows defender"),
        &[
            "disableantispyware",
            "disableantivirus",
            "disableroutinelytakingaction",
        ],
        On,
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows defender\real-time protection"),
        &[
            "disablerealtimemonitoring",
            "disablebehaviormonitoring",
            "disableonaccessprotection",
            "disableioavprotection",
            "disablescriptscanning",
            "disablescanonrealtimeenable",
        ],
        On,
        ProtectionOff,
    ),
    Rule(
        None,
        Below(r"\windows defender\exclusions"),
        &[],
        Any,
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\windows script\settings"),
        &["amsienable"],
        Is(0),
        ProtectionOff,
    ),
    // T1562.004, Disable or Modify System Firewall
    Rule(
        MACHINE,
        Below(r"\windowsfirewall"),
        &["enablefirewall"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        MACHINE,
        Below(r"\sharedaccess\parameters\firewallpolicy"),
        &["enablefirewall"],
        Is(0),
        ProtectionOff,
    ),
    // T1548.002, Bypass User Account Control; T1548, installers that run as SYSTEM
    Rule(
        MACHINE,
        At(r"\currentversion\policies\system"),
        &["enablelua", "consentpromptbehavioradmin"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        MACHINE,
        At(r"\currentversion\policies\system"),
        &["localaccounttokenfilterpolicy"],
        On,
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\policies\microsoft\windows\installer"),
        &["alwaysinstallelevated"],
        On,
        ProtectionOff,
    ),
    // T1003.001, LSASS Memory; T1550.002, Pass the Hash; T1557, relaying
    Rule(
        MACHINE,
        At(r"\control\securityproviders\wdigest"),
        &["uselogoncredential"],
        On,
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\control\lsa"),
        &[
            "runasppl",
            "nolmhash",
            "limitblankpassworduse",
            "disablerestrictedadmin",
            "restrictanonymoussam",
        ],
        Is(0),
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\control\lsa"),
        &["everyoneincludesanonymous"],
        On,
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\control\lsa"),
        &["lmcompatibilitylevel"],
        When::Below(3),
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\credssp\parameters"),
        &["allowencryptionoracle"],
        Is(2),
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\lanmanserver\parameters"),
        &["requiresecuritysignature", "enablesecuritysignature"],
        Is(0),
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\lanmanworkstation\parameters"),
        &["requiresecuritysignature", "enablesecuritysignature"],
        Is(0),
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\lanmanworkstation\parameters"),
        &["enableplaintextpassword"],
        On,
        Credentials,
    ),
    // T1547.002 Authentication Package, T1547.005 Security Support Provider, T1556.002 Password Filter DLL
    Rule(
        MACHINE,
        At(r"\control\lsa"),
        &[
            "authentication packages",
            "security packages",
            "notification packages",
        ],
        Any,
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\control\lsa\osconfig"),
        &["security packages"],
        Any,
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\control\securityproviders"),
        &["securityproviders"],
        Any,
        Credentials,
    ),
    // T1552.002, Credentials in Registry
    Rule(
        MACHINE,
        At(r"\currentversion\winlogon"),
        &["autoadminlogon"],
        On,
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\currentversion\winlogon"),
        &["defaultpassword"],
        Any,
        Credentials,
    ),
    // T1059.001, PowerShell
    Rule(
        None,
        At(r"\windows\powershell"),
        &["executionpolicy"],
        NotText(&["allsigned", "restricted"]),
        PowerShell,
    ),
    // T1037.001, Logon Script; T1547.014, Active Setup; T1546.002, Screensaver; AutoRun of cmd.exe
    Rule(
        USER,
        At(r"\environment"),
        &["userinitmprlogonscript"],
        Any,
        LogonProgram,
    ),
    Rule(
        None,
        Within(r"\windows\system\scripts"),
        &["script"],
        Any,
        LogonProgram,
    ),
    Rule(
        None,
        Below(r"\active setup\installed components"),
        &["stubpath"],
        Any,
        Autostart,
    ),
    Rule(
        USER,
        At(r"\control panel\desktop"),
        &["scrnsave.exe"],
        NotText(&[""]),
        Autostart,
    ),
    Rule(
        None,
        At(r"\microsoft\command processor"),
        &["autorun"],
        Any,
        Autostart,
    ),
    // T1547, what the session manager and the shell start
    Rule(
        MACHINE,
        At(r"\control\session manager"),
        &[
            "bootexecute",
            "setupexecute",
            "execute",
            "pendingfilerenameoperations",
        ],
        Any,
        Autostart,
    ),
    Rule(
        None,
        At(r"\currentversion\shellserviceobjectdelayload"),
        &[],
        Any,
        Autostart,
    ),
    Rule(
        None,
        At(r"\explorer\shellexecutehooks"),
        &[],
        Any,
        Autostart,
    ),
    Rule(
        None,
        Below(r"\explorer\browser helper objects"),
        &[],
        Any,
        Autostart,
    ),
    // T1547.004, what Winlogon loads: client-side extensions too; programs of remote sessions
    Rule(
        None,
        At(r"\windows nt\currentversion\winlogon"),
        &["appsetup", "mpnotify"],
        Any,
        LogonProgram,
    ),
    Rule(
        MACHINE,
        Below(r"\winlogon\gpextensions"),
        &["dllname"],
        Any,
        LogonProgram,
    ),
    Rule(
        None,
        At(r"\terminal services"),
        &["initialprogram"],
        NotText(&[""]),
        LogonProgram,
    ),
    // T1547.003, .010 and .012, T1547.008, T1546.007, T1137.002, T1574: libraries of system programs
    Rule(
        MACHINE,
        Below(r"\w32time\timeproviders"),
        &["dllname"],
        Any,
        InjectedLibrary,
    ),
    Rule(
        MACHINE,
        Below(r"\control\print\monitors"),
        &["driver"],
        Any,
        InjectedLibrary,
    ),
    Rule(
        MACHINE,
        Below(r"\print processors"),
        &["driver"],
        Any,
        InjectedLibrary,
    ),
    Rule(
        MACHINE,
        At(r"\services\ntds"),
        &["lsadbextpt", "directoryserviceextpt"],
        Any,
        InjectedLibrary,
    ),
    Rule(
        MACHINE,
        At(r"\services\dns\parameters"),
        &["serverlevelplugindll"],
        NotText(&[""]),
        InjectedLibrary,
    ),
    Rule(MACHINE, At(r"\microsoft\netsh"), &[], Any, InjectedLibrary),
    Rule(
        None,
        At(r"\office test\special\perf"),
        &[],
        Any,
        InjectedLibrary,
    ),
    // T1546.001, Change Default File Association
    Rule(None, At(r"\shell\open\command"), &[], Any, FileHandler),
    Rule(None, At(r"\shell\runas\command"), &[], Any, FileHandler),
    // T1574.007 and .012, search path and profiler
    Rule(
        None,
        At(r"\environment"),
        &[
            "path",
            "pathext",
            "comspec",
            "psmodulepath",
            "cor_profiler",
            "cor_profiler_path",
            "cor_enable_profiling",
            "coreclr_profiler",
            "coreclr_profiler_path",
            "coreclr_enable_profiling",
        ],
        Any,
        Environment,
    ),
    // T1072, where updates come from; T1176, browser extensions
    Rule(
        None,
        At(r"\policies\microsoft\windows\windowsupdate"),
        &["wuserver"],
        Any,
        Software,
    ),
    Rule(None, At(r"\extensioninstallforcelist"), &[], Any, Software),
    // T1556.008, Network Provider DLL
    Rule(
        MACHINE,
        At(r"\control\networkprovider\order"),
        &["providerorder"],
        Any,
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\networkprovider"),
        &["providerpath"],
        Any,
        Credentials,
    ),
    // T1562.001 and .004 again: inbound connections, SmartScreen, drivers that anybody installs, Credential Guard
    Rule(
        MACHINE,
        Below(r"\windowsfirewall"),
        &["defaultinboundaction"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        MACHINE,
        Below(r"\sharedaccess\parameters\firewallpolicy"),
        &["defaultinboundaction"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\policies\microsoft\windows\system"),
        &["enablesmartscreen"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        MACHINE,
        At(r"\printers\pointandprint"),
        &["restrictdriverinstallationtoadministrators"],
        Is(0),
        ProtectionOff,
    ),
    Rule(
        MACHINE,
        At(r"\printers\pointandprint"),
        &["nowarningnoelevationoninstall"],
        On,
        ProtectionOff,
    ),
    Rule(
        MACHINE,
        At(r"\policies\microsoft\windows\deviceguard"),
        &["enablevirtualizationbasedsecurity", "lsacfgflags"],
        Is(0),
        Credentials,
    ),
    Rule(
        MACHINE,
        At(r"\control\lsa"),
        &["lsacfgflags"],
        Is(0),
        Credentials,
    ),
];
