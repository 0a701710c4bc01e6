//! What the shell offers on Tab: profiles, GPO names of the last `gpoctl list`, backups in a folder.
//!
//! The script that `gpoctl completions` prints calls gpoctl with [`VARIABLE`] set to the name of the shell. Names come from a
//! domain or a backup, where anybody may have chosen them, and end up on a command line: what is not plain text is never offered,
//! and a shell that inserts text as it is gets it quoted.

mod names;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Arg, ValueHint};
use clap_complete::ArgValueCompleter;
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::Shells;

use super::config::Config;
use super::ui::Ui;
use crate::error::Result;
use crate::message::printable;
pub(super) use names::{is_cache, remember};

/// Set to the name of a shell when that shell asks for completions.
pub(super) const VARIABLE: &str = "_GPOCTL_COMPLETE";

/// What the command line says so far about the domain and the folder of backups.
#[derive(Debug, Default)]
struct Context {
    insertion: Insertion,
    domain: Option<String>,
    folder: Option<PathBuf>,
}

/// How a shell inserts what it is offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Insertion {
    /// As one quoted word: zsh (`compadd` without `-Q`), fish and elvish.
    Quoted,
    /// As it is: bash.
    Bash,
    /// As it is: PowerShell.
    PowerShell,
    /// Not known.
    #[default]
    Unknown,
}

impl Insertion {
    fn of(shell: &str) -> Self {
        match shell {
            "zsh" | "fish" | "elvish" => Self::Quoted,
            "bash" => Self::Bash,
            "powershell" => Self::PowerShell,
            _ => Self::Unknown,
        }
    }

    /// What to offer so that the shell inserts this text and nothing else; `None` when there is no such thing.
    fn word(self, text: &str) -> Option<String> {
        if printable(text) != text {
            return None;
        }
        match self {
            Self::Quoted => Some(text.to_owned()),
            Self::Bash => Some(bash_word(text)),
            Self::PowerShell => powershell_word(text),
            // Nothing but letters, digits and braces is text in every shell.
            Self::Unknown => text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "{}.-_".contains(c))
                .then(|| text.to_owned()),
        }
    }
}

static CONTEXT: OnceLock<Context> = OnceLock::new();

/// Answers a shell that asks for completions; `None` when none does.
pub(super) fn answer(words: &[OsString]) -> Option<u8> {
    let shell = std::env::var(VARIABLE).ok()?;
    let shells = Shells::builtins();
    let completer = shells.completer(&shell)?;
    let typed: Vec<OsString> = words
        .iter()
        .skip_while(|word| *word != "--")
        .skip(1)
        .cloned()
        .collect();
    let _ = CONTEXT.set(Context::of(&typed, completer.name()));
    let mut text = Vec::new();
    let folder = std::env::current_dir().ok();
    let mut command = super::help::command();
    let written = completer.write_complete(&mut command, typed, folder.as_deref(), &mut text);
    let ui = Ui::new(false, true, false);
    let shown = ui.document("completions", &String::from_utf8_lossy(&text));
    Some(u8::from(written.is_err() || shown.is_err()))
}

/// The script that makes a shell ask; `None` for a shell that is not known.
pub(super) fn script(shell: &str) -> Option<Result<String, std::io::Error>> {
    let shells = Shells::builtins();
    let completer = shells.completer(shell)?;
    let mut text = Vec::new();
    let written = completer.write_registration(VARIABLE, "gpoctl", "gpoctl", "gpoctl", &mut text);
    Some(written.map(|()| String::from_utf8_lossy(&text).into_owned()))
}

