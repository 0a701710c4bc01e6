//! A fault at every call of a verb: whatever happens, the domain is as before or as the verb leaves it, at once or after what a
//! person does next, and no client reads a mixture.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use gpoctl::execute::journal::{self, OperationState};
use gpoctl::execute::{ApplyOptions, OverallStatus, clean_up, roll_back};
use gpoctl::formats::gpt_ini;
use gpoctl::model::guid::Guid;
use gpoctl::model::version::GpoVersion;
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::progress::Control;
use gpoctl::testing::directory::DirectorySnapshot;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Call, Fault, Faults, When};
use gpoctl::testing::sysvol::SysvolSnapshot;
use gpoctl::{DomainWriter, ErrorKind};

use gpoctl::plan::{Mode, Plan};

use super::case::{Case, Verb, gpo_of, guid, in_memory, run};
use super::client_view::{Client, View, mixture, view_of};
use super::kills::{Left, calls as calls_of, kills};

/// The state of a domain.
#[derive(PartialEq, Clone)]
pub struct State(DirectorySnapshot, SysvolSnapshot);

impl State {
    pub fn of(domain: &MemoryDomain) -> Self {
        Self(domain.directory().snapshot(), domain.sysvol().snapshot())
    }

    pub fn differences(&self, other: &Self) -> Vec<String> {
        [
            self.0.differences_from(&other.0),
            self.1.differences_from(&other.1),
        ]
        .concat()
    }

    /// Whether what is different is only the versions of GPOs, each the same in both halves: a roll-back after clients may have read
    /// the new one raises it, so that they read the old settings again.
    pub fn is_raised(&self, domain: &MemoryDomain, gpos: &[Guid], old: &Self) -> bool {
        let lines = self.differences(old);
        let mut explained = 0;
        for gpo in gpos {
            let of_gpo = |line: &&String| place(line).contains(&gpo.to_string());
            let own: Vec<&String> = lines.iter().filter(of_gpo).collect();
            if own.is_empty() {
                continue;
            }
            if !self.is_version_alone(domain, *gpo, &own) {
                return false;
            }
            explained += own.len();
        }
        explained > 0 && explained == lines.len()
    }

    fn is_version_alone(&self, domain: &MemoryDomain, gpo: Guid, differences: &[&String]) -> bool {
        let entry = self.0.entry(&domain.directory().base().gpo(gpo));
        let gpt_ini = self.1.entry(&format!(r"{gpo}\GPT.INI"));
        let (Some(entry), Some(gpt_ini)) = (entry, gpt_ini) else {
            return false;
        };
        let number: i32 = entry.text("versionNumber").unwrap().parse().unwrap();
        let version = GpoVersion::from_combined(number.cast_unsigned());
        let of_file = gpt_ini::read_version(gpt_ini.content.as_ref().unwrap()).unwrap();
        let is_version = |line: &&String| {
            line.contains(": versionNumber ") || line.starts_with(&format!("! {gpo}\\GPT.INI: "))
        };
        differences.len() == 2 && differences.iter().all(is_version) && of_file == Some(version)
    }

    /// What is different, by the object that it is of.
    fn differences_by_object(&self, other: &Self, gpos: &[Guid]) -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in self.differences(other) {
            let place = place(&line);
            let gpo = gpos.iter().find(|gpo| place.contains(&gpo.to_string()));
            let object = gpo.map_or_else(|| place.to_owned(), Guid::to_string);
            found.entry(object).or_default().push(line);
        }
        found
    }
}

/// Where a difference is.
fn place(line: &str) -> &str {
    line.split(": ").next().unwrap_or_default()
}

/// How a run ended.
pub enum Ended {
    Killed,
    With(gpoctl::Result<OverallStatus>),
}

impl Ended {
    pub fn is_incomplete(&self) -> bool {
        match self {
            Self::Killed => true,
            Self::With(Ok(status)) => *status == OverallStatus::Partial,
            Self::With(Err(error)) => error.kind() == ErrorKind::Incomplete,
        }
    }

    pub fn is_ok(&self) -> bool {
        matches!(self, Self::With(Ok(_)))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Killed => f.write_str("killed"),
            Self::With(Ok(status)) => write!(f, "{status:?}"),
            Self::With(Err(error)) => write!(f, "{:?}: {error}", error.kind()),
        }
    }
}

/// A case that was run once without a fault.
pub struct Trial {
    pub case: Case,
    /// What the run was: a plan is made once, and applied to each copy of the domain.
    pub planned: Plan,
    pub calls: Vec<Call>,
    /// How many calls it takes to connect, and to connect and plan.
    connecting: usize,
    pub planning: usize,
    pub old: State,
    pub new: State,
    pub views: Arc<(View, View)>,
}

