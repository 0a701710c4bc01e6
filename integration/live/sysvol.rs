//! The SMB back ends: the conformance suite of the port on each of them, and what only a real connection has.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gpoctl::ErrorKind;
use gpoctl::auth::{Identity, read_password_file};
use gpoctl::domain::sysvol::{Sysvol, SysvolPath};
use gpoctl::model::domain_name::DomainName;
use gpoctl::sysvol::connect::{SmbAuth, SmbClientChoice, SmbDialect, SmbSettings, connect};

use self::environment::Lab;
use crate::support::conformance::sysvol::{self as conformance, Folder, Subject, sysvol_cases};

mod environment;
#[cfg(feature = "libsmbclient")]
mod libsmbclient;

fn var(name: &str) -> String {
    std::env::var(format!("GPOCTL_LAB_SRC_{name}")).unwrap()
}

fn settings(client: SmbClientChoice, kerberos: bool) -> SmbSettings {
    settings_of("Administrator", &var("PASSWORD_FILE"), client, kerberos)
}

/// The settings of an account whose password is in this file.
fn settings_of(
    user: &str,
    password_file: &str,
    client: SmbClientChoice,
    kerberos: bool,
) -> SmbSettings {
    let password = read_password_file(&PathBuf::from(password_file)).unwrap();
    let user = user.to_owned();
    SmbSettings {
        server: var("SERVER").parse().unwrap(),
        address: Some(var("ADDRESS").parse().unwrap()),
        domain: domain(),
        auth: if kerberos {
            SmbAuth::Kerberos(Identity::Password {
                user: format!("{user}@{}", var("REALM")),
                password,
            })
        } else {
            SmbAuth::Ntlm {
                domain: var("NETBIOS"),
                user,
                password,
            }
        },
        client,
        min_dialect: SmbDialect::default(),
        allow_rc4: false,
        timeout: Duration::from_secs(60),
    }
}

/// Every back end: its name, which it is, and whether it logs in with Kerberos. libsmbclient cannot use Kerberos with an address.
const BACK_ENDS: &[(&str, SmbClientChoice, bool)] = &[
    ("smb2, Kerberos", SmbClientChoice::Smb2, true),
    ("smb2, NTLM", SmbClientChoice::Smb2, false),
    #[cfg(feature = "libsmbclient")]
    (
        "libsmbclient, NTLM, encrypted",
        SmbClientChoice::Libsmbclient,
        false,
    ),
];

/// Every back end with its identity in the lab.
pub async fn back_ends() -> Vec<(&'static str, Arc<dyn Sysvol>)> {
    let mut connected = Vec::new();
    for (name, client, kerberos) in BACK_ENDS {
        let settings = settings(*client, *kerberos);
        connected.push((*name, connect(&settings).await.unwrap()));
    }
    connected
}

fn domain() -> DomainName {
    var("DOMAIN").parse().unwrap()
}

/// A folder and a file are created, read, given descriptors where the back end can, and deleted.
pub async fn reads_and_writes(name: &str, sysvol: &dyn Sysvol) {
    let folder = Folder::new(domain(), sysvol).await;
    // Larger than one compound can be.
    let content: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
    folder.write(sysvol, "file", &content).await;
    let size = u64::try_from(content.len()).unwrap();
    let read = sysvol.read(&folder.at("file"), size).await.unwrap();
    assert_eq!(read, content, "{name}");
    if sysvol.has_exact_descriptors() {
        let seeded = "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}".parse().unwrap();
        let seeded = SysvolPath::gpo(&domain(), seeded);
        let descriptor = sysvol.security_descriptor(&seeded).await.unwrap();
        let steps = [descriptor.clone()];
        let content = Bytes::from_static(b"x");
        let other = folder.at("other");
        sysvol.write_new(&other, content, &steps).await.unwrap();
        let read = sysvol.security_descriptor(&other).await.unwrap();
        assert_eq!(read, descriptor, "{name}");
    }
    folder.remove(sysvol).await;
}

/// Each case of the suite, on every back end.
macro_rules! on_every_back_end {
    ($case:ident) => {
        #[tokio::test]
        #[ignore = "needs the lab"]
        async fn $case() {
            for (name, client, kerberos) in BACK_ENDS {
                let subject = Subject {
                    name,
                    sysvol: connect(&settings(*client, *kerberos)).await.unwrap(),
                    environment: Box::new(Lab::new(*client, *kerberos)),
                };
                conformance::$case(&subject).await;
            }
        }
    };
}
sysvol_cases!(on_every_back_end);

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_wrong_password_is_one_clear_error() {
    let cases = [
        (SmbClientChoice::Smb2, true),
        (SmbClientChoice::Smb2, false),
        #[cfg(feature = "libsmbclient")]
        (SmbClientChoice::Libsmbclient, false),
    ];
    for (client, kerberos) in cases {
        let mut wrong = settings(client, kerberos);
        match &mut wrong.auth {
            SmbAuth::Kerberos(Identity::Password { user, password })
            | SmbAuth::Ntlm { user, password, .. } => {
                *user = "carol".to_owned();
                *password = "not-her-password".to_owned().into();
            }
            SmbAuth::Kerberos(_) => {}
        }
        let error = connect(&wrong).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(error.hint().is_some());
        assert!(!format!("{error} {error:?}").contains("not-her-password"));
    }
}
