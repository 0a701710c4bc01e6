//! Passwords in Preferences: `cpassword` is AES under a key that Microsoft published [MS-GPPREF 2.2.1.1.4], in a file
//! that every account of the domain can read (MS14-025). They are found but never decrypted, and their value is never
//! returned.

use std::ops::Range;

use super::{ElementCursor, Preferences, XmlPlace};
use crate::formats::xml_tree::{self, Element};
use crate::model::registry_secrets;
use crate::model::safe_name::RelPath;

/// A password that is stored in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPassword {
    /// Where.
    pub place: XmlPlace,
    /// The account named by the item; empty when the item has none.
    pub user: String,
}

/// The attribute that contains the password.
const ATTRIBUTE: &str = "cpassword";

/// Whether an attribute contains a stored password, whose value must not be shown.
pub fn is_password(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case(ATTRIBUTE)
}

/// Whether an element sets a registry value, or a line of an INI file, with a password in plain text: its attribute `value` and all
/// texts in it must not be shown.
pub fn sets_password(element: &Element) -> bool {
    let of = |name: &str| {
        let found = element.attributes.iter();
        let mut found = found.filter(|one| one.name.eq_ignore_ascii_case(name));
        found.next().map_or("", |one| &*one.value)
    };
    registry_secrets::is_secret(of("key"), of("name"))
        || registry_secrets::is_secret("", of("property"))
}

/// Whether an attribute contains a password: `cpassword`, or the `value` of an element that [`sets_password`].
pub fn holds_password(attribute: &str, sets_password: bool) -> bool {
    is_password(attribute) || (sets_password && attribute.eq_ignore_ascii_case("value"))
}

/// The result of a search for stored passwords in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// No password, or not a Preferences file.
    Nothing,
    /// It appears to contain a password: in a comment, in XML that is not well-formed, or in a file of another kind.
    Suspected,
    /// The stored passwords.
    Found {
        /// Those of elements.
        passwords: Vec<StoredPassword>,
        /// Whether there appear to be more, in comments.
        more: bool,
    },
}

/// Searches a file of a GPO. Every file below `Preferences` is searched, whatever its name; in other files, such as a forgotten
/// copy, a value that looks encrypted counts.
pub fn search(path: &RelPath, content: &[u8]) -> Search {
    let folded = path.folded();
    let (half, rest) = folded.split_once('/').unwrap_or_default();
    // Most files do not, and some are large.
    if !mentions(content) {
        return Search::Nothing;
    }
    if !matches!(half, "machine" | "user") || !rest.starts_with("preferences/") {
        let found = stored_values(content)
            .iter()
            .any(|value| is_encrypted(value));
        return if found {
            Search::Suspected
        } else {
            Search::Nothing
        };
    }
    match Preferences::parse(content) {
        Ok(preferences) => {
            let passwords = passwords(&preferences);
            let in_text = stored_values(content).len();
            match passwords.is_empty() {
                true if in_text > 0 => Search::Suspected,
                true => Search::Nothing,
                false => Search::Found {
                    more: in_text > passwords.len(),
                    passwords,
                },
            }
        }
        Err(_) if looks_like_password(content) => Search::Suspected,
        Err(_) => Search::Nothing,
    }
}

/// All non-empty stored passwords of a file.
pub fn passwords(preferences: &Preferences) -> Vec<StoredPassword> {
    let mut found = Vec::new();
    preferences.walk(&mut |cursor: &ElementCursor<'_, '_>| {
        let stored =
            cursor.element.attributes.iter().filter(|attribute| {
                is_password(&attribute.name) && !attribute.value.trim().is_empty()
            });
        found.extend(stored.map(|_| StoredPassword {
            place: cursor.place(),
            user: user(cursor.element),
        }));
        // Windows ignores an element of this name, and everybody can read it.
        if is_password(&cursor.element.name) && holds_text(cursor.element) {
            found.push(StoredPassword {
                place: cursor.place(),
                user: cursor.parent().map(user).unwrap_or_default(),
            });
        }
    });
    found
}

/// Whether there is text in an element or in those below it, whose depth is bounded by that of the parsed tree.
fn holds_text(element: &Element) -> bool {
    !element.text().trim().is_empty() || element.elements().any(holds_text)
}

