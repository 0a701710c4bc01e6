//! Manual pages, made of the same definition as the help.

use clap::{Arg, Command};
use clap_mangen::roff::{Roff, bold, roman};

use super::arguments::{connects, is_flag, option, synopsis};
use crate::cli::help::{CONNECTION, GLOBAL, command, topics};

/// A manual page.
#[derive(Debug)]
pub(in crate::cli) struct Page {
    /// Its name, such as `gpoctl-backups-list`.
    pub(super) name: String,
    /// The section of the manual.
    pub(super) section: u8,
    /// Its text, in the man macros of roff(7).
    pub(super) text: String,
}

impl Page {
    pub(super) fn file_name(&self) -> String {
        format!("{}.{}", self.name, self.section)
    }
}

/// The pages of all commands and topics; that of gpoctl itself comes first.
pub(in crate::cli) fn pages() -> Vec<Page> {
    let mut root = command();
    root.build();
    let mut pages = Vec::new();
    collect(&root, &mut pages);
    for mut topic in topics() {
        topic.build();
        pages.push(topic_page(&topic));
    }
    pages
}

fn collect(command: &Command, pages: &mut Vec<Page>) {
    pages.push(command_page(command));
    for sub in subcommands(command) {
        collect(sub, pages);
    }
}

/// The subcommands that have a page; the `help` that clap adds below the root has none.
fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    let is_root = command.get_name() == "gpoctl";
    command
        .get_subcommands()
        .filter(move |sub| !sub.is_hide_set() && (is_root || sub.get_name() != "help"))
}

fn display_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn command_page(command: &Command) -> Page {
    let name = display_name(command).to_owned();
    let mut roff = head(&name, 1, command);
    section(&mut roff, "SYNOPSIS");
    roff.text(synopsis(command));
    section(&mut roff, "DESCRIPTION");
    description(&mut roff, command);
    let positionals: Vec<&Arg> = command.get_positionals().collect();
    if !positionals.is_empty() {
        section(&mut roff, "ARGUMENTS");
        positionals
            .iter()
            .for_each(|argument| option(&mut roff, argument));
    }
    for (title, heading) in [
        ("OPTIONS", None),
        ("CONNECTION OPTIONS", Some(CONNECTION)),
        ("GLOBAL OPTIONS", Some(GLOBAL)),
    ] {
        let mut options: Vec<&Arg> = command
            .get_opts()
            .chain(command.get_arguments().filter(|argument| is_flag(argument)))
            .filter(|argument| argument.get_help_heading() == heading && !argument.is_hide_set())
            .collect();
        let place = |argument: &&Arg| {
            let mut all = command.get_arguments();
            all.position(|other| other.get_id() == argument.get_id())
        };
        options.sort_by_key(place);
        if options.is_empty() {
            continue;
        }
        section(&mut roff, title);
        options
            .iter()
            .for_each(|argument| option(&mut roff, argument));
        if heading == Some(CONNECTION) {
            roff.control("PP", []);
            let text = "For the other connection options, and for profiles, see ";
            roff.text([roman(text), bold("gpoctl-connection"), roman("(7).")]);
        }
    }
    if command.has_subcommands() {
        section(&mut roff, "COMMANDS");
        for sub in subcommands(command) {
            roff.control("TP", []);
            roff.text([bold(display_name(sub)), roman("(1)")]);
            roff.text([roman(about(sub))]);
        }
    }
    sections(&mut roff, command);
    if command.get_name() == "gpoctl" || connects(command) {
        files_and_environment(&mut roff);
    }
    see_also(&mut roff, command);
    finish(name, 1, &roff)
}

fn topic_page(topic: &Command) -> Page {
    let name = format!("gpoctl-{}", topic.get_name());
    let mut roff = head(&name, 7, topic);
    section(&mut roff, "DESCRIPTION");
    let text = topic.get_long_about().map(ToString::to_string);
    roff.text([roman(text.unwrap_or_default())]);
    let options: Vec<&Arg> = topic
        .get_arguments()
        .filter(|argument| !argument.is_positional())
        .collect();
    if !options.is_empty() {
        section(&mut roff, "OPTIONS");
        options
            .iter()
            .for_each(|argument| option(&mut roff, argument));
    }
    sections(&mut roff, topic);
    if topic.get_name() == "connection" {
        files(&mut roff);
    }
    let pages: &[(&str, u8)] = match topic.get_name() {
        "connection" => &[("gpoctl", 1), ("kinit", 1), ("krb5.conf", 5)],
        "codes" => &[
            ("gpoctl", 1),
            ("gpoctl-check", 1),
            ("gpoctl-migtable-validate", 1),
        ],
        _ => &[
            ("gpoctl-migtable", 1),
            ("gpoctl-import", 1),
            ("gpoctl-copy", 1),
        ],
    };
    page_list(&mut roff, pages);
    finish(name, 7, &roff)
}

