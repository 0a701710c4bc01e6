//! Repairs of permissions, and their undo: what does not follow from the GPO is removed for good, and the operation ends all the same.

use std::fs;
use std::path::Path;

use gpoctl::DomainWriter;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal::{self, OperationState, StoredOperation};
use gpoctl::execute::{ApplyOptions, OverallStatus, apply, clean_up, roll_back};
use gpoctl::model::sddl::{from_sddl, to_sddl};
use gpoctl::operations::check::{check_domain, repair};
use gpoctl::operations::delete;
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;
use serde_json::Value;

use crate::faults::case::{Case, Verb, guid, in_memory, run};
use crate::faults::sweep::State;
use crate::support::scratch;

const FOREIGN: &str = "O:BAG:BAD:P(A;;FA;;;BA)(A;;FA;;;S-1-5-21-9-9-9-1234)";
const PLAIN: &str = "O:BAG:BAD:P(A;;FA;;;BA)";

struct Repaired {
    domain: MemoryDomain,
    admin: DomainWriter,
    folder: tempfile::TempDir,
}

impl Repaired {
    /// A GPO whose folder `User` grants somebody everything and whose folder `Machine` grants too little, after a repair.
    async fn new() -> Self {
        let domain = MemoryDomain::new("src.test").unwrap();
        domain.put_gpo(guid(), "Desks").unwrap();
        let admin = domain
            .connect("Administrator", &Faults::none())
            .await
            .unwrap();
        let folder = tempfile::TempDir::new_in(scratch()).unwrap();
        let new = Self {
            domain,
            admin,
            folder,
        };
        new.put("User", FOREIGN);
        new.put("Machine", PLAIN);
        let session = new.admin.session();
        let report = check_domain(session, &Control::default()).await.unwrap();
        let plan = repair::plan(&report, &session.info().dns_domain);
        apply(&new.admin, &plan, &new.options()).await.unwrap();
        assert_ne!(new.permissions("User"), FOREIGN);
        assert_ne!(new.permissions("Machine"), PLAIN);
        new
    }

    fn options(&self) -> ApplyOptions {
        ApplyOptions::in_folder(self.root().to_owned())
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn operation(&self) -> StoredOperation {
        journal::list(self.root()).unwrap().remove(0)
    }

    fn interrupt(&self) {
        interrupt(self.root());
    }

    fn path(&self, entry: &str) -> SysvolPath {
        SysvolPath::in_gpo(
            self.domain.sysvol().domain(),
            guid(),
            &entry.parse().unwrap(),
        )
    }

    fn put(&self, entry: &str, sddl: &str) {
        let descriptor = from_sddl(sddl, None).unwrap();
        self.domain
            .sysvol()
            .put_descriptor(&self.path(entry), &descriptor)
            .unwrap();
    }

    fn permissions(&self, entry: &str) -> String {
        let snapshot = self.domain.sysvol().snapshot();
        let end = format!("{}\\{entry}", guid()).to_lowercase();
        let found = snapshot
            .entries()
            .find(|it| it.path.to_lowercase().ends_with(&end));
        to_sddl(&found.unwrap().descriptor)
    }
}

/// As after a kill: nothing but what was announced is in the journal.
fn interrupt(root: &Path) {
    let operation = || journal::list(root).unwrap().remove(0);
    let file = operation().folder.join("journal.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let announced = |line: &&str| {
        let event: Value = serde_json::from_str(line).unwrap();
        !["committed", "finished"].contains(&event["event"].as_str().unwrap())
    };
    let lines: String = text
        .lines()
        .filter(announced)
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&file, lines).unwrap();
    assert_eq!(operation().state, OperationState::Unfinished);
}

fn said(messages: &[gpoctl::message::StatusMessage]) -> String {
    let own: Vec<String> = messages
        .iter()
        .filter(|it| it.code.name() == "permissions-not-put-back")
        .map(|it| format!("{} {}", it.text, it.hint.clone().unwrap_or_default()))
        .collect();
    own.join("\n")
}

