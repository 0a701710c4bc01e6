//! The SMB back ends against the lab: the same cases on both.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code outside of test functions"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use gpoctl::ErrorKind;
use gpoctl::auth::read_password_file;
use gpoctl::model::domain_name::DomainName;
use gpoctl::model::guid::Guid;
use gpoctl::sysvol::connect::{SmbAuth, SmbClientChoice, SmbSettings, connect};
use gpoctl::sysvol::{Sysvol, SysvolPath};

fn lab(case: &str) -> bool {
    let there = std::env::var_os("GPOCTL_LAB").is_some();
    if !there {
        println!("not run: {case}: GPOCTL_LAB is not set");
    }
    there
}

fn var(name: &str) -> String {
    std::env::var(format!("GPOCTL_LAB_SRC_{name}")).unwrap()
}

fn settings(client: SmbClientChoice, kerberos: bool) -> SmbSettings {
    let password = read_password_file(&PathBuf::from(var("PASSWORD_FILE"))).unwrap();
    let user = "Administrator".to_owned();
    SmbSettings {
        server: var("SERVER").parse().unwrap(),
        address: Some(var("ADDRESS").parse().unwrap()),
        kdc: None,
        realm: var("REALM"),
        auth: if kerberos {
            SmbAuth::KerberosPassword {
                user,
                realm: var("REALM"),
                password,
            }
        } else {
            SmbAuth::Ntlm {
                domain: var("NETBIOS"),
                user,
                password,
            }
        },
        client,
        timeout: Duration::from_secs(60),
    }
}

/// Every back end, with the identity it has in the lab: libsmbclient cannot connect to an address with Kerberos.
async fn back_ends() -> Vec<(&'static str, Arc<dyn Sysvol>)> {
    let mut list = vec![
        ("smb2, Kerberos", settings(SmbClientChoice::Smb2, true)),
        ("smb2, NTLM", settings(SmbClientChoice::Smb2, false)),
    ];
    if cfg!(feature = "libsmbclient") {
        list.push((
            "libsmbclient, NTLM, encrypted",
            settings(SmbClientChoice::Libsmbclient, false),
        ));
    }
    let mut connected = Vec::new();
    for (name, settings) in list {
        connected.push((name, connect(&settings).await.unwrap()));
    }
    connected
}

fn domain() -> DomainName {
    var("DOMAIN").parse().unwrap()
}

/// A folder of this case's own under Policies.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_names() {
    if !lab("files_and_names") {
        return;
    }
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
        // A size that is no longer right costs a call and no bytes.
        assert_eq!(
            sysvol.read(&folder.at("large"), 10).await.unwrap(),
            large,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_a_thousand_files_is_listed_whole() {
    if !lab("a_folder_of_a_thousand_files_is_listed_whole") {
        return;
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_brings_both_renames_or_none() {
    if !lab("a_swap_brings_both_renames_or_none") {
        return;
    }
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
        // There was nothing live before.
        sysvol.swap(&folder.at("fresh"), None, &old).await.unwrap();
        assert_eq!(folder.names(sysvol, "").await, ["fresh", "live"], "{name}");
        folder.remove(sysvol).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn descriptors_are_exact_or_refused() {
    if !lab("descriptors_are_exact_or_refused") {
        return;
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_one_clear_error() {
    if !lab("a_wrong_password_is_one_clear_error") {
        return;
    }
    let mut cases = vec![
        (SmbClientChoice::Smb2, true),
        (SmbClientChoice::Smb2, false),
    ];
    if cfg!(feature = "libsmbclient") {
        cases.push((SmbClientChoice::Libsmbclient, false));
    }
    for (client, kerberos) in cases {
        let mut wrong = settings(client, kerberos);
        match &mut wrong.auth {
            SmbAuth::KerberosPassword { user, password, .. }
            | SmbAuth::Ntlm { user, password, .. } => {
                *user = "carol".to_owned();
                *password = "not-her-password".to_owned().into();
            }
            SmbAuth::KerberosCache { .. } => {}
        }
        let error = connect(&wrong).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(error.hint().is_some());
        assert!(!format!("{error} {error:?}").contains("not-her-password"));
    }
}
