//! Create: a new GPO without settings, with the DACL the schema gives new ones [MS-GPOL 3.3.5.1].

use super::settings::NewSettings;
use crate::error::Result;
use crate::execute::rights;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::GptTree;
use crate::model::guid::Guid;
use crate::model::version::GpoVersion;
use crate::plan::Plan;
use crate::plan::gpo::{PlanTarget, Verb};
use crate::plan::inherited_permissions::descriptors_not_set;
use crate::session::DomainSession;
use crate::session::display_name::name_is_free;

/// Plans the creation of a GPO with this display name. Writes nothing.
///
/// # Errors
/// `Conflict` when the name is in use; `Usage` when it is not valid.
pub async fn plan(session: &DomainSession, display_name: &str) -> Result<Plan> {
    name_is_free(session, display_name, None).await?;
    let mut plan = NewSettings {
        verb: Verb::Create,
        source: None,
        target: PlanTarget {
            guid: Guid::new_random(),
            display_name: display_name.to_owned(),
            domain: session.info().dns_domain.clone(),
            create: true,
        },
        live: None,
        tree: GptTree::new(),
        directory_objects: Vec::new(),
        version: GpoVersion::default(),
        flags: 0,
        machine_extensions: ExtensionList::default(),
        user_extensions: ExtensionList::default(),
        display_name: None,
        wmi_filter: None,
        security_descriptor: None,
        gpt_ini: None,
        links: Vec::new(),
        mapping: None,
        messages: Vec::new(),
    }
    .plan()?;
    rights::check(session, &plan).await?;
    plan.messages.extend(descriptors_not_set(session, &plan));
    Ok(Plan::of(plan))
}
