//! The client that looks on notices a policy that is a mixture: each of these is made by hand.

use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::testing::domain::MemoryDomain;

use super::case::{GPO, Verb, guid, in_memory, run};
use super::client_view::{View, mixture, view_of};
use super::sweep::Trial;

/// A file of the GPO as it is in another domain.
fn take_file(into: &MemoryDomain, from: &MemoryDomain, path: &str) {
    let snapshot = from.sysvol().snapshot();
    let entry = snapshot.entry(&format!(r"{GPO}\{path}")).unwrap();
    let at = SysvolPath::in_gpo(into.directory().domain(), guid(), &path.parse().unwrap());
    let content = entry.content.clone().unwrap();
    into.sysvol().put_file(&at, content).unwrap();
}

/// An attribute of the GPO as it is in another domain.
fn take_attribute(into: &MemoryDomain, from: &MemoryDomain, name: &str) {
    let dn = into.directory().base().gpo(guid());
    let value = from.directory().snapshot().entry(&dn).unwrap().text(name);
    into.directory().set(&dn, name, value).unwrap();
}

#[tokio::test]
async fn a_mixture_is_noticed() {
    let trial = Trial::new(Verb::Import, false).await;
    let old_domain = &trial.case.domain;
    let new_domain = old_domain.copy();
    let admin = new_domain
        .connect("Administrator", &gpoctl::testing::faults::Faults::none())
        .await
        .unwrap();
    let folder = in_memory();
    run(&trial.planned, &admin, folder.path()).await.unwrap();
    let (old, new) = (&trial.views.0, &trial.views.1);
    let found = |domain: &MemoryDomain, before: &View| {
        let now = view_of(domain, guid());
        let (during, undone) = (
            mixture(old, new, before, &now, false),
            mixture(old, new, before, &now, true),
        );
        // When it comes, it is noticed on the way back too.
        assert_eq!(during.is_some(), undone.is_some());
        during.unwrap_or_default()
    };
    assert_eq!(found(old_domain, old), "");
    assert_eq!(found(&new_domain, old), "");

    let of_old = |change: &dyn Fn(&MemoryDomain)| {
        let domain = old_domain.copy();
        change(&domain);
        found(&domain, old)
    };
    let version_first = of_old(&|domain| take_attribute(domain, &new_domain, "versionNumber"));
    assert!(version_first.contains("not all of it"), "{version_first}");
    let gpt_ini_first = of_old(&|domain| take_file(domain, &new_domain, "GPT.INI"));
    assert!(gpt_ini_first.contains("not all files"), "{gpt_ini_first}");
    let list_first = of_old(&|domain| take_attribute(domain, &new_domain, "gPCUserExtensionNames"));
    assert!(list_first.contains("a new list"), "{list_first}");
    let other_file = of_old(&|domain| {
        let path = r"Machine\Scripts\more.ini".parse().unwrap();
        let at = SysvolPath::in_gpo(domain.directory().domain(), guid(), &path);
        domain.sysvol().put_file(&at, "x").unwrap();
    });
    assert!(other_file.contains("Machine is neither"), "{other_file}");
    let other_version = of_old(&|domain| {
        let dn = domain.directory().base().gpo(guid());
        domain
            .directory()
            .set(&dn, "versionNumber", ["99"])
            .unwrap();
    });
    assert!(other_version.contains("version"), "{other_version}");

    let of_new = |change: &dyn Fn(&MemoryDomain)| {
        let domain = new_domain.copy();
        change(&domain);
        found(&domain, old)
    };
    let gpt_ini_last = of_new(&|domain| take_file(domain, old_domain, "GPT.INI"));
    assert!(
        gpt_ini_last.contains("another one in GPT.INI"),
        "{gpt_ini_last}"
    );
    let file_last = of_new(&|domain| {
        take_file(domain, old_domain, r"User\Documents & Settings\note.txt");
    });
    assert!(file_last.contains("not all of it"), "{file_last}");
    for attribute in ["gPCUserExtensionNames", "versionNumber"] {
        let last = of_new(&|domain| take_attribute(domain, old_domain, attribute));
        assert_ne!(last, "", "{attribute}");
    }
}

#[tokio::test]
async fn a_new_gpo_with_a_list_before_its_version_is_noticed() {
    let trial = Trial::new(Verb::RestoreDeleted, false).await;
    let (old, new) = (&trial.views.0, &trial.views.1);
    let domain = trial.case.domain.copy();
    domain.put_gpo(guid(), "Desks").unwrap();
    let empty = view_of(&domain, guid());
    // The links come back last, so they are the old ones here.
    assert_eq!(mixture(old, new, old, &empty, false), None);
    let dn = domain.directory().base().gpo(guid());
    let list = ["[{42B5FAAE-6536-11D2-AE5A-0000F87571E3}]"];
    let name = "gPCMachineExtensionNames";
    domain.directory().set(&dn, name, list).unwrap();
    let now = view_of(&domain, guid());
    let found = mixture(old, new, &empty, &now, false).unwrap();
    assert!(found.contains("before the version"), "{found}");
}
