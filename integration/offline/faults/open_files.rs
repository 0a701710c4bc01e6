//! A client of the domain has something of the GPO open while a verb runs: a file below Machine, shared for deletion or not, GPT.INI,
//! or the folder Machine itself; on a server where that holds names, and on one where it does not. The clock is paused, so that
//! waiting takes no time and is measured exactly.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal::{self, OperationState, StoredOperation};
use gpoctl::execute::{ApplyOptions, OverallStatus, apply, clean_up, roll_back};
use gpoctl::progress::Control;
use gpoctl::session::DomainWriter;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Fault, Faults};
use gpoctl::testing::sysvol::{OpenFile, OpenFor, SharedFor, SysvolServer};
use gpoctl::{Error, ErrorKind};
use tokio::time::Instant;

use super::case::{Verb, gpo_of, guid, in_memory, run};
use super::client_view::Client;
use super::sweep::{State, Trial, recover};

const FILE: &str = r"Machine\Scripts\scripts.ini";
/// What is held open, and what the client that does so permits to others.
const HELD: [(&str, SharedFor); 4] = [
    (FILE, SharedFor::Everything),
    (FILE, SharedFor::ReadingAndWriting),
    ("GPT.INI", SharedFor::ReadingAndWriting),
    ("Machine", SharedFor::ReadingAndWriting),
];
/// Samba 4.17, and 4.22.
const SERVERS: [SysvolServer; 2] = [SysvolServer::Samba, SysvolServer::SambaHoldingNames];
/// The verbs that rename or delete what exists. Of a deletion, the undo creates everything.
const VERBS: [(Verb, bool); 7] = [
    (Verb::Import, false),
    (Verb::Restore, false),
    (Verb::Delete, false),
    (Verb::RepairGptIni, false),
    (Verb::Import, true),
    (Verb::Restore, true),
    (Verb::RepairGptIni, true),
];
/// After the second try, and before the third.
const SHORT: Duration = Duration::from_millis(100);
/// How long an operation waits.
const PATIENCE: Duration = Duration::from_secs(10);

fn path(domain: &MemoryDomain, path: &str) -> SysvolPath {
    SysvolPath::in_gpo(domain.directory().domain(), guid(), &path.parse().unwrap())
}

fn open(domain: &MemoryDomain, held: (&str, SharedFor)) -> OpenFile {
    let at = path(domain, held.0);
    let open = domain.sysvol().open(&at, OpenFor::Reading, held.1);
    open.unwrap()
}

/// What an open file does to a verb.
#[derive(Debug, PartialEq)]
enum Effect {
    Nothing,
    /// The new state is live, and the old one cannot be deleted.
    HoldsWhatIsOld,
    /// It cannot be done.
    Prevents,
}

fn effect(verb: Verb, held: (&str, SharedFor), server: SysvolServer) -> Effect {
    let holds_names = server != SysvolServer::Samba;
    match (verb, held.0) {
        (Verb::Delete, FILE) if !holds_names && held.1 == SharedFor::Everything => Effect::Nothing,
        (Verb::Delete, _) => Effect::HoldsWhatIsOld,
        (_, "GPT.INI") if holds_names => Effect::Prevents,
        (Verb::RepairGptIni, _) | (_, "GPT.INI") => Effect::Nothing,
        (_, "Machine") => Effect::Prevents,
        _ if holds_names => Effect::Prevents,
        // The folder is renamed; then a reader that shares the file for deletion does not keep the old one.
        _ if held.1 == SharedFor::Everything => Effect::Nothing,
        _ => Effect::HoldsWhatIsOld,
    }
}

/// One verb with one thing open on one server.
struct Setting<'a> {
    trial: &'a Trial,
    domain: MemoryDomain,
    folder: tempfile::TempDir,
    client: Client,
}

impl<'a> Setting<'a> {
    fn new(trial: &'a Trial, server: SysvolServer) -> Self {
        let domain = trial.case.domain.copy();
        domain.sysvol().set_server(server);
        Self {
            trial,
            domain,
            folder: in_memory(),
            client: Client::new(&trial.views.0),
        }
    }

    async fn admin(&self) -> DomainWriter {
        let none = Faults::none();
        self.domain.connect("Administrator", &none).await.unwrap()
    }

    /// Applies the plan, while a client looks at what it would read.
    async fn apply(&self) -> gpoctl::Result<OverallStatus> {
        let faults = Faults::none();
        self.apply_with(&faults).await
    }

    async fn apply_with(&self, faults: &Faults) -> gpoctl::Result<OverallStatus> {
        let gpo = gpo_of(&self.trial.planned);
        self.client
            .watch(&self.domain, gpo, &self.trial.views, faults, true);
        let admin = self.domain.connect("Administrator", faults).await.unwrap();
        run(&self.trial.planned, &admin, self.folder.path()).await
    }

