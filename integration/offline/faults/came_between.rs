//! Somebody else writes a file while an entry of the GPO's folder has been renamed away and the new one is not live yet. It is kept, and so
//! are the former files, as if it had been written after the operation was rolled back: also when the roll-back is interrupted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal::{self, OperationState, StoredOperation};
use gpoctl::execute::{ApplyOptions, OverallStatus, clean_up, roll_back};
use gpoctl::message::Code;
use gpoctl::plan::Plan;
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Call, Fault, Faults, When};
use gpoctl::testing::sysvol::{OpenFile, OpenFor, SharedFor, SysvolServer};
use gpoctl::{DomainWriter, Error, ErrorKind};

use super::case::{Case, Verb, guid, in_memory, run};
use super::kills::{Left, copy, kills};
use super::sweep::report;

/// In a folder that neither the former settings nor the new ones have.
const NEW: &str = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
/// In both, with other content.
const IN_BOTH: &str = r"Machine\Scripts\Startup\setup.cmd";
const OF_USER: &str = r"User\other.txt";
/// An entry that is a file.
const COMMENT: &str = "GPO.cmt";
const OTHER: &str = "of somebody else";
const KEPT: &str = "what somebody else wrote meanwhile is kept, over the former files";

/// The content of each file below `Policies`, and the folders, by the paths in lower case.
type Contents = BTreeMap<String, Option<Bytes>>;

fn contents(domain: &MemoryDomain) -> Contents {
    let files = domain.sysvol().snapshot();
    let entries = files.entries();
    entries
        .map(|entry| (entry.path.to_lowercase(), entry.content.clone()))
        .collect()
}

fn path(domain: &MemoryDomain, path: &str) -> SysvolPath {
    SysvolPath::in_gpo(domain.directory().domain(), guid(), &path.parse().unwrap())
}

/// A plan that switches entries, and the domain before it.
struct Setting {
    name: String,
    domain: MemoryDomain,
    plan: Plan,
}

impl Setting {
    async fn new(verb: Verb, undo: bool) -> Self {
        let case = Case::new(verb, undo).await;
        let plan = case.plan(&case.admin().await, &Faults::none()).await;
        Self {
            name: case.name(),
            plan: plan.unwrap(),
            domain: case.domain,
        }
    }

    /// A file of the GPO's own folder is replaced.
    async fn of_a_file() -> Self {
        let case = Case::new(Verb::Import, false).await;
        let comment = path(&case.domain, COMMENT);
        case.domain.sysvol().put_file(&comment, "former").unwrap();
        let plan = case.plan_with(&case.admin().await, "before").await;
        Self {
            name: "a file".to_owned(),
            plan: plan.unwrap(),
            domain: case.domain,
        }
    }

    /// What the names of its staging folders contain.
    fn tag(&self) -> &str {
        self.plan.operation_id.rsplit_once('-').unwrap().1
    }

    /// The calls when nothing comes between.
    async fn calls(&self) -> Vec<Call> {
        let (faults, domain) = (Faults::none(), self.domain.copy());
        let admin = domain.connect("Administrator", &faults).await.unwrap();
        run(&self.plan, &admin, in_memory().path()).await.unwrap();
        faults.calls()
    }

    /// The number of the first call that makes a new entry live.
    async fn first_switch(&self) -> usize {
        let calls = self.calls().await;
        calls.iter().position(|it| it.operation == "swap").unwrap() + 1
    }

    /// A copy of the domain in which somebody else writes these files between the renames of the switches of their entries.
    fn with(&self, files: &[&str]) -> MemoryDomain {
        let domain = self.domain.copy();
        for file in files {
            let at = path(&domain, file);
            domain.sysvol().write_between_renames(&at, OTHER);
        }
        domain
    }

    /// The files when somebody else has written these, and nobody anything else.
    fn with_others(&self, files: &[&str]) -> Contents {
        let domain = self.domain.copy();
        for file in files {
            let at = path(&domain, file);
            domain.sysvol().put_file(&at, OTHER).unwrap();
        }
        contents(&domain)
    }

