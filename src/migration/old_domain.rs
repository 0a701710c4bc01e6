//! The source domain by name in values that clients read: as text, where no reference is recognized.
//!
//! Searched are the values of Registry.pol, the attributes and texts of Preferences, and the lines of GptTmpl.inf, scripts.ini,
//! psscripts.ini and fdeploy. A reference that was found has its own finding, so its text is left out.

mod policies;
mod search;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;

use crate::formats::ini::{IniFile, LineKind};
use crate::formats::preferences::Preferences;
use crate::formats::preferences::passwords::is_password;
use crate::formats::registry_pol::RegistryPol;
use crate::message::{Code, StatusMessage, printable};
use crate::model::reference::{Place, Reference};
use crate::model::safe_name::RelPath;
use crate::model::snapshot::GpoSnapshot;

use self::search::SourceNames;
use super::finding_list::FindingList;
use super::references::GptFileFormat;

/// How much of a value a finding shows, in characters.
const SHOWN: usize = 200;

/// Attributes of an item that only the editor reads [MS-GPPREF 2.2.1]: clients take what they set from its properties.
const EDITOR_ATTRIBUTES: [&str; 7] = ["clsid", "uid", "changed", "image", "status", "desc", "name"];

/// Elements of a task that only describe it [MS-TSCH 2.5.2].
const DESCRIPTIONS: [&str; 3] = ["Author", "Description", "Source"];

/// The findings about the domain `source` in the files of a snapshot, in which these references are recognized.
pub fn findings(
    source: &GpoSnapshot,
    mapped: &GpoSnapshot,
    known: &[Reference],
) -> Vec<StatusMessage> {
    let names = SourceNames::of(source);
    let mut references: HashMap<(&str, u64), Vec<String>> = HashMap::new();
    for reference in known {
        let place = (
            reference.place.file.as_str(),
            reference.place.line.unwrap_or_default(),
        );
        let texts = references.entry(place).or_default();
        let value = reference.value.to_lowercase();
        // As it stands in an address, and in JSON.
        if let Some(path) = value.strip_prefix(r"\\") {
            texts.extend([path.replace('\\', "/"), path.replace('\\', r"\\")]);
        }
        texts.push(value);
        texts.extend(reference.name.as_ref().map(|name| name.to_lowercase()));
        texts.extend(
            reference
                .sid
                .as_ref()
                .map(|sid| sid.to_string().to_lowercase()),
        );
    }
    let mut found = FindingList::default();
    for (path, content) in mapped.tree.files() {
        let file = path.to_string();
        each_value(path, content, &mut |place, policy, value| {
            let at = (file.as_str(), place.line.unwrap_or_default());
            let known = references.get(&at).map(Vec::as_slice).unwrap_or_default();
            let Some(name) = names.first_in(value, known, policy) else {
                return;
            };
            let shown: String = value.chars().take(SHOWN).collect();
            let what = match policy {
                Some(policy) => format!("{} \"{}\"", policy.what, printable(&shown)),
                None => format!("\"{}\"", printable(&shown)),
            };
            found.push(
                StatusMessage::warning(
                    Code::SourceDomainInText,
                    format!(
                        "{what} contains {}, a name of the source domain",
                        printable(&name)
                    ),
                )
                .at(place)
                .with_hint("change it by hand in the source, or after the import"),
            );
        });
    }
    found.finish(None)
}

/// Calls `each` for every value that clients read, with its place and what is known of its policy.
fn each_value(
    path: &RelPath,
    content: &Bytes,
    each: &mut dyn FnMut(Place, Option<&'static policies::Policy>, &str),
) {
    let file = path.to_string();
    match GptFileFormat::of(path) {
        Some(GptFileFormat::RegistryPol) => {
            let Ok(pol) = RegistryPol::parse(content) else {
                return;
            };
            for (index, record) in pol.records.iter().enumerate() {
                let strings = match record.value_type.is_text() {
                    true => record.strings().or_else(|| Some(vec![record.string()?])),
                    false => None,
                };
                let (key, name) = (record.key_text(), record.value_name_text());
                let policy = policies::of(&key, &name);
                // A value in a list of values has what it is about in its name.
                for value in strings.into_iter().flatten().chain([name.clone()]) {
                    let place = Place::file(file.as_str())
                        .section(key.as_str())
                        .key(name.as_str())
                        .line(index.saturating_add(1));
                    each(place, policy, &value);
                }
            }
        }
        Some(GptFileFormat::Preferences) => preferences(&file, content, each),
        Some(
            GptFileFormat::GptTmpl
            | GptFileFormat::Scripts
            | GptFileFormat::PsScripts
            | GptFileFormat::Fdeploy
            | GptFileFormat::Fdeploy1,
        ) => {
            let Ok(ini) = IniFile::parse_text_only(content) else {
                return;
            };
            for line in ini.lines() {
                if matches!(line.kind, LineKind::Comment | LineKind::Blank) {
                    continue;
                }
                let mut place = Place::file(file.as_str()).line(line.number);
                if let Some(section) = line.section {
                    place = place.section(section);
                }
                let (key, value) = line.pair().unwrap_or(("", line.text));
                if !key.is_empty() {
                    place = place.key(key);
                }
                each(place, None, value);
            }
        }
        _ => {}
    }
}

fn preferences(
    file: &str,
    content: &Bytes,
    each: &mut dyn FnMut(Place, Option<&'static policies::Policy>, &str),
) {
    let Ok(preferences) = Preferences::parse(content) else {
        return;
    };
    preferences.walk(&mut |cursor| {
        let element = cursor.element;
        let is_item = element.elements().any(|child| child.name == "Properties");
        let (key, name) = (element.attribute("key"), element.attribute("name"));
        let policy = policies::of(key.unwrap_or_default(), name.unwrap_or_default());
        let at = cursor.place();
        let place = || Place::file(file).section(at.path.as_str()).line(at.line);
        for attribute in &element.attributes {
            let is_for_editor = is_item && EDITOR_ATTRIBUTES.contains(&attribute.name.as_str());
            if !is_for_editor && !is_password(&attribute.name) {
                each(
                    place().key(attribute.name.as_str()),
                    policy,
                    &attribute.value,
                );
            }
        }
        if !DESCRIPTIONS.contains(&element.name.as_str())
            && let Some(text) = preferences.document().content(element)
        {
            each(place(), None, &text);
        }
    });
}
