//! Folders of several backups: removing, verifying, and what stands in manifest.xml.

use super::*;
use crate::message::Code;

#[test]
fn deletes_a_backup_and_its_entry_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let write = |comment: &str| write(dir.path(), &snapshot(), &context(), comment, NOW).unwrap();
    let (one, two) = (write("one"), write("two"));
    let code = |path: &Path| delete(path).unwrap_err().kind();
    assert_eq!(code(dir.path()), ErrorKind::NotFound);
    assert_eq!(code(&one.path.join("DomainSysvol")), ErrorKind::NotFound);
    assert_eq!(code(&dir.path().join("nothing")), ErrorKind::NotFound);
    let link = dir.path().join("link");
    symlink(&one.path, &link).unwrap();
    assert_eq!(code(&link), ErrorKind::NotFound);
    fs::write(one.path.join("mine.migtable"), "x").unwrap();
    let error = delete(&one.path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("mine.migtable"), "{error}");
    fs::remove_file(one.path.join("mine.migtable")).unwrap();
    assert_eq!(verify(&one.path).unwrap(), []);
    assert_eq!(delete(&one.path).unwrap().id, one.id);
    let manifest = fs::read_to_string(dir.path().join("manifest.xml")).unwrap();
    assert!(
        !manifest.contains(&one.id.unwrap().to_string()),
        "{manifest}"
    );
    assert!(
        manifest.contains(&two.id.unwrap().to_string()),
        "{manifest}"
    );
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let kept = two.id.unwrap().to_string();
    assert_eq!(
        names,
        [".gpoctl.lock", "link", "manifest.xml", kept.as_str()]
    );
}

#[test]
fn deletes_nothing_that_was_added_below() {
    let dir = tempfile::tempdir().unwrap();
    let info = write(dir.path(), &snapshot(), &context(), "", NOW).unwrap();
    let mine = info.path.join("DomainSysvol/GPO/User/mine.txt");
    fs::write(&mine, "x").unwrap();
    let refused = |named: &str| {
        let error = delete(&info.path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains(named), "{error}");
        assert!(mine.exists());
    };
    refused("DomainSysvol/GPO/User/mine.txt");
    // Without hashes, Backup.xml tells what belongs to it; so it does when they cannot be read.
    let side = info.path.join("gpoctl.json");
    fs::write(&side, "{\"files\": 1}").unwrap();
    refused("User\\mine.txt");
    fs::remove_file(&side).unwrap();
    refused("User\\mine.txt");
    fs::remove_file(&mine).unwrap();
    assert_eq!(delete(&info.path).unwrap().id, info.id);
}

#[test]
fn verify_misses_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let write = |comment: &str| write(dir.path(), &snapshot(), &context(), comment, NOW).unwrap();
    let (one, two) = (write("one"), write("two"));
    let aside = dir.path().join(".aside");
    fs::rename(&one.path, &aside).unwrap();
    assert!(verify_all(dir.path()).unwrap().soundness() == Soundness::Damaged);
    fs::rename(&aside, &one.path).unwrap();
    assert!(verify_all(dir.path()).unwrap().soundness() == Soundness::Sound);
    // As of another program, without hashes: Backup.xml alone tells what should be there.
    fs::remove_file(two.path.join("gpoctl.json")).unwrap();
    assert!(verify_all(dir.path()).unwrap().soundness() == Soundness::NotVerifiable);
    fs::remove_file(two.path.join("DomainSysvol/GPO/Adm/x.adm")).unwrap();
    assert!(verify_all(dir.path()).unwrap().soundness() == Soundness::Damaged);
    // Listing and reading go on.
    let severe =
        |problems: &[StatusMessage]| problems.iter().any(|p| p.severity == Severity::Error);
    assert!(
        list(dir.path())
            .unwrap()
            .iter()
            .all(|entry| !severe(&entry.problems))
    );
    assert!(!severe(&read(&two.path).unwrap().problems));
}