    /// What is not as it was, beside what somebody else has written.
    fn wrong(&self, domain: &MemoryDomain, files: &[&str]) -> Option<String> {
        let (found, wanted) = (contents(domain), self.with_others(files));
        let differs =
            |(path, content): &(&String, &Option<Bytes>)| wanted.get(*path) != Some(*content);
        let other: Vec<_> = found.iter().filter(differs).collect();
        let is_missing = |path: &&String| !found.contains_key(*path);
        let missing: Vec<_> = wanted.keys().filter(is_missing).collect();
        let before = self.domain.directory().snapshot();
        let directory = domain.directory().snapshot().differences_from(&before);
        let is_right = other.is_empty() && missing.is_empty() && directory.is_empty();
        (!is_right).then(|| format!("{other:#?}, missing {missing:#?}, {directory:#?}"))
    }

    fn assert_right(&self, domain: &MemoryDomain, files: &[&str], what: &str) {
        assert_eq!(self.wrong(domain, files), None, "{}: {what}", self.name);
    }
}

async fn connect(domain: &MemoryDomain) -> DomainWriter {
    let none = Faults::none();
    domain.connect("Administrator", &none).await.unwrap()
}

fn operation(root: &Path) -> StoredOperation {
    journal::list(root).unwrap().remove(0)
}

async fn undo(domain: &MemoryDomain, root: &Path) -> gpoctl::Result<String> {
    let options = ApplyOptions::in_folder(root.to_owned());
    let done = roll_back(&connect(domain).await, &operation(root), &options).await?;
    let mut texts = done.messages.into_iter();
    let found = texts.find(|it| it.code == Code::RolledBack).unwrap();
    Ok(found.text)
}

fn assert_rolled_back(error: &Error, root: &Path, what: &str) {
    assert_eq!(error.kind(), ErrorKind::Conflict, "{what}: {error}");
    assert_eq!(error.kind().exit_status(), 1, "{what}");
    let text = error.to_string();
    assert!(
        text.contains("was changed by somebody else"),
        "{what}: {text}"
    );
    let hint = error.hint().unwrap();
    let words = format!("everything was rolled back; {KEPT}; review the GPO");
    assert!(hint.starts_with(&words), "{what}: {hint}");
    assert_eq!(operation(root).state, OperationState::Failed, "{what}");
}

#[tokio::test(start_paused = true)]
async fn what_came_is_kept_over_the_former_files() {
    for (verb, undo) in [
        (Verb::Import, false),
        (Verb::Restore, false),
        (Verb::Several, false),
        (Verb::Import, true),
        (Verb::Restore, true),
    ] {
        let setting = Setting::new(verb, undo).await;
        for files in [&[NEW][..], &[IN_BOTH], &[NEW, IN_BOTH], &[OF_USER]] {
            let (domain, root) = (setting.with(files), in_memory());
            let ended = run(&setting.plan, &connect(&domain).await, root.path()).await;
            let what = format!("{}, {files:?}", setting.name);
            assert_rolled_back(&ended.unwrap_err(), root.path(), &what);
            setting.assert_right(&domain, files, &what);
        }
    }
    let setting = Setting::of_a_file().await;
    let (domain, root) = (setting.with(&[COMMENT]), in_memory());
    let ended = run(&setting.plan, &connect(&domain).await, root.path()).await;
    assert_rolled_back(&ended.unwrap_err(), root.path(), COMMENT);
    setting.assert_right(&domain, &[COMMENT], COMMENT);
}

/// An entry that the plan only removes is written again, and then the operation fails.
#[tokio::test(start_paused = true)]
async fn what_came_again_is_kept_when_its_removal_is_rolled_back() {
    let setting = Setting::new(Verb::Import, false).await;
    let calls = setting.calls().await;
    let number = |is: &dyn Fn(&Call) -> bool| calls.iter().position(is).unwrap() + 1;
    let away = number(&|it| it.operation == "rename" && it.object.contains("-old-GPO.cmt"));
    let renamed = number(&|it| it.operation == "rename" && it.object.ends_with(r"\GPT.INI"));
    let (domain, root) = (setting.domain.copy(), in_memory());
    let (other, at) = (domain.clone(), path(&domain, COMMENT));
    let act = async move { other.sysvol().put_file(&at, OTHER).unwrap() };
    let faults = Faults::at(away + 1, Fault::act(act));
    faults.add(renamed, Fault::Refuse);
    let admin = domain.connect("Administrator", &faults).await.unwrap();
    let error = run(&setting.plan, &admin, root.path()).await.unwrap_err();
    assert_eq!(faults.pending(), 0);
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains(KEPT), "{hint}");
    setting.assert_right(&domain, &[COMMENT], "removed");
}

