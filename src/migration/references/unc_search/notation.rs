//! The ways in which a text writes a UNC path.

use std::ops::Range;

use crate::model::unc_path::UncPath;

/// How a UNC path is written. Each is read as `\\server\share\…`, compared with the migration table as that, and written again as it
/// was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Notation {
    /// `\\server\share`
    Plain,
    /// `\\\\server\\share`: every backslash is doubled, as in JSON.
    Doubled,
    /// `\\?\UNC\server\share`: a Win32 file namespace, in any case; also with `.` instead of `?`.
    Extended,
    /// `//server/share`: Windows takes `/` for a separator.
    Slashes,
    /// `file://server/share` or `file:////server/share` [RFC 8089 appendix E.3]
    Url,
}

/// A UNC path in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct FoundPath {
    /// Where it is.
    pub span: Range<usize>,
    /// How it is written there.
    pub notation: Notation,
}

const EXTENDED: usize = r"\\?\UNC\".len();
const URL: &str = "file:";

impl Notation {
    /// The length of what precedes the name of the server, in a text that may be a path in this notation.
    pub(super) fn lead(self, text: &str) -> Option<usize> {
        let slashes = |text: &str| text.len() - text.trim_start_matches('/').len();
        match self {
            Self::Plain => Some(2),
            Self::Doubled => Some(4),
            Self::Extended => {
                let lead = text.get(..EXTENDED)?;
                let is_it = |form: &str| lead.eq_ignore_ascii_case(form);
                (is_it(r"\\?\UNC\") || is_it(r"\\.\UNC\")).then_some(EXTENDED)
            }
            Self::Slashes => (slashes(text) == 2).then_some(2),
            Self::Url => {
                let scheme = text.get(..URL.len())?;
                let count = slashes(text.get(URL.len()..)?);
                let is_it = scheme.eq_ignore_ascii_case(URL) && matches!(count, 2 | 4 | 5);
                is_it.then_some(URL.len() + count)
            }
        }
    }

    /// The path that is written like this; `None` when it is none.
    pub(in super::super) fn read(self, text: &str) -> Option<UncPath> {
        let body = text.get(self.lead(text)?..)?;
        let plain = match self {
            Self::Plain => return UncPath::in_setting(text),
            Self::Extended => body.to_owned(),
            Self::Doubled => {
                let single = body.replace(r"\\", r"\");
                let is_whole = single.replace('\\', r"\\") == body;
                is_whole.then_some(single)?
            }
            Self::Slashes => body.replace('/', r"\"),
            Self::Url => decoded(body)?.replace('/', r"\"),
        };
        format!(r"\\{plain}").parse().ok()
    }

    /// Writes a path instead of an old one. `None` when this notation cannot hold it.
    pub(in super::super) fn write(self, path: &str, old: &str) -> Option<String> {
        // Another UNC path, or a local one.
        let body = path.strip_prefix(r"\\");
        let lead = old.get(..self.lead(old)?)?;
        match (self, body) {
            (Self::Plain, _) => Some(path.to_owned()),
            (Self::Doubled, _) => Some(path.replace('\\', r"\\")),
            (Self::Extended, Some(body)) => Some([lead, body].concat()),
            // `\\?\C:\folder`
            (Self::Extended, None) => Some([lead.get(..4)?, path].concat()),
            (Self::Slashes, Some(body)) => Some([lead, &body.replace('\\', "/")].concat()),
            (Self::Slashes, None) => Some(path.replace('\\', "/")),
            (Self::Url, Some(body)) => Some([lead, &encoded(body)].concat()),
            (Self::Url, None) => None,
        }
    }
}

/// The rest of a variable such as `%DesktopDir%`, after its first percent sign.
fn variable(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let whole = text.get(..=end)?;
    (end > 2 && whole.ends_with('%')).then_some(whole)
}

/// The text of a URL path; `None` when it is not UTF-8, or holds what a path does not.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        if let Some(name) = variable(behind) {
            bytes.push(b'%');
            bytes.extend_from_slice(name.as_bytes());
            rest = behind.get(name.len()..)?;
            continue;
        }
        let digits = behind
            .get(..2)
            .filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..)?;
            }
            // A variable: `%USERNAME%`.
            None => {
                bytes.push(b'%');
                rest = behind;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(['?', '#', '\\'])).then_some(text)
}

/// The path as part of a URL: what would end it or mean something else there is escaped. A percent sign of a variable stays.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '\\' => out.push('/'),
            ' ' => out.push_str("%20"),
            '#' => out.push_str("%23"),
            c => out.push(c),
        }
    }
    out
}
