//! Makes the staged entries of the GPO's folder live, each by renaming.

use std::collections::BTreeMap;

use super::run::Run;
use crate::domain::sysvol::SysvolPath;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::Inverse;
use crate::execute::stage::{RootEntry, StagingArea, by_root_entry};
use crate::model::gpt_tree::GptTree;
use crate::model::safe_name::SafeName;

/// One entry of the GPO's folder that is renamed.
pub(super) struct Switch {
    /// The live name, which clients read.
    pub(super) live: SafeName,
    /// The new name of the previous entry; `None` when there is none.
    pub(super) old: Option<SafeName>,
    /// The staged name of the new entry; `None` when the entry is only removed.
    pub(super) staged: Option<(SafeName, RootEntry)>,
}

impl Switch {
    /// The live path, and those of the old and of the staged entry.
    fn paths(&self, staging: &StagingArea) -> (SysvolPath, Option<SysvolPath>, Option<SysvolPath>) {
        let old = self.old.as_ref().map(|name| staging.entry(name));
        let staged = self.staged.as_ref().map(|(name, _)| staging.entry(name));
        (staging.entry(&self.live), old, staged)
    }
}

/// Where an attempt to make all switches ended that is not to be repeated.
struct Stopped {
    error: Error,
    /// How many switches may have been made, from the first one.
    begun: usize,
}

impl Run<'_> {
    /// The entries to rename: every entry of the new tree, and every entry of the old one without a replacement.
    pub(super) fn switches(&self, new: &GptTree, old: &GptTree) -> Result<Vec<Switch>> {
        let mut old_roots: BTreeMap<String, SafeName> = by_root_entry(old)
            .into_iter()
            .map(|(key, entry)| (key, entry.name))
            .collect();
        let mut switches = Vec::new();
        for (key, entry) in by_root_entry(new) {
            let old = old_roots.remove(&key);
            switches.push(Switch {
                live: entry.name.clone(),
                old: old.map(|name| self.staging.old_name(&name)).transpose()?,
                staged: Some((self.staging.staged_name(&entry.name)?, entry)),
            });
        }
        for name in old_roots.into_values() {
            switches.push(Switch {
                old: Some(self.staging.old_name(&name)?),
                live: name,
                staged: None,
            });
        }
        Ok(switches)
    }

    /// Makes all new entries live. While a client has one of the old ones open, none is. What was announced and certainly not made
    /// is retracted: somebody else may have made the same by now, which the roll-back must not touch.
    ///
    /// # Errors
    /// `Conflict` when somebody else has renamed one of the entries meanwhile.
    pub(super) async fn switch_all(&mut self, switches: &[Switch]) -> Result<()> {
        for switch in switches {
            self.announce(Inverse::SwitchBack {
                live: switch.live.to_string(),
                old: switch.old.as_ref().map(ToString::to_string),
                staged: switch.staged.as_ref().map(|(name, _)| name.to_string()),
            })?;
        }
        let run = &*self;
        let try_all = || run.try_switches(switches);
        let Stopped { error, begun } = match run.domain.until_closed(try_all).await {
            Ok(None) => return Ok(()),
            Ok(Some(stopped)) => stopped,
            // An attempt that waits has switched back what it had made.
            Err(error) => Stopped { error, begun: 0 },
        };
        for _ in begun..switches.len() {
            // A change that is still announced is compared with the present state before it is rolled back.
            if let Err(error) = self.journal.retract_intent() {
                tracing::warn!(%error, "the journal contains a change that was not made");
            }
        }
        Err(error)
    }

    /// Makes the new entries live, one after the other. When one is in use, those before it are switched back, so that no client
    /// finds old and new files together for as long as this operation waits.
    async fn try_switches(&self, switches: &[Switch]) -> Result<Option<Stopped>> {
        for (done, switch) in switches.iter().enumerate() {
            let Err(mut error) = self.switch(switch).await else {
                continue;
            };
            // Half of it was made, and cannot be undone because the live name is in use again: somebody else has just written there.
            if error.kind() == ErrorKind::Incomplete {
                let live = self.staging.entry(&switch.live);
                if let Ok(Some(_)) = self.domain.sysvol_at_once().stat(&live).await {
                    let meanwhile = self.changed_meanwhile(switch.live.as_str());
                    error = meanwhile
                        .with_source(error)
                        .with_kind(ErrorKind::Incomplete);
                }
            }
            if error.kind() != ErrorKind::InUse {
                return Ok(Some(match error.kind() {
                    // Another operation has just renamed the entry, or put one of its own there.
                    ErrorKind::NotFound | ErrorKind::Conflict => Stopped {
                        error: self
                            .changed_meanwhile(switch.live.as_str())
                            .with_source(error),
                        begun: done,
                    },
                    ErrorKind::Denied => Stopped { error, begun: done },
                    // Without an answer, or with half of it made, the roll-back finds out.
                    _ => Stopped {
                        error,
                        begun: done.saturating_add(1),
                    },
                }));
            }
            for (number, made) in switches.iter().take(done).enumerate().rev() {
                if let Err(undo) = self.switch_back(made).await {
                    // Not to be tried again: the roll-back is next, and it waits.
                    let kind = match undo.kind() {
                        ErrorKind::InUse => ErrorKind::Conflict,
                        kind => kind,
                    };
                    let error = Error::new(kind, format!("{undo}, after: {error}"));
                    let begun = number.saturating_add(1);
                    return Ok(Some(Stopped { error, begun }));
                }
            }
            return Err(error);
        }
        Ok(None)
    }

    /// Makes one new entry live by renaming.
    async fn switch(&self, switch: &Switch) -> Result<()> {
        let (live, old, staged) = switch.paths(self.staging);
        match (staged, old) {
            (Some(staged), old) => {
                self.domain
                    .sysvol_at_once()
                    .swap(&live, old.as_ref(), &staged)
                    .await
            }
            (None, Some(old)) => {
                self.domain
                    .sysvol_at_once()
                    .rename(&live, &old, false)
                    .await
            }
            (None, None) => Ok(()),
        }
    }

    /// Undoes [`Self::switch`].
    async fn switch_back(&self, switch: &Switch) -> Result<()> {
        let (live, old, staged) = switch.paths(self.staging);
        match (staged, old) {
            (Some(staged), Some(old)) => {
                self.domain
                    .sysvol_at_once()
                    .swap(&live, Some(&staged), &old)
                    .await
            }
            (Some(staged), None) => {
                self.domain
                    .sysvol_at_once()
                    .rename(&live, &staged, false)
                    .await
            }
            (None, Some(old)) => {
                self.domain
                    .sysvol_at_once()
                    .rename(&old, &live, false)
                    .await
            }
            (None, None) => Ok(()),
        }
    }
}
