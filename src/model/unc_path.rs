//! UNC paths in settings and migration tables. They are text to compare and map; they are never opened.

use std::fmt;
use std::str::FromStr;

use super::guid::Guid;

/// A UNC path: `\\server\share` and the rest of the path. Keeps its text; variables such as `%USERNAME%` are part of
/// it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UncPath(String);

/// A path into the folder of a GPO in SYSVOL: `\\server\sysvol\domain\Policies\{GUID}` and the rest of the path
/// [MS-GPOL 2.2.4]. The parts are spelled as in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpoFolder<'a> {
    /// The server: a DC or the domain.
    pub server: &'a str,
    /// `sysvol`, in any case.
    pub share: &'a str,
    /// The DNS name of the domain.
    pub domain: &'a str,
    /// `Policies`, in any case.
    pub policies: &'a str,
    /// The GPO.
    pub guid: Guid,
    /// The rest after the GUID: begins with a backslash, or is empty.
    pub rest: &'a str,
}

/// The text is not a UNC path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a UNC path of the form \\\\server\\share", .0.escape_debug())]
pub struct InvalidUncPath(String);

impl UncPath {
    /// The path, unchanged.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The server: the first component.
    pub fn server(&self) -> &str {
        self.components().next().unwrap_or_default()
    }

    /// The share: the second component.
    pub fn share(&self) -> &str {
        self.components().nth(1).unwrap_or_default()
    }

    /// Parses a path in a setting: like a path in a table, except that separators after the share may be doubled, as
    /// Windows accepts them. The spelling is kept. `None` for any other text.
    pub fn in_setting(text: &str) -> Option<Self> {
        if let Ok(path) = text.parse() {
            return Some(path);
        }
        let (server, rest) = text.strip_prefix("\\\\")?.split_once('\\')?;
        let share = rest.split('\\').next()?;
        format!("\\\\{server}\\{share}").parse::<Self>().ok()?;
        (!rest.contains(|c: char| c.is_control() || c == '/')).then(|| Self(text.to_owned()))
    }

    /// The components after the leading backslashes, without a trailing backslash.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        let bare = self.0.strip_prefix("\\\\").unwrap_or(&self.0);
        bare.split('\\').filter(|part| !part.is_empty())
    }

    /// The parent folder, if it still has a share: the unit in which GPMC compares packages and scripts.
    pub fn parent(&self) -> Option<Self> {
        let components: Vec<&str> = self.components().collect();
        let (_, parent) = components.split_last()?;
        (parent.len() >= 2).then(|| Self(format!("\\\\{}", parent.join("\\"))))
    }

    /// The parts of a path into the folder of a GPO; `None` for any other path.
    pub fn gpo_folder(&self) -> Option<GpoFolder<'_>> {
        let mut parts = self.0.strip_prefix("\\\\")?.splitn(6, '\\');
        let (server, share, domain, policies) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let folder = parts.next()?;
        let fixed =
            share.eq_ignore_ascii_case("sysvol") && policies.eq_ignore_ascii_case("policies");
        let guid = folder.starts_with('{').then(|| folder.parse().ok())??;
        let rest = match parts.next() {
            // Includes the backslash before it.
            Some(rest) => self.0.get(self.0.len() - rest.len() - 1..)?,
            None => "",
        };
        fixed.then_some(GpoFolder {
            server,
            share,
            domain,
            policies,
            guid,
            rest,
        })
    }

    /// The comparison key of a path: ignores case, doubled separators and a trailing backslash.
    pub fn folded(&self) -> String {
        let components: Vec<&str> = self.components().collect();
        format!("\\\\{}", components.join("\\")).to_lowercase()
    }

    /// The rest after `prefix`, when `prefix` is this path or a parent folder of it (whole components, ignoring case).
    /// The rest is empty or begins with a backslash, and keeps a trailing backslash.
    pub fn strip_prefix<'a>(&'a self, prefix: &Self) -> Option<&'a str> {
        let mut rest = self.0.strip_prefix("\\\\")?;
        for (index, wanted) in prefix.components().enumerate() {
            if index > 0 {
                rest = rest.strip_prefix('\\')?.trim_start_matches('\\');
            }
            let end = rest.find('\\').unwrap_or(rest.len());
            let (component, after) = rest.split_at_checked(end)?;
            if component.to_lowercase() != wanted.to_lowercase() {
                return None;
            }
            rest = after;
        }
        Some(rest)
    }
}

