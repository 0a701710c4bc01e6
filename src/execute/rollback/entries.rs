//! Rolls back the entries of the GPO's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use super::{RollbackReport, Undo};
use crate::domain::sysvol::{Sysvol, SysvolPath};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::journal::{Inverse, Journal};
use crate::execute::stage::{entry_hashes, hashes_below, remove_tree};
use crate::plan::gpo::tree_hashes;

/// The hash of each file of an entry, by its path.
pub(super) type Hashes = BTreeMap<String, String>;

/// What restored one entry.
enum Moved {
    /// The live entry went to the first name, and the second became live.
    Swap {
        live: SysvolPath,
        away: SysvolPath,
        back: SysvolPath,
    },
    Rename {
        from: SysvolPath,
        to: SysvolPath,
    },
}

impl Moved {
    async fn make(&self, sysvol: &dyn Sysvol) -> Result<()> {
        match self {
            Self::Swap { live, away, back } => sysvol.swap(live, Some(away), back).await,
            Self::Rename { from, to } => sysvol.rename(from, to, false).await,
        }
    }

    /// What undoes it.
    fn inverse(self) -> Self {
        match self {
            Self::Swap { live, away, back } => Self::Swap {
                live,
                away: back,
                back: away,
            },
            Self::Rename { from, to } => Self::Rename { from: to, to: from },
        }
    }
}

/// What attempts to restore the entries have in common.
pub(super) struct Attempts<'a> {
    /// What was made, by the live names.
    made: Mutex<Vec<(String, Moved)>>,
    pub(super) journal: Mutex<&'a mut Journal>,
    /// The live names of the entries of others that were announced to be put aside.
    pub(super) put_aside: Mutex<BTreeSet<String>>,
}

/// What becomes of an entry that somebody else has put at a live name meanwhile.
#[derive(Clone, Copy, PartialEq)]
enum Newcomer {
    /// It may belong to another operation.
    Stays,
    /// It is put aside, and then over the former entry.
    MakesWay,
}

