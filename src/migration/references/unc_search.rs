//! Finds UNC paths in free text: their start and their end.
//!
//! A path begins at the start of a text or line, or after a blank, a quotation mark or a character that separates: `=`, `,`, `;`, `|`,
//! `(`, `[`, `<`, `>`, `&`; after the colon of `/log:`, and directly after a switch such as `/o` or `-o`. It does not begin within a word
//! or a local path (`C:\\a`).
//!
//! It ends
//! - in quotation marks, at the closing one;
//! - as the whole text or line, at its end, with blanks in it, unless that is a command or list: a program followed by a blank, another
//!   path or a local path after a blank, a switch (` -x`, ` /x`), ` %TEMP%\`, `&&`, or one of `"`, `|`, `;`, `<`, `>`; a comma only if
//!   what follows it belongs to the path (`\\s\Sales, EMEA\x`);
//! - as the program of a command, after `.exe` or the like, with blanks before it;
//! - as the value of `key=` in a list of these, at `,`, `;` or `|`;
//! - otherwise at a blank, `"`, `|`, `;`, `,`, `<`, `>`, `&&`, or the bracket that closes the one before it.
//!
//! Dots and colons at its end do not belong to it: Windows ignores them, or does not allow them. Nor does a closing bracket that is
//! opened nowhere in it.
//!
//! All functions run in linear time: text that was examined for one candidate is not examined again for the next.

mod notation;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(super) use self::notation::{FoundPath, Notation};
use crate::model::unc_path::UncPath;

const BLANKS: [char; 2] = [' ', '\t'];

/// Of a path in Windows, in characters.
const LONGEST_PATH: usize = 32767;

/// The UNC paths in a text (the whole text, or words, quoted or not), and the spans that look like UNC paths in an
/// unknown notation.
pub(super) fn unc_paths(text: &str) -> (Vec<FoundPath>, Vec<Range<usize>>) {
    let mut found = Vec::new();
    let mut unread = Vec::new();
    let mut position = 0;
    while let Some(marker) = next_marker(text, position) {
        let Some(candidate) = candidate_at(text, marker) else {
            let rest = text.get(marker..).unwrap_or_default();
            let slash = rest.chars().next().unwrap_or('/');
            position = marker + rest.len() - rest.trim_start_matches(slash).len();
            continue;
        };
        let (start, notation) = (candidate.start, candidate.notation);
        let rest = text.get(start..).unwrap_or_default();
        let end = start + candidate.lead + candidate.length(text);
        let path = text.get(start..end).unwrap_or_default();
        let read = match notation {
            Notation::Plain => leading_unc_path(path).map(|(path, _)| path.as_str().len()),
            _ => notation
                .read(path)
                .filter(names_a_server)
                .map(|_| path.len()),
        };
        match read {
            Some(length) => {
                let length = without_end(text.get(start..start + length).unwrap_or_default());
                found.push(FoundPath {
                    span: start..start + length,
                    notation,
                });
            }
            None if looks_like_unc_path(rest) || notation == Notation::Url => {
                unread.push(start..end);
            }
            None => {}
        }
        position = end.max(start + candidate.lead);
    }
    (found, unread)
}

/// Where the next `\\` or `//` is.
fn next_marker(text: &str, position: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(position..)?;
    let is_marker = |pair: &[u8]| matches!(pair, [b'\\', b'\\'] | [b'/', b'/']);
    Some(position + bytes.windows(2).position(is_marker)?)
}

/// Text that may be a path.
struct Candidate {
    start: usize,
    notation: Notation,
    /// How many bytes precede the name of the server.
    lead: usize,
}

