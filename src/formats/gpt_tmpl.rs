//! GptTmpl.inf: security settings [MS-GPSB 2.2].

use std::ops::Range;

use super::ini::{self, IniFile, IniLine, LineKind};
use super::text::TextError;

/// A GptTmpl.inf: a view on an INI file. Edits go to [`GptTmpl::ini`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GptTmpl {
    /// The lines.
    pub ini: IniFile,
}

/// The setting in a line of GptTmpl.inf. Spans are byte ranges in the line's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting<'a> {
    /// A line of `[Privilege Rights]` [MS-GPSB 2.2.6].
    PrivilegeRight {
        /// The right, such as `SeBackupPrivilege`.
        right: &'a str,
        /// The list of its holders, separated by commas.
        members: Range<usize>,
    },
    /// A line of `[Group Membership]` [MS-GPSB 2.2.10].
    GroupMembership {
        /// The group: `*SID` or a name.
        group: Range<usize>,
        /// Which of the group's two lists it is.
        side: Membership,
        /// The list, separated by commas.
        members: Range<usize>,
    },
    /// A line of `[Service General Setting]`, `[File Security]` or `[Registry Keys]` [MS-GPSB 2.2.7 to 2.2.9].
    Secured {
        /// The service, path or key, without quotes.
        name: Range<usize>,
        /// The startup mode of a service, or the inheritance mode of the descriptor. Not interpreted.
        mode: Range<usize>,
        /// The security descriptor as SDDL, without quotes; often empty.
        sddl: Range<usize>,
    },
    /// A line of `[Registry Values]` [MS-GPSB 2.2.5].
    RegistryValue {
        /// Key and value name.
        path: &'a str,
        /// The registry type: 1 string, 2 string with variables, 3 binary, 4 number, 7 list of strings.
        value_type: u32,
        /// The data after the type and its comma.
        data: Range<usize>,
    },
    /// `key=value` of any other section.
    Other {
        /// The key.
        key: &'a str,
        /// The value.
        value: &'a str,
    },
}

/// The two lists of a group in `[Group Membership]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Membership {
    /// `__Members`: the members of the group.
    Members,
    /// `__Memberof`: the groups that the group is a member of.
    MemberOf,
}

impl Membership {
    /// Splits the key of a line of `[Group Membership]` into group and list.
    fn of_key(key: &str) -> Option<(&str, Self)> {
        let ends = [("__Members", Self::Members), ("__Memberof", Self::MemberOf)];
        ends.into_iter().find_map(|(end, side)| {
            let (group, tail) = key.split_at_checked(key.len().checked_sub(end.len())?)?;
            (tail.eq_ignore_ascii_case(end) && !group.is_empty()).then_some((group, side))
        })
    }
}

impl GptTmpl {
    /// Reads a file. Unknown sections and lines are kept unchanged.
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

    /// The lines that contain settings, with the settings. Blank lines, comments and lines that do not match the format
    /// of their section are left out.
    pub fn settings(&self) -> impl Iterator<Item = (IniLine<'_>, Setting<'_>)> {
        self.ini
            .lines()
            .filter_map(|line| Some((line, setting(&line)?)))
    }
}

fn setting<'a>(line: &IniLine<'a>) -> Option<Setting<'a>> {
    if matches!(
        line.kind,
        LineKind::Section(_) | LineKind::Comment | LineKind::Blank
    ) {
        return None;
    }
    let of = |name| line.is_in(name);
    if of("Service General Setting") || of("File Security") || of("Registry Keys") {
        return secured(line.text);
    }
    let (key, value) = line.pair()?;
    let value_span = ini::value_span(line.text)?;
    if of("Privilege Rights") {
        Some(Setting::PrivilegeRight {
            right: key,
            members: value_span,
        })
    } else if of("Group Membership") {
        let (group, side) = Membership::of_key(key)?;
        let start = ini::key_span(line.text)?.start;
        Some(Setting::GroupMembership {
            group: start..start + group.len(),
            side,
            members: value_span,
        })
    } else if of("Registry Values") {
        let number = value.split(',').next().unwrap_or_default();
        Some(Setting::RegistryValue {
            path: key,
            value_type: ini::trim(number).parse().ok()?,
            data: (value_span.start + number.len() + 1).min(value_span.end)..value_span.end,
        })
    } else {
        Some(Setting::Other { key, value })
    }
}

/// `"name",mode,"SDDL"`, with or without quotes, with or without a row number `0=` in front.
fn secured(line: &str) -> Option<Setting<'_>> {
    let mut start = 0;
    if let Some((number, _)) = line.split_once('=') {
        let digits = ini::trim(number);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            start = number.len() + 1;
        }
    }
    let rest = ini::trimmed_span(line, start..line.len());
    let text = line.get(rest.clone())?;
    let name_length = match text.strip_prefix('"') {
        Some(quoted) => quoted.find('"')? + 2,
        None => text.find(',')?,
    };
    let name = rest.start..rest.start + name_length;
    let behind = line.get(name.end..)?;
    let comma = name.end + behind.find(',')?;
    let mode_length = line.get(comma + 1..)?.find(',')?;
    let mode = comma + 1..comma + 1 + mode_length;
    // The descriptor is the rest of the line: conditions in SDDL may contain commas and quotes.
    let sddl = ini::trimmed_span(line, mode.end + 1..line.len());
    Some(Setting::Secured {
        name: unquoted(line, ini::trimmed_span(line, name)),
        mode: ini::trimmed_span(line, mode),
        sddl: unquoted(line, sddl),
    })
}

