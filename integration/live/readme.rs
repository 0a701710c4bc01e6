//! The console blocks of README.md, typed against the lab as they are shown.
//!
//! In a `console` block, a line that begins with `$ ` is a command and the lines below it are its output. All commands run in
//! one shell, in the order of the file, because a reader types them one after the other. Numbers, identifiers and times differ
//! from run to run, so they compare equal; all else in the output must be what the README shows. `README_UPDATE=1` writes
//! the real output into the README instead.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::*;

/// A command of a console block.
struct Shown {
    /// Its line in the README, counted from 0.
    line: usize,
    command: String,
    /// The lines of the README that hold its output.
    output: std::ops::Range<usize>,
}

/// All commands of the console blocks.
fn shown(lines: &[&str]) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    let mut inside = false;
    for (number, line) in lines.iter().enumerate() {
        match (inside, *line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, line) => match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push(Shown {
                    line: number,
                    command: command.to_owned(),
                    output: number + 1..number + 1,
                }),
                (None, Some(last)) if last.output.is_empty() && last.command.ends_with('\\') => {
                    last.command += &format!("\n{line}");
                    last.output = number + 1..number + 1;
                }
                (None, Some(last)) => last.output.end = number + 1,
                (None, None) => assert!(line.is_empty(), "output before the first command"),
            },
            (false, _) => {}
        }
    }
    commands
}

/// What is the same from run to run: numbers, GUIDs and other identifiers become `#`, and columns are one space apart.
fn shape(line: &str) -> String {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shape = String::new();
    let mut rest = line.as_str();
    while let Some(first) = rest.chars().next() {
        let until = |end: fn(char) -> bool| rest.find(end).unwrap_or(rest.len());
        let word = until(|c| !c.is_ascii_alphanumeric());
        let digits = until(|c| !c.is_ascii_digit());
        let identifier = word >= 8 && rest.bytes().take(word).all(|b| b.is_ascii_hexdigit());
        let varies = if first == '{' && rest.find('}') == Some(37) {
            38
        } else if identifier {
            word
        } else {
            digits
        };
        shape.push(if varies > 0 { '#' } else { first });
        rest = rest.split_at(varies.max(first.len_utf8())).1;
    }
    shape
}

/// Runs the commands in one shell and returns the output and the exit status of each.
fn run(commands: &[Shown]) -> Vec<(Vec<String>, i32)> {
    const SCRIPT: &str = r#"
        exec 2>&1
        for command in "$@"; do
            printf '@@command\n'
            eval "$command"
            printf '@@status %d\n' "$?"
        done"#;
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    symlink(
        repository.join("samba-testenv"),
        folder.path().join("samba-testenv"),
    )
    .unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_gpoctl"));
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .args(["-c", SCRIPT, "README.md"])
        .args(commands.iter().map(|shown| &shown.command))
        .current_dir(folder.path())
        .env(
            "PATH",
            format!("{}:{path}", binary.parent().unwrap().display()),
        )
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("@@command\n")
        .skip(1)
        .map(|part| {
            let (said, status) = part.split_once("@@status ").unwrap();
            let said = said.lines().map(|line| line.trim_end().to_owned());
            (said.collect(), status.trim().parse().unwrap())
        })
        .collect()
}

#[test]
#[ignore = "needs the lab"]
fn the_commands_of_the_readme_do_what_it_shows() {
    let _alone = alone();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&readme).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let commands = shown(&lines);
    assert!(commands.len() >= 10, "the README has too few commands");
    let answers = run(&commands);
    assert_eq!(answers.len(), commands.len());
    let mut updated: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let mut wrong = String::new();
    // From the end, so that the lines of the commands that follow stay where they are.
    for (shown, (said, status)) in commands.iter().zip(&answers).rev() {
        let expected = &lines[shown.output.clone()];
        let same = expected
            .iter()
            .map(|line| shape(line))
            .eq(said.iter().map(|line| shape(line)));
        if !same {
            updated.splice(shown.output.clone(), said.iter().cloned());
        }
        if *status != 0 || !same {
            wrong += &format!(
                "README.md:{}: $ {}\nexit status {status}\n--- shown\n{}\n--- real\n{}\n\n",
                shown.line + 1,
                shown.command,
                expected.join("\n"),
                said.join("\n"),
            );
        }
    }
    if std::env::var_os("README_UPDATE").is_some() {
        std::fs::write(&readme, updated.join("\n") + "\n").unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}
