//! Help: the command line as it is parsed and shown, and topics that are no commands.

mod fit;

use clap::{Args, Command};

use super::connection::ConnectionArgs;
use super::ui::Ui;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Code;

/// The heading of the connection options, of which a command's own help shows only the first.
pub(super) const CONNECTION: &str = "Connection options (all: gpoctl help connection)";
/// The heading of the options that every command has.
pub(super) const GLOBAL: &str = "Global options";

/// Print the help of a command or a topic
///
/// Topics: connection (options, profiles, identities), migration-tables (rows, types, how to make one), codes (the codes of
/// messages: what each means and what to do).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  gpoctl help backups list\n  gpoctl help connection")]
pub(super) struct HelpArgs {
    /// Command, or one of the topics connection, migration-tables and codes
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

pub(super) fn run(args: &HelpArgs, ui: &Ui) -> Result<u8> {
    let mut root = command();
    root.build();
    let mut found = match args.words.as_slice() {
        [word] => topics().into_iter().find(|topic| topic.get_name() == word),
        _ => None,
    }
    .unwrap_or(root);
    if found.get_name() == "gpoctl" {
        for word in &args.words {
            found = found.find_subcommand(word).cloned().ok_or_else(|| {
                let words = args.words.join(" ");
                Error::new(
                    ErrorKind::Usage,
                    format!("there is no command or topic \"{words}\""),
                )
                .with_hint(
                    "to list the commands: gpoctl help; topics are connection, migration-tables and codes",
                )
            })?;
        }
    }
    let mut found = match fit::terminal_width() {
        Some(width) => fit::fitted(found, width),
        None => found,
    };
    ui.help(&mut found);
    Ok(0)
}

/// As [`command`], with texts for the terminal.
pub(super) fn command_for_terminal() -> Command {
    match fit::terminal_width() {
        Some(width) => fit::fitted(command(), width),
        None => command(),
    }
}

/// The command line with everything that the derived definition lacks: only the first connection option in each command's help,
/// and the exit status below it.
pub(super) fn command() -> Command {
    use clap::CommandFactory as _;
    refined(super::Cli::command(), "")
}

fn refined(command: Command, parent: &str) -> Command {
    let path = format!("{parent} {}", command.get_name());
    let command = command.mut_args(|argument| {
        let hidden =
            argument.get_help_heading() == Some(CONNECTION) && argument.get_id() != "domain";
        super::complete::with_candidates(argument.hide(hidden))
    });
    let command = match (command.has_subcommands(), command.get_after_help()) {
        (false, Some(examples)) => {
            let text = format!("{examples}\n\n{}", exit_status(&path, &command));
            command.after_long_help(text)
        }
        _ => command,
    };
    command.mut_subcommands(|sub| refined(sub, &path))
}

/// The exit statuses of a command, as a section of its help text.
fn exit_status(path: &str, command: &Command) -> &'static str {
    let has = |id: &str| command.get_arguments().any(|known| known.get_id() == id);
    match path {
        " gpoctl check" => REPAIRS,
        " gpoctl migtable validate" => CHECKS,
        " gpoctl backup" | " gpoctl migtable populate" | " gpoctl apply" => WRITES,
        _ if has("yes") => WRITES,
        _ => READS,
    }
}

const READS: &str = "Exit status:
  0    done
  1    failed
  2    wrong usage or configuration";

const WRITES: &str = "Exit status:
  0    done
  1    failed, nothing was changed
  2    wrong usage or configuration
  3    partly done, or something is left to undo or clean up
  130  stopped by Ctrl-C or by answering no, nothing is half-written";

const CHECKS: &str = "Exit status:
  0    no problems, or only notes
  1    errors, or the check failed
  2    wrong usage or configuration
  4    warnings, but no errors";

const REPAIRS: &str = "Exit status:
  0    no problems, or only notes
  1    errors, or the check failed
  2    wrong usage or configuration
  3    with --fix: partly done, or something is left to undo or clean up
  4    warnings, but no errors
  130  with --fix: stopped by Ctrl-C or by answering no";

