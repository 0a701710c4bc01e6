//! Descriptors, and what they let an account do.

use bytes::Bytes;
use gpoctl::ErrorKind;
use gpoctl::domain::sysvol::{Sysvol, SysvolPath};
use gpoctl::model::sddl::{from_sddl, to_sddl_in};
use gpoctl::model::security_descriptor::{FileEntries, SecurityDescriptor};
use gpoctl::model::sid::Sid;

use super::Subject;

pub async fn descriptors_are_exact_or_refused(subject: &Subject) {
    let source = SysvolPath::gpo(&subject.environment.domain(), subject.environment.gpo());
    let name = subject.name;
    let sysvol = &*subject.sysvol;
    let folder = subject.folder().await;
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

/// A server that creates a file or folder and then refuses its content or its descriptor is left as it was.
pub async fn a_failed_create_leaves_nothing(subject: &Subject) {
    // The head of a descriptor whose list lies behind its end.
    let broken = vec![
        1, 0, 4, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0,
    ];
    let name = subject.name;
    let sysvol = &*subject.sysvol;
    if !sysvol.has_exact_descriptors() {
        return;
    }
    let folder = subject.folder().await;
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

/// The bytes of a descriptor.
fn descriptor(subject: &Subject, sddl: &str) -> Vec<u8> {
    let domain = subject.environment.domain_sid();
    from_sddl(sddl, Some(&domain)).unwrap().to_bytes().unwrap()
}

/// Apply Group Policy, as sysvolcheck of Samba 4.17 expects it on files.
const OBJECT_ENTRY: &str = "(OA;OICI;;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;AU)";

/// What may be edited by this account.
fn editable(sid: &Sid) -> String {
    format!(
        "O:DAG:DAD:P(A;OICI;0x001f01ff;;;DA)(A;OICI;0x001f01ff;;;SY)(A;OICI;0x001200a9;;;AU)(A;OICI;0x001201ff;;;{sid})"
    )
}

/// The descriptors of new files and folders come from the folder, by the rules of Samba.
pub async fn what_is_new_inherits(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let administrator = subject.environment.administrator().await;
    let (ordinary, sid) = subject.environment.ordinary().await;
    let folder = subject.folder().await;
    let at = |path: &str| folder.at(path);
    sysvol.create_dir(&at("dir"), &[]).await.unwrap();
    let common = format!("(A;OICI;FA;;;DA)(A;OICI;0x001200a9;;;AU)(A;OICI;0x001201ff;;;{sid})");
    let special = "(A;OI;0x00120089;;;DC)(A;OINP;FR;;;DD)(A;OICIIO;FA;;;CO)";
    let sddl = format!("O:DAG:DAD:P{common}{special}(A;;FA;;;SY)");
    let steps = [descriptor(subject, &sddl)];
    administrator
        .set_security_descriptors(&at("dir"), &steps)
        .await
        .unwrap();
    for (by, client) in [("admin", sysvol), ("user", &*ordinary)] {
        client
            .create_dir(&at(&format!("dir\\{by}")), &[])
            .await
            .unwrap();
        folder.write(client, &format!("dir\\{by}.txt"), b"x").await;
        let owner = if by == "admin" {
            "BA".to_owned()
        } else {
            sid.to_string()
        };
        for (path, dacl) in [
            (
                format!("dir\\{by}"),
                format!("{common}(A;OIIO;0x00120089;;;DC)(A;;FA;;;{owner})(A;OICIIO;FA;;;CO)"),
            ),
            (
                format!("dir\\{by}.txt"),
                format!(
                    "{}(A;;0x00120089;;;DC)(A;;FR;;;DD)(A;;FA;;;{owner})",
                    common.replace("OICI", "")
                ),
            ),
        ] {
            let read = administrator.security_descriptor(&at(&path)).await.unwrap();
            let domain = subject.environment.domain_sid();
            let text = |sd: &SecurityDescriptor| to_sddl_in(sd, Some(&domain));
            let expected = from_sddl(&format!("O:{owner}G:DUD:{dacl}"), Some(&domain)).unwrap();
            let read = SecurityDescriptor::parse(&read).unwrap();
            assert_eq!(text(&read), text(&expected), "{name}: {path}");
        }
    }
    folder.remove(sysvol).await;
}

/// An account that is no administrator, in a folder where it may only read, one where it may edit, and one where it may nothing.
pub async fn an_account_may_do_what_a_descriptor_grants(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let administrator = subject.environment.administrator().await;
    let (ordinary, sid) = subject.environment.ordinary().await;
    let folder = subject.folder().await;
    let at = |path: &str| folder.at(path);
    let admins = "O:DAG:DAD:P(A;OICI;0x001f01ff;;;DA)(A;OICI;0x001f01ff;;;SY)";
    for (path, sddl, access) in [
        (
            "read",
            format!("{admins}(A;OICI;0x001200a9;;;AU)"),
            Some(0x0012_00a9),
        ),
        ("edit", editable(&sid), Some(0x0013_01ff)),
        (
            "modify",
            format!("{admins}(A;OICI;0x001301bf;;;{sid})"),
            Some(0x0013_01bf),
        ),
        ("none", admins.to_owned(), None),
    ] {
        let steps = [descriptor(subject, &sddl)];
        administrator.create_dir(&at(path), &steps).await.unwrap();
        let file = format!("{path}\\file");
        let written = Bytes::from_static(b"x");
        administrator
            .write_new(&at(&file), written, &steps)
            .await
            .unwrap();
        if subject.is_exact() {
            let granted = ordinary.maximal_access(&at(&file)).await;
            match granted {
                Ok(granted) => assert_eq!(granted, access, "{name}: {file}"),
                Err(error) => assert_eq!(
                    (error.kind(), access),
                    (ErrorKind::Denied, None),
                    "{name}: {file}: {error}"
                ),
            }
            let granted = sysvol.maximal_access(&at(&file)).await.unwrap();
            assert_eq!(granted, Some(0x001f_01ff), "{name}: {file}");
        } else {
            assert_eq!(ordinary.maximal_access(&at(&file)).await.unwrap(), None);
        }
    }
    let all = [
        ("list", [true, true, true, false]),
        ("read", [true, true, true, false]),
        ("write", [false, true, true, false]),
        ("mkdir", [false, true, true, false]),
        ("rename", [false, true, true, false]),
        ("set descriptors", [false, false, false, false]),
        ("remove", [false, true, true, false]),
    ];
    let mut seen = Vec::new();
    for (case, _) in all {
        let mut allowed = Vec::new();
        for path in ["read", "edit", "modify", "none"] {
            let below = |name: &str| at(&format!("{path}\\{name}"));
            let (file, new) = (below("file"), below("new"));
            let result = match case {
                "list" => ordinary.list(&at(path)).await.map(drop),
                "read" => ordinary.read(&file, 1).await.map(drop),
                "write" => {
                    ordinary
                        .write_new(&new, Bytes::from_static(b"y"), &[])
                        .await
                }
                "mkdir" => ordinary.create_dir(&below("dir"), &[]).await,
                "rename" => ordinary
                    .rename(&file, &below("renamed"), false)
                    .await
                    .and(ordinary.rename(&below("renamed"), &file, false).await),
                "set descriptors" if subject.is_exact() => {
                    let steps = [descriptor(subject, "D:P(A;;FA;;;WD)")];
                    ordinary.set_security_descriptors(&file, &steps).await
                }
                "set descriptors" => Err(gpoctl::Error::new(ErrorKind::Denied, "")),
                _ => ordinary.remove_file(&file).await,
            };
            if let Err(error) = &result {
                assert_eq!(
                    error.kind(),
                    ErrorKind::Denied,
                    "{name}: {case} {path}: {error}"
                );
            }
            allowed.push(result.is_ok());
        }
        seen.push((case, <[bool; 4]>::try_from(allowed).unwrap()));
    }
    assert_eq!(seen, all, "{name}");
    folder.remove(sysvol).await;
}

/// A folder that an account may delete, in one to which it may not add: its rename is denied as for an open file, and is not taken
/// for one. libsmbclient cannot tell, which does no harm where new entries were added to the same folder before.
pub async fn a_missing_permission_is_not_an_open_file(subject: &Subject) {
    if !subject.is_exact() {
        return;
    }
    let name = subject.name;
    let administrator = subject.environment.administrator().await;
    let (ordinary, sid) = subject.environment.ordinary().await;
    let folder = subject.folder().await;
    let at = |path: &str| folder.at(path);
    let admins = "O:DAG:DAD:P(A;OICI;0x001f01ff;;;DA)(A;OICI;0x001f01ff;;;SY)";
    for (path, access) in [
        ("closed", "0x001200a9"),
        (r"closed\dir", "0x001301ff"),
        ("open", "0x001301ff"),
        (r"open\dir", "0x001301ff"),
    ] {
        let sddl = format!("{admins}(A;OICI;{access};;;{sid})");
        let steps = [descriptor(subject, &sddl)];
        administrator.create_dir(&at(path), &steps).await.unwrap();
    }
    let (dir, new) = (at(r"closed\dir"), at(r"closed\new"));
    let renamed = ordinary.rename(&dir, &new, false);
    let error = renamed.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {error}");
    ordinary
        .rename(&at(r"open\dir"), &at(r"open\new"), false)
        .await
        .unwrap();
    folder.remove(&*subject.sysvol).await;
}

/// A descriptor with an object entry grants writing only when one without came first, on servers that store such entries. The others
/// refuse it in either way.
pub async fn object_entries_need_two_steps(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let administrator = subject.environment.administrator().await;
    let (ordinary, sid) = subject.environment.ordinary().await;
    let folder = subject.folder().await;
    let at = |path: &str| folder.at(path);
    let plain = descriptor(subject, &editable(&sid));
    let with_object_entry = descriptor(subject, &format!("{}{OBJECT_ENTRY}", editable(&sid)));
    if subject.environment.file_entries() == FileEntries::WithoutObjectAces {
        for (path, steps) in [
            ("one", vec![with_object_entry.clone()]),
            ("two", vec![plain.clone(), with_object_entry]),
        ] {
            let refused = administrator.create_dir(&at(path), &steps).await;
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {path}: {error}");
        }
        administrator
            .create_dir(&at("three"), &[plain])
            .await
            .unwrap();
        // Nor an entry that denies after one that allows.
        let denial = "(D;OICI;0x001200a9;;;BG)";
        let allowed = editable(&sid);
        let last = descriptor(subject, &format!("{allowed}{denial}"));
        let refused = administrator.create_dir(&at("four"), &[last]).await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {error}");
        let first = descriptor(
            subject,
            &allowed.replacen("D:P", &format!("D:P{denial}"), 1),
        );
        administrator
            .create_dir(&at("five"), &[first])
            .await
            .unwrap();
        folder.remove(sysvol).await;
        return;
    }
    let content = || Bytes::from_static(b"x");
    for (path, steps, allowed) in [
        ("one", vec![with_object_entry.clone()], false),
        ("two", vec![plain, with_object_entry.clone()], true),
    ] {
        administrator.create_dir(&at(path), &steps).await.unwrap();
        // Both store the same.
        let read = administrator.security_descriptor(&at(path)).await.unwrap();
        let (read, sent) = (
            SecurityDescriptor::parse(&read),
            SecurityDescriptor::parse(&with_object_entry),
        );
        assert_eq!(read, sent, "{name}: {path}");
        if subject.is_exact() {
            let granted = ordinary.maximal_access(&at(path)).await.unwrap();
            assert_eq!(
                granted.map(|access| access & 0x1201ff),
                Some(0x1201ff),
                "{name}: {path}"
            );
        }
        let file = at(&format!("{path}\\file"));
        administrator
            .write_new(&file, content(), &[])
            .await
            .unwrap();
        assert_eq!(
            ordinary.read(&file, 1).await.unwrap(),
            "x",
            "{name}: {path}"
        );
        let below = |name: &str| at(&format!("{path}\\{name}"));
        for (case, result) in [
            (
                "write",
                ordinary.write_new(&below("new"), content(), &[]).await,
            ),
            ("mkdir", ordinary.create_dir(&below("dir"), &[]).await),
            (
                "rename",
                ordinary.rename(&file, &below("renamed"), false).await,
            ),
        ] {
            let kind = result.err().map(|error| error.kind());
            let expected = if allowed {
                None
            } else {
                Some(ErrorKind::Denied)
            };
            assert_eq!(kind, expected, "{name}: {path}: {case}");
        }
        // Deleting needs no POSIX permission.
        let file = if allowed { below("renamed") } else { file };
        ordinary.remove_file(&file).await.unwrap();
        if allowed {
            // What an administrator makes below, without descriptors, is closed to the account again.
            administrator
                .create_dir(&below("admin"), &[])
                .await
                .unwrap();
            let denied = ordinary
                .write_new(&below("admin\\new"), content(), &[])
                .await;
            assert_eq!(denied.unwrap_err().kind(), ErrorKind::Denied, "{name}");
            ordinary
                .write_new(&below("dir\\new"), content(), &[])
                .await
                .unwrap();
        }
    }
    folder.remove(sysvol).await;
}

/// An account may change the DACL of what it owns, and give it to nobody. What an administrator owns now is his: the account that
/// made it may take it back or change its DACL only where the DACL grants that, like any other account.
pub async fn owners_are_given_by_administrators_only(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let administrator = subject.environment.administrator().await;
    let (ordinary, sid) = subject.environment.ordinary().await;
    let folder = subject.folder().await;
    let steps = [descriptor(subject, &editable(&sid))];
    administrator
        .set_security_descriptors(&folder.at(""), &steps)
        .await
        .unwrap();
    folder.write(&*ordinary, "own", b"x").await;
    let path = folder.at("own");
    let dacl = format!("D:P(A;;FA;;;DA)(A;;0x001f01ff;;;{sid})");
    let without = "D:P(A;;FA;;;DA)";
    let set = async |client: &dyn Sysvol, sddl: &str| {
        let steps = [descriptor(subject, sddl)];
        client.set_security_descriptors(&path, &steps).await
    };
    let is_denied = |case: &str, outcome: gpoctl::Result<()>| {
        let error = outcome.expect_err(case);
        assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {case}: {error}");
    };
    if subject.is_exact() {
        set(&*ordinary, &dacl).await.unwrap();
        set(&*ordinary, &format!("O:{sid}G:DU{dacl}"))
            .await
            .unwrap();
        for given in ["O:DAG:DU", "O:DAG:DA", "O:BAG:DU"] {
            is_denied(given, set(&*ordinary, &format!("{given}{dacl}")).await);
        }
        // Its owner may change even a DACL that grants nothing to him.
        set(&*ordinary, without).await.unwrap();
        set(&*ordinary, &dacl).await.unwrap();
    }
    let modify = format!("{without}(A;;0x001301ff;;;{sid})");
    for (dacl, is_read, is_taken) in [
        (dacl.as_str(), true, true),
        (&modify, true, false),
        (without, false, false),
    ] {
        set(&*administrator, &format!("O:DAG:DA{dacl}"))
            .await
            .unwrap();
        match is_read {
            true => assert_eq!(ordinary.read(&path, 1).await.unwrap(), "x", "{name}"),
            false => is_denied(dacl, ordinary.read(&path, 1).await.map(drop)),
        }
        if subject.is_exact() && is_taken {
            set(&*ordinary, &format!("O:{sid}{dacl}")).await.unwrap();
        } else if subject.is_exact() {
            for change in [dacl.to_owned(), format!("O:{sid}{dacl}")] {
                is_denied(&change, set(&*ordinary, &change).await);
            }
        }
        let owner = match subject.is_exact() && is_taken {
            true => format!("O:{sid}G:DAD:P("),
            false => "O:DAG:DAD:P(".to_owned(),
        };
        let read = administrator.security_descriptor(&path).await.unwrap();
        let domain = subject.environment.domain_sid();
        let text = to_sddl_in(&SecurityDescriptor::parse(&read).unwrap(), Some(&domain));
        assert!(text.starts_with(&owner), "{name}: {text}");
    }
    folder.remove(sysvol).await;
}

/// The probe finds out what the server stores, leaves nothing, and finds out nothing where the account may not make files.
pub async fn the_entries_of_a_server_are_found_out(subject: &Subject) {
    let (name, sysvol) = (subject.name, &*subject.sysvol);
    let (ordinary, _) = subject.environment.ordinary().await;
    let folder = subject.folder().await;
    let root: SysvolPath = folder.at("");
    ordinary.probe_file_entries(&root).await.unwrap();
    assert_eq!(ordinary.file_entries(), None, "{name}");
    sysvol.probe_file_entries(&folder.at("no")).await.unwrap();
    for _ in 0..2 {
        sysvol.probe_file_entries(&root).await.unwrap();
        let expected = subject
            .is_exact()
            .then(|| subject.environment.file_entries());
        assert_eq!(sysvol.file_entries(), expected, "{name}");
    }
    assert!(folder.names(sysvol, "").await.is_empty(), "{name}");
    folder.remove(sysvol).await;
}
