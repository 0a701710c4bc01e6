//! Operations that were interrupted, and what came after them or was refused beside them.

use std::path::Path;

use gpoctl::execute::journal::{self, Inverse, OperationState, StoredOperation};
use gpoctl::execute::{ApplyOptions, OverallStatus, apply, clean_up, roll_back};
use gpoctl::operations::link::{self, LinkEdit};
use gpoctl::operations::restore::{self, RestoreOptions};
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Fault, Faults, When};
use gpoctl::{DomainWriter, ErrorKind};

use tempfile::TempDir;

use crate::faults::case::{Case, Verb, guid, in_memory, run};
use crate::faults::kills::{Left, kills, kills_of};
use crate::faults::sweep::State;

/// The same import again writes what the interrupted one announced, so nothing there shows whose it is.
#[tokio::test(start_paused = true)]
async fn an_interrupted_import_is_not_rolled_back_over_a_later_one() {
    let case = Case::new(Verb::Import, false).await;
    let old = State::of(&case.domain);
    let (_, all) = kills_of(&case, When::Before).await;
    let mut points = 0;
    for Left {
        number,
        also,
        domain,
        root,
    } in all
    {
        let Some(killed) = journal::list(root.path()).unwrap().pop() else {
            continue;
        };
        if killed.state != OperationState::Unfinished {
            continue;
        }
        // What clients do not read is nobody else's.
        let is_staged = |it: &(usize, Inverse)| matches!(it.1, Inverse::RemoveEntry { .. });
        if killed.changes.iter().all(is_staged) {
            continue;
        }
        points += 1 + also.len();
        let admin = domain
            .connect("Administrator", &Faults::none())
            .await
            .unwrap();
        let again = case.plan(&admin, &Faults::none()).await.unwrap();
        run(&again, &admin, root.path()).await.unwrap();
        let made = State::of(&domain);
        let control = Control::default();
        let planned = undo::plan(admin.session(), &killed, &control).await;
        assert_eq!(planned.unwrap_err().kind(), ErrorKind::Conflict, "{number}");
        let options = ApplyOptions::in_folder(root.path().to_owned()).control(control);
        let error = roll_back(&admin, &killed, &options).await.unwrap_err();
        assert!(error.to_string().contains(&again.operation_id), "{error}");
        assert!(State::of(&domain) == made, "{number}");
        // As the hint says.
        let backup = killed.safety_backup.as_ref().unwrap();
        let hint = error.hint().unwrap();
        assert!(
            hint.contains(&format!("gpoctl restore '{}'", backup.display())),
            "{hint}"
        );
        let stored = gpoctl::backup::read(backup).unwrap();
        let restored = RestoreOptions::default();
        let back = restore::plan(admin.session(), &stored, &restored, &options.control).await;
        apply(&admin, &back.unwrap(), &options).await.unwrap();
        let mut left = State::of(&domain).differences(&old);
        left.retain(|line| {
            let is_version = line.contains(": versionNumber ") || line.contains(r"\GPT.INI: ");
            !line.contains(".gpoctl-") && !is_version
        });
        assert_eq!(left, Vec::<String>::new(), "{number}");
    }
    println!("{points} points");
    assert!(points > 30, "{points}");
    assert!(State::of(&case.domain) == old);
}

/// A GPO that has changed since is left out; the others are changed, and can be undone.
#[tokio::test(start_paused = true)]
async fn what_an_object_by_object_plan_left_out_is_no_obstacle_to_its_undo() {
    let case = Case::new(Verb::EachOfSeveral, false).await;
    let admin = case.admin().await;
    let plan = case.plan(&admin, &Faults::none()).await.unwrap();
    let stale = plan.gpos().next().unwrap().target.guid;
    let directory = case.domain.directory();
    directory
        .set(&directory.base().gpo(stale), "displayName", ["Shelves"])
        .unwrap();
    let old = State::of(&case.domain);
    let root = in_memory();
    let options = ApplyOptions::in_folder(root.path().to_owned());
    let result = apply(&admin, &plan, &options).await.unwrap();
    assert_eq!(result.status, OverallStatus::Partial);
    let failed = result
        .messages
        .iter()
        .filter(|it| it.code.name() == "not-changed");
    assert_eq!(failed.count(), 1, "{:?}", result.messages);
    assert_eq!(result.gpos.len(), 2);
    let operation = journal::list(root.path()).unwrap().remove(0);
    assert_eq!(operation.state, OperationState::Done);
    let undoing = undo::plan(admin.session(), &operation, &options.control).await;
    let Ok(Undoing::Plan(back)) = undoing else {
        panic!("{undoing:?}");
    };
    assert_eq!(back.changes.len(), 3);
    assert!(State::of(&case.domain) != old);
    apply(&admin, &back, &options).await.unwrap();
    let desks = directory
        .base()
        .gpo(plan.gpos().nth(1).unwrap().target.guid);
    assert!(directory.snapshot().entry(&desks).is_some());
}

