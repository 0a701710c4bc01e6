//! Registry values with passwords in plain text, which are never shown.

/// What is shown in place of a password.
pub const NOT_SHOWN: &str = "(not shown)";

/// Value names that hold a password under any key: of automatic logon (T1552.002), of VNC servers and PuTTY proxies.
const SECRETS: [&str; 3] = ["defaultpassword", "altdefaultpassword", "proxypassword"];

/// Whether a value holds a password; both in any case. The key is that of a value of Registry.pol, of Preferences or of
/// `[Registry Values]`, in quotes or not, and may have the value name at its end.
pub fn is_secret(key: &str, name: &str) -> bool {
    let is = |name: &str| {
        SECRETS
            .iter()
            .any(|secret| secret.eq_ignore_ascii_case(name))
    };
    let name = name.rsplit('.').next().unwrap_or(name);
    let key = key.trim_matches(['"', ' ']);
    is(name) || (name.is_empty() && key.rsplit('\\').next().is_some_and(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_recognised_whatever_the_command() {
        let winlogon = r"Software\Microsoft\Windows NT\CurrentVersion\Winlogon";
        for name in [
            "DefaultPassword",
            "defaultpassword",
            "**soft.DefaultPassword",
        ] {
            assert!(is_secret(winlogon, name), "{name}");
        }
        for quote in ["", "\""] {
            let path = format!("{quote}MACHINE\\{winlogon}\\DefaultPassword{quote}");
            assert!(is_secret(&path, ""), "{path}");
        }
        for name in ["DefaultUserName", "", "Password"] {
            assert!(!is_secret(winlogon, name), "{name}");
        }
    }
}
