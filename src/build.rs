//! The build script: `GPOCTL_VERSION` is what `gpoctl --version` prints, with the commit in a checkout (`0.1.0 (1a2b3c4d5e6f)`)
//! and without it in a packaged crate (`0.1.0`). It depends on nothing but the commit, so a build can be reproduced.

use std::path::Path;
use std::process::Command;

/// The answer of git about this folder, if there is a git and it has one.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The commit of this checkout. The crate may lie in the repository of something else, whose commits say nothing about it.
fn commit() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let same = Path::new(&top).canonicalize().ok()? == Path::new(&here).canonicalize().ok()?;
    same.then(|| git(&["rev-parse", "--short=12", "HEAD"]))
        .flatten()
}

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    // For builds where git is not at hand, such as those of the packages in their containers.
    println!("cargo::rerun-if-env-changed=GPOCTL_COMMIT");
    let given = std::env::var("GPOCTL_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty());
    let commit = given.or_else(commit);
    if commit.is_some() {
        // HEAD moves with a checkout, its log with a commit as well. A path that does not exist would rebuild every time.
        for file in ["HEAD", "logs/HEAD"] {
            let path = git(&["rev-parse", "--git-path", file]);
            if let Some(path) = path.filter(|path| Path::new(path).exists()) {
                println!("cargo::rerun-if-changed={path}");
            }
        }
    }
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match commit {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=GPOCTL_VERSION={version}");
}
