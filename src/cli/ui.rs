//! The only module that prints. Standard output is data, standard error is talk; colours and progress only on a terminal.

#![expect(clippy::print_stderr, reason = "this is the one module that prints")]

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::SignalKind;

use crate::error::{Error, ErrorKind, Result};
use crate::message::{Severity, StatusMessage};
use crate::operations::progress::{Cancellation, Control, Phase};

/// How to talk to the caller.
#[derive(Debug)]
pub(super) struct Ui {
    json: bool,
    quiet: bool,
    colour_out: bool,
    colour_err: bool,
    terminal_out: bool,
    /// The hint that was printed last: a run of findings with one way out has it once.
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
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let terminal_out = std::io::stdout().is_terminal();
        Self {
            json,
            quiet,
            terminal_out,
            last_hint: Mutex::default(),
            colour_out: terminal_out && !plain,
            colour_err: std::io::stderr().is_terminal() && !plain,
        }
    }

    /// Whether the caller wants JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// A line of data.
    pub(super) fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // A reader that went away (head, a pager) is no fault.
        let _ = writeln!(out, "{}", self.clean_out(text));
    }

    /// A whole document: as it is, or under this key with `--json`.
    pub(super) fn document(&self, key: &str, text: &str) -> Result<()> {
        if self.json {
            return self.json(&serde_json::json!({ "format_version": 1, key: text }));
        }
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
        Ok(())
    }

    /// A line of data in one colour.
    pub(super) fn coloured(&self, colour: Colour, text: &str) {
        let text = self.clean_out(text);
        if self.colour_out && colour != Colour::Plain {
            let _ = writeln!(
                std::io::stdout().lock(),
                "\u{1b}[{}m{text}\u{1b}[0m",
                colour.code()
            );
        } else {
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        }
    }

    /// A heading over a block of data.
    pub(super) fn heading(&self, text: &str) {
        self.line("");
        self.coloured(Colour::Bold, text);
    }

    /// Rows under headers, in aligned columns. On a terminal too narrow for the longest words, each row is a block of lines
    /// instead: a GUID in pieces cannot be copied.
    pub(super) fn table(&self, headers: &[&str], rows: Vec<Vec<String>>) {
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|row| row.iter().map(|cell| self.clean_out(cell)).collect())
            .collect();
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        let width = self.terminal_out.then(|| table.width()).flatten();
        if let Some(width) = width
            && longest_words(headers, &rows)
                .iter()
                .map(|w| w + GAP)
                .sum::<u16>()
                > width
        {
            return self.blocks(headers, &rows);
        }
        table.set_content_arrangement(match width {
            Some(_) => comfy_table::ContentArrangement::Dynamic,
            None => comfy_table::ContentArrangement::Disabled,
        });
        table.set_header(headers.iter().map(|header| {
            let cell = comfy_table::Cell::new(header);
            if self.colour_out {
                cell.add_attribute(comfy_table::Attribute::Bold)
            } else {
                cell
            }
        }));
        table.add_rows(&rows);
        for (column, longest) in table.column_iter_mut().zip(longest_words(headers, &rows)) {
            column.set_padding((0, GAP));
            if width.is_some() {
                column.set_constraint(comfy_table::ColumnConstraint::LowerBoundary(
                    comfy_table::Width::Fixed(longest + GAP),
                ));
            }
        }
        for line in table.to_string().lines() {
            let _ = writeln!(std::io::stdout().lock(), "{}", line.trim_end());
        }
    }

    /// Rows as blocks: the first column as a heading, under it a line for each other one that is not empty.
    fn blocks(&self, headers: &[&str], rows: &[Vec<String>]) {
        let indent = headers.iter().skip(1).map(|h| h.len()).max().unwrap_or(0);
        for row in rows {
            let mut cells = headers.iter().zip(row);
            if let Some((_, first)) = cells.next() {
                self.coloured(Colour::Bold, first);
            }
            for (header, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
                self.line(&format!("  {header:indent$}  {cell}"));
            }
        }
    }

    /// Names and values, aligned; those without a value are left out.
    pub(super) fn fields(&self, fields: &[(&str, String)]) {
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            self.line(&format!("{name:width$}  {value}"));
        }
    }

    /// A JSON document.
    pub(super) fn json(&self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|cause| {
            Error::new(ErrorKind::Internal, "the result cannot be written as JSON")
                .with_source(cause)
        })?;
        let _ = writeln!(std::io::stdout().lock(), "{text}");
        Ok(())
    }

    /// Talk that is no data: what was done, what comes next.
    pub(super) fn say(&self, text: &str) {
        if !self.quiet {
            eprintln!("{}", sanitise(text));
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
            sanitise(&format!("{place}{}", message.text))
        );
        let Ok(mut last) = self.last_hint.lock() else {
            return;
        };
        if let (Some(hint), false) = (&message.hint, self.quiet)
            && last.as_ref() != Some(hint)
        {
            eprintln!("  {}", sanitise(hint));
        }
        last.clone_from(&message.hint);
    }

    /// The error that ends the command.
    pub(super) fn error(&self, error: &Error) {
        if self.json {
            let document = serde_json::json!({
                "format_version": 1,
                "status": if error.kind() == ErrorKind::Incomplete { "partial" } else { "failed" },
                "error": {
                    "kind": error.kind(),
                    "message": error.to_string(),
                    "hint": error.hint(),
                },
                "messages": error.details(),
            });
            let _ = self.json(&document);
        }
        for detail in error.details() {
            self.message(detail);
        }
        eprintln!(
            "{}: {}",
            self.err_word(Colour::Red, "error"),
            sanitise(&error.to_string())
        );
        if let Some(hint) = error.hint() {
            eprintln!("  {}", sanitise(hint));
        }
    }

    fn err_word(&self, colour: Colour, word: &str) -> String {
        if self.colour_err {
            format!("\u{1b}[{}m{word}\u{1b}[0m", colour.code())
        } else {
            word.to_owned()
        }
    }

    /// Asks on the terminal; `None` when there is nobody to ask.
    pub(super) fn ask(&self, question: &str) -> Option<bool> {
        put_question(question).then(answer)?
    }

    /// As [`Self::ask`], for an operation that listens to Ctrl-C already, and hears it while nobody has answered: that is a no.
    pub(super) async fn ask_or_stop(&self, question: &str, control: &Control) -> Option<bool> {
        if !put_question(question) {
            return None;
        }
        let (sender, answered) = tokio::sync::oneshot::channel();
        // Not one of the runtime's threads: those are waited for at the end, and this one may wait for ever.
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
        // A session that ends and a service that is stopped are asked to be as careful as somebody at the keyboard. Registered
        // here and not in the task: an interrupt must not find the door still open.
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

    /// Text for standard output: names from a directory may hold terminal escapes; a pipe gets them as they are.
    fn clean_out(&self, text: &str) -> String {
        if self.terminal_out {
            sanitise(text)
        } else {
            text.to_owned()
        }
    }
}

