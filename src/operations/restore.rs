//! Restore: returns a GPO to the state of a backup, in the domain that it was saved from, as GPMC's `IGPMDomain::RestoreGPO`
//! does.
//!
//! Settings, status, DACL, display name and WMI filter link become those of the backup; links are unchanged. For an existing
//! GPO, each half of the version is increased by one. A deleted GPO is recreated with its GUID and with a version higher than
//! the backup's; with the same version, clients that remember it would not apply it.

use super::damaged::refuse_damaged;
use super::link::gpmc_dn;
use super::partial::{Gaps, refuse_partial};
use super::settings::{NewSettings, present_version, wmi_link};
use crate::backup::StoredBackup;
use crate::directory::links::Som;
use crate::directory::wmi::{WmiFilterLookup, unreadable_filter};
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::execute::rights;
use crate::message::{Code, StatusMessage};
use crate::model::dn::Dn;
use crate::model::gp_link::{GpLink, LinkList};
use crate::model::reference::Place;
use crate::model::security_descriptor::{DaclState, SecurityDescriptor, control};
use crate::model::snapshot::GpoSnapshot;
use crate::model::version::GpoVersion;
use crate::plan::Plan;
use crate::plan::gpo::{PlanSource, PlanTarget, Step, Verb};
use crate::plan::inherited_permissions::descriptors_not_set;
use crate::plan::objects;
use crate::plan::secrets::stored_passwords;
use crate::plan::self_lockout::SelfLockout;
use crate::progress::Control;
use crate::session::DomainSession;
use crate::session::display_name::name_is_free;
use crate::session::read::{self, LiveGpo};

/// How to restore.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// Whether the links recorded in the backup are restored too, where the domain, OU or site still exists.
    pub with_links: bool,
    /// Whether a backup is accepted that lacks what could not be read when it was made.
    pub allow_partial: bool,
    /// Whether a backup is accepted whose files are not those that gpoctl wrote.
    pub accept_damaged: bool,
}

impl RestoreOptions {
    /// The links are left alone; a partial or damaged backup is refused.
    pub fn new() -> Self {
        Self::default()
    }
}

crate::setters::setters!(RestoreOptions {
    with_links: bool,
    allow_partial: bool,
    accept_damaged: bool
});