impl FromStr for UncPath {
    type Err = InvalidUncPath;

    /// Begins with exactly two backslashes and has a server and a share, none of its components empty; no `/`, no
    /// control characters. Device paths (`\\?\`, `\\.\`) are not UNC paths.
    fn from_str(text: &str) -> Result<Self, InvalidUncPath> {
        let bad = || InvalidUncPath(text.to_owned());
        let bare = text.strip_prefix("\\\\").ok_or_else(bad)?;
        let bare = bare.strip_suffix('\\').unwrap_or(bare);
        let components: Vec<&str> = bare.split('\\').collect();
        let whole = components.len() >= 2 && components.iter().all(|part| !part.is_empty());
        let device = matches!(components.first(), Some(&("?" | ".")));
        if !whole || device || text.chars().any(|c| c.is_control() || c == '/') {
            return Err(bad());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for UncPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UncPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unc(text: &str) -> UncPath {
        text.parse().unwrap()
    }

    #[test]
    fn parts_and_prefixes() {
        let path = unc(r"\\FS1\Homes$\%USERNAME%\Docs\");
        assert_eq!((path.server(), path.share()), ("FS1", "Homes$"));
        assert_eq!(
            path.strip_prefix(&unc(r"\\fs1\homes$")),
            Some(r"\%USERNAME%\Docs\")
        );
        assert_eq!(
            path.strip_prefix(&unc(r"\\fs1\homes$\%username%\docs")),
            Some(r"\")
        );
        assert_eq!(path.strip_prefix(&unc(r"\\fs1\home")), None);
        assert_eq!(unc(r"\\a\b\c.msi").parent(), Some(unc(r"\\a\b")));
        assert_eq!(unc(r"\\a\b").parent(), None);
        assert_eq!(unc(r"\\A\B\").folded(), unc(r"\\a\b").folded());
    }

    #[test]
    fn separators_may_be_doubled_in_a_setting() {
        let path = UncPath::in_setting(r"\\Old\share\\a\\b.cmd").unwrap();
        assert_eq!(path.as_str(), r"\\Old\share\\a\\b.cmd");
        assert_eq!(path.folded(), r"\\old\share\a\b.cmd");
        assert_eq!(path.parent(), Some(unc(r"\\Old\share\a")));
        assert_eq!(path.strip_prefix(&unc(r"\\old\share")), Some(r"\\a\\b.cmd"));
        assert_eq!(path.strip_prefix(&unc(r"\\old\share\a")), Some(r"\\b.cmd"));
        for text in [r"\\\\a\b", r"\\a\\b", r"\\a\b/c", r"\\.\b\\c", r"a\\b"] {
            assert_eq!(UncPath::in_setting(text), None, "{text}");
        }
    }

    #[test]
    fn folders_of_gpos() {
        let guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}";
        let text = format!(r"\\DC1\SysVol\a.test\policies\{guid}\User\x y.bat");
        let path = unc(&text);
        let folder = path.gpo_folder().unwrap();
        assert_eq!(
            (folder.server, folder.share, folder.domain, folder.policies),
            ("DC1", "SysVol", "a.test", "policies")
        );
        assert_eq!(folder.guid, guid.parse().unwrap());
        assert_eq!(folder.rest, r"\User\x y.bat");
        for (end, rest) in [("", ""), (r"\", r"\")] {
            let path = unc(&format!(r"\\a\sysvol\a\Policies\{guid}{end}"));
            assert_eq!(path.gpo_folder().unwrap().rest, rest);
        }
        for other in [
            r"\\a\sysvol\a\Policies".to_owned(),
            r"\\a\sysvol\a\Policies\PolicyDefinitions".to_owned(),
            format!(r"\\a\netlogon\a\Policies\{guid}"),
            format!(r"\\a\sysvol\a\scripts\{guid}"),
            r"\\a\sysvol\a\Policies\31B2F340-016D-11D2-945F-00C04FB984F9".to_owned(),
        ] {
            assert_eq!(unc(&other).gpo_folder(), None, "{other}");
        }
    }

    #[test]
    fn rejects_invalid_unc_paths() {
        for text in [
            "",
            r"\a\b",
            r"\\a",
            r"\\a\",
            r"\\\a\b",
            r"\\a\\b",
            r"\\?\C:\x",
            "//a/b",
            "\\\\a\\b\n",
        ] {
            assert!(text.parse::<UncPath>().is_err(), "{text:?}");
        }
    }
}
