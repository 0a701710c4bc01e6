//! A fault at every call of every verb: the domain is then as before or as the verb leaves it, at once or after `operations
//! undo` or `operations cleanup` by a new client.

use std::path::Path;

use gpoctl::ErrorKind;
use gpoctl::directory::GpoObject;
use gpoctl::formats::gpt_ini;
use gpoctl::model::guid::Guid;
use gpoctl::model::version::GpoVersion;
use gpoctl::operations::apply::{ApplyOptions, OverallStatus, apply, clean_up, roll_back};
use gpoctl::operations::import::{ImportOptions, ImportTarget};
use gpoctl::operations::journal::{self, OperationState};
use gpoctl::operations::plan::Plan;
use gpoctl::operations::progress::Control;
use gpoctl::operations::set_status::Status;
use gpoctl::operations::{create, delete, import, rename, set_status};
use gpoctl::session::DomainWriter;
use gpoctl::testing::directory::DirectorySnapshot;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Fault, Faults, When};
use gpoctl::testing::sysvol::SysvolSnapshot;

use super::verbs::{backup, fixture};

const GPO: &str = "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Verb {
    Create,
    SetStatus,
    Rename,
    Import,
    Delete,
}

/// The state of a domain, with the GUID of a new GPO removed from names.
#[derive(PartialEq, Clone)]
struct State(DirectorySnapshot, SysvolSnapshot);

fn state(domain: &MemoryDomain) -> State {
    State(domain.directory().snapshot(), domain.sysvol().snapshot())
}

impl State {
    fn differences(&self, other: &Self) -> Vec<String> {
        [
            self.0.differences_from(&other.0),
            self.1.differences_from(&other.1),
        ]
        .concat()
    }
}

/// A domain with a GPO that has settings and a link.
async fn prepared(folder: &Path) -> MemoryDomain {
    let domain = MemoryDomain::new("src.test").unwrap();
    let guid: Guid = GPO.parse().unwrap();
    domain.put_gpo(guid, "Desks").unwrap();
    domain
        .directory()
        .put_link(&domain.directory().base(), guid, 0)
        .unwrap();
    let admin = domain
        .connect("Administrator", &Faults::none())
        .await
        .unwrap();
    let plan = plan(Verb::Import, &admin, folder, "before").await.unwrap();
    execute(&admin, &plan, &folder.join("preparation"))
        .await
        .unwrap();
    domain
}

async fn plan(
    verb: Verb,
    admin: &DomainWriter,
    folder: &Path,
    content: &'static str,
) -> gpoctl::Result<Plan> {
    let session = admin.session();
    let control = Control::default();
    if verb == Verb::Create {
        return create::plan(session, "New").await;
    }
    let object: GpoObject = session.directory().gpo(GPO.parse().unwrap()).await?;
    match verb {
        Verb::SetStatus => set_status::plan(session, &object, Status::None, &control).await,
        Verb::Rename => rename::plan(session, &object, "Tables", &control).await,
        Verb::Delete => delete::plan(session, &object, false, &control).await,
        _ => {
            let mut snapshot = fixture();
            snapshot.tree.insert_file(
                &r"Machine\Scripts\Startup\setup.cmd".parse().unwrap(),
                bytes::Bytes::from_static(content.as_bytes()),
            );
            if content != "before" {
                snapshot.directory_objects.pop();
            }
            let stored = backup(&folder.join(content), &snapshot);
            let target = ImportTarget::Existing(Box::new(object));
            import::plan(
                session,
                &stored,
                &target,
                &ImportOptions::default(),
                &control,
            )
            .await
        }
    }
}

async fn execute(
    admin: &DomainWriter,
    plan: &Plan,
    journals: &Path,
) -> gpoctl::Result<OverallStatus> {
    let options = ApplyOptions {
        journal_root: journals.to_owned(),
        control: Control::default(),
    };
    Ok(apply(admin, plan, &options).await?.status)
}

/// Connects, plans and applies.
async fn run(
    verb: Verb,
    domain: &MemoryDomain,
    folder: &Path,
    faults: &Faults,
) -> gpoctl::Result<OverallStatus> {
    let admin = domain.connect("Administrator", faults).await?;
    let plan = plan(verb, &admin, folder, "after").await?;
    execute(&admin, &plan, &folder.join("journals")).await
}

/// The next step of a user: undo or clean up what was interrupted.
async fn recover(domain: &MemoryDomain, folder: &Path) -> gpoctl::Result<&'static str> {
    let root = folder.join("journals");
    let Some(operation) = journal::list(&root).unwrap_or_default().pop() else {
        return Ok("nothing begun");
    };
    let admin = domain.connect("Administrator", &Faults::none()).await?;
    let options = ApplyOptions {
        journal_root: root,
        control: Control::default(),
    };
    match operation.state {
        OperationState::Unfinished => {
            roll_back(&admin, &operation, &options).await?;
            Ok("rolled back")
        }
        OperationState::LeftOver => {
            clean_up(&admin, &operation).await?;
            Ok("cleaned up")
        }
        state => Ok(state.as_str()),
    }
}

