//! The changes in the directory alone: the attributes of the GPO, and the links to it.

use super::run::Run;
use crate::directory::writer::GpoChange;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::Inverse;
use crate::execute::rollback;
use crate::plan::gpo::{Step, Verb};
use crate::session::read::LiveGpo;

impl Run<'_> {
    /// The one LDAP modify that makes the new state visible to clients and editors. A new GPO without settings needs none.
    pub(super) async fn modify_gpo(&mut self, current: Option<&LiveGpo>) -> Result<()> {
        let change = self.plan.steps.iter().find_map(|step| match step {
            Step::ModifyGpo {
                version_from,
                version_to,
                flags_to,
                machine_extensions_to,
                user_extensions_to,
                display_name,
                wmi_filter,
                ..
            } => Some((
                *version_to,
                GpoChange {
                    version: Some((*version_from, *version_to)),
                    flags: Some(*flags_to),
                    machine_extensions: Some(machine_extensions_to.clone()),
                    user_extensions: Some(user_extensions_to.clone()),
                    display_name: display_name.as_ref().map(|name| name.to.clone()),
                    // Found by the sweep of `Restore`: a name that somebody gave the GPO after the last look was lost.
                    display_name_was: display_name.as_ref().map(|name| name.from.clone()),
                    wmi_filter: wmi_filter.as_ref().map(|filter| filter.to.clone()),
                    ..GpoChange::default()
                },
            )),
            _ => None,
        });
        let Some((written, mut change)) = change else {
            if self.plan.verb == Verb::Create {
                return Ok(());
            }
            return Err(Error::new(
                ErrorKind::BadInput,
                "the plan has no step that sets the version",
            ));
        };
        if current.is_some() {
            change.security_descriptor = self
                .planned_descriptor()
                .map(|descriptor| (descriptor, rollback::DACL));
            self.announce(Inverse::RestoreAttributes {
                written,
                descriptor: change.security_descriptor.is_some(),
            })?;
        }
        let outcome = self
            .domain
            .directory()
            .modify_gpo(self.plan.target.guid, &change)
            .await;
        if current.is_some() {
            self.settled(outcome)
        } else {
            outcome
        }
    }

    /// After one modify that was announced: it is made or refused as a whole, unless the answer was lost. What is there after a
    /// refusal was written by somebody else, even if it is the same value.
    fn settled(&mut self, outcome: Result<()>) -> Result<()> {
        let refused = outcome
            .as_ref()
            .is_err_and(|error| error.kind() != ErrorKind::Connect);
        if refused {
            self.journal.retract_intent()?;
        }
        outcome
    }

    /// A name or a status, compared and swapped, and read back.
    pub(super) async fn change_attribute(&mut self, current: &LiveGpo) -> Result<()> {
        self.check_unchanged(current).await?;
        let guid = self.plan.target.guid;
        for step in &self.plan.steps {
            let change = match step {
                Step::Rename { from, to } => {
                    crate::session::display_name::name_is_free(
                        self.domain.session(),
                        to,
                        Some(guid),
                    )
                    .await?;
                    self.announce(Inverse::RestoreName {
                        written: to.clone(),
                    })?;
                    GpoChange {
                        display_name: Some(to.clone()),
                        display_name_was: Some(from.clone()),
                        ..GpoChange::default()
                    }
                }
                Step::SetStatus { from, to } => {
                    self.announce(Inverse::RestoreStatus { written: *to })?;
                    GpoChange {
                        flags: Some(*to),
                        flags_was: Some(*from),
                        ..GpoChange::default()
                    }
                }
                _ => continue,
            };
            let outcome = self.domain.directory().modify_gpo(guid, &change).await;
            self.settled(outcome)?;
            let now = self.domain.session().directory().gpo(guid).await?;
            let right = change
                .display_name
                .is_none_or(|name| now.display_name == name)
                && change.flags.is_none_or(|flags| now.flags == Some(flags));
            if !right {
                return Err(Error::new(
                    ErrorKind::BadDirectory,
                    format!("read back, GPO {guid} differs from the plan"),
                ));
            }
        }
        Ok(())
    }

    /// The links of the plan, each compared and swapped.
    pub(super) async fn set_links(&mut self) -> Result<()> {
        for step in &self.plan.steps {
            let Step::SetLinks { som, from, to } = step else {
                continue;
            };
            let dn = rollback::som_dn(som)?;
            self.announce(Inverse::RestoreLinks {
                som: som.clone(),
                before: from.clone(),
                written: to.clone(),
            })?;
            let outcome = self
                .domain
                .directory()
                .set_gp_link(&dn, from.as_deref(), to.as_deref())
                .await;
            self.settled(outcome)?;
        }
        Ok(())
    }
}
