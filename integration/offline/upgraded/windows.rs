//! A domain controller that is Windows: the folder of a GPO has permissions, and what is in it inherits them. Nothing is asked of the
//! server, and whatever the permissions of the GPO deny, in whatever order, the folder denies too.

use gpoctl::model::security_descriptor::ace_flag;
use gpoctl::operations::import::{self, ImportOptions, ImportTarget};

use super::*;
use crate::verbs::{backup, fixture};

const CLOSED: &str = "O:BAG:BAD:P(A;OICI;FA;;;BA)";
/// Nothing is denied, or something before or after what is allowed.
const DENIALS: [Option<bool>; 3] = [None, Some(true), Some(false)];
/// Findings about the permissions of files.
const OF_FILES: [&str; 8] = [
    "denial-removed",
    "deny-after-allow",
    "descriptor-differs",
    "descriptors-not-set",
    "mixed-permissions",
    "object-entries-refused",
    "owners-not-set",
    "permissions-differ",
];

async fn deny_as(domain: &MemoryDomain, denial: Option<bool>) {
    if let Some(is_first) = denial {
        deny(domain, is_first).await;
    }
}

/// The permissions of a GPO's folder.
fn folder(domain: &MemoryDomain, gpo: Guid) -> String {
    let snapshot = domain.sysvol().snapshot();
    let mut entries = snapshot.entries();
    let own = entries.find(|entry| entry.path.ends_with(&gpo.to_string()));
    to_sddl(&own.unwrap().descriptor)
}

fn put(domain: &MemoryDomain, sddl: &str) {
    let top = SysvolPath::gpo(domain.sysvol().domain(), guid());
    let descriptor = from_sddl(sddl, None).unwrap();
    domain.sysvol().put_descriptor(&top, &descriptor).unwrap();
}

/// What follows from the permissions of the GPO as they are now.
async fn derived(domain: &MemoryDomain, gpo: Guid, entries: FileEntries) -> SecurityDescriptor {
    let admin = connect(domain).await;
    let object = admin.session().directory().gpo(gpo).await.unwrap();
    let directory = SecurityDescriptor::parse(&object.security_descriptor).unwrap();
    file_descriptor(&directory, entries).unwrap().descriptor
}

/// Everything in the folder has what it inherits from there, and nothing else.
fn assert_inherits(domain: &MemoryDomain, gpo: Guid) {
    let snapshot = domain.sysvol().snapshot();
    let below = format!("{gpo}\\");
    let entries = snapshot.entries();
    let all: Vec<_> = entries.filter(|it| it.path.contains(&below)).collect();
    assert!(all.len() > 2, "{}", all.len());
    for entry in all {
        let text = to_sddl(&entry.descriptor);
        assert!(!entry.descriptor.is_dacl_protected(), "{text}");
        let aces = &entry.descriptor.dacl.as_ref().unwrap().aces;
        let is_inherited = aces.iter().all(|it| it.flags & ace_flag::INHERITED != 0);
        assert!(!aces.is_empty() && is_inherited, "{}: {text}", entry.path);
    }
}

/// Neither the operation nor a check has findings about permissions, and nothing is to repair.
async fn assert_right(domain: &MemoryDomain, result: &OperationResult) {
    let said = result.messages.iter().map(|it| it.code.name().to_owned());
    let admin = connect(domain).await;
    let said: Vec<String> = said.chain(codes_of(&admin).await).collect();
    let is_of_files = said.iter().any(|it| OF_FILES.contains(&it.as_str()));
    assert!(!is_of_files, "{said:?}");
    assert!(repairs(&admin).await.changes.is_empty());
}

#[tokio::test]
async fn the_folder_of_a_new_gpo_denies_what_the_directory_denies() {
    let domain = MemoryDomain::windows("src.test").unwrap();
    let admin = connect(&domain).await;
    assert!(!admin.session().info().is_samba());
    let root = in_memory();
    let stored = backup(root.path(), &fixture());
    let target = ImportTarget::New {
        display_name: "Imported".to_owned(),
    };
    let (options, control) = (ImportOptions::default(), Control::default());
    let import = import::plan(admin.session(), &stored, &target, &options, &control).await;
    let mut plans = vec![(domain.copy(), import.unwrap(), None)];
    for verb in [Verb::Create, Verb::CopyWithin] {
        let case = Case::of(domain.copy(), verb, false).await;
        let plan = case.plan(&case.admin().await, &Faults::none()).await;
        plans.push((case.domain.copy(), plan.unwrap(), None));
    }
    // One that was deleted is made with the permissions it had.
    for denial in DENIALS {
        let case = Case::of(domain.copy(), Verb::Delete, false).await;
        deny_as(&case.domain, denial).await;
        let admin = case.admin().await;
        let delete = case.plan(&admin, &Faults::none()).await.unwrap();
        let root = in_memory();
        run(&delete, &admin, root.path()).await.unwrap();
        let operation = journal::list(root.path()).unwrap().remove(0);
        let undoing = undo::plan(admin.session(), &operation, &control).await;
        let Undoing::Plan(plan) = undoing.unwrap() else {
            panic!("it is complete");
        };
        plans.push((case.domain.copy(), *plan, denial));
    }
    for (domain, plan, denial) in plans {
        let result = applied(&connect(&domain).await, &plan).await;
        assert_eq!(result.status, OverallStatus::Done, "{:?}", result.messages);
        let gpo = result.gpo.as_ref().unwrap().guid;
        let wanted = derived(&domain, gpo, FileEntries::WithoutObjectAces).await;
        let found = folder(&domain, gpo);
        assert_eq!(found, to_sddl(&wanted), "{}", plan.title);
        assert_eq!(found.contains("(D;"), denial.is_some(), "{found}");
        assert_inherits(&domain, gpo);
        assert_right(&domain, &result).await;
    }
}

