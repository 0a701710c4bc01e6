//! The difference of two lists of settings: what is added, removed, and changed from an old value to a new one.

use std::collections::BTreeMap;

use super::{Extension, Half, Setting};
use crate::plan::gpo::EntryChange;

/// One setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct SettingChange {
    /// How it differs: added, changed or removed.
    pub change: EntryChange,
    /// Its number among the settings with the same configuration, extension and ID, from 1.
    pub number: usize,
    /// The setting before; `None` when it is added.
    pub old: Option<Setting>,
    /// The setting after; `None` when it is removed.
    pub new: Option<Setting>,
}

/// What identifies a setting: its configuration, extension and ID, and its number among those that have the same.
type Key<'a> = (Half, Extension, &'a str, usize);

impl SettingChange {
    /// The setting after the change, or before it if it is removed.
    pub fn setting(&self) -> Option<&Setting> {
        self.new.as_ref().or(self.old.as_ref())
    }
}

/// The settings that differ, by configuration, extension, category and name. Place and spelling in the file do not count, nor does
/// the order of the settings; of several with the same ID, the first is compared with the first.
pub fn diff(old: &[Setting], new: &[Setting]) -> Vec<SettingChange> {
    let (mut before, after) = (by_key(old), by_key(new));
    let mut changes = Vec::new();
    for (key, new) in after {
        let old = before.remove(&key);
        let change = match old {
            Some(old) if is_same(old, new) => continue,
            Some(_) => EntryChange::Changed,
            None => EntryChange::Added,
        };
        changes.push(SettingChange {
            change,
            number: key.3,
            old: old.cloned(),
            new: Some(new.clone()),
        });
    }
    changes.extend(before.into_iter().map(|(key, old)| SettingChange {
        change: EntryChange::Removed,
        number: key.3,
        old: Some(old.clone()),
        new: None,
    }));
    let order = |change: &SettingChange| {
        let setting = change.setting();
        let group = setting.map(|one| (one.half, one.extension, one.category.clone()));
        let name = setting.map(|one| (one.name.to_lowercase(), one.id.clone()));
        (group, name, change.number)
    };
    changes.sort_by_cached_key(order);
    changes
}

/// The settings that differ from the old ones by these changes, by configuration, extension and ID.
pub fn apply(old: &[Setting], changes: &[SettingChange]) -> Vec<Setting> {
    let mut settings = by_key(old);
    for change in changes {
        let Some(one) = change.setting() else {
            continue;
        };
        let key = (one.half, one.extension, one.id.as_str(), change.number);
        match &change.new {
            Some(new) => settings.insert(key, new),
            None => settings.remove(&key),
        };
    }
    settings.into_values().cloned().collect()
}

fn by_key(settings: &[Setting]) -> BTreeMap<Key<'_>, &Setting> {
    let mut numbers: BTreeMap<(Half, Extension, &str), usize> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for setting in settings {
        let of = (setting.half, setting.extension, setting.id.as_str());
        let number = numbers.entry(of).or_default();
        *number = number.saturating_add(1);
        found.insert((of.0, of.1, of.2, *number), setting);
    }
    found
}

/// Whether two settings do the same.
fn is_same(old: &Setting, new: &Setting) -> bool {
    old.state == new.state && old.values == new.values && old.comment == new.comment
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::reference::Place;
    use crate::settings::{Data, State, Value};

    fn setting() -> impl Strategy<Value = Setting> {
        let half = prop::sample::select(vec![Half::Gpo, Half::Computer, Half::User]);
        let extension = prop::sample::select(vec![Extension::Security, Extension::Registry]);
        let state = prop::sample::select(vec![State::Configured, State::Deletes]);
        let data = prop_oneof![
            (0_i64..3).prop_map(Data::Number),
            "[ab]?".prop_map(Data::Text),
            prop::collection::vec("[ab]", 0..3).prop_map(Data::List),
        ];
        let values = prop::collection::vec(
            ("[xy]?", data).prop_map(|(name, data)| Value::named(name, data)),
            0..3,
        );
        let comment = prop::option::of("[ab]");
        (half, extension, "[ab]", state, values, comment, 1_usize..9).prop_map(
            |(half, extension, id, state, values, comment, line)| Setting {
                half,
                extension,
                category: id.as_str().into(),
                name: id.as_str().into(),
                id: id.into(),
                state,
                values,
                comment,
                place: Place::file("x").line(line),
                raw: String::new(),
            },
        )
    }

    /// In the order of [`apply`], without the places.
    fn sorted(settings: &[Setting]) -> Vec<Setting> {
        let settings = by_key(settings).into_values().cloned();
        let place = Place::default();
        settings
            .map(|setting| Setting {
                place: place.clone(),
                ..setting
            })
            .collect()
    }

    proptest! {
        #[test]
        fn the_shown_differences_turn_the_old_settings_into_the_new_ones(
            old in prop::collection::vec(setting(), 0..12),
            new in prop::collection::vec(setting(), 0..12),
        ) {
            let changes = diff(&old, &new);
            prop_assert_eq!(sorted(&apply(&old, &changes)), sorted(&new));
            prop_assert!(diff(&new, &new).is_empty());
            // Every change is one: none can be left out.
            for left_out in 0..changes.len() {
                let mut fewer = changes.clone();
                fewer.remove(left_out);
                prop_assert_ne!(sorted(&apply(&old, &fewer)), sorted(&new));
            }
        }
    }
}
