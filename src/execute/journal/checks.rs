//! A journal is read as hostile input: each inverse is checked against the plan, so that an edited journal undoes nothing but
//! what its operation did.

use std::collections::BTreeMap;

use super::stored::EVENTS;
use super::{Before, Inverse, StoredOperation};
use crate::directory::writer::refuse_default_gpo;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::stage::StagingArea;
use crate::model::digest::sha256;
use crate::model::safe_name::SafeName;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::status_flags;
use crate::plan::folder_rights;
use crate::plan::gpo::{EntryChange, FileContent, GpoPlan, GpoState, Step, Verb};
use crate::plan::{Change, Mode, Plan};

impl StoredOperation {
    /// Checks plan, former state and inverses against each other, before any of them is used.
    ///
    /// # Errors
    /// `BadInput`, naming what does not belong to the operation; `Denied` where a default GPO would be deleted.
    pub(crate) fn refuse_foreign(&self, plan: &Plan) -> Result<()> {
        self.refuse_foreign_parts(plan, &self.states_before(plan)?)
    }

    /// The state of each GPO of the plan before its change, by the number of the change.
    ///
    /// # Errors
    /// As [`StoredOperation::before`].
    pub(in crate::execute) fn states_before(&self, plan: &Plan) -> Result<BTreeMap<usize, Before>> {
        let mut before = BTreeMap::new();
        for of in 0..plan.changes.len() {
            if let Some(Change::Gpo(_)) = plan.changes.get(of)
                && let Some(state) = self.before(of)?
            {
                before.insert(of, state);
            }
        }
        Ok(before)
    }

    fn refuse_foreign_parts(&self, plan: &Plan, before: &BTreeMap<usize, Before>) -> Result<()> {
        if plan.operation_id != self.id {
            return Err(self.foreign(&format!(
                "the plan is that of operation {}",
                plan.operation_id
            )));
        }
        for (of, change) in plan.changes.iter().enumerate() {
            if let Change::Gpo(gpo) = change
                && self.concerns(plan, of)
            {
                self.check_before(gpo, before.get(&of))?;
                if gpo.verb == Verb::Delete {
                    refuse_default_gpo(gpo.target.guid)?;
                }
            }
        }
        for (number, (of, inverse)) in (1_usize..).zip(&self.changes) {
            let gpo = match plan.changes.get(*of) {
                Some(Change::Gpo(gpo)) => gpo,
                // The inverse of single values follows from the plan.
                Some(Change::Value(_)) if *inverse == Inverse::ChangeBack => continue,
                _ => return Err(self.foreign_inverse(inverse)),
            };
            let staging = StagingArea::new(&plan.domain, gpo.target.guid, &self.id);
            if deletes(inverse) {
                refuse_default_gpo(gpo.target.guid)?;
            }
            if !belongs(inverse, gpo, &staging) {
                return Err(self.foreign_inverse(inverse));
            }
            if let Some(fault) = fault_of_folder(inverse, gpo) {
                return Err(self.foreign(&format!("change {number} of {EVENTS} {fault}")));
            }
        }
        for (of, live) in self
            .put_aside
            .iter()
            .flat_map(|(of, all)| all.iter().map(move |live| (of, live)))
        {
            let replaces = |(it, inverse): &(usize, Inverse)| {
                it == of
                    && matches!(inverse, Inverse::SwitchBack { live: name, old: Some(_), .. } if name == live)
            };
            if !self.changes.iter().any(replaces) {
                return Err(self.foreign(&format!(
                    "it puts \"{}\" aside, which the operation did not replace",
                    live.escape_debug()
                )));
            }
        }
        if plan.mode == Mode::AllOrNothing && !self.stands.is_empty() {
            return Err(self.foreign("its plan is made as a whole or not at all"));
        }
        if let Some(of) = self.stands.iter().find(|of| **of >= plan.changes.len()) {
            return Err(self.foreign(&format!("the plan has no change {of}")));
        }
        Ok(())
    }

