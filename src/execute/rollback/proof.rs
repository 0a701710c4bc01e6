//! The proof of a roll-back: the GPO is read again, and what this operation changed must have its former state.

use std::collections::{BTreeMap, BTreeSet};

use super::entries::is_former;
use super::{Undo, grants_the_same};
use crate::directory::SwapAttribute;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::execute::journal::Inverse;
use crate::execute::stage::hashes_below;
use crate::model::directory_object::{DirectoryAttribute, DirectoryObject};
use crate::model::version::GpoVersion;
use crate::plan::gpo::{GpoState, Step, tree_hashes};
use crate::progress::Control;
use crate::session::read::{self, LiveGpo};

impl Undo<'_> {
    /// Reads the GPO again and compares what was changed with the former state. Returns whether its packages are still the same
    /// objects: one that was deleted and recreated has another `objectGUID`. A GPO that the operation created must not exist.
    ///
    /// # Errors
    /// `Incomplete`, with the differences.
    pub(super) async fn prove(
        &self,
        changes: &[Inverse],
        raised: Option<GpoVersion>,
        renamed_back: &[String],
    ) -> Result<bool> {
        let session = self.domain.session();
        let (Some(basis), Some(before)) = (&self.plan.basis, self.before) else {
            return Ok(true);
        };
        let object = session.directory().gpo(self.guid()).await?;
        let now = read::read_gpo(session, &object, &Control::default()).await?;
        let (mut expected, found) = self.expected(basis, changes, raised, &now);
        for change in changes {
            if let Inverse::SwitchBack {
                live,
                old: Some(old),
                ..
            } = change
                && session.sysvol().stat(&self.entry(old)?).await?.is_none()
            {
                self.allow_edits(live, renamed_back, &mut expected, &found)?;
            }
        }
        let differences = expected.differences(&found);
        if differences.is_empty() {
            let touched = changes.iter().any(|change| {
                matches!(
                    change,
                    Inverse::RestoreDirectoryObjects | Inverse::RecreateContainer
                )
            });
            return Ok(!touched
                || identities(&before.directory_objects)
                    == identities(&now.snapshot.directory_objects));
        }
        Err(Error::new(
            ErrorKind::Incomplete,
            format!(
                "after rolling back, GPO {} is not what it was: {}",
                self.guid(),
                differences.join("; ")
            ),
        )
        .with_remedy(Remedy::KeepChangesOfOthers))
    }

    /// Somebody else may have edited or replaced an entry before it was renamed away, or since it is back. This is not undone. Found
    /// by races with samba-tool and of two gpoctl: a complete roll-back was called incomplete, and repeating it did not help.
    fn allow_edits(
        &self,
        live: &str,
        renamed_back: &[String],
        expected: &mut GpoState,
        found: &GpoState,
    ) -> Result<()> {
        let planned = tree_hashes(&self.plan.new_tree()?);
        let [is, was, new] =
            [&found.tree, &expected.tree, &planned].map(|tree| hashes_below(tree, live));
        let is_back = renamed_back.iter().any(|name| name == live);
        if is != was && (is_back || is_former(&is, &was, &new)) {
            let root = live.to_lowercase();
            let is_below = |path: &str| path.split('/').next() == Some(root.as_str());
            expected.tree.retain(|path, _| !is_below(path));
            let edited = found.tree.iter().filter(|(path, _)| is_below(path));
            expected
                .tree
                .extend(edited.map(|(path, hash)| (path.clone(), hash.clone())));
        }
        Ok(())
    }

    /// The expected state and the present one. What this operation did not change is not compared: somebody else may have
    /// changed it.
    fn expected(
        &self,
        basis: &GpoState,
        changes: &[Inverse],
        raised: Option<GpoVersion>,
        now: &LiveGpo,
    ) -> (GpoState, GpoState) {
        let (mut expected, mut found) = (basis.clone(), now.state());
        let touched = |which: fn(&Inverse) -> bool| changes.iter().any(which);
        let whole = touched(|change| matches!(change, Inverse::RecreateContainer));
        let modified = whole || touched(|c| matches!(c, Inverse::RestoreAttributes { .. }));
        let (mut name, mut filter) = (whole, whole);
        if modified {
            for step in &self.plan.steps {
                if let Step::ModifyGpo {
                    display_name,
                    wmi_filter,
                    ..
                } = step
                {
                    name |= display_name.is_some();
                    filter |= wmi_filter.is_some();
                }
            }
        }
        name |= touched(|change| matches!(change, Inverse::RestoreName { .. }));
        if !name {
            expected.display_name.clone_from(&found.display_name);
        }
        if !filter {
            expected.wmi_filter.clone_from(&found.wmi_filter);
        }
        if !modified {
            expected
                .machine_extensions
                .clone_from(&found.machine_extensions);
            expected.user_extensions.clone_from(&found.user_extensions);
            if !touched(|change| matches!(change, Inverse::RestoreStatus { .. })) {
                expected.flags = found.flags;
            }
        }
        for kept in self.kept {
            match kept {
                SwapAttribute::Flags => expected.flags = found.flags,
                SwapAttribute::DisplayName => {
                    expected.display_name.clone_from(&found.display_name);
                }
                SwapAttribute::WqlFilter => expected.wmi_filter.clone_from(&found.wmi_filter),
                _ => {}
            }
        }
        if let Some(raised) = raised {
            expected.directory_version = Some(raised);
            if self.before.is_some_and(|before| before.gpt_ini.is_some()) {
                expected.sysvol_version = Some(raised);
            }
        } else {
            if !modified {
                expected.directory_version = found.directory_version;
            }
            if !touched(|change| matches!(change, Inverse::RestoreGptIni)) {
                expected.sysvol_version = found.sysvol_version;
            }
        }
        let descriptor = whole
            || touched(|change| {
                matches!(
                    change,
                    Inverse::RestoreAttributes {
                        descriptor: true,
                        ..
                    }
                )
            });
        // A server clears bits that record how a descriptor was made.
        let same = self.before.is_some_and(|before| {
            grants_the_same(
                &before.security_descriptor.0,
                &now.object.security_descriptor,
            )
        });
        if !descriptor || same {
            expected
                .security_descriptor
                .clone_from(&found.security_descriptor);
        }
        let entries: BTreeSet<String> = changes
            .iter()
            .filter_map(|change| match change {
                Inverse::SwitchBack { live, .. } => Some(live.to_lowercase()),
                _ => None,
            })
            .collect();
        for tree in [&mut expected.tree, &mut found.tree] {
            tree.retain(|path, _| {
                let (root, _) = path.split_once('/').unwrap_or((path, ""));
                entries.contains(root)
            });
        }
        // The server may have completed the permissions of the objects.
        expected.objects.clone_from(&found.objects);
        let own: BTreeSet<String> = self
            .plan
            .directory_objects
            .iter()
            .map(|object| object.rdns.join(",").to_lowercase())
            .chain(basis.directory_objects.keys().map(|key| key.to_lowercase()))
            .collect();
        let objects = whole || touched(|c| matches!(c, Inverse::RestoreDirectoryObjects));
        for list in [
            &mut expected.directory_objects,
            &mut found.directory_objects,
        ] {
            list.retain(|key, _| objects && own.contains(&key.to_lowercase()));
        }
        (expected, found)
    }
}

/// The `objectGUID` of each object below a GPO that was read with it.
fn identities<T: AsRef<DirectoryObject>>(
    objects: &[T],
) -> BTreeMap<Vec<String>, DirectoryAttribute> {
    objects
        .iter()
        .map(AsRef::as_ref)
        .filter_map(|object| {
            let mut attributes = object.attributes.iter();
            let own = attributes.find(|one| one.name.eq_ignore_ascii_case("objectGUID"))?;
            Some((object.key(), own.clone()))
        })
        .collect()
}
