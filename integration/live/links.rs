//! Links, checked with samba-tool and ldbsearch.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use crate::support::*;
use gpoctl::directory::{AttributeSwap, SwapAttribute};
use gpoctl::error::ErrorKind;
use gpoctl::execute::{ApplyOptions, apply};
use gpoctl::model::dn::Dn;
use gpoctl::plan::Plan;
use gpoctl::plan::values::{ObjectDn, ValueChange};
use gpoctl::session::{DomainWriter, SessionSettings};

const EMPTY: &str = "{A1B2000B-0C4E-4D1A-8F00-5A3B7C9D000B}";
const REGISTRY: &str = "{A1B20002-0C4E-4D1A-8F00-5A3B7C9D0002}";

/// Three GPOs of each domain that are linked here: one by its GUID, one by its name, one by the beginning of its GUID.
const LINKED: [(&str, [&str; 3], [&str; 3]); 2] = [
    (
        "src",
        [REGISTRY, "{A1B20003-0C4E-4D1A-8F00-5A3B7C9D0003}", EMPTY],
        [REGISTRY, "redirected folders", "A1B2000B"],
    ),
    (
        "dst",
        [
            "{B1C20005-1D5F-4E2B-9F00-6B4C8DAE0005}",
            "{B1C20002-1D5F-4E2B-9F00-6B4C8DAE0002}",
            "{B1C20001-1D5F-4E2B-9F00-6B4C8DAE0001}",
        ],
        [
            "{B1C20005-1D5F-4E2B-9F00-6B4C8DAE0005}",
            "target FILLED",
            "B1C20001",
        ],
    ),
];

/// An OU of a domain for one case; deleted on drop.
struct Ou {
    side: &'static str,
    dn: String,
    path: String,
    _alone: MutexGuard<'static, ()>,
}

impl Ou {
    fn new(side: &'static str, name: &str) -> Self {
        let alone = alone();
        let name = fresh(name);
        let dn = format!("OU={name},DC={side},DC=test");
        inside(side, &["samba-tool", "ou", "create", &dn]);
        Self {
            side,
            path: format!("{side}.test/{name}"),
            dn,
            _alone: alone,
        }
    }

    /// `gPLink` as it is stored.
    fn gp_link(&self) -> Option<String> {
        attribute_of(self.side, &self.dn, "gPLink")
    }

    /// The output of `samba-tool gpo getlink`: GUID and options, in the order of the attribute.
    fn getlink(&self) -> Vec<(String, String)> {
        let said = inside(self.side, &["samba-tool", "gpo", "getlink", &self.dn]);
        let field = |line: &str, name: &str| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        };
        let guids = said.lines().filter_map(|line| field(line, "GPO"));
        let options = said.lines().filter_map(|line| field(line, "Options"));
        guids.zip(options).collect()
    }

    /// `gpoctl link` in the domain of the OU.
    fn link(&self, arguments: &[&str]) -> Said {
        link(self.side, arguments)
    }
}

impl Drop for Ou {
    fn drop(&mut self) {
        let delete = ["samba-tool", "ou", "delete", &self.dn];
        inside(
            self.side,
            &[&delete[..], &["--force-subtree-delete"]].concat(),
        );
    }
}

/// One attribute of an object, by ldbsearch.
fn attribute_of(side: &str, dn: &str, name: &str) -> Option<String> {
    let found = inside(
        side,
        &["ldbsearch", "-H", DATABASE, "-b", dn, "-s", "base", name],
    );
    // LDIF folds long lines.
    let found = found.replace("\n ", "");
    found
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
}

fn link(side: &str, arguments: &[&str]) -> Said {
    let domain = format!("{side}.test");
    let mut all = vec!["link"];
    all.extend(arguments);
    all.extend(["--domain", &domain, "--json"]);
    gpoctl(&all)
}

fn pairs(links: &[(&str, &str)]) -> Vec<(String, String)> {
    links
        .iter()
        .map(|(guid, options)| ((*guid).to_owned(), (*options).to_owned()))
        .collect()
}

