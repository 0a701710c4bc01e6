//! What a client does with the records of Registry.pol, one after the other [MS-GPREG 3.2.5.1].

use std::collections::{HashMap, HashSet};

use super::{Record, RegistryPol};

/// What a client does with a record of Registry.pol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect<'a> {
    /// Writes the value of this name.
    Writes(&'a str),
    /// Writes the value of this name where it does not exist.
    WritesWhereMissing(&'a str),
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

impl<'a> Effect<'a> {
    /// What a client does with this value name. A name that only resembles a command is a name.
    pub fn of(name: &'a str) -> Self {
        let after = |command: &str| {
            let (begin, rest) = name.split_at_checked(command.len())?;
            begin.eq_ignore_ascii_case(command).then_some(rest)
        };
        if let Some(name) = after("**del.") {
            Self::DeletesValue(name)
        } else if let Some(name) = after("**soft.") {
            Self::WritesWhereMissing(name)
        } else if after("**delvals").is_some() {
            Self::DeletesValues
        } else if after("**deletevalues").is_some() {
            Self::DeletesListedValues
        } else if after("**deletekeys").is_some() {
            Self::DeletesListedKeys
        } else if after("**securekey").is_some() || after("**comment:").is_some() {
            Self::Nothing
        } else {
            Self::Writes(name)
        }
    }

    /// The name of the one value that it writes or deletes: the end of the value name of the record.
    pub fn value_name(self) -> Option<&'a str> {
        match self {
            Self::Writes(name) | Self::WritesWhereMissing(name) | Self::DeletesValue(name) => {
                Some(name)
            }
            Self::DeletesValues
            | Self::DeletesListedValues
            | Self::DeletesListedKeys
            | Self::Nothing => None,
        }
    }
}

/// The names in the data of a command that deletes a list of values or keys.
pub fn listed(data: &str) -> impl Iterator<Item = &str> {
    data.split(';')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

impl RegistryPol {
    /// The numbers of the records, from 0, that write a value which a later record deletes: after the whole file, a client does not
    /// have it, unless another record writes it again.
    pub fn deleted_later(&self) -> HashSet<usize> {
        let mut deleted = HashSet::new();
        // What the records behind the present one delete.
        let mut values: HashMap<String, HashSet<String>> = HashMap::new();
        let mut all_values: HashSet<String> = HashSet::new();
        let mut keys: HashMap<String, HashSet<String>> = HashMap::new();
        for (number, record) in self.records.iter().enumerate().rev() {
            let name = record.value_name_text();
            let key = || record.key_text().to_lowercase();
            match Effect::of(&name) {
                Effect::Nothing => {}
                Effect::DeletesValues => {
                    all_values.insert(key());
                }
                Effect::DeletesValue(name) => {
                    values.entry(key()).or_default().insert(name.to_lowercase());
                }
                Effect::DeletesListedValues => {
                    let names = record.string().unwrap_or_default();
                    let names = listed(&names).map(str::to_lowercase);
                    values.entry(key()).or_default().extend(names);
                }
                Effect::DeletesListedKeys => {
                    let names = record.string().unwrap_or_default();
                    let names = listed(&names).map(str::to_lowercase);
                    keys.entry(key()).or_default().extend(names);
                }
                Effect::Writes(_) | Effect::WritesWhereMissing(_)
                    if values.is_empty() && all_values.is_empty() && keys.is_empty() => {}
                Effect::Writes(name) | Effect::WritesWhereMissing(name) => {
                    let key = key();
                    let is_deleted = all_values.contains(&key)
                        || values
                            .get(&key)
                            .is_some_and(|names| names.contains(&name.to_lowercase()))
                        || (!keys.is_empty() && is_at_or_below(&key, &keys));
                    if is_deleted && !is_only_key(record) {
                        deleted.insert(number);
                    }
                }
            }
        }
        deleted
    }
}

/// Whether a record creates a key and no value.
fn is_only_key(record: &Record) -> bool {
    record.value_name.is_empty() && record.data.is_empty()
}

/// The levels of the registry; a key that is deeper cannot exist.
const MAX_LEVELS: usize = 512;

/// Whether a key is one of the subkeys of these keys, or below one.
fn is_at_or_below(key: &str, keys: &HashMap<String, HashSet<String>>) -> bool {
    // Each comparison takes as long as the key is.
    let ends = key.match_indices('\\').take(MAX_LEVELS);
    let mut ends = ends.map(|(end, _)| end);
    ends.any(|end| {
        let (above, below) = key.split_at(end);
        let name = below.split('\\').nth(1).unwrap_or_default();
        keys.get(above).is_some_and(|names| names.contains(name))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{ValueType, utf16_bytes};
    use super::*;

    fn deleted(records: &[(&str, &str, &str)]) -> Vec<usize> {
        let records = records.iter().map(|(key, name, data)| Record {
            key: utf16_bytes(key),
            value_name: utf16_bytes(name),
            value_type: ValueType::SZ,
            data: utf16_bytes(&format!("{data}\0")),
        });
        let policy = RegistryPol {
            records: records.collect(),
        };
        let mut found: Vec<usize> = policy.deleted_later().into_iter().collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn what_a_later_record_deletes_is_gone() {
        let a = (r"Software\X", "a", "1");
        for deletion in [
            (r"Software\X", "**delvals.", " "),
            (r"SOFTWARE\x", "**DelVals", " "),
            (r"Software\X", "**del.A", " "),
            (r"Software\X", "**DeleteValues", "b; A"),
            (r"Software", "**DeleteKeys", "y;x"),
        ] {
            assert_eq!(deleted(&[a, deletion]), [0], "{deletion:?}");
            assert_eq!(deleted(&[deletion, a]), [0; 0], "{deletion:?}");
            assert_eq!(deleted(&[a, deletion, a]), [0], "{deletion:?}");
        }
        for deletion in [
            (r"Software\XY", "**delvals.", " "),
            (r"Software\X", "**del.b", " "),
            (r"Software\X", "**DeleteKeys", "a"),
            (r"Software", "**DeleteKeys", "xy"),
            (r"Software", "**delvals.", " "),
        ] {
            assert_eq!(deleted(&[a, deletion]), [0; 0], "{deletion:?}");
        }
        let soft = (r"Software\X", "**Soft.a", "1");
        assert_eq!(deleted(&[soft, (r"Software\X", "**del.a", " ")]), [0]);
        let below = (r"Software\X\Y\Z", "a", "1");
        assert_eq!(deleted(&[below, (r"Software", "**deletekeys", "X")]), [0]);
    }

    /// Without the bound, each of these levels costs as much as the key is long.
    #[test]
    fn a_key_with_many_levels_is_compared_at_those_of_the_registry() {
        let deep = vec!["x"; 30_000].join("\\");
        let value = (deep.as_str(), "a", "1");
        for (levels, expected) in [
            (1, &[0][..]),
            (MAX_LEVELS, &[0]),
            (MAX_LEVELS + 1, &[]),
            (29_999, &[]),
        ] {
            let above = vec!["x"; levels].join("\\");
            let deletion = (above.as_str(), "**DeleteKeys", "X");
            assert_eq!(deleted(&[value, deletion]), expected, "{levels}");
        }
        assert_eq!(deleted(&[value, ("x", "**DeleteKeys", "y")]), [0; 0]);
    }
}
