//! The command line: options here, one file per command, and `ui`, the only module that prints.

mod apply;
#[cfg(test)]
mod attacked;
mod backup;
mod backups;
mod check;
mod complete;
mod completions;
mod config;
mod connection;
mod copy;
mod create;
mod delete;
mod diff;
mod help;
mod hints;
mod import;
mod keep;
mod link;
mod list;
mod man;
mod mapping;
mod migtable;
mod operations;
mod permissions;
mod plan;
mod rename;
mod report;
mod restore;
mod set_status;
mod show;
mod templates;
mod ui;
mod wmi;
mod writing;

use clap::{FromArgMatches as _, Parser, Subcommand};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::error::{Error, ErrorKind, Result};
use ui::Ui;

/// The widest line of help; longer ones are hard to read.
const WIDTH: usize = 110;

/// Back up, import, copy and check Group Policy Objects of Active Directory and Samba domains
///
/// Every command that changes a domain first shows the whole change and asks; only gpoctl apply does not ask, because its plan was
/// saved to be read before. Each change is recorded and can be undone with gpoctl operations undo.
#[derive(Debug, Parser)]
#[command(
    name = "gpoctl",
    version = env!("GPOCTL_VERSION"),
    max_term_width = WIDTH,
    disable_help_flag = true,
    disable_help_subcommand = true,
    after_help = ROOT_TEXT
)]
struct Cli {
    /// Print JSON instead of text
    #[arg(long, global = true, help_heading = help::GLOBAL, display_order = 900)]
    json: bool,

    /// Show long lists and values in full, and log LDAP, SMB and Kerberos activity to standard error; repeat to log more
    #[arg(
        short, long, global = true, help_heading = help::GLOBAL, display_order = 901,
        action = clap::ArgAction::Count
    )]
    verbose: u8,

    /// Print no progress, notes or hints
    #[arg(short, long, global = true, help_heading = help::GLOBAL, display_order = 902)]
    quiet: bool,

    /// Print help; -h prints a summary
    #[arg(
        id = "help", short = 'h', long = "help", global = true, help_heading = help::GLOBAL, display_order = 903,
        action = clap::ArgAction::Help
    )]
    _help: Option<bool>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Backup(backup::BackupArgs),
    #[command(subcommand)]
    Backups(backups::BackupsCommand),
    Import(import::ImportArgs),
    Restore(restore::RestoreArgs),
    Copy(copy::CopyArgs),
    Create(create::CreateArgs),
    Delete(delete::DeleteArgs),
    Rename(rename::RenameArgs),
    SetStatus(set_status::SetStatusArgs),
    Check(check::CheckArgs),
    #[command(subcommand)]
    Link(link::LinkCommand),
    #[command(subcommand)]
    Wmi(wmi::WmiCommand),
    #[command(subcommand)]
    Migtable(migtable::MigtableCommand),
    Apply(apply::ApplyArgs),
    #[command(subcommand)]
    Operations(operations::OperationsCommand),
    Diff(diff::DiffArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Help(help::HelpArgs),
}

const ROOT_TEXT: &str = "Examples:
  gpoctl list --domain corp.example
  gpoctl backup --all --to /backups --domain corp.example
  gpoctl import \"Workstation Security\" --backup-dir /backups \\
      --into \"Workstation Security\" --domain lab.example --dry-run

Topics:
  gpoctl help connection        options, profiles and identities
  gpoctl help migration-tables  mapping principals and UNC paths
  gpoctl help codes             codes of messages: meaning and what to do

Exit status:
  0    done
  1    failed, nothing was changed; or a check found errors
  2    wrong usage or configuration
  3    partly done, or something is left to undo or clean up
  4    a check found warnings, but no errors
  130  stopped by Ctrl-C or by answering no, nothing is half-written";

/// How long tasks that still run may take to end.
const SHUTDOWN: std::time::Duration = std::time::Duration::from_secs(2);

/// Whether a reader takes these bytes.
pub type Reader = fn(&[u8]) -> bool;

/// The readers of files that only the command has, by name: its configuration, and the names for completions.
pub const READERS: &[(&str, Reader)] = &[
    ("config", |bytes| {
        std::str::from_utf8(bytes).is_ok_and(|text| config::Config::parse(text).is_ok())
    }),
    ("names_cache", complete::is_cache),
];

/// Parses the command line, runs the command, and says the exit status.
pub fn main() -> u8 {
    crate::auth::memory::protect();
    main_with(std::env::args_os())
}

/// As [`main`], with these words as the command line, the first of which is the name of the program. A process may call it many times.
pub fn main_with(words: impl IntoIterator<Item = std::ffi::OsString>) -> u8 {
    let words: Vec<std::ffi::OsString> = words.into_iter().collect();
    if let Some(status) = complete::answer(&words) {
        return status;
    }
    let parsed = help::command_for_terminal()
        .try_get_matches_from(words)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let status = u8::try_from(error.exit_code()).unwrap_or(2);
            ui::usage::show(error);
            return status;
        }
    };
    let ui = Ui::new(cli.json, cli.quiet, cli.verbose > 0);
    init_log(cli.verbose);
    // One thread for what waits: it waits for a server, whose answers are small and many, and handing each from thread to
    // thread costs more than reading it. What may hang (getting a ticket, libsmbclient, somebody at the terminal) and what
    // works long (reading and writing backups) has threads of its own.
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::new(ErrorKind::Internal, "cannot start").with_source(cause))
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(cli.command, &ui));
            // The tasks that seal LDAP must be gone before the process tears libkrb5 down: a thread still inside it then
            // aborts the process. A resolver or a Kerberos call that hangs must not keep it either.
            runtime.shutdown_timeout(SHUTDOWN);
            outcome
        });
    match outcome {
        Ok(status) => status,
        Err(error) => {
            ui.error(&error);
            error.kind().exit_status()
        }
    }
}

