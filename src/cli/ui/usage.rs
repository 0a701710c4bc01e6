//! What clap prints of a command line: help, and errors that repeat its words.

use std::error::Error as _;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};

use super::clean::Clean;

/// Prints help to standard output, or an error to standard error, in which no word of the command line is more than text.
pub(in crate::cli) fn show(mut error: clap::Error) {
    if !error.use_stderr() {
        let _ = error.print();
        return;
    }
    let words: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| Some((kind, escaped(kind, value)?)))
        .collect();
    for (kind, value) in words {
        error.insert(kind, value);
    }
    let reason = error.source().map(ToString::to_string);
    match reason.filter(|reason| Clean::new(reason).as_str() != reason) {
        None => drop(error.print()),
        // clap adds the reason when it prints.
        Some(reason) => {
            let text = error.render().ansi().to_string();
            let text = text.replace(&reason, Clean::new(&reason).as_str());
            eprint!("{}", StyledStr::from(text));
        }
    }
}

/// A part of an error, escaped; `None` when it is printable as it is, or has lines of clap's.
fn escaped(kind: ContextKind, value: &ContextValue) -> Option<ContextValue> {
    let clean = |text: &str| Clean::new(text).to_string();
    let new = match value {
        ContextValue::String(text) => ContextValue::String(clean(text)),
        ContextValue::Strings(texts) => {
            ContextValue::Strings(texts.iter().map(|text| clean(text)).collect())
        }
        ContextValue::StyledStrs(texts) => {
            // As text they have no colours of clap's, and no escape sequences of the command line, which look the same.
            let plain = texts.iter().map(|text| clean(&text.to_string()));
            ContextValue::StyledStrs(plain.map(StyledStr::from).collect())
        }
        _ => return None,
    };
    (kind != ContextKind::Usage && new != *value).then_some(new)
}