fn head(name: &str, number: u8, command: &Command) -> Roff {
    let mut roff = Roff::new();
    let number = number.to_string();
    let manual = if number == "1" {
        "User Commands"
    } else {
        "gpoctl manual"
    };
    let title = name.to_uppercase();
    // The date is left empty: pages built twice from the same source are the same.
    let source = concat!("gpoctl ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [&*title, &*number, "\"\"", source, manual]);
    // Neither hyphenated nor justified: a reader copies options, and searches for them.
    roff.control("nh", []);
    roff.control("ad", ["l"]);
    section(&mut roff, "NAME");
    roff.text([roman(format!("{name} - {}", about(command)))]);
    roff
}

/// The text as it is written to a file: ASCII, because man pages are read in every locale.
fn finish(name: String, section: u8, roff: &Roff) -> Page {
    let mut text = String::new();
    for c in roff.render().chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            text.push_str(&format!("\\[u{:04X}]", u32::from(c)));
        }
    }
    Page {
        name,
        section,
        text,
    }
}

fn section(roff: &mut Roff, title: &str) {
    roff.control("SH", [title]);
}

fn about(command: &Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn description(roff: &mut Roff, command: &Command) {
    let text = command
        .get_long_about()
        .map_or_else(|| format!("{}.", about(command)), ToString::to_string);
    let paragraphs = text
        .split("\n\n")
        .map(str::trim)
        .filter(|text| !text.is_empty());
    for (index, paragraph) in paragraphs.enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        // The first paragraph of a longer text is its summary, which has no full stop.
        let stop = if paragraph.ends_with(['.', ':']) {
            ""
        } else {
            "."
        };
        roff.text([roman(format!("{}{stop}", paragraph.replace('\n', " ")))]);
    }
}

/// The sections below the options of the help: a heading is a line after an empty one that ends with a colon, and indented lines are
/// shown as they are.
fn sections(roff: &mut Roff, command: &Command) {
    let text = command.get_after_long_help().or(command.get_after_help());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let mut verbatim = false;
    let mut begins = true;
    let mut after_blank = true;
    for line in text.lines() {
        let heading = line
            .strip_suffix(':')
            .filter(|line| after_blank && !line.starts_with(' '));
        after_blank = line.is_empty();
        if verbatim && !line.starts_with(' ') {
            end_example(roff);
            verbatim = false;
        }
        match heading {
            Some(heading) => {
                section(roff, &heading.to_uppercase());
                begins = true;
            }
            None if line.is_empty() => {}
            None if line.starts_with(' ') => {
                if !verbatim {
                    if !begins {
                        roff.control("PP", []);
                    }
                    roff.control("EX", []);
                    verbatim = true;
                }
                let line = line.strip_prefix("  ").unwrap_or(line);
                roff.text([roman(line)]);
                begins = false;
            }
            None => {
                if !begins {
                    roff.control("PP", []);
                }
                roff.text([roman(line)]);
                begins = false;
            }
        }
    }
    if verbatim {
        end_example(roff);
    }
}

fn end_example(roff: &mut Roff) {
    roff.control("EE", []);
    // This macro turns hyphenation on again.
    roff.control("nh", []);
}

fn terms(roff: &mut Roff, terms: &[(&str, &str)]) {
    for (term, text) in terms {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*text)]);
    }
}

fn files(roff: &mut Roff) {
    section(roff, "FILES");
    terms(
        roff,
        &[
            ("~/.config/gpoctl/config.toml", "Profiles of domains."),
            (
                "~/.local/state/gpoctl/operations",
                "Journals of the operations of this user, with a backup of each GPO as it was before. They can contain secrets of \
                 the GPOs and are readable by their owner only. See gpoctl-operations(1).",
            ),
            (
                "~/.cache/gpoctl/gpos",
                "Names of GPOs for shell completions, written by gpoctl list.",
            ),
        ],
    );
}

