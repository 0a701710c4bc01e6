//! Ten thousand rows and ten thousand references, with destinations that the target has to look up.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use gpoctl::auth::{Identity, read_password_file};
use gpoctl::directory::{Directory, DirectorySettings, LdapSecurity};
use gpoctl::migration::map::{MapOptions, map};
use gpoctl::migration::table::MigrationTable;

use super::*;

/// Groups of the target; each is the destination of ten rows.
const GROUPS: usize = 1_000;
const REFERENCES: usize = 10_000;

/// Creates or deletes the groups in one transaction.
fn groups(verb: &str) {
    let script = format!(
        r#"
import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
lp = LoadParm()
lp.load_default()
samdb = SamDB(url=lp.private_path("sam.ldb"), session_info=system_session(), lp=lp)
samdb.transaction_start()
for number in range({GROUPS}):
    dn = f"CN=Scale {{number:05}},OU=Groups,{{samdb.domain_dn()}}"
    if "{verb}" == "make":
        samdb.add({{"dn": dn, "objectClass": "group", "sAMAccountName": f"Scale {{number:05}}"}})
    else:
        samdb.delete(dn)
samdb.transaction_commit()
"#
    );
    let lab = std::env::var("GPOCTL_LAB_SCRIPT").unwrap();
    let output = Command::new(lab)
        .args(["exec", "dst", "python3", "-c", &script])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Deletes the groups, whether the test failed or not.
struct Groups;

impl Drop for Groups {
    fn drop(&mut self) {
        groups("remove");
    }
}

async fn target() -> Directory {
    let var = |name: &str| std::env::var(format!("GPOCTL_LAB_DST_{name}")).unwrap();
    Directory::connect(&DirectorySettings {
        domain: Some(var("DOMAIN").parse().unwrap()),
        server: var("SERVER").parse().unwrap(),
        address: Some(var("ADDRESS").parse().unwrap()),
        security: LdapSecurity::Sealed,
        identity: Identity::Password {
            user: var("USER"),
            password: read_password_file(var("PASSWORD_FILE").as_ref()).unwrap(),
        },
        tls: gpoctl::auth::tls::TlsSettings::default(),
        allow_rc4: false,
        timeout: DirectorySettings::DEFAULT_TIMEOUT,
    })
    .await
    .unwrap()
}

/// The source of a reference: a SID of a domain that is neither of the two.
fn source(number: usize) -> String {
    format!("S-1-5-21-7-77-777-{}", 100_000 + number)
}

/// A GptTmpl.inf with a hundred references to a right.
fn template(sid: impl Fn(usize) -> String) -> String {
    let mut text = format!("{HEAD}[Privilege Rights]\r\n");
    for right in 0..REFERENCES / 100 {
        let list: Vec<String> = (right * 100..right * 100 + 100)
            .map(|number| format!("*{}", sid(number)))
            .collect();
        write!(text, "SeScale{right}Privilege = {}\r\n", list.join(",")).unwrap();
    }
    text
}

#[test]
#[ignore = "needs the lab"]
fn ten_thousand_rows_are_looked_up_in_few_searches() {
    let _alone = DOMAIN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let (backup, _) = saved(TEMPLATE, &template(source));
    let sources: Vec<String> = (0..REFERENCES).map(source).collect();
    let rows: Vec<(&str, &str, String)> = sources
        .iter()
        .enumerate()
        .map(|(number, source)| {
            let name = format!("Scale {:05}@dst.test", number % GROUPS);
            ("Unknown", source.as_str(), set(&name))
        })
        .collect();
    let file = table(&rows);

    let _groups = Groups;
    groups("make");
    let sids: BTreeMap<String, String> = serde_json::from_slice(&judge("dst", &["sids"])).unwrap();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (searches, took) = runtime.block_on(async {
        let directory = target().await;
        let stored = gpoctl::backup::read(&backup).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let before = directory.searches();
        let begin = Instant::now();
        let table = MigrationTable::parse("scale.migtable", &bytes).unwrap();
        let mapped = map(
            &stored.snapshot,
            Some(&table),
            &directory,
            &MapOptions::default(),
        )
        .await
        .unwrap();
        let took = begin.elapsed();
        assert_eq!(mapped.report.counts.replaced, REFERENCES);
        (directory.searches() - before, took)
    });
    println!(
        "{REFERENCES} rows and references with {GROUPS} destinations: {searches} searches, {took:?} (table read, looked up, mapped)"
    );
    assert!(
        searches <= GROUPS.div_ceil(100).try_into().unwrap(),
        "{searches} searches"
    );

    let name = fresh("Scale");
    let arguments = [
        "--create",
        "--yes",
        "--exclusive",
        "--migration-table",
        file.to_str().unwrap(),
    ];
    let result = import(&backup, &name, &arguments).json();
    let written = sysvol_text("dst", result["gpo"]["guid"].as_str().unwrap(), TEMPLATE);
    let expected = template(|number| sids[&format!("Scale {:05}", number % GROUPS)].clone());
    assert!(
        written.trim_start_matches('\u{feff}') == expected,
        "the template is not what the table says"
    );
}
