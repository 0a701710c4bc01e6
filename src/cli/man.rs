//! `gpoctl man`

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use super::ui::Ui;
use crate::error::{Error, ErrorKind, Result};

/// Print the manual page, or write those of all commands
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl man | man -l -\n  gpoctl man --to /usr/local/share/man/man1"
)]
pub(super) struct ManArgs {
    /// Folder for the pages of all commands, one file each
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, ui: &Ui) -> Result<u8> {
    let command = super::Cli::command();
    if let Some(dir) = &args.to {
        clap_mangen::generate_to(command, dir).map_err(|cause| {
            Error::new(
                ErrorKind::Internal,
                format!("cannot write manual pages into {}", dir.display()),
            )
            .with_hint("name a folder that exists and that you may write to")
            .with_source(cause)
        })?;
        return Ok(0);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot render the manual page").with_source(cause)
        })?;
    ui.document("page", &String::from_utf8_lossy(&page))?;
    Ok(0)
}
