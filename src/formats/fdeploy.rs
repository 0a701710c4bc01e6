//! fdeploy.ini and fdeploy1.ini: folder redirection, versions 0 and 1 [MS-GPFR 2.2].

use std::ops::Range;

use super::ini::{self, IniFile, IniLine, LineKind};
use super::text::TextError;
use crate::model::sid::Sid;

/// A folder redirection file of either version, or an empty marker file that Windows and Samba create. Edit
/// [`Fdeploy::ini`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fdeploy {
    /// The lines.
    pub ini: IniFile,
}

/// The meaning of a line. Spans are byte ranges in the line's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirection<'a> {
    /// Version 1: `{folder}=SID;SID;` in `[Folder_Redirection]` [MS-GPFR 2.2.2]. Earlier SIDs have priority.
    Principals {
        /// The folder's GUID as written, in braces.
        folder: &'a str,
        /// The list, separated by semicolons, often with a trailing one.
        list: Range<usize>,
    },
    /// Version 1: the header `[{folder}_SID]`.
    Target {
        /// The folder's GUID as written, in braces.
        folder: &'a str,
        /// The SID as written.
        sid: &'a str,
    },
    /// Version 1: `Flags` of a target, hexadecimal without `0x`.
    Flags(Option<u32>),
    /// Version 1: `FullPath` of a target.
    FullPath(Range<usize>),
    /// Version 0: `SID=path` in the section of a folder [MS-GPFR 2.2.1].
    Path {
        /// The SID.
        sid: Range<usize>,
        /// The path.
        path: Range<usize>,
    },
    /// Version 0: `folder=flags` in `[FolderStatus]`, hexadecimal without `0x`.
    Status {
        /// The folder's name, such as `My Documents`.
        folder: &'a str,
        /// Its flags.
        flags: Option<u32>,
    },
}

impl Fdeploy {
    /// Reads a file of either version. A file without a section, the marker of a GPO without settings of that version,
    /// is accepted.
    ///
    /// # Errors
    /// [`TextError`] when the file contradicts its byte order mark or is binary.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let ini = IniFile::parse_text_only(bytes)?;
        Ok(Self { ini })
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// As [`IniFile::to_bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, TextError> {
        self.ini.to_bytes()
    }

    /// The lines about redirection, with their meaning.
    pub fn redirections(&self) -> impl Iterator<Item = (IniLine<'_>, Redirection<'_>)> {
        // Check once per section whether it belongs to a target, not for each line: its name may be long.
        let mut target = None;
        self.ini.lines().filter_map(move |line| {
            if let LineKind::Section(name) = line.kind {
                target = split_target_section(name);
            }
            Some((line, redirection(&line, target)?))
        })
    }
}

/// The folder and the SID in the name of a section of version 1, `{folder}_SID`.
pub fn split_target_section(section: &str) -> Option<(&str, &str)> {
    let end = section.find("}_")?;
    let (folder, rest) = section.split_at_checked(end + 1)?;
    let sid = rest.strip_prefix('_')?;
    folder.starts_with('{').then_some((folder, ini::trim(sid)))
}

/// Parses a line; `target` is the folder and SID of its section, when that is a section of version 1.
fn redirection<'a>(
    line: &IniLine<'a>,
    target: Option<(&'a str, &'a str)>,
) -> Option<Redirection<'a>> {
    if let LineKind::Section(_) = line.kind {
        let (folder, sid) = target?;
        return Some(Redirection::Target { folder, sid });
    }
    let (key, value) = line.pair()?;
    let span = ini::value_span(line.text)?;
    let hexadecimal = || u32::from_str_radix(value, 16).ok();
    if line.is_in("Folder_Redirection") || line.is_in("Folder Redirection") {
        return Some(Redirection::Principals {
            folder: key,
            list: span,
        });
    }
    if line.is_in("FolderStatus") || line.is_in("Folder Status") {
        return Some(Redirection::Status {
            folder: key,
            flags: hexadecimal(),
        });
    }
    if target.is_some() {
        return if ini::eq_ignore_case(key, "FullPath") {
            Some(Redirection::FullPath(span))
        } else if ini::eq_ignore_case(key, "Flags") {
            Some(Redirection::Flags(hexadecimal()))
        } else {
            None
        };
    }
    key.parse::<Sid>().ok()?;
    Some(Redirection::Path {
        sid: ini::key_span(line.text)?,
        path: span,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn version_1_in_both_dialects() {
        for text in [
            "\r\n     \r\n[version]\r\nversion=100\r\n[Folder_Redirection]\r\n{F-1}=s-1-1-0;\r\n\
             [{F-1}_s-1-1-0]\r\nFlags=1021\r\nFullPath=\\\\s\\r\\%USERNAME%\r\n",
            "[version]\nversion = 100\n\n[Folder_Redirection]\n{F-1} = s-1-1-0;\n\n\
             [{F-1}_s-1-1-0]\nFlags = 1021\nFullPath = \\\\s\\r\\%USERNAME%\n",
        ] {
            let file = Fdeploy::parse(text.as_bytes()).unwrap();
            assert_eq!(file.to_bytes().unwrap(), text.as_bytes());
            let said: Vec<String> = file
                .redirections()
                .map(|(line, said)| match said {
                    Redirection::Principals { folder, list } => {
                        format!("{folder} {}", line.text.get(list).unwrap())
                    }
                    Redirection::FullPath(span) => line.text.get(span).unwrap().to_owned(),
                    other => format!("{other:?}"),
                })
                .collect();
            assert_eq!(
                said,
                [
                    "{F-1} s-1-1-0;",
                    "Target { folder: \"{F-1}\", sid: \"s-1-1-0\" }",
                    "Flags(Some(4129))",
                    r"\\s\r\%USERNAME%",
                ]
            );
        }
    }

    #[test]
    fn version_0() {
        let text = "[FolderStatus]\r\nMy Documents=b\r\n[My Documents]\r\nS-1-1-0=\\\\s\\r\r\n";
        let file = Fdeploy::parse(text.as_bytes()).unwrap();
        let said: Vec<_> = file.redirections().map(|(_, said)| said).collect();
        assert_eq!(
            said,
            [
                Redirection::Status {
                    folder: "My Documents",
                    flags: Some(11)
                },
                Redirection::Path {
                    sid: 0..7,
                    path: 8..13
                },
            ]
        );
    }

    #[test]
    fn marker_files_are_accepted() {
        for marker in [&b""[..], b"\xFF\xFE\r\0\n\0 \0 \0 \0 \0 \0\r\0\n\0"] {
            let file = Fdeploy::parse(marker).unwrap();
            assert_eq!(file.redirections().count(), 0);
            assert_eq!(file.to_bytes().unwrap(), marker);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_lines_round_trip(text in "([\\[\\]{}_=;a \n]|S-1-1-0|Folder_Redirection){0,40}") {
            let file = Fdeploy::parse(text.as_bytes()).unwrap();
            file.redirections().count();
            prop_assert_eq!(file.to_bytes().unwrap(), text.as_bytes());
        }

        #[test]
        fn arbitrary_bytes_round_trip(bytes: Vec<u8>) {
            if let Ok(file) = Fdeploy::parse(&bytes) {
                prop_assert_eq!(file.to_bytes().unwrap(), bytes);
            }
        }
    }
}
