//! Whether the values of a Registry.pol configure a policy, and with which values.

use std::collections::HashMap;

use super::{Described, trimmed};
use crate::formats::admx::{Element, ElementKind, ListedValue, RegistryValue};
use crate::formats::registry_pol::effect::Effect;
use crate::formats::registry_pol::{Record, RegistryPol, ValueType};
use crate::model::reference::Place;
use crate::model::registry_secrets;
use crate::model::shared_text::SharedText;
use crate::settings::{Data, Extension, New, State, Value, registry};

/// The records of a file, by key and value name in lower case. Of several records of one value, the last applies.
pub(super) struct Values<'a> {
    records: &'a [Record],
    by_key: HashMap<String, HashMap<String, Found>>,
}

/// The last record of a value.
#[derive(Debug, Clone, Copy)]
struct Found {
    number: usize,
    /// Whether it deletes the value.
    deletes: bool,
}

impl<'a> Values<'a> {
    pub(super) fn new(policy: &'a RegistryPol) -> Self {
        let mut by_key: HashMap<String, HashMap<String, Found>> = HashMap::new();
        // A value that a later record deletes with others configures nothing.
        let gone = policy.deleted_later();
        for (number, record) in policy.records.iter().enumerate() {
            if gone.contains(&number) {
                continue;
            }
            let name = record.value_name_text();
            let (name, deletes) = match Effect::of(&name) {
                Effect::DeletesValue(name) => (name.to_lowercase(), true),
                _ => (name.to_lowercase(), false),
            };
            by_key
                .entry(record.key_text().to_lowercase())
                .or_default()
                .insert(name, Found { number, deletes });
        }
        Self {
            records: &policy.records,
            by_key,
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.by_key.keys()
    }

    fn find(&self, key: &str, name: &str) -> Option<(Found, &'a Record)> {
        let found = self.by_key.get(&key.to_lowercase())?;
        let found = *found.get(&name.to_lowercase())?;
        Some((found, self.records.get(found.number)?))
    }

    /// Everything in a key, in the order of the file.
    fn below(&self, key: &str) -> Vec<(Found, &'a Record)> {
        let all = self.by_key.get(&key.to_lowercase());
        let mut found: Vec<(Found, &'a Record)> = all
            .into_iter()
            .flat_map(HashMap::values)
            .filter_map(|found| Some((*found, self.records.get(found.number)?)))
            .collect();
        found.sort_by_key(|(found, _)| found.number);
        found
    }

    /// Whether a value has this data; the number of its record.
    fn has(&self, key: &str, name: &str, expected: &RegistryValue) -> Option<usize> {
        let (found, record) = self.find(key, name)?;
        let same = match expected {
            RegistryValue::Delete => found.deletes,
            _ if found.deletes => false,
            RegistryValue::Decimal(number) => record.dword() == Some(*number),
            RegistryValue::LongDecimal(number) => record.qword() == Some(*number),
            RegistryValue::String(text) => record.string().as_ref() == Some(text),
        };
        same.then_some(found.number)
    }

    /// Whether all values of a list that is not empty have their data; the numbers of their records.
    fn has_all(&self, key: &str, list: &[ListedValue]) -> Option<Vec<usize>> {
        let records = list.iter().map(|value| {
            let key = value.key.as_deref().unwrap_or(key);
            self.has(key, &value.value_name, &value.value)
        });
        let records: Option<Vec<usize>> = records.collect();
        records.filter(|records| !records.is_empty())
    }
}

/// The setting that a policy has in a file, and the numbers of its records; `None` when it is not configured there.
pub(super) fn setting(
    described: &Described,
    values: &Values<'_>,
    file: &SharedText,
) -> Option<(New, Vec<usize>)> {
    let policy = &described.policy;
    let key = &policy.key;
    let (mut state, mut records) = (None, Vec::new());
    if let Some(name) = &policy.value_name {
        let enabled = policy.enabled.clone().unwrap_or(RegistryValue::Decimal(1));
        let disabled = policy.disabled.clone().unwrap_or(RegistryValue::Delete);
        // A value with other data does not configure it, whatever else is there.
        let (decided, record) = match values.has(key, name, &enabled) {
            Some(record) => (State::Enabled, record),
            None => (State::Disabled, values.has(key, name, &disabled)?),
        };
        state = Some(decided);
        records.push(record);
    }
    for (decided, list) in [
        (State::Enabled, &policy.enabled_list),
        (State::Disabled, &policy.disabled_list),
    ] {
        if state.is_none_or(|state| state == decided)
            && let Some(found) = values.has_all(key, list)
        {
            state = Some(decided);
            records.extend(found);
        }
    }
    // Without a value or lists of its own, its elements decide.
    let decides = policy.value_name.is_none()
        && policy.enabled_list.is_empty()
        && policy.disabled_list.is_empty();
    let mut entered = Vec::new();
    let mut all_off = true;
    for (number, label) in &described.labels {
        let Some(element) = policy.elements.get(*number) else {
            continue;
        };
        let Some(found) = element_value(element, key, values) else {
            continue;
        };
        records.extend(found.records);
        all_off &= found.is_off;
        if let Some(data) = found.data {
            entered.push(Value::named(label, data));
        }
    }
    let state = match state {
        Some(state) => state,
        None if !decides || records.is_empty() => return None,
        None if all_off => State::Disabled,
        None => State::Enabled,
    };
    if state == State::Disabled {
        entered.clear();
    }
    records.sort_unstable();
    records.dedup();
    let first = *records.first()?;
    let record = values.records.get(first)?;
    let raw: Vec<String> = records
        .iter()
        .filter_map(|number| values.records.get(*number))
        .map(|record| {
            let name = record.value_name_text();
            format!("{}\\{name}", record.key_text())
        })
        .collect();
    let place = Place::file(file)
        .section(record.key_text())
        .key(record.value_name_text())
        .line(first.saturating_add(1));
    let new = New {
        extension: Extension::AdministrativeTemplates,
        name: trimmed(&described.name),
        id: described.id(),
        state,
        values: entered,
        place,
        raw: raw.join("\n"),
        ..New::default()
    };
    Some((new, records))
}

/// What the records say of an element.
struct ElementValue {
    /// What was entered; `None` when its values are deleted.
    data: Option<Data>,
    /// Whether its values are deleted, or its box is not checked: GPMC calls a policy with nothing else disabled.
    is_off: bool,
    records: Vec<usize>,
}

fn element_value(element: &Element, key: &str, values: &Values<'_>) -> Option<ElementValue> {
    let key = element.key.as_deref().unwrap_or(key);
    let name = element.value_name.as_str();
    match &element.kind {
        ElementKind::Boolean {
            true_value,
            false_value,
            true_list,
            false_list,
        } => {
            let checked = true_value.clone().unwrap_or(RegistryValue::Decimal(1));
            let unchecked = false_value.clone().unwrap_or(RegistryValue::Delete);
            let (flag, record, list) = match values.has(key, name, &checked) {
                Some(record) => (true, record, true_list),
                None => (false, values.has(key, name, &unchecked)?, false_list),
            };
            let mut records = vec![record];
            records.extend(values.has_all(key, list).unwrap_or_default());
            Some(ElementValue {
                data: Some(Data::Flag(flag)),
                is_off: !flag,
                records,
            })
        }
        ElementKind::Enum(items) => {
            for item in items {
                let Some(record) = values.has(key, name, &item.value) else {
                    continue;
                };
                let mut records = vec![record];
                if !item.values.is_empty() {
                    let Some(list) = values.has_all(key, &item.values) else {
                        continue;
                    };
                    records.extend(list);
                }
                let shown = item.display_name.clone();
                let data = (item.value != RegistryValue::Delete)
                    .then(|| Data::Word(shown.to_string().into()));
                return Some(ElementValue {
                    is_off: data.is_none(),
                    data,
                    records,
                });
            }
            single(key, name, values)
        }
        ElementKind::List {
            explicit_value,
            value_prefix,
            ..
        } => list(key, *explicit_value, value_prefix.as_deref(), values),
        ElementKind::Decimal { .. }
        | ElementKind::LongDecimal { .. }
        | ElementKind::Text { .. }
        | ElementKind::MultiText => single(key, name, values),
    }
}

/// An element with one value.
fn single(key: &str, name: &str, values: &Values<'_>) -> Option<ElementValue> {
    let (found, record) = values.find(key, name)?;
    let data = || match registry_secrets::is_secret(key, name) {
        true => Data::Word(registry_secrets::NOT_SHOWN.into()),
        false => registry::data(record),
    };
    Some(ElementValue {
        data: (!found.deletes).then(data),
        is_off: found.deletes,
        records: vec![found.number],
    })
}

/// The values in the key of a list.
fn list(
    key: &str,
    explicit: bool,
    prefix: Option<&str>,
    values: &Values<'_>,
) -> Option<ElementValue> {
    let mut records = Vec::new();
    let mut texts = Vec::new();
    for (found, record) in values.below(key) {
        let name = record.value_name_text();
        if Effect::of(&name) == Effect::DeletesValues {
            records.push(found.number);
            continue;
        }
        let numbered = |prefix: &str| {
            let number = name
                .get(..prefix.len())
                .filter(|begin| begin.eq_ignore_ascii_case(prefix))
                .and_then(|_| name.get(prefix.len()..));
            number.is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            })
        };
        let text = match record.value_type {
            _ if registry_secrets::is_secret(key, &name) => {
                Some(registry_secrets::NOT_SHOWN.to_owned())
            }
            ValueType::DWORD => record.dword().map(|number| number.to_string()),
            _ => record.string(),
        };
        let (false, Some(text)) = (found.deletes, text) else {
            continue;
        };
        let belongs = match (explicit, prefix) {
            (true, _) => true,
            (false, Some(prefix)) => numbered(prefix),
            (false, None) => name == text,
        };
        if belongs {
            records.push(found.number);
            texts.push(if explicit {
                format!("{name} = {text}")
            } else {
                text
            });
        }
    }
    if records.is_empty() {
        return None;
    }
    Some(ElementValue {
        is_off: texts.is_empty(),
        data: (!texts.is_empty()).then_some(Data::List(texts)),
        records,
    })
}
