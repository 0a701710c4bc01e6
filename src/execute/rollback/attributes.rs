//! Rolls back the attributes of the GPO: each by compare-and-swap, so that changes by somebody else are kept.

use super::{DACL, OWNER_GROUP_DACL, RollbackReport, Undo, grants_the_same};
use crate::directory::{AttributeSwap, SwapAttribute};
use crate::error::{ErrorKind, Result};
use crate::execute::journal::{Before, Inverse};
use crate::execute::objects::reconcile;
use crate::model::extension_list::ExtensionList;
use crate::plan::gpo::Step;
use crate::plan::objects;
use crate::plan::self_lockout::SelfLockout;

impl Undo<'_> {
    /// Restores one attribute, if it is still what this operation wrote; `swap` contains both values.
    pub(super) async fn restore_attribute(
        &self,
        swap: AttributeSwap,
        report: &mut RollbackReport,
    ) -> Result<()> {
        if self.kept.contains(&swap.attribute) {
            return Ok(());
        }
        let dn = self.domain.session().info().base.gpo(self.guid());
        let found = self.ours(&dn, vec![swap], report).await?;
        self.domain.directory().swap_attributes(&dn, &found).await
    }

    /// Of these swaps, those whose attribute is still what this operation wrote; any other value that is not the former one was
    /// written by somebody else.
    async fn ours(
        &self,
        dn: &crate::model::dn::Dn,
        swaps: Vec<AttributeSwap>,
        report: &mut RollbackReport,
    ) -> Result<Vec<AttributeSwap>> {
        let directory = self.domain.session().directory();
        let found = directory.swapped_values(dn, &swaps).await?;
        let mut ours = Vec::new();
        for (mut swap, found) in swaps.into_iter().zip(found) {
            if same(&found, &swap.old) {
                swap.old = found;
                ours.push(swap);
            } else if !same(&found, &swap.new) {
                report.leave(format!("{} of {dn}", swap.attribute.as_str()));
            }
        }
        Ok(ours)
    }

    /// Undoes the LDAP modify that made the new version: attributes that are still as it left them get their former values, and
    /// the version becomes `version`.
    pub(super) async fn restore_attributes(
        &self,
        changes: &[Inverse],
        version: Option<AttributeSwap>,
        report: &mut RollbackReport,
    ) -> Result<()> {
        let before = self.before()?;
        let session = self.domain.session();
        let dn = session.info().base.gpo(self.guid());
        let with_descriptor = changes.iter().any(|change| {
            matches!(
                change,
                Inverse::RestoreAttributes {
                    descriptor: true,
                    ..
                }
            )
        });
        if with_descriptor {
            self.restore_dacl(before, report).await?;
        }
        let mut swaps = self.ours(&dn, self.reverting_swaps(before), report).await?;
        swaps.extend(version);
        self.domain.directory().swap_attributes(&dn, &swaps).await
    }

    /// What the modify wrote, and the values before it, without the version.
    fn reverting_swaps(&self, before: &Before) -> Vec<AttributeSwap> {
        let mut swaps = Vec::new();
        for step in &self.plan.steps {
            let Step::ModifyGpo {
                flags_to,
                machine_extensions_to,
                user_extensions_to,
                display_name,
                wmi_filter,
                ..
            } = step
            else {
                continue;
            };
            let mut add = |attribute, written: Option<String>| {
                swaps.push(AttributeSwap {
                    attribute,
                    old: written,
                    new: value_before(before, attribute),
                });
            };
            let list = |list: &ExtensionList| (!list.is_empty()).then(|| list.as_str().to_owned());
            add(
                SwapAttribute::Flags,
                Some(flags_to.cast_signed().to_string()),
            );
            add(
                SwapAttribute::MachineExtensions,
                list(machine_extensions_to),
            );
            add(SwapAttribute::UserExtensions, list(user_extensions_to));
            if let Some(name) = display_name {
                add(SwapAttribute::DisplayName, Some(name.to.clone()));
            }
            if let Some(filter) = wmi_filter {
                add(SwapAttribute::WqlFilter, filter.to.clone());
            }
        }
        swaps.retain(|swap| !self.kept.contains(&swap.attribute));
        swaps
    }

    async fn restore_dacl(&self, before: &Before, report: &mut RollbackReport) -> Result<()> {
        let current = self.domain.session().directory().gpo(self.guid()).await?;
        let written = self.plan.steps.iter().find_map(|step| match step {
            Step::SetSecurityDescriptor { descriptor, .. } => Some(&descriptor.0),
            _ => None,
        });
        let wanted = &before.security_descriptor.0;
        if grants_the_same(wanted, &current.security_descriptor) {
            return Ok(());
        }
        // One that locks this account out is written with an entry that keeps access until the end.
        let working = SelfLockout::of(self.domain.session().info(), self.plan)
            .map(|self_lockout| self_lockout.while_working())
            .transpose()?;
        let is = |written: &[u8]| grants_the_same(written, &current.security_descriptor);
        if written.is_some_and(|written| !is(written)) && !working.is_some_and(|it| is(&it)) {
            report.leave(format!("the permissions of {}", current.dn));
            return Ok(());
        }
        self.domain
            .directory()
            .set_security_descriptor(self.guid(), wanted, DACL)
            .await
    }

    /// Recreates what is missing of the container of a GPO, with its attributes. `objectGUID` is a new one.
    pub(super) async fn recreate(&self) -> Result<()> {
        let (before, guid) = (self.before()?, self.guid());
        let (session, writer) = (self.domain.session(), self.domain.directory());
        writer.complete_gpo(guid, &before.display_name).await?;
        let current = session.directory().gpo(guid).await?;
        let wanted = before.security_descriptor.0.to_vec();
        if current.security_descriptor != wanted {
            // An account that may not set the owner restores at least the DACL.
            match writer
                .set_security_descriptor(guid, &wanted, OWNER_GROUP_DACL)
                .await
            {
                Err(error) if error.kind() == ErrorKind::Denied => {
                    writer.set_security_descriptor(guid, &wanted, DACL).await?;
                }
                other => other?,
            }
        }
        let have = session.directory().children(guid).await?;
        let changes = objects::changes(&have, &before.directory_objects);
        reconcile(writer, guid, &changes).await?;
        let mut swaps: Vec<AttributeSwap> = EVERY_ATTRIBUTE
            .into_iter()
            .filter(|attribute| !self.kept.contains(attribute))
            .map(|attribute| AttributeSwap {
                attribute,
                old: None,
                new: value_before(before, attribute),
            })
            .collect();
        let found = session
            .directory()
            .swapped_values(&current.dn, &swaps)
            .await?;
        for (swap, found) in swaps.iter_mut().zip(found) {
            swap.old = found;
        }
        writer.swap_attributes(&current.dn, &swaps).await
    }
}

