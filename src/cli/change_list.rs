//! What commands that make a change list have in common: show it, save it, ask, apply.

use super::ui::{Colour, Ui};
use super::writing::WritingArgs;
use crate::error::Result;
use crate::execute::{ApplyOptions, apply_changes};
use crate::plan::values::ChangeList;
use crate::progress::Control;
use crate::session::DomainWriter;

/// Shows a change list, and then saves it, stops, or asks and applies it, as the options require.
pub(super) async fn finish(
    domain: &DomainWriter,
    list: &ChangeList,
    writing: &WritingArgs,
    control: &Control,
    ui: &Ui,
) -> Result<u8> {
    if !ui.is_json() {
        show(list, ui);
    }
    if writing.only_shows() {
        writing.save(ui, || list.to_json())?;
        if ui.is_json() {
            ui.json(&serde_json::json!({
                "format_version": 1,
                "status": "done",
                "operation_id": list.operation_id,
                "dry_run": true,
                "plan_file": writing.plan_file(),
                "messages": list.messages,
                "plan": { "steps": list.changes },
            }))?;
        } else {
            ui.say(&writing.nothing_changed());
        }
        return Ok(0);
    }
    if !list.changes.is_empty() {
        let question = format!("Apply this plan in {}?", list.domain);
        writing.confirm(&question, ui, control).await?;
    }
    execute(domain, list, control.clone(), ui).await
}

/// Applies a change list and shows the result.
pub(super) async fn execute(
    domain: &DomainWriter,
    list: &ChangeList,
    control: Control,
    ui: &Ui,
) -> Result<u8> {
    let options = ApplyOptions {
        control,
        ..ApplyOptions::new()?
    };
    let result = apply_changes(domain, list, &options).await?;
    if ui.is_json() {
        ui.json(&result)?;
        return Ok(0);
    }
    for message in &result.messages {
        if !list.messages.contains(message) {
            ui.message(message);
        }
    }
    if list.changes.is_empty() {
        ui.say("nothing to do: already as requested");
    } else {
        ui.say(&format!(
            "done: {} ({})",
            list.title,
            undo_hint(&result.operation_id)
        ));
    }
    Ok(0)
}

/// How an operation is taken back: `undo: gpoctl operations undo c358846f`. The last part of an ID is enough to find it.
pub(super) fn undo_hint(operation_id: &str) -> String {
    let short = operation_id
        .rsplit_once('-')
        .map_or(operation_id, |(_, last)| last);
    format!("undo: gpoctl operations undo {short}")
}

/// A change list, written like a diff.
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
