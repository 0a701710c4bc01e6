//! A server, and a share, that accept only encrypted sessions: `server smb encrypt = required` for the server, `smb encrypt =
//! required` for SYSVOL; and a server that accepts other ciphers than smb2 has. A client that cannot is refused meanwhile.

#[cfg(feature = "libsmbclient")]
mod other_client;

use std::path::Path;

use crate::support::*;
use crate::sysvol::{back_ends, reads_and_writes};
use serde_json::Value;

const SIDE: &str = "src";
const DOMAIN: &str = "src.test";

/// Lines in a section of the configuration of the domain controller, until this is dropped.
struct Configured {
    /// The options of an `smbclient` whose sessions these lines refuse.
    refused: &'static str,
}

/// A demand for encryption, by the share or by the server.
const ON_SHARE: (&str, &str) = ("sysvol", "smb encrypt = required");
const ON_SERVER: (&str, &str) = ("global", "server smb encrypt = required");

/// SMB 2.1 has no encryption.
const WITHOUT_ENCRYPTION: &str = "-m SMB2_10";
/// Encryption with a cipher that smb2 has.
const WITH_AES_128: &str =
    "--client-protection=encrypt --option=clientsmb3encryptionalgorithms=AES-128-GCM,AES-128-CCM";

impl Configured {
    fn new(lines: &[(&str, &str)], refused: &'static str) -> Self {
        let edit: String = lines
            .iter()
            .map(|(section, line)| format!(" -e 's/^\\[{section}\\]/&\\n\\t{line}/'"))
            .collect();
        let script = format!(
            "cp -a /etc/samba/smb.conf /tmp/smb.conf; sed -i{edit} /etc/samba/smb.conf; smbcontrol all reload-config"
        );
        inside(SIDE, &["sh", "-ec", &script]);
        let configured = Self { refused };
        configured.wait_until(false);
        configured
    }

    /// Waits until a new session with these options opens the share, or is refused.
    fn wait_until(&self, opens: bool) {
        let wanted = if opens { "0" } else { "1" };
        let said = asked_inside(SIDE, &["bash", "-c", LOOP, "-", wanted, self.refused], "");
        assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        let script = "cp -a /tmp/smb.conf /etc/samba/smb.conf; smbcontrol all reload-config";
        inside(SIDE, &["sh", "-ec", script]);
        // A second panic would hide the first.
        if !std::thread::panicking() {
            self.wait_until(true);
        }
    }
}

/// Tries repeatedly; each new session has the current configuration. `smbclient` ends with 1 for any error, and the expected
/// results are a refusal and a session without a common cipher.
const LOOP: &str = r#"
for attempt in $(seq 1000); do
    said=$(smbclient //localhost/sysvol -U "Administrator%$(cat /lab-state/admin.password)" $2 -c ls 2>&1)
    case $1$? in
        00) exit 0 ;;
        11) case $said in *ACCESS_DENIED* | *"server doesn't support SMB3 encryption"*) exit 0 ;; esac ;;
    esac
done
echo "$said"
exit 1
"#;

/// Every back end, with both ways to log in, reads and writes.
fn every_back_end_works() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for (name, sysvol) in back_ends().await {
            reads_and_writes(name, &*sysvol).await;
        }
    });
}

/// The arguments of an import into a new GPO.
fn into_new<'a>(backup: &'a Path, name: &'a str) -> [&'a str; 5] {
    let backup = backup.to_str().unwrap();
    ["import", backup, "--into", name, "--create"]
}

/// Imports into a new GPO with exact descriptors, and deletes it.
fn the_command_works() {
    let name = fresh("Encrypted");
    let backup = &back_up("dst.test", &["Target Filled"])["Target Filled"];
    let result = write(DOMAIN, &into_new(backup, &name)).json();
    assert!(
        !codes(&result).contains(&"descriptors-not-set".to_owned()),
        "{result:#}"
    );
    assert_samba_checks_pass(SIDE);
    is_clean(&name);
    write(DOMAIN, &["delete", &name]).json();
}

fn is_clean(gpo: &str) {
    let said = gpoctl(&["check", gpo, "--domain", DOMAIN, "--json"]);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        (said.status, &report["status"]),
        (0, &"ok".into()),
        "{report:#}"
    );
}

#[test]
#[ignore = "needs the lab"]
fn what_requires_encryption_gets_it() {
    let _alone = alone();
    for lines in [
        &[ON_SHARE][..],
        &[ON_SERVER],
        // These dialects negotiate no cipher.
        &[ON_SERVER, ("global", "server max protocol = SMB3_02")],
    ] {
        let configured = Configured::new(lines, WITHOUT_ENCRYPTION);
        every_back_end_works();
        the_command_works();
        is_logged(true);
        drop(configured);
        is_logged(false);
    }
    assert_samba_checks_pass(SIDE);
}

/// With -v, what is in force after the share is open is logged.
fn is_logged(encrypted: bool) {
    let said = gpoctl(&["list", "--domain", DOMAIN, "-v"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    let words = format!("signed=true encrypted={encrypted}");
    assert!(said.stderr.contains(&words), "{}", said.stderr);
    let ldap = "protection=\"sealed by Kerberos\"";
    assert!(said.stderr.contains(ldap), "{}", said.stderr);
}

/// Only these ciphers, which smb2 does not have.
const AES_256_ONLY: [(&str, &str); 2] = [
    ("global", "server smb3 encryption algorithms = AES-256-GCM"),
    ("global", "server smb3 encryption algorithms = AES-256-CCM"),
];

/// smb2 logs in without encryption if the server permits that.
#[test]
#[ignore = "needs the lab"]
fn a_server_without_the_ciphers_of_smb2_is_used_without_encryption() {
    let _alone = alone();
    for cipher in AES_256_ONLY {
        let configured = Configured::new(&[cipher], WITH_AES_128);
        every_back_end_works();
        the_command_works();
        drop(configured);
    }
    assert_samba_checks_pass(SIDE);
}
