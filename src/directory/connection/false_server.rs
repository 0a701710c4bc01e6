//! A server that does not keep to the protocol: each answer ends the request with a clear error, within its time.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::directory::ber::{element, integer};
use crate::domain::ldap::Filter;

const TIMEOUT: Duration = Duration::from_millis(400);

/// A connection to a server that answers each request, whose ID it is given, with these bytes.
async fn connection(answer: impl Fn(u32) -> Vec<u8> + Send + 'static) -> LdapConnection {
    let (server, client) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let mut server = server;
        while let Some(id) = request(&mut server).await {
            if server.write_all(&answer(id)).await.is_err() {
                return;
            }
        }
    });
    over(client).await
}

async fn over(client: DuplexStream) -> LdapConnection {
    let (ldap, end) = stream::attach_plain("dc.test", client).await.unwrap();
    LdapConnection {
        ldap,
        end,
        timeout: TIMEOUT,
        server: "dc.test".parse().unwrap(),
        bound_as: "x".to_owned(),
        limit: ResultLimit::of(50, 100_000),
    }
}

/// The ID of the next request; none of them is long here.
async fn request(server: &mut DuplexStream) -> Option<u32> {
    let mut head = [0; 2];
    server.read_exact(&mut head).await.ok()?;
    let length = match head[1] {
        long @ 0x81..=0x84 => {
            let mut digits = vec![0; usize::from(long & 0x7F)];
            server.read_exact(&mut digits).await.ok()?;
            digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit))
        }
        short => usize::from(short),
    };
    let mut rest = vec![0; length];
    server.read_exact(&mut rest).await.ok()?;
    let id = ber::expect(&rest, 2)?;
    ber::unsigned(id.content)
}

fn message(id: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &[integer(id), parts.concat()].concat())
}

fn result(operation: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let content = [&[0x0A, 1, code, 4, 0, 4, 0], rest].concat();
    element(operation, &content)
}

fn entry(dn: &[u8], values: &[&[u8]]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| element(4, value)).collect();
    let attribute = element(0x30, &[element(4, b"a"), element(0x31, &values)].concat());
    element(0x64, &[element(4, dn), element(0x30, &attribute)].concat())
}

fn done(id: u32) -> Vec<u8> {
    message(id, &[result(0x65, 0, b"")])
}

async fn search(connection: &LdapConnection) -> Result<Vec<Entry>, LdapFailure> {
    let base = Dn::parse("DC=src,DC=test").unwrap();
    let search = Search {
        base: Some(&base),
        scope: Scope::Subtree,
        filter: Filter::everything(),
        attributes: &["a"],
        sd_flags: None,
        paged: true,
        extended_dns: false,
    };
    let asked = Instant::now();
    let found = connection.search(&search).await;
    assert!(asked.elapsed() < 30 * TIMEOUT, "{:?}", asked.elapsed());
    found
}

fn words(failure: &LdapFailure) -> String {
    format!("{failure:?}")
}

#[tokio::test]
async fn an_honest_answer_is_read() {
    let connection = connection(|id| {
        let entry = message(id, &[entry(b"CN=x,DC=src,DC=test", &[b"1", b"2"])]);
        let reference = message(
            id,
            &[element(0x73, &element(4, b"ldap://other.test/DC=other"))],
        );
        [entry, reference, done(id)].concat()
    })
    .await;
    for _ in 0..2 {
        let found = search(&connection).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].values("a"), [b"1".to_vec(), b"2".to_vec()]);
    }
}

/// Such a name is one; what prints it escapes it.
#[tokio::test]
async fn a_name_with_control_characters_is_kept() {
    let connection = connection(|id| {
        let entry = message(id, &[entry(b"CN=a\x1b[2J\nb,DC=src,DC=test", &[])]);
        [entry, done(id)].concat()
    })
    .await;
    let found = search(&connection).await.unwrap();
    assert_eq!(found[0].dn.rdns()[0].value, "a\u{1b}[2J\nb");
}

