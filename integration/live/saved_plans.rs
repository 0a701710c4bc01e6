//! Saved plans of links, WMI filters and repairs: saving changes nothing, applying does what was shown, a stale plan is refused.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::*;
use serde_json::Value;

/// Saves the plan of a command and returns the file.
fn saved(side: &str, arguments: &[&str]) -> String {
    let file = tempfile::tempdir_in(scratch())
        .unwrap()
        .keep()
        .join("plan.json");
    let file = file.to_str().unwrap().to_owned();
    let domain = format!("{side}.test");
    let options = ["--domain", &domain, "--plan-out", &file, "--json"];
    let said = gpoctl(&[arguments, &options].concat());
    let shown: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(shown["dry_run"], true, "{shown}{}", said.stderr);
    assert_eq!(shown["plan_file"], file.as_str());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    file
}

fn apply(side: &str, plan: &str) -> Said {
    let domain = format!("{side}.test");
    gpoctl(&["apply", plan, "--domain", &domain, "--json"])
}

/// Asserts that the plan is refused as stale, and why.
fn refused(side: &str, plan: &str, words: &str) {
    let said = apply(side, plan);
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains(words), "{}", said.stderr);
    assert!(said.stdout.contains("\"conflict\""), "{}", said.stdout);
}

/// `gPLink` or another attribute of an object, as Samba's tool finds it.
fn value(side: &str, dn: &str, name: &str) -> String {
    let base = ["ldbsearch", "-H", DATABASE, "-b", dn, "-s", "base", name];
    let found = inside(side, &base).replace("\n ", "");
    let line = found
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_default().to_owned()
}

/// Sets an attribute of an object with Samba's tool; an empty value deletes it.
fn put(side: &str, dn: &str, name: &str, value: &str) {
    let value = match value {
        "" => String::new(),
        value => format!("{name}: {value}\n"),
    };
    ldbmodify(
        side,
        &format!("dn: {dn}\nchangetype: modify\nreplace: {name}\n{value}"),
    );
}

#[test]
#[ignore = "needs the lab"]
fn links_are_made_by_a_saved_plan_or_not_at_all() {
    let _alone = alone();
    for side in ["src", "dst"] {
        let domain = format!("{side}.test");
        let (name, som) = (fresh("Planned"), format!("{domain}/Staff"));
        let dn = format!("OU=Staff,DC={side},DC=test");
        let links = || value(side, &dn, "gPLink");
        write(&domain, &["create", &name]).json();
        let before = state(side);
        let untouched = links();
        let guid = guid_of(&gpo_named(&before, &name));
        let add = ["link", "add", &name, "--target", &som, "--enforced"];
        let add = saved(side, &add);
        assert_same(&before, &state(side));

        // With the name of the GPO, which the file does not have.
        let shown = gpoctl(&["apply", &add, "--domain", &domain, "--dry-run"]);
        let words = format!(": \"{name}\" {guid}, enforced");
        let shown = format!("{}{}", shown.stdout, shown.stderr);
        assert!(shown.contains(&words), "{shown}");

        let done = apply(side, &add).json();
        assert_eq!(done["status"], "done");
        assert_eq!(done["plan"]["steps"].as_array().unwrap().len(), 1);
        let linked = links();
        let mine = format!("[LDAP://cn={guid},cn=policies,cn=system,DC={side},DC=test;2]");
        assert_eq!(linked, format!("{mine}{untouched}"));
        refused(side, &add, "changed since the plan was made");
        // The old value again: the plan would match again, but a plan is applied only once.
        put(side, &dn, "gPLink", &untouched);
        refused(side, &add, "was already applied");
        put(side, &dn, "gPLink", &linked);

        let link = |verb: &str, more: &[&str]| {
            saved(
                side,
                &[&["link", verb, &name, "--target", &som], more].concat(),
            )
        };
        let set = link("set", &["--enabled", "no"]);
        let remove = link("remove", &[]);
        let block = |answer: &str| {
            let block = [
                "link",
                "set",
                "--target",
                &som,
                "--block-inheritance",
                answer,
            ];
            saved(side, &block)
        };
        let (block, nothing) = (block("yes"), block("no"));
        let theirs = linked.replacen(";2]", ";3]", 1);
        put(side, &dn, "gPLink", &theirs);
        for stale in [&set, &remove] {
            refused(side, stale, "gPLink of OU=Staff");
        }
        assert_eq!(links(), theirs);
        // A plan without changes is a plan too; and another attribute of the same OU is not affected.
        let done = apply(side, &nothing).json();
        assert_eq!(done["plan"]["steps"], serde_json::json!([]));
        apply(side, &block).json();
        assert_eq!(value(side, &dn, "gPOptions"), "1");
        put(side, &dn, "gPOptions", "0");

        // In the wrong domain, and by an account without the rights.
        let remove = link("remove", &[]);
        let elsewhere = apply(if side == "src" { "dst" } else { "src" }, &remove);
        assert_eq!(elsewhere.status, 2, "{}", elsewhere.stderr);
        let plan = ["apply", &remove, "--domain", &domain, "--json"];
        let denied = gpoctl(&[&plan[..], &editor(side)].concat());
        assert_eq!(denied.status, 1, "{}", denied.stderr);
        assert!(denied.stdout.contains("\"denied\""), "{}", denied.stdout);
        assert_eq!(links(), theirs);
        apply(side, &link("remove", &[])).json();
        assert_eq!(links(), untouched);
        write(&domain, &["delete", &name]).json();
        assert_samba_checks_pass(side);
    }
}

