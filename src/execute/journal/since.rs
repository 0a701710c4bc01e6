//! What later operations of this machine have changed of what the roll-back of an interrupted one would restore.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Inverse, OperationState, StoredOperation, list};
use crate::directory::SwapAttribute;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::short_id;
use crate::message::shell_word;
use crate::model::version::GpoVersion;
use crate::plan::gpo::{FileContent, GpoPlan, Step, Verb, new_gpt_ini};
use crate::plan::values::ValueChange;
use crate::plan::{Change, Object, Plan};

/// A part of an object that is changed and rolled back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The settings of a GPO as a whole: files, objects below it, version, extensions.
    Settings,
    /// Something of the settings: a version or the extensions, as a repair does.
    PieceOfSettings,
    /// The permissions of a GPO, in either half.
    Permissions,
    /// One attribute.
    Attribute(SwapAttribute),
    /// Another object of the directory as a whole.
    Whole,
}

/// What later operations have changed, by the numbers of the changes that an interrupted operation has begun.
#[derive(Debug, Default)]
pub(in crate::execute) struct Since {
    /// Changes that cannot be rolled back, with the operation that has changed the same.
    overtaken: BTreeMap<usize, (StoredOperation, Object)>,
    /// Attributes that keep the value of a later operation when the rest is rolled back.
    kept: BTreeMap<usize, Vec<SwapAttribute>>,
    /// The versions that the undo of a later operation made visible; otherwise it restored what this operation had left.
    visible: BTreeMap<usize, Vec<Visible>>,
    /// The changes that have been begun and are not complete.
    begun: BTreeSet<usize>,
}

/// The version of a GPO that clients may have read.
#[derive(Debug, Clone)]
pub(in crate::execute) struct Visible {
    /// Its GPT.INI.
    pub(in crate::execute) gpt_ini: Option<FileContent>,
    /// Its `versionNumber`.
    pub(in crate::execute) version: GpoVersion,
}

impl Since {
    /// The operation that prevents rolling this change back.
    pub(in crate::execute) fn overtaken(&self, of: usize) -> Option<&StoredOperation> {
        self.overtaken.get(&of).map(|(later, _)| later)
    }

    /// Attributes that keep the value of a later operation.
    pub(in crate::execute) fn kept(&self) -> &BTreeMap<usize, Vec<SwapAttribute>> {
        &self.kept
    }

    /// The versions that undoing later operations made visible.
    pub(in crate::execute) fn visible(&self) -> &BTreeMap<usize, Vec<Visible>> {
        &self.visible
    }

    /// The attributes that are not rolled back: part of a sentence.
    pub(in crate::execute) fn kept_text(&self) -> Option<String> {
        let mut names: Vec<&str> = self
            .kept
            .iter()
            .filter(|(of, _)| !self.overtaken.contains_key(of))
            .flat_map(|(_, kept)| kept.iter().map(|it| it.as_str()))
            .collect();
        names.sort_unstable();
        names.dedup();
        let what = names.join(" and ");
        (!names.is_empty())
            .then(|| format!("a later operation has changed {what}, which is not undone"))
    }

    /// What was changed since, if nothing is left that can be rolled back.
    pub(in crate::execute) fn whole(&self) -> Option<(&StoredOperation, &Object)> {
        let all = self.begun.iter().all(|of| self.overtaken.contains_key(of));
        all.then(|| self.first()).flatten()
    }

    /// The first of the operations that have changed the same.
    pub(in crate::execute) fn first(&self) -> Option<(&StoredOperation, &Object)> {
        let first = self.overtaken.values().next();
        first.map(|(later, object)| (later, object))
    }
}

impl StoredOperation {
    /// Refuses to roll an interrupted operation back when later ones have changed all of it: the present content may be
    /// what this operation announced, and still have been written by a later one.
    ///
    /// # Errors
    /// As [`Self::since`]; `Conflict`, naming the later operation.
    pub(crate) fn refuse_overtaken(&self, plan: &Plan) -> Result<()> {
        match self.since(plan)?.whole() {
            Some((later, object)) => Err(self.overtaken(later, object)),
            None => Ok(()),
        }
    }

    /// The inverses that a roll-back makes: without those of changes that are complete or that a later operation has made again.
    ///
    /// # Errors
    /// As [`Self::since`].
    pub(crate) fn to_roll_back(&self, plan: &Plan) -> Result<Vec<(usize, Inverse)>> {
        let since = self.since(plan)?;
        let mut inverses = self.to_take_back();
        inverses.retain(|(of, _)| since.overtaken(*of).is_none());
        Ok(inverses)
    }

