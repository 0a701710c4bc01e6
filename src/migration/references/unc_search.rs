//! Finds UNC paths in free text: their start and their end.
//!
//! All functions run in linear time: text that was examined for one candidate is not examined again for the next.

use std::ops::Range;

use crate::model::unc_path::UncPath;

const BLANKS: [char; 2] = [' ', '\t'];

/// The UNC paths in a text (the whole text, or words, quoted or not), and the spans that look like UNC paths in an
/// unknown notation.
pub(super) fn unc_paths(text: &str) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let mut found = Vec::new();
    let mut unread = Vec::new();
    let indent = text.len() - text.trim_start_matches(BLANKS).len();
    let mut position = 0;
    while let Some(offset) = text.get(position..).and_then(|rest| rest.find("\\\\")) {
        let start = position + offset;
        let before = text.get(..start).unwrap_or_default();
        let rest = text.get(start..).unwrap_or_default();
        let backslashes = rest.len() - rest.trim_start_matches('\\').len();
        position = start + backslashes;
        if !may_begin_after(before) || (backslashes != 2 && !looks_like_unc_path(rest)) {
            continue;
        }
        let length = path_length(before, rest, start == indent);
        let path = rest.get(..length).unwrap_or_default();
        match leading_unc_path(path).filter(|_| backslashes == 2) {
            Some((path, _)) => found.push(start..start + path.as_str().len()),
            None if looks_like_unc_path(rest) => unread.push(start..start + length),
            None => {}
        }
        position = position.max(start + length);
    }
    (found, unread)
}

/// Whether a path may begin after this text. Two backslashes within a word or a local path do not begin one.
fn may_begin_after(before: &str) -> bool {
    let mut back = before.chars().rev();
    match back.next() {
        None => true,
        // `/log:\\srv\share` begins a path, `C:\\folder` does not.
        Some(':') => match back.next() {
            Some(c) if c.is_ascii_alphabetic() => back.next().is_some_and(char::is_alphanumeric),
            _ => true,
        },
        Some(c) => {
            !c.is_alphanumeric()
                && !matches!(c, '%' | '}' | ')' | '_' | '-' | '.' | '$' | '/' | '*' | '?')
        }
    }
}

/// The length of the path at the start of `rest`, which begins with two backslashes. `is_start`: only blanks are before
/// it.
fn path_length(before: &str, rest: &str, is_start: bool) -> usize {
    let quote = before
        .chars()
        .next_back()
        .filter(|c| matches!(c, '"' | '\''));
    let quoted = quote
        .and_then(|quote| rest.split_once(quote))
        .map(|(inside, _)| inside);
    if let Some(inside) = quoted.filter(|inside| is_path_with_blanks(inside)) {
        return inside.len();
    }
    if is_start {
        let whole = rest.trim_end_matches(BLANKS);
        // The icon of a shortcut or file type: a file and a number.
        let icon = whole.rsplit_once(',').filter(|(_, number)| {
            let digits = number.strip_prefix('-').unwrap_or(number);
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        });
        let path = icon.map_or(whole, |(path, _)| path);
        if is_path_with_blanks(path) {
            return path.len();
        }
        if let Some(length) = program_length(rest) {
            return length;
        }
    }
    if let Some(length) = value_length(before, rest) {
        return length;
    }
    let open = before.chars().next_back();
    quoted
        .unwrap_or(rest)
        .find(|c: char| {
            c.is_whitespace()
                || c.is_control()
                || matches!(c, '"' | '|' | ';' | ',' | '<' | '>')
                || (c == ')' && open == Some('('))
                || (c == ']' && open == Some('['))
        })
        .unwrap_or(quoted.unwrap_or(rest).len())
}

/// The extensions of programs.
const PROGRAMS: &[&str] = &[
    ".exe", ".bat", ".cmd", ".com", ".msi", ".ps1", ".vbs", ".js",
];

/// The length of the program's path at the start of a command line. Like Windows, treats blanks in an unquoted path as
/// part of it until a program is found.
fn program_length(command: &str) -> Option<usize> {
    let lower = command.to_ascii_lowercase();
    let ends = PROGRAMS
        .iter()
        .flat_map(|end| lower.match_indices(end).map(|(at, _)| at + end.len()));
    let first = ends
        .filter(|end| {
            let after = command.get(*end..).unwrap_or_default();
            after.is_empty() || after.starts_with([' ', '\t'])
        })
        .min()?;
    is_path_with_blanks(command.get(..first)?).then_some(first)
}

/// The length of a path that is the value of `key=` in a list of such values: `type=VHD,path=\\server\share`.
fn value_length(before: &str, rest: &str) -> Option<usize> {
    let separators = [',', ';', '|'];
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    // Search backwards: the list may be long, and this runs for every path in it.
    let item = before.strip_suffix('=')?;
    let above = item.trim_end_matches(name);
    if above.len() == item.len() {
        return None;
    }
    let above = above.trim_end_matches(BLANKS);
    if !(above.is_empty() || above.ends_with(separators)) {
        return None;
    }
    let value = rest.split(separators).next()?;
    let value = value.trim_end_matches(BLANKS);
    (!value.contains('=') && is_path_with_blanks(value)).then_some(value.len())
}

