//! Two imports with different settings into one GPO, planned against the same state: wherever the first one pauses for the second
//! one, and that for the first one, the GPO has the settings of one of them in the end, and the other one is a conflict.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use gpoctl::execute::journal::{self, OperationState};
use gpoctl::execute::{OverallStatus, clean_up};
use gpoctl::plan::Plan;
use gpoctl::progress::Control;
use gpoctl::session::DomainWriter;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Call, Fault, Faults};
use gpoctl::{Error, ErrorKind};
use tokio::sync::Notify;

use super::case::{Case, Verb, guid, in_memory, run};
use super::sweep::{State, report};

/// The two plans, and what each of them makes alone.
struct Race {
    domain: MemoryDomain,
    old: State,
    plans: [Plan; 2],
    new: [State; 2],
    calls: [Vec<Call>; 2],
    /// How many calls it takes to connect.
    connecting: usize,
}

impl Race {
    async fn new() -> Self {
        let case = Case::new(Verb::Import, false).await;
        let admin = case.admin().await;
        let mut plans = Vec::new();
        let (mut new, mut calls, mut connecting) = (Vec::new(), Vec::new(), 0);
        for content in ["after", "theirs"] {
            let plan = case.plan_with(&admin, content).await.unwrap();
            let (domain, faults, folder) = (case.domain.copy(), Faults::none(), in_memory());
            let other = connect(&domain, &faults).await;
            connecting = faults.calls().len();
            run(&plan, &other, folder.path()).await.unwrap();
            plans.push(plan);
            new.push(State::of(&domain));
            calls.push(faults.calls().split_off(connecting));
        }
        Self {
            old: State::of(&case.domain),
            domain: case.domain.copy(),
            plans: plans.try_into().unwrap(),
            new: new.try_into().ok().unwrap(),
            calls: calls.try_into().unwrap(),
            connecting,
        }
    }

    /// The first operation stops before its call `one`, the second one runs until its call `two`; then the first one is completed, and
    /// then the second one. Returns what is wrong.
    async fn point(&self, one: usize, two: usize) -> Option<String> {
        let (domain, folders) = (self.domain.copy(), [in_memory(), in_memory()]);
        let (admins, faults) = two_admins(&domain).await;
        let stops =
            [(0, one), (1, two)].map(|(it, at)| Stop::before(&faults[it], self.connecting + at));
        let mut ends = [None, None];
        let mut first = pin!(run(&self.plans[0], &admins[0], folders[0].path()));
        let mut second = pin!(run(&self.plans[1], &admins[1], folders[1].path()));
        tokio::select! {
            end = &mut first => ends[0] = Some(end),
            () = stops[0].reached() => {}
        }
        tokio::select! {
            end = &mut second => ends[1] = Some(end),
            () = stops[1].reached() => {}
        }
        for (it, stop) in stops.iter().enumerate() {
            stop.release();
            if ends[it].is_none() {
                ends[it] = Some(match it {
                    0 => first.as_mut().await,
                    _ => second.as_mut().await,
                });
            }
        }
        let ends = ends.map(Option::unwrap);
        let wrong = self.wrong(&domain, &ends).or_else(|| {
            let states = folders.each_ref().map(|folder| {
                let operation = journal::list(folder.path()).unwrap().pop();
                operation.map(|it| it.state)
            });
            let ended = |(end, state): (&End, &Option<OperationState>)| match end {
                Ok(_) => *state == Some(OperationState::Done),
                Err(_) => state.is_none_or(|state| state == OperationState::Failed),
            };
            let fits = ends.iter().zip(&states).all(ended);
            (!fits).then(|| format!("the journals say {states:?}"))
        })?;
        let said = ends.map(|end| match end {
            Ok(status) => format!("{status:?}"),
            Err(error) => format!("{:?}: {error} ({})", error.kind(), hint(&error)),
        });
        let [one, two] = [&self.calls[0][one - 1], &self.calls[1][two - 1]];
        Some(format!(
            "the first before {one}, the second before {two}: {wrong}: {said:#?}"
        ))
    }