    /// What later operations have changed of what this interrupted one has begun. Only one that is complete counts: one
    /// that was interrupted is rolled back first, because that restores what this operation left.
    ///
    /// # Errors
    /// `Conflict` when a later operation has to be undone first; otherwise when the journals cannot be read.
    pub(in crate::execute) fn since(&self, plan: &Plan) -> Result<Since> {
        let mut since = Since::default();
        let mut own: BTreeMap<usize, (Object, Vec<Part>)> = BTreeMap::new();
        let objects: BTreeMap<usize, Object> = plan.objects().collect();
        for (of, inverse) in self.to_take_back() {
            let (Some(object), Some(change)) = (objects.get(&of), plan.changes.get(of)) else {
                continue;
            };
            let parts = own
                .entry(of)
                .or_insert_with(|| (object.clone(), Vec::new()));
            parts.1.extend(taken_back(&inverse, change));
            since.begun.insert(of);
        }
        let root = self.folder.parent().unwrap_or(Path::new("/"));
        let mut later = list(root)?;
        later.retain(|it| {
            (it.began(), &it.id) > (self.began(), &self.id)
                && it.domain.as_ref().is_none_or(|it| *it == plan.domain)
        });
        // The latest one decides: what it has replaced no longer belongs to an earlier one.
        later.sort_by(|one, other| (other.began(), &other.id).cmp(&(one.began(), &one.id)));
        // The undo of a later operation has restored what this one had left.
        let undoing: BTreeSet<String> =
            later.iter().filter_map(|it| it.undone_by.clone()).collect();
        let (undoing, later): (Vec<Self>, Vec<Self>) =
            later.into_iter().partition(|it| undoing.contains(&it.id));
        for by in undoing {
            let plan = by.plan()?;
            for (of, (object, _)) in &own {
                let same = plan
                    .gpos()
                    .filter(|it| Object::Gpo(it.target.guid) == *object);
                let versions = same.filter_map(visible_by);
                since.visible.entry(*of).or_default().extend(versions);
            }
        }
        // One that was rolled back has restored it under a higher version, if clients may have read its own.
        for rolled_back in later.iter().filter(|it| !it.raising.is_empty()) {
            for (gpo, versions) in rolled_back.raised()? {
                for (of, _) in own.iter().filter(|(_, (object, _))| *object == gpo) {
                    since
                        .visible
                        .entry(*of)
                        .or_default()
                        .extend(versions.clone());
                }
            }
        }
        let mut changed: BTreeMap<usize, Vec<Part>> = BTreeMap::new();
        for later in later {
            let Some(made) = later.parts() else { continue };
            for (of, (object, parts)) in &own {
                if since.overtaken.contains_key(of) {
                    continue;
                }
                if made.open.covers(object) {
                    return Err(self.first_undo(&later, object));
                }
                let theirs = made.stands.of(object);
                let repaired =
                    parts.contains(&Part::Settings) && theirs.contains(&Part::PieceOfSettings);
                // One that was closed cannot be undone first.
                let closed = later.state == OperationState::Superseded;
                if repaired && !closed {
                    return Err(self.first_undo(&later, object));
                }
                let both = parts.iter().any(|part| theirs.contains(part));
                let whole = repaired
                    || theirs.contains(&Part::Settings) && parts.contains(&Part::Settings)
                    || theirs.contains(&Part::Whole)
                    || both && matches!(plan.changes.get(*of), Some(Change::Value(_)));
                let so_far = changed.entry(*of).or_default();
                so_far.extend(&theirs);
                let all = !parts.is_empty() && parts.iter().all(|part| so_far.contains(part));
                if (whole && !parts.is_empty()) || all {
                    let by = || (later.clone(), object.clone());
                    since.overtaken.entry(*of).or_insert_with(by);
                }
            }
        }
        for (of, parts) in changed {
            let own = own.get(&of).map(|(_, own)| own.as_slice());
            let kept = parts.into_iter().filter_map(|part| match part {
                Part::Attribute(it) if own.is_some_and(|own| own.contains(&part)) => Some(it),
                _ => None,
            });
            since.kept.insert(of, kept.collect());
        }
        Ok(since)
    }

