//! Another administrator changes something at every call of a verb: either the verb is refused or rolled back, and the other's
//! change is there; or it completes, and nothing of the other's change is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gpoctl::ErrorKind;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::formats::gpt_ini;
use gpoctl::model::guid::Guid;
use gpoctl::model::version::GpoVersion;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Call, Fault};

use super::case::{Verb, gpo_of, in_memory};
use super::sweep::{Ended, State, Trial, recover, report};

const FILE: &str = r"Machine\Scripts\Startup\other.cmd";

/// What the other administrator does.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Gives the GPO another name.
    Rename,
    /// Saves settings, as an editor does: a file, then the version in both halves.
    Edit,
    /// Writes a file, and nothing else.
    Write,
    /// Writes a file into the folder of the GPO itself, as long as there is one.
    WriteBeside,
    /// Adds a link to the domain.
    Link,
}

const ACTS: [Act; 5] = [
    Act::Rename,
    Act::Edit,
    Act::Write,
    Act::WriteBeside,
    Act::Link,
];

impl Act {
    /// Acts on the GPO, and says whether it is there.
    fn act(self, domain: &MemoryDomain, gpo: Guid) -> bool {
        let (directory, sysvol) = (domain.directory(), domain.sysvol());
        let dn = directory.base().gpo(gpo);
        let at = |path: &str| SysvolPath::in_gpo(directory.domain(), gpo, &path.parse().unwrap());
        if matches!(self, Self::WriteBeside) {
            let files = sysvol.snapshot();
            if files.entry(&gpo.to_string()).is_none() {
                return false;
            }
            sysvol.put_file(&at("other.cmd"), "other\r\n").unwrap();
            return true;
        }
        let snapshot = directory.snapshot();
        let Some(container) = snapshot.entry(&dn) else {
            return false;
        };
        match self {
            Self::WriteBeside => {}
            Self::Rename => directory.set(&dn, "displayName", ["Shelves"]).unwrap(),
            Self::Link => directory.put_link(&directory.base(), gpo, 1).unwrap(),
            Self::Write => {
                let files = sysvol.snapshot();
                let folder = FILE.rsplit_once('\\').unwrap().0;
                if files.entry(&format!(r"{gpo}\{folder}")).is_none() {
                    return false;
                }
                sysvol.put_file(&at(FILE), "other\r\n").unwrap();
            }
            Self::Edit => {
                let files = sysvol.snapshot();
                let Some(ini) = files.entry(&format!(r"{gpo}\GPT.INI")) else {
                    return false;
                };
                let number = container.text("versionNumber").unwrap_or_default();
                let number: i32 = number.parse().unwrap_or_default();
                let mut version = GpoVersion::from_combined(number.cast_unsigned());
                version.machine += 1;
                let ini = gpt_ini::write_version(ini.content.as_ref().unwrap(), version).unwrap();
                sysvol.put_file(&at(FILE), "other\r\n").unwrap();
                let number = version.to_ldap().to_string();
                directory.set(&dn, "versionNumber", [number]).unwrap();
                sysvol.put_file(&at("GPT.INI"), ini).unwrap();
            }
        }
        true
    }

    /// Whether what the other administrator did is there, whatever else is.
    fn stands(self, domain: &MemoryDomain, gpo: Guid) -> bool {
        let directory = domain.directory().snapshot();
        let base = domain.directory().base();
        let text = |dn, name| directory.entry(dn).and_then(|entry| entry.text(name));
        match self {
            Self::Rename => {
                text(&base.gpo(gpo), "displayName").is_some_and(|name| name == "Shelves")
            }
            Self::Link => text(&base, "gPLink")
                .is_some_and(|links| links.contains(&format!("{};1]", base.gpo(gpo)))),
            Self::Edit | Self::Write | Self::WriteBeside => {
                let files = domain.sysvol().snapshot();
                files
                    .entries()
                    .any(|entry| entry.path.ends_with(r"\other.cmd"))
            }
        }
    }
}

/// The number of the first call that makes a new setting live.
fn switches(calls: &[Call]) -> Option<usize> {
    let is_switch = |call: &Call| call.operation == "swap";
    Some(calls.iter().position(is_switch)? + 1)
}

