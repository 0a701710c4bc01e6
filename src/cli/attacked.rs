//! Every file that a command writes below a folder that its caller names, while the owner of the folder attacks: as
//! `backup::tests::attacker` for backups.

use std::os::unix::fs::{lchown, symlink};
use std::path::Path;

use super::{man, migtable, wmi, writing};
use crate::execute::journal::Journal;
use crate::formats::migtable::MigTable;
use crate::local::attacker::{Attack, OTHER_USER};
use crate::plan::Plan;

/// Writes a file of this number below a folder; whether it was written.
type Writer = fn(&Path, usize) -> bool;

/// The writers, by what a caller knows them as.
const WRITERS: &[(&str, Writer)] = &[
    ("--plan-out", |folder, number| {
        writing::save_new(b"x", &folder.join(format!("{number}.plan"))).is_ok()
    }),
    ("wmi export --to", |folder, number| {
        wmi::write_new(&folder.join(format!("{number}.mof")), b"x").is_ok()
    }),
    ("migtable new", |folder, number| {
        let path = folder.join(format!("{number}.migtable"));
        migtable::file::create(&path, &MigTable::new()).is_ok()
    }),
    ("migtable set", |folder, number| {
        let path = folder.join(format!("{number}.migtable"));
        let _ = std::fs::write(&path, "");
        migtable::file::replace(&path, &MigTable::new()).is_ok()
    }),
    ("man --to", |folder, _| {
        man::write(folder, &man::page::pages()[0]).is_ok()
    }),
    ("journals", |folder, number| {
        let plan = Plan::new("x", &"src.test".parse().unwrap());
        Journal::start(&folder.join(format!("{number}/operations")), &plan, []).is_ok()
    }),
];

#[test]
#[ignore = "needs root"]
fn no_command_writes_outside_of_a_folder_that_another_user_changes() {
    for (what, write) in WRITERS {
        // An attack may be lost as well as won; what counts is that nothing is written elsewhere.
        Attack::begin().on(what, "", |folder, number| {
            write(folder, number);
        });
    }
}

/// A link of another user in the path decides where files go, so it is refused; one of the caller's own is followed.
#[test]
#[ignore = "needs root"]
fn no_command_writes_through_a_link_of_another_user() {
    for (what, write) in WRITERS {
        let dir = tempfile::tempdir().unwrap();
        let (outside, link) = (dir.path().join("outside"), dir.path().join("link"));
        std::fs::create_dir(&outside).unwrap();
        symlink(&outside, &link).unwrap();
        lchown(&link, Some(OTHER_USER), Some(OTHER_USER)).unwrap();
        // A table that is changed is there already.
        std::fs::write(outside.join("0.migtable"), "").unwrap();
        let before = std::fs::read_dir(&outside).unwrap().count();
        assert!(!write(&link, 0), "{what}");
        assert_eq!(
            std::fs::read_dir(&outside).unwrap().count(),
            before,
            "{what}"
        );
        assert_eq!(
            std::fs::read(outside.join("0.migtable")).unwrap(),
            b"",
            "{what}"
        );
        lchown(&link, Some(0), Some(0)).unwrap();
        std::fs::remove_file(outside.join("0.migtable")).unwrap();
        assert!(write(&link, 0), "{what}");
        assert_ne!(std::fs::read_dir(&outside).unwrap().count(), 0, "{what}");
    }
}
