//! Servers that differ in the permissions of files: a domain that was upgraded to Samba 4.25 keeps object entries, which that version
//! refuses to write; on Windows, files inherit theirs.

mod denials;
mod editor;
mod half_set;
mod not_stored;
mod refused_order;
mod unknown_form;
mod windows;

use std::path::Path;

use gpoctl::DomainWriter;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::execute::journal::{self, OperationState};
use gpoctl::execute::{
    ApplyOptions, OperationResult, OverallStatus, apply, detect_file_entries, roll_back,
};
use gpoctl::message::Severity;
use gpoctl::model::guid::Guid;
use gpoctl::model::sddl::{from_sddl, to_sddl};
use gpoctl::model::security_descriptor::{FileEntries, SecurityDescriptor, file_descriptor};
use gpoctl::operations::check::{check_domain, repair};
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::plan::Plan;
use gpoctl::progress::Control;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::{Faults, When};
use gpoctl::testing::sysvol::SysvolServer;

use crate::faults::case::{Case, Verb, guid, in_memory, run};
use crate::faults::kills::kills;
use crate::faults::sweep::State;

/// A domain whose files were written by 4.17, on this server.
fn domain_on(server: SysvolServer) -> MemoryDomain {
    let domain = MemoryDomain::new("src.test").unwrap();
    domain.put_gpo(guid(), "Desks").unwrap();
    domain.sysvol().set_server(server);
    domain
}

/// A new connection, which knows nothing of the server yet.
async fn connect(domain: &MemoryDomain) -> DomainWriter {
    let none = Faults::none();
    domain.connect("Administrator", &none).await.unwrap()
}

/// The plan that repairs the domain.
async fn repairs(admin: &DomainWriter) -> Plan {
    let session = admin.session();
    let report = check_domain(session, &Control::default()).await.unwrap();
    repair::plan(&report, &session.info().dns_domain)
}

/// Adds an entry that denies to the permissions of the GPO, in front or at the end.
async fn deny(domain: &MemoryDomain, is_first: bool) {
    let admin = connect(domain).await;
    let object = admin.session().directory().gpo(guid()).await.unwrap();
    let mut descriptor = SecurityDescriptor::parse(&object.security_descriptor).unwrap();
    let denial = from_sddl("D:(D;CI;RPLC;;;BG)", None).unwrap();
    let aces = &mut descriptor.dacl.as_mut().unwrap().aces;
    let at = if is_first { 0 } else { aces.len() };
    aces.insert(at, denial.dacl.unwrap().aces.remove(0));
    domain
        .directory()
        .set_descriptor(&object.dn, &to_sddl(&descriptor))
        .unwrap();
}

/// The warnings and errors of a check.
async fn codes_of(admin: &DomainWriter) -> Vec<String> {
    let report = check_domain(admin.session(), &Control::default())
        .await
        .unwrap();
    let worst = report.all().filter(|it| it.severity > Severity::Info);
    worst.map(|it| it.code.name().to_owned()).collect()
}

async fn applied(admin: &DomainWriter, plan: &Plan) -> OperationResult {
    let root = in_memory();
    let options = ApplyOptions::in_folder(root.path().to_owned());
    apply(admin, plan, &options).await.unwrap()
}

/// Undoes the first operation in these journals, which is complete.
async fn undo_of_first(admin: &DomainWriter, root: &Path) {
    let operation = journal::list(root).unwrap().remove(0);
    let control = Control::default();
    match undo::plan(admin.session(), &operation, &control)
        .await
        .unwrap()
    {
        Undoing::Plan(plan) => drop(applied(admin, &plan).await),
        Undoing::RollBack(parts) => panic!("it is complete: {parts:?}"),
    }
}

fn has(result: &OperationResult, code: &str) -> bool {
    result.messages.iter().any(|it| it.code.name() == code)
}

/// The files and folders whose permissions have an object entry.
fn with_object_entries(domain: &MemoryDomain, gpo: Guid) -> usize {
    let snapshot = domain.sysvol().snapshot();
    let own = snapshot.entries().filter(|entry| {
        let dacl = entry.descriptor.dacl.as_ref();
        entry.path.contains(&gpo.to_string())
            && dacl.is_some_and(|dacl| dacl.aces.iter().any(|ace| ace.ace_type == 5))
    });
    own.count()
}

