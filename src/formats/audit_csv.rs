//! audit.csv: advanced audit policy [MS-GPAC 2.2.1.2]. The two `…GlobalSacl` lines hold SDDL.

use std::ops::Range;

use super::ini::{IniFile, IniLine};
use super::text::TextError;

/// An audit.csv: a view on its lines. Edit [`AuditCsv::lines`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCsv {
    /// The lines, the first of which contains the field names.
    pub lines: IniFile,
}

/// The most fields of a line; Windows writes seven.
pub const MAX_FIELDS: usize = 20_000;

/// A field of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditField {
    /// Its span in the line's text, in bytes, including quotes.
    pub span: Range<usize>,
    /// Its value, without quotes.
    pub value: String,
}

/// The bytes are not an audit.csv.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditCsvError {
    /// The bytes are not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A quoted field is not closed, or text follows its end.
    #[error("line {0}: a quoted field is not closed before the next comma")]
    Quotes(usize),
    /// A line has more fields than are read.
    #[error("line {0}: more than {MAX_FIELDS} fields")]
    TooManyFields(usize),
    /// A line has more or fewer fields than the first one.
    #[error("line {line}: {found} fields, and the first line has {expected}")]
    Fields {
        /// The line, from 1.
        line: usize,
        /// Its fields.
        found: usize,
        /// The fields of the first line.
        expected: usize,
    },
}

impl AuditCsv {
    /// Reads a file: every line has as many fields as the first one. An empty file is fine.
    ///
    /// # Errors
    /// [`AuditCsvError`] naming the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, AuditCsvError> {
        let lines = IniFile::parse_text_only(bytes)?;
        let mut expected = None;
        for line in lines.lines() {
            if line.text.is_empty() {
                continue;
            }
            let found = fields(line.text).ok_or(AuditCsvError::Quotes(line.number))?;
            let found = found.len();
            if found > MAX_FIELDS {
                return Err(AuditCsvError::TooManyFields(line.number));
            }
            let expected = *expected.get_or_insert(found);
            if found != expected {
                return Err(AuditCsvError::Fields {
                    line: line.number,
                    found,
                    expected,
                });
            }
        }
        Ok(Self { lines })
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// As [`IniFile::to_bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, TextError> {
        self.lines.to_bytes()
    }

    /// The settings in order, each with its fields: machine, target, subcategory, its GUID, inclusion setting,
    /// exclusion setting, and value. The header line is not a setting.
    pub fn settings(&self) -> impl Iterator<Item = (IniLine<'_>, Vec<AuditField>)> {
        self.lines
            .lines()
            .filter(|line| !line.text.is_empty())
            .skip(1)
            .filter_map(|line| Some((line, fields(line.text)?)))
    }
}

/// The fields of a line, no more than needed to see that there are too many; `None` when quotes are not closed. Within
/// quotes, a doubled quote is one quote.
fn fields(line: &str) -> Option<Vec<AuditField>> {
    let mut found = Vec::new();
    let mut start = 0;
    loop {
        let rest = line.get(start..)?;
        let (length, value) = match rest.strip_prefix('"') {
            Some(inside) => {
                let mut end = 0;
                loop {
                    end += inside.get(end..)?.find('"')?;
                    match inside.get(end + 1..)?.strip_prefix('"') {
                        Some(_) => end += 2,
                        None => break,
                    }
                }
                (end + 2, inside.get(..end)?.replace("\"\"", "\""))
            }
            None => {
                let length = rest.find(',').unwrap_or(rest.len());
                (length, rest.get(..length)?.to_owned())
            }
        };
        let end = start + length;
        found.push(AuditField {
            span: start..end,
            value,
        });
        let after = line.get(end..)?;
        if after.is_empty() || found.len() > MAX_FIELDS {
            return Some(found);
        }
        after.strip_prefix(',')?;
        start = end + 1;
    }
}

/// Formats a value as a field: quoted if it was quoted before or has to be.
pub fn field_text(value: &str, was_quoted: bool) -> String {
    if was_quoted || value.contains([',', '"']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value\r\n";

    #[test]
    fn settings_and_their_fields() {
        let text = format!(
            "{HEAD},System,Audit Logon,{{0cce9215-69ae-11d9-bed3-505054503030}},Success,,1\r\n\r\nPC,,FileGlobalSacl,,,,\"S:(RA;;;;;WD;(\"\"a\"\",TS,0x0,\"\"b\"\"))\"\n"
        );
        let file = AuditCsv::parse(text.as_bytes()).unwrap();
        assert_eq!(file.to_bytes().unwrap(), text.as_bytes());
        let shown: Vec<_> = file
            .settings()
            .map(|(line, fields)| (line.number, fields[2].value.clone(), fields[6].clone()))
            .collect();
        assert_eq!(shown[0].0, 2);
        assert_eq!(shown[0].1, "Audit Logon");
        assert_eq!(shown[1].0, 4);
        assert_eq!(shown[1].2.value, "S:(RA;;;;;WD;(\"a\",TS,0x0,\"b\"))");
        let line = text.lines().nth(3).unwrap();
        let again = field_text(&shown[1].2.value, true);
        assert_eq!(line.get(shown[1].2.span.clone()).unwrap(), again);
        assert_eq!(field_text("S:(AU;SA;FA;;;WD)", false), "S:(AU;SA;FA;;;WD)");
        assert_eq!(field_text("a,b", false), "\"a,b\"");
        assert!(AuditCsv::parse(b"").unwrap().settings().next().is_none());
    }

    #[test]
    fn errors_contain_the_line() {
        let say = |rest: &str| {
            let text = format!("{HEAD}{rest}");
            AuditCsv::parse(text.as_bytes()).unwrap_err().to_string()
        };
        assert_eq!(say("a,b"), "line 2: 2 fields, and the first line has 7");
        let quotes = "line 3: a quoted field is not closed before the next comma";
        assert_eq!(say(",,,,,,\n,,,,,,\"x"), quotes);
        assert_eq!(say(",,,,,,\n,,,,,,\"x\"y"), quotes);
    }

    proptest! {
        #[test]
        fn round_trips_accepted_files(text in "([a,\"\r\n\u{e4}]|,,|\"\"){0,40}", value in "[a,\"\u{e4}]{0,9}") {
            if let Ok(file) = AuditCsv::parse(text.as_bytes()) {
                prop_assert_eq!(file.to_bytes().unwrap(), text.as_bytes());
            }
            let line = field_text(&value, false);
            prop_assert_eq!(&fields(&line).unwrap()[0].value, &value);
        }
    }
}
