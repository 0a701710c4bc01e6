//! Somebody in the network path changes one bit of a message after the login, in either direction. LDAP is sealed and SMB is signed, so
//! nothing changed is believed: a command that reads fails, reads the same or says what it could not read, and one that writes ends as
//! when the connection is cut.
//!
//! Every tenth message is tried; all of them with `GPOCTL_LIVE_POINTS=all`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::interrupted::{Case, filled, import_over, sample};
use crate::support::*;

/// What precedes the message itself in front of a sealed buffer of LDAP and of an SMB message: its length. To change that is to cut.
const LENGTH: usize = 4;

/// Whether a message belongs to a login, or to what precedes it: a BER message of LDAP, which is not sealed; a negotiation or a
/// session set-up of SMB [MS-SMB2 2.2.1.2].
fn is_of_login(message: &Message<'_>) -> bool {
    let bytes = &message.bytes[LENGTH.min(message.bytes.len())..];
    match message.point.protocol {
        Protocol::Ldap => message.bytes[0] == 0x30,
        Protocol::Smb => bytes.len() < 14 || matches!(&bytes[12..14], [0 | 1, 0]),
    }
}

/// Changes one bit: another one for each message, anywhere behind its length.
fn flip(message: &mut Message<'_>) {
    let number = message.point.number;
    let length = message.bytes.len() - LENGTH;
    let at = LENGTH + number.wrapping_mul(7919) % length;
    message.bytes[at] ^= 1 << (number % 8);
}

/// Has the relay change this message; the count of how often it did.
fn flip_at(relay: &Relay, point: Point) -> Arc<AtomicUsize> {
    let flipped = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&flipped);
    relay.inspect(move |mut message| {
        if message.point == point && !is_of_login(&message) {
            flip(&mut message);
            count.fetch_add(1, Ordering::Relaxed);
        }
        Verdict::Pass
    });
    flipped
}

/// The messages of a run that has just gone through the relay.
fn points(name: &str, relay: &Relay) -> Vec<Point> {
    let all = relay.points();
    let count = all.len();
    let points = sample(all);
    println!("{name}: {count} messages, {} to try", points.len());
    points
}

#[test]
#[ignore = "needs the lab"]
fn what_is_read_is_not_changed() {
    let _alone = alone();
    let relay = Relay::start("src", 71, &[389, 445]);
    let show = || {
        let show = ["show", "Everything", "--domain", "src.test", "--json"];
        let more = ["--timeout", "5", "--address", &relay.address];
        gpoctl(&[&show[..], &more].concat())
    };
    relay.inspect(|_| Verdict::Pass);
    let undisturbed = show();
    assert_eq!(undisturbed.status, 0, "{}", undisturbed.stderr);
    let stdout = undisturbed.stdout.clone();
    let whole = undisturbed.json();
    let (mut flipped, mut refused, mut incomplete) = (0, 0, 0);
    for point in points("show", &relay) {
        let count = flip_at(&relay, point);
        let said = show();
        flipped += count.load(Ordering::Relaxed);
        match said.status {
            0 if said.stdout == stdout => {}
            0 => {
                incomplete += 1;
                assert_only_incomplete(&said.json(), &whole, point);
            }
            1 => refused += 1,
            other => panic!("changed at {point}: {other}: {}", said.stderr),
        }
    }
    println!("show: {flipped} changed, {refused} refused, {incomplete} incomplete");
    // What was changed was noticed; a request may have been sent again.
    let noticed = refused + incomplete;
    assert!(noticed >= 4 && flipped >= noticed, "{flipped} {noticed}");
}

/// A server answers a request with a wrong signature "access denied" [MS-SMB2 3.3.5.2.4], and signs that answer: what was asked
/// for is as unreadable as without a permission. That is said, and what is there is as it was.
fn assert_only_incomplete(said: &Value, whole: &Value, point: Point) {
    let list = |of: &Value, name: &str| of[name].as_array().unwrap().clone();
    let messages = list(said, "messages");
    assert!(!messages.is_empty(), "changed at {point}");
    for message in &messages {
        assert_eq!(message["code"], "unreadable-file", "{point}: {messages:?}");
    }
    for name in ["files", "settings"] {
        let all = list(whole, name);
        for one in list(said, name) {
            assert!(all.contains(&one), "changed at {point}: {one}");
        }
    }
}

#[test]
#[ignore = "needs the lab"]
fn what_is_written_is_not_changed() {
    let _alone = alone();
    let guid = filled("Flipped import");
    let mut arguments = import_over(&guid);
    arguments.extend(["--timeout", "5"].map(str::to_owned));
    let mut case = Case::new(&guid, &arguments);
    let relay = Relay::start("dst", 72, &[389, 445]);
    let undisturbed = case.begin();
    relay.inspect(|_| Verdict::Pass);
    let said = case.run(&undisturbed, Some(&relay.address));
    let points = points("import", &relay);
    case.judge(&undisturbed, &said).unwrap();
    let mut flipped = 0;
    for point in points {
        let one = case.begin();
        let count = flip_at(&relay, point);
        let said = case.run(&one, Some(&relay.address));
        flipped += count.load(Ordering::Relaxed);
        if let Err(what) = case.judge(&one, &said) {
            panic!("import, changed at {point}: {what}");
        }
    }
    println!("import: {flipped} changed, {:?}", case.tally);
    let tally = case.tally;
    // Every changed message but the last ones, behind which nothing is left to do, was noticed.
    assert!(
        flipped >= 10 && tally.failed + tally.left >= flipped / 2,
        "{flipped} {tally:?}"
    );
    assert_samba_checks_pass("dst");
    write("dst.test", &["delete", &guid]).json();
}
