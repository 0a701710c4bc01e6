//! `gpoctl migtable show`

use std::path::PathBuf;

use clap::Args;

use super::{file, row_json, shown_destination};
use crate::cli::ui::Ui;
use crate::error::Result;

/// Show the rows of a table
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl migtable show lab.migtable\n  gpoctl migtable show lab.migtable --json \\\n      | jq -r '.rows[] | select(.option == \"same-as-source\") | .source'"
)]
pub(in crate::cli) struct ShowArgs {
    /// Migration table
    file: PathBuf,
}

pub(super) fn run(args: &ShowArgs, ui: &Ui) -> Result<u8> {
    let (_, table) = file::load(&args.file)?;
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "file": args.file,
            "encoding": table.encoding().as_str(),
            "rows": table.rows().iter().map(row_json).collect::<Vec<_>>(),
        }))?;
        return Ok(0);
    }
    let rows = table
        .rows()
        .iter()
        .map(|row| {
            vec![
                row.source.clone(),
                shown_destination(&row.destination),
                row.kind.to_string(),
                row.element.line.to_string(),
            ]
        })
        .collect();
    ui.table(&["SOURCE", "DESTINATION", "TYPE", "LINE"], rows);
    Ok(0)
}
