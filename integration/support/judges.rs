//! The judges of the lab: processes that have imported Samba once and answer many requests.

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{NoAnswer, Running};

/// How long a judge may take.
const LIMIT: Duration = Duration::from_secs(600);
/// How much longer its server may take: one that is in order reports a judge that takes too long.
const MARGIN: Duration = Duration::from_secs(60);

/// What a judge printed, and its exit status.
#[derive(Debug)]
pub struct Judgement {
    pub status: i64,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// Starts `samba-testenv/judge` for `src` or `dst` with these arguments.
pub fn running_judge(side: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new(std::env::var("GPOCTL_LAB_JUDGE").unwrap());
    command.arg(side).args(arguments);
    Running::start(
        &format!("judge {side} {}", arguments.join(" ")),
        &mut command,
    )
}

/// The servers that are not busy, and their sides.
static IDLE: Mutex<Vec<(String, Running)>> = Mutex::new(Vec::new());

/// A server of this domain that is not busy.
fn idle(side: &str) -> Option<Running> {
    let mut servers = IDLE.lock().unwrap();
    let position = servers.iter().position(|(of, _)| of == side)?;
    Some(servers.swap_remove(position).1)
}

/// The answer of a server to a request.
fn answer(server: &mut Running, request: &Value, limit: Duration) -> Result<Judgement, NoAnswer> {
    server.limit = limit + MARGIN;
    let answer: Value = serde_json::from_str(&server.ask(&request.to_string())?).unwrap();
    let bytes = |name: &str| STANDARD.decode(answer[name].as_str().unwrap()).unwrap();
    Ok(Judgement {
        status: answer["status"].as_i64().unwrap(),
        stdout: bytes("stdout"),
        stderr: String::from_utf8_lossy(&bytes("stderr")).into_owned(),
    })
}

/// Asks a judge of `src` or `dst`, which may take so long. The first argument is its name, as on the command line of
/// `samba-testenv/judge`.
///
/// # Errors
/// Its server gave no answer.
pub fn ask_judge(
    side: &str,
    arguments: &[&str],
    input: &[u8],
    limit: Duration,
) -> Result<Judgement, String> {
    let (judge, arguments) = arguments.split_first().unwrap();
    let request = json!({
        "judge": judge,
        "arguments": arguments,
        "input": STANDARD.encode(input),
        "seconds": limit.as_secs(),
    });
    let no_answer = |cause| Err(format!("judge {side} {judge}: no answer: {cause}"));
    // One that waits has ended when the lab was reset. A judge changes nothing, so the request can be repeated; one that was
    // started for it has to answer, and so has one that has not ended.
    loop {
        let waiting = idle(side);
        let has_waited = waiting.is_some();
        let mut server = waiting.unwrap_or_else(|| running_judge(side, &["serve"]));
        match answer(&mut server, &request, limit) {
            Ok(judgement) => {
                IDLE.lock().unwrap().push((side.to_owned(), server));
                return Ok(judgement);
            }
            Err(NoAnswer::Ended(_)) if has_waited => {}
            Err(cause) => return no_answer(cause),
        }
    }
}

/// The same for a judge that may take as long as any, and has to answer.
pub(super) fn judgement(side: &str, arguments: &[&str], input: &[u8]) -> Judgement {
    ask_judge(side, arguments, input, LIMIT).unwrap_or_else(|cause| panic!("{cause}"))
}
