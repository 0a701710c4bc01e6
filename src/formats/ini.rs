//! INI files as lines. Every line keeps its characters and its line end, so that unedited lines do not change.

use std::ops::Range;

use super::text::{self, TextEncoding, TextError};

/// An INI file. Sections and keys are located on demand; nothing is reordered, merged or cleaned up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IniFile {
    encoding: TextEncoding,
    /// All characters of the parsed file are ASCII, so the encoding of other characters is not known.
    plain: bool,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    end: LineEnd,
    /// A removed line keeps its index, so that line numbers remain those of the parsed file.
    removed: bool,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// `\r\n`
    CrLf,
    /// `\n`
    Lf,
    /// `\r`
    Cr,
    /// The end of the file.
    None,
}

impl LineEnd {
    fn as_str(self) -> &'static str {
        match self {
            Self::CrLf => "\r\n",
            Self::Lf => "\n",
            Self::Cr => "\r",
            Self::None => "",
        }
    }
}

/// A line with its number and section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IniLine<'a> {
    /// The line's number, from 1; the handle for edits. Edits do not change the numbers of other lines.
    pub number: usize,
    /// The name of its section; `None` before the first section. A header belongs to its own section.
    pub section: Option<&'a str>,
    /// The line without its end.
    pub text: &'a str,
    /// What it is.
    pub kind: LineKind<'a>,
}

impl<'a> IniLine<'a> {
    /// Whether the line is in a section of this name, ignoring case.
    pub fn is_in(&self, section: &str) -> bool {
        self.section
            .is_some_and(|name| eq_ignore_case(name, section))
    }

    /// The key and value of a pair.
    pub fn pair(&self) -> Option<(&'a str, &'a str)> {
        match self.kind {
            LineKind::Pair { key, value } => Some((key, value)),
            _ => None,
        }
    }
}

/// What a line of an INI file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind<'a> {
    /// `[name]`: the text between the brackets.
    Section(&'a str),
    /// `key=value`, both without surrounding blanks.
    Pair {
        /// The text before the first `=`.
        key: &'a str,
        /// The text after it.
        value: &'a str,
    },
    /// `; …`
    Comment,
    /// Only blanks.
    Blank,
    /// Anything else.
    Other,
}

/// Whether two section or key names are equal in Windows, which ignores case. Stops at the end of the shorter one,
/// because the name of a section is compared for each of its lines.
pub fn eq_ignore_case(a: &str, b: &str) -> bool {
    fn folded(text: &str) -> impl Iterator<Item = char> {
        text.chars().flat_map(char::to_lowercase)
    }
    a.eq_ignore_ascii_case(b) || folded(a).eq(folded(b))
}

/// The text without leading and trailing blanks and tabs. Other white space belongs to the value: in an unknown code
/// page it may be half of a character.
pub fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The span without leading and trailing blanks and tabs; an empty span at the end when nothing else remains.
pub fn trimmed_span(text: &str, span: Range<usize>) -> Range<usize> {
    let part = text.get(span.clone()).unwrap_or_default();
    let start = span.end - part.trim_start_matches([' ', '\t']).len();
    start..start + trim(part).len()
}

/// The span of the key in a line: the text before the first `=`, without surrounding blanks.
pub fn key_span(line: &str) -> Option<Range<usize>> {
    Some(trimmed_span(line, 0..line.find('=')?))
}

/// The span of the value in a line: the text after the first `=`, without surrounding blanks.
pub fn value_span(line: &str) -> Option<Range<usize>> {
    let sign = line.find('=')?;
    Some(trimmed_span(line, sign + 1..line.len()))
}

/// The spans of the items of a list within a line, without surrounding blanks. Empty items are skipped.
pub fn list_items(line: &str, span: Range<usize>, separator: char) -> Vec<Range<usize>> {
    let list = line.get(span.clone()).unwrap_or_default();
    let mut start = span.start;
    let mut items = Vec::new();
    for part in list.split(separator) {
        let item = trimmed_span(line, start..start + part.len());
        if !item.is_empty() {
            items.push(item);
        }
        start += part.len() + separator.len_utf8();
    }
    items
}

