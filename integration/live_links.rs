//! Links against the lab, judged by samba-tool and ldbsearch.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of test functions"
)]

#[path = "support.rs"]
mod support;

use std::sync::MutexGuard;

use gpoctl::directory::{AttributeSwap, Dn, SwapAttribute};
use gpoctl::error::ErrorKind;
use gpoctl::operations::apply::{ApplyOptions, apply_changes};
use gpoctl::operations::change_list::{Change, ChangeList, ObjectDn};
use gpoctl::operations::progress::Control;
use gpoctl::session::{DomainSession, SessionSettings};
use support::*;

const REGISTRY: &str = "{A1B20002-0C4E-4D1A-8F00-5A3B7C9D0002}";
const FOLDERS: &str = "{A1B20003-0C4E-4D1A-8F00-5A3B7C9D0003}";
const EMPTY: &str = "{A1B2000B-0C4E-4D1A-8F00-5A3B7C9D000B}";

/// An OU of SRC.TEST for one case; gone when dropped.
struct Ou {
    dn: String,
    path: String,
    _alone: MutexGuard<'static, ()>,
}

impl Ou {
    fn new(name: &str) -> Self {
        let alone = alone();
        let name = fresh(name);
        let dn = format!("OU={name},DC=src,DC=test");
        inside("src", &["samba-tool", "ou", "create", &dn]);
        Self {
            path: format!("src.test/{name}"),
            dn,
            _alone: alone,
        }
    }

    /// `gPLink` as it is stored.
    fn gp_link(&self) -> Option<String> {
        attribute_of(&self.dn, "gPLink")
    }
}

impl Drop for Ou {
    fn drop(&mut self) {
        inside(
            "src",
            &[
                "samba-tool",
                "ou",
                "delete",
                &self.dn,
                "--force-subtree-delete",
            ],
        );
    }
}

/// One attribute of an object of SRC.TEST, by ldbsearch.
fn attribute_of(dn: &str, name: &str) -> Option<String> {
    let found = inside(
        "src",
        &["ldbsearch", "-H", DATABASE, "-b", dn, "-s", "base", name],
    );
    // LDIF folds long lines.
    let found = found.replace("\n ", "");
    found
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
}

/// What `samba-tool gpo getlink` says: GUID and options, in the order they stand.
fn getlink(dn: &str) -> Vec<(String, String)> {
    let said = inside("src", &["samba-tool", "gpo", "getlink", dn]);
    let field = |line: &str, name: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    let guids = said.lines().filter_map(|line| field(line, "GPO"));
    let options = said.lines().filter_map(|line| field(line, "Options"));
    guids.zip(options).collect()
}

fn link(arguments: &[&str]) -> Said {
    let mut all = vec!["link"];
    all.extend(arguments);
    all.extend(["--domain", "src.test", "--json"]);
    gpoctl(&all)
}

fn pairs(links: &[(&str, &str)]) -> Vec<(String, String)> {
    links
        .iter()
        .map(|(guid, options)| ((*guid).to_owned(), (*options).to_owned()))
        .collect()
}

