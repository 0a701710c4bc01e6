//! `gpoctl man`

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};

use super::ui::Ui;
use crate::backup::folder::{Folder, SHARED_FILE};
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
        write_all(command, dir).map_err(|cause| {
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

/// Writes a page for each command, in the place of an older one.
fn write_all(command: clap::Command, dir: &Path) -> std::io::Result<()> {
    let folder = Folder::open(dir)?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut commands = vec![command];
    while let Some(command) = commands.pop() {
        let man = clap_mangen::Man::new(command.clone());
        let mut page = Vec::new();
        man.render(&mut page)?;
        folder.replace(man.get_filename(), &page, SHARED_FILE)?;
        let below = command.get_subcommands();
        commands.extend(below.filter(|below| !below.is_hide_set()).cloned());
    }
    Ok(())
}
