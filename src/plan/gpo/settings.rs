//! The settings that a plan changes, decoded from the files that it holds: those of the new state, and those of the old state
//! that are replaced or deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::{EntryChange, FileContent, GpoPlan, PlannedEntry, Verb};
use crate::migration::references::GptFileFormat;
use crate::model::digest::sha256;
use crate::model::gpt_tree::GptTree;
use crate::settings::diff::{SettingChange, diff};
use crate::settings::software::{of_objects, of_unknown};
use crate::settings::templates::Templates;
use crate::settings::{Names, of_tree};

/// The old files with settings that are replaced or deleted, by SHA-256: without them, a plan could not describe what it changes.
pub(crate) fn old_contents(
    old: &GptTree,
    entries: &[PlannedEntry],
) -> BTreeMap<String, FileContent> {
    entries
        .iter()
        .filter(|entry| is_old(entry) && GptFileFormat::of(&entry.path).is_some())
        .filter_map(|entry| old.file(&entry.path.folded()))
        .map(|content| (sha256(content), FileContent(content.clone())))
        .collect()
}

/// Whether an entry replaces or deletes a file.
fn is_old(entry: &PlannedEntry) -> bool {
    !entry.is_dir && matches!(entry.change, EntryChange::Changed | EntryChange::Removed)
}

impl GpoPlan {
    /// The settings that the plan changes, with these names of principals; `None` for a plan that changes no files, and for one that
    /// does not hold the old files: those of older versions do not.
    pub fn setting_changes(&self, names: &Names) -> Option<Vec<SettingChange>> {
        match self.verb {
            Verb::Import | Verb::Restore | Verb::Copy | Verb::Create => {}
            Verb::Delete | Verb::Rename | Verb::SetStatus => return None,
        }
        let new = self.new_tree().ok()?;
        let old = self.old_tree()?;
        let [old, new] =
            [old, new].map(|tree| of_tree(&tree, names, &Templates::default()).settings);
        let mut changes = diff(&old, &new);
        changes.extend(self.object_changes());
        Some(changes)
    }

    /// The settings of the objects below the GPO that are added or changed. What an object held before is not in a plan.
    fn object_changes(&self) -> Vec<SettingChange> {
        let have = self.basis.iter().flat_map(|basis| &basis.objects);
        let have: BTreeMap<_, _> = have.map(|old| (old.key(), old)).collect();
        let mut changes = Vec::new();
        for object in &self.directory_objects {
            let old = have.get(&object.key());
            if old.is_some_and(|old| old.has_content_of(object)) {
                continue;
            }
            for setting in of_objects([object.as_ref()]) {
                let before = old.map(|_| of_unknown(&setting));
                changes.push(SettingChange {
                    change: match before {
                        Some(_) => EntryChange::Changed,
                        None => EntryChange::Added,
                    },
                    number: 1,
                    old: before,
                    new: Some(setting),
                });
            }
        }
        changes
    }

    /// The old files with settings; `None` when one is missing.
    fn old_tree(&self) -> Option<GptTree> {
        let mut tree = GptTree::new();
        let Some(basis) = &self.basis else {
            return Some(tree);
        };
        for entry in self.entries.iter().filter(|entry| !entry.is_dir) {
            let hash = basis.tree.get(&entry.path.folded());
            let Some(hash) = hash.filter(|hash| !hash.is_empty()) else {
                continue;
            };
            if GptFileFormat::of(&entry.path).is_some() {
                let mut held = [&self.old_contents, &self.contents].into_iter();
                let content = held.find_map(|contents| contents.get(hash))?;
                tree.insert_file(&entry.path, content.0.clone());
            }
        }
        Some(tree)
    }

    /// The hash of an old content that is not that of a replaced or deleted file.
    pub(super) fn foreign_old_content(&self) -> Option<&str> {
        let tree = self.basis.as_ref().map(|basis| &basis.tree);
        let replaced: BTreeSet<&String> = self
            .entries
            .iter()
            .filter(|entry| is_old(entry))
            .filter_map(|entry| tree?.get(&entry.path.folded()))
            .collect();
        let mut contents = self.old_contents.iter();
        contents
            .find(|(hash, content)| sha256(&content.0) != **hash || !replaced.contains(hash))
            .map(|(hash, _)| hash.as_str())
    }
}
