//! A backup that lacks what could not be read when it was made: restoring it would delete that from the GPO, and a safety
//! backup could not restore it.

use crate::backup::StoredBackup;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::message::{Code, Severity, StatusMessage};
use crate::model::directory_object::DirectoryObject;
use crate::model::extension_list::ExtensionList;
use crate::model::gpt_tree::{GptTree, Node};
use crate::model::reference::Place;
use crate::model::safe_name::RelPath;
use crate::model::snapshot::GpoSnapshot;
use crate::session::read::LiveGpo;

/// `flags` with both halves disabled [MS-GPOL 2.2.4].
const DISABLED: u32 = 3;

/// Accepts a backup that is complete, or partial and accepted on purpose.
///
/// # Errors
/// `BadInput` when it is partial and `allow` is not set; what is missing are the details.
pub(super) fn refuse_partial(backup: &StoredBackup, allow: bool) -> Result<()> {
    let unread = &backup.context.unread;
    if allow || unread.is_empty() {
        return Ok(());
    }
    let details = unread.iter().map(|message| StatusMessage {
        severity: Severity::Error,
        ..message.clone()
    });
    Err(Error::new(
        ErrorKind::BadInput,
        format!(
            "the backup of \"{}\" is partial: {} could not be read when it was made, and nothing was written",
            backup.snapshot.display_name,
            parts(unread.len())
        ),
    )
    .with_hint("make the backup again with an account that may read everything, or accept what is missing")
    .with_remedy(Remedy::AllowPartial)
    .with_details(details.collect()))
}

/// What a partial backup lacks. What it lacks is left in the target as it is: it was not read, so it is not known to be absent.
pub(super) struct Gaps<'a>(&'a [StatusMessage]);

impl<'a> Gaps<'a> {
    pub(super) fn of(backup: &'a StoredBackup) -> Self {
        Self(&backup.context.unread)
    }

