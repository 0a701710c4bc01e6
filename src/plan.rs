//! A plan: the complete list of changes an operation will make to one domain, with the state it was made against.
//!
//! A plan contains everything that [`crate::execute`] needs, file contents too, so it can be saved, reviewed and applied later: it
//! is applied exactly as it is, or refused as stale with the differences.
//!
//! # A plan and what it says
//!
//! ```
//! use gpoctl::operations::link::{self, LinkEdit};
//! use gpoctl::plan::{Plan, PlanStep};
//!
//! /// What the plan would change. Nothing is written.
//! fn show(plan: &Plan) {
//!     println!("{}, in {}", plan.title, plan.domain);
//!     for step in plan.steps() {
//!         match step {
//!             PlanStep::Gpo(step) => println!("  {step:?}"),
//!             PlanStep::Value(value) => value.summary.iter().for_each(|line| println!("  {line}")),
//!             _ => {}
//!         }
//!     }
//!     for gpo in plan.gpos() {
//!         for entry in &gpo.entries {
//!             println!("  {:?} {}", entry.change, entry.path);
//!         }
//!         for risk in &gpo.risks {
//!             println!("  {}: {}", risk.kind.label(), risk.text);
//!         }
//!     }
//!     for finding in plan.findings() {
//!         println!("  {}: {}", finding.severity.word(), finding.text);
//!     }
//! }
//! #
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # use gpoctl::operations::rename;
//! # use gpoctl::testing::{domain::MemoryDomain, faults::Faults};
//! # let domain = MemoryDomain::new("corp.example")?.connect("Administrator", &Faults::none()).await?;
//! # let session = domain.session();
//!
//! let gpo = session.directory().find_gpo("Default Domain Policy").await?;
//! let plan = rename::plan(session, &gpo, "Baseline", &Default::default()).await?;
//! show(&plan);
//! // It can be saved, and applied later as it is.
//! let saved = plan.to_json()?;
//! # assert_eq!(plan.steps(), Plan::from_json(&saved)?.steps());
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```

pub(crate) mod folder_rights;
pub mod gpo;
pub(crate) mod inherited_permissions;
pub(crate) mod objects;
pub mod permissions;
pub mod risks;
mod saved;
pub(crate) mod secrets;
pub(crate) mod self_lockout;
pub mod values;

use serde::ser::{Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};
use crate::message::{StatusMessage, printable};
use crate::model::domain_name::DomainName;
use crate::model::guid::Guid;
use crate::session::DomainSession;
use gpo::{GpoPlan, Step};
use values::{ObjectNames, PlannedValue, ValueChange};

pub use saved::MAX_PLAN_BYTES;

/// The version of the saved form; it may only grow. Version 1 had two forms, one for a GPO and one for single values, and is
/// still read.
pub const PLAN_FORMAT_VERSION: u32 = 2;

/// What happens to the other changes of a plan when one fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Mode {
    /// All changes are made, or none.
    #[default]
    AllOrNothing,
    /// The changes of one object are made, or none of them; those of the other objects stand.
    ObjectByObject,
}

/// One change of a plan.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// A GPO as a whole: created, deleted, with other settings, or with another name or status.
    Gpo(Box<GpoPlan>),
    /// Single values of one object: links, a WMI filter, a repair.
    Value(PlannedValue),
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Tagged<'a> {
            change: &'static str,
            #[serde(flatten)]
            gpo: &'a GpoPlan,
        }
        match self {
            Self::Gpo(gpo) => Tagged {
                change: saved::GPO,
                gpo,
            }
            .serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

impl Change {
    /// The object it changes: no plan changes a GPO as a whole and in single values too.
    pub(crate) fn object(&self, domain: &DomainName) -> Object {
        match self {
            Self::Gpo(gpo) => Object::Gpo(gpo.target.guid),
            Self::Value(planned) => planned.change.object(domain),
        }
    }
}

/// What a change changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Object {
    /// A GPO, in either half.
    Gpo(Guid),
    /// Another object of the directory, by its DN in lower case.
    Other(String),
}

/// As the object of a sentence about another operation.
impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gpo(_) => f.write_str("the same GPO"),
            Self::Other(dn) => write!(f, "the same object, {},", printable(dn)),
        }
    }
}

/// One step of a plan, as it is shown and as `--json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum PlanStep {
    /// Of a GPO.
    Gpo(Step),
    /// Single values.
    Value(PlannedValue),
}

/// The complete list of changes an operation will make.
#[derive(Debug, Clone, serde::Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// [`PLAN_FORMAT_VERSION`].
    pub format_version: u32,
    /// The ID of the operation that will run it, under which its journal is kept.
    pub operation_id: String,
    /// The title, in the imperative, without a full stop: `link "Desks" to src.test/Staff`.
    pub title: String,
    /// The DNS name of the domain it is for.
    pub domain: DomainName,
    /// What happens when a change fails.
    pub mode: Mode,
    /// The changes, in the order in which they are made.
    pub changes: Vec<Change>,
    /// What was noticed while planning, besides the findings about each GPO.
    pub messages: Vec<StatusMessage>,
    /// The ID of the operation that it undoes; absent in plans of older versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// Whose words the sources, the mappings and the messages are, such as `the plan file says`; `None` for a plan that was just
    /// made.
    #[serde(skip)]
    pub said_by: Option<&'static str>,
}

