//! Registry values that run code, disable protection or expose credentials, wherever a GPO sets them: Registry.pol, Preferences
//! and `[Registry Values]` of GptTmpl.inf.
//!
//! The kinds are those of MITRE ATT&CK, whose technique each rule names; a GPO distributes them to many computers at once
//! (T1484.001).

use super::RiskKind;

/// A part of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hive {
    /// `HKEY_LOCAL_MACHINE`
    Machine,
    /// `HKEY_CURRENT_USER`, and the users below `HKEY_USERS`.
    User,
    /// `HKEY_CLASSES_ROOT`: the classes of the user take precedence over those of the computer.
    Classes,
}

impl Hive {
    /// Whether a rule for that part also applies to this one.
    fn is_in(self, rule: Self) -> bool {
        self == rule || (self == Self::Classes && rule == Self::User)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "HKLM",
            Self::User => "HKCU",
            Self::Classes => "HKCR",
        }
    }
}

/// The data of a value, as far as rules need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    /// A number.
    Number(u64),
    /// Text; several texts are separated by commas.
    Text(String),
    /// Anything else.
    Other,
}

impl std::fmt::Display for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Other => f.write_str("binary data"),
        }
    }
}

/// The data that a rule matches.
#[derive(Clone, Copy)]
enum When {
    /// Any.
    Any,
    /// This number.
    Is(u64),
    /// A lower number.
    Below(u64),
    /// Text that is none of these, ignoring case.
    NotText(&'static [&'static str]),
}