#[tokio::test]
async fn an_import_and_its_undo_leave_the_folder_as_it_is() {
    for denial in DENIALS {
        let domain = MemoryDomain::windows("src.test").unwrap();
        let case = Case::of(domain, Verb::Import, false).await;
        deny_as(&case.domain, denial).await;
        let (old, before) = (State::of(&case.domain), folder(&case.domain, guid()));
        let admin = case.admin().await;
        let plan = case.plan(&admin, &Faults::none()).await.unwrap();
        let root = in_memory();
        let options = ApplyOptions::in_folder(root.path().to_owned());
        let result = apply(&admin, &plan, &options).await.unwrap();
        assert_eq!(result.status, OverallStatus::Done, "{:?}", result.messages);
        assert_eq!(folder(&case.domain, guid()), before);
        assert_inherits(&case.domain, guid());
        assert_right(&case.domain, &result).await;

        undo_of_first(&admin, root.path()).await;
        let mut left = State::of(&case.domain).differences(&old);
        left.retain(|line| !line.contains(": versionNumber ") && !line.contains(r"\GPT.INI: "));
        assert_eq!(left, Vec::<String>::new(), "{denial:?}");
    }
}

/// A restore brings permissions, which the new files inherit from the folder.
#[tokio::test]
async fn a_restore_sets_the_permissions_of_the_folder_and_its_undo_puts_them_back() {
    for denial in DENIALS {
        let domain = MemoryDomain::windows("src.test").unwrap();
        let case = Case::of(domain, Verb::Restore, false).await;
        deny_as(&case.domain, denial).await;
        let as_denied = derived(&case.domain, guid(), FileEntries::WithoutObjectAces).await;
        let as_denied = to_sddl(&as_denied);
        put(&case.domain, &as_denied);
        let admin = case.admin().await;
        let plan = case.plan(&admin, &Faults::none()).await.unwrap();
        let root = in_memory();
        let options = ApplyOptions::in_folder(root.path().to_owned());
        let result = apply(&admin, &plan, &options).await.unwrap();
        assert_eq!(result.status, OverallStatus::Done, "{:?}", result.messages);
        let restored = derived(&case.domain, guid(), FileEntries::WithoutObjectAces).await;
        assert_eq!(folder(&case.domain, guid()), to_sddl(&restored));
        assert!(!folder(&case.domain, guid()).contains("(D;"));
        assert_inherits(&case.domain, guid());
        assert_right(&case.domain, &result).await;

        undo_of_first(&admin, root.path()).await;
        assert_eq!(folder(&case.domain, guid()), as_denied, "{denial:?}");
        assert_inherits(&case.domain, guid());
    }
}

#[tokio::test]
async fn a_repair_sets_the_permissions_of_the_folder_alone() {
    for denial in DENIALS {
        let domain = MemoryDomain::windows("src.test").unwrap();
        domain.put_gpo(guid(), "Desks").unwrap();
        deny_as(&domain, denial).await;
        put(&domain, CLOSED);
        let old = State::of(&domain);
        let faults = Faults::none();
        let admin = domain.connect("Administrator", &faults).await.unwrap();
        detect_file_entries(&admin, None).await.unwrap();
        assert_eq!(codes_of(&admin).await, ["descriptor-differs"]);
        let plan = repairs(&admin).await;
        assert_eq!(plan.changes.len(), 1, "{plan:?}");
        let root = in_memory();
        let options = ApplyOptions::in_folder(root.path().to_owned());
        let result = apply(&admin, &plan, &options).await.unwrap();
        assert_eq!(result.status, OverallStatus::Done, "{:?}", result.messages);
        let wanted = derived(&domain, guid(), FileEntries::WithoutObjectAces).await;
        assert_eq!(folder(&domain, guid()), to_sddl(&wanted), "{denial:?}");
        let changed = State::of(&domain).differences(&old);
        assert_eq!(changed.len(), 1, "{changed:?}");
        let calls = faults.calls();
        let asked = calls.iter().find(|it| it.operation == "probe_file_entries");
        assert!(asked.is_none(), "{asked:?}");
        assert_right(&domain, &result).await;
        undo_of_first(&connect(&domain).await, root.path()).await;
        assert_eq!(folder(&domain, guid()), CLOSED);
    }
}

/// Which entries GPMC keeps is not known, so all that follow from the GPO are right.
#[tokio::test]
async fn a_folder_may_deny_and_have_object_entries_or_not() {
    for denial in DENIALS {
        let domain = MemoryDomain::windows("src.test").unwrap();
        domain.put_gpo(guid(), "Desks").unwrap();
        // As Windows writes it: no entry with an object type, and none that denies.
        let plain = folder(&domain, guid());
        assert!(!plain.contains("(OA;") && !plain.contains("(D;"), "{plain}");
        deny_as(&domain, denial).await;
        let with = derived(&domain, guid(), FileEntries::WithObjectAces).await;
        let without = derived(&domain, guid(), FileEntries::WithoutObjectAces).await;
        for (sddl, is_right) in [
            (plain.as_str(), true),
            (&to_sddl(&with), true),
            (&to_sddl(&without), true),
            (CLOSED, false),
            (&plain.replace(";AU)", ";WD)"), false),
        ] {
            put(&domain, sddl);
            let admin = connect(&domain).await;
            let expected: &[&str] = if is_right {
                &[]
            } else {
                &["descriptor-differs"]
            };
            assert_eq!(codes_of(&admin).await, expected, "{denial:?}: {sddl}");
            assert_eq!(repairs(&admin).await.changes.is_empty(), is_right);
        }
    }
}
