//! Progress and cancellation of long operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::error::{Error, ErrorKind, Result};

/// A phase of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phase {
    /// Reading GPOs.
    Read,
    /// Writing a backup to the local disk.
    Save,
    /// Writing new files beside the old ones.
    Stage,
    /// Making the new state the live one.
    Switch,
    /// Waiting until a client closes a file. The steps are seconds, of the most that it waits.
    Wait,
    /// Reading back the result.
    Verify,
    /// Deleting the old files.
    Clean,
    /// Undoing the changes.
    RollBack,
}

impl Phase {
    /// A word for the user.
    pub fn label(self) -> &'static str {
        match self {
            Self::Read => "reading",
            Self::Save => "saving",
            Self::Stage => "staging",
            Self::Switch => "switching",
            Self::Wait => "waiting for an open file",
            Self::Verify => "verifying",
            Self::Clean => "cleaning up",
            Self::RollBack => "rolling back",
        }
    }
}

/// One report of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// The phase.
    pub phase: Phase,
    /// Completed steps of this phase.
    pub done: u64,
    /// All steps of this phase.
    pub total: u64,
    /// Bytes of file content moved in this phase so far.
    pub bytes: u64,
}

/// Cancels a running operation. Clones cancel the same operation.
#[derive(Debug, Clone, Default)]
pub struct Cancellation(Arc<Request>);

#[derive(Debug, Default)]
struct Request {
    asked: AtomicBool,
    told: Notify,
}

impl Cancellation {
    /// A handle that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests that the operation stops at its next safe point.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        self.0.told.notify_waiters();
    }

    /// Whether it is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Waits until it is cancelled.
    pub async fn cancelled(&self) {
        let mut told = std::pin::pin!(self.0.told.notified());
        // Register before reading the flag, so that a request between the two is not missed.
        told.as_mut().enable();
        if !self.is_cancelled() {
            told.await;
        }
    }
}

type ProgressSink = dyn Fn(Progress) + Send + Sync;

/// The connection of a running operation to its caller: progress and cancellation.
#[derive(Clone, Default)]
pub struct Control {
    sink: Option<Arc<ProgressSink>>,
    cancellation: Cancellation,
}

impl Control {
    /// Reports to `sink` and listens to `cancellation`.
    pub fn new(
        sink: impl Fn(Progress) + Send + Sync + 'static,
        cancellation: Cancellation,
    ) -> Self {
        Self {
            sink: Some(Arc::new(sink)),
            cancellation,
        }
    }

    /// The handle that stops this operation.
    pub fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// The same progress, without what could cancel it.
    pub(crate) fn without_cancellation(&self) -> Self {
        Self {
            sink: self.sink.clone(),
            cancellation: Cancellation::new(),
        }
    }

    /// Reports progress.
    pub fn report(&self, phase: Phase, done: u64, total: u64, bytes: u64) {
        if let Some(sink) = &self.sink {
            sink(Progress {
                phase,
                done,
                total,
                bytes,
            });
        }
    }

    /// A safe point: continues, or stops here with an error of kind `Cancelled`.
    ///
    /// # Errors
    /// When it is cancelled.
    pub fn check(&self) -> Result<()> {
        if self.cancellation.is_cancelled() {
            Err(Error::new(ErrorKind::Cancelled, "stopped on request"))
        } else {
            Ok(())
        }
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("cancellation", &self.cancellation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_of_the_handle_stops_the_operation() {
        let control = Control::default();
        assert!(control.check().is_ok());
        control.cancellation().clone().cancel();
        assert_eq!(control.check().unwrap_err().kind(), ErrorKind::Cancelled);
    }

    #[tokio::test]
    async fn who_waits_is_told_and_who_comes_late_too() {
        let cancellation = Cancellation::new();
        let waiting = cancellation.clone();
        let waiting = tokio::spawn(async move { waiting.cancelled().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        cancellation.cancel();
        waiting.await.unwrap();
        cancellation.cancelled().await;
    }
}
