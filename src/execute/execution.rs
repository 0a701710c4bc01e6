//! One plan while it is applied: every precondition and right, then each change, then the clean-up; after a failure the roll-back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::journal::{Before, Event, Inverse, Journal, Visible};
use super::rollback::{RolledBack, Undo};
use super::run::{Leftovers, Run};
use super::safety_backup::save_safety_backup;
use super::stage::StagingArea;
use super::value_rights::refuse_denied;
use super::values::{self, entries_left_out};
use super::waiting::PatientDomain;
use super::{
    ChangedGpo, INCOMPLETE, OperationResult, OverallStatus, current_state, refuse_without_way_back,
    rights, short_id,
};
use crate::directory::SwapAttribute;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::{Code, StatusMessage};
use crate::model::gpt_tree::GptTree;
use crate::model::version::GpoVersion;
use crate::plan::gpo::GpoPlan;
use crate::plan::self_lockout::SelfLockout;
use crate::plan::values::PlannedValue;
use crate::plan::{Change, Mode, Plan};
use crate::progress::{Control, Phase};
use crate::session::DomainWriter;
use crate::session::read::LiveGpo;

/// What the changes of one operation have in common.
#[derive(Clone, Copy)]
struct Operation<'a> {
    domain: &'a PatientDomain<'a>,
    id: &'a str,
    control: &'a Control,
}

/// A plan while it is applied.
pub(super) struct Execution<'a> {
    operation: Operation<'a>,
    plan: &'a Plan,
    /// One for each change of the plan, in the same order.
    parts: Vec<Part<'a>>,
    messages: Vec<StatusMessage>,
}

/// A change, and what was read for it.
enum Part<'a> {
    Gpo(Box<GpoPart<'a>>),
    Value(&'a PlannedValue),
    /// Of a plan that is applied object by object: the object is not as in the plan, or this account may not change it.
    Refused(Error),
}

struct GpoPart<'a> {
    gpo: &'a GpoPlan,
    new: GptTree,
    current: Option<LiveGpo>,
    before: Option<Before>,
    staging: StagingArea,
    /// What remains to be cleaned up; `None` until the change is made.
    leftovers: Option<Leftovers>,
}

impl<'a> Execution<'a> {
    /// Compares every precondition and checks every right, before anything is written.
    ///
    /// # Errors
    /// `Conflict` or `Denied` for the first change that cannot be made; in a plan that is applied object by object, only when no object
    /// can be changed.
    pub(super) async fn prepare(
        domain: &'a PatientDomain<'a>,
        plan: &'a Plan,
        control: &'a Control,
    ) -> Result<Self> {
        let mut parts = Vec::new();
        for change in &plan.changes {
            let part = match change {
                Change::Gpo(gpo) => GpoPart::prepare(domain, &plan.operation_id, gpo, control)
                    .await
                    .map(|part| Part::Gpo(Box::new(part))),
                Change::Value(value) => {
                    let refused = async {
                        values::refuse_changed(domain, &value.change).await?;
                        refuse_denied(domain.session(), &value.change).await
                    };
                    refused.await.map(|()| Part::Value(value))
                }
            };
            match part {
                Err(error) if plan.mode == Mode::ObjectByObject => {
                    parts.push(Part::Refused(error));
                }
                part => parts.push(part?),
            }
        }
        let refused = |part: &Part<'_>| matches!(part, Part::Refused(_));
        if !parts.is_empty()
            && parts.iter().all(refused)
            && let Part::Refused(error) = parts.swap_remove(0)
        {
            return Err(error);
        }
        Ok(Self {
            operation: Operation {
                domain,
                id: &plan.operation_id,
                control,
            },
            plan,
            parts,
            messages: plan.findings().cloned().collect(),
        })
    }

    /// The state of each GPO before its change, with the number of the change.
    pub(super) fn before(&self) -> impl Iterator<Item = (usize, &Before)> {
        self.parts
            .iter()
            .enumerate()
            .filter_map(|(index, part)| match part {
                Part::Gpo(part) => Some((index, part.before.as_ref()?)),
                _ => None,
            })
    }

