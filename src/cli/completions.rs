//! `gpoctl completions`

use clap::{Args, ValueEnum};

use super::complete;
use super::ui::Ui;
use crate::error::{Error, ErrorKind, Result};

/// Print the completion script of a shell
///
/// The script completes commands, options, the profiles in config.toml, the names of the GPOs that the last gpoctl list found, and
/// the backups in a folder.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl completions bash > /etc/bash_completion.d/gpoctl\n  gpoctl completions zsh > \"${fpath[1]}/_gpoctl\""
)]
pub(super) struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    #[value(name = "powershell")]
    Pwsh,
}

impl Shell {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Elvish => "elvish",
            Self::Pwsh => "powershell",
        }
    }
}

pub(super) fn run(args: &CompletionsArgs, ui: &Ui) -> Result<u8> {
    let script = complete::script(args.shell.as_str())
        .transpose()
        .map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot make the completion script").with_source(cause)
        })?
        .unwrap_or_default();
    ui.document("completions", &script)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_has_a_script() {
        for shell in Shell::value_variants() {
            let script = complete::script(shell.as_str());
            assert!(script.is_some_and(|script| script.is_ok()), "{shell:?}");
        }
    }
}
