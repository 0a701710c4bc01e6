use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::*;

/// A folder `home` with the file `own`, the folder `in/deep` and the links `out` and `file`, beside a secret.
fn tree() -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    fs::create_dir_all(home.join("in/deep")).unwrap();
    fs::create_dir(dir.path().join("beside")).unwrap();
    fs::write(dir.path().join("beside/secret"), "x").unwrap();
    fs::write(home.join("own"), "own").unwrap();
    symlink("../beside", home.join("out")).unwrap();
    symlink("../beside/secret", home.join("file")).unwrap();
    let folder = Folder::open(&home).unwrap();
    (dir, folder)
}

/// What leads out of `home`, or is not the name of one entry.
const OUTSIDE: &[&str] = &[
    "",
    ".",
    "..",
    "../beside",
    "../beside/secret",
    "in/../../beside/secret",
    "in/deep",
    "out",
    "out/secret",
    "file",
    "/etc",
    "/etc/passwd",
    "./own",
    "own\0",
];

#[test]
fn a_path_that_the_caller_named_may_go_up_and_what_is_below_it_may_not() {
    let (dir, folder) = tree();
    for path in ["home/in/..", "home/../home", "beside/../home/in/deep/../.."] {
        let path = dir.path().join(path);
        let named = [Folder::open(&path), Folder::open_to_write(&path)];
        for opened in named {
            assert_eq!(opened.unwrap().read("own", 8).unwrap(), b"own", "{path:?}");
        }
    }
    for name in OUTSIDE {
        assert!(folder.folder(name).is_err(), "{name:?}");
        assert!(folder.read(name, 8).is_err(), "{name:?}");
        assert!(folder.mode_of(name).is_err(), "{name:?}");
        assert!(folder.create(name, PRIVATE_FILE).is_err(), "{name:?}");
        assert!(folder.lock_file(name).is_err(), "{name:?}");
        assert!(folder.make_folder(name).is_err(), "{name:?}");
        let identity = folder.identity().unwrap();
        assert!(folder.remove_folder(name, identity).is_err(), "{name:?}");
        let moved = folder.rename("own", &folder, name);
        if moved.is_ok() {
            // A rename replaces a link itself.
            assert!(["out", "file"].contains(name), "{name:?}");
            folder.rename(name, &folder, "own").unwrap();
        }
    }
    assert_eq!(folder.read("own", 8).unwrap(), b"own");
    assert_eq!(
        fs::read(dir.path().join("beside/secret")).unwrap(),
        b"x",
        "what is beside the folder is untouched"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

/// The kernel refuses them too, should a name ever get there unchecked.
#[cfg(target_os = "linux")]
#[test]
fn the_kernel_does_not_leave_the_folder() {
    let (_dir, folder) = tree();
    let open = |path: &str| {
        beneath::open_beneath(
            folder.fd.as_fd(),
            OsStr::new(path),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
    };
    let Some(own) = open("own") else {
        panic!("this kernel has no openat2, which came with Linux 5.6");
    };
    own.unwrap();
    open("in/deep/..").unwrap().unwrap();
    for path in [
        "..",
        "../beside/secret",
        "in/../../beside/secret",
        "out/secret",
        "file",
        "/etc/passwd",
    ] {
        assert!(open(path).unwrap().is_err(), "{path}");
    }
    assert!(
        Folder::open(Path::new("/proc/self/fd"))
            .unwrap()
            .folder("0")
            .is_err()
    );
}
