//! Interrupted operations, and later ones that have changed only a part of the same, or did not complete themselves: no end of any of
//! them leaves half a policy live, and none takes back what another one has made.

use std::path::Path;

use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal::{self, Inverse, OperationState, StoredOperation};
use gpoctl::execute::{ApplyOptions, clean_up, is_superseded, roll_back};
use gpoctl::model::guid::Guid;
use gpoctl::model::sddl::from_sddl;
use gpoctl::operations::rename;
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::plan::Plan;
use gpoctl::plan::gpo::Step;
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Fault, Faults, When};
use gpoctl::testing::sysvol::SysvolServer;
use gpoctl::{DomainWriter, Error, ErrorKind};
use tempfile::TempDir;

use crate::faults::case::{Case, Verb, gpo_of, guid, in_memory, run};
use crate::faults::kills::{copy, kills, kills_of};
use crate::faults::sweep::State;

mod new_gpo;

/// A domain with an interrupted operation.
struct Killed {
    domain: MemoryDomain,
    root: TempDir,
    admin: DomainWriter,
    id: String,
    /// At how many calls a kill leaves this.
    calls: usize,
}

impl Killed {
    /// At every call after which something that clients read may have changed.
    async fn everywhere(case: &Case) -> Vec<Self> {
        let (plan, all) = kills_of(case, When::After).await;
        let mut found = Vec::new();
        for left in all {
            let calls = left.calls();
            let mut it = Self::at(left.domain, left.root, &plan.operation_id).await;
            it.calls = calls;
            let Some(operation) = it.operation_of(&it.id) else {
                continue;
            };
            if operation.state == OperationState::Unfinished && !only_staged(&operation) {
                found.push(it);
            }
        }
        let calls: usize = found.iter().map(|it| it.calls).sum();
        println!(
            "{}: {calls} kills, {} of them differ",
            case.name(),
            found.len()
        );
        assert!(calls > 15, "{calls}");
        found
    }

    async fn at(domain: MemoryDomain, root: TempDir, id: &str) -> Self {
        Self {
            admin: connect(&domain).await,
            domain,
            root,
            id: id.to_owned(),
            calls: 1,
        }
    }

    async fn copy(&self) -> Self {
        let (domain, root) = copy(&self.domain, self.root.path());
        Self::at(domain, root, &self.id).await
    }

    fn operation_of(&self, id: &str) -> Option<StoredOperation> {
        let all = journal::list(self.root.path()).unwrap();
        all.into_iter().find(|one| one.id == id)
    }

    fn operation(&self) -> StoredOperation {
        self.operation_of(&self.id).unwrap()
    }

    async fn roll_back_of(&self, id: &str) -> gpoctl::Result<()> {
        let options = ApplyOptions::in_folder(self.root.path().to_owned());
        let operation = self.operation_of(id).unwrap();
        roll_back(&self.admin, &operation, &options).await.map(drop)
    }

    async fn roll_back(&self) -> gpoctl::Result<()> {
        self.roll_back_of(&self.id).await
    }

    async fn clean_up(&self) -> gpoctl::Result<()> {
        let control = Control::default();
        clean_up(&self.admin, &self.operation(), &control)
            .await
            .map(drop)
    }

    async fn apply(&self, plan: &Plan) {
        run(plan, &self.admin, self.root.path()).await.unwrap();
    }

    /// What differs from this state, beside the versions.
    fn differences(&self, old: &State) -> Vec<String> {
        let mut left = State::of(&self.domain).differences(old);
        left.retain(|line| !line.contains(": versionNumber ") && !line.contains(r"\GPT.INI: "));
        left
    }

    fn live(&self, name: &str) -> SysvolPath {
        let name = name.parse().unwrap();
        SysvolPath::in_gpo(self.domain.sysvol().domain(), guid(), &name)
    }

    fn has(&self, what: &str) -> bool {
        let snapshot = self.domain.sysvol().snapshot();
        snapshot.entries().any(|entry| entry.path.contains(what))
    }
}

