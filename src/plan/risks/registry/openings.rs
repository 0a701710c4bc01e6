//! Values that let everybody in, or everything run: firewall rules [MS-GPFAS 2.2.2.19], AppLocker rules [MS-GPAC], and path rules of
//! software restriction policies.

use crate::formats::firewall_rule;
use crate::formats::xml_tree;
use crate::formats::xml_tree::Element;

/// Whether a firewall rule lets callers from any address in. A text that is not a rule may be one for a client.
pub(super) fn opens_port(text: &str) -> bool {
    let Some(fields) = firewall_rule::fields(text) else {
        return true;
    };
    let values = |wanted: &str| {
        let fields = fields.iter();
        let named = fields.filter(|field| field.name.eq_ignore_ascii_case(wanted));
        let values = named.filter_map(|field| text.get(field.value.clone()));
        values.map(str::to_lowercase).collect::<Vec<String>>()
    };
    let is = |name: &str, value: &str| values(name).iter().any(|found| found == value);
    // A rule without one of these applies.
    if is("Action", "block") || is("Active", "false") || is("Dir", "out") {
        return false;
    }
    // Addresses of both versions, and keywords.
    let addresses: Vec<String> = ["RA4", "RA6", "RA42", "RA62"]
        .into_iter()
        .flat_map(values)
        .collect();
    addresses.is_empty() || addresses.iter().any(|address| is_any_address(address))
}

/// Whether an address, a range or a subnet contains a large part of all addresses.
fn is_any_address(address: &str) -> bool {
    if matches!(address, "*" | "any" | "internet" | "0.0.0.0" | "::") {
        return true;
    }
    if let Some((first, last)) = address.split_once('-') {
        return (first.starts_with("0.") || first.starts_with("1.") || first.starts_with("::"))
            && (last.starts_with("255.") || last.starts_with("223.") || last.starts_with("ff"));
    }
    match address.split_once('/') {
        // A prefix, or a mask of a few bits.
        Some((_, prefix)) => {
            prefix.parse::<u8>().is_ok_and(|bits| bits < 8)
                || (prefix.contains('.') && !prefix.starts_with("255."))
        }
        None => false,
    }
}

/// Whether an entry of the old lists, `PORT:PROTOCOL:SCOPE:Enabled:NAME` or `PROGRAM:SCOPE:Enabled:NAME`, lets callers from any address
/// in [MS-GPFAS 2.2.4].
pub(super) fn opens_listed_port(text: &str) -> bool {
    let lower = text.to_lowercase();
    !lower.contains(":disabled:") && (lower.contains(":*:") || !lower.contains(":enabled:"))
}

/// Everyone, Authenticated Users, Users.
const EVERYBODY: [&str; 3] = ["S-1-1-0", "S-1-5-11", "S-1-5-32-545"];

/// Whether an AppLocker rule allows every path to everybody. What cannot be read may do so.
pub(super) fn allows_everything(text: &str) -> bool {
    let Ok(rule) = xml_tree::parse(text.trim_end_matches('\0').as_bytes()) else {
        return true;
    };
    let is = |name: &str, values: &[&str]| {
        let value = rule.attribute(name).unwrap_or_default();
        values
            .iter()
            .any(|wanted| value.eq_ignore_ascii_case(wanted))
    };
    is("Action", &["Allow"]) && is("UserOrGroupSid", &EVERYBODY) && has_every_path(&rule)
}

/// Whether a condition of a rule is a path that matches every file. Exceptions are elements of another name.
fn has_every_path(rule: &Element) -> bool {
    let conditions = rule.named("Conditions");
    let paths = conditions.flat_map(|conditions| conditions.named("FilePathCondition"));
    let mut paths = paths.filter_map(|condition| condition.attribute("Path"));
    paths.any(is_every_path)
}

/// Whether a path of a rule matches every file, or every file of a disk or of Windows.
pub(super) fn is_every_path(path: &str) -> bool {
    let path = path.trim().to_lowercase();
    let path = path.trim_end_matches(['*', '.', '\\']);
    let is_disk = path.len() == 2 && path.ends_with(':');
    is_disk
        || matches!(
            path,
            "" | "%osdrive%" | "%systemdrive%" | "%userprofile%" | "%removable%" | "%hot%"
        )
}