/// A dozen ways in which a run of the plan of this case in a copy of this domain is interrupted: the domain, the journals, and the
/// operation. The plan of `before` is made after the first plan, and applied before it.
async fn interrupted(
    domain: &MemoryDomain,
    case: &Case,
    before: Option<&Case>,
) -> Vec<(MemoryDomain, TempDir, StoredOperation)> {
    let none = Faults::none();
    let (domain, root) = (domain.copy(), in_memory());
    let admin = domain.connect("Administrator", &none).await.unwrap();
    let mut plan = case.plan(&admin, &none).await.unwrap();
    if let Some(before) = before {
        "20200101T000000.000Z-00000001".clone_into(&mut plan.operation_id);
        let between = before.plan(&admin, &none).await.unwrap();
        assert!(between.operation_id > plan.operation_id);
        run(&between, &admin, root.path()).await.unwrap();
    }
    let apply_plan = async |admin: &DomainWriter, root: &Path| {
        run(&plan, admin, root).await.unwrap();
    };
    let (all, _) = kills(&domain, root.path(), When::After, |_| true, apply_plan).await;
    let mut found = Vec::new();
    let step = all.len().div_ceil(48);
    for Left { domain, root, .. } in all.into_iter().step_by(step) {
        let mut operations = journal::list(root.path()).unwrap().into_iter();
        let killed = operations.find(|one| one.id == plan.operation_id);
        if let Some(killed) = killed
            && killed.state == OperationState::Unfinished
        {
            found.push((domain, root, killed));
        }
    }
    println!("{}: {} kills", case.name(), found.len());
    found
}

/// Any plan for the same part of an object counts, for a GPO as a whole, for single values or for several objects, also one that was
/// saved long before it was applied.
#[tokio::test(start_paused = true)]
async fn any_later_plan_for_the_same_object_is_an_obstacle() {
    for (verb, later) in [
        (Verb::Import, Verb::Several),
        (Verb::AddLink, Verb::AddLink),
        (Verb::AddLink, Verb::Several),
    ] {
        let several = Case::new(Verb::Several, false).await;
        let first = Case::new(verb, false).await;
        let second = Case::new(later, false).await;
        let mut points = 0;
        for (domain, root, killed) in interrupted(&several.domain, &first, None).await {
            let none = Faults::none();
            let admin = domain.connect("Administrator", &none).await.unwrap();
            // What the interrupted one has made already may leave nothing to plan.
            let Ok(mut plan) = second.plan(&admin, &none).await else {
                continue;
            };
            "20190101T000000.000Z-00000001".clone_into(&mut plan.operation_id);
            if plan.changes.is_empty() || run(&plan, &admin, root.path()).await.is_err() {
                continue;
            }
            let is_staged = |it: &(usize, Inverse)| matches!(it.1, Inverse::RemoveEntry { .. });
            if killed.changes.iter().all(is_staged) {
                continue;
            }
            points += 1;
            let made = State::of(&domain);
            let control = Control::default();
            let planned = undo::plan(admin.session(), &killed, &control).await;
            let case = format!("{verb:?}, {later:?}");
            assert_eq!(planned.unwrap_err().kind(), ErrorKind::Conflict, "{case}");
            let options = ApplyOptions::in_folder(root.path().to_owned()).control(control);
            let error = roll_back(&admin, &killed, &options).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict, "{case}: {error}");
            assert!(error.to_string().contains(&plan.operation_id), "{error}");
            assert!(State::of(&domain) == made, "{case}");
        }
        println!("{verb:?}, {later:?}: {points} points");
        assert!(points > 0, "{verb:?}, {later:?}");
    }
}

