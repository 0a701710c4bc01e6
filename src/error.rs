//! The public error type. Its kind tells who is at fault; its exit status is given by [`ErrorKind::exit_status`].

mod remedy;

pub(crate) use remedy::FOR_SMB2;
pub use remedy::Remedy;

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
    /// No session: unknown host, connection refused or timed out, untrusted certificate, Kerberos or password rejected.
    Connect,
    /// The account is not allowed to do this.
    Denied,
    /// A given GPO, backup, principal or file does not exist.
    NotFound,
    /// A name is ambiguous or taken, or the target has changed since the plan was made.
    Conflict,
    /// A client has a file or folder on SYSVOL open, so that it cannot be renamed, replaced or deleted. The account may do it.
    InUse,
    /// A backup, a migration table or a file in it is invalid.
    BadInput,
    /// The directory or SYSVOL contains or returned something that a healthy domain does not.
    BadDirectory,
    /// References without a row in the migration table although the table is exclusive, or destinations that do not exist.
    Unmapped,
    /// Something was written, but could not be completed or undone.
    Incomplete,
    /// Stopped on request; nothing is left incomplete.
    Cancelled,
    /// A failure of the local disk, or a defect of gpoctl.
    Internal,
}

impl ErrorKind {
    /// The exit status of the process, which reports the state of the domain, not the severity of the error.
    ///
    /// | status | means |
    /// |---|---|
    /// | 0 | done |
    /// | 1 | failed, nothing changed |
    /// | 2 | usage |
    /// | 3 | partly done: some of several GPOs, permissions other than planned, or something left to clean up |
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

/// An error: one lower-case sentence that contains what failed and where, and a hint with the next step.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<Box<str>>,
    remedy: Option<Box<Remedy>>,
    details: Vec<crate::message::StatusMessage>,
    candidates: Box<[String]>,
    answer: Option<ServerAnswer>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of a request that a server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerAnswer {
    /// An NT status of an SMB server [MS-ERREF 2.3].
    NtStatus(u32),
    /// A result code of an LDAP server [RFC 4511 A].
    Ldap(u32),
}

impl Error {
    /// An error of this kind; `message` is one lower-case sentence without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            remedy: None,
            details: Vec::new(),
            candidates: Box::default(),
            answer: None,
            source: None,
        }
    }

    /// Adds a hint: what the user can do about it. It replaces a remedy, which was that of the error before.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into());
        self.remedy = None;
        self
    }

    /// Adds what helps, for a hint in the words of whoever shows the error. A hint that it has is for those who know no better.
    #[must_use]
    pub fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(Box::new(remedy));
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

    /// Adds the findings of an error that has several, such as all unmapped references.
    #[must_use]
    pub fn with_details(mut self, details: Vec<crate::message::StatusMessage>) -> Self {
        self.details = details;
        self
    }

    /// Adds the things that an ambiguous name could refer to, sorted.
    #[must_use]
    pub fn with_candidates(mut self, candidates: impl IntoIterator<Item = String>) -> Self {
        let mut candidates: Vec<String> = candidates.into_iter().collect();
        candidates.sort();
        self.candidates = candidates.into();
        self
    }

    /// Adds the result with which the server refused.
    #[must_use]
    pub fn with_answer(mut self, answer: ServerAnswer) -> Self {
        self.answer = Some(answer);
        self
    }

    /// Prefixes the message with context: `context: message`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Changes the kind of the error.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Who is at fault.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message, without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The result with which the server refused, if it answered. Decide by this and by [`kind`](Self::kind), never by the message.
    pub fn answer(&self) -> Option<ServerAnswer> {
        self.answer
    }

    /// The hint with the next step, if any.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What helps, if it depends on who shows the error how it is said.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.remedy.as_deref()
    }

    /// The things that an ambiguous name could refer to, sorted; empty for every other error.
    pub fn candidates(&self) -> &[String] {
        &self.candidates
    }

    /// Whether the cause that was added to this error is of this type.
    pub(crate) fn has_source<T: std::error::Error + 'static>(&self) -> bool {
        self.source.as_deref().is_some_and(|cause| cause.is::<T>())
    }

    /// Whether this error, or an error of this crate that was added as its cause, is of this kind.
    pub(crate) fn is_caused_by(&self, kind: ErrorKind) -> bool {
        let cause = self.source.as_deref();
        let cause = cause.and_then(|cause| cause.downcast_ref::<Self>());
        self.kind == kind || cause.is_some_and(|cause| cause.is_caused_by(kind))
    }

    /// The findings of an error that has several, to be completed.
    pub(crate) fn details_mut(&mut self) -> &mut [crate::message::StatusMessage] {
        &mut self.details
    }

    /// The findings of an error that has several.
    pub fn details(&self) -> &[crate::message::StatusMessage] {
        &self.details
    }
}

impl fmt::Display for Error {
    /// Writes the message and its causes, separated by `: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut next: Option<&(dyn std::error::Error + 'static)> =
            self.source.as_deref().map(erase);
        while let Some(cause) = next {
            let text = cause.to_string();
            write!(f, ": {}", without_number(&text))?;
            next = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    // The causes are part of Display already, so they are not offered a second time.
}

/// The text of an error of the operating system without its number, which the sentence before it makes superfluous.
fn without_number(text: &str) -> &str {
    match text.rsplit_once(" (os error ") {
        Some((sentence, number)) if number.ends_with(')') => sentence,
        _ => text,
    }
}

/// Drops the `Send + Sync` of a boxed cause in order to follow the chain.
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
        let cause = std::io::Error::from_raw_os_error(2);
        let error = Error::new(ErrorKind::NotFound, "cannot open /b").with_source(cause);
        assert_eq!(
            error.to_string(),
            "cannot open /b: No such file or directory"
        );
        assert_eq!(error.answer(), None);
    }

    #[test]
    fn the_kind_of_a_cause_is_found() {
        let held = Error::new(ErrorKind::InUse, "a client has x open");
        let error = Error::new(ErrorKind::Incomplete, "not rolled back").with_source(held);
        assert!(error.is_caused_by(ErrorKind::InUse));
        assert!(error.is_caused_by(ErrorKind::Incomplete));
        assert!(!error.is_caused_by(ErrorKind::Denied));
    }

    #[test]
    fn the_answer_of_the_server_survives_other_words() {
        let answer = ServerAnswer::NtStatus(0xC000_0121);
        let error = Error::new(ErrorKind::BadDirectory, "the server refused x")
            .with_answer(answer)
            .context("cleaning up")
            .with_kind(ErrorKind::Conflict);
        assert_eq!(error.answer(), Some(answer));
    }
}
