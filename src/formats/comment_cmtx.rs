//! comment.cmtx: the comments on settings of administrative templates. Clients do not read it.

use super::xml_tree::{self, InvalidXml};

/// The namespace of its elements.
pub const NAMESPACE: &str = "http://www.microsoft.com/GroupPolicy/CommentDefinitions";

/// A comment.cmtx, which returns the bytes it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comments {
    /// The comments, each with the identifier that its setting refers to.
    pub strings: Vec<(String, String)>,
    bytes: Vec<u8>,
}

impl Comments {
    /// Reads a file.
    ///
    /// # Errors
    /// [`InvalidXml`] when it is not well-formed or its root is not `policyComments`.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidXml> {
        let root = xml_tree::parse(bytes)?;
        root.expect(NAMESPACE, "policyComments")?;
        let strings = root
            .named("resources")
            .flat_map(|resources| resources.named("stringTable"))
            .flat_map(|table| table.named("string"))
            .map(|string| {
                let id = string.attribute("id").unwrap_or_default();
                (id.to_owned(), string.text())
            })
            .collect();
        Ok(Self {
            strings,
            bytes: bytes.to_vec(),
        })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_by_their_identifier() {
        let text = format!(
            "\u{feff}<?xml version='1.0' encoding='utf-8'?>\r\n<policyComments revision=\"1.0\" xmlns=\"{NAMESPACE}\">\r\n<resources><stringTable><string id=\"a\">x &amp; y</string><string id=\"b\"/></stringTable></resources></policyComments>"
        );
        let read = Comments::parse(text.as_bytes()).unwrap();
        let strings = [("a", "x & y"), ("b", "")];
        assert_eq!(
            read.strings,
            strings.map(|(id, text)| (id.to_owned(), text.to_owned()))
        );
        assert_eq!(read.to_bytes(), text.as_bytes());
        let other = text.replace("policyComments", "x");
        assert!(Comments::parse(other.as_bytes()).is_err());
        assert!(Comments::parse(b"").is_err());
    }
}
