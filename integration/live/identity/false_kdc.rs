//! Somebody in the path who holds the key of one service account of the realm: he answers for the KDC, and reads what the
//! client then sends to the file server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex};

use super::{bare, krb5_conf, loopback, run, var};
use crate::support::{asked_inside, command_inside, samba_tool};

/// The program inside the domain controller that does the cryptography.
struct Attacker {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Attacker {
    fn new() -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/integration/live/identity/false_kdc.py"
        );
        let script = std::fs::read_to_string(script).unwrap();
        let mut child = command_inside("src", &["python3", "-c", &script])
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.stdin, "{command}").unwrap();
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the attacker ended at {command}");
        answer.trim().to_owned()
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap())
        .collect()
}

/// Answers for the KDC on this address. The requests that were seen are counted.
fn serve_kdc(address: &str, attacker: &Arc<Mutex<Attacker>>) {
    let listener =
        TcpListener::bind((address, 88)).expect("port 88 of a loopback address, which needs root");
    let attacker = Arc::clone(attacker);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let attacker = Arc::clone(&attacker);
            std::thread::spawn(move || {
                let mut length = [0; 4];
                while stream.read_exact(&mut length).is_ok() {
                    let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
                    stream.read_exact(&mut request).unwrap();
                    let reply = unhex(
                        &attacker
                            .lock()
                            .unwrap()
                            .ask(&format!("kdc {}", hex(&request))),
                    );
                    let length = u32::try_from(reply.len()).unwrap().to_be_bytes();
                    if stream.write_all(&[&length[..], &reply].concat()).is_err() {
                        break;
                    }
                }
            });
        }
    });
}

/// The same for requests in datagrams.
fn serve_kdc_datagrams(address: &str, attacker: &Arc<Mutex<Attacker>>) {
    let socket =
        UdpSocket::bind((address, 88)).expect("port 88 of a loopback address, which needs root");
    let attacker = Arc::clone(attacker);
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok((count, client)) = socket.recv_from(&mut buffer) {
            let request = hex(&buffer[..count]);
            let reply = attacker.lock().unwrap().ask(&format!("kdc {request}"));
            socket.send_to(&unhex(&reply), client).unwrap();
        }
    });
}

/// Hands on a port to the domain controller and keeps what the client sends.
fn relay(address: &str, port: u16) -> Arc<Mutex<Vec<u8>>> {
    let listener =
        TcpListener::bind((address, port)).expect("a port of a loopback address, which needs root");
    let sent = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&sent);
    let target = var("ADDRESS");
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = TcpStream::connect((target.as_str(), port)).unwrap();
            let (mut back, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut back));
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || {
                let mut buffer = [0; 65_536];
                while let Ok(count @ 1..) = client.read(&mut buffer) {
                    kept.lock().unwrap().extend_from_slice(&buffer[..count]);
                    if server.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    sent
}

/// A service account whose password the attacker knows, gone at the end.
struct ServiceAccount(String);

impl ServiceAccount {
    fn new(password: &str) -> Self {
        let name = "gpoctl-attacked".to_owned();
        asked_inside("src", &["samba-tool", "user", "delete", &name], "");
        samba_tool("src", &["user", "add", &name, password]);
        samba_tool("src", &["spn", "add", "attack/evil.tst", &name]);
        Self(name)
    }
}

impl Drop for ServiceAccount {
    fn drop(&mut self) {
        asked_inside("src", &["samba-tool", "user", "delete", &self.0], "");
    }
}

#[test]
#[ignore = "needs the lab"]
fn replies_for_another_service_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let address = loopback(99);
    let password = format!("Svc-{}", uuid::Uuid::new_v4());
    let account = ServiceAccount::new(&password);
    let attacker = Arc::new(Mutex::new(Attacker::new()));
    serve_kdc(&address, &attacker);
    serve_kdc_datagrams(&address, &attacker);
    let _ldap = relay(&address, 389);
    let smb = relay(&address, 445);
    let conf = krb5_conf(folder.path(), &address, "");
    // From the first exchange on; and only after LDAP has its ticket, so that it is SMB's turn.
    for after in [0, 1] {
        {
            let mut attacker = attacker.lock().unwrap();
            attacker.ask(&format!("key {password} SRC.TEST{}", account.0));
            attacker.ask(&format!("after {after}"));
        }
        smb.lock().unwrap().clear();
        let password_file = var("PASSWORD_FILE");
        let mut command = bare(
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
                &password_file,
                "--smb-client",
                "smb2",
            ],
            folder.path(),
        );
        command.env("KRB5_CONFIG", &conf);
        let said = run(command);
        let sent = hex(&smb.lock().unwrap());
        let verdict = attacker.lock().unwrap().ask(&format!("smb {sent}"));
        assert_eq!(
            verdict, "not fooled",
            "after {after}: {}{}",
            said.stdout, said.stderr
        );
        assert_eq!(
            said.status, 1,
            "after {after}: {}{}",
            said.stdout, said.stderr
        );
        assert!(
            said.stderr.contains("is not the one that was asked for"),
            "after {after}: {}",
            said.stderr
        );
    }
}
