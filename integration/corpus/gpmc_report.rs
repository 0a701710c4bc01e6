//! The elements of a gpreport.xml, in any namespace: GPMC's reports give each extension its own.

use std::collections::BTreeSet;

use gpoctl::formats::xml_tree::Element;

/// The elements of this name in an element.
pub fn named<'a>(element: &'a Element, name: &'a str) -> impl Iterator<Item = &'a Element> {
    element.elements().filter(move |child| child.name == name)
}

/// The text of the first of them; empty when there is none.
pub fn text(element: &Element, name: &str) -> String {
    named(element, name)
        .next()
        .map(Element::text)
        .unwrap_or_default()
}

/// The elements of this name in all extensions of a half.
pub fn settings<'a>(root: &'a Element, half: &str, name: &'a str) -> Vec<&'a Element> {
    extensions(root, half)
        .flat_map(|(_, extension)| named(extension, name))
        .collect()
}

/// The elements of this name in one extension of a half.
pub fn elements<'a>(
    root: &'a Element,
    half: &str,
    extension: &str,
    name: &'a str,
) -> Vec<&'a Element> {
    extensions(root, half)
        .filter(|(own, _)| own == extension)
        .flat_map(|(_, extension)| named(extension, name))
        .collect()
}

/// The extensions of a half, with their names.
fn extensions<'a>(root: &'a Element, half: &str) -> impl Iterator<Item = (String, &'a Element)> {
    root.named(half)
        .flat_map(|half| named(half, "ExtensionData"))
        .flat_map(|data| {
            let name = text(data, "Name");
            named(data, "Extension").map(move |extension| (name.clone(), extension))
        })
}

/// SIDs, and names where there is no SID, of the principals in an element.
pub fn principals(element: &Element, name: &str) -> BTreeSet<String> {
    named(element, name)
        .map(|member| match text(member, "SID") {
            sid if sid.is_empty() => text(member, "Name").to_lowercase(),
            sid => sid,
        })
        .collect()
}
