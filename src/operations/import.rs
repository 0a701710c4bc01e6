//! Import: the settings of a backup into an existing GPO of any domain, as GPMC's `IGPMGPO::Import` does it.
//!
//! The target's old settings are replaced; its GUID, name, DACL, links and, unless requested otherwise, WMI filter link are
//! kept. The status flags and the extension lists are those of the backup, and each half of the version is increased by one.
//! The DACLs of the backup and its packages are never applied.

use super::damaged::refuse_damaged;
use super::partial::{Gaps, refuse_partial};
use super::settings::{NewSettings, objects_for, present_version, wmi_link};
use crate::backup::StoredBackup;
use crate::directory::GpoObject;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::execute::rights;
use crate::formats::backup_xml::is_in_class_store;
use crate::message::{Code, StatusMessage};
use crate::migration::map::{MapOptions, map};
use crate::migration::table::MigrationTable;
use crate::model::directory_object::DirectoryObject;
use crate::model::guid::Guid;
use crate::model::reference::Place;
use crate::model::snapshot::WmiFilterLink;
use crate::model::version::GpoVersion;
use crate::plan::Plan;
use crate::plan::gpo::{PlanSource, PlanTarget, Verb};
use crate::plan::inherited_permissions::descriptors_not_set;
use crate::plan::objects;
use crate::plan::secrets::refuse_passwords;
use crate::progress::Control;
use crate::session::DomainSession;
use crate::session::display_name::name_is_free;
use crate::session::read;

/// The GPO that gets the settings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ImportTarget {
    /// One that exists.
    Existing(Box<GpoObject>),
    /// One that is created, under this display name.
    New {
        /// The display name.
        display_name: String,
    },
}

/// How to import.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ImportOptions {
    /// The migration table, if there is one.
    pub table: Option<MigrationTable>,
    /// How references are mapped.
    pub mapping: MapOptions,
    /// Whether passwords stored in Preferences (MS14-025) may be written into the target.
    pub allow_cpassword: bool,
    /// Whether a backup is accepted that lacks what could not be read when it was made.
    pub allow_partial: bool,
    /// Whether a backup is accepted whose files are not those that gpoctl wrote.
    pub accept_damaged: bool,
    /// Whether the GPO is linked to the WMI filter of the target domain that has the same name as the one in the backup.
    pub relink_wmi_filter: bool,
}

impl ImportOptions {
    /// No migration table, and nothing that has to be allowed is.
    pub fn new() -> Self {
        Self::default()
    }
}

crate::setters::setters!(ImportOptions {
    table: MigrationTable,
    mapping: MapOptions,
    allow_cpassword: bool,
    allow_partial: bool,
    accept_damaged: bool,
    relink_wmi_filter: bool
});

