//! Status messages: the findings of an operation, as GPMC's `GPMStatusMessage` [gpmgmt.h IGPMStatusMessage].

mod code;

pub use code::Code;

use crate::model::reference::Place;

/// The severity of a finding.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Information.
    Info,
    /// A possible problem; the operation continues.
    Warning,
    /// A problem that ends the operation, or that prevents a part of it.
    Error,
}

impl Severity {
    /// Its name, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding of an operation.
///
/// In a file the code is its name. A name that this version does not have, which another version wrote or somebody edited, does
/// not make the file unreadable: the code becomes [`Code::UnknownCode`] and the text begins with the name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "StoredMessage")]
#[non_exhaustive]
pub struct StatusMessage {
    /// Its severity.
    pub severity: Severity,
    /// What it is about, for scripts.
    pub code: Code,
    /// One lower-case sentence without a full stop.
    pub text: String,
    /// The GPO it is about: its display name or GUID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gpo: Option<String>,
    /// The file, section, key and line, or the object, it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<Place>,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

/// A finding as a file contains it, with a code that may not exist.
#[derive(serde::Deserialize)]
struct StoredMessage {
    severity: Severity,
    code: String,
    text: String,
    #[serde(default)]
    gpo: Option<String>,
    #[serde(default)]
    place: Option<Place>,
    #[serde(default)]
    hint: Option<String>,
}

impl From<StoredMessage> for StatusMessage {
    fn from(stored: StoredMessage) -> Self {
        let (code, text) = match Code::from_name(&stored.code) {
            Some(code) => (code, stored.text),
            None => (
                Code::UnknownCode,
                format!("{}: {}", printable(&stored.code), stored.text),
            ),
        };
        Self {
            severity: stored.severity,
            code,
            text,
            gpo: stored.gpo,
            place: stored.place,
            hint: stored.hint,
        }
    }
}

impl StatusMessage {
    /// Creates a finding of this severity, which must be one of those of the code.
    pub fn new(severity: Severity, code: Code, text: impl Into<String>) -> Self {
        // In tests alone: a message is worth more than the right severity.
        if cfg!(any(test, feature = "testing")) {
            assert!(
                code.severities().contains(&severity),
                "{code} is not of severity {severity:?}"
            );
        }
        Self {
            severity,
            code,
            text: text.into(),
            gpo: None,
            place: None,
            hint: None,
        }
    }

    /// Creates an informational finding.
    pub fn info(code: Code, text: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, text)
    }

    /// Creates a warning.
    pub fn warning(code: Code, text: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, text)
    }

    /// Creates an error.
    pub fn error(code: Code, text: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, text)
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds the next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Marks text and hint as the words of somebody else: `the plan file says`. What is marked already stays as it is.
    pub(crate) fn attribute_to(&mut self, who: &str) {
        let mark = |text: &mut String| {
            if !text
                .strip_prefix(who)
                .is_some_and(|rest| rest.starts_with(": "))
            {
                text.insert_str(0, &format!("{who}: "));
            }
        };
        mark(&mut self.text);
        if let Some(hint) = &mut self.hint {
            mark(hint);
        }
    }

    /// Whether the text names the place again, which is shown before it.
    #[cfg(test)]
    pub(crate) fn repeats_place(&self) -> bool {
        let place = self.place.as_ref().map(|place| place.file.as_str());
        place.is_some_and(|place| !place.is_empty() && self.text.contains(place))
    }

    /// Adds the GPO.
    #[must_use]
    pub fn of_gpo(mut self, gpo: impl Into<String>) -> Self {
        self.gpo = Some(gpo.into());
        self
    }
}

/// Prepares text from a file, a table or a directory for a message: escapes every character that could forge or hide
/// output, such as control characters, line breaks, characters that change the writing direction, zero-width characters, blanks other
/// than the space, and combining marks without a letter to stand on. Backslashes are not escaped, because they are part of most names.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut follows_letter = false;
    for character in text.chars() {
        let is_mark = is_combining(character);
        if character.is_control() || is_invisible(character) || (is_mark && !follows_letter) {
            shown.extend(character.escape_default());
            follows_letter = false;
        } else {
            shown.push(character);
            follows_letter = is_mark || character.is_alphanumeric();
        }
    }
    shown
}

