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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    /// What is switched off cannot be switched on again, so a process of its own tries it.
    #[test]
    fn nothing_reads_the_memory_of_the_process() {
        let done = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "auth::memory::tests::protected", "--ignored"])
            .env("GPOCTL_PROTECTED", "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    #[ignore = "run by nothing_reads_the_memory_of_the_process"]
    fn protected() {
        if std::env::var_os("GPOCTL_PROTECTED").is_none() {
            return;
        }
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable);
        super::protect();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let core = getrlimit(Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
    }
}
