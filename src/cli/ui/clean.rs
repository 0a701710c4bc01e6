//! Text that is safe to print.

use std::fmt;

use crate::message::printable;

/// One line of text in which nothing can forge a line, hide a part of it or control the terminal. `ui` writes no other text, so
/// no caller has to remember to escape a name that came from a directory, a backup or a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clean(String);

impl Clean {
    /// Escapes what is not printable.
    pub(super) fn new(text: &str) -> Self {
        Self(printable(text))
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