    /// Saves a backup of each GPO as it is.
    ///
    /// # Errors
    /// As writing a backup.
    pub(super) async fn save_safety_backups(&mut self, journal: &Journal) -> Result<()> {
        let mut saved = false;
        for (index, part) in self.parts.iter().enumerate() {
            if let Part::Gpo(part) = part
                && let Some(current) = &part.current
            {
                let folder = journal.folder().join(super::journal::before_name(index));
                let message =
                    save_safety_backup(self.operation.domain, part.gpo, folder, current).await?;
                self.messages.extend(message);
                saved = true;
            }
        }
        if saved { journal.sync() } else { Ok(()) }
    }

    /// Makes the changes, unit by unit.
    ///
    /// # Errors
    /// As [`super::apply`].
    pub(super) async fn run(mut self, journal: &mut Journal) -> Result<OperationResult> {
        let mut stand: Vec<usize> = Vec::new();
        let mut first_error = None;
        for unit in self.plan.units() {
            match self.make_unit(unit.clone(), journal).await {
                Ok(()) => {
                    self.finish(unit.clone(), journal).await;
                    stand.extend(unit);
                }
                Err(error) if !self.by_object() || error.kind() == ErrorKind::Incomplete => {
                    return Err(error);
                }
                Err(error) => {
                    self.messages.push(of_error(&error));
                    let is_cancelled = error.kind() == ErrorKind::Cancelled;
                    first_error.get_or_insert(error);
                    if is_cancelled {
                        break;
                    }
                }
            }
        }
        if let (true, Some(error)) = (stand.is_empty(), first_error) {
            let _ = journal.record(&Event::RolledBack);
            return Err(error);
        }
        self.report_later_changes(&stand).await;
        let is_incomplete = self.messages.iter().any(|m| INCOMPLETE.contains(&m.code));
        let end = match is_incomplete {
            true => Event::Committed,
            false => Event::Finished,
        };
        // The operation is complete, even if this can no longer be recorded in the journal.
        if let Err(error) = journal.record(&end) {
            tracing::warn!(%error, "the journal does not record that the operation is complete");
        }
        let status = OverallStatus::of(&self.messages, stand.len() == self.parts.len());
        self.messages
            .sort_by_key(|message| std::cmp::Reverse(message.severity));
        let gpos = stand.iter().filter_map(|of| match self.parts.get(*of) {
            Some(Part::Gpo(part)) => Some(ChangedGpo::of(part.gpo)),
            _ => None,
        });
        Ok(OperationResult::new(
            &self.plan.operation_id,
            status,
            gpos.collect(),
            self.messages,
            self.plan.steps_of(&stand),
        ))
    }

    fn by_object(&self) -> bool {
        self.plan.mode == Mode::ObjectByObject
    }

