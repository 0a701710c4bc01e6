//! Copies of live GPOs, within a domain, into the other domain, and back.

use crate::support::*;
use serde_json::Value;

fn copy(seed: &str, from: &str, to: &str, more: &[&str]) -> Said {
    let mut arguments = vec!["copy", seed, "--from", from, "--to", to, "--yes", "--json"];
    arguments.extend(more);
    gpoctl(&arguments)
}

fn remove(domain: &str, name: &str) {
    write(domain, &["delete", name]).json();
}

/// Leaves one file out of the comparison.
fn forget_file(gpo: &mut Value, path: &str) {
    let list = gpo["sysvol"].as_array_mut().unwrap();
    let before = list.len();
    list.retain(|entry| entry["path"] != path);
    assert_eq!(list.len() + 1, before);
}

/// What differs in a copy: its GUID and name, wherever they occur.
fn but_for_identity(gpo: &Value) -> Value {
    let text = timeless(gpo).to_string();
    let name = attribute(gpo, "displayName").to_owned();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let text = text
        .replace(&guid_of(gpo), "{GUID}")
        .replace(&guid_of(gpo).to_lowercase(), "{GUID}")
        .replace(&quoted(&name), "\"NAME\"");
    serde_json::from_str(&text).unwrap()
}

/// The seeds, or in DST copies of them, which are deleted at the end.
fn seeds(side: &str) -> [String; 2] {
    ["Everything", "Software"].map(|seed| {
        if side == "src" {
            return seed.to_owned();
        }
        let name = fresh(&format!("{seed} to copy"));
        copy_of_seed(
            seed,
            side,
            &name,
            &["--preserve-acl", "--accept-permissions"],
        );
        name
    })
}

