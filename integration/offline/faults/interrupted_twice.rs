//! A roll-back is interrupted at any of its calls, and so is its repetition: the next one reaches the old state all the same, and
//! leaves nothing behind.

use gpoctl::execute::journal::{self, OperationState};
use gpoctl::execute::{ApplyOptions, roll_back};
use gpoctl::model::guid::Guid;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Fault, Faults, When};

use super::case::{Verb, in_memory};
use super::client_view::Client;
use super::sweep::{State, Trial, recover, report};

/// Of the calls of the second roll-back, every one of so many.
const STEP: usize = 3;

/// Rolls back until this call, and returns how many calls there were and whether it was interrupted.
async fn roll_back_until(
    domain: &MemoryDomain,
    root: &std::path::Path,
    number: Option<usize>,
) -> (usize, bool) {
    let faults = Faults::none();
    let admin = domain.connect("Administrator", &faults).await.unwrap();
    let connecting = faults.calls().len();
    if let Some(number) = number {
        faults.add(connecting + number, Fault::Kill(When::After));
    }
    let operation = journal::list(root).unwrap().remove(0);
    let options = ApplyOptions::in_folder(root.to_owned());
    let interrupted = tokio::select! {
        done = roll_back(&admin, &operation, &options) => {
            done.unwrap();
            false
        }
        () = faults.killed() => true,
    };
    (faults.calls().len() - connecting, interrupted)
}

/// Copies what an operation has left: the domain, and its journal.
fn copy(domain: &MemoryDomain, root: &std::path::Path) -> (MemoryDomain, tempfile::TempDir) {
    fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
        use std::fs::{DirBuilder, Permissions, set_permissions};
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                DirBuilder::new().mode(0o700).create(&to).unwrap();
                copy_folder(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), &to).unwrap();
                set_permissions(&to, Permissions::from_mode(0o600)).unwrap();
            }
        }
    }
    let folder = in_memory();
    copy_folder(root, folder.path());
    (domain.copy(), folder)
}

/// Why the end is not right, if it is not.
async fn wrong(
    trial: &Trial,
    gpos: &[Guid],
    domain: &MemoryDomain,
    root: &std::path::Path,
) -> Option<String> {
    let client = Client::new(&trial.views.0);
    let recovered = recover(domain, root, &client, trial).await;
    let state = State::of(domain);
    let is_old = state == trial.old || state.is_raised(domain, gpos, &trial.old);
    let ended = journal::list(root).unwrap().remove(0).state == OperationState::Failed;
    if is_old && ended && recovered.is_ok() {
        return None;
    }
    let recovered = recovered.map_err(|error| error.to_string());
    Some(format!(
        "{recovered:?}, {:#?}",
        state.differences(&trial.old)
    ))
}

/// The operation is killed right after the last of its calls that leaves it unfinished: from there, most has to be rolled back.
/// One part of several, so that all processors have something to do.
pub async fn sweep(verb: Verb, part: usize, parts: usize) {
    let trial = Trial::new(verb, false).await;
    let gpos: Vec<Guid> = trial.planned.gpos().map(|gpo| gpo.target.guid).collect();
    let (mut points, mut failed) = (0, Vec::new());
    let writes: Vec<usize> = (trial.planning + 1..=trial.calls.len())
        .filter(|number| trial.calls[number - 1].writes)
        .collect();
    for number in writes.into_iter().rev() {
        let (domain, folder) = (trial.case.domain.copy(), in_memory());
        let kill = Fault::Kill(When::After);
        trial.run(&domain, folder.path(), number, kill, None).await;
        let operation = journal::list(folder.path()).unwrap().pop();
        if operation.is_none_or(|it| it.state != OperationState::Unfinished) {
            continue;
        }
        for one in (1..).filter(|one| one % parts == part) {
            let (domain, folder) = copy(&domain, folder.path());
            if !roll_back_until(&domain, folder.path(), Some(one)).await.1 {
                break;
            }
            let begin = one % STEP + 1;
            for two in (begin..).step_by(STEP) {
                let (domain, folder) = copy(&domain, folder.path());
                let is_unfinished = || {
                    let operation = journal::list(folder.path()).unwrap().remove(0);
                    operation.state == OperationState::Unfinished
                };
                let interrupted =
                    is_unfinished() && roll_back_until(&domain, folder.path(), Some(two)).await.1;
                points += 1;
                let found = wrong(&trial, &gpos, &domain, folder.path()).await;
                let at = &trial.calls[number - 1];
                failed.extend(
                    found.map(|it| format!("{number}, {at}, then {one}, then {two}: {it}")),
                );
                if !interrupted {
                    break;
                }
            }
        }
        break;
    }
    let name = format!("{} rolled back in three attempts", trial.case.name());
    report(&name, parts, points, &failed);
}