    /// What this operation has changed, or may have; `None` when nothing of it is left.
    fn parts(&self) -> Option<Made> {
        use OperationState::{Done, LeftOver, Running, Superseded, Unfinished};
        let is_closed = self.state == Superseded;
        if !matches!(self.state, Done | LeftOver | Running | Unfinished)
            && (!is_closed || self.stands.is_empty())
        {
            return None;
        }
        let ended = matches!(self.state, Done | LeftOver);
        let Ok(plan) = self.plan() else {
            // In an unknown form, of which the journal shows the GPO at most.
            let whole = match &self.gpo {
                Some(gpo) => Changed::Whole(Some(Object::Gpo(gpo.guid))),
                None => Changed::Whole(None),
            };
            return Some(match ended || is_closed {
                true => Made {
                    stands: whole,
                    open: Changed::none(),
                },
                false => Made {
                    stands: Changed::none(),
                    open: whole,
                },
            });
        };
        let (mut stands, mut open) = (Vec::new(), Vec::new());
        for (of, change) in plan.changes.iter().enumerate() {
            let is_made = match ended {
                true => self.made(plan.mode, of),
                false => self.stands.contains(&of),
            };
            let is_begun = self.state == Running || self.changes.iter().any(|(it, _)| *it == of);
            if is_made {
                stands.extend(made_by(change, &plan));
            } else if !ended && !is_closed && is_begun {
                open.extend(made_by(change, &plan));
            }
        }
        Some(Made {
            stands: Changed::Parts(stands),
            open: Changed::Parts(open),
        })
    }

    fn first_undo(&self, later: &Self, object: &Object) -> Error {
        let (id, own) = (short_id(&later.id), short_id(&self.id));
        let (what, hint) = match later.state {
            OperationState::Running => (
                "is still running and may change",
                "when it has ended, run this command again".to_owned(),
            ),
            OperationState::Unfinished if later.kept_for_others => (
                "did not complete, and has changed",
                format!("first close it: gpoctl operations cleanup {id}"),
            ),
            OperationState::Unfinished => (
                "did not complete, and has changed",
                format!("first undo it: gpoctl operations undo {id}"),
            ),
            _ => {
                let undo = format!("first undo it: gpoctl operations undo {id}");
                let hint = match &self.safety_backup {
                    Some(backup) => format!(
                        "{undo}; if that is refused, go back to the state before both: gpoctl restore {}",
                        shell_word(&backup.display().to_string())
                    ),
                    None => undo,
                };
                ("has changed a part of", hint)
            }
        };
        Error::new(
            ErrorKind::Conflict,
            format!(
                "operation {}, which is later than operation {}, {what} {object}",
                later.id, self.id
            ),
        )
        .with_hint(format!(
            "nothing was changed; {hint}; then: gpoctl operations undo {own}"
        ))
    }

    fn overtaken(&self, later: &Self, object: &Object) -> Error {
        Error::new(
            ErrorKind::Conflict,
            format!(
                "operation {} has changed {object} since operation {} was interrupted",
                later.id, self.id
            ),
        )
        .with_hint({
            let step = match (&self.safety_backup, &self.gpo) {
                (Some(backup), Some(_)) => format!(
                    "to go back to the state before it, run: gpoctl restore {}",
                    shell_word(&backup.display().to_string())
                ),
                (None, Some(gpo)) => {
                    format!("look at the GPO that it made: gpoctl show '{}'", gpo.guid)
                }
                (_, None) => format!(
                    "compare the domain with its plan: gpoctl operations show {}",
                    self.id
                ),
            };
            format!(
                "nothing was changed; {step}; to close operation {0} and keep what is there: gpoctl operations cleanup {0}",
                short_id(&self.id)
            )
        })
    }
}

/// What an operation has made, and what it has begun or may begin.
struct Made {
    stands: Changed,
    open: Changed,
}

enum Changed {
    Parts(Vec<(Object, Part)>),
    /// All of this object, or of every one.
    Whole(Option<Object>),
}

impl Changed {
    fn none() -> Self {
        Self::Parts(Vec::new())
    }

    fn of(&self, object: &Object) -> Vec<Part> {
        match self {
            Self::Parts(parts) => {
                let own = parts.iter().filter(|(it, _)| it == object);
                own.map(|(_, part)| *part).collect()
            }
            Self::Whole(it) if it.as_ref().is_none_or(|it| it == object) => vec![Part::Whole],
            Self::Whole(_) => Vec::new(),
        }
    }

    fn covers(&self, object: &Object) -> bool {
        !self.of(object).is_empty()
    }
}

/// What a change changes, of which objects.
fn made_by(change: &Change, plan: &Plan) -> Vec<(Object, Part)> {
    match change {
        Change::Gpo(gpo) => of_gpo(gpo),
        Change::Value(value) => {
            let object = change.object(&plan.domain);
            let parts = of_value(&value.change).into_iter();
            parts.map(|part| (object.clone(), part)).collect()
        }
    }
}

fn of_gpo(gpo: &GpoPlan) -> Vec<(Object, Part)> {
    let own = Object::Gpo(gpo.target.guid);
    let mut parts = Vec::new();
    if !matches!(gpo.verb, Verb::Rename | Verb::SetStatus) {
        parts.push((own.clone(), Part::Settings));
    }
    if gpo.target.create || gpo.verb == Verb::Delete {
        parts.push((own.clone(), Part::Whole));
    }
    for step in &gpo.steps {
        match step {
            Step::SetLinks { som, .. } => parts.push((
                Object::Other(som.to_lowercase()),
                Part::Attribute(SwapAttribute::GpLink),
            )),
            Step::SetSecurityDescriptor { .. } => parts.push((own.clone(), Part::Permissions)),
            step => {
                let attributes = attributes_of(step).into_iter();
                parts.extend(attributes.map(|it| (own.clone(), Part::Attribute(it))));
            }
        }
    }
    parts
}

