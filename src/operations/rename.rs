//! Rename: another display name. Nothing that clients read changes, so the version stays.

use super::plan::{Plan, Step, Verb};
use super::progress::Control;
use super::read;
use super::rights;
use super::settings::name_is_free;
use crate::directory::GpoObject;
use crate::error::{Error, ErrorKind, Result};
use crate::session::DomainSession;

/// Works out what giving a GPO this display name would change. Writes nothing.
///
/// # Errors
/// `Conflict` when another GPO has the name, or this one has it already; `Usage` when it is none; `Denied` when the account
/// may not edit the GPO.
pub async fn plan(
    session: &DomainSession,
    object: &GpoObject,
    name: &str,
    control: &Control,
) -> Result<Plan> {
    if object.display_name == name {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("GPO {} is already named \"{name}\"", object.guid),
        ));
    }
    name_is_free(session, name, Some(object.guid)).await?;
    let live = read::read_gpo(session, object, control).await?;
    let plan = Plan {
        steps: vec![Step::Rename {
            from: object.display_name.clone(),
            to: name.to_owned(),
        }],
        ..Plan::of_existing(Verb::Rename, &live)
    };
    rights::check(session, &plan).await?;
    Ok(plan)
}
