//! A server that says it has made a change of a GPO, and has not: what is read back shows it, so that no operation is called done
//! that is not.

use gpoctl::ErrorKind;
use gpoctl::execute::OverallStatus;
use gpoctl::testing::faults::{Call, Fault};

use super::case::{Verb, in_memory};
use super::sweep::{Ended, State, Trial, recover, report};

/// Whether a call writes settings of a GPO. Permissions of files, the two empty containers of a new GPO, and what is removed after
/// the end are not read back.
fn writes_settings(call: &Call) -> bool {
    let operations = ["add", "modify", "delete", "rename", "swap", "write_new"];
    let is_container = ["CN=Machine,CN={", "CN=User,CN={"]
        .iter()
        .any(|container| call.object.starts_with(container));
    operations.contains(&call.operation) && call.object.contains('{') && !is_container
}

async fn point(trial: &Trial, number: usize) -> Option<String> {
    let (domain, folder) = (trial.case.domain.copy(), in_memory());
    let run = trial.run(&domain, folder.path(), number, Fault::Pretend, None);
    let ended = run.await;
    let state = State::of(&domain);
    let is_right = match &ended {
        Ended::With(Ok(OverallStatus::Done)) => state == trial.new,
        // What the server has made of it is for a person to look at.
        Ended::With(Err(error)) if error.kind() == ErrorKind::Incomplete => true,
        _ => {
            let _ = recover(&domain, folder.path(), None, trial).await;
            let state = State::of(&domain);
            let gpos: Vec<_> = trial.planned.gpos().map(|gpo| gpo.target.guid).collect();
            state == trial.old || state == trial.new || state.is_raised(&domain, &gpos, &trial.old)
        }
    };
    (!is_right).then(|| {
        let lines = State::of(&domain).differences(&trial.new);
        format!("{number}, {}: {ended}: {lines:#?}", trial.calls[number - 1])
    })
}

pub async fn sweep(verb: Verb, undo: bool) {
    let trial = Trial::new(verb, undo).await;
    let (mut points, mut failed) = (0, Vec::new());
    for number in trial.planning + 1..=trial.calls.len() {
        if writes_settings(&trial.calls[number - 1]) {
            points += 1;
            failed.extend(point(&trial, number).await);
        }
    }
    let name = format!("{} on a server that pretends", trial.case.name());
    report(&name, 1, points, &failed);
}