/// Whether a character is drawn over the one before it, which names in many languages need [Unicode 17, blocks of combining marks, and the
/// points of Hebrew and Arabic].
fn is_combining(character: char) -> bool {
    matches!(
        character,
        '\u{300}'..='\u{36F}'
            | '\u{483}'..='\u{489}'
            | '\u{591}'..='\u{5BD}'
            | '\u{5BF}'
            | '\u{5C1}'..='\u{5C2}'
            | '\u{5C4}'..='\u{5C5}'
            | '\u{5C7}'
            | '\u{610}'..='\u{61A}'
            | '\u{64B}'..='\u{65F}'
            | '\u{670}'
            | '\u{6D6}'..='\u{6DC}'
            | '\u{6DF}'..='\u{6E4}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{302A}'..='\u{302F}'
            | '\u{3099}'..='\u{309A}'
            | '\u{FE20}'..='\u{FE2F}'
    )
}

/// Text as one word of a shell command, in quotes where they are needed. A hint with a command works when it is pasted.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Whether a character changes the order of others, breaks the line, or takes no room [Unicode 17, Bidi_Control,
/// Default_Ignorable_Code_Point and the category Cf], or has no ink, such as blanks other than the space (Zs) and what is not a character:
/// two names that differ only in these look the same.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{A0}'
            | '\u{AD}'
            | '\u{34F}'
            | '\u{600}'..='\u{605}'
            | '\u{61C}'
            | '\u{6DD}'
            | '\u{70F}'
            | '\u{890}'..='\u{891}'
            | '\u{8E2}'
            | '\u{115F}'..='\u{1160}'
            | '\u{1680}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{2000}'..='\u{200F}'
            | '\u{2028}'..='\u{202F}'
            | '\u{205F}'
            | '\u{2060}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3000}'
            | '\u{3164}'
            | '\u{FDD0}'..='\u{FDEF}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{FFFE}'..='\u{FFFF}'
            | '\u{110BD}'
            | '\u{110CD}'
            | '\u{13430}'..='\u{1343F}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_an_unknown_code_is_read_and_keeps_its_name() {
        let known = StatusMessage::warning(Code::UnusedRow, "text").with_hint("hint");
        let json = serde_json::to_string(&known).unwrap();
        assert!(json.contains("\"code\":\"unused-row\""), "{json}");
        assert_eq!(serde_json::from_str::<StatusMessage>(&json).unwrap(), known);
        let other = json.replace("unused-row", "of-tomorrow\\u001b[2J");
        let read: StatusMessage = serde_json::from_str(&other).unwrap();
        assert_eq!(read.code, Code::UnknownCode);
        assert_eq!(read.text, "of-tomorrow\\u{1b}[2J: text");
        assert_eq!(
            (read.severity, read.hint.as_deref()),
            (Severity::Warning, Some("hint"))
        );
        // Written and read again, it does not grow.
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<StatusMessage>(&json).unwrap(), read);
    }

    #[test]
    fn printable_text_keeps_backslashes_and_hides_nothing() {
        assert_eq!(printable("SRC\\Büro 'a'"), "SRC\\Büro 'a'");
        assert_eq!(
            printable("a\u{1b}[2J\u{202e}b\n"),
            "a\\u{1b}[2J\\u{202e}b\\n"
        );
        let hidden =
            "\r\u{85}\u{2028}\u{2029}\u{200b}\u{200d}\u{61c}\u{2066}\u{feff}\u{ad}\u{e0041}";
        let shown = printable(hidden);
        assert!(
            shown.is_ascii() && !shown.contains(char::is_control),
            "{shown}"
        );
        assert_eq!(printable(&shown), shown);
        for selector in [
            '\u{FE00}',
            '\u{FE0F}',
            '\u{E0100}',
            '\u{180B}',
            '\u{2800}',
            '\u{FFF8}',
        ] {
            let shown = printable(&format!("a{selector}"));
            assert!(shown.is_ascii(), "{selector:?}: {shown}");
        }
    }

    #[test]
    fn blanks_and_marks_that_look_like_another_name_are_escaped() {
        for (text, shown) in [
            ("Domain\u{a0}Admins", "Domain\\u{a0}Admins"),
            (
                "a\u{2003}b\u{202f}c\u{3000}",
                "a\\u{2003}b\\u{202f}c\\u{3000}",
            ),
            ("a\u{1680}\u{205f}", "a\\u{1680}\\u{205f}"),
            ("\u{600}\u{110bd}\u{fdd0}", "\\u{600}\\u{110bd}\\u{fdd0}"),
            // Letters of real names, as one character and as two.
            ("Bu\u{308}ro \u{e9}t\u{e9}", "Bu\u{308}ro \u{e9}t\u{e9}"),
            ("e\u{323}\u{302}", "e\u{323}\u{302}"),
            ("\u{5e9}\u{5c1}\u{5b8}", "\u{5e9}\u{5c1}\u{5b8}"),
            ("\u{301}a", "\\u{301}a"),
            ("\"\u{338}", "\"\\u{338}"),
            ("\u{200b}\u{301}", "\\u{200b}\\u{301}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