    /// Makes the changes of one unit, or rolls back those that were made.
    async fn make_unit(&mut self, unit: Range<usize>, journal: &mut Journal) -> Result<()> {
        for part in self.parts.get_mut(unit.clone()).unwrap_or_default() {
            if let Part::Refused(error) = part {
                return Err(std::mem::replace(error, already_said()));
            }
        }
        for of in unit.clone() {
            let outcome = match self.parts.get_mut(of) {
                Some(Part::Gpo(part)) => {
                    let mut run = part.run(self.operation, of, journal, &mut self.messages);
                    let outcome = run.execute(&part.new, part.current.as_ref()).await;
                    outcome.map(|leftovers| part.leftovers = Some(leftovers))
                }
                Some(Part::Value(value)) => make_value(self.operation, value, journal, of)
                    .await
                    .map(|message| self.messages.extend(message)),
                Some(Part::Refused(_)) | None => Ok(()),
            };
            if let Err(error) = outcome {
                return Err(self.roll_back(unit, journal, error).await);
            }
        }
        match self.record_made(unit.clone(), journal) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.roll_back(unit, journal, error).await),
        }
    }

    /// The new state is live; only the clean-up is missing.
    fn record_made(&self, unit: Range<usize>, journal: &mut Journal) -> Result<()> {
        if self.by_object() {
            return journal.record(&Event::Stands { of: unit.collect() });
        }
        journal.record(&Event::Committed)
    }

    /// Rolls back the changes of a unit; the error reports whether that was complete.
    async fn roll_back(&self, unit: Range<usize>, journal: &mut Journal, error: Error) -> Error {
        let inverses: Vec<(usize, Inverse)> = journal
            .changes()
            .iter()
            .filter(|(of, _)| unit.contains(of))
            .cloned()
            .collect();
        // An error of the journal must not hide the error that caused the roll-back.
        let rolled_back = |journal: &mut Journal| {
            !self.by_object() && journal.record(&Event::RolledBack).is_err()
        };
        if inverses.is_empty() {
            rolled_back(journal);
            return error;
        }
        let _ = journal.record(&Event::Failed {
            reason: error.to_string(),
        });
        self.operation.control.report(Phase::RollBack, 0, 1, 0);
        // Nothing cancels a roll-back.
        let undo = RollBack {
            domain: &self.operation.domain.for_roll_back(),
            plan: self.plan,
            before: self.before().collect(),
            raising: &BTreeMap::new(),
            put_aside: &BTreeMap::new(),
            is_later: false,
            kept: &BTreeMap::new(),
            visible: &BTreeMap::new(),
        };
        let outcome = undo.run(&inverses, journal).await;
        self.operation.control.report(Phase::RollBack, 1, 1, 0);
        match outcome {
            Ok(done) => {
                let not_recorded = rolled_back(journal);
                // What was half done when it failed is undone now.
                let error = match error.kind() {
                    ErrorKind::Incomplete => error.with_kind(ErrorKind::Conflict),
                    _ => error,
                };
                let text = match not_recorded {
                    true => format!(
                        "{done}, but this is not in its journal; when the journal can be written again, run: gpoctl operations undo {}",
                        short_id(&self.plan.operation_id)
                    ),
                    false => done.to_string(),
                };
                let hint = match error.hint() {
                    Some(hint) => format!("{text}; {hint}"),
                    None if done.raised.is_some() || done.keeps_others => text,
                    None => format!("{text}; the domain is as it was"),
                };
                error.with_hint(hint)
            }
            Err(undo_error) => {
                let _ = journal.record(&Event::RollBackFailed {
                    reason: undo_error.to_string(),
                    kept_for_others: is_kept_for_others(&undo_error),
                });
                self.unfinished_error(&inverses, journal, &error, &undo_error)
            }
        }
    }

    /// The error of an operation that could not be rolled back: what clients can see, and the command that completes the roll-back.
    fn unfinished_error(
        &self,
        inverses: &[(usize, Inverse)],
        journal: &Journal,
        error: &Error,
        undo_error: &Error,
    ) -> Error {
        let only_staged = inverses
            .iter()
            .all(|(_, inverse)| matches!(inverse, Inverse::RemoveEntry { .. }));
        let text = if only_staged {
            format!(
                "stopped before anything became visible to clients; staged files are left in the GPO's folder: {error}"
            )
        } else {
            format!("{undo_error}, after: {error}")
        };
        let error = Error::new(ErrorKind::Incomplete, text);
        if is_kept_for_others(undo_error) {
            return error.with_hint(close_hint(&self.plan.operation_id, journal));
        }
        let when = if undo_error.is_caused_by(ErrorKind::InUse) {
            "when no client has these files open".to_owned()
        } else {
            format!(
                "when {} answers again",
                self.operation.domain.session().info().server
            )
        };
        error.with_hint(format!(
            "{when}, run: gpoctl operations undo {}; the old state is in {}",
            short_id(&self.plan.operation_id),
            journal.folder().display()
        ))
    }

    /// Removes what the changes of a unit replaced. What cannot be removed now is reported; an active policy is not rolled back
    /// for it.
    async fn finish(&mut self, unit: Range<usize>, journal: &mut Journal) {
        for of in unit {
            if let Some(Part::Gpo(part)) = self.parts.get_mut(of)
                && let Some(leftovers) = part.leftovers.take()
            {
                let mut run = part.run(self.operation, of, journal, &mut self.messages);
                run.clean_up(leftovers, &part.new, part.current.as_ref())
                    .await;
            }
        }
    }

    /// Reads single values again. Somebody else may have changed them since; they were written all the same.
    async fn report_later_changes(&mut self, stand: &[usize]) {
        for of in stand {
            let Some(Part::Value(value)) = self.parts.get(*of) else {
                continue;
            };
            if let Some(what) =
                values::changed_again(self.operation.domain.session(), &value.change).await
            {
                self.messages.push(
                    StatusMessage::warning(
                        Code::ChangedAgain,
                        format!("{what} has changed again since it was written"),
                    )
                    .with_hint("somebody else is changing the same object"),
                );
            }
        }
        let sysvol = self.operation.domain.sysvol();
        let left_out = entries_left_out(sysvol, self.plan, &self.messages);
        self.messages.extend(left_out);
    }
}

