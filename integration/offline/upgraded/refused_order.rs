//! A GPO whose permissions deny after they allow, an order that Samba 4.25 refuses on files.

use gpoctl::ErrorKind;
use gpoctl::message::StatusMessage;
use gpoctl::model::safe_name::RelPath;

use super::*;

fn descriptors_of(domain: &MemoryDomain, gpo: Guid) -> Vec<(String, String)> {
    let snapshot = domain.sysvol().snapshot();
    let own = snapshot
        .entries()
        .filter(|entry| entry.path.contains(&gpo.to_string()))
        .map(|entry| (entry.path.clone(), to_sddl(&entry.descriptor)));
    own.collect()
}

/// What the findings about the order say.
fn texts(messages: &[StatusMessage]) -> Vec<String> {
    let own = messages.iter();
    own.filter(|it| it.code.name() == "deny-after-allow")
        .map(|it| it.text.clone())
        .collect()
}

#[tokio::test]
async fn the_files_of_such_a_gpo_are_left_and_those_of_the_others_repaired() {
    let domain = domain_on(SysvolServer::SambaWithoutObjectAces);
    deny(&domain, false).await;
    let dn = domain.directory().base().gpo(guid());
    domain.directory().set(&dn, "versionNumber", ["3"]).unwrap();
    let before = descriptors_of(&domain, guid());
    let admin = connect(&domain).await;
    detect_file_entries(&admin, None).await.unwrap();
    let codes = codes_of(&admin).await;
    assert!(codes.contains(&"deny-after-allow".to_owned()), "{codes:?}");
    let plan = repairs(&admin).await;
    let said = texts(&plan.messages);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("the new GPT.INI inherits"), "{said:?}");
    let result = applied(&admin, &plan).await;
    assert_eq!(result.status, OverallStatus::Done, "{:?}", result.messages);
    assert_eq!(texts(&result.messages), said);
    // The version is repaired all the same. The new GPT.INI inherits.
    assert_eq!(codes_of(&admin).await, ["deny-after-allow"]);
    assert!(repairs(&admin).await.changes.is_empty());
    let is_other = |(path, _): &&(String, String)| !path.ends_with("GPT.INI");
    let after = descriptors_of(&domain, guid());
    assert!(
        after
            .iter()
            .filter(is_other)
            .eq(before.iter().filter(is_other))
    );
    // A new connection looks only, and the files of the default GPOs show what the server wants.
    assert_eq!(
        codes_of(&connect(&domain).await).await,
        ["deny-after-allow"]
    );
}

/// No permissions are right there, and more than the GPO grants is reported all the same.
#[tokio::test]
async fn what_files_of_such_a_gpo_grant_beyond_it_is_reported() {
    let domain = domain_on(SysvolServer::SambaWithoutObjectAces);
    deny(&domain, false).await;
    let full = "(A;OICI;FA;;;WD)";
    for (entry, path, is_more) in [
        ("(A;OICI;0x1200a9;;;AU)", "User", false),
        (full, "User", true),
        (full, "", true),
    ] {
        let domain = domain.copy();
        let path = match path {
            "" => RelPath::root(),
            path => path.parse().unwrap(),
        };
        let at = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &path);
        let set = from_sddl(&format!("O:BAG:BAD:P(A;OICI;FA;;;BA){entry}"), None).unwrap();
        domain.sysvol().put_descriptor(&at, &set).unwrap();
        let admin = connect(&domain).await;
        detect_file_entries(&admin, None).await.unwrap();
        let report = check_domain(admin.session(), &Control::default()).await;
        let report = report.unwrap();
        let codes: Vec<&str> = report.all().map(|it| it.code.name()).collect();
        assert!(codes.contains(&"deny-after-allow"), "{codes:?}");
        let mut found = report.all();
        let more = found.find(|it| it.code.name() == "folder-grants-more");
        assert_eq!(more.is_some(), is_more, "{entry} on {path}: {codes:?}");
        let Some(more) = more else { continue };
        let name = match path.is_root() {
            true => "the GPO folder".to_owned(),
            false => path.to_string(),
        };
        let expected = format!("being {name}, which has the entry S-1-1-0: {full}");
        assert!(
            more.text.starts_with("the permissions of 1 of 4 files"),
            "{more:?}"
        );
        assert!(more.text.ends_with(&expected), "{more:?}");
        // A repair of it would be refused.
        let plan = repairs(&admin).await;
        let changes = format!("{:?}", plan.changes);
        assert!(!changes.contains(&guid().to_string()), "{changes}");
    }
}

/// Entries that deny are left out there, so their order does not matter.
#[tokio::test]
async fn an_earlier_version_has_no_such_finding() {
    for server in [SysvolServer::Samba, SysvolServer::SambaHoldingNames] {
        let domain = domain_on(server);
        deny(&domain, false).await;
        let admin = connect(&domain).await;
        detect_file_entries(&admin, None).await.unwrap();
        assert_eq!(codes_of(&admin).await, Vec::<String>::new(), "{server:?}");
        assert!(repairs(&admin).await.changes.is_empty());
    }
}

