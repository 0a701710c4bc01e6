//! Plans and journals in the form of version 1, written by the version of gpoctl that had one form for a GPO and one for single
//! values: they are applied, rolled back and undone as those of today.
//!
//! For each verb there is the folder of the journal of an operation that was done, and `unfinished.jsonl`, the events of the same
//! operation when it was killed as late as possible.

use std::path::{Path, PathBuf};

use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal::{self, OperationState, StoredOperation};
use gpoctl::execute::{ApplyOptions, roll_back};
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::plan::Plan;
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Fault, Faults, When};

use crate::faults::case::{Case, GPO, Verb, gpo_of, guid, in_memory, run};
use crate::faults::sweep::State;

fn former(verb: Verb) -> PathBuf {
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/offline/former_forms");
    forms.join(format!("{verb:?}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => std::fs::write(&target, std::fs::read(entry.path()).unwrap()).unwrap(),
        }
    }
}

/// The journal of the operation, in a folder of journals of its own.
fn stored(verb: Verb, id: &str, root: &Path, is_done: bool) -> StoredOperation {
    let folder = root.join(id);
    copy(&former(verb), &folder);
    let events = folder.join("unfinished.jsonl");
    match is_done {
        true => std::fs::remove_file(events).unwrap(),
        false => std::fs::rename(events, folder.join("journal.jsonl")).unwrap(),
    }
    journal::find(root, id).unwrap()
}

/// The former operations were made of a GPO without a comment.
fn remove_comment(case: &Case) {
    let sysvol = case.domain.sysvol();
    if sysvol
        .snapshot()
        .entry(&format!(r"{GPO}\GPO.cmt"))
        .is_some()
    {
        let comment = "GPO.cmt".parse().unwrap();
        let comment = SysvolPath::in_gpo(sysvol.domain(), guid(), &comment);
        sysvol.delete(&comment).unwrap();
    }
}

/// A domain as it was before the operation, and the plan.
async fn before(verb: Verb) -> (Case, Plan) {
    let case = Case::new(verb, false).await;
    let json = std::fs::read(former(verb).join("plan.json")).unwrap();
    assert!(String::from_utf8_lossy(&json).contains("\"format_version\": 1,"));
    let plan = Plan::from_json(&json).unwrap();
    assert!(!plan.steps().is_empty(), "{verb:?}");
    remove_comment(&case);
    // A backup tells the identity of its domain, which is another one each time.
    let saved = former(verb).join("before");
    for backup in gpoctl::backup::list(&saved).unwrap_or_default() {
        let guid = gpoctl::backup::read(&backup.info.path).unwrap();
        let guid = guid.snapshot.domain_guid.unwrap().to_bytes_le().to_vec();
        let directory = case.domain.directory();
        directory
            .set(&directory.base(), "objectGUID", [guid])
            .unwrap();
    }
    (case, plan)
}

/// Applies the plan, and lets the process be killed as late as it leaves something to roll back.
async fn killed(case: &Case, plan: &Plan) -> MemoryDomain {
    let apply = async |faults: &Faults| {
        let domain = case.domain.copy();
        let journals = in_memory();
        let admin = domain.connect("Administrator", faults).await.unwrap();
        tokio::select! {
            done = run(plan, &admin, journals.path()) => drop(done.unwrap()),
            () = faults.killed() => {}
        }
        let state = journal::list(journals.path()).unwrap().remove(0).state;
        (domain, state)
    };
    let whole = Faults::none();
    apply(&whole).await;
    for number in (1..=whole.calls().len()).rev() {
        for when in [When::After, When::Before] {
            let (domain, state) = apply(&Faults::at(number, Fault::Kill(when))).await;
            if state == OperationState::Unfinished {
                return domain;
            }
        }
    }
    panic!("nothing to roll back");
}

async fn is_rolled_back(verb: Verb) {
    let (case, plan) = before(verb).await;
    let old = State::of(&case.domain);
    let domain = killed(&case, &plan).await;
    assert!(State::of(&domain) != old, "{verb:?}");
    let admin = domain
        .connect("Administrator", &Faults::none())
        .await
        .unwrap();
    let root = in_memory();
    let operation = stored(verb, &plan.operation_id, root.path(), false);
    assert_eq!(operation.state, OperationState::Unfinished);
    let options = ApplyOptions::in_folder(root.path().to_owned());
    let undoing = undo::plan(admin.session(), &operation, &options.control).await;
    let Ok(Undoing::RollBack(parts)) = undoing else {
        panic!("{verb:?}: {undoing:?}");
    };
    assert!(!parts.is_empty());
    roll_back(&admin, &operation, &options).await.unwrap();
    let state = State::of(&domain);
    let is_old = state == old || state.is_raised(&domain, &[gpo_of(&plan)], &old);
    assert!(is_old, "{verb:?}: {:#?}", state.differences(&old));
    let state = journal::list(root.path()).unwrap().remove(0).state;
    assert_eq!(state, OperationState::Failed);
}

async fn is_undone(verb: Verb) {
    let (case, plan) = before(verb).await;
    let old = State::of(&case.domain);
    let admin = case.admin().await;
    let journals = in_memory();
    run(&plan, &admin, journals.path()).await.unwrap();
    assert!(State::of(&case.domain) != old, "{verb:?}");
    let root = in_memory();
    let operation = stored(verb, &plan.operation_id, root.path(), true);
    assert_eq!(operation.state, OperationState::Done);
    let undoing = undo::plan(admin.session(), &operation, &Control::default()).await;
    let Ok(Undoing::Plan(back)) = undoing else {
        panic!("{verb:?}: {undoing:?}");
    };
    run(&back, &admin, root.path()).await.unwrap();
    // As it is after the same operation and its undo in the form of today.
    let today = Case::new(verb, true).await;
    let admin = today.admin().await;
    let back = today.plan(&admin, &Faults::none()).await.unwrap();
    run(&back, &admin, &today.journals()).await.unwrap();
    remove_comment(&today);
    let (state, today) = (State::of(&case.domain), State::of(&today.domain));
    assert!(state == today, "{verb:?}: {:#?}", state.differences(&today));
}

macro_rules! former_forms {
    ($($name:ident: $verb:ident;)*) => {
        mod an_unfinished_operation_is_rolled_back {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    is_rolled_back(Verb::$verb).await;
                }
            )*
        }
        mod a_done_operation_is_undone {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    is_undone(Verb::$verb).await;
                }
            )*
        }
        /// None of the folders is left out.
        #[test]
        fn every_former_form_has_a_case() {
            let mut known = vec![$(former(Verb::$verb)),*];
            let forms = former(Verb::Create);
            let found = std::fs::read_dir(forms.parent().unwrap()).unwrap();
            let mut found: Vec<PathBuf> = found.map(|entry| entry.unwrap().path()).collect();
            known.sort();
            found.sort();
            assert_eq!(known, found);
        }
    };
}

former_forms! {
    create: Create;
    set_status: SetStatus;
    rename: Rename;
    import: Import;
    delete: Delete;
    restore: Restore;
    restore_deleted: RestoreDeleted;
    copy_across: CopyAcross;
    add_link: AddLink;
    remove_link: RemoveLink;
    create_filter: CreateFilter;
    replace_filter: ReplaceFilter;
    unlink_filter: UnlinkFilter;
    repair: Repair;
}
