//! A relay between gpoctl and a domain controller that sees every protocol message, and can change one, or cut the connection.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::utf16;

/// What binding to a port below 1024 needs.
pub const NEEDS_ROOT: &str = "a low port of a loopback address, which needs root";

/// The protocol of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Ldap,
    Smb,
}

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    Client,
    Server,
}

/// A place in the traffic of one run: the message with this number, from 1, of those that one side sent over one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub protocol: Protocol,
    pub sender: Sender,
    pub number: usize,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.sender {
            Sender::Client => "request",
            Sender::Server => "response",
        };
        write!(f, "{:?} {kind} {}", self.protocol, self.number)
    }
}

/// A message on its way: a BER message or a sealed buffer of LDAP, or an SMB message with its length in front.
pub struct Message<'a> {
    pub point: Point,
    /// Its number among those that this side sent on this connection.
    pub on_connection: usize,
    pub bytes: &'a mut Vec<u8>,
}

impl Message<'_> {
    /// Whether it contains this text in UTF-16LE, as SMB has names of files.
    pub fn names(&self, text: &str) -> bool {
        let wanted = utf16(text);
        let mut windows = self.bytes.windows(wanted.len());
        windows.any(|window| window == wanted)
    }
}

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// It does not arrive, and its connection ends.
    Cut,
}

type Inspector = Box<dyn FnMut(Message<'_>) -> Verdict + Send>;

/// One run of gpoctl, as the relay sees it.
struct Run {
    counts: [[usize; 2]; 2],
    inspector: Inspector,
}

/// A relay to the domain controller of `src` or `dst`.
pub struct Relay {
    /// Where it listens.
    pub address: String,
    current: Arc<Mutex<Arc<Mutex<Run>>>>,
}

/// A loopback address of this lab, different from those of its domain controllers.
pub fn loopback(last: u8) -> String {
    let number = std::env::var("GPOCTL_LAB_NUMBER").unwrap();
    format!("127.0.{number}.{last}")
}

impl Relay {
    /// Relays these ports at the loopback address that ends with this number; all messages pass.
    pub fn start(side: &str, last: u8, ports: &[u16]) -> Self {
        let address = loopback(last);
        let target = std::env::var(format!("GPOCTL_LAB_{}_ADDRESS", side.to_uppercase())).unwrap();
        let current = Arc::new(Mutex::new(new_run(|_| Verdict::Pass)));
        for port in ports.iter().copied() {
            let listener = TcpListener::bind((address.as_str(), port)).expect(NEEDS_ROOT);
            let (current, target) = (Arc::clone(&current), target.clone());
            std::thread::spawn(move || {
                for client in listener.incoming() {
                    let run = Arc::clone(&current.lock().unwrap());
                    // Where no server answers, the client finds its connection closed.
                    if let (Ok(client), Ok(server)) =
                        (client, TcpStream::connect((target.as_str(), port)))
                    {
                        connect(port, &client, &server, &run);
                    }
                }
            });
        }
        Self { address, current }
    }

    /// Counts anew, and asks this about every message of the connections that are made from now on. While it is being answered, no
    /// other message is forwarded.
    pub fn inspect(&self, inspector: impl FnMut(Message<'_>) -> Verdict + Send + 'static) {
        *self.current.lock().unwrap() = new_run(inspector);
    }

    /// All points of the run since [`Self::inspect`], in order.
    pub fn points(&self) -> Vec<Point> {
        let run = Arc::clone(&self.current.lock().unwrap());
        let counts = run.lock().unwrap().counts;
        let mut points = Vec::new();
        for protocol in [Protocol::Ldap, Protocol::Smb] {
            for sender in [Sender::Client, Sender::Server] {
                let count = counts[usize::from(protocol == Protocol::Smb)]
                    [usize::from(sender == Sender::Server)];
                points.extend((1..=count).map(|number| Point {
                    protocol,
                    sender,
                    number,
                }));
            }
        }
        points
    }
}

fn new_run(inspector: impl FnMut(Message<'_>) -> Verdict + Send + 'static) -> Arc<Mutex<Run>> {
    Arc::new(Mutex::new(Run {
        counts: [[0; 2]; 2],
        inspector: Box::new(inspector),
    }))
}

/// Forwards both directions of a connection until one ends.
fn connect(port: u16, client: &TcpStream, server: &TcpStream, run: &Arc<Mutex<Run>>) {
    let protocol = if port == 445 {
        Protocol::Smb
    } else {
        Protocol::Ldap
    };
    for (sender, from, to) in [
        (Sender::Client, client, server),
        (Sender::Server, server, client),
    ] {
        // A message must not wait for the acknowledgement of the one before it.
        to.set_nodelay(true).unwrap();
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let run = Arc::clone(run);
        std::thread::spawn(move || {
            let mut on_connection = 0;
            while let Ok(mut bytes) = next_message(&mut from) {
                on_connection += 1;
                if run
                    .lock()
                    .unwrap()
                    .pass(protocol, sender, on_connection, &mut bytes)
                    == Verdict::Cut
                    || to.write_all(&bytes).is_err()
                {
                    break;
                }
            }
            for stream in [&from, &to] {
                drop(stream.shutdown(Shutdown::Both));
            }
        });
    }
}

impl Run {
    fn pass(
        &mut self,
        protocol: Protocol,
        sender: Sender,
        on_connection: usize,
        bytes: &mut Vec<u8>,
    ) -> Verdict {
        let count = &mut self.counts[usize::from(protocol == Protocol::Smb)]
            [usize::from(sender == Sender::Server)];
        *count += 1;
        let point = Point {
            protocol,
            sender,
            number: *count,
        };
        (self.inspector)(Message {
            point,
            on_connection,
            bytes,
        })
    }
}

/// A BER message of LDAP [RFC 4511 4.1.1] begins with the tag of a SEQUENCE and its length; a sealed buffer [RFC 4752 3.3] and an
/// SMB message [MS-SMB2 2.1] with a length of four bytes, the first of which is 0.
fn next_message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 2];
    stream.read_exact(&mut bytes)?;
    let more = match (bytes[0], bytes[1]) {
        (0x30, length @ 0x80..) => {
            let mut digits = vec![0; usize::from(length & 0x7f)];
            stream.read_exact(&mut digits)?;
            bytes.extend_from_slice(&digits);
            digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit))
        }
        (0x30, length) => usize::from(length),
        _ => {
            let mut rest = [0; 2];
            stream.read_exact(&mut rest)?;
            bytes.extend_from_slice(&rest);
            bytes
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit))
        }
    };
    let head = bytes.len();
    bytes.resize(head + more, 0);
    stream.read_exact(&mut bytes[head..])?;
    Ok(bytes)
}