impl Trial {
    pub async fn new(verb: Verb, undo: bool) -> Self {
        let case = Case::new(verb, undo).await;
        let old = State::of(&case.domain);
        let domain = case.domain.copy();
        let faults = Faults::none();
        let admin = domain.connect("Administrator", &faults).await.unwrap();
        let connecting = faults.calls().len();
        let planned = case.plan(&admin, &faults).await.unwrap();
        let planning = faults.calls().len();
        let folder = in_memory();
        let gpo = gpo_of(&planned);
        let before = view_of(&domain, gpo);
        let status = run(&planned, &admin, folder.path()).await.unwrap();
        assert_eq!(status, OverallStatus::Done);
        let views = Arc::new((before, view_of(&domain, gpo)));
        let trial = Self {
            calls: faults.calls(),
            connecting,
            planning,
            new: State::of(&domain),
            old,
            views,
            planned,
            case,
        };
        assert!(trial.old != trial.new, "{} does nothing", trial.case.name());
        trial.without_faults().await;
        trial
    }

    /// The same run once more, with a client that looks at it. The first one showed which policies it goes between.
    async fn without_faults(&self) {
        let domain = self.case.domain.copy();
        let client = Client::new(&self.views.0);
        let faults = Faults::none();
        client.watch(&domain, gpo_of(&self.planned), &self.views, &faults, false);
        let admin = domain.connect("Administrator", &faults).await.unwrap();
        let folder = in_memory();
        run(&self.planned, &admin, folder.path()).await.unwrap();
        assert!(State::of(&domain) == self.new);
        assert!(client.looks() > 0);
        let name = self.case.name();
        assert_eq!(client.mixtures(), Vec::<String>::new(), "{name}");
    }

    /// The number of a call in a run that has its plan already.
    pub fn when_planned(&self, number: usize) -> usize {
        number - self.planning + self.connecting
    }

    /// Runs it in a copy of the domain with a fault at the call with this number. A fault before the plan is applied has a run
    /// of its own plan; later ones have the plan that was made.
    pub async fn run(
        &self,
        domain: &MemoryDomain,
        folder: &Path,
        number: usize,
        fault: Fault,
        client: Option<&Client>,
    ) -> Ended {
        self.run_and_list(domain, folder, number, fault, client)
            .await
            .0
    }

    /// As [`Self::run`]; also returns the calls that were made.
    pub async fn run_and_list(
        &self,
        domain: &MemoryDomain,
        folder: &Path,
        number: usize,
        fault: Fault,
        client: Option<&Client>,
    ) -> (Ended, Vec<Call>) {
        let whole = number <= self.planning;
        let at = match whole {
            true => number,
            false => self.when_planned(number),
        };
        let faults = Faults::at(at, fault);
        if let Some(client) = client {
            client.watch(domain, gpo_of(&self.planned), &self.views, &faults, true);
        }
        let run = async {
            let admin = domain.connect("Administrator", &faults).await?;
            let own;
            let planned = match whole {
                true => {
                    own = self.case.plan(&admin, &faults).await?;
                    &own
                }
                false => &self.planned,
            };
            run(planned, &admin, folder).await
        };
        let ended = tokio::select! {
            result = run => Ended::With(result),
            () = faults.killed() => Ended::Killed,
        };
        assert_eq!(faults.pending(), 0, "call {number} was never made");
        (ended, faults.calls())
    }

    /// The GPOs that are changed as a whole.
    fn gpos(&self) -> Vec<Guid> {
        match self.planned.gpos().next() {
            Some(_) => self.planned.gpos().map(|gpo| gpo.target.guid).collect(),
            None => vec![guid()],
        }
    }

    /// Whether each object is as before or as the plan leaves it.
    fn each_fits(&self, domain: &MemoryDomain, state: &State) -> bool {
        let gpos = self.gpos();
        let from_old = state.differences_by_object(&self.old, &gpos);
        let from_new = state.differences_by_object(&self.new, &gpos);
        from_old.iter().all(|(object, lines)| {
            let lines: Vec<&String> = lines.iter().collect();
            !from_new.contains_key(object)
                || gpos.iter().any(|gpo| {
                    gpo.to_string() == *object && state.is_version_alone(domain, *gpo, &lines)
                })
        })
    }

    /// What the journal says, if it is something else than the result.
    fn is_contradicted(&self, ended: &Ended, folder: &Path) -> Option<String> {
        let state = journal::list(folder)
            .unwrap()
            .pop()
            .map(|found| found.state);
        let by_object = self.planned.mode == Mode::ObjectByObject;
        let fits = match ended {
            Ended::Killed => true,
            Ended::With(Ok(OverallStatus::Done)) => state == Some(OperationState::Done),
            Ended::With(Ok(_)) if by_object => state.is_some(),
            Ended::With(Ok(_)) => state == Some(OperationState::LeftOver),
            Ended::With(Err(error)) if error.kind() == ErrorKind::Incomplete => {
                state == Some(OperationState::Unfinished)
            }
            Ended::With(Err(_)) => state.is_none_or(|state| state == OperationState::Failed),
        };
        let state = state.map_or("absent", OperationState::as_str);
        (!fits).then(|| format!("the operation is {state} in its journal"))
    }