/// The roll-back is interrupted after any of its calls, and its repetition after some of them.
async fn sweep(setting: &Setting, files: &[&str], step: usize) {
    let none = in_memory();
    let apply = async |admin: &DomainWriter, root: &Path| {
        run(&setting.plan, admin, root).await.unwrap_err();
    };
    let begun = setting.with(files);
    let (all, _) = kills(&begun, none.path(), When::After, |_| true, apply).await;
    let (mut points, mut failed) = (0, Vec::new());
    let has_come = |left: &Left| {
        let live = contents(&left.domain);
        let is_other = |content: &Option<Bytes>| content.as_deref() == Some(OTHER.as_bytes());
        let count = live.values().filter(|it| is_other(it)).count();
        count == files.len()
    };
    let is_unfinished =
        |left: &Left| operation(left.root.path()).state == OperationState::Unfinished;
    for first in all.into_iter().filter(has_come) {
        let begin = first.number % step + 1;
        let is_wanted = move |two: usize| two >= begin && (two - begin).is_multiple_of(step);
        let mut seconds = Vec::new();
        if is_unfinished(&first) {
            let again = async |admin: &DomainWriter, root: &Path| {
                let options = ApplyOptions::in_folder(root.to_owned());
                // What is wrong with its end is found below.
                let _ = roll_back(admin, &operation(root), &options).await;
            };
            let (domain, root) = (&first.domain, first.root.path());
            let (found, whole) = kills(domain, root, When::After, is_wanted, again).await;
            seconds = found;
            seconds.push(whole);
        } else {
            let (domain, root) = copy(&first.domain, first.root.path());
            seconds.push(Left {
                number: 0,
                also: Vec::new(),
                domain,
                root,
            });
        }
        for second in seconds {
            points += second.calls();
            let (domain, root) = (&second.domain, second.root.path());
            let recovered = match is_unfinished(&second) {
                true => undo(domain, root).await.map_err(|error| error.to_string()),
                false => Ok(String::new()),
            };
            let is_closed = operation(root).state == OperationState::Failed;
            let wrong = setting.wrong(domain, files);
            if recovered.is_err() || !is_closed || wrong.is_some() {
                let (one, two) = (first.number, second.number);
                failed.push(format!("{one}, then {two}: {recovered:?}, {wrong:?}"));
            }
        }
    }
    let name = format!("{}, {files:?} between the renames", setting.name);
    report(&name, 1, points, &failed);
    assert!(points > 20, "{points}");
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_that_is_interrupted_keeps_it_as_well() {
    let setting = Setting::new(Verb::Import, false).await;
    sweep(&setting, &[NEW, IN_BOTH], 7).await;
}

#[tokio::test(start_paused = true)]
async fn so_does_one_of_an_undo() {
    let setting = Setting::new(Verb::Import, true).await;
    sweep(&setting, &[OF_USER], 9).await;
}

#[tokio::test(start_paused = true)]
async fn so_does_one_of_a_file() {
    sweep(&Setting::of_a_file().await, &[COMMENT], 5).await;
}

/// A client has the other's file open where that holds names.
#[tokio::test(start_paused = true)]
async fn a_roll_back_waits_until_it_is_closed() {
    type Held = Arc<Mutex<Option<OpenFile>>>;
    let setting = Setting::new(Verb::Import, false).await;
    let switch = setting.first_switch().await;
    for closes in [true, false] {
        let (domain, root) = (setting.with(&[NEW]), in_memory());
        domain.sysvol().set_server(SysvolServer::SambaHoldingNames);
        let held = Held::default();
        let (opening, other) = (held.clone(), domain.clone());
        let client = async move {
            let at = path(&other, NEW);
            let file = other
                .sysvol()
                .open(&at, OpenFor::Reading, SharedFor::Everything);
            *opening.lock().unwrap() = Some(file.unwrap());
        };
        let faults = Faults::at(switch + 1, Fault::act(client));
        let admin = domain.connect("Administrator", &faults).await.unwrap();
        let closing = held.clone();
        if closes {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                closing.lock().unwrap().take().unwrap();
            });
        }
        let error = run(&setting.plan, &admin, root.path()).await.unwrap_err();
        assert_eq!(faults.pending(), 0);
        if closes {
            assert_rolled_back(&error, root.path(), "closed");
        } else {
            assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
            let text = error.to_string();
            assert!(text.contains("still in use after 10 s"), "{text}");
            // Nothing of it is anywhere else, and the former files are together.
            let left = contents(&domain);
            let is_there = |name: &str| {
                let name = format!("{}\\{name}", guid()).to_lowercase();
                left.contains_key(&name)
            };
            assert!(is_there(NEW));
            let old = format!(".gpoctl-{}-old-{IN_BOTH}", setting.tag());
            assert!(is_there(&old), "{old}: {left:#?}");
            held.lock().unwrap().take().unwrap();
            let text = undo(&domain, root.path()).await.unwrap();
            assert_eq!(text, format!("everything was rolled back; {KEPT}"));
        }
        setting.assert_right(&domain, &[NEW], "closed");
    }
}

