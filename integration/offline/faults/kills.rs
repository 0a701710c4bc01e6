//! What a client that is killed at one of its calls leaves, at every call of one run: a copy at each of them takes the place of a run
//! for each of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gpoctl::DomainWriter;
use gpoctl::execute::journal::{self, OperationState};
use gpoctl::execute::{ApplyOptions, roll_back};
use gpoctl::plan::Plan;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Call, Fault, Faults, When};
use tempfile::TempDir;

use super::case::{Case, Verb, in_memory, run};
use super::sweep::State;
use crate::support::copy_folder;

/// What a killed client leaves: the domain, and its journals.
pub struct Left {
    /// The number of the call at which it is killed, counted from the first one after it has connected.
    pub number: usize,
    /// The calls after it at which a kill leaves the same, byte for byte: most calls only read.
    pub also: Vec<usize>,
    pub domain: MemoryDomain,
    pub root: TempDir,
}

impl Left {
    /// At how many calls a kill leaves this.
    pub fn calls(&self) -> usize {
        1 + self.also.len()
    }
}

/// At how many calls a kill leaves one of these.
pub fn calls<'a>(all: impl IntoIterator<Item = &'a Left>) -> usize {
    all.into_iter().map(Left::calls).sum()
}

/// Copies a domain, in which nothing is open, and journals.
pub fn copy(domain: &MemoryDomain, root: &Path) -> (MemoryDomain, TempDir) {
    let folder = in_memory();
    copy_folder(root, folder.path());
    (domain.copy(), folder)
}

/// Runs this once, in a copy of the domain and of the journals. Returns what a kill at each wanted call would leave, once where
/// calls that follow each other leave the same, and what the whole run leaves, with the number of the call that it does not make
/// any more.
pub async fn kills(
    domain: &MemoryDomain,
    root: &Path,
    when: When,
    is_wanted: impl Fn(usize) -> bool + Send + Sync + 'static,
    run: impl AsyncFnOnce(&DomainWriter, &Path),
) -> (Vec<Left>, Left) {
    let (domain, root) = copy(domain, root);
    let faults = Faults::none();
    let admin = domain.connect("Administrator", &faults).await.unwrap();
    let connecting = faults.calls().len();
    let copier = Copier {
        faults: faults.clone(),
        connecting,
        domain: domain.clone(),
        root: root.path().to_owned(),
        when,
        is_wanted: Arc::new(is_wanted),
        found: Arc::default(),
    };
    let found = Arc::clone(&copier.found);
    let after = copier.clone();
    faults.observe(move |_| after.after_write());
    faults.add(connecting + 1, copier.at(connecting + 1));
    run(&admin, root.path()).await;
    let number = faults.calls().len() + 1;
    // Both have the faults, which have them.
    faults.observe(|_| ());
    faults.add(number, Fault::Refuse);
    let (found, _) = std::mem::take(&mut *found.lock().unwrap());
    let number = number - connecting;
    (
        found,
        Left {
            number,
            also: Vec::new(),
            domain,
            root,
        },
    )
}

/// What a kill of a case at each of its calls leaves, and its plan.
pub async fn kills_of(case: &Case, when: When) -> (Plan, Vec<Left>) {
    let plan = case
        .plan(&case.admin().await, &Faults::none())
        .await
        .unwrap();
    let apply = async |admin: &DomainWriter, root: &Path| {
        run(&plan, admin, root).await.unwrap();
    };
    let none = in_memory();
    let (all, _) = kills(&case.domain, none.path(), when, |_| true, apply).await;
    (plan, all)
}

/// Copies at each call.
#[derive(Clone)]
struct Copier {
    faults: Faults,
    /// How many calls it takes to connect.
    connecting: usize,
    domain: MemoryDomain,
    root: PathBuf,
    when: When,
    is_wanted: Arc<dyn Fn(usize) -> bool + Send + Sync>,
    /// What was left until now, and the files of the journals of the last one.
    found: Arc<Mutex<(Vec<Left>, Files)>>,
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), std::fs::read(path).unwrap())),
        }
    }
    found
}

