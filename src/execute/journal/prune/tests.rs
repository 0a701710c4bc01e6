use std::fs;

use super::*;
use crate::execute::journal::{Event, list};
use crate::plan::Plan;

fn operation(root: &Path, id: &str, events: &[Event]) {
    let folder = root.join(id);
    fs::create_dir_all(folder.join("before")).unwrap();
    let plan = Plan::new("link x", &"src.test".parse().unwrap());
    fs::write(folder.join("plan.json"), plan.to_json().unwrap()).unwrap();
    let lines: String = events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap() + "\n")
        .collect();
    fs::write(folder.join(EVENTS), lines).unwrap();
}

#[test]
fn only_closed_operations_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let id = |day: u8| format!("202601{day:02}T120000.250Z-000000{day:02}");
    operation(root.path(), &id(1), &[Event::Finished]);
    operation(root.path(), &id(2), &[]);
    operation(root.path(), &id(3), &[Event::Committed]);
    operation(root.path(), &id(4), &[Event::RolledBack]);
    operation(root.path(), &id(5), &[Event::Finished]);
    let last = Retention {
        last: 1,
        ..Default::default()
    };
    let decided = decide(list(root.path()).unwrap(), &last);
    let words: Vec<String> = decided
        .iter()
        .map(|(operation, keep)| {
            let keep: Vec<&str> = keep.iter().map(|reason| reason.as_str()).collect();
            format!("{} {}", operation.id.get(6..8).unwrap(), keep.join(","))
        })
        .collect();
    assert_eq!(words, ["05 last", "04 ", "03 open", "02 open", "01 "]);
    for (operation, keep) in &decided {
        let removed = remove(operation);
        assert_eq!(
            removed.is_ok(),
            keep.is_empty() || keep == &[KeepReason::Last],
            "{}",
            operation.id
        );
    }
    let left: Vec<String> = list(root.path())
        .unwrap()
        .into_iter()
        .map(|o| o.id)
        .collect();
    assert_eq!(left, [id(3), id(2)]);
    fs::create_dir_all(root.path().join(".removed-x/before")).unwrap();
    assert_eq!(list(root.path()).unwrap().len(), 2);
    remove_leftovers(root.path()).unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
}

#[test]
fn an_operation_that_somebody_works_on_is_not_removed() {
    let root = tempfile::tempdir().unwrap();
    operation(
        root.path(),
        "20260101T120000.250Z-00000001",
        &[Event::Finished],
    );
    let found = list(root.path()).unwrap().remove(0);
    let held = found.reopen().unwrap();
    assert_eq!(remove(&found).unwrap_err().kind(), ErrorKind::Conflict);
    drop(held);
    remove(&found).unwrap();
    assert!(list(root.path()).unwrap().is_empty());
}
