//! `gpoctl migtable suggest`

use std::path::PathBuf;

use clap::Args;

use super::{file, row_json, shown_row};
use crate::cli::connection::ConnectionArgs;
use crate::cli::ui::{Ui, counted};
use crate::domain::principals::PrincipalDirectory;
use crate::error::Result;
use crate::message::shell_word;
use crate::migration::suggest::{
    CandidateDestination, SuggestOptions, SuggestedDestination, Suggestion, counts, suggest,
};

/// Fill in destinations that are certain in the target domain
///
/// A row that is set to "same as source" gets a destination if the target domain has a principal of the same name and type. The
/// others are listed with the closest names; set them with gpoctl migtable set. Rows with any other destination are unchanged.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gpoctl migtable suggest lab.migtable --domain lab.example\n  gpoctl migtable suggest lab.migtable --from corp.example \\\n      --domain lab.example --dry-run"
)]
pub(in crate::cli) struct SuggestArgs {
    /// Migration table
    file: PathBuf,

    /// Source domain (needs a profile), to look up the SIDs in the table
    #[arg(long, value_name = "DOMAIN", conflicts_with = "source_domain")]
    from: Option<String>,

    /// DNS name of the source domain, if the table contains principals of several domains
    #[arg(long, value_name = "NAME")]
    source_domain: Option<String>,

    /// Show what would be filled in and leave the table unchanged
    #[arg(long)]
    dry_run: bool,

    /// Also fill in UNC paths whose server name ends in the source domain, with the same server name in the target domain
    #[arg(long)]
    accept_unc: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(in crate::cli) async fn run(args: SuggestArgs, ui: &Ui) -> Result<u8> {
    let (_, mut table) = file::load(&args.file)?;
    let target = args.connection.connect().await?;
    let source = match &args.from {
        Some(domain) => Some(ConnectionArgs::profile(domain).connect().await?),
        None => None,
    };
    let options = SuggestOptions {
        source_domain: args.source_domain.as_deref(),
        source: source
            .as_ref()
            .map(|session| -> &dyn PrincipalDirectory { session.directory() }),
        accept_unc: args.accept_unc,
    };
    let suggestions = suggest(&mut table, target.directory(), &options).await?;
    let (certain, open) = counts(&suggestions);
    if certain > 0 && !args.dry_run {
        file::replace(&args.file, &table)?;
    }
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": "done",
            "file": args.file,
            "dry_run": args.dry_run,
            "certain": certain,
            "open": open,
            "rows": suggestions.iter().map(as_json).collect::<Vec<_>>(),
        }))?;
        return Ok(0);
    }
    let filled: Vec<Vec<String>> = suggestions.iter().filter_map(filled_line).collect();
    if !filled.is_empty() {
        ui.table(&["SOURCE", "DESTINATION", "TYPE", "LINE"], filled);
    }
    if open > 0 {
        ui.heading("To be set by hand");
        for suggestion in &suggestions {
            show_open(suggestion, ui);
        }
    }
    let done = if args.dry_run {
        "would be filled in"
    } else {
        "filled in"
    };
    ui.say(&format!(
        "{}: {} {done}, {open} to be set by hand",
        args.file.display(),
        counted(certain, "row")
    ));
    if open > 0 {
        ui.say(&format!(
            "to set one: gpoctl migtable set {} SOURCE --to DESTINATION",
            shell_word(&args.file.to_string_lossy())
        ));
    }
    Ok(0)
}

fn as_json(suggestion: &Suggestion) -> serde_json::Value {
    let none: &[CandidateDestination] = &[];
    let (suggested, destination, reason, candidates) = match &suggestion.suggested {
        SuggestedDestination::Certain(destination) => ("certain", Some(destination), None, none),
        SuggestedDestination::Uncertain { reason, candidates } => {
            ("open", None, Some(reason), &candidates[..])
        }
    };
    serde_json::json!({
        "verdict": suggested,
        "row": row_json(&suggestion.row),
        "name": suggestion.name,
        "destination": destination,
        "reason": reason,
        "candidates": candidates,
    })
}

fn filled_line(suggestion: &Suggestion) -> Option<Vec<String>> {
    let SuggestedDestination::Certain(destination) = &suggestion.suggested else {
        return None;
    };
    let row = &suggestion.row;
    let source = match &suggestion.name {
        Some(name) => format!("{} ({name})", row.source),
        None => row.source.clone(),
    };
    Some(vec![
        source,
        destination.clone(),
        row.kind.to_string(),
        row.element.line.to_string(),
    ])
}

fn show_open(suggestion: &Suggestion, ui: &Ui) {
    let SuggestedDestination::Uncertain { reason, candidates } = &suggestion.suggested else {
        return;
    };
    let row = &suggestion.row;
    let name = suggestion
        .name
        .as_ref()
        .map(|name| format!(" ({name})"))
        .unwrap_or_default();
    ui.line(&format!(
        "line {}: {}{name}: {reason}",
        row.element.line,
        shown_row(row)
    ));
    for candidate in candidates {
        let kind = candidate
            .kind
            .map(|kind| format!(" ({})", kind.as_str()))
            .unwrap_or_default();
        ui.line(&format!("  perhaps {}{kind}", candidate.destination));
    }
}
