//! Registry values that run code, disable protection or expose credentials, wherever a GPO sets them: Registry.pol, Preferences
//! and `[Registry Values]` of GptTmpl.inf.
//!
//! The kinds are those of MITRE ATT&CK, whose technique each rule names; a GPO distributes them to many computers at once
//! (T1484.001).

mod openings;
mod removal;
mod rules;

use super::RiskKind;
use super::access::{self, Secures};
use crate::model::registry_secrets;
pub(super) use removal::{Removed, removal};

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

impl Data {
    /// The text.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Other => None,
        }
    }
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
    /// None of these numbers.
    NoneOf(&'static [u64]),
    /// Text that is none of these, ignoring case.
    NotText(&'static [&'static str]),
    /// A firewall rule that lets callers from any address in.
    OpensPort,
    /// The same in the lists of older versions of Windows.
    OpensListedPort,
    /// A rule of AppLocker that allows everything to everybody.
    AllowsEverything,
    /// A path that matches every file.
    EveryPath,
    /// A number other than 0.
    On,
    /// A number without any of these bits.
    Lacks(u64),
    /// A list of options, one of which is 0.
    SwitchesOff,
    /// Settings of browser extensions that install some.
    InstallsExtensions,
    /// A pattern that matches everything.
    Everything,
    /// SDDL that lets everybody clear a log.
    OpensLog,
    /// SDDL that lets everybody start programs from other computers.
    OpensLaunch,
    /// SDDL that lets everybody in.
    OpensKey,
}

