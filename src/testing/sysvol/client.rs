//! The clients: the port, over one of two ways to make each call.

use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;

use super::share::{Caller, Kind, Share};
use super::{approximate, exact, locked};
use crate::domain::sysvol::{DirEntry, Listing, Sysvol, SysvolPath, SysvolRead};
use crate::error::{ErrorKind, Result};
use crate::model::security_descriptor::FileEntries;
use crate::sysvol::errno::no_descriptors;
use crate::sysvol::refusal::not_empty;
use crate::testing::faults::{Call, Faults, Half};

/// Which of the real clients one behaves like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SysvolClientKind {
    /// As the one on smb2.
    #[default]
    Smb2,
    /// As the one on libsmbclient: no descriptors, no access is asked for, a swap is two requests.
    Libsmbclient,
}

/// A connection to a [`super::MemorySysvol`].
pub struct MemorySysvolClient {
    share: Arc<Mutex<Share>>,
    caller: Caller,
    kind: SysvolClientKind,
    file_entries: OnceLock<FileEntries>,
    faults: Faults,
}

impl MemorySysvolClient {
    pub(super) fn new(share: Arc<Mutex<Share>>, caller: Caller, kind: SysvolClientKind) -> Self {
        Self {
            share,
            caller,
            kind,
            file_entries: OnceLock::new(),
            faults: Faults::none(),
        }
    }

    /// The same connection with this script of faults, which also records its calls.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Makes a call on the share, unless a fault comes between.
    async fn call<T: Send>(
        &self,
        call: Call,
        act: impl FnOnce(&mut Share, &Caller, SysvolClientKind) -> Result<T> + Send,
    ) -> Result<T> {
        let real = async { act(&mut locked(&self.share), &self.caller, self.kind) };
        self.faults.around(call, real).await
    }

    async fn reads<T: Send>(
        &self,
        operation: &'static str,
        path: &SysvolPath,
        act: impl FnOnce(&mut Share, &Caller, SysvolClientKind) -> Result<T> + Send,
    ) -> Result<T> {
        self.call(Call::read(Half::Sysvol, operation, path), act)
            .await
    }

    async fn writes(
        &self,
        operation: &'static str,
        object: impl std::fmt::Display,
        act: impl FnOnce(&mut Share, &Caller, SysvolClientKind) -> Result<()> + Send,
    ) -> Result<()> {
        let call = Call::write(Half::Sysvol, operation, object);
        let real = async { act(&mut locked(&self.share), &self.caller, self.kind) };
        self.faults.around_write(call, real).await
    }

    fn is_exact(&self) -> bool {
        self.kind == SysvolClientKind::Smb2
    }

    /// # Errors
    /// `Usage` when there are descriptors and this client cannot set them.
    fn check_descriptors(&self, descriptors: &[Vec<u8>]) -> Result<()> {
        if descriptors.is_empty() || self.is_exact() {
            Ok(())
        } else {
            Err(no_descriptors())
        }
    }
}

#[async_trait]
impl SysvolRead for MemorySysvolClient {
    async fn list(&self, dir: &SysvolPath) -> Result<Listing> {
        self.reads("list", dir, |share, caller, kind| match kind {
            SysvolClientKind::Smb2 => exact::list(share, caller, dir),
            SysvolClientKind::Libsmbclient => approximate::list(share, caller, dir),
        })
        .await
    }

    async fn stat(&self, path: &SysvolPath) -> Result<Option<DirEntry>> {
        self.reads("stat", path, |share, caller, kind| match kind {
            SysvolClientKind::Smb2 => exact::stat(share, caller, path),
            SysvolClientKind::Libsmbclient => approximate::stat(share, caller, path),
        })
        .await
    }

    async fn read(&self, path: &SysvolPath, size: u64) -> Result<Bytes> {
        self.reads("read", path, |share, caller, kind| match kind {
            SysvolClientKind::Smb2 => exact::read(share, caller, path, size),
            SysvolClientKind::Libsmbclient => approximate::read(share, caller, path, size),
        })
        .await
    }

    async fn security_descriptor(&self, path: &SysvolPath) -> Result<Vec<u8>> {
        if !self.is_exact() {
            return Err(no_descriptors());
        }
        self.reads("security_descriptor", path, |share, caller, _| {
            exact::security_descriptor(share, caller, path)
        })
        .await
    }