/// The span without surrounding quotes, if there are any.
pub fn unquoted(line: &str, span: Range<usize>) -> Range<usize> {
    let text = line.get(span.clone()).unwrap_or_default();
    if text.len() >= 2 && text.starts_with('"') && text.ends_with('"') {
        span.start + 1..span.end - 1
    } else {
        span
    }
}

/// The strings of a REG_MULTI_SZ in `[Registry Values]`, separated by commas outside of quotes.
pub fn strings(data: &str) -> Vec<String> {
    if data.is_empty() {
        return Vec::new();
    }
    // A list of nothing but commas has as many strings as bytes.
    let mut found = Vec::with_capacity(data.matches(',').count().saturating_add(1));
    found.push(String::new());
    let mut quoted = false;
    for character in data.chars() {
        match (character, found.last_mut()) {
            ('"', _) => quoted = !quoted,
            (',', _) if !quoted => found.push(String::new()),
            (other, Some(last)) => last.push(other),
            (_, None) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(text: &str) -> Vec<String> {
        let file = GptTmpl::parse(text.as_bytes()).unwrap();
        file.settings()
            .map(|(line, setting)| {
                let at = |span: Range<usize>| line.text.get(span).unwrap().to_owned();
                match setting {
                    Setting::PrivilegeRight { right, members } => {
                        format!("right {right}:{}", at(members))
                    }
                    Setting::GroupMembership {
                        group,
                        side,
                        members,
                    } => {
                        format!("group {}:{side:?}:{}", at(group), at(members))
                    }
                    Setting::Secured { name, mode, sddl } => {
                        format!("secured {}:{}:{}", at(name), at(mode), at(sddl))
                    }
                    Setting::RegistryValue {
                        path,
                        value_type,
                        data,
                    } => {
                        format!("registry {path}:{value_type}:{}", at(data))
                    }
                    Setting::Other { key, value } => format!("other {key}:{value}"),
                }
            })
            .collect()
    }

    #[test]
    fn every_section() {
        assert_eq!(
            settings(
                "[Unicode]\r\nUnicode=yes\r\n[Privilege Rights]\r\nSeA = *S-1-1-0,Guest\r\nSeB =\r\n\
                 [Group Membership]\r\n*S-1-5-32-544__Memberof =\r\n a__members= b , c \r\nodd = 1\r\n\
                 [Service General Setting]\r\n\"Spooler\",4,\"\"\r\nDhcp,2,D:(A;;FA;;;SY)\r\n\r\n\
                 [Registry Keys]\r\n0=\"MACHINE\\a=b,c\", 0 ,\"D:(XA;;;;;BA;(a==\"x,y\"))\"\r\nbroken\r\n\
                 [Registry Values]\r\nMACHINE\\x=1,\"a\"\r\nMACHINE\\y=4,1\r\nMACHINE\\z=7\r\n; x=1\r\n"
            ),
            [
                "other Unicode:yes",
                "right SeA:*S-1-1-0,Guest",
                "right SeB:",
                "group *S-1-5-32-544:MemberOf:",
                "group a:Members:b , c",
                "secured Spooler:4:",
                "secured Dhcp:2:D:(A;;FA;;;SY)",
                "secured MACHINE\\a=b,c:0:D:(XA;;;;;BA;(a==\"x,y\"))",
                "registry MACHINE\\x:1:\"a\"",
                "registry MACHINE\\y:4:1",
                "registry MACHINE\\z:7:",
            ]
        );
    }

    #[test]
    fn binary_is_refused() {
        assert_eq!(GptTmpl::parse(b"[a]\nb\0c"), Err(TextError::Nul(2)));
    }

    proptest! {
        #[test]
        fn spans_are_inside(lines in "([\\[\\]=;,\"a \n0]|__Members|\u{e4}){0,40}") {
            for section in ["Registry Keys", "Group Membership", "Privilege Rights", "Registry Values"] {
                settings(&format!("[{section}]\n{}", lines.replace('[', "")));
            }
        }

        #[test]
        fn arbitrary_bytes_round_trip(bytes: Vec<u8>) {
            if let Ok(file) = GptTmpl::parse(&bytes) {
                prop_assert_eq!(file.to_bytes().unwrap(), bytes);
            }
        }
    }

    #[test]
    fn a_comma_in_quotes_separates_nothing() {
        assert_eq!(strings(""), [""; 0]);
        assert_eq!(strings("a,b"), ["a", "b"]);
        assert_eq!(strings(r#""a,b",c,"#), ["a,b", "c", ""]);
        assert_eq!(strings(r#"a",b"#), ["a,b"]);
    }
}
