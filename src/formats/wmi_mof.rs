//! A WMI filter as GPMC exports and imports it: an `instance of MSFT_SomFilter` in the managed object format [DMTF DSP0004].
//!
//! GPMC writes UTF-16LE with a byte order mark and CRLF, the properties in alphabetical order, and omits an empty
//! description.

use super::text::{TextEncoding, TextError, decode, encode};
use crate::model::wmi_filter::{WmiFilterFile, WmiQuery};

/// The maximum size of a file, in bytes; a filter has a few kilobytes.
pub const MAX_BYTES: usize = 1 << 20;

/// The most words, strings and signs that are read; a filter has a few hundred.
const MAX_TOKENS: usize = 100_000;

/// The file is not a WMI filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MofError {
    /// The bytes are not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A syntax error.
    #[error("line {line}: {reason}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The file is too large.
    #[error("the file has {0} bytes, and a WMI filter has at most {MAX_BYTES}")]
    TooLarge(usize),
}

/// Reads the first `MSFT_SomFilter` of a file. Properties may be in any order, and unknown ones are skipped; comments
/// and compiler directives are allowed.
///
/// # Errors
/// [`MofError`] with the line, when the file is not a filter, or has no name or no query.
pub fn parse(bytes: &[u8]) -> Result<WmiFilterFile, MofError> {
    if bytes.len() > MAX_BYTES {
        return Err(MofError::TooLarge(bytes.len()));
    }
    let (_, text) = decode(bytes)?;
    let mut reader = MofReader::new(&text)?;
    let mut filter = WmiFilterFile::default();
    reader.header("MSFT_SomFilter")?;
    reader.expect('{')?;
    while !reader.accept('}') {
        let name = reader.word("a property")?;
        reader.expect('=')?;
        if name.eq_ignore_ascii_case("Rules") {
            filter.queries = reader.rules()?;
        } else {
            let value = reader.value()?;
            let field = match name.to_ascii_lowercase().as_str() {
                "author" => &mut filter.author,
                "changedate" => &mut filter.changed,
                "creationdate" => &mut filter.created,
                "description" => &mut filter.description,
                "domain" => &mut filter.domain,
                "id" => &mut filter.id,
                "name" => &mut filter.name,
                _ => {
                    reader.expect(';')?;
                    continue;
                }
            };
            *field = value;
        }
        reader.expect(';')?;
    }
    reader.expect(';')?;
    if filter.name.is_empty() {
        return Err(reader.bad("the filter has no Name"));
    }
    if filter.queries.is_empty() {
        return Err(reader.bad("the filter has no Rules"));
    }
    Ok(filter)
}

/// Writes a filter as GPMC does.
///
/// # Errors
/// None in practice: UTF-16 can represent any text.
pub fn write(filter: &WmiFilterFile) -> Result<Vec<u8>, TextError> {
    let mut text = "\r\ninstance of MSFT_SomFilter\r\n{\r\n".to_owned();
    let mut property = |name: &str, value: &str| {
        text.push_str(&format!("\t{name} = {};\r\n", quoted(value)));
    };
    property("Author", &filter.author);
    property("ChangeDate", &filter.changed);
    property("CreationDate", &filter.created);
    if !filter.description.is_empty() {
        property("Description", &filter.description);
    }
    property("Domain", &filter.domain);
    property("ID", &filter.id);
    property("Name", &filter.name);
    text.push_str("\tRules = {");
    for (index, query) in filter.queries.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str("\r\ninstance of MSFT_Rule\r\n{\r\n");
        for (name, value) in [
            ("Query", &query.query),
            ("QueryLanguage", &query.language),
            ("TargetNameSpace", &query.namespace),
        ] {
            text.push_str(&format!("\t{name} = {};\r\n", quoted(value)));
        }
        text.push('}');
    }
    text.push_str("};\r\n};\r\n");
    encode(TextEncoding::Utf16Le { bom: true }, &text)
}

/// A string literal.
fn quoted(value: &str) -> String {
    let mut text = "\"".to_owned();
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

/// A token and the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum MofToken {
    Word(String),
    Text(String),
    Sign(char),
}

struct MofReader {
    tokens: Vec<(usize, MofToken)>,
    next: usize,
    last_line: usize,
}

