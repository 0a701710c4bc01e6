//! Copy: the settings of a live GPO into a new one, in the same domain or another, as GPMC's `IGPMGPO::CopyTo` does it.
//!
//! The new GPO has a new GUID, no links, and version 1 in both halves. Its DACL is that of a new GPO, or the source's DACL
//! mapped by the table. The WMI filter link is kept only within the domain, because it cannot refer to a filter of another one.

use std::collections::BTreeMap;

use super::import::class_store_only;
use super::settings::{NewSettings, objects_for};
use crate::directory::{DomainInfo, GpoObject};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::rights;
use crate::message::{Code, StatusMessage};
use crate::migration::map::{MapOptions, PERMISSIONS, map};
use crate::migration::report::Outcome;
use crate::migration::table::MigrationTable;
use crate::model::guid::Guid;
use crate::model::sddl::map_condition;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::sid::Sid;
use crate::model::version::GpoVersion;
use crate::plan::Plan;
use crate::plan::gpo::{PlanSource, PlanTarget, Verb};
use crate::plan::inherited_permissions::descriptors_not_set;
use crate::plan::objects::forbidden;
use crate::plan::secrets::refuse_passwords;
use crate::plan::self_lockout::SelfLockout;
use crate::progress::Control;
use crate::session::DomainSession;
use crate::session::display_name::name_is_free;
use crate::session::read;

/// How to copy.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CopyOptions {
    /// The display name of the new GPO; by default the source's, and `Copy of …` in the same domain.
    pub name: Option<String>,
    /// Whether the DACLs of the GPO and its packages are copied.
    pub preserve_acl: bool,
    /// The migration table, if there is one.
    pub table: Option<MigrationTable>,
    /// How references are mapped.
    pub mapping: MapOptions,
    /// Whether passwords stored in Preferences (MS14-025) may be written into the copy.
    pub allow_cpassword: bool,
}

impl CopyOptions {
    /// No migration table, a DACL of a new GPO, and no stored passwords.
    pub fn new() -> Self {
        Self::default()
    }
}

crate::setters::setters!(CopyOptions {
    name: String,
    preserve_acl: bool,
    table: MigrationTable,
    mapping: MapOptions,
    allow_cpassword: bool
});

/// The lowest RID of an account that an administrator created: lower RIDs are the same accounts in every domain [MS-DTYP
/// 2.4.2.4].
const FIRST_OWN_RID: u32 = 1000;