async fn connect(domain: &MemoryDomain) -> DomainWriter {
    let none = Faults::none();
    domain.connect("Administrator", &none).await.unwrap()
}

/// Applies a plan that is killed after this call, counted from its first one; whether it was.
async fn kill(domain: &MemoryDomain, plan: &Plan, root: &TempDir, number: usize) -> bool {
    let faults = Faults::none();
    let admin = domain.connect("Administrator", &faults).await.unwrap();
    faults.add(faults.calls().len() + number, Fault::Kill(When::After));
    tokio::select! {
        done = run(plan, &admin, root.path()) => { drop(done); false }
        () = faults.killed() => true,
    }
}

fn only_staged(operation: &StoredOperation) -> bool {
    let mut changes = operation.changes.iter();
    changes.all(|(_, inverse)| matches!(inverse, Inverse::RemoveEntry { .. }))
}

fn hint(error: &Error) -> &str {
    error.hint().unwrap_or_default()
}

fn short(id: &str) -> &str {
    id.rsplit('-').next().unwrap()
}

/// The later one goes back to what the first has left, so that one is the last to be rolled back.
#[tokio::test(start_paused = true)]
async fn a_later_operation_that_did_not_complete_is_undone_first() {
    let case = Case::new(Verb::Import, false).await;
    let old = State::of(&case.domain);
    let mut points = 0;
    for (number, it) in Killed::everywhere(&case).await.into_iter().enumerate() {
        let plan = case.plan_with(&it.admin, "theirs").await.unwrap();
        let faults = Faults::none();
        let copy = it.domain.copy();
        let other = copy.connect("Administrator", &faults).await.unwrap();
        let connecting = faults.calls().len();
        run(&plan, &other, in_memory().path()).await.unwrap();
        let calls = faults.calls().len() - connecting;
        // While it stages, and while it switches.
        let at = calls * (1 + number % 2) / 3;
        assert!(kill(&it.domain, &plan, &it.root, at).await);
        let later = it.operation_of(&plan.operation_id);
        if later.is_none_or(|it| it.changes.is_empty()) {
            continue;
        }
        points += it.calls;
        let wanted = format!("gpoctl operations undo {}", short(&plan.operation_id));
        let before = State::of(&it.domain);
        let operation = it.operation();
        let planned = undo::plan(it.admin.session(), &operation, &Control::default()).await;
        for error in [
            it.clean_up().await.unwrap_err(),
            it.roll_back().await.unwrap_err(),
            planned.unwrap_err(),
            is_superseded(&operation).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            assert!(hint(&error).contains(&wanted), "{}", hint(&error));
        }
        assert!(State::of(&it.domain) == before);
        // As the hint says.
        it.roll_back_of(&plan.operation_id).await.unwrap();
        it.roll_back().await.unwrap();
        assert_eq!(it.differences(&old), Vec::<String>::new());
    }
    println!("{points} points");
    assert!(points > 30, "{points}");
}

/// The same wherever the later one is interrupted.
#[tokio::test(start_paused = true)]
async fn a_later_operation_that_was_interrupted_anywhere_is_undone_first() {
    let case = Case::new(Verb::Import, false).await;
    let old = State::of(&case.domain);
    let mut points = 0;
    for first in Killed::everywhere(&case).await.iter().step_by(5) {
        let plan = case.plan_with(&first.admin, "theirs").await.unwrap();
        let apply = async |admin: &DomainWriter, root: &Path| {
            run(&plan, admin, root).await.unwrap();
        };
        let root = first.root.path();
        let (all, _) = kills(&first.domain, root, When::After, |_| true, apply).await;
        for left in all {
            let (number, calls) = (left.number, left.calls());
            let it = Killed::at(left.domain, left.root, &first.id).await;
            let later = it.operation_of(&plan.operation_id);
            if later.is_none_or(|it| it.state != OperationState::Unfinished) {
                continue;
            }
            points += calls;
            it.roll_back_of(&plan.operation_id).await.unwrap();
            let back = it.roll_back().await;
            assert!(back.is_ok(), "{number}: {back:?}");
            assert_eq!(it.differences(&old), Vec::<String>::new(), "{number}");
        }
    }
    println!("{points} points");
    assert!(points > 100, "{points}");
}

