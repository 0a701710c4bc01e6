//! A delegated editor in a domain that was upgraded: what he may repair is repaired, and the rest is left and said.

use gpoctl::message::StatusMessage;
use gpoctl::operations::check::permitted::leave_out_denied;

use super::*;

/// The GPO, whose version in the directory is higher than in GPT.INI, an editor of it, and files as 4.17 wrote them.
async fn edited() -> MemoryDomain {
    let domain = domain_on(SysvolServer::Samba);
    let directory = domain.directory();
    let alice = directory.put_user(&directory.base(), "alice").unwrap();
    let admin = connect(&domain).await;
    let object = admin.session().directory().gpo(guid()).await.unwrap();
    let before = SecurityDescriptor::parse(&object.security_descriptor).unwrap();
    let edit = format!("{}(A;CI;CCDCLCRPWPLORC;;;{alice})", to_sddl(&before));
    directory.set_descriptor(&object.dn, &edit).unwrap();
    detect_file_entries(&admin, None).await.unwrap();
    applied(&admin, &repairs(&admin).await).await;
    directory
        .set(&object.dn, "versionNumber", ["131074"])
        .unwrap();
    domain
        .sysvol()
        .set_server(SysvolServer::SambaWithoutObjectAces);
    domain
}

fn gpt_ini(domain: &MemoryDomain) -> String {
    let snapshot = domain.sysvol().snapshot();
    let own = format!("{}\\GPT.INI", guid());
    let mut entries = snapshot.entries();
    let ini = entries.find(|entry| entry.path.ends_with(&own)).unwrap();
    String::from_utf8(ini.content.clone().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn an_editor_raises_a_version_and_leaves_the_permissions() {
    let domain = edited().await;
    let before = domain.sysvol().snapshot();
    let alice = domain.connect("alice", &Faults::none()).await.unwrap();
    detect_file_entries(&alice, Some(guid())).await.unwrap();
    let mut plan = repairs(&alice).await;
    assert!(plan.changes.len() > 1, "{plan:?}");
    leave_out_denied(&mut plan, alice.session()).await.unwrap();
    assert_eq!(plan.changes.len(), 1, "{plan:?}");
    let said: Vec<String> = plan
        .messages
        .iter()
        .map(|it| format!("{} {}: {}", it.code, it.gpo.as_deref().unwrap(), it.text))
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
    let own = said.iter().find(|text| text.contains("Desks")).unwrap();
    assert!(own.starts_with("not-permitted Desks"), "{own}");
    assert!(own.contains("permissions of 4 files and folders"), "{own}");

    let result = applied(&alice, &plan).await;
    assert_eq!(result.status, OverallStatus::Done, "{:?}", result.messages);
    assert!(has(&result, "not-permitted"));
    assert!(gpt_ini(&domain).contains("Version=131074"));
    let after = domain.sysvol().snapshot();
    let is_ini = |path: &str| path.ends_with("GPT.INI");
    assert_eq!(
        after
            .without(is_ini)
            .differences_from(&before.without(is_ini)),
        Vec::<String>::new()
    );
    // The administrator leaves nothing out.
    let admin = connect(&domain).await;
    detect_file_entries(&admin, None).await.unwrap();
    let mut plan = repairs(&admin).await;
    let all = plan.changes.len();
    leave_out_denied(&mut plan, admin.session()).await.unwrap();
    assert_eq!((plan.changes.len(), plan.messages.len()), (all, 0));
    applied(&admin, &plan).await;
    assert_eq!(codes_of(&admin).await, Vec::<String>::new());
}

/// Who may do nothing gets a plan without changes, with a warning for each.
#[tokio::test]
async fn who_may_repair_nothing_is_told_so() {
    let domain = edited().await;
    let directory = domain.directory();
    directory.put_user(&directory.base(), "bob").unwrap();
    let bob = domain.connect("bob", &Faults::none()).await.unwrap();
    let dn = directory.base().gpo(guid());
    let list = "[{827D319E-6EAC-11D2-A4EA-00C04F79F83A}{803E14A0-B4FB-11D0-A0D0-00A0C90F574B}][{42B5FAAE-6536-11D2-AE5A-0000F87571E3}{40B6664F-4972-11D1-A7CA-0000F87571E3}]";
    directory
        .set(&dn, "gPCMachineExtensionNames", [list])
        .unwrap();
    let mut plan = repairs(&bob).await;
    leave_out_denied(&mut plan, bob.session()).await.unwrap();
    assert!(plan.changes.is_empty(), "{plan:?}");
    let texts: Vec<&str> = plan.messages.iter().map(|it| it.text.as_str()).collect();
    for what in ["GPT.INI", "gPCMachineExtensionNames of CN="] {
        let found = texts.iter().any(|text| text.contains(what));
        assert!(found, "{what}: {texts:?}");
    }
    // What would be said of a new GPT.INI is left out with it.
    let admin = connect(&domain).await;
    detect_file_entries(&admin, None).await.unwrap();
    applied(&admin, &repairs(&admin).await).await;
    deny(&domain, false).await;
    directory.set(&dn, "versionNumber", ["196611"]).unwrap();
    let mut plan = repairs(&bob).await;
    let is_of_ini = |it: &StatusMessage| it.code.name() == "deny-after-allow";
    assert!(plan.messages.iter().any(is_of_ini), "{plan:?}");
    leave_out_denied(&mut plan, bob.session()).await.unwrap();
    assert!(!plan.messages.iter().any(is_of_ini), "{plan:?}");
    assert!(plan.changes.is_empty(), "{plan:?}");
}

/// Only GPT.INI is written, by a plan that was made without asking the server.
#[tokio::test]
async fn a_new_gpt_ini_without_its_object_entries_is_said() {
    let domain = edited().await;
    let admin = connect(&domain).await;
    let plan = repairs(&admin).await;
    assert_eq!(plan.changes.len(), 1, "{plan:?}");
    let result = applied(&admin, &plan).await;
    assert!(
        has(&result, "object-entries-refused"),
        "{:?}",
        result.messages
    );
}

/// Where the default GPOs were set by hand, the folder of the GPO shows the form.
#[tokio::test]
async fn the_finding_names_what_shows_the_form() {
    let by_hand = from_sddl("O:BAG:BAD:P(A;;FA;;;BA)", None).unwrap();
    for (is_set_by_hand, expected) in [
        (false, "than those of the default GPOs"),
        (true, "than those of the folder of the GPO"),
    ] {
        let domain = domain_on(SysvolServer::Samba);
        let admin = connect(&domain).await;
        let objects = admin.session().directory().gpos().await.unwrap();
        for object in objects.iter().filter(|it| it.guid != guid()) {
            let top = SysvolPath::gpo(domain.sysvol().domain(), object.guid);
            if is_set_by_hand {
                domain.sysvol().put_descriptor(&top, &by_hand).unwrap();
            }
        }
        let object = objects.iter().find(|it| it.guid == guid()).unwrap();
        let directory = SecurityDescriptor::parse(&object.security_descriptor).unwrap();
        let without = file_descriptor(&directory, FileEntries::WithoutObjectAces).unwrap();
        let user = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &"User".parse().unwrap());
        domain
            .sysvol()
            .put_descriptor(&user, &without.descriptor)
            .unwrap();
        let report = check_domain(admin.session(), &Control::default()).await;
        let report = report.unwrap();
        let mut all = report.all();
        let found = all
            .find(|it| it.code.name() == "mixed-permissions")
            .unwrap();
        assert!(found.text.ends_with(expected), "{}", found.text);
    }
}