/// The attributes of a GPO that a step writes, beside those that are part of the settings.
fn attributes_of(step: &Step) -> Vec<SwapAttribute> {
    match step {
        Step::Rename { .. } => vec![SwapAttribute::DisplayName],
        Step::SetStatus { .. } => vec![SwapAttribute::Flags],
        Step::ModifyGpo {
            display_name,
            wmi_filter,
            ..
        } => {
            let mut found = vec![SwapAttribute::Flags];
            found.extend(display_name.as_ref().map(|_| SwapAttribute::DisplayName));
            found.extend(wmi_filter.as_ref().map(|_| SwapAttribute::WqlFilter));
            found
        }
        _ => Vec::new(),
    }
}

fn of_value(change: &ValueChange) -> Vec<Part> {
    match change {
        ValueChange::Attributes { attributes, .. } => {
            let parts = attributes.iter().map(|swap| match swap.attribute {
                SwapAttribute::Version
                | SwapAttribute::MachineExtensions
                | SwapAttribute::UserExtensions
                | SwapAttribute::FunctionalityVersion => Part::PieceOfSettings,
                other => Part::Attribute(other),
            });
            parts.collect()
        }
        ValueChange::GptIni { .. } => vec![Part::PieceOfSettings],
        ValueChange::Descriptors { .. } => vec![Part::Permissions],
        ValueChange::AddWmiFilter { .. } | ValueChange::RemoveWmiFilter { .. } => {
            vec![Part::Whole]
        }
    }
}

impl StoredOperation {
    /// The versions with which the roll-back of this operation has written the former settings again, by GPO.
    fn raised(&self) -> Result<Vec<(Object, Vec<Visible>)>> {
        let plan = self.plan()?;
        let mut found = Vec::new();
        for (of, versions) in &self.raising {
            let (Some(Change::Gpo(gpo)), Some(before)) = (plan.changes.get(*of), self.before(*of)?)
            else {
                continue;
            };
            let old = before.gpt_ini.as_ref().map(|content| &content.0[..]);
            let visible = versions.iter().map(|version| Visible {
                gpt_ini: Some(FileContent(
                    new_gpt_ini(old, *version, &mut Vec::new()).into(),
                )),
                version: *version,
            });
            found.push((Object::Gpo(gpo.target.guid), visible.collect()));
        }
        Ok(found)
    }
}

/// The version that a change makes visible.
fn visible_by(gpo: &GpoPlan) -> Option<Visible> {
    gpo.steps.iter().find_map(|step| match step {
        Step::ModifyGpo { version_to, .. } => Some(Visible {
            gpt_ini: gpo.gpt_ini.clone(),
            version: *version_to,
        }),
        _ => None,
    })
}

/// What an inverse restores. Only this operation has entries that clients do not read.
fn taken_back(inverse: &Inverse, change: &Change) -> Vec<Part> {
    match (inverse, change) {
        (Inverse::ChangeBack, Change::Value(value)) => {
            let mut parts = of_value(&value.change);
            // A repair of the settings is overtaken by other settings.
            if parts.contains(&Part::PieceOfSettings) {
                parts.push(Part::Settings);
            }
            parts
        }
        (Inverse::RestoreAttributes { descriptor, .. }, Change::Gpo(gpo)) => {
            let mut parts = vec![Part::Settings];
            let attributes = gpo.steps.iter().flat_map(attributes_of);
            parts.extend(attributes.map(Part::Attribute));
            parts.extend(descriptor.then_some(Part::Permissions));
            parts
        }
        (Inverse::RecreateContainer, _) => vec![
            Part::Settings,
            Part::Attribute(SwapAttribute::Flags),
            Part::Attribute(SwapAttribute::DisplayName),
            Part::Attribute(SwapAttribute::WqlFilter),
        ],
        (Inverse::RestoreName { .. }, _) => vec![Part::Attribute(SwapAttribute::DisplayName)],
        (Inverse::RestoreStatus { .. }, _) => vec![Part::Attribute(SwapAttribute::Flags)],
        (Inverse::RestoreFolderDescriptor { .. }, _) => vec![Part::Permissions],
        // The links are compared when they are restored.
        (Inverse::RemoveEntry { .. } | Inverse::RestoreLinks { .. }, _) => Vec::new(),
        _ => vec![Part::Settings],
    }
}
