//! Words that somebody else has chosen, where a shell or a terminal gets them: completions, and arguments in errors.

use std::process::Command;

use crate::support::*;

const GUID: &str = "{31B2F340-016D-11D2-945F-00C04FB984F9}";

/// What is offered in place of the name of a GPO of this name.
fn offered(shell: &str, name: &str) -> Vec<String> {
    let cache = tempfile::tempdir_in(scratch()).unwrap();
    let folder = cache.path().join("gpoctl/gpos");
    std::fs::create_dir_all(&folder).unwrap();
    let known = serde_json::json!([{ "guid": GUID, "name": name }]);
    std::fs::write(folder.join("src.test.json"), known.to_string()).unwrap();
    let words = ["--", "gpoctl", "show", "--domain", "src.test", ""];
    let said: Said = command(&words)
        .env("XDG_CACHE_HOME", cache.path())
        .env("XDG_CONFIG_HOME", cache.path())
        .env("_GPOCTL_COMPLETE", shell)
        .env("_CLAP_COMPLETE_INDEX", "4")
        .output()
        .unwrap()
        .into();
    assert_eq!(said.status, 0, "{}", said.stderr);
    let options = |line: &&str| !line.starts_with('-');
    said.stdout
        .lines()
        .filter(options)
        .map(str::to_owned)
        .collect()
}

/// The names that a shell would take for code, and how each shell is offered them. zsh (compadd without -Q), fish and elvish quote
/// what they insert; zsh takes off one level of backslashes before.
#[test]
fn a_name_is_no_code_for_any_shell() {
    let code = "x; touch /tmp/pwned #";
    let quotes = "it's $(id) ‘x’";
    let double = "a\" --yes \"b";
    let backslash = "a b\\";
    let at_the_beginning = "~root";
    for (shell, name, expected) in [
        ("bash", code, r"x\;\ touch\ /tmp/pwned\ \#"),
        ("bash", quotes, r"it\'s\ \$\(id\)\ ‘x’"),
        ("bash", double, r#"a\"\ --yes\ \"b"#),
        ("bash", at_the_beginning, r"\~root"),
        ("powershell", code, "'x; touch /tmp/pwned #'"),
        ("pwsh", quotes, "'it''s $(id) ‘‘x’’'"),
        // A program gets these as several words, or the rest of the line, from PowerShell before 7.3.
        (
            "powershell",
            double,
            "'{31B2F340-016D-11D2-945F-00C04FB984F9}'",
        ),
        (
            "powershell",
            backslash,
            "'{31B2F340-016D-11D2-945F-00C04FB984F9}'",
        ),
        ("powershell", at_the_beginning, "'~root'"),
        ("powershell", "Kiosk-2", "Kiosk-2"),
        ("zsh", code, code),
        ("zsh", quotes, quotes),
        ("zsh", backslash, "a b\\\\"),
        ("fish", code, code),
        ("fish", quotes, quotes),
        ("elvish", code, code),
        ("elvish", quotes, quotes),
    ] {
        assert_eq!(offered(shell, name), [expected], "{shell}: {name}");
    }
    // What bash makes of it is the name.
    for name in [code, quotes, double, backslash, at_the_beginning] {
        let line = format!("printf %s {}", offered("bash", name)[0]);
        let output = Command::new("bash").args(["-c", &line]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), name);
    }
}

/// clap repeats what was typed, in an error of its own form.
#[test]
fn an_argument_forges_nothing_in_an_error_of_the_command_line() {
    let hostile = "b\nforged\u{202e}\u{1b}[2J\u{2028}";
    let escaped = r"b\nforged\u{202e}\u{1b}[2J\u{2028}";
    let option = format!("--{hostile}");
    let value = format!("--timeout={hostile}");
    let keep = format!("--keep-last={hostile}");
    let scope = format!("--scope={hostile}");
    for arguments in [
        vec!["show", "a", hostile],
        vec![hostile],
        vec!["backups", hostile],
        vec!["show", "a", &option],
        vec!["show", "a", &value],
        vec!["list", &option],
        vec!["set-status", "a", hostile],
        vec!["import", "a", "--into", "b", &scope],
        vec!["backups", "prune", "x", &keep],
    ] {
        let said = gpoctl(&arguments);
        let what = format!("{arguments:?}: {}", said.stderr);
        assert_eq!(said.status, 2, "{what}");
        let bad = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2028}');
        assert!(!said.stderr.contains(bad), "{what:?}");
        assert!(!said.stderr.contains("\nforged"), "{what}");
        assert!(said.stderr.contains(escaped), "{what}");
    }
    // Help is as before: it has lines of its own.
    let help = gpoctl(&["show", "--help"]);
    assert_eq!(help.status, 0);
    assert!(help.stdout.lines().count() > 10 && !help.stdout.contains("\\n"));
}
