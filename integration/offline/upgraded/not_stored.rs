//! The undo of a repair where the server does not store what was there before.

use super::*;

async fn undo_plan(admin: &DomainWriter, root: &Path) -> Plan {
    let mut operations = journal::list(root).unwrap();
    let operation = operations.pop().unwrap();
    let undoing = undo::plan(admin.session(), &operation, &Control::default()).await;
    match undoing.unwrap() {
        Undoing::Plan(plan) => *plan,
        Undoing::RollBack(parts) => panic!("it is complete: {parts:?}"),
    }
}

/// What a repair of a domain that was upgraded from 4.17 removes cannot come back.
#[tokio::test]
async fn what_the_server_does_not_store_is_said_and_counted() {
    // A lower version too, which is put back.
    for with_version in [false, true] {
        for asks_again in [false, true] {
            let domain = domain_on(SysvolServer::SambaWithoutObjectAces);
            if with_version {
                let dn = domain.directory().base().gpo(guid());
                let set = domain.directory().set(&dn, "versionNumber", ["131074"]);
                set.unwrap();
            }
            let old = State::of(&domain);
            let admin = connect(&domain).await;
            detect_file_entries(&admin, None).await.unwrap();
            let plan = repairs(&admin).await;
            let all = plan.changes.len();
            assert_eq!(all, 3 + usize::from(with_version));
            let root = in_memory();
            let options = ApplyOptions::in_folder(root.path().to_owned());
            apply(&admin, &plan, &options).await.unwrap();
            let repaired = State::of(&domain);

            let admin = connect(&domain).await;
            if asks_again {
                detect_file_entries(&admin, None).await.unwrap();
            }
            let undo = undo_plan(&admin, root.path()).await;
            let left = usize::from(with_version);
            assert_eq!(undo.changes.len(), left, "{undo:?}");
            assert_eq!(
                undo.title,
                format!("undo {left} of {all} changes in src.test")
            );
            let said = undo.messages.iter();
            let said = said.filter(|it| it.code.name() == "permissions-not-put-back");
            let texts: Vec<&str> = said.map(|it| it.text.as_str()).collect();
            assert_eq!(texts.len(), 3, "{texts:?}");
            assert!(
                texts.iter().all(|text| text.contains("object entries")),
                "{texts:?}"
            );
            run(&undo, &admin, root.path()).await.unwrap();
            let operations = journal::list(root.path()).unwrap();
            let operation = operations.last().unwrap();
            assert_eq!(operation.state, OperationState::Undone);
            assert!(operation.undone_in_part);
            let now = State::of(&domain);
            assert_eq!(now == repaired, !with_version);
            assert!(now != old);
        }
    }
}

/// On a server that stores them, a folder without object entries gets them by a repair, and the undo takes them away again.
#[tokio::test]
async fn the_other_form_is_another_state_where_the_server_was_not_asked() {
    let domain = domain_on(SysvolServer::Samba);
    let admin = connect(&domain).await;
    let object = admin.session().directory().gpo(guid()).await.unwrap();
    let directory = SecurityDescriptor::parse(&object.security_descriptor).unwrap();
    let without = file_descriptor(&directory, FileEntries::WithoutObjectAces).unwrap();
    let top = SysvolPath::gpo(domain.sysvol().domain(), guid());
    let set = domain.sysvol().put_descriptor(&top, &without.descriptor);
    set.unwrap();
    let old = State::of(&domain);
    detect_file_entries(&admin, None).await.unwrap();
    let root = in_memory();
    let options = ApplyOptions::in_folder(root.path().to_owned());
    let plan = repairs(&admin).await;
    apply(&admin, &plan, &options).await.unwrap();
    assert_eq!(with_object_entries(&domain, guid()), 4);

    let admin = connect(&domain).await;
    let undo = undo_plan(&admin, root.path()).await;
    let title = format!("undo permissions of the GPO folder of \"Desks\" {}", guid());
    assert_eq!(undo.title, title);
    assert_eq!(undo.changes.len(), 1);
    run(&undo, &admin, root.path()).await.unwrap();
    assert!(State::of(&domain) == old);
    let operations = journal::list(root.path()).unwrap();
    assert!(!operations.last().unwrap().undone_in_part);
}