/// To disable a GPO is what one does with half a policy. It stays disabled, and the rest is rolled back.
#[tokio::test(start_paused = true)]
async fn a_later_change_of_an_attribute_stays_and_the_rest_is_rolled_back() {
    let case = Case::new(Verb::Import, false).await;
    let old = State::of(&case.domain);
    let killed = Killed::everywhere(&case).await;
    for (later, attribute) in [
        (Verb::SetStatus, ": flags "),
        (Verb::Rename, ": displayName "),
        (Verb::LinkFilter, ": gPCWQLFilter "),
        (Verb::AddLink, ": gPLink "),
    ] {
        let second = Case::new(later, false).await;
        for it in &killed {
            let it = it.copy().await;
            let plan = second.plan(&it.admin, &Faults::none()).await.unwrap();
            it.apply(&plan).await;
            assert!(!is_superseded(&it.operation()).unwrap(), "{later:?}");
            assert_eq!(it.clean_up().await.unwrap_err().kind(), ErrorKind::Usage);
            let options = ApplyOptions::in_folder(it.root.path().to_owned());
            let operation = it.operation();
            let back = roll_back(&it.admin, &operation, &options).await.unwrap();
            let says = &back.messages[0].text;
            let ours = operation
                .changes
                .iter()
                .any(|(_, inverse)| matches!(inverse, Inverse::RestoreAttributes { .. }));
            let kept = later == Verb::SetStatus && ours;
            assert_eq!(
                says.contains("a later operation has changed flags"),
                kept,
                "{says}"
            );
            assert_eq!(it.operation().state, OperationState::Failed);
            let left = it.differences(&old);
            assert_eq!(left.len(), 1, "{left:?}");
            assert!(left[0].contains(attribute), "{left:?}");
        }
    }
}

/// The same attribute, after a restore of another value: nobody knows whose it is but the journals.
#[tokio::test(start_paused = true)]
async fn the_attribute_of_a_later_operation_is_not_taken_for_that_of_the_first() {
    let case = Case::new(Verb::Restore, false).await;
    for it in Killed::everywhere(&case).await {
        let control = Control::default();
        for name in ["Between", "Desks"] {
            let object = it.admin.session().directory().gpo(guid()).await.unwrap();
            let plan = rename::plan(it.admin.session(), &object, name, &control).await;
            it.apply(&plan.unwrap()).await;
        }
        it.roll_back().await.unwrap();
        let object = it.admin.session().directory().gpo(guid()).await.unwrap();
        assert_eq!(object.display_name, "Desks");
    }
}

/// The former entry is the only copy on the server.
#[tokio::test(start_paused = true)]
async fn nothing_is_closed_while_a_live_name_is_missing() {
    let case = Case::new(Verb::Import, false).await;
    let mut points = 0;
    for it in Killed::everywhere(&case).await {
        let theirs = in_memory();
        let plan = case.plan_with(&it.admin, "theirs").await.unwrap();
        run(&plan, &it.admin, theirs.path()).await.unwrap();
        if it.roll_back().await.is_ok() || !it.has("-old-Machine") {
            continue;
        }
        points += it.calls;
        it.domain.sysvol().delete(&it.live("Machine")).unwrap();
        let before = State::of(&it.domain);
        let error = it.clean_up().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        let wanted = format!("gpoctl operations undo {}", short(&it.id));
        assert!(hint(&error).contains(&wanted), "{}", hint(&error));
        assert!(State::of(&it.domain) == before);
        // As the hint says.
        let again = it.roll_back().await;
        let snapshot = it.domain.sysvol().snapshot();
        assert!(snapshot.entry(&format!(r"{}\Machine", guid())).is_some());
        if again.is_err() {
            it.clean_up().await.unwrap();
        }
    }
    println!("{points} points");
    assert!(points > 30, "{points}");
}

