//! Deleting what protects: a value whose absence means the unprotected default, or a key that contains such values.

use super::super::RiskKind;
use super::{Hive, Rule, When, normalised, rules};

/// What is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Removed<'a> {
    /// One value of the key.
    Value(&'a str),
    /// Every value of the key.
    Values,
    /// The key with everything below it.
    Key,
}

/// Keys with what protects a computer; deleting them, or a key above them, deletes the protection. T1562.001, .002 and .004, T1112.
const PROTECTING: [&str; 14] = [
    r"\software\policies\microsoft\windows defender",
    r"\software\policies\microsoft\windowsfirewall",
    r"\software\policies\microsoft\windows\srpv2",
    r"\software\policies\microsoft\windows\safer\codeidentifiers",
    r"\software\policies\microsoft\windows\deviceguard",
    r"\software\policies\microsoft\windows\eventlog",
    r"\software\policies\microsoft\windows\powershell\scriptblocklogging",
    r"\software\policies\microsoft\windows\powershell\modulelogging",
    r"\software\policies\microsoft\windows\powershell\transcription",
    r"\software\policies\microsoft\systemcertificates\disallowed",
    r"\software\microsoft\windows\currentversion\policies\system",
    r"\system\currentcontrolset\control\lsa",
    r"\system\currentcontrolset\control\securityproviders",
    r"\system\currentcontrolset\services\sharedaccess\parameters\firewallpolicy",
];

/// Keys with exceptions from a protection: without them it protects more.
const EXCEPTIONS: [&str; 6] = [
    r"\windows defender\exclusions",
    r"\asr\asronlyexclusions",
    r"\asr\asronlyperruleexclusions",
    r"\controlled folder access\allowedapplications",
    r"\globallyopenports",
    r"\authorizedapplications",
];

/// Values whose absence is worse than their presence, although only one of their numbers is a risk.
const NEEDED: [(&str, &str); 3] = [
    (r"\control\securityproviders\wdigest", "uselogoncredential"),
    (r"\credssp\parameters", "allowencryptionoracle"),
    (r"\terminal services", "shadow"),
];

/// What the deletion of a value or a key does, if it deletes what protects: the kind, and the words.
pub(in super::super) fn removal(
    hive: Hive,
    key: &str,
    removed: Removed<'_>,
) -> Option<(RiskKind, String)> {
    let normal = normalised(key);
    let kind = match removed {
        Removed::Value(name) => of_value(hive, &normal, &name.to_lowercase())?,
        Removed::Values | Removed::Key => {
            let below = |path: &str, above: &str| {
                path.strip_prefix(above)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
            };
            let deep = removed == Removed::Key;
            let protects = PROTECTING
                .iter()
                .any(|known| below(&normal, known) || (deep && below(known, &normal)));
            let exception = EXCEPTIONS.iter().any(|known| normal.contains(known));
            if !protects || exception {
                return None;
            }
            RiskKind::ProtectionOff
        }
    };
    let hive = hive.as_str();
    let text = match removed {
        Removed::Value("") => format!(r"deletes {hive}\{key}\(default)"),
        Removed::Value(name) => format!(r"deletes {hive}\{key}\{name}"),
        Removed::Values => format!(r"deletes every value of {hive}\{key}"),
        Removed::Key => format!(r"deletes {hive}\{key}"),
    };
    Some((kind, text))
}

/// The kind of the rule about a value that protects while it has another number than that of the rule.
fn of_value(hive: Hive, key: &str, name: &str) -> Option<RiskKind> {
    let needed = NEEDED
        .iter()
        .any(|(path, value)| key.ends_with(path) && *value == name);
    let Rule(.., kind) = rules::all().find(|Rule(wanted, at, names, when, _)| {
        let protects = matches!(when, When::Is(0) | When::Below(_) | When::NoneOf(_));
        wanted.is_none_or(|wanted| hive.is_in(wanted))
            && (names.is_empty() || names.contains(&name))
            && at.is(key)
            && (protects || needed)
    })?;
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_protects_is_not_deleted_unnoticed() {
        use Removed::{Key, Value, Values};
        let said = |key: &str, removed| removal(Hive::Machine, key, removed).map(|(_, text)| text);
        for (key, removed) in [
            (
                r"Software\Microsoft\Windows\CurrentVersion\Policies\System",
                Value("EnableLUA"),
            ),
            (r"SYSTEM\ControlSet001\Control\Lsa", Value("RunAsPPL")),
            (
                r"System\CurrentControlSet\Control\Lsa",
                Value("LmCompatibilityLevel"),
            ),
            (
                r"System\CurrentControlSet\Control\SecurityProviders\WDigest",
                Value("UseLogonCredential"),
            ),
            (
                r"Software\Policies\Microsoft\WindowsFirewall\DomainProfile",
                Value("EnableFirewall"),
            ),
            (
                r"Software\Policies\Microsoft\WindowsFirewall\FirewallRules",
                Values,
            ),
            (r"Software\Policies\Microsoft\Windows Defender", Key),
            (
                r"Software\Policies\Microsoft\Windows Defender\Windows Defender Exploit Guard\ASR\Rules",
                Value("BE9BA2D9"),
            ),
            (r"Software\Policies\Microsoft", Key),
            (r"Software\Policies\Microsoft\Windows\SrpV2\Exe", Key),
            (
                r"Software\Policies\Microsoft\Windows\Safer\CodeIdentifiers",
                Values,
            ),
            (
                r"Software\Policies\Microsoft\Windows\DeviceGuard",
                Value("DeployConfigCIPolicy"),
            ),
            (
                r"Software\Policies\Microsoft\SystemCertificates\Disallowed\Certificates\1F",
                Key,
            ),
            (
                r"Software\Policies\Microsoft\Windows\PowerShell\ScriptBlockLogging",
                Value("EnableScriptBlockLogging"),
            ),
        ] {
            let text = said(key, removed);
            assert!(
                text.is_some_and(|text| text.contains(key)),
                "{key} {removed:?}"
            );
        }
        for (key, removed) in [
            // What this deletes was a risk.
            (
                r"Software\Policies\Microsoft\Windows Defender",
                Value("DisableAntiSpyware"),
            ),
            (
                r"Software\Policies\Microsoft\Windows Defender\Exclusions\Paths",
                Values,
            ),
            (r"Software\Microsoft\Windows\CurrentVersion\Run", Values),
            (r"Software\Policies\Microsoft", Values),
            (r"Software\Policies\Microsoft\Windows DefenderX", Key),
            (r"Software\Contoso", Key),
            (
                r"Software\Policies\Microsoft\Windows\PowerShell\ScriptBlockLogging",
                Value("EnableScriptBlockInvocationLogging"),
            ),
        ] {
            assert_eq!(said(key, removed), None, "{key} {removed:?}");
        }
    }
}
