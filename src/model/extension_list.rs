//! `gPCMachineExtensionNames` and `gPCUserExtensionNames`.

use super::guid::Guid;

/// A list of client-side extensions and their tools: `[{CSE}{tool}…][…]` [MS-GPOL 2.2.4]. Keeps its text, because
/// clients compare it case-sensitively and an import writes the backup's list byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ExtensionList(String);

/// The text is not an extension list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a list of extensions of the form [{{CSE}}{{tool}}]", .0.escape_debug())]
pub struct InvalidExtensionList(String);

impl ExtensionList {
    /// Wraps the text unchanged, whether or not it is well formed; see [`ExtensionList::blocks`].
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, unchanged.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The list as clients and editors expect it: blocks, and the tools in them, in ascending order, GUIDs in upper case, no block
    /// twice. `None` when it already is, or is not a list.
    pub fn in_order(&self) -> Option<Self> {
        let mut merged: std::collections::BTreeMap<String, std::collections::BTreeSet<String>> =
            std::collections::BTreeMap::new();
        for (extension, tools) in self.blocks().ok()? {
            merged
                .entry(extension.to_string())
                .or_default()
                .extend(tools.iter().map(ToString::to_string));
        }
        let text: String = merged
            .iter()
            .map(|(extension, tools)| {
                let tools: String = tools.iter().map(String::as_str).collect();
                format!("[{extension}{tools}]")
            })
            .collect();
        (text != self.as_str().trim()).then(|| Self::new(text))
    }

    /// Whether the list has no extension: absent, empty, or the single space that some tools write instead.
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// The blocks: each CSE with its tools, in order.
    ///
    /// # Errors
    /// When the text is not of the form `[{GUID}{GUID}…]…`.
    pub fn blocks(&self) -> Result<Vec<(Guid, Vec<Guid>)>, InvalidExtensionList> {
        let bad = || InvalidExtensionList(self.0.clone());
        let mut blocks = Vec::new();
        let mut rest = self.0.trim();
        while !rest.is_empty() {
            let (block, after) = rest
                .strip_prefix('[')
                .and_then(|inner| inner.split_once(']'))
                .ok_or_else(bad)?;
            let mut guids = block
                .split_inclusive('}')
                .map(|text| text.parse::<Guid>().map_err(|_| bad()));
            let cse = guids.next().ok_or_else(bad)??;
            blocks.push((cse, guids.collect::<Result<Vec<_>, _>>()?));
            rest = after;
        }
        Ok(blocks)
    }

    /// Whether the list contains this CSE. A malformed list contains none.
    pub fn contains(&self, cse: Guid) -> bool {
        self.blocks()
            .is_ok_and(|blocks| blocks.iter().any(|(id, _)| *id == cse))
    }

    /// Whether the blocks are in ascending order of their CSE. Clients stop reading at the first block that is out of
    /// order.
    pub fn is_sorted(&self) -> bool {
        self.blocks()
            .is_ok_and(|blocks| blocks.is_sorted_by_key(|(cse, _)| cse.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_blocks() {
        let list = ExtensionList::new(
            "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{0F6B957D-509E-11D1-A7CC-0000F87571E3}][{827D319E-6EAC-11D2-A4EA-00C04F79F83A}{803E14A0-B4FB-11D0-A0D0-00A0C90F574B}]",
        );
        assert_eq!(list.blocks().unwrap().len(), 2);
        assert!(list.is_sorted());
        assert!(list.contains("827d319e-6eac-11d2-a4ea-00c04f79f83a".parse().unwrap()));
        assert!(ExtensionList::new(" ").is_empty());
        assert!(ExtensionList::new("[{35378EAC}").blocks().is_err());
        assert!(ExtensionList::new("[]").blocks().is_err());
    }

    #[test]
    fn lists_are_put_in_order() {
        let a = "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}";
        let b = "{827D319E-6EAC-11D2-A4EA-00C04F79F83A}";
        let (t, u) = (
            "{0F6B957D-509E-11D1-A7CC-0000F87571E3}",
            "{803E14A0-B4FB-11D0-A0D0-00A0C90F574B}",
        );
        let order = |text: &str| {
            ExtensionList::new(text)
                .in_order()
                .map(|list| list.as_str().to_owned())
        };
        let good = format!("[{a}{t}{u}][{b}{u}]");
        assert_eq!(order(&good), None);
        assert_eq!(order(""), None);
        assert_eq!(order("[broken"), None);
        for wrong in [
            format!("[{b}{u}][{a}{t}{u}]"),
            format!("[{a}{u}{t}][{b}{u}]"),
            good.to_lowercase(),
            format!("[{b}{u}][{a}{t}][{a}{u}]"),
        ] {
            assert_eq!(order(&wrong).as_deref(), Some(good.as_str()), "{wrong}");
        }
    }
}