    fn assert_state(&self, expected: &State, what: &str) {
        let differences = State::of(&self.domain).differences(expected);
        assert_eq!(differences, [""; 0], "{what}");
        assert_eq!(self.client.mixtures(), Vec::<String>::new(), "{what}");
    }

    async fn recover(&self) -> &'static str {
        let recovered = recover(
            &self.domain,
            self.folder.path(),
            Some(&self.client),
            self.trial,
        );
        recovered.await.unwrap()
    }
}

/// What the error of something that stayed open says.
fn assert_says(error: &Error, held: (&str, SharedFor), what: &str) {
    assert_eq!(error.kind(), ErrorKind::InUse, "{what}: {error}");
    assert_eq!(error.kind().exit_status(), 1);
    let text = error.to_string();
    assert!(
        text.starts_with("still in use after 10 s: "),
        "{what}: {text}"
    );
    let (name, words) = match held {
        (FILE, _) => ("Machine", "a client has a file below"),
        (name, _) => (name, "a client has "),
    };
    assert!(text.contains(words), "{what}: {text}");
    assert!(text.contains(&format!("\\{name} open (")), "{what}: {text}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("try again"), "{what}: {hint}");
    assert!(hint.contains("smbstatus -L"), "{what}: {hint}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_closed_again_delays_an_operation() {
    for (verb, undo) in VERBS {
        let trial = Trial::new(verb, undo).await;
        for server in SERVERS {
            for held in HELD {
                let what = format!("{}, {server:?}, {held:?}", trial.case.name());
                let setting = Setting::new(&trial, server);
                let file = open(&setting.domain, held);
                let begin = Instant::now();
                let closed = tokio::spawn(async move {
                    tokio::time::sleep(SHORT).await;
                    drop(file);
                });
                let status = setting.apply().await;
                let status = status.unwrap_or_else(|error| panic!("{what}: {error}"));
                let waited = begin.elapsed();
                assert_eq!(status, OverallStatus::Done, "{what}");
                let waits = effect(verb, held, server) != Effect::Nothing;
                assert_eq!(waited > SHORT, waits, "{what}: {waited:?}");
                assert!(waited < Duration::from_secs(1), "{what}: {waited:?}");
                closed.await.unwrap();
                setting.assert_state(&trial.new, &what);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_stays_open_ends_an_operation_without_a_change() {
    for (verb, undo) in VERBS {
        let trial = Trial::new(verb, undo).await;
        for server in SERVERS {
            for held in HELD {
                let what = format!("{}, {server:?}, {held:?}", trial.case.name());
                let setting = Setting::new(&trial, server);
                let file = open(&setting.domain, held);
                let begin = Instant::now();
                let ended = setting.apply().await;
                let waited = begin.elapsed();
                match effect(verb, held, server) {
                    Effect::Nothing => {
                        assert_eq!(ended.unwrap(), OverallStatus::Done, "{what}");
                        assert_eq!(waited, Duration::ZERO, "{what}");
                        setting.assert_state(&trial.new, &what);
                    }
                    Effect::HoldsWhatIsOld => {
                        assert_eq!(ended.unwrap(), OverallStatus::Partial, "{what}");
                        assert_eq!(waited.as_secs(), PATIENCE.as_secs(), "{what}");
                        let operation = journal::list(setting.folder.path()).unwrap().remove(0);
                        assert_eq!(operation.state, OperationState::LeftOver, "{what}");
                        let control = Control::default();
                        let left = clean_up(&setting.admin().await, &operation, &control).await;
                        let error = left.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::InUse, "{what}: {error}");
                        drop(file);
                        assert_eq!(setting.recover().await, "cleaned up", "{what}");
                        setting.assert_state(&trial.new, &what);
                    }
                    Effect::Prevents => {
                        assert_says(&ended.unwrap_err(), held, &what);
                        assert_eq!(waited.as_secs(), PATIENCE.as_secs(), "{what}");
                        setting.assert_state(&trial.old, &what);
                        assert_eq!(setting.recover().await, "failed", "{what}");
                        drop(file);
                        setting.assert_state(&trial.old, &what);
                    }
                }
            }
        }
    }
}

/// The time-out of the session is shorter than what an operation waits otherwise.
#[tokio::test(start_paused = true)]
async fn the_time_that_an_operation_waits_is_that_of_its_session() {
    let trial = Trial::new(Verb::Import, false).await;
    let setting = Setting::new(&trial, SysvolServer::SambaHoldingNames);
    let _file = open(&setting.domain, HELD[0]);
    let admin = setting.admin().await;
    let patience = Duration::from_secs(2);
    let begin = Instant::now();
    let ended = run(
        &trial.planned,
        &admin.with_patience(patience),
        setting.folder.path(),
    )
    .await;
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::InUse);
    assert_eq!(begin.elapsed(), patience);
    setting.assert_state(&trial.old, "2 s");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_waits_can_be_cancelled() {
    let trial = Trial::new(Verb::Import, false).await;
    let setting = Setting::new(&trial, SysvolServer::SambaHoldingNames);
    let _file = open(&setting.domain, HELD[0]);
    let admin = setting.admin().await;
    let control = Control::default();
    let cancellation = control.cancellation().clone();
    tokio::spawn(async move {
        tokio::time::sleep(SHORT).await;
        cancellation.cancel();
    });
    let plan = &trial.planned;
    let options = ApplyOptions::in_folder(setting.folder.path().to_owned()).control(control);
    let begin = Instant::now();
    let error = apply(&admin, plan, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert!(error.to_string().contains("a client has a file below"));
    assert_eq!(begin.elapsed().as_millis(), SHORT.as_millis());
    setting.assert_state(&trial.old, "cancelled");
}

/// An import whose last change is refused, after a client has opened one of the new files: GPT.INI is new already.
async fn import_that_is_rolled_back(setting: &Setting<'_>, held: Held) -> gpoctl::Result<()> {
    let trial = setting.trial;
    let number = |operation: &str, object: &str| {
        let found = trial.calls.iter().rposition(|call| {
            call.writes && call.operation == operation && call.object.ends_with(object)
        });
        trial.when_planned(found.unwrap() + 1)
    };
    let container = trial.case.domain.directory().base().gpo(guid()).to_string();
    let faults = Faults::at(number("modify", &container), Fault::Refuse);
    let (domain, opened) = (setting.domain.clone(), held);
    let client = async move {
        *opened.lock().unwrap() = Some(open(&domain, HELD[0]));
    };
    faults.add(number("rename", "GPT.INI"), Fault::act(client));
    let ended = setting.apply_with(&faults).await;
    assert_eq!(faults.pending(), 0);
    ended.map(drop)
}

type Held = Arc<Mutex<Option<OpenFile>>>;

fn unfinished(setting: &Setting<'_>) -> StoredOperation {
    let operation = journal::list(setting.folder.path()).unwrap().remove(0);
    assert_eq!(operation.state, OperationState::Unfinished);
    operation
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_waits_for_a_file_and_otherwise_changes_nothing() {
    let trial = Trial::new(Verb::Import, false).await;
    let is_old = |setting: &Setting<'_>| {
        let state = State::of(&setting.domain);
        let raised = state.is_raised(&setting.domain, &[guid()], &trial.old);
        assert!(raised, "{:#?}", state.differences(&trial.old));
        assert_eq!(setting.client.mixtures(), Vec::<String>::new());
    };

    // Closed again: rolled back.
    let setting = Setting::new(&trial, SysvolServer::SambaHoldingNames);
    let held = Held::default();
    let closing = held.clone();
    let closed = tokio::spawn(async move {
        while closing.lock().unwrap().is_none() {
            tokio::time::sleep(SHORT).await;
        }
        tokio::time::sleep(SHORT).await;
        closing.lock().unwrap().take();
    });
    let faults = import_that_is_rolled_back(&setting, held);
    let error = faults.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(
        error.hint().unwrap().contains("everything was rolled back"),
        "{error}"
    );
    closed.await.unwrap();
    is_old(&setting);

    // Never closed: the new settings stay, whole, until the operation is undone.
    let setting = Setting::new(&trial, SysvolServer::SambaHoldingNames);
    let held = Held::default();
    let begin = Instant::now();
    let ended = import_that_is_rolled_back(&setting, held.clone());
    let error = ended.await.unwrap_err();
    assert!(held.lock().unwrap().is_some());
    assert_eq!(begin.elapsed().as_secs(), PATIENCE.as_secs());
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert_eq!(error.kind().exit_status(), 3);
    assert!(
        error.to_string().contains("still in use after 10 s"),
        "{error}"
    );
    let hint = error.hint().unwrap();
    let next = "when no client has these files open, run: gpoctl operations undo ";
    assert!(hint.starts_with(next), "{hint}");
    assert_eq!(setting.client.mixtures(), Vec::<String>::new());
    let left = State::of(&setting.domain);
    let operation = unfinished(&setting);
    let options = ApplyOptions::in_folder(setting.folder.path().to_owned());
    let again = roll_back(&setting.admin().await, &operation, &options).await;
    let error = again.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    let hint = error.hint().unwrap();
    let next = "run this command again when no client has these files open";
    assert!(hint.starts_with(next), "{hint}");
    assert_eq!(State::of(&setting.domain).differences(&left), [""; 0]);
    unfinished(&setting);
    held.lock().unwrap().take();
    assert_eq!(setting.recover().await, "rolled back");
    is_old(&setting);
}
