//! Faults of a connection, at a call that the test chooses. One script serves both halves of a connection, so that a number
//! stands for one call of a whole run.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::ldap::{ACCESS_DENIED, LdapFailure};
use crate::error::{Error, ErrorKind};

/// The half of a domain that a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Half {
    /// The directory, over LDAP.
    Directory,
    /// SYSVOL, over SMB.
    Sysvol,
}

/// A call to a domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Call {
    /// The half it goes to.
    pub half: Half,
    /// The method of the port: `search`, `write_new`, ….
    pub operation: &'static str,
    /// The DN or the path it is about; for a rename, both paths.
    pub object: String,
    /// Whether it changes something.
    pub writes: bool,
}

impl Call {
    /// A call that reads.
    pub fn read(half: Half, operation: &'static str, object: impl fmt::Display) -> Self {
        Self {
            half,
            operation,
            object: object.to_string(),
            writes: false,
        }
    }

    /// A call that changes something.
    pub fn write(half: Half, operation: &'static str, object: impl fmt::Display) -> Self {
        Self {
            writes: true,
            ..Self::read(half, operation, object)
        }
    }
}

impl fmt::Display for Call {
    /// `modify CN=x,DC=src,DC=test`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.object)
    }
}

/// On which side of a call a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum When {
    /// Before it: the server never sees it.
    Before,
    /// After it: the server has done it, and the answer is lost.
    After,
}

/// What another administrator does while the client waits.
pub type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A fault.
#[non_exhaustive]
pub enum Fault {
    /// The call fails as on a lost connection; the next one works again.
    Fail(When),
    /// The connection is lost for good: this call and all later ones fail.
    Disconnect(When),
    /// The connection to the half of this call is lost for good: this call and all later ones of that half fail, and the other
    /// half works.
    DisconnectHalf(When),
    /// The client is killed: this call and all later ones never return, and [`Faults::killed`] does. The test then drops the
    /// future of the client.
    Kill(When),
    /// The server does not do it and does not answer; the call fails when the time-out is over.
    Hang,
    /// The server refuses it: access denied.
    Refuse,
    /// The server says that it has done it, and has not. A call that reads is made.
    Pretend,
    /// Of the descriptors that the call sets on something, the server sets the first; then the call fails. Another call fails after it
    /// was made.
    FirstStep(CallFailure),
    /// Another administrator acts first, then the call is made.
    Act(Act),
}

impl Fault {
    /// Another administrator does this before the call. Give it a connection of its own, whose calls do not count.
    pub fn act(act: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::Act(Box::pin(act))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(when) => write!(f, "Fail({when:?})"),
            Self::Disconnect(when) => write!(f, "Disconnect({when:?})"),
            Self::DisconnectHalf(when) => write!(f, "DisconnectHalf({when:?})"),
            Self::Kill(when) => write!(f, "Kill({when:?})"),
            Self::Hang => f.write_str("Hang"),
            Self::Refuse => f.write_str("Refuse"),
            Self::Pretend => f.write_str("Pretend"),
            Self::FirstStep(failure) => write!(f, "FirstStep({failure:?})"),
            Self::Act(_) => f.write_str("Act"),
        }
    }
}

/// How a call fails at a fault; each port has an error that it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFailure {
    /// The connection was lost.
    ConnectionLost,
    /// No answer came within this time.
    TimedOut(Duration),
    /// The server refused.
    Denied,
}

impl From<CallFailure> for Error {
    /// `Connect`, or `Denied`, as the SMB clients report it.
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::ConnectionLost => Self::new(ErrorKind::Connect, "the connection was lost")
                .with_hint("try again; a change that was sent may still have been made"),
            CallFailure::TimedOut(within) => Self::new(
                ErrorKind::Connect,
                format!("no answer within {} s", within.as_secs_f32()),
            )
            .with_hint(
                "check the DC, or raise --timeout; a change that was sent may still have been made",
            ),
            CallFailure::Denied => Self::new(ErrorKind::Denied, "the account may not do this"),
        }
    }
}

impl From<CallFailure> for LdapFailure {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::ConnectionLost => Self::ConnectionLost {
                cause: "a fault of the test".into(),
            },
            CallFailure::TimedOut(within) => Self::NoAnswer { within },
            CallFailure::Denied => Self::result(ACCESS_DENIED, "a fault of the test"),
        }
    }
}

/// The calls of one connection so far, and the faults to come. All clones share them: give one to each half.
#[derive(Clone)]
pub struct Faults(Arc<Script>);

struct Script {
    state: Mutex<State>,
    killed: watch::Sender<bool>,
}

/// What looks at the domain after each call that may have changed it.
type Observer = Arc<dyn Fn(&Call) + Send + Sync>;

