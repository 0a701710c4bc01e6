//! The state of GPOs, read again and again.

use serde_json::Value;

use super::{Running, running_judge};

/// Reads what [`super::state`] does, of one GPO, through a process that keeps running in the domain controller.
pub struct StateReader(Running);

impl StateReader {
    /// A reader in `src` or `dst`.
    pub fn start(side: &str) -> Self {
        Self(running_judge(side, &["state", "-"]))
    }

    /// The state of the domain now, with this GPO and no other.
    pub fn read(&mut self, guid: &str) -> Value {
        let line = self.0.ask(guid).unwrap_or_else(|cause| panic!("{cause}"));
        serde_json::from_str(&line).unwrap()
    }
}