/// Plans a restore. Writes nothing.
///
/// # Errors
/// `Conflict` when the backup was made in another domain, when another GPO has its display name, or when SYSVOL has the folder
/// of a GPO that the directory does not have; `BadInput` when the backup is partial or damaged; `Denied` when the account may
/// not edit the GPO or its DACL.
pub async fn plan(
    session: &DomainSession,
    backup: &StoredBackup,
    options: &RestoreOptions,
    control: &Control,
) -> Result<Plan> {
    control.check()?;
    let source = &backup.snapshot;
    refuse_other_domain(session, source)?;
    let mut messages = refuse_damaged(backup, options.accept_damaged)?;
    objects::allowed(&source.directory_objects)?;
    refuse_partial(backup, options.allow_partial)?;
    messages.extend(backup.problems.iter().cloned());
    messages.extend(source.messages.iter().cloned());
    // Passwords are restored to the GPO that had them, so they are reported and not refused.
    messages.extend(stored_passwords(&source.tree));

    let live = match session.directory().gpo(source.guid).await {
        Ok(object) => Some(read::read_gpo(session, &object, control).await?),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let gaps = Gaps::of(backup);
    messages.extend(gaps.finding(live.as_ref()));
    let display_name = gaps.fill(
        "displayName",
        source.display_name.clone(),
        live.as_ref(),
        |live| live.object.display_name.clone(),
    );
    if live
        .as_ref()
        .is_none_or(|live| live.object.display_name != display_name)
    {
        name_is_free(session, &display_name, Some(source.guid)).await?;
    }
    let directory_objects =
        objects::allowed(&gaps.fill_objects(&source.directory_objects, live.as_ref()))?;
    if live.is_none() {
        deleted_gpo_findings(session, source, &mut messages).await?;
    }
    let target = PlanTarget {
        guid: source.guid,
        display_name: live.as_ref().map_or_else(
            || source.display_name.clone(),
            |live| live.object.display_name.clone(),
        ),
        domain: session.info().dns_domain.clone(),
        create: live.is_none(),
    };
    let links = if options.with_links {
        saved_links(session, backup, &mut messages).await?
    } else {
        let saved = backup.context.links.as_ref().map_or(0, Vec::len);
        if live.is_none() && saved > 0 {
            let links = if saved == 1 { "link" } else { "links" };
            messages.push(StatusMessage::info(
                Code::LinksNotRestored,
                format!(
                    "the GPO had {saved} {links}, which are in the backup and are not restored"
                ),
            ));
        }
        Vec::new()
    };
    let mut security_descriptor = descriptor(source, &mut messages);
    if let (Some(descriptor), None) = (&mut security_descriptor, &live) {
        descriptor.owner.clone_from(&backup.context.owner);
        descriptor.group.clone_from(&backup.context.group);
    }
    let wmi_filter = match gaps.lacks("gPCWQLFilter") && live.is_some() {
        true => None,
        false => Some(wmi_filter(session, source, live.as_ref(), &mut messages).await?),
    };
    let (flags, [machine_extensions, user_extensions]) = gaps.attributes(source, live.as_ref());
    let mut plan = NewSettings {
        verb: Verb::Restore,
        source: Some(PlanSource {
            backup_id: backup.info.id,
            gpo_guid: source.guid,
            display_name: source.display_name.clone(),
            domain: source.domain.to_string(),
        }),
        target,
        live: live.as_ref(),
        tree: gaps.fill_tree(source.tree.clone(), live.as_ref()),
        directory_objects,
        version: version(source, live.as_ref()),
        flags,
        machine_extensions,
        user_extensions,
        display_name: Some(display_name),
        wmi_filter,
        security_descriptor,
        gpt_ini: match &live {
            Some(_) => None,
            None => backup.context.gpt_ini.clone(),
        },
        links,
        mapping: None,
        messages,
    }
    .plan()?;
    if let Some(live) = &live
        && plan.changes_descriptor()
        && live.object.may_write_dacl == Some(false)
    {
        return Err(Error::new(
            ErrorKind::Denied,
            format!(
                "this account may not change the permissions of GPO \"{}\", and those of the backup differ",
                live.object.display_name
            ),
        )
        .with_hint("import the backup instead: an import does not change permissions"));
    }
    rights::check(session, &plan).await?;
    plan.messages.extend(descriptors_not_set(session, &plan));
    plan.messages
        .extend(SelfLockout::of(session.info(), &plan).map(|self_lockout| self_lockout.message()));
    Ok(Plan::of(plan))
}

/// Increases each half beyond the present version and that of the backup, in either half of the GPO. It is never decreased:
/// clients remember the number even if the GPO was deleted in between or an earlier restore was interrupted.
fn version(source: &GpoSnapshot, live: Option<&LiveGpo>) -> GpoVersion {
    let saved = source
        .directory_version
        .higher(source.sysvol_version.unwrap_or_default());
    let current = live.map_or(saved, |live| saved.higher(present_version(live)));
    current.next()
}

/// A restore writes SIDs and paths unchanged; they do not exist in any other domain.
fn refuse_other_domain(session: &DomainSession, source: &GpoSnapshot) -> Result<()> {
    let info = session.info();
    if source.domain != info.dns_domain {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "the backup is of a GPO of {} and cannot be restored to {}",
                source.domain, info.dns_domain
            ),
        )
        .with_remedy(Remedy::ImportInstead));
    }
    // A domain that was set up again with the same name has other SIDs.
    match source.domain_guid {
        Some(guid) if guid != info.domain_guid => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "the backup is of another domain named {}: its GUID was {guid} and is {}",
                info.dns_domain, info.domain_guid
            ),
        )
        .with_remedy(Remedy::ImportInstead)),
        _ => Ok(()),
    }
}

/// The findings about a GPO that is recreated.
async fn deleted_gpo_findings(
    session: &DomainSession,
    source: &GpoSnapshot,
    messages: &mut Vec<StatusMessage>,
) -> Result<()> {
    let folder = SysvolPath::gpo(&session.info().dns_domain, source.guid);
    if session.sysvol().stat(&folder).await?.is_some() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "GPO {} does not exist in the directory, but its folder {folder} exists",
                source.guid
            ),
        )
        .with_hint("wait for replication, or move the folder away when the GPO is really gone"));
    }
    let links = session.directory().links_of(source.guid).await?;
    messages.extend(links.messages);
    messages.extend(links.links.iter().map(|link| {
        StatusMessage::warning(
            Code::LinkInForce,
            format!(
                "{} is still linked to it, so it applies there again",
                link.som.dn
            ),
        )
    }));
    let packages = source
        .directory_objects
        .iter()
        .filter(|object| {
            object
                .object_class
                .eq_ignore_ascii_case("packageRegistration")
        })
        .count();
    if packages > 0 {
        messages.push(
            StatusMessage::warning(
                Code::PackagesMadeAnew,
                format!("{packages} software packages are recreated with new identities"),
            )
            .with_hint("clients may treat them as other applications and install them again"),
        );
    }
    Ok(())
}