/// What may begin at two backslashes or slashes.
fn candidate_at(text: &str, marker: usize) -> Option<Candidate> {
    let before = text.get(..marker).unwrap_or_default();
    let rest = text.get(marker..).unwrap_or_default();
    let of = |start: usize, notation: Notation| {
        let lead = notation.lead(text.get(start..)?)?;
        Some(Candidate {
            start,
            notation,
            lead,
        })
    };
    if rest.starts_with('/') {
        let scheme = "file:".len();
        let is_url = before
            .get(before.len().saturating_sub(scheme)..)
            .is_some_and(|it| it.eq_ignore_ascii_case("file:"));
        let start = marker.saturating_sub(scheme * usize::from(is_url));
        let before = text.get(..start).unwrap_or_default();
        return match is_url {
            true => of(start, Notation::Url).filter(|_| may_begin_after(before)),
            false => of(start, Notation::Slashes)
                .filter(|_| may_begin_slashes_after(before) && looks_like_slashes(rest)),
        };
    }
    let backslashes = rest.len() - rest.trim_start_matches('\\').len();
    let begins = may_begin_after(before) || (follows_switch(before) && looks_like_unc_path(rest));
    if !begins {
        return None;
    }
    match backslashes {
        2 => of(marker, Notation::Extended).or_else(|| of(marker, Notation::Plain)),
        4 if looks_like_unc_path(rest) => of(marker, Notation::Doubled),
        _ if looks_like_unc_path(rest) => of(marker, Notation::Plain),
        _ => None,
    }
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

/// Whether `//server` may begin after this text. It does not in an address such as `http://server`.
fn may_begin_slashes_after(before: &str) -> bool {
    let last = before.chars().next_back();
    last.is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | ';' | ',' | '|'))
}

/// Whether a text ends with a switch of one letter, after which a value may follow directly: `/o\\srv\share`.
fn follows_switch(before: &str) -> bool {
    let mut back = before.chars().rev();
    let letter = back.next().is_some_and(|c| c.is_ascii_alphabetic());
    letter
        && matches!(back.next(), Some('/' | '-'))
        && back.next().is_none_or(|c| BLANKS.contains(&c))
}

/// The quotation mark that closes one.
fn closing(quote: char) -> Option<char> {
    match quote {
        '"' | '\'' | '`' => Some(quote),
        '“' | '„' => Some('”'),
        '‘' => Some('’'),
        '«' => Some('»'),
        _ => None,
    }
}

impl Candidate {
    /// The length of the path behind what precedes the name of the server.
    fn length(&self, text: &str) -> usize {
        let before = text.get(..self.start).unwrap_or_default();
        let body = text.get(self.start + self.lead..).unwrap_or_default();
        let quoted = before.chars().next_back().and_then(|open| {
            let close = closing(open)?;
            // No path is longer; and no other one is examined more than once for this.
            let near = body.get(..body.floor_char_boundary(LONGEST_PATH))?;
            let (inside, end) = near.split_at_checked(near.find([open, close])?)?;
            end.starts_with(close).then_some(inside)
        });
        if let Some(inside) = quoted.filter(|inside| self.is_path_with_blanks(inside)) {
            return inside.len();
        }
        let line_start = before.trim_end_matches(BLANKS);
        if line_start.is_empty() || line_start.ends_with(['\r', '\n']) {
            let line = body.find(['\r', '\n']).unwrap_or(body.len());
            let line = body.get(..line).unwrap_or_default();
            let whole = line.trim_end_matches(BLANKS);
            // The icon of a shortcut or file type: a file and a number.
            let icon = whole.rsplit_once(',').filter(|(_, number)| {
                let digits = number.strip_prefix('-').unwrap_or(number);
                !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
            });
            let path = icon.map_or(whole, |(path, _)| path);
            if self.is_path_with_blanks(path) {
                return path.len();
            }
            if let Some(length) = self.program_length(line) {
                return length;
            }
        }
        if let Some(length) = self.value_length(before, body) {
            return length;
        }
        let inside = quoted.unwrap_or(body);
        let end = before.chars().next_back().and_then(closing_bracket);
        let ends = |(at, c): (usize, char)| {
            let is_end = c.is_whitespace()
                || c.is_control()
                || matches!(c, '"' | '|' | ';' | ',' | '<' | '>' | '”' | '»')
                || Some(c) == end
                || (c == '&' && inside.get(at..).is_some_and(|rest| rest.starts_with("&&")));
            is_end.then_some(at)
        };
        inside.char_indices().find_map(ends).unwrap_or(inside.len())
    }

