//! Renames and swaps.

use std::sync::Arc;

use gpoctl::ErrorKind;
use gpoctl::domain::sysvol::Sysvol;

use super::Subject;

pub async fn a_swap_renames_both_or_neither(subject: &Subject) {
    let name = subject.name;
    let sysvol = &*subject.sysvol;
    let folder = subject.folder().await;
    for (path, content) in [("live", "old"), ("staged", "new")] {
        sysvol.create_dir(&folder.at(path), &[]).await.unwrap();
        folder
            .write(sysvol, &format!("{path}\\f"), content.as_bytes())
            .await;
    }
    let (live, old, staged) = (folder.at("live"), folder.at("old"), folder.at("staged"));
    sysvol.swap(&live, Some(&old), &staged).await.unwrap();
    assert_eq!(folder.names(sysvol, "").await, ["live", "old"], "{name}");
    assert_eq!(
        sysvol.read(&folder.at("live\\f"), 3).await.unwrap(),
        "new",
        "{name}"
    );
    assert_eq!(
        sysvol.read(&folder.at("old\\f"), 3).await.unwrap(),
        "old",
        "{name}"
    );
    // What is to come in is not there: the live folder is back at its name.
    let gone = folder.at("gone");
    let error = sysvol.swap(&live, Some(&gone), &staged).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
    assert_eq!(folder.names(sysvol, "").await, ["live", "old"], "{name}");
    // What should go away is not there: what was to come in stays where it was staged.
    let absent = folder.at("absent");
    let error = sysvol.swap(&absent, Some(&gone), &old).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
    assert_eq!(folder.names(sysvol, "").await, ["live", "old"], "{name}");
    // There was nothing live before.
    sysvol.swap(&folder.at("fresh"), None, &old).await.unwrap();
    assert_eq!(folder.names(sysvol, "").await, ["fresh", "live"], "{name}");
    folder.remove(sysvol).await;
}

pub async fn nothing_is_replaced_without_being_asked(subject: &Subject) {
    let name = subject.name;
    let sysvol = &*subject.sysvol;
    let folder = subject.folder().await;
    for path in ["dir", "other"] {
        sysvol.create_dir(&folder.at(path), &[]).await.unwrap();
        folder
            .write(sysvol, &format!("{path}\\f"), path.as_bytes())
            .await;
    }
    for path in ["a", "b", ".hidden"] {
        folder.write(sysvol, path, path.as_bytes()).await;
    }
    let at = |path: &str| folder.at(path);
    let conflicts = [
        ("mkdir", sysvol.create_dir(&at("dir"), &[]).await),
        ("mkdir on a file", sysvol.create_dir(&at("a"), &[]).await),
        ("rename", sysvol.rename(&at("a"), &at("b"), false).await),
        (
            "rename, another spelling",
            sysvol.rename(&at("a"), &at("B"), false).await,
        ),
        (
            "rename to a folder",
            sysvol.rename(&at("a"), &at("dir"), false).await,
        ),
        (
            "rename of a folder",
            sysvol.rename(&at("dir"), &at("other"), false).await,
        ),
        (
            "swap, old taken",
            sysvol.swap(&at("dir"), Some(&at("a")), &at("other")).await,
        ),
        (
            "swap, live taken",
            sysvol.swap(&at("dir"), None, &at("other")).await,
        ),
    ];
    for (case, result) in conflicts {
        let error = result.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{name}: {case}: {error}");
    }
    let missing = [
        ("rename", sysvol.rename(&at("no"), &at("c"), false).await),
        ("replace", sysvol.rename(&at("no"), &at("a"), true).await),
        ("remove", sysvol.remove_file(&at("no")).await),
        ("rmdir", sysvol.remove_dir(&at("no")).await),
        ("mkdir below", sysvol.create_dir(&at("no\\x"), &[]).await),
        (
            "swap, live",
            sysvol.swap(&at("no"), Some(&at("c")), &at("dir")).await,
        ),
        (
            "swap, staged",
            sysvol.swap(&at("dir"), Some(&at("c")), &at("no")).await,
        ),
    ];
    for (case, result) in missing {
        let error = result.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {case}: {error}");
    }
    assert_eq!(
        folder.names(sysvol, "").await,
        [".hidden", "a", "b", "dir", "other"],
        "{name}"
    );
    for path in ["a", "b", ".hidden"] {
        assert_eq!(
            sysvol.read(&at(path), 9).await.unwrap(),
            path.as_bytes(),
            "{name}"
        );
    }
    // Asked for, it is replaced, and nothing else stays behind; its own other spelling is not in the way.
    sysvol.rename(&at("a"), &at(".hidden"), true).await.unwrap();
    sysvol.rename(&at("b"), &at("B"), false).await.unwrap();
    sysvol.rename(&at("B"), &at("new"), true).await.unwrap();
    assert_eq!(sysvol.read(&at(".hidden"), 1).await.unwrap(), "a", "{name}");
    assert_eq!(
        folder.names(sysvol, "").await,
        [".hidden", "dir", "new", "other"],
        "{name}"
    );
    folder.remove(sysvol).await;
}

