//! A document that is edited in place: what no edit touches is kept byte for byte, encoding and byte order mark included.

use std::ops::Range;

use super::spelling::{self, Setting};
use super::{Attribute, Builder, Element, InvalidXml, MAX_BYTES, Node, at_start, decode, is_xml};

/// A document: the bytes, and the tree that was read from them.
#[derive(Debug, Clone)]
pub struct XmlDocument {
    text: String,
    encoding: decode::XmlEncoding,
    root: Element,
}

/// A change of one place of a document; see [`XmlDocument::edited`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    range: Range<usize>,
    text: String,
}

impl XmlDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// As [`super::parse`], when the text cannot be encoded into the very same bytes again, and when a value holds a character that
    /// XML 1.0 forbids: no edit could write it.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidXml> {
        if bytes.len() > MAX_BYTES {
            return Err(at_start(format!("{} bytes are too many", bytes.len())));
        }
        let (encoding, text) = decode::decode(bytes).map_err(at_start)?;
        let document = Self::of(text.into_owned(), encoding)?;
        if document.to_bytes() == bytes {
            Ok(document)
        } else {
            Err(at_start(
                "the text cannot be written in its encoding byte for byte".to_owned(),
            ))
        }
    }

    fn of(text: String, encoding: decode::XmlEncoding) -> Result<Self, InvalidXml> {
        let root = Builder::new(&text).run()?;
        refuse_forbidden(&root)?;
        Ok(Self {
            text,
            encoding,
            root,
        })
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encoding.encode(&self.text).unwrap_or_default()
    }

    /// The root element.
    pub fn root(&self) -> &Element {
        &self.root
    }

    /// The text of an element of this document, with all its blanks; `None` when it holds other elements.
    pub fn content(&self, element: &Element) -> Option<String> {
        spelling::value(self.text.get(element.content.range())?, Setting::Content)
    }

    /// As [`XmlDocument::content`], but also `None` when the text contains none of these parts: most texts are decided by a glance at
    /// their spelling.
    pub fn content_with(&self, element: &Element, parts: &[&str]) -> Option<String> {
        let raw = self.text.get(element.content.range())?;
        let holds = |text: &str| parts.iter().any(|part| text.contains(part));
        // An entity, a comment or the mark of a CDATA section may hide or divide a part.
        if raw.contains(['&', '<']) || holds(raw) {
            self.content(element).filter(|text| holds(text))
        } else {
            None
        }
    }

    /// The edit that gives an attribute of this document another value.
    pub fn set_attribute(&self, attribute: &Attribute, value: &str) -> Edit {
        let quote = self
            .text
            .get(attribute.span.range().end..)
            .and_then(|rest| rest.chars().next())
            .unwrap_or('"');
        self.respelled(attribute.span.range(), Setting::Attribute(quote), value)
    }

    /// The edit that gives an element of this document another text; `None` when it holds other elements or is one tag.
    pub fn set_content(&self, element: &Element, value: &str) -> Option<Edit> {
        self.content(element)?;
        let one_tag = element.content.end == element.span.end;
        (!one_tag).then(|| self.respelled(element.content.range(), Setting::Content, value))
    }

    fn respelled(&self, range: Range<usize>, setting: Setting, value: &str) -> Edit {
        let raw = self.text.get(range.clone()).unwrap_or_default();
        let mut text = spelling::respell(raw, setting, value);
        if self.encoding.encode(&text).is_none() {
            let has = |c: char| self.encoding.encode(c.encode_utf8(&mut [0; 4])).is_some();
            text = spelling::with_references(&text, setting, has).unwrap_or(text);
        }
        Edit { text, range }
    }

    /// The edit that takes an element out of this document, with the blanks before it.
    pub fn remove(&self, element: &Element) -> Edit {
        let before = self
            .text
            .get(..element.span.range().start)
            .unwrap_or_default();
        Edit {
            range: before.trim_end().len()..element.span.range().end,
            text: String::new(),
        }
    }

    /// The document with these edits made. Of edits that overlap, the one that begins first and reaches farthest counts.
    ///
    /// # Errors
    /// When the result is not a document within the bounds any more, or a character does not exist in its encoding.
    pub fn edited(&self, mut edits: Vec<Edit>) -> Result<Self, InvalidXml> {
        edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end)));
        let mut text = String::with_capacity(self.text.len());
        let mut position = 0;
        for edit in edits {
            if edit.range.start >= position {
                text.push_str(
                    self.text
                        .get(position..edit.range.start)
                        .unwrap_or_default(),
                );
                text.push_str(&edit.text);
                position = edit.range.end;
            }
        }
        text.push_str(self.text.get(position..).unwrap_or_default());
        if self.encoding.encode(&text).is_none() {
            return Err(at_start(
                "a new value has a character that the encoding of the file does not".to_owned(),
            ));
        }
        Self::of(text, self.encoding)
    }
}