#[tokio::test]
async fn a_repair_removes_what_an_earlier_version_stored() {
    for (server, refuses) in [
        (SysvolServer::Samba, false),
        (SysvolServer::SambaHoldingNames, false),
        (SysvolServer::SambaWithoutObjectAces, true),
    ] {
        let domain = domain_on(server);
        assert_eq!(with_object_entries(&domain, guid()), 4, "{server:?}");
        // A check that does not write accepts the form that all files of the domain have.
        let admin = connect(&domain).await;
        assert!(repairs(&admin).await.changes.is_empty(), "{server:?}");
        // One that is to repair asks the server.
        detect_file_entries(&admin, None).await.unwrap();
        let plan = repairs(&admin).await;
        assert_eq!(!plan.changes.is_empty(), refuses, "{server:?}");
        if !refuses {
            continue;
        }
        assert_eq!(plan.changes.len(), 3, "every GPO");
        let result = applied(&admin, &plan).await;
        assert!(
            !has(&result, "object-entries-refused"),
            "{:?}",
            result.messages
        );
        assert_eq!(with_object_entries(&domain, guid()), 0);
        // Nothing is left to do, whether the server is asked or not.
        for asks in [false, true] {
            let admin = connect(&domain).await;
            if asks {
                detect_file_entries(&admin, Some(guid())).await.unwrap();
            }
            assert!(repairs(&admin).await.changes.is_empty(), "{asks}");
        }
    }
}

/// Entries that deny, which earlier versions leave out, are set all the same.
#[tokio::test]
async fn a_plan_made_without_asking_the_server_denies_what_the_directory_denies() {
    let domain = domain_on(SysvolServer::SambaWithoutObjectAces);
    deny(&domain, true).await;
    let folder = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &"User".parse().unwrap());
    let wrong = from_sddl("O:BAG:BAD:P(A;;FA;;;BA)", None).unwrap();
    domain.sysvol().put_descriptor(&folder, &wrong).unwrap();
    let plan = repairs(&connect(&domain).await).await;
    let root = in_memory();
    let options = ApplyOptions::in_folder(root.path().to_owned());
    let admin = connect(&domain).await;
    let result = apply(&admin, &plan, &options).await.unwrap();
    assert_eq!(result.status, OverallStatus::Done, "{:?}", result.messages);
    let denies = |domain: &MemoryDomain| {
        let snapshot = domain.sysvol().snapshot();
        let own = format!("{}\\User", guid());
        let mut entries = snapshot.entries();
        let entry = entries.find(|entry| entry.path.ends_with(&own)).unwrap();
        let aces = &entry.descriptor.dacl.as_ref().unwrap().aces;
        aces.iter().any(|ace| ace.ace_type == 1)
    };
    assert!(denies(&domain));
    // And it is undone by a new process, which has not asked the server.
    let admin = connect(&domain).await;
    undo_of_first(&admin, root.path()).await;
    assert!(!denies(&domain));
}

/// Killed after it has set them, it is rolled back by a new process.
#[tokio::test]
async fn a_killed_repair_that_was_planned_without_asking_the_server_is_rolled_back() {
    let domain = domain_on(SysvolServer::SambaWithoutObjectAces);
    let folder = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &"User".parse().unwrap());
    let wrong = from_sddl("O:BAG:BAD:P(A;;FA;;;BA)", None).unwrap();
    domain.sysvol().put_descriptor(&folder, &wrong).unwrap();
    let plan = repairs(&connect(&domain).await).await;
    let old = State::of(&domain);
    let apply = async |admin: &DomainWriter, root: &Path| {
        run(&plan, admin, root).await.unwrap();
    };
    let none = in_memory();
    let (all, _) = kills(&domain, none.path(), When::After, |_| true, apply).await;
    let mut points = 0;
    for left in all {
        let Some(operation) = journal::list(left.root.path()).unwrap().pop() else {
            continue;
        };
        if operation.state != OperationState::Unfinished {
            continue;
        }
        points += left.calls();
        let admin = connect(&left.domain).await;
        let options = ApplyOptions::in_folder(left.root.path().to_owned());
        roll_back(&admin, &operation, &options).await.unwrap();
        let differences = State::of(&left.domain).differences(&old);
        assert_eq!(differences, Vec::<String>::new(), "{}", left.number);
    }
    assert!(points > 3, "{points}");
}

/// GPMC leaves object entries out. On a server that requires them, the plan that was made without asking it has them.
#[tokio::test]
async fn a_folder_without_object_entries_does_not_decide_for_the_others() {
    let domain = domain_on(SysvolServer::Samba);
    let session = connect(&domain).await;
    let object = session.session().directory().gpo(guid()).await.unwrap();
    let directory = SecurityDescriptor::parse(&object.security_descriptor).unwrap();
    let without = file_descriptor(&directory, FileEntries::WithoutObjectAces).unwrap();
    let top = SysvolPath::gpo(domain.sysvol().domain(), guid());
    domain
        .sysvol()
        .put_descriptor(&top, &without.descriptor)
        .unwrap();
    let folder = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &"User".parse().unwrap());
    let wrong = from_sddl("O:BAG:BAD:P(A;;FA;;;BA)", None).unwrap();
    domain.sysvol().put_descriptor(&folder, &wrong).unwrap();
    let found = codes_of(&connect(&domain).await).await;
    assert_eq!(found, ["mixed-permissions", "descriptor-differs"]);
    let plan = repairs(&connect(&domain).await).await;
    applied(&connect(&domain).await, &plan).await;
    assert_eq!(with_object_entries(&domain, guid()), 3);
    let admin = connect(&domain).await;
    detect_file_entries(&admin, None).await.unwrap();
    applied(&admin, &repairs(&admin).await).await;
    assert_eq!(with_object_entries(&domain, guid()), 4);
    assert_eq!(
        codes_of(&connect(&domain).await).await,
        Vec::<String>::new()
    );
}