impl<'a> GpoPart<'a> {
    async fn prepare(
        domain: &DomainWriter,
        operation_id: &str,
        gpo: &'a GpoPlan,
        control: &Control,
    ) -> Result<Self> {
        let session = domain.session();
        let new = gpo.new_tree()?;
        let current = if gpo.target.create {
            None
        } else {
            Some(current_state(domain, gpo, control).await?)
        };
        rights::check(session, gpo).await?;
        let before = current
            .as_ref()
            .map(|current| Before::of(current, gpo))
            .transpose()?;
        refuse_without_way_back(gpo, before.as_ref())?;
        Ok(Self {
            staging: StagingArea::new(&session.info().dns_domain, gpo.target.guid, operation_id),
            gpo,
            new,
            current,
            before,
            leftovers: None,
        })
    }

    /// The change while it is made; what is noticed is added to `messages`.
    fn run<'r>(
        &'r self,
        operation: Operation<'r>,
        of: usize,
        journal: &'r mut Journal,
        messages: &'r mut Vec<StatusMessage>,
    ) -> Run<'r> {
        Run {
            domain: operation.domain,
            plan: self.gpo,
            of,
            operation_id: operation.id,
            staging: &self.staging,
            journal,
            control: operation.control,
            messages,
            self_lockout: SelfLockout::of(operation.domain.session().info(), self.gpo),
        }
    }
}

/// Makes a change of single values, with its inverse in the journal first.
async fn make_value(
    operation: Operation<'_>,
    value: &PlannedValue,
    journal: &mut Journal,
    of: usize,
) -> Result<Option<StatusMessage>> {
    let domain = operation.domain;
    operation.control.check()?;
    journal.record_intent(of, Inverse::ChangeBack)?;
    // The server compares and swaps attributes; for everything else, compare as close to the write as possible.
    let outcome = match values::refuse_changed(domain, &value.change).await {
        Ok(()) => values::make(domain, operation.id, &value.change).await,
        Err(error) => Err(error),
    };
    // Without an answer, it is unknown whether the change was made; the roll-back reads the state.
    if let Err(error) = &outcome
        && !matches!(error.kind(), ErrorKind::Connect | ErrorKind::Incomplete)
    {
        journal.retract_intent()?;
    }
    outcome
}

/// The roll-back of changes, from the inverses that were announced.
pub(super) struct RollBack<'a> {
    pub(super) domain: &'a PatientDomain<'a>,
    pub(super) plan: &'a Plan,
    /// The state of each GPO before its change, by the number of the change.
    pub(super) before: BTreeMap<usize, &'a Before>,
    /// The versions that incomplete roll-backs were about to write.
    pub(super) raising: &'a BTreeMap<usize, Vec<GpoVersion>>,
    /// The live names of the entries of others that incomplete roll-backs were about to put aside.
    pub(super) put_aside: &'a BTreeMap<usize, BTreeSet<String>>,
    /// Whether the operation had ended before.
    pub(super) is_later: bool,
    /// The attributes that keep the value of a later operation.
    pub(super) kept: &'a BTreeMap<usize, Vec<SwapAttribute>>,
    /// The versions that undoing later operations made visible.
    pub(super) visible: &'a BTreeMap<usize, Vec<Visible>>,
}

