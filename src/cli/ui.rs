//! The only module that prints. Data goes to standard output, everything else to standard error; colours and progress are shown
//! only on a terminal.

#![expect(clippy::print_stderr, reason = "this is the one module that prints")]

mod clean;
mod fold;
mod table;
pub(super) mod usage;

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::SignalKind;

use super::hints;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, Severity, StatusMessage};
use crate::progress::{Cancellation, Control, Phase};
use clean::Clean;

/// How to write to the caller.
#[derive(Debug)]
pub(super) struct Ui {
    json: bool,
    quiet: bool,
    verbose: bool,
    colour_out: bool,
    colour_err: bool,
    /// Of the terminal that standard output goes to.
    width: Option<u16>,
    /// The hint that was printed last: consecutive findings with the same hint show it once.
    last_hint: Mutex<Option<String>>,
}

/// A colour of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

impl Colour {
    /// The colour of a line that is written like a diff.
    pub(super) fn of_line(line: &str) -> Self {
        match line.chars().next() {
            Some('+') => Self::Green,
            Some('-') => Self::Red,
            Some('~') => Self::Yellow,
            _ => Self::Plain,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
        }
    }
}

impl Ui {
    pub(super) fn new(json: bool, quiet: bool, verbose: bool) -> Self {
        let plain = wants_no_colour(
            std::env::var_os("NO_COLOR").as_deref(),
            std::env::var_os("TERM").as_deref(),
        );
        let terminal_out = std::io::stdout().is_terminal();
        Self {
            json,
            quiet,
            verbose,
            width: terminal_out
                .then(|| comfy_table::Table::new().width())
                .flatten(),
            last_hint: Mutex::default(),
            colour_out: terminal_out && !plain,
            colour_err: std::io::stderr().is_terminal() && !plain,
        }
    }

    /// Whether the caller wants to see everything, however wide or long it is.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// The width of the terminal that standard output goes to; `None` when it goes elsewhere.
    pub(super) fn width(&self) -> Option<u16> {
        self.width
    }

    /// Whether the caller wants JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// A line of data, folded to the terminal.
    pub(super) fn line(&self, text: &str) {
        self.coloured(Colour::Plain, text);
    }

    /// A document that gpoctl itself made, such as a manual page or a shell script: as it is, or under this key with `--json`.
    /// Nothing of it may come from a domain, a backup or a table.
    pub(super) fn document(&self, key: &str, text: &str) -> Result<()> {
        if self.json {
            return self.json(&serde_json::json!({ "format_version": 1, key: text }));
        }
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
        Ok(())
    }

    /// The help of a command, on standard output.
    pub(super) fn help(&self, command: &mut clap::Command) {
        // clap knows the width of the terminal, and whether it has colours.
        let _ = command.print_long_help();
    }

    /// A line of data in one colour.
    pub(super) fn coloured(&self, colour: Colour, text: &str) {
        self.indented(colour, text, fold::hanging(text));
    }

    /// A line whose second and later lines on a narrow terminal are indented by this many columns.
    fn indented(&self, colour: Colour, text: &str, indent: usize) {
        let mut out = std::io::stdout().lock();
        for line in fold::lines(&Clean::new(text), self.width, indent) {
            // A reader that went away (head, a pager) is not an error.
            let _ = if self.colour_out && colour != Colour::Plain {
                writeln!(out, "\u{1b}[{}m{line}\u{1b}[0m", colour.code())
            } else {
                writeln!(out, "{line}")
            };
        }
    }

    /// A heading over a block of data.
    pub(super) fn heading(&self, text: &str) {
        self.line("");
        self.coloured(Colour::Bold, text);
    }

    /// Rows under headers, in aligned columns. On a terminal too narrow for the GUIDs and SIDs in them, each row is a block of
    /// lines instead.
    pub(super) fn table(&self, headers: &[&str], rows: Vec<Vec<String>>) {
        let rows: Vec<Vec<Clean>> = rows
            .into_iter()
            .map(|row| row.iter().map(|cell| Clean::new(cell)).collect())
            .collect();
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let Some(width) = self.width() else {
            for line in table::unfolded(headers, &rows) {
                let _ = writeln!(out, "{line}");
            }
            return;
        };
        match table::lines(headers, &rows, width, self.colour_out) {
            Some(lines) => {
                for line in lines {
                    let _ = writeln!(out, "{line}");
                }
            }
            None => {
                drop(out);
                self.blocks(headers, &rows);
            }
        }
    }

    /// Rows as blocks: the first column as a heading, under it a line for each other one that is not empty.
    fn blocks(&self, headers: &[&str], rows: &[Vec<Clean>]) {
        let indent = headers.iter().skip(1).map(|h| h.len()).max().unwrap_or(0);
        for row in rows {
            let mut cells = headers.iter().zip(row);
            if let Some((_, first)) = cells.next() {
                self.coloured(Colour::Bold, first.as_str());
            }
            for (header, cell) in cells.filter(|(_, cell)| !cell.as_str().is_empty()) {
                let text = format!("  {header:indent$}  {cell}");
                self.indented(Colour::Plain, &text, indent.saturating_add(4));
            }
        }
    }