impl Plan {
    /// A plan without changes.
    pub fn new(title: impl Into<String>, domain: &DomainName) -> Self {
        Self {
            format_version: PLAN_FORMAT_VERSION,
            operation_id: operation_id(),
            title: title.into(),
            domain: domain.clone(),
            mode: Mode::default(),
            changes: Vec::new(),
            messages: Vec::new(),
            undoes: None,
            said_by: None,
        }
    }

    /// The plan of one GPO.
    pub fn of(gpo: GpoPlan) -> Self {
        let mut plan = Self::new(title_of(&gpo), &gpo.target.domain);
        plan.push_gpo(gpo);
        plan
    }

    /// Adds a change of single values, and its description.
    pub fn push(&mut self, change: ValueChange, summary: Vec<String>) {
        self.changes
            .push(Change::Value(PlannedValue { change, summary }));
    }

    /// Adds a change of a GPO as a whole.
    pub fn push_gpo(&mut self, gpo: GpoPlan) {
        self.changes.push(Change::Gpo(Box::new(gpo)));
    }

    /// The GPO of a plan that changes one GPO as a whole and nothing else.
    pub fn gpo(&self) -> Option<&GpoPlan> {
        match self.changes.as_slice() {
            [Change::Gpo(gpo)] => Some(gpo),
            _ => None,
        }
    }

    /// As [`Self::gpo`].
    ///
    /// # Errors
    /// `Internal` for another plan.
    pub(crate) fn into_gpo(mut self) -> Result<GpoPlan> {
        match (self.changes.pop(), self.changes.is_empty()) {
            (Some(Change::Gpo(gpo)), true) => Ok(*gpo),
            _ => Err(Error::new(
                ErrorKind::Internal,
                format!("the plan \"{}\" is not that of one GPO", self.title),
            )),
        }
    }

    /// The GPOs that are changed as a whole.
    pub fn gpos(&self) -> impl Iterator<Item = &GpoPlan> {
        self.changes.iter().filter_map(|change| match change {
            Change::Gpo(gpo) => Some(&**gpo),
            Change::Value(_) => None,
        })
    }

    /// The GPOs of which single attributes are changed; with one entry for each change.
    pub(crate) fn gpos_with_new_attributes(&self) -> impl Iterator<Item = Guid> {
        self.values().filter_map(|planned| match &planned.change {
            change @ ValueChange::Attributes { .. } => match change.object(&self.domain) {
                Object::Gpo(guid) => Some(guid),
                Object::Other(_) => None,
            },
            _ => None,
        })
    }

    fn gpos_mut(&mut self) -> impl Iterator<Item = &mut GpoPlan> {
        self.changes.iter_mut().filter_map(|change| match change {
            Change::Gpo(gpo) => Some(&mut **gpo),
            Change::Value(_) => None,
        })
    }

    /// The changes of single values.
    pub fn values(&self) -> impl Iterator<Item = &PlannedValue> {
        self.changes.iter().filter_map(|change| match change {
            Change::Value(value) => Some(value),
            Change::Gpo(_) => None,
        })
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut PlannedValue> {
        self.changes.iter_mut().filter_map(|change| match change {
            Change::Value(value) => Some(value),
            Change::Gpo(_) => None,
        })
    }

    /// The same plan with its single values described by the names of what they change, for display: a saved plan has none.
    ///
    /// # Errors
    /// As every search.
    pub(crate) async fn with_names(&self, session: &DomainSession) -> Result<Self> {
        let names = ObjectNames::read(session).await?;
        let mut named = self.clone();
        for value in named.values_mut() {
            value.summary = value.change.describe(&names);
        }
        Ok(named)
    }

    /// The inverses of its single values, the last first.
    pub(crate) fn inverse_values(&self) -> Self {
        let mut back = Self::new(format!("undo {}", self.title), &self.domain);
        let values: Vec<&PlannedValue> = self.values().collect();
        for planned in values.into_iter().rev() {
            back.push(planned.change.inverse(), Vec::new());
        }
        back
    }

    /// Everything that was noticed while planning.
    pub fn findings(&self) -> impl Iterator<Item = &StatusMessage> {
        let of_gpos = self.gpos().flat_map(|gpo| &gpo.messages);
        of_gpos.chain(&self.messages)
    }

    /// As [`Self::findings`], to add to them.
    pub fn findings_mut(&mut self) -> impl Iterator<Item = &mut StatusMessage> {
        let of_gpos = self.changes.iter_mut().filter_map(|change| match change {
            Change::Gpo(gpo) => Some(&mut gpo.messages),
            Change::Value(_) => None,
        });
        of_gpos.flatten().chain(&mut self.messages)
    }

    /// Its steps, in the order in which they are made.
    pub fn steps(&self) -> Vec<PlanStep> {
        self.changes.iter().flat_map(steps).collect()
    }

    /// The steps of the changes with these numbers.
    pub(crate) fn steps_of(&self, changes: &[usize]) -> Vec<PlanStep> {
        let changes = changes.iter().filter_map(|of| self.changes.get(*of));
        changes.flat_map(steps).collect()
    }

    /// What each change of the plan changes, with its number.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (usize, Object)> {
        let objects = self
            .changes
            .iter()
            .map(|change| change.object(&self.domain));
        objects.enumerate()
    }