/// Plans a copy. Writes nothing.
///
/// # Errors
/// `Conflict` when the display name is in use; `Unmapped` and `BadInput` as for an import, also when passwords are stored in
/// the settings and [`CopyOptions::allow_cpassword`] is not set.
pub async fn plan(
    from: &DomainSession,
    object: &GpoObject,
    to: &DomainSession,
    options: &CopyOptions,
    control: &Control,
) -> Result<Plan> {
    let same_domain = from.info().domain_guid == to.info().domain_guid;
    let display_name = match &options.name {
        Some(name) => name.clone(),
        None if same_domain => format!("Copy of {}", object.display_name),
        None => object.display_name.clone(),
    };
    name_is_free(to, &display_name, None).await?;
    let mut live = read::read_gpo(from, object, control).await?;
    read::take_inventory(from, &mut live.snapshot).await?;
    if options.preserve_acl {
        read::take_access_inventory(from, &mut live.snapshot).await?;
    }
    let source = &live.snapshot;
    let mut messages = source.messages.clone();
    messages.extend(refuse_passwords(&source.tree, options.allow_cpassword)?);
    let guid = Guid::new_random();
    let mapping = MapOptions {
        dacl: options.preserve_acl,
        target_gpo: Some(guid),
        ..options.mapping
    };
    let mapped = map(source, options.table.as_ref(), to.directory(), &mapping).await?;
    // Principals that are left in the permissions are reported below, where their mapping is known.
    let of_permissions = |message: &&StatusMessage| {
        message.code == Code::SourceSidLeft
            && message
                .place
                .as_ref()
                .is_some_and(|place| place.file == PERMISSIONS)
    };
    messages.extend(
        mapped
            .report
            .messages
            .iter()
            .filter(|message| !of_permissions(message))
            .cloned(),
    );

    let target = PlanTarget {
        guid,
        display_name,
        domain: to.info().dns_domain.clone(),
        create: true,
    };
    let mut objects = mapped.snapshot.directory_objects.clone();
    if !same_domain {
        objects = class_store_only(&objects, &mut messages);
    }
    let mut objects = objects_for(&objects, &target, options.preserve_acl)?;
    let mut security_descriptor = None;
    if options.preserve_acl {
        let access = Access {
            from: from.info(),
            to: to.info(),
            identities: &mapped.sid_outcomes,
        };
        let descriptor = access.mapped(&source.security_descriptor, &mut messages)?;
        security_descriptor = Some(descriptor);
        let mut mapped = Vec::new();
        for object in objects {
            let mut bytes = object.security_descriptor.clone();
            if let Some(bytes) = &mut bytes {
                let mut noticed = Vec::new();
                let descriptor = access.mapped(bytes, &mut noticed)?;
                // What was reported for the GPO's own DACL is not repeated for each package.
                noticed.retain(|message| !messages.contains(message));
                messages.extend(noticed);
                *bytes = to_bytes(&descriptor)?;
            }
            mapped.push(object.with_security_descriptor(bytes).map_err(forbidden)?);
        }
        objects = mapped;
    }
    let wmi_filter = match &source.wmi_filter {
        Some(_) if same_domain => object.wmi_filter.clone(),
        Some(link) => {
            messages.push(
                StatusMessage::warning(
                    Code::WmiFilterLeftOut,
                    format!(
                        "the WMI filter {}{} belongs to {}, so the copy is created without it",
                        link.name
                            .as_ref()
                            .map(|name| format!("\"{name}\" "))
                            .unwrap_or_default(),
                        link.id,
                        from.info().dns_domain
                    ),
                )
                .with_hint("link a filter of the new domain before the copy is linked anywhere"),
            );
            None
        }
        None => None,
    };
    let mut plan = NewSettings {
        verb: Verb::Copy,
        source: Some(PlanSource {
            backup_id: None,
            gpo_guid: source.guid,
            display_name: source.display_name.clone(),
            domain: source.domain.to_string(),
        }),
        target,
        live: None,
        tree: mapped.snapshot.tree.clone(),
        directory_objects: objects,
        version: GpoVersion::default().next(),
        flags: source.flags,
        machine_extensions: source.machine_extensions.clone(),
        user_extensions: source.user_extensions.clone(),
        display_name: None,
        wmi_filter: wmi_filter.map(Some),
        security_descriptor,
        gpt_ini: None,
        links: Vec::new(),
        mapping: Some(mapped.report),
        messages,
    }
    .plan()?;
    rights::check(to, &plan).await?;
    plan.messages.extend(descriptors_not_set(to, &plan));
    plan.messages
        .extend(SelfLockout::of(to.info(), &plan).map(|self_lockout| self_lockout.message()));
    Ok(Plan::of(plan))
}

/// The mapping of a principal in a DACL.
struct Access<'a> {
    from: &'a DomainInfo,
    to: &'a DomainInfo,
    identities: &'a BTreeMap<Sid, Outcome>,
}

