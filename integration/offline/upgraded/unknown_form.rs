//! A server that does not answer what it stores, and the folder of a GPO that is rolled back.

use gpoctl::testing::faults::Fault;

use super::*;

/// The question ends in an error of the server each time, so the first descriptor is refused.
#[tokio::test]
async fn a_server_that_was_not_asked_gets_what_it_stores() {
    for verb in [Verb::Create, Verb::Import, Verb::CopyAcross] {
        let case = Case::new(verb, false).await;
        let domain = case.domain.copy();
        let server = SysvolServer::SambaWithoutObjectAces;
        domain.sysvol().set_server(server);
        deny(&domain, true).await;
        let faults = Faults::none();
        let admin = domain.connect("Administrator", &faults).await.unwrap();
        let plan = case.plan(&admin, &Faults::none()).await.unwrap();
        // As each call of the question would be found by a run without faults.
        let asked = {
            let other = domain.copy();
            let faults = Faults::none();
            let admin = other.connect("Administrator", &faults).await.unwrap();
            let before = faults.calls().len();
            applied(&admin, &plan).await;
            let calls = faults.calls();
            let mut asked = Vec::new();
            for (index, call) in calls.iter().enumerate().skip(before) {
                if call.operation == "probe_file_entries" {
                    asked.push(index - before);
                }
            }
            asked
        };
        assert!(!asked.is_empty());
        let before = faults.calls().len();
        for at in asked {
            faults.add(before + at + 1, Fault::Pretend);
        }
        let result = applied(&admin, &plan).await;
        assert_eq!(result.status, OverallStatus::Done, "{verb:?}");
        let gpo = result.gpo.as_ref().unwrap().guid;
        detect_file_entries(&admin, None).await.unwrap();
        let wrong: Vec<String> = codes_of(&admin).await;
        let snapshot = domain.sysvol().snapshot();
        let mut own: Vec<_> = snapshot.entries().collect();
        own.retain(|it| {
            let is_new = verb != Verb::Import || it.path.contains("Machine");
            it.path.contains(&gpo.to_string()) && is_new
        });
        let all = own.len();
        own.retain(|it| it.descriptor.dacl.as_ref().unwrap().aces[0].denies());
        let denied = own.len();
        // The new GPOs have the permissions of the schema, which deny nothing.
        let expected = if verb == Verb::Import { all } else { 0 };
        assert_eq!(denied, expected, "{verb:?}: {wrong:?}");
        assert!(all > 0);
    }
}

/// A restore replaces the permissions of the GPO; before, its folder had the form of the earlier version, which is not stored any more.
#[tokio::test(start_paused = true)]
async fn a_roll_back_of_the_permissions_of_the_folder_keeps_what_denies() {
    let case = Case::new(Verb::Restore, false).await;
    let domain = case.domain.copy();
    let server = SysvolServer::SambaWithoutObjectAces;
    domain.sysvol().set_server(server);
    deny(&domain, true).await;
    let admin = connect(&domain).await;
    let plan = case.plan(&admin, &Faults::none()).await.unwrap();
    let denied = |domain: &MemoryDomain| {
        let folder = format!("{}", guid());
        let snapshot = domain.sysvol().snapshot();
        let mut entries = snapshot.entries();
        let top = entries.find(|it| it.path.ends_with(&folder)).unwrap();
        top.descriptor.dacl.as_ref().unwrap().aces[0].denies()
    };
    // The last calls of the operation are refused, so that what it wrote before is rolled back.
    let faults = Faults::none();
    let other = domain.copy();
    let writer = other.connect("Administrator", &faults).await.unwrap();
    let begin = faults.calls().len();
    applied(&writer, &plan).await;
    let calls = faults.calls();
    let set = calls.iter().enumerate().skip(begin).find(|(_, call)| {
        call.operation == "set_security_descriptors" && call.object.ends_with(&guid().to_string())
    });
    let (number, _) = set.unwrap();
    let faults = Faults::none();
    let writer = domain.connect("Administrator", &faults).await.unwrap();
    let now = faults.calls().len();
    // The call after it, and not the roll-back.
    faults.add(now + number - begin + 2, Fault::Refuse);
    let root = in_memory();
    let options = ApplyOptions::in_folder(root.path().to_owned());
    let error = apply(&writer, &plan, &options).await.unwrap_err();
    assert!(denied(&domain), "{error:?}");
    detect_file_entries(&admin, None).await.unwrap();
    let operation = journal::list(root.path()).unwrap().remove(0);
    assert_eq!(operation.state, OperationState::Failed, "{error:?}");
}