impl Context {
    fn of(typed: &[OsString], shell: &str) -> Self {
        let words: Vec<&str> = typed.iter().filter_map(|word| word.to_str()).collect();
        let value = |option: &str| {
            let inline = format!("{option}=");
            words
                .iter()
                .enumerate()
                .find_map(|(index, word)| match word.strip_prefix(&inline) {
                    Some(value) => Some(value.to_owned()),
                    None if *word == option => words.get(index + 1).map(ToString::to_string),
                    None => None,
                })
        };
        let positional = words
            .iter()
            .position(|word| *word == "backups")
            .and_then(|index| words.get(index + 2..))
            .and_then(|rest| rest.iter().find(|word| !word.starts_with('-')))
            .map(ToString::to_string);
        Self {
            insertion: Insertion::of(shell),
            domain: value("--domain").or_else(|| value("--from")),
            folder: value("--backup-dir").or(positional).map(PathBuf::from),
        }
    }
}

/// Adds to an argument what can be offered for it.
pub(super) fn with_candidates(argument: Arg) -> Arg {
    let id = argument.get_id().as_str().to_owned();
    let names = argument.get_value_names().unwrap_or_default();
    let name = names.first().map(ToString::to_string).unwrap_or_default();
    match (id.as_str(), name.as_str()) {
        ("domain" | "with_domain", _) | (_, "DOMAIN") => {
            argument.add(ArgValueCompleter::new(profiles))
        }
        ("gpo" | "gpos" | "into" | "from_gpo" | "subject", _) => {
            argument.add(ArgValueCompleter::new(gpos))
        }
        ("backup" | "backups" | "from_backup" | "old", _) => {
            argument.add(ArgValueCompleter::new(backups))
        }
        ("words", _) => argument.add(ArgValueCompleter::new(commands)),
        ("dir", _) | (_, "DIR") => argument.value_hint(ValueHint::DirPath),
        ("file" | "plan", _) | (_, "FILE") => argument.value_hint(ValueHint::FilePath),
        _ => argument,
    }
}

/// The commands and topics that `gpoctl help` and `gpoctl man` know.
fn commands(current: &OsStr) -> Vec<CompletionCandidate> {
    use clap::CommandFactory as _;
    let root = super::Cli::command();
    let topics = super::help::topics();
    let known = root.get_subcommands().chain(&topics);
    matching(known.map(|command| command.get_name().to_owned()), current)
}

fn profiles(current: &OsStr) -> Vec<CompletionCandidate> {
    let config = Config::load().unwrap_or_default();
    matching(config.domain.into_keys(), current)
}

fn gpos(current: &OsStr) -> Vec<CompletionCandidate> {
    let context = CONTEXT.get();
    let domain = context.and_then(|context| context.domain.clone());
    let domains: Vec<String> = match domain {
        Some(domain) => vec![domain],
        None => Config::load()
            .unwrap_or_default()
            .domain
            .into_keys()
            .collect(),
    };
    let known = domains.iter().flat_map(|domain| names::of(domain));
    matching(
        known.map(|(guid, name)| plain(name, guid, insertion())),
        current,
    )
}

fn backups(current: &OsStr) -> Vec<CompletionCandidate> {
    let folder = CONTEXT.get().and_then(|context| context.folder.clone());
    let Some(folder) = folder else {
        return PathCompleter::dir().complete(current);
    };
    let entries = crate::backup::list(&folder).unwrap_or_default();
    let known = entries.into_iter().filter_map(|entry| {
        let id = entry.info.id?.to_string();
        let name = entry.info.display_name;
        Some([plain(name, id.clone(), insertion()), id])
    });
    matching(known.flatten(), current)
}

fn insertion() -> Insertion {
    CONTEXT
        .get()
        .map(|context| context.insertion)
        .unwrap_or_default()
}

/// The name, or the ID where the shell cannot be given the name as text.
fn plain(name: String, id: String, insertion: Insertion) -> String {
    let is_text = !name.is_empty() && !name.starts_with('-') && insertion.word(&name).is_some();
    if is_text { name } else { id }
}

fn matching(candidates: impl Iterator<Item = String>, current: &OsStr) -> Vec<CompletionCandidate> {
    let found = words(candidates, current, insertion());
    found.into_iter().map(CompletionCandidate::new).collect()
}