    /// What is wrong with what a client reads that comes when gpoctl has ended, and has not looked before.
    fn mixture_that_is_left(&self, domain: &MemoryDomain) -> Option<String> {
        let now = view_of(domain, gpo_of(&self.planned));
        mixture(&self.views.0, &self.views.1, &self.views.0, &now, true)
    }

    /// One point of the sweep: what is wrong with it, if anything.
    pub async fn point(&self, number: usize, fault: Fault) -> Option<String> {
        let name = format!("{fault:?} at {number}, {}", self.calls[number - 1]);
        let is_refusal = matches!(fault, Fault::Refuse);
        let (domain, folder) = (self.case.domain.copy(), in_memory());
        let client = Client::new(&self.views.0);
        let ended = self
            .run(&domain, folder.path(), number, fault, Some(&client))
            .await;
        let wrong = |what: &str, state: &State| {
            let lines = state.differences(&self.old);
            Some(format!("{name}: {ended}: {what}: {lines:#?}"))
        };
        let mixtures = client.mixtures();
        if !mixtures.is_empty() {
            return Some(format!("{name}: {ended}: {mixtures:#?}"));
        }
        if let Some(mixture) = self.mixture_that_is_left(&domain) {
            return Some(format!("{name}: {ended}: is left: {mixture}"));
        }
        let state = State::of(&domain);
        let is_old = || state == self.old || state.is_raised(&domain, &self.gpos(), &self.old);
        let is_new = || state == self.new || is_refusal && only_owners(&state, &self.new);
        if number <= self.planning {
            // Nothing was begun, unless the call was one that need not succeed.
            let is_right = match ended.is_ok() {
                true => !is_old(),
                false => state == self.old && journal::list(folder.path()).unwrap().is_empty(),
            };
            return match is_right {
                true => None,
                false => wrong("planning", &state),
            };
        }
        if !ended.is_incomplete() {
            let fits = match ended.is_ok() {
                true => is_new(),
                false => is_old(),
            };
            if !fits {
                return wrong("at once", &state);
            }
        }
        if let Some(what) = self.is_contradicted(&ended, folder.path()) {
            return wrong(&what, &state);
        }
        let name = format!("{name}: {ended}");
        self.wrong_when_recovered(&name, &domain, folder.path(), &client, is_refusal)
            .await
    }

    /// What is wrong with what a kill leaves, if anything.
    async fn wrong_after_kill(&self, name: &str, left: &Left) -> Option<String> {
        let domain = &left.domain;
        if let Some(mixture) = self.mixture_that_is_left(domain) {
            return Some(format!("{name}: is left: {mixture}"));
        }
        let client = Client::new(&view_of(domain, gpo_of(&self.planned)));
        self.wrong_when_recovered(name, domain, left.root.path(), &client, false)
            .await
    }

    /// What is wrong when a person has done what comes next, if anything.
    async fn wrong_when_recovered(
        &self,
        name: &str,
        domain: &MemoryDomain,
        folder: &Path,
        client: &Client,
        is_refusal: bool,
    ) -> Option<String> {
        let recovered = recover(domain, folder, Some(client), self).await;
        let mixtures = client.mixtures();
        if !mixtures.is_empty() {
            return Some(format!("{name}: then {mixtures:#?}"));
        }
        let state = State::of(domain);
        let fits = state == self.old
            || state == self.new
            || is_refusal && only_owners(&state, &self.new)
            || state.is_raised(domain, &self.gpos(), &self.old)
            || self.planned.mode == Mode::ObjectByObject && self.each_fits(domain, &state);
        if let (true, Ok(_)) = (fits, &recovered) {
            return None;
        }
        let recovered = recovered.map_err(|error| error.to_string());
        let lines = state.differences(&self.old);
        Some(format!("{name}: then {recovered:?}: {lines:#?}"))
    }
}

