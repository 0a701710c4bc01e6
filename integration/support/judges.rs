//! The judges of the lab: processes that have imported Samba once and answer many requests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What a judge printed, and its exit status.
pub(super) struct Judgement {
    pub(super) status: i64,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// A running `samba-testenv/judge … serve`. It ends when its standard input does.
struct Server {
    side: String,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    process: Child,
}

/// Those that are not busy.
static IDLE: Mutex<Vec<Server>> = Mutex::new(Vec::new());

impl Server {
    fn start(side: &str) -> Self {
        let judge = std::env::var("GPOCTL_LAB_JUDGE").unwrap();
        let mut process = Command::new(judge)
            .args([side, "serve"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            side: side.to_owned(),
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    /// The answer to a request; `None` when the process has ended, as it does when the lab is reset.
    fn answer(&mut self, request: &Value) -> Option<Judgement> {
        writeln!(self.input, "{request}").ok()?;
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        let answer: Value = serde_json::from_str(&line).ok()?;
        let bytes = |name: &str| STANDARD.decode(answer[name].as_str().unwrap()).unwrap();
        Some(Judgement {
            status: answer["status"].as_i64().unwrap(),
            stdout: bytes("stdout"),
            stderr: String::from_utf8_lossy(&bytes("stderr")).into_owned(),
        })
    }
}

/// A server of this domain that is not busy.
fn idle(side: &str) -> Option<Server> {
    let mut servers = IDLE.lock().unwrap();
    let position = servers.iter().position(|server| server.side == side)?;
    Some(servers.swap_remove(position))
}

/// Asks a judge of `src` or `dst`. The first argument is its name, as on the command line of `samba-testenv/judge`.
pub(super) fn ask(side: &str, arguments: &[&str], input: &[u8]) -> Judgement {
    let (judge, arguments) = arguments.split_first().unwrap();
    let request = json!({"judge": judge, "arguments": arguments, "input": STANDARD.encode(input)});
    // A judge changes nothing, so a request whose process has ended can be repeated.
    while let Some(mut server) = idle(side) {
        if let Some(judgement) = server.answer(&request) {
            IDLE.lock().unwrap().push(server);
            return judgement;
        }
        drop(server.input);
        server.process.wait().unwrap();
    }
    let mut server = Server::start(side);
    let judgement = server.answer(&request);
    IDLE.lock().unwrap().push(server);
    judgement.unwrap_or_else(|| panic!("judge {side} {judge}: no answer"))
}
