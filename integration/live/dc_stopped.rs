//! The domain controller loses its power in the middle of an import, or is shut down, and comes back: the domain is in the old or in
//! the new state, at once or after the command that gpoctl names.
//!
//! With `GPOCTL_LIVE_POINTS=all` every moment and both ways; otherwise some of them.

use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::support::interrupted::{Case, all_points, filled, import_over};
use crate::support::*;

/// How the domain controller stops.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    /// Everything in it ends at once.
    Power,
    /// Samba ends what it is doing.
    Shutdown,
}

fn engine(arguments: &[&str]) {
    let container = std::env::var("GPOCTL_LAB_DST_CONTAINER").unwrap();
    let status = Command::new(std::env::var("GPOCTL_LAB_ENGINE").unwrap())
        .args(arguments)
        .arg(container)
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "{arguments:?}");
}

fn stop(how: Stop) {
    match how {
        Stop::Power => engine(&["kill"]),
        Stop::Shutdown => engine(&["stop"]),
    }
    // Until it has ended it cannot be started.
    engine(&["wait"]);
}

/// Starts the domain controller again, and waits until it answers.
fn start() {
    engine(&["start"]);
    let up = Command::new(std::env::var("GPOCTL_LAB_SCRIPT").unwrap())
        .arg("up")
        .stderr(Stdio::null())
        .status();
    assert!(up.unwrap().success());
}

#[test]
#[ignore = "needs the lab"]
fn an_import_while_the_domain_controller_stops() {
    let _alone = alone();
    let guid = filled("Stopped");
    let mut case = Case::new(&guid, &import_over(&guid));
    let relay = Relay::start("dst", 83, &[389, 445]);
    let tries: Vec<(Moment, Stop)> = Moment::ALL
        .into_iter()
        .flat_map(|moment| [(moment, Stop::Power), (moment, Stop::Shutdown)])
        .collect();
    let some = [
        (Moment::Staging, Stop::Power),
        (Moment::Switch, Stop::Power),
        (Moment::CleanUp, Stop::Power),
    ];
    let tries = if all_points() { tries } else { some.to_vec() };
    for (moment, how) in tries {
        let one = case.begin();
        let (seen, look) = (Arc::clone(&one.seen), case.looker());
        let mut progress = Progress::of_import(&guid);
        let (sender, stopped) = std::sync::mpsc::channel();
        relay.inspect(move |message| {
            if progress.meets(&message) == Some(moment) && seen.lock().unwrap().is_empty() {
                seen.lock().unwrap().push(look());
                stop(how);
                sender.send(()).unwrap();
            }
            Verdict::Pass
        });
        let said = case.run(&one, Some(&relay.address));
        assert!(
            !one.seen.lock().unwrap().is_empty(),
            "{moment:?} never came"
        );
        // gpoctl ends as soon as its connections do.
        stopped.recv().unwrap();
        start();
        case.reconnect();
        if let Err(what) = case.judge(&one, &said) {
            panic!("{how:?} at {moment:?}: {what}");
        }
        assert_ne!(said.status, 0, "{how:?} at {moment:?}");
    }
    case.end("import, the domain controller stopped");
    write("dst.test", &["delete", &guid]).json();
}