#[test]
#[ignore = "needs the lab"]
fn wmi_filters_are_made_and_linked_by_a_saved_plan() {
    let _alone = alone();
    for side in ["src", "dst"] {
        let domain = format!("{side}.test");
        let before = state(side)["wmi_filters"].clone();
        let (name, gpo) = (fresh("Planned filter"), fresh("Filtered by plan"));
        write(&domain, &["create", &gpo]).json();
        let file = scratch().join(format!("{side}-filter.json"));
        let holding = |class: &str| {
            let query = format!("SELECT * FROM {class}");
            let queries = [serde_json::json!({"namespace": "root\\CIMv2", "query": query})];
            let filter = serde_json::json!({"name": name, "queries": queries});
            std::fs::write(&file, filter.to_string()).unwrap();
            file.to_str().unwrap().to_owned()
        };
        let made = |side: &str| {
            let all = state(side)["wmi_filters"].clone();
            let mut all = all.as_array().unwrap().iter();
            all.find(|filter| attribute(filter, "msWMI-Name") == name)
                .cloned()
        };
        let import = saved(side, &["wmi", "import", &holding("Win32_Battery")]);
        assert!(made(side).is_none());
        apply(side, &import).json();
        let filter = made(side).unwrap();
        assert_eq!(
            attribute(&filter, "msWMI-Parm2"),
            "1;3;10;27;WQL;root\\CIMv2;SELECT * FROM Win32_Battery;"
        );
        refused(side, &import, "the WMI filter CN={");

        let [link, twin] = [(); 2].map(|()| saved(side, &["wmi", "link", &gpo, &name]));
        apply(side, &link).json();
        let linked = format!("[{domain};{};0]", attribute(&filter, "msWMI-ID"));
        let found = gpo_named(&state(side), &gpo);
        assert_eq!(attribute(&found, "gPCWQLFilter"), linked);
        refused(side, &twin, "gPCWQLFilter of CN=");

        // Somebody edits the filter between plan and apply.
        let dn = filter["dn"].as_str().unwrap();
        let desks = holding("Win32_Desktop");
        let [stale, replace] =
            [(); 2].map(|()| saved(side, &["wmi", "import", &desks, "--replace"]));
        let queries = attribute(&filter, "msWMI-Parm2");
        put(
            side,
            dn,
            "msWMI-Parm2",
            &queries.replace("27", "26").replace("Battery", "Batter"),
        );
        refused(side, &stale, "msWMI-Parm2 of CN={");
        put(side, dn, "msWMI-Parm2", queries);
        apply(side, &replace).json();
        assert!(value(side, dn, "msWMI-Parm2").contains("Win32_Desktop"));
        write(&domain, &["delete", &gpo]).json();
        inside(side, &["ldbdel", "-H", DATABASE, dn]);
        assert_same(&before, &state(side)["wmi_filters"]);
        assert_samba_checks_pass(side);
    }
}

