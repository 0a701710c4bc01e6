//! XML documents, with and without their layout.

use super::*;

pub fn xml_document(data: &[u8]) {
    let Ok(document) = XmlDocument::parse(data) else {
        return;
    };
    assert_same(&document.to_bytes(), data);
    let mut elements = Vec::new();
    let mut open = vec![document.root()];
    while let Some(element) = open.pop() {
        elements.push(element);
        open.extend(element.elements());
    }
    let same = document.edited(Vec::new()).unwrap();
    assert_same(&same.to_bytes(), data);
    let element = elements.get(choose(data, elements.len())).unwrap();
    let new = "a & <b> \"c\" 'd'\t]]>";
    if let Some(attribute) = element.attributes.first() {
        let edit = document.set_attribute(attribute, new);
        let edited = document.edited(vec![edit]).unwrap();
        assert_eq!(values(edited.root(), new), values(document.root(), new) + 1);
        assert_eq!(shape(edited.root()), shape(document.root()));
    }
    if let Some(edit) = document.set_content(element, new) {
        let edited = document.edited(vec![edit]).unwrap();
        let count = |root: &xml_tree::Element| texts(root, new);
        assert!(count(edited.root()) > 0, "{new:?} is not there");
    }
    if !std::ptr::eq(*element, document.root()) {
        let edited = document.edited(vec![document.remove(element)]).unwrap();
        let removed = shape(element);
        assert_eq!(shape(edited.root()) + removed, shape(document.root()));
    }
}

/// The number of elements in a tree.
fn shape(root: &xml_tree::Element) -> usize {
    1 + root.elements().map(shape).sum::<usize>()
}

/// The number of attributes with this value.
fn values(root: &xml_tree::Element, value: &str) -> usize {
    let own = root.attributes.iter().filter(|a| a.value == value).count();
    own + root
        .elements()
        .map(|child| values(child, value))
        .sum::<usize>()
}

/// The number of elements with this text.
fn texts(root: &xml_tree::Element, text: &str) -> usize {
    usize::from(root.text() == text)
        + root
            .elements()
            .map(|child| texts(child, text))
            .sum::<usize>()
}

pub fn xml_tree(data: &[u8]) {
    let Ok(root) = xml_tree::parse(data) else {
        return;
    };
    let mut open = vec![&root];
    while let Some(element) = open.pop() {
        open.extend(element.elements());
        // What XML cannot contain is written as U+FFFD, even if it was in the file.
        let writable = |text: &str| !text.contains(forbidden_in_xml);
        for attribute in &element.attributes {
            if !writable(&attribute.value) {
                continue;
            }
            let xml = format!("<a b=\"{}\"/>", xml_tree::escape(&attribute.value));
            let again = xml_tree::parse(xml.as_bytes()).unwrap();
            assert_eq!(again.attribute("b"), Some(attribute.value.as_str()));
        }
        let text = element.text();
        if !text.is_empty() && writable(&text) {
            let xml = format!("<a>{}</a>", xml_tree::escape(&text));
            assert_eq!(xml_tree::parse(xml.as_bytes()).unwrap().text(), text);
            let xml = format!("<a>{}</a>", xml_tree::cdata(&text));
            assert_eq!(xml_tree::parse(xml.as_bytes()).unwrap().text(), text);
        }
    }
}

pub(super) fn forbidden_in_xml(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}')
}
