//! The SMB back ends: the same tests on both.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use gpoctl::ErrorKind;
use gpoctl::auth::{Identity, read_password_file};
use gpoctl::domain::sysvol::{DirEntry, Listing, MAX_FILE, Sysvol, SysvolPath, SysvolRead};
use gpoctl::model::domain_name::DomainName;
use gpoctl::model::guid::Guid;
use gpoctl::sysvol::connect::{SmbAuth, SmbClientChoice, SmbDialect, SmbSettings, connect};
use gpoctl::sysvol::gpt::read_what_can_be_read;
use gpoctl::sysvol::throttle::MemoryBudget;

#[cfg(feature = "libsmbclient")]
mod libsmbclient;

fn var(name: &str) -> String {
    std::env::var(format!("GPOCTL_LAB_SRC_{name}")).unwrap()
}

fn settings(client: SmbClientChoice, kerberos: bool) -> SmbSettings {
    let password = read_password_file(&PathBuf::from(var("PASSWORD_FILE"))).unwrap();
    let user = "Administrator".to_owned();
    SmbSettings {
        server: var("SERVER").parse().unwrap(),
        address: Some(var("ADDRESS").parse().unwrap()),
        domain: domain(),
        auth: if kerberos {
            SmbAuth::Kerberos(Identity::Password {
                user: format!("{user}@{}", var("REALM")),
                password,
            })
        } else {
            SmbAuth::Ntlm {
                domain: var("NETBIOS"),
                user,
                password,
            }
        },
        client,
        min_dialect: SmbDialect::default(),
        allow_rc4: false,
        timeout: Duration::from_secs(60),
    }
}

/// Every back end with its identity in the lab. libsmbclient cannot use Kerberos with an address.
pub async fn back_ends() -> Vec<(&'static str, Arc<dyn Sysvol>)> {
    let list = [
        ("smb2, Kerberos", SmbClientChoice::Smb2, true),
        ("smb2, NTLM", SmbClientChoice::Smb2, false),
        #[cfg(feature = "libsmbclient")]
        (
            "libsmbclient, NTLM, encrypted",
            SmbClientChoice::Libsmbclient,
            false,
        ),
    ];
    let mut connected = Vec::new();
    for (name, client, kerberos) in list {
        connected.push((name, connect(&settings(client, kerberos)).await.unwrap()));
    }
    connected
}

fn domain() -> DomainName {
    var("DOMAIN").parse().unwrap()
}

/// A folder of one test under Policies.
struct Folder {
    guid: Guid,
}

impl Folder {
    async fn new(sysvol: &dyn Sysvol) -> Self {
        let folder = Self {
            guid: Guid::new_random(),
        };
        sysvol.create_dir(&folder.at(""), &[]).await.unwrap();
        folder
    }

    fn at(&self, path: &str) -> SysvolPath {
        SysvolPath::in_gpo(&domain(), self.guid, &path.parse().unwrap())
    }

    async fn write(&self, sysvol: &dyn Sysvol, path: &str, content: &[u8]) {
        sysvol
            .write_new(&self.at(path), Bytes::copy_from_slice(content), &[])
            .await
            .unwrap();
    }

    async fn names(&self, sysvol: &dyn Sysvol, path: &str) -> Vec<String> {
        let listing = sysvol.list(&self.at(path)).await.unwrap();
        assert!(listing.refused.is_empty(), "{:?}", listing.refused);
        let mut names: Vec<String> = listing
            .entries
            .iter()
            .map(|entry| entry.name.to_string())
            .collect();
        names.sort();
        names
    }

