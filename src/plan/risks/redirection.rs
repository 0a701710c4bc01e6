//! Folder redirection of folders from which Windows starts programs or loads settings, to a server [MS-GPFR 2.2].

use bytes::Bytes;

use super::list::RiskList;
use super::{Risk, RiskKind, place};
use crate::formats::fdeploy::{Fdeploy, Redirection};
use crate::formats::ini::IniLine;
use crate::model::safe_name::RelPath;

/// Folders with what is started or loaded from them: names of version 0, known folders of version 1.
const FOLDERS: [(&str, &str); 11] = [
    ("start menu", "Start Menu"),
    ("programs", "Programs"),
    ("startup", "Startup"),
    ("application data", "Application Data"),
    ("desktop", "Desktop"),
    ("{625b53c3-ab48-4ec1-ba1f-a1ef4146fc19}", "Start Menu"),
    ("{a77f5d77-2e2b-44c3-a6a2-aba601054a51}", "Programs"),
    ("{b97d20bb-f46a-4c97-ba10-5e3608430854}", "Startup"),
    ("{3eb685db-65f9-4cf6-a03a-e3ef65729f3d}", "Application Data"),
    ("{b4bfcc3a-db2c-424c-b029-7fe99a87c641}", "Desktop"),
    (
        "{f1b32785-6fba-4fcf-9d55-7b8e7f157091}",
        "Local Application Data",
    ),
];

/// The redirections of a file; `None` when it does not parse.
pub(super) fn risks(path: &RelPath, content: &Bytes) -> Option<Vec<Risk>> {
    let file = Fdeploy::parse(content).ok()?;
    let risk = |(line, redirection): (IniLine<'_>, Redirection<'_>)| {
        let (Redirection::FullPath(target) | Redirection::Path { path: target, .. }) = redirection
        else {
            return None;
        };
        let section = line.section.unwrap_or_default().to_lowercase();
        let (_, folder) = FOLDERS.iter().find(|(known, _)| {
            let rest = section.strip_prefix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        })?;
        let target = line.text.get(target)?;
        // Paths of one's own profile are where the folders are anyway.
        let is_own = target.trim().to_lowercase().starts_with("%userprofile%");
        if is_own && !target.contains("..") {
            return None;
        }
        Some(Risk {
            kind: RiskKind::RedirectedFolder,
            text: format!("{folder} is taken from {target}"),
            place: place(path, &line),
        })
    };
    let risks: RiskList = file.redirections().filter_map(risk).collect();
    Some(risks.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_with_programs_are_listed_in_both_versions() {
        let said = |text: &str| -> Vec<String> {
            let path = r"User\Documents & Settings\fdeploy.ini".parse().unwrap();
            let found = risks(&path, &Bytes::from(text.to_owned())).unwrap();
            found.into_iter().map(|risk| risk.text).collect()
        };
        assert_eq!(
            said(
                "[FolderStatus]\nStart Menu=9\n[Start Menu]\ns-1-1-0=\\\\evil\\s\n[Application Data]\ns-1-1-0=\\\\e\\a\n[My Pictures]\ns-1-1-0=\\\\e\\p\n"
            ),
            [
                r"Start Menu is taken from \\evil\s",
                r"Application Data is taken from \\e\a"
            ]
        );
        assert_eq!(
            said(
                "[Folder_Redirection]\n{B97D20BB-F46A-4C97-BA10-5E3608430854}=s-1-1-0;\n[{B97D20BB-F46A-4C97-BA10-5E3608430854}_s-1-1-0]\nFlags=9\nFullPath=\\\\evil\\x\n[{33E28130-4E1E-4676-835A-98395C3BC3BB}_s-1-1-0]\nFullPath=\\\\evil\\p\n"
            ),
            [r"Startup is taken from \\evil\x"]
        );
        assert_eq!(said("[Startup]\ns-1-1-0=%USERPROFILE%\\Startup\n"), [""; 0]);
        for target in [r"\\evil\s\%USERPROFILE%\x", r"%userprofile%\..\..\x"] {
            let text = format!("[Startup]\ns-1-1-0={target}\n");
            assert_eq!(said(&text), [format!("Startup is taken from {target}")]);
        }
    }
}