#[test]
fn links_get_the_order_and_state_that_samba_reads() {
    if !lab("links_get_the_order_and_state_that_samba_reads") {
        return;
    }
    let ou = Ou::new("Links");
    let target = ou.path.as_str();
    assert_eq!(
        link(&["add", REGISTRY, "--target", target, "--yes"]).json()["status"],
        "done"
    );
    // Without an order: the lowest precedence, the first to stand.
    link(&["add", "redirected folders", "--target", &ou.dn, "--yes"]).json();
    link(&[
        "add",
        "A1B2000B",
        "--target",
        target,
        "--order",
        "1",
        "--enforced",
        "--yes",
    ])
    .json();
    assert_eq!(
        getlink(&ou.dn),
        pairs(&[
            (FOLDERS, "NONE"),
            (REGISTRY, "NONE"),
            (EMPTY, "GPLINK_OPT_ENFORCE")
        ])
    );
    assert_eq!(
        ou.gp_link().unwrap(),
        [(FOLDERS, 0), (REGISTRY, 0), (EMPTY, 2)]
            .map(|(guid, options)| format!(
                "[LDAP://cn={guid},cn=policies,cn=system,DC=src,DC=test;{options}]"
            ))
            .concat()
    );
    let listed = link(&["list", target]).json();
    let links = listed["targets"][0]["links"].as_array().unwrap().clone();
    let orders: Vec<(u64, &str, bool)> = links
        .iter()
        .map(|link| {
            (
                link["order"].as_u64().unwrap(),
                link["gpo_guid"].as_str().unwrap(),
                link["enforced"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        orders,
        [(1, EMPTY, true), (2, REGISTRY, false), (3, FOLDERS, false)]
    );
    // Set: order, enforced, enabled; each alone leaves the others.
    link(&["set", EMPTY, "--target", target, "--order", "3", "--yes"]).json();
    link(&["set", EMPTY, "--target", target, "--enabled", "no", "--yes"]).json();
    link(&[
        "set",
        REGISTRY,
        "--target",
        target,
        "--enforced",
        "yes",
        "--yes",
    ])
    .json();
    assert_eq!(
        getlink(&ou.dn),
        pairs(&[
            (EMPTY, "GPLINK_OPT_DISABLE GPLINK_OPT_ENFORCE"),
            (FOLDERS, "NONE"),
            (REGISTRY, "GPLINK_OPT_ENFORCE"),
        ])
    );
    link(&[
        "set",
        EMPTY,
        "--target",
        target,
        "--enforced",
        "no",
        "--enabled",
        "yes",
        "--yes",
    ])
    .json();
    assert_eq!(getlink(&ou.dn)[0].1, "NONE");
    let containers = inside("src", &["samba-tool", "gpo", "listcontainers", EMPTY]);
    assert!(containers.contains(&ou.dn), "{containers}");
    // Once more is a conflict, an order beyond the end is refused; nothing changes.
    let before = ou.gp_link();
    let again = link(&["add", EMPTY, "--target", target, "--yes"]);
    assert_eq!(again.status, 1);
    assert!(again.stderr.contains("linked to"), "{}", again.stderr);
    let beyond = link(&["set", EMPTY, "--target", target, "--order", "4", "--yes"]);
    assert_eq!(beyond.status, 2);
    assert_eq!(ou.gp_link(), before);
    for gpo in [FOLDERS, EMPTY, REGISTRY] {
        link(&["remove", gpo, "--target", target, "--yes"]).json();
    }
    assert_eq!(ou.gp_link(), None);
    assert_eq!(
        link(&["remove", EMPTY, "--target", target, "--yes"]).status,
        1
    );
    judges_are_content("src");
}

#[test]
fn what_gpmc_and_others_left_in_the_value_is_kept() {
    if !lab("what_gpmc_and_others_left_in_the_value_is_kept") {
        return;
    }
    let ou = Ou::new("Kept");
    let put = |value: &str| {
        // A value that begins with a blank is base64 in LDIF.
        use base64::Engine as _;
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        ldbmodify(
            "src",
            &format!(
                "dn: {}\nchangetype: modify\nreplace: gPLink\ngPLink:: {value}\n",
                ou.dn
            ),
        );
    };
    // GPMC leaves a blank when the last link goes.
    put(" ");
    link(&["add", EMPTY, "--target", &ou.path, "--yes"]).json();
    let mine = format!("[LDAP://cn={EMPTY},cn=policies,cn=system,DC=src,DC=test;0]");
    assert_eq!(ou.gp_link().unwrap(), mine);
    // Unknown bits, another spelling, a GPO of another domain, and what is no link at all.
    let foreign = "[LDAP://cn={11111111-2222-3333-4444-555555555555},cn=policies,cn=system,DC=else,DC=where;0]";
    let odd = format!("[ldap://CN={REGISTRY},CN=Policies,CN=System,DC=src,DC=test;9]");
    put(&format!("{odd}[something else]{foreign}{mine}"));
    let result = link(&[
        "set",
        REGISTRY,
        "--target",
        &ou.path,
        "--enforced",
        "yes",
        "--yes",
    ])
    .json();
    assert_eq!(result["messages"][0]["code"], "unknown-link");
    let odd = odd.replace(";9]", ";11]");
    assert_eq!(
        ou.gp_link().unwrap(),
        format!("{odd}[something else]{foreign}{mine}")
    );
    link(&["remove", EMPTY, "--target", &ou.path, "--yes"]).json();
    assert_eq!(
        ou.gp_link().unwrap(),
        format!("{odd}[something else]{foreign}")
    );
    let listed = link(&["list", &ou.path]).json();
    let links = listed["targets"][0]["links"].as_array().unwrap();
    assert_eq!(links.len(), 2);
    assert_eq!(links[0]["gpo"], serde_json::Value::Null);
    assert_eq!(links[1]["options"], 11);
}

#[test]
fn inheritance_the_domain_and_a_site() {
    if !lab("inheritance_the_domain_and_a_site") {
        return;
    }
    let ou = Ou::new("Blocked");
    let inheritance = || inside("src", &["samba-tool", "gpo", "getinheritance", &ou.dn]);
    for (answer, said) in [("yes", "GPO_BLOCK_INHERITANCE"), ("no", "GPO_INHERIT")] {
        link(&[
            "set",
            "--target",
            &ou.path,
            "--block-inheritance",
            answer,
            "--yes",
        ])
        .json();
        assert!(inheritance().contains(said), "{}", inheritance());
    }
    let site = "CN=Default-First-Site-Name,CN=Sites,CN=Configuration,DC=src,DC=test";
    let site_path = "src.test/Configuration/Sites/Default-First-Site-Name";
    for (dn, target) in [
        ("DC=src,DC=test", "src.test"),
        (site, site_path),
        (site, "Default-First-Site-Name"),
    ] {
        let before = attribute_of(dn, "gPLink").unwrap();
        link(&["add", EMPTY, "--target", target, "--disabled", "--yes"]).json();
        let mine = format!("[LDAP://cn={EMPTY},cn=policies,cn=system,DC=src,DC=test;1]");
        assert_eq!(
            attribute_of(dn, "gPLink").unwrap(),
            format!("{mine}{before}")
        );
        let listed = link(&["list", "Empty"]).json();
        assert_eq!(listed["targets"][0]["dn"], dn);
        link(&["remove", EMPTY, "--target", target, "--yes"]).json();
        assert_eq!(attribute_of(dn, "gPLink").unwrap(), before);
    }
    let refused = link(&[
        "set",
        "--target",
        site_path,
        "--block-inheritance",
        "yes",
        "--yes",
    ]);
    assert_eq!(refused.status, 2);
}

#[test]
fn a_dry_run_and_nobody_to_ask_change_nothing() {
    if !lab("a_dry_run_and_nobody_to_ask_change_nothing") {
        return;
    }
    let ou = Ou::new("Asked");
    let before = state("src");
    let plan = link(&["add", EMPTY, "--target", &ou.path, "--dry-run"]).json();
    assert_eq!(plan["dry_run"], true);
    assert_eq!(plan["plan"]["steps"].as_array().unwrap().len(), 1);
    let nobody = link(&["add", EMPTY, "--target", &ou.path]);
    assert_eq!(nobody.status, 2);
    assert!(nobody.stderr.contains("nobody to ask"), "{}", nobody.stderr);
    // Who may not link is told so.
    let add = ["add", EMPTY, "--target", &ou.path, "--yes"];
    let denied = link(&[&add[..], &editor("src")].concat());
    assert_eq!(denied.status, 1, "{}", denied.stderr);
    assert!(
        denied.stderr.contains("may not do this"),
        "{}",
        denied.stderr
    );
    assert_same(&before, &state("src"));
}

async fn session() -> DomainSession {
    let variable = |name: &str| std::env::var(format!("GPOCTL_LAB_SRC_{name}")).unwrap();
    let identity = gpoctl::auth::Identity::Password {
        user: variable("USER"),
        password: gpoctl::auth::read_password_file(variable("PASSWORD_FILE").as_ref()).unwrap(),
    };
    let mut settings = SessionSettings::new(
        variable("DOMAIN").parse().unwrap(),
        variable("SERVER").parse().unwrap(),
        identity,
    );
    settings.address = Some(variable("ADDRESS").parse().unwrap());
    DomainSession::connect(&settings).await.unwrap()
}

#[test]
fn somebody_elses_change_is_a_conflict_and_half_a_list_is_taken_back() {
    if !lab("somebody_elses_change_is_a_conflict_and_half_a_list_is_taken_back") {
        return;
    }
    let ou = Ou::new("Raced");
    let mine = format!("[LDAP://cn={EMPTY},cn=policies,cn=system,DC=src,DC=test;0]");
    let theirs = mine.replace(";0]", ";2]");
    ldbmodify(
        "src",
        &format!(
            "dn: {}\nchangetype: modify\nreplace: gPLink\ngPLink: {theirs}\n",
            ou.dn
        ),
    );
    let swap = |dn: &str, attribute, old: Option<&str>, new: &str| Change::Attributes {
        dn: ObjectDn(Dn::parse(dn).unwrap()),
        attributes: vec![AttributeSwap {
            attribute,
            old: old.map(str::to_owned),
            new: Some(new.to_owned()),
        }],
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let apply = |changes: Vec<Change>| {
        runtime.block_on(async {
            let mut list = ChangeList::new("a race", &"src.test".parse().unwrap());
            for change in changes {
                list.push(change, Vec::new());
            }
            let options = ApplyOptions {
                journal_root: scratch().join("races"),
                control: Control::default(),
            };
            let id = list.operation_id.clone();
            let outcome = apply_changes(&session().await.into_writer(), &list, &options).await;
            (
                outcome,
                scratch().join("races").join(id).join("journal.jsonl"),
            )
        })
    };
    // What the plan was made against is gone: nothing is written, and there is no journal.
    let (outcome, journal) = apply(vec![swap(&ou.dn, SwapAttribute::GpLink, Some(&mine), "x")]);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(!journal.exists());
    assert_eq!(ou.gp_link().unwrap(), theirs);
    // The second change is refused by the server (a number that is none): the first one is taken back.
    let (outcome, journal) = apply(vec![
        swap(&ou.dn, SwapAttribute::GpLink, Some(&theirs), &mine),
        swap(&ou.dn, SwapAttribute::GpOptions, None, "no number"),
    ]);
    let error = outcome.unwrap_err();
    assert_ne!(error.kind(), ErrorKind::Incomplete, "{error}");
    let journal = std::fs::read_to_string(journal).unwrap();
    assert_eq!(
        journal.matches("\"event\":\"change\"").count(),
        2,
        "{journal}"
    );
    assert!(
        journal.trim_end().ends_with("{\"event\":\"rolled-back\"}"),
        "{journal}"
    );
    assert_eq!(ou.gp_link().unwrap(), theirs);
}