/// Each GPO of a plan of several is decided by itself.
#[tokio::test(start_paused = true)]
async fn one_gpo_that_was_overtaken_closes_no_other_one() {
    let case = Case::new(Verb::Several, false).await;
    let old = State::of(&case.domain);
    let mut points = 0;
    for it in Killed::everywhere(&case).await {
        let operation = it.operation();
        let session = it.admin.session();
        let first = operation.plan().unwrap();
        let renamed = first.gpos().next().unwrap().target.guid;
        let object = session.directory().gpo(renamed).await.unwrap();
        let plan = rename::plan(session, &object, "Benches", &Control::default()).await;
        it.apply(&plan.unwrap()).await;
        let others = operation.changes.iter().any(|(of, _)| *of > 0);
        assert_eq!(is_superseded(&operation).unwrap(), !others);
        if others {
            points += it.calls;
            assert_eq!(it.clean_up().await.unwrap_err().kind(), ErrorKind::Usage);
            let error = it.roll_back().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
            let wanted = format!("gpoctl operations cleanup {}", short(&it.id));
            assert!(hint(&error).contains(&wanted), "{}", hint(&error));
        }
        it.clean_up().await.unwrap();
        assert_eq!(it.operation().state, OperationState::Superseded);
        let mut left = it.differences(&old);
        left.retain(|line| !line.contains(": objectGUID "));
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(left[0].contains(": displayName "), "{left:?}");
    }
    println!("{points} points");
    assert!(points > 60, "{points}");
}

impl Killed {
    /// Undoes a complete operation as the command does.
    async fn undo(&self, id: &str) {
        let later = self.operation_of(id).unwrap();
        let control = Control::default();
        let back = undo::plan(self.admin.session(), &later, &control).await;
        let Ok(Undoing::Plan(back)) = back else {
            panic!("{back:?}")
        };
        self.apply(&back).await;
        assert_eq!(self.operation_of(id).unwrap().state, OperationState::Undone);
    }
}

/// An undo of what came later goes back to what the interrupted one had left.
#[tokio::test(start_paused = true)]
async fn a_later_operation_that_was_undone_is_no_obstacle() {
    let case = Case::new(Verb::Import, false).await;
    let old = State::of(&case.domain);
    for it in Killed::everywhere(&case).await {
        let plan = case.plan_with(&it.admin, "theirs").await.unwrap();
        it.apply(&plan).await;
        it.undo(&plan.operation_id).await;
        assert!(!is_superseded(&it.operation()).unwrap());
        it.roll_back().await.unwrap();
        assert_eq!(it.differences(&old), Vec::<String>::new());
    }
}

/// A repair makes the two versions of half a policy equal. It is undone first, and then the rest.
#[tokio::test(start_paused = true)]
async fn a_later_repair_of_the_version_is_undone_first() {
    let case = Case::new(Verb::Import, false).await;
    let repair = Case::new(Verb::Repair, false).await;
    let old = State::of(&case.domain);
    let mut points = 0;
    for it in Killed::everywhere(&case).await {
        let plan = repair.plan(&it.admin, &Faults::none()).await.unwrap();
        if plan.changes.is_empty() {
            continue;
        }
        points += it.calls;
        it.apply(&plan).await;
        let wanted = format!("gpoctl operations undo {}", short(&plan.operation_id));
        for error in [
            it.roll_back().await.unwrap_err(),
            it.clean_up().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            assert!(hint(&error).contains(&wanted), "{}", hint(&error));
        }
        it.undo(&plan.operation_id).await;
        it.roll_back().await.unwrap();
        assert_eq!(it.differences(&old), Vec::<String>::new());
    }
    println!("{points} points");
    assert!(points > 0, "{points}");
}

