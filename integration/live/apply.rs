//! Plans and how they are applied: dry runs, stale plans, interrupts, roll back, secrets.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::support::*;
use serde_json::Value;

#[test]
#[ignore = "needs the lab"]
fn a_saved_plan_does_exactly_that_or_is_stale() {
    let _alone = alone();
    let name = fresh("Planned");
    let backup = &back_up("src.test", &["Desktop Registry"])["Desktop Registry"];
    import(backup, name.as_str(), &["--create", "--yes"]).json();
    let plans: Vec<PathBuf> = (0..2)
        .map(|number| {
            let file = scratch().join(format!("plan-{number}.json"));
            import(
                backup,
                name.as_str(),
                &["--plan-out", file.to_str().unwrap()],
            )
            .json();
            file
        })
        .collect();
    let apply = |file: &Path| {
        gpoctl(&[
            "apply",
            file.to_str().unwrap(),
            "--domain",
            "dst.test",
            "--json",
        ])
    };
    assert_eq!(apply(&plans[0]).json()["status"], "done");
    let stale = apply(&plans[1]);
    assert_eq!(stale.status, 1);
    assert!(
        stale.stderr.contains("changed since the plan was made"),
        "{}",
        stale.stderr
    );
    assert!(
        stale
            .stderr
            .contains("versionNumber was computer 1, user 1 and is now computer 2, user 2"),
        "{}",
        stale.stderr
    );
    let again = apply(&plans[0]);
    assert_eq!(again.status, 1);
}

#[test]
#[ignore = "needs the lab"]
fn a_plan_that_creates_a_gpo_leaves_an_existing_one_alone() {
    let _alone = alone();
    let name = fresh("Made once");
    let backup = &back_up("src.test", &["Desktop Registry"])["Desktop Registry"];
    let plan = scratch().join("create-plan.json");
    let plan = plan.to_str().unwrap();
    import(backup, name.as_str(), &["--create", "--plan-out", plan]).json();
    let apply = ["apply", plan, "--domain", "dst.test", "--json"];
    assert_eq!(gpoctl(&apply).json()["status"], "done");
    let before = state("dst");
    // Another user, who has no journal of the first run.
    let other = scratch().join("other state");
    let said: Said = command(&apply)
        .env("XDG_STATE_HOME", &other)
        .output()
        .unwrap()
        .into();
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(said.stderr.contains("exists already"), "{}", said.stderr);
    assert_same(&before, &state("dst"));
}

#[test]
#[ignore = "needs the lab"]
fn a_dry_run_changes_nothing() {
    let _alone = alone();
    let backup = &back_up("src.test", &["Everything"])["Everything"];
    let before = state("dst");
    let plan = import(backup, "Target Filled", &["--dry-run"]).json();
    assert_eq!(plan["dry_run"], true);
    assert!(plan["plan"]["steps"].as_array().unwrap().len() > 3);
    import(backup, "Never made", &["--create", "--dry-run"]).json();
    assert_same(&before, &state("dst"));
}

#[test]
#[ignore = "needs the lab"]
fn an_interrupt_while_staging_leaves_nothing() {
    let _alone = alone();
    let name = fresh("Interrupted");
    let backups = back_up("src.test", &["Odd Names"]);
    let backup = backup_of_copy(backups["Odd Names"].to_str().unwrap());
    // Enough files that staging takes a while.
    with_many_files(&backup, 3_000);
    let before = state("dst");
    for (target, create, signal) in [
        ("Target Filled", false, "-INT"),
        ("Target Filled", false, "-HUP"),
        (name.as_str(), true, "-TERM"),
    ] {
        let mut arguments = vec!["import", &backup, "--into", target];
        arguments.extend(["--domain", "dst.test", "--yes", "--json"]);
        if create {
            arguments.push("--create");
        }
        let said = stopped_while_staging("dst", &arguments, signal);
        assert_eq!(said.status, 130, "{}{}", said.stdout, said.stderr);
        assert!(said.stderr.contains("rolled back"), "{}", said.stderr);
        let mut after = state("dst");
        // Even a GPO that was created and deleted leaves the others unchanged.
        forget_times(&mut after);
        let mut expected = before.clone();
        forget_times(&mut expected);
        assert_same(&expected, &after);
    }
    assert_samba_checks_pass("dst");
}

/// Removes what a rolled-back change may leave behind: the update sequence number of the containers.
fn forget_times(state: &mut Value) {
    for gpo in state["gpos"].as_object_mut().unwrap().values_mut() {
        for name in ["uSNChanged", "whenChanged"] {
            gpo["attributes"].as_object_mut().unwrap().remove(name);
        }
    }
}

/// The secrets of the lab.
fn passwords() -> Vec<String> {
    [
        "GPOCTL_LAB_SRC_PASSWORD_FILE",
        "GPOCTL_LAB_DST_PASSWORD_FILE",
    ]
    .iter()
    .map(|name| {
        std::fs::read_to_string(std::env::var(name).unwrap())
            .unwrap()
            .trim()
            .to_owned()
    })
    .collect()
}

