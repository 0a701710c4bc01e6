//! Two imports with different settings into one GPO, planned against the same state: wherever the first one pauses for the second
//! one, and that for the first one, the GPO has the settings of one of them in the end, and the other one is a conflict.

use std::pin::pin;
use std::sync::Arc;

use gpoctl::execute::OverallStatus;
use gpoctl::execute::journal::{self, OperationState};
use gpoctl::plan::Plan;
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
        let domain = self.domain.copy();
        let folders = [in_memory(), in_memory()];
        let faults = [Faults::none(), Faults::none()];
        let admins = [
            connect(&domain, &faults[0]).await,
            connect(&domain, &faults[1]).await,
        ];
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

/// The numbers of the calls before which it makes a difference to the other operation whether this one stops there: the first one, and
/// from the last look on all but those that follow a call on what only this one has. Another operation does not see that.
fn stops(calls: &[Call]) -> Vec<usize> {
    let is_own = |call: &Call| call.object.contains(".gpoctl-") && !call.object.contains(" to ");
    let is_switch = |call: &Call| call.operation == "swap";
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
