//! scripts.ini and psscripts.ini: command lines run at startup, shutdown, logon and logoff [MS-GPSCR 2.2].

use std::ops::Range;

use super::ini::{self, IniFile, IniLine};
use super::text::TextError;

/// A scripts.ini or psscripts.ini. Edits go to [`Scripts::ini`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripts {
    /// The lines.
    pub ini: IniFile,
}

/// A line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptLine {
    /// The script's number in its section, from 0.
    pub index: u32,
    /// The type of the value.
    pub part: ScriptPart,
    /// The span of the value in the line's text.
    pub value: Range<usize>,
}

/// The two values of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptPart {
    /// `NCmdLine`: a file in the GPO, or a path.
    CommandLine,
    /// `NParameters`: its parameters.
    Parameters,
}

impl Scripts {
    /// Parses a file; it may be empty.
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

    /// The lines of scripts in any section. Clients ignore a section that does not belong to the file's configuration,
    /// but it is kept and mapped.
    pub fn scripts(&self) -> impl Iterator<Item = (IniLine<'_>, ScriptLine)> {
        self.ini
            .lines()
            .filter_map(|line| Some((line, script(&line)?)))
    }
}

fn script(line: &IniLine<'_>) -> Option<ScriptLine> {
    let (key, _) = line.pair()?;
    let digits = key.bytes().take_while(u8::is_ascii_digit).count();
    let (number, name) = key.split_at_checked(digits)?;
    let part = if ini::eq_ignore_case(name, "CmdLine") {
        ScriptPart::CommandLine
    } else if ini::eq_ignore_case(name, "Parameters") {
        ScriptPart::Parameters
    } else {
        return None;
    };
    Some(ScriptLine {
        index: number.parse().ok()?,
        part,
        value: ini::value_span(line.text)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn command_lines_and_parameters() {
        let text = "\r\n     \r\n[ScriptsConfig]\r\nEndExecutePSFirst=true\r\n[Logon]\r\n\
                    0CmdLine=\\\\s\\n\\a.bat\r\n0Parameters=-x=1 \r\nCmdLine=no\r\n10cmdline = b\r\n";
        let file = Scripts::parse(text.as_bytes()).unwrap();
        assert_eq!(file.to_bytes().unwrap(), text.as_bytes());
        let said: Vec<_> = file
            .scripts()
            .map(|(line, s)| {
                (
                    line.section.unwrap(),
                    s.index,
                    s.part,
                    line.text.get(s.value).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                ("Logon", 0, ScriptPart::CommandLine, r"\\s\n\a.bat"),
                ("Logon", 0, ScriptPart::Parameters, "-x=1"),
                ("Logon", 10, ScriptPart::CommandLine, "b"),
            ]
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_round_trip(bytes: Vec<u8>) {
            if let Ok(file) = Scripts::parse(&bytes) {
                file.scripts().count();
                prop_assert_eq!(file.to_bytes().unwrap(), bytes);
            }
        }
    }
}
