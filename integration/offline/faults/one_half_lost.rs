//! The connection to one half is lost, and the other one still answers: what can then no longer be undone as a whole is not undone in
//! part.

use gpoctl::testing::faults::{Fault, When};

use super::case::Verb;
use super::sweep::{Trial, report};

pub async fn sweep(verb: Verb, undo: bool) {
    let trial = Trial::new(verb, undo).await;
    let (mut points, mut failed) = (0, Vec::new());
    for number in trial.planning + 1..=trial.calls.len() {
        points += 1;
        failed.extend(
            trial
                .point(number, Fault::DisconnectHalf(When::Before))
                .await,
        );
    }
    let name = format!("{} with one half lost", trial.case.name());
    report(&name, 1, points, &failed);
}
