//! `gpoctl check`

use clap::{ArgGroup, Args};

use super::connection::ConnectionArgs;
use super::ui::{Colour, Ui};
use crate::error::Result;
use crate::message::{Severity, StatusMessage};
use crate::operations::check::{Checked, Report, check_domain, check_gpos};

/// Say what is wrong with GPOs: halves that differ, settings no client sees, permissions, orphans
///
/// The exit status is 0 when there is nothing but notes, 4 when there are warnings, 1 when there are errors.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true),
    after_help = "Examples:\n  gpoctl check \"Workstation Security\" --domain corp.example\n  gpoctl check --all --domain corp.example --json | jq -r '.messages[].code'"
)]
pub(super) struct CheckArgs {
    /// Display name, GUID, or the unambiguous beginning of a GUID
    #[arg(group = "what")]
    gpo: Option<String>,

    /// Every GPO of the domain, folders on SYSVOL without a GPO, and links to nowhere
    #[arg(long, group = "what")]
    all: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: CheckArgs, ui: &Ui) -> Result<u8> {
    let session = args.connection.connect().await?;
    let control = ui.control();
    let report = match &args.gpo {
        None => check_domain(&session, &control).await?,
        Some(gpo) => {
            let gpo = session.directory().find_gpo(gpo).await?;
            check_gpos(&session, &[gpo], &control).await?
        }
    };
    if ui.is_json() {
        let messages: Vec<&StatusMessage> = report.all().collect();
        ui.json(&serde_json::json!({
            "format_version": 1,
            "domain": session.info().dns_domain,
            "domain_controller": session.info().server,
            "status": status_word(&report),
            "gpos": report.gpos.iter().map(summary).collect::<Vec<_>>(),
            "messages": messages,
        }))?;
    } else {
        show(&report, ui);
    }
    Ok(exit_status(report.worst()))
}

fn summary(checked: &Checked) -> serde_json::Value {
    serde_json::json!({
        "guid": checked.facts.object.guid,
        "display_name": checked.facts.object.display_name,
        "messages": checked.messages,
    })
}

fn status_word(report: &Report) -> &'static str {
    match report.worst() {
        None | Some(Severity::Info) => "ok",
        Some(Severity::Warning) => "warnings",
        Some(Severity::Error) => "errors",
    }
}

/// The exit status of a check.
fn exit_status(worst: Option<Severity>) -> u8 {
    match worst {
        None | Some(Severity::Info) => 0,
        Some(Severity::Warning) => 4,
        Some(Severity::Error) => 1,
    }
}

/// The findings are the data of this command, so they go to standard output.
fn show(report: &Report, ui: &Ui) {
    for message in &report.messages {
        finding(message, ui);
    }
    for checked in &report.gpos {
        for message in &checked.messages {
            finding(message, ui);
        }
    }
    let count = |severity| {
        report
            .all()
            .filter(|message| message.severity == severity)
            .count()
    };
    ui.say(&format!(
        "{} GPOs: {} errors, {} warnings, {} notes",
        report.gpos.len(),
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Info)
    ));
}

fn finding(message: &StatusMessage, ui: &Ui) {
    let (word, colour) = match message.severity {
        Severity::Info => ("note", Colour::Dim),
        Severity::Warning => ("warning", Colour::Yellow),
        Severity::Error => ("error", Colour::Red),
    };
    let gpo = message
        .gpo
        .as_ref()
        .map(|gpo| format!("\"{gpo}\": "))
        .unwrap_or_default();
    let place = message
        .place
        .as_ref()
        .filter(|place| !place.file.is_empty())
        .map(|place| format!(" [{place}]"))
        .unwrap_or_default();
    ui.coloured(
        colour,
        &format!("{word} {}: {gpo}{}{place}", message.code, message.text),
    );
    if let Some(hint) = &message.hint {
        ui.line(&format!("    {hint}"));
    }
}
