//! Rename: changes the display name. Clients do not read it, so the version is unchanged.

use crate::directory::GpoObject;
use crate::error::Result;
use crate::execute::rights;
use crate::message::printable;
use crate::plan::Plan;
use crate::plan::gpo::{GpoPlan, Step, Verb};
use crate::progress::Control;
use crate::session::DomainSession;
use crate::session::display_name::name_is_free;
use crate::session::read;

/// Plans another display name for a GPO; a plan without changes when it has the name already. Writes nothing.
///
/// # Errors
/// `Conflict` when another GPO has the name; `Usage` when it is not valid; `Denied` when the account may not edit the GPO.
pub async fn plan(
    session: &DomainSession,
    object: &GpoObject,
    name: &str,
    control: &Control,
) -> Result<Plan> {
    if object.display_name == name {
        let title = format!("rename \"{}\"", printable(name));
        return Ok(Plan::new(title, &session.info().dns_domain));
    }
    name_is_free(session, name, Some(object.guid)).await?;
    let live = read::read_gpo(session, object, control).await?;
    let plan = GpoPlan {
        steps: vec![Step::Rename {
            from: object.display_name.clone(),
            to: name.to_owned(),
        }],
        ..GpoPlan::of_existing(Verb::Rename, &live)
    };
    rights::check(session, &plan).await?;
    Ok(Plan::of(plan))
}