/// Puts a question to the terminal; `false` when there is nobody to ask.
fn put_question(question: &str) -> bool {
    let somebody = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if somebody {
        eprint!("{} [y/N] ", sanitise(question));
        let _ = std::io::stderr().flush();
    }
    somebody
}

/// Waits for what somebody at the terminal answers; `None` when it cannot be read.
fn answer() -> Option<bool> {
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// The blanks between two columns.
const GAP: u16 = 2;
/// The longest SID of a domain has 55 characters; what is longer is a path, which may be broken.
const LONGEST_WORD: usize = 55;

/// For each column the width under which a word would be broken.
fn longest_words(headers: &[&str], rows: &[Vec<String>]) -> Vec<u16> {
    let longest = |text: &str| {
        let words = text.split_whitespace().map(|word| word.chars().count());
        words.filter(|&length| length <= LONGEST_WORD).max()
    };
    let column = |index: usize, header: &str| {
        let cells = rows.iter().filter_map(|row| row.get(index));
        let widest = cells.filter_map(|cell| longest(cell)).max();
        widest.unwrap_or(0).max(header.len())
    };
    headers
        .iter()
        .enumerate()
        .map(|(index, header)| u16::try_from(column(index, header)).unwrap_or(u16::MAX))
        .collect()
}

/// Makes control and direction characters visible.
fn sanitise(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(hidden) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|c| {
            if hidden(c) {
                c.escape_unicode().collect::<Vec<char>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_up_to_a_sid_are_kept_whole() {
        let sid = format!("S-1-5-21-{}-1-2", "9".repeat(30));
        let path = "x".repeat(80);
        let rows = vec![vec![format!("two {sid}"), path], vec!["a".to_owned()]];
        let widths = longest_words(&["ONE", "PATH", "THREE"], &rows);
        assert_eq!(widths, [43, 4, 5]);
    }

    #[test]
    fn escapes_and_direction_marks_become_visible() {
        assert_eq!(sanitise("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(sanitise("Büro, Nord"), "Büro, Nord");
    }
}