    async fn maximal_access(&self, path: &SysvolPath) -> Result<Option<u32>> {
        if !self.is_exact() {
            return Ok(None);
        }
        self.reads("maximal_access", path, |share, caller, _| {
            exact::maximal_access(share, caller, path)
        })
        .await
    }

    fn concurrency(&self) -> usize {
        if self.is_exact() { 16 } else { 1 }
    }

    fn has_exact_descriptors(&self) -> bool {
        self.is_exact()
    }

    fn file_entries(&self) -> Option<FileEntries> {
        self.file_entries.get().copied()
    }
}

#[async_trait]
impl Sysvol for MemorySysvolClient {
    async fn create_dir(&self, path: &SysvolPath, descriptors: &[Vec<u8>]) -> Result<()> {
        self.check_descriptors(descriptors)?;
        self.writes("create_dir", path, |share, caller, kind| match kind {
            SysvolClientKind::Smb2 => exact::make(share, caller, path, None, descriptors),
            SysvolClientKind::Libsmbclient => approximate::create_dir(share, caller, path),
        })
        .await
    }

    async fn write_new(
        &self,
        path: &SysvolPath,
        content: Bytes,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        self.check_descriptors(descriptors)?;
        self.writes("write_new", path, |share, caller, kind| match kind {
            SysvolClientKind::Smb2 => exact::make(share, caller, path, Some(content), descriptors),
            SysvolClientKind::Libsmbclient => approximate::write_new(share, caller, path, content),
        })
        .await
    }

    async fn rename(&self, from: &SysvolPath, to: &SysvolPath, replace: bool) -> Result<()> {
        let object = format!("{from} to {to}");
        self.writes("rename", object, |share, caller, kind| match kind {
            SysvolClientKind::Smb2 => exact::rename(share, caller, from, to, replace),
            SysvolClientKind::Libsmbclient => approximate::rename(share, caller, from, to, replace),
        })
        .await
    }

    async fn swap(
        &self,
        live: &SysvolPath,
        old: Option<&SysvolPath>,
        staged: &SysvolPath,
    ) -> Result<()> {
        let object = match old {
            Some(old) => format!("{live} to {old}, {staged} to {live}"),
            None => format!("{staged} to {live}"),
        };
        self.writes("swap", object, |share, caller, kind| match kind {
            SysvolClientKind::Smb2 => exact::swap(share, caller, live, old, staged),
            SysvolClientKind::Libsmbclient => approximate::swap(share, caller, live, old, staged),
        })
        .await
    }

    async fn remove_file(&self, path: &SysvolPath) -> Result<()> {
        self.writes("remove_file", path, |share, caller, kind| match kind {
            SysvolClientKind::Smb2 => exact::remove(share, caller, path, Kind::File),
            SysvolClientKind::Libsmbclient => approximate::remove(share, caller, path, Kind::File),
        })
        .await
    }

    async fn remove_dir(&self, path: &SysvolPath) -> Result<()> {
        let removed = self.writes("remove_dir", path, |share, caller, kind| match kind {
            SysvolClientKind::Smb2 => exact::remove(share, caller, path, Kind::Folder),
            SysvolClientKind::Libsmbclient => {
                approximate::remove(share, caller, path, Kind::Folder)
            }
        });
        match removed.await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                Err(not_empty(self, path, error).await)
            }
            other => other,
        }
    }

    async fn probe_file_entries(&self, folder: &SysvolPath) -> Result<()> {
        if !self.is_exact() || self.file_entries.get().is_some() {
            return Ok(());
        }
        let found = &self.file_entries;
        self.writes("probe_file_entries", folder, |share, caller, _| {
            if let Some(entries) = exact::probe(share, caller, folder) {
                // Another task may have been faster, with the same answer.
                let _ = found.set(entries);
            }
            Ok(())
        })
        .await
    }

    async fn set_security_descriptors(
        &self,
        path: &SysvolPath,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        self.check_descriptors(descriptors)?;
        if !self.is_exact() {
            return Ok(());
        }
        let descriptors = match descriptors {
            [first, ..] if self.faults.makes_first_step_now() => std::slice::from_ref(first),
            all => all,
        };
        self.writes("set_security_descriptors", path, |share, caller, _| {
            exact::set_descriptors(share, caller, path, descriptors)
        })
        .await
    }
}