#[test]
fn manifest_heals_and_leftovers_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let write = |comment: &str| write(dir.path(), &snapshot(), &context(), comment, NOW).unwrap();
    let (one, two) = (write("one"), write("two"));
    let listed = || {
        let bytes = fs::read(dir.path().join("manifest.xml")).unwrap();
        let mut ids: Vec<Option<Guid>> = crate::formats::manifest::parse(&bytes)
            .unwrap()
            .value
            .backups
            .iter()
            .map(|inst| inst.id.parse().ok())
            .collect();
        ids.sort();
        ids
    };
    let sorted = |mut ids: Vec<Option<Guid>>| {
        ids.sort();
        ids
    };
    // As after a writer that was killed between the two steps.
    let folder = folder::Folder::open(dir.path()).unwrap();
    index::leave(&folder, one.id.unwrap()).unwrap();
    assert_eq!(listed(), [two.id]);
    assert_eq!(
        verify_all(dir.path()).unwrap().manifest[0].code,
        Code::NotInManifest
    );
    let three = write("three");
    assert_eq!(listed(), sorted(vec![one.id, two.id, three.id]));
    assert_eq!(verify_all(dir.path()).unwrap().manifest, []);

    fs::remove_dir_all(&two.path).unwrap();
    let id = two.id.unwrap();
    let gone = find_by_id(&id.to_string(), dir.path()).unwrap();
    assert!(!gone.present);
    let code = |id: Guid| forget(dir.path(), id).unwrap_err().kind();
    assert_eq!(code(one.id.unwrap()), ErrorKind::Conflict);
    forget(dir.path(), id).unwrap();
    assert_eq!(code(id), ErrorKind::NotFound);
    assert_eq!(listed(), sorted(vec![one.id, three.id]));
    let verified = verify_all(dir.path()).unwrap();
    assert!(verified.soundness() == Soundness::Sound);
    assert_eq!(verified.manifest, []);

    fs::create_dir(dir.path().join(".gpoctl-AbCd12")).unwrap();
    let verified = verify_all(dir.path()).unwrap();
    assert!(verified.soundness() == Soundness::Sound);
    let said: Vec<String> = verified
        .manifest
        .iter()
        .map(|message| format!("{} {}", message.code, message.place.as_ref().unwrap()))
        .collect();
    assert_eq!(said, ["leftover-staging .gpoctl-AbCd12"]);
}

#[test]
fn the_lock_is_waited_for_and_not_for_ever() {
    use std::time::Duration;

    let dir = tempfile::tempdir().unwrap();
    let folder = folder::Folder::open(dir.path()).unwrap();
    let held = index::lock(&folder, Duration::ZERO).unwrap();
    let error = index::lock(&folder, Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(error.to_string().contains(".gpoctl.lock"), "{error}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| index::lock(&folder, Duration::from_secs(60)).is_ok());
        std::thread::sleep(Duration::from_millis(50));
        drop(held);
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn writers_side_by_side_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ids: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let write = || write(dir.path(), &snapshot(), &context(), "", NOW).unwrap();
                    [write().id, write().id, write().id]
                })
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    let manifest = fs::read(dir.path().join("manifest.xml")).unwrap();
    let listed = crate::formats::manifest::parse(&manifest).unwrap().value;
    assert_eq!(listed.backups.len(), ids.len());
    for id in ids {
        let id = id.unwrap().to_string();
        assert!(listed.backups.iter().any(|inst| inst.id == id), "{id}");
    }
}

#[test]
fn verify_finds_what_changed_and_what_the_manifest_misses() {
    let dir = tempfile::tempdir().unwrap();
    let write = |comment: &str| write(dir.path(), &snapshot(), &context(), comment, NOW).unwrap();
    let (one, two, three) = (write("one"), write("two"), write("three"));
    let by_backup = |verified: &Verified| -> Vec<Vec<Code>> {
        let of = |problems: &[StatusMessage]| problems.iter().map(|p| p.code).collect();
        let mut found: Vec<(std::path::PathBuf, Vec<Code>)> = verified
            .backups
            .iter()
            .map(|entry| (entry.info.path.clone(), of(&entry.problems)))
            .collect();
        found.sort_by_key(|(path, _)| {
            [&one, &two, &three]
                .iter()
                .position(|info| info.path == *path)
        });
        let mut all: Vec<Vec<Code>> = found.into_iter().map(|(_, codes)| codes).collect();
        all.push(of(&verified.manifest));
        all
    };
    let verified = verify_all(dir.path()).unwrap();
    assert_eq!(by_backup(&verified), vec![Vec::<Code>::new(); 4]);
    assert!(verified.soundness() == Soundness::Sound);

    let pol = one.path.join("DomainSysvol/GPO/Machine/Registry.pol");
    fs::write(pol, "other").unwrap();
    fs::remove_file(two.path.join("DomainSysvol/GPO/Adm/x.adm")).unwrap();
    fs::rename(two.path.join("Backup.xml"), two.path.join("BACKUP.XML")).unwrap();
    fs::remove_dir_all(&three.path).unwrap();
    let verified = verify_all(dir.path()).unwrap();
    assert_eq!(
        by_backup(&verified),
        [
            vec![Code::ChangedFile],
            vec![Code::MissingFile],
            vec![Code::ManifestWithoutBackup],
            vec![],
        ]
    );
    assert!(verified.soundness() == Soundness::Damaged);
    // In the words with which an import refuses it.
    let refused = crate::backup::read(&two.path).unwrap().damage;
    let found = verified.backups.iter().flat_map(|entry| &entry.problems);
    let found: Vec<_> = found.filter(|it| it.code == Code::MissingFile).collect();
    assert_eq!(found, refused.iter().collect::<Vec<_>>());
    let alone = verify_all(&one.path).unwrap();
    assert_eq!(alone.backups.len(), 1);
    assert_eq!(alone.manifest, []);

    fs::write(dir.path().join("manifest.xml"), "<x").unwrap();
    let verified = verify_all(dir.path()).unwrap();
    assert_eq!(codes(&verified.manifest), [Code::MalformedManifest]);
    fs::remove_file(dir.path().join("manifest.xml")).unwrap();
    let verified = verify_all(dir.path()).unwrap();
    assert_eq!(codes(&verified.manifest), [Code::NoManifest]);
    let empty = crate::formats::manifest::Manifest::default();
    let bytes = crate::formats::verbatim::ToGpmcBytes::to_gpmc_bytes(&empty);
    fs::write(dir.path().join("manifest.xml"), bytes).unwrap();
    let verified = verify_all(dir.path()).unwrap();
    assert_eq!(codes(&verified.manifest), [Code::NotInManifest; 2]);
}

