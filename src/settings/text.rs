//! Settings in words. The text of a file is in quotes where it could be taken for a word of gpoctl; whoever prints it escapes
//! what is not printable.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::{self, Write as _};

use super::diff::SettingChange;
use super::{Data, Principal, Setting, State, Value};

impl Setting {
    /// Its state and values in one line: `15 characters`, `enabled`, `Administrators, SRC\Support (S-1-5-21-1-2-3-1105)`.
    pub fn value_text(&self) -> String {
        let values: Vec<String> = self.values.iter().map(Value::to_string).collect();
        let values = values.join("; ");
        match self.state {
            State::Configured if !values.is_empty() => values,
            state if values.is_empty() => state.label().to_owned(),
            state => format!("{}: {values}", state.label()),
        }
    }
}

impl fmt::Display for Value {
    /// The value, with its name if it has one, its unit and its type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{}: ", self.name)?;
        }
        f.write_str(&self.content())?;
        self.suffix(f)
    }
}

impl Value {
    /// The value alone.
    pub(super) fn content(&self) -> String {
        self.data.to_string()
    }

    /// What follows the value: its unit and its type.
    pub(super) fn suffix(&self, f: &mut impl fmt::Write) -> fmt::Result {
        if let Some(unit) = self.unit {
            let one = matches!(self.data, Data::Number(1));
            let unit = match unit.strip_suffix('s') {
                Some(singular) if one => singular,
                _ => unit,
            };
            write!(f, " {unit}")?;
        }
        match &self.value_type {
            Some(value_type) => write!(f, " ({value_type})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(true) => f.write_str("enabled"),
            Self::Flag(false) => f.write_str("disabled"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(_) | Self::Principals(_) => {
                let items = self.items();
                if items.is_empty() {
                    return f.write_str("none");
                }
                f.write_str(&items.join(", "))
            }
            Self::Permissions { sddl, entries } => match entries.is_empty() {
                true => f.write_str(&quoted(sddl)),
                false => f.write_str(&entries.join(", ")),
            },
            Self::Bytes { size, sha256, hex } => {
                if *size <= hex.len() / 2 {
                    return f.write_str(if hex.is_empty() { "no bytes" } else { hex });
                }
                write!(f, "{size} bytes, SHA-256 {sha256}")
            }
        }
    }
}

impl Data {
    /// The parts of a list, each as it is shown.
    pub(super) fn items(&self) -> Vec<String> {
        match self {
            Self::List(texts) => texts.iter().map(|text| quoted(text)).collect(),
            Self::Principals(principals) => principals.iter().map(Principal::to_string).collect(),
            Self::Permissions { entries, .. } => entries.clone(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Principal {
    /// `SRC\Support (S-1-5-21-1-2-3-1105)`; a name without SID in quotes, because the client looks it up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.sid) {
            (Some(name), Some(sid)) => write!(f, "{name} ({sid})"),
            (None, Some(sid)) => write!(f, "{sid}"),
            (Some(name), None) => f.write_str(&quoted(name)),
            (None, None) => f.write_str("nobody"),
        }
    }
}

/// A text of a file in quotes; a quote in it is doubled.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

impl SettingChange {
    /// The name of the setting and its values: `Minimum password length: 15 -> 4 characters`. Of a list, what is added and what is
    /// removed.
    pub fn text(&self) -> String {
        let Some(setting) = self.setting() else {
            return String::new();
        };
        let what = match (&self.old, &self.new) {
            (Some(old), Some(new)) => difference(old, new),
            _ => setting.value_text(),
        };
        format!("{}: {what}", setting.name)
    }
}

/// What differs between two settings with the same name.
fn difference(old: &Setting, new: &Setting) -> String {
    let mut parts = Vec::new();
    if old.state != new.state {
        let whole = |setting: &Setting| setting.value_text();
        return format!("{} -> {}", whole(old), whole(new));
    }
    // Values with the same name are compared in order.
    let mut named: HashMap<&str, VecDeque<&Value>> = HashMap::new();
    for value in &new.values {
        named.entry(&value.name).or_default().push_back(value);
    }
    for value in &old.values {
        let others = named.get_mut(value.name.as_str());
        match others.and_then(VecDeque::pop_front) {
            Some(other) if other == value => {}
            Some(other) => parts.push(value_difference(value, other)),
            None => parts.push(format!("- {value}")),
        }
    }
    for value in &new.values {
        // Those that are left are the last of their name.
        let left = named.get_mut(value.name.as_str());
        if let Some(left) =
            left.filter(|left| left.front().is_some_and(|one| std::ptr::eq(*one, value)))
        {
            left.pop_front();
            parts.push(format!("+ {value}"));
        }
    }
    if old.comment != new.comment {
        let text =
            |comment: &Option<String>| comment.as_deref().map_or_else(|| "none".to_owned(), quoted);
        let (old, new) = (text(&old.comment), text(&new.comment));
        parts.push(format!("comment: {old} -> {new}"));
    }
    if parts.is_empty() {
        // The same values in another order.
        return format!("{} -> {}", old.value_text(), new.value_text());
    }
    parts.join("; ")
}

/// Two values with the same name.
fn value_difference(old: &Value, new: &Value) -> String {
    let name = match old.name.as_str() {
        "" => String::new(),
        name => format!("{name}: "),
    };
    let (before, after) = (old.data.items(), new.data.items());
    if !before.is_empty() || !after.is_empty() {
        let [had, has] = [&before, &after].map(|items| items.iter().collect::<HashSet<_>>());
        let gone = before.iter().filter(|item| !has.contains(item));
        let come = after.iter().filter(|item| !had.contains(item));
        let parts: Vec<String> = come
            .map(|item| format!("+ {item}"))
            .chain(gone.map(|item| format!("- {item}")))
            .collect();
        if !parts.is_empty() {
            return format!("{name}{}", parts.join(", "));
        }
    }
    if let (Data::Permissions { sddl: before, .. }, Data::Permissions { sddl: after, .. }) =
        (&old.data, &new.data)
    {
        return format!("{name}{} -> {}", quoted(before), quoted(after));
    }
    let same_suffix = (old.unit, &old.value_type) == (new.unit, &new.value_type);
    let mut text = format!("{name}{}", old.content());
    if !same_suffix {
        let _ = old.suffix(&mut text);
    }
    let _ = write!(text, " -> {}", new.content());
    let _ = new.suffix(&mut text);
    text
}
