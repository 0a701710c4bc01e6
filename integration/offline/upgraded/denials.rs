//! Entries of the directory that deny, which Samba 4.25 has on files too: a plan that was made before them is out of date, and an undo
//! that removes them says so.

use gpoctl::ErrorKind;

use super::*;

const READABLE: &str = "O:BAG:BAD:P(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;AU)";
const CLOSED: &str = "O:BAG:BAD:P(A;;FA;;;BA)";

/// Gives a folder of the GPO these permissions.
fn put(domain: &MemoryDomain, folder: &str, sddl: &str) {
    let path = SysvolPath::in_gpo(domain.sysvol().domain(), guid(), &folder.parse().unwrap());
    let descriptor = from_sddl(sddl, None).unwrap();
    domain.sysvol().put_descriptor(&path, &descriptor).unwrap();
}

/// The permissions of a folder of the GPO.
fn permissions(domain: &MemoryDomain, folder: &str) -> SecurityDescriptor {
    let snapshot = domain.sysvol().snapshot();
    let own = format!("{}\\{folder}", guid());
    let mut entries = snapshot.entries();
    let entry = entries.find(|entry| entry.path.ends_with(&own));
    SecurityDescriptor::clone(&entry.unwrap().descriptor)
}

async fn asked(domain: &MemoryDomain) -> DomainWriter {
    let admin = connect(domain).await;
    detect_file_entries(&admin, None).await.unwrap();
    admin
}

#[tokio::test]
async fn a_saved_plan_from_before_a_denial_is_refused() {
    let domain = domain_on(SysvolServer::SambaWithoutObjectAces);
    let admin = asked(&domain).await;
    applied(&admin, &repairs(&admin).await).await;
    put(&domain, "User", CLOSED);
    let plan = repairs(&admin).await;
    assert_eq!(plan.changes.len(), 1);
    let saved = Plan::from_json(&plan.to_json().unwrap()).unwrap();
    deny(&domain, true).await;
    let before = State::of(&domain);
    let root = in_memory();
    let options = ApplyOptions::in_folder(root.path().to_owned());
    let outcome = apply(&connect(&domain).await, &saved, &options).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("without one that denies S-1-5-32-546"),
        "{text}"
    );
    assert!(State::of(&domain) == before);
}

#[tokio::test]
async fn an_undo_does_not_remove_a_denial_without_saying_so() {
    for (server, denies) in [
        (SysvolServer::Samba, false),
        (SysvolServer::SambaWithoutObjectAces, true),
    ] {
        // What was planned with the form of another version is known by what the files have.
        for asks in [true, false] {
            let domain = domain_on(server);
            deny(&domain, true).await;
            put(&domain, "User", READABLE);
            put(&domain, "Machine", CLOSED);
            let admin = match asks {
                true => asked(&domain).await,
                false => connect(&domain).await,
            };
            let plan = repairs(&admin).await;
            let root = in_memory();
            let options = ApplyOptions::in_folder(root.path().to_owned());
            apply(&admin, &plan, &options).await.unwrap();
            let repaired = to_sddl(&permissions(&domain, "User"));
            assert_eq!(repaired.contains("(D;"), denies, "{repaired}");

            let admin = connect(&domain).await;
            let operation = journal::list(root.path()).unwrap().remove(0);
            let control = Control::default();
            let undoing = undo::plan(admin.session(), &operation, &control).await;
            let Undoing::Plan(undo) = undoing.unwrap() else {
                panic!("it is complete");
            };
            let codes: Vec<&str> = undo.messages.iter().map(|it| it.code.name()).collect();
            let said = |code: &str| codes.contains(&code);
            assert_eq!(said("permissions-not-put-back"), denies, "{codes:?}");
            assert_eq!(said("denial-removed"), denies, "{codes:?}");
            assert_eq!(applied(&admin, &undo).await.status, OverallStatus::Done);
            // Who is denied does not get access again.
            let user = to_sddl(&permissions(&domain, "User"));
            assert_eq!(user.contains("(D;"), denies, "{user}");
            assert_eq!(user == READABLE, !denies, "{user}");
            // Nobody but administrators gets any.
            assert_eq!(to_sddl(&permissions(&domain, "Machine")), CLOSED);
        }
    }
}