/// The keys that a rule matches.
#[derive(Clone, Copy)]
enum Key {
    /// The key that ends in this path.
    At(&'static str),
    /// Every key directly below the one that ends in this path.
    Below(&'static str),
    /// Every key below one with this path in it, however deep.
    Within(&'static str),
    /// Every key with the first text in it that ends in the second.
    Between(&'static str, &'static str),
}

/// One rule: hive (`None`: either), key, value names (none: every name), data, and the kind.
#[derive(Clone, Copy)]
struct Rule(Option<Hive>, Key, &'static [&'static str], When, RiskKind);

/// What a value does, if one of the rules is about it: the kind, and the words.
pub(super) fn risk(hive: Hive, key: &str, name: &str, data: &Data) -> Option<(RiskKind, String)> {
    let normal = normalised(key);
    let value = name.to_lowercase();
    let rule = rules::all().find(|Rule(wanted, at, names, when, _)| {
        wanted.is_none_or(|wanted| hive.is_in(wanted))
            && (names.is_empty() || names.contains(&value.as_str()))
            && at.is(&normal)
            && when.is(data)
    })?;
    let shown = match registry_secrets::is_secret(&normal, &value) {
        true => registry_secrets::NOT_SHOWN.to_owned(),
        false => data.to_string(),
    };
    let name = if name.is_empty() { "(default)" } else { name };
    let text = format!("{}\\{key}\\{name} = {shown}", hive.as_str());
    Some((rule.4, text))
}

/// A number of a security template: decimal, or hexadecimal after `0x`.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = text.trim().trim_matches('"');
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A key in lower case with a separator in front, without the mark of 32-bit programs, and with one name for all control
/// sets.
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
            Self::At(path) => key.ends_with(path),
            Self::Between(begin, end) => key
                .find(begin)
                .and_then(|at| key.get(at + begin.len()..))
                .is_some_and(|rest| rest.ends_with(end) || format!("\\{rest}") == end),
            Self::Within(path) => key
                .split_once(path)
                .is_some_and(|(_, below)| below.starts_with('\\')),
            Self::Below(path) => key
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
            Data::Text(text) => number(text),
            Data::Other => None,
        };
        match self {
            Self::Any => true,
            // Most programs read the bytes of a number whatever its type is.
            Self::Is(_) | Self::On | Self::Below(_) | Self::NoneOf(_) | Self::Lacks(_)
                if *data == Data::Other =>
            {
                true
            }
            Self::On => number.is_some_and(|number| number != 0),
            Self::Lacks(bits) => number.is_some_and(|number| number & bits == 0),
            Self::NoneOf(wanted) => number.is_none_or(|number| !wanted.contains(&number)),
            Self::Is(wanted) => number == Some(wanted),
            Self::Below(bound) => number.is_some_and(|number| number < bound),
            Self::NotText(texts) => match data {
                Data::Text(text) => !texts.contains(&text.trim().to_lowercase().as_str()),
                Data::Number(_) | Data::Other => true,
            },
            Self::OpensPort => data.text().is_none_or(openings::opens_port),
            Self::OpensListedPort => data.text().is_none_or(openings::opens_listed_port),
            Self::AllowsEverything => data.text().is_none_or(openings::allows_everything),
            Self::EveryPath => data.text().is_none_or(openings::is_every_path),
            Self::Everything => data.text().is_none_or(openings::is_everything),
            Self::SwitchesOff => data.text().is_none_or(openings::switches_off),
            Self::InstallsExtensions => data.text().is_none_or(openings::installs_extensions),
            Self::OpensLog | Self::OpensLaunch | Self::OpensKey => {
                let what = match self {
                    Self::OpensLog => Secures::Log,
                    Self::OpensLaunch => Secures::Launch,
                    _ => Secures::Sam,
                };
                data.text()
                    .is_none_or(|sddl| access::fault(what, sddl).is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RiskKind::{
        Autostart, ComHijack, Credentials, Debugger, InjectedLibrary, LogonProgram, PowerShell,
        ProtectionOff, RegistryService,
    };

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
            (User, r"Software\Contoso\Runner", "Run", text("x")),
            (Machine, "", "", Data::Other),
        ] {
            assert_eq!(kind(hive, key, name, data), None, "{key}\\{name}");
        }
    }

    #[test]
    fn what_is_started_by_a_way_round_is_listed() {
        use Hive::{Machine, User};
        for (hive, key, name) in [
            (User, r"Environment", "UserInitMprLogonScript"),
            (
                Machine,
                r"SOFTWARE\Microsoft\Active Setup\Installed Components\x",
                "StubPath",
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Control\Print\Monitors\x",
                "Driver",
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Control\Print\Environments\Windows x64\Print Processors\x",
                "Driver",
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Services\W32Time\TimeProviders\x",
                "DllName",
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Services\DNS\Parameters",
                "ServerLevelPluginDll",
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Services\NTDS",
                "LsaDbExtPt",
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Services\x\NetworkProvider",
                "ProviderPath",
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Control\NetworkProvider\Order",
                "ProviderOrder",
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Control\Session Manager",
                "BootExecute",
            ),
            (
                Machine,
                r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment",
                "PATH",
            ),
            (User, r"Environment", "COR_PROFILER_PATH"),
            (Machine, r"SOFTWARE\Microsoft\NetSh", "x"),
            (
                Machine,
                r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\GPExtensions\{0}",
                "DllName",
            ),
            (User, r"Software\Classes\ms-settings\shell\open\command", ""),
            (Machine, r"SOFTWARE\Classes\exefile\shell\runas\command", ""),
            (User, r"Software\Microsoft\Command Processor", "AutoRun"),
            (User, r"Control Panel\Desktop", "SCRNSAVE.EXE"),
            (User, r"Software\Microsoft\Office test\Special\Perf", ""),
            (
                Machine,
                r"SOFTWARE\Microsoft\Windows\CurrentVersion\Explorer\Browser Helper Objects\{0}",
                "",
            ),
            (
                Machine,
                r"SOFTWARE\Microsoft\Windows\CurrentVersion\ShellServiceObjectDelayLoad",
                "x",
            ),
            (
                User,
                r"Software\Policies\Microsoft\Windows\System\Scripts\Logon\0\0",
                "Script",
            ),
            (
                Machine,
                r"SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services",
                "InitialProgram",
            ),
            (
                Machine,
                r"SOFTWARE\Policies\Google\Chrome\ExtensionInstallForcelist",
                "1",
            ),
            (
                Machine,
                r"SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate",
                "WUServer",
            ),
        ] {
            assert!(
                kind(hive, key, name, text("e.exe")).is_some(),
                "{key}\\{name}"
            );
        }
        for (key, name, number) in [
            (
                r"SOFTWARE\Policies\Microsoft\WindowsFirewall\DomainProfile",
                "DefaultInboundAction",
                0,
            ),
            (
                r"SOFTWARE\Policies\Microsoft\Windows\DeviceGuard",
                "LsaCfgFlags",
                0,
            ),
            (
                r"SOFTWARE\Policies\Microsoft\Windows\System",
                "EnableSmartScreen",
                0,
            ),
            (
                r"SOFTWARE\Policies\Microsoft\Windows NT\Printers\PointAndPrint",
                "RestrictDriverInstallationToAdministrators",
                0,
            ),
            (
                r"SOFTWARE\Policies\Microsoft\Windows NT\Printers\PointAndPrint",
                "NoWarningNoElevationOnInstall",
                1,
            ),
        ] {
            assert!(
                kind(Machine, key, name, Data::Number(number)).is_some(),
                "{key}\\{name}"
            );
            assert!(
                kind(Machine, key, name, Data::Other).is_some(),
                "{key}\\{name}"
            );
            assert!(
                kind(Machine, key, name, Data::Number(1 - number)).is_none(),
                "{key}\\{name}"
            );
        }
    }

    #[test]
    fn a_stored_password_is_named_and_not_shown() {
        let key = r"Software\Microsoft\Windows NT\CurrentVersion\Winlogon";
        let (_, said) = risk(Hive::Machine, key, "DefaultPassword", &text("s3cret")).unwrap();
        assert!(said.contains("DefaultPassword") && !said.contains("s3cret"));
    }
}