#[test]
#[ignore = "needs the lab"]
fn links_have_the_order_and_state_that_samba_reads() {
    for (side, [registry, folders, empty], [first, second, third]) in LINKED {
        let ou = Ou::new(side, "Links");
        let target = ou.path.as_str();
        assert_eq!(
            ou.link(&["add", first, "--target", target, "--yes"]).json()["status"],
            "done"
        );
        // Without an order: the lowest precedence, the first to stand.
        ou.link(&["add", second, "--target", &ou.dn, "--yes"])
            .json();
        ou.link(&[
            "add",
            third,
            "--target",
            target,
            "--order",
            "1",
            "--enforced",
            "--yes",
        ])
        .json();
        assert_eq!(
            ou.getlink(),
            pairs(&[
                (folders, "NONE"),
                (registry, "NONE"),
                (empty, "GPLINK_OPT_ENFORCE")
            ])
        );
        assert_eq!(
            ou.gp_link().unwrap(),
            [(folders, 0), (registry, 0), (empty, 2)]
                .map(|(guid, options)| format!(
                    "[LDAP://cn={guid},cn=policies,cn=system,DC={side},DC=test;{options}]"
                ))
                .concat()
        );
        let listed = ou.link(&["list", target]).json();
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
            [(1, empty, true), (2, registry, false), (3, folders, false)]
        );
        // Set: order, enforced, enabled; each alone leaves the others.
        ou.link(&["set", empty, "--target", target, "--order", "3", "--yes"])
            .json();
        ou.link(&["set", empty, "--target", target, "--enabled", "no", "--yes"])
            .json();
        ou.link(&[
            "set",
            registry,
            "--target",
            target,
            "--enforced",
            "yes",
            "--yes",
        ])
        .json();
        assert_eq!(
            ou.getlink(),
            pairs(&[
                (empty, "GPLINK_OPT_DISABLE GPLINK_OPT_ENFORCE"),
                (folders, "NONE"),
                (registry, "GPLINK_OPT_ENFORCE"),
            ])
        );
        ou.link(&[
            "set",
            empty,
            "--target",
            target,
            "--enforced",
            "no",
            "--enabled",
            "yes",
            "--yes",
        ])
        .json();
        assert_eq!(ou.getlink()[0].1, "NONE");
        let containers = inside(side, &["samba-tool", "gpo", "listcontainers", empty]);
        assert!(containers.contains(&ou.dn), "{containers}");
        assert_samba_checks_pass(side);
        // All links are those that Samba's tool finds, and nothing else.
        let all = ou.link(&["list", "--all"]).json();
        let listed: BTreeMap<String, usize> = all["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|target| {
                let dn = target["dn"].as_str().unwrap().to_lowercase();
                (dn, target["links"].as_array().unwrap().len())
            })
            .collect();
        let found = state(side)["links"].clone();
        let found: BTreeMap<String, usize> = found
            .as_object()
            .unwrap()
            .iter()
            .map(|(dn, som)| {
                let value = som["gPLink"].as_str().unwrap();
                (dn.to_lowercase(), value.matches("[LDAP://").count())
            })
            .collect();
        assert_eq!(listed.get(&ou.dn.to_lowercase()), Some(&3));
        assert_eq!(listed, found);
        let domain = format!("{side}.test");
        let shown = gpoctl(&["link", "list", "--all", "--domain", &domain]);
        assert_eq!(shown.status, 0, "{}", shown.stderr);
        let rows = shown.stdout.lines().skip(1).count();
        assert_eq!(rows, found.values().sum::<usize>(), "{}", shown.stdout);
        assert_eq!(shown.stdout.matches(target).count(), 3, "{}", shown.stdout);
        // Once more is a conflict, an order beyond the end is refused; nothing changes.
        let before = ou.gp_link();
        let again = ou.link(&["add", empty, "--target", target, "--yes"]);
        assert_eq!(again.status, 1);
        assert!(again.stderr.contains("linked to"), "{}", again.stderr);
        let beyond = ou.link(&["set", empty, "--target", target, "--order", "4", "--yes"]);
        assert_eq!(beyond.status, 2);
        assert_eq!(ou.gp_link(), before);
        for gpo in [folders, empty, registry] {
            ou.link(&["remove", gpo, "--target", target, "--yes"])
                .json();
        }
        assert_eq!(ou.gp_link(), None);
        assert_eq!(
            ou.link(&["remove", empty, "--target", target, "--yes"])
                .status,
            1
        );
    }
}

