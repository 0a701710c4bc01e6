//! Files, folders, names and sizes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use gpoctl::ErrorKind;
use gpoctl::domain::sysvol::{DirEntry, Listing, MAX_FILE, Sysvol, SysvolPath, SysvolRead};
use gpoctl::model::safe_name::SafeName;
use gpoctl::sysvol::gpt::read_what_can_be_read;
use gpoctl::sysvol::throttle::MemoryBudget;

use super::Subject;

pub async fn files_and_names(subject: &Subject) {
    let name = subject.name;
    let sysvol = &*subject.sysvol;
    let folder = subject.folder().await;
    let large: Vec<u8> = (0..3_000_000_u32)
        .flat_map(u32::to_le_bytes)
        .take(3_000_000)
        .collect();
    let odd = [
        "100%41 Größe.txt",
        "a#b",
        "c & d'e;f",
        "g,h=i+j",
        "k[l]",
        "m%3Fn",
    ];
    for path in odd {
        folder.write(sysvol, path, path.as_bytes()).await;
    }
    folder.write(sysvol, "empty", b"").await;
    folder.write(sysvol, "large", &large).await;
    let mut expected: Vec<String> = odd.iter().map(ToString::to_string).collect();
    expected.extend(["empty".to_owned(), "large".to_owned()]);
    expected.sort();
    assert_eq!(folder.names(sysvol, "").await, expected, "{name}");
    for path in odd {
        let size = u64::try_from(path.len()).unwrap();
        assert_eq!(
            sysvol.read(&folder.at(path), size).await.unwrap(),
            path.as_bytes(),
            "{name}"
        );
    }
    assert!(
        sysvol
            .read(&folder.at("empty"), 0)
            .await
            .unwrap()
            .is_empty(),
        "{name}"
    );
    assert_eq!(
        sysvol.read(&folder.at("large"), 3_000_000).await.unwrap(),
        large,
        "{name}"
    );
    // A size that is no longer right costs a call and no bytes, as long as the file is small.
    folder.write(sysvol, "grown", &large[..60_000]).await;
    assert_eq!(
        sysvol.read(&folder.at("grown"), 10).await.unwrap(),
        large[..60_000],
        "{name}"
    );
    for size in [10, 100_000, 2_999_999] {
        let larger = sysvol.read(&folder.at("large"), size).await.unwrap_err();
        assert_eq!(larger.kind(), ErrorKind::Conflict, "{name}: {size}");
        assert!(larger.message().contains("large"), "{name}: {larger}");
    }
    let refused = sysvol.read(&folder.at("large"), MAX_FILE + 1).await;
    assert_eq!(
        refused.unwrap_err().kind(),
        ErrorKind::BadDirectory,
        "{name}"
    );

    let again = sysvol
        .write_new(&folder.at("empty"), Bytes::from_static(b"x"), &[])
        .await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict, "{name}");
    let taken = sysvol
        .rename(&folder.at("a#b"), &folder.at("large"), false)
        .await;
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Conflict, "{name}");
    sysvol
        .rename(&folder.at("a#b"), &folder.at("large"), true)
        .await
        .unwrap();
    assert_eq!(
        sysvol.read(&folder.at("large"), 3).await.unwrap(),
        "a#b",
        "{name}"
    );
    assert!(
        sysvol.stat(&folder.at("a#b")).await.unwrap().is_none(),
        "{name}"
    );

    let missing = sysvol.read(&folder.at("missing"), 1).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
    let missing = sysvol.list(&folder.at("missing")).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
    let full = sysvol.remove_dir(&folder.at("")).await;
    assert_eq!(full.unwrap_err().kind(), ErrorKind::Conflict, "{name}");
    folder.remove(sysvol).await;
}

pub async fn a_folder_of_a_thousand_files_is_listed_whole(subject: &Subject) {
    let name = subject.name;
    let sysvol = &*subject.sysvol;
    let folder = subject.folder().await;
    let paths: Vec<String> = (0..1_000)
        .map(|number| format!("a file with a rather long name, number {number:04}.txt"))
        .collect();
    for chunk in paths.chunks(16) {
        join_all(chunk.iter().map(|path| folder.write(sysvol, path, b"1"))).await;
    }
    assert_eq!(folder.names(sysvol, "").await, paths, "{name}");
    for _ in 0..50 {
        let listing = sysvol
            .list(&SysvolPath::policies(&subject.environment.domain()))
            .await
            .unwrap();
        assert!(listing.entries.len() > 10, "{name}");
    }
    folder.remove(sysvol).await;
}

