//! The whole state of a directory, to be compared with another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::{Key, Object, Store, Stored, key};
use crate::model::dn::Dn;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;

/// What a server counts and makes up itself, so that an object that is deleted and added again has other values.
const LEFT_OUT: [&str; 5] = [
    "objectGUID",
    "uSNChanged",
    "uSNCreated",
    "whenChanged",
    "whenCreated",
];

/// An object at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryEntry {
    /// Its DN.
    pub dn: Dn,
    /// Its attributes without the descriptor and without what the server counts or makes up itself: `objectGUID`, and the
    /// times and numbers of its changes. The values of each are sorted.
    pub attributes: BTreeMap<&'static str, Vec<Vec<u8>>>,
    /// Owner, group and DACL.
    pub descriptor: SecurityDescriptor,
}

impl DirectoryEntry {
    /// The first value of an attribute as text.
    pub fn text(&self, attribute: &str) -> Option<String> {
        let mut found = self.attributes.iter();
        let (_, values) = found.find(|(name, _)| name.eq_ignore_ascii_case(attribute))?;
        let value = values.first()?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

impl fmt::Display for DirectoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dn)
    }
}

/// Everything in a directory at one moment: two that are equal have the same objects, attributes and descriptors.
#[derive(Clone, Default)]
pub struct DirectorySnapshot {
    objects: BTreeMap<Key, Stored>,
}

impl Stored {
    fn entry(&self) -> &DirectoryEntry {
        self.shown.get_or_init(|| {
            let mut attributes = self.object.attributes.clone();
            attributes.retain(|name, _| !LEFT_OUT.contains(name));
            attributes.values_mut().for_each(|values| values.sort());
            DirectoryEntry {
                dn: self.object.dn.clone(),
                attributes,
                descriptor: self.object.descriptor.clone(),
            }
        })
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.object, &other.object) || self.entry() == other.entry()
    }
}

impl PartialEq for DirectorySnapshot {
    fn eq(&self, other: &Self) -> bool {
        self.objects == other.objects
    }
}

impl Eq for DirectorySnapshot {}

impl fmt::Debug for DirectorySnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

pub(super) fn take(store: &Store, is_wanted: impl Fn(&Key, &Object) -> bool) -> DirectorySnapshot {
    let objects = store.objects.iter();
    let objects = objects.filter(|(key, stored)| is_wanted(key, &stored.object));
    DirectorySnapshot {
        objects: objects.map(|(key, it)| (key.clone(), it.clone())).collect(),
    }
}

impl DirectorySnapshot {
    /// The objects, a parent before what is below it.
    pub fn entries(&self) -> impl Iterator<Item = &DirectoryEntry> {
        self.objects.values().map(Stored::entry)
    }

    /// The object with this DN.
    pub fn entry(&self, dn: &Dn) -> Option<&DirectoryEntry> {
        Some(self.objects.get(&key(dn))?.entry())
    }

    /// What is different from an earlier state, each as one line: `+` is new, `-` is gone, `!` has changed.
    pub fn differences_from(&self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, old) in &before.objects {
            match self.objects.get(key) {
                None => lines.push(format!("- {}", old.entry())),
                Some(new) if Arc::ptr_eq(&old.object, &new.object) => {}
                Some(new) => changes(old.entry(), new.entry(), &mut lines),
            }
        }
        let new = self.objects.iter();
        let new = new.filter(|(key, _)| !before.objects.contains_key(*key));
        lines.extend(new.map(|(_, stored)| format!("+ {}", stored.entry())));
        lines
    }
}

fn changes(old: &DirectoryEntry, new: &DirectoryEntry, lines: &mut Vec<String>) {
    let names: BTreeSet<_> = old.attributes.keys().chain(new.attributes.keys()).collect();
    let shown = |values: Option<&Vec<Vec<u8>>>| {
        let values = values.into_iter().flatten();
        let texts: Vec<String> = values
            .map(|value| String::from_utf8_lossy(value).chars().take(80).collect())
            .collect();
        format!("{texts:?}")
    };
    for name in names {
        let (was, is) = (old.attributes.get(name), new.attributes.get(name));
        if was != is {
            lines.push(format!("! {new}: {name} {} -> {}", shown(was), shown(is)));
        }
    }
    if old.descriptor != new.descriptor {
        let (was, is) = (to_sddl(&old.descriptor), to_sddl(&new.descriptor));
        lines.push(format!("! {new}: {was} -> {is}"));
    }
}
