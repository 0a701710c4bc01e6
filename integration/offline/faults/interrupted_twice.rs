//! A roll-back is interrupted at any of its calls, and so is its repetition: the next one reaches the old state all the same, and
//! leaves nothing behind.

use std::path::Path;

use gpoctl::DomainWriter;
use gpoctl::execute::journal::{self, OperationState};
use gpoctl::execute::{ApplyOptions, roll_back};
use gpoctl::model::guid::Guid;
use gpoctl::testing::faults::When;

use super::case::{Verb, in_memory, run};
use super::kills::{Left, copy, kills};
use super::sweep::{State, Trial, recover, report};

/// Of the calls of the second roll-back, every one of so many.
const STEP: usize = 3;

async fn roll_back_whole(admin: &DomainWriter, root: &Path) {
    let operation = journal::list(root).unwrap().remove(0);
    let options = ApplyOptions::in_folder(root.to_owned());
    roll_back(admin, &operation, &options).await.unwrap();
}

fn is_unfinished(left: &Left) -> bool {
    let operation = journal::list(left.root.path()).unwrap().pop();
    operation.is_some_and(|it| it.state == OperationState::Unfinished)
}

/// Where the second roll-back is interrupted after this call of the first one, and that it was not in the end.
async fn interrupted_again(first: &Left) -> Vec<Left> {
    let begin = first.number % STEP + 1;
    let is_wanted = move |two: usize| two >= begin && (two - begin).is_multiple_of(STEP);
    if !is_unfinished(first) {
        let (domain, root) = copy(&first.domain, first.root.path());
        return vec![Left {
            number: begin,
            also: Vec::new(),
            domain,
            root,
        }];
    }
    let (domain, root) = (&first.domain, first.root.path());
    let (mut all, whole) = kills(domain, root, When::After, is_wanted, roll_back_whole).await;
    all.push(whole);
    all
}

/// Why the end is not right, if it is not.
async fn wrong(trial: &Trial, gpos: &[Guid], left: &Left) -> Option<String> {
    let (domain, root) = (&left.domain, left.root.path());
    let recovered = recover(domain, root, None, trial).await;
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
    let calls = trial.calls[trial.planning..].to_vec();
    let writes: Vec<bool> = calls.iter().map(|call| call.writes).collect();
    let (written, _) = kills(
        &trial.case.domain,
        in_memory().path(),
        When::After,
        move |number| writes[number - 1],
        async |admin: &DomainWriter, root: &Path| {
            run(&trial.planned, admin, root).await.unwrap();
        },
    )
    .await;
    let killed = written.into_iter().rfind(is_unfinished).unwrap();
    let at = &calls[killed.number - 1];
    let (domain, root) = (&killed.domain, killed.root.path());
    let is_of_part = move |one: usize| one % parts == part;
    let (firsts, _) = kills(domain, root, When::After, is_of_part, roll_back_whole).await;
    for first in firsts {
        for second in interrupted_again(&first).await {
            points += second.calls();
            let found = wrong(&trial, &gpos, &second).await;
            let (one, two) = (first.number, second.number);
            failed.extend(found.map(|it| format!("{at}, then {one}, then {two}: {it}")));
        }
    }
    let name = format!("{} rolled back in three attempts", trial.case.name());
    report(&name, parts, points, &failed);
}