/// The account of a password.
fn user(element: &Element) -> String {
    ["userName", "username", "runAs", "accountName"]
        .iter()
        .filter_map(|name| element.attribute(name))
        .find(|user| !user.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// Whether a file contains the name of the attribute, in ASCII or UTF-16, in any case.
fn mentions(bytes: &[u8]) -> bool {
    let wanted = ATTRIBUTE.as_bytes();
    let mut matched = 0_usize;
    for byte in bytes.iter().filter(|byte| **byte != 0) {
        let byte = byte.to_ascii_lowercase();
        // The first character is in it once only.
        matched = match wanted.get(matched) {
            Some(next) if *next == byte => matched.saturating_add(1),
            _ => usize::from(wanted.first() == Some(&byte)),
        };
        if matched == wanted.len() {
            return true;
        }
    }
    false
}

/// Whether a value looks like an encrypted password: at least one block of 16 bytes in Base64. It may be spelled with character
/// references.
fn is_encrypted(value: &str) -> bool {
    let value = xml_tree::attribute_value(value);
    let value = value.trim();
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    value.len() >= 20 && value.chars().all(is_base64)
}

/// Whether a malformed XML file appears to contain a password: a client may still read it.
pub fn looks_like_password(bytes: &[u8]) -> bool {
    !stored_values(bytes).is_empty()
}

/// The values of the attribute in a file that are not empty, whatever the file is.
fn stored_values(bytes: &[u8]) -> Vec<String> {
    // Dropping the zero bytes of UTF-16 gives ASCII, which is enough here.
    let text: String = bytes
        .iter()
        .filter(|byte| **byte != 0)
        .map(|byte| char::from(*byte))
        .collect();
    let spans = values(&text).into_iter();
    spans
        .chain(element_values(&text))
        .chain(declared_values(&text))
        .filter_map(|value| text.get(value))
        .filter(|value| !value.trim().is_empty())
        .map(str::to_owned)
        .collect()
}

/// A copy of the text with every stored password replaced, for display, also those of registry items in plain text. What a reader of XML
/// finds counts, however it is spelled; for text that is not well-formed, what looks like it.
pub fn without_passwords(text: &str) -> String {
    let mut hidden = values(text);
    hidden.extend(element_values(text));
    match values_of_tree(text) {
        Some(found) => {
            hidden.extend(found);
            for aside in asides(text) {
                let inside = text.get(aside.clone()).unwrap_or_default();
                let found = registry_values(inside).into_iter();
                hidden.extend(found.map(|span| aside.start + span.start..aside.start + span.end));
            }
        }
        None => {
            hidden.extend(registry_values(text));
            hidden.extend(declared_values(text));
        }
    }
    hidden.sort_by_key(|value| value.start);
    let mut shown = String::with_capacity(text.len());
    let mut position = 0;
    for value in hidden {
        // Two readings of the same text may overlap.
        if value.start >= position {
            shown.push_str(text.get(position..value.start).unwrap_or_default());
            if !value.is_empty() {
                shown.push_str(registry_secrets::NOT_SHOWN);
            }
        }
        position = position.max(value.end);
    }
    shown.push_str(text.get(position..).unwrap_or_default());
    shown
}

/// The spans of all passwords in the elements of a well-formed document; `None` for other text.
fn values_of_tree(text: &str) -> Option<Vec<Range<usize>>> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if !start.starts_with('<') {
        return None;
    }
    let mut found = Vec::new();
    hide(&xml_tree::parse_text(text).ok()?, false, &mut found);
    Some(found)
}

/// The comments and processing instructions of a well-formed document.
fn asides(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(rest) = text.get(position..)
        && let Some(next) = rest.find('<')
    {
        let start = position + next;
        let markup = text.get(start..).unwrap_or_default();
        let (is_aside, end) = if markup.starts_with("<!--") {
            (true, "-->")
        } else if markup.starts_with("<?") {
            (true, "?>")
        } else if markup.starts_with("<![CDATA[") {
            (false, "]]>")
        } else {
            (false, "<")
        };
        position = start + markup.find(end).unwrap_or(markup.len()).max(1);
        if is_aside {
            found.push(start..position);
        }
    }
    found
}

/// Adds the spans of the passwords in an element; the depth is bounded by that of the parsed tree.
fn hide(element: &Element, in_secret: bool, found: &mut Vec<Range<usize>>) {
    let sets_password = sets_password(element);
    let attributes = element.attributes.iter();
    found.extend(
        attributes
            .filter(|attribute| holds_password(&attribute.name, sets_password))
            .map(xml_tree::Attribute::value_range),
    );
    let in_secret = in_secret || sets_password || is_password(&element.name);
    if in_secret && !element.text().trim().is_empty() {
        found.push(element.content_range());
        return;
    }
    for child in element.elements() {
        hide(child, in_secret, found);
    }
}

/// The spans of the literals in the declarations of a document type, which may be the default of an attribute or an entity in its value.
fn declared_values(text: &str) -> Vec<Range<usize>> {
    let folded = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for declaration in ["<!entity", "<!attlist"] {
        let mut position = 0;
        for (at, _) in folded.match_indices(declaration) {
            // One in the literal of another one is read with that.
            if at < position {
                continue;
            }
            position = at + declaration.len();
            while let Some(rest) = folded.get(position..)
                && let Some(next) = rest.find(['"', '\'', '>'])
                && let Some(quote @ ('"' | '\'')) = rest.get(next..).and_then(|r| r.chars().next())
            {
                let start = position + next + 1;
                let inside = folded.get(start..).unwrap_or_default();
                let end = start + inside.find(quote).unwrap_or(inside.len());
                found.push(start..end);
                position = end + 1;
            }
        }
    }
    found
}

/// The spans of the attribute `value`, and of the strings of a list, of every element whose `name` or `property` is that of a registry
/// value or a line of an INI file with a password.
fn registry_values(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut in_secret = false;
    for element in text.split_inclusive('<') {
        let is_secret = |span: Range<usize>| {
            let name = element.get(span).unwrap_or_default();
            registry_secrets::is_secret("", &xml_tree::attribute_value(name))
        };
        let mut names = attribute_values(element, "name");
        names.extend(attribute_values(element, "property"));
        let mut spans = Vec::new();
        // The elements of a list have no name.
        if !names.is_empty() {
            in_secret = names.into_iter().any(is_secret);
            if in_secret {
                spans = attribute_values(element, "value");
            }
        } else if in_secret {
            spans.extend(list_item(element));
        }
        let spans = spans.into_iter();
        found.extend(spans.map(|span| start + span.start..start + span.end));
        start += element.len();
    }
    found
}

/// The span of the text in `Value>text<`.
fn list_item(element: &str) -> Option<Range<usize>> {
    let (tag, text) = element.split_once('>')?;
    let is_item = tag.trim().eq_ignore_ascii_case("value");
    let text = text.trim_end_matches('<');
    let start = tag.len() + 1;
    is_item.then(|| start..start + text.len())
}

/// The spans of the values of `cpassword` in a text.
fn values(text: &str) -> Vec<Range<usize>> {
    attribute_values(text, ATTRIBUTE)
}

/// The spans of the texts of elements with the name of the attribute, in text that need not be well-formed.
fn element_values(text: &str) -> Vec<Range<usize>> {
    let folded = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, _) in folded.match_indices("<cpassword") {
        let tag = folded.get(at..).unwrap_or_default();
        let named = tag.get("<cpassword".len()..).unwrap_or_default();
        let is_whole = named.starts_with(|c: char| c.is_whitespace() || c == '>');
        let Some((start, _)) = tag.split_once('>').filter(|_| is_whole) else {
            continue;
        };
        if start.ends_with('/') {
            continue;
        }
        let start = at.saturating_add(start.len()).saturating_add(1);
        let inside = folded.get(start..).unwrap_or_default();
        let end = inside.find('<').unwrap_or(inside.len());
        found.push(start..start.saturating_add(end));
    }
    found
}

