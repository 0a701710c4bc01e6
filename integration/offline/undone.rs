//! Operations that were undone since: by the undo itself, or by the plan that it saved.

use gpoctl::error::Remedy;
use gpoctl::execute::journal::{self, OperationState, StoredOperation};
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::plan::Plan;
use gpoctl::progress::Control;
use gpoctl::{DomainWriter, ErrorKind};

use crate::faults::case::{Case, Verb, gpo_of, run};
use crate::faults::sweep::State;

/// A verb that was done.
struct Done {
    case: Case,
    admin: DomainWriter,
    id: String,
}

impl Done {
    async fn new(verb: Verb) -> Self {
        let case = Case::new(verb, true).await;
        let admin = case.admin().await;
        let id = journal::list(&case.journals()).unwrap().remove(0).id;
        Self { case, admin, id }
    }

    fn operation(&self, id: &str) -> StoredOperation {
        journal::find(&self.case.journals(), id).unwrap()
    }

    async fn plan(&self, id: &str) -> gpoctl::Result<Plan> {
        let (session, operation) = (self.admin.session(), self.operation(id));
        match undo::plan(session, &operation, &Control::default()).await? {
            Undoing::Plan(plan) => Ok(*plan),
            Undoing::RollBack(parts) => panic!("{parts:?}"),
        }
    }

    async fn apply(&self, plan: &Plan) -> gpoctl::Result<()> {
        let journals = self.case.journals();
        run(plan, &self.admin, &journals).await.map(drop)
    }
}