/// The topics, as commands that are only shown.
pub(super) fn topics() -> Vec<Command> {
    let connection = ConnectionArgs::augment_args(Command::new("connection"))
        .mut_args(|argument| argument.help_heading("Options"));
    let tables = Command::new("migration-tables");
    [
        connection
            .about("Options, profiles and identities for connecting to a domain")
            .long_about(CONNECTION_ABOUT)
            .after_help(CONNECTION_TEXT),
        tables
            .about("Mapping users, groups, computers and UNC paths between domains")
            .long_about(TABLES_ABOUT)
            .after_help(TABLES_TEXT),
        Command::new("codes")
            .about("Codes of messages: what each means and what to do")
            .long_about(CODES_ABOUT)
            .after_help(codes_text()),
    ]
    .map(|topic| {
        let template = match topic.get_opts().next() {
            Some(_) => "{about-with-newline}\n{all-args}{after-help}",
            None => "{about}{after-help}",
        };
        topic
            .max_term_width(super::WIDTH)
            .disable_help_flag(true)
            .help_template(template)
    })
    .into()
}

const CODES_ABOUT: &str = "\
Every message of gpoctl has a code, a severity and a text. Scripts can rely on the codes, which --json contains; texts may change \
between versions.";

/// The columns that the lines of a topic may have; a manual page indents them further.
const COLUMNS: usize = 75;

/// The table of the codes: each with its severities, its meaning, and what to do.
fn codes_text() -> String {
    let mut text = "Codes:".to_owned();
    for code in Code::ALL {
        let severities: Vec<&str> = code.severities().iter().map(|one| one.word()).collect();
        let severities = match severities.as_slice() {
            [] => "reason of check --for".to_owned(),
            several => several.join(" or "),
        };
        text.push_str(&format!("\n  {code:<28}{severities}"));
        indented(code.meaning(), &mut text);
        indented(&format!("-> {}", code.action()), &mut text);
    }
    text
}

/// Adds a paragraph, broken between words and indented below a code.
fn indented(paragraph: &str, text: &mut String) {
    let mut column = COLUMNS;
    for word in paragraph.split(' ') {
        let width = word.chars().count().saturating_add(1);
        column = column.saturating_add(width);
        if column > COLUMNS {
            text.push_str("\n     ");
            column = width.saturating_add(5);
        }
        text.push(' ');
        text.push_str(word);
    }
}

const CONNECTION_ABOUT: &str = "\
Every command that needs a domain connects to one domain controller, for both LDAP and SMB. Options or a profile choose the \
domain controller and the account. Without them, the domain controller is found in DNS and the Kerberos ticket cache is used.";

