//! For tests: another user who owns a folder, renames what appears in it, and puts links in its place.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// `nobody`, and a group of none of the files.
pub(crate) const OTHER_USER: u32 = 65_534;
/// Where the attacker works; set for its process alone.
const FOLDER: &str = "GPOCTL_ATTACKED_FOLDER";
const ASIDE: &str = "aside-";
const READY: &str = "ready";
const STOP: &str = "stop";
/// How often something is written while it is attacked, at least.
const ROUNDS: usize = 300;
/// How many of these have to be attacked; until then, more is written.
const ATTACKS: usize = 10;

/// An attack that goes on.
pub(crate) struct Attack {
    dir: tempfile::TempDir,
    /// The folder of the other user.
    folder: PathBuf,
    attacker: Child,
}

impl Attack {
    /// Begins one; needs root.
    pub(crate) fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (folder, outside) = (dir.path().join("theirs"), dir.path().join("outside"));
        fs::create_dir(&folder).unwrap();
        fs::create_dir(&outside).unwrap();
        chown(&folder, Some(OTHER_USER), Some(OTHER_USER)).unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o700)).unwrap();
        // The link to this very program is followed by the kernel, so it need not be in a folder that the other user may enter.
        let mut attacker = Command::new("/proc/self/exe")
            .args(["--exact", "local::attacker::attacker", "--ignored"])
            .env(FOLDER, &folder)
            .stdout(Stdio::null())
            .current_dir("/")
            .uid(OTHER_USER)
            .gid(OTHER_USER)
            .spawn()
            .unwrap();
        let ready = folder.join(READY);
        while !ready.exists() {
            let ended = attacker.try_wait().unwrap();
            assert!(ended.is_none(), "the attacker ended: {ended:?}");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        fs::remove_file(ready).unwrap();
        Self {
            dir,
            folder,
            attacker,
        }
    }

    /// Writes again and again, each time with another number, until enough names that begin so were taken away, then ends the attack.
    ///
    /// # Panics
    /// When something was written outside of the folder, or the attacker took hardly anything away.
    pub(crate) fn on(self, what: &str, begin: &str, mut write: impl FnMut(&Path, usize)) {
        for number in 0..100 * ROUNDS {
            let is_time = number > 0 && number % ROUNDS == 0;
            if is_time && self.count(begin) > ATTACKS {
                break;
            }
            write(&self.folder, number);
        }
        let attacks = self.count(begin);
        assert!(attacks > ATTACKS, "{what}: {attacks} attacks");
        self.end(what);
    }

    /// How many names begin so of those that were taken away.
    fn count(&self, begin: &str) -> usize {
        let mut taken: Vec<String> = names(&self.folder);
        taken.retain(|name| {
            let name = name
                .strip_prefix(ASIDE)
                .and_then(|name| name.split_once('-'));
            name.is_some_and(|(_, name)| name.starts_with(begin))
        });
        taken.len()
    }

    fn end(mut self, what: &str) {
        fs::write(self.folder.join(STOP), "").unwrap();
        assert!(self.attacker.wait().unwrap().success());
        let outside = names(&self.dir.path().join("outside"));
        assert!(outside.is_empty(), "{what}: {outside:?}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The attacker's process, which [`Attack::begin`] starts under another user's ID.
#[test]
#[ignore = "run by the tests of what is attacked"]
fn attacker() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let outside = folder.parent().unwrap().join("outside");
    fs::write(folder.join(READY), "").unwrap();
    for number in 0_u64.. {
        let Ok(entries) = fs::read_dir(&folder) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().into_string().unwrap();
            let is_link = entry.file_type().is_ok_and(|it| it.is_symlink());
            let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
            let aside = folder.join(format!("{ASIDE}{number}-{name}"));
            if is_link
                || name == STOP
                || name == READY
                || name.starts_with(ASIDE)
                || fs::rename(entry.path(), aside).is_err()
            {
                continue;
            }
            // A file that is opened through the link is made where it leads.
            let to = match is_folder {
                true => outside.clone(),
                false => outside.join("x"),
            };
            let _ = symlink(to, entry.path());
        }
        if folder.join(STOP).exists() {
            return;
        }
    }
}