/// A part of an import that is told from its messages, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// A new file is written beside the old ones.
    Staging,
    /// A half of the GPO is renamed away, and its successor in.
    Switch,
    /// GPT.INI is replaced.
    GptIni,
    /// The request after it: the new version in the directory.
    Version,
    /// The old files are deleted.
    CleanUp,
}

impl Moment {
    pub const ALL: [Self; 5] = [
        Self::Staging,
        Self::Switch,
        Self::GptIni,
        Self::Version,
        Self::CleanUp,
    ];
}

/// How far an import is, by the requests of gpoctl.
pub struct Progress {
    folder: String,
    reached: Option<Moment>,
}

impl Progress {
    /// An import into this GPO that has not begun.
    pub fn of_import(guid: &str) -> Self {
        Self {
            folder: format!(r"Policies\{guid}\"),
            reached: None,
        }
    }

    /// The moment to which this request belongs, if it does to one.
    pub fn meets(&mut self, message: &Message<'_>) -> Option<Moment> {
        let point = message.point;
        if point.sender == Sender::Server {
            return None;
        }
        let names = |entry: &str| message.names(entry);
        let moment = match (point.protocol, self.reached) {
            (Protocol::Ldap, Some(Moment::GptIni)) => Moment::Version,
            (Protocol::Ldap, _) => return None,
            (_, Some(Moment::Version | Moment::CleanUp)) if names("-old-") => Moment::CleanUp,
            (_, Some(Moment::Switch))
                if names("-new-GPT.INI") && names(&format!("{}GPT.INI", self.folder)) =>
            {
                Moment::GptIni
            }
            (_, Some(Moment::Staging)) if names("-old-") => Moment::Switch,
            (_, None | Some(Moment::Staging)) if names(r"-new-Machine\") => Moment::Staging,
            _ => return None,
        };
        self.reached = Some(moment);
        Some(moment)
    }
}
