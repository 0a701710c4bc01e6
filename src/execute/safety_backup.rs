//! The backup of a GPO that is made before it is changed.

use std::path::PathBuf;

use crate::directory::links::SomLink;
use crate::error::Result;
use crate::message::{Code, StatusMessage};
use crate::model::backup_context::BackupContext;
use crate::plan::gpo::{GpoPlan, Verb};
use crate::session::DomainWriter;
use crate::session::read::{self, LiveGpo};

/// A backup of the target as it is, in GPMC's format, in a folder; that of a GPO that is deleted contains its links.
/// The message reports what it lacks.
pub(super) async fn save_safety_backup(
    domain: &DomainWriter,
    plan: &GpoPlan,
    folder: PathBuf,
    live: &LiveGpo,
) -> Result<Option<StatusMessage>> {
    let snapshot = live.snapshot.clone();
    let mut context = read::backup_context(live);
    if plan.verb == Verb::Delete {
        let found = domain.session().directory().links_of(plan.target.guid);
        let record = |link: &SomLink| link.som.record(&link.link, link.order);
        context.links = Some(found.await?.links.iter().map(record).collect());
    }
    let message = partial_safety_backup(&context);
    crate::backup::save(
        folder,
        snapshot,
        context,
        "before a change by gpoctl".to_owned(),
    )
    .await?;
    Ok(message)
}

/// The finding when the safety backup of a GPO that is about to change is partial; `None` when it is complete.
fn partial_safety_backup(context: &BackupContext) -> Option<StatusMessage> {
    let first = context.unread.first()?;
    Some(
        StatusMessage::warning(
            Code::PartialSafetyBackup,
            format!(
                "the backup of the GPO as it was before is partial: {} could not be read ({})",
                parts(context.unread.len()),
                first.text
            ),
        )
        .with_hint("what it lacks cannot be brought back with it"),
    )
}

fn parts(number: usize) -> String {
    match number {
        1 => "a part of the GPO".to_owned(),
        number => format!("{number} parts of the GPO"),
    }
}