fn files_and_environment(roff: &mut Roff) {
    files(roff);
    section(roff, "ENVIRONMENT");
    terms(
        roff,
        &[
            ("KRB5CCNAME", "Default Kerberos ticket cache."),
            (
                "KRB5_CONFIG",
                "Kerberos configuration file, see krb5.conf(5).",
            ),
            ("NO_COLOR", "If set, output has no colours."),
            ("TERM", "If set to dumb, output has no colours."),
            ("XDG_CONFIG_HOME", "Used instead of ~/.config."),
            ("XDG_STATE_HOME", "Used instead of ~/.local/state."),
            ("XDG_CACHE_HOME", "Used instead of ~/.cache."),
        ],
    );
}

fn see_also(roff: &mut Roff, command: &Command) {
    let name = display_name(command);
    let mut pages = Vec::new();
    if let Some((parent, _)) = name
        .rsplit_once('-')
        .filter(|_| name != "gpoctl-set-status")
    {
        pages.push((parent.to_owned(), 1));
    } else if name != "gpoctl" {
        pages.push(("gpoctl".to_owned(), 1));
    }
    if name == "gpoctl" || connects(command) {
        pages.push(("gpoctl-connection".to_owned(), 7));
    }
    let maps = command
        .get_arguments()
        .any(|argument| argument.get_id() == "migration_table");
    if name == "gpoctl" || maps || name.starts_with("gpoctl-migtable") {
        pages.push(("gpoctl-migration-tables".to_owned(), 7));
    }
    if ["gpoctl", "gpoctl-check", "gpoctl-migtable-validate"].contains(&name) {
        pages.push(("gpoctl-codes".to_owned(), 7));
    }
    let pages: Vec<(&str, u8)> = pages
        .iter()
        .map(|(name, section)| (&**name, *section))
        .collect();
    page_list(roff, &pages);
}

fn page_list(roff: &mut Roff, pages: &[(&str, u8)]) {
    section(roff, "SEE ALSO");
    let mut line = Vec::new();
    for (name, section) in pages {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(*name), roman(format!("({section})"))]);
    }
    roff.text(line);
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command as Process, Stdio};

    use super::*;

    #[test]
    fn pages_have_all_sections_and_no_character_that_groff_does_not_know() {
        let pages = pages();
        assert!(pages.len() > 45, "{}", pages.len());
        for page in &pages {
            assert!(page.text.is_ascii(), "{}", page.name);
            let sections = |title: &str| page.text.contains(&format!("\n.SH {title}\n"));
            assert!(sections("NAME") && sections("DESCRIPTION"), "{}", page.name);
            assert!(page.text.contains(".SH \"SEE ALSO\"\n"), "{}", page.name);
            let titles = page.text.lines().filter(|line| line.starts_with(".SH "));
            for title in titles {
                assert!(title.len() <= 40, "{}: {title}", page.name);
            }
            let has_subcommands = page.text.contains("\n.SH COMMANDS\n");
            if page.section == 1 && (!has_subcommands || page.name == "gpoctl") {
                assert!(
                    sections("SYNOPSIS") && sections("EXAMPLES"),
                    "{}",
                    page.name
                );
                assert!(page.text.contains(".SH \"EXIT STATUS\"\n"), "{}", page.name);
            }
            assert_eq!(
                page.text.matches("\n.EX\n").count(),
                page.text.matches("\n.EE\n").count()
            );
        }
        let import = pages
            .iter()
            .find(|page| page.name == "gpoctl-import")
            .unwrap();
        for piece in [
            "\\fB\\-\\-into\\fR \\fIGPO\\fR",
            "\\fIBACKUP\\fR",
            ".SH FILES",
            ".SH ENVIRONMENT",
            "XDG_STATE_HOME",
            "gpoctl\\-migration\\-tables\\fR(7)",
        ] {
            assert!(import.text.contains(piece), "{piece}\n{}", import.text);
        }
    }

    #[test]
    fn groff_is_silent_and_no_line_is_wider_than_80_columns() {
        for page in pages() {
            let mut groff = Process::new("groff")
                .args(["-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=80n"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("groff is needed: samba-testenv/install --build-only");
            groff
                .stdin
                .take()
                .unwrap()
                .write_all(page.text.as_bytes())
                .unwrap();
            let output = groff.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && said.is_empty(),
                "{}: {said}",
                page.name
            );
            let shown = String::from_utf8_lossy(&output.stdout);
            let wide: Vec<&str> = shown
                .lines()
                .filter(|line| line.chars().count() > 80)
                .collect();
            assert!(wide.is_empty(), "{}: {wide:#?}", page.name);
            // No option is broken at the end of a line.
            let broken = |line: &str| line.ends_with('\u{2010}');
            assert!(!shown.lines().any(broken), "{shown}");
        }
    }
}
