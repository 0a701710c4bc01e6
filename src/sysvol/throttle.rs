//! A back end that many readers share: each of them may ask for as much as it likes, and only so many calls are in flight.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{DirEntry, Listing, SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Result};

/// A back end behind a bound on the calls in flight, and so on the memory that answers take.
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
}