/// Those that begin with what was typed, in any case, as the shell needs them.
fn words(
    candidates: impl Iterator<Item = String>,
    current: &OsStr,
    insertion: Insertion,
) -> Vec<String> {
    let typed = current.to_string_lossy().to_lowercase();
    let mut found: Vec<String> = candidates
        .filter_map(|candidate| {
            let begins = |text: &str| text.to_lowercase().starts_with(&typed);
            let word = insertion.word(&candidate)?;
            (begins(&word) || begins(&candidate)).then_some(word)
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// A word in which bash sees nothing but text.
fn bash_word(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() && !"./_-@+,:".contains(c) {
            word.push('\\');
        }
        word.push(c);
    }
    word
}

/// A word in which PowerShell sees nothing but text, and that a program gets as it is. Versions before 7.3 do not escape double quotes
/// and the last backslash for the program, so that it would get other words.
fn powershell_word(text: &str) -> Option<String> {
    if text.contains('"') || text.ends_with('\\') {
        return None;
    }
    if text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
    {
        return Some(text.to_owned());
    }
    let mut word = String::from("'");
    for c in text.chars() {
        word.push(c);
        // PowerShell takes each of these for a single quote.
        if matches!(c, '\'' | '\u{2018}'..='\u{201B}') {
            word.push(c);
        }
    }
    word.push('\'');
    Some(word)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn names_reach_a_shell_as_text_only() {
        assert_eq!(bash_word("Workstation Security"), "Workstation\\ Security");
        assert_eq!(
            bash_word("$(reboot) `id`;&*"),
            "\\$\\(reboot\\)\\ \\`id\\`\\;\\&\\*"
        );
        assert_eq!(bash_word("{31B2F340-016D}"), "\\{31B2F340-016D\\}");
        assert_eq!(bash_word("Büro"), "Büro");
        let id = "{31B2F340-016D-11D2-945F-00C04FB984F9}";
        for hostile in ["a\nb", "a\u{1b}[2J", "a\u{202e}b", "a\u{b}b", "", "-rf"] {
            for insertion in [Insertion::Quoted, Insertion::Bash, Insertion::PowerShell] {
                assert_eq!(plain(hostile.to_owned(), id.to_owned(), insertion), id);
            }
        }
        let named =
            |name: &str, shell: &str| plain(name.to_owned(), id.to_owned(), Insertion::of(shell));
        assert_eq!(named("Kiosk", "bash"), "Kiosk");
        // Of a shell that is not known, nobody knows what it does with a blank.
        assert_eq!(named("Kiosk", "other"), "Kiosk");
        for name in ["Kiosk 2", "x;y", "$x", "it's"] {
            assert_eq!(named(name, "other"), id);
        }
    }

    #[test]
    fn candidates_begin_with_what_was_typed() {
        let known = || ["Kiosk", "kiosk 2", "Other"].map(str::to_owned).into_iter();
        let found = words(known(), OsStr::new("ki"), Insertion::Quoted);
        assert_eq!(found, ["Kiosk", "kiosk 2"]);
        let found = words(known(), OsStr::new("'ki"), Insertion::PowerShell);
        assert_eq!(found, ["'kiosk 2'"]);
    }

    #[test]
    fn the_context_is_read_from_what_was_typed() {
        let words = |text: &str| -> Vec<OsString> { text.split(' ').map(OsString::from).collect() };
        let context = Context::of(&words("gpoctl show x --domain corp.example"), "bash");
        assert_eq!(context.domain.as_deref(), Some("corp.example"));
        assert_eq!(context.insertion, Insertion::Bash);
        let context = Context::of(&words("gpoctl import --backup-dir=/b x"), "zsh");
        assert_eq!(context.folder.as_deref(), Some(Path::new("/b")));
        let context = Context::of(&words("gpoctl backups show --json /b "), "fish");
        assert_eq!(context.folder.as_deref(), Some(Path::new("/b")));
    }

    #[test]
    fn every_shell_gets_a_script() {
        for shell in ["bash", "zsh", "fish"] {
            let script = script(shell).unwrap().unwrap();
            assert!(script.contains(VARIABLE), "{shell}");
        }
        assert!(script("tcsh").is_none());
    }
}
