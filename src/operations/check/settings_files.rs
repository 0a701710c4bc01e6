//! Files with settings that their readers cannot read.

use super::extensions;
use crate::message::{Code, StatusMessage};
use crate::migration::references::{GptFileFormat, check_format};
use crate::model::gpt_tree::GptTree;
use crate::model::reference::Place;

/// A finding for each file that cannot be read as what its place says it is. Where a client reads it, none of its settings is applied.
pub(super) fn broken(tree: &GptTree) -> Vec<StatusMessage> {
    tree.files()
        .filter_map(|(path, content)| {
            let problem = check_format(path, content)?.err()?;
            let finding = match GptFileFormat::of(path)? {
                // Of the XML files below `Preferences`, clients read one for each extension.
                GptFileFormat::Preferences if !extensions::is_read(path) => return None,
                GptFileFormat::CommentCmtx | GptFileFormat::GpoCmt | GptFileFormat::GpeIni => {
                    StatusMessage::warning(
                        Code::BrokenFile,
                        format!("editors cannot read this file: {problem}"),
                    )
                }
                _ => StatusMessage::error(
                    Code::BrokenFile,
                    format!("this file cannot be read, so clients apply none of its settings, or not all: {problem}"),
                ),
            };
            let hint = "restore the GPO from a backup, or save the settings again in an editor";
            Some(finding.at(Place::file(path.to_string())).with_hint(hint))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Severity;
    use bytes::Bytes;

    #[test]
    fn what_no_client_can_read_is_an_error() {
        let rows: &[(&str, &[u8], &str)] = &[
            ("Machine/Registry.pol", b"", "error"),
            ("Machine/Registry.pol", b"PReg", "error"),
            ("Machine/Registry.pol", b"XReg\x01\0\0\0", "error"),
            ("Machine/Registry.pol", b"PReg\x01\0\0\0", ""),
            ("User/Registry.pol", b"PReg\x01\0\0\0\0[\0a\0\0\0", "error"),
            (
                "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf",
                b"\xFF\xFE[\0x",
                "error",
            ),
            (
                "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf",
                b"[\0x\0]",
                "error",
            ),
            (
                "Machine/Microsoft/Windows NT/SecEdit/GptTmpl.inf",
                b"[Unicode]\r\nUnicode=yes\r\n",
                "",
            ),
            ("User/Preferences/Drives/Drives.xml", b"<Drives>", "error"),
            ("User/Preferences/Drives/Drives.xml", b"<Drives/>", ""),
            ("User/Scripts/scripts.ini", b"\xFF\xFE\xFF\xFE[\0", "error"),
            ("User/Scripts/psscripts.ini", b"\0[Logon]", "error"),
            (
                "User/Documents & Settings/fdeploy1.ini",
                b"\xFF\xFEx",
                "error",
            ),
            ("User/Documents & Settings/fdeploy.ini", b"a\0b", "error"),
            (
                "Machine/Microsoft/Windows NT/Audit/audit.csv",
                b"\xFF\xFEx",
                "error",
            ),
            ("Machine/comment.cmtx", b"<policyComments>", "warning"),
            ("GPO.cmt", b"x", "warning"),
            ("Machine/Scripts/Startup/a.cmd", b"\xFF\xFEx", ""),
            ("Machine/Preferences/old.xml", b"<", ""),
        ];
        for (path, content, expected) in rows {
            let mut tree = GptTree::new();
            tree.insert_file(&path.parse().unwrap(), Bytes::copy_from_slice(content));
            let found = broken(&tree);
            let word = |it: &StatusMessage| match it.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                _ => "note",
            };
            let said: Vec<&str> = found.iter().map(word).collect();
            let expected: Vec<&str> = [*expected]
                .into_iter()
                .filter(|it| !it.is_empty())
                .collect();
            assert_eq!(said, expected, "{path} {content:?}: {found:?}");
        }
    }
}
