//! Delete: deletes a GPO and the links to it [MS-GPOL 3.3.5.6].

use crate::directory::GpoObject;
use crate::directory::writer::refuse_default_gpo;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::rights;
use crate::message::{Code, StatusMessage};
use crate::model::gpt_tree::GptTree;
use crate::plan::Plan;
use crate::plan::gpo::{GpoPlan, Step, Verb, plan_entries, planned_links};
use crate::progress::Control;
use crate::session::DomainSession;
use crate::session::read;

/// Plans the deletion of a GPO. Writes nothing.
///
/// # Errors
/// `Denied` for the two default GPOs, and when the account may not delete the GPO or its folder on SYSVOL, or write the links;
/// `BadDirectory` when `gPCFileSysPath` names another folder than that of the GPO.
pub async fn plan(
    session: &DomainSession,
    object: &GpoObject,
    keep_links: bool,
    control: &Control,
) -> Result<Plan> {
    refuse_default_gpo(object.guid)?;
    if object.critical {
        return Err(Error::new(
            ErrorKind::Denied,
            format!(
                "GPO \"{}\" is a critical system object, and cannot be deleted",
                object.display_name
            ),
        )
        .with_hint("an import or a restore changes its settings"));
    }
    let live = read::read_gpo(session, object, control).await?;
    let (links, mut messages) = planned_links(session, object.guid).await?;
    if keep_links && !links.is_empty() {
        messages.push(StatusMessage::warning(
            Code::LinksKept,
            format!("{} links to the deleted GPO will remain", links.len()),
        ));
    }
    let (entries, _) = plan_entries(&live.snapshot.tree, &GptTree::new());
    let mut steps = if keep_links { Vec::new() } else { links };
    steps.push(Step::DeleteGpo {
        guid: object.guid,
        display_name: object.display_name.clone(),
        keep_links,
    });
    messages.extend(live.snapshot.messages.iter().cloned());
    let plan = GpoPlan {
        steps,
        entries,
        messages,
        ..GpoPlan::of_existing(Verb::Delete, &live)
    };
    rights::check(session, &plan).await?;
    Ok(Plan::of(plan))
}
