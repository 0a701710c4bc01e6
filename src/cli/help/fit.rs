//! The texts below the options in a help, for a narrow terminal: clap would break an example in two, which a shell does not read as
//! one command.

use clap::Command;

/// The texts are written for terminals of at least this width.
const WRITTEN_FOR: usize = 80;
/// On a narrower one, its own line breaks are no worse.
const NARROWEST: usize = 40;

/// The width of the terminal as clap finds it; `None` when it does not know it.
pub(super) fn terminal_width() -> Option<usize> {
    let terminal = comfy_table::Table::new().width().map(usize::from);
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(columns)
}

/// A command and its subcommands, with texts for a terminal of this width.
pub(super) fn fitted(command: Command, width: usize) -> Command {
    if !(NARROWEST..WRITTEN_FOR).contains(&width) {
        return command;
    }
    let text = |text: &clap::builder::StyledStr| lines(&text.to_string(), width);
    let (short, long) = (
        command.get_after_help().map(text),
        command.get_after_long_help().map(text),
    );
    let mut command = command.term_width(width);
    if let Some(text) = short {
        command = command.after_help(text);
    }
    if let Some(text) = long {
        command = command.after_long_help(text);
    }
    command.mut_subcommands(|sub| fitted(sub, width))
}

fn lines(text: &str, width: usize) -> String {
    let joined = text.replace(" \\\n      ", " ");
    let lines = joined.lines().map(|line| {
        if line.chars().count() <= width {
            line.to_owned()
        } else if line.starts_with("  gpoctl ") {
            wrapped(words(line), width.saturating_sub(2), 6, " \\")
        } else if line.starts_with("  ") {
            let indent = description(line).filter(|column| column.saturating_add(20) <= width);
            wrapped(line.split(' '), width, indent.unwrap_or(6), "")
        } else {
            // A paragraph, which clap breaks.
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The column at which the description in a line of a list begins: after two blanks or more.
fn description(line: &str) -> Option<usize> {
    let term = line.trim_start();
    let indent = line.len().saturating_sub(term.len());
    let gap = term.find("  ")?;
    let rest = term.get(gap..)?;
    let blanks = rest.len().saturating_sub(rest.trim_start().len());
    Some(indent.saturating_add(gap).saturating_add(blanks))
}

/// The words of a command line, with their quotes.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut quote = None;
    line.split(move |c: char| {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => {}
        }
        c == ' ' && quote.is_none()
    })
}

/// Words in lines of this width, the second and later ones indented, each but the last with this end.
fn wrapped<'a>(
    words: impl Iterator<Item = &'a str>,
    width: usize,
    indent: usize,
    end: &str,
) -> String {
    let (mut text, mut used) = (String::new(), 0_usize);
    for (number, word) in words.enumerate() {
        let length = word.chars().count();
        let wider = used.saturating_add(1).saturating_add(length);
        if number > 0 && wider > width && !word.is_empty() {
            text.truncate(text.trim_end_matches(' ').len());
            text.push_str(end);
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            used = indent.saturating_add(length);
        } else {
            if number > 0 {
                text.push(' ');
            }
            used = wider;
        }
        text.push_str(word);
    }
    text
}