    /// Whether the operation has begun this change. In a plan that is applied object by object, changes that it may not make are left out.
    fn concerns(&self, plan: &Plan, of: usize) -> bool {
        plan.mode == Mode::AllOrNothing
            || self.stands.contains(&of)
            || self.changes.iter().any(|(it, _)| *it == of)
    }

    fn foreign_inverse(&self, inverse: &Inverse) -> Error {
        self.foreign(&format!(
            "the plan does not make the change that is undone by {}",
            serde_json::to_string(inverse).unwrap_or_default()
        ))
    }

    /// The former state must be the one the plan was made against, as far as it can be restored.
    fn check_before(&self, plan: &GpoPlan, before: Option<&Before>) -> Result<()> {
        let (basis, before) = match (&plan.basis, before) {
            (Some(basis), Some(before)) => (basis, before),
            (Some(_), None) => {
                return Err(self.foreign("the state before the operation is missing"));
            }
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                return Err(self.foreign("it has a former state of a GPO that it created"));
            }
        };
        if let Some(fault) = before.flags.and_then(status_flags::fault) {
            return Err(self.foreign(&format!("before the operation, the GPO had {fault}")));
        }
        match before.fault_against(plan.verb, basis) {
            Some(what) => Err(self.foreign(&format!(
                "{what} before the operation is not what the plan was made against"
            ))),
            None => Ok(()),
        }
    }

    fn foreign(&self, what: &str) -> Error {
        Error::new(
            ErrorKind::BadInput,
            format!("the journal of operation {} was changed: {what}", self.id),
        )
        .with_hint(format!(
            "nothing was changed; restore the GPO from the backup in {}",
            self.folder.display()
        ))
    }
}

impl Before {
    /// What of this state is not what a plan of this verb was made against: part of a sentence. An undo refuses it, so `apply` must not
    /// begin with it.
    pub(crate) fn fault_against(&self, verb: Verb, basis: &GpoState) -> Option<&'static str> {
        let descriptor = &self.security_descriptor.0;
        // Plans of older versions do not contain it; 2 is what a GPO has [MS-GPOL 2.2.4].
        let functionality = self.functionality_version == basis.functionality_version
            || (basis.functionality_version.is_none() && self.functionality_version == Some(2));
        let wrong = [
            ("the version", self.version != basis.directory_version),
            ("the status", self.flags != basis.flags),
            (
                "the extensions",
                self.machine_extensions != basis.machine_extensions
                    || self.user_extensions != basis.user_extensions,
            ),
            ("the display name", self.display_name != basis.display_name),
            ("the WMI filter", self.wmi_filter != basis.wmi_filter),
            ("the functionality version", !functionality),
            ("GPT.INI", !basis.has_gpt_ini(self.gpt_ini.as_ref())),
            (
                "the permissions",
                sha256(descriptor) != basis.security_descriptor || !is_readable(descriptor),
            ),
            (
                "the directory objects",
                !matches!(verb, Verb::Rename | Verb::SetStatus)
                    && !basis.holds(&self.directory_objects),
            ),
        ];
        let found = wrong.iter().find(|(_, wrong)| *wrong);
        found.map(|(what, _)| *what)
    }
}

/// Whether a descriptor can be restored. An account that may not read the descriptor of the GPO has an empty one and writes none.
fn is_readable(descriptor: &[u8]) -> bool {
    descriptor.is_empty() || SecurityDescriptor::parse(descriptor).is_ok()
}

/// Why this inverse would not restore permissions that the folder of the GPO had: part of a sentence.
fn fault_of_folder(inverse: &Inverse, plan: &GpoPlan) -> Option<String> {
    let Inverse::RestoreFolderDescriptor {
        descriptor,
        written,
    } = inverse
    else {
        return None;
    };
    let unreadable = "has a security descriptor that cannot be read";
    let readable = |bytes: &FileContent| SecurityDescriptor::parse(&bytes.0).is_ok();
    if !written.as_ref().is_none_or(readable) {
        return Some(unreadable.to_owned());
    }
    match folder_rights::excess(&descriptor.0, plan) {
        Ok(None) => None,
        Ok(Some(excess)) => Some(format!(
            "gives the folder of the GPO {excess}, which the GPO grants neither before nor after the operation"
        )),
        Err(cause) => Some(format!("{unreadable}: {cause}")),
    }
}

