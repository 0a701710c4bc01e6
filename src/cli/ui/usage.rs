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
    escape_words(&mut error);
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

/// Escapes the words of the command line in an error.
fn escape_words(error: &mut clap::Error) {
    let words: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| Some((kind, escaped(kind, value)?)))
        .collect();
    for (kind, value) in words {
        error.insert(kind, value);
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

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    /// What an option or a word of the command line is made of, that is sent to a terminal as it is.
    #[test]
    fn an_error_has_no_escape_sequences_of_the_command_line() {
        let command = Command::new("x")
            .arg(Arg::new("name"))
            .arg(
                Arg::new("n")
                    .long("number")
                    .value_parser(clap::value_parser!(u8)),
            )
            .subcommand(Command::new("list"));
        for words in [
            &["--\u{1b}[31m"][..],
            &["--\u{1b}[31m\u{1b}[2J"],
            &["--numb\u{1b}[31mer"],
            &["--a\u{1b}]0;title\u{7}b"],
            &["-\u{1b}"],
            &["--number", "\u{1b}[31m1"],
            &["a", "\u{1b}[2Jb"],
        ] {
            let words = std::iter::once("x").chain(words.iter().copied());
            let mut error = command.clone().try_get_matches_from(words).unwrap_err();
            escape_words(&mut error);
            let parts: Vec<String> = error
                .context()
                .filter(|(kind, _)| *kind != ContextKind::Usage)
                .flat_map(|(_, value)| match value {
                    ContextValue::String(text) => vec![text.clone()],
                    ContextValue::Strings(texts) => texts.clone(),
                    ContextValue::StyledStrs(texts) => {
                        texts.iter().map(|text| text.ansi().to_string()).collect()
                    }
                    _ => Vec::new(),
                })
                .collect();
            assert!(!parts.is_empty(), "{error:?}");
            assert!(!parts.concat().contains('\u{1b}'), "{parts:?}");
            let plain = error.render().to_string();
            assert!(plain.contains("\\u{1b}"), "{plain}");
        }
    }
}