/// A plan that was saved, or made by somebody who only looks.
#[tokio::test]
async fn a_plan_made_without_asking_the_server_says_what_it_left_out() {
    for (server, refuses) in [
        (SysvolServer::Samba, false),
        (SysvolServer::SambaWithoutObjectAces, true),
    ] {
        let domain = domain_on(server);
        let folder = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &"User".parse().unwrap());
        let wrong = from_sddl("O:BAG:BAD:P(A;;FA;;;BA)", None).unwrap();
        domain.sysvol().put_descriptor(&folder, &wrong).unwrap();
        let admin = connect(&domain).await;
        let plan = repairs(&admin).await;
        assert_eq!(plan.changes.len(), 1);
        let result = applied(&admin, &plan).await;
        assert_eq!(
            has(&result, "object-entries-refused"),
            refuses,
            "{server:?}"
        );
        // The others of this GPO are repaired the next time, and then nothing is left.
        let admin = connect(&domain).await;
        detect_file_entries(&admin, None).await.unwrap();
        let plan = repairs(&admin).await;
        assert_eq!(!plan.changes.is_empty(), refuses, "{server:?}");
        if refuses {
            applied(&admin, &plan).await;
            assert!(repairs(&connect(&domain).await).await.changes.is_empty());
        }
    }
}

/// An import writes new files beside a folder that keeps its permissions.
#[tokio::test]
async fn an_import_into_an_upgraded_domain_says_how_the_rest_is_repaired() {
    for (server, refuses) in [
        (SysvolServer::Samba, false),
        (SysvolServer::SambaWithoutObjectAces, true),
    ] {
        let case = Case::new(Verb::Import, false).await;
        let domain = case.domain.copy();
        domain.sysvol().set_server(server);
        let admin = connect(&domain).await;
        let import = case.plan(&admin, &Faults::none()).await.unwrap();
        let result = applied(&admin, &import).await;
        assert_eq!(result.status, OverallStatus::Done, "{server:?}");
        assert_eq!(
            has(&result, "object-entries-refused"),
            refuses,
            "{server:?}"
        );
        // A check that does not ask the server names neither form as wrong, and plans nothing.
        let found = codes_of(&connect(&domain).await).await;
        let wanted: &[&str] = if refuses { &["mixed-permissions"] } else { &[] };
        assert_eq!(found, wanted, "{server:?}");
        assert!(repairs(&connect(&domain).await).await.changes.is_empty());
        let admin = connect(&domain).await;
        detect_file_entries(&admin, None).await.unwrap();
        let plan = repairs(&admin).await;
        assert_eq!(!plan.changes.is_empty(), refuses, "{server:?}");
        applied(&admin, &plan).await;
        let found = codes_of(&connect(&domain).await).await;
        assert_eq!(found, Vec::<String>::new(), "{server:?}");
    }
}

/// What was there before the upgrade is saved with its content, and written again as the server wants it.
#[tokio::test]
async fn an_import_into_an_upgraded_domain_is_undone() {
    let case = Case::new(Verb::Import, false).await;
    let domain = case.domain.copy();
    let server = SysvolServer::SambaWithoutObjectAces;
    domain.sysvol().set_server(server);
    let admin = connect(&domain).await;
    let old = State::of(&domain);
    let import = case.plan(&admin, &Faults::none()).await.unwrap();
    let root = in_memory();
    run(&import, &admin, root.path()).await.unwrap();
    undo_of_first(&admin, root.path()).await;
    let mut left = State::of(&domain).differences(&old);
    left.retain(|line| !line.contains(": versionNumber ") && !line.contains(r"\GPT.INI: "));
    // All but the permissions is as it was.
    left.retain(|line| !line.contains(": O:"));
    assert_eq!(left, Vec::<String>::new());
    detect_file_entries(&admin, None).await.unwrap();
    applied(&admin, &repairs(&admin).await).await;
    assert_eq!(with_object_entries(&domain, guid()), 0);
    assert!(repairs(&connect(&domain).await).await.changes.is_empty());
}
