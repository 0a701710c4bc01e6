use async_trait::async_trait;

use super::*;
use crate::domain::sysvol::{DirEntry, Listing};
use crate::message::Code;
use crate::model::safe_name::SafeName;

/// A server that lists the same entries in every folder.
struct Endless(Vec<DirEntry>);

/// A server that lists nothing, and has GPT.INI and a folder that this account may not open.
struct Hiding;

#[async_trait]
impl SysvolRead for Endless {
    async fn list(&self, _dir: &SysvolPath) -> Result<Listing> {
        Ok(Listing {
            entries: self.0.clone(),
            refused: vec!["\"evil\" is a link, and links are not followed".to_owned()],
        })
    }

    async fn stat(&self, _path: &SysvolPath) -> Result<Option<DirEntry>> {
        Ok(None)
    }

    async fn read(&self, _path: &SysvolPath, _size: u64) -> Result<Bytes> {
        Ok(Bytes::from_static(b"x"))
    }

    async fn security_descriptor(&self, _path: &SysvolPath) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    async fn maximal_access(&self, _path: &SysvolPath) -> Result<Option<u32>> {
        Ok(None)
    }

    fn concurrency(&self) -> usize {
        1
    }

    fn has_exact_descriptors(&self) -> bool {
        false
    }
}

#[async_trait]
impl SysvolRead for Hiding {
    async fn list(&self, _dir: &SysvolPath) -> Result<Listing> {
        Ok(Listing {
            entries: Vec::new(),
            refused: Vec::new(),
        })
    }

    async fn stat(&self, path: &SysvolPath) -> Result<Option<DirEntry>> {
        match path.to_string().rsplit('\\').next() {
            Some("GPT.INI") => Ok(Some(entry("GPT.INI", false, 1))),
            Some("User") => Err(Error::new(ErrorKind::Denied, "denied")),
            _ => Ok(None),
        }
    }

    async fn read(&self, _path: &SysvolPath, _size: u64) -> Result<Bytes> {
        Err(Error::new(ErrorKind::Denied, "denied"))
    }

    async fn security_descriptor(&self, _path: &SysvolPath) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    async fn maximal_access(&self, _path: &SysvolPath) -> Result<Option<u32>> {
        Ok(None)
    }

    fn concurrency(&self) -> usize {
        1
    }

    fn has_exact_descriptors(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn what_the_server_hides_is_not_absent() {
    let domain = "src.test".parse().unwrap();
    let read = read_what_can_be_read(&Hiding, &domain, Guid::NIL, None);
    let unread: Vec<String> = read
        .await
        .unwrap()
        .unread
        .iter()
        .map(|(path, error)| format!("{path} {:?}", error.kind()))
        .collect();
    assert_eq!(unread, ["GPT.INI Denied", "User Denied"]);
    let error = read_gpt(&Hiding, &domain, Guid::NIL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

fn entry(name: &str, is_dir: bool, size: u64) -> DirEntry {
    DirEntry {
        name: SafeName::new(name).unwrap(),
        is_dir,
        size,
        attributes: 0,
    }
}

async fn read(entries: Vec<DirEntry>) -> Result<Gpt> {
    let domain = "src.test".parse().unwrap();
    read_gpt(&Endless(entries), &domain, Guid::NIL).await
}

#[tokio::test]
async fn a_gpo_without_end_is_refused_with_the_limit() {
    let file = |number: usize| entry(&format!("{number}"), false, 1);
    for (entries, limit) in [
        (vec![entry("deeper", true, 0)], "nested more than 64 deep"),
        (
            (0..=MAX_ENTRIES).map(file).collect(),
            "more than 100,000 files and folders",
        ),
        (vec![entry("a", false, MAX_BYTES + 1)], "more than 1 GiB"),
        (
            vec![
                entry("a", false, MAX_BYTES / 2),
                entry("b", false, MAX_BYTES / 2 + 1),
            ],
            "more than 1 GiB",
        ),
    ] {
        let error = read(entries).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadDirectory);
        assert!(error.message().contains(limit), "{error}");
    }
}

#[tokio::test]
async fn what_a_listing_refuses_is_reported() {
    let gpt = read(vec![entry("a", false, 1)]).await.unwrap();
    assert_eq!(gpt.messages.len(), 1);
    assert_eq!(gpt.messages[0].code, Code::EntryRefused);
    assert!(gpt.messages[0].text.contains("is a link"));
    // Two names that are the same to Windows.
    let error = read(vec![entry("A", false, 1), entry("a", false, 1)])
        .await
        .unwrap_err();
    assert!(
        error.message().contains("the same name to Windows"),
        "{error}"
    );
}
