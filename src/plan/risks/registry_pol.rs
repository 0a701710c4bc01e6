//! The values of Registry.pol.

use std::collections::HashSet;

use bytes::Bytes;

use super::{Risk, RiskKind, registry};
use crate::formats::registry_pol::RegistryPol;
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
    let mut risks = Vec::new();
    // The keys that get values: a list is deleted and written again.
    let written: HashSet<String> = file
        .records
        .iter()
        .filter(|record| matches!(effect(&record.value_name_text()), Effect::Writes(_)))
        .map(|record| record.key_text().to_lowercase())
        .collect();
    for (number, record) in (1..).zip(&file.records) {
        let (key, name) = (record.key_text(), record.value_name_text());
        let place = || {
            Place::file(path.to_string())
                .section(key.as_str())
                .key(format!("record {number}"))
        };
        let name = match effect(&name) {
            Effect::Writes(name) => name,
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
        let data = if let Some(number) = record.dword() {
            registry::Data::Number(number.into())
        } else if let Some(number) = record.qword() {
            registry::Data::Number(number)
        } else if let Some(text) = record.string() {
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
    Some(risks)
}

/// What a client does with a record of Registry.pol.
#[derive(Debug, PartialEq, Eq)]
enum Effect<'a> {
    /// Writes the value of this name.
    Writes(&'a str),
    /// Deletes the value of this name.
    DeletesValue(&'a str),
    /// Deletes every value of the key.
    DeletesValues,
    /// Deletes the values that the data names, with semicolons between them.
    DeletesListedValues,
    /// Deletes the subkeys that the data names, with semicolons between them.
    DeletesListedKeys,
    /// Changes nothing that is a value.
    Nothing,
}

/// What the deletions of a record take away that protects.
fn deletions(
    hive: registry::Hive,
    key: &str,
    effect: &Effect<'_>,
    names: &str,
    written: &HashSet<String>,
) -> Vec<(RiskKind, String)> {
    let listed = || {
        names
            .split(';')
            .map(str::trim)
            .filter(|name| !name.is_empty())
    };
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
        Effect::DeletesListedValues => listed()
            .filter_map(|name| removal(hive, key, registry::Removed::Value(name)))
            .collect(),
        Effect::DeletesListedKeys => listed()
            .filter_map(|name| removal(hive, &format!("{key}\\{name}"), registry::Removed::Key))
            .collect(),
        Effect::DeletesValues | Effect::Writes(_) | Effect::Nothing => Vec::new(),
    }
}

/// What a client does with a value name of Registry.pol [MS-GPREG 3.2.5.1]. A name that only resembles a command is a name.
fn effect(name: &str) -> Effect<'_> {
    /// Writes the value where it does not exist.
    const SOFT: &str = "**soft.";
    let after = |command: &str| {
        let (begin, rest) = name.split_at_checked(command.len())?;
        begin.eq_ignore_ascii_case(command).then_some(rest)
    };
    if let Some(name) = after("**del.") {
        Effect::DeletesValue(name)
    } else if after("**delvals.").is_some() {
        Effect::DeletesValues
    } else if after("**deletevalues").is_some() {
        Effect::DeletesListedValues
    } else if after("**deletekeys").is_some() {
        Effect::DeletesListedKeys
    } else if after("**securekey").is_some() || after("**comment:").is_some() {
        Effect::Nothing
    } else {
        Effect::Writes(after(SOFT).unwrap_or(name))
    }
}
