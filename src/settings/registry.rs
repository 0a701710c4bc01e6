//! Registry.pol: registry values and the commands that delete some [MS-GPREG 3.2.5.1].

use std::borrow::Cow;

use bytes::Bytes;

use super::text::quoted;
use super::{Data, Extension, File, New, State, Value, firewall};
use crate::formats::registry_pol::effect::{Effect, listed};
use crate::formats::registry_pol::{Record, RegistryPol, ValueType};
use crate::model::reference::Place;
use crate::model::registry_secrets;
use crate::model::shared_text::SharedText;

/// Decodes the records in order.
pub(super) fn decode(file: &mut File<'_>, content: &Bytes) -> Result<(), String> {
    let policy = RegistryPol::parse(content).map_err(|error| error.to_string())?;
    let templates = file.templates;
    let described = templates.decode(file, &policy);
    // Records of one key follow each other, and share its text.
    let mut last: (Bytes, SharedText) = Default::default();
    let gone = policy.deleted_later();
    for (number, record) in (1_usize..).zip(&policy.records) {
        if described.contains(&number.saturating_sub(1)) {
            continue;
        }
        if last.0 != record.key {
            last = (record.key.clone(), record.key_text().into());
        }
        let mut setting = setting(record, last.1.clone(), &file.path.clone(), number);
        // A later record deletes the value.
        if gone.contains(&number.saturating_sub(1)) {
            setting.state = State::Deletes;
            setting.values.clear();
        }
        file.push(setting);
        if file.is_full {
            break;
        }
    }
    Ok(())
}

fn setting(record: &Record, key: SharedText, file: &SharedText, number: usize) -> New {
    let value_name = record.value_name_text();
    let place = Place::file(file)
        .section(&key)
        .key(value_name.as_str())
        .line(number);
    if let Some(rule) = firewall::setting(record, &key, &value_name, &place) {
        return rule;
    }
    let (name, state, mut values) = meaning(record, &value_name);
    if registry_secrets::is_secret(&key, &value_name) {
        hide(&mut values);
    }
    // The deletion of a value is another state of the setting that gives it one.
    let target = match Effect::of(&value_name) {
        Effect::DeletesValue(target) => target,
        _ => &value_name,
    };
    New {
        extension: Extension::Registry,
        id: format!("{key}\\{target}").to_lowercase().into(),
        category: key,
        name: name.into(),
        state,
        raw: raw(record, &value_name),
        values,
        place,
    }
}

/// Replaces the data of a password.
pub(super) fn hide(values: &mut [Value]) {
    for value in values {
        value.data = Data::Word(registry_secrets::NOT_SHOWN.into());
    }
}

/// Name, state and values of a record.
fn meaning(record: &Record, value_name: &str) -> (String, State, Vec<Value>) {
    let list = || {
        let text = record.string().unwrap_or_default();
        vec![Value::of(Data::List(
            listed(&text).map(str::to_owned).collect(),
        ))]
    };
    let deletes = |name: &str, values| (name.to_owned(), State::Deletes, values);
    match Effect::of(value_name) {
        Effect::DeletesValues => return deletes("(all values)", Vec::new()),
        Effect::DeletesListedValues => return deletes("(these values)", list()),
        Effect::DeletesListedKeys => return deletes("(these keys below it)", list()),
        Effect::DeletesValue(target) => return deletes(target, Vec::new()),
        Effect::WritesWhereMissing(target) => {
            let name = format!("{target} (only where it does not exist)");
            return (name, State::Configured, vec![value(record)]);
        }
        Effect::Writes(_) | Effect::Nothing => {}
    }
    if !value_name.is_empty() {
        return (
            value_name.to_owned(),
            State::Configured,
            vec![value(record)],
        );
    }
    if record.value_type == ValueType::NONE && record.data.is_empty() {
        return ("(key)".to_owned(), State::Configured, Vec::new());
    }
    (
        "(default)".to_owned(),
        State::Configured,
        vec![value(record)],
    )
}

/// The data of a record.
pub(super) fn data(record: &Record) -> Data {
    match record.value_type {
        ValueType::SZ | ValueType::EXPAND_SZ => {
            let whole = record.string_beyond_nul();
            whole.or_else(|| record.string()).map(Data::Text)
        }
        ValueType::MULTI_SZ => record.strings().map(Data::List),
        ValueType::DWORD => record.dword().map(|number| Data::Number(number.into())),
        ValueType::QWORD => record.qword().map(|number| match i64::try_from(number) {
            Ok(number) => Data::Number(number),
            Err(_) => Data::Word(number.to_string().into()),
        }),
        _ => None,
    }
    .unwrap_or_else(|| Data::bytes(&record.data))
}

fn value(record: &Record) -> Value {
    Value {
        value_type: Some(type_name(record.value_type)),
        ..Value::of(data(record))
    }
}

/// The name of a type [MS-GPREG 2.2.1].
fn type_name(value_type: ValueType) -> Cow<'static, str> {
    Cow::Borrowed(match value_type {
        ValueType::NONE => "REG_NONE",
        ValueType::SZ => "REG_SZ",
        ValueType::EXPAND_SZ => "REG_EXPAND_SZ",
        ValueType::BINARY => "REG_BINARY",
        ValueType::DWORD => "REG_DWORD",
        ValueType::DWORD_BIG_ENDIAN => "REG_DWORD_BIG_ENDIAN",
        ValueType::MULTI_SZ => "REG_MULTI_SZ",
        ValueType::QWORD => "REG_QWORD",
        ValueType(other) => return Cow::Owned(format!("type {other}")),
    })
}

/// The record, without its key. Text is left out where the value has it.
fn raw(record: &Record, value_name: &str) -> String {
    let value_type = type_name(record.value_type);
    format!("{} {value_type}", quoted(value_name))
}