impl MofReader {
    fn new(text: &str) -> Result<Self, MofError> {
        let mut tokens = Vec::new();
        let mut line = 1;
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            if tokens.len() == MAX_TOKENS {
                return Err(MofError::Syntax {
                    line,
                    reason: format!("there are more than {MAX_TOKENS} words and signs"),
                });
            }
            match character {
                '\n' => line += 1,
                c if c.is_whitespace() => {}
                // A compiler directive ends at the end of its line.
                '#' => while rest.next_if(|c| *c != '\n').is_some() {},
                '/' if rest.next_if_eq(&'/').is_some() => {
                    while rest.next_if(|c| *c != '\n').is_some() {}
                }
                '/' if rest.next_if_eq(&'*').is_some() => {
                    let mut star = false;
                    for c in rest.by_ref() {
                        line += usize::from(c == '\n');
                        if star && c == '/' {
                            break;
                        }
                        star = c == '*';
                    }
                }
                '"' => {
                    let begin = line;
                    let value = string(&mut rest, &mut line)?;
                    tokens.push((begin, MofToken::Text(value)));
                }
                c if c.is_alphanumeric() || "_$-+.".contains(c) => {
                    let mut word = c.to_string();
                    while let Some(c) =
                        rest.next_if(|c| c.is_alphanumeric() || "_$-+.:".contains(*c))
                    {
                        word.push(c);
                    }
                    tokens.push((line, MofToken::Word(word)));
                }
                c => tokens.push((line, MofToken::Sign(c))),
            }
        }
        Ok(Self {
            tokens,
            next: 0,
            last_line: line,
        })
    }

    fn bad(&self, reason: &str) -> MofError {
        let line = self
            .tokens
            .get(self.next)
            .map_or(self.last_line, |(line, _)| *line);
        MofError::Syntax {
            line,
            reason: reason.to_owned(),
        }
    }

    fn peek(&self) -> Option<&MofToken> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn accept(&mut self, sign: char) -> bool {
        let is = self.peek() == Some(&MofToken::Sign(sign));
        self.next += usize::from(is);
        is
    }

    fn expect(&mut self, sign: char) -> Result<(), MofError> {
        if self.accept(sign) {
            return Ok(());
        }
        Err(self.bad(&format!("there should be a {sign}")))
    }

    fn word(&mut self, what: &str) -> Result<String, MofError> {
        let Some(MofToken::Word(word)) = self.peek() else {
            return Err(self.bad(&format!("there should be {what}")));
        };
        let word = word.clone();
        self.next += 1;
        Ok(word)
    }

    /// `instance of CLASS`.
    fn header(&mut self, class: &str) -> Result<(), MofError> {
        for wanted in ["instance", "of", class] {
            let found = self.word(&format!("\"instance of {class}\""))?;
            if !found.eq_ignore_ascii_case(wanted) {
                self.next = self.next.saturating_sub(1);
                return Err(self.bad(&format!("there should be \"instance of {class}\"")));
            }
        }
        Ok(())
    }

    /// Reads a string of one or several literals, or a word such as a number or NULL.
    fn value(&mut self) -> Result<String, MofError> {
        let mut value = String::new();
        let mut any = false;
        while let Some(MofToken::Text(text)) = self.peek() {
            value.push_str(text);
            any = true;
            self.next += 1;
        }
        if any {
            return Ok(value);
        }
        let word = self.word("a value")?;
        Ok(if word.eq_ignore_ascii_case("NULL") {
            String::new()
        } else {
            word
        })
    }

    /// `{ instance of MSFT_Rule { … }, … }`.
    fn rules(&mut self) -> Result<Vec<WmiQuery>, MofError> {
        let mut rules = Vec::new();
        self.expect('{')?;
        loop {
            self.header("MSFT_Rule")?;
            self.expect('{')?;
            let mut rule = WmiQuery {
                language: "WQL".to_owned(),
                namespace: String::new(),
                query: String::new(),
            };
            while !self.accept('}') {
                let name = self.word("a property")?;
                self.expect('=')?;
                let value = self.value()?;
                self.expect(';')?;
                match name.to_ascii_lowercase().as_str() {
                    "query" => rule.query = value,
                    "querylanguage" => rule.language = value,
                    "targetnamespace" => rule.namespace = value,
                    _ => {}
                }
            }
            if rule.query.is_empty() || rule.namespace.is_empty() {
                return Err(self.bad("a rule needs Query and TargetNameSpace"));
            }
            rules.push(rule);
            if !self.accept(',') {
                break;
            }
        }
        self.expect('}')?;
        Ok(rules)
    }
}