/// The server, but for the size that it announces of `large`: an old one, as a listing may give it, or a lie.
struct Announcing<'a> {
    server: &'a dyn Sysvol,
    size: u64,
    also_when_asked: bool,
}

#[async_trait]
impl SysvolRead for Announcing<'_> {
    async fn list(&self, dir: &SysvolPath) -> gpoctl::Result<Listing> {
        let mut listing = self.server.list(dir).await?;
        for entry in &mut listing.entries {
            if entry.name.as_str() == "large" {
                entry.size = self.size;
            }
        }
        Ok(listing)
    }

    async fn stat(&self, path: &SysvolPath) -> gpoctl::Result<Option<DirEntry>> {
        let found = self.server.stat(path).await?;
        Ok(found.map(|entry| DirEntry {
            size: if self.also_when_asked {
                self.size
            } else {
                entry.size
            },
            ..entry
        }))
    }

    async fn read(&self, path: &SysvolPath, size: u64) -> gpoctl::Result<Bytes> {
        self.server.read(path, size).await
    }

    async fn security_descriptor(&self, path: &SysvolPath) -> gpoctl::Result<Vec<u8>> {
        self.server.security_descriptor(path).await
    }

    async fn maximal_access(&self, path: &SysvolPath) -> gpoctl::Result<Option<u32>> {
        self.server.maximal_access(path).await
    }

    fn concurrency(&self) -> usize {
        self.server.concurrency()
    }

    fn has_exact_descriptors(&self) -> bool {
        self.server.has_exact_descriptors()
    }
}

pub async fn a_stale_size_is_read_again_and_a_wrong_one_is_an_error(subject: &Subject) {
    let name = subject.name;
    let server = &*subject.sysvol;
    let folder = subject.folder().await;
    folder.write(server, "large", &[7; 200_000]).await;
    folder.write(server, "other", b"other").await;
    for (size, also_when_asked, unread) in [
        (1, false, None),
        (199_999, false, None),
        (300_000, false, None),
        (1, true, Some(ErrorKind::Conflict)),
        (MAX_FILE + 1, false, Some(ErrorKind::BadDirectory)),
    ] {
        let announcing = Announcing {
            server,
            size,
            also_when_asked,
        };
        let room = MemoryBudget::new(256);
        let read = read_what_can_be_read(
            &announcing,
            &subject.environment.domain(),
            folder.guid,
            Some(&room),
        )
        .await
        .unwrap();
        let files: Vec<(String, usize)> = read
            .gpt
            .tree
            .files()
            .map(|(path, content)| (path.to_string(), content.len()))
            .collect();
        let other = ("other".to_owned(), 5);
        match unread {
            None => {
                let large = ("large".to_owned(), 200_000);
                assert_eq!(files, [large, other], "{name}: {size}");
                assert!(read.unread.is_empty(), "{name}: {size}");
            }
            Some(kind) => {
                assert_eq!(files, [other], "{name}: {size}");
                let [(path, error)] = &read.unread[..] else {
                    panic!("{name}: {size}: {:?}", read.unread);
                };
                assert_eq!((path.to_string().as_str(), error.kind()), ("large", kind));
                assert!(error.message().contains("large"), "{error}");
            }
        }
        drop(read);
        // All of it is free again.
        room.reserve(256 << 10).await.unwrap();
    }
    folder.remove(server).await;
}