/// Plans an import. Writes nothing.
///
/// # Errors
/// `Unmapped` when a destination of the table does not exist in the target domain, or when the table is exclusive and a
/// reference has no row; `BadInput` when the table contradicts itself, when passwords are stored in the settings and
/// [`ImportOptions::allow_cpassword`] is not set, or when the backup is partial or damaged; `Conflict` when the name of a new
/// GPO is in use; `Denied` when the account may not edit the target.
pub async fn plan(
    session: &DomainSession,
    backup: &StoredBackup,
    target: &ImportTarget,
    options: &ImportOptions,
    control: &Control,
) -> Result<Plan> {
    control.check()?;
    let source = &backup.snapshot;
    let mut messages = refuse_damaged(backup, options.accept_damaged)?;
    messages.extend(backup.problems.iter().cloned());
    messages.extend(source.messages.iter().cloned());
    // This includes objects that an import omits: a backup that contains an account was tampered with.
    objects::allowed(&source.directory_objects)?;
    refuse_partial(backup, options.allow_partial)?;
    messages.extend(refuse_passwords(&source.tree, options.allow_cpassword)?);

    let guid = match target {
        ImportTarget::Existing(object) => object.guid,
        ImportTarget::New { .. } => Guid::new_random(),
    };
    let mapping = MapOptions {
        target_gpo: Some(guid),
        ..options.mapping
    };
    let directory = session.directory();
    let mapped = map(source, options.table.as_ref(), directory, &mapping).await?;
    messages.extend(mapped.report.messages.iter().cloned());

    let live = match target {
        ImportTarget::Existing(object) => Some(read::read_gpo(session, object, control).await?),
        ImportTarget::New { display_name } => {
            name_is_free(session, display_name, None).await?;
            None
        }
    };
    let wmi_filter = match &source.wmi_filter {
        Some(link) if options.relink_wmi_filter => {
            let link = filter_of_that_name(session, link).await?;
            Some(Some(wmi_link(live.as_ref(), &link)))
        }
        _ => None,
    };
    let plan_target = PlanTarget {
        guid,
        display_name: match (target, &live) {
            (ImportTarget::New { display_name }, _) => display_name.clone(),
            (_, Some(live)) => live.object.display_name.clone(),
            _ => String::new(),
        },
        domain: session.info().dns_domain.clone(),
        create: live.is_none(),
    };
    let gaps = Gaps::of(backup);
    messages.extend(gaps.finding(live.as_ref()));
    let mut directory_objects = class_store_only(&mapped.snapshot.directory_objects, &mut messages);
    directory_objects = gaps.fill_objects(&directory_objects, live.as_ref());
    let directory_objects = objects_for(&directory_objects, &plan_target, false)?;
    let (flags, [machine_extensions, user_extensions]) = gaps.attributes(source, live.as_ref());
    let mut plan = NewSettings {
        verb: Verb::Import,
        source: Some(PlanSource {
            backup_id: backup.info.id,
            gpo_guid: source.guid,
            display_name: source.display_name.clone(),
            domain: source.domain.to_string(),
        }),
        target: plan_target,
        live: live.as_ref(),
        tree: gaps.fill_tree(mapped.snapshot.tree.clone(), live.as_ref()),
        directory_objects,
        version: live
            .as_ref()
            .map_or_else(GpoVersion::default, present_version)
            .next(),
        flags,
        machine_extensions,
        user_extensions,
        display_name: None,
        wmi_filter,
        security_descriptor: None,
        gpt_ini: None,
        links: Vec::new(),
        mapping: Some(mapped.report),
        messages,
    }
    .plan()?;
    rights::check(session, &plan).await?;
    plan.messages.extend(descriptors_not_set(session, &plan));
    Ok(Plan::of(plan))
}

/// The filter of the domain that has the name of the backup's filter.
async fn filter_of_that_name(
    session: &DomainSession,
    link: &WmiFilterLink,
) -> Result<WmiFilterLink> {
    let name = link.name.as_ref().ok_or_else(|| {
        Error::new(
            ErrorKind::BadInput,
            format!(
                "the backup does not contain the name of its WMI filter {}",
                link.id
            ),
        )
        .with_remedy(Remedy::LinkWmiFilterAfterwards)
    })?;
    let filter = session.directory().find_wmi_filter(name).await?;
    Ok(WmiFilterLink {
        id: filter.id,
        domain: session.info().dns_domain.to_string(),
        name: Some(filter.name),
    })
}

/// The class stores and their packages, which are valid in every domain. Other objects below the GPO may depend on it in
/// unknown ways; they are omitted and reported.
pub(super) fn class_store_only(
    objects: &[DirectoryObject],
    messages: &mut Vec<StatusMessage>,
) -> Vec<DirectoryObject> {
    let (packages, others): (Vec<_>, Vec<_>) = objects.iter().cloned().partition(is_in_class_store);
    messages.extend(others.iter().map(|object| {
        StatusMessage::warning(
            Code::DirectoryObjectLeftOut,
            format!(
                "a directory object of class {} belongs to its own domain and is not imported",
                object.object_class
            ),
        )
        .at(Place::file(object.rdns.join(",")))
        .with_hint("recreate this setting in the target")
    }));
    packages
}
