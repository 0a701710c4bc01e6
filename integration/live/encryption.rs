//! A server, and a share, that accept only encrypted sessions: `server smb encrypt = required` for the server, `smb encrypt =
//! required` for SYSVOL. A client without encryption is refused meanwhile, so what works is encrypted.

use crate::support::*;
use crate::sysvol::{back_ends, reads_and_writes};
use serde_json::Value;

const SIDE: &str = "src";
const DOMAIN: &str = "src.test";

/// A line in the configuration of the domain controller, until this is dropped.
struct Required;

impl Required {
    fn new(section: &str, line: &str) -> Self {
        let script = format!(
            "cp -a /etc/samba/smb.conf /tmp/smb.conf; sed -i 's/^\\[{section}\\]$/[{section}]\\n\\t{line}/' /etc/samba/smb.conf; smbcontrol all reload-config"
        );
        inside(SIDE, &["sh", "-ec", &script]);
        let required = Self;
        wait_until(false);
        required
    }
}

impl Drop for Required {
    fn drop(&mut self) {
        let script = "cp -a /tmp/smb.conf /etc/samba/smb.conf; smbcontrol all reload-config";
        inside(SIDE, &["sh", "-ec", script]);
        wait_until(true);
    }
}

/// Waits until a new session without encryption opens the share, or is refused: one of SMB 2.1, which has no encryption.
fn wait_until(opens: bool) {
    let wanted = if opens { "0" } else { "1" };
    let said = asked_inside(SIDE, &["bash", "-c", LOOP, "-", wanted], "");
    assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
}

/// Tries repeatedly; each new session has the current configuration. `smbclient` ends with 1 for any error, and the expected
/// result is a refusal.
const LOOP: &str = r#"
for attempt in $(seq 1000); do
    said=$(smbclient //localhost/sysvol -U "Administrator%$(cat /lab-state/admin.password)" -m SMB2_10 -c ls 2>&1)
    case $1$? in
        00) exit 0 ;;
        11) case $said in *ACCESS_DENIED*) exit 0 ;; esac ;;
    esac
done
echo "$said"
exit 1
"#;

#[test]
#[ignore = "needs the lab"]
fn what_requires_encryption_gets_it() {
    let _alone = alone();
    for (section, line) in [
        ("sysvol", "smb encrypt = required"),
        ("global", "server smb encrypt = required"),
    ] {
        let required = Required::new(section, line);
        // Both back ends, with both ways to log in.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            for (name, sysvol) in back_ends().await {
                reads_and_writes(name, &*sysvol).await;
            }
        });
        // And the command, which sets exact descriptors as always.
        let name = fresh("Encrypted");
        let backup = &back_up("dst.test", &["Target Filled"])["Target Filled"];
        let import = [
            "import",
            backup.to_str().unwrap(),
            "--into",
            &name,
            "--create",
        ];
        let result = write(DOMAIN, &import).json();
        assert!(
            !codes(&result).contains(&"descriptors-not-set".to_owned()),
            "{result:#}"
        );
        assert_samba_checks_pass(SIDE);
        let said = gpoctl(&["check", &name, "--domain", DOMAIN, "--json"]);
        let report: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(
            (said.status, &report["status"]),
            (0, &"ok".into()),
            "{report:#}"
        );
        write(DOMAIN, &["delete", &name]).json();
        drop(required);
    }
    assert_samba_checks_pass(SIDE);
}