const CONNECTION_TEXT: &str = "\
Profiles:
A profile is a table in ~/.config/gpoctl/config.toml (or $XDG_CONFIG_HOME/gpoctl/config.toml). Its keys are the options above, \
with _ for -. Command-line options override the profile. If there is only one profile, --domain can be left out. Commands that \
use two domains, such as copy, need a profile for each. Paths may start with ~/ and are otherwise relative to the folder of \
config.toml.

  [domain.\"corp.example\"]
  server = \"dc1.corp.example\"
  user = \"administrator@CORP.EXAMPLE\"
  password_file = \"corp.password\"

  [domain.\"lab.example\"]
  server = \"dc1.lab.example\"
  address = \"192.0.2.10\"
  ccache = \"FILE:/tmp/krb5cc_lab\"

Identity:
Without a user, the tickets of the default Kerberos cache are used: run kinit first. With a user and a password file, that \
password is used. With a user but no password file, gpoctl uses the tickets of that user in the default cache, or asks for the \
password on the terminal. Passwords are not accepted as arguments or in config.toml. The password file must be readable by \
its owner only.

Domain names that do not resolve:
Use --server with the name of the domain controller and --address with its IP address, or --nameserver with the address of a \
DNS server of the domain. Kerberos and TLS check the name even if an address is given.

Servers:
Tested with Samba 4.17, 4.22 and 4.25 as domain controllers; Windows domain controllers have not been tested. Shares that \
require SMB encryption are opened encrypted. Samba 4.25 does not store object entries in the permissions of files, so gpoctl \
leaves them out there; after an upgrade to it, run gpoctl check --all --fix once.

Open files:
Samba since 4.22, and Windows according to its specification, do not let anybody rename a folder with an open file \
below it, or replace an open file. When a client has a file of the GPO open, gpoctl waits for up to 10 seconds each \
time, or --timeout if that is shorter; -v shows what it waits for. If the file is still open then, everything is \
rolled back and the exit status is 1. smbstatus -L or Get-SmbOpenFile on the domain controller shows which client has \
it open.

Environment:
  KRB5CCNAME       default Kerberos ticket cache
  KRB5_CONFIG      Kerberos configuration file
  XDG_CONFIG_HOME  folder of gpoctl/config.toml, by default ~/.config

Examples:
  gpoctl list --domain corp.example
  gpoctl list --domain lab.example --server dc1.lab.example \\
      --address 192.0.2.10 --user administrator@LAB.EXAMPLE
  gpoctl list --domain lab.example --nameserver 192.0.2.10 \\
      --ldap ldaps --tls-ca lab-ca.pem --user administrator@LAB.EXAMPLE";

const TABLES_ABOUT: &str = "\
A GPO refers to users, groups, computers and UNC paths of its own domain. A migration table maps each of them to its counterpart \
when the GPO is imported or copied into another domain. The file format is that of GPMC's Migration Table Editor.";

const TABLES_TEXT: &str = "\
Rows:
A row has a type, a source and a destination. The case of a source is ignored. The destination is one of:

  same as source    keep the reference unchanged
  none              remove it from every setting
  by relative name  use the principal of that name in the target domain
  a name or a path  use this principal or UNC path

A reference without a row is kept unchanged and reported; with --exclusive it is an error before anything is written.

Types:
  User, Computer    accounts
  LocalGroup        domain local group
  GlobalGroup       global group
  UniversalGroup    universal group
  UNCPath           \\\\server\\share and what is below it
  Unknown           free text, a SID, or a well-known principal

Sources:
A principal is written NAME@dns.domain or DOMAIN\\NAME. Where a GPO contains only the SID of a principal and not its name, the \
source is the SID and the type is Unknown. A UNC row applies to exactly that path, or with --unc-match prefix to every path \
below it, however the GPO writes it: \\\\server\\share, \\\\?\\UNC\\server\\share, //server/share, file://server/share, or with \
every backslash doubled, as in JSON. In a text with several words, a path with blanks has to be in quotation marks.

A variable that clients complete, such as %ComputerName%, may be part of a name: DOMAIN\\Admins-%ComputerName%.

Scope:
GPMC maps references in security settings, folder redirection, scripts, software installation and permissions. gpoctl also maps \
those in Registry.pol and Preferences; --scope gpmc leaves them unchanged.

Making a table:
  gpoctl migtable populate lab.migtable --backup-dir /backups --all
  gpoctl migtable suggest lab.migtable --domain lab.example
  gpoctl migtable show lab.migtable
  gpoctl migtable set lab.migtable Helpdesk@corp.example \\
      --to Support@lab.example
  gpoctl migtable validate lab.migtable --domain lab.example

Using it:
  gpoctl import \"Workstation Security\" --backup-dir /backups \\
      --into \"Workstation Security\" --create \\
      --migration-table lab.migtable --exclusive --domain lab.example";

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command and topic with its path.
    fn all() -> Vec<(String, Command)> {
        fn walk(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                walk(sub, &path, found);
                found.push((path, sub.clone()));
            }
        }
        let root = command();
        let mut found = vec![("gpoctl".to_owned(), root.clone())];
        walk(&root, "gpoctl", &mut found);
        found.extend(
            topics()
                .into_iter()
                .map(|topic| (topic.get_name().to_owned(), topic)),
        );
        found
    }

    fn after_help(command: &Command) -> String {
        let text = command.get_after_long_help().or(command.get_after_help());
        text.map(ToString::to_string).unwrap_or_default()
    }

    /// The words of a command line as a shell reads them, up to a pipe or a redirection.
    fn shell_words(line: &str) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut current: Option<String> = None;
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), c) => current.get_or_insert_default().push(c),
                (None, '"' | '\'') => {
                    quote = Some(c);
                    current.get_or_insert_default();
                }
                (None, '|' | '>' | '&') => break,
                (None, ' ') => words.extend(current.take()),
                (None, c) => current.get_or_insert_default().push(c),
            }
        }
        assert_eq!(quote, None, "{line}");
        words.extend(current);
        words
    }

    #[test]
    fn every_example_fits_a_terminal_and_is_a_valid_command_line() {
        let mut examples = 0;
        for (path, shown) in all() {
            let text = after_help(&shown);
            for line in text.lines().filter(|line| line.starts_with(' ')) {
                // In a manual page, it is indented by 7 instead of 2.
                assert!(line.chars().count() <= 75, "{path}: {line}");
            }
            let joined = text.replace("\\\n", " ");
            for line in joined.lines().filter(|line| line.starts_with("  gpoctl ")) {
                let words = shell_words(line.trim());
                if let Err(error) = command().try_get_matches_from(&words) {
                    assert!(!error.use_stderr(), "{path}: {line}\n{error}");
                }
                examples += 1;
            }
        }
        assert!(examples > 70, "{examples}");
    }

    #[test]
    fn help_fits_a_narrow_terminal_and_its_examples_can_be_pasted() {
        let mut examples = 0;
        for width in [60, 72] {
            for (path, shown) in all() {
                let wide = after_help(&shown);
                let mut shown = fit::fitted(shown, width);
                for help in [shown.render_help(), shown.render_long_help()] {
                    for line in help.to_string().lines() {
                        assert!(line.chars().count() <= width, "{path}: {line}");
                    }
                }
                let lines = |text: &str| -> Vec<Vec<String>> {
                    let joined = text.replace("\\\n", " ");
                    let examples = joined.lines().filter(|line| line.starts_with("  gpoctl "));
                    examples.map(|line| shell_words(line.trim())).collect()
                };
                let narrow = lines(&after_help(&shown));
                examples += narrow.len();
                assert_eq!(narrow, lines(&wide), "{path}");
            }
        }
        assert!(examples > 140, "{examples}");
    }

    #[test]
    fn the_topic_codes_has_every_code_with_meaning_and_action() {
        let codes = topics()
            .into_iter()
            .find(|topic| topic.get_name() == "codes");
        let text = after_help(&codes.unwrap());
        let joined = text.replace("\n      ", " ");
        for code in Code::ALL {
            let entry = joined
                .lines()
                .find(|line| line.split(' ').nth(2) == Some(code.name()))
                .unwrap_or_else(|| panic!("{code}"));
            let said = format!(" {} -> {}", code.meaning(), code.action());
            assert!(entry.ends_with(&said), "{entry}");
            for severity in code.severities() {
                assert!(entry.contains(severity.word()), "{entry}");
            }
        }
        assert!(
            text.contains(
                "\n  unused-row                  warning\n      a row of the migration table was not used\n      -> check the source of the row\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn own_options_come_first_and_connection_options_are_one_group() {
        for (path, mut shown) in all() {
            let help = shown.render_long_help().to_string();
            let usage = help.lines().filter(|line| line.contains("sage: gpoctl"));
            for line in usage {
                assert!(line.chars().count() <= 80, "{path}: {line}");
            }
            let at = |heading: &str| help.find(&format!("{heading}:\n"));
            if let (Some(connection), Some(global)) = (at(CONNECTION), at(GLOBAL)) {
                assert!(connection < global, "{path}");
                assert!(!help.contains("--tls-pin"), "{path}");
                assert!(at("Options").is_none_or(|own| own < connection), "{path}");
            }
        }
        let mut connection = topics().remove(0);
        let help = connection.render_long_help().to_string();
        for option in [
            "--domain",
            "--server",
            "--nameserver",
            "--tls-pin",
            "--timeout",
        ] {
            assert!(help.contains(option), "{option}");
        }
    }

    #[test]
    fn every_command_says_its_exit_status() {
        for (path, shown) in all() {
            let is_topic = !path.starts_with("gpoctl");
            let text = after_help(&shown);
            assert!(
                is_topic
                    || shown.has_subcommands() && path != "gpoctl"
                    || text.contains("Exit status:"),
                "{path}"
            );
        }
    }
}
