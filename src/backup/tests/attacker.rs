//! A folder that belongs to another user, who renames what is written and puts links in its place.

use super::*;
use crate::local::attacker::{Attack, OTHER_USER};

#[test]
#[ignore = "needs root"]
fn nothing_is_written_outside_of_a_folder_that_another_user_changes() {
    let mut snapshot = snapshot();
    for number in 0..40 {
        let path = format!("Machine\\Scripts\\Logon\\{number}.cmd");
        snapshot
            .tree
            .insert_file(&path.parse().unwrap(), Bytes::from_static(b"x"));
    }
    // A backup may be written or refused; what counts is that nothing is written elsewhere.
    Attack::begin().on("backup", STAGING_PREFIX, |folder, _| {
        drop(write(folder, &snapshot, &context(), "", NOW));
    });
}

#[test]
#[ignore = "needs root"]
fn a_path_leads_through_links_of_the_caller_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("there/below")).unwrap();
    let link = dir.path().join("link");
    symlink("there", &link).unwrap();
    let there = |path: &str| folder::Folder::open_to_write(&dir.path().join(path));
    let identity = |path: &str| there(path).unwrap().identity().unwrap();
    assert_eq!(identity("link/below/../below/."), identity("there/below"));
    fs::remove_file(&link).unwrap();
    symlink(dir.path().join("there/below"), &link).unwrap();
    assert_eq!(identity("link"), identity("there/below"));
    symlink("endless", dir.path().join("endless")).unwrap();
    assert!(there("endless").is_err());
    assert_eq!(
        there("none").unwrap_err().kind(),
        std::io::ErrorKind::NotFound
    );
    std::os::unix::fs::lchown(&link, Some(OTHER_USER), Some(OTHER_USER)).unwrap();
    let error = there("link").unwrap_err();
    assert!(
        error.to_string().contains("belongs to another user"),
        "{error}"
    );
    let error = write(&link, &snapshot(), &context(), "", NOW).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    let error = forget(&link, Guid::new_random()).unwrap_err();
    assert!(
        error.to_string().contains("belongs to another user"),
        "{error}"
    );
    assert_eq!(
        fs::read_dir(dir.path().join("there/below"))
            .unwrap()
            .count(),
        0
    );
    // A backup below the link is not deleted by that path, and is by its own.
    let below = dir.path().join("there/below");
    let backup = write(&below, &snapshot(), &context(), "", NOW).unwrap();
    let name = backup.path.file_name().unwrap();
    let error = delete(&link.join(name)).unwrap_err();
    assert!(
        error.to_string().contains("belongs to another user"),
        "{error}"
    );
    assert!(backup.path.join(names::BACKUP).exists());
    delete(&backup.path).unwrap();
}

/// Undo restores no backup that has one.
#[test]
#[ignore = "needs root"]
fn an_entry_of_another_user_is_found_at_any_depth() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), &snapshot(), &context(), "", NOW).unwrap();
    let backup = folder::Folder::open_to_write(&written.path).unwrap();
    assert_eq!(backup.foreign_entry().unwrap(), None);
    for name in [
        "Backup.xml",
        "DomainSysvol/GPO",
        "DomainSysvol/GPO/Machine/Registry.pol",
        "",
    ] {
        let path = match name {
            "" => written.path.clone(),
            name => written.path.join(name),
        };
        let give = |owner| std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
        give(OTHER_USER);
        assert_eq!(backup.foreign_entry().unwrap(), Some(path.clone()));
        give(0);
        assert_eq!(backup.foreign_entry().unwrap(), None);
    }
}