/// The names of the differences, without the GUID of a new GPO, which is another one each time.
fn without_guids(lines: Vec<String>) -> Vec<String> {
    let mut lines: Vec<String> = lines
        .into_iter()
        .map(|line| {
            let mut out = line;
            let at = out.match_indices('{').map(|(at, _)| at).collect::<Vec<_>>();
            for at in at.into_iter().rev() {
                if let Some(guid) = out.get(at..at + 38)
                    && guid.parse::<Guid>().is_ok()
                    && guid != GPO
                {
                    out.replace_range(at..at + 38, "{GUID}");
                }
            }
            out
        })
        .collect();
    lines.sort();
    lines
}

/// A folder in memory if the machine has one: journals are synced at every step, which is slow on a disk.
fn in_memory() -> tempfile::TempDir {
    let builder = tempfile::Builder::new();
    builder
        .tempdir_in("/dev/shm")
        .or_else(|_| builder.tempdir())
        .unwrap()
}

/// Whether only the version differs, the same in both halves: a roll-back after clients may have read the new version increases
/// it, so that they read the old settings again.
fn only_raised(domain: &MemoryDomain, differences: &[String]) -> bool {
    let State(directory, sysvol) = state(domain);
    let gpo = directory.entry(&domain.directory().base().gpo(GPO.parse().unwrap()));
    let gpt_ini = sysvol.entry(&format!(r"{GPO}\GPT.INI"));
    let (Some(gpo), Some(gpt_ini)) = (gpo, gpt_ini) else {
        return false;
    };
    let number: i32 = gpo.text("versionNumber").unwrap().parse().unwrap();
    let version = GpoVersion::from_combined(number.cast_unsigned());
    let of_file = gpt_ini::read_version(gpt_ini.content.as_ref().unwrap()).unwrap();
    let is_version = |line: &String| {
        line.contains(": versionNumber ") || line.starts_with(&format!("! {GPO}\\GPT.INI: "))
    };
    differences.len() == 2 && differences.iter().all(is_version) && of_file == Some(version)
}

async fn sweep(verb: Verb) {
    let begin = std::time::Instant::now();
    let folder = in_memory();
    let prepared = prepared(folder.path()).await;
    let domain = prepared.copy();
    let old = state(&domain);
    let counting = Faults::none();
    run(verb, &domain, folder.path(), &counting).await.unwrap();
    let calls = counting.calls();
    let new = without_guids(state(&domain).differences(&old));
    assert!(!new.is_empty());
    let (mut points, mut failed) = (0, Vec::new());
    for number in 1..=calls.len() {
        for kind in 0..7 {
            let fault = match kind {
                0 => Fault::Fail(When::Before),
                1 => Fault::Fail(When::After),
                2 => Fault::Disconnect(When::Before),
                3 => Fault::Disconnect(When::After),
                4 => Fault::Kill(When::Before),
                5 => Fault::Kill(When::After),
                _ => Fault::Hang,
            };
            let name = format!("{fault:?} at {number}, {}", calls[number - 1]);
            let folder = in_memory();
            let domain = prepared.copy();
            let faults = Faults::at(number, fault);
            let result = tokio::select! {
                result = run(verb, &domain, folder.path(), &faults) => Some(result),
                () = faults.killed() => None,
            };
            points += 1;
            let said = match &result {
                None => "killed".to_owned(),
                Some(Ok(status)) => format!("{status:?}"),
                Some(Err(error)) => format!("{:?}: {error}", error.kind()),
            };
            let at_once = without_guids(state(&domain).differences(&old));
            let is_incomplete = match &result {
                None => true,
                Some(Ok(status)) => *status == OverallStatus::Partial,
                Some(Err(error)) => error.kind() == ErrorKind::Incomplete,
            };
            if !is_incomplete {
                let fits = match &result {
                    Some(Ok(_)) => at_once == new,
                    _ => at_once.is_empty() || only_raised(&domain, &at_once),
                };
                if !fits {
                    failed.push(format!("{name}: {said}: {at_once:#?}"));
                    continue;
                }
            }
            let recovered = recover(&domain, folder.path()).await;
            let after = without_guids(state(&domain).differences(&old));
            if !(after.is_empty() || after == new || only_raised(&domain, &after)) {
                let recovered = recovered.map_err(|error| error.to_string());
                failed.push(format!("{name}: {said}, then {recovered:?}: {after:#?}"));
            }
        }
    }
    println!(
        "{verb:?}: {} calls, {points} points tried, {} failed, {:.1} s",
        calls.len(),
        failed.len(),
        begin.elapsed().as_secs_f32()
    );
    assert!(
        failed.is_empty(),
        "{}",
        failed
            .iter()
            .take(12)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

macro_rules! every_call {
    ($($name:ident: $verb:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                sweep(Verb::$verb).await;
            }
        )*
    };
}

every_call! {
    of_create: Create,
    of_set_status: SetStatus,
    of_rename: Rename,
    of_import: Import,
    of_delete: Delete,
}
