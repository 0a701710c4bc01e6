//! `gpoctl migtable new`

use std::path::PathBuf;

use clap::Args;

use super::file;
use crate::cli::ui::Ui;
use crate::error::Result;
use crate::formats::migtable::MigTable;

/// Make an empty table
///
/// The file is in GPMC's form: UTF-16 with byte order mark, CRLF. One that exists is not touched.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl migtable new lab.migtable\n  gpoctl migtable new lab.migtable && gpoctl migtable populate lab.migtable --from-backup '/backups/{7F2DE5D7-B30E-4F9D-BA75-BCD4990C090D}'"
)]
pub(in crate::cli) struct NewArgs {
    /// The file to make
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