#[test]
#[ignore = "needs the lab"]
fn unusual_gp_link_values_are_kept() {
    let ou = Ou::new("src", "Kept");
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
    // GPMC leaves a blank when the last link is removed.
    put(" ");
    ou.link(&["add", EMPTY, "--target", &ou.path, "--yes"])
        .json();
    let mine = format!("[LDAP://cn={EMPTY},cn=policies,cn=system,DC=src,DC=test;0]");
    assert_eq!(ou.gp_link().unwrap(), mine);
    // Unknown bits, another spelling, a GPO of another domain, and text that is not a link.
    let foreign = "[LDAP://cn={11111111-2222-3333-4444-555555555555},cn=policies,cn=system,DC=else,DC=where;0]";
    let odd = format!("[ldap://CN={REGISTRY},CN=Policies,CN=System,DC=src,DC=test;9]");
    put(&format!("{odd}[something else]{foreign}{mine}"));
    let result = ou
        .link(&[
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
    ou.link(&["remove", EMPTY, "--target", &ou.path, "--yes"])
        .json();
    assert_eq!(
        ou.gp_link().unwrap(),
        format!("{odd}[something else]{foreign}")
    );
    let listed = ou.link(&["list", &ou.path]).json();
    let links = listed["targets"][0]["links"].as_array().unwrap();
    assert_eq!(links.len(), 2);
    assert_eq!(links[0]["gpo"], serde_json::Value::Null);
    assert_eq!(links[1]["options"], 11);
}

#[test]
#[ignore = "needs the lab"]
fn inheritance_the_domain_and_a_site() {
    for (side, [.., empty], _) in LINKED {
        let ou = Ou::new(side, "Blocked");
        let inheritance = || inside(side, &["samba-tool", "gpo", "getinheritance", &ou.dn]);
        for (answer, said) in [("yes", "GPO_BLOCK_INHERITANCE"), ("no", "GPO_INHERIT")] {
            ou.link(&[
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
        let domain = format!("DC={side},DC=test");
        let site = format!("CN=Default-First-Site-Name,CN=Sites,CN=Configuration,{domain}");
        let site_path = format!("{side}.test/Configuration/Sites/Default-First-Site-Name");
        for (dn, target) in [
            (&domain, format!("{side}.test").as_str()),
            (&site, &site_path),
            (&site, "Default-First-Site-Name"),
        ] {
            let before = attribute_of(side, dn, "gPLink");
            ou.link(&["add", empty, "--target", target, "--disabled", "--yes"])
                .json();
            let mine = format!("[LDAP://cn={empty},cn=policies,cn=system,DC={side},DC=test;1]");
            assert_eq!(
                attribute_of(side, dn, "gPLink"),
                Some(mine + before.as_deref().unwrap_or_default())
            );
            let listed = ou.link(&["list", empty]).json();
            assert_eq!(listed["targets"][0]["dn"], dn.as_str());
            ou.link(&["remove", empty, "--target", target, "--yes"])
                .json();
            assert_eq!(attribute_of(side, dn, "gPLink"), before);
        }
        let refused = ou.link(&[
            "set",
            "--target",
            &site_path,
            "--block-inheritance",
            "yes",
            "--yes",
        ]);
        assert_eq!(refused.status, 2);
        judge(side, &["dbcheck-forest"]);
    }
}

#[test]
#[ignore = "needs the lab"]
fn neither_a_dry_run_nor_a_missing_terminal_changes_anything() {
    let ou = Ou::new("src", "Asked");
    let before = state("src");
    let plan = ou
        .link(&["add", EMPTY, "--target", &ou.path, "--dry-run"])
        .json();
    assert_eq!(plan["dry_run"], true);
    assert_eq!(plan["plan"]["steps"].as_array().unwrap().len(), 1);
    let nobody = ou.link(&["add", EMPTY, "--target", &ou.path]);
    assert_eq!(nobody.status, 2);
    assert!(
        nobody.stderr.contains("cannot be confirmed"),
        "{}",
        nobody.stderr
    );
    // An account without the right to link gets an error that names it.
    let add = ["add", EMPTY, "--target", &ou.path, "--yes"];
    let denied = ou.link(&[&add[..], &editor("src")].concat());
    assert_eq!(denied.status, 1, "{}", denied.stderr);
    assert!(
        denied.stderr.contains("may not write gPLink of OU=Asked"),
        "{}",
        denied.stderr
    );
    assert_same(&before, &state("src"));
}

async fn writer() -> DomainWriter {
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
    DomainWriter::connect(&settings).await.unwrap()
}

#[test]
#[ignore = "needs the lab"]
fn a_concurrent_change_is_a_conflict_and_is_rolled_back() {
    let ou = Ou::new("src", "Raced");
    let mine = format!("[LDAP://cn={EMPTY},cn=policies,cn=system,DC=src,DC=test;0]");
    let theirs = mine.replace(";0]", ";2]");
    ldbmodify(
        "src",
        &format!(
            "dn: {}\nchangetype: modify\nreplace: gPLink\ngPLink: {theirs}\n",
            ou.dn
        ),
    );
    let swap = |dn: &str, attribute, old: Option<&str>, new: &str| ValueChange::Attributes {
        dn: ObjectDn(Dn::parse(dn).unwrap()),
        attributes: vec![AttributeSwap {
            attribute,
            old: old.map(str::to_owned),
            new: Some(new.to_owned()),
        }],
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let apply = |changes: Vec<ValueChange>| {
        runtime.block_on(async {
            let mut list = Plan::new("a race", &"src.test".parse().unwrap());
            for change in changes {
                list.push(change, Vec::new());
            }
            let options = ApplyOptions::in_folder(scratch().join("races"));
            let id = list.operation_id.clone();
            let outcome = apply(&writer().await, &list, &options).await;
            (
                outcome,
                scratch().join("races").join(id).join("journal.jsonl"),
            )
        })
    };
    // What the plan was made against does not exist any more: nothing is written, and there is no journal.
    let (outcome, journal) = apply(vec![swap(&ou.dn, SwapAttribute::GpLink, Some(&mine), "x")]);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(!journal.exists());
    assert_eq!(ou.gp_link().unwrap(), theirs);
    // The server refuses the second change (an invalid number): the first one is rolled back.
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