/// The keys that a rule matches.
#[derive(Clone, Copy)]
enum Key {
    /// The key that ends in this path.
    At(&'static str),
    /// Every key directly below the one that ends in this path.
    Below(&'static str),
}

/// One rule: hive (`None`: either), key, value names (none: every name), data, and the kind.
struct Rule(Option<Hive>, Key, &'static [&'static str], When, RiskKind);

use Key::{At, Below};
use RiskKind::{
    Autostart, ComHijack, Credentials, Debugger, InjectedLibrary, LogonProgram, PowerShell,
    ProtectionOff, RegistryService,
};
use When::{Any, Is, NotText};

const MACHINE: Option<Hive> = Some(Hive::Machine);
const USER: Option<Hive> = Some(Hive::User);

/// The rules. Keys and names are in lower case; `currentcontrolset` matches every control set.
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
        Below(r"\windows\currentversion\runonceex"),
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
    // T1546.012, Image File Execution Options Injection
    Rule(
        None,
        Below(r"\currentversion\image file execution options"),
        &["debugger", "verifierdlls"],
        Any,
        Debugger,
    ),
    Rule(
        None,
        Below(r"\currentversion\silentprocessexit"),
        &["monitorprocess"],
        Any,
        Debugger,
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
        Is(1),
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
        Is(1),
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
        Is(1),
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
    // T1562.002, Disable Windows Event Logging
    Rule(
        None,
        At(r"\powershell\scriptblocklogging"),
        &["enablescriptblocklogging"],
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
        Is(1),
        ProtectionOff,
    ),
    Rule(
        None,
        At(r"\policies\microsoft\windows\installer"),
        &["alwaysinstallelevated"],
        Is(1),
        ProtectionOff,
    ),
    // T1003.001, LSASS Memory; T1550.002, Pass the Hash; T1557, relaying
    Rule(
        MACHINE,
        At(r"\control\securityproviders\wdigest"),
        &["uselogoncredential"],
        Is(1),
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
        Is(1),
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
        Is(1),
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
        Is(1),
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
];

/// The effect of a value that one of the rules matches: the kind, and the description.
pub(super) fn risk(hive: Hive, key: &str, name: &str, data: &Data) -> Option<(RiskKind, String)> {
    let normal = normalised(key);
    let value = name.to_lowercase();
    let rule = RULES.iter().find(|Rule(wanted, at, names, when, _)| {
        wanted.is_none_or(|wanted| hive.is_in(wanted))
            && at.is(&normal)
            && (names.is_empty() || names.contains(&value.as_str()))
            && when.is(data)
    })?;
    // A password is reported and never shown.
    let shown = if value == "defaultpassword" {
        "(not shown)".to_owned()
    } else {
        data.to_string()
    };
    let name = if name.is_empty() { "(default)" } else { name };
    let text = format!("{}\\{key}\\{name} = {shown}", hive.as_str());
    Some((rule.4, text))
}

/// A key in lower case with a separator in front, without the part for 32-bit programs, and with one name for all control sets.
fn normalised(key: &str) -> String {
    let parts = key.split('\\').map(str::to_lowercase);
    let parts = parts.filter(|part| !part.is_empty() && part != "wow6432node");
    parts.fold(String::new(), |mut path, part| {
        path.push('\\');
        let number = part.strip_prefix("controlset");
        if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
            path.push_str("currentcontrolset");
        } else {
            path.push_str(&part);
        }
        path
    })
}

impl Key {
    fn is(self, key: &str) -> bool {
        match self {
            At(path) => key.ends_with(path),
            Below(path) => key
                .rsplit_once('\\')
                .is_some_and(|(parent, _)| parent.ends_with(path)),
        }
    }
}

impl When {
    fn is(self, data: &Data) -> bool {
        let number = match data {
            Data::Number(number) => Some(*number),
            // Preferences and GptTmpl.inf can contain a number as text.
            Data::Text(text) => text.trim().parse().ok(),
            Data::Other => None,
        };
        match self {
            Self::Any => true,
            Self::Is(wanted) => number == Some(wanted),
            Self::Below(bound) => number.is_some_and(|number| number < bound),
            Self::NotText(texts) => match data {
                Data::Text(text) => !texts.contains(&text.trim().to_lowercase().as_str()),
                Data::Number(_) | Data::Other => true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(hive: Hive, key: &str, name: &str, data: Data) -> Option<RiskKind> {
        risk(hive, key, name, &data).map(|(kind, _)| kind)
    }

    fn text(text: &str) -> Data {
        Data::Text(text.to_owned())
    }

    #[test]
    fn every_kind_is_found_whatever_the_spelling() {
        use Hive::{Machine, User};
        for (hive, key, name, data, expected) in [
            (
                User,
                r"Software\Microsoft\Windows\CurrentVersion\Run",
                "x",
                text("evil.exe"),
                Autostart,
            ),
            (
                Machine,
                r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnce",
                "x",
                text("e"),
                Autostart,
            ),
            (
                Machine,
                r"Software\Microsoft\Windows NT\CurrentVersion\Winlogon",
                "Userinit",
                text("e"),
                LogonProgram,
            ),
            (
                User,
                r"Software\Microsoft\Windows\CurrentVersion\Policies\System",
                "Shell",
                text("e"),
                LogonProgram,
            ),
            (
                Machine,
                r"Software\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\sethc.exe",
                "Debugger",
                text("cmd.exe"),
                Debugger,
            ),
            (
                Machine,
                r"Software\Microsoft\Windows NT\CurrentVersion\Windows",
                "AppInit_DLLs",
                text("e.dll"),
                InjectedLibrary,
            ),
            (
                Machine,
                r"System\ControlSet001\Services\Evil",
                "ImagePath",
                text("e"),
                RegistryService,
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Services\x\Parameters",
                "ServiceDll",
                text("e"),
                RegistryService,
            ),
            (
                User,
                r"Software\Classes\CLSID\{0}\InprocServer32",
                "",
                text("e.dll"),
                ComHijack,
            ),
            (
                Machine,
                r"Software\Policies\Microsoft\Windows Defender",
                "DisableAntiSpyware",
                Data::Number(1),
                ProtectionOff,
            ),
            (
                Machine,
                r"Software\Policies\Microsoft\Windows Defender\Exclusions\Paths",
                r"C:\",
                text("0"),
                ProtectionOff,
            ),
            (
                Machine,
                r"Software\Policies\Microsoft\WindowsFirewall\DomainProfile",
                "EnableFirewall",
                Data::Number(0),
                ProtectionOff,
            ),
            (
                Machine,
                r"System\CurrentControlSet\Control\Lsa",
                "RunAsPPL",
                Data::Number(0),
                Credentials,
            ),
            (
                Machine,
                r"System\CurrentControlSet\Control\Lsa",
                "LmCompatibilityLevel",
                Data::Number(2),
                Credentials,
            ),
            (
                Machine,
                r"System\CurrentControlSet\Control\Lsa",
                "DisableRestrictedAdmin",
                Data::Number(0),
                Credentials,
            ),
            (
                Machine,
                r"System\CurrentControlSet\Control\SecurityProviders\WDigest",
                "UseLogonCredential",
                text("1"),
                Credentials,
            ),
            (
                User,
                r"Software\Policies\Microsoft\Windows\PowerShell",
                "ExecutionPolicy",
                text("Bypass"),
                PowerShell,
            ),
        ] {
            assert_eq!(kind(hive, key, name, data), Some(expected), "{key}\\{name}");
        }
    }

    #[test]
    fn what_protects_is_no_risk() {
        use Hive::{Machine, User};
        for (hive, key, name, data) in [
            (
                Machine,
                r"System\CurrentControlSet\Control\Lsa",
                "RunAsPPL",
                Data::Number(1),
            ),
            (
                Machine,
                r"System\CurrentControlSet\Control\Lsa",
                "LmCompatibilityLevel",
                Data::Number(5),
            ),
            (
                Machine,
                r"Software\Policies\Microsoft\Windows Defender",
                "DisableAntiSpyware",
                Data::Number(0),
            ),
            (
                Machine,
                r"Software\Policies\Microsoft\WindowsFirewall\DomainProfile",
                "EnableFirewall",
                Data::Number(1),
            ),
            (
                Machine,
                r"Software\Policies\Microsoft\Windows\PowerShell",
                "ExecutionPolicy",
                text("AllSigned"),
            ),
            (
                Machine,
                r"Software\Classes\CLSID\{0}\InprocServer32",
                "",
                text("e.dll"),
            ),
            (User, r"Software\Contoso\Runner", "Run", text("x")),
            (Machine, "", "", Data::Other),
        ] {
            assert_eq!(kind(hive, key, name, data), None, "{key}\\{name}");
        }
    }

    #[test]
    fn a_stored_password_is_named_and_not_shown() {
        let key = r"Software\Microsoft\Windows NT\CurrentVersion\Winlogon";
        let (_, said) = risk(Hive::Machine, key, "DefaultPassword", &text("s3cret")).unwrap();
        assert!(said.contains("DefaultPassword") && !said.contains("s3cret"));
    }
}
