//! Attackers between gpoctl and the SMB port of the domain controller: they change the negotiation, use another protocol, or do
//! not answer.

use std::net::TcpListener;

use super::{bare, list, run, var};
use crate::support::{NEEDS_ROOT, Protocol, Relay, Said, Sender, Verdict, loopback};

/// The dialects of a NEGOTIATE request [MS-SMB2 2.2.3], after the length and the header: every one above `most` becomes it.
fn no_dialect_above(message: &mut [u8], most: u16) {
    let body = 4 + 64;
    let count = usize::from(u16::from_le_bytes([message[body + 2], message[body + 3]]));
    for index in 0..count {
        let at = body + 36 + 2 * index;
        let dialect = u16::from_le_bytes([message[at], message[at + 1]]);
        message[at..at + 2].copy_from_slice(&dialect.min(most).to_le_bytes());
    }
}

/// `gpoctl list` at an address whose SMB negotiation is changed on the network path.
fn changed(last: u8, change: fn(&mut [u8]), more: &[&str]) -> Said {
    let relay = Relay::start("src", last, &[389, 445]);
    relay.inspect(move |message| {
        let point = message.point;
        if (point.protocol, point.sender) == (Protocol::Smb, Sender::Client)
            && message.on_connection == 1
        {
            change(message.bytes);
        }
        Verdict::Pass
    });
    refused_at(&relay, more)
}

/// `gpoctl list` at this address, which fails.
fn refused_at(relay: &Relay, more: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let password = var("PASSWORD_FILE");
    let user = [
        "--user",
        "Administrator@SRC.TEST",
        "--password-file",
        &password,
    ];
    let said = run(list(&relay.address, &[&user, more].concat(), folder.path()));
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    said
}

/// Turns the response that ends a login into one for a session with this flag, which is not signed [MS-SMB2 2.2.1.2, 2.2.6].
fn with_session_flag(message: &mut [u8], flag: u8) {
    let header = 4;
    let login = message.len() > header + 68
        && message[header..].starts_with(b"\xfeSMB")
        && message[header + 12..header + 14] == [1, 0];
    let ended = login && message[header + 8..header + 12] == [0; 4];
    if ended {
        message[header + 16] &= !8;
        message[header + 48..header + 64].fill(0);
        message[header + 64 + 2] |= flag;
    }
}

/// A guest or an anonymous user has no key, so anybody could answer.
#[test]
#[ignore = "needs the lab"]
fn a_session_without_an_account_is_refused() {
    for (last, flag) in [(89, 1), (90, 2)] {
        let relay = Relay::start("src", last, &[389, 445]);
        relay.inspect(move |message| {
            let point = message.point;
            if (point.protocol, point.sender) == (Protocol::Smb, Sender::Server) {
                with_session_flag(message.bytes, flag);
            }
            Verdict::Pass
        });
        let said = refused_at(&relay, &[]);
        assert!(said.stderr.contains("guest session"), "{}", said.stderr);
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_negotiation_without_3_1_1_is_found_out() {
    let said = changed(91, |message| no_dialect_above(message, 0x0302), &[]);
    assert!(
        said.stderr.contains("was changed on the way"),
        "{}",
        said.stderr
    );
}

#[test]
#[ignore = "needs the lab"]
fn a_changed_negotiation_of_3_1_1_is_found_out() {
    // The last byte belongs to the last negotiate context: the third signing algorithm offered.
    let said = changed(92, |message| *message.last_mut().unwrap() ^= 0x40, &[]);
    assert!(
        said.stderr
            .contains("is not signed with the key of this login"),
        "{}",
        said.stderr
    );
}

#[test]
#[ignore = "needs the lab"]
fn old_dialects_are_refused_unless_asked_for() {
    let only_2_1 = |message: &mut [u8]| no_dialect_above(message, 0x0210);
    let said = changed(93, only_2_1, &[]);
    let expected = "offers SMB 2.1 at most, and 3.0 or later is required";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
    // With the option, it is accepted, and only the later validation detects that the server supports more.
    let said = changed(94, only_2_1, &["--smb-min-dialect", "2.1"]);
    assert!(
        said.stderr.contains("was changed on the way"),
        "{}",
        said.stderr
    );
    let only_3_0 = |message: &mut [u8]| no_dialect_above(message, 0x0300);
    let said = changed(95, only_3_0, &["--smb-min-dialect", "3.1.1"]);
    let expected = "offers SMB 3.0 at most, and 3.1.1 or later is required";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
}

#[test]
#[ignore = "needs the lab"]
fn a_port_that_does_not_speak_smb_is_not_a_refused_account() {
    let folder = tempfile::tempdir().unwrap();
    let address = loopback(96);
    let _ldap = Relay::start("src", 96, &[389]);
    let listener = TcpListener::bind((address.as_str(), 445)).expect(NEEDS_ROOT);
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let password = var("PASSWORD_FILE");
    let user = [
        "--user",
        "Administrator@SRC.TEST",
        "--password-file",
        &password,
    ];
    let said = run(list(&address, &user, folder.path()));
    assert_eq!(said.status, 1, "{}", said.stdout);
    assert!(
        said.stderr.contains("does not answer with SMB 2 or 3"),
        "{}",
        said.stderr
    );
    assert!(!said.stderr.contains("refused"), "{}", said.stderr);
}

/// The server accepts the connection and does not answer: only the time-out ends it, and until then the process can be
/// inspected.
#[test]
#[ignore = "needs the lab"]
fn the_time_out_holds_for_smb_and_the_process_dumps_no_core() {
    let folder = tempfile::tempdir().unwrap();
    let address = loopback(97);
    let _ldap = Relay::start("src", 97, &[389]);
    let listener = TcpListener::bind((address.as_str(), 445)).expect(NEEDS_ROOT);
    let password = var("PASSWORD_FILE");
    let mut child = bare(
        &[
            "list",
            "--domain",
            "src.test",
            "--server",
            "dc1.src.test",
            "--address",
            &address,
            "--user",
            "Administrator@SRC.TEST",
            "--password-file",
            &password,
            "--smb-client",
            "smb2",
            "--timeout",
            "4",
        ],
        folder.path(),
    );
    let child = child
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (_silent, _) = listener.accept().unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))
        .unwrap();
    let values: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(values[..2], ["0", "0"], "{core}");
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!(said.status, 1, "{}", said.stdout);
    assert!(said.stderr.contains("within 4 s"), "{}", said.stderr);
}
