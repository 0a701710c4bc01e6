//! The state of GPOs, read again and again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// Reads what [`super::state`] does, of one GPO, through a process that keeps running in the domain controller.
pub struct StateReader {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl StateReader {
    /// A reader in `src` or `dst`.
    pub fn start(side: &str) -> Self {
        let mut child = Command::new(std::env::var("GPOCTL_LAB_JUDGE").unwrap())
            .args([side, "state", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// The state of the domain now, with this GPO and no other.
    pub fn read(&mut self, guid: &str) -> Value {
        writeln!(self.input, "{guid}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for StateReader {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
