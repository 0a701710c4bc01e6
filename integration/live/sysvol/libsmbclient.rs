//! What only the back end on libsmbclient has: encryption, Kerberos by the name of the server, broken sessions.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gpoctl::auth::Identity;
use gpoctl::domain::sysvol::SysvolPath;
use gpoctl::sysvol::connect::{SmbAuth, SmbClientChoice, SmbSettings, connect};
use gpoctl::{Error, ErrorKind};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{domain, settings, var};
use crate::support::conformance::sysvol::Folder;
use crate::support::{loopback, with_hosts};

const NEEDS_ROOT: &str =
    "port 445 of a loopback address, which needs root or net.ipv4.ip_unprivileged_port_start";

/// NTLM, with this address instead of the domain controller's.
fn at(address: &str) -> SmbSettings {
    SmbSettings {
        address: Some(address.parse().unwrap()),
        timeout: Duration::from_secs(10),
        ..settings(SmbClientChoice::Libsmbclient, false)
    }
}

async fn no_session(settings: &SmbSettings) -> Error {
    let error = connect(settings).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert!(error.hint().is_some());
    println!("{error}; {}", error.hint().unwrap());
    error
}

/// Relays connections to the domain controller and records what was sent.
fn relay(listener: TcpListener) -> (tokio::task::JoinHandle<()>, Arc<Mutex<Vec<u8>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&sent);
    let task = tokio::spawn(async move {
        let target = format!("{}:445", var("ADDRESS"));
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(&target).await.unwrap();
            let (mut client_read, mut client_write) = client.into_split();
            let (mut server_read, mut server_write) = server.into_split();
            let forth = async {
                let mut buffer = vec![0; 65_536];
                while let Ok(count @ 1..) = client_read.read(&mut buffer).await {
                    let part = buffer.get(..count).unwrap();
                    kept.lock().unwrap().extend_from_slice(part);
                    server_write.write_all(part).await.unwrap();
                }
            };
            tokio::select! {
                () = forth => {}
                _ = tokio::io::copy(&mut server_read, &mut client_write) => {}
            }
        }
    });
    (task, sent)
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn sessions_are_encrypted_and_a_broken_one_is_not_a_missing_path() {
    let address = loopback(97);
    let listener = TcpListener::bind((address.as_str(), 445))
        .await
        .expect(NEEDS_ROOT);
    let (task, sent) = relay(listener);
    let sysvol = connect(&at(&address)).await.unwrap();
    let folder = Folder::new(domain(), &*sysvol).await;
    let secret = b"a line that nobody on the wire may read";
    folder.write(&*sysvol, "f", secret).await;
    {
        let sent = sent.lock().unwrap();
        let holds = |what: &[u8]| sent.windows(what.len()).any(|part| part == what);
        assert!(holds(b"\xfdSMB"), "no transform header [MS-SMB2 2.2.41]");
        assert!(!holds(secret));
    }
    folder.remove(&*sysvol).await;
    let missing = SysvolPath::policies(&domain());
    assert!(sysvol.stat(&missing).await.unwrap().is_some());
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    for error in [
        sysvol.stat(&missing).await.map(drop).unwrap_err(),
        sysvol.list(&missing).await.map(drop).unwrap_err(),
    ] {
        println!("{error}");
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn servers_that_do_not_answer_are_connect_errors() {
    let error = no_session(&at(&loopback(98))).await;
    assert!(error.message().contains("cannot reach"), "{error}");
    // The port is open, and does not answer.
    let silent = loopback(99);
    let _listener = TcpListener::bind((silent.as_str(), 445))
        .await
        .expect(NEEDS_ROOT);
    no_session(&at(&silent)).await;
}

/// Set in the process in which a test runs itself again.
const INNER: &str = "GPOCTL_TEST_INNER";

/// Runs a test again, in a separate process in which the name of the domain controller resolves to its address.
fn with_hosts_file(case: &str, cache: &str) {
    let hosts = format!(
        "127.0.0.1 localhost\n{} {}\n",
        var("ADDRESS"),
        var("SERVER")
    );
    let mut again = Command::new(std::env::current_exe().unwrap());
    again
        .args([
            "--exact",
            &format!("sysvol::libsmbclient::{case}"),
            "--nocapture",
            "--ignored",
        ])
        .env(INNER, "1")
        .env("KRB5CCNAME", cache);
    let output = with_hosts(&again, &hosts).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{said}{complaint}");
    assert!(output.status.success(), "unshare or the case failed");
    assert!(said.contains("1 passed"));
    let password = settings(SmbClientChoice::Libsmbclient, true);
    if let SmbAuth::Kerberos(Identity::Password { password, .. }) = password.auth {
        assert!(!format!("{said}{complaint}").contains(password.expose_secret()));
    }
}

/// The tickets of this cache.
fn tickets(cache: Option<&str>) -> SmbAuth {
    SmbAuth::Kerberos(Identity::TicketCache {
        cache: cache.map(str::to_owned),
        principal: None,
    })
}

async fn works(auth: SmbAuth) {
    let settings = SmbSettings {
        auth,
        ..settings(SmbClientChoice::Libsmbclient, true)
    };
    let sysvol = connect(&settings).await.unwrap();
    let folder = Folder::new(domain(), &*sysvol).await;
    folder.write(&*sysvol, "f", b"x").await;
    assert_eq!(sysvol.read(&folder.at("f"), 1).await.unwrap(), "x");
    folder.remove(&*sysvol).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn kerberos_by_name_without_tickets() {
    if std::env::var_os(INNER).is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = format!("FILE:{}", folder.path().join("cache").display());
        return with_hosts_file("kerberos_by_name_without_tickets", &cache);
    }
    let before = std::env::var("KRB5CCNAME").unwrap();
    let with_password = settings(SmbClientChoice::Libsmbclient, true);
    let cache = tickets(None);
    no_session(&SmbSettings {
        auth: cache.clone(),
        ..with_password.clone()
    })
    .await;
    let mut wrong = with_password.clone();
    if let SmbAuth::Kerberos(Identity::Password { user, password }) = &mut wrong.auth {
        *user = "carol".to_owned();
        *password = "not-her-password".to_owned().into();
    }
    let error = no_session(&wrong).await;
    assert!(!format!("{error} {error:?}").contains("not-her-password"));
    works(with_password.auth.clone()).await;
    // The tickets of a login with a password are in memory, and libsmbclient makes that memory the default cache of the whole
    // process: the caller's own tickets cannot be used any more.
    let now = std::env::var("KRB5CCNAME").unwrap();
    assert!(now.starts_with("MEMORY:"), "{now}");
    assert!(!std::path::Path::new(before.strip_prefix("FILE:").unwrap()).exists());
    let late = SmbSettings {
        auth: cache,
        ..with_password
    };
    let error = connect(&late).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn kerberos_by_name_with_tickets() {
    if std::env::var_os(INNER).is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = format!("FILE:{}", folder.path().join("cache").display());
        let mut kinit = Command::new("kinit")
            .args(["-c", &cache, &var("USER")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let password = settings(SmbClientChoice::Libsmbclient, true).auth;
        if let SmbAuth::Kerberos(Identity::Password { password, .. }) = password {
            writeln!(kinit.stdin.take().unwrap(), "{}", password.expose_secret()).unwrap();
        }
        assert!(kinit.wait().unwrap().success());
        return with_hosts_file("kerberos_by_name_with_tickets", &cache);
    }
    let own = std::env::var("KRB5CCNAME").unwrap();
    works(tickets(None)).await;
    works(tickets(own.strip_prefix("FILE:"))).await;
    let other = SmbSettings {
        auth: tickets(Some("/nowhere/else")),
        ..settings(SmbClientChoice::Libsmbclient, true)
    };
    let error = connect(&other).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}
