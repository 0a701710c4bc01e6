//! Files of a GPO in formats that gpoctl does not decode and a client applies: those of Samba's client (VGP), of Internet Explorer
//! Maintenance, central access policies, and files with settings where gpoctl does not expect them.

use bytes::Bytes;

use super::{Risk, RiskKind};
use crate::formats::text;
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;

/// What the file does, by its place; nothing for a file that is only used by others, such as a script.
pub(super) fn risks(path: &RelPath, content: &Bytes) -> Vec<Risk> {
    let folded = path.folded();
    let below = |folder: &str| folded.contains(folder);
    let name = folded.rsplit('/').next().unwrap_or_default();
    let (kind, text) = if below("/vgp/") || folded.starts_with("vgp/") {
        (RiskKind::UnixSetting, vgp(&folded).to_owned())
    } else if below("/ieak/") {
        match ieak(name, content) {
            Some(text) => (RiskKind::Branding, text),
            None => return Vec::new(),
        }
    } else if below("/windows nt/cap/") {
        let text = "the central access policies that decide who may open files".to_owned();
        (RiskKind::OpenPermission, text)
    } else if is_settings(name) || folded.starts_with("preferences/") {
        // [MS-GPOL] Such a file has an effect only in a folder in which a client looks for it.
        let text = "a file with settings in an unusual folder, so its effect is not known";
        (RiskKind::UnusualForm, text.to_owned())
    } else {
        return Vec::new();
    };
    vec![Risk {
        kind,
        text,
        place: Place::file(path.to_string()),
    }]
}

/// What Samba's client does with a file below `VGP` (samba-gpupdate).
fn vgp(folded: &str) -> &'static str {
    let is = |part: &str| folded.contains(part);
    if is("/sudo/") {
        "who may run commands as root with sudo"
    } else if is("/scripts/") {
        "a script that clients run as root"
    } else if is("/files/") {
        "files that clients install"
    } else if is("/symlink/") {
        "links that clients create as root"
    } else if is("/hostaccesscontrol/") {
        "who may log on"
    } else if is("/sshcfg/") || is("/openssh/") {
        "the configuration of the SSH server"
    } else if is("/motd/") || is("/issue/") {
        "a message that clients show at logon"
    } else {
        "a setting that clients apply as root"
    }
}

/// What a file of Internet Explorer Maintenance does [MS-GPIE]; `None` when it sets nothing of note.
fn ieak(name: &str, content: &Bytes) -> Option<String> {
    let has_suffix = |suffix: &str| name.ends_with(suffix);
    if has_suffix(".inf") {
        return Some("an INF file that clients install".to_owned());
    }
    if !has_suffix(".ins") {
        return None;
    }
    let Ok((_, text)) = text::decode(content) else {
        return Some("it cannot be read, so what it does is not known".to_owned());
    };
    let text = text.to_lowercase();
    let mut found = Vec::new();
    if text.contains("[extreginf") {
        found.push("installs INF files");
    }
    if text.contains("[proxy]") || text.contains("proxy_server") {
        found.push("sets a proxy");
    }
    if text.contains("autoconfigurl") || text.contains("autoconfigjsurl") {
        found.push("sets a script that chooses proxies");
    }
    (!found.is_empty()).then(|| found.join(", "))
}

/// Whether a file has the name of one with settings. In its own place it is decoded and is not asked about here.
fn is_settings(name: &str) -> bool {
    matches!(
        name,
        "registry.pol" | "gpttmpl.inf" | "scripts.ini" | "psscripts.ini" | "scheduledtasks.xml"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_a_client_applies_are_listed() {
        let said = |path: &str, content: &str| -> Vec<String> {
            let content = Bytes::from(content.to_owned());
            let found = risks(&path.parse().unwrap(), &content).into_iter();
            found
                .map(|risk| format!("{}: {}", risk.kind.label(), risk.text))
                .collect()
        };
        for (path, content, expected) in [
            (
                r"Machine\VGP\VTLA\Sudo\SudoersConfiguration\manifest.xml",
                "",
                "Unix setting: who may run commands as root with sudo",
            ),
            (
                r"MACHINE\vgp\VTLA\Unix\Scripts\Startup\e.sh",
                "",
                "Unix setting: a script that clients run as root",
            ),
            (
                r"Machine\VGP\VTLA\Unix\Files\manifest.xml",
                "",
                "Unix setting: files that clients install",
            ),
            (
                r"Machine\VGP\VTLA\Other\x",
                "",
                "Unix setting: a setting that clients apply as root",
            ),
            (
                r"User\Microsoft\IEAK\install.ins",
                "[ExtRegInf.Hklm]\nx=*,x.inf\n[Proxy]\nProxyEnable=1\n",
                "Internet Explorer branding: installs INF files, sets a proxy",
            ),
            (
                r"User\Microsoft\IEAK\BRANDING\RATINGS\x.inf",
                "",
                "Internet Explorer branding: an INF file that clients install",
            ),
            (
                r"Machine\Microsoft\Windows NT\CAP\cap.inf",
                "",
                "open permission: the central access policies that decide who may open files",
            ),
            (
                r"Registry.pol",
                "",
                "unusual form: a file with settings in an unusual folder, so its effect is not known",
            ),
            (
                r"Preferences\Groups\Groups.xml",
                "",
                "unusual form: a file with settings in an unusual folder, so its effect is not known",
            ),
            (
                r"Machine\scripts.ini",
                "",
                "unusual form: a file with settings in an unusual folder, so its effect is not known",
            ),
        ] {
            assert_eq!(said(path, content), [expected], "{path}");
        }
        for path in [
            r"Machine\Scripts\Startup\a.cmd",
            r"User\Microsoft\IEAK\x.bmp",
            r"Adm\x.adm",
        ] {
            assert_eq!(said(path, "x"), [""; 0], "{path}");
        }
        assert_eq!(
            said(r"User\Microsoft\IEAK\install.ins", "[Branding]\nx=1"),
            [""; 0]
        );
    }
}