impl Undo<'_> {
    /// Restores the previous entries under their live names. While a client has one of them open, or SYSVOL does not answer, none is
    /// restored; nor is one while another operation has its own entries under live names, because it may find that it is too late, and rename back what it has
    /// renamed, which are those of this operation. Found by two imports in the domain in memory.
    ///
    /// # Errors
    /// `InUse` when a client still has one of them open, `Connect` when SYSVOL does not answer; otherwise the first error, after the
    /// others were restored.
    pub(super) async fn switch_all_back(
        &self,
        changes: &[Inverse],
        journal: &mut Journal,
        report: &mut RollbackReport,
    ) -> Result<()> {
        let attempts = Attempts {
            made: Mutex::default(),
            journal: Mutex::new(journal),
            put_aside: Mutex::new(self.put_aside()),
        };
        let is_other = AtomicBool::new(false);
        let settled = async || {
            is_other.store(false, Ordering::Relaxed);
            let found = self.try_switches_back(changes, &attempts, Newcomer::Stays);
            let found = found.await?;
            if found.foreign.is_empty() {
                return Ok(found);
            }
            match self.staging.other_operation(self.domain.sysvol()).await? {
                Some(error) => {
                    is_other.store(true, Ordering::Relaxed);
                    Err(error)
                }
                None => {
                    self.try_switches_back(changes, &attempts, Newcomer::MakesWay)
                        .await
                }
            }
        };
        let restored = match self.domain.until_closed(settled).await {
            // Others that do not end are not waited for any longer.
            Err(error) if is_other.into_inner() && error.kind() == ErrorKind::InUse => {
                let as_it_is = || self.try_switches_back(changes, &attempts, Newcomer::Stays);
                self.domain.until_closed(as_it_is).await?
            }
            outcome => outcome?,
        };
        report.foreign.extend(restored.foreign);
        report.renamed_back.extend(restored.renamed_back);
        report.has_former |= restored.has_former;
        self.put_over(attempts.put_aside.into_inner(), report).await;
        for path in restored.superfluous {
            let removed = remove_tree(self.domain.sysvol(), &path).await;
            if let Err(error) = removed {
                report.failed.get_or_insert(error);
            }
        }
        restored.failed.map_or(Ok(()), Err)
    }

    async fn try_switches_back(
        &self,
        changes: &[Inverse],
        attempts: &Attempts<'_>,
        newcomer: Newcomer,
    ) -> Result<RollbackReport> {
        let mut report = RollbackReport::default();
        let earlier = attempts.made.lock().await;
        let names = earlier.iter().map(|(live, _)| live.clone());
        report.renamed_back.extend(names);
        drop(earlier);
        // What was only added or only removed does not show whose settings are live, so what was replaced is looked at first.
        let mut switches: Vec<&Inverse> = changes.iter().rev().collect();
        switches.sort_by_key(|it| match it {
            Inverse::SwitchBack { old, staged, .. } => match (old, staged) {
                (Some(_), Some(_)) => 0,
                (None, _) => 1,
                (Some(_), None) => 2,
            },
            _ => 3,
        });
        for inverse in switches {
            let Inverse::SwitchBack { live, old, staged } = inverse else {
                continue;
            };
            let names = (live.as_str(), old.as_deref(), staged.as_deref());
            let mut outcome = self.restore(names, attempts, newcomer, &mut report).await;
            if outcome
                .as_ref()
                .is_err_and(|it| it.kind() == ErrorKind::Incomplete)
            {
                // The live name was in use again when the entry had been renamed away. Found by a race with samba-tool, whose MACHINE came
                // beside Machine.
                outcome = self.restore(names, attempts, newcomer, &mut report).await;
            }
            match outcome {
                Err(error) if keeps_the_new(&error) => {
                    let made = std::mem::take(&mut *attempts.made.lock().await);
                    self.take_back(made).await;
                    return Err(error);
                }
                outcome => report.note(inverse, outcome),
            }
        }
        Ok(report)
    }

    /// Restores one previous entry, if it is to be.
    async fn restore(
        &self,
        names: (&str, Option<&str>, Option<&str>),
        attempts: &Attempts<'_>,
        newcomer: Newcomer,
        report: &mut RollbackReport,
    ) -> Result<()> {
        let moved = self.way_back(names, attempts, newcomer, report).await?;
        let Some(moved) = moved else { return Ok(()) };
        moved.make(self.domain.sysvol_at_once()).await?;
        let (live, ..) = names;
        report.renamed_back.push(live.to_owned());
        attempts.made.lock().await.push((live.to_owned(), moved));
        Ok(())
    }

    /// What cannot be renamed now is found by the next attempt, which compares with what is there.
    async fn take_back(&self, made: Vec<(String, Moved)>) {
        for (_, moved) in made.into_iter().rev() {
            if let Err(error) = moved.inverse().make(self.domain.sysvol_at_once()).await {
                tracing::warn!(%error, "cannot switch an entry again");
            }
        }
    }

    /// How the previous entry is restored under its live name, if the live one is what this operation put there. A file is restored
    /// by renaming over the live one, a folder by renaming that away first.
    async fn way_back(
        &self,
        (live, old, staged): (&str, Option<&str>, Option<&str>),
        attempts: &Attempts<'_>,
        newcomer: Newcomer,
        report: &mut RollbackReport,
    ) -> Result<Option<Moved>> {
        let sysvol = self.domain.sysvol();
        let live_path = self.entry(live)?;
        let old_path = old.map(|name| self.entry(name)).transpose()?;
        let staged_path = staged.map(|name| self.entry(name)).transpose()?;
        let rename = |from: SysvolPath, to: SysvolPath| Ok(Some(Moved::Rename { from, to }));
        // Then the new entry never became live; at most the old one has been renamed.
        let is_staged = match &staged_path {
            Some(staged) => sysvol.stat(staged).await?.is_some(),
            None => false,
        };
        let there = match &old_path {
            Some(old) => sysvol.stat(old).await?.is_some(),
            None => false,
        };
        let Some(found) = entry_hashes(sysvol, &live_path).await? else {
            // The live name is not in use. Where all else is somebody else's, so is that this entry is not there.
            let is_theirs = staged.is_none() && report.is_theirs();
            return match (old_path, old) {
                (Some(_), Some(old)) if there && is_theirs => {
                    report.leave(format!(
                        "{live_path}, whose former content is kept beside it as {old},"
                    ));
                    Ok(None)
                }
                (Some(old), _) if there => rename(old, live_path),
                _ => Ok(None),
            };
        };
        let planned = tree_hashes(&self.plan.new_tree()?);
        let new = hashes_below(&planned, live);
        let is_new = staged.is_some() && !is_staged && found == new;
        let was: Hashes = self
            .plan
            .basis
            .as_ref()
            .map(|basis| hashes_below(&basis.tree, live))
            .unwrap_or_default();
        let was_put_aside = attempts.put_aside.lock().await.contains(live);
        let is_former = old.is_some()
            && !there
            && (was_put_aside || found == was || is_former(&found, &was, &new));
        report.has_former |= is_former;
        // The new entry never became live, or there is none; this one came when the old one had been renamed. Where there is none, that may
        // be long ago when the roll-back is a later one.
        let came_meanwhile = there
            && found != was
            && (is_staged
                || was_put_aside
                || staged.is_none() && !self.is_later && !report.is_theirs())
            && newcomer == Newcomer::MakesWay;
        if let Some(old) = old_path.as_ref().filter(|_| came_meanwhile)
            && let Some(away) = self.make_way((live, staged), &found, old, attempts).await?
        {
            return Ok(Some(Moved::Swap {
                live: live_path,
                away,
                back: old.clone(),
            }));
        }
        match (old_path, staged_path) {
            (Some(old), Some(staged)) if is_new && there => Ok(Some(Moved::Swap {
                live: live_path,
                away: staged,
                back: old,
            })),
            // What belongs to settings that somebody else is about to make live again, or has edited, is not taken away from them.
            (None, Some(_)) if is_new && report.is_theirs() => {
                report.foreign.push(format!(
                    "{live_path} belongs to what somebody else has changed, and is left unchanged"
                ));
                Ok(None)
            }
            (None, Some(staged)) if is_new => rename(live_path, staged),
            // Nothing was renamed yet.
            (old, _) if is_staged && (old.is_none() || !there) => Ok(None),
            (old_path, _) => {
                if found != was && !is_former {
                    report.leave(match old {
                        Some(old) if there => {
                            format!("{live_path}, whose former content is kept beside it as {old},")
                        }
                        _ => live_path.to_string(),
                    });
                } else if there
                    && let Some(old) = old_path
                    && entry_hashes(sysvol, &old).await? == Some(was)
                {
                    // Somebody has written the same again, after this operation had renamed it.
                    report.superfluous.push(old);
                }
                Ok(None)
            }
        }
    }
}

