//! What of a repair this account may make. The rest is left out and reported: a delegated editor may raise a version although only an
//! administrator may set the permissions of files.

use crate::error::Result;
use crate::execute::value_rights::denied;
use crate::message::{Code, StatusMessage};
use crate::plan::values::ValueChange;
use crate::plan::{Change, Object, Plan};
use crate::session::DomainSession;

/// Takes out of the plan of a repair what this account may not do, with a warning for each of it. What a server does not report before
/// it is tried is left in the plan.
///
/// # Errors
/// As the directory and SYSVOL.
pub async fn leave_out_denied(plan: &mut Plan, session: &DomainSession) -> Result<()> {
    for change in std::mem::take(&mut plan.changes) {
        let Change::Value(mut planned) = change else {
            plan.changes.push(change);
            continue;
        };
        let what = denied(session, &mut planned.change).await?;
        if let Some(what) = &what {
            let mut message = StatusMessage::warning(
                Code::NotPermitted,
                format!("this account may not {what}, so that is left out of the repair"),
            )
            .with_hint(Code::NotPermitted.action());
            if let Object::Gpo(guid) = planned.change.object(&plan.domain) {
                let gpo = session.directory().gpo(guid).await?;
                message = message.of_gpo(gpo.display_name);
            }
            plan.messages.push(message);
        }
        match (&what, &planned.change) {
            (Some(_), ValueChange::Descriptors { entries, .. }) if !entries.is_empty() => {
                planned.describe();
                plan.changes.push(Change::Value(planned));
            }
            (Some(_), ValueChange::GptIni { guid, .. }) => {
                let of_gpo = guid.to_string();
                let codes = [Code::DenyAfterAllow, Code::DescriptorsNotSet];
                // They are about the file that is not written.
                plan.messages
                    .retain(|it| !codes.contains(&it.code) || it.gpo.as_deref() != Some(&of_gpo));
            }
            (Some(_), _) => {}
            (None, _) => plan.changes.push(Change::Value(planned)),
        }
    }
    Ok(())
}
