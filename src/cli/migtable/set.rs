//! `gpoctl migtable set`

use std::path::PathBuf;

use clap::Args;

use super::{TypeChoice, file, row_json, shown_row};
use crate::cli::hints;
use crate::cli::ui::Ui;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::migtable::{Destination, EntryType};
use crate::message::{Code, Severity, StatusMessage, printable};
use crate::migration::table::{MigrationTable, type_of_source};

/// Add or change the row of a source
///
/// The case of the source is ignored. A changed row keeps its position and the spelling of its source. A new row is added at the
/// end. A row that cannot be valid in any domain, such as --none for a UNC path, is refused.
#[derive(Debug, Args)]
#[command(
    override_usage = "gpoctl migtable set [OPTIONS] <FILE> <SOURCE>\n           --to <DESTINATION>\n       gpoctl migtable set [OPTIONS] <FILE> <SOURCE>\n           --same|--none|--relative",
    after_help = "Examples:\n  gpoctl migtable set lab.migtable Helpdesk@corp.example \\\n      --type GlobalGroup --to Support@lab.example\n  gpoctl migtable set lab.migtable '\\\\fs1\\profiles$' \\\n      --to '\\\\fs9\\profiles$'"
)]
pub(in crate::cli) struct SetArgs {
    /// Migration table
    file: PathBuf,

    /// Reference to map: NAME@dns.domain, DOMAIN\NAME, SID, plain name, or \\server\share
    source: String,

    /// Type of the source; needed for a new row, unless the source is a SID or a UNC path
    #[arg(long = "type", value_enum, value_name = "TYPE", ignore_case = true)]
    kind: Option<TypeChoice>,

    #[command(flatten)]
    destination: DestinationArgs,
}

/// Exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct DestinationArgs {
    /// Map it to this principal or path
    #[arg(long, value_name = "DESTINATION")]
    to: Option<String>,

    /// Keep it unchanged
    #[arg(long)]
    same: bool,

    /// Remove it from every setting
    #[arg(long)]
    none: bool,

    /// Map it to the principal of the same name in the target domain
    #[arg(long)]
    relative: bool,
}

impl DestinationArgs {
    fn destination(self) -> Destination {
        match self.to {
            Some(text) => Destination::Set(text),
            None if self.none => Destination::None,
            None if self.relative => Destination::ByRelativeName,
            None => Destination::SameAsSource,
        }
    }
}

pub(super) fn run(args: SetArgs, ui: &Ui) -> Result<u8> {
    let (name, mut table) = file::load(&args.file)?;
    let before = table.clone();
    let old = before.get(&args.source);
    let kind = args
        .kind
        .map(EntryType::from)
        .or_else(|| old.map(|row| row.kind))
        .or_else(|| type_of_source(&args.source))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                format!(
                    "source \"{}\" has no row yet, and a new row needs a type",
                    printable(&args.source)
                ),
            )
            .with_hint(format!("add --type with one of {}", EntryType::LITERALS))
        })?;
    table
        .set(&args.source, kind, args.destination.destination())
        .map_err(|cause| Error::new(ErrorKind::Usage, cause.to_string()))?;
    let row = table
        .get(&args.source)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the row was not added"))?;
    let checked = MigrationTable::new(&name, &table);
    let findings: Vec<StatusMessage> = checked
        .rows()
        .iter()
        .find(|checked| checked.number == row.number)
        .map(|row| checked.validate_row(row))
        .unwrap_or_default()
        .into_iter()
        .map(|mut finding| {
            if finding.code == Code::LeftoverPlaceholder {
                finding.severity = Severity::Warning;
            }
            // The row is not in the file yet.
            finding.place = None;
            hints::complete([&mut finding]);
            finding
        })
        .collect();
    if let Some(fault) = findings
        .iter()
        .find(|finding| finding.severity == Severity::Error)
    {
        let error = Error::new(ErrorKind::Usage, fault.text.clone());
        return Err(match &fault.hint {
            Some(hint) => error.with_hint(hint.clone()),
            None => error,
        });
    }
    let action = match old {
        None => "added",
        Some(old) if (old.kind, &old.destination) == (row.kind, &row.destination) => "unchanged",
        Some(_) => "changed",
    };
    if action != "unchanged" {
        file::replace(&args.file, &table)?;
    }
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "format_version": 1,
            "status": "done",
            "file": args.file,
            "action": action,
            "row": row_json(row),
            "messages": findings,
        }))?;
        return Ok(0);
    }
    for finding in &findings {
        ui.message(finding);
    }
    ui.line(&format!(
        "{action} in line {}: {}",
        row.element.line,
        shown_row(row)
    ));
    Ok(0)
}
