use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::execute::journal::{remove, remove_leftovers};

fn operation(root: &Path, id: &str, events: &str) {
    let folder = root.join(id);
    fs::create_dir_all(&folder).unwrap();
    let list = Plan::new("link x", &"src.test".parse().unwrap());
    fs::write(folder.join("plan.json"), list.to_json().unwrap()).unwrap();
    fs::write(folder.join(EVENTS), events).unwrap();
}

#[test]
fn a_journal_that_others_could_have_written_is_unreadable() {
    let root = tempfile::tempdir().unwrap();
    let id = "20260131T120000.250Z-00000001";
    operation(root.path(), id, "");
    let folder = root.path().join(id);
    for (path, mode) in [
        (folder.clone(), 0o700),
        (folder.join("plan.json"), 0o600),
        (folder.join(EVENTS), 0o600),
    ] {
        for (mode, readable) in [(mode | 0o020, false), (mode | 0o002, false), (mode, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let found = find(root.path(), id).unwrap();
            let unreadable = found.state == OperationState::Unreadable;
            assert_eq!(unreadable, !readable, "{} {mode:o}", path.display());
            let said = found.reason.unwrap_or_default();
            assert_eq!(said.contains("written by other users"), !readable, "{said}");
        }
    }
    assert!(find(root.path(), id).unwrap().plan().is_ok());
}

#[test]
fn a_journal_with_an_object_that_no_gpo_contains_is_refused() {
    let root = tempfile::tempdir().unwrap();
    operation(root.path(), "20260131T120000.250Z-00000001", "");
    let before = |class: &str| {
        let json = serde_json::json!({
            "version": null, "flags": 0, "machine_extensions": "", "user_extensions": "", "gpt_ini": null,
            "directory_objects": [
                {"rdns": ["CN=evil", "CN=Machine"], "object_class": class, "attributes": []}
            ],
        });
        let found = find(root.path(), "00000001").unwrap();
        fs::write(found.folder.join("before.json"), json.to_string()).unwrap();
        found.before(0)
    };
    let read = before("container").unwrap().unwrap();
    assert_eq!(read.directory_objects.len(), 1);
    let error = before("user").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert!(
        error.to_string().contains("is of class \"user\""),
        "{error}"
    );
}

#[test]
fn the_last_event_that_counts_tells_how_it_ended() {
    let root = tempfile::tempdir().unwrap();
    let line = |event: &Event| serde_json::to_string(event).unwrap() + "\n";
    let change = line(&Event::Change {
        of: Some(0),
        inverse: Inverse::RemoveFolder,
    });
    let raising = line(&Event::Raising {
        of: 0,
        version: GpoVersion::from_combined(65_537),
    });
    for (id, events, state) in [
        ("20260131T120000.250Z-00000001", String::new(), "unfinished"),
        (
            "20260131T120000.250Z-00000002",
            format!("{change}{raising}{{\"event\":\"ro"),
            "unfinished",
        ),
        (
            "20260131T120000.250Z-00000003",
            format!("{change}{}", line(&Event::RolledBack)),
            "failed",
        ),
        (
            "20260131T120000.250Z-00000004",
            format!("{change}{}", line(&Event::Committed)),
            "left-over",
        ),
        (
            "20260131T120000.250Z-00000005",
            format!("{change}{}", line(&Event::Finished)),
            "done",
        ),
    ] {
        operation(root.path(), id, &events);
        let found = find(root.path(), id).unwrap();
        assert_eq!(found.state.as_str(), state);
        assert_eq!(found.time, "2026-01-31T12:00:00Z");
        assert_eq!(found.what, "link x");
    }
    let cut_short = find(root.path(), "00000002").unwrap();
    assert_eq!(cut_short.changes, [(0, Inverse::RemoveFolder)]);
    assert_eq!(cut_short.raising[&0], [GpoVersion::from_combined(65_537)]);
    assert_eq!(
        find(root.path(), "20260131").unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_eq!(
        find(root.path(), "").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    // An open journal is locked.
    let held = cut_short.reopen().unwrap();
    assert_eq!(
        find(root.path(), "00000002").unwrap().state,
        OperationState::Running
    );
    assert_eq!(cut_short.reopen().unwrap_err().kind(), ErrorKind::Conflict);
    drop(held);
    let ids: Vec<String> = list(root.path())
        .unwrap()
        .into_iter()
        .map(|o| o.id)
        .collect();
    assert!(ids.is_sorted_by(|one, other| one > other));
    assert!(list(&root.path().join("none")).unwrap().is_empty());
}

/// Calls everything that reads or deletes the journals in `root`, and returns what was not refused.
fn allowed(root: &Path, found: &StoredOperation) -> Vec<&'static str> {
    // Not in the list: it would lock the journal until the end.
    let reopened = found.reopen().is_ok();
    let done = [
        ("list", list(root).is_ok()),
        (
            "find",
            find(root, &found.id).is_ok_and(|found| found.state != OperationState::Unreadable),
        ),
        ("plan", found.plan().is_ok()),
        ("before", found.before(0).is_ok()),
        ("reopen", reopened),
        ("leftovers", remove_leftovers(root).is_ok()),
        ("remove", remove(found).is_ok()),
    ];
    done.into_iter()
        .filter_map(|(what, done)| done.then_some(what))
        .collect()
}

const ID: &str = "20260131T120000.250Z-00000001";

/// The journals of a finished operation in a folder with this mode and owner.
fn journals_with(mode: u32, owner: Option<u32>) -> (tempfile::TempDir, PathBuf, StoredOperation) {
    let finished = serde_json::to_string(&Event::Finished).unwrap() + "\n";
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("operations");
    operation(&root, ID, &finished);
    fs::write(root.join(ID).join("before.json"), "null").unwrap();
    let found = find(&root, ID).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(mode)).unwrap();
    if let Some(owner) = owner {
        std::os::unix::fs::chown(&root, Some(owner), None).unwrap();
    }
    (home, root, found)
}

#[test]
fn journals_that_another_user_could_have_put_there_are_refused() {
    for mode in [0o770, 0o702, 0o777, 0o1777] {
        let (_home, root, found) = journals_with(mode, None);
        assert_eq!(allowed(&root, &found), Vec::<&str>::new(), "{mode:o}");
        assert!(root.join(ID).join(EVENTS).exists(), "{mode:o}");
        let error = list(&root).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(
            error.to_string().contains("other users can change"),
            "{error}"
        );
    }
    let (_home, root, found) = journals_with(0o755, None);
    assert_eq!(
        allowed(&root, &found),
        ["list", "find", "plan", "reopen", "leftovers", "remove"]
    );
    assert!(!root.join(ID).exists());
}

/// Only root can give a folder away.
#[test]
#[ignore = "needs root"]
fn journals_of_another_owner_are_refused() {
    let (_home, root, found) = journals_with(0o700, Some(65_534));
    assert_eq!(allowed(&root, &found), Vec::<&str>::new());
}

#[test]
fn no_link_leads_out_of_a_journal() {
    let finished = serde_json::to_string(&Event::Finished).unwrap() + "\n";
    let home = tempfile::tempdir().unwrap();
    let (root, elsewhere) = (
        home.path().join("operations"),
        home.path().join("elsewhere"),
    );
    operation(&elsewhere, ID, &finished);
    fs::create_dir_all(elsewhere.join("before/{11111111-2222-3333-4444-555555555555}")).unwrap();
    let link = |name: &str| {
        std::os::unix::fs::symlink(elsewhere.join(ID).join(name), root.join(ID).join(name))
            .unwrap();
    };
    for name in ["plan.json", EVENTS, "before.json"] {
        operation(&root, ID, &finished);
        let found = find(&root, ID).unwrap();
        let _ = fs::remove_file(root.join(ID).join(name));
        fs::write(elsewhere.join(ID).join("before.json"), "null").unwrap();
        link(name);
        match name {
            "plan.json" => assert!(found.plan().is_err()),
            EVENTS => assert!(found.reopen().is_err() && remove(&found).is_err()),
            _ => assert!(found.before(0).is_err()),
        }
        let read = find(&root, ID).unwrap();
        let unreadable = read.state == OperationState::Unreadable;
        assert_eq!(unreadable, name != "before.json", "{name}");
        fs::remove_dir_all(&root).unwrap();
    }
    operation(&root, ID, &finished);
    std::os::unix::fs::symlink(elsewhere.join("before"), root.join(ID).join("before")).unwrap();
    assert_eq!(find(&root, ID).unwrap().safety_backup, None);
    // Another folder under its name, and a link to one.
    let found = find(&root, ID).unwrap();
    fs::rename(root.join(ID), home.path().join("aside")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join(ID), root.join(ID)).unwrap();
    assert!(remove(&found).is_err());
    assert!(found.plan().is_err());
    assert!(list(&root).unwrap().is_empty());
    assert!(elsewhere.join(ID).join(EVENTS).exists());
}

#[test]
fn a_line_that_is_not_an_event_makes_a_journal_unreadable() {
    let root = tempfile::tempdir().unwrap();
    let line = |event: &Event| serde_json::to_string(event).unwrap() + "\n";
    let change = line(&Event::Change {
        of: Some(0),
        inverse: Inverse::RemoveFolder,
    });
    let back = "{\"event\":\"change\",\"inverse\":\"change-back\",\"change\":\"attributes\",\"dn\":\"OU=x,DC=src,DC=test\",\"attributes\":[]}\n";
    let null =
        "{\"event\":\"change\",\"inverse\":\"restore-folder-descriptor\",\"descriptor\":null}\n";
    for (events, broken) in [
        (format!("{change}x\n{}", line(&Event::Finished)), Some(2)),
        (format!("{null}{}", line(&Event::Finished)), Some(1)),
        (format!("{change}{{\"event\":\"other\"}}\n"), Some(2)),
        (format!("{change}{null}"), Some(2)),
        (format!("{change}\n{}", line(&Event::Finished)), Some(2)),
        (format!("{back}{change}"), None),
        // The process ended while it wrote this line.
        (format!("{change}{{\"event\":\"ch"), None),
        (change.trim_end().to_owned(), None),
    ] {
        operation(root.path(), ID, &events);
        let found = find(root.path(), ID).unwrap();
        let unreadable = found.state == OperationState::Unreadable;
        assert_eq!(unreadable, broken.is_some(), "{events}");
        if let Some(number) = broken {
            let reason = found.reason.unwrap();
            let place = format!("journal.jsonl: line {number} ");
            assert!(reason.starts_with(&place), "{reason}");
            assert!(found.changes.is_empty());
        }
    }
}

#[test]
fn what_is_written_after_a_crash_begins_a_line() {
    let root = tempfile::tempdir().unwrap();
    let change = Event::Change {
        of: Some(0),
        inverse: Inverse::RemoveFolder,
    };
    let line = serde_json::to_string(&change).unwrap();
    for (text, changes) in [
        (format!("{line}\n{{\"event\":\"ro"), 1),
        (line.clone(), 1),
        ("{\"ev".to_owned(), 0),
        (format!("{line}\n"), 1),
    ] {
        operation(root.path(), ID, &text);
        let found = find(root.path(), ID).unwrap();
        found.reopen().unwrap().record(&Event::RolledBack).unwrap();
        let found = find(root.path(), ID).unwrap();
        assert_eq!(
            found.state,
            OperationState::Failed,
            "{text}: {:?}",
            found.reason
        );
        assert_eq!(found.changes.len(), changes, "{text}");
    }
}