impl RollBack<'_> {
    /// Rolls the changes back in reverse order. Continues after an error, so that as much as possible is rolled back.
    ///
    /// # Errors
    /// The first one: `Incomplete` when somebody else has changed the same since, or something could not be rolled back.
    pub(super) async fn run(
        &self,
        inverses: &[(usize, Inverse)],
        journal: &mut Journal,
    ) -> Result<RolledBack> {
        let mut done = RolledBack {
            raised: None,
            same_objects: true,
            keeps_others: false,
        };
        let mut first_error = None;
        for (of, change) in self.plan.changes.iter().enumerate().rev() {
            let own = inverses.iter().filter(|(it, _)| *it == of);
            let own: Vec<Inverse> = own.map(|(_, inverse)| inverse.clone()).collect();
            if own.is_empty() {
                continue;
            }
            let outcome = match change {
                Change::Gpo(gpo) => self.gpo(of, gpo, &own, journal).await,
                Change::Value(value) => {
                    values::take_back(self.domain, &self.plan.operation_id, &value.change)
                        .await
                        .map(|()| done)
                }
            };
            match outcome {
                Ok(one) => {
                    done.raised = done.raised.or(one.raised);
                    done.same_objects &= one.same_objects;
                    done.keeps_others |= one.keeps_others;
                }
                Err(error) => {
                    tracing::warn!(%error, change = of, "Cannot undo");
                    // An error that may not come again takes precedence, so that the operation is not closed while it can be rolled back.
                    match &first_error {
                        Some(first) if !is_kept_for_others(first) || is_kept_for_others(&error) => {
                        }
                        _ => first_error = Some(error),
                    }
                }
            }
        }
        first_error.map_or(Ok(done), Err)
    }

    async fn gpo(
        &self,
        of: usize,
        gpo: &GpoPlan,
        inverses: &[Inverse],
        journal: &mut Journal,
    ) -> Result<RolledBack> {
        let staging = StagingArea::new(&self.plan.domain, gpo.target.guid, &self.plan.operation_id);
        let undo = Undo {
            domain: self.domain,
            staging: &staging,
            plan: gpo,
            of,
            before: self.before.get(&of).copied(),
            raising: self.raising.get(&of).map(Vec::as_slice).unwrap_or_default(),
            put_aside: self.put_aside.get(&of),
            is_later: self.is_later,
            visible: self.visible.get(&of).map(Vec::as_slice).unwrap_or_default(),
            kept: self.kept.get(&of).map(Vec::as_slice).unwrap_or_default(),
        };
        undo.roll_back(inverses, journal).await
    }
}

/// Whether what could not be rolled back was changed by others since, so that it never can be.
pub(super) fn is_kept_for_others(error: &Error) -> bool {
    error.remedy() == Some(&Remedy::KeepChangesOfOthers)
}

/// The next step when a roll-back has left nothing but what others have changed since.
pub(super) fn close_hint(operation_id: &str, journal: &Journal) -> String {
    format!(
        "to keep what is there now and close the operation: gpoctl operations cleanup {}; the old state is in {}",
        short_id(operation_id),
        journal.folder().display()
    )
}

/// The finding about an object that was not changed.
fn of_error(error: &Error) -> StatusMessage {
    let message = StatusMessage::error(Code::NotChanged, error.to_string());
    match error.hint() {
        Some(hint) => message.with_hint(hint),
        None => message,
    }
}

/// The placeholder for an error that was reported.
fn already_said() -> Error {
    Error::new(ErrorKind::Internal, "the error was reported already")
}
