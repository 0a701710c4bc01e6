//! Journals of single values that somebody has edited: what their undo and roll-back write.

use std::fs;

use gpoctl::ErrorKind;
use gpoctl::execute::journal::{self, OperationState, StoredOperation};
use gpoctl::execute::{ApplyOptions, apply, roll_back};
use gpoctl::operations::undo::{self, Undoing};
use gpoctl::progress::Control;
use gpoctl::session::DomainWriter;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;
use serde_json::{Value, json};

use super::DEFAULT_POLICY;
use crate::support::*;

/// The journal of a list of changes, as it is after a repair or a change of a WMI filter.
async fn journal_of_change(
    change: Value,
) -> (
    MemoryDomain,
    DomainWriter,
    tempfile::TempDir,
    StoredOperation,
) {
    let domain = MemoryDomain::new("src.test").unwrap();
    let admin = domain
        .connect("Administrator", &Faults::none())
        .await
        .unwrap();
    let folder = tempfile::TempDir::new_in(scratch()).unwrap();
    let id = "20260131T120000.250Z-00000001";
    let journal = folder.path().join(id);
    fs::create_dir(&journal).unwrap();
    let plan = json!({
        "format_version": 1, "operation_id": id, "title": "repair", "domain": "src.test", "messages": [],
        "changes": [change],
    });
    fs::write(journal.join("plan.json"), plan.to_string()).unwrap();
    fs::write(journal.join("journal.jsonl"), "{\"event\":\"finished\"}\n").unwrap();
    let operation = journal::list(folder.path()).unwrap().remove(0);
    (domain, admin, folder, operation)
}

/// Undoing makes the inverse of what the journal says was done, and the inverse is what an attacker writes into it.
#[tokio::test]
async fn the_inverse_of_an_edited_change_grants_nothing_that_the_gpo_does_not() {
    let base64 = |sddl: &str| {
        use base64::Engine as _;
        let domain = "S-1-5-21-0-0-0".parse().unwrap();
        let descriptor = gpoctl::model::sddl::from_sddl(sddl, Some(&domain)).unwrap();
        base64::engine::general_purpose::STANDARD.encode(descriptor.to_bytes().unwrap())
    };
    let open = base64("O:BAG:BAD:P(A;OICI;FA;;;BA)(A;OICI;FA;;;WD)");
    let now = base64("O:BAG:BAD:P(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)");
    for path in ["", "GPT.INI"] {
        let change = json!({
            "change": "descriptors", "guid": DEFAULT_POLICY, "summary": [],
            "entries": [{"path": path, "old": open, "new": now}],
        });
        let (domain, admin, folder, operation) = journal_of_change(change).await;
        let before = domain.sysvol().snapshot();
        let planned = undo::plan(admin.session(), &operation, &Control::default()).await;
        let Undoing::Plan(plan) = planned.unwrap() else {
            panic!("not a plan");
        };
        assert!(plan.changes.is_empty(), "{:?}", plan.changes);
        let [warning] = plan.messages.as_slice() else {
            panic!("{:?}", plan.messages);
        };
        assert!(
            warning.text.contains("S-1-1-0")
                && warning
                    .text
                    .contains("does not follow from the permissions"),
            "{}",
            warning.text
        );
        apply(&admin, &plan, &ApplyOptions::in_folder(folder.path()))
            .await
            .unwrap();
        assert_eq!(domain.sysvol().snapshot(), before);
    }
    // Values that no operation writes, in either direction.
    let gpo = format!("CN={DEFAULT_POLICY},CN=Policies,CN=System,DC=src,DC=test");
    for (dn, attribute, old, new) in [
        (gpo.as_str(), "flags", "7", "0"),
        (gpo.as_str(), "flags", "0", "7"),
        (
            "CN=Administrator,CN=Users,DC=src,DC=test",
            "displayName",
            "x",
            "Administrator",
        ),
        (gpo.as_str(), "displayName", "a\nb", "c\nd"),
    ] {
        let change = json!({
            "change": "attributes", "dn": dn, "summary": [],
            "attributes": [{"attribute": attribute, "old": old, "new": new}],
        });
        let (_domain, admin, _folder, operation) = journal_of_change(change).await;
        let planned = undo::plan(admin.session(), &operation, &Control::default()).await;
        let error = planned.map(|planned| format!("{planned:?}")).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::BadInput,
            "{dn} {attribute}: {error}"
        );
    }
}