/// Where it cannot be put over the former entry, it stays, and so does that beside it.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_put_over_the_former_files_is_left() {
    let setting = Setting::new(Verb::Import, false).await;
    let id = setting.tag();
    let other = |path: &str| -> (String, Option<Bytes>) {
        let path = format!("{}\\{path}", guid()).to_lowercase();
        (path, Some(Bytes::from_static(OTHER.as_bytes())))
    };
    let (former, file) = (format!(".gpoctl-{id}-old-Machine"), r"Machine\Scripts");
    let aside = format!(".gpoctl-{id}-aside-Machine");
    for (files, at, words) in [
        // A file in the place of the entry, or of a folder in it.
        (
            &["Machine"][..],
            "Machine".to_owned(),
            format!("kept beside it as {former}"),
        ),
        (
            &[file, NEW],
            format!(r"{aside}\Scripts"),
            format!("kept beside it as {aside}"),
        ),
    ] {
        let (domain, root) = (setting.with(files), in_memory());
        let ended = run(&setting.plan, &connect(&domain).await, root.path()).await;
        let error = ended.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
        assert!(error.to_string().contains(&words), "{error}");
        let left = contents(&domain);
        let (at, content) = other(&at);
        assert_eq!(left.get(&at), Some(&content), "{left:#?}");
        assert_eq!(left.contains_key(&other(NEW).0), files.len() > 1);
        // What is kept for its writer is deleted only by who closes the operation.
        let again = undo(&domain, root.path()).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Incomplete, "{again}");
        assert_eq!(contents(&domain), left);
        let control = Control::default();
        let closed = clean_up(&connect(&domain).await, &operation(root.path()), &control).await;
        assert_eq!(closed.unwrap().status, OverallStatus::Done);
        let left = contents(&domain);
        assert!(!left.keys().any(|it| it.contains(".gpoctl-")), "{left:#?}");
    }
}

/// An import that was killed when something had come, and was not rolled back before somebody else has written this file.
async fn is_left_beside(file: &str, content: &'static str) {
    let setting = Setting::new(Verb::Import, false).await;
    let (begun, none) = (setting.with(&[NEW]), in_memory());
    let apply = async |admin: &DomainWriter, root: &Path| {
        run(&setting.plan, admin, root).await.unwrap_err();
    };
    let (all, _) = kills(&begun, none.path(), When::After, |_| true, apply).await;
    let at = |name: &str| format!("{}\\{name}", guid()).to_lowercase();
    let has_come = |left: &Left| contents(&left.domain).contains_key(&at(NEW));
    let left = all.into_iter().find(has_come).unwrap();
    let (domain, root) = (&left.domain, left.root.path());
    let other = path(domain, file);
    domain.sysvol().put_file(&other, content).unwrap();
    let error = undo(domain, root).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert!(error.to_string().contains("kept beside it"), "{error}");
    let found = contents(domain);
    assert!(found.contains_key(&at(NEW)), "{found:#?}");
    assert!(!found.contains_key(&at(IN_BOTH)), "{found:#?}");
}

