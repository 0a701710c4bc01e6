//! ADML: the texts of an administrative template ([`super::admx`]) in one language [PolicyDefinitionResources schema].

use std::collections::HashMap;

use super::xml_tree::{self, Element as Node, InvalidXml};
use crate::model::shared_text::SharedText;

/// The texts of a template in one language; returns the bytes it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adml {
    /// The texts, by ID. Of several with the same ID, the first. Thousands of policies may refer to the same one.
    pub strings: HashMap<String, SharedText>,
    /// How the elements of a policy are shown, by ID.
    pub presentations: HashMap<String, Vec<Control>>,
    bytes: Vec<u8>,
}

/// The kinds of controls; other elements are no controls.
pub const KINDS: [&str; 9] = [
    "checkBox",
    "comboBox",
    "decimalTextBox",
    "dropdownList",
    "listBox",
    "longDecimalTextBox",
    "multiTextBox",
    "text",
    "textBox",
];

/// A control of a presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Its kind, one of [`KINDS`].
    pub kind: &'static str,
    /// The element of the policy that it shows; empty for `text`.
    pub ref_id: String,
    /// Its label, without blanks and colons at its end.
    pub label: SharedText,
}

impl Adml {
    /// Reads a file.
    ///
    /// # Errors
    /// [`InvalidXml`] when it is not well-formed or its root is not `policyDefinitionResources`.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidXml> {
        let root = xml_tree::parse(bytes)?;
        if root.name != "policyDefinitionResources" {
            let reason = format!("not the texts of a template: the root is {}", &*root.name);
            return Err(root.error(reason));
        }
        let tables = |name: &'static str| {
            root.named("resources")
                .flat_map(move |resources| resources.named(name))
        };
        let mut strings = HashMap::new();
        for string in tables("stringTable").flat_map(|table| table.named("string")) {
            let id = string.attribute("id").unwrap_or_default();
            strings
                .entry(id.to_owned())
                .or_insert_with(|| string.text().into());
        }
        let mut presentations = HashMap::new();
        for one in tables("presentationTable").flat_map(|table| table.named("presentation")) {
            let id = one.attribute("id").unwrap_or_default();
            presentations
                .entry(id.to_owned())
                .or_insert_with(|| one.elements().filter_map(control).collect());
        }
        Ok(Self {
            strings,
            presentations,
            bytes: bytes.to_vec(),
        })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The text that an attribute of a template refers to: `$(string.ID)`, or the text itself. `None` for an ID that is not here.
    pub fn text(&self, reference: &str) -> Option<SharedText> {
        match id_of(reference, "string") {
            Some(id) => self.strings.get(id).cloned(),
            None => Some(reference.into()),
        }
    }

    /// The controls that `$(presentation.ID)` refers to.
    pub fn presentation(&self, reference: &str) -> Option<&[Control]> {
        let id = id_of(reference, "presentation")?;
        self.presentations.get(id).map(Vec::as_slice)
    }
}

/// The ID in `$(TABLE.ID)`.
fn id_of<'a>(reference: &'a str, table: &str) -> Option<&'a str> {
    reference
        .trim()
        .strip_prefix("$(")?
        .strip_prefix(table)?
        .strip_prefix('.')?
        .strip_suffix(')')
}

fn control(node: &Node) -> Option<Control> {
    let kind = KINDS.into_iter().find(|kind| node.name == **kind)?;
    // The label of a text box is an element, because its default is one too.
    let label = match node.named("label").next() {
        Some(label) => label.text(),
        None => node.text(),
    };
    Some(Control {
        kind,
        ref_id: node.attribute("refId").unwrap_or_default().to_owned(),
        // French has a blank before the colon.
        label: label
            .trim_end_matches(|c: char| c == ':' || c.is_whitespace())
            .trim_start()
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: &str = "\u{feff}<policyDefinitionResources xmlns='http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions'>
<displayName/><description/><resources><stringTable><string id='A'>Lock &amp; key</string><string id='A'>again</string></stringTable>
<presentationTable><presentation id='P'><text>Pick:</text><checkBox refId='box'>Really</checkBox>
<textBox refId='line'><label> Path: </label><defaultValue>C:\\</defaultValue></textBox></presentation></presentationTable>
</resources></policyDefinitionResources>";

    #[test]
    fn texts_and_presentations() {
        let texts = Adml::parse(TEXTS.as_bytes()).unwrap();
        assert_eq!(texts.to_bytes(), TEXTS.as_bytes());
        assert_eq!(texts.text("$(string.A)"), Some("Lock & key".into()));
        assert_eq!(texts.text("$(string.B)"), None);
        assert_eq!(texts.text("plain"), Some("plain".into()));
        let controls = texts.presentation("$(presentation.P)").unwrap();
        let shown: Vec<String> = controls
            .iter()
            .map(|one| format!("{} {} {}", one.kind, one.ref_id, one.label))
            .collect();
        assert_eq!(
            shown,
            ["text  Pick", "checkBox box Really", "textBox line Path"]
        );
        assert_eq!(texts.presentation("$(string.A)"), None);
        for label in [
            "Chemin :",
            "Chemin\u{a0}:",
            " Chemin\u{202f}: ",
            "Chemin",
            "Chemin::",
        ] {
            let french = TEXTS.replace(" Path: ", label);
            let texts = Adml::parse(french.as_bytes()).unwrap();
            let controls = texts.presentation("$(presentation.P)").unwrap();
            assert_eq!(&*controls[2].label, "Chemin", "{label:?}");
        }
        let error = Adml::parse(b"<a>\n<b></a>").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(Adml::parse(b"<policyDefinitions/>").is_err());
    }
}