/// A journal that claims to have added what another administrator has made.
#[tokio::test]
async fn undo_deletes_no_filter_that_the_operation_did_not_add() {
    let id = "{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}";
    let dn = format!("CN={id},CN=SOM,CN=WMIPolicy,CN=System,DC=src,DC=test");
    let change = json!({
        "change": "add-wmi-filter", "dn": dn, "summary": [],
        "attributes": [
            ["msWMI-ID", id], ["msWMI-Name", "Desks"], ["msWMI-Parm2", "1;3;4;1;WQL;root;q;"],
            ["showInAdvancedViewOnly", "TRUE"],
        ],
    });
    let (domain, admin, folder, operation) = journal_of_change(change).await;
    domain
        .directory()
        .put_wmi_filter(id.parse().unwrap(), "Desks of another", "SELECT * FROM x")
        .unwrap();
    let before = domain.directory().snapshot();
    let planned = undo::plan(admin.session(), &operation, &Control::default()).await;
    let Ok(Undoing::Plan(list)) = planned else {
        panic!("{planned:?}");
    };
    let options = ApplyOptions::in_folder(folder.path().to_owned());
    let error = apply(&admin, &list, &options).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(domain.directory().snapshot(), before);
    // One that is not below the container of the filters is not even planned.
    let edited = fs::read_to_string(operation.folder.join("plan.json"))
        .unwrap()
        .replace(",CN=SOM,CN=WMIPolicy,CN=System", ",CN=Users");
    fs::write(operation.folder.join("plan.json"), edited).unwrap();
    let planned = undo::plan(admin.session(), &operation, &Control::default()).await;
    let error = planned.map(|planned| format!("{planned:?}")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
}

/// An operation may remove a link that leads out of the domain. What it removed is known from its journal alone, so no undo and
/// no roll-back adds one that an attacker has written there.
#[tokio::test]
async fn no_undo_adds_a_link_that_leads_out_of_the_domain() {
    let link = |path: &str| format!("[LDAP://{path};0]");
    let policy = |domain: &str| format!("cn={DEFAULT_POLICY},cn=policies,cn=system,{domain}");
    let own = link(&policy("DC=src,DC=test"));
    let gpo = format!("CN={DEFAULT_POLICY},CN=Policies,CN=System,DC=src,DC=test");
    let filter = "{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}";
    let mut cases = vec![(
        gpo.as_str(),
        "gPCWQLFilter",
        format!("[evil.test;{filter};0]"),
        None,
    )];
    let ou = "OU=Staff,DC=src,DC=test";
    for foreign in [
        link(&policy("DC=evil,DC=test")),
        link(&format!("evil.test/{}", policy("DC=src,DC=test"))),
        link(&format!("192.0.2.1/{}", policy("DC=evil,DC=test"))),
        link("CN=Administrator,CN=Users,DC=src,DC=test"),
    ] {
        cases.push((ou, "gPLink", foreign.clone(), None));
        cases.push((ou, "gPLink", foreign.clone() + &own, Some(own.clone())));
    }
    for (dn, attribute, old, new) in cases {
        let change = json!({
            "change": "attributes", "dn": dn, "summary": [],
            "attributes": [{"attribute": attribute, "old": old, "new": new}],
        });
        for finished in [true, false] {
            let (domain, admin, folder, operation) = journal_of_change(change.clone()).await;
            let base = domain.directory().base();
            let made = domain.directory().put_ou(&base, "Staff").unwrap();
            if let Some(new) = &new {
                domain
                    .directory()
                    .set(&made, attribute, [new.clone()])
                    .unwrap();
            }
            let before = domain.directory().snapshot();
            let options = ApplyOptions::in_folder(folder.path());
            let messages = if finished {
                let planned = undo::plan(admin.session(), &operation, &options.control).await;
                let Ok(Undoing::Plan(plan)) = planned else {
                    panic!("{old}: {planned:?}");
                };
                apply(&admin, &plan, &options).await.unwrap();
                plan.messages
            } else {
                fs::write(
                    operation.folder.join("journal.jsonl"),
                    "{\"event\":\"change\",\"inverse\":\"change-back\"}\n",
                )
                .unwrap();
                let operation = journal::list(folder.path()).unwrap().remove(0);
                assert_eq!(operation.state, OperationState::Unfinished);
                let planned = undo::plan(admin.session(), &operation, &options.control).await;
                let Ok(Undoing::RollBack(parts)) = planned else {
                    panic!("{old}: {planned:?}");
                };
                assert!(parts.iter().any(|part| part.contains(dn)), "{parts:?}");
                let done = roll_back(&admin, &operation, &options).await;
                done.unwrap().messages
            };
            let changed = domain.directory().snapshot().differences_from(&before);
            assert!(changed.is_empty(), "{old}: {changed:?}");
            let mut messages = messages.iter();
            let warning = messages.find(|it| it.code.name() == "links-not-put-back");
            let warning = warning.unwrap_or_else(|| panic!("{old}"));
            assert!(warning.text.contains(dn), "{}", warning.text);
            let hint = warning.hint.clone().unwrap();
            assert!(hint.contains(&old), "{hint}");
        }
    }
}