/// The rest of a string literal.
fn string(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    line: &mut usize,
) -> Result<String, MofError> {
    let begin = *line;
    let bad = |reason: &str| MofError::Syntax {
        line: begin,
        reason: reason.to_owned(),
    };
    let mut value = String::new();
    while let Some(character) = rest.next() {
        match character {
            '"' => return Ok(value),
            '\\' => match rest.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some('b') => value.push('\u{8}'),
                Some('f') => value.push('\u{c}'),
                Some('x' | 'X') => {
                    let mut digits = String::new();
                    while digits.len() < 4 {
                        let Some(digit) = rest.next_if(char::is_ascii_hexdigit) else {
                            break;
                        };
                        digits.push(digit);
                    }
                    let character = u32::from_str_radix(&digits, 16)
                        .ok()
                        .and_then(char::from_u32)
                        .ok_or_else(|| bad("\\x is not followed by a character's number"))?;
                    value.push(character);
                }
                Some(other) => value.push(other),
                None => break,
            },
            other => {
                *line += usize::from(other == '\n');
                value.push(other);
            }
        }
    }
    Err(bad("a string does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GPMC: &str = "\r\ninstance of MSFT_SomFilter\r\n{\r\n\tAuthor = \"admin@corp.example\";\r\n\tChangeDate = \"20230320164700.717000-000\";\r\n\tCreationDate = \"20230320164655.100000-000\";\r\n\tDescription = \"Servers \\\"and\\\" desks\";\r\n\tDomain = \"corp.example\";\r\n\tID = \"{93B95A6C-ECF8-4357-9E34-040521A227D3}\";\r\n\tName = \"Büro\";\r\n\tRules = {\r\ninstance of MSFT_Rule\r\n{\r\n\tQuery = \"SELECT * FROM A WHERE B LIKE \\\"10.%\\\"\";\r\n\tQueryLanguage = \"WQL\";\r\n\tTargetNameSpace = \"root\\\\CIMv2\";\r\n}, \r\ninstance of MSFT_Rule\r\n{\r\n\tQuery = \"SELECT * FROM C\";\r\n\tQueryLanguage = \"WQL\";\r\n\tTargetNameSpace = \"root\\\\ccm\";\r\n}};\r\n};\r\n";

    fn utf16(text: &str) -> Vec<u8> {
        encode(TextEncoding::Utf16Le { bom: true }, text).unwrap()
    }

    #[test]
    fn files_of_gpmc_round_trip() {
        let bytes = utf16(GPMC);
        let filter = parse(&bytes).unwrap();
        assert_eq!(filter.name, "Büro");
        assert_eq!(filter.description, "Servers \"and\" desks");
        assert_eq!(filter.queries.len(), 2);
        assert_eq!(filter.queries[1].namespace, r"root\ccm");
        assert_eq!(
            filter.queries[0].query,
            "SELECT * FROM A WHERE B LIKE \"10.%\""
        );
        assert_eq!(write(&filter).unwrap(), bytes);
        let bare = WmiFilterFile {
            description: String::new(),
            ..filter
        };
        let written = write(&bare).unwrap();
        assert!(!decode(&written).unwrap().1.contains("Description"));
        assert_eq!(parse(&written).unwrap(), bare);
    }

    #[test]
    fn other_editors_write_other_forms() {
        let text = "#pragma namespace(\"x\")\n// a comment\ninstance of msft_somfilter {\n Name = \"a\" \"b\\x41\"; Rules = { instance of MSFT_Rule { targetnamespace=\"root\"; Query=\"q\"; Other = 7; } }; SourceOrganization = NULL; /* more\n */ };";
        let filter = parse(text.as_bytes()).unwrap();
        assert_eq!(filter.name, "abA");
        assert_eq!(filter.queries[0].language, "WQL");
    }

    #[test]
    fn syntax_errors_contain_the_line() {
        let line = |text: &str| match parse(text.as_bytes()) {
            Err(MofError::Syntax { line, reason }) => {
                assert!(!reason.is_empty());
                line
            }
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(line(""), 1);
        assert_eq!(line("\n\ninstance of Something {};"), 3);
        assert_eq!(line("instance of MSFT_SomFilter\n{\nName \"x\";\n};"), 3);
        assert_eq!(line("instance of MSFT_SomFilter\n{\nName = \"x;\n};"), 3);
        assert_eq!(
            line("instance of MSFT_SomFilter\n{\nName = \"x\";\n};\n"),
            5
        );
        assert_eq!(line("instance of MSFT_SomFilter {\nRules = { 7 };\n};"), 2);
        assert!(matches!(
            parse(&vec![b' '; MAX_BYTES + 1]),
            Err(MofError::TooLarge(_))
        ));
    }

    proptest! {
        #[test]
        fn every_filter_survives_and_junk_does_no_harm(
            texts in prop::array::uniform4(".{1,12}"),
            junk in "(instance of |MSFT_SomFilter|MSFT_Rule|Rules|[{}=;,\"/*#\\\\ a\n]){0,60}",
        ) {
            let [name, description, query, namespace] = texts;
            let filter = WmiFilterFile {
                name,
                description,
                queries: vec![WmiQuery { language: "WQL".to_owned(), namespace, query }],
                ..WmiFilterFile::default()
            };
            prop_assert_eq!(parse(&write(&filter).unwrap()).unwrap(), filter);
            let _ = parse(junk.as_bytes());
        }
    }
}