/// Such a plan has the form of the default GPOs, which is that of before the upgrade.
#[tokio::test]
async fn a_plan_made_without_asking_the_server_is_refused_before_the_first_write() {
    let domain = domain_on(SysvolServer::SambaWithoutObjectAces);
    deny(&domain, false).await;
    let folder = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &"User".parse().unwrap());
    let wrong = from_sddl("O:BAG:BAD:P(A;;FA;;;BA)", None).unwrap();
    domain.sysvol().put_descriptor(&folder, &wrong).unwrap();
    let plan = repairs(&connect(&domain).await).await;
    assert_eq!(plan.changes.len(), 1);
    let before = State::of(&domain);
    let root = in_memory();
    let options = ApplyOptions::in_folder(root.path().to_owned());
    let error = apply(&connect(&domain).await, &plan, &options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadDirectory);
    assert!(
        error.to_string().contains("denies after one that allows"),
        "{error}"
    );
    assert!(
        error.hint().unwrap().contains("samba-tool dsacl"),
        "{error:?}"
    );
    assert!(State::of(&domain) == before);
    assert!(journal::list(root.path()).unwrap().is_empty());
}

/// Only GPT.INI is written, which inherits; nothing is set without object entries.
#[tokio::test]
async fn a_gpt_ini_that_was_planned_without_asking_the_server_inherits_and_that_is_said() {
    let domain = domain_on(SysvolServer::SambaWithoutObjectAces);
    deny(&domain, false).await;
    let dn = domain.directory().base().gpo(guid());
    domain.directory().set(&dn, "versionNumber", ["3"]).unwrap();
    let admin = connect(&domain).await;
    let plan = repairs(&admin).await;
    assert_eq!((plan.changes.len(), plan.messages.len()), (1, 0));
    let result = applied(&admin, &plan).await;
    assert_eq!(result.status, OverallStatus::Done, "{:?}", result.messages);
    let said = texts(&result.messages);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("the new GPT.INI inherits"), "{said:?}");
    assert!(
        !has(&result, "object-entries-refused"),
        "{:?}",
        result.messages
    );
    let all = descriptors_of(&domain, guid());
    let (_, ini) = all.iter().find(|it| it.0.ends_with("GPT.INI")).unwrap();
    assert!(!ini.contains("(D;") && ini.contains("(OA;"), "{ini}");
}

/// What writes files into such a GPO says before the first write that they inherit their permissions, and so does the result
/// where it was so.
#[tokio::test]
async fn new_files_of_such_a_gpo_inherit_and_the_plan_says_so() {
    for (server, is_refused) in [
        (SysvolServer::Samba, false),
        (SysvolServer::SambaWithoutObjectAces, true),
    ] {
        for verb in [Verb::Import, Verb::Restore, Verb::Delete] {
            let case = Case::new(verb, false).await;
            let domain = case.domain.copy();
            domain.sysvol().set_server(server);
            deny(&domain, false).await;
            let admin = connect(&domain).await;
            let mut plan = case.plan(&admin, &Faults::none()).await.unwrap();
            let root = in_memory();
            if verb == Verb::Delete {
                // Its undo makes the GPO with these permissions.
                run(&plan, &admin, root.path()).await.unwrap();
                let operation = journal::list(root.path()).unwrap().remove(0);
                let control = Control::default();
                let undoing = undo::plan(admin.session(), &operation, &control).await;
                let Undoing::Plan(undo) = undoing.unwrap() else {
                    panic!("it is complete");
                };
                plan = *undo;
            }
            let what = format!("{verb:?} on {server:?}");
            let says = plan
                .findings()
                .any(|it| it.code.name() == "deny-after-allow");
            // The folder of a deleted GPO is a new one, which keeps nothing.
            let expected = match verb {
                Verb::Delete => "on the new folder of the GPO the entries that deny come first",
                _ => "the folder keeps its permissions",
            };
            let are_right = |messages: &[StatusMessage]| {
                let said = texts(messages);
                assert!(
                    said.iter().all(|it| it.contains(expected)),
                    "{what}: {said:?}"
                );
            };
            let found: Vec<StatusMessage> = plan.findings().cloned().collect();
            are_right(&found);
            // A restore brings the permissions of its backup.
            assert_eq!(says, verb != Verb::Restore, "{what}");
            let is_refused = is_refused && verb != Verb::Restore;
            let result = applied(&admin, &plan).await;
            assert_eq!(
                result.status,
                OverallStatus::Done,
                "{what}: {:?}",
                result.messages
            );
            assert_eq!(has(&result, "deny-after-allow"), is_refused, "{what}");
            are_right(&result.messages);
            if is_refused {
                detect_file_entries(&admin, None).await.unwrap();
                let codes = codes_of(&admin).await;
                assert!(codes.contains(&"deny-after-allow".to_owned()), "{codes:?}");
            }
            if is_refused && verb == Verb::Delete {
                denies_first(&domain);
            }
        }
    }
}

/// The folder that an undo has made, and what is in it: nothing is inherited from Policies, and what the GPO denies is denied.
fn denies_first(domain: &MemoryDomain) {
    let all = descriptors_of(domain, guid());
    assert!(all.len() > 1, "{all:?}");
    for (path, sddl) in all {
        let (_, dacl) = sddl.split_once("D:").unwrap();
        let (flags, entries) = dacl.split_once('(').unwrap();
        let is_folder = path.ends_with(&guid().to_string());
        assert!(!is_folder || flags.contains('P'), "{path}: {sddl}");
        let kinds: Vec<&str> = entries
            .split('(')
            .map(|it| it.split(';').next().unwrap())
            .collect();
        assert_eq!((kinds[0], kinds[1]), ("D", "A"), "{path}: {sddl}");
    }
}