struct State {
    calls: Vec<Call>,
    faults: BTreeMap<usize, Fault>,
    connection: Connection,
    timeout: Duration,
    observer: Option<Observer>,
}

#[derive(Clone, Copy, PartialEq)]
enum Connection {
    Open,
    HalfLost(Half),
    Lost,
    Killed,
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

impl Faults {
    /// No faults; calls are recorded.
    pub fn none() -> Self {
        Self(Arc::new(Script {
            state: Mutex::new(State {
                calls: Vec::new(),
                faults: BTreeMap::new(),
                connection: Connection::Open,
                timeout: Duration::from_millis(5),
                observer: None,
            }),
            killed: watch::Sender::new(false),
        }))
    }

    /// One fault at the call with this number; the first call is number 1.
    pub fn at(number: usize, fault: Fault) -> Self {
        let faults = Self::none();
        faults.add(number, fault);
        faults
    }

    /// Adds a fault at the call with this number, and replaces one that is there.
    pub fn add(&self, number: usize, fault: Fault) {
        self.state().faults.insert(number, fault);
    }

    /// Sets how long a call that [hangs](Fault::Hang) takes; 5 ms if it is not set.
    pub fn set_timeout(&self, timeout: Duration) {
        self.state().timeout = timeout;
    }

    /// Calls this after each call that writes and that the server has got, and before the client has its answer: with the
    /// snapshots of the domain, it sees what a client of the domain would read at that moment.
    pub fn observe(&self, observer: impl Fn(&Call) + Send + Sync + 'static) {
        self.state().observer = Some(Arc::new(observer));
    }

    /// The calls so far, in the order in which they began. Number `n` is at index `n - 1`.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How many faults have not happened yet: with 1 left at the end, the run made fewer calls.
    pub fn pending(&self) -> usize {
        self.state().faults.len()
    }

    /// Returns once the client was [killed](Fault::Kill).
    pub async fn killed(&self) {
        let mut killed = self.0.killed.subscribe();
        // The sender lives as long as `self`, so this ends only when the value is true.
        let _ = killed.wait_for(|killed| *killed).await;
    }

    /// Records a call and makes it, unless a fault comes between. `real` must not have had an effect before it is polled,
    /// as no `async` block has.
    ///
    /// # Errors
    /// Those of `real`, and [`CallFailure`] at a fault.
    pub async fn around<T, E: From<CallFailure>>(
        &self,
        call: Call,
        real: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (fault, timeout, observer, half) = {
            let mut state = self.state();
            let observer = state.observer.clone().filter(|_| call.writes);
            let observer = observer.map(|observer| (observer, call.clone()));
            let half = call.half;
            state.calls.push(call);
            let number = state.calls.len();
            let fault = match state.connection {
                Connection::HalfLost(lost) if lost == half => Some(Fault::Fail(When::Before)),
                Connection::Open | Connection::HalfLost(_) => state.faults.remove(&number),
                Connection::Lost => Some(Fault::Fail(When::Before)),
                Connection::Killed => Some(Fault::Kill(When::Before)),
            };
            (fault, state.timeout, observer, half)
        };
        let real = async {
            let outcome = real.await;
            if let Some((observer, call)) = observer {
                observer(&call);
            }
            outcome
        };
        match fault {
            None | Some(Fault::Pretend) => real.await,
            Some(Fault::Act(act)) => {
                act.await;
                real.await
            }
            Some(Fault::Refuse) => Err(CallFailure::Denied.into()),
            Some(Fault::FirstStep(failure)) => {
                lose_answer(When::After, real).await;
                Err(failure.into())
            }
            Some(Fault::Hang) => {
                tokio::time::sleep(timeout).await;
                Err(CallFailure::TimedOut(timeout).into())
            }
            Some(Fault::Fail(when)) => {
                lose_answer(when, real).await;
                Err(CallFailure::ConnectionLost.into())
            }
            Some(Fault::Disconnect(when)) => {
                self.state().connection = Connection::Lost;
                lose_answer(when, real).await;
                Err(CallFailure::ConnectionLost.into())
            }
            Some(Fault::DisconnectHalf(when)) => {
                self.state().connection = Connection::HalfLost(half);
                lose_answer(when, real).await;
                Err(CallFailure::ConnectionLost.into())
            }
            Some(Fault::Kill(when)) => {
                self.state().connection = Connection::Killed;
                lose_answer(when, real).await;
                self.0.killed.send_replace(true);
                std::future::pending().await
            }
        }
    }

    /// As [`Faults::around`], for a call whose answer is that it is done.
    ///
    /// # Errors
    /// Those of `real`, and [`CallFailure`] at a fault.
    pub async fn around_write<E: From<CallFailure>>(
        &self,
        call: Call,
        real: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        if self.pretends_now() {
            return self.around(call, async { Ok(()) }).await;
        }
        self.around(call, real).await
    }

