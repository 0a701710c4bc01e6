//! Delete: deletes a GPO and the links to it [MS-GPOL 3.3.5.6].

use super::link::is_to;
use super::plan::{Change, Plan, Step, Verb, plan_entries};
use super::progress::Control;
use super::read;
use super::rights;
use crate::directory::GpoObject;
use crate::directory::writer::refuse_default_gpo;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Code, StatusMessage};
use crate::model::gp_link::LinkList;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::session::DomainSession;

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
        .with_hint(format!(
            "to disable it instead: gpoctl set-status '{}' none",
            object.guid
        )));
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
    debug_assert!(entries.iter().all(|entry| entry.change == Change::Removed));
    let mut steps = if keep_links { Vec::new() } else { links };
    steps.push(Step::DeleteGpo {
        guid: object.guid,
        display_name: object.display_name.clone(),
        keep_links,
    });
    messages.extend(live.snapshot.messages.iter().cloned());
    let plan = Plan {
        steps,
        entries,
        messages,
        ..Plan::of_existing(Verb::Delete, &live)
    };
    rights::check(session, &plan).await?;
    Ok(plan)
}

/// Plans the removal of the links to a GPO from the domain, its OUs and the sites, one step for each. A `gPLink` that cannot be
/// read as a whole is reported.
pub(super) async fn planned_links(
    session: &DomainSession,
    guid: Guid,
) -> Result<(Vec<Step>, Vec<StatusMessage>)> {
    let gpo = session.info().base.gpo(guid);
    let found = session.directory().links_of(guid).await?;
    let mut steps: Vec<Step> = Vec::new();
    for link in &found.links {
        let som = link.som.dn.to_string();
        let planned =
            |step: &Step| matches!(step, Step::SetLinks { som: known, .. } if *known == som);
        if steps.iter().any(planned) {
            continue;
        }
        let mut left = LinkList::parse(link.som.gp_link.as_deref().unwrap_or_default());
        // Start with the lowest precedence, so that the orders of the others stay valid.
        for order in left.orders(|link| is_to(link, &gpo)).into_iter().rev() {
            left.remove(order);
        }
        steps.push(Step::SetLinks {
            som,
            from: link.som.gp_link.clone(),
            to: left.to_value(),
        });
    }
    Ok((steps, found.messages))
}