/// The span of a section's name in its header line.
fn section_span(line: &str) -> Option<Range<usize>> {
    let open = line.len() - line.trim_start_matches([' ', '\t']).len();
    let name = line.get(open..)?.strip_prefix('[')?;
    let close = name.find(']')?;
    Some(open + 1..open + 1 + close)
}

fn kind(line: &str) -> LineKind<'_> {
    let bare = trim(line);
    if bare.is_empty() {
        LineKind::Blank
    } else if bare.starts_with(';') {
        LineKind::Comment
    } else if let Some(name) = section_span(line).and_then(|span| line.get(span)) {
        LineKind::Section(name)
    } else if let Some((key, value)) = line.split_once('=') {
        LineKind::Pair {
            key: trim(key),
            value: trim(value),
        }
    } else {
        LineKind::Other
    }
}

/// Replaces a span of a text; a span that does not fit changes nothing.
pub fn splice(text: &str, span: Range<usize>, with: &str) -> String {
    match (text.get(..span.start), text.get(span.end..)) {
        (Some(before), Some(after)) => [before, with, after].concat(),
        _ => text.to_owned(),
    }
}

impl IniFile {
    /// Parses a file in any encoding.
    ///
    /// # Errors
    /// As [`text::decode`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let (encoding, text) = text::decode(bytes)?;
        // Counted first: a list that grows would hold many times the bytes of a file of empty lines.
        let ends = text.bytes().filter(|byte| matches!(byte, b'\r' | b'\n'));
        let mut lines = Vec::with_capacity(ends.count().saturating_add(1));
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let length = rest.find(['\r', '\n']).unwrap_or(rest.len());
            let (line, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            let end = [LineEnd::CrLf, LineEnd::Lf, LineEnd::Cr]
                .into_iter()
                .find(|end| after.starts_with(end.as_str()))
                .unwrap_or(LineEnd::None);
            lines.push(Line {
                text: line.to_owned(),
                end,
                removed: false,
            });
            rest = after.strip_prefix(end.as_str()).unwrap_or_default();
        }
        let plain = encoding == TextEncoding::Utf8 { bom: false } && text.is_ascii();
        Ok(Self {
            encoding,
            plain,
            lines,
        })
    }

    /// Parses like [`IniFile::parse`], for formats that cannot contain binary data.
    ///
    /// # Errors
    /// As [`IniFile::parse`], and [`TextError::Nul`] when a line contains a NUL character, which means that the file is
    /// binary.
    pub fn parse_text_only(bytes: &[u8]) -> Result<Self, TextError> {
        let ini = Self::parse(bytes)?;
        let nul = ini.lines.iter().position(|line| line.text.contains('\0'));
        match nul {
            Some(index) => Err(TextError::Nul(index + 1)),
            None => Ok(ini),
        }
    }

    /// The file's bytes: the parsed ones, except for edited lines. An ASCII file becomes UTF-16LE with a byte order
    /// mark when an edit adds a non-ASCII character, because Windows would otherwise read that character in the code
    /// page of the machine.
    ///
    /// # Errors
    /// [`TextError::NotEncodable`] when an edit added a character that the file's 8-bit encoding cannot represent, and
    /// [`TextError::ReadOtherwise`] when the edited file would be detected as another encoding.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TextError> {
        let text: String = self
            .lines
            .iter()
            .filter(|line| !line.removed)
            .flat_map(|line| [line.text.as_str(), line.end.as_str()])
            .collect();
        let encoding = if self.plain && !text.is_ascii() {
            TextEncoding::Utf16Le { bom: true }
        } else {
            self.encoding
        };
        text::encode(encoding, &text)
    }

    /// The encoding of the file.
    pub fn encoding(&self) -> TextEncoding {
        self.encoding
    }

    /// The lines that were not removed, in order.
    pub fn lines(&self) -> impl Iterator<Item = IniLine<'_>> {
        self.lines
            .iter()
            .enumerate()
            .filter(|(_, line)| !line.removed)
            .scan(None, |section, (index, line)| {
                let kind = kind(&line.text);
                if let LineKind::Section(name) = kind {
                    *section = Some(name);
                }
                Some(IniLine {
                    number: index + 1,
                    section: *section,
                    text: &line.text,
                    kind,
                })
            })
    }

    /// The first value of this key in sections of this name, ignoring case.
    pub fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.find(section, key).map(|(_, value)| value)
    }

    fn find(&self, section: &str, key: &str) -> Option<(usize, &str)> {
        self.lines()
            .filter(|line| line.is_in(section))
            .find_map(|line| {
                let (found, value) = line.pair()?;
                eq_ignore_case(found, key).then_some((line.number, value))
            })
    }

    fn line_mut(&mut self, number: usize) -> Option<&mut Line> {
        self.lines.get_mut(number.checked_sub(1)?)
    }

    /// Replaces the text of a line; its line end is unchanged. `text` must not contain line ends.
    pub fn set_text(&mut self, number: usize, text: String) {
        if let Some(line) = self.line_mut(number) {
            line.text = text;
        }
    }

    /// Replaces the value of a pair; the key and the blanks around `=` are unchanged.
    pub fn replace_value(&mut self, number: usize, value: &str) {
        if let Some(line) = self.line_mut(number)
            && let Some(span) = value_span(&line.text)
        {
            line.text = splice(&line.text, span, value);
        }
    }

    /// Replaces the key of a pair; the value and the blanks around `=` are unchanged.
    pub fn replace_key(&mut self, number: usize, key: &str) {
        if let Some(line) = self.line_mut(number)
            && let Some(span) = key_span(&line.text)
        {
            line.text = splice(&line.text, span, key);
        }
    }

    /// Replaces the name in a section's header.
    pub fn rename_section(&mut self, number: usize, name: &str) {
        if let Some(line) = self.line_mut(number)
            && let Some(span) = section_span(&line.text)
        {
            line.text = splice(&line.text, span, name);
        }
    }

    /// Removes a line with its end. The other lines keep their numbers.
    pub fn remove_line(&mut self, number: usize) {
        if let Some(line) = self.line_mut(number) {
            line.removed = true;
        }
    }

    /// Removes a section: its header and every line up to the next header.
    pub fn remove_section(&mut self, header: usize) {
        let lines = self.lines.iter_mut().skip(header.saturating_sub(1));
        for (index, line) in lines.enumerate() {
            if index > 0 && matches!(kind(&line.text), LineKind::Section(_)) {
                break;
            }
            line.removed = true;
        }
    }

    /// Sets the value of a key. Changes the first pair with this key in a section of this name; adds a pair after the
    /// section's last pair, in its style, if there is none; adds the section at the end if that is missing too. Added
    /// lines shift the numbers of the lines after them, so line numbers obtained before are invalid.
    pub fn set(&mut self, section: &str, key: &str, value: &str) {
        if let Some((number, _)) = self.find(section, key) {
            return self.replace_value(number, value);
        }
        let mut last = None;
        let mut sign = "=";
        for line in self.lines().filter(|line| line.is_in(section)) {
            match line.kind {
                LineKind::Section(_) if last.is_none() => last = Some(line.number),
                LineKind::Pair { .. } => {
                    last = Some(line.number);
                    sign = if line.text.contains(" = ") {
                        " = "
                    } else {
                        "="
                    };
                }
                _ => {}
            }
        }
        let pair = [key, sign, value].concat();
        match last {
            Some(number) => self.insert(number, pair),
            None => {
                self.insert(self.lines.len(), format!("[{section}]"));
                self.insert(self.lines.len(), pair);
            }
        }
    }

    /// Inserts a line after the first `after` lines, with the line end that the file uses.
    fn insert(&mut self, after: usize, text: String) {
        let style = self.lines.first().map(|line| line.end);
        let own = style
            .filter(|end| *end != LineEnd::None)
            .unwrap_or(LineEnd::CrLf);
        let mut end = own;
        if let Some(before) = after.checked_sub(1).and_then(|i| self.lines.get_mut(i)) {
            if before.end == LineEnd::None {
                // Keep a file without a final line end that way.
                before.end = own;
                end = LineEnd::None;
            } else {
                end = before.end;
            }
        }
        let line = Line {
            text,
            end,
            removed: false,
        };
        self.lines.insert(after.min(self.lines.len()), line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIXED: &[u8] = b"\r\n     \r\n; note\n[General]\rVersion = 1 \r\n\
        displayName=\x90V\x82\xB5\x5B\r\n[general]\r\nVersion=2\r\nodd\r\n[x";

    #[test]
    fn unedited_lines_are_unchanged() {
        let mut ini = IniFile::parse(MIXED).unwrap();
        assert_eq!(ini.to_bytes().unwrap(), MIXED);
        assert_eq!(ini.value("GENERAL", "version"), Some("1"));
        let numbers: Vec<usize> = ini
            .lines()
            .filter(|line| line.pair().is_some_and(|(key, _)| key == "Version"))
            .map(|line| line.number)
            .collect();
        assert_eq!(numbers, [5, 8]);
        ini.set("general", "VERSION", "65537");
        ini.remove_line(8);
        ini.rename_section(7, "Other");
        assert_eq!(
            ini.to_bytes().unwrap(),
            b"\r\n     \r\n; note\n[General]\rVersion = 65537 \r\n\
              displayName=\x90V\x82\xB5\x5B\r\n[Other]\r\nodd\r\n[x"
        );
    }

    #[test]
    fn adds_in_the_style_of_the_file() {
        let added = |before: &str, section: &str| {
            let mut ini = IniFile::parse(before.as_bytes()).unwrap();
            ini.set(section, "k", "v");
            String::from_utf8(ini.to_bytes().unwrap()).unwrap()
        };
        assert_eq!(
            added("[a]\nx = 1\n\n[b]\n", "A"),
            "[a]\nx = 1\nk = v\n\n[b]\n"
        );
        assert_eq!(added("[a]\r\nx=1", "a"), "[a]\r\nx=1\r\nk=v");
        assert_eq!(added("[a]\n", "b"), "[a]\n[b]\nk=v\n");
        assert_eq!(added("", "b"), "[b]\r\nk=v\r\n");
        assert_eq!(added("[a]\r\nk=\r\n", "a"), "[a]\r\nk=v\r\n");
    }

    #[test]
    fn removes_a_whole_section() {
        let mut ini = IniFile::parse(b"[a]\r\n1=2\r\n[b]\r\n3=4\r\n\r\n[c]\r\n").unwrap();
        ini.remove_section(3);
        assert_eq!(ini.to_bytes().unwrap(), b"[a]\r\n1=2\r\n[c]\r\n");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_round_trip(bytes: Vec<u8>) {
            if let Ok(ini) = IniFile::parse(&bytes) {
                prop_assert_eq!(ini.to_bytes().unwrap(), bytes);
            }
        }

        #[test]
        fn ini_like_text_round_trips_and_edits_change_one_line(
            text in "([\\[\\]=;ab \r\n\"{}_-]|\u{e4}|\t){0,60}", number in 0usize..12
        ) {
            let mut ini = IniFile::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(ini.to_bytes().unwrap(), text.as_bytes());
            let before: Vec<String> = ini.lines().map(|l| l.text.to_owned()).collect();
            ini.replace_value(number, "new");
            ini.rename_section(number, "new");
            for (index, line) in ini.lines().enumerate() {
                prop_assert!(index + 1 == number || line.text == before[index]);
            }
            ini.set("a", "b", "c");
            prop_assert_eq!(ini.value("a", "b"), Some("c"));
        }
    }
}
