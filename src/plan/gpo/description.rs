//! The description of a plan: steps, entries and risks, derived from its content.
//!
//! The description is made here when a plan is made, and compared when a saved plan is read: a plan that was edited so that its
//! description does not match its content is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{GpoState, ObjectState};
use super::{EntryChange, FileContent, GpoPlan, Step, Swap, Verb};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::gpt_ini;
use crate::message::printable;
use crate::model::allowed_object::AllowedObject;
use crate::model::digest::sha256;
use crate::model::extension_list::ExtensionList;
use crate::model::sddl::to_sddl;
use crate::model::security_descriptor::SecurityDescriptor;
use crate::model::status_flags;
use crate::model::version::GpoVersion;
use crate::plan::risks::{self, Risk};
use crate::plan::secrets::stored_passwords;

/// What a plan sets on a GPO besides files and objects: all other parts of its steps follow from the plan and from the state it
/// was made against.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intent {
    /// The descriptor; `None` leaves it unchanged.
    pub(crate) descriptor: Option<FileContent>,
    /// The attributes; `None` for a new GPO without settings.
    pub(crate) attributes: Option<NewAttributes>,
    /// The links, a [`Step::SetLinks`] each.
    pub(crate) links: Vec<Step>,
}

/// The attributes that a plan gives a GPO.
#[derive(Debug, Clone)]
pub(crate) struct NewAttributes {
    /// `versionNumber`.
    pub(crate) version: GpoVersion,
    /// `flags`.
    pub(crate) flags: u32,
    /// `gPCMachineExtensionNames`.
    pub(crate) machine_extensions: ExtensionList,
    /// `gPCUserExtensionNames`.
    pub(crate) user_extensions: ExtensionList,
    /// `displayName`; `None` leaves it unchanged.
    pub(crate) display_name: Option<String>,
    /// `gPCWQLFilter`; `None` leaves it unchanged, `Some(None)` removes it.
    pub(crate) wmi_filter: Option<Option<String>>,
}

