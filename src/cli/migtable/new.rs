//! `gpoctl migtable new`

use std::path::PathBuf;

use clap::Args;

use super::file;
use crate::cli::ui::Ui;
use crate::error::Result;
use crate::formats::migtable::MigTable;

/// Create an empty table
///
/// The file is UTF-16 with a byte order mark and CRLF line ends, as GPMC writes it. An existing file is not changed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl migtable new lab.migtable\n  gpoctl migtable new lab.migtable --json"
)]
pub(in crate::cli) struct NewArgs {
    /// File to create
    file: PathBuf,
}

pub(super) fn run(args: &NewArgs, ui: &Ui) -> Result<u8> {
    file::create(&args.file, &MigTable::new())?;
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": "done",
            "file": args.file,
        }))?;
    } else {
        ui.say(&format!("created {} (empty)", args.file.display()));
    }
    Ok(0)
}
