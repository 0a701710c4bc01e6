//! A back end that many readers share, with a limit on the calls in flight; and the memory budget that the readers share.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::sysvol::{DirEntry, Listing, SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Result};
use crate::model::security_descriptor::FileEntries;

/// A limit, in KiB, on the memory of what is read at the same time. A reader that needs more than all of it gets all of it and
/// runs alone.
pub struct MemoryBudget {
    free: Arc<Semaphore>,
    all: u32,
}

/// A part of a [`MemoryBudget`]; it is released on drop.
#[derive(Debug)]
pub struct Reservation(#[expect(dead_code, reason = "held, never looked at")] OwnedSemaphorePermit);

impl MemoryBudget {
    /// A budget of this many KiB.
    pub fn new(kib: u32) -> Self {
        Self {
            free: Arc::new(Semaphore::new(usize::try_from(kib).unwrap_or(usize::MAX))),
            all: kib,
        }
    }

    /// Waits until this many bytes are free, in the order of the requests.
    ///
    /// # Errors
    /// `Internal`; the budget is never closed.
    pub async fn reserve(&self, bytes: u64) -> Result<Reservation> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.free).acquire_many_owned(kib.min(self.all));
        permit.await.map(Reservation).map_err(|cause| {
            Error::new(ErrorKind::Internal, "the memory budget is closed").with_source(cause)
        })
    }
}

/// A back end with a limit on the calls in flight, and so on the memory for answers.
pub struct Throttled<'a> {
    inner: &'a dyn SysvolRead,
    permits: Semaphore,
}

impl<'a> Throttled<'a> {
    /// At most this many calls at once.
    pub fn new(inner: &'a dyn SysvolRead, at_once: usize) -> Self {
        Self {
            inner,
            permits: Semaphore::new(at_once.max(1)),
        }
    }

    async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>> {
        self.permits.acquire().await.map_err(|cause| {
            Error::new(ErrorKind::Internal, "the queue of calls is closed").with_source(cause)
        })
    }
}

#[async_trait]
impl SysvolRead for Throttled<'_> {
    async fn list(&self, dir: &SysvolPath) -> Result<Listing> {
        let _permit = self.permit().await?;
        self.inner.list(dir).await
    }

    async fn stat(&self, path: &SysvolPath) -> Result<Option<DirEntry>> {
        let _permit = self.permit().await?;
        self.inner.stat(path).await
    }

    async fn read(&self, path: &SysvolPath, size: u64) -> Result<Bytes> {
        let _permit = self.permit().await?;
        self.inner.read(path, size).await
    }

    async fn security_descriptor(&self, path: &SysvolPath) -> Result<Vec<u8>> {
        let _permit = self.permit().await?;
        self.inner.security_descriptor(path).await
    }

    async fn maximal_access(&self, path: &SysvolPath) -> Result<Option<u32>> {
        let _permit = self.permit().await?;
        self.inner.maximal_access(path).await
    }

    fn concurrency(&self) -> usize {
        self.inner.concurrency()
    }

    fn has_exact_descriptors(&self) -> bool {
        self.inner.has_exact_descriptors()
    }

    fn file_entries(&self) -> Option<FileEntries> {
        self.inner.file_entries()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_wants_more_than_there_is_waits_until_he_is_alone() {
        let budget = MemoryBudget::new(10);
        let one = budget.reserve(1).await.unwrap();
        let nine = budget.reserve(9 << 10).await.unwrap();
        let huge = budget.reserve(u64::MAX);
        tokio::pin!(huge);
        let waits = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(waits, &mut huge).await.is_err());
        drop(one);
        assert!(tokio::time::timeout(waits, &mut huge).await.is_err());
        drop(nine);
        let alone = huge.await.unwrap();
        assert!(
            tokio::time::timeout(waits, budget.reserve(1))
                .await
                .is_err()
        );
        drop(alone);
        budget.reserve(10 << 10).await.unwrap();
    }
}