#[tokio::test]
async fn the_undo_of_a_repair_puts_back_what_follows_from_the_gpo() {
    let it = Repaired::new().await;
    let repaired = it.permissions("User");
    let session = it.admin.session();
    let undoing = undo::plan(session, &it.operation(), &Control::default()).await;
    let Undoing::Plan(plan) = undoing.unwrap() else {
        panic!("not a plan");
    };
    let text = said(&plan.messages);
    assert!(
        text.contains("User of the GPO") && text.contains("S-1-5-21-9-9-9-1234"),
        "{text}"
    );
    assert!(!text.contains("Machine"), "{text}");
    apply(&it.admin, &plan, &it.options()).await.unwrap();
    assert_eq!(it.permissions("User"), repaired);
    assert_eq!(it.permissions("Machine"), PLAIN);
}

#[tokio::test]
async fn an_interrupted_repair_is_rolled_back_but_for_that_file() {
    let it = Repaired::new().await;
    it.interrupt();
    let repaired = it.permissions("User");
    let result = roll_back(&it.admin, &it.operation(), &it.options())
        .await
        .unwrap();
    let text = said(&result.messages);
    assert!(
        text.contains("User of the GPO") && text.contains("S-1-5-21-9-9-9-1234"),
        "{text}"
    );
    assert_eq!(it.permissions("User"), repaired);
    assert_eq!(it.permissions("Machine"), PLAIN);
    assert_eq!(it.operation().state, OperationState::Failed);
}

/// Killed before the first file, or between two of them.
#[tokio::test]
async fn files_that_an_interrupted_repair_had_not_reached_are_left_without_a_word() {
    for reached in [false, true] {
        let it = Repaired::new().await;
        it.interrupt();
        it.put("User", FOREIGN);
        if !reached {
            it.put("Machine", PLAIN);
        }
        let result = roll_back(&it.admin, &it.operation(), &it.options())
            .await
            .unwrap();
        assert_eq!(said(&result.messages), "");
        assert_eq!(it.permissions("User"), FOREIGN);
        assert_eq!(it.permissions("Machine"), PLAIN);
        assert_eq!(it.operation().state, OperationState::Failed);
    }
}

/// A domain whose `GPT.INI` of the GPO has no version, and an editor of that GPO.
async fn without_version() -> MemoryDomain {
    let domain = MemoryDomain::new("src.test").unwrap();
    domain.put_gpo(guid(), "Desks").unwrap();
    let base = domain.directory().base();
    let alice = domain.directory().put_user(&base, "alice").unwrap();
    let dn = gpoctl::model::dn::Dn::parse(&format!(
        "CN={},CN=Policies,CN=System,DC=src,DC=test",
        guid()
    ))
    .unwrap();
    let before = to_sddl(&domain.directory().snapshot().entry(&dn).unwrap().descriptor);
    let edit = format!("(A;CI;CCDCLCSWRPWPDTLOSDRC;;;{alice})");
    domain
        .directory()
        .set_descriptor(&dn, &format!("{before}{edit}"))
        .unwrap();
    let admin = connect(&domain, "Administrator").await;
    fix(&admin).await;
    let path = SysvolPath::in_gpo(
        domain.sysvol().domain(),
        guid(),
        &"GPT.INI".parse().unwrap(),
    );
    domain.sysvol().put_file(&path, "[General]\r\n").unwrap();
    domain
}

async fn connect(domain: &MemoryDomain, account: &str) -> DomainWriter {
    domain.connect(account, &Faults::none()).await.unwrap()
}

async fn fix(writer: &DomainWriter) -> (gpoctl::execute::OperationResult, tempfile::TempDir) {
    let session = writer.session();
    let report = check_domain(session, &Control::default()).await.unwrap();
    let plan = repair::plan(&report, &session.info().dns_domain);
    let folder = tempfile::TempDir::new_in(scratch()).unwrap();
    let options = ApplyOptions::in_folder(folder.path().to_owned());
    (apply(writer, &plan, &options).await.unwrap(), folder)
}

fn names(domain: &MemoryDomain) -> Vec<String> {
    let snapshot = domain.sysvol().snapshot();
    snapshot.entries().map(|it| it.path.clone()).collect()
}

#[tokio::test]
async fn an_editor_who_may_not_set_owners_repairs_gpt_ini() {
    let domain = without_version().await;
    let (result, _folder) = fix(&connect(&domain, "alice").await).await;
    let codes: Vec<&str> = result.messages.iter().map(|it| it.code.name()).collect();
    assert_eq!(codes, ["owners-not-set"]);
    let snapshot = domain.sysvol().snapshot();
    let ini = snapshot
        .entries()
        .find(|it| it.path.ends_with("GPT.INI") && it.path.contains(&guid().to_string()));
    let ini = ini.unwrap().content.clone().unwrap();
    assert!(
        String::from_utf8(ini.to_vec())
            .unwrap()
            .contains("Version=")
    );
    assert!(!names(&domain).iter().any(|name| name.contains(".gpoctl-")));
    // An administrator needs no such message.
    let domain = without_version().await;
    let (result, _folder) = fix(&connect(&domain, "Administrator").await).await;
    assert!(result.messages.is_empty(), "{:?}", result.messages);
}

