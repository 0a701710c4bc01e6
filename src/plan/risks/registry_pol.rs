//! The values of Registry.pol.

use std::collections::HashSet;

use bytes::Bytes;

use super::list::RiskList;
use super::{Risk, RiskKind, registry};
use crate::formats::registry_pol::RegistryPol;
use crate::formats::registry_pol::effect::{Effect, listed};
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;

/// The values of administrative templates [MS-GPREG 2.2.1]; `None` when the file does not parse.
pub(super) fn risks(path: &RelPath, content: &Bytes) -> Option<Vec<Risk>> {
    let file = RegistryPol::parse(content).ok()?;
    let of_user = path.first().is_some_and(|half| half.folded() == "user");
    let hive = if of_user {
        registry::Hive::User
    } else {
        registry::Hive::Machine
    };
    let mut risks = RiskList::default();
    // The keys that get values which are there at the end: a list is deleted and written again.
    let gone = file.deleted_later();
    let written: HashSet<String> = (0..)
        .zip(&file.records)
        .filter(|(number, record)| {
            !gone.contains(number)
                && matches!(
                    Effect::of(&record.value_name_text()),
                    Effect::Writes(_) | Effect::WritesWhereMissing(_)
                )
        })
        .map(|(_, record)| record.key_text().to_lowercase())
        .collect();
    for (number, record) in (1..).zip(&file.records) {
        let (key, name) = (record.key_text(), record.value_name_text());
        let place = || {
            Place::file(path.to_string())
                .section(key.as_str())
                .key(format!("record {number}"))
        };
        let name = match Effect::of(&name) {
            Effect::Writes(name) | Effect::WritesWhereMissing(name) => name,
            deletion => {
                let names = record.string().unwrap_or_default();
                let found = deletions(hive, &key, &deletion, &names, &written);
                risks.extend(found.into_iter().map(|(kind, text)| Risk {
                    kind,
                    text,
                    place: place(),
                }));
                continue;
            }
        };
        // A record without name, type and data creates a key and no value.
        let is_key = record.value_name.is_empty() && record.data.is_empty();
        let data = if is_key {
            registry::Data::Text(String::new())
        } else if let Some(number) = record.dword() {
            registry::Data::Number(number.into())
        } else if let Some(number) = record.qword() {
            registry::Data::Number(number)
        } else if let Some(text) = record.string_beyond_nul().or_else(|| record.string()) {
            registry::Data::Text(text)
        } else if let Some(texts) = record.strings() {
            registry::Data::Text(texts.join(", "))
        } else {
            registry::Data::Other
        };
        if let Some((kind, text)) = registry::risk(hive, &key, name, &data) {
            risks.push(Risk {
                kind,
                text,
                place: place(),
            });
        }
    }
    Some(risks.into_vec())
}

/// What the deletions of a record take away that protects.
fn deletions(
    hive: registry::Hive,
    key: &str,
    effect: &Effect<'_>,
    names: &str,
    written: &HashSet<String>,
) -> Vec<(RiskKind, String)> {
    let removal = registry::removal;
    match effect {
        Effect::DeletesValue(name) => removal(hive, key, registry::Removed::Value(name))
            .into_iter()
            .collect(),
        Effect::DeletesValues if !written.contains(&key.to_lowercase()) => {
            removal(hive, key, registry::Removed::Values)
                .into_iter()
                .collect()
        }
        Effect::DeletesListedValues => listed(names)
            .filter_map(|name| removal(hive, key, registry::Removed::Value(name)))
            .collect(),
        Effect::DeletesListedKeys => listed(names)
            .filter_map(|name| removal(hive, &format!("{key}\\{name}"), registry::Removed::Key))
            .collect(),
        Effect::DeletesValues
        | Effect::Writes(_)
        | Effect::WritesWhereMissing(_)
        | Effect::Nothing => Vec::new(),
    }
}
