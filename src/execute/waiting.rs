//! Waiting for a client that has a file open: nothing else does.
//!
//! A client of the domain has the files of a policy open for milliseconds, at any moment. Windows and Samba since 4.22 do not
//! let anybody rename a folder below which something is open, nor replace an open file; neither does any server when the client does not share
//! what it opened. So a call that a server refuses for that is made again until it succeeds, for a limited time.
//!
//! Replacing each file separately instead of renaming the folder would not help: those servers refuse the replacement of an open
//! file as well, and clients would find old and new files side by side for longer.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use crate::domain::sysvol::{DirEntry, Listing, Sysvol, SysvolPath, SysvolRead};
use crate::error::{Error, ErrorKind, Result};
use crate::model::security_descriptor::FileEntries;
use crate::progress::{Control, Phase};
use crate::session::DomainWriter;

/// The pause before the second try; each one after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long an operation waits, and what ends the waiting.
struct Patience {
    limit: Duration,
    control: Control,
    /// Whether a wait has reached the limit. What is still open then is not waited for a second time.
    is_over: AtomicBool,
}

/// A session that waits for what a client has open in every call on SYSVOL, and beside it the calls that do not wait.
pub(super) struct PatientDomain<'a> {
    waiting: DomainWriter,
    at_once: &'a DomainWriter,
    patience: Arc<Patience>,
}

impl<'a> PatientDomain<'a> {
    /// For an operation that is controlled by `control`; a wait ends when the operation is cancelled.
    pub(super) fn new(domain: &'a DomainWriter, control: &Control) -> Self {
        let patience = Arc::new(Patience {
            limit: domain.patience(),
            control: control.clone(),
            is_over: AtomicBool::new(false),
        });
        let waiting = domain.wrap_sysvol(|inner| {
            Arc::new(Waiting {
                inner,
                patience: Arc::clone(&patience),
            })
        });
        Self {
            waiting,
            at_once: domain,
            patience,
        }
    }

    /// The same session for rolling back the operation, which may have been cancelled itself.
    pub(super) fn for_roll_back(&self) -> Self {
        Self::new(self.at_once, &self.patience.control.without_cancellation())
    }

    /// The same SYSVOL, where no call waits.
    pub(super) fn sysvol_at_once(&self) -> &dyn Sysvol {
        self.at_once.sysvol()
    }

    /// Makes an attempt of several calls that do not wait, and makes all of it again while it fails with `InUse`.
    ///
    /// # Errors
    /// Those of the attempt: `InUse` when the time is over; `Cancelled` when the operation is cancelled while it waits.
    pub(super) async fn until_closed<T, F>(&self, attempt: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.patience.until_closed(attempt).await
    }
}

impl Deref for PatientDomain<'_> {
    type Target = DomainWriter;

    fn deref(&self) -> &DomainWriter {
        &self.waiting
    }
}

impl Patience {
    /// Makes an attempt, and makes it again while it fails with `InUse`.
    ///
    /// # Errors
    /// Those of the attempt: `InUse` when the time is over; `Cancelled` when the operation is cancelled while it waits.
    async fn until_closed<T, F>(&self, attempt: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let (begin, mut pause) = (Instant::now(), FIRST_PAUSE);
        let outcome = loop {
            let error = match attempt().await {
                Err(error) if error.kind() == ErrorKind::InUse => error,
                other => break other,
            };
            let waited = begin.elapsed();
            let left = self.limit.saturating_sub(waited);
            if left.is_zero() || self.is_over.load(Ordering::Relaxed) {
                self.is_over.store(true, Ordering::Relaxed);
                break Err(still_in_use(error, waited));
            }
            if pause == FIRST_PAUSE || pause == LONGEST_PAUSE {
                tracing::info!(waited = ?waited, limit = ?self.limit, "Waiting until it is closed: {error}");
            }
            self.report(waited);
            tokio::select! {
                () = tokio::time::sleep(pause.min(left)) => {}
                () = self.control.cancellation().cancelled() => {
                    break Err(Error::new(ErrorKind::Cancelled, format!("stopped on request while {error}")));
                }
            }
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        };
        if pause > FIRST_PAUSE {
            self.report(self.limit);
        }
        outcome
    }

    fn report(&self, waited: Duration) {
        let total = self.limit.as_secs().max(1);
        let done = if waited == self.limit {
            total
        } else {
            waited.as_secs().min(total.saturating_sub(1))
        };
        self.control.report(Phase::Wait, done, total, 0);
    }
}

/// The error of a wait in vain.
fn still_in_use(error: Error, waited: Duration) -> Error {
    if waited < FIRST_PAUSE {
        return error;
    }
    let waited = waited.as_secs_f32();
    error.context(format!("still in use after {waited:.0} s"))
}

/// SYSVOL, with every call waiting for what a client has open.
struct Waiting {
    inner: Arc<dyn Sysvol>,
    patience: Arc<Patience>,
}

#[async_trait]
impl SysvolRead for Waiting {
    async fn list(&self, dir: &SysvolPath) -> Result<Listing> {
        self.patience.until_closed(|| self.inner.list(dir)).await
    }

    async fn stat(&self, path: &SysvolPath) -> Result<Option<DirEntry>> {
        self.patience.until_closed(|| self.inner.stat(path)).await
    }

    async fn read(&self, path: &SysvolPath, size: u64) -> Result<Bytes> {
        let read = || self.inner.read(path, size);
        self.patience.until_closed(read).await
    }

    async fn security_descriptor(&self, path: &SysvolPath) -> Result<Vec<u8>> {
        self.inner.security_descriptor(path).await
    }

    async fn maximal_access(&self, path: &SysvolPath) -> Result<Option<u32>> {
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

#[async_trait]
impl Sysvol for Waiting {
    async fn create_dir(&self, path: &SysvolPath, descriptors: &[Vec<u8>]) -> Result<()> {
        self.inner.create_dir(path, descriptors).await
    }

    async fn write_new(
        &self,
        path: &SysvolPath,
        content: Bytes,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        self.inner.write_new(path, content, descriptors).await
    }

    async fn rename(&self, from: &SysvolPath, to: &SysvolPath, replace: bool) -> Result<()> {
        let rename = || self.inner.rename(from, to, replace);
        self.patience.until_closed(rename).await
    }

    async fn swap(
        &self,
        live: &SysvolPath,
        old: Option<&SysvolPath>,
        staged: &SysvolPath,
    ) -> Result<()> {
        let swap = || self.inner.swap(live, old, staged);
        self.patience.until_closed(swap).await
    }

    async fn remove_file(&self, path: &SysvolPath) -> Result<()> {
        let remove = || self.inner.remove_file(path);
        self.patience.until_closed(remove).await
    }

    async fn remove_dir(&self, path: &SysvolPath) -> Result<()> {
        let remove = || self.inner.remove_dir(path);
        self.patience.until_closed(remove).await
    }

    async fn probe_file_entries(&self, folder: &SysvolPath) -> Result<()> {
        self.inner.probe_file_entries(folder).await
    }

    async fn set_security_descriptors(
        &self,
        path: &SysvolPath,
        descriptors: &[Vec<u8>],
    ) -> Result<()> {
        let inner = &self.inner;
        inner.set_security_descriptors(path, descriptors).await
    }
}