/// As it is after `--plan-out`.
fn saved(plan: &Plan, edit: impl FnOnce(&mut serde_json::Value)) -> Plan {
    let mut json = serde_json::from_slice(&plan.to_json().unwrap()).unwrap();
    edit(&mut json);
    Plan::from_json(&serde_json::to_vec(&json).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_saved_plan_of_an_undo_undoes_the_operation() {
    for verb in [
        Verb::Create,
        Verb::Rename,
        Verb::Import,
        Verb::AddLink,
        Verb::Several,
    ] {
        let it = Done::new(verb).await;
        let plan = saved(&it.plan(&it.id).await.unwrap(), |_| {});
        assert_eq!(it.operation(&it.id).state, OperationState::Done);
        it.apply(&plan).await.unwrap();
        assert_eq!(
            it.operation(&it.id).state,
            OperationState::Undone,
            "{verb:?}"
        );
        let by = &plan.operation_id;
        assert_eq!(it.operation(by).state, OperationState::Done);
        let error = it.plan(&it.id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(by.as_str()), "{error}");
        // Also when the journal of that undo is removed.
        journal::remove(&it.operation(by)).unwrap();
        assert_eq!(
            it.operation(&it.id).state,
            OperationState::Undone,
            "{verb:?}"
        );
    }
}

/// Then the operation stands again, and can be undone again.
#[tokio::test(start_paused = true)]
async fn the_undo_of_an_undo() {
    let it = Done::new(Verb::Rename).await;
    let made = State::of(&it.case.domain);
    let first = it.plan(&it.id).await.unwrap();
    it.apply(&first).await.unwrap();
    let old = State::of(&it.case.domain);
    let again = it.plan(&first.operation_id).await.unwrap();
    it.apply(&again).await.unwrap();
    assert!(State::of(&it.case.domain) == made);
    let states = |ids: [&str; 3]| ids.map(|id| it.operation(id).state);
    let ids = [it.id.as_str(), &first.operation_id, &again.operation_id];
    use OperationState::{Done as Complete, Undone};
    assert_eq!(states(ids), [Complete, Undone, Complete]);
    let third = it.plan(&it.id).await.unwrap();
    it.apply(&third).await.unwrap();
    assert!(State::of(&it.case.domain) == old);
    assert_eq!(it.operation(&it.id).state, OperationState::Undone);
}

/// The form of older versions.
#[tokio::test(start_paused = true)]
async fn a_plan_that_does_not_name_what_it_undoes_is_applied() {
    let it = Done::new(Verb::Rename).await;
    let plan = saved(&it.plan(&it.id).await.unwrap(), |json| {
        let removed = json.as_object_mut().unwrap().remove("undoes");
        assert_eq!(removed.unwrap(), it.id);
    });
    it.apply(&plan).await.unwrap();
    assert_eq!(it.operation(&it.id).state, OperationState::Done);
    assert_eq!(it.operation(&plan.operation_id).state, OperationState::Done);
}

/// A plan that was edited does not make another operation look undone.
#[tokio::test(start_paused = true)]
async fn a_plan_that_names_an_operation_on_other_objects_is_refused() {
    let it = Done::new(Verb::AddLink).await;
    let other = Case::new(Verb::Rename, false).await;
    let faults = gpoctl::testing::faults::Faults::none();
    let rename = other.plan(&it.admin, &faults).await.unwrap();
    let named = saved(&rename, |json| json["undoes"] = it.id.clone().into());
    let before = State::of(&it.case.domain);
    let error = it.apply(&named).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
    assert!(error.to_string().contains(&it.id), "{error}");
    let again = Remedy::PlanUndoAgain(it.id.clone());
    assert_eq!(error.remedy(), Some(&again));
    assert!(State::of(&it.case.domain) == before);
    assert_eq!(it.operation(&it.id).state, OperationState::Done);
}

/// The undo of the later one leaves the version higher than the earlier one had it, and nothing else.
#[tokio::test(start_paused = true)]
async fn operations_on_one_gpo_are_undone_one_after_the_other() {
    let old = State::of(&Case::new(Verb::Import, false).await.domain);
    let it = Done::new(Verb::Import).await;
    let second = it.case.plan_with(&it.admin, "second").await.unwrap();
    it.apply(&second).await.unwrap();
    // Not the earlier one before the later one.
    let error = it.plan(&it.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    for id in [&second.operation_id, &it.id] {
        let plan = it.plan(id).await.unwrap();
        it.apply(&plan).await.unwrap();
        assert_eq!(it.operation(id).state, OperationState::Undone);
    }
    let mut left = State::of(&it.case.domain).differences(&old);
    left.retain(|line| !line.contains(": versionNumber ") && !line.contains(r"\GPT.INI: "));
    assert_eq!(left, Vec::<String>::new());
}

/// A new GPO whose later import was undone is as new again, and its creation can be undone: its files and its container are gone.
#[tokio::test(start_paused = true)]
async fn an_import_into_a_new_gpo_and_then_its_creation_are_undone() {
    let old = State::of(&Case::new(Verb::Create, false).await.domain);
    let it = Done::new(Verb::Create).await;
    let gpo = gpo_of(&it.operation(&it.id).plan().unwrap());
    let import = it.case.plan_import_into(&it.admin, gpo).await.unwrap();
    it.apply(&import).await.unwrap();
    for id in [&import.operation_id, &it.id] {
        let plan = it.plan(id).await.unwrap();
        it.apply(&plan).await.unwrap();
        assert_eq!(it.operation(id).state, OperationState::Undone);
    }
    assert_eq!(
        State::of(&it.case.domain).differences(&old),
        Vec::<String>::new()
    );
}

/// A saved plan that was edited until it changes nothing does not make the operation look undone.
#[tokio::test(start_paused = true)]
async fn a_saved_plan_without_changes_undoes_nothing() {
    let it = Done::new(Verb::Rename).await;
    let plan = saved(&it.plan(&it.id).await.unwrap(), |json| {
        assert_eq!(json["undoes"], it.id);
        json["changes"] = Vec::<serde_json::Value>::new().into();
    });
    assert!(plan.changes.is_empty());
    let before = State::of(&it.case.domain);
    it.apply(&plan).await.unwrap();
    assert!(State::of(&it.case.domain) == before);
    assert_eq!(it.operation(&it.id).state, OperationState::Done);
    let plan = it.plan(&it.id).await.unwrap();
    it.apply(&plan).await.unwrap();
    assert_eq!(it.operation(&it.id).state, OperationState::Undone);
}
