//! The local disk becomes full in the middle: from a call on, no file of the process can grow, neither a journal nor a backup. The
//! domain is as before or as the verb leaves it, at once, and no client reads a mixture.
//!
//! The limit is that of a process (RLIMIT_FSIZE), so each verb runs in one of its own, which is this test once more.

use std::process::{Command, Stdio};

use gpoctl::ErrorKind;
use gpoctl::execute::{OverallStatus, clean_up, journal};
use gpoctl::progress::Control;
use gpoctl::testing::faults::{Fault, Faults};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::case::{Verb, in_memory};
use super::client_view::Client;
use super::sweep::{Ended, State, Trial, recover};

/// Says to the process which verb it runs.
const VERB: &str = "GPOCTL_TEST_LOCAL_DISK";

/// The largest size of a file that this process writes; `None` for any.
fn limit(bytes: Option<u64>) {
    let current = bytes.or(getrlimit(Resource::Fsize).maximum);
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
}

/// What is wrong when the disk is full at this call, if anything.
async fn point(trial: &Trial, number: usize) -> Option<String> {
    let (domain, folder) = (trial.case.domain.copy(), in_memory());
    let client = Client::new(&trial.views.0);
    let full = Fault::act(async { limit(Some(0)) });
    let ended = trial
        .run(&domain, folder.path(), number, full, Some(&client))
        .await;
    limit(None);
    let gpos: Vec<_> = trial.planned.gpos().map(|gpo| gpo.target.guid).collect();
    let fits = |state: &State| {
        *state == trial.old || *state == trial.new || state.is_raised(&domain, &gpos, &trial.old)
    };
    let state = State::of(&domain);
    let name = format!("{number}, {}: {ended}", trial.calls[number - 1]);
    let mixtures = client.mixtures();
    if !mixtures.is_empty() {
        return Some(format!("{name}: {mixtures:#?}"));
    }
    // Old files that could not be removed may be left.
    let left_over = matches!(ended, Ended::With(Ok(OverallStatus::Partial)));
    if !left_over && !fits(&state) {
        let lines = state.differences(&trial.old);
        return Some(format!("{name}: at once: {lines:#?}"));
    }
    // The journal may not say how it ended. What follows from that changes nothing, and comes to an end.
    let recovered = recover(&domain, folder.path(), Some(&client), trial).await;
    if let Err(error) = recovered {
        let operation = journal::list(folder.path()).unwrap().remove(0);
        let admin = domain.connect("Administrator", &Faults::none()).await;
        let closed = clean_up(&admin.unwrap(), &operation, &Control::default()).await;
        if error.kind() != ErrorKind::Incomplete || closed.is_err() {
            let closed = closed.map(drop).map_err(|error| error.to_string());
            return Some(format!("{name}: then {error}, then {closed:?}"));
        }
    }
    let state = State::of(&domain);
    (!fits(&state)).then(|| {
        let lines = state.differences(&trial.old);
        format!("{name}: in the end: {lines:#?}")
    })
}

async fn sweep(verb: Verb) {
    let trial = Trial::new(verb, false).await;
    let mut wrong = Vec::new();
    let points = trial.calls.len() - trial.planning;
    println!("{}: {points} points", trial.case.name());
    for number in trial.planning + 1..=trial.calls.len() {
        wrong.extend(point(&trial, number).await);
    }
    assert!(
        wrong.is_empty(),
        "{} failed\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Runs this test as another process, in which a write beyond the limit is an error and not the end of it.
fn in_a_process_of_its_own(test: &str) {
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(VERB, test)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    // The test was found, and has run its points.
    assert!(said.contains(" points\n"), "{said}");
    assert!(said.contains("test result: ok. 1 passed"), "{said}");
}

macro_rules! verbs {
    ($($name:ident: $verb:ident;)*) => {
        $(
            #[test]
            fn $name() {
                let test = concat!("faults::local_disk::", stringify!($name));
                if std::env::var_os(VERB).is_none() {
                    return in_a_process_of_its_own(test);
                }
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .start_paused(true)
                    .build()
                    .unwrap()
                    .block_on(sweep(Verb::$verb));
            }
        )*
    };
}

verbs! {
    import: Import;
    restore: Restore;
    restore_deleted: RestoreDeleted;
    copy_across: CopyAcross;
    delete: Delete;
    repair: Repair;
    several: Several;
}
