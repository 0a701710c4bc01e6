//! What another program has open.

use bytes::Bytes;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::testing::sysvol::{OpenFor, SharedFor};
use gpoctl::{Error, ErrorKind};

use super::Subject;

/// A client has something open, and the error says what.
fn assert_in_use(subject: &Subject, error: &Error, what: &SysvolPath) {
    let name = subject.name;
    assert_eq!(error.kind(), ErrorKind::InUse, "{name}: {error}");
    let text = error.to_string();
    assert!(text.contains(&what.to_string()), "{name}: {text}");
    assert!(!text.contains("cannot become"), "{name}: {text}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("smbstatus"), "{name}: {hint}");
}

/// Where open files hold names, a folder with an open file below it stays where it is until the file is closed. Elsewhere it is
/// renamed, and the reader has the old file.
pub async fn an_open_file_below_and_its_folder(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    for path in ["live", "staged"] {
        sysvol.create_dir(&folder.at(path), &[]).await.unwrap();
        folder
            .write(sysvol, &format!("{path}\\f"), path.as_bytes())
            .await;
    }
    let at = |path: &str| folder.at(path);
    let open = |path: &str| {
        let shared = SharedFor::ReadingAndWriting;
        subject
            .environment
            .open(&at(path), OpenFor::Reading, shared)
    };
    let mut held = open("live\\f");
    if subject.environment.open_files_hold_names() {
        let renamed = sysvol.rename(&at("live"), &at("renamed"), false).await;
        assert_in_use(subject, &renamed.unwrap_err(), &at("live"));
        let (live, old, staged) = (at("live"), at("old"), at("staged"));
        let swapped = sysvol.swap(&live, Some(&old), &staged).await;
        assert_in_use(subject, &swapped.unwrap_err(), &live);
        assert_eq!(folder.names(sysvol, "").await, ["live", "staged"]);
        assert_eq!(held.read(), b"live", "{name}");
        drop(held);
        // Nor does what is to come in, if something below it is open: the live folder is back at its name.
        let held = open("staged\\f");
        let swapped = sysvol.swap(&live, Some(&old), &staged).await;
        assert_in_use(subject, &swapped.unwrap_err(), &staged);
        assert_eq!(folder.names(sysvol, "").await, ["live", "staged"]);
        drop(held);
        sysvol.swap(&live, Some(&old), &staged).await.unwrap();
        assert_eq!(folder.names(sysvol, "").await, ["live", "old"]);
        folder.remove(sysvol).await;
        return;
    }
    sysvol
        .rename(&at("live"), &at("renamed"), false)
        .await
        .unwrap();
    sysvol
        .rename(&at("renamed"), &at("live"), false)
        .await
        .unwrap();
    sysvol
        .swap(&at("live"), Some(&at("old")), &at("staged"))
        .await
        .unwrap();
    assert_eq!(
        sysvol.read(&at("live\\f"), 6).await.unwrap(),
        "staged",
        "{name}"
    );
    assert_eq!(held.read(), b"live", "{name}");
    // The old tree goes when its reader closes.
    let error = sysvol.remove_file(&at("old\\f")).await.unwrap_err();
    assert_in_use(subject, &error, &at("old\\f"));
    let error = sysvol.remove_dir(&at("old")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{name}: {error}");
    drop(held);
    sysvol.remove_file(&at("old\\f")).await.unwrap();
    sysvol.remove_dir(&at("old")).await.unwrap();
    // A reader that shares the file for deletion does not delay it.
    let shared = SharedFor::Everything;
    let mut held = subject
        .environment
        .open(&at("live\\f"), OpenFor::Reading, shared);
    sysvol.rename(&at("live"), &at("old"), false).await.unwrap();
    sysvol.remove_file(&at("old\\f")).await.unwrap();
    sysvol.remove_dir(&at("old")).await.unwrap();
    assert_eq!(held.read(), b"staged", "{name}");
    drop(held);
    folder.remove(sysvol).await;
}

/// A folder that another client lists, or has a handle on, and does not share for deletion.
pub async fn a_folder_that_is_open_without_share_delete_stays(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    for path in ["live", "staged"] {
        sysvol.create_dir(&folder.at(path), &[]).await.unwrap();
        folder
            .write(sysvol, &format!("{path}\\f"), path.as_bytes())
            .await;
    }
    sysvol.create_dir(&folder.at("empty"), &[]).await.unwrap();
    let at = |path: &str| folder.at(path);
    let open = |path: &str, shared| {
        subject
            .environment
            .open(&at(path), OpenFor::Reading, shared)
    };
    for path in ["live", "staged"] {
        let held = open(path, SharedFor::ReadingAndWriting);
        let swapped = sysvol
            .swap(&at("live"), Some(&at("old")), &at("staged"))
            .await;
        assert_in_use(subject, &swapped.unwrap_err(), &at(path));
        drop(held);
        assert_eq!(folder.names(sysvol, "").await, ["empty", "live", "staged"]);
        assert_eq!(
            sysvol.read(&at("live\\f"), 6).await.unwrap(),
            "live",
            "{name}"
        );
    }
    let held = open("empty", SharedFor::ReadingAndWriting);
    let error = sysvol.remove_dir(&at("empty")).await.unwrap_err();
    assert_in_use(subject, &error, &at("empty"));
    drop(held);
    // Shared for deletion, it is in nobody's way.
    let held = open("live", SharedFor::Everything);
    sysvol
        .swap(&at("live"), Some(&at("old")), &at("staged"))
        .await
        .unwrap();
    drop(held);
    folder.remove(sysvol).await;
}

/// Renaming it, deleting it and putting another over it.
pub async fn a_file_that_is_open_without_share_delete_stays(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    folder.write(sysvol, "file", b"old").await;
    folder.write(sysvol, "new", b"new").await;
    let at = |path: &str| folder.at(path);
    let shared = SharedFor::ReadingAndWriting;
    let mut held = subject
        .environment
        .open(&at("file"), OpenFor::Reading, shared);
    let removed = sysvol.remove_file(&at("file")).await.unwrap_err();
    assert_in_use(subject, &removed, &at("file"));
    let renamed = sysvol.rename(&at("file"), &at("away"), false).await;
    assert_in_use(subject, &renamed.unwrap_err(), &at("file"));
    assert_eq!(sysvol.read(&at("file"), 3).await.unwrap(), "old", "{name}");
    let replaced = sysvol.rename(&at("new"), &at("file"), true).await;
    if subject.is_exact() && !subject.environment.open_files_hold_names() {
        replaced.unwrap();
        assert_eq!(sysvol.read(&at("file"), 3).await.unwrap(), "new", "{name}");
    } else {
        // libsmbclient renames the old file away first.
        assert_in_use(subject, &replaced.unwrap_err(), &at("file"));
        assert_eq!(sysvol.read(&at("file"), 3).await.unwrap(), "old", "{name}");
    }
    assert_eq!(held.read(), b"old", "{name}");
    drop(held);
    folder.remove(sysvol).await;
}

/// A file that another program keeps to itself can be asked about, and its folder listed.
pub async fn a_file_that_is_open_for_nobody_else_is_not_read(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    folder.write(sysvol, "file", b"old").await;
    let path = folder.at("file");
    for (purpose, shared, reads) in [
        (OpenFor::Reading, SharedFor::Nothing, false),
        (OpenFor::Writing, SharedFor::Reading, true),
        (OpenFor::Writing, SharedFor::Nothing, false),
        (OpenFor::Writing, SharedFor::Everything, true),
    ] {
        let held = subject.environment.open(&path, purpose, shared);
        let stat = sysvol.stat(&path).await.unwrap().unwrap();
        assert_eq!(stat.size, 3, "{name}");
        assert_eq!(folder.names(sysvol, "").await, ["file"], "{name}");
        match sysvol.read(&path, 3).await {
            Ok(read) => assert!(reads && read == "old", "{name}: {purpose:?} {shared:?}"),
            Err(error) => {
                assert!(!reads, "{name}: {purpose:?} {shared:?}: {error}");
                assert_in_use(subject, &error, &path);
            }
        }
        if subject.is_exact() {
            let descriptor = sysvol.security_descriptor(&path).await.unwrap();
            sysvol
                .set_security_descriptors(&path, &[descriptor])
                .await
                .unwrap();
        }
        drop(held);
    }
    folder.remove(sysvol).await;
}

/// Marked for deletion by one program while it has it open: listed, and otherwise not there; its name is taken.
pub async fn a_deleted_file_is_there_until_it_is_closed(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    sysvol.create_dir(&folder.at("dir"), &[]).await.unwrap();
    folder.write(sysvol, "dir\\file", b"old").await;
    let path = folder.at("dir\\file");
    let mut held = subject
        .environment
        .open(&path, OpenFor::Deleting, SharedFor::Everything);
    if subject.is_exact() {
        assert!(sysvol.stat(&path).await.unwrap().is_none(), "{name}");
    }
    for error in [
        sysvol.read(&path, 3).await.map(drop),
        sysvol.remove_file(&path).await,
        sysvol.rename(&path, &folder.at("away"), false).await,
    ] {
        let error = error.unwrap_err();
        // libsmbclient has no errno for it but EINVAL.
        let kind = if subject.is_exact() {
            ErrorKind::NotFound
        } else {
            ErrorKind::BadDirectory
        };
        assert_eq!(error.kind(), kind, "{name}: {error}");
    }
    assert_eq!(folder.names(sysvol, "dir").await, ["file"], "{name}");
    for error in [
        sysvol.write_new(&path, Bytes::new(), &[]).await,
        sysvol.create_dir(&path, &[]).await,
    ] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{name}: {error}");
    }
    let error = sysvol.remove_dir(&folder.at("dir")).await.unwrap_err();
    assert_in_use(subject, &error, &folder.at("dir"));
    assert_eq!(held.read(), b"old", "{name}");
    drop(held);
    assert!(folder.names(sysvol, "dir").await.is_empty(), "{name}");
    sysvol.remove_dir(&folder.at("dir")).await.unwrap();
    folder.remove(sysvol).await;
}

/// A reader that has a file open reads it to the end, whatever takes its name. Where open files hold names, nothing does in one
/// request; libsmbclient renames the file away first, which a reader that shares it for deletion permits everywhere.
pub async fn a_reader_keeps_what_it_opened(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    folder.write(sysvol, "file", b"old").await;
    let path = folder.at("file");
    let mut held = subject
        .environment
        .open(&path, OpenFor::Reading, SharedFor::Everything);
    for content in [b"new", b"NEW"] {
        folder.write(sysvol, "next", content).await;
        let replaced = sysvol.rename(&folder.at("next"), &path, true).await;
        if subject.is_exact() && subject.environment.open_files_hold_names() {
            assert_in_use(subject, &replaced.unwrap_err(), &path);
            assert_eq!(sysvol.read(&path, 3).await.unwrap(), "old", "{name}");
            sysvol.remove_file(&folder.at("next")).await.unwrap();
            continue;
        }
        replaced.unwrap();
        let read = sysvol.read(&path, 3).await.unwrap();
        assert_eq!(read, content.as_slice(), "{name}");
        assert_eq!(held.read(), b"old", "{name}");
    }
    sysvol.remove_file(&path).await.unwrap();
    assert!(sysvol.stat(&path).await.unwrap().is_none(), "{name}");
    assert_eq!(held.read(), b"old", "{name}");
    drop(held);
    assert!(folder.names(sysvol, "").await.is_empty(), "{name}");
    folder.remove(sysvol).await;
}

/// A file that takes the name of one that is marked for deletion goes with it where open files hold no names: Samba deletes by
/// name. So nothing may be put over a name that somebody deleted.
pub async fn what_is_put_over_a_deleted_file(subject: &Subject) {
    if !subject.is_exact() {
        return;
    }
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    folder.write(sysvol, "file", b"old").await;
    folder.write(sysvol, "new", b"new").await;
    let (path, new) = (folder.at("file"), folder.at("new"));
    let held = subject
        .environment
        .open(&path, OpenFor::Deleting, SharedFor::Everything);
    let replaced = sysvol.rename(&new, &path, true).await;
    if subject.environment.open_files_hold_names() {
        assert_in_use(subject, &replaced.unwrap_err(), &path);
        drop(held);
        assert_eq!(folder.names(sysvol, "").await, ["new"], "{name}");
        folder.remove(sysvol).await;
        return;
    }
    replaced.unwrap();
    assert_eq!(sysvol.read(&path, 3).await.unwrap(), "new", "{name}");
    drop(held);
    assert!(sysvol.stat(&path).await.unwrap().is_none(), "{name}");
    assert!(folder.names(sysvol, "").await.is_empty(), "{name}");
    folder.remove(sysvol).await;
}

/// A file that is read-only is read, renamed and deleted.
pub async fn a_read_only_file_can_be_deleted(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    folder.write(sysvol, "file", b"old").await;
    let path = folder.at("file");
    subject.environment.make_read_only(&path);
    let listing = sysvol.list(&folder.at("")).await.unwrap();
    assert_eq!(listing.entries[0].attributes & 1, 1, "{name}");
    assert_eq!(sysvol.read(&path, 3).await.unwrap(), "old", "{name}");
    let renamed = folder.at("renamed");
    sysvol.rename(&path, &renamed, false).await.unwrap();
    folder.write(sysvol, "new", b"new").await;
    sysvol
        .rename(&folder.at("new"), &renamed, true)
        .await
        .unwrap();
    assert_eq!(sysvol.read(&renamed, 3).await.unwrap(), "new", "{name}");
    subject.environment.make_read_only(&renamed);
    sysvol.remove_file(&renamed).await.unwrap();
    assert!(folder.names(sysvol, "").await.is_empty(), "{name}");
    folder.remove(sysvol).await;
}
