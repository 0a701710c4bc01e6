//! Arguments in a manual page: how they are typed, and the synopsis of a command.

use clap::builder::ValueRange;
use clap::{Arg, ArgAction, Command, Id};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::cli::help::CONNECTION;

/// Whether a command has the connection options.
pub(super) fn connects(command: &Command) -> bool {
    command
        .get_arguments()
        .any(|argument| argument.get_help_heading() == Some(CONNECTION))
}

pub(super) fn is_flag(argument: &Arg) -> bool {
    !argument.is_positional() && !takes_value(argument)
}

fn takes_value(argument: &Arg) -> bool {
    argument
        .get_num_args()
        .is_some_and(|range| range.takes_values())
}

/// What is typed for the value of an argument.
fn value(argument: &Arg) -> String {
    let name = argument.get_value_names().map_or_else(
        || argument.get_id().as_str().to_uppercase(),
        |names| {
            names
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        },
    );
    let many = argument
        .get_num_args()
        .is_some_and(|range| range != ValueRange::SINGLE)
        || matches!(argument.get_action(), ArgAction::Append);
    if many { format!("{name}...") } else { name }
}

/// An argument as it is typed: `--to DIR`, `-y`, or `BACKUP`.
fn typed(argument: &Arg) -> Vec<Inline> {
    let Some(long) = argument.get_long() else {
        return vec![italic(value(argument))];
    };
    let mut inlines = vec![bold(format!("--{long}"))];
    if takes_value(argument) {
        inlines.extend([roman(" "), italic(value(argument))]);
    }
    inlines
}

/// How the command is typed.
pub(super) fn synopsis(command: &Command) -> Vec<Inline> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut line = vec![bold(name)];
    if command.has_subcommands() {
        line.extend([
            roman(" "),
            italic("COMMAND"),
            roman(" ["),
            italic("options"),
            roman("]"),
        ]);
        return line;
    }
    let groups: Vec<Vec<&Arg>> = command
        .get_groups()
        .filter(|group| group.is_required_set())
        .map(|group| members(command, group.get_args()))
        .collect();
    let grouped = |argument: &Arg| {
        let mut all = groups.iter().flatten();
        all.any(|member| member.get_id() == argument.get_id())
    };
    let own = |argument: &&Arg| {
        argument.get_help_heading().is_none() && !argument.is_hide_set() && !grouped(argument)
    };
    for argument in command
        .get_arguments()
        .filter(own)
        .filter(|one| !one.is_positional())
    {
        optional(&mut line, typed(argument), argument.is_required_set());
    }
    for group in &groups {
        line.push(roman(" {"));
        for (index, argument) in group.iter().enumerate() {
            if index > 0 {
                line.push(roman(" | "));
            }
            line.extend(typed(argument));
        }
        line.push(roman("}"));
    }
    for argument in command.get_positionals().filter(own) {
        optional(&mut line, typed(argument), argument.is_required_set());
    }
    if connects(command) {
        line.extend([roman(" ["), italic("connection options"), roman("]")]);
    }
    line.extend([roman(" ["), italic("global options"), roman("]")]);
    line
}

fn optional(line: &mut Vec<Inline>, typed: Vec<Inline>, required: bool) {
    let (open, close) = if required { (" ", "") } else { (" [", "]") };
    line.push(roman(open));
    line.extend(typed);
    line.push(roman(close));
}

fn members<'a>(command: &'a Command, ids: impl Iterator<Item = &'a Id>) -> Vec<&'a Arg> {
    ids.filter_map(|id| {
        command
            .get_arguments()
            .find(|argument| argument.get_id() == id)
    })
    .collect()
}

/// An argument with its help, and what each of its values means.
pub(super) fn option(roff: &mut Roff, argument: &Arg) {
    let mut title = Vec::new();
    if let Some(short) = argument.get_short() {
        title.extend([bold(format!("-{short}")), roman(", ")]);
    }
    title.extend(typed(argument));
    roff.control("TP", []);
    roff.text(title);
    let help = argument.get_long_help().or(argument.get_help());
    let mut help = help
        .map(ToString::to_string)
        .unwrap_or_default()
        .replace('\n', " ");
    let defaults: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .filter(|value| !value.is_empty())
        .collect();
    if takes_value(argument) && !defaults.is_empty() {
        help.push_str(&format!(" (default: {})", defaults.join(", ")));
    }
    roff.text([roman(help)]);
    let values = argument.get_possible_values();
    if !takes_value(argument) || values.is_empty() || argument.is_hide_possible_values_set() {
        return;
    }
    roff.control("RS", []);
    for value in values.iter().filter(|value| !value.is_hide_set()) {
        roff.control("TP", []);
        roff.text([bold(value.get_name())]);
        let help = value.get_help().map(ToString::to_string);
        roff.text([roman(help.unwrap_or_else(|| "\u{a0}".to_owned()))]);
    }
    roff.control("RE", []);
}
