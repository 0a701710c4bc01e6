//! Status messages: the findings of an operation, as GPMC's `GPMStatusMessage` [gpmgmt.h IGPMStatusMessage].

use crate::model::reference::Place;

/// How much a finding weighs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something worth knowing.
    Info,
    /// Something that may not be what was wanted; the operation goes on.
    Warning,
    /// Something that ends the operation, or that left a part of it undone.
    Error,
}

/// One finding of an operation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StatusMessage {
    /// How much it weighs.
    pub severity: Severity,
    /// A stable name for scripts, lower case with hyphens, such as `unmapped-reference`.
    pub code: String,
    /// One lower-case sentence without a full stop.
    pub text: String,
    /// The GPO it speaks of: its display name or GUID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gpo: Option<String>,
    /// The file, section, key and line, or the object, it speaks of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<Place>,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl StatusMessage {
    /// A finding of this severity.
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

    /// A finding worth knowing.
    pub fn info(code: &str, text: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, text)
    }

    /// A finding to look at.
    pub fn warning(code: &str, text: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, text)
    }

    /// A finding that ends the operation or leaves a part of it undone.
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

/// Text from a file, a table or a directory for a sentence: as it stands, but control characters and those that change the
/// direction of a line or take no room are escaped. Backslashes stay single.
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
