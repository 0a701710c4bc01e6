//! Keeps passwords and keys out of core dumps and debuggers.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Switches off core dumps of this process, and on Linux also access by debuggers and `/proc/PID/mem` of other processes of
/// the same user. For the command, at its start; a library does not decide that for its caller.
///
/// What the system refuses is logged and not an error: a hardened kernel may forbid it already.
pub fn protect() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(cause) = setrlimit(Resource::Core, none) {
        tracing::debug!(%cause, "core dumps cannot be switched off");
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        if let Err(cause) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::debug!(%cause, "access by debuggers cannot be switched off");
        }
    }
}
