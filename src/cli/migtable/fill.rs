//! `gpoctl migtable fill`

use std::path::PathBuf;

use clap::Args;

use super::file;
use crate::cli::hints;
use crate::cli::ui::{Ui, counted};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage, printable};
use crate::migration::fill::{Definitions, fill};

/// Fill in a template
///
/// A template contains placeholders such as %domaindns% in sources or destinations. Every placeholder in a destination needs a
/// value. Windows variables in UNC paths, such as %USERNAME%, are kept unless they are given a value. The template itself is not
/// changed.
#[derive(Debug, Args)]
#[command(
    override_usage = "gpoctl migtable fill [OPTIONS] <FILE>\n           --define <NAME=VALUE>... --out <FILE>",
    after_help = "Examples:\n  gpoctl migtable fill tier0.migtable --out corp.migtable \\\n      --define domaindns=corp.example --define NetBios=CORP\n  gpoctl migtable fill tier0.migtable --out corp.migtable --overwrite \\\n      --define \"t0-global=Tier 0 Admins\" --define domaindns=corp.example"
)]
pub(in crate::cli) struct FillArgs {
    /// Template
    file: PathBuf,

    /// Value of the placeholder %NAME%; case is ignored
    #[arg(long, value_name = "NAME=VALUE", required = true)]
    define: Vec<String>,

    /// Migration table to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Replace the table if it exists
    #[arg(long)]
    overwrite: bool,
}

pub(in crate::cli) fn run(args: &FillArgs, ui: &Ui) -> Result<u8> {
    let mut definitions = Definitions::default();
    for definition in &args.define {
        let (name, value) = definition.split_once('=').ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                format!("--define \"{}\" has no value", printable(definition)),
            )
            .with_hint("write --define NAME=VALUE")
        })?;
        definitions.define(name, value)?;
    }
    let (name, template) = file::load(&args.file)?;
    let filled = fill(&name, &template, &definitions).map_err(hints::completed)?;
    if args.overwrite && args.out.symlink_metadata().is_ok() {
        file::replace(&args.out, &filled.table)?;
    } else {
        file::create(&args.out, &filled.table)?;
    }
    let messages: Vec<StatusMessage> = filled
        .unused
        .iter()
        .map(|name| {
            StatusMessage::warning(
                Code::UnusedDefinition,
                format!("%{}% does not occur in the template", printable(name)),
            )
        })
        .collect();
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": "done",
            "file": args.out,
            "rows": filled.table.rows().len(),
            "changed": filled.changed,
            "messages": messages,
        }))?;
        return Ok(0);
    }
    for message in &messages {
        ui.message(message);
    }
    ui.say(&format!(
        "{}: {} of {} filled in",
        args.out.display(),
        filled.changed,
        counted(filled.table.rows().len(), "row")
    ));
    Ok(0)
}