/// Whether a text that may contain blanks is one path, not a command with arguments or a list.
fn is_path_with_blanks(text: &str) -> bool {
    if text.contains(['"', '|', ';', ',', '<', '>']) || text.contains(" -") {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let command = PROGRAMS.iter().any(|end| {
        lower.match_indices(end).any(|(at, _)| {
            lower
                .get(at + end.len()..)
                .is_some_and(|rest| rest.starts_with(' '))
        })
    });
    !command && UncPath::in_setting(text).is_some()
}

/// Splits a text into a UNC path with a server and the rest from its first `/`, which Windows treats as a separator or
/// which begins an argument. `\\*\SYSVOL` means every server and is not a reference.
pub(super) fn leading_unc_path(text: &str) -> Option<(UncPath, &str)> {
    let (head, tail) = text.split_at_checked(text.find('/').unwrap_or(text.len()))?;
    let path = UncPath::in_setting(head)?;
    (!path.server().contains(['*', '?'])).then_some((path, tail))
}

/// The folder of a file whose path was split by [`leading_unc_path`].
pub(super) fn unit_of(head: &UncPath, tail: &str) -> UncPath {
    let folder = head.parent().filter(|_| tail.is_empty());
    folder.unwrap_or_else(|| head.clone())
}

/// Whether a text begins like a UNC path in any notation: with all backslashes doubled as in JSON, or with `/` after
/// the server.
pub(super) fn looks_like_unc_path(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(r"\\") else {
        return false;
    };
    let rest = rest.trim_start_matches('\\');
    let Some((server, rest)) = rest.split_once(['\\', '/']) else {
        return false;
    };
    let host = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let share = rest.trim_start_matches(['\\', '/']);
    server.starts_with(char::is_alphanumeric)
        && server.chars().all(host)
        && share.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '%' | '$' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let (paths, _) = unc_paths(text);
        paths
            .into_iter()
            .map(|span| text.get(span).unwrap())
            .collect()
    }

    #[test]
    fn finds_unc_paths_and_nothing_else() {
        for (text, expected) in [
            (
                r"\\s\share\My Folder\x.xml",
                vec![r"\\s\share\My Folder\x.xml"],
            ),
            (r"  \\s\a b  ", vec![r"\\s\a b"]),
            (r"\\s\a\x.exe arg", vec![r"\\s\a\x.exe"]),
            (r"\\s\a\x -arg", vec![r"\\s\a\x"]),
            (r"\\s\a\x /arg", vec![r"\\s\a\x"]),
            (r"\\s\a\x.exe/arg", vec![r"\\s\a\x.exe"]),
            (r"\\s\a/x.cmd", vec![r"\\s\a"]),
            (r"\\s\a\\x.cmd", vec![r"\\s\a\\x.cmd"]),
            (r"x /log:\\s\a\\my", vec![r"\\s\a\\my"]),
            (
                r#""\\s\a b\x.exe" /log:\\t\b\"#,
                vec![r"\\s\a b\x.exe", r"\\t\b\"],
            ),
            (r"\\s\a;\\t\b, c", vec![r"\\s\a", r"\\t\b"]),
            (r"type=VHD,path=\\s\a", vec![r"\\s\a"]),
            (r"|App=\\s\x.exe|Name=y|", vec![r"\\s\x.exe"]),
            (r"x (\\s\a) y", vec![r"\\s\a"]),
            (r"'\\s\a b' x", vec![r"\\s\a b"]),
            (r"\\*\SYSVOL", vec![]),
            (r"\\*\NETLOGON", vec![]),
            (r"\\s\*", vec![r"\\s\*"]),
            (
                r"\\s\my dir\my app.exe /q -x \\t\log",
                vec![r"\\s\my dir\my app.exe", r"\\t\log"],
            ),
            (r"\\s\my dir\x.cmd", vec![r"\\s\my dir\x.cmd"]),
            (r"\\s\a.exe.config x", vec![r"\\s\a.exe.config x"]),
            (r"\\s\my icons\x.ico,-3", vec![r"\\s\my icons\x.ico"]),
            (r"type=VHD,path=\\s\my disks;mode=1", vec![r"\\s\my disks"]),
            (r"x /to=\\s\a b", vec![r"\\s\a"]),
            (r"T=\\s\a R=b", vec![r"\\s\a"]),
            (r"C:\\a\\b\c", vec![]),
            (r"%x%\\a\b", vec![]),
            (r"\\\\s\\a", vec![]),
            (r"\\?\C:\a", vec![]),
            (r"\\s", vec![]),
            ("file://s/a", vec![]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }
}