/// The attributes of a GPO that an operation may have to restore.
const EVERY_ATTRIBUTE: [SwapAttribute; 7] = [
    SwapAttribute::Version,
    SwapAttribute::Flags,
    SwapAttribute::MachineExtensions,
    SwapAttribute::UserExtensions,
    SwapAttribute::DisplayName,
    SwapAttribute::WqlFilter,
    SwapAttribute::FunctionalityVersion,
];

/// What an attribute of the GPO was before the operation; `None` when it was absent.
fn value_before(before: &Before, attribute: SwapAttribute) -> Option<String> {
    let number = |value: u32| value.cast_signed().to_string();
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    match attribute {
        SwapAttribute::Version => before.version.map(|version| number(version.combined())),
        SwapAttribute::Flags => before.flags.map(number),
        SwapAttribute::MachineExtensions => text(before.machine_extensions.as_str()),
        SwapAttribute::UserExtensions => text(before.user_extensions.as_str()),
        SwapAttribute::DisplayName => text(&before.display_name),
        SwapAttribute::WqlFilter => before.wmi_filter.clone(),
        SwapAttribute::FunctionalityVersion => before.functionality_version.map(number),
        _ => None,
    }
}

/// Whether two values are equivalent; an extension list with only a blank is the same as none.
fn same(one: &Option<String>, other: &Option<String>) -> bool {
    let blank = |text: &Option<String>| text.as_ref().is_none_or(|text| text.trim().is_empty());
    one == other || (blank(one) && blank(other))
}
