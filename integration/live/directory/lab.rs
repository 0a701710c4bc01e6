//! The lab's two domains as the environment names them, and what the cases need around them.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gpoctl::auth::tls::TlsSettings;
use gpoctl::auth::{Identity, read_password_file};
use gpoctl::directory::{Directory, DirectorySettings, DirectoryWriter, LdapSecurity};
use secrecy::{ExposeSecret as _, SecretString};

/// One domain of the lab, from the environment.
pub struct Domain {
    pub key: &'static str,
}

pub const SRC: Domain = Domain { key: "SRC" };
pub const DST: Domain = Domain { key: "DST" };

impl Domain {
    pub fn var(&self, name: &str) -> String {
        let name = format!("GPOCTL_LAB_{}_{name}", self.key);
        std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set"))
    }

    pub fn password(&self) -> SecretString {
        read_password_file(&PathBuf::from(self.var("PASSWORD_FILE"))).unwrap()
    }

    pub fn tls(&self) -> TlsSettings {
        TlsSettings::new().ca(self.var("CA").into())
    }

    /// Sealed, as the administrator, with the password.
    pub fn settings(&self) -> DirectorySettings {
        DirectorySettings {
            domain: Some(self.var("DOMAIN").parse().unwrap()),
            server: self.var("SERVER").parse().unwrap(),
            address: Some(self.var("ADDRESS").parse().unwrap()),
            security: LdapSecurity::Sealed,
            identity: Identity::Password {
                user: self.var("USER"),
                password: self.password(),
            },
            tls: TlsSettings::default(),
            allow_rc4: false,
            timeout: DirectorySettings::DEFAULT_TIMEOUT,
        }
    }

    pub async fn connect(&self) -> Directory {
        Directory::connect(&self.settings()).await.unwrap()
    }

    pub async fn connect_writer(&self) -> DirectoryWriter {
        DirectoryWriter::connect(&self.settings()).await.unwrap()
    }

    pub async fn connect_editor(&self) -> Directory {
        Directory::connect(&self.editor_settings()).await.unwrap()
    }

    /// Sealed, as the account that may edit one GPO.
    pub fn editor_settings(&self) -> DirectorySettings {
        let password =
            read_password_file(&PathBuf::from(self.var("EDITOR_PASSWORD_FILE"))).unwrap();
        DirectorySettings {
            identity: Identity::Password {
                user: self.var("EDITOR_USER"),
                password,
            },
            ..self.settings()
        }
    }

    pub async fn refused(&self, settings: DirectorySettings) -> gpoctl::Error {
        let error = Directory::connect(&settings).await.err().unwrap();
        let shown = format!("{error} {error:?}");
        let password = self.password();
        assert!(!shown.contains(password.expose_secret()));
        assert!(error.hint().is_some(), "no hint: {error}");
        error
    }
}

/// The SHA-256 of the DC's certificate, as openssl gets it.
pub fn certificate_sha256(address: &str) -> String {
    let script = format!(
        "openssl s_client -connect {address}:636 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().split_once('=').unwrap().1.to_owned()
}

/// A relay to the domain controller on its own address: the first message stops it, the second closes the connection.
pub async fn relay(address: &str) -> (tokio::task::JoinHandle<()>, tokio::sync::mpsc::Sender<()>) {
    let listener = tokio::net::TcpListener::bind((address, 389)).await.expect(
        "port 389 of a loopback address, which needs root or net.ipv4.ip_unprivileged_port_start",
    );
    let target = format!("{}:389", SRC.var("ADDRESS"));
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let task = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = tokio::net::TcpStream::connect(target).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
            _ = receiver.recv() => {}
        }
        receiver.recv().await;
    });
    (task, sender)
}

/// Stores a ticket of the domain's administrator in a cache.
pub fn kinit(cache: &str, domain: &Domain) {
    let mut kinit = Command::new("kinit")
        .args(["-c", cache, &domain.var("USER")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let password = domain.password();
    let mut stdin = kinit.stdin.take().unwrap();
    writeln!(stdin, "{}", password.expose_secret()).unwrap();
    drop(stdin);
    assert!(kinit.wait().unwrap().success());
}