    /// The first operation stops before its first swap, the second one runs until its call `two`, at which its settings are live, and the
    /// first one goes on until its call `three`. There it waits, for a second or until the second one has ended.
    async fn late_point(
        &self,
        (two, is_complete): (usize, bool),
        three: usize,
        until_end: bool,
    ) -> Option<String> {
        let (domain, folders) = (self.domain.copy(), [in_memory(), in_memory()]);
        let (admins, faults) = two_admins(&domain).await;
        let first_swap = self.calls[0].iter().position(is_switch).unwrap() + 1;
        let begins = Stop::before(&faults[0], self.connecting + first_swap);
        let is_live = Arc::new(Stop::before(&faults[1], self.connecting + two));
        let ended = Arc::new(Notify::new());
        let (released, over) = (Arc::clone(&is_live), Arc::clone(&ended));
        faults[0].add(
            self.connecting + three,
            Fault::act(async move {
                released.release();
                match until_end {
                    true => over.notified().await,
                    false => tokio::time::sleep(Duration::from_secs(1)).await,
                }
            }),
        );
        let first = async {
            let end = run(&self.plans[0], &admins[0], folders[0].path()).await;
            is_live.release();
            end
        };
        let second = async {
            begins.reached().await;
            let mut run = pin!(run(&self.plans[1], &admins[1], folders[1].path()));
            let end = tokio::select! {
                end = &mut run => Some(end),
                () = is_live.reached() => None,
            };
            begins.release();
            let end = match end {
                Some(end) => end,
                None => run.await,
            };
            ended.notify_one();
            end
        };
        let (one, two_end) = tokio::join!(first, second);
        let ends = [one, two_end];
        let wrong = match (&ends, until_end) {
            // It cannot know what the first one will do. Its settings are complete, and its operation can be closed.
            ([Err(_), Err(error)], true) if error.kind() == ErrorKind::Incomplete => {
                let left = State::of(&domain).differences(&self.new[1]);
                let left: Vec<String> = left
                    .into_iter()
                    .filter(|line| !line.contains(".gpoctl-"))
                    .collect();
                let hint = hint(error);
                if !left.is_empty() {
                    Some(format!("{left:#?}"))
                } else if !hint.contains("gpoctl operations cleanup ") {
                    Some(format!("the hint is {hint}"))
                } else {
                    let operation = journal::list(folders[1].path()).unwrap().pop().unwrap();
                    clean_up(&admins[1], &operation, &Control::default())
                        .await
                        .unwrap();
                    let left = State::of(&domain);
                    let is_whole =
                        left == self.new[1] || left.is_raised(&domain, &[guid()], &self.new[1]);
                    (!is_whole).then(|| format!("{:#?}", left.differences(&self.new[1])))
                }
            }
            // What was complete before the first one switched stays, as soon as that one has noticed.
            (_, false) if is_complete && ends[1].is_err() => {
                Some("the second one gave up".to_owned())
            }
            _ => self.wrong(&domain, &ends),
        }?;
        let said = ends.map(|end| match end {
            Ok(status) => format!("{status:?}"),
            Err(error) => format!("{:?}: {error} ({})", error.kind(), hint(&error)),
        });
        let two = &self.calls[1][two - 1];
        Some(format!(
            "the second live before {two}, the first waits at its call {three}, {until_end}: {wrong}: {said:#?}"
        ))
    }

    /// What is wrong with these ends.
    fn wrong(&self, domain: &MemoryDomain, ends: &[End; 2]) -> Option<String> {
        let state = State::of(domain);
        let is = |wanted: &State| state == *wanted || state.is_raised(domain, &[guid()], wanted);
        let done = ends.each_ref().map(Result::is_ok);
        let fits = match done {
            [true, false] => is(&self.new[0]),
            [false, true] => is(&self.new[1]),
            [false, false] => is(&self.old),
            [true, true] => false,
        };
        if !fits {
            let all = [&self.old, &self.new[0], &self.new[1]];
            let nearest = all.map(|it| state.differences(it));
            let nearest = nearest.into_iter().min_by_key(Vec::len);
            return Some(format!("neither one nor the other: {nearest:#?}"));
        }
        let is_told = |end: &End| match end {
            Ok(status) => *status == OverallStatus::Done,
            Err(error) => error.kind() == ErrorKind::Conflict && has_next_step(error),
        };
        (!ends.iter().all(is_told)).then(|| "the loser is not told why".to_owned())
    }
}

type End = gpoctl::Result<OverallStatus>;