pub async fn sixteen_concurrent_calls_of_every_kind(subject: &Subject) {
    let name = subject.name;
    let sysvol = &subject.sysvol;
    let folder = Arc::new(subject.folder().await);
    let tasks = (0..16).map(|number| {
        let (sysvol, folder) = (Arc::clone(sysvol), Arc::clone(&folder));
        tokio::spawn(async move {
            for round in 0..5 {
                let dir = format!("{number}-{round}");
                sysvol.create_dir(&folder.at(&dir), &[]).await.unwrap();
                let content = dir.repeat(1 + number * 1000).into_bytes();
                let (first, second) = (format!("{dir}\\a"), format!("{dir}\\b"));
                folder.write(&*sysvol, &first, &content).await;
                sysvol
                    .rename(&folder.at(&first), &folder.at(&second), false)
                    .await
                    .unwrap();
                let (read, listing, stat) = tokio::join!(
                    async { sysvol.read(&folder.at(&second), 100).await.unwrap() },
                    async { sysvol.list(&folder.at(&dir)).await.unwrap() },
                    async { sysvol.stat(&folder.at(&second)).await.unwrap().unwrap() },
                );
                assert_eq!(read, content);
                let size = u64::try_from(content.len()).unwrap();
                assert_eq!((stat.size, stat.is_dir), (size, false));
                let sizes: Vec<u64> = listing.entries.iter().map(|entry| entry.size).collect();
                assert_eq!(sizes, [size]);
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(folder.names(&**sysvol, "").await.len(), 80, "{name}");
    Arc::into_inner(folder).unwrap().remove(&**sysvol).await;
}

/// A name that was made in one case is the same in every other.
pub async fn names_keep_their_spelling_and_have_one_case(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    sysvol.create_dir(&folder.at("Machine"), &[]).await.unwrap();
    folder.write(sysvol, "MACHINE\\Größe.Txt", b"x").await;
    let path = folder.at("machine\\GRÖSSE.txt");
    assert!(sysvol.stat(&path).await.unwrap().is_none(), "{name}");
    let path = folder.at("machine\\GRÖßE.txt");
    assert_eq!(sysvol.read(&path, 1).await.unwrap(), "x", "{name}");
    assert_eq!(folder.names(sysvol, "mAcHiNe").await, ["Größe.Txt"]);
    for result in [
        sysvol.create_dir(&folder.at("machine"), &[]).await,
        sysvol.create_dir(&folder.at("MACHINE"), &[]).await,
        sysvol.write_new(&path, Bytes::new(), &[]).await,
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Conflict, "{name}");
    }
    // Only a rename changes the spelling.
    sysvol
        .rename(&folder.at("machine"), &folder.at("MACHINE"), false)
        .await
        .unwrap();
    assert_eq!(folder.names(sysvol, "").await, ["MACHINE"], "{name}");
    assert_eq!(folder.names(sysvol, "Machine").await, ["Größe.Txt"]);
    folder.remove(sysvol).await;
}

/// Empty, just what fits into one request, one byte more, and more than two.
pub async fn sizes_at_the_limits_of_one_request(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    for length in [
        0,
        1,
        65_535,
        65_536,
        65_537,
        1 << 20,
        (1 << 20) + 1,
        5 << 19,
    ] {
        let content: Vec<u8> = (0..length)
            .map(|at: u32| (at % 251).to_le_bytes()[0])
            .collect();
        let (path, size) = (format!("{length}"), u64::from(length));
        folder.write(sysvol, &path, &content).await;
        let stat = sysvol.stat(&folder.at(&path)).await.unwrap().unwrap();
        assert_eq!((stat.size, stat.is_dir), (size, false), "{name}");
        let read = sysvol.read(&folder.at(&path), size).await.unwrap();
        assert!(read == content, "{name}: {length}");
        // A size that was too large is no error.
        let read = sysvol.read(&folder.at(&path), size + 70_000).await.unwrap();
        assert!(read == content, "{name}: {length}");
    }
    let listing = sysvol.list(&folder.at("")).await.unwrap();
    for entry in listing.entries {
        assert_eq!(entry.size.to_string(), entry.name.as_str(), "{name}");
    }
    folder.remove(sysvol).await;
}

/// A path that has the other kind of entry at its end, or a file in its middle.
pub async fn a_file_is_not_a_folder_and_the_reverse(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    folder.write(sysvol, "a.txt", b"x").await;
    sysvol.create_dir(&folder.at("dir"), &[]).await.unwrap();
    let at = |path: &str| folder.at(path);
    let content = || Bytes::from_static(b"y");
    for (case, result) in [
        ("rmdir of a file", sysvol.remove_dir(&at("a.txt")).await),
        ("remove of a folder", sysvol.remove_file(&at("dir")).await),
        (
            "read of a folder",
            sysvol.read(&at("dir"), 1).await.map(drop),
        ),
        ("list of a file", sysvol.list(&at("a.txt")).await.map(drop)),
        (
            "file over a folder",
            sysvol.write_new(&at("DIR"), content(), &[]).await,
        ),
        (
            "folder over a file",
            sysvol.create_dir(&at("A.TXT"), &[]).await,
        ),
    ] {
        let error = result.err().unwrap_or_else(|| panic!("{name}: {case}"));
        assert_eq!(error.kind(), ErrorKind::Conflict, "{name}: {case}: {error}");
        assert!(error.hint().is_some(), "{name}: {case}");
    }
    let below = at("a.txt\\x");
    assert!(sysvol.stat(&below).await.unwrap().is_none(), "{name}");
    for (case, result) in [
        ("read below a file", sysvol.read(&below, 1).await.map(drop)),
        (
            "write below a file",
            sysvol.write_new(&below, content(), &[]).await,
        ),
        ("mkdir below a file", sysvol.create_dir(&below, &[]).await),
        ("list below a file", sysvol.list(&below).await.map(drop)),
        (
            "write below nothing",
            sysvol.write_new(&at("no\\x"), content(), &[]).await,
        ),
        (
            "rename below nothing",
            sysvol.rename(&at("a.txt"), &at("no\\x"), false).await,
        ),
    ] {
        let error = result.err().unwrap_or_else(|| panic!("{name}: {case}"));
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {case}: {error}");
    }
    assert_eq!(folder.names(sysvol, "").await, ["a.txt", "dir"], "{name}");
    assert_eq!(sysvol.read(&at("a.txt"), 1).await.unwrap(), "x", "{name}");
    folder.remove(sysvol).await;
}

/// A listing and a question for one entry agree; a name with a dot at its front is hidden on Samba.
pub async fn attributes_are_listed(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    folder.write(sysvol, "file", b"x").await;
    folder.write(sysvol, ".file", b"x").await;
    sysvol.create_dir(&folder.at("dir"), &[]).await.unwrap();
    sysvol.create_dir(&folder.at(".dir"), &[]).await.unwrap();
    let mut listing = sysvol.list(&folder.at("")).await.unwrap().entries;
    listing.sort_by(|a, b| a.name.cmp(&b.name));
    let attributes: Vec<(&str, u32)> = listing
        .iter()
        .map(|entry| (entry.name.as_str(), entry.attributes))
        .collect();
    let expected = [
        (".dir", 0x12),
        (".file", 0x22),
        ("dir", 0x10),
        ("file", 0x20),
    ];
    assert_eq!(attributes, expected, "{name}");
    for entry in listing {
        let path = folder.at(entry.name.as_str());
        let stat = sysvol.stat(&path).await.unwrap().unwrap();
        let attributes = match (subject.is_exact(), entry.is_dir) {
            (true, _) => entry.attributes,
            (false, true) => 0x10,
            (false, false) => 0,
        };
        assert_eq!(
            stat,
            DirEntry {
                attributes,
                ..entry
            },
            "{name}"
        );
    }
    folder.remove(sysvol).await;
}

/// What Windows would take for another name, or for a device, never gets into a path.
pub async fn unsafe_names_are_no_paths(subject: &Subject) {
    for unsafe_name in [
        "a.", "a ", "a. .", "nul", "com1.txt", "a:b", "..", "a\\b", "",
    ] {
        assert!(SafeName::new(unsafe_name).is_err(), "{unsafe_name:?}");
    }
    // What is left is kept as it is.
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let folder = subject.folder().await;
    for safe in [" a", "a .b", "...c", "d..e", "f .g.h"] {
        folder.write(sysvol, safe, safe.as_bytes()).await;
        let size = u64::try_from(safe.len()).unwrap();
        let read = sysvol.read(&folder.at(safe), size).await.unwrap();
        assert_eq!(read, safe, "{name}");
    }
    assert_eq!(
        folder.names(sysvol, "").await,
        [" a", "...c", "a .b", "d..e", "f .g.h"],
        "{name}"
    );
    folder.remove(sysvol).await;
}
