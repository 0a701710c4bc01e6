//! Processes that keep running in a machine of the lab and answer lines with lines.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a process may take for a line. What it does has limits of its own; this one is for a process that ignores them.
const LIMIT: Duration = Duration::from_secs(660);

/// Why a process gives no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It has ended.
    Ended(String),
    /// It takes too long, and was killed.
    TooLate(String),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(cause) | Self::TooLate(cause) => f.write_str(cause),
        }
    }
}

/// A process with pipes for its standard input and output. It is killed when this is dropped.
pub struct Running {
    name: String,
    /// How long the process may take for a line.
    pub limit: Duration,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    process: Child,
}

impl Running {
    /// Starts a command; the name is for errors.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            // The line in which a process is killed is no answer.
            while stdout.read_line(&mut line).is_ok() && line.ends_with('\n') {
                line.pop();
                if sender.send(std::mem::take(&mut line)).is_err() {
                    break;
                }
            }
        });
        Self {
            name: name.to_owned(),
            limit: LIMIT,
            input: process.stdin.take(),
            output,
            process,
        }
    }

    /// Gives the process a line.
    ///
    /// # Errors
    /// How the process ended.
    pub fn tell(&mut self, line: &str) -> Result<(), NoAnswer> {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").map_err(|_| self.ended())
    }

    /// The next line of the process; `None` when it has ended.
    ///
    /// # Errors
    /// The process takes too long, and was killed.
    pub fn next(&mut self) -> Result<Option<String>, NoAnswer> {
        match self.output.recv_timeout(self.limit) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                let (name, limit) = (&self.name, self.limit);
                let cause = format!("{name} did not answer within {limit:?}");
                Err(NoAnswer::TooLate(cause))
            }
        }
    }

    /// The next line.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn line(&mut self) -> Result<String, NoAnswer> {
        self.next()?.ok_or_else(|| self.ended())
    }

    /// Gives the process a line and returns its next one.
    ///
    /// # Errors
    /// As for both.
    pub fn ask(&mut self, line: &str) -> Result<String, NoAnswer> {
        self.tell(line)?;
        self.line()
    }

    /// Closes the standard input and returns what the process writes until it has ended.
    ///
    /// # Errors
    /// It takes too long, or ends with an error.
    pub fn end(&mut self) -> Result<Vec<String>, NoAnswer> {
        drop(self.input.take());
        let mut lines = Vec::new();
        while let Some(line) = self.next()? {
            lines.push(line);
        }
        match self.status()?.success() {
            true => Ok(lines),
            false => Err(self.ended()),
        }
    }

    /// How it ended.
    fn ended(&mut self) -> NoAnswer {
        drop(self.input.take());
        match self.status() {
            Ok(status) => NoAnswer::Ended(format!("{} ended: {status}", self.name)),
            Err(cause) => cause,
        }
    }

    /// Waits for its end. One that has closed its output may go on all the same.
    fn status(&mut self) -> Result<ExitStatus, NoAnswer> {
        let deadline = Instant::now() + self.limit;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait().unwrap() {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
        let (name, limit) = (&self.name, self.limit);
        let cause = format!("{name} did not end within {limit:?}");
        Err(NoAnswer::TooLate(cause))
    }

    fn kill(&mut self) {
        drop(self.input.take());
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