/// The permissions of the folder granted more than the GPO, so a roll-back sets those that follow from the GPO, in the form that this
/// server stores.
#[tokio::test(start_paused = true)]
async fn a_roll_back_sets_entries_that_deny_where_the_server_stores_them() {
    let case = Case::new(Verb::Restore, false).await;
    let (directory, sysvol) = (case.domain.directory(), case.domain.sysvol());
    let rights = "CCDCLCSWRPWPDTLOSDRCWDWO";
    directory
        .set_descriptor(
            &directory.base().gpo(guid()),
            &format!(
                "O:DAG:DAD:P(D;CI;RPWP;;;BG)(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)(A;CI;{rights};;;DA)(A;CI;{rights};;;SY)(A;CI;LCRPLORC;;;AU)"
            ),
        )
        .unwrap();
    sysvol.set_server(SysvolServer::SambaWithoutObjectAces);
    let folder = SysvolPath::gpo(sysvol.domain(), guid());
    let more = "O:BAG:BAD:P(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICI;FA;;;AU)";
    let more = from_sddl(more, None).unwrap();
    sysvol.put_descriptor(&folder, &more).unwrap();
    let mut points = 0;
    for it in Killed::everywhere(&case).await {
        let is_set =
            |it: &(usize, Inverse)| matches!(it.1, Inverse::RestoreFolderDescriptor { .. });
        if !it.operation().changes.iter().any(is_set) {
            continue;
        }
        it.roll_back().await.unwrap();
        let snapshot = it.domain.sysvol().snapshot();
        let found = snapshot.entry(&guid().to_string()).unwrap();
        if *found.descriptor == more {
            // It was announced, and never made.
            continue;
        }
        points += it.calls;
        let dacl = found.descriptor.dacl.as_ref().unwrap();
        let denies = dacl.aces.iter().any(|ace| ace.ace_type == 1);
        assert!(denies, "{:?}", found.descriptor);
    }
    println!("{points} points");
    assert!(points > 10, "{points}");
}

/// What an operation says that rolls itself back as far as others have left it.
#[tokio::test(start_paused = true)]
async fn an_operation_that_others_kept_from_rolling_back_names_the_command_that_closes_it() {
    let case = Case::new(Verb::Import, false).await;
    let admin = connect(&case.domain).await;
    let plan = case.plan(&admin, &Faults::none()).await.unwrap();
    let mut points = 0;
    for number in 1.. {
        let (domain, root, faults) = (case.domain.copy(), in_memory(), Faults::none());
        let admin = domain.connect("Administrator", &faults).await.unwrap();
        let begin = faults.calls().len();
        let gpt_ini = "GPT.INI".parse().unwrap();
        let gpt_ini = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &gpt_ini);
        let theirs = domain.sysvol().clone();
        faults.add(
            begin + number,
            Fault::act(async move {
                let _ = theirs.put_file(&gpt_ini, "[General]\r\nVersion=999\r\n");
            }),
        );
        faults.add(begin + number + 1, Fault::Refuse);
        let done = run(&plan, &admin, root.path()).await;
        if faults.calls().len() < begin + number + 1 {
            break;
        }
        let Err(error) = done else { continue };
        let Some(operation) = journal::list(root.path()).unwrap().pop() else {
            continue;
        };
        if operation.state != OperationState::Unfinished {
            continue;
        }
        let verb = match is_superseded(&operation).unwrap() {
            true => "cleanup",
            false => "undo",
        };
        points += usize::from(verb == "cleanup");
        let wanted = format!("gpoctl operations {verb} {}", short(&plan.operation_id));
        assert!(hint(&error).contains(&wanted), "{error}: {}", hint(&error));
    }
    println!("{points} points");
    assert!(points > 10, "{points}");
}