fn remove_seeds(side: &str, seeds: &[String]) {
    for seed in seeds.iter().filter(|_| side != "src") {
        remove(&format!("{side}.test"), seed);
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_copy_within_the_domain_differs_only_in_identity() {
    let _alone = alone();
    for side in ["src", "dst"] {
        let domain = &format!("{side}.test");
        let seeds = seeds(side);
        let mut made = Vec::new();
        for seed in &seeds {
            let name = fresh(&format!("{seed} copied"));
            let result = copy(
                seed,
                domain,
                domain,
                &["--name", &name, "--preserve-acl", "--accept-permissions"],
            )
            .json();
            assert_eq!(result["gpo"]["created"], true);
            let now = state(side);
            let (source, copied) = (gpo_named(&now, seed), gpo_named(&now, &name));
            assert_eq!(version_of(side, &copied), (1, 1));
            assert_eq!(
                attribute(&copied, "gPCWQLFilter"),
                attribute(&source, "gPCWQLFilter")
            );
            assert_eq!(
                attribute(&copied, "gPCWQLFilter").is_empty(),
                !seed.starts_with("Everything")
            );
            // The class store contains the GUID of its own GPO, whatever the seed contains.
            assert_same(&but_for_identity(&source), &but_for_identity(&copied));
            assert!(
                !now["links"]
                    .to_string()
                    .to_uppercase()
                    .contains(&guid_of(&copied)),
                "a copy is linked nowhere"
            );
            // Without the option it has the DACL of a new GPO.
            let plain = fresh(&format!("{seed} copied plainly"));
            copy(seed, domain, domain, &["--name", &plain]).json();
            let new = fresh(&format!("{seed} new"));
            write(domain, &["create", &new]).json();
            let now = state(side);
            assert_eq!(
                gpo_named(&now, &plain)["sddl"],
                gpo_named(&now, &new)["sddl"]
            );
            made.extend([name, plain, new]);
        }
        assert_samba_checks_pass(side);
        for name in made {
            remove(domain, &name);
        }
        remove_seeds(side, &seeds);
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_copy_there_and_back_restores_every_byte() {
    let _alone = alone();
    for (from, to) in [("src", "dst"), ("dst", "src")] {
        let (there, back) = (both_ways(to), both_ways(from));
        let (there, back) = (there.to_str().unwrap(), back.to_str().unwrap());
        let [here, far] = &[from, to].map(|side| format!("{side}.test"));
        let seeds = seeds(from);
        let mut made = Vec::new();
        for seed in &seeds {
            let name = fresh(&format!("{seed} abroad"));
            let options = [
                "--name",
                &name,
                "--preserve-acl",
                "--accept-permissions",
                "--migration-table",
                there,
            ];
            let result = copy(seed, here, far, &options).json();
            let mut source = gpo_named(&state(from), seed);
            let abroad = gpo_named(&state(to), &name);
            assert_eq!(version_of(to, &abroad), (1, 1));
            assert_eq!(attribute(&abroad, "flags"), attribute(&source, "flags"));
            assert_eq!(attribute(&abroad, "gPCWQLFilter"), "");
            let filtered = !attribute(&source, "gPCWQLFilter").is_empty();
            assert_eq!(
                codes(&result).contains(&"wmi-filter-left-out".to_owned()),
                filtered
            );
            let foreign = domain_sid(from);
            let directory = format!("{}{}", abroad["sddl"], abroad["children"]);
            assert!(!directory.contains(&foreign), "{directory}");

            let home = fresh(&format!("{seed} home again"));
            let options = [
                "--name",
                &home,
                "--preserve-acl",
                "--accept-permissions",
                "--migration-table",
                back,
            ];
            copy(&name, far, here, &options).json();
            let mut home_again = gpo_named(&state(from), &home);
            // A copy of the seed has that SID from the beginning.
            if seed == "Everything" {
                let path = only_a_name_became_a_sid(&source, &home_again);
                forget_file(&mut source, path);
                forget_file(&mut home_again, path);
            }
            for gpo in [&mut source, &mut home_again] {
                // A filter is not copied to another domain.
                gpo["attributes"]
                    .as_object_mut()
                    .unwrap()
                    .remove("gPCWQLFilter");
            }
            assert_same(&but_for_identity(&source), &but_for_identity(&home_again));
            made.extend([(far, name), (here, home)]);
        }
        assert_samba_checks_pass(to);
        assert_samba_checks_pass(from);
        for (domain, name) in &made {
            remove(domain, name);
        }
        remove_seeds(from, &seeds);
    }
}

#[test]
#[ignore = "needs the lab"]
fn an_unmapped_principal_is_kept_in_permissions_and_reported() {
    let _alone = alone();
    let name = fresh("Foreign");
    let result = copy(
        "Everything",
        "src.test",
        "dst.test",
        &["--name", &name, "--preserve-acl", "--accept-permissions"],
    )
    .json();
    assert!(codes(&result).contains(&"foreign-principal".to_owned()));
    let copied = gpo_named(&state("dst"), &name);
    let sddl = copied["sddl"].as_str().unwrap();
    assert!(sddl.contains(&domain_sid("src")), "{sddl}");
    // The groups that every domain has are those of the new one, or nobody there could change the GPO.
    assert!(sddl.contains(";;;DA)") && sddl.contains(";;;EA)"), "{sddl}");
    // With --exclusive that fails, before anything is written.
    let table = table(&[]);
    let before = state("dst");
    let other = fresh("Foreign and exclusive");
    let said = copy(
        "Everything",
        "src.test",
        "dst.test",
        &[
            "--name",
            &other,
            "--preserve-acl",
            "--accept-permissions",
            "--exclusive",
            "--migration-table",
            table.to_str().unwrap(),
        ],
    );
    assert_eq!(said.status, 1);
    assert_same(&before, &state("dst"));
    assert_samba_checks_pass("dst");
    remove("dst.test", &name);
}

#[test]
#[ignore = "needs the lab"]
fn a_name_that_is_taken_and_a_dry_run_change_nothing() {
    let _alone = alone();
    let before = state("dst");
    let said = copy(
        "Everything",
        "src.test",
        "dst.test",
        &["--name", "target empty"],
    );
    assert_eq!(said.status, 1);
    assert!(said.stderr.contains("exists already"), "{}", said.stderr);
    let arguments = [
        "copy",
        "Software",
        "--from",
        "src.test",
        "--to",
        "dst.test",
        "--dry-run",
        "--json",
    ];
    let dry = gpoctl(&arguments).json();
    assert_eq!(dry["gpo"]["display_name"], "Software");
    let arguments = [
        "copy",
        "Software",
        "--from",
        "src.test",
        "--dry-run",
        "--json",
    ];
    let dry = gpoctl(&arguments).json();
    assert_eq!(dry["gpo"]["display_name"], "Copy of Software");
    assert_eq!(dry["gpo"]["domain"], "src.test");
    assert_same(&before, &state("dst"));
}

/// The package below a GPO.
fn package(gpo: &Value) -> &Value {
    let mut found = gpo["children"].as_array().unwrap().iter().filter(|child| {
        let classes = child["attributes"]["objectClass"].as_array().unwrap();
        classes.iter().any(|class| class == "packageRegistration")
    });
    found.next().unwrap()
}

#[test]
#[ignore = "needs the lab"]
fn a_principal_only_in_a_package_is_mapped_by_name() {
    let _alone = alone();
    let sids = |side: &str| -> Value { serde_json::from_slice(&judge(side, &["sids"])).unwrap() };
    let sid = |side: &str, name: &str| sids(side)[name].as_str().unwrap().to_owned();
    let (old, new) = (sid("src", "Büro Nord"), sid("dst", "Support"));
    let source = fresh("Package rights");
    copy("Software", "src.test", "src.test", &["--name", &source]).json();
    let gpo = gpo_named(&state("src"), &source);
    assert!(!gpo["sddl"].as_str().unwrap().contains(&old));
    let dn = attribute(package(&gpo), "distinguishedName");
    inside(
        "src",
        &[
            "samba-tool",
            "dsacl",
            "set",
            &format!("--objectdn={dn}"),
            &format!("--sddl=(A;;LCRPRC;;;{old})"),
        ],
    );
    let table = table(&[("GlobalGroup", "Büro Nord@src.test", set("Support@dst.test"))]);
    let name = fresh("Package rights arrived");
    let more = [
        "--name",
        &name,
        "--preserve-acl",
        "--accept-permissions",
        "--migration-table",
    ];
    copy(
        &source,
        "src.test",
        "dst.test",
        &[&more[..], &[table.to_str().unwrap()]].concat(),
    )
    .json();
    let copied = gpo_named(&state("dst"), &name);
    let sddl = package(&copied)["sddl"].as_str().unwrap();
    assert!(sddl.contains(&format!(";;;{new})")), "{sddl}");
    assert!(!sddl.contains(&old), "{sddl}");
    assert_samba_checks_pass("dst");
    remove("src.test", &source);
    remove("dst.test", &name);
}