#[tokio::test]
async fn a_staged_gpt_ini_has_the_name_of_its_operation_whose_undo_removes_it() {
    let domain = without_version().await;
    let faults = Faults::none();
    let admin = domain.connect("Administrator", &faults).await.unwrap();
    let (result, folder) = fix(&admin).await;
    let tag = result.operation_id.rsplit_once('-').unwrap().1;
    let staged = format!(".gpoctl-{tag}-new-GPT.INI");
    let calls = format!("{:?}", faults.calls());
    assert!(calls.contains(&staged), "{staged}: {calls}");
    let path = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &staged.parse().unwrap());
    domain.sysvol().put_file(&path, "[General]\r\n").unwrap();
    interrupt(folder.path());
    let operation = journal::list(folder.path()).unwrap().remove(0);
    let options = ApplyOptions::in_folder(folder.path().to_owned());
    roll_back(&admin, &operation, &options).await.unwrap();
    assert!(!names(&domain).iter().any(|name| name.contains(".gpoctl-")));
}

/// Nothing of it can be put back, which is no failure that another attempt would help.
#[tokio::test(start_paused = true)]
async fn the_undo_of_a_repair_whose_gpo_was_deleted_since_ends() {
    for verb in [Verb::Repair, Verb::RepairGptIni] {
        for interrupted in [false, true] {
            let case = Case::new(verb, true).await;
            let (admin, root, theirs) = (case.admin().await, case.journals(), in_memory());
            if interrupted {
                interrupt(&root);
            }
            delete_gpo(&admin, theirs.path()).await;
            let before = State::of(&case.domain);
            let operation = || journal::list(&root).unwrap().remove(0);
            let options = ApplyOptions::in_folder(root.clone());
            let undoing = undo::plan(admin.session(), &operation(), &options.control).await;
            let messages = match undoing.unwrap() {
                Undoing::Plan(plan) => {
                    assert!(!interrupted && plan.changes.is_empty(), "{plan:?}");
                    let done = apply(&admin, &plan, &options).await.unwrap();
                    assert_eq!(done.status, OverallStatus::Done);
                    done.messages
                }
                Undoing::RollBack(parts) => {
                    assert!(interrupted && parts.len() == 1, "{parts:?}");
                    assert!(parts[0].contains("was deleted"), "{parts:?}");
                    roll_back(&admin, &operation(), &options)
                        .await
                        .unwrap()
                        .messages
                }
            };
            let said = messages
                .iter()
                .filter(|it| it.code.name() == "gpo-deleted-since");
            assert_eq!(said.count(), 1, "{messages:?}");
            let ended = match interrupted {
                true => OperationState::Failed,
                false => OperationState::Undone,
            };
            assert_eq!(operation().state, ended, "{verb:?}");
            assert!(State::of(&case.domain) == before);
        }
    }
}

/// The deletion is in the same journals, and so a later operation.
#[tokio::test(start_paused = true)]
async fn an_interrupted_repair_whose_gpo_was_deleted_here_is_closed() {
    for verb in [Verb::Repair, Verb::RepairGptIni] {
        let case = Case::new(verb, true).await;
        let (admin, root) = (case.admin().await, case.journals());
        interrupt(&root);
        delete_gpo(&admin, &root).await;
        let operation = || journal::list(&root).unwrap().pop().unwrap();
        let before = State::of(&case.domain);
        let control = Control::default();
        clean_up(&admin, &operation(), &control).await.unwrap();
        assert_eq!(operation().state, OperationState::Superseded);
        assert!(State::of(&case.domain) == before);
    }
}

async fn delete_gpo(admin: &DomainWriter, root: &Path) {
    let object = admin.session().directory().gpo(guid()).await.unwrap();
    let plan = delete::plan(admin.session(), &object, false, &Control::default()).await;
    run(&plan.unwrap(), admin, root).await.unwrap();
}
