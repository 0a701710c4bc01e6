//! Checks that what README.md names exists. The suite `live` runs the commands of its console blocks.

use std::path::Path;
use std::process::Command;

#[test]
fn every_script_package_and_command_that_the_readme_names_exists() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(repository.join("README.md")).unwrap();
    // Paths into the repository, in code and in links.
    let mut paths = 0;
    for word in text.split(|c: char| c.is_whitespace() || "`()\"'$;,=".contains(c)) {
        let inside = ["samba-testenv/", "integration/", ".ci/", "src/"]
            .iter()
            .any(|folder| word.starts_with(folder));
        if inside && !word.contains("NAME") {
            let path = repository.join(word.trim_end_matches('.'));
            assert!(
                path.exists(),
                "README.md names {word}, which does not exist"
            );
            paths += 1;
        }
    }
    assert!(paths >= 10, "only {paths} paths found");
    // The packages for building are those that `install` installs.
    let install = std::fs::read_to_string(repository.join("samba-testenv/install")).unwrap();
    let shown = text
        .lines()
        .find_map(|line| line.strip_prefix("sudo apt-get install "))
        .unwrap();
    let installed = install
        .lines()
        .find_map(|line| line.strip_prefix("to_build=(")?.strip_suffix(')'))
        .unwrap();
    assert_eq!(shown.trim(), installed);
    // The table lists every command, and no other.
    let help = Command::new(env!("CARGO_BIN_EXE_gpoctl"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut real: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    let mut named: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `gpoctl "))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`'))
        .filter_map(|code| code.strip_prefix("gpoctl "))
        .collect();
    real.sort_unstable();
    named.sort_unstable();
    assert!(!real.is_empty());
    assert_eq!(named, real);
}
