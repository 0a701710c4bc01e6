//! Extension lists compared with the files of every real backup: the settings that a client would ignore.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::corpus;
use gpoctl::backup;
use gpoctl::model::allowed_object::AllowedObject;
use gpoctl::operations::check::extensions::{Half, needed};
use gpoctl::plan::risks;

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
fn settings_without_an_extension_are_those_gpmc_lists_as_unknown() {
    let corpus = corpus();
    let mut folders = Vec::new();
    backups(&corpus, &mut folders);
    let (mut settings, mut unordered) = (0, 0);
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for folder in &folders {
        let snapshot = backup::read(folder).unwrap().snapshot;
        let lists = [&snapshot.machine_extensions, &snapshot.user_extensions];
        unordered += lists
            .iter()
            .filter(|list| list.in_order().is_some())
            .count();
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
    // GPMC lists these files under Unknown Extension, and one more scripts.ini, which contains no script.
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

#[test]
#[ignore = "needs GPOCTL_CORPUS"]
fn what_real_policies_do_with_power() {
    let corpus = corpus();
    let mut folders = Vec::new();
    backups(&corpus, &mut folders);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for folder in &folders {
        for risk in risks::of(&backup::read(folder).unwrap().snapshot) {
            *kinds.entry(risk.kind.label()).or_default() += 1;
        }
    }
    println!("{} backups: {kinds:?}", folders.len());
    assert_eq!(folders.len(), 276);
    let expected = BTreeMap::from([
        ("PowerShell", 2),
        ("account policy", 21),
        ("autostart", 3),
        ("credentials", 32),
        ("environment variable", 1),
        ("file in Windows", 17),
        ("firewall rule", 4),
        ("local group", 23),
        ("logging off", 32),
        ("mapped drive", 9),
        ("printer", 4),
        ("privilege right", 666),
        ("protection off", 40),
        ("proxy", 1),
        ("remote control", 6),
        ("restricted group", 3),
        ("scheduled task", 27),
        ("script", 15),
        ("service", 24),
        ("service in registry", 19),
        ("software", 112),
        ("trusted certificate", 4),
        ("unknown extension", 1),
    ]);
    assert_eq!(kinds, expected);
}