/// Which of two operations came first is when they began, not when their plans were made.
#[tokio::test(start_paused = true)]
async fn an_operation_that_began_before_is_no_obstacle() {
    for (verb, before) in [
        (Verb::LinkFilter, Verb::SetStatus),
        (Verb::AddLink, Verb::Import),
    ] {
        let first = Case::new(verb, false).await;
        let second = Case::new(before, false).await;
        let all = interrupted(&first.domain, &first, Some(&second)).await;
        assert!(!all.is_empty(), "{verb:?}");
        for (domain, root, killed) in all {
            let none = Faults::none();
            let admin = domain.connect("Administrator", &none).await.unwrap();
            let options = ApplyOptions::in_folder(root.path().to_owned());
            roll_back(&admin, &killed, &options).await.unwrap();
        }
    }
}

/// A later operation on another object changes nothing that is taken back.
#[tokio::test(start_paused = true)]
async fn a_later_operation_on_another_object_is_no_obstacle() {
    let first = Case::new(Verb::AddLink, false).await;
    let second = Case::new(Verb::SetStatus, false).await;
    let all = interrupted(&first.domain, &first, None).await;
    assert!(!all.is_empty());
    for (domain, root, killed) in all {
        let none = Faults::none();
        let admin = domain.connect("Administrator", &none).await.unwrap();
        let plan = second.plan(&admin, &none).await.unwrap();
        run(&plan, &admin, root.path()).await.unwrap();
        let options = ApplyOptions::in_folder(root.path().to_owned());
        roll_back(&admin, &killed, &options).await.unwrap();
    }
}

/// It went object by object: its import stands, and its link, the last change, was overtaken by another one.
#[tokio::test(start_paused = true)]
async fn what_stands_of_a_later_operation_that_was_closed_is_an_obstacle() {
    let several = Case::new(Verb::Several, false).await;
    let first = Case::new(Verb::Import, false).await;
    let second = Case::new(Verb::EachOfSeveral, false).await;
    let mut points = 0;
    let is_staged = |it: &(usize, Inverse)| matches!(it.1, Inverse::RemoveEntry { .. });
    for (domain, root, killed) in interrupted(&several.domain, &first, None).await {
        if killed.changes.iter().all(is_staged) {
            continue;
        }
        let none = Faults::none();
        let admin = domain.connect("Administrator", &none).await.unwrap();
        let plan = second.plan(&admin, &none).await.unwrap();
        let staff = domain.directory().base().child("OU", "Staff").unwrap();
        // Its last call that writes the link.
        let (copy, whole) = (domain.copy(), Faults::none());
        let other = copy.connect("Administrator", &whole).await.unwrap();
        run(&plan, &other, in_memory().path()).await.unwrap();
        let is_link = |call: &gpoctl::testing::faults::Call| {
            call.writes && call.object.eq_ignore_ascii_case(staff.as_str())
        };
        let at = whole.calls().iter().rposition(is_link).unwrap() + 1;
        let faults = Faults::at(at, Fault::Kill(When::After));
        let other = domain.connect("Administrator", &faults).await.unwrap();
        tokio::select! {
            done = run(&plan, &other, root.path()) => drop(done),
            () = faults.killed() => {}
        }
        let session = admin.session();
        let som = session.directory().som(&staff).await.unwrap();
        let object = session.directory().gpo(guid()).await.unwrap();
        let edit = LinkEdit::Set {
            order: None,
            enforced: None,
            disabled: Some(true),
        };
        let over = link::plan(&session.info().dns_domain, &som, &object, edit).unwrap();
        run(&over, &admin, root.path()).await.unwrap();
        let find = |id: &str| journal::find(root.path(), id).unwrap();
        let control = Control::default();
        clean_up(&admin, &find(&plan.operation_id), &control)
            .await
            .unwrap();
        let closed = find(&plan.operation_id);
        assert_eq!(closed.state, OperationState::Superseded);
        points += 1;
        let made = State::of(&domain);
        let options = ApplyOptions::in_folder(root.path().to_owned());
        let error = roll_back(&admin, &killed, &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains(&plan.operation_id), "{error}");
        assert!(State::of(&domain) == made);
    }
    println!("{points} points");
    assert!(points > 3, "{points}");
}
