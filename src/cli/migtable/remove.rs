//! `gpoctl migtable remove`

use std::path::PathBuf;

use clap::Args;

use super::{file, row_json, shown_row};
use crate::cli::ui::Ui;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{printable, shell_word};

/// Remove the row of a source
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl migtable remove lab.migtable Helpdesk@corp.example\n  gpoctl migtable remove lab.migtable '\\\\fs1\\profiles$'"
)]
pub(in crate::cli) struct RemoveArgs {
    /// Migration table
    file: PathBuf,

    /// Source of the row; case is ignored
    source: String,
}

pub(super) fn run(args: &RemoveArgs, ui: &Ui) -> Result<u8> {
    let (name, mut table) = file::load(&args.file)?;
    let row = table.get(&args.source).cloned().ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "migration table {} has no row for \"{}\"",
                printable(&name),
                printable(&args.source)
            ),
        )
        .with_hint(format!(
            "to list the sources: gpoctl migtable show {}",
            shell_word(&args.file.to_string_lossy())
        ))
    })?;
    if !table.remove(&args.source) {
        return Err(Error::new(
            ErrorKind::BadInput,
            format!(
                "migration table {}: the row in line {} cannot be removed",
                printable(&name),
                row.element.line
            ),
        )
        .with_hint("the XML around it is unusual; remove it by hand"));
    }
    file::replace(&args.file, &table)?;
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": "done",
            "file": args.file,
            "action": "removed",
            "row": row_json(&row),
        }))?;
    } else {
        ui.line(&format!("removed: {}", shown_row(&row)));
    }
    Ok(0)
}