#[tokio::test]
async fn hostile_answers_are_errors() {
    type Answer = fn(u32) -> Vec<u8>;
    let cases: Vec<(&str, &str, Answer)> = vec![
        ("another ID", "answers no request", |id| done(id + 7)),
        ("a negative ID", "its ID", |_| {
            element(0x30, &[&[2, 1, 0xFF], &result(0x65, 0, b"")[..]].concat())
        }),
        ("no ID", "an element", |_| {
            element(0x30, &result(0x65, 0, b""))
        }),
        ("no operation", "no operation", |id| message(id, &[])),
        ("an empty message", "an element is missing", |_| {
            vec![0x30, 0]
        }),
        ("a length of 1 GiB", "1073741824 bytes", |_| {
            vec![0x30, 0x84, 0x40, 0, 0, 0]
        }),
        ("a length without end", "malformed", |_| {
            vec![0x30, 0x80, 2, 1, 1]
        }),
        ("a length of eight octets", "malformed", |_| {
            vec![0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 3, 2, 1, 1]
        }),
        ("an inner length beyond the message", "a length", |id| {
            message(id, &[vec![0x64, 0x7F, 4, 0]])
        }),
        ("an answer to another request", "another kind", |id| {
            message(id, &[result(0x67, 0, b"")])
        }),
        ("an unknown operation", "its operation", |id| {
            message(id, &[element(0x6E, b"")])
        }),
        ("a result without parts", "an element is missing", |id| {
            message(id, &[element(0x65, b"")])
        }),
        ("a result that is not text", "not UTF-8", |id| {
            message(id, &[element(0x65, b"\x0a\x01\x00\x04\x01\xff\x04\x00")])
        }),
        ("a code without digits", "its result code", |id| {
            message(id, &[element(0x65, b"\x0a\x00\x04\x00\x04\x00")])
        }),
        (
            "a referral that is not a list",
            "a part of its result",
            |id| message(id, &[result(0x65, 10, b"\x83\x01x")]),
        ),
        ("a control without criticality", "criticality", |id| {
            let control = element(0x30, &[element(4, b"1.2"), vec![1, 0]].concat());
            message(id, &[result(0x65, 0, b""), element(0xA0, &control)])
        }),
        ("controls that are none", "a control", |id| {
            message(id, &[result(0x65, 0, b""), element(0xA0, b"\x04\x00")])
        }),
        ("too many parts", "follows the controls", |id| {
            message(
                id,
                &[result(0x65, 0, b""), element(0xA0, b""), element(0xA0, b"")],
            )
        }),
        ("half a million values", "too many elements", |id| {
            let values = [4, 0].repeat(600_000);
            let attribute = element(0x30, &[element(4, b"a"), element(0x31, &values)].concat());
            message(
                id,
                &[element(
                    0x64,
                    &[element(4, b""), element(0x30, &attribute)].concat(),
                )],
            )
        }),
        // ldap3 reads by recursion.
        ("a deep message", "operation", |id| {
            let mut deep = Vec::new();
            for depth in 0..200_000_u32 {
                deep.extend([0x30, 0x84]);
                deep.extend((6 * (200_000 - depth - 1)).to_be_bytes());
            }
            message(id, &[element(0x64, &deep)])
        }),
        ("a name that is not a DN", "its name", |id| {
            message(id, &[entry(b"CN=a\x1b[2J\nb,,DC=src,DC=test", &[])])
        }),
        ("an entry outside of the base", "not below", |id| {
            message(id, &[entry(b"CN=x,DC=other,DC=test", &[])])
        }),
        ("too many bytes", "TooMuch", |id| {
            (0..20)
                .flat_map(|_| message(id, &[entry(b"CN=x,DC=src,DC=test", &[&[7; 9000]])]))
                .collect()
        }),
        ("too many entries", "TooMuch", |id| {
            let one = message(id, &[entry(b"CN=x,DC=src,DC=test", &[])]);
            one.repeat(60)
        }),
        ("too many references", "TooMuch", |id| {
            message(id, &[element(0x73, &element(4, b"ldap://x/"))]).repeat(60)
        }),
    ];
    for (what, said, answer) in cases {
        let connection = connection(answer).await;
        let failure = search(&connection)
            .await
            .map(|found| found.len())
            .unwrap_err();
        let words = words(&failure);
        assert!(
            words.contains(said) || (said == "operation" && words.contains("another type")),
            "{what}: {words}"
        );
    }
}

#[tokio::test]
async fn a_referral_is_the_end_and_is_not_followed() {
    let connection = connection(|id| {
        let to = element(0xA3, &element(4, b"ldap://evil.test/DC=src,DC=test"));
        message(id, &[result(0x65, 10, &to)])
    })
    .await;
    let failure = search(&connection)
        .await
        .map(|found| found.len())
        .unwrap_err();
    assert_eq!(failure.code(), Some(10));
}

/// The time-out is that of one message; a server that always has another one must not hold the caller.
#[tokio::test]
async fn a_search_ends_although_something_always_comes() {
    // The same page again and again, and a reference from time to time.
    let paging = connection(|id| {
        let value = element(0x30, &[integer(0), element(4, b"more")].concat());
        let control = [element(4, PAGED_RESULTS.as_bytes()), element(4, &value)].concat();
        let controls = element(0xA0, &element(0x30, &control));
        message(id, &[result(0x65, 0, b""), controls])
    })
    .await;
    let failure = search(&paging).await.map(|found| found.len()).unwrap_err();
    assert!(words(&failure).contains("TooMuch"), "{failure:?}");
    let (mut server, client) = tokio::io::duplex(1 << 16);
    let dripping = over(client).await;
    tokio::spawn(async move {
        let id = request(&mut server).await.unwrap();
        let reference = message(id, &[element(0x73, &element(4, b"ldap://x/"))]);
        while server.write_all(&reference).await.is_ok() {
            tokio::time::sleep(TIMEOUT * 9 / 10).await;
        }
    });
    let failure = search(&dripping)
        .await
        .map(|found| found.len())
        .unwrap_err();
    assert!(words(&failure).contains("NoAnswer"), "{failure:?}");
}

#[tokio::test]
async fn a_silent_server_meets_the_time_out() {
    let connection = connection(|_| Vec::new()).await;
    let failure = search(&connection)
        .await
        .map(|found| found.len())
        .unwrap_err();
    assert!(words(&failure).contains("NoAnswer"), "{failure:?}");
}

/// What changes something is answered by a result too, which is read in the caller's own task.
#[tokio::test]
async fn a_change_with_a_hostile_answer_is_an_error() {
    let dn = Dn::parse("CN=x,DC=src,DC=test").unwrap();
    for answer in [
        |id| message(id, &[element(0x67, b"")]),
        |id| message(id, &[element(0x67, b"\x0a\x01\x00\x04\x01\xff\x04\x00")]),
        |id| message(id, &[entry(b"CN=x", &[])]),
    ] {
        let connection = connection(answer).await;
        let change = vec![Modification::Replace("a".to_owned(), vec![b"1".to_vec()])];
        let failure = connection.modify(&dn, change, None).await.unwrap_err();
        assert!(words(&failure).contains("malformed"), "{failure:?}");
    }
}
