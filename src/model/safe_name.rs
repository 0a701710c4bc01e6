//! File names and relative paths that are safe to join. A name from a server or a backup becomes part of a path only
//! through these types.

use std::fmt;
use std::str::FromStr;

/// One component of a path below a GPO's folder: not empty, not `.` or `..`, no separator, no control character, no
/// stream (`:`), no wildcard, no trailing dot or space, no device name, at most 255 UTF-16 units [MS-FSCC 2.1.5.2].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeName(String);

/// The name cannot be a component of a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a safe file name: {reason}", name.escape_debug())]
pub struct UnsafeName {
    name: String,
    reason: &'static str,
}

impl SafeName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`UnsafeName`] when the name could escape its folder, name a stream or a device, or hide text on a terminal.
    pub fn new(name: &str) -> Result<Self, UnsafeName> {
        let reason = if name.is_empty() {
            "it is empty"
        } else if name == "." || name == ".." {
            "it names another folder"
        } else if name.contains(['/', '\\']) {
            "it contains a path separator"
        } else if name.contains(['<', '>', ':', '"', '|', '?', '*']) {
            "it contains a character that Windows forbids"
        } else if name.chars().any(char::is_control) {
            "it contains a control character"
        } else if name.ends_with(['.', ' ']) {
            "it ends with a dot or a space"
        } else if name.encode_utf16().count() > 255 {
            "it is longer than 255 characters"
        } else if is_device(name) {
            "it names a device"
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(UnsafeName {
            name: name.to_owned(),
            reason,
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The case-folded name: equal for names that are the same on an SMB server.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

/// Whether Windows treats the name as a device, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let upper = stem.to_ascii_uppercase();
    match upper.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        _ => upper
            .strip_prefix("COM")
            .or_else(|| upper.strip_prefix("LPT"))
            .is_some_and(|n| matches!(n.as_bytes(), [b'0'..=b'9'])),
    }
}

impl fmt::Display for SafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A path below a GPO's folder, made of safe names; empty for the folder itself. Displays with backslashes, as GPMC writes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RelPath(Vec<SafeName>);

impl RelPath {
    /// The maximum number of components.
    pub const MAX_DEPTH: usize = 64;

    /// The folder itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The components, top first.
    pub fn components(&self) -> &[SafeName] {
        &self.0
    }

    /// Appends one component.
    #[must_use]
    pub fn join(&self, name: SafeName) -> Self {
        let mut components = self.0.clone();
        components.push(name);
        Self(components)
    }

    /// The parent folder; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }

    /// The last component; `None` for the root.
    pub fn name(&self) -> Option<&SafeName> {
        self.0.last()
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The first component, such as `Machine`; `None` for the root.
    pub fn first(&self) -> Option<&SafeName> {
        self.0.first()
    }

    /// The path with forward slashes.
    pub fn to_slashes(&self) -> String {
        self.joined("/")
    }

    /// The path in lower case with forward slashes: equal for paths that are the same on an SMB server.
    pub fn folded(&self) -> String {
        self.to_slashes().to_lowercase()
    }

    /// Whether this is the other path, or below it, ignoring case.
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        let (own, other) = (self.folded(), other.folded());
        match own.strip_prefix(&other) {
            Some(rest) => other.is_empty() || rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    /// Whether this path equals `other` without regard to case; `other` may use either separator.
    pub fn is(&self, other: &str) -> bool {
        self.folded() == other.replace('\\', "/").to_lowercase()
    }

    fn joined(&self, separator: &str) -> String {
        self.0
            .iter()
            .map(SafeName::as_str)
            .collect::<Vec<_>>()
            .join(separator)
    }
}

impl FromStr for RelPath {
    type Err = UnsafeName;

    /// Components between `\` or `/`; the empty text is the root.
    fn from_str(text: &str) -> Result<Self, UnsafeName> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        let components = text
            .split(['\\', '/'])
            .map(SafeName::new)
            .collect::<Result<Vec<_>, _>>()?;
        if components.len() > Self::MAX_DEPTH {
            return Err(UnsafeName {
                name: text.to_owned(),
                reason: "it is nested too deeply",
            });
        }
        Ok(Self(components))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined("\\"))
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

serde_as_text!(RelPath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_path() {
        let path = |text: &str| text.parse::<RelPath>().unwrap();
        let is_below = |one: &str, other: &str| path(one).is_at_or_below(&path(other));
        assert!(is_below("Machine/Scripts", "machine"));
        assert!(is_below("MACHINE", "machine") && is_below("Machine", ""));
        assert!(!is_below("Machine", "Machine/Scripts"));
        assert!(!is_below("Machine2/a", "Machine") && !is_below("User", "Machine"));
    }

    #[test]
    fn accepts_real_names() {
        for name in [
            "Machine",
            "Documents & Settings",
            "GPO.cmt",
            "a%41b",
            "Büro, Nord.xml",
            ".hidden",
            "{31B2F340-016D-11D2-945F-00C04FB984F9}.aas",
        ] {
            assert!(SafeName::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn rejects_unsafe_names() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a\\b",
            "a:b",
            "a\0",
            "a\u{1b}[2J",
            "a.",
            "a ",
            "NUL",
            "nul.txt",
            "COM1",
            "a*",
            "a?",
        ] {
            assert!(SafeName::new(name).is_err(), "{name:?}");
        }
        for path in ["..\\x", "a\\..\\b", "\\a", "a\\", "a\\\\b", "C:\\a"] {
            assert!(path.parse::<RelPath>().is_err(), "{path}");
        }
    }

    #[test]
    fn compares_paths_without_case() {
        let path: RelPath = "Machine\\microsoft\\Windows NT".parse().unwrap();
        assert!(path.is("MACHINE/Microsoft/windows nt"));
        assert_eq!(path.to_string(), "Machine\\microsoft\\Windows NT");
        assert_eq!(path.parent().unwrap().to_slashes(), "Machine/microsoft");
    }
}
