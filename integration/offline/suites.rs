//! The three suites: every file belongs to one of them, and a test that needs the lab or the corpus is ignored without it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn package() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// Every file below a folder whose name ends in `.rs`, with `target` folders of cargo left out.
fn rust_files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path);
        }
    }
}

/// A file and every file that it includes as a module, as the compiler finds them. The modules of the root of a target, of
/// `mod.rs` and of files with `#[path]` are beside them, others in a folder with their own name.
fn modules(file: &Path, is_root: bool, found: &mut BTreeSet<PathBuf>) {
    let text =
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    if !found.insert(file.to_owned()) {
        return;
    }
    let folder = file.parent().unwrap();
    let below = if is_root {
        folder.to_owned()
    } else {
        file.with_extension("")
    };
    let mut path = None;
    for line in text.lines().map(str::trim) {
        if let Some(named) = line.strip_prefix("#[path = \"") {
            let named = folder.join(named.strip_suffix("\"]").unwrap());
            path = Some(named.canonicalize().unwrap());
        }
        let line = line.trim_start_matches("pub ");
        if let Some(name) = line
            .strip_prefix("mod ")
            .and_then(|rest| rest.strip_suffix(';'))
        {
            match path.take() {
                Some(path) => modules(&path, true, found),
                None => modules(&below.join(format!("{name}.rs")), false, found),
            }
        }
    }
}

/// The files that the Cargo.toml of a folder names as targets.
fn targets(folder: &Path) -> Vec<PathBuf> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let lists = ["test", "bench", "bin"].map(|kind| manifest.get(kind));
    let lists = lists
        .into_iter()
        .flatten()
        .flat_map(|list| list.as_array().unwrap());
    lists
        .chain(manifest.get("lib"))
        .map(|target| folder.join(target["path"].as_str().unwrap()))
        .collect()
}

#[test]
fn every_file_is_part_of_a_target() {
    let integration = package().join("integration");
    let mut all = BTreeSet::new();
    rust_files(&integration, &mut all);
    let mut used = BTreeSet::new();
    let fuzz = integration.join("fuzz");
    let library = vec![fuzz.join("lib.rs")];
    for target in [targets(&package()), targets(&fuzz), library].concat() {
        modules(&target, true, &mut used);
    }
    let unused: Vec<_> = all.difference(&used).collect();
    assert!(unused.is_empty(), "in no target: {unused:#?}");
}

/// Unsafe code is denied, except for the calls of libkrb5 that no crate has.
#[test]
fn unsafe_code_is_in_two_files() {
    let manifest = std::fs::read_to_string(package().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\nunsafe_code = \"deny\"\n"));
    let mut files = BTreeSet::new();
    rust_files(&package().join("src"), &mut files);
    files.retain(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        text.contains("unsafe_code") || text.contains("unsafe {") || text.contains("unsafe fn")
    });
    let kerberos = package().join("src/auth/kerberos");
    let allowed = ["default_cache.rs", "named_cache.rs"].map(|name| kerberos.join(name));
    assert_eq!(files, BTreeSet::from(allowed));
}

#[test]
fn there_are_three_suites() {
    let manifest = std::fs::read_to_string(package().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let suites: BTreeSet<_> = manifest["test"]
        .as_array()
        .unwrap()
        .iter()
        .map(|suite| suite["name"].as_str().unwrap())
        .collect();
    assert_eq!(suites, BTreeSet::from(["offline", "corpus", "live"]));
}

/// The lines after a test attribute, up to the function, which must contain the reason.
fn unmarked(text: &str, reasons: &[&str]) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut unmarked = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if !line.starts_with("#[test") && !line.starts_with("#[tokio::test") {
            continue;
        }
        let rest = lines.get(number + 1..).unwrap();
        let attributes = rest.iter().take_while(|line| line.starts_with("#["));
        let is_marked = attributes.clone().any(|attribute| {
            let reason = attribute
                .strip_prefix("#[ignore = \"")
                .and_then(|rest| rest.strip_suffix("\"]"));
            reason.is_some_and(|reason| reasons.contains(&reason))
        });
        if !is_marked {
            let function = rest.get(attributes.count()).unwrap_or(&"");
            unmarked.push((*function).to_owned());
        }
    }
    unmarked
}

#[test]
fn a_test_says_what_it_needs() {
    let suites: [(&str, &[&str]); 3] = [
        ("offline", &[]),
        ("corpus", &["needs GPOCTL_CORPUS"]),
        (
            "live",
            &["needs the lab", "needs the lab and GPOCTL_CORPUS"],
        ),
    ];
    for (suite, reasons) in suites {
        let mut files = BTreeSet::new();
        rust_files(&package().join("integration").join(suite), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let name = file.display();
            if reasons.is_empty() {
                assert!(!text.contains("\n#[ignore"), "{name} ignores a test");
                continue;
            }
            let found = unmarked(&text, reasons);
            assert!(
                found.is_empty(),
                "{name}: {found:#?} need one of {reasons:?}"
            );
            // The script omits this module where there is no corpus.
            let needs_both = text.contains("needs the lab and GPOCTL_CORPUS");
            assert_eq!(needs_both, file.ends_with("live/real_backups.rs"), "{name}");
        }
    }
}

/// A unit test is ignored for one of these reasons; none of them checks by itself whether it runs as root, and passes silently
/// if not.
#[test]
fn a_unit_test_that_needs_root_says_so() {
    let mut files = BTreeSet::new();
    rust_files(&package().join("src"), &mut files);
    let mut need_root = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.display();
        for line in text.lines().map(str::trim) {
            let Some(reason) = line.strip_prefix("#[ignore") else {
                assert!(!line.contains("geteuid().is_root()"), "{name}: {line}");
                continue;
            };
            let is_root = reason == " = \"needs root\"]";
            need_root += usize::from(is_root);
            assert!(
                is_root || reason.starts_with(" = \"run by "),
                "{name}: {line}"
            );
        }
    }
    assert!(need_root > 0);
}

#[test]
fn a_test_without_a_mark_is_found() {
    let text = "#[test]\nfn a() {}\n#[tokio::test]\n#[ignore = \"needs the lab\"]\nasync fn b() {}\n    #[test]\n    #[ignore]\n    fn c() {\n";
    assert_eq!(
        unmarked(text, &["needs the lab"]),
        ["fn a() {}", "fn c() {"]
    );
}
