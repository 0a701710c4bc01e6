//! What the plan of a restore says of the settings that it changes, on the in-memory domain.

use bytes::Bytes;
use gpoctl::model::backup_context::BackupContext;
use gpoctl::model::gpt_tree::GptTree;
use gpoctl::model::guid::Guid;
use gpoctl::model::snapshot::GpoSnapshot;
use gpoctl::operations::import::{ImportOptions, ImportTarget};
use gpoctl::operations::restore::RestoreOptions;
use gpoctl::operations::{create, import, restore};
use gpoctl::plan::Plan;
use gpoctl::plan::gpo::EntryChange;
use gpoctl::progress::Control;
use gpoctl::session::DomainWriter;
use gpoctl::session::read::read_gpo;
use gpoctl::settings::Names;
use gpoctl::testing::domain::MemoryDomain;
use gpoctl::testing::faults::Faults;

const TEMPLATE: &str = r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf";
const GROUPS: &str = r"Machine\Preferences\Groups\Groups.xml";

fn snapshot(files: &[(&str, &str)]) -> GpoSnapshot {
    let guid = "{11111111-2222-3333-4444-555555555555}".parse().unwrap();
    let mut gpo = GpoSnapshot::new(guid, "src.test".parse().unwrap(), "Passwords");
    gpo.domain_controller = "dc1.src.test".to_owned();
    gpo.tree = GptTree::new();
    for (path, text) in files {
        let content = Bytes::copy_from_slice(text.as_bytes());
        gpo.tree.insert_file(&path.parse().unwrap(), content);
    }
    gpo
}

fn template(length: u32) -> String {
    format!(
        "[Unicode]\r\nUnicode=yes\r\n[System Access]\r\nMinimumPasswordLength = {length}\r\nPasswordComplexity = 1\r\n"
    )
}

/// Imports these files into a GPO.
async fn give(admin: &DomainWriter, folder: &std::path::Path, guid: Guid, files: &[(&str, &str)]) {
    let session = admin.session();
    let stored = super::verbs::backup(&folder.join("backups"), &snapshot(files));
    let object = session.directory().gpo(guid).await.unwrap();
    let target = ImportTarget::Existing(Box::new(object));
    let options = ImportOptions::new().allow_cpassword(true);
    let plan = import::plan(session, &stored, &target, &options, &Control::default())
        .await
        .unwrap();
    apply(admin, folder, &plan).await;
}

async fn apply(admin: &DomainWriter, folder: &std::path::Path, plan: &Plan) {
    let options = gpoctl::execute::ApplyOptions::in_folder(folder.join("journals"));
    gpoctl::execute::apply(admin, plan, &options).await.unwrap();
}

fn lines(plan: &Plan) -> Vec<String> {
    let changes = plan.gpo().unwrap().setting_changes(&Names::new()).unwrap();
    changes
        .iter()
        .map(|change| {
            let sign = match change.change {
                EntryChange::Added => '+',
                EntryChange::Removed => '-',
                _ => '~',
            };
            format!("{sign} {}", change.text())
        })
        .collect()
}

#[tokio::test]
async fn a_restore_names_the_setting_that_it_changes_in_one_line() {
    let domain = MemoryDomain::new("src.test").unwrap();
    let admin = domain
        .connect("Administrator", &Faults::none())
        .await
        .unwrap();
    let (session, control) = (admin.session(), Control::default());
    let folder = tempfile::TempDir::new().unwrap();
    let plan = create::plan(session, "Passwords").await.unwrap();
    let guid = plan.gpo().unwrap().target.guid;
    apply(&admin, folder.path(), &plan).await;

    give(&admin, folder.path(), guid, &[(TEMPLATE, &template(4))]).await;
    let object = session.directory().gpo(guid).await.unwrap();
    let saved = read_gpo(session, &object, &control).await.unwrap().snapshot;
    let context = BackupContext::default();
    let info = gpoctl::backup::write(
        &folder.path().join("saved"),
        &saved,
        &context,
        "",
        "2026-01-31T12:00:00",
    )
    .unwrap();
    let saved = gpoctl::backup::read(&info.path).unwrap();

    // The files carry a byte order mark or none, other line ends, another order: only the value counts.
    let longer = template(15).replace("\r\n", "\n");
    let groups = "<Groups><User name='u'><Properties cpassword='SECRETSECRET' userName='u'/></User></Groups>";
    let secret = [(TEMPLATE, longer.as_str()), (GROUPS, groups)];
    give(&admin, folder.path(), guid, &secret).await;
    let plan = restore::plan(session, &saved, &RestoreOptions::new(), &control)
        .await
        .unwrap();
    let changes = lines(&plan);
    assert!(
        changes.contains(&"~ Minimum password length: 15 -> 4 characters".to_owned()),
        "{changes:?}"
    );
    assert!(!changes.iter().any(|line| line.contains("complexity")));
    assert!(!format!("{changes:?}").contains("SECRETSECRET"));
    let json = serde_json::to_value(plan.gpo().unwrap().setting_changes(&Names::new())).unwrap();
    assert!(!json.to_string().contains("SECRETSECRET"));
    let change = json
        .as_array()
        .unwrap()
        .iter()
        .find(|change| change["new"]["name"] == "Minimum password length")
        .unwrap();
    assert_eq!(change["change"], "changed");
    assert_eq!(change["old"]["values"][0]["value"], 15);
    assert_eq!(change["new"]["values"][0]["value"], 4);
    assert_eq!(change["new"]["values"][0]["unit"], "characters");

    // Saved and read again, it says the same.
    let again = Plan::from_json(&plan.to_json().unwrap()).unwrap();
    assert_eq!(lines(&again), changes);
    // The import of what is there already changes nothing.
    apply(&admin, folder.path(), &plan).await;
    let plan = restore::plan(session, &saved, &RestoreOptions::new(), &control)
        .await
        .unwrap();
    assert!(lines(&plan).is_empty());
}
