//! Status messages: the findings of an operation, as GPMC's `GPMStatusMessage` [gpmgmt.h IGPMStatusMessage].

use crate::model::reference::Place;

/// The severity of a finding.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Information.
    Info,
    /// A possible problem; the operation continues.
    Warning,
    /// A problem that ends the operation, or that prevents a part of it.
    Error,
}

/// One finding of an operation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StatusMessage {
    /// Its severity.
    pub severity: Severity,
    /// A stable name for scripts, lower case with hyphens, such as `unmapped-reference`.
    pub code: String,
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

impl StatusMessage {
    /// Creates a finding of this severity.
    pub fn new(severity: Severity, code: &str, text: impl Into<String>) -> Self {
        Self {
            severity,
            code: code.to_owned(),
            text: text.into(),
            gpo: None,
            place: None,
            hint: None,
        }
    }

    /// Creates an informational finding.
    pub fn info(code: &str, text: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, text)
    }

    /// Creates a warning.
    pub fn warning(code: &str, text: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, text)
    }

    /// Creates an error.
    pub fn error(code: &str, text: impl Into<String>) -> Self {
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

    /// Adds the GPO.
    #[must_use]
    pub fn of_gpo(mut self, gpo: impl Into<String>) -> Self {
        self.gpo = Some(gpo.into());
        self
    }
}

/// Prepares text from a file, a table or a directory for a message: escapes control characters, characters that change
/// the writing direction, and zero-width characters. Backslashes are not escaped.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
        if hidden || character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_keeps_backslashes_and_hides_nothing() {
        assert_eq!(printable("SRC\\Büro 'a'"), "SRC\\Büro 'a'");
        assert_eq!(
            printable("a\u{1b}[2J\u{202e}b\n"),
            "a\\u{1b}[2J\\u{202e}b\\n"
        );
    }
}
