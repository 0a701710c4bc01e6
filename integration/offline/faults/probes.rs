//! gpoctl is killed while it tries permissions in the folder of a GPO, with a folder or with a file: `check` names what is left of
//! it, and the undo removes it.

use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::OverallStatus;
use gpoctl::message::{Code, StatusMessage};
use gpoctl::operations::check::check_domain;
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Fault, Faults, When};

use super::case::{Verb, guid, in_memory, run};
use super::sweep::{Ended, State, Trial, recover};

/// What `check` reports of files of an operation that did not finish.
async fn left_over(domain: &MemoryDomain) -> Vec<StatusMessage> {
    let none = Faults::none();
    let admin = domain.connect("Administrator", &none).await.unwrap();
    let report = check_domain(admin.session(), &Control::default()).await;
    let report = report.unwrap();
    let of_staging = |message: &&StatusMessage| message.code == Code::LeftoverStaging;
    report.all().filter(of_staging).cloned().collect()
}

/// The paths of entries with this in their names.
fn named(domain: &MemoryDomain, part: &str) -> Vec<String> {
    let snapshot = domain.sysvol().snapshot();
    let paths = snapshot.entries().map(|entry| entry.path.clone());
    paths.filter(|path| path.contains(part)).collect()
}

/// The calls of a verb by their names, once it is planned.
fn calls(trial: &Trial, operation: &str, object: &str) -> Vec<usize> {
    let numbers = trial.planning + 1..=trial.calls.len();
    let found: Vec<_> = numbers
        .filter(|number| {
            let call = &trial.calls[number - 1];
            call.operation == operation && call.object.ends_with(object)
        })
        .collect();
    assert!(!found.is_empty(), "{}", trial.case.name());
    found
}

/// The verbs that try permissions before they write.
const VERBS: [(Verb, bool); 7] = [
    (Verb::Create, false),
    (Verb::Import, false),
    (Verb::Restore, false),
    (Verb::RestoreDeleted, false),
    (Verb::CopyAcross, false),
    (Verb::Import, true),
    (Verb::Delete, true),
];

#[tokio::test(start_paused = true)]
async fn the_folder_of_a_killed_operation_is_named_and_removed() {
    for (verb, undo) in VERBS {
        let trial = Trial::new(verb, undo).await;
        for number in calls(&trial, "create_dir", "-new-probe") {
            let (domain, folder) = (trial.case.domain.copy(), in_memory());
            let kill = Fault::Kill(When::After);
            let ended = trial.run(&domain, folder.path(), number, kill, None).await;
            assert!(matches!(ended, Ended::Killed), "{verb:?}: {ended}");
            let [path] = &named(&domain, "-new-probe")[..] else {
                panic!("{verb:?}: it is not left");
            };
            let (_, name) = path.rsplit_once('\\').unwrap();
            let [message] = &left_over(&domain).await[..] else {
                panic!("{verb:?}: it is not named");
            };
            let place = message.place.as_ref().unwrap();
            assert_eq!(place.to_string(), name, "{verb:?}");
            // The command knows what to do with it, by the journal.
            assert_eq!(message.hint, None, "{verb:?}");
            let recovered = recover(&domain, folder.path(), None, &trial).await;
            assert_eq!(recovered.unwrap(), "rolled back", "{verb:?}");
            let differences = State::of(&domain).differences(&trial.old);
            assert_eq!(differences, [""; 0], "{verb:?}");
            assert!(left_over(&domain).await.is_empty(), "{verb:?}");
        }
    }
}

/// The server deletes the file when gpoctl is gone. One that it could not delete, because it ended itself, is named, is not in
/// the way of an import, and goes with its GPO.
#[tokio::test(start_paused = true)]
async fn the_file_of_a_killed_operation_is_deleted_by_the_server() {
    for (verb, undo) in VERBS {
        let trial = Trial::new(verb, undo).await;
        for number in calls(&trial, "probe_file_entries", "") {
            for when in [When::Before, When::After] {
                let (domain, folder) = (trial.case.domain.copy(), in_memory());
                let run = trial.run(&domain, folder.path(), number, Fault::Kill(when), None);
                let ended = run.await;
                assert!(matches!(ended, Ended::Killed), "{verb:?}: {ended}");
                let left = named(&domain, ".gpoctl-");
                assert_eq!(left, [""; 0], "{verb:?}");
            }
        }
    }

    let name = ".gpoctl-probe-5e0b4f2a8c1d4b7e9a602d3c4e5f6a01";
    let trial = Trial::new(Verb::Import, false).await;
    let of = trial.case.domain.directory().domain();
    // A new GPO has no folder yet when permissions are tried.
    for folder in [SysvolPath::gpo(of, guid()), SysvolPath::policies(of)] {
        let domain = trial.case.domain.copy();
        domain.sysvol().put_unsafe_name(&folder, name).unwrap();
        let [message] = &left_over(&domain).await[..] else {
            panic!("the file in {folder} is not named");
        };
        assert_eq!(message.place.as_ref().unwrap().to_string(), name);
        let hint = message.hint.as_deref().unwrap();
        assert!(hint.contains("remove it by hand"), "{hint}");
        let admin = domain.connect("Administrator", &Faults::none()).await;
        let journals = in_memory();
        let imported = run(&trial.planned, &admin.unwrap(), journals.path()).await;
        assert_eq!(imported.unwrap(), OverallStatus::Done);
        let differences = State::of(&domain).differences(&trial.new);
        assert_eq!(differences.len(), 1, "{differences:#?}");
        assert!(differences[0].contains(name), "{differences:#?}");
    }

    let trial = Trial::new(Verb::Delete, false).await;
    let of = trial.case.domain.directory().domain();
    let domain = trial.case.domain.copy();
    let folder = SysvolPath::gpo(of, guid());
    domain.sysvol().put_unsafe_name(&folder, name).unwrap();
    let admin = domain.connect("Administrator", &Faults::none()).await;
    let journals = in_memory();
    let deleted = run(&trial.planned, &admin.unwrap(), journals.path()).await;
    assert_eq!(deleted.unwrap(), OverallStatus::Done);
    assert!(State::of(&domain) == trial.new);
}
