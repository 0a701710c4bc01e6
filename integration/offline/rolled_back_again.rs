//! A roll-back of settings of which somebody else has changed a part, interrupted at any of its calls: the next attempt ends as one that
//! is not interrupted, and does not take what the first attempt has restored for somebody else's.

use std::path::Path;

use gpoctl::DomainWriter;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal::{self, OperationState};
use gpoctl::execute::{ApplyOptions, roll_back};
use gpoctl::testing::faults::{Faults, When};

use crate::faults::case::{Case, Verb, guid};
use crate::faults::kills::{Left, calls, copy, kills, kills_of};
use crate::faults::sweep::State;

/// Rolls back as far as others have left it.
async fn back(admin: &DomainWriter, root: &Path) -> Result<(), String> {
    let operation = journal::list(root).unwrap().remove(0);
    if operation.state != OperationState::Unfinished {
        return Ok(());
    }
    let options = ApplyOptions::in_folder(root.to_owned());
    let outcome = roll_back(admin, &operation, &options).await;
    outcome.map(drop).map_err(|error| error.to_string())
}

/// The import, killed at the last of its calls that leaves it unfinished.
async fn killed(case: &Case) -> Left {
    let (_, mut all) = kills_of(case, When::After).await;
    let last = all.iter().rposition(|left| {
        let operation = journal::list(left.root.path()).unwrap().pop();
        operation.is_some_and(|it| it.state == OperationState::Unfinished)
    });
    all.swap_remove(last.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_part_that_somebody_else_has_changed() {
    let case = Case::new(Verb::Import, false).await;
    let left = killed(&case).await;
    for name in [
        r"Machine\theirs.txt",
        r"User\theirs.txt",
        r"Machine\Scripts\Startup\setup.cmd",
        r"User\Documents & Settings\note.txt",
    ] {
        let (domain, root) = copy(&left.domain, left.root.path());
        let path = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &name.parse().unwrap());
        domain.sysvol().put_file(&path, "theirs").unwrap();
        let mut said = Ok(());
        let once = async |admin: &DomainWriter, root: &Path| said = back(admin, root).await;
        let (all, whole) = kills(&domain, root.path(), When::After, |_| true, once).await;
        let wanted = State::of(&whole.domain);
        assert!(wanted != State::of(&domain), "{name}");
        println!("{name}: {} kills, {said:?}", calls(&all));
        assert!(calls(&all) > 30, "{name}: {}", calls(&all));
        for interrupted in all {
            let none = Faults::none();
            let admin = interrupted.domain.connect("Administrator", &none);
            let again = back(&admin.await.unwrap(), interrupted.root.path()).await;
            let at = format!("{name}, interrupted at {}", interrupted.number);
            assert_eq!(again.is_ok(), said.is_ok(), "{at}: {again:?}, {said:?}");
            let state = State::of(&interrupted.domain);
            // Each attempt that writes the version again raises it.
            let is_same =
                state == wanted || state.is_raised(&interrupted.domain, &[guid()], &wanted);
            assert!(
                is_same,
                "{at}: {again:?}, {:#?}",
                state.differences(&wanted)
            );
        }
    }
}