/// What is wrong with what kills at these calls leave, and how many they are. One run with a copy at each call takes the place of a
/// run for each kill; where calls that follow each other leave the same, it is looked at once.
async fn killed_at(trial: &Trial, numbers: Range<usize>) -> (usize, Vec<String>) {
    let (mut points, mut failed) = (0, Vec::new());
    let numbers = numbers.start.max(trial.planning + 1)..numbers.end;
    let calls = &trial.calls;
    for when in [When::Before, When::After] {
        let is_killed: Vec<bool> = (0..=calls.len())
            .map(|number| {
                numbers.contains(&number) && (when == When::Before || calls[number - 1].writes)
            })
            .collect();
        let planning = trial.planning;
        let is_wanted = move |number: usize| is_killed.get(number + planning) == Some(&true);
        let apply = async |admin: &DomainWriter, root: &Path| {
            run(&trial.planned, admin, root).await.unwrap();
        };
        let none = in_memory();
        let (all, _) = kills(&trial.case.domain, none.path(), when, is_wanted, apply).await;
        points += calls_of(&all);
        for left in all {
            let call = &calls[left.number + planning - 1];
            let name = format!("killed {when:?} {}, {call}", left.number + planning);
            failed.extend(trial.wrong_after_kill(&name, &left).await);
        }
    }
    (points, failed)
}

/// Whether only owners and permissions in SYSVOL are others: who may not set them is told so, and goes on.
fn only_owners(state: &State, new: &State) -> bool {
    let lines = state.differences(new);
    let of_sysvol = state.1.differences_from(&new.1);
    lines == of_sysvol && lines.iter().all(|line| line.contains(", was O:"))
}

/// What a person does next: undo or clean up what did not get to its end. A client may look at it.
pub async fn recover(
    domain: &MemoryDomain,
    root: &Path,
    client: Option<&Client>,
    trial: &Trial,
) -> gpoctl::Result<&'static str> {
    let Some(operation) = journal::list(root).unwrap_or_default().pop() else {
        return Ok("nothing begun");
    };
    let faults = Faults::none();
    if let Some(client) = client {
        client.watch(domain, gpo_of(&trial.planned), &trial.views, &faults, true);
    }
    let admin = domain.connect("Administrator", &faults).await?;
    let options = ApplyOptions::in_folder(root.to_owned());
    match operation.state {
        OperationState::Unfinished => {
            match undo::plan(admin.session(), &operation, &options.control).await? {
                Undoing::RollBack(_) => roll_back(&admin, &operation, &options).await.map(drop)?,
                Undoing::Plan(_) => panic!("an unfinished operation is undone by a plan"),
            }
            Ok("rolled back")
        }
        OperationState::LeftOver => {
            clean_up(&admin, &operation, &Control::default()).await?;
            Ok("cleaned up")
        }
        state => Ok(state.as_str()),
    }
}

/// The faults at a call that do not end the client. For one that reads it makes no difference whether they are before it or after it.
fn faults_at(call: &Call) -> Vec<Fault> {
    let mut faults = vec![
        Fault::Fail(When::Before),
        Fault::Disconnect(When::Before),
        Fault::Hang,
        Fault::Refuse,
    ];
    if call.writes {
        faults.push(Fault::Fail(When::After));
        faults.push(Fault::Disconnect(When::After));
    }
    faults
}

/// What the parts of a verb have found so far: parts that are ready, points tried, points that failed.
static FOUND: Mutex<BTreeMap<String, [usize; 3]>> = Mutex::new(BTreeMap::new());

/// Adds what one part found, and prints what all of them did when it was the last one.
pub fn report(name: &str, parts: usize, points: usize, failed: &[String]) {
    let mut found = FOUND.lock().unwrap();
    let sum = found.entry(name.to_owned()).or_default();
    *sum = [sum[0] + 1, sum[1] + points, sum[2] + failed.len()];
    if sum[0] == parts {
        println!("{name}: {} points tried, {} failed", sum[1], sum[2]);
    }
    let tried_nothing = sum[0] == parts && sum[1] == 0;
    drop(found);
    assert!(!tried_nothing, "{name}: no points");
    assert!(
        failed.is_empty(),
        "{name}: {} failed\n{}",
        failed.len(),
        failed
            .iter()
            .take(12)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// Every fault at every call; one part of several, so that all processors have something to do.
pub async fn sweep(verb: Verb, undo: bool, part: usize, parts: usize) {
    let trial = Trial::new(verb, undo).await;
    let (mut points, mut failed) = (0, Vec::new());
    for number in (1..=trial.calls.len()).filter(|number| number % parts == part) {
        for fault in faults_at(&trial.calls[number - 1]) {
            points += 1;
            failed.extend(trial.point(number, fault).await);
        }
        if number <= trial.planning {
            points += 1;
            let kill = Fault::Kill(When::Before);
            failed.extend(trial.point(number, kill).await);
        }
    }
    let numbers = |part: usize| trial.calls.len() * part / parts + 1;
    let (killed, wrong) = killed_at(&trial, numbers(part)..numbers(part + 1)).await;
    points += killed;
    failed.extend(wrong);
    let name = format!("{}, {} calls", trial.case.name(), trial.calls.len());
    report(&name, parts, points, &failed);
}
