//! The one public error. Its kind says who is at fault; the table from kind to exit status is [`ErrorKind::exit_status`].

use std::fmt;

/// The result of everything public in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who is at fault, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command line, a profile or an argument of the library call is wrong.
    Usage,
    /// No session: host unknown, refused, timed out, certificate not trusted, Kerberos or password refused.
    Connect,
    /// The session stands, but the account may not do this.
    Denied,
    /// A GPO, backup, principal or file that was named does not exist.
    NotFound,
    /// A name stands for several things, a name is taken, or the target changed since the plan was made.
    Conflict,
    /// A backup, a migration table or a file in it is broken.
    BadInput,
    /// The directory or SYSVOL holds or answered something a healthy domain does not.
    BadDirectory,
    /// References without a row in the migration table although the table is exclusive, or destinations that do not exist.
    Unmapped,
    /// Something was written, and not all of it could be finished or undone.
    Incomplete,
    /// Stopped on request; nothing is left half-written.
    Cancelled,
    /// The local disk, or a fault of gpoctl itself.
    Internal,
}

impl ErrorKind {
    /// The exit status of the process: says what state the domain is in, not how bad the error is.
    ///
    /// | status | means |
    /// |---|---|
    /// | 0 | done |
    /// | 1 | failed, nothing changed |
    /// | 2 | usage |
    /// | 3 | partly done: some of several GPOs, or something left to clean up |
    /// | 130 | stopped on request, nothing left half-written |
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Cancelled => 130,
            _ => 1,
        }
    }
}

/// An error: one lower-case sentence that names what and where, and a hint that names the next step.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    details: Vec<crate::message::StatusMessage>,
    candidates: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind; `message` is one lower-case sentence without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            details: Vec::new(),
            candidates: Vec::new(),
            source: None,
        }
    }

    /// Adds the next step: what the reader can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause below this error; its text is shown after the message.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds one finding each for an error that has several, such as every unmapped reference.
    #[must_use]
    pub fn with_details(mut self, details: Vec<crate::message::StatusMessage>) -> Self {
        self.details = details;
        self
    }

    /// Adds the things that an ambiguous name could refer to, sorted.
    #[must_use]
    pub fn with_candidates(mut self, candidates: impl IntoIterator<Item = String>) -> Self {
        self.candidates = candidates.into_iter().collect();
        self.candidates.sort();
        self
    }

    /// Puts a word of context before the message: `context: message`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// The same error under another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Who is at fault.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence, without the causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The next step, if one is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The things that an ambiguous name could refer to, sorted; empty for every other error.
    pub fn candidates(&self) -> &[String] {
        &self.candidates
    }

    /// The findings behind an error that has several.
    pub fn details(&self) -> &[crate::message::StatusMessage] {
        &self.details
    }
}

impl fmt::Display for Error {
    /// The sentence and its causes, `: ` between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut next: Option<&(dyn std::error::Error + 'static)> =
            self.source.as_deref().map(erase);
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    // The causes are part of Display already, so they are not offered a second time.
}

/// Drops the `Send + Sync` of a boxed cause, so that the chain can be walked.
fn erase<'a>(
    cause: &'a (dyn std::error::Error + Send + Sync + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_sentence_then_its_causes() {
        let cause = std::io::Error::other("disk full");
        let error =
            Error::new(ErrorKind::Internal, "cannot write /b/manifest.xml").with_source(cause);
        assert_eq!(error.to_string(), "cannot write /b/manifest.xml: disk full");
        assert_eq!(error.kind().exit_status(), 1);
    }
}