    /// The length of the program's path at the start of a command line. Like Windows, treats blanks in an unquoted path as
    /// part of it until a program is found.
    fn program_length(&self, command: &str) -> Option<usize> {
        let first = program_ends(command).min()?;
        self.is_path_with_blanks(command.get(..first)?)
            .then_some(first)
    }

    /// The length of a path that is the value of `key=` in a list of such values: `type=VHD,path=\\server\share`.
    fn value_length(&self, before: &str, body: &str) -> Option<usize> {
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
        let value = body.split(separators).next()?;
        let value = value.trim_end_matches(BLANKS);
        (!value.contains('=') && self.is_path_with_blanks(value)).then_some(value.len())
    }

    /// Whether what follows the lead is one path, which may contain blanks, not a command with arguments or a list.
    fn is_path_with_blanks(&self, body: &str) -> bool {
        if body.contains(['"', '|', ';', '<', '>']) || body.contains("&&") {
            return false;
        }
        if program_ends(body).any(|end| end < body.len())
            || has_another_argument(body)
            || has_comma_of_list(body)
        {
            return false;
        }
        match self.notation {
            Notation::Plain => UncPath::in_setting(&format!(r"\\{body}")).is_some(),
            Notation::Extended => Notation::Extended
                .read(&format!(r"\\?\UNC\{body}"))
                .is_some(),
            Notation::Doubled => Notation::Doubled.read(&format!(r"\\\\{body}")).is_some(),
            Notation::Slashes => Notation::Slashes.read(&format!("//{body}")).is_some(),
            Notation::Url => Notation::Url.read(&format!("file://{body}")).is_some(),
        }
    }
}

fn closing_bracket(open: char) -> Option<char> {
    match open {
        '(' => Some(')'),
        '[' => Some(']'),
        '{' => Some('}'),
        _ => None,
    }
}

/// The extensions of programs.
const PROGRAMS: &[&str] = &[
    ".exe", ".bat", ".cmd", ".com", ".msi", ".ps1", ".vbs", ".js", ".wsf", ".hta", ".scr",
];

/// Where the names of programs end in a text.
fn program_ends(text: &str) -> impl Iterator<Item = usize> {
    let lower = text.to_ascii_lowercase();
    let ends: Vec<usize> = PROGRAMS
        .iter()
        .flat_map(|end| lower.match_indices(end).map(|(at, _)| at + end.len()))
        .collect();
    ends.into_iter().filter(|end| {
        let after = text.get(*end..).unwrap_or_default();
        after.is_empty() || after.starts_with(BLANKS)
    })
}

/// Variables that begin a local path.
const LOCAL_FOLDERS: &[&str] = &[
    "%temp%",
    "%tmp%",
    "%systemroot%",
    "%windir%",
    "%systemdrive%",
    "%programfiles",
    "%programdata%",
    "%userprofile%",
    "%appdata%",
    "%localappdata%",
    "%allusersprofile%",
    "%public%",
    "%homedrive%",
    "%commonprogramfiles",
];

/// Whether an argument follows after a blank: a switch, another path, or a local path.
fn has_another_argument(text: &str) -> bool {
    text.match_indices(BLANKS).any(|(at, blank)| {
        let next = text.get(at + blank.len()..).unwrap_or_default();
        let mut chars = next.chars();
        match (chars.next(), chars.next()) {
            (Some('-' | '/'), Some(c)) => c.is_alphanumeric() || matches!(c, '-' | '?'),
            (Some('\\'), Some('\\')) => true,
            (Some(c), Some(':')) => c.is_ascii_alphabetic(),
            (Some('%'), Some(_)) => LOCAL_FOLDERS.iter().any(|name| {
                next.get(..name.len())
                    .is_some_and(|it| it.eq_ignore_ascii_case(name))
            }),
            _ => false,
        }
    })
}