/// Files replace files; a folder is never replaced by a file, nor a file by a folder.
pub async fn what_a_rename_may_replace(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    for path in ["full", "empty", "other"] {
        sysvol.create_dir(&folder.at(path), &[]).await.unwrap();
    }
    for path in ["file", "Target", "full\\f", "other\\f"] {
        folder.write(sysvol, path, path.as_bytes()).await;
    }
    let at = |path: &str| folder.at(path);
    for (case, result) in [
        (
            "file to full folder",
            sysvol.rename(&at("file"), &at("full"), true).await,
        ),
        (
            "file to empty folder",
            sysvol.rename(&at("file"), &at("empty"), true).await,
        ),
        (
            "folder to file",
            sysvol.rename(&at("full"), &at("file"), true).await,
        ),
        (
            "folder to full folder",
            sysvol.rename(&at("full"), &at("other"), true).await,
        ),
    ] {
        let error = result.err().unwrap_or_else(|| panic!("{name}: {case}"));
        assert_eq!(error.kind(), ErrorKind::Conflict, "{name}: {case}: {error}");
    }
    assert_eq!(
        folder.names(sysvol, "").await,
        ["Target", "empty", "file", "full", "other"],
        "{name}"
    );
    // A folder does not go into itself; the status is that of an open file.
    let inside = sysvol.rename(&at("full"), &at("full\\inside"), false).await;
    let error = inside.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse, "{name}: {error}");
    // From folder to folder.
    sysvol
        .rename(&at("file"), &at("empty\\file"), false)
        .await
        .unwrap();
    sysvol
        .rename(&at("full"), &at("empty\\full"), false)
        .await
        .unwrap();
    assert_eq!(
        folder.names(sysvol, "empty").await,
        ["file", "full"],
        "{name}"
    );
    assert_eq!(folder.names(sysvol, "empty\\full").await, ["f"], "{name}");
    // A file that is replaced.
    sysvol
        .rename(&at("empty\\file"), &at("TARGET"), true)
        .await
        .unwrap();
    let read = sysvol.read(&at("target"), 9).await.unwrap();
    assert_eq!(read, "file", "{name}");
    // The spelling of the name that was there stays; libsmbclient renames that away first.
    let names = folder.names(sysvol, "").await;
    if subject.is_exact() {
        assert_eq!(names, ["Target", "empty", "other"], "{name}");
    }
    let mut names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["empty", "other", "target"], "{name}");
    folder.remove(sysvol).await;
}

/// With the live name absent, the staged one absent, the old name taken by a file or a folder, and with each in another folder.
pub async fn a_swap_that_cannot_be_made_changes_nothing(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    for path in ["live", "staged", "folder"] {
        sysvol.create_dir(&folder.at(path), &[]).await.unwrap();
        folder
            .write(sysvol, &format!("{path}\\f"), path.as_bytes())
            .await;
    }
    folder.write(sysvol, "file", b"file").await;
    let at = |path: &str| folder.at(path);
    for (live, old, staged, kind) in [
        ("absent", Some("old"), "staged", ErrorKind::NotFound),
        ("live", Some("old"), "absent", ErrorKind::NotFound),
        ("absent", Some("old"), "missing", ErrorKind::NotFound),
        ("absent", None, "missing", ErrorKind::NotFound),
        ("live", Some("file"), "staged", ErrorKind::Conflict),
        ("live", Some("FOLDER"), "staged", ErrorKind::Conflict),
        ("live", None, "staged", ErrorKind::Conflict),
        ("live", Some("no\\old"), "staged", ErrorKind::NotFound),
    ] {
        let old = old.map(at);
        let error = sysvol.swap(&at(live), old.as_ref(), &at(staged)).await;
        let error = error.unwrap_err();
        assert_eq!(
            error.kind(),
            kind,
            "{name}: {live} {old:?} {staged}: {error}"
        );
        assert_eq!(
            folder.names(sysvol, "").await,
            ["file", "folder", "live", "staged"],
            "{name}: {live} {old:?} {staged}"
        );
        for path in ["live", "staged", "folder"] {
            let read = sysvol.read(&at(&format!("{path}\\f")), 6).await.unwrap();
            assert_eq!(read, path, "{name}");
        }
    }
    // Files are swapped too.
    sysvol
        .swap(&at("live\\f"), Some(&at("old")), &at("staged\\f"))
        .await
        .unwrap();
    assert_eq!(sysvol.read(&at("old"), 4).await.unwrap(), "live", "{name}");
    assert_eq!(
        sysvol.read(&at("live\\f"), 6).await.unwrap(),
        "staged",
        "{name}"
    );
    folder.remove(sysvol).await;
}

/// While another client renames a folder to and fro, each listing of it has all entries or finds no folder.
pub async fn a_folder_that_is_renamed_meanwhile_is_listed_whole_or_not_found(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    sysvol.create_dir(&folder.at("a"), &[]).await.unwrap();
    for number in 0..20 {
        folder.write(sysvol, &format!("a\\{number}"), b"x").await;
    }
    let other = subject.environment.administrator().await;
    let (a, b) = (folder.at("a"), folder.at("b"));
    let renames = {
        let (other, a, b) = (Arc::clone(&other), a.clone(), b.clone());
        tokio::spawn(async move {
            for (from, to) in [(&a, &b), (&b, &a)].repeat(50) {
                // libsmbclient lists without sharing the folder for deletion.
                while let Err(error) = other.rename(from, to, false).await {
                    assert_eq!(error.kind(), ErrorKind::InUse, "{error}");
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let mut listed = 0;
    while !renames.is_finished() {
        match sysvol.list(&a).await {
            Ok(listing) => {
                assert_eq!(listing.entries.len(), 20, "{name}");
                listed += 1;
            }
            // With libsmbclient, a listing reports every failure alike.
            Err(error) if !subject.is_exact() && error.kind() == ErrorKind::Denied => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error}"),
        }
        tokio::task::yield_now().await;
    }
    renames.await.unwrap();
    println!("{name}: listed {listed} times");
    assert_eq!(folder.names(sysvol, "a").await.len(), 20, "{name}");
    folder.remove(sysvol).await;
}
