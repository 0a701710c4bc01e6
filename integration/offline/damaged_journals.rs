//! The real binary with journals that are damaged, shared, or of an undo: it names the cause, the file and the next step.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Said, command, scratch};

const IMPORTED: &str = "20260131T120000.250Z-1f2e3d4c";
const UNDONE: &str = "20260131T130000.250Z-2f2e3d4c";
const BACKUP: &str = "{5F2D0B64-2C55-4D43-9B0A-8A1A6F0C7D11}";

/// A folder for `XDG_STATE_HOME` with the journal of an import that is done, and of its undo.
fn state() -> (tempfile::TempDir, PathBuf) {
    let state = tempfile::tempdir_in(scratch()).unwrap();
    let operations = state.path().join("gpoctl/operations");
    let target = json!({
        "guid": "{31B2F340-016D-11D2-945F-00C04FB984F9}",
        "display_name": "Workstations",
        "domain": "src.test",
        "create": false,
    });
    for (id, title, verb, undoes) in [
        (IMPORTED, "import \"Workstations\"", "import", None),
        (
            UNDONE,
            "undo import \"Workstations\"",
            "restore",
            Some(IMPORTED),
        ),
    ] {
        let folder = operations.join(id);
        std::fs::create_dir_all(folder.join("before").join(BACKUP)).unwrap();
        let plan = json!({
            "title": title,
            "domain": "src.test",
            "undoes": undoes,
            "changes": [{ "change": "gpo", "verb": verb, "target": target }],
        });
        std::fs::write(folder.join("plan.json"), plan.to_string()).unwrap();
        std::fs::write(folder.join("journal.jsonl"), "{\"event\":\"finished\"}\n").unwrap();
    }
    let journal = operations.join(IMPORTED);
    (state, journal)
}

fn gpoctl(state: &Path, arguments: &[&str]) -> Said {
    command(arguments)
        .env("XDG_STATE_HOME", state)
        .env("XDG_CONFIG_HOME", state)
        .output()
        .unwrap()
        .into()
}

#[test]
fn a_journal_that_cannot_be_read_is_the_cause_and_not_a_missing_domain() {
    for verb in ["undo", "cleanup"] {
        let refused = |state: &Path| {
            let said = gpoctl(state, &["operations", verb, "1f2e3d4c", "--yes"]);
            assert_ne!(said.status, 0, "{verb}");
            assert!(!said.stderr.contains("--domain"), "{verb}: {}", said.stderr);
            said.stderr
        };

        let (state, journal) = self::state();
        std::fs::set_permissions(&journal, std::fs::Permissions::from_mode(0o777)).unwrap();
        let said = refused(state.path());
        assert!(said.contains("can be written by other users"), "{said}");
        assert!(said.contains("chmod"), "{said}");
        assert!(said.contains(journal.to_str().unwrap()), "{said}");

        for (content, why) in [
            ("", "plan.json: it is empty"),
            ("{", "plan.json: EOF while"),
        ] {
            let (state, journal) = self::state();
            std::fs::write(journal.join("plan.json"), content).unwrap();
            let said = refused(state.path());
            assert!(said.contains(why), "{said}");
            assert!(said.contains(journal.to_str().unwrap()), "{said}");
            let restore = format!("gpoctl restore '{}", journal.join("before").display());
            assert!(said.contains(&restore), "{said}");
        }
    }
}

#[test]
fn the_list_names_what_an_undo_undid() {
    let (state, _) = state();
    let said = gpoctl(state.path(), &["operations", "list"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(
        lines[1].contains("  undo import \"Workstations\"  "),
        "{lines:?}"
    );
    assert!(
        lines[2].contains("  import \"Workstations\"  "),
        "{lines:?}"
    );
    let json = gpoctl(state.path(), &["operations", "list", "--json"]).json();
    let undo = &json["operations"][0];
    assert_eq!(
        (&undo["verb"], &undo["undoes"]),
        (&json!("undo"), &json!(IMPORTED))
    );
    assert_eq!(undo["gpo"]["display_name"], "Workstations");
}