/// Whether a pattern of a browser matches everything.
pub(super) fn is_everything(pattern: &str) -> bool {
    let pattern = pattern.trim();
    pattern.starts_with('*')
        || pattern.starts_with("http*")
        || pattern.eq_ignore_ascii_case("<all_urls>")
}

/// Whether options such as `RequireIntegrity=1, RequirePrivacy=0` switch one off.
pub(super) fn switches_off(options: &str) -> bool {
    options.split(',').any(|option| {
        let value = option.split_once('=').map(|(_, value)| value);
        value.is_some_and(|value| super::number(value) == Some(0))
    })
}

/// Whether the JSON of the settings of browser extensions installs some. What cannot be read may do so.
pub(super) fn installs_extensions(json: &str) -> bool {
    let lower = json.to_lowercase();
    !lower.trim_start().starts_with('{')
        || lower.contains("force_installed")
        || lower.contains("normal_installed")
        || lower.contains("\\u")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rules_for_any_caller_open_a_port() {
        for rule in [
            "v2.26|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|Name=x|",
            "v2.10|action=allow|active=true|dir=in|RA4=10.0.0.1|RA4=*|",
            "v2.26|Action=Allow|Dir=In|RA4=0.0.0.0/0|",
            "v2.26|Action=Allow|Dir=In|RA4=0.0.0.0/128.0.0.0|RA4=128.0.0.0/128.0.0.0|",
            "v2.26|Action=Allow|Dir=In|RA4=0.0.0.0-255.255.255.255|",
            "v2.26|Action=Allow|Dir=In|RA42=Internet|",
            "v2.26|Action=ByPass|Active=TRUE|Dir=In|Security=Authenticate|",
            "v2.26|Active=TRUE|Dir=In|LPort=445|",
            "v2.26|no rule",
        ] {
            assert!(opens_port(rule), "{rule}");
        }
        for rule in [
            "v2.26|Action=Block|Active=TRUE|Dir=In|LPort=445|",
            "v2.26|Action=Allow|Active=FALSE|Dir=In|LPort=445|",
            "v2.26|Action=Allow|Active=TRUE|Dir=Out|",
            "v2.26|Action=Allow|Active=TRUE|Dir=In|RA4=LocalSubnet|RA6=LocalSubnet|",
            "v2.10|Action=Allow|Active=TRUE|Dir=In|RA4=10.1.2.3|RA4=10.1.0.0/255.255.0.0|",
            "v2.10|Action=Allow|Active=TRUE|Dir=In|RA4=10.0.0.0/8|RA4=10.0.0.1-10.0.0.9|",
        ] {
            assert!(!opens_port(rule), "{rule}");
        }
        for entry in [r"3389:TCP:*:Enabled:RDP", r"C:\e.exe:*:enabled:e", "odd"] {
            assert!(opens_listed_port(entry), "{entry}");
        }
        for entry in [
            "3389:TCP:LocalSubnet:Enabled:RDP",
            "3389:TCP:*:Disabled:RDP",
        ] {
            assert!(!opens_listed_port(entry), "{entry}");
        }
    }

    #[test]
    fn only_rules_that_allow_everything_to_everybody_count() {
        let rule = |action: &str, sid: &str, path: &str| {
            format!(
                "<FilePathRule Id='1' Name='n' Description='' UserOrGroupSid='{sid}' Action='{action}'><Conditions><FilePathCondition Path='{path}'/></Conditions></FilePathRule>"
            )
        };
        for text in [
            rule("Allow", "S-1-1-0", "*"),
            rule("allow", "S-1-5-11", r"C:\*"),
            rule("Allow", "S-1-5-32-545", r"%OSDRIVE%\*"),
            "no XML".to_owned(),
        ] {
            assert!(allows_everything(&text), "{text}");
        }
        for text in [
            rule("Allow", "S-1-5-32-544", "*"),
            rule("Deny", "S-1-1-0", "*"),
            rule("Allow", "S-1-1-0", r"%PROGRAMFILES%\*"),
        ] {
            assert!(!allows_everything(&text), "{text}");
        }
    }
}