impl Copier {
    /// Acts before a call, and then before the next one. A call that reads leaves what was there before it.
    fn at(self, number: usize) -> Fault {
        Fault::act(async move {
            let is_write = |call: &Call| call.writes;
            let comes_later =
                self.when == When::After && self.faults.calls().last().is_some_and(is_write);
            if !comes_later {
                self.copy();
            }
            let faults = self.faults.clone();
            faults.add(number + 1, self.at(number + 1));
        })
    }

    fn after_write(&self) {
        if self.when == When::After {
            self.copy();
        }
    }

    fn copy(&self) {
        let number = self.faults.calls().len() - self.connecting;
        if (self.is_wanted)(number) {
            let mut found = self.found.lock().unwrap();
            let (all, last_files) = &mut *found;
            let files = files(&self.root);
            if let Some(last) = all.last_mut() {
                // One call after the other: none is made while another one waits.
                assert!(*last.also.last().unwrap_or(&last.number) < number);
                if *last_files == files && State::of(&last.domain) == State::of(&self.domain) {
                    last.also.push(number);
                    return;
                }
            }
            *last_files = files;
            let (domain, root) = copy(&self.domain, &self.root);
            all.push(Left {
                number,
                also: Vec::new(),
                domain,
                root,
            });
        }
    }
}

/// The names of all that is in a folder. Each backup has an ID of its own.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let own = entry.file_name().into_string().unwrap();
        let name = PathBuf::from(if own.starts_with('{') { "{ID}" } else { &own });
        if entry.file_type().unwrap().is_dir() {
            let below = names(&entry.path()).into_iter();
            found.extend(below.map(|below| name.join(below)));
        }
        found.push(name);
    }
    found.sort();
    found
}

/// Asserts that each copy is what a real kill at its call leaves; returns how many there are.
async fn are_kills(
    domain: &MemoryDomain,
    root: &Path,
    when: When,
    run: impl AsyncFn(&DomainWriter, &Path),
) -> Vec<Left> {
    let (found, whole) = kills(domain, root, when, |_| true, &run).await;
    assert_eq!(calls(&found) + 1, whole.number);
    let each = found.iter().flat_map(|it| {
        std::iter::once(&it.number)
            .chain(&it.also)
            .map(move |number| (it, *number))
    });
    for (copied, number) in each {
        let (domain, root) = copy(domain, root);
        let faults = Faults::none();
        let admin = domain.connect("Administrator", &faults).await.unwrap();
        faults.add(faults.calls().len() + number, Fault::Kill(when));
        let survived = tokio::select! {
            () = run(&admin, root.path()) => true,
            () = faults.killed() => false,
        };
        drop(admin);
        let at = format!("{when:?} {number}");
        assert!(!survived, "{at}");
        let differences = State::of(&copied.domain).differences(&State::of(&domain));
        assert_eq!(differences, Vec::<String>::new(), "{at}");
        assert_eq!(names(copied.root.path()), names(root.path()), "{at}");
        let of = |root: &TempDir| -> Vec<_> {
            let all = journal::list(root.path()).unwrap().into_iter();
            all.map(|it| (it.id, it.state, it.changes)).collect()
        };
        assert_eq!(of(&copied.root), of(&root), "{at}");
    }
    found
}

#[tokio::test(start_paused = true)]
async fn a_copy_at_a_call_is_what_a_kill_there_leaves() {
    let case = Case::new(Verb::Import, false).await;
    let plan = case
        .plan(&case.admin().await, &Faults::none())
        .await
        .unwrap();
    let apply = async |admin: &DomainWriter, root: &Path| {
        run(&plan, admin, root).await.unwrap();
    };
    let empty = in_memory();
    are_kills(&case.domain, empty.path(), When::Before, apply).await;
    let mut found = are_kills(&case.domain, empty.path(), When::After, apply).await;
    // The roll-back of the one that has most to roll back.
    let last = found.iter().rposition(|it| {
        let operation = journal::list(it.root.path()).unwrap().pop();
        operation.is_some_and(|it| it.state == OperationState::Unfinished)
    });
    let it = found.swap_remove(last.unwrap());
    let back = async |admin: &DomainWriter, root: &Path| {
        let operation = journal::list(root).unwrap().remove(0);
        let options = ApplyOptions::in_folder(root.to_owned());
        roll_back(admin, &operation, &options).await.unwrap();
    };
    are_kills(&it.domain, it.root.path(), When::After, back).await;
}