async fn two_admins(domain: &MemoryDomain) -> ([DomainWriter; 2], [Faults; 2]) {
    let faults = [Faults::none(), Faults::none()];
    let admins = [
        connect(domain, &faults[0]).await,
        connect(domain, &faults[1]).await,
    ];
    (admins, faults)
}

async fn connect(domain: &MemoryDomain, faults: &Faults) -> DomainWriter {
    domain.connect("Administrator", faults).await.unwrap()
}

fn hint(error: &Error) -> &str {
    error.hint().unwrap_or_default()
}

fn has_next_step(error: &Error) -> bool {
    hint(error).contains("make the plan again")
}

/// Where an operation waits for the other one.
struct Stop {
    reached: Arc<Notify>,
    released: Arc<Notify>,
}

impl Stop {
    fn before(faults: &Faults, number: usize) -> Self {
        let stop = Self {
            reached: Arc::default(),
            released: Arc::default(),
        };
        let (reached, released) = (Arc::clone(&stop.reached), Arc::clone(&stop.released));
        faults.add(
            number,
            Fault::act(async move {
                reached.notify_one();
                released.notified().await;
            }),
        );
        stop
    }

    async fn reached(&self) {
        self.reached.notified().await;
    }

    fn release(&self) {
        self.released.notify_one();
    }
}

fn is_switch(call: &Call) -> bool {
    call.operation == "swap"
}

fn is_renamed_away(call: &Call) -> bool {
    call.operation == "rename" && call.object.contains("-old-")
}

/// The numbers of the calls before which it makes a difference to the other operation whether this one stops there: the first one, and
/// from the last look on all but those that follow a call on what only this one has. Another operation does not see that.
fn stops(calls: &[Call]) -> Vec<usize> {
    let is_own = |call: &Call| call.object.contains(".gpoctl-") && !call.object.contains(" to ");
    let switch = calls.iter().position(is_switch).unwrap();
    let staged = calls[..switch].iter().rposition(is_own).unwrap();
    let mut stops = vec![1];
    stops.extend(
        (staged..calls.len())
            .filter(|it| !is_own(&calls[*it]))
            .map(|it| it + 1),
    );
    let cleaned = calls[switch..]
        .iter()
        .rposition(|call| !is_own(call))
        .unwrap();
    stops.push(switch + cleaned + 2);
    stops
}

/// One part of several of all pairs of stops.
pub async fn sweep(part: usize, parts: usize) {
    let race = Race::new().await;
    let (mut points, mut failed) = (0, Vec::new());
    let [first, second] = race.calls.each_ref().map(|calls| stops(calls));
    for one in first.iter().filter(|one| *one % parts == part) {
        for two in &second {
            points += 1;
            failed.extend(race.point(*one, *two).await);
        }
    }
    let name = format!("two imports, {} and {} stops", first.len(), second.len());
    report(&name, parts, points, &failed);
}

/// More than the calls with which it looks at what it has renamed.
const LOOKS: usize = 30;

/// The second operation becomes live while the first one is about to switch.
pub async fn sweep_late(part: usize, parts: usize) {
    let race = Race::new().await;
    let (mut points, mut failed) = (0, Vec::new());
    let [switching, calls] = race.calls.each_ref();
    let live = calls.iter().rposition(is_renamed_away).unwrap() + 1;
    let last_swap = calls.iter().rposition(is_switch).unwrap() + 1;
    // Before the last of its entries is renamed away, and of what follows, where the first one finds the same files.
    let lives: Vec<usize> = stops(calls)
        .into_iter()
        .filter(|it| *it > last_swap)
        .step_by(5)
        .collect();
    assert!(lives[0] <= live && lives.len() > 3, "{lives:?}, {live}");
    let swaps = switching.iter().filter(|call| is_switch(call)).count();
    let first = switching.iter().position(is_switch).unwrap() + 1;
    // It switches, looks, and switches back.
    let waits = first + 1..=first + LOOKS + 2 * swaps;
    for three in waits.filter(|three| three % parts == part) {
        for two in &lives {
            // While the second one is incomplete, the first one has to end.
            for until_end in [false, true].into_iter().take(1 + usize::from(*two > live)) {
                points += 1;
                failed.extend(race.late_point((*two, *two > live), three, until_end).await);
            }
        }
    }
    report("two imports, the second one live", parts, points, &failed);
}