/// Plans to restore the links of the backup, one step for each domain, OU or site. An existing link gets its former options and
/// keeps its order.
async fn saved_links(
    session: &DomainSession,
    backup: &StoredBackup,
    messages: &mut Vec<StatusMessage>,
) -> Result<Vec<Step>> {
    let Some(records) = &backup.context.links else {
        messages.push(StatusMessage::warning(
            Code::NoLinksSaved,
            "the backup does not contain the links of the GPO",
        ));
        return Ok(Vec::new());
    };
    let guid = backup.snapshot.guid;
    let gpo = session.info().base.gpo(guid);
    let mut targets: Vec<(Som, LinkList)> = Vec::new();
    let mut records = records.clone();
    // Start with the highest precedence, so that each link finds those before it in place.
    records.sort_by_key(|record| record.order);
    for record in records {
        let Some(som) = link_target(session, &record.target).await? else {
            messages.push(
                StatusMessage::warning(
                    Code::LinkTargetGone,
                    format!(
                        "the GPO was linked to {}, which no longer exists",
                        record.target
                    ),
                )
                .with_hint("link it to the container that replaces it"),
            );
            continue;
        };
        let at = match targets.iter().position(|(known, _)| known.dn == som.dn) {
            Some(at) => at,
            None => {
                som.refuse_unread()?;
                let list = LinkList::parse(som.gp_link.as_deref().unwrap_or_default());
                targets.push((som, list));
                targets.len() - 1
            }
        };
        let Some((_, list)) = targets.get_mut(at) else {
            continue;
        };
        match list.orders(|link| link.is_to(&gpo)).first() {
            Some(order) => list.edit(*order, |link| link.options = record.options),
            None => list.insert(
                record.order,
                GpLink {
                    dn: gpmc_dn(guid, &gpo),
                    options: record.options,
                },
            ),
        }
    }
    Ok(targets
        .into_iter()
        .map(|(som, list)| Step::SetLinks {
            som: som.dn.to_string(),
            to: list.to_value(),
            from: som.gp_link,
        })
        .filter(|step| !matches!(step, Step::SetLinks { from, to, .. } if from == to))
        .collect())
}

/// The domain, OU or site that a backup names, if it exists; nothing outside the domain and its sites is looked up.
async fn link_target(session: &DomainSession, text: &str) -> Result<Option<Som>> {
    let info = session.info();
    let Ok(dn) = Dn::parse(text) else {
        return Ok(None);
    };
    if dn.below(&info.base).is_none() && dn.below(&info.configuration.cn("Sites")).is_none() {
        return Ok(None);
    }
    match session.directory().som(&dn).await {
        Ok(som) => Ok(Some(som)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Usage) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The descriptor of the backup, if it has a DACL.
fn descriptor(
    source: &GpoSnapshot,
    messages: &mut Vec<StatusMessage>,
) -> Option<SecurityDescriptor> {
    let parsed = SecurityDescriptor::parse(&source.security_descriptor);
    match parsed {
        Ok(mut descriptor)
            if !descriptor.is_stub() && matches!(descriptor.dacl_state(), DaclState::List(_)) =>
        {
            // A backup always has the bit for computed inheritance, which has no meaning for a DACL without inherited entries.
            if !descriptor.has_inherited_aces() {
                descriptor.control &= !control::DACL_AUTO_INHERITED;
            }
            Some(descriptor)
        }
        _ => {
            messages.push(
                StatusMessage::warning(
                    Code::NoPermissions,
                    "the backup contains no permissions, so those of the GPO are unchanged, or a new GPO gets the default ones",
                )
                .at(Place::file("Backup.xml").key("SecurityDescriptor")),
            );
            None
        }
    }
}

/// The new `gPCWQLFilter`: the backup's link, if the filter exists.
async fn wmi_filter(
    session: &DomainSession,
    source: &GpoSnapshot,
    live: Option<&LiveGpo>,
    messages: &mut Vec<StatusMessage>,
) -> Result<Option<String>> {
    let Some(link) = &source.wmi_filter else {
        return Ok(None);
    };
    let found = session.directory().wmi_filter(link.id).await?;
    if found == WmiFilterLookup::Unreadable {
        messages.push(unreadable_filter(link));
    }
    if found == WmiFilterLookup::Absent {
        messages.push(
            StatusMessage::warning(
                Code::WmiFilterGone,
                format!(
                    "the WMI filter {}{} no longer exists in {}, so the GPO is restored without it",
                    link.name
                        .as_ref()
                        .map(|name| format!("\"{name}\" "))
                        .unwrap_or_default(),
                    link.id,
                    session.info().dns_domain
                ),
            )
            .with_hint("without its filter the GPO applies to more computers than before"),
        );
        return Ok(None);
    }
    Ok(Some(wmi_link(live, link)))
}