    /// Whether the next call has the fault [`Fault::Pretend`].
    fn pretends_now(&self) -> bool {
        self.next_is(|fault| matches!(fault, Fault::Pretend))
    }

    /// Whether the next call has the fault [`Fault::FirstStep`].
    pub(super) fn makes_first_step_now(&self) -> bool {
        self.next_is(|fault| matches!(fault, Fault::FirstStep(_)))
    }

    fn next_is(&self, is_it: impl Fn(&Fault) -> bool) -> bool {
        let state = self.state();
        let next = state.calls.len().saturating_add(1);
        state.faults.get(&next).is_some_and(is_it)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the call if the fault is behind it.
async fn lose_answer<T>(when: When, real: impl Future<Output = T>) {
    match when {
        When::Before => drop(real),
        When::After => drop(real.await),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Three calls, each of which adds its number to a sum.
    async fn run(faults: &Faults, sum: &AtomicUsize) -> Vec<Option<ErrorKind>> {
        let mut results = Vec::new();
        for number in 1..=3 {
            let call = Call::write(Half::Directory, "modify", format!("CN={number}"));
            let real = async {
                sum.fetch_add(number, Ordering::Relaxed);
                Ok::<_, Error>(())
            };
            let result = faults.around(call, real).await;
            results.push(result.err().map(|error| error.kind()));
        }
        results
    }

    #[tokio::test]
    async fn a_fault_is_at_its_call_and_on_its_side() {
        let lost = Some(ErrorKind::Connect);
        for (fault, results, done) in [
            (Fault::Fail(When::Before), [None, lost, None], 4),
            (Fault::Fail(When::After), [None, lost, None], 6),
            (Fault::Disconnect(When::Before), [None, lost, lost], 1),
            (Fault::Disconnect(When::After), [None, lost, lost], 3),
            (Fault::Hang, [None, lost, None], 4),
            (Fault::Refuse, [None, Some(ErrorKind::Denied), None], 4),
            (
                Fault::FirstStep(CallFailure::ConnectionLost),
                [None, lost, None],
                6,
            ),
        ] {
            let name = format!("{fault:?}");
            let (faults, sum) = (Faults::at(2, fault), AtomicUsize::new(0));
            assert_eq!(run(&faults, &sum).await, results, "{name}");
            assert_eq!(sum.load(Ordering::Relaxed), done, "{name}");
            assert_eq!(faults.calls().len(), 3);
            assert_eq!(faults.calls()[1].to_string(), "modify CN=2");
            assert_eq!(faults.pending(), 0);
        }
    }

    #[tokio::test]
    async fn a_killed_client_never_comes_back() {
        for (when, done) in [(When::Before, 1), (When::After, 3)] {
            let (faults, sum) = (Faults::at(2, Fault::Kill(when)), AtomicUsize::new(0));
            let survived = tokio::select! {
                _ = run(&faults, &sum) => true,
                () = faults.killed() => false,
            };
            assert!(!survived);
            assert_eq!(sum.load(Ordering::Relaxed), done, "{when:?}");
        }
    }

    #[tokio::test]
    async fn another_administrator_acts_before_the_call() {
        let sum = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&sum);
        let act = Fault::act(async move { other.store(10, Ordering::Relaxed) });
        let faults = Faults::at(2, act);
        assert_eq!(run(&faults, &sum).await, [None, None, None]);
        assert_eq!(sum.load(Ordering::Relaxed), 15);
    }

    #[tokio::test]
    async fn an_observer_comes_after_each_call_that_the_server_got() {
        for (fault, seen) in [
            (Fault::Fail(When::Before), vec![1, 4]),
            (Fault::Fail(When::After), vec![1, 3, 6]),
            (Fault::Refuse, vec![1, 4]),
        ] {
            let sum = Arc::new(AtomicUsize::new(0));
            let sums = Arc::new(Mutex::new(Vec::new()));
            let faults = Faults::at(2, fault);
            let (at, found) = (Arc::clone(&sum), Arc::clone(&sums));
            faults.observe(move |_| found.lock().unwrap().push(at.load(Ordering::Relaxed)));
            run(&faults, &sum).await;
            assert_eq!(*sums.lock().unwrap(), seen);
        }
    }

    #[tokio::test]
    async fn a_fault_that_was_not_reached_is_left() {
        let faults = Faults::at(4, Fault::Hang);
        assert_eq!(run(&faults, &AtomicUsize::new(0)).await, [None, None, None]);
        assert_eq!(faults.pending(), 1);
    }
}
