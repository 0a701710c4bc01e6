//! Interrupted operations that cannot be rolled back, because others have changed the same since: they are closed, and what others
//! have written is unchanged.

use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal::{self, Inverse, OperationState, StoredOperation};
use gpoctl::execute::{ApplyOptions, OverallStatus, clean_up, is_superseded, roll_back};
use gpoctl::operations::{delete, undo};
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Faults, When};
use gpoctl::{DomainWriter, ErrorKind};
use tempfile::TempDir;

use crate::faults::case::{Case, Verb, guid, in_memory, run};
use crate::faults::kills::{Left, kills_of};
use crate::faults::sweep::State;

/// An import that was interrupted at one of its calls.
struct Interrupted {
    domain: MemoryDomain,
    root: TempDir,
    admin: DomainWriter,
    /// At how many calls a kill leaves this.
    calls: usize,
}

impl Interrupted {
    /// At every call after which something is left to roll back.
    async fn everywhere(case: &Case) -> Vec<Self> {
        let (_, all) = kills_of(case, When::Before).await;
        let mut found = Vec::new();
        for left in all {
            let calls = left.calls();
            let Left { domain, root, .. } = left;
            let none = Faults::none();
            let admin = domain.connect("Administrator", &none).await.unwrap();
            let it = Self {
                domain,
                root,
                admin,
                calls,
            };
            let journals = journal::list(it.root.path()).unwrap();
            if journals
                .iter()
                .any(|it| it.state == OperationState::Unfinished)
            {
                found.push(it);
            }
        }
        let calls: usize = found.iter().map(|it| it.calls).sum();
        println!("{calls} kills, {} of them differ", found.len());
        assert!(calls > 50, "{calls}");
        found
    }

    /// The interrupted operation: the first of those in the journals.
    fn operation(&self) -> StoredOperation {
        journal::list(self.root.path()).unwrap().pop().unwrap()
    }

    fn options(&self) -> ApplyOptions {
        ApplyOptions::in_folder(self.root.path().to_owned())
    }

    async fn roll_back(&self) -> gpoctl::Result<()> {
        let operation = self.operation();
        let options = self.options();
        roll_back(&self.admin, &operation, &options).await.map(drop)
    }

    /// Closes the operation, and checks that only what it had left was removed.
    async fn close(&self) {
        let (operation, control) = (self.operation(), Control::default());
        assert!(is_superseded(&operation).unwrap());
        let before = State::of(&self.domain);
        let result = clean_up(&self.admin, &operation, &control).await.unwrap();
        assert_eq!(result.status, OverallStatus::Done);
        let codes: Vec<&str> = result.messages.iter().map(|it| it.code.name()).collect();
        assert_eq!(codes, ["operation-superseded"]);
        let text = &result.messages[0].text;
        assert!(text.contains("is closed and was not rolled back"), "{text}");
        let changed = State::of(&self.domain).differences(&before);
        assert!(
            changed.iter().all(|line| line.contains(".gpoctl-")),
            "{changed:?}"
        );
        assert_eq!(self.left(), Vec::<String>::new());
        let closed = self.operation();
        assert_eq!(closed.state, OperationState::Superseded);
        let planned = undo::plan(self.admin.session(), &closed, &control).await;
        assert_eq!(planned.unwrap_err().kind(), ErrorKind::Usage);
        let again = clean_up(&self.admin, &closed, &control).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Usage);
        journal::remove(&closed).unwrap();
    }

    /// What this operation has left in the folder of the GPO.
    fn left(&self) -> Vec<String> {
        let snapshot = self.domain.sysvol().snapshot();
        let paths = snapshot.entries().map(|entry| entry.path.clone());
        paths.filter(|path| path.contains(".gpoctl-")).collect()
    }

    fn has(&self, what: &str) -> bool {
        self.left().iter().any(|path| path.contains(what))
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_a_later_one_has_overtaken_is_closed() {
    let case = Case::new(Verb::Import, false).await;
    let mut with_leftovers = 0;
    for it in Interrupted::everywhere(&case).await {
        assert!(!is_superseded(&it.operation()).unwrap());
        let error = clean_up(&it.admin, &it.operation(), &Control::default()).await;
        assert_eq!(
            error.unwrap_err().kind(),
            ErrorKind::Usage,
            "it can be rolled back"
        );
        // What clients do not read is nobody else's.
        let is_staged = |it: &(usize, Inverse)| matches!(it.1, Inverse::RemoveEntry { .. });
        let nothing_live = it.operation().changes.iter().all(is_staged);
        let again = case.plan(&it.admin, &Faults::none()).await.unwrap();
        run(&again, &it.admin, it.root.path()).await.unwrap();
        if nothing_live {
            let made = State::of(&it.domain);
            it.roll_back().await.unwrap();
            let changed = State::of(&it.domain).differences(&made);
            assert!(changed.iter().all(|line| line.contains(".gpoctl-")));
            assert_eq!(it.left(), Vec::<String>::new());
            continue;
        }
        let hint = it.roll_back().await.unwrap_err();
        let hint = hint.hint().unwrap().to_owned();
        assert!(hint.contains("gpoctl operations cleanup "), "{hint}");
        with_leftovers += it.calls * usize::from(!it.left().is_empty());
        it.close().await;
    }
    println!("{with_leftovers} points with something left");
    assert!(with_leftovers > 30, "{with_leftovers}");
}

/// The journal of the other is on another machine, so nothing but the GPO shows that somebody was there.
#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_changed_is_left_and_the_operation_closed() {
    let case = Case::new(Verb::Import, false).await;
    let mut closed = 0;
    for it in Interrupted::everywhere(&case).await {
        let operation = it.operation();
        let theirs = in_memory();
        let plan = case.plan_with(&it.admin, "theirs").await.unwrap();
        run(&plan, &it.admin, theirs.path()).await.unwrap();
        let made = State::of(&it.domain);
        let Err(error) = it.roll_back().await else {
            assert_eq!(it.operation().state, OperationState::Failed);
            continue;
        };
        assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
        let kept = State::of(&it.domain).differences(&made);
        assert!(
            kept.iter().all(|line| line.contains(".gpoctl-")),
            "{error}: {kept:?}"
        );
        let hint = error.hint().unwrap();
        let id = operation.id.rsplit('-').next().unwrap();
        assert!(
            hint.contains(&format!("gpoctl operations cleanup {id}")),
            "{error}: {hint}"
        );
        closed += it.calls;
        it.close().await;
    }
    println!("{closed} points closed");
    assert!(closed > 30, "{closed}");
}