#[test]
#[ignore = "needs the lab"]
fn repairs_are_made_by_a_saved_plan() {
    let _alone = alone();
    for side in ["src", "dst"] {
        let domain = format!("{side}.test");
        let name = fresh("Mended by plan");
        let backup = &back_up("src.test", &["Everything"])["Everything"];
        let backup = backup.to_str().unwrap();
        write(&domain, &["import", backup, "--into", &name, "--create"]).json();
        let whole = gpo_named(&state(side), &name);
        let dn = whole["dn"].as_str().unwrap();
        let folder = format!(
            "/var/lib/samba/sysvol/{domain}/Policies/{}",
            guid_of(&whole)
        );
        let machine = attribute(&whole, "gPCMachineExtensionNames");
        let mut blocks: Vec<&str> = machine.split_inclusive(']').collect();
        blocks.reverse();
        let turned = blocks.concat();
        let lists = |value: &str| put(side, dn, "gPCMachineExtensionNames", value);
        let shell = |script: &str| {
            inside(side, &["sh", "-ec", &format!("cd '{folder}'; {script}")]);
        };
        let version = |number: u32| {
            shell(&format!(
                "printf '[General]\\r\\nVersion={number}\\r\\n' > GPT.INI"
            ));
        };
        let access = |trustee: &str| {
            let sddl = format!("O:BAG:BAD:P(A;;FA;;;{trustee})");
            let file = format!("{folder}/Machine/Registry.pol");
            inside(
                side,
                &["samba-tool", "ntacl", "set", "--use-s3fs", &sddl, &file],
            );
        };
        lists(&turned);
        version(1);
        access("BA");
        let [plan, stale] = [(); 2].map(|()| saved(side, &["check", &name, "--fix"]));
        let steps: Value = serde_json::from_slice(&std::fs::read(&plan).unwrap()).unwrap();
        assert_eq!(steps["changes"].as_array().unwrap().len(), 3, "{steps:#}");

        // Each kind of change is compared with what is there.
        lists(&machine.to_lowercase());
        refused(side, &stale, "gPCMachineExtensionNames of CN=");
        lists(&turned);
        version(2);
        refused(side, &stale, "GPT.INI of {");
        version(1);
        access("SY");
        refused(side, &stale, "the permissions of ");
        access("BA");

        assert_eq!(apply(side, &plan).json()["status"], "done");
        let mended = gpo_named(&state(side), &name);
        assert_same(&timeless(&whole), &timeless(&mended));
        assert_eq!(version_of(side, &whole), version_of(side, &mended));
        let nothing = ["check", &name, "--plan-out", "x", "--domain", &domain];
        assert_eq!(gpoctl(&nothing).status, 2, "there is no plan without --fix");
        write(&domain, &["delete", &name]).json();
        assert_samba_checks_pass(side);
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_gpo_without_a_folder_gives_a_partial_backup() {
    let _alone = alone();
    for side in ["src", "dst"] {
        let domain = format!("{side}.test");
        let name = fresh("Halved");
        write(&domain, &["create", &name]).json();
        let whole = write(&domain, &["rename", &name, &fresh("Halved soon")]).json();
        assert!(!codes(&whole).contains(&"partial-safety-backup".to_owned()));
        let name = fresh("Halved soon");
        let guid = guid_of(&gpo_named(&state(side), &name));
        let folder = format!("/var/lib/samba/sysvol/{domain}/Policies/{guid}");
        inside(side, &["rm", "-rf", &folder]);
        let deleted = write(&domain, &["delete", &name]).json();
        assert!(codes(&deleted).contains(&"partial-safety-backup".to_owned()));
        let kept = kept_backup(&deleted);
        let restored = write(
            &domain,
            &[
                "restore",
                "--accept-permissions",
                &name,
                "--backup-dir",
                &kept,
            ],
        );
        assert_eq!(restored.status, 1);
        assert!(
            restored.stderr.contains("--allow-partial"),
            "{}",
            restored.stderr
        );
        assert_samba_checks_pass(side);
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_plan_is_what_was_reviewed_or_it_is_refused() {
    let _alone = alone();
    let name = fresh("Reviewed");
    let backup = &back_up("src.test", &["Workstation Security"])["Workstation Security"];
    let import = [
        "import",
        backup.to_str().unwrap(),
        "--into",
        &name,
        "--create",
    ];
    let plan = saved("dst", &import);
    let before = state("dst");
    // The hash beside it is one that sha256sum checks.
    let line = std::fs::read_to_string(format!("{plan}.sha256")).unwrap();
    let (hash, file) = line.trim().split_once("  ").unwrap();
    assert_eq!(file, "plan.json");
    let checked = std::process::Command::new("sha256sum")
        .args(["-c", "plan.json.sha256"])
        .current_dir(std::path::Path::new(&plan).parent().unwrap())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");

    let expecting = |plan: &str, hash: &str| {
        let options = ["--domain", "dst.test", "--json", "--expect", hash];
        gpoctl(&[&["apply", plan], &options[..]].concat())
    };
    let other = expecting(&plan, &hash.replace(|_| true, "0"));
    assert_eq!(other.status, 1, "{}", other.stderr);
    assert!(other.stderr.contains(hash), "{}", other.stderr);

    // Edited so that its description omits something.
    let edited = format!("{plan}.edited");
    let mut json: Value = serde_json::from_slice(&std::fs::read(&plan).unwrap()).unwrap();
    let gpo = &mut json["changes"][0];
    assert!(!gpo["risks"].as_array().unwrap().is_empty());
    gpo["risks"] = serde_json::json!([]);
    std::fs::write(&edited, json.to_string()).unwrap();
    let own = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&edited, own).unwrap();
    let said = apply("dst", &edited);
    assert_eq!(said.status, 1, "{}", said.stderr);
    let words = "does not describe what it does: what runs code or grants rights";
    assert!(said.stderr.contains(words), "{}", said.stderr);
    // Another user could have written it.
    let open = std::fs::Permissions::from_mode(0o622);
    std::fs::set_permissions(&edited, open).unwrap();
    let said = apply("dst", &edited);
    assert!(
        said.stderr.contains("written by other users"),
        "{}",
        said.stderr
    );
    assert_eq!(before, state("dst"));

    assert_eq!(expecting(&plan, &hash.to_uppercase()).status, 0);
    write("dst.test", &["delete", &name]).json();
}

#[test]
#[ignore = "needs the lab"]
fn rights_outside_the_administrators_need_more_than_yes() {
    let _alone = alone();
    let name = fresh("Delegated");
    let before = state("src");
    let copy = [
        "copy",
        "Everything",
        "--from",
        "src.test",
        "--to",
        "src.test",
    ];
    let copy = [&copy[..], &["--name", &name, "--preserve-acl"]].concat();
    let refused = gpoctl(&[&copy[..], &["--yes", "--json"]].concat());
    assert_eq!(refused.status, 2, "{}", refused.stderr);
    let words = "rights to accounts that do not administer the domain: SRC\\";
    assert!(refused.stderr.contains(words), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("--accept-permissions"),
        "{}",
        refused.stderr
    );
    assert_eq!(before, state("src"));
    // A saved plan shows them.
    let file = tempfile::tempdir_in(scratch())
        .unwrap()
        .keep()
        .join("plan.json");
    let file = file.to_str().unwrap();
    let shown = gpoctl(&[&copy[..], &["--plan-out", file, "--json"]].concat()).json();
    let permissions = shown["plan"]["permissions"].as_array().unwrap();
    assert!(
        !permissions[0]["lines"].as_array().unwrap().is_empty(),
        "{shown}"
    );
    assert_eq!(apply("src", file).status, 0);
    write("src.test", &["delete", &name]).json();
}

/// Whoever saves a plan is not asked, so whoever applies it is: without a terminal, the answer is an option.
#[test]
#[ignore = "needs the lab"]
fn a_default_gpo_is_asked_about_when_a_plan_is_applied() {
    const DEFAULT: &str = "{31B2F340-016D-11D2-945F-00C04FB984F9}";
    let _alone = alone();
    let options = ["--domain", "src.test", "--json"];
    for by_hash in [false, true] {
        let before = state("src");
        let plan = saved("src", &["set-status", DEFAULT, "computer"]);
        let said = apply("src", &plan);
        assert_eq!(said.status, 2, "{}{}", said.stdout, said.stderr);
        assert!(
            said.stderr.contains("the plan changes a default GPO"),
            "{}",
            said.stderr
        );
        assert_same(&before, &state("src"));

        let hash = std::fs::read_to_string(format!("{plan}.sha256")).unwrap();
        let hash = hash.split_whitespace().next().unwrap().to_owned();
        let answer = match by_hash {
            true => vec!["--expect", &hash],
            false => vec!["--yes"],
        };
        let done = gpoctl(&[&["apply", &plan][..], &answer, &options].concat()).json();
        let id = done["operation_id"].as_str().unwrap();
        assert_eq!(value("src", &dn_of(DEFAULT), "flags"), "1");
        gpoctl(&["operations", "undo", id, "--yes", "--json"]).json();
        assert_eq!(value("src", &dn_of(DEFAULT), "flags"), "0");
    }
}

fn dn_of(guid: &str) -> String {
    format!("CN={guid},CN=Policies,CN=System,DC=src,DC=test")
}