    fn with(&self, code: Code) -> impl Iterator<Item = &'a StatusMessage> {
        self.0.iter().filter(move |message| message.code == code)
    }

    /// Whether this attribute was not read.
    pub(super) fn lacks(&self, attribute: &str) -> bool {
        self.with(Code::UnreadableAttribute)
            .filter_map(|message| message.place.as_ref()?.key.as_ref())
            .any(|key| key.eq_ignore_ascii_case(attribute))
    }

    /// The value for the target: that of the backup, or that of the GPO when the backup lacks this attribute.
    pub(super) fn fill<T>(
        &self,
        attribute: &str,
        saved: T,
        live: Option<&LiveGpo>,
        present: impl FnOnce(&LiveGpo) -> T,
    ) -> T {
        match live {
            Some(live) if self.lacks(attribute) => present(live),
            _ => saved,
        }
    }

    /// The status and the lists of extensions for the target. A new GPO whose status or WMI filter the backup lacks is disabled: it would
    /// apply where it did not before.
    pub(super) fn attributes(
        &self,
        saved: &GpoSnapshot,
        live: Option<&LiveGpo>,
    ) -> (u32, [ExtensionList; 2]) {
        let flags = match live {
            None if self.disables() => DISABLED,
            _ => self.fill("flags", saved.flags, live, |live| live.snapshot.flags),
        };
        let machine = self.fill(
            "gPCMachineExtensionNames",
            saved.machine_extensions.clone(),
            live,
            |live| live.object.machine_extensions.clone(),
        );
        let user = self.fill(
            "gPCUserExtensionNames",
            saved.user_extensions.clone(),
            live,
            |live| live.object.user_extensions.clone(),
        );
        (flags, [machine, user])
    }

    /// Whether a new GPO with what was read might apply where the former one did not.
    fn disables(&self) -> bool {
        self.lacks("flags") || self.lacks("gPCWQLFilter")
    }

    /// The files for the target: those of the backup, and those of the GPO in the place of what was not read.
    pub(super) fn fill_tree(&self, mut saved: GptTree, live: Option<&LiveGpo>) -> GptTree {
        let mut unread: Vec<RelPath> = self
            .with(Code::UnreadableFile)
            .filter_map(|message| message.place.as_ref()?.file.parse().ok())
            .collect();
        // To an account that may not see it, a folder does not exist.
        if self.with(Code::NoSysvolFolder).next().is_some() {
            unread.push(RelPath::root());
        }
        // Packages that are kept, as their objects were not read, keep the files that advertise them [MS-GPSI 2.2.3].
        if self.with(Code::UnreadableObjects).next().is_some() {
            let folders = [r"Machine\Applications", r"User\Applications"];
            unread.extend(folders.iter().filter_map(|folder| folder.parse().ok()));
        }
        let entries = live
            .into_iter()
            .flat_map(|live| live.snapshot.tree.entries());
        for (path, node) in entries {
            let is_unread = |unread: &RelPath| path.is_at_or_below(unread);
            if unread.iter().any(is_unread) {
                match node {
                    Node::Dir => saved.insert_dir(path),
                    Node::File(content) => saved.insert_file(path, content.clone()),
                }
            }
        }
        saved
    }

    /// The objects below the GPO: those of the GPO when not all were read.
    pub(super) fn fill_objects(
        &self,
        saved: &[DirectoryObject],
        live: Option<&LiveGpo>,
    ) -> Vec<DirectoryObject> {
        match live {
            Some(live) if self.with(Code::UnreadableObjects).next().is_some() => {
                live.snapshot.directory_objects.clone()
            }
            _ => saved.to_vec(),
        }
    }

    /// The finding about what the backup lacks, for the plan.
    pub(super) fn finding(&self, live: Option<&LiveGpo>) -> Option<StatusMessage> {
        if self.0.is_empty() {
            return None;
        }
        let mut missing: Vec<String> = self
            .0
            .iter()
            .map(|message| match &message.place {
                Some(Place { key: Some(key), .. }) => key.to_string(),
                Some(place) if !place.file.is_empty() => place.file.to_string(),
                _ if message.code == Code::NoSysvolFolder => "files".to_owned(),
                _ if message.code == Code::UnreadableWmiFilter => "the WMI filter".to_owned(),
                _ => message.code.to_string(),
            })
            .collect();
        missing.dedup();
        let outcome = match live {
            Some(_) => "the GPO keeps its own where something could not be read",
            None if self.disables() => {
                "the new GPO does not have it, and is disabled until you enable it"
            }
            None => "the new GPO does not have it",
        };
        Some(StatusMessage::warning(
            Code::PartialBackup,
            format!(
                "the backup is partial and does not contain {}; {outcome}",
                missing.join(", ")
            ),
        ))
    }
}

fn parts(number: usize) -> String {
    match number {
        1 => "a part of the GPO".to_owned(),
        number => format!("{number} parts of the GPO"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not known of a deleted GPO must not make it apply more widely than it did.
    #[test]
    fn a_new_gpo_whose_status_or_filter_is_not_known_is_disabled() {
        let guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}".parse().unwrap();
        let saved = GpoSnapshot::new(guid, "src.test".parse().unwrap(), "Desks");
        for (attribute, disabled) in [
            (None, false),
            (Some("flags"), true),
            (Some("gPCWQLFilter"), true),
            (Some("gPCUserExtensionNames"), false),
        ] {
            let missing = |name: &str| {
                StatusMessage::warning(Code::UnreadableAttribute, "x")
                    .at(Place::file("CN=x").key(name))
            };
            let unread: Vec<StatusMessage> = attribute.map(missing).into_iter().collect();
            let gaps = Gaps(&unread);
            let flags = gaps.attributes(&saved, None).0;
            assert_eq!(flags, if disabled { DISABLED } else { 0 }, "{attribute:?}");
            let said = gaps.finding(None).map(|it| it.text).unwrap_or_default();
            assert_eq!(said.contains("is disabled"), disabled, "{said}");
        }
    }
}
