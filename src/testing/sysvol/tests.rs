//! What the conformance suite cannot show: what no server of the lab does on request, and what only this share has.

use bytes::Bytes;

use super::*;
use crate::domain::sysvol::{Sysvol, SysvolRead};
use crate::error::ErrorKind;
use crate::model::guid::Guid;
use crate::testing::faults::{Fault, Faults, When};

const GPO: &str = "{31B2F340-016D-11D2-945F-00C04FB984F9}";
const KINDS: [SysvolClientKind; 2] = [SysvolClientKind::Smb2, SysvolClientKind::Libsmbclient];

fn guid() -> Guid {
    GPO.parse().unwrap()
}

fn domain() -> DomainName {
    "src.test".parse().unwrap()
}

fn sid() -> Sid {
    "S-1-5-21-1-2-3".parse().unwrap()
}

fn at(path: &str) -> SysvolPath {
    SysvolPath::in_gpo(&domain(), guid(), &path.parse().unwrap())
}

/// A share with one GPO.
fn share(kind: SysvolServer) -> MemorySysvol {
    let builder = MemorySysvol::builder(&domain(), &sid()).server(kind);
    let builder = builder.file(guid(), "GPT.INI", "[General]\r\nVersion=1\r\n");
    let builder = builder.file(guid(), r"Machine\Registry.pol", "PReg");
    builder.folder(guid(), "User").build().unwrap()
}

fn administrator(server: &MemorySysvol, kind: SysvolClientKind) -> MemorySysvolClient {
    server.connect_as(SysvolLogin::administrator(&sid()), kind)
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_behind() {
    for kind in KINDS {
        let server = share(SysvolServer::Samba);
        let client = administrator(&server, kind);
        let before = server.snapshot();
        server.set_capacity(Some(100));
        let large = || Bytes::from(vec![7; 80]);
        let full = client.write_new(&at("large"), large(), &[]).await;
        let full = full.unwrap_err();
        assert_eq!(full.kind(), ErrorKind::BadDirectory);
        assert!(full.hint().is_some());
        if kind == SysvolClientKind::Smb2 {
            let words = "the disk of the server is full at ";
            assert!(full.message().starts_with(words), "{full}");
        } else {
            assert!(full.to_string().contains("o space left"), "{full}");
        }
        assert_eq!(server.snapshot(), before);
        let folders = client.create_dir(&at("folder"), &[]).await;
        folders.unwrap();
        server.put_file(&at("other"), large()).unwrap_err();
        server.set_capacity(None);
        client.write_new(&at("large"), large(), &[]).await.unwrap();
    }
}

#[tokio::test]
async fn links_and_unsafe_names_are_refused_in_a_listing() {
    for kind in KINDS {
        let server = share(SysvolServer::Samba);
        server.put_link(&at("link")).unwrap();
        for name in ["a:b", "nul", "a."] {
            server.put_unsafe_name(&at(""), name).unwrap();
        }
        let listing = administrator(&server, kind).list(&at("")).await.unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["GPT.INI", "Machine", "User"]);
        assert_eq!(listing.refused.len(), 4);
        let link = "\"link\" is a link, and links are not followed";
        assert!(listing.refused.iter().any(|reason| reason == link));
    }
    let server = share(SysvolServer::Samba);
    server.put_link(&at("link")).unwrap();
    let client = administrator(&server, SysvolClientKind::Smb2);
    let error = client.read(&at("link"), 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadDirectory);
}

