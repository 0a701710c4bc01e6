//! Entries of others that came to a live name while this operation was switching it: what they contain is put over the former entry, as
//! if it had been written afterwards.

use std::collections::BTreeSet;

use super::entries::{Attempts, Hashes};
use super::{RollbackReport, Undo, safe_name};
use crate::domain::sysvol::{DirEntry, SysvolPath};
use crate::error::{ErrorKind, Result};
use crate::execute::journal::Event;
use crate::execute::stage::{ignore_missing, read_whole};

impl Undo<'_> {
    /// The live names of the entries of others that earlier roll-backs were about to put aside.
    pub(super) fn put_aside(&self) -> BTreeSet<String> {
        self.put_aside.cloned().unwrap_or_default()
    }

    /// Announces that what somebody else has put at this live name is put aside, and returns that place. `None` where it stays: it cannot
    /// be put over the former entry, of another kind; or somebody else has written a version since, of which it
    /// may be the whole policy.
    ///
    /// # Errors
    /// `Internal` when this cannot be recorded; otherwise as the server reports.
    pub(super) async fn make_way(
        &self,
        (live, staged): (&str, Option<&str>),
        found: &Hashes,
        old: &SysvolPath,
        attempts: &Attempts<'_>,
    ) -> Result<Option<SysvolPath>> {
        let sysvol = self.domain.sysvol();
        let aside = self.aside(live)?;
        let is_dir = found.get("").is_some_and(String::is_empty);
        let is_of_kind = |old: &DirEntry| old.is_dir == is_dir;
        if !sysvol.stat(old).await?.as_ref().is_some_and(is_of_kind)
            || (self.is_later || staged.is_none()) && self.has_foreign_version().await?
        {
            return Ok(None);
        }
        // One was put aside before, and another one came before the former entry was live again.
        if sysvol.stat(&aside).await?.is_some() {
            let live = self.entry(live)?;
            if !self.put(aside.clone(), live, is_dir, Wins::There).await? {
                return Ok(None);
            }
        }
        let mut names = attempts.put_aside.lock().await;
        if !names.contains(live) {
            let event = Event::PutAside {
                of: self.of,
                live: live.to_owned(),
            };
            attempts.journal.lock().await.record(&event)?;
            names.insert(live.to_owned());
        }
        Ok(Some(aside))
    }

    /// Whether GPT.INI has neither the version before this operation nor one of its own.
    async fn has_foreign_version(&self) -> Result<bool> {
        let live = self.staging.entry(&super::gpt_ini_name()?);
        let found = read_whole(self.domain.sysvol(), &live).await?;
        let before = self.before()?.gpt_ini.as_ref().map(|it| &it.0);
        Ok(found.as_ref() != before && !found.as_ref().is_some_and(|it| self.is_own_gpt_ini(it)))
    }

    /// Puts what was put aside over the former entries, which are live again. What is left of it by an error, the next roll-back finds.
    pub(super) async fn put_over(&self, names: BTreeSet<String>, report: &mut RollbackReport) {
        for live in names {
            match self.put_one_over(&live).await {
                Ok(Over::NotAside) => {}
                Ok(Over::Whole) => {
                    report.keeps_others = true;
                    report.renamed_back.push(live);
                }
                Ok(Over::InPart(aside)) => report.foreign.push(format!(
                    "what somebody else wrote meanwhile does not fit over the former {live}, and the rest of it is kept beside it as {aside}"
                )),
                Err(error) => {
                    tracing::warn!(%error, live, "cannot put what somebody else wrote over the former entry");
                    report.failed.get_or_insert(error);
                }
            }
        }
    }

    async fn put_one_over(&self, live: &str) -> Result<Over> {
        let sysvol = self.domain.sysvol();
        let old = self.staging.old_name(&safe_name(live)?)?;
        // Then nothing was put aside, or it is at its live name again.
        if sysvol.stat(&self.staging.entry(&old)).await?.is_some() {
            return Ok(Over::NotAside);
        }
        let (aside, live) = (self.aside(live)?, self.entry(live)?);
        let Some(entry) = sysvol.stat(&aside).await? else {
            return Ok(Over::Whole);
        };
        Ok(
            match self
                .put(aside.clone(), live, entry.is_dir, Wins::Coming)
                .await?
            {
                true => Over::Whole,
                false => Over::InPart(aside.rel().map(ToString::to_string).unwrap_or_default()),
            },
        )
    }

    /// Moves what is at one path to another one, file by file where both have the same folder. Returns whether that was all of it: where one
    /// has a file and the other a folder, both stay.
    async fn put(
        &self,
        from: SysvolPath,
        to: SysvolPath,
        is_dir: bool,
        wins: Wins,
    ) -> Result<bool> {
        let sysvol = self.domain.sysvol();
        let mut is_whole = true;
        let mut folders = Vec::new();
        let mut next = vec![(from, to, is_dir)];
        while let Some((from, to, is_dir)) = next.pop() {
            match sysvol.stat(&to).await? {
                Some(there) if there.is_dir != is_dir => is_whole = false,
                Some(_) if is_dir => {
                    let listing = sysvol.list(&from).await?;
                    is_whole &= listing.refused.is_empty();
                    for entry in listing.entries {
                        if let (Some(from), Some(to)) =
                            (from.join(&entry.name), to.join(&entry.name))
                        {
                            next.push((from, to, entry.is_dir));
                        }
                    }
                    folders.push(from);
                }
                Some(_) if wins == Wins::There => {
                    ignore_missing(sysvol.remove_file(&from).await)?;
                }
                // A folder that is missing comes with everything below it.
                _ => sysvol.rename(&from, &to, !is_dir).await?,
            }
        }
        for folder in folders.iter().rev() {
            match ignore_missing(sysvol.remove_dir(folder).await) {
                // What does not fit is in it, or somebody has just put something into it.
                Err(error) if error.kind() == ErrorKind::Conflict => is_whole = false,
                other => other?,
            }
        }
        Ok(is_whole)
    }

    fn aside(&self, live: &str) -> Result<SysvolPath> {
        let name = self.staging.aside_name(&safe_name(live)?)?;
        Ok(self.staging.entry(&name))
    }
}

/// Which of two files with one name is kept: the later one.
#[derive(Clone, Copy, PartialEq)]
enum Wins {
    Coming,
    There,
}

/// What was put over a former entry.
enum Over {
    /// Nothing: it is not aside.
    NotAside,
    /// All of it.
    Whole,
    /// Not all; the rest has this name.
    InPart(String),
}