    /// The parts of the plan that are made or not made together, as ranges of [`Self::changes`].
    pub(crate) fn units(&self) -> Vec<std::ops::Range<usize>> {
        if self.mode == Mode::AllOrNothing {
            return std::iter::once(0..self.changes.len()).collect();
        }
        let mut units: Vec<std::ops::Range<usize>> = Vec::new();
        let mut last = None;
        for (index, change) in self.changes.iter().enumerate() {
            let object = Some(change.object(&self.domain));
            match units.last_mut() {
                Some(unit) if object == last => unit.end = index.saturating_add(1),
                _ => units.push(index..index.saturating_add(1)),
            }
            last = object;
        }
        units
    }

    /// Why no executor can make these changes: part of a sentence. Each change is compared with the state before the plan, so a
    /// GPO that is changed as a whole has no other change.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let objects: Vec<Object> = self
            .changes
            .iter()
            .map(|change| change.object(&self.domain))
            .collect();
        for (change, object) in self.changes.iter().zip(&objects) {
            let Change::Gpo(gpo) = change else { continue };
            if gpo.target.domain != self.domain {
                return Some(format!(
                    "it is for {}, and changes a GPO of {}",
                    self.domain, gpo.target.domain
                ));
            }
            if objects.iter().filter(|other| *other == object).count() > 1 {
                return Some(format!("it changes GPO {} more than once", gpo.target.guid));
            }
        }
        None
    }

    /// The saved form. The descriptions follow from the changes, so whoever reads the file can compare the two.
    ///
    /// # Errors
    /// `Internal`, if it cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let json = if self.values().next().is_none() {
            serde_json::to_vec_pretty(self)
        } else {
            let mut saved = self.clone();
            saved.describe_values();
            serde_json::to_vec_pretty(&saved)
        };
        json.map_err(|cause| {
            Error::new(ErrorKind::Internal, "the plan cannot be written as JSON").with_source(cause)
        })
    }

    /// Replaces the title and the summaries of single values, which a file can contain in any form, by descriptions of the
    /// changes.
    fn describe(&mut self) {
        self.title = match (self.gpo(), self.changes.len()) {
            (Some(gpo), _) => title_of(gpo),
            (None, 1) => format!("1 change in {}", self.domain),
            (None, number) => format!("{number} changes in {}", self.domain),
        };
        if self.undoes.is_some() {
            self.title.insert_str(0, "undo: ");
        }
        self.describe_values();
    }

    fn describe_values(&mut self) {
        self.values_mut().for_each(PlannedValue::describe);
    }

    /// Refuses a plan that was read from a file and does not describe its content.
    ///
    /// # Errors
    /// `BadInput`, naming the first place where the plan and its content differ.
    fn refuse_false_description(&self) -> Result<()> {
        for (number, change) in (1_usize..).zip(&self.changes) {
            match change {
                Change::Gpo(gpo) => gpo.refuse_false_description()?,
                Change::Value(value) => value.refuse_false_description(number)?,
            }
        }
        Ok(())
    }

    /// Marks what does not follow from the content as the words of the file that the plan was read from.
    ///
    /// # Errors
    /// `BadInput` when the plan names a content that it does not hold.
    fn attribute_to(&mut self, who: &'static str) -> Result<()> {
        for gpo in self.gpos_mut() {
            gpo.attribute_to(who)?;
        }
        let messages = self.messages.iter_mut();
        messages.for_each(|message| message.attribute_to(who));
        self.said_by = Some(who);
        Ok(())
    }
}

fn steps(change: &Change) -> Vec<PlanStep> {
    match change {
        Change::Gpo(gpo) => gpo.steps.iter().cloned().map(PlanStep::Gpo).collect(),
        Change::Value(value) => vec![PlanStep::Value(value.clone())],
    }
}

/// The title of the plan of one GPO: `import "Workstation Security"`.
fn title_of(gpo: &GpoPlan) -> String {
    format!(
        "{} \"{}\"",
        gpo.verb.as_str(),
        printable(&gpo.target.display_name)
    )
}

/// An ID that sorts by time and ends in eight random digits.
fn operation_id() -> String {
    let random = Guid::new_random().bare().to_lowercase();
    let tag: String = random.chars().take(8).collect();
    format!(
        "{}-{tag}",
        jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%3fZ")
    )
}

#[cfg(test)]
mod tests;