/// Whether this inverse deletes a GPO, or something that clients read.
fn deletes(inverse: &Inverse) -> bool {
    matches!(
        inverse,
        Inverse::DeleteGpo { .. } | Inverse::DeleteContainer { .. } | Inverse::RecreateContainer
    )
}

/// Whether an operation with this plan announces this inverse.
fn belongs(inverse: &Inverse, plan: &GpoPlan, staging: &StagingArea) -> bool {
    let gives_settings = matches!(
        plan.verb,
        Verb::Import | Verb::Restore | Verb::Copy | Verb::Create
    );
    let version = plan.steps.iter().find_map(|step| match step {
        Step::ModifyGpo { version_to, .. } => Some(*version_to),
        _ => None,
    });
    match inverse {
        Inverse::DeleteGpo { guid } | Inverse::DeleteContainer { guid } => {
            gives_settings && plan.target.create && *guid == plan.target.guid
        }
        Inverse::RemoveFolder | Inverse::RestoreDirectoryObjects | Inverse::RestoreGptIni => {
            gives_settings
        }
        // Of single values, which a GPO as a whole does not have.
        Inverse::ChangeBack => false,
        Inverse::RemoveEntry { name } => staged_from(name, staging).is_some(),
        Inverse::SwitchBack { live, old, staged } => {
            let Ok(live) = SafeName::new(live) else {
                return false;
            };
            // The plan contains the old and the new entries. Compare without case: the old one may have had another spelling.
            let is = |name: &Option<String>, expected: Result<SafeName>, there: bool| match name {
                Some(name) => {
                    there
                        && expected.is_ok_and(|expected| expected.folded() == name.to_lowercase())
                }
                None => !there,
            };
            gives_settings
                && root_change(&live, plan).is_some_and(|change| {
                    is(old, staging.old_name(&live), change != EntryChange::Added)
                        && is(staged, staging.staged_name(&live), change != EntryChange::Removed)
                })
        }
        Inverse::RestoreFolderDescriptor { .. } => gives_settings && plan.changes_descriptor(),
        Inverse::RestoreAttributes {
            written,
            descriptor,
        } => Some(*written) == version && (!descriptor || plan.changes_descriptor()),
        Inverse::RestoreName { written } => plan
            .steps
            .iter()
            .any(|step| matches!(step, Step::Rename { to, .. } if to == written)),
        Inverse::RestoreStatus { written } => plan
            .steps
            .iter()
            .any(|step| matches!(step, Step::SetStatus { to, .. } if to == written)),
        Inverse::RestoreLinks {
            som,
            before,
            written,
        } => plan.steps.iter().any(|step| {
            matches!(
                step,
                Step::SetLinks { som: planned, from, to } if planned == som && from == before && to == written
            )
        }),
        Inverse::RecreateContainer => plan.verb == Verb::Delete,
    }
}

/// The live name for a staged name of this operation.
fn staged_from(name: &str, staging: &StagingArea) -> Option<SafeName> {
    let mark = staging.staged_name(&SafeName::new("x").ok()?).ok()?;
    let mark = mark.as_str().strip_suffix('x')?;
    SafeName::new(name.strip_prefix(mark)?).ok()
}

/// How the plan changes this entry of the GPO's folder; `None` when it does not.
fn root_change(live: &SafeName, plan: &GpoPlan) -> Option<EntryChange> {
    plan.steps.iter().find_map(|step| match step {
        Step::SwitchEntry { name, change }
            if name == live.as_str() && *change != EntryChange::Unchanged =>
        {
            Some(*change)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests;