    /// Names and values, aligned; those without a value are left out.
    pub(super) fn fields(&self, fields: &[(&str, String)]) {
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            let text = format!("{name:width$}  {value}");
            self.indented(Colour::Plain, &text, width.saturating_add(2));
        }
    }

    /// A JSON document, written as it is made: it may be longer than what it was made of.
    pub(super) fn json(&self, value: &impl serde::Serialize) -> Result<()> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        match serde_json::to_writer_pretty(&mut out, value) {
            Ok(()) => {
                let _ = writeln!(out);
                let _ = out.flush();
                Ok(())
            }
            // As for text: whoever reads the output may stop early.
            Err(cause) if cause.is_io() => Ok(()),
            Err(cause) => Err(Error::new(
                ErrorKind::Internal,
                "the result cannot be written as JSON",
            )
            .with_source(cause)),
        }
    }

    /// Text that is not data: what was done, what comes next.
    pub(super) fn say(&self, text: &str) {
        if !self.quiet {
            eprintln!("{}", Clean::new(text));
        }
    }

    /// One finding.
    pub(super) fn message(&self, message: &StatusMessage) {
        if self.quiet && message.severity == Severity::Info {
            return;
        }
        let (word, colour) = match message.severity {
            Severity::Info => ("note", Colour::Dim),
            Severity::Warning => ("warning", Colour::Yellow),
            Severity::Error => ("error", Colour::Red),
        };
        let place = message
            .place
            .as_ref()
            .map(|place| format!("{place}: "))
            .unwrap_or_default();
        eprintln!(
            "{}: {}",
            self.err_word(colour, word),
            Clean::new(&format!("{place}{}", message.text))
        );
        let Ok(mut last) = self.last_hint.lock() else {
            return;
        };
        if let (Some(hint), false) = (&message.hint, self.quiet)
            && last.as_ref() != Some(hint)
        {
            eprintln!("  {}", Clean::new(hint));
        }
        last.clone_from(&message.hint);
    }

    /// The findings of a plan. With more than a few rows of a table that the GPO does not use, one line counts them, unless the
    /// caller wants to see everything. `said_by` names the file that the plan was read from.
    pub(super) fn findings(&self, messages: &[StatusMessage], said_by: Option<&str>) {
        let is_unused = |message: &&StatusMessage| message.code == Code::UnusedRow;
        let unused = messages.iter().filter(is_unused).count();
        let counts = unused > MOST_UNUSED_ROWS && !self.verbose;
        for message in messages.iter().filter(|one| !(counts && is_unused(one))) {
            self.message(message);
        }
        if counts {
            let text = format!("{unused} rows of the migration table are not used by this GPO");
            let mut counted = StatusMessage::warning(Code::UnusedRow, text);
            if let Some(who) = said_by {
                counted.attribute_to(who);
            }
            self.message(&counted.with_hint("to list them, add --verbose"));
        }
    }

    /// The error that ends the command. Having stopped on request is not called one.
    pub(super) fn error(&self, error: &Error) {
        if self.json {
            let document = serde_json::json!({
                "format_version": 1,
                "status": if error.kind() == ErrorKind::Incomplete { "partial" } else { "failed" },
                "error": error_json(error),
                "messages": error.details(),
            });
            let _ = self.json(&document);
        }
        for detail in error.details() {
            self.message(detail);
        }
        let text = Clean::new(&error.to_string());
        if error.kind() == ErrorKind::Cancelled {
            eprintln!("{text}");
        } else {
            eprintln!("{}: {text}", self.err_word(Colour::Red, "error"));
        }
        for candidate in error.candidates().iter().take(MOST_CANDIDATES) {
            eprintln!("  {}", Clean::new(candidate));
        }
        let more = error.candidates().len().saturating_sub(MOST_CANDIDATES);
        if more > 0 {
            eprintln!("  and {more} more");
        }
        if let Some(hint) = hints::of(error) {
            eprintln!("  {}", Clean::new(&hint));
        }
    }

    fn err_word(&self, colour: Colour, word: &str) -> String {
        if self.colour_err {
            format!("\u{1b}[{}m{word}\u{1b}[0m", colour.code())
        } else {
            word.to_owned()
        }
    }

    /// Asks on the terminal; `None` without a terminal.
    pub(super) fn ask(&self, question: &str) -> Option<bool> {
        put_question(question).then(answer)?
    }

    /// As [`Self::ask`], for an operation that handles Ctrl-C already; pressing it while the question is open answers no.
    pub(super) async fn ask_or_stop(&self, question: &str, control: &Control) -> Option<bool> {
        if !put_question(question) {
            return None;
        }
        let (sender, answered) = tokio::sync::oneshot::channel();
        // Not one of the runtime's threads: the runtime waits for those at the end, and this one may wait for ever.
        std::thread::spawn(move || sender.send(answer()));
        tokio::select! {
            answer = answered => answer.ok().flatten(),
            () = control.cancellation().cancelled() => Some(false),
        }
    }

    /// Progress on the terminal, and Ctrl-C and its like as cancellation, for one operation.
    pub(super) fn control(&self) -> Control {
        let cancellation = Cancellation::new();
        let talk = !self.quiet;
        // The end of a session and the stop of a service are handled like Ctrl-C. Registered here and not in the task, so that an
        // interrupt that comes before the task runs is not lost.
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            let Ok(mut signals) = tokio::signal::unix::signal(kind) else {
                continue;
            };
            let on_signal = cancellation.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    if talk {
                        // The terminal may be gone.
                        let _ = writeln!(
                            std::io::stderr(),
                            "stopping at the next safe point; nothing will be left half-written"
                        );
                    }
                    on_signal.cancel();
                }
            });
        }
        if self.quiet || !std::io::stderr().is_terminal() {
            return Control::new(|_| {}, cancellation);
        }
        let bars: Arc<Mutex<Option<(Phase, ProgressBar)>>> = Arc::default();
        Control::new(
            move |progress| {
                let Ok(mut current) = bars.lock() else { return };
                let fresh = !matches!(&*current, Some((phase, _)) if *phase == progress.phase);
                if fresh {
                    if let Some((_, bar)) = current.take() {
                        bar.finish_and_clear();
                    }
                    let bar = ProgressBar::new(progress.total);
                    let style = ProgressStyle::with_template(
                        "{prefix:>12} [{bar:30}] {pos}/{len} {msg} {elapsed}",
                    )
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("=> ");
                    bar.set_style(style);
                    bar.set_prefix(progress.phase.label());
                    *current = Some((progress.phase, bar));
                }
                if let Some((_, bar)) = &*current {
                    bar.set_length(progress.total);
                    bar.set_position(progress.done);
                    if progress.bytes > 0 {
                        bar.set_message(indicatif::HumanBytes(progress.bytes).to_string());
                    }
                    if progress.done >= progress.total {
                        bar.finish_and_clear();
                        *current = None;
                    }
                }
            },
            cancellation,
        )
    }
}