impl GpoPlan {
    /// The steps of a plan that gives a GPO settings; its files and objects must be set already.
    ///
    /// # Errors
    /// `BadInput` when a descriptor cannot be read.
    pub(crate) fn describe_steps(&self, intent: &Intent) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        if self.target.create {
            steps.push(Step::CreateGpo {
                guid: self.target.guid,
                display_name: self.target.display_name.clone(),
            });
        }
        if let Some(descriptor) = &intent.descriptor {
            let from = self.old_descriptor();
            steps.push(Step::SetSecurityDescriptor {
                from: from.as_ref().map(to_sddl),
                to: to_sddl(&readable(descriptor)?),
                descriptor: descriptor.clone(),
            });
        }
        let files = || {
            let entries = self.entries.iter();
            entries.filter(|entry| !entry.is_dir && entry.change != EntryChange::Removed)
        };
        steps.push(Step::StageFiles {
            files: files().count(),
            bytes: files().map(|file| file.size).sum(),
        });
        steps.extend(self.switch_steps());
        let basis = self.basis.as_ref();
        let objects = basis.map_or(&[][..], |basis| &basis.objects);
        steps.extend(object_steps(objects, &self.directory_objects));
        if let Some(new) = &intent.attributes {
            steps.push(Step::WriteGptIni {
                from: basis.and_then(|basis| basis.sysvol_version),
                to: new.version,
            });
            steps.push(modify_step(basis, new));
        }
        steps.extend(intent.links.iter().cloned());
        Ok(steps)
    }

    /// The permissions the plan was made against.
    fn old_descriptor(&self) -> Option<SecurityDescriptor> {
        let basis = self.basis.as_ref()?;
        SecurityDescriptor::parse(&basis.descriptor.as_ref()?.0).ok()
    }

    /// One step for each entry of the GPO's folder that is replaced, added or removed.
    fn switch_steps(&self) -> Vec<Step> {
        let old: BTreeSet<&str> = self
            .basis
            .iter()
            .flat_map(|basis| basis.tree.keys())
            .filter_map(|path| path.split('/').next())
            .collect();
        let (mut new, mut gone) = (BTreeMap::new(), BTreeMap::new());
        for entry in &self.entries {
            let Some(name) = entry.path.first() else {
                continue;
            };
            let list = match entry.change {
                EntryChange::Removed => &mut gone,
                _ => &mut new,
            };
            list.entry(name.folded())
                .or_insert_with(|| name.to_string());
        }
        gone.retain(|key, _| !new.contains_key(key));
        let come = new.into_iter().map(|(key, name)| Step::SwitchEntry {
            name,
            change: if old.contains(key.as_str()) {
                EntryChange::Changed
            } else {
                EntryChange::Added
            },
        });
        let go = gone.into_values().map(|name| Step::SwitchEntry {
            name,
            change: EntryChange::Removed,
        });
        come.chain(go).collect()
    }

    /// The new settings that run code or grant rights.
    ///
    /// # Errors
    /// As [`GpoPlan::new_tree`].
    pub(crate) fn describe_risks(&self) -> Result<Vec<Risk>> {
        let attributes = self.intent().attributes;
        let none = ExtensionList::default();
        let (machine, user) = attributes.as_ref().map_or((&none, &none), |new| {
            (&new.machine_extensions, &new.user_extensions)
        });
        let objects = self.directory_objects.iter().map(AsRef::as_ref);
        Ok(risks::of_parts(&self.new_tree()?, objects, machine, user))
    }

    /// What the steps of the plan set on the GPO.
    fn intent(&self) -> Intent {
        let mut intent = Intent::default();
        for step in &self.steps {
            match step {
                Step::SetSecurityDescriptor { descriptor, .. } => {
                    intent.descriptor = Some(descriptor.clone());
                }
                Step::ModifyGpo {
                    version_to,
                    flags_to,
                    machine_extensions_to,
                    user_extensions_to,
                    display_name,
                    wmi_filter,
                    ..
                } => {
                    intent.attributes = Some(NewAttributes {
                        version: *version_to,
                        flags: *flags_to,
                        machine_extensions: machine_extensions_to.clone(),
                        user_extensions: user_extensions_to.clone(),
                        display_name: display_name.as_ref().map(|name| name.to.clone()),
                        wmi_filter: wmi_filter.as_ref().map(|filter| filter.to.clone()),
                    });
                }
                Step::SetLinks { .. } => intent.links.push(step.clone()),
                _ => {}
            }
        }
        intent
    }

    /// Repeats the descriptions that another version may word differently: permissions, risks, and the warnings of stored
    /// passwords.
    ///
    /// # Errors
    /// `BadInput` when a descriptor cannot be read; as [`GpoPlan::new_tree`].
    pub(crate) fn reword(&mut self) -> Result<()> {
        let old = self.old_descriptor();
        for step in &mut self.steps {
            if let Step::SetSecurityDescriptor {
                from,
                to,
                descriptor,
            } = step
            {
                *from = old.as_ref().map(to_sddl);
                *to = to_sddl(&readable(descriptor)?);
            }
        }
        if self.verb != Verb::Delete {
            self.risks = self.describe_risks()?;
        }
        let passwords = stored_passwords(&self.new_tree()?);
        let unsaid = passwords
            .into_iter()
            .filter(|it| !self.messages.contains(it));
        let unsaid: Vec<_> = unsaid.collect();
        self.messages.extend(unsaid);
        Ok(())
    }

    /// Marks what does not follow from the content as the words of the file that the plan was read from.
    ///
    /// # Errors
    /// As [`GpoPlan::new_tree`].
    pub(crate) fn attribute_to(&mut self, who: &'static str) -> Result<()> {
        let proved = stored_passwords(&self.new_tree()?);
        let claims = self.messages.iter_mut().filter(|it| !proved.contains(it));
        claims.for_each(|message| message.attribute_to(who));
        Ok(())
    }

    /// Refuses a plan that was read from a file and does not describe its content.
    ///
    /// # Errors
    /// `BadInput`, naming the first place where the plan and its content differ.
    pub(crate) fn refuse_false_description(&self) -> Result<()> {
        match &self.basis {
            None if !self.target.create => {
                return Err(differs("the state it was made against is missing"));
            }
            Some(_) if self.target.create => {
                return Err(differs("target: a GPO that exists is not created"));
            }
            Some(basis) if basis.display_name != self.target.display_name => {
                return Err(differs("target: the display name"));
            }
            _ => {}
        }
        self.check_basis()?;
        self.check_entries()?;
        let expected = self.expected_steps()?;
        let wrong = (0..expected.len().max(self.steps.len()))
            .find(|&number| expected.get(number) != self.steps.get(number));
        if let Some(number) = wrong {
            return Err(differs(format!("step {}", number.saturating_add(1))));
        }
        if let Some(som) = self.foreign_links() {
            return Err(differs(format!(
                "links of {} to other GPOs",
                printable(som)
            )));
        }
        let status = |step: &Step| match step {
            Step::SetStatus { to, .. } => status_flags::fault(*to),
            Step::ModifyGpo { flags_to, .. } => status_flags::fault(*flags_to),
            _ => None,
        };
        if let Some(fault) = self.steps.iter().find_map(status) {
            return Err(differs(fault));
        }
        self.check_gpt_ini()?;
        if self.verb != Verb::Delete && self.risks != self.describe_risks()? {
            return Err(differs("what runs code or grants rights"));
        }
        let said = |found: &_| self.messages.contains(found);
        match stored_passwords(&self.new_tree()?)
            .iter()
            .find(|m| !said(m))
        {
            Some(message) => Err(differs(format!("no warning of: {}", message.text))),
            None => Ok(()),
        }
    }

    /// The steps are derived from what `apply` compares with the GPO: permissions and objects are stored twice, in full and as
    /// hashes. Plans of older versions that write neither may lack the former.
    fn check_basis(&self) -> Result<()> {
        let Some(basis) = &self.basis else {
            return Ok(());
        };
        let same_descriptor = match &basis.descriptor {
            Some(bytes) => sha256(&bytes.0) == basis.security_descriptor,
            None => !self.changes_descriptor(),
        };
        if !same_descriptor {
            return Err(differs("the permissions it was made against"));
        }
        let writes_objects = matches!(
            self.verb,
            Verb::Import | Verb::Restore | Verb::Copy | Verb::Create
        );
        if (writes_objects || !basis.objects.is_empty()) && !basis.objects_fit_hashes() {
            return Err(differs("the objects it was made against"));
        }
        Ok(())
    }

    fn expected_steps(&self) -> Result<Vec<Step>> {
        let intent = self.intent();
        let basis = |what: &str| {
            self.basis
                .as_ref()
                .ok_or_else(|| differs(format!("{what} of a GPO that does not exist")))
        };
        Ok(match self.verb {
            Verb::Import | Verb::Restore | Verb::Copy | Verb::Create => {
                self.describe_steps(&intent)?
            }
            Verb::Rename => {
                let new = self.steps.iter().find_map(|step| match step {
                    Step::Rename { to, .. } => Some(to.clone()),
                    _ => None,
                });
                vec![Step::Rename {
                    from: basis("the name")?.display_name.clone(),
                    to: new.unwrap_or_default(),
                }]
            }
            Verb::SetStatus => {
                let new = self.steps.iter().find_map(|step| match step {
                    Step::SetStatus { to, .. } => Some(*to),
                    _ => None,
                });
                vec![Step::SetStatus {
                    from: basis("the status")?.flags,
                    to: new.unwrap_or_default(),
                }]
            }
            Verb::Delete => {
                let keep_links = self.steps.iter().any(|step| {
                    matches!(
                        step,
                        Step::DeleteGpo {
                            keep_links: true,
                            ..
                        }
                    )
                });
                let mut steps = if keep_links { Vec::new() } else { intent.links };
                steps.push(Step::DeleteGpo {
                    guid: self.target.guid,
                    display_name: basis("the deletion")?.display_name.clone(),
                    keep_links,
                });
                steps
            }
        })
    }

    /// The entries are those of the contents and of the state the plan was made against.
    fn check_entries(&self) -> Result<()> {
        let none = BTreeMap::new();
        let old = self.basis.as_ref().map_or(&none, |basis| &basis.tree);
        let gives_settings = match self.verb {
            Verb::Rename | Verb::SetStatus => {
                let none = self.contents.is_empty() && self.old_contents.is_empty();
                return if self.entries.is_empty() && none {
                    Ok(())
                } else {
                    Err(differs("files of a plan that changes none"))
                };
            }
            Verb::Delete => false,
            Verb::Import | Verb::Restore | Verb::Copy | Verb::Create => true,
        };
        let (mut seen, mut used) = (BTreeSet::new(), BTreeSet::new());
        for entry in &self.entries {
            let key = entry.path.folded();
            let was = old.get(&key).map(String::as_str);
            let content = entry
                .sha256
                .as_ref()
                .and_then(|hash| self.contents.get(hash));
            let right = match (entry.change, &entry.sha256, content) {
                (EntryChange::Removed, None, _) => {
                    was.is_some_and(|was| was.is_empty() == entry.is_dir)
                }
                (change, None, _) if entry.is_dir => {
                    let expected = was.map_or(EntryChange::Added, |_| EntryChange::Unchanged);
                    gives_settings && change == expected && entry.size == 0
                }
                (change, Some(hash), Some(content)) if !entry.is_dir => {
                    let expected = match was {
                        None | Some("") => EntryChange::Added,
                        Some(was) if was == hash => EntryChange::Unchanged,
                        Some(_) => EntryChange::Changed,
                    };
                    used.insert(hash);
                    gives_settings
                        && change == expected
                        && u64::try_from(content.0.len()) == Ok(entry.size)
                }
                _ => false,
            };
            if !right || !seen.insert(key) {
                return Err(differs(format!("the entry {}", entry.path)));
            }
        }
        if let Some(left_out) = old.keys().find(|key| !seen.contains(*key)) {
            return Err(differs(format!("{left_out} is missing")));
        }
        if let Some(hash) = self.foreign_old_content() {
            return Err(differs(format!("the old content {hash} of no file")));
        }
        match self.contents.keys().find(|hash| !used.contains(hash)) {
            Some(hash) => Err(differs(format!("the content {hash} of no file"))),
            None => Ok(()),
        }
    }

    /// GPT.INI holds the version of the steps.
    fn check_gpt_ini(&self) -> Result<()> {
        let planned = self.intent().attributes.map(|new| new.version);
        let version = |content: &FileContent| gpt_ini::read_version(&content.0).ok().flatten();
        let written = self
            .gpt_ini
            .as_ref()
            .map(|content| version(content).unwrap_or_default());
        if planned == written {
            Ok(())
        } else {
            Err(differs("the version in GPT.INI"))
        }
    }
}