/// The spans of the values of an attribute in a text. An unterminated value extends to the end of the text.
fn attribute_values(text: &str, attribute: &str) -> Vec<Range<usize>> {
    let folded = text.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(rest) = folded.get(position..)
        && let Some(at) = rest.find(attribute)
    {
        position += at + attribute.len();
        let behind = folded.get(position..).unwrap_or_default();
        let Some(value) = behind.trim_start().strip_prefix('=').map(str::trim_start) else {
            continue;
        };
        let (value, end) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inside = value.get(1..).unwrap_or_default();
                (inside, inside.find(quote))
            }
            _ => (value, value.find(|c: char| c.is_whitespace() || c == '>')),
        };
        let start = folded.len() - value.len();
        position = start + end.unwrap_or(value.len());
        found.push(start..position);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A declaration in the literal of another one is not searched by itself: each would be searched to the end of the text.
    #[test]
    fn declarations_within_declarations_cost_what_the_text_does() {
        let text = ["<x cpassword=\"a\">", &"<!entity \"".repeat(5_000)].concat();
        let path = "Machine/x.xml".parse().unwrap();
        let taken = allocation_counter::measure(|| {
            search(&path, text.as_bytes());
        });
        let bound = 64 * u64::try_from(text.len()).unwrap() + (16 << 20);
        assert!(taken.bytes_max <= bound, "{} bytes", taken.bytes_max);
    }

    #[test]
    fn a_password_in_an_element_is_found_and_not_shown() {
        let path = "Machine/Preferences/Groups/Groups.xml".parse().unwrap();
        let xml = "<Groups><User><Properties userName='u'><CPassword>j1Uyj3V</CPassword></Properties></User></Groups>";
        let Search::Found { passwords, more } = search(&path, xml.as_bytes()) else {
            panic!("{:?}", search(&path, xml.as_bytes()));
        };
        let [password] = &*passwords else {
            panic!("{passwords:?}");
        };
        assert_eq!((&*password.user, more), ("u", false));
        assert!(password.place.path.ends_with("/Properties/CPassword"));
        let broken = xml.replace("</Groups>", "");
        assert_eq!(search(&path, broken.as_bytes()), Search::Suspected);
        for text in [xml, &broken, "<!-- <cpassword >j1Uyj3V</cpassword> -->"] {
            let shown = without_passwords(text);
            assert!(!shown.contains("j1Uyj3V"), "{shown}");
        }
        let empty = "<Groups><cpassword/><cpassword> </cpassword></Groups>";
        assert_eq!(search(&path, empty.as_bytes()), Search::Nothing);
    }
}