/// The most of them that are listed.
pub(super) const MOST_UNUSED_ROWS: usize = 3;
/// The most candidates of an ambiguous name that are listed.
const MOST_CANDIDATES: usize = 10;

/// An error as an object of JSON.
pub(super) fn error_json(error: &Error) -> serde_json::Value {
    let mut value = serde_json::json!({
        "kind": error.kind(),
        "message": error.to_string(),
        "hint": hints::of(error),
    });
    if let (Some(fields), false) = (value.as_object_mut(), error.candidates().is_empty()) {
        fields.insert("candidates".to_owned(), error.candidates().into());
    }
    value
}

/// `1 GPO`, `2 GPOs`.
pub(super) fn counted<N: Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Whether colours are unwanted on every terminal: NO_COLOR is set to anything [no-color.org], or the terminal knows none.
fn wants_no_colour(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_some_and(|value| !value.is_empty()) || term.is_some_and(|term| term == "dumb")
}

/// Where the diagnostics of `-v` go: standard error, one line for each event, escaped like all other text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LogLines;

impl std::io::Write for LogLines {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        writeln!(
            std::io::stderr().lock(),
            "{}",
            Clean::new(text.trim_end_matches('\n'))
        )?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A prompt for the terminal.
pub(super) fn prompt(text: &str) -> String {
    Clean::new(text).to_string()
}

/// Writes a question to the terminal; `false` without a terminal.
fn put_question(question: &str) -> bool {
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if terminal {
        eprint!("{} [y/N] ", Clean::new(question));
        let _ = std::io::stderr().flush();
    }
    terminal
}

/// Waits for the answer on the terminal; `None` when it cannot be read.
fn answer() -> Option<bool> {
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_off_where_nobody_wants_them() {
        let plain = |no_color: Option<&str>, term: Option<&str>| {
            wants_no_colour(no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert!(plain(Some("1"), Some("xterm")));
        assert!(plain(None, Some("dumb")));
        assert!(!plain(None, Some("xterm-256color")));
        assert!(!plain(Some(""), None));
    }

    #[test]
    fn plurals() {
        assert_eq!(counted(0_usize, "GPO"), "0 GPOs");
        assert_eq!(counted(1_usize, "GPO"), "1 GPO");
        assert_eq!(counted(2_u64, "error"), "2 errors");
    }
}