#[test]
fn the_newest_of_each_gpo() {
    let dir = tempfile::tempdir().unwrap();
    let other = GpoSnapshot {
        guid: Guid::new_random(),
        ..snapshot()
    };
    let write = |snapshot: &GpoSnapshot, time: &str| {
        write(dir.path(), snapshot, &context(), "", time)
            .unwrap()
            .id
    };
    let newest = write(&snapshot(), "2025-01-01T00:00:00");
    write(&snapshot(), "2024-01-01T00:00:00");
    let only = write(&other, "2023-01-01T00:00:00");
    fs::create_dir(dir.path().join("unknown")).unwrap();
    fs::write(dir.path().join("unknown/Backup.xml"), "<x").unwrap();
    let found: Vec<_> = latest(list(dir.path()).unwrap())
        .into_iter()
        .map(|entry| entry.info.id)
        .collect();
    assert_eq!(found, [None, only, newest]);
}

#[test]
fn a_backup_that_cannot_be_read_is_listed_as_that() {
    let dir = tempfile::tempdir().unwrap();
    let one = write(dir.path(), &snapshot(), &context(), "one", NOW).unwrap();
    write(dir.path(), &snapshot(), &context(), "two", NOW).unwrap();
    // More entries than are read: this stops an administrator too, as permissions would not.
    for number in 0..100_001 {
        fs::write(one.path.join(number.to_string()), "").unwrap();
    }
    let is_named = |entries: &[BackupListEntry]| {
        assert_eq!(entries.len(), 2);
        let broken = entries.iter().find(|entry| entry.info.id == one.id);
        let problem = &broken.unwrap().problems[0];
        assert_eq!(problem.code, Code::UnreadableBackup);
        assert_eq!(problem.severity, Severity::Error);
    };
    is_named(&list(dir.path()).unwrap());
    let verified = verify_all(dir.path()).unwrap();
    is_named(&verified.backups);
    assert!(verified.soundness() == Soundness::Damaged);
}

#[test]
fn repeated_entries_of_the_manifest_are_counted() {
    use crate::formats::manifest::{Manifest, entries};
    use crate::formats::verbatim::ToGpmcBytes as _;

    let dir = tempfile::tempdir().unwrap();
    let gone = write(dir.path(), &snapshot(), &context(), "", NOW).unwrap();
    fs::remove_dir_all(&gone.path).unwrap();
    let path = dir.path().join("manifest.xml");
    let entry = entries(&fs::read(&path).unwrap()).unwrap().remove(0);
    for (others, said) in [
        (0, None),
        (1, Some("1 other entry")),
        (2, Some("2 other entries")),
    ] {
        let backups = vec![entry.clone(); others + 1];
        fs::write(&path, Manifest { backups }.to_gpmc_bytes()).unwrap();
        let listed = list(dir.path()).unwrap();
        let (own, others): (Vec<_>, Vec<_>) =
            listed.iter().partition(|entry| entry.info.id == gone.id);
        assert_eq!(own.len(), 1);
        let others: Vec<&str> = others
            .iter()
            .map(|entry| entry.problems[0].text.as_str())
            .collect();
        let expected = said.map(|said| {
            format!(
                "manifest.xml has {said} without a backup: the ID is missing or repeated, or the folder does not exist"
            )
        });
        assert_eq!(others, Vec::from_iter(expected));
    }
}