/// Whether the entries of the operation stay live, all of them, after this error: what comes after them in a roll-back would make a
/// mixture of the two policies. Found by one changed bit in the read-back: it ended the connection of SMB, the attributes were restored
/// over that of LDAP, and clients found the old extensions with the new files and the new version.
pub(super) fn keeps_the_new(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InUse | ErrorKind::Connect)
}

/// Whether what is under a live name is the former entry, whatever somebody else has changed in it since, and not the new one. Only what
/// one of the two contains, and the other does not, distinguishes them.
pub(super) fn is_former(found: &Hashes, was: &Hashes, new: &Hashes) -> bool {
    let only = |one: &Hashes, other: &Hashes| -> Hashes {
        let is_own = |(path, hash): &(&String, &String)| other.get(*path) != Some(*hash);
        let own = one.iter().filter(is_own);
        own.map(|(path, hash)| (path.clone(), hash.clone()))
            .collect()
    };
    let is_found = |(path, hash): (&String, &String)| found.get(path) == Some(hash);
    let (own, of_new) = (only(was, new), only(new, was));
    let has_own = own.is_empty() || own.iter().any(is_found);
    !found.is_empty() && has_own && !of_new.iter().any(is_found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(files: &[(&str, &str)]) -> Hashes {
        let files = files.iter();
        files
            .map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned()))
            .collect()
    }

    #[test]
    fn a_former_entry_is_told_from_a_new_one_after_an_edit() {
        let was = hashes(&[("", ""), ("a", "1"), ("b", "2")]);
        let new = hashes(&[("", ""), ("a", "1"), ("b", "3"), ("c", "4")]);
        let edited = |entry: &Hashes, path: &str| {
            let mut entry = entry.clone();
            entry.insert(path.to_owned(), "of somebody else".to_owned());
            entry
        };
        for path in ["a", "d"] {
            assert!(is_former(&edited(&was, path), &was, &new), "{path}");
            assert!(!is_former(&edited(&new, path), &was, &new), "{path}");
        }
        // Neither of the two, and nothing at all.
        assert!(!is_former(&hashes(&[("d", "5")]), &was, &new));
        assert!(!is_former(&Hashes::new(), &was, &new));
        // The plan removes the entry.
        assert!(is_former(&edited(&was, "b"), &was, &Hashes::new()));
    }
}