#[tokio::test(start_paused = true)]
async fn the_gpo_was_deleted_since() {
    let case = Case::new(Verb::Import, false).await;
    let mut closed = 0;
    for it in Interrupted::everywhere(&case).await {
        let object = it.admin.session().directory().gpo(guid()).await.unwrap();
        let (control, theirs) = (Control::default(), in_memory());
        let plan = delete::plan(it.admin.session(), &object, false, &control).await;
        run(&plan.unwrap(), &it.admin, theirs.path()).await.unwrap();
        let Err(error) = it.roll_back().await else {
            // It had not begun to write.
            assert_eq!(it.operation().changes, []);
            continue;
        };
        closed += it.calls;
        assert!(
            error.to_string().contains("was deleted by somebody else"),
            "{error}"
        );
        it.close().await;
    }
    println!("{closed} points closed");
    assert!(closed > 50, "{closed}");
}

/// An entry that the import only removes is renamed first. Somebody writes it again before the roll-back.
#[tokio::test(start_paused = true)]
async fn an_entry_that_was_written_again_after_it_was_renamed() {
    let case = Case::new(Verb::Import, false).await;
    let name = "Notes.txt".parse().unwrap();
    let notes = SysvolPath::in_gpo(case.domain.sysvol().domain(), guid(), &name);
    case.domain.sysvol().put_file(&notes, "old").unwrap();
    let (mut same, mut other) = (0, 0);
    let mut all = Vec::new();
    for content in ["old", "new"] {
        let everywhere = Interrupted::everywhere(&case).await.into_iter();
        all.extend(everywhere.map(|it| (it, content)));
    }
    for (it, content) in all {
        if !it.has("-old-Notes.txt") {
            continue;
        }
        if it.domain.sysvol().put_file(&notes, content).is_err() {
            continue;
        }
        match it.roll_back().await {
            Ok(()) => {
                assert_eq!(content, "old");
                assert_eq!(it.left(), Vec::<String>::new());
                same += it.calls;
            }
            Err(error) => {
                assert_eq!(content, "new", "{error}");
                assert!(
                    error.to_string().contains("is kept beside it as .gpoctl-"),
                    "{error}"
                );
                assert!(it.has("-old-Notes.txt"));
                it.close().await;
                other += it.calls;
            }
        }
        let snapshot = it.domain.sysvol().snapshot();
        let entry = snapshot.entry(&format!(r"{}\Notes.txt", guid())).unwrap();
        assert_eq!(entry.content.as_deref(), Some(content.as_bytes()));
    }
    println!("{same} points with the same content, {other} with another");
    assert!(same > 10 && other > 10, "{same} {other}");
}