/// The LDAP modify of the GPO.
fn modify_step(basis: Option<&GpoState>, new: &NewAttributes) -> Step {
    let display_name = basis.zip(new.display_name.as_ref());
    let wmi_filter = new.wmi_filter.as_ref().map(|to| Swap {
        from: basis.and_then(|basis| basis.wmi_filter.clone()),
        to: to.clone(),
    });
    Step::ModifyGpo {
        version_from: basis.map_or(Some(GpoVersion::default()), |basis| basis.directory_version),
        version_to: new.version,
        flags_from: basis.and_then(|basis| basis.flags),
        flags_to: new.flags,
        machine_extensions_from: basis
            .map(|basis| basis.machine_extensions.clone())
            .unwrap_or_default(),
        machine_extensions_to: new.machine_extensions.clone(),
        user_extensions_from: basis
            .map(|basis| basis.user_extensions.clone())
            .unwrap_or_default(),
        user_extensions_to: new.user_extensions.clone(),
        display_name: display_name
            .filter(|(basis, to)| basis.display_name != **to)
            .map(|(basis, to)| Swap {
                from: basis.display_name.clone(),
                to: to.clone(),
            }),
        wmi_filter: wmi_filter.filter(|filter| filter.from != filter.to),
    }
}

/// The changes to the objects below the GPO, as [`crate::plan::objects::changes`] makes them.
fn object_steps(have: &[ObjectState], want: &[AllowedObject]) -> Vec<Step> {
    let (mut kept, mut removed) = (BTreeSet::new(), BTreeSet::new());
    let (mut count, mut changed) = (0_usize, Vec::new());
    for old in have {
        let key = old.key();
        let parent_goes = key
            .split_first()
            .is_some_and(|(_, parent)| removed.contains(parent));
        let new = want.iter().find(|new| {
            new.key() == key && new.object_class.eq_ignore_ascii_case(&old.object_class)
        });
        match new {
            Some(new) if !parent_goes => {
                if old.differs_from(new) {
                    changed.push(new.rdns.join(","));
                }
                kept.insert(key);
            }
            _ => {
                removed.insert(key);
                count = count.saturating_add(1);
            }
        }
    }
    let added: Vec<String> = want
        .iter()
        .filter(|new| !kept.contains(&new.key()))
        .map(|new| new.rdns.join(","))
        .collect();
    let mut steps = Vec::new();
    if count > 0 {
        steps.push(Step::RemoveDirectoryObjects { count });
    }
    if !changed.is_empty() {
        steps.push(Step::ChangeDirectoryObjects { objects: changed });
    }
    if !added.is_empty() {
        steps.push(Step::AddDirectoryObjects { objects: added });
    }
    steps
}

fn readable(descriptor: &FileContent) -> Result<SecurityDescriptor> {
    SecurityDescriptor::parse(&descriptor.0).map_err(|cause| {
        Error::new(
            ErrorKind::BadInput,
            "the plan holds a security descriptor that cannot be read",
        )
        .with_source(cause)
    })
}

fn differs(place: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::BadInput,
        format!("the plan does not describe what it does: {place}"),
    )
    .with_hint(
        "nothing was changed; it was edited, or saved by another version of gpoctl: make it again",
    )
}

#[cfg(test)]
mod tests;