/// What came may be that of another operation, which still works there.
#[tokio::test(start_paused = true)]
async fn what_may_be_of_another_operation_is_left() {
    is_left_beside(r".gpoctl-ffffffff-new-User\other.txt", OTHER).await;
}

/// What came may be a policy of its own, and is not mixed with the former one.
#[tokio::test(start_paused = true)]
async fn what_came_with_a_later_version_is_left() {
    is_left_beside("GPT.INI", "[General]\r\nVersion=6553700\r\n").await;
}

/// And once more, while the roll-back makes the former entry live again.
#[tokio::test(start_paused = true)]
async fn what_came_twice_is_kept_as_well() {
    let setting = Setting::new(Verb::Import, false).await;
    let switch = setting.first_switch().await;
    let (domain, root) = (setting.with(&[NEW, IN_BOTH]), in_memory());
    let other = domain.clone();
    let act = async move {
        for (file, content) in [(IN_BOTH, "later"), (r"Machine\later.txt", "later")] {
            let at = path(&other, file);
            other.sysvol().write_between_renames(&at, content);
        }
    };
    let faults = Faults::at(switch + 1, Fault::act(act));
    let admin = domain.connect("Administrator", &faults).await.unwrap();
    let error = run(&setting.plan, &admin, root.path()).await.unwrap_err();
    assert_eq!(faults.pending(), 0);
    assert_rolled_back(&error, root.path(), "twice");
    let mut wanted = setting.with_others(&[NEW]);
    for file in [IN_BOTH, r"Machine\later.txt"] {
        let at = format!("{}\\{file}", guid()).to_lowercase();
        wanted.insert(at, Some(Bytes::from_static(b"later")));
    }
    assert_eq!(contents(&domain), wanted);
}

/// The new entry was live, and something comes while it is renamed away again.
#[tokio::test(start_paused = true)]
async fn what_comes_while_it_is_rolled_back_is_kept() {
    let setting = Setting::new(Verb::Import, false).await;
    let calls = setting.calls().await;
    let is_last = |it: &Call| it.operation == "rename" && it.object.ends_with(r"\GPT.INI");
    let number = calls.iter().position(is_last).unwrap() + 1;
    let (domain, root) = (setting.domain.copy(), in_memory());
    let other = domain.clone();
    let act = async move {
        let at = path(&other, NEW);
        other.sysvol().write_between_renames(&at, OTHER);
    };
    let faults = Faults::at(number - 1, Fault::act(act));
    faults.add(number, Fault::Refuse);
    let admin = domain.connect("Administrator", &faults).await.unwrap();
    let error = run(&setting.plan, &admin, root.path()).await.unwrap_err();
    assert_eq!(faults.pending(), 0);
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.hint().unwrap().contains(KEPT), "{error:?}");
    setting.assert_right(&domain, &[NEW], "rolled back");
}

/// An entry that the plan only adds is made by somebody else just before.
#[tokio::test(start_paused = true)]
async fn an_entry_that_came_before_a_new_one_is_left() {
    let setting = Setting::new(Verb::Import, true).await;
    let calls = setting.calls().await;
    let is_added = |it: &Call| it.operation == "swap" && it.object.ends_with(COMMENT);
    let number = calls.iter().position(is_added).unwrap() + 1;
    let (domain, root) = (setting.domain.copy(), in_memory());
    let (other, at) = (domain.clone(), path(&domain, COMMENT));
    let act = async move { other.sysvol().put_file(&at, OTHER).unwrap() };
    let faults = Faults::at(number, Fault::act(act));
    let admin = domain.connect("Administrator", &faults).await.unwrap();
    let error = run(&setting.plan, &admin, root.path()).await.unwrap_err();
    assert_eq!(faults.pending(), 0);
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(operation(root.path()).state, OperationState::Failed);
    setting.assert_right(&domain, &[COMMENT], "added");
}
