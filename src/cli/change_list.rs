//! What commands that make a change list have in common: show it, ask, apply.

use clap::Args;

use super::ui::{Colour, Ui};
use crate::error::{Error, ErrorKind, Result};
use crate::operations::apply::{ApplyOptions, apply_changes};
use crate::operations::change_list::ChangeList;
use crate::session::DomainSession;

/// What every command that makes a change list has.
#[derive(Debug, Clone, Args)]
pub(super) struct ChangeArgs {
    /// Show the plan and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,
}

/// Shows a change list, and does with it what the options say: stop, ask, apply.
pub(super) async fn finish(
    session: DomainSession,
    list: &ChangeList,
    args: &ChangeArgs,
    ui: &Ui,
) -> Result<u8> {
    if !ui.is_json() {
        show(list, ui);
    }
    if args.dry_run || list.changes.is_empty() {
        if ui.is_json() {
            ui.json(&serde_json::json!({
                "format_version": 1,
                "status": "done",
                "operation_id": list.operation_id,
                "dry_run": args.dry_run,
                "messages": list.messages,
                "plan": { "steps": list.changes },
            }))?;
        } else if args.dry_run {
            ui.say("nothing was changed");
        } else {
            ui.say("nothing to do: it is so already");
        }
        return Ok(0);
    }
    if !args.yes {
        match ui.ask("Apply this plan?") {
            Some(true) => {}
            Some(false) => return Err(Error::new(ErrorKind::Cancelled, "nothing was changed")),
            None => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "there is nobody to ask whether to apply this plan",
                )
                .with_hint("use --yes, or --dry-run to see it"));
            }
        }
    }
    let options = ApplyOptions {
        control: ui.control(),
        ..ApplyOptions::new()?
    };
    let result = apply_changes(&session.into_writer(), list, &options).await?;
    if ui.is_json() {
        ui.json(&result)?;
    } else {
        for message in &result.messages {
            if !list.messages.contains(message) {
                ui.message(message);
            }
        }
        ui.say(&format!("done; journal {}", result.operation_id));
    }
    Ok(0)
}

/// A change list, as a person reads a diff.
pub(super) fn show(list: &ChangeList, ui: &Ui) {
    ui.heading(&format!("Plan {}: {}", list.operation_id, list.title));
    for line in list.changes.iter().flat_map(|planned| &planned.summary) {
        let colour = match line.chars().next() {
            Some('+') => Colour::Green,
            Some('-') => Colour::Red,
            Some('~') => Colour::Yellow,
            _ => Colour::Plain,
        };
        ui.coloured(colour, line);
    }
    for message in &list.messages {
        ui.message(message);
    }
}