#[tokio::test]
async fn a_listing_may_have_an_old_size() {
    for kind in KINDS {
        let server = share(SysvolServer::Samba);
        let path = at(r"Machine\Registry.pol");
        server.put_file(&path, vec![7; 200_000]).unwrap();
        server.list_with_size(&path, Some(4)).unwrap();
        let client = administrator(&server, kind);
        let listing = client.list(&at("Machine")).await.unwrap();
        assert_eq!(listing.entries[0].size, 4);
        let stat = client.stat(&path).await.unwrap().unwrap();
        assert_eq!(stat.size, 200_000);
        let error = client.read(&path, 4).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        client.read(&path, stat.size).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_answer_hides_what_was_done() {
    for (when, done) in [(When::Before, 0), (When::After, 1)] {
        let server = share(SysvolServer::Samba);
        let before = server.snapshot();
        let faults = Faults::at(2, Fault::Fail(when));
        let client = administrator(&server, SysvolClientKind::Smb2).with_faults(faults.clone());
        client.list(&at("")).await.unwrap();
        let lost = client.create_dir(&at("new"), &[]).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Connect);
        assert_eq!(server.snapshot().differences_from(&before).len(), done);
        let calls: Vec<String> = faults.calls().iter().map(ToString::to_string).collect();
        assert_eq!(
            calls,
            [
                format!("list {}", at("")),
                format!("create_dir {}", at("new"))
            ]
        );
        assert!(faults.calls()[1].writes);
    }
}

#[tokio::test]
async fn windows_holds_what_is_open() {
    let server = share(SysvolServer::Windows);
    let client = administrator(&server, SysvolClientKind::Smb2);
    client
        .write_new(&at("new"), Bytes::new(), &[])
        .await
        .unwrap();
    let path = at(r"Machine\Registry.pol");
    let held = server
        .open(&path, OpenFor::Reading, SharedFor::Everything)
        .unwrap();
    for denied in [
        client.rename(&at("Machine"), &at("old"), false).await,
        client.rename(&at("new"), &path, true).await,
    ] {
        assert_eq!(denied.unwrap_err().kind(), ErrorKind::InUse);
    }
    drop(held);
    client.rename(&at("new"), &path, true).await.unwrap();
    client
        .rename(&at("Machine"), &at("old"), false)
        .await
        .unwrap();
    // What is inherited is marked [MS-DTYP 2.5.3.4].
    let inherited = client.security_descriptor(&at("old")).await.unwrap();
    let inherited = crate::model::security_descriptor::SecurityDescriptor::parse(&inherited);
    assert!(inherited.unwrap().has_inherited_aces());
}

#[tokio::test]
async fn other_programs_and_administrators_act() {
    let server = share(SysvolServer::Samba);
    let client = administrator(&server, SysvolClientKind::Smb2);
    let path = at("GPT.INI");
    let held = server
        .open(&path, OpenFor::Writing, SharedFor::Everything)
        .unwrap();
    held.write("[General]\r\nVersion=2\r\n").unwrap();
    assert!(client.read(&path, 0).await.unwrap().ends_with(b"=2\r\n"));
    server.delete(&path).unwrap();
    assert!(client.stat(&path).await.unwrap().is_none());
    assert!(held.read().unwrap().ends_with(b"=2\r\n"));
    server
        .put_file(&path, "[General]\r\nVersion=3\r\n")
        .unwrap();
    drop(held);
    assert!(client.read(&path, 0).await.unwrap().ends_with(b"=3\r\n"));
    assert_eq!(
        server.put_folder(&at(r"GPT.INI\x")).unwrap_err().kind(),
        ErrorKind::Conflict
    );
    server.delete(&at("")).unwrap();
    let gone = client.list(&at("")).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[test]
fn differences_are_lines() {
    let server = share(SysvolServer::Samba);
    let before = server.snapshot();
    assert_eq!(before.differences_from(&before), [""; 0]);
    server
        .put_file(&at("GPT.INI"), "[General]\r\nVersion=3\r\n")
        .unwrap();
    server.put_file(&at("new"), "1").unwrap();
    server.delete(&at("user")).unwrap();
    server
        .set_read_only(&at(r"Machine\registry.pol"), true)
        .unwrap();
    let open = crate::model::sddl::from_sddl("O:SYG:SYD:P(A;;FA;;;WD)", None).unwrap();
    server.put_descriptor(&at("Machine"), &open).unwrap();
    let after = server.snapshot();
    assert_ne!(after, before);
    let lines = after.differences_from(&before);
    let expected = [
        format!("! {GPO}\\GPT.INI: 22 bytes, were 22, different from byte 19"),
        format!("! {GPO}\\Machine: O:SYG:SYD:P(A;;FA;;;WD), was O:BAG:"),
        format!("! {GPO}\\Machine\\Registry.pol: attributes 0x21, were 0x20"),
        format!("- folder {GPO}\\User"),
        format!("+ file {GPO}\\new, 1 bytes"),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    let unchanged = after.without(|path| !path.is_empty());
    assert_eq!(unchanged, before.without(|path| !path.is_empty()));
    assert!(
        after
            .entry(&format!("{GPO}\\MACHINE\\registry.POL"))
            .is_some()
    );
}

#[test]
fn a_share_is_filled_from_folders() {
    let folder = tempfile::tempdir().unwrap();
    let gpo = folder.path().join(GPO);
    std::fs::create_dir_all(gpo.join("Machine/Scripts")).unwrap();
    std::fs::create_dir(folder.path().join("PolicyDefinitions")).unwrap();
    std::fs::write(gpo.join("Machine/Registry.pol"), "PReg").unwrap();
    let builder = || MemorySysvol::builder(&domain(), &sid());
    let whole = builder()
        .policies_from_folder(folder.path())
        .build()
        .unwrap();
    let one = builder().gpo_from_folder(guid(), &gpo).build().unwrap();
    assert_eq!(whole.snapshot(), one.snapshot());
    let paths: Vec<String> = whole.snapshot().entries().map(|e| e.path.clone()).collect();
    let below = [
        "",
        "\\Machine",
        "\\Machine\\Registry.pol",
        "\\Machine\\Scripts",
    ];
    let mut expected = vec![String::new()];
    expected.extend(below.map(|path| format!("{GPO}{path}")));
    assert_eq!(paths, expected);
    // What cannot be on SYSVOL is an error, not left out.
    std::fs::write(gpo.join("a:b"), "").unwrap();
    let error = builder().gpo_from_folder(guid(), &gpo).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    std::fs::remove_file(gpo.join("a:b")).unwrap();
    std::os::unix::fs::symlink("/etc", gpo.join("link")).unwrap();
    let error = builder().gpo_from_folder(guid(), &gpo).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    let error = builder().file(guid(), "..\\x", "").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}