impl Access<'_> {
    /// A descriptor for the target. A principal with a row is mapped or removed; groups and accounts that every domain has
    /// become those of the target; others are left unchanged and reported, because they do not exist there.
    fn mapped(
        &self,
        bytes: &[u8],
        messages: &mut Vec<StatusMessage>,
    ) -> Result<SecurityDescriptor> {
        let mut descriptor = SecurityDescriptor::parse(bytes).map_err(|cause| {
            Error::new(
                ErrorKind::BadDirectory,
                "the permissions of the source cannot be read",
            )
            .with_source(cause)
        })?;
        // Owner and group are those of the account that makes the copy.
        descriptor.owner = None;
        descriptor.group = None;
        descriptor.sacl = None;
        let Some(dacl) = &mut descriptor.dacl else {
            return Err(Error::new(
                ErrorKind::BadDirectory,
                "the source has no permissions that could be copied",
            ));
        };
        let mut said: Vec<Sid> = Vec::new();
        let mut translated: Vec<Sid> = Vec::new();
        let mut unread = 0_usize;
        dacl.aces.retain_mut(|ace| {
            // A principal in a condition cannot be removed without changing the condition.
            let known = map_condition(ace, &mut |sid| match self.mapping_of(sid) {
                SidMapping::Becomes(new) | SidMapping::Counterpart(new) => new,
                SidMapping::Stays => sid.clone(),
                SidMapping::Goes | SidMapping::Foreign => {
                    if !said.contains(sid) {
                        said.push(sid.clone());
                    }
                    sid.clone()
                }
            });
            unread += usize::from(!known);
            let Some(rights) = ace.rights_mut() else {
                return true;
            };
            match self.mapping_of(&rights.sid) {
                SidMapping::Stays => true,
                SidMapping::Becomes(sid) => {
                    rights.sid = sid;
                    true
                }
                SidMapping::Counterpart(sid) => {
                    if !translated.contains(&rights.sid) {
                        translated.push(rights.sid.clone());
                    }
                    rights.sid = sid;
                    true
                }
                SidMapping::Goes => false,
                SidMapping::Foreign => {
                    if !said.contains(&rights.sid) {
                        said.push(rights.sid.clone());
                    }
                    true
                }
            }
        });
        if unread > 0 {
            messages.push(StatusMessage::warning(
                Code::UnreadCondition,
                format!("{unread} conditions in the permissions cannot be read, so the principals in them are left unchanged"),
            ));
        }
        messages.extend(translated.into_iter().map(|sid| {
            StatusMessage::info(
                Code::CounterpartInPermissions,
                format!(
                    "{sid} has no row; it becomes the account of {} with the same well-known RID",
                    self.to.dns_domain
                ),
            )
        }));
        messages.extend(said.into_iter().map(|sid| {
            StatusMessage::warning(
                Code::ForeignPrincipal,
                format!(
                    "{sid} of {} is left unchanged in the permissions of the copy and does not exist in {}",
                    self.from.dns_domain, self.to.dns_domain
                ),
            )
            .with_hint("add a row for it to the migration table")
        }));
        Ok(descriptor)
    }

    fn mapping_of(&self, sid: &Sid) -> SidMapping {
        match self.identities.get(sid) {
            Some(Outcome::Replaced { sid: Some(new), .. }) => {
                return SidMapping::Becomes(new.clone());
            }
            // A name that is not a principal of the target grants nothing.
            Some(Outcome::Removed | Outcome::Replaced { sid: None, .. }) => {
                return SidMapping::Goes;
            }
            Some(Outcome::Kept | Outcome::OutOfScope) | None => {}
        }
        if self.from.domain_sid == self.to.domain_sid
            || sid.domain().as_ref() != Some(&self.from.domain_sid)
        {
            return SidMapping::Stays;
        }
        match sid.rid() {
            Some(rid) if rid < FIRST_OWN_RID => {
                SidMapping::Counterpart(self.to.domain_sid.with_rid(rid))
            }
            _ => SidMapping::Foreign,
        }
    }
}

/// The mapping of one principal.
enum SidMapping {
    Stays,
    Becomes(Sid),
    /// The counterpart that every domain has.
    Counterpart(Sid),
    Goes,
    Foreign,
}

fn to_bytes(descriptor: &SecurityDescriptor) -> Result<Vec<u8>> {
    descriptor.to_bytes().map_err(|cause| {
        Error::new(ErrorKind::Internal, "a DACL cannot be written").with_source(cause)
    })
}