#[test]
#[ignore = "needs the lab"]
fn passwords_are_in_no_output_journal_plan_or_argument() {
    let _alone = alone();
    let name = fresh("Secretive");
    let secrets = passwords();
    let clean = |what: &str, text: &str| {
        for secret in &secrets {
            assert!(!secret.is_empty());
            assert!(!text.contains(secret.as_str()), "a password is in {what}");
        }
    };
    let backup = &back_up("src.test", &["Workstation Security"])["Workstation Security"];
    let plan = scratch().join("secret-plan.json");
    let path = backup.to_str().unwrap();
    for arguments in [
        vec!["list", "--domain", "dst.test", "-vvv"],
        vec!["list", "--domain", "dst.test", "-vvv", "--ldap", "ldaps"],
        vec![
            "import",
            path,
            "--into",
            name.as_str(),
            "--create",
            "--domain",
            "dst.test",
            "-vvv",
            "--plan-out",
            plan.to_str().unwrap(),
        ],
        vec![
            "import",
            path,
            "--into",
            name.as_str(),
            "--create",
            "--domain",
            "dst.test",
            "-vvv",
            "--yes",
        ],
    ] {
        // The process waits for its password until it has been inspected.
        let mut child = command(&arguments)
            .args([
                "--user",
                &std::env::var("GPOCTL_LAB_DST_USER").unwrap(),
                "--password-file",
                "/dev/fd/0",
            ])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let id = child.id();
        // Both are empty for a moment after the program was replaced, until its stack is set up.
        let mut inspect = |what: &str| {
            loop {
                let content = std::fs::read(format!("/proc/{id}/{what}")).unwrap();
                if !content.is_empty() {
                    return content;
                }
                assert!(child.try_wait().unwrap().is_none(), "gpoctl has ended");
                std::thread::yield_now();
            }
        };
        let (cmdline, environment) = (inspect("cmdline"), inspect("environ"));
        clean("an argument", &String::from_utf8_lossy(&cmdline));
        clean("the environment", &String::from_utf8_lossy(&environment));
        let password =
            std::fs::read(std::env::var("GPOCTL_LAB_DST_PASSWORD_FILE").unwrap()).unwrap();
        child.stdin.take().unwrap().write_all(&password).unwrap();
        let said: Said = child.wait_with_output().unwrap().into();
        assert_eq!(said.status, 0, "{}", said.stderr);
        clean("standard output", &said.stdout);
        clean("standard error", &said.stderr);
    }
    clean("a plan", &std::fs::read_to_string(&plan).unwrap());
    let mut folders = vec![scratch().join("state")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                seen += 1;
                clean(
                    "a journal",
                    &String::from_utf8_lossy(&std::fs::read(path).unwrap()),
                );
            }
        }
    }
    // The plan and the events of the import above at least.
    assert!(seen >= 2, "{seen}");
}

/// SYSVOL of DST.TEST, to create obstacles in it.
async fn sysvol() -> std::sync::Arc<dyn gpoctl::domain::sysvol::Sysvol> {
    use gpoctl::sysvol::connect::{SmbAuth, SmbClientChoice, SmbSettings, connect};

    let var = |name: &str| std::env::var(format!("GPOCTL_LAB_DST_{name}")).unwrap();
    let settings = SmbSettings {
        server: var("SERVER").parse().unwrap(),
        address: Some(var("ADDRESS").parse().unwrap()),
        domain: var("DOMAIN").parse().unwrap(),
        auth: SmbAuth::Kerberos(gpoctl::auth::Identity::Password {
            user: var("USER"),
            password: gpoctl::auth::read_password_file(var("PASSWORD_FILE").as_ref()).unwrap(),
        }),
        min_dialect: gpoctl::sysvol::connect::SmbDialect::default(),
        allow_rc4: false,
        client: SmbClientChoice::Smb2,
        timeout: std::time::Duration::from_secs(60),
    };
    connect(&settings).await.unwrap()
}

#[test]
#[ignore = "needs the lab"]
fn a_swap_that_fails_half_way_is_rolled_back() {
    use gpoctl::domain::sysvol::SysvolPath;

    let _alone = alone();
    let backup = &back_up("src.test", &["Everything"])["Everything"];
    let plan = scratch().join("fails.json");
    let plan = plan.to_str().unwrap();
    let planned = import(backup, "Target Filled", &["--plan-out", plan]).json();
    let operation = planned["operation_id"].as_str().unwrap();
    let tag = operation.rsplit('-').next().unwrap();
    let before = state("dst");
    // The new name of the old User folder is in use, so Machine is switched and User cannot be.
    let guid = planned["gpo"]["guid"].as_str().unwrap().parse().unwrap();
    let name = format!(".gpoctl-{tag}-old-User").parse().unwrap();
    let in_the_way = SysvolPath::in_gpo(&"dst.test".parse().unwrap(), guid, &name);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sysvol = runtime.block_on(sysvol());
    runtime
        .block_on(sysvol.create_dir(&in_the_way, &[]))
        .unwrap();
    let said = gpoctl(&["apply", plan, "--domain", "dst.test", "--json"]);
    runtime.block_on(sysvol.remove_dir(&in_the_way)).unwrap();
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("rolled back"), "{}", said.stderr);
    let journal = scratch()
        .join("state/gpoctl/operations")
        .join(operation)
        .join("journal.jsonl");
    let journal = std::fs::read_to_string(journal).unwrap();
    assert!(journal.contains("\"live\":\"Machine\"") && journal.contains("\"live\":\"User\""));
    assert!(
        journal.trim_end().ends_with("{\"event\":\"rolled-back\"}"),
        "{journal}"
    );
    assert_same(&before, &state("dst"));
    assert_samba_checks_pass("dst");
}
