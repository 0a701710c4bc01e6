//! Extensions against files in every real backup: which settings no client would look at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::corpus;
use gpoctl::backup;
use gpoctl::model::allowed_object::AllowedObject;
use gpoctl::operations::check::extensions::{Half, in_order, needed};

#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
fn backups(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            backups(&path, found);
        } else if path.file_name().unwrap().eq_ignore_ascii_case("backup.xml") {
            found.push(dir.to_owned());
        }
    }
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn settings_without_their_extension_are_those_gpmc_calls_unknown() {
    let corpus = corpus();
    let mut folders = Vec::new();
    backups(&corpus, &mut folders);
    let (mut settings, mut unordered) = (0, 0);
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for folder in &folders {
        let snapshot = backup::read(folder).unwrap().snapshot;
        let lists = [&snapshot.machine_extensions, &snapshot.user_extensions];
        unordered += lists.iter().filter(|list| in_order(list).is_some()).count();
        for setting in needed(&snapshot.tree, &snapshot.directory_objects) {
            settings += 1;
            let list = match setting.half {
                Half::Computer => &snapshot.machine_extensions,
                Half::User => &snapshot.user_extensions,
            };
            if !list.contains(setting.extension) {
                *missing.entry(setting.name).or_default() += 1;
            }
        }
    }
    println!(
        "{} backups: {settings} settings, without their extension: {missing:?}; {unordered} lists out of order",
        folders.len()
    );
    assert_eq!(folders.len(), 276);
    // GPMC lists these files under Unknown Extension. It does so with one scripts.ini more, which has no script in it.
    let expected = BTreeMap::from([("Audit Policy Configuration", 3), ("Security", 44)]);
    assert_eq!(missing, expected);
    assert_eq!(unordered, 0);
}

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn every_directory_object_of_a_real_backup_may_be_restored() {
    let corpus = corpus();
    let mut folders = Vec::new();
    backups(&corpus, &mut folders);
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    for folder in &folders {
        let objects = backup::read(folder).unwrap().snapshot.directory_objects;
        for object in AllowedObject::all(&objects).unwrap() {
            *classes.entry(object.object_class.clone()).or_default() += 1;
        }
    }
    println!("{} backups: {classes:?}", folders.len());
    assert_eq!(folders.len(), 276);
    let expected = [("classStore", 6), ("packageRegistration", 1)];
    assert_eq!(
        classes,
        expected
            .map(|(class, count)| (class.to_owned(), count))
            .into()
    );
}