/// Whether a comma separates: nothing behind it belongs to the path, or another path begins there.
fn has_comma_of_list(text: &str) -> bool {
    let last = text.rfind(['\\', '/']).unwrap_or_default();
    text.match_indices(',').any(|(at, _)| {
        let next = text
            .get(at + 1..)
            .unwrap_or_default()
            .trim_start_matches(BLANKS);
        let is_path = next.starts_with(r"\\")
            || next.starts_with("//")
            || next.get(1..2) == Some(":")
            || next.starts_with('%');
        is_path || at > last
    })
}

/// The length of a path without what does not belong to it at its end.
fn without_end(path: &str) -> usize {
    let is_open = |open: char, close: char| {
        path.find(open)
            .is_some_and(|at| Some(at) < path.find(close))
    };
    let (round, square) = (is_open('(', ')'), is_open('[', ']'));
    let mut path = path;
    loop {
        let last = path.chars().next_back();
        let dots = path.trim_end_matches('.');
        path = match last {
            Some(':') => path.trim_end_matches(':'),
            Some(')') if !round => path.trim_end_matches(')'),
            Some(']') if !square => path.trim_end_matches(']'),
            // `\\server\share\..` is another folder.
            Some('.') if !dots.ends_with(['\\', '/']) => dots,
            _ => return path.len(),
        };
    }
}

/// `\\*\SYSVOL` means every server and is not a reference.
fn names_a_server(path: &UncPath) -> bool {
    !path.server().contains(['*', '?', ':'])
}

/// Splits a text into a UNC path with a server and the rest from its first `/`, which Windows treats as a separator or
/// which begins an argument. `\\*\SYSVOL` means every server and is not a reference.
pub(super) fn leading_unc_path(text: &str) -> Option<(UncPath, &str)> {
    let (head, tail) = text.split_at_checked(text.find('/').unwrap_or(text.len()))?;
    let path = UncPath::in_setting(head)?;
    names_a_server(&path).then_some((path, tail))
}

/// The folder of a file whose path was split by [`leading_unc_path`].
pub(super) fn unit_of(head: &UncPath, tail: &str) -> UncPath {
    let folder = head.parent().filter(|_| tail.is_empty());
    folder.unwrap_or_else(|| head.clone())
}

/// Whether a text begins like a UNC path in any notation: with all backslashes doubled as in JSON, or with `/` after
/// the server.
pub(super) fn looks_like_unc_path(text: &str) -> bool {
    let text = match Notation::Extended.lead(text) {
        Some(lead) => text.get(lead..),
        None => text.strip_prefix(r"\\"),
    };
    text.is_some_and(|text| looks_like_server(text.trim_start_matches('\\')))
}

/// Whether a text that should be one path is a UNC path in another notation than `\\server\share`.
pub(super) fn is_unusual_path(text: &str) -> bool {
    looks_like_unc_path(text) || looks_like_slashes(text) || Notation::Url.read(text).is_some()
}

/// Whether a text begins with `//`, a server and a share.
fn looks_like_slashes(text: &str) -> bool {
    let body = text.strip_prefix("//");
    body.is_some_and(|body| looks_like_server(body) && !body.starts_with('/'))
}

/// Whether a text begins with the names of a server and a share.
fn looks_like_server(text: &str) -> bool {
    let Some((server, rest)) = text.split_once(['\\', '/']) else {
        return false;
    };
    let host = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let share = rest.trim_start_matches(['\\', '/']);
    server.starts_with(char::is_alphanumeric)
        && server.chars().all(host)
        && share.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '%' | '$' | '_'))
}