    /// Removes everything, deepest first.
    async fn remove(self, sysvol: &dyn Sysvol) {
        let mut folders = vec![self.at("")];
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            for entry in sysvol.list(&folder).await.unwrap().entries {
                let path = folder.join(&entry.name).unwrap();
                if entry.is_dir {
                    folders.push(path);
                } else {
                    sysvol.remove_file(&path).await.unwrap();
                }
            }
        }
        for folder in folders.iter().rev() {
            sysvol.remove_dir(folder).await.unwrap();
        }
        assert!(sysvol.stat(&self.at("")).await.unwrap().is_none());
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn files_and_names() {
    for (name, sysvol) in back_ends().await {
        let sysvol = &*sysvol;
        let folder = Folder::new(sysvol).await;
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
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_folder_of_a_thousand_files_is_listed_whole() {
    for (name, sysvol) in back_ends().await {
        let sysvol = &*sysvol;
        let folder = Folder::new(sysvol).await;
        let paths: Vec<String> = (0..1_000)
            .map(|number| format!("a file with a rather long name, number {number:04}.txt"))
            .collect();
        for chunk in paths.chunks(16) {
            join_all(chunk.iter().map(|path| folder.write(sysvol, path, b"1"))).await;
        }
        assert_eq!(folder.names(sysvol, "").await, paths, "{name}");
        for _ in 0..50 {
            let listing = sysvol.list(&SysvolPath::policies(&domain())).await.unwrap();
            assert!(listing.entries.len() > 10, "{name}");
        }
        folder.remove(sysvol).await;
    }
}

/// The server of the lab, but for the size that it announces of `large`: an old one, as a listing may give it, or a lie.
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

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_stale_size_is_read_again_and_a_wrong_one_is_an_error() {
    for (name, sysvol) in back_ends().await {
        let server = &*sysvol;
        let folder = Folder::new(server).await;
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
            let read = read_what_can_be_read(&announcing, &domain(), folder.guid, Some(&room))
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
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_swap_renames_both_or_neither() {
    for (name, sysvol) in back_ends().await {
        let sysvol = &*sysvol;
        let folder = Folder::new(sysvol).await;
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
}

/// A folder and a file are made, read, given descriptors where that can be, and removed.
pub async fn reads_and_writes(name: &str, sysvol: &dyn Sysvol) {
    let folder = Folder::new(sysvol).await;
    // Larger than one compound takes.
    let content: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
    folder.write(sysvol, "file", &content).await;
    let size = u64::try_from(content.len()).unwrap();
    let read = sysvol.read(&folder.at("file"), size).await.unwrap();
    assert_eq!(read, content, "{name}");
    if sysvol.has_exact_descriptors() {
        let seeded = "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}".parse().unwrap();
        let seeded = SysvolPath::gpo(&domain(), seeded);
        let descriptor = sysvol.security_descriptor(&seeded).await.unwrap();
        let steps = [descriptor.clone()];
        let content = Bytes::from_static(b"x");
        let other = folder.at("other");
        sysvol.write_new(&other, content, &steps).await.unwrap();
        let read = sysvol.security_descriptor(&other).await.unwrap();
        assert_eq!(read, descriptor, "{name}");
    }
    folder.remove(sysvol).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn descriptors_are_exact_or_refused() {
    let seeded: Guid = "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}".parse().unwrap();
    let source = SysvolPath::gpo(&domain(), seeded);
    for (name, sysvol) in back_ends().await {
        let sysvol = &*sysvol;
        let folder = Folder::new(sysvol).await;
        if sysvol.has_exact_descriptors() {
            let descriptor = sysvol.security_descriptor(&source).await.unwrap();
            let steps = [descriptor.clone()];
            sysvol.create_dir(&folder.at("dir"), &steps).await.unwrap();
            let content = Bytes::from_static(b"x");
            sysvol
                .write_new(&folder.at("file"), content, &steps)
                .await
                .unwrap();
            sysvol
                .set_security_descriptors(&folder.at(""), &steps)
                .await
                .unwrap();
            for path in ["", "dir", "file"] {
                let read = sysvol.security_descriptor(&folder.at(path)).await.unwrap();
                assert_eq!(read, descriptor, "{name} {path}");
            }
        } else {
            let steps = [vec![1, 0, 4, 128]];
            for error in [
                sysvol.security_descriptor(&source).await.map(drop),
                sysvol.create_dir(&folder.at("dir"), &steps).await,
                sysvol
                    .write_new(&folder.at("file"), Bytes::new(), &steps)
                    .await,
                sysvol
                    .set_security_descriptors(&folder.at(""), &steps)
                    .await,
            ] {
                assert_eq!(error.unwrap_err().kind(), ErrorKind::Usage, "{name}");
            }
            assert!(folder.names(sysvol, "").await.is_empty(), "{name}");
        }
        folder.remove(sysvol).await;
    }
}

/// A server that creates a file or folder and then refuses its content or its descriptor is left as it was.
#[tokio::test]
#[ignore = "needs the lab"]
async fn a_failed_create_leaves_nothing() {
    // The head of a descriptor whose list lies behind its end.
    let broken = vec![
        1, 0, 4, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0,
    ];
    for (name, sysvol) in back_ends().await {
        let sysvol = &*sysvol;
        if !sysvol.has_exact_descriptors() {
            continue;
        }
        let folder = Folder::new(sysvol).await;
        let steps = [broken.clone()];
        for content in [0, 1, 3 << 20] {
            let content = Bytes::from(vec![7; content]);
            let refused = sysvol.write_new(&folder.at("file"), content, &steps).await;
            assert!(refused.is_err(), "{name}");
            assert!(folder.names(sysvol, "").await.is_empty(), "{name}");
        }
        assert!(sysvol.create_dir(&folder.at("dir"), &steps).await.is_err());
        assert!(folder.names(sysvol, "").await.is_empty(), "{name}");
        // What was there before is not what was made in vain.
        folder.write(sysvol, "file", b"mine").await;
        let refused = sysvol
            .write_new(&folder.at("file"), Bytes::new(), &steps)
            .await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict, "{name}");
        assert_eq!(folder.names(sysvol, "").await, ["file"]);
        folder.remove(sysvol).await;
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_wrong_password_is_one_clear_error() {
    let cases = [
        (SmbClientChoice::Smb2, true),
        (SmbClientChoice::Smb2, false),
        #[cfg(feature = "libsmbclient")]
        (SmbClientChoice::Libsmbclient, false),
    ];
    for (client, kerberos) in cases {
        let mut wrong = settings(client, kerberos);
        match &mut wrong.auth {
            SmbAuth::Kerberos(Identity::Password { user, password })
            | SmbAuth::Ntlm { user, password, .. } => {
                *user = "carol".to_owned();
                *password = "not-her-password".to_owned().into();
            }
            SmbAuth::Kerberos(Identity::TicketCache { .. }) => {}
        }
        let error = connect(&wrong).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(error.hint().is_some());
        assert!(!format!("{error} {error:?}").contains("not-her-password"));
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn nothing_is_replaced_without_being_asked() {
    for (name, sysvol) in back_ends().await {
        let sysvol = &*sysvol;
        let folder = Folder::new(sysvol).await;
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
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn sixteen_concurrent_calls_of_every_kind() {
    for (name, sysvol) in back_ends().await {
        let folder = Arc::new(Folder::new(&*sysvol).await);
        let tasks = (0..16).map(|number| {
            let (sysvol, folder) = (Arc::clone(&sysvol), Arc::clone(&folder));
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
        assert_eq!(folder.names(&*sysvol, "").await.len(), 80, "{name}");
        Arc::into_inner(folder).unwrap().remove(&*sysvol).await;
    }
}