async fn run(command: Command, ui: &Ui) -> Result<u8> {
    match command {
        Command::List(args) => list::run(args, ui).await,
        Command::Show(args) => show::run(args, ui).await,
        Command::Backup(args) => backup::run(args, ui).await,
        Command::Backups(command) => backups::run(command, ui).await,
        Command::Import(args) => import::run(args, ui).await,
        Command::Restore(args) => restore::run(args, ui).await,
        Command::Copy(args) => copy::run(args, ui).await,
        Command::Create(args) => create::run(args, ui).await,
        Command::Delete(args) => delete::run(args, ui).await,
        Command::Rename(args) => rename::run(args, ui).await,
        Command::SetStatus(args) => set_status::run(args, ui).await,
        Command::Check(args) => check::run(args, ui).await,
        Command::Link(command) => link::run(command, ui).await,
        Command::Wmi(command) => wmi::run(command, ui).await,
        Command::Migtable(command) => migtable::run(command, ui).await,
        Command::Apply(args) => apply::run(args, ui).await,
        Command::Operations(command) => operations::run(command, ui).await,
        Command::Diff(args) => diff::run(args, ui).await,
        Command::Completions(args) => completions::run(&args, ui),
        Command::Man(args) => man::run(&args, ui),
        Command::Help(args) => help::run(&args, ui),
    }
}

/// Diagnostics go to standard error, none unless they are asked for. The crates below may log protocol messages at trace level,
/// so they never get further than debug.
fn init_log(verbose: u8) {
    let filter = match verbose {
        0 => return,
        1 => Targets::new().with_target("gpoctl", LevelFilter::INFO),
        2 => Targets::new()
            .with_target("gpoctl", LevelFilter::DEBUG)
            .with_targets([("smb2", LevelFilter::INFO), ("ldap3", LevelFilter::INFO)]),
        _ => Targets::new()
            .with_target("gpoctl", LevelFilter::TRACE)
            .with_targets([("smb2", LevelFilter::DEBUG), ("ldap3", LevelFilter::DEBUG)]),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(ui::LogLines::default);
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::help;

    #[test]
    fn the_definition_holds_together() {
        help::command().debug_assert();
    }

    /// Every command that does something itself, with its path.
    fn commands() -> Vec<(String, Command)> {
        fn look(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                if sub.has_subcommands() {
                    look(sub, &path, found);
                } else {
                    found.push((path, sub.clone()));
                }
            }
        }
        let mut found = Vec::new();
        look(&help::command(), "gpoctl", &mut found);
        found
    }

    /// A process list shows the arguments of every process to every user. And nothing turns a check of the server off.
    #[test]
    fn no_option_takes_a_password_or_turns_a_check_off() {
        for (path, command) in commands() {
            for option in command.get_arguments() {
                let name = option.get_long().unwrap_or_default();
                let takes = option.get_action().takes_values();
                assert!(
                    !name.contains("password") || !takes || name == "password-file",
                    "{path} --{name}"
                );
                for word in ["insecure", "no-tls", "no-verify", "no-sign", "plain"] {
                    assert!(!name.contains(word), "{path} --{name}");
                }
            }
        }
    }

    #[test]
    fn every_command_has_two_examples() {
        let mut without = Vec::new();
        for (path, command) in commands() {
            let help = command.get_after_help().map(ToString::to_string);
            let examples = help.unwrap_or_default().matches("  gpoctl ").count();
            if examples < 2 {
                without.push(format!("{path}: {examples}"));
            }
        }
        assert!(without.is_empty(), "{without:?}");
    }

    #[test]
    fn every_command_that_writes_to_a_domain_can_show_and_save_its_plan() {
        let mut writing = Vec::new();
        for (path, command) in commands() {
            let has = |id: &str| command.get_arguments().any(|known| known.get_id() == id);
            // Deleting backups asks too, but is not about a domain; a copy is about two. Cleaning up changes nothing that
            // clients see, and what is applied is a saved plan.
            let is_other = ["gpoctl operations cleanup", "gpoctl apply"].contains(&path.as_str());
            if has("yes") && (has("domain") || has("from")) && !is_other {
                assert!(has("dry_run") && has("plan_out"), "{path}");
                writing.push(path);
            }
        }
        for verb in [
            "check",
            "copy",
            "create",
            "delete",
            "import",
            "link add",
            "link remove",
            "link set",
            "rename",
            "restore",
            "set-status",
            "wmi import",
            "wmi link",
        ] {
            assert!(
                writing.contains(&format!("gpoctl {verb}")),
                "{verb}: {writing:?}"
            );
        }
    }
}