/// The number of the call that begins the last look before the first switch: it follows what is written beside the live entries.
fn last_look(calls: &[Call]) -> usize {
    let Some(switch) = switches(calls) else {
        return 0;
    };
    let before = &calls[..switch - 1];
    before
        .iter()
        .rposition(|call| call.writes)
        .map_or(0, |it| it + 2)
}

/// How the points of a verb ended.
type Ends = BTreeMap<&'static str, usize>;

/// One point; what is wrong with it, if anything.
async fn point(trial: &Trial, number: usize, act: Act, ends: &mut Ends) -> Option<String> {
    let gpo = gpo_of(&trial.planned);
    let (domain, folder) = (trial.case.domain.copy(), in_memory());
    let (other, acted) = (domain.clone(), Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&acted);
    let fault = Fault::act(async move { flag.store(act.act(&other, gpo), Ordering::Relaxed) });
    let (ended, calls) = trial
        .run_and_list(&domain, folder.path(), number, fault, None)
        .await;
    let mut count = |how| *ends.entry(how).or_default() += 1;
    if !acted.load(Ordering::Relaxed) {
        count("nothing to change yet");
        return None;
    }
    let name = format!("{act:?} at {number}, {}: {ended}", trial.calls[number - 1]);
    let Ended::With(Err(error)) = &ended else {
        count("done");
        // A plan that was made with or after the other's change may replace it: it was shown.
        let is_kept = number <= trial.planning || act.stands(&domain, gpo);
        // No server compares what it deletes, so what comes at that very call goes with it.
        let is_file = matches!(act, Act::Write | Act::WriteBeside);
        if !is_kept && !is_file && trial.calls[number - 1].operation == "delete" {
            count("came with the deletion");
            return None;
        }
        return (!is_kept).then(|| format!("{name}: the other change is lost"));
    };
    // Nobody has changed a GPO that is new.
    let exists = trial.planned.gpo().is_some_and(|gpo| !gpo.target.create);
    if error.kind() == ErrorKind::Incomplete {
        // What came into the old files just before they were renamed away is in them when they are back.
        // One that comes into the new files is a change of the new settings.
        let comes_at_switch = switches(&trial.calls) == Some(number);
        let is_file = matches!(act, Act::Write) && switches(&trial.calls).is_some();
        if exists && (comes_at_switch || is_file) {
            return Some(format!("{name}: neither one after the other"));
        }
        count("left to look at");
        let recovered = recover(&domain, folder.path(), None, trial).await;
        let recovered = recovered.map_err(|error| error.to_string());
        return (!act.stands(&domain, gpo))
            .then(|| format!("{name}, then {recovered:?}: the other change is lost"));
    }
    // What was changed before the last look is found by it, before any client reads a new setting.
    let is_in_time = number > trial.planning && number <= last_look(&trial.calls);
    if exists && is_in_time && switches(&calls).is_some() {
        return Some(format!("{name}: switched all the same"));
    }
    count(match error.kind() {
        ErrorKind::Conflict => "conflict",
        _ => "another error",
    });
    let state = State::of(&domain);
    let alone = trial.case.domain.copy();
    let is_right = if act.act(&alone, gpo) {
        let alone = State::of(&alone);
        state == alone || state.is_raised(&domain, &[gpo], &alone)
    } else {
        act.stands(&domain, gpo)
    };
    (!is_right).then(|| {
        let lines = state.differences(&State::of(&alone));
        format!("{name}: not as the other left it: {lines:#?}")
    })
}

pub async fn sweep(verb: Verb, undo: bool) {
    let trial = Trial::new(verb, undo).await;
    let (mut points, mut failed, mut ends) = (0, Vec::new(), Ends::new());
    for number in 1..=trial.calls.len() {
        for act in ACTS {
            points += 1;
            failed.extend(point(&trial, number, act, &mut ends).await);
        }
    }
    let name = format!("{} with another administrator", trial.case.name());
    println!("{name}: {ends:?}");
    report(&name, 1, points, &failed);
}