/// Refuses values with characters that are none of XML 1.0.
fn refuse_forbidden(root: &Element) -> Result<(), InvalidXml> {
    let mut open = vec![root];
    while let Some(element) = open.pop() {
        let attributes = element.attributes.iter().map(|a| a.value.as_str());
        let texts = element.children.iter().filter_map(|node| match node {
            Node::Text(text) | Node::CData(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        if let Some(forbidden) = attributes
            .chain(texts)
            .flat_map(str::chars)
            .find(|c| !is_xml(*c))
        {
            return Err(element.error(format!(
                "<{}> holds U+{:04X}, which XML cannot hold",
                element.name.escape_debug(),
                u32::from(forbidden)
            )));
        }
        open.extend(element.elements());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- c -->\r\n<r  b='x &amp; y'\r\n a=\"1\" >\r\n\t<m n=\"&#252;\"/>\r\n\t<m n=\"2\"></m ><t>a &lt; b</t>\r\n</r>\r\n\r\n";

    fn changed(bytes: &[u8]) -> Vec<u8> {
        let document = XmlDocument::parse(bytes).unwrap();
        let root = document.root();
        let text = root.named("t").next().unwrap();
        let first = root.named("m").next().unwrap();
        let second = root.named("m").nth(1).unwrap();
        let edits = vec![
            document.set_attribute(&root.attributes[0], "x & 'z'"),
            document.set_attribute(&first.attributes[0], "gone with it"),
            document.remove(first),
            document.set_attribute(&second.attributes[0], "3\""),
            document.set_content(text, "a < c").unwrap(),
        ];
        document.edited(edits).unwrap().to_bytes()
    }

    #[test]
    fn an_edit_changes_its_place_only() {
        let expected = TEXT
            .replace("x &amp; y", "x &amp; &apos;z&apos;")
            .replace("\r\n\t<m n=\"&#252;\"/>", "")
            .replace("\"2\"", "\"3&quot;\"")
            .replace("a &lt; b", "a &lt; c");
        assert_eq!(changed(TEXT.as_bytes()), expected.as_bytes());
        for (mark, is_big_endian) in [("\u{feff}", false), ("\u{feff}", true), ("", false)] {
            let encoded = |text: &str| -> Vec<u8> {
                let units = mark.encode_utf16().chain(text.encode_utf16());
                if is_big_endian {
                    units.flat_map(u16::to_be_bytes).collect()
                } else {
                    units.flat_map(u16::to_le_bytes).collect()
                }
            };
            assert_eq!(changed(&encoded(TEXT)), encoded(&expected));
        }
        let marked = |text: &str| [b"\xEF\xBB\xBF", text.as_bytes()].concat();
        assert_eq!(changed(&marked(TEXT)), marked(&expected));
    }

    #[test]
    fn another_code_page_stays_and_what_it_lacks_is_a_reference() {
        let bytes = b"<?xml version='1.0' encoding='windows-1252'?><a n='\xFC'/>";
        let document = XmlDocument::parse(bytes).unwrap();
        assert_eq!(document.to_bytes(), bytes);
        let name = &document.root().attributes[0];
        assert_eq!(name.value, "ü");
        let edit = |value| document.edited(vec![document.set_attribute(name, value)]);
        let new = edit("ä").unwrap().to_bytes();
        assert_eq!(
            new,
            b"<?xml version='1.0' encoding='windows-1252'?><a n='\xE4'/>"
        );
        let beyond = edit("\u{416}&").unwrap();
        assert!(beyond.to_bytes().ends_with(b"<a n='&#1046;&amp;'/>"));
        assert_eq!(beyond.root().attributes[0].value, "\u{416}&");
        // The mark of a section is none in an instruction or a comment.
        for content in [
            "y<?p?><![CDATA[x]]>",
            "y<?p <![CDATA[ ?><!-- <![CDATA[ -->x",
        ] {
            let xml = format!("<?xml version='1.0' encoding='windows-1252'?><a>{content}</a>");
            let document = XmlDocument::parse(xml.as_bytes()).unwrap();
            for text in ["\u{416}", "y\u{416}x\u{416}", "yx\u{416}]]>"] {
                let edit = document.set_content(document.root(), text).unwrap();
                let edited = document.edited(vec![edit]).unwrap();
                assert_eq!(edited.content(edited.root()).as_deref(), Some(text));
            }
        }
    }

    #[test]
    fn elements_of_one_tag_have_no_text_to_set() {
        let document = XmlDocument::parse(b"<a><b/><c></c></a>").unwrap();
        let [b, c] = [0, 1].map(|n| document.root().elements().nth(n).unwrap());
        assert_eq!(document.content(b).as_deref(), Some(""));
        assert!(document.set_content(b, "x").is_none());
        let edit = document.set_content(c, "x").unwrap();
        let new = document.edited(vec![edit]).unwrap().to_bytes();
        assert_eq!(new, b"<a><b/><c>x</c></a>");
        assert!(document.set_content(document.root(), "x").is_none());
    }

    #[test]
    fn a_character_that_no_edit_could_write_is_refused() {
        for xml in [
            "<a b='\0'/>",
            "<a>\u{1}</a>",
            "<a b='&#1;'/>",
            "<a><b><![CDATA[\u{ffff}]]></b></a>",
        ] {
            let error = XmlDocument::parse(xml.as_bytes()).unwrap_err();
            assert!(error.reason.contains("XML cannot hold"), "{error}");
        }
        XmlDocument::parse("<a b='&#9;\u{7f}\u{fffd}'>\r\n</a>".as_bytes()).unwrap();
    }
}
