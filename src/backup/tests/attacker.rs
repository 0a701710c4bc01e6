//! A folder that belongs to another user, who renames what is written and puts links in its place.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::*;

/// Where the attacker works; set for its process alone.
const FOLDER: &str = "GPOCTL_ATTACKED_FOLDER";
/// `nobody`, and a group of none of the files.
const OTHER_USER: u32 = 65_534;
const ROUNDS: usize = 300;

/// The attacker's process, which the test below starts under another user's ID.
#[test]
#[ignore = "run by nothing_is_written_outside_of_a_folder_that_another_user_changes"]
fn attacker() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let outside = folder.parent().unwrap().join("outside");
    for number in 0_u64.. {
        let Ok(entries) = fs::read_dir(&folder) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().into_string().unwrap();
            let staged = name.starts_with(STAGING_PREFIX);
            let aside = folder.join(format!("aside-{number}"));
            if staged && fs::rename(entry.path(), aside).is_ok() {
                let _ = symlink(&outside, entry.path());
            }
        }
        if folder.join("stop").exists() {
            return;
        }
    }
}

#[test]
#[ignore = "needs root"]
fn nothing_is_written_outside_of_a_folder_that_another_user_changes() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (folder, outside) = (dir.path().join("theirs"), dir.path().join("outside"));
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::chown(&folder, Some(OTHER_USER), Some(OTHER_USER)).unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o700)).unwrap();
    let mut snapshot = snapshot();
    for number in 0..40 {
        let path = format!("Machine\\Scripts\\Logon\\{number}.cmd");
        snapshot
            .tree
            .insert_file(&path.parse().unwrap(), Bytes::from_static(b"x"));
    }
    // The link to this very program is followed by the kernel, so it need not be in a folder that the other user may enter.
    let mut attacker = Command::new("/proc/self/exe")
        .args(["--exact", "backup::tests::attacker::attacker", "--ignored"])
        .env(FOLDER, &folder)
        .stdout(Stdio::null())
        .current_dir("/")
        .uid(OTHER_USER)
        .gid(OTHER_USER)
        .spawn()
        .unwrap();
    let (mut written, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        match write(&folder, &snapshot, &context(), "", NOW) {
            Ok(_) => written += 1,
            Err(_) => refused += 1,
        }
    }
    fs::write(folder.join("stop"), "").unwrap();
    assert!(attacker.wait().unwrap().success());
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let attacks = names(&folder)
        .iter()
        .filter(|name| name.starts_with("aside-"))
        .count();
    println!("{attacks} attacks: {written} backups written, {refused} refused");
    assert!(attacks > 0, "the attacker did nothing");
    assert_eq!(names(&outside), [""; 0], "{attacks} attacks");
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
