//! `gpoctl completions`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::ui::Ui;
use crate::error::Result;

/// Print the completion script of a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl completions bash > /etc/bash_completion.d/gpoctl\n  gpoctl completions zsh > \"${fpath[1]}/_gpoctl\""
)]
pub(super) struct CompletionsArgs {
    /// Shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, ui: &Ui) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut super::Cli::command(),
        "gpoctl",
        &mut script,
    );
    ui.document("completions", &String::from_utf8_lossy(&script))?;
    Ok(0)
}
