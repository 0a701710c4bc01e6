//! The next steps that are commands or options: made here from the codes of findings and the causes of errors, because the library
//! knows neither.

use crate::error::Error;
use crate::message::{Code, Severity, StatusMessage};
use crate::migration::fill::UndefinedPlaceholders;
use crate::migration::map::NoRowHelps;

/// Adds the next step to each finding without one.
pub(super) fn complete<'a>(messages: impl IntoIterator<Item = &'a mut StatusMessage>) {
    for message in messages {
        if message.hint.is_none() {
            message.hint = hint(message).map(str::to_owned);
        }
    }
}

/// Adds the next step to an error and to each of its findings.
pub(super) fn completed(mut error: Error) -> Error {
    if error.has_source::<UndefinedPlaceholders>() {
        // Its findings are the placeholders, which this hint is for.
        return error.with_hint("give each of them a value with --define NAME=VALUE");
    }
    complete(error.details_mut());
    if error.has_source::<NoRowHelps>() {
        error.with_hint("change it in the source, or omit --exclusive; nothing was written")
    } else {
        error
    }
}

fn hint(message: &StatusMessage) -> Option<&'static str> {
    Some(match message.code {
        Code::OutOfScope => "use --scope all to map every place",
        Code::WouldMatchByPrefix => "add a row for it, or use --unc-match prefix",
        Code::UnmappedReference if message.severity != Severity::Info => {
            "add a row for it: gpoctl migtable populate, or set"
        }
        Code::RelativeNameUnknown => {
            "add --against BACKUP to find its name, or give the row a destination: gpoctl migtable set"
        }
        Code::SourceStays => "give the row a destination: gpoctl migtable suggest, or set",
        Code::LeftoverPlaceholder => "fill in the template before use: gpoctl migtable fill",
        Code::UncDestinationNone | Code::UncByRelativeName => {
            "give the row a path or \"same as source\": gpoctl migtable set, with --to or --same"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn findings_and_errors_get_the_step_that_the_library_cannot_name() {
        let mut own = StatusMessage::info(Code::OutOfScope, "x").with_hint("kept");
        let mut other = StatusMessage::warning(Code::DanglingLink, "x");
        let mut info = StatusMessage::info(Code::UnmappedReference, "x");
        complete([&mut own, &mut other, &mut info]);
        assert_eq!(own.hint.as_deref(), Some("kept"));
        assert_eq!((other.hint, info.hint), (None, None));

        let finding = StatusMessage::warning(Code::SourceStays, "x");
        let error = Error::new(ErrorKind::Unmapped, "x")
            .with_source(NoRowHelps)
            .with_details(vec![finding]);
        let error = completed(error);
        assert!(error.hint().unwrap().contains("--exclusive"));
        let hint = error.details()[0].hint.as_deref();
        assert!(hint.unwrap().contains("gpoctl migtable suggest"));
    }
}
